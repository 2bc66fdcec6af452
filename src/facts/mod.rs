//! Everything a run learned: the waist between doing and showing. Saved as `mlops-facts.json`.

mod file;
mod stranger;

pub use file::FactsError;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, Task, Timestamp, Verdict, VersionNumber};
use crate::drift::DriftResult;
use crate::evaluate::{Comparison, MetricResult, Plots, SliceComparison, SliceResult};
use crate::gates::{CommandRun, GateResult, GateStatus};
use crate::steps::StepOutcome;

/// The version of this document's shape; older ones are read, newer ones refused.
pub const SCHEMA: u32 = 1;

/// A test set that has judged this many challengers is worn: the best of many looks better than it is.
pub const WORN: u64 = 5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub schema: u32,
    pub program_version: String,
    pub model: String,
    /// The configuration file as the user would name it.
    pub config_file: String,
    /// Where the run was, as a path from the repository's root; none when that is the root or there is no repository.
    #[serde(default)]
    pub directory: Option<String>,
    pub started: Timestamp,
    /// The commit that was worked on, when there is a repository.
    pub commit: Option<String>,
    /// The finished run before this one in the same place, which the report tells changes from.
    pub previous_run: Option<String>,
    /// Of the settings of gates and slices: a version judged by others has to be judged again.
    pub gates_digest: Digest,
    /// Every default that this run relied on.
    pub defaults: Vec<DefaultUsed>,
    pub steps: Vec<Step>,
    /// What became of the repository's own steps.
    #[serde(default)]
    pub workflow: Vec<StepOutcome>,
    /// Where the repository's commands ran, if that was made for them.
    #[serde(default)]
    pub environment: Option<EnvironmentFacts>,
    pub data: Option<DataFacts>,
    pub training: Option<TrainingFacts>,
    /// What the repository's own trainer did where that gave no model.
    #[serde(default)]
    pub trainer_failed: Option<OwnTraining>,
    pub evaluation: Option<EvaluationFacts>,
    pub comparison: Option<ComparisonFacts>,
    /// Whether the data changed since production was trained, where that could be asked.
    #[serde(default)]
    pub drift: Option<DriftResult>,
    pub gates: Vec<GateResult>,
    pub registry: Option<RegistryFacts>,
    /// Where the run itself is kept; none when nothing but the report is.
    #[serde(default)]
    pub tracking: Option<TrackingFacts>,
    /// Earlier versions' value of the gate metric, oldest first, this run last.
    pub history: Vec<HistoryPoint>,
    pub alerts: Vec<String>,
    pub verdict: Verdict,
    /// One sentence without a full stop: why the verdict, or why it did not pass.
    pub reason: String,
    pub passed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultUsed {
    /// `data.split`.
    pub key: String,
    pub value: String,
}

/// One step of the run and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `data`, `lint`, `test`, `train`, `evaluate`, `compare`, `gates`, `publish`.
    pub name: String,
    pub outcome: Outcome,
    /// Why it was skipped or reused, or the error with its causes.
    pub detail: Option<String>,
    pub elapsed_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Done,
    /// Taken over from an earlier run, since nothing it depends on changed.
    Reused,
    Skipped,
    /// A finding: the model, the data or the code under test is at fault.
    Failed,
    /// We could not find out.
    Error,
}

/// The Python environment of the repository's commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFacts {
    /// What described it: `uv.lock`.
    pub file: String,
    pub is_locked: bool,
    /// `3.11.7`.
    pub python: Option<String>,
    pub n_packages: Option<usize>,
    /// It was there already.
    pub was_warm: bool,
    pub elapsed_ms: u64,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataFacts {
    pub source: String,
    pub digest: Digest,
    pub n_rows: usize,
    pub n_train: usize,
    pub n_test: usize,
    pub target: String,
    pub task: Task,
    /// `random, 20 % test, seed 42`.
    pub split: String,
    pub test_digest: Digest,
    pub columns: Vec<ColumnFacts>,
    pub violations: Vec<Violation>,
    pub leaks: Vec<Leak>,
    /// What else there is to know about the data, warnings first.
    #[serde(default)]
    pub remarks: Vec<Remark>,
}

/// Something about the data that breaks no rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// `label-conflicts`, `outliers`, `missing-spelling` …
    pub code: String,
    /// A person should look; the rest is good to know.
    pub is_warning: bool,
    /// A sentence without a full stop.
    pub message: String,
    pub evidence: Vec<String>,
}

/// One column in short; the full profile is kept with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnFacts {
    pub name: String,
    /// `feature`, `target`, `excluded`, `split`.
    pub role: String,
    pub kind: String,
    pub n_missing: usize,
    pub n_distinct: usize,
    /// Numbers only.
    pub mean: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// At most 20 counts: a histogram for numbers, the most frequent levels for texts.
    pub sketch: Vec<u64>,
}

/// A broken contract rule with the rows that break it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// `bmi: range [10, 60]`.
    pub rule: String,
    pub message: String,
    pub n_rows: usize,
    /// `data/diabetes.csv:17: bmi = 99.0`, at most five.
    pub evidence: Vec<String>,
    pub span: Option<crate::base::Span>,
}

/// Something that makes the held-out score too good to be true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// `target-copy`, `duplicate-rows`, `group-overlap`, `time-order`.
    pub code: String,
    pub message: String,
    pub evidence: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingFacts {
    pub estimator: String,
    /// Parameter → value as used, defaults included.
    pub params: Vec<(String, String)>,
    pub seed: u64,
    pub n_features_in: usize,
    /// After one-hot encoding.
    pub n_features_out: usize,
    pub model_bytes: u64,
    pub digest: Digest,
    pub elapsed_ms: u64,
    /// The version or run whose model was taken over because nothing changed.
    pub reused_from: Option<String>,
    /// The page of that run.
    pub reused_page: Option<String>,
    /// Constant columns dropped, iterations used up …
    pub notes: Vec<String>,
    /// Encoded column → how much it matters, the most important first, at most ten.
    pub importance: Vec<(String, f64)>,
    /// Where the repository's own code trained.
    #[serde(default)]
    pub own: Option<OwnTraining>,
}

/// What the repository's own trainer did and left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnTraining {
    /// `run`, `notebook`, `metaflow`.
    pub kind: String,
    pub run: CommandRun,
    /// Metrics that it says it reached.
    pub claims: Vec<Claim>,
    /// What makes up the model.
    pub files: Vec<ModelFile>,
    pub flow: Option<FlowFacts>,
    pub notebook: Option<NotebookFacts>,
}

/// A metric as the trainer has it, beside ours on the same predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub metric: String,
    pub claimed: f64,
    /// `None`: we measure no such metric here.
    pub measured: Option<f64>,
    /// Whether the two are the same but for rounding.
    pub agrees: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    pub name: String,
    pub n_bytes: u64,
    pub digest: Digest,
    /// What it would do if somebody loaded it, where it is a pickle.
    pub pickle: Option<PickleFacts>,
}

/// A pickle as its instructions read; it was never loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickleFacts {
    /// `plain`, `model`, `foreign`, `suspicious`, `unreadable`.
    pub verdict: String,
    /// The libraries, or the modules of nobody known, that loading it takes.
    pub libraries: Vec<String>,
    /// What makes it suspicious or unreadable.
    pub findings: Vec<String>,
}

/// A flow as its own records have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowFacts {
    pub name: String,
    pub run_id: String,
    pub is_successful: bool,
    pub steps: Vec<FlowStep>,
    /// From step to step.
    pub edges: Vec<(String, String)>,
    /// Tasks that did not succeed: the step, and the last line of the error.
    pub failures: Vec<(String, String)>,
    /// Why its metrics are not all here.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlowStep {
    pub name: String,
    pub n_tasks: usize,
    pub n_failed: usize,
    pub n_retries: u64,
    /// From the start of its first task to the end of its last.
    pub seconds: Option<f64>,
}

/// A notebook that was executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotebookFacts {
    pub n_cells: usize,
    pub n_executed: usize,
    /// The first that failed: its number from 1, and what it said.
    pub failed: Option<(usize, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationFacts {
    pub metrics: Vec<MetricResult>,
    /// The metric that the verdict stands on.
    pub primary: String,
    pub slices: Vec<SliceResult>,
    /// The minimum number of rows of a slice.
    pub slice_min_rows: usize,
    pub plots: Plots,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonFacts {
    pub champion: Champion,
    pub metrics: Vec<Comparison>,
    pub slices: Vec<SliceComparison>,
    /// Whether the challenger is the champion itself, made again.
    pub itself: bool,
    /// Test rows that are left out, since one of the two models was trained on them.
    pub n_left_out: usize,
    /// Test rows that are left out, since the champion can not be asked about them.
    #[serde(default)]
    pub n_unanswered: usize,
    /// How many challengers this very test set has judged, this one included.
    pub test_set_uses: Option<u64>,
    /// What else to know about the verdict: where all evidence says more than the metrics that are judged, and how far to
    /// trust it. Sentences without a full stop.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// Who was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Champion {
    Version {
        version: VersionNumber,
        /// The alias it was met under, such as `production`; `None` when it was named by number.
        alias: Option<String>,
        commit: Option<String>,
    },
    /// No production yet: the mean, or the most frequent class.
    Baseline { name: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryFacts {
    /// Where it is: `.mlops/registry`.
    pub place: String,
    pub version: Option<VersionNumber>,
    pub digest: Option<Digest>,
    /// The digest was there before this run.
    pub existed: bool,
    pub aliases: Vec<(String, VersionNumber)>,
    /// Why nothing was published.
    pub not_published: Option<String>,
    /// Why automatic approval left production where it is.
    pub not_promoted: Option<String>,
}

/// The run in a tracker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingFacts {
    /// `W&B acme/diabetes`, or the directory that waits to be delivered.
    pub place: String,
    /// Its page, if it has one.
    pub url: Option<String>,
    /// What is missing there and why.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// `v3`, or `this run`.
    pub label: String,
    pub value: f64,
}

impl Facts {
    /// The metric rows a reader asks for first: gated ones, then the rest, in the order of the configuration.
    pub fn gate(&self, name: &str) -> Option<&GateResult> {
        self.gates.iter().find(|gate| gate.name == name)
    }

    pub fn any_gate(&self, status: GateStatus) -> bool {
        self.gates.iter().any(|gate| gate.status == status)
    }
}
