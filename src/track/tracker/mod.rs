//! Trackers of runs. Code above does not know which one it talks to.

mod artifacts;
mod clock;
mod offline;
mod online;
mod shown;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

use super::record::{RunEnd, RunStart};

pub use offline::{MODEL, Offline, OfflinePlace};
pub use online::{Online, OnlinePlace};

/// Why a run could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    #[error(transparent)]
    Wandb(#[from] crate::wandb::WandbError),
    #[error(transparent)]
    File(#[from] crate::sys::FileError),
    #[error("the tracker gave up: {why}")]
    Broken { why: String },
}

/// A run that was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Where it is, for people: `W&B acme/diabetes`, or a directory.
    pub place: String,
    /// Its page, if it has one.
    pub url: Option<String>,
}

/// A run that was closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// What is missing of it, and why; the run itself is whole.
    pub warnings: Vec<String>,
    /// The directory that waits to be delivered.
    pub waits: Option<PathBuf>,
}

/// Keeps one run at a time, from its beginning to its end.
#[async_trait]
pub trait Tracker: Send + Sync {
    /// Opens the run, or takes it up where it was left: the same id is the same run.
    async fn start(&self, run: &RunStart) -> Result<Started, TrackError>;
    /// A line of the console. Never waits; what can not be sent now is sent later, or is left out.
    fn say(&self, line: &str);
    /// Everything that was found, and the end of the run, in `within` at most: what there was no time for is missing with a
    /// warning, and a run that could not be closed is an error.
    async fn finish(&self, end: RunEnd, within: Duration) -> Result<Ended, TrackError>;
    /// The job was told to stop: says so, within two seconds.
    async fn interrupt(&self, exit_code: u8);
}
