//! Models of `fixtures/onnx/skl` and of our own, against what trained them and against onnxruntime.

mod hostile;

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
    let one = |(a, b): (&f64, &f64)| {
        if a.total_cmp(b).is_eq() {
            0.0
        } else {
            (a - b).abs() / b.abs().max(1.0)
        }
    };
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
    82 models, 0 failures, the greatest difference is below 2e-6
    ");
}

/// A tensor of `hand.json`.
fn told_tensor(told: &Json) -> tensor::Tensor {
    let shape = told["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|dim| usize::try_from(dim.as_u64().unwrap()).unwrap());
    let values = told["values"].as_array().unwrap().iter();
    let real = |value: &Json| {
        value
            .as_f64()
            .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
    };
    let data = match told["kind"].as_str().unwrap() {
        "float" => tensor::Data::Float(values.map(|value| tensor::single(real(value))).collect()),
        "double" => tensor::Data::Double(values.map(real).collect()),
        "int64" => tensor::Data::Int(values.map(|value| value.as_i64().unwrap()).collect()),
        "bool" => tensor::Data::Bool(values.map(|value| value.as_bool().unwrap()).collect()),
        _ => tensor::Data::Text(values.map(|value| value.as_str().unwrap().into()).collect()),
    };
    tensor::Tensor::new(shape.collect(), data).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .map(|digit| u8::try_from(char::from(digit).to_digit(16).unwrap()).unwrap())
        .collect();
    digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
}

fn error_of(error: &OnnxError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// A graph of `hand.json`, run as it is.
fn run(model: &[u8], inputs: &[Json]) -> Result<Vec<tensor::Tensor>, OnnxError> {
    let model = <proto::Model as prost::Message>::decode(model).unwrap();
    let opsets = model
        .opsets
        .iter()
        .map(|opset| (opset.domain.clone(), opset.version))
        .collect();
    let program = graph::Program::new(&model.graph.unwrap(), &opsets, 0)?;
    let inputs = inputs
        .iter()
        .map(|told| std::sync::Arc::new(told_tensor(told).into()))
        .collect();
    let outputs = program.run(inputs, &graph::Meter::new(1 << 30))?;
    Ok(outputs
        .iter()
        .map(|value| match &**value {
            tensor::Value::Tensor(tensor) => tensor.clone(),
            tensor::Value::Maps { .. } => panic!("no map is made by hand"),
        })
        .collect())
}

/// Every operator by itself gives what onnxruntime gives: kind, shape, labels and whole numbers exactly, others to 2e-6
/// (2e-5 after the probit).
#[test]
fn operators_compute_as_onnxruntime() {
    let cases: Json = serde_json::from_slice(&bytes("onnx/skl/hand.json")).unwrap();
    let mut told = String::new();
    for (name, case) in cases.as_object().unwrap() {
        // Near the middle the approximation loses half of the digits of single precision.
        let tolerance = if name.contains("PROBIT") { 2e-5 } else { 2e-6 };
        let found = run(
            &unhex(case["model"].as_str().unwrap()),
            case["inputs"].as_array().unwrap(),
        );
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                writeln!(told, "{name}: {}", error_of(&error)).unwrap();
                continue;
            }
        };
        for (i, (found, wanted)) in found.iter().zip(case["outputs"].as_array().unwrap()).enumerate() {
            let wanted = told_tensor(wanted);
            let same = found.shape() == wanted.shape()
                && match (found.data(), wanted.data()) {
                    (tensor::Data::Float(_), tensor::Data::Float(_))
                    | (tensor::Data::Double(_), tensor::Data::Double(_)) => {
                        let (found, wanted) = (found.to_doubles().unwrap(), wanted.to_doubles().unwrap());
                        found.iter().zip(&wanted).all(|(found, wanted)| {
                            found.is_nan() && wanted.is_nan() || difference(&[*found], &[*wanted]) < tolerance
                        })
                    }
                    (found, wanted) => found == wanted,
                };
            if !same {
                writeln!(told, "{name}: output {i} is\n  {found:?}, not\n  {wanted:?}").unwrap();
            }
        }
    }
    writeln!(told, "{} cases", cases.as_object().unwrap().len()).unwrap();
    insta::assert_snapshot!(told, @"546 cases");
}

/// Models that this program wrote, with inputs in double precision and missing cells, answer as this program did.
#[test]
fn own_models_answer_as_they_did() {
    let mut told = String::new();
    for name in [
        "logistic_penguins_sex",
        "logistic_penguins_species",
        "random_forest_penguins_mass",
        "random_forest_penguins_sex",
        "random_forest_penguins_species",
        "ridge_penguins_mass",
    ] {
        let scorer = Scorer::new(&bytes(format!("onnx/saved/{name}/model.onnx")), LIMIT).unwrap();
        let wanted: Vec<String> = scorer.column_names().unwrap().into_iter().map(str::to_owned).collect();
        let columns = columns(&format!("onnx/saved/{name}/input.csv"), &wanted, 1);
        let (names, rows) = table(&format!("onnx/saved/{name}/predictions.csv"));
        let mut greatest = 0.0_f64;
        match scored(&scorer, &columns).unwrap() {
            Scores::Values { values, .. } => {
                for (row, value) in rows.iter().zip(values) {
                    greatest = greatest.max(difference(&[value], &[row[0].parse().unwrap()]));
                }
            }
            Scores::Classes {
                labels,
                scores,
                n_classes,
            } => {
                let Answer::Classes {
                    classes: Some(classes), ..
                } = scorer.answer()
                else {
                    panic!("{name}: no classes");
                };
                let classes: Vec<String> = classes.iter().map(|class| format!("p({class})")).collect();
                assert_eq!(classes, names[1..]);
                for ((row, label), scores) in rows.iter().zip(labels).zip(scores.chunks(n_classes)) {
                    assert_eq!(row[0], label.to_string());
                    let wanted: Vec<f64> = row[1..].iter().map(|cell| cell.parse().unwrap()).collect();
                    greatest = greatest.max(difference(scores, &wanted));
                }
            }
        }
        writeln!(
            told,
            "{name}: {} rows, {}",
            rows.len(),
            if greatest < 1e-6 { "equal" } else { "different" }
        )
        .unwrap();
    }
    insta::assert_snapshot!(told, @r#"
    logistic_penguins_sex: 52 rows, equal
    logistic_penguins_species: 53 rows, equal
    random_forest_penguins_mass: 53 rows, equal
    random_forest_penguins_sex: 52 rows, equal
    random_forest_penguins_species: 53 rows, equal
    ridge_penguins_mass: 53 rows, equal
    "#);
}
