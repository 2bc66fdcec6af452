//! What is wrong within a job that uses the action: checkout, runner, version, inputs. Pure.

use crate::base::{Value, nearest, shortened};
use crate::github::{COMMANDS, COMMENT_MODES, INPUTS};

use super::doctor::{Asks, Finding, Matter, Surroundings, Use};
use super::workflow::{Step, text_of};
use super::{ACTION, wandb};

/// Events that run code which anybody may have written with the repository's own token, if it is checked out.
const TRUSTED: &[&str] = &["workflow_run", "issue_comment", "pull_request_target"];

/// What is wrong within one job.
pub fn check(one: &Use, asks: &Asks, surroundings: &Surroundings, found: &mut Vec<Finding>) {
    let (file, job) = (&one.workflow.path, one.job);
    let before = &job.steps[..one.index];
    let checkout = before.iter().find(|step| step.is_checkout());
    let trusted = one
        .triggers
        .iter()
        .find(|trigger| TRUSTED.contains(&trigger.event.as_str()));
    let needs_code = one.triggers.iter().any(|trigger| trigger.event != "workflow_run");
    if needs_code && checkout.is_none() {
        found.push(
            Finding::new(
                Matter::Missing,
                "no-checkout",
                format!("the job `{}` does not check the code out before the action", job.id),
                "there is no `mlops.yaml` and no data for it",
            )
            .fix(format!(
                "steps:\n  - uses: {}\n    with:\n      persist-credentials: false\n  - uses: {ACTION}@v1\n",
                super::CHECKOUT
            ))
            .at(file, one.step.span),
        );
    }
    let theirs = trusted.and_then(|on| Some((on, before.iter().find(|step| takes_theirs(step))?)));
    if let Some((trigger, step)) = theirs {
        found.push(
            Finding::new(
                Matter::Missing,
                "unsafe-checkout",
                format!(
                    "the job `{}` checks out a pull request's code on `{}`",
                    job.id, trigger.event
                ),
                "whoever opens a pull request would run code with the token and the secrets of the repository",
            )
            .fix("steps:\n  # without `ref`, `repository` and `allow-unsafe-pr-checkout`\n  - uses: actions/checkout\n")
            .at(file, step.span),
        );
    }
    if let Some(checkout) = checkout {
        checkout_settings(one, checkout, asks, surroundings, found);
    }
    for (label, span) in &job.labels {
        let lower = label.to_ascii_lowercase();
        if lower.starts_with("windows") || lower.starts_with("macos") || lower == "ubuntu-slim" {
            found.push(
                Finding::new(
                    Matter::Missing,
                    "runner",
                    format!("runners of `{}` can not run containers", shortened(label)),
                    "the action is a container, so the job fails before it starts",
                )
                .fix(format!("jobs:\n  {}:\n    runs-on: ubuntu-latest\n", job.id))
                .at(file, *span),
            );
        }
    }
    if !job.has_timeout {
        found.push(
            Finding::new(
                Matter::Advice,
                "timeout",
                format!("the job `{}` has no `timeout-minutes`", job.id),
                "a job that hangs is paid for six hours",
            )
            .fix(format!("jobs:\n  {}:\n    timeout-minutes: 60\n", job.id))
            .at(file, job.span),
        );
    }
    pinning(one, found);
    inputs(one, found);
    wandb::check(one, asks, theirs.is_some(), found);
}

fn checkout_settings(one: &Use, checkout: &Step, asks: &Asks, surroundings: &Surroundings, found: &mut Vec<Finding>) {
    let (file, id) = (&one.workflow.path, &one.job.id);
    if checkout.input("persist-credentials").as_deref() != Some("false") {
        found.push(
            Finding::new(
                Matter::Advice,
                "persist-credentials",
                format!("the checkout of the job `{id}` leaves its token behind"),
                "training code and tests can read it from there",
            )
            .fix("with:\n  persist-credentials: false\n")
            .at(file, checkout.span),
        );
    }
    if checkout.input("fetch-depth").is_some_and(|depth| depth != "1") {
        found.push(
            Finding::new(
                Matter::Advice,
                "fetch-depth",
                format!("the checkout of the job `{id}` fetches more than one commit"),
                "the action needs the present one only; remove `fetch-depth` unless another step needs it",
            )
            .at(file, checkout.span),
        );
    }
    let kept = surroundings
        .attributes
        .as_deref()
        .is_some_and(|text| in_lfs(text, &asks.source));
    if kept && checkout.input("lfs").as_deref() != Some("true") {
        found.push(
            Finding::new(
                Matter::Missing,
                "lfs",
                format!(
                    "the data `{}` is kept by Git LFS, which the job `{id}` does not fetch",
                    shortened(&asks.source)
                ),
                "the file is there, but holds the address of the data instead of the data",
            )
            .fix("with:\n  lfs: true\n")
            .at(file, checkout.span),
        );
    }
}

/// Whether `.gitattributes` gives the data to Git LFS, by its name or its ending.
fn in_lfs(attributes: &str, source: &str) -> bool {
    let name = source.rsplit('/').next().unwrap_or(source);
    attributes
        .lines()
        .filter(|line| line.contains("filter=lfs"))
        .any(|line| {
            let pattern = line.split_whitespace().next().unwrap_or_default();
            let last = pattern.trim_start_matches('/').rsplit('/').next().unwrap_or_default();
            let ending = last.strip_prefix('*');
            pattern.trim_start_matches('/') == source
                || last == name
                || ending.is_some_and(|ending| ending.len() > 1 && source.ends_with(ending))
                || pattern
                    .strip_suffix("/**")
                    .is_some_and(|folder| source.starts_with(&format!("{folder}/")))
        })
}

/// Whether a step fetches what a pull request holds.
fn takes_theirs(step: &Step) -> bool {
    let theirs = |text: &str| {
        [
            "head_sha",
            "head.sha",
            "head.ref",
            "head_ref",
            "head_branch",
            "refs/pull/",
            "head.repo",
            "head_repository",
        ]
        .iter()
        .any(|part| text.contains(part))
    };
    let checkout = step.is_checkout()
        && (["ref", "repository"]
            .iter()
            .any(|input| step.input(input).is_some_and(|text| theirs(&text)))
            || step.input("allow-unsafe-pr-checkout").as_deref() == Some("true"));
    let run = step.run.as_deref();
    checkout
        || run.is_some_and(|run| run.contains("gh pr checkout") || (run.contains("git fetch") && run.contains("pull/")))
}

fn pinning(one: &Use, found: &mut Vec<Finding>) {
    let Some((uses, span)) = &one.step.uses else { return };
    let version = uses.split_once('@').map_or("", |(_, version)| version);
    let is_commit = version.len() == 40 && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    let tag = version.strip_prefix('v').unwrap_or_default();
    let is_tag = !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_commit && !is_tag {
        found.push(
            Finding::new(
                Matter::Advice,
                "not-pinned",
                format!("`{}` follows a branch", shortened(uses)),
                "what runs with your token changes without a release",
            )
            .fix(format!("- uses: {ACTION}@v1\n"))
            .at(&one.workflow.path, *span),
        );
    }
}

fn inputs(one: &Use, found: &mut Vec<Finding>) {
    let file = &one.workflow.path;
    for entry in &one.step.with {
        let key = entry.key.to_ascii_lowercase();
        if !INPUTS.contains(&key.as_str()) {
            let help = match nearest(&key, INPUTS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the inputs are: {}", INPUTS.join(", ")),
            };
            let what = format!("the action has no input `{}`", shortened(&entry.key));
            found.push(Finding::new(Matter::Missing, "input", what, help).at(file, entry.key_span));
            continue;
        }
        let text = text_of(&entry.node);
        if key == "github-token" && (text.as_deref() == Some("") || entry.node.value == Value::Null) {
            found.push(
                Finding::new(
                    Matter::Missing,
                    "no-token",
                    "the input `github-token` is empty",
                    "without a token there are no checks, no comment and no registry; the default is the job's own",
                )
                .at(file, entry.key_span),
            );
        }
        let words: Vec<&str> = match key.as_str() {
            "command" => COMMANDS.to_vec(),
            "comment" => COMMENT_MODES.iter().map(|(name, _)| *name).collect(),
            _ => continue,
        };
        if let Some(text) =
            text.filter(|text| !text.is_empty() && !text.contains("${{") && !words.contains(&text.as_str()))
        {
            let help = match nearest(&text, words.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the values are: {}", words.join(", ")),
            };
            let what = format!("the input `{key}` can not be `{}`", shortened(&text));
            found.push(Finding::new(Matter::Missing, "input", what, help).at(file, entry.node.span));
        }
    }
}
