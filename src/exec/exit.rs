//! How a command ended, and what it took. Values.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::sandbox::Ended;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    pub code: Option<i32>,
    /// The signal that ended the shell.
    pub signal: Option<i32>,
    /// Whether it was us, and why.
    pub ended: Ended,
    /// The same as [`Ended::TimedOut`].
    pub timed_out: bool,
    pub elapsed: Duration,
    /// The most that its processes held together when they were looked at, several times a second; what came and went
    /// in between is not in it. None when it ended before.
    pub peak_memory_bytes: Option<u64>,
    /// What its processes computed together; those that it left behind count until they were last looked at.
    pub cpu: Duration,
}

/// What a command wrote to its standard output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// As it came: not made harmless.
    pub stdout: Vec<u8>,
    /// Whether more came than was to be kept.
    pub is_cut: bool,
}

/// Why a command could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("the directory `{}` is not there", path.display())]
    Directory { path: PathBuf },
    #[error("the command could not be started")]
    Start(#[source] io::Error),
    #[error("the end of the command could not be waited for")]
    Wait(#[source] io::Error),
    #[error("the program is stopping")]
    Stopping,
}
