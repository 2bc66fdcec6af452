//! Champion against challenger on the same rows. Pure: seeded.

use crate::base::{Direction, Verdict};
use crate::stats::{Rng, sd};

use super::bootstrap::{Sample, dense};
use super::decide::{rows_needed, verdict};
use super::estimate::{self, Estimate};
use super::few;
use super::forecast::{Series, block_length};
use super::metrics::{Method, MetricKind};
use super::rows::{Rows, canonical_order, common_labels};
use super::secondary::secondary;
use super::{Comparison, Margin, Predictions, Truth};

/// Fewer rows than this decide nothing, of a whole or of a slice.
pub const MIN_ROWS: usize = 30;

/// Fewer moments than this make no series: the last year alone, with many rows in it, is a set of rows.
const MIN_MOMENTS: usize = 10;

/// The chance of a wrong "better", and of a wrong "not worse", where nothing else is said.
pub const ALPHA: f64 = 0.05;

/// How a comparison decides.
#[derive(Debug, Clone, Copy)]
pub struct CompareRule<'a> {
    pub margin: Margin,
    /// Fewer common rows than this are inconclusive.
    pub min_rows: usize,
    /// One number a row: rows of a group vary together, so that whole groups count.
    pub groups: Option<&'a [u32]>,
    /// Rows follow each other in time, so that neighbors are no independent evidence. Does not matter with groups.
    pub order: Option<Ordered<'a>>,
    /// The chance of a wrong "better", and of a wrong "not worse"; in (0, 1), else [`ALPHA`].
    pub alpha: f64,
    /// Whether few rows have bounds of their own, or those of many rows whatever their number.
    pub few: FewRows,
}

/// How few rows are met; see [`compare`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FewRows {
    #[default]
    Own,
    AsMany,
}

/// Rows in time.
#[derive(Debug, Clone, Copy)]
pub struct Ordered<'a> {
    /// How many steps ahead the models look: errors of neighbors within it overlap. At least 1.
    pub horizon: usize,
    /// The moment of each row, finite, in any unit; rows of one moment count together. With fewer than ten different ones
    /// the rows count as if they had none.
    pub times: &'a [f64],
}

impl CompareRule<'_> {
    fn level(&self) -> f64 {
        if self.alpha > 0.0 && self.alpha < 1.0 {
            self.alpha
        } else {
            ALPHA
        }
    }
}

impl Default for CompareRule<'_> {
    fn default() -> Self {
        Self {
            margin: Margin::default(),
            min_rows: MIN_ROWS,
            groups: None,
            order: None,
            alpha: ALPHA,
            few: FewRows::Own,
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

/// Whether the challenger is better than the champion on one metric, the same, or worse.
///
/// All three have one entry a row, the same rows in the same order; classes are matched by name. The gain is positive
/// when the challenger is better. Its bounds are one-sided at 1 − α, the same for every order of the rows: paired t for
/// means of losses, Agresti–Min for accuracy, `DeLong` for the area under the ROC curve, influence functions with t for
/// smooth functions of means, and the paired `BCa` bootstrap with 2000 resamples for the rest. With fewer than 100 rows, or
/// fewer than 30 of one of two classes, areas and smooth functions of means have bounds of their own ([`few`]); so do shares
/// of classes with fewer than 30 rows that the two models call differently. With groups the first four use the groups' sums of
/// contributions with t, the last resamples groups. With rows in time the first four use the long-run variance of the
/// contributions ([`Series::estimate`]), the last resamples blocks of neighbors ([`block_length`]). Rows that the two models do not differ on leave nothing to estimate: then the gain is exact and
/// the verdict is `same` where it is 0. What can not be compared is inconclusive, with a note. Nothing is NaN.
///
/// Rows needed: n* = ((z₁₋α + z₀.₈) · sd / (gain + δ))², more than there are.
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
    let mut comparison = blank(metric, rule, truth.len());
    let concluded = paired(&mut comparison, truth, [champion, challenger], metric, rule, seed)
        .and_then(|estimate| conclude(&mut comparison, &estimate, rule));
    if let Err(why) = concluded {
        comparison.note = Some(why);
    }
    comparison
}

/// A comparison of which nothing is known yet.
pub(super) fn blank(metric: &MetricKind, rule: &CompareRule<'_>, n_rows: usize) -> Comparison {
    Comparison {
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
        n_rows,
        verdict: Verdict::Inconclusive,
        rows_needed: None,
        note: None,
        alpha: rule.level(),
        secondary: Vec::new(),
    }
}

fn method_name(metric: &MetricKind, rule: &CompareRule<'_>) -> String {
    let name = match (rule.groups, rule.order, metric.method) {
        (None, None, _) => metric.method_name(),
        (Some(_), _, Method::Bootstrap) => "BCa bootstrap over groups",
        (Some(_), _, Method::MeanLoss(_) | Method::Share(_)) => "paired t over groups",
        (Some(_), _, Method::Area(_) | Method::Influence(..)) => "influence function, t over groups",
        (None, Some(_), Method::Bootstrap) => "BCa bootstrap over blocks in time",
        (None, Some(_), Method::MeanLoss(_) | Method::Share(_)) => "Diebold–Mariano",
        (None, Some(_), Method::Area(_) | Method::Influence(..)) => "influence function, Diebold–Mariano",
    };
    name.to_owned()
}

/// How rows belong together.
pub(super) enum Dependence {
    Rows,
    Groups { of_row: Vec<usize>, n_groups: usize },
    Time { series: Series, horizon: usize },
}

/// Writes down what is known, as far as it goes, and gives the gain with its bounds; the error says why it ends there.
pub(super) fn paired(
    out: &mut Comparison,
    truth: &Truth,
    sides: [&Predictions; 2],
    metric: &MetricKind,
    rule: &CompareRule<'_>,
    seed: u64,
) -> Result<Estimate, String> {
    if !same_labels(sides[0], sides[1]) {
        return Err("the two models know different classes".to_owned());
    }
    if sides[0].len() != sides[1].len() {
        return Err("the two models did not predict the same rows".to_owned());
    }
    let (order, dependence) = arranged(truth, &sides, rule.groups, rule.order)?;
    if matches!(dependence, Dependence::Rows) {
        metric.method_name().clone_into(&mut out.method);
    }
    let labels = common_labels(truth, &sides);
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
    if sides[0] == sides[1] {
        // The same predictions are the same model on these rows: there is nothing to estimate.
        return Ok(Estimate::around(0.0, 0.0, f64::INFINITY, 0.0, rule.level()));
    }
    let Some(of) = metric.method.contribution() else {
        let mut rng = Rng::derive(seed, &format!("compare {}", metric.name));
        let sample = match &dependence {
            Dependence::Time { series, horizon } => {
                let block = block_length(series.n_moments, *horizon);
                Sample::in_time(&order, &series.of_row, block, &mut rng)
            }
            Dependence::Rows | Dependence::Groups { .. } => Sample::of(&order, rule.groups, &mut rng),
        };
        let sampled = [build(0, &sample.order)?, build(1, &sample.order)?];
        let gain_of = |weights: &[f64]| {
            let champion = metric.of_rows(&sampled[0], weights).ok()?;
            let challenger = metric.of_rows(&sampled[1], weights).ok()?;
            Some(metric.direction.gain(champion, challenger))
        };
        let found = estimate::resampled(gain, &sample, &mut rng, &gain_of, rule.level())?;
        let unseen = match (rule.few, &dependence) {
            (FewRows::Own, Dependence::Rows) => few::unseen(metric, &rows),
            (FewRows::Own, Dependence::Groups { .. } | Dependence::Time { .. }) | (FewRows::AsMany, _) => None,
        };
        return Ok(match unseen {
            Some(unseen) => {
                out.method.push_str(", few rows");
                found.widened(unseen, n as f64, rule.level())
            }
            None => found,
        });
    };
    let contributions = match (of(&rows[0]), of(&rows[1])) {
        (Some(champion), Some(challenger)) => gains(metric, &champion, &challenger),
        (Some(_) | None, _) => return Err("it is not defined on these rows".to_owned()),
    };
    let scored = Scored {
        metric,
        gain,
        contributions,
        rows: &rows,
        dependence: &dependence,
    };
    out.secondary = secondary(&scored);
    if rule.few == FewRows::Own
        && matches!(dependence, Dependence::Rows)
        && let Some(estimate) = few::estimate(metric.method, gain, &rows, rule.level())
    {
        out.method.push_str(", few rows");
        return Ok(estimate);
    }
    scored.estimate(rule.level())
}

/// Two models on a metric that is not resampled.
pub(super) struct Scored<'a> {
    pub metric: &'a MetricKind,
    pub gain: f64,
    /// What each row contributes to the gain.
    pub contributions: Vec<f64>,
    pub rows: &'a [Rows; 2],
    pub dependence: &'a Dependence,
}

impl Scored<'_> {
    fn estimate(&self, alpha: f64) -> Result<Estimate, String> {
        let (gain, contributions) = (self.gain, &self.contributions);
        // Agreement on every row is not yet being equal; a group, or a moment, counts as one row then.
        let agree = matches!(self.metric.method, Method::Share(_)) && contributions.iter().all(|one| *one == 0.0);
        match self.dependence {
            Dependence::Groups { n_groups, .. } if agree => Ok(estimate::agresti_min(&vec![0.0; *n_groups], alpha)),
            Dependence::Time { series, .. } if agree => Ok(estimate::agresti_min(&vec![0.0; series.n_moments], alpha)),
            Dependence::Groups { of_row, n_groups } => {
                estimate::by_groups(gain, contributions, of_row, *n_groups, alpha)
            }
            Dependence::Time { series, horizon } => series.estimate(gain, contributions, *horizon, alpha),
            Dependence::Rows => match self.metric.method {
                Method::Share(_) => Ok(estimate::agresti_min(contributions, alpha)),
                Method::Area(_) => estimate::delong(gain, self.rows, alpha),
                Method::MeanLoss(_) | Method::Influence(..) | Method::Bootstrap => {
                    let n = contributions.len() as f64;
                    Ok(Estimate::of_mean(gain, sd(contributions), n, alpha))
                }
            },
        }
    }
}

fn gains(metric: &MetricKind, champion: &[f64], challenger: &[f64]) -> Vec<f64> {
    let pairs = champion.iter().zip(challenger);
    pairs.map(|(a, b)| metric.direction.gain(*a, *b)).collect()
}

/// The rows in an order that does not depend on how they came, and what belongs together; the error says what does not fit.
pub(super) fn arranged(
    truth: &Truth,
    sides: &[&Predictions],
    groups: Option<&[u32]>,
    order_in_time: Option<Ordered<'_>>,
) -> Result<(Vec<usize>, Dependence), String> {
    let order = canonical_order(truth, sides, groups);
    if let Some(groups) = groups {
        if groups.len() != truth.len() {
            return Err("the groups do not cover the rows".to_owned());
        }
        let (of_row, n_groups) = dense(&order, groups);
        return Ok((order, Dependence::Groups { of_row, n_groups }));
    }
    let Some(Ordered { horizon, times }) = order_in_time else {
        return Ok((order, Dependence::Rows));
    };
    if times.len() != truth.len() {
        return Err("the times do not cover the rows".to_owned());
    }
    if let Some(row) = times.iter().position(|time| !time.is_finite()) {
        return Err(format!("row {} has no time", row + 1));
    }
    // Stable: rows of one moment keep the order of what they hold. Adding 0 makes -0 and 0 one moment.
    let mut in_time = order.clone();
    in_time.sort_by(|a, b| (times[*a] + 0.0).total_cmp(&(times[*b] + 0.0)));
    let series = Series::of(&in_time, times);
    if series.n_moments < MIN_MOMENTS {
        return Ok((order, Dependence::Rows));
    }
    let horizon = horizon.max(1);
    Ok((in_time, Dependence::Time { series, horizon }))
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

/// Verdict, bounds in both directions, and how many rows would decide.
pub(super) fn conclude(out: &mut Comparison, estimate: &Estimate, rule: &CompareRule<'_>) -> Result<(), String> {
    let Estimate {
        mut gain,
        bounds: [mut lower, mut upper],
        mut interval,
        mut sd,
        standard_error: _,
        df: _,
    } = *estimate;
    if ![gain, lower, upper, interval[0], interval[1], sd]
        .iter()
        .all(|x| x.is_finite())
    {
        return Err("the difference is too large to be a number".to_owned());
    }
    // Sums of equal losses in another order differ in the last digits, which is not a difference.
    let size = out.champion.unwrap_or(0.0).abs() + out.challenger.unwrap_or(0.0).abs();
    if gain.abs().max(upper - lower) <= 1e-12 * size {
        (gain, lower, upper, interval, sd) = (0.0, 0.0, 0.0, [0.0; 2], 0.0);
    }
    (out.gain, out.lower, out.upper) = (Some(gain), Some(lower), Some(upper));
    out.difference_interval = Some(match out.direction {
        Direction::Maximize => interval,
        Direction::Minimize => [0.0 - interval[1], 0.0 - interval[0]],
    });
    let needed = || rows_needed(gain + out.margin, sd, out.n_rows, rule.level());
    if out.n_rows < rule.min_rows {
        let least = rule.min_rows as u64;
        out.rows_needed = needed().map(|n_rows| n_rows.max(least));
        return Err(format!(
            "{} rows are too few: {} are needed to compare",
            out.n_rows, rule.min_rows
        ));
    }
    out.verdict = verdict(gain, lower, upper, out.margin);
    if out.verdict == Verdict::Inconclusive {
        out.rows_needed = needed();
    }
    Ok(())
}
