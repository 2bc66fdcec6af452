//! Every metric against scikit-learn, edge cases included.

use serde_json::Value;

use super::super::{METRICS, MetricKind, Predictions, Together, Truth, evaluate, metric, metrics_for};
use super::{binary, class_truth, close, codes, labels, list};
use crate::base::Task;

fn rows(case: &Value) -> (Task, Truth, Predictions) {
    match case["task"].as_str().unwrap() {
        "regression" => (
            Task::Regression,
            Truth::Numbers(list(&case["y"])),
            Predictions::Numbers(list(&case["p"])),
        ),
        "binary" => (
            Task::Binary,
            class_truth(&codes(&case["y"]), 2),
            binary(&codes(&case["p"]), &list(&case["s"])),
        ),
        _ => {
            let scores: Vec<Vec<f64>> = case["s"].as_array().unwrap().iter().map(list).collect();
            let predictions = Predictions::Classes {
                codes: codes(&case["p"]),
                labels: labels(scores[0].len()),
                probabilities: scores.concat(),
            };
            (
                Task::Multiclass,
                class_truth(&codes(&case["y"]), scores[0].len()),
                predictions,
            )
        }
    }
}

#[test]
fn every_metric_is_that_of_scikit_learn() {
    let oracle: Value = serde_json::from_str(include_str!("../../../fixtures/oracles/metrics.json")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for case in oracle["cases"].as_array().unwrap() {
        let (task, truth, predictions) = rows(case);
        let kinds: Vec<&MetricKind> = metrics_for(task).collect();
        let results = evaluate(&truth, &predictions, &kinds, Together::default(), 1);
        let expected = case["expected"].as_object().unwrap();
        assert_eq!(expected.len(), kinds.len(), "every metric of the task is in the oracle");
        for (kind, result) in kinds.iter().zip(&results) {
            let place = format!("{} of {task:?}, {}: {result:?}", kind.name, case["name"]);
            let value = kind.score(&truth, &predictions);
            assert_eq!(value, result.value, "{place}");
            match expected[kind.name].as_f64() {
                // Sums of up to 80 terms in another order.
                Some(theirs) => assert!(close(value.unwrap(), theirs, 1e-12, 1e-14), "{place} is not {theirs}"),
                None => assert!(
                    value.is_none() && result.note.is_some() && result.interval.is_none(),
                    "{place}"
                ),
            }
            seen.insert(kind.name);
        }
    }
    assert_eq!(seen.len(), METRICS.len());
}

#[test]
fn names_are_unique_and_defaults_fit_their_task() {
    let names: std::collections::BTreeSet<&str> = METRICS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for task in [Task::Regression, Task::Binary, Task::Multiclass] {
        let defaults = super::super::default_metrics(task);
        assert!(defaults.len() >= 3 && defaults.iter().all(|kind| kind.tasks.contains(&task)));
    }
    assert_eq!(super::super::default_metrics(Task::Regression)[0].name, "rmse");
    assert!(metric("auc").is_none());
}

#[test]
fn an_undefined_value_says_why() {
    let truth = class_truth(&[0, 0, 0, 0], 2);
    let predictions = binary(&[0, 0, 0, 0], &[0.1, 0.2, 0.3, 0.4]);
    let kinds: Vec<&MetricKind> = metrics_for(Task::Binary).chain(metric("rmse")).collect();
    let notes: Vec<String> = evaluate(&truth, &predictions, &kinds, Together::default(), 1)
        .into_iter()
        .filter_map(|result| Some(format!("{}: {} ({:?})", result.name, result.note?, result.value)))
        .collect();
    insta::assert_snapshot!(notes.join("\n"), @r"
    accuracy: no interval: resampling these rows does not vary it (Some(1.0))
    balanced_accuracy: no interval: resampling these rows does not vary it (Some(1.0))
    precision: no test row is of the positive class (None)
    recall: no test row is of the positive class (None)
    f1: no test row is of the positive class (None)
    roc_auc: the test rows are all of one class (None)
    average_precision: no test row is of the positive class (None)
    mcc: the model predicts one class only, which counts as 0 (Some(0.0))
    rmse: this metric is for numbers (None)
    ");
}

#[test]
fn what_can_not_be_scored_has_no_value_and_a_reason() {
    let check = |truth: &Truth, predictions: &Predictions| {
        let result = &evaluate(
            truth,
            predictions,
            &[metric("accuracy").unwrap()],
            Together::default(),
            1,
        )[0];
        assert!(result.value.is_none() && result.interval.is_none());
        result.note.clone().unwrap()
    };
    let numbers = |values: &[f64]| Predictions::Numbers(values.to_vec());
    let truth = Truth::Numbers(vec![1.0, 2.0]);
    let codes = Predictions::Classes {
        codes: vec![0, 9],
        labels: labels(2),
        probabilities: Vec::new(),
    };
    let shape = Predictions::Classes {
        codes: vec![0, 1],
        labels: labels(2),
        probabilities: vec![0.5; 3],
    };
    let nan = binary(&[0, 1], &[0.5, f64::NAN]);
    let found = [
        check(&truth, &numbers(&[1.0, 2.0])),
        check(&truth, &numbers(&[1.0])),
        check(&truth, &numbers(&[1.0, f64::INFINITY])),
        check(&Truth::Numbers(vec![f64::NAN, 0.0]), &numbers(&[1.0, 2.0])),
        check(&Truth::Numbers(Vec::new()), &numbers(&[])),
        check(&class_truth(&[0, 1], 2), &numbers(&[1.0, 2.0])),
        check(&truth, &shape),
        check(&class_truth(&[0, 1], 2), &codes),
        check(&class_truth(&[0, 1], 2), &shape),
        check(&class_truth(&[0, 1], 2), &nan),
        check(&class_truth(&[0, 7], 2), &binary(&[0, 1], &[0.5, 0.5])),
    ];
    insta::assert_snapshot!(found.join("\n"), @r"
    this metric is for classes
    the number of predictions is 1, that of the rows 2
    the prediction of row 2 is not a finite number
    row 1 has no finite target
    there are no rows
    the model predicts numbers, not classes
    the model predicts classes, not numbers
    the prediction of row 2 is not one of the classes
    the probabilities do not have one value for every row and class
    row 2 has a probability outside of 0 to 1
    the target of row 2 is not one of the classes
    ");
}

#[test]
fn classes_are_matched_by_name() {
    // The model knows a class that the rows do not have, and in another order.
    let truth = Truth::Classes {
        codes: vec![0, 1, 1],
        labels: vec!["b".into(), "c".into()],
    };
    let predictions = Predictions::Classes {
        codes: vec![2, 0, 1],
        labels: vec!["c".into(), "a".into(), "b".into()],
        probabilities: vec![0.1, 0.1, 0.8, 0.7, 0.2, 0.1, 0.1, 0.8, 0.1],
    };
    assert!(close(
        metric("accuracy").unwrap().score(&truth, &predictions).unwrap(),
        2.0 / 3.0,
        0.0,
        1e-15
    ));
    let expected = -(0.8_f64.ln() + 0.7_f64.ln() + 0.1_f64.ln()) / 3.0;
    assert!(close(
        metric("log_loss").unwrap().score(&truth, &predictions).unwrap(),
        expected,
        1e-14,
        0.0
    ));
    assert_eq!(metric("f1").unwrap().score(&truth, &predictions), None);
}

#[test]
fn without_probabilities_there_are_labels_still() {
    let truth = class_truth(&[0, 1, 1, 0], 2);
    let predictions = Predictions::Classes {
        codes: vec![0, 1, 0, 0],
        labels: labels(2),
        probabilities: Vec::new(),
    };
    assert_eq!(metric("accuracy").unwrap().score(&truth, &predictions), Some(0.75));
    assert_eq!(metric("roc_auc").unwrap().score(&truth, &predictions), None);
    assert_eq!(metric("log_loss").unwrap().score(&truth, &predictions), None);
}

#[test]
fn the_interval_of_a_mean_is_that_of_scipy() {
    // scipy 1.17.1, fixtures/compare/diabetes-ridge: bootstrap((|error|,), mean, n_resamples=100000, method="BCa").
    let table = super::Table::read(include_str!("../../../fixtures/compare/diabetes-ridge/predictions.csv"));
    let truth = Truth::Numbers(table.numbers("y_true"));
    let result = |side: &str| {
        let predictions = Predictions::Numbers(table.numbers(side));
        evaluate(
            &truth,
            &predictions,
            &[metric("mae").unwrap(), metric("medae").unwrap()],
            Together::default(),
            7,
        )
    };
    let [low, high] = result("champion")[0].interval.unwrap();
    // 1000 resamples know an end of the interval to about a twentieth of its width.
    let width = SCIPY_MAE[1] - SCIPY_MAE[0];
    assert!(
        (low - SCIPY_MAE[0]).abs() < 0.05 * width && (high - SCIPY_MAE[1]).abs() < 0.05 * width,
        "{low} {high}"
    );
    assert_eq!(result("champion"), result("champion"));
}

const SCIPY_MAE: [f64; 2] = [39.053, 52.332];

#[test]
fn many_rows_are_sampled_with_the_right_width() {
    // Errors of ±1 in equal parts around the target: the standard error of the mean squared error of 40 000 rows whose
    // squares are 0 and 4 is 2/√40 000.
    let n = 40_000_u32;
    let truth = Truth::Numbers((0..n).map(f64::from).collect());
    let predictions = Predictions::Numbers((0..n).map(|i| f64::from(i) + f64::from(i % 2) * 2.0).collect());
    let result = &evaluate(&truth, &predictions, &[metric("mse").unwrap()], Together::default(), 1)[0];
    let [low, high] = result.interval.unwrap();
    assert_eq!(result.value, Some(2.0));
    assert!(low < 2.0 && high > 2.0);
    // 1.96 · 2 · 0.01 = 0.0392 with 10 % for the resampling.
    assert!(((high - low) - 0.0392).abs() < 0.004, "{low} {high}");
}
