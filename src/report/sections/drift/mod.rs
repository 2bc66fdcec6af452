//! Drift: what changed between two data sets, the worst first, and by how much.

mod estimated;
mod found;
mod headline;
mod pictures;
mod table;
mod words;

use super::super::document::{Block, Document, Inline, Inlines, Section, Tone, code, prose, text};
use super::super::format;
use super::super::text::line;
use super::{cell, details};
use crate::drift::{ColumnDrift, DriftResult, Side};

/// Drifted columns that a comment shows; a page shows all.
const MAX_COLUMNS: usize = 8;
/// The word for what the policy made of it.
const MAX_DECISION: usize = 20;
/// Columns that are named in one line.
const MAX_NAMES: usize = 12;
/// Columns with remarks, and categories of one that came or went.
const MAX_REMARKS: usize = 50;
const MAX_CATEGORIES: usize = 5;
/// A category's name.
const MAX_LABEL: usize = 40;
/// Reasons why columns were not tested, and what is fine.
const MAX_REASONS: usize = 12;
/// Notes on the whole comparison.
const MAX_NOTES: usize = 10;

/// The part of a run's report about drift; nothing when nothing was compared.
pub fn section(result: &DriftResult) -> Option<Section> {
    if result.columns.is_empty() && result.data_quality.is_empty() && result.estimated.is_none() {
        return None;
    }
    let changed = headline::is_urgent(result);
    let mut summary = vec![Inline::Strong("Drift".to_owned()), text(": ")];
    let tone = headline::tone(result);
    if tone >= Tone::Warn {
        let word = line(&result.dataset.decision, MAX_DECISION);
        summary.extend([Inline::Status(tone, word), text(", ")]);
    }
    summary.extend(headline::told(result));
    let mut blocks = vec![Block::Paragraph(sources(result))];
    blocks.extend(headline::reasons(result));
    if found::is_urgent(result) {
        blocks.extend(found::blocks(result));
    }
    blocks.extend(found::performance(result));
    blocks.extend(estimated::blocks(result));
    let listed = listed(result);
    blocks.extend(shown_columns(result, &listed));
    blocks.extend(pictures::block(result, &listed));
    blocks.extend(remarks(&listed));
    blocks.extend(rest(result));
    if !found::is_urgent(result) {
        blocks.extend(found::blocks(result));
    }
    blocks.extend(found::together(result));
    blocks.extend(notes(result, &listed));
    Some(details("drift", if changed { 8 } else { 35 }, summary, changed, blocks))
}

/// A comparison by itself: what `mlops drift` answers.
pub fn drift_document(result: &DriftResult) -> Document {
    let listed = listed(result);
    let mut sections = vec![headline::section(result)];
    let mut push = |key, priority, blocks: Vec<Block>| {
        if !blocks.is_empty() {
            sections.push(Section { key, priority, blocks });
        }
    };
    let (urgent, quiet) = if found::is_urgent(result) {
        (found::blocks(result), Vec::new())
    } else {
        (Vec::new(), found::blocks(result))
    };
    push("findings", 1, urgent);
    let mut model = found::performance(result);
    model.extend(estimated::blocks(result));
    push("performance", 1, model);
    let first = table_of(result, listed.get(..MAX_COLUMNS).unwrap_or(&listed));
    push("drifted", 2, titled("Drifted columns, the most severe first", first));
    push("more", 50, more_columns(result, &listed));
    push("shapes", 12, pictures::block(result, &listed).into_iter().collect());
    push("categories", 50, remarks(&listed));
    push("rest", 20, titled("Other columns", rest(result)));
    push("together", 6, found::together(result));
    push("quality", 25, quiet);
    push("notes", 30, notes(result, &listed));
    Document {
        about: "Drift report for",
        subject: result.current.source.clone(),
        title: headline::sentence(result),
        tone: headline::tone(result),
        sections,
    }
}

fn titled(heading: &str, mut blocks: Vec<Block>) -> Vec<Block> {
    if !blocks.is_empty() {
        let text = cell(heading);
        blocks.insert(0, Block::Heading { level: 3, text });
    }
    blocks
}

/// Columns that drifted, then those that moved only, each the most severe first.
fn listed(result: &DriftResult) -> Vec<&ColumnDrift> {
    let mut listed: Vec<&ColumnDrift> = result
        .columns
        .iter()
        .filter(|column| column.drifted || moved_only(column))
        .collect();
    let number = |value: Option<f64>| value.filter(|value| !value.is_nan()).unwrap_or(0.0);
    listed.sort_by(|a, b| {
        b.drifted
            .cmp(&a.drifted)
            .then(number(Some(b.severity)).total_cmp(&number(Some(a.severity))))
            .then(number(b.effect).total_cmp(&number(a.effect)))
    });
    listed
}

fn moved_only(column: &ColumnDrift) -> bool {
    !column.drifted && column.location.is_some_and(|location| location.moved)
}

/// The table of the first columns, and where the others are.
fn shown_columns(result: &DriftResult, listed: &[&ColumnDrift]) -> Vec<Block> {
    let mut blocks = table_of(result, listed.get(..MAX_COLUMNS).unwrap_or(listed));
    blocks.extend(more_columns(result, listed));
    blocks
}

fn table_of(result: &DriftResult, columns: &[&ColumnDrift]) -> Vec<Block> {
    if columns.is_empty() {
        return Vec::new();
    }
    vec![Block::Table(table::of(result, columns))]
}

/// The columns after the first ones: a fold of the page, a line elsewhere.
fn more_columns(result: &DriftResult, listed: &[&ColumnDrift]) -> Vec<Block> {
    let Some(more) = listed.get(MAX_COLUMNS..).filter(|more| !more.is_empty()) else {
        return Vec::new();
    };
    let n_more = format::n_of(more.len(), "more column", "more columns");
    let mut instead = vec![text(format!("and {n_more}, all of them in the HTML report: "))];
    instead.extend(names(more));
    let mut summary = vec![Inline::Strong(n_more), text(": ")];
    summary.extend(names(more));
    vec![Block::Roomy {
        instead,
        blocks: vec![Block::Details {
            summary,
            open: false,
            blocks: table_of(result, more),
        }],
    }]
}

/// `a`, `b` and 3 more.
fn names(columns: &[&ColumnDrift]) -> Inlines {
    let mut pieces = Vec::new();
    for (index, column) in columns.iter().take(MAX_NAMES).enumerate() {
        if index > 0 {
            pieces.push(text(", "));
        }
        pieces.push(code(&*column.column));
    }
    if columns.len() > MAX_NAMES {
        pieces.push(text(format!(" and {} more", columns.len() - MAX_NAMES)));
    }
    pieces
}

/// `1 row`, `2,808 rows`.
fn n_rows(side: &Side) -> String {
    let rows = if side.rows == 1 { "row" } else { "rows" };
    format!("{} {rows}", format::count(side.rows))
}

/// What was compared with what.
fn sources(result: &DriftResult) -> Inlines {
    let rows = |side: &Side| format!(" ({})", n_rows(side));
    vec![
        text("Reference "),
        code(&*result.reference.source),
        text(rows(&result.reference)),
        text(", current "),
        code(&*result.current.source),
        text(rows(&result.current)),
    ]
}

/// Categories that came and went, and what else is known of a column: a fold of the page.
fn remarks(listed: &[&ColumnDrift]) -> Vec<Block> {
    let items: Vec<Inlines> = listed
        .iter()
        .filter_map(|column| remark(column))
        .take(MAX_REMARKS)
        .collect();
    if items.is_empty() {
        return Vec::new();
    }
    let n_columns = format::n_of(items.len(), "column", "columns");
    let summary = vec![
        Inline::Strong("New and lost categories, remarks".to_owned()),
        text(format!(": {n_columns}")),
    ];
    vec![Block::Roomy {
        instead: Vec::new(),
        blocks: vec![Block::Details {
            summary,
            open: false,
            blocks: vec![Block::List(items)],
        }],
    }]
}

fn remark(column: &ColumnDrift) -> Option<Inlines> {
    let sides = [("new", &column.new_categories), ("lost", &column.lost_categories)];
    let mut parts: Vec<Inlines> = sides
        .into_iter()
        .filter(|(_, categories)| !categories.is_empty())
        .map(|(word, categories)| categories_of(word, categories))
        .collect();
    parts.extend(column.notes.iter().take(MAX_NOTES).map(|note| prose(note)));
    if parts.is_empty() {
        return None;
    }
    let mut pieces = vec![code(&*column.column)];
    for (index, part) in parts.into_iter().enumerate() {
        pieces.push(text(if index == 0 { ": " } else { "; " }));
        pieces.extend(part);
    }
    Some(pieces)
}

fn categories_of(word: &str, categories: &[(String, u64)]) -> Inlines {
    let mut pieces = cell(format!("{word} "));
    for (index, (label, n_rows)) in categories.iter().take(MAX_CATEGORIES).enumerate() {
        let rows = if *n_rows == 1 { "row" } else { "rows" };
        pieces.extend([
            text(if index > 0 { ", " } else { "" }),
            code(line(label, MAX_LABEL)),
            text(format!(" ({} {rows})", format::count(*n_rows))),
        ]);
    }
    if categories.len() > MAX_CATEGORIES {
        pieces.push(text(format!(" and {} more", categories.len() - MAX_CATEGORIES)));
    }
    pieces
}

/// What is fine in one line, and what was not tested with its reason.
fn rest(result: &DriftResult) -> Vec<Block> {
    let fine: Vec<&ColumnDrift> = result
        .columns
        .iter()
        .filter(|column| column.status == "computed" && !column.drifted && !moved_only(column))
        .collect();
    let mut items = Vec::new();
    if !fine.is_empty() {
        let mut item = vec![
            Inline::Strong("Not drifted".to_owned()),
            text(format!(": {}: ", format::n_of(fine.len(), "column", "columns"))),
        ];
        item.extend(names(&fine));
        items.push(item);
    }
    for (kind, reason, columns) in untested(result) {
        let mut item = vec![
            Inline::Strong(kind.to_owned()),
            text(format!(": {}: ", format::n_of(columns.len(), "column", "columns"))),
        ];
        item.extend(names(&columns));
        if !reason.is_empty() {
            item.push(text("; "));
            item.extend(prose(&reason));
        }
        items.push(item);
    }
    if items.is_empty() {
        return Vec::new();
    }
    let n_more = items.len().saturating_sub(MAX_REASONS);
    items.truncate(MAX_REASONS);
    let mut blocks = vec![Block::List(items)];
    if n_more > 0 {
        let n_more = format::n_of(n_more, "more reason", "more reasons");
        blocks.push(Block::Note(cell(format!(
            "and columns that were not tested for {n_more}"
        ))));
    }
    blocks
}

/// Columns without a result by what became of them and why, in the order of the columns.
fn untested(result: &DriftResult) -> Vec<(&'static str, String, Vec<&ColumnDrift>)> {
    let mut groups: Vec<(&'static str, String, Vec<&ColumnDrift>)> = Vec::new();
    for column in result.columns.iter().filter(|column| column.status != "computed") {
        let (word, reason) = column.status.split_once(':').unwrap_or((&column.status, ""));
        // The status of a column that was skipped is a name for programs, its note a sentence.
        let (kind, reason) = match (word.trim(), column.notes.first()) {
            ("inconclusive", _) => ("Inconclusive", reason.trim().to_owned()),
            (_, Some(note)) => ("Skipped", note.clone()),
            (_, None) => ("Skipped", reason.trim().replace('_', " ")),
        };
        match groups.iter_mut().find(|group| group.0 == kind && group.1 == reason) {
            Some(group) => group.2.push(column),
            None => groups.push((kind, reason, vec![column])),
        }
    }
    groups
}

/// What the numbers mean, and what to know about the whole.
fn notes(result: &DriftResult, listed: &[&ColumnDrift]) -> Vec<Block> {
    let mut blocks: Vec<Block> = result
        .notes
        .iter()
        .take(MAX_NOTES)
        .map(|note| Block::Note(prose(note)))
        .collect();
    if result.notes.len() > MAX_NOTES {
        blocks.push(Block::Note(cell(format!(
            "and {} in the result as JSON",
            format::n_of(result.notes.len() - MAX_NOTES, "more note", "more notes")
        ))));
    }
    let approximate: Vec<f64> = result.columns.iter().filter_map(|column| column.approximate).collect();
    if !approximate.is_empty() {
        let greatest = approximate.iter().copied().fold(0.0, f64::max);
        blocks.push(Block::Note(cell(format!(
            "{} sketched, not sorted: {} distribution is exact to {} of the rows.",
            format::n_of(approximate.len(), "column is", "columns are"),
            if approximate.len() == 1 { "its" } else { "their" },
            format::percent(greatest)
        ))));
    }
    if !listed.is_empty() {
        blocks.push(Block::Note(words::legend(result.mode, listed)));
    }
    blocks
}
