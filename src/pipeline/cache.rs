//! Reuse of training: a model is kept under the key of everything it depends on, so that the same work is done once.
//!
//! On a runner the newest models travel from run to run through a cache that other runs can write. An entry names its own
//! key and the digest of its model, so that a mixed-up or damaged one is not found, and nothing that travels replaces what
//! is here. What can not be known is whether the model was trained as its key says: whoever may write the cache of a
//! branch can give that branch another model. It is data only, it is evaluated like any other, and the report says that
//! it was taken over; GitHub keeps the caches of pull requests from other branches.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::{Digest, Timestamp};
use crate::sys::{self, FileKind};

use super::past_tests;
use super::store::{CACHE, STATE, StoreError, own_directory};

const LIMIT: u64 = 1024 * 1024 * 1024;
const RECORD_LIMIT: u64 = 1 << 20;
const RECORD: &str = "record.json";
const MODEL: &str = "model.json";

/// What training left, beside the model's bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What it is kept under.
    pub key: Digest,
    pub model: Digest,
    pub n_features_in: usize,
    pub n_features_out: usize,
    pub notes: Vec<String>,
    /// How long the training took when it happened.
    pub elapsed_ms: u64,
    /// When that was, for people.
    pub trained: String,
    /// The run on GitHub that did it; what else is there of its page is never taken from a cache.
    #[serde(default)]
    pub run: Option<u64>,
}

/// As many models are kept; older ones give way.
const KEPT: usize = 20;

fn place(root: &Path, key: Digest) -> PathBuf {
    root.join(STATE).join(CACHE).join(key.hex())
}

/// The model that was trained under this key, if it is there whole; a damaged one is as good as none.
pub fn find(root: &Path, key: Digest) -> Option<(Record, Vec<u8>)> {
    let hex = key.hex();
    // No part of the way may be a link: what it leads to was not kept by us.
    let read = |name, limit| sys::read_beneath(root, &[STATE, CACHE, &hex, name], limit).ok();
    let record = checked(key, &read(RECORD, RECORD_LIMIT)?)?;
    let model = read(MODEL, LIMIT)?;
    (Digest::of(&model) == record.model).then_some((record, model))
}

/// A record that is of this key, and whose texts are no longer than we write them.
fn checked(key: Digest, bytes: &[u8]) -> Option<Record> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    let is_short = record.notes.len() <= 1000 && record.notes.iter().all(|note| note.len() <= 64 << 10);
    let is_ours = record.key == key && is_short && record.trained.parse::<Timestamp>().is_ok();
    is_ours.then_some(record)
}

/// Keeps a model; the record comes last, so that a half-written entry is never found.
pub fn keep(root: &Path, key: Digest, record: &Record, model: &[u8]) -> Result<(), StoreError> {
    own_directory(root)?;
    let directory = place(root, key);
    if sys::kind(&directory)?.is_some_and(|kind| kind != sys::FileKind::Directory) {
        return Err(sys::FileError::NotAFile { path: directory }.into());
    }
    sys::create_dir(&directory)?;
    sys::write_atomic(&directory.join(MODEL), model)?;
    let text = serde_json::to_vec_pretty(record).expect("a record has text keys and finite numbers only");
    sys::write_atomic(&directory.join(RECORD), &text)?;
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
    let mut entries: Vec<(String, String)> = listed
        .iter()
        .filter_map(|entry| entry.name.to_str())
        .filter(|name| key_of(name).is_some() && **name != newest.hex())
        .map(|name| {
            let record = sys::read(&cache.join(name).join(RECORD), RECORD_LIMIT).ok();
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

/// As many models travel at most, and so many bytes of them.
const PACKED: usize = 5;
const PACKED_BYTES: usize = 64 << 20;

/// Models on their way to another run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedModels {
    /// Of exactly these models: a cache that has it already needs nothing.
    pub key: String,
    /// Plain names, see [`is_packed_name`].
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The newest models that are kept, for the next run; none if there is none.
pub fn pack(root: &Path) -> Option<PackedModels> {
    let listed = sys::list(&root.join(STATE).join(CACHE)).ok()?;
    let mut newest: Vec<(String, Digest)> = listed
        .iter()
        .filter(|entry| entry.kind == FileKind::Directory)
        .filter_map(|entry| key_of(entry.name.to_str()?))
        .filter_map(|key| {
            let bytes = sys::read_beneath(root, &[STATE, CACHE, &key.hex(), RECORD], RECORD_LIMIT).ok()?;
            Some((checked(key, &bytes)?.trained, key))
        })
        .collect();
    newest.sort_by(|a, b| b.cmp(a));
    let (mut files, mut n_bytes) = (BTreeMap::new(), 0);
    for (_, key) in newest.into_iter().take(PACKED) {
        let Some((record, model)) = find(root, key) else {
            continue;
        };
        if n_bytes + model.len() > PACKED_BYTES {
            break;
        }
        n_bytes += model.len();
        let record = serde_json::to_vec(&record).expect("a record has text keys and finite numbers only");
        files.insert(format!("{}.{RECORD}", key.hex()), record);
        files.insert(format!("{}.{MODEL}", key.hex()), model);
    }
    if let Ok(tests) = sys::read_beneath(root, &[STATE, CACHE, past_tests::FILE], past_tests::MAX_BYTES) {
        files.insert(past_tests::FILE.to_owned(), tests);
    }
    let parts = files
        .iter()
        .flat_map(|(name, content)| [name.as_bytes(), content.as_slice()]);
    let key = Digest::of_parts(parts).hex();
    (!files.is_empty()).then_some(PackedModels { key, files })
}

/// Whether [`pack`] gives a file such a name.
pub fn is_packed_name(name: &str) -> bool {
    let is_of_model = |(key, kind)| key_of(key).is_some() && matches!(kind, RECORD | MODEL);
    name == past_tests::FILE || name.split_once('.').is_some_and(is_of_model)
}

/// Keeps the models of an earlier run, and says how many there were; to be called before anything of this run is.
///
/// `files` may come from anybody: what is not whole, is not of its key or is here already is left out.
pub fn unpack(root: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<usize, StoreError> {
    let mut n_kept = 0;
    let tests = files.get(past_tests::FILE).and_then(|bytes| past_tests::parse(bytes));
    if let Some(tests) = tests.filter(|_| past_tests::load(root).is_empty()) {
        past_tests::keep(root, &tests)?;
    }
    for (name, bytes) in files {
        let Some(key) = name.strip_suffix(RECORD).and_then(|key| key_of(key.strip_suffix('.')?)) else {
            continue;
        };
        let Some(record) = checked(key, bytes) else { continue };
        let Some(model) = files.get(&format!("{}.{MODEL}", key.hex())) else {
            continue;
        };
        let is_whole = bytes.len() as u64 <= RECORD_LIMIT && Digest::of(model) == record.model;
        if !is_whole || model.len() > PACKED_BYTES || find(root, key).is_some() {
            continue;
        }
        keep(root, key, &record, model)?;
        n_kept += 1;
        if n_kept == PACKED {
            break;
        }
    }
    Ok(n_kept)
}

fn key_of(hex: &str) -> Option<Digest> {
    let is_lower = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_lower.then(|| format!("sha256:{hex}").parse().ok()).flatten()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use super::*;

    fn record(key: Digest, model: &[u8], hour: usize) -> Record {
        Record {
            key,
            model: Digest::of(model),
            n_features_in: 2,
            n_features_out: 3,
            notes: vec!["a note".to_owned()],
            elapsed_ms: 5,
            trained: format!("2026-01-02T{hour:02}:00:00Z"),
            run: None,
        }
    }

    fn model(i: usize) -> (Digest, Vec<u8>) {
        (
            Digest::of(&[u8::try_from(i).unwrap()]),
            format!("model {i}").into_bytes(),
        )
    }

    /// A repository that has trained `n` models, one an hour.
    fn trained(n: usize) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for i in 0..n {
            let (key, bytes) = model(i);
            keep(root.path(), key, &record(key, &bytes, i), &bytes).unwrap();
        }
        root
    }

    #[test]
    fn the_newest_models_travel() {
        let (from, to) = (trained(9), tempfile::tempdir().unwrap());
        let packed = pack(from.path()).unwrap();
        assert_eq!(packed.files.len(), 2 * PACKED);
        assert!(packed.files.keys().all(|name| is_packed_name(name)));
        assert_eq!(unpack(to.path(), &packed.files).unwrap(), PACKED);
        for i in 0..9 {
            let (key, bytes) = model(i);
            let found = find(to.path(), key);
            assert_eq!(found.is_some(), i >= 4);
            assert!(found.is_none_or(|found| found == (record(key, &bytes, i), bytes)));
        }
        // The same models have the same key, and come but once.
        assert_eq!(pack(to.path()).unwrap(), packed);
        assert_eq!(unpack(to.path(), &packed.files).unwrap(), 0);
        assert_eq!(pack(tempfile::tempdir().unwrap().path()), None);
    }

    #[test]
    fn a_poisoned_entry_is_not_kept() {
        let packed = pack(trained(1).path()).unwrap().files;
        let (key, bytes) = model(0);
        let names: Vec<String> = packed.keys().cloned().collect();
        let [model_name, record_name] = [&names[0], &names[1]];
        let with = |record: Record, model: &[u8]| {
            let record = serde_json::to_vec(&record).unwrap();
            BTreeMap::from([(record_name.clone(), record), (model_name.clone(), model.to_vec())])
        };
        let good = record(key, &bytes, 0);
        let elsewhere = Record {
            key: Digest::of(b"other"),
            ..good.clone()
        };
        let long = Record {
            notes: vec!["x".repeat(100_000)],
            ..good.clone()
        };
        let undated = Record {
            trained: "9".to_owned(),
            ..good.clone()
        };
        let mut lone = packed.clone();
        lone.remove(model_name);
        let named = |name: &str| BTreeMap::from([(name.to_owned(), packed[record_name].clone())]);
        let poisoned = [
            with(good.clone(), b"another model"),
            with(elsewhere, &bytes),
            with(long, &bytes),
            with(undated, &bytes),
            lone,
            named("../../x.record.json"),
            named(&record_name.to_uppercase()),
            named("record.json"),
        ];
        for files in poisoned {
            let root = tempfile::tempdir().unwrap();
            assert_eq!(unpack(root.path(), &files).unwrap(), 0, "{:?}", files.keys());
            assert!(!root.path().join(STATE).exists());
        }
        // What is here stays.
        let root = trained(1);
        let other = with(record(key, b"another model", 0), b"another model");
        assert_eq!(unpack(root.path(), &other).unwrap(), 0);
        assert_eq!(find(root.path(), key), Some((good, bytes)));
    }

    #[test]
    fn an_entry_counts_only_where_it_was_put() {
        let root = trained(1);
        let cache = root.path().join(STATE).join(CACHE);
        let ((key, _), other) = (model(0), Digest::of(b"other"));
        std::fs::rename(cache.join(key.hex()), cache.join(other.hex())).unwrap();
        assert_eq!(find(root.path(), other), None, "it was trained for something else");
        std::fs::rename(cache.join(other.hex()), root.path().join("outside")).unwrap();
        std::os::unix::fs::symlink(root.path().join("outside"), cache.join(key.hex())).unwrap();
        assert_eq!(find(root.path(), key), None, "nothing behind a link is ours");
        assert_eq!(pack(root.path()), None);
        std::fs::remove_file(cache.join(key.hex())).unwrap();
        std::fs::rename(root.path().join("outside"), cache.join(key.hex())).unwrap();
        assert!(find(root.path(), key).is_some());
    }
}
