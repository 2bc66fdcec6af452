//! What an estimator is: checked parameters that can fit a matrix. The table of them is the family.

use std::fmt::Debug;

use ndarray::{Array1, Array2};

use crate::base::{Kind, Task};

use super::core::Core;
use super::estimators::{elastic_net, lasso, linear, logistic, random_forest, ridge};

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
    /// What is wrong with the target.
    #[error("{0}")]
    Target(String),
    /// What is wrong with the features or the rows.
    #[error("{0}")]
    Data(String),
    /// What this estimator can not do with so much data.
    #[error("{0}")]
    Size(String),
    #[error("`{estimator}` did not converge: {why}")]
    NotConverged { estimator: &'static str, why: String },
}

/// What fitting gives: the numbers of the model, and what its owner should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub core: Core,
    /// Parameters that had to be used otherwise than [`Estimator::params`] says, and how they were used.
    pub adjusted: Vec<(&'static str, String)>,
    pub notes: Vec<String>,
}

/// How the preprocessing prepares numbers for an estimator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// Mean 0 and standard deviation 1 on the training rows: penalties and gradients then weigh columns alike.
    Standardize,
    /// As they are: trees only compare.
    Keep,
}

/// An estimator whose parameters are checked. Named and scaled as in scikit-learn.
pub trait Estimator: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn tasks(&self) -> &'static [Task];
    /// Parameter → value as it will be used, defaults included, in the order of the reference.
    fn params(&self) -> Vec<(&'static str, String)>;
    fn scaling(&self) -> Scaling;

    /// Whether another seed may give another model.
    fn draws(&self) -> bool {
        false
    }

    /// Fits the training matrix: at least one row and one column, finite, of magnitudes up to
    /// [`MAX_MAGNITUDE`](super::preprocess::MAX_MAGNITUDE); two or more classes, each with a row.
    ///
    /// The same data and seed give the same bytes. The core has one output for a regression and for two classes
    /// (the second one's), and one output a class for more.
    fn fit(&self, data: &Dataset, seed: u64) -> Result<Fitted, FitError>;
}

/// The estimators that can do a task, by name.
pub fn estimators_for(task: Task) -> Vec<&'static str> {
    let can = |kind: &&Kind<dyn Estimator>| (kind.build)(None).is_ok_and(|built| built.tasks().contains(&task));
    ESTIMATORS.iter().filter(can).map(|kind| kind.name).collect()
}

/// Every built-in estimator.
pub const ESTIMATORS: &[Kind<dyn Estimator>] = &[
    linear::KIND,
    ridge::KIND,
    lasso::KIND,
    elastic_net::KIND,
    logistic::KIND,
    random_forest::KIND,
];
