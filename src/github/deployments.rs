//! Deployments: the record on GitHub that a version of a model serves an environment.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Repository;
use super::address::segment;
use super::client::Client;
use super::error::GithubError;
use crate::base::CommitSha;

/// What is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    pub environment: String,
    pub sha: CommitSha,
    pub description: String,
    /// What tells this deployment from every other: model, version, digest, run.
    pub payload: Value,
    /// Where the job that did it can be read.
    pub url: Option<String>,
}

const TASK: &str = "deploy:model";
/// GitHub takes no more characters.
const DESCRIPTION_LIMIT: usize = 140;

#[derive(Debug, Deserialize)]
struct Recorded {
    id: u64,
    #[serde(default)]
    payload: Value,
}

#[derive(Debug, Deserialize)]
struct Status {
    state: String,
}

/// Records the deployment as a success, once: the same payload for the same commit and environment is the same one.
pub async fn record(client: &Client, repository: &Repository, deployment: &Deployment) -> Result<u64, GithubError> {
    let deployments = format!("/repos/{repository}/deployments");
    let list = format!(
        "{deployments}?environment={}&sha={}&task={}&per_page=100",
        segment(&deployment.environment),
        deployment.sha,
        segment(TASK)
    );
    let look = async || {
        let recorded: Vec<Recorded> = client.pages(&list, 1000).await?;
        Ok(recorded
            .into_iter()
            .find(|recorded| is_same(&recorded.payload, &deployment.payload)))
    };
    let description: String = deployment.description.chars().take(DESCRIPTION_LIMIT).collect();
    let recorded = if let Some(recorded) = look().await? {
        recorded
    } else {
        let body = json!({
            "ref": deployment.sha,
            "task": TASK,
            // Without these two a red check or a branch behind its base would be in the way.
            "auto_merge": false,
            "required_contexts": [],
            "environment": deployment.environment,
            "description": description,
            "payload": deployment.payload,
        });
        client.create(&deployments, &body, look).await.map_err(explained)?
    };
    let statuses = format!("{deployments}/{}/statuses", recorded.id);
    let look = async || {
        let statuses: Vec<Status> = client.pages(&format!("{statuses}?per_page=100"), 100).await?;
        Ok(statuses.into_iter().find(|status| status.state == "success"))
    };
    if look().await?.is_none() {
        let mut body = json!({ "state": "success", "description": description, "auto_inactive": true });
        if let Some(url) = &deployment.url {
            body["log_url"] = json!(url);
        }
        client.create(&statuses, &body, look).await?;
    }
    Ok(recorded.id)
}

/// GitHub gives a payload back as it was or as text.
fn is_same(recorded: &Value, payload: &Value) -> bool {
    match recorded.as_str() {
        Some(text) => serde_json::from_str::<Value>(text).is_ok_and(|value| value == *payload),
        None => recorded == payload,
    }
}

fn explained(error: GithubError) -> GithubError {
    match error {
        GithubError::Conflict { what, message } => GithubError::Conflict {
            what,
            message: format!("GitHub found something in the way of a deployment of this commit: {message}"),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_the_same_in_both_shapes_that_it_comes_back_in() {
        let payload = json!({"model": "churn", "version": 3});
        assert!(is_same(&payload, &payload));
        assert!(is_same(&json!(r#"{"version":3,"model":"churn"}"#), &payload));
        assert!(!is_same(&json!("churn"), &payload));
        assert!(!is_same(&json!({"model": "churn", "version": 4}), &payload));
        assert!(!is_same(&Value::Null, &payload));
    }
}
