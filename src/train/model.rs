//! A trained model: preprocessing, numbers and labels, saved as JSON that is data only. Pure.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::base::Task;
use crate::data::{ColumnType, Frame};
use crate::evaluate::{Predictions, Truth};

use super::core::Core;
use super::estimator::{Dataset, Estimator, FitError, Fitted, Target};
use super::preprocess::{Encoding, MAX_MAGNITUDE, PredictError, Preprocessing};
use super::target::truth;

/// The format that this program writes, and the newest that it reads.
pub const SCHEMA: u64 = 1;
/// A greater file is not read.
const MAX_BYTES: usize = 192 << 20;
/// A target with more different values is not classes.
const MAX_CLASSES: usize = 1000;

/// A trained model. Its bytes depend on the training rows, the parameters and the seed alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    schema: u64,
    estimator: String,
    /// As they were used, defaults included.
    params: Vec<(String, String)>,
    task: Task,
    target: String,
    /// The classes in the order of their codes; empty for a regression.
    labels: Vec<String>,
    preprocessing: Preprocessing,
    core: Core,
}

/// A model and what there is to say about how it came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    pub model: Model,
    /// For people, such as which columns were left out.
    pub notes: Vec<String>,
    /// Columns of the data that the model uses.
    pub n_features_in: usize,
    /// Columns of the matrix that the estimator saw.
    pub n_features_out: usize,
}

/// Why bytes are not a model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    #[error("the model has format {found}, and this version reads up to {SCHEMA}; use a newer version")]
    Newer { found: u64 },
    #[error("the model has {n_bytes} bytes, more than the {MAX_BYTES} that are read")]
    TooLarge { n_bytes: usize },
    #[error("this is not a model: {0}")]
    Malformed(String),
}

/// Whether the estimator is for this task; the error names those that are.
pub fn can_do(estimator: &dyn Estimator, task: Task) -> Result<(), FitError> {
    if estimator.tasks().contains(&task) {
        return Ok(());
    }
    Err(FitError::WrongTask {
        estimator: estimator.name(),
        task,
    })
}

/// Trains `estimator` on `rows` of `frame`.
///
/// Preprocessing is learned from these rows only. Rows without a target are an error: whoever splits the data decides
/// about them.
///
/// # Errors
/// [`FitError`] says what in the data, or in the choice of the estimator, can not be used.
pub fn fit(
    frame: &Frame,
    rows: &[usize],
    features: &[String],
    target: &str,
    task: Task,
    estimator: &dyn Estimator,
    seed: u64,
) -> Result<Trained, FitError> {
    can_do(estimator, task)?;
    if rows.is_empty() {
        return Err(FitError::Data("there are no rows to train on".to_owned()));
    }
    if features.iter().any(|feature| feature == target) {
        return Err(FitError::Target(format!("the target `{target}` can not be a feature")));
    }
    let truth = truth(frame, rows, target, task, None).map_err(|error| FitError::Target(error.to_string()))?;
    let (y, labels) = match truth {
        Truth::Numbers(values) => {
            if let Some(value) = values
                .iter()
                .find(|value| value.is_nan() || value.abs() > MAX_MAGNITUDE)
            {
                return Err(FitError::Target(format!(
                    "the target `{target}` holds {value:e}, and values beyond {MAX_MAGNITUDE:e} can not be used"
                )));
            }
            (Target::Numbers(Array1::from(values)), Vec::new())
        }
        Truth::Classes { codes, labels } => {
            let n_classes = labels.len();
            let problem = match (task, n_classes) {
                (_, 0 | 1) => Some(format!("the target `{target}` has the same value in all training rows")),
                (Task::Binary, 3..) => Some(format!("`{target}` has {n_classes} values, and a binary task has two")),
                (_, n) if n > MAX_CLASSES => Some(format!(
                    "`{target}` has {n} values, more than the {MAX_CLASSES} classes that can be learned"
                )),
                _ => None,
            };
            if let Some(problem) = problem {
                return Err(FitError::Target(problem));
            }
            (Target::Classes { codes, n_classes }, labels)
        }
    };
    let (preprocessing, mut notes) = Preprocessing::fit(frame, rows, features, estimator.scaling())?;
    let x = preprocessing
        .transform(frame, rows)
        .map_err(|error| FitError::Data(error.to_string()))?;
    let n_features_out = x.ncols();
    let Fitted {
        core,
        adjusted,
        notes: more,
    } = estimator.fit(&Dataset { x, y }, seed)?;
    notes.extend(more);
    let model = Model {
        schema: SCHEMA,
        estimator: estimator.name().to_owned(),
        params: estimator
            .params()
            .into_iter()
            .map(|(name, value)| {
                let used = adjusted.iter().find(|(adjusted, _)| *adjusted == name);
                (name.to_owned(), used.map_or(value, |(_, used)| used.clone()))
            })
            .collect(),
        task,
        target: target.to_owned(),
        labels,
        preprocessing,
        core,
    };
    model.check().map_err(|why| FitError::NotConverged {
        estimator: estimator.name(),
        why,
    })?;
    Ok(Trained {
        n_features_in: model.preprocessing.features.len(),
        n_features_out,
        model,
        notes,
    })
}

impl Model {
    pub fn estimator(&self) -> &str {
        &self.estimator
    }

    /// Parameter → value as it was used, defaults included, in the order of the reference.
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    pub fn task(&self) -> Task {
        self.task
    }

    pub fn target(&self) -> &str {
        &self.target
    }

    /// The classes in the order of their codes; empty for a regression.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The columns that the model uses, in its own order.
    pub fn features(&self) -> Vec<&str> {
        self.preprocessing
            .features
            .iter()
            .map(|feature| feature.name.as_str())
            .collect()
    }

    /// The types that columns have to be read as so that a file reads as the training data did: texts stay texts even
    /// when a file happens to hold only numbers. Numbers and booleans are left to the reader.
    pub fn feature_types(&self) -> BTreeMap<String, ColumnType> {
        let kind = |encoding: &Encoding| match encoding {
            Encoding::Number { .. } => None,
            Encoding::Timestamp { .. } => Some(ColumnType::Timestamp),
            Encoding::Levels { .. } => Some(ColumnType::Text),
        };
        let features = self.preprocessing.features.iter();
        features
            .filter_map(|feature| Some((feature.name.clone(), kind(&feature.encoding)?)))
            .collect()
    }

    /// Encoded column → how much it matters, the most important first: the coefficient on standardised columns of a
    /// linear model (the length over classes for several), the share of impurity decrease of trees. No unit.
    pub fn importance(&self) -> Vec<(String, f64)> {
        let mut all: Vec<(String, f64)> = self
            .preprocessing
            .names()
            .into_iter()
            .zip(self.core.importance())
            .collect();
        all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then_with(|| a.0.cmp(&b.0)));
        all
    }

    /// Feature → its share of what [`Model::importance`] says of all columns that it was encoded to, without signs; the
    /// shares sum to 1, or there are none where nothing matters.
    pub fn feature_importance(&self) -> BTreeMap<String, f64> {
        let mut of_column = self.core.importance().into_iter();
        let mut shares = BTreeMap::new();
        for feature in &self.preprocessing.features {
            let own: f64 = of_column.by_ref().take(feature.encoding.width()).map(f64::abs).sum();
            shares.insert(feature.name.clone(), own);
        }
        let whole: f64 = shares.values().sum();
        if whole <= 0.0 || !whole.is_finite() {
            return BTreeMap::new();
        }
        for share in shares.values_mut() {
            *share /= whole;
        }
        shares
    }

    pub(super) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    pub(super) fn core(&self) -> &Core {
        &self.core
    }

    /// Predictions for `rows`, or for all; one entry a row, in their order.
    ///
    /// The class is the most probable one, the first of equals.
    pub fn predict(&self, frame: &Frame, rows: Option<&[usize]>) -> Result<Predictions, PredictError> {
        let all: Vec<usize>;
        let rows = if let Some(rows) = rows {
            rows
        } else {
            all = (0..frame.n_rows()).collect();
            &all
        };
        let x = self.preprocessing.transform(frame, rows)?;
        let out = self.core.predict(x.view(), self.task != Task::Regression);
        if let Some(index) = out
            .rows()
            .into_iter()
            .position(|row| row.iter().any(|value| !value.is_finite()))
        {
            return Err(PredictError::NotFinite { row: rows[index] });
        }
        if self.task == Task::Regression {
            return Ok(Predictions::Numbers(out.into_iter().collect()));
        }
        let probabilities = if out.ncols() == 1 {
            let second = out.remove_axis(Axis(1));
            Array2::from_shape_fn((rows.len(), 2), |(row, class)| {
                if class == 1 { second[row] } else { 1.0 - second[row] }
            })
        } else {
            out
        };
        Ok(Predictions::Classes {
            codes: probabilities.rows().into_iter().map(first_greatest).collect(),
            labels: self.labels.clone(),
            probabilities: probabilities.into_iter().collect(),
        })
    }

    /// The model as JSON, one line; the same model gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("a model has only finite numbers and text keys");
        bytes.push(b'\n');
        bytes
    }

    /// Reads what [`Model::to_bytes`] wrote, and trusts nothing in it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        /// The part that every format has.
        #[derive(Deserialize)]
        struct Header {
            schema: u64,
        }
        let malformed = |error: serde_json::Error| ModelError::Malformed(error.to_string());
        if bytes.len() > MAX_BYTES {
            return Err(ModelError::TooLarge { n_bytes: bytes.len() });
        }
        let Header { schema } = serde_json::from_slice(bytes).map_err(malformed)?;
        if schema > SCHEMA {
            return Err(ModelError::Newer { found: schema });
        }
        if schema < SCHEMA {
            return Err(ModelError::Malformed(format!("there was never a format {schema}")));
        }
        let model: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        model.check().map_err(ModelError::Malformed)?;
        Ok(model)
    }

    /// Everything that prediction relies on.
    fn check(&self) -> Result<(), String> {
        let n_labels = self.labels.len();
        let n_outputs = match (self.task, n_labels) {
            (Task::Regression, 0) | (Task::Binary | Task::Multiclass, 2) => 1,
            (Task::Multiclass, 3..=MAX_CLASSES) => n_labels,
            (task, _) => return Err(format!("{n_labels} labels do not fit a {} task", task.name())),
        };
        if self.labels.iter().collect::<BTreeSet<_>>().len() != n_labels {
            return Err("a label occurs twice".to_owned());
        }
        self.preprocessing.check()?;
        self.core.check(self.preprocessing.width(), n_outputs, n_labels > 0)
    }
}

fn first_greatest(probabilities: ndarray::ArrayView1<'_, f64>) -> u32 {
    let mut best = 0;
    for (class, value) in probabilities.iter().enumerate() {
        if *value > probabilities[best] {
            best = class;
        }
    }
    u32::try_from(best).unwrap_or(0)
}
