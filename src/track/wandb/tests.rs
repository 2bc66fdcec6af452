//! The registry on the twin of W&B: the conformance suite, and what only W&B does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::track::contract;
use crate::wandb::{Credentials, Hosts, Key, KeySource, Pace, Settings};
use crate::wandb_twin::Twin;

pub(super) fn client(twin: &Twin) -> Client {
    let hosts = Hosts::new(Some(&twin.url()), None).unwrap();
    let credentials = Credentials::Key(Key::parse(&twin.key(), KeySource::Environment).unwrap());
    let mut settings = Settings::new(hosts, credentials);
    settings.pace = Pace(Duration::from_millis(1));
    Client::new(settings).unwrap()
}

pub(super) fn place(project: &str) -> Place {
    static RUN: AtomicU64 = AtomicU64::new(0);
    Place {
        entity: "ml-team".to_owned(),
        project: project.to_owned(),
        registry: "wandb-registry-model".to_owned(),
        organization: None,
        run: RunStart {
            id: format!("run-{}", RUN.fetch_add(1, Ordering::Relaxed)),
            display_name: "a run".to_owned(),
            group: None,
            job_type: "publish".to_owned(),
            tags: Vec::new(),
            notes: None,
            config: BTreeMap::new(),
            git: None,
            program: "mlops".to_owned(),
            host: None,
            started: Timestamp(0),
        },
    }
}

fn registry(twin: &Twin, project: &str) -> Wandb {
    let mut registry = Wandb::new(client(twin), place(project));
    registry.patience = Duration::from_secs(2);
    registry
}

/// The suite counts versions from 1, W&B from 0.
struct FromOne(Wandb);

fn up(number: VersionNumber) -> VersionNumber {
    VersionNumber(number.0 + 1)
}

/// Where there is no number below, one that never is.
fn down(number: VersionNumber) -> VersionNumber {
    VersionNumber(number.0.checked_sub(1).unwrap_or(u32::MAX >> 8))
}

fn moved(step: AliasMove, by: fn(VersionNumber) -> VersionNumber) -> AliasMove {
    AliasMove {
        from: step.from.map(by),
        to: step.to.map(by),
        ..step
    }
}

fn which(which: &VersionRef, by: fn(VersionNumber) -> VersionNumber) -> VersionRef {
    match which {
        VersionRef::Number(number) => VersionRef::Number(by(*number)),
        VersionRef::Alias(alias) => VersionRef::Alias(alias.clone()),
    }
}

fn shown(version: ModelVersion) -> ModelVersion {
    ModelVersion {
        number: up(version.number),
        ..version
    }
}

fn error(error: RegistryError) -> RegistryError {
    match error {
        RegistryError::NotFound { model, which: missing } => RegistryError::NotFound {
            model,
            which: which(&missing, up),
        },
        RegistryError::Conflict { alias, expected, found } => RegistryError::Conflict {
            alias,
            expected: expected.map(up),
            found: found.map(up),
        },
        other => other,
    }
}

#[async_trait]
impl ModelRegistry for FromOne {
    async fn publish(&self, model: &ModelName, new: NewVersion) -> Result<Publication, RegistryError> {
        let done = self.0.publish(model, new).await.map_err(error)?;
        Ok(Publication {
            version: shown(done.version),
            ..done
        })
    }
    async fn judge(
        &self,
        model: &ModelName,
        judgement: Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        let judgement = Judgement {
            version: down(judgement.version),
            against: judgement.against.map(down),
            ..judgement
        };
        self.0.judge(model, judgement, actor, at).await.map_err(error)
    }
    async fn get(&self, model: &ModelName, asked: &VersionRef) -> Result<ModelVersion, RegistryError> {
        self.0.get(model, &which(asked, down)).await.map(shown).map_err(error)
    }
    async fn versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        Ok(self.0.versions(model).await?.into_iter().map(shown).collect())
    }
    async fn aliases(&self, model: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError> {
        let aliases = self.0.aliases(model).await?;
        Ok(aliases.into_iter().map(|(alias, at)| (alias, up(at))).collect())
    }
    async fn move_alias(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        self.0
            .move_alias(model, moved(step, down), actor, at)
            .await
            .map_err(error)
    }
    async fn read(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
        let version = ModelVersion {
            number: down(version.number),
            ..version.clone()
        };
        self.0.read(&version, file).await
    }
    async fn ledger(&self, model: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError> {
        let entries = self.0.ledger(model).await?.into_iter();
        let shown = entries.map(|entry| LedgerEntry {
            event: match entry.event {
                LedgerEvent::Published { version, digest } => LedgerEvent::Published {
                    version: up(version),
                    digest,
                },
                LedgerEvent::Judged {
                    version,
                    against,
                    passed,
                } => LedgerEvent::Judged {
                    version: up(version),
                    against: against.map(up),
                    passed,
                },
                LedgerEvent::Moved(step) => LedgerEvent::Moved(moved(step, up)),
            },
            ..entry
        });
        Ok(shown.collect())
    }
}

/// A registry of the twin for each name: versions are linked to a collection of the model's name.
fn registry_named(twin: &Twin, name: &str) -> String {
    twin.state().registry("Acme", name);
    format!("wandb-registry-{name}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_a_registry() {
    let twin = Twin::start();
    let open = |name: &str| -> Box<dyn ModelRegistry> {
        let mut registry = registry(&twin, name);
        registry.place.registry = registry_named(&twin, name);
        Box::new(FromOne(registry))
    };
    contract::check(&open).await;
    assert_eq!(twin.violations(), Vec::<String>::new());
}
