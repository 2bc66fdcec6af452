//! One lint command, or a look at notebooks, made into findings on lines (edge).

use std::path::Path;
use std::time::Duration;

use super::command::{MAX_CAPTURED_BYTES, Surroundings, run_one};
use super::{Asks, CommandRun, GateCommand, LintFacts};
use crate::base::counted;
use crate::exec::{Task, neutralise};
use crate::lint::{self, Filter, Finding, Format, Invocation, Parsed, Place};
use crate::sys::{self, Stopwatch};

/// More findings of one command are counted, and not kept.
const MAX_KEPT: usize = 200;
/// More of them are not printed.
const MAX_PRINTED: usize = 200;
const MAX_NOTEBOOK_BYTES: u64 = 32 << 20;
const MAX_NOTEBOOKS: usize = 500;

pub async fn run(
    command: &GateCommand,
    timeout: Duration,
    around: Surroundings<'_>,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> CommandRun {
    match &command.asks {
        Asks::Command(text) => run_linter(text, command.reads.as_ref(), timeout, around, on_line).await,
        Asks::Notebooks(pattern) => look_at_notebooks(pattern, around, on_line),
    }
}

async fn run_linter(
    text: &str,
    reads: Option<&Format>,
    timeout: Duration,
    around: Surroundings<'_>,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> CommandRun {
    let invocation = match reads {
        Some(format) => Invocation {
            tool: None,
            command: text.to_owned(),
            env: Vec::new(),
            format: format.clone(),
            is_simple: true,
            dir: String::new(),
        },
        None => lint::invocation(text),
    };
    let mut env = around.env.clone();
    env.extend(invocation.env);
    let task = Task {
        command: invocation.command,
        cwd: around.cwd.to_owned(),
        env,
        timeout,
        user: around.user,
        sandbox: around.sandbox.clone(),
    };
    let is_for_programs = matches!(invocation.format, Format::Json(_) | Format::Sarif | Format::Mapped(_));
    let mut printed = String::new();
    let mut ran = {
        let mut on_output = |line: &str| {
            if printed.len() + line.len() < MAX_CAPTURED_BYTES {
                printed.push_str(line);
                printed.push('\n');
            }
            on_line(line);
        };
        run_one("lint", &task, is_for_programs, &mut on_output).await
    };
    let stdout = String::from_utf8_lossy(&ran.captured.stdout);
    let root = around.cwd.to_string_lossy();
    let place = Place {
        root: &root,
        dir: &invocation.dir,
    };
    let mut parsed = if is_for_programs {
        lint::parse(&invocation.format, &stdout, &printed, place)
    } else {
        lint::parse(&invocation.format, &printed, "", place)
    };
    parsed.is_cut |= ran.captured.is_cut;
    locate_cells(around.cwd, &mut parsed.findings);
    if is_for_programs && parsed.findings.is_empty() {
        // Nothing of it could be read, so people get it as it is.
        for line in stdout.lines().take(MAX_PRINTED) {
            let line = neutralise(line);
            ran.tail.push(&line);
            on_line(&line);
        }
    }
    let mut lint = facts(invocation.tool.map(|tool| tool.name), parsed, around);
    // Any other end than that of a linter that found something is not explained by what it found.
    lint.is_whole &= invocation.is_simple && is_of_findings(invocation.tool, ran.exit_code);
    if is_for_programs {
        say(&lint, &mut |line| {
            ran.tail.push(line);
            on_line(line);
        });
    }
    let is_read = !matches!(invocation.format, Format::Unread);
    CommandRun {
        lint: (is_read && (lint.tool.is_some() || lint.n_shown + lint.n_hidden > 0)).then_some(lint),
        ..ran.into_command(text)
    }
}

/// Whether a linter that ended so has done its work.
fn is_of_findings(tool: Option<&lint::Tool>, exit_code: Option<i32>) -> bool {
    match (tool.map(|tool| tool.kind), exit_code) {
        (_, Some(0 | 1)) | (Some(lint::Kind::Clippy), Some(101)) => true,
        // A sum of 2, 4, 8 and 16 by kind of finding; 1 is a fatal one, 32 that it was called wrongly.
        (Some(lint::Kind::Pylint), Some(code)) => code < 32,
        _ => false,
    }
}

/// Linters that speak of cells get the line of the file, which annotations need.
fn locate_cells(root: &Path, findings: &mut [Finding]) {
    let mut paths: Vec<String> = findings
        .iter()
        .filter(|finding| finding.cell.is_some())
        .map(|finding| finding.path.clone())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    for path in paths.into_iter().take(MAX_NOTEBOOKS) {
        let bytes = sys::inside(root, &root.join(&path)).and_then(|file| sys::read(&file, MAX_NOTEBOOK_BYTES));
        if let Ok(bytes) = bytes {
            lint::locate(findings, &path, &bytes);
        }
    }
}

fn facts(tool: Option<&str>, parsed: Parsed, around: Surroundings<'_>) -> LintFacts {
    let Parsed {
        findings,
        n_dropped,
        n_unread,
        is_cut,
    } = parsed;
    let is_whole = n_unread == 0 && !is_cut && n_dropped == 0;
    let (shown, n_hidden, is_filtered) = match around.changed {
        Some((changed, filter)) if filter != Filter::All => {
            let (shown, n_hidden) = lint::filter(findings, changed, filter);
            (shown, n_hidden, true)
        }
        Some(_) | None => (findings, 0, false),
    };
    let n_shown = shown.len() + n_dropped;
    LintFacts {
        tool: tool.map(str::to_owned),
        findings: shown.into_iter().take(MAX_KEPT).collect(),
        n_shown,
        n_hidden,
        is_filtered,
        is_whole,
    }
}

/// Each finding as a line, since what programs read is not for people.
fn say(lint: &LintFacts, on_line: &mut dyn FnMut(&str)) {
    for finding in lint.findings.iter().take(MAX_PRINTED) {
        on_line(&neutralise(&finding.to_string()));
    }
    if lint.n_shown > MAX_PRINTED {
        on_line(&format!("and {} more", lint.n_shown - MAX_PRINTED));
    }
    if lint.n_hidden > 0 {
        on_line(&format!(
            "{} on lines that this change did not touch",
            counted(lint.n_hidden, "finding")
        ));
    }
}

/// What notebooks should not carry: outputs, another order, secrets.
fn look_at_notebooks(pattern: &str, around: Surroundings<'_>, on_line: &mut (dyn FnMut(&str) + Send)) -> CommandRun {
    let watch = Stopwatch::start();
    let command = format!("notebooks {pattern}");
    let failed = |why: String| CommandRun {
        command: neutralise(&command),
        exit_code: None,
        problem: Some(why),
        tail: String::new(),
        elapsed_ms: watch.elapsed_ms(),
        lint: None,
        tests: None,
    };
    let paths = match sys::glob(around.cwd, pattern) {
        Ok(paths) if paths.is_empty() => return failed(format!("there is no notebook `{pattern}`")),
        Ok(paths) => paths,
        Err(error) => return failed(error.to_string()),
    };
    let mut parsed = Parsed {
        n_unread: paths.len().saturating_sub(MAX_NOTEBOOKS),
        ..Parsed::default()
    };
    for path in paths.iter().take(MAX_NOTEBOOKS) {
        let name = path
            .strip_prefix(around.cwd)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned();
        let bytes = sys::inside(around.cwd, path).and_then(|file| sys::read(&file, MAX_NOTEBOOK_BYTES));
        match bytes {
            Ok(bytes) => parsed.findings.extend(lint::hygiene(&name, &bytes)),
            Err(error) => return failed(error.to_string()),
        }
    }
    parsed.findings.sort();
    let lint = facts(Some("notebooks"), parsed, around);
    let mut tail = crate::exec::Tail::default();
    say(&lint, &mut |line| {
        tail.push(line);
        on_line(line);
    });
    CommandRun {
        command: neutralise(&command),
        exit_code: Some(i32::from(lint.n_shown + lint.n_hidden > 0)),
        problem: None,
        tail: tail.text(),
        elapsed_ms: watch.elapsed_ms(),
        lint: Some(lint),
        tests: None,
    }
}
