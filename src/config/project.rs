//! What `mlops.yaml` says, checked: nothing after this can meet a bad value.

use std::time::Duration;

use crate::base::{Alias, ModelName, Span};
use crate::data;
use crate::evaluate::SliceRule;
use crate::gates::{Budget, MetricGate, OnInconclusive, SliceGate};
use crate::train::Estimator;

/// One model of the repository.
#[derive(Debug)]
pub struct Project {
    pub model: ModelName,
    pub model_span: Span,
    pub data: data::Settings,
    pub train: TrainSettings,
    pub evaluate: EvaluateSettings,
    pub gates: GateSettings,
    pub promote: PromoteSettings,
    /// Keys that were absent and the value that stands for them, as the report shows it: `("data.split", "20 % test …")`.
    /// Those that depend on the data (task, metrics, split) are added by the pipeline once they are known.
    pub defaults: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct TrainSettings {
    pub estimator: Box<dyn Estimator>,
    pub seed: u64,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateSettings {
    /// As written; empty means the default ones of the task. Names are known, whether they fit the task is checked
    /// once the task is known; each with its place.
    pub metrics: Vec<(String, Span)>,
    pub slices: Vec<(SliceRule, Span)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GateSettings {
    pub lint: Option<CommandGate>,
    pub test: Option<CommandGate>,
    /// Empty: the first metric with the default margin.
    pub metrics: Vec<MetricGate>,
    pub slices: Option<SliceGate>,
    pub budget: Option<Budget>,
    pub on_inconclusive: OnInconclusive,
    /// `None`: not written.
    pub on_inconclusive_span: Option<Span>,
}

/// The commands of the lint or test gate, run in order with `sh -c`.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandGate {
    pub commands: Vec<(String, Span)>,
    /// For each command.
    pub timeout: Duration,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PromoteSettings {
    pub to: Alias,
    /// `None`: not written.
    pub to_span: Option<Span>,
    pub approval: Approval,
    /// `None`: not written.
    pub approval_span: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Comment,
    Environment,
    Auto,
}
