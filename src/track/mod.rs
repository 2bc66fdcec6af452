//! Registries of model versions. Code above does not know which one it talks to.

mod registry;

pub use registry::{
    AliasMove, LedgerEntry, LedgerEvent, ModelRegistry, ModelVersion, NewVersion, RegistryError, VersionRef,
};
