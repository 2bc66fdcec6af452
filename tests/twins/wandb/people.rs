//! Users, service accounts, teams and organizations: who calls, and what he may do.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::execute::{Answer, Args, Node, Out, leaf, made, node, nodes, null, unplayed};
use super::pages::{Item, connection};
use super::projects::Project;
use super::registries;
use super::state::{State, global_id};

/// What somebody may do in a team or a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Viewer,
    Member,
    Admin,
}

#[derive(Debug, Clone)]
pub struct User {
    pub id: u64,
    pub username: String,
    pub email: String,
    pub default_entity: Option<String>,
    pub is_service: bool,
}

#[derive(Debug, Clone)]
pub struct Entity {
    pub id: u64,
    pub name: String,
    pub kind: EntityKind,
    pub organization: Option<String>,
    pub members: BTreeMap<String, Role>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityKind {
    Team,
    /// Somebody's own: nothing of it can be linked into a registry.
    Personal,
    /// The one of an organization; its registries are projects of it.
    Organization,
}

#[derive(Debug, Clone)]
pub struct Organization {
    pub id: u64,
    /// As people see it.
    pub name: String,
    pub entity: String,
    pub members: BTreeMap<String, Role>,
}

#[derive(Debug, Clone)]
pub struct AccessToken {
    pub username: String,
    pub expires_ms: i64,
}

/// Who calls.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub username: Option<String>,
    /// Whom a service account works for, by `X-WANDB-USERNAME`.
    pub on_behalf_of: Option<String>,
}

impl Role {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "viewer" => Some(Self::Viewer),
            "member" => Some(Self::Member),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
        }
    }
}

impl Caller {
    pub fn name(&self) -> &str {
        self.username.as_deref().unwrap_or_default()
    }
}

impl State {
    /// A person with a key and an entity of her own, which is her default.
    pub fn user(&mut self, name: &str, key: &str) -> &mut User {
        let id = self.next_id();
        let user = User {
            id,
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            default_entity: Some(name.to_owned()),
            is_service: false,
        };
        let entity_id = self.next_id();
        let entity = Entity {
            id: entity_id,
            name: name.to_owned(),
            kind: EntityKind::Personal,
            organization: None,
            members: BTreeMap::from([(name.to_owned(), Role::Admin)]),
        };
        self.entities.insert(name.to_owned(), entity);
        self.keys.insert(key.to_owned(), name.to_owned());
        self.users.insert(name.to_owned(), user);
        self.users.get_mut(name).expect("it was inserted")
    }

    /// A service account: a member of one team, with a key.
    pub fn service_account(&mut self, name: &str, team: &str, key: &str) {
        let id = self.next_id();
        let user = User {
            id,
            username: name.to_owned(),
            email: format!("{name}@example.com"),
            default_entity: Some(team.to_owned()),
            is_service: true,
        };
        self.keys.insert(key.to_owned(), name.to_owned());
        self.users.insert(name.to_owned(), user);
        self.team(team, None).members.insert(name.to_owned(), Role::Member);
    }

    /// A team, made when it is new. Its members are members of its organization.
    pub fn team(&mut self, name: &str, organization: Option<&str>) -> &mut Entity {
        if !self.entities.contains_key(name) {
            let id = self.next_id();
            let entity = Entity {
                id,
                name: name.to_owned(),
                kind: EntityKind::Team,
                organization: organization.map(str::to_owned),
                members: BTreeMap::new(),
            };
            self.entities.insert(name.to_owned(), entity);
        }
        self.entities.get_mut(name).expect("it was inserted")
    }

    /// An organization, made when it is new: with an entity and without registries.
    pub fn organization(&mut self, name: &str, entity: &str) -> &mut Organization {
        if !self.organizations.contains_key(name) {
            let (id, entity_id) = (self.next_id(), self.next_id());
            let of_organization = Entity {
                id: entity_id,
                name: entity.to_owned(),
                kind: EntityKind::Organization,
                organization: Some(name.to_owned()),
                members: BTreeMap::new(),
            };
            self.entities.insert(entity.to_owned(), of_organization);
            let organization = Organization {
                id,
                name: name.to_owned(),
                entity: entity.to_owned(),
                members: BTreeMap::new(),
            };
            self.organizations.insert(name.to_owned(), organization);
        }
        self.organizations.get_mut(name).expect("it was inserted")
    }

    /// Whom the credentials of a call stand for.
    pub fn caller(&self, headers: &BTreeMap<String, String>) -> Caller {
        let username = headers.get("authorization").and_then(|header| self.user_of(header));
        let is_service = username
            .as_ref()
            .and_then(|name| self.users.get(name))
            .is_some_and(|user| user.is_service);
        Caller {
            username,
            on_behalf_of: headers
                .get("x-wandb-username")
                .filter(|name| is_service && self.users.contains_key(*name))
                .cloned(),
        }
    }

    fn user_of(&self, header: &str) -> Option<String> {
        let (scheme, rest) = header.split_once(' ')?;
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => {
                let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
                let key = text.strip_prefix("api:")?;
                self.keys.get(key).cloned()
            }
            "bearer" => {
                let token = self.access_tokens.get(rest.trim())?;
                (token.expires_ms > self.now_ms()).then(|| token.username.clone())
            }
            _ => None,
        }
    }

    /// Exchanges an identity token for one that the API takes.
    pub fn exchange(&mut self, assertion: &str) -> Option<Value> {
        let username = self.identity_tokens.get(assertion)?.clone();
        let id = self.next_id();
        let token = format!("twin-access-{id}");
        let expires_ms = self.now_ms() + self.access_seconds * 1000;
        self.access_tokens
            .insert(token.clone(), AccessToken { username, expires_ms });
        Some(json!({ "access_token": token, "token_type": "bearer", "expires_in": self.access_seconds }))
    }

    pub fn is_in_organization(&self, username: &str, organization: &str) -> bool {
        let is_member = |entity: &Entity| {
            entity.organization.as_deref() == Some(organization) && entity.members.contains_key(username)
        };
        let listed = self.organizations.get(organization);
        listed.is_some_and(|one| one.members.contains_key(username)) || self.entities.values().any(is_member)
    }

    /// What somebody may do in an entity.
    pub fn role_in_entity(&self, username: &str, entity: &str) -> Option<Role> {
        let entity = self.entities.get(entity)?;
        match entity.kind {
            EntityKind::Team | EntityKind::Personal => entity.members.get(username).copied(),
            EntityKind::Organization => {
                let organization = self.organizations.get(entity.organization.as_deref()?)?;
                organization.members.get(username).copied()
            }
        }
    }

    /// What somebody may do in a project; that of a registry is its own.
    pub fn role_in(&self, username: &str, project: &Project) -> Option<Role> {
        let Some(registry) = &project.registry else {
            return self.role_in_entity(username, &project.entity);
        };
        let organization = self.entities.get(&project.entity)?.organization.clone()?;
        let own = registry.members.get(username).copied();
        let as_organization = self.role_in_entity(username, &project.entity);
        let as_anybody = registry
            .default_role
            .filter(|_| self.is_in_organization(username, &organization));
        match as_organization {
            Some(Role::Admin) => Some(Role::Admin),
            Some(Role::Member | Role::Viewer) | None => own.or(as_anybody),
        }
    }
}

pub fn user_field(state: &State, name: &str, field: &str) -> Answer {
    let Some(user) = state.users.get(name) else {
        return Ok(null());
    };
    Ok(match field {
        "id" => leaf(global_id("User", user.id)),
        "name" | "username" => leaf(user.username.clone()),
        "email" => leaf(user.email.clone()),
        "admin" => leaf(false),
        "flags" => leaf("{}"),
        "entity" => leaf(user.default_entity.clone()),
        "deletedAt" => null(),
        "apiKeys" => connection("ApiKeyConnection", "ApiKeyEdge", &Args::default(), Vec::new()),
        "teams" => {
            let teams = state.entities.values().filter(|one| one.members.contains_key(name));
            let items = teams.map(|one| Item::of(Node::Entity(one.name.clone()))).collect();
            connection("EntityConnection", "EntityEdge", &Args::default(), items)
        }
        "organizations" => {
            let mine = state.organizations.keys();
            let mine = mine.filter(|organization| state.is_in_organization(name, organization));
            nodes(mine.map(|one| Node::Organization(one.clone())))
        }
        _ => return unplayed("User", field),
    })
}

pub fn entity_field(state: &State, caller: &Caller, name: &str, field: &str, args: &Args) -> Answer {
    let Some(entity) = state.entities.get(name) else {
        return Ok(null());
    };
    let role = state.role_in_entity(caller.name(), name);
    Ok(match field {
        "id" => leaf(global_id("Entity", entity.id)),
        "name" => leaf(entity.name.clone()),
        "available" | "privateOnly" | "codeSavingEnabled" | "xxhashDigestsEnabled" => leaf(false),
        "readOnly" => leaf(role.is_none_or(|role| role < Role::Member)),
        "readOnlyAdmin" => leaf(role != Some(Role::Admin)),
        "isTeam" => leaf(entity.kind == EntityKind::Team),
        "entityType" => leaf(match entity.kind {
            EntityKind::Team => "team",
            EntityKind::Personal => "user",
            EntityKind::Organization => "organization",
        }),
        "storageBytes" => leaf(0),
        "defaultAccess" => leaf("PRIVATE"),
        "isPaid" => leaf(true),
        "members" => {
            let members = entity.members.iter().map(|(name, role)| {
                let fields = vec![
                    ("id", leaf(name.clone())),
                    ("role", leaf(role.name())),
                    ("name", leaf(name.clone())),
                    ("username", leaf(name.clone())),
                    ("pending", leaf(false)),
                ];
                made("Member", fields)
            });
            Out::List(members.collect())
        }
        "organization" => entity
            .organization
            .clone()
            .map_or_else(null, |name| node(Node::Organization(name))),
        "user" if entity.kind == EntityKind::Personal => node(Node::User(name.to_owned())),
        "photoUrl" | "user" => null(),
        "project" => {
            let project = state.visible_project(caller, name, args.text("name").unwrap_or_default());
            project.map_or_else(null, |id| node(Node::Project(id)))
        }
        "projects" => registries::projects(state, caller, name, args)?,
        "artifactCollections" => registries::registry_collections(state, caller, name, args)?,
        "artifactMemberships" => registries::memberships(state, caller, name, args)?,
        _ => return unplayed("Entity", field),
    })
}

pub fn organization_field(state: &State, name: &str, field: &str) -> Answer {
    let Some(organization) = state.organizations.get(name) else {
        return Ok(null());
    };
    Ok(match field {
        "id" => leaf(global_id("Organization", organization.id)),
        "name" => leaf(organization.name.clone()),
        "orgEntity" => node(Node::Entity(organization.entity.clone())),
        "coreWeaveOrganizationId" => null(),
        "advancedRegistryFeatures" => made("AdvancedRegistryFeatures", vec![("advancedSearch", leaf(false))]),
        "featureFlags" => Out::List(Vec::new()),
        _ => return unplayed("Organization", field),
    })
}
