//! An artifact that nobody publishes yet: what its list of files says, with the files themselves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::digest::{digest_of, file_digest};
use super::manifest::{Manifest, ManifestEntry};
use super::publish::{Entry, NewArtifact};
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
    /// Reads every file once.
    pub fn of(artifact: &NewArtifact) -> Result<Self, WandbError> {
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
        Ok(Self {
            type_name: artifact.type_name.clone(),
            name: artifact.name.clone(),
            digest: manifest.digest(),
            metadata: artifact.metadata.clone(),
            entries,
        })
    }
}
