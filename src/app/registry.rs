//! `publish`, `status`, `history`: people and the embedded registry.

use std::fmt::Write as _;

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::base::{Alias, VersionNumber, counted};
use crate::cli::Invocation;
use crate::pipeline;
use crate::track::{LedgerEntry, LedgerEvent, ModelRegistry, ModelVersion, RegistryError, VersionRef};

use super::project::{self, Opened};
use super::{FAILED, Failure, PASSED, json as wants_json, print};

/// A version as people write it: `v3`, `3`, or an alias.
pub fn version_ref(text: &str) -> Result<VersionRef, Failure> {
    if let Ok(number) = text.parse::<VersionNumber>() {
        return Ok(VersionRef::Number(number));
    }
    Ok(VersionRef::Alias(text.parse()?))
}

/// Makes a version of the last finished run.
pub async fn publish(invocation: &Invocation) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let (facts, bundle) = pipeline::load(&pipeline::latest(&opened.root)?)?;
    if facts.model != opened.project.model.as_str() {
        let message = format!(
            "the last run was of `{}`, and the configuration is of `{}`",
            facts.model, opened.project.model
        );
        return Err(Failure::Unusable(message));
    }
    if !facts.passed || bundle.is_empty() {
        tell(
            invocation,
            &format!("not published: the last run did not pass: {}", facts.reason),
            &json!({
                "published": false, "reason": facts.reason,
            }),
        )?;
        return Ok(FAILED);
    }
    let digest = pipeline::bundle_digest(&bundle)?;
    if facts.registry.as_ref().and_then(|registry| registry.digest) != Some(digest) {
        let message = "the files of the last run are not those that were judged: run again";
        return Err(Failure::Unusable(message.to_owned()));
    }
    let (events, _) = unbounded_channel();
    let (services, kept, _) = project::services(invocation, &opened, "publish", events).await?;
    let published = pipeline::publish_run(&services, &opened.project.promote, &facts, bundle).await;
    kept.close(u8::from(published.is_err())).await;
    let published = published?;
    let number = published.version.number;
    let said = if published.facts.existed {
        "is there already as"
    } else {
        "is now"
    };
    tell(
        invocation,
        &format!(
            "`{}` of the last run {said} {number}, {}",
            facts.model, published.version.digest
        ),
        &json!({
            "published": true, "version": number, "digest": published.version.digest, "existed": published.facts.existed,
        }),
    )?;
    Ok(PASSED)
}

/// What is in the registry now.
pub async fn status(invocation: &Invocation) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let (registry, place) = project::looking(invocation, &opened).await?;
    let model = &opened.project.model;
    let (versions, aliases) = (registry.versions(model).await?, registry.aliases(model).await?);
    let pointing = |number: VersionNumber| {
        let names = aliases
            .iter()
            .filter(|(_, at)| **at == number)
            .map(|(alias, _)| alias.to_string());
        names.collect::<Vec<_>>()
    };
    if wants_json(invocation) {
        let versions: Vec<_> = versions
            .iter()
            .map(|version| {
                json!({
                    "version": version.number, "digest": version.digest, "at": version.at, "actor": version.actor,
                    "aliases": pointing(version.number), "metrics": version.metadata["metrics"],
                    "passed": version.metadata["passed"],
                })
            })
            .collect();
        let value = json!({"model": model, "registry": place, "aliases": aliases, "versions": versions});
        print(&pretty(&value))?;
        return Ok(PASSED);
    }
    let mut text = format!("{model}: {}\n", counted(versions.len(), "version"));
    for version in versions.iter().rev().take(20) {
        let names = pointing(version.number).join(", ");
        // Writing to a string can not fail.
        let _ = writeln!(
            text,
            "  {:<5} {}  {}  {:<24} {names}",
            version.number.to_string(),
            version.digest.short(),
            version.at,
            primary(version)
        );
    }
    if versions.is_empty() {
        text.push_str("  `mlops run` makes the first one\n");
    } else if !aliases.contains_key(&opened.project.promote.to) {
        let _ = writeln!(
            text,
            "  nothing is in `{}` yet: `mlops promote` moves it",
            opened.project.promote.to
        );
    }
    print(text.trim_end())?;
    Ok(PASSED)
}

/// `rmse 53.13`, from what the version says about itself.
pub fn primary(version: &ModelVersion) -> String {
    let name = version.metadata["primary"].as_str().unwrap_or_default();
    let value = version.metadata["metrics"][name].as_f64();
    value.map(|value| format!("{name} {value:.4}")).unwrap_or_default()
}

/// Every publication and move, oldest first.
pub async fn history(invocation: &Invocation) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let project = &opened.project;
    let (registry, _) = project::looking(invocation, &opened).await?;
    let ledger = registry.ledger(&project.model).await?;
    if wants_json(invocation) {
        print(&pretty(&json!(ledger)))?;
        return Ok(PASSED);
    }
    let lines: Vec<String> = ledger.iter().map(history_line).collect();
    print(&if lines.is_empty() {
        format!("{}: no history yet", project.model)
    } else {
        lines.join("\n")
    })?;
    Ok(PASSED)
}

pub fn history_line(entry: &LedgerEntry) -> String {
    let shown = |version: Option<VersionNumber>| version.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
    let what = match &entry.event {
        LedgerEvent::Published { version, digest } => format!("published {version} ({})", digest.short()),
        LedgerEvent::Judged {
            version,
            against,
            passed,
        } => {
            let against = against.map_or_else(|| "the baseline".to_owned(), |against| against.to_string());
            let found = if *passed { "it passed" } else { "it did not pass" };
            format!("judged {version} again, against {against}: {found}")
        }
        LedgerEvent::Moved(step) => {
            format!(
                "{}: {} → {} ({})",
                step.alias,
                shown(step.from),
                shown(step.to),
                step.because
            )
        }
    };
    crate::exec::neutralise(&format!(
        "{:>4}  {}  {:<12} {what}",
        entry.sequence, entry.at, entry.actor
    ))
}

/// One answer, for people or for programs.
pub fn tell(invocation: &Invocation, text: &str, value: &serde_json::Value) -> Result<(), Failure> {
    print(&if wants_json(invocation) {
        pretty(value)
    } else {
        text.to_owned()
    })
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value can always be written")
}

/// The version that `predict` takes when none is named: production, else the candidate.
pub async fn serving(
    registry: &dyn ModelRegistry,
    opened: &Opened,
    named: Option<&str>,
) -> Result<ModelVersion, Failure> {
    let model = &opened.project.model;
    if let Some(named) = named {
        return Ok(registry.get(model, &version_ref(named)?).await?);
    }
    match registry
        .get(model, &VersionRef::Alias(opened.project.promote.to.clone()))
        .await
    {
        Err(RegistryError::NotFound { .. }) => Ok(registry.get(model, &VersionRef::Alias(Alias::candidate())).await?),
        found => Ok(found?),
    }
}
