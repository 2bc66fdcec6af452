//! What a run works with, as W&B draws it: from version to run.

use super::{RegistryError, Wandb, failed, need};
use crate::wandb::{self, Client, RunPath, UseArtifact, WandbError};

/// Servers with this are told where a version was found.
const TELLS_PLACE: &str = "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION";

/// Says that the run works with an artifact, by its id; `place` is the entity and the project where it was found.
pub async fn used(client: &Client, run: &RunPath, artifact: String, place: (&str, &str)) -> Result<(), WandbError> {
    let features = client.features().await;
    let tells_place = features.is_ok_and(|features| features.has(TELLS_PLACE));
    let usage = UseArtifact {
        artifact,
        run: run.clone(),
        found_in: tells_place.then(|| (place.0.to_owned(), place.1.to_owned())),
        used_as: None,
    };
    wandb::use_artifact(client, &usage).await
}

impl Wandb {
    /// Says that the run works with a version of the registry: `diabetes:v3`.
    pub async fn used_by(&self, run: &RunPath, name: &str) -> Result<(), RegistryError> {
        let home = self.home().await?;
        let registry = &self.place.registry;
        let found = wandb::version(&self.client, &home.entity, registry, name).await;
        let found = found.map_err(|error| failed("read a version", error))?;
        let Some(version) = found else {
            return Err(RegistryError::Refused {
                what: name.to_owned(),
                why: format!("there is no such version in `{registry}`"),
            });
        };
        used(&self.client, run, version.artifact.id, (&home.entity, registry))
            .await
            .map_err(|error| need("link the version to the run", error))
    }
}
