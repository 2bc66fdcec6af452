//! `run`, `check`, `compare`, `report`: from a project to a report, and showing one again.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::unbounded_channel;

use crate::base::{Diagnostics, clean};
use crate::cli::{Invocation, Rendering};
use crate::exec::{self, Task, neutralise};
use crate::facts::Facts;
use crate::gates::GateStatus;
use crate::lint::{self, Changed};
use crate::pipeline::{self, Finished, Options, RunFiles, Services};
use crate::report::{self, Render as _};
use crate::steps::StepOutcome;
use crate::track::Content;

use super::dataset;
use super::project::{self, Opened};
use super::registry::version_ref;
use super::tracking::Tracking;
use super::{FAILED, Failure, PASSED, UNKNOWN, UNUSABLE, failure, json, print, progress};

/// The whole lifecycle.
pub async fn run(invocation: &Invocation, publish: bool, since: Option<&str>) -> Result<u8, Failure> {
    work(invocation, publish, since, Work::Run).await
}

/// Everything but training.
pub async fn check(invocation: &Invocation, since: Option<&str>) -> Result<u8, Failure> {
    work(invocation, false, since, Work::Check).await
}

/// One of the repository's own steps, with those that it needs.
pub async fn run_step(invocation: &Invocation, step: &str) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    warn(invocation, &opened.warnings);
    let (events, listener) = unbounded_channel();
    let common = &invocation.cli.common;
    let quiet = common.quiet || json(invocation);
    let color = invocation.terminal.stderr && invocation.color();
    let (mut services, ..) = project::services(invocation, &opened, "step", events).await?;
    let shown = tokio::spawn(progress::listen(listener, quiet, common.verbose > 0, color));
    let options = Options::looking(&opened.file);
    let Finished {
        facts,
        mut problems,
        could_not_find_out,
        ..
    } = pipeline::run_step(&opened.project, &mut services, &options, step).await;
    drop(services);
    shown.await.ok();
    problems.locate(&opened.file, &opened.text);
    let outcomes = if json(invocation) {
        serde_json::to_string_pretty(&facts.workflow).expect("outcomes have text keys and whole numbers")
    } else {
        let line = |outcome: &StepOutcome| {
            let symbol = if outcome.status.is_done() { '✓' } else { '✗' };
            let log = outcome
                .log
                .as_ref()
                .map_or_else(String::new, |log| format!(" (log: {log})"));
            let line = format!("{symbol} {}: {}{log}", pipeline::step_shown(outcome), outcome.reason);
            neutralise(&clean(&line, 2_000))
        };
        facts.workflow.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if !outcomes.is_empty() {
        print(&outcomes)?;
    }
    if problems.has_errors() {
        failure::say(&problems.to_string());
        return Ok(UNUSABLE);
    }
    if !facts.passed && facts.workflow.is_empty() {
        failure::say(&facts.reason);
    }
    Ok(match (could_not_find_out, facts.passed) {
        (true, _) => UNKNOWN,
        (false, true) => PASSED,
        (false, false) => FAILED,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Run,
    Check,
}

async fn work(invocation: &Invocation, publish: bool, since: Option<&str>, work: Work) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    warn(invocation, &opened.warnings);
    let options = if publish {
        Options::publishing(&opened.file)
    } else {
        Options::looking(&opened.file)
    };
    let (events, listener) = unbounded_channel();
    let common = &invocation.cli.common;
    let quiet = common.quiet || json(invocation);
    let color = invocation.terminal.stderr && invocation.color();
    let job_type = if publish { "publish" } else { "evaluate" };
    let (mut services, kept, start) = project::services(invocation, &opened, job_type, events).await?;
    if let Some(since) = since {
        services.changed = Some(changed_since(&services, since).await?);
    }
    let tracking = match work {
        Work::Run => Tracking::of(&kept, &start, &opened.root),
        Work::Check => Tracking::none(),
    };
    let listener = tracking.listen(listener);
    let shown = tokio::spawn(progress::listen(listener, quiet, common.verbose > 0, color));
    let mut finished = match work {
        Work::Run => Box::pin(pipeline::run(&opened.project, &mut services, &options)).await,
        Work::Check => Box::pin(pipeline::check(&opened.project, &mut services, &options)).await,
    };
    // The listener ends when the last sender is gone.
    drop(services);
    shown.await.ok();
    finished.facts.alerts.extend(kept.alert.clone());
    let data = dataset::of(&opened, &finished.facts, None);
    tracking.finish(&opened, &mut finished, data).await;
    conclude(invocation, &opened, finished, work)
}

/// A difference that is larger is no change that somebody reviews.
const MAX_DIFF: usize = 64 << 20;
const DIFF_WITHIN: Duration = Duration::from_mins(1);

/// The lines that changed since a commit or branch, as Git has them.
async fn changed_since(services: &Services, since: &str) -> Result<Changed, Failure> {
    let mut env = services.child_env.clone();
    // Not a part of the command, so that no name acts in a shell.
    env.insert("MLOPS_SINCE".to_owned(), since.to_owned());
    let task = Task {
        command: "git diff -U0 --relative --no-color --no-ext-diff --src-prefix=a/ --dst-prefix=b/ --end-of-options \
                  \"$MLOPS_SINCE\" -- ."
            .to_owned(),
        cwd: services.root.clone(),
        env,
        timeout: DIFF_WITHIN,
        user: services.child_user,
        sandbox: services.sandbox.clone(),
    };
    let mut said = String::new();
    let run = exec::run_captured(&task, MAX_DIFF, &mut |line| line.clone_into(&mut said)).await;
    let why = match run {
        Ok((exit, captured)) if exit.code == Some(0) && !captured.is_cut => {
            return Ok(lint::changed_lines(&String::from_utf8_lossy(&captured.stdout)));
        }
        Ok((_, captured)) if captured.is_cut => "the difference is too large".to_owned(),
        Ok(_) => said,
        Err(error) => error.to_string(),
    };
    Err(Failure::Unusable(format!(
        "what changed since `{since}` can not be found: {why}"
    )))
}

/// Saves and shows what a run found, then says how it ended.
fn conclude(invocation: &Invocation, opened: &Opened, finished: Finished, work: Work) -> Result<u8, Failure> {
    let Finished {
        facts,
        bundle,
        mut problems,
        could_not_find_out,
        unpublished: _,
    } = finished;
    problems.locate(&opened.file, &opened.text);
    let before = previous(&opened.root, &facts);
    let place = match work {
        Work::Run => Some(keep(opened, &facts, before.as_ref(), bundle)?),
        Work::Check => None,
    };
    let quiet = invocation.cli.common.quiet;
    if work == Work::Check {
        print(&if json(invocation) {
            checked_json(&facts)
        } else {
            checked(&facts, quiet)
        })?;
    } else if json(invocation) {
        print(&result(&facts, place.as_deref()))?;
    } else {
        print(&shown(invocation, &facts, before.as_ref()))?;
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

/// What `check` found: a line a gate, then whether all is in order. There is no verdict without a model.
fn checked(facts: &Facts, quiet: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    if !quiet {
        for gate in &facts.gates {
            let symbol = match gate.status {
                GateStatus::Pass => '✓',
                GateStatus::Skipped => '-',
                GateStatus::Warn => '!',
                GateStatus::Fail => '✗',
            };
            lines.push(format!("{symbol} {}: {}", gate.name, gate.reason));
            for command in gate.commands.iter().filter(|_| gate.status == GateStatus::Fail) {
                lines.extend(command.tail.lines().map(|line| format!("    {line}")));
            }
            let rows = facts
                .data
                .iter()
                .filter(|_| gate.name == "data")
                .flat_map(|data| &data.violations);
            lines.extend(rows.flat_map(|broken| &broken.evidence).map(|row| format!("    {row}")));
        }
    }
    lines.push(format!(
        "{}: {}",
        if facts.passed { "in order" } else { "not in order" },
        facts.reason
    ));
    neutralise(&lines.join("\n"))
}

/// The object of a run, with no verdict.
fn checked_json(facts: &Facts) -> String {
    let mut object: serde_json::Value = serde_json::from_str(&result(facts, None)).unwrap_or_default();
    object["verdict"] = serde_json::Value::Null;
    format!("{object:#}")
}

/// The finished run before, if it is still there.
fn previous(root: &Path, facts: &Facts) -> Option<Facts> {
    let run = pipeline::run_named(root, facts.previous_run.as_deref()?)?;
    pipeline::load_facts(&run).ok()
}

/// What a person sees of a run: one line, or the report.
fn shown(invocation: &Invocation, facts: &Facts, before: Option<&Facts>) -> String {
    if invocation.cli.common.quiet {
        report::title(facts)
    } else {
        terminal(invocation, facts, before)
    }
}

/// Writes the run's directory and returns the path of its HTML report as the user would name it.
pub fn keep(
    opened: &Opened,
    facts: &Facts,
    before: Option<&Facts>,
    bundle: BTreeMap<String, Content>,
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
pub fn result(facts: &Facts, report: Option<&str>) -> String {
    report::Json { report }.render(facts)
}

/// The report as a log shows it.
pub fn plain(facts: &Facts) -> String {
    let renderer = report::Terminal {
        width: 100,
        color: false,
        full: false,
    };
    renderer.render(&report::sections(facts, None))
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
    let directory = if let Some(directory) = run {
        let directory = root.join(directory);
        if !directory.is_dir() {
            let message = format!("`{}` is not the directory of a run", directory.display());
            return Err(Failure::Unusable(message));
        }
        directory
    } else {
        pipeline::check_state(&root)?;
        pipeline::latest(&root)?
    };
    let facts = pipeline::load_facts(&directory)?;
    let before = previous(&root, &facts);
    let document = report::sections(&facts, before.as_ref());
    let text = match rendering {
        _ if json(invocation) => result(&facts, Some(&directory.join("report.html").display().to_string())),
        Rendering::Terminal => shown(invocation, &facts, before.as_ref()),
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
    let (services, _, _) = project::services(invocation, &opened, "compare", events).await?;
    let options = Options::looking(&opened.file);
    let (champion, challenger) = (version_ref(champion)?, version_ref(challenger)?);
    let mut finished =
        pipeline::compare_versions(&opened.project, &services, &options, Some(&champion), &challenger).await?;
    finished.problems.locate(&opened.file, &opened.text);
    if finished.problems.has_errors() {
        return Err(finished.problems.into());
    }
    let facts = &finished.facts;
    print(&if json(invocation) {
        result(facts, None)
    } else {
        shown(invocation, facts, None)
    })?;
    Ok(match (finished.could_not_find_out, facts.passed) {
        (true, _) => UNKNOWN,
        (false, true) => PASSED,
        (false, false) => FAILED,
    })
}
