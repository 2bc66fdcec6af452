//! The lifecycle on a runner: the pipeline between an open check and everything that shows what it found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::unbounded_channel;

use crate::base::{CommitSha, Diagnostic, Diagnostics, Digest};
use crate::cli::Invocation;
use crate::config::{self, Approval};
use crate::facts::Facts;
use crate::github::archive::{self, Limits};
use crate::github::results::{Mime, Upload};
use crate::github::{Event, handover, pulls};
use crate::lint::Changed;
use crate::pipeline::{self, Finished, Options, Services};
use crate::report::{self, Render as _};
use crate::sys::FileError;
use crate::track::record::RunStart;
use crate::track::{BRANCH, Branch, Content};

use super::super::project::{self, Opened};
use super::super::run as local;
use super::super::tracking::Tracking;
use super::super::wandb::{self, Kept, Reach};
use super::super::{FAILED, Failure, PASSED, UNKNOWN, UNUSABLE, failure, print};
use super::super::{dataset, sync};
use super::deliver::Loudness;
use super::desk::Desk;
use super::environments;
use super::listen;
use super::plan::{Evaluate, Place};
use super::shown::{self, Shown};

/// What a model's artifact may weigh; larger ones are in the registry alone.
const MAX_ARTIFACT: u64 = 512 << 20;
/// What a fork's run found is of use until it is shown.
const FORK_DAYS: u32 = 3;
/// Of how models lie in a cache's entry; another one is not looked at.
const CACHE_VERSION: &str = "mlops-models-1";
const CACHE_PREFIX: &str = "mlops-models-";
const CACHE_LIMITS: Limits = Limits {
    packed_bytes: 128 << 20,
    unpacked_bytes: 256 << 20,
    entries: 40,
    ratio: 200,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Run,
    Check,
}

/// How it ended, for a person in one line, and for the runner.
pub struct Ended {
    pub code: u8,
    pub title: String,
}

/// Who asks for what, and how far they may go.
pub struct Asked<'a> {
    pub actor: &'a str,
    /// As trackers name it: `evaluate`, `publish`, `promote`.
    pub job_type: &'a str,
    pub reach: Reach,
}

/// What a run acts with on a runner: the registry is W&B or the repository's branch.
pub async fn services(
    desk: &Desk,
    invocation: &Invocation,
    opened: &Opened,
    asked: &Asked<'_>,
    events: tokio::sync::mpsc::UnboundedSender<pipeline::Event>,
) -> Result<(Services, Kept, RunStart), Failure> {
    let start = project::start(invocation, opened, asked.job_type, Some(desk.of_tracker()));
    let kept = wandb::choose(opened, &invocation.env, asked.reach, &start).await?;
    let is_elsewhere = kept.registry.is_some();
    let (mut services, kept) = project::equipped(invocation, opened, kept, events)?;
    asked.actor.clone_into(&mut services.actor);
    services.branch = desk.of_tracker().pull_request.map(|number| format!("pr_{number}"));
    services.run = Some(pipeline::RunPage {
        base: desk.context.runs_url(),
        id: desk.context.run.id,
    });
    if is_elsewhere {
        return Ok((services, kept, start));
    }
    // An empty folder would say that there is no production yet, which nobody knows.
    let client = desk.github.clone().ok_or_else(|| {
        Failure::Unusable(format!(
            "there is no token to read what is in production from the branch `{BRANCH}` with: leave `github-token` out, \
             whose default is the job's own"
        ))
    })?;
    let branch = Branch::new(client, desk.context.repository.clone(), BRANCH.to_owned());
    services.registry = Box::new(branch);
    services.registry_place = format!("branch {BRANCH}");
    Ok((services, kept, start))
}

/// Runs and shows everything.
pub async fn evaluate(desk: &Desk, invocation: &Invocation, job: &Evaluate, work: Work) -> Ended {
    let head = job.head.clone();
    let place = job.place;
    // Where the token may only read, nothing is tried that can not be.
    let checked = head.as_ref().filter(|_| !matches!(place, Place::ReadOnly));
    let opened = match project::open(invocation) {
        Ok(opened) => opened,
        Err(failure) => return could_not_begin(desk, invocation, &failure, place, checked).await,
    };
    let prefix = format!("mlops / {}", opened.project.model);
    let key = shown::in_repository(desk.inputs.directory.as_deref(), &opened.file);
    if let Some(head) = checked {
        desk.open_check(&prefix, &key, head).await;
    }
    let (finished, waiting) = match Box::pin(run(desk, invocation, &opened, job, work)).await {
        Ok(done) => done,
        Err(failure) => return could_not_begin(desk, invocation, &failure, place, checked).await,
    };
    let Finished {
        mut facts,
        bundle,
        mut problems,
        could_not_find_out,
        unpublished: _,
    } = finished;
    problems.locate(&opened.file, &opened.text);
    problems.extend(opened.warnings.clone());
    if let Some(head) = &head {
        facts.commit = Some(head.to_string());
    }
    facts.directory.clone_from(&desk.inputs.directory);
    if matches!(place, Place::Pull(_) | Place::ReadOnly) {
        let loosened = loosened(desk, &opened, &key).await;
        call_out(&mut facts, &mut problems, &opened, &loosened);
    }
    let model = packed(desk, &bundle);
    let report = match (work, local::keep(&opened, &facts, None, bundle)) {
        (Work::Check, _) => None,
        (Work::Run, Ok(path)) => Some(path),
        (Work::Run, Err(failure)) => {
            desk.notice(format!(
                "the report is not in the workspace: {}",
                pipeline::chain(&failure)
            ));
            None
        }
    };
    let report = report.map(|path| in_workspace(desk, &path));
    let result = local::result(&facts, report.as_deref());
    let mut shown = shown::of_facts(&facts, &problems, &result, report.as_deref(), could_not_find_out);
    let page = match work {
        Work::Run => upload(desk, &shown, &facts, model, place).await,
        Work::Check => None,
    };
    if let Some(directory) = &waiting {
        upload_waiting(desk, &shown.key, directory).await;
    }
    let mut around = desk.around(page);
    around.next = next(&opened, &facts);
    around.tracked = facts.tracking.as_ref().and_then(|tracking| tracking.url.clone());
    shown.document = report::around(shown.document, &around);
    let title = report::document_title(&shown.document);
    let has_check = show(desk, &shown, &prefix, place, checked).await;
    print(&local::plain(&facts)).ok();
    if problems.has_errors() {
        failure::say(&problems.to_string());
    }
    desk.tell_runner(&shown, has_check);
    let code = match (problems.has_errors(), could_not_find_out, facts.passed) {
        (true, _, _) => UNUSABLE,
        (false, true, _) => UNKNOWN,
        (false, false, true) => PASSED,
        (false, false, false) => FAILED,
    };
    Ended { code, title }
}

async fn run(
    desk: &Desk,
    invocation: &Invocation,
    opened: &Opened,
    job: &Evaluate,
    work: Work,
) -> Result<(Finished, Option<PathBuf>), Failure> {
    let options = match job.keep_back {
        None => Options::publishing(&opened.file),
        Some(why) => Options::keeping_back(&opened.file, why),
    };
    let options = Options {
        // Who asks for training by its name gets it.
        only_when_due: job.place == Place::Schedule && desk.inputs.command.is_none(),
        ..options
    };
    let restored = restore_cache(desk, &opened.root).await;
    let (events, listener) = unbounded_channel();
    let asked = Asked {
        actor: &desk.context.actor,
        job_type: match (job.place, job.keep_back) {
            (Place::Schedule, _) => "schedule",
            (_, None) => "publish",
            (_, Some(_)) => "evaluate",
        },
        reach: match job.place {
            Place::ReadOnly => Reach::ReadOnly,
            Place::Pull(_) | Place::DefaultBranch | Place::Schedule | Place::Commit => Reach::Trusted,
        },
    };
    let (mut services, kept, mut start) = services(desk, invocation, opened, &asked, events).await?;
    // Nobody else asks for it.
    if opened.project.gates.lint.is_some() {
        services.changed = changed(desk).await;
    }
    let head = job.head.as_ref().map(ToString::to_string);
    if let (Some(git), Some(head)) = (&mut start.git, head) {
        git.commit = head;
    }
    let (shelf, keeping) = environments::shelf(desk, job.place);
    services.shelf = shelf;
    let mut tracking = Tracking::none();
    if work == Work::Run {
        tracking = Tracking::of(&kept, &start, &opened.root);
    }
    let listening = tokio::spawn(listen::listen(tracking.listen(listener)));
    let mut finished = match work {
        Work::Run => Box::pin(pipeline::run(&opened.project, &mut services, &options)).await,
        Work::Check => Box::pin(pipeline::check(&opened.project, &mut services, &options)).await,
    };
    let problem = services.shelf.take().and_then(|shelf| shelf.problem);
    // The listener ends when the last sender is gone.
    drop(services);
    listening.await.ok();
    environments::kept(desk, keeping, problem).await;
    if work == Work::Run {
        save_cache(desk, &opened.root, restored.as_deref()).await;
    }
    finished.facts.alerts.extend(kept.alert.clone());
    let data = dataset::of(opened, &finished.facts, Some(&desk.files_page(job.head.as_ref())));
    let waiting = tracking.finish(opened, &mut finished, data).await;
    Ok((finished, waiting))
}

/// What the change under judgement, a pull request or a push, touches below the project's directory. Where there is no
/// change, as on a schedule, nothing is touched; where it can not be read, nobody knows, and everything counts.
async fn changed(desk: &Desk) -> Option<Changed> {
    let client = desk.github.as_ref()?;
    let (context, what) = (&desk.context, "which lines the change touches");
    let files = match (desk.of_tracker().pull_request, context.base(), context.head()) {
        (Some(number), _, _) => desk.soft(what, pulls::files(client, &context.repository, number).await)?,
        (None, Some(base), Some(head)) => {
            let files = pulls::files_between(client, &context.repository, base, head).await;
            desk.soft(what, files)?
        }
        // Of a branch that is new all is new.
        (None, None, _) if matches!(context.event, Event::Push(_)) => return None,
        (None, _, _) => Vec::new(),
    };
    // As paths of the repository are written; where it can not be one, nobody knows what is below it.
    let written = desk.inputs.directory.as_deref().unwrap_or_default();
    if written.starts_with('/') || written.split('/').any(|part| part == "..") {
        return None;
    }
    let directory = shown::in_repository(None, written);
    let mut changed = Changed::default();
    for file in files {
        let path = if directory.is_empty() {
            Some(file.filename.as_str())
        } else {
            let inner = file.filename.strip_prefix(&directory);
            inner.and_then(|rest| rest.strip_prefix('/'))
        };
        match (path, &file.patch) {
            (Some(path), Some(patch)) => changed.add_patch(path, patch),
            (Some(path), None) if file.changes > 0 => changed.add_whole(path),
            (Some(_), None) | (None, _) => {}
        }
    }
    Some(changed)
}

/// What earlier runs trained and tested, whoever's they were; the key that it was found under.
async fn restore_cache(desk: &Desk, root: &Path) -> Option<String> {
    let results = desk.results.as_ref()?;
    let restored = match results.restore(&[CACHE_PREFIX.to_owned()], &cache_version()).await {
        Ok(restored) => restored?,
        Err(error) => {
            tracing::debug!(%error, "there is no cache");
            return None;
        }
    };
    match archive::unpack(&restored.bytes, CACHE_LIMITS, pipeline::is_packed_name) {
        Ok(files) => match pipeline::cache_unpack(root, &files) {
            Ok(n_models) => tracing::debug!(n_models, key = restored.key, "models of earlier runs are there"),
            Err(error) => tracing::warn!(%error, "the cache can not be used"),
        },
        Err(error) => tracing::warn!(%error, "the cache can not be used"),
    }
    Some(restored.key)
}

fn cache_version() -> String {
    Digest::of(CACHE_VERSION.as_bytes()).hex()
}

/// Keeps what this run trained and tested, unless all of it came from a cache.
async fn save_cache(desk: &Desk, root: &Path, restored: Option<&str>) {
    let Some(results) = &desk.results else { return };
    let Some(models) = pipeline::cache_pack(root) else {
        return;
    };
    let key = format!("{CACHE_PREFIX}{}", models.key);
    if restored == Some(key.as_str()) {
        return;
    }
    let Ok(packed) = archive::pack(&models.files) else {
        return;
    };
    if let Err(error) = results.save(&key, &cache_version(), &packed).await {
        tracing::debug!(%error, "the cache was not kept");
    }
}

/// Every way in which this very change weakens what judges it.
async fn loosened(desk: &Desk, opened: &Opened, key: &str) -> Vec<config::Loosened> {
    let (Some(client), Some(base)) = (&desk.github, desk.context.base()) else {
        return Vec::new();
    };
    let file = pulls::file_at(client, &desk.context.repository, key, base.as_str()).await;
    let Some(Some(bytes)) = desk.soft("the comparison with the configuration before", file) else {
        return Vec::new();
    };
    let before = config::decode(&bytes).and_then(config::check);
    before.map_or_else(
        |_| Vec::new(),
        |before| config::loosened(&before.project, &opened.project),
    )
}

/// What was loosened stands above the numbers, and on its lines.
fn call_out(facts: &mut Facts, problems: &mut Diagnostics, opened: &Opened, loosened: &[config::Loosened]) {
    let Some(first) = loosened.first() else { return };
    let more = match loosened.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more"),
    };
    facts.alerts.insert(
        0,
        format!(
            "this very change loosens what judges it: `{}` from {} to {}{more}",
            first.key, first.was, first.now
        ),
    );
    for one in loosened {
        let message = format!(
            "this change loosens `{}`: it was {}, it is {}",
            one.key, one.was, one.now
        );
        let mut problem = Diagnostic::warning("loosened", message).file(&opened.file);
        if let Some(span) = one.span {
            problem = problem.at(span);
        }
        problems.push(problem);
    }
}

/// The page of the HTML report; the model goes up beside it, and what a fork found.
async fn upload(desk: &Desk, shown: &Shown, facts: &Facts, model: Option<Vec<u8>>, place: Place) -> Option<String> {
    let name = handover::key(&shown.key);
    let html = Upload {
        name: format!("mlops-report-{name}.html"),
        mime: Mime::Html,
        content: report::Html::default().render(&shown.document).into_bytes(),
        keep_days: None,
    };
    let page = desk.upload("the report as an artifact", &html).await;
    if let Some(content) = model {
        let model = Upload {
            name: format!("mlops-model-{name}"),
            mime: Mime::Zip,
            content,
            keep_days: None,
        };
        desk.upload("the model as an artifact", &model).await;
    }
    if matches!(place, Place::ReadOnly) {
        match handover::pack(&facts.to_json()) {
            Ok(content) => {
                let facts = Upload {
                    name: handover::artifact_name(&name),
                    mime: Mime::Zip,
                    content,
                    keep_days: Some(FORK_DAYS),
                };
                desk.upload("what this run found", &facts).await;
            }
            Err(error) => desk.notice(format!("what this run found is missing: {error}")),
        }
    }
    page
}

/// What waits to be delivered to W&B, as an artifact: a runner's disk is gone with it.
async fn upload_waiting(desk: &Desk, key: &str, directory: &Path) {
    let packed = sync::packed(directory).and_then(|files| archive::pack(&files).map_err(|error| error.to_string()));
    match packed {
        Ok(content) => {
            let waiting = Upload {
                name: format!("mlops-wandb-{}", handover::key(key)),
                mime: Mime::Zip,
                content,
                keep_days: None,
            };
            desk.upload("what waits for W&B", &waiting).await;
        }
        Err(why) => desk.notice(format!("what waits for W&B is not an artifact: {why}")),
    }
}

/// The files of the model as one archive, if it is worth an artifact.
fn packed(desk: &Desk, bundle: &BTreeMap<String, Content>) -> Option<Vec<u8>> {
    let n_bytes: u64 = bundle
        .values()
        .map(|content| content.len().unwrap_or(u64::MAX))
        .fold(0, u64::saturating_add);
    if bundle.is_empty() || n_bytes > MAX_ARTIFACT || desk.results.is_none() {
        return None;
    }
    let files: Result<BTreeMap<String, Vec<u8>>, FileError> = bundle
        .iter()
        .map(|(name, content)| Ok((name.clone(), content.clone().into_bytes(MAX_ARTIFACT)?)))
        .collect();
    let files = files
        .map_err(|error| desk.notice(format!("the model as an artifact is missing: {error}")))
        .ok()?;
    archive::pack(&files)
        .map_err(|error| desk.notice(format!("the model as an artifact is missing: {error}")))
        .ok()
}

/// What a maintainer can do now.
fn next(opened: &Opened, facts: &Facts) -> Option<String> {
    let registry = facts.registry.as_ref()?;
    let version = registry.version?;
    let to = &opened.project.promote.to;
    let is_there = registry
        .aliases
        .iter()
        .any(|(alias, at)| alias == to.as_str() && *at == version);
    if is_there {
        return Some(format!("{version} is in `{to}`"));
    }
    match opened.project.promote.approval {
        Approval::Comment => Some(format!(
            "{version} is published: the comment `/mlops promote` moves `{to}` to it"
        )),
        Approval::Environment => Some(format!(
            "{version} is published: the comment `/mlops promote` asks the reviewers of the environment `{to}`"
        )),
        Approval::Auto => Some(format!("{version} is published, and `{to}` stays where it is")),
    }
}

/// Checks, then the comment of the pull request or the issue of the schedule. Whether there is a check.
async fn show(desk: &Desk, shown: &Shown, name: &str, place: Place, head: Option<&CommitSha>) -> bool {
    let Some(head) = head else { return false };
    let has_check = desk.checks(shown, name, head).await;
    match place {
        Place::Pull(number) => {
            if desk.is_current(number, head).await {
                desk.comment(shown, number, head, Loudness::Heard).await;
            }
        }
        Place::DefaultBranch => {
            if let Some(number) = desk.merged_pull(head).await {
                desk.comment(shown, number, head, Loudness::Silent).await;
            }
        }
        Place::Schedule => desk.issue(shown).await,
        Place::ReadOnly | Place::Commit => {}
    }
    has_check
}

/// A configuration that can not be used is told everywhere too.
async fn could_not_begin(
    desk: &Desk,
    invocation: &Invocation,
    failure: &Failure,
    place: Place,
    checked: Option<&CommitSha>,
) -> Ended {
    let problems = failure.problems();
    let directory = desk.inputs.directory.as_deref();
    let file = desk.inputs.config.as_deref().unwrap_or("mlops.yaml");
    let key = shown::in_repository(directory, file);
    let result = failure::result(failure);
    let mut shown = shown::of_problems_alone(&key, &key, directory, &problems, &result);
    shown.document = report::around(shown.document, &desk.around(None));
    let has_check = show(desk, &shown, &format!("mlops / {key}"), place, checked).await;
    let code = failure::show(failure, invocation);
    desk.tell_runner(&shown, has_check);
    Ended {
        code,
        title: report::document_title(&shown.document),
    }
}

/// A path as other steps of the job can use it.
fn in_workspace(desk: &Desk, path: &str) -> String {
    Path::new(path)
        .strip_prefix(&desk.context.workspace)
        .map_or_else(|_| path.to_owned(), |inside| inside.display().to_string())
}
