//! Git's objects, named as Git names them: the SHA-1 of a header and the body. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// As in a tree: `100644`, `100755`, `120000`, `40000`, `160000`.
    pub mode: String,
    pub sha: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub tree: String,
    pub parents: Vec<String>,
    pub author: Person,
    pub committer: Person,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub email: String,
    /// Seconds since 1970; the zone is UTC.
    pub at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    Blob(Vec<u8>),
    Tree(Vec<Entry>),
    Commit(Commit),
}

/// Files of a tree with their whole paths: mode and blob.
pub type Files = BTreeMap<String, (String, String)>;

#[derive(Debug, Clone, Default)]
pub struct Objects(BTreeMap<String, Object>);

/// The name of an object of a kind with a body.
pub fn hash(kind: &str, body: &[u8]) -> String {
    let mut hasher = Sha1::new();
    hasher.update(format!("{kind} {}\0", body.len()).as_bytes());
    hasher.update(body);
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

impl Objects {
    pub fn write(&mut self, object: Object) -> String {
        let sha = match &object {
            Object::Blob(bytes) => hash("blob", bytes),
            Object::Tree(entries) => hash("tree", &tree_body(entries)),
            Object::Commit(commit) => hash("commit", commit_body(commit).as_bytes()),
        };
        self.0.insert(sha.clone(), object);
        sha
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, sha: &str) -> Option<&Object> {
        self.0.get(sha)
    }

    pub fn blob(&self, sha: &str) -> Option<&[u8]> {
        match self.0.get(sha) {
            Some(Object::Blob(bytes)) => Some(bytes),
            Some(Object::Tree(_) | Object::Commit(_)) | None => None,
        }
    }

    pub fn tree(&self, sha: &str) -> Option<&[Entry]> {
        match self.0.get(sha) {
            Some(Object::Tree(entries)) => Some(entries),
            Some(Object::Blob(_) | Object::Commit(_)) | None => None,
        }
    }

    pub fn commit(&self, sha: &str) -> Option<&Commit> {
        match self.0.get(sha) {
            Some(Object::Commit(commit)) => Some(commit),
            Some(Object::Blob(_) | Object::Tree(_)) | None => None,
        }
    }

    /// Everything of another repository, as in a network of forks.
    pub fn absorb(&mut self, other: &Self) {
        self.0
            .extend(other.0.iter().map(|(sha, object)| (sha.clone(), object.clone())));
    }

    /// Every file below a tree.
    pub fn files(&self, tree: &str) -> Files {
        let mut files = Files::new();
        self.collect(tree, "", &mut files);
        files
    }

    fn collect(&self, tree: &str, prefix: &str, files: &mut Files) {
        for entry in self.tree(tree).into_iter().flatten() {
            let path = format!("{prefix}{}", entry.name);
            if entry.mode == "40000" {
                self.collect(&entry.sha, &format!("{path}/"), files);
            } else {
                files.insert(path, (entry.mode.clone(), entry.sha.clone()));
            }
        }
    }

    /// Writes the trees of files and names the uppermost.
    pub fn write_tree(&mut self, files: &Files) -> String {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        let mut below: BTreeMap<String, Files> = BTreeMap::new();
        for (path, (mode, sha)) in files {
            match path.split_once('/') {
                Some((directory, rest)) => {
                    below
                        .entry(directory.to_owned())
                        .or_default()
                        .insert(rest.to_owned(), (mode.clone(), sha.clone()));
                }
                None => {
                    entries.insert(
                        path.clone(),
                        Entry {
                            name: path.clone(),
                            mode: mode.clone(),
                            sha: sha.clone(),
                        },
                    );
                }
            }
        }
        for (name, files) in below {
            let sha = self.write_tree(&files);
            entries.insert(
                name.clone(),
                Entry {
                    name,
                    mode: "40000".to_owned(),
                    sha,
                },
            );
        }
        let mut entries: Vec<Entry> = entries.into_values().collect();
        // Git sorts a directory as if its name ended with a slash.
        entries.sort_by_key(|entry| {
            if entry.mode == "40000" {
                format!("{}/", entry.name)
            } else {
                entry.name.clone()
            }
        });
        self.write(Object::Tree(entries))
    }

    /// A commit and all before it.
    pub fn ancestors(&self, sha: &str) -> BTreeSet<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![sha.to_owned()];
        while let Some(sha) = open.pop() {
            if seen.insert(sha.clone())
                && let Some(commit) = self.commit(&sha)
            {
                open.extend(commit.parents.iter().cloned());
            }
        }
        seen
    }

    /// Commits from a tip along the first parents, the newest first.
    pub fn history(&self, tip: &str) -> Vec<String> {
        let parent = |sha: &String| self.commit(sha).and_then(|commit| commit.parents.first().cloned());
        std::iter::successors(Some(tip.to_owned()), parent).collect()
    }

    /// A youngest commit that is before both: what is before both has all its parents before both, so that it is no
    /// youngest when it is a parent.
    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        let (ours, theirs) = (self.ancestors(one), self.ancestors(other));
        let common: BTreeSet<&String> = ours.intersection(&theirs).collect();
        let commits = common.iter().filter_map(|sha| self.commit(sha));
        let parents: BTreeSet<&String> = commits.flat_map(|commit| &commit.parents).collect();
        common.difference(&parents).next().map(|sha| (*sha).clone())
    }
}

fn tree_body(entries: &[Entry]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        body.extend(format!("{} {}\0", entry.mode, entry.name).into_bytes());
        let digits = (0..entry.sha.len()).step_by(2);
        body.extend(
            digits.map(|at| u8::from_str_radix(&entry.sha[at..at + 2], 16).expect("names of objects are hexadecimal")),
        );
    }
    body
}

fn commit_body(commit: &Commit) -> String {
    let mut body = format!("tree {}\n", commit.tree);
    for parent in &commit.parents {
        writeln!(body, "parent {parent}").expect("writing to a string does not fail");
    }
    for (role, person) in [("author", &commit.author), ("committer", &commit.committer)] {
        writeln!(body, "{role} {} <{}> {} +0000", person.name, person.email, person.at).expect("as above");
    }
    format!("{body}\n{}", commit.message)
}
