//! Reuse of training: a model is kept under the key of everything it depends on, so that the same work is done once.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::sys;

use super::store::STATE;

const LIMIT: u64 = 1024 * 1024 * 1024;

/// What training left, beside the model's bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub model: Digest,
    pub n_features_in: usize,
    pub n_features_out: usize,
    pub notes: Vec<String>,
    /// How long the training took when it happened.
    pub elapsed_ms: u64,
    /// When that was, for people.
    pub trained: String,
}

fn place(root: &Path, key: Digest) -> PathBuf {
    root.join(STATE).join("cache").join(key.hex())
}

/// The model that was trained under this key, if it is there whole; a damaged one is as good as none.
pub fn find(root: &Path, key: Digest) -> Option<(Record, Vec<u8>)> {
    let directory = place(root, key);
    let record: Record = serde_json::from_slice(&sys::read(&directory.join("record.json"), 1 << 20).ok()?).ok()?;
    let model = sys::read(&directory.join("model.json"), LIMIT).ok()?;
    (Digest::of(&model) == record.model).then_some((record, model))
}

/// Keeps a model; the record comes last, so that a half-written entry is never found.
pub fn keep(root: &Path, key: Digest, record: &Record, model: &[u8]) -> Result<(), sys::FileError> {
    let directory = place(root, key);
    sys::create_dir(&directory)?;
    sys::write_atomic(&directory.join("model.json"), model)?;
    let text = serde_json::to_vec_pretty(record).expect("a record has text keys and finite numbers only");
    sys::write_atomic(&directory.join("record.json"), &text)
}
