//! How W&B nests what it answers: connections, projects, paths. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::Timestamp;

use super::text::{moment, read_json};
use super::{Operation, malformed};
use crate::wandb::error::WandbError;

/// As many pages of one list are read at most.
pub(super) const MAX_PAGES: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Id {
    pub id: String,
}

/// What most mutations without an object answer.
#[derive(Debug, Deserialize)]
pub(super) struct Success {
    pub success: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Nodes<T> {
    pub edges: Vec<Edge<T>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Edge<T> {
    pub node: Option<T>,
}

impl<T> Nodes<T> {
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.edges.into_iter().filter_map(|edge| edge.node)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub end_cursor: Option<String>,
    pub has_next_page: bool,
}

impl PageInfo {
    /// The cursor of the next page, if there is one.
    pub fn next(self) -> Option<String> {
        self.end_cursor
            .filter(|cursor| self.has_next_page && !cursor.is_empty())
    }
}

/// A project with its owner.
#[derive(Debug, Deserialize)]
pub(super) struct Project {
    pub name: String,
    pub entity: Named,
}

/// The one argument that most mutations have.
#[derive(Debug, Serialize)]
pub(super) struct Input<T> {
    pub input: T,
}

/// An alias as artifacts are made and linked with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactAlias<'a> {
    artifact_collection_name: &'a str,
    alias: &'a str,
}

pub(super) fn artifact_aliases<'a>(collection: &'a str, aliases: &'a [String]) -> Vec<ArtifactAlias<'a>> {
    aliases
        .iter()
        .map(|alias| ArtifactAlias {
            artifact_collection_name: collection,
            alias,
        })
        .collect()
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tag<'a> {
    tag_name: &'a str,
}

pub(super) fn tag_names(tags: &[String]) -> Vec<Tag<'_>> {
    tags.iter().map(|tag| Tag { tag_name: tag }).collect()
}

/// JSON inside of JSON; an empty text is as good as none.
pub(super) fn inner_json(operation: &Operation, field: &str, text: Option<&str>) -> Result<Option<Value>, WandbError> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => read_json(text)
            .map(|value| Some(value).filter(|value| !value.is_null()))
            .map_err(|error| malformed(operation, format!("`{field}` is not JSON: {error}"))),
    }
}

pub(super) fn date(operation: &Operation, field: &str, text: &str) -> Result<Timestamp, WandbError> {
    moment(text).ok_or_else(|| malformed(operation, format!("`{field}` is no moment")))
}

/// The aliases that somebody gave: each version has `v3` and the like by itself.
pub(super) fn given_aliases(aliases: impl Iterator<Item = String>) -> Vec<String> {
    aliases.filter(|alias| index_of(alias).is_none()).collect()
}

/// The number in `v3`.
pub(super) fn index_of(version: &str) -> Option<u32> {
    let digits = version.strip_prefix('v')?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_versions_are_no_aliases() {
        let aliases = ["v0", "latest", "v12", "v", "v1a", "v+1", "version", "production"];
        let given = given_aliases(aliases.into_iter().map(str::to_owned));
        assert_eq!(given, ["latest", "v", "v1a", "v+1", "version", "production"]);
        assert_eq!(index_of("v12"), Some(12));
    }
}
