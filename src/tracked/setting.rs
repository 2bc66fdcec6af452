//! What is known before a run begins, as plain values. Pure.

use serde_json::{Map, Value, json};

use crate::base::Timestamp;
use crate::config::{Project, training_key};
use crate::evaluate::{Margin, SliceRule};
use crate::gates::{Budget, GateCommand, MetricGate};

/// A run that is about to begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub configured: Configured,
    /// The configuration file as the user would name it.
    pub config_file: String,
    /// Where the run is, as a path from the repository's root.
    pub directory: Option<String>,
    pub program_version: String,
    /// `evaluate`, `publish`, `retrain`, `promote`.
    pub job_type: String,
    /// The commit that people look at, which for a pull request is its head.
    pub commit: Option<String>,
    /// `None` on a laptop.
    pub github: Option<GitHub>,
    pub host: Option<String>,
    pub started: Timestamp,
}

/// The job on GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHub {
    /// `https://github.com`.
    pub server: String,
    /// `owner/name`.
    pub repository: String,
    /// `refs/heads/…`, `refs/pull/N/merge`; empty for events that have none.
    pub git_ref: String,
    pub run_id: u64,
    pub attempt: u32,
    /// The key of the job in the workflow's file.
    pub job: String,
    pub workflow: String,
    pub event: String,
    pub pull_request: Option<u64>,
    pub actor: String,
}

/// What the configuration asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Configured {
    pub model: String,
    /// Source, target, task, excluded columns, split, declared types.
    pub data: Value,
    pub estimator: String,
    /// Parameter → value as it will be used, defaults included.
    pub params: Vec<(String, String)>,
    pub seed: u64,
    /// Empty: the default ones of the task.
    pub metrics: Vec<String>,
    pub slices: Vec<String>,
    pub gates: Value,
    /// The alias that a promotion moves.
    pub promote_to: String,
}

impl Configured {
    pub fn of(project: &Project) -> Self {
        let trainer = &project.train.trainer;
        Self {
            model: project.model.to_string(),
            data: training_key(project)["data"].take(),
            estimator: trainer.name().to_owned(),
            params: trainer.params(),
            seed: project.train.seed,
            metrics: project
                .evaluate
                .metrics
                .iter()
                .map(|(metric, _)| metric.clone())
                .collect(),
            slices: project.evaluate.slices.iter().map(|(rule, _)| slice(rule)).collect(),
            gates: gates(project),
            promote_to: project.promote.to.to_string(),
        }
    }
}

fn slice(rule: &SliceRule) -> String {
    match rule {
        SliceRule::Values { column } => column.clone(),
        SliceRule::Bins { column, edges } => format!("{column}: {edges:?}"),
    }
}

/// As `mlops.yaml` names them; what is not asked for is not there.
fn gates(project: &Project) -> Value {
    let gates = &project.gates;
    let mut all = Map::new();
    for (name, gate) in [("lint", &gates.lint), ("test", &gates.test)] {
        if let Some(gate) = gate {
            let commands: Vec<&str> = gate.commands.iter().map(GateCommand::text).collect();
            all.insert(name.to_owned(), commands.into());
        }
    }
    let metrics: Map<String, Value> = gates.metrics.iter().map(metric).collect();
    if !metrics.is_empty() {
        all.insert("metrics".to_owned(), metrics.into());
    }
    if let Some(gate) = &gates.slices {
        all.insert(
            "slices".to_owned(),
            json!({"max_regression": margin(gate.max_regression), "min_rows": gate.min_rows}),
        );
    }
    if let Some(Budget {
        model_size_bytes,
        train_time,
        ..
    }) = &gates.budget
    {
        let seconds = train_time.map(|time| time.as_secs_f64());
        all.insert(
            "budget".to_owned(),
            known([
                ("model_size_bytes", json!(model_size_bytes)),
                ("train_time_seconds", json!(seconds)),
            ]),
        );
    }
    all.insert("on_inconclusive".to_owned(), json!(gates.on_inconclusive));
    all.into()
}

fn metric(gate: &MetricGate) -> (String, Value) {
    let asked = known([
        ("max", json!(gate.max)),
        ("min", json!(gate.min)),
        ("max_regression", gate.max_regression.map_or(Value::Null, margin)),
        ("require", json!(gate.require_improvement.then_some("improvement"))),
        ("informational", json!(gate.informational.then_some(true))),
    ]);
    (gate.metric.clone(), asked)
}

fn margin(margin: Margin) -> Value {
    known([
        ("relative", json!(margin.relative)),
        ("absolute", json!(margin.absolute)),
    ])
}

/// Those that have a value.
fn known<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let known: Map<String, Value> = entries
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    known.into()
}
