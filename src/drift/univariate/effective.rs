//! Rows that follow one another in time are worth fewer: the tests with an effective number of rows. Pure.

use super::mann_whitney;
use crate::drift::pair::Numbers;
use crate::stats::{normal_quantile, normal_sf};

/// The greatest autocorrelation that is believed.
const MAX_CORRELATION: f64 = 0.99;

/// n (1 − ρ) / (1 + ρ) with the autocorrelation ρ of the values in the order of time at lag 1, between 0 and 0.99.
///
/// At least 2. NaN stands for a missing value and takes no part; with fewer than three values nothing is known of ρ.
/// Source: the variance of the mean of an autoregressive process of first order.
pub fn rows(ordered: &[f64]) -> f64 {
    let known: Vec<f64> = ordered.iter().copied().filter(|value| value.is_finite()).collect();
    let n = known.len() as f64;
    if known.len() < 3 {
        return n.max(2.0);
    }
    let largest = known
        .iter()
        .fold(0.0_f64, |most, value| most.max(value.abs()))
        .max(f64::MIN_POSITIVE);
    let scaled: Vec<f64> = known.iter().map(|value| value / largest).collect();
    let center = crate::stats::mean(&scaled);
    let spread: f64 = scaled.iter().map(|value| (value - center).powi(2)).sum();
    if spread <= 0.0 {
        return n;
    }
    let along: f64 = scaled
        .windows(2)
        .map(|pair| (pair[0] - center) * (pair[1] - center))
        .sum();
    let correlation = (along / spread).clamp(0.0, MAX_CORRELATION);
    (n * (1.0 - correlation) / (1.0 + correlation)).max(2.0)
}

/// Mann and Whitney's two-sided p-value, with the standard error of fewer rows.
pub fn mann_whitney(numbers: &Numbers, effective: [f64; 2]) -> f64 {
    let shared = |[first, second]: [f64; 2]| first * second / (first + second);
    let rows = numbers.moments.map(|moments| moments.n as f64);
    let deviation = -normal_quantile(mann_whitney::location_p(numbers) / 2.0);
    let shrink = (shared(effective) / shared(rows)).min(1.0).sqrt();
    (2.0 * normal_sf(deviation.max(0.0) * shrink)).min(1.0)
}
