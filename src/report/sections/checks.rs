//! What was judged: steps that failed, gates, the commands of lint and tests.

use super::super::document::{Block, Column, Inline, Inlines, Section, Table, code, prose, quiet, text};
use super::super::format;
use super::{cell, details, found, gate_status, outcome_status};
use crate::facts::{Facts, Outcome};
use crate::gates::{CommandRun, GateResult, GateStatus};

/// More commands than a person reads.
const MAX_COMMANDS: usize = 10;
/// More names than fit into a line.
const MAX_NAMED: usize = 8;

/// Steps that failed and that no failed gate speaks of, open and above everything else.
pub fn failed(facts: &Facts) -> Option<Section> {
    let failed: Vec<Inlines> = facts
        .steps
        .iter()
        .filter(|step| matches!(step.outcome, Outcome::Failed | Outcome::Error))
        .filter(|step| step.detail.is_some())
        .filter(|step| {
            step.outcome == Outcome::Error
                || facts
                    .gate(&step.name)
                    .is_none_or(|gate| gate.status != GateStatus::Fail)
        })
        .take(5)
        .map(|step| {
            let mut pieces = vec![outcome_status(step.outcome), text(" "), code(&*step.name), text(": ")];
            pieces.extend(prose(step.detail.as_deref().unwrap_or_default()));
            pieces
        })
        .collect();
    if failed.is_empty() {
        return None;
    }
    let summary = vec![
        Inline::Strong("What went wrong".to_owned()),
        text(format!(": {}", format::n_of(failed.len(), "step", "steps"))),
    ];
    Some(details("failed", 2, summary, true, vec![Block::List(failed)]))
}

pub fn gates(facts: &Facts) -> Option<Section> {
    if facts.gates.is_empty() {
        return None;
    }
    let n_of = |status| facts.gates.iter().filter(|gate| gate.status == status).count();
    let parts = [
        (n_of(GateStatus::Fail), "failed"),
        (n_of(GateStatus::Warn), "warned"),
        (n_of(GateStatus::Pass), "passed"),
        (n_of(GateStatus::Skipped), "skipped"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    let mut sorted: Vec<&GateResult> = facts.gates.iter().collect();
    sorted.sort_by_key(|gate| std::cmp::Reverse(gate.status));
    let n_wrong = n_of(GateStatus::Fail) + n_of(GateStatus::Warn);
    let (wrong, fine) = sorted.split_at(n_wrong);
    let mut blocks = Vec::new();
    if wrong.is_empty() {
        blocks.push(Block::Table(gate_table(facts, fine)));
    } else {
        blocks.push(Block::Table(gate_table(facts, wrong)));
        if !fine.is_empty() {
            blocks.push(Block::Details {
                summary: names(fine),
                open: false,
                blocks: vec![Block::Table(gate_table(facts, fine))],
            });
        }
    }
    let summary = vec![
        Inline::Strong("Gates".to_owned()),
        text(format!(": {}", parts.join(", "))),
    ];
    Some(details("gates", 5, summary, n_wrong > 0, blocks))
}

/// `4 passed: data, test, …`.
fn names(gates: &[&GateResult]) -> Inlines {
    let all_passed = gates.iter().all(|gate| gate.status == GateStatus::Pass);
    let word = if all_passed { "passed" } else { "passed or skipped" };
    let mut pieces = vec![text(format!("{} {word}: ", gates.len()))];
    for (index, gate) in gates.iter().take(MAX_NAMED).enumerate() {
        if index > 0 {
            pieces.push(text(", "));
        }
        pieces.push(code(&*gate.name));
    }
    if gates.len() > MAX_NAMED {
        pieces.push(text(format!(" and {} more", gates.len() - MAX_NAMED)));
    }
    pieces
}

fn gate_table(facts: &Facts, gates: &[&GateResult]) -> Table {
    let rows = gates
        .iter()
        .map(|gate| {
            let place = match gate.span {
                Some(span) => vec![code(format!("{}:{}", facts.config_file, span.line))],
                None => vec![quiet(format::UNKNOWN)],
            };
            vec![
                vec![code(&*gate.name)],
                vec![gate_status(gate.status)],
                prose(&gate.reason),
                place,
            ]
        })
        .collect();
    Table {
        columns: vec![
            Column::words("Gate"),
            Column::words("Result"),
            Column::words("Why"),
            Column::words("Set in"),
        ],
        rows,
    }
}

/// Lint and tests: every command, and the end of what a failed one printed.
pub fn commands(facts: &Facts) -> Option<Section> {
    let with_commands: Vec<&GateResult> = facts.gates.iter().filter(|gate| !gate.commands.is_empty()).collect();
    if with_commands.is_empty() {
        return None;
    }
    let mut summary = vec![Inline::Strong("Lint and tests".to_owned()), text(": ")];
    for (index, gate) in with_commands.iter().take(4).enumerate() {
        if index > 0 {
            summary.push(text(", "));
        }
        summary.extend([code(&*gate.name), text(" "), gate_status(gate.status)]);
    }
    let mut runs: Vec<&CommandRun> = with_commands.iter().flat_map(|gate| &gate.commands).collect();
    runs.sort_by_key(|run| run.has_passed());
    let shown = &runs[..runs.len().min(MAX_COMMANDS)];
    let (wrong, fine) = shown.split_at(shown.partition_point(|run| !run.has_passed()));
    let mut blocks = Vec::new();
    for run in wrong {
        blocks.push(Block::Paragraph(command_line(run)));
        let listed = run.lint.as_ref().and_then(found::findings);
        let told = run.tests.as_ref().map(found::tests).unwrap_or_default();
        let is_told = listed.is_some() || run.tests.as_ref().is_some_and(|tests| !tests.failures.is_empty());
        blocks.extend(listed.into_iter().chain(told));
        if is_told {
            // The log is there for who wants it.
            blocks.push(Block::Details {
                summary: vec![text("The end of what it printed")],
                open: false,
                blocks: vec![Block::Code {
                    language: "text",
                    text: run.tail.clone(),
                }],
            });
        } else if run.tail.trim().is_empty() {
            blocks.push(Block::Note(vec![text("It printed nothing.")]));
        } else {
            blocks.push(Block::Code {
                language: "text",
                text: run.tail.clone(),
            });
        }
    }
    if !fine.is_empty() {
        blocks.push(Block::List(fine.iter().map(|run| command_line(run)).collect()));
    }
    blocks.extend(fine.iter().filter_map(|run| run.tests.as_ref()).flat_map(found::tests));
    if runs.len() > MAX_COMMANDS {
        blocks.push(Block::Note(vec![text(format!(
            "and {} more",
            runs.len() - MAX_COMMANDS
        ))]));
    }
    let failed = with_commands.iter().any(|gate| gate.status == GateStatus::Fail);
    Some(details(
        "commands",
        if failed { 6 } else { 50 },
        summary,
        failed,
        blocks,
    ))
}

fn command_line(run: &CommandRun) -> Inlines {
    let outcome = gate_status(if run.has_passed() {
        GateStatus::Pass
    } else {
        GateStatus::Fail
    });
    let mut pieces = vec![outcome, text(" "), code(&*run.command)];
    let is_told = run.lint.is_some() || run.tests.as_ref().is_some_and(|tests| tests.counts.total() > 0);
    match (run.exit_code, &run.problem) {
        (_, Some(problem)) => {
            pieces.push(text(", "));
            pieces.extend(prose(problem));
        }
        (Some(_), None) if is_told => {}
        (Some(exit_code), None) => pieces.push(text(format!(", exit code {exit_code}"))),
        (None, None) => pieces.push(text(", exit code not known")),
    }
    pieces.extend(run.lint.iter().flat_map(found::lint_line));
    pieces.extend(
        run.tests
            .iter()
            .filter(|tests| tests.counts.total() > 0)
            .flat_map(found::tests_line),
    );
    pieces.push(quiet(format!(", {}", format::duration_ms(run.elapsed_ms))));
    pieces
}

pub fn steps(facts: &Facts) -> Option<Section> {
    if facts.steps.is_empty() {
        return None;
    }
    let elapsed = facts
        .steps
        .iter()
        .fold(0_u64, |sum, step| sum.saturating_add(step.elapsed_ms));
    let rows = facts
        .steps
        .iter()
        .map(|step| {
            vec![
                vec![code(&*step.name)],
                vec![outcome_status(step.outcome)],
                cell(format::duration_ms(step.elapsed_ms)),
                prose(step.detail.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let n_failed = facts
        .steps
        .iter()
        .filter(|step| matches!(step.outcome, Outcome::Failed | Outcome::Error))
        .count();
    let mut count = format!(": {} in {}", facts.steps.len(), format::duration_ms(elapsed));
    if n_failed > 0 {
        count = format!("{count}, {n_failed} failed");
    }
    let table = Table {
        columns: vec![
            Column::words("Step"),
            Column::words("Outcome"),
            Column::numbers("Time"),
            Column::words("Remark"),
        ],
        rows,
    };
    Some(details(
        "steps",
        75,
        vec![Inline::Strong("Steps".to_owned()), text(count)],
        false,
        vec![Block::Table(table)],
    ))
}
