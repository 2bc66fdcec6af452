//! What the twin remembers, and what tests put into it and read out of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::blobs::Blob;
use super::faults::{Call, Fault};
use super::git::{Commit, Object, Person};
use super::repositories::Repository;
use super::results::RuntimeToken;
use super::server::{Limit, Reply, Request, not_found};

/// The GitHub app that `GITHUB_TOKEN` belongs to.
pub const ACTIONS_APP: u64 = 15368;
pub const ACTIONS_LOGIN: &str = "github-actions[bot]";

/// 2026-11-23T10:00:00Z; every event is a second later than the one before.
const BEGINNING: i64 = 1_795_428_000;

#[derive(Clone)]
pub struct State {
    pub url: String,
    pub repositories: BTreeMap<String, Repository>,
    pub tokens: BTreeMap<String, Token>,
    pub runtime_tokens: BTreeMap<String, RuntimeToken>,
    pub blobs: BTreeMap<String, Blob>,
    pub calls: Vec<Call>,
    pub violations: Vec<String>,
    pub faults: Vec<Fault>,
    pub limit: Option<Limit>,
    /// Refusals do not name the permission that is missing, as on older enterprise servers.
    pub hides_accepted_permissions: bool,
    /// GitHub takes a default when the header with the version is missing; this project must not rely on it.
    pub is_version_required: bool,
    /// Trees are cut, as GitHub does with more than 100,000 entries.
    pub truncates_trees: bool,
    /// The key that signs the URLs of blobs.
    pub n_used: u64,
    last_id: u64,
    clock: i64,
    /// As it was when somebody asked to keep it.
    pub kept: Option<Box<Self>>,
}

/// Who a token speaks for and what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub login: String,
    /// The app of an installation token; none for a person's.
    pub is_app: bool,
    pub app_id: u64,
    /// As in `permissions:` of a workflow: `checks` → `write`.
    pub permissions: BTreeMap<String, String>,
    /// The repositories of an installation; none is all.
    pub repositories: Option<BTreeSet<String>>,
}

impl State {
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            repositories: BTreeMap::new(),
            tokens: BTreeMap::new(),
            runtime_tokens: BTreeMap::new(),
            blobs: BTreeMap::new(),
            calls: Vec::new(),
            violations: Vec::new(),
            faults: Vec::new(),
            limit: None,
            hides_accepted_permissions: false,
            is_version_required: true,
            truncates_trees: false,
            n_used: 0,
            last_id: 1000,
            clock: BEGINNING,
            kept: None,
        }
    }

    /// Remembers everything as it is now.
    pub fn keep(&mut self) {
        let now = Self {
            kept: None,
            ..self.clone()
        };
        self.kept = Some(Box::new(now));
    }

    /// Everything is again as it was; whether it was kept.
    pub fn go_back(&mut self) -> bool {
        let Some(kept) = self.kept.take() else { return false };
        *self = Self {
            kept: Some(kept.clone()),
            ..*kept
        };
        true
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The next moment, in seconds since 1970.
    pub fn tick(&mut self) -> i64 {
        self.clock += 1;
        self.clock
    }

    /// The next moment as the API writes it.
    pub fn now(&mut self) -> String {
        moment(self.tick())
    }

    pub fn caller(&self, request: &Request) -> Option<Token> {
        let header = request.headers.get("authorization")?;
        let (scheme, token) = header.split_once(' ')?;
        let is_known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
        self.tokens.get(token.trim()).filter(|_| is_known).cloned()
    }

    /// A repository, made when it is new: public, with `main` as its branch, without a commit.
    pub fn repository(&mut self, name: &str) -> &mut Repository {
        if !self.repositories.contains_key(name) {
            let id = self.next_id();
            self.repositories.insert(name.to_owned(), Repository::new(id, name));
        }
        self.repositories.get_mut(name).expect("it was inserted")
    }

    pub fn of(&mut self, request: &Request) -> Result<&mut Repository, Box<Reply>> {
        self.repositories.get_mut(&request.repository()).ok_or_else(not_found)
    }

    /// A `GITHUB_TOKEN` of a repository with `permissions:`.
    pub fn actions_token(&mut self, repository: &str, permissions: &[(&str, &str)]) -> String {
        let id = self.next_id();
        let text = format!("ghs_{id}_{}.{}_twin", "e".repeat(36), "y".repeat(440));
        self.tokens
            .insert(text.clone(), token(ACTIONS_LOGIN, true, repository, permissions));
        text
    }

    /// A fine-grained token of a person.
    pub fn user_token(&mut self, login: &str, repository: &str, permissions: &[(&str, &str)]) -> String {
        let id = self.next_id();
        let text = format!("github_pat_{id}{}", "A".repeat(30));
        self.tokens
            .insert(text.clone(), token(login, false, repository, permissions));
        text
    }

    /// Commits files on a branch as a person does: files that are there stay, an empty text is an empty file.
    /// A new branch starts at the default branch when that has commits.
    pub fn commit(&mut self, repository: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<(String, Option<Vec<u8>>)> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Some(text.as_bytes().to_vec())))
            .collect();
        self.commit_files(repository, branch, &files, &format!("change {} files", files.len()))
    }

    /// The same with a message and bytes; nothing deletes the file.
    pub fn commit_files(
        &mut self,
        name: &str,
        branch: &str,
        files: &[(String, Option<Vec<u8>>)],
        message: &str,
    ) -> String {
        let at = self.tick();
        let repository = self.repository(name);
        let start = repository
            .tip(branch)
            .or_else(|| repository.tip(&repository.default_branch.clone()));
        let mut all = start.as_ref().map(|sha| repository.files_of(sha)).unwrap_or_default();
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => {
                    let sha = repository.objects.write(Object::Blob(bytes.clone()));
                    all.insert(path.clone(), ("100644".to_owned(), sha));
                }
                None => {
                    all.remove(path);
                }
            }
        }
        let tree = repository.objects.write_tree(&all);
        let person = Person {
            name: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            at,
        };
        let commit = Commit {
            tree,
            parents: start.into_iter().collect(),
            author: person.clone(),
            committer: person,
            message: message.to_owned(),
        };
        let sha = repository.objects.write(Object::Commit(commit));
        repository.refs.insert(format!("refs/heads/{branch}"), sha.clone());
        self.synchronize();
        sha
    }

    /// The files of a branch, empty when there is no such branch.
    pub fn files(&self, repository: &str, branch: &str) -> BTreeMap<String, Vec<u8>> {
        let Some(repository) = self.repositories.get(repository) else {
            return BTreeMap::new();
        };
        let Some(tip) = repository.tip(branch) else {
            return BTreeMap::new();
        };
        let blob = |sha: &str| repository.objects.blob(sha).unwrap_or_default().to_vec();
        repository
            .files_of(&tip)
            .iter()
            .map(|(path, (_, sha))| (path.clone(), blob(sha)))
            .collect()
    }

    /// The commits of a branch along the first parents, the newest first.
    pub fn history(&self, repository: &str, branch: &str) -> Vec<String> {
        let repository = self.repositories.get(repository);
        repository
            .and_then(|one| one.tip(branch).map(|tip| one.objects.history(&tip)))
            .unwrap_or_default()
    }
}

fn token(login: &str, is_app: bool, repository: &str, permissions: &[(&str, &str)]) -> Token {
    Token {
        login: login.to_owned(),
        is_app,
        app_id: if is_app { ACTIONS_APP } else { 0 },
        permissions: permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), (*level).to_owned()))
            .collect(),
        repositories: Some(BTreeSet::from([repository.to_owned()])),
    }
}

/// Seconds since 1970 as the API writes them.
pub fn moment(at: i64) -> String {
    jiff::Timestamp::from_second(at)
        .expect("the clock of the twin is near its beginning")
        .to_string()
}

/// A user as it stands in other objects.
pub fn user(login: &str) -> Value {
    let id = login
        .bytes()
        .fold(7_u64, |id, byte| (id * 31 + u64::from(byte)) % 1_000_003);
    let is_bot = login.ends_with("[bot]");
    json!({
        "login": login,
        "id": if login == ACTIONS_LOGIN { 41_898_282 } else { id },
        "node_id": format!("U_{id}"),
        "type": if is_bot { "Bot" } else { "User" },
        "site_admin": false,
        "html_url": format!("https://github.com/{}", login.trim_end_matches("[bot]")),
    })
}
