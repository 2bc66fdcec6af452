//! A twin of Weights & Biases: a stateful server on the loopback that speaks its protocol, holds every query against its
//! schema, refuses what it refuses, and fails on demand.
//!
//! ```text
//! let twin = Twin::start();
//! twin.state().registry("Acme", "model").protected.insert("production".to_owned());
//! … talk to twin.url() with twin.key() …
//! assert_eq!(twin.violations(), Vec::<String>::new());
//! ```
//!
//! It begins with the user `ada` of the team `ml-team`, and with the organization `Acme`, whose registries `model` and
//! `dataset` are empty. Storage is another listener, so that hosts can be told apart. It knows nothing of the crate it
//! tests. `state()` locks the state: do not hold it over a call.
#![allow(
    dead_code,
    unused_imports,
    clippy::unnecessary_box_returns,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a helper of tests, compiled into several programs of which each uses its part"
)]

mod admin;
mod artifacts;
mod collections;
mod contract;
mod execute;
mod faults;
mod files;
mod filters;
mod graphql;
mod lines;
mod links;
mod pages;
mod people;
mod projects;
mod registries;
mod runs;
mod seeds;
mod server;
mod state;
mod storage;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard};

pub use artifacts::{Artifact, ArtifactState};
pub use collections::{Collection, Membership};
pub use faults::{Call, Fault, Kind};
pub use people::{Entity, Organization, Role, User};
pub use projects::{Project, Registry};
pub use runs::{Alert, Run};
pub use seeds::Version;
pub use state::State;
pub use storage::{Content, Object};

/// A running twin; it stops when it is dropped.
pub struct Twin {
    url: String,
    storage_url: String,
    key: String,
    state: Arc<Mutex<State>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Twin {
    pub fn start() -> Self {
        Self::start_on(0).expect("a loopback port is free")
    }

    /// Listens on a port of the loopback, 0 is any free one; storage is on a free one in any case.
    pub fn start_on(port: u16) -> std::io::Result<Self> {
        let bind = |port: u16| {
            let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
            listener.set_nonblocking(true)?;
            let url = format!("http://{}", listener.local_addr()?);
            Ok::<_, std::io::Error>((listener, url))
        };
        let (api, url) = bind(port)?;
        let (storage, storage_url) = bind(0)?;
        let state = Arc::new(Mutex::new(State::new(&url, &storage_url)));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || server::run(api, storage, shared, stopped));
        Ok(Self {
            url,
            storage_url,
            key: state::KEY.to_owned(),
            state,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What `WANDB_BASE_URL` is.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Where signed addresses lead.
    pub fn storage_url(&self) -> String {
        self.storage_url.clone()
    }

    /// The key of `ada`.
    pub fn key(&self) -> String {
        self.key.clone()
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Every breach of the contract so far; a test asserts that there is none.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// The calls that would change something, answered or not.
    pub fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.is_write).collect()
    }

    /// Adds a scenario; `admin.rs` says what one is.
    pub fn seed(&self, scenario: &serde_json::Value) -> Result<serde_json::Value, String> {
        admin::seed(&mut self.state(), scenario)
    }

    /// Everything that people would see.
    pub fn snapshot(&self) -> serde_json::Value {
        admin::snapshot(&self.state())
    }

    pub fn fault(&self, fault: Fault) {
        self.state().faults.push(fault);
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the server has already failed the test by an unanswered call.
            let _ = thread.join();
        }
    }
}
