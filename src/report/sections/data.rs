//! The data: how much, how split, what breaks the contract, what leaks, and each column in a line.

use super::super::document::{Block, Column, Inline, Inlines, Section, Table, Tone, code, prose, quiet, text};
use super::super::format;
use super::{cell, details, unknown};
use crate::facts::{ColumnFacts, DataFacts, Facts};

/// Problems of each kind that are told with their evidence; the rest is counted.
const MAX_PROBLEMS: usize = 8;
const MAX_EVIDENCE: usize = 5;

pub fn section(facts: &Facts) -> Option<Section> {
    let data = facts.data.as_ref()?;
    let n_violations = data.violations.len();
    let n_leaks = data.leaks.len();
    let mut summary = vec![
        Inline::Strong("Data".to_owned()),
        text(format!(
            ": {}, {}",
            format::n_of(data.n_rows, "row", "rows"),
            format::n_of(data.columns.len(), "column", "columns")
        )),
    ];
    for (n, tone, one, many) in [
        (n_violations, Tone::Bad, "broken rule", "broken rules"),
        (n_leaks, Tone::Warn, "leak", "leaks"),
    ] {
        if n > 0 {
            summary.push(text(", "));
            summary.push(Inline::Status(tone, format::n_of(n, one, many)));
        }
    }
    let n_remarks = data.remarks.iter().filter(|remark| remark.is_warning).count();
    if n_remarks > 0 {
        summary.push(text(", "));
        summary.push(Inline::Status(Tone::Warn, format::n_of(n_remarks, "remark", "remarks")));
    }
    if n_violations + n_leaks == 0 {
        summary.push(text(", contract kept, no leaks found"));
    }
    let mut blocks = vec![Block::Paragraph(about(data))];
    blocks.extend(violations(facts, data));
    blocks.extend(leaks(data));
    blocks.extend(remarks(data));
    let wrong = n_violations + n_leaks > 0;
    if wrong && !data.columns.is_empty() {
        blocks.push(Block::Details {
            summary: cell(format!("Columns: {}", data.columns.len())),
            open: false,
            blocks: vec![Block::Table(columns(data))],
        });
    } else if !data.columns.is_empty() {
        blocks.push(Block::Table(columns(data)));
    }
    Some(details("data", if wrong { 7 } else { 40 }, summary, wrong, blocks))
}

fn about(data: &DataFacts) -> Inlines {
    let mut pieces = vec![
        code(&*data.source),
        text(" with digest "),
        code(data.digest.short()),
        text(", target "),
        code(&*data.target),
        text(format!(", {}. Split: ", data.task.name())),
    ];
    pieces.extend(prose(&data.split));
    pieces.push(text(format!(
        "; {} to train on, {} to judge by.",
        format::count(data.n_train as u64),
        format::count(data.n_test as u64)
    )));
    pieces
}

fn violations(facts: &Facts, data: &DataFacts) -> Vec<Block> {
    if data.violations.is_empty() {
        return Vec::new();
    }
    let items = data
        .violations
        .iter()
        .take(MAX_PROBLEMS)
        .map(|violation| {
            let mut pieces = vec![
                Inline::Status(Tone::Bad, "broken".to_owned()),
                text(" "),
                code(&*violation.rule),
                text(": "),
            ];
            pieces.extend(prose(&violation.message));
            if let Some(span) = violation.span {
                pieces.extend([text(", set in "), code(format!("{}:{}", facts.config_file, span.line))]);
            }
            pieces.extend(evidence(&violation.evidence));
            pieces
        })
        .collect();
    let mut blocks = vec![heading("Contract"), Block::List(items)];
    blocks.extend(more(data.violations.len()));
    blocks
}

fn leaks(data: &DataFacts) -> Vec<Block> {
    if data.leaks.is_empty() {
        return Vec::new();
    }
    let items = data
        .leaks
        .iter()
        .take(MAX_PROBLEMS)
        .map(|leak| {
            let mut pieces = vec![
                Inline::Status(Tone::Warn, "leak".to_owned()),
                text(" "),
                code(&*leak.code),
                text(": "),
            ];
            pieces.extend(prose(&leak.message));
            pieces.extend(evidence(&leak.evidence));
            pieces
        })
        .collect();
    let mut blocks = vec![
        heading("Leaks: what makes the held-out score too good"),
        Block::List(items),
    ];
    blocks.extend(more(data.leaks.len()));
    blocks
}

/// What a person should look at, and what is good to know.
fn remarks(data: &DataFacts) -> Vec<Block> {
    if data.remarks.is_empty() {
        return Vec::new();
    }
    let items = data
        .remarks
        .iter()
        .take(MAX_PROBLEMS)
        .map(|remark| {
            let mut pieces = Inlines::new();
            if remark.is_warning {
                pieces.extend([Inline::Status(Tone::Warn, "look".to_owned()), text(" ")]);
            }
            pieces.extend([code(&*remark.code), text(": ")]);
            pieces.extend(prose(&remark.message));
            pieces.extend(evidence(&remark.evidence));
            pieces
        })
        .collect();
    let mut blocks = vec![heading("Worth a look"), Block::List(items)];
    blocks.extend(more(data.remarks.len()));
    blocks
}

fn heading(words: &str) -> Block {
    Block::Heading {
        level: 3,
        text: vec![text(words)],
    }
}

fn more(n: usize) -> Option<Block> {
    (n > MAX_PROBLEMS).then(|| Block::Note(vec![text(format!("and {} more", n - MAX_PROBLEMS))]))
}

fn evidence(lines: &[String]) -> Inlines {
    let mut pieces = Vec::new();
    for (index, line) in lines.iter().take(MAX_EVIDENCE).enumerate() {
        pieces.push(text(if index == 0 { " — " } else { ", " }));
        pieces.push(code(&**line));
    }
    pieces
}

fn columns(data: &DataFacts) -> Table {
    // What is predicted first, then what is used, in the order of the file.
    let mut sorted: Vec<&ColumnFacts> = data.columns.iter().collect();
    sorted.sort_by_key(|column| match column.role.as_str() {
        "target" => 0,
        "feature" => 1,
        _ => 2,
    });
    Table {
        columns: vec![
            Column::words("Column"),
            Column::words("Role"),
            Column::words("Kind"),
            Column::numbers("Missing"),
            Column::numbers("Distinct"),
            Column::numbers("Range"),
            Column::numbers("Mean"),
            Column::words("Shape"),
        ],
        rows: sorted.iter().map(|column| column_cells(column, data.n_rows)).collect(),
    }
}

fn column_cells(column: &ColumnFacts, n_rows: usize) -> Vec<Inlines> {
    let missing = match column.n_missing {
        0 => vec![quiet("0")],
        n if n_rows > 0 => cell(format!(
            "{} ({})",
            format::count(n as u64),
            format::percent(n as f64 / n_rows as f64)
        )),
        n => cell(format::count(n as u64)),
    };
    let range = match (column.min, column.max) {
        (Some(min), Some(max)) => {
            let short = |value: f64| format::short(value);
            cell(format!("{} to {}", short(min), short(max)))
        }
        _ => unknown(),
    };
    let shape: Vec<u64> = column.sketch.iter().copied().take(20).collect();
    vec![
        vec![code(&*column.name)],
        cell(&*column.role),
        cell(&*column.kind),
        missing,
        cell(format::count(column.n_distinct as u64)),
        range,
        column.mean.map_or_else(unknown, |mean| cell(format::short(mean))),
        if shape.is_empty() {
            unknown()
        } else {
            cell(format::sparkline(&shape))
        },
    ]
}
