//! A run as it begins: its identity, its names, its settings. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::setting::{GitHub, Setting};
use super::text::{MAX_NAME, code, plain, tag, tidy, typed, word};
use crate::base::Digest;
use crate::track::record::{GitState, RunStart};

const PROGRAM: &str = "mlops";
/// The most parameters that are told.
pub(super) const MAX_PARAMS: usize = 200;

/// What a tracker is told before anything was done.
///
/// The identity is the same for the same job, attempt and model, so that a repeated step takes its run up again.
pub fn start(setting: &Setting) -> RunStart {
    let configured = &setting.configured;
    let job_type = word(&setting.job_type);
    let github = setting.github.as_ref();
    RunStart {
        id: identity(setting, &job_type),
        display_name: display_name(setting),
        group: github.and_then(group),
        tags: tags(setting, &job_type),
        job_type,
        notes: Some(notes(setting)),
        config: BTreeMap::from([
            ("model".to_owned(), plain(&configured.model, MAX_NAME).into()),
            ("configuration".to_owned(), configuration(setting)),
            (
                "program_version".to_owned(),
                plain(&setting.program_version, MAX_NAME).into(),
            ),
            ("github".to_owned(), github.map_or(Value::Null, surroundings)),
        ]),
        git: github.and_then(|github| {
            Some(GitState {
                remote: page(github)?,
                commit: commit(setting)?.to_owned(),
            })
        }),
        program: PROGRAM.to_owned(),
        host: setting.host.as_ref().map(|host| plain(host, MAX_NAME)),
        started: setting.started,
    }
}

/// Only letters of the lower case, digits and `-`: `gh-17-1-evaluate-0f1e2d3c4b5a`.
///
/// The digest is of the model, its configuration file and the job: one run of a workflow may hold several of each.
fn identity(setting: &Setting, job_type: &str) -> String {
    let directory = setting.directory.as_deref().unwrap_or_default();
    let model = [&setting.configured.model, &setting.config_file, directory];
    if let Some(github) = &setting.github {
        let parts = model.into_iter().chain([github.job.as_str()]).map(str::as_bytes);
        let digest = Digest::of_parts(parts).short();
        return format!("gh-{}-{}-{job_type}-{digest}", github.run_id, github.attempt);
    }
    let moment = setting.started.to_string();
    let host = setting.host.as_deref().unwrap_or_default();
    let parts = model.into_iter().chain([moment.as_str(), host, job_type]);
    format!("local-{}", Digest::of_parts(parts.map(str::as_bytes)).short())
}

/// `diabetes #7 a1b2c3d`, `diabetes main a1b2c3d`, `diabetes a1b2c3d`.
fn display_name(setting: &Setting) -> String {
    let mut words = vec![plain(&setting.configured.model, MAX_NAME)];
    match &setting.github {
        Some(GitHub {
            pull_request: Some(number),
            ..
        }) => words.push(format!("#{number}")),
        Some(github) => words.extend(branch(github).map(|branch| plain(branch, 40))),
        None => {}
    }
    words.extend(commit(setting).map(|commit| commit[..7].to_owned()));
    words.join(" ")
}

/// What belongs together: the runs of a pull request, or of a branch.
fn group(github: &GitHub) -> Option<String> {
    match github.pull_request {
        Some(number) => Some(format!("pr-{number}")),
        None => branch(github).map(|branch| plain(branch, MAX_NAME)),
    }
}

/// At most seven, none twice.
fn tags(setting: &Setting, job_type: &str) -> Vec<String> {
    let github = setting.github.as_ref();
    let wanted = [
        Some(PROGRAM.to_owned()),
        Some(setting.configured.model.clone()),
        Some(job_type.to_owned()),
        Some(setting.configured.estimator.clone()),
        github.map(|github| github.event.clone()),
        github.and_then(group),
        github.is_none().then(|| "local".to_owned()),
    ];
    let mut tags: Vec<String> = Vec::new();
    for found in wanted.iter().flatten().filter_map(|wanted| tag(wanted)) {
        if !tags.contains(&found) {
            tags.push(found);
        }
    }
    tags
}

/// Markdown. Every text of somebody else's stands in a code span, every link is made of checked pieces.
fn notes(setting: &Setting) -> String {
    let model = code(&setting.configured.model);
    let file = code(&setting.config_file);
    let Some(github) = &setting.github else {
        let at = commit(setting).map_or(String::new(), |commit| format!(", at commit `{}`", &commit[..7]));
        return format!("{model} as {file} says{at}, on {}", host(setting));
    };
    let page = page(github);
    let linked = |text: String, way: String| match &page {
        Some(page) => format!("[{text}]({page}{way})"),
        None => text,
    };
    let mut pieces = Vec::new();
    if let Some(number) = github.pull_request {
        pieces.push(linked(format!("Pull request {number}"), format!("/pull/{number}")));
    }
    let (run, attempt) = (github.run_id, github.attempt);
    pieces.push(linked(
        format!("Workflow run {run}, attempt {attempt}"),
        format!("/actions/runs/{run}/attempts/{attempt}"),
    ));
    if let Some(commit) = commit(setting) {
        pieces.push(linked(format!("Commit {}", &commit[..7]), format!("/commit/{commit}")));
    }
    format!(
        "{}\n\n{model} as {file} says, for {} by {} on {}; job {} of {}",
        pieces.join(" · "),
        code(&github.event),
        code(&github.actor),
        code(&github.git_ref),
        code(&github.job),
        code(&github.workflow),
    )
}

fn host(setting: &Setting) -> String {
    setting
        .host
        .as_deref()
        .map_or_else(|| "a computer without a name".to_owned(), code)
}

fn configuration(setting: &Setting) -> Value {
    let configured = &setting.configured;
    tidy(json!({
        "file": setting.config_file,
        "directory": setting.directory,
        "data": configured.data,
        "train": {
            "estimator": configured.estimator,
            "params": params(&configured.params),
            "seed": configured.seed,
        },
        "evaluate": {"metrics": configured.metrics, "slices": configured.slices},
        "gates": configured.gates,
        "promote": {"to": configured.promote_to},
    }))
}

/// Each with the type that it has.
pub(super) fn params(params: &[(String, String)]) -> Map<String, Value> {
    params
        .iter()
        .take(MAX_PARAMS)
        .map(|(name, value)| (plain(name, MAX_NAME), typed(value)))
        .collect()
}

fn surroundings(github: &GitHub) -> Value {
    tidy(json!({
        "repository": github.repository,
        "ref": github.git_ref,
        "run_id": github.run_id,
        "run_attempt": github.attempt,
        "job": github.job,
        "workflow": github.workflow,
        "event": github.event,
        "pull_request": github.pull_request,
        "actor": github.actor,
        "page": page(github).map(|page| format!("{page}/actions/runs/{}/attempts/{}", github.run_id, github.attempt)),
    }))
}

/// A whole digest of a commit, in hexadecimal digits.
fn commit(setting: &Setting) -> Option<&str> {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let is_commit = |commit: &&str| matches!(commit.len(), 40 | 64) && commit.bytes().all(is_digit);
    setting.commit.as_deref().filter(is_commit)
}

fn branch(github: &GitHub) -> Option<&str> {
    let name = github
        .git_ref
        .strip_prefix("refs/heads/")
        .or_else(|| github.git_ref.strip_prefix("refs/tags/"));
    name.filter(|name| !name.is_empty())
}

/// The repository's page, if its pieces are those of an address: nothing in them ends a link or begins something else.
fn page(github: &GitHub) -> Option<String> {
    let (server, repository) = (&github.server, &github.repository);
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let host = server
        .strip_prefix("https://")
        .or_else(|| server.strip_prefix("http://"))?;
    let host_is_plain = !host.is_empty() && host.bytes().all(|b| is_plain(b) || matches!(b, b':' | b'/'));
    let (owner, name) = repository.split_once('/')?;
    let names_are_plain = [owner, name]
        .iter()
        .all(|part| !part.is_empty() && *part != "." && *part != ".." && part.bytes().all(is_plain));
    let is_short = server.len() <= 200 && repository.len() <= 200;
    (host_is_plain && names_are_plain && is_short).then(|| format!("{}/{repository}", server.trim_end_matches('/')))
}
