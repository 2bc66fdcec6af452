//! The same numbers as scikit-learn, through the whole program: `fixtures/oracles/agreement.json`, made by `train.py`.
//!
//! Every case is a repository whose data carry the split, and whose estimator has the parameters of the reference and
//! our defaults for the rest: what users get agrees, not what a tight tolerance would give.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Repository, root};

/// Of each number by itself.
const TOLERANCE: f64 = 1e-6;

fn reference(name: &str) -> Value {
    let path = root().join("fixtures/oracles/agreement.json");
    let mut all: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    all[name].take()
}

/// `csv` with a column `part` at its end: `holdout` for the held-out rows, `train` for the others.
fn with_parts(csv: &str, reference: &Value) -> String {
    let holdout: Vec<u64> = reference["holdout"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_u64().unwrap())
        .collect();
    let mut lines = csv.lines();
    let mut out = format!("{},part\n", lines.next().unwrap());
    for (row, line) in (0_u64..).zip(lines) {
        let part = if holdout.contains(&row) { "holdout" } else { "train" };
        writeln!(out, "{line},{part}").unwrap();
    }
    out
}

fn repository(csv: &str, target: &str, estimator: &str, params: &Value, metrics: &[&str]) -> Repository {
    let config = format!(
        "model: agreement\n\
         data:\n  source: data.csv\n  target: {target}\n  split: {{column: part, test: holdout}}\n\
         train:\n  estimator: {estimator}\n  params: {params}\n\
         evaluate:\n  metrics: [{}]\n",
        metrics.join(", ")
    );
    Repository::of(&[("mlops.yaml", &config), ("data.csv", csv)])
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

fn assert_near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        // A coefficient that the penalty removes is exactly zero in both.
        assert!(
            (found - expected).abs() <= TOLERANCE * expected.abs(),
            "{what}: {found} is not {expected}"
        );
    }
}

fn check(name: &str, data: &str, target: &str) {
    let reference = reference(name);
    let csv = std::fs::read_to_string(root().join("fixtures/repos").join(name).join("data").join(data)).unwrap();
    let csv = with_parts(&csv, &reference);
    for case in reference["cases"].as_array().unwrap() {
        let estimator = case["estimator"].as_str().unwrap();
        let what = format!("{estimator} {} on {name}", case["params"]);
        let expected = case["metrics"].as_object().unwrap();
        let metrics: Vec<&str> = expected.keys().map(String::as_str).collect();
        let repository = repository(&csv, target, estimator, &case["params"], &metrics);
        let (code, result) = repository.json(&["run"]);
        assert_eq!(code, 0, "{what}: {result:#}");
        for (metric, expected) in expected {
            let found = numbers(&result["metrics"][metric]["value"]);
            assert_near(&format!("{metric} of {what}"), &found, &numbers(expected));
        }
        let model = std::fs::read(repository.last_run().join("bundle/model.json")).unwrap();
        let model: Value = serde_json::from_slice(&model).unwrap();
        let linear = &model["core"]["linear"];
        for part in ["coef", "intercept"] {
            let what = format!("{part} of {what}");
            assert_near(&what, &numbers(&linear[part]), &numbers(&case[part]));
        }
        let facts = std::fs::read(repository.last_run().join("mlops-facts.json")).unwrap();
        let facts: Value = serde_json::from_slice(&facts).unwrap();
        assert_eq!(facts["training"]["notes"], serde_json::json!([]), "{what} converges");
    }
}

#[test]
fn regressions_on_diabetes() {
    check("diabetes", "diabetes.csv", "progression");
}

#[test]
fn two_classes_on_breast_cancer() {
    check("breast-cancer", "wdbc.csv", "diagnosis");
}

#[test]
fn three_classes_on_iris() {
    check("iris", "iris.csv", "species");
}

/// Random numbers differ, so a forest agrees in what it reaches: within five standard deviations over seeds.
#[test]
fn a_forest_reaches_what_a_forest_reaches() {
    let reference = reference("diabetes");
    let csv = std::fs::read_to_string(root().join("fixtures/repos/diabetes/data/diabetes.csv")).unwrap();
    let csv = with_parts(&csv, &reference);
    let repository = repository(&csv, "progression", "random_forest", &serde_json::json!({}), &["rmse"]);
    let (_, result) = repository.json(&["run"]);
    let rmse = result["metrics"]["rmse"]["value"].as_f64().unwrap();
    let forests = &reference["random_forest_rmse"];
    let (mean, sd) = (forests["mean"].as_f64().unwrap(), forests["sd"].as_f64().unwrap());
    assert!((rmse - mean).abs() < 5.0 * sd, "{rmse} against {mean} ± {sd}");
}
