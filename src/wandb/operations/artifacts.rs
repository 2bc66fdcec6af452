//! Artifacts: made, committed, changed, used.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::runs::{RunPath, as_text};
use super::shapes::{ArtifactAlias, Id, Input, Tag, artifact_aliases, tag_names};
use super::{COMMIT_ARTIFACT, CREATE_ARTIFACT, UPDATE_ARTIFACT, USE_ARTIFACT, malformed};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ArtifactState {
    /// Made, and not yet a version.
    Pending,
    Committed,
    Deleted,
}

/// An artifact to be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CreateArtifact {
    pub entity: String,
    pub project: String,
    /// The run that it comes from, by the id in its address.
    pub run: Option<String>,
    /// `model`, `dataset`.
    pub type_name: String,
    pub name: String,
    /// Of its manifest, in hexadecimal digits.
    pub digest: String,
    pub description: Option<String>,
    pub metadata: Option<Value>,
    pub aliases: Vec<String>,
    pub tags: Vec<String>,
    /// 128 characters of `0-9a-z` by which it is known before it has an id; the same for the same content.
    pub client_id: Option<String>,
    /// The same of its collection.
    pub sequence_client_id: Option<String>,
}

/// What W&B made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub id: String,
    /// [`ArtifactState::Committed`]: a version with this content is there, and this is its id.
    pub state: ArtifactState,
    /// The newest version of the collection, by its id.
    pub latest: Option<String>,
}

/// Makes the artifact, or finds it by its content.
pub async fn create_artifact(client: &Client, artifact: &CreateArtifact) -> Result<Created, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        create_artifact: Option<Payload>,
    }
    #[derive(Deserialize)]
    struct Payload {
        artifact: Artifact,
    }
    #[derive(Deserialize)]
    struct Artifact {
        id: String,
        state: ArtifactState,
        #[serde(rename = "artifactSequence")]
        sequence: Sequence,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Sequence {
        latest_artifact: Option<Id>,
    }
    let input = Input {
        input: CreateInput::of(artifact),
    };
    let answer: Answer = client.execute(&CREATE_ARTIFACT, &input).await?;
    let artifact = answer
        .create_artifact
        .ok_or_else(|| malformed(&CREATE_ARTIFACT, "it has no payload"))?
        .artifact;
    Ok(Created {
        id: artifact.id,
        state: artifact.state,
        latest: artifact.sequence.latest_artifact.map(|latest| latest.id),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateInput<'a> {
    entity_name: &'a str,
    project_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_name: Option<&'a str>,
    artifact_type_name: &'a str,
    artifact_collection_name: &'a str,
    digest: &'a str,
    digest_algorithm: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    aliases: Vec<ArtifactAlias<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Tag<'a>>,
    #[serde(rename = "clientID", skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(rename = "sequenceClientID", skip_serializing_if = "Option::is_none")]
    sequence_client_id: Option<&'a str>,
    enable_digest_deduplication: bool,
}

impl<'a> CreateInput<'a> {
    pub fn of(artifact: &'a CreateArtifact) -> Self {
        Self {
            entity_name: &artifact.entity,
            project_name: &artifact.project,
            run_name: artifact.run.as_deref(),
            artifact_type_name: &artifact.type_name,
            artifact_collection_name: &artifact.name,
            digest: &artifact.digest,
            digest_algorithm: "MANIFEST_MD5",
            description: artifact.description.as_deref(),
            metadata: artifact.metadata.as_ref().map(Value::to_string),
            aliases: artifact_aliases(&artifact.name, &artifact.aliases),
            tags: tag_names(&artifact.tags),
            client_id: artifact.client_id.as_deref(),
            sequence_client_id: artifact.sequence_client_id.as_deref(),
            enable_digest_deduplication: true,
        }
    }
}

/// A version that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub id: String,
    pub digest: String,
    pub state: ArtifactState,
    /// The number in `v3`, in the collection that it was made for.
    pub version_index: Option<u32>,
}

/// Makes a version of the artifact.
pub async fn commit_artifact(client: &Client, artifact: &str) -> Result<Committed, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        commit_artifact: Option<Payload>,
    }
    #[derive(Deserialize)]
    struct Payload {
        artifact: Found,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Found {
        id: String,
        digest: String,
        state: ArtifactState,
        version_index: Option<u32>,
    }
    let answer: Answer = client.execute(&COMMIT_ARTIFACT, &ArtifactOnly { artifact }).await?;
    let found = answer
        .commit_artifact
        .ok_or_else(|| malformed(&COMMIT_ARTIFACT, "it has no payload"))?
        .artifact;
    Ok(Committed {
        id: found.id,
        digest: found.digest,
        state: found.state,
        version_index: found.version_index,
    })
}

#[derive(Serialize)]
pub(super) struct ArtifactOnly<'a> {
    pub artifact: &'a str,
}

/// What changes about a version; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateArtifact {
    pub artifact: String,
    pub description: Option<String>,
    /// All of it: what is left out is gone.
    pub metadata: Option<Value>,
    pub tags_to_add: Vec<String>,
    pub tags_to_delete: Vec<String>,
}

/// Changes a version.
pub async fn update_artifact(client: &Client, update: &UpdateArtifact) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        update_artifact: Option<Payload>,
    }
    let input = Input {
        input: UpdateInput::of(update),
    };
    let answer: Answer = client.execute(&UPDATE_ARTIFACT, &input).await?;
    match answer.update_artifact {
        Some(payload) if payload.artifact.id == update.artifact => Ok(()),
        _ => Err(malformed(&UPDATE_ARTIFACT, "it is not about the artifact")),
    }
}

#[derive(Deserialize)]
struct Payload {
    artifact: Id,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateInput<'a> {
    #[serde(rename = "artifactID")]
    artifact: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    metadata: &'a Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags_to_add: Vec<Tag<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags_to_delete: Vec<Tag<'a>>,
}

impl<'a> UpdateInput<'a> {
    pub fn of(update: &'a UpdateArtifact) -> Self {
        Self {
            artifact: &update.artifact,
            description: update.description.as_deref(),
            metadata: &update.metadata,
            tags_to_add: tag_names(&update.tags_to_add),
            tags_to_delete: tag_names(&update.tags_to_delete),
        }
    }
}

/// A run that works with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseArtifact {
    pub artifact: String,
    pub run: RunPath,
    /// Where the artifact was found, entity and project; only for servers that can be told
    /// (`USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION`).
    pub found_in: Option<(String, String)>,
    /// The part that it plays: `test data`.
    pub used_as: Option<String>,
}

/// Says that the run works with the version.
pub async fn use_artifact(client: &Client, usage: &UseArtifact) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        use_artifact: Option<Payload>,
    }
    let input = Input {
        input: UseInput::of(usage),
    };
    let answer: Answer = client.execute(&USE_ARTIFACT, &input).await?;
    match answer.use_artifact {
        Some(payload) if payload.artifact.id == usage.artifact => Ok(()),
        _ => Err(malformed(&USE_ARTIFACT, "it is not about the artifact")),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UseInput<'a> {
    #[serde(rename = "artifactID")]
    artifact: &'a str,
    entity_name: &'a str,
    project_name: &'a str,
    run_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_entity_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_project_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_as: Option<&'a str>,
}

impl<'a> UseInput<'a> {
    pub fn of(usage: &'a UseArtifact) -> Self {
        let found_in = usage.found_in.as_ref();
        Self {
            artifact: &usage.artifact,
            entity_name: &usage.run.entity,
            project_name: &usage.run.project,
            run_name: &usage.run.run,
            artifact_entity_name: found_in.map(|(entity, _)| entity.as_str()),
            artifact_project_name: found_in.map(|(_, project)| project.as_str()),
            used_as: usage.used_as.as_deref(),
        }
    }
}
