//! From a finished run to a version with the alias `candidate`, and to production where nobody has to be asked.

use std::collections::BTreeMap;

use crate::base::{Alias, ModelName};
use crate::config::{Approval, PromoteSettings};
use crate::facts::{Facts, RegistryFacts};
use crate::promote::{self, Decision};
use crate::track::{AliasMove, ModelVersion, NewVersion, RegistryError};

use super::{Services, bundle};

/// What became of a publication.
pub struct Published {
    pub version: ModelVersion,
    pub facts: RegistryFacts,
}

/// Publishes the bundle of a run that passed.
pub async fn publish_run(
    services: &Services,
    promote: &PromoteSettings,
    facts: &Facts,
    files: BTreeMap<String, Vec<u8>>,
) -> Result<Published, RegistryError> {
    let model: ModelName = facts.model.parse().map_err(|error| RegistryError::Damaged {
        file: "mlops-facts.json".to_owned(),
        why: format!("{error}"),
    })?;
    let registry = services.registry.as_ref();
    let before = registry.versions(&model).await?.last().map(|version| version.number);
    let new = NewVersion {
        files,
        metadata: bundle::metadata(facts),
        actor: services.actor.clone(),
        at: services.now,
    };
    let version = registry.publish(&model, new).await?;
    let existed = before.is_some_and(|newest| version.number <= newest);
    point(services, &model, &Alias::candidate(), &version, "published").await?;
    if promote.approval == Approval::Auto {
        let aliases = registry.aliases(&model).await?;
        let at = aliases.get(&promote.to).copied();
        if let Decision::Promote { because } = promote::decide(&version, at, &promote.to) {
            point(services, &model, &promote.to, &version, &format!("promoted: {because}")).await?;
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

/// Moves an alias to a version from wherever it is now; says nothing when it is there already.
async fn point(
    services: &Services,
    model: &ModelName,
    alias: &Alias,
    version: &ModelVersion,
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
        because: because.to_owned(),
    };
    registry.move_alias(model, step, &services.actor, services.now).await
}
