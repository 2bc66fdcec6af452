//! How the comparison was made: the bounds that the verdicts rest on, for those who check them.

use super::super::document::{Block, Column, Inline, Inlines, Section, Table, code, prose, quiet, text};
use super::super::format;
use super::super::text::line;
use super::{MetricRow, cell, details, metric_rows, unknown};
use crate::evaluate::WORN;
use crate::facts::Facts;

/// Sentences about a comparison, and characters of each.
const MAX_REASONS: usize = 10;
const MAX_REASON: usize = 600;

pub fn section(facts: &Facts) -> Option<Section> {
    let comparison = facts.comparison.as_ref()?;
    let rows: Vec<MetricRow> = metric_rows(facts)
        .into_iter()
        .filter(|row| row.comparison.is_some())
        .collect();
    let n_rows = rows.first()?.comparison?.n_rows;
    let table = Table {
        columns: vec![
            Column::words("Metric"),
            Column::words("Verdict"),
            Column::numbers("Gain, lower bound"),
            Column::numbers("upper bound"),
            Column::numbers("Loss that is allowed"),
            Column::words("Method"),
        ],
        rows: rows.iter().filter_map(cells).collect(),
    };
    let mut notes = vec![
        "Both models are scored on the same held-out rows, and row by row where the metric allows it. Bounds of the \
         gain are one-sided at 95\u{a0}%: better when even the lower one is above zero, the same when it is above the \
         loss that is allowed, worse when even the upper one is below that, else inconclusive."
            .to_owned(),
    ];
    notes.extend(match comparison.test_set_uses {
        Some(0 | 1) => Some("This test set has judged no other challenger.".to_owned()),
        // Of a worn one the reasons say so.
        Some(uses) if uses >= WORN && !comparison.reasons.is_empty() => None,
        Some(uses) => Some(format!(
            "This test set has judged {} challengers, this one included.",
            format::count(uses)
        )),
        None => Some("How many challengers this test set has judged is not known.".to_owned()),
    });
    let mut blocks = vec![Block::Table(table)];
    if !comparison.reasons.is_empty() {
        blocks.push(Block::Paragraph(vec![Inline::Strong("What else to know".to_owned())]));
        let said = comparison.reasons.iter().map(|reason| prose(&line(reason, MAX_REASON)));
        blocks.push(Block::List(said.take(MAX_REASONS).collect()));
    }
    let beside: Vec<Inlines> = rows.iter().filter_map(|row| beside(row)).collect();
    if !beside.is_empty() {
        let heading = "Other tests of the same differences, on which no verdict rests";
        blocks.push(Block::Paragraph(vec![Inline::Strong(heading.to_owned())]));
        blocks.push(Block::List(beside));
    }
    blocks.extend(notes.into_iter().map(|note| Block::Note(vec![text(note)])));
    let summary = vec![
        Inline::Strong("How it was compared".to_owned()),
        text(format!(
            ": on the same {}, one-sided 95\u{a0}% bounds",
            format::n_of(n_rows, "row", "rows")
        )),
    ];
    Some(details("comparison", 65, summary, false, blocks))
}

/// The other tests of one metric, in one line: each with its two-sided p.
fn beside(row: &MetricRow) -> Option<Inlines> {
    let tests = &row.comparison?.secondary;
    let told: Vec<String> = tests
        .iter()
        .map(|test| {
            let p = if test.p < 0.0001 {
                "below 0.0001".to_owned()
            } else {
                format!("= {:.4}", test.p)
            };
            format!("{}, p {p}", line(&test.name, 40))
        })
        .collect();
    (!told.is_empty()).then(|| vec![code(row.name), text(format!(": {}", told.join("; ")))])
}

fn cells(row: &MetricRow) -> Option<Vec<Inlines>> {
    let comparison = row.comparison?;
    let decimals = row.decimals();
    let bound = |value: Option<f64>| value.map_or_else(unknown, |value| cell(format::signed(value, decimals)));
    let mut method = cell(&*comparison.method);
    if let Some(note) = &comparison.note {
        method.push(quiet(format!("; {note}")));
    }
    Some(vec![
        vec![code(row.name)],
        cell(comparison.verdict.word()),
        bound(comparison.lower),
        bound(comparison.upper),
        if comparison.margin.is_finite() {
            cell(format::short(comparison.margin))
        } else {
            unknown()
        },
        method,
    ])
}
