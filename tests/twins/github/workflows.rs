//! Workflows, what was dispatched to them, their runs and jobs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::repositories::Repository;
use super::server::{Answer, Request, empty, not_found, ok, refuse};
use super::state::State;
use super::{blobs, results};

/// A workflow that can be started by hand when it has that trigger.
#[derive(Debug, Clone, Default)]
pub struct Workflow {
    pub id: u64,
    pub has_dispatch: bool,
    pub inputs: BTreeMap<String, Input>,
}

#[derive(Debug, Clone, Default)]
pub struct Input {
    pub is_required: bool,
    /// The values of a `choice`; anything when there are none.
    pub options: Vec<String>,
}

/// `workflow_dispatch` of a file, or `repository_dispatch` of a type.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    pub workflow: Option<String>,
    pub git_ref: Option<String>,
    pub event_type: Option<String>,
    /// Inputs, or the payload.
    pub inputs: Value,
    pub by: String,
    pub run: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct Run {
    pub id: u64,
    pub name: String,
    pub file: String,
    pub event: String,
    pub head_sha: String,
    pub head_branch: String,
    /// `owner/name`; another than the repository's for a fork.
    pub head_repository: String,
    pub attempt: u32,
    pub status: String,
    pub conclusion: Option<String>,
    pub jobs: Vec<String>,
}

impl State {
    /// A run of a workflow, in progress; its id.
    pub fn run(&mut self, repository: &str, event: &str, head_sha: &str, head_branch: &str) -> u64 {
        let id = self.next_id();
        let run = Run {
            id,
            name: "mlops".to_owned(),
            file: "mlops.yml".to_owned(),
            event: event.to_owned(),
            head_sha: head_sha.to_owned(),
            head_branch: head_branch.to_owned(),
            head_repository: repository.to_owned(),
            attempt: 1,
            status: "in_progress".to_owned(),
            conclusion: None,
            jobs: vec!["model".to_owned()],
        };
        self.repository(repository).runs.insert(id, run);
        id
    }

    /// A workflow with `workflow_dispatch` and these inputs; a `!` at the end of a name makes it required.
    pub fn workflow(&mut self, repository: &str, file: &str, inputs: &[&str]) {
        let id = self.next_id();
        let inputs = inputs.iter().map(|name| {
            let input = Input {
                is_required: name.ends_with('!'),
                options: Vec::new(),
            };
            (name.trim_end_matches('!').to_owned(), input)
        });
        let workflow = Workflow {
            id,
            has_dispatch: true,
            inputs: inputs.collect(),
        };
        self.repository(repository).workflows.insert(file.to_owned(), workflow);
    }
}

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    Some(match (method, tail) {
        ("POST", "/actions/workflows/{workflow_id}/dispatches") => dispatch(state, request),
        ("GET", "/actions/workflows/{workflow_id}") => get_workflow(state, request),
        ("GET", "/actions/runs") => list_runs(state, request),
        ("POST", "/dispatches") => repository_dispatch(state, request),
        ("GET", "/actions/runs/{run_id}") => {
            find(state, request).map(|(repository, run)| ok(200, show(state, repository, run)))
        }
        ("GET", "/actions/runs/{run_id}/attempts/{attempt_number}/jobs") => jobs(state, request),
        ("GET", "/actions/runs/{run_id}/artifacts") => find(state, request)
            .map(|(_, run)| run.id)
            .map(|run| artifacts(state, request, Some(run))),
        ("GET", "/actions/artifacts") => Ok(artifacts(state, request, None)),
        ("GET", "/actions/artifacts/{artifact_id}/{archive_format}") => archive(state, request),
        _ => return None,
    })
}

fn find<'a>(state: &'a State, request: &Request) -> Result<(&'a Repository, &'a Run), Box<super::server::Reply>> {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let run = repository.runs.get(&request.number("run_id")?).ok_or_else(not_found)?;
    Ok((repository, run))
}

fn show(state: &State, repository: &Repository, run: &Run) -> Value {
    let api = format!("{}/repos/{}", state.url, repository.name);
    let head = state
        .repositories
        .get(&run.head_repository)
        .map(|one| one.show(&state.url));
    // The pull requests of forks are not here, which is why a report has to look for them.
    let pulls = repository.pulls.values().filter(|pull| {
        pull.is_open && pull.head_sha == run.head_sha && pull.head_repository.as_ref() == Some(&repository.name)
    });
    let place = |name: &str, git_ref: &str, sha: &str| {
        let id = state.repositories.get(name).map_or(0, |one| one.id);
        json!({ "ref": git_ref, "sha": sha, "repo": { "id": id, "url": format!("{}/repos/{name}", state.url), "name": name.split('/').nth(1) } })
    };
    let pulls = pulls.map(|pull| {
        json!({
            "id": pull.id, "number": pull.number, "url": format!("{api}/pulls/{}", pull.number),
            "head": place(&repository.name, &pull.head_ref, &pull.head_sha),
            "base": place(&repository.name, &pull.base_ref, &pull.base_sha),
        })
    });
    json!({
        "id": run.id,
        "name": run.name,
        "node_id": format!("WFR_{}", run.id),
        "path": format!(".github/workflows/{}", run.file),
        "event": run.event,
        "head_sha": run.head_sha,
        "head_branch": run.head_branch,
        "status": run.status,
        "conclusion": run.conclusion,
        "run_number": 1,
        "run_attempt": run.attempt,
        "display_title": run.name,
        "url": format!("{api}/actions/runs/{}", run.id),
        "html_url": format!("https://github.com/{}/actions/runs/{}", repository.name, run.id),
        "artifacts_url": format!("{api}/actions/runs/{}/artifacts", run.id),
        "pull_requests": pulls.collect::<Vec<Value>>(),
        "repository": repository.show(&state.url),
        "head_repository": head.unwrap_or_else(|| json!({})),
    })
}

fn get_workflow(state: &State, request: &Request) -> Answer {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let name = request.parameter("workflow_id");
    let found = repository
        .workflows
        .iter()
        .find(|(file, one)| *file == name || one.id.to_string() == name);
    let (file, workflow) = found.ok_or_else(not_found)?;
    let path = format!(".github/workflows/{file}");
    Ok(ok(
        200,
        json!({ "id": workflow.id, "name": file, "path": path, "state": "active" }),
    ))
}

fn list_runs(state: &State, request: &Request) -> Answer {
    let repository = state.repositories.get(&request.repository()).ok_or_else(not_found)?;
    let is = |name: &str, text: &str| request.query.get(name).is_none_or(|wanted| wanted == text);
    let found = repository
        .runs
        .values()
        .rev()
        .filter(|run| is("head_sha", &run.head_sha) && is("branch", &run.head_branch) && is("event", &run.event));
    Ok(request.counted("workflow_runs", found.map(|run| show(state, repository, run)).collect()))
}

fn dispatch(state: &mut State, request: &Request) -> Answer {
    let name = request.parameter("workflow_id");
    let by = request.login();
    let repository = state.of(request)?;
    let found = repository
        .workflows
        .iter()
        .find(|(file, one)| *file == name || one.id.to_string() == name);
    let (file, workflow) = found
        .map(|(file, one)| (file.clone(), one.clone()))
        .ok_or_else(not_found)?;
    let git_ref = request.text("ref").unwrap_or_default().to_owned();
    let head_sha = repository.resolve(&git_ref).filter(|sha| *sha != git_ref);
    let head_sha = head_sha.ok_or_else(|| refuse(422, &format!("No ref found for: {git_ref}")))?;
    if !workflow.has_dispatch {
        return Err(refuse(422, "Workflow does not have 'workflow_dispatch' trigger"));
    }
    let inputs = request.body["inputs"].as_object().cloned().unwrap_or_default();
    let unknown: Vec<&str> = inputs
        .keys()
        .filter(|name| !workflow.inputs.contains_key(*name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(refuse(422, &format!("Unexpected inputs provided: {unknown:?}")));
    }
    for (name, input) in &workflow.inputs {
        let value = inputs.get(name);
        if input.is_required && value.is_none_or(|one| one == "") {
            return Err(refuse(422, &format!("Required input '{name}' not provided")));
        }
        let text = value.and_then(Value::as_str);
        if text.is_some_and(|text| !input.options.is_empty() && !input.options.iter().any(|one| one == text)) {
            return Err(refuse(
                422,
                &format!("Provided value for input '{name}' not in the list of allowed values"),
            ));
        }
    }
    let id = state.run(&request.repository(), "workflow_dispatch", &head_sha, &git_ref);
    let url = state.url.clone();
    let repository = state.of(request)?;
    if let Some(run) = repository.runs.get_mut(&id) {
        run.file.clone_from(&file);
        "queued".clone_into(&mut run.status);
    }
    let inputs = Value::Object(inputs);
    let dispatch = Dispatch {
        workflow: Some(file),
        git_ref: Some(git_ref),
        event_type: None,
        inputs,
        by,
        run: Some(id),
    };
    repository.dispatches.push(dispatch);
    if request.body["return_run_details"] != true {
        return Ok(empty(204));
    }
    let details = json!({
        "workflow_run_id": id,
        "run_url": format!("{url}/repos/{}/actions/runs/{id}", repository.name),
        "html_url": format!("https://github.com/{}/actions/runs/{id}", repository.name),
    });
    Ok(ok(200, details))
}

fn repository_dispatch(state: &mut State, request: &Request) -> Answer {
    let by = request.login();
    let event_type = request.text("event_type").map(str::to_owned);
    let inputs = request.body["client_payload"].clone();
    if inputs.to_string().len() > 65_535 {
        return Err(refuse(422, "client_payload is too large"));
    }
    let dispatch = Dispatch {
        workflow: None,
        git_ref: None,
        event_type,
        inputs,
        by,
        run: None,
    };
    state.of(request)?.dispatches.push(dispatch);
    Ok(empty(204))
}

fn jobs(state: &State, request: &Request) -> Answer {
    let (repository, run) = find(state, request)?;
    if request.parameter("attempt_number") != run.attempt.to_string() {
        return Err(not_found());
    }
    let api = format!("{}/repos/{}", state.url, repository.name);
    let job = |(place, name): (u64, &String)| {
        let id = run.id * 100 + place;
        json!({
            "id": id, "run_id": run.id, "run_attempt": run.attempt, "name": name, "head_sha": run.head_sha,
            "head_branch": run.head_branch, "status": run.status, "conclusion": run.conclusion, "node_id": format!("CR_{id}"),
            "html_url": format!("https://github.com/{}/actions/runs/{}/job/{id}", repository.name, run.id),
            "check_run_url": format!("{api}/check-runs/{id}"), "runner_name": "GitHub Actions 1", "workflow_name": run.name,
            "url": format!("{api}/actions/jobs/{id}"), "run_url": format!("{api}/actions/runs/{}", run.id),
        })
    };
    Ok(request.counted("jobs", (1_u64..).zip(&run.jobs).map(job).collect()))
}

fn artifacts(state: &State, request: &Request, run: Option<u64>) -> super::server::Reply {
    let Some(repository) = state.repositories.get(&request.repository()) else {
        return *not_found();
    };
    let name = request.query.get("name");
    let found = repository
        .artifacts
        .values()
        .rev()
        .filter(|one| run.is_none_or(|run| one.run == run));
    let found = found.filter(|one| one.is_final && name.is_none_or(|name| *name == one.name));
    let show = |one: &results::Artifact| {
        let api = format!("{}/repos/{}/actions/artifacts/{}", state.url, repository.name, one.id);
        let run = repository.runs.get(&one.run);
        let head = run
            .and_then(|run| state.repositories.get(&run.head_repository))
            .map(|one| one.id);
        json!({
            "id": one.id, "node_id": format!("A_{}", one.id), "name": one.name, "size_in_bytes": one.size, "url": api,
            "archive_download_url": format!("{api}/zip"), "expired": one.is_expired, "created_at": one.at,
            "updated_at": one.at, "expires_at": one.expires_at, "digest": one.digest,
            "workflow_run": {
                "id": one.run, "repository_id": repository.id, "head_repository_id": head.unwrap_or(repository.id),
                "head_branch": run.map_or("", |run| run.head_branch.as_str()),
                "head_sha": run.map_or("", |run| run.head_sha.as_str()),
            },
        })
    };
    request.counted("artifacts", found.map(show).collect())
}

fn archive(state: &mut State, request: &Request) -> Answer {
    if request.parameter("archive_format") != "zip" {
        return Err(not_found());
    }
    let id = request.number("artifact_id")?;
    let artifact = state
        .of(request)?
        .artifacts
        .get(&id)
        .filter(|one| one.is_final)
        .ok_or_else(not_found)?;
    if artifact.is_expired {
        return Err(refuse(410, "Artifact has expired"));
    }
    let (blob, file) = (artifact.blob.clone(), artifact.file());
    let url = blobs::sign_download(&state.url, &blob, &file);
    let mut reply = empty(302);
    reply.headers.insert("location".to_owned(), url);
    Ok(reply)
}
