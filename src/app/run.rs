//! `run`, `check`, `compare`, `report`: from a project to a report, and showing one again.

use std::collections::BTreeMap;
use std::path::Path;

use tokio::sync::mpsc::unbounded_channel;

use crate::base::Diagnostics;
use crate::cli::{Invocation, Rendering};
use crate::facts::Facts;
use crate::pipeline::{self, Finished, Options, RunFiles};
use crate::report::{self, Render as _};

use super::project::{self, Opened};
use super::registry::version_ref;
use super::{FAILED, Failure, PASSED, UNUSABLE, failure, json, print, progress};

const UNKNOWN: u8 = 3;

/// The whole lifecycle.
pub async fn run(invocation: &Invocation, publish: bool) -> Result<u8, Failure> {
    work(invocation, publish, Work::Run).await
}

/// Everything but training.
pub async fn check(invocation: &Invocation) -> Result<u8, Failure> {
    work(invocation, false, Work::Check).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Run,
    Check,
}

async fn work(invocation: &Invocation, publish: bool, work: Work) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    warn(invocation, &opened.warnings);
    let options = Options {
        publish,
        config_file: opened.file.clone(),
        program_version: env!("CARGO_PKG_VERSION"),
    };
    let (events, listener) = unbounded_channel();
    let common = &invocation.cli.common;
    let quiet = common.quiet || json(invocation);
    let color = invocation.terminal.stderr && invocation.color();
    let shown = tokio::spawn(progress::listen(listener, quiet, common.verbose > 0, color));
    let services = project::services(invocation, &opened.root, events);
    let finished = match work {
        Work::Run => pipeline::run(&opened.project, &services, &options).await,
        Work::Check => pipeline::check(&opened.project, &services, &options).await,
    };
    // The listener ends when the last sender is gone.
    drop(services);
    shown.await.ok();
    conclude(invocation, &opened, finished, work)
}

/// Saves and shows what a run found, then says how it ended.
fn conclude(invocation: &Invocation, opened: &Opened, finished: Finished, work: Work) -> Result<u8, Failure> {
    let Finished {
        facts,
        bundle,
        mut problems,
        could_not_find_out,
    } = finished;
    problems.locate(&opened.file, &opened.text);
    let before = pipeline::latest(&opened.root)
        .and_then(|run| pipeline::load_facts(&run))
        .ok();
    let place = match work {
        Work::Run => Some(keep(opened, &facts, before.as_ref(), bundle)?),
        Work::Check => None,
    };
    if json(invocation) {
        print(&result(&facts, place.as_deref()))?;
    } else {
        let quiet = invocation.cli.common.quiet;
        print(&if quiet {
            report::title(&facts)
        } else {
            terminal(invocation, &facts, before.as_ref())
        })?;
        if let (Some(place), false) = (&place, quiet) {
            failure::say(&format!("report: {place}"));
        }
    }
    if problems.has_errors() {
        failure::say(&problems.to_string());
        return Ok(UNUSABLE);
    }
    warn(invocation, &problems);
    Ok(match (could_not_find_out, facts.passed) {
        (true, _) => UNKNOWN,
        (false, true) => PASSED,
        (false, false) => FAILED,
    })
}

fn warn(invocation: &Invocation, warnings: &Diagnostics) {
    if !warnings.is_empty() && !invocation.cli.common.quiet {
        failure::say(&warnings.to_string());
    }
}

/// Writes the run's directory and returns the path of its HTML report as the user would name it.
fn keep(
    opened: &Opened,
    facts: &Facts,
    before: Option<&Facts>,
    bundle: BTreeMap<String, Vec<u8>>,
) -> Result<String, Failure> {
    let document = report::sections(facts, before);
    let place = pipeline::run_directory(Path::new(""), facts)
        .join("report.html")
        .display()
        .to_string();
    let files = RunFiles {
        reports: BTreeMap::from([
            ("report.html", report::Html::default().render(&document)),
            ("report.md", report::Markdown::default().render(&document)),
            ("result.json", result(facts, Some(&place))),
        ]),
        bundle,
    };
    pipeline::save(&opened.root, facts, &files)?;
    Ok(opened.root.join(place).display().to_string())
}

/// The object that programs read.
fn result(facts: &Facts, report: Option<&str>) -> String {
    report::Json { report }.render(facts)
}

fn terminal(invocation: &Invocation, facts: &Facts, before: Option<&Facts>) -> String {
    let full = invocation.cli.common.verbose > 0;
    let renderer = report::Terminal {
        width: invocation.width(),
        color: invocation.color(),
        full,
    };
    renderer.render(&report::sections(facts, before))
}

/// A finished run, again.
pub fn report(invocation: &Invocation, run: Option<&Path>, rendering: Rendering) -> Result<u8, Failure> {
    let root = invocation.cli.common.directory.clone().unwrap_or_else(|| ".".into());
    let directory = match run {
        Some(directory) => root.join(directory),
        None => pipeline::latest(&root)?,
    };
    let (facts, _) = pipeline::load(&directory)?;
    let document = report::sections(&facts, None);
    let text = match rendering {
        _ if json(invocation) => result(&facts, Some(&directory.join("report.html").display().to_string())),
        Rendering::Terminal => terminal(invocation, &facts, None),
        Rendering::Markdown => report::Markdown::default().render(&document),
        Rendering::Html => report::Html::default().render(&document),
        Rendering::Json => result(&facts, Some(&directory.join("report.html").display().to_string())),
    };
    print(&text)?;
    Ok(PASSED)
}

/// Two versions of the registry on today's held-out rows.
pub async fn compare(invocation: &Invocation, champion: &str, challenger: &str) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let (events, _) = unbounded_channel();
    let services = project::services(invocation, &opened.root, events);
    let options = Options {
        publish: false,
        config_file: opened.file.clone(),
        program_version: env!("CARGO_PKG_VERSION"),
    };
    let which = [&version_ref(champion)?, &version_ref(challenger)?];
    let mut finished = pipeline::compare_versions(&opened.project, &services, &options, which).await?;
    finished.problems.locate(&opened.file, &opened.text);
    if finished.problems.has_errors() {
        return Err(finished.problems.into());
    }
    let facts = &finished.facts;
    print(&if json(invocation) {
        result(facts, None)
    } else {
        terminal(invocation, facts, None)
    })?;
    Ok(match (finished.could_not_find_out, facts.passed) {
        (true, _) => UNKNOWN,
        (false, true) => PASSED,
        (false, false) => FAILED,
    })
}
