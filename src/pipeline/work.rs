//! How a command, a notebook or a flow of the repository is run, and what is known of it afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use crate::exec::User;
use crate::facts::{FlowFacts, FlowStep, NotebookFacts};
use crate::metaflow::{self, Flow, Invocation};
use crate::notebook::{self, NotebookError, ParamValue};
use crate::sys::{self, FileError};
use crate::train::Work;

use super::Services;
use super::store::{StoreError, own_directory};

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
    Notebook { executed: PathBuf, original: Vec<u8> },
}

/// Why it can not be run.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("`{file}` can not be executed")]
    Notebook {
        file: String,
        #[source]
        source: NotebookError,
    },
}

/// What is known of it afterwards.
#[derive(Debug, Default)]
pub struct Looked {
    pub flow: Option<FlowFacts>,
    pub notebook: Option<NotebookFacts>,
    /// Numbers that it kept by name.
    pub metrics: BTreeMap<String, f64>,
    /// What tells the metrics that could not be read, if it is run.
    pub undecoded: Option<metaflow::Command>,
    /// Why it was no success although its command exited with 0.
    pub failure: Option<String>,
}

/// Where and for whom something is run.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    pub root: &'a Path,
    /// Empty, and the user's.
    pub folder: &'a WorkFolder,
    /// Kept with a flow's run.
    pub tags: &'a [String],
    /// Of a pull request, for flows of a project.
    pub branch: Option<&'a str>,
}

/// A folder for what commands leave us: theirs, in a place that they can not turn elsewhere.
///
/// They may write around it as they like, so every way into it begins at `root` and follows no link.
#[derive(Debug, Clone)]
pub struct WorkFolder {
    /// Nobody but us and the runner decides where this is.
    pub root: PathBuf,
    pub below: Vec<String>,
    pub user: Option<User>,
}

impl WorkFolder {
    pub fn path(&self) -> PathBuf {
        self.below.iter().fold(self.root.clone(), |path, part| path.join(part))
    }

    #[must_use]
    pub fn inside(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.below.push(name.to_owned());
        inner
    }

    fn components(&self) -> Vec<&str> {
        self.below.iter().map(String::as_str).collect()
    }

    pub fn make(&self) -> Result<PathBuf, FileError> {
        sys::private_dir(&self.root, &self.components(), self.user.map(User::owner))
    }

    /// Makes a file that the commands can read, or execute.
    pub fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<PathBuf, FileError> {
        let mut components = self.components();
        components.push(name);
        sys::write_beneath(&self.root, &components, bytes, mode)
    }
}

/// An empty folder of this name.
pub fn fresh(services: &Services, name: &str) -> Result<WorkFolder, StoreError> {
    if services.temp.is_none() {
        own_directory(&services.root)?;
    }
    let folder = services.work.inside(name);
    sys::private_dir_anew(&folder.root, &folder.components(), folder.user.map(User::owner))?;
    Ok(folder)
}

/// What is run for a piece of work with these parameters, for at most `timeout`.
pub fn launch(
    work: &Work,
    params: &Map<String, Value>,
    place: Where<'_>,
    timeout: Duration,
) -> Result<Launch, WorkError> {
    match work {
        Work::Command(text) => Ok(Launch {
            command: text.clone(),
            env: BTreeMap::new(),
            after: After::Nothing,
        }),
        Work::Metaflow(file) => Ok(flow(file, params, place)?),
        Work::Notebook(file) => notebook(file, params, place, timeout),
    }
}

fn flow(file: &str, params: &Map<String, Value>, place: Where<'_>) -> Result<Launch, FileError> {
    let folder = place.folder.inside("flow").make()?;
    let source = sys::inside(place.root, &place.root.join(file)).and_then(|path| sys::read_text(&path, MAX_SOURCE));
    let branch = place.branch.map(metaflow::branch_name);
    let branch = branch
        .as_deref()
        .filter(|_| source.is_ok_and(|source| metaflow::is_project(&source)));
    let parameters: Vec<(String, String)> = params
        .iter()
        .map(|(name, value)| (name.clone(), shown(value)))
        .collect();
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

/// A notebook saves what it came to this long before its command is stopped.
const SAVING: Duration = Duration::from_secs(10);

fn notebook(file: &str, params: &Map<String, Value>, place: Where<'_>, timeout: Duration) -> Result<Launch, WorkError> {
    let unusable = |source| WorkError::Notebook {
        file: file.to_owned(),
        source,
    };
    let path = sys::inside(place.root, &place.root.join(file))?;
    let original = sys::read(&path, notebook::MAX_BYTES as u64)?;
    let parameters: Vec<(String, ParamValue)> = params
        .iter()
        .map(|(name, value)| (name.clone(), python(value)))
        .collect();
    let prepared = notebook::prepare(&original, &parameters).map_err(unusable)?;
    let folder = place.folder.inside("notebook");
    let executed = folder.make()?.join("executed.ipynb");
    let script = folder.write(notebook::SCRIPT_NAME, notebook::SCRIPT.as_bytes(), 0o644)?;
    let input = folder.write("prepared.ipynb", &prepared, 0o644)?;
    let command = notebook::command(&notebook::Invocation {
        script: &script,
        prepared: &input,
        executed: &executed,
        directory: path.parent().unwrap_or(place.root),
        timeout: timeout.saturating_sub(SAVING).max(Duration::from_secs(1)),
    });
    Ok(Launch {
        command,
        env: BTreeMap::new(),
        after: After::Notebook { executed, original },
    })
}

fn python(value: &Value) -> ParamValue {
    match value {
        Value::Null => ParamValue::None,
        Value::Bool(value) => ParamValue::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => ParamValue::Int(whole),
            (None, Some(value)) => ParamValue::Float(value),
            (None, None) => ParamValue::Text(number.to_string()),
        },
        Value::String(text) => ParamValue::Text(text.clone()),
        Value::Array(items) => ParamValue::List(items.iter().map(python).collect()),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| (name.clone(), python(value)));
            ParamValue::Dict(entries.collect())
        }
    }
}

fn of_notebook(executed: &Path, original: &[u8]) -> Looked {
    let folder = executed.parent().unwrap_or(executed);
    let read = sys::read_beneath(folder, &["executed.ipynb"], notebook::MAX_BYTES as u64);
    // Where it did not even begin, its command says why.
    let Ok(bytes) = read else { return Looked::default() };
    let executed = match notebook::executed(&bytes, original) {
        Ok(executed) => executed,
        Err(error) => {
            return Looked {
                failure: Some(error.to_string()),
                ..Looked::default()
            };
        }
    };
    let failed = executed.failed.map(|cell| {
        let line = cell
            .line
            .map_or_else(String::new, |line| format!(" (line {line} of the file)"));
        (cell.number, format!("{}: {}{line}", cell.ename, cell.evalue))
    });
    Looked {
        failure: match (&failed, executed.stopped) {
            (Some((number, said)), _) => Some(format!("cell {number} failed: {said}")),
            (None, stopped) => stopped,
        },
        notebook: Some(NotebookFacts {
            n_cells: executed.n_cells,
            n_executed: executed.n_begun,
            failed,
        }),
        ..Looked::default()
    }
}

/// Looks at what was left.
pub fn look(after: &After) -> Looked {
    match after {
        After::Nothing => Looked::default(),
        After::Notebook { executed, original } => of_notebook(executed, original),
        After::Flow { folder } => match metaflow::read(folder, METRICS) {
            Ok(flow) => of_flow(flow, folder),
            Err(error) => Looked {
                failure: Some(super::chain(&error)),
                ..Looked::default()
            },
        },
    }
}

fn of_flow(flow: Flow, folder: &Path) -> Looked {
    let undecoded = (flow.is_undecodable && flow.is_successful)
        .then(|| metaflow::fallback(folder, &flow.name, &flow.run_id, METRICS));
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
        undecoded,
        failure,
    }
}
