//! A twin of GitHub: a stateful server on the loopback that behaves as GitHub's API does, refuses what it refuses,
//! holds every call against the official description of the API, and fails on demand.
//!
//! ```text
//! let twin = Twin::start();
//! let token = twin.state().actions_token("o/r", &[("checks", "write")]);   // a `GITHUB_TOKEN`
//! … talk to twin.url() …
//! assert_eq!(twin.violations(), Vec::<String>::new());
//! ```
//!
//! It knows nothing of the crate it tests. `state()` locks the state: do not hold it over a call.
#![allow(
    dead_code,
    unused_imports,
    clippy::unnecessary_box_returns,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a helper of tests, compiled into several programs of which each uses its part; refusals are large"
)]

mod admin;
mod blobs;
mod checks;
mod contract;
mod deployments;
mod faults;
mod git;
mod git_routes;
mod graphql;
mod issues;
mod pulls;
mod repositories;
mod results;
mod server;
mod state;
mod workflows;

use std::sync::{Arc, Mutex, MutexGuard};

pub use checks::CheckRun;
pub use faults::{Call, Fault, Kind};
pub use git::{Commit, Entry, Object, Objects, hash};
pub use issues::{Comment, Issue, Version};
pub use pulls::{Pull, PullSpec};
pub use repositories::Repository;
pub use results::{Artifact, Cache, RuntimeToken};
pub use server::Limit;
pub use state::{State, Token};
pub use workflows::{Dispatch, Run, Workflow};

/// A running twin; it stops when it is dropped.
pub struct Twin {
    url: String,
    state: Arc<Mutex<State>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Twin {
    pub fn start() -> Self {
        Self::start_on(0).expect("a loopback port is free")
    }

    /// Listens on a port of the loopback; 0 is any free one.
    pub fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(Mutex::new(State::new(&url)));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || server::run(listener, shared, stopped));
        Ok(Self {
            url,
            state,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// What `GITHUB_API_URL` is on github.com: no path. GraphQL is at `/graphql` of it.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What `GITHUB_API_URL` is on an enterprise server.
    pub fn enterprise_url(&self) -> String {
        format!("{}/api/v3", self.url)
    }

    pub fn graphql_url(&self) -> String {
        format!("{}/graphql", self.url)
    }

    pub fn enterprise_graphql_url(&self) -> String {
        format!("{}/api/graphql", self.url)
    }

    /// What `ACTIONS_RESULTS_URL` is: GitHub's has a path, which clients drop.
    pub fn results_url(&self) -> String {
        format!("{}/", self.url)
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

    /// Adds a scenario (`admin.rs` says what one is) and says how everything in it is called.
    pub fn seed(&self, scenario: &serde_json::Value) -> Result<serde_json::Value, String> {
        admin::seed(&mut self.state(), scenario)
    }

    /// Everything that people would see, by repository.
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
