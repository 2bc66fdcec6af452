//! The client: one call after the other, within deadlines.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WandbError;
use super::operations::Operation;

/// Speaks to one W&B with one key. Clones share everything.
#[derive(Debug, Clone)]
pub struct Client {}

/// What is sent to storage.
#[derive(Debug, Clone)]
pub enum Upload {
    Bytes(Vec<u8>),
    /// `length` bytes of a file from `offset` on, read in pieces while they are sent.
    File {
        path: PathBuf,
        offset: u64,
        length: u64,
    },
}

impl Client {
    /// One operation; variables and answer as its document says.
    pub async fn execute<T: DeserializeOwned>(
        &self,
        _operation: &Operation,
        _variables: &impl Serialize,
    ) -> Result<T, WandbError> {
        unimplemented!()
    }

    /// Sends to an address that W&B gave, with just these headers (`Name:value`); returns the `ETag`.
    pub async fn put(&self, _url: &str, _headers: &[String], _upload: &Upload) -> Result<Option<String>, WandbError> {
        unimplemented!()
    }

    /// Fetches from an address that W&B gave, at most `limit` bytes.
    pub async fn get(&self, _url: &str, _limit: u64) -> Result<Vec<u8>, WandbError> {
        unimplemented!()
    }
}
