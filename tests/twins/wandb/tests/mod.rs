//! The twin itself: what it takes and refuses, that it finds breaches of the contract, that it fails on demand.

mod api;
mod artifacts;
mod registries;
mod streams;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use super::{Role, Twin};

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    /// The first error of a GraphQL answer.
    pub fn message(&self) -> String {
        self.json()["errors"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// One client for all tests: making one reads the certificates of the machine.
fn client() -> &'static (tokio::runtime::Runtime, reqwest::Client) {
    static CLIENT: OnceLock<(tokio::runtime::Runtime, reqwest::Client)> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy();
        // A connection that was dropped would be found out by the next call only.
        let client = client
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none());
        (runtime.build().unwrap(), client.build().unwrap())
    })
}

/// One call; none when there was no answer.
pub fn call(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Answer> {
    let (runtime, client) = client();
    runtime.block_on(async {
        let mut request = client.request(method.parse().unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method != "GET" {
            request = request.body(body.to_vec());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let bytes = response.bytes().await.ok()?.to_vec();
        Some(Answer { status, headers, bytes })
    })
}

pub fn basic(key: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("api:{key}")))
}

/// A GraphQL call with a key.
pub fn ask_as(twin: &Twin, key: &str, query: &str, variables: &Value) -> Answer {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let headers = [
        ("authorization", basic(key)),
        ("content-type", "application/json".to_owned()),
    ];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let url = format!("{}/graphql", twin.url());
    call("POST", &url, &headers, body.as_bytes()).unwrap()
}

pub fn ask(twin: &Twin, query: &str, variables: &Value) -> Answer {
    ask_as(twin, &twin.key(), query, variables)
}

/// What a call that goes well answers.
pub fn data(twin: &Twin, query: &str, variables: &Value) -> Value {
    let answer = ask(twin, query, variables);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    answer.json()["data"].clone()
}

/// Sends to storage with the headers that were given.
pub fn put(url: &Value, headers: &Value, bytes: &[u8]) -> Answer {
    let given = headers.as_array().into_iter().flatten().filter_map(Value::as_str);
    let given: Vec<(&str, &str)> = given.filter_map(|header| header.split_once(':')).collect();
    call("PUT", url.as_str().unwrap(), &given, bytes).unwrap()
}

pub fn md5(bytes: &[u8]) -> String {
    STANDARD.encode(Md5::digest(bytes))
}

/// A run of `ml-team/demo`.
pub fn run(twin: &Twin, name: &str) -> Value {
    let query = "mutation R($run: String) { upsertBucket(input: {name: $run, modelName: \"demo\", entityName: \"ml-team\"}) \
                 { inserted bucket { id name project { name entity { name } } } } }";
    data(twin, query, &json!({ "run": name }))["upsertBucket"].clone()
}

/// A member of the team who is no admin of anything; her key.
pub fn member(twin: &Twin) -> String {
    let key = "m".repeat(40);
    let mut state = twin.state();
    state.user("mia", &key);
    state
        .team("ml-team", None)
        .members
        .insert("mia".to_owned(), Role::Member);
    key
}
