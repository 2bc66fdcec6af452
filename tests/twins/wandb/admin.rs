//! What the people of a program's test do: put things into the twin and look at it, as JSON under `/_twin`.
//!
//! | call | what it does |
//! |---|---|
//! | `POST /_twin/scenario` | adds the scenario below |
//! | `GET /_twin/snapshot` | everything that people would see |
//! | `GET /_twin/calls`, `GET /_twin/violations` | the journal; the breaches of the contract |
//! | `DELETE /_twin/calls`, `DELETE /_twin/violations` | forgets them |
//! | `POST /_twin/faults` | adds a fault, see `faults::parse` |
//! | `DELETE /_twin/faults` | forgets those that were not used up |
//! | `POST /_twin/keep`, `POST /_twin/back` | remembers everything as it is; makes it so again |
//! | `POST /_twin/stop` | `{"entity", "project", "run"}`: a person presses the stop button |
//! | `POST /_twin/settings` | `{"features"?: {name: true}, "is_old"?, "ahead_seconds"?, "signed_seconds"?, "access_seconds"?, "is_alias_moved_by_duplicate"?, "rate"?: [remaining, reset]}` |
//!
//! A scenario:
//! ```json
//! {"organizations": [{"name": "Acme", "entity": "acme_k7x2q", "members": {"ada": "admin"}}],
//!  "teams": [{"name": "ml-team", "organization": "Acme", "members": {"ada": "member"}}],
//!  "users": [{"name": "bob", "key": "…", "default_entity": "ml-team"}],
//!  "service_accounts": [{"name": "ci", "team": "ml-team", "key": "…"}],
//!  "identity_tokens": {"eyJ….…": "ci"},
//!  "registries": [{"organization": "Acme", "name": "model", "members": {"bob": "viewer"}, "default_role": "member",
//!                  "protected": ["production"], "types": ["model"]}, {"organization": "Acme", "name": "dataset", "gone": true}],
//!  "versions": [{"entity": "ml-team", "project": "churn", "collection": "churn", "type": "model", "run": "first",
//!                "files": {"model.json": "{}"}, "metadata": {"rmse": 0.5}, "aliases": ["best"],
//!                "links": [{"organization": "Acme", "registry": "model", "collection": "churn", "aliases": ["production"]}]}]}
//! ```
//! A `null` for `default_role` hides the registry from everybody who is not named.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::artifacts::Artifact;
use super::collections::{self, Collection};
use super::faults;
use super::people::Role;
use super::projects::PREFIX;
use super::runs::Run;
use super::seeds::Version;
use super::server::{Reply, Request, ok};
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
        ("DELETE", "violations") => {
            state.violations.clear();
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
        ("POST", "stop") => stop(state, body),
        ("POST", "settings") => {
            settings(state, body);
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

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[name].as_array().into_iter().flatten()
}

fn words<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = String> + use<'a> {
    array(value, name).filter_map(Value::as_str).map(str::to_owned)
}

fn roles(value: &Value) -> Result<BTreeMap<String, Role>, String> {
    let members = value["members"].as_object().into_iter().flatten();
    let role = |text: &Value| {
        let role = Role::parse(text.as_str().unwrap_or_default());
        role.ok_or_else(|| format!("{text} is no role"))
    };
    members.map(|(name, text)| Ok((name.clone(), role(text)?))).collect()
}

/// Adds a scenario.
pub fn seed(state: &mut State, scenario: &Value) -> Answer {
    for one in array(scenario, "organizations") {
        let members = roles(one)?;
        state
            .organization(&text(one, "name")?, &text(one, "entity")?)
            .members
            .extend(members);
    }
    for one in array(scenario, "teams") {
        let members = roles(one)?;
        state
            .team(&text(one, "name")?, one["organization"].as_str())
            .members
            .extend(members);
    }
    for one in array(scenario, "users") {
        let user = state.user(&text(one, "name")?, &text(one, "key")?);
        if let Some(entity) = one["default_entity"].as_str() {
            user.default_entity = Some(entity.to_owned());
        }
    }
    for one in array(scenario, "service_accounts") {
        state.service_account(&text(one, "name")?, &text(one, "team")?, &text(one, "key")?);
    }
    for (token, name) in scenario["identity_tokens"].as_object().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default().to_owned();
        state.identity_tokens.insert(token.clone(), name);
    }
    for one in array(scenario, "registries") {
        let organization = text(one, "organization")?;
        if !state.organizations.contains_key(&organization) {
            return Err(format!("{organization} is no organization"));
        }
        if one["gone"] == true {
            let entity = state.organizations[&organization].entity.clone();
            let name = format!("{PREFIX}{}", text(one, "name")?);
            state
                .projects
                .retain(|_, project| project.entity != entity || project.name != name);
            continue;
        }
        let members = roles(one)?;
        let registry = state.registry(&organization, &text(one, "name")?);
        registry.members.extend(members);
        if let Some(role) = one.get("default_role") {
            registry.default_role = role.as_str().and_then(Role::parse);
        }
        registry.protected.extend(words(one, "protected"));
        if one.get("types").is_some() {
            registry.types = Some(words(one, "types").collect());
        }
    }
    for one in array(scenario, "versions") {
        version(state, one)?;
    }
    Ok(json!({}))
}

fn version(state: &mut State, one: &Value) -> Result<(), String> {
    let files = one["files"].as_object().into_iter().flatten();
    let bytes = |text: &Value| text.as_str().unwrap_or_default().as_bytes().to_vec();
    let id = state.seed_version(&Version {
        entity: &text(one, "entity")?,
        project: &text(one, "project")?,
        collection: &text(one, "collection")?,
        type_name: &text(one, "type")?,
        run: &text(one, "run")?,
        files: files.map(|(name, text)| (name.clone(), bytes(text))).collect(),
        metadata: one["metadata"].clone(),
        aliases: words(one, "aliases").collect(),
    });
    for link in array(one, "links") {
        let (organization, registry) = (text(link, "organization")?, text(link, "registry")?);
        let aliases: Vec<String> = words(link, "aliases").collect();
        state.seed_link(id, &organization, &registry, &text(link, "collection")?, &aliases);
    }
    Ok(())
}

fn stop(state: &mut State, body: &Value) -> Answer {
    let (entity, project, run) = (text(body, "entity")?, text(body, "project")?, text(body, "run")?);
    let id = state.run(&entity, &project, &run).map(|run| run.id);
    let run = id
        .and_then(|id| state.runs.get_mut(&id))
        .ok_or("there is no such run")?;
    run.is_stopped = true;
    Ok(json!({}))
}

fn settings(state: &mut State, body: &Value) {
    for (name, is_on) in body["features"].as_object().into_iter().flatten() {
        state.features.insert(name.clone(), is_on == true);
    }
    let truth = |name: &str, place: &mut bool| *place = body[name].as_bool().unwrap_or(*place);
    truth("is_old", &mut state.is_old);
    truth("is_alias_moved_by_duplicate", &mut state.is_alias_moved_by_duplicate);
    let number = |name: &str, place: &mut i64| *place = body[name].as_i64().unwrap_or(*place);
    if let (Some(remaining), Some(reset)) = (body["rate"][0].as_u64(), body["rate"][1].as_u64()) {
        state.rate = Some((remaining, reset));
    }
    number("ahead_seconds", &mut state.ahead_seconds);
    number("signed_seconds", &mut state.signed_seconds);
    number("access_seconds", &mut state.access_seconds);
}

fn calls(state: &State) -> Value {
    let calls = state.calls.iter().map(|call| {
        json!({
            "method": call.method, "path": call.path, "operation": call.operation, "variables": call.variables,
            "status": call.status, "user": call.user, "scheme": call.scheme, "is_write": call.is_write, "at_ms": call.at_ms,
        })
    });
    Value::Array(calls.collect())
}

/// JSON in a text, as JSON.
fn read(text: &str) -> Value {
    serde_json::from_str(&super::lines::quoted(text)).unwrap_or_default()
}

fn show_run(state: &State, run: &Run) -> Value {
    let inputs = run
        .inputs
        .iter()
        .map(|(id, used_as)| json!([full_name(state, *id), used_as]));
    json!({
        "name": run.name, "display_name": run.display_name, "user": run.username, "notes": run.notes, "state": run.state,
        "exit_code": run.exit_code, "group": run.group, "job_type": run.job_type, "commit": run.commit,
        "repository": run.repository, "program": run.program, "host": run.host, "tags": run.tags,
        "config": read(&run.config), "summary": read(&run.summary), "history": run.history, "events": run.events,
        "output": run.output, "uploaded": run.uploaded, "heartbeats_ms": run.heartbeats_ms,
        "files": run.files.keys().collect::<Vec<&String>>(),
        "inputs": inputs.collect::<Vec<Value>>(),
        "outputs": run.outputs.iter().map(|id| full_name(state, *id)).collect::<Vec<String>>(),
    })
}

/// `collection:vN` in its sequence.
fn full_name(state: &State, artifact: u64) -> String {
    let Some(one) = state.artifacts.get(&artifact) else {
        return "deleted".to_owned();
    };
    let name = &state.collections[&one.sequence].name;
    let version = collections::versions(state, one.sequence).find(|version| version.artifact == artifact);
    version.map_or_else(|| format!("{name}:?"), |version| format!("{name}:v{}", version.index))
}

fn show_artifact(artifact: &Artifact) -> Value {
    let files = artifact.entries.iter().map(|(name, entry)| {
        let shown = json!({ "digest": entry.digest, "size": entry.size, "ref": entry.reference });
        (name.clone(), shown)
    });
    json!({
        "digest": artifact.digest, "description": artifact.description, "size": artifact.size, "tags": artifact.tags,
        "metadata": artifact.metadata.as_deref().map(read), "files": files.collect::<Map<String, Value>>(),
        "client_id": artifact.client_id,
    })
}

fn show_collection(state: &State, collection: &Collection) -> Value {
    let versions = collections::versions(state, collection.id).map(|version| {
        let mut shown = show_artifact(&state.artifacts[&version.artifact]);
        shown["version"] = json!(format!("v{}", version.index));
        shown["aliases"] = json!(state.aliases_of(version.id));
        shown["source"] = json!(full_name(state, version.artifact));
        shown
    });
    json!({
        "kind": if collection.is_portfolio { "portfolio" } else { "sequence" }, "type": collection.type_name,
        "description": collection.description, "tags": collection.tags, "versions": versions.collect::<Vec<Value>>(),
    })
}

/// Everything that people would see: runs and collections by project, alerts.
pub fn snapshot(state: &State) -> Value {
    let mut projects = Map::new();
    for project in state.projects.values() {
        let runs = state.runs.values().filter(|run| run.project == project.id);
        let runs: Map<String, Value> = runs.map(|run| (run.name.clone(), show_run(state, run))).collect();
        let all = collections::of_project(state, project.id);
        let all: Map<String, Value> = all.map(|one| (one.name.clone(), show_collection(state, one))).collect();
        let name = format!("{}/{}", project.entity, project.name);
        projects.insert(name, json!({ "runs": runs, "collections": all }));
    }
    let alerts = state.alerts.iter().map(|alert| {
        json!({
            "run": state.runs.get(&alert.run).map(|run| &run.name), "title": alert.title, "text": alert.text,
            "severity": alert.severity, "wait_ms": alert.wait_ms,
        })
    });
    json!({ "projects": projects, "alerts": alerts.collect::<Vec<Value>>() })
}
