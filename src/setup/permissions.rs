//! What the token of a job must be allowed to do, by event, and what is lost without it. Pure.

use std::fmt::Write as _;

use super::doctor::{Asks, Finding, Matter, Place};
use super::workflow::{Job, Level, Workflow};
use crate::config::{Approval, RegistryChoice};

/// A permission that an event needs.
struct Need {
    events: &'static [&'static str],
    permission: &'static str,
    level: Level,
    matter: Matter,
    /// What does not come without it.
    loses: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        events: &["issue_comment"],
        permission: "actions",
        level: Level::Write,
        matter: Matter::Missing,
        loses: "`/mlops promote` can not start the workflow in which the environment's reviewers agree",
    },
    Need {
        events: &["workflow_run"],
        permission: "actions",
        level: Level::Read,
        matter: Matter::Missing,
        loses: "the facts that a fork's run left can not be read",
    },
    Need {
        events: &[
            "pull_request",
            "merge_group",
            "workflow_run",
            "push",
            "schedule",
            "workflow_dispatch",
            "issue_comment",
        ],
        permission: "contents",
        level: Level::Read,
        matter: Matter::Missing,
        loses: "the code of a private repository can not be read",
    },
    Need {
        events: &["push", "schedule", "workflow_dispatch", "issue_comment"],
        permission: "contents",
        level: Level::Write,
        matter: Matter::Missing,
        loses: "no version and no promotion is kept: the registry is a branch of the repository",
    },
    Need {
        events: &["pull_request", "merge_group", "push", "workflow_run"],
        permission: "checks",
        level: Level::Write,
        matter: Matter::Missing,
        loses: "the verdict and the gates do not show as checks, and no line is annotated",
    },
    Need {
        events: &["pull_request", "push", "workflow_run", "issue_comment"],
        permission: "pull-requests",
        level: Level::Write,
        matter: Matter::Missing,
        loses: "nothing is written on the pull request: the result is in the job's summary only",
    },
    Need {
        events: &["schedule"],
        permission: "issues",
        level: Level::Write,
        matter: Matter::Missing,
        loses: "nobody is told when the scheduled run does not pass",
    },
    Need {
        events: &["push", "workflow_dispatch", "issue_comment"],
        permission: "deployments",
        level: Level::Write,
        matter: Matter::Advice,
        loses: "GitHub shows no record of what is in production",
    },
];

fn word(level: Level) -> &'static str {
    match level {
        Level::None => "none",
        Level::Read => "read",
        Level::Write => "write",
    }
}

/// What a job's token lacks for the events that it runs on, and what it should not have.
pub fn check(workflow: &Workflow, job: &Job, asks: &Asks, found: &mut Vec<Finding>) {
    let events: Vec<&str> = workflow
        .events_of(job)
        .iter()
        .map(|trigger| trigger.event.as_str())
        .collect();
    let starts = |need: &Need| {
        // Comments start a workflow only where the approval is an environment's.
        need.permission != "actions" || need.level != Level::Write || asks.approval == Approval::Environment
    };
    // Versions in W&B are on no branch.
    let is_kept = |need: &Need| {
        asks.registry != RegistryChoice::Wandb || need.permission != "contents" || need.level != Level::Write
    };
    // What only looks needs no more than a pull request's work does.
    let command = job
        .action()
        .and_then(|(_, step)| step.input("command"))
        .unwrap_or_default();
    let looks = ["check", "status", "plan", "doctor"].contains(&command.as_str());
    let writes =
        |need: &Need| matches!(need.permission, "contents" | "issues" | "deployments") && need.level == Level::Write;
    let needs: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| need.events.iter().any(|event| events.contains(event)))
        .filter(|need| starts(need) && is_kept(need))
        .filter(|need| !(looks && writes(need)))
        .collect();
    let Some(given) = workflow.permissions_of(job) else {
        let mut fix = format!("jobs:\n  {}:\n    permissions:\n", job.id);
        let mut names: Vec<&str> = needs.iter().map(|need| need.permission).collect();
        names.dedup();
        for name in names {
            let level = needs
                .iter()
                .filter(|need| need.permission == name)
                .map(|need| need.level)
                .max();
            // Writing to a string can not fail.
            let _ = writeln!(fix, "      {name}: {}", word(level.unwrap_or(Level::Read)));
        }
        if !needs.is_empty() {
            found.push(Finding {
                matter: Matter::Missing,
                code: "no-permissions",
                what: format!("the job `{}` does not say what its token may do", job.id),
                why: "most repositories then give it no more than reading the code: no checks, no comment, no registry"
                    .to_owned(),
                fix: Some(fix),
                place: Some(Place::new(&workflow.path, job.span)),
            });
        }
        return;
    };
    let lacking = |need: &&&Need| {
        // The greater level of a permission covers the lesser one.
        let covered = |other: &&Need| other.permission == need.permission && other.level > need.level;
        given.level(need.permission) < need.level && !needs.iter().any(covered)
    };
    for need in needs.iter().filter(lacking) {
        let hit: Vec<&str> = need
            .events
            .iter()
            .copied()
            .filter(|event| events.contains(event))
            .collect();
        found.push(Finding {
            matter: need.matter,
            code: "permission",
            what: format!(
                "the job `{}` lacks `{}: {}` on {}",
                job.id,
                need.permission,
                word(need.level),
                hit.join(", ")
            ),
            why: need.loses.to_owned(),
            fix: Some(format!(
                "jobs:\n  {}:\n    permissions:\n      {}: {}\n",
                job.id,
                need.permission,
                word(need.level)
            )),
            place: Some(Place::new(&workflow.path, given.span)),
        });
    }
    if events.contains(&"pull_request") && given.level("contents") == Level::Write {
        found.push(Finding {
            matter: Matter::Advice,
            code: "too-much",
            what: format!("the job `{}` runs pull requests with `contents: write`", job.id),
            why: "a pull request needs to read only; publish in a job of its own that runs on `push`".to_owned(),
            fix: Some(format!(
                "jobs:\n  {}:\n    permissions:\n      contents: read\n",
                job.id
            )),
            place: Some(Place::new(&workflow.path, given.span)),
        });
    }
}
