//! Preprocessing and built-in estimators: rows in, a model out that is data only. Pure.

mod core;
mod estimator;
mod estimators;
mod forest;
mod grow;
mod model;
mod onnx;
mod preprocess;
mod solve;
mod target;
mod trainer;

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod samples;

pub use estimator::{ESTIMATORS, Estimator, FitError, estimators_for};
pub use model::{Model, SCHEMA as MODEL_SCHEMA, can_do, fit};
pub use preprocess::PredictError;
pub use target::{TargetError, truth};
pub use trainer::{OwnTrainer, Trainer, Work};
