//! Versions: the one that an alias stands for, and all of a collection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::Timestamp;

use super::artifacts::ArtifactState;
use super::collections::CollectionPath;
use super::shapes::{Edge, Id, MAX_PAGES, Named, PageInfo, Project, date, given_aliases, index_of, inner_json};
use super::{VERSION, VERSIONS, malformed};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

/// Versions that are asked for at once.
const PAGE: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectionKind {
    /// Of a project: what its runs made.
    Sequence,
    /// Of a registry: what was linked into it.
    Portfolio,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub id: String,
    pub kind: CollectionKind,
    pub path: CollectionPath,
}

/// A version in a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// Of this version in this collection: an alias that moved leads to another one.
    pub id: String,
    /// The number in `v3`, in this collection.
    pub version_index: Option<u32>,
    pub created_at: Timestamp,
    /// Those that somebody gave, in this collection.
    pub aliases: Vec<String>,
    pub collection: Collection,
    pub artifact: ArtifactInfo,
}

/// A version, wherever it is linked.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactInfo {
    pub id: String,
    pub state: ArtifactState,
    /// Of its manifest.
    pub digest: String,
    /// The number in `v3`, where it was made.
    pub version_index: Option<u32>,
    pub description: Option<String>,
    pub metadata: Option<Value>,
    pub size_bytes: u64,
    pub n_files: u64,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub tags: Vec<String>,
    pub type_name: String,
    /// Where it was made; the project is hidden from those who may see the registry alone.
    pub sequence: String,
    pub sequence_project: Option<(String, String)>,
    /// None: a person made it, or a run that the key may not see.
    pub made_by: Option<MadeBy>,
}

/// The run that made a version.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeBy {
    pub id: String,
    pub name: String,
    pub display_name: Option<String>,
    pub state: Option<String>,
    pub summary: Option<Value>,
    /// Entity and project.
    pub project: Option<(String, String)>,
}

/// The version that `collection:alias` stands for; `None` if there is no such project, collection or alias, or none that
/// the key may see.
pub async fn version(
    client: &Client,
    entity: &str,
    project: &str,
    name: &str,
) -> Result<Option<Membership>, WandbError> {
    let variables = VersionVariables { entity, project, name };
    let answer: VersionAnswer = client.execute(&VERSION, &variables).await?;
    answer
        .project
        .and_then(|project| project.artifact_collection_membership)
        .map(membership)
        .transpose()
}

#[derive(Serialize)]
pub(super) struct VersionVariables<'a> {
    pub entity: &'a str,
    pub project: &'a str,
    pub name: &'a str,
}

#[derive(Deserialize)]
struct VersionAnswer {
    project: Option<VersionProject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionProject {
    artifact_collection_membership: Option<FoundMembership>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundMembership {
    id: String,
    version_index: Option<u32>,
    created_at: String,
    aliases: Vec<FoundAlias>,
    artifact_collection: Option<FoundCollection>,
    artifact: Option<FoundArtifact>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundAlias {
    alias: String,
    artifact_collection: Option<Id>,
}

#[derive(Deserialize)]
struct FoundCollection {
    #[serde(rename = "__typename")]
    kind: String,
    id: String,
    name: String,
    project: Option<Project>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundArtifact {
    id: String,
    state: ArtifactState,
    digest: String,
    version_index: Option<u32>,
    description: Option<String>,
    metadata: Option<String>,
    size: u64,
    file_count: u64,
    created_at: String,
    updated_at: Option<String>,
    tags: Vec<Named>,
    artifact_type: Named,
    artifact_sequence: FoundSequence,
    created_by: Option<FoundCreator>,
}

#[derive(Deserialize)]
struct FoundSequence {
    name: String,
    project: Option<Project>,
}

/// A run has all of it, a person nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundCreator {
    id: Option<String>,
    name: Option<String>,
    display_name: Option<String>,
    state: Option<String>,
    summary_metrics: Option<String>,
    project: Option<Project>,
}

fn membership(found: FoundMembership) -> Result<Membership, WandbError> {
    let missing = |what: &str| malformed(&VERSION, format!("the version has no {what}"));
    let collection = found.artifact_collection.ok_or_else(|| missing("collection"))?;
    let project = collection.project.ok_or_else(|| missing("project"))?;
    Ok(Membership {
        id: found.id,
        version_index: found.version_index,
        created_at: date(&VERSION, "createdAt", &found.created_at)?,
        aliases: given_aliases(found.aliases.into_iter().map(|alias| alias.alias)),
        collection: Collection {
            id: collection.id,
            kind: match collection.kind.as_str() {
                "ArtifactPortfolio" => CollectionKind::Portfolio,
                _ => CollectionKind::Sequence,
            },
            path: CollectionPath {
                entity: project.entity.name,
                project: project.name,
                collection: collection.name,
            },
        },
        artifact: artifact(found.artifact.ok_or_else(|| missing("artifact"))?)?,
    })
}

fn artifact(found: FoundArtifact) -> Result<ArtifactInfo, WandbError> {
    let updated_at = found.updated_at.filter(|text| !text.is_empty());
    Ok(ArtifactInfo {
        metadata: inner_json(&VERSION, "metadata", found.metadata.as_deref())?,
        created_at: date(&VERSION, "createdAt", &found.created_at)?,
        updated_at: updated_at.map(|text| date(&VERSION, "updatedAt", &text)).transpose()?,
        made_by: found.created_by.map(made_by).transpose()?.flatten(),
        id: found.id,
        state: found.state,
        digest: found.digest,
        version_index: found.version_index,
        description: found.description,
        size_bytes: found.size,
        n_files: found.file_count,
        tags: found.tags.into_iter().map(|tag| tag.name).collect(),
        type_name: found.artifact_type.name,
        sequence: found.artifact_sequence.name,
        sequence_project: found.artifact_sequence.project.map(owner_and_name),
    })
}

fn made_by(found: FoundCreator) -> Result<Option<MadeBy>, WandbError> {
    let (Some(id), Some(name)) = (found.id, found.name) else {
        return Ok(None);
    };
    Ok(Some(MadeBy {
        id,
        name,
        display_name: found.display_name,
        state: found.state,
        summary: inner_json(&VERSION, "summaryMetrics", found.summary_metrics.as_deref())?,
        project: found.project.map(owner_and_name),
    }))
}

fn owner_and_name(project: Project) -> (String, String) {
    (project.entity.name, project.name)
}

/// One of the versions of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionInfo {
    /// The number in `v3`, in this collection.
    pub index: u32,
    pub artifact: String,
    /// Of its manifest.
    pub digest: String,
    pub metadata: Option<Value>,
    pub created_at: Timestamp,
    pub tags: Vec<String>,
    /// Those that somebody gave, in this collection alone.
    pub aliases: Vec<String>,
}

/// All versions of a collection, the first one first; `None` if there is no such project or collection, or none that the
/// key may see.
pub async fn versions(
    client: &Client,
    entity: &str,
    project: &str,
    collection: &str,
) -> Result<Option<Vec<VersionInfo>>, WandbError> {
    let mut all = BTreeMap::new();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let variables = VersionsVariables {
            entity,
            project,
            collection,
            first: PAGE,
            after: after.as_deref(),
        };
        let answer: VersionsAnswer = client.execute(&VERSIONS, &variables).await?;
        let Some(found) = answer.project.and_then(|project| project.artifact_collection) else {
            return Ok(None);
        };
        let page = found
            .artifacts
            .ok_or_else(|| malformed(&VERSIONS, "the collection has no list of versions"))?;
        for edge in page.edges {
            let version = version_info(&found.id, edge)?;
            all.insert(version.index, version);
        }
        after = page.page_info.next();
        if after.is_none() {
            return Ok(Some(all.into_values().collect()));
        }
    }
    let limit = MAX_PAGES * PAGE;
    Err(malformed(
        &VERSIONS,
        format!("the collection has more than {limit} versions"),
    ))
}

#[derive(Serialize)]
pub(super) struct VersionsVariables<'a> {
    pub entity: &'a str,
    pub project: &'a str,
    pub collection: &'a str,
    pub first: usize,
    pub after: Option<&'a str>,
}

#[derive(Deserialize)]
struct VersionsAnswer {
    project: Option<VersionsProject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionsProject {
    artifact_collection: Option<VersionsCollection>,
}

#[derive(Deserialize)]
struct VersionsCollection {
    id: String,
    artifacts: Option<VersionsPage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VersionsPage {
    page_info: PageInfo,
    edges: Vec<VersionEdge>,
}

#[derive(Deserialize)]
struct VersionEdge {
    version: String,
    #[serde(flatten)]
    edge: Edge<FoundVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundVersion {
    id: String,
    digest: String,
    metadata: Option<String>,
    created_at: String,
    tags: Vec<Named>,
    aliases: Vec<FoundAlias>,
}

fn version_info(collection: &str, edge: VersionEdge) -> Result<VersionInfo, WandbError> {
    let index =
        index_of(&edge.version).ok_or_else(|| malformed(&VERSIONS, format!("`{}` is no version", edge.version)))?;
    let found = edge
        .edge
        .node
        .ok_or_else(|| malformed(&VERSIONS, format!("`{}` has no artifact", edge.version)))?;
    let here = found.aliases.into_iter().filter(|alias| {
        let place = alias.artifact_collection.as_ref();
        place.is_some_and(|place| place.id == collection)
    });
    Ok(VersionInfo {
        index,
        metadata: inner_json(&VERSIONS, "metadata", found.metadata.as_deref())?,
        created_at: date(&VERSIONS, "createdAt", &found.created_at)?,
        aliases: given_aliases(here.map(|alias| alias.alias)),
        artifact: found.id,
        digest: found.digest,
        tags: found.tags.into_iter().map(|tag| tag.name).collect(),
    })
}
