//! Repositories: what each holds, who may write there, commit statuses, rate limits.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::checks::CheckRun;
use super::deployments::Deployment;
use super::git::{Files, Objects};
use super::issues::{Comment, Issue, Label};
use super::pulls::Pull;
use super::results::{Artifact, Cache};
use super::server::{Answer, Request, invalid, not_found, ok, refuse};
use super::state::{State, user};
use super::workflows::{Dispatch, Run, Workflow};

#[derive(Debug, Clone)]
pub struct Repository {
    pub id: u64,
    /// `owner/name`.
    pub name: String,
    pub is_private: bool,
    pub is_fork: bool,
    pub default_branch: String,
    pub objects: Objects,
    /// `refs/heads/main` → the name of a commit.
    pub refs: BTreeMap<String, String>,
    pub pulls: BTreeMap<u64, Pull>,
    /// Pull requests have an issue of the same number.
    pub issues: BTreeMap<u64, Issue>,
    pub comments: BTreeMap<u64, Comment>,
    pub labels: BTreeMap<String, Label>,
    pub check_runs: BTreeMap<u64, CheckRun>,
    pub statuses: Vec<Status>,
    /// Login → role: `admin`, `maintain`, `write`, `triage`, `read` or a name of one's own.
    pub collaborators: BTreeMap<String, String>,
    pub deployments: BTreeMap<u64, Deployment>,
    /// By file name: `mlops.yml`.
    pub workflows: BTreeMap<String, Workflow>,
    pub dispatches: Vec<Dispatch>,
    pub runs: BTreeMap<u64, Run>,
    pub artifacts: BTreeMap<u64, Artifact>,
    pub caches: Vec<Cache>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub id: u64,
    pub sha: String,
    pub state: String,
    pub context: String,
    pub description: Option<String>,
    pub target_url: Option<String>,
    pub by: String,
    pub at: String,
}

impl Repository {
    pub fn new(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            is_private: false,
            is_fork: false,
            default_branch: "main".to_owned(),
            objects: Objects::default(),
            refs: BTreeMap::new(),
            pulls: BTreeMap::new(),
            issues: BTreeMap::new(),
            comments: BTreeMap::new(),
            labels: BTreeMap::new(),
            check_runs: BTreeMap::new(),
            statuses: Vec::new(),
            collaborators: BTreeMap::new(),
            deployments: BTreeMap::new(),
            workflows: BTreeMap::new(),
            dispatches: Vec::new(),
            runs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            caches: Vec::new(),
        }
    }

    pub fn owner(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    pub fn tip(&self, branch: &str) -> Option<String> {
        self.refs.get(&format!("refs/heads/{branch}")).cloned()
    }

    /// The files of a commit.
    pub fn files_of(&self, commit: &str) -> Files {
        self.objects
            .commit(commit)
            .map(|commit| self.objects.files(&commit.tree))
            .unwrap_or_default()
    }

    pub fn next_number(&self) -> u64 {
        self.issues.keys().next_back().map_or(1, |last| last + 1)
    }

    /// The commit that a name means: a branch, a tag, a whole reference or (part of) a commit's own name.
    pub fn resolve(&self, name: &str) -> Option<String> {
        let name = if name.is_empty() || name == "HEAD" {
            &self.default_branch
        } else {
            name
        };
        let as_ref = ["", "refs/", "refs/heads/", "refs/tags/"]
            .iter()
            .find_map(|prefix| self.refs.get(&format!("{prefix}{name}")));
        as_ref
            .cloned()
            .or_else(|| self.objects.commit(name).map(|_| name.to_owned()))
    }

    pub fn show(&self, url: &str) -> Value {
        let api = format!("{url}/repos/{}", self.name);
        json!({
            "id": self.id,
            "node_id": format!("R_kgDO{}", self.id),
            "name": self.name.split('/').nth(1),
            "full_name": self.name,
            "private": self.is_private,
            "visibility": if self.is_private { "private" } else { "public" },
            "owner": user(self.owner()),
            "html_url": format!("https://github.com/{}", self.name),
            "url": api,
            "clone_url": format!("https://github.com/{}.git", self.name),
            "default_branch": self.default_branch,
            "fork": self.is_fork,
            "has_issues": true,
        })
    }
}

pub fn handle(state: &mut State, request: &Request, method: &str, tail: &str) -> Option<Answer> {
    Some(match (method, tail) {
        ("GET", "") => {
            let url = state.url.clone();
            state.of(request).map(|repository| ok(200, repository.show(&url)))
        }
        ("GET", "/collaborators/{username}/permission") => permission(state, request),
        ("POST", "/statuses/{sha}") => create_status(state, request),
        ("GET", "/commits/{ref}/status") => combined_status(state, request),
        // The token of a workflow is nobody's.
        ("GET", "/user") => match &request.caller {
            None => Err(refuse(401, "Requires authentication")),
            Some(token) if token.is_app => Err(refuse(403, "Resource not accessible by integration")),
            Some(token) => Ok(ok(200, user(&token.login))),
        },
        ("GET", "/rate_limit") => Ok(rate_limit(state)),
        _ => return None,
    })
}

fn permission(state: &mut State, request: &Request) -> Answer {
    let login = request.parameter("username");
    let repository = state.of(request)?;
    let role = if login == repository.owner() {
        Some("admin")
    } else {
        repository.collaborators.get(login).map(String::as_str)
    };
    let role = role
        .ok_or_else(|| refuse(404, &format!("{login} is not a user")))?
        .to_owned();
    let permission = match role.as_str() {
        "admin" => "admin",
        "maintain" | "write" => "write",
        "none" => "none",
        // A role of one's own is shown as the one it was made from, which the twin takes for the least.
        _ => "read",
    };
    let at_least = |names: &[&str]| names.contains(&role.as_str());
    let mut shown = user(login);
    shown["role_name"] = json!(role);
    shown["permissions"] = json!({
        "pull": permission != "none",
        "triage": at_least(&["triage", "write", "maintain", "admin"]),
        "push": at_least(&["write", "maintain", "admin"]),
        "maintain": at_least(&["maintain", "admin"]),
        "admin": role == "admin",
    });
    Ok(ok(
        200,
        json!({ "permission": permission, "role_name": role, "user": shown }),
    ))
}

fn show_status(status: &Status) -> Value {
    json!({
        "id": status.id,
        "node_id": format!("SC_{}", status.id),
        "state": status.state,
        "context": status.context,
        "description": status.description,
        "target_url": status.target_url,
        "avatar_url": null,
        "creator": user(&status.by),
        "created_at": status.at,
        "updated_at": status.at,
    })
}

fn create_status(state: &mut State, request: &Request) -> Answer {
    let (id, at, by) = (state.next_id(), state.now(), request.login());
    let repository = state.of(request)?;
    let sha = request.parameter("sha").to_owned();
    if repository.objects.commit(&sha).is_none() {
        return Err(refuse(422, &format!("No commit found for SHA: {sha}")));
    }
    let text = |name: &str| request.text(name).map(str::to_owned);
    if text("description").is_some_and(|text| text.chars().count() > 140) {
        return Err(invalid(
            "Status",
            "description",
            "custom",
            "description is too long (maximum is 140 characters)",
        ));
    }
    let status = Status {
        id,
        sha,
        state: text("state").unwrap_or_default(),
        context: text("context").unwrap_or_else(|| "default".to_owned()),
        description: text("description"),
        target_url: text("target_url"),
        by,
        at,
    };
    repository.statuses.push(status.clone());
    Ok(ok(201, show_status(&status)))
}

fn combined_status(state: &mut State, request: &Request) -> Answer {
    let url = state.url.clone();
    let repository = state.of(request)?;
    let sha = repository.resolve(request.parameter("ref")).ok_or_else(not_found)?;
    let mut latest: BTreeMap<&str, &Status> = BTreeMap::new();
    for status in repository.statuses.iter().filter(|status| status.sha == sha) {
        latest.insert(&status.context, status);
    }
    let has = |states: &[&str]| latest.values().any(|status| states.contains(&status.state.as_str()));
    let whole = if has(&["failure", "error"]) {
        "failure"
    } else if latest.is_empty() || has(&["pending"]) {
        "pending"
    } else {
        "success"
    };
    let statuses: Vec<Value> = latest.values().map(|status| show_status(status)).collect();
    Ok(ok(
        200,
        json!({
            "state": whole, "sha": sha, "total_count": statuses.len(), "statuses": statuses,
            "repository": repository.show(&url),
        }),
    ))
}

fn rate_limit(state: &State) -> super::server::Reply {
    let used = state.n_used.min(1000);
    let one = json!({ "limit": 1000, "used": used, "remaining": 1000 - used, "reset": 4_102_444_800_u64 });
    ok(
        200,
        json!({ "resources": { "core": one, "search": one, "graphql": one }, "rate": one }),
    )
}
