//! What a model is asked for, which way a metric is good, and what a comparison says.

use serde::{Deserialize, Serialize};

/// What the model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    Regression,
    Binary,
    Multiclass,
}

impl Task {
    pub fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
        }
    }
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Minimize,
    Maximize,
}

impl Direction {
    /// `challenger - champion`, turned so that positive is good.
    pub fn gain(self, champion: f64, challenger: f64) -> f64 {
        match self {
            Self::Minimize => champion - challenger,
            Self::Maximize => challenger - champion,
        }
    }
}

/// What a comparison with production says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    Same,
    Inconclusive,
    Worse,
    FailedToRun,
}

impl Verdict {
    /// The word that people read; the same in every rendering.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Same => "same",
            Self::Inconclusive => "inconclusive",
            Self::Worse => "worse",
            Self::FailedToRun => "failed to run",
        }
    }
}
