//! How good a model is on rows whose truth is not known yet. Pure.
//!
//! Both estimates hold while the truth still depends on the features as it did in the reference: a change of the
//! features they see, a change of that dependence they can not.

mod calibrate;
mod cbpe;
mod dle;
mod estimated;
mod many;

use serde::{Deserialize, Serialize};

pub use cbpe::{Expected, Labelled, cbpe};
pub use dle::{DleInput, dle};
pub use estimated::{
    Estimated, EstimatedMetric, MIN_ROWS, Method, THRESHOLD, estimate_classes, estimate_many, estimate_numbers,
};
pub use many::Answers;

use crate::stats::normal_quantile;

/// An estimated metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// As `evaluate` names it.
    pub metric: String,
    pub value: f64,
    /// Of the difference between `value` and what the metric will turn out to be on these rows.
    pub standard_error: f64,
    /// In which the metric will be in 95 of 100 cases.
    pub lower: f64,
    pub upper: f64,
}

/// The quantile that 95 % intervals use.
fn z() -> f64 {
    normal_quantile(0.975)
}
