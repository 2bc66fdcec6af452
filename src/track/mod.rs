//! Registries of model versions. Code above does not know which one it talks to.

#[allow(dead_code, reason = "chosen in `app` as its parts come")]
mod branch;
#[cfg(test)]
mod contract;
mod embedded;
mod local;
mod registry;

#[allow(unused_imports, reason = "joined in `app` as its parts come")]
pub use branch::{BRANCH, Branch};
pub use local::Local;
pub use registry::{
    AliasMove, Judgement, LedgerEntry, LedgerEvent, ModelRegistry, ModelVersion, MoveKind, NewVersion, Publication,
    RegistryError, VersionRef, check_metadata, content_digest,
};
