//! Preprocessing and built-in estimators: rows in, a model out that is data only. Pure.

mod estimator;

pub use estimator::{Dataset, ESTIMATORS, Estimator, FitError, Target};
