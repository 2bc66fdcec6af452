//! The composition root: an invocation in, an exit code out; one function a command. Only here stdout is written.

mod action;
mod doctor;
mod failure;
mod init;
mod moves;
mod progress;
mod project;
mod promote;
mod registry;
mod run;
mod score;
mod workspace;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Command, Format, Invocation, SchemaTable, Terminal};
use crate::promote::Warnings;
use crate::{config, data, exec};

pub use failure::Failure;

/// Exit codes, as users meet them.
const PASSED: u8 = 0;
const FAILED: u8 = 1;
const UNUSABLE: u8 = 2;
const UNKNOWN: u8 = 3;
const CANCELLED: u8 = 130;
const OUR_BUG: u8 = 101;

/// After a signal, what still computes is left behind after this long.
const LEAVE_AFTER: Duration = Duration::from_millis(100);

/// Runs one invocation to its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>, env: BTreeMap<String, String>, terminal: Terminal) -> u8 {
    let invocation = match Invocation::parse(args, env, terminal) {
        Ok(invocation) => invocation,
        Err(error) => {
            // Help and version go to stdout with 0, mistakes to stderr with 2; a closed pipe is nobody's mistake.
            error.print().ok();
            return if error.use_stderr() { UNUSABLE } else { PASSED };
        }
    };
    start_logging(&invocation);
    for (what, done) in [("shield", exec::shield()), ("subreaper", exec::become_subreaper())] {
        if let Err(error) = done {
            tracing::debug!(%error, what, "the system does not offer a protection");
        }
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failure::show(&Failure::Start { source: error }, &invocation),
    };
    let code = runtime.block_on(async {
        // Signals are listened for before anything begins: the first process of a container ignores them otherwise.
