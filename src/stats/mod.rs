//! Distributions, ranks, resampling and a seeded generator. Pure.

mod descriptive;
mod distributions;
mod resample;
mod rng;

pub use descriptive::{holm, mean, midranks, quantile_of_sorted, sd};
pub use distributions::{normal_cdf, normal_quantile, t_cdf, t_quantile};
pub use resample::{BcaInput, bca_bounds};
pub use rng::Rng;
