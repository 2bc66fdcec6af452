//! Bounds and intervals of few rows.

use super::super::{CompareRule, Comparison, FewRows, Predictions, Together, Truth, compare, evaluate, metric};
use super::{binary, class_truth};
use crate::stats::Rng;

struct Sides {
    truth: Truth,
    champion: Predictions,
    challenger: Predictions,
}

impl Sides {
    fn judged(&self, name: &str, few: FewRows) -> Comparison {
        let rule = CompareRule {
            few,
            ..CompareRule::default()
        };
        compare(
            &self.truth,
            &self.champion,
            &self.challenger,
            metric(name).unwrap(),
            &rule,
            3,
        )
    }

    fn swapped(self) -> Self {
        Self {
            champion: self.challenger,
            challenger: self.champion,
            ..self
        }
    }

    fn width(&self, name: &str, few: FewRows) -> f64 {
        let one = self.judged(name, few);
        one.upper.unwrap() - one.lower.unwrap()
    }
}

fn numbers(n: usize) -> Sides {
    let mut rng = Rng::new(5);
    let mut noise = |size: f64| -> Vec<f64> {
        let one = |rng: &mut Rng| (0..6).map(|_| rng.unit() - 0.5).sum::<f64>();
        (0..n).map(|_| size * one(&mut rng)).collect()
    };
    let truth = noise(2.0);
    let mut side = |size: f64| Predictions::Numbers(truth.iter().zip(noise(size)).map(|(y, e)| y + e).collect());
    let (champion, challenger) = (side(1.0), side(0.9));
    Sides {
        truth: Truth::Numbers(truth),
        champion,
        challenger,
    }
}

/// Every third row is positive; the champion misses every fifth row, the challenger those but `n_other` too.
fn classes(n: usize, n_other: usize) -> Sides {
    let actual: Vec<u32> = (0..n).map(|row| u32::from(row % 3 == 0)).collect();
    let call = |wrong: &dyn Fn(usize) -> bool| {
        let codes: Vec<u32> = (0..n)
            .map(|row| if wrong(row) { 1 - actual[row] } else { actual[row] })
            .collect();
        let scores: Vec<f64> = codes
            .iter()
            .enumerate()
            .map(|(row, code)| 0.1 + 0.6 * f64::from(*code) + (row % 7) as f64 / 100.0)
            .collect();
        binary(&codes, &scores)
    };
    Sides {
        champion: call(&|row| row % 5 == 0),
        challenger: call(&|row| row % 5 == 0 || row % 5 == 1 && row / 5 < n_other),
        truth: class_truth(&actual, 2),
    }
}

#[test]
fn few_rows_have_bounds_of_their_own() {
    for (name, few, many) in [
        ("rmse", numbers(99), numbers(100)),
        ("r2", numbers(99), numbers(100)),
        ("roc_auc", classes(90, 9), classes(120, 9)),
        ("f1", classes(90, 9), classes(300, 40)),
    ] {
        let own = few.judged(name, FewRows::Own);
        assert!(own.method.ends_with(", few rows"), "{}", own.method);
        assert_ne!(own.lower, few.judged(name, FewRows::AsMany).lower, "{name}");
        assert_eq!(
            many.judged(name, FewRows::Own),
            many.judged(name, FewRows::AsMany),
            "{name}"
        );
    }
}

#[test]
fn nearly_many_rows_have_nearly_the_bounds_of_many() {
    for name in ["rmse", "r2", "explained_variance"] {
        let sides = numbers(99);
        let ratio = sides.width(name, FewRows::Own) / sides.width(name, FewRows::AsMany);
        assert!((0.97..1.15).contains(&ratio), "{name}: {ratio}");
    }
    for name in ["f1", "precision", "recall", "roc_auc"] {
        let sides = classes(99, 15);
        let ratio = sides.width(name, FewRows::Own) / sides.width(name, FewRows::AsMany);
        assert!((0.9..1.35).contains(&ratio), "{name}: {ratio}");
    }
}

#[test]
fn models_that_are_nearly_one_have_a_spread() {
    // On no row do they differ, but in how sure they are: that is not yet the same model.
    let mut sides = classes(60, 0);
    let Predictions::Classes { probabilities, .. } = &mut sides.challenger else {
        unreachable!()
    };
    let n_last = probabilities.len() - 2;
    (probabilities[n_last], probabilities[n_last + 1]) = (0.95, 0.05);
    for name in ["f1", "precision", "recall", "mcc", "balanced_accuracy"] {
        let one = sides.judged(name, FewRows::Own);
        let width = one.upper.unwrap() - one.lower.unwrap();
        assert_eq!(one.gain, Some(0.0), "{name}");
        assert!((0.02..0.3).contains(&width), "{name}: {width}");
        // The bounds of many rows know nothing of it.
        assert!(sides.width(name, FewRows::AsMany) < 1e-9, "{name}");
    }
}

#[test]
fn the_other_way_round_is_the_other_side() {
    let pairs = [
        ("rmse", false),
        ("r2", false),
        ("f1", true),
        ("roc_auc", true),
        ("recall", true),
    ];
    for (name, is_class) in pairs {
        let sides = || if is_class { classes(50, 4) } else { numbers(50) };
        let (one, other) = (
            sides().judged(name, FewRows::Own),
            sides().swapped().judged(name, FewRows::Own),
        );
        for (a, b) in [(one.lower, other.upper), (one.upper, other.lower)] {
            assert!((a.unwrap() + b.unwrap()).abs() < 1e-9, "{name}: {one:?} {other:?}");
        }
    }
}

#[test]
fn intervals_of_few_rows_stay_on_their_scale() {
    let within = |sides: &Sides, name: &str, least: f64, most: f64| {
        let kinds = [metric(name).unwrap()];
        let found = &evaluate(&sides.truth, &sides.champion, &kinds, Together::default(), 1)[0];
        let ([low, high], value) = (found.interval.unwrap(), found.value.unwrap());
        assert!(
            least < low && low < value && value < high && high < most,
            "{name}: {low} {value} {high}"
        );
    };
    for name in ["rmse", "mae", "mse"] {
        within(&numbers(30), name, 0.0, f64::INFINITY);
    }
    within(&numbers(30), "r2", f64::NEG_INFINITY, 1.0);
    for name in ["f1", "precision", "recall", "roc_auc"] {
        within(&classes(30, 2), name, 0.0, 1.0);
    }
}

#[test]
fn intervals_in_time_know_that_neighbors_are_related() {
    let n = 200;
    let mut rng = Rng::new(9);
    let mut error = 0.0;
    let errors: Vec<f64> = (0..n)
        .map(|_| {
            error = 0.8 * error + rng.unit() - 0.5;
            error
        })
        .collect();
    let (truth, times) = (
        Truth::Numbers(vec![0.0; n]),
        (0..n).map(|t| t as f64).collect::<Vec<f64>>(),
    );
    let predictions = Predictions::Numbers(errors);
    let width = |name: &str, times: Option<&[f64]>| {
        let together = Together { groups: None, times };
        let found = evaluate(&truth, &predictions, &[metric(name).unwrap()], together, 1);
        let [low, high] = found[0].interval.unwrap();
        high - low
    };
    for name in ["mae", "rmse", "medae"] {
        let ratio = width(name, Some(&times)) / width(name, None);
        assert!((1.2..4.0).contains(&ratio), "{name}: {ratio}");
    }
}

#[test]
fn at_the_end_of_a_scale_bounds_are_still_of_use() {
    // Both models tell all classes apart, in another order within them.
    let n = 60;
    let codes: Vec<u32> = (0..n).map(|row| u32::from(row % 2 == 0)).collect();
    let call = |step: usize| {
        let score = |(row, code): (usize, &u32)| 0.1 + 0.7 * f64::from(*code) + (row * step % n) as f64 / 500.0;
        let scores: Vec<f64> = codes.iter().enumerate().map(score).collect();
        binary(&codes, &scores)
    };
    let sides = Sides {
        truth: class_truth(&codes, 2),
        champion: call(7),
        challenger: call(11),
    };
    let one = sides.judged("roc_auc", FewRows::Own);
    let (lower, upper) = (one.lower.unwrap(), one.upper.unwrap());
    assert!(-0.1 < lower && lower < -0.01 && (lower + upper).abs() < 1e-9, "{one:?}");
    let kinds = ["roc_auc", "f1", "recall", "precision"].map(|name| metric(name).unwrap());
    for found in evaluate(&sides.truth, &sides.champion, &kinds, Together::default(), 1) {
        let [low, high] = found.interval.unwrap();
        assert!(
            found.value == Some(1.0) && high >= 1.0 && (0.8..0.99).contains(&low),
            "{found:?}"
        );
    }

    // What is told apart is better than what is guessed, also at a strict level.
    let guessed: Vec<f64> = (0..n).map(|row| 0.1 + (row * 7 % n) as f64 / 100.0).collect();
    let sides = Sides {
        champion: binary(&codes, &guessed),
        ..sides
    };
    let rule = CompareRule {
        alpha: 0.001,
        ..CompareRule::default()
    };
    let strict = compare(
        &sides.truth,
        &sides.champion,
        &sides.challenger,
        metric("roc_auc").unwrap(),
        &rule,
        3,
    );
    assert!(strict.lower.unwrap() > 0.15, "{strict:?}");
}

#[test]
fn few_rows_of_a_class_among_many_have_bounds_of_use() {
    // Twenty positives among 4,000 rows, nearly all told apart.
    let n = 4000;
    let codes: Vec<u32> = (0..n).map(|row| u32::from(row % 200 == 0)).collect();
    let scores: Vec<f64> = (0..n)
        .map(|row| {
            if row % 200 == 0 {
                0.6 + 0.01 * f64::from(row / 200)
            } else {
                0.001 * f64::from(row % 650)
            }
        })
        .collect();
    let (truth, predictions) = (class_truth(&codes, 2), binary(&codes, &scores));
    let found = evaluate(
        &truth,
        &predictions,
        &[metric("roc_auc").unwrap()],
        Together::default(),
        1,
    );
    let ([low, high], value) = (found[0].interval.unwrap(), found[0].value.unwrap());
    assert!(
        value > 0.98 && high >= value && (0.85..0.985).contains(&low),
        "{value} {low} {high}"
    );
}
