//! How good predictions are: by the answers where they are known, by an estimate where they are not.

use crate::base::Task;
use crate::data::{self, Column, ColumnType, Frame, Values};
use crate::drift::{
    Answers, DegradationRule, Estimated, Labelled, MIN_UNLABELLED, Performance, Settings, THRESHOLD, degradation,
    estimate_classes, estimate_many, estimate_numbers,
};
use crate::evaluate::Predictions;

use super::frames::{self, Both, Rows};

/// The fewest errors on a side that say anything about a model getting worse.
pub const MIN_ERRORS: usize = 30;
/// With answers for fewer rows than this share, what is known is not what happens.
const FEW_LABELS: f64 = 0.05;

/// What was found of a model.
#[derive(Debug, Default)]
pub struct Judged {
    pub performance: Option<Performance>,
    pub estimated: Option<Estimated>,
    pub notes: Vec<String>,
}

/// How a column of predictions is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// Probabilities of the second of two classes.
    Scores,
    Labels,
    Numbers,
}

/// Two tables with a column of answers and one of predictions. The reference has both; of the current table the answers
/// may be gone.
pub struct Tables<'a> {
    pub reference: &'a Frame,
    pub current: &'a Frame,
    pub target: &'a str,
    pub prediction: &'a str,
}

impl Tables<'_> {
    /// Holds errors now against errors then where answers are known on both sides, and estimates where they are not.
    pub fn judge(&self, is_feature: &dyn Fn(&str) -> bool, settings: &Settings) -> Judged {
        let mut judged = Judged::default();
        let (Some(target), Some(before), Some(after)) = (
            self.reference.column(self.target),
            self.reference.column(self.prediction),
            self.current.column(self.prediction),
        ) else {
            return judged;
        };
        let said = match said(self.reference, target, [before, after]) {
            Ok(said) => said,
            Err(why) => {
                judged
                    .notes
                    .push(format!("how good the predictions are was not looked at: {why}"));
                return judged;
            }
        };
        let known = pairs(Some(target), before);
        let now = self.current.column(self.target);
        let labelled = pairs(now, after);
        let positive = match said {
            Said::Scores => second_class(target),
            Said::Labels | Said::Numbers => String::new(),
        };
        if known.len() >= MIN_ERRORS && labelled.len() >= MIN_ERRORS {
            let sides = [(target, before, &known), (now.unwrap_or(target), after, &labelled)];
            let errors = sides.map(|(truth, told, rows)| errors(said, truth, told, rows, &positive));
            judged.performance = performance(&errors, measure(said), settings);
        }
        let unlabelled: Vec<usize> = (0..self.current.n_rows())
            .filter(|row| now.is_none_or(|now| now.is_missing(*row)) && !after.is_missing(*row))
            .collect();
        let n_all = labelled.len() + unlabelled.len();
        let few = labelled.len() < MIN_ERRORS || (labelled.len() as f64) < FEW_LABELS * n_all as f64;
        if unlabelled.is_empty() || !few {
            return judged;
        }
        let estimated = match said {
            Said::Labels => Err("labels without probabilities say nothing about how sure they are".to_owned()),
            Said::Scores => {
                let numbers = |column: &Column, rows: &[usize]| -> Vec<f64> { taken(column, rows) };
                let truth: Vec<bool> = known.iter().map(|row| label(target, *row) == positive).collect();
                let reference = Labelled {
                    scores: &numbers(before, &known),
                    positive: &truth,
                };
                estimate_classes(reference, &numbers(after, &unlabelled), settings.seed)
            }
            Said::Numbers => {
                let (truth, told) = (taken(target, &known), taken(before, &known));
                let errors: Vec<f64> = told.iter().zip(truth).map(|(told, truth)| told - truth).collect();
                let sides = [
                    Rows {
                        frame: self.reference,
                        rows: &known,
                    },
                    Rows {
                        frame: self.current,
                        rows: &unlabelled,
                    },
                ];
                numbers(
                    sides,
                    [&told, &taken(after, &unlabelled)],
                    &errors,
                    is_feature,
                    settings,
                )
            }
        };
        match estimated {
            Ok(estimated) => judged.estimated = Some(estimated),
            Err(why) => judged
                .notes
                .push(format!("how good the predictions are was not estimated: {why}")),
        }
        judged
    }
}

/// Estimates the errors of predictions of numbers from the features that both sides have.
fn numbers(
    [reference, current]: [Rows<'_>; 2],
    predictions: [&[f64]; 2],
    errors: &[f64],
    is_feature: &dyn Fn(&str) -> bool,
    settings: &Settings,
) -> Result<Estimated, String> {
    let both = frames::paired(reference, current, is_feature, settings);
    let features: Vec<_> = both.iter().map(Both::feature).collect();
    estimate_numbers(&features, predictions, errors, settings.seed)
}

/// Rows of one table for which a model was asked.
pub struct Asked<'a> {
    pub rows: Rows<'a>,
    pub predictions: &'a Predictions,
}

/// How good a model's answers for rows without truth are, from those for rows with `truth`, which are `reference`'s.
pub fn estimate(
    reference: &Asked<'_>,
    truth: &crate::evaluate::Truth,
    current: &Asked<'_>,
    is_feature: &dyn Fn(&str) -> bool,
    settings: &Settings,
) -> Result<Estimated, String> {
    use crate::evaluate::Truth;
    match (reference.predictions, truth, current.predictions) {
        (Predictions::Numbers(before), Truth::Numbers(truth), Predictions::Numbers(after)) => {
            let errors: Vec<f64> = before.iter().zip(truth).map(|(told, truth)| told - truth).collect();
            numbers(
                [reference.rows, current.rows],
                [before, after],
                &errors,
                is_feature,
                settings,
            )
        }
        (
            Predictions::Classes {
                codes: said,
                labels,
                probabilities,
            },
            Truth::Classes { codes, labels: names },
            Predictions::Classes {
                codes: after,
                labels: others,
                probabilities: then,
            },
        ) => {
            if labels != others {
                return Err("the model answers with other classes now".to_owned());
            }
            let answers = |called, probabilities| Answers {
                n_classes: labels.len(),
                probabilities,
                called,
            };
            let truth: Vec<Option<&String>> = codes.iter().map(|code| names.get(*code as usize)).collect();
            let sides = [answers(said, probabilities), answers(after, then)];
            classes(sides, &truth, labels, settings)
        }
        _ => Err("what the model answers is of another kind than the truth".to_owned()),
    }
}

/// Estimates shares of right answers from probabilities of the classes that have these names, as `truth` has.
fn classes(
    [reference, current]: [Answers<'_>; 2],
    truth: &[Option<&String>],
    labels: &[String],
    settings: &Settings,
) -> Result<Estimated, String> {
    if labels.len() < 2 {
        return Err("the model knows one class alone".to_owned());
    }
    let has_probabilities = |side: Answers<'_>| side.probabilities.len() == side.called.len() * side.n_classes;
    if !has_probabilities(reference) || !has_probabilities(current) {
        return Err("the model says no probabilities".to_owned());
    }
    if labels.len() == 2 {
        let second =
            |side: Answers<'_>| -> Vec<f64> { side.probabilities.chunks_exact(2).map(|pair| pair[1]).collect() };
        let positive: Vec<bool> = truth.iter().map(|name| *name == labels.get(1)).collect();
        let scores = second(reference);
        let known = Labelled {
            scores: &scores,
            positive: &positive,
        };
        return estimate_classes(known, &second(current), settings.seed);
    }
    // A class that the model does not know is beyond all of its own.
    let place = |name: Option<&String>| {
        let place = labels.iter().position(|label| Some(label) == name);
        place.and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX)
    };
    let truth: Vec<u32> = truth.iter().copied().map(place).collect();
    estimate_many(reference, &truth, current, settings.seed)
}

/// Whether errors are greater now; nothing where too few are known.
pub fn performance(errors: &[Vec<f64>; 2], measure: &str, settings: &Settings) -> Option<Performance> {
    let rule = DegradationRule {
        ordered: settings.time_column.is_some(),
        ..DegradationRule::default()
    };
    let found = degradation(&errors[0], &errors[1], &rule).ok()?;
    Some(Performance {
        measure: measure.to_owned(),
        found,
    })
}

/// What errors are called.
pub fn measure_of(task: Task) -> &'static str {
    match task {
        Task::Regression => "mean absolute error",
        Task::Binary | Task::Multiclass => "share of wrong answers",
    }
}

fn measure(said: Said) -> &'static str {
    match said {
        Said::Numbers => measure_of(Task::Regression),
        Said::Scores | Said::Labels => measure_of(Task::Multiclass),
    }
}

/// What predictions are, from the answers of the reference and the predictions of both sides.
fn said(reference: &Frame, target: &Column, predictions: [&Column; 2]) -> Result<Said, String> {
    let are_numbers = predictions
        .iter()
        .all(|column| matches!(column.values, Values::Numbers(_)) && column.kind != ColumnType::Timestamp);
    let known: Vec<usize> = (0..reference.n_rows()).filter(|row| !target.is_missing(*row)).collect();
    if known.is_empty() {
        return Err(format!("`{}` is not known in any row of the reference", target.name));
    }
    let task = data::infer_task(&reference.select(&known), &target.name).map(|(task, _)| task);
    let task = task.map_err(|problem| problem.message)?;
    let all = |holds: fn(f64) -> bool| {
        let values = predictions.iter().filter_map(|column| match &column.values {
            Values::Numbers(values) => Some(values),
            Values::Texts { .. } => None,
        });
        values
            .flatten()
            .filter(|value| !value.is_nan())
            .all(|value| holds(*value))
    };
    let are_whole = are_numbers && all(|value| value.fract() == 0.0);
    match task {
        Task::Regression if are_numbers => Ok(Said::Numbers),
        Task::Regression => Err(format!(
            "`{}` holds no numbers, as `{}` does",
            predictions[0].name, target.name
        )),
        Task::Binary if are_numbers && !are_whole && all(|value| (0.0..=1.0).contains(&value)) => Ok(Said::Scores),
        Task::Binary | Task::Multiclass if are_whole || !are_numbers => Ok(Said::Labels),
        // Whole numbers that are predicted by numbers in between are quantities.
        Task::Multiclass if matches!(target.values, Values::Numbers(_)) => Ok(Said::Numbers),
        Task::Binary | Task::Multiclass => Err(format!(
            "`{}` holds neither classes nor probabilities",
            predictions[0].name
        )),
    }
}

/// The rows of which answer and prediction are known.
fn pairs(truth: Option<&Column>, told: &Column) -> Vec<usize> {
    let Some(truth) = truth else { return Vec::new() };
    (0..told.values.len())
        .filter(|row| !truth.is_missing(*row) && !told.is_missing(*row))
        .collect()
}

/// The class that scores are for: the greater number, or the text that sorts last.
fn second_class(column: &Column) -> String {
    let mut classes = column.distinct(2).unwrap_or_default();
    classes.pop().map(|(name, _)| name).unwrap_or_default()
}

fn label(column: &Column, row: usize) -> String {
    column.label(row).map_or_else(String::new, std::borrow::Cow::into_owned)
}

/// Numbers of some rows; NaN where the column holds none.
fn taken(column: &Column, rows: &[usize]) -> Vec<f64> {
    match &column.values {
        Values::Numbers(all) => rows.iter().map(|row| all[*row]).collect(),
        Values::Texts { .. } => vec![f64::NAN; rows.len()],
    }
}

fn errors(said: Said, truth: &Column, told: &Column, rows: &[usize], positive: &str) -> Vec<f64> {
    let wrong = |is: bool| f64::from(u8::from(is));
    match said {
        Said::Numbers => {
            let pairs = taken(told, rows).into_iter().zip(taken(truth, rows));
            pairs.map(|(told, truth)| (told - truth).abs()).collect()
        }
        Said::Scores => {
            let pairs = taken(told, rows).into_iter().zip(rows);
            pairs
                .map(|(score, row)| wrong((score >= THRESHOLD) != (label(truth, *row) == positive)))
                .collect()
        }
        Said::Labels => {
            let is_wrong = |row: &usize| label(truth, *row) != label(told, *row);
            rows.iter().map(|row| wrong(is_wrong(row))).collect()
        }
    }
}

/// Whether there are too few rows to estimate from or for.
pub fn too_few(n_judged: usize, n_unlabelled: usize) -> bool {
    n_judged < MIN_UNLABELLED[0] || n_unlabelled < MIN_UNLABELLED[1]
}

#[cfg(test)]
#[path = "labels_tests.rs"]
mod tests;
