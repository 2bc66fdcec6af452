//! The step that makes the repository's Python environment, for everything that is run in it.

use crate::base::{Diagnostic, counted};
use crate::config::{EnvironmentChoice, Project};
use crate::environment::{self, Around, EnvironmentError, Fault, Prepared, Settings};
use crate::facts::{EnvironmentFacts, Outcome};
use crate::sys::Stopwatch;
use crate::train::Trainer;

use super::draft::{Draft, chain};
use super::store::StoreError;
use super::{Event, Services, work};

const STEP: &str = "environment";
/// Stand in for tools that are not needed once the environment is there: of `pipenv run pytest` the rest is run in it.
const STAND_INS: [&str; 2] = ["pipenv", "poetry"];

/// There is no environment, and the draft says why.
pub struct None;

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
    match environment::find(&settings, &services.root) {
        Ok(Some(_)) => services.tell(Event::StepStarted { step: STEP }),
        Ok(Option::None) => return Ok(()),
        Err(error) => return Err(failed(draft, services, &error, &watch)),
    }
    let mut on_line = |line: &str| {
        services.tell(Event::Output {
            step: STEP,
            line: line.to_owned(),
        });
    };
    let prepared = match Box::pin(environment::set_up(&settings, &around(services), &mut on_line)).await {
        Ok(Some(prepared)) => prepared,
        Ok(Option::None) => return Ok(()),
        Err(error) => return Err(failed(draft, services, &error, &watch)),
    };
    let before = services.child_env.clone();
    services.child_env.extend(prepared.env.clone());
    if let Err(error) = stand_in(services) {
        tracing::warn!(%error, "`pipenv run` and `poetry run` need their tools");
    }
    let facts = facts(&prepared);
    let detail = told(&facts);
    let outcome = if facts.was_warm { Outcome::Reused } else { Outcome::Done };
    if !facts.is_locked {
        draft.facts.alerts.push(format!(
            "`{}` locks no versions: tomorrow's packages may be others",
            facts.file
        ));
    }
    draft.facts.environment = Some(facts);
    services.environment = Some(prepared.key);
    services.env_before = Some(before);
    draft.step(services, STEP, outcome, Some(detail), watch.elapsed_ms());
    Ok(())
}

/// Leaves in the cache of packages only what is slow to get again, for a workflow that keeps it.
///
/// What is in the environment by now may be anything, and is not run: models are read after this.
pub async fn trim(services: &Services) {
    let Some(env) = &services.env_before else { return };
    let around = Around {
        env,
        ..around(services)
    };
    if let Err(error) = environment::prune_cache(&around, &mut |_| {}).await {
        tracing::debug!(%error, "the cache of packages is as large as it is");
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
fn told(facts: &EnvironmentFacts) -> String {
    let python = facts
        .python
        .as_ref()
        .map_or_else(|| "Python".to_owned(), |version| format!("Python {version}"));
    let packages = facts
        .n_packages
        .map_or_else(String::new, |n| format!(", {}", counted(n, "package")));
    let of = format!("{python}{packages} of `{}`", facts.file);
    if facts.was_warm {
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
