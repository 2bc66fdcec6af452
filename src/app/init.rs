//! `init`: looks at the repository, writes `mlops.yaml` and the workflows, and explains each choice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::{InitOptions, Invocation};
use crate::config::{self, Approval, Project, RegistryChoice};
use crate::data::{self, DataError, Frame};
use crate::exec::neutralise;
use crate::pipeline;
use crate::setup::{self, Choices, Found, Listing, Plan, Proposal, Reason, Written};
use crate::sys::{self, FileKind};

use super::{Failure, PASSED, json as wants_json, print, project};

/// Where the configuration is written when nobody says.
const CONFIG: &str = "mlops.yaml";
/// Folders of tools and of what they made.
const SKIPPED: &[&str] = &[
    "target",
    "node_modules",
    "venv",
    "env",
    "__pycache__",
    "build",
    "dist",
    "site-packages",
    "mlruns",
    "wandb",
];
const MAX_DEPTH: usize = 5;
const MAX_FILES: usize = 20_000;
/// Data files that are tried before giving up.
const MAX_TRIED: usize = 5;
const MAX_TEXT_BYTES: u64 = 256 * 1024;

pub async fn init(invocation: &Invocation, options: &InitOptions) -> Result<u8, Failure> {
    let place = Place::of(invocation)?;
    let found_config = match &invocation.cli.common.config {
        Some(config) => Some(config.clone()).filter(|config| place.root.join(config).exists()),
        None => project::find(invocation)?,
    };
    let mut files = Vec::new();
    let mut reasons = Vec::new();
    let found = found(&place, &invocation.env).await?;
    // Where nobody said where versions are kept, a key decides; so a repository that works with W&B passes its key on.
    let gets_key = |project: &Project| match project.registry {
        RegistryChoice::Wandb => true,
        RegistryChoice::Auto => project.wandb.is_written || found.wandb.is_some(),
        RegistryChoice::Embedded => project.wandb.is_written,
    };
    let (promote, registry, wandb) = if options.workflows {
        let project = project::open(invocation)?.project;
        (project.promote.clone(), project.registry, gets_key(&project))
    } else {
        let proposal = proposal(&place, options, &found).await?;
        let checked = config::check(&proposal.text).map_err(|mut problems| {
            problems.locate(&place.config, &proposal.text);
            Failure::Diagnostics(problems)
        })?;
        files.push(Written {
            path: place.config.clone(),
            text: proposal.text,
            why: "what is trained, how it is judged, and who lets it into production",
        });
        reasons = proposal.reasons;
        let wandb = gets_key(&checked.project);
        (checked.project.promote, checked.project.registry, wandb)
    };
    let (branch, why_branch) = match &options.branch {
        Some(branch) => (branch.clone(), "as you said".to_owned()),
        None => default_branch(&place.repository),
    };
    reasons.push(Reason {
        what: "default branch".to_owned(),
        choice: branch.clone(),
        why: why_branch,
    });
    let plan = Plan {
        default_branch: branch,
        directory: place.directory.clone(),
        config: named_config(&place, found_config.as_deref().filter(|_| options.workflows)),
        approval: promote.approval,
        environment: promote.to.to_string(),
        registry,
        wandb,
    };
    files.extend(setup::workflows(&plan));
    let outcome = Outcome {
        files: mark(&place, files)?,
        reasons,
        dry: options.dry_run,
        quiet: invocation.cli.common.quiet,
        next: next(invocation),
    };
    if let Some(config) = found_config.filter(|_| !options.workflows && !options.dry_run) {
        if !wants_json(invocation) {
            print(&outcome.plan("would write"))?;
        }
        return Err(Failure::Unusable(format!(
            "`{}` is already there, so nothing was written: `mlops init --workflows` writes the workflows for it, \
             `mlops init --dry-run` shows every text",
            config.display()
        )));
    }
    if !options.dry_run {
        for (file, _) in outcome.files.iter().filter(|(_, there)| !there) {
            write(&place, file)?;
        }
    }
    print(&if wants_json(invocation) {
        format!("{:#}", outcome.json())
    } else {
        outcome.human()
    })?;
    Ok(PASSED)
}

/// Where things are: the project's folder, and the repository that it is in.
struct Place {
    root: PathBuf,
    repository: PathBuf,
    /// The project's folder from the repository's root, with `/`; empty for the root itself.
    directory: String,
    /// The configuration from the project's folder.
    config: String,
}

impl Place {
    fn of(invocation: &Invocation) -> Result<Self, Failure> {
        let common = &invocation.cli.common;
        let root = common.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        let real = root
            .canonicalize()
            .map_err(|_| Failure::Unusable(format!("`{}` is not a directory", root.display())))?;
        let repository = project::repository(&real);
        let repository = repository.unwrap_or_else(|| real.clone());
        let directory = real.strip_prefix(&repository).unwrap_or(Path::new(""));
        let directory = directory.to_string_lossy().into_owned();
        let config = match &common.config {
            Some(config) => config.to_string_lossy().into_owned(),
            None => CONFIG.to_owned(),
        };
        if Path::new(&config).is_absolute() || config.split('/').any(|part| part == "..") {
            return Err(Failure::Unusable(format!(
                "the configuration `{config}` must be in the repository"
            )));
        }
        Ok(Self {
            root: real,
            repository,
            directory,
            config,
        })
    }

    /// Where a file goes: the configuration beside the project, workflows at the root of the repository.
    fn path(&self, file: &Written) -> PathBuf {
        if file.path == self.config {
            self.root.join(&file.path)
        } else {
            self.repository.join(&file.path)
        }
    }
}

/// The `config` input of the action: only for a file that is not looked for.
fn named_config(place: &Place, found: Option<&Path>) -> Option<String> {
    let name = found.map_or_else(|| place.config.clone(), |found| found.to_string_lossy().into_owned());
    (!project::NAMES.contains(&name.as_str())).then_some(name)
}

/// Each file with whether something is there already.
fn mark(place: &Place, files: Vec<Written>) -> Result<Vec<(Written, bool)>, Failure> {
    files
        .into_iter()
        .map(|file| {
            let there = sys::kind(&place.path(&file))?.is_some();
            Ok((file, there))
        })
        .collect()
}

fn write(place: &Place, file: &Written) -> Result<(), Failure> {
    let path = place.path(file);
    if let Some(parent) = path.parent() {
        // The nearest folder that exists must be the repository's own, not one that a link leads to.
        let there = parent.ancestors().find(|folder| folder.is_dir()).unwrap_or(parent);
        sys::inside(&place.repository, there)
            .map_err(|error| Failure::Unusable(format!("`{}` can not be written: {error}", file.path)))?;
        sys::create_dir(parent)?;
    }
    sys::create_exclusive(&path, file.text.as_bytes())?;
    Ok(())
}

/// What the project's files say, and whether this machine works with W&B.
async fn found(place: &Place, env: &BTreeMap<String, String>) -> Result<Found, Failure> {
    let root = place.root.clone();
    let work = move || setup::look(&listing(&root));
    let mut found = pipeline::beside(work).await.map_err(Failure::Panic)?;
    let is_set = |name: &&str| env.get(*name).is_some_and(|value| !value.trim().is_empty());
    if found.wandb.is_none() {
        let name = ["WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY"]
            .into_iter()
            .find(is_set);
        found.wandb = name.map(|name| format!("`{name}`, which is set here"));
    }
    Ok(found)
}

/// Reads what the proposal needs, then proposes.
async fn proposal(place: &Place, options: &InitOptions, found: &Found) -> Result<Proposal, Failure> {
    let (root, found) = (place.root.clone(), found.clone());
    let name = place
        .repository
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let options = options.clone();
    let work = move || {
        let choices = Choices {
            target: options.target.clone(),
            estimator: options.estimator.clone(),
            model: options.model.clone(),
            approval: options.environment.then_some(Approval::Environment),
            repository: name.filter(|name| !name.starts_with('.')),
        };
        match &options.data {
            Some(source) => {
                let frame = read(&root, source)?;
                Ok(setup::propose(source, &frame, &found, &choices)?)
            }
            None => likeliest(&root, &found, &choices),
        }
    };
    pipeline::beside(work).await.map_err(Failure::Panic)?
}

/// The first data file that can be read and predicted; the first one's problem when none can.
fn likeliest(root: &Path, found: &Found, choices: &Choices) -> Result<Proposal, Failure> {
    let mut first = None;
    for source in found.data.iter().take(MAX_TRIED) {
        let tried = read(root, source)
            .map_err(Failure::from)
            .and_then(|frame| Ok(setup::propose(source, &frame, found, choices)?));
        match tried {
            Ok(proposal) => return Ok(proposal),
            Err(failure) => {
                first.get_or_insert(failure);
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        Failure::Unusable(
            "no CSV, Parquet or JSON Lines file was found: name the data with `--data FILE`, a path or glob in the \
             repository"
                .to_owned(),
        )
    }))
}

fn read(root: &Path, source: &str) -> Result<Frame, DataError> {
    Ok(data::read_source(root, source, &BTreeMap::new())?.frame)
}

/// The names of the project's files, and the texts of the few that say how it is linted and tested.
fn listing(root: &Path) -> Listing {
    let mut files = Vec::new();
    let mut queue = vec![(String::new(), 0)];
    while let Some((folder, depth)) = queue.pop() {
        // What can not be listed, or is too much to list, is not where the data is looked for.
        let Ok(entries) = sys::list(&root.join(&folder)) else {
            continue;
        };
        for entry in entries {
            let Some(name) = entry.name.to_str() else { continue };
            let path = if folder.is_empty() {
                name.to_owned()
            } else {
                format!("{folder}/{name}")
            };
            match entry.kind {
                FileKind::Directory => {
                    if depth < MAX_DEPTH && !name.starts_with('.') && !SKIPPED.contains(&name) {
                        queue.push((path, depth + 1));
                    }
                }
                FileKind::File => files.push(path),
                // Links may lead out of the repository.
                FileKind::Symlink | FileKind::Special => {}
            }
        }
        if files.len() > MAX_FILES {
            break;
        }
    }
    files.sort();
    let mut texts = BTreeMap::new();
    for file in setup::wanted_texts(&files) {
        let parts: Vec<&str> = file.split('/').collect();
        if let Ok(bytes) = sys::read_beneath(root, &parts, MAX_TEXT_BYTES) {
            texts.insert(file, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Listing { files, texts }
}

/// The branch that pull requests go to, and how that is known.
fn default_branch(repository: &Path) -> (String, String) {
    match known_branch(repository) {
        Some(branch) => (branch, "as Git says here; `--branch NAME` names another".to_owned()),
        None => (
            "main".to_owned(),
            "nothing here says otherwise; `--branch NAME` does".to_owned(),
        ),
    }
}

/// The default branch: the remote's, or the one that is checked out if it has such a name.
pub fn known_branch(repository: &Path) -> Option<String> {
    let head = |parts: &[&str], prefix: &str| {
        let bytes = sys::read_beneath(repository, parts, 4096).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let branch = text.trim().strip_prefix("ref: ")?.strip_prefix(prefix)?.to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        (!branch.is_empty() && branch.chars().all(plain)).then_some(branch)
    };
    head(&[".git", "refs", "remotes", "origin", "HEAD"], "refs/remotes/origin/").or_else(|| {
        head(&[".git", "HEAD"], "refs/heads/").filter(|branch| ["main", "master", "trunk"].contains(&branch.as_str()))
    })
}

/// What to do next, as it would be typed.
fn next(invocation: &Invocation) -> Vec<String> {
    let mut mlops = "mlops".to_owned();
    if let Some(directory) = &invocation.cli.common.directory {
        // Writing to a string can not fail.
        let _ = write!(mlops, " -C {}", directory.display());
    }
    if let Some(config) = &invocation.cli.common.config {
        let _ = write!(mlops, " --config {}", config.display());
    }
    vec![
        format!("{mlops} run"),
        format!("{mlops} doctor"),
        "git add -A, commit, and open a pull request".to_owned(),
    ]
}

struct Outcome {
    /// Each file with whether something was there already.
    files: Vec<(Written, bool)>,
    reasons: Vec<Reason>,
    dry: bool,
    quiet: bool,
    next: Vec<String>,
}

impl Outcome {
    /// Every choice and every file.
    fn plan(&self, verb: &str) -> String {
        let mut out = String::new();
        // Writing to a string can not fail.
        let reasons = if self.quiet { &[] } else { self.reasons.as_slice() };
        for Reason { what, choice, why } in reasons {
            let _ = writeln!(out, "{what:<18} {}\n{:<18} {}", neutralise(choice), "", neutralise(why));
        }
        if !self.quiet {
            out.push('\n');
        }
        for (file, there) in &self.files {
            let verb = if *there { "left as it is:" } else { verb };
            let _ = writeln!(out, "{verb} {} — {}", file.path, file.why);
        }
        out
    }

    fn human(&self) -> String {
        // Writing to a string can not fail.
        let mut out = self.plan(if self.dry { "would write" } else { "wrote" });
        if self.dry {
            for (file, _) in &self.files {
                let _ = write!(out, "\n── {}\n{}", file.path, neutralise(&file.text));
            }
            return out;
        }
        if self.quiet {
            return out;
        }
        out.push_str("\nnext:\n");
        for step in &self.next {
            let _ = writeln!(out, "  {}", neutralise(step));
        }
        out
    }

    fn json(&self) -> Value {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|(file, there)| {
                json!({"path": file.path, "why": file.why, "written": !there && !self.dry, "text": file.text})
            })
            .collect();
        let choices: Vec<Value> = self
            .reasons
            .iter()
            .map(|reason| json!({"what": reason.what, "choice": reason.choice, "why": reason.why}))
            .collect();
        json!({"files": files, "choices": choices, "next": self.next})
    }
}
