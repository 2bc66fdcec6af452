//! Who the key belongs to, what the server can do, and where an organization keeps its registry.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::shapes::{Named, Nodes};
use super::{ORG_OF_ENTITY, REGISTRY, SERVER_FEATURES, VIEWER};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    pub id: String,
    pub username: Option<String>,
    pub email: Option<String>,
    /// Where runs go when nothing else is said.
    pub entity: Option<String>,
    pub teams: Vec<String>,
}

/// `None` if W&B does not know the key.
pub async fn viewer(client: &Client) -> Result<Option<Viewer>, WandbError> {
    #[derive(Deserialize)]
    struct Answer {
        viewer: Option<User>,
    }
    #[derive(Deserialize)]
    struct User {
        id: String,
        username: Option<String>,
        email: Option<String>,
        entity: Option<String>,
        teams: Option<Nodes<Named>>,
    }
    let answer: Answer = client.execute(&VIEWER, &Nothing {}).await?;
    Ok(answer.viewer.map(|user| Viewer {
        id: user.id,
        username: user.username,
        email: user.email,
        entity: user.entity.filter(|entity| !entity.is_empty()),
        teams: user.teams.map(names).unwrap_or_default(),
    }))
}

/// What the server says it can do, by W&B's names; nothing for one that is too old to say.
pub async fn server_features(client: &Client) -> Result<BTreeSet<String>, WandbError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        server_info: Option<ServerInfo>,
    }
    #[derive(Deserialize)]
    struct ServerInfo {
        features: Vec<Option<Feature>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Feature {
        name: String,
        is_enabled: bool,
    }
    let answer: Answer = match client.execute(&SERVER_FEATURES, &Nothing {}).await {
        Ok(answer) => answer,
        Err(WandbError::UnknownField { .. }) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    };
    let features = answer.server_info.map(|info| info.features).unwrap_or_default();
    Ok(features
        .into_iter()
        .flatten()
        .filter(|feature| feature.is_enabled)
        .map(|feature| feature.name)
        .collect())
}

/// An organization, whose registries are projects of an entity of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// As people see it.
    pub name: String,
    /// As paths have it; usually made up by W&B.
    pub entity: Option<String>,
}

/// Where an entity belongs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntityOrganizations {
    /// Of a team.
    pub team: Option<Organization>,
    /// Of a person, who may be in several.
    pub person: Vec<Organization>,
}

/// `None` if there is no such entity, or none that the key may see.
pub async fn org_of_entity(client: &Client, entity: &str) -> Result<Option<EntityOrganizations>, WandbError> {
    #[derive(Deserialize)]
    struct Answer {
        entity: Option<Entity>,
    }
    #[derive(Deserialize)]
    struct Entity {
        organization: Option<Found>,
        user: Option<User>,
    }
    #[derive(Deserialize)]
    struct User {
        organizations: Vec<Found>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Found {
        name: String,
        org_entity: Option<Named>,
    }
    let plain = |found: Found| Organization {
        name: found.name,
        entity: found.org_entity.map(|entity| entity.name),
    };
    let answer: Answer = client.execute(&ORG_OF_ENTITY, &EntityVariables { entity }).await?;
    Ok(answer.entity.map(|entity| EntityOrganizations {
        team: entity.organization.map(plain),
        person: entity
            .user
            .map(|user| user.organizations.into_iter().map(plain).collect())
            .unwrap_or_default(),
    }))
}

/// A registry, which is a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryProject {
    pub id: String,
    pub name: String,
    pub access: Option<String>,
    pub is_read_only: bool,
    pub takes_all_types: bool,
    /// The types of artifacts that it takes.
    pub types: Vec<String>,
}

/// `None` if there is no such registry, or none that the key may see.
pub async fn registry(client: &Client, entity: &str, name: &str) -> Result<Option<RegistryProject>, WandbError> {
    #[derive(Deserialize)]
    struct Answer {
        entity: Option<Entity>,
    }
    #[derive(Deserialize)]
    struct Entity {
        project: Option<Found>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Found {
        id: String,
        name: String,
        access: Option<String>,
        read_only: Option<bool>,
        allow_all_artifact_types_in_registry: bool,
        artifact_types: Nodes<Named>,
    }
    let variables = RegistryVariables { entity, name };
    let answer: Answer = client.execute(&REGISTRY, &variables).await?;
    let project = answer.entity.and_then(|entity| entity.project);
    Ok(project.map(|found| RegistryProject {
        id: found.id,
        name: found.name,
        access: found.access,
        is_read_only: found.read_only.unwrap_or(false),
        takes_all_types: found.allow_all_artifact_types_in_registry,
        types: names(found.artifact_types),
    }))
}

#[derive(Serialize)]
pub(super) struct Nothing {}

#[derive(Serialize)]
pub(super) struct EntityVariables<'a> {
    pub entity: &'a str,
}

#[derive(Serialize)]
pub(super) struct RegistryVariables<'a> {
    pub entity: &'a str,
    pub name: &'a str,
}

fn names(nodes: Nodes<Named>) -> Vec<String> {
    nodes.into_values().map(|named| named.name).collect()
}
