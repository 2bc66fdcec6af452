//! What done tasks left, below `.mlops/cache/steps`: records by key, files by digest, and the basis of each task's last run.
//!
//! Whoever can write to the repository's directory can write here, so nothing is believed beyond what that person could do
//! anyway: a record names only files that its step makes, and a file is put back only if its content has its digest.

use serde::de::DeserializeOwned;

use crate::base::Digest;
use crate::sys::FileError;

use super::digests::Digests;
use super::files::{Found, Looks, Root, Stamp};
use super::record::{Basis, Output, Record};
use super::settings::StepTask;

/// From the repository's root.
pub const PLACE: &str = ".mlops/cache/steps";
const RECORD_LIMIT: u64 = 32 << 20;
/// Together files and records take no more; what was not used for longest gives way.
const KEPT_BYTES: u64 = 2 << 30;
const KEPT_RECORDS: usize = 5000;
/// Larger files are not kept twice; when they are gone, they are made anew.
const MAX_OBJECT_BYTES: u64 = 1 << 30;

fn record_path(key: Digest) -> String {
    format!("{PLACE}/records/{}.json", key.hex())
}

fn object_path(digest: Digest) -> String {
    format!("{PLACE}/objects/{}", digest.hex())
}

fn last_path(task: &StepTask) -> String {
    format!("{PLACE}/last/{}.json", task.id())
}

/// Makes the place, and keeps version control out of it.
pub fn prepare(root: &Root) -> Result<(), FileError> {
    root.make_directory(PLACE)?;
    if root.looks().at(".mlops/.gitignore")?.is_none() {
        root.write(".mlops/.gitignore", b"*\n")?;
    }
    Ok(())
}

/// What was written down for this key, if it is whole.
pub fn find(root: &Root, key: Digest, task: &StepTask) -> Option<Record> {
    let path = record_path(key);
    let record = Record::checked(&root.read(&path, RECORD_LIMIT).ok()?, key, task)?;
    if let Err(error) = root.touch(&path) {
        tracing::debug!(%error, "could not mark a record as used");
    }
    Some(record)
}

/// What the task's last run stood on.
pub fn last(root: &Root, task: &StepTask) -> Option<(Basis, Vec<Output>)> {
    read(root, &last_path(task))
}

fn read<T: DeserializeOwned>(root: &Root, path: &str) -> Option<T> {
    serde_json::from_slice(&root.read(path, RECORD_LIMIT).ok()?).ok()
}

/// Keeps what a task made, and then says so.
pub fn keep(root: &Root, task: &StepTask, basis: &Basis, record: &Record, files: &[Found]) -> Result<(), FileError> {
    let looks = root.looks();
    for (output, file) in record.outputs.iter().zip(files) {
        let object = object_path(output.digest);
        if output.size_bytes > MAX_OBJECT_BYTES || looks.at(&object)?.is_some() {
            continue;
        }
        // Without the copy it is made anew when it is gone: no reason to lose the rest.
        if let Err(error) = root.copy(file.real(), &object, output.digest, false) {
            tracing::warn!(%error, path = output.path, "could not keep an output of a step");
        }
    }
    let bytes = serde_json::to_vec_pretty(record).expect("its keys are texts");
    root.write(&record_path(record.key), &bytes)?;
    remember(root, task, basis, &record.outputs)
}

/// Notes what the task's results stand on now.
pub fn remember(root: &Root, task: &StepTask, basis: &Basis, outputs: &[Output]) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(&(basis, outputs)).expect("its keys are texts");
    root.write(&last_path(task), &bytes)
}

/// Takes away what is still as the task's last run made it, so that nothing old passes for new.
pub fn clear(root: &Root, digests: &Digests, outputs: &[Output], task: &StepTask) -> Result<(), FileError> {
    let looks = root.looks();
    for output in outputs {
        let is_own = task.outputs.iter().any(|pattern| pattern.matches(&output.path));
        if is_own && !differs(root, &looks, digests, output)? {
            root.remove(&output.path)?;
        }
    }
    Ok(())
}

/// The outputs that are not as the record says.
pub fn differing<'r>(root: &Root, digests: &Digests, record: &'r Record) -> Result<Vec<&'r Output>, FileError> {
    let looks = root.looks();
    let mut differing = Vec::new();
    for output in &record.outputs {
        if differs(root, &looks, digests, output)? {
            differing.push(output);
        }
    }
    Ok(differing)
}

fn differs(root: &Root, looks: &Looks<'_>, digests: &Digests, output: &Output) -> Result<bool, FileError> {
    let Some(found) = root.at(looks, &output.path)? else {
        return Ok(true);
    };
    if found.stamp.size_bytes != output.size_bytes {
        return Ok(true);
    }
    Ok(digests.of(root, std::slice::from_ref(&found))?.first() != Some(&output.digest))
}

/// Puts files back; the first one that could not be stays named.
pub fn restore<'r>(root: &Root, outputs: &[&'r Output]) -> Result<(), &'r Output> {
    let looks = root.looks();
    let is_kept = |output: &Output| matches!(looks.at(&object_path(output.digest)), Ok(Some(_)));
    if let Some(lost) = outputs.iter().find(|output| !is_kept(output)) {
        return Err(lost);
    }
    for output in outputs {
        let object = object_path(output.digest);
        match root.copy(&object, &output.path, output.digest, output.is_executable) {
            Ok(true) => {
                if let Err(error) = root.touch(&object) {
                    tracing::debug!(%error, "could not mark a kept file as used");
                }
            }
            Ok(false) => {
                // Damaged: it would be in the way of a good one.
                if let Err(error) = root.remove(&object) {
                    tracing::debug!(%error, "could not remove a damaged file");
                }
                return Err(output);
            }
            Err(error) => {
                tracing::debug!(%error, path = output.path, "could not put an output back");
                return Err(output);
            }
        }
    }
    Ok(())
}

/// Removes what was not used for longest, until the rest is within the limits.
pub fn forget_old(root: &Root) -> Result<(), FileError> {
    forget_beyond(root, KEPT_BYTES, KEPT_RECORDS)
}

fn forget_beyond(root: &Root, kept_bytes: u64, kept_records: usize) -> Result<(), FileError> {
    let mut files: Vec<(Stamp, bool, String)> = Vec::new();
    for (directory, is_record) in [("objects", false), ("records", true), ("last", false)] {
        let place = format!("{PLACE}/{directory}");
        let listed = root.files_in(&place)?.into_iter();
        files.extend(listed.map(|(name, stamp)| (stamp, is_record, format!("{place}/{name}"))));
    }
    files.sort_by(|a, b| (a.0.mtime_ns, &a.2).cmp(&(b.0.mtime_ns, &b.2)));
    let mut n_bytes: u64 = files.iter().map(|(stamp, _, _)| stamp.size_bytes).sum();
    let mut n_records = files.iter().filter(|(_, is_record, _)| *is_record).count();
    for (stamp, is_record, path) in files {
        let is_within = n_bytes <= kept_bytes;
        if is_within && n_records <= kept_records {
            break;
        }
        if is_within && !is_record {
            continue;
        }
        root.remove(&path)?;
        n_bytes -= stamp.size_bytes;
        n_records -= usize::from(is_record);
    }
    Ok(())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
