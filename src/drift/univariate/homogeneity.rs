//! Whether the categories of both sides have one law: what the calibrated mode asks of categories and of missing values. Pure.

use crate::drift::pair::Categories;
use crate::stats::{Rng, chi2_sf, fisher_exact};

use super::bins;
use super::urn::Urn;

/// Pearson's test of a table of two rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Homogeneity {
    /// In (0, 1]; 1 when there is one category.
    pub p: f64,
    /// X² ≥ 0.
    pub x2: f64,
    pub law: Law,
    /// Cramér's V without its bias, 0 to 1: an effect that does not grow with the number of rows.
    pub cramers_v: f64,
}

/// Where the p-value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// One category: there is nothing to test.
    Constant,
    /// χ² with one degree of freedom fewer than categories; every expected count is at least 5.
    ChiSquare,
    /// The sum over every table with the same margins.
    Exact,
    /// The share of tables with the same margins, drawn blindly.
    MonteCarlo,
    /// A gamma law with the exact mean and variance of X²: many rare categories.
    Moments,
}

impl Law {
    /// As results name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::ChiSquare => "chi2",
            Self::Exact => "chi2_exact",
            Self::MonteCarlo => "chi2_monte_carlo",
            Self::Moments => "chi2_moments",
        }
    }
}

/// Below this expected count the χ² law is not trusted.
const MIN_EXPECTED: f64 = 5.0;
/// Up to this many tables the sum over all of them is taken: about a millisecond.
const MAX_TABLES: f64 = 20_000.0;
/// At least this many tables are drawn.
const MIN_DRAWS: f64 = 9999.0;
/// More are drawn where that costs no more than `CHEAP`: the error of p falls from 0.005 to 0.0016 at the most.
const MAX_DRAWS: f64 = 99_999.0;
const CHEAP_NANOSECONDS: f64 = 8e6;
/// Where the least number of draws costs more, the law is taken from its moments instead.
const DEAR_NANOSECONDS: f64 = 80e6;

/// Pearson's test that both sides of `categories` have one law, X² = Σ(O − E)²/E over the 2 × K table.
///
/// p is that of χ² with K − 1 degrees of freedom when every expected count is at least 5. Otherwise the margins are held
/// fixed: p is summed over all tables when there are at most 20,000, else estimated as (1 + hits)/(B + 1) from at least
/// 9,999 tables that `seed` draws, else (when drawing would take longer than a twelfth of a second, with hundreds of
/// categories) read from a gamma law with the exact mean and variance of X². That is within 0.02 in the middle, and
/// within a factor of 2.5 at 0.001. So time is bounded whatever K is: O(K) beyond the bound. A side without rows has p 1.
///
/// Categories without rows do not count; their order does not matter to X², and to p only by what is drawn.
///
/// Source: Agresti, *Categorical Data Analysis* (2013), §3.2 and §3.5; moments: Dawson, *A simplified expression for the
/// variance of the χ²-function on a contingency table* (1954); V: Bergsma, *A bias-correction for Cramér's V and
/// Tschuprow's T* (2013). Oracle: `scipy.stats.chi2_contingency` and numpy's `multivariate_hypergeometric`.
pub fn homogeneity(categories: &Categories, seed: u64) -> Homogeneity {
    let counts = categories.reference.iter().zip(&categories.current);
    let mut table: Vec<[u64; 2]> = counts.map(|(a, b)| [*a, *b]).filter(|[a, b]| a + b > 0).collect();
    // Ascending totals, so that the last and largest one is drawn for nothing and the order of the labels is forgotten.
    table.sort_unstable_by_key(|[a, b]| (a + b, *a));
    let n: u64 = table.iter().map(|[a, _]| a).sum();
    let m: u64 = table.iter().map(|[_, b]| b).sum();
    if table.len() < 2 || n == 0 || m == 0 {
        return Homogeneity {
            p: 1.0,
            x2: 0.0,
            law: Law::Constant,
            cramers_v: 0.0,
        };
    }
    let x2 = pearson(&table, n, m);
    let (p, law) = p_value(&table, [n, m], x2, seed);
    Homogeneity {
        p,
        x2,
        law,
        cramers_v: cramers_v(x2, table.len(), n + m),
    }
}

fn pearson(table: &[[u64; 2]], n: u64, m: u64) -> f64 {
    let all = (n + m) as f64;
    let cell = |count: u64, total: u64, row: u64| {
        let expected = row as f64 * total as f64 / all;
        (count as f64 - expected) * (count as f64 - expected) / expected
    };
    table.iter().map(|[a, b]| cell(*a, a + b, n) + cell(*b, a + b, m)).sum()
}

fn p_value(table: &[[u64; 2]], [n, m]: [u64; 2], x2: f64, seed: u64) -> (f64, Law) {
    let totals: Vec<u64> = table.iter().map(|[a, b]| a + b).collect();
    let all = (n + m) as f64;
    let df = (totals.len() - 1) as f64;
    let least = totals[0] as f64 * n.min(m) as f64 / all;
    if least >= MIN_EXPECTED {
        return (chi2_sf(x2, df).clamp(f64::MIN_POSITIVE, 1.0), Law::ChiSquare);
    }
    // X² is a linear function of Σ a²/t, which is quicker to compute for every table.
    let inverse: Vec<f64> = totals.iter().map(|total| 1.0 / *total as f64).collect();
    let statistic = |counts: &[u64]| -> f64 {
        let squares = counts
            .iter()
            .zip(&inverse)
            .map(|(a, inverse)| (*a as f64).powi(2) * inverse);
        squares.sum()
    };
    let observed: Vec<u64> = table.iter().map(|[a, _]| *a).collect();
    let to_x2 = all * all / (n as f64 * m as f64);
    // Tables that differ by rounding alone are as extreme as the one observed.
    let reached = statistic(&observed) - 1e-9 * (1.0 + x2) / to_x2;

    let urn = Urn::new(totals, n);
    if urn.n_tables() <= MAX_TABLES {
        let (mut p, mut other) = (0.0, 0.0);
        urn.every(&mut |counts, probability| {
            if statistic(counts) >= reached {
                p += probability;
            } else {
                other += probability;
            }
        });
        return ((p / (p + other)).clamp(f64::MIN_POSITIVE, 1.0), Law::Exact);
    }
    let cost = urn.cost() + 2.0 * inverse.len() as f64;
    if cost * MIN_DRAWS > DEAR_NANOSECONDS {
        return (by_moments(&inverse, [n as f64, m as f64], x2), Law::Moments);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between the two bounds"
    )]
    let n_draws = (CHEAP_NANOSECONDS / cost).clamp(MIN_DRAWS, MAX_DRAWS) as usize;
    let mut hits = 0_usize;
    urn.deal(n_draws, &mut Rng::derive(seed, "homogeneity"), |counts| {
        hits += usize::from(statistic(counts) >= reached);
    });
    ((1 + hits) as f64 / (n_draws + 1) as f64, Law::MonteCarlo)
}

/// `inverse` are the reciprocals of the categories' totals.
fn by_moments(inverse: &[f64], [n, m]: [f64; 2], x2: f64) -> f64 {
    let (mean, variance) = moments(inverse, [n, m]);
    // Gamma with shape k and scale θ is θ/2 times χ² with 2k degrees of freedom.
    let (df, scale) = (2.0 * mean * mean / variance, 0.5 * variance / mean);
    if df.is_finite() && scale > 0.0 {
        chi2_sf(x2 / scale, df).clamp(f64::MIN_POSITIVE, 1.0)
    } else {
        1.0
    }
}

/// Mean and variance of X² over all tables with these margins.
fn moments(inverse: &[f64], [n, m]: [f64; 2]) -> (f64, f64) {
    let (all, k) = (n + m, inverse.len() as f64);
    let mean = all / (all - 1.0) * (k - 1.0);
    let spread = |k: f64| (k - 1.0) * (all - k) / (all - 1.0);
    let uneven = |sum_of_inverse: f64, k: f64| (all * sum_of_inverse - k * k) / (all - 2.0);
    let (rows, columns) = (uneven(1.0 / n + 1.0 / m, 2.0), uneven(inverse.iter().sum(), k));
    let even = 2.0 * all / (all - 3.0) * (spread(2.0) - rows) * (spread(k) - columns);
    (mean, even + all * all / (all - 1.0) * rows * columns)
}

/// For a table of two rows and `k` columns with `n` rows of data.
fn cramers_v(x2: f64, k: usize, n: u64) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let (n, k) = (n as f64, k as f64);
    let phi2 = (x2 / n - (k - 1.0) / (n - 1.0)).max(0.0);
    let corrected = |k: f64| k - (k - 1.0) * (k - 1.0) / (n - 1.0);
    let freedom = (corrected(k) - 1.0).min(corrected(2.0) - 1.0);
    if freedom > 0.0 {
        (phi2 / freedom).sqrt().min(1.0)
    } else {
        0.0
    }
}

/// The p-value of Fisher's exact test, two-sided, that values are missing equally often: `missing` of `rows`, of the
/// reference and of the current side. In [0, 1].
pub fn missing(rows: [u64; 2], missing: [u64; 2]) -> f64 {
    let row = |side: usize| [missing[side].min(rows[side]), rows[side].saturating_sub(missing[side])];
    fisher_exact([row(0), row(1)])
}

/// Jensen and Shannon's distance of the two sides' shares in nats: see [`bins::jensen_shannon`].
///
/// From 0, equal shares, to √(ln 2) = 0.8326, nothing in common; 0 when a side has no rows.
pub fn jensen_shannon(categories: &Categories) -> f64 {
    let n: u64 = categories.reference.iter().sum();
    let m: u64 = categories.current.iter().sum();
    if n == 0 || m == 0 {
        return 0.0;
    }
    let counts = |side: &[u64]| side.iter().map(|count| *count as f64).collect::<Vec<f64>>();
    bins::jensen_shannon(&counts(&categories.reference), &counts(&categories.current))
}

#[cfg(test)]
#[path = "homogeneity_tests.rs"]
mod tests;
