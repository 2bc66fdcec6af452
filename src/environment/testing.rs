//! What the tests here share.
#![expect(clippy::disallowed_methods, reason = "fixtures are read by the tests themselves")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::sys::FileError;

/// A file of `fixtures/environment`.
pub fn fixture(path: &str) -> String {
    let path = format!("{}/fixtures/environment/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines of a file of requirements, however they are broken and spaced, and in whatever order hashes stand.
pub fn exported(text: &str) -> BTreeSet<String> {
    let joined = text.replace("\\\n", " ").replace(" ;", ";").replace(';', " ;");
    let joined = joined
        .replace("--index-url", "-i")
        .replace("--extra-i", "--extra-index-url");
    let lines = joined.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (mut hashes, words): (Vec<&str>, Vec<&str>) =
                line.split_whitespace().partition(|word| word.starts_with("--hash="));
            hashes.sort_unstable();
            words.into_iter().chain(hashes).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Reads files that are only in memory.
pub fn reader(files: &BTreeMap<String, String>) -> impl Fn(&str) -> Result<String, FileError> {
    |path| {
        let missing = || FileError::io("open", Path::new(path), io::ErrorKind::NotFound.into());
        files.get(path).cloned().ok_or_else(missing)
    }
}

/// A repository that a fixture is, with these files changed or added.
pub fn repository(project: &str, changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let dir = format!("{}/fixtures/environment/{project}", env!("CARGO_MANIFEST_DIR"));
    let names = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: BTreeMap<String, String> = names
        .map(|name| (name.clone(), fixture(&format!("{project}/{name}"))))
        .filter(|(name, _)| !name.starts_with("exported"))
        .collect();
    files.extend(changes.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())));
    files
}
