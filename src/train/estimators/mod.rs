//! One file an estimator: its parameters, how they are checked, how it is fitted.

pub mod elastic_net;
pub mod lasso;
pub mod linear;
pub mod logistic;
mod newton;
mod params;
pub mod random_forest;
pub mod ridge;
