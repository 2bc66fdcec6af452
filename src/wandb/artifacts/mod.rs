//! Artifacts: digests, the list of their files, published whole or not at all, downloaded and held against their digests.
#![allow(
    unused_imports,
    reason = "the whole protocol has names here; not every one is asked for"
)]

mod described;
mod digest;
mod download;
mod manifest;
mod names;
mod publish;
mod reference;
#[cfg(test)]
mod tests;
mod transfer;

pub use described::{Described, DescribedEntry};
pub use digest::{ClientIds, FileDigest, Md5, file_digest};
pub use download::Files;
pub use manifest::{Manifest, ManifestEntry};
pub use names::check_path;
pub use publish::{Content, Entry, NewArtifact, PublishedArtifact, publish, publish_in};
pub use reference::{ArtifactReference, Checksum, Reference};
pub use transfer::Sizes;
pub(super) use transfer::joined;
