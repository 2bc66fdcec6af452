//! Distributions, ranks, resampling and a seeded generator. Pure.

mod adjust;
mod binomial;
mod descriptive;
mod distributions;
mod fisher;
pub mod kolmogorov;
mod resample;
mod rng;
mod signed_rank;

pub use adjust::{ADJUSTMENTS, Adjust, benjamini_hochberg, holm};
pub use binomial::{mcnemar, wilson};
pub use descriptive::{mean, midranks, quantile_of_sorted, sd};
pub use distributions::{chi2_sf, normal_cdf, normal_quantile, normal_sf, t_cdf, t_quantile, t_sf};
pub use fisher::fisher_exact;
pub use resample::{BcaInput, bca_bounds};
pub use rng::Rng;
pub use signed_rank::signed_rank;
