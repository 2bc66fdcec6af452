//! Champion against challenger on the same rows. Pure: seeded.

use crate::base::{Direction, Verdict};
use crate::stats::{Rng, mean, normal_quantile, sd, t_quantile};

use super::bootstrap::{Sample, bootstrap, dense};
use super::influence::Components;
use super::metrics::{Method, MetricKind};
use super::rows::{Rows, canonical_order, common_labels};
use super::{Comparison, Margin, Predictions, Truth};

/// Resamples behind a bootstrapped comparison.
const N_DRAWS: usize = 2000;

/// Fewer rows than this decide nothing, of a whole or of a slice.
pub const MIN_ROWS: usize = 30;

/// The chance of a wrong "better", and of a wrong "not worse".
const ALPHA: f64 = 0.05;

/// The chance to decide that `rows_needed` aims at.
const POWER: f64 = 0.8;

/// How a comparison decides.
#[derive(Debug, Clone, Copy)]
pub struct CompareRule<'a> {
    pub margin: Margin,
    /// Fewer common rows than this are inconclusive.
    pub min_rows: usize,
    /// One number a row: rows of a group vary together, so that whole groups count.
    pub groups: Option<&'a [u32]>,
}

impl Default for CompareRule<'_> {
    fn default() -> Self {
        Self {
            margin: Margin::default(),
            min_rows: MIN_ROWS,
            groups: None,
        }
    }
}

impl Margin {
    /// δ in the metric's unit: the greater of both, 0 when neither is named.
    pub fn applied(self, champion: f64) -> f64 {
        let relative = self.relative.map_or(0.0, |share| share * champion.abs());
        [relative, self.absolute.unwrap_or(0.0)]
            .into_iter()
            .filter(|m| m.is_finite())
            .fold(0.0, f64::max)
    }
}

/// A gain with what is known about it; all in the metric's unit, positive is good.
#[derive(Debug)]
struct Estimate {
    gain: f64,
    /// One-sided bounds at 1 − α, and the two-sided interval at the same α.
    bounds: [f64; 2],
    interval: [f64; 2],
    /// Standard deviation of one row's part in the gain: the standard error is this over √n.
    sd: f64,
}

/// Whether the challenger is better than the champion on one metric, the same, or worse.
///
/// All three have one entry a row, the same rows in the same order; classes are matched by name. The gain is positive
/// when the challenger is better. Its bounds are one-sided at 95 %, the same for every order of the rows: paired t for means
/// of losses, Agresti–Min for accuracy, `DeLong` for the area under the ROC curve, influence functions with t for smooth
/// functions of means, and the paired `BCa` bootstrap with 2000 resamples for the rest. With groups the first four use
/// the groups' sums of contributions with t, the last resamples groups. Rows that the two models do not differ on leave
/// nothing to estimate: then the gain is exact and the verdict is `same` where it is 0. What can not be compared is
/// inconclusive, with a note. Nothing is NaN.
///
/// Rows needed: n* = ((z₀.₉₅ + z₀.₈) · sd / (gain + δ))², more than there are.
///
/// Source: Agresti & Min (2005); `DeLong` et al. (1988); Efron (1987). Oracle: `fixtures/compare`.
pub fn compare(
    truth: &Truth,
    champion: &Predictions,
    challenger: &Predictions,
    metric: &MetricKind,
    rule: &CompareRule<'_>,
    seed: u64,
) -> Comparison {
    let mut comparison = Comparison {
        metric: metric.name.to_owned(),
        direction: metric.direction,
        champion: None,
        challenger: None,
        difference: None,
        difference_interval: None,
        gain: None,
        lower: None,
        upper: None,
        margin: rule.margin.applied(0.0),
        method: method_name(metric, rule),
        n_rows: truth.len(),
        verdict: Verdict::Inconclusive,
        rows_needed: None,
        note: None,
    };
    if let Err(why) = fill(&mut comparison, truth, [champion, challenger], metric, rule, seed) {
        comparison.note = Some(why);
    }
    comparison
}

fn method_name(metric: &MetricKind, rule: &CompareRule<'_>) -> String {
    match (rule.groups, metric.method) {
        (None, _) => metric.method_name().to_owned(),
        (Some(_), Method::Bootstrap) => "BCa bootstrap over groups".to_owned(),
        (Some(_), Method::MeanLoss(_) | Method::Share(_)) => "paired t over groups".to_owned(),
        (Some(_), Method::Area(_) | Method::Influence(_)) => "influence function, t over groups".to_owned(),
    }
}

/// Writes down what is known, as far as it goes; the error says why it ends there.
fn fill(
    out: &mut Comparison,
    truth: &Truth,
    sides: [&Predictions; 2],
    metric: &MetricKind,
    rule: &CompareRule<'_>,
    seed: u64,
) -> Result<(), String> {
    if !same_labels(sides[0], sides[1]) {
        return Err("the two models know different classes".to_owned());
    }
    if sides[0].len() != sides[1].len() {
        return Err("the two models did not predict the same rows".to_owned());
    }
    if rule.groups.is_some_and(|groups| groups.len() != truth.len()) {
        return Err("the groups do not cover the rows".to_owned());
    }
    let labels = common_labels(truth, &sides);
    let order = canonical_order(truth, &sides, rule.groups);
    let build = |side: usize, order: &[usize]| {
        Rows::new(truth, sides[side], &labels, order).map_err(|why| format!("{}: {why}", NAMES[side]))
    };
    let rows = [build(0, &order)?, build(1, &order)?];
    let n = rows[0].len();
    let ones = vec![1.0; n];
    let values = [0, 1].map(|side| metric.of_rows(&rows[side], &ones));
    (out.champion, out.challenger) = (values[0].ok(), values[1].ok());
    if let Some(champion) = out.champion {
        out.margin = rule.margin.applied(champion);
    }
    let mut both = [0.0; 2];
    for side in [0, 1] {
        both[side] = values[side].map_err(|why| format!("{} has no value: {why}", NAMES[side]))?;
    }
    let gain = metric.direction.gain(both[0], both[1]);
    out.difference = finite(both[1] - both[0]);
    out.gain = finite(gain);
    if n < 2 {
        return Err("one row says nothing about a difference".to_owned());
    }

    let contributions = |of: super::influence::Contribution| -> Result<Vec<f64>, String> {
        let [champion, challenger] = [of(&rows[0]), of(&rows[1])];
        let (Some(champion), Some(challenger)) = (champion, challenger) else {
            return Err("it is not defined on these rows".to_owned());
        };
        Ok(champion
            .iter()
            .zip(challenger)
            .map(|(a, b)| metric.direction.gain(*a, b))
            .collect())
    };
    let groups = rule.groups.map(|groups| dense(&order, groups));
    let estimate = match (metric.method, &groups) {
        (Method::Bootstrap, _) => {
            let mut rng = Rng::derive(seed, &format!("compare {}", metric.name));
            let sample = Sample::of(&order, rule.groups, &mut rng);
            let sampled = [build(0, &sample.order)?, build(1, &sample.order)?];
            let gain_of = |weights: &[f64]| {
                let champion = metric.of_rows(&sampled[0], weights).ok()?;
                let challenger = metric.of_rows(&sampled[1], weights).ok()?;
                Some(metric.direction.gain(champion, challenger))
            };
            let groups = rule.groups.map(|groups| dense(&sample.order, groups).0);
            resampled(gain, &sample, groups.as_deref(), &mut rng, &gain_of)?
        }
        // As without groups, agreement on every row is not yet being equal; a group counts as one row then.
        (Method::Share(of), Some((_, k)))
            if sides[0] != sides[1] && contributions(of)?.iter().all(|one| *one == 0.0) =>
        {
            agresti_min(&vec![0.0; *k])
        }
        (Method::MeanLoss(of) | Method::Share(of) | Method::Area(of) | Method::Influence(of), Some((of_row, k))) => {
            by_groups(gain, &contributions(of)?, of_row, *k)?
        }
        // The same predictions are the same model on these rows: there is nothing to estimate.
        (Method::Share(_), None) if sides[0] == sides[1] => around(0.0, 0.0, 0.0, normal_quantile),
        (Method::Share(of), None) => agresti_min(&contributions(of)?),
        (Method::Area(_), None) => delong(gain, &rows)?,
        (Method::MeanLoss(of) | Method::Influence(of), None) => {
            let spread = sd(&contributions(of)?);
            with_t(gain, spread, n as f64, n as f64 - 1.0)
        }
    };
    conclude(out, &estimate, both[0].abs() + both[1].abs(), rule)
}

const NAMES: [&str; 2] = ["the champion", "the challenger"];

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn same_labels(a: &Predictions, b: &Predictions) -> bool {
    match (a, b) {
        (Predictions::Classes { labels: a, .. }, Predictions::Classes { labels: b, .. }) => {
            let sorted = |labels: &[String]| {
                let mut labels = labels.to_vec();
                labels.sort_unstable();
                labels
            };
            a == b || sorted(a) == sorted(b)
        }
        (Predictions::Numbers(_), Predictions::Numbers(_)) => true,
        (Predictions::Numbers(_), Predictions::Classes { .. })
        | (Predictions::Classes { .. }, Predictions::Numbers(_)) => false,
    }
}

/// Bounds at ± a quantile of standard errors.
fn around(gain: f64, standard_error: f64, sd: f64, quantile: impl Fn(f64) -> f64) -> Estimate {
    let at = |level: f64| gain + quantile(level) * standard_error;
    if standard_error == 0.0 {
        return Estimate {
            gain,
            bounds: [gain; 2],
            interval: [gain; 2],
            sd: 0.0,
        };
    }
    Estimate {
        gain,
        bounds: [at(ALPHA), at(1.0 - ALPHA)],
        interval: [at(ALPHA / 2.0), at(1.0 - ALPHA / 2.0)],
        sd,
    }
}

fn with_t(gain: f64, sd: f64, n: f64, df: f64) -> Estimate {
    around(gain, sd / n.sqrt(), sd, |level| t_quantile(level, df))
}

/// The t bound with the groups as units: their sums of centered contributions.
fn by_groups(gain: f64, contributions: &[f64], of_row: &[usize], n_groups: usize) -> Result<Estimate, String> {
    if n_groups < 2 {
        return Err("one group of rows says nothing about a difference".to_owned());
    }
    let center = mean(contributions);
    let mut sums = vec![0.0; n_groups];
    for (contribution, group) in contributions.iter().zip(of_row) {
        sums[*group] += contribution - center;
    }
    let (n, k) = (contributions.len() as f64, n_groups as f64);
    let squares: f64 = sums.iter().map(|sum| sum * sum).sum();
    let standard_error = (squares * k / (k - 1.0)).sqrt() / n;
    Ok(around(gain, standard_error, standard_error * n.sqrt(), |level| {
        t_quantile(level, k - 1.0)
    }))
}

/// The paired interval of Agresti and Min. `differences` are 1 where only the challenger is right, −1 where only the
/// champion is, else 0. Half a row is added to both, so that few discordant rows, or none, still have a spread: that two
/// models were right on the same thirty rows does not make them equal.
fn agresti_min(differences: &[f64]) -> Estimate {
    let n_champion = differences.iter().filter(|d| **d < 0.0).count() as f64;
    let n_challenger = differences.iter().filter(|d| **d > 0.0).count() as f64;
    let n = differences.len() as f64 + 2.0;
    let excess = n_challenger - n_champion;
    let standard_error = (n_champion + n_challenger + 1.0 - excess * excess / n).sqrt() / n;
    around(excess / n, standard_error, standard_error * n.sqrt(), normal_quantile)
}

fn delong(gain: f64, rows: &[Rows; 2]) -> Result<Estimate, String> {
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
    Ok(around(gain, standard_error, standard_error * n.sqrt(), normal_quantile))
}

fn resampled(
    gain: f64,
    sample: &Sample,
    groups: Option<&[usize]>,
    rng: &mut Rng,
    gain_of: &dyn Fn(&[f64]) -> Option<f64>,
) -> Result<Estimate, String> {
    let unclear = || "resampling these rows says nothing about a difference".to_owned();
    let n = sample.order.len();
    if groups.is_some_and(|groups| groups.iter().all(|group| *group == 0)) {
        return Err("one group of rows says nothing about a difference".to_owned());
    }
    let center = gain_of(&vec![1.0; n]).ok_or_else(unclear)?;
    let mut draws = bootstrap(n, groups, N_DRAWS, rng, &[gain_of])
        .pop()
        .ok_or_else(unclear)?;
    let levels = [ALPHA, 1.0 - ALPHA, ALPHA / 2.0, 1.0 - ALPHA / 2.0];
    let bounds = draws.bounds(center, &levels).ok_or_else(unclear)?;
    let at = |i: usize| gain + (bounds[i] - center) * sample.scale;
    Ok(Estimate {
        gain,
        bounds: [at(0), at(1)],
        interval: [at(2), at(3)],
        sd: draws.standard_error() * (n as f64).sqrt(),
    })
}

/// Verdict, bounds in both directions, and how many rows would decide. `size` is that of the two values together.
fn conclude(out: &mut Comparison, estimate: &Estimate, size: f64, rule: &CompareRule<'_>) -> Result<(), String> {
    let Estimate {
        mut gain,
        bounds: [mut lower, mut upper],
        mut interval,
        mut sd,
    } = *estimate;
    if ![gain, lower, upper, interval[0], interval[1], sd]
        .iter()
        .all(|x| x.is_finite())
    {
        return Err("the difference is too large to be a number".to_owned());
    }
    // Sums of equal losses in another order differ in the last digits, which is not a difference.
    if gain.abs().max(upper - lower) <= 1e-12 * size {
        (gain, lower, upper, interval, sd) = (0.0, 0.0, 0.0, [0.0; 2], 0.0);
    }
    (out.gain, out.lower, out.upper) = (Some(gain), Some(lower), Some(upper));
    out.difference_interval = Some(match out.direction {
        Direction::Maximize => interval,
        Direction::Minimize => [0.0 - interval[1], 0.0 - interval[0]],
    });
    if out.n_rows < rule.min_rows {
        let least = rule.min_rows as u64;
        out.rows_needed = rows_needed(gain + out.margin, sd, out.n_rows).map(|n_rows| n_rows.max(least));
        return Err(format!(
            "{} rows are too few: {} are needed to compare",
            out.n_rows, rule.min_rows
        ));
    }
    out.verdict = verdict(gain, lower, upper, out.margin);
    if out.verdict == Verdict::Inconclusive {
        out.rows_needed = rows_needed(gain + out.margin, sd, out.n_rows);
    }
    Ok(())
}

/// What a gain with its one-sided bounds is, when `margin` may be lost; all in the unit of the metric, positive is good.
pub fn verdict(gain: f64, lower: f64, upper: f64, margin: f64) -> Verdict {
    if lower > 0.0 {
        Verdict::Better
    } else if lower > -margin || (lower >= upper && gain >= -margin) {
        // Without any spread the gain is exact, and a loss of the whole margin is still allowed.
        Verdict::Same
    } else if upper < -margin {
        Verdict::Worse
    } else {
        Verdict::Inconclusive
    }
}

/// `None` when the distance to the margin is so small that no number of rows can be named.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and at most a billion"
)]
fn rows_needed(distance: f64, sd: f64, n_rows: usize) -> Option<u64> {
    let needed = ((normal_quantile(1.0 - ALPHA) + normal_quantile(POWER)) * sd / distance)
        .powi(2)
        .ceil();
    (needed <= 1e9).then(|| (needed as u64).max(n_rows as u64 + 1))
}
