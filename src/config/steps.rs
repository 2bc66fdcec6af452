//! Reads `steps:`, the repository's own steps. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::base::{Diagnostic, Diagnostics, Entry, Fields, Node, Span, Value, shortened};
use crate::steps::{MAX_ITEMS, MAX_RETRIES, Plan, StepSettings, TIMEOUT, Work, Written};

use super::hidden;
use super::values::{Notes, bytes, duration, filled, shown_duration};

/// What a step can be, one of each.
const WORKS: [&str; 3] = ["run", "notebook", "metaflow"];
/// A list of inputs, outputs or needs that is longer is refused.
const MAX_LISTED: usize = 1000;
const MAX_ITEM_BYTES: usize = 1024;
/// Ours and the runner's: what they say is not for a step to say otherwise.
const RESERVED: &[&str] = &["MLOPS_", "GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_"];

/// The plan of the steps; an empty one without the section. `None` if it can not be read.
pub fn read(node: Option<&Node>, notes: &mut Notes) -> Option<Plan> {
    let Some(node) = node else { return Some(Plan::default()) };
    let entries = node.map("steps", &mut notes.problems)?;
    let read: Vec<Option<StepSettings>> = entries.iter().map(|entry| step(entry, notes)).collect();
    let is_whole = read.iter().all(Option::is_some);
    // What can not be read is known by its name all the same, so that the others are held against each other.
    let settings = entries
        .iter()
        .zip(read)
        .map(|(entry, read)| read.unwrap_or_else(|| unread(entry)));
    match Plan::of(&settings.collect::<Vec<_>>()) {
        Ok(plan) => is_whole.then_some(plan),
        Err(problems) => {
            notes.problems.extend(problems);
            None
        }
    }
}

fn unread(entry: &Entry) -> StepSettings {
    StepSettings {
        name: entry.key.clone(),
        span: entry.key_span,
        work: Work::Run { command: String::new() },
        work_span: entry.node.span,
        inputs: Vec::new(),
        outputs: Vec::new(),
        needs: Vec::new(),
        foreach: Vec::new(),
        n_retries: 0,
        timeout: TIMEOUT,
        memory_bytes: None,
        has_network: true,
        env: BTreeMap::new(),
    }
}

fn step(entry: &Entry, notes: &mut Notes) -> Option<StepSettings> {
    let path = format!("steps.{}", shortened(&entry.key));
    let problems = &mut notes.problems;
    let mut fields = Fields::of(&entry.node, &path, problems)?;
    let works = WORKS.map(|key| (key, fields.optional(key)));
    let params_node = fields.optional("params");
    let lists = ["inputs", "outputs", "needs", "foreach"].map(|key| fields.optional(key));
    let retries = fields.optional("retries");
    let timeout = fields.optional("timeout");
    let memory = fields.optional("memory");
    let network = fields.optional("network");
    let env = fields.optional("env");
    fields.finish(problems);

    let n_before = problems.iter().count();
    let name = |key: &str| format!("{path}.{key}");
    let work = work(entry, works, params_node, &path, problems);
    let [inputs, outputs, needs] = [0, 1, 2].map(|at: usize| {
        let key = ["inputs", "outputs", "needs"][at];
        texts(lists[at], &name(key), MAX_LISTED, problems)
    });
    let foreach = items(lists[3], &name("foreach"), problems);
    let n_retries = retries.map_or(Some(0), |node| {
        node.integer_in(&name("retries"), 0..=MAX_RETRIES, problems)
    });
    let limit = timeout.map_or(Some(TIMEOUT), |node| duration(node, &name("timeout"), problems));
    let memory_bytes = memory.map(|node| bytes(node, &name("memory"), problems));
    let has_network = network.map_or(Some(true), |node| node.boolean(&name("network"), problems));
    let env = env.map_or_else(|| Some(BTreeMap::new()), |node| variables(node, &name("env"), problems));
    if timeout.is_none() {
        notes.assume(name("timeout"), shown_duration(TIMEOUT));
    }
    let (work, work_span) = work?;
    let settings = StepSettings {
        name: entry.key.clone(),
        span: entry.key_span,
        work,
        work_span,
        inputs: inputs?,
        outputs: outputs?,
        needs: needs?,
        foreach: foreach?,
        n_retries: u32::try_from(n_retries?).ok()?,
        timeout: limit?,
        memory_bytes: memory_bytes.map_or(Some(None), |found| found.map(Some))?,
        has_network: has_network?,
        env: env?,
    };
    (notes.problems.iter().count() == n_before).then_some(settings)
}

fn work(
    entry: &Entry,
    works: [(&str, Option<&Node>); 3],
    params_node: Option<&Node>,
    path: &str,
    problems: &mut Diagnostics,
) -> Option<(Work, Span)> {
    let written: Vec<(&str, &Node)> = works.into_iter().filter_map(|(key, node)| Some((key, node?))).collect();
    let &[(key, node)] = written.as_slice() else {
        let problem = match written.get(1) {
            None => Diagnostic::error("missing-key", format!("`{path}` does nothing"))
                .at(entry.key_span)
                .help("add `run: COMMAND`, `notebook: FILE.ipynb` or `metaflow: FLOW.py`"),
            Some((second, node)) => Diagnostic::error(
                "conflict",
                format!("`{path}` has both `{}` and `{second}`", written[0].0),
            )
            .at(node.span)
            .help("make two steps of them"),
        };
        problems.push(problem);
        return None;
    };
    let what = format!("{path}.{key}");
    let text = filled(node, &what, problems)?;
    if text.contains('\0') {
        problems.push(
            Diagnostic::error("control-character", format!("`{what}` has a zero byte"))
                .at(node.span)
                .help("remove it"),
        );
        return None;
    }
    let ending = match key {
        "notebook" => ".ipynb",
        "metaflow" => ".py",
        _ => {
            if let Some(params) = params_node {
                problems.push(
                    Diagnostic::error("conflict", format!("`{path}.params` are not for a command"))
                        .at(params.span)
                        .help("write them into `run`, or give them by `env`"),
                );
            }
            return Some((Work::Run { command: text }, node.span));
        }
    };
    if !text.ends_with(ending) {
        problems.push(
            Diagnostic::error(
                "bad-path",
                format!("`{what}` is no `{ending}` file: `{}`", shortened(&text)),
            )
            .at(node.span)
            .help(format!("name a file that ends with `{ending}`")),
        );
        return None;
    }
    let params = params_node.map_or_else(
        || Some(Map::new()),
        |params| parameters(params, &format!("{path}.params"), key == "notebook", problems),
    )?;
    let work = if key == "notebook" {
        Work::Notebook { path: text, params }
    } else {
        Work::Metaflow { path: text, params }
    };
    Some((work, node.span))
}

/// Parameters by name; a flow takes them on its command line, so that there they are single values.
fn parameters(node: &Node, what: &str, nests: bool, problems: &mut Diagnostics) -> Option<Map<String, Json>> {
    let mut params = Map::new();
    let mut is_whole = true;
    for entry in node.map(what, problems)? {
        let name = format!("{what}.{}", shortened(&entry.key));
        is_whole &= is_name(entry, what, "parameter", problems);
        let is_single = !matches!(entry.node.value, Value::List(_) | Value::Map(_) | Value::Null);
        if !nests && !is_single {
            let message = format!(
                "`{name}` must be a text, a number or a boolean, not {}",
                entry.node.kind()
            );
            problems.push(Diagnostic::error("wrong-type", message).at(entry.node.span));
            is_whole = false;
            continue;
        }
        match json(&entry.node, &name, problems) {
            Some(value) => {
                params.insert(entry.key.clone(), value);
            }
            None => is_whole = false,
        }
    }
    is_whole.then_some(params)
}

/// A value as JSON has it; a number that is written as a whole one stays one.
fn json(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Json> {
    match &node.value {
        Value::Null => Some(Json::Null),
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::Number { text, .. } => match text.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => node.number(what, problems).map(Json::from),
        },
        Value::Text(text) => Some(Json::String(text.clone())),
        Value::List(items) => items
            .iter()
            .map(|item| json(item, what, problems))
            .collect::<Option<_>>()
            .map(Json::Array),
        Value::Map(entries) => {
            let pairs = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), json(&entry.node, what, problems)?)));
            pairs.collect::<Option<Map<_, _>>>().map(Json::Object)
        }
    }
}

/// A list of texts with at least one; absent is empty.
fn texts(node: Option<&Node>, what: &str, most: usize, problems: &mut Diagnostics) -> Option<Vec<Written>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let list = listed(node, what, most, problems)?;
    let texts: Vec<Option<Written>> = list
        .iter()
        .map(|item| {
            Some(Written {
                text: filled(item, what, problems)?,
                span: item.span,
            })
        })
        .collect();
    texts.into_iter().collect()
}

/// The items of a `foreach`: any single values, as texts.
fn items(node: Option<&Node>, what: &str, problems: &mut Diagnostics) -> Option<Vec<Written>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let list = listed(node, what, MAX_ITEMS, problems)?;
    let items: Vec<Option<Written>> = list
        .iter()
        .map(|item| {
            let text = match &item.value {
                Value::Bool(value) => value.to_string(),
                _ => item.text(what, problems)?,
            };
            if text.len() > MAX_ITEM_BYTES || text.contains('\0') {
                problems.push(
                    Diagnostic::error(
                        "bad-item",
                        format!("an item of `{what}` is too long or has a zero byte"),
                    )
                    .at(item.span)
                    .help("keep it in a file, and list the file's name"),
                );
                return None;
            }
            Some(Written { text, span: item.span })
        })
        .collect();
    items.into_iter().collect()
}

fn listed<'n>(node: &'n Node, what: &str, most: usize, problems: &mut Diagnostics) -> Option<&'n [Node]> {
    let list = node.list(what, problems)?;
    let problem = if list.is_empty() {
        Diagnostic::error("empty-value", format!("`{what}` is an empty list")).help("list something, or remove the key")
    } else if list.len() > most {
        Diagnostic::error(
            "too-large",
            format!("`{what}` has {} entries, more than {most}", list.len()),
        )
        .help("use patterns, or several steps")
    } else {
        return Some(list);
    };
    problems.push(problem.at(node.span));
    None
}

fn variables(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    let mut is_whole = true;
    for entry in node.map(what, problems)? {
        let name = format!("{what}.{}", shortened(&entry.key));
        is_whole &= is_name(entry, what, "variable", problems);
        let text = match &entry.node.value {
            Value::Bool(value) => Some(value.to_string()),
            _ => entry.node.text(&name, problems),
        };
        let Some(text) = text else {
            is_whole = false;
            continue;
        };
        let problem = if RESERVED.iter().any(|reserved| entry.key.starts_with(reserved)) {
            Diagnostic::error("bad-name", format!("`{name}` is not for a step to set"))
                .at(entry.key_span)
                .help("give it another name")
        } else if hidden::is_key(&text) {
            Diagnostic::error("secret-in-config", format!("`{name}` looks like a key"))
                .at(entry.node.span)
                .help("remove it, and make a new key: who can read this file has read it")
        } else if text.contains('\0') {
            Diagnostic::error("control-character", format!("`{name}` has a zero byte"))
                .at(entry.node.span)
                .help("remove it")
        } else {
            variables.insert(entry.key.clone(), text);
            continue;
        };
        problems.push(problem);
        is_whole = false;
    }
    is_whole.then_some(variables)
}

/// Whether the key is a name that shells and Python take.
fn is_name(entry: &Entry, what: &str, kind: &str, problems: &mut Diagnostics) -> bool {
    let name = &entry.key;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.len() <= 128 && name.chars().all(is_plain) && !name.starts_with(|c: char| c.is_ascii_digit());
    if is_name && !name.is_empty() {
        return true;
    }
    let message = format!("`{}` in `{what}` is not the name of a {kind}", shortened(name));
    problems.push(
        Diagnostic::error("bad-name", message)
            .at(entry.key_span)
            .help("use letters, digits and `_`, and no digit first"),
    );
    false
}
