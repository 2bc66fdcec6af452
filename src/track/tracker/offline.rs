//! Runs without W&B: its own offline log, with everything that belongs to the run beside it.
//!
//! ```text
//! wandb/offline-run-20261125_080910-gh-17-1-publish/
//!   run-….wandb   the log, for `wandb sync` and `mlops sync`
//!   files/        tables, pictures, the report
//!   data/         what the run was given, if that is no reference
//!   model/        the files of the model, which the log names as an artifact
//!   tables/       tables once more, as artifacts
//! ```
//! Paths in the log are relative to the folder above `wandb`, which is where `wandb sync` is started. Every record is
//! written as it comes: whenever the job is killed, what was told until then is read.

mod ending;
#[cfg(test)]
mod tests;
mod written;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::clock::Clock;
use super::{Ended, RunEnd, RunStart, Started, TrackError, Tracker};
use crate::sys::{self, FileError};
use crate::wandb::RunPath;
use crate::wandb::log::Log;
use crate::wandb::log::records::Kind;

const RUNS: &str = "wandb";
const FILES: &str = "files";
/// Beside the log: the files of the model.
pub const MODEL: &str = "model";
/// What of the console is kept for the file beside the run.
const MAX_OUTPUT: usize = 32 << 20;

/// Writes one run below a folder.
pub struct Offline {
    base: PathBuf,
    place: OfflinePlace,
    open: Mutex<Option<Open>>,
}

/// Where the run goes once it is delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfflinePlace {
    /// Empty: where the runs of whoever delivers it go.
    pub entity: String,
    pub project: String,
}

/// A run that is written.
struct Open {
    run: RunPath,
    start: RunStart,
    directory: PathBuf,
    /// The directory as the log names it.
    name: String,
    path: PathBuf,
    log: Log<File>,
    clock: Clock,
    output: String,
}

impl Offline {
    pub fn new(base: &Path, place: OfflinePlace) -> Self {
        Self {
            base: base.to_owned(),
            place,
            open: Mutex::new(None),
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tracker for Offline {
    async fn start(&self, run: &RunStart) -> Result<Started, TrackError> {
        let open = Open::begin(&self.base, &self.place, run)?;
        let place = open.directory.display().to_string();
        *self.open() = Some(open);
        Ok(Started { place, url: None })
    }

    fn say(&self, line: &str) {
        if let Some(open) = self.open().as_mut() {
            open.say(line);
        }
    }

    /// Files of this machine are no matter of time.
    async fn finish(&self, end: RunEnd, _within: Duration) -> Result<Ended, TrackError> {
        let open = self.open().take().ok_or_else(|| TrackError::Broken {
            why: "there is no open run to be ended".to_owned(),
        })?;
        // Files may be large.
        let ended = tokio::task::spawn_blocking(move || open.end(end)).await;
        ended.map_err(|error| TrackError::Broken { why: error.to_string() })?
    }

    async fn interrupt(&self, exit_code: u8) {
        let Some(mut open) = self.open().take() else { return };
        if let Err(error) = open.exit(exit_code) {
            tracing::warn!(%error, "the offline run has no end");
        }
    }
}

impl Open {
    fn begin(base: &Path, place: &OfflinePlace, start: &RunStart) -> Result<Self, TrackError> {
        let moment = jiff::Timestamp::from_second(start.started.0).unwrap_or_default();
        let name = format!("{RUNS}/offline-run-{}-{}", moment.strftime("%Y%m%d_%H%M%S"), start.id);
        let directory = base.join(&name);
        sys::create_dir(&directory.join(FILES))?;
        let path = directory.join(format!("run-{}.wandb", start.id));
        let run = RunPath {
            entity: place.entity.clone(),
            project: place.project.clone(),
            run: start.id.clone(),
        };
        let log = Log::begin(sys::create_anew(&path)?).map_err(|error| FileError::io("write", &path, error))?;
        let mut open = Self {
            clock: Clock::new(start),
            start: start.clone(),
            output: String::new(),
            run,
            directory,
            name,
            path,
            log,
        };
        open.push(written::begun(&open.run, start))?;
        open.settle()?;
        Ok(open)
    }

    fn push(&mut self, kind: Kind) -> Result<(), FileError> {
        self.log
            .push(kind)
            .map_err(|error| FileError::io("write", &self.path, error))
    }

    /// Nothing gets lost from here on, even by a power cut.
    fn settle(&self) -> Result<(), FileError> {
        let file = self.log.out();
        file.sync_all()
            .map_err(|error| FileError::io("write", &self.path, error))
    }

    fn say(&mut self, line: &str) {
        let said = written::said(self.clock.moment(), line);
        // One that can not be written is told at the end, which can not be written either.
        if let Err(error) = self.push(said) {
            tracing::debug!(%error, "a line of the console is not in the offline run");
        }
        if self.output.len() + line.len() < MAX_OUTPUT {
            self.output.push_str(line);
            self.output.push('\n');
        }
    }

    fn exit(&mut self, exit_code: u8) -> Result<(), FileError> {
        self.push(written::exit(self.clock.moment(), exit_code))?;
        self.settle()
    }
}
