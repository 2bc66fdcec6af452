//! Reads `data:`. Pure.

use std::collections::HashSet;

use crate::base::{Diagnostic, Diagnostics, Entry, Fields, Node, Severity, Span, Task, Value, shortened};
use crate::data::{Bound, ColumnRule, ColumnType, Contract, Settings, Size, Split, SplitKind};

use super::values::{Notes, filled, share, shown_share, size};

/// What stands for an absent seed, of the split and of training.
pub const SEED: u64 = 42;
/// The greatest seed: above it a number in YAML or JSON is no longer exact.
pub const MAX_SEED: u64 = 9_007_199_254_740_991;
/// What stands for an absent `test`.
pub const TEST: f64 = 0.2;

pub const TASKS: &[&str] = &["regression", "binary", "multiclass"];
pub const TYPES: &[&str] = &["float", "integer", "boolean", "text", "timestamp"];
/// Where data may be one day.
const REMOTE: &[&str] = &["http://", "https://", "s3://", "gs://", "az://"];

pub fn read(node: &Node, notes: &mut Notes) -> Option<Settings> {
    let problems = &mut notes.problems;
    let mut fields = Fields::of(node, "data", problems)?;
    let source = fields
        .required("source", problems)
        .and_then(|node| Some((source(node, problems)?, node.span)));
    let target = fields
        .required("target", problems)
        .and_then(|node| Some((filled(node, "data.target", problems)?, node.span)));
    let task = fields.optional("task").and_then(|node| task(node, problems));
    let target_name = target.as_ref().map(|(name, _)| name.as_str());
    let exclude = match fields.optional("exclude") {
        Some(node) => exclude(node, target_name, problems),
        None => Vec::new(),
    };
    let split_node = fields.optional("split");
    let contract = fields.optional("contract");
    fields.finish(problems);
    let split = split_node.and_then(|node| split(node, target_name, notes));
    if contract.is_none() {
        notes.assume("data.contract", "none");
    }
    let contract = contract.and_then(|node| contract_of(node, &mut notes.problems));
    let ((source, source_span), (target, target_span)) = source.zip(target)?;
    Some(Settings {
        source,
        source_span,
        target,
        target_span,
        task,
        exclude,
        split,
        contract,
    })
}

/// A path or glob that stays in the repository.
fn source(node: &Node, problems: &mut Diagnostics) -> Option<String> {
    let text = filled(node, "data.source", problems)?;
    if let Some(scheme) = REMOTE.iter().find(|scheme| text.starts_with(**scheme)) {
        problems.push(
            Diagnostic::error(
                "not-available-yet",
                format!("sources at `{scheme}` are not available yet"),
            )
            .at(node.span)
            .help("use a file of the repository"),
        );
        return None;
    }
    let problem = if text.contains("://") {
        "is not a path of the repository"
    } else if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        "must stay in the repository"
    } else if text.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Some(text);
    };
    problems.push(
        Diagnostic::error("bad-source", format!("`data.source` {problem}: `{}`", shortened(&text)))
            .at(node.span)
            .help("write a path or glob relative to the repository's root, such as `data/my-data.csv`"),
    );
    None
}

fn task(node: &Node, problems: &mut Diagnostics) -> Option<Task> {
    if matches!(&node.value, Value::Text(text) if text == "forecast") {
        problems.push(
            Diagnostic::error("not-available-yet", "`data.task: forecast` is not available yet")
                .at(node.span)
                .help(format!("the values are: {}", TASKS.join(", "))),
        );
        return None;
    }
    match node.one_of("data.task", TASKS, problems)? {
        "regression" => Some(Task::Regression),
        "binary" => Some(Task::Binary),
        _ => Some(Task::Multiclass),
    }
}

fn exclude(node: &Node, target: Option<&str>, problems: &mut Diagnostics) -> Vec<(String, Span)> {
    let mut columns: Vec<(String, Span)> = Vec::new();
    let mut seen = HashSet::new();
    for item in node.list("data.exclude", problems).unwrap_or_default() {
        let Some(column) = filled(item, "data.exclude", problems) else {
            continue;
        };
        if target == Some(column.as_str()) {
            problems.push(
                Diagnostic::error("excluded-target", format!("`{}` is the target", shortened(&column)))
                    .at(item.span)
                    .help("the target is never a feature; remove it here"),
            );
        } else if seen.insert(column.clone()) {
            columns.push((column, item.span));
        } else {
            problems.push(
                Diagnostic::warning("duplicate-value", format!("`{}` is excluded twice", shortened(&column)))
                    .at(item.span)
                    .help("remove one of them"),
            );
        }
    }
    columns
}

fn split(node: &Node, target: Option<&str>, notes: &mut Notes) -> Option<Split> {
    let problems = &mut notes.problems;
    let mut fields = Fields::of(node, "data.split", problems)?;
    let test = fields.optional("test");
    let seed_node = fields.optional("seed");
    let stratify = fields.optional("stratify");
    let group = fields.optional("group");
    let time = fields.optional("time");
    let by = fields.optional("by");
    let column = fields.optional("column");
    fields.finish(problems);

    let before = problems.iter().count();
    if let Some(by) = by {
        by.one_of("data.split.by", &["time"], problems);
    }
    let own = |node: &Node, key: &str, problems: &mut Diagnostics| {
        let name = filled(node, &format!("data.split.{key}"), problems)?;
        if key != "stratify" && target == Some(name.as_str()) {
            problems.push(
                Diagnostic::error("split-by-target", format!("`data.split.{key}` is the target"))
                    .at(node.span)
                    .help("name another column; `stratify` keeps the target's shares in both parts"),
            );
            return None;
        }
        Some(name)
    };
    let column_name = column.and_then(|node| own(node, "column", problems));
    let stratify_name = stratify.and_then(|node| own(node, "stratify", problems));
    let group_name = group.and_then(|node| own(node, "group", problems));
    let time_name = time.and_then(|node| own(node, "time", problems));
    let seed = match seed_node {
        Some(node) => node.integer_in("data.split.seed", 0..=MAX_SEED, problems),
        None => Some(SEED),
    };

    let excluded = |node: &Node, key: &str, by: &str| {
        Diagnostic::error("conflict", format!("`data.split.{key}` and `{by}` exclude each other"))
            .at(node.span)
            .help("keep one of them")
    };
    if let (Some(_), Some(group)) = (stratify, group) {
        problems.push(excluded(group, "group", "stratify"));
    }
    let carried = by.is_none() && column.is_some();
    if let Some(time) = time.filter(|_| !carried) {
        problems.push(
            Diagnostic::error("conflict", "`data.split.time` is for a split that the data carry")
                .at(time.span)
                .help("to hold out the last rows write `{by: time, column: month, test: 20%}`"),
        );
    }
    let other = if by.is_some() { "by" } else { "column" };
    if by.is_some() || column.is_some() {
        // Beside a split that the data carry, `group` says what it must keep apart.
        for (key, node) in [("stratify", stratify), ("group", group.filter(|_| !carried))] {
            if let Some(node) = node {
                problems.push(excluded(node, key, other));
            }
        }
        if let Some(seed) = seed_node {
            problems.push(
                Diagnostic::warning(
                    "no-effect",
                    "`data.split.seed` has no effect: nothing is drawn at random",
                )
                .at(seed.span)
                .help("remove it"),
            );
        }
    }
    if by.is_some() && column.is_none() {
        problems.push(
            Diagnostic::error("missing-key", "`data.split.column` is missing")
                .at(node.span)
                .help("name the column with the time: `{by: time, column: month, test: 20%}`"),
        );
    }

    let kind = if carried {
        if test.is_none() {
            problems.push(
                Diagnostic::error("missing-key", "`data.split.test` is missing")
                    .at(node.span)
                    .help("add the value of the column that marks the test rows: `{column: part, test: holdout}`"),
            );
        }
        let marker = test.and_then(|node| filled(node, "data.split.test", problems));
        column_name.zip(marker).map(|(column, test)| SplitKind::Column {
            column,
            test,
            group: group_name,
            time: time_name,
        })
    } else {
        let test = match test {
            Some(node) => size(node, "data.split.test", problems),
            None => Some(Size::Share(TEST)),
        }?;
        match (by.is_some(), column_name, stratify_name, group_name) {
            (true, Some(column), ..) => Some(SplitKind::Time { column, test }),
            (true, None, ..) => None,
            (false, _, Some(column), _) => Some(SplitKind::Stratified { column, test }),
            (false, _, None, Some(column)) => Some(SplitKind::Group { column, test }),
            (false, _, None, None) => Some(SplitKind::Random { test }),
        }
    }?;
    let failed = problems.iter().skip(before).any(|p| p.severity == Severity::Error);
    if test.is_none() {
        notes.assume("data.split.test", shown_share(TEST));
    }
    if seed_node.is_none() && !matches!(kind, SplitKind::Time { .. } | SplitKind::Column { .. }) {
        notes.assume("data.split.seed", SEED.to_string());
    }
    let seed = seed.filter(|_| !failed)?;
    Some(Split {
        kind,
        seed,
        span: node.span,
    })
}

fn contract_of(node: &Node, problems: &mut Diagnostics) -> Option<Contract> {
    let mut fields = Fields::of(node, "data.contract", problems)?;
    let rows = fields.optional("rows");
    let columns = fields.optional("columns");
    fields.finish(problems);
    let (min_rows, max_rows) = match rows {
        Some(node) => rows_of(node, problems).unwrap_or_default(),
        None => (None, None),
    };
    let entries = match columns {
        Some(node) => node.map("data.contract.columns", problems)?,
        None => &[],
    };
    // Every column is read, whatever the others are.
    let rules: Vec<Option<ColumnRule>> = entries.iter().map(|entry| column_rule(entry, problems)).collect();
    Some(Contract {
        min_rows,
        max_rows,
        columns: rules.into_iter().collect::<Option<_>>()?,
    })
}

fn rows_of(node: &Node, problems: &mut Diagnostics) -> Option<(Option<Bound>, Option<Bound>)> {
    let mut fields = Fields::of(node, "data.contract.rows", problems)?;
    let mut bound = |key| {
        let node = fields.optional(key)?;
        let value = node.integer_in(&fields.name(key), 0..=MAX_SEED, problems)?;
        Some(Bound {
            value: value as f64,
            span: node.span,
        })
    };
    let (min, max) = (bound("min"), bound("max"));
    fields.finish(problems);
    if let (Some(min), Some(max)) = (min, max)
        && min.value > max.value
    {
        problems.push(
            Diagnostic::error(
                "empty-range",
                format!("`data.contract.rows.max` is below `min`: {} < {}", max.value, min.value),
            )
            .at(max.span)
            .help("swap them"),
        );
    }
    Some((min, max))
}

fn column_rule(entry: &Entry, problems: &mut Diagnostics) -> Option<ColumnRule> {
    let path = format!("data.contract.columns.{}", shortened(&entry.key));
    let mut rule = ColumnRule {
        column: entry.key.clone(),
        span: entry.key_span,
        kind: None,
        range: None,
        max_missing: None,
        one_of: None,
        unique: false,
    };
    if entry.node.value == Value::Null {
        return Some(rule); // The column must be there, whatever it holds.
    }
    let mut fields = Fields::of(&entry.node, &path, problems)?;
    rule.kind = fields
        .optional("type")
        .and_then(|node| node.one_of(&format!("{path}.type"), TYPES, problems))
        .map(|word| match word {
            "float" => ColumnType::Float,
            "integer" => ColumnType::Integer,
            "boolean" => ColumnType::Boolean,
            "timestamp" => ColumnType::Timestamp,
            _ => ColumnType::Text,
        });
    if let Some(node) = fields.optional("range") {
        rule.range = range(node, &format!("{path}.range"), problems);
        if matches!(
            rule.kind,
            Some(ColumnType::Text | ColumnType::Boolean | ColumnType::Timestamp)
        ) {
            problems.push(
                Diagnostic::error("conflict", format!("`{path}.range` needs a column of numbers"))
                    .at(node.span)
                    .help("remove it, or make the type `float` or `integer`"),
            );
        }
    }
    rule.max_missing = fields
        .optional("nulls")
        .and_then(|node| share(node, &format!("{path}.nulls"), problems));
    if let Some(node) = fields.optional("one_of") {
        rule.one_of = allowed(node, &format!("{path}.one_of"), rule.kind, problems);
    }
    if let Some(node) = fields.optional("unique") {
        rule.unique = node.boolean(&format!("{path}.unique"), problems).unwrap_or_default();
    }
    fields.finish(problems);
    Some(rule)
}

fn range(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<(f64, f64)> {
    let [low, high] = node.list(what, problems)? else {
        problems.push(
            Diagnostic::error("wrong-length", format!("`{what}` must be two numbers"))
                .at(node.span)
                .help("write the least and the greatest value: `[0, 100]`"),
        );
        return None;
    };
    let (low, high) = (low.number(what, problems), high.number(what, problems));
    let (low, high) = low.zip(high)?;
    if low > high {
        problems.push(
            Diagnostic::error("empty-range", format!("`{what}` is empty: {low} > {high}"))
                .at(node.span)
                .help("write the lower end first"),
        );
        return None;
    }
    Some((low, high))
}

fn allowed(node: &Node, what: &str, kind: Option<ColumnType>, problems: &mut Diagnostics) -> Option<Vec<String>> {
    let items = node.list(what, problems)?;
    if items.is_empty() {
        problems.push(
            Diagnostic::error("empty-value", format!("`{what}` allows nothing"))
                .at(node.span)
                .help("list the allowed values, or remove the key"),
        );
        return None;
    }
    let mut text = |item: &Node| match (&item.value, kind) {
        (Value::Bool(value), Some(ColumnType::Boolean)) => Some(value.to_string()),
        (Value::Text(_), Some(ColumnType::Float | ColumnType::Integer)) => {
            item.number(what, problems).map(|number| number.to_string())
        }
        _ => item.text(what, problems),
    };
    let values: Vec<Option<String>> = items.iter().map(&mut text).collect();
    values.into_iter().collect()
}
