//! The registry of models in W&B: versions are artifacts of this project, linked to a collection of the registry.
//!
//! ```text
//! ENTITY/PROJECT/NAME              artifacts of type `model`, each made by a run
//! ENTITY/PROJECT/NAME-ledger       artifacts of type `mlops-ledger`: one line each, numbered by the server
//! ORGANIZATION/REGISTRY/NAME       the collection: versions as W&B numbers them, from v0, and the aliases
//! ```
//!
//! The collection is the state: what is in production is where its alias is, whoever put it there. The ledger tells who
//! moved it and why, and decides between two who move it at once.

mod about;
mod errors;
mod ledger;
mod lineage;
mod moves;
mod organization;
mod publish;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, OnceCell};

use super::record::RunStart;
use super::{
    AliasMove, Judgement, LedgerEntry, LedgerEvent, ModelRegistry, ModelVersion, NewVersion, Publication,
    RegistryError, VersionRef, check_metadata,
};
use crate::base::{Alias, Digest, ModelName, Timestamp, VersionNumber};
use crate::sys;
use crate::wandb::{self, Client, Files, Membership, UpdateArtifact, UpsertRun, VersionInfo, WandbError};
use about::Kept;
use errors::{failed, need};
use ledger::{Line, Numbered};
pub use lineage::used;
use organization::Home;

/// A file of a version may be as large as this when it is read whole.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// Where versions are, and on whose behalf.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub entity: String,
    pub project: String,
    /// With its prefix: `wandb-registry-model`.
    pub registry: String,
    /// As the user names it; needed where an account has several.
    pub organization: Option<String>,
    /// The run that what is written here belongs to.
    pub run: RunStart,
}

/// The registry of one project.
#[derive(Clone)]
pub struct Wandb {
    client: Client,
    place: Place,
    /// How long somebody else's move that was announced is waited for.
    patience: Duration,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    home: OnceCell<Home>,
    /// The run is there.
    run: OnceCell<()>,
    /// The files of the version that was read last.
    files: Mutex<Option<(VersionNumber, Arc<Files>)>>,
}

impl Wandb {
    pub fn new(client: Client, place: Place) -> Self {
        Self {
            client,
            place,
            patience: Duration::from_secs(5),
            shared: Arc::default(),
        }
    }

    /// The same, where what is written belongs to a run that is there already and has its end.
    #[must_use]
    pub fn of_run(&self, run: &str) -> Self {
        let shared = Shared {
            run: OnceCell::new_with(Some(())),
            ..Shared::default()
        };
        let mut place = self.place.clone();
        run.clone_into(&mut place.run.id);
        Self {
            place,
            shared: Arc::new(shared),
            ..self.clone()
        }
    }

    /// Where the registry is, for people: `W&B acme/wandb-registry-model`.
    pub fn shown(place: &Place) -> String {
        format!("W&B {}/{}", place.entity, place.registry)
    }

    async fn home(&self) -> Result<&Home, RegistryError> {
        let found = self.shared.home.get_or_try_init(|| async {
            let (entity, wanted) = (&self.place.entity, self.place.organization.as_deref());
            let found = wandb::org_of_entity(&self.client, entity).await;
            organization::choose(
                entity,
                found.map_err(|error| failed("find the organization of the registry", error))?,
                wanted,
            )
        });
        found.await
    }

    /// Makes sure of the run that artifacts are made by; what is known about it stays.
    async fn ensure_run(&self) -> Result<(), RegistryError> {
        let made = self.shared.run.get_or_try_init(|| async {
            let start = &self.place.run;
            let run = UpsertRun {
                name: start.id.clone(),
                entity: Some(self.place.entity.clone()),
                project: self.place.project.clone(),
                display_name: Some(start.display_name.clone()),
                group: start.group.clone(),
                job_type: Some(start.job_type.clone()),
                ..UpsertRun::default()
            };
            wandb::upsert_run(&self.client, &run).await.map(drop)
        });
        made.await.copied().map_err(|error| failed("open a run", error))
    }

    /// Ends the run, if what was written here has opened it.
    pub async fn close(&self, exit_code: u8) -> Result<(), WandbError> {
        if !self.shared.run.initialized() {
            return Ok(());
        }
        let body = format!("{{\"complete\":true,\"exitcode\":{exit_code}}}");
        let run = &self.place.run.id;
        self.client
            .post_stream(&self.place.entity, &self.place.project, run, body)
            .await
            .map(drop)
    }

    async fn membership(&self, model: &ModelName, name: &str) -> Result<Option<Membership>, RegistryError> {
        let home = self.home().await?;
        let name = format!("{model}:{name}");
        wandb::version(&self.client, &home.entity, &self.place.registry, &name)
            .await
            .map_err(|error| failed("read a version", error))
    }

    /// What is linked to the collection, ascending; of two with the same content the later one is on its way out.
    async fn linked(&self, model: &ModelName) -> Result<Vec<VersionInfo>, RegistryError> {
        let home = self.home().await?;
        let found = wandb::versions(&self.client, &home.entity, &self.place.registry, model.as_str())
            .await
            .map_err(|error| failed("read the versions", error))?;
        Ok(found.unwrap_or_default())
    }

    async fn lines(&self, model: &ModelName) -> Result<Vec<Numbered>, RegistryError> {
        let name = ledger::collection(model);
        let found = wandb::versions(&self.client, &self.place.entity, &self.place.project, &name)
            .await
            .map_err(|error| failed("read the ledger", error))?;
        let lines = found.unwrap_or_default().into_iter().filter_map(|version| {
            let text = version.metadata.as_ref()?.get(ledger::KEY)?.as_str()?.to_owned();
            let line: Line = serde_json::from_str(&text).ok()?;
            (line.model == *model).then_some(Numbered {
                index: version.index,
                line,
            })
        });
        Ok(lines.collect())
    }

    /// The collection and the ledger in this moment.
    async fn state(&self, model: &ModelName) -> Result<State, RegistryError> {
        // The lines first: an alias that is there has its line among those that are read before it.
        let lines = self.lines(model).await?;
        let linked = self.linked(model).await?;
        let aliases = aliases(&linked);
        Ok(State { linked, aliases, lines })
    }
}

/// What an operation decides on.
struct State {
    linked: Vec<VersionInfo>,
    aliases: BTreeMap<Alias, VersionNumber>,
    lines: Vec<Numbered>,
}

/// The aliases of the collection that are names; W&B's own, `latest` and `v0`, are not.
fn aliases(linked: &[VersionInfo]) -> BTreeMap<Alias, VersionNumber> {
    let named = linked.iter().flat_map(|version| {
        let names = version.aliases.iter().filter(|name| *name != "latest");
        names.filter_map(|name| Some((name.parse().ok()?, VersionNumber(version.index))))
    });
    named.collect()
}

/// The versions, each content once: the first one counts.
fn versions(model: &ModelName, linked: &[VersionInfo]) -> Vec<ModelVersion> {
    let mut seen = std::collections::BTreeSet::new();
    let read = linked
        .iter()
        .map(|version| about::read(model, &Kept::of_version(version)));
    read.filter(|version| seen.insert(version.digest)).collect()
}

#[async_trait]
impl ModelRegistry for Wandb {
    async fn publish(&self, model: &ModelName, new: NewVersion) -> Result<Publication, RegistryError> {
        self.publish_version(model, new).await
    }

    async fn judge(
        &self,
        model: &ModelName,
        judgement: Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        check_metadata(&judgement.metadata)?;
        let which = VersionRef::Number(judgement.version);
        let (mut version, artifact) = self.found(model, &which).await?;
        if version.metadata == judgement.metadata {
            return Ok(());
        }
        version.metadata = judgement.metadata;
        let metadata = about::written(&version);
        let found = Digest::of(version.metadata.to_string().as_bytes());
        let state = self.state(model).await?;
        if ledger::last_found(&state.lines, judgement.version) != Some(found) {
            let line = Line {
                event: LedgerEvent::Judged {
                    version: judgement.version,
                    against: judgement.against,
                    passed: judgement.passed,
                },
                found: Some(found),
                ..line(model, &state, actor, at)?
            };
            self.append(model, &line).await?;
        }
        self.describe(artifact, metadata).await.map_err(|error| {
            need(
                &format!("change what is known about {} of `{model}`", version.number),
                error,
            )
        })
    }

    async fn get(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion, RegistryError> {
        Ok(self.found(model, which).await?.0)
    }

    async fn versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        Ok(versions(model, &self.linked(model).await?))
    }

    async fn aliases(&self, model: &ModelName) -> Result<BTreeMap<Alias, VersionNumber>, RegistryError> {
        Ok(aliases(&self.linked(model).await?))
    }

    async fn move_alias(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        self.make_move(model, step, actor, at).await
    }

    async fn read(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
        let Some(expected) = version.files.get(file) else {
            return Err(RegistryError::NoFile {
                model: version.model.clone(),
                number: version.number,
                file: file.chars().take(200).collect(),
            });
        };
        let files = self.files(version).await?;
        let bytes = files
            .read(file, MAX_FILE_BYTES)
            .await
            .map_err(|error| failed(&format!("read `{file}` of {}", version.number), error))?;
        let (bytes, found) = crate::track::blocking(move || {
            let found = Digest::of(&bytes);
            Ok((bytes, found))
        })
        .await?;
        if found == *expected {
            return Ok(bytes);
        }
        Err(RegistryError::Damaged {
            file: file.to_owned(),
            why: format!("its digest is {found}, and {expected} was published"),
        })
    }

    async fn ledger(&self, model: &ModelName) -> Result<Vec<LedgerEntry>, RegistryError> {
        let state = self.state(model).await?;
        let versions = versions(model, &state.linked);
        Ok(ledger::entries(model, &versions, &state.aliases, &state.lines))
    }
}

impl Wandb {
    /// A version and the id of its artifact.
    async fn found(&self, model: &ModelName, which: &VersionRef) -> Result<(ModelVersion, String), RegistryError> {
        let name = match which {
            VersionRef::Number(number) => number.to_string(),
            VersionRef::Alias(alias) => alias.to_string(),
        };
        let membership = self.membership(model, &name).await?;
        let found = membership.as_ref().and_then(|membership| {
            let number = VersionNumber(membership.version_index?);
            let asked_other = matches!(which, VersionRef::Number(asked) if *asked != number);
            let version = about::read(model, &Kept::of_membership(number, membership));
            (!asked_other).then(|| (version, membership.artifact.id.clone()))
        });
        found.ok_or_else(|| RegistryError::NotFound {
            model: model.clone(),
            which: which.clone(),
        })
    }

    /// Changes what is known about an artifact.
    async fn describe(&self, artifact: String, metadata: serde_json::Value) -> Result<(), WandbError> {
        let update = UpdateArtifact {
            artifact,
            description: None,
            metadata: Some(metadata),
            tags_to_add: Vec::new(),
            tags_to_delete: Vec::new(),
        };
        wandb::update_artifact(&self.client, &update).await
    }

    async fn files(&self, version: &ModelVersion) -> Result<Arc<Files>, RegistryError> {
        let mut last = self.shared.files.lock().await;
        if let Some((number, files)) = last.as_ref()
            && *number == version.number
        {
            return Ok(Arc::clone(files));
        }
        let number = version.number;
        let Some(membership) = self.membership(&version.model, &number.to_string()).await? else {
            return Err(RegistryError::NotFound {
                model: version.model.clone(),
                which: VersionRef::Number(number),
            });
        };
        let files = Files::of(&self.client, &membership)
            .await
            .map_err(|error| failed(&format!("read the files of {number}"), error))?;
        let files = Arc::new(files);
        *last = Some((version.number, Arc::clone(&files)));
        Ok(files)
    }
}

/// A line about nothing yet.
fn line(model: &ModelName, state: &State, actor: &str, at: Timestamp) -> Result<Line, RegistryError> {
    let random = sys::random().map_err(|source| RegistryError::Unavailable {
        action: "tell one line of the ledger from another".to_owned(),
        source,
    })?;
    Ok(Line {
        format: 1,
        model: model.clone(),
        at,
        actor: actor.to_owned(),
        event: LedgerEvent::Published {
            version: VersionNumber(0),
            digest: Digest::of(b""),
        },
        after: None,
        abandons: false,
        n_versions: state.linked.last().map_or(0, |version| version.index + 1),
        found: None,
        writer: format!("{:032x}", u128::from_le_bytes(random)),
    })
}
