//! Promotion, rollback and looking, for whoever asks: the answer is a document.

use tokio::sync::mpsc::unbounded_channel;

use crate::base::{Alias, ModelName};
use crate::cli::Invocation;
use crate::exec::neutralise;
use crate::github::runner::{self, Annotation, Level};
use crate::pipeline::Services;
use crate::promote::Warnings;
use crate::report::{self, Document, Render as _, Tone, VersionRow};
use crate::track::{AliasMove, VersionRef};

use super::super::moves::{self, Outcome, Wanted};
use super::super::project::{self, Opened};
use super::super::registry::{history_line, primary, version_ref};
use super::super::wandb::Reach;
use super::super::{FAILED, Failure, PASSED, failure, promote};
use super::desk::Desk;
use super::evaluate::{self, Asked};
use super::plan::Move;

/// Versions and moves that an answer shows.
const MAX_SHOWN: usize = 20;

/// What became of a request.
pub struct Answer {
    pub document: Document,
    pub code: u8,
    /// What moved.
    pub moved: Option<AliasMove>,
    /// The runner was told outputs and a summary already.
    pub is_told: bool,
}

impl Answer {
    pub fn new(document: Document, code: u8) -> Self {
        Self {
            document,
            code,
            moved: None,
            is_told: false,
        }
    }
}

/// A promotion, a rollback or a look that the workflow's inputs ask for.
pub async fn act(desk: &Desk, invocation: &Invocation, to: Move) -> u8 {
    let answered = asked_by_inputs(desk, invocation, to).await;
    let answer = match answered {
        Ok(answer) => answer,
        Err(failure) => {
            desk.write_files(&[("reason", failure.line()), ("passed", "false".to_owned())], "");
            desk.say(&[runner::annotation(&Annotation::new(Level::Error, failure.line()))]);
            return failure::show(&failure, invocation);
        }
    };
    let title = report::document_title(&answer.document);
    let outputs = [
        ("reason", title.clone()),
        ("passed", (answer.code == PASSED).to_string()),
    ];
    let summary = report::Markdown::default().render(&answer.document);
    desk.write_files(&outputs, &summary);
    desk.say(&[neutralise(&title)]);
    answer.code
}

async fn asked_by_inputs(desk: &Desk, invocation: &Invocation, to: Move) -> Result<Answer, Failure> {
    let opened = project::open(invocation)?;
    let (events, _) = unbounded_channel();
    let asked = Asked {
        actor: &desk.context.actor,
        job_type: to.word(),
        reach: Reach::Trusted,
    };
    let (services, kept, _) = evaluate::services(desk, invocation, &opened, &asked, events).await?;
    let mut wanted = wanted(desk.inputs.version.as_deref(), desk.inputs.accept_warnings)?;
    wanted.asked.clone_from(&desk.inputs.reason);
    let answer = answered(&opened, &services, to, &wanted).await;
    kept.close(answer.as_ref().map_or(1, |answer| answer.code)).await;
    let answer = answer?;
    desk.record_deployment(&opened, &answer).await;
    Ok(answer)
}

/// The version that is named, else the candidate.
pub fn wanted(version: Option<&str>, accept_warnings: bool) -> Result<Wanted, Failure> {
    Ok(Wanted {
        version: version.map_or_else(|| Ok(VersionRef::Alias(Alias::candidate())), version_ref)?,
        warnings: if accept_warnings {
            Warnings::Accept
        } else {
            Warnings::Refuse
        },
        asked: None,
    })
}

/// Does it, and says what became of it.
pub async fn answered(opened: &Opened, services: &Services, to: Move, wanted: &Wanted) -> Result<Answer, Failure> {
    let model = &opened.project.model;
    let outcome = match to {
        Move::Status => return status(opened, services).await,
        Move::Promote => moves::promote(opened, services, wanted).await?,
        Move::Plan => moves::plan(opened, services, wanted).await?,
        Move::Rollback => moves::roll_back(opened, services, wanted.asked.as_deref()).await?,
    };
    Ok(match outcome {
        Outcome::Move(step) => {
            let word = match to {
                Move::Promote => "Promoted",
                Move::Rollback => "Rolled back",
                Move::Plan | Move::Status => "It would move",
            };
            let document = report::statement(model.as_str(), Tone::Good, word, &told(model, &step, wanted), &[]);
            Answer {
                moved: Some(step).filter(|_| to != Move::Plan),
                ..Answer::new(document, PASSED)
            }
        }
        Outcome::Stays {
            because,
            is_there,
            can_accept,
        } => {
            let hint = can_accept.then(|| {
                "`/mlops promote --accept-warnings` promotes it all the same, and the ledger says so".to_owned()
            });
            let (tone, word) = if is_there {
                (Tone::Plain, "Nothing moves")
            } else {
                (Tone::Warn, "Not done")
            };
            let hints: Vec<String> = hint.into_iter().collect();
            let code = if is_there || to == Move::Plan { PASSED } else { FAILED };
            Answer::new(report::statement(model.as_str(), tone, word, &because, &hints), code)
        }
    })
}

/// The move as an answer tells it: who asked knows that they did.
fn told(model: &ModelName, step: &AliasMove, wanted: &Wanted) -> String {
    let asked = wanted.asked.as_deref().map(|asked| format!("; {asked}"));
    let because = asked.and_then(|asked| step.because.strip_suffix(&asked).map(str::to_owned));
    promote::sentence(
        model,
        &AliasMove {
            because: because.unwrap_or_else(|| step.because.clone()),
            ..step.clone()
        },
    )
}

async fn status(opened: &Opened, services: &Services) -> Result<Answer, Failure> {
    let model = &opened.project.model;
    let registry = services.registry.as_ref();
    let (versions, aliases) = (registry.versions(model).await?, registry.aliases(model).await?);
    let ledger = registry.ledger(model).await?;
    let newest = &versions[versions.len().saturating_sub(MAX_SHOWN)..];
    let rows: Vec<VersionRow> = newest
        .iter()
        .map(|version| VersionRow {
            number: version.number,
            aliases: aliases
                .iter()
                .filter(|(_, at)| **at == version.number)
                .map(|(alias, _)| alias.to_string())
                .collect(),
            primary: primary(version),
            passed: version.metadata["passed"].as_bool(),
            at: version.at,
            actor: version.actor.clone(),
        })
        .collect();
    let moves: Vec<String> = ledger.iter().rev().take(MAX_SHOWN).map(history_line).collect();
    Ok(Answer::new(
        report::registry(model.as_str(), &services.registry_place, &rows, &moves),
        PASSED,
    ))
}
