//! The operations, blocking: read the ledger, decide, write objects, then the entry that names them.

use std::io;

use serde::{Deserialize, Serialize};

use super::ledger::{Ledger, Published};
use super::{Local, RegistryError, damaged, objects, unavailable};
use crate::base::{Digest, ModelName, Timestamp, VersionNumber};
use crate::sys::{self, FileError, FileKind};
use crate::track::{
    AliasMove, Judgement, LedgerEntry, LedgerEvent, ModelVersion, NewVersion, Publication, VersionRef, check_metadata,
    content_digest,
};

const FORMAT_FILE: &str = "registry.json";
const FORMAT: u64 = 1;
/// Each failed attempt means that somebody else succeeded, so this is a bound for the absurd.
const MAX_ATTEMPTS: usize = 10_000;

#[derive(Serialize, Deserialize)]
struct Format {
    format: u64,
}

impl Local {
    pub(super) fn publish_blocking(&self, model: &ModelName, new: &NewVersion) -> Result<Publication, RegistryError> {
        new.check()?;
        let there = |number, published| {
            let version = self.version(model, number, published)?;
            Ok(Publication { version, existed: true })
        };
        let files = new.file_digests();
        let digest = content_digest(&files);
        let mut ledger = self.ledger_now()?;
        let state = ledger.model(model);
        if let Some(number) = state.with_digest(&digest) {
            return there(number, state.versions.get(&number).copied());
        }
        self.prepare()?;
        for (name, content) in &new.files {
            if let Some(digest) = files.get(name) {
                objects::write(&self.root, digest, content)?;
            }
        }
        for _ in 0..MAX_ATTEMPTS {
            let state = ledger.model(model);
            if let Some(number) = state.with_digest(&digest) {
                return there(number, state.versions.get(&number).copied());
            }
            let Some(number) = state.next_number() else {
                return Err(RegistryError::Refused {
                    what: model.to_string(),
                    why: "it has no version number left".to_owned(),
                });
            };
            let version = ModelVersion {
                model: model.clone(),
                number,
                digest,
                files: files.clone(),
                metadata: new.metadata.clone(),
                actor: new.actor.clone(),
                at: new.at,
            };
            let record = self.write_record(&version)?;
            let entry = LedgerEntry {
                sequence: ledger.next_sequence(),
                at: new.at,
                actor: new.actor.clone(),
                model: model.clone(),
                event: LedgerEvent::Published {
                    version: number,
                    digest,
                },
            };
            if ledger.append(&self.root, entry, Some(record))? {
                return Ok(Publication {
                    version,
                    existed: false,
                });
            }
            ledger.catch_up(&self.root)?;
        }
        Err(overtaken())
    }

    pub(super) fn judge_blocking(
        &self,
        model: &ModelName,
        judgement: &Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        check_metadata(&judgement.metadata)?;
        let mut ledger = self.ledger_now()?;
        for _ in 0..MAX_ATTEMPTS {
            let published = ledger.model(model).versions.get(&judgement.version).copied();
            let mut version = self.version(model, judgement.version, published)?;
            if version.metadata == judgement.metadata {
                return Ok(());
            }
            version.metadata = judgement.metadata.clone();
            let record = self.write_record(&version)?;
            let entry = LedgerEntry {
                sequence: ledger.next_sequence(),
                at,
                actor: actor.to_owned(),
                model: model.clone(),
                event: LedgerEvent::Judged {
                    version: judgement.version,
                    against: judgement.against,
                    passed: judgement.passed,
                },
            };
            if ledger.append(&self.root, entry, Some(record))? {
                return Ok(());
            }
            ledger.catch_up(&self.root)?;
        }
        Err(overtaken())
    }

    pub(super) fn move_blocking(
        &self,
        model: &ModelName,
        step: &AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        let mut ledger = self.ledger_now()?;
        for _ in 0..MAX_ATTEMPTS {
            let state = ledger.model(model);
            let found = state.aliases.get(&step.alias).copied();
            if found != step.from {
                return Err(RegistryError::Conflict {
                    alias: step.alias.clone(),
                    expected: step.from,
                    found,
                });
            }
            if let Some(to) = step.to.filter(|to| !state.versions.contains_key(to)) {
                return Err(RegistryError::NotFound {
                    model: model.clone(),
                    which: VersionRef::Number(to),
                });
            }
            if step.from == step.to {
                return Ok(());
            }
            self.prepare()?;
            let entry = LedgerEntry {
                sequence: ledger.next_sequence(),
                at,
                actor: actor.to_owned(),
                model: model.clone(),
                event: LedgerEvent::Moved(step.clone()),
            };
            if ledger.append(&self.root, entry, None)? {
                return Ok(());
            }
            ledger.catch_up(&self.root)?;
        }
        Err(overtaken())
    }

    pub(super) fn get_blocking(&self, model: &ModelName, which: &VersionRef) -> Result<ModelVersion, RegistryError> {
        let state = self.ledger_now()?.model(model);
        let number = match which {
            VersionRef::Number(number) => Some(*number),
            VersionRef::Alias(alias) => state.aliases.get(alias).copied(),
        };
        match number.filter(|number| state.versions.contains_key(number)) {
            Some(number) => self.version(model, number, state.versions.get(&number).copied()),
            None => Err(RegistryError::NotFound {
                model: model.clone(),
                which: which.clone(),
            }),
        }
    }

    pub(super) fn versions_blocking(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        let state = self.ledger_now()?.model(model);
        state
            .versions
            .iter()
            .map(|(number, published)| self.version(model, *number, Some(*published)))
            .collect()
    }

    pub(super) fn read_blocking(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
        match version.files.get(file) {
            Some(digest) => objects::read(&self.root, digest),
            None => Err(RegistryError::NoFile {
                model: version.model.clone(),
                number: version.number,
                file: file.chars().take(200).collect(),
            }),
        }
    }

    /// The ledger as it is in this moment.
    pub(super) fn ledger_now(&self) -> Result<Ledger, RegistryError> {
        self.check_format()?;
        let ledger = Ledger::read(&self.root)?;
        // Asked again, since a first writer may have made both in the meantime; the mark comes first.
        if ledger.next_sequence() > 1 && !self.check_format()? {
            return Err(damaged(FORMAT_FILE, "it is missing, though there is a ledger"));
        }
        Ok(ledger)
    }

    /// Makes the directory a registry, and removes what writers that died have left.
    fn prepare(&self) -> Result<(), RegistryError> {
        sys::create_dir(&self.root).map_err(unavailable)?;
        sys::remove_stale_temps(&self.root).map_err(unavailable)?;
        if !self.check_format()? {
            let text = format!("{{\"format\":{FORMAT}}}\n");
            match sys::create_exclusive(&self.root.join(FORMAT_FILE), text.as_bytes()) {
                Err(error) if error.is_exists() => {}
                made => made.map_err(unavailable)?,
            }
        }
        for parts in [&["ledger"][..], &["objects"]] {
            let dir = objects::directory(&self.root, parts)?;
            sys::remove_stale_temps(&dir).map_err(unavailable)?;
        }
        for listed in sys::list(&self.root.join("objects")).map_err(unavailable)? {
            if listed.kind == FileKind::Directory {
                let dir = self.root.join("objects").join(listed.name);
                sys::remove_stale_temps(&dir).map_err(unavailable)?;
            }
        }
        Ok(())
    }

    /// Whether the directory says that it is a registry; an error if it is one that we can not read.
    fn check_format(&self) -> Result<bool, RegistryError> {
        let content = match sys::read_beneath(&self.root, &[FORMAT_FILE], 64 * 1024) {
            Ok(content) => content,
            Err(error) if error.is_not_found() => return Ok(false),
            Err(FileError::NotAFile { .. }) => return Err(damaged(FORMAT_FILE, "it is not an ordinary file")),
            Err(error) => return Err(unavailable(error)),
        };
        let Format { format } =
            serde_json::from_slice(&content).map_err(|error| damaged(FORMAT_FILE, error.to_string()))?;
        match format {
            FORMAT => Ok(true),
            0 => Err(damaged(FORMAT_FILE, "there is no format 0")),
            found => Err(RegistryError::Newer { found, known: FORMAT }),
        }
    }

    fn write_record(&self, version: &ModelVersion) -> Result<Digest, RegistryError> {
        let json = serde_json::to_vec(version).map_err(|error| RegistryError::Refused {
            what: "metadata".to_owned(),
            why: error.to_string(),
        })?;
        let digest = Digest::of(&json);
        objects::write(&self.root, &digest, &json)?;
        Ok(digest)
    }

    /// Reads what is known about a version and holds it against the ledger.
    fn version(
        &self,
        model: &ModelName,
        number: VersionNumber,
        published: Option<Published>,
    ) -> Result<ModelVersion, RegistryError> {
        let Some(published) = published else {
            return Err(RegistryError::NotFound {
                model: model.clone(),
                which: VersionRef::Number(number),
            });
        };
        let file = objects::shown(&published.record);
        let json = objects::read(&self.root, &published.record)?;
        let version: ModelVersion = serde_json::from_slice(&json).map_err(|error| damaged(&file, error.to_string()))?;
        let fits = version.model == *model
            && version.number == number
            && version.digest == published.digest
            && content_digest(&version.files) == version.digest;
        if fits {
            Ok(version)
        } else {
            Err(damaged(&file, format!("it is not the record of {model} {number}")))
        }
    }
}

fn overtaken() -> RegistryError {
    RegistryError::Unavailable {
        action: "add to the ledger: others were always first".to_owned(),
        source: io::ErrorKind::ResourceBusy.into(),
    }
}
