//! The registry in a directory: content-addressed objects, and a ledger from which everything else follows.
//!
//! ```text
//! registry.json           {"format": 1}
//! objects/ab/cdef…        files of versions and records of versions, each named by the digest of its content
//! ledger/00000001.json    one entry, never changed; holds the seal of the entry before it
//! ```
//!
//! Versions and aliases are what reading the ledger from its beginning gives. To write is to make the next numbered
//! entry, complete and only if nobody else has; whoever comes second reads on and decides again, so there is no lock
//! that a dead writer could keep. What an entry names is on the disk before the entry is. A writer that dies leaves
//! at most temporary files and objects that nothing names; both are harmless, and the next writer removes the former.
//!
//! An entry that was edited, is missing or does not belong there is found, except where the ledger's end is cut off
//! cleanly or written anew as a whole: who wants to be safe from that keeps the directory under version control.

mod ledger;
mod objects;
mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;

use super::{
    AliasMove, Judgement, LedgerEntry, ModelRegistry, ModelVersion, NewVersion, Publication, RegistryError, VersionRef,
};
use crate::base::{Alias, ModelName, Timestamp, VersionNumber};
use crate::sys::FileError;

/// The registry in the directory `root`, which is made when something is first written.
#[derive(Debug, Clone)]
pub struct Local {
    root: PathBuf,
}

impl Local {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Files are read and written away from the threads that must not wait.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let local = self.clone();
        tokio::task::spawn_blocking(move || work(&local))
            .await
            .unwrap_or_else(|error| {
                Err(RegistryError::Unavailable {
                    action: "finish what was begun".to_owned(),
                    source: error.into(),
                })
            })
    }
}

#[async_trait]
impl ModelRegistry for Local {
    async fn publish(&self, model: &ModelName, new: NewVersion) -> Result<Publication, RegistryError> {
        let model = model.clone();
        self.blocking(move |local| local.publish_blocking(&model, &new)).await
    }

    async fn judge(
        &self,
        model: &ModelName,
        judgement: Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        let (model, actor) = (model.clone(), actor.to_owned());
        self.blocking(move |local| local.judge_blocking(&model, &judgement, &actor, at))
            .await
    }

    async fn get(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion, RegistryError> {
        let (model, which) = (model.clone(), which.clone());
        self.blocking(move |local| local.get_blocking(&model, &which)).await
    }

    async fn versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        let model = model.clone();
        self.blocking(move |local| local.versions_blocking(&model)).await
    }

    async fn aliases(&self, model: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError> {
        let model = model.clone();
        self.blocking(move |local| Ok(local.ledger_now()?.model(&model).aliases))
            .await
    }

    async fn move_alias(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        let (model, actor) = (model.clone(), actor.to_owned());
        self.blocking(move |local| local.move_blocking(&model, &step, &actor, at))
            .await
    }

    async fn read(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
        let (version, file) = (version.clone(), file.to_owned());
        self.blocking(move |local| local.read_blocking(&version, &file)).await
    }

    async fn ledger(&self, model: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError> {
        let model = model.clone();
        self.blocking(move |local| Ok(local.ledger_now()?.entries_of(&model)))
            .await
    }
}

/// What the file system says, in the words of registries.
fn unavailable(error: FileError) -> RegistryError {
    match error {
        FileError::Io { path, action, source } => RegistryError::Unavailable {
            action: format!("{action} `{}`", path.display()),
            source,
        },
        FileError::NotAFile { ref path }
        | FileError::TooLarge { ref path, .. }
        | FileError::TooMany { ref path, .. }
        | FileError::NotText { ref path, .. }
        | FileError::Outside { ref path, .. } => damaged(&path.display().to_string(), error.to_string()),
        FileError::Pattern { ref pattern, .. } => damaged(pattern, error.to_string()),
    }
}

fn damaged(file: &str, why: impl Into<String>) -> RegistryError {
    RegistryError::Damaged {
        file: file.to_owned(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests;
