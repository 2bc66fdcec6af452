//! What happened, as the runner's event tells it: every field may be missing, none is believed without a look. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::CommitSha;

/// Longer names of branches, people and actions do not exist at GitHub.
const MAX_NAME_BYTES: usize = 1024;
/// GitHub's limit for a comment is 65,536 characters, of at most four bytes each.
const MAX_BODY_BYTES: usize = 4 * 65_536;
/// GitHub allows 25 inputs, of 65,535 characters together.
const MAX_INPUTS: usize = 100;
/// The account whose runs get a read-only token and no secrets, as if they came from a fork.
const DEPENDABOT: &str = "dependabot[bot]";

/// What started the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    PullRequest(PullRequest),
    PullRequestTarget(PullRequest),
    Push(Push),
    MergeGroup(MergeGroup),
    WorkflowRun(WorkflowRun),
    IssueComment(IssueComment),
    WorkflowDispatch {
        inputs: BTreeMap<String, String>,
    },
    RepositoryDispatch {
        action: String,
    },
    Schedule {
        cron: Option<String>,
    },
    /// An event that nothing here is made for, by its name.
    Other(String),
}

impl Event {
    /// As GitHub names it.
    pub fn name(&self) -> &str {
        match self {
            Self::PullRequest(_) => "pull_request",
            Self::PullRequestTarget(_) => "pull_request_target",
            Self::Push(_) => "push",
            Self::MergeGroup(_) => "merge_group",
            Self::WorkflowRun(_) => "workflow_run",
            Self::IssueComment(_) => "issue_comment",
            Self::WorkflowDispatch { .. } => "workflow_dispatch",
            Self::RepositoryDispatch { .. } => "repository_dispatch",
            Self::Schedule { .. } => "schedule",
            Self::Other(name) => name,
        }
    }

    /// The pull request that it is about.
    pub fn pull_request(&self) -> Option<u64> {
        match self {
            Self::PullRequest(pull) | Self::PullRequestTarget(pull) => Some(pull.number),
            Self::IssueComment(comment) => comment.number,
            Self::Push(_)
            | Self::MergeGroup(_)
            | Self::WorkflowRun(_)
            | Self::WorkflowDispatch { .. }
            | Self::RepositoryDispatch { .. }
            | Self::Schedule { .. }
            | Self::Other(_) => None,
        }
    }
}

/// A pull request as its event tells it. What is `None` the API knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub action: Option<String>,
    /// The last commit of the branch, never the merge commit that the runner checks out.
    pub head: Option<CommitSha>,
    pub base: Option<CommitSha>,
    pub head_ref: Option<String>,
    pub base_ref: Option<String>,
    /// From another repository, from one that is gone, by Dependabot, or nobody says: the token may only read.
    pub is_fork: bool,
    pub is_draft: bool,
    pub is_merged: bool,
    pub author: Option<String>,
}

/// Commits that came to a branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Where the branch was; `None` if it is new.
    pub before: Option<CommitSha>,
    /// Where it is; `None` if it was deleted.
    pub after: Option<CommitSha>,
    /// `refs/heads/…` or `refs/tags/…`.
    pub git_ref: String,
    pub is_deleted: bool,
    pub is_forced: bool,
}

/// A group of pull requests that the merge queue tries together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeGroup {
    pub action: Option<String>,
    /// The pull request at the head of the group, from the name of its branch.
    pub number: Option<u64>,
    pub head: Option<CommitSha>,
    pub base: Option<CommitSha>,
    pub head_ref: Option<String>,
    pub base_ref: Option<String>,
}

/// Another workflow of this repository that began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRun {
    pub action: Option<String>,
    pub id: Option<u64>,
    pub run_attempt: Option<u32>,
    /// What started that run.
    pub event: Option<String>,
    pub conclusion: Option<String>,
    pub head: Option<CommitSha>,
    pub head_branch: Option<String>,
    pub head_repository_id: Option<u64>,
    pub head_owner: Option<String>,
    pub repository_id: Option<u64>,
    /// The run's commit is another repository's, of one that is gone, or nobody says.
    pub is_fork: bool,
    /// GitHub gives none for forks: then the pull request is found by its head commit.
    pub number: Option<u64>,
}

/// Somebody's words below an issue or a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueComment {
    pub action: Option<String>,
    pub number: Option<u64>,
    /// Issues and pull requests have comments of one kind: this tells them apart.
    pub is_pull_request: bool,
    pub comment_id: Option<u64>,
    pub body: Option<String>,
    pub author: Option<String>,
    /// `User`, `Bot` or `Organization`.
    pub author_type: Option<String>,
    pub author_association: Option<String>,
}

impl IssueComment {
    /// Whether there may be a command in it: a person's new comment below a pull request. An edit is none, since what
    /// was allowed when it was written could be changed afterwards.
    pub fn may_command(&self) -> bool {
        self.is_pull_request
            && self.action.as_deref() == Some("created")
            && self.author_type.as_deref() == Some("User")
            && self.comment_id.is_some()
            && self.number.is_some()
    }
}

/// What the environment knows of the event, for when its file does not say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fallback<'a> {
    pub git_ref: &'a str,
    pub head_ref: Option<&'a str>,
    pub base_ref: Option<&'a str>,
    pub sha: Option<&'a CommitSha>,
    pub actor: &'a str,
}

impl Event {
    /// The event of this name from its payload, `Value::Null` if there is none; `None` for a pull request whose number
    /// nobody knows.
    pub(super) fn read(name: &str, payload: &Value, fallback: Fallback<'_>) -> Option<Self> {
        let payload = Payload(payload);
        Some(match name {
            "pull_request" => Self::PullRequest(PullRequest::read(payload, fallback)?),
            "pull_request_target" => Self::PullRequestTarget(PullRequest::read(payload, fallback)?),
            "push" => Self::Push(Push::read(payload, fallback)),
            "merge_group" => Self::MergeGroup(MergeGroup::read(payload, fallback)),
            "workflow_run" => Self::WorkflowRun(WorkflowRun::read(payload)),
            "issue_comment" => Self::IssueComment(IssueComment::read(payload)),
            "workflow_dispatch" => Self::WorkflowDispatch {
                inputs: payload.inputs(),
            },
            "repository_dispatch" => Self::RepositoryDispatch {
                action: payload.text("/action").unwrap_or_default(),
            },
            "schedule" => Self::Schedule {
                cron: payload.text("/schedule"),
            },
            other => Self::Other(other.to_owned()),
        })
    }
}

impl PullRequest {
    fn read(payload: Payload<'_>, fallback: Fallback<'_>) -> Option<Self> {
        let author = payload.text("/pull_request/user/login");
        let is_by_dependabot = author.as_deref() == Some(DEPENDABOT) || is_dependabot(fallback.actor);
        Some(Self {
            number: payload
                .number("/number")
                .or_else(|| payload.number("/pull_request/number"))
                .or_else(|| number_of_ref(fallback.git_ref))?,
            action: payload.text("/action"),
            head: payload.sha("/pull_request/head/sha"),
            base: payload.sha("/pull_request/base/sha"),
            head_ref: payload
                .text("/pull_request/head/ref")
                .or_else(|| fallback.head_ref.map(str::to_owned)),
            base_ref: payload
                .text("/pull_request/base/ref")
                .or_else(|| fallback.base_ref.map(str::to_owned)),
            is_fork: is_by_dependabot
                || payload.is_elsewhere("/pull_request/head/repo", &["/pull_request/base/repo", "/repository"]),
            is_draft: payload.is_true("/pull_request/draft"),
            is_merged: payload.is_true("/pull_request/merged"),
            author,
        })
    }
}

impl Push {
    fn read(payload: Payload<'_>, fallback: Fallback<'_>) -> Self {
        let after = payload.text("/after");
        let is_deleted = payload.is_true("/deleted") || after.as_deref().is_some_and(is_zeros);
        Self {
            before: payload.sha("/before"),
            after: match payload.sha("/after") {
                _ if is_deleted => None,
                Some(after) => Some(after),
                None => fallback.sha.cloned(),
            },
            git_ref: payload.text("/ref").unwrap_or_else(|| fallback.git_ref.to_owned()),
            is_deleted,
            is_forced: payload.is_true("/forced"),
        }
    }
}

impl MergeGroup {
    fn read(payload: Payload<'_>, fallback: Fallback<'_>) -> Self {
        let head_ref = payload
            .text("/merge_group/head_ref")
            .unwrap_or_else(|| fallback.git_ref.to_owned());
        Self {
            action: payload.text("/action"),
            number: number_in_queue(&head_ref),
            head: payload.sha("/merge_group/head_sha").or_else(|| fallback.sha.cloned()),
            base: payload.sha("/merge_group/base_sha"),
            head_ref: Some(head_ref).filter(|name| !name.is_empty()),
            base_ref: payload
                .text("/merge_group/base_ref")
                .or_else(|| fallback.base_ref.map(str::to_owned)),
        }
    }
}

impl WorkflowRun {
    fn read(payload: Payload<'_>) -> Self {
        Self {
            action: payload.text("/action"),
            id: payload.number("/workflow_run/id"),
            run_attempt: payload
                .number("/workflow_run/run_attempt")
                .and_then(|attempt| u32::try_from(attempt).ok()),
            event: payload.text("/workflow_run/event"),
            conclusion: payload.text("/workflow_run/conclusion"),
            head: payload.sha("/workflow_run/head_sha"),
            head_branch: payload.text("/workflow_run/head_branch"),
            head_repository_id: payload.number("/workflow_run/head_repository/id"),
            head_owner: payload.text("/workflow_run/head_repository/owner/login"),
            repository_id: payload
                .number("/repository/id")
                .or_else(|| payload.number("/workflow_run/repository/id")),
            is_fork: payload.is_elsewhere(
                "/workflow_run/head_repository",
                &["/repository", "/workflow_run/repository"],
            ),
            number: payload.number("/workflow_run/pull_requests/0/number"),
        }
    }
}

impl IssueComment {
    fn read(payload: Payload<'_>) -> Self {
        Self {
            action: payload.text("/action"),
            number: payload.number("/issue/number"),
            is_pull_request: payload.0.pointer("/issue/pull_request").is_some_and(Value::is_object),
            comment_id: payload.number("/comment/id"),
            body: payload.text_within("/comment/body", MAX_BODY_BYTES),
            author: payload.text("/comment/user/login"),
            author_type: payload.text("/comment/user/type"),
            author_association: payload.text("/comment/author_association"),
        }
    }
}

/// The payload of an event, asked field by field: what has another type than expected is as if it were not there.
#[derive(Clone, Copy)]
pub(super) struct Payload<'a>(pub &'a Value);

impl Payload<'_> {
    pub fn text(self, pointer: &str) -> Option<String> {
        self.text_within(pointer, MAX_NAME_BYTES)
    }

    fn text_within(self, pointer: &str, limit_bytes: usize) -> Option<String> {
        let text = self.0.pointer(pointer)?.as_str()?;
        (!text.is_empty() && text.len() <= limit_bytes).then(|| text.to_owned())
    }

    /// Identities begin at 1.
    fn number(self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer)?.as_u64().filter(|number| *number > 0)
    }

    fn sha(self, pointer: &str) -> Option<CommitSha> {
        self.0.pointer(pointer)?.as_str()?.parse().ok()
    }

    fn is_true(self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool) == Some(true)
    }

    /// Whether a repository is another one than ours, which is the first of `ours` that has an identity. One that is
    /// gone, or that nobody describes, is taken for another: less is allowed then.
    fn is_elsewhere(self, theirs: &str, ours: &[&str]) -> bool {
        let theirs = self.number(&format!("{theirs}/id"));
        let ours = ours.iter().find_map(|ours| self.number(&format!("{ours}/id")));
        theirs.is_none() || theirs != ours
    }

    /// Texts, numbers and switches as text; what was left empty is left out.
    fn inputs(self) -> BTreeMap<String, String> {
        let Some(inputs) = self.0.pointer("/inputs").and_then(Value::as_object) else {
            return BTreeMap::new();
        };
        inputs
            .iter()
            .filter_map(|(name, value)| {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Bool(_) | Value::Number(_) => value.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => return None,
                };
                let is_usable = name.len() <= MAX_NAME_BYTES && !text.is_empty() && text.len() <= MAX_BODY_BYTES;
                is_usable.then(|| (name.clone(), text))
            })
            .take(MAX_INPUTS)
            .collect()
    }
}

pub(super) fn is_dependabot(actor: &str) -> bool {
    actor == DEPENDABOT
}

fn is_zeros(text: &str) -> bool {
    text.bytes().all(|b| b == b'0')
}

/// `refs/pull/7/merge` is of number 7.
fn number_of_ref(git_ref: &str) -> Option<u64> {
    let (number, _) = git_ref.strip_prefix("refs/pull/")?.split_once('/')?;
    positive(number)
}

/// `refs/heads/gh-readonly-queue/main/pr-7-<sha>` is of number 7.
fn number_in_queue(head_ref: &str) -> Option<u64> {
    let (_, name) = head_ref.rsplit_once('/')?;
    let (number, sha) = name.strip_prefix("pr-")?.split_once('-')?;
    sha.parse::<CommitSha>().ok()?;
    positive(number)
}

pub(super) fn positive(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number > 0)
}
