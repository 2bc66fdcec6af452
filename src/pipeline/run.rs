//! One run, start to end: infallible, since every failure is a fact.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Diagnostics, Digest, Verdict};
use crate::config::Project;
use crate::facts::{Facts, Outcome, RegistryFacts};
use crate::gates::{GateResult, GateStatus};
use crate::sys::Stopwatch;
use crate::track::{RegistryError, VersionRef};

use super::compare::{self, Met};
use super::draft::{Draft, chain};
use super::judge::{judge, judge_data_gate};
use super::meet::{compare_with, compare_with_production};
use super::publish::publish_run;
use super::steps::{self, command_gates, learn_model, prepare};
use super::{Event, Services, bundle};

/// What differs between one run and another of the same project.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether a run that passed becomes a version.
    pub publish: bool,
    /// The configuration file as the user would name it.
    pub config_file: String,
    pub program_version: &'static str,
}

/// What a run leaves.
pub struct Finished {
    pub facts: Facts,
    /// What a publication takes; empty without a model.
    pub bundle: BTreeMap<String, Vec<u8>>,
    /// Problems in files that people wrote; errors among them mean that the run could not be done.
    pub problems: Diagnostics,
    /// Whether some step could not find out what it was asked for.
    pub could_not_find_out: bool,
}

/// Runs everything for this project.
pub async fn run(project: &Arc<Project>, services: &Services, options: &Options) -> Finished {
    let mut draft = Draft::new(project, services, options);
    let (tools, model) = tokio::join!(
        command_gates(project, services),
        learn_model(&mut draft, project, services)
    );
    draft.tools(tools);
    if let Some(model) = &model {
        compare_with_production(&mut draft, project, services, model).await;
    }
    judge(&mut draft, project, model.as_ref());
    let bundle = model.as_ref().map(bundle::files).unwrap_or_default();
    publish(&mut draft, project, services, options, &bundle).await;
    draft.finish(bundle)
}

/// Configuration, data contract, lint and tests: what can be said without a model.
pub async fn check(project: &Arc<Project>, services: &Services, options: &Options) -> Finished {
    let mut draft = Draft::new(project, services, options);
    let (tools, prepared) = tokio::join!(command_gates(project, services), prepare(&mut draft, project, services));
    draft.tools(tools);
    judge_data_gate(&mut draft);
    let failed: Vec<&GateResult> = draft
        .facts
        .gates
        .iter()
        .filter(|gate| gate.status == GateStatus::Fail)
        .collect();
    draft.facts.verdict = Verdict::Inconclusive;
    draft.facts.passed = failed.is_empty() && prepared.is_some();
    draft.facts.reason = match failed.first() {
        Some(gate) => gate.reason.clone(),
        None if prepared.is_some() => "data and commands are in order; nothing was trained".to_owned(),
        None => "the data can not be used".to_owned(),
    };
    draft.finish(BTreeMap::new())
}

/// Two versions of the registry on today's held-out rows; nothing is trained, published or kept.
pub async fn compare_versions(
    project: &Arc<Project>,
    services: &Services,
    options: &Options,
    [champion, challenger]: [&VersionRef; 2],
) -> Result<Finished, RegistryError> {
    let registry = services.registry.as_ref();
    let champion = compare::load(registry, &project.model, champion).await?;
    let challenger = compare::load(registry, &project.model, challenger).await?;
    let mut draft = Draft::new(project, services, options);
    let model = match challenger {
        Met::Version { model, .. } => model,
        Met::Unusable { version, why } => {
            draft.facts.reason = format!("{} can not be used: {why}", version.number);
            return Ok(draft.finish(BTreeMap::new()));
        }
        Met::Nobody => {
            "there is no challenger".clone_into(&mut draft.facts.reason);
            return Ok(draft.finish(BTreeMap::new()));
        }
    };
    let mut made = None;
    if let Some(ready) = steps::ready(&mut draft, project, services).await {
        made = steps::evaluate(&mut draft, project, services, ready, Arc::from(model), Vec::new()).await;
    }
    if let Some(made) = &made {
        compare_with(&mut draft, project, services, made, champion).await;
    }
    judge(&mut draft, project, made.as_ref());
    Ok(draft.finish(BTreeMap::new()))
}

/// Makes a version of a run that passed; a registry that can not be written is an error, and the model stays in the run.
async fn publish(
    draft: &mut Draft,
    project: &Project,
    services: &Services,
    options: &Options,
    bundle: &BTreeMap<String, Vec<u8>>,
) {
    let why_not = if bundle.is_empty() {
        Some("there is no model".to_owned())
    } else if !draft.facts.passed {
        Some(format!("the run did not pass: {}", draft.facts.reason))
    } else if !options.publish {
        Some("publication was not asked for".to_owned())
    } else {
        None
    };
    if let Some(why) = why_not {
        draft.facts.registry = Some(unpublished(services, bundle, why.clone()));
        draft.step(services, "publish", Outcome::Skipped, Some(why), 0);
        return;
    }
    services.tell(Event::StepStarted { step: "publish" });
    let watch = Stopwatch::start();
    match publish_run(services, &project.promote, &draft.facts, bundle.clone()).await {
        Ok(published) => {
            let outcome = if published.facts.existed {
                Outcome::Reused
            } else {
                Outcome::Done
            };
            let detail = if published.facts.existed {
                format!("this is {} already", published.version.number)
            } else {
                format!("{} of `{}`", published.version.number, project.model)
            };
            draft.facts.registry = Some(published.facts);
            draft.step(services, "publish", outcome, Some(detail), watch.elapsed_ms());
        }
        Err(error) => {
            let detail = chain(&error);
            draft.facts.registry = Some(unpublished(services, bundle, detail.clone()));
            draft.facts.reason = format!("{}; but it could not be published: {detail}", draft.facts.reason);
            draft.facts.passed = false;
            draft.step(services, "publish", Outcome::Error, Some(detail), watch.elapsed_ms());
        }
    }
}

fn unpublished(services: &Services, bundle: &BTreeMap<String, Vec<u8>>, why: String) -> RegistryFacts {
    RegistryFacts {
        place: services.registry_place.clone(),
        version: None,
        digest: (!bundle.is_empty()).then(|| {
            crate::track::content_digest(
                &bundle
                    .iter()
                    .map(|(name, bytes)| (name.clone(), Digest::of(bytes)))
                    .collect(),
            )
        }),
        existed: false,
        aliases: Vec::new(),
        not_published: Some(why),
    }
}
