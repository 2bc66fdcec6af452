//! An artifact that nobody publishes yet: what its list of files says, with the files themselves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::digest::{ClientIds, digest_of, file_digest};
use super::manifest::{Manifest, ManifestEntry};
use super::names::refused;
use super::publish::{Entry, NewArtifact, check, place_of};
use super::transfer::Content;
use crate::wandb::error::WandbError;

/// As it will be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    pub type_name: String,
    pub name: String,
    /// Of its list of files.
    pub digest: String,
    pub metadata: Option<Value>,
    pub entries: Vec<DescribedEntry>,
    /// As [`publish`](super::publish()) would name it.
    pub client_ids: ClientIds,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DescribedEntry {
    pub path: String,
    pub digest: String,
    pub size_bytes: u64,
    /// The address of what stays where it is.
    pub reference: Option<String>,
    pub content: Option<Content>,
}

impl Described {
    /// Reads every file once; refuses what W&B would refuse.
    pub fn of(artifact: &NewArtifact) -> Result<Self, WandbError> {
        check(artifact).map_err(|why| refused(&artifact.name, &why))?;
        let (mut said_of, mut entries) = (BTreeMap::new(), Vec::new());
        for (path, entry) in &artifact.entries {
            let (said, content) = match entry {
                Entry::Reference(reference) => (reference.entry(), None),
                Entry::File(content) => {
                    let digest = match content {
                        Content::Bytes(bytes) => {
                            digest_of(&bytes[..], None).map_err(|error| WandbError::File { why: error.to_string() })?
                        }
                        Content::File(file) => file_digest(file, |_| None)?,
                    };
                    let said = ManifestEntry {
                        digest: digest.md5.base64(),
                        size_bytes: digest.size_bytes,
                        ..ManifestEntry::default()
                    };
                    (said, Some(content.clone()))
                }
            };
            entries.push(DescribedEntry {
                path: path.clone(),
                digest: said.digest.clone(),
                size_bytes: said.size_bytes,
                reference: said.reference.clone(),
                content,
            });
            said_of.insert(path.clone(), said);
        }
        let manifest = Manifest {
            entries: said_of,
            ..Manifest::default()
        };
        let digest = manifest.digest();
        let place = place_of(&artifact.entity, &artifact.project, artifact.run.as_deref());
        let client_ids = artifact.client_ids.clone();
        Ok(Self {
            type_name: artifact.type_name.clone(),
            name: artifact.name.clone(),
            client_ids: client_ids.unwrap_or_else(|| ClientIds::of(&place, &artifact.name, &digest)),
            digest,
            metadata: artifact.metadata.clone(),
            entries,
        })
    }
}
