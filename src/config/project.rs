//! What `mlops.yaml` says, checked: nothing after this can meet a bad value.

use std::time::Duration;

use crate::base::{Alias, ModelName, Span};
use crate::data;
use crate::drift;
use crate::evaluate::SliceRule;
use crate::gates::{Budget, GateCommand, MetricGate, OnInconclusive, SliceGate};
use crate::lint::Filter;
use crate::steps;
use crate::train::Trainer;

/// One model of the repository.
#[derive(Debug)]
pub struct Project {
    pub model: ModelName,
    pub model_span: Span,
    pub data: data::Settings,
    /// The repository's own, in order; empty where there are none.
    pub steps: steps::Plan,
    pub train: TrainSettings,
    pub evaluate: EvaluateSettings,
    pub gates: GateSettings,
    pub promote: PromoteSettings,
    pub registry: RegistryChoice,
    /// `None`: not written.
    pub registry_span: Option<Span>,
    pub wandb: WandbSettings,
    pub environment: EnvironmentChoice,
    /// Keys that were absent and the value that stands for them, as the report shows it: `("data.split", "20 % test …")`.
    /// Those that depend on the data (task, metrics, split) are added by the pipeline once they are known.
    pub defaults: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct TrainSettings {
    pub trainer: Trainer,
    pub seed: u64,
    /// With how many seeds a built-in estimator is trained; the first one makes the model.
    pub repeats: u64,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateSettings {
    /// As written; empty means the default ones of the task. Names are known, whether they fit the task is checked
    /// once the task is known; each with its place.
    pub metrics: Vec<(String, Span)>,
    pub slices: Vec<(SliceRule, Span)>,
}

#[derive(Debug, Clone)]
pub struct GateSettings {
    pub lint: Option<CommandGate>,
    pub test: Option<CommandGate>,
    /// Empty: the first metric with the default margin.
    pub metrics: Vec<MetricGate>,
    pub slices: Option<SliceGate>,
    pub budget: Option<Budget>,
    pub drift: DriftGate,
    pub on_inconclusive: OnInconclusive,
    /// `None`: not written.
    pub on_inconclusive_span: Option<Span>,
}

/// What `gates.drift` says; looked for also where nothing is written.
#[derive(Debug, Clone)]
pub struct DriftGate {
    pub settings: drift::Settings,
    /// Files in the place of what production was trained on.
    pub reference: Option<String>,
    /// Production that is older is due to be trained again.
    pub max_age: Option<Duration>,
    /// So many rows that production does not know make it due.
    pub min_new_rows: Option<u64>,
    /// `None`: not written.
    pub span: Option<Span>,
}

/// The commands of the lint or test gate, run in order with `sh -c`.
#[derive(Debug, Clone)]
pub struct CommandGate {
    pub commands: Vec<GateCommand>,
    /// For each command.
    pub timeout: Duration,
    /// Which findings of linters count in a pull request.
    pub filter: Filter,
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

/// Where lint, tests and the repository's own steps run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentChoice {
    /// The one that the repository's lock or list of requirements describes, where there is one.
    Auto,
    /// What is there already.
    None,
}

/// Where versions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryChoice {
    /// W&B where there is a key, else the repository itself.
    Auto,
    Wandb,
    Embedded,
}

impl RegistryChoice {
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Wandb => "wandb",
            Self::Embedded => "embedded",
        }
    }
}

/// How data are known to W&B.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DataSharing {
    /// By address and digest; they stay where they are.
    #[default]
    Reference,
    Upload,
}

/// Where in W&B, and what it may hold up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WandbSettings {
    /// The section is there.
    pub is_written: bool,
    pub span: Option<Span>,
    /// The team; the key's default one when there is none.
    pub entity: Option<String>,
    /// The model's name when there is none.
    pub project: Option<String>,
    /// Without its prefix: `model`.
    pub registry: String,
    /// Its name or its entity; needed where an account has several.
    pub organization: Option<String>,
    pub base_url: Option<String>,
    /// A run that could not be tracked has not passed.
    pub is_required: bool,
    pub required_span: Option<Span>,
    /// The repository's own commands may see the key.
    pub shares_key: bool,
    pub share_key_span: Option<Span>,
    pub data: DataSharing,
}

impl Default for WandbSettings {
    fn default() -> Self {
        Self {
            is_written: false,
            span: None,
            entity: None,
            project: None,
            registry: super::wandb::REGISTRY.to_owned(),
            organization: None,
            base_url: None,
            is_required: false,
            required_span: None,
            shares_key: false,
            share_key_span: None,
            data: DataSharing::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    Comment,
    Environment,
    Auto,
}
