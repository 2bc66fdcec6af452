//! From a finished run to a version with the alias `candidate`, and to production where nobody has to be asked.

use std::collections::BTreeMap;

use crate::base::{Alias, Digest, ModelName};
use crate::config::{Approval, PromoteSettings};
use crate::facts::{Facts, RegistryFacts};
use crate::promote::{self, Decision, Warnings};
use crate::track::{
    AliasMove, Judgement, ModelVersion, MoveKind, NewVersion, Publication, RegistryError, content_digest,
};

use super::{Services, bundle};

/// What became of a publication.
pub struct Published {
    pub version: ModelVersion,
    pub facts: RegistryFacts,
}

/// The digest that a bundle has as a version.
pub fn digest(files: &BTreeMap<String, Vec<u8>>) -> Digest {
    content_digest(
        &files
            .iter()
            .map(|(name, bytes)| (name.clone(), Digest::of(bytes)))
            .collect(),
    )
}

/// Publishes the bundle of a run that passed. Of a version that is there already, the judgement becomes the newest one.
pub async fn publish_run(
    services: &Services,
    promote: &PromoteSettings,
    facts: &Facts,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Published, RegistryError> {
    let model = name(facts)?;
    let registry = services.registry.as_ref();
    let new = NewVersion {
        files,
        metadata: bundle::metadata(facts),
        actor: services.actor.clone(),
        at: services.now,
    };
    let Publication { version, existed } = registry.publish(&model, new).await?;
    if existed {
        judge_version(services, &model, &version, facts).await?;
    }
    let version = ModelVersion {
        metadata: bundle::metadata(facts),
        ..version
    };
    point(
        services,
        &model,
        &Alias::candidate(),
        &version,
        MoveKind::Publication,
        "its run passed",
    )
    .await?;
    if promote.approval == Approval::Auto {
        let at = registry.aliases(&model).await?.get(&promote.to).copied();
        if let Decision::Promote { because } = promote::decide(&version, at, &promote.to, Warnings::Refuse) {
            point(services, &model, &promote.to, &version, MoveKind::Promotion, &because).await?;
        }
    }
    let aliases = registry.aliases(&model).await?;
    let facts = RegistryFacts {
        place: services.registry_place.clone(),
        version: Some(version.number),
        digest: Some(version.digest),
        existed,
        aliases: aliases
            .into_iter()
            .map(|(alias, number)| (alias.to_string(), number))
            .collect(),
        not_published: None,
    };
    Ok(Published { version, facts })
}

/// Records what a run found out about a version that is there already, if its model is one.
pub async fn judge_existing(services: &Services, facts: &Facts, digest: &Digest) -> Result<(), RegistryError> {
    let model = name(facts)?;
    let versions = services.registry.versions(&model).await?;
    match versions.iter().find(|version| version.digest == *digest) {
        Some(version) => judge_version(services, &model, version, facts).await,
        None => Ok(()),
    }
}

async fn judge_version(
    services: &Services,
    model: &ModelName,
    version: &ModelVersion,
    facts: &Facts,
) -> Result<(), RegistryError> {
    let judgement = Judgement {
        version: version.number,
        passed: facts.passed,
        metadata: bundle::metadata(facts),
    };
    services
        .registry
        .judge(model, judgement, &services.actor, services.now)
        .await
}

fn name(facts: &Facts) -> Result<ModelName, RegistryError> {
    facts.model.parse().map_err(|error| RegistryError::Damaged {
        file: "mlops-facts.json".to_owned(),
        why: format!("{error}"),
    })
}

/// Moves an alias to a version from wherever it is now; says nothing when it is there already.
async fn point(
    services: &Services,
    model: &ModelName,
    alias: &Alias,
    version: &ModelVersion,
    kind: MoveKind,
    because: &str,
) -> Result<(), RegistryError> {
    let registry = services.registry.as_ref();
    let from = registry.aliases(model).await?.get(alias).copied();
    if from == Some(version.number) {
        return Ok(());
    }
    let step = AliasMove {
        alias: alias.clone(),
        from,
        to: Some(version.number),
        kind,
        because: because.to_owned(),
    };
    registry.move_alias(model, step, &services.actor, services.now).await
}
