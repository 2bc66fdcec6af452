//! Where the model differs between groups: worst first.

use super::super::document::{Block, Column, Inline, Inlines, Section, Table, Tone, code, quiet, text};
use super::super::format;
use super::{cell, champion_heading, details, number_cell, unknown};
use crate::base::Direction;
use crate::evaluate::{SliceComparison, SliceResult, SliceStatus};
use crate::facts::Facts;

pub fn section(facts: &Facts) -> Option<Section> {
    match &facts.comparison {
        Some(comparison) if !comparison.slices.is_empty() => Some(compared(facts, &comparison.slices)),
        _ => measured(facts),
    }
}

fn compared(facts: &Facts, slices: &[SliceComparison]) -> Section {
    let n_of = |status| slices.iter().filter(|slice| slice.status == status).count();
    let n_worse = n_of(SliceStatus::Regression);
    let n_few = n_of(SliceStatus::TooFewRows);
    let n_judged = slices.len() - n_few;
    let mut count = match (n_worse, n_judged) {
        (_, 0) => ": none could be judged".to_owned(),
        (0, _) => format!(": none of {n_judged} is worse"),
        _ => format!(": {n_worse} of {n_judged} worse"),
    };
    if n_few > 0 {
        count = format!("{count}, {n_few} with too few rows");
    }
    let mut sorted: Vec<&SliceComparison> = slices.iter().collect();
    let order = |status: SliceStatus| match status {
        SliceStatus::Regression => 0,
        SliceStatus::Ok => 1,
        SliceStatus::TooFewRows => 2,
    };
    sorted.sort_by(|a, b| {
        let gain = |slice: &SliceComparison| slice.gain.unwrap_or(f64::INFINITY);
        order(a.status)
            .cmp(&order(b.status))
            .then(gain(a).total_cmp(&gain(b)))
            .then(b.n_rows.cmp(&a.n_rows))
    });
    // No interval comes with a slice: the greatest value gets four digits, and the others as many decimals.
    let greatest = slices
        .iter()
        .flat_map(|slice| [slice.champion, slice.challenger])
        .flatten()
        .fold(0.0, |greatest: f64, value| greatest.max(value.abs()));
    let decimals = format::decimals(greatest, None);
    let table = Table {
        columns: vec![
            Column::words("Slice"),
            Column::numbers("Rows"),
            Column::numbers(&champion_heading(facts)),
            Column::numbers("This change"),
            Column::numbers("Gain"),
            Column::numbers("p, corrected"),
            Column::words("Result"),
        ],
        rows: sorted.iter().map(|slice| comparison_cells(slice, decimals)).collect(),
    };
    let note = vec![text(
        "Mean loss within the slice (absolute error, or share of wrong rows): lower is better. A small p says that the \
         slice lost more than is allowed; it is corrected for the number of slices (Holm).",
    )];
    let mut blocks = vec![Block::Table(table)];
    if n_judged > 0 {
        blocks.push(Block::Note(note));
    }
    if let Some(evaluation) = facts.evaluation.as_ref().filter(|_| n_few > 0) {
        blocks.push(Block::Note(vec![text(format!(
            "A slice is judged from {} on.",
            format::n_of(evaluation.slice_min_rows, "row", "rows")
        ))]));
    }
    details(
        "slices",
        10,
        vec![Inline::Strong("Slices".to_owned()), text(count)],
        n_worse > 0,
        blocks,
    )
}

fn comparison_cells(slice: &SliceComparison, decimals: usize) -> Vec<Inlines> {
    let (tone, word) = match slice.status {
        SliceStatus::Ok => (Tone::Good, "ok"),
        SliceStatus::Regression => (Tone::Bad, "worse"),
        SliceStatus::TooFewRows => (Tone::Plain, "too few rows"),
    };
    vec![
        vec![code(&*slice.slice)],
        cell(format::count(slice.n_rows as u64)),
        number_cell(slice.champion, decimals),
        number_cell(slice.challenger, decimals),
        slice
            .gain
            .map_or_else(unknown, |gain| cell(format::signed(gain, decimals))),
        slice.p_adjusted.map_or_else(unknown, |p| cell(format::p_value(p))),
        vec![Inline::Status(tone, word.to_owned())],
    ]
}

/// Without a comparison: the primary metric of each slice, worst first.
fn measured(facts: &Facts) -> Option<Section> {
    let evaluation = facts.evaluation.as_ref().filter(|one| !one.slices.is_empty())?;
    let primary = |slice: &SliceResult| {
        slice
            .metrics
            .iter()
            .find(|metric| metric.name == evaluation.primary)
            .cloned()
    };
    let direction = evaluation
        .metrics
        .iter()
        .find(|metric| metric.name == evaluation.primary)
        .map_or(Direction::Minimize, |metric| metric.direction);
    let mut slices: Vec<_> = evaluation.slices.iter().map(|slice| (slice, primary(slice))).collect();
    slices.sort_by(|(_, a), (_, b)| {
        let badness = |metric: &Option<crate::evaluate::MetricResult>| {
            metric
                .as_ref()
                .and_then(|metric| metric.value)
                .map_or(f64::NEG_INFINITY, |value| match direction {
                    Direction::Minimize => value,
                    Direction::Maximize => -value,
                })
        };
        badness(b).total_cmp(&badness(a))
    });
    let n_judged = slices.iter().filter(|(_, metric)| metric.is_some()).count();
    let rows = slices
        .iter()
        .map(|(slice, metric)| {
            let value = metric.as_ref().and_then(|metric| metric.value);
            let interval = metric.as_ref().and_then(|metric| metric.interval);
            let decimals = format::decimals(value.unwrap_or(0.0), interval.map(format::half_width));
            let value = match value {
                Some(value) => cell(format::fixed(value, decimals)),
                None => vec![quiet("too few rows")],
            };
            vec![
                vec![code(&*slice.slice)],
                cell(format::count(slice.n_rows as u64)),
                value,
                interval.map_or_else(unknown, |bounds| cell(format::interval(bounds, decimals))),
            ]
        })
        .collect();
    let mut head = Column::numbers("");
    head.head = vec![code(&*evaluation.primary)];
    let table = Table {
        columns: vec![
            Column::words("Slice"),
            Column::numbers("Rows"),
            head,
            Column::numbers("95\u{a0}% interval"),
        ],
        rows,
    };
    let summary = vec![
        Inline::Strong("Slices".to_owned()),
        text(format!(": {n_judged} measured, worst first")),
    ];
    Some(details("slices", 10, summary, false, vec![Block::Table(table)]))
}
