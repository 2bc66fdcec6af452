//! The total variation distance of categories, with a p-value by permutation. Pure.

use crate::drift::pair::Pair;
use crate::stats::Rng;

use super::categories::Counts;
use super::urn::Urn;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "TVD",
    title: "Total-Variation-Distance",
    kinds: &[Kind::Cat],
    threshold: 0.1,
    op: Op::Below,
    score: ScoreKind::PValue,
    run,
};

const N_DRAWS: f64 = 9999.0;
/// What drawing may take; with hundreds of categories fewer tables are drawn, at least `LEAST`.
const NANOSECONDS: f64 = 250e6;
const LEAST: f64 = 499.0;

/// T = ½Σ|R/n − C/m| in [0, 1] is the statistic. The score is the share of permutations of the sides with a distance of
/// at least T: p = (1 + hits)/(B + 1), B = 9,999, fewer with hundreds of categories, so that time is bounded.
///
/// Distances that differ by less than 1e-12 are ties and count as hits, which Evidently loses to rounding. `seed`
/// determines the permutations.
///
/// # Errors
/// A side without rows.
///
/// Source: Phipson and Smyth, *Permutation p-values should never be zero* (2010). Oracle: 20,000 permutations of numpy.
pub fn run(pair: &Pair, seed: u64) -> Result<Outcome, Undefined> {
    let counts = Counts::of(pair);
    if counts.n == 0 || counts.m == 0 {
        return Err(Undefined("no rows on one side".to_owned()));
    }
    let mut table: Vec<[u64; 2]> = counts.each().collect();
    table.sort_unstable_by_key(|[a, b]| (a + b, *a));
    let totals: Vec<u64> = table.iter().map(|[a, b]| a + b).collect();
    // C = t − R, so with both margins held R alone tells: ½Σ|R(1/n + 1/m) − t/m|.
    let (n, m) = (counts.n as f64, counts.m as f64);
    let shares: Vec<f64> = totals.iter().map(|total| *total as f64 / m).collect();
    let per_row = 1.0 / n + 1.0 / m;
    let distance = |reference: &[u64]| -> f64 {
        let each = reference.iter().zip(&shares);
        0.5 * each
            .map(|(count, share)| (*count as f64 * per_row - share).abs())
            .sum::<f64>()
    };
    let observed: Vec<u64> = table.iter().map(|[a, _]| *a).collect();
    let statistic = distance(&observed);

    let urn = Urn::new(totals, counts.n);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between the two bounds"
    )]
    let n_draws = (NANOSECONDS / (urn.cost() + 2.0 * shares.len() as f64)).clamp(LEAST, N_DRAWS) as usize;
    let mut hits = 0_usize;
    urn.deal(n_draws, &mut Rng::derive(seed, "total variation"), |counts| {
        hits += usize::from(distance(counts) >= statistic - 1e-12);
    });
    Ok(Outcome {
        score: (1 + hits) as f64 / (n_draws + 1) as f64,
        statistic: Some(statistic.min(1.0)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::categories::testing::pair;
    use super::*;

    #[test]
    fn agrees_with_permutations_of_numpy() {
        // edge-tiny `cat_case`, `cat_vanished`, `bool_col` and edge-mixed `cat_unseen` of the golden values.
        for (reference, current, t, p) in [
            (vec![3, 0, 2], vec![0, 3, 2], 0.6, 0.283_45),
            (vec![0, 5], vec![5, 0], 1.0, 0.0079),
            (vec![3, 2], vec![2, 3], 0.2, 1.0),
            (vec![60, 0], vec![35, 5], 0.125, 0.009_35),
        ] {
            let outcome = run(&pair(&reference, &current), 0).unwrap();
            assert!((outcome.statistic.unwrap() - t).abs() < 1e-15, "{outcome:?}");
            assert!((outcome.score - p).abs() < 0.015, "{outcome:?}");
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        let (a, b) = (vec![20, 31, 9, 4], vec![14, 30, 16, 9]);
        let first = run(&pair(&a, &b), 7).unwrap();
        assert_eq!(first, run(&pair(&a, &b), 7).unwrap());
        let other = run(&pair(&a, &b), 8).unwrap();
        assert!((first.score - other.score).abs() < 0.03);
        assert!(run(&pair(&[4, 5], &[0, 0]), 0).is_err());
    }
}
