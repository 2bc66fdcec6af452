//! The embedded registry on a branch: the same files as in a directory, kept in the tree at which the branch ends.
//!
//! One operation looks at one commit. An entry, the objects that it names and nothing else make the next commit, and the
//! branch is moved to it only if it still ends where it was looked at; whoever comes second looks again. When it is not
//! known whether a move was made, the branch says: either it holds the entry to the letter, or it ends where it did and the
//! same move is made again. So nothing gets lost and nothing is there twice.
//!
//! GitHub may show for some seconds what was before a write. Within one program the ledger only ever grows: a branch that
//! seems to be at an older entry is taken for such an echo, and one with other entries is damaged.

mod known;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::string::FromUtf8Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::RegistryError;
use super::embedded::{Addition, Embedded, Found, Storage, damaged};
use crate::github::git::{Content, Entry, Git, Kind, Listing, ObjectId, Push};
use crate::github::{Client, GithubError, Repository};
use crate::sys::Stopwatch;
use known::{Known, Moment, Seen, Tip};

/// The branch that is used unless another one is named.
pub const BRANCH: &str = "mlops-registry";
const README: (&str, &str) = ("README.md", include_str!("README.md"));
const LEDGER: &str = "ledger/";
/// A text of at most this size travels with the tree that holds it.
const MAX_INLINE_BYTES: usize = 64 << 10;
/// From this many small files on they are asked for together.
const MANY: usize = 4;
/// Files up to this size are asked for together; of larger ones GitHub gives no text.
const MAX_TEXT_BYTES: u64 = 512 << 10;
/// How often a move is tried that is refused without a reason, or of which nothing is known.
const MAX_TRIES: u32 = 6;
/// The longest wait after a lost race.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The registry on a branch of a repository.
pub type Branch = Embedded<BranchFiles>;

impl Branch {
    /// The branch is made when something is first written.
    pub fn new(client: Client, repository: Repository, branch: String) -> Self {
        Self::on(BranchFiles {
            place: Arc::new(Place {
                git: Git::new(client, repository),
                branch,
                known: Mutex::new(Known::default()),
            }),
            moment: Moment::default(),
            staged: BTreeMap::new(),
            since: Stopwatch::start(),
            n_losses: 0,
        })
    }
}

/// The files of one operation.
#[derive(Debug, Clone)]
pub struct BranchFiles {
    place: Arc<Place>,
    moment: Moment,
    /// Files that the next commit may hold.
    staged: BTreeMap<String, (ObjectId, Content)>,
    /// Since the branch was looked at.
    since: Stopwatch,
    n_losses: u32,
}

#[derive(Debug)]
struct Place {
    git: Git,
    branch: String,
    known: Mutex<Known>,
}

impl Place {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> String {
        format!("read the branch `{}`", self.branch)
    }

    fn write(&self) -> String {
        format!("write to the branch `{}`", self.branch)
    }

    /// Where the branch is now.
    async fn look(&self) -> Result<Moment, GithubError> {
        let Some(commit) = self.git.tip(&self.branch).await? else {
            return Ok(Moment::default());
        };
        if let Some(moment) = self.known().at(commit) {
            return Ok(moment);
        }
        let tree = self.git.tree_of(commit).await?;
        let files = Arc::new(self.git.list(tree).await?);
        Ok(Moment {
            tip: Some(Tip { commit, tree }),
            files,
        })
    }

    /// The contents of blobs, each of them once.
    async fn blobs(&self, wanted: BTreeMap<ObjectId, u64>) -> Result<BTreeMap<ObjectId, Arc<[u8]>>, GithubError> {
        let mut contents: BTreeMap<ObjectId, Arc<[u8]>> = BTreeMap::new();
        {
            let known = self.known();
            contents.extend(wanted.keys().filter_map(|id| Some((*id, known.blob(id)?))));
        }
        let small: BTreeSet<ObjectId> = wanted
            .iter()
            .filter(|(id, size_bytes)| **size_bytes <= MAX_TEXT_BYTES && !contents.contains_key(id))
            .map(|(id, _)| *id)
            .collect();
        if small.len() >= MANY {
            match self.git.texts(&small).await {
                Ok(texts) => contents.extend(texts.into_iter().map(|(id, text)| (id, text.into()))),
                // The slower way is left, except where there is no time for any.
                Err(error @ GithubError::OutOfTime { .. }) => return Err(error),
                Err(error) => tracing::debug!(%error, "blobs are read one by one"),
            }
        }
        for (id, size_bytes) in &wanted {
            if !contents.contains_key(id) {
                let limit = usize::try_from(*size_bytes).unwrap_or(usize::MAX);
                contents.insert(*id, self.git.blob(*id, limit).await?.into());
            }
        }
        self.known().keep_blobs(&contents);
        Ok(contents)
    }
}

#[async_trait]
impl Storage for BranchFiles {
    /// What GitHub takes as a blob without a doubt.
    const MAX_FILE_BYTES: u64 = 50 << 20;
    const MAX_ATTEMPTS: usize = 500;

    async fn refresh(&mut self) -> Result<(), RegistryError> {
        self.since = Stopwatch::start();
        let moment = self
            .place
            .look()
            .await
            .map_err(|error| failed(self.place.read(), error))?;
        self.moment = match self.place.known().see(moment) {
            Seen::Now(moment) | Seen::Echo(moment) => moment,
            Seen::Rewritten(path) => {
                return Err(damaged(&path, "the branch was written anew while this program read it"));
            }
        };
        Ok(())
    }

    async fn names(&self, directory: &str) -> Result<Vec<String>, RegistryError> {
        match self.moment.files.get(directory).map(|entry| entry.kind) {
            None => return Ok(Vec::new()),
            Some(Kind::Directory) => {}
            Some(Kind::File | Kind::Link | Kind::Submodule) => {
                return Err(damaged(directory, "it is not a directory"));
            }
        }
        let prefix = format!("{directory}/");
        Ok(below(&self.moment.files, &prefix)
            .filter_map(|(path, _)| path.strip_prefix(&prefix))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    async fn read(&self, paths: Vec<String>, limit_bytes: u64) -> Result<Vec<Found>, RegistryError> {
        let places: Vec<At> = paths
            .iter()
            .map(|path| at(&self.moment.files, path, limit_bytes))
            .collect();
        let wanted = places
            .iter()
            .filter_map(|place| match place {
                At::Blob { id, size_bytes } => Some((*id, *size_bytes)),
                At::Nothing(_) => None,
            })
            .collect();
        let contents = self
            .place
            .blobs(wanted)
            .await
            .map_err(|error| failed(self.place.read(), error))?;
        Ok(places
            .into_iter()
            .map(|place| match place {
                At::Nothing(found) => found,
                At::Blob { id, .. } => contents
                    .get(&id)
                    .map_or(Found::Missing, |content| Found::Content(content.to_vec())),
            })
            .collect())
    }

    /// The branch itself is made with its first entry.
    async fn prepare(&mut self, (name, text): (&'static str, String)) -> Result<(), RegistryError> {
        for (name, text) in [(name, text), (README.0, README.1.to_owned())] {
            let id = ObjectId::of_blob(text.as_bytes());
            self.staged.insert(name.to_owned(), (id, Content::Text(text)));
        }
        Ok(())
    }

    async fn put(&mut self, path: String, content: Vec<u8>) -> Result<(), RegistryError> {
        let id = ObjectId::of_blob(&content);
        let is_there = holds(&self.moment.files, &path, id) || self.place.known().has_uploaded(&id);
        let staged = match String::from_utf8(content) {
            _ if is_there => Content::Blob(id),
            Ok(text) if is_inline(&text) => Content::Text(text),
            other => {
                let content = other.map_or_else(FromUtf8Error::into_bytes, String::into_bytes);
                let made = self.place.git.create_blob(&content).await;
                made.map_err(|error| match error {
                    GithubError::Invalid { message, .. } => RegistryError::Refused {
                        what: path.clone(),
                        why: message,
                    },
                    error => failed(self.place.write(), error),
                })?;
                self.place.known().uploaded(id);
                Content::Blob(id)
            }
        };
        self.staged.insert(path, (id, staged));
        Ok(())
    }

    async fn append(&mut self, addition: &Addition) -> Result<bool, RegistryError> {
        let place = Arc::clone(&self.place);
        let fail = |error| failed(place.write(), error);
        let id = ObjectId::of_blob(addition.text.as_bytes());
        let mut files = self.missing(&addition.objects)?;
        files.insert(addition.path.clone(), (id, Content::Text(addition.text.clone())));
        let contents = files
            .iter()
            .map(|(path, (_, content))| (path.clone(), content.clone()))
            .collect();
        let base = self.moment.tip;
        let tree = place
            .git
            .create_tree(base.map(|tip| tip.tree), &contents)
            .await
            .map_err(fail)?;
        let message = format!("mlops: {}", addition.summary);
        let parent = base.map(|tip| tip.commit);
        let commit = place.git.create_commit(&message, tree, parent).await.map_err(fail)?;
        for n_before in 0..MAX_TRIES {
            let pushed = match base {
                Some(_) => place.git.move_branch(&place.branch, commit).await,
                None => place.git.create_branch(&place.branch, commit).await,
            };
            if pushed == Ok(Push::Done) {
                self.take(Tip { commit, tree }, &files);
                return Ok(true);
            }
            if let Err(error) = &pushed
                && !is_doubtful(error)
            {
                return Err(fail(error.clone()));
            }
            tracing::debug!(?pushed, "the branch was not moved, or so it seems");
            self.pause().await;
            // What is known of the push is the better reason, should the branch be out of reach now.
            let looked = self.refresh().await;
            match (&pushed, looked) {
                (_, Ok(())) => {}
                (Err(error), Err(RegistryError::Unavailable { .. })) => return Err(fail(error.clone())),
                (_, Err(error)) => return Err(error),
            }
            if let Some(found) = self.moment.files.get(&addition.path) {
                return Ok(found.kind == Kind::File && found.id == id);
            }
            if self.moment.tip != base {
                return Ok(false);
            }
            let is_last = n_before + 1 == MAX_TRIES;
            match pushed {
                Ok(Push::Refused(why)) if is_last || is_rule(&why) => {
                    return Err(RegistryError::PermissionDenied {
                        action: place.write(),
                        needs: format!("it was refused: {why}"),
                    });
                }
                Err(error) if is_last => return Err(fail(error)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(false)
    }
}

impl BranchFiles {
    /// Waits a random part of the time that an attempt takes, doubled with each loss, so that those who lost do not meet
    /// again: the more there are, the longer their attempts take.
    async fn pause(&mut self) {
        let attempt = Duration::from_millis(self.since.elapsed_ms().max(1));
        let factor = 1_u32.checked_shl(self.n_losses).unwrap_or(u32::MAX);
        let share = u32::try_from(RandomState::new().hash_one(0) % 1024).unwrap_or(0);
        self.n_losses += 1;
        tokio::time::sleep(attempt.saturating_mul(factor).min(MAX_WAIT) * share / 1024).await;
    }

    /// The files that the next commit needs and the tree does not have: the marks of a registry, and the objects.
    fn missing(&self, objects: &[String]) -> Result<BTreeMap<String, (ObjectId, Content)>, RegistryError> {
        let mut missing = BTreeMap::new();
        for (path, staged) in &self.staged {
            let is_mark = !path.contains('/');
            if is_mark && !self.moment.files.contains_key(path) {
                missing.insert(path.clone(), staged.clone());
            }
        }
        for path in objects {
            match self.staged.get(path) {
                Some((id, _)) if holds(&self.moment.files, path, *id) => {}
                Some(staged) => {
                    missing.insert(path.clone(), staged.clone());
                }
                None if self.moment.files.contains_key(path) => {}
                None => return Err(damaged(path, "it is missing")),
            }
        }
        Ok(missing)
    }

    /// The branch is where we brought it: that is known without asking.
    fn take(&mut self, tip: Tip, files: &BTreeMap<String, (ObjectId, Content)>) {
        let mut listing = Listing::clone(&self.moment.files);
        for (path, (id, content)) in files {
            for (at, _) in path.match_indices('/') {
                listing.entry(path[..at].to_owned()).or_insert(Entry {
                    kind: Kind::Directory,
                    id: tip.tree,
                    size_bytes: None,
                });
            }
            let size_bytes = match content {
                Content::Text(text) => Some(text.len() as u64),
                Content::Blob(_) => None,
            };
            let entry = Entry {
                kind: Kind::File,
                id: *id,
                size_bytes,
            };
            listing.insert(path.clone(), entry);
        }
        let moment = Moment {
            tip: Some(tip),
            files: Arc::new(listing),
        };
        self.place.known().moved(moment.clone());
        self.moment = moment;
    }
}

/// What is at a path, without its content.
enum At {
    Blob { id: ObjectId, size_bytes: u64 },
    Nothing(Found),
}

fn at(files: &Listing, path: &str, limit_bytes: u64) -> At {
    match files.get(path) {
        Some(Entry {
            kind: Kind::File,
            id,
            size_bytes,
        }) => {
            let size_bytes = size_bytes.unwrap_or(limit_bytes);
            if size_bytes > limit_bytes {
                At::Nothing(Found::TooLarge)
            } else {
                At::Blob { id: *id, size_bytes }
            }
        }
        Some(_) => At::Nothing(Found::NotAFile),
        None => {
            let above = path.match_indices('/').filter_map(|(at, _)| files.get(&path[..at]));
            let is_cut_off = above.into_iter().any(|entry| entry.kind != Kind::Directory);
            At::Nothing(if is_cut_off { Found::NotAFile } else { Found::Missing })
        }
    }
}

fn holds(files: &Listing, path: &str, id: ObjectId) -> bool {
    files
        .get(path)
        .is_some_and(|entry| entry.kind == Kind::File && entry.id == id)
}

fn below<'a>(files: &'a Listing, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Entry)> {
    files
        .range(prefix.to_owned()..)
        .take_while(move |(path, _)| path.starts_with(prefix))
}

/// Texts that nothing on the way has a reason to change.
fn is_inline(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_INLINE_BYTES
        && !text.starts_with('\u{feff}')
        && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'))
}

/// Does the refusal name a rule, so that trying again is of no use?
fn is_rule(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    ["rule", "protected"].iter().any(|word| why.contains(word))
}

/// May the push have been made all the same, or be made later?
fn is_doubtful(error: &GithubError) -> bool {
    match error {
        GithubError::Unavailable { .. } | GithubError::Malformed { .. } | GithubError::OutOfTime { .. } => true,
        GithubError::Unauthorized
        | GithubError::Forbidden { .. }
        | GithubError::NotFound { .. }
        | GithubError::Conflict { .. }
        | GithubError::Invalid { .. }
        | GithubError::RateLimited { .. } => false,
    }
}

/// What GitHub says, in the words of registries.
fn failed(action: String, error: GithubError) -> RegistryError {
    let add = |permission: &str| format!("add `{permission}` to the job's permissions");
    match error {
        GithubError::Unauthorized => RegistryError::PermissionDenied {
            action,
            needs: "the token is wrong, revoked or expired".to_owned(),
        },
        GithubError::Forbidden {
            permission: Some(permission),
            ..
        } => RegistryError::PermissionDenied {
            action,
            needs: add(&permission),
        },
        GithubError::Forbidden { message, .. } => RegistryError::PermissionDenied { action, needs: message },
        GithubError::NotFound { permission, .. } => RegistryError::PermissionDenied {
            action,
            needs: format!(
                "{}, if the repository is there",
                add(permission.as_deref().unwrap_or("contents: read"))
            ),
        },
        // The only conflict there is among Git data but for pushes.
        GithubError::Conflict { message, .. } if message.to_ascii_lowercase().contains("empty") => {
            RegistryError::Unavailable {
                action,
                source: io::Error::other("the repository is empty: push a first commit"),
            }
        }
        error @ (GithubError::Conflict { .. }
        | GithubError::Invalid { .. }
        | GithubError::RateLimited { .. }
        | GithubError::Unavailable { .. }
        | GithubError::OutOfTime { .. }
        | GithubError::Malformed { .. }) => RegistryError::Unavailable {
            action,
            source: io::Error::other(error),
        },
    }
}

#[cfg(test)]
mod tests;
