//! What a program knows of a branch: where it was last, and contents, which never change. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{LEDGER, below};
use crate::github::git::{Entry, Kind, Listing, ObjectId};

/// Larger blobs are not kept.
const MAX_KEPT_BYTES: usize = 1 << 20;
/// All that is kept together.
const MAX_KEPT_IN_ALL_BYTES: usize = 64 << 20;

/// Where a branch ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    pub commit: ObjectId,
    pub tree: ObjectId,
}

/// The branch as it was at one time; without a tip there is no branch.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    pub tip: Option<Tip>,
    pub files: Arc<Listing>,
}

/// What a look at the branch turns out to be.
#[derive(Debug)]
pub enum Seen {
    Now(Moment),
    /// The branch as it was before, though it has gone on; this is what it has gone on to.
    Echo(Moment),
    /// An entry that was there is another one now.
    Rewritten(String),
}

#[derive(Debug, Default)]
pub struct Known {
    latest: Moment,
    blobs: BTreeMap<ObjectId, Arc<[u8]>>,
    n_bytes: usize,
    uploaded: BTreeSet<ObjectId>,
}

impl Known {
    /// The moment at which the branch ended at this commit, if it is the latest one.
    pub fn at(&self, commit: ObjectId) -> Option<Moment> {
        let is_latest = self.latest.tip.is_some_and(|tip| tip.commit == commit);
        is_latest.then(|| self.latest.clone())
    }

    /// Takes up what was seen, if it goes on from the latest that was.
    pub fn see(&mut self, found: Moment) -> Seen {
        let mut first_missing = None;
        for (path, entry) in entries(&self.latest.files) {
            match found.files.get(path) {
                Some(now) if (now.kind, now.id) == (entry.kind, entry.id) => {}
                Some(_) => return Seen::Rewritten(path.clone()),
                None => first_missing = first_missing.or(Some(path)),
            }
        }
        let Some(first_missing) = first_missing else {
            self.latest = found.clone();
            return Seen::Now(found);
        };
        // What was before has nothing behind the gap.
        if entries(&found.files).any(|(path, _)| path > first_missing) {
            return Seen::Rewritten(first_missing.clone());
        }
        Seen::Echo(self.latest.clone())
    }

    /// We have brought the branch here, unless somebody has been seen to have brought it on already.
    pub fn moved(&mut self, moment: Moment) {
        // Nothing to do with what was no news.
        let _ = self.see(moment);
    }

    pub fn blob(&self, id: &ObjectId) -> Option<Arc<[u8]>> {
        self.blobs.get(id).map(Arc::clone)
    }

    pub fn keep_blobs(&mut self, contents: &BTreeMap<ObjectId, Arc<[u8]>>) {
        for (id, content) in contents {
            let is_small = content.len() <= MAX_KEPT_BYTES && self.n_bytes + content.len() <= MAX_KEPT_IN_ALL_BYTES;
            if is_small && self.blobs.insert(*id, Arc::clone(content)).is_none() {
                self.n_bytes += content.len();
            }
        }
    }

    /// Whether the repository has the blob since this program sent it, though no tree may hold it.
    pub fn has_uploaded(&self, id: &ObjectId) -> bool {
        self.uploaded.contains(id)
    }

    pub fn uploaded(&mut self, id: ObjectId) {
        self.uploaded.insert(id);
    }
}

/// The entries of the ledger, oldest first; what else lies there is found when they are read.
fn entries(files: &Listing) -> impl Iterator<Item = (&String, &Entry)> {
    below(files, LEDGER).filter(|(path, entry)| entry.kind == Kind::File && path.strip_suffix(".json").is_some())
}
