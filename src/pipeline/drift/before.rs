//! What production keeps of the data that it was made of.

use std::sync::Arc;

use crate::drift::{ColumnSketch, Kept, NumberSketch, Scratch, Seen as Known, TextSketch};
use crate::evaluate::{Predictions, Truth};
use crate::track::{ModelRegistry, ModelVersion, RegistryError};

use crate::pipeline::compare::Met;
use crate::pipeline::predictor::Predictor;
use crate::pipeline::seen::Seen;

/// The file of a version: its data as distributions.
pub const FILE: &str = "drift.json";
/// The file of a version: digests of the rows that it was judged on, as `train_rows.bin` has those that it learned from.
pub const HELD_OUT_ROWS: &str = "test_rows.bin";
/// A larger file is none that we wrote.
const MAX_FILE: usize = 256 << 20;

pub struct Before {
    pub version: ModelVersion,
    pub alias: Option<String>,
    pub model: Arc<Predictor>,
    /// The error says why there is nothing.
    pub kept: Result<Kept, String>,
    /// The rows that it learned from, and those that it was judged on; `None`: it does not say.
    pub known: Option<[Seen; 2]>,
}

impl Before {
    /// Of what stands in production; `None`: nobody does, or what stands there can not be used.
    pub async fn load(registry: &dyn ModelRegistry, met: &Met) -> Result<Option<Self>, RegistryError> {
        let Met::Version {
            version,
            model,
            seen,
            alias,
        } = met
        else {
            return Ok(None);
        };
        // A file that is damaged is said to be: the rest of the version can still be compared with.
        let read = async |name: &str| -> Result<Option<Vec<u8>>, RegistryError> {
            if !version.files.contains_key(name) {
                return Ok(None);
            }
            match registry.read(version, name).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(RegistryError::Damaged { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let kept = match read(FILE).await? {
            None if version.files.contains_key(FILE) => Err(format!("`{FILE}` of {} is damaged", version.number)),
            None => Err(format!("{} keeps nothing of its data", version.number)),
            Some(bytes) if bytes.len() > MAX_FILE => Err(format!("`{FILE}` of {} is too large", version.number)),
            Some(bytes) => {
                Kept::from_bytes(&bytes).map_err(|why| format!("`{FILE}` of {} can not be used: {why}", version.number))
            }
        };
        let held_out = read(HELD_OUT_ROWS).await?.map(|bytes| Seen::from_bytes(&bytes));
        Ok(Some(Self {
            known: seen.clone().zip(held_out).map(|(learned, judged)| [learned, judged]),
            version: version.clone(),
            alias: alias.clone(),
            model: Arc::clone(model),
            kept,
        }))
    }
}

/// What was predicted, as a column.
pub fn predicted(predictions: &Predictions) -> ColumnSketch {
    let n = predictions.len() as u64;
    let seen = match predictions {
        Predictions::Numbers(values) => {
            let counted = NumberSketch::of(values.iter().copied(), false, &mut Scratch::default());
            counted.sketch.map_or(Known::Empty, Known::Numbers)
        }
        Predictions::Classes { codes, labels, .. } => {
            let mut counts = vec![0_u64; labels.len()];
            for code in codes {
                if let Some(count) = counts.get_mut(*code as usize) {
                    *count += 1;
                }
            }
            Known::Texts(TextSketch::of(labels.iter().map(String::as_str).zip(counts)))
        }
    };
    ColumnSketch {
        name: "prediction".to_owned(),
        n_rows: n,
        n_missing: 0,
        n_infinite: 0,
        seen,
    }
}

/// How wrong each answer is: the absolute error, or 1 for a wrong class.
pub fn errors(truth: &Truth, predictions: &Predictions) -> Vec<f64> {
    match (truth, predictions) {
        (Truth::Numbers(truth), Predictions::Numbers(predicted)) => truth
            .iter()
            .zip(predicted)
            .map(|(truth, said)| (truth - said).abs())
            .collect(),
        (
            Truth::Classes { codes, labels },
            Predictions::Classes {
                codes: said,
                labels: names,
                ..
            },
        ) => {
            let name = |labels: &'_ [String], code: u32| labels.get(code as usize).cloned();
            let pairs = codes.iter().zip(said);
            pairs
                .map(|(truth, said)| f64::from(u8::from(name(labels, *truth) != name(names, *said))))
                .collect()
        }
        (Truth::Numbers(_), Predictions::Classes { .. }) | (Truth::Classes { .. }, Predictions::Numbers(_)) => {
            Vec::new()
        }
    }
}
