//! Artifacts of a run, most of which are not what they should be.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::*;
use crate::base::Secret;
use crate::github::{Connection, Pace, Urls};

const HEAD: &str = "5d0c3f8a1b7e42969c0f4ab2d7e8f1035a6b9c2e";
const OTHER: &str = "6d0c3f8a1b7e42969c0f4ab2d7e8f1035a6b9c2e";

#[derive(Default)]
struct World {
    listed: Vec<Value>,
    files: BTreeMap<u64, Vec<u8>>,
    storage: String,
    fetched: Vec<String>,
}

type Shared = Arc<Mutex<World>>;

async fn serve(app: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// GitHub, which knows the token and sends downloads elsewhere.
async fn github(State(world): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    let world = world.lock().unwrap();
    if headers.get("authorization").is_none() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match uri.path() {
        "/repos/ada/model/actions/runs/7/artifacts" => {
            json!({"total_count": world.listed.len(), "artifacts": world.listed})
                .to_string()
                .into_response()
        }
        path => {
            let id = path
                .strip_prefix("/repos/ada/model/actions/artifacts/")
                .and_then(|rest| rest.strip_suffix("/zip"));
            let location = format!("{}/{}?sig=x", world.storage, id.unwrap());
            (StatusCode::FOUND, [("location", location)]).into_response()
        }
    }
}

/// Storage, which must not see the token.
async fn storage(State(world): State<Shared>, uri: Uri, headers: HeaderMap) -> Response {
    assert!(headers.get("authorization").is_none());
    let mut world = world.lock().unwrap();
    let id = uri.path().trim_start_matches('/').to_owned();
    world.fetched.push(id.clone());
    match world.files.get(&id.parse().unwrap()) {
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl World {
    fn add(&mut self, id: u64, name: &str, content: Vec<u8>, change: impl FnOnce(&mut Value)) {
        let mut listed = json!({
            "id": id, "name": name, "size_in_bytes": content.len(), "expired": false,
            "digest": Digest::of(&content).to_string(),
            "workflow_run": {"id": 7, "head_sha": HEAD, "head_branch": "main", "repository_id": 1},
        });
        change(&mut listed);
        self.listed.push(listed);
        self.files.insert(id, content);
    }
}

async fn received(fill: impl FnOnce(&mut World)) -> (Received, Vec<String>) {
    let world = Shared::default();
    let elsewhere = serve(axum::Router::new().fallback(storage).with_state(world.clone())).await;
    world.lock().unwrap().storage = elsewhere;
    fill(&mut world.lock().unwrap());
    let url = serve(axum::Router::new().fallback(github).with_state(world.clone())).await;
    let urls = Urls {
        api: url.clone(),
        graphql: format!("{url}/graphql"),
        server: url,
    };
    let client = Client::new(Connection {
        pace: Pace(Duration::from_millis(1)),
        ..Connection::new(urls, Some(Secret::new("ghs_token")))
    })
    .unwrap();
    let head: CommitSha = HEAD.parse().unwrap();
    let run = FinishedRun { id: 7, head: &head };
    let received = fetch(&client, &"ada/model".parse().unwrap(), run, PREFIX)
        .await
        .unwrap();
    let fetched = world.lock().unwrap().fetched.clone();
    (received, fetched)
}

#[tokio::test]
async fn facts_of_the_run_and_commit_are_handed_over() {
    let (received, _) = received(|world| {
        world.add(1, "mlops-report-churn", pack("{\"a\": 1}").unwrap(), |_| {});
        world.add(2, "mlops-report-price", pack("{\"b\": 2}").unwrap(), |listed| {
            listed["digest"] = Value::Null;
        });
        // The second attempt, and a second job of it.
        world.add(4, "mlops-report-churn.2", pack("{\"a\": 4}").unwrap(), |_| {});
        world.add(3, "mlops-report-churn", pack("{\"a\": 3}").unwrap(), |_| {});
        world.add(5, "coverage", b"x".to_vec(), |_| {});
        world.add(6, "mlops-report-churn.html", b"<html>".to_vec(), |_| {});
    })
    .await;
    let handed = |key: &str, bytes: &str| Handed {
        key: key.to_owned(),
        bytes: bytes.as_bytes().to_vec(),
    };
    assert_eq!(
        received.handed,
        [handed("churn", "{\"a\": 4}"), handed("price", "{\"b\": 2}")]
    );
    assert_eq!(received.refused, []);
}

#[tokio::test]
async fn what_is_of_another_run_or_too_much_is_not_even_fetched() {
    let facts = || pack("{}").unwrap();
    let (received, fetched) = received(|world| {
        world.add(1, "mlops-report-a", facts(), |listed| {
            listed["workflow_run"]["head_sha"] = OTHER.into();
        });
        world.add(2, "mlops-report-b", facts(), |listed| {
            listed["workflow_run"] = Value::Null;
        });
        world.add(3, "mlops-report-c", facts(), |listed| listed["expired"] = true.into());
        world.add(4, "mlops-report-d", facts(), |listed| {
            listed["size_in_bytes"] = (21 << 20).into();
        });
        world.add(5, "mlops-report-e", facts(), |listed| {
            listed["workflow_run"]["id"] = 8.into();
        });
        for name in [
            "mlops-report-",
            "mlops-report-../x",
            "mlops-report-A",
            "mlops-report-x y",
            "xmlops-report-a",
        ] {
            world.add(9, name, facts(), |_| {});
        }
        for i in 0..25 {
            world.add(100 + i, &format!("mlops-report-m{i}"), facts(), |_| {});
        }
    })
    .await;
    assert_eq!((received.handed.len(), fetched.len()), (MAX_ARTIFACTS, MAX_ARTIFACTS));
    let why = |name: &str| {
        received
            .refused
            .iter()
            .find(|(of, _)| of == name)
            .map(|(_, why)| why.as_str())
    };
    assert_eq!(
        why("mlops-report-a"),
        Some("it was made by another run or for another commit")
    );
    assert_eq!(why("mlops-report-b"), why("mlops-report-a"));
    assert_eq!(why("mlops-report-e"), why("mlops-report-a"));
    assert_eq!(why("mlops-report-c"), Some("it is expired"));
    assert_eq!(why("mlops-report-d"), Some("it is too large"));
    assert_eq!(why("mlops-report-m24"), Some("there are too many"));
    assert_eq!(received.refused.len(), 10);
}

#[tokio::test]
async fn a_bad_artifact_does_not_keep_the_others_away() {
    let two = archive::pack(&BTreeMap::from([
        (FACTS.to_owned(), b"{}".to_vec()),
        ("other".to_owned(), Vec::new()),
    ]))
    .unwrap();
    let bomb = pack(&" ".repeat(8 << 20)).unwrap();
    let noise: String = (0..3_000_000_u32)
        .map(|i| char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 27) as u8 % 26))
        .collect();
    let noise = pack(&noise).unwrap();
    let (received, _) = received(|world| {
        world.add(1, "mlops-report-a", b"no archive".to_vec(), |_| {});
        world.add(2, "mlops-report-b", two, |_| {});
        world.add(3, "mlops-report-c", bomb, |_| {});
        world.add(4, "mlops-report-d", pack("{}").unwrap(), |listed| {
            listed["digest"] = Digest::of(b"x").to_string().into();
        });
        world.add(5, "mlops-report-e", pack("{}").unwrap(), |_| {});
        world.files.remove(&5);
        // Each is allowed, all together are not.
        for i in 0..10 {
            world.add(10 + i, &format!("mlops-report-f{i}"), noise.clone(), |listed| {
                listed["size_in_bytes"] = 1.into();
            });
        }
        world.add(90, "mlops-report-z", pack("{}").unwrap(), |_| {});
    })
    .await;
    let keys: Vec<&str> = received.handed.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["f0", "f1", "f2", "f3", "f4", "f5", "z"]);
    assert_eq!(received.refused.len(), 9, "{:?}", received.refused);
}

#[test]
fn keys_are_plain_and_tell_apart() {
    assert_eq!(key("churn"), "churn");
    assert_eq!(
        key("models/churn/mlops.yaml"),
        format!(
            "models-churn-mlops-yaml-{}",
            &Digest::of(b"models/churn/mlops.yaml").hex()[..8]
        )
    );
    assert_ne!(key("a/b"), key("a-b"));
    assert_ne!(key("Churn"), key("churn"));
    for text in ["", "/", "尺", &"x".repeat(300), "-a-", "..", "a.2"] {
        let name = artifact_name(&key(text));
        assert_eq!(key_in(&name, PREFIX), Some(key(text).as_str()), "{text}");
        assert_eq!(key_in(&format!("{name}.12"), PREFIX), Some(key(text).as_str()));
    }
}
