//! Mann and Whitney: whether values of one side tend to be above those of the other. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};
use crate::stats::normal_sf;

pub const ROW: Test = Test {
    name: "mannw",
    title: "Mann-Whitney U-rank test",
    kinds: &[Kind::Num],
    threshold: 0.05,
    op: Op::Below,
    score: ScoreKind::PValue,
    run,
};

/// Beyond this many pairs of rows the exact law is not counted out.
const MAX_PAIRS: u64 = 4_000_000;

/// One-sided, as Evidently asks: small when the current values are the higher ones, near 1 when they are the lower.
fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let ranks = Ranks::of(numbers(pair)?);
    Ok(Outcome {
        score: ranks.upper_tail(ranks.pairs_twice() - ranks.above_twice).min(1.0),
        statistic: Some(ranks.above_twice as f64 / 2.0),
    })
}

/// The p-value of both directions, in [0, 1]; 1 when all values are the same. Time O(distinct values).
///
/// Exact without ties when a side has at most eight rows, otherwise by the normal approximation with corrections for
/// ties and for continuity. Source and oracle: scipy `mannwhitneyu`, `fixtures/drift`.
pub fn two_sided_p(numbers: &Numbers) -> f64 {
    let ranks = Ranks::of(numbers);
    let most = ranks.above_twice.max(ranks.pairs_twice() - ranks.above_twice);
    (2.0 * ranks.upper_tail(most)).min(1.0)
}

/// What the test makes of two columns.
struct Ranks {
    n: u64,
    m: u64,
    /// Twice the number of pairs of rows in which the reference has the higher value; a tie counts as one half.
    above_twice: u128,
    /// The sum of t³ − t over every group of t equal values.
    ties: f64,
}

impl Ranks {
    fn of(numbers: &Numbers) -> Self {
        let [n, m] = numbers.moments.map(|moments| moments.n);
        let (mut below, mut above_twice, mut ties) = (0_u64, 0_u128, 0.0);
        for (reference, current) in numbers.reference.iter().zip(&numbers.current) {
            above_twice += u128::from(*reference) * u128::from(2 * below + current);
            below += current;
            let group = reference + current;
            if group > 1 {
                let group = group as f64;
                ties += group * (group * group - 1.0);
            }
        }
        Self {
            n,
            m,
            above_twice,
            ties,
        }
    }

    fn pairs_twice(&self) -> u128 {
        2 * u128::from(self.n) * u128::from(self.m)
    }

    /// P(U ≥ u) for `u_twice` = 2u.
    fn upper_tail(&self, u_twice: u128) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        let is_small = self.n.min(self.m) <= 8 && self.n.saturating_mul(self.m) <= MAX_PAIRS;
        if is_small && self.ties <= 0.0 {
            return exact_upper_tail(self.n.min(self.m), self.n.max(self.m), u_twice / 2);
        }
        let all = n + m;
        let variance = n * m / 12.0 * ((all + 1.0) - self.ties / (all * (all - 1.0)));
        // Half the difference from the middle as whole numbers, so that large samples lose no digits.
        let twice = i128::try_from(u_twice).unwrap_or(i128::MAX) - i128::try_from(self.pairs_twice() / 2).unwrap_or(0);
        // Rounding may leave a variance just below 0 where all values are the same.
        normal_sf((twice as f64 / 2.0 - 0.5) / variance.max(0.0).sqrt())
    }
}

/// P(U ≥ u) without ties: how many of the orders of `few` and `many` rows have it, by the coefficients of the Gaussian
/// binomial. Only the lower half of them is summed up, the other half mirrors it. Time O(few² · many).
fn exact_upper_tail(few: u64, many: u64, u: u128) -> f64 {
    let index = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let (few, many) = (index(few), index(many));
    let mut counts = vec![0.0; few * many + 1];
    counts[0] = 1.0;
    for i in 1..=few {
        let degree = i * many;
        let (shift, half) = (many + i, degree / 2);
        for k in (shift..=half).rev() {
            counts[k] -= counts[k - shift];
        }
        for k in i..=half {
            counts[k] += counts[k - i];
        }
        for k in half + 1..=degree {
            counts[k] = counts[degree - k];
        }
    }
    let all: f64 = counts.iter().sum();
    let u = usize::try_from(u).unwrap_or(usize::MAX).min(counts.len());
    // The smaller of the two sums keeps its digits.
    if u > counts.len() / 2 {
        counts[u..].iter().rev().sum::<f64>() / all
    } else {
        1.0 - counts[..u].iter().sum::<f64>() / all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{merged, sides};
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `mannwhitneyu`: exact, and with ties.
        let (a, b) = ([3.0, 1.0, 4.0, 4.5], [2.0, 7.0, 1.5, 5.0, 6.0]);
        let found = run(&sides(&a, &b), 0).unwrap();
        assert!((found.statistic.unwrap() - 6.0).abs() < 1e-15, "{found:?}");
        assert!((found.score - 0.206_349_206_349_206_34).abs() < 1e-15, "{found:?}");
        assert!((two_sided_p(&merged(&a, &b)) - 0.412_698_412_698_412_7).abs() < 1e-15);
        let ties = merged(&[3.0, 1.0, 4.0, 4.0], &[2.0, 7.0, 4.0, 5.0, 6.0]);
        assert!((two_sided_p(&ties) - 0.170_608_744_850_831_55).abs() < 1e-14);
        let (few, many) = ([500.5, 900.5, 990.5], (0..1000).map(f64::from).collect::<Vec<_>>());
        assert!((two_sided_p(&merged(&few, &many)) / 0.075_392_586_708_937_09 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_value_is_no_difference() {
        assert!(two_sided_p(&merged(&[2.0; 9], &[2.0; 9])) >= 1.0);
        assert!(run(&sides(&[2.0], &[2.0]), 0).unwrap().score >= 1.0);
    }

    proptest! {
        #[test]
        fn exact_and_normal_are_alike(a in prop::collection::hash_set(0..10_000_u32, 8), b in prop::collection::hash_set(10_000..20_000_u32, 40), shift in 0.0..10_000.0_f64) {
            let a: Vec<f64> = a.into_iter().map(|value| f64::from(value) + shift + 0.5).collect();
            let b: Vec<f64> = b.into_iter().map(f64::from).collect();
            let numbers = merged(&a, &b);
            let ranks = Ranks::of(&numbers);
            prop_assume!(ranks.ties <= 0.0);
            let exact = two_sided_p(&numbers);
            let most = ranks.above_twice.max(ranks.pairs_twice() - ranks.above_twice) as f64 / 2.0;
            let normal = (2.0 * normal_sf((most - 160.5) / (320.0 / 12.0 * 49.0_f64).sqrt())).min(1.0);
            prop_assert!((exact - normal).abs() < 0.02, "{} {}", exact, normal);
            prop_assert!((exact - two_sided_p(&merged(&b, &a))).abs() < 1e-12);
        }
    }
}
