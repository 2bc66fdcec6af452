//! Starting another workflow of the repository.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::Repository;
use super::address::segment;
use super::author::{Author, Us};
use super::client::Client;
use super::error::GithubError;

#[derive(Debug, Deserialize)]
struct Started {
    #[serde(default)]
    html_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Run {
    id: u64,
    #[serde(default)]
    html_url: Option<String>,
    /// `.github/workflows/promote.yml`, which may be followed by `@` and a branch.
    #[serde(default)]
    path: String,
    #[serde(default)]
    actor: Option<Author>,
}

impl Run {
    fn is_of(&self, file: &str) -> bool {
        let path = self.path.split('@').next().unwrap_or_default();
        path.strip_suffix(file)
            .is_some_and(|directory| directory.ends_with('/'))
    }
}

/// Starts `file` at `reference`, and tells the address of its run, where GitHub says it: Enterprise Server may not.
///
/// After a lost answer, a newer run of ours of the same workflow and branch is taken for the one that was asked for:
/// inputs of runs can not be read, and once too few is better than twice.
pub async fn dispatch(
    client: &Client,
    repository: &Repository,
    file: &str,
    reference: &str,
    inputs: &BTreeMap<String, String>,
) -> Result<Option<String>, GithubError> {
    let workflow = format!("/repos/{repository}/actions/workflows/{}", segment(file));
    let us = Us::ask(client).await;
    let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    let list = format!(
        "/repos/{repository}/actions/runs?event=workflow_dispatch&branch={}&per_page=100",
        segment(branch)
    );
    let runs = async || -> Result<Vec<Run>, GithubError> {
        let mut runs: Vec<Run> = client.pages_below(&list, "workflow_runs", 100).await?;
        // A run without an actor may be ours, and twice is worse than once too few.
        runs.retain(|run| run.is_of(file) && run.actor.as_ref().is_none_or(|actor| us.wrote(Some(actor))));
        Ok(runs)
    };
    let newest = runs().await?.iter().map(|run| run.id).max().unwrap_or(0);
    let look = async || {
        let run = runs()
            .await?
            .into_iter()
            .filter(|run| run.id > newest)
            .min_by_key(|run| run.id);
        Ok(run.map(|run| Some(Started { html_url: run.html_url })))
    };
    let path = format!("{workflow}/dispatches");
    let mut body = json!({ "ref": reference, "inputs": inputs, "return_run_details": true });
    let started: Result<Option<Started>, GithubError> = client.create(&path, &body, look).await;
    let started = match started {
        // An older server, which takes no field that it does not know.
        Err(GithubError::Invalid { message, .. }) if message.contains("return_run_details") => {
            if let Some(body) = body.as_object_mut() {
                body.remove("return_run_details");
            }
            client.create(&path, &body, look).await?
        }
        other => other?,
    };
    Ok(started.and_then(|started| started.html_url))
}
