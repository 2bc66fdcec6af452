//! The steps of a run, each with its event, its outcome and its part of the facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Diagnostic, Task};
use crate::config::Project;
use crate::data::{self, DataError};
use crate::evaluate::{MetricKind, Predictions};
use crate::facts::{Outcome, Step};
use crate::gates::{self, GateResult, GateStatus, Judged, Surroundings};
use crate::sys::{self, Stopwatch};
use crate::track::Content;
use crate::train::{FitError, OwnTrainer, Trainer, estimators_for};

use super::draft::{Draft, beside, chain, default};
use super::learn::{self, Evaluated, Learned, Prepared};
use super::own::{self, OwnError};
use super::predictor::Predictor;
use super::seen::Seen;
use super::{Event, Services, left, past_tests, work};

/// Data that keeps its contract, and the metrics that fit it.
pub struct Ready {
    pub prepared: Arc<Prepared>,
    pub metrics: Arc<[&'static MetricKind]>,
}

/// A model and everything said about it.
pub struct Made {
    pub ready: Ready,
    pub model: Arc<Predictor>,
    /// The model as it is saved.
    pub bytes: Vec<u8>,
    /// What the repository's own trainer left beside its predictions.
    pub left: BTreeMap<String, Content>,
    pub seen: Arc<Seen>,
    pub evaluated: Arc<Evaluated>,
    /// What models of the same training with other seeds say about the held-out rows.
    pub repeats: Arc<[Predictions]>,
}

/// The lint and test gates, one after the other: both may write to the same files.
///
/// What the tests came to is kept for the next comparison where `keeps` says so.
pub async fn command_gates(project: &Project, services: &Services, keeps: bool) -> Vec<(Step, GateResult)> {
    let mut done = Vec::new();
    if project.gates.lint.is_none() && project.gates.test.is_none() {
        return done;
    }
    let reports = work::fresh(services, "reports")
        .inspect_err(|error| tracing::warn!(%error, "tests can not leave reports"))
        .ok()
        .map(|folder| folder.path());
    let root = sys::absolute(&services.root).unwrap_or_else(|_| services.root.clone());
    let base = past_tests::load(&services.root);
    for (name, gate) in [("lint", &project.gates.lint), ("test", &project.gates.test)] {
        let Some(gate) = gate else { continue };
        services.tell(Event::StepStarted { step: name });
        let watch = Stopwatch::start();
        let mut on_line = |line: &str| {
            services.tell(Event::Output {
                step: name,
                line: line.to_owned(),
            });
        };
        let around = Surroundings {
            cwd: &root,
            env: &services.child_env,
            user: services.child_user,
            sandbox: &services.sandbox,
            reports: reports.as_deref(),
            changed: services.changed.as_ref().map(|changed| (changed, gate.filter)),
            base: &base,
        };
        let Judged { mut result, suites } =
            gates::run_commands(name, &gate.commands, gate.timeout, around, &mut on_line).await;
        if keeps && let Err(error) = past_tests::keep(&services.root, &suites) {
            tracing::warn!(%error, "what the tests came to is not kept");
        }
        result.span = result.span.or(Some(gate.span));
        let outcome = if result.status == GateStatus::Fail {
            Outcome::Failed
        } else {
            Outcome::Done
        };
        let elapsed_ms = watch.elapsed_ms();
        let detail = (outcome == Outcome::Failed).then(|| result.reason.clone());
        services.tell(Event::StepFinished {
            step: name,
            outcome,
            detail: detail.clone(),
            elapsed_ms,
        });
        done.push((
            Step {
                name: name.to_owned(),
                outcome,
                detail,
                elapsed_ms,
            },
            result,
        ));
    }
    done
}

/// The data step. `None`: there is nothing to learn from, and the draft says why.
pub async fn prepare(draft: &mut Draft, project: &Arc<Project>, services: &Services) -> Option<Arc<Prepared>> {
    services.tell(Event::StepStarted { step: "data" });
    let watch = Stopwatch::start();
    let (root, of, now) = (services.root.clone(), Arc::clone(project), services.now);
    let prepared = match beside(move || learn::prepare(&root, &of, now)).await {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(DataError::Problems(problems))) => {
            let first = problems
                .iter()
                .next()
                .map_or_else(|| "no reason given".to_owned(), |d| d.message.clone());
            draft.facts.reason = format!("the data can not be used: {first}");
            draft.problems.extend(problems);
            draft.step(services, "data", Outcome::Failed, Some(first), watch.elapsed_ms());
            return None;
        }
        Ok(Err(error @ DataError::File(_))) => {
            let detail = chain(&error);
            draft.facts.reason = format!("the data could not be read: {detail}");
            draft.step(services, "data", Outcome::Error, Some(detail), watch.elapsed_ms());
            return None;
        }
        Err(panic) => {
            draft.facts.reason = format!("reading the data stopped: {panic}");
            draft.step(services, "data", Outcome::Error, Some(panic), watch.elapsed_ms());
            return None;
        }
    };
    draft.problems.extend(prepared.warnings.clone());
    draft
        .facts
        .defaults
        .extend(prepared.defaults.iter().map(|(key, value)| default(key, value)));
    draft.facts.data = Some(prepared.facts.clone());
    let broken = !prepared.facts.violations.is_empty();
    let (n_rows, n_columns) = (prepared.frame.n_rows(), prepared.frame.columns().len());
    let detail = Some(format!("{n_rows} rows, {n_columns} columns of {}", prepared.files));
    let outcome = if broken { Outcome::Failed } else { Outcome::Done };
    draft.step(services, "data", outcome, detail, watch.elapsed_ms());
    Some(Arc::new(prepared))
}

/// The data, checked against its contract and the metrics. `None`: nothing may train on it, and the draft says why.
pub async fn ready(draft: &mut Draft, project: &Arc<Project>, services: &Services) -> Option<Ready> {
    let prepared = prepare(draft, project, services).await?;
    let metrics: Arc<[&'static MetricKind]> = match learn::metrics(project, prepared.task) {
        Ok(metrics) => metrics.into(),
        Err(problems) => {
            let why = "the configuration asks for metrics that do not fit the task";
            why.clone_into(&mut draft.facts.reason);
            draft.problems.extend(problems);
            draft.step(services, "train", Outcome::Skipped, Some(why.to_owned()), 0);
            return None;
        }
    };
    if project.evaluate.metrics.is_empty() {
        let names = metrics.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ");
        draft.facts.defaults.push(default("evaluate.metrics", &names));
    }
    if let Some(violation) = prepared.facts.violations.first() {
        draft.facts.reason = format!("the data contract is broken: {}", violation.message);
        let why = "nothing trains on data that breaks its contract".to_owned();
        draft.step(services, "train", Outcome::Skipped, Some(why), 0);
        return None;
    }
    Some(Ready { prepared, metrics })
}

/// Training and evaluation. `None`: there is no challenger, and the draft says why.
pub async fn learn_model(draft: &mut Draft, project: &Arc<Project>, services: &Services, ready: Ready) -> Option<Made> {
    services.tell(Event::StepStarted { step: "train" });
    let learned = match &project.train.trainer {
        Trainer::BuiltIn(_) => fit(draft, project, services, &ready).await?,
        Trainer::Own(own) => trained_by_them(draft, project, services, &ready, own).await?,
    };
    let seen = Seen::of(&ready.prepared.frame, &learned.model, &ready.prepared.partition.train);
    let made = Challenger {
        model: Arc::new(learned.model),
        bytes: learned.bytes,
        seen,
        left: learned.left,
        predictions: learned.predictions,
        repeats: learned.repeats,
    };
    evaluate(draft, project, services, ready, made).await
}

/// Fits a built-in estimator.
async fn fit(draft: &mut Draft, project: &Arc<Project>, services: &Services, ready: &Ready) -> Option<Learned> {
    let watch = Stopwatch::start();
    let (root, of, with) = (services.root.clone(), Arc::clone(project), Arc::clone(&ready.prepared));
    let (now, program_version) = (services.now.to_string(), draft.facts.program_version.clone());
    let run = services.run.clone();
    let learning = move || {
        let estimator = of.train.trainer.built_in()?;
        Some(learn::learn(
            &root,
            &of,
            estimator,
            &with,
            &now,
            run.as_ref(),
            &program_version,
        ))
    };
    let learned = match beside(learning).await.map(Option::transpose) {
        Ok(Ok(learned)) => learned?,
        Ok(Err(error)) => {
            let detail = chain(&error);
            draft.facts.reason = format!("training failed: {detail}");
            if let Some(problem) = unfit(&error, project, &ready.prepared) {
                draft.problems.push(problem);
            }
            draft.step(services, "train", Outcome::Failed, Some(detail), watch.elapsed_ms());
            return None;
        }
        Err(panic) => {
            draft.facts.reason = format!("training stopped: {panic}");
            draft.step(services, "train", Outcome::Error, Some(panic), watch.elapsed_ms());
            return None;
        }
    };
    let (outcome, detail) = match &learned.facts.reused_from {
        Some(from) => (Outcome::Reused, format!("nothing changed since {from}")),
        None => (Outcome::Done, format!("`{}`", learned.facts.estimator)),
    };
    draft.facts.training = Some(learned.facts.clone());
    draft.step(services, "train", outcome, Some(detail), watch.elapsed_ms());
    Some(learned)
}

/// Runs the repository's own trainer, and takes what it left.
async fn trained_by_them(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    ready: &Ready,
    own: &OwnTrainer,
) -> Option<Learned> {
    let watch = Stopwatch::start();
    let desk = match own::lay_out(services, project, &ready.prepared, own) {
        Ok(desk) => desk,
        Err(error) => {
            let detail = chain(&error);
            draft.facts.reason = format!("there is no place for what training leaves: {detail}");
            draft.step(services, "train", Outcome::Error, Some(detail), watch.elapsed_ms());
            return None;
        }
    };
    let commit = draft.facts.commit.clone();
    let ran = match own::run(services, own, &desk, commit.as_deref()).await {
        Ok(ran) => ran,
        Err(error) => {
            let detail = chain(&error);
            draft.facts.reason = format!("training could not begin: {detail}");
            draft.step(services, "train", Outcome::Error, Some(detail), watch.elapsed_ms());
            return None;
        }
    };
    if let Some(why) = ran.failure() {
        draft.facts.reason = format!("training failed: {why}");
        draft.facts.trainer_failed = Some(ran.facts(own));
        draft.step(services, "train", Outcome::Failed, Some(why), watch.elapsed_ms());
        return None;
    }
    let (of, with) = (Arc::clone(project), Arc::clone(&ready.prepared));
    let taking = move || match &of.train.trainer {
        Trainer::Own(own) => Some(own::take(&of, &with, own, &desk, &ran)),
        Trainer::BuiltIn(_) => None,
    };
    let made = match beside(taking).await {
        Ok(Some(Ok(made))) => made,
        Ok(None) => return None,
        Ok(Some(Err(error))) => {
            let detail = chain(&error);
            draft.facts.reason = format!("training left no model that can be used: {detail}");
            let outcome = if let OwnError::Left { .. } = &error {
                let problem = Diagnostic::error("unusable-output", detail.clone()).at(project.train.span);
                draft.problems.push(problem);
                Outcome::Failed
            } else {
                Outcome::Error
            };
            draft.step(services, "train", outcome, Some(detail), watch.elapsed_ms());
            return None;
        }
        Err(panic) => {
            draft.facts.reason = format!("reading what training left stopped: {panic}");
            draft.step(services, "train", Outcome::Error, Some(panic), watch.elapsed_ms());
            return None;
        }
    };
    draft.facts.alerts.extend(made.alerts);
    draft.facts.training = Some(made.facts.clone());
    let detail = Some(format!("`{}`", made.facts.estimator));
    draft.step(services, "train", Outcome::Done, detail, watch.elapsed_ms());
    Some(Learned {
        model: Predictor::Own(Box::new(made.model)),
        bytes: made.bytes,
        facts: made.facts,
        left: made.files,
        predictions: Some(made.predictions),
        repeats: Vec::new(),
    })
}

/// A model that is about to be judged.
pub struct Challenger {
    pub model: Arc<Predictor>,
    pub bytes: Vec<u8>,
    pub seen: Seen,
    pub left: BTreeMap<String, Content>,
    /// What it said about the held-out rows when it was made.
    pub predictions: Option<Predictions>,
    /// What models of the same training with other seeds say about them.
    pub repeats: Vec<Predictions>,
}

/// What the repository can do about an error of fitting, and where. `None`: it can not know.
pub fn unfit(error: &FitError, project: &Project, prepared: &Prepared) -> Option<Diagnostic> {
    let problem = |code, span| Some(Diagnostic::error(code, chain(error)).at(span));
    match error {
        FitError::WrongTask { task, .. } => {
            let mut help = format!("for {} there is: {}", task.name(), estimators_for(*task).join(", "));
            // Numbers that look like classes may be quantities.
            let quantity = data::check_task(&prepared.frame, &project.data.target, Task::Regression).is_ok();
            if project.data.task.is_none() && *task != Task::Regression && quantity {
                help.push_str("; or say that the target is a quantity: `data.task: regression`");
            }
            problem("wrong-estimator", project.train.span).map(|problem| problem.help(help))
        }
        FitError::Target(_) => problem("unusable-target", project.data.target_span),
        FitError::Data(_) => problem("unusable-data", project.data.source_span),
        FitError::Size(_) => problem("too-large", project.train.span),
        FitError::NotConverged { .. } => None,
    }
}

/// Scores a model on the held-out rows. `None`: it can not be scored, and the draft says why.
pub async fn evaluate(
    draft: &mut Draft,
    project: &Arc<Project>,
    services: &Services,
    ready: Ready,
    challenger: Challenger,
) -> Option<Made> {
    let Challenger {
        model,
        bytes,
        seen,
        left,
        predictions,
        repeats,
    } = challenger;
    services.tell(Event::StepStarted { step: "evaluate" });
    let watch = Stopwatch::start();
    let (of, with, by, one) = (
        Arc::clone(project),
        Arc::clone(&ready.prepared),
        Arc::clone(&ready.metrics),
        Arc::clone(&model),
    );
    let evaluated = match beside(move || learn::evaluate(&of, &with, &one, predictions, &by)).await {
        Ok(Ok(evaluated)) => Arc::new(evaluated),
        Ok(Err(error)) => {
            let detail = chain(&error);
            draft.facts.reason = format!("the model could not be evaluated: {detail}");
            draft.step(services, "evaluate", Outcome::Failed, Some(detail), watch.elapsed_ms());
            return None;
        }
        Err(panic) => {
            draft.facts.reason = format!("evaluation stopped: {panic}");
            draft.step(services, "evaluate", Outcome::Error, Some(panic), watch.elapsed_ms());
            return None;
        }
    };
    draft.facts.evaluation = Some(evaluated.facts.clone());
    hold_claims(draft);
    let detail = format!("{} held-out rows", ready.prepared.partition.test.len());
    draft.step(services, "evaluate", Outcome::Done, Some(detail), watch.elapsed_ms());
    Some(Made {
        ready,
        model,
        bytes,
        left,
        seen: Arc::new(seen),
        evaluated,
        repeats: repeats.into(),
    })
}

/// What the trainer says it reached, against what we measured: a contradiction is called out.
fn hold_claims(draft: &mut Draft) {
    let facts = &mut draft.facts;
    let measured: Vec<(String, Option<f64>)> = facts
        .evaluation
        .iter()
        .flat_map(|evaluation| &evaluation.metrics)
        .map(|metric| (metric.name.clone(), metric.value))
        .collect();
    let Some(own) = facts.training.as_mut().and_then(|training| training.own.as_mut()) else {
        return;
    };
    own.claims = own
        .claims
        .drain(..)
        .map(|claim| left::checked(claim.metric, claim.claimed, &measured))
        .collect();
    let contradicted = own.claims.iter().filter(|claim| claim.agrees == Some(false));
    facts.alerts.extend(contradicted.filter_map(|claim| {
        Some(format!(
            "the trainer claims {} = {}, and its predictions give {:.5}",
            claim.metric, claim.claimed, claim.measured?
        ))
    }));
}
