//! Delivers an offline run: everything in its log, as if it were told now. Repeating it changes nothing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::artifacts::{Checksum, Content, Entry, NewArtifact, Reference, check_path, publish};
use super::client::Client;
use super::error::WandbError;
use super::lines::{Offsets, object, text};
use super::log;
use super::log::records::{Artifact, Item, Kind, Run};
use super::operations::{RunPath, UpsertRun, UseArtifact, upsert_run, use_artifact};
use super::runs::send_files;
use super::stream::{Rhythm, Stream};
use crate::sys;

const MAX_LOG: u64 = 1 << 30;
/// What a run was given rather than made.
const DATASET: &str = "dataset";

/// A run that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    pub url: String,
    pub warnings: Vec<String>,
}

/// What there is in the log, by kinds.
#[derive(Default)]
struct Told {
    run: Option<Run>,
    config: BTreeMap<String, Value>,
    rows: Vec<String>,
    summary: BTreeMap<String, String>,
    console: Vec<String>,
    files: Vec<String>,
    artifacts: Vec<Artifact>,
    exit_code: Option<i32>,
}

/// Delivers the run in a directory with `run-….wandb` and `files/`.
pub async fn replay(client: &Client, entity: &str, project: &str, directory: &Path) -> Result<Replayed, WandbError> {
    let told = read(directory)?;
    let run = told.run.ok_or_else(|| unusable("there is no run in it"))?;
    let config: serde_json::Map<String, Value> = told
        .config
        .iter()
        .map(|(name, value)| (name.clone(), json!({"value": value})))
        .collect();
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let upsert = UpsertRun {
        id: None,
        name: run.run_id.clone(),
        entity: Some(entity.to_owned()),
        project: project.to_owned(),
        display_name: filled(&run.display_name),
        group: filled(&run.run_group),
        job_type: filled(&run.job_type),
        tags: Some(run.tags.clone()),
        notes: filled(&run.notes),
        config: Some(config.into()),
        summary: None,
        commit: run.git.as_ref().map(|git| git.commit.clone()),
        repository: run.git.as_ref().map(|git| git.remote_url.clone()),
        program: None,
        host: filled(&run.host),
    };
    let path = upsert_run(client, &upsert).await?.path;
    let structured = client.features().await?.has("STRUCTURED_CONSOLE_LOGS");
    let mut warnings = Vec::new();
    let stream = Stream::open(client.clone(), path.clone(), Offsets::default(), Rhythm::default());
    for line in &told.console {
        stream.output(if structured {
            json!({"content": line}).to_string()
        } else {
            line.clone()
        });
    }
    told.rows.into_iter().for_each(|row| stream.history(row));
    stream.summary(object(
        told.summary.iter().map(|(name, value)| (name.as_str(), value.clone())),
    ));
    let mut files = BTreeMap::new();
    for name in told.files {
        let file = directory.join("files").join(&name);
        match sys::kind(&file) {
            Ok(Some(sys::FileKind::File)) if check_path(&name).is_ok() => drop(files.insert(name, Content::File(file))),
            _ => warnings.push(format!("`{name}` is not there")),
        }
    }
    send_files(client, &path, files)
        .await?
        .into_iter()
        .for_each(|name| stream.uploaded(name));
    for artifact in told.artifacts {
        let is_given = artifact.type_name == DATASET;
        let made = publish(client, taken_up(&path, artifact, directory)?).await?;
        if is_given {
            let usage = UseArtifact {
                artifact: made.id,
                run: path.clone(),
                found_in: None,
                used_as: None,
            };
            use_artifact(client, &usage).await?;
        }
    }
    // A log without an end is of a run that was killed.
    stream.finish(told.exit_code.unwrap_or(1)).await?;
    Ok(Replayed {
        url: client.hosts().run(&path.entity, &path.project, &path.run),
        warnings,
    })
}

fn unusable(why: &str) -> WandbError {
    WandbError::File {
        why: format!("the offline run can not be delivered: {why}"),
    }
}

fn read(directory: &Path) -> Result<Told, WandbError> {
    let listed = sys::list(directory).map_err(|error| unusable(&error.to_string()))?;
    let logs: Vec<String> = listed
        .into_iter()
        .filter_map(|listed| listed.name.into_string().ok())
        .filter(|name| name.starts_with("run-") && Path::new(name).extension().is_some_and(|ending| ending == "wandb"))
        .collect();
    let [name] = logs.as_slice() else {
        return Err(unusable("there is no log, or more than one"));
    };
    let bytes = sys::read(&directory.join(name), MAX_LOG).map_err(|error| unusable(&error.to_string()))?;
    let kinds = log::read(&bytes).map_err(|error| unusable(&error.to_string()))?;
    let mut told = Told::default();
    for kind in kinds {
        match kind {
            Kind::Run(run) => {
                settle(&mut told.config, run.config.iter().flat_map(|items| &items.update))?;
                told.run = Some(run);
            }
            Kind::Config(items) => settle(&mut told.config, items.update.iter())?,
            Kind::History(row) => told.rows.push(line(&row.item)),
            Kind::Summary(items) => told
                .summary
                .extend(items.update.iter().map(|item| (name_of(item), item.value_json.clone()))),
            Kind::Output(output) => told.console.push(output.line.trim_end_matches('\n').to_owned()),
            Kind::Files(files) => told.files.extend(files.files.into_iter().map(|file| file.path)),
            Kind::Artifact(artifact) => told.artifacts.push(artifact),
            Kind::Exit(exit) => told.exit_code = Some(exit.exit_code),
            Kind::Header(_) => {}
        }
    }
    Ok(told)
}

fn name_of(item: &Item) -> String {
    if item.key.is_empty() {
        item.nested_key.join(".")
    } else {
        item.key.clone()
    }
}

fn line(items: &[Item]) -> String {
    let members: Vec<String> = items
        .iter()
        .map(|item| format!("{}:{}", text(&name_of(item)), item.value_json))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn settle<'a>(config: &mut BTreeMap<String, Value>, items: impl Iterator<Item = &'a Item>) -> Result<(), WandbError> {
    for item in items {
        let value = serde_json::from_str(&item.value_json).map_err(|_| unusable("a setting is no JSON"))?;
        config.insert(name_of(item), value);
    }
    Ok(())
}

/// The artifact as it is published: its files are named from the folder above `wandb`, where the run was written.
fn taken_up(path: &RunPath, artifact: Artifact, directory: &Path) -> Result<NewArtifact, WandbError> {
    let base = directory.ancestors().nth(2).unwrap_or(directory);
    let mut entries = BTreeMap::new();
    for content in artifact.manifest.into_iter().flat_map(|manifest| manifest.contents) {
        let entry = if content.reference.is_empty() {
            check_path(&content.local_path).map_err(|why| unusable(&why))?;
            // An artifact of a workflow may be unpacked anywhere: what counts is where it lies below the run.
            let below = content.local_path.split('/').skip(2).collect::<Vec<_>>().join("/");
            let beside = directory.join(below);
            let file = if sys::kind(&beside).is_ok_and(|kind| kind.is_some()) {
                beside
            } else {
                base.join(&content.local_path)
            };
            Entry::File(Content::File(file))
        } else {
            Entry::Reference(Reference {
                uri: content.reference,
                checksum: Checksum::Given(content.digest),
                size_bytes: u64::try_from(content.size).unwrap_or_default(),
            })
        };
        entries.insert(content.path, entry);
    }
    let metadata = (!artifact.metadata.is_empty()).then(|| serde_json::from_str(&artifact.metadata));
    Ok(NewArtifact {
        entity: path.entity.clone(),
        project: path.project.clone(),
        run: Some(path.run.clone()),
        type_name: artifact.type_name,
        name: artifact.name,
        description: None,
        metadata: metadata
            .transpose()
            .map_err(|_| unusable("what it says about an artifact is no JSON"))?,
        aliases: Vec::new(),
        tags: Vec::new(),
        entries,
        client_ids: None,
    })
}
