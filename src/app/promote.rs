//! `promote` and `rollback` on the command line.

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::base::{ModelName, VersionNumber};
use crate::cli::Invocation;
use crate::promote::Warnings;
use crate::track::{AliasMove, MoveKind};

use super::moves::{self, Outcome, Wanted};
use super::project;
use super::registry::{tell, version_ref};
use super::{FAILED, Failure, PASSED};

/// Moves the production alias to a version whose gates are green against what is in production now.
pub async fn promote(invocation: &Invocation, version: Option<&str>, warnings: Warnings) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let (events, _) = unbounded_channel();
    let (services, kept, _) = project::services(invocation, &opened, "promote", events).await?;
    let mut wanted = Wanted {
        warnings,
        ..Wanted::candidate()
    };
    if let Some(version) = version {
        wanted.version = version_ref(version)?;
    }
    let outcome = moves::promote(&opened, &services, &wanted).await;
    kept.close(u8::from(outcome.is_err())).await;
    match outcome? {
        Outcome::Move(step) => {
            moved(invocation, &opened.project.model, &step)?;
            Ok(PASSED)
        }
        Outcome::Stays {
            because,
            is_there,
            can_accept,
        } => {
            let hint = if can_accept {
                "; `--accept-warnings` promotes it all the same and says so in the ledger"
            } else {
                ""
            };
            let answer = json!({"promoted": false, "reason": because});
            tell(invocation, &format!("not promoted: {because}{hint}"), &answer)?;
            Ok(if is_there { PASSED } else { FAILED })
        }
    }
}

/// Moves the production alias back to where it was before.
pub async fn rollback(invocation: &Invocation) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let (events, _) = unbounded_channel();
    let (services, kept, _) = project::services(invocation, &opened, "rollback", events).await?;
    let outcome = moves::roll_back(&opened, &services, None).await;
    kept.close(u8::from(outcome.is_err())).await;
    match outcome? {
        Outcome::Move(step) => {
            moved(invocation, &opened.project.model, &step)?;
            Ok(PASSED)
        }
        Outcome::Stays { because, .. } => {
            let answer = json!({"rolled_back": false, "reason": because});
            tell(invocation, &format!("not rolled back: {because}"), &answer)?;
            Ok(FAILED)
        }
    }
}

fn moved(invocation: &Invocation, model: &ModelName, step: &AliasMove) -> Result<(), Failure> {
    let done = if step.kind == MoveKind::Rollback {
        "rolled_back"
    } else {
        "promoted"
    };
    let AliasMove {
        alias,
        from,
        to,
        because,
        ..
    } = step;
    let value = json!({done: true, "alias": alias, "from": from, "to": to, "because": because});
    tell(invocation, &sentence(model, step), &value)
}

/// `` `production` of `m`: v1 → v2 (every gate passed against v1) ``.
pub fn sentence(model: &ModelName, step: &AliasMove) -> String {
    let shown = |version: Option<VersionNumber>| version.map_or_else(|| "nothing".to_owned(), |one| one.to_string());
    format!(
        "`{}` of `{model}`: {} → {} ({})",
        step.alias,
        shown(step.from),
        shown(step.to),
        step.because
    )
}
