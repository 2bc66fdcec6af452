//! Digests of files that need not be read again: known by size, times and inode, as version control knows them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::base::Digest;
use crate::sys::FileError;

use super::files::{Found, Root, Stamp};
use super::store::PLACE;

const FILE: &str = "digests.json";
const CLOCK: &str = "clock";
const LIMIT: u64 = 64 << 20;
/// As many files are remembered.
const MAX_KNOWN: usize = 200_000;
/// A clock of files moves in ticks: what was changed just before it was read could be changed again within the same one.
const TICK_NS: i64 = 50_000_000;
const VERSION: u32 = 1;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    version: u32,
    files: BTreeMap<String, (Stamp, Digest)>,
}

/// The digests of a repository's files. What it knows is as believable as the repository's own files.
#[derive(Debug)]
pub struct Digests {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: Known,
    is_changed: bool,
    n_read: usize,
}

impl Digests {
    /// What was learned before; nothing if that can not be read.
    pub fn load(root: &Root) -> Self {
        let bytes = root.read(&format!("{PLACE}/{FILE}"), LIMIT).ok();
        let known = bytes.and_then(|bytes| serde_json::from_slice::<Known>(&bytes).ok());
        let known = known.filter(|known| known.version == VERSION && known.files.len() <= MAX_KNOWN);
        Self {
            inner: Mutex::new(Inner {
                known: known.unwrap_or_default(),
                ..Inner::default()
            }),
        }
    }

    /// The digest of each file, in order.
    pub fn of(&self, root: &Root, files: &[Found]) -> Result<Vec<Digest>, FileError> {
        let mut now = None;
        files
            .iter()
            .map(|file| {
                if let Some(digest) = self.known(file) {
                    return Ok(digest);
                }
                let now = match now {
                    Some(now) => now,
                    None => *now.insert(clock(root)?),
                };
                let (digest, stamp) = root.digest(file.real())?;
                let mut inner = self.inner();
                inner.n_read += 1;
                // Only what has been at rest is known the next time by how it looks.
                if stamp.ctime_ns.saturating_add(TICK_NS) < now && inner.known.files.len() < MAX_KNOWN {
                    inner.known.files.insert(file.real().to_owned(), (stamp, digest));
                    inner.is_changed = true;
                }
                Ok(digest)
            })
            .collect()
    }

    fn known(&self, file: &Found) -> Option<Digest> {
        let inner = self.inner();
        let (stamp, digest) = inner.known.files.get(file.real())?;
        (*stamp == file.stamp).then_some(*digest)
    }

    /// How many files had to be read.
    #[cfg(test)]
    pub fn n_read(&self) -> usize {
        self.inner().n_read
    }

    /// Keeps what was learned; what is full begins anew.
    pub fn save(&self, root: &Root) -> Result<(), FileError> {
        let mut inner = self.inner();
        if !inner.is_changed {
            return Ok(());
        }
        inner.is_changed = false;
        inner.known.version = VERSION;
        if inner.known.files.len() >= MAX_KNOWN {
            inner.known.files.clear();
        }
        let bytes = serde_json::to_vec(&inner.known).expect("its keys are texts");
        drop(inner);
        root.write(&format!("{PLACE}/{FILE}"), &bytes)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What a thread that panicked left is whole: every change is one insertion.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The present moment as the file system tells it, which may be another machine's.
fn clock(root: &Root) -> Result<i64, FileError> {
    let path = format!("{PLACE}/{CLOCK}");
    root.write(&path, b"")?;
    let found = root.looks().at(&path)?;
    Ok(found.map_or(i64::MIN, |found| found.stamp.ctime_ns))
}
