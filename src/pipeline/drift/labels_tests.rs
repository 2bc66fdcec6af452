//! Predictions with and without answers, by files.

use std::fmt::Write as _;

use super::super::files::{Sources, drift_of_files};
use super::*;
use crate::drift::{DriftResult, Method};
use crate::stats::Rng;

const REFERENCE: &str = include_str!("../../../fixtures/drift/quality/breast-cancer-binary/reference.csv");
const CURRENT: &str = include_str!("../../../fixtures/drift/quality/breast-cancer-binary/current.csv");
const GOLDEN: &str = include_str!("../../../fixtures/drift/quality/breast-cancer-binary/cbpe.json");

fn compared(reference: &str, current: &str, prediction: &str, time: Option<&str>) -> DriftResult {
    let root = tempfile::tempdir().unwrap();
    crate::sys::write_atomic(&root.path().join("reference.csv"), reference.as_bytes()).unwrap();
    crate::sys::write_atomic(&root.path().join("current.csv"), current.as_bytes()).unwrap();
    let sources = Sources {
        root: root.path().to_owned(),
        reference: "reference.csv".to_owned(),
        current: "current.csv".to_owned(),
        target: Some("target".to_owned()),
        prediction: Some(prediction.to_owned()),
        all_tests: false,
    };
    let settings = Settings {
        time_column: time.map(str::to_owned),
        ..Settings::default()
    };
    drift_of_files(&sources, &settings).unwrap().result
}

/// Without its second column, or with nothing in it.
fn unlabelled(table: &str, is_gone: bool) -> String {
    let mut text = String::new();
    for (at, row) in table.lines().enumerate() {
        let cells: Vec<&str> = row.split(',').collect();
        let middle = match (is_gone, at) {
            (true, _) => String::new(),
            (false, 0) => format!("{},", cells[1]),
            (false, _) => ",".to_owned(),
        };
        let _ = writeln!(text, "{},{middle}{}", cells[0], cells[2]);
    }
    text
}

fn realized(metric: &str) -> f64 {
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    golden["realized"][metric].as_f64().unwrap()
}

/// What the metrics turned out to be is known: they are within their intervals.
#[test]
fn probabilities_without_answers_are_estimated() {
    for is_gone in [true, false] {
        let result = compared(REFERENCE, &unlabelled(CURRENT, is_gone), "proba", None);
        let estimated = result.estimated.unwrap();
        assert!(
            estimated.method == Method::Cbpe && estimated.rows == [259, 310],
            "{estimated:?}"
        );
        for name in ["accuracy", "f1", "roc_auc"] {
            let metric = estimated
                .metrics
                .iter()
                .find(|one| one.estimate.metric == name)
                .unwrap();
            let truth = realized(name);
            let width = metric.estimate.upper - metric.estimate.lower;
            assert!(
                (truth - metric.estimate.value).abs() < width,
                "{name} {truth}: {metric:?}"
            );
            assert!(metric.reference.is_some());
        }
        assert!(result.performance.is_none());
        assert!(
            !result
                .data_quality
                .iter()
                .any(|finding| finding.check == "missing_column"),
            "{:?}",
            result.data_quality
        );
        assert_eq!(
            result
                .notes
                .iter()
                .any(|note| note.contains("`target` is not in the current data")),
            is_gone
        );
    }
}

#[test]
fn with_answers_the_errors_are_compared() {
    let result = compared(REFERENCE, CURRENT, "proba", None);
    assert!(result.estimated.is_none());
    let performance = result.performance.unwrap();
    assert_eq!(performance.measure, "share of wrong answers");
    assert_eq!(performance.found.n, [259, 310]);
    assert!((performance.found.mean[1] - (1.0 - realized("accuracy"))).abs() < 1e-12);
}

/// A number near the normal law, of variance 1.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
}

/// Predictions of numbers, whose errors grow with `x`; without answers where `is_known` says so.
fn numbers(n: usize, from: f64, is_known: bool, seed: u64) -> String {
    let mut rng = Rng::derive(seed, "numbers");
    let mut text = "day,x,target,prediction\n".to_owned();
    for row in 0..n {
        let x = from + rng.unit();
        let truth = 10.0 + 5.0 * normal(&mut rng);
        let told = truth + x * normal(&mut rng);
        let truth = if is_known { truth.to_string() } else { String::new() };
        let _ = writeln!(
            text,
            "2024-{:02}-{:02},{x},{truth},{told}",
            row / 28 % 12 + 1,
            row % 28 + 1
        );
    }
    text
}

#[test]
fn numbers_without_answers_are_estimated_and_alert() {
    // A third of the reference has the errors that all current rows have.
    let reference = numbers(300, 0.2, true, 1) + numbers(150, 3.0, true, 2).split_once('\n').unwrap().1;
    let result = compared(&reference, &numbers(200, 3.0, false, 3), "prediction", None);
    let estimated = result.estimated.unwrap();
    assert!(estimated.method == Method::Dle && estimated.alert, "{estimated:?}");
    assert!(
        result
            .dataset
            .reasons
            .iter()
            .any(|reason| reason.starts_with("without labels, the model's "))
    );
    let alike = compared(&reference, &unknown(&reference), "prediction", None);
    assert!(!alike.estimated.unwrap().alert);
}

/// The same rows without their answers.
fn unknown(table: &str) -> String {
    let mut lines = table.lines();
    let mut text = format!("{}\n", lines.next().unwrap());
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let _ = writeln!(text, "{},{},,{}", cells[0], cells[1], cells[3]);
    }
    text
}

#[test]
fn errors_of_numbers_that_rose_are_told_in_the_order_of_time_too() {
    for time in [None, Some("day")] {
        let result = compared(
            &numbers(200, 0.5, true, 1),
            &numbers(200, 2.0, true, 2),
            "prediction",
            time,
        );
        let performance = result.performance.unwrap();
        assert_eq!(performance.measure, "mean absolute error");
        assert!(performance.found.degraded && result.estimated.is_none());
        assert!(
            result
                .dataset
                .reasons
                .iter()
                .any(|reason| reason.contains("mean absolute error rose"))
        );
    }
}

#[test]
fn labels_without_probabilities_are_compared_and_not_estimated() {
    let table = |n: usize, known: bool| {
        let row = |row: usize| {
            let truth = ["a", "b", "c"][row % 3];
            let told = if row.is_multiple_of(10) { "a" } else { truth };
            format!("{row},{},{told}\n", if known { truth } else { "" })
        };
        format!("x,target,told\n{}", (0..n).map(row).collect::<String>())
    };
    let result = compared(&table(200, true), &table(100, false), "told", None);
    assert!(result.estimated.is_none() && result.performance.is_none());
    assert!(
        result
            .notes
            .iter()
            .any(|note| note.contains("labels without probabilities")),
        "{:?}",
        result.notes
    );
    let result = compared(&table(200, true), &table(100, true), "told", None);
    let performance = result.performance.unwrap();
    assert!(
        (performance.found.mean[0] - 13.0 / 200.0).abs() < 1e-12,
        "{performance:?}"
    );
    assert!(!performance.found.degraded);
}

#[test]
fn too_few_rows_say_so() {
    let few: String = unlabelled(CURRENT, true)
        .lines()
        .take(20)
        .fold(String::new(), |text, line| text + line + "\n");
    let result = compared(REFERENCE, &few, "proba", None);
    assert!(result.estimated.is_none());
    assert!(
        result.notes.iter().any(|note| note.contains("19 rows without truth")),
        "{:?}",
        result.notes
    );
}

/// Three classes, which truth and model name in another order.
#[test]
fn more_than_two_classes_are_estimated() {
    use crate::evaluate::{Predictions, Truth};
    use crate::stats::Rng;
    let names = |names: [&str; 3]| names.map(str::to_owned).to_vec();
    let mut rng = Rng::derive(5, "three");
    let mut answers = |n: usize| {
        let (mut said, mut truth, mut probabilities) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n {
            let parts: [f64; 3] = std::array::from_fn(|_| rng.unit());
            let sum: f64 = parts.iter().sum();
            let (at, greatest) = (rng.unit() * sum, parts.iter().copied().fold(0.0, f64::max));
            said.push(u32::try_from(parts.iter().position(|part| *part >= greatest).unwrap()).unwrap());
            truth.push(if at < parts[0] {
                0_u32
            } else {
                1 + u32::from(at >= parts[0] + parts[1])
            });
            probabilities.extend(parts.map(|part| part / sum));
        }
        (said, truth, probabilities)
    };
    let sides = [answers(200), answers(100)];
    let predictions = sides.each_ref().map(|(said, _, probabilities)| Predictions::Classes {
        codes: said.clone(),
        labels: names(["a", "b", "c"]),
        probabilities: probabilities.clone(),
    });
    let right = sides[0]
        .0
        .iter()
        .zip(&sides[0].1)
        .filter(|(said, truth)| said == truth)
        .count();
    let truth = Truth::Classes {
        codes: sides[0].1.iter().map(|code| (code + 1) % 3).collect(),
        labels: names(["c", "a", "b"]),
    };
    let table = Frame::new(Vec::new(), 200, Vec::new()).unwrap();
    let asked = |predictions| Asked {
        rows: Rows {
            frame: &table,
            rows: &[],
        },
        predictions,
    };
    let settings = Settings::default();
    let ask = |now| estimate(&asked(&predictions[0]), &truth, &asked(now), &|_| true, &settings);
    let found = ask(&predictions[1]).unwrap();
    assert_eq!((found.rows, found.metrics.len()), ([200, 100], 5));
    assert_eq!(found.metrics[0].reference, Some(right as f64 / 200.0));
    let labels_alone = Predictions::Classes {
        codes: sides[1].0.clone(),
        labels: names(["a", "b", "c"]),
        probabilities: Vec::new(),
    };
    assert_eq!(ask(&labels_alone).unwrap_err(), "the model says no probabilities");
    let renamed = Predictions::Classes {
        codes: sides[1].0.clone(),
        labels: names(["a", "b", "d"]),
        probabilities: sides[1].2.clone(),
    };
    assert_eq!(ask(&renamed).unwrap_err(), "the model answers with other classes now");
    let numbers = Predictions::Numbers(vec![1.0; 100]);
    assert_eq!(
        ask(&numbers).unwrap_err(),
        "what the model answers is of another kind than the truth"
    );
    let one = Predictions::Classes {
        codes: vec![0; 200],
        labels: vec!["a".to_owned()],
        probabilities: vec![1.0; 200],
    };
    assert_eq!(
        estimate(&asked(&one), &truth, &asked(&one), &|_| true, &settings).unwrap_err(),
        "the model knows one class alone"
    );
    // Of two classes no row has a score either.
    let two = Predictions::Classes {
        codes: vec![0; 200],
        labels: vec!["a".to_owned(), "b".to_owned()],
        probabilities: Vec::new(),
    };
    assert_eq!(
        estimate(&asked(&two), &truth, &asked(&two), &|_| true, &settings).unwrap_err(),
        "the model says no probabilities"
    );
}
