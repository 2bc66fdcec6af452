//! The service of artifacts (v4) and caches (v2): twirp calls with the token of a job.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::blobs;
use super::server::{Reply, Request, ok};
use super::state::State;

const ARTIFACTS: &str = "github.actions.results.api.v1.ArtifactService";
const CACHES: &str = "github.actions.results.api.v1.CacheService";
const MAX_ARTIFACTS: usize = 500;

/// What the token of a job says and may.
#[derive(Debug, Clone)]
pub struct RuntimeToken {
    pub repository: String,
    pub run: u64,
    pub run_backend: String,
    pub job_backend: String,
    /// The reference whose caches the job writes: `refs/heads/main`, `refs/pull/1/merge`.
    pub scope: String,
    pub reads_cache: bool,
    pub writes_cache: bool,
}

#[derive(Debug, Clone)]
pub struct Artifact {
    pub id: u64,
    pub run: u64,
    pub run_backend: String,
    pub job_backend: String,
    pub name: String,
    /// 4 is a zip, 7 a file as it is.
    pub version: u64,
    pub mime_type: String,
    pub blob: String,
    pub size: usize,
    pub digest: Option<String>,
    pub is_final: bool,
    pub is_expired: bool,
    pub at: String,
    pub expires_at: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Cache {
    pub id: u64,
    pub key: String,
    pub version: String,
    pub scope: String,
    pub blob: String,
    pub is_final: bool,
}

impl Artifact {
    /// What it is called when it is downloaded.
    pub fn file(&self) -> String {
        let is_zip = self.mime_type == "application/zip";
        format!("{}{}", self.name, if is_zip { ".zip" } else { "" })
    }
}

/// A twirp error: code, HTTP status, message.
type Refusal = (&'static str, u16, String);

impl State {
    /// The `ACTIONS_RUNTIME_TOKEN` of a job of a run; its caches are of `scope`.
    pub fn runtime_token(&mut self, repository: &str, run: u64, scope: &str) -> String {
        let id = self.next_id();
        let token = RuntimeToken {
            repository: repository.to_owned(),
            run,
            run_backend: format!("run-{run}-ce7f54c7"),
            job_backend: format!("job-{id}-ca395085"),
            scope: scope.to_owned(),
            reads_cache: true,
            writes_cache: true,
        };
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = encode(&json!({ "typ": "JWT", "alg": "RS256" }));
        let scopes = format!(
            "Actions.ExampleScope Actions.Results:{}:{}",
            token.run_backend, token.job_backend
        );
        let access = json!([{ "Scope": scope, "Permission": 3 }]).to_string();
        let claims =
            json!({ "scp": scopes, "ac": access, "iss": "twin", "nbf": 1_795_428_000, "exp": 4_102_444_800_u64 });
        let text = format!(
            "{header}.{}.{}",
            encode(&claims),
            URL_SAFE_NO_PAD.encode(format!("signature {id}"))
        );
        self.runtime_tokens.insert(text.clone(), token);
        text
    }

    /// The final artifacts of a run with their bytes.
    pub fn artifacts(&self, repository: &str, run: u64) -> Vec<(Artifact, Vec<u8>)> {
        let artifacts = self
            .repositories
            .get(repository)
            .map(|one| one.artifacts.values())
            .into_iter()
            .flatten();
        let artifacts = artifacts.filter(|one| one.run == run && one.is_final);
        let bytes = |one: &Artifact| {
            self.blobs
                .get(&one.blob)
                .map(|blob| blob.bytes.clone())
                .unwrap_or_default()
        };
        artifacts.map(|one| (one.clone(), bytes(one))).collect()
    }

    /// An artifact as another job left it; its id.
    pub fn artifact(&mut self, repository: &str, run: u64, name: &str, bytes: &[u8]) -> u64 {
        let (id, at) = (self.next_id(), self.now());
        let blob = format!("artifact-{id}.zip");
        let mime_type = "application/zip".to_owned();
        self.blobs.insert(blob.clone(), blobs::Blob::whole(bytes, &mime_type));
        let artifact = Artifact {
            id,
            run,
            run_backend: format!("run-{run}-ce7f54c7"),
            job_backend: "job-0-ca395085".to_owned(),
            name: name.to_owned(),
            version: 4,
            mime_type,
            blob,
            size: bytes.len(),
            digest: Some(digest(bytes)),
            is_final: true,
            is_expired: false,
            at,
            expires_at: None,
        };
        self.repository(repository).artifacts.insert(id, artifact);
        id
    }
}

pub fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

pub fn answer(state: &mut State, request: &Request) -> Reply {
    match twirp(state, request) {
        Ok(body) => ok(200, body),
        Err((code, status, message)) => ok(status, json!({ "code": code, "msg": message })),
    }
}

fn twirp(state: &mut State, request: &Request) -> Result<Value, Refusal> {
    let header = request
        .headers
        .get("authorization")
        .and_then(|text| text.strip_prefix("Bearer "));
    let token = header.and_then(|text| state.runtime_tokens.get(text)).cloned();
    let token = token.ok_or_else(|| {
        (
            "unauthenticated",
            401,
            "the token of the job is missing or unknown".to_owned(),
        )
    })?;
    let is_json = request
        .headers
        .get("content-type")
        .is_some_and(|text| text.starts_with("application/json"));
    let path = request.path.trim_start_matches("/twirp/");
    let (service, method) = path.split_once('/').unwrap_or((path, ""));
    let known: &[&str] = match (service, method) {
        (ARTIFACTS, "CreateArtifact") => &["name", "version", "mime_type", "expires_at"],
        (ARTIFACTS, "FinalizeArtifact") => &["name", "size", "hash"],
        (ARTIFACTS, "ListArtifacts") => &["name_filter", "id_filter"],
        (ARTIFACTS, "GetSignedArtifactURL" | "DeleteArtifact") => &["name"],
        (CACHES, "GetCacheEntryDownloadURL") => &["metadata", "key", "restore_keys", "version"],
        (CACHES, "CreateCacheEntry") => &["metadata", "key", "version"],
        (CACHES, "FinalizeCacheEntryUpload") => &["metadata", "key", "version", "size_bytes"],
        _ => return Err(("bad_route", 404, format!("no handler for path {}", request.path))),
    };
    if request.method != "POST" || !is_json {
        return Err(("bad_route", 404, "only POST of application/json is taken".to_owned()));
    }
    let Value::Object(body) = &request.body else {
        return Err(("malformed", 400, "the json request could not be decoded".to_owned()));
    };
    let ids = ["workflow_run_backend_id", "workflow_job_run_backend_id"];
    let is_known = |name: &str| known.contains(&name) || (service == ARTIFACTS && ids.contains(&name));
    if let Some(name) = body.keys().find(|name| !is_known(name)) {
        state
            .violations
            .push(format!("POST {}: body.{name} is not known", request.path));
        return Err(("malformed", 599, format!("`{name}` is not known")));
    }
    if service == CACHES {
        return cache(state, request, &token, method);
    }
    let own = [Some(token.run_backend.as_str()), Some(token.job_backend.as_str())];
    let is_own_run = request.text(ids[0]) == own[0];
    let is_own_job = request.text(ids[1]) == own[1];
    // Jobs read and delete what other jobs of their run made, but write only in their own name.
    if !is_own_run || (!is_own_job && ["CreateArtifact", "FinalizeArtifact"].contains(&method)) {
        return Err((
            "permission_denied",
            403,
            "the token is not of this run and job".to_owned(),
        ));
    }
    match method {
        "CreateArtifact" => create(state, request, &token),
        "FinalizeArtifact" => finalize(state, request, &token),
        "ListArtifacts" => Ok(list(state, request, &token)),
        "GetSignedArtifactURL" => {
            let found = find(state, request, &token)?;
            let (blob, file) = (found.blob.clone(), found.file());
            Ok(json!({ "signed_url": blobs::sign_download(&state.url, &blob, &file) }))
        }
        _ => {
            let id = find(state, request, &token)?.id;
            state.repository(&token.repository).artifacts.remove(&id);
            Ok(json!({ "ok": true, "artifact_id": id.to_string() }))
        }
    }
}

fn argument(message: &str) -> Refusal {
    ("invalid_argument", 400, message.to_owned())
}

/// A 64-bit number is text in the JSON of protocol buffers; a plain number is taken too.
fn number(value: &Value) -> Option<usize> {
    let text = value
        .as_str()
        .map(str::to_owned)
        .or_else(|| value.as_u64().map(|one| one.to_string()));
    text.and_then(|text| text.parse().ok())
}

fn find<'a>(state: &'a mut State, request: &Request, token: &RuntimeToken) -> Result<&'a mut Artifact, Refusal> {
    let name = request.text("name").unwrap_or_default().to_owned();
    let mut artifacts = state.repository(&token.repository).artifacts.values_mut();
    let found = artifacts.find(|one| one.run == token.run && one.is_final && one.name == name);
    found.ok_or_else(|| ("not_found", 404, format!("artifact `{name}` not found")))
}

fn create(state: &mut State, request: &Request, token: &RuntimeToken) -> Result<Value, Refusal> {
    let (id, at) = (state.next_id(), state.now());
    let name = request.text("name").unwrap_or_default().to_owned();
    if name.is_empty() || name.contains(['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/']) {
        return Err(argument("the artifact name is not valid"));
    }
    let version = request.body["version"].as_u64().unwrap_or_default();
    if ![4, 7].contains(&version) {
        return Err(argument("the artifact version is not supported"));
    }
    let mime_type = request.text("mime_type").unwrap_or("application/zip").to_owned();
    let repository = state.repository(&token.repository);
    let of_job = repository
        .artifacts
        .values()
        .filter(|one| one.job_backend == token.job_backend)
        .count();
    if of_job >= MAX_ARTIFACTS {
        return Err(("resource_exhausted", 429, "a job can have 500 artifacts".to_owned()));
    }
    if repository
        .artifacts
        .values()
        .any(|one| one.run == token.run && one.name == name)
    {
        let message = format!("an artifact with this name already exists on the workflow run: {name}");
        return Err(("already_exists", 409, message));
    }
    let ending = if mime_type == "application/zip" { ".zip" } else { "" };
    let blob = format!("{}/{}/artifact-{id}{ending}", token.run_backend, token.job_backend);
    let artifact = Artifact {
        id,
        run: token.run,
        run_backend: token.run_backend.clone(),
        job_backend: token.job_backend.clone(),
        name,
        version,
        mime_type,
        blob: blob.clone(),
        size: 0,
        digest: None,
        is_final: false,
        is_expired: false,
        at,
        expires_at: request.text("expires_at").map(str::to_owned),
    };
    repository.artifacts.insert(id, artifact);
    Ok(json!({ "ok": true, "signed_upload_url": blobs::sign_upload(&state.url, &blob) }))
}

fn finalize(state: &mut State, request: &Request, token: &RuntimeToken) -> Result<Value, Refusal> {
    let name = request.text("name").unwrap_or_default();
    let mut artifacts = state.repository(&token.repository).artifacts.values();
    let open = artifacts.find(|one| one.run == token.run && one.name == name && one.job_backend == token.job_backend);
    let (id, blob) = open
        .map(|one| (one.id, one.blob.clone()))
        .ok_or_else(|| ("not_found", 404, "no such artifact".to_owned()))?;
    let Some(blob) = state.blobs.get(&blob) else {
        return Err(argument("nothing was uploaded"));
    };
    let (size, found) = (blob.bytes.len(), digest(&blob.bytes));
    if number(&request.body["size"]) != Some(size) {
        return Err(argument(&format!("the size is {}, not {size}", request.body["size"])));
    }
    if request.text("hash").is_some_and(|hash| hash != found) {
        return Err(argument(&format!("the hash is not {found}")));
    }
    let artifact = state
        .repository(&token.repository)
        .artifacts
        .get_mut(&id)
        .expect("it was found");
    artifact.size = size;
    artifact.digest = Some(found);
    artifact.is_final = true;
    Ok(json!({ "ok": true, "artifact_id": id.to_string() }))
}

fn list(state: &mut State, request: &Request, token: &RuntimeToken) -> Value {
    let name = request.text("name_filter");
    let id = number(&request.body["id_filter"]);
    let artifacts = state
        .repository(&token.repository)
        .artifacts
        .values()
        .filter(|one| one.run == token.run && one.is_final);
    let artifacts =
        artifacts.filter(|one| name.is_none_or(|name| name == one.name) && id.is_none_or(|id| id as u64 == one.id));
    let show = |one: &Artifact| {
        json!({
            "workflow_run_backend_id": one.run_backend, "workflow_job_run_backend_id": one.job_backend,
            "database_id": one.id.to_string(), "name": one.name, "size": one.size.to_string(), "created_at": one.at,
            "digest": one.digest,
        })
    };
    json!({ "artifacts": artifacts.map(show).collect::<Vec<Value>>() })
}

fn cache(state: &mut State, request: &Request, token: &RuntimeToken, method: &str) -> Result<Value, Refusal> {
    let text = |name: &str| request.text(name).unwrap_or_default().to_owned();
    let (key, version) = (text("key"), text("version"));
    let more = request.body["restore_keys"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let keys: Vec<&str> = std::iter::once(key.as_str()).chain(more).collect();
    if keys.len() > 10
        || keys
            .iter()
            .any(|key| key.is_empty() || key.len() > 512 || key.contains(','))
    {
        return Err(argument("keys are at most 10, of 1 to 512 characters without commas"));
    }
    if version.len() != 64 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(argument("the version is no SHA-256"));
    }
    let is_read = method == "GetCacheEntryDownloadURL";
    if is_read && !token.reads_cache {
        return Err((
            "permission_denied",
            403,
            "cache read denied: the token has no readable scopes".to_owned(),
        ));
    }
    if !is_read && !token.writes_cache {
        return Err((
            "permission_denied",
            403,
            "cache write denied: the token has no writable scopes".to_owned(),
        ));
    }
    let id = state.next_id();
    let url = state.url.clone();
    let repository = state.repository(&token.repository);
    let is_same = |one: &Cache| one.key == key && one.version == version && one.scope == token.scope;
    match method {
        "GetCacheEntryDownloadURL" => {
            let found = restore(repository, token, &keys, &version);
            Ok(found.map_or(json!({ "ok": false, "signed_download_url": "", "matched_key": "" }), |one| {
                json!({ "ok": true, "signed_download_url": blobs::sign_download(&url, &one.blob, "cache"), "matched_key": one.key })
            }))
        }
        "CreateCacheEntry" => {
            if repository.caches.iter().any(is_same) {
                let message = "cache entry with the same key, version, and scope already exists".to_owned();
                return Err(("already_exists", 409, message));
            }
            let blob = format!("cache-{id}");
            let scope = token.scope.clone();
            repository.caches.push(Cache {
                id,
                key,
                version,
                scope,
                blob: blob.clone(),
                is_final: false,
            });
            Ok(json!({ "ok": true, "signed_upload_url": blobs::sign_upload(&url, &blob), "message": "" }))
        }
        _ => {
            let missing = || ("not_found", 404, "no such cache entry".to_owned());
            let entry = repository
                .caches
                .iter()
                .find(|one| is_same(one))
                .cloned()
                .ok_or_else(missing)?;
            let size = state.blobs.get(&entry.blob).map(|blob| blob.bytes.len());
            if size.is_none() || number(&request.body["size_bytes"]) != size {
                return Err(argument(&format!("the size is not {size:?}")));
            }
            let caches = &mut state.repository(&token.repository).caches;
            caches
                .iter_mut()
                .filter(|one| one.id == entry.id)
                .for_each(|one| one.is_final = true);
            Ok(json!({ "ok": true, "entry_id": entry.id.to_string(), "message": "" }))
        }
    }
}

/// In every scope that the job may read, its own first: the exact key, then the newest that begins with a key.
fn restore(
    repository: &super::repositories::Repository,
    token: &RuntimeToken,
    keys: &[&str],
    version: &str,
) -> Option<Cache> {
    let pull = token
        .scope
        .strip_prefix("refs/pull/")
        .and_then(|rest| rest.split('/').next()?.parse::<u64>().ok());
    let base = pull
        .and_then(|number| repository.pulls.get(&number))
        .map(|pull| format!("refs/heads/{}", pull.base_ref));
    let default = format!("refs/heads/{}", repository.default_branch);
    let scopes = [Some(token.scope.clone()), base, Some(default)];
    scopes.iter().flatten().find_map(|scope| {
        let there = || {
            repository
                .caches
                .iter()
                .rev()
                .filter(|one| one.is_final && one.version == version && one.scope == *scope)
        };
        let exact = there().find(|one| one.key == keys[0]);
        exact
            .or_else(|| keys.iter().find_map(|key| there().find(|one| one.key.starts_with(key))))
            .cloned()
    })
}
