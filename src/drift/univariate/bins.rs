//! Distances between shares of rows, in bins or categories. Pure.

use super::super::pair::{Numbers, Pair};
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

const fn row(name: &'static str, title: &'static str, run: fn(&Pair, u64) -> Result<Outcome, Undefined>) -> Test {
    Test {
        name,
        title,
        kinds: &[Kind::Num, Kind::Cat],
        threshold: 0.1,
        op: Op::AtLeast,
        score: ScoreKind::Distance,
        run,
    }
}

pub const PSI: Test = row("psi", "PSI", |pair, _| {
    distance(pair, |p, q| psi(&filled(p), &filled(q)))
});
pub const KL_DIV: Test = row("kl_div", "Kullback-Leibler divergence", |pair, _| {
    distance(pair, |p, q| {
        let (p, q) = (normed(&filled(p)), normed(&filled(q)));
        divergence(&p, &q).max(0.0)
    })
});
pub const JENSENSHANNON: Test = row("jensenshannon", "Jensen-Shannon distance", |pair, _| {
    distance(pair, jensen_shannon)
});
pub const HELLINGER: Test = row("hellinger", "Hellinger distance", |pair, _| {
    Ok(Outcome {
        score: hellinger(pair)?,
        statistic: None,
    })
});

/// From so many distinct values of the reference on every one is a bin no more.
const MOST_LEVELS: usize = 20;

fn distance(pair: &Pair, of: impl Fn(&[f64], &[f64]) -> f64) -> Result<Outcome, Undefined> {
    let [p, q] = shares(pair)?;
    Ok(Outcome {
        score: of(&p, &q),
        statistic: None,
    })
}

/// The population stability index Σ (p − q) ln(p/q), ≥ 0, 0 when equal. Shares must be positive: see [`filled`].
///
/// Source: Siddiqi, *Credit Risk Scorecards* (2006). Oracle: Evidently, `fixtures/drift`.
fn psi(p: &[f64], q: &[f64]) -> f64 {
    p.iter().zip(q).map(|(p, q)| (p - q) * (p / q).ln()).sum()
}

/// Kullback and Leibler's divergence of `q` from `p` in nats; 0 ln 0 is 0.
fn divergence(p: &[f64], q: &[f64]) -> f64 {
    let sides = p.iter().zip(q).filter(|(p, _)| **p > 0.0);
    sides.map(|(p, q)| p * (p / q).ln()).sum()
}

/// Jensen and Shannon's distance of shares or counts (each side is normed to sum 1): 0 when equal, √ln 2 = 0.83 when
/// nothing is shared.
///
/// Source: Endres and Schindelin, *A new metric for probability distributions* (2003), natural logarithm. Oracle: scipy
/// `jensenshannon`, `fixtures/drift`.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let (p, q) = (normed(p), normed(q));
    let middle: Vec<f64> = p.iter().zip(&q).map(|(p, q)| f64::midpoint(*p, *q)).collect();
    let sum = divergence(&p, &middle) + divergence(&q, &middle);
    (sum.max(0.0) / 2.0).sqrt()
}

/// Hellinger's distance √(1 − Σ√(pq)), 0 to 1. Bins of numbers are those of the distinct values, of which each counts
/// once; their shares are taken as densities, so that it is 1 or 0 where widths leave the range of numbers, as in numpy.
fn hellinger(pair: &Pair) -> Result<f64, Undefined> {
    let overlap: f64 = match pair {
        Pair::Categories(_) => {
            let [p, q] = shares(pair)?;
            p.iter().zip(&q).map(|(p, q)| (p * q).sqrt()).sum()
        }
        Pair::Numbers(numbers) => {
            let edges = sturges(numbers, numbers.values.len() as u64)?;
            let bins = edges.len() - 1;
            let width = (edges[bins] - edges[0]) / bins as f64;
            let [n, m] = pair.n().map(|n| n as f64);
            let counts = counts(numbers, &edges);
            let mut overlap = 0.0;
            for ((p, q), ends) in counts[0].iter().zip(&counts[1]).zip(edges.windows(2)) {
                // A density that is infinite times one that is 0 would be no number.
                if *p > 0 && *q > 0 {
                    let own = ends[1] - ends[0];
                    let densities = (*p as f64 / own / n) * (*q as f64 / own / m);
                    overlap += densities.sqrt() * width;
                }
            }
            overlap
        }
    };
    Ok((1.0 - overlap.clamp(0.0, 1.0)).sqrt())
}

/// Shares of the rows of both sides: in the categories, in every distinct number, or in Sturges' bins where the reference
/// has more than twenty distinct ones.
fn shares(pair: &Pair) -> Result<[Vec<f64>; 2], Undefined> {
    let n = pair.n();
    let of = |counts: &[u64], n: u64| counts.iter().map(|count| *count as f64 / n as f64).collect();
    Ok(match pair {
        Pair::Categories(categories) => [of(&categories.reference, n[0]), of(&categories.current, n[1])],
        Pair::Numbers(numbers) => {
            let levels = numbers.reference.iter().filter(|count| **count > 0).count();
            if levels > MOST_LEVELS {
                let counts = counts(numbers, &sturges(numbers, n[0] + n[1])?);
                [of(&counts[0], n[0]), of(&counts[1], n[1])]
            } else {
                [of(&numbers.reference, n[0]), of(&numbers.current, n[1])]
            }
        }
    })
}

/// Edges of bins of equal width over the values of both sides, as many as Sturges says for `n` values; whole numbers
/// are not cut finer than 1. At least two.
///
/// Source: numpy `histogram_bin_edges(…, "sturges")`, by the same arithmetic, so that a value at an edge is in the same
/// bin.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "about as many bins as the size has bits"
)]
fn sturges(numbers: &Numbers, n: u64) -> Result<Vec<f64>, Undefined> {
    let (Some(low), Some(high)) = (numbers.values.first(), numbers.values.last()) else {
        return Err(Undefined("there are no values".to_owned()));
    };
    let range = high - low;
    if !range.is_finite() {
        return Err(Undefined("the values are too far apart to be subtracted".to_owned()));
    }
    if range <= 0.0 {
        return Ok(vec![low - 0.5, high + 0.5]);
    }
    let mut width = range / ((n as f64).log2() + 1.0);
    if numbers.is_integer == [true, true] && width < 1.0 {
        width = 1.0;
    }
    // The smallest of all numbers divided is 0.
    let bins = if width > 0.0 { (range / width).ceil() as u32 } else { 1 };
    let step = range / f64::from(bins);
    let mut edges: Vec<f64> = (0..bins)
        .map(|i| {
            let offset = if step > 0.0 {
                f64::from(i) * step
            } else {
                f64::from(i) / f64::from(bins) * range
            };
            offset + low
        })
        .collect();
    edges.push(*high);
    Ok(edges)
}

/// Rows of both sides in the bins `[edges[i], edges[i + 1])`, the last one closed.
fn counts(numbers: &Numbers, edges: &[f64]) -> [Vec<u64>; 2] {
    let bins = edges.len() - 1;
    let mut counts = [vec![0; bins], vec![0; bins]];
    let mut bin = 0;
    for ((value, reference), current) in numbers.values.iter().zip(&numbers.reference).zip(&numbers.current) {
        while bin + 1 < bins && *value >= edges[bin + 1] {
            bin += 1;
        }
        counts[0][bin] += reference;
        counts[1][bin] += current;
    }
    counts
}

/// Empty shares get a little, as in Evidently, so that logarithms are finite: a ten-thousandth, or where others are that
/// small, a millionth of the smallest. What they then sum up to is not 1 any more.
fn filled(shares: &[f64]) -> Vec<f64> {
    let known = shares.iter().copied().filter(|share| *share > 0.0);
    let least = known.fold(f64::INFINITY, f64::min);
    let fill = if least <= 1e-4 { least / 1e6 } else { 1e-4 };
    shares
        .iter()
        .map(|share| if *share > 0.0 { *share } else { fill })
        .collect()
}

fn normed(shares: &[f64]) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::pair::Categories;
    use super::super::testing::{sides, sketch};
    use super::*;

    fn categories(reference: &[u64], current: &[u64]) -> Pair {
        Pair::Categories(Categories {
            labels: (0..reference.len()).map(|index| format!("c{index:03}")).collect(),
            reference: reference.to_vec(),
            current: current.to_vec(),
        })
    }

    fn score(test: &Test, pair: &Pair) -> f64 {
        (test.run)(pair, 0).unwrap().score
    }

    #[test]
    fn categories_by_hand() {
        let pair = categories(&[1, 3], &[2, 2]);
        let (p, q) = ([0.25, 0.75], [0.5, 0.5]);
        let by_hand: f64 = (p[0] - q[0]) * f64::ln(0.5) + (p[1] - q[1]) * f64::ln(1.5);
        assert!((score(&PSI, &pair) - by_hand).abs() < 1e-15);
        assert!((score(&KL_DIV, &pair) - (0.25 * f64::ln(0.5) + 0.75 * f64::ln(1.5))).abs() < 1e-15);
        let overlap = f64::sqrt(0.125) + f64::sqrt(0.375);
        assert!((score(&HELLINGER, &pair) - (1.0 - overlap).sqrt()).abs() < 1e-15);
        // scipy 1.17.1 `jensenshannon`.
        assert!((score(&JENSENSHANNON, &pair) - 0.183_907_790_940_474_32).abs() < 1e-15);
        let apart = categories(&[1, 0], &[0, 5]);
        assert!((score(&JENSENSHANNON, &apart) - f64::ln(2.0).sqrt()).abs() < 1e-15);
        assert!((score(&HELLINGER, &apart) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn edges_are_those_of_numpy() {
        // numpy 2.4.6 `histogram_bin_edges` with "sturges".
        let values: Vec<f64> = (0..30).map(f64::from).collect();
        let whole = Numbers::merge(&sketch(&values, true), &sketch(&[3.0], true));
        assert_eq!(
            sturges(&whole, 31).unwrap(),
            [
                0.0,
                4.833_333_333_333_333,
                9.666_666_666_666_666,
                14.5,
                19.333_333_333_333_332,
                24.166_666_666_666_664,
                29.0
            ]
        );
        let small = Numbers::merge(&sketch(&[0.0, 1.0, 2.0], true), &sketch(&[3.0], true));
        assert_eq!(sturges(&small, 1000).unwrap(), [0.0, 1.0, 2.0, 3.0]);
        let least = Numbers::merge(&sketch(&[0.0], false), &sketch(&[5e-324], false));
        assert_eq!(sturges(&least, 1000).unwrap().len(), 2);
        let one = Numbers::merge(&sketch(&[7.0], false), &sketch(&[7.0], false));
        assert_eq!(sturges(&one, 2).unwrap(), [6.5, 7.5]);
        let far = Numbers::merge(&sketch(&[-1.7e308], false), &sketch(&[1.7e308], false));
        assert!(sturges(&far, 2).is_err());
    }

    #[test]
    fn empty_shares_get_a_little() {
        assert_eq!(filled(&[0.5, 0.0, 0.5]), [0.5, 1e-4, 0.5]);
        assert_eq!(filled(&[5e-5, 0.0, 0.99995]), [5e-5, 5e-11, 0.99995]);
    }

    proptest! {
        #[test]
        fn distances_have_their_ranges(
            a in prop::collection::vec(prop::num::f64::NORMAL, 1..60), b in prop::collection::vec(prop::num::f64::NORMAL, 1..60), unit in -300..300_i32
        ) {
            let small = |values: &[f64]| values.iter().map(|value| value.log2() % 3.0 * 2.0_f64.powi(unit)).filter(|value| value.is_finite()).collect::<Vec<_>>();
            for (a, b) in [(a.clone(), b.clone()), (small(&a), small(&b))] {
                prop_assume!(!a.is_empty() && !b.is_empty());
                for test in [&PSI, &KL_DIV, &JENSENSHANNON, &HELLINGER] {
                    for (a, b) in [(&a, &b), (&b, &a)] {
                        if let Ok(found) = (test.run)(&sides(a, b), 0) {
                            prop_assert!(found.score >= 0.0 && found.score.is_finite(), "{} {}", test.name, found.score);
                        }
                    }
                    if let Ok(found) = (test.run)(&sides(&a, &a), 0) {
                        prop_assert!(found.score < 2e-8 || test.name == "hellinger", "{}: {}", test.name, found.score);
                    }
                }
            }
        }
    }
}
