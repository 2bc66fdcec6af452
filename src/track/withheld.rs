//! A registry that this run may not or can not look into: every question has the same answer.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{
    AliasMove, Judgement, LedgerEntry, ModelRegistry, ModelVersion, NewVersion, Publication, RegistryError, VersionRef,
};
use crate::base::{Alias, ModelName, Timestamp, VersionNumber};

#[derive(Debug, Clone)]
pub struct Withheld {
    /// `production is in W&B, and this run has no key`.
    pub why: String,
    /// It should have been there: what was asked could not be found out.
    pub is_failure: bool,
}

impl Withheld {
    fn no<T>(&self) -> Result<T, RegistryError> {
        let why = self.why.clone();
        Err(if self.is_failure {
            RegistryError::Unavailable {
                action: "look into it".to_owned(),
                source: std::io::Error::other(why),
            }
        } else {
            RegistryError::Withheld { why }
        })
    }
}

#[async_trait]
impl ModelRegistry for Withheld {
    async fn publish(&self, _: &ModelName, _: NewVersion) -> Result<Publication, RegistryError> {
        self.no()
    }

    async fn judge(&self, _: &ModelName, _: Judgement, _: &str, _: Timestamp) -> Result<(), RegistryError> {
        self.no()
    }

    async fn get(&self, _: &ModelName, _: &VersionRef) -> Result<ModelVersion, RegistryError> {
        self.no()
    }

    async fn versions(&self, _: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        self.no()
    }

    async fn aliases(&self, _: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError> {
        self.no()
    }

    async fn move_alias(&self, _: &ModelName, _: AliasMove, _: &str, _: Timestamp) -> Result<(), RegistryError> {
        self.no()
    }

    async fn read(&self, _: &ModelVersion, _: &str) -> Result<Vec<u8>, RegistryError> {
        self.no()
    }

    async fn ledger(&self, _: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError> {
        self.no()
    }
}
