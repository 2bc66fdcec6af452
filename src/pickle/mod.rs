//! Pickles of somebody else's, taken apart and never loaded: what they would import and call. Pure.

mod container;
mod judge;
mod ops;
mod plain;
mod scan;
mod stdlib;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use container::disassemble;
#[cfg(test)]
use plain::PlainError;
pub use plain::plain;

/// How much of somebody else's file is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of the file as it lies there.
    pub size_bytes: usize,
    /// Of everything that is unpacked from it.
    pub unpacked_bytes: usize,
    /// Of all streams together.
    pub n_opcodes: usize,
    /// Values on the stack and in the memo of one stream.
    pub n_values: usize,
    /// Streams in a file, entries in an archive.
    pub n_parts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size_bytes: 512 << 20,
            unpacked_bytes: 512 << 20,
            n_opcodes: 20_000_000,
            n_values: 8_000_000,
            n_parts: 4096,
        }
    }
}

/// What a file of pickles is, and what loading it would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub format: Format,
    pub packing: Option<Packing>,
    /// The highest that a stream names; 0 if none does.
    pub protocol: u8,
    pub n_streams: usize,
    /// Arrays whose bytes lie between the opcodes, as joblib writes them.
    pub n_arrays: usize,
    /// In the order in which they are first named.
    pub globals: Vec<Global>,
    /// How often something is called or made.
    pub n_calls: usize,
    /// What a reader should know, suspicious or not; inert text.
    pub findings: Vec<String>,
    pub verdict: Verdict,
}

impl Report {
    #[cfg(test)]
    pub fn is_suspicious(&self) -> bool {
        matches!(self.verdict, Verdict::Suspicious { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    Pickle,
    Joblib,
    /// Several pickles and raw storages, as torch wrote until 1.5.
    TorchLegacy,
    /// An archive with a `data.pkl`.
    Torch,
    /// An archive of arrays.
    Npz,
    Npy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    Zlib,
    Gzip,
    Bz2,
    Xz,
    Lzma,
    Lz4,
}

/// A name that loading would import; inert text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Global {
    pub module: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Plain values alone.
    Plain,
    /// Objects of libraries that models are made of.
    Model { libraries: Vec<String> },
    /// Code of modules that nobody here knows, as of the repository itself.
    Foreign { modules: Vec<String> },
    /// It reaches for what no model needs, or can not be read to its end.
    Suspicious { what: Vec<String> },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    #[error("this is no pickle, nor an archive or array file that may have one in it")]
    NotAPickle,
    #[error("the file has {size_bytes} bytes; at most {limit} are looked at")]
    TooLarge { size_bytes: usize, limit: usize },
}
