//! Metrics, their intervals, slices, and the paired comparison with production. Pure.

mod result;

pub use result::{
    Comparison, ConfusionMatrix, CurvePoint, Margin, MetricResult, Plots, Predictions, SliceComparison, SliceResult,
    SliceRule, SliceStatus, Truth,
};
