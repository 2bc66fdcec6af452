//! Where we run: the event, the repository, the run and the addresses, from the runner's environment. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::Repository;
use super::event::{Event, Fallback, Payload, positive};
use crate::base::{CommitSha, Diagnostic, Diagnostics, Secret, shortened};

/// GitHub sends no larger event.
pub const MAX_EVENT_BYTES: u64 = 25 * 1024 * 1024;

/// Everything that the runner tells a job, checked once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub event: Event,
    pub repository: Repository,
    /// What was checked out, which for a pull request is its merge commit: report on [`Context::head`] instead.
    pub sha: CommitSha,
    /// `refs/heads/…`, `refs/tags/…`, `refs/pull/N/merge`; empty for events that have none.
    pub git_ref: String,
    pub default_branch: Option<String>,
    pub run: RunIdentity,
    pub actor: String,
    pub urls: Urls,
    pub workspace: PathBuf,
    pub temp: Option<PathBuf>,
    pub runtime: Option<Runtime>,
    pub files: CommandFiles,
    pub retention_days: Option<u32>,
    /// Somebody asked for debug output of this step.
    pub is_debug: bool,
    /// What could not be read and what is used instead, for people.
    pub notices: Vec<String>,
}

/// Which job of which run this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdentity {
    pub id: u64,
    pub attempt: u32,
    /// The key of the job in the workflow's file.
    pub job: String,
    /// `owner/name/.github/workflows/file.yml@ref`.
    pub workflow_ref: String,
}

/// Where GitHub is. None ends in a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    pub api: String,
    pub graphql: String,
    pub server: String,
}

/// The service that keeps artifacts, and the key to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    pub results_url: String,
    pub token: Secret,
}

/// The files through which a step talks to its runner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandFiles {
    pub output: Option<PathBuf>,
    pub env: Option<PathBuf>,
    pub path: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub summary: Option<PathBuf>,
}

impl Context {
    /// Reads the environment and the content of the event's file, `None` if it could not be read.
    ///
    /// A file that is missing or broken costs what only it knows, and a notice. What nothing can be done without is an
    /// error that names its variable.
    pub fn read(env: &BTreeMap<String, String>, event: Option<&[u8]>) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::default();
        let mut notices = Vec::new();
        let payload = payload(event).unwrap_or_else(|why| {
            notices.push(format!(
                "the file of the event (`GITHUB_EVENT_PATH`) {why}: what the environment says is used instead"
            ));
            Value::Null
        });
        let repository = need(env, "GITHUB_REPOSITORY", &mut problems, |text| text.parse().ok());
        let run_id = need(env, "GITHUB_RUN_ID", &mut problems, positive);
        let workspace = need(env, "GITHUB_WORKSPACE", &mut problems, |text| {
            text.starts_with('/').then(|| PathBuf::from(text))
        });
        let name = need(env, "GITHUB_EVENT_NAME", &mut problems, |text| {
            let is_name = |b: u8| b.is_ascii_lowercase() || b == b'_';
            (text.len() <= 64 && text.bytes().all(is_name)).then_some(text)
        });
        let urls = Urls::read(env, &mut problems);
        let runtime = Runtime::read(env, &mut problems);

        let git_ref = value(env, "GITHUB_REF").unwrap_or_default();
        let actor = value(env, "GITHUB_ACTOR").unwrap_or_default();
        let written_sha = value(env, "GITHUB_SHA");
        let sha: Option<CommitSha> = written_sha.and_then(|text| text.parse().ok());
        let fallback = Fallback {
            git_ref,
            head_ref: value(env, "GITHUB_HEAD_REF"),
            base_ref: value(env, "GITHUB_BASE_REF"),
            sha: sha.as_ref(),
            actor,
        };
        let event = name.and_then(|name| {
            let event = Event::read(name, &payload, fallback);
            if event.is_none() {
                problems.push(
                    Diagnostic::error(
                        "event-without-number",
                        format!("neither the event nor `GITHUB_REF` says which pull request this `{name}` is about"),
                    )
                    .help("let the step see the file that `GITHUB_EVENT_PATH` names"),
                );
            }
            event
        });
        // The deletion of a branch has no commit of its own: the one that the branch was at stands for it.
        let sha = sha.or_else(|| match &event {
            Some(Event::Push(push)) if push.is_deleted => push.before.clone(),
            _ => None,
        });
        if sha.is_none() {
            problems.push(unusable("GITHUB_SHA", written_sha));
        }
        match (repository, sha, run_id, workspace, event, urls, runtime) {
            (Some(repository), Some(sha), Some(id), Some(workspace), Some(event), Some(urls), Ok(runtime))
                if problems.is_empty() =>
            {
                let text = |name| value(env, name).unwrap_or_default().to_owned();
                Ok(Self {
                    event,
                    repository,
                    sha,
                    git_ref: git_ref.to_owned(),
                    default_branch: Payload(&payload).text("/repository/default_branch"),
                    run: RunIdentity {
                        id,
                        attempt: value(env, "GITHUB_RUN_ATTEMPT").and_then(small).unwrap_or(1),
                        job: text("GITHUB_JOB"),
                        workflow_ref: text("GITHUB_WORKFLOW_REF"),
                    },
                    actor: actor.to_owned(),
                    urls,
                    workspace,
                    temp: path(env, "RUNNER_TEMP"),
                    runtime,
                    files: CommandFiles {
                        output: path(env, "GITHUB_OUTPUT"),
                        env: path(env, "GITHUB_ENV"),
                        path: path(env, "GITHUB_PATH"),
                        state: path(env, "GITHUB_STATE"),
                        summary: path(env, "GITHUB_STEP_SUMMARY"),
                    },
                    retention_days: value(env, "GITHUB_RETENTION_DAYS").and_then(small),
                    is_debug: value(env, "RUNNER_DEBUG") == Some("1"),
                    notices,
                })
            }
            _ => Err(problems),
        }
    }

    /// The commit that people look at and reports belong to; `None` if there is none, or only the API knows it.
    pub fn head(&self) -> Option<&CommitSha> {
        match &self.event {
            Event::PullRequest(pull) | Event::PullRequestTarget(pull) => pull.head.as_ref(),
            Event::Push(push) => push.after.as_ref(),
            Event::MergeGroup(group) => group.head.as_ref(),
            Event::WorkflowRun(run) => run.head.as_ref(),
            Event::IssueComment(_) => None,
            Event::WorkflowDispatch { .. }
            | Event::RepositoryDispatch { .. }
            | Event::Schedule { .. }
            | Event::Other(_) => Some(&self.sha),
        }
    }

    /// The commit that the change is against; `None` if there is none, or only the API knows it.
    pub fn base(&self) -> Option<&CommitSha> {
        match &self.event {
            Event::PullRequest(pull) | Event::PullRequestTarget(pull) => pull.base.as_ref(),
            Event::Push(push) => push.before.as_ref(),
            Event::MergeGroup(group) => group.base.as_ref(),
            Event::WorkflowRun(_)
            | Event::IssueComment(_)
            | Event::WorkflowDispatch { .. }
            | Event::RepositoryDispatch { .. }
            | Event::Schedule { .. }
            | Event::Other(_) => None,
        }
    }

    /// Whether this is about the tip of the branch that the repository's production lives on.
    pub fn is_on_default_branch(&self) -> bool {
        match (self.git_ref.strip_prefix("refs/heads/"), &self.default_branch) {
            (Some(branch), Some(default)) => branch == default,
            _ => false,
        }
    }

    /// The page of this run.
    pub fn run_url(&self) -> String {
        format!("{}{}", self.runs_url(), self.run.id)
    }

    /// The address of every run's page of this repository, but for its number.
    pub fn runs_url(&self) -> String {
        format!("{}/{}/actions/runs/", self.urls.server, self.repository)
    }

    /// The page of this job. The identity of a job is that of its check run.
    pub fn job_url(&self, check_run_id: u64) -> String {
        format!("{}/job/{check_run_id}", self.run_url())
    }
}

impl RunIdentity {
    /// What tells our things of this job apart from those of other jobs, runs and attempts.
    pub fn external_id(&self, key: &str) -> String {
        format!("{}-{}-{}-{key}", self.id, self.attempt, self.job)
    }
}

impl Urls {
    fn read(env: &BTreeMap<String, String>, problems: &mut Diagnostics) -> Option<Self> {
        let mut read =
            |name, default: &str| address(env, name, problems).map(|url| url.unwrap_or_else(|| default.to_owned()));
        let api = read("GITHUB_API_URL", "https://api.github.com");
        let graphql = read("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql");
        let server = read("GITHUB_SERVER_URL", "https://github.com");
        Some(Self {
            api: api.ok()?,
            graphql: graphql.ok()?,
            server: server.ok()?,
        })
    }
}

impl Runtime {
    /// `None` outside of a job, and on servers without the service.
    fn read(env: &BTreeMap<String, String>, problems: &mut Diagnostics) -> Result<Option<Self>, ()> {
        let results_url = address(env, "ACTIONS_RESULTS_URL", problems)?;
        let token = value(env, "ACTIONS_RUNTIME_TOKEN");
        Ok(results_url.zip(token).map(|(results_url, token)| Self {
            results_url,
            token: Secret::new(token),
        }))
    }
}

/// Why a file is of no use, in words that follow "the file".
fn payload(event: Option<&[u8]>) -> Result<Value, &'static str> {
    let bytes = event.ok_or("could not be read")?;
    if bytes.len() as u64 > MAX_EVENT_BYTES {
        return Err("is larger than 25 MiB");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| "is not complete JSON")?;
    if value.is_object() {
        Ok(value)
    } else {
        Err("is not an object")
    }
}

/// A variable without blanks around it; one that is empty is as if it were not there.
fn value<'a>(env: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    env.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn path(env: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    value(env, name).filter(|path| path.starts_with('/')).map(PathBuf::from)
}

fn small(text: &str) -> Option<u32> {
    positive(text).and_then(|number| u32::try_from(number).ok())
}

fn need<'a, T>(
    env: &'a BTreeMap<String, String>,
    name: &'static str,
    problems: &mut Diagnostics,
    parse: impl Fn(&'a str) -> Option<T>,
) -> Option<T> {
    let written = value(env, name);
    let parsed = written.and_then(parse);
    if parsed.is_none() {
        problems.push(unusable(name, written));
    }
    parsed
}

fn unusable(name: &'static str, written: Option<&str>) -> Diagnostic {
    match written {
        None => Diagnostic::error("missing-variable", format!("the variable `{name}` is not set"))
            .help("GitHub's runner sets it: run this as a step of a workflow, with `uses:`"),
        Some(written) => Diagnostic::error(
            "bad-variable",
            format!("the variable `{name}` can not be used: `{}`", shortened(written)),
        )
        .help("GitHub's runner sets it: no `env:` of the workflow should"),
    }
}

/// An address without a trailing slash: of the web, without a name or a key in it.
fn address(
    env: &BTreeMap<String, String>,
    name: &'static str,
    problems: &mut Diagnostics,
) -> Result<Option<String>, ()> {
    let Some(written) = value(env, name) else {
        return Ok(None);
    };
    let host = written
        .strip_prefix("https://")
        .or_else(|| written.strip_prefix("http://"));
    let is_plain =
        |b: u8| b.is_ascii_graphic() && !matches!(b, b'@' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\');
    match host {
        Some(host) if !host.starts_with(['/', ':']) && !host.is_empty() && host.bytes().all(is_plain) => {
            Ok(Some(written.trim_end_matches('/').to_owned()))
        }
        _ => {
            problems.push(unusable(
                name,
                Some("***").filter(|_| written.contains('@')).or(Some(written)),
            ));
            Err(())
        }
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
