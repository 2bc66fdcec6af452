//! What decides a task's result, the key made of it, and what is written down when it is done. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::{Digest, Timestamp};

use super::pattern::Pattern;
use super::settings::{StepTask, Work};

/// Changes with what a key is made of.
const FORMAT: &str = "steps/1";

/// Everything that a task's result depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Of the environment that commands run in.
    pub environment: Digest,
    /// Of the command, its parameters, its item and its variables.
    pub settings: Digest,
    /// Path → content.
    pub inputs: BTreeMap<String, Digest>,
    /// Needed step → what it made.
    pub needs: BTreeMap<String, Digest>,
}

impl Basis {
    pub fn key(&self) -> Digest {
        let text = serde_json::to_vec(self).expect("its keys are texts");
        Digest::of_parts([FORMAT.as_bytes(), &text])
    }

    /// Why work that was done on `before` is to be done again; the first things that differ.
    pub fn difference(&self, before: &Self) -> Option<String> {
        if self.settings != before.settings {
            return Some("its settings changed".to_owned());
        }
        let inputs = [&self.inputs, &before.inputs];
        let changed = |path: &&String| inputs[0].get(*path) != inputs[1].get(*path);
        let mut changes: Vec<&String> = inputs.iter().flat_map(|side| side.keys()).filter(changed).collect();
        changes.sort();
        changes.dedup();
        if let Some(path) = changes.first() {
            let what = match (inputs[0].contains_key(*path), inputs[1].contains_key(*path)) {
                (true, true) => "changed",
                (true, false) => "is new",
                (false, _) => "is gone",
            };
            let more = match changes.len() - 1 {
                0 => String::new(),
                1 => ", and one more input".to_owned(),
                n => format!(", and {n} more inputs"),
            };
            return Some(format!("`{path}` {what}{more}"));
        }
        let need = self
            .needs
            .iter()
            .find(|(step, made)| before.needs.get(*step) != Some(made));
        if let Some((step, _)) = need {
            return Some(format!("what `{step}` makes changed"));
        }
        if self.environment != before.environment {
            return Some("the environment changed".to_owned());
        }
        (self.needs != before.needs).then(|| "it needs other steps".to_owned())
    }
}

/// The digest of what the configuration says that decides the result; limits and retries do not.
pub fn settings(task: &StepTask) -> Digest {
    let work = match &task.work {
        Work::Run { command } => json!({"run": command}),
        Work::Notebook { path, params } => json!({"notebook": path, "params": params}),
        Work::Metaflow { path, params } => json!({"metaflow": path, "params": params}),
    };
    let outputs: Vec<&str> = task.outputs.iter().map(Pattern::text).collect();
    let item = task.item.as_ref().map(|item| &item.text);
    let all = json!({"work": work, "item": item, "outputs": outputs, "env": task.env});
    Digest::of(all.to_string().as_bytes())
}

/// One file that a task made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub path: String,
    pub digest: Digest,
    pub size_bytes: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_executable: bool,
}

/// A task that was done; written last, so that what was interrupted is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What it is kept under.
    pub key: Digest,
    pub name: String,
    pub item: Option<String>,
    pub started: Timestamp,
    pub elapsed_ms: u64,
    pub n_attempts: u32,
    pub log: String,
    pub outputs: Vec<Output>,
}

impl Record {
    /// A record of this key and of files that the task makes.
    pub fn checked(bytes: &[u8], key: Digest, task: &StepTask) -> Option<Self> {
        let record: Self = serde_json::from_slice(bytes).ok()?;
        let is_own = |output: &Output| {
            let names = output.path.split('/');
            let is_plain = names
                .into_iter()
                .all(|name| !matches!(name, "" | "." | ".." | ".git" | ".mlops"));
            is_plain && task.outputs.iter().any(|pattern| pattern.matches(&output.path))
        };
        let is_whole = task
            .outputs
            .iter()
            .all(|pattern| record.outputs.iter().any(|output| pattern.matches(&output.path)));
        (record.key == key && is_whole && record.outputs.iter().all(is_own)).then_some(record)
    }
}

/// What stands for the results of a step among what another one depends on: its files, or what it was done on.
pub fn made<'o>(tasks: impl IntoIterator<Item = (&'o [Output], Option<Digest>)>) -> Digest {
    let mut parts: Vec<String> = Vec::new();
    for (outputs, key) in tasks {
        if outputs.is_empty() {
            parts.extend(key.map(|key| key.to_string()));
        }
        parts.extend(
            outputs
                .iter()
                .map(|output| format!("{}={}", output.path, output.digest)),
        );
    }
    Digest::of_parts(parts.iter().map(String::as_bytes))
}
