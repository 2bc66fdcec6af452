//! Files of an artifact to storage: announced in batches, sent side by side, large ones in parts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

use super::digest::{FileDigest, Md5};
use crate::sys;
use crate::wandb::client::{Client, Upload};
use crate::wandb::error::WandbError;
use crate::wandb::operations::{
    ArtifactFileSpec, CompleteMultipart, FileUpload, MultipartUpload, Part, complete_multipart, create_artifact_files,
};

/// How much goes at once.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Files that are announced at first, and in every later batch: what is wrong shows early.
    pub first_batch: usize,
    pub batch: usize,
    /// Requests that carry content at the same time.
    pub parallel: usize,
    /// From this size on a file goes in parts.
    pub multipart_from: u64,
    pub part: u64,
    /// Storage takes no more parts of a file; they get larger instead.
    pub most_parts: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            first_batch: 25,
            batch: 2000,
            parallel: 16,
            multipart_from: 2 << 30,
            part: 100 << 20,
            most_parts: 10_000,
        }
    }
}

impl Sizes {
    /// How large the parts of a file are, if it goes in parts.
    pub(super) fn part_bytes(&self, size_bytes: u64) -> Option<u64> {
        if size_bytes < self.multipart_from {
            return None;
        }
        let least = size_bytes.div_ceil(self.most_parts.max(1));
        Some(if least <= self.part {
            self.part
        } else {
            least.next_multiple_of(4096)
        })
    }
}

impl Sizes {
    /// Each part of a large file counts: what is announced has an address for each.
    fn batches<'a>(&self, files: &'a [Arc<Prepared>]) -> Vec<&'a [Arc<Prepared>]> {
        let mut batches = Vec::new();
        let mut rest = files;
        while !rest.is_empty() {
            let limit = if batches.is_empty() {
                self.first_batch
            } else {
                self.batch
            };
            let mut n_addresses = 0;
            let fit = rest.iter().take_while(|file| {
                n_addresses += file.digest.parts.len().max(1);
                n_addresses <= limit
            });
            let (batch, later) = rest.split_at(fit.count().max(1));
            batches.push(batch);
            rest = later;
        }
        batches
    }
}

/// Bytes at hand, or a file that is read in pieces when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Content {
    /// All of it, as it is now.
    pub(crate) fn whole(&self) -> Result<Upload, WandbError> {
        Ok(match self {
            Self::Bytes(bytes) => Upload::Bytes(bytes.clone()),
            Self::File(path) => {
                let unreadable = |why: String| WandbError::File { why };
                let file = sys::open(path).map_err(|error| unreadable(error.to_string()))?;
                let found = file.metadata();
                let found =
                    found.map_err(|error| unreadable(format!("could not look at `{}`: {error}", path.display())))?;
                self.upload(0, found.len())
            }
        })
    }

    fn upload(&self, offset: u64, length: u64) -> Upload {
        match self {
            Self::Bytes(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let to = usize::try_from(offset.saturating_add(length)).unwrap_or(usize::MAX);
                Upload::Bytes(bytes[from..to.clamp(from, bytes.len())].to_vec())
            }
            Self::File(path) => Upload::File {
                path: path.clone(),
                offset,
                length,
            },
        }
    }
}

/// A file that is to be sent, with what was found out about it.
#[derive(Debug)]
pub(super) struct Prepared {
    pub path: String,
    pub content: Content,
    pub digest: FileDigest,
    pub part_bytes: Option<u64>,
}

/// Where files go.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub client: Client,
    pub artifact: String,
    pub manifest: String,
    pub sizes: Sizes,
}

impl Transfer {
    /// Sends what W&B does not have; by its path, the artifact that each file was first in.
    pub async fn send(&self, files: &[Arc<Prepared>]) -> Result<BTreeMap<String, String>, WandbError> {
        let permits = Arc::new(Semaphore::new(self.sizes.parallel.max(1)));
        let mut births = BTreeMap::new();
        for batch in self.sizes.batches(files) {
            let specs: Vec<ArtifactFileSpec> = batch.iter().map(|file| self.spec(file)).collect();
            let uploads = create_artifact_files(&self.client, &specs).await?;
            let mut tasks = JoinSet::new();
            for (file, upload) in batch.iter().zip(uploads) {
                let (file, permits) = (Arc::clone(file), Arc::clone(&permits));
                let transfer = self.clone();
                tasks.spawn(async move {
                    let birth = transfer.send_file(&file, upload, &permits).await?;
                    Ok::<_, WandbError>((file.path.clone(), birth))
                });
            }
            // What is still under way ends with the first error.
            while let Some(done) = tasks.join_next().await {
                let (path, birth) = joined(done)?;
                births.insert(path, birth);
            }
        }
        Ok(births)
    }

    fn spec(&self, file: &Prepared) -> ArtifactFileSpec {
        ArtifactFileSpec {
            artifact: self.artifact.clone(),
            manifest: Some(self.manifest.clone()),
            name: file.path.clone(),
            md5: file.digest.md5.base64(),
            mimetype: None,
            parts: parts(&file.digest.parts, Md5::hex),
        }
    }

    /// The artifact that the file was first in.
    async fn send_file(
        &self,
        file: &Arc<Prepared>,
        upload: FileUpload,
        permits: &Arc<Semaphore>,
    ) -> Result<String, WandbError> {
        match self.send_once(file, &upload, permits).await {
            Ok(()) => return Ok(upload.birth_artifact),
            // The address has expired, or the upload; or the parts are together already, and the answer was lost.
            Err(WandbError::Storage { status: 400 | 403, .. } | WandbError::Doubtful { .. }) => {}
            Err(error) => return Err(error),
        }
        let spec = self.spec(file);
        let again = create_artifact_files(&self.client, &[spec]).await?;
        let upload = again.into_iter().next();
        let upload = upload.ok_or_else(|| malformed("there is no answer for the file"))?;
        self.send_once(file, &upload, permits).await?;
        Ok(upload.birth_artifact)
    }

    async fn send_once(
        &self,
        file: &Arc<Prepared>,
        upload: &FileUpload,
        permits: &Arc<Semaphore>,
    ) -> Result<(), WandbError> {
        if let Some(multipart) = &upload.multipart {
            return self.send_parts(file, upload, multipart, permits).await;
        }
        // W&B has the content.
        let Some(url) = &upload.url else { return Ok(()) };
        let _permit = permits.acquire().await;
        let content = file.content.upload(0, file.digest.size_bytes);
        self.client.put(url, &upload.headers, &content).await.map(drop)
    }

    async fn send_parts(
        &self,
        file: &Arc<Prepared>,
        upload: &FileUpload,
        multipart: &MultipartUpload,
        permits: &Arc<Semaphore>,
    ) -> Result<(), WandbError> {
        let digests = &file.digest.parts;
        let part_bytes = file.part_bytes.ok_or_else(|| malformed("parts were not asked for"))?;
        let path = upload.storage_path.clone();
        let path = path.ok_or_else(|| malformed("a file in parts has no `storagePath`"))?;
        let kind = upload.headers.iter().find(|header| is_content_type(header));
        let urls: BTreeMap<u64, &String> = multipart.parts.iter().map(|(number, url)| (*number, url)).collect();
        let mut tasks = JoinSet::new();
        for (index, digest) in digests.iter().enumerate() {
            let number = index as u64 + 1;
            let url = urls.get(&number).copied().cloned();
            let url = url.ok_or_else(|| malformed("an address of a part is missing"))?;
            let offset = index as u64 * part_bytes;
            let length = part_bytes.min(file.digest.size_bytes - offset);
            let mut headers = vec![format!("Content-MD5:{}", digest.base64())];
            headers.extend(kind.cloned());
            let (file, permits, client) = (Arc::clone(file), Arc::clone(permits), self.client.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire().await;
                let etag = client.put(&url, &headers, &file.content.upload(offset, length)).await?;
                let etag = etag.ok_or_else(|| malformed("storage gave a part no `ETag`"))?;
                Ok::<_, WandbError>((number, etag))
            });
        }
        let mut etags = BTreeMap::new();
        while let Some(done) = tasks.join_next().await {
            let (number, etag) = joined(done)?;
            etags.insert(number, etag);
        }
        let etags: Vec<String> = etags.into_values().collect();
        let upload = CompleteMultipart {
            artifact: upload.birth_artifact.clone(),
            path,
            upload: multipart.id.clone(),
            parts: parts(&etags, String::clone),
        };
        complete_multipart(&self.client, &upload).await
    }
}

fn parts<T>(of: &[T], text: impl Fn(&T) -> String) -> Vec<Part> {
    (1..)
        .zip(of)
        .map(|(number, part)| Part {
            number,
            hex_md5: text(part),
        })
        .collect()
}

fn is_content_type(header: &str) -> bool {
    let name = header.split(':').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case("content-type")
}

fn malformed(why: &str) -> WandbError {
    WandbError::Malformed {
        what: "`CreateArtifactFiles`".to_owned(),
        why: why.to_owned(),
    }
}

/// A panic of a task goes on in whoever waits for it; nobody cancels one.
pub(crate) fn joined<T>(done: Result<Result<T, WandbError>, JoinError>) -> Result<T, WandbError> {
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(error) => Err(WandbError::File { why: error.to_string() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_large_as_the_sdk_makes_them() {
        let sizes = Sizes::default();
        assert_eq!(sizes.part_bytes(0), None);
        assert_eq!(sizes.part_bytes((2 << 30) - 1), None);
        assert_eq!(sizes.part_bytes(2 << 30), Some(100 << 20));
        let most = 10_000 * (100 << 20);
        assert_eq!(sizes.part_bytes(most), Some(100 << 20));
        assert_eq!(sizes.part_bytes(most + 1), Some((100 << 20) + 4096));
    }

    #[test]
    fn batches_are_small_at_first_and_count_parts() {
        let file = |n_parts: usize| {
            let mut digest = super::super::digest::digest_of(&b""[..], None).unwrap();
            digest.parts = vec![digest.md5; n_parts];
            Arc::new(Prepared {
                path: String::new(),
                content: Content::Bytes(Vec::new()),
                digest,
                part_bytes: None,
            })
        };
        let lengths = |files: &[Arc<Prepared>]| -> Vec<usize> {
            let sizes = Sizes {
                first_batch: 2,
                batch: 5,
                ..Sizes::default()
            };
            sizes.batches(files).into_iter().map(<[_]>::len).collect()
        };
        assert_eq!(lengths(&vec![file(0); 13]), [2, 5, 5, 1]);
        assert_eq!(
            lengths(&[file(0), file(3), file(3), file(2), file(9), file(0)]),
            [1, 1, 2, 1, 1]
        );
        assert_eq!(lengths(&[]), [] as [usize; 0]);
    }

    #[test]
    fn a_part_of_bytes_is_that_part() {
        let content = Content::Bytes(b"0123456789".to_vec());
        let part = |offset, length| match content.upload(offset, length) {
            Upload::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
            Upload::File { .. } => panic!("it is no file"),
        };
        assert_eq!(part(0, 10), "0123456789");
        assert_eq!(part(4, 4), "4567");
        assert_eq!(part(8, 4), "89");
        assert_eq!(part(20, 4), "");
    }
}
