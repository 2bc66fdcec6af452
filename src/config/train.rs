//! Reads `train:` and `evaluate:`. Pure.

use std::collections::HashSet;
use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, Fields, Kind, Node, Span, Task, Value, nearest, shortened};
use crate::evaluate::SliceRule;
use crate::train::{Estimator, OwnTrainer, Trainer, Work};

use super::data::{MAX_SEED, SEED};
use super::metrics;
use super::project::{EvaluateSettings, TrainSettings};
use super::values::{Notes, bytes, duration, filled, shown_duration};

/// What stands for an absent `train.timeout`.
pub const TIMEOUT: Duration = Duration::from_hours(1);

/// What stands for an absent `train.repeats`, and the most.
pub const REPEATS: u64 = 1;
pub const MAX_REPEATS: u64 = 20;

pub fn read(
    node: &Node,
    task: Option<Task>,
    estimators: &[Kind<dyn Estimator>],
    notes: &mut Notes,
) -> Option<TrainSettings> {
    let problems = &mut notes.problems;
    let mut fields = Fields::of(node, "train", problems)?;
    fields.later("search", problems);
    // The repository's own trainer stands for the estimator.
    let own: Vec<(&'static str, &Node)> = ["run", "notebook", "metaflow"]
        .into_iter()
        .filter_map(|key| Some((key, fields.optional(key)?)))
        .collect();
    let name = if own.is_empty() {
        fields.required("estimator", problems)
    } else {
        fields.optional("estimator")
    };
    let params = fields.optional("params");
    let limits = Limits {
        timeout: fields.optional("timeout"),
        memory: fields.optional("memory"),
        network: fields.optional("network"),
    };
    let seed_node = fields.optional("seed");
    let seed = match seed_node {
        Some(node) => node.integer_in("train.seed", 0..=MAX_SEED, problems),
        None => Some(SEED),
    };
    let repeats_node = fields.optional("repeats");
    let repeats = match repeats_node {
        Some(node) => node.integer_in("train.repeats", 1..=MAX_REPEATS, problems),
        None => Some(REPEATS),
    };
    fields.finish(problems);
    if let (false, Some(node), Some(2..)) = (own.is_empty(), repeats_node, repeats) {
        problems.push(
            Diagnostic::error("conflict", "`train.repeats` is for built-in estimators")
                .at(node.span)
                .help("remove `repeats`; your own trainer runs once, and may average over seeds itself"),
        );
    }
    let (trainer, span) = match (own.as_slice(), name) {
        ([], None) => return None,
        ([], Some(name)) => {
            limits.refuse(problems);
            let estimator = estimator(name, params, task, estimators, problems)?;
            assume_params(estimator.as_ref(), params, notes);
            (Trainer::BuiltIn(estimator), name.span)
        }
        ([(key, node)], None) => (Trainer::Own(own_trainer(key, node, params, &limits, notes)?), node.span),
        ([(key, node), ..], other) => {
            let second = other.map(|_| "estimator").or_else(|| own.get(1).map(|(key, _)| *key));
            problems.push(
                Diagnostic::error(
                    "conflict",
                    format!(
                        "`train.{key}` and `train.{}` exclude each other",
                        second.unwrap_or_default()
                    ),
                )
                .at(other.map_or(node.span, |node| node.span))
                .help("keep the one that trains the model"),
            );
            return None;
        }
    };
    if seed_node.is_none() {
        notes.assume("train.seed", SEED.to_string());
    }
    Some(TrainSettings {
        trainer,
        seed: seed?,
        repeats: repeats?,
        span,
    })
}

/// Parameters of an estimator that were not written.
fn assume_params(estimator: &dyn Estimator, params: Option<&Node>, notes: &mut Notes) {
    let written = match params.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    for (param, value) in estimator.params() {
        if !written.iter().any(|entry| entry.key == param) {
            notes.assume(format!("train.params.{param}"), value);
        }
    }
}

/// How far the repository's own trainer may go.
struct Limits<'n> {
    timeout: Option<&'n Node>,
    memory: Option<&'n Node>,
    network: Option<&'n Node>,
}

impl Limits<'_> {
    /// A built-in estimator has none of them.
    fn refuse(&self, problems: &mut Diagnostics) {
        let written = [
            ("timeout", self.timeout),
            ("memory", self.memory),
            ("network", self.network),
        ];
        for (key, node) in written {
            if let Some(node) = node {
                problems.push(
                    Diagnostic::error(
                        "conflict",
                        format!("`train.{key}` is for `run`, `notebook` and `metaflow`"),
                    )
                    .at(node.span)
                    .help(format!(
                        "remove `{key}`; `gates.budget` limits what a built-in estimator may cost"
                    )),
                );
            }
        }
    }
}

fn own_trainer(
    key: &'static str,
    node: &Node,
    params: Option<&Node>,
    limits: &Limits<'_>,
    notes: &mut Notes,
) -> Option<OwnTrainer> {
    let problems = &mut notes.problems;
    let work = work(key, node, &format!("train.{key}"), problems);
    let params = match params {
        Some(node) => parameters(node, "train.params", problems),
        None => Some(serde_json::Map::new()),
    };
    let timeout = match limits.timeout {
        Some(node) => duration(node, "train.timeout", problems),
        None => Some(TIMEOUT),
    };
    let memory = match limits.memory {
        Some(node) => bytes(node, "train.memory", problems).map(Some),
        None => Some(None),
    };
    let network = match limits.network {
        Some(node) => node.boolean("train.network", problems),
        None => Some(true),
    };
    for (name, written, value) in [
        ("timeout", limits.timeout, shown_duration(TIMEOUT)),
        ("memory", limits.memory, "no limit".to_owned()),
        ("network", limits.network, "true".to_owned()),
    ] {
        if written.is_none() {
            notes.assume(format!("train.{name}"), value);
        }
    }
    Some(OwnTrainer {
        work: work?,
        params: params?,
        timeout: timeout?,
        memory: memory?,
        network: network?,
    })
}

/// A command, or the path of a notebook or a flow; `what` names it in messages.
pub fn work(key: &str, node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Work> {
    let text = filled(node, what, problems)?;
    if text.contains('\0') {
        problems.push(
            Diagnostic::error("control-character", format!("`{what}` has a zero byte"))
                .at(node.span)
                .help("remove it"),
        );
        return None;
    }
    let (suffix, work): (_, fn(String) -> Work) = match key {
        "notebook" => (".ipynb", Work::Notebook),
        "metaflow" => (".py", Work::Metaflow),
        _ => return Some(Work::Command(text)),
    };
    let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..") || text.contains('\\');
    if leaves || !text.ends_with(suffix) {
        problems.push(
            Diagnostic::error(
                "bad-path",
                format!(
                    "`{what}` must be a file of the repository that ends in `{suffix}`, not `{}`",
                    shortened(&text)
                ),
            )
            .at(node.span)
            .help(format!(
                "write its path from the repository's root, such as `train{suffix}`"
            )),
        );
        return None;
    }
    Some(work(text))
}

/// Parameters as JSON: scalars, lists and mappings of them.
pub fn parameters(
    node: &Node,
    what: &str,
    problems: &mut Diagnostics,
) -> Option<serde_json::Map<String, serde_json::Value>> {
    let entries = node.map(what, problems)?;
    let mut found = serde_json::Map::new();
    for entry in entries {
        let is_name = entry.key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && entry.key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !is_name {
            problems.push(
                Diagnostic::error(
                    "bad-name",
                    format!("`{}` can not be the name of a parameter", shortened(&entry.key)),
                )
                .at(entry.key_span)
                .help("use letters, digits and `_`"),
            );
        }
        found.insert(entry.key.clone(), json(&entry.node));
    }
    Some(found)
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        // Whole numbers stay whole; what JSON does not have, such as `.inf`, is a text.
        Value::Number { value, text } => match text.parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => serde_json::Number::from_f64(*value).map_or_else(|| text.clone().into(), Into::into),
        },
        Value::Text(text) => text.clone().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), json(&entry.node)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

fn estimator(
    node: &Node,
    params: Option<&Node>,
    task: Option<Task>,
    estimators: &[Kind<dyn Estimator>],
    problems: &mut Diagnostics,
) -> Option<Box<dyn Estimator>> {
    let name = filled(node, "train.estimator", problems)?;
    let names = || estimators.iter().map(|kind| kind.name);
    let all = || names().collect::<Vec<_>>().join(", ");
    if name == "auto" {
        problems.push(
            Diagnostic::error("not-available-yet", "`train.estimator: auto` is not available yet")
                .at(node.span)
                .help(format!("name one of: {}", all())),
        );
        return None;
    }
    let Some(kind) = estimators.iter().find(|kind| kind.name == name) else {
        let problem = Diagnostic::error("unknown-estimator", format!("unknown estimator `{}`", shortened(&name)));
        problems.push(
            match nearest(&name, names()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the estimators are: {}", all())),
            }
            .at(node.span),
        );
        return None;
    };
    let built = (kind.build)(params).map_err(|errors| {
        let place = params.map_or(node.span, |params| params.span);
        for error in errors.iter().cloned() {
            problems.push(if error.span.is_some() { error } else { error.at(place) });
        }
    });
    let built = built.ok()?;
    if let Some(task) = task.filter(|task| !built.tasks().contains(task)) {
        let fitting: Vec<_> = estimators
            .iter()
            .filter(|kind| (kind.build)(None).is_ok_and(|other| other.tasks().contains(&task)))
            .map(|kind| kind.name)
            .collect();
        problems.push(
            Diagnostic::error("wrong-task", format!("`{name}` can not do {}", task.name()))
                .at(node.span)
                .help(if fitting.is_empty() {
                    "change `data.task`".to_owned()
                } else {
                    format!("these can: {}", fitting.join(", "))
                }),
        );
        return None;
    }
    Some(built)
}

pub fn evaluate(node: Option<&Node>, task: Option<Task>, notes: &mut Notes) -> EvaluateSettings {
    let mut settings = EvaluateSettings {
        metrics: Vec::new(),
        slices: Vec::new(),
    };
    let problems = &mut notes.problems;
    let Some(node) = node else {
        notes.assume("evaluate.slices", "none");
        return settings;
    };
    let Some(mut fields) = Fields::of(node, "evaluate", problems) else {
        return settings;
    };
    let metrics = fields.optional("metrics");
    let slices = fields.optional("slices");
    fields.finish(problems);
    if let Some(node) = metrics {
        settings.metrics = metrics_of(node, task, problems);
    }
    match slices {
        Some(node) => settings.slices = slices_of(node, problems),
        None => notes.assume("evaluate.slices", "none"),
    }
    settings
}

fn metrics_of(node: &Node, task: Option<Task>, problems: &mut Diagnostics) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    for item in node.list("evaluate.metrics", problems).unwrap_or_default() {
        let Some(name) = filled(item, "evaluate.metrics", problems) else {
            continue;
        };
        if !metrics::check_name(&name, item, task, problems) {
            continue;
        }
        if found.iter().any(|(other, _)| *other == name) {
            problems.push(
                Diagnostic::warning("duplicate-value", format!("`{name}` is listed twice"))
                    .at(item.span)
                    .help("remove one of them"),
            );
        } else {
            found.push((name, item.span));
        }
    }
    found
}

fn slices_of(node: &Node, problems: &mut Diagnostics) -> Vec<(SliceRule, Span)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for item in node.list("evaluate.slices", problems).unwrap_or_default() {
        let Some(rule) = slice(item, problems) else {
            continue;
        };
        let (SliceRule::Values { column } | SliceRule::Bins { column, .. }) = &rule;
        if seen.insert(column.clone()) {
            found.push((rule, item.span));
        } else {
            problems.push(
                Diagnostic::error("duplicate-value", format!("`{}` is sliced twice", shortened(column)))
                    .at(item.span)
                    .help("keep one of them; every slice of a column is judged together"),
            );
        }
    }
    found
}

fn slice(node: &Node, problems: &mut Diagnostics) -> Option<SliceRule> {
    let Value::Map(entries) = &node.value else {
        let column = filled(node, "evaluate.slices", problems)?;
        return Some(SliceRule::Values { column });
    };
    let [entry] = entries.as_slice() else {
        problems.push(
            Diagnostic::error("wrong-length", "an entry of `evaluate.slices` names one column")
                .at(node.span)
                .help("write `{age: [0, 40, 60, 120]}`, one entry a column"),
        );
        return None;
    };
    let what = format!("evaluate.slices.{}", shortened(&entry.key));
    let items = entry.node.list(&what, problems)?;
    let edges: Vec<Option<f64>> = items.iter().map(|item| item.number(&what, problems)).collect();
    let edges: Vec<f64> = edges.into_iter().collect::<Option<_>>()?;
    if edges.len() < 2 {
        problems.push(
            Diagnostic::error("wrong-length", format!("`{what}` needs at least two edges"))
                .at(entry.node.span)
                .help("write the edges of the bins: `[0, 40, 60, 120]`; without edges every value is a slice"),
        );
        return None;
    }
    if let Some(at) = edges.windows(2).position(|pair| pair[0] >= pair[1]) {
        problems.push(
            Diagnostic::error(
                "not-ascending",
                format!(
                    "the edges of `{what}` must ascend: {} is not above {}",
                    edges[at + 1],
                    edges[at]
                ),
            )
            .at(items[at + 1].span)
            .help("sort them and write each once"),
        );
        return None;
    }
    Some(SliceRule::Bins {
        column: entry.key.clone(),
        edges,
    })
}

#[cfg(test)]
mod tests {
    /// The repeats, or what is wrong with them.
    fn repeats(train: &str) -> Result<u64, String> {
        let text = format!("model: m\ndata: {{source: a.csv, target: y}}\ntrain: {{{train}}}\n");
        match crate::config::check(&text) {
            Ok(checked) => Ok(checked.project.train.repeats),
            Err(problems) => Err(problems
                .iter()
                .map(|problem| problem.message.clone())
                .collect::<Vec<_>>()
                .join("; ")),
        }
    }

    #[test]
    fn a_built_in_estimator_may_be_trained_with_several_seeds() {
        assert_eq!(repeats("estimator: ridge"), Ok(1));
        assert_eq!(repeats("estimator: random_forest, repeats: 20"), Ok(20));
        assert_eq!(repeats("run: python train.py, repeats: 1"), Ok(1));
        let wrong = [
            "estimator: ridge, repeats: 21",
            "estimator: ridge, repeats: 0",
            "run: python train.py, repeats: 3",
        ];
        let said: Vec<String> = wrong.map(|train| repeats(train).unwrap_err()).to_vec();
        insta::assert_snapshot!(said.join("\n"), @"
        `train.repeats` must be a whole number between 1 and 20, not 21
        `train.repeats` must be a whole number between 1 and 20, not 0
        `train.repeats` is for built-in estimators
        ");
    }
}
