//! Where the files of a version are fetched from. The addresses are signed: they are secrets, and they expire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::artifacts::ArtifactOnly;
use super::collections::CollectionPath;
use super::shapes::{MAX_PAGES, Nodes, PageInfo};
use super::{MANIFEST_URL, MEMBERSHIP_FILE_URLS, malformed};
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;

/// Files whose addresses are asked for at once.
const PAGE: usize = 1000;

/// Where the list of an artifact's files is; `None` if there is no such artifact, or it has no list yet.
pub async fn manifest_url(client: &Client, artifact: &str) -> Result<Option<String>, WandbError> {
    #[derive(Deserialize)]
    struct Answer {
        artifact: Option<Found>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Found {
        current_manifest: Option<Manifest>,
    }
    #[derive(Deserialize)]
    struct Manifest {
        file: File,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        direct_url: String,
    }
    let answer: Answer = client.execute(&MANIFEST_URL, &ArtifactOnly { artifact }).await?;
    let manifest = answer.artifact.and_then(|found| found.current_manifest);
    Ok(manifest.map(|manifest| manifest.file.direct_url))
}

/// Path → address, of all files that the alias's version has in storage; `None` if there is no such version, or none that
/// the key may see.
pub async fn membership_file_urls(
    client: &Client,
    path: &CollectionPath,
    alias: &str,
) -> Result<Option<BTreeMap<String, String>>, WandbError> {
    let mut all = BTreeMap::new();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let variables = FilesVariables {
            entity: &path.entity,
            project: &path.project,
            collection: &path.collection,
            alias,
            first: PAGE,
            after: after.as_deref(),
        };
        let answer: Answer = client.execute(&MEMBERSHIP_FILE_URLS, &variables).await?;
        let membership = answer
            .project
            .and_then(|project| project.artifact_collection)
            .and_then(|collection| collection.artifact_membership);
        let Some(membership) = membership else {
            return Ok(None);
        };
        let page = membership
            .files
            .ok_or_else(|| malformed(&MEMBERSHIP_FILE_URLS, "the version has no list of files"))?;
        all.extend(page.files.into_values().map(|file| (file.name, file.direct_url)));
        after = page.page_info.next();
        if after.is_none() {
            return Ok(Some(all));
        }
    }
    let limit = MAX_PAGES * PAGE;
    Err(malformed(
        &MEMBERSHIP_FILE_URLS,
        format!("the version has more than {limit} files"),
    ))
}

#[derive(Serialize)]
pub(super) struct FilesVariables<'a> {
    pub entity: &'a str,
    pub project: &'a str,
    pub collection: &'a str,
    pub alias: &'a str,
    pub first: usize,
    pub after: Option<&'a str>,
}

#[derive(Deserialize)]
struct Answer {
    project: Option<Project>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    artifact_collection: Option<Collection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Collection {
    artifact_membership: Option<Membership>,
}

#[derive(Deserialize)]
struct Membership {
    files: Option<Page>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    page_info: PageInfo,
    #[serde(flatten)]
    files: Nodes<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: String,
    direct_url: String,
}
