//! What a gate asks and what it found.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Span, Verdict};
use crate::evaluate::Margin;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateStatus {
    Pass,
    Skipped,
    Warn,
    Fail,
}

impl GateStatus {
    /// The word that programs read; the same in every document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What an undecided comparison does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInconclusive {
    #[default]
    Warn,
    Fail,
}

/// What `gates.metrics.NAME` says.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricGate {
    pub metric: String,
    pub max: Option<f64>,
    pub min: Option<f64>,
    /// `None`: not compared with production.
    pub max_regression: Option<Margin>,
    pub require_improvement: bool,
    /// Shown, never judged.
    pub informational: bool,
    pub span: Span,
}

/// What `gates.slices` says.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceGate {
    pub max_regression: Margin,
    pub min_rows: usize,
    pub span: Span,
}

/// What `gates.budget` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    pub model_size_bytes: Option<u64>,
    pub train_time: Option<Duration>,
    pub span: Span,
}

/// One gate's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// `lint`, `test`, `data`, `metrics.rmse`, `slices`, `budget`.
    pub name: String,
    pub status: GateStatus,
    /// One sentence without a full stop that names the value and the limit.
    pub reason: String,
    /// The comparison's verdict for a metric gate.
    pub verdict: Option<Verdict>,
    /// The line of the configuration that the gate stands on.
    pub span: Option<Span>,
    /// What lint and test commands did.
    pub commands: Vec<CommandRun>,
}

/// One command of a lint or test gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandRun {
    pub command: String,
    /// `None`: killed by a signal, timed out or could not start; then `problem` says which.
    pub exit_code: Option<i32>,
    pub problem: Option<String>,
    /// The end of what it printed, both streams as they came, control sequences and workflow commands made inert.
    pub tail: String,
    pub elapsed_ms: u64,
}
