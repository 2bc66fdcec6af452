//! Tests: the same numbers as scikit-learn, from `fixtures/oracles/train.py`.

use serde_json::Value;

use super::core::Core;
use super::model::{Model, fit};
use super::samples::{self, Sample, breast_cancer, diabetes, estimator, iris, penguins};
use crate::base::Task;
use crate::data::{Frame, Values};
use crate::evaluate::Predictions;

fn oracle(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../fixtures/oracles/train.json")).unwrap();
    all[name].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// Greatest difference, relative to the greatest reference.
fn away(found: &[f64], reference: &[f64]) -> f64 {
    assert_eq!(found.len(), reference.len());
    let greatest = reference.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
    let differences = found.iter().zip(reference).map(|(a, b)| (a - b).abs());
    differences.fold(0.0_f64, f64::max) / greatest
}

fn trained(sample: &Sample, rows: &[usize], name: &str, params: &str, seed: u64) -> Model {
    let estimator = estimator(name, params).unwrap();
    let features = sample.features();
    fit(
        &sample.frame,
        rows,
        &features,
        sample.target,
        sample.task,
        estimator.as_ref(),
        seed,
    )
    .unwrap()
    .model
}

fn check_linear(model: &Model, reference: &Value, tolerance: f64) {
    let Core::Linear(linear) = model.core() else {
        panic!("a linear model was expected")
    };
    let coef: Vec<f64> = linear.coef.concat();
    let (coef, intercept) = (
        away(&coef, &numbers(&reference["coef"])),
        away(&linear.intercept, &numbers(&reference["intercept"])),
    );
    assert!(coef < tolerance && intercept < tolerance, "{coef:e} {intercept:e}");
}

fn actual(frame: &Frame, target: &str) -> Vec<f64> {
    match &frame.column(target).unwrap().values {
        Values::Numbers(values) => values.clone(),
        Values::Texts { .. } => panic!("numbers were expected"),
    }
}

fn predicted(model: &Model, frame: &Frame, rows: &[usize]) -> Vec<f64> {
    match model.predict(frame, Some(rows)).unwrap() {
        Predictions::Numbers(values) => values,
        Predictions::Classes { .. } => panic!("numbers were expected"),
    }
}

fn rmse(predicted: &[f64], actual: &[f64]) -> f64 {
    let squares: f64 = predicted.iter().zip(actual).map(|(p, a)| (p - a).powi(2)).sum();
    (squares / actual.len() as f64).sqrt()
}

#[test]
fn linear_regressions() {
    let sample = diabetes();
    let rows = sample.rows();
    let tight = r#""tol": 1e-12, "max_iter": 100000"#;
    // Closed forms agree to rounding, coordinate descent to what a duality gap of 1e-12 leaves.
    for (reference, name, params, tolerance) in [
        ("linear", "linear", "{}".to_owned(), 1e-12),
        ("ridge alpha=1", "ridge", r#"{"alpha": 1}"#.to_owned(), 1e-12),
        ("lasso alpha=1", "lasso", format!(r#"{{"alpha": 1, {tight}}}"#), 1e-6),
        (
            "elastic_net alpha=0.1 l1_ratio=0.5",
            "elastic_net",
            format!(r#"{{"alpha": 0.1, "l1_ratio": 0.5, {tight}}}"#),
            1e-6,
        ),
    ] {
        let model = trained(&sample, &rows, name, &params, 0);
        let reference = oracle(reference);
        check_linear(&model, &reference, tolerance);
        let (predicted, actual) = (
            predicted(&model, &sample.frame, &rows),
            actual(&sample.frame, sample.target),
        );
        let rmse = rmse(&predicted, &actual);
        assert!(
            (rmse / reference["rmse"].as_f64().unwrap() - 1.0).abs() < 1e-9,
            "{name}: {rmse}"
        );
    }
}

#[test]
fn least_norm_where_columns_do_not_determine_the_fit() {
    let sample = diabetes();
    check_linear(
        &trained(&sample, &[0, 1, 2, 3, 4, 5], "linear", "{}", 0),
        &oracle("linear six rows"),
        1e-10,
    );
    let mut columns = sample.frame.columns().to_vec();
    let mut again = sample.frame.column("bmi").unwrap().clone();
    again.name = "bmi again".to_owned();
    columns.push(again);
    let twice = Sample {
        frame: samples::frame(columns),
        ..sample
    };
    check_linear(
        &trained(&twice, &twice.rows(), "linear", "{}", 0),
        &oracle("linear bmi twice"),
        1e-10,
    );
}

#[test]
fn logistic_regressions() {
    for (sample, c) in [(breast_cancer(), "1"), (breast_cancer(), "0.01"), (iris(), "1")] {
        let rows = sample.rows();
        let model = trained(&sample, &rows, "logistic", &format!(r#"{{"C": {c}, "tol": 1e-12}}"#), 0);
        let reference = oracle(&format!("logistic {} C={c}", sample.name));
        check_linear(&model, &reference, 1e-8);
        let Predictions::Classes {
            codes,
            labels,
            probabilities,
        } = model.predict(&sample.frame, None).unwrap()
        else {
            panic!("classes were expected")
        };
        let Values::Texts { codes: actual, levels } = &sample.frame.column(sample.target).unwrap().values else {
            panic!("texts were expected")
        };
        let place = |row: usize| {
            labels
                .iter()
                .position(|label| *label == levels[actual[row] as usize])
                .unwrap()
        };
        let n = rows.len() as f64;
        let right = rows.iter().filter(|&&row| codes[row] as usize == place(row)).count();
        let log_loss = -rows
            .iter()
            .map(|&row| probabilities[row * labels.len() + place(row)].ln())
            .sum::<f64>()
            / n;
        assert!((right as f64 / n - reference["accuracy"].as_f64().unwrap()).abs() < 1e-15);
        assert!((log_loss / reference["log_loss"].as_f64().unwrap() - 1.0).abs() < 1e-8);
    }
}

/// The whole pipeline, with an island that did not occur in training.
#[test]
fn preprocessing_with_missing_values_and_texts() {
    let sample = penguins("body_mass_g", Task::Regression);
    let rows: Vec<usize> = sample.rows().into_iter().filter(|row| row % 4 != 3).collect();
    let model = trained(&sample, &rows, "ridge", "{}", 0);
    let csv: Vec<String> = samples::penguins_csv()
        .lines()
        .enumerate()
        .map(|(line, text)| {
            if line == 6 {
                text.replace("Torgersen", "Atlantis")
            } else {
                text.to_owned()
            }
        })
        .collect();
    let asked = samples::read(&csv.join("\n"));
    let difference = away(
        &predicted(&model, &asked, &sample.rows()),
        &numbers(&oracle("ridge penguins")),
    );
    assert!(difference < 1e-12, "{difference:e}");
}

/// Random numbers differ, so a forest agrees in what it reaches: within five standard deviations over seeds.
#[test]
fn forests_reach_what_forests_reach() {
    for sample in [diabetes(), breast_cancer(), iris()] {
        let (test, train): (Vec<usize>, Vec<usize>) = sample.rows().into_iter().partition(|row| row % 5 == 0);
        let model = trained(&sample, &train, "random_forest", "{}", 7);
        let score = match model.predict(&sample.frame, Some(&test)).unwrap() {
            Predictions::Numbers(predicted) => {
                let all = actual(&sample.frame, sample.target);
                rmse(&predicted, &test.iter().map(|&row| all[row]).collect::<Vec<_>>())
            }
            Predictions::Classes {
                labels, probabilities, ..
            } => {
                let Values::Texts { codes, levels } = &sample.frame.column(sample.target).unwrap().values else {
                    panic!("texts were expected")
                };
                let rows = probabilities.chunks(labels.len()).zip(&test);
                let brier = rows.flat_map(|(row, &index)| {
                    let right = &levels[codes[index] as usize];
                    row.iter()
                        .zip(&labels)
                        .map(move |(p, label)| (p - f64::from(label == right)).powi(2))
                });
                brier.sum::<f64>() / test.len() as f64
            }
        };
        let reference = oracle(&format!("random_forest {}", sample.name));
        let (mean, sd) = (reference["mean"].as_f64().unwrap(), reference["sd"].as_f64().unwrap());
        assert!(
            (score - mean).abs() < 5.0 * sd,
            "{}: {score} against {mean} ± {sd}",
            sample.name
        );
    }
}
