//! A fork's run could write nothing: what it found is validated here as a stranger's word, and shown.

use crate::base::Diagnostics;
use crate::facts::Facts;
use crate::github::checks::Conclusion;
use crate::github::handover::Handed;
use crate::github::runner::{self, Annotation, Level};
use crate::github::{WorkflowRun, handover, pulls};
use crate::report::{self, Around, Render as _};

use super::super::run as local;
use super::super::{PASSED, UNKNOWN, UNUSABLE};
use super::deliver::Loudness;
use super::desk::Desk;
use super::shown::{self, Shown};

/// Of one configuration: twenty are less than the runner takes.
const SUMMARY_LIMIT: usize = 40_000;

/// Publishes the facts that a run without rights left.
pub async fn report(desk: &Desk, run: &WorkflowRun) -> u8 {
    let (Some(client), Some(head), Some(id)) = (&desk.github, &run.head, run.id) else {
        return nothing(desk, "nothing to do: the event names no run", PASSED);
    };
    let repository = &desk.context.repository;
    let finished = handover::FinishedRun { id, head };
    let received = match handover::fetch(client, repository, finished, handover::PREFIX).await {
        Ok(received) => received,
        Err(error) => {
            let why = format!("what the run left can not be used: {}", crate::pipeline::chain(&error));
            return unknown(desk, &why);
        }
    };
    for (name, why) in &received.refused {
        desk.notice(format!("`{name}` is refused: {why}"));
    }
    let mut code = if received.refused.is_empty() { PASSED } else { UNUSABLE };
    if received.handed.is_empty() {
        let why = match code {
            PASSED => "nothing to do: the run left no facts, since it could report by itself",
            _ => "nothing to report: what the run left is refused",
        };
        return nothing(desk, why, code);
    }
    let pull = match (&run.head_owner, &run.head_branch) {
        (Some(owner), Some(branch)) => pulls::open_from(client, repository, owner, branch, head).await,
        _ => pulls::open_at(client, repository, head).await,
    };
    let Some(pull) = desk.soft("the pull request", pull) else {
        return unknown(desk, "the pull request of the commit is not known");
    };
    let Some(pull) = pull else {
        return nothing(
            desk,
            "nothing to do: no open pull request has this commit as its head",
            code,
        );
    };
    let mut summary = String::new();
    for one in received.handed {
        match read(&one) {
            Ok(facts) => {
                let shown = of_stranger(&facts, run_page(desk, id), head.as_str());
                desk.checks(&shown, &format!("mlops / {} (fork)", shown.name), head)
                    .await;
                if desk.is_current(pull.number, head).await {
                    desk.comment(&shown, pull.number, head, Loudness::Heard).await;
                }
                summary += &report::Markdown { limit: SUMMARY_LIMIT }.render(&shown.document);
                summary += "\n\n";
            }
            Err(why) => {
                desk.notice(format!("the facts in `{}` are refused: {why}", one.key));
                code = UNUSABLE;
            }
        }
    }
    // That a stranger's run passed is nothing that a step after this one may act on.
    let reason = format!("the run of a fork for pull request {} is reported", pull.number);
    desk.write_files(&[("reason", reason)], &summary);
    desk.say(&[]);
    code
}

/// The facts, if they are what the name of their artifact says: two that claim to be one would take turns in one comment.
fn read(one: &Handed) -> Result<Facts, String> {
    let text = std::str::from_utf8(&one.bytes).map_err(|_| "they are not text".to_owned())?;
    let facts = Facts::from_stranger(text).map_err(|error| error.to_string())?;
    let key = shown::in_repository(facts.directory.as_deref(), &facts.config_file);
    if handover::key(&key) == one.key {
        Ok(facts)
    } else {
        Err("they are of another configuration than their name says".to_owned())
    }
}

/// Of the run that found it, where its log and its whole report are; this one only shows it.
fn run_page(desk: &Desk, id: u64) -> String {
    let (server, repository) = (&desk.context.urls.server, &desk.context.repository);
    format!("{server}/{repository}/actions/runs/{id}")
}

fn nothing(desk: &Desk, why: &str, code: u8) -> u8 {
    let summary = match code {
        PASSED => String::new(),
        _ => report::Markdown::default().render(&report::refusal("mlops", why, None)),
    };
    desk.write_files(&[("reason", why.to_owned())], &summary);
    desk.say(&[why.to_owned()]);
    code
}

/// The runner is told even then.
fn unknown(desk: &Desk, why: &str) -> u8 {
    let document = report::refusal("mlops", why, Some("run this job again"));
    let summary = report::Markdown::default().render(&document);
    desk.write_files(&[("passed", "false".to_owned()), ("reason", why.to_owned())], &summary);
    desk.say(&[runner::annotation(&Annotation::new(Level::Error, why))]);
    UNKNOWN
}

/// As a run of ours shows it, but nothing is called a success on a stranger's word.
fn of_stranger(facts: &Facts, page: String, head: &str) -> Shown {
    let facts = Facts {
        commit: Some(head.to_owned()),
        ..facts.clone()
    };
    let result = local::result(&facts, None);
    let mut shown = shown::of_facts(&facts, &Diagnostics::default(), &result, None, false);
    let around = Around {
        run: Some(page),
        by_stranger: true,
        ..Around::default()
    };
    shown.document = report::around(shown.document, &around);
    shown.conclusion = doubted(shown.conclusion);
    shown.version = None;
    for gate in &mut shown.gates {
        gate.conclusion = doubted(gate.conclusion);
    }
    shown
}

fn doubted(conclusion: Conclusion) -> Conclusion {
    match conclusion {
        Conclusion::Success => Conclusion::Neutral,
        Conclusion::Failure | Conclusion::Neutral | Conclusion::Cancelled | Conclusion::Skipped => conclusion,
    }
}
