//! Means, spreads, quantiles and ranks. Pure.

/// The arithmetic mean, in the unit of `values`. NaN when there are none; a NaN makes it NaN.
///
/// Source: scaled to the first value, so that a large common offset costs no digits. Oracle: numpy, in the tests.
pub fn mean(values: &[f64]) -> f64 {
    let Some(first) = values.first() else {
        return f64::NAN;
    };
    first + values.iter().map(|v| v - first).sum::<f64>() / values.len() as f64
}

/// The sample standard deviation (divisor n − 1), in the unit of `values`; ≥ 0. NaN with fewer than two values.
///
/// Source: two passes. Oracle: numpy `std(ddof=1)`, in the tests.
pub fn sd(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let center = mean(values);
    let squares: f64 = values.iter().map(|v| (v - center) * (v - center)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// As [`quantile`] for values that are in ascending order already.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "a position within the slice; equal neighbors need no interpolation"
)]
pub fn quantile_of_sorted(sorted: &[f64], level: f64) -> f64 {
    if sorted.is_empty() || level.is_nan() {
        return f64::NAN;
    }
    let position = level.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let share = position - below as f64;
    // Interpolating equal infinities would give NaN.
    if share == 0.0 || sorted[below] == sorted[above] {
        return sorted[below];
    }
    sorted[below] + share * (sorted[above] - sorted[below])
}

/// Ranks from 1; equal values share the mean of their ranks. `values` without NaN.
///
/// Oracle: scipy `rankdata`, in the tests.
#[expect(clippy::float_cmp, reason = "a tie is exact equality")]
pub fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let value = values[order[start]];
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == value {
            end += 1;
        }
        let rank = (start + 1 + end) as f64 / 2.0;
        for row in &order[start..end] {
            ranks[*row] = rank;
        }
        start = end;
    }
    ranks
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn agree_with_numpy_and_scipy() {
        // numpy 2.4.6, scipy 1.17.1 on the same list.
        let values = [2.5, -1.0, 2.5, 7.25, 0.125, 7.25, 2.5];
        assert_eq!(mean(&values), 3.017_857_142_857_143);
        assert!((sd(&values) - 3.192_135_984_393_074_6).abs() < 1e-14);
        assert_eq!(midranks(&values), [4.0, 1.0, 4.0, 6.5, 2.0, 6.5, 4.0]);
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        let values: Vec<f64> = [0.0, 1.0, 2.0, 4.0].iter().map(|v| v + 1e9).collect();
        assert_eq!(mean(&values), 1e9 + 1.75);
        assert!((sd(&values) - 1.707_825_127_659_933).abs() < 1e-15);
    }

    #[test]
    fn too_few_values_are_nan() {
        assert!(mean(&[]).is_nan() && sd(&[1.0]).is_nan());
    }
}
