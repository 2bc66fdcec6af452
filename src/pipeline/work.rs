//! How a command, a notebook or a flow of the repository is run, and what is known of it afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::exec::User;
use crate::facts::{FlowFacts, FlowStep, NotebookFacts};
use crate::metaflow::{self, Flow, Invocation};
use crate::sys::{self, FileError};
use crate::train::Work;

/// What a flow keeps its metrics in.
const METRICS: &str = "metrics";
/// A flow's file that is larger is not looked at for its decorators.
const MAX_SOURCE: u64 = 1 << 20;
/// A `foreach` over more than this is somebody's mistake.
const MAX_SPLITS: usize = 10_000;

/// What is run.
#[derive(Debug)]
pub struct Launch {
    /// For `sh -c`.
    pub command: String,
    /// What goes over the environment of other commands.
    pub env: BTreeMap<String, String>,
    pub after: After,
}

/// What is looked at once it has ended.
#[derive(Debug)]
pub enum After {
    Nothing,
    Flow { folder: PathBuf },
}

/// What is known of it afterwards.
#[derive(Debug, Default)]
pub struct Looked {
    pub flow: Option<FlowFacts>,
    pub notebook: Option<NotebookFacts>,
    /// Numbers that it kept by name.
    pub metrics: BTreeMap<String, f64>,
    /// Why it was no success although its command exited with 0.
    pub failure: Option<String>,
}

/// Where and for whom something is run.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    pub root: &'a Path,
    /// Empty, and the user's.
    pub folder: &'a Path,
    pub user: Option<User>,
    /// Kept with a flow's run.
    pub tags: &'a [String],
    /// Of a pull request, for flows of a project.
    pub branch: Option<&'a str>,
}

/// What is run for a piece of work with these parameters.
pub fn launch(work: &Work, params: &Map<String, Value>, place: Where<'_>) -> Result<Launch, FileError> {
    match work {
        Work::Command(text) => Ok(Launch {
            command: text.clone(),
            env: BTreeMap::new(),
            after: After::Nothing,
        }),
        Work::Metaflow(file) => flow(file, params, place),
        Work::Notebook(file) => notebook(file, params, place),
    }
}

fn flow(file: &str, params: &Map<String, Value>, place: Where<'_>) -> Result<Launch, FileError> {
    let folder = sys::private_dir(place.folder, &["flow"], place.user.map(User::owner))?;
    let source = sys::inside(place.root, &place.root.join(file)).and_then(|path| sys::read_text(&path, MAX_SOURCE));
    let branch = place.branch.map(metaflow::branch_name);
    let branch = branch.as_deref().filter(|_| source.is_ok_and(|source| metaflow::is_project(&source)));
    let parameters: Vec<(String, String)> = params.iter().map(|(name, value)| (name.clone(), shown(value))).collect();
    let command = metaflow::command(&Invocation {
        file,
        parameters: &parameters,
        tags: place.tags,
        branch,
        max_workers: std::thread::available_parallelism().map_or(1, usize::from),
        max_splits: MAX_SPLITS,
        folder: &folder,
    });
    Ok(Launch {
        command: command.text,
        env: command.env,
        after: After::Flow { folder },
    })
}

/// As a command line has it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

/// Looks at what was left.
pub fn look(after: &After) -> Looked {
    match after {
        After::Nothing => Looked::default(),
        After::Flow { folder } => match metaflow::read(folder, METRICS) {
            Ok(flow) => of_flow(flow),
            Err(error) => Looked {
                failure: Some(super::chain(&error)),
                ..Looked::default()
            },
        },
    }
}

fn of_flow(flow: Flow) -> Looked {
    let failure = flow.failures.first().map(|failure| {
        let error = failure.error.as_deref().unwrap_or("it did not end");
        format!("step `{}` failed: {error}", failure.step)
    });
    let failure = match (flow.is_successful, failure) {
        (true, _) => None,
        (false, Some(failure)) => Some(failure),
        (false, None) => Some("the flow did not come to its end".to_owned()),
    };
    let facts = FlowFacts {
        name: flow.name,
        run_id: flow.run_id,
        is_successful: flow.is_successful,
        steps: flow
            .steps
            .into_iter()
            .map(|step| FlowStep {
                name: step.name,
                n_tasks: step.n_tasks,
                n_failed: step.n_failed,
                n_retries: step.n_retries,
                seconds: step.seconds,
            })
            .collect(),
        edges: flow.edges.into_iter().map(|edge| (edge.from, edge.to)).collect(),
        failures: flow
            .failures
            .into_iter()
            .map(|failure| (failure.step, failure.error.unwrap_or_default()))
            .collect(),
        note: flow.metrics_note,
    };
    Looked {
        flow: Some(facts),
        notebook: None,
        metrics: flow.metrics,
        failure,
    }
}
