//! What a model is expected to be worth on rows without truth, beside what it was worth where the truth is known. Pure.

use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;

use super::many::{Known, many};
use super::{Answers, DleInput, Estimate, Expected, Labelled, cbpe, dle};
use crate::drift::multivariate::Feature;
use crate::stats::{Rng, normal_quantile};

/// The fewest rows with truth that an estimate is made from, and the fewest without that it is made for.
pub const MIN_ROWS: [usize; 2] = [50, 30];
/// From this score on a row is called positive.
pub const THRESHOLD: f64 = 0.5;
/// The chance of any false alarm among the metrics.
const ALPHA: f64 = 0.05;
/// Draws for the uncertainty of what the reference says.
const N_DRAWS: usize = 200;
/// Of more rows of the reference a sample is judged: each draw takes all of them, for every metric and class.
pub const MAX_JUDGED: usize = 20_000;
/// So many rows of a class are in the sample, however many classes there are.
const MIN_SAMPLED: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// From a classifier's own probabilities.
    Cbpe,
    /// From what a second model says about the errors of the first.
    Dle,
}

/// How good the model is expected to be where nobody knows the answers yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimated {
    pub method: Method,
    /// Rows of the reference with known answers, and rows that the estimate is for.
    pub rows: [u64; 2],
    /// Whether scores were made probabilities first.
    #[serde(default)]
    pub calibrated: bool,
    /// The confusion matrix that is expected, in rows; of two classes.
    #[serde(default)]
    pub expected: Option<Expected>,
    pub metrics: Vec<EstimatedMetric>,
    /// Whether any metric is surely worse than it was.
    pub alert: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EstimatedMetric {
    #[serde(flatten)]
    pub estimate: Estimate,
    /// What the metric is on the reference, where it is defined.
    #[serde(default)]
    pub reference: Option<f64>,
    /// Whether the reference's value is better than the interval and the doubt about both leave possible.
    pub alert: bool,
}

impl Estimated {
    /// The metrics that are surely worse.
    pub fn worse(&self) -> impl Iterator<Item = &EstimatedMetric> {
        self.metrics.iter().filter(|metric| metric.alert)
    }
}

/// Of a classifier with two classes; `scores` in [0, 1] for the positive one, NaN unknown.
///
/// A metric alerts when the reference's value is outside of the interval on the better side, and better by more than the
/// standard errors of both explain, one-sided at 5 % for all metrics together (Bonferroni). The reference's is that of 200
/// bootstrap draws. Of a reference with more than 20 000 rows of known truth its value and that error are those of a sample
/// of so many, which `seed` draws: of every class as many as of the others, or all that there are, each row weighed by the
/// rows that it stands for.
///
/// # Errors
/// Too few rows, or a score that is no probability, for people.
pub fn estimate_classes(reference: Labelled<'_>, scores: &[f64], seed: u64) -> Result<Estimated, String> {
    let mut known: Vec<(f64, bool)> = reference
        .scores
        .iter()
        .copied()
        .zip(reference.positive.iter().copied())
        .filter(|(score, _)| score.is_finite())
        .collect();
    enough(known.len(), scores.iter().filter(|score| !score.is_nan()).count())?;
    let found = cbpe(Some(reference), scores, THRESHOLD, seed)?;
    known.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rows = [known.len() as u64, found.n as u64];
    let sample = sampled(&known, |row| row.1, seed);
    let judged = Judged {
        realized: Realized::Classes(sample.iter().map(|(row, _)| known[*row]).collect()),
        weights: sample.into_iter().map(|(_, weight)| weight).collect(),
    };
    Ok(joined(Method::Cbpe, rows, found.estimates, &judged, seed).with(found.calibrated, found.expected))
}

/// Of a classifier with more than two classes; `truth` is the class of each reference row, as its place among the model's.
///
/// Alerts as [`estimate_classes`] does.
///
/// # Errors
/// Too few rows, or a score that is no probability, for people.
pub fn estimate_many(
    reference: Answers<'_>,
    truth: &[u32],
    current: Answers<'_>,
    seed: u64,
) -> Result<Estimated, String> {
    enough(reference.called.len(), current.called.len())?;
    let (found, known) = many(reference, truth, current, seed)?;
    enough(found.n[0], found.n[1])?;
    let judged = Judged {
        weights: known.stands_for().to_vec(),
        realized: Realized::Many(known),
    };
    let joined = joined(Method::Cbpe, found.n.map(|n| n as u64), found.estimates, &judged, seed);
    Ok(Estimated {
        calibrated: found.calibrated,
        ..joined
    })
}

/// Of a model of numbers: `predictions` and `errors` as [`DleInput`] has them.
///
/// Alerts as [`estimate_classes`] does.
///
/// # Errors
/// Too few rows, for people.
pub fn estimate_numbers(
    features: &[Feature<'_>],
    predictions: [&[f64]; 2],
    errors: &[f64],
    seed: u64,
) -> Result<Estimated, String> {
    let known: Vec<f64> = errors.iter().copied().filter(|error| error.is_finite()).collect();
    enough(known.len(), predictions[1].len())?;
    let found = dle(&DleInput {
        features,
        predictions,
        errors,
        seed,
    })?;
    let sample = sampled(&known, |_| (), seed);
    let judged = Judged {
        realized: Realized::Numbers(sample.iter().map(|(row, _)| known[*row]).collect()),
        weights: sample.into_iter().map(|(_, weight)| weight).collect(),
    };
    let rows = found.n.map(|n| n as u64);
    Ok(joined(Method::Dle, rows, found.estimates, &judged, seed))
}

/// At most [`MAX_JUDGED`] rows, ascending, each with how many rows it stands for: all, or of each class as many as of the
/// others, so that the rows of a rare one are not lost.
pub fn sampled<T, C: Ord>(rows: &[T], class: impl Fn(&T) -> C, seed: u64) -> Vec<(usize, f64)> {
    if rows.len() <= MAX_JUDGED {
        return (0..rows.len()).map(|row| (row, 1.0)).collect();
    }
    let mut classes: BTreeMap<C, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        classes.entry(class(row)).or_default().push(at);
    }
    let most = (MAX_JUDGED / classes.len()).max(MIN_SAMPLED);
    let mut rng = Rng::derive(seed, "judged");
    let mut sample = Vec::new();
    for mut rows in classes.into_values() {
        let n = rows.len();
        if n > most {
            rng.shuffle(&mut rows);
            rows.truncate(most);
        }
        let weight = n as f64 / rows.len() as f64;
        sample.extend(rows.into_iter().map(|row| (row, weight)));
    }
    sample.sort_unstable_by_key(|(row, _)| *row);
    sample
}

fn enough(n_reference: usize, n_current: usize) -> Result<(), String> {
    if n_reference < MIN_ROWS[0] {
        return Err(format!(
            "the truth of {n_reference} reference rows is known, and {} are needed",
            MIN_ROWS[0]
        ));
    }
    if n_current < MIN_ROWS[1] {
        return Err(format!(
            "{n_current} rows without truth have a prediction, and {} are needed",
            MIN_ROWS[1]
        ));
    }
    Ok(())
}

fn joined(method: Method, rows: [u64; 2], estimates: Vec<Estimate>, judged: &Judged, seed: u64) -> Estimated {
    let z = normal_quantile(1.0 - ALPHA / estimates.len().max(1) as f64);
    let metrics: Vec<EstimatedMetric> = estimates
        .into_iter()
        .map(|estimate| {
            let known = judged.metric(&estimate.metric, seed);
            EstimatedMetric {
                alert: known.is_some_and(|known| is_worse(method, &estimate, known, z)),
                reference: known.map(|(value, _)| value),
                estimate,
            }
        })
        .collect();
    Estimated {
        method,
        rows,
        calibrated: false,
        expected: None,
        alert: metrics.iter().any(|metric| metric.alert),
        metrics,
    }
}

/// Whether the reference's value, with its standard error, is surely better than the estimate.
fn is_worse(method: Method, estimate: &Estimate, (value, error): (f64, f64), z: f64) -> bool {
    let doubt = z * estimate.standard_error.hypot(error);
    match method {
        // Shares of right answers.
        Method::Cbpe => value > estimate.upper && value - estimate.value > doubt,
        // Errors.
        Method::Dle => value < estimate.lower && estimate.value - value > doubt,
    }
}

impl Estimated {
    fn with(self, calibrated: bool, expected: Expected) -> Self {
        Self {
            calibrated,
            expected: Some(expected),
            ..self
        }
    }
}

/// Rows of which the truth is known.
enum Realized {
    /// Scores, ascending, and whether each row is positive.
    Classes(Vec<(f64, bool)>),
    /// Of more than two classes.
    Many(Known),
    /// Prediction less truth.
    Numbers(Vec<f64>),
}

/// Those that are judged, each with how many rows it stands for.
struct Judged {
    realized: Realized,
    weights: Vec<f64>,
}

impl Judged {
    /// The metric and its standard error; nothing where it is not defined.
    fn metric(&self, name: &str, seed: u64) -> Option<(f64, f64)> {
        let value = self.realized.weighted(name, &self.weights)?;
        let n = self.weights.len();
        let mut rng = Rng::derive(seed, name);
        let mut drawn = Vec::with_capacity(N_DRAWS);
        for _ in 0..N_DRAWS {
            let mut weights = vec![0.0; n];
            for _ in 0..n {
                let row = rng.below(n);
                weights[row] += self.weights[row];
            }
            drawn.extend(self.realized.weighted(name, &weights));
        }
        let center = crate::stats::mean(&drawn);
        let unit = drawn.iter().fold(0.0_f64, |a, x| a.max((x - center).abs()));
        if unit <= 0.0 {
            return Some((value, 0.0));
        }
        // Squares of great errors must not overflow, nor those of tiny ones vanish.
        let squares: f64 = drawn.iter().map(|x| ((x - center) / unit).powi(2)).sum();
        Some((value, unit * (squares / drawn.len() as f64).sqrt()))
    }
}

impl Realized {
    fn weighted(&self, name: &str, weights: &[f64]) -> Option<f64> {
        let value = match self {
            Self::Classes(rows) => of_classes(name, rows, weights)?,
            Self::Many(known) => known.weighted(name, weights)?,
            Self::Numbers(errors) => of_numbers(name, errors, weights)?,
        };
        value.is_finite().then_some(value)
    }
}

fn of_numbers(name: &str, errors: &[f64], weights: &[f64]) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    let greatest = errors.iter().fold(0.0_f64, |a, error| a.max(error.abs()));
    let unit = if greatest > 0.0 { greatest } else { 1.0 };
    let mean = |power: i32| -> f64 {
        let parts = errors.iter().zip(weights);
        parts
            .map(|(error, weight)| weight * (error / unit).abs().powi(power))
            .sum::<f64>()
            / total
    };
    match name {
        "mae" => Some(mean(1) * unit),
        "mse" => Some(mean(2) * unit * unit),
        "rmse" => Some(mean(2).sqrt() * unit),
        _ => None,
    }
}

/// `rows` ascend by score.
fn of_classes(name: &str, rows: &[(f64, bool)], weights: &[f64]) -> Option<f64> {
    if name == "roc_auc" {
        return roc_auc(rows, weights);
    }
    // By truth and by what is said, positive last.
    let mut counts = [[0.0; 2]; 2];
    for ((score, positive), weight) in rows.iter().zip(weights) {
        counts[usize::from(*positive)][usize::from(*score >= THRESHOLD)] += weight;
    }
    let [[tn, fp], [missed, tp]] = counts;
    let (above, below) = match name {
        "accuracy" => (tp + tn, tp + tn + fp + missed),
        "precision" => (tp, tp + fp),
        "recall" => (tp, tp + missed),
        "f1" => (2.0 * tp, 2.0 * tp + fp + missed),
        "specificity" => (tn, tn + fp),
        _ => return None,
    };
    (below > 0.0).then(|| above / below)
}

/// `rows` ascend by score.
pub fn roc_auc(rows: &[(f64, bool)], weights: &[f64]) -> Option<f64> {
    let (mut u, mut seen, mut at) = (0.0, [0.0; 2], 0);
    #[expect(clippy::float_cmp, reason = "a tie is exact equality")]
    let groups = rows.chunk_by(|a, b| a.0 == b.0);
    for tied in groups {
        let mut here = [0.0; 2];
        for ((_, positive), weight) in tied.iter().zip(&weights[at..]) {
            here[usize::from(*positive)] += weight;
        }
        at += tied.len();
        u += here[1] * (seen[0] + 0.5 * here[0]);
        seen = [seen[0] + here[0], seen[1] + here[1]];
    }
    (seen[0] > 0.0 && seen[1] > 0.0).then(|| u / (seen[0] * seen[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::multivariate::Cells;

    /// Scores with labels drawn by them: a model that knows how sure it is.
    fn draw(rng: &mut Rng, n: usize, spread: f64) -> (Vec<f64>, Vec<bool>) {
        let scores: Vec<f64> = (0..n).map(|_| 0.5 + spread * (rng.unit() - 0.5)).collect();
        let positive = scores.iter().map(|score| rng.unit() < *score).collect();
        (scores, positive)
    }

    #[test]
    fn realized_metrics_are_those_of_a_table_by_hand() {
        let rows = vec![(0.1, false), (0.4, true), (0.4, false), (0.6, false), (0.9, true)];
        let realized = Realized::Classes(rows);
        let of = |name| realized.weighted(name, &[1.0; 5]).unwrap();
        for (name, expected) in [
            ("accuracy", 0.6),
            ("precision", 0.5),
            ("recall", 0.5),
            ("f1", 0.5),
            ("specificity", 2.0 / 3.0),
            // Of six pairs the first positive wins one, ties one and loses one; the second wins all three.
            ("roc_auc", 4.5 / 6.0),
        ] {
            assert!((of(name) - expected).abs() < 1e-12, "{name}");
        }
        let realized = Realized::Numbers(vec![3.0, -4.0]);
        assert_eq!(realized.weighted("mae", &[1.0; 2]), Some(3.5));
        assert_eq!(realized.weighted("mse", &[1.0; 2]), Some(12.5));
        assert!(realized.weighted("accuracy", &[1.0; 2]).is_none());
    }

    #[test]
    fn of_many_rows_a_sample_is_judged_that_keeps_rare_classes() {
        let is_rare = |row: &usize| row.is_multiple_of(600);
        let rows: Vec<usize> = (0..60_000).collect();
        let few = sampled(&rows[..MAX_JUDGED], is_rare, 0);
        assert!(few.iter().enumerate().all(|(at, kept)| *kept == (at, 1.0)) && few.len() == MAX_JUDGED);
        let sample = sampled(&rows, is_rare, 0);
        assert!(sample.is_sorted_by(|a, b| a.0 < b.0));
        let (rare, usual): (Vec<_>, Vec<_>) = sample.iter().partition(|(row, _)| is_rare(row));
        assert_eq!((rare.len(), usual.len()), (100, MAX_JUDGED / 2));
        assert!(rare.iter().all(|(_, weight)| (weight - 1.0).abs() < 1e-12));
        let total: f64 = sample.iter().map(|(_, weight)| weight).sum();
        assert!((total - 60_000.0).abs() < 1e-6, "{total}");
        assert!(sample == sampled(&rows, is_rare, 0) && sample != sampled(&rows, is_rare, 1));
    }

    /// The value of a sample is within its own doubt of that of all rows.
    #[test]
    fn a_sample_says_what_all_rows_say() {
        let mut rng = Rng::derive(6, "sample");
        let mut rows: Vec<(f64, bool)> = (0..60_000)
            .map(|row| {
                let positive = row % 100 == 0;
                (0.3 * rng.unit() + if positive { 0.35 } else { 0.25 }, positive)
            })
            .collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sample = sampled(&rows, |row| row.1, 0);
        let judged = Judged {
            realized: Realized::Classes(sample.iter().map(|(row, _)| rows[*row]).collect()),
            weights: sample.iter().map(|(_, weight)| *weight).collect(),
        };
        let all = vec![1.0; rows.len()];
        for name in ["accuracy", "precision", "recall", "roc_auc"] {
            let whole = of_classes(name, &rows, &all).unwrap();
            let (value, error) = judged.metric(name, 0).unwrap();
            assert!(error > 0.0 && error < 0.03, "{name}: {error}");
            assert!((value - whole).abs() <= 3.0 * error, "{name}: {value} {whole} {error}");
        }
    }

    #[test]
    fn less_sure_scores_alert_and_surer_ones_do_not() {
        let mut rng = Rng::derive(1, "classes");
        let (scores, positive) = draw(&mut rng, 400, 1.0);
        let reference = Labelled {
            scores: &scores,
            positive: &positive,
        };
        let (unsure, _) = draw(&mut rng, 300, 0.4);
        let found = estimate_classes(reference, &unsure, 0).unwrap();
        assert!(
            found.alert && found.method == Method::Cbpe && found.rows == [400, 300],
            "{found:?}"
        );
        assert!(found.worse().any(|metric| metric.estimate.metric == "accuracy"));
        let sure: Vec<f64> = scores
            .iter()
            .map(|score| if *score < 0.5 { 0.03 } else { 0.97 })
            .collect();
        assert!(!estimate_classes(reference, &sure, 0).unwrap().alert);
    }

    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        let mut rng = Rng::derive(2, "alike");
        let alarms = (0..100).filter(|seed| {
            let (scores, positive) = draw(&mut rng, 100, 1.0);
            let (current, _) = draw(&mut rng, 100, 1.0);
            let reference = Labelled {
                scores: &scores,
                positive: &positive,
            };
            estimate_classes(reference, &current, *seed).unwrap().alert
        });
        // More than 11 of 100 would be one in two hundred if they are one in twenty.
        assert!(alarms.count() <= 11);
    }

    #[test]
    fn greater_errors_where_a_feature_is_great_alert() {
        let mut rng = Rng::derive(3, "numbers");
        let x = [(0..300).map(|_| rng.unit()).collect::<Vec<_>>(), vec![0.95; 200]];
        let errors: Vec<f64> = x[0].iter().map(|x| (rng.unit() - 0.5) * x).collect();
        let predictions = [vec![1.0; 300], vec![1.0; 200]];
        let estimate = |current: &[f64]| {
            let feature = Feature {
                name: "x",
                reference: Cells::Numbers(&x[0]),
                current: Cells::Numbers(current),
            };
            let of = [predictions[0].as_slice(), &predictions[1][..current.len()]];
            estimate_numbers(&[feature], of, &errors, 0)
        };
        let found = estimate(&x[1]).unwrap();
        assert!(found.alert && found.method == Method::Dle, "{found:?}");
        assert!(!estimate(&x[0][..200]).unwrap().alert);
        assert_eq!(
            estimate(&x[1][..29]).unwrap_err(),
            "29 rows without truth have a prediction, and 30 are needed"
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let (scores, positive) = draw(&mut Rng::derive(4, "written"), 100, 1.0);
        let reference = Labelled {
            scores: &scores,
            positive: &positive,
        };
        let found = estimate_classes(reference, &scores, 0).unwrap();
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Estimated>(&text).unwrap(), found);
    }
}
