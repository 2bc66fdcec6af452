//! Tests: what was exported once stays, byte for byte, and says what the model says.
//!
//! `fixtures/onnx/saved/*` holds models as they were saved, their export, rows with missing and unseen values, and
//! predictions; `fixtures/onnx/check.py` asks onnxruntime for the same, and for every estimator on real data. `UPDATE=1 cargo
//! test` writes them anew.
#![expect(clippy::disallowed_methods, reason = "tests read and write fixtures")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::Task;
use crate::data::{Column, Frame, MISSING, Values};
use crate::evaluate::Predictions;
use crate::train::model::{Model, fit};
use crate::train::samples::{self, Sample, estimator, penguins};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/onnx/saved")
}

fn cell(column: &Column, row: usize) -> String {
    match &column.values {
        Values::Numbers(values) if values[row].is_nan() => String::new(),
        Values::Numbers(values) => values[row].to_string(),
        Values::Texts { codes, .. } if codes[row] == MISSING => String::new(),
        Values::Texts { codes, levels } => levels[codes[row] as usize].clone(),
    }
}

fn input_csv(frame: &Frame, features: &[String], rows: &[usize]) -> String {
    let mut csv = features.join(",") + "\n";
    for &row in rows {
        let cells: Vec<String> = features
            .iter()
            .map(|name| cell(frame.column(name).unwrap(), row))
            .collect();
        writeln!(csv, "{}", cells.join(",")).unwrap();
    }
    csv
}

fn predictions_csv(predictions: Predictions) -> String {
    match predictions {
        Predictions::Numbers(values) => {
            let lines: Vec<String> = values.iter().map(f64::to_string).collect();
            format!("prediction\n{}\n", lines.join("\n"))
        }
        Predictions::Classes {
            codes,
            labels,
            probabilities,
        } => {
            let names: Vec<String> = labels.iter().map(|label| format!("p({label})")).collect();
            let mut csv = format!("prediction,{}\n", names.join(","));
            for (code, row) in codes.iter().zip(probabilities.chunks(labels.len())) {
                let row: Vec<String> = row.iter().map(f64::to_string).collect();
                writeln!(csv, "{},{}", labels[*code as usize], row.join(",")).unwrap();
            }
            csv
        }
    }
}

/// The sample with a hole in every number of its first rows, and words that nobody has seen in the next.
fn holed(sample: &Sample) -> Frame {
    let mut columns = sample.frame.columns().to_vec();
    for (place, column) in columns.iter_mut().enumerate() {
        match &mut column.values {
            Values::Numbers(values) => values[place % 8] = f64::NAN,
            Values::Texts { codes, levels } => {
                codes[place % 8] = MISSING;
                codes[8 + place % 8] = u32::try_from(levels.len()).unwrap();
                levels.push("Atlantis".to_owned());
            }
        }
    }
    samples::frame(columns)
}

fn write(directory: &Path, sample: &Sample, name: &str, params: &str, rows: &[usize]) {
    let estimator = estimator(name, params).unwrap();
    let features = sample.features();
    let train = sample.rows();
    let model = fit(
        &sample.frame,
        &train,
        &features,
        sample.target,
        sample.task,
        estimator.as_ref(),
        42,
    )
    .unwrap()
    .model;
    let asked = holed(sample);
    let directory = directory.join(format!("{name}_{}", sample.name));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("model.json"), model.to_bytes()).unwrap();
    fs::write(directory.join("model.onnx"), model.to_onnx()).unwrap();
    fs::write(directory.join("input.csv"), input_csv(&asked, &features, rows)).unwrap();
    let predictions = predictions_csv(model.predict(&asked, Some(rows)).unwrap());
    fs::write(directory.join("predictions.csv"), predictions).unwrap();
}

#[test]
fn saved_models_still_export_and_answer_the_same() {
    if env::var("UPDATE").is_ok() {
        for (target, task) in [
            ("body_mass_g", Task::Regression),
            ("sex", Task::Binary),
            ("species", Task::Multiclass),
        ] {
            let sample = penguins(target, task);
            // The first rows have the holes; the others are all islands and species.
            let rows: Vec<usize> = (0..16).chain((16..sample.frame.n_rows()).step_by(9)).collect();
            let linear = if task == Task::Regression { "ridge" } else { "logistic" };
            write(&cases(), &sample, linear, "{}", &rows);
            write(
                &cases(),
                &sample,
                "random_forest",
                r#"{"n_estimators": 5, "max_depth": 4}"#,
                &rows,
            );
        }
    }
    let mut n_cases = 0;
    for entry in fs::read_dir(cases()).unwrap() {
        let directory = entry.unwrap().path();
        let read = |name: &str| fs::read(directory.join(name)).unwrap();
        let model = Model::from_bytes(&read("model.json")).unwrap();
        assert_eq!(model.to_bytes(), read("model.json"));
        assert!(
            model.to_onnx() == read("model.onnx"),
            "{}: the export changed",
            directory.display()
        );
        let asked = samples::read(&String::from_utf8(read("input.csv")).unwrap());
        let found = predictions_csv(model.predict(&asked, None).unwrap());
        let expected = String::from_utf8(read("predictions.csv")).unwrap();
        assert_eq!(found.lines().count(), expected.lines().count());
        for (found, expected) in found.lines().zip(expected.lines()) {
            for (found, expected) in found.split(',').zip(expected.split(',')) {
                match (found.parse::<f64>(), expected.parse::<f64>()) {
                    (Ok(a), Ok(b)) => assert!((a - b).abs() <= 1e-12 * b.abs().max(1e-3), "{a} {b}"),
                    _ => assert_eq!(found, expected),
                }
            }
        }
        n_cases += 1;
    }
    assert_eq!(n_cases, 6);
}
