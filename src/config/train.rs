//! Reads `train:` and `evaluate:`. Pure.

use std::collections::HashSet;

use crate::base::{Diagnostic, Diagnostics, Fields, Kind, Node, Span, Task, Value, nearest, shortened};
use crate::evaluate::SliceRule;
use crate::train::Estimator;

use super::data::{MAX_SEED, SEED};
use super::metrics;
use super::project::{EvaluateSettings, TrainSettings};
use super::values::{Notes, filled};

pub fn read(
    node: &Node,
    task: Option<Task>,
    estimators: &[Kind<dyn Estimator>],
    notes: &mut Notes,
) -> Option<TrainSettings> {
    let problems = &mut notes.problems;
    let mut fields = Fields::of(node, "train", problems)?;
    fields.later("search", problems);
    fields.later("repeats", problems);
    let mut own = false; // The repository's own trainer stands for the estimator.
    for key in ["run", "notebook", "metaflow"] {
        own |= fields.later(key, problems);
    }
    let name = if own {
        fields.optional("estimator")
    } else {
        fields.required("estimator", problems)
    };
    let params = fields.optional("params");
    let seed_node = fields.optional("seed");
    let seed = match seed_node {
        Some(node) => node.integer_in("train.seed", 0..=MAX_SEED, problems),
        None => Some(SEED),
    };
    fields.finish(problems);
    let name = name?;
    let estimator = estimator(name, params, task, estimators, problems)?;
    let written = match params.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    for (param, value) in estimator.params() {
        if !written.iter().any(|entry| entry.key == param) {
            notes.assume(format!("train.params.{param}"), value);
        }
    }
    if seed_node.is_none() {
        notes.assume("train.seed", SEED.to_string());
    }
    Some(TrainSettings {
        estimator,
        seed: seed?,
        span: name.span,
    })
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
