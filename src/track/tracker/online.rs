//! Runs in W&B: opened when work begins, told line by line, closed with everything that was found.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::laid::{Laid, laid, settings, wrapped};
use super::{Ended, RunEnd, RunStart, Started, TrackError, Tracker};
use crate::sys::{self, Stopwatch};
use crate::track::record::{DataEntry, Dataset};
use crate::track::{Content, Wandb};
use crate::wandb::{
    self, Checksum, Client, Entry, NewArtifact, Offsets, Records, Reference, Rhythm, RunGit, RunMetadata, RunPath,
    Stream, UpsertRun, UseArtifact,
};

/// What the data of a run are in W&B.
const DATASET: &str = "dataset";
/// The console as a file holds as much of it.
const MAX_OUTPUT: usize = 8 << 20;

/// Where runs go.
#[derive(Clone)]
pub struct OnlinePlace {
    pub entity: String,
    pub project: String,
    /// Where the versions are that runs are compared with.
    pub registry: Option<Wandb>,
}

/// One run in W&B.
pub struct Online {
    client: Client,
    place: OnlinePlace,
    open: Mutex<Option<Open>>,
}

/// The run, while it is open.
struct Open {
    start: RunStart,
    path: RunPath,
    stream: Stream,
    watch: Stopwatch,
    /// The settings that the run has already.
    config: BTreeMap<String, Value>,
    is_structured: bool,
    output: String,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Online {
    pub fn new(client: Client, place: OnlinePlace) -> Self {
        Self {
            client,
            place,
            open: Mutex::new(None),
        }
    }

    fn take(&self) -> Result<Open, TrackError> {
        locked(&self.open).take().ok_or_else(|| TrackError::Broken {
            why: "the run was not opened".to_owned(),
        })
    }
}

#[async_trait]
impl Tracker for Online {
    async fn start(&self, run: &RunStart) -> Result<Started, TrackError> {
        let path = RunPath {
            entity: self.place.entity.clone(),
            project: self.place.project.clone(),
            run: run.id.clone(),
        };
        let before = wandb::run_resume(&self.client, &path).await?;
        let config = before
            .as_ref()
            .and_then(|run| run.config.as_ref())
            .map(unwrapped)
            .unwrap_or_default();
        let mut all = config.clone();
        all.extend(settings(&run.config, &serde_json::Map::new()));
        let mut tags = run.tags.clone();
        let theirs = before.iter().flat_map(|run| run.tags.iter());
        tags.extend(theirs.filter(|tag| !run.tags.contains(tag)).cloned());
        let upsert = UpsertRun {
            id: before.as_ref().map(|run| run.id.clone()),
            name: run.id.clone(),
            entity: Some(path.entity.clone()),
            project: path.project.clone(),
            display_name: Some(run.display_name.clone()),
            group: run.group.clone(),
            job_type: Some(run.job_type.clone()),
            tags: Some(tags),
            notes: run.notes.clone(),
            config: Some(wrapped(&all)),
            summary: None,
            commit: run.git.as_ref().map(|git| git.commit.clone()),
            repository: run.git.as_ref().map(|git| git.remote.clone()),
            program: Some(run.program.clone()),
            host: run.host.clone(),
        };
        let made = wandb::upsert_run(&self.client, &upsert).await?;
        let features = self.client.features().await?;
        // A job that is repeated finds what it found before: its rows take the place of those that are there.
        let offsets = before.as_ref().map_or_else(Offsets::default, |run| Offsets {
            history: 0,
            events: run.n_events,
            output: run.n_log,
        });
        let open = Open {
            start: run.clone(),
            stream: Stream::open(self.client.clone(), made.path.clone(), offsets, Rhythm::default()),
            path: made.path.clone(),
            watch: Stopwatch::start(),
            config: all,
            is_structured: features.has("STRUCTURED_CONSOLE_LOGS"),
            output: String::new(),
        };
        *locked(&self.open) = Some(open);
        Ok(Started {
            place: format!("W&B {}/{}", made.path.entity, made.path.project),
            url: Some(
                self.client
                    .hosts()
                    .run(&made.path.entity, &made.path.project, &made.path.run),
            ),
        })
    }

    fn say(&self, line: &str) {
        if let Some(open) = locked(&self.open).as_mut() {
            open.stream.output(console(line, open.is_structured));
            if open.output.len() + line.len() < MAX_OUTPUT {
                open.output.push_str(line);
                open.output.push('\n');
            }
        }
    }

    async fn finish(&self, end: RunEnd) -> Result<Ended, TrackError> {
        let open = self.take()?;
        let mut warnings = Vec::new();
        let (data, met, exit_code) = (end.data.clone(), end.met.clone(), end.exit_code);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
        let seconds = open.watch.elapsed_ms() as f64 / 1000.0;
        let Laid {
            config,
            rows,
            summary,
            files,
        } = laid(&open.start, end, seconds);
        let mut soft = |what: &str, done: Result<(), TrackError>| {
            if let Err(error) = done {
                warnings.push(format!("{what}: {error}"));
            }
        };
        soft("the data of the run are not told", self.given(&open.path, data).await);
        soft(
            "the version that it met is not told",
            self.met(&open.path, met.as_deref()).await,
        );
        for row in &rows {
            open.stream.history(wandb::object(
                row.iter().map(|(name, value)| (name.as_str(), value.clone())),
            ));
        }
        let summary = wandb::object(summary.iter().map(|(name, value)| (name.as_str(), value.clone())));
        open.stream.summary(summary.clone());
        let mut all = open.config.clone();
        all.extend(config);
        let upsert = UpsertRun {
            name: open.path.run.clone(),
            entity: Some(open.path.entity.clone()),
            project: open.path.project.clone(),
            config: Some(wrapped(&all)),
            ..UpsertRun::default()
        };
        soft(
            "the settings are not all there",
            wandb::upsert_run(&self.client, &upsert)
                .await
                .map(drop)
                .map_err(Into::into),
        );
        let records = Records {
            summary,
            config: wrapped(&all),
            metadata: metadata(&open.start),
            requirements: None,
            output: Some(wandb::Content::Bytes(open.output.into_bytes())),
            others: files
                .into_iter()
                .map(|(name, content)| (name, content.into()))
                .collect(),
        };
        match wandb::send_files(&self.client, &open.path, records.files()).await {
            Ok(sent) => sent.into_iter().for_each(|name| open.stream.uploaded(name)),
            Err(error) => soft("files of the run are missing", Err(error.into())),
        }
        let finished = open.stream.finish(i32::from(exit_code)).await?;
        if finished.n_skipped > 0 {
            warnings.push(format!("{} lines were longer than W&B takes", finished.n_skipped));
        }
        Ok(Ended { warnings, waits: None })
    }

    async fn interrupt(&self, exit_code: u8) {
        let Ok(open) = self.take() else { return };
        if let Err(error) = open.stream.finish(i32::from(exit_code)).await {
            tracing::warn!(%error, "the run in W&B stays open");
        }
    }
}

impl Online {
    /// What the run was given: an artifact of its own, which is there before it is used.
    async fn given(&self, path: &RunPath, data: Option<Dataset>) -> Result<(), TrackError> {
        let Some(data) = data else { return Ok(()) };
        let artifact = dataset(path, data);
        let made = wandb::publish(&self.client, artifact).await?;
        self.uses(path, made.id, None).await
    }

    async fn met(&self, path: &RunPath, name: Option<&str>) -> Result<(), TrackError> {
        let (Some(name), Some(registry)) = (name, &self.place.registry) else {
            return Ok(());
        };
        match registry.artifact(name).await {
            Ok(Some(id)) => self.uses(path, id, Some("production")).await,
            Ok(None) => Ok(()),
            Err(error) => Err(TrackError::Broken { why: error.to_string() }),
        }
    }

    async fn uses(&self, path: &RunPath, artifact: String, used_as: Option<&str>) -> Result<(), TrackError> {
        let usage = UseArtifact {
            artifact,
            run: path.clone(),
            used_as: used_as.map(str::to_owned),
            found_in: None,
        };
        Ok(wandb::use_artifact(&self.client, &usage).await?)
    }
}

/// The data as an artifact.
pub fn dataset(path: &RunPath, data: Dataset) -> NewArtifact {
    let entries = data.entries.into_iter().map(|(name, entry)| {
        let entry = match entry {
            DataEntry::File(content) => Entry::File(content.into()),
            DataEntry::Reference {
                uri,
                digest,
                size_bytes,
            } => Entry::Reference(Reference {
                uri,
                checksum: Checksum::Given(digest),
                size_bytes,
            }),
        };
        (name, entry)
    });
    NewArtifact {
        entity: path.entity.clone(),
        project: path.project.clone(),
        run: Some(path.run.clone()),
        type_name: DATASET.to_owned(),
        name: data.name,
        description: None,
        metadata: Some(data.metadata),
        aliases: Vec::new(),
        tags: Vec::new(),
        entries: entries.collect(),
        client_ids: None,
    }
}

fn metadata(start: &RunStart) -> RunMetadata {
    RunMetadata {
        os: std::env::consts::OS.to_owned(),
        program: start.program.clone(),
        host: start.host.clone(),
        started: start.started,
        git: start.git.as_ref().map(|git| RunGit {
            remote: git.remote.clone(),
            commit: git.commit.clone(),
        }),
    }
}

/// `{"lr": {"value": 0.1}}` → `{"lr": 0.1}`.
fn unwrapped(config: &Value) -> BTreeMap<String, Value> {
    let fields = config.as_object().into_iter().flatten();
    fields
        .filter_map(|(name, field)| Some((name.clone(), field.get("value")?.clone())))
        .collect()
}

/// A line of the console, as this W&B reads it.
fn console(line: &str, is_structured: bool) -> String {
    let moment = jiff::Timestamp::from_second(sys::now().0).unwrap_or_default();
    let moment = moment.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
    if is_structured {
        return serde_json::json!({"ts": moment, "content": line}).to_string();
    }
    format!("{moment} {line}")
}

impl From<Content> for wandb::Content {
    fn from(content: Content) -> Self {
        match content {
            Content::Bytes(bytes) => Self::Bytes(bytes),
            Content::File(path) => Self::File(path),
        }
    }
}

impl From<wandb::Content> for Content {
    fn from(content: wandb::Content) -> Self {
        match content {
            wandb::Content::Bytes(bytes) => Self::Bytes(bytes),
            wandb::Content::File(path) => Self::File(path),
        }
    }
}
