//! Weights & Biases: its protocol, its storage and its offline log. Takes names, numbers and bytes, never facts.
#![allow(dead_code, reason = "nobody speaks it yet")]

mod artifacts;
mod client;
mod error;
mod hosts;
mod key;
mod lines;
mod log;
mod media;
mod oidc;
mod operations;
mod place;
mod replay;
mod retry;
mod stream;
#[cfg(test)]
mod tests;
mod tries;
mod upload;
mod wire;

pub use artifacts::{Content, Entry, Files, NewArtifact, publish};
pub use client::{Attribution, Client, Settings};
pub use error::WandbError;
pub use hosts::Hosts;
pub use key::{Key, KeySource, netrc_password};
pub use oidc::{Credentials, GithubIdentity};
pub use operations::{
    CollectionPath, EntityOrganizations, LinkArtifact, Membership, Organization, UpdateArtifact, UpsertRun,
    VersionInfo, add_aliases, delete_aliases, link_artifact, org_of_entity, registry, unlink_artifact, update_artifact,
    upsert_run, version, versions,
};
pub use replay::{Replayed, replay};
pub use retry::Pace;
