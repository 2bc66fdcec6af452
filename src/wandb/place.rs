//! What a call was about and who made it, so that a refusal can name both. Pure.

use serde_json::Value;

use super::error::clean;

/// What a refused call needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Read,
    Write,
}

/// What is known about a call: who made it, and on what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub user: Option<String>,
    pub entity: Option<String>,
    pub project: Option<String>,
    pub alias: Option<String>,
}

/// How the project of a registry is named.
const REGISTRY: &str = "wandb-registry-";

impl Place {
    /// Out of the variables of an operation, where they name an entity, a project and an alias.
    pub fn of(variables: &Value) -> Self {
        let input = variables.get("input");
        let alias = input.and_then(|input| input.get("aliases")?.get(0));
        let find = |names: &[&str]| {
            [Some(variables), input, alias]
                .into_iter()
                .flatten()
                .find_map(|holder| names.iter().find_map(|name| holder.get(name)?.as_str()))
                .map(|text| clean(text, 150))
        };
        // The alias of a new artifact is not one that somebody protects.
        let moved = alias.filter(|alias| alias.get("entityName").is_some());
        Self {
            user: None,
            entity: find(&["entity", "entityName"]),
            project: find(&["project", "projectName", "modelName"]),
            alias: moved.and_then(|alias| Some(clean(alias.get("alias")?.as_str()?, 150))),
        }
    }

    /// What is not known yet.
    pub fn fill(&mut self, more: &Self) {
        for (mine, other) in [
            (&mut self.user, &more.user),
            (&mut self.entity, &more.entity),
            (&mut self.project, &more.project),
            (&mut self.alias, &more.alias),
        ] {
            if mine.is_none() {
                mine.clone_from(other);
            }
        }
    }

    fn registry(&self) -> Option<&str> {
        self.project.as_deref()?.strip_prefix(REGISTRY)
    }

    /// ``project `acme/diabetes` ``.
    fn named(&self) -> Option<String> {
        if let Some(registry) = self.registry() {
            let of = self.entity.as_deref().map(|entity| format!(" of `{entity}`"));
            return Some(format!("registry `{registry}`{}", of.unwrap_or_default()));
        }
        match (&self.entity, &self.project) {
            (Some(entity), Some(project)) => Some(format!("project `{entity}/{project}`")),
            (Some(entity), None) => Some(format!("entity `{entity}`")),
            (None, Some(project)) => Some(format!("project `{project}` of the key's own entity")),
            (None, None) => None,
        }
    }

    /// `` in project `acme/diabetes` ``, or nothing.
    pub fn somewhere(&self) -> String {
        self.named().map_or_else(String::new, |named| format!(" in {named}"))
    }

    /// ``user `ci-bot` may not write to project `acme/diabetes` (permission denied)``.
    pub fn refused(&self, right: Right, message: &str) -> String {
        let Some(named) = self.named() else {
            return match &self.user {
                Some(user) => format!("user `{user}` may not: {message}"),
                None => message.to_owned(),
            };
        };
        let who = match &self.user {
            Some(user) => format!("user `{user}`"),
            None => "the owner of the key".to_owned(),
        };
        let may_not = match (right, &self.alias) {
            (Right::Write, Some(alias)) => format!("give or take the alias `{alias}` in"),
            (Right::Write, None) => "write to".to_owned(),
            (Right::Read, _) => "read".to_owned(),
        };
        format!("{who} may not {may_not} {named} ({message})")
    }

    /// What to do about it.
    pub fn hint(&self, right: Right) -> String {
        match (self.registry(), &self.alias, right) {
            (Some(_), Some(alias), Right::Write) => format!(
                "; if `{alias}` is protected, only admins of the registry may: ask one, or give this user the role Admin \
                 there"
            ),
            (Some(_), None, Right::Write) => "; it takes the role Member in the registry".to_owned(),
            (Some(_), _, Right::Read) => "; it takes the role Viewer in the registry".to_owned(),
            (None, ..) if self.entity.is_some() => {
                "; is that the right entity, and is this user a member of it?".to_owned()
            }
            (None, ..) => String::new(),
        }
    }
}
