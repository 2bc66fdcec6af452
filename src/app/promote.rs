//! `promote` and `rollback`: moving what production is, each move with its evidence.

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::base::{Alias, ModelName, VersionNumber};
use crate::cli::Invocation;
use crate::pipeline::{self, Options};
use crate::promote::{self, Decision, Ground, Warnings};
use crate::sys;
use crate::track::{AliasMove, Judgement, ModelRegistry, ModelVersion, MoveKind, VersionRef};

use super::project::{self, Opened};
use super::registry::{tell, version_ref};
use super::{FAILED, Failure, PASSED};

/// Moves the production alias to a version whose gates are green against what is in production now.
pub async fn promote(invocation: &Invocation, version: Option<&str>, warnings: Warnings) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let registry = project::registry(&opened.root);
    let (model, alias) = (&opened.project.model, &opened.project.promote.to);
    let which = version.map_or_else(|| Ok(VersionRef::Alias(Alias::candidate())), version_ref)?;
    let mut version = registry.get(model, &which).await?;
    let from = registry.aliases(model).await?.get(alias).copied();
    let ground = Ground {
        alias,
        at: from,
        gates: pipeline::gates_digest(&opened.project),
        warnings,
    };
    let mut decision = promote::decide(&version, &ground);
    if decision == Decision::CompareFirst {
        version = compare_again(invocation, &opened, version, from).await?;
        decision = promote::decide(&version, &ground);
    }
    let because = match decision {
        Decision::Promote { because } => because,
        Decision::Keep { because } => {
            let stays = from == Some(version.number);
            let hint = if !stays && warnings == Warnings::Refuse && because.ends_with("not green") {
                "; `--accept-warnings` promotes it all the same and says so in the ledger"
            } else {
                ""
            };
            let answer = json!({"promoted": false, "reason": because});
            tell(invocation, &format!("not promoted: {because}{hint}"), &answer)?;
            return Ok(if stays { PASSED } else { FAILED });
        }
        Decision::CompareFirst => {
            let because = format!(
                "{} was judged against a version that is not in production",
                version.number
            );
            tell(
                invocation,
                &format!("not promoted: {because}"),
                &json!({"promoted": false, "reason": because}),
            )?;
            return Ok(FAILED);
        }
    };
    if let Err(why) = pipeline::load_model(&registry, &version).await? {
        return Err(Failure::Unusable(format!("{} can not be used: {why}", version.number)));
    }
    let step = AliasMove {
        alias: alias.clone(),
        from,
        to: Some(version.number),
        kind: MoveKind::Promotion,
        because,
    };
    registry
        .move_alias(model, step.clone(), &invocation.actor(), sys::now())
        .await?;
    moved(invocation, model, &step)?;
    Ok(PASSED)
}

/// Compares the version with what is in production now, on today's held-out rows, and records what that found.
async fn compare_again(
    invocation: &Invocation,
    opened: &Opened,
    version: ModelVersion,
    champion: Option<VersionNumber>,
) -> Result<ModelVersion, Failure> {
    let (events, _) = unbounded_channel();
    let services = project::services(invocation, &opened.root, events);
    let options = Options::of(&opened.file, false);
    let (met, number) = (champion.map(VersionRef::Number), VersionRef::Number(version.number));
    let mut finished = pipeline::compare_versions(&opened.project, &services, &options, met.as_ref(), &number).await?;
    finished.problems.locate(&opened.file, &opened.text);
    if finished.problems.has_errors() {
        return Err(finished.problems.into());
    }
    if finished.could_not_find_out || finished.facts.comparison.is_none() {
        let why = format!(
            "{} could not be compared with what is in production: {}",
            version.number, finished.facts.reason
        );
        return Err(Failure::Unusable(why));
    }
    let metadata = pipeline::judged_again(&version.metadata, &finished.facts);
    let passed = metadata["passed"] == true;
    let judgement = Judgement {
        version: version.number,
        against: champion,
        passed,
        metadata,
    };
    services
        .registry
        .judge(&version.model, judgement, &services.actor, services.now)
        .await?;
    Ok(services
        .registry
        .get(&version.model, &VersionRef::Number(version.number))
        .await?)
}

/// Moves the production alias back to where it was before.
pub async fn rollback(invocation: &Invocation) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let registry = project::registry(&opened.root);
    let (model, alias) = (&opened.project.model, &opened.project.promote.to);
    let from = registry.aliases(model).await?.get(alias).copied();
    let ledger = registry.ledger(model).await?;
    let Some(to) = promote::before(&ledger, alias) else {
        let because = format!("`{alias}` has no earlier version to go back to");
        tell(
            invocation,
            &format!("not rolled back: {because}"),
            &json!({"rolled_back": false, "reason": because}),
        )?;
        return Ok(FAILED);
    };
    let target = registry.get(model, &VersionRef::Number(to)).await?;
    if let Err(why) = pipeline::load_model(&registry, &target).await? {
        return Err(Failure::Unusable(format!("{to} can not be used: {why}")));
    }
    let because = "rolled back";
    let step = AliasMove {
        alias: alias.clone(),
        from,
        to: Some(to),
        kind: MoveKind::Rollback,
        because: because.to_owned(),
    };
    registry
        .move_alias(model, step.clone(), &invocation.actor(), sys::now())
        .await?;
    moved(invocation, model, &step)?;
    Ok(PASSED)
}

fn moved(invocation: &Invocation, model: &ModelName, step: &AliasMove) -> Result<(), Failure> {
    let shown = |version: Option<VersionNumber>| version.map_or_else(|| "nothing".to_owned(), |one| one.to_string());
    let AliasMove {
        alias,
        from,
        to,
        because,
        kind,
    } = step;
    let text = format!("`{alias}` of `{model}`: {} → {} ({because})", shown(*from), shown(*to));
    let done = if *kind == MoveKind::Rollback {
        "rolled_back"
    } else {
        "promoted"
    };
    tell(
        invocation,
        &text,
        &json!({done: true, "alias": alias, "from": from, "to": to, "because": because}),
    )
}
