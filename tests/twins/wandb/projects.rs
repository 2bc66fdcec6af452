//! Projects, among them registries, and the types of artifacts in them.

use std::collections::{BTreeMap, BTreeSet};

use super::collections;
use super::execute::{Answer, Args, Node, Out, Refusal, denied, leaf, made, node, null, refuse, unplayed};
use super::pages::{Item, connection};
use super::people::{Caller, EntityKind, Role};
use super::registries;
use super::runs::is_project_name;
use super::state::{State, global_id, local_id};

pub const PREFIX: &str = "wandb-registry-";

#[derive(Debug, Clone)]
pub struct Project {
    pub id: u64,
    pub entity: String,
    pub name: String,
    pub description: Option<String>,
    pub access: String,
    pub created_at: String,
    pub updated_at: String,
    pub registry: Option<Registry>,
}

/// What a project has beyond others when it is a registry.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    pub members: BTreeMap<String, Role>,
    /// That of everybody in the organization.
    pub default_role: Option<Role>,
    /// Only admins move these.
    pub protected: BTreeSet<String>,
    /// The types of artifacts that it takes; none is all.
    pub types: Option<BTreeSet<String>>,
}

impl State {
    /// A project, made when it is new.
    pub fn project(&mut self, entity: &str, name: &str) -> &mut Project {
        let id = self.project_named(entity, name).unwrap_or_else(|| {
            let (id, now) = (self.next_id(), self.now());
            let project = Project {
                id,
                entity: entity.to_owned(),
                name: name.to_owned(),
                description: None,
                access: "PRIVATE".to_owned(),
                created_at: now.clone(),
                updated_at: now,
                registry: None,
            };
            self.projects.insert(id, project);
            id
        });
        self.projects.get_mut(&id).expect("it was inserted or found")
    }

    /// A registry of an organization, made when it is new: members of the organization are members of it.
    pub fn registry(&mut self, organization: &str, name: &str) -> &mut Registry {
        let entity = self.organizations[organization].entity.clone();
        let project = self.project(&entity, &format!("{PREFIX}{name}"));
        project.registry.get_or_insert_with(|| Registry {
            default_role: Some(Role::Member),
            ..Registry::default()
        })
    }

    pub fn project_named(&self, entity: &str, name: &str) -> Option<u64> {
        let mut projects = self.projects.values();
        projects
            .find(|one| one.entity == entity && one.name == name)
            .map(|one| one.id)
    }

    /// A project that the caller may read.
    pub fn visible_project(&self, caller: &Caller, entity: &str, name: &str) -> Option<u64> {
        let id = self.project_named(entity, name)?;
        self.role_in(caller.name(), &self.projects[&id]).map(|_| id)
    }

    /// The project of a mutation, when the caller may change it.
    pub fn writable_project(&self, caller: &Caller, entity: &str, name: &str, what: &str) -> Result<u64, Refusal> {
        if !self.entities.contains_key(entity) {
            return Err(refuse(404, format!("entity {entity} not found during {what}")));
        }
        let Some(id) = self.project_named(entity, name) else {
            return Err(refuse(
                404,
                format!("project {name} not found under entity {entity} during {what}"),
            ));
        };
        let role = self.role_in(caller.name(), &self.projects[&id]);
        role.filter(|role| *role >= Role::Member).map(|_| id).ok_or_else(denied)
    }

    /// The same for those who may change its settings.
    fn governed_project(&self, caller: &Caller, id: &str) -> Result<u64, Refusal> {
        let id = local_id("Project", id).filter(|id| self.projects.contains_key(id));
        let id = id.ok_or_else(|| refuse(404, "project not found"))?;
        let role = self.role_in(caller.name(), &self.projects[&id]);
        role.filter(|role| *role == Role::Admin).map(|_| id).ok_or_else(denied)
    }

    /// The types of artifacts that are in a project, and those that a registry takes.
    pub fn artifact_types(&self, project: u64) -> BTreeSet<String> {
        let in_it = self
            .collections
            .values()
            .filter(|one| one.project == project && !one.is_deleted);
        let mut types: BTreeSet<String> = in_it.map(|one| one.type_name.clone()).collect();
        let registry = self.projects.get(&project).and_then(|one| one.registry.as_ref());
        types.extend(registry.and_then(|one| one.types.clone()).into_iter().flatten());
        types
    }
}

pub fn field(state: &State, caller: &Caller, id: u64, field: &str, args: &Args) -> Answer {
    let Some(project) = state.projects.get(&id) else {
        return Ok(null());
    };
    let role = state.role_in(caller.name(), project);
    let name = args.text("name").unwrap_or_default();
    let optional = |id: Option<u64>, kind: fn(u64) -> Node| id.map_or_else(null, |id| node(kind(id)));
    Ok(match field {
        "id" => leaf(global_id("Project", id)),
        "internalId" => leaf(global_id("ProjectInternalId", id)),
        "name" => leaf(project.name.clone()),
        "entity" => node(Node::Entity(project.entity.clone())),
        "entityName" => leaf(project.entity.clone()),
        "description" => leaf(project.description.clone()),
        "access" => leaf(project.access.clone()),
        "views" | "user" => null(),
        "createdAt" => leaf(project.created_at.clone()),
        "updatedAt" => leaf(project.updated_at.clone()),
        "isBenchmark" => leaf(false),
        "readOnly" => leaf(role.is_none_or(|role| role < Role::Member)),
        "allowAllArtifactTypesInRegistry" => leaf(
            project
                .registry
                .as_ref()
                .is_none_or(|registry| registry.types.is_none()),
        ),
        "members" => members(state, project),
        "teamMembers" => Out::List(Vec::new()),
        "run" | "bucket" => optional(state.run_named(id, name), Node::Run),
        "runCount" => leaf(registries::runs(state, id, args)?.len()),
        "runs" => {
            let runs = registries::runs(state, id, args)?.into_iter();
            let items = runs.map(|id| Item::of(Node::Run(id)));
            connection("RunConnection", "RunEdge", args, items.collect())
        }
        "artifact" => optional(collections::artifact_at(state, id, name), Node::Artifact),
        "artifactType" => {
            if state.artifact_types(id).contains(name) {
                node(Node::ArtifactType(id, name.to_owned()))
            } else {
                null()
            }
        }
        "artifactTypes" => {
            let types = state.artifact_types(id).into_iter();
            let items = types.map(|name| Item::of(Node::ArtifactType(id, name)));
            connection("ArtifactTypeConnection", "ArtifactTypeEdge", args, items.collect())
        }
        "artifactCollection" => optional(state.collection_named(id, name), Node::Collection),
        "artifactCollections" => {
            let all: Vec<u64> = collections::of_project(state, id).map(|one| one.id).collect();
            registries::collection_page(state, args, all)?
        }
        "artifactCollectionMembership" => optional(collections::membership_at(state, id, name), Node::Membership),
        _ => return unplayed("Project", field),
    })
}

fn members(state: &State, project: &Project) -> Out {
    let members = project.registry.iter().flat_map(|registry| &registry.members);
    let members = members.map(|(name, role)| {
        let id = state.users.get(name).map_or(0, |user| user.id);
        let fields = vec![
            ("id", leaf(global_id("User", id))),
            ("name", leaf(name.clone())),
            ("username", leaf(name.clone())),
            ("email", leaf(state.users.get(name).map(|user| user.email.clone()))),
            ("role", made("Role", vec![("name", leaf(role.name()))])),
        ];
        made("ProjectMember", fields)
    });
    Out::List(members.collect())
}

pub fn type_field(state: &State, project: u64, name: &str, field: &str, args: &Args) -> Answer {
    let of_type = |id: &u64| state.collections.get(id).is_some_and(|one| one.type_name == name);
    let wanted = args.text("name").unwrap_or_default();
    Ok(match field {
        "id" => leaf(global_id(&format!("ArtifactType:{name}"), project)),
        "name" => leaf(name),
        "description" => null(),
        "createdAt" => leaf(state.projects.get(&project).map(|one| one.created_at.clone())),
        "artifact" => {
            let found = collections::artifact_at(state, project, wanted);
            found.map_or_else(null, |id| node(Node::Artifact(id)))
        }
        "artifactCollection" => {
            let found = state.collection_named(project, wanted).filter(of_type);
            found.map_or_else(null, |id| node(Node::Collection(id)))
        }
        "artifactCollections" => {
            let all = collections::of_project(state, project)
                .map(|one| one.id)
                .filter(of_type);
            registries::collection_page(state, args, all.collect())?
        }
        _ => return unplayed("ArtifactType", field),
    })
}

pub fn upsert(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let entity = state.entity_or_default(caller, input, "entityName");
    let name = input.needed("name");
    if !is_project_name(&name) {
        return Err(refuse(400, format!("invalid project name `{name}`")));
    }
    let kind = state.entities.get(&entity).map(|one| one.kind);
    let kind = kind.ok_or_else(|| refuse(404, format!("entity {entity} not found during upsertModel")))?;
    let known = state.project_named(&entity, &name);
    let is_allowed = match known {
        Some(id) => state.role_in(caller.name(), &state.projects[&id]) == Some(Role::Admin),
        None => state
            .role_in_entity(caller.name(), &entity)
            .is_some_and(|role| role >= Role::Member),
    };
    if !is_allowed {
        return Err(denied());
    }
    let types: BTreeSet<String> = input
        .inputs("artifactTypes")
        .iter()
        .map(|one| one.needed("name"))
        .collect();
    let is_registry = kind == EntityKind::Organization && name.starts_with(PREFIX);
    let project = state.project(&entity, &name);
    if let Some(text) = input.owned("description") {
        project.description = Some(text);
    }
    if let Some(text) = input.owned("access") {
        project.access = text;
    }
    if is_registry {
        let registry = project.registry.get_or_insert_default();
        if known.is_none() {
            registry.default_role = Some(Role::Member);
            registry.members.insert(caller.name().to_owned(), Role::Admin);
        }
        if input.truth("allowAllArtifactTypesInRegistry") {
            registry.types = None;
        } else {
            registry.types.get_or_insert_default().extend(types);
        }
    }
    let id = project.id;
    Ok(upserted(id, known.is_none()))
}

fn upserted(id: u64, is_new: bool) -> Out {
    made(
        "UpsertModelPayload",
        vec![
            ("inserted", leaf(is_new)),
            ("project", node(Node::Project(id))),
            ("model", node(Node::Project(id))),
        ],
    )
}

pub fn rename(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.project_named(&input.needed("entityName"), &input.needed("oldProjectName"));
    let id = id.ok_or_else(|| refuse(404, "project not found"))?;
    state.governed_project(caller, &global_id("Project", id))?;
    let name = input.needed("newProjectName");
    if !is_project_name(&name) {
        return Err(refuse(400, format!("invalid project name `{name}`")));
    }
    state.projects.get_mut(&id).expect("it was found").name = name;
    Ok(upserted(id, false))
}

pub fn delete(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.governed_project(caller, &input.needed("id"))?;
    state.projects.remove(&id);
    Ok(made("DeleteModelPayload", vec![("success", leaf(true))]))
}

pub fn change_members(state: &mut State, caller: &Caller, input: &Args, what: &str) -> Answer {
    let id = state.governed_project(caller, &input.needed("projectId"))?;
    let mut wanted = input.texts("userIds").unwrap_or_default();
    wanted.extend(input.owned("userId"));
    let mut names = Vec::new();
    for one in wanted {
        let user = local_id("User", &one).and_then(|id| state.users.values().find(|user| user.id == id));
        names.push(user.ok_or_else(|| refuse(404, "user not found"))?.username.clone());
    }
    let project = state.projects.get_mut(&id).expect("it was found");
    let Some(registry) = &mut project.registry else {
        return Err(refuse(400, "the project is no registry"));
    };
    let role = match input.text("userProjectRole") {
        Some(text) => Role::parse(text).ok_or_else(|| refuse(400, format!("unknown role `{text}`")))?,
        None => Role::Viewer,
    };
    for name in names {
        if what == "deleteProjectMembers" {
            registry.members.remove(&name);
        } else {
            registry.members.insert(name, role);
        }
    }
    Ok(made("SuccessPayload", vec![("success", leaf(true))]))
}
