//! What a classifier's own probabilities say about how good it is. Pure.

use serde::{Deserialize, Serialize};

use super::calibrate::{Isotonic, Place, needed};
use super::{Estimate, z};

/// Rows of which the truth is known: scores in [0, 1] and whether each is of the positive class.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    pub scores: &'a [f64],
    pub positive: &'a [bool],
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cbpe {
    /// Rows with a score.
    pub n: usize,
    /// Whether scores were made probabilities first, since that makes them more right on the reference.
    pub calibrated: bool,
    pub expected: Expected,
    /// `accuracy`, `precision`, `recall`, `f1`, `specificity`, `roc_auc`; without those that are not defined.
    pub estimates: Vec<Estimate>,
}

/// How many rows are expected in each cell of the confusion matrix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    pub true_positive: f64,
    pub false_positive: f64,
    pub false_negative: f64,
    pub true_negative: f64,
}

/// Estimates metrics of a two-class model on rows without truth, from its scores for the positive class.
///
/// `scores` in [0, 1]; NaN is left out. A row is called positive when its score is at least `threshold`. With a
/// reference, at least ten rows of each class, scores are calibrated on it if that lowers their expected calibration
/// error; `seed` makes the splits. Values are ratios of expected counts, in [0, 1]. The standard error is that of the
/// realized metric: the labels are independent draws by their probabilities, and after a calibration its own
/// uncertainty is added; of accuracy without a calibration it is √Σp(1 − p)/n. No result is NaN.
///
/// # Errors
/// No scores, or one outside [0, 1], for people.
///
/// Source: `NannyML`'s confidence-based performance estimation; standard errors by the delta method. Oracle:
/// `fixtures/drift/quality/*/cbpe.json`, and the coverage in the tests.
pub fn cbpe(reference: Option<Labelled<'_>>, scores: &[f64], threshold: f64, seed: u64) -> Result<Cbpe, String> {
    let scores: Vec<f64> = scores.iter().copied().filter(|score| !score.is_nan()).collect();
    if scores.is_empty() {
        return Err("the current rows have no scores".to_owned());
    }
    if let Some(score) = scores.iter().find(|score| !(0.0..=1.0).contains(*score)) {
        return Err(format!("a score of {score} is no probability"));
    }
    let isotonic = reference.and_then(|reference| {
        let known: Vec<usize> = (0..reference.scores.len())
            .filter(|row| reference.scores[*row].is_finite())
            .collect();
        let of: Vec<f64> = known.iter().map(|row| reference.scores[*row]).collect();
        let positive: Vec<bool> = known.iter().map(|row| reference.positive[*row]).collect();
        needed(&of, &positive, seed)
    });
    let rows = Rows::of(scores, threshold, isotonic);
    Ok(Cbpe {
        n: rows.p.len(),
        calibrated: rows.isotonic.is_some(),
        expected: rows.expected(),
        estimates: rows.estimates(),
    })
}

/// A metric, and what it gains by the label of each row: its derivative by the row's probability.
pub struct Metric {
    pub name: &'static str,
    pub value: f64,
    pub gains: Vec<f64>,
}

/// Rows by one class: its scores and probabilities, and whether each row is called to be of it.
pub struct Rows {
    scores: Vec<f64>,
    pub p: Vec<f64>,
    pub called: Vec<bool>,
    pub isotonic: Option<(Isotonic, Vec<Place>)>,
}

impl Rows {
    fn of(scores: Vec<f64>, threshold: f64, isotonic: Option<Isotonic>) -> Self {
        let called = scores.iter().map(|score| *score >= threshold).collect();
        Self::new(scores, called, isotonic)
    }

    pub fn new(scores: Vec<f64>, called: Vec<bool>, isotonic: Option<Isotonic>) -> Self {
        let isotonic = isotonic.map(|isotonic| {
            let places: Vec<Place> = scores.iter().map(|score| isotonic.place(*score)).collect();
            (isotonic, places)
        });
        let p = match &isotonic {
            Some((isotonic, places)) => places.iter().map(|place| isotonic.probability(*place)).collect(),
            None => scores.clone(),
        };
        Self {
            scores,
            p,
            called,
            isotonic,
        }
    }

    fn expected(&self) -> Expected {
        let sum = |called: bool, of: fn(f64) -> f64| -> f64 {
            let rows = self.p.iter().zip(&self.called).filter(|(_, other)| **other == called);
            rows.map(|(p, _)| of(*p)).sum()
        };
        Expected {
            true_positive: sum(true, |p| p),
            false_positive: sum(true, |p| 1.0 - p),
            false_negative: sum(false, |p| p),
            true_negative: sum(false, |p| 1.0 - p),
        }
    }

    fn estimates(&self) -> Vec<Estimate> {
        self.metrics().into_iter().map(|metric| self.estimate(metric)).collect()
    }

    pub fn metrics(&self) -> Vec<Metric> {
        let Expected {
            true_positive: tp,
            false_positive: fp,
            false_negative: missed,
            true_negative: tn,
        } = self.expected();
        // Each is a ratio; a label that turns positive adds to the counts above and below what the two pairs say: of a
        // row that is called positive, and of one that is not.
        let ratio = |name, above: f64, below: f64, called: (f64, f64), other: (f64, f64)| {
            let value = above / below;
            let gain = |(above, part): (f64, f64)| (above - value * part) / below;
            let gains = self
                .called
                .iter()
                .map(|is| gain(if *is { called } else { other }))
                .collect();
            (below > 0.0).then_some(Metric { name, value, gains })
        };
        let metrics = [
            ratio("accuracy", tp + tn, tp + fp + missed + tn, (1.0, 0.0), (-1.0, 0.0)),
            ratio("precision", tp, tp + fp, (1.0, 0.0), (0.0, 0.0)),
            ratio("recall", tp, tp + missed, (1.0, 1.0), (0.0, 1.0)),
            ratio("f1", 2.0 * tp, 2.0 * tp + fp + missed, (2.0, 1.0), (0.0, 1.0)),
            ratio("specificity", tn, tn + fp, (0.0, -1.0), (-1.0, -1.0)),
            self.roc_auc(),
        ];
        metrics.into_iter().flatten().collect()
    }

    fn roc_auc(&self) -> Option<Metric> {
        let positive: f64 = self.p.iter().sum();
        let negative: f64 = self.p.iter().map(|p| 1.0 - p).sum();
        if positive <= 0.0 || negative <= 0.0 {
            return None;
        }
        let mut order: Vec<usize> = (0..self.p.len()).collect();
        order.sort_by(|a, b| self.scores[*a].total_cmp(&self.scores[*b]));
        let mut gains = vec![0.0; self.p.len()];
        let (mut u, mut positive_below, mut negative_below) = (0.0, 0.0, 0.0);
        #[expect(clippy::float_cmp, reason = "a tie is exact equality")]
        let groups = order.chunk_by(|a, b| self.scores[*a] == self.scores[*b]);
        for tied in groups {
            let hits: f64 = tied.iter().map(|row| self.p[*row]).sum();
            let misses = tied.len() as f64 - hits;
            let below = negative_below + 0.5 * misses;
            let above = positive - positive_below - 0.5 * hits;
            u += hits * below;
            for row in tied {
                gains[*row] = (below - above) / (positive * negative);
            }
            positive_below += hits;
            negative_below += misses;
        }
        let value = u / (positive * negative);
        let shift = value * (1.0 / positive - 1.0 / negative);
        for gain in &mut gains {
            *gain -= shift;
        }
        Some(Metric {
            name: "roc_auc",
            value,
            gains,
        })
    }

    fn estimate(&self, metric: Metric) -> Estimate {
        let Metric { name, value, gains } = metric;
        let drawn = gains
            .iter()
            .zip(&self.p)
            .map(|(gain, p)| gain * gain * p * (1.0 - p))
            .sum::<f64>();
        interval(name, value, drawn + self.learned(&gains))
    }

    /// The variance that the calibration adds: each of its blocks is a share of so many reference rows.
    pub fn learned(&self, gains: &[f64]) -> f64 {
        let Some((isotonic, places)) = &self.isotonic else {
            return 0.0;
        };
        let mut weights = vec![0.0; isotonic.n_blocks() + 1];
        for (gain, place) in gains.iter().zip(places) {
            weights[place.at] += gain * (1.0 - place.next);
            weights[place.at + 1] += gain * place.next;
        }
        let blocks = weights.iter().take(isotonic.n_blocks()).enumerate();
        blocks
            .map(|(block, weight)| weight * weight * isotonic.variance(block))
            .sum()
    }
}

/// A share with an interval of 95 % within [0, 1].
pub fn interval(metric: &str, value: f64, variance: f64) -> Estimate {
    let standard_error = variance.max(0.0).sqrt();
    let value = value.clamp(0.0, 1.0);
    let margin = z() * standard_error;
    Estimate {
        metric: metric.to_owned(),
        value,
        standard_error,
        lower: (value - margin).max(0.0),
        upper: (value + margin).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::Rng;

    fn of<'a>(found: &'a Cbpe, metric: &str) -> &'a Estimate {
        found
            .estimates
            .iter()
            .find(|estimate| estimate.metric == metric)
            .unwrap()
    }

    #[test]
    fn agrees_with_the_definition() {
        let expected: Value = serde_json::from_str(include_str!(
            "../../../fixtures/drift/quality/breast-cancer-binary/cbpe.json"
        ))
        .unwrap();
        let (scores, labels) = read(include_str!(
            "../../../fixtures/drift/quality/breast-cancer-binary/current.csv"
        ));
        let found = cbpe(None, &scores, 0.5, 0).unwrap();
        let near = |found: f64, expected: &Value| {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-9 * expected, "{found} {expected}");
        };
        let estimated = &expected["estimated"];
        for estimate in &found.estimates {
            near(estimate.value, &estimated[&estimate.metric]);
        }
        assert_eq!(found.estimates.len(), 6);
        near(found.expected.true_positive, &estimated["expected_tp"]);
        near(found.expected.false_positive, &estimated["expected_fp"]);
        near(found.expected.false_negative, &estimated["expected_fn"]);
        near(found.expected.true_negative, &estimated["expected_tn"]);
        near(
            of(&found, "accuracy").standard_error,
            &expected["accuracy_standard_error"],
        );
        for estimate in realized(&scores, &labels) {
            if let Some(expected) = expected["realized"][&estimate.metric].as_f64() {
                assert!((estimate.value - expected).abs() < 1e-12, "{estimate:?}");
            }
        }
    }

    /// Scores and labels of a file.
    fn read(text: &str) -> (Vec<f64>, Vec<bool>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let place = |name: &str| header.iter().position(|other| other == name).unwrap();
        let (score, label) = (place("proba"), place("target"));
        let row = |record: csv::StringRecord| (record[score].parse::<f64>().unwrap(), &record[label] == "1");
        reader.records().map(|record| row(record.unwrap())).unzip()
    }

    /// The metrics of rows of which the labels are known.
    fn realized(scores: &[f64], labels: &[bool]) -> Vec<Estimate> {
        let mut rows = Rows::of(scores.to_vec(), 0.5, None);
        rows.p = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        rows.estimates()
    }

    /// Scores that are a power of their probability, and labels.
    fn draw(rng: &mut Rng, n: usize, power: f64) -> (Vec<f64>, Vec<bool>) {
        let p: Vec<f64> = (0..n).map(|_| rng.unit()).collect();
        let labels = p.iter().map(|p| rng.unit() < *p).collect();
        (p.iter().map(|p| p.powf(power)).collect(), labels)
    }

    /// Of so many runs, in how many each metric was in its interval.
    fn coverage(n_runs: u64, n_reference: usize, n_current: usize, power: f64) -> Vec<u64> {
        let mut inside = vec![0; 6];
        for run in 0..n_runs {
            let mut rng = Rng::derive(run, "coverage");
            let (reference, truth) = draw(&mut rng, n_reference, power);
            let (scores, labels) = draw(&mut rng, n_current, power);
            let reference = Labelled {
                scores: &reference,
                positive: &truth,
            };
            let found = cbpe(Some(reference), &scores, 0.5, run).unwrap();
            let pairs = found.estimates.iter().zip(realized(&scores, &labels));
            for (inside, (estimate, realized)) in inside.iter_mut().zip(pairs) {
                *inside += u64::from((estimate.lower..=estimate.upper).contains(&realized.value));
            }
        }
        inside
    }

    /// With 600 runs, on rows of this and other laws, between 92.5 and 98 % are inside; without a calibration between 94
    /// and 97.5 %.
    #[test]
    fn intervals_hold_what_they_promise() {
        for (n_reference, power) in [(0, 1.0), (300, 1.0), (300, 0.5)] {
            let inside = coverage(150, n_reference, 150, power);
            // Fewer than 134 of 150 would be one in a thousand if 95 % are inside.
            assert!(
                inside.iter().all(|inside| *inside >= 134),
                "{n_reference} {power}: {inside:?}"
            );
        }
    }

    #[test]
    fn scores_that_are_no_probabilities_are_put_right() {
        let mut rng = Rng::derive(1, "cbpe");
        let (reference, truth) = draw(&mut rng, 3000, 0.4);
        let (scores, labels) = draw(&mut rng, 3000, 0.4);
        let reference = Labelled {
            scores: &reference,
            positive: &truth,
        };
        let (raw, found) = (
            cbpe(None, &scores, 0.5, 0).unwrap(),
            cbpe(Some(reference), &scores, 0.5, 0).unwrap(),
        );
        let realized = realized(&scores, &labels)[0].value;
        assert!(found.calibrated && !raw.calibrated);
        assert!((of(&raw, "accuracy").value - realized).abs() > 0.05);
        assert!((of(&found, "accuracy").value - realized).abs() < 0.02);
        // What was learned is not certain either.
        let drawn = |found: &Cbpe| of(found, "accuracy").standard_error;
        assert!(drawn(&found) > drawn(&raw));
    }

    #[test]
    fn what_is_not_defined_is_left_out() {
        let names = |scores: &[f64]| -> Vec<String> {
            let found = cbpe(None, scores, 0.5, 0).unwrap();
            found.estimates.into_iter().map(|estimate| estimate.metric).collect()
        };
        assert_eq!(
            names(&[0.1, 0.2]),
            ["accuracy", "recall", "f1", "specificity", "roc_auc"]
        );
        assert_eq!(names(&[0.0, f64::NAN]), ["accuracy", "specificity"]);
        assert_eq!(names(&[1.0]), ["accuracy", "precision", "recall", "f1"]);
        assert_eq!(
            cbpe(None, &[f64::NAN], 0.5, 0).unwrap_err(),
            "the current rows have no scores"
        );
        assert_eq!(
            cbpe(None, &[0.5, 1.5], 0.5, 0).unwrap_err(),
            "a score of 1.5 is no probability"
        );
    }

    proptest! {
        /// A gain is what a metric changes by with the probability of one row.
        #[test]
        fn gains_are_derivatives(scores in prop::collection::vec(0.05..0.95_f64, 2..20), row in 0..20_usize) {
            let row = row % scores.len();
            let at = |change: f64| {
                let mut rows = Rows::of(scores.clone(), 0.5, None);
                rows.p[row] += change;
                rows
            };
            let (before, after) = (at(-1e-5).metrics(), at(1e-5).metrics());
            for (metric, (before, after)) in at(0.0).metrics().iter().zip(before.iter().zip(&after)) {
                let slope = (after.value - before.value) / 2e-5;
                prop_assert!((metric.gains[row] - slope).abs() < 1e-5, "{}: {} {}", metric.name, metric.gains[row], slope);
            }
        }

        #[test]
        fn results_are_in_range(
            scores in prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), Just(1e-300), 0.0..1.0_f64], 1..60),
            reference in prop::collection::vec((0.0..=1.0_f64, any::<bool>()), 0..80),
        ) {
            let (known, positive): (Vec<f64>, Vec<bool>) = reference.into_iter().unzip();
            let found = cbpe(Some(Labelled { scores: &known, positive: &positive }), &scores, 0.5, 3).unwrap();
            for Estimate { value, standard_error, lower, upper, .. } in found.estimates {
                prop_assert!(0.0 <= lower && lower <= value && value <= upper && upper <= 1.0);
                prop_assert!(standard_error.is_finite());
            }
        }
    }
}
