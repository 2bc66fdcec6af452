//! Runs what is to be run of a plan: several tasks at once, each only when what it needs is done, and none for nothing.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::base::{Digest, Timestamp};
use crate::exec;
use crate::sys::{FileError, Stopwatch};

use super::digests::Digests;
use super::files::Root;
use super::plan::Plan;
use super::record::{self, Output};
use super::settings::StepTask;
use super::store;
use super::task::one;

/// Makes the command of a task: what is run, where, as whom, in which environment. The text is why it can not be made.
pub type Command = dyn Fn(&StepTask) -> Result<exec::Task, String> + Send + Sync;
/// Is told what happens, from several threads.
pub type OnEvent = dyn Fn(Event<'_>) + Send + Sync;

/// Where and how steps run.
#[derive(Clone)]
pub struct Around {
    pub root: PathBuf,
    /// Of the environment that commands run in: other packages make other results.
    pub environment: Digest,
    pub now: Timestamp,
    pub n_parallel: usize,
    /// Before the first retry; it doubles with each.
    pub pause: Duration,
    pub command: Arc<Command>,
    pub on_event: Arc<OnEvent>,
}

/// What happens while steps run.
#[derive(Debug)]
pub enum Event<'e> {
    Started {
        task: &'e StepTask,
        reason: &'e str,
    },
    /// Harmless, see [`exec::run`].
    Output {
        task: &'e StepTask,
        line: &'e str,
    },
    Retrying {
        task: &'e StepTask,
        reason: &'e str,
        /// The one that begins now, from 2.
        n_attempt: u32,
    },
    Finished {
        outcome: &'e StepOutcome,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Ran,
    /// Nothing changed, and what it makes is there.
    Skipped,
    /// Nothing changed, and what it makes was put back.
    Restored,
    Failed,
    /// Something that it needs failed.
    Cancelled,
}

impl StepStatus {
    /// Whether its results are there.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Ran | Self::Skipped | Self::Restored)
    }
}

/// What became of a step, or of a step for one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepOutcome {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    pub status: StepStatus,
    /// Why it ran, was left out or failed.
    pub reason: String,
    /// What people may want to know of a step that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub elapsed_ms: u64,
    /// 0: its command was not run.
    pub n_attempts: u32,
    /// Of the last attempt, if it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// From the repository's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The end of what a failed one wrote.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    pub outputs: Vec<Output>,
    /// Of everything that its result depends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
}

/// Why nothing could be run.
#[derive(Debug, thiserror::Error)]
pub enum StepsError {
    #[error("there is no step `{name}`")]
    Unknown { name: String, nearest: Option<String> },
    #[error("the place for what steps leave can not be used")]
    Place(#[source] FileError),
}

/// Runs the plan, or one step and what it needs, and says what became of each task, in the plan's order.
///
/// A task that fails keeps from running only what needs it. When the future is dropped, the commands that run are ended;
/// what was done before stays done.
pub async fn run(plan: &Plan, around: &Around, only: Option<&str>) -> Result<Vec<StepOutcome>, StepsError> {
    let selected = match only {
        None => (0..plan.steps().len()).collect(),
        Some(name) => plan.up_to(name).ok_or_else(|| StepsError::Unknown {
            name: name.to_owned(),
            nearest: plan.nearest(name).map(str::to_owned),
        })?,
    };
    let watch = Stopwatch::start();
    let place = around.clone();
    let opened = blocking(move || {
        let root = Root::open(&place.root)?;
        store::prepare(&root)?;
        let digests = Digests::load(&root);
        Ok(Shared {
            root,
            digests,
            around: place,
            watch,
        })
    });
    let shared = Arc::new(opened.await.map_err(StepsError::Place)?);
    let mut schedule = Schedule::new(plan, &selected);
    let mut running: JoinSet<StepOutcome> = JoinSet::new();
    let mut places: HashMap<tokio::task::Id, (usize, usize)> = HashMap::new();
    loop {
        while running.len() < around.n_parallel.max(1)
            && let Some((step, task)) = schedule.ready.pop_first()
        {
            let planned = &plan.steps()[step];
            let needs = planned.needs.iter().map(|&need| schedule.made(need)).collect();
            let job = one(Arc::clone(&shared), Arc::clone(&planned.tasks[task]), needs);
            places.insert(running.spawn(job).id(), (step, task));
        }
        let Some(joined) = running.join_next_with_id().await else {
            break;
        };
        let (id, outcome) = match joined {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => (error.id(), None),
        };
        let Some((step, task)) = places.remove(&id) else {
            continue;
        };
        let spec = &plan.steps()[step].tasks[task];
        let outcome = outcome.unwrap_or_else(|| StepOutcome::new(spec, StepStatus::Failed, "the program failed at it"));
        shared.tell(Event::Finished { outcome: &outcome });
        for cancelled in schedule.finish(step, task, outcome) {
            shared.tell(Event::Finished { outcome: &cancelled });
        }
    }
    let outcomes = schedule.outcomes();
    let has_kept = outcomes.iter().any(|outcome| outcome.status == StepStatus::Ran);
    let closed = blocking(move || {
        shared.digests.save(&shared.root)?;
        if has_kept {
            store::forget_old(&shared.root)?;
        }
        Ok(())
    });
    if let Err(error) = closed.await {
        tracing::warn!(%error, "could not put away what was learned of the files of steps");
    }
    Ok(outcomes)
}

/// Files are read and written where nobody else waits.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(FileError::io(
            "use",
            std::path::Path::new("."),
            std::io::Error::other(error),
        )),
    }
}

/// What is ready, what waits, and what became of the rest.
struct Schedule<'p> {
    plan: &'p Plan,
    selected: BTreeSet<usize>,
    ready: BTreeSet<(usize, usize)>,
    /// Steps that are not finished and that a step waits for.
    n_waits: Vec<usize>,
    /// The failed step that keeps a step from running.
    blocked: Vec<Option<String>>,
    dependants: Vec<Vec<usize>>,
    outcomes: Vec<Vec<Option<StepOutcome>>>,
}

impl<'p> Schedule<'p> {
    fn new(plan: &'p Plan, selected: &[usize]) -> Self {
        let steps = plan.steps();
        let mut dependants = vec![Vec::new(); steps.len()];
        for (index, step) in steps.iter().enumerate() {
            for &needed in &step.after {
                dependants[needed].push(index);
            }
        }
        let mut schedule = Self {
            plan,
            selected: selected.iter().copied().collect(),
            ready: BTreeSet::new(),
            n_waits: steps.iter().map(|step| step.after.len()).collect(),
            blocked: vec![None; steps.len()],
            dependants,
            outcomes: steps.iter().map(|step| vec![None; step.tasks.len()]).collect(),
        };
        for &step in selected {
            schedule.open(step);
        }
        schedule
    }

    fn open(&mut self, step: usize) {
        if self.n_waits[step] == 0 {
            self.ready
                .extend((0..self.outcomes[step].len()).map(|task| (step, task)));
        }
    }

    /// What a finished step made, for the keys of others.
    fn made(&self, step: usize) -> (String, Digest) {
        let tasks = self.outcomes[step].iter().flatten();
        let made = record::made(tasks.map(|outcome| (outcome.outputs.as_slice(), outcome.key)));
        (self.plan.steps()[step].name.clone(), made)
    }

    /// Notes the outcome of a task; what will not run because of it comes back.
    fn finish(&mut self, step: usize, task: usize, outcome: StepOutcome) -> Vec<StepOutcome> {
        self.outcomes[step][task] = Some(outcome);
        let mut cancelled = Vec::new();
        let mut finished: Vec<usize> = if self.outcomes[step].iter().all(Option::is_some) {
            vec![step]
        } else {
            Vec::new()
        };
        while let Some(step) = finished.pop() {
            let is_done = self.outcomes[step]
                .iter()
                .flatten()
                .all(|outcome| outcome.status.is_done());
            let cause = match &self.blocked[step] {
                Some(cause) => Some(cause.clone()),
                None => (!is_done).then(|| self.plan.steps()[step].name.clone()),
            };
            for dependant in self.dependants[step].clone() {
                if !self.selected.contains(&dependant) {
                    continue;
                }
                self.n_waits[dependant] -= 1;
                if self.blocked[dependant].is_none() {
                    self.blocked[dependant].clone_from(&cause);
                }
                if self.n_waits[dependant] > 0 {
                    continue;
                }
                let Some(cause) = self.blocked[dependant].clone() else {
                    self.open(dependant);
                    continue;
                };
                for (index, task) in self.plan.steps()[dependant].tasks.iter().enumerate() {
                    let outcome = StepOutcome::new(task, StepStatus::Cancelled, format!("`{cause}` failed"));
                    cancelled.push(outcome.clone());
                    self.outcomes[dependant][index] = Some(outcome);
                }
                finished.push(dependant);
            }
        }
        cancelled
    }

    fn outcomes(self) -> Vec<StepOutcome> {
        self.outcomes.into_iter().flatten().flatten().collect()
    }
}

impl StepOutcome {
    pub fn new(task: &StepTask, status: StepStatus, reason: impl Into<String>) -> Self {
        Self {
            name: task.name.clone(),
            item: task.item.as_ref().map(|item| item.text.clone()),
            status,
            reason: reason.into(),
            note: None,
            elapsed_ms: 0,
            n_attempts: 0,
            exit_code: None,
            log: None,
            tail: String::new(),
            outputs: Vec::new(),
            key: None,
        }
    }
}

/// What all tasks of a run share.
pub struct Shared {
    pub root: Root,
    pub digests: Digests,
    pub around: Around,
    pub watch: Stopwatch,
}

impl Shared {
    pub fn tell(&self, event: Event<'_>) {
        (self.around.on_event)(event);
    }
}
