//! The first `mlops.yaml` of a repository: what was seen, what was chosen, and why. Pure.

use std::fmt::Write as _;

use crate::base::{Diagnostic, Diagnostics, ModelName, Task, nearest, shortened};
use crate::config::Approval;
use crate::data::{self, Frame, identifies, infer_task, profile};
use crate::evaluate::{Margin, default_metrics};
use crate::train::{ESTIMATORS, estimators_for};

use super::{ACTION, Found, contract, quoted, wandb};

/// What the person said; what is absent is chosen.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    pub target: Option<String>,
    pub estimator: Option<String>,
    pub model: Option<String>,
    pub approval: Option<Approval>,
    /// The name of the repository's folder, for a model without a better name.
    pub repository: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The whole of `mlops.yaml`.
    pub text: String,
    pub reasons: Vec<Reason>,
}

/// A choice in one line.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The key of the configuration, or a file.
    pub what: String,
    pub choice: String,
    pub why: String,
}

/// Names that people give to the column to predict, the likeliest first.
const TARGETS: &[&str] = &[
    "target",
    "label",
    "y",
    "class",
    "outcome",
    "response",
    "price",
    "churn",
    "progression",
    "survived",
    "diagnosis",
    "species",
    "quality",
    "default",
    "fraud",
];
/// File names that say nothing about what is in them.
const GENERIC: &[&str] = &[
    "data", "dataset", "train", "training", "table", "input", "all", "part-0", "x",
];

/// Rows that each class of a target has at least, on average: comments and names have fewer.
const CLASS_ROWS: usize = 5;

/// Proposes a configuration for the data that was read from `source`.
///
/// # Errors
/// When a choice of the person can not be followed, or no column can be predicted.
pub fn propose(source: &str, frame: &Frame, found: &Found, choices: &Choices) -> Result<Proposal, Diagnostics> {
    let (target, task, why_target) = target(frame, choices)?;
    let (estimator, why_estimator) = estimator(task, choices)?;
    let (model, why_model) = model(source, &target, choices)?;
    let profile = profile(frame, None);
    let identifiers: Vec<&str> = profile
        .columns
        .iter()
        .filter(|column| column.name != target && identifies(&column.name) && column.n_distinct == profile.n_rows)
        .map(|column| column.name.as_str())
        .collect();

    let mut reasons = Vec::new();
    let mut reason = |what: &str, choice: &str, why: String| {
        reasons.push(Reason {
            what: what.to_owned(),
            choice: choice.to_owned(),
            why,
        });
    };
    reason("model", &model, why_model);
    reason(
        "data.source",
        source,
        match found.data.len() {
            0 | 1 => format!("{} rows, {} columns", profile.n_rows, profile.columns.len()),
            n => format!(
                "{} rows, {} columns; the likeliest of {n} data files, `--data FILE` names another",
                profile.n_rows,
                profile.columns.len()
            ),
        },
    );
    reason("data.target", &target, why_target);

    let mut text = String::new();
    let mut line = |written: &str| {
        text.push_str(written);
        text.push('\n');
    };
    line(&format!(
        "# yaml-language-server: $schema=https://raw.githubusercontent.com/{ACTION}/v1/docs/reference/mlops.schema.json"
    ));
    line(&format!("model: {}", quoted(&model)));
    line("");
    line("data:");
    line(&format!("  source: {}", quoted(source)));
    line(&format!("  target: {}", quoted(&target)));
    line(&format!("  task: {}", task.name()));
    if !identifiers.is_empty() {
        let names: Vec<String> = identifiers.iter().map(|name| quoted(name)).collect();
        line(&format!(
            "  exclude: [{}] # they name a row, and say nothing about it",
            names.join(", ")
        ));
        reason(
            "data.exclude",
            &identifiers.join(", "),
            "another value in every row: a model would learn the rows by heart".to_owned(),
        );
    }
    // A split of its own is worth a line: it decides what every number means.
    line("  split: {test: 20%, seed: 42}");
    let suggestion = data::suggest(frame, &profile, &target, task != Task::Regression);
    let (contract, rules) = contract::section(&suggestion);
    line(contract.trim_end());
    reason(
        "data.contract",
        &rules,
        "as they are today, with some room; loosen what may change".to_owned(),
    );
    line("");
    line("train:");
    line(&format!("  estimator: {}", quoted(&estimator)));
    reason("train.estimator", &estimator, why_estimator);
    line("");
    let metrics = default_metrics(task);
    let names: Vec<&str> = metrics.iter().map(|kind| kind.name).collect();
    line("evaluate:");
    line(&format!("  metrics: [{}]", names.join(", ")));
    line("");
    line("gates:");
    for (key, commands) in [("lint", &found.lint), ("test", &found.test)] {
        let texts: Vec<String> = commands.iter().map(|(command, _)| flow(command)).collect();
        if texts.is_empty() {
            reason(
                &format!("gates.{key}"),
                "none",
                format!("nothing in the repository asks for it; add `{key}: [command]` under `gates`"),
            );
        } else {
            line(&format!("  {key}: [{}]", texts.join(", ")));
            let shown: Vec<&str> = commands.iter().map(|(command, _)| command.as_str()).collect();
            let files: Vec<String> = commands.iter().map(|(_, file)| format!("`{file}`")).collect();
            reason(
                &format!("gates.{key}"),
                &shown.join(", "),
                format!("because of {}", files.join(", ")),
            );
        }
    }
    if let Some(first) = metrics.first() {
        let margin = margin(first.default_margin);
        line("  metrics:");
        line(&format!(
            "    {}: {{max_regression: {margin}}} # against production, on the same rows",
            first.name
        ));
        reason(
            "gates.metrics",
            &format!("{} may be worse by {margin}", first.name),
            "so that noise does not fail a change; tighten it once you know yours".to_owned(),
        );
    }
    let approval = choices.approval.unwrap_or(Approval::Comment);
    let (word, why) = match approval {
        Approval::Comment => ("comment", "a maintainer writes `/mlops promote` on a pull request"),
        Approval::Environment => ("environment", "the reviewers of the environment `production` agree"),
        Approval::Auto => ("auto", "every version whose gates are all green moves by itself"),
    };
    line("");
    line("promote:");
    line("  to: production");
    line(&format!("  approval: {word}"));
    reason("promote.approval", word, why.to_owned());
    if let Some(sign) = &found.wandb {
        text.push_str(&wandb::section(sign, &model));
        reasons.push(Reason {
            what: "wandb".to_owned(),
            choice: "prepared: the workflows pass the secret `WANDB_API_KEY` on".to_owned(),
            why: format!(
                "because of {sign}; until the secret is there nothing changes. GitHub gives none to pull requests of forks \
                 and of Dependabot; the lines in comments say that production is in W&B all the same"
            ),
        });
    }
    Ok(Proposal { text, reasons })
}

fn problem(code: &'static str, message: String, help: String) -> Diagnostics {
    Diagnostic::error(code, message).help(help).into()
}

/// The column to predict, what kind of task that is, and why this one.
fn target(frame: &Frame, choices: &Choices) -> Result<(String, Task, String), Diagnostics> {
    let names: Vec<&str> = frame.columns().iter().map(|column| column.name.as_str()).collect();
    if let Some(chosen) = &choices.target {
        let (task, why) = infer_task(frame, chosen)?;
        return Ok((chosen.clone(), task, format!("as you said; {}: {why}", task.name())));
    }
    let named = TARGETS
        .iter()
        .filter_map(|name| names.iter().find(|column| column.eq_ignore_ascii_case(name)))
        .map(|name| (*name, "it is named like one"));
    let last = names
        .iter()
        .rev()
        .map(|name| (*name, "it is the last column that can be one"));
    let fits = named
        .chain(last)
        .filter(|(name, _)| !identifies(name))
        .find_map(|(name, why)| {
            let (task, inferred) = infer_task(frame, name).ok()?;
            recurs(frame, name, task).then_some((name, why, (task, inferred)))
        });
    match fits {
        Some((name, why, (task, inferred))) => Ok((
            name.to_owned(),
            task,
            format!("{why} (`--target COLUMN` names another); {}: {inferred}", task.name()),
        )),
        None => Err(problem(
            "no-target",
            "no column of the data can be predicted".to_owned(),
            format!(
                "name one with `--target`; the columns are: {}",
                shortened(&names.join(", "))
            ),
        )),
    }
}

/// Whether the classes of a target come again often enough to be classes; quantities need not.
fn recurs(frame: &Frame, name: &str, task: Task) -> bool {
    match task {
        Task::Regression => true,
        Task::Binary | Task::Multiclass => frame.column(name).is_some_and(|column| {
            let n_most = frame.n_rows() / CLASS_ROWS;
            column.distinct(n_most).is_some()
        }),
    }
}

fn estimator(task: Task, choices: &Choices) -> Result<(String, String), Diagnostics> {
    let fitting = estimators_for(task);
    if let Some(chosen) = &choices.estimator {
        if fitting.contains(&chosen.as_str()) {
            return Ok((chosen.clone(), "as you said".to_owned()));
        }
        let known = ESTIMATORS.iter().any(|kind| kind.name == *chosen);
        let message = if known {
            format!("`{chosen}` can not do {}", task.name())
        } else {
            format!("unknown estimator `{}`", shortened(chosen))
        };
        let help = match nearest(chosen, fitting.iter().copied()).filter(|_| !known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("these can: {}", fitting.join(", ")),
        };
        return Err(problem("unknown-estimator", message, help));
    }
    let simple = match task {
        Task::Regression => "ridge",
        Task::Binary | Task::Multiclass => "logistic",
    };
    let others: Vec<&str> = fitting.iter().copied().filter(|name| *name != simple).collect();
    Ok((
        simple.to_owned(),
        format!(
            "simple, quick and hard to beat at first; the others are: {}",
            others.join(", ")
        ),
    ))
}

fn model(source: &str, target: &str, choices: &Choices) -> Result<(String, String), Diagnostics> {
    if let Some(chosen) = &choices.model {
        return match chosen.parse::<ModelName>() {
            Ok(_) => Ok((chosen.clone(), "as you said".to_owned())),
            Err(error) => Err(problem(
                "bad-name",
                error.to_string(),
                "write a name such as `house-prices`".to_owned(),
            )),
        };
    }
    let file = source.rsplit('/').next().unwrap_or(source);
    let stem = file.split('.').next().unwrap_or(file);
    let repository = choices.repository.as_deref().map(slug).filter(|name| !name.is_empty());
    let first = match repository {
        Some(repository) if GENERIC.contains(&slug(stem).as_str()) => repository,
        Some(_) | None => slug(stem),
    };
    let parts: Vec<String> = [first, slug(target)]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let name: String = parts.join("-").chars().take(100).collect();
    let name = if name.is_empty() { "model".to_owned() } else { name };
    Ok((
        name,
        "its name in the registry, from the data and the target".to_owned(),
    ))
}

/// Lowercase letters and digits with single hyphens between.
fn slug(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// A command inside a list in brackets.
fn flow(command: &str) -> String {
    let plain = command.starts_with(|c: char| c.is_ascii_alphabetic())
        && command
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/'));
    if plain { command.to_owned() } else { quoted(command) }
}

fn margin(margin: Margin) -> String {
    let mut shown = String::new();
    // Writing to a string can not fail.
    let _ = match (margin.relative, margin.absolute) {
        (Some(relative), None) => write!(shown, "{}%", (relative * 1e8).round() / 1e6),
        (None, Some(absolute)) => write!(shown, "{absolute}"),
        (Some(relative), Some(absolute)) => {
            write!(shown, "{{relative: {relative}, absolute: {absolute}}}")
        }
        (None, None) => write!(shown, "0"),
    };
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::check;
    use crate::data::Column;
    use crate::data::testing::{frame, numbers, texts};

    /// Forty rows of each kind of column.
    fn amounts(name: &str) -> Column {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i) * 1.5).collect();
        numbers(name, &values)
    }

    fn names(name: &str) -> Column {
        let values: Vec<String> = (0..40).map(|i| format!("row {i}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        texts(name, &values)
    }

    fn answers(name: &str) -> Column {
        texts(name, &["yes", "no"].repeat(20))
    }

    fn proposed(source: &str, columns: Vec<Column>, choices: &Choices) -> Result<String, Diagnostics> {
        let proposal = propose(source, &frame(columns), &Found::default(), choices)?;
        let checked = check(&proposal.text).unwrap_or_else(|problems| panic!("{problems}\n{}", proposal.text));
        assert!(checked.warnings.is_empty(), "{}\n{}", checked.warnings, proposal.text);
        Ok(proposal.text)
    }

    fn line(text: &str, key: &str) -> String {
        let found = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("{key}: ")));
        found.unwrap_or_else(|| panic!("no {key}:\n{text}")).to_owned()
    }

    #[test]
    fn a_named_target_comes_before_the_last_column() {
        let said = proposed("d.csv", vec![amounts("Price"), amounts("rooms")], &Choices::default()).unwrap();
        assert_eq!(
            (line(&said, "target"), line(&said, "estimator")),
            ("Price".into(), "ridge".into())
        );
        let said = proposed("d.csv", vec![amounts("a"), amounts("rooms")], &Choices::default()).unwrap();
        assert_eq!(line(&said, "target"), "rooms");
    }

    #[test]
    fn the_last_column_that_can_be_one() {
        // Texts that are all different are no classes, and an identifier is no target.
        let columns = vec![amounts("a"), answers("answer"), names("comment"), amounts("row_id")];
        let said = proposed("d.csv", columns, &Choices::default()).unwrap();
        assert_eq!(
            (line(&said, "target"), line(&said, "estimator")),
            ("answer".into(), "logistic".into())
        );
        assert_eq!(line(&said, "task"), "binary");
        assert!(line(&said, "exclude").starts_with("[row_id]"), "{said}");
    }

    #[test]
    fn nothing_to_predict_is_said() {
        let problems = proposed("d.csv", vec![names("a"), names("b")], &Choices::default()).unwrap_err();
        assert_eq!(problems.iter().next().unwrap().code, "no-target");
    }

    #[test]
    fn the_model_is_named_after_the_data() {
        let named = |source: &str, repository: Option<&str>| {
            let choices = Choices {
                repository: repository.map(ToOwned::to_owned),
                ..Choices::default()
            };
            line(
                &proposed(source, vec![amounts("x"), amounts("Sale Price")], &choices).unwrap(),
                "model",
            )
        };
        assert_eq!(named("data/House_2024.csv", Some("shop")), "house-2024-sale-price");
        assert_eq!(named("data/train.csv", Some("My Shop")), "my-shop-sale-price");
        assert_eq!(named("train.csv", None), "train-sale-price");
        assert_eq!(named("データ.csv", None), "sale-price");
    }

    #[test]
    fn a_sign_of_wandb_is_prepared_for_and_nothing_more() {
        let columns = || vec![amounts("a"), amounts("price")];
        let proposal = |wandb: Option<&str>| {
            let found = Found {
                wandb: wandb.map(ToOwned::to_owned),
                ..Found::default()
            };
            propose("d.csv", &frame(columns()), &found, &Choices::default()).unwrap()
        };
        let (without, with) = (proposal(None), proposal(Some("`train.py`")));
        assert!(!without.text.to_lowercase().contains("w&b"), "{}", without.text);
        let more = with.text.strip_prefix(&without.text).unwrap();
        assert!(
            more.lines().all(|line| line.is_empty() || line.starts_with('#')),
            "{more}"
        );
        assert!(
            more.contains("because of `train.py`") && more.contains("#   project: d-price "),
            "{more}"
        );
        let last = with.reasons.last().unwrap();
        assert_eq!(
            (last.what.as_str(), with.reasons.len()),
            ("wandb", without.reasons.len() + 1)
        );
        assert!(last.why.contains("forks"), "{}", last.why);
        check(&with.text).unwrap();
    }

    proptest! {
        #[test]
        fn any_names_make_a_configuration(first in "\\PC{1,20}", second in "\\PC{1,20}", file in "[a-z \"'#:]{1,12}") {
            prop_assume!(first != second && !first.trim().is_empty() && !second.trim().is_empty());
            prop_assume!(!file.contains("://") && !file.trim().is_empty());
            let choices = Choices { target: Some(second.clone()), ..Choices::default() };
            let said = proposed(&format!("{file}.csv"), vec![answers(&first), amounts(&second)], &choices).unwrap();
            let checked = check(&said).unwrap().project;
            prop_assert_eq!(checked.data.target, second);
            prop_assert_eq!(checked.data.source, format!("{file}.csv"));
        }
    }
}
