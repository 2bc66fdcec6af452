//! How the comparison was made: the bounds that the verdicts rest on, for those who check them.

use super::super::document::{Block, Column, Inline, Inlines, Section, Table, code, quiet, text};
use super::super::format;
use super::{MetricRow, cell, details, metric_rows, unknown};
use crate::facts::Facts;

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
    notes.push(match comparison.test_set_uses {
        Some(0 | 1) => "This test set has judged no other challenger.".to_owned(),
        Some(uses) => format!(
            "This test set has judged {} challengers, this one included.",
            format::count(uses)
        ),
        None => "How many challengers this test set has judged is not known.".to_owned(),
    });
    let mut blocks = vec![Block::Table(table)];
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
