//! A version of an artifact, published whole or not at all.
//!
//! Nothing is a version before its commit, and the same content is found again by its digest: a job that dies anywhere
//! here may run again. What may have been done, while its answer was lost, is looked up before it is done again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::digest::{ClientIds, Md5, digest_of, file_digest};
use super::manifest::{Manifest, ManifestEntry};
use super::names::{check_alias, check_metadata, check_name, check_path, check_tag, check_type, refused};
use super::reference::Reference;
pub use super::transfer::Content;
use super::transfer::{Prepared, Sizes, Transfer, joined};
use crate::wandb::client::{Client, Upload};
use crate::wandb::error::WandbError;
use crate::wandb::operations::{
    ArtifactState, CollectionPath, CreateArtifact, CreateManifest, Created, VersionInfo, add_aliases, commit_artifact,
    create_artifact, create_artifact_manifest, versions,
};

/// How often it is begun at most: jobs that publish side by side get into each other's way.
const BEGINNINGS: u32 = 4;
/// This alias moves by itself.
const LATEST: &str = "latest";

/// What an artifact is to hold at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    File(Content),
    Reference(Reference),
}

/// A version to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewArtifact {
    pub entity: String,
    pub project: String,
    /// The run that it comes from, by the id in its address.
    pub run: Option<String>,
    /// `model`, `dataset`.
    pub type_name: String,
    pub name: String,
    pub description: Option<String>,
    /// An object of at most 100 keys.
    pub metadata: Option<Value>,
    /// Besides `latest`.
    pub aliases: Vec<String>,
    pub tags: Vec<String>,
    pub entries: BTreeMap<String, Entry>,
    /// None: made of what it is.
    pub client_ids: Option<ClientIds>,
}

/// A version that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedArtifact {
    pub id: String,
    /// Of its list of files.
    pub digest: String,
    /// The number in `v3`, if W&B says it.
    pub version_index: Option<u32>,
    pub client_ids: ClientIds,
    /// A version with this content was there before: it has its own metadata.
    pub existed: bool,
}

/// Publishes a version, or finds the one that has the same content; either has the aliases afterwards.
///
/// # Errors
/// Without one nothing is half done; with one there is no new version, but for [`WandbError::Doubtful`].
pub async fn publish(client: &Client, artifact: NewArtifact) -> Result<PublishedArtifact, WandbError> {
    publish_in(client, artifact, Sizes::default()).await
}

/// As [`publish`], in other pieces.
pub async fn publish_in(client: &Client, artifact: NewArtifact, sizes: Sizes) -> Result<PublishedArtifact, WandbError> {
    check(&artifact).map_err(|why| refused(&artifact.name, &why))?;
    let publication = prepared(client.clone(), artifact, sizes).await?;
    let mut beginning = 1;
    loop {
        match publication.attempt().await {
            Err(WandbError::Conflict { .. }) if beginning < BEGINNINGS => {
                tokio::time::sleep(client.pace().seconds(u64::from(beginning))).await;
                beginning += 1;
            }
            outcome => return outcome,
        }
    }
}

pub(super) fn check(artifact: &NewArtifact) -> Result<(), String> {
    check_name(&artifact.name)?;
    check_type(&artifact.type_name, &artifact.name)?;
    artifact.aliases.iter().try_for_each(|alias| check_alias(alias))?;
    artifact.tags.iter().try_for_each(|tag| check_tag(tag))?;
    artifact.metadata.as_ref().map_or(Ok(()), check_metadata)?;
    artifact.entries.keys().try_for_each(|path| check_path(path))
}

/// All that is known before the first call.
struct Publication {
    client: Client,
    sizes: Sizes,
    create: CreateArtifact,
    client_ids: ClientIds,
    files: Vec<Arc<Prepared>>,
    /// Without the artifacts that files were first in, which only W&B knows.
    manifest: Manifest,
}

/// Reads everything once, away from the threads that must not wait.
async fn prepared(client: Client, artifact: NewArtifact, sizes: Sizes) -> Result<Publication, WandbError> {
    let entries = artifact.entries;
    let read = tokio::task::spawn_blocking(move || read_all(entries, sizes));
    let (files, manifest) = joined(read.await)?;
    let digest = manifest.digest();
    let place = place_of(&artifact.entity, &artifact.project, artifact.run.as_deref());
    let client_ids = artifact
        .client_ids
        .unwrap_or_else(|| ClientIds::of(&place, &artifact.name, &digest));
    let mut aliases = artifact.aliases;
    if !aliases.iter().any(|alias| alias == LATEST) {
        aliases.insert(0, LATEST.to_owned());
    }
    Ok(Publication {
        client,
        sizes,
        create: CreateArtifact {
            entity: artifact.entity,
            project: artifact.project,
            run: artifact.run,
            type_name: artifact.type_name,
            name: artifact.name,
            digest,
            description: artifact.description,
            metadata: artifact.metadata,
            aliases,
            tags: artifact.tags,
            client_id: Some(client_ids.artifact.clone()),
            sequence_client_id: Some(client_ids.sequence.clone()),
        },
        client_ids,
        files,
        manifest,
    })
}

/// Where an artifact comes from, as its name at the client says it.
pub(super) fn place_of<'a>(entity: &'a str, project: &'a str, run: Option<&'a str>) -> [&'a str; 3] {
    [entity, project, run.unwrap_or_default()]
}

fn read_all(entries: BTreeMap<String, Entry>, sizes: Sizes) -> Result<(Vec<Arc<Prepared>>, Manifest), WandbError> {
    let mut files = Vec::new();
    let mut manifest = Manifest::default();
    for (path, entry) in entries {
        let entry = match entry {
            Entry::Reference(reference) => reference.entry(),
            Entry::File(content) => {
                let digest = match &content {
                    Content::Bytes(bytes) => digest_of(&bytes[..], sizes.part_bytes(bytes.len() as u64))
                        .map_err(|error| WandbError::File { why: error.to_string() })?,
                    Content::File(file) => file_digest(file, |size| sizes.part_bytes(size))?,
                };
                let entry = ManifestEntry {
                    digest: digest.md5.base64(),
                    size_bytes: digest.size_bytes,
                    ..ManifestEntry::default()
                };
                files.push(Arc::new(Prepared {
                    path: path.clone(),
                    part_bytes: sizes.part_bytes(digest.size_bytes),
                    content,
                    digest,
                }));
                entry
            }
        };
        manifest.entries.insert(path, entry);
    }
    Ok((files, manifest))
}

impl Publication {
    /// From the beginning to the commit.
    async fn attempt(&self) -> Result<PublishedArtifact, WandbError> {
        let mut create = self.create.clone();
        let mut client_ids = self.client_ids.clone();
        let mut created = create_artifact(&self.client, &create).await?;
        if created.state == ArtifactState::Deleted {
            // Its name is taken by what somebody deleted.
            let place = place_of(&create.entity, &create.project, create.run.as_deref());
            let ids = ClientIds::of(&place, &create.name, &created.id);
            client_ids.artifact = ids.artifact;
            create.client_id = Some(client_ids.artifact.clone());
            created = create_artifact(&self.client, &create).await?;
        }
        let (version_index, existed) = if created.state == ArtifactState::Committed {
            (self.found(&created.id).await?, true)
        } else {
            (self.filled(&created).await?, false)
        };
        Ok(PublishedArtifact {
            id: created.id,
            digest: create.digest,
            version_index,
            client_ids,
            existed,
        })
    }

    /// Sends what the artifact is to hold and makes it a version, whose number W&B may say.
    async fn filled(&self, created: &Created) -> Result<Option<u32>, WandbError> {
        let mut manifest = CreateManifest {
            artifact: created.id.clone(),
            base: created.latest.clone(),
            digest: String::new(),
            entity: self.create.entity.clone(),
            project: self.create.project.clone(),
            run: self.create.run.clone().unwrap_or_default(),
        };
        // Files are announced for a list, which can be written when W&B has said where they were first.
        let announced = create_artifact_manifest(&self.client, &manifest).await?;
        let transfer = Transfer {
            client: self.client.clone(),
            artifact: created.id.clone(),
            manifest: announced.id,
            sizes: self.sizes,
        };
        let births = transfer.send(&self.files).await?;
        let mut list = self.manifest.clone();
        for (path, birth) in births {
            if let Some(entry) = list.entries.get_mut(&path) {
                entry.birth_artifact = Some(birth);
            }
        }
        let bytes = list.to_json();
        manifest.digest = Md5::of(&bytes).base64();
        self.send_list(&manifest, bytes).await?;
        self.commit(&created.id).await
    }

    async fn send_list(&self, manifest: &CreateManifest, bytes: Vec<u8>) -> Result<(), WandbError> {
        let bytes = Upload::Bytes(bytes);
        let mut is_again = false;
        loop {
            let upload = create_artifact_manifest(&self.client, manifest).await?;
            let Some(url) = upload.url else { return Ok(()) };
            match self.client.put(&url, &upload.headers, &bytes).await {
                // The address has expired.
                Err(WandbError::Storage { status: 400 | 403, .. }) if !is_again => is_again = true,
                sent => return sent.map(drop),
            }
        }
    }

    async fn commit(&self, id: &str) -> Result<Option<u32>, WandbError> {
        let mut is_again = false;
        loop {
            match commit_artifact(&self.client, id).await {
                Ok(committed) if committed.state == ArtifactState::Committed => return Ok(committed.version_index),
                Ok(committed) => {
                    return Err(WandbError::Malformed {
                        what: "`CommitArtifact`".to_owned(),
                        why: format!("the artifact is {:?} and not committed", committed.state),
                    });
                }
                // It may be a version by now.
                Err(error @ WandbError::Doubtful { .. }) => {
                    let found = self.version(id).await.map_err(|_| error.clone())?;
                    if let Some(version) = found {
                        return Ok(Some(version.index));
                    }
                    if is_again {
                        return Err(error);
                    }
                    is_again = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The artifact among the versions of its collection.
    async fn version(&self, id: &str) -> Result<Option<VersionInfo>, WandbError> {
        let create = &self.create;
        let all = versions(&self.client, &create.entity, &create.project, &create.name).await?;
        Ok(all
            .unwrap_or_default()
            .into_iter()
            .find(|version| version.artifact == id))
    }

    /// The number of a version that was there before, after giving it the aliases that it lacks.
    async fn found(&self, id: &str) -> Result<Option<u32>, WandbError> {
        let mut is_again = false;
        loop {
            let version = self.version(id).await?;
            let has = |alias: &String| alias == LATEST || version.as_ref().is_some_and(|v| v.aliases.contains(alias));
            let wanted = self.create.aliases.iter();
            let missing: Vec<String> = wanted.filter(|alias| !has(alias)).cloned().collect();
            let index = version.as_ref().map(|version| version.index);
            if missing.is_empty() {
                return Ok(index);
            }
            let collection = CollectionPath {
                entity: self.create.entity.clone(),
                project: self.create.project.clone(),
                collection: self.create.name.clone(),
            };
            match add_aliases(&self.client, id, &collection, &missing).await {
                Ok(()) => return Ok(index),
                Err(WandbError::Doubtful { .. }) if !is_again => is_again = true,
                Err(error) => return Err(error),
            }
        }
    }
}
