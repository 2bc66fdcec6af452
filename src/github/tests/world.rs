//! A repository on the twin, with as many pull requests as a test needs.

use std::time::Duration;

use crate::base::{CommitSha, Secret};
use crate::github::{Client, Connection, Pace, Repository, Urls};
use crate::twin::{PullSpec, Twin};

pub const NAME: &str = "ada/models";

/// What a workflow of this project asks for.
pub const PERMISSIONS: &[(&str, &str)] = &[
    ("contents", "write"),
    ("checks", "write"),
    ("pull-requests", "write"),
    ("issues", "write"),
    ("actions", "write"),
    ("deployments", "write"),
];

pub struct World {
    pub twin: Twin,
    pub repository: Repository,
    pub client: Client,
    pub token: String,
}

impl World {
    pub fn new() -> Self {
        let twin = Twin::start();
        let token = {
            let mut state = twin.state();
            state.commit(NAME, "main", &[("mlops.yaml", "model: churn\n")]);
            state.workflow(NAME, "promote.yml", &["version"]);
            state.actions_token(NAME, PERMISSIONS)
        };
        let client = Client::new(connection(&twin, &token)).unwrap();
        Self {
            twin,
            repository: NAME.parse().unwrap(),
            client,
            token,
        }
    }

    /// Another client of the same token, which does not wait for its turn.
    pub fn other(&self) -> Client {
        self.client.hurried(Duration::from_mins(2))
    }

    /// Opens a pull request of a branch of its own; its number and newest commit.
    pub fn pull(&self) -> (u64, CommitSha) {
        let mut state = self.twin.state();
        let branch = format!("branch-{}", state.next_id());
        let head = state.commit(NAME, &branch, &[("change.txt", &branch)]);
        let number = state.pull(
            NAME,
            &PullSpec {
                title: "Better",
                author: "ada",
                head_repository: NAME,
                head: &branch,
                base: "main",
            },
        );
        (number, head.parse().unwrap())
    }
}

pub fn connection(twin: &Twin, token: &str) -> Connection {
    Connection {
        budget: Duration::from_mins(10),
        pace: Pace(Duration::from_millis(1)),
        ..Connection::new(
            Urls {
                api: twin.url(),
                graphql: twin.graphql_url(),
                server: twin.url(),
            },
            Some(Secret::new(token)),
        )
    }
}
