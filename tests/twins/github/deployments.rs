//! Deployments and their statuses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::repositories::Repository;
use super::server::{Answer, Request, invalid, not_found, ok, refuse};
use super::state::{State, user};

#[derive(Debug, Clone)]
pub struct Deployment {
    pub id: u64,
    pub git_ref: String,
    pub sha: String,
    pub task: String,
    pub environment: String,
    pub description: Option<String>,
    pub payload: Value,
    pub is_production: bool,
    pub is_transient: bool,
    pub by: String,
    pub at: String,
    /// The oldest first.
    pub statuses: Vec<DeploymentStatus>,
}

#[derive(Debug, Clone)]
pub struct DeploymentStatus {
    pub id: u64,
    pub state: String,
    pub description: String,
    pub environment: String,
    pub log_url: String,
    pub environment_url: String,
    pub by: String,
    pub at: String,
}

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    Some(match (method, tail) {
        ("GET", "/deployments") => list(state, request),
        ("POST", "/deployments") => create(state, request),
        ("GET", "/deployments/{deployment_id}") => {
            find(state, request).map(|(repository, one)| ok(200, show(state, repository, one)))
        }
        ("GET", "/deployments/{deployment_id}/statuses") => find(state, request).map(|(repository, one)| {
            let statuses = one.statuses.iter().rev();
            request.list(
                statuses
                    .map(|status| show_status(state, repository, one, status))
                    .collect(),
            )
        }),
        ("POST", "/deployments/{deployment_id}/statuses") => create_status(state, request),
        ("GET", "/environments/{environment_name}") => environment(state, request),
        _ => return None,
    })
}

fn show(state: &State, repository: &Repository, one: &Deployment) -> Value {
    let api = format!("{}/repos/{}", state.url, repository.name);
    json!({
        "id": one.id,
        "node_id": format!("DE_{}", one.id),
        "url": format!("{api}/deployments/{}", one.id),
        "statuses_url": format!("{api}/deployments/{}/statuses", one.id),
        "repository_url": api,
        "sha": one.sha,
        "ref": one.git_ref,
        "task": one.task,
        "payload": one.payload,
        "environment": one.environment,
        "original_environment": one.environment,
        "description": one.description,
        "creator": user(&one.by),
        "created_at": one.at,
        "updated_at": one.statuses.last().map_or(&one.at, |status| &status.at),
        "transient_environment": one.is_transient,
        "production_environment": one.is_production,
    })
}

fn show_status(state: &State, repository: &Repository, one: &Deployment, status: &DeploymentStatus) -> Value {
    let api = format!("{}/repos/{}", state.url, repository.name);
    json!({
        "id": status.id,
        "node_id": format!("DES_{}", status.id),
        "url": format!("{api}/deployments/{}/statuses/{}", one.id, status.id),
        "deployment_url": format!("{api}/deployments/{}", one.id),
        "repository_url": api,
        "state": status.state,
        "description": status.description,
        "environment": status.environment,
        "target_url": status.log_url,
        "log_url": status.log_url,
        "environment_url": status.environment_url,
        "creator": user(&status.by),
        "created_at": status.at,
        "updated_at": status.at,
    })
}

fn find<'a>(
    state: &'a State,
    request: &Request,
) -> Result<(&'a Repository, &'a Deployment), Box<super::server::Reply>> {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let one = repository
        .deployments
        .get(&request.number("deployment_id")?)
        .ok_or_else(not_found)?;
    Ok((repository, one))
}

fn list(state: &State, request: &Request) -> Answer {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let wanted = |name: &str, text: &str| request.query.get(name).is_none_or(|one| one == "none" || one == text);
    let found = repository.deployments.values().rev().filter(|one| {
        wanted("environment", &one.environment)
            && wanted("sha", &one.sha)
            && wanted("task", &one.task)
            && wanted("ref", &one.git_ref)
    });
    Ok(request.list(found.map(|one| show(state, repository, one)).collect()))
}

fn create(state: &mut State, request: &Request) -> Answer {
    let (id, at, by) = (state.next_id(), state.now(), request.login());
    let body = &request.body;
    let repository = state.of(request)?;
    let git_ref = request.text("ref").unwrap_or_default().to_owned();
    let sha = repository
        .resolve(&git_ref)
        .ok_or_else(|| refuse(422, &format!("No ref found for: {git_ref}")))?;
    let default = repository.default_branch.clone();
    let tip = repository.tip(&default).unwrap_or_default();
    // Only branches are merged into; a name of a commit is deployed as it is.
    if body["auto_merge"] != false
        && repository.tip(&git_ref).is_some()
        && !repository.objects.ancestors(&sha).contains(&tip)
    {
        return Ok(ok(
            202,
            json!({ "message": format!("Auto-merged {default} into {git_ref} on deployment.") }),
        ));
    }
    let is_wanted = |context: &str| {
        body["required_contexts"]
            .as_array()
            .is_none_or(|list| list.iter().any(|one| one == context))
    };
    let mut red = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for status in repository
        .statuses
        .iter()
        .filter(|status| status.sha == sha && is_wanted(&status.context))
    {
        seen.insert(status.context.as_str());
        if status.state == "success" {
            red.remove(&status.context)
        } else {
            red.insert(status.context.clone())
        };
    }
    for run in repository
        .check_runs
        .values()
        .filter(|run| run.head_sha == sha && is_wanted(&run.name))
    {
        seen.insert(&run.name);
        let is_green = run
            .conclusion
            .as_ref()
            .is_some_and(|one| ["success", "neutral", "skipped"].contains(&one.as_str()));
        if is_green {
            red.remove(&run.name)
        } else {
            red.insert(run.name.clone())
        };
    }
    let wanted = body["required_contexts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let missing = wanted.filter(|context| !seen.contains(context)).count();
    if !red.is_empty() || missing > 0 {
        let mut refusal = refuse(409, &format!("Conflict: Commit status checks failed for {git_ref}."));
        refusal.body["errors"] = json!([{ "resource": "Deployment", "field": "required_contexts", "code": "invalid" }]);
        return Err(refusal);
    }
    let text = |name: &str| request.text(name).map(str::to_owned);
    let environment = text("environment").unwrap_or_else(|| "production".to_owned());
    let one = Deployment {
        id,
        sha,
        git_ref,
        task: text("task").unwrap_or_else(|| "deploy".to_owned()),
        description: text("description"),
        payload: if body["payload"].is_null() {
            json!({})
        } else {
            body["payload"].clone()
        },
        is_production: body["production_environment"]
            .as_bool()
            .unwrap_or(environment == "production"),
        is_transient: body["transient_environment"] == true,
        environment,
        by,
        at,
        statuses: Vec::new(),
    };
    repository.deployments.insert(id, one.clone());
    Ok(ok(201, show(state, &state.repositories[&request.repository()], &one)))
}

fn create_status(state: &mut State, request: &Request) -> Answer {
    let (id, at, by) = (state.next_id(), state.now(), request.login());
    let deployment = request.number("deployment_id")?;
    let text = |name: &str| request.text(name).unwrap_or_default().to_owned();
    if text("description").chars().count() > 140 {
        return Err(invalid(
            "DeploymentStatus",
            "description",
            "custom",
            "description is too long (maximum is 140 characters)",
        ));
    }
    let repository = state.of(request)?;
    let one = repository.deployments.get_mut(&deployment).ok_or_else(not_found)?;
    let status = DeploymentStatus {
        id,
        state: text("state"),
        description: text("description"),
        environment: request.text("environment").unwrap_or(&one.environment).to_owned(),
        log_url: request
            .text("log_url")
            .or_else(|| request.text("target_url"))
            .unwrap_or_default()
            .to_owned(),
        environment_url: text("environment_url"),
        by: by.clone(),
        at: at.clone(),
    };
    one.statuses.push(status.clone());
    let environment = one.environment.clone();
    // The others of the environment give way, production and passing environments excepted.
    if status.state == "success" && request.body["auto_inactive"] != false {
        let others = repository.deployments.values_mut().filter(|other| {
            other.id != deployment && other.environment == environment && !other.is_production && !other.is_transient
        });
        for other in others.filter(|other| other.statuses.last().is_some_and(|status| status.state == "success")) {
            let inactive = DeploymentStatus {
                state: "inactive".to_owned(),
                ..status.clone()
            };
            other.statuses.push(inactive);
        }
    }
    let repository = &state.repositories[&request.repository()];
    Ok(ok(
        201,
        show_status(state, repository, &repository.deployments[&deployment], &status),
    ))
}

fn environment(state: &State, request: &Request) -> Answer {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let name = request.parameter("environment_name");
    let known = repository.deployments.values().any(|one| one.environment == name);
    if !known {
        return Err(not_found());
    }
    Ok(ok(
        200,
        json!({ "name": name, "node_id": format!("EN_{name}"), "protection_rules": [] }),
    ))
}
