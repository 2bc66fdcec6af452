//! One run, start to end: infallible, since every failure is a fact.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Diagnostics, Verdict};
use crate::config::Project;
use crate::drift::Policy;
use crate::facts::{Facts, Outcome, RegistryFacts};
use crate::gates::GateStatus;
use crate::sys::Stopwatch;
use crate::track::{Content, RegistryError, VersionRef};
use crate::train;

use super::compare::{self, Met};
use super::draft::{Draft, chain};
use super::drift::{self, Before};
use super::judge::{judge, judge_data_gate};
use super::meet::{self, Production, compare_with, compare_with_production};
use super::publish::{self, judge_existing, publish_run};
use super::steps::{self, Challenger, Made, command_gates, learn_model};
use super::{Event, Services, bundle, environment, workflow};

/// What differs between one run and another of the same project.
#[derive(Debug, Clone)]
pub struct Options {
    /// Why a run that passed does not become a version; `None` when it does.
    pub keep_back: Option<&'static str>,
    /// Whether training waits for a reason where `gates.drift` says so: on a schedule.
    pub only_when_due: bool,
    /// The configuration file as the user would name it.
    pub config_file: String,
    pub program_version: &'static str,
}

impl Options {
    /// A run whose model becomes a version if it passes.
    pub fn publishing(config_file: &str) -> Self {
        Self {
            keep_back: None,
            only_when_due: false,
            config_file: config_file.to_owned(),
            program_version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// A run whose model does not become a version, and why.
    pub fn keeping_back(config_file: &str, why: &'static str) -> Self {
        Self {
            keep_back: Some(why),
            ..Self::publishing(config_file)
        }
    }

    /// A run that only looks.
    pub fn looking(config_file: &str) -> Self {
        Self::keeping_back(config_file, "publication was not asked for")
    }
}

/// What a run leaves.
pub struct Finished {
    pub facts: Facts,
    /// What a publication takes; empty without a model.
    pub bundle: BTreeMap<String, Content>,
    /// Problems in files that people wrote; errors among them mean that the run could not be done.
    pub problems: Diagnostics,
    /// Whether some step could not find out what it was asked for.
    pub could_not_find_out: bool,
    /// The facts of a run that had passed, and whose model could not be published: what is published later.
    pub unpublished: Option<Box<Facts>>,
}

/// Runs everything for this project. Lint and tests come first, since they may write what is learned from.
pub async fn run(project: &Arc<Project>, services: &mut Services, options: &Options) -> Finished {
    let mut draft = Draft::new(project, services, options);
    if environment::enter(&mut draft, project, services).await.is_err() {
        judge(&mut draft, project, None);
        return draft.finish(BTreeMap::new());
    }
    let services = &*services;
    draft.tools(command_gates(project, services, options.keep_back.is_none()).await);
    let ready = match workflow::run(&mut draft, project, services, None).await {
        Ok(()) => steps::ready(&mut draft, project, services).await,
        Err(workflow::Stopped) => None,
    };
    let mut made = None;
    if let Some(ready) = ready {
        let production = meet::production(project, services).await;
        let policy = project.gates.drift.settings.policy;
        if policy != Policy::Ignore {
            let before = before(&production);
            let due = drift::measure(&mut draft, project, services, &ready.prepared, before).await;
            if options.only_when_due && policy == Policy::Retrain {
                match due {
                    None => return rest(draft, services, production.ok().as_ref()),
                    Some(why) => draft.facts.alerts.push(format!("trained again: {why}")),
                }
            }
        }
        made = learn_model(&mut draft, project, services, ready).await;
        if let Some(made) = &made {
            compare_with_production(&mut draft, project, services, made, production).await;
        }
    }
    judge(&mut draft, project, made.as_ref());
    let bundle = made.as_ref().map(bundle::files).unwrap_or_default();
    publish_bundle(&mut draft, project, services, options, &bundle).await;
    draft.finish(bundle)
}

/// What stands in production, for the comparison of data.
fn before(production: &Result<Production, RegistryError>) -> Result<Option<Arc<Before>>, String> {
    match production {
        Ok(production) => Ok(production.before.clone()),
        Err(RegistryError::Withheld { why }) => Err(why.clone()),
        Err(error) => Err(chain(error)),
    }
}

/// Nothing changed and nothing is due: production stays as it is, and nothing is trained.
fn rest(mut draft: Draft, services: &Services, production: Option<&Production>) -> Finished {
    judge_data_gate(&mut draft);
    let stays = production
        .and_then(|production| production.before.as_ref())
        .map_or_else(|| "production".to_owned(), |before| before.version.number.to_string());
    let why = format!("nothing is due: {stays} stays");
    draft.step(services, "train", Outcome::Skipped, Some(why.clone()), 0);
    let failed = draft.facts.gates.iter().find(|gate| gate.status == GateStatus::Fail);
    let failed = failed.map(|gate| format!("gate `{}` failed: {}", gate.name, gate.reason));
    draft.facts.passed = failed.is_none() && !draft.could_not_find_out;
    draft.facts.verdict = Verdict::Same;
    let drift = draft.facts.gates.iter().find(|gate| gate.name == "drift");
    let warned = drift.filter(|gate| gate.status == GateStatus::Warn);
    let why = warned.map_or_else(|| why.clone(), |gate| format!("{why}; {}", gate.reason));
    draft.facts.reason = failed.unwrap_or(why);
    draft.finish(BTreeMap::new())
}

/// Whether the data changed since production was trained, and nothing else.
pub async fn measure_drift(project: &Arc<Project>, services: &mut Services, options: &Options) -> Finished {
    let mut draft = Draft::new(project, services, options);
    if environment::enter(&mut draft, project, services).await.is_err() {
        return draft.finish(BTreeMap::new());
    }
    let services = &*services;
    if workflow::run(&mut draft, project, services, None).await.is_ok()
        && let Some(prepared) = steps::prepare(&mut draft, project, services).await
    {
        let production = meet::production(project, services).await;
        drift::measure(&mut draft, project, services, &prepared, before(&production)).await;
    }
    draft.finish(BTreeMap::new())
}

/// One of the repository's own steps, and what it needs.
pub async fn run_step(project: &Arc<Project>, services: &mut Services, options: &Options, step: &str) -> Finished {
    let mut draft = Draft::new(project, services, options);
    if environment::enter(&mut draft, project, services).await.is_ok() {
        draft.facts.passed = workflow::run(&mut draft, project, services, Some(step)).await.is_ok();
    }
    draft.finish(BTreeMap::new())
}

/// Configuration, data contract, lint and tests: what can be said without a model.
pub async fn check(project: &Arc<Project>, services: &mut Services, options: &Options) -> Finished {
    let mut draft = Draft::new(project, services, options);
    if environment::enter(&mut draft, project, services).await.is_err() {
        return draft.finish(BTreeMap::new());
    }
    let services = &*services;
    draft.tools(command_gates(project, services, false).await);
    let ready = match workflow::run(&mut draft, project, services, None).await {
        Ok(()) => steps::ready(&mut draft, project, services).await,
        Err(workflow::Stopped) => None,
    };
    if let Some(ready) = &ready
        && let Some(estimator) = project.train.trainer.built_in()
        && let Err(error) = train::can_do(estimator, ready.prepared.task)
    {
        draft
            .problems
            .extend(steps::unfit(&error, project, &ready.prepared).into_iter().collect());
    }
    judge_data_gate(&mut draft);
    let failed = draft
        .facts
        .gates
        .iter()
        .find(|gate| gate.status == GateStatus::Fail)
        .map(|gate| gate.reason.clone());
    draft.facts.passed = failed.is_none() && ready.is_some() && !draft.problems.has_errors();
    if let Some(reason) = failed {
        draft.facts.reason = reason;
    } else if draft.facts.passed {
        "configuration, data and commands are in order".clone_into(&mut draft.facts.reason);
    }
    draft.finish(BTreeMap::new())
}

/// Two versions of the registry on today's held-out rows, or one and the baseline; nothing is trained or kept.
pub async fn compare_versions(
    project: &Arc<Project>,
    services: &Services,
    options: &Options,
    champion: Option<&VersionRef>,
    challenger: &VersionRef,
) -> Result<Finished, RegistryError> {
    let registry = services.registry.as_ref();
    let champion = match champion {
        Some(champion) => compare::load(registry, &project.model, champion).await?,
        None => Met::Nobody,
    };
    let challenger = compare::load(registry, &project.model, challenger).await?;
    let mut draft = Draft::new(project, services, options);
    let made = challenger_made(&mut draft, project, services, challenger).await;
    if let Some(made) = &made {
        compare_with(&mut draft, project, services, made, champion).await;
    }
    judge(&mut draft, project, made.as_ref());
    Ok(draft.finish(BTreeMap::new()))
}

/// A version in the place of a model that was trained just now.
async fn challenger_made(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    challenger: Met,
) -> Option<Made> {
    let (version, model, seen) = match challenger {
        Met::Version {
            version, model, seen, ..
        } => (version, model, seen),
        Met::Unusable { version, why, .. } => {
            draft.facts.reason = format!("{} can not be used: {why}", version.number);
            return None;
        }
        Met::Nobody => {
            "there is no challenger".clone_into(&mut draft.facts.reason);
            return None;
        }
    };
    let ready = steps::ready(draft, project, services).await?;
    if let Err(why) = compare::answers(project, &ready.prepared, &version, &model) {
        draft.facts.reason = why;
        return None;
    }
    let made = Challenger {
        model,
        bytes: Vec::new(),
        seen: seen.unwrap_or_default(),
        left: BTreeMap::new(),
        predictions: None,
        repeats: Vec::new(),
    };
    steps::evaluate(draft, project, services, ready, made).await
}

/// Makes a version of a run that passed; a registry that can not be written is an error, and the model stays in the run.
async fn publish_bundle(
    draft: &mut Draft,
    project: &Project,
    services: &Services,
    options: &Options,
    bundle: &BTreeMap<String, Content>,
) {
    let why_not = if bundle.is_empty() {
        Some("there is no model".to_owned())
    } else if !draft.facts.passed {
        Some(format!("the run did not pass: {}", draft.facts.reason))
    } else {
        options.keep_back.map(str::to_owned)
    };
    if let Some(why) = why_not {
        let registry = unpublished(services, bundle, why.clone());
        // A version that does not pass any more must not be promoted on what was found before.
        if let (true, Some(digest)) = (
            options.keep_back.is_none() && !draft.could_not_find_out,
            &registry.digest,
        ) && let Err(error) = judge_existing(services, &draft.facts, digest).await
        {
            draft.step(services, "publish", Outcome::Error, Some(chain(&error)), 0);
        }
        draft.facts.registry = Some(registry);
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
            if let Some(why) = &published.facts.not_promoted {
                draft.facts.alerts.push(format!("not promoted: {why}"));
            }
            draft.facts.registry = Some(published.facts);
            draft.step(services, "publish", outcome, Some(detail), watch.elapsed_ms());
        }
        Err(error) => {
            let detail = chain(&error);
            draft.facts.registry = Some(unpublished(services, bundle, detail.clone()));
            draft.unpublished = Some(Box::new(draft.facts.clone()));
            draft.facts.reason = format!("{}; but it could not be published: {detail}", draft.facts.reason);
            draft.facts.passed = false;
            draft.step(services, "publish", Outcome::Error, Some(detail), watch.elapsed_ms());
        }
    }
}

fn unpublished(services: &Services, bundle: &BTreeMap<String, Content>, why: String) -> RegistryFacts {
    RegistryFacts {
        place: services.registry_place.clone(),
        version: None,
        digest: publish::digest(bundle).ok().filter(|_| !bundle.is_empty()),
        existed: false,
        aliases: Vec::new(),
        not_published: Some(why),
        not_promoted: None,
    }
}
