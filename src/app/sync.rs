//! `sync`: delivers to W&B what had to wait, and goes on where an earlier attempt has stopped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use crate::base::VersionNumber;
use crate::cli::Invocation;
use crate::facts::Facts;
use crate::pipeline::{self, chain};
use crate::sys::{self, FileKind};
use crate::wandb::replay;

use super::project::{self, Opened};
use super::registry::tell;
use super::tracking::{PUBLICATION, SPOOL, kept_model};
use super::wandb::Account;
use super::{Failure, PASSED, UNKNOWN, failure};

/// Where runs wait, below [`SPOOL`]; the official client's own layout.
const RUNS: &str = "wandb";
const PREFIX: &str = "offline-run-";
/// In the directory of a run that was delivered whole.
const DELIVERED: &str = "mlops-delivered.json";
const MAX_FACTS: u64 = 64 << 20;
/// What a run's directory may hold when it is packed into an artifact.
const MAX_PACKED: u64 = 512 << 20;

/// Delivers these directories, or everything that waits here.
pub async fn sync(invocation: &Invocation, named: &[PathBuf]) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let waiting = if named.is_empty() {
        waiting(&opened.root)
    } else {
        named
            .iter()
            .map(|path| opened.root.join(path))
            .flat_map(|path| runs_in(&path))
            .collect()
    };
    if waiting.is_empty() {
        tell(invocation, "nothing waits to be delivered", &json!({"delivered": []}))?;
        return Ok(PASSED);
    }
    let (mut told, mut delivered, mut code) = (Vec::new(), Vec::new(), PASSED);
    for directory in waiting {
        let name = directory
            .strip_prefix(&opened.root)
            .unwrap_or(&directory)
            .display()
            .to_string();
        match deliver(invocation, &opened, &directory).await {
            Ok(done) => {
                told.push(format!("{name}: {}", done.sentence()));
                delivered.push(
                    json!({"directory": name, "run": done.url, "version": done.version, "problems": done.problems}),
                );
            }
            Err(failure) => {
                failure::say(&format!("{name}: {}", failure.line()));
                delivered.push(json!({"directory": name, "error": failure.line()}));
                code = code.max(failure.code().max(UNKNOWN.min(failure.code())));
            }
        }
    }
    tell(invocation, &told.join("\n"), &json!({"delivered": delivered}))?;
    Ok(code)
}

/// What became of a run that waited.
struct Done {
    url: Option<String>,
    version: Option<VersionNumber>,
    problems: Vec<String>,
    was_before: bool,
}

impl Done {
    fn sentence(&self) -> String {
        let run = self.url.as_deref().unwrap_or("the run");
        let version = self
            .version
            .map_or_else(String::new, |version| format!(", published as {version}"));
        let problems: Vec<String> = std::iter::once(String::new())
            .chain(self.problems.iter().cloned())
            .collect();
        let problems = problems.join("; ");
        if self.was_before {
            return format!("{run} was delivered before");
        }
        format!("{run} is delivered{version}{problems}")
    }
}

async fn deliver(invocation: &Invocation, opened: &Opened, directory: &Path) -> Result<Done, Failure> {
    if sys::kind(&directory.join(DELIVERED))? == Some(FileKind::File) {
        return Ok(Done {
            url: None,
            version: None,
            problems: Vec::new(),
            was_before: true,
        });
    }
    let publication = publication(opened, directory)?;
    let (events, _) = unbounded_channel();
    let (mut services, kept, _) = project::services(invocation, opened, "sync", events).await?;
    let Some(Account {
        client,
        registry,
        place,
        ..
    }) = &kept.account
    else {
        return Err(Failure::Unusable(
            "there is no key to deliver it with: set `WANDB_API_KEY`".to_owned(),
        ));
    };
    let replayed = replay(client, &place.entity, &place.project, directory)
        .await
        .map_err(|error| Failure::Track(error.into()))?;
    let mut version = None;
    if let Some((facts, files)) = publication {
        // The version is of the run that made it.
        services.registry = Box::new(registry.of_run(&replayed.run));
        let published = pipeline::publish_run(&services, &opened.project.promote, &facts, files).await?;
        version = Some(published.version.number);
    }
    let done = json!({"run": replayed.url, "version": version});
    sys::write_atomic(&directory.join(DELIVERED), done.to_string().as_bytes())?;
    Ok(Done {
        url: Some(replayed.url),
        version,
        problems: replayed.warnings,
        was_before: false,
    })
}

type Publication = (Facts, BTreeMap<String, crate::track::Content>);

/// The version that the run should have become.
fn publication(opened: &Opened, directory: &Path) -> Result<Option<Publication>, Failure> {
    let path = directory.join(PUBLICATION);
    if sys::kind(&path)? != Some(FileKind::File) {
        return Ok(None);
    }
    let text = sys::read_text(&path, MAX_FACTS)?;
    let unusable = |why: String| Failure::Unusable(format!("`{}` can not be used: {why}", path.display()));
    let facts = Facts::from_json(&text).map_err(|error| unusable(chain(&error)))?;
    if facts.model != opened.project.model.as_str() {
        return Err(unusable(format!(
            "it is of `{}`, and the configuration is of `{}`",
            facts.model, opened.project.model
        )));
    }
    let files = kept_model(directory)?;
    let digest = pipeline::bundle_digest(&files)?;
    if facts.registry.as_ref().and_then(|registry| registry.digest) != Some(digest) {
        return Err(unusable("its model is not the one that was judged".to_owned()));
    }
    Ok(Some((facts, files)))
}

/// Everything that waits, the oldest first.
fn waiting(root: &Path) -> Vec<PathBuf> {
    runs_in(&root.join(SPOOL).join(RUNS))
}

/// The runs below a directory, or the directory itself if it is one.
fn runs_in(directory: &Path) -> Vec<PathBuf> {
    let is_run = |name: &str| name.starts_with(PREFIX) || name.starts_with("run-");
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    if name.is_some_and(|name| is_run(&name)) {
        return vec![directory.to_owned()];
    }
    let listed = sys::list(directory).unwrap_or_default().into_iter();
    let folders = listed.filter(|listed| listed.kind == FileKind::Directory);
    folders
        .filter_map(|listed| Some(listed.name.to_str()?.to_owned()))
        .flat_map(|name| {
            if is_run(&name) {
                vec![directory.join(name)]
            } else if name == RUNS {
                runs_in(&directory.join(name))
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// Everything in the directory of a run that waits, by its path below [`SPOOL`]: unpacked anywhere, both `mlops sync` and
/// `wandb sync` find it.
pub fn packed(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or("run");
    let mut files = BTreeMap::new();
    let mut left = MAX_PACKED;
    collect(directory, &format!("{RUNS}/{name}"), &mut left, &mut files)?;
    Ok(files)
}

fn collect(folder: &Path, name: &str, left: &mut u64, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    for listed in sys::list(folder).map_err(|error| error.to_string())? {
        let Some(below) = listed.name.to_str() else { continue };
        let (path, name) = (folder.join(below), format!("{name}/{below}"));
        match listed.kind {
            FileKind::Directory => collect(&path, &name, left, files)?,
            FileKind::File => {
                let content = sys::read(&path, *left).map_err(|error| error.to_string())?;
                *left -= content.len() as u64;
                files.insert(name, content);
            }
            FileKind::Symlink | FileKind::Special => {}
        }
    }
    Ok(())
}
