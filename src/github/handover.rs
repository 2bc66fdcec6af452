//! What a run without rights hands to one that has them: facts in an artifact, found by the commit, read as hostile.
//!
//! The first run may be that of a fork, whose code can put anything into its artifacts. So nothing in one is taken for the
//! number of a pull request, a repository, a commit or leave to promote: those come from the event and from GitHub, and
//! an artifact only adds what is shown.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::base::{CommitSha, Digest};

use super::archive::{self, ArchiveError, Limits};
use super::{Client, GithubError, Repository};

/// The name of a handed over artifact begins with this.
pub const PREFIX: &str = "mlops-report-";
/// The one file in it.
pub const FACTS: &str = "mlops-facts.json";
/// Of all artifacts of a run together, as they come and unpacked.
const MAX_BYTES: u64 = 20 << 20;
const MAX_ARTIFACTS: usize = 20;
/// As many are looked at: a run can have 500 a job.
const MAX_LISTED: usize = 1000;
const MAX_KEY: usize = 64;

/// One artifact that may be facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// What [`key`] made of the configuration's path or the model's name.
    pub key: String,
    pub bytes: Vec<u8>,
}

/// What a run left for us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Sorted by key; of several artifacts with one key, as a run's second attempt makes, the newest.
    pub handed: Vec<Handed>,
    /// What has such a name and is not used: its name and why, for a notice each.
    pub refused: Vec<(String, String)>,
}

/// The name under which facts are handed over.
pub fn artifact_name(key: &str) -> String {
    format!("{PREFIX}{key}")
}

/// The artifact that hands facts over.
pub fn pack(facts: &str) -> Result<Vec<u8>, ArchiveError> {
    archive::pack(&BTreeMap::from([(FACTS.to_owned(), facts.as_bytes().to_vec())]))
}

/// A configuration's path or a model's name as a part of a name: small letters, digits, `-` and `_`. When that changed
/// anything, eight digits tell it from others that it would be the same as.
pub fn key(text: &str) -> String {
    let cleaned: String = text
        .chars()
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '-' | '_' => c,
            'A'..='Z' => c.to_ascii_lowercase(),
            _ => '-',
        })
        .take(MAX_KEY - 9)
        .collect();
    let cleaned = cleaned.trim_matches('-');
    if cleaned == text && !text.is_empty() {
        return text.to_owned();
    }
    let digest = Digest::of(text.as_bytes()).hex();
    format!("{cleaned}-{}", &digest[..8]).trim_start_matches('-').to_owned()
}

/// The key in an artifact's name, without the number that makes a second one of it.
fn key_in<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(prefix)?;
    let key = match rest.split_once('.') {
        Some((key, number)) if number.len() <= 3 && number.parse::<u32>().is_ok() => key,
        Some(_) => return None,
        None => rest,
    };
    let is_key = (1..=MAX_KEY).contains(&key.len())
        && key
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    is_key.then_some(key)
}

#[derive(Debug, Deserialize)]
struct Listed {
    id: u64,
    name: String,
    size_in_bytes: u64,
    expired: bool,
    digest: Option<String>,
    workflow_run: Option<OfRun>,
}

#[derive(Debug, Deserialize)]
struct OfRun {
    id: Option<u64>,
    head_sha: Option<String>,
}

/// The run that an event speaks of.
#[derive(Debug, Clone, Copy)]
pub struct FinishedRun<'a> {
    pub id: u64,
    pub head: &'a CommitSha,
}

/// Fetches what a run handed over: artifacts of `repository` named `prefix` and a key, made by that very run for that
/// very commit. Needs `actions: read`.
///
/// # Errors
/// [`GithubError`] if they can not be listed or one can not be had. What is wrong with an artifact itself is no error:
/// whoever made it must not keep the others from being read.
pub async fn fetch(
    client: &Client,
    repository: &Repository,
    run: FinishedRun<'_>,
    prefix: &str,
) -> Result<Received, GithubError> {
    let path = format!("/repos/{repository}/actions/runs/{}/artifacts?per_page=100", run.id);
    let listed: Vec<Listed> = client.pages_below(&path, "artifacts", MAX_LISTED).await?;
    let mut received = Received::default();
    let mut left = MAX_BYTES;
    for (key, one) in choose(listed, run, prefix, &mut received.refused) {
        if one.size_in_bytes > left {
            received
                .refused
                .push((one.name, format!("all together are more than {MAX_BYTES} bytes")));
            continue;
        }
        let path = format!("/repos/{repository}/actions/artifacts/{}/zip", one.id);
        let packed = match client
            .get_bytes(&path, usize::try_from(left).unwrap_or(usize::MAX))
            .await
        {
            Ok(packed) => packed,
            // Deleted, or longer than it said.
            Err(error @ (GithubError::NotFound { .. } | GithubError::Malformed { .. })) => {
                received.refused.push((one.name, error.to_string()));
                continue;
            }
            Err(error) => return Err(error),
        };
        match read(&packed, one.digest.as_deref(), left) {
            Ok(bytes) => {
                left = left.saturating_sub(packed.len().max(bytes.len()) as u64);
                received.handed.push(Handed { key, bytes });
            }
            Err(why) => received.refused.push((one.name, why)),
        }
    }
    Ok(received)
}

/// The artifacts worth fetching: of this run and commit, the newest of each key.
fn choose(
    listed: Vec<Listed>,
    run: FinishedRun<'_>,
    prefix: &str,
    refused: &mut Vec<(String, String)>,
) -> BTreeMap<String, Listed> {
    let mut newest: BTreeMap<String, Listed> = BTreeMap::new();
    for one in listed {
        let Some(key) = key_in(&one.name, prefix).map(str::to_owned) else {
            continue;
        };
        let of_run = one.workflow_run.as_ref();
        let id = of_run.and_then(|of| of.id);
        let head = of_run.and_then(|of| of.head_sha.as_deref());
        let problem = if id.is_some_and(|id| id != run.id) || head != Some(run.head.as_str()) {
            Some("it was made by another run or for another commit")
        } else if one.expired {
            Some("it is expired")
        } else if one.size_in_bytes > MAX_BYTES {
            Some("it is too large")
        } else if newest.len() == MAX_ARTIFACTS && !newest.contains_key(&key) {
            Some("there are too many")
        } else {
            None
        };
        if let Some(problem) = problem {
            // Names are checked, so they are short and plain; a flood of them is still cut.
            if refused.len() < MAX_ARTIFACTS {
                refused.push((one.name, problem.to_owned()));
            }
        } else if newest.get(&key).is_none_or(|known| known.id < one.id) {
            newest.insert(key, one);
        }
    }
    newest
}

fn read(packed: &[u8], digest: Option<&str>, left: u64) -> Result<Vec<u8>, String> {
    if digest.is_some_and(|digest| digest != Digest::of(packed).to_string()) {
        return Err("it is not what GitHub says it is: its digest is another one".to_owned());
    }
    let limits = Limits {
        packed_bytes: left,
        unpacked_bytes: left,
        entries: 1,
        ratio: 200,
    };
    let mut files = archive::unpack(packed, limits, |name| name == FACTS).map_err(|error| error.to_string())?;
    files
        .remove(FACTS)
        .ok_or_else(|| format!("there is no `{FACTS}` in it"))
}
