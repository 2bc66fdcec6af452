//! The G-test, a likelihood ratio of categories. Pure.

use crate::drift::pair::Pair;
use crate::stats::chi2_sf;

use super::categories::Counts;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "g_test",
    title: "g_test",
    kinds: &[Kind::Cat],
    threshold: 0.1,
    op: Op::Below,
    score: ScoreKind::PValue,
    run: |pair, _| run(pair),
};

/// With equally many rows on both sides, as Evidently: goodness of fit to the reference's counts, G = 2Σ C·ln(C/R), where
/// a category that the reference does not have makes p 0. Otherwise, where Evidently fails, homogeneity of the 2 × K
/// table: G = 2Σ O·ln(O/E). In both cases p = Q(K − 1, G).
///
/// The score is p in [0, 1], the statistic is G ≥ 0.
///
/// # Errors
/// Fewer than two categories.
///
/// Source: Sokal and Rohlf, *Biometry* (1981), ch. 17. Oracle: `scipy.stats.power_divergence` and `chi2_contingency` with
/// `lambda_="log-likelihood"`.
pub fn run(pair: &Pair) -> Result<Outcome, Undefined> {
    let counts = Counts::of(pair);
    let k = counts.k();
    if k < 2 {
        return Err(Undefined("a single category".to_owned()));
    }
    let (n, m) = (counts.n as f64, counts.m as f64);
    let cell = |observed: u64, expected: f64| {
        let observed = observed as f64;
        if observed > 0.0 {
            observed * (observed / expected).ln()
        } else {
            0.0
        }
    };
    let half: f64 = if counts.n == counts.m {
        counts
            .each()
            .map(|[reference, current]| cell(current, reference as f64))
            .sum()
    } else {
        let both = |[a, b]: [u64; 2]| {
            let total = (a + b) as f64;
            cell(a, total * n / (n + m)) + cell(b, total * m / (n + m))
        };
        counts.each().map(both).sum()
    };
    let g = (2.0 * half).max(0.0);
    Ok(Outcome {
        score: if g.is_finite() { chi2_sf(g, (k - 1) as f64) } else { 0.0 },
        statistic: Some(g),
    })
}

#[cfg(test)]
mod tests {
    use super::super::categories::testing::pair;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // anes96-age `vote` (equally many rows) and edge-mixed `cat_unseen` of the golden values.
        for (reference, current, p) in [
            (vec![180, 120], vec![165, 135], 0.078_887_924_989_355_22),
            (vec![60, 0], vec![35, 5], 0.001_987_076_315_161_948),
        ] {
            let outcome = run(&pair(&reference, &current)).unwrap();
            assert!((outcome.score - p).abs() <= 1e-10 * p, "{outcome:?}");
        }
        assert!(run(&pair(&[4, 1], &[4, 1])).unwrap().score >= 1.0);
        assert!(run(&pair(&[5, 0], &[4, 1])).unwrap().score <= 0.0);
        assert!(run(&pair(&[5, 0], &[4, 0])).is_err());
    }
}
