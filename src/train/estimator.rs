//! What an estimator is: checked parameters that can fit a matrix. The table of them is the family.

use std::fmt::Debug;

use ndarray::{Array1, Array2};

use crate::base::{Kind, Task};

/// A fitted model's numbers, ready for an estimator: no NaN, no text.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// n × p, preprocessed.
    pub x: Array2<f64>,
    pub y: Target,
}

#[derive(Debug, Clone)]
pub enum Target {
    Numbers(Array1<f64>),
    /// Codes into `n_classes` classes.
    Classes {
        codes: Vec<u32>,
        n_classes: usize,
    },
}

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("`{estimator}` can not do {}", task.name())]
    WrongTask { estimator: &'static str, task: Task },
    #[error("{0}")]
    Data(String),
    #[error("`{estimator}` did not converge: {why}")]
    NotConverged { estimator: &'static str, why: String },
}

/// An estimator whose parameters are checked. Named and scaled as in scikit-learn.
pub trait Estimator: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn tasks(&self) -> &'static [Task];
    /// Parameter → value as it will be used, defaults included, in the order of the reference.
    fn params(&self) -> Vec<(&'static str, String)>;
}

/// Every built-in estimator.
pub const ESTIMATORS: &[Kind<dyn Estimator>] = &[];
