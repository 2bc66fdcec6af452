//! Git data over GitHub's API: branches, commits, trees and blobs. Every blob is held against its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::{Client, GithubError, Repository};

/// GitHub gives no larger blobs than this.
const MAX_BLOB_BYTES: usize = 100 << 20;
/// Blobs whose texts are asked for in one query.
const TEXTS_AT_ONCE: usize = 100;
/// The most directories of a tree that is too large for one answer.
const MAX_DIRECTORIES: usize = 2000;
/// What stays as it is in the name of a branch.
const IN_BRANCH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/');

/// The name of a Git object: the SHA-1 of its kind, length and content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ObjectId([u8; 20]);

impl ObjectId {
    pub fn of_blob(content: &[u8]) -> Self {
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {}\0", content.len()));
        hasher.update(content);
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "the name of a Git object has 40 hexadecimal digits".to_owned();
        let mut bytes = [0; 20];
        if text.len() != 40 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong());
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2).ok_or_else(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What stands at a path of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Link,
    /// A commit of another repository.
    Submodule,
}

/// One path of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    pub id: ObjectId,
    /// Of files and links.
    pub size_bytes: Option<u64>,
}

/// Path → what is there, directories too.
pub type Listing = BTreeMap<String, Entry>;

/// A file of a new tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One that the repository has.
    Blob(ObjectId),
    Text(String),
}

/// What became of an attempt to let a branch end at a new commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    Done,
    /// The branch ends elsewhere than was thought, or it is not to be moved; GitHub's word on it.
    Refused(String),
}

/// The Git data of one repository.
#[derive(Debug, Clone)]
pub struct Git {
    client: Client,
    repository: Repository,
}

#[derive(Deserialize)]
struct Made {
    sha: ObjectId,
}

#[derive(Deserialize)]
struct Reference {
    object: Made,
}

#[derive(Deserialize)]
struct Matching {
    #[serde(rename = "ref")]
    name: String,
    object: Made,
}

impl Git {
    pub fn new(client: Client, repository: Repository) -> Self {
        Self { client, repository }
    }

    fn path(&self, below: &str) -> String {
        format!("/repos/{}/git/{below}", self.repository)
    }

    /// The commit at which a branch ends; `None` if there is no such branch.
    pub async fn tip(&self, branch: &str) -> Result<Option<ObjectId>, GithubError> {
        match self
            .client
            .get::<Reference>(&self.path(&format!("ref/heads/{}", escaped(branch))))
            .await
        {
            Ok(found) => Ok(Some(found.object.sha)),
            Err(GithubError::NotFound { .. }) => {
                // This is also what a token is told that may not see the repository, and a server in trouble may say
                // it; that there is none must be said by a list without it.
                let path = self.path(&format!("matching-refs/heads/{}", escaped(branch)));
                let found: Vec<Matching> = self.client.get(&path).await?;
                let name = format!("refs/heads/{branch}");
                let same = found.into_iter().find(|one| one.name == name);
                Ok(same.map(|one| one.object.sha))
            }
            Err(error) => Err(error),
        }
    }

    pub async fn tree_of(&self, commit: ObjectId) -> Result<ObjectId, GithubError> {
        #[derive(Deserialize)]
        struct Commit {
            tree: Made,
        }
        let commit: Commit = self.client.get(&self.path(&format!("commits/{commit}"))).await?;
        Ok(commit.tree.sha)
    }

    /// All paths of a tree.
    pub async fn list(&self, tree: ObjectId) -> Result<Listing, GithubError> {
        let whole = self.tree(tree, "?recursive=1").await?;
        if !whole.truncated {
            return listing("", whole.tree);
        }
        let mut all = Listing::new();
        let mut queue = vec![(String::new(), tree)];
        let mut n_directories = 0;
        while let Some((prefix, id)) = queue.pop() {
            n_directories += 1;
            if n_directories > MAX_DIRECTORIES {
                return Err(malformed(
                    "a tree",
                    format!("it has more than {MAX_DIRECTORIES} directories"),
                ));
            }
            let part = self.tree(id, "").await?;
            if part.truncated {
                return Err(malformed("a tree", "one of its directories is too large"));
            }
            for (path, entry) in listing(&prefix, part.tree)? {
                if entry.kind == Kind::Directory {
                    queue.push((format!("{path}/"), entry.id));
                }
                all.insert(path, entry);
            }
        }
        Ok(all)
    }

    async fn tree(&self, id: ObjectId, query: &str) -> Result<Tree, GithubError> {
        self.client.get(&self.path(&format!("trees/{id}{query}"))).await
    }

    /// The content of a blob of at most `limit_bytes`.
    pub async fn blob(&self, id: ObjectId, limit_bytes: usize) -> Result<Vec<u8>, GithubError> {
        #[derive(Deserialize)]
        struct Blob {
            content: String,
            encoding: String,
        }
        // Base64 takes four bytes for three, and GitHub breaks its lines, which takes two more of each sixty.
        let limit = limit_bytes.min(MAX_BLOB_BYTES) / 3 * 4 / 58 * 60 + 16 * 1024;
        let path = self.path(&format!("blobs/{id}"));
        let what = format!("`GET {path}`");
        let answer = self.client.get_bytes(&path, limit).await?;
        let Blob { mut content, encoding } =
            serde_json::from_slice(&answer).map_err(|error| malformed(&what, error.to_string()))?;
        let decoded = match encoding.as_str() {
            "utf-8" => content.into_bytes(),
            "base64" => {
                content.retain(|c| c != '\n');
                STANDARD
                    .decode(content)
                    .map_err(|error| malformed(&what, error.to_string()))?
            }
            _ => return Err(malformed(&what, "it has an unknown encoding")),
        };
        if ObjectId::of_blob(&decoded) == id {
            Ok(decoded)
        } else {
            Err(malformed(&what, "its content is not what its name says"))
        }
    }

    /// The contents of many small texts, by few calls. What is left out of the answer is to be asked for one by one: it is
    /// no text, or too long for this way.
    pub async fn texts(&self, ids: &BTreeSet<ObjectId>) -> Result<BTreeMap<ObjectId, Vec<u8>>, GithubError> {
        let ids: Vec<ObjectId> = ids.iter().copied().collect();
        let mut texts = BTreeMap::new();
        for some in ids.chunks(TEXTS_AT_ONCE) {
            let fields: Vec<String> = some
                .iter()
                .map(|id| format!("o{id}:object(oid:\"{id}\"){{...on Blob{{text}}}}"))
                .collect();
            let fields = fields.join(" ");
            let query =
                format!("query($owner:String!,$name:String!){{repository(owner:$owner,name:$name){{{fields}}}}}");
            let variables = json!({"owner": self.repository.owner(), "name": self.repository.name()});
            let data: Value = self.client.graphql(&query, variables).await?;
            for id in some {
                let text = data
                    .pointer(&format!("/repository/o{id}/text"))
                    .and_then(Value::as_str)
                    .map(str::as_bytes);
                // A text that was shortened, or changed on the way, is none.
                if let Some(text) = text.filter(|text| ObjectId::of_blob(text) == *id) {
                    texts.insert(*id, text.to_owned());
                }
            }
        }
        Ok(texts)
    }

    pub async fn create_blob(&self, content: &[u8]) -> Result<ObjectId, GithubError> {
        let path = self.path("blobs");
        let body = json!({"content": STANDARD.encode(content), "encoding": "base64"});
        let made: Made = self.client.post_once(&path, &body).await?;
        if made.sha == ObjectId::of_blob(content) {
            Ok(made.sha)
        } else {
            Err(malformed(
                &format!("`POST {path}`"),
                "it made another blob than was sent",
            ))
        }
    }

    /// A tree that is `base` but for these files.
    pub async fn create_tree(
        &self,
        base: Option<ObjectId>,
        files: &BTreeMap<String, Content>,
    ) -> Result<ObjectId, GithubError> {
        let entries: Vec<Value> = files
            .iter()
            .map(|(path, content)| match content {
                Content::Blob(id) => json!({"path": path, "mode": "100644", "type": "blob", "sha": id.to_string()}),
                Content::Text(text) => json!({"path": path, "mode": "100644", "type": "blob", "content": text}),
            })
            .collect();
        let mut body = json!({"tree": entries});
        if let Some(base) = base {
            body["base_tree"] = base.to_string().into();
        }
        let made: Made = self.client.post_once(&self.path("trees"), &body).await?;
        Ok(made.sha)
    }

    /// Nothing leads to the commit until a branch ends there, so one that is made twice is no harm.
    pub async fn create_commit(
        &self,
        message: &str,
        tree: ObjectId,
        parent: Option<ObjectId>,
    ) -> Result<ObjectId, GithubError> {
        let parents: Vec<String> = parent.iter().map(ToString::to_string).collect();
        let body = json!({"message": message, "tree": tree.to_string(), "parents": parents});
        let made: Made = self.client.post_once(&self.path("commits"), &body).await?;
        Ok(made.sha)
    }

    /// Makes a branch that ends at the commit, if there is none of that name.
    pub async fn create_branch(&self, branch: &str, commit: ObjectId) -> Result<Push, GithubError> {
        let body = json!({"ref": format!("refs/heads/{branch}"), "sha": commit.to_string()});
        pushed(self.client.post_once(&self.path("refs"), &body).await, commit)
    }

    /// Lets the branch end at the commit, if it ended at an ancestor of it.
    pub async fn move_branch(&self, branch: &str, commit: ObjectId) -> Result<Push, GithubError> {
        let path = self.path(&format!("refs/heads/{}", escaped(branch)));
        let body = json!({"sha": commit.to_string(), "force": false});
        pushed(self.client.patch(&path, &body).await, commit)
    }
}

fn pushed(answer: Result<Reference, GithubError>, commit: ObjectId) -> Result<Push, GithubError> {
    match answer {
        Ok(found) if found.object.sha == commit => Ok(Push::Done),
        Ok(found) => Err(malformed("a push", format!("the branch ends at {}", found.object.sha))),
        Err(GithubError::Conflict { message, .. } | GithubError::Invalid { message, .. }) => Ok(Push::Refused(message)),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct Tree {
    tree: Vec<Item>,
    #[serde(default)]
    truncated: bool,
}

#[derive(Deserialize)]
struct Item {
    path: String,
    mode: String,
    sha: ObjectId,
    size: Option<u64>,
}

fn listing(prefix: &str, items: Vec<Item>) -> Result<Listing, GithubError> {
    items
        .into_iter()
        .map(|item| {
            let kind = match item.mode.as_str() {
                "100644" | "100755" | "100664" => Kind::File,
                "040000" => Kind::Directory,
                "120000" => Kind::Link,
                "160000" => Kind::Submodule,
                _ => return Err(malformed("a tree", "it has an unknown kind of file")),
            };
            let entry = Entry {
                kind,
                id: item.sha,
                size_bytes: item.size,
            };
            Ok((format!("{prefix}{}", item.path), entry))
        })
        .collect()
}

fn escaped(branch: &str) -> String {
    utf8_percent_encode(branch, IN_BRANCH).to_string()
}

fn malformed(what: &str, why: impl Into<String>) -> GithubError {
    GithubError::Malformed {
        what: what.to_owned(),
        why: why.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_git() {
        for (content, name) in [
            ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
            ("hello world\n", "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"),
        ] {
            assert_eq!(ObjectId::of_blob(content.as_bytes()).to_string(), name);
            assert_eq!(name.parse(), Ok(ObjectId::of_blob(content.as_bytes())));
        }
        let (long, wide) = ("a".repeat(64), "é".repeat(20));
        for text in ["", "e69de29", "E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391", &wide, &long] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_branch_can_not_leave_its_place_in_an_address() {
        assert_eq!(escaped("mlops-registry"), "mlops-registry");
        assert_eq!(escaped("team/models?x#y z"), "team/models%3Fx%23y%20z");
    }
}
