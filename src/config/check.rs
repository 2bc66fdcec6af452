//! The whole of `mlops.yaml`: tree → [`Project`]. Pure.

use crate::base::{Alias, Diagnostic, Diagnostics, Fields, Kind, ModelName, NameError, Node, shortened};
use crate::train::{ESTIMATORS, Estimator};

use super::project::{Approval, EnvironmentChoice, Project, PromoteSettings};
use super::values::{Notes, filled};
use super::{data, gates, hidden, parse, steps, train, wandb};

/// A configuration that can be used, and what is odd in it.
#[derive(Debug)]
pub struct Checked {
    pub project: Project,
    pub warnings: Diagnostics,
}

/// Checks the text of a configuration file.
///
/// # Errors
/// Every problem at once, sorted by place, each with its place; warnings among them.
pub fn check(text: &str) -> Result<Checked, Diagnostics> {
    check_with(text, ESTIMATORS)
}

/// As [`check`], with these estimators.
pub fn check_with(text: &str, estimators: &[Kind<dyn Estimator>]) -> Result<Checked, Diagnostics> {
    let (node, problems) = parse::read(text);
    let mut notes = Notes {
        problems,
        ..Notes::default()
    };
    let project = node.and_then(|node| project(&node, estimators, &mut notes));
    let mut problems = hidden::without_secrets(&notes.problems, text);
    problems.sort();
    match project {
        Some(mut project) if !problems.has_errors() => {
            project.defaults = notes.defaults;
            Ok(Checked {
                project,
                warnings: problems,
            })
        }
        Some(_) | None => Err(problems),
    }
}

fn project(root: &Node, estimators: &[Kind<dyn Estimator>], notes: &mut Notes) -> Option<Project> {
    let problems = &mut notes.problems;
    let mut fields = Fields::of(root, "", problems)?;
    let several = fields.later("models", problems);
    // Each model of the list has its own.
    let mut needed = |key| {
        if several {
            fields.optional(key)
        } else {
            fields.required(key, problems)
        }
    };
    let (model, data_node, train_node) = (needed("model"), needed("data"), needed("train"));
    let evaluate_node = fields.optional("evaluate");
    let gates_node = fields.optional("gates");
    let promote_node = fields.optional("promote");
    let registry_node = fields.optional("registry");
    let environment_node = fields.optional("environment");
    let steps_node = fields.optional("steps");
    let wandb_node = fields.optional("wandb");
    fields.finish(problems);

    let model_span = model.map_or(root.span, |node| node.span);
    let model = model.and_then(|node| name(node, "model", problems));
    let environment = environment(environment_node, notes);
    let data = data_node.and_then(|node| data::read(node, notes));
    let task = data.as_ref().and_then(|data| data.task);
    let train = train_node.and_then(|node| train::read(node, task, estimators, notes));
    let evaluate = train::evaluate(evaluate_node, task, notes);
    let gates = gates::read(gates_node, task, &evaluate, notes);
    let steps = steps::read(steps_node, notes);
    let registry = wandb::registry(registry_node, notes);
    let wandb = wandb::read(wandb_node, registry, notes);
    let promote = promote(promote_node, notes);
    Some(Project {
        model: model?,
        model_span,
        data: data?,
        steps: steps?,
        train: train?,
        evaluate,
        gates,
        promote: promote?,
        registry,
        registry_span: registry_node.map(|node| node.span),
        wandb: wandb?,
        environment,
        defaults: Vec::new(),
    })
}

fn name(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<ModelName> {
    let text = filled(node, what, problems)?;
    text.parse()
        .map_err(|error: NameError| bad_name(node, &error, problems))
        .ok()
}

fn bad_name(node: &Node, error: &NameError, problems: &mut Diagnostics) {
    problems.push(
        Diagnostic::error(
            "bad-name",
            format!(
                "`{}` is not a usable {}: {}",
                shortened(&error.name),
                error.what,
                error.why
            ),
        )
        .at(node.span)
        .help("write a name such as `house-prices`"),
    );
}

fn environment(node: Option<&Node>, notes: &mut Notes) -> EnvironmentChoice {
    let Some(node) = node else {
        notes.assume("environment", "auto");
        return EnvironmentChoice::Auto;
    };
    match node.one_of("environment", &["auto", "none"], &mut notes.problems) {
        Some("none") => EnvironmentChoice::None,
        _ => EnvironmentChoice::Auto,
    }
}

fn promote(node: Option<&Node>, notes: &mut Notes) -> Option<PromoteSettings> {
    let problems = &mut notes.problems;
    let (mut to_node, mut approval_node) = (None, None);
    if let Some(node) = node {
        let mut fields = Fields::of(node, "promote", problems)?;
        to_node = fields.optional("to");
        approval_node = fields.optional("approval");
        fields.later("deploy", problems);
        fields.finish(problems);
    }
    let to = match to_node {
        Some(node) => alias(node, problems),
        None => Some(Alias::production()),
    };
    let approval = match approval_node {
        Some(node) => node
            .one_of("promote.approval", &["comment", "environment", "auto"], problems)
            .map(|word| match word {
                "environment" => Approval::Environment,
                "auto" => Approval::Auto,
                _ => Approval::Comment,
            }),
        None => Some(Approval::Comment),
    };
    if to_node.is_none() {
        notes.assume("promote.to", Alias::production().to_string());
    }
    if approval_node.is_none() {
        notes.assume("promote.approval", "comment");
    }
    Some(PromoteSettings {
        to: to?,
        to_span: to_node.map(|node| node.span),
        approval: approval?,
        approval_span: approval_node.map(|node| node.span),
    })
}

fn alias(node: &Node, problems: &mut Diagnostics) -> Option<Alias> {
    let text = filled(node, "promote.to", problems)?;
    let alias: Alias = text
        .parse()
        .map_err(|error: NameError| bad_name(node, &error, problems))
        .ok()?;
    if alias == Alias::candidate() {
        problems.push(
            Diagnostic::error(
                "conflict",
                "`promote.to` can not be `candidate`, which every new version gets",
            )
            .at(node.span)
            .help("name the alias that production reads, such as `production`"),
        );
        return None;
    }
    Some(alias)
}
