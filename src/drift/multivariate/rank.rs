//! How often a value of one side is above one of the other. Pure.

use crate::stats::{midranks, normal_cdf};

/// Mann and Whitney's statistic of the current side against the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankSum {
    /// Pairs in which the current value is greater; equal ones count half.
    pub u: f64,
    /// What `u` is without a difference, and its variance then.
    pub expected: f64,
    pub variance: f64,
    /// P of at least this `u` without a difference; 1 where all values are equal.
    pub p_greater: f64,
}

/// Neither side is empty or has a NaN. No result is NaN.
///
/// Source: Mann and Whitney, *On a test of whether one of two random variables is stochastically larger than the other*
/// (1947): the normal law with the correction for ties and for continuity. Oracle: scipy's
/// `mannwhitneyu(method="asymptotic")`.
#[expect(clippy::float_cmp, reason = "a tie is exact equality")]
pub fn rank_sum(reference: &[f64], current: &[f64]) -> RankSum {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let all: Vec<f64> = current.iter().chain(reference).map(|x| x + 0.0).collect();
    let ranks = midranks(&all);
    let u = ranks[..current.len()].iter().sum::<f64>() - m * (m + 1.0) / 2.0;
    let mut sorted = all;
    sorted.sort_unstable_by(f64::total_cmp);
    let ties: f64 = sorted
        .chunk_by(|a, b| a == b)
        .map(|tied| tied.len() as f64)
        .map(|t| t * (t * t - 1.0))
        .sum();
    let total = n + m;
    let variance = (n * m / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)))).max(0.0);
    let expected = n * m / 2.0;
    RankSum {
        u,
        expected,
        variance,
        p_greater: upper_tail(u - expected, variance),
    }
}

/// P of a sum of ranks at least this far above what is expected, by the normal law.
pub fn upper_tail(excess: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        normal_cdf(-(excess - 0.5) / variance.sqrt())
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1: mannwhitneyu(current, reference, alternative="greater", method="asymptotic")
        let reference = [1.0, 2.0, 2.0, 3.5, 4.0, 0.5];
        let current = [2.0, 3.5, 5.0, 7.0, 2.5];
        let found = rank_sum(&reference, &current);
        assert!((found.u - SCIPY.0).abs() < 1e-12, "{found:?}");
        assert!((found.p_greater - SCIPY.1).abs() < 1e-14, "{found:?}");
    }

    const SCIPY: (f64, f64) = (23.5, 0.069_773_571_862_657_92);

    #[test]
    fn one_value_says_nothing() {
        assert!((rank_sum(&[3.0; 4], &[3.0; 9]).p_greater - 1.0).abs() < 1e-15);
        assert!((rank_sum(&[0.0], &[-0.0]).p_greater - 1.0).abs() < 1e-15);
    }
}
