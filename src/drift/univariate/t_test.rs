//! Student's t: whether the means differ, if the spreads do not. Pure.

use super::super::pair::Pair;
use super::plain::{numbers, squares};
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};
use crate::stats::t_sf;

pub const ROW: Test = Test {
    name: "t_test",
    title: "t_test",
    kinds: &[Kind::Num],
    threshold: 0.05,
    op: Op::Below,
    score: ScoreKind::PValue,
    run,
};

/// Two-sided, with the pooled variance and n + m − 2 degrees of freedom.
///
/// Oracle: scipy `ttest_ind`, `fixtures/drift`; as there, t is infinite where both sides are constant, and 0 where
/// squares leave the range of numbers.
fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let numbers = numbers(pair)?;
    let [n, m] = numbers.moments.map(|moments| moments.n as f64);
    let df = n + m - 2.0;
    if df < 1.0 {
        return Err(Undefined("one row on both sides".to_owned()));
    }
    let variance = (squares(numbers, 0) + squares(numbers, 1)) / df;
    let t = (numbers.moments[0].mean - numbers.moments[1].mean) / (variance * (1.0 / n + 1.0 / m)).sqrt();
    if t.is_nan() {
        return Err(Undefined("all values are the same".to_owned()));
    }
    Ok(Outcome {
        score: (2.0 * t_sf(t.abs(), df)).min(1.0),
        statistic: t.is_finite().then_some(t),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::sides;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `ttest_ind`.
        let found = run(&sides(&[3.0, 1.0, 4.0, 4.0], &[2.0, 7.0, 1.0]), 0).unwrap();
        assert!(
            (found.statistic.unwrap() - -0.188_982_236_504_613_7).abs() < 1e-14,
            "{found:?}"
        );
        assert!((found.score - 0.857_538_288_984_183_8).abs() < 1e-13, "{found:?}");
    }

    #[test]
    fn constants() {
        assert!(run(&sides(&[1.0, 1.0], &[2.0, 2.0]), 0).unwrap().score <= 0.0);
        assert!(run(&sides(&[1.0, 1.0], &[1.0, 1.0]), 0).is_err());
        assert!(run(&sides(&[1.0], &[2.0]), 0).is_err());
        assert!(run(&sides(&[1e300, 2e300], &[5e300]), 0).unwrap().score >= 1.0);
    }
}
