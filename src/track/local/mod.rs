//! The embedded registry in a directory.
//!
//! An entry is a file that is made whole and only if there is none; what it names is on the disk before it is. A writer
//! that dies leaves at most temporary files and objects that nothing names; both are harmless, and the next writer
//! removes the former. Who wants to be safe from a ledger that is written anew as a whole keeps the directory under
//! version control.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::RegistryError;
use super::embedded::{Addition, Embedded, Found, Storage, blocking, damaged};
use crate::sys::{self, FileError, FileKind};

/// The registry in a directory.
pub type Local = Embedded<Directory>;

impl Local {
    /// The directory is made when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::on(Directory { root: root.into() })
    }
}

/// Files are read and written away from the threads that must not wait.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

#[async_trait]
impl Storage for Directory {
    const MAX_FILE_BYTES: u64 = 1 << 30;
    const MAX_ATTEMPTS: usize = 10_000;

    /// The directory is always as it is now, and nothing in it is ever taken away.
    async fn refresh(&mut self) -> Result<(), RegistryError> {
        Ok(())
    }

    async fn names(&self, directory: &str) -> Result<Vec<String>, RegistryError> {
        let (root, directory) = (self.root.clone(), directory.to_owned());
        blocking(move || names(&root, &directory)).await
    }

    async fn read(&self, paths: Vec<String>, limit_bytes: u64) -> Result<Vec<Found>, RegistryError> {
        let root = self.root.clone();
        blocking(move || paths.iter().map(|path| read(&root, path, limit_bytes)).collect()).await
    }

    async fn prepare(&mut self, (name, text): (&'static str, String)) -> Result<(), RegistryError> {
        let root = self.root.clone();
        blocking(move || prepare(&root, name, &text)).await
    }

    async fn put(&mut self, path: String, content: Vec<u8>) -> Result<(), RegistryError> {
        let root = self.root.clone();
        blocking(move || put(&root, &path, &content)).await
    }

    async fn append(&mut self, addition: &Addition) -> Result<bool, RegistryError> {
        let (root, path, text) = (self.root.clone(), addition.path.clone(), addition.text.clone());
        blocking(move || {
            let path = place(&root, &path)?;
            match sys::create_exclusive(&path, text.as_bytes()) {
                Err(error) if error.is_exists() => Ok(false),
                made => made.map(|()| true).map_err(unavailable),
            }
        })
        .await
    }
}

fn names(root: &Path, directory: &str) -> Result<Vec<String>, RegistryError> {
    let dir = root.join(directory);
    match sys::kind(&dir).map_err(unavailable)? {
        None => return Ok(Vec::new()),
        Some(FileKind::Directory) => {}
        Some(_) => return Err(damaged(directory, "it is not a directory")),
    }
    let listed = sys::list(&dir).map_err(unavailable)?;
    let names = listed.iter().map(|one| one.name.to_string_lossy().into_owned());
    Ok(names.filter(|name| !sys::is_temp(name)).collect())
}

fn read(root: &Path, path: &str, limit_bytes: u64) -> Result<Found, RegistryError> {
    let parts: Vec<&str> = path.split('/').collect();
    match sys::read_beneath(root, &parts, limit_bytes) {
        Ok(content) => Ok(Found::Content(content)),
        Err(error) if error.is_not_found() => Ok(Found::Missing),
        Err(FileError::NotAFile { .. }) => Ok(Found::NotAFile),
        Err(FileError::TooLarge { .. }) => Ok(Found::TooLarge),
        Err(error) => Err(unavailable(error)),
    }
}

fn prepare(root: &Path, mark: &str, text: &str) -> Result<(), RegistryError> {
    sys::create_dir(root).map_err(unavailable)?;
    sys::remove_stale_temps(root).map_err(unavailable)?;
    let mark = root.join(mark);
    if sys::kind(&mark).map_err(unavailable)?.is_none() {
        match sys::create_exclusive(&mark, text.as_bytes()) {
            Err(error) if error.is_exists() => {}
            made => made.map_err(unavailable)?,
        }
    }
    for part in ["ledger", "objects"] {
        let dir = directory(root, &[part])?;
        sys::remove_stale_temps(&dir).map_err(unavailable)?;
    }
    for listed in sys::list(&root.join("objects")).map_err(unavailable)? {
        if listed.kind == FileKind::Directory {
            let dir = root.join("objects").join(listed.name);
            sys::remove_stale_temps(&dir).map_err(unavailable)?;
        }
    }
    Ok(())
}

/// When this returns the file is on the disk, whoever wrote it. A damaged one is replaced.
fn put(root: &Path, path: &str, content: &[u8]) -> Result<(), RegistryError> {
    let place = place(root, path)?;
    match sys::create_exclusive(&place, content) {
        Err(error) if error.is_exists() => match read(root, path, content.len() as u64)? {
            // Whoever wrote it may not have come to make its name durable.
            Found::Content(found) if found == content => {
                sys::sync_dir(place.parent().unwrap_or(root)).map_err(unavailable)
            }
            Found::Content(_) | Found::Missing | Found::NotAFile | Found::TooLarge => {
                sys::write_atomic(&place, content).map_err(unavailable)
            }
        },
        written => written.map_err(unavailable),
    }
}

/// Where the file is, its directory made.
fn place(root: &Path, path: &str) -> Result<PathBuf, RegistryError> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let name = parts.pop().unwrap_or(path);
    Ok(directory(root, &parts)?.join(name))
}

/// Makes directories in the registry, none of which may be a link to somewhere else.
fn directory(root: &Path, parts: &[&str]) -> Result<PathBuf, RegistryError> {
    let mut dir = root.to_owned();
    for part in parts {
        dir.push(part);
        match sys::kind(&dir).map_err(unavailable)? {
            Some(FileKind::Directory) => {}
            None => sys::create_dir(&dir).map_err(unavailable)?,
            Some(_) => return Err(damaged(&parts.join("/"), "it is not a directory")),
        }
    }
    Ok(dir)
}

/// What the file system says, in the words of registries.
fn unavailable(error: FileError) -> RegistryError {
    match error {
        FileError::Io { path, action, source } => RegistryError::Unavailable {
            action: format!("{action} `{}`", path.display()),
            source,
        },
        FileError::NotAFile { ref path }
        | FileError::TooLarge { ref path, .. }
        | FileError::TooMany { ref path, .. }
        | FileError::NotText { ref path, .. }
        | FileError::Outside { ref path, .. } => damaged(&path.display().to_string(), error.to_string()),
        FileError::Pattern { ref pattern, .. } => damaged(pattern, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
