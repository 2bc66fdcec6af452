//! Mann and Whitney: whether values of one side tend to be above those of the other. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};
use crate::stats::{chi2_sf, normal_sf};

pub const ROW: Test = Test {
    name: "mannw",
    title: "Mann-Whitney U-rank test",
    kinds: &[Kind::Num],
    threshold: 0.05,
    op: Op::Below,
    score: ScoreKind::PValue,
    run,
};

/// Below this skewness the normal law is near enough: at a p-value of 0.0001 it is then wrong by a twentieth.
const MIN_SKEWNESS: f64 = 0.005;
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

/// As [`two_sided_p`], and not below what a skewed law says.
///
/// Where most values are the same and the sides differ in size, the sum of ranks is skewed, as a Poisson law is: of 26
/// values that are not 0, among 500 rows and 20, six in the twenty have a chance of 0.0002, and 0.00000009 by the normal
/// law. The heavier tail is taken from Pearson's third type with the exact variance and skewness; without ties there is none.
///
/// Oracle: the hypergeometric law, in the tests.
pub fn location_p(numbers: &Numbers) -> f64 {
    let ranks = Ranks::of(numbers);
    let below_twice = ranks.pairs_twice() - ranks.above_twice;
    let most = ranks.above_twice.max(below_twice);
    let skewness = ranks.skewness();
    let skewness = if ranks.above_twice >= below_twice {
        skewness
    } else {
        -skewness
    };
    two_sided_p(numbers).max((2.0 * ranks.heavy_tail(most, skewness)).min(1.0))
}

/// What the test makes of two columns.
struct Ranks {
    n: u64,
    m: u64,
    /// Twice the number of pairs of rows in which the reference has the higher value; a tie counts as one half.
    above_twice: u128,
    /// The sum of t³ − t over every group of t equal values.
    ties: f64,
    /// The sum of the third powers of all ranks' differences from their mean; 0 without ties.
    cubes: f64,
}

impl Ranks {
    fn of(numbers: &Numbers) -> Self {
        let [n, m] = numbers.moments.map(|moments| moments.n);
        let (mut below, mut above_twice, mut ties) = (0_u64, 0_u128, 0.0);
        let (mut lower, mut cubes) = (0_u64, 0.0);
        for (reference, current) in numbers.reference.iter().zip(&numbers.current) {
            above_twice += u128::from(*reference) * u128::from(2 * below + current);
            below += current;
            let group = reference + current;
            // The middle rank of the group less that of all rows.
            let from_middle = lower as f64 + (group as f64 - (n + m) as f64) / 2.0;
            cubes += group as f64 * from_middle.powi(3);
            lower += group;
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
            cubes: if ties > 0.0 { cubes } else { 0.0 },
        }
    }

    fn pairs_twice(&self) -> u128 {
        2 * u128::from(self.n) * u128::from(self.m)
    }

    /// P(U ≥ u) for `u_twice` = 2u.
    fn upper_tail(&self, u_twice: u128) -> f64 {
        let is_small = self.n.min(self.m) <= 8 && self.n.saturating_mul(self.m) <= MAX_PAIRS;
        if is_small && self.ties <= 0.0 {
            return exact_upper_tail(self.n.min(self.m), self.n.max(self.m), u_twice / 2);
        }
        normal_sf(self.excess(u_twice) / self.deviation())
    }

    /// How far `u_twice` = 2u is above the middle, with the correction for continuity.
    fn excess(&self, u_twice: u128) -> f64 {
        // Half the difference from the middle as whole numbers, so that large samples lose no digits.
        let twice = i128::try_from(u_twice).unwrap_or(i128::MAX) - i128::try_from(self.pairs_twice() / 2).unwrap_or(0);
        twice as f64 / 2.0 - 0.5
    }

    /// The standard deviation of U.
    fn deviation(&self) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        let all = n + m;
        let variance = n * m / 12.0 * ((all + 1.0) - self.ties / (all * (all - 1.0)));
        // Rounding may leave a variance just below 0 where all values are the same.
        variance.max(0.0).sqrt()
    }

    /// Of U, the reference above the current side, over all ways to draw the sides from these rows; 0 without ties.
    ///
    /// Exact: the third moment of a sum of ranks drawn without replacement. For two values it is that of the hypergeometric
    /// law, which is the oracle in the tests.
    fn skewness(&self) -> f64 {
        let (n, m) = (self.n as f64, self.m as f64);
        let (all, deviation) = (n + m, self.deviation());
        if all < 3.0 || deviation <= 0.0 {
            return 0.0;
        }
        n * m * (m - n) / (all * (all - 1.0) * (all - 2.0)) * self.cubes / deviation.powi(3)
    }

    /// P(U ≥ u) by a gamma law with the mean, variance and skewness of U; 0 where the normal law is near enough.
    fn heavy_tail(&self, u_twice: u128, skewness: f64) -> f64 {
        if skewness.is_nan() || skewness < MIN_SKEWNESS {
            return 0.0;
        }
        let shape = 4.0 / (skewness * skewness);
        let z = self.excess(u_twice) / self.deviation();
        chi2_sf(2.0 * (shape + z * shape.sqrt()), 2.0 * shape)
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
    fn a_rare_value_has_a_heavy_tail() {
        // scipy 1.17.1 `hypergeom.sf`: rows, ones of both sides, ones of the current side, the chance of at least as many.
        for (rows, ones, found, chance) in [
            ([500, 20], 26, 6, 2.074_374_908_970_676e-4),
            ([2000, 100], 42, 9, 1.054_945_924_032_075_7e-4),
            ([1000, 60], 40, 9, 2.233_179_681_274_115_7e-4),
        ] {
            let side = |rows: usize, ones: usize| [vec![0.0; rows - ones], vec![1.0; ones]].concat();
            let (reference, current) = (side(rows[0], ones - found), side(rows[1], found));
            let p = location_p(&merged(&reference, &current));
            assert!((0.8..1.25).contains(&(p / 2.0 / chance)), "{rows:?}: {p}");
            let turned = location_p(&merged(&current, &reference));
            assert!((turned / p - 1.0).abs() < 1e-9, "{rows:?}: {turned}");
            // The shorter tail keeps the normal law.
            let none = merged(&side(rows[0], ones), &side(rows[1], 0));
            assert!((location_p(&none) - two_sided_p(&none)).abs() < 1e-15);
        }
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
