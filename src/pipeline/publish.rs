//! From a finished run to a version with the alias `candidate`, and to production where nobody has to be asked.

use std::collections::BTreeMap;

use crate::base::{Alias, Digest, ModelName};
use crate::config::{Approval, PromoteSettings};
use crate::facts::{Champion, Facts, RegistryFacts};
use crate::promote::{self, Decision, Ground, Warnings};
use crate::sys::FileError;
use crate::track::{
    AliasMove, Content, Judgement, ModelVersion, MoveKind, NewVersion, Publication, RegistryError, content_digest,
};

use super::{Services, bundle};

/// What became of a publication.
pub struct Published {
    pub version: ModelVersion,
    pub facts: RegistryFacts,
}

/// The digest that a bundle has as a version.
pub fn digest(files: &BTreeMap<String, Content>) -> Result<Digest, FileError> {
    let digests = files
        .iter()
        .map(|(name, content)| Ok((name.clone(), content.digest()?)));
    digests
        .collect::<Result<_, FileError>>()
        .map(|digests| content_digest(&digests))
}

/// Publishes the bundle of a run that passed. Of a version that is there already, the judgement becomes the newest one.
pub async fn publish_run(
    services: &Services,
    promote: &PromoteSettings,
    facts: &Facts,
    files: BTreeMap<String, Content>,
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
    point(services, &model, &version).await?;
    let not_promoted = match promote.approval {
        Approval::Auto => promote_unasked(services, &promote.to, &version, facts.gates_digest).await?,
        Approval::Comment | Approval::Environment => None,
    };
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
        not_promoted,
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
    let against = facts
        .comparison
        .as_ref()
        .and_then(|comparison| match &comparison.champion {
            Champion::Version { version, .. } => Some(*version),
            Champion::Baseline { .. } => None,
        });
    let judgement = Judgement {
        version: version.number,
        against,
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

/// Promotes where nobody has to be asked; returns why it did not. Whoever moved production in the meantime keeps it,
/// since what was decided on is not there any more.
async fn promote_unasked(
    services: &Services,
    alias: &Alias,
    version: &ModelVersion,
    gates: Digest,
) -> Result<Option<String>, RegistryError> {
    let registry = services.registry.as_ref();
    let at = registry.aliases(&version.model).await?.get(alias).copied();
    let ledger = registry.ledger(&version.model).await?;
    if promote::rolled_back(&ledger, alias, version.number) {
        let again = format!("`mlops promote {}` takes it back", version.number);
        return Ok(Some(format!("{} was rolled back; {again}", version.number)));
    }
    let ground = Ground {
        alias,
        at,
        gates,
        warnings: Warnings::Refuse,
        // It was judged by them a moment ago.
        fails_on_drift: false,
    };
    let because = match promote::decide(version, &ground) {
        Decision::Promote { because } => because,
        Decision::Keep { .. } if at == Some(version.number) => return Ok(None),
        Decision::Keep { because } => return Ok(Some(because)),
        Decision::CompareFirst => return Ok(Some(format!("`{alias}` was moved while this ran"))),
    };
    let step = AliasMove {
        alias: alias.clone(),
        from: at,
        to: Some(version.number),
        kind: MoveKind::Promotion,
        because,
    };
    match registry
        .move_alias(&version.model, step, &services.actor, services.now)
        .await
    {
        Err(RegistryError::Conflict { .. }) => Ok(Some(format!("`{alias}` was moved while this ran"))),
        moved => moved.map(|()| None),
    }
}

/// Moves `candidate` to a version from wherever it is now; says nothing when it is there already. Whoever publishes a
/// later version in the same moment was later: then it stays there.
async fn point(services: &Services, model: &ModelName, version: &ModelVersion) -> Result<(), RegistryError> {
    let (registry, alias) = (services.registry.as_ref(), Alias::candidate());
    let mut from = registry.aliases(model).await?.get(&alias).copied();
    loop {
        if from == Some(version.number) {
            return Ok(());
        }
        let step = AliasMove {
            alias: alias.clone(),
            from,
            to: Some(version.number),
            kind: MoveKind::Publication,
            because: "its run passed".to_owned(),
        };
        // Each conflict means that somebody else moved it, so this ends.
        match registry.move_alias(model, step, &services.actor, services.now).await {
            Err(RegistryError::Conflict { found, .. }) if found > Some(version.number) => return Ok(()),
            Err(RegistryError::Conflict { found, .. }) => from = found,
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::Mutex;

    use super::*;
    use crate::base::{Timestamp, VersionNumber};
    use crate::track::{LedgerEntry, Local, ModelRegistry, VersionRef};

    /// A registry whose aliases somebody else moves just before we do, once.
    struct Busy {
        inner: Local,
        theirs: Mutex<Option<AliasMove>>,
    }

    #[async_trait]
    impl ModelRegistry for Busy {
        async fn publish(&self, model: &ModelName, new: NewVersion) -> Result<Publication, RegistryError> {
            self.inner.publish(model, new).await
        }
        async fn judge(
            &self,
            model: &ModelName,
            judgement: Judgement,
            actor: &str,
            at: Timestamp,
        ) -> Result<(), RegistryError> {
            self.inner.judge(model, judgement, actor, at).await
        }
        async fn get(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion, RegistryError> {
            self.inner.get(model, which).await
        }
        async fn versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
            self.inner.versions(model).await
        }
        async fn aliases(&self, model: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError> {
            self.inner.aliases(model).await
        }
        async fn move_alias(
            &self,
            model: &ModelName,
            step: AliasMove,
            actor: &str,
            at: Timestamp,
        ) -> Result<(), RegistryError> {
            if let Some(theirs) = self.theirs.lock().await.take() {
                self.inner.move_alias(model, theirs, "grace", at).await?;
            }
            self.inner.move_alias(model, step, actor, at).await
        }
        async fn read(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
            self.inner.read(version, file).await
        }
        async fn ledger(&self, model: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError> {
            self.inner.ledger(model).await
        }
    }

    /// Three versions that passed, and somebody else who moves `alias` to one of them just before we move it.
    async fn busy(folder: &tempfile::TempDir, alias: &Alias, theirs: u32) -> (Services, Vec<ModelVersion>) {
        let model: ModelName = "m".parse().unwrap();
        let inner = Local::new(folder.path());
        let mut versions = Vec::new();
        for content in ["one", "two", "three"] {
            let new = NewVersion {
                files: BTreeMap::from([("model.json".to_owned(), content.into())]),
                metadata: serde_json::json!({
                    "gates": {"data": "pass"}, "passed": true, "champion": null, "gates_digest": Digest::of(b"gates"),
                }),
                actor: "ada".to_owned(),
                at: Timestamp(0),
            };
            versions.push(inner.publish(&model, new).await.unwrap().version);
        }
        let theirs = AliasMove {
            alias: alias.clone(),
            from: None,
            to: Some(VersionNumber(theirs)),
            kind: MoveKind::Publication,
            because: "published".to_owned(),
        };
        let services = Services {
            root: folder.path().to_owned(),
            registry: Box::new(Busy {
                inner,
                theirs: Mutex::new(Some(theirs)),
            }),
            registry_place: String::new(),
            child_env: BTreeMap::new(),
            child_user: None,
            sandbox: crate::exec::Sandbox::open(),
            work: crate::pipeline::WorkFolder {
                root: folder.path().to_owned(),
                below: vec!["work".to_owned()],
                user: None,
            },
            temp: None,
            shelf: None,
            environment: None,
            changed: None,
            branch: None,
            actor: "ada".to_owned(),
            now: Timestamp(0),
            run: None,
            events: tokio::sync::mpsc::unbounded_channel().0,
        };
        (services, versions)
    }

    async fn at(services: &Services, alias: &Alias) -> Option<VersionNumber> {
        let model: ModelName = "m".parse().unwrap();
        services.registry.aliases(&model).await.unwrap().get(alias).copied()
    }

    #[tokio::test]
    async fn of_two_who_publish_at_once_the_later_version_keeps_the_alias() {
        for (theirs, stays) in [(1, 2), (2, 2), (3, 3)] {
            let folder = tempfile::tempdir().unwrap();
            let (services, versions) = busy(&folder, &Alias::candidate(), theirs).await;
            point(&services, &versions[1].model, &versions[1]).await.unwrap();
            let stayed = at(&services, &Alias::candidate()).await;
            assert_eq!(stayed, Some(VersionNumber(stays)), "they moved it to {theirs}");
        }
    }

    #[tokio::test]
    async fn production_that_moved_after_the_decision_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (services, versions) = busy(&folder, &Alias::production(), 3).await;
        let gates = Digest::of(b"gates");
        let kept = promote_unasked(&services, &Alias::production(), &versions[1], gates)
            .await
            .unwrap();
        assert_eq!(kept.as_deref(), Some("`production` was moved while this ran"));
        assert_eq!(at(&services, &Alias::production()).await, Some(VersionNumber(3)));
    }
}
