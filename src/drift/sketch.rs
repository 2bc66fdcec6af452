//! What is known of one column on one side: enough for every test of one column, and small enough to keep with a model. Pure.

use serde::{Deserialize, Serialize};

use crate::data::{ordered, sort, unordered};

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
    /// Whether the column was written in whole numbers, and none is missing or infinite: what pandas keeps as integers.
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

/// What there is of a column of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// None when no value is finite.
    pub sketch: Option<NumberSketch>,
    pub n_missing: u64,
    pub n_infinite: u64,
}

/// Buffers that columns may share: 16 bytes a row.
#[derive(Debug, Default)]
pub struct Scratch {
    keys: Vec<u64>,
    spare: Vec<u64>,
}

impl NumberSketch {
    /// The exact sketch of these numbers, whatever their order; a NaN is a missing value. `is_whole`: whether the column
    /// was written in whole numbers.
    ///
    /// Time O(n) (radix sort). Mean and standard deviation agree with numpy to 1e-13, and are finite for finite values
    /// whatever their size.
    pub fn of(values: impl IntoIterator<Item = f64>, is_whole: bool, scratch: &mut Scratch) -> Counted {
        let (mut n_missing, mut n_infinite) = (0, 0);
        scratch.keys.clear();
        for value in values {
            if value.is_finite() {
                scratch.keys.push(ordered(value));
            } else if value.is_nan() {
                n_missing += 1;
            } else {
                n_infinite += 1;
            }
        }
        sort(&mut scratch.keys, &mut scratch.spare);
        let is_integer = is_whole && n_missing + n_infinite == 0;
        Counted {
            sketch: Self::of_sorted(&scratch.keys, is_integer),
            n_missing,
            n_infinite,
        }
    }

    fn of_sorted(keys: &[u64], is_integer: bool) -> Option<Self> {
        let n_distinct = keys.chunk_by(|a, b| a == b).count();
        let mut values = Vec::with_capacity(n_distinct);
        let mut counts = Vec::new();
        if n_distinct == keys.len() {
            values.extend(keys.iter().map(|key| unordered(*key)));
        } else {
            counts.reserve_exact(n_distinct);
            for run in keys.chunk_by(|a, b| a == b) {
                values.push(unordered(run[0]));
                counts.push(run.len() as u64);
            }
        }
        let moments = Moments::of_sorted(&values, &counts)?;
        Some(Self {
            values,
            counts,
            moments,
            is_integer,
            rank_error: 0.0,
        })
    }

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

impl Moments {
    /// Of ascending values and their counts; no counts: every one is 1. None without values.
    ///
    /// Source: two passes over differences from the middle value, in units of the largest one where squares or sums
    /// could leave the range of numbers.
    pub fn of_sorted(values: &[f64], counts: &[u64]) -> Option<Self> {
        let (min, max) = (*values.first()?, *values.last()?);
        let largest = max.abs().max(min.abs());
        let unit = if largest > 1e120 || (0.0 < largest && largest < 1e-120) {
            largest
        } else {
            1.0
        };
        let center = values[values.len() / 2] / unit;
        let n: u64 = if counts.is_empty() {
            values.len() as u64
        } else {
            counts.iter().sum()
        };
        let total = |term: &dyn Fn(f64) -> f64| -> f64 {
            // Four sums at a time: otherwise every addition waits for the one before it.
            let mut lanes = [0.0_f64; 4];
            if counts.is_empty() {
                for (index, value) in values.iter().enumerate() {
                    lanes[index & 3] += term(value / unit);
                }
            } else {
                for (index, (value, count)) in values.iter().zip(counts).enumerate() {
                    lanes[index & 3] += *count as f64 * term(value / unit);
                }
            }
            lanes.iter().sum()
        };
        let mean = center + total(&|value| value - center) / n as f64;
        let squares = total(&|value| (value - mean) * (value - mean));
        Some(Self {
            n,
            mean: (mean * unit).clamp(min, max),
            sd: (squares / n as f64).sqrt() * unit,
            min,
            max,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[f64]) -> NumberSketch {
        NumberSketch::of(values.iter().copied(), false, &mut Scratch::default())
            .sketch
            .unwrap()
    }

    #[test]
    fn values_are_counted() {
        let values = [2.0, f64::NAN, -0.0, 0.0, f64::INFINITY, 2.0, -1.0, f64::NEG_INFINITY];
        let found = NumberSketch::of(values, true, &mut Scratch::default());
        let sketch = found.sketch.unwrap();
        assert_eq!((found.n_missing, found.n_infinite, sketch.is_integer), (1, 2, false));
        assert_eq!((sketch.values, sketch.counts), (vec![-1.0, 0.0, 2.0], vec![1, 2, 2]));
        assert!(
            NumberSketch::of([3.0, 1.0], true, &mut Scratch::default())
                .sketch
                .unwrap()
                .is_integer
        );
        assert_eq!(NumberSketch::of([f64::NAN], true, &mut Scratch::default()).sketch, None);
    }

    #[test]
    fn moments_agree_with_numpy() {
        // numpy 2.4.6 `mean` and `std`.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-15 * b.abs();
        let found = sketch(&[1e9 + 4.0, 1e9, 1e9 + 2.5, 1e9 + 1.0]).moments;
        assert!(
            close(found.mean, 1_000_000_001.875) && close(found.sd, 1.515_544_456_622_767_6),
            "{found:?}"
        );
        // Where numpy has infinity and 0: the same numbers in another unit.
        let (small, huge) = (
            sketch(&[3e-300, 1e-300, 3e-300]).moments,
            sketch(&[3e307, 1e307, 3e307]).moments,
        );
        assert!(close(small.sd * 1e300, 0.942_809_041_582_063_4), "{small:?}");
        assert!(close(huge.sd / 1e307, 0.942_809_041_582_063_4), "{huge:?}");
        assert!(close(huge.mean / 1e307, 7.0 / 3.0));
        let constant = sketch(&[0.1; 7]).moments;
        assert_eq!((constant.mean.to_bits(), constant.sd.to_bits()), (0.1_f64.to_bits(), 0));
        let extreme = sketch(&[f64::MAX, -f64::MAX]).moments;
        assert!(close(extreme.sd, f64::MAX) && extreme.mean.abs() <= 0.0, "{extreme:?}");
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter(mut values in prop::collection::vec(-1e6..1e6_f64, 1..60)) {
            let first = sketch(&values);
            values.reverse();
            prop_assert_eq!(&first, &sketch(&values));
            let n: u64 = (0..first.values.len()).map(|index| first.count(index)).sum();
            prop_assert_eq!(n, values.len() as u64);
        }

        #[test]
        fn moments_are_finite(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL, 1..20)) {
            let found = sketch(&values).moments;
            prop_assert!(found.mean.is_finite() && found.sd.is_finite() && found.sd >= 0.0, "{:?}", found);
        }
    }
}
