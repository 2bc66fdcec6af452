//! The surfaces, one after the other: each fails softly, with one notice that says what to add.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::super::project::Opened;
use super::desk::{Desk, FILE_COMMANDS, Open, locked};
use super::moving::Answer;
use super::shown::{self, Etiquette, Shown, Standing};
use crate::base::CommitSha;
use crate::config::Approval;
use crate::github::checks::{self, Check, Level};
use crate::github::comments::{self, How, Sticky};
use crate::github::results::Upload;
use crate::github::runner::{self, Annotation, Delimiter, Written};
use crate::github::{deployments, issues};
use crate::pipeline::chain;
use crate::report::{self, Render as _};
use crate::sys;

const GATE_LIMIT: usize = 20_000;
/// Half of what the runner takes.
const SUMMARY_LIMIT: usize = 500_000;
/// How long a cancelled job waits for the check that it was about to open.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

impl Desk {
    /// Says on the commit that work has begun.
    pub async fn open_check(&self, name: &str, key: &str, head: &CommitSha) {
        let Some(client) = &self.github else { return };
        let check = self.check(name, key, head);
        let (known, id) = watch::channel(None);
        let of = (client.clone(), self.context.repository.clone(), check.clone());
        // Beside us, since a signal drops us: what GitHub makes for a call that nobody waits for, nobody would end.
        let starting = tokio::spawn(async move {
            let (client, repository, check) = of;
            let started = checks::start(
                &client,
                &repository,
                &check,
                "Running",
                "Data, lint, tests, training and comparison are under way.",
            );
            let started = started.await;
            known.send_replace(started.as_ref().ok().copied());
            started
        });
        *locked(&self.open) = Some(Open {
            check,
            id,
            starting: starting.abort_handle(),
        });
        // It does not panic, and only `cancel` ends it.
        let Ok(started) = starting.await else { return };
        if self.soft("the check", started).is_none() {
            locked(&self.open).take();
        }
    }

    fn check(&self, name: &str, key: &str, head: &CommitSha) -> Check {
        Check {
            name: name.to_owned(),
            head: head.clone(),
            external_id: self.context.run.external_id(key),
            details_url: Some(self.page()),
        }
    }

    /// Ends the open check as cancelled; quick, since the runner is about to kill us.
    pub async fn cancel(&self) {
        let open = locked(&self.open).take();
        if let (
            Some(Open {
                check,
                mut id,
                starting,
            }),
            Some(client),
        ) = (open, &self.github)
        {
            // It may be on its way.
            let id = match tokio::time::timeout(ON_ITS_WAY, id.wait_for(Option::is_some)).await {
                Ok(Ok(id)) => *id,
                Ok(Err(_)) | Err(_) => None,
            };
            starting.abort();
            let cancelled = checks::cancel(client, &self.context.repository, &check, id).await;
            self.soft("the end of the check", cancelled);
        }
    }

    /// Ends the open check, or makes one that has ended, and one check a gate. Whether they are there.
    pub async fn checks(&self, shown: &Shown, name: &str, head: &CommitSha) -> bool {
        let Some(client) = &self.github else { return false };
        let repository = &self.context.repository;
        let open = locked(&self.open)
            .as_ref()
            .map(|open| (open.check.clone(), *open.id.borrow()));
        let (check, id) = open.unwrap_or_else(|| (self.check(name, &shown.key, head), None));
        let output = checks::Output {
            title: report::document_title(&shown.document),
            summary: report::Markdown::default().render(&shown.document),
            text: None,
            annotations: shown.annotations.clone(),
        };
        let finished = checks::finish(client, repository, &check, id, shown.conclusion, &output).await;
        if self.soft("the check", finished).is_none() {
            return false;
        }
        locked(&self.open).take();
        for gate in &shown.gates {
            let check = self.check(
                &format!("{name} / {}", gate.name),
                &format!("{}/{}", shown.key, gate.name),
                head,
            );
            let output = checks::Output {
                title: report::document_title(&gate.document),
                summary: report::Markdown { limit: GATE_LIMIT }.render(&gate.document),
                text: None,
                annotations: gate.annotations.clone(),
            };
            let finished = checks::finish(client, repository, &check, None, gate.conclusion, &output).await;
            if self.soft("the check of a gate", finished).is_none() {
                break;
            }
        }
        true
    }

    /// The one comment of this configuration on this pull request.
    pub async fn comment(&self, shown: &Shown, pull: u64, head: &CommitSha, how: Loudness) {
        let Some(client) = &self.github else { return };
        let repository = &self.context.repository;
        let sticky = Sticky {
            issue: pull,
            key: shown.key.clone(),
        };
        let found = comments::find(client, repository, &sticky).await;
        let Some(found) = self.soft("the comment", found) else {
            return;
        };
        let now = shown::remembered(shown, head);
        let before = found.as_ref().and_then(|found| found.data.as_ref());
        let exists = found.is_some();
        let how = match shown::etiquette(self.inputs.comment, before, exists, &now, shown.verdict) {
            Etiquette::Leave => return,
            Etiquette::Repost if how == Loudness::Heard => How::Repost,
            Etiquette::Repost | Etiquette::Edit => How::Edit,
        };
        let limit = comments::body_budget(&now);
        let body = report::Markdown { limit }.render(&shown.document);
        let published = comments::publish(client, repository, &sticky, found, &body, &now, how).await;
        if let Some((outcome, url)) = self.soft("the comment", published) {
            tracing::debug!(?outcome, url, "the comment is there");
        }
    }

    /// The issue that stands open while scheduled runs do not pass.
    pub async fn issue(&self, shown: &Shown) {
        let Some(client) = &self.github else { return };
        let repository = &self.context.repository;
        let body = report::Markdown::default().render(&shown.document);
        let title = format!("{}: {}", shown.name, report::document_title(&shown.document));
        let standing = issues::Standing {
            key: shown.key.clone(),
            label: None,
        };
        let done = async {
            let found = issues::standing(client, repository, &standing).await?;
            if shown.standing == Standing::Failed {
                let nothing = serde_json::Value::Null;
                issues::raise(client, repository, &standing, found, &title, &body, &nothing).await?;
            } else if let Some(found) = found {
                issues::settle(client, repository, &standing, &found, &body).await?;
            }
            Ok(())
        };
        self.soft("the issue of the schedule", done.await);
    }

    /// Uploads one file of the report; its page, if that worked.
    pub async fn upload(&self, surface: &str, upload: &Upload) -> Option<String> {
        match self.results.as_ref()?.upload(upload).await {
            Ok(uploaded) => Some(format!("{}/artifacts/{}", self.context.run_url(), uploaded.id)),
            Err(error) => {
                self.notice(format!("{surface} is missing: {}", chain(&error)));
                None
            }
        }
    }

    /// A move of production stands among the repository's deployments too, where the token may write there. With
    /// `approval: environment` GitHub itself does that.
    pub async fn record_deployment(&self, opened: &Opened, answer: &Answer) {
        let (Some(client), Some(step)) = (&self.github, &answer.moved) else {
            return;
        };
        let promote = &opened.project.promote;
        if promote.approval == Approval::Environment {
            return;
        }
        let deployment = deployments::Deployment {
            environment: promote.to.to_string(),
            sha: self.context.sha.clone(),
            description: report::document_title(&answer.document),
            payload: serde_json::json!({
                "model": opened.project.model.as_str(),
                "from": step.from,
                "to": step.to,
                "run_id": self.context.run.id,
            }),
            url: Some(self.page()),
        };
        let recorded = deployments::record(client, &self.context.repository, &deployment).await;
        self.soft("the deployment record", recorded);
    }

    /// What the runner itself takes: outputs, the job's summary, annotations where there is no check, notices.
    pub fn tell_runner(&self, shown: &Shown, has_check: bool) {
        let summary = report::Markdown { limit: SUMMARY_LIMIT }.render(&shown.document);
        self.write_files(&shown.outputs, &summary);
        let gates = shown.gates.iter().flat_map(|gate| &gate.annotations);
        let annotations: Vec<Annotation> = shown.annotations.iter().chain(gates).map(in_log).collect();
        let lines = if has_check {
            Vec::new()
        } else {
            runner::annotations(&annotations).0
        };
        self.say(&lines);
    }

    /// Writes the step's files last, so that nothing a command wrote there stands.
    pub fn write_files(&self, outputs: &[(&'static str, String)], summary: &str) {
        let outputs: Vec<(&str, &str)> = outputs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let written = Written {
            outputs: &outputs,
            state: &[],
            summary,
        };
        let done = self.runners_folder().and_then(|()| {
            let delimiter = Delimiter::random().map_err(|error| error.to_string())?;
            runner::write_files(&self.context.files, written, &delimiter).map_err(|error| chain(&error))
        });
        if let Err(problem) = done {
            self.notice(format!("outputs or summary are missing: {problem}"));
            self.files_are_unknown.store(true, Ordering::Relaxed);
        }
    }
}

impl Desk {
    /// In a container the folder of the runner's files is reached on two ways, one of which leads through a folder that
    /// commands may change: one that they put in its place would be read instead of ours.
    fn runners_folder(&self) -> Result<(), String> {
        let ours = self.context.files.output.as_deref().and_then(Path::parent);
        let theirs = self.context.temp.as_ref().map(|temp| temp.join(FILE_COMMANDS));
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return Ok(());
        };
        match sys::is_same(ours, &theirs) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) if self.files_were_elsewhere => Ok(()),
            Ok(false) | Err(_) => Err("a command put another folder in the place of the runner's".to_owned()),
        }
    }
}

/// Whether news may notify people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    Heard,
    Silent,
}

fn in_log(one: &checks::Annotation) -> Annotation {
    let level = match one.level {
        Level::Warning => runner::Level::Warning,
        Level::Failure => runner::Level::Error,
    };
    Annotation {
        title: Some(one.title.clone()),
        file: Some(one.path.clone()),
        line: Some(one.line),
        end_line: Some(one.end_line),
        ..Annotation::new(level, one.message.clone())
    }
}
