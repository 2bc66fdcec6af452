//! Which environment a repository has, told from its files. Pure: files are read through a closure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::conda;
use super::error::EnvironmentError;
use super::marker::canonical;
use super::python::{Want, Wanted};
use super::requirements::Requirements;
use super::requirements_txt::{self, RequirementsTxt};
use super::{pipenv, poetry};
use crate::base::Digest;
use crate::sys::FileError;

/// What an environment is described by. The order is the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Uv,
    Pylock,
    Poetry,
    Pipenv,
    Requirements,
    Pyproject,
    Conda,
    Setup,
}

/// Each tool by the name it has in the configuration, the file that shows it, and what makes that file.
pub const TOOLS: &[(&str, Tool, &str, &str)] = &[
    ("uv", Tool::Uv, "uv.lock", "uv lock"),
    ("pylock", Tool::Pylock, "pylock.toml", "uv export -o pylock.toml"),
    ("poetry", Tool::Poetry, "poetry.lock", poetry::MEND),
    ("pipenv", Tool::Pipenv, "Pipfile.lock", pipenv::MEND),
    (
        "requirements",
        Tool::Requirements,
        "requirements.txt",
        "uv pip compile --generate-hashes -o requirements.txt",
    ),
    ("pyproject", Tool::Pyproject, "pyproject.toml", "uv init --bare"),
    (
        "conda",
        Tool::Conda,
        "environment.yml",
        "conda env export --from-history",
    ),
    ("setup", Tool::Setup, "setup.py", "uv init --bare"),
];

/// Extras that tests and linters stand in, by custom.
const EXTRAS: &[&str] = &["dev", "test", "tests", "testing", "lint"];
const PYPROJECT: &str = "pyproject.toml";
/// As many packages as a note can bear.
const MAX_NAMED: usize = 3;

/// How the environment is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `uv sync --locked`.
    UvLock {
        all_groups: bool,
        extras: Vec<String>,
    },
    Pylock,
    /// A lock that was converted here; with the project itself, if it is a package.
    Exact {
        requirements: Requirements,
        project: bool,
    },
    /// A lock that only Poetry itself can make a list of.
    PoetryExport {
        groups: BTreeSet<String>,
        project: bool,
    },
    /// A lock that only Pipenv itself can make a list of.
    PipenvExport,
    Txt(RequirementsTxt),
    /// `pyproject.toml` without a lock.
    Project {
        is_package: bool,
        extras: Vec<String>,
        groups: Vec<String>,
    },
    /// Lines for pip out of another file.
    Lines(Vec<String>),
    /// `setup.py`, `setup.cfg`.
    Setup,
}

/// What a repository's files say of its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub tool: Tool,
    pub source: Source,
    /// The file that won.
    pub file: String,
    /// Files of other tools, which were not used.
    pub also: Vec<String>,
    pub python: Wanted,
    /// Every file that was read, with the digest of its content.
    pub inputs: Vec<(String, Digest)>,
    /// Whether each version is fixed.
    pub is_locked: bool,
    /// Something of the checkout is installed by reference, so that the environment is that checkout's alone.
    pub is_bound: bool,
    /// Something of the checkout is copied into it, so that it has to be made again each time.
    pub is_copied: bool,
    pub notes: Vec<String>,
}

/// Reads a file of the repository.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<String, FileError>;

/// The files of a repository and what was read of them.
pub struct Reading<'a> {
    files: &'a [&'a str],
    read: Read<'a>,
    inputs: Vec<(String, Digest)>,
}

impl<'a> Reading<'a> {
    pub fn new(files: &'a [&'a str], read: Read<'a>) -> Self {
        Self {
            files,
            read,
            inputs: Vec::new(),
        }
    }

    fn has(&self, file: &str) -> bool {
        self.files.contains(&file)
    }

    pub fn text(&mut self, file: &str) -> Result<String, EnvironmentError> {
        let text = (self.read)(file).map_err(|error| EnvironmentError::Unreadable {
            file: file.to_owned(),
            why: if error.is_not_found() {
                "it is not there".to_owned()
            } else {
                error.to_string()
            },
        })?;
        if !self.inputs.iter().any(|(known, _)| known == file) {
            self.inputs.push((file.to_owned(), Digest::of(text.as_bytes())));
        }
        Ok(text)
    }

    fn toml(&mut self, file: &str) -> Result<toml::Table, EnvironmentError> {
        let text = self.text(file)?;
        parse_toml(file, &text)
    }
}

fn parse_toml(file: &str, text: &str) -> Result<toml::Table, EnvironmentError> {
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let place = before.map(|before| format!("line {}: ", before.split('\n').count()));
        EnvironmentError::Unreadable {
            file: file.to_owned(),
            why: place.unwrap_or_default() + &crate::base::clean(error.message(), 200),
        }
    })
}

/// The environment that the files of a repository describe: that of the first tool that has a file there.
///
/// `files` are paths from the root: those at the top, in `requirements/`, and the `__init__.py` of packages. `only` looks
/// for one tool alone. An error is a lock that is missing, old or unreadable; none is a repository without any.
pub fn detect(files: &[&str], read: Read<'_>, only: Option<Tool>) -> Result<Option<Detected>, EnvironmentError> {
    let mut reading = Reading::new(files, read);
    let pyproject = if reading.has(PYPROJECT) {
        Some(reading.toml(PYPROJECT)?)
    } else {
        None
    };
    let tools = TOOLS
        .iter()
        .map(|(_, tool, _, _)| *tool)
        .filter(|tool| only.is_none_or(|only| only == *tool));
    for tool in tools {
        if let Some(mut found) = attempt(tool, &mut reading, pyproject.as_ref())? {
            found.python = python(&mut reading, found.python, pyproject.as_ref(), &mut found.notes)?;
            found.also = others(files, &found);
            found.inputs = reading.inputs;
            if !found.is_bound && !matches!(tool, Tool::Poetry) {
                // Only its `requires-python` counted, and what became of that is known.
                found.inputs.retain(|(file, _)| file != PYPROJECT);
            }
            if !found.also.is_empty() && only.is_none() {
                found
                    .notes
                    .push(format!("`{}` decides; not used: {}", found.file, named(&found.also)));
            }
            return Ok(Some(found));
        }
    }
    match only {
        Some(only) => {
            let (_, _, wanted, mend) = TOOLS
                .iter()
                .find(|(_, tool, _, _)| *tool == only)
                .expect("every tool is in the table");
            Err(EnvironmentError::Absent { wanted, mend })
        }
        None => Ok(None),
    }
}

fn attempt(
    tool: Tool,
    reading: &mut Reading<'_>,
    pyproject: Option<&toml::Table>,
) -> Result<Option<Detected>, EnvironmentError> {
    match tool {
        Tool::Uv if reading.has("uv.lock") => uv(reading, pyproject).map(Some),
        Tool::Pylock if reading.has("pylock.toml") => {
            let lock = reading.toml("pylock.toml")?;
            let mut found = Detected::of(tool, Source::Pylock, "pylock.toml");
            found.python.0.extend(requires_python(&lock, "pylock.toml"));
            Ok(Some(found))
        }
        Tool::Poetry if reading.has(poetry::LOCK) => poetry_lock(reading, pyproject).map(Some),
        Tool::Pipenv if reading.has(pipenv::LOCK) => pipenv_lock(reading).map(Some),
        Tool::Requirements => txt(reading),
        // What has no lock comes behind the files of requirements, which are a lock of sorts.
        Tool::Pyproject => match pyproject {
            Some(pyproject) if poetry::settings(pyproject).is_some() => Err(not_locked(PYPROJECT, poetry::MEND)),
            Some(pyproject) if pyproject.contains_key("project") || pyproject.contains_key("dependency-groups") => {
                Ok(Some(project(pyproject)))
            }
            _ if reading.has(pipenv::PIPFILE) => Err(not_locked(pipenv::PIPFILE, pipenv::MEND)),
            _ => Ok(None),
        },
        Tool::Conda => match ["environment.yml", "environment.yaml"]
            .into_iter()
            .find(|file| reading.has(file))
        {
            Some(file) => conda_file(reading, file).map(Some),
            None => Ok(None),
        },
        Tool::Setup => match ["setup.py", "setup.cfg"].into_iter().find(|file| reading.has(file)) {
            // Many have a `setup.cfg` for the settings of linters alone.
            Some("setup.cfg") if !reading.text("setup.cfg")?.contains("[options]") => Ok(None),
            Some(file) => {
                reading.text(file)?;
                let mut found = Detected::of(tool, Source::Setup, file);
                found.is_bound = true;
                found.open(&format!(
                    "`{file}` fixes no versions; `uv lock` in a project with `pyproject.toml` does"
                ));
                Ok(Some(found))
            }
            None => Ok(None),
        },
        Tool::Uv | Tool::Pylock | Tool::Poetry | Tool::Pipenv => Ok(None),
    }
}

impl Detected {
    fn of(tool: Tool, source: Source, file: &str) -> Self {
        Self {
            tool,
            source,
            file: file.to_owned(),
            also: Vec::new(),
            python: Wanted::default(),
            inputs: Vec::new(),
            is_locked: true,
            is_bound: false,
            is_copied: false,
            notes: Vec::new(),
        }
    }

    fn open(&mut self, why: &str) {
        self.is_locked = false;
        self.notes.push(format!("not locked: {why}"));
    }

    /// A lock that was converted here.
    fn exact(tool: Tool, file: &str, requirements: Requirements, project: bool) -> Self {
        let unverified: Vec<String> = requirements.unverified().into_iter().map(str::to_owned).collect();
        let (is_bound, is_copied) = (requirements.has_paths(), requirements.has_copied_paths());
        let mut found = Self::of(tool, Source::Exact { requirements, project }, file);
        found.is_bound = is_bound || project;
        found.is_copied = is_copied;
        if !unverified.is_empty() {
            found
                .notes
                .push(format!("`{file}` has no hash of {}", named(&unverified)));
        }
        found
    }
}

fn uv(reading: &mut Reading<'_>, pyproject: Option<&toml::Table>) -> Result<Detected, EnvironmentError> {
    let lock = reading.text("uv.lock")?;
    let Some(pyproject) = pyproject else {
        return Err(EnvironmentError::Unreadable {
            file: "uv.lock".to_owned(),
            why: "there is no `pyproject.toml` beside it".to_owned(),
        });
    };
    let has_conflicts = pyproject
        .get("tool")
        .and_then(|tool| tool.get("uv")?.get("conflicts"))
        .is_some();
    let extras = if has_conflicts { Vec::new() } else { extras(pyproject) };
    let source = Source::UvLock {
        all_groups: !has_conflicts,
        extras,
    };
    let mut found = Detected::of(Tool::Uv, source, "uv.lock");
    if has_conflicts {
        found
            .notes
            .push("some groups contradict each other, so uv takes its default groups".to_owned());
    }
    found.is_bound = true;
    found.is_copied = lock.contains("source = { directory = ") || lock.contains("source = { path = ");
    Ok(found)
}

fn poetry_lock(reading: &mut Reading<'_>, pyproject: Option<&toml::Table>) -> Result<Detected, EnvironmentError> {
    let text = reading.text(poetry::LOCK)?;
    let lock = parse_toml(poetry::LOCK, &text)?;
    let Some(pyproject) = pyproject else {
        return Err(EnvironmentError::Unreadable {
            file: poetry::LOCK.to_owned(),
            why: "there is no `pyproject.toml` beside it".to_owned(),
        });
    };
    let freshness = poetry::is_fresh(pyproject, &lock, &text);
    if freshness == Some(false) {
        return Err(stale(poetry::LOCK, PYPROJECT, poetry::MEND));
    }
    let folder = poetry::name(pyproject)
        .map(|name| canonical(name).replace('-', "_"))
        .unwrap_or_default();
    let has_folder = [format!("{folder}/__init__.py"), format!("src/{folder}/__init__.py")]
        .iter()
        .any(|file| reading.has(file));
    let names_packages = poetry::settings(pyproject).is_some_and(|poetry| poetry.contains_key("packages"));
    let project = poetry::is_package(pyproject) && (has_folder || names_packages);
    let groups = poetry::groups(pyproject);
    let mut found = if poetry::is_complete(&lock) {
        let requirements = poetry::requirements(&lock, &groups, &extras(pyproject))?;
        Detected::exact(Tool::Poetry, poetry::LOCK, requirements, project)
    } else {
        let mut found = Detected::of(Tool::Poetry, Source::PoetryExport { groups, project }, poetry::LOCK);
        found.is_bound = true;
        found.notes.push(
            "`poetry.lock` was made before Poetry 2, so Poetry itself, in its newest version, makes the list of it; \
             `poetry lock` with Poetry 2 saves that"
                .to_owned(),
        );
        found
    };
    if freshness.is_none() {
        found
            .notes
            .push("whether `poetry.lock` is of this `pyproject.toml` can not be told".to_owned());
    }
    found.python = poetry::wanted(pyproject);
    Ok(found)
}

fn pipenv_lock(reading: &mut Reading<'_>) -> Result<Detected, EnvironmentError> {
    let text = reading.text(pipenv::LOCK)?;
    let lock: Value = serde_json::from_str(&text).map_err(|error| EnvironmentError::Unreadable {
        file: pipenv::LOCK.to_owned(),
        why: error.to_string(),
    })?;
    let mut notes = Vec::new();
    let mut python = Wanted::default();
    if reading.has(pipenv::PIPFILE) {
        let pipfile = reading.toml(pipenv::PIPFILE)?;
        match pipenv::is_fresh(&pipfile, &lock) {
            Some(true) => {}
            Some(false) => return Err(stale(pipenv::LOCK, pipenv::PIPFILE, pipenv::MEND)),
            None => notes.push("whether `Pipfile.lock` is of this `Pipfile` can not be told".to_owned()),
        }
        python = pipenv::wanted(&pipfile);
    } else {
        notes.push("there is no `Pipfile` that `Pipfile.lock` could be held against".to_owned());
    }
    let mut found = if lock.pointer("/_meta/pipfile-spec").and_then(Value::as_u64) == Some(6) {
        Detected::exact(Tool::Pipenv, pipenv::LOCK, pipenv::requirements(&lock)?, false)
    } else {
        notes.push("`Pipfile.lock` is of another format, so Pipenv itself makes the list of it".to_owned());
        let mut found = Detected::of(Tool::Pipenv, Source::PipenvExport, pipenv::LOCK);
        found.is_bound = true;
        found
    };
    found.notes.append(&mut notes);
    found.python = python;
    Ok(found)
}

fn txt(reading: &mut Reading<'_>) -> Result<Option<Detected>, EnvironmentError> {
    let (taken, left) = requirements_txt::choose(reading.files);
    let Some(first) = taken.first().copied() else {
        return Ok(None);
    };
    let read = requirements_txt::read(&taken, reading)?;
    let mut found = Detected::of(Tool::Requirements, Source::Txt(read.clone()), first);
    found.is_bound = read.n_paths > 0;
    found.is_copied = read.n_copied > 0;
    if found.is_bound {
        for file in ["setup.py", "setup.cfg"] {
            if reading.has(file) {
                reading.text(file)?;
            }
        }
    }
    if !read.open.is_empty() {
        found.open(&format!(
            "{} of {} lines of `{first}` leave the version open: {}; `uv pip compile --generate-hashes` fixes them",
            read.open.len(),
            read.n_lines,
            named(&read.open)
        ));
    } else if !read.is_hashed() {
        found
            .notes
            .push(format!("{} of {} lines have hashes", read.n_hashed, read.n_lines));
    }
    if !left.is_empty() {
        let left: Vec<String> = left.into_iter().map(str::to_owned).collect();
        found.notes.push(format!("not installed: {}", named(&left)));
    }
    Ok(Some(found))
}

fn project(pyproject: &toml::Table) -> Detected {
    let has_conflicts = pyproject
        .get("tool")
        .and_then(|tool| tool.get("uv")?.get("conflicts"))
        .is_some();
    let groups = pyproject
        .get("dependency-groups")
        .and_then(toml::Value::as_table)
        .filter(|_| !has_conflicts);
    let source = Source::Project {
        is_package: pyproject.contains_key("build-system"),
        extras: extras(pyproject),
        groups: groups.into_iter().flat_map(toml::Table::keys).cloned().collect(),
    };
    let mut found = Detected::of(Tool::Pyproject, source, PYPROJECT);
    found.is_bound = true;
    found.open("`pyproject.toml` has no lock beside it; `uv lock` makes one");
    found
}

fn conda_file(reading: &mut Reading<'_>, file: &str) -> Result<Detected, EnvironmentError> {
    let text = reading.text(file)?;
    let conda = conda::read(file, &text)?;
    let mut found = Detected::of(Tool::Conda, Source::Lines(conda.pip.clone()), file);
    found.python = conda.python;
    // What its lines include is not followed, so it may be about files here.
    found.is_bound = conda.pip.iter().any(|line| line.starts_with(['-', '.', '/']));
    found.is_copied = found.is_bound;
    found.open(&format!(
        "only the `pip:` part of `{file}` is installed, and nothing fixes what that depends on"
    ));
    Ok(found)
}

/// What the project's own files ask for besides: `.python-version`, and `requires-python`.
fn python(
    reading: &mut Reading<'_>,
    of_tool: Wanted,
    pyproject: Option<&toml::Table>,
    notes: &mut Vec<String>,
) -> Result<Wanted, EnvironmentError> {
    let mut wants = Vec::new();
    if reading.has(".python-version") {
        let text = reading.text(".python-version")?;
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'));
        let want = line.and_then(|line| Want::version(line, ".python-version"));
        if want.is_none() {
            let line = crate::base::clean(line.unwrap_or_default(), 40);
            notes.push(format!(
                "`.python-version` says `{line}`, which is no version of Python"
            ));
        }
        wants.extend(want);
    }
    wants.extend(of_tool.0);
    let project = pyproject.and_then(|pyproject| pyproject.get("project")?.as_table());
    wants.extend(project.and_then(|project| requires_python(project, PYPROJECT)));
    Ok(Wanted(wants))
}

fn requires_python(table: &toml::Table, file: &str) -> Option<Want> {
    Want::range(table.get("requires-python")?.as_str()?, file)
}

fn extras(pyproject: &toml::Table) -> Vec<String> {
    let modern = pyproject
        .get("project")
        .and_then(|project| project.get("optional-dependencies"));
    let legacy = poetry::settings(pyproject).and_then(|poetry| poetry.get("extras"));
    let tables = [modern, legacy].into_iter().flatten().filter_map(toml::Value::as_table);
    let names = tables
        .flat_map(toml::Table::keys)
        .filter(|name| EXTRAS.contains(&name.as_str()));
    names.cloned().collect()
}

/// Files of the other tools.
fn others(files: &[&str], found: &Detected) -> Vec<String> {
    let rest = [pipenv::PIPFILE, "setup.cfg", "environment.yaml"];
    let names = TOOLS.iter().map(|(_, _, file, _)| *file).chain(rest);
    let is_own = |file: &str| match found.tool {
        Tool::Pipenv => file == pipenv::PIPFILE,
        Tool::Uv | Tool::Poetry => file == PYPROJECT,
        Tool::Setup => file == "setup.cfg",
        Tool::Pylock | Tool::Requirements | Tool::Pyproject | Tool::Conda => false,
    };
    // Settings of linters and builds are in these too: nothing speaks for packages.
    let speaks = |file: &str| !matches!(file, "pyproject.toml" | "setup.py" | "setup.cfg");
    names
        .filter(|file| files.contains(file) && *file != found.file && !is_own(file) && speaks(file))
        .map(str::to_owned)
        .collect()
}

fn named(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown.join(", "),
        others => format!("{} and {others} more", shown.join(", ")),
    }
}

fn not_locked(file: &str, mend: &'static str) -> EnvironmentError {
    EnvironmentError::NotLocked {
        file: file.to_owned(),
        mend,
    }
}

fn stale(lock: &str, of: &str, mend: &'static str) -> EnvironmentError {
    EnvironmentError::Stale {
        lock: lock.to_owned(),
        of: of.to_owned(),
        mend,
    }
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;
