//! Metrics with their intervals, on all rows and on slices. Pure: seeded.

use crate::base::Direction;
use crate::stats::Rng;

use super::bootstrap::{Sample, Statistic, bootstrap};
use super::compare::{ALPHA, Dependence, Ordered, arranged};
use super::estimate::expanded;
use super::few::{self, Scale};
use super::forecast::block_length;
use super::metrics::{Method, MetricKind};
use super::rows::{Rows, common_labels};
use super::scores::caveat;
use super::{MetricResult, Predictions, SliceResult, Truth};

/// Resamples behind an interval.
const N_DRAWS: usize = 1000;

/// What belongs together: rows of a group vary together, and so do those of neighboring moments. One entry a row each.
#[derive(Debug, Clone, Copy, Default)]
pub struct Together<'a> {
    pub groups: Option<&'a [u32]>,
    /// Finite. Does not matter with groups.
    pub times: Option<&'a [f64]>,
}

/// Every metric on all rows with its 95 % interval, in the order of `metrics`.
///
/// One truth and one prediction a row. A metric that is not defined on these rows has no value and a note that says
/// why. The interval is the `BCa` bootstrap over rows with 1000 resamples, or over groups, with its levels moved out to
/// those of Student's t; above [`LARGE`](super::bootstrap::LARGE) rows a sample of the rows stands for all. On few rows areas,
/// means of losses and smooth functions of means have one of their own ([`few`]). In time it is that of the long-run variance of what the
/// rows contribute ([`Series::estimate`](super::forecast::Series::estimate)), or of resampled blocks where only resampling
/// tells. For `max_error` it is a rough guide, since a resample can not hold a greater error than the sample. The same seed
/// gives the same result, whatever the order of the rows. Never NaN.
///
/// Source: Efron (1987) for the interval. Oracle: scikit-learn for the values, `fixtures/oracles/metrics.json`.
pub fn evaluate(
    truth: &Truth,
    predictions: &Predictions,
    metrics: &[&MetricKind],
    together: Together<'_>,
    seed: u64,
) -> Vec<MetricResult> {
    let all = |why: &str| metrics.iter().map(|kind| without_value(kind, why.to_owned())).collect();
    let labels = common_labels(truth, &[predictions]);
    let in_time = together.times.map(|times| Ordered { horizon: 1, times });
    let (order, dependence) = match arranged(truth, &[predictions], together.groups, in_time) {
        Ok(arranged) => arranged,
        Err(why) => return all(&why),
    };
    let rows = match Rows::new(truth, predictions, &labels, &order) {
        Ok(rows) => rows,
        Err(why) => return all(&why),
    };
    let mut rng = Rng::derive(seed, "evaluate");
    let sample = match &dependence {
        Dependence::Time { series, horizon } => {
            let block = block_length(series.n_moments, *horizon);
            Sample::in_time(&order, &series.of_row, block, &mut rng)
        }
        Dependence::Rows | Dependence::Groups { .. } => Sample::of(&order, together.groups, &mut rng),
    };
    let smaller = if sample.order.len() < order.len() {
        Rows::new(truth, predictions, &labels, &sample.order).ok()
    } else {
        None
    };
    let sampled = smaller.as_ref().unwrap_or(&rows);
    let statistics: Vec<Box<Statistic<'_>>> = metrics
        .iter()
        .map(|kind| -> Box<Statistic<'_>> { Box::new(move |weights| kind.of_rows(sampled, weights).ok()) })
        .collect();
    let borrowed: Vec<&Statistic<'_>> = statistics.iter().map(AsRef::as_ref).collect();
    let units = sample.units();
    let n_independent = (units.number(sampled.len()) as f64 / units.block.max(1) as f64).max(2.0);
    let all_draws = bootstrap(sampled.len(), &units, N_DRAWS, &mut rng, &borrowed);
    let ones = vec![1.0; rows.len()];
    metrics
        .iter()
        .zip(all_draws)
        .map(|(kind, mut draws)| {
            let value = match kind.of_rows(&rows, &ones) {
                Ok(value) => value,
                Err(why) => return without_value(kind, why.to_owned()),
            };
            let center = kind.of_rows(sampled, &ones[..sampled.len()]).unwrap_or(value);
            let mut resampled = || {
                let bounds = draws.bounds(center, &[0.025, 0.975].map(|level| expanded(level, n_independent)))?;
                let interval = [0, 1].map(|side| value + (bounds[side] - center) * sample.scale);
                is_interval(&interval).then_some(interval)
            };
            let interval = by_formula(kind, value, &rows, &dependence).or_else(&mut resampled);
            let no_interval = interval
                .is_none()
                .then_some("no interval: resampling these rows does not vary it");
            MetricResult {
                name: kind.name.to_owned(),
                direction: kind.direction,
                value: Some(value),
                interval,
                note: caveat(kind.name, &rows).or(no_interval).map(str::to_owned),
            }
        })
        .collect()
}

/// An interval that needs no resampling; `None` where there is none, or where it does not vary.
fn by_formula(kind: &MetricKind, value: f64, rows: &Rows, dependence: &Dependence) -> Option<[f64; 2]> {
    let found = match dependence {
        Dependence::Rows => few::interval(kind.method, value, rows),
        Dependence::Groups { .. } => None,
        Dependence::Time { series, horizon } => {
            let contributions = kind.method.contribution()?(rows)?;
            let found = series.estimate(value, &contributions, *horizon, ALPHA).ok()?;
            let [low, high] = found.interval;
            if low >= high {
                return None;
            }
            Some(match (kind.direction, kind.method) {
                // An error ends at 0: on its logarithm, where its law is nearer to the normal.
                (Direction::Minimize, _) if value > 0.0 => {
                    let reach = (high - low) / 2.0 / value;
                    [value * (-reach).exp(), value * reach.exp()]
                }
                // A score ends at 1, and one that is a share at 0 too.
                (_, Method::Share(_) | Method::Area(_) | Method::Influence(_, Scale::Share(_))) => {
                    [low.max(0.0), high.min(1.0)]
                }
                (Direction::Maximize, _) => [low, high.min(1.0)],
                (Direction::Minimize, _) => [low, high],
            })
        }
    };
    found.filter(is_interval)
}

fn is_interval([low, high]: &[f64; 2]) -> bool {
    low < high && low.is_finite() && high.is_finite()
}

fn without_value(kind: &MetricKind, why: String) -> MetricResult {
    MetricResult {
        name: kind.name.to_owned(),
        direction: kind.direction,
        value: None,
        interval: None,
        note: Some(why),
    }
}

/// The metrics of every slice, in the order of `slices` (see [`slices`](super::slices)). A slice with fewer than
/// `min_rows` rows keeps its count and has no metrics.
pub fn evaluate_slices(
    truth: &Truth,
    predictions: &Predictions,
    metrics: &[&MetricKind],
    slices: &[(String, Vec<usize>)],
    together: Together<'_>,
    min_rows: usize,
    seed: u64,
) -> Vec<SliceResult> {
    slices
        .iter()
        .map(|(slice, rows)| SliceResult {
            slice: slice.clone(),
            n_rows: rows.len(),
            metrics: if rows.len() < min_rows {
                Vec::new()
            } else {
                let groups: Option<Vec<u32>> = together.groups.map(|groups| of_rows(groups, rows));
                let times: Option<Vec<f64>> = together.times.map(|times| of_rows(times, rows));
                let (truth, predictions) = (truth.select(rows), predictions.select(rows));
                let together = Together {
                    groups: groups.as_deref(),
                    times: times.as_deref(),
                };
                evaluate(&truth, &predictions, metrics, together, seed)
            },
        })
        .collect()
}

fn of_rows<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().filter_map(|&row| values.get(row).copied()).collect()
}
