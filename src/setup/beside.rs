//! The workflows beside the one that judges: forks' results and approvals in an environment. Pure.

use crate::base::shortened;

use super::doctor::{Asks, Finding, Matter, Use};
use super::quoted;
use super::workflow::{Workflow, get, texts_of};
use super::workflows::{FOLDER, PROMOTE};

/// Whether the results of forks' pull requests are shown.
pub fn forks(uses: &[Use], found: &mut Vec<Finding>) {
    let Some(judge) = uses.iter().find(|one| one.on("pull_request").is_some()) else {
        return;
    };
    let fork = uses.iter().find_map(|one| Some((one, one.on("workflow_run")?)));
    let Some((one, trigger)) = fork else {
        found.push(
            Finding::new(
                Matter::Advice,
                "no-fork-workflow",
                "no workflow shows the results of pull requests from forks",
                "their own runs have a token that may write nothing: no checks, no comment",
            )
            .fix("mlops init --workflows\n"),
        );
        return;
    };
    let name = judge.workflow.name.as_deref().unwrap_or(&judge.workflow.path);
    let watched = trigger
        .settings
        .as_ref()
        .and_then(|node| get(node, "workflows"))
        .map(texts_of);
    let watched = watched.unwrap_or_default();
    if !watched.iter().any(|(watched, _)| watched == name) {
        let span = watched.first().map_or(trigger.span, |(_, span)| *span);
        found.push(
            Finding::new(
                Matter::Missing,
                "fork-name",
                format!("`workflow_run` does not wait for the workflow `{}`", shortened(name)),
                format!(
                    "that is the one in `{}` that judges pull requests; those of forks are not shown",
                    judge.workflow.path
                ),
            )
            .fix(format!(
                "on:\n  workflow_run:\n    workflows: [{}]\n    types: [completed]\n",
                quoted(name)
            ))
            .at(&one.workflow.path, span),
        );
    }
}

/// Whether promotions wait for the environment's reviewers, and only they do it.
pub fn environment(asks: &Asks, workflows: &[Workflow], uses: &[Use], found: &mut Vec<Finding>) {
    let path = format!("{FOLDER}/{PROMOTE}");
    let wanted = &asks.environment;
    let jobs: Vec<&Use> = uses.iter().filter(|one| one.workflow.path == path).collect();
    if jobs.is_empty() || !jobs.iter().any(|one| one.on("workflow_dispatch").is_some()) {
        let missing = Finding::new(
            Matter::Missing,
            "no-promote-workflow",
            format!("`{path}` has no job with the action that runs on `workflow_dispatch`"),
            format!(
                "`promote.approval: environment` asks for the agreement of the reviewers of `{wanted}`, and that is where \
                 they are asked; nothing can be promoted"
            ),
        )
        .fix("mlops init --workflows\n");
        let there = workflows.iter().find(|workflow| workflow.path == path);
        found.push(match there {
            Some(workflow) => missing.at(&path, workflow.on),
            None => missing,
        });
    }
    for one in jobs {
        let (id, fix) = (
            &one.job.id,
            format!("jobs:\n  {}:\n    environment: {}\n", one.job.id, quoted(wanted)),
        );
        match &one.job.environment {
            None => found.push(
                Finding::new(
                    Matter::Missing,
                    "environment-name",
                    format!("the job `{id}` has no environment"),
                    "it promotes without asking anybody",
                )
                .fix(fix)
                .at(&path, one.job.span),
            ),
            Some((name, span)) if name != wanted && !name.contains("${{") => found.push(
                Finding::new(
                    Matter::Missing,
                    "environment-name",
                    format!(
                        "the job `{id}` asks the reviewers of `{}`, not of `{wanted}`",
                        shortened(name)
                    ),
                    format!("`promote.to` is `{wanted}`, and the environment has the name of the alias"),
                )
                .fix(fix)
                .at(&path, *span),
            ),
            Some(_) => {}
        }
        let dispatch = one
            .on("workflow_dispatch")
            .and_then(|trigger| trigger.settings.as_ref());
        let inputs = dispatch.and_then(|node| get(node, "inputs"));
        let lacking: Vec<&str> = ["command", "version", "reason"]
            .into_iter()
            .filter(|input| inputs.is_none_or(|inputs| get(inputs, input).is_none()))
            .collect();
        if let Some(trigger) = one.on("workflow_dispatch").filter(|_| !lacking.is_empty()) {
            let names = lacking.join(
                ":
        type: string
      ",
            );
            found.push(
                Finding::new(
                    Matter::Missing,
                    "promote-inputs",
                    format!("`workflow_dispatch` lacks the inputs {}", lacking.join(", ")),
                    "`/mlops promote` can not start it: GitHub refuses inputs that it does not know",
                )
                .fix(format!(
                    "on:\n  workflow_dispatch:\n    inputs:\n      {names}:\n        type: string\n"
                ))
                .at(&path, trigger.span),
            );
        }
    }
    for one in uses
        .iter()
        .filter(|one| one.job.environment.is_none() && one.workflow.path != path)
    {
        let dispatch = one
            .on("workflow_dispatch")
            .and_then(|trigger| trigger.settings.as_ref());
        let options = dispatch
            .and_then(|node| get(node, "inputs"))
            .and_then(|node| get(node, "command"))
            .and_then(|node| get(node, "options"))
            .map(texts_of);
        let beside = options.unwrap_or_default();
        if let Some((option, span)) = beside
            .iter()
            .find(|(option, _)| matches!(option.as_str(), "promote" | "rollback"))
        {
            found.push(
                Finding::new(
                    Matter::Missing,
                    "approval-beside",
                    format!(
                        "`{option}` can be chosen for the job `{}`, which has no environment",
                        one.job.id
                    ),
                    format!("nobody is asked there; leave it to `{path}`"),
                )
                .at(&one.workflow.path, *span),
            );
        }
    }
}
