//! `POST /graphql`: checks a document and its variables, then answers from the state.

use std::cell::RefCell;

use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use serde_json::{Value, json};

use super::contract::{contract, missing_in};
use super::execute::{Answer, Args, Context, Node, Object, Out, Refusal, leaf, made, node, null, refuse, unplayed};
use super::pages::{Item, connection};
use super::people::Caller;
use super::server::{Reply, ok};
use super::state::{State, local_id};
use super::{artifacts, collections, files, links, projects, registries, runs};

/// The name of the first field and whether the operation writes, for the journal and for faults.
pub fn first_field(body: &Value) -> Option<(String, bool)> {
    let document = contract().document(body["query"].as_str()?).ok()?;
    let operation = document.operations.get(name(body)).ok()?;
    let field = operation.root_fields(&document).next()?;
    Some((field.name.to_string(), operation.is_mutation()))
}

fn name(body: &Value) -> Option<&str> {
    body["operationName"].as_str().filter(|name| !name.is_empty())
}

pub fn answer(state: &mut State, caller: &Caller, body: &Value) -> Reply {
    match checked(state, caller, body) {
        Ok(reply) => reply,
        Err((is_breach, messages)) => {
            if is_breach {
                let operation = name(body).unwrap_or("a document");
                state.breach(format!("{operation}: {}", messages.join("; ")));
            }
            let errors: Vec<Value> = messages.iter().map(|message| json!({ "message": message })).collect();
            ok(400, json!({ "errors": errors }))
        }
    }
}

/// The answer, or what is wrong with the question and whether no server would take it.
fn checked(state: &mut State, caller: &Caller, body: &Value) -> Result<Reply, (bool, Vec<String>)> {
    let one = |message: String| (true, vec![message]);
    let text = body["query"]
        .as_str()
        .ok_or_else(|| one("Must provide an operation.".to_owned()))?;
    let document = contract().document(text).map_err(|messages| (true, messages))?;
    let operation = document.operations.get(name(body));
    let operation = operation.map_err(|error| one(error.message().to_string()))?;
    let features = |feature: &str| {
        if feature == "*" {
            !state.is_old
        } else {
            state.is_enabled(feature)
        }
    };
    if let Some(message) = missing_in(&document, &operation.selection_set, &features) {
        return Err((false, vec![message]));
    }
    let raw = match &body["variables"] {
        Value::Null => json!({}),
        other => other.clone(),
    };
    let raw: JsonMap = serde_json::from_value(raw).map_err(|error| one(error.to_string()))?;
    let variables = coerce_variable_values(&contract().schema, operation, &raw);
    let variables = variables.map_err(|error| one(error.message().to_string()))?;
    let fields: Vec<&str> = operation
        .root_fields(&document)
        .map(|field| field.name.as_str())
        .collect();
    let is_open = fields
        .iter()
        .all(|field| ["viewer", "serverInfo", "__typename"].contains(field));
    if caller.username.is_none() && !is_open {
        return Ok(ok(401, json!({ "errors": [{ "message": "user is not logged in" }] })));
    }
    let first = operation
        .root_fields(&document)
        .next()
        .map(|field| field.response_key().to_string());
    let cx = Context {
        state: RefCell::new(state),
        caller: caller.clone(),
        refusal: RefCell::new(None),
    };
    let root = Object::new(
        &cx,
        if operation.is_mutation() {
            Node::Mutation
        } else {
            Node::Query
        },
    );
    let execution = Execution::new(&contract().schema, &document)
        .operation(operation)
        .coerced_variable_values(&variables);
    let response = execution
        .execute_sync(&root)
        .map_err(|error| one(error.message().to_string()))?;
    let refusal = cx.refusal.take();
    if let Some(refusal) = refusal {
        return Ok(refused(&refusal, &first.unwrap_or_default()));
    }
    if response.errors.is_empty() {
        let data = serde_json::to_value(&response.data).unwrap_or(Value::Null);
        return Ok(ok(200, json!({ "data": data })));
    }
    // The twin's own answer breaks the schema.
    let message = response.errors.iter().map(|error| error.message.clone());
    let message = message.collect::<Vec<String>>().join("; ");
    cx.state
        .borrow_mut()
        .breach(format!("the twin's answer to {}: {message}", fields.join(", ")));
    Ok(ok(500, json!({ "errors": [{ "message": message }] })))
}

fn refused(refusal: &Refusal, path: &str) -> Reply {
    let mut error = json!({ "message": refusal.message, "path": [path] });
    if let Some(code) = refusal.code {
        error["extensions"] = json!({ "code": code });
    }
    ok(refusal.status, json!({ "errors": [error], "data": { path: null } }))
}

pub fn query(state: &State, caller: &Caller, field: &str, args: &Args) -> Answer {
    Ok(match field {
        "viewer" => caller.username.clone().map_or_else(null, |name| node(Node::User(name))),
        "serverInfo" => server_info(state),
        "project" | "model" => {
            let entity = state.entity_or_default(caller, args, "entityName");
            let project = state.visible_project(caller, &entity, args.text("name").unwrap_or("uncategorized"));
            project.map_or_else(null, |id| node(Node::Project(id)))
        }
        "models" => {
            let entity = state.entity_or_default(caller, args, "entityName");
            registries::projects(state, caller, &entity, args)?
        }
        "entity" => {
            let name = state.entity_or_default(caller, args, "name");
            if state.entities.contains_key(&name) {
                node(Node::Entity(name))
            } else {
                null()
            }
        }
        "organization" => {
            let name = args.needed("name");
            let is_member = state.is_in_organization(caller.name(), &name);
            if is_member {
                node(Node::Organization(name))
            } else {
                null()
            }
        }
        "artifact" => {
            let id = local_id("Artifact", args.text("id").unwrap_or_default());
            let id = id.filter(|id| state.can_see_artifact(caller, *id));
            id.map_or_else(null, |id| node(Node::Artifact(id)))
        }
        "artifactCollection" => {
            let id = collections::local(state, args.text("id").unwrap_or_default());
            id.map_or_else(null, |id| node(Node::Collection(id)))
        }
        "clientIDMapping" => {
            let client_id = args.needed("clientID");
            let found = state.by_client_id(&client_id);
            let found = found.ok_or_else(|| refuse(404, "failed to map client id"))?;
            made(
                "ClientIDMapping",
                vec![("serverID", leaf(super::state::global_id("Artifact", found)))],
            )
        }
        "users" => {
            let wanted = args.needed("query");
            let users = state.users.values();
            let users = users.filter(|one| one.username.contains(&wanted) || one.email.contains(&wanted));
            let items = users.map(|one| Item::of(Node::User(one.username.clone())));
            connection("UserConnection", "UserEdge", args, items.collect())
        }
        _ => return unplayed("Query", field),
    })
}

fn server_info(state: &State) -> Out {
    let features = state.features.iter().map(|(name, is_on)| {
        made(
            "ServerFeature",
            vec![("name", leaf(name.clone())), ("isEnabled", leaf(*is_on))],
        )
    });
    let local = vec![
        ("outOfDate", leaf(false)),
        ("latestVersionString", leaf("0.78.2")),
        ("versionOnThisInstanceString", leaf("0.78.2")),
    ];
    made(
        "ServerInfo",
        vec![
            ("features", Out::List(features.collect())),
            (
                "cliVersionInfo",
                leaf(json!({ "max_cli_version": "0.31.0", "min_cli_version": "0.16.0" })),
            ),
            ("latestLocalVersionInfo", made("LocalVersionInfo", local)),
        ],
    )
}

pub fn mutation(state: &mut State, caller: &Caller, field: &str, args: &Args) -> Answer {
    let input = args.input("input");
    match field {
        "upsertBucket" => runs::upsert(state, caller, &input),
        "rewindRun" => runs::rewind(state, caller, &input),
        "deleteRun" => runs::delete(state, caller, &input),
        "stopRun" => runs::stop(state, caller, &input),
        "updateRunState" => runs::update_state(state, caller, &input),
        "createRunFiles" | "markRunFilesUploaded" => files::create_run_files(state, caller, &input, field),
        "notifyScriptableRunAlert" => runs::alert(state, caller, &input),
        "createCustomChart" => runs::custom_chart(state, caller, &input),
        "createArtifact" => artifacts::create(state, caller, &input),
        "createArtifactManifest" => files::create_manifest(state, caller, &input),
        "updateArtifactManifest" => files::update_manifest(state, caller, &input),
        "createArtifactFiles" => files::create_artifact_files(state, caller, &input),
        "completeMultipartUploadArtifact" => files::complete_multipart(state, caller, &input),
        "commitArtifact" => artifacts::commit(state, caller, &input),
        "updateArtifact" => artifacts::update(state, caller, &input),
        "deleteArtifact" => artifacts::delete(state, caller, &input),
        "useArtifact" => artifacts::use_by(state, caller, &input),
        "addAliases" => collections::change_aliases(state, caller, &input, true),
        "deleteAliases" => collections::change_aliases(state, caller, &input, false),
        "linkArtifact" => links::link(state, caller, &input),
        "unlinkArtifact" => links::unlink(state, caller, &input),
        "deleteArtifactSequence" | "deleteArtifactPortfolio" => collections::delete(state, caller, &input),
        "updateArtifactSequence" | "updateArtifactPortfolio" => collections::update(state, caller, &input),
        "moveArtifactSequence" => collections::change_type(state, caller, &input),
        "createArtifactCollectionTagAssignments" => collections::change_tags(state, caller, &input, true),
        "deleteArtifactCollectionTagAssignments" => collections::change_tags(state, caller, &input, false),
        "upsertModel" => projects::upsert(state, caller, &input),
        "renameProject" => projects::rename(state, caller, &input),
        "deleteModel" => projects::delete(state, caller, &input),
        "createProjectMembers" | "deleteProjectMembers" | "updateProjectMember" | "updateProjectTeamMember" => {
            projects::change_members(state, caller, &input, field)
        }
        _ => unplayed("Mutation", field),
    }
}
