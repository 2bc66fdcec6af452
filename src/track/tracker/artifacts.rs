//! What of a run becomes an artifact in W&B, whether it is sent now or later. Pure.

use std::collections::BTreeMap;

use crate::track::record::{DataEntry, Dataset, Model, RunStart};
use crate::wandb::media::RunTable;
use crate::wandb::{Checksum, Content, Entry, NewArtifact, Reference, RunGit, RunMetadata, RunPath};

/// What a run was given.
const DATA: &str = "dataset";
const MODEL: &str = "model";
const TABLE: &str = "run_table";

fn artifact(run: &RunPath, type_name: &str, name: String) -> NewArtifact {
    NewArtifact {
        entity: run.entity.clone(),
        project: run.project.clone(),
        run: Some(run.run.clone()),
        type_name: type_name.to_owned(),
        name,
        description: None,
        metadata: None,
        aliases: Vec::new(),
        tags: Vec::new(),
        entries: BTreeMap::new(),
        client_ids: None,
    }
}

/// Data that the run was given.
pub fn dataset(run: &RunPath, data: Dataset) -> NewArtifact {
    let entry = |entry| match entry {
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
    let entries = data.entries.into_iter();
    NewArtifact {
        metadata: Some(data.metadata),
        entries: entries.map(|(path, kept)| (path, entry(kept))).collect(),
        ..artifact(run, DATA, data.name)
    }
}

/// A table, where the app looks for it.
pub fn run_table(run: &RunPath, table: RunTable) -> NewArtifact {
    NewArtifact {
        entries: BTreeMap::from([(table.path, Entry::File(Content::Bytes(table.bytes)))]),
        ..artifact(run, TABLE, table.name)
    }
}

/// A model that no registry has.
pub fn model(run: &RunPath, model: Model) -> NewArtifact {
    let files = model.files.into_iter();
    NewArtifact {
        metadata: Some(model.metadata),
        entries: files
            .map(|(path, content)| (path, Entry::File(content.into())))
            .collect(),
        ..artifact(run, MODEL, model.name)
    }
}

/// Where the run takes place.
pub fn metadata(start: &RunStart) -> RunMetadata {
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
