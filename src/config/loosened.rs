//! What a change of the configuration lets through that was stopped before. Pure.

use std::collections::BTreeMap;

use crate::base::{Span, Task};
use crate::data::{ColumnRule, ColumnType, Contract, Size, SplitKind};
use crate::drift::{Policy, Season, Settings, kind_name};
use crate::evaluate::{Margin, SliceRule, default_metrics};
use crate::gates::{Budget, MetricGate, OnInconclusive, SliceGate};

use super::flow;
use super::metrics::default_margin;
use super::project::{Approval, CommandGate, DriftGate, Project, RegistryChoice};
use super::values::{shown_duration, shown_share};

/// One key that says less than before.
#[derive(Debug, Clone, PartialEq)]
pub struct Loosened {
    /// `gates.metrics.rmse.max`.
    pub key: String,
    /// Both values as the configuration writes them; `absent` where it says nothing.
    pub was: String,
    pub now: String,
    /// The place in the changed configuration; `None` for what is no longer there.
    pub span: Option<Span>,
}

const ABSENT: &str = "absent";

/// Every way in which `head` asks less of a model than `base`; what asks more, or the same in other words, says nothing.
///
/// A change of what is measured (data, target, split, the alias that is compared with) counts: whatever it was meant
/// for, the numbers before and after it do not stand beside each other.
pub fn loosened(base: &Project, head: &Project) -> Vec<Loosened> {
    let mut found = Found::default();
    identity(base, head, &mut found);
    split(base, head, &mut found);
    contract(base.data.contract.as_ref(), head.data.contract.as_ref(), &mut found);
    measured(base, head, &mut found);
    commands(
        "gates.lint",
        base.gates.lint.as_ref(),
        head.gates.lint.as_ref(),
        &mut found,
    );
    commands(
        "gates.test",
        base.gates.test.as_ref(),
        head.gates.test.as_ref(),
        &mut found,
    );
    metric_gates(base, head, &mut found);
    slice_gate(base.gates.slices.as_ref(), head.gates.slices.as_ref(), &mut found);
    budget(base.gates.budget.as_ref(), head.gates.budget.as_ref(), &mut found);
    drift_gate(&base.gates.drift, &head.gates.drift, &mut found);
    if base.gates.on_inconclusive == OnInconclusive::Fail && head.gates.on_inconclusive == OnInconclusive::Warn {
        found.add("gates.on_inconclusive", "fail", "warn", head.gates.on_inconclusive_span);
    }
    promotion(base, head, &mut found);
    places(base, head, &mut found);
    found.0
}

#[derive(Default)]
struct Found(Vec<Loosened>);

impl Found {
    fn add(&mut self, key: impl Into<String>, was: impl Into<String>, now: impl Into<String>, span: Option<Span>) {
        self.0.push(Loosened {
            key: key.into(),
            was: was.into(),
            now: now.into(),
            span,
        });
    }

    /// An upper limit: it may fall, not rise or go.
    fn upper(&mut self, key: String, was: Option<f64>, now: Option<f64>, span: Span) {
        if let Some(was) = was.filter(|was| now.is_none_or(|now| now > *was)) {
            self.add(key, was.to_string(), shown(now), Some(span));
        }
    }

    /// A lower limit: it may rise, not fall or go.
    fn lower(&mut self, key: String, was: Option<f64>, now: Option<f64>, span: Span) {
        if let Some(was) = was.filter(|was| now.is_none_or(|now| now < *was)) {
            self.add(key, was.to_string(), shown(now), Some(span));
        }
    }
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
}

/// What is judged and against what.
fn identity(base: &Project, head: &Project, found: &mut Found) {
    if base.model != head.model {
        found.add(
            "model",
            base.model.to_string(),
            head.model.to_string(),
            Some(head.model_span),
        );
    }
    let (was, now) = (&base.data, &head.data);
    if was.source != now.source {
        found.add("data.source", &was.source, &now.source, Some(now.source_span));
    }
    if was.target != now.target {
        found.add("data.target", &was.target, &now.target, Some(now.target_span));
    }
}

/// Other test rows, or fewer of them; more of them drawn the same way are the old ones and others.
fn split(base: &Project, head: &Project, found: &mut Found) {
    let (was, now) = (held_out(base), held_out(head));
    let larger = was.size.zip(now.size).is_some_and(|(was, now)| match (was, now) {
        (Size::Share(was), Size::Share(now)) => now >= was,
        (Size::Rows(was), Size::Rows(now)) => now >= was,
        (Size::Share(_), Size::Rows(_)) | (Size::Rows(_), Size::Share(_)) => false,
    });
    if was == now || (was.how == now.how && larger) {
        return;
    }
    let span = head.data.split.as_ref().map(|split| split.span);
    found.add("data.split", was.written(), now.written(), span);
}

/// How the test rows are chosen, and how many.
#[derive(Debug, PartialEq)]
struct HeldOut {
    /// Everything but the size, as the configuration writes it.
    how: Vec<(&'static str, String)>,
    size: Option<Size>,
}

impl HeldOut {
    fn written(&self) -> String {
        let size = self.size.map(|size| match size {
            Size::Share(share) => format!("test: {}", shown_share(share)),
            Size::Rows(rows) => format!("test: {rows}"),
        });
        let how = self.how.iter().map(|(key, value)| format!("{key}: {value}"));
        let parts: Vec<String> = how.chain(size).collect();
        format!("{{{}}}", parts.join(", "))
    }
}

fn held_out(project: &Project) -> HeldOut {
    let Some(split) = &project.data.split else {
        // Without a split the rows are drawn, for classes each in its share. A task that is inferred is the same on
        // both sides as long as the data are.
        let stratify = matches!(project.data.task, Some(Task::Binary | Task::Multiclass));
        let mut how = vec![("seed", super::data::SEED.to_string())];
        if stratify {
            how.push(("stratify", project.data.target.clone()));
        }
        return HeldOut {
            how,
            size: Some(Size::Share(super::data::TEST)),
        };
    };
    let seed = ("seed", split.seed.to_string());
    match &split.kind {
        SplitKind::Random { test } => HeldOut {
            how: vec![seed],
            size: Some(*test),
        },
        SplitKind::Stratified { column, test } => HeldOut {
            how: vec![seed, ("stratify", column.clone())],
            size: Some(*test),
        },
        SplitKind::Group { column, test } => HeldOut {
            how: vec![seed, ("group", column.clone())],
            size: Some(*test),
        },
        SplitKind::Time { column, test } => HeldOut {
            how: vec![("by", "time".to_owned()), ("column", column.clone())],
            size: Some(*test),
        },
        SplitKind::Column {
            column,
            test,
            group,
            time,
        } => {
            let mut how = vec![("column", column.clone()), ("test", test.clone())];
            how.extend(group.clone().map(|group| ("group", group)));
            how.extend(time.clone().map(|time| ("time", time)));
            HeldOut { how, size: None }
        }
    }
}

fn contract(base: Option<&Contract>, head: Option<&Contract>, found: &mut Found) {
    let Some(base) = base else { return };
    let Some(head) = head else {
        found.add("data.contract", "present", ABSENT, None);
        return;
    };
    let min = base.min_rows.map(|bound| bound.value);
    let max = base.max_rows.map(|bound| bound.value);
    let (new_min, new_max) = (head.min_rows.map(|b| b.value), head.max_rows.map(|b| b.value));
    if let Some(was) = min.filter(|was| new_min.is_none_or(|now| now < *was)) {
        let span = head.min_rows.map(|bound| bound.span);
        found.add("data.contract.rows.min", was.to_string(), shown(new_min), span);
    }
    if let Some(was) = max.filter(|was| new_max.is_none_or(|now| now > *was)) {
        let span = head.max_rows.map(|bound| bound.span);
        found.add("data.contract.rows.max", was.to_string(), shown(new_max), span);
    }
    for was in &base.columns {
        let key = format!("data.contract.columns.{}", was.column);
        match head.columns.iter().find(|now| now.column == was.column) {
            Some(now) => column(&key, was, now, found),
            None => found.add(key, "present", ABSENT, None),
        }
    }
}

fn column(key: &str, was: &ColumnRule, now: &ColumnRule, found: &mut Found) {
    // Whole numbers are numbers; any other change of type lets in what was refused.
    let narrower = was.kind == Some(ColumnType::Float) && now.kind == Some(ColumnType::Integer);
    if let Some(kind) = was.kind.filter(|kind| now.kind != Some(*kind) && !narrower) {
        let name = now.kind.map_or(ABSENT, ColumnType::name);
        found.add(format!("{key}.type"), kind.name(), name, Some(now.span));
    }
    let range = |(low, high): (f64, f64)| format!("[{low}, {high}]");
    if let Some((low, high)) = was.range
        && now
            .range
            .is_none_or(|(new_low, new_high)| new_low < low || new_high > high)
    {
        let new = now.range.map_or_else(|| ABSENT.to_owned(), range);
        found.add(format!("{key}.range"), range((low, high)), new, Some(now.span));
    }
    if let Some(share) = was.max_missing
        && now.max_missing.is_none_or(|new| new > share)
    {
        let new = now.max_missing.map_or_else(|| ABSENT.to_owned(), shown_share);
        found.add(format!("{key}.nulls"), shown_share(share), new, Some(now.span));
    }
    if let Some(values) = &was.one_of {
        let list = |values: &[String]| format!("[{}]", values.join(", "));
        let new = now.one_of.as_deref();
        if new.is_none_or(|new| new.iter().any(|value| !values.contains(value))) {
            let new = new.map_or_else(|| ABSENT.to_owned(), list);
            found.add(format!("{key}.one_of"), list(values), new, Some(now.span));
        }
    }
    if was.unique && !now.unique {
        found.add(format!("{key}.unique"), "true", "false", Some(now.span));
    }
}

/// Fewer metrics and fewer slices.
fn measured(base: &Project, head: &Project, found: &mut Found) {
    // What stands for an absent list depends on the task; a task that nobody names is the same as long as the data are.
    let task = head.data.task.or(base.data.task);
    if let Some((was, now)) = metric_names(base, task).zip(metric_names(head, task))
        && was.iter().any(|name| !now.contains(name))
    {
        let span = head.evaluate.metrics.first().map(|(_, span)| *span);
        found.add("evaluate.metrics", list(&was), list(&now), span);
    }
    for (was, _) in &base.evaluate.slices {
        let now = head.evaluate.slices.iter().find(|(now, _)| sliced(now) == sliced(was));
        match now {
            None => found.add("evaluate.slices", slice_written(was), ABSENT, None),
            Some((now, span)) if now != was => {
                found.add("evaluate.slices", slice_written(was), slice_written(now), Some(*span));
            }
            Some(_) => {}
        }
    }
}

/// The metrics by name; `None` when they depend on a task that nobody names.
fn metric_names(project: &Project, task: Option<Task>) -> Option<Vec<&str>> {
    if project.evaluate.metrics.is_empty() {
        return task.map(|task| default_metrics(task).iter().map(|kind| kind.name).collect());
    }
    Some(project.evaluate.metrics.iter().map(|(name, _)| name.as_str()).collect())
}

fn list(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

fn sliced(rule: &SliceRule) -> &str {
    let (SliceRule::Values { column } | SliceRule::Bins { column, .. }) = rule;
    column
}

fn slice_written(rule: &SliceRule) -> String {
    match rule {
        SliceRule::Values { column } => column.clone(),
        SliceRule::Bins { column, edges } => {
            let edges: Vec<String> = edges.iter().map(f64::to_string).collect();
            format!("{{{column}: [{}]}}", edges.join(", "))
        }
    }
}

/// A command that is no longer run as it was; further ones ask for more.
fn commands(key: &str, base: Option<&CommandGate>, head: Option<&CommandGate>, found: &mut Found) {
    let Some(base) = base else { return };
    let texts = |gate: &CommandGate| -> Vec<String> {
        let texts = gate.commands.iter().map(|command| command.text().to_owned());
        texts.collect()
    };
    let was = texts(base);
    let now = head.map(texts).unwrap_or_default();
    if was.iter().all(|command| now.contains(command)) {
        return;
    }
    let list = |commands: &[String]| {
        if commands.is_empty() {
            ABSENT.to_owned()
        } else {
            format!("[{}]", commands.join(", "))
        }
    };
    found.add(key, list(&was), list(&now), head.map(|gate| gate.span));
}

/// The gates on metrics as they act: without any the first metric has its default margin.
fn gates_of(project: &Project, task: Option<Task>) -> Option<Vec<MetricGate>> {
    if !project.gates.metrics.is_empty() {
        return Some(project.gates.metrics.clone());
    }
    let names = metric_names(project, task)?;
    let first = names.first()?;
    Some(vec![MetricGate {
        metric: (*first).to_owned(),
        max: None,
        min: None,
        max_regression: Some(default_margin(first)),
        require_improvement: false,
        informational: false,
        span: project
            .evaluate
            .metrics
            .first()
            .map_or(Span::new(1, 1, 1), |(_, span)| *span),
    }])
}

fn metric_gates(base: &Project, head: &Project, found: &mut Found) {
    let task = head.data.task.or(base.data.task);
    let (Some(was), Some(now)) = (gates_of(base, task), gates_of(head, task)) else {
        // The metric that one side judges is not known here; a side that judges none is looser whatever it is.
        if !head.gates.metrics.is_empty() && head.gates.metrics.iter().all(|gate| gate.informational) {
            let span = head.gates.metrics.first().map(|gate| gate.span);
            found.add("gates.metrics", ABSENT, "only informational metrics", span);
        }
        return;
    };
    let now: BTreeMap<&str, &MetricGate> = now.iter().map(|gate| (gate.metric.as_str(), gate)).collect();
    for was in was.iter().filter(|gate| !gate.informational) {
        let key = format!("gates.metrics.{}", was.metric);
        match now.get(was.metric.as_str()) {
            Some(now) => metric_gate(&key, was, now, found),
            None => found.add(key, gate_written(was), ABSENT, None),
        }
    }
}

fn metric_gate(key: &str, was: &MetricGate, now: &MetricGate, found: &mut Found) {
    if now.informational {
        found.add(format!("{key}.informational"), "false", "true", Some(now.span));
        return;
    }
    found.upper(format!("{key}.max"), was.max, now.max, now.span);
    found.lower(format!("{key}.min"), was.min, now.min, now.span);
    margin(key, was.max_regression, now.max_regression, now.span, found);
    if was.require_improvement && !now.require_improvement {
        found.add(format!("{key}.require"), "improvement", ABSENT, Some(now.span));
    }
}

/// The greater of both parts is allowed, so that either one can let more through; an absent part allows nothing.
fn margin(key: &str, was: Option<Margin>, now: Option<Margin>, span: Span, found: &mut Found) {
    let Some(was) = was else { return };
    let more = |now: Option<f64>, was: Option<f64>| now.unwrap_or(0.0) > was.unwrap_or(0.0);
    let looser = now.is_none_or(|now| more(now.relative, was.relative) || more(now.absolute, was.absolute));
    if looser {
        let new = now.map_or_else(|| ABSENT.to_owned(), margin_written);
        found.add(format!("{key}.max_regression"), margin_written(was), new, Some(span));
    }
}

fn margin_written(margin: Margin) -> String {
    let relative = margin.relative.map(shown_share);
    let absolute = margin.absolute.map(|value| value.to_string());
    match (relative, absolute) {
        (Some(relative), Some(absolute)) => format!("{{relative: {relative}, absolute: {absolute}}}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "0".to_owned(),
    }
}

fn gate_written(gate: &MetricGate) -> String {
    let parts = [
        gate.max.map(|max| format!("max: {max}")),
        gate.min.map(|min| format!("min: {min}")),
        gate.max_regression
            .map(|margin| format!("max_regression: {}", margin_written(margin))),
        gate.require_improvement.then(|| "require: improvement".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{{{}}}", parts.join(", "))
}

fn absent(value: Option<&str>) -> String {
    value.unwrap_or(ABSENT).to_owned()
}

/// What lets more drift through. Nothing is stopped by a gate that only warns, so that there only the policy counts.
fn drift_gate(base: &DriftGate, head: &DriftGate, found: &mut Found) {
    let (was, now) = (&base.settings, &head.settings);
    let rank = |policy: Policy| match policy {
        Policy::Ignore => 0,
        Policy::Warn | Policy::Retrain => 1,
        Policy::Fail => 2,
    };
    if rank(now.policy) < rank(was.policy) {
        found.add("gates.drift.policy", was.policy.word(), now.policy.word(), head.span);
        return;
    }
    if was.policy != Policy::Fail {
        return;
    }
    let span = head.span.unwrap_or_else(|| Span::new(1, 1, 1));
    let key = |key: &str| format!("gates.drift.{key}");
    found.upper(key("max_share"), Some(was.max_share), Some(now.max_share), span);
    found.lower(key("alpha"), Some(was.alpha), Some(now.alpha), span);
    found.upper(key("min_effect"), Some(was.min_effect), Some(now.min_effect), span);
    found.upper(
        key("min_rows"),
        Some(was.min_rows as f64),
        Some(now.min_rows as f64),
        span,
    );
    // What is looked at, how and against what: whatever it was meant for, other columns are judged.
    let looks = [
        ("mode", was.mode.word().to_owned(), now.mode.word().to_owned()),
        ("include", names_written(&was.include), names_written(&now.include)),
        ("exclude", names_written(&was.exclude), names_written(&now.exclude)),
        ("types", types_written(was), types_written(now)),
        ("method", methods_written(was), methods_written(now)),
        ("threshold", thresholds_written(was), thresholds_written(now)),
        (
            "time_column",
            absent(was.time_column.as_deref()),
            absent(now.time_column.as_deref()),
        ),
        (
            "seasonal",
            absent(was.seasonal.map(Season::name)),
            absent(now.seasonal.map(Season::name)),
        ),
        (
            "reference",
            absent(base.reference.as_deref()),
            absent(head.reference.as_deref()),
        ),
    ];
    for (name, was, now) in looks {
        if was != now {
            found.add(key(name), was, now, Some(span));
        }
    }
}

fn names_written(names: &[String]) -> String {
    if names.is_empty() {
        ABSENT.to_owned()
    } else {
        flow::list(names)
    }
}

fn map_written<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut entries = entries.into_iter().peekable();
    match entries.peek() {
        None => ABSENT.to_owned(),
        Some(_) => flow::map(entries),
    }
}

fn types_written(settings: &Settings) -> String {
    let kinds = settings.kinds.iter();
    map_written(kinds.map(|(column, kind)| (column.as_str(), kind_name(*kind).to_owned())))
}

fn methods_written(settings: &Settings) -> String {
    let kinds = settings.methods.iter();
    let kinds = kinds.map(|(kind, test)| (kind_name(*kind), flow::quoted(test)));
    let columns = settings.column_methods.iter();
    let columns: Vec<_> = columns
        .map(|(column, test)| (column.as_str(), flow::quoted(test)))
        .collect();
    let columns = (!columns.is_empty()).then(|| ("columns", flow::map(columns)));
    map_written(kinds.chain(columns))
}

/// The short form where no column has its own.
fn thresholds_written(settings: &Settings) -> String {
    if settings.column_thresholds.is_empty() {
        return shown(settings.threshold);
    }
    let columns = settings.column_thresholds.iter();
    let columns = flow::map(columns.map(|(column, value)| (column.as_str(), value.to_string())));
    let all = settings.threshold.map(|value| ("default", value.to_string()));
    flow::map(all.into_iter().chain([("columns", columns)]))
}

fn slice_gate(base: Option<&SliceGate>, head: Option<&SliceGate>, found: &mut Found) {
    let Some(base) = base else { return };
    let Some(head) = head else {
        let was = format!(
            "{{max_regression: {}, min_rows: {}}}",
            margin_written(base.max_regression),
            base.min_rows
        );
        found.add("gates.slices", was, ABSENT, None);
        return;
    };
    margin(
        "gates.slices",
        Some(base.max_regression),
        Some(head.max_regression),
        head.span,
        found,
    );
    if head.min_rows > base.min_rows {
        let (was, now) = (base.min_rows.to_string(), head.min_rows.to_string());
        found.add("gates.slices.min_rows", was, now, Some(head.span));
    }
}

fn budget(base: Option<&Budget>, head: Option<&Budget>, found: &mut Found) {
    let Some(base) = base else { return };
    let span = head.map(|head| head.span);
    let size = head.and_then(|head| head.model_size_bytes);
    if let Some(was) = base.model_size_bytes
        && size.is_none_or(|now| now > was)
    {
        let now = size.map_or_else(|| ABSENT.to_owned(), bytes_written);
        found.add("gates.budget.model_size", bytes_written(was), now, span);
    }
    let time = head.and_then(|head| head.train_time);
    if let Some(was) = base.train_time
        && time.is_none_or(|now| now > was)
    {
        let now = time.map_or_else(|| ABSENT.to_owned(), shown_duration);
        found.add("gates.budget.train_time", shown_duration(was), now, span);
    }
}

/// In the greatest unit that leaves a whole number.
fn bytes_written(bytes: u64) -> String {
    let units = [
        (1_000_000_000, "GB"),
        (1 << 30, "GiB"),
        (1_000_000, "MB"),
        (1 << 20, "MiB"),
        (1_000, "kB"),
        (1 << 10, "KiB"),
    ];
    match units
        .into_iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor))
    {
        Some((factor, unit)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

fn promotion(base: &Project, head: &Project, found: &mut Found) {
    let (was, now) = (&base.promote, &head.promote);
    if was.to != now.to {
        found.add("promote.to", was.to.to_string(), now.to.to_string(), now.to_span);
    }
    if strength(now.approval) < strength(was.approval) {
        found.add(
            "promote.approval",
            word(was.approval),
            word(now.approval),
            now.approval_span,
        );
    }
}

/// What production is read from, and who may see the key.
fn places(base: &Project, head: &Project, found: &mut Found) {
    if base.registry != head.registry {
        found.add(
            "registry",
            base.registry.word(),
            head.registry.word(),
            head.registry_span,
        );
    }
    let (was, now) = (&base.wandb, &head.wandb);
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| ABSENT.to_owned());
    let places = [
        ("wandb.entity", shown(&was.entity), shown(&now.entity)),
        ("wandb.registry", was.registry.clone(), now.registry.clone()),
        ("wandb.organization", shown(&was.organization), shown(&now.organization)),
        ("wandb.base_url", shown(&was.base_url), shown(&now.base_url)),
    ];
    // Where the repository itself keeps the versions, these are about runs alone.
    let is_read_there = [base.registry, head.registry] != [RegistryChoice::Embedded; 2];
    for (key, was, now) in places.into_iter().filter(|(_, was, now)| is_read_there && was != now) {
        found.add(key, was, now, head.wandb.span);
    }
    if was.is_required && !now.is_required {
        found.add("wandb.required", "true", "false", now.required_span);
    }
    if !was.shares_key && now.shares_key {
        found.add("wandb.share_key", "false", "true", now.share_key_span);
    }
}

/// How much stands between a version and production.
fn strength(approval: Approval) -> u8 {
    match approval {
        Approval::Auto => 0,
        Approval::Comment => 1,
        Approval::Environment => 2,
    }
}

fn word(approval: Approval) -> &'static str {
    match approval {
        Approval::Auto => "auto",
        Approval::Comment => "comment",
        Approval::Environment => "environment",
    }
}

#[cfg(test)]
mod tests;
