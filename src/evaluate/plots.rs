//! Picture data, and the model that knows nothing. Pure.

use super::rows::{Classes, Numbers, Rows, canonical_order, common_labels};
use super::scores::scored;
use super::{ConfusionMatrix, CurvePoint, Plots, Predictions, Truth};

const MAX_ROWS: usize = 400;
const MAX_POINTS: usize = 100;
const MAX_BINS: usize = 20;
const MAX_LABELS: usize = 20;

/// What there is to draw; empty where rows can not be scored. Independent of the order of the rows, thinned evenly,
/// first and last kept.
pub fn plots(truth: &Truth, predictions: &Predictions) -> Plots {
    let labels = common_labels(truth, &[predictions]);
    let order = canonical_order(truth, &[predictions], None);
    let Ok(rows) = Rows::new(truth, predictions, &labels, &order) else {
        return Plots::default();
    };
    match &rows {
        Rows::Numbers(numbers) => of_numbers(numbers),
        Rows::Classes(classes) => {
            let (roc, precision_recall) = scored(&rows).map(curves).unwrap_or_default();
            Plots {
                roc,
                precision_recall,
                confusion: Some(confusion(classes, &labels)),
                ..Plots::default()
            }
        }
    }
}

fn of_numbers(rows: &Numbers) -> Plots {
    let pairs: Vec<[f64; 2]> = rows.actual.iter().zip(&rows.predicted).map(|(a, p)| [*a, *p]).collect();
    let residuals: Vec<f64> = (0..pairs.len()).map(|row| rows.error(row)).collect();
    let (residual_edges, residual_counts) = histogram(&residuals);
    Plots {
        predicted_actual: thin(&pairs, MAX_ROWS),
        residual_edges,
        residual_counts,
        ..Plots::default()
    }
}

/// At most `n` of `items`, evenly, with both ends.
fn thin<T: Copy>(items: &[T], n: usize) -> Vec<T> {
    if items.len() <= n {
        return items.to_vec();
    }
    (0..n).map(|i| items[i * (items.len() - 1) / (n - 1)]).collect()
}

/// Equal bins by Sturges' rule, at most 20, the last one closed; nothing when the range is no finite number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small positive numbers"
)]
fn histogram(values: &[f64]) -> (Vec<f64>, Vec<u64>) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = high - low;
    if !range.is_finite() {
        return (Vec::new(), Vec::new());
    }
    // A range that vanishes beside the values can not be cut.
    if range <= 1e-12 * low.abs().max(high.abs()) {
        let half = if low == 0.0 { 0.5 } else { 0.5 * low.abs() };
        return (vec![low - half, low + half], vec![values.len() as u64]);
    }
    let n_bins = ((values.len() as f64).log2().ceil() as usize + 1).clamp(1, MAX_BINS);
    let width = range / n_bins as f64;
    let edges: Vec<f64> = (0..n_bins).map(|i| low + width * i as f64).chain([high]).collect();
    let mut counts = vec![0; n_bins];
    for value in values {
        let bin = edges.partition_point(|edge| edge <= value);
        counts[bin.saturating_sub(1).min(n_bins - 1)] += 1;
    }
    (edges, counts)
}

/// The ROC curve from (0, 0) to (1, 1), and precision over recall from the highest threshold down.
fn curves(rows: &Classes) -> (Vec<CurvePoint>, Vec<CurvePoint>) {
    let n_positives = rows.actual.iter().filter(|code| **code == 1).count() as f64;
    let n_negatives = rows.actual.len() as f64 - n_positives;
    let (mut roc, mut precision_recall) = (vec![CurvePoint { x: 0.0, y: 0.0 }], Vec::new());
    let (mut found, mut wrong) = (0.0, 0.0);
    let same = |a: &usize, b: &usize| rows.score[*a].total_cmp(&rows.score[*b]).is_eq();
    for tied in rows.by_score.chunk_by(same).rev() {
        let positives = tied.iter().filter(|row| rows.actual[**row] == 1).count();
        found += positives as f64;
        wrong += (tied.len() - positives) as f64;
        roc.push(CurvePoint {
            x: wrong / n_negatives,
            y: found / n_positives,
        });
        precision_recall.push(CurvePoint {
            x: found / n_positives,
            y: found / (found + wrong),
        });
    }
    let roc = if n_positives > 0.0 && n_negatives > 0.0 {
        thin(&corners(&roc), MAX_POINTS)
    } else {
        Vec::new()
    };
    let precision_recall = if n_positives > 0.0 {
        thin(&precision_recall, MAX_POINTS)
    } else {
        Vec::new()
    };
    (roc, precision_recall)
}

/// Without the points that lie on a straight line between their neighbors, level or upright.
#[expect(clippy::float_cmp, reason = "equal shares of equal counts are equal")]
fn corners(points: &[CurvePoint]) -> Vec<CurvePoint> {
    let is_corner = |i: usize| match (i.checked_sub(1).and_then(|i| points.get(i)), points.get(i + 1)) {
        (Some(before), Some(after)) => {
            let upright = before.x == points[i].x && points[i].x == after.x;
            let level = before.y == points[i].y && points[i].y == after.y;
            !upright && !level
        }
        (None, _) | (_, None) => true,
    };
    (0..points.len()).filter(|i| is_corner(*i)).map(|i| points[i]).collect()
}

fn confusion(rows: &Classes, labels: &[String]) -> ConfusionMatrix {
    // Where each label goes: the most frequent ones in their order, the others into the last place.
    let mut place: Vec<usize> = (0..labels.len()).collect();
    let mut shown = labels.to_vec();
    if labels.len() > MAX_LABELS {
        let mut sizes = vec![0_usize; labels.len()];
        for code in &rows.actual {
            sizes[*code] += 1;
        }
        let mut by_size: Vec<usize> = (0..labels.len()).collect();
        by_size.sort_by(|a, b| sizes[*b].cmp(&sizes[*a]).then(a.cmp(b)));
        let mut kept = by_size[..MAX_LABELS - 1].to_vec();
        kept.sort_unstable();
        place = vec![MAX_LABELS - 1; labels.len()];
        for (to, label) in kept.iter().enumerate() {
            place[*label] = to;
        }
        shown = kept
            .iter()
            .map(|label| labels[*label].clone())
            .chain(["other".to_owned()])
            .collect();
    }
    let mut counts = vec![vec![0; shown.len()]; shown.len()];
    for (actual, predicted) in rows.actual.iter().zip(&rows.predicted) {
        counts[place[*actual]][place[*predicted]] += 1;
    }
    ConfusionMatrix { labels: shown, counts }
}

/// What a model that ignores every feature says on `n` rows: the mean of the training targets, or the most frequent
/// class (the first of equals) with the shares of the classes as probabilities. Without training rows 0, or the first
/// class with equal shares.
///
/// Source: scikit-learn's `DummyRegressor("mean")` and `DummyClassifier("prior")`. Oracle: the tests of this module.
pub fn baseline(train: &Truth, n: usize) -> Predictions {
    match train {
        Truth::Numbers(values) => {
            let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let mean = crate::stats::mean(&sorted);
            Predictions::Numbers(vec![if mean.is_finite() { mean } else { 0.0 }; n])
        }
        Truth::Classes { codes, labels } => {
            let mut counts = vec![0_u32; labels.len()];
            for code in codes {
                if let Some(count) = usize::try_from(*code).ok().and_then(|code| counts.get_mut(code)) {
                    *count += 1;
                }
            }
            let total: u32 = counts.iter().sum();
            let most = counts.iter().copied().max().unwrap_or(0);
            let code = counts.iter().position(|count| *count == most).unwrap_or(0);
            let share = |count: &u32| {
                if total > 0 {
                    f64::from(*count) / f64::from(total)
                } else {
                    1.0 / labels.len() as f64
                }
            };
            let shares: Vec<f64> = counts.iter().map(share).collect();
            Predictions::Classes {
                codes: vec![u32::try_from(code).unwrap_or(0); n],
                labels: labels.clone(),
                probabilities: shares.repeat(n),
            }
        }
    }
}
