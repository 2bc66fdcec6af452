//! A run as a tracker is told of it while it runs; when the tracker is out of reach, what it was told waits on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::base::Secret;
use crate::facts::{Champion, TrackingFacts};
use crate::pipeline::{self, Event, Finished, chain};
use crate::report::{self, Render as _};
use crate::sys::Stopwatch;
use crate::track::Content;
use crate::track::record::{Dataset, Model, RunEnd, RunStart};
use crate::track::tracker::{MODEL, Offline, OfflinePlace, Started, TrackError, Tracker};
use crate::{sys, tracked};

use super::project::Opened;
use super::wandb::Kept;
use super::{FAILED, PASSED, UNKNOWN, UNUSABLE, progress};

/// What waits for `mlops sync` is below this, as the official client lays it out.
pub const SPOOL: &str = ".mlops";
/// In the directory of a run that waits: its facts, where it still has to be published.
pub const PUBLICATION: &str = "mlops-publication.json";
/// Lines of the console that are kept for a tracker that may not be there.
const MAX_LINES: usize = 20_000;
/// For the end of a run that was opened in time or late: nobody waits longer for a tracker. What it did not take is
/// written down in the seconds that are left of a minute.
const FINISH_WITHIN: Duration = Duration::from_secs(55);
/// A job that was told to stop has no more time than this for it.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Runs that are open, for whoever is told to stop.
static OPEN: Mutex<Vec<Arc<dyn Tracker>>> = Mutex::new(Vec::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says of every open run that it was stopped.
pub async fn interrupt_all(exit_code: u8) {
    let open = std::mem::take(&mut *locked(&OPEN));
    for tracker in open {
        if tokio::time::timeout(STOP_WITHIN, tracker.interrupt(exit_code))
            .await
            .is_err()
        {
            tracing::warn!("the tracker was not told that this run was stopped");
        }
    }
}

/// A run that is being tracked, or one that nobody asked to track.
pub struct Tracking(Option<Told>);

struct Told {
    start: RunStart,
    tracker: Arc<dyn Tracker>,
    lines: UnboundedSender<String>,
    telling: JoinHandle<Result<Started, TrackError>>,
    said: Arc<Mutex<Vec<String>>>,
    secret: Option<Secret>,
    root: PathBuf,
    offline: OfflinePlace,
}

impl Tracking {
    /// Begins beside the run, which never waits for it.
    pub fn of(kept: &Kept, start: &RunStart, root: &Path) -> Self {
        Self(kept.tracker.as_ref().map(|tracker| {
            locked(&OPEN).push(Arc::clone(tracker));
            let (lines, coming) = unbounded_channel();
            let said = Arc::default();
            let telling = tell(Arc::clone(tracker), start.clone(), coming, Arc::clone(&said));
            Told {
                start: start.clone(),
                tracker: Arc::clone(tracker),
                lines,
                telling: tokio::spawn(telling),
                said,
                secret: kept.account.as_ref().and_then(|account| account.secret.clone()),
                root: root.to_owned(),
                offline: kept.offline.clone(),
            }
        }))
    }

    /// Nobody asked.
    pub fn none() -> Self {
        Self(None)
    }

    /// The same events, of which the tracker hears too.
    pub fn listen(&self, mut events: UnboundedReceiver<Event>) -> UnboundedReceiver<Event> {
        let Some(told) = &self.0 else { return events };
        let (passed_on, listener) = unbounded_channel();
        let (lines, secret) = (told.lines.clone(), told.secret.clone());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                for line in said(&event) {
                    let line = match &secret {
                        Some(secret) => line.replace(secret.expose(), "***"),
                        None => line,
                    };
                    lines.send(line).ok();
                }
                passed_on.send(event).ok();
            }
        });
        listener
    }

    /// Tells the end, and writes into the facts where the run is. What the tracker did not take is written where
    /// `mlops sync` and `wandb sync` find it, and so is a model that could not be published. The directory of it, if
    /// something waits.
    pub async fn finish(self, opened: &Opened, finished: &mut Finished, data: Option<Dataset>) -> Option<PathBuf> {
        let told = self.0?;
        let end = end(finished, data);
        let Told {
            start,
            tracker,
            lines,
            telling,
            said,
            root,
            offline,
            ..
        } = told;
        drop(lines);
        let (watch, opening) = (Stopwatch::start(), telling.abort_handle());
        let telling = async {
            let broken = |error: tokio::task::JoinError| TrackError::Broken { why: error.to_string() };
            let started = telling.await.map_err(broken)??;
            let ended = tracker
                .finish(end.clone(), FINISH_WITHIN.saturating_sub(watch.elapsed()))
                .await?;
            Ok::<_, TrackError>((started, ended))
        };
        let telling = tokio::time::timeout(FINISH_WITHIN, telling).await;
        // A run that is opened after this would stay so.
        opening.abort();
        locked(&OPEN).retain(|open| !Arc::ptr_eq(open, &tracker));
        let unpublished = finished.unpublished.take();
        let (mut tracking, mut waiting) = match telling {
            Ok(Ok((started, ended))) => {
                let tracking = TrackingFacts {
                    place: started.place,
                    url: started.url,
                    problem: ended.warnings.first().cloned(),
                };
                (tracking, ended.waits)
            }
            Ok(Err(error)) => (lost(&chain(&error)), None),
            Err(_) => (lost("it did not answer in time"), None),
        };
        let is_lost = tracking.place.is_empty();
        if waiting.is_none() && (is_lost || unpublished.is_some()) {
            let said = std::mem::take(&mut *locked(&said));
            match write_down(&root, offline, &start, &said, end).await {
                Ok(directory) => waiting = Some(directory),
                Err(error) => add(
                    &mut tracking.problem,
                    &format!("it could not be kept for later: {}", chain(&error)),
                ),
            }
        }
        if let Some(directory) = &waiting {
            if is_lost {
                tracking.place = shown(directory, &root);
            }
            if let Some(facts) = &unpublished
                && let Err(error) = sys::write_atomic(&directory.join(PUBLICATION), facts.to_json().as_bytes())
            {
                add(
                    &mut tracking.problem,
                    &format!("the model could not be kept for later: {error}"),
                );
            }
            if is_lost || unpublished.is_some() {
                add(&mut tracking.problem, "`mlops sync` delivers it");
            }
        }
        if tracking.problem.is_some() && opened.project.wandb.is_required && is_lost {
            finished.facts.passed = false;
            finished.facts.reason = format!(
                "the run could not be tracked, and `wandb.required` asks for it; {}",
                finished.facts.reason
            );
            finished.could_not_find_out = true;
        }
        finished.facts.tracking = Some(tracking);
        waiting
    }
}

fn lost(why: &str) -> TrackingFacts {
    TrackingFacts {
        place: String::new(),
        url: None,
        problem: Some(why.to_owned()),
    }
}

fn add(problem: &mut Option<String>, more: &str) {
    *problem = Some(match problem.take() {
        Some(before) => format!("{before}; {more}"),
        None => more.to_owned(),
    });
}

fn shown(directory: &Path, root: &Path) -> String {
    directory.strip_prefix(root).unwrap_or(directory).display().to_string()
}

/// What an event adds to the console.
fn said(event: &Event) -> Vec<String> {
    match event {
        Event::Output { line, .. } => vec![line.clone()],
        Event::StepStarted { .. } | Event::StepFinished { .. } => {
            progress::line(event, true, false).into_iter().collect()
        }
    }
}

fn end(finished: &Finished, data: Option<Dataset>) -> RunEnd {
    let facts = &finished.facts;
    let exit_code = match (
        finished.problems.has_errors(),
        finished.could_not_find_out,
        facts.passed,
    ) {
        (true, _, _) => UNUSABLE,
        (false, true, _) => UNKNOWN,
        (false, false, true) => PASSED,
        (false, false, false) => FAILED,
    };
    let html = report::Html::default().render(&report::sections(facts, None));
    let predictions = match finished.bundle.get("predictions.csv") {
        Some(Content::Bytes(bytes)) => Some(bytes.as_slice()),
        Some(Content::File(_)) | None => None,
    };
    let met = facts
        .comparison
        .as_ref()
        .and_then(|comparison| match &comparison.champion {
            Champion::Version { version, .. } => Some(format!("{}:{version}", facts.model)),
            Champion::Baseline { .. } => None,
        });
    RunEnd {
        data,
        met,
        model: model(finished),
        ..tracked::end(facts, predictions, Some(&html), exit_code)
    }
}

/// Opens the run and passes on what is said, until nobody can say anything any more.
async fn tell(
    tracker: Arc<dyn Tracker>,
    start: RunStart,
    mut coming: UnboundedReceiver<String>,
    said: Arc<Mutex<Vec<String>>>,
) -> Result<Started, TrackError> {
    let mut opening = std::pin::pin!(tracker.start(&start));
    // What is said before the run is open waits for it.
    let opened = loop {
        tokio::select! {
            opened = &mut opening => break opened,
            line = coming.recv() => match line {
                Some(line) => keep(&said, line),
                None => break opening.await,
            },
        }
    };
    if opened.is_ok() {
        for line in locked(&said).iter() {
            tracker.say(line);
        }
    }
    while let Some(line) = coming.recv().await {
        if opened.is_ok() {
            tracker.say(&line);
        }
        keep(&said, line);
    }
    opened
}

fn keep(said: &Mutex<Vec<String>>, line: String) {
    let mut said = locked(said);
    if said.len() < MAX_LINES {
        said.push(line);
    }
}

/// The whole run as an offline one.
async fn write_down(
    root: &Path,
    place: OfflinePlace,
    start: &RunStart,
    said: &[String],
    end: RunEnd,
) -> Result<PathBuf, TrackError> {
    let offline = Offline::new(&root.join(SPOOL), place);
    offline.start(start).await?;
    for line in said {
        offline.say(line);
    }
    let ended = offline.finish(end, FINISH_WITHIN).await?;
    ended.waits.ok_or_else(|| TrackError::Broken {
        why: "nothing was written".to_owned(),
    })
}

/// The model where no registry has it.
fn model(finished: &Finished) -> Option<Model> {
    let facts = &finished.facts;
    let registry = facts.registry.as_ref();
    let is_published = registry.is_some_and(|registry| registry.version.is_some());
    let files = finished.bundle.iter();
    let files = files.map(|(name, content)| (name.clone(), content.clone()));
    (!is_published && !finished.bundle.is_empty()).then(|| Model {
        name: facts.model.clone(),
        metadata: pipeline::version_metadata(facts),
        files: files.collect(),
    })
}

/// The files that a later publication takes.
pub fn kept_model(directory: &Path) -> Result<BTreeMap<String, Content>, sys::FileError> {
    let model = directory.join(MODEL);
    let listed = sys::list(&model)?
        .into_iter()
        .filter(|listed| listed.kind == sys::FileKind::File);
    let names = listed.filter_map(|listed| listed.name.into_string().ok());
    Ok(names
        .map(|name| (name.clone(), Content::File(model.join(name))))
        .collect())
}
