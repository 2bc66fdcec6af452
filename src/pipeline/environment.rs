//! The step that makes the repository's Python environment, for everything that is run in it.

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::{Diagnostic, counted};
use crate::config::{EnvironmentChoice, Project};
use crate::environment::{self, Around, EnvironmentError, Fault, Plan, Prepared, Settings};
use crate::facts::{EnvironmentFacts, Outcome};
use crate::sys::Stopwatch;
use crate::train::Trainer;

use super::draft::{Draft, chain};
use super::store::StoreError;
use super::{Event, Services, work};

const STEP: &str = "environment";
const FROM_CACHE: &str = "from the cache of an earlier job";
/// Stand in for tools that are not needed once the environment is there: of `pipenv run pytest` the rest is run in it.
const STAND_INS: [&str; 2] = ["pipenv", "poetry"];

/// There is no environment, and the draft says why.
pub struct None;

/// Where environments of earlier jobs are kept, and this one's for later ones. What is there may be anybody's who can write
/// it; on GitHub that is whoever can push the same branch or the default one.
pub struct Shelf {
    /// What is kept under a key, or why that can not be had.
    pub fetch: Box<dyn Fn(String) -> Fetching + Send + Sync>,
    /// Takes what was made, where this job may keep something.
    pub built: Option<UnboundedSender<Built>>,
    /// What went wrong, for people.
    pub problem: Option<String>,
}

/// On its way.
pub type Fetching = Pin<Box<dyn Future<Output = Result<Option<Vec<u8>>, String>> + Send>>;

/// An environment as it was made, before any command ran in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    pub key: String,
    pub packed: Vec<u8>,
}

/// Makes the environment and puts it around every command that follows; nothing where no command will run, or where the
/// repository describes none.
pub async fn enter(draft: &mut Draft, project: &Project, services: &mut Services) -> Result<(), None> {
    let gates = &project.gates;
    let runs_nothing = gates.lint.is_none()
        && gates.test.is_none()
        && project.steps.is_empty()
        && matches!(project.train.trainer, Trainer::BuiltIn(_));
    if project.environment == EnvironmentChoice::None || runs_nothing {
        return Ok(());
    }
    let watch = Stopwatch::start();
    let settings = Settings {
        may_download_python: may_download(services),
        ..Settings::default()
    };
    let detected = match environment::find(&settings, &services.root) {
        Ok(Some(detected)) => detected,
        Ok(Option::None) => return Ok(()),
        Err(error) => return Err(failed(draft, services, &error, &watch)),
    };
    services.tell(Event::StepStarted { step: STEP });
    let plan = match Box::pin(environment::planned(&detected, &settings, &around(services))).await {
        Ok(plan) => plan,
        Err(error) => return Err(failed(draft, services, &error, &watch)),
    };
    let is_restored = restore(services, &plan).await;
    let mut on_line = |line: &str| {
        services.tell(Event::Output {
            step: STEP,
            line: line.to_owned(),
        });
    };
    let around = around(services);
    let preparing = environment::prepare(&plan, &around, settings.timeout, &mut on_line);
    let mut prepared = match Box::pin(preparing).await {
        Ok(prepared) => prepared,
        Err(error) => return Err(failed(draft, services, &error, &watch)),
    };
    prepared.elapsed = watch.elapsed();
    if is_restored {
        prepared.notes.push(FROM_CACHE.to_owned());
    } else if !prepared.was_warm {
        keep(services, &plan, prepared.elapsed).await;
    }
    services.child_env.extend(prepared.env.clone());
    if let Err(error) = stand_in(services) {
        tracing::warn!(%error, "`pipenv run` and `poetry run` need their tools");
    }
    let facts = facts(&prepared);
    let detail = told(&facts, is_restored);
    let outcome = if facts.was_warm { Outcome::Reused } else { Outcome::Done };
    if !facts.is_locked {
        draft.facts.alerts.push(format!(
            "`{}` locks no versions: tomorrow's packages may be others",
            facts.file
        ));
    }
    draft.facts.environment = Some(facts);
    services.environment = Some(prepared.key);
    draft.step(services, STEP, outcome, Some(detail), watch.elapsed_ms());
    Ok(())
}

/// Puts the environment that an earlier job made where this one wants it. Whether it did; what hinders it is told once.
async fn restore(services: &mut Services, plan: &Plan) -> bool {
    let Some((shelf, key)) = services.shelf.as_ref().zip(environment::key(plan)) else {
        return false;
    };
    if environment::is_there(plan) {
        return false;
    }
    let unpacked = match (shelf.fetch)(key).await {
        Ok(Some(packed)) => environment::unpack(plan, &around(services), packed)
            .await
            .map_err(|error| format!("the environment in the cache can not be used: {}", chain(&error))),
        Ok(Option::None) => return false,
        Err(why) => Err(format!("the environment does not come from the cache: {why}")),
    };
    match unpacked {
        Ok(()) => true,
        Err(problem) => {
            tell_problem(services, problem);
            false
        }
    }
}

/// Passes on what was just made and took so long, before anything can change it.
async fn keep(services: &mut Services, plan: &Plan, took: Duration) {
    let built = services.shelf.as_ref().and_then(|shelf| shelf.built.clone());
    let Some((built, key)) = built.zip(environment::key(plan)) else {
        return;
    };
    match environment::pack(plan, &around(services), took).await {
        // Nobody who waits for it is no trouble.
        Ok(Some(packed)) => drop(built.send(Built { key, packed })),
        Ok(Option::None) => {}
        Err(error) => tell_problem(
            services,
            format!(
                "the environment is not in the cache for the next job: {}",
                chain(&error)
            ),
        ),
    }
}

fn tell_problem(services: &mut Services, problem: String) {
    tracing::debug!(problem, "the cache of environments is of no use");
    if let Some(shelf) = &mut services.shelf {
        shelf.problem.get_or_insert(problem);
    }
}

fn around(services: &Services) -> Around<'_> {
    Around {
        root: &services.root,
        env: &services.child_env,
        user: services.child_user,
        sandbox: &services.sandbox,
        temp: services.temp.as_deref(),
    }
}

/// On a runner a Python that the repository asks for may come from the network; on a laptop its owner is asked to.
fn may_download(services: &Services) -> bool {
    let is_forbidden = services
        .child_env
        .get("UV_PYTHON_DOWNLOADS")
        .is_some_and(|value| value == "never");
    services.temp.is_some() && !is_forbidden
}

fn failed(draft: &mut Draft, services: &Services, error: &EnvironmentError, watch: &Stopwatch) -> None {
    let detail = chain(error);
    draft.facts.reason = format!("there is no environment to run in: {detail}");
    let outcome = match error.fault() {
        Fault::Repository => {
            let mut problem = Diagnostic::error("environment", detail.clone());
            if let Some(file) = error.file() {
                problem = problem.file(file);
            }
            if let Some(help) = error.help() {
                problem = problem.help(help);
            }
            draft.problems.push(problem);
            Outcome::Failed
        }
        Fault::World => Outcome::Error,
    };
    draft.step(services, STEP, outcome, Some(detail), watch.elapsed_ms());
    None
}

fn facts(prepared: &Prepared) -> EnvironmentFacts {
    EnvironmentFacts {
        file: prepared.file.clone(),
        is_locked: prepared.is_locked,
        python: prepared.python.clone(),
        n_packages: prepared.n_packages,
        was_warm: prepared.was_warm,
        elapsed_ms: u64::try_from(prepared.elapsed.as_millis()).unwrap_or(u64::MAX),
        notes: prepared.notes.iter().take(20).cloned().collect(),
    }
}

/// `Python 3.11.2, 30 packages of uv.lock`.
fn told(facts: &EnvironmentFacts, is_restored: bool) -> String {
    let python = facts
        .python
        .as_ref()
        .map_or_else(|| "Python".to_owned(), |version| format!("Python {version}"));
    let packages = facts
        .n_packages
        .map_or_else(String::new, |n| format!(", {}", counted(n, "package")));
    let of = format!("{python}{packages} of `{}`", facts.file);
    if is_restored {
        format!("{of}, {FROM_CACHE}")
    } else if facts.was_warm {
        format!("{of}, there already")
    } else {
        of
    }
}

/// Puts the stand-ins at the end of `PATH`, so that the tools themselves come first.
fn stand_in(services: &mut Services) -> Result<(), StoreError> {
    let folder = work::fresh(services, "bin")?;
    for tool in STAND_INS {
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = run ]; then\n  shift\n  exec \"$@\"\nfi\necho '{tool}: not installed here; the \
             environment of its lock is active, so call programs directly or by `{tool} run`' >&2\nexit 127\n"
        );
        folder.write(tool, script.as_bytes(), 0o755)?;
    }
    let path = services.child_env.entry("PATH".to_owned()).or_default();
    path.push(':');
    path.push_str(&folder.path().to_string_lossy());
    Ok(())
}
