//! The organization whose registry it is. Pure.

use super::RegistryError;
use crate::wandb::{EntityOrganizations, Organization};

/// An organization with the entity that its registries are projects of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// As people see it.
    pub name: String,
    pub entity: String,
}

/// The organization of this entity; `wanted` is its name or the name of its entity.
pub fn choose(entity: &str, found: Option<EntityOrganizations>, wanted: Option<&str>) -> Result<Home, RegistryError> {
    let refuse = |needs: String| {
        Err(RegistryError::PermissionDenied {
            action: format!("find the registry of `{entity}`"),
            needs,
        })
    };
    let Some(found) = found else {
        return refuse(format!(
            "there is no entity `{entity}` in W&B, or this account does not see it: set `wandb.entity` to a team of the account"
        ));
    };
    let is_person = found.team.is_none();
    let all: Vec<Organization> = found.team.into_iter().chain(found.person).collect();
    let homes = all.into_iter().filter_map(|organization| {
        Some(Home {
            name: organization.name,
            entity: organization.entity?,
        })
    });
    let mut homes: Vec<Home> = homes.collect();
    if let Some(wanted) = wanted {
        let names = homes
            .iter()
            .map(|home| format!("`{}`", home.name))
            .collect::<Vec<_>>()
            .join(", ");
        homes.retain(|home| home.name == wanted || home.entity == wanted);
        if homes.is_empty() {
            let known = if names.is_empty() { "none".to_owned() } else { names };
            return refuse(format!(
                "`{entity}` is not of the organization `{wanted}`; it is of {known}"
            ));
        }
    }
    match homes.len() {
        0 if is_person => refuse(format!(
            "`{entity}` is a personal entity, and only a team's models can be in a registry: set `wandb.entity` to a team"
        )),
        0 => refuse(format!(
            "`{entity}` is of no organization, and registries belong to one"
        )),
        1 => Ok(homes.remove(0)),
        _ => {
            let names = homes
                .iter()
                .map(|home| format!("`{}`", home.name))
                .collect::<Vec<_>>()
                .join(", ");
            refuse(format!(
                "`{entity}` is of several organizations ({names}): say which by `wandb.organization`"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organization(name: &str, entity: Option<&str>) -> Organization {
        Organization {
            name: name.to_owned(),
            entity: entity.map(str::to_owned),
        }
    }

    fn chosen(team: Option<&str>, person: &[&str], wanted: Option<&str>) -> Result<String, String> {
        let of = |name: &&str| organization(name, Some(&format!("{name}-0x1")));
        let found = EntityOrganizations {
            team: team.as_ref().map(of),
            person: person.iter().map(of).collect(),
        };
        choose("acme", Some(found), wanted)
            .map(|home| home.entity)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_team_has_its_organization() {
        assert_eq!(chosen(Some("Acme"), &[], None).unwrap(), "Acme-0x1");
        assert_eq!(chosen(Some("Acme"), &[], Some("Acme-0x1")).unwrap(), "Acme-0x1");
        let other = chosen(Some("Acme"), &[], Some("Other")).unwrap_err();
        assert!(other.contains("it is of `Acme`"), "{other}");
    }

    #[test]
    fn a_person_says_which() {
        assert_eq!(chosen(None, &["Acme"], None).unwrap(), "Acme-0x1");
        assert_eq!(chosen(None, &["Acme", "Lab"], Some("Lab")).unwrap(), "Lab-0x1");
        let several = chosen(None, &["Acme", "Lab"], None).unwrap_err();
        assert!(
            several.contains("`Acme`, `Lab`") && several.contains("wandb.organization"),
            "{several}"
        );
        let none = chosen(None, &[], None).unwrap_err();
        assert!(none.contains("personal entity"), "{none}");
        let nobody = choose("acme", None, None).unwrap_err().to_string();
        assert!(nobody.contains("there is no entity `acme`"), "{nobody}");
    }
}
