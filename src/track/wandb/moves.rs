//! Moving an alias: announced in the ledger, then done, then looked at again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::publish::entry;
use super::{
    Alias, AliasMove, LedgerEvent, ModelName, RegistryError, State, Timestamp, VersionNumber, VersionRef, Wandb,
    ledger, line, need,
};
use crate::sys::Stopwatch;
use crate::track::MoveKind;
use crate::wandb::{self, CollectionPath, NewArtifact};

/// Between two looks at a move that somebody else has announced.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Each lost race means that somebody else's move counts, so this is a bound for the absurd.
const MAX_ATTEMPTS: usize = 20;

impl Wandb {
    pub(super) async fn make_move(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        for _ in 0..MAX_ATTEMPTS {
            let state = self.state(model).await?;
            let found = state.aliases.get(&step.alias).copied();
            if found != step.from {
                return Err(conflict(&step, found));
            }
            check_target(model, &state, &step)?;
            if step.from == step.to {
                return Ok(());
            }
            // A publication's alias follows from the version; only decisions are announced.
            if step.kind == MoveKind::Publication || self.announce(model, &state, &step, actor, at).await? {
                return self.carry_out(model, &state, &step).await;
            }
        }
        Err(RegistryError::Unavailable {
            action: format!("move `{}`: others were always first", step.alias),
            source: std::io::ErrorKind::ResourceBusy.into(),
        })
    }

    /// Writes the line that says what is to come. `false` when somebody else's line came first, or is not yet carried out:
    /// then it is time to look again.
    async fn announce(
        &self,
        model: &ModelName,
        state: &State,
        step: &AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<bool, RegistryError> {
        let last = ledger::last(&state.lines, &step.alias);
        let is_open = last
            .as_ref()
            .is_some_and(|last| last.step.to != step.from && last.step.from == step.from);
        if let Some(last) = last.as_ref().filter(|_| is_open) {
            if last.step == *step && self.writes(&last.writer) {
                // Ours, of an attempt that was ended before the alias moved.
                return Ok(true);
            }
            if self.wait_for(model, &last.step).await? {
                return Ok(false);
            }
            tracing::debug!(alias = %step.alias, "a move that was announced never came about");
        }
        let mut next = line(model, state, actor, at)?;
        next.event = LedgerEvent::Moved(step.clone());
        next.after = last.as_ref().map(|last| last.index);
        next.abandons = is_open;
        next.writer = format!("{} {}", self.place.run.id, next.writer);
        self.append(model, &next).await?;
        let lines = self.lines(model).await?;
        Ok(ledger::counts(&lines, &next.writer))
    }

    /// Whether the line is of the run that we are, in an attempt before this one.
    fn writes(&self, writer: &str) -> bool {
        writer.split(' ').next() == Some(self.place.run.id.as_str())
    }

    /// Waits until somebody else's move is carried out, or is not going to be.
    async fn wait_for(&self, model: &ModelName, theirs: &AliasMove) -> Result<bool, RegistryError> {
        let watch = Stopwatch::start();
        loop {
            if self.position(model, &theirs.alias).await? != theirs.from {
                return Ok(true);
            }
            if Duration::from_millis(watch.elapsed_ms()) >= self.patience {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY.min(self.patience)).await;
        }
    }

    /// Where the alias is in this moment.
    async fn position(&self, model: &ModelName, alias: &Alias) -> Result<Option<VersionNumber>, RegistryError> {
        let membership = self.membership(model, alias.as_str()).await?;
        Ok(membership
            .and_then(|membership| membership.version_index)
            .map(VersionNumber))
    }

    /// Looks, moves, and looks again: W&B itself has no compare-and-set.
    async fn carry_out(&self, model: &ModelName, state: &State, step: &AliasMove) -> Result<(), RegistryError> {
        let before = self.position(model, &step.alias).await?;
        if before == step.to {
            return Ok(());
        }
        if before != step.from {
            return Err(conflict(step, before));
        }
        let artifact_of = |number: VersionNumber| state.linked.iter().find(|version| version.index == number.0);
        let place = CollectionPath {
            entity: self.home().await?.entity.clone(),
            project: self.place.registry.clone(),
            collection: model.to_string(),
        };
        let aliases = [step.alias.to_string()];
        let done = match (step.to.and_then(artifact_of), step.from.and_then(artifact_of)) {
            (Some(to), _) => wandb::add_aliases(&self.client, &to.artifact, &place, &aliases).await,
            (None, Some(from)) => wandb::delete_aliases(&self.client, &from.artifact, &place, &aliases).await,
            (None, None) => return Ok(()),
        };
        let after = self.position(model, &step.alias).await;
        match (done, after) {
            (_, Ok(after)) if after == step.to => Ok(()),
            (Ok(()), Ok(after)) => Err(conflict(step, after)),
            (Ok(()), Err(error)) => Err(error),
            (Err(error), _) => Err(self.not_moved(step, error)),
        }
    }

    fn not_moved(&self, step: &AliasMove, error: wandb::WandbError) -> RegistryError {
        let action = format!("move the alias `{}` in `{}`", step.alias, self.place.registry);
        match &error {
            wandb::WandbError::Forbidden { .. } => RegistryError::PermissionDenied {
                action,
                needs: format!(
                    "if `{}` is a protected alias, a registry admin has to move it, or this account needs the role Admin \
                     of the registry; else it needs the role Member ({error})",
                    step.alias
                ),
            },
            _ => need(&action, error),
        }
    }

    /// Adds a line to the ledger.
    pub(super) async fn append(&self, model: &ModelName, line: &ledger::Line) -> Result<(), RegistryError> {
        self.ensure_run().await?;
        let text = serde_json::to_string(line).expect("text keys and plain values only");
        let mut metadata = serde_json::Map::new();
        if let LedgerEvent::Moved(step) = &line.event {
            let shown =
                |version: Option<VersionNumber>| version.map_or_else(|| "nothing".to_owned(), |v| v.to_string());
            metadata.insert("alias".to_owned(), step.alias.to_string().into());
            metadata.insert("from".to_owned(), shown(step.from).into());
            metadata.insert("to".to_owned(), shown(step.to).into());
            metadata.insert("because".to_owned(), step.because.clone().into());
        }
        metadata.insert("actor".to_owned(), line.actor.clone().into());
        metadata.insert("at".to_owned(), line.at.to_string().into());
        metadata.insert(ledger::KEY.to_owned(), text.clone().into());
        let artifact = NewArtifact {
            entity: self.place.entity.clone(),
            project: self.place.project.clone(),
            run: Some(self.place.run.id.clone()),
            type_name: ledger::TYPE.to_owned(),
            name: ledger::collection(model),
            description: None,
            metadata: Some(metadata.into()),
            aliases: Vec::new(),
            tags: Vec::new(),
            entries: BTreeMap::from([(ledger::FILE.to_owned(), entry(text.as_str().into()))]),
            client_ids: None,
        };
        wandb::publish(&self.client, artifact)
            .await
            .map(drop)
            .map_err(|error| need("add to the ledger", error))
    }
}

fn conflict(step: &AliasMove, found: Option<VersionNumber>) -> RegistryError {
    RegistryError::Conflict {
        alias: step.alias.clone(),
        expected: step.from,
        found,
    }
}

fn check_target(model: &ModelName, state: &State, step: &AliasMove) -> Result<(), RegistryError> {
    match step
        .to
        .filter(|to| state.linked.iter().all(|version| version.index != to.0))
    {
        Some(to) => Err(RegistryError::NotFound {
            model: model.clone(),
            which: VersionRef::Number(to),
        }),
        None => Ok(()),
    }
}
