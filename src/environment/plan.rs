//! The steps that build an environment, and the key by which it is found again. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::detect::{Detected, Source};
use super::error::EnvironmentError;
use super::python::PythonVersion;
use super::requirements::Requirements;
use crate::base::Digest;

/// Environments that nothing was built in for so many days are removed when another one is made.
const KEPT_DAYS: u32 = 30;
/// Raised when an environment would be made otherwise from the same files.
const EDITION: &str = "1";

/// Where things lie. All but the checkout are on one mount, so that uv can link instead of copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
    pub venvs: PathBuf,
    pub uv_cache: PathBuf,
    /// Interpreters that uv installed.
    pub pythons: PathBuf,
    /// Lists of packages that a lock was converted to.
    pub lists: PathBuf,
}

/// An interpreter that is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    pub version: PythonVersion,
    pub path: PathBuf,
}

/// What there is to build with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// The version of uv, if it is here.
    pub uv: Option<String>,
    /// The first that will do is taken.
    pub pythons: Vec<Python>,
    /// An environment that somebody activated, by what they activated it with.
    pub active: Option<(&'static str, PathBuf)>,
    /// Whether uv may download an interpreter.
    pub may_download: bool,
    /// Operating system and processor.
    pub platform: String,
}

/// One command of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does, for people.
    pub doing: &'static str,
    /// For people; no secret is in it.
    pub shown: String,
    /// For `sh -c`, in the checkout.
    pub command: String,
    /// Over the environment of commands.
    pub env: BTreeMap<String, String>,
    pub uses_network: bool,
}

/// How to come to an environment.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a finding of its own, and all combinations but few occur"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What it is described by.
    pub file: String,
    pub is_locked: bool,
    pub venv: PathBuf,
    pub key: Digest,
    pub steps: Vec<Step>,
    /// Files to write before the steps.
    pub lists: Vec<(PathBuf, String)>,
    /// False when it has to be made again each time.
    pub is_reusable: bool,
    /// It is somebody's own and used as it is.
    pub is_active: bool,
    /// Its interpreter is one that uv installed for us.
    pub has_own_python: bool,
    pub notes: Vec<String>,
    pub at: Paths,
}

const INSTALLING_PYTHON: &str = "installing Python";
const MAKING: &str = "making the environment";
const LISTING: &str = "listing what the lock holds";
const INSTALLING: &str = "installing the packages";
const INSTALLING_PROJECT: &str = "installing the project itself";

/// The steps for what was detected. An error is a Python or a tool that is not here.
pub fn plan(detected: &Detected, machine: &Machine, at: &Paths) -> Result<Plan, EnvironmentError> {
    let mut notes = detected.notes.clone();
    if let Some((how, active)) = &machine.active {
        notes.push(format!(
            "the active environment is used as it is (`{how}` is set), whatever `{}` says",
            detected.file
        ));
        return Ok(Plan {
            file: detected.file.clone(),
            is_locked: false,
            venv: active.clone(),
            key: Digest::of(active.as_os_str().as_encoded_bytes()),
            steps: Vec::new(),
            lists: Vec::new(),
            is_reusable: true,
            is_active: true,
            has_own_python: false,
            notes,
            at: at.clone(),
        });
    }
    let interpreter = interpreter(detected, machine)?;
    let key = key(detected, machine, &interpreter, at);
    let mut builder = Builder {
        detected,
        at,
        venv: at.venvs.join(key.short()),
        list: at.lists.join(key.short()).display().to_string(),
        steps: Vec::new(),
        lists: Vec::new(),
        notes,
    };
    match &machine.uv {
        Some(_) => builder.with_uv(&interpreter),
        None => builder.with_pip(&interpreter)?,
    }
    let Builder {
        venv,
        steps,
        lists,
        mut notes,
        ..
    } = builder;
    if detected.is_copied {
        notes.push("files of the checkout are copied into the environment, so it is made again each time".to_owned());
    }
    Ok(Plan {
        file: detected.file.clone(),
        is_locked: detected.is_locked,
        venv,
        key,
        steps,
        lists,
        is_reusable: !detected.is_copied,
        is_active: false,
        has_own_python: match &interpreter {
            Interpreter::Here(python) => python.path.starts_with(&at.pythons),
            Interpreter::Installed(_) => true,
        },
        notes,
        at: at.clone(),
    })
}

#[derive(Debug)]
enum Interpreter<'a> {
    Here(&'a Python),
    /// What to ask uv for.
    Installed(String),
}

impl Interpreter<'_> {
    fn asked(&self) -> String {
        match self {
            Self::Here(python) => python.path.display().to_string(),
            Self::Installed(version) => version.clone(),
        }
    }
}

fn interpreter<'a>(detected: &Detected, machine: &'a Machine) -> Result<Interpreter<'a>, EnvironmentError> {
    let wanted = &detected.python;
    if let Some(python) = machine.pythons.iter().find(|python| wanted.allows(python.version)) {
        return Ok(Interpreter::Here(python));
    }
    let installable = wanted
        .installable()
        .filter(|_| machine.may_download && machine.uv.is_some());
    if let Some(version) = installable {
        return Ok(Interpreter::Installed(version));
    }
    let mut versions: Vec<PythonVersion> = machine.pythons.iter().map(|python| python.version).collect();
    versions.sort_unstable();
    versions.dedup();
    let blamed = wanted.blame(&versions);
    Err(EnvironmentError::NoPython {
        wanted: blamed.map_or("3".to_owned(), |want| want.text.clone()),
        from: blamed.map_or(detected.file.clone(), |want| want.from.clone()),
        found: versions.iter().map(ToString::to_string).collect(),
    })
}

/// The same key is the same environment: everything that it depends on is in here.
fn key(detected: &Detected, machine: &Machine, interpreter: &Interpreter<'_>, at: &Paths) -> Digest {
    let python = match interpreter {
        // One that uv installed for us is what it was asked for, so that the second run finds what the first one made.
        Interpreter::Here(python) if python.path.starts_with(&at.pythons) => detected
            .python
            .installable()
            .unwrap_or_else(|| python.version.to_string()),
        Interpreter::Here(python) => format!("{} {}", python.version, python.path.display()),
        Interpreter::Installed(version) => version.clone(),
    };
    let root = if detected.is_bound {
        at.root.display().to_string()
    } else {
        String::new()
    };
    let uv = machine.uv.as_deref().unwrap_or("pip");
    let source = format!("{:?}", detected.source);
    let inputs = detected.inputs.iter().map(|(file, digest)| format!("{file} {digest}"));
    let parts: Vec<String> = [EDITION, &machine.platform, uv, &python, &root, &source]
        .into_iter()
        .map(str::to_owned)
        .chain(inputs)
        .collect();
    Digest::of_parts(parts.iter().map(String::as_bytes))
}

struct Builder<'a> {
    detected: &'a Detected,
    at: &'a Paths,
    venv: PathBuf,
    list: String,
    steps: Vec<Step>,
    lists: Vec<(PathBuf, String)>,
    notes: Vec<String>,
}

impl Builder<'_> {
    fn push(&mut self, doing: &'static str, shown: &str, command: String) {
        self.steps
            .push(step(doing, shown, command, self.at, &self.venv, doing != MAKING));
    }

    /// What goes before making an environment: none of that name, and no forgotten ones.
    fn cleared(&self) -> String {
        let venvs = quoted_path(&self.at.venvs);
        format!(
            "rm -rf -- {} && {{ find {venvs} -mindepth 1 -maxdepth 1 -type d -mtime +{KEPT_DAYS} -exec rm -rf -- {{}} + || :; }}",
            quoted_path(&self.venv)
        )
    }

    fn write(&mut self, suffix: &str, text: String) -> String {
        let path = format!("{}{suffix}.txt", self.list);
        self.lists.push((PathBuf::from(&path), text));
        path
    }

    fn with_uv(&mut self, interpreter: &Interpreter<'_>) {
        if let Interpreter::Installed(version) = interpreter {
            let command = format!("uv python install --no-bin {}", quoted(version));
            self.push(INSTALLING_PYTHON, &command.clone(), command);
            self.notes
                .push(format!("no Python here will do, so uv installs {version}"));
        }
        let python = quoted(&interpreter.asked());
        let shown = format!("uv venv --python {python}");
        let venv = quoted_path(&self.venv);
        let command = format!(
            "{} && uv venv --quiet --no-project --python {python} {venv}",
            self.cleared()
        );
        self.push(MAKING, &shown, command);
        let root = self.at.root.display().to_string();
        match &self.detected.source {
            Source::UvLock { all_groups, extras } => {
                let groups = if *all_groups { " --all-groups" } else { "" };
                let extras = flags("--extra", extras);
                let shown = format!("uv sync --locked{groups}{extras}");
                self.push(INSTALLING, &shown, format!("{shown} --python {python}"));
            }
            Source::Pylock => self.push(
                INSTALLING,
                "uv pip sync pylock.toml",
                "uv pip sync pylock.toml".to_owned(),
            ),
            Source::Exact { requirements, project } => {
                self.sync(requirements, &root);
                self.project(*project);
            }
            Source::PoetryExport { groups, project } => {
                let only = groups.iter().cloned().collect::<Vec<_>>().join(",");
                let export = format!(
                    "uvx --from poetry --with poetry-plugin-export poetry export --format requirements.txt --only {}",
                    quoted(&only)
                );
                self.export(
                    &export,
                    &format!("{export} --output {}", quoted(&format!("{}.txt", self.list))),
                );
                self.project(*project);
            }
            Source::PipenvExport => {
                let export = "uvx pipenv requirements --dev --hash";
                self.export(export, &format!("{export} > {}", quoted(&format!("{}.txt", self.list))));
            }
            Source::Txt(txt) => {
                let hashes = if txt.is_hashed() { " --require-hashes" } else { "" };
                let anywhere = if txt.is_hashed() && txt.n_extra_indexes > 0 {
                    ANYWHERE
                } else {
                    ""
                };
                let command = format!("uv pip install{hashes}{anywhere}{}", flags("-r", &txt.files));
                self.push(INSTALLING, &command.clone(), command);
            }
            Source::Project {
                is_package,
                extras,
                groups,
            } => {
                let what = if *is_package {
                    format!("-e {}", quoted(&format!(".{}", in_brackets(extras))))
                } else {
                    format!("-r pyproject.toml{}", flags("--extra", extras))
                };
                let command = format!("uv pip install {what}{}", flags("--group", groups));
                self.push(INSTALLING, &command.clone(), command);
            }
            Source::Lines(lines) => {
                let list = self.write("", rooted(lines, &root));
                let shown = format!("uv pip install -r <`pip:` of {}>", self.detected.file);
                self.push(INSTALLING, &shown, format!("uv pip install -r {}", quoted(&list)));
            }
            Source::Setup => self.push(INSTALLING, "uv pip install -e .", "uv pip install -e .".to_owned()),
        }
    }

    /// Exactly these packages.
    fn sync(&mut self, requirements: &Requirements, root: &str) {
        let is_verified = requirements.unverified().is_empty();
        let hashes = if is_verified { " --require-hashes" } else { "" };
        let anywhere = if is_verified && !requirements.extra_indexes.is_empty() {
            ANYWHERE
        } else {
            ""
        };
        if !is_verified && !requirements.extra_indexes.is_empty() {
            self.notes
                .push("packages without a hash come from the first index that has their name".to_owned());
        }
        let list = self.write("", requirements.text(root));
        let shown = format!("uv pip sync{hashes}{anywhere} <{}>", self.detected.file);
        let command = format!(
            "uv pip sync --allow-empty-requirements{hashes}{anywhere} {}",
            quoted(&list)
        );
        self.push(INSTALLING, &shown, command);
    }

    fn export(&mut self, shown: &str, command: &str) {
        self.push(LISTING, shown, command.to_owned());
        let shown = format!("uv pip sync <{}>", self.detected.file);
        let command = format!(
            "uv pip sync --allow-empty-requirements {}",
            quoted(&format!("{}.txt", self.list))
        );
        self.push(INSTALLING, &shown, command);
    }

    fn project(&mut self, is_wanted: bool) {
        if is_wanted {
            let command = "uv pip install --no-deps -e .";
            self.push(INSTALLING_PROJECT, command, command.to_owned());
        }
    }

    /// Without uv: slower, and only for what pip can read.
    fn with_pip(&mut self, interpreter: &Interpreter<'_>) -> Result<(), EnvironmentError> {
        let no_uv = || EnvironmentError::NoTool {
            tool: "uv",
            file: self.detected.file.clone(),
        };
        let root = self.at.root.display().to_string();
        // What to install, each with what it is called for people.
        let mut installs: Vec<(String, String)> = Vec::new();
        match &self.detected.source {
            Source::UvLock { .. } | Source::Pylock | Source::PoetryExport { .. } | Source::PipenvExport => {
                return Err(no_uv());
            }
            Source::Project { is_package: false, .. } => return Err(no_uv()),
            Source::Exact { requirements, project } => {
                let [verified, unverified] = requirements.texts(&root);
                for (suffix, flag, text) in [("", " --require-hashes", verified), ("-rest", "", unverified)] {
                    let Some(text) = text else { continue };
                    let list = self.write(suffix, text);
                    installs.push((
                        format!("--no-deps{flag} -r <{}>", self.detected.file),
                        format!("--no-deps{flag} -r {}", quoted(&list)),
                    ));
                }
                if *project {
                    installs.push(("--no-deps -e .".to_owned(), "--no-deps -e .".to_owned()));
                }
            }
            Source::Txt(txt) => {
                let hashes = if txt.is_hashed() { "--require-hashes" } else { "" };
                let what = format!("{hashes}{}", flags("-r", &txt.files));
                installs.push((what.trim_start().to_owned(), what));
            }
            Source::Project { extras, groups, .. } => {
                let what = format!("-e {}", quoted(&format!(".{}", in_brackets(extras))));
                installs.push((what.clone(), what));
                if !groups.is_empty() {
                    self.notes
                        .push("`[dependency-groups]` are not installed: that needs uv".to_owned());
                }
            }
            Source::Lines(lines) => {
                let list = self.write("", rooted(lines, &root));
                let shown = format!("-r <`pip:` of {}>", self.detected.file);
                installs.push((shown, format!("-r {}", quoted(&list))));
            }
            Source::Setup => installs.push(("-e .".to_owned(), "-e .".to_owned())),
        }
        let python = quoted(&interpreter.asked());
        let venv = quoted_path(&self.venv);
        let command = format!("{} && {python} -m venv {venv}", self.cleared());
        self.push(MAKING, &format!("{python} -m venv"), command);
        for (shown, what) in installs {
            let shown = format!("pip install {shown}");
            let python = quoted_path(&self.venv.join("bin/python"));
            self.push(INSTALLING, &shown, format!("{python} -m pip install {what}"));
        }
        self.notes
            .push("uv is not here, so pip installs, which takes about ten times as long".to_owned());
        Ok(())
    }
}

/// A hash pins each file, so it does not matter which of several indexes gives it.
const ANYWHERE: &str = " --index-strategy unsafe-best-match";

fn step(doing: &'static str, shown: &str, command: String, at: &Paths, venv: &Path, uses_network: bool) -> Step {
    let path = |path: &Path| path.display().to_string();
    let env = [
        ("UV_CACHE_DIR", path(&at.uv_cache)),
        ("UV_PYTHON_INSTALL_DIR", path(&at.pythons)),
        ("UV_NO_PROGRESS", "1".to_owned()),
        // Interpreters come by a step of their own, or not at all.
        (
            "UV_PYTHON_DOWNLOADS",
            if doing == INSTALLING_PYTHON { "manual" } else { "never" }.to_owned(),
        ),
        ("UV_PROJECT_ENVIRONMENT", path(venv)),
        ("VIRTUAL_ENV", path(venv)),
        // Somebody's own choice would lead `uv pip` elsewhere.
        ("UV_PYTHON", path(&venv.join("bin/python"))),
        ("PIP_CACHE_DIR", path(&at.uv_cache.join("pip"))),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".to_owned()),
        ("PIP_NO_INPUT", "1".to_owned()),
        ("PIP_PROGRESS_BAR", "off".to_owned()),
        ("POETRY_VIRTUALENVS_CREATE", "false".to_owned()),
        ("POETRY_NO_INTERACTION", "1".to_owned()),
        // Git asks nobody for a password.
        ("GIT_TERMINAL_PROMPT", "0".to_owned()),
    ];
    Step {
        doing,
        shown: shown.to_owned(),
        command,
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        uses_network,
    }
}

/// ` -r a -r b`, each quoted for the shell.
fn flags(flag: &str, values: &[String]) -> String {
    let words = values.iter().flat_map(|value| [flag.to_owned(), quoted(value)]);
    words.flat_map(|word| [" ".to_owned(), word]).collect()
}

fn in_brackets(extras: &[String]) -> String {
    if extras.is_empty() {
        String::new()
    } else {
        format!("[{}]", extras.join(","))
    }
}

/// Lines of pip whose paths begin at `root`, for a file that lies elsewhere.
fn rooted(lines: &[String], root: &str) -> String {
    let rooted = lines.iter().map(|line| {
        let line = line.trim();
        let (option, path) = match line.split_once(char::is_whitespace) {
            Some((option @ ("-r" | "--requirement" | "-c" | "--constraint" | "-e" | "--editable"), path)) => {
                (option, path.trim())
            }
            _ if line.starts_with('.') => ("", line),
            _ => return format!("{line}\n"),
        };
        if path.starts_with('/') || path.contains("://") {
            return format!("{line}\n");
        }
        format!("{option} {root}/{path}\n").trim_start().to_owned()
    });
    rooted.collect()
}

/// One word for the shell, whatever is in it.
pub fn quoted(text: &str) -> String {
    let is_plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'=' | b',' | b':' | b'@');
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

pub fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
