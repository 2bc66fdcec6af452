//! The target column as numbers or as classes. Pure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::base::Task;
use crate::data::{Column, ColumnType, Frame, MISSING, Values};
use crate::evaluate::Truth;

/// Why a target column can not be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TargetError {
    #[error("there is no column `{0}`")]
    Absent(String),
    #[error("row {row} is beyond the {n_rows} rows of the data")]
    Row { row: usize, n_rows: usize },
    #[error("`{target}` has no value in {n_missing} of {n_rows} rows")]
    Missing {
        target: String,
        n_missing: usize,
        n_rows: usize,
    },
    #[error("`{0}` holds texts, and a regression needs numbers")]
    NotNumbers(String),
}

/// What is right in these rows: numbers for a regression, otherwise classes.
///
/// `labels` are the classes of a model; a value that is not among them is appended after them, so that codes stay
/// those of the model. Without them the labels are the values that occur, sorted: numbers by size, texts by code point.
/// Booleans read `false` and `true`, numbers as short as they round-trip (`1`, `2.5`).
///
/// # Errors
/// [`TargetError`] when the column is absent, of the wrong type, or has rows without a value.
pub fn truth(
    frame: &Frame,
    rows: &[usize],
    target: &str,
    task: Task,
    labels: Option<&[String]>,
) -> Result<Truth, TargetError> {
    let column = frame
        .column(target)
        .ok_or_else(|| TargetError::Absent(target.to_owned()))?;
    let n_rows = frame.n_rows();
    if let Some(&row) = rows.iter().find(|&&row| row >= n_rows) {
        return Err(TargetError::Row { row, n_rows });
    }
    let n_missing = rows.iter().filter(|&&row| is_missing(column, row)).count();
    if n_missing > 0 {
        return Err(TargetError::Missing {
            target: target.to_owned(),
            n_missing,
            n_rows: rows.len(),
        });
    }
    match (task, &column.values) {
        (Task::Regression, Values::Numbers(values)) => {
            Ok(Truth::Numbers(rows.iter().map(|&row| values[row]).collect()))
        }
        (Task::Regression, Values::Texts { .. }) => Err(TargetError::NotNumbers(target.to_owned())),
        (Task::Binary | Task::Multiclass, _) => Ok(classes(column, rows, labels)),
    }
}

fn is_missing(column: &Column, row: usize) -> bool {
    match &column.values {
        Values::Numbers(values) => values[row].is_nan(),
        Values::Texts { codes, .. } => codes[row] == MISSING,
    }
}

fn classes(column: &Column, rows: &[usize], labels: Option<&[String]>) -> Truth {
    let names: Vec<String> = rows.iter().map(|&row| label(column, row)).collect();
    let mut labels = labels.map(<[String]>::to_vec).unwrap_or_default();
    let mut codes: BTreeMap<&str, u32> = BTreeMap::new();
    let known = labels.clone();
    for name in &known {
        let next = codes.len();
        codes.entry(name).or_insert(u32::try_from(next).unwrap_or(u32::MAX));
    }
    let mut fresh: Vec<(f64, &str)> = rows
        .iter()
        .zip(&names)
        .filter(|(_, name)| !codes.contains_key(name.as_str()))
        .map(|(&row, name)| match &column.values {
            Values::Numbers(values) => (values[row], name.as_str()),
            Values::Texts { .. } => (0.0, name.as_str()),
        })
        .collect();
    fresh.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    for (_, name) in fresh {
        let next = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        if let Entry::Vacant(place) = codes.entry(name) {
            place.insert(next);
            labels.push(name.to_owned());
        }
    }
    Truth::Classes {
        codes: names.iter().map(|name| codes[name.as_str()]).collect(),
        labels,
    }
}

/// How a value of the target reads as a class.
fn label(column: &Column, row: usize) -> String {
    match &column.values {
        Values::Numbers(values) if column.kind == ColumnType::Boolean => (values[row] != 0.0).to_string(),
        // Adding zero turns -0 into 0, which is the same class.
        Values::Numbers(values) => (values[row] + 0.0).to_string(),
        Values::Texts { codes, levels } => levels.get(codes[row] as usize).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[f64], kind: ColumnType) -> Frame {
        crate::train::samples::frame(vec![Column {
            name: "y".to_owned(),
            kind,
            values: Values::Numbers(values.to_vec()),
        }])
    }

    fn classes_of(frame: &Frame, labels: Option<&[String]>) -> (Vec<u32>, Vec<String>) {
        let rows: Vec<usize> = (0..frame.n_rows()).collect();
        match truth(frame, &rows, "y", Task::Multiclass, labels).unwrap() {
            Truth::Classes { codes, labels } => (codes, labels),
            Truth::Numbers(_) => panic!("classes were asked for"),
        }
    }

    #[test]
    fn numbers_sort_by_size_and_booleans_read_as_written() {
        let (codes, labels) = classes_of(&numbers(&[10.0, 9.0, -0.0, 0.0], ColumnType::Integer), None);
        assert_eq!((codes, labels.join(" ")), (vec![2, 1, 0, 0], "0 9 10".to_owned()));
        let (codes, labels) = classes_of(&numbers(&[1.0, 0.0], ColumnType::Boolean), None);
        assert_eq!((codes, labels.join(" ")), (vec![1, 0], "false true".to_owned()));
    }

    #[test]
    fn a_class_that_the_model_does_not_know_comes_after_its_labels() {
        let known = ["5".to_owned(), "9".to_owned()];
        let (codes, labels) = classes_of(&numbers(&[7.0, 9.0, 5.0], ColumnType::Integer), Some(&known));
        assert_eq!((codes, labels.join(" ")), (vec![2, 1, 0], "5 9 7".to_owned()));
    }

    #[test]
    fn says_why_a_target_can_not_be_used() {
        let frame = numbers(&[1.0, f64::NAN], ColumnType::Float);
        let error = |rows: &[usize], name: &str| truth(&frame, rows, name, Task::Regression, None).unwrap_err();
        assert_eq!(error(&[0, 1], "y").to_string(), "`y` has no value in 1 of 2 rows");
        assert_eq!(error(&[0], "z").to_string(), "there is no column `z`");
        assert_eq!(error(&[9], "y").to_string(), "row 9 is beyond the 2 rows of the data");
    }
}
