//! Objects: files named by the digest of their content.

use std::path::{Path, PathBuf};

use super::{RegistryError, damaged, unavailable};
use crate::base::Digest;
use crate::sys::{self, FileError, FileKind};

/// Larger files are neither kept nor read.
pub const MAX_OBJECT_BYTES: u64 = 1 << 30;

/// `objects/ab` and `cdef…`.
fn place(digest: &Digest) -> (String, String) {
    let hex = digest.hex();
    (hex[..2].to_owned(), hex[2..].to_owned())
}

/// The object's path in the registry, as messages show it.
pub fn shown(digest: &Digest) -> String {
    let (dir, name) = place(digest);
    format!("objects/{dir}/{name}")
}

/// The content of an object, its digest checked.
pub fn read(root: &Path, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
    let (dir, name) = place(digest);
    let content = match sys::read_beneath(root, &["objects", &dir, &name], MAX_OBJECT_BYTES) {
        Ok(content) => content,
        Err(error) if error.is_not_found() => return Err(damaged(&shown(digest), "it is missing")),
        Err(FileError::NotAFile { .. }) => return Err(damaged(&shown(digest), "it is not an ordinary file")),
        Err(error) => return Err(unavailable(error)),
    };
    if Digest::of(&content) == *digest {
        Ok(content)
    } else {
        Err(damaged(&shown(digest), "its content is not what its name says"))
    }
}

/// Keeps an object; when this returns it is on the disk, whoever wrote it. A damaged one is replaced.
pub fn write(root: &Path, digest: &Digest, content: &[u8]) -> Result<(), RegistryError> {
    if content.len() as u64 > MAX_OBJECT_BYTES {
        return Err(RegistryError::Refused {
            what: shown(digest),
            why: format!("it is larger than {MAX_OBJECT_BYTES} bytes"),
        });
    }
    let (prefix, name) = place(digest);
    let dir = directory(root, &["objects", &prefix])?;
    let path = dir.join(name);
    match sys::create_exclusive(&path, content) {
        Err(error) if error.is_exists() => match read(root, digest) {
            // Whoever wrote it may not have come to make its name durable.
            Ok(_) => sys::sync_dir(&dir).map_err(unavailable),
            Err(RegistryError::Damaged { .. }) => sys::write_atomic(&path, content).map_err(unavailable),
            Err(error) => Err(error),
        },
        written => written.map_err(unavailable),
    }
}

/// Makes directories in the registry, none of which may be a link to somewhere else.
pub fn directory(root: &Path, parts: &[&str]) -> Result<PathBuf, RegistryError> {
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
