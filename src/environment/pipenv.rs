//! Pipenv's files: is the lock of this `Pipfile`, and what does it install. Pure.
//!
//! Oracle: `pipenv lock` and `pipenv requirements --dev --hash` in `fixtures/environment`.

use serde_json::Value;

use super::error::EnvironmentError;
use super::marker::canonical;
use super::python::{Want, Wanted};
use super::requirements::{Origin, Requirement, Requirements};
use super::toml_json::{self, COMPACT};
use crate::base::Digest;

pub const PIPFILE: &str = "Pipfile";
pub const LOCK: &str = "Pipfile.lock";
pub const MEND: &str = "pipenv lock";

/// Sections that are no category of packages.
const SECTIONS: &[&str] = &[
    "source",
    "packages",
    "dev-packages",
    "requires",
    "scripts",
    "pipfile",
    "pipenv",
    "default",
    "develop",
];
/// Version control that neither pip's index nor uv can stand in for.
const OTHER_VCS: &[&str] = &["hg", "svn", "bzr"];

/// The Python that a `Pipfile` asks for.
pub fn wanted(pipfile: &toml::Table) -> Wanted {
    let ask = |key: &str| pipfile.get("requires")?.get(key)?.as_str();
    // The full version is the narrower one of the two.
    let text = ask("python_full_version").or_else(|| ask("python_version"));
    Wanted(text.and_then(|text| Want::version(text, PIPFILE)).into_iter().collect())
}

/// Whether the lock was made of this `Pipfile`; `None` when that can not be told.
pub fn is_fresh(pipfile: &toml::Table, lock: &Value) -> Option<bool> {
    let locked = lock.pointer("/_meta/hash/sha256")?.as_str()?;
    // Pipenv has written the names of packages as they are, and now writes them canonical.
    Some(hash(pipfile, canonical)? == locked || hash(pipfile, str::to_owned)? == locked)
}

/// The `sha256` that Pipenv keeps of a `Pipfile` (plette's `Pipfile.get_hash`).
fn hash(pipfile: &toml::Table, named: fn(&str) -> String) -> Option<String> {
    let empty = || toml::Value::Table(toml::Table::new());
    let section = |key: &str| {
        let packages = pipfile
            .get(key)
            .and_then(toml::Value::as_table)
            .cloned()
            .unwrap_or_default();
        let renamed = packages.into_iter().map(|(name, value)| (named(&name), value));
        toml::Value::Table(renamed.collect())
    };
    let mut meta = toml::Table::new();
    let sources = pipfile.get("source").cloned().unwrap_or_else(default_sources);
    meta.insert("sources".to_owned(), sources);
    meta.insert(
        "requires".to_owned(),
        pipfile.get("requires").cloned().unwrap_or_else(empty),
    );
    let mut data = toml::Table::new();
    data.insert("_meta".to_owned(), toml::Value::Table(meta));
    data.insert("default".to_owned(), section("packages"));
    data.insert("develop".to_owned(), section("dev-packages"));
    for category in pipfile.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
        data.insert(category.clone(), section(category));
    }
    let mut text = String::new();
    toml_json::dump(&toml::Value::Table(data), COMPACT, &mut text).then(|| Digest::of(text.as_bytes()).hex())
}

fn default_sources() -> toml::Value {
    let mut source = toml::Table::new();
    source.insert("name".to_owned(), "pypi".into());
    source.insert("url".to_owned(), "https://pypi.org/simple".into());
    source.insert("verify_ssl".to_owned(), true.into());
    toml::Value::Array(vec![source.into()])
}

/// What the lock installs: `default` and `develop`, where the former decides about what is in both.
pub fn requirements(lock: &Value) -> Result<Requirements, EnvironmentError> {
    let unreadable = |why: &str| EnvironmentError::Unreadable {
        file: LOCK.to_owned(),
        why: why.to_owned(),
    };
    let sources = lock.pointer("/_meta/sources").and_then(Value::as_array);
    let mut urls = sources
        .into_iter()
        .flatten()
        .filter_map(|source| source.get("url")?.as_str())
        .map(braced);
    let (index, extra_indexes) = (urls.next(), urls.collect());
    let section = |key: &str| match lock.get(key) {
        None => Ok(None),
        Some(Value::Object(packages)) => Ok(Some(packages)),
        Some(_) => Err(unreadable(&format!("`{key}` is no table of packages"))),
    };
    let (default, develop) = (section("default")?, section("develop")?);
    if default.is_none() && develop.is_none() {
        return Err(unreadable("it has neither `default` nor `develop`"));
    }
    let is_default = |name: &String| default.is_some_and(|packages| packages.contains_key(name));
    let only_develop = develop.into_iter().flatten().filter(|(name, _)| !is_default(name));
    let packages = only_develop
        .chain(default.into_iter().flatten())
        .map(|(name, entry)| requirement(name, entry))
        .collect::<Result<_, _>>()?;
    Ok(Requirements {
        index,
        extra_indexes,
        packages,
    })
}

fn requirement(name: &str, entry: &Value) -> Result<Requirement, EnvironmentError> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let texts = |key: &str| {
        let listed = entry.get(key).and_then(Value::as_array).into_iter().flatten();
        listed.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    if let Some(vcs) = OTHER_VCS.iter().find(|vcs| text(vcs).is_some()) {
        return Err(EnvironmentError::Unsupported {
            file: LOCK.to_owned(),
            why: format!("`{name}` comes from {vcs}, of which uv knows nothing"),
            help: "take the package from Git or from an index",
        });
    }
    let extras = texts("extras");
    let full_name = if extras.is_empty() {
        name.to_owned()
    } else {
        format!("{name}[{}]", extras.join(","))
    };
    let is_editable = entry.get("editable").and_then(Value::as_bool).unwrap_or(false);
    let origin = if let Some(url) = text("git") {
        Origin::Address(git(url, text("ref"), text("subdirectory")))
    } else if let Some(path) = text("path").or_else(|| text("file")) {
        let extras = full_name.strip_prefix(name).unwrap_or_default();
        Origin::Path {
            path: format!("{path}{extras}"),
            editable: is_editable && !path.contains("://"),
        }
    } else {
        let version = entry.as_str().map(|version| format!("=={version}"));
        let version = version
            .or_else(|| text("version").map(str::to_owned))
            .unwrap_or_default();
        Origin::Index(if version.ends_with('*') && !version.contains(".*") {
            String::new()
        } else {
            version
        })
    };
    let hashes = match origin {
        Origin::Index(_) => texts("hashes").into_iter().map(str::to_owned).collect(),
        Origin::Address(_) | Origin::Path { .. } => Vec::new(),
    };
    let marker = text("markers").or_else(|| text("os_markers"));
    for part in [Some(full_name.as_str()), marker]
        .into_iter()
        .flatten()
        .chain(hashes.iter().map(String::as_str))
    {
        one_line(name, part)?;
    }
    let (Origin::Index(place) | Origin::Address(place) | Origin::Path { path: place, .. }) = &origin;
    one_line(name, place)?;
    Ok(Requirement {
        name: full_name,
        origin,
        marker: marker.map(str::to_owned),
        hashes,
    })
}

/// Refuses what would be a line of its own in a file of requirements.
fn one_line(name: &str, text: &str) -> Result<(), EnvironmentError> {
    if text.contains(['\n', '\r']) || name.starts_with('-') {
        return Err(EnvironmentError::Unreadable {
            file: LOCK.to_owned(),
            why: "an entry has a name or a value that no package has".to_owned(),
        });
    }
    Ok(())
}

/// `git+URL@ref#subdirectory=…`; a ref may stand in the address already.
fn git(url: &str, reference: Option<&str>, subdirectory: Option<&str>) -> String {
    let url = url.strip_prefix("git+").unwrap_or(url);
    let path = url.find("://").map_or(0, |at| at + 3);
    let host_end = url[path..].find('/').map_or(url.len(), |at| path + at);
    let (url, in_url) = match url[host_end..].rsplit_once('@') {
        Some((before, after)) => (&url[..host_end + before.len()], Some(after)),
        None => (url, None),
    };
    let mut address = format!("git+{url}");
    if let Some(reference) = reference.or(in_url) {
        address.push('@');
        address.push_str(reference);
    }
    if let Some(subdirectory) = subdirectory {
        address.push_str("#subdirectory=");
        address.push_str(subdirectory);
    }
    address
}

/// `$NAME` as `${NAME}`, the only form that pip and uv fill in.
fn braced(url: &str) -> String {
    let mut out = String::with_capacity(url.len());
    let mut rest = url;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        if length > 0 && !rest.starts_with(|c: char| c.is_ascii_digit()) {
            out.push('{');
            out.push_str(&rest[..length]);
            out.push('}');
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[path = "pipenv_tests.rs"]
mod tests;
