//! The operations of the GraphQL API: a document each, typed on both sides.
//!
//! One function an operation. What W&B calls a thing (bucket, model, edge, node) stays in here.
#![allow(
    unused_imports,
    reason = "the whole protocol has names here; not every one is asked for"
)]

mod account;
mod artifacts;
mod collections;
mod downloads;
mod files;
mod runs;
mod shapes;
#[cfg(test)]
mod tests;
mod text;
mod versions;

use super::error::WandbError;

pub use account::{
    EntityOrganizations, Organization, RegistryProject, Viewer, org_of_entity, registry, server_features, viewer,
};
pub use artifacts::{
    ArtifactState, Committed, CreateArtifact, Created, UpdateArtifact, UseArtifact, commit_artifact, create_artifact,
    update_artifact, use_artifact,
};
pub use collections::{CollectionPath, LinkArtifact, add_aliases, delete_aliases, link_artifact, unlink_artifact};
pub use downloads::{manifest_url, membership_file_urls};
pub use files::{
    ArtifactFileSpec, CompleteMultipart, CreateManifest, FileUpload, ManifestUpload, MultipartUpload, Part,
    complete_multipart, create_artifact_files, create_artifact_manifest,
};
pub use runs::{
    Alert, AlertSeverity, Resume, RunFileUpload, RunHandle, RunInfo, RunPath, RunUploads, UpsertRun, alert,
    create_run_files, run_read, run_resume, upsert_run,
};
pub use text::read_json;
pub use versions::{ArtifactInfo, Collection, CollectionKind, MadeBy, Membership, VersionInfo, version, versions};

/// One document of `ops/`.
#[derive(Debug)]
pub struct Operation {
    /// As the document names it: `UpsertRun`.
    pub name: &'static str,
    pub text: &'static str,
    /// Whether doing it twice is the same as once, so that it may be repeated when its answer was lost.
    pub is_idempotent: bool,
}

/// Every document that is ever sent.
pub const OPERATIONS: &[&Operation] = &[
    &ADD_ALIASES,
    &ALERT,
    &COMMIT_ARTIFACT,
    &COMPLETE_MULTIPART,
    &CREATE_ARTIFACT,
    &CREATE_ARTIFACT_FILES,
    &CREATE_ARTIFACT_MANIFEST,
    &CREATE_RUN_FILES,
    &DELETE_ALIASES,
    &LINK_ARTIFACT,
    &MANIFEST_URL,
    &MEMBERSHIP_FILE_URLS,
    &ORG_OF_ENTITY,
    &REGISTRY,
    &RUN_READ,
    &RUN_RESUME,
    &SERVER_FEATURES,
    &UNLINK_ARTIFACT,
    &UPDATE_ARTIFACT,
    &UPSERT_RUN,
    &USE_ARTIFACT,
    &VERSION,
    &VERSIONS,
    &VIEWER,
];

/// An alias moves to what it is given to: said again after somebody else moved it, it would be taken from them.
pub const ADD_ALIASES: Operation = once("AddAliases", include_str!("ops/add_aliases.graphql"));
pub const ALERT: Operation = once("Alert", include_str!("ops/alert.graphql"));
/// Makes the version; a lost answer is looked up.
pub const COMMIT_ARTIFACT: Operation = once("CommitArtifact", include_str!("ops/commit_artifact.graphql"));
/// Storage knows an upload until it is complete, and then no longer.
pub const COMPLETE_MULTIPART: Operation = once("CompleteMultipart", include_str!("ops/complete_multipart.graphql"));
/// Without its commit it is no version, and the same content is found again.
pub const CREATE_ARTIFACT: Operation = again("CreateArtifact", include_str!("ops/create_artifact.graphql"));
pub const CREATE_ARTIFACT_FILES: Operation =
    again("CreateArtifactFiles", include_str!("ops/create_artifact_files.graphql"));
pub const CREATE_ARTIFACT_MANIFEST: Operation = again(
    "CreateArtifactManifest",
    include_str!("ops/create_artifact_manifest.graphql"),
);
pub const CREATE_RUN_FILES: Operation = again("CreateRunFiles", include_str!("ops/create_run_files.graphql"));
pub const DELETE_ALIASES: Operation = once("DeleteAliases", include_str!("ops/delete_aliases.graphql"));
pub const LINK_ARTIFACT: Operation = once("LinkArtifact", include_str!("ops/link_artifact.graphql"));
pub const MANIFEST_URL: Operation = again("ManifestUrl", include_str!("ops/manifest_url.graphql"));
pub const MEMBERSHIP_FILE_URLS: Operation =
    again("MembershipFileUrls", include_str!("ops/membership_file_urls.graphql"));
pub const ORG_OF_ENTITY: Operation = again("OrgOfEntity", include_str!("ops/org_of_entity.graphql"));
pub const REGISTRY: Operation = again("Registry", include_str!("ops/registry.graphql"));
pub const RUN_READ: Operation = again("RunRead", include_str!("ops/run_read.graphql"));
pub const RUN_RESUME: Operation = again("RunResume", include_str!("ops/run_resume.graphql"));
pub const SERVER_FEATURES: Operation = again("ServerFeatures", include_str!("ops/server_features.graphql"));
pub const UNLINK_ARTIFACT: Operation = once("UnlinkArtifact", include_str!("ops/unlink_artifact.graphql"));
pub const UPDATE_ARTIFACT: Operation = again("UpdateArtifact", include_str!("ops/update_artifact.graphql"));
/// A run is found again by its name.
pub const UPSERT_RUN: Operation = again("UpsertRun", include_str!("ops/upsert_run.graphql"));
pub const USE_ARTIFACT: Operation = again("UseArtifact", include_str!("ops/use_artifact.graphql"));
pub const VERSION: Operation = again("Version", include_str!("ops/version.graphql"));
pub const VERSIONS: Operation = again("Versions", include_str!("ops/versions.graphql"));
pub const VIEWER: Operation = again("Viewer", include_str!("ops/viewer.graphql"));

/// May be repeated when its answer was lost.
const fn again(name: &'static str, text: &'static str) -> Operation {
    Operation {
        name,
        text,
        is_idempotent: true,
    }
}

/// What came of it has to be looked up when its answer was lost.
const fn once(name: &'static str, text: &'static str) -> Operation {
    Operation {
        name,
        text,
        is_idempotent: false,
    }
}

/// An answer without what it should have.
fn malformed(operation: &Operation, why: impl Into<String>) -> WandbError {
    WandbError::Malformed {
        what: format!("`{}`", operation.name),
        why: why.into(),
    }
}
