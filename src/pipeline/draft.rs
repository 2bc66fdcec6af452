//! The facts while they grow: the steps of a run fill in their part, one after the other.

use std::collections::BTreeMap;

use crate::base::{Diagnostics, Digest, Verdict};
use crate::config::Project;
use crate::facts::{DefaultUsed, Facts, Outcome, SCHEMA, Step};
use crate::gates::GateResult;
use crate::track::Content;

use super::run::{Finished, Options};
use super::{Event, Services, commit, store};

/// What a run knows so far.
pub struct Draft {
    pub facts: Facts,
    pub problems: Diagnostics,
    pub could_not_find_out: bool,
    pub unpublished: Option<Box<Facts>>,
}

impl Draft {
    pub fn new(project: &Project, services: &Services, options: &Options) -> Self {
        let defaults = project
            .defaults
            .iter()
            .map(|(key, value)| default(key, value))
            .collect();
        let facts = Facts {
            schema: SCHEMA,
            program_version: options.program_version.to_owned(),
            model: project.model.to_string(),
            config_file: options.config_file.clone(),
            directory: commit::directory(&services.root),
            started: services.now,
            gates_digest: gates_digest(project),
            commit: commit::head(&services.root),
            previous_run: store::latest(&services.root)
                .ok()
                .and_then(|run| Some(run.file_name()?.to_string_lossy().into_owned())),
            defaults,
            steps: Vec::new(),
            workflow: Vec::new(),
            environment: None,
            data: None,
            training: None,
            trainer_failed: None,
            evaluation: None,
            comparison: None,
            drift: None,
            gates: Vec::new(),
            registry: None,
            tracking: None,
            history: Vec::new(),
            alerts: Vec::new(),
            verdict: Verdict::FailedToRun,
            reason: "nothing was done".to_owned(),
            passed: false,
        };
        Self {
            facts,
            problems: Diagnostics::default(),
            could_not_find_out: false,
            unpublished: None,
        }
    }

    pub fn step(
        &mut self,
        services: &Services,
        step: &'static str,
        outcome: Outcome,
        detail: Option<String>,
        elapsed_ms: u64,
    ) {
        services.tell(Event::StepFinished {
            step,
            outcome,
            detail: detail.clone(),
            elapsed_ms,
        });
        if outcome == Outcome::Error {
            self.could_not_find_out = true;
            let why = detail.as_deref().unwrap_or("no reason given");
            self.facts
                .alerts
                .insert(0, format!("step `{step}` could not find out: {why}"));
        }
        self.facts.steps.push(Step {
            name: step.to_owned(),
            outcome,
            detail,
            elapsed_ms,
        });
    }

    pub fn tools(&mut self, tools: Vec<(Step, GateResult)>) {
        for (step, gate) in tools {
            self.facts.steps.push(step);
            self.facts.gates.push(gate);
        }
    }

    pub fn finish(self, bundle: BTreeMap<String, Content>) -> Finished {
        Finished {
            facts: self.facts,
            bundle,
            problems: self.problems,
            could_not_find_out: self.could_not_find_out,
            unpublished: self.unpublished,
        }
    }
}

/// Of everything in the configuration that judges a model.
pub fn gates_digest(project: &Project) -> Digest {
    let gates = &project.gates;
    let metrics = gates.metrics.iter().map(|gate| {
        let limits = (&gate.metric, gate.min, gate.max, gate.max_regression);
        format!("{limits:?} {} {}", gate.require_improvement, gate.informational)
    });
    let slices = gates
        .slices
        .iter()
        .map(|gate| format!("{:?} {}", gate.max_regression, gate.min_rows));
    let cuts = project.evaluate.slices.iter().map(|(rule, _)| format!("{rule:?}"));
    let rest = [format!("{:?}", gates.on_inconclusive)];
    let settings: Vec<String> = metrics.chain(slices).chain(cuts).chain(rest).collect();
    Digest::of_parts(settings.iter().map(String::as_bytes))
}

pub fn default(key: &str, value: &str) -> DefaultUsed {
    DefaultUsed {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

/// Runs work that computes beside the event loop; a panic in it is our bug and comes back as text.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| match error.try_into_panic() {
            Ok(panic) => {
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                format!("a bug of ours: please report it with this text: {text}")
            }
            Err(error) => error.to_string(),
        })
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}
