//! One test command, made into counts, names and failures on lines (edge).

use std::path::Path;
use std::time::Duration;

use super::command::{Surroundings, run_one};
use super::{Asks, CommandRun, GateCommand, TestFacts};
use crate::exec::Task;
use crate::suites::{
    self, Changes, Conclusion, Ending, Invocation, MAX_REPORT_BYTES, Outcome, Place, Reader, Suite, Summary, TestCase,
    Tool,
};
use crate::sys;

/// More failures of one command are counted, and not kept.
const MAX_FAILURES: usize = 50;
const MAX_NAMES: usize = 50;
const MAX_MESSAGE_BYTES: usize = 3_500;
const N_SLOWEST: usize = 5;

/// Runs it; with what is kept of its tests for the next comparison.
pub async fn run(
    command: &GateCommand,
    index: usize,
    timeout: Duration,
    around: Surroundings<'_>,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> (CommandRun, Option<Summary>) {
    let (Asks::Command(text) | Asks::Notebooks(text)) = &command.asks;
    let report = around.reports.map(|folder| folder.join(format!("tests-{index}.xml")));
    let wanted = report.as_deref().map(Path::to_string_lossy).unwrap_or_default();
    let addopts = around.env.get("PYTEST_ADDOPTS").map(String::as_str);
    let invocation = match &command.junit {
        Some(junit) => Some(Invocation {
            tool: Tool::Junit,
            command: text.clone(),
            env: Vec::new(),
            report: Some(junit.clone()),
            below: String::new(),
        }),
        None => suites::recognise(text, &wanted, addopts).filter(|_| report.is_some()),
    };
    let mut env = around.env.clone();
    let mut task = Task {
        command: text.clone(),
        cwd: around.cwd.to_owned(),
        env: env.clone(),
        timeout,
        user: around.user,
        sandbox: around.sandbox.clone(),
    };
    let Some(invocation) = invocation else {
        let ran = run_one("test", &task, false, on_line).await;
        return (ran.into_command(text), None);
    };
    env.extend(invocation.env);
    task.env = env;
    task.command.clone_from(&invocation.command);
    let mut reader = Reader::new(invocation.tool);
    // One that an earlier run left says nothing of this one.
    let before = invocation.report.as_deref().and_then(|report| read(around.cwd, report));
    let mut ran = {
        let mut on_output = |line: &str| {
            reader.push(line);
            on_line(line);
        };
        run_one("test", &task, false, &mut on_output).await
    };
    let root = around.cwd.to_string_lossy();
    let is_file = |path: &str| around.cwd.join(path).is_file();
    let place = Place {
        root: &root,
        below: &invocation.below,
        is_file: &is_file,
    };
    let bytes = invocation.report.as_deref().and_then(|report| read(around.cwd, report));
    let bytes = bytes.filter(|bytes| before.as_ref() != Some(bytes));
    if let (Some(junit), None, None) = (&command.junit, &bytes, &ran.problem) {
        ran.problem = Some(format!("it left no new report in `{junit}`"));
    }
    let concluded = suites::conclude(invocation.tool, ran.exit_code, reader, bytes.as_deref(), &place);
    if ran.problem.is_none() {
        ran.problem = problem(&concluded, invocation.tool, ran.exit_code);
    }
    let summary = concluded.suite.as_ref().map(Suite::summary);
    let base = around.base.get(text.as_str());
    let facts = concluded
        .suite
        .as_ref()
        .map(|suite| facts(concluded.ending, suite, base));
    let run = CommandRun {
        tests: facts,
        ..ran.into_command(text)
    };
    (run, summary)
}

/// What a command left for us, wherever it was told to; a link is not followed.
fn read(root: &Path, report: &str) -> Option<Vec<u8>> {
    let path = root.join(report);
    let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
    sys::read_beneath(folder, &[name], MAX_REPORT_BYTES as u64).ok()
}

/// What the exit code alone does not say, and what to do.
fn problem(concluded: &Conclusion, tool: Tool, exit_code: Option<i32>) -> Option<String> {
    if concluded.is_pass() {
        return None;
    }
    let sentence = concluded.sentence(tool, exit_code);
    let first = concluded.suite.as_ref().and_then(|suite| suite.failures().next());
    Some(match first {
        Some(first) => format!("{sentence}, the first: `{}`", first.name),
        None => sentence,
    })
}

fn facts(ending: Ending, suite: &Suite, base: Option<&Summary>) -> TestFacts {
    let flaky = suite.cases.iter().filter(|case| case.outcome == Outcome::Flaky);
    let named = |case: &TestCase| (case.name.clone(), case.seconds.unwrap_or_default());
    TestFacts {
        tool: suite.tool.word().to_owned(),
        version: suite.version.clone(),
        ending,
        counts: suite.counts,
        seconds: suite.seconds,
        failures: suite.failures().take(MAX_FAILURES).map(short).collect(),
        flaky: flaky.take(MAX_NAMES).map(|case| case.name.clone()).collect(),
        slowest: suite.slowest(N_SLOWEST).into_iter().map(named).collect(),
        changes: base.map(|base| cut(suites::compare(base, suite))),
    }
}

/// A failure whose message travels with the facts of a fork, whose texts are bounded in bytes.
fn short(case: &TestCase) -> TestCase {
    let mut case = case.clone();
    if let Some(message) = &mut case.message {
        let mut end = message.len().min(MAX_MESSAGE_BYTES);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
    }
    case
}

/// As many names as a report shows.
fn cut(mut changes: Changes) -> Changes {
    for names in [
        &mut changes.newly_failing,
        &mut changes.fixed,
        &mut changes.added,
        &mut changes.removed,
        &mut changes.newly_skipped,
    ] {
        changes.is_partial |= names.len() > MAX_NAMES;
        names.truncate(MAX_NAMES);
    }
    changes
}
