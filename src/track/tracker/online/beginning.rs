//! A run from nothing, or from where an earlier attempt of the same job left it.

use super::{Clock, Online, Open, TrackError};
use crate::track::record::RunStart;
use crate::wandb::media::{Extras, config};
use crate::wandb::{Offsets, Resume, RunPath, Stream, UpsertRun, run_resume, upsert_run};

/// Servers with this know the parts of a line of the console.
const STRUCTURED: &str = "STRUCTURED_CONSOLE_LOGS";

impl Online {
    pub(super) async fn open(&self, path: RunPath, start: &RunStart) -> Result<Open, TrackError> {
        let (before, features) = tokio::join!(run_resume(&self.client, &path), self.client.features());
        let before = before?;
        let is_structured = features.is_ok_and(|features| features.has(STRUCTURED));
        let config = config(
            before.as_ref().and_then(|before| before.config.as_ref()),
            &start.config,
            &Extras::default(),
        );
        let run = begun(path, start, before.as_ref(), config.clone());
        let made = upsert_run(&self.client, &run).await?;
        let offsets = before.as_ref().map_or_else(Offsets::default, |before| Offsets {
            history: before.n_history,
            events: before.n_events,
            output: before.n_log,
        });
        Ok(Open {
            stream: Stream::open(self.client.clone(), made.path.clone(), offsets, self.rhythm),
            run: made.path,
            start: start.clone(),
            config,
            next_step: before.map_or(0, |before| before.next_step),
            clock: Clock::new(start),
            is_structured,
            output: String::new(),
        })
    }
}

/// Everything that is known of a run as it begins; what people gave it before stays.
fn begun(path: RunPath, start: &RunStart, before: Option<&Resume>, config: serde_json::Value) -> UpsertRun {
    let mut tags = before.map(|before| before.tags.clone()).unwrap_or_default();
    for tag in &start.tags {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    UpsertRun {
        // One that was made and never began is opened like a new one.
        id: before
            .filter(|before| before.is_started)
            .map(|before| before.id.clone()),
        name: path.run,
        entity: Some(path.entity),
        project: path.project,
        display_name: Some(start.display_name.clone()),
        group: start.group.clone(),
        job_type: Some(start.job_type.clone()),
        tags: Some(tags),
        notes: start.notes.clone(),
        config: Some(config),
        summary: None,
        commit: start.git.as_ref().map(|git| git.commit.clone()),
        repository: start.git.as_ref().map(|git| git.remote.clone()),
        program: Some(start.program.clone()),
        host: start.host.clone(),
    }
}
