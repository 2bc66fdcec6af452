//! Runs: begun and continued by `upsertBucket`, filled by the file stream, read by everybody.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::execute::{Answer, Args, Node, Out, Refusal, denied, leaf, made, node, null, refuse, texts, unplayed};
use super::lines;
use super::pages::{Item, connection};
use super::people::{Caller, EntityKind, Role};
use super::state::{State, global_id, local_id};
use super::{files, stream};

#[derive(Debug, Clone, Default)]
pub struct Run {
    pub id: u64,
    /// What people call its id.
    pub name: String,
    pub project: u64,
    pub username: String,
    pub display_name: String,
    pub notes: Option<String>,
    /// `running`, `finished`, `failed`, …
    pub state: String,
    pub is_stopped: bool,
    pub group: Option<String>,
    pub job_type: Option<String>,
    pub commit: Option<String>,
    pub repository: Option<String>,
    pub program: Option<String>,
    pub host: Option<String>,
    pub tags: Vec<String>,
    /// As the server writes it again.
    pub config: String,
    pub summary: String,
    pub created_at: String,
    /// When each call of the file stream came, in milliseconds since 1970.
    pub heartbeats_ms: Vec<i64>,
    pub exit_code: Option<i64>,
    /// Lines to the letter, bare `NaN` included.
    pub history: Vec<String>,
    pub events: Vec<String>,
    pub output: Vec<String>,
    /// Files that the stream said to be there.
    pub uploaded: Vec<String>,
    /// Files that a place was asked for.
    pub files: BTreeMap<String, String>,
    /// Artifacts that it used, and as what.
    pub inputs: Vec<(u64, Option<String>)>,
    pub outputs: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub run: u64,
    pub title: String,
    pub text: String,
    pub severity: String,
    pub wait_ms: i64,
}

impl State {
    pub fn run_named(&self, project: u64, name: &str) -> Option<u64> {
        let mut runs = self.runs.values();
        runs.find(|run| run.project == project && run.name == name)
            .map(|run| run.id)
    }

    /// A run by its path.
    pub fn run(&self, entity: &str, project: &str, name: &str) -> Option<&Run> {
        let project = self.project_named(entity, project)?;
        self.run_named(project, name).and_then(|id| self.runs.get(&id))
    }

    /// The run of a mutation, when the caller may change it.
    pub fn writable_run(&self, caller: &Caller, args: &Args, what: &str) -> Result<u64, Refusal> {
        let entity = self.entity_or_default(caller, args, "entityName");
        let (project, name) = (args.needed("projectName"), args.needed("runName"));
        let project = self.writable_project(caller, &entity, &project, what)?;
        let run = self.run_named(project, &name);
        run.ok_or_else(|| refuse(404, format!("run {name} not found during {what}")))
    }

    /// The run that a global id names, when the caller may change it.
    fn run_by_id(&self, caller: &Caller, args: &Args) -> Result<u64, Refusal> {
        let id = local_id("Run", &args.needed("id")).filter(|id| self.runs.contains_key(id));
        let id = id.ok_or_else(|| refuse(404, "run not found"))?;
        let role = self
            .projects
            .get(&self.runs[&id].project)
            .and_then(|one| self.role_in(caller.name(), one));
        role.filter(|role| *role >= Role::Member).map(|_| id).ok_or_else(denied)
    }

    /// The entity that a call names; when it names none, the default one of the caller.
    pub fn entity_or_default(&self, caller: &Caller, args: &Args, argument: &str) -> String {
        let named = args.owned(argument).filter(|name| !name.is_empty());
        let user = self.users.get(caller.name());
        let default = || user.map(|user| user.default_entity.clone().unwrap_or_else(|| user.username.clone()));
        named.or_else(default).unwrap_or_default()
    }
}

pub fn is_run_name(name: &str) -> bool {
    !name.is_empty()
        && name.trim() == name
        && name.chars().count() <= 128
        && !name.contains([':', ';', ',', '#', '?', '/', '\''])
}

pub fn is_project_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=128).contains(&length) && !name.contains(['/', '\\', '#', '?', '%', ':'])
}

/// JSON as the server writes it again, or nothing when it is none.
pub fn rewritten(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    Some(lines::sorted(value).to_string())
}

pub fn upsert(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let by_id = if input.text("id").is_some() {
        Some(state.run_by_id(caller, input)?)
    } else {
        None
    };
    let project = match by_id {
        Some(id) => state.runs[&id].project,
        None => project_of(state, caller, input)?,
    };
    let name = input
        .owned("name")
        .unwrap_or_else(|| format!("twin{:04}", state.next_id()));
    if by_id.is_none() && !is_run_name(&name) {
        return Err(refuse(400, format!("invalid run name `{name}`")));
    }
    for field in ["config", "summaryMetrics"] {
        if let Some(text) = input.text(field)
            && !rewritten(text).is_some_and(|text| text.starts_with('{'))
        {
            return Err(refuse(400, format!("invalid JSON in `{field}`")));
        }
    }
    let known = by_id.or_else(|| state.run_named(project, &name));
    let id = known.unwrap_or_else(|| {
        let id = state.next_id();
        let user = caller.on_behalf_of.clone().unwrap_or_else(|| caller.name().to_owned());
        let run = Run {
            id,
            project,
            username: user,
            display_name: name.clone(),
            name,
            state: "running".to_owned(),
            config: "{}".to_owned(),
            summary: "{}".to_owned(),
            created_at: state.now(),
            ..Run::default()
        };
        state.runs.insert(id, run);
        id
    });
    let run = state.runs.get_mut(&id).expect("it was inserted or found");
    let set = |name: &str, place: &mut Option<String>| {
        if let Some(text) = input.owned(name) {
            *place = Some(text);
        }
    };
    set("groupName", &mut run.group);
    set("notes", &mut run.notes);
    set("jobType", &mut run.job_type);
    set("commit", &mut run.commit);
    set("jobRepo", &mut run.repository);
    set("jobProgram", &mut run.program);
    set("host", &mut run.host);
    if let Some(text) = input.owned("displayName") {
        run.display_name = text;
    }
    if let Some(text) = input.owned("state") {
        run.state = text;
    }
    if let Some(tags) = input.texts("tags") {
        run.tags = tags;
    }
    if let Some(text) = input.text("config").and_then(rewritten) {
        run.config = text;
    }
    if let Some(text) = input.text("summaryMetrics").and_then(rewritten) {
        run.summary = text;
    }
    Ok(made(
        "UpsertBucketPayload",
        vec![
            ("inserted", leaf(known.is_none())),
            ("bucket", node(Node::Run(id))),
            (
                "serverSettings",
                made("ServerSettings", vec![("serverMessages", Out::List(Vec::new()))]),
            ),
        ],
    ))
}

/// The project of a run, made when the caller may.
fn project_of(state: &mut State, caller: &Caller, input: &Args) -> Result<u64, Refusal> {
    let entity = state.entity_or_default(caller, input, "entityName");
    let name = input.owned("modelName").unwrap_or_else(|| "uncategorized".to_owned());
    if !is_project_name(&name) {
        return Err(refuse(400, format!("invalid project name `{name}`")));
    }
    let kind = state.entities.get(&entity).map(|entity| entity.kind);
    let kind = kind.ok_or_else(|| refuse(404, format!("entity {entity} not found during upsertBucket")))?;
    let role = state.role_in_entity(caller.name(), &entity);
    if kind == EntityKind::Organization || role.is_none_or(|role| role < Role::Member) {
        return Err(denied());
    }
    Ok(state.project(&entity, &name).id)
}

pub fn rewind(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.writable_run(caller, input, "rewindRun")?;
    let last = input.0.get("metricValue").and_then(Value::as_f64).unwrap_or(0.0);
    let run = state.runs.get_mut(&id).expect("it was found");
    run.history.retain(|line| {
        let row = lines::parse(line).unwrap_or_default();
        let step = row.get("_step").and_then(Value::as_f64).unwrap_or(0.0);
        step <= last
    });
    Ok(made("RewindRunPayload", vec![("rewoundRun", node(Node::Run(id)))]))
}

pub fn delete(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.run_by_id(caller, input)?;
    state.runs.remove(&id);
    Ok(made("DeleteRunPayload", vec![("clientMutationId", null())]))
}

pub fn stop(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.run_by_id(caller, input)?;
    state.runs.get_mut(&id).expect("it was found").is_stopped = true;
    Ok(made("StopRunPayload", vec![("success", leaf(true))]))
}

pub fn update_state(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.run_by_id(caller, input)?;
    state.runs.get_mut(&id).expect("it was found").state = input.needed("state");
    Ok(made("UpdateRunStatePayload", vec![("success", leaf(true))]))
}

pub fn alert(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let run = state.writable_run(caller, input, "notifyScriptableRunAlert")?;
    state.alerts.push(Alert {
        run,
        title: input.needed("title"),
        text: input.needed("text"),
        severity: input.owned("severity").unwrap_or_else(|| "INFO".to_owned()),
        wait_ms: input.integer("waitDuration").unwrap_or(0),
    });
    Ok(made("NotifyScriptableRunAlertPayload", vec![("success", leaf(true))]))
}

pub fn custom_chart(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let entity = input.needed("entity");
    if state
        .role_in_entity(caller.name(), &entity)
        .is_none_or(|role| role < Role::Member)
    {
        return Err(denied());
    }
    let name = format!("{entity}/{}", input.needed("name"));
    state.charts.insert(name.clone(), json!(input.0));
    let chart = made("CustomChart", vec![("id", leaf(name))]);
    Ok(made("CreateCustomChartPayload", vec![("chart", chart)]))
}

pub fn field(state: &State, id: u64, field: &str, args: &Args) -> Answer {
    let Some(run) = state.runs.get(&id) else {
        return Ok(null());
    };
    Ok(match field {
        "id" => leaf(global_id("Run", id)),
        "name" => leaf(run.name.clone()),
        "projectId" => leaf(run.project),
        "displayName" => leaf(run.display_name.clone()),
        "description" | "sweepName" => null(),
        "notes" => leaf(run.notes.clone()),
        "state" => leaf(run.state.clone()),
        "stopped" => leaf(run.is_stopped),
        "group" => leaf(run.group.clone()),
        "jobType" => leaf(run.job_type.clone()),
        "commit" => leaf(run.commit.clone()),
        "host" => leaf(run.host.clone()),
        "tags" => texts(&run.tags),
        "readOnly" => leaf(false),
        "createdAt" => leaf(run.created_at.clone()),
        "heartbeatAt" => leaf(run.heartbeats_ms.last().map(|at| stream::moment(*at))),
        "user" => node(Node::User(run.username.clone())),
        "project" => node(Node::Project(run.project)),
        "config" => leaf(run.config.clone()),
        "wandbConfig" => {
            let config: Value = serde_json::from_str(&run.config).unwrap_or_default();
            let own = config["_wandb"]["value"].as_object().cloned().unwrap_or_default();
            let keys = args.texts("keys");
            let wanted = own
                .into_iter()
                .filter(|(key, _)| keys.as_ref().is_none_or(|keys| keys.contains(key)));
            leaf(Value::Object(wanted.collect()).to_string())
        }
        "summaryMetrics" => leaf(lines::quoted(&run.summary)),
        "fileCount" | "files" => files::run_files(state, run, field, args),
        "inputArtifacts" => {
            let inputs = run.inputs.iter().map(|(artifact, used_as)| {
                let used_as: Vec<String> = used_as.iter().cloned().collect();
                Item::of(Node::Artifact(*artifact)).with("usedAs", texts(&used_as))
            });
            connection("InputArtifactConnection", "InputArtifactEdge", args, inputs.collect())
        }
        "outputArtifacts" => {
            let outputs = run.outputs.iter().map(|artifact| Item::of(Node::Artifact(*artifact)));
            connection("ArtifactConnection", "ArtifactEdge", args, outputs.collect())
        }
        _ => return stream::field(run, field, args).map_or_else(|| unplayed("Run", field), Ok),
    })
}
