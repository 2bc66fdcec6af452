//! Poetry's files: is the lock of this `pyproject.toml`, and what does it install. Pure.
//!
//! Oracle: `poetry lock` of four versions and `poetry export` in `fixtures/environment`.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::error::EnvironmentError;
use super::marker::{Marker, canonical, with_extras};
use super::python::{Want, Wanted};
use super::requirements::{Origin, Requirement, Requirements};
use super::toml_json::{self, SPACED};
use crate::base::Digest;

pub const LOCK: &str = "poetry.lock";
pub const MEND: &str = "poetry lock";

const LEGACY_KEYS: &[&str] = &["dependencies", "source", "extras", "dev-dependencies"];
const PROJECT_KEYS: &[&str] = &["requires-python", "dependencies", "optional-dependencies"];
/// `poetry export` takes these and no other.
const HASHES: &[&str] = &["sha256:", "sha384:", "sha512:"];

pub fn settings(pyproject: &Table) -> Option<&Table> {
    pyproject.get("tool")?.get("poetry")?.as_table()
}

/// The Python that `[tool.poetry.dependencies]` asks for.
pub fn wanted(pyproject: &Table) -> Wanted {
    let python = settings(pyproject)
        .and_then(|poetry| poetry.get("dependencies")?.get("python"))
        .and_then(|python| python.as_str().or_else(|| python.get("version")?.as_str()));
    let want = python.and_then(|text| Want::range(text, "pyproject.toml"));
    Wanted(want.into_iter().collect())
}

/// Whether the lock was made of this `pyproject.toml`; `None` when that can not be told.
pub fn is_fresh(pyproject: &Table, lock: &Table, lock_text: &str) -> Option<bool> {
    let locked = lock.get("metadata")?.get("content-hash")?.as_str()?;
    if content_hash(pyproject, true)? == locked {
        return Some(true);
    }
    // Until 2.3 the groups of PEP 735 did not count.
    let is_old = lock_text
        .lines()
        .next()
        .and_then(|line| line.split("Poetry ").nth(1))
        .and_then(|rest| super::python::PythonVersion::parse(rest.split(' ').next()?))
        .is_some_and(|poetry| poetry.0 < [2, 3, 0]);
    Some(is_old && content_hash(pyproject, false)? == locked)
}

/// Poetry's `Locker._get_content_hash`.
fn content_hash(pyproject: &Table, with_groups: bool) -> Option<String> {
    let empty = Table::new();
    let table = |value: Option<&Value>| value.and_then(Value::as_table).cloned();
    let project = table(pyproject.get("project")).unwrap_or_default();
    let relevant_project: Table = project
        .into_iter()
        .filter(|(key, _)| PROJECT_KEYS.contains(&key.as_str()))
        .collect();
    let groups = table(pyproject.get("dependency-groups"))
        .filter(|_| with_groups)
        .unwrap_or_default();
    let poetry = settings(pyproject).unwrap_or(&empty);
    let is_modern = !relevant_project.is_empty() || !groups.is_empty();
    let names: Vec<String> = LEGACY_KEYS
        .iter()
        .chain(&["group"])
        .map(|&key| key.to_owned())
        .collect();
    let relevant_poetry = names.iter().map(|key| (key, poetry.get(key))).filter(|(key, value)| {
        // Absent ones were written as `null` before there was `[project]`.
        value.is_some() || (!is_modern && key.as_str() != "group")
    });
    let mut text = String::new();
    let mut is_known = true;
    if is_modern {
        text.push('{');
        if !groups.is_empty() {
            text.push_str("\"dependency-groups\": ");
            is_known &= toml_json::dump(&Value::Table(groups), SPACED, &mut text);
            text.push_str(", ");
        }
        if !relevant_project.is_empty() {
            text.push_str("\"project\": ");
            is_known &= toml_json::dump(&Value::Table(relevant_project), SPACED, &mut text);
            text.push_str(", ");
        }
        text.push_str("\"tool\": {\"poetry\": ");
        is_known &= toml_json::object(relevant_poetry, SPACED, &mut text);
        text.push_str("}}");
    } else {
        is_known &= toml_json::object(relevant_poetry, SPACED, &mut text);
    }
    is_known.then(|| Digest::of(text.as_bytes()).hex())
}

/// The groups that `poetry install` takes: all that are not optional.
pub fn groups(pyproject: &Table) -> BTreeSet<String> {
    let named = |value: Option<&Value>| value.and_then(Value::as_table).cloned().unwrap_or_default();
    let poetry = settings(pyproject).cloned().unwrap_or_default();
    let own = named(poetry.get("group"));
    let is_optional = |name: &str| {
        let group = own
            .iter()
            .find(|(own, _)| canonical(own) == name)
            .map(|(_, group)| group);
        group
            .and_then(|group| group.get("optional")?.as_bool())
            .unwrap_or(false)
    };
    let mut groups: BTreeSet<String> = own
        .keys()
        .chain(named(pyproject.get("dependency-groups")).keys())
        .map(|name| canonical(name))
        .collect();
    groups.retain(|name| !is_optional(name));
    groups.insert("main".to_owned());
    if poetry.contains_key("dev-dependencies") {
        groups.insert("dev".to_owned());
    }
    groups
}

/// Whether the lock says of each package in which groups and when it is wanted, as it does since Poetry 2.
pub fn is_complete(lock: &Table) -> bool {
    let version = lock
        .get("metadata")
        .and_then(|metadata| metadata.get("lock-version")?.as_str());
    let mut parts = version
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse().unwrap_or(0_u32));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    ((2, 1)..(3, 0)).contains(&version)
}

/// What the lock installs for these groups and extras.
pub fn requirements(
    lock: &Table,
    groups: &BTreeSet<String>,
    extras: &[String],
) -> Result<Requirements, EnvironmentError> {
    let mut found = Requirements::default();
    let mut indexes: Vec<Option<String>> = Vec::new();
    let packages = lock
        .get("package")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for entry in packages {
        let Some(requirement) = requirement(entry, groups, extras)? else {
            continue;
        };
        if matches!(requirement.origin, Origin::Index(_)) {
            let source = entry.get("source").and_then(|source| source.get("url")?.as_str());
            let url = source.map(|url| url.trim_end_matches('/').to_owned());
            if !indexes.contains(&url) {
                indexes.push(url);
            }
        }
        found.packages.push(requirement);
    }
    // A package without a source is PyPI's. Where every package names one, PyPI may be out of reach.
    if indexes.contains(&None) {
        found.extra_indexes = indexes.into_iter().flatten().collect();
    } else {
        let mut urls = indexes.into_iter().flatten();
        found.index = urls.next();
        found.extra_indexes = urls.collect();
    }
    if found
        .index
        .iter()
        .chain(&found.extra_indexes)
        .any(|url| url.contains(char::is_whitespace))
    {
        return Err(unreadable("the address of a source has a space in it"));
    }
    Ok(found)
}

fn requirement(
    entry: &Value,
    groups: &BTreeSet<String>,
    extras: &[String],
) -> Result<Option<Requirement>, EnvironmentError> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let listed = |key: &str| entry.get(key).and_then(Value::as_array).into_iter().flatten();
    let name = canonical(text("name").ok_or_else(|| unreadable("a package has no name"))?);
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !name.starts_with('-');
    if !is_name || name.is_empty() {
        return Err(unreadable("a package has a name that no package has"));
    }
    let version = text("version").ok_or_else(|| unreadable(&format!("`{name}` has no version")))?;
    let mut marker = Marker::Never;
    for group in listed("groups").filter_map(Value::as_str).map(canonical) {
        if !groups.contains(&group) {
            continue;
        }
        let written = match entry.get("markers") {
            None => None,
            Some(Value::String(text)) => Some(text.as_str()),
            Some(Value::Table(by_group)) => by_group
                .iter()
                .find(|(key, _)| canonical(key) == group)
                .and_then(|(_, text)| text.as_str()),
            Some(_) => return Err(unreadable(&format!("the markers of `{name}` are no text"))),
        };
        let in_group = match written {
            None | Some("*" | "") => Marker::Always,
            Some(text) => with_extras(text, extras)
                .ok_or_else(|| unreadable(&format!("`{name}` has markers that are none: `{text}`")))?,
        };
        marker = marker.or(in_group);
    }
    let marker = match marker {
        Marker::Never => return Ok(None),
        Marker::Always => None,
        Marker::When(text) => Some(text),
    };
    let source = |key: &str| entry.get("source").and_then(|source| source.get(key)?.as_str());
    let url = || source("url").ok_or_else(|| unreadable(&format!("the source of `{name}` has no address")));
    let origin = match source("type") {
        None | Some("legacy") => Origin::Index(format!("=={version}")),
        Some("git") => {
            let commit = source("resolved_reference")
                .or_else(|| source("reference"))
                .unwrap_or("HEAD");
            let inside = source("subdirectory")
                .map(|inside| format!("#subdirectory={inside}"))
                .unwrap_or_default();
            Origin::Address(format!("git+{}@{commit}{inside}", url()?))
        }
        Some("url") => Origin::Address(url()?.to_owned()),
        Some("directory" | "file") => Origin::Path {
            path: url()?.to_owned(),
            editable: entry.get("develop").and_then(Value::as_bool).unwrap_or(false),
        },
        Some(other) => {
            return Err(unreadable(&format!(
                "`{name}` comes from a source of the kind `{other}`"
            )));
        }
    };
    let mut hashes: Vec<String> = match origin {
        Origin::Path { .. } => Vec::new(),
        Origin::Index(_) | Origin::Address(_) => listed("files")
            .filter_map(|file| file.get("hash")?.as_str())
            .map(|hash| {
                if hash.contains(':') {
                    hash.to_owned()
                } else {
                    format!("sha256:{hash}")
                }
            })
            .filter(|hash| HASHES.iter().any(|kind| hash.starts_with(kind)))
            .collect(),
    };
    hashes.sort();
    let requirement = Requirement {
        name,
        origin,
        marker,
        hashes,
    };
    if requirement.line("").contains(['\n', '\r']) {
        return Err(unreadable(&format!(
            "`{}` has a line break in its entry",
            requirement.name
        )));
    }
    Ok(Some(requirement))
}

/// Whether `poetry install` would also install the project itself.
pub fn is_package(pyproject: &Table) -> bool {
    let poetry = settings(pyproject);
    let mode = poetry.and_then(|poetry| poetry.get("package-mode")?.as_bool());
    mode.unwrap_or(true) && name(pyproject).is_some() && pyproject.contains_key("build-system")
}

/// What the project calls itself.
pub fn name(pyproject: &Table) -> Option<&str> {
    let named = |table: &Table| table.get("name").and_then(Value::as_str).map(str::to_owned).is_some();
    let project = pyproject
        .get("project")
        .and_then(Value::as_table)
        .filter(|table| named(table));
    project.or(settings(pyproject))?.get("name")?.as_str()
}

fn unreadable(why: &str) -> EnvironmentError {
    EnvironmentError::Unreadable {
        file: LOCK.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
#[path = "poetry_tests.rs"]
mod tests;
