//! The end of a run: what it found, what it was given, its files, and that it is over.
//!
//! What W&B can do without fails with a warning; what the stream does not take is no run.

use std::error::Error;
use std::time::Duration;

use tokio::time::Instant;

use super::media::{send_media, share_tables};
use super::{Open, TrackError};
use crate::track::record::{Dataset, RunEnd};
use crate::track::tracker::Ended;
use crate::track::tracker::artifacts::{dataset, metadata};
use crate::track::tracker::shown::{Shown, last_step, rows, shown};
use crate::track::wandb::used;
use crate::track::{RegistryError, Wandb};
use crate::wandb::media::{config, history_line, summary_line};
use crate::wandb::{self, Client, Content, Records, UpsertRun, publish, send_files, upsert_run};

/// Until when the parts of one end may take. What a part leaves is for those after it, and whatever gets lost on the way,
/// there is time to close the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time {
    /// For tables as artifacts, which files of tables are named in.
    pub(super) tables: Instant,
    /// For pictures and tables as files, which the history speaks of, and beside them for what the run was given.
    pub(super) media: Instant,
    /// For settings and the other files.
    pub(super) files: Instant,
    /// For the stream, and with it for everything.
    pub(super) all: Instant,
}

impl Time {
    /// Of a minute these are 20, 20, 10 and 10 seconds.
    pub(super) fn from_now(within: Duration) -> Self {
        let begun = Instant::now();
        Self {
            tables: begun + within / 3,
            media: begun + within / 3 * 2,
            files: begun + within / 6 * 5,
            all: begun + within,
        }
    }
}

impl Open {
    pub(super) async fn end(
        self: Box<Self>,
        client: &Client,
        registry: Option<&Wandb>,
        end: RunEnd,
        time: Time,
    ) -> Result<Ended, TrackError> {
        if let Some(failure) = self.stream.failure() {
            return Err(failure.into());
        }
        let mut warnings = Vec::new();
        let step = last_step(&end.history);
        let Shown {
            tables,
            images,
            mut extras,
        } = shown(&end.history, end.tables, end.charts, end.images);
        let media = async {
            let tables = share_tables(client, &self.run, tables, step, time.tables).await;
            let sent = send_media(client, &self.run, &self.stream, tables.media, images);
            (tables.warning, until(time.media, sent).await)
        };
        let ((unshared, sent), data, met) = tokio::join!(
            media,
            until(time.media, self.give(client, end.data)),
            until(time.media, self.meet(registry, end.met.as_deref())),
        );
        warnings.extend(unshared);
        note(&mut warnings, "the data is not linked to the run in W&B", data);
        note(
            &mut warnings,
            "the version in production is not linked to the run in W&B",
            met,
        );
        let cells = note(&mut warnings, "W&B has no pictures and tables of the run", sent);
        if cells.is_none() {
            // They would be empty.
            extras.panels.clear();
        }
        let tree = config(Some(&self.config), &end.config, &extras);
        let (rows, last) = rows(end.history, end.summary, cells.unwrap_or_default());
        let moment = self.clock.moment();
        // Of all rows that there are then, whichever attempt told them.
        let last_step = self.next_step.max(rows.len() as u64).checked_sub(1);
        let summary = summary_line(last_step, moment, &last);
        let others = end.files.into_iter();
        let records = Records {
            summary: summary.clone(),
            config: tree.clone(),
            metadata: Some(metadata(&self.start)),
            requirements: None,
            output: Some(Content::Bytes(self.output.clone().into_bytes())),
            others: others.map(|file| (file.name, file.content.into())).collect(),
        };
        let settings = UpsertRun {
            name: self.run.run.clone(),
            entity: Some(self.run.entity.clone()),
            project: self.run.project.clone(),
            config: Some(tree),
            ..UpsertRun::default()
        };
        let (settings, files) = tokio::join!(
            until(time.files, upsert_run(client, &settings)),
            until(time.files, send_files(client, &self.run, records.files())),
        );
        note(
            &mut warnings,
            "W&B has only the settings that the run began with",
            settings,
        );
        let files = note(&mut warnings, "W&B has not all files of the run", files);
        for name in files.unwrap_or_default() {
            self.stream.uploaded(name);
        }
        // An earlier attempt may have told some of them.
        for (step, row) in (0..).zip(&rows).filter(|(step, _)| *step >= self.next_step) {
            self.stream.history(history_line(step, moment, row));
        }
        self.stream.summary(summary);
        let finished = self.stream.finish(end.exit_code.into());
        let Ok(finished) = tokio::time::timeout_at(time.all, finished).await else {
            return Err(TrackError::Broken {
                why: "W&B did not take the end of the run in time".to_owned(),
            });
        };
        let finished = finished?;
        if finished.n_skipped > 0 {
            warnings.push(format!(
                "W&B has not all of the run: {} lines are longer than it takes",
                finished.n_skipped
            ));
        }
        Ok(Ended { warnings, waits: None })
    }

    /// The data as a version of an artifact, which the run was given.
    async fn give(&self, client: &Client, data: Option<Dataset>) -> Result<(), wandb::WandbError> {
        let Some(data) = data else { return Ok(()) };
        let made = publish(client, dataset(&self.run, data)).await?;
        used(client, &self.run, made.id, (&self.run.entity, &self.run.project)).await
    }

    /// The version that the run was compared with.
    async fn meet(&self, registry: Option<&Wandb>, met: Option<&str>) -> Result<(), RegistryError> {
        match (registry, met) {
            (Some(registry), Some(met)) => registry.used_by(&self.run, met).await,
            _ => Ok(()),
        }
    }
}

/// Why something is missing of a run.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing<E: Error> {
    #[error(transparent)]
    Failed(E),
    #[error("the time for it was over")]
    Late,
}

pub(super) async fn until<T, E: Error>(
    moment: Instant,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Missing<E>> {
    match tokio::time::timeout_at(moment, work).await {
        Ok(done) => done.map_err(Missing::Failed),
        Err(_) => Err(Missing::Late),
    }
}

/// What was done; what was not is a sentence.
fn note<T, E: Error>(warnings: &mut Vec<String>, what: &str, done: Result<T, Missing<E>>) -> Option<T> {
    match done {
        Ok(done) => Some(done),
        Err(missing) => {
            warnings.push(sentence(what, &missing));
            None
        }
    }
}

/// With every cause.
pub(super) fn sentence(what: &str, error: &dyn Error) -> String {
    let mut sentence = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        sentence.push_str(": ");
        sentence.push_str(&error.to_string());
        cause = error.source();
    }
    sentence
}
