//! An ONNX file that a trainer left, asked about rows of our data. Pure.

use std::borrow::Cow;

use crate::data::{self, Frame, Values};
use crate::evaluate::Predictions;
use crate::onnx::{Answer, Column, Kind, Label, OnnxError, Scorer, Scores};

use super::left::{MAX_OFF, class_named};
use super::predictor::Manifest;

/// A larger file is kept, and not asked.
pub const MAX_BYTES: usize = 512 << 20;
/// How far above 1 or below 0 a probability of 32 bits may come out.
const SLACK: f64 = 1e-5;

#[derive(Debug)]
pub struct OnnxModel {
    scorer: Scorer,
}

/// Why it has no answer.
#[derive(Debug, thiserror::Error)]
pub enum OnnxModelError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error("it asks for `{0}`, and the data have no such column")]
    MissingColumn(String),
    #[error("it answers with {n} numbers a row, and a regression has one")]
    Targets { n: usize },
    #[error("it answers with {found}, and the task is {wanted}")]
    Kind { found: &'static str, wanted: &'static str },
    #[error("it answers with the class `{0}`, which the predictions do not have")]
    Class(String),
    #[error("it has {found} classes, and the predictions have {expected}")]
    Classes { found: usize, expected: usize },
}

impl OnnxModel {
    pub fn new(bytes: &[u8]) -> Result<Self, OnnxModelError> {
        Ok(Self {
            scorer: Scorer::new(bytes, MAX_BYTES)?,
        })
    }

    /// What it says about these rows: a model with an input a column finds it by name, one with a matrix gets the features
    /// in the order of the data.
    pub fn predict(&self, frame: &Frame, rows: &[usize], manifest: &Manifest) -> Result<Predictions, OnnxModelError> {
        let inputs = self.scorer.inputs();
        let by_name = self.scorer.column_names();
        let wanted: Vec<(&str, &str, Kind)> = if let Some(names) = &by_name {
            names
                .iter()
                .zip(inputs)
                .map(|(name, input)| {
                    let column = find(frame, name).ok_or_else(|| OnnxModelError::MissingColumn((*name).to_owned()))?;
                    Ok((input.name.as_str(), column, input.kind))
                })
                .collect::<Result<_, OnnxModelError>>()?
        } else {
            let kind = inputs.first().map_or(Kind::Float, |input| input.kind);
            let features = manifest.features.iter();
            features.map(|name| (name.as_str(), name.as_str(), kind)).collect()
        };
        let taken: Vec<(&str, Taken<'_>)> = wanted
            .into_iter()
            .map(|(input, column, kind)| Ok((input, take(frame, column, rows, kind)?)))
            .collect::<Result<_, OnnxModelError>>()?;
        let texts: Vec<Vec<&str>> = taken.iter().map(|(_, taken)| taken.texts()).collect();
        let columns: Vec<(&str, Column<'_>)> = taken
            .iter()
            .zip(&texts)
            .map(|((name, taken), texts)| {
                let column = match taken {
                    Taken::Numbers(numbers) => Column::Numbers(numbers),
                    Taken::Texts(_) => Column::Texts(texts),
                };
                (*name, column)
            })
            .collect();
        self.answer(self.scorer.score(&columns)?, manifest)
    }

    fn answer(&self, scores: Scores, manifest: &Manifest) -> Result<Predictions, OnnxModelError> {
        let is_regression = manifest.labels.is_empty();
        let wrong = |found| OnnxModelError::Kind {
            found,
            wanted: manifest.task.name(),
        };
        match scores {
            Scores::Values { values, n_targets: 1 } if is_regression => Ok(Predictions::Numbers(values)),
            Scores::Values { n_targets, .. } if is_regression => Err(OnnxModelError::Targets { n: n_targets }),
            Scores::Values { .. } => Err(wrong("numbers")),
            Scores::Classes { .. } if is_regression => Err(wrong("classes")),
            Scores::Classes {
                labels,
                scores,
                n_classes,
            } => self.classes(&labels, &scores, n_classes, &manifest.labels),
        }
    }

    fn classes(
        &self,
        answered: &[Label],
        scores: &[f64],
        n_classes: usize,
        labels: &[String],
    ) -> Result<Predictions, OnnxModelError> {
        let named = match self.scorer.answer() {
            Answer::Classes { classes, .. } => classes.as_deref(),
            Answer::Values => None,
        };
        // Classes that were numbered for training are numbered in the order that ours have.
        let is_numbered =
            |label: &Label| matches!(label, Label::Int(n) if class_named(&n.to_string(), labels).is_none());
        let numbered = named.unwrap_or(answered).iter().any(is_numbered);
        let place = |label: &Label| {
            let found = match label {
                Label::Int(n) if numbered => usize::try_from(*n).ok().filter(|n| *n < labels.len()),
                other => class_named(&other.to_string(), labels),
            };
            found.ok_or_else(|| OnnxModelError::Class(data::short(&label.to_string())))
        };
        let codes = answered
            .iter()
            .map(|label| place(label).map(|at| u32::try_from(at).unwrap_or(u32::MAX)))
            .collect::<Result<_, _>>()?;
        let order: Vec<usize> = match named {
            Some(classes) => classes.iter().map(place).collect::<Result<_, _>>()?,
            None => (0..n_classes).collect(),
        };
        let is_probability = |p: &f64| (-SLACK..=1.0 + SLACK).contains(p);
        let mut probabilities = Vec::new();
        let sums_to_one = |row: &[f64]| (row.iter().sum::<f64>() - 1.0).abs() <= MAX_OFF;
        let are_probabilities =
            n_classes > 0 && scores.iter().all(is_probability) && scores.chunks_exact(n_classes).all(sums_to_one);
        if are_probabilities {
            if order.len() != n_classes || n_classes > labels.len() {
                return Err(OnnxModelError::Classes {
                    found: n_classes,
                    expected: labels.len(),
                });
            }
            for row in scores.chunks_exact(n_classes) {
                let mut of_all = vec![0.0; labels.len()];
                for (at, p) in order.iter().zip(row) {
                    of_all[*at] = p.clamp(0.0, 1.0);
                }
                probabilities.extend(of_all);
            }
        }
        Ok(Predictions::Classes {
            codes,
            labels: labels.to_vec(),
            probabilities,
        })
    }
}

/// The column of this name; exporters replace what is no letter or digit by `_`.
fn find<'f>(frame: &'f Frame, name: &str) -> Option<&'f str> {
    let plain = |name: &str| -> String {
        name.chars()
            .map(|c| if c.is_alphanumeric() { c } else { '_' })
            .collect()
    };
    let mut names = frame.columns().iter().map(|column| column.name.as_str());
    if let Some(column) = frame.column(name) {
        return Some(&column.name);
    }
    let wanted = plain(name);
    names.find(|name| plain(name) == wanted)
}

enum Taken<'f> {
    Numbers(Vec<f64>),
    Texts(Vec<Cow<'f, str>>),
}

impl Taken<'_> {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Numbers(_) => Vec::new(),
            Self::Texts(texts) => texts.iter().map(AsRef::as_ref).collect(),
        }
    }
}

/// A column as a model wants it; a missing text is an empty one.
fn take<'f>(frame: &'f Frame, name: &str, rows: &[usize], kind: Kind) -> Result<Taken<'f>, OnnxModelError> {
    let column = frame
        .column(name)
        .ok_or_else(|| OnnxModelError::MissingColumn(name.to_owned()))?;
    Ok(match (&column.values, kind) {
        (Values::Numbers(numbers), kind) if kind != Kind::Text => {
            Taken::Numbers(rows.iter().map(|&row| numbers[row]).collect())
        }
        _ => Taken::Texts(rows.iter().map(|&row| column.label(row).unwrap_or_default()).collect()),
    })
}
