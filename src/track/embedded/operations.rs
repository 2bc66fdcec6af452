//! The operations: read the ledger, decide, write objects, then the entry that names them.

use std::io;

use serde::{Deserialize, Serialize};

use super::ledger::{self, Ledger, Published};
use super::storage::{Addition, Found, Storage};
use super::{Embedded, RegistryError, blocking, damaged, objects};
use crate::base::{Digest, ModelName, Timestamp, VersionNumber};
use crate::track::{
    AliasMove, Judgement, LedgerEntry, LedgerEvent, ModelVersion, NewVersion, Publication, VersionRef, check_metadata,
    content_digest, unreadable,
};

const FORMAT_FILE: &str = "registry.json";
const MAX_FORMAT_BYTES: u64 = 64 * 1024;
const FORMAT: u64 = 1;
/// Entries that are read at once.
const MAX_AT_ONCE: usize = 1000;

#[derive(Serialize, Deserialize)]
struct Format {
    format: u64,
}

impl<S: Storage> Embedded<S> {
    pub(super) async fn publish_version(
        &self,
        model: &ModelName,
        new: NewVersion,
    ) -> Result<Publication, RegistryError> {
        new.check()?;
        for (name, content) in &new.files {
            let n_bytes = content.len().map_err(|error| unreadable(name, &error))?;
            if n_bytes > S::MAX_FILE_BYTES {
                return Err(RegistryError::Refused {
                    what: name.clone(),
                    why: format!("it is larger than {} bytes", S::MAX_FILE_BYTES),
                });
            }
        }
        let (new, files) = blocking(move || {
            let files = new.file_digests()?;
            Ok((new, files))
        })
        .await?;
        let NewVersion {
            files: contents,
            metadata,
            actor,
            at,
        } = new;
        let digest = content_digest(&files);
        let mut session = Session::open(&self.storage).await?;
        if let Some(publication) = session.published_before(model, &digest).await? {
            return Ok(publication);
        }
        session.prepare().await?;
        for (name, content) in contents {
            if let Some(digest) = files.get(&name) {
                let content = content.into_bytes(S::MAX_FILE_BYTES);
                let content = content.map_err(|error| unreadable(&name, &error))?;
                session.storage.put(objects::path(digest), content).await?;
            }
        }
        for _ in 0..S::MAX_ATTEMPTS {
            if let Some(publication) = session.published_before(model, &digest).await? {
                return Ok(publication);
            }
            let Some(number) = session.ledger.model(model).next_number() else {
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
                metadata: metadata.clone(),
                actor: actor.clone(),
                at,
            };
            let event = LedgerEvent::Published {
                version: number,
                digest,
            };
            let entry = session.entry(model, event, &actor, at);
            if session.append(entry, Some(&version)).await? {
                return Ok(Publication {
                    version,
                    existed: false,
                });
            }
        }
        Err(overtaken())
    }

    pub(super) async fn judge_version(
        &self,
        model: &ModelName,
        judgement: Judgement,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        check_metadata(&judgement.metadata)?;
        let mut session = Session::open(&self.storage).await?;
        for _ in 0..S::MAX_ATTEMPTS {
            let mut version = session.version(model, judgement.version).await?;
            if version.metadata == judgement.metadata {
                return Ok(());
            }
            version.metadata = judgement.metadata.clone();
            let event = LedgerEvent::Judged {
                version: judgement.version,
                against: judgement.against,
                passed: judgement.passed,
            };
            let entry = session.entry(model, event, actor, at);
            if session.append(entry, Some(&version)).await? {
                return Ok(());
            }
        }
        Err(overtaken())
    }

    pub(super) async fn make_move(
        &self,
        model: &ModelName,
        step: AliasMove,
        actor: &str,
        at: Timestamp,
    ) -> Result<(), RegistryError> {
        let mut session = Session::open(&self.storage).await?;
        for _ in 0..S::MAX_ATTEMPTS {
            let state = session.ledger.model(model);
            let found = state.aliases.get(&step.alias).copied();
            if found != step.from {
                return Err(RegistryError::Conflict {
                    alias: step.alias,
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
            session.prepare().await?;
            let entry = session.entry(model, LedgerEvent::Moved(step.clone()), actor, at);
            if session.append(entry, None).await? {
                return Ok(());
            }
        }
        Err(overtaken())
    }

    pub(super) async fn get_version(
        &self,
        model: &ModelName,
        which: &VersionRef,
    ) -> Result<ModelVersion, RegistryError> {
        let session = Session::open(&self.storage).await?;
        let state = session.ledger.model(model);
        let number = match which {
            VersionRef::Number(number) => Some(*number),
            VersionRef::Alias(alias) => state.aliases.get(alias).copied(),
        };
        match number.filter(|number| state.versions.contains_key(number)) {
            Some(number) => session.version(model, number).await,
            None => Err(RegistryError::NotFound {
                model: model.clone(),
                which: which.clone(),
            }),
        }
    }

    pub(super) async fn all_versions(&self, model: &ModelName) -> Result<Vec<ModelVersion>, RegistryError> {
        let session = Session::open(&self.storage).await?;
        let versions: Vec<(VersionNumber, Published)> = session.ledger.model(model).versions.into_iter().collect();
        let records: Vec<Digest> = versions.iter().map(|(_, published)| published.record).collect();
        let contents = objects::read_all(&session.storage, &records).await?;
        let pairs = versions.into_iter().zip(contents);
        pairs
            .map(|((number, published), json)| version_in(&json, model, number, published))
            .collect()
    }

    pub(super) async fn read_file(&self, version: &ModelVersion, file: &str) -> Result<Vec<u8>, RegistryError> {
        match version.files.get(file) {
            Some(digest) => {
                let mut storage = self.storage.clone();
                storage.refresh().await?;
                objects::read(&storage, digest).await
            }
            None => Err(RegistryError::NoFile {
                model: version.model.clone(),
                number: version.number,
                file: file.chars().take(200).collect(),
            }),
        }
    }

    /// The ledger as it is in this moment.
    pub(super) async fn ledger_now(&self) -> Result<Ledger, RegistryError> {
        Ok(Session::open(&self.storage).await?.ledger)
    }
}

/// One operation: the registry's files, and the ledger as it was read in them.
struct Session<S> {
    storage: S,
    ledger: Ledger,
}

impl<S: Storage> Session<S> {
    async fn open(storage: &S) -> Result<Self, RegistryError> {
        let mut session = Self {
            storage: storage.clone(),
            ledger: Ledger::default(),
        };
        session.storage.refresh().await?;
        session.check_format().await?;
        session.read_on().await?;
        // Asked again, since a first writer may have made both in the meantime; the mark comes first.
        if session.ledger.next_sequence() > 1 && !session.check_format().await? {
            return Err(damaged(FORMAT_FILE, "it is missing, though there is a ledger"));
        }
        Ok(session)
    }

    /// Reads the entries that were not read before, and checks that they are whole, in order and without gaps.
    async fn read_on(&mut self) -> Result<(), RegistryError> {
        let n_entries = ledger::count(&self.storage.names(ledger::DIR).await?)?;
        let missing: Vec<u64> = (self.ledger.next_sequence()..=n_entries).collect();
        for some in missing.chunks(MAX_AT_ONCE) {
            let paths = some.iter().map(|sequence| ledger::path(*sequence)).collect();
            for found in self.storage.read(paths, ledger::MAX_ENTRY_BYTES).await? {
                self.ledger.read_next(found)?;
            }
        }
        Ok(())
    }

    /// Whether the place says that it is a registry; an error if it is one that we can not read.
    async fn check_format(&self) -> Result<bool, RegistryError> {
        let found = self
            .storage
            .read(vec![FORMAT_FILE.to_owned()], MAX_FORMAT_BYTES)
            .await?;
        let content = match found.into_iter().next() {
            Some(Found::Content(content)) => content,
            Some(Found::Missing) | None => return Ok(false),
            Some(Found::NotAFile) => return Err(damaged(FORMAT_FILE, "it is not an ordinary file")),
            Some(Found::TooLarge) => return Err(damaged(FORMAT_FILE, "it is too large")),
        };
        let Format { format } =
            serde_json::from_slice(&content).map_err(|error| damaged(FORMAT_FILE, error.to_string()))?;
        match format {
            FORMAT => Ok(true),
            0 => Err(damaged(FORMAT_FILE, "there is no format 0")),
            found => Err(RegistryError::Newer { found, known: FORMAT }),
        }
    }

    async fn prepare(&mut self) -> Result<(), RegistryError> {
        let mark = format!("{{\"format\":{FORMAT}}}\n");
        self.storage.prepare((FORMAT_FILE, mark)).await
    }

    fn entry(&self, model: &ModelName, event: LedgerEvent, actor: &str, at: Timestamp) -> LedgerEntry {
        LedgerEntry {
            sequence: self.ledger.next_sequence(),
            at,
            actor: actor.to_owned(),
            model: model.clone(),
            event,
        }
    }

    /// Adds the entry, with what is known about the version that it is about. If somebody else was first, what they have
    /// written is read instead, and it is time to decide again.
    async fn append(&mut self, entry: LedgerEntry, version: Option<&ModelVersion>) -> Result<bool, RegistryError> {
        let summary = summary(&entry);
        let mut objects = Vec::new();
        let mut record = None;
        if let Some(version) = version {
            let json = serde_json::to_vec(version).map_err(|error| RegistryError::Refused {
                what: "metadata".to_owned(),
                why: error.to_string(),
            })?;
            if json.len() as u64 > S::MAX_FILE_BYTES {
                return Err(RegistryError::Refused {
                    what: "metadata".to_owned(),
                    why: format!("it is larger than {} bytes", S::MAX_FILE_BYTES),
                });
            }
            let digest = Digest::of(&json);
            self.storage.put(objects::path(&digest), json).await?;
            objects.extend(version.files.values().chain([&digest]).map(objects::path));
            record = Some(digest);
        }
        let (path, text) = self.ledger.written(entry, record)?;
        let addition = Addition {
            path,
            text,
            objects,
            summary,
        };
        let added = self.storage.append(&addition).await?;
        if !added {
            self.storage.refresh().await?;
            self.read_on().await?;
        }
        Ok(added)
    }

    /// The version with this content, if there is one.
    async fn published_before(&self, model: &ModelName, digest: &Digest) -> Result<Option<Publication>, RegistryError> {
        match self.ledger.model(model).with_digest(digest) {
            Some(number) => {
                let version = self.version(model, number).await?;
                Ok(Some(Publication { version, existed: true }))
            }
            None => Ok(None),
        }
    }

    /// Reads what is known about a version and holds it against the ledger.
    async fn version(&self, model: &ModelName, number: VersionNumber) -> Result<ModelVersion, RegistryError> {
        let Some(published) = self.ledger.model(model).versions.get(&number).copied() else {
            return Err(RegistryError::NotFound {
                model: model.clone(),
                which: VersionRef::Number(number),
            });
        };
        let json = objects::read(&self.storage, &published.record).await?;
        version_in(&json, model, number, published)
    }
}

fn version_in(
    json: &[u8],
    model: &ModelName,
    number: VersionNumber,
    published: Published,
) -> Result<ModelVersion, RegistryError> {
    let file = objects::path(&published.record);
    let version: ModelVersion = serde_json::from_slice(json).map_err(|error| damaged(&file, error.to_string()))?;
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

/// What the entry does, for a place that keeps such a line; of names that can stand anywhere.
fn summary(entry: &LedgerEntry) -> String {
    let model = &entry.model;
    match &entry.event {
        LedgerEvent::Published { version, .. } => format!("publish {version} of {model}"),
        LedgerEvent::Judged { version, .. } => format!("judge {version} of {model}"),
        LedgerEvent::Moved(AliasMove {
            alias, to: Some(to), ..
        }) => format!("move {alias} of {model} to {to}"),
        LedgerEvent::Moved(AliasMove { alias, to: None, .. }) => format!("take {alias} of {model} away"),
    }
}

fn overtaken() -> RegistryError {
    RegistryError::Unavailable {
        action: "add to the ledger: others were always first".to_owned(),
        source: io::ErrorKind::ResourceBusy.into(),
    }
}
