//! The tries of one call: their time, the waits between them, and the outage that all calls share.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::error::WandbError;
use super::retry::{Deadlines, Failure, Fault, Kind, Pace, Stage, wait};
use crate::sys::Stopwatch;

/// What all calls of a client share.
#[derive(Debug)]
pub struct Patience {
    pub deadlines: Deadlines,
    pub pace: Pace,
    outages: Mutex<Outages>,
}

/// For how long W&B has not answered: as a whole, and each thing that is asked of it. Of an outage that is partial the
/// answers to everything else say nothing, so that each part has a time of its own.
#[derive(Debug)]
struct Outages {
    /// Of the whole client.
    watch: Stopwatch,
    whole: Outage,
    parts: BTreeMap<String, Outage>,
}

/// For how long nothing has worked.
#[derive(Debug, Default)]
struct Outage {
    spent: Duration,
    /// Up to where on the watch time was counted: calls that fail side by side do not count twice.
    counted: Duration,
    is_over: bool,
}

impl Outage {
    fn left(&self, limit: Duration) -> Option<Duration> {
        let left = limit.saturating_sub(self.spent);
        (!self.is_over && !left.is_zero()).then_some(left)
    }

    fn failed(&mut self, now: Duration, time: Duration, limit: Duration) {
        let since = now.saturating_sub(time).max(self.counted);
        self.spent += now.saturating_sub(since);
        self.counted = now;
        self.is_over |= self.spent >= limit;
    }
}

impl Patience {
    pub fn new(deadlines: Deadlines, pace: Pace) -> Self {
        Self {
            deadlines,
            pace,
            outages: Mutex::new(Outages {
                watch: Stopwatch::start(),
                whole: Outage::default(),
                parts: BTreeMap::new(),
            }),
        }
    }

    /// What is left before W&B, or this part of it, counts as out of reach; nothing once it does.
    fn left(&self, part: &str) -> Option<Duration> {
        let (outages, limit) = (self.outages(), self.deadlines.outage);
        let whole = outages.whole.left(limit)?;
        match outages.parts.get(part) {
            Some(part) => part.left(limit).map(|left| left.min(whole)),
            None => Some(whole),
        }
    }

    fn answered(&self, part: &str) {
        let mut outages = self.outages();
        outages.whole.spent = Duration::ZERO;
        if let Some(part) = outages.parts.get_mut(part) {
            part.spent = Duration::ZERO;
        }
    }

    /// The last `time` was without any success of this part.
    fn failed(&self, part: &str, time: Duration) {
        let (mut outages, limit) = (self.outages(), self.deadlines.outage);
        let now = outages.watch.elapsed();
        outages.whole.failed(now, time, limit);
        outages.part(part).failed(now, time, limit);
    }

    /// There is no time for a wait of this length.
    fn give_up(&self, part: &str, pause: Duration) {
        let (mut outages, limit) = (self.outages(), self.deadlines.outage);
        let is_over = |outage: &Outage| outage.left(limit).is_none_or(|left| pause >= left);
        outages.whole.is_over |= is_over(&outages.whole);
        let part = outages.part(part);
        part.is_over |= is_over(part);
    }

    fn outages(&self) -> std::sync::MutexGuard<'_, Outages> {
        self.outages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outages {
    fn part(&mut self, part: &str) -> &mut Outage {
        self.parts.entry(part.to_owned()).or_default()
    }
}

/// When something last moved in an attempt.
#[derive(Debug)]
pub struct Progress {
    watch: Stopwatch,
    moved_ms: AtomicU64,
}

impl Progress {
    pub fn start() -> Self {
        Self {
            watch: Stopwatch::start(),
            moved_ms: AtomicU64::new(0),
        }
    }

    pub fn moved(&self) {
        self.moved_ms.store(self.watch.elapsed_ms(), Ordering::Relaxed);
    }

    /// For how long nothing has moved.
    fn idle(&self) -> Duration {
        let moved = Duration::from_millis(self.moved_ms.load(Ordering::Relaxed));
        self.watch.elapsed().saturating_sub(moved)
    }
}

/// Why an attempt did not succeed.
#[derive(Debug)]
pub enum Problem {
    /// It may at another time.
    Passing(Failure),
    /// The other side said no, so it is there.
    Refused(WandbError),
    /// Nothing was asked, or the answer is of no use.
    Ours(WandbError),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Passing(Failure::lost(fault))
    }
}

/// One call and its tries.
#[derive(Debug)]
pub struct Tries<'a> {
    patience: &'a Patience,
    what: &'a str,
    kind: Kind,
    stage: Stage,
    is_idempotent: bool,
    watch: Stopwatch,
    failures: u32,
}

impl<'a> Tries<'a> {
    /// `is_idempotent`: doing it twice is as good as once.
    pub fn new(patience: &'a Patience, kind: Kind, what: &'a str, is_idempotent: bool) -> Self {
        Self {
            patience,
            what,
            kind,
            stage: patience.deadlines.of(kind),
            is_idempotent,
            watch: Stopwatch::start(),
            failures: 0,
        }
    }

    /// A second more for every MiB: what moves is not stopped.
    #[must_use]
    pub fn for_bytes(mut self, length: u64) -> Self {
        self.stage.whole = self.stage.whole.saturating_add(Duration::from_secs(length >> 20));
        self
    }

    pub fn what(&self) -> &str {
        self.what
    }

    /// What has an outage of its own: an operation, the stream of a run, or storage, whatever file it is about.
    fn part(&self) -> &str {
        match self.kind {
            Kind::Storage => "storage",
            Kind::Graphql | Kind::UpsertRun | Kind::FileStream | Kind::Identity => self.what,
        }
    }

    /// One attempt: its value, an error that is the end, or nothing after the wait before the next one.
    pub async fn attempt<T>(
        &mut self,
        progress: &Progress,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<Option<T>, WandbError> {
        let Some(left) = self.patience.left(self.part()) else {
            return Err(self.given_up());
        };
        let whole = self.stage.whole.saturating_sub(self.watch.elapsed());
        let outcome = within(work, progress, self.stage.attempt.min(left), whole).await;
        match outcome {
            Ok(value) => {
                self.patience.answered(self.part());
                Ok(Some(value))
            }
            Err(Problem::Refused(error)) => {
                self.patience.answered(self.part());
                Err(error)
            }
            Err(Problem::Ours(error)) => Err(error),
            Err(Problem::Passing(failure)) => {
                self.patience.failed(self.part(), progress.idle());
                self.failures += 1;
                self.pause(failure).await.map(|()| None)
            }
        }
    }

    /// Waits before the next attempt, or says why there is none.
    async fn pause(&self, failure: Failure) -> Result<(), WandbError> {
        let (what, patience) = (self.what, self.patience);
        tracing::debug!(call = what, failures = self.failures, ?failure, "a call of W&B failed");
        if !self.is_idempotent && failure.is_doubtful() {
            return Err(WandbError::Doubtful {
                what: what.to_owned(),
                source: failure.fault,
            });
        }
        let attempts = self.stage.attempts;
        let pause = wait(self.kind, &failure, self.failures, attempts, patience.pace, jitter());
        let Some(pause) = pause else {
            return Err(self.lost(failure));
        };
        let whole = self.stage.whole.saturating_sub(self.watch.elapsed());
        let left = patience.left(self.part()).unwrap_or_default();
        if pause >= whole.min(left) {
            // A limit has an end that W&B itself names: it is there.
            if pause >= left && !failure.is_limit() {
                patience.give_up(self.part(), pause);
            }
            return Err(self.lost(failure));
        }
        let watch = Stopwatch::start();
        tokio::time::sleep(pause).await;
        patience.failed(self.part(), watch.elapsed());
        Ok(())
    }

    /// The error that a failure is when nobody tries again.
    fn lost(&self, failure: Failure) -> WandbError {
        let what = self.what.to_owned();
        if failure.is_limit() {
            return WandbError::RateLimited {
                what,
                seconds: failure.asked,
            };
        }
        let is_over = self.watch.elapsed() >= self.stage.whole;
        if is_over && failure.fault == Fault::Timeout {
            return WandbError::OutOfTime { what };
        }
        WandbError::Unavailable {
            what,
            source: failure.fault,
        }
    }

    fn given_up(&self) -> WandbError {
        WandbError::Unavailable {
            what: self.what.to_owned(),
            source: Fault::GivenUp(self.patience.deadlines.outage.as_secs()),
        }
    }
}

/// Runs `work` until nothing has moved for `idle`, or `whole` is over.
async fn within<T>(
    work: impl Future<Output = Result<T, Problem>>,
    progress: &Progress,
    idle: Duration,
    whole: Duration,
) -> Result<T, Problem> {
    let mut work = pin!(work);
    let watch = Stopwatch::start();
    loop {
        let left = idle
            .saturating_sub(progress.idle())
            .min(whole.saturating_sub(watch.elapsed()));
        if left.is_zero() {
            return Err(Fault::Timeout.into());
        }
        if let Ok(outcome) = tokio::time::timeout(left, &mut work).await {
            return outcome;
        }
    }
}

/// Of a thousand, another one at every call: the keys of the standard hasher are random.
fn jitter() -> u32 {
    u32::try_from(RandomState::new().hash_one(0) % 1001).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(outage: Duration) -> Patience {
        let deadlines = Deadlines {
            outage,
            ..Deadlines::default()
        };
        Patience::new(deadlines, Pace::default())
    }

    #[tokio::test]
    async fn what_moves_is_not_stopped() {
        let progress = Progress::start();
        let work = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                progress.moved();
            }
            Ok(())
        };
        // Twice as long as nothing may move; a machine may be slow by five times.
        within(work, &progress, Duration::from_millis(500), Duration::MAX)
            .await
            .unwrap();
        let silence = std::future::pending::<Result<(), Problem>>();
        let outcome = within(silence, &progress, Duration::from_millis(20), Duration::MAX).await;
        assert!(matches!(
            outcome,
            Err(Problem::Passing(Failure {
                fault: Fault::Timeout,
                ..
            }))
        ));
        let work = async {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                progress.moved();
            }
        };
        let outcome: Result<(), _> = within(work, &progress, Duration::MAX, Duration::from_millis(50)).await;
        assert!(matches!(
            outcome,
            Err(Problem::Passing(Failure {
                fault: Fault::Timeout,
                ..
            }))
        ));
    }

    #[test]
    fn failures_side_by_side_count_once_and_an_answer_ends_them() {
        let patience = patience(Duration::from_hours(1));
        // Ten calls that all failed during the last moment; none of them can be older than the client.
        for n in 0..10 {
            patience.failed(if n % 2 == 0 { "a" } else { "b" }, Duration::from_secs(1000));
        }
        let outages = patience.outages();
        for outage in [&outages.whole, &outages.parts["a"], &outages.parts["b"]] {
            assert!(outage.spent <= outages.watch.elapsed(), "{:?}", outage.spent);
        }
        drop(outages);
        assert!(patience.left("a").is_some());
        patience.answered("a");
        patience.answered("b");
        for part in ["a", "b", "another"] {
            assert_eq!(patience.left(part), Some(Duration::from_hours(1)));
        }
    }

    #[test]
    fn an_outage_that_is_over_stays_so() {
        let patience = patience(Duration::ZERO);
        patience.failed("a", Duration::from_secs(1));
        assert_eq!(patience.left("a"), None);
        patience.answered("a");
        assert_eq!(patience.left("a"), None);
        assert_eq!(patience.left("b"), None);
    }

    /// Storage that never answers is given up although everything else does.
    #[test]
    fn answers_to_one_part_do_not_lengthen_the_outage_of_another() {
        let moment = Duration::from_millis(2);
        let patience = patience(3 * moment);
        let mut n_failures = 0;
        while patience.left("storage").is_some() {
            std::thread::sleep(moment);
            patience.failed("storage", moment);
            patience.answered("stream");
            n_failures += 1;
        }
        assert_eq!(n_failures, 3);
        assert_eq!(patience.left("stream"), Some(3 * moment));
        // A wait that one part has no time for says nothing of the others.
        patience.failed("slow", moment);
        patience.answered("stream");
        patience.give_up("slow", 2 * moment);
        assert_eq!(patience.left("slow"), None);
        assert_eq!(patience.left("stream"), Some(3 * moment));
    }
}
