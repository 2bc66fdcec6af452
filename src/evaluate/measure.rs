//! Metrics with their intervals, on all rows and on slices. Pure: seeded.

use crate::stats::Rng;

use super::bootstrap::{Sample, Statistic, bootstrap};
use super::metrics::MetricKind;
use super::rows::{Rows, canonical_order, common_labels};
use super::scores::caveat;
use super::{MetricResult, Predictions, SliceResult, Truth};

/// Resamples behind an interval.
const N_DRAWS: usize = 1000;

/// Every metric on all rows with its 95 % interval, in the order of `metrics`.
///
/// One truth and one prediction a row. A metric that is not defined on these rows has no value and a note that says
/// why. The interval is the `BCa` bootstrap over rows with 1000 resamples, the same for every metric; above
/// [`LARGE`](super::bootstrap::LARGE) rows a sample of the rows stands for all. For `max_error` it is a rough guide,
/// since a resample can not hold a greater error than the sample. The same seed gives the same result, whatever the
/// order of the rows. With `groups`, one number a row, whole groups are drawn, since their rows vary together. Never NaN.
///
/// Source: Efron (1987) for the interval. Oracle: scikit-learn for the values, `fixtures/oracles/metrics.json`.
pub fn evaluate(
    truth: &Truth,
    predictions: &Predictions,
    metrics: &[&MetricKind],
    groups: Option<&[u32]>,
    seed: u64,
) -> Vec<MetricResult> {
    let labels = common_labels(truth, &[predictions]);
    let order = canonical_order(truth, &[predictions], groups);
    let rows = match Rows::new(truth, predictions, &labels, &order) {
        Ok(rows) => rows,
        Err(why) => return metrics.iter().map(|kind| without_value(kind, why.clone())).collect(),
    };
    let mut rng = Rng::derive(seed, "evaluate");
    let sample = Sample::of(&order, groups, &mut rng);
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
    let all_draws = bootstrap(sampled.len(), &sample.units(), N_DRAWS, &mut rng, &borrowed);
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
            let interval = draws
                .bounds(center, &[0.025, 0.975])
                .map(|bounds| [0, 1].map(|side| value + (bounds[side] - center) * sample.scale))
                .filter(|[low, high]| low < high && low.is_finite() && high.is_finite());
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
    groups: Option<&[u32]>,
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
                let groups: Option<Vec<u32>> =
                    groups.map(|groups| rows.iter().filter_map(|&row| groups.get(row).copied()).collect());
                let (truth, predictions) = (truth.select(rows), predictions.select(rows));
                evaluate(&truth, &predictions, metrics, groups.as_deref(), seed)
            },
        })
        .collect()
}
