//! The repository's own steps: run in their order, each only when it is due.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Diagnostic, Digest, clean};
use crate::config::Project;
use crate::exec::{Network, Task, neutralise};
use crate::facts::Outcome;
use crate::steps::{self, Around, StepOutcome, StepStatus, StepTask, StepsError};
use crate::sys::{self, Stopwatch};
use crate::train;

use super::draft::{Draft, chain};
use super::work::{self, Where};
use super::{Event, Services};

const STEP: &str = "steps";
const MAX_LINE: usize = 8 * 1024;
/// Before a failed step is tried again; it doubles.
const PAUSE: Duration = Duration::from_secs(1);

/// Some step did not come to its end, and the draft says which.
pub struct Stopped;

/// Runs the steps, or one and what it needs.
pub async fn run(draft: &mut Draft, project: &Project, services: &Services, only: Option<&str>) -> Result<(), Stopped> {
    if project.steps.is_empty() && only.is_none() {
        return Ok(());
    }
    services.tell(Event::StepStarted { step: STEP });
    let watch = Stopwatch::start();
    match steps::missing_inputs(&project.steps, &services.root) {
        Ok(problems) if problems.has_errors() => {
            let first = problems
                .iter()
                .next()
                .map_or_else(String::new, |problem| problem.message.clone());
            draft.facts.reason = format!("the steps can not run: {first}");
            draft.problems.extend(problems);
            draft.step(services, STEP, Outcome::Failed, Some(first), watch.elapsed_ms());
            return Err(Stopped);
        }
        Ok(warnings) => draft.problems.extend(warnings),
        Err(error) => return Err(could_not(draft, services, &chain(&error), &watch)),
    }
    let around = match around(services) {
        Ok(around) => around,
        Err(why) => return Err(could_not(draft, services, &why, &watch)),
    };
    let outcomes = match steps::run(&project.steps, &around, only).await {
        Ok(outcomes) => outcomes,
        Err(StepsError::Unknown { name, nearest }) => {
            let problem = Diagnostic::error("unknown-step", format!("there is no step `{name}`"));
            let names = project
                .steps
                .steps()
                .iter()
                .map(|step| step.name.clone())
                .collect::<Vec<_>>()
                .join(", ");
            draft.problems.push(match nearest {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the steps are: {names}")),
            });
            draft.facts.reason = format!("there is no step `{name}`");
            draft.step(services, STEP, Outcome::Failed, None, watch.elapsed_ms());
            return Err(Stopped);
        }
        Err(error) => return Err(could_not(draft, services, &chain(&error), &watch)),
    };
    let failed = outcomes.iter().find(|outcome| outcome.status == StepStatus::Failed);
    let failed = failed.map(|outcome| format!("step `{}` failed: {}", shown(outcome), outcome.reason));
    let n_ran = outcomes
        .iter()
        .filter(|outcome| outcome.status == StepStatus::Ran)
        .count();
    let detail = failed.clone().unwrap_or_else(|| match (n_ran, outcomes.len()) {
        (0, _) => "nothing that they depend on changed".to_owned(),
        (n, all) => format!("{n} of {all} were due"),
    });
    draft.facts.workflow = outcomes;
    let outcome = match (&failed, n_ran) {
        (Some(_), _) => Outcome::Failed,
        (None, 0) => Outcome::Reused,
        (None, _) => Outcome::Done,
    };
    draft.step(services, STEP, outcome, Some(detail), watch.elapsed_ms());
    match failed {
        Some(why) => {
            draft.facts.reason = why;
            Err(Stopped)
        }
        None => Ok(()),
    }
}

fn could_not(draft: &mut Draft, services: &Services, why: &str, watch: &Stopwatch) -> Stopped {
    draft.facts.reason = format!("the steps could not be run: {why}");
    draft.step(services, STEP, Outcome::Error, Some(why.to_owned()), watch.elapsed_ms());
    Stopped
}

/// `clean`, or `fold[2017]`.
pub fn shown(outcome: &StepOutcome) -> String {
    match &outcome.item {
        Some(item) => format!("{}[{item}]", outcome.name),
        None => outcome.name.clone(),
    }
}

fn around(services: &Services) -> Result<Around, String> {
    let root = sys::absolute(&services.root).map_err(|error| chain(&error))?;
    let folder = work::fresh(services, STEP).map_err(|error| chain(&error))?;
    let (env, user, sandbox) = (
        services.child_env.clone(),
        services.child_user,
        services.sandbox.clone(),
    );
    let cwd = root.clone();
    let command = move |task: &StepTask| {
        let inner = folder.inside(&task.id());
        inner.make().map_err(|error| chain(&error))?;
        let place = Where {
            root: &cwd,
            folder: &inner,
            tags: &[],
            branch: None,
        };
        let (work, params) = of(&task.work);
        let launch = work::launch(&work, &params, place, task.timeout).map_err(|error| chain(&error))?;
        let mut env = env.clone();
        env.extend(launch.env);
        env.extend(task.env.clone());
        let mut sandbox = sandbox.clone();
        if !task.has_network {
            sandbox.network = Network::None;
        }
        let limits = [task.memory_bytes, sandbox.limits.memory_bytes];
        sandbox.limits.memory_bytes = limits.into_iter().flatten().min();
        Ok(Task {
            command: launch.command,
            cwd: cwd.clone(),
            env,
            timeout: task.timeout,
            user,
            sandbox,
        })
    };
    let events = services.events.clone();
    let on_event = move |event: steps::Event<'_>| {
        let line = match event {
            steps::Event::Started { task, reason } => format!("{}: {reason}", task.id()),
            steps::Event::Output { task, line } => format!("{}: {line}", task.id()),
            steps::Event::Retrying {
                task,
                reason,
                n_attempt,
            } => format!("{}: attempt {n_attempt}, since {reason}", task.id()),
            steps::Event::Finished { outcome } => match outcome.status {
                StepStatus::Failed | StepStatus::Cancelled => format!("{}: {}", shown(outcome), outcome.reason),
                StepStatus::Ran | StepStatus::Skipped | StepStatus::Restored => return,
            },
        };
        // File names and a record's texts are somebody else's.
        let line = neutralise(&clean(&line, MAX_LINE));
        events.send(Event::Output { step: STEP, line }).ok();
    };
    Ok(Around {
        root,
        environment: services.environment.unwrap_or_else(|| Digest::of(b"none")),
        now: services.now,
        n_parallel: std::thread::available_parallelism().map_or(1, usize::from),
        pause: PAUSE,
        command: Arc::new(command),
        on_event: Arc::new(on_event),
    })
}

/// The same as training has it.
fn of(work: &steps::Work) -> (train::Work, serde_json::Map<String, serde_json::Value>) {
    match work {
        steps::Work::Run { command } => (train::Work::Command(command.clone()), serde_json::Map::new()),
        steps::Work::Notebook { path, params } => (train::Work::Notebook(path.clone()), params.clone()),
        steps::Work::Metaflow { path, params } => (train::Work::Metaflow(path.clone()), params.clone()),
    }
}
