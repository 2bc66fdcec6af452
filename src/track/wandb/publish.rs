//! From files to one version of the collection, whatever was done of it before and whoever does the same.

use std::collections::BTreeMap;

use super::{
    Digest, ModelName, ModelVersion, NewVersion, Publication, RegistryError, VersionNumber, Wandb, about, failed,
    ledger, need, versions,
};
use crate::track::{Content, content_digest};
use crate::wandb::{self, CollectionPath, Entry, LinkArtifact, NewArtifact, WandbError};

/// What versions are in W&B.
const TYPE: &str = "model";

impl Wandb {
    pub(super) async fn publish_version(
        &self,
        model: &ModelName,
        new: NewVersion,
    ) -> Result<Publication, RegistryError> {
        new.check()?;
        if model.as_str().len() > ledger::MAX_NAME {
            return Err(RegistryError::Refused {
                what: model.to_string(),
                why: format!("a model in W&B has a name of at most {} characters", ledger::MAX_NAME),
            });
        }
        let (new, files) = crate::track::blocking(move || {
            let files = new.file_digests();
            Ok((new, files?))
        })
        .await?;
        let digest = content_digest(&files);
        let linked = self.linked(model).await?;
        if let Some(version) = with_digest(versions(model, &linked), digest) {
            return Ok(Publication { version, existed: true });
        }
        if linked.is_empty() {
            self.check_registry().await?;
        }
        self.ensure_run().await?;
        let version = ModelVersion {
            model: model.clone(),
            number: VersionNumber(0),
            digest,
            files,
            metadata: new.metadata,
            actor: new.actor,
            at: new.at,
        };
        let artifact = self
            .keep(
                &version,
                new.files
                    .into_iter()
                    .map(|(name, content)| (name, entry(content)))
                    .collect(),
            )
            .await?;
        self.link(&version, &artifact).await
    }

    /// The artifact of the project that holds the version; one of an attempt before is taken up.
    async fn keep(&self, version: &ModelVersion, entries: BTreeMap<String, Entry>) -> Result<String, RegistryError> {
        let metadata = about::written(version);
        let artifact = NewArtifact {
            entity: self.place.entity.clone(),
            project: self.place.project.clone(),
            run: Some(self.place.run.id.clone()),
            type_name: TYPE.to_owned(),
            name: version.model.to_string(),
            description: None,
            metadata: Some(metadata.clone()),
            aliases: Vec::new(),
            tags: Vec::new(),
            entries,
            client_ids: None,
        };
        let made = wandb::publish(&self.client, artifact)
            .await
            .map_err(|error| need("publish the model", error))?;
        if made.existed {
            self.describe(made.id.clone(), metadata)
                .await
                .map_err(|error| need("publish the model", error))?;
        }
        Ok(made.id)
    }

    /// Links the artifact, unless the same content is linked already: then that is the version.
    async fn link(&self, version: &ModelVersion, artifact: &str) -> Result<Publication, RegistryError> {
        let (model, home) = (&version.model, self.home().await?);
        let link = LinkArtifact {
            artifact: artifact.to_owned(),
            collection: CollectionPath {
                entity: home.entity.clone(),
                project: self.place.registry.clone(),
                collection: model.to_string(),
            },
            aliases: Vec::new(),
        };
        let done = wandb::link_artifact(&self.client, &link).await;
        // Whether or not it was answered: what is there now says what became of it.
        let linked = self.linked(model).await;
        let linked = match (done, linked) {
            (Err(error), Ok(linked)) if linked.iter().all(|version| version.artifact != artifact) => {
                return Err(self.no_link(model, error));
            }
            (_, linked) => linked?,
        };
        let all: Vec<ModelVersion> = linked
            .iter()
            .map(|one| about::read(model, &about::Kept::of_version(one)))
            .collect();
        let first = with_digest(all, version.digest).ok_or_else(|| RegistryError::Damaged {
            file: model.to_string(),
            why: "the version that was linked is not in the collection".to_owned(),
        })?;
        let ours = linked.iter().find(|one| one.artifact == artifact);
        if let Some(ours) = ours.filter(|ours| ours.index != first.number.0) {
            tracing::debug!(version = %first.number, "somebody else has linked the same content");
            self.unlink(model, &ours.artifact, ours.index).await?;
            return Ok(Publication {
                version: first,
                existed: true,
            });
        }
        let existed = ours.is_none();
        Ok(Publication {
            version: first,
            existed,
        })
    }

    /// Takes back a second version of the same content.
    async fn unlink(&self, model: &ModelName, artifact: &str, index: u32) -> Result<(), RegistryError> {
        let membership = self.membership(model, &VersionNumber(index).to_string()).await?;
        let Some(membership) = membership else { return Ok(()) };
        wandb::unlink_artifact(&self.client, artifact, &membership.collection.id)
            .await
            .map_err(|error| need("unlink a version that was published twice", error))
    }

    fn no_link(&self, model: &ModelName, error: WandbError) -> RegistryError {
        match error {
            WandbError::NotFound { .. } => RegistryError::PermissionDenied {
                action: format!("link `{model}` to `{}`", self.place.registry),
                needs: format!(
                    "the registry has to exist and to be visible, and `{}` has to be a team of its organization ({error})",
                    self.place.entity
                ),
            },
            error => need(&format!("link `{model}` to `{}`", self.place.registry), error),
        }
    }

    /// A first version: whether there is a registry to link it to.
    async fn check_registry(&self) -> Result<(), RegistryError> {
        let home = self.home().await?;
        let found = wandb::registry(&self.client, &home.entity, &self.place.registry)
            .await
            .map_err(|error| failed("find the registry", error))?;
        if found.is_some() {
            return Ok(());
        }
        let short = self
            .place
            .registry
            .strip_prefix("wandb-registry-")
            .unwrap_or(&self.place.registry);
        Err(RegistryError::PermissionDenied {
            action: format!("publish to the registry `{short}` of `{}`", home.name),
            needs: "it does not exist, or this account does not see it: create it in W&B, or add the account to it"
                .to_owned(),
        })
    }
}

fn with_digest(versions: Vec<ModelVersion>, digest: Digest) -> Option<ModelVersion> {
    versions.into_iter().find(|version| version.digest == digest)
}

pub(super) fn entry(content: Content) -> Entry {
    Entry::File(content.into())
}
