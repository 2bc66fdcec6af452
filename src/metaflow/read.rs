//! Reads a run's datastore; the edge to the file system: no link is followed, every file and count has a limit.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value as Json;
use sha1::{Digest as _, Sha1};

use super::state::{self, Card, Flow, Graph, Task};
use crate::pickle::{self, Limits};
use crate::sys::{self, FileError, FileKind};

const STORE: &str = ".metaflow";
const CARDS: &str = "mf.cards";
/// Of a file that Metaflow writes about a task.
const MAX_JSON: u64 = 4 << 20;
const MAX_STDERR: u64 = 4 << 20;
/// Of an artifact that is decoded, packed and unpacked: metrics, parameters, the graph.
const MAX_ARTIFACT: u64 = 2 << 20;
const MAX_STEPS: usize = 1000;
const MAX_TASKS: usize = 20_000;
const MAX_CARDS: usize = 64;
const MAX_FAILURES: usize = 8;
const MAX_ATTEMPTS: usize = 100;
const MAX_PARAMETERS: usize = 100;

const PLAIN: Limits = Limits {
    size_bytes: 2 << 20,
    unpacked_bytes: 2 << 20,
    n_opcodes: 1_000_000,
    n_values: 200_000,
    n_parts: 1,
};

/// Why nothing is known of a run.
#[derive(Debug, thiserror::Error)]
pub enum MetaflowError {
    #[error("the flow did not begin: it left no `{0}`, and its output says why")]
    NotBegun(&'static str),
    #[error("`{file}` does not say what Metaflow writes there")]
    Malformed { file: String },
    #[error("the run has more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error("the datastore of the run can not be read")]
    File(#[source] FileError),
}

/// What the run in `folder` came to; [`command`](super::command) made it there. `metrics` is the artifact of its metrics.
pub fn read(folder: &Path, metrics: &str) -> Result<Flow, MetaflowError> {
    let (name, run_id) = identity(folder)?;
    let run = [STORE, name.as_str(), run_id.as_str()];
    let tags = optional(folder, &joined(&run, &["_meta", "_self.json"]), MAX_JSON)
        .and_then(|bytes| state::parse_self(&bytes))
        .map(|(_, tags)| tags)
        .unwrap_or_default();
    let tasks = tasks(folder, &run)?;
    let store = Store { folder, flow: &name };
    let graph = tasks
        .iter()
        .find_map(|task| store.value(task.data.objects.get("_graph_info")?).ok())
        .map_or_else(Graph::default, |info| state::graph(&info));
    let last = state::last_task(&tasks, &graph);
    let mut flow = Flow {
        tags,
        is_successful: state::is_successful(&tasks, &graph),
        steps: state::steps(&tasks, &graph),
        failures: tasks
            .iter()
            .filter(|task| !task.is_ok())
            .take(MAX_FAILURES)
            .map(state::failure)
            .collect(),
        metrics: BTreeMap::new(),
        metrics_note: None,
        is_undecodable: false,
        parameters: parameters(&store, &run, &graph),
        artifacts: last.map(|task| task.data.artifacts.clone()).unwrap_or_default(),
        cards: cards(folder, &name, &run_id)?,
        edges: graph.edges,
        name: name.clone(),
        run_id,
    };
    match last.and_then(|task| task.data.objects.get(metrics)) {
        None => flow.metrics_note = Some(format!("the flow has no artifact `{metrics}`")),
        Some(sha) => match store.value(sha) {
            Ok(value) => (flow.metrics, flow.metrics_note) = state::numbers(&value),
            Err(why) => {
                flow.metrics_note = Some(format!("`{metrics}` can not be decoded: {why}"));
                flow.is_undecodable = true;
            }
        },
    }
    Ok(flow)
}

/// The names of flow and run, as the run wrote them down when it began.
fn identity(folder: &Path) -> Result<(String, String), MetaflowError> {
    const FILE: &str = "run.json";
    let bytes = match sys::read_beneath(folder, &[FILE], MAX_JSON) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Err(MetaflowError::NotBegun(FILE)),
        Err(error) => return Err(MetaflowError::File(error)),
    };
    let malformed = || MetaflowError::Malformed { file: FILE.to_owned() };
    let said: Json = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
    let name_of = |key: &str| {
        let text = said.get(key).and_then(Json::as_str).unwrap_or_default();
        is_name(text).then(|| text.to_owned()).ok_or_else(malformed)
    };
    Ok((name_of("flow_name")?, name_of("run_id")?))
}

/// One part of a path that means nothing else: letters, digits, `_` and `-`.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn joined<'a>(base: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    [base, rest].concat()
}

/// What is not there, or not as it should be, is not known.
fn optional(folder: &Path, parts: &[&str], limit_bytes: u64) -> Option<Vec<u8>> {
    sys::read_beneath(folder, parts, limit_bytes).ok()
}

/// The names of one kind in a directory that no link leads to; none if it is not there.
fn names(folder: &Path, parts: &[&str], kind: FileKind) -> Result<Vec<String>, MetaflowError> {
    let mut place = folder.to_owned();
    for part in parts {
        place.push(part);
        if sys::kind(&place).map_err(MetaflowError::File)? != Some(FileKind::Directory) {
            return Ok(Vec::new());
        }
    }
    let listed = sys::list(&place).map_err(MetaflowError::File)?;
    Ok(listed
        .into_iter()
        .filter(|entry| entry.kind == kind)
        .filter_map(|entry| entry.name.into_string().ok())
        .collect())
}

fn tasks(folder: &Path, run: &[&str]) -> Result<Vec<Task>, MetaflowError> {
    let mut tasks = Vec::new();
    let steps = names(folder, run, FileKind::Directory)?;
    if steps.len() > MAX_STEPS {
        return Err(MetaflowError::TooMany {
            what: "steps",
            limit: MAX_STEPS,
        });
    }
    for step in steps.iter().filter(|step| !step.starts_with('_') && is_name(step)) {
        let ids = names(folder, &joined(run, &[step]), FileKind::Directory)?;
        for id in ids.iter().filter(|id| !id.starts_with('_') && is_name(id)) {
            if tasks.len() == MAX_TASKS {
                return Err(MetaflowError::TooMany {
                    what: "tasks",
                    limit: MAX_TASKS,
                });
            }
            tasks.push(task(folder, run, step, id)?);
        }
    }
    tasks.sort_by_key(|task| (task.start_ms, task.id.len(), task.id.clone()));
    Ok(tasks)
}

fn task(folder: &Path, run: &[&str], step: &str, id: &str) -> Result<Task, MetaflowError> {
    let here = joined(run, &[step, id]);
    let meta = joined(&here, &["_meta"]);
    let mut task = Task {
        step: step.to_owned(),
        id: id.to_owned(),
        start_ms: optional(folder, &joined(&meta, &["_self.json"]), MAX_JSON)
            .and_then(|bytes| state::parse_self(&bytes))
            .map(|(ms, _)| ms),
        ..Task::default()
    };
    let attempts = names(folder, &here, FileKind::File)?;
    task.last_attempt = attempts
        .iter()
        .filter_map(|name| name.strip_suffix(".attempt.json")?.parse().ok())
        .filter(|attempt| *attempt < MAX_ATTEMPTS as u64)
        .max()
        .unwrap_or(0);
    let said = names(folder, &meta, FileKind::File)?;
    for name in said
        .iter()
        .filter(|name| name.starts_with("sysmeta_attempt_ok_"))
        .take(MAX_ATTEMPTS)
    {
        let bytes = optional(folder, &joined(&meta, &[name]), MAX_JSON);
        if let Some((attempt, is_ok, ms)) = bytes.and_then(|bytes| state::parse_attempt_ok(&bytes)) {
            task.ended.insert(attempt, (is_ok, ms));
        }
    }
    let data = format!("{}.data.json", task.last_attempt);
    task.data = optional(folder, &joined(&here, &[&data]), MAX_JSON)
        .and_then(|bytes| state::parse_data(&bytes))
        .unwrap_or_default();
    if !task.is_ok() {
        let stderr = format!("{}.runtime_stderr.log", task.last_attempt);
        task.stderr = optional(folder, &joined(&here, &[&stderr]), MAX_STDERR)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default();
    }
    Ok(task)
}

/// Where the contents of artifacts are, by the SHA-1 of their pickles.
struct Store<'a> {
    folder: &'a Path,
    flow: &'a str,
}

impl Store<'_> {
    /// A plain value; anything else is an explanation.
    fn value(&self, sha: &str) -> Result<Json, String> {
        if sha.len() != 40 || !sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("its place is not named as Metaflow names them".to_owned());
        }
        let parts = [STORE, self.flow, "data", &sha[..2], sha];
        let packed = sys::read_beneath(self.folder, &parts, MAX_ARTIFACT).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        MultiGzDecoder::new(packed.as_slice())
            .take(MAX_ARTIFACT + 1)
            .read_to_end(&mut bytes)
            .map_err(|_| "it is not packed as Metaflow packs them".to_owned())?;
        if bytes.len() as u64 > MAX_ARTIFACT {
            return Err(format!("it unpacks to more than {MAX_ARTIFACT} bytes"));
        }
        let found = Sha1::digest(&bytes)
            .iter()
            .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        if !found.eq_ignore_ascii_case(sha) {
            return Err("its content is not what it was when it was kept".to_owned());
        }
        pickle::plain(&bytes, &PLAIN).map_err(|error| error.to_string())
    }
}

fn parameters(store: &Store<'_>, run: &[&str], graph: &Graph) -> BTreeMap<String, Json> {
    let path = joined(run, &["_parameters", "0", "0.data.json"]);
    let data = optional(store.folder, &path, MAX_JSON).and_then(|bytes| state::parse_data(&bytes));
    let objects = data.map(|data| data.objects).unwrap_or_default();
    let named = graph.parameters.iter().take(MAX_PARAMETERS);
    named
        .filter_map(|name| Some((name.clone(), store.value(objects.get(name)?).ok()?)))
        .collect()
}

/// Where Metaflow keeps pages depends on its version and on whether it is told a place.
fn cards(folder: &Path, flow: &str, run_id: &str) -> Result<Vec<Card>, MetaflowError> {
    let mut cards = Vec::new();
    for root in [&[CARDS][..], &[STORE, CARDS], &[STORE]] {
        let steps_place = joined(root, &[flow, "runs", run_id, "steps"]);
        for step in names(folder, &steps_place, FileKind::Directory)?.iter().take(MAX_STEPS) {
            let tasks_place = joined(&steps_place, &[step, "tasks"]);
            for task in names(folder, &tasks_place, FileKind::Directory)?.iter().take(MAX_TASKS) {
                let place = joined(&tasks_place, &[task, "cards"]);
                for name in names(folder, &place, FileKind::File)? {
                    if cards.len() == MAX_CARDS {
                        return Ok(cards);
                    }
                    if is_page(&name) && is_name(step) && is_name(task) {
                        let path = place.iter().fold(folder.to_owned(), |path, part| path.join(part));
                        cards.push(Card {
                            step: step.clone(),
                            task: task.clone(),
                            path: path.join(name),
                        });
                    }
                }
            }
        }
    }
    Ok(cards)
}

fn is_page(name: &str) -> bool {
    name.strip_suffix(".html").is_some_and(is_name)
}
