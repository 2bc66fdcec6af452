//! The runner's results service: artifacts that people and later runs download, and the cache.
//!
//! Twirp over JSON with the runtime's token, which goes to this host and nowhere else; content goes to storage by signed
//! addresses without it. Nothing here needs a permission of the workflow.

mod blob;
mod cache;
mod error;
mod ids;
mod reply;
#[cfg(test)]
mod tests;
mod wire;

use std::time::Duration;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::base::{Digest, Secret, Timestamp};
use crate::sys;

use super::{Pace, Runtime};

pub use cache::{CacheMode, Saved};
pub use error::ResultsError;

use ids::BackendIds;
use reply::{Refusal, Reply, field, number, signed_url, text};
use wire::{ANSWER_LIMIT, Request, Wire};

const ARTIFACTS: &str = "github.actions.results.api.v1.ArtifactService";
/// The form that has a MIME type, so that a page can be read without unpacking.
const ARTIFACT_VERSION: u32 = 7;
/// As many artifacts of one name a run can have: parallel jobs and earlier attempts.
const MAX_NUMBER: u32 = 20;

/// Where the service is and what it is asked with.
#[derive(Debug, Clone)]
pub struct Service {
    /// Of the address only the origin counts.
    pub runtime: Runtime,
    /// `GITHUB_SERVER_URL`: a server of one's own has no such service.
    pub server_url: String,
    pub cache: CacheMode,
    /// `GITHUB_RETENTION_DAYS`: nothing is kept longer.
    pub retention_days: Option<u32>,
    /// For all calls together; what happens between them does not count.
    pub budget: Duration,
    pub pace: Pace,
    /// For one try of a call to the service; transfers may take longer.
    pub request_timeout: Duration,
}

/// What an artifact is, for the browser that opens it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mime {
    Zip,
    Html,
}

impl Mime {
    fn name(self) -> &'static str {
        match self {
            Self::Zip => "application/zip",
            Self::Html => "text/html",
        }
    }
}

/// One artifact to be.
#[derive(Debug, Clone)]
pub struct Upload {
    /// With the extension when it is not an archive: `report.html`.
    pub name: String,
    pub mime: Mime,
    pub content: Vec<u8>,
    /// None: as long as the repository keeps artifacts.
    pub keep_days: Option<u32>,
}

/// An artifact that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The last part of its address: `SERVER/OWNER/NAME/actions/runs/RUN/artifacts/ID`.
    pub id: u64,
    /// The name it has, which is numbered when another job has the one that was asked for.
    pub name: String,
    pub digest: Digest,
}

/// The results service of this job.
#[derive(Debug)]
pub struct Results {
    wire: Wire,
    base: Url,
    token: Secret,
    ids: BackendIds,
    cache: CacheMode,
    retention_days: Option<u32>,
    sizes: blob::Sizes,
}

impl Results {
    /// # Errors
    /// [`ResultsError::Unsupported`] where there is no such service: one notice, and the run goes on.
    pub fn new(service: &Service) -> Result<Self, ResultsError> {
        let unsupported = |why| ResultsError::Unsupported { why };
        if service.runtime.results_url.is_empty() || service.runtime.token.expose().is_empty() {
            return Err(unsupported("the runner gave no results service to this step"));
        }
        if !is_github(&service.server_url) {
            return Err(unsupported("GitHub Enterprise Server has another results service"));
        }
        let mut base = Url::parse(&service.runtime.results_url)
            .map_err(|_| unsupported("`ACTIONS_RESULTS_URL` is not an address"))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(unsupported("`ACTIONS_RESULTS_URL` is not an address"));
        }
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            wire: Wire::new(service.budget, service.pace, service.request_timeout)?,
            base,
            ids: BackendIds::of(&service.runtime.token)
                .ok_or(unsupported("the runner's token does not name the job it is for"))?,
            token: service.runtime.token.clone(),
            cache: service.cache,
            retention_days: service.retention_days,
            sizes: blob::SIZES,
        })
    }

    /// Makes the artifact, whole or not at all.
    ///
    /// A name belongs to whoever has it first in the run. One that this very job made is replaced; beside one of another
    /// job, or of an earlier attempt, the new one gets a number: `report.2.html`. So neither of two parallel jobs takes
    /// the other's away, and a job that runs again is not stopped by its past.
    pub async fn upload(&self, artifact: &Upload) -> Result<Uploaded, ResultsError> {
        let what = "upload the artifact";
        check_name(&artifact.name)?;
        self.wire
            .within(what, async {
                let digest = Digest::of(&artifact.content);
                let (name, address) = self.create(artifact).await?;
                let mime = artifact.mime.name();
                blob::put(&self.wire, what, &address, &artifact.content, mime, self.sizes).await?;
                let id = self.finalize(&name, artifact.content.len(), digest).await?;
                Ok(Uploaded { id, name, digest })
            })
            .await
    }

    /// The name that the artifact got, and where its content goes.
    async fn create(&self, artifact: &Upload) -> Result<(String, Url), ResultsError> {
        for count in 1..=MAX_NUMBER {
            let name = numbered(&artifact.name, count);
            let was_doubtful = match self.create_named(&name, artifact).await? {
                Ok(address) => return Ok((name, address)),
                Err(refusal) => refusal.is_doubtful,
            };
            // Ours from an earlier step, or from a try whose answer was lost; the latter is not listed yet.
            let is_ours = match self.find(&name).await? {
                Some(found) => found.is_ours,
                None => was_doubtful,
            };
            if is_ours
                && self.delete(&name).await?
                && let Ok(address) = self.create_named(&name, artifact).await?
            {
                return Ok((name, address));
            }
        }
        Err(ResultsError::Exists {
            name: artifact.name.clone(),
        })
    }

    /// One try of one name; the inner error is that it is taken.
    async fn create_named(&self, name: &str, artifact: &Upload) -> Result<Result<Url, Refusal>, ResultsError> {
        let what = "create the artifact";
        let mut body = self.ids.body();
        body["name"] = name.into();
        body["version"] = ARTIFACT_VERSION.into();
        body["mime_type"] = artifact.mime.name().into();
        if let Some(days) = artifact.keep_days {
            let days = self.retention_days.map_or(days, |most| days.min(most)).max(1);
            body["expires_at"] = Timestamp(sys::now().0 + i64::from(days) * 86_400).to_string().into();
        }
        match self.call(ARTIFACTS, "CreateArtifact", what, &body).await? {
            Reply::Done(value) => signed_url(&value, "signed_upload_url", &self.base, what).map(Ok),
            Reply::Refused(refusal) if refusal.is_exists() => Ok(Err(refusal)),
            Reply::Refused(refusal) => Err(refusal.into_error(what)),
        }
    }

    async fn finalize(&self, name: &str, size: usize, digest: Digest) -> Result<u64, ResultsError> {
        let what = "finish the artifact";
        let mut body = self.ids.body();
        body["name"] = name.into();
        body["size"] = size.to_string().into();
        body["hash"] = digest.to_string().into();
        let error = match self.call(ARTIFACTS, "FinalizeArtifact", what, &body).await {
            Ok(Reply::Done(value)) => {
                return number(&value, "artifact_id").ok_or_else(|| ResultsError::Malformed {
                    what,
                    why: "it has no `artifact_id`".to_owned(),
                });
            }
            Ok(Reply::Refused(refusal)) if refusal.is_doubtful => refusal.into_error(what),
            Ok(Reply::Refused(refusal)) => return Err(refusal.into_error(what)),
            Err(error @ ResultsError::Unreachable { .. }) => error,
            Err(error) => return Err(error),
        };
        // The answer of an earlier try was lost, and it may have been a good one.
        match self.find(name).await? {
            Some(found) if found.is_ours && found.size == size as u64 && found.digest.is_none_or(|it| it == digest) => {
                Ok(found.id)
            }
            _ => Err(error),
        }
    }

    async fn find(&self, name: &str) -> Result<Option<Found>, ResultsError> {
        let what = "list the artifacts";
        let mut body = self.ids.body();
        body["name_filter"] = name.into();
        let value = match self.call(ARTIFACTS, "ListArtifacts", what, &body).await? {
            Reply::Done(value) => value,
            Reply::Refused(refusal) => return Err(refusal.into_error(what)),
        };
        let listed = field(&value, "artifacts")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        // Ours if there is one, else whoever's.
        Ok(listed
            .iter()
            .filter(|one| text(one, "name") == Some(name))
            .filter_map(|one| {
                Some(Found {
                    id: number(one, "database_id")?,
                    size: number(one, "size").unwrap_or(0),
                    digest: text(one, "digest").and_then(|digest| digest.parse().ok()),
                    is_ours: self.ids.are(
                        text(one, "workflow_run_backend_id")?,
                        text(one, "workflow_job_run_backend_id")?,
                    ),
                })
            })
            .max_by_key(|found| (found.is_ours, found.id)))
    }

    /// Deletes what this job made under the name; false if it did not get its way.
    async fn delete(&self, name: &str) -> Result<bool, ResultsError> {
        let mut body = self.ids.body();
        body["name"] = name.into();
        let reply = self
            .call(ARTIFACTS, "DeleteArtifact", "replace the artifact", &body)
            .await?;
        Ok(matches!(reply, Reply::Done(_)))
    }

    async fn call(&self, service: &str, method: &str, what: &'static str, body: &Value) -> Result<Reply, ResultsError> {
        let mut url = self.base.clone();
        url.set_path(&format!("/twirp/{service}/{method}"));
        let body = body.to_string();
        let request = Request {
            what,
            method: Method::POST,
            url: &url,
            token: Some(&self.token),
            headers: &[],
            body: body.as_bytes(),
            waits_for_limits: service == ARTIFACTS,
            limit_bytes: ANSWER_LIMIT,
        };
        reply::read(what, &self.wire.send(&request).await?)
    }
}

struct Found {
    id: u64,
    size: u64,
    digest: Option<Digest>,
    is_ours: bool,
}

/// Whether a server is GitHub's own; those on this machine stand for it in tests, as `*.localhost` does.
fn is_github(server_url: &str) -> bool {
    let Ok(url) = Url::parse(server_url) else { return false };
    url.host_str().is_some_and(|host| {
        let host = host.to_ascii_lowercase();
        matches!(host.as_str(), "github.com" | "localhost" | "127.0.0.1" | "[::1]")
            || host.ends_with(".ghe.com")
            || host.ends_with(".localhost")
    })
}

const FORBIDDEN: &[char] = &['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/'];
const MAX_NAME: usize = 200;

fn check_name(name: &str) -> Result<(), ResultsError> {
    let why = if name.trim().is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME {
        "it is too long"
    } else if name.contains(FORBIDDEN) || name.contains(char::is_control) {
        "it has a character that is not allowed"
    } else {
        return Ok(());
    };
    Err(ResultsError::Name {
        what: "name of an artifact",
        name: error::quoted(name),
        why,
    })
}

/// `report.html`, `report.2.html`, …
fn numbered(name: &str, count: u32) -> String {
    match name.rsplit_once('.') {
        _ if count == 1 => name.to_owned(),
        Some((stem, extension)) if matches!(extension, "html" | "json" | "zip") => {
            format!("{stem}.{count}.{extension}")
        }
        _ => format!("{name}.{count}"),
    }
}
