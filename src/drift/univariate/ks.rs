//! Kolmogorov and Smirnov: the greatest difference of the two distribution functions. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};
use crate::stats::kolmogorov;

pub const ROW: Test = Test {
    name: "ks",
    title: "K-S p_value",
    kinds: &[Kind::Num],
    threshold: 0.05,
    op: Op::AtMost,
    score: ScoreKind::PValue,
    run,
};

fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let numbers = numbers(pair)?;
    let d = statistic(numbers);
    let [n, m] = pair.n();
    Ok(Outcome {
        score: kolmogorov::two_sample(n, m, d),
        statistic: Some(d),
    })
}

/// D, the greatest difference without sign of the two distribution functions, in [0, 1]. Time O(distinct values).
///
/// The p-value of n and m rows is [`kolmogorov::two_sample`], of rows that resemble their neighbors
/// [`kolmogorov::effective`]. Oracle: scipy `ks_2samp`, `fixtures/drift`.
pub fn statistic(numbers: &Numbers) -> f64 {
    let [n, m] = numbers.moments.map(|moments| i128::from(moments.n));
    let (mut difference, mut most) = (0_i128, 0);
    for (reference, current) in numbers.reference.iter().zip(&numbers.current) {
        difference += i128::from(*reference) * m - i128::from(*current) * n;
        most = most.max(difference.abs());
    }
    most as f64 / (n * m) as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::sides;
    use super::*;

    #[test]
    fn small_samples() {
        // scipy 1.17.1 `ks_2samp`.
        let pair = sides(&[1.0, 2.0, 3.0, 4.0], &[3.0, 3.5, 5.0]);
        let found = run(&pair, 0).unwrap();
        assert!((found.statistic.unwrap() - 0.5).abs() < 1e-15);
        assert!((found.score - 0.657_142_857_142_857_1).abs() < 1e-14, "{found:?}");
        let same = sides(&[1.0, 2.0, 2.0], &[2.0, 1.0, 2.0]);
        assert!(run(&same, 0).unwrap().score >= 1.0);
    }
}
