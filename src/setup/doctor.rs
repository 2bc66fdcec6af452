//! What is missing in a repository's workflows and surroundings for what its configuration asks. Pure.

use crate::base::{Span, Value, nearest, shortened};
use crate::config::Approval;

use super::workflow::{Job, Step, Trigger, Workflow, get, text_of, texts_of};
use super::workflows::{FOLDER, PROMOTE};
use super::{ACTION, permissions, quoted};

/// What of the configuration the workflows have to serve.
#[derive(Debug, Clone)]
pub struct Asks {
    pub approval: Approval,
    /// The alias that is promoted to, which is the environment's name too.
    pub environment: String,
    /// The data's path or glob.
    pub source: String,
}

/// The present environment.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// In a job of GitHub Actions: the event, and what came with it.
    pub job: Option<CurrentJob>,
    /// `None` where nothing says it.
    pub default_branch: Option<String>,
    /// `.gitattributes`, which says what Git LFS keeps.
    pub attributes: Option<String>,
}

#[derive(Debug, Clone)]
pub struct CurrentJob {
    pub event: String,
    pub has_token: bool,
    /// The address and the token of the service that keeps artifacts.
    pub has_runtime: bool,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// Something that the configuration asks for does not happen.
    Missing,
    Advice,
}

impl Matter {
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Advice => "advice",
        }
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub span: Span,
}

impl Place {
    pub fn new(file: &str, span: Span) -> Self {
        Self {
            file: file.to_owned(),
            span,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub matter: Matter,
    /// Stable and greppable.
    pub code: &'static str,
    pub what: String,
    /// What does not happen because of it.
    pub why: String,
    /// The YAML to add, or the command to run.
    pub fix: Option<String>,
    pub place: Option<Place>,
}

impl Finding {
    fn new(matter: Matter, code: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            matter,
            code,
            what: what.into(),
            why: why.into(),
            fix: None,
            place: None,
        }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    fn at(mut self, file: &str, span: Span) -> Self {
        self.place = Some(Place::new(file, span));
        self
    }
}

/// The inputs of the action.
const INPUTS: &[&str] = &[
    "command",
    "version",
    "config",
    "directory",
    "comment",
    "github-token",
    "accept-warnings",
];
const COMMANDS: &[&str] = &[
    "run",
    "check",
    "promote",
    "rollback",
    "status",
    "plan",
    "retrain",
    "publish-report",
    "doctor",
];
const COMMENTS: &[&str] = &["always", "changes", "failures", "off"];
/// Events that run code which anybody may have written with the repository's own token, if it is checked out.
const TRUSTED: &[&str] = &["workflow_run", "issue_comment", "pull_request_target"];

/// Everything that is missing, what matters first.
pub fn examine(asks: &Asks, workflows: &[Workflow], surroundings: &Surroundings) -> Vec<Finding> {
    let mut found = Vec::new();
    let uses: Vec<Use> = workflows.iter().flat_map(uses_of).collect();
    if uses.is_empty() {
        found.push(
            Finding::new(
                Matter::Missing,
                "no-workflow",
                format!("no workflow in `{FOLDER}` uses `{ACTION}`"),
                "nothing happens on GitHub",
            )
            .fix("mlops init --workflows\n"),
        );
    } else {
        triggers(asks, &uses, surroundings, &mut found);
        for one in &uses {
            permissions::check(one.workflow, one.job, asks, &mut found);
            job(one, asks, surroundings, &mut found);
        }
        forks(&uses, &mut found);
        if asks.approval == Approval::Environment {
            environment(asks, workflows, &uses, &mut found);
        }
    }
    present(surroundings, &mut found);
    found.sort_by_key(|finding| finding.matter);
    found
}

/// A job that uses the action.
struct Use<'w> {
    workflow: &'w Workflow,
    job: &'w Job,
    step: &'w Step,
    /// The step's place among the job's.
    index: usize,
    triggers: Vec<&'w Trigger>,
}

impl Use<'_> {
    fn on(&self, event: &str) -> Option<&Trigger> {
        self.triggers.iter().copied().find(|trigger| trigger.event == event)
    }
}

fn uses_of(workflow: &Workflow) -> Vec<Use<'_>> {
    let jobs = workflow.jobs.iter();
    jobs.filter_map(|job| {
        let (index, step) = job.action()?;
        Some(Use {
            workflow,
            job,
            step,
            index,
            triggers: workflow.events_of(job),
        })
    })
    .collect()
}

/// A trigger that no job with the action runs on.
fn triggers(asks: &Asks, uses: &[Use], surroundings: &Surroundings, found: &mut Vec<Finding>) {
    let comment = if asks.approval == Approval::Comment {
        Matter::Missing
    } else {
        Matter::Advice
    };
    let branch = surroundings.default_branch.as_deref().unwrap_or("main");
    let wanted: [(&str, Matter, &str, String); 5] = [
        (
            "pull_request",
            Matter::Missing,
            "pull requests are not judged",
            "on:\n  pull_request:\n".to_owned(),
        ),
        (
            "push",
            Matter::Missing,
            "no version is published, so that nothing can be promoted or compared with",
            format!("on:\n  push:\n    branches: [{}]\n", quoted(branch)),
        ),
        (
            "issue_comment",
            comment,
            "`/mlops …` comments are not answered",
            "mlops init --workflows\n".to_owned(),
        ),
        (
            "schedule",
            Matter::Advice,
            "drifted data is not noticed before somebody changes something",
            "on:\n  schedule:\n    - cron: '17 5 * * 1'\n".to_owned(),
        ),
        (
            "merge_group",
            Matter::Advice,
            "a merge queue would wait for a check that never comes",
            "on:\n  merge_group:\n".to_owned(),
        ),
    ];
    let main = uses
        .iter()
        .find(|one| one.on("pull_request").is_some())
        .or(uses.first());
    for (event, matter, why, fix) in wanted {
        if uses.iter().any(|one| one.on(event).is_some()) {
            continue;
        }
        let missing = Finding::new(
            matter,
            "trigger",
            format!("no job with the action runs on `{event}`"),
            why,
        )
        .fix(fix);
        found.push(match main {
            Some(main) => missing.at(&main.workflow.path, main.workflow.on),
            None => missing,
        });
    }
    for one in uses {
        if let Some(trigger) = one.on("pull_request_target") {
            found.push(
                Finding::new(
                    Matter::Missing,
                    "pull-request-target",
                    "the action runs on `pull_request_target`",
                    "it would run the pull request's code with the token of the default branch, so it refuses",
                )
                .fix("on:\n  pull_request:\n")
                .at(&one.workflow.path, trigger.span),
            );
        }
    }
    pushes(uses, surroundings, found);
}

/// A `push` that is filtered so that the default branch is not among the branches.
fn pushes(uses: &[Use], surroundings: &Surroundings, found: &mut Vec<Finding>) {
    let Some(branch) = &surroundings.default_branch else {
        return;
    };
    let on: Vec<(&Use, &Trigger)> = uses.iter().filter_map(|one| Some((one, one.on("push")?))).collect();
    if let Some((one, trigger)) = on.first()
        && on.iter().all(|(_, trigger)| !reaches(trigger, branch))
    {
        found.push(
            Finding::new(
                Matter::Missing,
                "default-branch",
                format!("`push` does not run on the default branch `{}`", shortened(branch)),
                "no version is published, so that nothing can be promoted or compared with",
            )
            .fix(format!("on:\n  push:\n    branches: [{}]\n", quoted(branch)))
            .at(&one.workflow.path, trigger.span),
        );
    }
}

/// Whether a push to the branch starts the workflow; what is a pattern is taken to match.
fn reaches(trigger: &Trigger, branch: &str) -> bool {
    let list = |key: &str| trigger.settings.as_ref().and_then(|node| get(node, key)).map(texts_of);
    let names = |list: &[(String, Span)]| {
        list.iter()
            .any(|(name, _)| name == branch || name.contains(['*', '?', '+', '[', '!']))
    };
    match (list("branches"), list("branches-ignore")) {
        (Some(only), _) => names(&only),
        (None, Some(never)) => !never.iter().any(|(name, _)| name == branch),
        (None, None) => list("tags").is_none() && list("tags-ignore").is_none(),
    }
}

/// What is wrong within one job.
fn job(one: &Use, asks: &Asks, surroundings: &Surroundings, found: &mut Vec<Finding>) {
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
    if let Some((trigger, step)) = trusted.and_then(|on| Some((on, before.iter().find(|step| takes_theirs(step))?))) {
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
        let words = match key.as_str() {
            "command" => COMMANDS,
            "comment" => COMMENTS,
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

/// Whether the results of forks' pull requests are shown.
fn forks(uses: &[Use], found: &mut Vec<Finding>) {
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
fn environment(asks: &Asks, workflows: &[Workflow], uses: &[Use], found: &mut Vec<Finding>) {
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
            let names: String = lacking
                .iter()
                .map(|name| format!("      {name}:\n        type: string\n"))
                .collect();
            found.push(
                Finding::new(
                    Matter::Missing,
                    "promote-inputs",
                    format!("`workflow_dispatch` lacks the inputs {}", lacking.join(", ")),
                    "`/mlops promote` can not start it: GitHub refuses inputs that it does not know",
                )
                .fix(format!("on:\n  workflow_dispatch:\n    inputs:\n{names}"))
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

/// What the present job lacks.
fn present(surroundings: &Surroundings, found: &mut Vec<Finding>) {
    let Some(job) = &surroundings.job else { return };
    if job.event == "pull_request_target" {
        found.push(Finding::new(
            Matter::Missing,
            "pull-request-target",
            "this job runs on `pull_request_target`",
            "it would run the pull request's code with the token of the default branch, so the action refuses",
        ));
    }
    if !job.has_token {
        found.push(
            Finding::new(
                Matter::Missing,
                "no-token",
                "this job has no token",
                "there are no checks, no comment and no registry on GitHub",
            )
            .fix(format!(
                "- uses: {ACTION}@v1\n  with:\n    github-token: ${{{{ github.token }}}}\n"
            )),
        );
    }
    if !job.has_runtime {
        found.push(Finding::new(
            Matter::Missing,
            "no-runtime",
            "this job was not given the service that keeps artifacts",
            "the report can not be kept, and results of forks can not be handed over; only the runner gives it, to steps \
             with `uses:`, not with `run:`",
        ));
    }
}

#[cfg(test)]
mod tests;
