//! Registries of model versions. Code above does not know which one it talks to.

#[cfg(test)]
mod contract;
mod local;
mod registry;

pub use local::Local;
pub use registry::{
    AliasMove, LedgerEntry, LedgerEvent, ModelRegistry, ModelVersion, NewVersion, RegistryError, VersionRef,
    content_digest,
};
