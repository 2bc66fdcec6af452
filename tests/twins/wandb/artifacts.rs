//! Artifacts: made, given their files and committed; changed, used and deleted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::collections::{self, alias_of, check_alias, tag};
use super::execute::{Answer, Args, Node, Out, Refusal, denied, leaf, made, node, null, refuse, unplayed};
use super::files::{self, Entry};
use super::pages::{Item, connection};
use super::people::{Caller, Role};
use super::runs::rewritten;
use super::state::{State, global_id, local_id};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactState {
    Pending,
    Committed,
    Deleted,
}

impl ArtifactState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Committed => "COMMITTED",
            Self::Deleted => "DELETED",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Artifact {
    pub id: u64,
    pub sequence: u64,
    pub state: ArtifactState,
    pub digest: String,
    pub description: Option<String>,
    /// As the server writes it again.
    pub metadata: Option<String>,
    pub client_id: Option<String>,
    /// The run that made it.
    pub run: Option<u64>,
    pub username: String,
    pub created_at: String,
    pub updated_at: String,
    pub tags: Vec<String>,
    /// What it will be called once it is committed.
    pub wanted_aliases: Vec<String>,
    pub history_step: Option<i64>,
    pub ttl_seconds: Option<i64>,
    pub manifest: Option<u64>,
    /// From the manifest, once it is committed.
    pub entries: BTreeMap<String, Entry>,
    pub size: u64,
}

#[derive(Debug, Clone)]
pub struct Manifest {
    pub id: u64,
    pub artifact: u64,
    pub name: String,
    /// MD5 in base64; empty until it is known.
    pub digest: String,
}

impl State {
    pub fn by_client_id(&self, client_id: &str) -> Option<u64> {
        let mut all = self.artifacts.values();
        all.find(|one| one.client_id.as_deref() == Some(client_id))
            .map(|one| one.id)
    }

    /// Whether the caller may read a project in which it is.
    pub fn can_see_artifact(&self, caller: &Caller, id: u64) -> bool {
        let Some(artifact) = self.artifacts.get(&id) else {
            return false;
        };
        let linked = self
            .memberships
            .values()
            .filter(|one| one.artifact == id)
            .map(|one| one.collection);
        let mut collections = linked.chain([artifact.sequence]);
        collections.any(|collection| {
            let project = self.projects.get(&self.collections[&collection].project);
            project.is_some_and(|project| self.role_in(caller.name(), project).is_some())
        })
    }

    /// The artifact of a mutation, when the caller may change it.
    pub fn writable_artifact(&self, caller: &Caller, id: &str) -> Result<u64, Refusal> {
        let id = local_id("Artifact", id).filter(|id| self.can_see_artifact(caller, *id));
        let id = id.ok_or_else(|| refuse(404, "artifact not found"))?;
        let sequence = &self.collections[&self.artifacts[&id].sequence];
        let role = self.role_in(caller.name(), &self.projects[&sequence.project]);
        role.filter(|role| *role >= Role::Member).map(|_| id).ok_or_else(denied)
    }
}

/// Whether a collection may be called so.
pub fn is_name(name: &str) -> bool {
    let is_good = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    (1..=128).contains(&name.chars().count()) && name.chars().all(is_good)
}

fn check_type(type_name: &str, name: &str) -> Result<(), Refusal> {
    let is_reserved = type_name.starts_with("wandb-") || type_name == "job";
    let is_misnamed = (type_name == "run_table" && !name.starts_with("run-"))
        || (type_name == "code" && !name.starts_with("source-"));
    if type_name.is_empty() || type_name.contains(['/', ':']) || is_reserved || is_misnamed {
        return Err(refuse(400, format!("invalid artifact type `{type_name}` for `{name}`")));
    }
    Ok(())
}

/// Metadata as it is kept.
fn metadata(input: &Args) -> Result<Option<String>, Refusal> {
    let Some(text) = input.text("metadata") else {
        return Ok(None);
    };
    let value: Value = serde_json::from_str(text).map_err(|error| refuse(400, format!("invalid metadata: {error}")))?;
    match value {
        Value::Null => Ok(None),
        Value::Object(map) if map.len() > 100 => Err(refuse(400, "metadata has more than 100 keys")),
        Value::Object(_) => Ok(rewritten(text)),
        _ => Err(refuse(400, "metadata is no JSON object")),
    }
}

pub fn create(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let (entity, project) = (
        state.entity_or_default(caller, input, "entityName"),
        input.needed("projectName"),
    );
    let project = state.writable_project(caller, &entity, &project, "createArtifact")?;
    let run = match input.text("runName") {
        Some(name) => {
            let run = state.run_named(project, name);
            Some(run.ok_or_else(|| refuse(404, format!("run {name} not found during createArtifact")))?)
        }
        None => None,
    };
    let names = input.texts("artifactCollectionNames").unwrap_or_default();
    let name = input.owned("artifactCollectionName").or_else(|| names.first().cloned());
    let name = name.ok_or_else(|| refuse(400, "artifactCollectionName is missing"))?;
    if !is_name(&name) {
        return Err(refuse(400, format!("invalid artifact name `{name}`")));
    }
    let type_name = input.needed("artifactTypeName");
    check_type(&type_name, &name)?;
    if input.text("digestAlgorithm") != Some("MANIFEST_MD5") {
        return Err(refuse(400, "the digest algorithm is not supported"));
    }
    let digest = input.needed("digest");
    if digest.len() != 32
        || !digest
            .bytes()
            .all(|one| one.is_ascii_digit() || (b'a'..=b'f').contains(&one))
    {
        return Err(refuse(400, format!("invalid digest `{digest}`")));
    }
    let metadata = metadata(input)?;
    let aliases: Vec<String> = input.inputs("aliases").iter().map(|one| one.needed("alias")).collect();
    aliases.iter().try_for_each(|alias| check_alias(alias))?;
    // The same call again means the same artifact.
    if let Some(known) = input
        .text("clientID")
        .and_then(|client_id| state.by_client_id(client_id))
    {
        return Ok(payload("CreateArtifactPayload", known));
    }
    let sequence = sequence(state, project, &name, &type_name, input.text("sequenceClientID"))?;
    if input.truth("enableDigestDeduplication")
        && let Some(known) = with_digest(state, sequence, &digest)
    {
        if state.is_alias_moved_by_duplicate {
            let membership = collections::versions(state, sequence).find(|one| one.artifact == known);
            let membership = membership.expect("a committed artifact is in its sequence").id;
            let collection = state.collections.get_mut(&sequence).expect("it was found");
            collection
                .aliases
                .extend(aliases.into_iter().map(|alias| (alias, membership)));
        }
        return Ok(payload("CreateArtifactPayload", known));
    }
    let (id, now) = (state.next_id(), state.now());
    let artifact = Artifact {
        id,
        sequence,
        state: ArtifactState::Pending,
        digest,
        description: input.owned("description"),
        metadata,
        client_id: input.owned("clientID"),
        run,
        username: caller.name().to_owned(),
        created_at: now.clone(),
        updated_at: now,
        tags: input.inputs("tags").iter().map(|one| one.needed("tagName")).collect(),
        wanted_aliases: aliases,
        history_step: input.integer("historyStep"),
        ttl_seconds: input.integer("ttlDurationSeconds"),
        manifest: None,
        entries: BTreeMap::new(),
        size: 0,
    };
    state.artifacts.insert(id, artifact);
    Ok(payload("CreateArtifactPayload", id))
}

fn payload(kind: &'static str, artifact: u64) -> Out {
    made(kind, vec![("artifact", node(Node::Artifact(artifact)))])
}

/// The sequence of that name, made when it is new. It has one type.
fn sequence(
    state: &mut State,
    project: u64,
    name: &str,
    type_name: &str,
    client_id: Option<&str>,
) -> Result<u64, Refusal> {
    if let Some(id) = state.collection_named(project, name) {
        let known = &state.collections[&id];
        if known.is_portfolio {
            return Err(refuse(400, format!("{name} is a portfolio")));
        }
        if known.type_name != type_name {
            let of = &known.type_name;
            return Err(refuse(
                400,
                format!("artifact {name} already exists with type {of}, not {type_name}"),
            ));
        }
        return Ok(id);
    }
    let id = state.new_collection(project, name, type_name, false);
    state.collections.get_mut(&id).expect("it was made").client_id = client_id.map(str::to_owned);
    Ok(id)
}

/// The version of a sequence that has the same contents.
fn with_digest(state: &State, sequence: u64, digest: &str) -> Option<u64> {
    let mut all = state.artifacts.values();
    let is_it =
        |one: &&Artifact| one.sequence == sequence && one.digest == digest && one.state == ArtifactState::Committed;
    all.find(is_it).map(|one| one.id)
}

pub fn commit(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.writable_artifact(caller, &input.needed("artifactID"))?;
    match state.artifacts[&id].state {
        ArtifactState::Committed => return Ok(payload("CommitArtifactPayload", id)),
        ArtifactState::Deleted => return Err(refuse(400, "the artifact is deleted")),
        ArtifactState::Pending => {}
    }
    let entries = files::committable(state, id)?;
    let now = state.now();
    let artifact = state.artifacts.get_mut(&id).expect("it was found");
    artifact.size = entries.values().map(|entry| entry.size).sum();
    artifact.entries = entries;
    artifact.state = ArtifactState::Committed;
    artifact.updated_at = now;
    let (sequence, run) = (artifact.sequence, artifact.run);
    let aliases = artifact.wanted_aliases.clone();
    let membership = state.add_version(sequence, id);
    let collection = state.collections.get_mut(&sequence).expect("a sequence stays");
    collection
        .aliases
        .extend(aliases.into_iter().map(|alias| (alias, membership)));
    if let Some(run) = run.and_then(|run| state.runs.get_mut(&run)) {
        run.outputs.push(id);
    }
    Ok(payload("CommitArtifactPayload", id))
}

pub fn update(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.writable_artifact(caller, &input.needed("artifactID"))?;
    let metadata = metadata(input)?;
    let names = |name: &str| {
        input
            .inputs(name)
            .iter()
            .map(|one| one.needed("tagName"))
            .collect::<Vec<String>>()
    };
    let (added, removed) = (names("tagsToAdd"), names("tagsToDelete"));
    let now = state.now();
    let artifact = state.artifacts.get_mut(&id).expect("it was found");
    if let Some(text) = input.owned("description") {
        artifact.description = Some(text);
    }
    if input.text("metadata").is_some() {
        artifact.metadata = metadata;
    }
    if let Some(seconds) = input.integer("ttlDurationSeconds") {
        artifact.ttl_seconds = Some(seconds).filter(|seconds| *seconds > 0);
    }
    artifact
        .tags
        .retain(|tag| !added.contains(tag) && !removed.contains(tag));
    artifact.tags.extend(added);
    artifact.tags.sort();
    artifact.updated_at = now;
    Ok(payload("UpdateArtifactPayload", id))
}

pub fn delete(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.writable_artifact(caller, &input.needed("artifactID"))?;
    let memberships = state.memberships.values().filter(|one| one.artifact == id);
    let memberships: Vec<u64> = memberships.map(|one| one.id).collect();
    let mut aliases = memberships.iter().flat_map(|one| state.aliases_of(*one));
    if !input.truth("deleteAliases") && aliases.any(|alias| alias != "latest") {
        return Err(refuse(400, "cannot delete an artifact that has aliases"));
    }
    for one in memberships {
        state.remove_version(one);
    }
    state.artifacts.get_mut(&id).expect("it was found").state = ArtifactState::Deleted;
    Ok(payload("DeleteArtifactPayload", id))
}

pub fn use_by(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let run = state.writable_run(caller, input, "useArtifact")?;
    let id = local_id("Artifact", &input.needed("artifactID")).filter(|id| state.can_see_artifact(caller, *id));
    let id = id.ok_or_else(|| refuse(404, "artifact not found"))?;
    if state.artifacts[&id].state != ArtifactState::Committed {
        let name = input.needed("artifactID");
        return Err(refuse(
            400,
            format!("cannot use artifact {name} as it has not committed"),
        ));
    }
    let used_as = input.owned("usedAs");
    let inputs = &mut state.runs.get_mut(&run).expect("it was found").inputs;
    if !inputs.iter().any(|(known, _)| *known == id) {
        inputs.push((id, used_as));
    }
    Ok(payload("UseArtifactPayload", id))
}

pub fn field(state: &State, caller: &Caller, id: u64, field: &str, args: &Args) -> Answer {
    let Some(one) = state.artifacts.get(&id) else {
        return Ok(null());
    };
    let memberships = || {
        let all = state
            .memberships
            .values()
            .filter(|membership| membership.artifact == id);
        all.filter(|membership| {
            let project = state.projects.get(&state.collections[&membership.collection].project);
            project.is_some_and(|project| state.role_in(caller.name(), project).is_some())
        })
    };
    Ok(match field {
        "id" => leaf(global_id("Artifact", id)),
        "state" => leaf(one.state.name()),
        "digest" | "commitHash" => leaf(one.digest.clone()),
        "digestAlgorithm" => leaf("MANIFEST_MD5"),
        "description" => leaf(one.description.clone()),
        "metadata" => leaf(one.metadata.clone()),
        "labels" => null(),
        "size" => leaf(one.size),
        "fileCount" => leaf(one.entries.len()),
        "versionIndex" => {
            let mut versions = collections::versions(state, one.sequence);
            let version = versions.find(|version| version.artifact == id);
            version.map_or_else(null, |version| leaf(version.index))
        }
        "historyStep" => one.history_step.map_or_else(null, |step| leaf(Value::from(step))),
        "ttlDurationSeconds" => leaf(Value::from(one.ttl_seconds.unwrap_or(-2))),
        "ttlIsInherited" => leaf(one.ttl_seconds.is_none()),
        "createdAt" => leaf(one.created_at.clone()),
        "updatedAt" => leaf(one.updated_at.clone()),
        "artifactType" => {
            let sequence = &state.collections[&one.sequence];
            node(Node::ArtifactType(sequence.project, sequence.type_name.clone()))
        }
        "artifactSequence" => node(Node::Collection(one.sequence)),
        "aliases" => {
            let wanted = args.text("artifactCollectionName");
            let memberships = memberships().filter(|membership| {
                wanted.is_none_or(|wanted| state.collections[&membership.collection].name == wanted)
            });
            let aliases = memberships.flat_map(|membership| {
                let aliases = state.aliases_of(membership.id).into_iter();
                aliases.map(|alias| alias_of(state, membership.id, &alias))
            });
            Out::List(aliases.collect())
        }
        "tags" => Out::List(one.tags.iter().map(|name| tag(name)).collect()),
        "currentManifest" => one.manifest.map_or_else(null, |id| node(Node::Manifest(id))),
        "files" => files::artifact_files(state, id, args),
        "filesByManifestEntries" => files::by_entries(state, args),
        "createdBy" => match one.run.filter(|run| state.runs.contains_key(run)) {
            Some(run) => node(Node::Run(run)),
            None => node(Node::User(one.username.clone())),
        },
        "usedBy" => {
            let runs = state.runs.values();
            let runs = runs.filter(|run| run.inputs.iter().any(|(artifact, _)| *artifact == id));
            let items = runs.map(|run| Item::of(Node::Run(run.id)));
            connection("RunConnection", "RunEdge", args, items.collect())
        }
        "artifactMemberships" => {
            let items = memberships().map(|membership| Item::of(Node::Membership(membership.id)));
            connection(
                "ArtifactCollectionMembershipConnection",
                "ArtifactCollectionMembershipEdge",
                args,
                items.collect(),
            )
        }
        _ => return unplayed("Artifact", field),
    })
}
