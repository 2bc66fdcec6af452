//! Whatever answers for a version: a built-in model, or what the repository's own code left.
//!
//! Code of a repository can not be asked again later: its process is gone, and its files are never loaded here. So a model
//! of its own is known by what it answered for the held-out rows when it was made, and where it left an ONNX file that
//! answers alike, by that file, which answers for any rows.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::base::{Digest, Task};
use crate::data::Frame;
use crate::evaluate::Predictions;
use crate::train::{Model, PredictError};

use super::onnx::OnnxModel;

/// The answers of a model of the repository's own, beside its [`MODEL_FILE`](super::bundle::MODEL_FILE).
pub const HELD_OUT_FILE: &str = "held_out.json";
/// The version of what [`OwnModel`] writes.
const SCHEMA: u64 = 1;

#[derive(Debug, PartialEq)]
pub enum Predictor {
    BuiltIn(Box<Model>),
    Own(Box<OwnModel>),
}

/// Answers for some rows.
#[derive(Debug)]
pub struct Answers {
    pub predictions: Predictions,
    /// Which rows it could answer for; `None`: all. The others have a value that means nothing.
    pub known: Option<Vec<bool>>,
}

/// Why a predictor has no answers.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Predict(#[from] PredictError),
    #[error("the data do not have its column `{0}`")]
    MissingColumn(String),
    #[error("it was made by the repository's own code, which answered for none of these rows and left no ONNX file")]
    NoRows,
    #[error("its ONNX file could not answer")]
    Onnx(#[source] super::onnx::OnnxModelError),
}

impl Predictor {
    pub fn target(&self) -> &str {
        match self {
            Self::BuiltIn(model) => model.target(),
            Self::Own(own) => &own.manifest.target,
        }
    }

    pub fn task(&self) -> Task {
        match self {
            Self::BuiltIn(model) => model.task(),
            Self::Own(own) => own.manifest.task,
        }
    }

    pub fn labels(&self) -> &[String] {
        match self {
            Self::BuiltIn(model) => model.labels(),
            Self::Own(own) => &own.manifest.labels,
        }
    }

    /// The columns that it may have used.
    pub fn features(&self) -> Vec<&str> {
        match self {
            Self::BuiltIn(model) => model.features(),
            Self::Own(own) => own.manifest.features.iter().map(String::as_str).collect(),
        }
    }

    pub fn answer(&self, frame: &Frame, rows: &[usize]) -> Result<Answers, AnswerError> {
        match self {
            Self::BuiltIn(model) => Ok(Answers {
                predictions: model.predict(frame, Some(rows))?,
                known: None,
            }),
            Self::Own(own) => own.answer(frame, rows),
        }
    }
}

/// What is saved of a model of the repository's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format; its name tells it from a built-in model.
    pub own: u64,
    /// What made it, as `mlops.yaml` has it.
    pub trainer: String,
    pub task: Task,
    pub target: String,
    /// The columns that it was given.
    pub features: Vec<String>,
    /// Of classes only, in the order of their probabilities.
    pub labels: Vec<String>,
    /// The files that it left.
    pub files: BTreeMap<String, Digest>,
    /// The one of them that answers for it.
    pub onnx: Option<String>,
}

impl Manifest {
    pub fn new(trainer: &str, task: Task, target: &str, features: &[String], labels: Vec<String>) -> Self {
        Self {
            own: SCHEMA,
            trainer: trainer.to_owned(),
            task,
            target: target.to_owned(),
            features: features.to_vec(),
            labels,
            files: BTreeMap::new(),
            onnx: None,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest has text keys and no numbers but one");
        bytes.push(b'\n');
        bytes
    }

    /// What [`Manifest::to_bytes`] wrote; the error says why it can not be used. `None`: these are no such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Result<Self, String>> {
        #[derive(Deserialize)]
        struct Header {
            own: u64,
        }
        let Header { own } = serde_json::from_slice(bytes).ok()?;
        if own > SCHEMA {
            let newer =
                format!("the model has format {own}, and this version reads up to {SCHEMA}; use a newer version");
            return Some(Err(newer));
        }
        Some(serde_json::from_slice(bytes).map_err(|error| format!("this is not a model: {error}")))
    }
}

/// A model that the repository's own code made.
#[derive(Debug)]
pub struct OwnModel {
    pub manifest: Manifest,
    pub held_out: HeldOut,
    pub onnx: Option<OnnxModel>,
}

/// Two that were left with the same content are the same, whatever was read of them.
impl PartialEq for OwnModel {
    fn eq(&self, other: &Self) -> bool {
        self.manifest == other.manifest && self.held_out == other.held_out
    }
}

impl OwnModel {
    fn answer(&self, frame: &Frame, rows: &[usize]) -> Result<Answers, AnswerError> {
        if let Some(onnx) = &self.onnx {
            let predictions = onnx.predict(frame, rows, &self.manifest).map_err(AnswerError::Onnx)?;
            return Ok(Answers {
                predictions,
                known: None,
            });
        }
        let digests = row_digests(frame, &self.manifest.features, &self.manifest.target)?;
        self.held_out.answer(&digests, rows, &self.manifest.labels)
    }
}

/// A digest for every row of the frame over these columns and the target.
pub fn row_digests(frame: &Frame, features: &[String], target: &str) -> Result<Vec<u64>, AnswerError> {
    let names = features.iter().map(String::as_str).chain([target]);
    let columns: Vec<usize> = names
        .map(|name| {
            frame
                .index(name)
                .ok_or_else(|| AnswerError::MissingColumn(name.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    let digests = frame.row_digests(&columns).into_iter();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of a digest is enough to tell rows apart"
    )]
    Ok(digests.map(|digest| digest as u64).collect())
}

/// What a model answered for the held-out rows, by their content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    digests: Vec<u64>,
    answers: Kept,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Numbers(Vec<f64>),
    /// `probabilities` has a value for every row and label, or is empty.
    Classes {
        codes: Vec<u32>,
        probabilities: Vec<f64>,
    },
}

impl Kept {
    fn is_same(&self, one: usize, other: usize, n_labels: usize) -> bool {
        match self {
            Self::Numbers(values) => values.get(one).map(|v| v.to_bits()) == values.get(other).map(|v| v.to_bits()),
            Self::Classes { codes, probabilities } => {
                let row = |at: usize| probabilities.get(at * n_labels..(at + 1) * n_labels);
                codes.get(one) == codes.get(other) && row(one) == row(other)
            }
        }
    }
}

impl HeldOut {
    /// `digests` are those of the rows that were predicted, in their order.
    pub fn new(digests: Vec<u64>, predictions: &Predictions) -> Self {
        let answers = match predictions {
            Predictions::Numbers(values) => Kept::Numbers(values.clone()),
            Predictions::Classes {
                codes, probabilities, ..
            } => Kept::Classes {
                codes: codes.clone(),
                probabilities: probabilities.clone(),
            },
        };
        Self { digests, answers }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("answers are finite numbers");
        bytes.push(b'\n');
        bytes
    }

    /// What [`HeldOut::to_bytes`] wrote, if every list has the length and every number the range that it must have.
    pub fn from_bytes(bytes: &[u8], task: Task, n_labels: usize) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let n_rows = read.digests.len();
        let fits = match (&read.answers, task) {
            (Kept::Numbers(values), Task::Regression) => {
                values.len() == n_rows && values.iter().all(|value| value.is_finite())
            }
            (Kept::Classes { codes, probabilities }, Task::Binary | Task::Multiclass) => {
                let is_probability = |p: &f64| (-1e-9..=1.0 + 1e-9).contains(p);
                codes.len() == n_rows
                    && codes.iter().all(|code| (*code as usize) < n_labels)
                    && (probabilities.is_empty() || Some(probabilities.len()) == n_rows.checked_mul(n_labels))
                    && probabilities.iter().all(is_probability)
            }
            _ => false,
        };
        if fits {
            Ok(read)
        } else {
            Err("its lists do not fit each other".to_owned())
        }
    }

    fn answer(&self, digests: &[u64], rows: &[usize], labels: &[String]) -> Result<Answers, AnswerError> {
        // Rows that look alike to it may have been told apart by what we do not see: such an answer is nobody's.
        let mut place: HashMap<u64, Option<usize>> = HashMap::with_capacity(self.digests.len());
        for (at, digest) in self.digests.iter().enumerate() {
            let first = *place.entry(*digest).or_insert(Some(at));
            if first.is_some_and(|first| !self.answers.is_same(first, at, labels.len())) {
                place.insert(*digest, None);
            }
        }
        let found: Vec<Option<usize>> = rows
            .iter()
            .map(|&row| place.get(digests.get(row)?).copied().flatten())
            .collect();
        if found.iter().all(Option::is_none) {
            return Err(AnswerError::NoRows);
        }
        let predictions = match &self.answers {
            Kept::Numbers(values) => {
                let value = |at: &Option<usize>| at.and_then(|at| values.get(at).copied()).unwrap_or_default();
                Predictions::Numbers(found.iter().map(value).collect())
            }
            Kept::Classes { codes, probabilities } => {
                let code = |at: &Option<usize>| at.and_then(|at| codes.get(at).copied()).unwrap_or_default();
                let width = labels.len();
                let nothing = vec![0.0; width];
                let row = |at: &Option<usize>| {
                    at.and_then(|at| probabilities.get(at * width..(at + 1) * width))
                        .unwrap_or(&nothing)
                };
                let probabilities = if probabilities.is_empty() {
                    Vec::new()
                } else {
                    found.iter().flat_map(row).copied().collect()
                };
                Predictions::Classes {
                    codes: found.iter().map(code).collect(),
                    labels: labels.to_vec(),
                    probabilities,
                }
            }
        };
        let known: Vec<bool> = found.iter().map(Option::is_some).collect();
        let is_whole = known.iter().all(|known| *known);
        Ok(Answers {
            predictions,
            known: (!is_whole).then_some(known),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["no", "yes"].map(str::to_owned).to_vec()
    }

    #[test]
    fn answers_are_found_again_by_what_rows_hold() {
        let predictions = Predictions::Classes {
            codes: vec![0, 1, 1],
            labels: labels(),
            probabilities: vec![0.9, 0.1, 0.2, 0.8, 0.4, 0.6],
        };
        let kept = HeldOut::new(vec![7, 8, u64::MAX], &predictions);
        let kept = HeldOut::from_bytes(&kept.to_bytes(), Task::Binary, 2).unwrap();
        // The frame of another day: the rows stand elsewhere, and one of them is new.
        let answers = kept.answer(&[5, u64::MAX, 8, 7], &[1, 0, 3], &labels()).unwrap();
        assert_eq!(answers.known, Some(vec![true, false, true]));
        let Predictions::Classes {
            codes, probabilities, ..
        } = answers.predictions
        else {
            panic!("classes went in");
        };
        assert_eq!(
            (codes, probabilities),
            (vec![1, 0, 0], vec![0.4, 0.6, 0.0, 0.0, 0.9, 0.1])
        );
        assert!(matches!(kept.answer(&[5], &[0], &labels()), Err(AnswerError::NoRows)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in [
            r#"{"digests": [1], "answers": {"numbers": [1.0]}}"#,
            r#"{"digests": [1], "answers": {"classes": {"codes": [2], "probabilities": []}}}"#,
            r#"{"digests": [1, 2], "answers": {"classes": {"codes": [1], "probabilities": []}}}"#,
            r#"{"digests": [1], "answers": {"classes": {"codes": [1], "probabilities": [0.5]}}}"#,
            r#"{"digests": [1], "answers": {"classes": {"codes": [1], "probabilities": [0.5, 3.0]}}}"#,
            r#"{"digests": [1], "answers": {"classes": {"codes": [1], "probabilities": []}}, "more": 1}"#,
            "[]",
        ] {
            assert!(HeldOut::from_bytes(text.as_bytes(), Task::Binary, 2).is_err(), "{text}");
        }
        assert!(Manifest::from_bytes(br#"{"schema": 1, "estimator": "ridge"}"#).is_none());
        assert!(
            Manifest::from_bytes(br#"{"own": 9}"#)
                .unwrap()
                .unwrap_err()
                .contains("newer version")
        );
        assert!(Manifest::from_bytes(br#"{"own": 1}"#).unwrap().is_err());
    }
}
