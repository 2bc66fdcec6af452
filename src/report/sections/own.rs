//! What the repository's own trainer claimed, left and did on the way.

use super::super::document::{Block, Column, Inline, Inlines, Table, Tone, code, prose, quiet, text};
use super::super::format;
use super::cell;
use crate::facts::{Claim, FlowFacts, ModelFile, NotebookFacts, OwnTraining};

const MAX_ROWS: usize = 30;

pub fn blocks(own: &OwnTraining) -> Vec<Block> {
    let mut blocks = Vec::new();
    blocks.extend(own.flow.as_ref().map(flow));
    blocks.extend(own.notebook.as_ref().map(notebook));
    if !own.claims.is_empty() {
        blocks.push(claims(&own.claims));
    }
    if !own.files.is_empty() {
        blocks.push(files(&own.files));
    }
    blocks
}

/// Its numbers beside ours.
fn claims(claims: &[Claim]) -> Block {
    let number = |value: f64| {
        format!("{value:.6}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned()
    };
    let rows = claims
        .iter()
        .take(MAX_ROWS)
        .map(|claim| {
            let judged = match claim.agrees {
                Some(true) => vec![status_of(Tone::Good, "the same")],
                Some(false) => vec![status_of(Tone::Bad, "contradicted")],
                None => vec![quiet("not measured by us")],
            };
            vec![
                vec![code(&*claim.metric)],
                cell(number(claim.claimed)),
                cell(claim.measured.map_or_else(|| format::UNKNOWN.to_owned(), number)),
                judged,
            ]
        })
        .collect();
    Block::Table(Table {
        columns: vec![
            Column::words("The trainer's metric"),
            Column::numbers("Claimed"),
            Column::numbers("Measured"),
            Column::words("Remark"),
        ],
        rows,
    })
}

fn files(files: &[ModelFile]) -> Block {
    let rows = files
        .iter()
        .take(MAX_ROWS)
        .map(|file| vec![vec![code(&*file.name)], cell(format::bytes(file.n_bytes)), remark(file)])
        .collect();
    Block::Table(Table {
        columns: vec![
            Column::words("File of the model"),
            Column::numbers("Size"),
            Column::words("Remark"),
        ],
        rows,
    })
}

fn remark(file: &ModelFile) -> Inlines {
    let Some(pickle) = &file.pickle else {
        return vec![text("")];
    };
    let listed = |intro: &str, list: &[String]| {
        let mut pieces = vec![text(intro.to_owned())];
        for (index, name) in list.iter().take(6).enumerate() {
            if index > 0 {
                pieces.push(text(", "));
            }
            pieces.push(code(&**name));
        }
        pieces
    };
    match pickle.verdict.as_str() {
        "suspicious" => {
            let mut pieces = vec![status_of(Tone::Bad, "suspicious"), text(" pickle, never loaded: ")];
            pieces.extend(prose(pickle.findings.first().map_or("", String::as_str)));
            pieces
        }
        "unreadable" => {
            let mut pieces = vec![status_of(Tone::Warn, "not looked at"), text(": ")];
            pieces.extend(prose(pickle.findings.first().map_or("", String::as_str)));
            pieces
        }
        "foreign" => listed("pickle, loads code of ", &pickle.libraries),
        "model" => listed("pickle of ", &pickle.libraries),
        _ => vec![text("pickle of plain values")],
    }
}

fn flow(flow: &FlowFacts) -> Block {
    let rows = flow
        .steps
        .iter()
        .take(MAX_ROWS)
        .map(|step| {
            let outcome = if step.n_failed > 0 {
                vec![
                    status_of(Tone::Bad, "failed"),
                    text(format!(" {} of {}", step.n_failed, step.n_tasks)),
                ]
            } else {
                vec![status_of(Tone::Good, "done")]
            };
            let retries = if step.n_retries > 0 {
                format!("{} ({} again)", format::count(step.n_tasks as u64), step.n_retries)
            } else {
                format::count(step.n_tasks as u64)
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "not negative, at most a month"
            )]
            let time = step
                .seconds
                .map(|seconds| format::duration_ms((seconds.clamp(0.0, 3e6) * 1000.0) as u64));
            vec![
                vec![code(&*step.name)],
                cell(retries),
                outcome,
                cell(time.unwrap_or_else(|| format::UNKNOWN.to_owned())),
            ]
        })
        .collect();
    Block::Details {
        summary: vec![
            text("Flow "),
            code(&*flow.name),
            text(format!(
                ", run {}, {}",
                flow.run_id,
                format::n_of(flow.steps.len(), "step", "steps")
            )),
        ],
        open: !flow.is_successful,
        blocks: vec![Block::Table(Table {
            columns: vec![
                Column::words("Step of the flow"),
                Column::numbers("Tasks"),
                Column::words("Outcome"),
                Column::numbers("Time"),
            ],
            rows,
        })],
    }
}

fn notebook(notebook: &NotebookFacts) -> Block {
    let mut pieces = vec![text(format!(
        "Notebook: {} of {} with code were executed",
        notebook.n_executed,
        format::n_of(notebook.n_cells, "cell", "cells")
    ))];
    if let Some((number, said)) = &notebook.failed {
        pieces.push(text(format!("; cell {number} failed: ")));
        pieces.extend(prose(said));
    }
    pieces.push(text("."));
    Block::Paragraph(pieces)
}

fn status_of(tone: Tone, word: &str) -> Inline {
    Inline::Status(tone, word.to_owned())
}
