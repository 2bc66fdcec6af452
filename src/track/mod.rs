//! Registries of model versions. Code above does not know which one it talks to.

mod branch;
mod content;
#[cfg(test)]
mod contract;
mod embedded;
mod local;
pub mod record;
mod registry;
pub mod tracker;
mod wandb;
mod withheld;

pub use branch::{BRANCH, Branch};
pub use content::Content;
use embedded::blocking;
pub use local::Local;
pub use registry::{
    AliasMove, Judgement, LedgerEntry, LedgerEvent, ModelRegistry, ModelVersion, MoveKind, NewVersion, Publication,
    RegistryError, VersionRef, check_metadata, content_digest, unreadable,
};
pub use wandb::{Place, Wandb};
pub use withheld::Withheld;
