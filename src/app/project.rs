//! From an invocation to a checked project and the services it is run with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::{Diagnostic, Diagnostics, Span};
use crate::cli::Invocation;
use crate::config::{self, Project};
use crate::pipeline::{self, Event, Services};
use crate::sys;
use crate::track::record::RunStart;
use crate::track::{Local, ModelRegistry};
use crate::tracked::{self, Configured, GitHub, Setting};

use super::wandb::{self, Kept, Reach};
use super::{Failure, workspace};

/// Where a configuration is looked for when none is named.
pub const NAMES: [&str; 4] = ["mlops.yaml", "mlops.yml", ".github/mlops.yaml", ".github/mlops.yml"];
/// Where the embedded registry is, below the root.
pub const REGISTRY: &str = ".mlops/registry";

/// A configuration that was read and checked.
pub struct Opened {
    pub root: PathBuf,
    /// As the user would name it.
    pub file: String,
    pub text: String,
    pub project: Arc<Project>,
    pub warnings: Diagnostics,
}

/// The directory to work in.
pub fn root(invocation: &Invocation) -> Result<PathBuf, Failure> {
    let directory = invocation.cli.common.directory.clone();
    let root = directory.unwrap_or_else(|| PathBuf::from("."));
    if root.is_dir() {
        Ok(root)
    } else {
        Err(Failure::Unusable(format!("`{}` is not a directory", root.display())))
    }
}

/// The configuration below the root, if there is one; one that is named must be there.
pub fn find(invocation: &Invocation) -> Result<Option<PathBuf>, Failure> {
    let root = root(invocation)?;
    match &invocation.cli.common.config {
        Some(file) if root.join(file).is_file() => Ok(Some(file.clone())),
        Some(file) => Err(Failure::Unusable(format!(
            "there is no configuration `{}`",
            root.join(file).display()
        ))),
        None => Ok(NAMES.iter().map(PathBuf::from).find(|name| root.join(name).is_file())),
    }
}

/// The root of the Git repository that a directory is in.
pub fn repository(directory: &Path) -> Option<PathBuf> {
    let mut folders = directory.ancestors();
    folders.find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// Finds, reads and checks the configuration.
pub fn open(invocation: &Invocation) -> Result<Opened, Failure> {
    let common = &invocation.cli.common;
    let root = root(invocation)?;
    pipeline::check_state(&root)?;
    let file = find(invocation)?.ok_or_else(|| Failure::NoConfig {
        directory: root.clone(),
    })?;
    if common.config.is_none() {
        // A link that a repository carries must not make its messages show another file.
        sys::inside(&root, &root.join(&file))
            .map_err(|error| Failure::Unusable(format!("the configuration can not be used: {error}")))?;
    }
    let name = file.display().to_string();
    let bytes = match sys::read(&root.join(&file), config::MAX_BYTES as u64) {
        Err(sys::FileError::TooLarge { limit_bytes, .. }) => {
            let message = format!("the configuration has more than {limit_bytes} bytes");
            let problem = Diagnostic::error("too-large", message).help("move data out of the configuration");
            return Err(Diagnostics::from(problem.at(Span::new(1, 1, 2)).file(&name)).into());
        }
        read => read?,
    };
    let located = |mut problems: Diagnostics, text: &str| {
        problems.locate(&name, text);
        problems
    };
    let text = config::decode(&bytes).map_err(|problems| located(problems, ""))?;
    let config::Checked { project, warnings } = config::check(text).map_err(|problems| located(problems, text))?;
    let warnings = located(warnings, text);
    Ok(Opened {
        root,
        text: text.to_owned(),
        project: Arc::new(project),
        warnings,
        file: name,
    })
}

/// The embedded registry of a repository.
pub fn registry(root: &Path) -> Local {
    Local::new(root.join(REGISTRY))
}

/// What a command acts with on this machine, and what its run is told to.
pub async fn services(
    invocation: &Invocation,
    opened: &Opened,
    job_type: &str,
    events: UnboundedSender<Event>,
) -> Result<(Services, Kept, RunStart), Failure> {
    let start = start(invocation, opened, job_type, None);
    let kept = wandb::choose(opened, &invocation.env, Reach::Local, &start).await?;
    let (mut services, kept) = equipped(invocation, opened, kept, events)?;
    services.now = start.started;
    Ok((services, kept, start))
}

/// The same with what it is kept in already decided; the registry in the directory where nothing else is.
pub fn equipped(
    invocation: &Invocation,
    opened: &Opened,
    mut kept: Kept,
    events: UnboundedSender<Event>,
) -> Result<(Services, Kept), Failure> {
    let workspace::Children {
        env: mut child_env,
        user: child_user,
        sandbox,
    } = workspace::children(&invocation.env, &opened.root)?;
    child_env.append(&mut kept.child_env);
    let (registry, registry_place) = kept.registry.take().unwrap_or_else(|| beside(opened));
    let services = Services {
        root: opened.root.clone(),
        registry,
        registry_place,
        child_env,
        child_user,
        sandbox,
        work: workspace::work(&invocation.env, &opened.root, child_user)?,
        temp: workspace::temp(&invocation.env),
        shelf: None,
        environment: None,
        changed: None,
        branch: None,
        actor: invocation.actor(),
        now: sys::now(),
        run: None,
        events,
    };
    Ok((services, kept))
}

/// A run that is about to begin, as trackers are told of it.
pub fn start(invocation: &Invocation, opened: &Opened, job_type: &str, github: Option<GitHub>) -> RunStart {
    tracked::start(&Setting {
        configured: Configured::of(&opened.project),
        config_file: opened.file.clone(),
        directory: None,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        job_type: job_type.to_owned(),
        commit: pipeline::head_commit(&opened.root),
        github,
        host: invocation.env.get("HOSTNAME").cloned(),
        started: sys::now(),
    })
}

/// The registry that the project's versions are in, for commands that only look.
pub async fn looking(invocation: &Invocation, opened: &Opened) -> Result<(Box<dyn ModelRegistry>, String), Failure> {
    let start = start(invocation, opened, "look", None);
    let kept = wandb::choose(opened, &invocation.env, Reach::Local, &start).await?;
    Ok(kept.registry.unwrap_or_else(|| beside(opened)))
}

/// The registry in the repository's own directory, and its name for people.
fn beside(opened: &Opened) -> (Box<dyn ModelRegistry>, String) {
    (Box::new(registry(&opened.root)), REGISTRY.to_owned())
}
