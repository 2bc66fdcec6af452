//! Opening and finding data files, until `sys` does both.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place of this module that touches files"
)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("can not read `{}`", path.display())]
pub struct FileError {
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

/// Opens a regular file.
pub fn open(path: &Path) -> Result<File, FileError> {
    let fail = |source| FileError {
        path: path.to_owned(),
        source,
    };
    // Asked before opening, since opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        )));
    }
    File::open(path).map_err(fail)
}

/// The files that a pattern names, sorted; `*` and `?` stand in its last part only.
pub fn glob(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, FileError> {
    if !pattern.contains(['*', '?']) {
        let path = root.join(pattern);
        return Ok(if path.exists() { vec![path] } else { Vec::new() });
    }
    let (directory, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    let directory = root.join(directory);
    let fail = |source| FileError {
        path: directory.clone(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if matches(name.as_bytes(), entry.file_name().as_encoded_bytes()) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => matches(pattern, name),
        ([first, pattern @ ..], [byte, name @ ..]) if first == byte => matches(pattern, name),
        _ => false,
    }
}
