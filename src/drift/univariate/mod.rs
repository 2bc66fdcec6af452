//! Every test of one column: a pure function and a row of [`table::TESTS`]. Pure.

pub mod anderson;
pub mod bins;
pub mod categories;
pub mod chi_square;
pub mod cramer_von_mises;
pub mod effective;
pub mod energy;
pub mod epps_singleton;
pub mod fisher;
pub mod g;
pub mod homogeneity;
pub mod ks;
pub mod mann_whitney;
pub mod mmd;
mod plain;
pub mod t_test;
pub mod table;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod text;
pub mod tvd;
mod urn;
pub mod wasserstein;
mod words;
pub mod z;

use super::pair::Pair;

/// What a column holds, as far as tests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Num,
    Cat,
    Text,
    /// Dates and times: their range is looked at, their distribution is not tested.
    Datetime,
    Unknown,
}

/// What a score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreKind {
    PValue,
    Distance,
    RocAuc,
}

/// When a score means drift, held against the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Op {
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = "<")]
    Below,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = ">")]
    Above,
}

impl Op {
    /// Never for NaN.
    pub fn holds(self, score: f64, threshold: f64) -> bool {
        match self {
            Self::AtMost => score <= threshold,
            Self::Below => score < threshold,
            Self::AtLeast => score >= threshold,
            Self::Above => score > threshold,
        }
    }
}

/// One test of one column.
pub struct Test {
    /// As a configuration names it: `ks`.
    pub name: &'static str,
    /// As Evidently shows it: `K-S p_value`.
    pub title: &'static str,
    /// The columns that it may be asked for by name.
    pub kinds: &'static [Kind],
    pub threshold: f64,
    pub op: Op,
    pub score: ScoreKind,
    /// `seed` is for those that draw. A column with one value on both sides is never asked about.
    pub run: fn(pair: &Pair, seed: u64) -> Result<Outcome, Undefined>,
}

/// What a test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// What is held against the threshold; never NaN.
    pub score: f64,
    /// What the score was computed from, where that is another number: D of Kolmogorov and Smirnov, X².
    pub statistic: Option<f64>,
}

/// Why a test has no score for this column, for people: `fewer than five rows on one side`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undefined(pub String);
