//! Columns of a file as what was right and what two models said.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::Failure;
use crate::base::Task;
use crate::cli::DecideTask;
use crate::data::{self, Column, ColumnType, Frame, Values};
use crate::evaluate::{Predictions, Truth};

/// Two models on the same rows.
pub struct Sides {
    pub task: Task,
    /// Where the task is from.
    pub why: String,
    pub truth: Truth,
    pub champion: Predictions,
    pub challenger: Predictions,
}

impl Sides {
    /// The class whose probabilities the columns hold.
    pub fn positive(&self) -> Option<&str> {
        match &self.truth {
            Truth::Classes { labels, .. } if labels.len() == 2 => labels.last().map(String::as_str),
            Truth::Classes { .. } | Truth::Numbers(_) => None,
        }
    }

    /// How many rows each has right; `None` for numbers.
    pub fn n_right(&self) -> Option<[u64; 2]> {
        let Truth::Classes { codes: truth, .. } = &self.truth else {
            return None;
        };
        // All three are codes into the same labels.
        let right = |side: &Predictions| match side {
            Predictions::Classes { codes, .. } => {
                Some(codes.iter().zip(truth).filter(|(said, is)| said == is).count() as u64)
            }
            Predictions::Numbers(_) => None,
        };
        Some([right(&self.champion)?, right(&self.challenger)?])
    }
}

/// The names of the three columns.
pub struct Names<'a> {
    pub truth: &'a str,
    pub champion: &'a str,
    pub challenger: &'a str,
}

/// Reads the three columns as `task`, or as what they hold.
pub fn sides(frame: &Frame, names: &Names<'_>, task: Option<DecideTask>) -> Result<Sides, Failure> {
    let truth = known(frame, names.truth)?;
    let both = [known(frame, names.champion)?, known(frame, names.challenger)?];
    if frame.n_rows() == 0 {
        return Err(Failure::Unusable("the file has no rows".to_owned()));
    }
    let (is_numbers, why) = match task {
        Some(task) => (task == DecideTask::Regression, "`--task` says so".to_owned()),
        None => asked(frame, truth, both)?,
    };
    if is_numbers {
        return Ok(Sides {
            task: Task::Regression,
            why,
            truth: Truth::Numbers(numbers(truth)?.to_vec()),
            champion: Predictions::Numbers(numbers(both[0])?.to_vec()),
            challenger: Predictions::Numbers(numbers(both[1])?.to_vec()),
        });
    }
    let scored = both.map(|side| task != Some(DecideTask::Multiclass) && is_score(truth, side));
    let labels = labels(truth, &both, scored);
    let (task, n) = match (task, labels.len()) {
        (Some(DecideTask::Multiclass), n) => (Task::Multiclass, n),
        (_, 2) => (Task::Binary, 2),
        (Some(DecideTask::Binary), n) => {
            let message = format!("`--task binary` needs two classes, and the columns hold {n}");
            return Err(Failure::Unusable(message));
        }
        (_, n) => (Task::Multiclass, n),
    };
    for (side, _) in both.iter().zip(scored).filter(|(_, scored)| !scored) {
        related(truth, side)?;
    }
    if n < 2 {
        return Err(Failure::Unusable(format!("`{}` has one class only", truth.name)));
    }
    let side = |at: usize| {
        if scored[at] && task == Task::Binary {
            probabilities(both[at], &labels)
        } else {
            Ok(Predictions::Classes {
                codes: codes(both[at], &labels),
                labels: labels.clone(),
                probabilities: Vec::new(),
            })
        }
    };
    Ok(Sides {
        task,
        why,
        champion: side(0)?,
        challenger: side(1)?,
        truth: Truth::Classes {
            codes: codes(truth, &labels),
            labels,
        },
    })
}

/// A column that has a value in every row.
pub fn known<'a>(frame: &'a Frame, name: &str) -> Result<&'a Column, Failure> {
    let column = frame
        .find(name)
        .map_err(|problem| Failure::Diagnostics(problem.into()))?;
    match (0..frame.n_rows()).find(|&row| column.is_missing(row)) {
        Some(row) => Err(Failure::Unusable(format!(
            "`{name}` has no value in {}: leave such rows out",
            frame.place(row)
        ))),
        None => Ok(column),
    }
}

/// The numbers of a column that holds a quantity.
pub fn numbers(column: &Column) -> Result<&[f64], Failure> {
    match (&column.values, column.kind) {
        (Values::Numbers(numbers), ColumnType::Float | ColumnType::Integer) => Ok(numbers),
        (Values::Numbers(_) | Values::Texts { .. }, _) => {
            let message = format!(
                "`{}` must hold numbers, and it is {}",
                column.name,
                column.kind.article()
            );
            Err(Failure::Unusable(message))
        }
    }
}

/// Whether the question is one of numbers, and why.
///
/// Whole numbers that could be classes are a quantity all the same where a model says something between them.
fn asked(frame: &Frame, truth: &Column, both: [&Column; 2]) -> Result<(bool, String), Failure> {
    let (task, why) = data::infer_task(frame, &truth.name).map_err(|problem| Failure::Diagnostics(problem.into()))?;
    let whole = |column: &Column| match &column.values {
        Values::Numbers(numbers) => numbers.iter().all(|number| number.fract() == 0.0),
        Values::Texts { .. } => true,
    };
    if task == Task::Regression {
        return Ok((true, why));
    }
    for side in both {
        if whole(side) || (task == Task::Binary && is_score(truth, side)) {
            continue;
        }
        if matches!(truth.kind, ColumnType::Float | ColumnType::Integer) {
            return Ok((
                true,
                format!("`{}` has numbers between those of `{}`", side.name, truth.name),
            ));
        }
        return Err(Failure::Unusable(format!(
            "`{}` holds classes, and `{}` neither classes nor probabilities from 0 to 1",
            truth.name, side.name
        )));
    }
    Ok((false, why))
}

/// Whether a column holds probabilities: numbers from 0 to 1 that are no classes.
fn is_score(truth: &Column, side: &Column) -> bool {
    let Values::Numbers(numbers) = &side.values else {
        return false;
    };
    if !matches!(side.kind, ColumnType::Float | ColumnType::Integer) {
        return false;
    }
    let within = numbers.iter().all(|number| (0.0..=1.0).contains(number));
    // Whole numbers beside classes of numbers are classes too, even where they are 0 and 1.
    let classes = matches!(truth.kind, ColumnType::Float | ColumnType::Integer)
        && numbers.iter().all(|number| number.fract() == 0.0);
    within && !classes
}

/// Classes of a model that never are right are classes of something else.
fn related(truth: &Column, side: &Column) -> Result<(), Failure> {
    let of = |column: &Column| -> BTreeSet<String> {
        let labels = (0..column.values.len()).filter_map(|row| column.label(row));
        labels.map(std::borrow::Cow::into_owned).collect()
    };
    if of(truth).is_disjoint(&of(side)) {
        return Err(Failure::Unusable(format!(
            "no class of `{}` is one of `{}`",
            side.name, truth.name
        )));
    }
    Ok(())
}

/// All classes: numbers ascending, texts in byte order, so that of two the second is the positive one.
fn labels(truth: &Column, both: &[&Column; 2], scored: [bool; 2]) -> Vec<String> {
    let of_sides = both
        .iter()
        .zip(scored)
        .filter(|(_, scored)| !scored)
        .map(|(side, _)| *side);
    let mut found: BTreeMap<String, f64> = BTreeMap::new();
    for column in std::iter::once(truth).chain(of_sides) {
        for row in 0..column.values.len() {
            if let Some(label) = column.label(row) {
                let number = label.parse().unwrap_or(f64::INFINITY);
                found.entry(label.into_owned()).or_insert(number);
            }
        }
    }
    let mut labels: Vec<(String, f64)> = found.into_iter().collect();
    // Stable: what is no number keeps the order of its bytes.
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    labels.into_iter().map(|(label, _)| label).collect()
}

fn codes(column: &Column, labels: &[String]) -> Vec<u32> {
    let code_of: BTreeMap<&str, u32> = labels.iter().map(String::as_str).zip(0..).collect();
    (0..column.values.len())
        .map(|row| {
            let label = column.label(row);
            let code = label.as_deref().and_then(|label| code_of.get(label));
            code.copied().unwrap_or(data::MISSING)
        })
        .collect()
}

/// Probabilities of the second class; from a half on it is what the model says.
fn probabilities(column: &Column, labels: &[String]) -> Result<Predictions, Failure> {
    let scores = numbers(column)?;
    Ok(Predictions::Classes {
        codes: scores.iter().map(|score| u32::from(*score >= 0.5)).collect(),
        labels: labels.to_vec(),
        probabilities: scores.iter().flat_map(|score| [1.0 - score, *score]).collect(),
    })
}

/// Rows of each value of a column, as numbers from 0.
pub fn groups(frame: &Frame, name: &str) -> Result<Vec<u32>, Failure> {
    let column = known(frame, name)?;
    let mut code_of: BTreeMap<String, u32> = BTreeMap::new();
    let mut groups = Vec::with_capacity(frame.n_rows());
    for row in 0..frame.n_rows() {
        let label = column.label(row).unwrap_or_default().into_owned();
        let next = u32::try_from(code_of.len()).unwrap_or(u32::MAX);
        groups.push(*code_of.entry(label).or_insert(next));
    }
    Ok(groups)
}

/// The moment of each row, in seconds or in the unit of the column.
pub fn times(frame: &Frame, name: &str) -> Result<Vec<f64>, Failure> {
    let column = known(frame, name)?;
    match &column.values {
        Values::Numbers(moments) => Ok(moments.clone()),
        Values::Texts { .. } => Err(Failure::Unusable(format!(
            "`{name}` must hold dates or numbers to say how rows follow one another"
        ))),
    }
}
