//! The composition root: an invocation in, an exit code out; one function a command. Only here stdout is written.

mod action;
mod dataset;
mod decide;
mod doctor;
mod drift;
mod failure;
mod init;
mod moves;
mod patience;
mod progress;
mod project;
mod promote;
mod registry;
mod run;
mod score;
mod sync;
mod tracking;
mod wandb;
mod watch;
mod workspace;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{Command, Format, Invocation, SchemaTable, Terminal};
use crate::drift::test_table as drift_tests;
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
        if matches!(invocation.cli.command, Command::Action) {
            return Box::pin(action::run(&invocation)).await;
        }
        // Signals are listened for before anything begins: the first process of a container ignores them otherwise.
        let code = tokio::select! {
            biased;
            () = stop_signal() => {
                failure::say("cancelled; the next run takes up what was finished");
                tracking::interrupt_all(CANCELLED).await;
                CANCELLED
            }
            result = dispatch(&invocation) => match result {
                Ok(code) => code,
                Err(failure) => failure::show(&failure, &invocation),
            },
        };
        let n_left = exec::stop_all().await;
        if n_left > 0 {
            tracing::warn!(n_left, "child processes could not be ended");
        }
        code
    });
    runtime.shutdown_timeout(LEAVE_AFTER);
    workspace::give_back(&invocation.env);
    code
}

/// Resolves when the outside asks to stop, which is listened for from the call on.
fn stop_signal() -> impl Future<Output = ()> {
    let listen = |kind| signal(kind).ok();
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    let wait = async |signal: &mut Option<tokio::signal::unix::Signal>| match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    };
    async move {
        tokio::select! {
            () = wait(&mut interrupt) => {}
            () = wait(&mut terminate) => {}
        }
    }
}

async fn dispatch(invocation: &Invocation) -> Result<u8, Failure> {
    match &invocation.cli.command {
        Command::Init(options) => init::init(invocation, options).await,
        Command::Doctor => doctor::doctor(invocation),
        Command::Run { step: Some(step), .. } => run::run_step(invocation, step).await,
        Command::Run {
            no_publish,
            since,
            step: None,
        } => run::run(invocation, !no_publish, since.as_deref()).await,
        Command::Check { since } => run::check(invocation, since.as_deref()).await,
        Command::Compare { champion, challenger } => run::compare(invocation, champion, challenger).await,
        Command::Publish => registry::publish(invocation).await,
        Command::Promote {
            version,
            accept_warnings,
        } => {
            let warnings = if *accept_warnings {
                Warnings::Accept
            } else {
                Warnings::Refuse
            };
            promote::promote(invocation, version.as_deref(), warnings).await
        }
        Command::Rollback => promote::rollback(invocation).await,
        Command::Status => registry::status(invocation).await,
        Command::History => registry::history(invocation).await,
        Command::Sync { directories } => sync::sync(invocation, directories).await,
        Command::Predict { input, version, output } => {
            score::predict(invocation, input, version.as_deref(), output.as_deref()).await
        }
        Command::Profile { input } => score::profile(invocation, input).await,
        Command::Drift(options) => drift::drift(invocation, options).await,
        Command::Decide(options) => decide::decide(invocation, options).await,
        Command::Watch(options) => watch::watch(invocation, options).await,
        Command::Report { run, rendering } => run::report(invocation, run.as_deref(), *rendering),
        Command::Action => Ok(Box::pin(action::run(invocation)).await),
        Command::Schema { table } => {
            print(&match table {
                Some(SchemaTable::Keys) => config::reference_table(),
                Some(SchemaTable::Estimators) => config::estimator_table(),
                Some(SchemaTable::Tests) => drift_tests(),
                None => serde_json::to_string_pretty(&config::schema()).expect("a JSON value can always be written"),
            })?;
            Ok(PASSED)
        }
    }
}

/// Writes data to stdout, with a final newline; a reader that went away is not an error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    });
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Output { source: error }),
        _ => Ok(()),
    }
}

fn json(invocation: &Invocation) -> bool {
    invocation.cli.common.format == Format::Json
}

fn start_logging(invocation: &Invocation) {
    let debug = invocation.env.get("RUNNER_DEBUG").is_some_and(|value| value == "1");
    let level = match (invocation.cli.common.verbose, debug) {
        (0, false) => "warn",
        (1, _) | (0, true) => "mlops=debug,warn",
        _ => "mlops=trace,info",
    };
    let filter = invocation.env.get("RUST_LOG").map_or(level, String::as_str);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| level.into()))
        .with_writer(std::io::stderr)
        .with_ansi(invocation.terminal.stderr && invocation.color())
        .finish();
    // A second start in one process, as in tests, keeps the first subscriber.
    tracing::subscriber::set_global_default(subscriber).ok();
    // A panic is caught per step and becomes a fact; its place belongs in the log, not on the terminal.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        if data::panics_are_caught() {
            tracing::debug!(place, "a reader gave up: {panic}");
        } else {
            tracing::error!(place, "panicked: {panic}");
        }
    }));
}
