//! Fisher's exact test of two categories. Pure.

use crate::drift::pair::Pair;
use crate::stats::fisher_exact;

use super::categories::Counts;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "fisher_exact",
    title: "Fisher's Exact test",
    kinds: &[Kind::Cat],
    threshold: 0.1,
    op: Op::Below,
    score: ScoreKind::PValue,
    run: |pair, _| run(pair),
};

/// The two-sided p-value of [`fisher_exact`] for the two categories that both sides have together, whatever the numbers of
/// rows (Evidently wants equally many, which the test does not).
///
/// # Errors
/// Other than two categories over both sides: with three, Evidently's result depends on the order of a hash.
pub fn run(pair: &Pair) -> Result<Outcome, Undefined> {
    let counts = Counts::of(pair);
    let each: Vec<[u64; 2]> = counts.each().take(3).collect();
    let [[r0, c0], [r1, c1]] = each[..] else {
        return Err(Undefined("it needs exactly two categories over both sides".to_owned()));
    };
    Ok(Outcome {
        score: fisher_exact([[c1, c0], [r1, r0]]),
        statistic: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::categories::testing::pair;
    use super::*;

    #[test]
    fn two_categories_are_tested_and_three_are_not() {
        // edge-mixed `cat_unseen` of the golden values.
        let p = run(&pair(&[60, 0], &[35, 5])).unwrap().score;
        assert!((p - 0.008_739_934_586_768_163).abs() < 1e-14);
        assert_eq!(
            run(&pair(&[0, 60, 0], &[0, 35, 5])).unwrap().score.to_bits(),
            p.to_bits()
        );
        for [reference, current] in [[[3, 2, 0], [0, 2, 3]], [[5, 0, 0], [5, 0, 0]]] {
            assert!(run(&pair(&reference, &current)).is_err());
        }
    }
}
