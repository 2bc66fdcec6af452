//! What is missing in a repository's workflows and surroundings for what its configuration asks. Pure.

use crate::base::{Span, shortened};
use crate::config::{Approval, RegistryChoice};

use super::wandb::{self, Access};
use super::workflow::{Job, Step, Trigger, Workflow, get, texts_of};
use super::workflows::FOLDER;
use super::{ACTION, beside, jobs, permissions, quoted};

/// What of the configuration the workflows have to serve.
#[derive(Debug, Clone)]
pub struct Asks {
    pub approval: Approval,
    /// The alias that is promoted to, which is the environment's name too.
    pub environment: String,
    /// The data's path or glob.
    pub source: String,
    /// Where versions are kept.
    pub registry: RegistryChoice,
    /// The configuration is about W&B.
    pub wandb: bool,
    /// The repository's own commands see the key.
    pub shares_key: bool,
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
    pub wandb: Access,
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
    pub fn new(matter: Matter, code: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            matter,
            code,
            what: what.into(),
            why: why.into(),
            fix: None,
            place: None,
        }
    }

    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    #[must_use]
    pub fn at(mut self, file: &str, span: Span) -> Self {
        self.place = Some(Place::new(file, span));
        self
    }
}

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
            jobs::check(one, asks, surroundings, &mut found);
        }
        beside::forks(&uses, &mut found);
        if asks.approval == Approval::Environment {
            beside::environment(asks, workflows, &uses, &mut found);
        }
    }
    present(surroundings, &mut found);
    wandb::present(asks, surroundings, &mut found);
    found.sort_by_key(|finding| finding.matter);
    found
}

/// A job that uses the action.
pub struct Use<'w> {
    pub workflow: &'w Workflow,
    pub job: &'w Job,
    pub step: &'w Step,
    /// The step's place among the job's.
    pub index: usize,
    pub triggers: Vec<&'w Trigger>,
}

impl Use<'_> {
    pub fn on(&self, event: &str) -> Option<&Trigger> {
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
            "a model that new data makes fail is not noticed before somebody changes something",
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
    narrowed(uses, found);
}

/// A `pull_request` that does not run on every change of every pull request.
fn narrowed(uses: &[Use], found: &mut Vec<Finding>) {
    for one in uses {
        let Some((trigger, settings)) = one.on("pull_request").and_then(|on| Some((on, on.settings.as_ref()?))) else {
            continue;
        };
        let types = get(settings, "types").map(texts_of);
        if types.is_some_and(|types| !types.iter().any(|(name, _)| name == "synchronize")) {
            found.push(
                Finding::new(
                    Matter::Missing,
                    "types",
                    "`pull_request` does not run on `synchronize`",
                    "commits that are pushed to an open pull request are not judged",
                )
                .fix("on:\n  pull_request:\n    types: [opened, synchronize, reopened]\n")
                .at(&one.workflow.path, trigger.span),
            );
        }
        if ["paths", "paths-ignore"].iter().any(|key| get(settings, key).is_some()) {
            found.push(
                Finding::new(
                    Matter::Advice,
                    "paths",
                    "`pull_request` is filtered by paths",
                    "where branch protection requires the job, a pull request that it does not run on waits forever; \
                     without the filter an unchanged model is not trained again",
                )
                .at(&one.workflow.path, trigger.span),
            );
        }
    }
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
