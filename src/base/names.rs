//! Names that must not be swapped, each checked once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text cannot be a model name or an alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a usable {what}: {why}")]
pub struct NameError {
    pub what: &'static str,
    pub name: String,
    pub why: &'static str,
}

/// Letters, digits, `-`, `_`, `.`; at most 128; begins with a letter or digit; safe as a file name everywhere.
fn checked(what: &'static str, text: &str) -> Result<String, NameError> {
    let fail = |why| {
        Err(NameError {
            what,
            name: text.chars().take(64).collect(),
            why,
        })
    };
    if text.is_empty() || text.len() > 128 {
        return fail("it needs 1 to 128 characters");
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return fail("it must begin with a letter or a digit");
    }
    if !text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    {
        return fail("only letters, digits, `-`, `_` and `.` are allowed");
    }
    Ok(text.to_owned())
}

/// A model's name in the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ModelName(String);

impl ModelName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        checked("model name", text).map(Self)
    }
}

impl TryFrom<String> for ModelName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.0
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A movable name for one version of a model: `candidate`, `production`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Alias(String);

impl Alias {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn candidate() -> Self {
        Self("candidate".to_owned())
    }

    pub fn production() -> Self {
        Self("production".to_owned())
    }
}

impl FromStr for Alias {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let alias = checked("alias", text)?;
        if alias.parse::<VersionNumber>().is_ok() {
            return Err(NameError {
                what: "alias",
                name: alias,
                why: "it would read as a version number",
            });
        }
        Ok(Self(alias))
    }
}

impl TryFrom<String> for Alias {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Alias> for String {
    fn from(alias: Alias) -> Self {
        alias.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version of a model: 1, 2, …; written `v3` and read with or without the `v`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VersionNumber(pub u32);

impl FromStr for VersionNumber {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        match digits.parse() {
            Ok(number) if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(number)),
            _ => Err(NameError {
                what: "version",
                name: text.chars().take(64).collect(),
                why: "write it as `v3` or `3`",
            }),
        }
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// The full name of a commit: 40 hexadecimal digits, or 64 in a repository with SHA-256 objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CommitSha(String);

impl CommitSha {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as people write it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for CommitSha {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || !matches!(text.len(), 40 | 64) || text.bytes().all(|b| b == b'0') {
            return Err(NameError {
                what: "commit",
                name: text.chars().take(64).collect(),
                why: "it needs 40 or 64 hexadecimal digits, not all zero",
            });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for CommitSha {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> Self {
        sha.0
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
