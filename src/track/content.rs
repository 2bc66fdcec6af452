//! What a file of a version holds: bytes at hand, or a file that is read in pieces when they are needed.

use std::io::Read as _;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::base::Digest;
use crate::sys::{self, FileError};
use crate::wandb;

/// Files are read in pieces of this size.
const PIECE: usize = 256 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<Content> for wandb::Content {
    fn from(content: Content) -> Self {
        match content {
            Content::Bytes(bytes) => Self::Bytes(bytes),
            Content::File(path) => Self::File(path),
        }
    }
}

impl From<wandb::Content> for Content {
    fn from(content: wandb::Content) -> Self {
        match content {
            wandb::Content::Bytes(bytes) => Self::Bytes(bytes),
            wandb::Content::File(path) => Self::File(path),
        }
    }
}

impl Content {
    /// The digest of all of it; a file is never in memory as a whole.
    pub fn digest(&self) -> Result<Digest, FileError> {
        let path = match self {
            Self::Bytes(bytes) => return Ok(Digest::of(bytes)),
            Self::File(path) => path,
        };
        let mut file = sys::open(path)?;
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(Digest::from_bytes(hasher.finalize().into())),
                Ok(n) => hasher.update(&piece[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(FileError::io("read", path, source)),
            }
        }
    }

    /// All of it, if that is at most `limit_bytes`.
    pub fn into_bytes(self, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(path) => sys::read(&path, limit_bytes),
        }
    }

    pub fn len(&self) -> Result<u64, FileError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => {
                let file = sys::open(path)?;
                let about = file.metadata().map_err(|source| FileError::io("read", path, source))?;
                Ok(about.len())
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_bytes_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.bin");
        for n_bytes in [0, 1, PIECE - 1, PIECE, 3 * PIECE + 17] {
            let bytes: Vec<u8> = (0..n_bytes).map(|i| u8::try_from(i % 251).unwrap()).collect();
            std::fs::write(&path, &bytes).unwrap();
            let (file, memory) = (Content::File(path.clone()), Content::Bytes(bytes.clone()));
            assert_eq!(file.digest().unwrap(), memory.digest().unwrap());
            assert_eq!(file.len().unwrap(), memory.len().unwrap());
            assert_eq!(file.into_bytes(10 << 20).unwrap(), bytes);
        }
        assert!(Content::File(path.clone()).into_bytes(10).is_err());
        assert!(Content::File(folder.path().join("none")).digest().is_err());
    }
}
