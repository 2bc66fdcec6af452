//! The repository's own steps and what became of each.

use super::super::document::{Block, Column, Inline, Section, Table, Tone, code, prose, text};
use super::super::format;
use super::{cell, details};
use crate::facts::Facts;
use crate::steps::{StepOutcome, StepStatus};

const MAX_ROWS: usize = 60;

pub fn section(facts: &Facts) -> Option<Section> {
    let outcomes = &facts.workflow;
    if outcomes.is_empty() {
        return None;
    }
    let n_of = |status| outcomes.iter().filter(|outcome| outcome.status == status).count();
    let parts: Vec<String> = [
        (StepStatus::Failed, "failed"),
        (StepStatus::Cancelled, "cancelled"),
        (StepStatus::Ran, "ran"),
        (StepStatus::Skipped, "unchanged"),
        (StepStatus::Restored, "restored"),
    ]
    .into_iter()
    .map(|(status, word)| (n_of(status), word))
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{} {word}", format::count(n as u64)))
    .collect();
    let mut sorted: Vec<&StepOutcome> = outcomes.iter().collect();
    // What went wrong comes first, since tables are cut at their end.
    sorted.sort_by_key(|outcome| outcome.status.is_done());
    let rows = sorted
        .iter()
        .take(MAX_ROWS)
        .map(|outcome| {
            let mut name = vec![code(&*outcome.name)];
            if let Some(item) = &outcome.item {
                name.extend([text(" "), code(&**item)]);
            }
            let mut remark = prose(&outcome.reason);
            if outcome.n_attempts > 1 {
                remark.push(text(format!(", {} attempts", outcome.n_attempts)));
            }
            vec![
                name,
                vec![status(outcome.status)],
                cell(format::duration_ms(outcome.elapsed_ms)),
                remark,
            ]
        })
        .collect();
    let mut blocks = vec![Block::Table(Table {
        columns: vec![
            Column::words("Step"),
            Column::words("Outcome"),
            Column::numbers("Time"),
            Column::words("Why"),
        ],
        rows,
    })];
    let failed = outcomes.iter().find(|outcome| outcome.status == StepStatus::Failed);
    if let Some(failed) = failed.filter(|failed| !failed.tail.trim().is_empty()) {
        blocks.push(Block::Code {
            language: "text",
            text: failed.tail.clone(),
        });
    }
    let summary = vec![
        Inline::Strong("Own steps".to_owned()),
        text(format!(": {}", parts.join(", "))),
    ];
    let is_failed = failed.is_some();
    Some(details(
        "workflow",
        if is_failed { 4 } else { 55 },
        summary,
        is_failed,
        blocks,
    ))
}

fn status(status: StepStatus) -> Inline {
    let (tone, word) = match status {
        StepStatus::Ran => (Tone::Good, "done"),
        StepStatus::Skipped => (Tone::Good, "unchanged"),
        StepStatus::Restored => (Tone::Good, "restored"),
        StepStatus::Failed => (Tone::Bad, "failed"),
        StepStatus::Cancelled => (Tone::Plain, "cancelled"),
    };
    Inline::Status(tone, word.to_owned())
}
