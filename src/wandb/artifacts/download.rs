//! The files of a version, fetched by signed addresses and held against the list of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::sync::Mutex;

use super::digest::{Digester, FileDigest, Md5};
use super::manifest::{MAX_BYTES, Manifest, ManifestEntry};
use crate::sys::Incoming;
use crate::wandb::client::{Client, Piece};
use crate::wandb::error::{WandbError, clean};
use crate::wandb::hosts::part;
use crate::wandb::operations::{CollectionPath, Membership, manifest_url, membership_file_urls};

/// What a server can do whose own way to a content names the artifact too.
const HANDLER_KNOWS_ARTIFACTS: &str = "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID";

/// The files that a version has.
#[derive(Debug)]
pub struct Files {
    client: Client,
    artifact: String,
    collection: CollectionPath,
    /// `v3`.
    alias: String,
    manifest: Manifest,
    /// The addresses that W&B gave last; they expire.
    urls: Mutex<Option<BTreeMap<String, String>>>,
}

impl Files {
    /// Reads the list, and holds it against the digest of the version.
    pub async fn of(client: &Client, version: &Membership) -> Result<Self, WandbError> {
        let index = version.version_index.map(|index| format!("v{index}"));
        let alias = index.or_else(|| version.aliases.first().cloned());
        let manifest = manifest(client, &version.artifact.id).await?;
        if !manifest.is_of(&version.artifact.digest) {
            return Err(unusable("it is not the list that the version was made with"));
        }
        Ok(Self {
            client: client.clone(),
            artifact: version.artifact.id.clone(),
            collection: version.collection.path.clone(),
            alias: alias.ok_or_else(|| unusable("the version has neither a number nor an alias"))?,
            manifest,
            urls: Mutex::new(None),
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The content of a file of at most `limit` bytes.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, WandbError> {
        let (entry, md5) = self.entry(path, limit)?;
        let mut bytes = Vec::new();
        let mut keep = |piece: Piece<'_>| {
            match piece {
                Piece::Begin => bytes.clear(),
                Piece::Bytes(more) => bytes.extend_from_slice(more),
            }
            Ok(())
        };
        self.receive(path, entry, md5, limit, &mut keep).await?;
        if Md5::of(&bytes) != md5 {
            return Err(not_as_named(path));
        }
        Ok(bytes)
    }

    /// Writes a file of at most `limit` bytes to `target`, whole or not at all.
    pub async fn fetch_to(&self, path: &str, target: &Path, limit: u64) -> Result<FileDigest, WandbError> {
        let unkept = |error: crate::sys::FileError| WandbError::File { why: error.to_string() };
        let (entry, md5) = self.entry(path, limit)?;
        let mut incoming = Incoming::new(target).map_err(unkept)?;
        let mut digester = Digester::new(None);
        let mut keep = |piece: Piece<'_>| match piece {
            Piece::Begin => {
                digester = Digester::new(None);
                incoming.restart()
            }
            Piece::Bytes(more) => {
                digester.update(more);
                incoming.add(more)
            }
        };
        self.receive(path, entry, md5, limit, &mut keep).await?;
        let digest = digester.finish();
        if digest.md5 != md5 {
            return Err(not_as_named(path));
        }
        incoming.keep().map_err(unkept)?;
        Ok(digest)
    }

    /// What the list has under a path, if W&B has the content and it can be checked.
    fn entry(&self, path: &str, limit: u64) -> Result<(&ManifestEntry, Md5), WandbError> {
        let refused = |why: String| WandbError::Invalid {
            what: format!("the download of `{}`", clean(path, 200)),
            message: why,
        };
        let entry = self.manifest.entries.get(path);
        let entry = entry.ok_or_else(|| refused("the version has no such file".to_owned()))?;
        if let Some(uri) = &entry.reference {
            return Err(refused(format!("it is kept elsewhere, at `{}`", clean(uri, 300))));
        }
        if entry.size_bytes > limit {
            let size = entry.size_bytes;
            return Err(refused(format!("it has {size} bytes, and {limit} may be read")));
        }
        let md5 = entry.md5();
        let md5 = md5.ok_or_else(|| refused("its digest is none that can be checked".to_owned()))?;
        Ok((entry, md5))
    }

    /// From the address that W&B gave, from a new one if that has expired, or through W&B itself.
    async fn receive(
        &self,
        path: &str,
        entry: &ManifestEntry,
        md5: Md5,
        limit: u64,
        keep: &mut impl FnMut(Piece<'_>) -> io::Result<()>,
    ) -> Result<(), WandbError> {
        let mut expired = None;
        for _ in 0..2 {
            let Some(url) = self.url(path, expired.as_deref()).await? else {
                break;
            };
            match self.client.receive(&url, limit, &mut *keep).await {
                Err(WandbError::Storage {
                    status: 400 | 403 | 404,
                    ..
                }) => expired = Some(url),
                received => return received.map(drop),
            }
        }
        let has_artifact = self.client.features().await?.has(HANDLER_KNOWS_ARTIFACTS);
        let url = self.through(path, entry, md5, has_artifact);
        self.client.receive(&url, limit, keep).await.map(drop)
    }

    /// The address of a file; a new one for one that has expired. None if W&B gives none.
    async fn url(&self, path: &str, expired: Option<&str>) -> Result<Option<String>, WandbError> {
        let mut urls = self.urls.lock().await;
        let known = urls.as_ref().map(|urls| urls.get(path));
        // Files that are fetched side by side share what one of them asked for.
        match known {
            Some(Some(url)) if Some(url.as_str()) != expired => return Ok(Some(url.clone())),
            Some(None) => return Ok(None),
            _ => {}
        }
        let found = match membership_file_urls(&self.client, &self.collection, &self.alias).await {
            Ok(found) => found.unwrap_or_default(),
            // Older servers have another way.
            Err(WandbError::UnknownField { .. }) => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let url = found.get(path).cloned();
        *urls = Some(found);
        Ok(url)
    }

    /// The way through W&B itself, with the key.
    fn through(&self, path: &str, entry: &ManifestEntry, md5: Md5, has_artifact: bool) -> String {
        let CollectionPath {
            entity,
            project,
            collection,
        } = &self.collection;
        let hex = md5.hex();
        if self.manifest.is_first_layout {
            return format!("/artifacts/{}/{hex}", part(entity));
        }
        let region = self.manifest.region.as_deref().unwrap_or("default");
        let name = path.rsplit('/').next().unwrap_or(path);
        let birth = entry.birth_artifact.as_deref().unwrap_or_default();
        let mut parts = vec![region, entity, project, collection, birth, &hex, name];
        if has_artifact {
            parts.insert(4, &self.artifact);
        }
        let parts: Vec<String> = parts.into_iter().map(part).collect();
        format!("/artifactsV2/{}", parts.join("/"))
    }
}

/// The list of an artifact's files.
async fn manifest(client: &Client, artifact: &str) -> Result<Manifest, WandbError> {
    let mut is_again = false;
    loop {
        let url = manifest_url(client, artifact).await?;
        let url = url.ok_or_else(|| unusable("the version has no list"))?;
        match client.get(&url, MAX_BYTES).await {
            Ok(bytes) => return Manifest::from_json(&bytes).map_err(|why| unusable(&why)),
            // The address has expired.
            Err(WandbError::Storage { status: 400 | 403, .. }) if !is_again => is_again = true,
            Err(error) => return Err(error),
        }
    }
}

fn unusable(why: &str) -> WandbError {
    WandbError::Malformed {
        what: "the list of the version's files".to_owned(),
        why: why.to_owned(),
    }
}

fn not_as_named(path: &str) -> WandbError {
    WandbError::Malformed {
        what: format!("the download of `{}`", clean(path, 200)),
        why: "the content is not what its digest says".to_owned(),
    }
}
