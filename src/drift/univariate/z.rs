//! The Z-test of one share, as Evidently uses it for two categories. Pure.

use std::f64::consts::FRAC_1_SQRT_2;

use crate::drift::pair::Pair;

use super::categories::Counts;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "z",
    title: "Z-test p_value",
    kinds: &[Kind::Cat],
    threshold: 0.05,
    op: Op::Below,
    score: ScoreKind::PValue,
    run: |pair, _| run(pair),
};

/// Two-sided test that the share of values other than the first category is the same: z = (p₁ − p₂)/√(P(1 − P)(1/n + 1/m))
/// with the pooled share P, p = erfc(|z|/√2).
///
/// The first category is the least number or the first text in byte order; all others count as one. The score is p in
/// [0, 1], the statistic z.
///
/// # Errors
/// Fewer than two categories.
///
/// Source: Agresti, *Categorical Data Analysis* (2013), §3.1. Oracle: Evidently 0.7.23.
pub fn run(pair: &Pair) -> Result<Outcome, Undefined> {
    let counts = Counts::of(pair);
    let Some([reference, current]) = counts.each().next().filter(|_| counts.k() > 1) else {
        return Err(Undefined("a single category".to_owned()));
    };
    let (n, m) = (counts.n as f64, counts.m as f64);
    let (p1, p2) = ((counts.n - reference) as f64 / n, (counts.m - current) as f64 / m);
    let pooled = (p1 * n + p2 * m) / (n + m);
    let z = (p1 - p2) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    Ok(Outcome {
        score: libm::erfc(z.abs() * FRAC_1_SQRT_2),
        statistic: Some(z),
    })
}

#[cfg(test)]
mod tests {
    use super::super::categories::testing::pair;
    use super::*;

    #[test]
    fn agrees_with_evidently() {
        // anes96-age `vote`, edge-tiny `cat_vanished` and `int_as_cat` of the golden values.
        for (reference, current, p, z) in [
            (
                vec![180, 120],
                vec![165, 135],
                0.215_434_314_028_975_62,
                -1.238_760_208_523,
            ),
            (
                vec![0, 5],
                vec![5, 0],
                0.001_565_402_258_002_501_8,
                3.162_277_660_168_379,
            ),
            (
                vec![1, 2, 2],
                vec![0, 1, 4],
                0.291_840_545_143_788_65,
                -1.054_092_553_389_459_6,
            ),
        ] {
            let outcome = run(&pair(&reference, &current)).unwrap();
            assert!((outcome.score - p).abs() <= 1e-12, "{outcome:?}");
            assert!((outcome.statistic.unwrap() - z).abs() <= 1e-9, "{outcome:?}");
        }
    }

    #[test]
    fn sides_may_be_swapped_and_constants_differ() {
        let (a, b) = (vec![30, 12, 8], vec![11, 15, 9]);
        let (one, other) = (run(&pair(&a, &b)).unwrap(), run(&pair(&b, &a)).unwrap());
        assert!((one.score - other.score).abs() < 1e-15);
        assert!(run(&pair(&[60, 0], &[0, 40])).unwrap().score < 1e-20);
        assert!(run(&pair(&[0, 60], &[0, 40])).is_err());
    }
}
