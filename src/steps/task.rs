//! One task from the look at its inputs to the record of what it made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Digest, Timestamp};
use crate::exec::{self, Exit, Tail};
use crate::sys::{FileError, Stopwatch};

use super::digests::Digests;
use super::files::{Found, Root};
use super::pattern::Pattern;
use super::record::{self, Basis, Output, Record};
use super::run::{Event, Shared, StepOutcome, StepStatus, blocking};
use super::search::Side;
use super::settings::StepTask;
use super::store;

/// From the repository's root.
const LOGS: &str = ".mlops/logs/steps";
const LOG_BYTES: usize = 10 << 20;
/// What of the output goes along with an outcome.
const TAIL_LINES: usize = 50;
const TAIL_BYTES: usize = 4 * 1024;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One task from the look at its inputs to the record of its outputs.
pub async fn one(shared: Arc<Shared>, task: Arc<StepTask>, needs: BTreeMap<String, Digest>) -> StepOutcome {
    let watch = Stopwatch::start();
    let mut outcome = whole(&shared, &task, needs).await;
    outcome.elapsed_ms = watch.elapsed_ms();
    outcome
}

async fn whole(shared: &Arc<Shared>, task: &Arc<StepTask>, needs: BTreeMap<String, Digest>) -> StepOutcome {
    let failed = |reason: String| StepOutcome::new(task, StepStatus::Failed, reason);
    let (own, spec) = (Arc::clone(shared), Arc::clone(task));
    let decided = match blocking(move || decide(&own, &spec, needs)).await {
        Ok(decided) => decided,
        Err(error) => return failed(chain(&error)),
    };
    let due = match decided {
        Decided::Done(outcome) => return *outcome,
        Decided::Run(due) => due,
    };
    shared.tell(Event::Started {
        task,
        reason: &due.reason,
    });
    let command = match (shared.around.command)(task) {
        Ok(command) => limited(command, task),
        Err(reason) => return failed(reason),
    };
    let started = Timestamp(shared.around.now.0 + i64::try_from(shared.watch.elapsed().as_secs()).unwrap_or_default());
    let watch = Stopwatch::start();
    let mut attempts = Attempts {
        log: due.log,
        tail: Tail::new(TAIL_LINES, TAIL_BYTES),
        n: 0,
        exit: None,
    };
    let ended = attempts.make(shared, task, &command).await;
    let mut outcome = StepOutcome {
        n_attempts: attempts.n,
        elapsed_ms: watch.elapsed_ms(),
        exit_code: attempts.exit.and_then(|exit| exit.code),
        log: Some(log_path(task)),
        key: Some(due.key),
        ..StepOutcome::new(task, StepStatus::Ran, due.reason)
    };
    attempts.log.close();
    if let Err(reason) = ended {
        outcome.status = StepStatus::Failed;
        outcome.reason = reason;
        outcome.tail = attempts.tail.text();
        return outcome;
    }
    if attempts.n > 1 {
        outcome.note = Some(format!(
            "it succeeded at attempt {} of {}",
            attempts.n,
            task.n_retries + 1
        ));
    }
    let (own, spec) = (Arc::clone(shared), Arc::clone(task));
    let (basis, inputs) = (due.basis, due.inputs);
    let before = outcome.clone();
    let settled = blocking(move || settle(&own, &spec, &basis, &inputs, before, started)).await;
    let mut outcome = settled.unwrap_or_else(|error| StepOutcome {
        status: StepStatus::Failed,
        reason: format!("what it made can not be used: {}", chain(&error)),
        ..outcome
    });
    if outcome.status == StepStatus::Failed {
        outcome.tail = attempts.tail.text();
    }
    outcome
}

enum Decided {
    Done(Box<StepOutcome>),
    Run(Box<Due>),
}

/// A task that is to run.
struct Due {
    reason: String,
    basis: Basis,
    key: Digest,
    inputs: Vec<Found>,
    log: Log,
}

/// Looks whether there is anything to do.
fn decide(shared: &Shared, task: &StepTask, needs: BTreeMap<String, Digest>) -> Result<Decided, FileError> {
    let (root, digests) = (&shared.root, &shared.digests);
    let (inputs, without) = root.expand(&task.inputs, Side::Inputs)?;
    if let Some(pattern) = without.first() {
        let reason = format!("its input `{}` is not there", pattern.text());
        return Ok(Decided::Done(Box::new(StepOutcome::new(
            task,
            StepStatus::Failed,
            reason,
        ))));
    }
    let found = digests.of(root, &inputs)?;
    let basis = Basis {
        environment: shared.around.environment,
        settings: record::settings(task),
        inputs: inputs.iter().map(|file| file.path.clone()).zip(found).collect(),
        needs,
    };
    let key = basis.key();
    let last = store::last(root, task);
    let mut lost = None;
    if !task.is_always()
        && let Some(record) = store::find(root, key, task)
    {
        let differing = store::differing(root, digests, &record)?;
        let (status, reason) = match differing.as_slice() {
            [] => (StepStatus::Skipped, "nothing changed".to_owned()),
            [one] => (
                StepStatus::Restored,
                format!("nothing changed; `{}` was put back", one.path),
            ),
            [first, ..] => {
                let reason = format!("nothing changed; `{}` and more were put back", first.path);
                (StepStatus::Restored, reason)
            }
        };
        match store::restore(root, &differing) {
            Ok(()) => {
                if last.as_ref().is_none_or(|(before, _)| *before != basis) {
                    store::remember(root, task, &basis, &record.outputs)?;
                }
                return Ok(Decided::Done(Box::new(StepOutcome {
                    log: Some(record.log),
                    outputs: record.outputs,
                    key: Some(key),
                    ..StepOutcome::new(task, status, reason)
                })));
            }
            Err(output) => lost = Some(format!("`{}` is not as it was made, and not kept", output.path)),
        }
    }
    let reason = match (lost, &last) {
        (Some(lost), _) => lost,
        (None, _) if task.is_always() => "it names no inputs and outputs, so it runs each time".to_owned(),
        (None, None) => "it has no result yet".to_owned(),
        (None, Some((before, _))) => basis
            .difference(before)
            .unwrap_or_else(|| "its record is gone".to_owned()),
    };
    if let Some((_, outputs)) = &last {
        store::clear(root, digests, outputs, task)?;
    }
    for (_, base) in task.outputs.iter().flat_map(Pattern::places) {
        let Some((above, _)) = base.rsplit_once('/') else {
            continue;
        };
        root.make_directory(above)?;
    }
    Ok(Decided::Run(Box::new(Due {
        reason,
        basis,
        key,
        inputs,
        log: Log {
            file: std::io::BufWriter::new(root.create_anew(&log_path(task))?),
            n_left: LOG_BYTES,
        },
    })))
}

/// Looks at what a command made that ended well, and writes it down.
fn settle(
    shared: &Shared,
    task: &StepTask,
    basis: &Basis,
    inputs: &[Found],
    mut outcome: StepOutcome,
    started: Timestamp,
) -> Result<StepOutcome, FileError> {
    let (root, digests) = (&shared.root, &shared.digests);
    let (files, without) = root.expand(&task.outputs, Side::Outputs)?;
    if !without.is_empty() {
        let names: Vec<String> = without.iter().map(|pattern| format!("`{}`", pattern.text())).collect();
        outcome.status = StepStatus::Failed;
        outcome.reason = format!("it ended well, but did not make {}", names.join(", "));
        return Ok(outcome);
    }
    let made = digests.of(root, &files)?;
    outcome.outputs = files
        .iter()
        .zip(made)
        .map(|(file, digest)| Output {
            path: file.path.clone(),
            digest,
            size_bytes: file.stamp.size_bytes,
            is_executable: file.is_executable,
        })
        .collect();
    let Some(key) = outcome.key.filter(|_| !task.is_always()) else {
        return Ok(outcome);
    };
    let (now, _) = root.expand(&task.inputs, Side::Inputs)?;
    if let Some(path) = changed(root, digests, basis, inputs, &now)? {
        // Nobody can say which content the result stands on.
        outcome.note = Some(format!("`{path}` changed while it ran, so that it will run again"));
        store::remember(root, task, basis, &outcome.outputs)?;
        return Ok(outcome);
    }
    let record = Record {
        key,
        name: outcome.name.clone(),
        item: outcome.item.clone(),
        started,
        elapsed_ms: outcome.elapsed_ms,
        n_attempts: outcome.n_attempts,
        log: log_path(task),
        outputs: outcome.outputs.clone(),
    };
    // What was made is there all the same.
    if let Err(error) = store::keep(root, task, basis, &record, &files) {
        outcome.note = Some(format!(
            "it could not be written down, so that it will run again: {}",
            chain(&error)
        ));
    }
    Ok(outcome)
}

/// The first input that is another one now.
fn changed(
    root: &Root,
    digests: &Digests,
    basis: &Basis,
    before: &[Found],
    now: &[Found],
) -> Result<Option<String>, FileError> {
    if before == now {
        return Ok(None);
    }
    // A file can have been touched, or written as it was.
    let found = digests.of(root, now)?;
    let now: BTreeMap<String, Digest> = now.iter().map(|file| file.path.clone()).zip(found).collect();
    let paths = basis.inputs.keys().chain(now.keys());
    Ok(paths
        .into_iter()
        .find(|path| basis.inputs.get(*path) != now.get(*path))
        .cloned())
}

/// The one place where a task's limits are put on its command.
fn limited(mut command: exec::Task, task: &StepTask) -> exec::Task {
    command.timeout = task.timeout;
    command.env.extend(task.env.clone());
    let limits = &mut command.sandbox.limits;
    limits.memory_bytes = task.memory_bytes.or(limits.memory_bytes);
    if !task.has_network {
        command.sandbox.network = exec::Network::None;
    }
    command
}

fn log_path(task: &StepTask) -> String {
    format!("{LOGS}/{}.log", task.id())
}

/// The attempts at one task, and what they wrote.
struct Attempts {
    log: Log,
    tail: Tail,
    n: u32,
    exit: Option<Exit>,
}

impl Attempts {
    /// As often as it takes and may be; why the last one failed.
    async fn make(&mut self, shared: &Shared, task: &StepTask, command: &exec::Task) -> Result<(), String> {
        let mut pause = shared.around.pause;
        loop {
            self.n += 1;
            self.tail = Tail::new(TAIL_LINES, TAIL_BYTES);
            let (log, tail) = (&mut self.log, &mut self.tail);
            let mut on_output = |line: &str| {
                log.line(line);
                tail.push(line);
                shared.tell(Event::Output { task, line });
            };
            let exit = exec::run(command, &mut on_output)
                .await
                .map_err(|error| chain(&error))?;
            self.exit = Some(exit);
            let Some(reason) = why(exit) else { return Ok(()) };
            if self.n > task.n_retries {
                return Err(match self.n {
                    1 => reason,
                    n => format!("{reason}, at the last of {n} attempts"),
                });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.log
                .line(&format!("[{reason}; attempt {} of {}]", self.n + 1, task.n_retries + 1));
            shared.tell(Event::Retrying {
                task,
                reason: &reason,
                n_attempt: self.n + 1,
            });
        }
    }
}

/// Why an end is no success.
fn why(exit: Exit) -> Option<String> {
    if let Some(sentence) = exit.ended.sentence() {
        return Some(sentence);
    }
    match (exit.code, exit.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit code {code}")),
        (None, Some(signal)) => Some(format!("it was ended by signal {signal}")),
        (None, None) => Some("nobody knows how it ended".to_owned()),
    }
}

/// A file of bounded size.
struct Log {
    file: std::io::BufWriter<File>,
    n_left: usize,
}

impl Log {
    fn line(&mut self, line: &str) {
        let needed = line.len() + 1;
        let text = if needed <= self.n_left {
            self.n_left -= needed;
            line
        } else if self.n_left > 0 {
            self.n_left = 0;
            "… the rest is left out"
        } else {
            return;
        };
        if let Err(error) = writeln!(self.file, "{text}") {
            tracing::debug!(%error, "could not write to the log of a step");
            self.n_left = 0;
        }
    }

    fn close(&mut self) {
        if let Err(error) = self.file.flush() {
            tracing::debug!(%error, "could not write to the log of a step");
        }
    }
}

/// An error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
