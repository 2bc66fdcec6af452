//! What linters found and tests came to, command by command.

use super::super::document::{Block, Column, Inlines, Table, code, prose, quiet, text};
use super::super::format;
use super::cell;
use crate::gates::{LintFacts, TestFacts};
use crate::suites::Changes;

/// More findings than a person reads in a report; the annotations have them all.
const MAX_FINDINGS: usize = 20;
const MAX_FAILURES: usize = 10;
const MAX_NAMES: usize = 10;
/// As much of a failure's message as says what happened.
const MAX_MESSAGE_LINES: usize = 12;

/// `, 3 findings, 12 elsewhere`.
pub fn lint_line(lint: &LintFacts) -> Inlines {
    let mut pieces = vec![text(format!(", {}", format::n_of(lint.n_shown, "finding", "findings")))];
    if lint.is_filtered {
        pieces.push(text(" on the lines of this change"));
    }
    if lint.n_hidden > 0 {
        pieces.push(quiet(format!(", {} elsewhere", format::count(lint.n_hidden as u64))));
    }
    if !lint.is_whole {
        pieces.push(quiet(", and output that could not be read"));
    }
    pieces
}

pub fn findings(lint: &LintFacts) -> Option<Block> {
    if lint.findings.is_empty() {
        return None;
    }
    let rows = lint
        .findings
        .iter()
        .take(MAX_FINDINGS)
        .map(|finding| {
            let place = match (finding.path.as_str(), finding.line) {
                ("", _) => vec![quiet(format::UNKNOWN)],
                (path, None) => vec![code(path)],
                (path, Some(line)) => vec![code(format!("{path}:{line}"))],
            };
            let rule = match &finding.rule {
                Some(rule) => vec![code(&**rule)],
                None => vec![text(finding.severity.name())],
            };
            let mut said = prose(&finding.message);
            if let Some(fix) = &finding.fix {
                said.push(quiet("; "));
                said.extend(prose(fix));
            }
            vec![place, rule, said]
        })
        .collect();
    Some(Block::Table(Table {
        columns: vec![Column::words("Where"), Column::words("Rule"), Column::words("What")],
        rows,
    }))
}

/// `, 42 passed, 1 failed (pytest 8.4)`.
pub fn tests_line(tests: &TestFacts) -> Inlines {
    let counts = tests.counts;
    let parts = [
        (counts.n_failed, "failed"),
        (counts.n_errored, "with errors"),
        (counts.n_passed, "passed"),
        (counts.n_flaky, "flaky"),
        (counts.n_skipped, "skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", format::count(*n as u64)))
        .collect();
    let mut pieces = vec![text(format!(", {}", parts.join(", ")))];
    if let Some(changes) = &tests.changes {
        let (before, after) = (changes.before.total(), changes.after.total());
        if after != before {
            let sign = if after > before { '+' } else { '−' };
            pieces.push(quiet(format!(
                " ({sign}{})",
                format::count(after.abs_diff(before) as u64)
            )));
        }
    }
    let version = tests
        .version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    pieces.push(quiet(", "));
    pieces.push(code(format!("{}{version}", tests.tool)));
    pieces
}

/// What changed, what failed and why, what is flaky, what takes long.
pub fn tests(tests: &TestFacts) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(changes) = &tests.changes {
        let list = changed(changes);
        if !list.is_empty() {
            blocks.push(Block::List(list));
        }
    }
    for case in tests.failures.iter().take(MAX_FAILURES) {
        let mut pieces = vec![code(&*case.name)];
        if let (Some(path), Some(line)) = (&case.path, case.line) {
            pieces.extend([text(" at "), code(format!("{path}:{line}"))]);
        }
        blocks.push(Block::Paragraph(pieces));
        if let Some(message) = &case.message {
            let lines: Vec<&str> = message.lines().take(MAX_MESSAGE_LINES).collect();
            blocks.push(Block::Code {
                language: "text",
                text: lines.join("\n"),
            });
        }
    }
    let n_more = tests
        .counts
        .n_failing()
        .saturating_sub(MAX_FAILURES.min(tests.failures.len()));
    if n_more > 0 && !tests.failures.is_empty() {
        blocks.push(Block::Note(vec![text(format!("and {n_more} more that failed"))]));
    }
    if !tests.flaky.is_empty() {
        let mut pieces = vec![text("Flaky, passed only when run again: ")];
        pieces.extend(names(&tests.flaky));
        blocks.push(Block::Paragraph(pieces));
    }
    if tests.slowest.first().is_some_and(|(_, seconds)| *seconds >= 1.0) {
        let rows = tests.slowest.iter().map(|(name, seconds)| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a day")]
            let ms = (seconds.clamp(0.0, 86_400.0) * 1000.0) as u64;
            vec![vec![code(&**name)], cell(format::duration_ms(ms))]
        });
        blocks.push(Block::Table(Table {
            columns: vec![Column::words("Slowest test"), Column::numbers("Time")],
            rows: rows.collect(),
        }));
    }
    blocks
}

fn changed(changes: &Changes) -> Vec<Inlines> {
    let lists = [
        ("Newly failing", &changes.newly_failing),
        ("Fixed", &changes.fixed),
        ("Newly skipped", &changes.newly_skipped),
        ("Removed", &changes.removed),
    ];
    let line = |(what, list): (&str, &Vec<String>)| {
        let mut pieces = vec![text(format!("{what}: "))];
        pieces.extend(names(list));
        pieces
    };
    lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(line)
        .collect()
}

fn names(list: &[String]) -> Inlines {
    let mut pieces = Vec::new();
    for (index, name) in list.iter().take(MAX_NAMES).enumerate() {
        if index > 0 {
            pieces.push(text(", "));
        }
        pieces.push(code(&**name));
    }
    if list.len() > MAX_NAMES {
        pieces.push(text(format!(" and {} more", list.len() - MAX_NAMES)));
    }
    pieces
}
