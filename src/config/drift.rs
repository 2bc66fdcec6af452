//! Reads `gates.drift`. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, Fields, Node, Span, Value};
use crate::drift::{self, Kind, Mode, Policy, Season};

use super::project::DriftGate;
use super::values::{Notes, filled, share, shown_share, wrong};

pub const POLICIES: [&str; 4] = ["ignore", "warn", "fail", "retrain"];
pub const MODES: [&str; 2] = ["calibrated", "evidently"];
pub const KINDS: [&str; 4] = ["num", "cat", "text", "datetime"];

/// What stands for an absent `gates.drift`: it is looked for, and warns.
pub fn usual() -> DriftGate {
    DriftGate {
        settings: drift::Settings::default(),
        reference: None,
        max_age: None,
        min_new_rows: None,
        span: None,
    }
}

pub fn read(node: Option<&Node>, notes: &mut Notes) -> DriftGate {
    let mut gate = usual();
    let Some(node) = node else {
        notes.assume("gates.drift", "warn");
        return gate;
    };
    gate.span = Some(node.span);
    let problems = &mut notes.problems;
    if !matches!(node.value, Value::Map(_)) {
        if let Some(word) = node.one_of("gates.drift", &POLICIES, problems) {
            gate.settings.policy = policy(word);
        }
        return gate;
    }
    let Some(mut fields) = Fields::of(node, "gates.drift", problems) else {
        return gate;
    };
    let settings = &mut gate.settings;
    if let Some(node) = fields.optional("policy")
        && let Some(word) = node.one_of("gates.drift.policy", &POLICIES, problems)
    {
        settings.policy = policy(word);
    }
    if let Some(node) = fields.optional("mode")
        && node.one_of("gates.drift.mode", &MODES, problems) == Some("evidently")
    {
        settings.mode = Mode::Evidently;
    }
    for (key, target, least) in [
        ("max_share", &mut settings.max_share, 0.0),
        ("alpha", &mut settings.alpha, 1e-12),
        ("min_effect", &mut settings.min_effect, 0.0),
    ] {
        if let Some(node) = fields.optional(key) {
            let what = format!("gates.drift.{key}");
            if let Some(value) = share(node, &what, problems) {
                if value < least {
                    problems.push(
                        Diagnostic::error("out-of-range", format!("`{what}` must be above 0"))
                            .at(node.span)
                            .help("write a chance such as `0.05`"),
                    );
                } else {
                    *target = value;
                }
            }
        }
    }
    if let Some(node) = fields.optional("min_rows")
        && let Some(rows) = node.integer_in("gates.drift.min_rows", 2..=1_000_000_000, problems)
    {
        settings.min_rows = rows;
    }
    if let Some(node) = fields.optional("include") {
        settings.include = columns(node, "gates.drift.include", problems);
    }
    if let Some(node) = fields.optional("exclude") {
        settings.exclude = columns(node, "gates.drift.exclude", problems);
    }
    if let Some(node) = fields.optional("types") {
        settings.kinds = types(node, problems);
    }
    let method = fields.optional("method");
    let threshold = fields.optional("threshold");
    for (key, node) in [("method", method), ("threshold", threshold)] {
        if let Some(node) = node.filter(|_| settings.mode == Mode::Calibrated) {
            problems.push(
                Diagnostic::error("never-used", format!("`gates.drift.{key}` is of the mode `evidently`"))
                    .at(node.span)
                    .help("add `mode: evidently`, or remove it: the usual mode chooses by itself and corrects for the number of columns"),
            );
        }
    }
    if let Some(node) = method {
        methods(node, settings, problems);
    }
    if let Some(node) = threshold {
        thresholds(node, settings, problems);
    }
    if let Some(node) = fields.optional("time_column") {
        settings.time_column = filled(node, "gates.drift.time_column", problems);
    }
    if let Some(node) = fields.optional("seasonal") {
        let word = node.one_of("gates.drift.seasonal", &Season::NAMES, problems);
        settings.seasonal = word.and_then(Season::of);
        if settings.time_column.is_none() {
            problems.push(
                Diagnostic::error("missing-key", "`gates.drift.seasonal` needs `gates.drift.time_column`")
                    .at(node.span)
                    .help("name the column that says when a row was"),
            );
        }
    }
    if let Some(node) = fields.optional("reference") {
        gate.reference = filled(node, "gates.drift.reference", problems);
    }
    if let Some(node) = fields.optional("max_age") {
        gate.max_age = days(node, "gates.drift.max_age", problems);
    }
    if let Some(node) = fields.optional("min_new_rows") {
        gate.min_new_rows = node.integer_in("gates.drift.min_new_rows", 1..=1_000_000_000_000, problems);
    }
    fields.finish(problems);
    only_retraining(&gate, problems);
    if gate.settings.policy == Policy::default() {
        notes.assume("gates.drift.policy", "warn");
    }
    if (gate.settings.max_share - drift::MAX_SHARE).abs() < f64::EPSILON {
        notes.assume("gates.drift.max_share", shown_share(drift::MAX_SHARE));
    }
    gate
}

/// What is due is only asked where something can follow from it.
fn only_retraining(gate: &DriftGate, problems: &mut Diagnostics) {
    let is_due_asked = gate.max_age.is_some() || gate.min_new_rows.is_some();
    if is_due_asked && gate.settings.policy != Policy::Retrain {
        let span = gate.span.unwrap_or_else(|| Span::new(1, 1, 1));
        problems.push(
            Diagnostic::error(
                "never-used",
                "`max_age` and `min_new_rows` say when to train again, and nothing asks for that",
            )
            .at(span)
            .help("add `policy: retrain` to `gates.drift`"),
        );
    }
}

fn policy(word: &str) -> Policy {
    match word {
        "ignore" => Policy::Ignore,
        "fail" => Policy::Fail,
        "retrain" => Policy::Retrain,
        _ => Policy::Warn,
    }
}

fn kind(word: &str) -> Kind {
    match word {
        "num" => Kind::Num,
        "cat" => Kind::Cat,
        "text" => Kind::Text,
        _ => Kind::Datetime,
    }
}

fn columns(node: &Node, what: &str, problems: &mut Diagnostics) -> Vec<String> {
    let items = node.list(what, problems).unwrap_or_default();
    items.iter().filter_map(|item| filled(item, what, problems)).collect()
}

fn types(node: &Node, problems: &mut Diagnostics) -> BTreeMap<String, Kind> {
    let entries = node.map("gates.drift.types", problems).unwrap_or_default();
    let mut types = BTreeMap::new();
    for entry in entries {
        let what = format!("gates.drift.types.{}", entry.key);
        if let Some(word) = entry.node.one_of(&what, &KINDS, problems) {
            types.insert(entry.key.clone(), kind(word));
        }
    }
    types
}

/// `{num: wasserstein, cat: psi, columns: {income: ks}}`.
fn methods(node: &Node, settings: &mut drift::Settings, problems: &mut Diagnostics) {
    let Some(mut fields) = Fields::of(node, "gates.drift.method", problems) else {
        return;
    };
    let test = |node: &Node, what: &str, kind: Option<Kind>, problems: &mut Diagnostics| -> Option<String> {
        let name = filled(node, what, problems)?;
        match drift::known_test(&name, kind) {
            Ok(test) => Some(test.name.to_owned()),
            Err(problem) => {
                problems.push(problem.at(node.span));
                None
            }
        }
    };
    for (key, kind) in [("num", Kind::Num), ("cat", Kind::Cat), ("text", Kind::Text)] {
        if let Some(node) = fields.optional(key)
            && let Some(name) = test(node, &format!("gates.drift.method.{key}"), Some(kind), problems)
        {
            settings.methods.insert(kind, name);
        }
    }
    if let Some(node) = fields.optional("columns") {
        for entry in node.map("gates.drift.method.columns", problems).unwrap_or_default() {
            let what = format!("gates.drift.method.columns.{}", entry.key);
            if let Some(name) = test(&entry.node, &what, None, problems) {
                settings.column_methods.insert(entry.key.clone(), name);
            }
        }
    }
    fields.finish(problems);
}

/// A number for all, or `{default: 0.1, columns: {income: 0.2}}`.
fn thresholds(node: &Node, settings: &mut drift::Settings, problems: &mut Diagnostics) {
    if !matches!(node.value, Value::Map(_)) {
        settings.threshold = node.number_in("gates.drift.threshold", 0.0..=f64::MAX, problems);
        return;
    }
    let Some(mut fields) = Fields::of(node, "gates.drift.threshold", problems) else {
        return;
    };
    if let Some(node) = fields.optional("default") {
        settings.threshold = node.number_in("gates.drift.threshold.default", 0.0..=f64::MAX, problems);
    }
    if let Some(node) = fields.optional("columns") {
        for entry in node.map("gates.drift.threshold.columns", problems).unwrap_or_default() {
            let what = format!("gates.drift.threshold.columns.{}", entry.key);
            if let Some(value) = entry.node.number_in(&what, 0.0..=f64::MAX, problems) {
                settings.column_thresholds.insert(entry.key.clone(), value);
            }
        }
    }
    fields.finish(problems);
}

/// A whole number of days: `30d`.
fn days(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Duration> {
    let text = match &node.value {
        Value::Number { text, .. } | Value::Text(text) => text.as_str(),
        Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => "",
    };
    let found = text.strip_suffix('d').and_then(|number| number.parse::<u64>().ok());
    let found = found.filter(|days| (1..=36_500).contains(days));
    if found.is_none() {
        problems.push(wrong(node, what, "a whole number of days such as `30d`"));
    }
    found.map(|days| Duration::from_hours(24 * days))
}
