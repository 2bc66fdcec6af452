//! Wilcoxon's signed-rank test. Pure.

use super::distributions::normal_sf;
use super::midranks;

/// What the signs of ranked differences say. `better` is the p-value of "they are above 0", `two_sided` that of "not around
/// 0"; both in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// The sum of the ranks of the differences above 0, and of those below.
    pub positive: f64,
    pub negative: f64,
    pub two_sided: f64,
    pub better: f64,
    pub n_nonzero: usize,
    /// Whether the law of the statistic was counted out, not approximated by the normal.
    pub exact: bool,
}

/// Up to this many differences are counted out when all ranks are whole numbers and none is left out.
const EXACT: usize = 50;

/// Up to this many differences all choices of signs are counted out, tied ones and zeros included.
const EXACT_WITH_TIES: usize = 13;

/// The signed-rank test of paired `differences`, positive is good; zeros are left out. `None` when nothing is left, or when a
/// difference is NaN.
///
/// The exact law up to 50 differences without ties and zeros, and up to 13 with some, else the normal approximation with the
/// correction for ties and without one for continuity: the choices of scipy.
///
/// Source: Wilcoxon, *Individual comparisons by ranking methods* (1945). Oracle: scipy
/// `wilcoxon(zero_method="wilcox", correction=False, method="auto")`, `fixtures/compare`.
pub fn signed_rank(differences: &[f64]) -> Option<SignedRank> {
    if differences.iter().any(|d| d.is_nan()) {
        return None;
    }
    let nonzero: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if nonzero.is_empty() {
        return None;
    }
    let ranks = midranks(&nonzero.iter().map(|d| d.abs()).collect::<Vec<_>>());
    let above = nonzero.iter().zip(&ranks).filter(|(d, _)| **d > 0.0);
    let positive: f64 = above.map(|(_, rank)| rank).sum();
    let n = nonzero.len() as f64;
    let negative = 0.5 * n * (n + 1.0) - positive;
    let is_whole = nonzero.len() == differences.len() && !is_tied(&ranks);
    let exact = differences.len() <= if is_whole { EXACT } else { EXACT_WITH_TIES };
    let (at_least, at_most) = if exact {
        counted(&ranks, positive)
    } else {
        let z = (positive - 0.25 * n * (n + 1.0)) / spread(&ranks);
        (normal_sf(z), normal_sf(-z))
    };
    Some(SignedRank {
        positive,
        negative,
        two_sided: (2.0 * at_least.min(at_most)).min(1.0),
        better: at_least,
        n_nonzero: nonzero.len(),
        exact,
    })
}

fn is_tied(ranks: &[f64]) -> bool {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.windows(2).any(|pair| pair[0] >= pair[1])
}

/// The standard deviation of the sum of positive ranks: half of the root of their squares, ties included.
fn spread(ranks: &[f64]) -> f64 {
    0.5 * ranks.iter().map(|rank| rank * rank).sum::<f64>().sqrt()
}

/// P(W ≥ w) and P(W ≤ w) when every sign is a fair coin. Ranks are doubled, so that midranks are whole numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "twice the ranks of at most fifty values"
)]
fn counted(ranks: &[f64], positive: f64) -> (f64, f64) {
    let doubled: Vec<usize> = ranks.iter().map(|rank| (2.0 * rank) as usize).collect();
    let total: usize = doubled.iter().sum();
    let mut chance = vec![0.0; total + 1];
    chance[0] = 1.0;
    for rank in doubled {
        for sum in (0..=total).rev() {
            let with = if sum >= rank { chance[sum - rank] } else { 0.0 };
            chance[sum] = 0.5 * (chance[sum] + with);
        }
    }
    let at = (2.0 * positive) as usize;
    (chance[at..].iter().sum(), chance[..=at].iter().sum())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_differences_are_counted_out() {
        // scipy 1.17.1: wilcoxon(d, correction=False), and alternative="greater".
        let ours = signed_rank(&[1.0, -2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!((ours.positive, ours.negative, ours.exact), (13.0, 2.0, true));
        assert_eq!((ours.two_sided, ours.better), (0.1875, 0.09375));
        let tied = signed_rank(&[1.0, -1.0, 0.0, 2.0, 2.0]).unwrap();
        assert_eq!((tied.positive, tied.n_nonzero, tied.exact), (8.5, 4, true));
        assert_eq!((tied.two_sided, tied.better), (0.375, 0.1875));
    }

    #[test]
    fn nothing_to_rank_is_none() {
        assert!(signed_rank(&[]).is_none() && signed_rank(&[0.0, -0.0]).is_none());
        assert!(signed_rank(&[1.0, f64::NAN]).is_none());
        let one = signed_rank(&[1e-300]).unwrap();
        assert_eq!((one.two_sided, one.better), (1.0, 0.5));
    }

    #[test]
    fn the_normal_is_near_the_exact_law() {
        let differences: Vec<f64> = (1..=50_i32)
            .map(|i| f64::from(if i % 3 == 0 { -i } else { i }))
            .collect();
        let exact = signed_rank(&differences).unwrap();
        let mut more = differences.clone();
        more.push(0.0);
        let normal = signed_rank(&more).unwrap();
        assert!(exact.exact && !normal.exact);
        assert!((exact.better - normal.better).abs() < 1e-3, "{exact:?} {normal:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn turning_the_differences_turns_the_test(
            differences in prop::collection::vec(prop_oneof![(-4_i8..5).prop_map(f64::from), -1e300..1e300_f64], 0..70),
        ) {
            let turned: Vec<f64> = differences.iter().map(|d| -d).collect();
            match (signed_rank(&differences), signed_rank(&turned)) {
                (Some(one), Some(other)) => {
                    prop_assert!((one.two_sided - other.two_sided).abs() < 1e-12);
                    prop_assert_eq!(one.positive, other.negative);
                    prop_assert!(one.better + other.better >= 1.0 - 1e-12);
                    prop_assert!([one.two_sided, one.better].iter().all(|p| (0.0..=1.0).contains(p)));
                }
                (one, other) => prop_assert!(one.is_none() && other.is_none()),
            }
        }
    }
}
