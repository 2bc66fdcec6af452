//! What a classifier's own probabilities of more than two classes say about how good it is: one class against the rest. Pure.

use super::Estimate;
use super::calibrate::{Isotonic, needed};
use super::cbpe::{Metric, Rows, interval};
use super::estimated::{roc_auc, sampled};

/// A class of which fewer rows are expected, or were there in the reference, is in no mean over classes: there it would
/// be one row that is right or wrong.
const MIN_CLASS: f64 = 5.0;
/// The metric of one class, and what the mean over classes is called.
const MEANS: [(&str, &str); 4] = [
    ("precision", "precision_macro"),
    ("recall", "recall_macro"),
    ("f1", "f1_macro"),
    ("roc_auc", "roc_auc_macro"),
];

/// What a model says of some rows: n × `n_classes` probabilities, row by row, and the class that it calls each row.
#[derive(Debug, Clone, Copy)]
pub struct Answers<'a> {
    pub n_classes: usize,
    pub probabilities: &'a [f64],
    pub called: &'a [u32],
}

/// Estimates of metrics on rows without truth.
pub struct Many {
    /// Rows of the reference with known scores, and current ones.
    pub n: [usize; 2],
    /// Whether any class was calibrated.
    pub calibrated: bool,
    /// `accuracy`, `precision_macro`, `recall_macro`, `f1_macro`, `roc_auc_macro`; without those that are not defined.
    pub estimates: Vec<Estimate>,
}

/// Rows of which the truth is known, or a sample of them.
pub struct Known {
    /// Of each row, how many it stands for.
    stands_for: Vec<f64>,
    /// Of each class the rows by ascending score.
    classes: Vec<Vec<KnownRow>>,
    /// The classes that means are over.
    meant: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct KnownRow {
    row: usize,
    score: f64,
    is: bool,
    is_called: bool,
}

impl Answers<'_> {
    /// The rows of which every probability is known.
    fn known(&self) -> Result<Vec<usize>, String> {
        let mut known = Vec::new();
        for (row, probabilities) in self.probabilities.chunks_exact(self.n_classes.max(1)).enumerate() {
            if probabilities.iter().any(|p| p.is_nan()) {
                continue;
            }
            if let Some(p) = probabilities.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                return Err(format!("a score of {p} is no probability"));
            }
            known.push(row);
        }
        Ok(known)
    }

    fn score(&self, row: usize, class: usize) -> f64 {
        self.probabilities[row * self.n_classes + class]
    }

    fn is_called(&self, row: usize, class: usize) -> bool {
        self.called.get(row).is_some_and(|called| *called as usize == class)
    }
}

/// Estimates metrics of a model of several classes on rows without truth.
///
/// `truth` is the class of each row of the reference, as its place among the model's; one that the model does not know is
/// beyond them. Scores of each class are calibrated on the reference if that makes them more right, and then sum to 1 again.
/// Accuracy is the mean probability of the class that is called; the others are means over the classes that at least five
/// rows of each side are of, or are expected to be. A class that is never called has a precision of 0. Of a reference with
/// more than 20 000 rows, scores are calibrated on all, and metrics are judged by a sample of so many, which `seed` draws.
///
/// # Errors
/// No rows, or a score outside [0, 1], for people.
///
/// Source: `NannyML`'s confidence-based performance estimation, one class against the rest; standard errors by the delta
/// method for draws of one class a row. Oracle: the coverage in the tests.
pub fn many(reference: Answers<'_>, truth: &[u32], current: Answers<'_>, seed: u64) -> Result<(Many, Known), String> {
    let (known, rows) = (reference.known()?, current.known()?);
    if rows.is_empty() {
        return Err("the current rows have no scores".to_owned());
    }
    let isotonics = (0..current.n_classes).map(|class| {
        let scores: Vec<f64> = known.iter().map(|row| reference.score(*row, class)).collect();
        let positive: Vec<bool> = known.iter().map(|row| truth[*row] as usize == class).collect();
        needed(&scores, &positive, seed)
    });
    let table = Table::of(current, &rows, isotonics.collect());
    let n = [known.len(), rows.len()];
    let (judged, stands_for): (Vec<usize>, Vec<f64>) = sampled(&known, |row| truth[*row], seed)
        .into_iter()
        .map(|(at, weight)| (known[at], weight))
        .unzip();
    let mut known = Known::of(reference, &judged, truth, stands_for);
    known
        .meant
        .retain(|class| table.classes[*class].p.iter().sum::<f64>() >= MIN_CLASS);
    let found = Many {
        n,
        calibrated: table.classes.iter().any(|class| class.isotonic.is_some()),
        estimates: table.estimates(&known.meant),
    };
    Ok((found, known))
}

/// Current rows, each class against the rest.
struct Table {
    classes: Vec<Rows>,
    /// Of each row: the sum of its calibrated scores, by which they were divided.
    sums: Vec<f64>,
}

/// A metric, and what it gains by each row being of a class; no gains: none.
struct Mean {
    name: &'static str,
    value: f64,
    gains: Vec<Vec<f64>>,
}

impl Table {
    fn of(answers: Answers<'_>, rows: &[usize], isotonics: Vec<Option<Isotonic>>) -> Self {
        let mut classes: Vec<Rows> = isotonics
            .into_iter()
            .enumerate()
            .map(|(class, isotonic)| {
                let scores = rows.iter().map(|row| answers.score(*row, class)).collect();
                let called = rows.iter().map(|row| answers.is_called(*row, class)).collect();
                Rows::new(scores, called, isotonic)
            })
            .collect();
        let sums: Vec<f64> = (0..rows.len())
            .map(|row| classes.iter().map(|class| class.p[row]).sum())
            .collect();
        let evenly = 1.0 / classes.len().max(1) as f64;
        for class in &mut classes {
            for (p, sum) in class.p.iter_mut().zip(&sums) {
                *p = if *sum > 0.0 { *p / sum } else { evenly };
            }
        }
        Self { classes, sums }
    }

    fn estimates(&self, meant: &[usize]) -> Vec<Estimate> {
        let mut means = vec![self.accuracy()];
        if meant.len() > 1 {
            means.extend(self.means(meant));
        }
        means.into_iter().map(|mean| self.estimate(&mean)).collect()
    }

    fn accuracy(&self) -> Mean {
        let n = self.sums.len() as f64;
        let gains: Vec<Vec<f64>> = self
            .classes
            .iter()
            .map(|class| class.called.iter().map(|is| f64::from(u8::from(*is)) / n).collect())
            .collect();
        let of_class =
            |(class, gains): (&Rows, &Vec<f64>)| -> f64 { class.p.iter().zip(gains).map(|(p, gain)| p * gain).sum() };
        Mean {
            name: "accuracy",
            value: self.classes.iter().zip(&gains).map(of_class).sum(),
            gains,
        }
    }

    fn means(&self, meant: &[usize]) -> Vec<Mean> {
        let share = 1.0 / meant.len() as f64;
        let mut means = MEANS.map(|(_, name)| Mean {
            name,
            value: 0.0,
            gains: vec![Vec::new(); self.classes.len()],
        });
        for class in meant {
            for Metric { name, value, mut gains } in self.classes[*class].metrics() {
                let Some(at) = MEANS.iter().position(|(one, _)| *one == name) else {
                    continue;
                };
                for gain in &mut gains {
                    *gain *= share;
                }
                means[at].value += share * value;
                means[at].gains[*class] = gains;
            }
        }
        means.into()
    }

    fn estimate(&self, mean: &Mean) -> Estimate {
        let gain = |class: usize, row: usize| mean.gains[class].get(row).copied().unwrap_or(0.0);
        // What a row gains on average, and the variance of what it gains.
        let mut usual = vec![0.0; self.sums.len()];
        let mut variance = 0.0;
        for (row, usual) in usual.iter_mut().enumerate() {
            let parts = self.classes.iter().enumerate();
            let (first, second) = parts.fold((0.0, 0.0), |(first, second), (at, class)| {
                let part = class.p[row] * gain(at, row);
                (first + part, second + part * gain(at, row))
            });
            *usual = first;
            variance += second - first * first;
        }
        // A score that is greater makes those of the other classes smaller, as they sum to 1.
        for (at, class) in self
            .classes
            .iter()
            .enumerate()
            .filter(|(_, class)| class.isotonic.is_some())
        {
            let rows = usual.iter().zip(&self.sums).enumerate();
            let gains: Vec<f64> = rows
                .map(|(row, (usual, sum))| if *sum > 0.0 { (gain(at, row) - usual) / sum } else { 0.0 })
                .collect();
            variance += class.learned(&gains);
        }
        interval(mean.name, mean.value, variance)
    }
}

impl Known {
    fn of(answers: Answers<'_>, rows: &[usize], truth: &[u32], stands_for: Vec<f64>) -> Self {
        let classes: Vec<Vec<KnownRow>> = (0..answers.n_classes)
            .map(|class| {
                let mut known: Vec<KnownRow> = rows
                    .iter()
                    .enumerate()
                    .map(|(at, row)| KnownRow {
                        row: at,
                        score: answers.score(*row, class),
                        is: truth[*row] as usize == class,
                        is_called: answers.is_called(*row, class),
                    })
                    .collect();
                known.sort_by(|a, b| a.score.total_cmp(&b.score));
                known
            })
            .collect();
        let n_of = |class: &usize| classes[*class].iter().filter(|row| row.is).count() as f64;
        Self {
            stands_for,
            meant: (0..classes.len()).filter(|class| n_of(class) >= MIN_CLASS).collect(),
            classes,
        }
    }

    /// Of each row, how many it stands for.
    pub fn stands_for(&self) -> &[f64] {
        &self.stands_for
    }

    /// The metric where each row counts so much; nothing where it is not defined.
    pub fn weighted(&self, name: &str, weights: &[f64]) -> Option<f64> {
        let sum = |rows: &[KnownRow], which: fn(&KnownRow) -> bool| -> f64 {
            rows.iter().filter(|row| which(row)).map(|row| weights[row.row]).sum()
        };
        if name == "accuracy" {
            let right = self.classes.iter().map(|rows| sum(rows, |row| row.is && row.is_called));
            return Some(right.sum::<f64>() / weights.iter().sum::<f64>());
        }
        let of_class = |rows: &Vec<KnownRow>| -> Option<f64> {
            let (is, called) = (sum(rows, |row| row.is), sum(rows, |row| row.is_called));
            let both = sum(rows, |row| row.is && row.is_called);
            let ratio = |above: f64, below: f64| (below > 0.0).then(|| above / below);
            match name {
                "precision_macro" => Some(ratio(both, called).unwrap_or(0.0)),
                "recall_macro" => ratio(both, is),
                "f1_macro" => ratio(2.0 * both, is + called),
                "roc_auc_macro" => {
                    let scored: Vec<(f64, bool)> = rows.iter().map(|row| (row.score, row.is)).collect();
                    let weights: Vec<f64> = rows.iter().map(|row| weights[row.row]).collect();
                    roc_auc(&scored, &weights)
                }
                _ => None,
            }
        };
        // In a draw a class may be missing.
        let of_classes: Vec<f64> = self
            .meant
            .iter()
            .filter_map(|class| of_class(&self.classes[*class]))
            .collect();
        (!of_classes.is_empty()).then(|| crate::stats::mean(&of_classes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::{Estimated, estimate_many};
    use crate::stats::Rng;

    const K: usize = 4;

    /// Probabilities, the class that is called, and a class drawn by what the probabilities are when each is taken to a
    /// power and they sum to 1 again.
    struct Drawn {
        p: Vec<f64>,
        called: Vec<u32>,
        truth: Vec<u32>,
    }

    fn share(values: [f64; K]) -> [f64; K] {
        let sum: f64 = values.iter().sum();
        values.map(|value| value / sum)
    }

    /// `sure` 1 has all probabilities from 0 to 1, and less has them nearer to each other. The last class is the rarest.
    fn draw(rng: &mut Rng, n: usize, power: f64, sure: f64) -> Drawn {
        let mut drawn = Drawn {
            p: Vec::new(),
            called: Vec::new(),
            truth: Vec::new(),
        };
        for _ in 0..n {
            let part = |_| (4.0 * sure * rng.unit()).exp();
            let mut parts: [f64; K] = std::array::from_fn(part);
            parts[K - 1] *= 0.5;
            let true_p = share(parts);
            let p = share(true_p.map(|p| p.powf(1.0 / power)));
            let mut at = rng.unit();
            let truth = true_p.iter().position(|p| {
                at -= p;
                at < 0.0
            });
            drawn.truth.push(u32::try_from(truth.unwrap_or(0)).unwrap());
            let greatest = (0..K).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
            drawn.called.push(u32::try_from(greatest).unwrap());
            drawn.p.extend(p);
        }
        drawn
    }

    impl Drawn {
        fn answers(&self) -> Answers<'_> {
            Answers {
                n_classes: K,
                probabilities: &self.p,
                called: &self.called,
            }
        }

        /// The metric where the truth is known, over these classes.
        fn realized(&self, metric: &str, meant: &[usize]) -> f64 {
            let rows: Vec<usize> = (0..self.called.len()).collect();
            let mut known = Known::of(self.answers(), &rows, &self.truth, vec![1.0; rows.len()]);
            known.meant = meant.to_vec();
            known.weighted(metric, known.stands_for()).unwrap()
        }
    }

    const NAMES: [&str; 5] = [
        "accuracy",
        "precision_macro",
        "recall_macro",
        "f1_macro",
        "roc_auc_macro",
    ];

    /// Of so many runs, in how many each metric was in its interval; and the mean difference in standard errors.
    fn coverage(n_runs: u64, n: [usize; 2], power: f64) -> ([u64; 5], [f64; 5]) {
        let (mut inside, mut excess) = ([0; 5], [0.0; 5]);
        for run in 0..n_runs {
            let mut rng = Rng::derive(run, "many");
            let (reference, current) = (draw(&mut rng, n[0], power, 1.0), draw(&mut rng, n[1], power, 1.0));
            let (found, known) = many(reference.answers(), &reference.truth, current.answers(), run).unwrap();
            assert!(found.estimates.iter().map(|one| one.metric.as_str()).eq(NAMES));
            for (at, estimate) in found.estimates.iter().enumerate() {
                let realized = current.realized(&estimate.metric, &known.meant);
                inside[at] += u64::from((estimate.lower..=estimate.upper).contains(&realized));
                excess[at] += (estimate.value - realized) / estimate.standard_error / n_runs as f64;
            }
        }
        (inside, excess)
    }

    #[test]
    fn intervals_hold_what_they_promise() {
        for (n, power) in [([300, 200], 1.0), ([400, 200], 2.0)] {
            let (inside, excess) = coverage(100, n, power);
            // Fewer than 88 of 100 would be one in three hundred if 95 % are inside.
            assert!(
                inside.iter().all(|inside| *inside >= 88),
                "{power}: {inside:?} {excess:?}"
            );
        }
    }

    #[test]
    fn metrics_are_those_of_a_table_by_hand() {
        let drawn = Drawn {
            p: vec![
                0.7, 0.1, 0.1, 0.1, //
                0.2, 0.6, 0.1, 0.1, //
                0.5, 0.3, 0.1, 0.1, //
                0.1, 0.2, 0.4, 0.3,
            ],
            called: vec![0, 1, 0, 2],
            truth: vec![0, 1, 1, 2],
        };
        // Of the three classes that are there; the second is called once of two times, the first once too often.
        for (name, expected) in [
            ("accuracy", 3.0 / 4.0),
            ("precision_macro", (0.5 + 1.0 + 1.0) / 3.0),
            ("recall_macro", (1.0 + 0.5 + 1.0) / 3.0),
            ("f1_macro", (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0),
            ("roc_auc_macro", 1.0),
        ] {
            let found = drawn.realized(name, &[0, 1, 2]);
            assert!((found - expected).abs() < 1e-12, "{name}: {found}");
        }
        // The mean of what the called classes have.
        let table = Table::of(drawn.answers(), &[0, 1, 2, 3], vec![None, None, None, None]);
        let estimates = table.estimates(&[]);
        assert_eq!(estimates.len(), 1);
        assert!((estimates[0].value - (0.7 + 0.6 + 0.5 + 0.4) / 4.0).abs() < 1e-12);
        // √Σp(1 − p)/n, as of two classes.
        let variance: f64 = [0.7, 0.6, 0.5, 0.4].iter().map(|p| p * (1.0 - p)).sum();
        assert!((estimates[0].standard_error - variance.sqrt() / 4.0).abs() < 1e-12);
    }

    fn asked(rng: &mut Rng, sure: f64, seed: u64) -> Estimated {
        let (reference, current) = (draw(rng, 300, 1.0, 1.0), draw(rng, 200, 1.0, sure));
        estimate_many(reference.answers(), &reference.truth, current.answers(), seed).unwrap()
    }

    #[test]
    fn less_sure_scores_alert_and_alike_ones_rarely() {
        let mut rng = Rng::derive(9, "sure");
        let found = asked(&mut rng, 0.4, 0);
        assert!(
            found.alert && found.rows == [300, 200] && found.expected.is_none(),
            "{found:?}"
        );
        let alarms = (0..50).filter(|seed| asked(&mut rng, 1.0, *seed).alert).count();
        // More than 7 of 50 would be one in two hundred if they are one in twenty.
        assert!(alarms <= 7, "{alarms}");
    }

    #[test]
    fn what_can_not_be_used_is_told() {
        let mut rng = Rng::derive(3, "few");
        let (reference, mut current) = (draw(&mut rng, 60, 1.0, 1.0), draw(&mut rng, 30, 1.0, 1.0));
        let ask = |current: &Drawn| estimate_many(reference.answers(), &reference.truth, current.answers(), 0);
        assert_eq!(ask(&current).unwrap().rows, [60, 30]);
        current.p[5] = f64::NAN;
        assert_eq!(
            ask(&current).unwrap_err(),
            "29 rows without truth have a prediction, and 30 are needed"
        );
        current.p[5] = 1.5;
        assert_eq!(ask(&current).unwrap_err(), "a score of 1.5 is no probability");
    }

    #[test]
    fn a_rare_class_is_in_no_mean() {
        let mut rng = Rng::derive(4, "rare");
        let (mut reference, current) = (draw(&mut rng, 100, 1.0, 1.0), draw(&mut rng, 100, 1.0, 1.0));
        for class in &mut reference.truth {
            *class = (*class).min(2);
        }
        let (_, known) = many(reference.answers(), &reference.truth, current.answers(), 0).unwrap();
        assert_eq!(known.meant, [0, 1, 2]);
        // A class that the model does not know is none of its own.
        reference.truth.fill(u32::MAX);
        let (found, known) = many(reference.answers(), &reference.truth, current.answers(), 0).unwrap();
        assert_eq!((known.meant.len(), found.estimates.len()), (0, 1));
    }
}
