//! Metrics, their intervals, slices, and the paired comparison with production. Pure.

mod bootstrap;
mod compare;
mod decide;
mod digits;
mod estimate;
mod few;
mod folds;
mod forecast;
mod influence;
mod measure;
mod metrics;
mod noise;
mod plots;
mod prevalence;
mod repeats;
mod result;
mod rows;
mod scores;
mod secondary;
mod slices;

pub use compare::{ALPHA, CompareRule, FewRows, MIN_ROWS, Ordered, compare};
pub use decide::{Decision, Evidence, WORN, alpha_of_use, decide, verdict};
pub use digits::{format_number, format_pair};
pub use folds::{FiveByTwo, FoldScores, compare_folds, five_by_two};
pub use measure::{Together, evaluate, evaluate_slices};
pub use metrics::{METRICS, MetricKind, default_metrics, metric, metrics_for};
pub use noise::{Noise, noise_floor};
pub use plots::{baseline, plots};
pub use prevalence::{ClassCounts, class_counts, prevalence_shift};
pub use repeats::compare_repeats;
pub use result::{
    Comparison, ConfusionMatrix, CurvePoint, Margin, MetricResult, Plots, Predictions, Secondary, SliceComparison,
    SliceResult, SliceRule, SliceStatus, Truth,
};
pub use secondary::NAMES as SECONDARY_TESTS;
pub use slices::{SliceColumn, compare_slices, slices};

#[cfg(test)]
mod tests;
