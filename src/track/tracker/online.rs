//! Runs in W&B, told while they run.
//!
//! A run is found again by its id: whatever an earlier attempt of the same job left, this one goes on behind it and ends
//! it. Pictures and files are sent before the rows that speak of them.

mod beginning;
mod ending;
mod media;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::ending::Time;
use super::clock::Clock;
use super::{Ended, Started, TrackError, Tracker};
use crate::track::Wandb;
use crate::track::record::{RunEnd, RunStart};
use crate::wandb::media::console_line;
use crate::wandb::{Client, Rhythm, RunPath, Stream};

/// What of the console is kept for the file beside the run.
const MAX_OUTPUT: usize = 32 << 20;
/// When the job is told to stop: for what was said last, and then for the bare end. Together below two seconds.
const LAST_WORDS: Duration = Duration::from_millis(1_300);
const BARE_END: Duration = Duration::from_millis(600);

/// Where runs go.
pub struct OnlinePlace {
    pub entity: String,
    pub project: String,
    /// Where the versions are that runs are compared with, if that is in W&B.
    pub registry: Option<Wandb>,
}

/// Keeps runs in W&B.
pub struct Online {
    client: Client,
    place: OnlinePlace,
    rhythm: Rhythm,
    stage: Mutex<Stage>,
}

/// How far the run is.
enum Stage {
    None,
    /// It is being opened or closed: W&B may know it.
    Busy(RunPath),
    Open(Box<Open>),
    Over,
}

/// A run that is told.
struct Open {
    run: RunPath,
    start: RunStart,
    stream: Stream,
    /// The settings as W&B has them.
    config: serde_json::Value,
    /// Rows below this one are there already.
    next_step: u64,
    clock: Clock,
    /// Whether W&B knows the parts of a line of the console.
    is_structured: bool,
    output: String,
}

impl Open {
    fn say(&mut self, line: &str) {
        let at_ms = self.clock.moment().at_ms;
        self.stream.output(console_line(at_ms, line, self.is_structured));
        if self.output.len() + line.len() < MAX_OUTPUT {
            self.output.push_str(line);
            self.output.push('\n');
        }
    }
}

impl Online {
    pub fn new(client: Client, place: OnlinePlace) -> Self {
        Self {
            client,
            place,
            rhythm: Rhythm::default(),
            stage: Mutex::new(Stage::None),
        }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open run, which is being closed from now on.
    fn take(&self) -> Option<Box<Open>> {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Open(open) => {
                *stage = Stage::Busy(open.run.clone());
                Some(open)
            }
            other => {
                *stage = other;
                None
            }
        }
    }
}

#[async_trait]
impl Tracker for Online {
    async fn start(&self, run: &RunStart) -> Result<Started, TrackError> {
        let path = RunPath {
            entity: self.place.entity.clone(),
            project: self.place.project.clone(),
            run: run.id.clone(),
        };
        *self.stage() = Stage::Busy(path.clone());
        let open = self.open(path, run).await?;
        let RunPath { entity, project, run } = &open.run;
        let started = Started {
            place: format!("W&B {entity}/{project}"),
            url: Some(self.client.hosts().run(entity, project, run)),
        };
        let mut stage = self.stage();
        if matches!(*stage, Stage::Over) {
            return Err(TrackError::Broken {
                why: "the job was stopped while the run was being opened".to_owned(),
            });
        }
        *stage = Stage::Open(Box::new(open));
        Ok(started)
    }

    fn say(&self, line: &str) {
        if let Stage::Open(open) = &mut *self.stage() {
            open.say(line);
        }
    }

    async fn finish(&self, end: RunEnd, within: Duration) -> Result<Ended, TrackError> {
        let time = Time::from_now(within);
        let Some(open) = self.take() else {
            return Err(TrackError::Broken {
                why: "there is no open run to be ended".to_owned(),
            });
        };
        // On the heap, as it holds the whole of a run.
        let ended = Box::pin(open.end(&self.client, self.place.registry.as_ref(), end, time)).await;
        *self.stage() = Stage::Over;
        ended
    }

    async fn interrupt(&self, exit_code: u8) {
        let stage = std::mem::replace(&mut *self.stage(), Stage::Over);
        let run = match stage {
            // Nothing to end; what begins after this is not for us to stop.
            Stage::None | Stage::Over => return,
            Stage::Busy(run) => run,
            Stage::Open(open) => {
                let said = tokio::time::timeout(LAST_WORDS, open.stream.finish(exit_code.into())).await;
                if matches!(said, Ok(Ok(_))) {
                    return;
                }
                open.run
            }
        };
        let body = format!("{{\"complete\":true,\"exitcode\":{exit_code}}}");
        let post = self.client.post_stream(&run.entity, &run.project, &run.run, body);
        if let Ok(Err(error)) = tokio::time::timeout(BARE_END, post).await {
            tracing::debug!(%error, "W&B was not told that the run was stopped");
        }
    }
}
