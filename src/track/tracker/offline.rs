//! Runs without W&B: its own offline log, with everything that belongs to the run beside it.
//!
//! ```text
//! wandb/offline-run-20261125_080910-gh-17-1-publish/
//!   run-….wandb   the log, for `wandb sync` and `mlops sync`
//!   files/        tables, pictures, the report
//!   model/        the files of the model, which the log names as an artifact
//! ```
//! Paths in the log are relative to the folder above `wandb`, which is where `wandb sync` is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::laid::{Laid, Line, laid, settings};
use super::online::dataset;
use super::{Ended, RunEnd, RunStart, Started, TrackError, Tracker};
use crate::sys::{self, Stopwatch};
use crate::track::Content;
use crate::track::record::Model;
use crate::wandb::log::records::{
    Artifact, Exit, File, Files, Git, History, Item, Items, Kind, Manifest, Moment, Output, PolicyConfig, Run, Step,
};
use crate::wandb::log::{Log, item};
use crate::wandb::{self, ClientIds, RunPath};

const RUNS: &str = "wandb";
/// Beside the log: the files of the model.
pub const MODEL: &str = "model";
/// A file that is larger is not copied to wait.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Writes one run below a folder.
pub struct Offline {
    base: PathBuf,
    place: OfflinePlace,
    open: Mutex<Option<Open>>,
}

/// Where the run goes once it is delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfflinePlace {
    /// Empty: where the runs of whoever delivers it go.
    pub entity: String,
    pub project: String,
}

struct Open {
    start: RunStart,
    place: OfflinePlace,
    directory: PathBuf,
    /// The directory as the log names it.
    name: String,
    log: Log,
    watch: Stopwatch,
    lines: Vec<String>,
}

impl Offline {
    pub fn new(base: &Path, place: OfflinePlace) -> Self {
        Self {
            base: base.to_owned(),
            place,
            open: Mutex::new(None),
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tracker for Offline {
    async fn start(&self, run: &RunStart) -> Result<Started, TrackError> {
        let name = format!("{RUNS}/offline-run-{}-{}", moment(run), run.id);
        let directory = self.base.join(&name);
        sys::create_dir(&directory.join("files"))?;
        let mut log = Log::new();
        log.push(Kind::Run(begun(run, &self.place)));
        let open = Open {
            start: run.clone(),
            place: self.place.clone(),
            directory: directory.clone(),
            name,
            log,
            watch: Stopwatch::start(),
            lines: Vec::new(),
        };
        open.write()?;
        *self.open() = Some(open);
        Ok(Started {
            place: directory.display().to_string(),
            url: None,
        })
    }

    fn say(&self, line: &str) {
        if let Some(open) = self.open().as_mut() {
            open.lines.push(line.to_owned());
        }
    }

    async fn finish(&self, end: RunEnd) -> Result<Ended, TrackError> {
        let open = self.open().take().ok_or_else(|| TrackError::Broken {
            why: "the run was not opened".to_owned(),
        })?;
        // Files may be large, and nothing else waits for them here.
        let done = tokio::task::spawn_blocking(move || open.close(end)).await;
        let directory = done.map_err(|error| TrackError::Broken { why: error.to_string() })??;
        Ok(Ended {
            warnings: Vec::new(),
            waits: Some(directory),
        })
    }

    async fn interrupt(&self, exit_code: u8) {
        let Some(mut open) = self.open().take() else { return };
        open.console();
        open.log.push(exit(exit_code, &open.watch));
        if let Err(error) = open.write() {
            tracing::warn!(%error, "the offline run has no end");
        }
    }
}

impl Open {
    fn write(&self) -> Result<(), TrackError> {
        let path = self.directory.join(format!("run-{}.wandb", self.start.id));
        Ok(sys::write_atomic(&path, self.log.bytes())?)
    }

    fn console(&mut self) {
        for line in std::mem::take(&mut self.lines) {
            self.log.push(Kind::Output(Output {
                output_type: 1,
                timestamp: Some(seconds(self.start.started.0)),
                line: format!("{line}\n"),
            }));
        }
    }

    fn close(mut self, mut end: RunEnd) -> Result<PathBuf, TrackError> {
        self.console();
        let (exit_code, data, model) = (end.exit_code, end.data.take(), end.model.take());
        let seconds = self.watch.elapsed_ms() as f64 / 1000.0;
        let Laid {
            config,
            rows,
            summary,
            files,
        } = laid(&self.start, end, seconds);
        let update = config
            .iter()
            .map(|(name, value)| item(name, value.to_string()))
            .collect();
        self.log.push(Kind::Config(Items { update }));
        for (row, step) in rows.iter().zip(0..) {
            self.log.push(Kind::History(History {
                item: items(row),
                step: Some(Step { num: step }),
            }));
        }
        self.log.push(Kind::Summary(Items {
            update: items(&summary),
        }));
        self.files(files)?;
        if let Some(data) = data {
            let path = RunPath {
                entity: String::new(),
                project: String::new(),
                run: self.start.id.clone(),
            };
            self.artifact(wandb::Described::of(&dataset(&path, data))?, "data")?;
        }
        if let Some(model) = model {
            self.model(model)?;
        }
        self.log.push(exit(exit_code, &self.watch));
        self.write()?;
        Ok(self.directory)
    }

    fn files(&mut self, files: BTreeMap<String, Content>) -> Result<(), TrackError> {
        let mut named = Vec::new();
        for (name, content) in files {
            let kind = if name.starts_with("media/") { 2 } else { 0 };
            copy(&self.directory.join("files").join(&name), content)?;
            named.push(File {
                path: name,
                policy: 1,
                kind,
            });
        }
        self.log.push(Kind::Files(Files { files: named }));
        Ok(())
    }

    fn model(&mut self, model: Model) -> Result<(), TrackError> {
        let artifact = wandb::NewArtifact {
            entity: String::new(),
            project: String::new(),
            run: Some(self.start.id.clone()),
            type_name: "model".to_owned(),
            name: model.name,
            description: None,
            metadata: Some(model.metadata),
            aliases: Vec::new(),
            tags: Vec::new(),
            entries: model
                .files
                .into_iter()
                .map(|(name, content)| (name, wandb::Entry::File(content.into())))
                .collect(),
            client_ids: None,
        };
        self.artifact(wandb::Described::of(&artifact)?, MODEL)
    }

    /// Copies the files of an artifact beside the log, and names it there.
    fn artifact(&mut self, artifact: wandb::Described, folder: &str) -> Result<(), TrackError> {
        let mut contents = Vec::new();
        for entry in artifact.entries {
            let local_path = match entry.content {
                Some(content) => {
                    copy(&self.directory.join(folder).join(&entry.path), content.into())?;
                    format!("{}/{folder}/{}", self.name, entry.path)
                }
                None => String::new(),
            };
            contents.push(wandb::log::records::Content {
                path: entry.path,
                digest: entry.digest,
                reference: entry.reference.unwrap_or_default(),
                size: i64::try_from(entry.size_bytes).unwrap_or(i64::MAX),
                local_path,
            });
        }
        let ids = ClientIds::of(&[&self.start.id], &artifact.name, &artifact.digest);
        self.log.push(Kind::Artifact(Artifact {
            run_id: self.start.id.clone(),
            project: self.place.project.clone(),
            entity: self.place.entity.clone(),
            type_name: artifact.type_name,
            name: artifact.name,
            digest: artifact.digest,
            description: String::new(),
            metadata: artifact
                .metadata
                .map(|metadata| metadata.to_string())
                .unwrap_or_default(),
            aliases: vec!["latest".to_owned()],
            manifest: Some(Manifest {
                version: 1,
                storage_policy: "wandb-storage-policy-v1".to_owned(),
                policy_config: vec![PolicyConfig {
                    key: "storageLayout".to_owned(),
                    value_json: "\"V2\"".to_owned(),
                }],
                contents,
            }),
            finalize: true,
            client_id: ids.artifact,
            sequence_client_id: ids.sequence,
        }));
        Ok(())
    }
}

fn copy(path: &Path, content: Content) -> Result<(), TrackError> {
    if let Some(folder) = path.parent() {
        sys::create_dir(folder)?;
    }
    match content {
        Content::Bytes(bytes) => sys::write_atomic(path, &bytes)?,
        Content::File(from) => sys::copy(&from, path, MAX_FILE_BYTES)?,
    }
    Ok(())
}

/// `20261125_080910`.
fn moment(run: &RunStart) -> String {
    let moment = jiff::Timestamp::from_second(run.started.0).unwrap_or_default();
    moment.strftime("%Y%m%d_%H%M%S").to_string()
}

fn begun(run: &RunStart, place: &OfflinePlace) -> Run {
    let config = settings(&run.config, &serde_json::Map::new());
    let update = config
        .iter()
        .map(|(name, value)| item(name, value.to_string()))
        .collect();
    Run {
        run_id: run.id.clone(),
        entity: place.entity.clone(),
        project: place.project.clone(),
        config: Some(Items { update }),
        run_group: run.group.clone().unwrap_or_default(),
        job_type: run.job_type.clone(),
        display_name: run.display_name.clone(),
        notes: run.notes.clone().unwrap_or_default(),
        tags: run.tags.clone(),
        host: run.host.clone().unwrap_or_default(),
        start_time: Some(seconds(run.started.0)),
        git: run.git.as_ref().map(|git| Git {
            remote_url: git.remote.clone(),
            commit: git.commit.clone(),
        }),
    }
}

fn seconds(seconds: i64) -> Moment {
    Moment { seconds, nanos: 0 }
}

fn items(line: &Line) -> Vec<Item> {
    line.iter().map(|(name, value)| item(name, value.clone())).collect()
}

fn exit(exit_code: u8, watch: &Stopwatch) -> Kind {
    Kind::Exit(Exit {
        exit_code: i32::from(exit_code),
        runtime: i32::try_from(watch.elapsed_ms() / 1000).unwrap_or(i32::MAX),
    })
}
