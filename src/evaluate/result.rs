//! What evaluation and comparison say: plain values, saved with the facts.

use serde::{Deserialize, Serialize};

use crate::base::{Direction, Verdict};

/// What was right, one entry a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    Numbers(Vec<f64>),
    /// `codes[row]` indexes `labels`, which are sorted; with two labels the second is the positive class.
    Classes {
        codes: Vec<u32>,
        labels: Vec<String>,
    },
}

/// What a model said, one entry a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    Numbers(Vec<f64>),
    /// `codes[row]` indexes `labels`; `probabilities` is row-major, n × number of labels, each row summing to 1.
    Classes {
        codes: Vec<u32>,
        labels: Vec<String>,
        probabilities: Vec<f64>,
    },
}

/// One metric on the held-out rows. A value that is undefined there (AUC with one class) is `None`, never NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    pub name: String,
    pub direction: Direction,
    pub value: Option<f64>,
    /// 95 % interval by bootstrap over rows.
    pub interval: Option<[f64; 2]>,
    /// Why there is no value, or what to know about it.
    pub note: Option<String>,
}

/// How to cut one column into slices.
#[derive(Debug, Clone, PartialEq)]
pub enum SliceRule {
    /// A slice for every value.
    Values { column: String },
    /// A slice for every half-open bin `[edges[i], edges[i + 1])`; the last one includes its upper edge.
    Bins { column: String, edges: Vec<f64> },
}

/// The metrics of one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceResult {
    /// `sex=1`, `age=[40,60)`.
    pub slice: String,
    pub n_rows: usize,
    /// Empty when there are fewer rows than the minimum.
    pub metrics: Vec<MetricResult>,
}

/// How much worse is still the same: δ = max(absolute, relative · |champion|), so that naming both allows the greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    pub relative: Option<f64>,
    pub absolute: Option<f64>,
}

/// Champion against challenger on one metric, over the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub metric: String,
    pub direction: Direction,
    pub champion: Option<f64>,
    pub challenger: Option<f64>,
    /// `challenger - champion` in the metric's unit.
    pub difference: Option<f64>,
    /// Two-sided interval of `difference` at 1 − `alpha`.
    pub difference_interval: Option<[f64; 2]>,
    /// `difference` turned so that positive is good; for Agresti–Min the adjusted estimate.
    pub gain: Option<f64>,
    /// One-sided bounds of the gain at 1 − `alpha`.
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    /// The margin that was applied, in the metric's unit.
    pub margin: f64,
    /// `paired t`, `Agresti–Min`, `DeLong`, `influence function, t`, `BCa bootstrap`; also over groups or in time,
    /// `corrected resampled t` for folds, and with the number of seeds for repeats.
    pub method: String,
    pub n_rows: usize,
    pub verdict: Verdict,
    /// Rows that would decide an inconclusive comparison with power 0.8, where that can be said.
    pub rows_needed: Option<u64>,
    /// Why it is inconclusive, when the numbers alone do not say it.
    pub note: Option<String>,
    /// The chance of a wrong "better", and of a wrong "not worse", that the bounds are for.
    #[serde(default = "usual_alpha")]
    pub alpha: f64,
    /// Other tests of the same difference, for those who ask; the verdict does not rest on them.
    #[serde(default)]
    pub secondary: Vec<Secondary>,
}

fn usual_alpha() -> f64 {
    super::compare::ALPHA
}

/// What another test says about a difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Secondary {
    /// `paired t`, `Wilcoxon signed-rank`, `exact McNemar`, `mid-p McNemar`, `DeLong`, `influence function, t`,
    /// `Diebold–Mariano`, `corrected resampled t`.
    pub name: String,
    /// Two-sided, in [0, 1].
    pub p: f64,
    /// Of "the challenger is better", where the test says it; in [0, 1].
    #[serde(default)]
    pub p_better: Option<f64>,
    /// Positive where the challenger is better; of Wilcoxon the sum of the ranks in its favor, of `McNemar` the rows that it
    /// alone has right.
    #[serde(default)]
    pub statistic: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceStatus {
    Ok,
    Regression,
    TooFewRows,
}

/// Champion against challenger within one slice, on the mean loss of the task (absolute error, or being wrong).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceComparison {
    pub slice: String,
    pub n_rows: usize,
    pub champion: Option<f64>,
    pub challenger: Option<f64>,
    pub gain: Option<f64>,
    /// One-sided p-value of "worse than the margin allows", and the same after Holm over all slices.
    pub p_worse: Option<f64>,
    pub p_adjusted: Option<f64>,
    pub status: SliceStatus,
}

/// Picture data, thinned for people: a renderer only draws it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plots {
    /// Regression: (actual, predicted), at most 400 rows, evenly taken.
    pub predicted_actual: Vec<[f64; 2]>,
    /// Regression: histogram of `actual - predicted`: bin edges (n + 1) and counts (n).
    pub residual_edges: Vec<f64>,
    pub residual_counts: Vec<u64>,
    /// Binary: x = false positive rate, y = true positive rate; at most 100 points.
    pub roc: Vec<CurvePoint>,
    /// Binary: x = recall, y = precision; at most 100 points.
    pub precision_recall: Vec<CurvePoint>,
    pub confusion: Option<ConfusionMatrix>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    pub x: f64,
    pub y: f64,
}

/// `counts[actual][predicted]`; at most 20 labels, the rest folded into the last, named `other`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    pub labels: Vec<String>,
    pub counts: Vec<Vec<u64>>,
}
