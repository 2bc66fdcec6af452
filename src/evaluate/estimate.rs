//! A gain with its bounds, by method. Pure: seeded.

use crate::stats::{Rng, mean, normal_cdf, normal_quantile, sd, t_quantile};

use super::bootstrap::{Sample, bootstrap};
use super::influence::Components;
use super::rows::Rows;

/// Resamples behind a bootstrapped comparison.
const N_DRAWS: usize = 2000;

/// A gain with what is known about it; all in the metric's unit, positive is good.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    pub gain: f64,
    pub standard_error: f64,
    /// Degrees of freedom of the standard error; infinite where the normal is meant.
    pub df: f64,
    /// One-sided bounds at 1 − α, and the two-sided interval at the same α.
    pub bounds: [f64; 2],
    pub interval: [f64; 2],
    /// Standard deviation of one row's part in the gain: the standard error is this over √n.
    pub sd: f64,
}

impl Estimate {
    /// Bounds at ± a quantile of Student's t of standard errors, of the normal where `df` is infinite.
    pub fn around(gain: f64, standard_error: f64, df: f64, sd: f64, alpha: f64) -> Self {
        if standard_error == 0.0 {
            return Self {
                gain,
                standard_error,
                df,
                bounds: [gain; 2],
                interval: [gain; 2],
                sd: 0.0,
            };
        }
        let at = |level: f64| gain + t_quantile(level, df) * standard_error;
        Self {
            gain,
            standard_error,
            df,
            bounds: [at(alpha), at(1.0 - alpha)],
            interval: [at(alpha / 2.0), at(1.0 - alpha / 2.0)],
            sd,
        }
    }

    /// Bounds that have room for `unseen` too, the standard error of something that these `n` rows do not show.
    pub fn widened(self, unseen: f64, n: f64, alpha: f64) -> Self {
        let around = |[low, high]: [f64; 2], level: f64| {
            let more = normal_quantile(1.0 - level) * unseen;
            [
                self.gain - (self.gain - low).hypot(more),
                self.gain + (high - self.gain).hypot(more),
            ]
        };
        Self {
            standard_error: self.standard_error.hypot(unseen),
            bounds: around(self.bounds, alpha),
            interval: around(self.interval, alpha / 2.0),
            sd: self.sd.hypot(unseen * n.sqrt()),
            ..self
        }
    }

    /// The t bound of a mean of `n` values with this standard deviation.
    pub fn of_mean(gain: f64, sd: f64, n: f64, alpha: f64) -> Self {
        Self::around(gain, sd / n.sqrt(), n - 1.0, sd, alpha)
    }
}

/// Sums of centered contributions by unit: groups of rows, or rows of one moment.
pub fn sums_by_unit(contributions: &[f64], of_row: &[usize], n_units: usize) -> Vec<f64> {
    let center = mean(contributions);
    let mut sums = vec![0.0; n_units];
    for (contribution, unit) in contributions.iter().zip(of_row) {
        sums[*unit] += contribution - center;
    }
    sums
}

/// The t bound with the groups as units: their sums of centered contributions.
pub fn by_groups(
    gain: f64,
    contributions: &[f64],
    of_row: &[usize],
    n_groups: usize,
    alpha: f64,
) -> Result<Estimate, String> {
    if n_groups < 2 {
        return Err("one group of rows says nothing about a difference".to_owned());
    }
    let sums = sums_by_unit(contributions, of_row, n_groups);
    let (n, k) = (contributions.len() as f64, n_groups as f64);
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let standard_error = (squares * k / (k - 1.0)).sqrt() / n;
    let sd = standard_error * n.sqrt();
    Ok(Estimate::around(gain, standard_error, k - 1.0, sd, alpha))
}

/// The paired interval of Agresti and Min. `differences` are 1 where only the challenger is right, −1 where only the
/// champion is, else 0. Half a row is added to both, so that few discordant rows, or none, still have a spread: that two
/// models were right on the same thirty rows does not make them equal.
pub fn agresti_min(differences: &[f64], alpha: f64) -> Estimate {
    let n_champion = differences.iter().filter(|d| **d < 0.0).count() as f64;
    let n_challenger = differences.iter().filter(|d| **d > 0.0).count() as f64;
    let n = differences.len() as f64 + 2.0;
    let excess = n_challenger - n_champion;
    let standard_error = (n_champion + n_challenger + 1.0 - excess * excess / n).sqrt() / n;
    Estimate::around(
        excess / n,
        standard_error,
        f64::INFINITY,
        standard_error * n.sqrt(),
        alpha,
    )
}

pub fn delong(gain: f64, rows: &[Rows; 2], alpha: f64) -> Result<Estimate, String> {
    let [Some(champion), Some(challenger)] = [Components::of(&rows[0]), Components::of(&rows[1])] else {
        return Err("it is not defined on these rows".to_owned());
    };
    let gains = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| b - a).collect() };
    let positives = gains(&champion.positives, &challenger.positives);
    let negatives = gains(&champion.negatives, &challenger.negatives);
    if positives.len() < 2 || negatives.len() < 2 {
        return Err("there is one row only of one of the classes".to_owned());
    }
    let part = |values: &[f64]| sd(values).powi(2) / values.len() as f64;
    let standard_error = (part(&positives) + part(&negatives)).sqrt();
    let n = (positives.len() + negatives.len()) as f64;
    Ok(Estimate::around(
        gain,
        standard_error,
        f64::INFINITY,
        standard_error * n.sqrt(),
        alpha,
    ))
}

/// The `BCa` bootstrap of the units of `sample`, which are rows, groups, or blocks in time.
///
/// A bootstrap of few units is as narrow as a normal interval with the divisor n: its levels are moved out to those of
/// Student's t with the divisor n − 1 ([`expanded`]). Source: Hesterberg, *What teachers should know about the bootstrap*
/// (2015).
pub fn resampled(
    gain: f64,
    sample: &Sample,
    rng: &mut Rng,
    gain_of: &dyn Fn(&[f64]) -> Option<f64>,
    alpha: f64,
) -> Result<Estimate, String> {
    let unclear = || "resampling these rows says nothing about a difference".to_owned();
    let (n, units) = (sample.order.len(), sample.units());
    if units.of_row.is_some_and(|units| units.iter().all(|unit| *unit == 0)) {
        return Err("one group of rows says nothing about a difference".to_owned());
    }
    let center = gain_of(&vec![1.0; n]).ok_or_else(unclear)?;
    let mut draws = bootstrap(n, &units, N_DRAWS, rng, &[gain_of])
        .pop()
        .ok_or_else(unclear)?;
    let n_independent = (units.number(n) as f64 / units.block.max(1) as f64).max(2.0);
    let levels = [alpha, 1.0 - alpha, alpha / 2.0, 1.0 - alpha / 2.0].map(|level| expanded(level, n_independent));
    let bounds = draws.bounds(center, &levels).ok_or_else(unclear)?;
    let at = |i: usize| gain + (bounds[i] - center) * sample.scale;
    let spread = draws.standard_error();
    Ok(Estimate {
        gain,
        standard_error: spread * sample.scale,
        df: n_independent - 1.0,
        bounds: [at(0), at(1)],
        interval: [at(2), at(3)],
        sd: spread * (n as f64).sqrt(),
    })
}

/// The level of a percentile that bounds of `n` independent units at `level` need.
pub fn expanded(level: f64, n: f64) -> f64 {
    normal_cdf((n / (n - 1.0)).sqrt() * t_quantile(level, n - 1.0))
}
