//! The cache of the results service: entries that never change, found by the beginning of their key.

use serde_json::json;

use super::error::quoted;
use super::reply::{Reply, signed_url, text};
use super::{Results, ResultsError, blob};

const CACHE: &str = "github.actions.results.api.v1.CacheService";
const MAX_KEYS: usize = 10;
const MAX_KEY: usize = 512;
/// A greater entry is not read: it is not one of ours.
const RESTORE_LIMIT: u64 = 512 << 20;
const OCTETS: &str = "application/octet-stream";

/// What `ACTIONS_CACHE_MODE` allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Nothing is said: trying tells.
    #[default]
    Unsaid,
    Nothing,
    Read,
    /// Reading as well.
    Write,
    WriteOnly,
}

impl CacheMode {
    /// A word that is not known yet is as good as none: the service has the last word.
    pub fn read(text: Option<&str>) -> Self {
        match text.map(str::trim) {
            Some("none") => Self::Nothing,
            Some("read") => Self::Read,
            Some("write") => Self::Write,
            Some("write-only") => Self::WriteOnly,
            Some(_) | None => Self::Unsaid,
        }
    }

    fn can_restore(self) -> bool {
        match self {
            Self::Unsaid | Self::Read | Self::Write => true,
            Self::Nothing | Self::WriteOnly => false,
        }
    }

    fn can_save(self) -> bool {
        match self {
            Self::Unsaid | Self::Write | Self::WriteOnly => true,
            Self::Nothing | Self::Read => false,
        }
    }
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The whole key of the entry, which begins with one of those that were asked for.
    pub key: String,
    /// As untrusted as anything that another run wrote.
    pub bytes: Vec<u8>,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// Entries never change: the same key has the same content.
    ExistsAlready,
    /// This job may not write; one notice says why.
    Denied(String),
}

impl Results {
    /// The newest entry whose key is the first of `keys` or begins with one of them; `version` is 64 hexadecimal digits
    /// that tell formats apart.
    ///
    /// # Errors
    /// [`ResultsError::Denied`] if this job may not read: one notice, and the run goes on.
    pub async fn restore(&self, keys: &[String], version: &str) -> Result<Option<Restored>, ResultsError> {
        let what = "restore from the cache";
        if !self.cache.can_restore() {
            return Ok(None);
        }
        let Some((key, others)) = keys.split_first() else {
            return Ok(None);
        };
        check(keys, version)?;
        self.wire
            .within(what, async {
                let body = json!({"key": key, "restore_keys": others, "version": version});
                let value = match self.call(CACHE, "GetCacheEntryDownloadURL", what, &body).await? {
                    Reply::Done(value) => value,
                    Reply::Refused(refusal) if refusal.message.contains("cache read denied:") => {
                        return Err(ResultsError::Denied {
                            what,
                            reason: refusal.message,
                        });
                    }
                    Reply::Refused(refusal) if matches!(refusal.code.as_str(), "not_ok" | "not_found") => {
                        return Ok(None);
                    }
                    Reply::Refused(refusal) => return Err(refusal.into_error(what)),
                };
                // What is left out is the default value, and of `ok` that is false.
                if value.get("ok").is_none() && text(&value, "signed_download_url").is_none() {
                    return Ok(None);
                }
                let matched = text(&value, "matched_key").unwrap_or_default();
                if !keys.iter().any(|key| matched.starts_with(key.as_str())) || matched.len() > MAX_KEY {
                    return Err(ResultsError::Malformed {
                        what,
                        why: format!("`{}` is not a key that was asked for", quoted(matched)),
                    });
                }
                let address = signed_url(&value, "signed_download_url", &self.base, what)?;
                match blob::get(&self.wire, what, &address, RESTORE_LIMIT).await {
                    Ok(bytes) => Ok(Some(Restored {
                        key: matched.to_owned(),
                        bytes,
                    })),
                    // Evicted between the two calls.
                    Err(ResultsError::Refused { status: 404, .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .await
    }

    /// Keeps an entry under a key that nothing has yet.
    pub async fn save(&self, key: &str, version: &str, bytes: &[u8]) -> Result<Saved, ResultsError> {
        let what = "save to the cache";
        if !self.cache.can_save() {
            return Ok(Saved::Denied(
                "the runner does not let this job write to the cache".to_owned(),
            ));
        }
        check(&[key.to_owned()], version)?;
        self.wire
            .within(what, async {
                let body = json!({"key": key, "version": version});
                let value = match self.call(CACHE, "CreateCacheEntry", what, &body).await? {
                    Reply::Done(value) => value,
                    Reply::Refused(refusal) if refusal.message.contains("cache write denied:") => {
                        return Ok(Saved::Denied(refusal.message));
                    }
                    // Of a key that is there it says either; a reason is only given for something else.
                    Reply::Refused(refusal)
                        if refusal.is_exists() || (refusal.code == "not_ok" && refusal.message.is_empty()) =>
                    {
                        return Ok(Saved::ExistsAlready);
                    }
                    Reply::Refused(refusal) => return Err(refusal.into_error(what)),
                };
                let address = signed_url(&value, "signed_upload_url", &self.base, what)?;
                blob::put(&self.wire, what, &address, bytes, OCTETS, self.sizes).await?;
                let body = json!({"key": key, "version": version, "size_bytes": bytes.len().to_string()});
                match self.call(CACHE, "FinalizeCacheEntryUpload", what, &body).await? {
                    Reply::Done(_) => Ok(Saved::Done),
                    // Finished by a try whose answer was lost.
                    Reply::Refused(refusal)
                        if refusal.is_doubtful && (refusal.is_exists() || refusal.status == 404) =>
                    {
                        Ok(Saved::Done)
                    }
                    Reply::Refused(refusal) => Err(refusal.into_error(what)),
                }
            })
            .await
    }
}

fn check(keys: &[String], version: &str) -> Result<(), ResultsError> {
    let fail = |what, name: &str, why| {
        Err(ResultsError::Name {
            what,
            name: quoted(name),
            why,
        })
    };
    if version.len() != 64 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return fail("version of a cache entry", version, "it needs 64 hexadecimal digits");
    }
    if keys.len() > MAX_KEYS {
        return fail(
            "key of a cache entry",
            &keys[MAX_KEYS],
            "only ten keys can be asked for",
        );
    }
    for key in keys {
        if key.is_empty() || key.len() > MAX_KEY || key.contains(',') || key.contains(char::is_control) {
            return fail("key of a cache entry", key, "it needs 1 to 512 characters and no comma");
        }
    }
    Ok(())
}
