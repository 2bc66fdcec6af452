//! What the files of a run's datastore say. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value as Json;

use crate::base::clean;

const MAX_SHOWN: usize = 200;
/// Lines at the end of what a failed task wrote.
const MAX_TAIL: usize = 12;

/// A finished run as its datastore tells it. Whether the command ended well is not in there: a run is a success if it is
/// one here and the command exited with 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    pub name: String,
    pub run_id: String,
    pub tags: Vec<String>,
    pub is_successful: bool,
    /// In the order in which they began.
    pub steps: Vec<StepRun>,
    pub edges: Vec<Edge>,
    pub failures: Vec<TaskFailure>,
    /// The numbers of the metrics artifact.
    pub metrics: BTreeMap<String, f64>,
    /// Why there are none, or not all; [`fallback`](super::fallback) may know more where `is_undecodable`.
    pub metrics_note: Option<String>,
    pub is_undecodable: bool,
    pub parameters: BTreeMap<String, Json>,
    /// Of the end, or of the last task that succeeded.
    pub artifacts: Vec<Artifact>,
    pub cards: Vec<Card>,
}

/// All tasks of one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRun {
    pub name: String,
    /// As Metaflow calls it: `start`, `linear`, `split-foreach`, `join`, `end`.
    pub kind: Option<String>,
    /// Where the step is in the flow's file.
    pub line: Option<u64>,
    pub n_tasks: usize,
    /// Tasks whose last attempt did not succeed, or did not end.
    pub n_failed: usize,
    pub n_retries: u64,
    /// From the first beginning to the last end.
    pub seconds: Option<f64>,
    pub first_start_ms: Option<u64>,
    pub last_end_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub is_foreach: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    pub name: String,
    /// As Python calls it.
    pub kind: String,
    /// Before packing.
    pub size_bytes: u64,
}

/// A page that a step made of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    pub step: String,
    pub task: String,
    pub path: std::path::PathBuf,
}

/// A task that did not succeed, in inert text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskFailure {
    pub step: String,
    pub task: String,
    pub attempt: u64,
    /// The last line of its traceback.
    pub error: Option<String>,
    /// Where in a file of the repository it happened, as its traceback has it.
    pub file: Option<String>,
    pub line: Option<u64>,
    pub tail: Vec<String>,
}

/// One task of a run, from its files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Task {
    pub step: String,
    pub id: String,
    pub start_ms: Option<u64>,
    /// What the last attempt kept.
    pub data: Data,
    pub last_attempt: u64,
    /// By attempt: whether it succeeded, and when it said so.
    pub ended: BTreeMap<u64, (bool, u64)>,
    /// What the last attempt wrote to its standard error.
    pub stderr: String,
}

impl Task {
    pub fn is_ok(&self) -> bool {
        self.ended.get(&self.last_attempt).is_some_and(|(is_ok, _)| *is_ok)
    }

    pub fn end_ms(&self) -> Option<u64> {
        self.ended.get(&self.last_attempt).map(|(_, ms)| *ms)
    }
}

/// `A.data.json`: the artifacts of one attempt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Data {
    /// Names and the SHA-1 of their pickles.
    pub objects: BTreeMap<String, String>,
    pub artifacts: Vec<Artifact>,
}

pub fn parse_data(bytes: &[u8]) -> Option<Data> {
    let read: Json = serde_json::from_slice(bytes).ok()?;
    let objects = read.get("objects")?.as_object()?;
    let info = read.get("info").and_then(Json::as_object);
    let artifact = |name: &String| {
        let info = info.and_then(|info| info.get(name));
        let kind = info.and_then(|info| info.get("type")?.as_str()).unwrap_or_default();
        let kind = kind
            .strip_prefix("<class '")
            .and_then(|kind| kind.strip_suffix("'>"))
            .unwrap_or(kind);
        Artifact {
            name: clean(name, MAX_SHOWN),
            kind: clean(kind, MAX_SHOWN),
            size_bytes: info.and_then(|info| info.get("size")?.as_u64()).unwrap_or(0),
        }
    };
    let mut artifacts: Vec<_> = objects
        .keys()
        .filter(|name| !name.starts_with('_'))
        .map(artifact)
        .collect();
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    Some(Data {
        objects: objects
            .iter()
            .filter_map(|(name, sha)| Some((name.clone(), sha.as_str()?.to_owned())))
            .collect(),
        artifacts,
    })
}

/// `_self.json` of a task or a run: when it was made, and the tags that were asked for.
pub fn parse_self(bytes: &[u8]) -> Option<(u64, Vec<String>)> {
    let read: Json = serde_json::from_slice(bytes).ok()?;
    let tags = read.get("tags").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut tags: Vec<_> = tags
        .iter()
        .filter_map(|tag| Some(clean(tag.as_str()?, MAX_SHOWN)))
        .take(100)
        .collect();
    tags.sort();
    Some((read.get("ts_epoch")?.as_u64()?, tags))
}

/// `sysmeta_attempt_ok_*.json`: the attempt, whether it succeeded, and when.
pub fn parse_attempt_ok(bytes: &[u8]) -> Option<(u64, bool, u64)> {
    let read: Json = serde_json::from_slice(bytes).ok()?;
    let attempt = read
        .get("tags")?
        .as_array()?
        .iter()
        .find_map(|tag| tag.as_str()?.strip_prefix("attempt_id:")?.parse().ok())?;
    let is_ok = read.get("value")?.as_str()? == "True";
    Some((attempt, is_ok, read.get("ts_epoch")?.as_u64()?))
}

/// The graph as the flow keeps it with every task.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    pub end_step: Option<String>,
    /// Kind and line of each step.
    pub steps: BTreeMap<String, (String, Option<u64>)>,
    pub edges: Vec<Edge>,
    pub parameters: Vec<String>,
}

pub fn graph(info: &Json) -> Graph {
    let mut graph = Graph {
        end_step: info.get("end_step").and_then(Json::as_str).map(str::to_owned),
        ..Graph::default()
    };
    for (name, step) in info
        .get("steps")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
        .take(1000)
    {
        let name = clean(name, MAX_SHOWN);
        let kind = clean(step.get("type").and_then(Json::as_str).unwrap_or_default(), MAX_SHOWN);
        for next in step
            .get("next")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .take(1000)
        {
            if let Some(next) = next.as_str() {
                graph.edges.push(Edge {
                    from: name.clone(),
                    to: clean(next, MAX_SHOWN),
                    is_foreach: kind.contains("foreach"),
                });
            }
        }
        graph
            .steps
            .insert(name, (kind, step.get("line").and_then(Json::as_u64)));
    }
    let parameters = info.get("parameters").and_then(Json::as_array);
    graph.parameters = parameters
        .into_iter()
        .flatten()
        .filter_map(|parameter| Some(parameter.get("name")?.as_str()?.to_owned()))
        .take(1000)
        .collect();
    graph
}

/// The steps that began, in that order.
pub fn steps(tasks: &[Task], graph: &Graph) -> Vec<StepRun> {
    let names: BTreeSet<&str> = tasks.iter().map(|task| task.step.as_str()).collect();
    let mut steps: Vec<_> = names.into_iter().map(|name| step(name, tasks, graph)).collect();
    steps.sort_by_key(|step| (step.first_start_ms.unwrap_or(u64::MAX), step.name.clone()));
    steps
}

fn step(name: &str, tasks: &[Task], graph: &Graph) -> StepRun {
    let tasks: Vec<_> = tasks.iter().filter(|task| task.step == name).collect();
    let first_start_ms = tasks.iter().filter_map(|task| task.start_ms).min();
    let last_end_ms = tasks.iter().filter_map(|task| task.end_ms()).max();
    let known = graph.steps.get(name);
    let elapsed_ms = first_start_ms
        .zip(last_end_ms)
        .and_then(|(start, end)| end.checked_sub(start));
    StepRun {
        name: clean(name, MAX_SHOWN),
        kind: known.map(|(kind, _)| kind.clone()),
        line: known.and_then(|(_, line)| *line),
        n_tasks: tasks.len(),
        n_failed: tasks.iter().filter(|task| !task.is_ok()).count(),
        n_retries: tasks
            .iter()
            .fold(0, |sum: u64, task| sum.saturating_add(task.last_attempt)),
        seconds: elapsed_ms.map(|ms| ms as f64 / 1e3),
        first_start_ms,
        last_end_ms,
    }
}

/// Every task of the end succeeded, and there is one.
pub fn is_successful(tasks: &[Task], graph: &Graph) -> bool {
    let end = graph.end_step.as_deref().unwrap_or("end");
    let mut ends = tasks.iter().filter(|task| task.step == end).peekable();
    ends.peek().is_some() && ends.all(Task::is_ok)
}

/// Whose artifacts are the run's: the end's, or else those of the task that succeeded last.
pub fn last_task<'a>(tasks: &'a [Task], graph: &Graph) -> Option<&'a Task> {
    let end = graph.end_step.as_deref().unwrap_or("end");
    let ok = || tasks.iter().filter(|task| task.is_ok());
    ok().find(|task| task.step == end)
        .or_else(|| ok().max_by_key(|task| task.end_ms()))
}

pub fn failure(task: &Task) -> TaskFailure {
    let lines: Vec<String> = task
        .stderr
        .lines()
        .map(|line| clean_keeping_indent(without_mark(line)))
        .filter(|line| !line.is_empty())
        .collect();
    let is_error = |line: &&String| !line.starts_with(' ') && line.split(':').next().is_some_and(is_exception);
    let place = lines.iter().rev().find_map(|line| place(line));
    TaskFailure {
        step: clean(&task.step, MAX_SHOWN),
        task: clean(&task.id, MAX_SHOWN),
        attempt: task.last_attempt,
        error: lines.iter().rev().find(is_error).cloned(),
        file: place.as_ref().map(|(file, _)| file.clone()),
        line: place.map(|(_, line)| line),
        tail: lines[lines.len().saturating_sub(MAX_TAIL)..].to_vec(),
    }
}

fn is_exception(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_alphabetic)
        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

/// `[MFLOG|0|TIME|SOURCE|ID]text`.
fn without_mark(line: &str) -> &str {
    let text = line.strip_prefix("[MFLOG|").and_then(|rest| rest.split_once(']'));
    text.map_or(line, |(_, text)| text)
}

fn clean_keeping_indent(line: &str) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let text = clean(line, MAX_SHOWN);
    if text.is_empty() {
        text
    } else {
        format!("{}{text}", " ".repeat(indent.min(16)))
    }
}

/// `File "x.py", line 25, in fit`, unless it is Python's own or a package's.
fn place(line: &str) -> Option<(String, u64)> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let (file, rest) = rest.split_once("\", line ")?;
    let number = rest.split(',').next()?.trim().parse().ok()?;
    let is_theirs = !file.contains("site-packages") && !file.contains("/lib/python") && !file.starts_with('<');
    is_theirs.then(|| (file.to_owned(), number))
}

/// Numbers of a dictionary, and what is to be said of the rest.
pub fn numbers(value: &Json) -> (BTreeMap<String, f64>, Option<String>) {
    let Some(entries) = value.as_object() else {
        return (BTreeMap::new(), Some("it is no dictionary of numbers".to_owned()));
    };
    let mut numbers = BTreeMap::new();
    let mut others = Vec::new();
    for (name, value) in entries.iter().take(10_000) {
        let name = clean(name, MAX_SHOWN);
        match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => {
                numbers.insert(name, number);
            }
            None => others.push(name),
        }
    }
    others.truncate(10);
    let note = (!others.is_empty()).then(|| format!("these are no finite numbers: {}", others.join(", ")));
    (numbers, note)
}
