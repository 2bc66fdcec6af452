//! The directory of a finished run: facts, reports, and the bundle that a publication would take.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::Digest;
use crate::facts::{Facts, FactsError};
use crate::sys::{self, FileError, FileKind};
use crate::track::Content;

/// Below the repository's root.
pub const STATE: &str = ".mlops";
const RUNS: &str = "runs";
pub const CACHE: &str = "cache";
const LATEST: &str = "latest";
const FACTS: &str = "mlops-facts.json";
const BUNDLE: &str = "bundle";
const FACTS_LIMIT: u64 = 64 * 1024 * 1024;
/// As many finished runs are kept; older ones give way.
const KEPT: usize = 20;

/// Why a finished run could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("there is no finished run here yet")]
    NoRun,
    /// A repository can carry a link, and what is written or forgotten here must not be somewhere else.
    #[error("`{}` is a link or a file, and what runs leave needs a directory of its own", path.display())]
    Elsewhere { path: PathBuf },
    #[error("the run `{run}` can not be read")]
    Facts {
        run: String,
        #[source]
        source: FactsError,
    },
}

/// Makes sure that nothing below [`STATE`] leads somewhere else, before anything is read from it or written to it.
pub fn check_state(root: &Path) -> Result<(), StoreError> {
    let state = root.join(STATE);
    let directories = [
        state.clone(),
        state.join(RUNS),
        state.join(CACHE),
        state.join("registry"),
        state.join("work"),
    ];
    let files = [state.join(LATEST), state.join("judged"), state.join(".gitignore")];
    let wanted = directories.map(|path| (path, FileKind::Directory));
    for (path, kind) in wanted.into_iter().chain(files.map(|path| (path, FileKind::File))) {
        if sys::kind(&path)?.is_some_and(|found| found != kind) {
            return Err(StoreError::Elsewhere { path });
        }
    }
    Ok(())
}

/// What is written for a finished run.
#[derive(Debug, Default)]
pub struct RunFiles {
    /// File name → content, beside the facts.
    pub reports: BTreeMap<&'static str, String>,
    /// What a publication takes.
    pub bundle: BTreeMap<String, Content>,
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
pub fn own_directory(root: &Path) -> Result<PathBuf, StoreError> {
    check_state(root)?;
    let state = root.join(STATE);
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
        match content {
            Content::Bytes(bytes) => sys::write_atomic(&bundle.join(name), bytes)?,
            Content::File(path) => sys::copy(path, &bundle.join(name), u64::MAX)?,
        }
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

/// Removes all but the newest runs; one that can not be removed stays, and so does whatever is not a run.
fn forget_old(root: &Path, latest: &str) {
    // A command of the run may have put a link here in the meantime.
    if check_state(root).is_err() {
        return;
    }
    let runs = root.join(STATE).join(RUNS);
    // Names begin with the moment, and a listing is sorted.
    let Ok(listed) = sys::list(&runs) else { return };
    let ours: Vec<PathBuf> = listed
        .into_iter()
        .filter(|run| run.kind == FileKind::Directory && run.name != latest)
        .filter(|run| run.name.to_str().is_some_and(is_run))
        .map(|run| runs.join(run.name))
        .filter(|run| matches!(sys::kind(&run.join(FACTS)), Ok(Some(FileKind::File))) || is_half_written(run))
        .collect();
    let surplus = (ours.len() + 1).saturating_sub(KEPT);
    for run in ours.into_iter().take(surplus) {
        if let Err(error) = sys::remove_dir(&run) {
            tracing::debug!(%error, "could not remove an old run");
        }
    }
}

/// `20260102T030405Z-0123456789ab`, as [`directory`] names a run.
fn is_run(name: &str) -> bool {
    let Some((moment, digest)) = name.split_once('-') else {
        return false;
    };
    let (date, time) = moment.split_once('T').unwrap_or_default();
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(date, 8)
        && time.strip_suffix('Z').is_some_and(|time| digits(time, 6))
        && digest.len() == 12
        && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A run that was killed before its facts were written has nothing but its bundle and reports.
fn is_half_written(run: &Path) -> bool {
    matches!(sys::kind(&run.join(BUNDLE)), Ok(Some(FileKind::Directory)))
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
pub fn load(directory: &Path) -> Result<(Facts, BTreeMap<String, Content>), StoreError> {
    let facts = load_facts(directory)?;
    let mut bundle = BTreeMap::new();
    let inside = directory.join(BUNDLE);
    for listed in sys::list(&inside)
        .unwrap_or_default()
        .into_iter()
        .filter(|listed| listed.kind == FileKind::File)
    {
        if let Some(name) = listed.name.to_str().filter(|name| !sys::is_temp(name)) {
            bundle.insert(name.to_owned(), Content::File(inside.join(name)));
        }
    }
    Ok((facts, bundle))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let listed = sys::list(dir).unwrap().into_iter();
        listed.map(|entry| entry.name.into_string().unwrap()).collect()
    }

    /// A directory of 30 runs, and of 30 directories that are none.
    fn scene(runs: &Path) {
        for i in 0..30 {
            std::fs::create_dir_all(runs.join(format!("202601{i:02}T000000Z-0123456789ab/{BUNDLE}"))).unwrap();
            std::fs::create_dir_all(runs.join(format!("{i:02}-other"))).unwrap();
            std::fs::create_dir_all(runs.join(format!("202601{i:02}T000000Z-ffffffffffff"))).unwrap();
        }
    }

    #[test]
    fn only_old_runs_are_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let runs = root.path().join(STATE).join(RUNS);
        scene(&runs);
        forget_old(root.path(), "20260129T000000Z-0123456789ab");
        let left = names(&runs);
        let n_runs = left.iter().filter(|name| name.ends_with("-0123456789ab")).count();
        assert_eq!(n_runs, KEPT);
        assert!(
            left.contains(&"20260110T000000Z-0123456789ab".to_owned()),
            "the newest stay"
        );
        assert_eq!(left.len(), KEPT + 60, "what is not a run stays: {left:?}");
    }

    #[test]
    fn nothing_is_forgotten_behind_a_link() {
        for link in [STATE, ".mlops/runs"] {
            let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let target = if link == STATE {
                elsewhere.path().join(RUNS)
            } else {
                elsewhere.path().to_owned()
            };
            scene(&target);
            let link = root.path().join(link);
            std::fs::create_dir_all(link.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
            forget_old(root.path(), "20260129T000000Z-0123456789ab");
            assert_eq!(names(&target).len(), 90);
            assert!(matches!(check_state(root.path()), Err(StoreError::Elsewhere { .. })));
        }
    }
}
