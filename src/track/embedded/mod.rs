//! The embedded registry: content-addressed objects, and a ledger from which everything else follows.
//!
//! ```text
//! registry.json           {"format": 1}
//! objects/ab/cdef…        files of versions and records of versions, each named by the digest of its content
//! ledger/00000001.json    one entry, never changed; holds the seal of the entry before it
//! ```
//!
//! Versions and aliases are what reading the ledger from its beginning gives. To write is to make the next numbered
//! entry, complete and only if nobody else has; whoever comes second reads on and decides again, so there is no lock
//! that a dead writer could keep. What an entry names is there before the entry is.
//!
//! The layout is the same wherever the files are ([`Storage`]): in a directory, or in the tree of a branch. An entry that
//! was edited, is missing or does not belong there is found, except where the ledger's end is cut off cleanly or written
//! anew as a whole.

mod ledger;
mod objects;
mod operations;
mod storage;

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    AliasMove, Judgement, LedgerEntry, ModelRegistry, ModelVersion, NewVersion, Publication, RegistryError, VersionRef,
};
use crate::base::{Alias, ModelName, Timestamp, VersionNumber};

#[cfg(test)]
pub use objects::path as object_path;
pub use storage::{Addition, Found, Storage};

/// The registry whose files are in `storage`.
#[derive(Debug, Clone)]
pub struct Embedded<S> {
    storage: S,
}

impl<S: Storage> Embedded<S> {
    pub fn on(storage: S) -> Self {
        Self { storage }
    }
}

#[async_trait]
impl<S: Storage> ModelRegistry for Embedded<S> {
    async fn publish(&self, model: &ModelName, new: NewVersion) -> Result<Publication, RegistryError> {
        self.publish_version(model, new).await
    }

    async fn judge(
        &self,
        model: &ModelName,
        judgement: Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        self.judge_version(model, judgement, actor, at).await
    }

    async fn get(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion, RegistryError> {
        self.get_version(model, which).await
    }

    async fn versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        self.all_versions(model).await
    }

    async fn aliases(&self, model: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError> {
        Ok(self.ledger_now().await?.model(model).aliases)
    }

    async fn move_alias(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        self.make_move(model, step, actor, at).await
    }

    async fn read(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
        self.read_file(version, file).await
    }

    async fn ledger(&self, model: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError> {
        Ok(self.ledger_now().await?.entries_of(model))
    }
}

/// Does work away from the threads that must not wait.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(RegistryError::Unavailable {
            action: "finish what was begun".to_owned(),
            source: error.into(),
        })
    })
}

pub fn damaged(file: &str, why: impl Into<String>) -> RegistryError {
    RegistryError::Damaged {
        file: file.to_owned(),
        why: why.into(),
    }
}
