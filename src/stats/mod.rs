//! Distributions, ranks, resampling and a seeded generator. Pure.

mod descriptive;
mod distributions;
mod resample;
mod rng;

pub use descriptive::{holm, mean, midranks, quantile, quantile_of_sorted, sd};
pub use distributions::{binomial_cdf, normal_cdf, normal_quantile, normal_sf, t_cdf, t_quantile, t_sf};
pub use resample::{BcaInput, bca_bounds};
pub use rng::Rng;
