//! Looks what there is, and takes the steps of a plan (edge).

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::detect::{Detected, Tool, detect};
use super::error::EnvironmentError;
use super::explain::explain;
use super::plan::{Machine, Paths, Plan, Python, Step, plan, quoted_path};
use super::python::{PythonVersion, Want, Wanted};
use super::requirements::redacted;
use crate::base::Digest;
use crate::exec::{self, Sandbox, Task, User};
use crate::sys::{self, FileError, FileKind, Owner, Stopwatch};

/// No lock of a repository is larger.
const MAX_FILE: u64 = 32 << 20;
/// Names that are looked at in one folder.
const MAX_NAMES: usize = 2_000;
/// Lines of an installer that are kept to tell why it failed.
const MAX_LINES: usize = 400;
/// Looking for tools takes no longer.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
/// How often somebody who waits for their turn looks.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// Written last into an environment, with its key: one without it was not finished.
const MARKER: &str = ".mlops";
/// Below an environment.
const PYCACHE: &str = "pycache";

/// What an environment is made in.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The checkout.
    pub root: &'a Path,
    /// The environment of commands, see [`exec::scrubbed_env`], with what gives access to private indexes.
    pub env: &'a BTreeMap<String, String>,
    /// Who commands run as; none is who we are.
    pub user: Option<User>,
    /// What they may touch and take.
    pub sandbox: &'a Sandbox,
    /// The runner's folder for temporary files; none on a laptop, where the cache of the user takes its place.
    pub temp: Option<&'a Path>,
}

/// What the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// This tool's file alone.
    pub only: Option<Tool>,
    /// In place of `.python-version`: `3.11`, or `>=3.11`.
    pub python: Option<String>,
    pub may_download_python: bool,
    /// For all steps together.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            only: None,
            python: None,
            may_download_python: false,
            timeout: Duration::from_mins(10),
        }
    }
}

/// An environment that commands can run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    pub venv: PathBuf,
    /// Goes over the environment of commands.
    pub env: BTreeMap<String, String>,
    /// What described it.
    pub file: String,
    pub is_locked: bool,
    pub key: Digest,
    /// Such as `3.11.7`.
    pub python: Option<String>,
    pub n_packages: Option<usize>,
    /// It was there already.
    pub was_warm: bool,
    pub elapsed: Duration,
    pub notes: Vec<String>,
}

/// What a checkout that describes an environment asks for on this machine.
pub async fn planned(detected: &Detected, settings: &Settings, around: &Around<'_>) -> Result<Plan, EnvironmentError> {
    let at = paths(around)?;
    let machine = look(detected, settings, around, &at).await?;
    plan(detected, &machine, &at)
}

/// Whether it was made before and can be used as it is.
pub fn is_there(plan: &Plan) -> bool {
    plan.is_active || (plan.is_reusable && is_finished(plan))
}

/// What the checkout describes, with the Python that the configuration asks for.
pub fn find(settings: &Settings, root: &Path) -> Result<Option<Detected>, EnvironmentError> {
    let files = files(root).map_err(|source| EnvironmentError::Folder {
        path: root.to_owned(),
        source,
    })?;
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let read = |file: &str| {
        let path = sys::inside(root, &root.join(file))?;
        sys::read_text(&path, MAX_FILE)
    };
    let Some(mut detected) = detect(&names, &read, settings.only)? else {
        return Ok(None);
    };
    if let Some(text) = &settings.python {
        let want = Want::version(text, "mlops.yaml").ok_or_else(|| EnvironmentError::Unreadable {
            file: "mlops.yaml".to_owned(),
            why: format!("`python: {}` is no version of Python", crate::base::clean(text, 40)),
        })?;
        let others = std::mem::take(&mut detected.python).0;
        let others = others.into_iter().filter(|want| want.from != ".python-version");
        detected.python = Wanted([want].into_iter().chain(others).collect());
    }
    Ok(Some(detected))
}

/// The paths that [`detect`] looks at.
fn files(root: &Path) -> Result<Vec<String>, FileError> {
    let names = |dir: &Path| -> Result<Vec<(String, FileKind)>, FileError> {
        let listed = sys::list(dir)?.into_iter().take(MAX_NAMES);
        Ok(listed
            .filter_map(|entry| Some((entry.name.into_string().ok()?, entry.kind)))
            .collect())
    };
    let mut found = Vec::new();
    let mut packages = Vec::new();
    for (name, kind) in names(root)? {
        match kind {
            FileKind::File | FileKind::Symlink => found.push(name),
            FileKind::Directory if name == "requirements" => {
                let inside = names(&root.join(&name))?
                    .into_iter()
                    .filter(|(_, kind)| *kind == FileKind::File);
                found.extend(inside.map(|(inside, _)| format!("{name}/{inside}")));
            }
            FileKind::Directory if name == "src" => {
                let inside = names(&root.join(&name))?
                    .into_iter()
                    .filter(|(_, kind)| *kind == FileKind::Directory);
                packages.extend(inside.map(|(inside, _)| format!("{name}/{inside}")));
            }
            FileKind::Directory => packages.push(name),
            FileKind::Special => {}
        }
    }
    for package in packages {
        let file = format!("{package}/__init__.py");
        if sys::kind(&root.join(&file))? == Some(FileKind::File) {
            found.push(file);
        }
    }
    Ok(found)
}

/// Where programs keep what they can make again; for who has no home that is the checkout's own.
fn user_cache(around: &Around<'_>) -> PathBuf {
    let set = |name: &str| around.env.get(name).filter(|path| path.starts_with('/'));
    let named = set("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || set("HOME").map(|home| Path::new(home).join(".cache"));
    named.or_else(home).unwrap_or_else(|| around.root.join(".mlops"))
}

/// Makes the folders that an environment and its cache lie in, for nobody but who commands run as.
fn paths(around: &Around<'_>) -> Result<Paths, EnvironmentError> {
    let base = around.temp.map_or_else(|| user_cache(around), Path::to_owned);
    let fail = |source| EnvironmentError::Folder {
        path: base.join("mlops"),
        source,
    };
    let owner = around.user.map(|User { uid, gid }| Owner { uid, gid });
    if around.temp.is_none() {
        sys::create_dir(&base).map_err(fail)?;
    }
    let folder = |name: &str| sys::private_dir(&base, &["mlops", name], owner).map_err(fail);
    Ok(Paths {
        root: around.root.to_owned(),
        venvs: folder("venv")?,
        uv_cache: folder("uv-cache")?,
        pythons: folder("python")?,
        lists: folder("lists")?,
    })
}

/// One interpreter, as `version path`, and that of a virtual environment as the one it was made from. `-S` is for speed.
const ASK: &str = r#"-I -S -c 'import sys; print("python %d.%d.%d %s" % (sys.version_info[:3] + (getattr(sys, "_base_executable", "") or sys.executable,)))' 2>/dev/null"#;

/// Which tools and interpreters there are. More than the first `python3` is looked at only when that will not do.
async fn look(
    detected: &Detected,
    settings: &Settings,
    around: &Around<'_>,
    at: &Paths,
) -> Result<Machine, EnvironmentError> {
    let active = active(around);
    let mut machine = Machine {
        active,
        may_download: settings.may_download_python,
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ..Machine::default()
    };
    if machine.active.is_some() {
        return Ok(machine);
    }
    ask(
        &format!("uv --version 2>/dev/null; python3 {ASK}; :"),
        around,
        &mut machine,
    )
    .await?;
    // Each interpreter costs time: releases that could do come first, all others are for the message that none does.
    let releases = detected.python.releases().into_iter().map(Some).chain([None]);
    for release in releases {
        if machine
            .pythons
            .iter()
            .any(|python| detected.python.allows(python.version))
        {
            break;
        }
        ask(&search(release.as_deref(), at), around, &mut machine).await?;
    }
    Ok(machine)
}

/// Asks every interpreter of a release, or all: on the path, of pyenv, and those that uv installed for us.
fn search(release: Option<&str>, at: &Paths) -> String {
    let pythons = quoted_path(&at.pythons);
    let places = match release {
        Some(release) => format!(
            "python{release} \"$pyenv\"/versions/{release}.*/bin/python3 {pythons}/cpython-{release}.*/bin/python3"
        ),
        None => format!(
            "python3.13 python3.12 python3.14 python3.11 python3.10 python3.9 python3.8 \
             \"$pyenv\"/versions/3.*/bin/python3 {pythons}/*/bin/python3"
        ),
    };
    format!(
        "pyenv=${{PYENV_ROOT:-$HOME/.pyenv}}; \
         for p in {places}; do command -v \"$p\" >/dev/null && \"$p\" {ASK}; done; :"
    )
}

/// The environment that somebody activated, on a laptop.
fn active(around: &Around<'_>) -> Option<(&'static str, PathBuf)> {
    let set = |name: &str| {
        around
            .env
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if around.temp.is_some() {
        return None;
    }
    let virtual_env = set("VIRTUAL_ENV").map(|path| ("VIRTUAL_ENV", path));
    virtual_env.or_else(|| {
        // Conda's `base` is active in every shell of those who have it, and nobody's project.
        let is_base = around.env.get("CONDA_DEFAULT_ENV").is_some_and(|name| name == "base");
        set("CONDA_PREFIX")
            .filter(|_| !is_base)
            .map(|path| ("CONDA_PREFIX", path))
    })
}

async fn ask(script: &str, around: &Around<'_>, machine: &mut Machine) -> Result<(), EnvironmentError> {
    let task = Task {
        command: script.to_owned(),
        cwd: around.root.to_owned(),
        env: around.env.clone(),
        timeout: LOOK_WITHIN,
        user: around.user,
        sandbox: around.sandbox.clone(),
    };
    let doing = "looking for Python";
    let mut keep = |line: &str| {
        if let Some(rest) = line.strip_prefix("uv ") {
            machine.uv = rest.split_whitespace().next().map(str::to_owned);
        } else if let Some((version, path)) = line.strip_prefix("python ").and_then(|rest| rest.split_once(' '))
            && let Some(version) = PythonVersion::parse(version)
        {
            machine.pythons.push(Python {
                version,
                path: path.into(),
            });
        }
    };
    let exit = exec::run(&task, &mut keep)
        .await
        .map_err(|error| failed(doing, error.to_string()))?;
    if exit.timed_out {
        return Err(EnvironmentError::TooLong {
            doing: doing.to_owned(),
            limit: LOOK_WITHIN,
        });
    }
    Ok(())
}

/// Takes the steps of a plan, or finds that they were taken before.
///
/// `on_line` gets each step and what it prints, harmless and without passwords. All steps together end within `limit`.
pub async fn prepare(
    plan: &Plan,
    around: &Around<'_>,
    limit: Duration,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<Prepared, EnvironmentError> {
    let watch = Stopwatch::start();
    let mut was_warm = is_there(plan);
    if !was_warm {
        let lock = turn(plan, limit, on_line).await?;
        // Whoever had the turn before may have made it.
        was_warm = is_there(plan);
        if !was_warm {
            make(plan, around, limit, &watch, on_line).await?;
        }
        drop(lock);
    }
    let python = version(&plan.venv);
    Ok(Prepared {
        env: if plan.is_active {
            BTreeMap::new()
        } else {
            entered(plan, around)
        },
        venv: plan.venv.clone(),
        file: plan.file.clone(),
        is_locked: plan.is_locked,
        key: plan.key,
        n_packages: python.as_deref().and_then(|python| n_packages(&plan.venv, python)),
        python,
        was_warm,
        elapsed: watch.elapsed(),
        notes: plan.notes.clone(),
    })
}

async fn make(
    plan: &Plan,
    around: &Around<'_>,
    limit: Duration,
    watch: &Stopwatch,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<(), EnvironmentError> {
    for (path, text) in &plan.lists {
        sys::write_atomic(path, text.as_bytes()).map_err(|source| lists(plan, source))?;
    }
    for step in plan.steps.iter().chain([&finishing(plan)]) {
        let left = limit.saturating_sub(watch.elapsed());
        take(step, plan, around, left, limit, on_line).await?;
    }
    Ok(())
}

/// Waits until no other program makes this environment. None is a file system that knows no locks.
async fn turn(
    plan: &Plan,
    limit: Duration,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<Option<File>, EnvironmentError> {
    let path = plan.at.lists.join(format!("{}.lock", plan.key.short()));
    match sys::create_exclusive(&path, b"") {
        Err(error) if !error.is_exists() => return Err(lists(plan, error)),
        Ok(()) | Err(_) => {}
    }
    let file = sys::open(&path).map_err(|source| lists(plan, source))?;
    let watch = Stopwatch::start();
    let mut is_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if watch.elapsed() > limit => {
                return Err(EnvironmentError::TooLong {
                    doing: "waiting for another program that makes the same environment".to_owned(),
                    limit,
                });
            }
            Err(TryLockError::WouldBlock) => {
                if !is_told {
                    on_line("another program makes this environment just now");
                    is_told = true;
                }
                tokio::time::sleep(LOCK_POLL).await;
            }
        }
    }
}

fn lists(plan: &Plan, source: FileError) -> EnvironmentError {
    EnvironmentError::Folder {
        path: plan.at.lists.clone(),
        source,
    }
}

/// The marker is made as the user, like all else there, and only then has its name.
fn finishing(plan: &Plan) -> Step {
    let marker = quoted_path(&plan.venv.join(MARKER));
    Step {
        doing: "finishing the environment",
        shown: String::new(),
        command: format!(
            "printf %s {} > {marker}.new && mv -f {marker}.new {marker}",
            plan.key.hex()
        ),
        env: BTreeMap::new(),
        uses_network: false,
    }
}

async fn take(
    step: &Step,
    plan: &Plan,
    around: &Around<'_>,
    left: Duration,
    limit: Duration,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<(), EnvironmentError> {
    if !step.shown.is_empty() {
        on_line(&redacted(&format!("$ {}", step.shown)));
    }
    let (exit, lines) = run(step, around, left, on_line).await?;
    if exit.timed_out {
        return Err(EnvironmentError::TooLong {
            doing: step.doing.to_owned(),
            limit,
        });
    }
    if exit.code == Some(0) {
        return Ok(());
    }
    if let (None, Some(signal)) = (exit.code, exit.signal) {
        return Err(failed(step.doing, format!("it was ended by signal {signal}")));
    }
    Err(explain(step.doing, &plan.file, &lines))
}

pub(super) async fn run(
    step: &Step,
    around: &Around<'_>,
    timeout: Duration,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<(exec::Exit, Vec<String>), EnvironmentError> {
    let mut env = around.env.clone();
    env.extend(step.env.clone());
    let task = Task {
        command: step.command.clone(),
        cwd: around.root.to_owned(),
        env,
        timeout,
        user: around.user,
        sandbox: around.sandbox.clone(),
    };
    let mut lines: Vec<String> = Vec::new();
    let mut keep = |line: &str| {
        let line = redacted(line);
        on_line(&line);
        if lines.len() == MAX_LINES {
            lines.drain(..MAX_LINES / 2);
        }
        lines.push(line);
    };
    let exit = exec::run(&task, &mut keep)
        .await
        .map_err(|error| failed(step.doing, error.to_string()))?;
    Ok((exit, lines))
}

fn failed(doing: &str, why: String) -> EnvironmentError {
    EnvironmentError::Failed {
        doing: doing.to_owned(),
        why,
    }
}

/// Whether it was finished under this key, and its interpreter is still there.
fn is_finished(plan: &Plan) -> bool {
    let marker = sys::read_text(&plan.venv.join(MARKER), 1024);
    // Asking for the owner follows the link that an interpreter is.
    marker.is_ok_and(|key| key == plan.key.hex()) && sys::owner(&plan.venv.join("bin/python")).is_ok()
}

/// What makes a command's `python` that of the environment.
fn entered(plan: &Plan, around: &Around<'_>) -> BTreeMap<String, String> {
    let venv = plan.venv.display().to_string();
    let path = match around.env.get("PATH") {
        Some(path) => format!("{venv}/bin:{path}"),
        None => format!("{venv}/bin:/usr/local/bin:/usr/bin:/bin"),
    };
    [
        ("VIRTUAL_ENV", venv.clone()),
        ("PATH", path),
        // `uv run` takes this environment, and leaves it as it is.
        ("UV_PROJECT_ENVIRONMENT", venv),
        ("UV_NO_SYNC", "1".to_owned()),
        ("UV_PYTHON", plan.venv.join("bin/python").display().to_string()),
        ("UV_CACHE_DIR", plan.at.uv_cache.display().to_string()),
        ("UV_PYTHON_INSTALL_DIR", plan.at.pythons.display().to_string()),
        // What is compiled is kept for the next command, and never in the checkout: imports take a third of the time.
        ("PYTHONPYCACHEPREFIX", plan.venv.join(PYCACHE).display().to_string()),
        ("PYTHONDONTWRITEBYTECODE", String::new()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The Python of an environment, from the file that says so.
fn version(venv: &Path) -> Option<String> {
    written_version(&sys::read_text(&venv.join("pyvenv.cfg"), 64 << 10).ok()?)
}

/// `3.11.2`; of an interpreter that uv can put another patch in the place of, it says `3.11`.
fn written_version(config: &str) -> Option<String> {
    let values = config.lines().filter_map(|line| line.split_once('='));
    let mut versions = values.filter(|(name, _)| matches!(name.trim(), "version" | "version_info"));
    versions.find_map(|(_, value)| {
        let parsed = PythonVersion::parse(value)?;
        let has_patch = value.matches('.').count() > 1;
        Some(if has_patch {
            parsed.to_string()
        } else {
            value.trim().to_owned()
        })
    })
}

fn n_packages(venv: &Path, python: &str) -> Option<usize> {
    let release: Vec<&str> = python.split('.').take(2).collect();
    let listed = sys::list(&venv.join(format!("lib/python{}/site-packages", release.join(".")))).ok()?;
    let is_package = |name: &str| Path::new(name).extension().is_some_and(|end| end == "dist-info");
    Some(
        listed
            .iter()
            .filter(|entry| entry.name.to_str().is_some_and(is_package))
            .count(),
    )
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
