//! Delivers an offline run: everything in its log, as if it were told now. Repeating it changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::artifacts::{Checksum, ClientIds, Content, Entry, NewArtifact, Reference, check_path, publish};
use super::client::Client;
use super::error::WandbError;
use super::lines::Offsets;
use super::log::records::Artifact;
use super::log::{Told, read};
use super::media::{Extras, config, console_line};
use super::operations::{RunPath, UpsertRun, UseArtifact, run_resume, upsert_run, use_artifact};
use super::runs::{Records, send_files};
use super::stream::{Rhythm, Stream};
use crate::sys;

const MAX_LOG: u64 = 1 << 30;
/// Servers with this know the parts of a line of the console.
const STRUCTURED: &str = "STRUCTURED_CONSOLE_LOGS";

/// A run that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The id in its address.
    pub run: String,
    pub url: String,
    pub warnings: Vec<String>,
}

/// Delivers the run in a directory with `run-….wandb` and `files/`.
pub async fn replay(client: &Client, entity: &str, project: &str, directory: &Path) -> Result<Replayed, WandbError> {
    let (told, mut warnings) = (opened(directory)?, Vec::new());
    let tree = config(Some(&told.config), &BTreeMap::new(), &Extras::default());
    let wanted = RunPath {
        entity: entity.to_owned(),
        project: project.to_owned(),
        run: told.run.run_id.clone(),
    };
    let path = begun(client, &wanted, &told, tree.clone()).await?;
    let is_structured = client.features().await.is_ok_and(|features| features.has(STRUCTURED));
    // It is alive from here on, however long its files take.
    let stream = Stream::open(client.clone(), path.clone(), Offsets::default(), Rhythm::default());
    for name in send_files(client, &path, files(&told, tree, directory, &mut warnings)).await? {
        stream.uploaded(name);
    }
    for artifact in told.artifacts {
        let (name, is_given) = (artifact.name.clone(), artifact.use_after_commit);
        let Some(artifact) = taken_up(&path, artifact, directory)? else {
            warnings.push(format!("the files of the artifact `{name}` are not beside the log"));
            continue;
        };
        let made = publish(client, artifact).await?;
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
    for line in &told.console {
        stream.output(console_line(line.at_ms, &line.text, is_structured));
    }
    told.rows.into_iter().for_each(|row| stream.history(row));
    told.events.into_iter().for_each(|event| stream.event(event));
    if let Some(summary) = told.summary {
        stream.summary(summary);
    }
    // A log without an end is of a run that was killed.
    let finished = stream.finish(told.exit_code.unwrap_or(1)).await?;
    if finished.n_skipped > 0 {
        warnings.push(format!("{} lines are longer than W&B takes", finished.n_skipped));
    }
    Ok(Replayed {
        run: path.run.clone(),
        url: client.hosts().run(&path.entity, &path.project, &path.run),
        warnings,
    })
}

/// The run as it began, here or in a delivery before; tags that people gave it since stay.
async fn begun(client: &Client, path: &RunPath, told: &Told, config: serde_json::Value) -> Result<RunPath, WandbError> {
    let run = &told.run;
    let before = run_resume(client, path).await?;
    let mut tags = before.map(|before| before.tags).unwrap_or_default();
    for tag in &run.tags {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let upsert = UpsertRun {
        id: None,
        name: path.run.clone(),
        entity: Some(path.entity.clone()),
        project: path.project.clone(),
        display_name: filled(&run.display_name),
        group: filled(&run.run_group),
        job_type: filled(&run.job_type),
        tags: Some(tags),
        notes: filled(&run.notes),
        config: Some(config),
        summary: None,
        commit: run.git.as_ref().and_then(|git| filled(&git.commit)),
        repository: run.git.as_ref().and_then(|git| filled(&git.remote_url)),
        program: None,
        host: filled(&run.host),
    };
    Ok(upsert_run(client, &upsert).await?.path)
}

/// Files that the log names, and those that W&B expects of every run.
fn files(
    told: &Told,
    config: serde_json::Value,
    directory: &Path,
    warnings: &mut Vec<String>,
) -> BTreeMap<String, Content> {
    let lines: Vec<&str> = told
        .console
        .iter()
        .flat_map(|line| [line.text.as_str(), "\n"])
        .collect();
    let records = Records {
        summary: told.summary.clone().unwrap_or_else(|| "{}".to_owned()),
        config,
        metadata: None,
        requirements: None,
        output: Some(Content::Bytes(lines.concat().into_bytes())),
        others: BTreeMap::new(),
    };
    let mut files = records.files();
    for name in &told.files {
        match beside(directory, &format!("files/{name}")) {
            Some(file) => drop(files.insert(name.clone(), Content::File(file))),
            // Made of what the log says.
            None if files.contains_key(name) => {}
            None => warnings.push(format!("`{name}` is not there")),
        }
    }
    files
}

fn unusable(why: &str) -> WandbError {
    WandbError::File {
        why: format!("the offline run can not be delivered: {why}"),
    }
}

fn opened(directory: &Path) -> Result<Told, WandbError> {
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
    let told = read(&bytes).and_then(Told::of);
    told.map_err(|error| unusable(&error.to_string()))
}

/// The artifact as it is published. None if its files are not below the run: no log decides what of this machine is sent.
fn taken_up(path: &RunPath, artifact: Artifact, directory: &Path) -> Result<Option<NewArtifact>, WandbError> {
    let mut entries = BTreeMap::new();
    for content in artifact.manifest.into_iter().flat_map(|manifest| manifest.contents) {
        let entry = if content.reference.is_empty() {
            // Named from the folder above `wandb`, where the run was written.
            let below = content.local_path.splitn(3, '/').nth(2);
            let Some(file) = below.and_then(|below| beside(directory, below)) else {
                return Ok(None);
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
    let filled = |text: String| (!text.is_empty()).then_some(text);
    let client_ids = filled(artifact.client_id).zip(filled(artifact.sequence_client_id));
    Ok(Some(NewArtifact {
        entity: path.entity.clone(),
        project: path.project.clone(),
        run: Some(path.run.clone()),
        type_name: artifact.type_name,
        name: artifact.name,
        description: filled(artifact.description),
        metadata: metadata
            .transpose()
            .map_err(|_| unusable("what it says about an artifact is no JSON"))?,
        aliases: artifact.aliases,
        tags: artifact.tags,
        entries,
        // By them the history speaks of it.
        client_ids: client_ids.map(|(artifact, sequence)| ClientIds { artifact, sequence }),
    }))
}

/// A file below the run, wherever the run lies by now.
fn beside(directory: &Path, below: &str) -> Option<PathBuf> {
    check_path(below).ok()?;
    let file = sys::inside(directory, &directory.join(below)).ok()?;
    (sys::kind(&file).ok()? == Some(sys::FileKind::File)).then_some(file)
}
