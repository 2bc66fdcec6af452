//! What can go wrong with a file.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be had or made.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("could not {action} `{}`", path.display())]
    Io {
        path: PathBuf,
        /// A verb: `read`, `write`, `list`.
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is larger than {limit_bytes} bytes", path.display())]
    TooLarge { path: PathBuf, limit_bytes: u64 },
    #[error("there are more than {limit} files under `{}`", path.display())]
    TooMany { path: PathBuf, limit: usize },
    #[error("`{}` is not UTF-8: byte {offset} is not text", path.display())]
    NotText { path: PathBuf, offset: usize },
    /// A directory, a pipe, a device, or a symbolic link where none is allowed.
    #[error("`{}` is not an ordinary file", path.display())]
    NotAFile { path: PathBuf },
    #[error("`{}` is outside of `{}`", path.display(), root.display())]
    Outside { path: PathBuf, root: PathBuf },
    #[error("`{pattern}` is not a usable pattern: {why}")]
    Pattern { pattern: String, why: String },
}

impl FileError {
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }

    /// A name that leads to no file whatever is done: too long, with a character that names can not have, or a link that
    /// leads to itself.
    pub fn is_impossible_name(&self) -> bool {
        let Self::Io { source, .. } = self else { return false };
        matches!(
            source.kind(),
            io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput
        ) || source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
    }

    pub fn is_exists(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::AlreadyExists)
    }

    fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}
