//! Where an embedded registry keeps its files, and what every such place promises.

use async_trait::async_trait;

use crate::track::RegistryError;

/// What is at a path of the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Content(Vec<u8>),
    Missing,
    /// A link, a directory, or something in the place of one that leads there.
    NotAFile,
    TooLarge,
}

/// The next entry of the ledger, and the objects that it names.
#[derive(Debug)]
pub struct Addition {
    pub path: String,
    pub text: String,
    /// Paths of objects that were [`put`](Storage::put) before.
    pub objects: Vec<String>,
    /// What happens, in one line for people: `publish v3 of diabetes`.
    pub summary: String,
}

/// The files of a registry as one operation meets them. Paths are relative, with `/` between names.
///
/// A clone made before [`refresh`](Storage::refresh) is a place, one made after it is also a moment: it may go on seeing
/// the registry as it was then.
#[async_trait]
pub trait Storage: Clone + Send + Sync + 'static {
    /// Larger files are neither kept nor read.
    const MAX_FILE_BYTES: u64;
    /// Each failed attempt means that somebody else succeeded, so this is a bound for the absurd.
    const MAX_ATTEMPTS: usize;

    /// From now on what others have written is seen. What was there is there still, or the registry is damaged.
    async fn refresh(&mut self) -> Result<(), RegistryError>;

    /// The names in the directory, but those of files that are just being written; none if it is not there.
    async fn names(&self, directory: &str) -> Result<Vec<String>, RegistryError>;

    /// What is at each of the paths.
    async fn read(&self, paths: Vec<String>, limit_bytes: u64) -> Result<Vec<Found>, RegistryError>;

    /// Makes the place a registry by the file that says so, if it is none yet; removes what dead writers have left.
    async fn prepare(&mut self, mark: (&'static str, String)) -> Result<(), RegistryError>;

    /// Keeps a file that nothing names yet; one with other content in its place is replaced.
    async fn put(&mut self, path: String, content: Vec<u8>) -> Result<(), RegistryError>;

    /// Adds the entry, unless there is one at its path: then nothing is written, and the answer is `false`. Whoever sees
    /// the entry sees what it names.
    async fn append(&mut self, addition: &Addition) -> Result<bool, RegistryError>;
}
