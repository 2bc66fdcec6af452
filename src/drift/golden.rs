//! The reference numbers of `fixtures/drift`, for tests of every part of this module.
#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests read their fixtures")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sketch::{ColumnSketch, NumberSketch, Scratch, Seen, TextSketch};
use super::univariate::{Kind, Op, ScoreKind};
use crate::data::value::{self, Form};

/// One pair of data sets with what other programs say about it.
pub struct Golden {
    pub name: String,
    /// In the order of the reference, then those that only the current data has.
    pub columns: Vec<Declared>,
    pub reference: Vec<ColumnSketch>,
    pub current: Vec<ColumnSketch>,
    pub checks: Vec<Check>,
    /// The whole preset: `number_of_columns`, `number_of_drifted_columns`, `columns`, `dropped_columns`.
    pub dataset: Value,
    /// `calibrated.json` as it is.
    pub calibrated: Value,
}

/// The type that a column is tested with.
pub struct Declared {
    pub column: String,
    pub kind: Kind,
    /// Not what Evidently infers, but what it was told.
    pub is_overridden: bool,
    /// What Evidently infers from the current side, where there is one.
    pub inferred: Option<Kind>,
}

/// One test of one column.
pub struct Check {
    pub column: String,
    /// None where Evidently found no test.
    pub test: Option<String>,
    /// What Evidently selects on its own.
    pub is_default: bool,
    pub kind: Kind,
    pub threshold: Option<f64>,
    pub score_kind: Option<ScoreKind>,
    pub op: Option<Op>,
    pub detail: Value,
    pub expected: Expected,
}

/// What the product must say.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Not compared.
    Any,
    /// No score, for this reason.
    Skipped(String),
    Score {
        score: f64,
        rel: f64,
        abs: f64,
        /// None so near to the threshold that the last digits decide.
        drifted: Option<bool>,
    },
}

impl Check {
    /// What is wrong with this score; None when it is as expected.
    pub fn complaint(&self, score: Option<f64>, drifted: bool) -> Option<String> {
        let place = format!("{} {}", self.column, self.test.as_deref().unwrap_or("?"));
        match (&self.expected, score) {
            (Expected::Any, _) | (Expected::Skipped(_), None) => None,
            (Expected::Skipped(reason), Some(score)) => Some(format!("{place}: {score}, must be skipped: {reason}")),
            // A test that is not defined has no number, where Evidently has NaN.
            (Expected::Score { score, .. }, None) if score.is_nan() => None,
            (Expected::Score { score, .. }, None) => Some(format!("{place}: no score, must be {score}")),
            (
                Expected::Score {
                    score: wanted,
                    rel,
                    abs,
                    drifted: wanted_drift,
                },
                Some(score),
            ) => {
                let is_close = score.total_cmp(wanted).is_eq()
                    || (score - wanted).abs() <= abs + rel * wanted.abs()
                    || (score.is_nan() && wanted.is_nan());
                if !is_close {
                    Some(format!("{place}: {score}, must be {wanted}"))
                } else if wanted_drift.is_some_and(|wanted| wanted != drifted) {
                    Some(format!("{place}: drifted {drifted}, must not be"))
                } else {
                    None
                }
            }
        }
    }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/drift")
}

/// Every pair, by name.
pub fn pairs() -> Vec<Golden> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("reference.csv").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names.into_iter().map(|name| pair(&name)).collect()
}

/// One pair by the name of its folder.
pub fn pair(name: &str) -> Golden {
    let folder = folder().join(name);
    let json =
        |file: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap() };
    let expected = json("expected.json");
    let list = |key: &str| expected[key].as_array().unwrap().clone();
    Golden {
        name: name.to_owned(),
        columns: list("schema")
            .iter()
            .map(|row| Declared {
                column: row["column"].as_str().unwrap().to_owned(),
                kind: kind(&row["type"]),
                is_overridden: row["type_overridden"].as_bool().unwrap(),
                inferred: row["current"].is_object().then(|| kind(&row["current"]["inferred"])),
            })
            .collect(),
        reference: table(&folder.join("reference.csv")),
        current: table(&folder.join("current.csv")),
        checks: list("checks").iter().map(check).collect(),
        dataset: expected["dataset"].clone(),
        calibrated: json("calibrated.json"),
    }
}

/// Numbers that JSON can not hold are texts.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) if text == "NaN" => Some(f64::NAN),
        Value::String(text) if text == "Infinity" => Some(f64::INFINITY),
        Value::String(text) if text == "-Infinity" => Some(f64::NEG_INFINITY),
        other => other.as_f64(),
    }
}

fn kind(value: &Value) -> Kind {
    serde_json::from_value(value.clone()).unwrap_or(Kind::Unknown)
}

fn check(row: &Value) -> Check {
    let threshold = number(&row["params"]["threshold"]);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Check {
        column: text(&row["column"]).unwrap(),
        test: text(&row["test"]),
        is_default: row["default"].as_bool().unwrap(),
        kind: kind(&row["params"]["type"]),
        threshold,
        score_kind: serde_json::from_value(row["score_kind"].clone()).ok(),
        op: serde_json::from_value(row["op"].clone()).ok(),
        detail: row["detail"].clone(),
        expected: expected(row, threshold),
    }
}

fn expected(row: &Value, threshold: Option<f64>) -> Expected {
    let ours = &row["ours"];
    match ours["status"].as_str() {
        Some("any") => return Expected::Any,
        Some("skipped") => return Expected::Skipped(ours["reason"].as_str().unwrap().to_owned()),
        _ => {}
    }
    // Where Evidently failed and nothing is said of ours, ours is free.
    let Some(score) = number(&ours["score"]).or_else(|| number(&row["score"])) else {
        return Expected::Any;
    };
    let rel = row["tol"]["rel"].as_f64().unwrap_or(1e-8);
    let abs = ours["tol_abs"].as_f64().or(row["tol"]["abs"].as_f64()).unwrap_or(1e-12);
    let is_near = threshold.is_some_and(|threshold| (score - threshold).abs() <= abs + rel * threshold.abs());
    let drifted = ours["drifted"].as_bool().or(row["drifted"].as_bool());
    Expected::Score {
        score,
        rel,
        abs,
        drifted: drifted.filter(|_| !is_near),
    }
}

fn table(path: &Path) -> Vec<ColumnSketch> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, cell) in columns.iter_mut().zip(&record.unwrap()) {
            column.push(cell.to_owned());
        }
    }
    names
        .iter()
        .zip(&columns)
        .map(|(name, cells)| column(name, cells))
        .collect()
}

/// A column as our reader has it.
fn column(name: &str, cells: &[String]) -> ColumnSketch {
    let known: Vec<&str> = cells
        .iter()
        .map(String::as_str)
        .filter(|cell| !value::is_missing(cell))
        .collect();
    let all = |parse: fn(&str) -> Option<f64>| -> Option<Vec<f64>> { known.iter().map(|cell| parse(cell)).collect() };
    let n_missing = cells.len() - known.len();
    let is_whole = n_missing == 0
        && known
            .iter()
            .all(|cell| matches!(value::number(cell), Some((_, Form::Integer | Form::Large | Form::Code))));
    let mut n_infinite = 0;
    let mut numbers = |values: Vec<f64>| {
        let counted = NumberSketch::of(values, is_whole, &mut Scratch::default());
        n_infinite = counted.n_infinite;
        counted.sketch
    };
    let seen = if known.is_empty() {
        Seen::Empty
    } else if let Some(values) = all(|cell| value::number(cell).map(|(number, _)| number)) {
        numbers(values).map_or(Seen::Empty, Seen::Numbers)
    } else if let Some(values) = all(|cell| value::boolean(cell).map(|is| if is { 1.0 } else { 0.0 })) {
        let n_true = values.iter().filter(|value| **value > 0.0).count();
        Seen::Booleans([(known.len() - n_true) as u64, n_true as u64])
    } else if let Some(values) = all(value::timestamp) {
        Seen::Times(numbers(values).unwrap())
    } else {
        let mut levels: BTreeMap<&str, u64> = BTreeMap::new();
        for cell in known {
            *levels.entry(cell).or_default() += 1;
        }
        Seen::Texts(TextSketch {
            levels: levels.keys().map(|level| (*level).to_owned()).collect(),
            counts: levels.values().copied().collect(),
            n_other: 0,
            n_distinct: levels.len() as u64,
        })
    };
    ColumnSketch {
        name: name.to_owned(),
        n_rows: cells.len() as u64,
        n_missing: n_missing as u64,
        n_infinite,
        seen,
    }
}

#[test]
fn all_pairs_are_there() {
    let pairs = pairs();
    assert_eq!(pairs.len(), 11);
    // Of 1843, as `README.md` has it.
    let checks = || pairs.iter().flat_map(|pair| &pair.checks);
    assert_eq!(checks().count(), 1843);
    assert!(
        checks()
            .filter(|check| matches!(check.expected, Expected::Score { .. }))
            .count()
            > 1600
    );
    for pair in &pairs {
        let names = |side: &[ColumnSketch]| side.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let (reference, current) = (names(&pair.reference), names(&pair.current));
        for declared in &pair.columns {
            assert!(reference.contains(&declared.column) || current.contains(&declared.column));
        }
    }
}
