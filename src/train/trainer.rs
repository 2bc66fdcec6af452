//! Who trains: a built-in estimator, or code of the repository. Pure.

use std::time::Duration;

use serde_json::{Map, Value};

use super::estimator::Estimator;

#[derive(Debug)]
pub enum Trainer {
    BuiltIn(Box<dyn Estimator>),
    Own(OwnTrainer),
}

/// What the repository trains with, and how far it may go.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnTrainer {
    pub work: Work,
    /// Parameters by name, as `mlops.yaml` has them.
    pub params: Map<String, Value>,
    pub timeout: Duration,
    /// Bytes, of all its processes together.
    pub memory: Option<u64>,
    pub network: bool,
}

/// What is run. Paths are relative to the repository's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// By `sh -c`.
    Command(String),
    Notebook(String),
    Metaflow(String),
}

impl Work {
    /// As it was written.
    pub fn text(&self) -> &str {
        match self {
            Self::Command(text) | Self::Notebook(text) | Self::Metaflow(text) => text,
        }
    }

    /// The key that it was written under.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Command(_) => "run",
            Self::Notebook(_) => "notebook",
            Self::Metaflow(_) => "metaflow",
        }
    }
}

impl Trainer {
    /// The estimator's name, or what the repository runs.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(estimator) => estimator.name(),
            Self::Own(own) => own.work.text(),
        }
    }

    /// Parameter → value as used, defaults included.
    pub fn params(&self) -> Vec<(String, String)> {
        match self {
            Self::BuiltIn(estimator) => {
                let params = estimator.params().into_iter();
                params.map(|(name, value)| (name.to_owned(), value)).collect()
            }
            Self::Own(own) => own
                .params
                .iter()
                .map(|(name, value)| (name.clone(), shown(value)))
                .collect(),
        }
    }

    pub fn built_in(&self) -> Option<&dyn Estimator> {
        match self {
            Self::BuiltIn(estimator) => Some(estimator.as_ref()),
            Self::Own(_) => None,
        }
    }
}

/// As much of a parameter as a report shows.
const MAX_SHOWN_CHARS: usize = 500;

/// A text as it is, everything else as JSON; its beginning, where it is long.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().take(MAX_SHOWN_CHARS).collect()
}
