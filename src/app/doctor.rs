//! `doctor`: reads the configuration, the workflows and the present environment, and says what is missing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::base::Diagnostics;
use crate::cli::Invocation;
use crate::config::{self, RegistryChoice};
use crate::exec::neutralise;
use crate::setup::{self, Access, Asks, CurrentJob, FOLDER, Finding, Matter, Surroundings, Workflow};
use crate::sys::{self, FileKind};
use crate::wandb::{Key, KeySource};

use super::{FAILED, Failure, PASSED, init, json as wants_json, print, project};

/// A repository with more workflows is looked at as far as that.
const MAX_WORKFLOWS: usize = 200;
const MAX_ATTRIBUTES_BYTES: u64 = 64 * 1024;

pub fn doctor(invocation: &Invocation) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let root = opened
        .root
        .canonicalize()
        .map_err(|_| Failure::Unusable(format!("`{}` is not a directory", opened.root.display())))?;
    let repository = project::repository(&root).unwrap_or_else(|| root.clone());
    let workflows = workflows(&repository)?;
    let asks = Asks {
        approval: opened.project.promote.approval,
        environment: opened.project.promote.to.to_string(),
        source: opened.project.data.source.clone(),
        registry: opened.project.registry,
        wandb: opened.project.registry == RegistryChoice::Wandb || opened.project.wandb.is_written,
        shares_key: opened.project.wandb.shares_key,
    };
    let findings = setup::examine(&asks, &workflows, &surroundings(invocation, &repository));
    let n_missing = findings.iter().filter(|one| one.matter == Matter::Missing).count();
    print(&if wants_json(invocation) {
        format!("{:#}", json_of(&findings))
    } else {
        human(&findings, n_missing, &opened.file, workflows.len())
    })?;
    Ok(if n_missing == 0 { PASSED } else { FAILED })
}

/// Every workflow of the repository; what is no YAML is a problem of each file, all at once.
fn workflows(repository: &Path) -> Result<Vec<Workflow>, Failure> {
    let folder: Vec<&str> = FOLDER.split('/').collect();
    let path = repository.join(FOLDER);
    if sys::kind(&path)? != Some(FileKind::Directory) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut problems = Diagnostics::default();
    let files = sys::list(&path)?
        .into_iter()
        .filter(|entry| entry.kind == FileKind::File);
    let names = files.filter_map(|entry| entry.name.into_string().ok());
    let is_yaml = |name: &String| {
        Path::new(name)
            .extension()
            .is_some_and(|ending| ending == "yml" || ending == "yaml")
    };
    for name in names.filter(is_yaml).take(MAX_WORKFLOWS) {
        let parts: Vec<&str> = folder.iter().copied().chain([name.as_str()]).collect();
        let bytes = sys::read_beneath(repository, &parts, config::MAX_BYTES as u64)?;
        let file = format!("{FOLDER}/{name}");
        let read = config::decode(&bytes)
            .map_err(|mut problems| {
                problems.locate(&file, "");
                problems
            })
            .and_then(|text| Workflow::read(&file, text));
        match read {
            Ok(workflow) => found.push(workflow),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(problems.into())
    }
}

fn surroundings(invocation: &Invocation, repository: &Path) -> Surroundings {
    let env = &invocation.env;
    let has = |names: &[&str]| {
        names
            .iter()
            .any(|name| env.get(*name).is_some_and(|value| !value.is_empty()))
    };
    let job = has(&["GITHUB_ACTIONS"]).then(|| CurrentJob {
        event: env.get("GITHUB_EVENT_NAME").cloned().unwrap_or_default(),
        has_token: has(&["INPUT_GITHUB-TOKEN", "INPUT_GITHUB_TOKEN", "GITHUB_TOKEN"]),
        has_runtime: has(&["ACTIONS_RUNTIME_TOKEN"]) && has(&["ACTIONS_RESULTS_URL"]),
    });
    let attributes = sys::read_beneath(repository, &[".gitattributes"], MAX_ATTRIBUTES_BYTES).ok();
    Surroundings {
        job,
        default_branch: init::known_branch(repository),
        attributes: attributes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        wandb: access(env),
    }
}

/// What there is to ask W&B with, in the order in which it is taken.
fn access(env: &BTreeMap<String, String>) -> Access {
    let given = |name: &str| {
        env.get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    };
    if given("WANDB_IDENTITY_TOKEN_FILE").is_some() {
        return Access::Usable;
    }
    match given("WANDB_API_KEY").map(|key| Key::parse(key, KeySource::Environment)) {
        Some(Ok(_)) => Access::Usable,
        Some(Err(error)) => Access::Broken(error.to_string()),
        None if given("ACTIONS_ID_TOKEN_REQUEST_TOKEN").is_some() => Access::Usable,
        None => Access::Nothing,
    }
}

fn human(findings: &[Finding], n_missing: usize, config: &str, n_workflows: usize) -> String {
    let mut out = String::new();
    // Writing to a string can not fail.
    for finding in findings {
        let _ = writeln!(
            out,
            "{}[{}]: {}",
            finding.matter.word(),
            finding.code,
            neutralise(&finding.what)
        );
        if let Some(place) = &finding.place {
            let _ = writeln!(
                out,
                "  --> {}:{}:{}",
                neutralise(&place.file),
                place.span.line,
                place.span.column
            );
        }
        let _ = writeln!(out, "  {}", neutralise(&finding.why));
        if let Some(fix) = &finding.fix {
            out.push('\n');
            for line in fix.lines() {
                let _ = writeln!(out, "    {}", neutralise(line));
            }
        }
        out.push('\n');
    }
    let n_advice = findings.len() - n_missing;
    let _ = match (n_missing, n_advice) {
        (0, 0) => writeln!(out, "nothing is missing: {config} and the workflows go together"),
        (0, advice) => writeln!(out, "nothing that matters is missing, {advice} advice"),
        (missing, advice) => writeln!(out, "{missing} missing, {advice} advice"),
    };
    if n_workflows == 0 {
        let _ = writeln!(out, "there are no workflows in {FOLDER}");
    }
    out
}

fn json_of(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| {
        json!({
            "severity": finding.matter.word(),
            "code": finding.code,
            "what": finding.what,
            "why": finding.why,
            "fix": finding.fix,
            "file": finding.place.as_ref().map(|place| &place.file),
            "line": finding.place.as_ref().map(|place| place.span.line),
            "column": finding.place.as_ref().map(|place| place.span.column),
        })
    };
    let n_missing = findings.iter().filter(|one| one.matter == Matter::Missing).count();
    json!({"passed": n_missing == 0, "findings": findings.iter().map(one).collect::<Vec<_>>()})
}
