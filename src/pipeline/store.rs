//! The directory of a finished run: facts, reports, and the bundle that a publication would take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::facts::{Facts, FactsError};
use crate::sys::{self, FileError, FileKind};

/// Below the repository's root.
pub const STATE: &str = ".mlops";
const RUNS: &str = "runs";
pub const CACHE: &str = "cache";
const LATEST: &str = "latest";
const FACTS: &str = "mlops-facts.json";
const BUNDLE: &str = "bundle";
const FACTS_LIMIT: u64 = 64 * 1024 * 1024;
const BUNDLE_LIMIT: u64 = 1024 * 1024 * 1024;
/// As many finished runs are kept; older ones give way.
const KEPT: usize = 20;

/// Why a finished run could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("there is no finished run here yet")]
    NoRun,
    #[error("the run `{run}` can not be read")]
    Facts {
        run: String,
        #[source]
        source: FactsError,
    },
}

/// What is written for a finished run.
#[derive(Debug, Default)]
pub struct RunFiles {
    /// File name → content, beside the facts.
    pub reports: BTreeMap<&'static str, String>,
    /// What a publication takes.
    pub bundle: BTreeMap<String, Vec<u8>>,
}

/// The directory that a run's facts will be in: its moment and the digest of its model or of its reason.
pub fn directory(root: &Path, facts: &Facts) -> PathBuf {
    let moment: String = facts
        .started
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let digest = facts
        .training
        .as_ref()
        .map_or_else(|| Digest::of(facts.reason.as_bytes()), |training| training.digest);
    root.join(STATE).join(RUNS).join(format!("{moment}-{}", digest.short()))
}

/// Our own directory, made if it is not there; what is kept in it is not for version control.
///
/// # Errors
/// When it, or a directory of ours in it, is a link: what is written and removed there would be somebody else's.
pub fn own_directory(root: &Path) -> Result<PathBuf, FileError> {
    let state = root.join(STATE);
    for path in [state.clone(), state.join(RUNS), state.join(CACHE)] {
        match sys::kind(&path)? {
            None | Some(FileKind::Directory) => {}
            Some(FileKind::File | FileKind::Symlink | FileKind::Special) => return Err(FileError::NotAFile { path }),
        }
    }
    sys::create_dir(&state)?;
    let ignore = state.join(".gitignore");
    if sys::kind(&ignore)?.is_none() {
        sys::write_atomic(&ignore, b"*\n")?;
    }
    Ok(state)
}

/// Writes a finished run; it counts as the last one when everything of it is there.
pub fn save(root: &Path, facts: &Facts, files: &RunFiles) -> Result<PathBuf, StoreError> {
    own_directory(root)?;
    let directory = directory(root, facts);
    let bundle = directory.join(BUNDLE);
    sys::create_dir(&bundle)?;
    for (name, content) in &files.bundle {
        sys::write_atomic(&bundle.join(name), content)?;
    }
    for (name, content) in &files.reports {
        sys::write_atomic(&directory.join(name), content.as_bytes())?;
    }
    sys::write_atomic(&directory.join(FACTS), facts.to_json().as_bytes())?;
    let id = directory
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    sys::write_atomic(&root.join(STATE).join(LATEST), id.as_bytes())?;
    forget_old(root, &id);
    Ok(directory)
}

/// Removes all but the newest runs; one that can not be removed stays.
fn forget_old(root: &Path, latest: &str) {
    let runs = root.join(STATE).join(RUNS);
    // Names begin with the moment, and a listing is sorted.
    let Ok(listed) = sys::list(&runs) else { return };
    let surplus = listed.len().saturating_sub(KEPT);
    for run in listed
        .into_iter()
        .take(surplus)
        .filter(|run| run.name != latest && run.kind == FileKind::Directory)
        .filter(|run| runs.join(&run.name).join(FACTS).is_file())
    {
        if let Err(error) = sys::remove_dir(&runs.join(&run.name)) {
            tracing::debug!(%error, "could not remove an old run");
        }
    }
}

/// The directory of the last finished run.
pub fn latest(root: &Path) -> Result<PathBuf, StoreError> {
    let state = root.join(STATE);
    let id = sys::read_text(&state.join(LATEST), 256).map_err(|_| StoreError::NoRun)?;
    let id = id.trim();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(StoreError::NoRun);
    }
    Ok(state.join(RUNS).join(id))
}

/// The directory of the run with this id, if it is there.
pub fn run_named(root: &Path, id: &str) -> Option<PathBuf> {
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    Some(root.join(STATE).join(RUNS).join(id)).filter(|run| plain && run.is_dir())
}

/// Reads the facts of a finished run.
pub fn load_facts(directory: &Path) -> Result<Facts, StoreError> {
    let text = match sys::read_text(&directory.join(FACTS), FACTS_LIMIT) {
        Err(error) if error.is_not_found() => return Err(StoreError::NoRun),
        read => read?,
    };
    Facts::from_json(&text).map_err(|source| StoreError::Facts {
        run: directory.display().to_string(),
        source,
    })
}

/// Reads a finished run: its facts, and the files of its bundle (none if it made no model).
pub fn load(directory: &Path) -> Result<(Facts, BTreeMap<String, Vec<u8>>), StoreError> {
    let facts = load_facts(directory)?;
    let mut bundle = BTreeMap::new();
    let inside = directory.join(BUNDLE);
    for listed in sys::list(&inside)
        .unwrap_or_default()
        .into_iter()
        .filter(|listed| listed.kind == FileKind::File)
    {
        if let Some(name) = listed.name.to_str().filter(|name| !sys::is_temp(name)) {
            bundle.insert(name.to_owned(), sys::read(&inside.join(name), BUNDLE_LIMIT)?);
        }
    }
    Ok((facts, bundle))
}
