//! What a model of a target is asked for, found from the target's values, and which rows can be used. Pure.

use crate::base::{Diagnostic, Task};

use super::{Column, ColumnType, Frame, Values};

/// More distinct whole numbers than this are a quantity, not classes.
const MAX_INTEGER_CLASSES: usize = 10;

/// More texts than this are not classes that a model can learn.
pub const MAX_CLASSES: usize = 1000;

/// The task that the target's values call for, and why, in words for the report.
///
/// Texts and booleans are classes. Whole numbers (with `.0` or without) are classes when there are exactly two of them, or at most
/// ten that follow one another (such as 0, 1, 2) and each occurs at least twice on average. All other numbers
/// are quantities.
///
/// # Errors
/// When the target is unknown, has no value, is constant, or is a timestamp; the caller adds the place.
pub fn infer_task(frame: &Frame, target: &str) -> Result<(Task, String), Diagnostic> {
    let column = frame.find(target)?;
    let n = frame.n_rows() - column.n_missing();
    let classes = |n_classes: usize, what: &str| {
        let task = if n_classes == 2 { Task::Binary } else { Task::Multiclass };
        let why = format!("`{target}` has {n_classes} distinct {what}");
        (task, why)
    };
    let values = varied(column, n)?;
    match (column.kind, values) {
        (ColumnType::Timestamp, _) => Err(Diagnostic::error(
            "unusable-target",
            format!("the target `{target}` is a timestamp, which no model here predicts"),
        )
        .help("predict a number derived from it, such as the days until it")),
        (ColumnType::Boolean, _) => Ok((Task::Binary, format!("`{target}` is true or false"))),
        (ColumnType::Text, Some(values)) => Ok(classes(values.len(), "texts")),
        (ColumnType::Text, None) => Err(too_many_classes(target)),
        (ColumnType::Integer | ColumnType::Float, Some(values)) if are_classes(column, values.len(), n) => {
            Ok(classes(values.len(), "whole numbers"))
        }
        (ColumnType::Integer, Some(values)) => Ok((
            Task::Regression,
            format!("`{target}` is whole numbers with {} distinct values", values.len()),
        )),
        (ColumnType::Integer, None) => Ok((
            Task::Regression,
            format!("`{target}` is whole numbers with more than {MAX_CLASSES} distinct values"),
        )),
        (ColumnType::Float, _) => Ok((Task::Regression, format!("`{target}` is a decimal number"))),
    }
}

/// Checks that a task which the configuration names fits the target.
///
/// # Errors
/// When it does not; the caller adds the place.
pub fn check_task(frame: &Frame, target: &str, task: Task) -> Result<(), Diagnostic> {
    let column = frame.find(target)?;
    let n = frame.n_rows() - column.n_missing();
    let values = varied(column, n)?;
    let wrong = |message: String| Err(Diagnostic::error("wrong-task", message));
    match task {
        Task::Regression if matches!(column.kind, ColumnType::Float | ColumnType::Integer) => Ok(()),
        Task::Regression => wrong(format!(
            "regression needs numbers, but the target `{target}` is {}",
            column.kind.article()
        )),
        Task::Binary => match values {
            Some(values) if values.len() == 2 => Ok(()),
            Some(values) => wrong(format!(
                "binary classification needs two classes, but the target `{target}` has {}",
                values.len()
            )),
            None => wrong(format!(
                "binary classification needs two classes, but the target `{target}` has more than {MAX_CLASSES}"
            )),
        },
        Task::Multiclass if values.is_none() => Err(too_many_classes(target)),
        Task::Multiclass => Ok(()),
    }
}

/// The rows whose target is known, ascending, and how many are left out.
pub fn rows_with_target(frame: &Frame, target: &str) -> Result<(Vec<usize>, usize), Diagnostic> {
    let column = frame.find(target)?;
    let rows: Vec<usize> = (0..frame.n_rows()).filter(|&row| !column.is_missing(row)).collect();
    let dropped = frame.n_rows() - rows.len();
    Ok((rows, dropped))
}

/// The distinct values of a target that has at least two.
fn varied(column: &Column, n: usize) -> Result<Option<Vec<(String, usize)>>, Diagnostic> {
    let name = &column.name;
    if n == 0 {
        return Err(Diagnostic::error(
            "unusable-target",
            format!("the target `{name}` has no value in any row"),
        ));
    }
    let values = column.distinct(MAX_CLASSES);
    if let Some([(only, _)]) = values.as_deref() {
        return Err(Diagnostic::error(
            "constant-target",
            format!(
                "the target `{name}` is `{}` in every row, so there is nothing to learn",
                short(only)
            ),
        )
        .help("check that `data.target` names the right column and that the data is complete"));
    }
    Ok(values)
}

fn are_classes(column: &Column, n_distinct: usize, n: usize) -> bool {
    let Values::Numbers(numbers) = &column.values else {
        return false;
    };
    let known = numbers.iter().filter(|number| !number.is_nan());
    let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &number| {
        (low.min(number), high.max(number))
    });
    let consecutive = high - low < n_distinct as f64;
    let whole = numbers.iter().all(|number| number.is_nan() || number.fract() == 0.0);
    whole && (n_distinct == 2 || (n_distinct <= MAX_INTEGER_CLASSES && consecutive && n >= 2 * n_distinct))
}

fn too_many_classes(target: &str) -> Diagnostic {
    Diagnostic::error(
        "unusable-target",
        format!("the target `{target}` has more than {MAX_CLASSES} distinct texts, too many to be classes"),
    )
    .help("check that `data.target` names the right column; merge rare classes if it does")
}

/// A value for a message, at most 40 characters.
pub fn short(text: &str) -> String {
    if text.chars().count() > 40 {
        text.chars().take(39).chain(['…']).collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    fn check(column: Column) -> String {
        match infer_task(&frame(vec![column]), "y") {
            Ok((task, why)) => format!("{}: {why}", task.name()),
            Err(problem) => problem.message,
        }
    }

    #[test]
    fn says_the_task_and_why() {
        let many: Vec<f64> = (0..40).map(f64::from).collect();
        let shown = [
            check(texts("y", &["a", "b", "a"])),
            check(texts("y", &["a", "b", "c"])),
            check(numbers("y", &[0.0, 1.0, 1.0])),
            check(numbers("y", &[0.0, 1.0, 2.0, 0.0, 1.0, 2.0])),
            check(numbers("y", &[0.0, 1.0, 2.0])),
            check(numbers("y", &[10.0, 20.0, 30.0, 10.0, 20.0, 30.0])),
            check(numbers("y", &many)),
            check(numbers("y", &[0.5, 1.5])),
            check(Column {
                kind: ColumnType::Float,
                ..numbers("y", &[0.0, 1.0, f64::NAN])
            }),
            check(numbers("y", &[7.0, 7.0])),
            check(numbers("y", &[f64::NAN])),
        ]
        .join("\n");
        insta::assert_snapshot!(shown, @r#"
    binary: `y` has 2 distinct texts
    multiclass: `y` has 3 distinct texts
    binary: `y` has 2 distinct whole numbers
    multiclass: `y` has 3 distinct whole numbers
    regression: `y` is whole numbers with 3 distinct values
    regression: `y` is whole numbers with 3 distinct values
    regression: `y` is whole numbers with 40 distinct values
    regression: `y` is a decimal number
    binary: `y` has 2 distinct whole numbers
    the target `y` is `7` in every row, so there is nothing to learn
    the target `y` has no value in any row
    "#);
    }

    #[test]
    fn a_named_task_must_fit() {
        let table = frame(vec![texts("t", &["a", "b", "c"]), numbers("y", &[1.0, 2.0, 3.0])]);
        let message = |target, task| check_task(&table, target, task).unwrap_err().message;
        assert_eq!(check_task(&table, "y", Task::Regression), Ok(()));
        insta::assert_snapshot!(message("t", Task::Regression), @"regression needs numbers, but the target `t` is a text");
        insta::assert_snapshot!(message("y", Task::Binary), @"binary classification needs two classes, but the target `y` has 3");
    }

    #[test]
    fn rows_without_a_target_are_left_out() {
        let table = frame(vec![numbers("y", &[1.0, f64::NAN, 3.0])]);
        assert_eq!(rows_with_target(&table, "y"), Ok((vec![0, 2], 1)));
    }
}
