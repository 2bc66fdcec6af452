//! Linking a version into a collection of a registry, and taking it out again.

use super::artifacts::{ArtifactState, is_name};
use super::collections::{check_alias, local, versions};
use super::execute::{Answer, Args, Node, Refusal, denied, leaf, made, node, refuse};
use super::people::{Caller, EntityKind, Role};
use super::state::{State, local_id};

/// The artifact that is meant, when it is committed: by its id, or by what its client calls it.
fn committed(state: &State, caller: &Caller, input: &Args) -> Result<u64, Refusal> {
    let id = match (input.text("artifactID"), input.text("clientID")) {
        (Some(id), _) => {
            let id = local_id("Artifact", id).filter(|id| state.can_see_artifact(caller, *id));
            id.ok_or_else(|| refuse(404, "artifact not found"))?
        }
        (None, Some(client_id)) => {
            let id = state.by_client_id(client_id);
            let id = id.filter(|id| state.artifacts[id].state == ArtifactState::Committed);
            id.ok_or_else(|| refuse(404, "failed to map client id"))?
        }
        (None, None) => return Err(refuse(400, "neither artifactID nor clientID is given")),
    };
    match state.artifacts[&id].state {
        ArtifactState::Committed => Ok(id),
        ArtifactState::Pending | ArtifactState::Deleted => {
            Err(refuse(400, "cannot link artifact as it has not committed"))
        }
    }
}

/// Whether a registry takes what this project has: it has to be of a team of the same organization.
fn check_source(state: &State, artifact: u64, target: u64) -> Result<(), Refusal> {
    let target = &state.projects[&target];
    if target.registry.is_none() {
        return Ok(());
    }
    let sequence = state.artifacts[&artifact].sequence;
    let source = &state.projects[&state.collections[&sequence].project];
    let (from, into) = (&state.entities[&source.entity], &state.entities[&target.entity]);
    match from.kind {
        EntityKind::Personal => Err(refuse(
            400,
            "unable to link artifacts of a personal entity to a registry",
        )),
        EntityKind::Team | EntityKind::Organization if from.organization != into.organization => {
            Err(refuse(400, "the artifact belongs to another organization"))
        }
        EntityKind::Team | EntityKind::Organization => Ok(()),
    }
}

pub fn link(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let artifact = committed(state, caller, input)?;
    let type_name = state.collections[&state.artifacts[&artifact].sequence]
        .type_name
        .clone();
    let (project, known, name) = if let Some(id) = input.text("artifactPortfolioID") {
        let id = local(state, id).ok_or_else(|| refuse(404, "artifact portfolio not found"))?;
        let collection = &state.collections[&id];
        (collection.project, Some(id), collection.name.clone())
    } else {
        let (entity, project) = (input.needed("entityName"), input.needed("projectName"));
        let project = state.writable_project(caller, &entity, &project, "linkArtifact")?;
        let name = input.needed("artifactPortfolioName");
        (project, state.collection_named(project, &name), name)
    };
    if state
        .role_in(caller.name(), &state.projects[&project])
        .is_none_or(|role| role < Role::Member)
    {
        return Err(denied());
    }
    check_source(state, artifact, project)?;
    if !is_name(&name) {
        return Err(refuse(400, format!("invalid artifact collection name `{name}`")));
    }
    let types = state.projects[&project]
        .registry
        .as_ref()
        .and_then(|one| one.types.as_ref());
    if types.is_some_and(|types| !types.contains(&type_name)) {
        return Err(refuse(
            400,
            format!("artifacts of type {type_name} are not allowed in this registry"),
        ));
    }
    if let Some(collection) = known.map(|id| &state.collections[&id]) {
        if !collection.is_portfolio {
            return Err(refuse(400, format!("{name} is no portfolio")));
        }
        if collection.type_name != type_name {
            let of = &collection.type_name;
            return Err(refuse(
                400,
                format!("artifact of type {type_name} can not be linked to {name} of type {of}"),
            ));
        }
    }
    let aliases: Vec<String> = input.inputs("aliases").iter().map(|one| one.needed("alias")).collect();
    for alias in &aliases {
        check_alias(alias)?;
        if state.is_guarded(caller, project, alias) {
            return Err(denied());
        }
    }
    let collection = known.unwrap_or_else(|| state.new_collection(project, &name, &type_name, true));
    let membership = state.add_version(collection, artifact);
    let into = state.collections.get_mut(&collection).expect("it was made or found");
    // `latest` is the newest by itself: asking for it does not move it back.
    for alias in aliases.into_iter().filter(|alias| alias != "latest") {
        into.aliases.insert(alias, membership);
    }
    Ok(made(
        "LinkArtifactPayload",
        vec![
            ("versionIndex", leaf(state.memberships[&membership].index)),
            ("artifactMembership", node(Node::Membership(membership))),
        ],
    ))
}

pub fn unlink(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let artifact = local_id("Artifact", &input.needed("artifactID"));
    let artifact = artifact.ok_or_else(|| refuse(404, "artifact not found"))?;
    let id = local(state, &input.needed("artifactPortfolioID"));
    let id = id.ok_or_else(|| refuse(404, "artifact portfolio not found"))?;
    let collection = &state.collections[&id];
    let project = collection.project;
    if state
        .role_in(caller.name(), &state.projects[&project])
        .is_none_or(|role| role < Role::Member)
    {
        return Err(denied());
    }
    if !collection.is_portfolio {
        return Err(refuse(400, "artifacts can not be unlinked from their sequence"));
    }
    let membership = versions(state, id).find(|one| one.artifact == artifact);
    let membership = membership
        .ok_or_else(|| refuse(404, "the artifact is not in this collection"))?
        .id;
    let aliases = state.aliases_of(membership);
    if aliases.iter().any(|alias| state.is_guarded(caller, project, alias)) {
        return Err(denied());
    }
    state.remove_version(membership);
    Ok(made("UnlinkArtifactPayload", vec![("success", leaf(true))]))
}
