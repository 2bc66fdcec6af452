//! The service and its storage as one small server that refuses what the real ones refuse, and fails when it is told to.

mod twin;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::cache::Saved;
use super::*;

const SIGNATURE: &str = "SECRETSIGNATURE";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// Nothing is done, and the connection ends.
    Drop,
    /// It is done, and the connection ends before the answer.
    DropAfter,
    Status(u16, &'static str),
    Hang,
}

#[derive(Debug, Clone)]
struct Artifact {
    job: String,
    name: String,
    id: u64,
    blob: usize,
    size: u64,
    digest: String,
    is_final: bool,
    body: Value,
}

#[derive(Debug, Default)]
struct World {
    artifacts: Vec<Artifact>,
    caches: BTreeMap<(String, String), (usize, bool)>,
    blobs: BTreeMap<usize, (Vec<u8>, String)>,
    blocks: BTreeMap<(usize, String), Vec<u8>>,
    next: u64,
    /// Method or a part of the path → what happens, each once.
    faults: Vec<(&'static str, Fault)>,
    log: Vec<String>,
    host: String,
}

type Shared = Arc<Mutex<World>>;

async fn server() -> (Shared, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let world = Shared::default();
    world.lock().unwrap().host = url.clone();
    let app = axum::Router::new()
        .fallback(handle)
        .layer(DefaultBodyLimit::disable())
        .with_state(world.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (world, url)
}

async fn handle(
    State(world): State<Shared>,
    method: axum::http::Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let line = format!("{method} {uri}");
    let fault = {
        let mut world = world.lock().unwrap();
        world.log.push(line.clone());
        let at = world.faults.iter().position(|(part, _)| line.contains(part));
        at.map(|at| world.faults.remove(at).1)
    };
    match fault {
        Some(Fault::Status(status, body)) => {
            let headers = [("retry-after", "0")];
            return (StatusCode::from_u16(status).unwrap(), headers, body).into_response();
        }
        Some(Fault::Hang) => std::future::pending::<()>().await,
        Some(Fault::Drop) => std::panic::resume_unwind(Box::new("the connection ends here")),
        Some(Fault::DropAfter) | None => {}
    }
    let answer = world.lock().unwrap().answer(&uri, method.as_str(), &headers, &body);
    if fault == Some(Fault::DropAfter) {
        // Unlike a panic it says nothing in the test's output.
        std::panic::resume_unwind(Box::new("the connection ends here"));
    }
    answer
}

fn twirp(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"code": code, "msg": message}).to_string();
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

impl World {
    fn answer(&mut self, uri: &Uri, method: &str, headers: &HeaderMap, body: &Bytes) -> Response {
        if let Some(blob) = uri.path().strip_prefix("/blob/") {
            return self.storage(blob.parse().unwrap(), uri, method, headers, body);
        }
        let Some(bearer) = headers.get("authorization").and_then(|value| value.to_str().ok()) else {
            return twirp(401, "unauthenticated", "no token");
        };
        let ids = BackendIds::of(&Secret::new(bearer.strip_prefix("Bearer ").unwrap())).unwrap();
        let value: Value = serde_json::from_slice(body).unwrap();
        match uri.path().rsplit('/').next().unwrap() {
            "CreateArtifact" => self.create(&ids, value),
            "FinalizeArtifact" => self.finish(&ids, &value),
            "ListArtifacts" => {
                let listed = self
                    .artifacts
                    .iter()
                    .filter(|one| one.is_final && value["name_filter"] == one.name);
                let listed: Vec<Value> = listed
                    .map(|one| {
                        json!({"workflow_run_backend_id": "run", "workflow_job_run_backend_id": one.job, "name": one.name,
                            "database_id": one.id.to_string(), "size": one.size.to_string(), "digest": one.digest})
                    })
                    .collect();
                json!({"artifacts": listed}).to_string().into_response()
            }
            "DeleteArtifact" => {
                let before = self.artifacts.len();
                self.artifacts
                    .retain(|one| !(value["name"] == one.name && value["workflow_job_run_backend_id"] == one.job));
                if self.artifacts.len() == before {
                    return twirp(404, "not_found", "no such artifact");
                }
                json!({"ok": true, "artifact_id": "1"}).to_string().into_response()
            }
            "GetCacheEntryDownloadURL" => {
                let keys = std::iter::once(&value["key"]).chain(value["restore_keys"].as_array().into_iter().flatten());
                for key in keys {
                    let version = value["version"].as_str().unwrap();
                    let found = self.caches.iter().rev().find(|((found, of), (_, is_final))| {
                        *is_final && of == version && found.starts_with(key.as_str().unwrap())
                    });
                    if let Some(((found, _), (blob, _))) = found {
                        let url = format!("{}/blob/{blob}?sig={SIGNATURE}", self.host);
                        return json!({"ok": true, "signedDownloadUrl": url, "matchedKey": found})
                            .to_string()
                            .into_response();
                    }
                }
                json!({"ok": false}).to_string().into_response()
            }
            "CreateCacheEntry" => {
                let key = (
                    value["key"].as_str().unwrap().to_owned(),
                    value["version"].as_str().unwrap().to_owned(),
                );
                if self.caches.contains_key(&key) {
                    return twirp(409, "already_exists", "cache entry already exists");
                }
                let blob = self.blob();
                self.caches.insert(key, (blob, false));
                json!({"ok": true, "signed_upload_url": self.signed(blob)})
                    .to_string()
                    .into_response()
            }
            "FinalizeCacheEntryUpload" => {
                let key = (
                    value["key"].as_str().unwrap().to_owned(),
                    value["version"].as_str().unwrap().to_owned(),
                );
                let Some((blob, is_final)) = self.caches.get_mut(&key) else {
                    return twirp(404, "not_found", "");
                };
                if *is_final {
                    return twirp(409, "already_exists", "");
                }
                assert_eq!(value["size_bytes"], self.blobs[blob].0.len().to_string());
                *is_final = true;
                json!({"ok": true, "entry_id": "7"}).to_string().into_response()
            }
            other => panic!("nobody knows {other}"),
        }
    }

    fn blob(&mut self) -> usize {
        self.next += 1;
        usize::try_from(self.next).unwrap()
    }

    fn signed(&self, blob: usize) -> String {
        format!("{}/blob/{blob}?se=2026%3A&sig={SIGNATURE}%2B", self.host)
    }

    fn create(&mut self, ids: &BackendIds, value: Value) -> Response {
        let name = value["name"].as_str().unwrap().to_owned();
        assert_eq!(value["version"], 7);
        assert!(!name.contains(FORBIDDEN));
        if self.artifacts.iter().any(|one| one.name == name) {
            return twirp(
                409,
                "already_exists",
                "an artifact with this name already exists on the workflow run",
            );
        }
        let blob = self.blob();
        let job = value["workflow_job_run_backend_id"].as_str().unwrap().to_owned();
        assert!(ids.are("run", &job));
        let (id, body) = (self.next + 100, value);
        self.artifacts.push(Artifact {
            job,
            name,
            id,
            blob,
            size: 0,
            digest: String::new(),
            is_final: false,
            body,
        });
        json!({"ok": true, "signed_upload_url": self.signed(blob)})
            .to_string()
            .into_response()
    }

    fn finish(&mut self, ids: &BackendIds, value: &Value) -> Response {
        let found = self
            .artifacts
            .iter_mut()
            .find(|one| value["name"] == one.name && ids.are("run", &one.job) && !one.is_final);
        let Some(found) = found else {
            return twirp(404, "not_found", "nothing to finish");
        };
        let Some((content, _)) = self.blobs.get(&found.blob) else {
            return twirp(412, "failed_precondition", "no blob");
        };
        assert_eq!(value["size"], content.len().to_string());
        assert_eq!(value["hash"], Digest::of(content).to_string());
        found.size = content.len() as u64;
        found.digest = Digest::of(content).to_string();
        found.is_final = true;
        json!({"ok": true, "artifact_id": found.id.to_string()})
            .to_string()
            .into_response()
    }

    fn storage(&mut self, blob: usize, uri: &Uri, method: &str, headers: &HeaderMap, body: &Bytes) -> Response {
        assert!(
            !headers.contains_key("authorization"),
            "the token is not for the storage"
        );
        let query = uri.query().unwrap_or_default();
        assert!(query.contains(SIGNATURE));
        if method == "GET" {
            return match self.blobs.get(&blob) {
                Some((content, _)) => content.clone().into_response(),
                None => (StatusCode::NOT_FOUND, [("x-ms-error-code", "BlobNotFound")], "").into_response(),
            };
        }
        let part = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        let mime = headers
            .get("x-ms-blob-content-type")
            .map(|value| value.to_str().unwrap().to_owned());
        match part("comp") {
            Some("block") => {
                self.blocks.insert(
                    (
                        blob,
                        part("blockid")
                            .unwrap()
                            .replace("%3D", "=")
                            .replace("%2B", "+")
                            .replace("%2F", "/"),
                    ),
                    body.to_vec(),
                );
            }
            Some("blocklist") => {
                let list = String::from_utf8(body.to_vec()).unwrap();
                let ids = list
                    .split("<Latest>")
                    .skip(1)
                    .map(|rest| rest.split('<').next().unwrap());
                let content = ids.flat_map(|id| self.blocks[&(blob, id.to_owned())].clone()).collect();
                self.blobs.insert(blob, (content, mime.unwrap()));
            }
            _ if headers.get("x-ms-blob-type").is_none_or(|kind| kind != "BlockBlob") => {
                return (
                    StatusCode::BAD_REQUEST,
                    [("x-ms-error-code", "MissingRequiredHeader")],
                    "",
                )
                    .into_response();
            }
            _ => drop(self.blobs.insert(blob, (body.to_vec(), mime.unwrap()))),
        }
        StatusCode::CREATED.into_response()
    }
}

fn service(url: &str, job: &str) -> Service {
    let payload = URL_SAFE_NO_PAD.encode(json!({"scp": format!("Actions.Results:run:{job}")}).to_string());
    Service {
        runtime: Runtime {
            results_url: format!("{url}/some/path?x"),
            token: Secret::new(format!("eyJh.{payload}.TOKENSIGNATURE")),
        },
        server_url: "https://github.com".to_owned(),
        cache: CacheMode::Unsaid,
        retention_days: Some(30),
        budget: Duration::from_mins(1),
        pace: Pace(Duration::from_millis(1)),
        request_timeout: Duration::from_secs(30),
    }
}

fn results(url: &str, job: &str) -> Results {
    Results::new(&service(url, job)).unwrap()
}

fn report(content: &[u8]) -> Upload {
    Upload {
        name: "report.html".to_owned(),
        mime: Mime::Html,
        content: content.to_vec(),
        keep_days: Some(90),
    }
}

fn content_of(world: &Shared, name: &str) -> Vec<u8> {
    let world = world.lock().unwrap();
    let found: Vec<&Artifact> = world
        .artifacts
        .iter()
        .filter(|one| one.name == name && one.is_final)
        .collect();
    assert_eq!(found.len(), 1, "{name}");
    world.blobs[&found[0].blob].0.clone()
}

/// Everything that a log or a report could show of an error.
fn shown(error: &ResultsError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

#[tokio::test]
async fn an_artifact_arrives_whole_with_its_kind_and_its_end() {
    let (world, url) = server().await;
    let done = results(&url, "job").upload(&report(b"<html>")).await.unwrap();
    assert_eq!(
        (done.name.as_str(), done.digest),
        ("report.html", Digest::of(b"<html>"))
    );
    assert_eq!(content_of(&world, "report.html"), b"<html>");
    let world = world.lock().unwrap();
    assert_eq!(done.id, world.artifacts[0].id);
    assert_eq!(world.blobs[&world.artifacts[0].blob].1, "text/html");
    let end: Timestamp = world.artifacts[0].body["expires_at"].as_str().unwrap().parse().unwrap();
    let days = (end.0 - sys::now().0 + 43_200) / 86_400;
    assert_eq!(days, 30, "not longer than the repository keeps anything");
}

#[tokio::test]
async fn great_content_goes_in_blocks_and_each_may_fail_once() {
    let (world, url) = server().await;
    world.lock().unwrap().faults = vec![
        ("comp=blocklist", Fault::DropAfter),
        ("comp=block&", Fault::Drop),
        ("comp=block&", Fault::Status(503, "")),
        ("comp=block&", Fault::DropAfter),
    ];
    let mut service = results(&url, "job");
    service.sizes = blob::Sizes {
        single: 1000,
        block: 300,
    };
    let content: Vec<u8> = (0..4100_u32).map(|i| i.to_le_bytes()[0]).collect();
    service.upload(&report(&content)).await.unwrap();
    assert_eq!(content_of(&world, "report.html"), content);
    assert!(world.lock().unwrap().faults.is_empty());
}

#[tokio::test]
async fn a_name_is_replaced_by_its_own_job_and_numbered_for_another() {
    let (world, url) = server().await;
    let (mine, other) = (results(&url, "mine"), results(&url, "other"));
    mine.upload(&report(b"1")).await.unwrap();
    assert_eq!(mine.upload(&report(b"2")).await.unwrap().name, "report.html");
    assert_eq!(other.upload(&report(b"3")).await.unwrap().name, "report.2.html");
    assert_eq!(other.upload(&report(b"4")).await.unwrap().name, "report.2.html");
    assert_eq!(content_of(&world, "report.html"), b"2");
    assert_eq!(content_of(&world, "report.2.html"), b"4");
    // At once: nobody's is lost.
    let third = results(&url, "third");
    let (a, b) = (
        Upload {
            name: "x".to_owned(),
            ..report(b"a")
        },
        Upload {
            name: "x".to_owned(),
            ..report(b"b")
        },
    );
    let (a, b) = tokio::join!(mine.upload(&a), third.upload(&b));
    let mut names = [a.unwrap().name, b.unwrap().name];
    names.sort();
    assert_eq!(names, ["x", "x.2"]);
}

#[tokio::test]
async fn a_lost_answer_makes_neither_a_second_artifact_nor_a_failure() {
    for call in ["CreateArtifact", "PUT /blob", "FinalizeArtifact", "ListArtifacts"] {
        for fault in [
            Fault::Drop,
            Fault::DropAfter,
            Fault::Status(503, ""),
            Fault::Status(429, ""),
        ] {
            let (world, url) = server().await;
            world.lock().unwrap().faults = vec![(call, fault)];
            let done = results(&url, "job").upload(&report(b"content")).await;
            assert_eq!(done.unwrap().name, "report.html", "{call} {fault:?}");
            assert_eq!(content_of(&world, "report.html"), b"content");
            assert_eq!(world.lock().unwrap().artifacts.len(), 1);
        }
    }
}

#[tokio::test]
async fn what_does_not_come_back_ends_after_five_tries() {
    let (world, url) = server().await;
    world.lock().unwrap().faults = vec![("CreateArtifact", Fault::Status(503, "down")); 9];
    let error = results(&url, "job").upload(&report(b"x")).await.unwrap_err();
    assert!(matches!(error, ResultsError::Refused { status: 503, .. }), "{error}");
    assert_eq!(world.lock().unwrap().log.len(), 5);
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let of = async |status, body| {
        let (world, url) = server().await;
        // As often as it is tried.
        world.lock().unwrap().faults = vec![("CreateArtifact", Fault::Status(status, body)); 5];
        results(&url, "job").upload(&report(b"x")).await.unwrap_err()
    };
    let quota = r#"{"code":"resource_exhausted","msg":"insufficient usage to create artifact"}"#;
    assert!(matches!(of(403, quota).await, ResultsError::StorageFull { .. }));
    assert!(matches!(of(401, "").await, ResultsError::Unauthorized { .. }));
    let no = of(403, r#"{"code":"permission_denied","msg":"no\n::error::x"}"#).await;
    assert_eq!(no.to_string(), "could not create the artifact: no ::error::x");
    assert!(matches!(
        of(400, "<html>").await,
        ResultsError::Refused { status: 400, .. }
    ));
    assert!(matches!(of(200, "<html>").await, ResultsError::Malformed { .. }));
    assert!(matches!(
        of(200, r#"{"ok":true,"signed_upload_url":"file:///x"}"#).await,
        ResultsError::Malformed { .. }
    ));
}

#[tokio::test]
async fn no_error_says_the_token_or_the_signature() {
    for fault in [
        Fault::Drop,
        Fault::Status(403, SIGNATURE),
        Fault::Status(500, SIGNATURE),
    ] {
        let (world, url) = server().await;
        world.lock().unwrap().faults = vec![("PUT", fault); 5];
        let error = results(&url, "job").upload(&report(b"x")).await.unwrap_err();
        let text = shown(&error);
        assert!(
            !text.contains(SIGNATURE) && !text.contains("TOKENSIGNATURE") && !text.contains("sig="),
            "{text}"
        );
    }
    let text = format!(
        "{:?} {:?}",
        service("http://x", "job"),
        results("http://127.0.0.1:1", "job")
    );
    assert!(!text.contains("TOKENSIGNATURE"), "{text}");
}

#[tokio::test]
async fn nothing_waits_longer_than_the_budget() {
    let (world, url) = server().await;
    world.lock().unwrap().faults = vec![("CreateArtifact", Fault::Hang)];
    let results = Results::new(&Service {
        budget: Duration::from_millis(300),
        ..service(&url, "job")
    })
    .unwrap();
    let error = results.upload(&report(b"x")).await.unwrap_err();
    assert!(matches!(error, ResultsError::OutOfTime { .. }), "{error}");
    // What is used up stays used up.
    let error = results.upload(&report(b"x")).await.unwrap_err();
    assert!(matches!(error, ResultsError::OutOfTime { .. }), "{error}");
}

fn with(results_url: Option<&str>, token: Option<&str>) -> Service {
    let mut service = service("http://x", "job");
    if let Some(url) = results_url {
        url.clone_into(&mut service.runtime.results_url);
    }
    if let Some(token) = token {
        service.runtime.token = Secret::new(token);
    }
    service
}

#[test]
fn where_there_is_no_such_service_it_says_so() {
    let without = [
        Service {
            server_url: "https://github.example.com".to_owned(),
            ..service("http://x", "job")
        },
        with(Some(""), None),
        with(Some("x"), None),
        with(Some("file:///x"), None),
        with(None, Some("ghs_x")),
        with(None, Some("")),
    ];
    for service in without {
        assert!(
            matches!(Results::new(&service), Err(ResultsError::Unsupported { .. })),
            "{service:?}"
        );
    }
    for server in ["https://github.com", "https://acme.ghe.com", "http://a.localhost:3000"] {
        assert!(is_github(server));
    }
    assert!(!is_github("https://notgithub.com") && !is_github("https://github.com.evil.example"));
}

#[test]
fn names_are_cleaned_and_checked() {
    for name in ["", " ", "a/b", "a\nb", "a\u{7}", &"x".repeat(300)] {
        assert!(check_name(name).is_err(), "{name:?}");
    }
    assert!(check_name("mlops-report-a.html").is_ok());
    assert_eq!(
        ["a", "a.b", "a.html"].map(|name| numbered(name, 2)),
        ["a.2", "a.b.2", "a.2.html"]
    );
}

fn version() -> String {
    Digest::of(b"version").hex()
}

#[tokio::test]
async fn a_cache_entry_is_found_by_the_beginning_of_its_key_and_never_changes() {
    let (world, url) = server().await;
    let results = results(&url, "job");
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(results.restore(&keys(&["models-"]), &version()).await.unwrap(), None);
    for call in ["CreateCache", "PUT", "FinalizeCache"] {
        world.lock().unwrap().faults.push((call, Fault::Status(502, "")));
    }
    assert_eq!(
        results.save("models-1", &version(), b"content").await.unwrap(),
        Saved::Done
    );
    assert_eq!(
        results.save("models-1", &version(), b"other").await.unwrap(),
        Saved::ExistsAlready
    );
    let found = results
        .restore(&keys(&["none", "models-"]), &version())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.key.as_str(), found.bytes.as_slice()),
        ("models-1", &b"content"[..])
    );
    assert_eq!(
        results
            .restore(&keys(&["models-1"]), &Digest::of(b"x").hex())
            .await
            .unwrap(),
        None
    );
    // Finished, but nobody heard of it.
    world.lock().unwrap().faults.push(("FinalizeCache", Fault::DropAfter));
    assert_eq!(results.save("models-2", &version(), b"2").await.unwrap(), Saved::Done);
    world.lock().unwrap().blobs.clear();
    assert_eq!(
        results.restore(&keys(&["models-1"]), &version()).await.unwrap(),
        None,
        "evicted in between"
    );
    for bad in [keys(&["a,b"]), keys(&[""]), keys(&["x"; 11]), vec!["x".repeat(513)]] {
        assert!(matches!(
            results.restore(&bad, &version()).await,
            Err(ResultsError::Name { .. })
        ));
    }
    assert!(matches!(
        results.save("x", "short", b"").await,
        Err(ResultsError::Name { .. })
    ));
}

#[tokio::test]
async fn what_a_job_may_not_do_with_the_cache_is_no_failure() {
    let (world, url) = server().await;
    let results = results(&url, "job");
    let keys = ["k".to_owned()];
    let write = r#"{"code":"permission_denied","msg":"cache write denied: untrusted event"}"#;
    let read = r#"{"code":"permission_denied","msg":"the cache read denied: mode"}"#;
    world.lock().unwrap().faults = vec![("Create", Fault::Status(403, write)), ("Get", Fault::Status(403, read))];
    let saved = results.save("k", &version(), b"x").await.unwrap();
    assert_eq!(saved, Saved::Denied("cache write denied: untrusted event".to_owned()));
    let denied = results.restore(&keys, &version()).await.unwrap_err();
    assert!(matches!(denied, ResultsError::Denied { .. }), "{denied}");
    // Too many requests are not made more.
    let before = world.lock().unwrap().log.len();
    world.lock().unwrap().faults = vec![("Get", Fault::Status(429, ""))];
    let limited = results.restore(&keys, &version()).await.unwrap_err();
    assert!(matches!(limited, ResultsError::RateLimited { .. }), "{limited}");
    assert_eq!(world.lock().unwrap().log.len(), before + 1);
    // A key that nobody asked for.
    let other = r#"{"ok":true,"signed_download_url":"http://127.0.0.1:1/x","matched_key":"other"}"#;
    world.lock().unwrap().faults = vec![("Get", Fault::Status(200, other))];
    assert!(matches!(
        results.restore(&keys, &version()).await,
        Err(ResultsError::Malformed { .. })
    ));
}

#[tokio::test]
async fn the_mode_of_the_runner_is_kept_without_asking() {
    let (world, url) = server().await;
    for (word, reads, writes) in [
        ("none", false, false),
        ("read", true, false),
        ("write-only", false, true),
        ("write", true, true),
        ("new", true, true),
    ] {
        world.lock().unwrap().log.clear();
        let cache = CacheMode::read(Some(word));
        let results = Results::new(&Service {
            cache,
            ..service(&url, "job")
        })
        .unwrap();
        results.restore(&["k".to_owned()], &version()).await.unwrap();
        assert_eq!(!world.lock().unwrap().log.is_empty(), reads, "{word}");
        let saved = results.save(&format!("k-{word}"), &version(), b"x").await.unwrap();
        assert_eq!(saved == Saved::Done, writes, "{word}");
    }
}

#[tokio::test]
async fn a_download_ends_at_its_limit() {
    let (world, url) = server().await;
    world.lock().unwrap().blobs.insert(1, (vec![0; 5000], String::new()));
    let wire = Wire::new(
        Duration::from_mins(1),
        Pace(Duration::from_millis(1)),
        Duration::from_secs(30),
    )
    .unwrap();
    let address = Url::parse(&format!("{url}/blob/1?sig={SIGNATURE}")).unwrap();
    let error = blob::get(&wire, "download", &address, 4999).await.unwrap_err();
    assert!(matches!(error, ResultsError::TooLarge { limit_bytes: 4999, .. }));
    assert_eq!(blob::get(&wire, "download", &address, 5000).await.unwrap().len(), 5000);
}
