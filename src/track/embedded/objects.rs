//! Objects: files named by the digest of their content.

use super::storage::{Found, Storage};
use super::{RegistryError, blocking, damaged};
use crate::base::Digest;

/// Above this, checking a digest is work for a thread that may be busy.
const LARGE_BYTES: usize = 1 << 20;

/// The object's path in the registry: `objects/ab/cdef…`.
pub fn path(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("objects/{}/{}", &hex[..2], &hex[2..])
}

/// The content of an object, its digest checked.
pub async fn read<S: Storage>(storage: &S, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
    let mut contents = read_all(storage, &[*digest]).await?;
    contents.pop().ok_or_else(|| damaged(&path(digest), "it is missing"))
}

/// The contents of several objects, in their order.
pub async fn read_all<S: Storage>(storage: &S, digests: &[Digest]) -> Result<Vec<Vec<u8>>, RegistryError> {
    let found = storage
        .read(digests.iter().map(path).collect(), S::MAX_FILE_BYTES)
        .await?;
    let mut contents = Vec::with_capacity(found.len());
    for (found, digest) in found.into_iter().zip(digests) {
        contents.push(checked(found, digest).await?);
    }
    Ok(contents)
}

async fn checked(found: Found, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
    let wrong = |why: &str| Err(damaged(&path(digest), why));
    let content = match found {
        Found::Content(content) => content,
        Found::Missing => return wrong("it is missing"),
        Found::NotAFile => return wrong("it is not an ordinary file"),
        Found::TooLarge => return wrong("it is too large for an object"),
    };
    let (actual, content) = if content.len() < LARGE_BYTES {
        (Digest::of(&content), content)
    } else {
        blocking(move || Ok((Digest::of(&content), content))).await?
    };
    if actual == *digest {
        Ok(content)
    } else {
        wrong("its content is not what its name says")
    }
}
