//! Reuse of training: a model is kept under the key of everything it depends on, so that the same work is done once.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::sys::{self, FileKind};

use super::store::{CACHE, STATE, StoreError, own_directory};

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

/// As many models are kept; older ones give way.
const KEPT: usize = 20;

fn place(root: &Path, key: Digest) -> PathBuf {
    root.join(STATE).join(CACHE).join(key.hex())
}

/// The model that was trained under this key, if it is there whole; a damaged one is as good as none.
pub fn find(root: &Path, key: Digest) -> Option<(Record, Vec<u8>)> {
    if sys::kind(&root.join(STATE).join(CACHE)).ok()? != Some(FileKind::Directory) {
        return None;
    }
    let directory = place(root, key);
    let record: Record = serde_json::from_slice(&sys::read(&directory.join("record.json"), 1 << 20).ok()?).ok()?;
    let model = sys::read(&directory.join("model.json"), LIMIT).ok()?;
    (Digest::of(&model) == record.model).then_some((record, model))
}

/// Keeps a model; the record comes last, so that a half-written entry is never found.
pub fn keep(root: &Path, key: Digest, record: &Record, model: &[u8]) -> Result<(), StoreError> {
    own_directory(root)?;
    let directory = place(root, key);
    if sys::kind(&directory)?.is_some_and(|kind| kind != sys::FileKind::Directory) {
        return Err(sys::FileError::NotAFile { path: directory }.into());
    }
    sys::create_dir(&directory)?;
    sys::write_atomic(&directory.join("model.json"), model)?;
    let text = serde_json::to_vec_pretty(record).expect("a record has text keys and finite numbers only");
    sys::write_atomic(&directory.join("record.json"), &text)?;
    forget_old(root, key);
    Ok(())
}

/// Removes all but the newest models; one that can not be removed stays.
fn forget_old(root: &Path, newest: Digest) {
    let cache = root.join(STATE).join(CACHE);
    let Ok(listed) = sys::list(&cache) else { return };
    if listed.len() <= KEPT {
        return;
    }
    let is_ours = |name: &str| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut entries: Vec<(String, String)> = listed
        .iter()
        .filter_map(|entry| entry.name.to_str())
        .filter(|name| is_ours(name) && **name != newest.hex())
        .map(|name| {
            let record = sys::read(&cache.join(name).join("record.json"), 1 << 20).ok();
            let trained = record.and_then(|bytes| Some(serde_json::from_slice::<Record>(&bytes).ok()?.trained));
            // One without a record was never finished: it goes first.
            (trained.unwrap_or_default(), name.to_owned())
        })
        .collect();
    entries.sort();
    let surplus = (entries.len() + 1).saturating_sub(KEPT);
    for (_, name) in entries.into_iter().take(surplus) {
        if let Err(error) = sys::remove_dir(&cache.join(name)) {
            tracing::debug!(%error, "could not remove an old model");
        }
    }
}
