//! How much is under way at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::{post, put};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::digest::digest_of;
use super::super::transfer::{Prepared, Transfer};
use super::super::{Content, Sizes};
use crate::wandb::client::{Client, Settings};
use crate::wandb::hosts::Hosts;
use crate::wandb::key::{Key, KeySource};
use crate::wandb::oidc::Credentials;

#[derive(Default)]
struct Storage {
    url: Mutex<String>,
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
    parallel: tokio::sync::Notify,
}

const PARALLEL: usize = 3;

/// Answers when as many are there as may be, or when the last one is.
async fn take(State(storage): State<Arc<Storage>>) {
    let now = storage.now.fetch_add(1, Ordering::SeqCst) + 1;
    storage.most.fetch_max(now, Ordering::SeqCst);
    let n_before = storage.all.fetch_add(1, Ordering::SeqCst);
    if now < PARALLEL && n_before + 1 < 12 {
        storage.parallel.notified().await;
    }
    // Whoever is too much would come meanwhile.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    storage.now.fetch_sub(1, Ordering::SeqCst);
    storage.parallel.notify_one();
}

async fn announce(State(storage): State<Arc<Storage>>, body: String) -> String {
    let body: Value = serde_json::from_str(&body).unwrap();
    let url = storage.url.lock().unwrap().clone();
    let files = body["variables"]["input"]["artifactFiles"].as_array().unwrap();
    let edges: Vec<Value> = files
        .iter()
        .map(|_| json!({"node": {"uploadUrl": format!("{url}/put"), "uploadHeaders": [], "artifact": {"id": "a"}}}))
        .collect();
    json!({"data": {"createArtifactFiles": {"files": {"edges": edges}}}}).to_string()
}

#[tokio::test]
async fn no_more_files_are_on_their_way_than_may_be() {
    let storage = Arc::new(Storage::default());
    let router = Router::new()
        .route("/graphql", post(announce))
        .route("/put", put(take))
        .with_state(Arc::clone(&storage));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    storage.url.lock().unwrap().clone_from(&url);
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let key = Key::parse(&"k".repeat(40), KeySource::Environment).unwrap();
    let hosts = Hosts::new(Some(&url), None).unwrap();
    let transfer = Transfer {
        client: Client::new(Settings::new(hosts, Credentials::Key(key))).unwrap(),
        artifact: "a".to_owned(),
        manifest: "m".to_owned(),
        sizes: Sizes {
            parallel: PARALLEL,
            ..Sizes::default()
        },
    };
    let files: Vec<Arc<Prepared>> = (0..12)
        .map(|i| {
            Arc::new(Prepared {
                path: i.to_string(),
                content: Content::Bytes(vec![i]),
                digest: digest_of(&[i][..], None).unwrap(),
                part_bytes: None,
            })
        })
        .collect();
    let births = transfer.send(&files).await.unwrap();
    assert_eq!(births.len(), 12);
    assert_eq!(storage.all.load(Ordering::SeqCst), 12);
    assert_eq!(storage.most.load(Ordering::SeqCst), PARALLEL);
    server.abort();
}
