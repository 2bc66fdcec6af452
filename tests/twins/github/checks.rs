//! Check runs, as only apps may write them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::repositories::Repository;
use super::server::{Answer, Reply, Request, invalid, not_found, ok, refuse};
use super::state::{ACTIONS_APP, State, user};

#[derive(Debug, Clone)]
pub struct CheckRun {
    pub id: u64,
    pub suite: u64,
    pub name: String,
    pub head_sha: String,
    pub external_id: Option<String>,
    pub details_url: Option<String>,
    pub status: String,
    pub conclusion: Option<String>,
    pub started_at: Option<String>,
    pub completed_at: Option<String>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    /// Appended by every request that has some.
    pub annotations: Vec<Value>,
    pub app_id: u64,
    /// Status and conclusion after every request.
    pub history: Vec<(String, Option<String>)>,
}

impl State {
    /// Every check run of a commit, the oldest first.
    pub fn check_runs(&self, repository: &str, sha: &str) -> Vec<CheckRun> {
        let runs = self
            .repositories
            .get(repository)
            .map(|one| one.check_runs.values())
            .into_iter()
            .flatten();
        runs.filter(|run| run.head_sha == sha).cloned().collect()
    }
}

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    Some(match (method, tail) {
        ("POST", "/check-runs") => create(state, request),
        ("PATCH", "/check-runs/{check_run_id}") => update(state, request),
        ("GET", "/check-runs/{check_run_id}") => get(state, request).map(|(reply, _)| reply),
        ("GET", "/check-runs/{check_run_id}/annotations") => get(state, request)
            .map(|(_, run)| request.list(run.annotations.iter().map(|one| annotation(&run, one)).collect())),
        ("GET", "/commits/{ref}/check-runs") => list(state, request),
        _ => return None,
    })
}

fn annotation(run: &CheckRun, one: &Value) -> Value {
    let mut shown = one.clone();
    let fields = shown
        .as_object_mut()
        .expect("the contract says that annotations are objects");
    fields.insert(
        "blob_href".to_owned(),
        json!(format!("https://github.com/blob/{}", run.head_sha)),
    );
    for name in ["start_column", "end_column", "title", "raw_details"] {
        fields.entry(name).or_insert(Value::Null);
    }
    shown
}

fn show(state: &State, repository: &Repository, run: &CheckRun) -> Value {
    let page = format!("https://github.com/{}/runs/{}", repository.name, run.id);
    let api = format!("{}/repos/{}/check-runs/{}", state.url, repository.name, run.id);
    // GitHub puts its own page in the place of the address that a workflow gave.
    let details_url = if run.app_id == ACTIONS_APP {
        Some(page.clone())
    } else {
        run.details_url.clone()
    };
    let slug = if run.app_id == ACTIONS_APP {
        "github-actions"
    } else {
        "another-app"
    };
    json!({
        "id": run.id,
        "node_id": format!("CR_kwDO{}", run.id),
        "head_sha": run.head_sha,
        "name": run.name,
        "external_id": run.external_id.clone().unwrap_or_default(),
        "url": api,
        "html_url": page,
        "details_url": details_url,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "output": {
            "title": run.title, "summary": run.summary, "text": run.text,
            "annotations_count": run.annotations.len(), "annotations_url": format!("{api}/annotations"),
        },
        "check_suite": { "id": run.suite },
        "app": {
            "id": run.app_id, "slug": slug, "node_id": format!("A_{}", run.app_id), "client_id": "Iv1.twin",
            "owner": user("github"), "name": slug, "description": "", "external_url": "https://github.com",
            "html_url": format!("https://github.com/apps/{slug}"), "created_at": "2018-07-30T09:30:17Z",
            "updated_at": "2018-07-30T09:30:17Z", "permissions": {}, "events": [],
        },
        "pull_requests": [],
    })
}

fn get(state: &mut State, request: &Request) -> Result<(Reply, CheckRun), Box<Reply>> {
    let id = request.number("check_run_id")?;
    let run = state.of(request)?.check_runs.get(&id).ok_or_else(not_found)?.clone();
    let repository = &state.repositories[&request.repository()];
    Ok((ok(200, show(state, repository, &run)), run))
}

fn create(state: &mut State, request: &Request) -> Answer {
    let (id, suite, now) = (state.next_id(), state.next_id(), state.now());
    let app_id = request.caller.as_ref().map_or(ACTIONS_APP, |token| token.app_id);
    let repository = state.of(request)?;
    let head_sha = request.text("head_sha").unwrap_or_default().to_owned();
    if repository.objects.commit(&head_sha).is_none() {
        return Err(refuse(422, &format!("No commit found for SHA: {head_sha}")));
    }
    // One suite for a commit and an app: a run joins the first.
    let first = repository
        .check_runs
        .values()
        .find(|run| run.head_sha == head_sha && run.app_id == app_id);
    let mut run = CheckRun {
        id,
        suite: first.map_or(suite, |run| run.suite),
        name: request.text("name").unwrap_or_default().to_owned(),
        head_sha,
        external_id: None,
        details_url: None,
        status: "queued".to_owned(),
        conclusion: None,
        started_at: Some(now.clone()),
        completed_at: None,
        title: None,
        summary: None,
        text: None,
        annotations: Vec::new(),
        app_id,
        history: Vec::new(),
    };
    change(&mut run, request, &now)?;
    repository.check_runs.insert(id, run.clone());
    let repository = &state.repositories[&request.repository()];
    Ok(ok(201, show(state, repository, &run)))
}

fn update(state: &mut State, request: &Request) -> Answer {
    let now = state.now();
    let id = request.number("check_run_id")?;
    let app_id = request.caller.as_ref().map_or(0, |token| token.app_id);
    let run = state.of(request)?.check_runs.get_mut(&id).ok_or_else(not_found)?;
    if run.app_id != app_id {
        let why = "check run can only be modified by the GitHub App that created it.";
        return Err(refuse(403, &format!("Invalid app_id `{app_id}` - {why}")));
    }
    let mut changed = run.clone();
    change(&mut changed, request, &now)?;
    run.clone_from(&changed);
    get(state, request).map(|(reply, _)| reply)
}

fn change(run: &mut CheckRun, request: &Request, now: &str) -> Result<(), Box<Reply>> {
    let text = |name: &str| request.text(name).map(str::to_owned);
    run.name = text("name").unwrap_or_else(|| run.name.clone());
    run.external_id = text("external_id").or_else(|| run.external_id.clone());
    run.details_url = text("details_url").or_else(|| run.details_url.clone());
    run.started_at = text("started_at").or_else(|| run.started_at.clone());
    if let Some(status) = text("status") {
        if status == "completed" && text("conclusion").is_none() {
            return Err(invalid(
                "CheckRun",
                "conclusion",
                "missing_field",
                "completed without a conclusion",
            ));
        }
        if status != "completed" {
            run.conclusion = None;
            run.completed_at = None;
        }
        run.status = status;
    }
    if let Some(conclusion) = text("conclusion") {
        // Only GitHub itself gives up on a run.
        if conclusion == "stale" {
            return Err(invalid("CheckRun", "conclusion", "invalid", "`stale` is reserved"));
        }
        "completed".clone_into(&mut run.status);
        run.conclusion = Some(conclusion);
        run.completed_at = Some(text("completed_at").unwrap_or_else(|| now.to_owned()));
    }
    if let Some(output) = request.body["output"].as_object() {
        change_output(run, output)?;
    }
    run.history.push((run.status.clone(), run.conclusion.clone()));
    Ok(())
}

fn change_output(run: &mut CheckRun, output: &Map<String, Value>) -> Result<(), Box<Reply>> {
    let text = |name: &str| output.get(name).and_then(Value::as_str).map(str::to_owned);
    let annotations = output
        .get("annotations")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    for one in &annotations {
        let has_columns = one.get("start_column").or_else(|| one.get("end_column")).is_some();
        if has_columns && one["start_line"] != one["end_line"] {
            return Err(invalid(
                "CheckRun",
                "annotations",
                "invalid",
                "columns on several lines",
            ));
        }
        if one["end_line"].as_i64() < one["start_line"].as_i64() {
            return Err(invalid(
                "CheckRun",
                "annotations",
                "invalid",
                "`end_line` is before `start_line`",
            ));
        }
        let size = |name: &str| one[name].as_str().map_or(0, str::len);
        if size("message") > 65_536 || size("raw_details") > 65_536 || size("title") > 255 || size("message") == 0 {
            return Err(invalid(
                "CheckRun",
                "annotations",
                "invalid",
                "a text is empty or too long",
            ));
        }
    }
    run.title = text("title").or_else(|| run.title.clone());
    run.summary = text("summary").or_else(|| run.summary.clone());
    run.text = text("text").or_else(|| run.text.clone());
    run.annotations.extend(annotations);
    Ok(())
}

fn list(state: &mut State, request: &Request) -> Answer {
    let repository = state.of(request)?;
    let sha = repository
        .resolve(request.parameter("ref"))
        .ok_or_else(|| refuse(422, &format!("No commit found for SHA: {}", request.parameter("ref"))))?;
    let matches = |name: &str, text: &str| request.query.get(name).is_none_or(|wanted| wanted == text);
    let runs = repository.check_runs.values().filter(|run| {
        run.head_sha == sha
            && matches("check_name", &run.name)
            && matches("status", &run.status)
            && matches("app_id", &run.app_id.to_string())
    });
    let mut runs: Vec<CheckRun> = runs.cloned().collect();
    if matches("filter", "latest") {
        let latest: BTreeMap<(u64, String), u64> =
            runs.iter().map(|run| ((run.suite, run.name.clone()), run.id)).collect();
        runs.retain(|run| latest.values().any(|id| *id == run.id));
    }
    runs.reverse();
    let repository = &state.repositories[&request.repository()];
    Ok(request.counted(
        "check_runs",
        runs.iter().map(|run| show(state, repository, run)).collect(),
    ))
}
