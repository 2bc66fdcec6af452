//! Collections of versions: sequences, which runs fill, and portfolios, into which versions are linked; their aliases and
//! tags.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::artifacts::is_name;
use super::execute::{Answer, Args, Node, Out, Refusal, denied, leaf, made, node, null, refuse, unplayed};
use super::files;
use super::pages::{Item, connection};
use super::people::{Caller, Role};
use super::registries;
use super::state::{State, global_id, local_id};

#[derive(Debug, Clone)]
pub struct Collection {
    pub id: u64,
    pub is_portfolio: bool,
    pub project: u64,
    pub name: String,
    pub type_name: String,
    pub description: Option<String>,
    pub tags: Vec<String>,
    /// Which version an alias is on: the id of the membership.
    pub aliases: BTreeMap<String, u64>,
    pub next_index: u64,
    /// By what a client calls a sequence before it is there.
    pub client_id: Option<String>,
    /// Contents that were sent for it: MD5 in base64, and the artifact that brought them.
    pub births: BTreeMap<String, u64>,
    pub created_at: String,
    pub updated_at: String,
    pub is_deleted: bool,
}

/// A version in a collection.
#[derive(Debug, Clone)]
pub struct Membership {
    pub id: u64,
    pub collection: u64,
    pub artifact: u64,
    pub index: u64,
    pub created_at: String,
}

impl State {
    pub fn collection_named(&self, project: u64, name: &str) -> Option<u64> {
        of_project(self, project).find(|one| one.name == name).map(|one| one.id)
    }

    /// A new and empty one.
    pub fn new_collection(&mut self, project: u64, name: &str, type_name: &str, is_portfolio: bool) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let collection = Collection {
            id,
            is_portfolio,
            project,
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            description: None,
            tags: Vec::new(),
            aliases: BTreeMap::new(),
            next_index: 0,
            client_id: None,
            births: BTreeMap::new(),
            created_at: now.clone(),
            updated_at: now,
            is_deleted: false,
        };
        self.collections.insert(id, collection);
        id
    }

    /// Puts an artifact into a collection as its next version, to which `latest` moves; or says which it is already.
    pub fn add_version(&mut self, collection: u64, artifact: u64) -> u64 {
        let mut versions = self.memberships.values();
        let known = versions.find(|one| one.collection == collection && one.artifact == artifact);
        if let Some(known) = known {
            return known.id;
        }
        let (id, now) = (self.next_id(), self.now());
        let into = self.collections.get_mut(&collection).expect("the collection is there");
        let index = into.next_index;
        into.next_index += 1;
        into.updated_at.clone_from(&now);
        into.aliases.insert("latest".to_owned(), id);
        let membership = Membership {
            id,
            collection,
            artifact,
            index,
            created_at: now,
        };
        self.memberships.insert(id, membership);
        id
    }

    /// The aliases of a version, in the order of the alphabet.
    pub fn aliases_of(&self, membership: u64) -> Vec<String> {
        let collection = &self.collections[&self.memberships[&membership].collection];
        let aliases = collection.aliases.iter().filter(|(_, on)| **on == membership);
        aliases.map(|(alias, _)| alias.clone()).collect()
    }

    /// Takes a version out; `latest` goes to the newest that is left.
    pub fn remove_version(&mut self, membership: u64) {
        let Some(gone) = self.memberships.remove(&membership) else {
            return;
        };
        let newest = versions(self, gone.collection).last().map(|one| one.id);
        let collection = self
            .collections
            .get_mut(&gone.collection)
            .expect("the collection is there");
        let had_latest = collection.aliases.get("latest") == Some(&membership);
        collection.aliases.retain(|_, on| *on != membership);
        if let Some(newest) = newest.filter(|_| had_latest) {
            collection.aliases.insert("latest".to_owned(), newest);
        }
    }

    /// Whether an alias of a registry is for its admins alone, and the caller is none.
    pub fn is_guarded(&self, caller: &Caller, project: u64, alias: &str) -> bool {
        let project = &self.projects[&project];
        let is_protected = project
            .registry
            .as_ref()
            .is_some_and(|one| one.protected.contains(alias));
        is_protected && self.role_in(caller.name(), project) != Some(Role::Admin)
    }
}

pub fn of_project(state: &State, project: u64) -> impl Iterator<Item = &Collection> {
    let all = state.collections.values();
    all.filter(move |one| one.project == project && !one.is_deleted)
}

/// The versions of a collection, the oldest first.
pub fn versions(state: &State, collection: u64) -> impl Iterator<Item = &Membership> {
    let all = state.memberships.values();
    let mut found: Vec<&Membership> = all.filter(|one| one.collection == collection).collect();
    found.sort_by_key(|one| one.index);
    found.into_iter()
}

/// The version that an alias or `vN` means.
pub fn version(state: &State, collection: u64, alias: &str) -> Option<u64> {
    if let Some(on) = state.collections.get(&collection)?.aliases.get(alias) {
        return Some(*on);
    }
    let index: u64 = alias.strip_prefix('v')?.parse().ok()?;
    versions(state, collection)
        .find(|one| one.index == index)
        .map(|one| one.id)
}

/// The version that `collection:alias` means; `latest` when there is no alias.
pub fn membership_at(state: &State, project: u64, name: &str) -> Option<u64> {
    let (name, alias) = name.split_once(':').unwrap_or((name, "latest"));
    version(state, state.collection_named(project, name)?, alias)
}

pub fn artifact_at(state: &State, project: u64, name: &str) -> Option<u64> {
    membership_at(state, project, name).map(|id| state.memberships[&id].artifact)
}

pub fn kind(state: &State, id: u64) -> &'static str {
    match state.collections.get(&id) {
        Some(one) if one.is_portfolio => "ArtifactPortfolio",
        _ => "ArtifactSequence",
    }
}

/// The collection that a global id names.
pub fn local(state: &State, id: &str) -> Option<u64> {
    let id = local_id("ArtifactCollection", id)?;
    state
        .collections
        .get(&id)
        .filter(|one| !one.is_deleted)
        .map(|one| one.id)
}

pub fn check_alias(alias: &str) -> Result<(), Refusal> {
    let is_number = alias
        .strip_prefix('v')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|one| one.is_ascii_digit()));
    let is_good = (1..=128).contains(&alias.chars().count()) && !alias.contains(['/', ':']);
    if is_good && !is_number {
        Ok(())
    } else {
        Err(refuse(400, format!("invalid alias `{alias}`")))
    }
}

pub fn alias_of(state: &State, membership: u64, alias: &str) -> Out {
    let id = STANDARD.encode(format!("ArtifactAlias:{membership}:{alias}"));
    let collection = state.memberships[&membership].collection;
    made(
        "ArtifactAlias",
        vec![
            ("id", leaf(id)),
            ("alias", leaf(alias)),
            ("artifactCollection", node(Node::Collection(collection))),
        ],
    )
}

pub fn tag(name: &str) -> Out {
    let id = STANDARD.encode(format!("Tag:{name}"));
    made("Tag", vec![("id", leaf(id)), ("name", leaf(name))])
}

pub fn field(state: &State, id: u64, field: &str, args: &Args) -> Answer {
    let Some(one) = state.collections.get(&id) else {
        return Ok(null());
    };
    Ok(match field {
        "id" => leaf(global_id("ArtifactCollection", id)),
        "name" => leaf(one.name.clone()),
        "description" => leaf(one.description.clone()),
        "state" => leaf(if one.is_deleted { "DELETED" } else { "READY" }),
        "createdAt" => leaf(one.created_at.clone()),
        "updatedAt" => leaf(one.updated_at.clone()),
        "project" => node(Node::Project(one.project)),
        "defaultArtifactType" => node(Node::ArtifactType(one.project, one.type_name.clone())),
        "tags" => {
            let items = one.tags.iter().map(|name| Item::made(tag(name)));
            connection("TagConnection", "TagEdge", args, items.collect())
        }
        "aliases" => {
            let aliases = one.aliases.iter();
            let items = aliases.map(|(alias, on)| Item::made(alias_of(state, *on, alias)));
            connection("ArtifactAliasConnection", "ArtifactAliasEdge", args, items.collect())
        }
        "artifactMembership" => {
            let found = version(state, id, args.text("aliasName").unwrap_or_default());
            found.map_or_else(null, |id| node(Node::Membership(id)))
        }
        "artifacts" => registries::versions(state, id, args)?,
        "latestArtifact" => {
            let newest = versions(state, id).last();
            newest.map_or_else(null, |one| node(Node::Artifact(one.artifact)))
        }
        "digestAlgorithm" => leaf("MANIFEST_MD5"),
        _ => return unplayed(kind(state, id), field),
    })
}

pub fn membership_field(state: &State, id: u64, field: &str, args: &Args) -> Answer {
    let Some(one) = state.memberships.get(&id) else {
        return Ok(null());
    };
    Ok(match field {
        "id" => leaf(global_id("ArtifactCollectionMembership", id)),
        "versionIndex" => leaf(one.index),
        "createdAt" => leaf(one.created_at.clone()),
        "commitHash" => leaf(state.artifacts[&one.artifact].digest.clone()),
        "aliases" => {
            let aliases = state.aliases_of(id);
            Out::List(aliases.iter().map(|alias| alias_of(state, id, alias)).collect())
        }
        "artifactCollection" => node(Node::Collection(one.collection)),
        "artifact" => node(Node::Artifact(one.artifact)),
        "files" => files::artifact_files(state, one.artifact, args),
        _ => return unplayed("ArtifactCollectionMembership", field),
    })
}

/// Adds aliases, which takes them from the versions that have them, or takes them away.
pub fn change_aliases(state: &mut State, caller: &Caller, input: &Args, is_adding: bool) -> Answer {
    let artifact = local_id("Artifact", &input.needed("artifactID")).filter(|id| state.artifacts.contains_key(id));
    let artifact = artifact.ok_or_else(|| refuse(404, "artifact not found"))?;
    let what = if is_adding { "addAliases" } else { "deleteAliases" };
    let mut changes = Vec::new();
    // Everything is looked at before anything is changed.
    for one in input.inputs("aliases") {
        let (entity, project) = (one.needed("entityName"), one.needed("projectName"));
        let project = state.writable_project(caller, &entity, &project, what)?;
        let (name, alias) = (one.needed("artifactCollectionName"), one.needed("alias"));
        let collection = state.collection_named(project, &name);
        let collection = collection.ok_or_else(|| refuse(404, format!("artifact collection {name} not found")))?;
        let membership = versions(state, collection).find(|one| one.artifact == artifact);
        let membership = membership
            .ok_or_else(|| refuse(404, format!("the artifact is not in {name}")))?
            .id;
        if is_adding {
            check_alias(&alias)?;
        }
        if state.is_guarded(caller, project, &alias) {
            return Err(denied());
        }
        changes.push((collection, membership, alias));
    }
    for (collection, membership, alias) in changes {
        let collection = state.collections.get_mut(&collection).expect("it was found");
        if is_adding {
            collection.aliases.insert(alias, membership);
        } else if collection.aliases.get(&alias) == Some(&membership) {
            collection.aliases.remove(&alias);
        }
    }
    let kind = if is_adding {
        "AddAliasesPayload"
    } else {
        "DeleteAliasesPayload"
    };
    Ok(made(kind, vec![("success", leaf(true))]))
}

/// The collection that an input names by its id, when the caller may change it.
fn writable(state: &State, caller: &Caller, input: &Args) -> Result<u64, Refusal> {
    let id = input
        .owned("artifactSequenceID")
        .or_else(|| input.owned("artifactPortfolioID"));
    let id = local(state, &id.unwrap_or_default()).ok_or_else(|| refuse(404, "artifact collection not found"))?;
    let project = &state.projects[&state.collections[&id].project];
    let role = state.role_in(caller.name(), project);
    role.filter(|role| *role >= Role::Member).map(|_| id).ok_or_else(denied)
}

pub fn delete(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = writable(state, caller, input)?;
    state.collections.get_mut(&id).expect("it was found").is_deleted = true;
    state.memberships.retain(|_, one| one.collection != id);
    Ok(made(
        "DeleteArtifactCollectionPayload",
        vec![("artifactCollection", node(Node::Collection(id)))],
    ))
}

pub fn update(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = writable(state, caller, input)?;
    let (name, now) = (input.owned("name"), state.now());
    if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
        return Err(refuse(400, format!("invalid artifact collection name `{name}`")));
    }
    let collection = state.collections.get_mut(&id).expect("it was found");
    if let Some(name) = name {
        collection.name = name;
    }
    if let Some(text) = input.owned("description") {
        collection.description = Some(text);
    }
    collection.updated_at = now;
    Ok(made(
        "UpdateArtifactCollectionPayload",
        vec![("artifactCollection", node(Node::Collection(id)))],
    ))
}

pub fn change_type(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = writable(state, caller, input)?;
    state.collections.get_mut(&id).expect("it was found").type_name = input.needed("destinationArtifactTypeName");
    Ok(made(
        "MoveArtifactSequencePayload",
        vec![("artifactCollection", node(Node::Collection(id)))],
    ))
}

pub fn change_tags(state: &mut State, caller: &Caller, input: &Args, is_adding: bool) -> Answer {
    let (entity, project) = (input.needed("entityName"), input.needed("projectName"));
    let project = state.writable_project(caller, &entity, &project, "the change of tags")?;
    let name = input.needed("artifactCollectionName");
    let id = state.collection_named(project, &name);
    let id = id.ok_or_else(|| refuse(404, format!("artifact collection {name} not found")))?;
    let names: Vec<String> = input.inputs("tags").iter().map(|one| one.needed("tagName")).collect();
    let tags = &mut state.collections.get_mut(&id).expect("it was found").tags;
    tags.retain(|tag| !names.contains(tag));
    if !is_adding {
        return Ok(made(
            "DeleteArtifactCollectionTagAssignmentsPayload",
            vec![("success", leaf(true))],
        ));
    }
    tags.extend(names);
    tags.sort();
    let all = Out::List(tags.iter().map(|name| tag(name)).collect());
    Ok(made(
        "CreateArtifactCollectionTagAssignmentsPayload",
        vec![("tags", all)],
    ))
}
