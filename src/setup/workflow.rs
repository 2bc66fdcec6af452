//! A workflow file as far as `doctor` looks at it: triggers, jobs, permissions, steps. Pure.

use std::collections::BTreeMap;

use crate::base::{Diagnostics, Entry, Node, Span, Value};
use crate::config;

use super::ACTION;

#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// From the repository's root.
    pub path: String,
    pub name: Option<String>,
    /// Where `on` stands.
    pub on: Span,
    pub triggers: Vec<Trigger>,
    pub permissions: Option<Permissions>,
    pub jobs: Vec<Job>,
    /// Its variables.
    pub env: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    pub event: String,
    pub span: Span,
    pub settings: Option<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: String,
    pub span: Span,
    pub condition: Option<String>,
    pub labels: Vec<(String, Span)>,
    pub permissions: Option<Permissions>,
    pub environment: Option<(String, Span)>,
    pub has_timeout: bool,
    pub steps: Vec<Step>,
    /// Its variables.
    pub env: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub span: Span,
    /// Its variables.
    pub env: Vec<Entry>,
    pub uses: Option<(String, Span)>,
    pub run: Option<String>,
    pub with: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    None,
    Read,
    Write,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Permissions {
    pub span: Span,
    /// What `read-all` and `write-all` give to everything.
    all: Level,
    named: BTreeMap<String, Level>,
}

impl Permissions {
    pub fn level(&self, name: &str) -> Level {
        self.named.get(name).copied().unwrap_or(self.all)
    }
}

impl Workflow {
    /// Reads a workflow's text.
    ///
    /// # Errors
    /// When it is no YAML. What is only no workflow reads as one that does nothing.
    pub fn read(path: &str, text: &str) -> Result<Self, Diagnostics> {
        let root = config::tree(text, "the workflow").map_err(|mut problems| {
            problems.locate(path, text);
            problems
        })?;
        let on = entry(&root, "on");
        Ok(Self {
            path: path.to_owned(),
            name: get(&root, "name").and_then(text_of),
            on: on.map_or(root.span, |on| on.key_span),
            triggers: on.map(|on| triggers(&on.node)).unwrap_or_default(),
            permissions: entry(&root, "permissions").map(permissions),
            env: entries(get(&root, "env")).to_vec(),
            jobs: entries(get(&root, "jobs")).iter().map(job).collect(),
        })
    }

    /// What the token of a job may do; `None` when only the repository's settings say.
    pub fn permissions_of<'w>(&'w self, job: &'w Job) -> Option<&'w Permissions> {
        job.permissions.as_ref().or(self.permissions.as_ref())
    }

    /// The events that a job with the action runs on, as far as its condition can be read.
    pub fn events_of(&self, job: &Job) -> Vec<&Trigger> {
        let (only, never) = job.condition.as_deref().map(compared).unwrap_or_default();
        let runs = |event: &String| !never.contains(event) && (only.is_empty() || only.contains(event));
        self.triggers.iter().filter(|trigger| runs(&trigger.event)).collect()
    }
}

impl Job {
    /// The step that is the action, and its place among the steps.
    pub fn action(&self) -> Option<(usize, &Step)> {
        self.steps.iter().enumerate().find(|(_, step)| step.is_action())
    }
}

impl Step {
    fn is_action(&self) -> bool {
        self.uses.as_ref().is_some_and(|(uses, _)| {
            let name = uses.split('@').next().unwrap_or_default();
            name.eq_ignore_ascii_case(ACTION)
        })
    }

    pub fn is_checkout(&self) -> bool {
        let uses = self.uses.as_ref().map(|(uses, _)| uses.to_ascii_lowercase());
        uses.is_some_and(|uses| uses.starts_with("actions/checkout@"))
    }

    /// An input as it is written.
    pub fn input(&self, name: &str) -> Option<String> {
        let entry = self.with.iter().find(|entry| entry.key.eq_ignore_ascii_case(name))?;
        text_of(&entry.node)
    }
}

pub fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    entry(node, key).map(|entry| &entry.node)
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    entries(Some(node)).iter().find(|entry| entry.key == key)
}

fn entries(node: Option<&Node>) -> &[Entry] {
    match node.map(|node| &node.value) {
        Some(Value::Map(entries)) => entries,
        Some(Value::Null | Value::Bool(_) | Value::Number { .. } | Value::Text(_) | Value::List(_)) | None => &[],
    }
}

/// A scalar as it is written.
pub fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number { text, .. } => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// One text, or a list of them, each with its place.
pub fn texts_of(node: &Node) -> Vec<(String, Span)> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number { .. } | Value::Text(_) | Value::Map(_) => {
            std::slice::from_ref(node)
        }
    };
    items
        .iter()
        .filter_map(|item| Some((text_of(item)?, item.span)))
        .collect()
}

fn triggers(node: &Node) -> Vec<Trigger> {
    if let Value::Map(entries) = &node.value {
        let trigger = |entry: &Entry| Trigger {
            event: entry.key.clone(),
            span: entry.key_span,
            settings: Some(entry.node.clone()),
        };
        return entries.iter().map(trigger).collect();
    }
    let trigger = |(event, span)| Trigger {
        event,
        span,
        settings: None,
    };
    texts_of(node).into_iter().map(trigger).collect()
}

fn permissions(entry: &Entry) -> Permissions {
    let all = match text_of(&entry.node).as_deref() {
        Some("write-all") => Level::Write,
        Some("read-all") => Level::Read,
        Some(_) | None => Level::None,
    };
    let level = |entry: &Entry| match text_of(&entry.node).as_deref() {
        Some("write") => Level::Write,
        Some("read") => Level::Read,
        Some(_) | None => Level::None,
    };
    let named = entries(Some(&entry.node));
    Permissions {
        span: entry.key_span,
        all,
        named: named.iter().map(|entry| (entry.key.clone(), level(entry))).collect(),
    }
}

fn job(found: &Entry) -> Job {
    let node = &found.node;
    let labels = get(node, "runs-on").map(|runs_on| texts_of(get(runs_on, "labels").unwrap_or(runs_on)));
    let environment = get(node, "environment").and_then(|environment| {
        let name = get(environment, "name").unwrap_or(environment);
        Some((text_of(name)?, name.span))
    });
    let steps = match get(node, "steps").map(|steps| &steps.value) {
        Some(Value::List(steps)) => steps.iter().map(step).collect(),
        Some(_) | None => Vec::new(),
    };
    Job {
        id: found.key.clone(),
        span: found.key_span,
        condition: get(node, "if").and_then(text_of),
        labels: labels.unwrap_or_default(),
        permissions: entry(node, "permissions").map(permissions),
        environment,
        has_timeout: get(node, "timeout-minutes").is_some(),
        steps,
        env: entries(get(node, "env")).to_vec(),
    }
}

fn step(node: &Node) -> Step {
    Step {
        span: node.span,
        env: entries(get(node, "env")).to_vec(),
        uses: get(node, "uses").and_then(|uses| Some((text_of(uses)?, uses.span))),
        run: get(node, "run").and_then(text_of),
        with: entries(get(node, "with")).to_vec(),
    }
}

/// The events that a condition names with `==`, and those that it names with `!=`.
///
/// Not a reading of the expression: who joins these in other ways than people do is taken to run on what is named.
fn compared(condition: &str) -> (Vec<String>, Vec<String>) {
    let (mut only, mut never) = (Vec::new(), Vec::new());
    for rest in condition.split("github.event_name").skip(1) {
        let rest = rest.trim_start();
        let (list, rest) = match (rest.strip_prefix("=="), rest.strip_prefix("!=")) {
            (Some(rest), _) => (&mut only, rest),
            (None, Some(rest)) => (&mut never, rest),
            (None, None) => continue,
        };
        if let Some(event) = rest
            .trim_start()
            .strip_prefix('\'')
            .and_then(|rest| rest.split('\'').next())
        {
            list.push(event.to_owned());
        }
    }
    (only, never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_in_every_form() {
        for text in [
            "on: push\n",
            "on: [push]\n",
            "on: {push: }\n",
            "'on':\n  push:\n    branches: [main]\n",
        ] {
            let workflow = Workflow::read("w.yml", text).unwrap();
            assert_eq!(workflow.triggers.len(), 1, "{text}");
            assert_eq!(workflow.triggers[0].event, "push");
        }
        assert!(Workflow::read("w.yml", "- 1\n").unwrap().triggers.is_empty());
    }

    #[test]
    fn permissions_in_every_form() {
        let level = |text: &str, name: &str| {
            let workflow = Workflow::read("w.yml", &format!("permissions: {text}\n")).unwrap();
            workflow.permissions.unwrap().level(name)
        };
        assert_eq!(level("write-all", "checks"), Level::Write);
        assert_eq!(level("read-all", "checks"), Level::Read);
        assert_eq!(level("{}", "checks"), Level::None);
        assert_eq!(level("{checks: write}", "checks"), Level::Write);
        assert_eq!(level("{checks: write}", "contents"), Level::None);
    }

    #[test]
    fn conditions_on_the_event() {
        let events = |condition: &str| {
            let text = format!("on: [push, pull_request, schedule]\njobs:\n  a:\n    if: {condition}\n");
            let workflow = Workflow::read("w.yml", &text).unwrap();
            let events = workflow.events_of(&workflow.jobs[0]);
            events.iter().map(|trigger| trigger.event.clone()).collect::<Vec<_>>()
        };
        assert_eq!(events("github.event_name == 'push'"), ["push"]);
        assert_eq!(
            events("github.event_name != 'push' && github.actor != 'x'"),
            ["pull_request", "schedule"]
        );
        assert_eq!(events("always()"), ["push", "pull_request", "schedule"]);
    }

    #[test]
    fn broken_yaml_has_a_place() {
        let problems = Workflow::read(".github/workflows/w.yml", "on: [push\njobs: {}\n").unwrap_err();
        let first = problems.iter().next().unwrap();
        assert_eq!(first.file.as_deref(), Some(".github/workflows/w.yml"));
        assert!(first.span.is_some());
        assert!(Workflow::read("w.yml", "").is_err());
    }
}
