//! The stream of a run: its history, its console and its end, sent by a task that nobody waits for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::client::{Client, StreamAnswer};
use super::error::WandbError;
use super::lines::{Growing, Offsets, Queue};
use super::operations::RunPath;
use super::retry::Fault;
use crate::sys::Stopwatch;

/// The longest that a used up limit lets us wait between two parts.
const LONGEST_REST: u64 = 60;

/// How often something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// Between two parts at least.
    pub interval: Duration,
    /// Without anything to say, so that the run is not taken for crashed.
    pub heartbeat: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            heartbeat: Duration::from_secs(30),
        }
    }
}

/// A stream that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Lines that were longer than W&B takes.
    pub n_skipped: u64,
    /// Somebody had pressed the button that stops the run.
    pub is_stopped: bool,
}

/// What is told to one run. Telling never waits; who drops it leaves the run as it is.
#[derive(Debug)]
pub struct Stream {
    sender: UnboundedSender<Told>,
    task: JoinHandle<Result<Finished, WandbError>>,
    state: Arc<State>,
    what: String,
}

#[derive(Debug, Default)]
struct State {
    is_stopped: AtomicBool,
    failure: Mutex<Option<WandbError>>,
}

#[derive(Debug)]
enum Told {
    Line(Growing, String),
    Summary(String),
    Uploaded(String),
    End(i32),
}

impl Stream {
    /// `offsets` are what the run has already, when it is taken up again. Needs a running `tokio`.
    pub fn open(client: Client, run: RunPath, offsets: Offsets, rhythm: Rhythm) -> Self {
        let (sender, receiver) = unbounded_channel();
        let state = Arc::new(State::default());
        let what = format!("the stream of run `{}`", run.run);
        let work = Work {
            client,
            run,
            rhythm,
            receiver,
            queue: Queue::new(offsets),
            state: Arc::clone(&state),
            exit_code: None,
            rest: Duration::ZERO,
            watch: Stopwatch::start(),
            is_first: true,
        };
        Self {
            sender,
            task: tokio::spawn(work.run()),
            state,
            what,
        }
    }

    /// A row with `_step`, `_timestamp` and `_runtime`, as [`super::lines::object`] writes it.
    pub fn history(&self, line: String) {
        self.tell(Told::Line(Growing::History, line));
    }

    /// What the machine measures of itself.
    pub fn event(&self, line: String) {
        self.tell(Told::Line(Growing::Events, line));
    }

    /// A line of the console.
    pub fn output(&self, line: String) {
        self.tell(Told::Line(Growing::Output, line));
    }

    /// All of the summary, in one line.
    pub fn summary(&self, summary: String) {
        self.tell(Told::Summary(summary));
    }

    /// A file of the run that storage has now.
    pub fn uploaded(&self, name: String) {
        self.tell(Told::Uploaded(name));
    }

    /// Whether somebody pressed the button that stops the run.
    pub fn is_stopped(&self) -> bool {
        self.state.is_stopped.load(Ordering::Relaxed)
    }

    /// Why nothing is sent any more.
    pub fn failure(&self) -> Option<WandbError> {
        self.state.failure().clone()
    }

    /// Sends the rest and that the run is over; waits until it is there.
    ///
    /// # Errors
    /// What ended the stream, be it now or earlier.
    pub async fn finish(mut self, exit_code: i32) -> Result<Finished, WandbError> {
        self.tell(Told::End(exit_code));
        // By reference, as what is dropped stops its task.
        match (&mut self.task).await {
            Ok(outcome) => outcome,
            Err(_) => Err(WandbError::Unavailable {
                what: self.what.clone(),
                source: Fault::Dropped("its task ended".to_owned()),
            }),
        }
    }

    /// Fails once the task is gone, and then `finish` says so.
    fn tell(&self, told: Told) {
        let _ = self.sender.send(told);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn failure(&self) -> std::sync::MutexGuard<'_, Option<WandbError>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task.
struct Work {
    client: Client,
    run: RunPath,
    rhythm: Rhythm,
    receiver: UnboundedReceiver<Told>,
    queue: Queue,
    state: Arc<State>,
    /// Once the end was told.
    exit_code: Option<i32>,
    /// How long the last answer asks to wait.
    rest: Duration,
    /// Since the last part.
    watch: Stopwatch,
    is_first: bool,
}

impl Work {
    async fn run(mut self) -> Result<Finished, WandbError> {
        loop {
            let pause = self.pause();
            tokio::select! {
                // After the end nothing is told any more.
                told = self.receiver.recv(), if self.exit_code.is_none() => match told {
                    Some(told) => self.take(told),
                    // Dropped without an end.
                    None => return Ok(self.finished()),
                },
                () = tokio::time::sleep(pause) => match self.send().await {
                    Ok(false) => {}
                    Ok(true) => return Ok(self.finished()),
                    Err(error) => return Err(self.die(error).await),
                },
            }
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Line(file, line) => self.queue.push(file, &line),
            Told::Summary(summary) => self.queue.summarize(&summary),
            Told::Uploaded(name) => self.queue.uploaded(&name),
            Told::End(exit_code) => self.exit_code = Some(exit_code),
        }
    }

    /// How long until the next part.
    fn pause(&self) -> Duration {
        let has_news = !self.queue.is_empty() || self.exit_code.is_some();
        let whole = match (has_news, self.is_first) {
            (true, true) => Duration::ZERO,
            (true, false) => self.rhythm.interval.max(self.rest),
            (false, _) => self.rhythm.heartbeat.max(self.rest),
        };
        whole.saturating_sub(self.watch.elapsed())
    }

    /// Whether that was the last part.
    async fn send(&mut self) -> Result<bool, WandbError> {
        let batch = self.queue.batch(self.exit_code);
        let RunPath { entity, project, run } = &self.run;
        let answer = self
            .client
            .post_stream(entity, project, run, batch.body.clone())
            .await?;
        let StreamAnswer { is_stopped, rest } = answer;
        self.state.is_stopped.fetch_or(is_stopped, Ordering::Relaxed);
        self.rest = self.client.pace().seconds(rest.unwrap_or(0).min(LONGEST_REST));
        self.queue.sent(&batch);
        self.watch = Stopwatch::start();
        self.is_first = false;
        Ok(batch.is_last)
    }

    fn finished(&self) -> Finished {
        Finished {
            n_skipped: self.queue.n_skipped(),
            is_stopped: self.state.is_stopped.load(Ordering::Relaxed),
        }
    }

    /// Nothing can be sent any more; what is still told is dropped, until the end.
    async fn die(&mut self, error: WandbError) -> WandbError {
        tracing::debug!(run = self.run.run, %error, "the stream of a run ended");
        *self.state.failure() = Some(error.clone());
        self.queue = Queue::new(Offsets::default());
        if self.exit_code.is_none() {
            while let Some(told) = self.receiver.recv().await {
                if matches!(told, Told::End(_)) {
                    break;
                }
            }
        }
        error
    }
}
