//! What one job talks to, what it asks of GitHub before it begins, and what it has to say about that.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::base::CommitSha;
use crate::github::checks::{Check, CheckId};
use crate::github::pulls::{self, Pull};
use crate::github::results::Results;
use crate::github::runner::{self, Annotation, Level};
use crate::github::{Client, CommandFiles, Context, Event, GithubError, Inputs, Repository};
use crate::pipeline::chain;
use crate::report::Around;
use crate::sys;
use crate::tracked::GitHub;

use super::super::print;

/// Where the runner keeps the files through which a step talks to it, below its temporary folder.
pub const FILE_COMMANDS: &str = "_runner_file_commands";

/// What the event would have said.
async fn default_branch(client: &Client, repository: &Repository) -> Result<String, GithubError> {
    let found: serde_json::Value = client.get(&format!("/repos/{repository}")).await?;
    match found["default_branch"].as_str() {
        Some(branch) => Ok(branch.to_owned()),
        None => Err(GithubError::Malformed {
            what: "the repository".to_owned(),
            why: "it has no default branch".to_owned(),
        }),
    }
}

/// One job on a runner.
pub struct Desk {
    pub context: Context,
    pub inputs: Inputs,
    /// `None` without a token.
    pub github: Option<Client>,
    /// `None` where there is no service for artifacts.
    pub results: Option<Arc<Results>>,
    notices: Mutex<BTreeSet<String>>,
    /// The files of the runner are not where a container sees them twice, from the beginning.
    pub files_were_elsewhere: bool,
    /// What stands in the runner's files is not ours: then the step must not pass.
    pub files_are_unknown: AtomicBool,
    /// The check that says "in progress" until somebody ends it.
    pub open: Mutex<Option<Open>>,
}

/// A check that is being opened, or is open.
pub struct Open {
    pub check: Check,
    /// Once GitHub has said it; nobody can say it any more when the sender is gone.
    pub id: watch::Receiver<Option<CheckId>>,
    pub starting: AbortHandle,
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub fn new(mut context: Context, inputs: Inputs, github: Option<Client>, results: Option<Results>) -> Self {
        let mut notices: BTreeSet<String> = context.notices.iter().cloned().collect();
        // A pod of Kubernetes may not have it: then nobody reads what is written there.
        let folder = context.files.output.as_deref().and_then(Path::parent);
        if folder.is_some_and(|folder| matches!(sys::kind(folder), Ok(None))) {
            context.files = CommandFiles::default();
            notices.insert("outputs and summary are missing: this runner gives no files for them".to_owned());
        }
        let ours = context.files.output.as_deref().and_then(Path::parent);
        let theirs = context.temp.as_ref().map(|temp| temp.join(FILE_COMMANDS));
        let is_seen_twice = ours
            .zip(theirs.as_deref())
            .is_some_and(|(ours, theirs)| sys::is_same(ours, theirs).unwrap_or(false));
        Self {
            files_were_elsewhere: !is_seen_twice,
            context,
            inputs,
            github,
            results: results.map(Arc::new),
            notices: Mutex::new(notices),
            files_are_unknown: AtomicBool::new(false),
            open: Mutex::new(None),
        }
    }

    /// This job, as trackers are told of it.
    pub fn of_tracker(&self) -> GitHub {
        let run = &self.context.run;
        GitHub {
            server: self.context.urls.server.clone(),
            repository: self.context.repository.to_string(),
            git_ref: self.context.git_ref.clone(),
            run_id: run.id,
            attempt: run.attempt,
            job: run.job.clone(),
            workflow: run.workflow_ref.clone(),
            event: self.context.event.name().to_owned(),
            pull_request: self.context.event.pull_request(),
            actor: self.context.actor.clone(),
        }
    }

    /// Where the files of the project stand at the commit that people look at.
    pub fn files_page(&self, head: Option<&CommitSha>) -> String {
        let commit = head.unwrap_or(&self.context.sha);
        let directory = self
            .inputs
            .directory
            .as_deref()
            .map(|directory| format!("/{directory}"))
            .unwrap_or_default();
        format!(
            "{}/{}/blob/{commit}{directory}",
            self.context.urls.server, self.context.repository
        )
    }

    /// Something that people should know once, whatever else happens.
    pub fn notice(&self, text: impl Into<String>) {
        locked(&self.notices).insert(text.into());
    }

    /// The value, or a notice about the surface that is missing without it.
    pub fn soft<T>(&self, surface: &str, result: Result<T, GithubError>) -> Option<T> {
        result
            .map_err(|error| {
                self.notice(match error.missing_permission() {
                    Some(permission) => {
                        format!("{surface} is missing: add `{permission}` to the `permissions:` of the job")
                    }
                    None => format!("{surface} is missing: {}", chain(&error)),
                });
            })
            .ok()
    }

    /// Fills in what a broken event did not say and the API knows.
    pub async fn complete(&mut self) {
        let Some(client) = self.github.clone() else { return };
        let repository = self.context.repository.clone();
        if self.context.default_branch.is_none() && self.context.git_ref.starts_with("refs/heads/") {
            let branch = default_branch(&client, &repository).await;
            self.context.default_branch = self.soft("the name of the default branch", branch);
        }
        if let Event::PullRequest(pull) = &self.context.event
            && pull.head.is_none()
        {
            let found = pulls::pull(&client, &repository, pull.number).await;
            if let Some(found) = self.soft("the head of the pull request", found)
                && let Event::PullRequest(pull) = &mut self.context.event
            {
                pull.is_fork = found.is_fork();
                pull.head = Some(found.head_sha);
                pull.base = Some(found.base_sha);
            }
        }
    }

    /// Whether this is still the last commit of the pull request: an older run does not report over a newer one.
    pub async fn is_current(&self, number: u64, head: &CommitSha) -> bool {
        let Some(client) = &self.github else { return false };
        match pulls::pull(client, &self.context.repository, number).await {
            Ok(Pull { head_sha, .. }) if head_sha != *head => {
                self.notice(format!(
                    "the comment is left to the run of {}, which is newer than {}",
                    head_sha.short(),
                    head.short()
                ));
                false
            }
            // Whoever may not read may still write; the comment itself will tell.
            Ok(_) | Err(_) => true,
        }
    }

    /// The pull request that brought this commit to the default branch.
    pub async fn merged_pull(&self, commit: &CommitSha) -> Option<u64> {
        let client = self.github.as_ref()?;
        let found = pulls::merged_as(client, &self.context.repository, commit).await;
        Some(self.soft("the pull request of the commit", found)??.number)
    }

    /// The page of this job, or of its run.
    pub fn page(&self) -> String {
        match self.inputs.check_run_id {
            Some(id) => self.context.job_url(id),
            None => self.context.run_url(),
        }
    }

    /// Where a reader of the report reads on.
    pub fn around(&self, report: Option<String>) -> Around {
        Around {
            report,
            run: Some(self.page()),
            tracked: None,
            next: None,
            by_stranger: false,
        }
    }

    /// Lines for the log, then every notice as one of the runner's.
    pub fn say(&self, lines: &[String]) {
        let notices = locked(&self.notices).clone();
        let notices = notices.into_iter().map(|notice| Annotation {
            title: Some("mlops".to_owned()),
            ..Annotation::new(Level::Notice, notice)
        });
        let notices = runner::annotations(&notices.collect::<Vec<_>>()).0;
        let log: Vec<&str> = lines.iter().chain(&notices).map(String::as_str).collect();
        if !log.is_empty() {
            // Nobody to read the log is no reason to fail.
            print(&log.join("\n")).ok();
        }
    }
}
