//! What is known of one column on one side: enough for every test of one column, and small enough to keep with a model. Pure.

use serde::{Deserialize, Serialize};

/// A column of one side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSketch {
    pub name: String,
    pub n_rows: u64,
    /// Without the infinite ones.
    pub n_missing: u64,
    /// They count as missing in every test.
    pub n_infinite: u64,
    pub seen: Seen,
}

/// The known values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    Empty,
    Numbers(NumberSketch),
    /// 0 and 1, written as `false` and `true`.
    Booleans([u64; 2]),
    Texts(TextSketch),
    /// Seconds of Unix time.
    Times(NumberSketch),
}

/// Finite numbers as a distribution: exact, or points of it that stand for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberSketch {
    /// Ascending, distinct, finite, without a negative zero; at least one.
    pub values: Vec<f64>,
    /// Rows with that value, at least 1; empty when every one is 1.
    pub counts: Vec<u64>,
    pub moments: Moments,
    /// Whether every value is whole, and none is missing or infinite: what pandas keeps as integers.
    pub is_integer: bool,
    /// The greatest error of the distribution function that `values` and `counts` make; 0 when they are exact.
    pub rank_error: f64,
}

/// Of the values themselves, exact to rounding also where the distribution is not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    pub n: u64,
    pub mean: f64,
    /// With divisor n; finite also where squares are not.
    pub sd: f64,
    pub min: f64,
    pub max: f64,
}

/// Texts and how often each occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSketch {
    /// In byte order, distinct.
    pub levels: Vec<String>,
    pub counts: Vec<u64>,
    /// Rows whose text is none of the levels, where there were too many to keep; 0 when `levels` is complete.
    pub n_other: u64,
    /// Distinct texts, the kept ones included; an estimate where `n_other` is not 0.
    pub n_distinct: u64,
}

impl NumberSketch {
    /// Rows with the value at `index`.
    pub fn count(&self, index: usize) -> u64 {
        self.counts.get(index).copied().unwrap_or(1)
    }

    /// The value below which a share `level` (0 to 1) of the rows lies: the least value whose distribution function reaches it.
    pub fn quantile(&self, level: f64) -> f64 {
        let wanted = level.clamp(0.0, 1.0) * self.moments.n as f64;
        let mut below = 0;
        for (index, value) in self.values.iter().enumerate() {
            below += self.count(index);
            if below as f64 >= wanted {
                return *value;
            }
        }
        self.moments.max
    }
}
