//! Searching: projects of an entity, collections and versions in its registries, runs of a project.

use serde_json::{Value, json};

use super::collections;
use super::execute::{Answer, Args, Node, Refusal, leaf};
use super::filters::{filter, matches, sort};
use super::lines;
use super::pages::{Item, connection};
use super::people::{Caller, EntityKind};
use super::projects::{PREFIX, Project};
use super::state::{State, global_id};

fn project_value(project: &Project, name: &str) -> Value {
    match name {
        "id" | "project_id" => json!(project.id),
        "name" => json!(project.name),
        "description" => json!(project.description),
        "created_at" => json!(project.created_at),
        "updated_at" => json!(project.updated_at),
        _ => Value::Null,
    }
}

/// The projects of an entity that the caller may read; of an organization only its registries.
fn visible<'a>(state: &'a State, caller: &Caller, entity: &str) -> Vec<&'a Project> {
    let is_organization = state
        .entities
        .get(entity)
        .is_some_and(|one| one.kind == EntityKind::Organization);
    let projects = state.projects.values().filter(|one| one.entity == entity);
    let projects = projects.filter(|one| state.role_in(caller.name(), one).is_some());
    projects
        .filter(|one| !is_organization || one.name.starts_with(PREFIX))
        .collect()
}

fn wanted<'a>(
    state: &'a State,
    caller: &Caller,
    entity: &str,
    args: &Args,
    name: &str,
) -> Result<Vec<&'a Project>, Refusal> {
    let filter = filter(args, name)?;
    let mut found = Vec::new();
    for project in visible(state, caller, entity) {
        if matches(filter.as_ref(), &|name| project_value(project, name))? {
            found.push(project);
        }
    }
    Ok(found)
}

pub fn projects(state: &State, caller: &Caller, entity: &str, args: &Args) -> Answer {
    let mut projects = wanted(state, caller, entity, args, "filters")?;
    sort(&mut projects, args.text("order"), |project, name| {
        project_value(project, name)
    });
    let items = projects.into_iter().map(|one| Item::of(Node::Project(one.id)));
    Ok(connection("ProjectConnection", "ProjectEdge", args, items.collect()))
}

fn collection_value(state: &State, id: u64, name: &str) -> Value {
    let one = &state.collections[&id];
    match name {
        "id" | "artifact_collection_id" => json!(one.id),
        "name" => json!(one.name),
        "description" => json!(one.description),
        "tag" => json!(one.tags),
        "created_at" | "createdAt" => json!(one.created_at),
        "updated_at" | "updatedAt" => json!(one.updated_at),
        _ => Value::Null,
    }
}

/// A page of collections, filtered and sorted by the arguments.
pub fn collection_page(state: &State, args: &Args, all: Vec<u64>) -> Answer {
    let filter = filter(args, "filters")?;
    let mut found = Vec::new();
    for id in all {
        if matches(filter.as_ref(), &|name| collection_value(state, id, name))? {
            found.push(id);
        }
    }
    sort(&mut found, args.text("order"), |id, name| {
        collection_value(state, *id, name)
    });
    let items = found.into_iter().map(|id| Item::of(Node::Collection(id)));
    Ok(connection(
        "ArtifactCollectionConnection",
        "ArtifactCollectionEdge",
        args,
        items.collect(),
    ))
}

pub fn registry_collections(state: &State, caller: &Caller, entity: &str, args: &Args) -> Answer {
    let projects: Vec<u64> = wanted(state, caller, entity, args, "projectFilters")?
        .into_iter()
        .map(|one| one.id)
        .collect();
    let kinds = args.texts("collectionTypes");
    let all = state.collections.values().filter(|one| !one.is_deleted);
    let all = all.filter(|one| projects.contains(&one.project));
    let all = all.filter(|one| {
        let kind = if one.is_portfolio { "PORTFOLIO" } else { "SEQUENCE" };
        kinds
            .as_ref()
            .is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind))
    });
    collection_page(state, args, all.map(|one| one.id).collect())
}

fn membership_value(state: &State, id: u64, name: &str) -> Value {
    let membership = &state.memberships[&id];
    let artifact = &state.artifacts[&membership.artifact];
    if let Some(name) = name.strip_prefix("metadata.") {
        let metadata = artifact.metadata.as_deref().and_then(lines::parse);
        return metadata
            .and_then(|row| lines::metric(&row, name).cloned())
            .unwrap_or_default();
    }
    match name {
        "id" | "artifact_id" => json!(artifact.id),
        "version" | "versionIndex" => json!(membership.index),
        "state" => json!(artifact.state.name()),
        "digest" => json!(artifact.digest),
        "tag" => json!(artifact.tags),
        "alias" => json!(state.aliases_of(id)),
        "created_at" | "createdAt" | "artifact_created_at" => json!(artifact.created_at),
        "updated_at" | "updatedAt" => json!(artifact.updated_at),
        "acm_created_at" => json!(membership.created_at),
        "artifact_size" => json!(artifact.size),
        _ => Value::Null,
    }
}

pub fn memberships(state: &State, caller: &Caller, entity: &str, args: &Args) -> Answer {
    let projects = wanted(state, caller, entity, args, "projectFilters")?;
    let (of_collection, of_version) = (filter(args, "collectionFilters")?, filter(args, "filters")?);
    let mut found = Vec::new();
    for membership in state.memberships.values() {
        let collection = &state.collections[&membership.collection];
        let is_meant = projects.iter().any(|one| one.id == collection.project)
            && matches(of_collection.as_ref(), &|name| {
                collection_value(state, collection.id, name)
            })?
            && matches(of_version.as_ref(), &|name| {
                membership_value(state, membership.id, name)
            })?;
        if is_meant {
            found.push(membership.id);
        }
    }
    sort(&mut found, args.text("order"), |id, name| {
        membership_value(state, *id, name)
    });
    let items = found.into_iter().map(|id| Item::of(Node::Membership(id)));
    Ok(connection(
        "ArtifactCollectionMembershipConnection",
        "ArtifactCollectionMembershipEdge",
        args,
        items.collect(),
    ))
}

fn run_value(state: &State, id: u64, name: &str) -> Value {
    let run = &state.runs[&id];
    let in_text = |text: &str, name: &str| {
        let row = lines::parse(text);
        row.and_then(|row| lines::metric(&row, name).cloned())
            .unwrap_or_default()
    };
    if let Some(name) = name.strip_prefix("config.") {
        let value = in_text(&run.config, name);
        return value.get("value").cloned().unwrap_or(value);
    }
    if let Some(name) = name.strip_prefix("summary_metrics.") {
        return in_text(&run.summary, name);
    }
    match name {
        "id" => json!(global_id("Run", id)),
        "name" => json!(run.name),
        "display_name" | "displayName" => json!(run.display_name),
        "state" => json!(run.state),
        "tags" => json!(run.tags),
        "group" => json!(run.group),
        "job_type" | "jobType" => json!(run.job_type),
        "username" | "user.username" => json!(run.username),
        "created_at" | "createdAt" => json!(run.created_at),
        "heartbeat_at" | "heartbeatAt" => json!(run.heartbeats_ms.last()),
        _ => Value::Null,
    }
}

/// The runs of a project, the oldest first unless an order is given.
pub fn runs(state: &State, project: u64, args: &Args) -> Result<Vec<u64>, Refusal> {
    let filter = filter(args, "filters")?;
    let mut found = Vec::new();
    for run in state.runs.values().filter(|run| run.project == project) {
        if matches(filter.as_ref(), &|name| run_value(state, run.id, name))? {
            found.push(run.id);
        }
    }
    sort(&mut found, args.text("order"), |id, name| run_value(state, *id, name));
    Ok(found)
}

/// The versions of a collection, the newest first unless an order is given.
pub fn versions(state: &State, collection: u64, args: &Args) -> Answer {
    let filter = filter(args, "filters")?;
    let mut found = Vec::new();
    for membership in collections::versions(state, collection) {
        if matches(filter.as_ref(), &|name| membership_value(state, membership.id, name))? {
            found.push(membership.id);
        }
    }
    found.reverse();
    sort(&mut found, args.text("order"), |id, name| {
        membership_value(state, *id, name)
    });
    let items = found.into_iter().map(|id| {
        let membership = &state.memberships[&id];
        Item::of(Node::Artifact(membership.artifact)).with("version", leaf(format!("v{}", membership.index)))
    });
    Ok(connection(
        "VersionedArtifactConnection",
        "VersionedArtifactEdge",
        args,
        items.collect(),
    ))
}
