//! Reads `gates:`. Pure.

use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, Entry, Fields, Node, Span, Task, Value, shortened};
use crate::evaluate::Margin;
use crate::gates::{Asks, Budget, GateCommand, MetricGate, OnInconclusive, SliceGate};
use crate::lint::{Filter, Format, Mapping, Pattern};

use super::metrics::{check_name, default_margin};
use super::project::{CommandGate, EvaluateSettings, GateSettings};
use super::values::{Notes, bytes, duration, filled, margin, shown_duration, shown_margin, shown_share};

/// What stands for an absent `timeout` of the lint and test gates.
pub const TIMEOUT: Duration = Duration::from_mins(10);
/// What stands for absent keys of `gates.slices`.
pub const SLICE_REGRESSION: f64 = 0.05;
pub const SLICE_ROWS: u64 = 30;

pub fn read(node: Option<&Node>, task: Option<Task>, evaluate: &EvaluateSettings, notes: &mut Notes) -> GateSettings {
    let mut settings = GateSettings {
        lint: None,
        test: None,
        metrics: Vec::new(),
        slices: None,
        budget: None,
        drift: super::drift::usual(),
        on_inconclusive: OnInconclusive::default(),
        on_inconclusive_span: None,
    };
    let empty = Node {
        value: Value::Map(Vec::new()),
        span: Span::new(1, 1, 1),
    };
    let problems = &mut notes.problems;
    let Some(mut fields) = Fields::of(node.unwrap_or(&empty), "gates", problems) else {
        return settings;
    };
    let lint = fields.optional("lint");
    let test = fields.optional("test");
    let metrics = fields.optional("metrics");
    let slices = fields.optional("slices");
    let budget = fields.optional("budget");
    let on_inconclusive = fields.optional("on_inconclusive");
    let drift = fields.optional("drift");
    fields.finish(problems);

    settings.lint = commands(lint, "gates.lint", notes);
    settings.test = commands(test, "gates.test", notes);
    match metrics.filter(|node| node.value != Value::Map(Vec::new())) {
        Some(node) => settings.metrics = metric_gates(node, task, notes),
        None => notes.assume(
            "gates.metrics",
            match evaluate.metrics.first() {
                Some((first, _)) => format!("{first}: {{max_regression: {}}}", shown_margin(default_margin(first))),
                None => "the first metric, with its default margin".to_owned(),
            },
        ),
    }
    match slices {
        Some(node) => settings.slices = slice_gate(node, evaluate, notes),
        None if !evaluate.slices.is_empty() => notes.assume("gates.slices", "none: slices are shown, not judged"),
        None => {}
    }
    match budget {
        Some(node) => settings.budget = budget_of(node, &mut notes.problems),
        None => notes.assume("gates.budget", "none"),
    }
    settings.drift = super::drift::read(drift, notes);
    match on_inconclusive {
        Some(node) => {
            settings.on_inconclusive_span = Some(node.span);
            let word = node.one_of("gates.on_inconclusive", &["warn", "fail"], &mut notes.problems);
            if word == Some("fail") {
                settings.on_inconclusive = OnInconclusive::Fail;
            }
        }
        None => notes.assume("gates.on_inconclusive", "warn"),
    }
    settings
}

/// One command, a list of them, or `{run: …, timeout: …, filter: …}`.
fn commands(node: Option<&Node>, what: &str, notes: &mut Notes) -> Option<CommandGate> {
    let Some(node) = node else {
        notes.assume(what, "none");
        return None;
    };
    let is_lint = what == "gates.lint";
    let problems = &mut notes.problems;
    let is_whole = matches!(&node.value, Value::Map(entries) if !is_item(entries));
    let (run, timeout, filter, name) = if is_whole {
        let mut fields = Fields::of(node, what, problems)?;
        let run = fields.required("run", problems);
        let timeout = fields.optional("timeout");
        let filter = if is_lint { fields.optional("filter") } else { None };
        fields.finish(problems);
        (run, timeout, filter, format!("{what}.run"))
    } else {
        (Some(node), None, None, what.to_owned())
    };
    let limit = match timeout {
        Some(node) => duration(node, &format!("{what}.timeout"), problems),
        None => Some(TIMEOUT),
    };
    let chosen = match filter {
        Some(node) => node
            .one_of(&format!("{what}.filter"), &["added", "file", "all"], problems)
            .map(|word| match word {
                "file" => Filter::File,
                "all" => Filter::All,
                _ => Filter::Added,
            }),
        None => Some(Filter::Added),
    };
    let run = run?;
    let items = match &run.value {
        Value::List(items) => items.as_slice(),
        Value::Text(_) | Value::Number { .. } | Value::Map(_) => std::slice::from_ref(run),
        Value::Null | Value::Bool(_) => run.list(&name, problems)?,
    };
    if items.is_empty() {
        problems.push(
            Diagnostic::error("empty-value", format!("`{name}` has no command"))
                .at(run.span)
                .help("list a command such as `pytest`, or remove the key"),
        );
        return None;
    }
    let found: Vec<_> = items
        .iter()
        .map(|item| match &item.value {
            Value::Map(_) if is_lint => lint_item(item, &name, problems),
            Value::Map(_) => test_item(item, &name, problems),
            _ => Some(GateCommand::new(command(item, &name, problems)?, item.span)),
        })
        .collect();
    if timeout.is_none() {
        notes.assume(format!("{what}.timeout"), shown_duration(TIMEOUT));
    }
    if is_lint && filter.is_none() {
        notes.assume(format!("{what}.filter"), "added");
    }
    Some(CommandGate {
        commands: found.into_iter().collect::<Option<_>>()?,
        timeout: limit?,
        filter: chosen?,
        span: node.span,
    })
}

/// Whether a mapping says how one linter is read, rather than all that the gate is.
fn is_item(entries: &[Entry]) -> bool {
    let of_item = ["pattern", "format", "json", "notebooks", "junit"];
    entries.iter().any(|entry| of_item.contains(&entry.key.as_str()))
}

/// `{notebooks: PATTERN}`, or a command with how its output is read: `{run: …, pattern: …}`, `{run: …, format: sarif}`,
/// `{run: …, json: {path: …}}`.
fn lint_item(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<GateCommand> {
    let mut fields = Fields::of(node, what, problems)?;
    if let Some(pattern) = fields.optional("notebooks") {
        fields.finish(problems);
        let text = filled(pattern, &format!("{what}.notebooks"), problems)?;
        return Some(GateCommand {
            asks: Asks::Notebooks(text),
            span: pattern.span,
            reads: None,
            junit: None,
        });
    }
    let run = fields.required("run", problems);
    let pattern = fields.optional("pattern");
    let format = fields.optional("format");
    let json = fields.optional("json");
    fields.finish(problems);
    let reads = match (pattern, format, json) {
        (Some(node), None, None) => pattern_of(node, &format!("{what}.pattern"), problems)?,
        (None, Some(node), None) => {
            node.one_of(&format!("{what}.format"), &["sarif"], problems)?;
            Format::Sarif
        }
        (None, None, Some(node)) => Format::Mapped(mapping(node, &format!("{what}.json"), problems)?),
        (None, None, None) => {
            problems.push(
                Diagnostic::error(
                    "missing-key",
                    format!("an entry of `{what}` does not say how it is read"),
                )
                .at(node.span)
                .help("add `pattern`, `format: sarif` or `json`, or write the command alone"),
            );
            return None;
        }
        _ => {
            problems.push(
                Diagnostic::error("conflict", format!("an entry of `{what}` is read in one way"))
                    .at(node.span)
                    .help("keep one of `pattern`, `format` and `json`"),
            );
            return None;
        }
    };
    let run = run?;
    Some(GateCommand {
        asks: Asks::Command(command(run, &format!("{what}.run"), problems)?),
        span: run.span,
        reads: Some(reads),
        junit: None,
    })
}

/// `{run: …, junit: …}`: a command with the report that it leaves.
fn test_item(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<GateCommand> {
    let mut fields = Fields::of(node, what, problems)?;
    let run = fields.required("run", problems);
    let junit = fields.required("junit", problems);
    fields.finish(problems);
    let (run, junit) = (run?, junit?);
    let path = filled(junit, &format!("{what}.junit"), problems)?;
    if path.starts_with('/') || path.split('/').any(|part| part == "..") {
        problems.push(
            Diagnostic::error("bad-path", format!("`{what}.junit` must be a file of the repository"))
                .at(junit.span)
                .help("write its path from the repository's root, such as `reports/junit.xml`"),
        );
        return None;
    }
    Some(GateCommand {
        junit: Some(path),
        ..GateCommand::new(command(run, &format!("{what}.run"), problems)?, run.span)
    })
}

fn pattern_of(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Format> {
    let text = filled(node, what, problems)?;
    match Pattern::new(&text) {
        Ok(pattern) => Some(Format::Lines(pattern)),
        Err(error) => {
            problems.push(
                Diagnostic::error("bad-pattern", format!("`{what}` can not be used: {error}"))
                    .at(node.span)
                    .help(r"write groups such as `^(?P<path>[^:]+):(?P<line>\d+): (?P<message>.*)$`"),
            );
            None
        }
    }
}

/// Which fields of a JSON output are what.
fn mapping(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Mapping> {
    let mut fields = Fields::of(node, what, problems)?;
    let path = fields.required("path", problems);
    let others = ["findings", "line", "column", "rule", "severity", "message"].map(|key| (key, fields.optional(key)));
    fields.finish(problems);
    let path = filled(path?, &format!("{what}.path"), problems)?;
    let [findings, line, column, rule, severity, message] =
        others.map(|(key, node)| node.and_then(|node| filled(node, &format!("{what}.{key}"), problems)));
    Some(Mapping {
        findings,
        path,
        line,
        column,
        rule,
        severity,
        message,
    })
}

fn command(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<String> {
    let text = filled(node, what, problems)?;
    if text.contains('\0') {
        problems.push(
            Diagnostic::error("control-character", format!("`{what}` has a zero byte"))
                .at(node.span)
                .help("remove it"),
        );
        return None;
    }
    Some(text)
}

fn metric_gates(node: &Node, task: Option<Task>, notes: &mut Notes) -> Vec<MetricGate> {
    if matches!(node.value, Value::List(_)) {
        notes.problems.push(
            Diagnostic::error("wrong-type", "`gates.metrics` must be a mapping, not a list")
                .at(node.span)
                .help("write `rmse: {max_regression: 1%}`; `rmse:` alone has the default margin"),
        );
        return Vec::new();
    }
    let entries = node.map("gates.metrics", &mut notes.problems).unwrap_or_default();
    let gates: Vec<MetricGate> = entries
        .iter()
        .filter_map(|entry| metric_gate(entry, task, notes))
        .collect();
    if gates.len() == entries.len() && gates.iter().all(|gate| gate.informational) {
        notes.problems.push(
            Diagnostic::warning("never-judged", "no metric of `gates.metrics` is judged")
                .at(node.span)
                .help("name one without `informational: true`, or remove `gates.metrics` to judge the first metric"),
        );
    }
    gates
}

fn metric_gate(entry: &Entry, task: Option<Task>, notes: &mut Notes) -> Option<MetricGate> {
    let problems = &mut notes.problems;
    let name = entry.key.as_str();
    let place = Node {
        value: Value::Null,
        span: entry.key_span,
    };
    let known = check_name(name, &place, task, problems);
    let mut gate = MetricGate {
        metric: name.to_owned(),
        max: None,
        min: None,
        max_regression: Some(default_margin(name)),
        require_improvement: false,
        informational: false,
        span: entry.key_span,
    };
    let path = format!("gates.metrics.{}", shortened(name));
    let mut margin_node = None;
    if entry.node.value != Value::Null {
        let mut fields = Fields::of(&entry.node, &path, problems)?;
        let (min, max) = (fields.optional("min"), fields.optional("max"));
        margin_node = fields.optional("max_regression");
        let require = fields.optional("require");
        let informational = fields.optional("informational");
        fields.finish(problems);
        gate.min = min.and_then(|node| node.number(&format!("{path}.min"), problems));
        gate.max = max.and_then(|node| node.number(&format!("{path}.max"), problems));
        if let (Some(low), Some(high), Some(node)) = (gate.min, gate.max, max)
            && low > high
        {
            problems.push(
                Diagnostic::error("empty-range", format!("`{path}.max` is below `min`: {high} < {low}"))
                    .at(node.span)
                    .help("no value passes both; swap or remove one"),
            );
        }
        if let Some(node) = margin_node {
            gate.max_regression = margin(node, &format!("{path}.max_regression"), problems);
        }
        if let Some(node) = require {
            let word = node.one_of(&format!("{path}.require"), &["improvement"], problems);
            gate.require_improvement = word.is_some();
        }
        if let Some(node) = informational {
            gate.informational = node
                .boolean(&format!("{path}.informational"), problems)
                .unwrap_or_default();
        }
        let limits = [
            ("min", min),
            ("max", max),
            ("max_regression", margin_node),
            ("require", require),
        ];
        for (key, node) in limits {
            if let Some(node) = node.filter(|_| gate.informational) {
                problems.push(
                    Diagnostic::warning(
                        "never-judged",
                        format!("`{path}.{key}` is not judged: the metric is informational"),
                    )
                    .at(node.span)
                    .help("remove it, or `informational: true`"),
                );
            }
        }
    }
    if known && margin_node.is_none() && !gate.informational {
        notes.assume(format!("{path}.max_regression"), shown_margin(default_margin(name)));
    }
    known.then_some(gate)
}

fn slice_gate(node: &Node, evaluate: &EvaluateSettings, notes: &mut Notes) -> Option<SliceGate> {
    let problems = &mut notes.problems;
    let mut fields = Fields::of(node, "gates.slices", problems)?;
    let margin_node = fields.optional("max_regression");
    let rows = fields.optional("min_rows");
    fields.finish(problems);
    if evaluate.slices.is_empty() {
        problems.push(
            Diagnostic::error("never-judged", "`gates.slices` has no slices to judge")
                .at(node.span)
                .help("list columns under `evaluate.slices`, or remove `gates.slices`"),
        );
    }
    let max_regression = match margin_node {
        Some(node) => margin(node, "gates.slices.max_regression", problems),
        None => Some(Margin {
            relative: Some(SLICE_REGRESSION),
            absolute: None,
        }),
    };
    let min_rows = match rows {
        Some(node) => node.integer_in("gates.slices.min_rows", 2..=1_000_000_000, problems),
        None => Some(SLICE_ROWS),
    };
    if margin_node.is_none() {
        notes.assume("gates.slices.max_regression", shown_share(SLICE_REGRESSION));
    }
    if rows.is_none() {
        notes.assume("gates.slices.min_rows", SLICE_ROWS.to_string());
    }
    Some(SliceGate {
        max_regression: max_regression?,
        min_rows: usize::try_from(min_rows?).ok()?,
        span: node.span,
    })
}

fn budget_of(node: &Node, problems: &mut Diagnostics) -> Option<Budget> {
    let mut fields = Fields::of(node, "gates.budget", problems)?;
    let model_size = fields.optional("model_size");
    let train_time = fields.optional("train_time");
    fields.finish(problems);
    if model_size.is_none() && train_time.is_none() {
        problems.push(
            Diagnostic::error("missing-key", "`gates.budget` says nothing")
                .at(node.span)
                .help("add `model_size: 10MB`, `train_time: 10m` or both"),
        );
    }
    Some(Budget {
        model_size_bytes: model_size.and_then(|node| bytes(node, "gates.budget.model_size", problems)),
        train_time: train_time.and_then(|node| duration(node, "gates.budget.train_time", problems)),
        span: node.span,
    })
}
