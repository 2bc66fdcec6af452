//! Pull requests: their commits, which one a commit belongs to, and files of the repository as of a commit.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Repository;
use super::address::{is_file_path, segment, segments};
use super::author::Author;
use super::client::Client;
use super::error::GithubError;
use crate::base::{CommitSha, shortened};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    pub number: u64,
    pub title: String,
    pub url: String,
    pub head_sha: CommitSha,
    pub head_ref: String,
    /// Nothing when the fork was deleted.
    pub head_repository: Option<u64>,
    pub base_sha: CommitSha,
    pub base_ref: String,
    pub base_repository: u64,
    pub is_open: bool,
    pub is_draft: bool,
    pub is_merged: bool,
    pub merge_commit_sha: Option<CommitSha>,
    pub author: Option<String>,
}

impl Pull {
    pub fn is_fork(&self) -> bool {
        self.head_repository != Some(self.base_repository)
    }
}

#[derive(Debug, Deserialize)]
struct Raw {
    number: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    html_url: String,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    merge_commit_sha: Option<CommitSha>,
    #[serde(default)]
    user: Option<Author>,
    head: Side,
    base: Side,
}

#[derive(Debug, Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    name: String,
    sha: CommitSha,
    #[serde(default)]
    repo: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct Id {
    id: u64,
}

/// A file that a pull request touches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChangedFile {
    pub filename: String,
    /// Its hunks; none where it is binary, too large, or only renamed.
    #[serde(default)]
    pub patch: Option<String>,
    #[serde(default)]
    pub changes: u64,
}

/// GitHub lists no more.
const MAX_FILES: usize = 3000;

/// The files that a pull request touches, against where it left its base.
pub async fn files(client: &Client, repository: &Repository, number: u64) -> Result<Vec<ChangedFile>, GithubError> {
    let path = format!("/repos/{repository}/pulls/{number}/files?per_page=100");
    client.pages(&path, MAX_FILES).await
}

/// The files that differ between two commits, against where the second left the first; GitHub lists three hundred.
pub async fn files_between(
    client: &Client,
    repository: &Repository,
    base: &CommitSha,
    head: &CommitSha,
) -> Result<Vec<ChangedFile>, GithubError> {
    #[derive(Deserialize)]
    struct Comparison {
        #[serde(default)]
        files: Vec<ChangedFile>,
    }
    let path = format!("/repos/{repository}/compare/{base}...{head}?per_page=1");
    let found: Comparison = client.get(&path).await?;
    Ok(found.files)
}

/// The most bytes of a file that the contents of a repository are answered with.
const FILE_LIMIT: usize = 1 << 20;
impl Raw {
    fn checked(self) -> Result<Pull, GithubError> {
        let number = self.number;
        let base_repository = self.base.repo.ok_or_else(|| GithubError::Malformed {
            what: format!("pull request {number}"),
            why: "its base has no repository".to_owned(),
        })?;
        Ok(Pull {
            number,
            title: self.title,
            url: self.html_url,
            head_sha: self.head.sha,
            head_ref: self.head.name,
            head_repository: self.head.repo.map(|repository| repository.id),
            base_sha: self.base.sha,
            base_ref: self.base.name,
            base_repository: base_repository.id,
            is_open: self.state == "open",
            is_draft: self.draft,
            is_merged: self.merged || self.merged_at.is_some(),
            merge_commit_sha: self.merge_commit_sha,
            author: self.user.map(|user| user.login),
        })
    }
}

pub async fn pull(client: &Client, repository: &Repository, number: u64) -> Result<Pull, GithubError> {
    let raw: Raw = client.get(&format!("/repos/{repository}/pulls/{number}")).await?;
    raw.checked()
}

/// The pull request whose merging made this commit.
pub async fn merged_as(client: &Client, repository: &Repository, sha: &CommitSha) -> Result<Option<Pull>, GithubError> {
    let pulls = of_commit(client, repository, sha).await?;
    Ok(pulls
        .into_iter()
        .find(|pull| pull.is_merged && pull.merge_commit_sha.as_ref() == Some(sha)))
}

/// The open pull request whose newest commit this is.
pub async fn open_at(client: &Client, repository: &Repository, sha: &CommitSha) -> Result<Option<Pull>, GithubError> {
    let pulls = of_commit(client, repository, sha).await?;
    Ok(pulls.into_iter().find(|pull| pull.is_open && pull.head_sha == *sha))
}

/// The open pull request of a branch of this owner, which may be a fork's, if this is its newest commit.
pub async fn open_from(
    client: &Client,
    repository: &Repository,
    owner: &str,
    branch: &str,
    sha: &CommitSha,
) -> Result<Option<Pull>, GithubError> {
    let head = segment(&format!("{owner}:{branch}"));
    let path = format!("/repos/{repository}/pulls?state=open&head={head}&per_page=100");
    let raw: Vec<Raw> = client.pages(&path, 300).await?;
    Ok(checked(raw)
        .into_iter()
        .find(|pull| pull.is_open && pull.head_sha == *sha))
}

async fn of_commit(client: &Client, repository: &Repository, sha: &CommitSha) -> Result<Vec<Pull>, GithubError> {
    let path = format!("/repos/{repository}/commits/{sha}/pulls?per_page=100");
    match client.pages::<Raw>(&path, 300).await {
        Ok(raw) => Ok(checked(raw)),
        // A commit that the repository does not know belongs to no pull request.
        Err(GithubError::NotFound { .. } | GithubError::Invalid { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Those that can be used: one that can not is not the one that is looked for.
fn checked(raw: Vec<Raw>) -> Vec<Pull> {
    raw.into_iter().filter_map(|raw| raw.checked().ok()).collect()
}

/// A file of at most 1 MiB as of a commit, branch or tag. Nothing when it is not there.
pub async fn file_at(
    client: &Client,
    repository: &Repository,
    path: &str,
    reference: &str,
) -> Result<Option<Vec<u8>>, GithubError> {
    #[derive(Deserialize)]
    struct Contents {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        encoding: String,
        #[serde(default)]
        content: String,
        #[serde(default)]
        size: usize,
    }
    let what = || format!("`{}`", shortened(path));
    if !is_file_path(path) {
        return Err(GithubError::Invalid {
            what: what(),
            message: "it is not the path of a file in a repository".to_owned(),
        });
    }
    let address = format!(
        "/repos/{repository}/contents/{}?ref={}",
        segments(path),
        segment(reference)
    );
    let unusable = |why: &str| GithubError::Malformed {
        what: what(),
        why: why.to_owned(),
    };
    let value: serde_json::Value = match client.get(&address).await {
        Ok(value) => value,
        Err(GithubError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    if value.is_array() {
        return Err(unusable("it is a directory"));
    }
    let contents: Contents = serde_json::from_value(value).map_err(|_| unusable("it has no contents"))?;
    if contents.kind != "file" {
        return Err(unusable("it is not a regular file"));
    }
    if contents.size > FILE_LIMIT || contents.encoding != "base64" {
        return Err(unusable("it is larger than 1 MiB"));
    }
    // In lines, as mails have it.
    let encoded: String = contents.content.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| unusable("its contents are not Base64"))?;
    Ok(Some(bytes))
}
