//! Collections: aliases and links of versions, moved.

use serde::{Deserialize, Serialize};

use super::shapes::{ArtifactAlias, Input, Success, artifact_aliases};
use super::{ADD_ALIASES, DELETE_ALIASES, LINK_ARTIFACT, Operation, UNLINK_ARTIFACT, malformed};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

/// Where a collection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectionPath {
    pub entity: String,
    pub project: String,
    pub collection: String,
}

/// Gives aliases to a version in a collection; another version there that has one of them loses it.
pub async fn add_aliases(
    client: &Client,
    artifact: &str,
    collection: &CollectionPath,
    aliases: &[String],
) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        add_aliases: Option<Success>,
    }
    let input = Input {
        input: AliasesInput::of(artifact, collection, aliases),
    };
    let answer: Answer = client.execute(&ADD_ALIASES, &input).await?;
    done(&ADD_ALIASES, answer.add_aliases.as_ref())
}

/// Takes aliases from a version in a collection.
pub async fn delete_aliases(
    client: &Client,
    artifact: &str,
    collection: &CollectionPath,
    aliases: &[String],
) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        delete_aliases: Option<Success>,
    }
    let input = Input {
        input: AliasesInput::of(artifact, collection, aliases),
    };
    let answer: Answer = client.execute(&DELETE_ALIASES, &input).await?;
    done(&DELETE_ALIASES, answer.delete_aliases.as_ref())
}

#[derive(Serialize)]
pub(super) struct AliasesInput<'a> {
    #[serde(rename = "artifactID")]
    artifact: &'a str,
    aliases: Vec<CollectionAlias<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CollectionAlias<'a> {
    entity_name: &'a str,
    project_name: &'a str,
    artifact_collection_name: &'a str,
    alias: &'a str,
}

impl<'a> AliasesInput<'a> {
    pub fn of(artifact: &'a str, collection: &'a CollectionPath, aliases: &'a [String]) -> Self {
        Self {
            artifact,
            aliases: aliases
                .iter()
                .map(|alias| CollectionAlias {
                    entity_name: &collection.entity,
                    project_name: &collection.project,
                    artifact_collection_name: &collection.collection,
                    alias,
                })
                .collect(),
        }
    }
}

/// A version to be linked into a collection of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkArtifact {
    pub artifact: String,
    /// Is made if it is not there; the registry is not.
    pub collection: CollectionPath,
    pub aliases: Vec<String>,
}

/// Links the version; the number that it has in the collection, if W&B says it.
pub async fn link_artifact(client: &Client, link: &LinkArtifact) -> Result<Option<u32>, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        link_artifact: Option<Payload>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Payload {
        version_index: Option<u32>,
    }
    let input = Input {
        input: LinkInput::of(link),
    };
    let answer: Answer = client.execute(&LINK_ARTIFACT, &input).await?;
    let payload = answer.link_artifact;
    Ok(payload
        .ok_or_else(|| malformed(&LINK_ARTIFACT, "it has no payload"))?
        .version_index)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkInput<'a> {
    #[serde(rename = "artifactID")]
    artifact: &'a str,
    artifact_portfolio_name: &'a str,
    entity_name: &'a str,
    project_name: &'a str,
    aliases: Vec<ArtifactAlias<'a>>,
}

impl<'a> LinkInput<'a> {
    pub fn of(link: &'a LinkArtifact) -> Self {
        Self {
            artifact: &link.artifact,
            artifact_portfolio_name: &link.collection.collection,
            entity_name: &link.collection.entity,
            project_name: &link.collection.project,
            aliases: artifact_aliases(&link.collection.collection, &link.aliases),
        }
    }
}

/// Takes the version out of the collection of a registry, which is named by its id.
pub async fn unlink_artifact(client: &Client, artifact: &str, collection_id: &str) -> Result<(), WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        unlink_artifact: Option<Success>,
    }
    let input = Input {
        input: UnlinkInput {
            artifact,
            portfolio: collection_id,
        },
    };
    let answer: Answer = client.execute(&UNLINK_ARTIFACT, &input).await?;
    done(&UNLINK_ARTIFACT, answer.unlink_artifact.as_ref())
}

#[derive(Serialize)]
pub(super) struct UnlinkInput<'a> {
    #[serde(rename = "artifactID")]
    pub artifact: &'a str,
    #[serde(rename = "artifactPortfolioID")]
    pub portfolio: &'a str,
}

fn done(operation: &Operation, success: Option<&Success>) -> Result<(), WandbError> {
    match success {
        Some(Success { success: true }) => Ok(()),
        _ => Err(malformed(operation, "it does not say that it was done")),
    }
}
