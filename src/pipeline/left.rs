//! What a trainer of the repository left in `$MLOPS_OUTPUT`: predictions, claims, model files. Text of a stranger.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::Value;

use crate::base::{Diagnostics, Task, clean, counted, shortened};
use crate::data::{self, Cell, Column, DataError, Frame, Loaded};
use crate::evaluate::Predictions;
use crate::facts::Claim;
use crate::sys::{self, FileError, FileKind};
use crate::track::Content;

use super::bundle::RESERVED;

/// Both are read; one has to be there.
const PREDICTIONS: [&str; 2] = ["predictions.csv", "predictions.parquet"];
pub const METRICS: &str = "metrics.json";
const MAX_METRICS_BYTES: u64 = 1 << 20;
pub const MAX_CLAIMS: usize = 200;
/// As far from 1 as rounding takes the sum of probabilities.
pub const MAX_OFF: f64 = 1e-3;
/// A greater number is no metric.
const MAX_CLAIMED: f64 = 1e100;
const MAX_FILES: usize = 200;
const MAX_CLASSES: usize = 1000;
/// Of all files together.
const MAX_BYTES: u64 = 8 << 30;

/// Why what was left can not be used. Each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    #[error("{0}")]
    Contract(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the predictions can not be read: {}", first(.0))]
    Unreadable(Diagnostics),
}

fn first(problems: &Diagnostics) -> String {
    let mut messages = problems.iter().map(|problem| {
        let place = match (&problem.file, problem.span) {
            (Some(file), Some(span)) => format!("{file}:{}: ", span.line),
            _ => String::new(),
        };
        format!("{place}{}", problem.message)
    });
    let first = messages.next().unwrap_or_default();
    match messages.count() {
        0 => first,
        n => format!("{first} (and {})", counted(n, "more problem")),
    }
}

/// What is expected of the predictions.
pub struct Expected<'a> {
    /// The held-out rows, each by its place in the data as they were read.
    pub rows: &'a [usize],
    /// The value of the target in each of these rows, as it is written.
    pub truth: &'a [String],
    pub task: Task,
    /// Of classes: those of the training rows, in their order.
    pub labels: &'a [String],
}

/// The predictions in the order of the held-out rows.
///
/// `row` is the place of a row in the data, from 0; every held-out row must be there once, others are left out. Beside it
/// stand `prediction`, for classes `p(CLASS)` of every class or, for two, `probability` of the second; `truth` is held
/// against the data.
pub fn predictions(directory: &Path, expected: &Expected<'_>) -> Result<Predictions, LeftError> {
    let file = PREDICTIONS
        .into_iter()
        .find(|name| matches!(sys::kind(&directory.join(name)), Ok(Some(FileKind::File))))
        .ok_or_else(|| {
            LeftError::Contract(
                "it left no `predictions.csv` in `$MLOPS_OUTPUT`: write one with the columns `row,truth,prediction` and a line \
                 for every row that `$MLOPS_SPLIT` marks as `test`"
                    .to_owned(),
            )
        })?;
    let read = data::read_source(directory, file, &BTreeMap::new());
    let Loaded { frame, .. } = read.map_err(|error| match error {
        DataError::Problems(problems) => LeftError::Unreadable(problems),
        DataError::File(error) => LeftError::File(error),
    })?;
    let column = |name: &str| {
        frame.column(name).ok_or_else(|| {
            let there = frame
                .columns()
                .iter()
                .map(|column| format!("`{}`", shortened(&column.name)));
            let there: Vec<String> = there.take(20).collect();
            LeftError::Contract(format!(
                "`{file}` has no column `{name}`; its columns are {}",
                there.join(", ")
            ))
        })
    };
    let places = places(column("row")?, frame.n_rows(), file)?;
    let order = in_order(&places, expected.rows, file)?;
    if let Some(truth) = frame.column("truth") {
        hold_against_the_data(truth, &order, expected, file)?;
    }
    let predicted = column("prediction")?;
    match expected.task {
        Task::Regression => numbers(predicted, &order, file).map(Predictions::Numbers),
        Task::Binary | Task::Multiclass => classes(&frame, predicted, &order, expected, file),
    }
}

/// The place in the data that each line is about.
fn places(column: &Column, n_rows: usize, file: &str) -> Result<HashMap<usize, usize>, LeftError> {
    let mut places = HashMap::with_capacity(n_rows);
    for line in 0..n_rows {
        let place = match number(column, line) {
            // Beyond 2^53 there are no whole numbers to tell apart.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, from 0 to 2^53"
            )]
            Some(number) if (0.0..=9e15).contains(&number) && number.fract() == 0.0 => number as usize,
            _ => {
                return Err(LeftError::Contract(format!(
                    "`row` of line {} of `{file}` is no whole number from 0: it is the place of the row in the data, as \
                     `$MLOPS_SPLIT` has it",
                    line + 2
                )));
            }
        };
        if let Some(before) = places.insert(place, line) {
            return Err(LeftError::Contract(format!(
                "row {place} is in `{file}` twice, in lines {} and {}",
                before + 2,
                line + 2
            )));
        }
    }
    Ok(places)
}

/// The line of every held-out row.
fn in_order(places: &HashMap<usize, usize>, rows: &[usize], file: &str) -> Result<Vec<usize>, LeftError> {
    let found: Vec<Option<usize>> = rows.iter().map(|row| places.get(row).copied()).collect();
    let n_missing = found.iter().filter(|line| line.is_none()).count();
    let first = rows.iter().zip(&found).find(|(_, line)| line.is_none());
    if let Some((row, _)) = first {
        return Err(LeftError::Contract(format!(
            "`{file}` lacks {n_missing} of the {} held-out rows, the first is row {row}: hold out the rows that \
             `$MLOPS_SPLIT` marks as `test`, and predict every one of them",
            rows.len()
        )));
    }
    Ok(found.into_iter().flatten().collect())
}

/// A trainer that mixed up its rows would be judged on somebody else's answers.
fn hold_against_the_data(
    truth: &Column,
    order: &[usize],
    expected: &Expected<'_>,
    file: &str,
) -> Result<(), LeftError> {
    for ((line, ours), row) in order.iter().zip(expected.truth).zip(expected.rows) {
        let theirs = truth.label(*line).unwrap_or_default();
        let is_same = match expected.task {
            Task::Regression => is_near(&theirs, ours),
            Task::Binary | Task::Multiclass => is_class(&theirs, ours),
        };
        if !is_same {
            return Err(LeftError::Contract(format!(
                "`truth` of row {row} is `{}` in `{file}`, and the data say `{}`: the rows are mixed up",
                shortened(&theirs),
                shortened(ours)
            )));
        }
    }
    Ok(())
}

/// Whether two texts are the same number, within what a 32-bit float keeps.
fn is_near(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() <= 1e-6 * one.abs().max(other.abs()),
        _ => one == other,
    }
}

/// Whether two texts are the same class: `True` and `true`, `1` and `1.0`.
pub fn is_class(one: &str, other: &str) -> bool {
    let is_boolean = || one.eq_ignore_ascii_case(other) && matches!(other, "true" | "false");
    let is_number =
        || matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(one), Ok(other)) if one.total_cmp(&other).is_eq());
    one == other || is_boolean() || is_number()
}

/// The class of this name: the very same before one that is written otherwise.
pub fn class_named(name: &str, labels: &[String]) -> Option<usize> {
    let exact = labels.iter().position(|label| label == name);
    exact.or_else(|| labels.iter().position(|label| is_class(name, label)))
}

fn numbers(column: &Column, order: &[usize], file: &str) -> Result<Vec<f64>, LeftError> {
    let predicted = |line: &usize| {
        let found = number(column, *line).filter(|number| number.is_finite());
        found.ok_or_else(|| LeftError::Contract(format!("`prediction` in line {} of `{file}` is no number", line + 2)))
    };
    order.iter().map(predicted).collect()
}

/// One text among numbers makes a column of texts: it alone is at fault.
fn number(column: &Column, line: usize) -> Option<f64> {
    match column.cell(line) {
        Cell::Number(number) => Some(number),
        Cell::Text(text) => text.trim().parse().ok(),
        Cell::Missing => None,
    }
}

fn classes(
    frame: &Frame,
    predicted: &Column,
    order: &[usize],
    expected: &Expected<'_>,
    file: &str,
) -> Result<Predictions, LeftError> {
    let mut labels = expected.labels.to_vec();
    let probabilities = probability_columns(frame, &mut labels, file)?;
    let mut codes = Vec::with_capacity(order.len());
    let mut known: HashMap<String, u32> = HashMap::new();
    for &line in order {
        let label = predicted
            .label(line)
            .ok_or_else(|| LeftError::Contract(format!("line {} of `{file}` has no `prediction`", line + 2)))?;
        let code = *known.entry(label.into_owned()).or_insert_with_key(|label| {
            let at = class_named(label, &labels).unwrap_or_else(|| {
                labels.push(label.clone());
                labels.len() - 1
            });
            u32::try_from(at).unwrap_or(u32::MAX)
        });
        codes.push(code);
        if labels.len() > MAX_CLASSES {
            let message = format!("`{file}` has more than {MAX_CLASSES} classes");
            return Err(LeftError::Contract(message));
        }
    }
    let mut flat = Vec::new();
    if let Some(columns) = probabilities {
        for &line in order {
            let first = flat.len();
            for label in 0..labels.len() {
                flat.push(columns.of(label, line, file)?);
            }
            let sum: f64 = flat[first..].iter().sum();
            if (sum - 1.0).abs() > MAX_OFF {
                return Err(LeftError::Contract(format!(
                    "the probabilities in line {} of `{file}` sum to {sum:.4}, and they must to 1",
                    line + 2
                )));
            }
        }
    }
    Ok(Predictions::Classes {
        codes,
        labels,
        probabilities: flat,
    })
}

/// Where the probability of a class stands.
enum Probabilities<'a> {
    /// A column a class; none for a class that is only predicted.
    OfEach(Vec<&'a Column>),
    /// Of the second of two.
    OfSecond(&'a Column),
}

impl Probabilities<'_> {
    fn of(&self, label: usize, line: usize, file: &str) -> Result<f64, LeftError> {
        let (column, is_first) = match self {
            Self::OfEach(columns) => match columns.get(label) {
                Some(column) => (*column, false),
                None => return Ok(0.0),
            },
            // A class beyond the two is only predicted.
            Self::OfSecond(_) if label > 1 => return Ok(0.0),
            Self::OfSecond(column) => (*column, label == 0),
        };
        match number(column, line) {
            Some(p) if (-1e-6..=1.0 + 1e-6).contains(&p) => {
                let p = p.clamp(0.0, 1.0);
                Ok(if is_first { 1.0 - p } else { p })
            }
            _ => Err(LeftError::Contract(format!(
                "`{}` in line {} of `{file}` is no probability",
                shortened(&column.name),
                line + 2
            ))),
        }
    }
}

/// Finds the columns of probabilities; a class that only they know is added to the labels.
fn probability_columns<'f>(
    frame: &'f Frame,
    labels: &mut Vec<String>,
    file: &str,
) -> Result<Option<Probabilities<'f>>, LeftError> {
    let named: Vec<(&str, &Column)> = frame
        .columns()
        .iter()
        .filter_map(|column| Some((column.name.strip_prefix("p(")?.strip_suffix(')')?, column)))
        .collect();
    if named.is_empty() {
        let second = frame.column("probability").filter(|_| labels.len() == 2);
        return Ok(second.map(Probabilities::OfSecond));
    }
    for (name, _) in &named {
        if class_named(name, labels).is_none() {
            labels.push((*name).to_owned());
        }
    }
    let of = |label: &String| {
        let exact = named.iter().find(|(name, _)| name == label);
        let found = exact.or_else(|| named.iter().find(|(name, _)| is_class(name, label)));
        found.map(|(_, column)| *column).ok_or_else(|| {
            let label = shortened(label);
            LeftError::Contract(format!(
                "`{file}` has probabilities, but none of the class `{label}`: add the column `p({label})`"
            ))
        })
    };
    labels
        .iter()
        .map(of)
        .collect::<Result<_, _>>()
        .map(Probabilities::OfEach)
        .map(Some)
}

/// Metrics that the trainer says it reached, by name; what is no number is left out, and how many.
pub fn claims(directory: &Path) -> Result<(Vec<(String, f64)>, usize), LeftError> {
    let place = directory.join(METRICS);
    if sys::kind(&place)?.is_none() {
        return Ok((Vec::new(), 0));
    }
    let bytes = sys::read_beneath(directory, &[METRICS], MAX_METRICS_BYTES)?;
    // NaN and Infinity, which Python writes, are no JSON.
    let read: Value = serde_json::from_slice(&bytes)
        .map_err(|error| LeftError::Contract(format!("`{METRICS}` is no JSON: {error}")))?;
    let Value::Object(entries) = read else {
        return Err(LeftError::Contract(format!(
            "`{METRICS}` must be a mapping of names to numbers, such as `{{\"rmse\": 51.2}}`"
        )));
    };
    let n_entries = entries.len();
    let numbers = entries.into_iter().filter_map(|(name, value)| {
        Some((
            clean(&name, 200),
            value.as_f64().filter(|value| value.abs() < MAX_CLAIMED)?,
        ))
    });
    let claims: Vec<(String, f64)> = numbers.take(MAX_CLAIMS).collect();
    let n_left_out = n_entries - claims.len();
    Ok((claims, n_left_out))
}

/// A claim beside what we measured on the same predictions.
pub fn checked(metric: String, claimed: f64, measured: &[(String, Option<f64>)]) -> Claim {
    let found = measured.iter().find(|(name, _)| *name == metric);
    let measured = found.and_then(|(_, value)| *value);
    // People round what they write down.
    let agrees = measured.map(|measured| (claimed - measured).abs() <= 5e-4 + 1e-3 * measured.abs());
    Claim {
        metric,
        claimed,
        measured,
        agrees,
    }
}

/// The files that make up the model: everything but predictions and metrics.
pub fn files(directory: &Path) -> Result<BTreeMap<String, Content>, LeftError> {
    let mut files = BTreeMap::new();
    let mut n_bytes = 0;
    for listed in sys::list(directory)? {
        let shown = listed.name.to_string_lossy().into_owned();
        if PREDICTIONS.contains(&shown.as_str()) || shown == METRICS {
            continue;
        }
        if RESERVED.contains(&shown.as_str()) {
            return Err(LeftError::Contract(format!(
                "it left `{shown}` in `$MLOPS_OUTPUT`, which is the name of a file of ours: give it another name"
            )));
        }
        if listed.kind != FileKind::File {
            return Err(LeftError::Contract(format!(
                "`{}` in `$MLOPS_OUTPUT` is not a file, and a version holds files: pack a folder into an archive such as \
                 `model.tar`",
                shortened(&shown)
            )));
        }
        let is_plain = listed
            .name
            .to_str()
            .is_some_and(|name| !name.chars().any(|c| c.is_control() || c == '\\'));
        if !is_plain || files.len() == MAX_FILES {
            return Err(LeftError::Contract(if is_plain {
                format!("it left more than {MAX_FILES} files in `$MLOPS_OUTPUT`: pack them into an archive")
            } else {
                format!(
                    "`{}` in `$MLOPS_OUTPUT` has a name that no file of a version can have",
                    shortened(&shown)
                )
            }));
        }
        let content = Content::File(directory.join(&listed.name));
        n_bytes += content.len()?;
        if n_bytes > MAX_BYTES {
            return Err(LeftError::Contract(
                "the files in `$MLOPS_OUTPUT` have more than 8 GiB together".to_owned(),
            ));
        }
        files.insert(shown, content);
    }
    Ok(files)
}

#[cfg(test)]
#[path = "left_tests.rs"]
mod tests;
