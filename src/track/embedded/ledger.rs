//! The ledger: numbered entries, each sealed and each holding the seal of the one before it. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::storage::Found;
use super::{RegistryError, damaged};
use crate::base::{Alias, Digest, ModelName, VersionNumber};
use crate::track::{LedgerEntry, LedgerEvent};

pub const DIR: &str = "ledger";
pub const MAX_ENTRY_BYTES: u64 = 1 << 20;
/// The file of an entry is this, the seal, [`BEFORE_BODY`], the body and [`END`]: JSON whose body is kept to the byte.
const BEFORE_SEAL: &str = r#"{"seal":""#;
const BEFORE_BODY: &str = r#"","body":"#;
const END: &str = "}\n";

/// What an entry's file says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// The seal of the entry before; none for the first.
    previous: Option<Digest>,
    /// For a version that is published or judged, the object with all that is known about it.
    record: Option<Digest>,
    entry: LedgerEntry,
}

/// A version as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    pub digest: Digest,
    pub record: Digest,
}

/// What the ledger says about one model.
#[derive(Debug, Clone, Default)]
pub struct ModelState {
    pub versions: BTreeMap<VersionNumber, Published>,
    pub aliases: BTreeMap<Alias, VersionNumber>,
    by_digest: BTreeMap<Digest, VersionNumber>,
}

impl ModelState {
    pub fn with_digest(&self, digest: &Digest) -> Option<VersionNumber> {
        self.by_digest.get(digest).copied()
    }

    pub fn next_number(&self) -> Option<VersionNumber> {
        let last = self.versions.last_key_value().map_or(0, |(number, _)| number.0);
        last.checked_add(1).map(VersionNumber)
    }
}

/// The ledger as it was read: all entries so far, and what follows from them.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Vec<LedgerEntry>,
    last_seal: Option<Digest>,
    models: BTreeMap<ModelName, ModelState>,
}

impl Ledger {
    pub fn model(&self, model: &ModelName) -> ModelState {
        self.models.get(model).cloned().unwrap_or_default()
    }

    pub fn entries_of(&self, model: &ModelName) -> Vec<LedgerEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.model == *model)
            .cloned()
            .collect()
    }

    pub fn next_sequence(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// The path and the text of the entry's file, if it comes next.
    pub fn written(&self, entry: LedgerEntry, record: Option<Digest>) -> Result<(String, String), RegistryError> {
        let path = path(entry.sequence);
        let body = Body {
            previous: self.last_seal,
            record,
            entry,
        };
        Ok((path, sealed(&body)?))
    }

    /// Takes up the file that was found in the place of the next entry.
    pub fn read_next(&mut self, found: Found) -> Result<(), RegistryError> {
        let file = path(self.next_sequence());
        let content = match found {
            Found::Content(content) => content,
            Found::Missing => return Err(damaged(&file, "it is missing, though later entries are there")),
            Found::NotAFile => return Err(damaged(&file, "it is not an ordinary file")),
            Found::TooLarge => return Err(damaged(&file, "it is too large for an entry")),
        };
        let (seal, body) = unsealed(&content).map_err(|why| damaged(&file, why))?;
        self.apply(seal, body)
    }

    fn apply(&mut self, seal: Digest, body: Body) -> Result<(), RegistryError> {
        let sequence = self.next_sequence();
        let wrong = |why: &str| Err(damaged(&path(sequence), why));
        if body.entry.sequence != sequence {
            return wrong("its number is not that of its name");
        }
        if body.previous != self.last_seal {
            return wrong("it does not follow the entry before it: one of the two was changed");
        }
        let state = self.models.entry(body.entry.model.clone()).or_default();
        match (&body.entry.event, body.record) {
            (LedgerEvent::Published { version, digest }, Some(record)) => {
                if Some(*version) != state.next_number() || state.by_digest.contains_key(digest) {
                    return wrong("it publishes a version that is there already, or leaves one out");
                }
                let digest = *digest;
                state.versions.insert(*version, Published { digest, record });
                state.by_digest.insert(digest, *version);
            }
            (LedgerEvent::Published { .. } | LedgerEvent::Judged { .. }, None) => {
                return wrong("it is about a version and has no record");
            }
            (LedgerEvent::Judged { version, .. }, Some(record)) => match state.versions.get_mut(version) {
                Some(published) => published.record = record,
                None => return wrong("it judges a version that is not there"),
            },
            (LedgerEvent::Moved(_), Some(_)) => return wrong("it moves an alias and has a record"),
            (LedgerEvent::Moved(step), None) => {
                if state.aliases.get(&step.alias).copied() != step.from {
                    return wrong("it moves an alias from where it was not");
                }
                match step.to {
                    Some(to) if !state.versions.contains_key(&to) => {
                        return wrong("it moves an alias to a version that is not there");
                    }
                    Some(to) => state.aliases.insert(step.alias.clone(), to),
                    None => state.aliases.remove(&step.alias),
                };
            }
        }
        self.entries.push(body.entry);
        self.last_seal = Some(seal);
        Ok(())
    }
}

fn file_name(sequence: u64) -> String {
    format!("{sequence:08}.json")
}

/// Where the entry is.
pub fn path(sequence: u64) -> String {
    format!("{DIR}/{}", file_name(sequence))
}

/// The number of the last entry; every name in the directory must be that of an entry.
pub fn count(names: &[String]) -> Result<u64, RegistryError> {
    let mut last = 0;
    for name in names {
        let sequence = name.strip_suffix(".json").and_then(|digits| digits.parse::<u64>().ok());
        match sequence {
            Some(sequence) if sequence > 0 && file_name(sequence) == *name => last = last.max(sequence),
            _ => return Err(damaged(&format!("{DIR}/{name}"), "it is not an entry of the ledger")),
        }
    }
    Ok(last)
}

fn sealed(body: &Body) -> Result<String, RegistryError> {
    let json = serde_json::to_string(body).map_err(|error| RegistryError::Refused {
        what: "the ledger entry".to_owned(),
        why: error.to_string(),
    })?;
    let seal = Digest::of(json.as_bytes());
    let text = format!("{BEFORE_SEAL}{seal}{BEFORE_BODY}{json}{END}");
    if text.len() as u64 > MAX_ENTRY_BYTES {
        return Err(RegistryError::Refused {
            what: "the ledger entry".to_owned(),
            why: format!("it is larger than {MAX_ENTRY_BYTES} bytes"),
        });
    }
    Ok(text)
}

fn unsealed(content: &[u8]) -> Result<(Digest, Body), String> {
    let text = std::str::from_utf8(content).map_err(|_| "it is not text".to_owned())?;
    let (seal, json) = text
        .strip_prefix(BEFORE_SEAL)
        .and_then(|rest| rest.split_once(BEFORE_BODY))
        .and_then(|(seal, rest)| Some((seal, rest.strip_suffix(END)?)))
        .ok_or_else(|| "it is cut off or was edited".to_owned())?;
    let seal: Digest = seal.parse()?;
    if Digest::of(json.as_bytes()) != seal {
        return Err("its content does not fit its seal: it was edited".to_owned());
    }
    let body = serde_json::from_str(json).map_err(|error| error.to_string())?;
    Ok((seal, body))
}
