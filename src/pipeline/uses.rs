//! How often a test set has judged: the best of many challengers looks better than it is.

use std::collections::BTreeSet;
use std::path::Path;

use crate::base::Digest;
use crate::sys;
use crate::track::ModelVersion;

use super::store::{StoreError, own_directory};

/// One line a challenger: the digests of the test rows and of the model.
const FILE: &str = "judged";
const LIMIT: u64 = 8 * 1024 * 1024;

/// Counts this challenger in, and says how many different ones these test rows have judged: versions of the registry, and
/// those that were tried here and never published.
pub fn count(root: &Path, versions: &[ModelVersion], test: Digest, model: Digest) -> Result<u64, StoreError> {
    let directory = own_directory(root)?;
    let path = directory.join(FILE);
    let known = match sys::read_text(&path, LIMIT) {
        Err(error) if error.is_not_found() => String::new(),
        read => read?,
    };
    let (test, model) = (test.to_string(), model.to_string());
    let line = format!("{test} {model}");
    if !known.lines().any(|other| other == line) {
        sys::write_atomic(&path, format!("{known}{line}\n").as_bytes())?;
    }
    let tried = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter(|(of, _)| *of == test);
    let mut models: BTreeSet<&str> = tried.map(|(_, model)| model).collect();
    let text = |version: &'_ ModelVersion, pointer: &str| {
        version
            .metadata
            .pointer(pointer)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let published: Vec<String> = versions
        .iter()
        .filter(|version| text(version, "/data/test_digest").as_deref() == Some(test.as_str()))
        .filter_map(|version| text(version, "/training/model_digest"))
        .collect();
    models.extend(published.iter().map(String::as_str));
    models.insert(&model);
    Ok(models.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_different_challenger_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let (test, other) = (Digest::of(b"test"), Digest::of(b"other test"));
        let n = |test: Digest, model: &[u8]| count(folder.path(), &[], test, Digest::of(model)).unwrap();
        assert_eq!(
            [
                n(test, b"a"),
                n(test, b"a"),
                n(test, b"b"),
                n(other, b"a"),
                n(test, b"c")
            ],
            [1, 1, 2, 1, 3]
        );
    }
}
