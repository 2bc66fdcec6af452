//! Models of `fixtures/onnx/skl` and of our own, against what trained them and against onnxruntime.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::*;

const LIMIT: usize = 512 << 20;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = fixtures().join(path);
    #[expect(clippy::disallowed_methods, reason = "tests read their fixtures")]
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A table as texts, with the names of its columns.
fn table(path: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let bytes = bytes(path);
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let names = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    (names, rows.collect())
}

/// A column as the model wants it.
enum Cells {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// The columns of every third row; single precision where asked, as the models were trained.
fn columns(path: &str, wanted: &[String], every: usize) -> Vec<(String, Cells)> {
    let (names, rows) = table(path);
    let held = || rows.iter().step_by(every);
    let of = |name: &String| {
        let place = names.iter().position(|known| known == name).unwrap();
        let cells = || held().map(|row| row[place].as_str());
        let number = |cell: &str| {
            if cell.is_empty() {
                Some(f64::NAN)
            } else {
                cell.parse::<f32>().ok().map(f64::from)
            }
        };
        match cells().map(number).collect() {
            Some(numbers) => Cells::Numbers(numbers),
            None => Cells::Texts(cells().map(str::to_owned).collect()),
        }
    };
    wanted.iter().map(|name| (name.clone(), of(name))).collect()
}

fn scored(scorer: &Scorer, columns: &[(String, Cells)]) -> Result<Scores, OnnxError> {
    let texts: Vec<Vec<&str>> = columns
        .iter()
        .map(|(_, cells)| match cells {
            Cells::Texts(texts) => texts.iter().map(String::as_str).collect(),
            Cells::Numbers(_) => Vec::new(),
        })
        .collect();
    let given: Vec<(&str, Column)> = columns
        .iter()
        .zip(&texts)
        .map(|((name, cells), texts)| match cells {
            Cells::Numbers(numbers) => (name.as_str(), Column::Numbers(numbers)),
            Cells::Texts(_) => (name.as_str(), Column::Texts(texts)),
        })
        .collect();
    scorer.score(&given)
}

fn texts(list: &Json) -> Vec<String> {
    let text = |item: &Json| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
    list.as_array().unwrap().iter().map(text).collect()
}

fn rows(list: &Json) -> Vec<Vec<f64>> {
    let row = |row: &Json| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|value| value.as_f64().unwrap())
            .collect()
    };
    list.as_array().unwrap().iter().map(row).collect()
}

/// The greatest difference of a row, relative beyond 1.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let one = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() / b.abs().max(1.0) };
    a.iter()
        .zip(b)
        .map(one)
        .map(|d| if d.is_nan() { f64::INFINITY } else { d })
        .fold(0.0, f64::max)
}

/// Every exported model answers as what it was exported from, to 1e-5; where onnxruntime does not (a number on the
/// threshold of a tree that only double precision tells apart, or an exporter's error), as onnxruntime, to 1e-5.
#[test]
fn exported_models_answer_as_what_trained_them() {
    let expected: Json = serde_json::from_slice(&bytes("onnx/skl/expected.json")).unwrap();
    let mut told = String::new();
    let (mut n_models, mut greatest, mut failed) = (0, 0.0_f64, 0);
    for (name, case) in expected.as_object().unwrap() {
        let scorer = match Scorer::new(&bytes(format!("onnx/skl/{name}.onnx")), LIMIT) {
            Ok(scorer) => scorer,
            Err(error) => {
                failed += 1;
                writeln!(told, "{name}: {error}: {:?}", std::error::Error::source(&error)).unwrap();
                continue;
            }
        };
        let wanted = texts(&case["columns"]);
        assert_eq!(
            scorer.column_names().is_none(),
            case["matrix"].as_bool().unwrap(),
            "{name}"
        );
        let columns = columns(case["data"].as_str().unwrap(), &wanted, 3);
        let scores = match scored(&scorer, &columns) {
            Ok(scores) => scores,
            Err(error) => {
                failed += 1;
                writeln!(told, "{name}: {error}: {:?}", std::error::Error::source(&error)).unwrap();
                continue;
            }
        };
        n_models += 1;
        let trained = rows(&case["trained"]);
        let runtime = case.get("runtime").map(rows);
        let (values, width) = match &scores {
            Scores::Values { values, n_targets } => (values, *n_targets),
            Scores::Classes { scores, n_classes, .. } => (scores, *n_classes),
        };
        assert_eq!(values.len(), width * trained.len(), "{name}");
        let mut n_apart = 0;
        for (i, row) in values.chunks(width).enumerate() {
            let mut apart = if row.len() == trained[i].len() {
                difference(row, &trained[i])
            } else {
                f64::INFINITY
            };
            if let Some(runtime) = &runtime
                && apart > 1e-5
            {
                n_apart += 1;
                apart = difference(row, &runtime[i]);
            }
            if apart > 1e-5 {
                failed += 1;
                writeln!(told, "{name} row {i}: {row:?} is not {:?}", trained[i]).unwrap();
            } else {
                greatest = greatest.max(apart);
            }
        }
        if n_apart > 0 {
            writeln!(told, "{name}: {n_apart} of {} rows as onnxruntime", trained.len()).unwrap();
        }
        if let Scores::Classes { labels, .. } = &scores {
            let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
            let wanted = texts(case.get("runtime_labels").unwrap_or(&case["labels"]));
            if labels != wanted {
                failed += 1;
                writeln!(told, "{name}: other labels").unwrap();
            }
            let Answer::Classes {
                classes: Some(classes), ..
            } = scorer.answer()
            else {
                panic!("{name}: no classes");
            };
            let classes: Vec<String> = classes.iter().map(ToString::to_string).collect();
            assert_eq!(classes, texts(&case["classes"]), "{name}");
        }
    }
    writeln!(
        told,
        "{n_models} models, {failed} failures, the greatest difference is below {greatest:.0e}"
    )
    .unwrap();
    insta::assert_snapshot!(told, @r"
    knn_regressor_weights: 148 of 148 rows as onnxruntime
    svc_raw_two: 190 of 190 rows as onnxruntime
    hist_three: 1 of 50 rows as onnxruntime
    lightgbm_two: 1 of 190 rows as onnxruntime
    lightgbm_three: 1 of 50 rows as onnxruntime
    mixed_forest: 2 of 115 rows as onnxruntime
    mixed_boosting: 1 of 115 rows as onnxruntime
    mixed_xgboost: 6 of 115 rows as onnxruntime
    missing_hist: 2 of 115 rows as onnxruntime
    missing_lightgbm: 2 of 115 rows as onnxruntime
    81 models, 0 failures, the greatest difference is below 2e-6
    ");
}
