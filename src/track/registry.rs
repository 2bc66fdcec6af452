//! What every registry promises; `contract` in this module's tests is put to each of them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Content;
use crate::base::{Alias, Digest, ModelName, Timestamp, VersionNumber};

/// Why the registry could not do it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("`{model}` has no version `{which}`")]
    NotFound { model: ModelName, which: VersionRef },
    #[error("`{alias}` is at {}, not at {}: it was moved meanwhile", shown(*found), shown(*expected))]
    Conflict {
        alias: Alias,
        expected: Option<VersionNumber>,
        found: Option<VersionNumber>,
    },
    #[error("the registry's `{file}` is damaged: {why}")]
    Damaged { file: String, why: String },
    #[error("{model} {number} has no file `{file}`")]
    NoFile {
        model: ModelName,
        number: VersionNumber,
        file: String,
    },
    #[error("`{what}` can not be kept in the registry: {why}")]
    Refused { what: String, why: String },
    /// `needs` says what to do: ``add `contents: write` to the job's permissions``.
    #[error("not allowed to {action}: {needs}")]
    PermissionDenied { action: String, needs: String },
    #[error("the registry has format {found}, and this program knows {known}: use a newer one")]
    Newer { found: u64, known: u64 },
    #[error("{why}")]
    Withheld { why: String },
    #[error("the registry is out of reach: could not {action}")]
    Unavailable {
        action: String,
        #[source]
        source: std::io::Error,
    },
}

fn shown(version: Option<VersionNumber>) -> String {
    version.map_or_else(|| "no version".to_owned(), |v| v.to_string())
}

/// A version by number or by alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRef {
    Number(VersionNumber),
    Alias(Alias),
}

impl std::fmt::Display for VersionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

/// What is to become a version. Its digest is that of the files' names and contents: metadata does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// File name (no directories) → content; `model.json` is what `predict` loads.
    pub files: BTreeMap<String, Content>,
    /// What is known about it: metrics, gates, data digest, commit … Free-form, kept as it is.
    pub metadata: serde_json::Value,
    pub actor: String,
    pub at: Timestamp,
}

impl NewVersion {
    /// The digest of each file.
    pub fn file_digests(&self) -> Result<BTreeMap<String, Digest>, RegistryError> {
        self.files
            .iter()
            .map(|(name, content)| {
                let digest = content.digest().map_err(|error| unreadable(name, &error))?;
                Ok((name.clone(), digest))
            })
            .collect()
    }

    /// What every registry refuses: no files, names that are not plain, metadata that would not come back as it is.
    pub fn check(&self) -> Result<(), RegistryError> {
        let refuse = |what: &str, why: &str| {
            Err(RegistryError::Refused {
                what: what.chars().take(200).collect(),
                why: why.to_owned(),
            })
        };
        if self.files.is_empty() {
            return refuse("a version", "it has no files");
        }
        for name in self.files.keys() {
            let is_plain = !name.is_empty()
                && name.len() <= 255
                && !matches!(name.as_str(), "." | "..")
                && !name.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
            if !is_plain {
                return refuse(
                    name,
                    "a file name has 1 to 255 bytes, no directory and no control characters",
                );
            }
        }
        check_metadata(&self.metadata)
    }
}

/// A file of a version that is to be, and can not be read.
pub fn unreadable(name: &str, error: &crate::sys::FileError) -> RegistryError {
    RegistryError::Refused {
        what: name.chars().take(200).collect(),
        why: error.to_string(),
    }
}

/// What every registry refuses to keep about a version.
pub fn check_metadata(metadata: &serde_json::Value) -> Result<(), RegistryError> {
    if nests_deeper_than(metadata, MAX_METADATA_DEPTH) {
        return Err(RegistryError::Refused {
            what: "metadata".to_owned(),
            why: "it nests deeper than 64 levels".to_owned(),
        });
    }
    Ok(())
}

/// Well below the 128 levels that readers of JSON agree on.
const MAX_METADATA_DEPTH: usize = 64;

fn nests_deeper_than(value: &serde_json::Value, levels: usize) -> bool {
    match value {
        serde_json::Value::Array(items) => levels == 0 || items.iter().any(|item| nests_deeper_than(item, levels - 1)),
        serde_json::Value::Object(fields) => {
            levels == 0 || fields.values().any(|item| nests_deeper_than(item, levels - 1))
        }
        _ => false,
    }
}

/// The digest of a version: that of its files' names and contents, whoever keeps it.
pub fn content_digest(files: &BTreeMap<String, Digest>) -> Digest {
    let parts: Vec<[String; 2]> = files
        .iter()
        .map(|(name, digest)| [name.clone(), digest.to_string()])
        .collect();
    Digest::of_parts(parts.iter().flatten().map(String::as_bytes))
}

/// A version as the registry has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelVersion {
    pub model: ModelName,
    pub number: VersionNumber,
    pub digest: Digest,
    /// File name → digest of its content.
    pub files: BTreeMap<String, Digest>,
    pub metadata: serde_json::Value,
    pub actor: String,
    pub at: Timestamp,
}

/// One line of the append-only ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// From 1, without gaps.
    pub sequence: u64,
    pub at: Timestamp,
    pub actor: String,
    pub model: ModelName,
    pub event: LedgerEvent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerEvent {
    Published {
        version: VersionNumber,
        digest: Digest,
    },
    /// The version was judged again, and what is known about it is now what that found.
    Judged {
        version: VersionNumber,
        /// Who it met; `None` is the baseline.
        against: Option<VersionNumber>,
        passed: bool,
    },
    Moved(AliasMove),
}

/// One alias from one version to another, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AliasMove {
    pub alias: Alias,
    pub from: Option<VersionNumber>,
    /// `None` takes the alias away.
    pub to: Option<VersionNumber>,
    pub kind: MoveKind,
    /// On what evidence, for people: `every gate passed`.
    pub because: String,
}

/// What a move is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveKind {
    Publication,
    Promotion,
    /// Back to where the alias was before the last promotion that still stood.
    Rollback,
}

/// What became of a publication.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub version: ModelVersion,
    /// The digest was there already: nothing was written.
    pub existed: bool,
}

/// What a judgement found out about a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub version: VersionNumber,
    pub against: Option<VersionNumber>,
    pub passed: bool,
    /// Takes the place of the version's metadata; what it was before stays in the registry.
    pub metadata: serde_json::Value,
}

/// A registry of model versions. Every write is idempotent or says `Conflict`.
#[async_trait]
pub trait ModelRegistry: Send + Sync {
    /// Same digest → the version that is already there, nothing written.
    async fn publish(&self, model: &ModelName, new: NewVersion) -> Result<Publication, RegistryError>;
    /// Records what a version was found to be since; nothing is written when nothing differs.
    async fn judge(
        &self,
        model: &ModelName,
        judgement: Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError>;
    async fn get(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion, RegistryError>;
    /// All versions, ascending.
    async fn versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError>;
    async fn aliases(&self, model: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError>;
    /// Compare-and-set: moves only if the alias is at `step.from` now; else `Conflict` with what was found.
    async fn move_alias(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError>;
    /// One file of a version; its digest is checked.
    async fn read(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError>;
    /// Every entry about this model, oldest first.
    async fn ledger(&self, model: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError>;
}
