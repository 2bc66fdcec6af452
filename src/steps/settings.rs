//! What the repository says about one of its steps, and the tasks that it becomes. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::base::Span;

use super::pattern::Pattern;

/// What stands for an absent `timeout`.
pub const TIMEOUT: Duration = Duration::from_hours(1);
pub const MAX_RETRIES: u64 = 10;
pub const MAX_ITEMS: usize = 1000;
/// Stands for the item in paths and in the texts of parameters.
pub const ITEM: &str = "{item}";

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// By `sh -c`.
    Run {
        command: String,
    },
    Notebook {
        path: String,
        params: Map<String, Value>,
    },
    Metaflow {
        path: String,
        params: Map<String, Value>,
    },
}

impl Work {
    /// The file that it is, which is an input too.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Run { .. } => None,
            Self::Notebook { path, .. } | Self::Metaflow { path, .. } => Some(path),
        }
    }
}

/// A text of the configuration and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    pub span: Span,
}

/// One step as it is written; the whole of them is checked by [`Plan::of`](super::Plan::of).
#[derive(Debug, Clone, PartialEq)]
pub struct StepSettings {
    pub name: String,
    /// Of the name.
    pub span: Span,
    pub work: Work,
    /// Of what it does.
    pub work_span: Span,
    pub inputs: Vec<Written>,
    pub outputs: Vec<Written>,
    pub needs: Vec<Written>,
    /// Empty: one task.
    pub foreach: Vec<Written>,
    /// Beyond the first attempt.
    pub n_retries: u32,
    /// For each attempt.
    pub timeout: Duration,
    pub memory_bytes: Option<u64>,
    pub has_network: bool,
    pub env: BTreeMap<String, String>,
}

/// One command that is to run: a step, or a step for one item.
#[derive(Debug, Clone, PartialEq)]
pub struct StepTask {
    pub name: String,
    /// `None` without `foreach`.
    pub item: Option<Item>,
    /// With the item put in.
    pub work: Work,
    /// The file of the notebook or flow is the first.
    pub inputs: Vec<Pattern>,
    pub outputs: Vec<Pattern>,
    pub n_retries: u32,
    pub timeout: Duration,
    pub memory_bytes: Option<u64>,
    pub has_network: bool,
    /// As written, and what a step is told about itself.
    pub env: BTreeMap<String, String>,
}

/// One of a `foreach`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// From 0.
    pub index: usize,
    pub text: String,
}

impl StepTask {
    /// `NAME`, or `NAME-INDEX`: the name of its files.
    pub fn id(&self) -> String {
        match &self.item {
            Some(item) => format!("{}-{}", self.name, item.index),
            None => self.name.clone(),
        }
    }

    /// Whether nothing says when its work is done already: then it runs each time.
    pub fn is_always(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty()
    }
}
