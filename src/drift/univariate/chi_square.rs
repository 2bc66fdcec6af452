//! The χ² test that the current categories follow the reference's shares, as Evidently does it. Pure.

use crate::drift::pair::Pair;
use crate::stats::chi2_sf;

use super::categories::Counts;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "chisquare",
    title: "chi-square p_value",
    kinds: &[Kind::Cat],
    threshold: 0.05,
    op: Op::Below,
    score: ScoreKind::PValue,
    run: |pair, _| run(pair),
};

/// Goodness of fit with the reference's shares as the known law: e = R·m/n, X² = Σ(C − e)²/e, p = Q(K − 1, X²).
///
/// The score is p in [0, 1]; the statistic is X². A category that the reference does not have makes X² infinite and p 0.
/// That the reference is a sample itself is left out of account, so with a small reference p is too small; the calibrated
/// mode asks for homogeneity instead.
///
/// # Errors
/// Fewer than two categories.
///
/// Source: Pearson (1900). Oracle: `scipy.stats.chisquare` by way of Evidently 0.7.23.
pub fn run(pair: &Pair) -> Result<Outcome, Undefined> {
    let counts = Counts::of(pair);
    let k = counts.k();
    if k < 2 {
        return Err(Undefined("a single category".to_owned()));
    }
    let scale = counts.m as f64 / counts.n as f64;
    let term = |[reference, current]: [u64; 2]| {
        let expected = reference as f64 * scale;
        let off = current as f64 - expected;
        if reference == 0 {
            f64::INFINITY
        } else {
            off * off / expected
        }
    };
    let x2: f64 = counts.each().map(term).sum();
    let p = if x2.is_finite() {
        chi2_sf(x2, (k - 1) as f64)
    } else {
        0.0
    };
    Ok(Outcome {
        score: p,
        statistic: Some(x2),
    })
}

#[cfg(test)]
mod tests {
    use super::super::categories::testing::pair;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy.stats.chisquare([20, 30, 50], np.array([33, 33, 34]))
        let outcome = run(&pair(&[33, 33, 34], &[20, 30, 50])).unwrap();
        assert!((outcome.statistic.unwrap() - 12.923_351_158_645_275).abs() < 1e-12);
        assert!((outcome.score - 0.001_562_175_966_464_982_3).abs() < 1e-14);
    }

    #[test]
    fn a_new_category_is_drift_however_rare() {
        let outcome = run(&pair(&[500, 500, 0], &[500, 499, 1])).unwrap();
        assert!(outcome.score <= 0.0 && outcome.statistic == Some(f64::INFINITY));
    }

    #[test]
    fn shares_count_and_not_rows() {
        let outcome = run(&pair(&[10, 20, 30, 0], &[100, 200, 300, 0])).unwrap();
        assert!((outcome.score - 1.0).abs() < 1e-15);
        assert!(run(&pair(&[10, 0], &[7, 0])).is_err());
    }
}
