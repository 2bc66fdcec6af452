//! What the people of a program's test do: put things into the twin and look at it, as JSON under `/_twin`.
//!
//! | call | what it does |
//! |---|---|
//! | `POST /_twin/scenario` | adds the scenario below; answers the names of commits, numbers, tokens |
//! | `GET /_twin/snapshot` | everything that people would see |
//! | `GET /_twin/calls`, `GET /_twin/violations` | the journal; the breaches of the contract |
//! | `DELETE /_twin/calls` | forgets the journal |
//! | `POST /_twin/faults` | adds a fault, see `faults::parse` |
//! | `DELETE /_twin/faults` | forgets those that were not used up |
//! | `POST /_twin/keep`, `POST /_twin/back` | remembers everything as it is; makes it so again |
//! | `POST /_twin/limit` | `{"status", "times", "reset"?, "retry_after"?}`: refuses calls as too many |
//! | `POST /_twin/commit` | `{"repository", "branch", "message"?, "files": {path: text or null}}` |
//! | `POST /_twin/comment` | `{"repository", "issue", "login", "body"}`: a person writes |
//! | `POST /_twin/merge` | `{"repository", "number"}`: a person merges |
//! | `POST /_twin/run` | `{"repository", "event", "head_branch", "head_sha"?, "head_repository"?, "scope"?}` → id, runtime token |
//! | `POST /_twin/settings` | `{"hides_accepted_permissions"?, "is_version_required"?, "truncates_trees"?}` |
//!
//! A scenario:
//! ```json
//! {"repositories": [{"name": "ada/churn", "private": false, "default_branch": "main", "fork_of": null,
//!     "collaborators": {"bob": "write"}, "workflows": {"promote.yml": ["model!", "version"]},
//!     "commits": [{"branch": "main", "message": "first", "files": {"mlops.yaml": "…", "gone.txt": null}}],
//!     "issues": [{"title": "t", "login": "bob", "body": "b"}],
//!     "pulls": [{"title": "t", "author": "bob", "head_repository": "ada/churn", "head": "feature", "base": "main"}]}],
//!  "tokens": [{"repository": "ada/churn", "login": null, "permissions": {"checks": "write"}}],
//!  "runs": [{"repository": "ada/churn", "event": "pull_request", "head_branch": "feature", "scope": "refs/pull/1/merge"}]}
//! ```
//! A token with a `login` is that person's, one without is a `GITHUB_TOKEN`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::faults;
use super::issues::Comment;
use super::pulls::PullSpec;
use super::repositories::Repository;
use super::server::{Limit, Reply, Request, ok};
use super::state::State;

type Answer = Result<Value, String>;

pub fn answer(state: &mut State, request: &Request) -> Reply {
    let body = &request.body;
    let answer = match (request.method.as_str(), request.path.trim_start_matches("/_twin/")) {
        ("POST", "scenario") => seed(state, body),
        ("GET", "snapshot") => Ok(snapshot(state)),
        ("GET", "calls") => Ok(calls(state)),
        ("GET", "violations") => Ok(json!(state.violations)),
        ("DELETE", "calls") => {
            state.calls.clear();
            Ok(json!({}))
        }
        ("POST", "faults") => faults::parse(body).map(|fault| {
            state.faults.push(fault);
            json!({})
        }),
        ("DELETE", "faults") => {
            state.faults.clear();
            Ok(json!({}))
        }
        ("POST", "keep") => {
            state.keep();
            Ok(json!({}))
        }
        ("POST", "back") if state.go_back() => Ok(json!({})),
        ("POST", "limit") => limit(state, body),
        ("POST", "commit") => text(body, "repository").and_then(|name| commit(state, &name, body)),
        ("POST", "comment") => comment(state, body),
        ("POST", "merge") => merge(state, body),
        ("POST", "run") => run(state, body),
        ("POST", "settings") => {
            let set = |name: &str, place: &mut bool| *place = body[name].as_bool().unwrap_or(*place);
            set("hides_accepted_permissions", &mut state.hides_accepted_permissions);
            set("is_version_required", &mut state.is_version_required);
            set("truncates_trees", &mut state.truncates_trees);
            Ok(json!({}))
        }
        (method, path) => Err(format!("{method} {path} is not known")),
    };
    answer.map_or_else(|message| ok(400, json!({ "message": message })), |body| ok(200, body))
}

fn text(value: &Value, name: &str) -> Result<String, String> {
    value[name]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("`{name}` is missing"))
}

fn number(value: &Value, name: &str) -> Result<u64, String> {
    value[name].as_u64().ok_or_else(|| format!("`{name}` is missing"))
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// Adds a scenario and says how everything in it is called.
pub fn seed(state: &mut State, scenario: &Value) -> Answer {
    let mut seeded = json!({ "repositories": {}, "tokens": [], "runs": [] });
    for one in array(scenario, "repositories") {
        let name = text(one, "name")?;
        if let Some(source) = one["fork_of"].as_str() {
            state.fork(source, &name);
        }
        let repository = state.repository(&name);
        repository.is_private = one["private"] == true;
        one["default_branch"]
            .as_str()
            .unwrap_or("main")
            .clone_into(&mut repository.default_branch);
        for (login, role) in one["collaborators"].as_object().into_iter().flatten() {
            repository
                .collaborators
                .insert(login.clone(), role.as_str().unwrap_or("read").to_owned());
        }
        for (file, inputs) in one["workflows"].as_object().into_iter().flatten() {
            let inputs: Vec<&str> = inputs
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            state.workflow(&name, file, &inputs);
        }
        for one in array(one, "commits") {
            commit(state, &name, one)?;
        }
    }
    // Pull requests may come from repositories that are named later.
    for one in array(scenario, "repositories") {
        let name = text(one, "name")?;
        for issue in array(one, "issues") {
            state.issue(
                &name,
                &text(issue, "login")?,
                &text(issue, "title")?,
                issue["body"].as_str().unwrap_or_default(),
            );
        }
        let mut numbers = Vec::new();
        for pull in array(one, "pulls") {
            numbers.push(open(state, &name, pull)?);
        }
        let repository = state.repository(&name);
        seeded["repositories"][&name] = json!({ "id": repository.id, "refs": repository.refs, "pulls": numbers });
    }
    for one in array(scenario, "tokens") {
        let name = text(one, "repository")?;
        let permissions = one["permissions"].as_object().into_iter().flatten();
        let permissions: Vec<(&str, &str)> = permissions
            .map(|(name, level)| (name.as_str(), level.as_str().unwrap_or("read")))
            .collect();
        let token = match one["login"].as_str() {
            Some(login) => state.user_token(login, &name, &permissions),
            None => state.actions_token(&name, &permissions),
        };
        push(&mut seeded["tokens"], json!(token));
    }
    for one in array(scenario, "runs") {
        let made = run(state, one)?;
        push(&mut seeded["runs"], made);
    }
    Ok(seeded)
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().expect("it was made as a list").push(value);
}

fn open(state: &mut State, name: &str, pull: &Value) -> Result<u64, String> {
    let (title, author) = (text(pull, "title")?, text(pull, "author")?);
    let (head, base) = (text(pull, "head")?, text(pull, "base")?);
    let head_repository = pull["head_repository"].as_str().unwrap_or(name);
    for (repository, branch) in [(head_repository, &head), (name, &base)] {
        if state.repository(repository).tip(branch).is_none() {
            return Err(format!("`{branch}` is no branch of {repository}"));
        }
    }
    let spec = PullSpec {
        title: &title,
        author: &author,
        head_repository,
        head: &head,
        base: &base,
    };
    let number = state.pull(name, &spec);
    if let Some(one) = state.repository(name).pulls.get_mut(&number) {
        one.is_draft = pull["draft"] == true;
    }
    Ok(number)
}

/// Files are texts, `{"base64": …}`, or null to be gone.
fn commit(state: &mut State, name: &str, body: &Value) -> Answer {
    let mut files = Vec::new();
    for (path, file) in body["files"].as_object().into_iter().flatten() {
        let bytes = match (file.as_str(), file["base64"].as_str()) {
            (Some(text), _) => Some(text.as_bytes().to_vec()),
            (None, Some(text)) => Some(STANDARD.decode(text).map_err(|error| format!("{path}: {error}"))?),
            (None, None) => None,
        };
        files.push((path.clone(), bytes));
    }
    let branch = text(body, "branch")?;
    let sha = state.commit_files(name, &branch, &files, body["message"].as_str().unwrap_or("change"));
    Ok(json!({ "sha": sha }))
}

fn comment(state: &mut State, body: &Value) -> Answer {
    let (name, issue) = (text(body, "repository")?, number(body, "issue")?);
    let id = state.comment(&name, issue, &text(body, "login")?, &text(body, "body")?);
    Ok(json!({ "id": id }))
}

fn merge(state: &mut State, body: &Value) -> Answer {
    let (name, number) = (text(body, "repository")?, number(body, "number")?);
    let pull = state.repositories.get(&name).and_then(|one| one.pulls.get(&number));
    if pull.is_none_or(|pull| !pull.is_open || pull.merge_commit_sha.is_none()) {
        return Err(format!("{name} has no pull request {number} that can be merged"));
    }
    Ok(json!({ "sha": state.merge(&name, number) }))
}

fn run(state: &mut State, body: &Value) -> Answer {
    let (name, branch) = (text(body, "repository")?, text(body, "head_branch")?);
    let head_repository = body["head_repository"].as_str().unwrap_or(&name).to_owned();
    let sha = body["head_sha"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| state.repository(&head_repository).tip(&branch));
    let sha = sha.ok_or_else(|| format!("`{branch}` is no branch of {head_repository}"))?;
    let id = state.run(&name, &text(body, "event")?, &sha, &branch);
    if let Some(run) = state.repository(&name).runs.get_mut(&id) {
        run.head_repository = head_repository;
    }
    let scope = body["scope"]
        .as_str()
        .map_or_else(|| format!("refs/heads/{branch}"), str::to_owned);
    let token = state.runtime_token(&name, id, &scope);
    Ok(json!({ "id": id, "head_sha": sha, "runtime_token": token }))
}

fn limit(state: &mut State, body: &Value) -> Answer {
    let status = u16::try_from(body["status"].as_u64().unwrap_or(403)).map_err(|error| error.to_string())?;
    let times = body["times"]
        .as_u64()
        .map_or(1, |times| usize::try_from(times).unwrap_or(usize::MAX));
    state.limit = Some(Limit {
        status,
        times,
        reset: body["reset"].as_u64(),
        retry_after: body["retry_after"].as_u64(),
    });
    Ok(json!({}))
}

fn calls(state: &State) -> Value {
    let calls = state.calls.iter().map(|call| {
        json!({
            "method": call.method, "path": call.path, "query": call.query, "status": call.status, "login": call.login,
            "operation": call.operation, "is_write": call.is_write,
        })
    });
    Value::Array(calls.collect())
}

fn show_comment(comment: &Comment) -> Value {
    let versions = comment
        .versions
        .iter()
        .map(|one| json!({ "body": one.body, "by": one.by, "at": one.at }));
    json!({
        "id": comment.id, "issue": comment.issue, "author": comment.author, "body": comment.body(),
        "versions": versions.collect::<Vec<Value>>(), "minimized": comment.minimized, "deleted_by": comment.deleted_by,
        "reactions": comment.reactions.iter().map(|(_, login, content)| json!([login, content])).collect::<Vec<Value>>(),
    })
}

fn show(state: &State, repository: &Repository) -> Value {
    let checks = repository.check_runs.values().map(|run| {
        json!({
            "id": run.id, "name": run.name, "head_sha": run.head_sha, "external_id": run.external_id, "status": run.status,
            "conclusion": run.conclusion, "title": run.title, "summary": run.summary, "text": run.text,
            "annotations": run.annotations, "history": run.history,
        })
    });
    let issues = repository.issues.values().map(|one| {
        json!({
            "number": one.number, "title": one.title, "body": one.body, "author": one.author, "is_open": one.is_open,
            "state_reason": one.state_reason, "labels": one.labels, "n_edits": one.n_edits,
            "is_pull": repository.pulls.contains_key(&one.number),
        })
    });
    let pulls = repository.pulls.values().map(|one| {
        json!({
            "number": one.number, "head": one.head_sha, "base": one.base_sha, "merged_at": one.merged_at,
            "merge_commit_sha": one.merge_commit_sha, "head_repository": one.head_repository,
        })
    });
    let deployments = repository.deployments.values().map(|one| {
        let statuses = one.statuses.iter().map(
            |status| json!({ "state": status.state, "description": status.description, "log_url": status.log_url }),
        );
        json!({
            "id": one.id, "sha": one.sha, "ref": one.git_ref, "task": one.task, "environment": one.environment,
            "payload": one.payload, "statuses": statuses.collect::<Vec<Value>>(),
        })
    });
    let dispatches = repository.dispatches.iter().map(|one| {
        json!({
            "workflow": one.workflow, "ref": one.git_ref, "event_type": one.event_type, "inputs": one.inputs, "by": one.by,
            "run": one.run,
        })
    });
    let artifacts = repository.artifacts.values().filter(|one| one.is_final).map(|one| {
        json!({ "id": one.id, "run": one.run, "name": one.name, "mime_type": one.mime_type, "size": one.size, "digest": one.digest })
    });
    let statuses = repository.statuses.iter().map(
        |one| json!({ "sha": one.sha, "context": one.context, "state": one.state, "description": one.description }),
    );
    let mut branches = Map::new();
    for name in repository
        .refs
        .keys()
        .filter_map(|name| name.strip_prefix("refs/heads/"))
    {
        let files = state.files(&repository.name, name);
        let files: Map<String, Value> = files
            .into_iter()
            .map(|(path, bytes)| {
                let text = String::from_utf8(bytes);
                (
                    path,
                    text.map_or_else(
                        |error| json!({ "base64": STANDARD.encode(error.as_bytes()) }),
                        Value::String,
                    ),
                )
            })
            .collect();
        let history = state.history(&repository.name, name);
        let messages = history.iter().filter_map(|sha| {
            repository
                .objects
                .commit(sha)
                .map(|commit| json!({ "sha": sha, "message": commit.message, "author": commit.author.name }))
        });
        branches.insert(
            name.to_owned(),
            json!({ "commits": messages.collect::<Vec<Value>>(), "files": files }),
        );
    }
    json!({
        "comments": repository.comments.values().map(show_comment).collect::<Vec<Value>>(),
        "check_runs": checks.collect::<Vec<Value>>(),
        "statuses": statuses.collect::<Vec<Value>>(),
        "issues": issues.collect::<Vec<Value>>(),
        "labels": repository.labels.keys().collect::<Vec<_>>(),
        "pulls": pulls.collect::<Vec<Value>>(),
        "deployments": deployments.collect::<Vec<Value>>(),
        "dispatches": dispatches.collect::<Vec<Value>>(),
        "artifacts": artifacts.collect::<Vec<Value>>(),
        "branches": branches,
    })
}

/// Everything that people would see, by repository.
pub fn snapshot(state: &State) -> Value {
    state
        .repositories
        .iter()
        .map(|(name, one)| (name.clone(), show(state, one)))
        .collect::<Map<String, Value>>()
        .into()
}
