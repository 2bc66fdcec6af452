//! A fork's run could write nothing: what it found is validated here as a stranger's word, and shown.

use crate::base::Diagnostics;
use crate::facts::Facts;
use crate::github::checks::Conclusion;
use crate::github::runner::{self, Annotation, Level};
use crate::github::{WorkflowRun, handover, pulls};
use crate::report::{self, Render as _};

use super::super::run as local;
use super::super::{PASSED, UNKNOWN};
use super::deliver::Loudness;
use super::desk::Desk;
use super::shown::{self, Shown};

/// Publishes the facts that a run without rights left.
pub async fn report(desk: &Desk, run: &WorkflowRun) -> u8 {
    let (Some(client), Some(head), Some(id)) = (&desk.github, &run.head, run.id) else {
        desk.say(&["nothing to do: the event names no run".to_owned()]);
        return PASSED;
    };
    let repository = &desk.context.repository;
    let finished = handover::FinishedRun { id, head };
    let received = match handover::fetch(client, repository, finished, handover::PREFIX).await {
        Ok(received) => received,
        Err(error) => {
            let why = format!("what the run left can not be used: {}", crate::pipeline::chain(&error));
            desk.say(&[runner::annotation(&Annotation::new(Level::Error, why))]);
            return UNKNOWN;
        }
    };
    for (name, why) in &received.refused {
        desk.notice(format!("`{name}` is refused: {why}"));
    }
    if received.handed.is_empty() {
        desk.say(&["nothing to do: the run left no facts, since it could report by itself".to_owned()]);
        return PASSED;
    }
    let pull = match (&run.head_owner, &run.head_branch) {
        (Some(owner), Some(branch)) => pulls::open_from(client, repository, owner, branch, head).await,
        _ => pulls::open_at(client, repository, head).await,
    };
    let Some(pull) = desk.soft("the pull request", pull) else {
        desk.say(&[]);
        return UNKNOWN;
    };
    let Some(pull) = pull else {
        desk.say(&["nothing to do: no open pull request has this commit as its head".to_owned()]);
        return PASSED;
    };
    let mut code = PASSED;
    for one in received.handed {
        let facts = String::from_utf8(one.bytes)
            .map_err(|_| "they are not text".to_owned())
            .and_then(|text| Facts::from_stranger(&text).map_err(|error| error.to_string()));
        match facts {
            Ok(facts) => {
                let shown = of_stranger(desk, &facts, head.as_str());
                desk.checks(&shown, &format!("mlops / {} (fork)", shown.name), head)
                    .await;
                if desk.is_current(pull.number, head).await {
                    desk.comment(&shown, pull.number, head, Loudness::Heard).await;
                }
                let summary = report::Markdown { limit: 200_000 }.render(&shown.document);
                desk.write_files(&shown.outputs, &summary);
            }
            Err(error) => {
                desk.notice(format!("the facts in `{}` are refused: {error}", one.key));
                code = UNKNOWN;
            }
        }
    }
    desk.say(&[]);
    code
}

/// As a run of ours shows it, but nothing is called a success on a stranger's word.
fn of_stranger(desk: &Desk, facts: &Facts, head: &str) -> Shown {
    let facts = Facts {
        commit: Some(head.to_owned()),
        ..facts.clone()
    };
    let result = local::result(&facts, None);
    let mut shown = shown::of_facts(&facts, &Diagnostics::default(), &result, None, false);
    shown.document = report::around(shown.document, &desk.around(None, true));
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
