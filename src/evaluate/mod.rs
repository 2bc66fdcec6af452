//! Metrics, their intervals, slices, and the paired comparison with production. Pure.

mod bootstrap;
mod compare;
mod digits;
mod influence;
mod measure;
mod metrics;
mod plots;
mod result;
mod rows;
mod scores;
mod slices;

pub use compare::{CompareRule, MIN_ROWS, compare, verdict};
pub use digits::{format_number, format_pair};
pub use measure::{evaluate, evaluate_slices};
pub use metrics::{METRICS, MetricKind, default_metrics, metric, metrics_for};
pub use plots::{baseline, plots};
pub use result::{
    Comparison, ConfusionMatrix, CurvePoint, Margin, MetricResult, Plots, Predictions, SliceComparison, SliceResult,
    SliceRule, SliceStatus, Truth,
};
pub use slices::{SliceColumn, compare_slices, slices};

#[cfg(test)]
mod tests;
