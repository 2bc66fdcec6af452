//! The table of at most eight metrics, and behind a fold all of them.

use super::super::document::{
    Block, Chart, Column, Inline, Inlines, Interval, Picture, Section, Table, Tone, code, quiet, text,
};
use super::super::format;
use super::headline::because;
use super::{
    MetricRow, arrow, cell, champion_heading, details, gate_tone, gate_word, metric_rows, number_cell, unknown,
};
use crate::base::{Direction, Verdict};
use crate::facts::{Champion, Facts};

/// A table of more is not read.
const MAX_METRICS: usize = 8;

pub fn section(facts: &Facts) -> Section {
    let rows = metric_rows(facts);
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let first = &rows[..rows.len().min(MAX_METRICS)];
        blocks.push(Block::Table(table(facts, first)));
        blocks.extend(intervals(facts, first).map(Block::Chart));
        if let Some(uses) = facts
            .comparison
            .as_ref()
            .map(|one| one.test_set_uses)
            .filter(|uses| *uses > 1)
        {
            blocks.push(Block::Note(vec![text(format!(
                "This test set has judged {} challengers, this one included{}",
                format::count(uses),
                if uses >= 20 {
                    ": it is worn, and a small gain on it proves less"
                } else {
                    ""
                }
            ))]));
        }
    }
    Section {
        key: "metrics",
        priority: 1,
        blocks,
    }
}

pub fn all(facts: &Facts) -> Option<Section> {
    let rows = metric_rows(facts);
    if rows.len() <= MAX_METRICS {
        return None;
    }
    let summary = vec![
        Inline::Strong("All metrics".to_owned()),
        text(format!(": {}", rows.len())),
    ];
    Some(details(
        "all-metrics",
        60,
        summary,
        false,
        vec![Block::Table(table(facts, &rows))],
    ))
}

fn table(facts: &Facts, rows: &[MetricRow]) -> Table {
    let compared = facts.comparison.is_some();
    let mut columns = vec![Column::words("Metric")];
    if compared {
        columns.push(Column::numbers(&champion_heading(facts)));
    }
    columns.push(Column::numbers("This change"));
    if compared {
        columns.push(Column::numbers("Difference"));
    }
    columns.push(Column::numbers(if compared {
        "Its 95\u{a0}% interval"
    } else {
        "95\u{a0}% interval"
    }));
    columns.push(Column::words("Gate"));
    Table {
        columns,
        rows: rows.iter().map(|row| cells(row, compared)).collect(),
    }
}

fn cells(row: &MetricRow, compared: bool) -> Vec<Inlines> {
    let decimals = row.decimals();
    let mut cells = vec![vec![code(row.name), text(format!("\u{a0}{}", arrow(row.direction)))]];
    if compared {
        cells.push(number_cell(row.champion(), decimals));
    }
    cells.push(number_cell(row.value(), decimals));
    if compared {
        cells.push(difference(row, decimals));
    }
    let interval = if compared {
        row.difference_interval()
    } else {
        row.result.and_then(|result| result.interval)
    };
    cells.push(interval.map_or_else(unknown, |bounds| cell(format::interval(bounds, decimals))));
    let mut gate = gate(row);
    if row.value().is_none() {
        gate.extend(because(row.result.and_then(|result| result.note.as_deref())));
    }
    cells.push(gate);
    cells
}

fn difference(row: &MetricRow, decimals: usize) -> Inlines {
    let Some(difference) = row.difference() else {
        return unknown();
    };
    let mut shown = format::signed(difference, decimals);
    if let Some(relative) = row.relative() {
        shown = format!("{shown} ({})", format::signed_percent(relative));
    }
    let mut pieces = vec![text(shown)];
    if row.inside_noise() {
        pieces.extend([text(" "), quiet("inside the noise")]);
    }
    pieces
}

/// The gate's word, and the verdict of the comparison when there is one.
fn gate(row: &MetricRow) -> Inlines {
    let verdict = row
        .gate
        .and_then(|gate| gate.verdict)
        .or_else(|| row.comparison.map(|comparison| comparison.verdict));
    match (row.gate, verdict) {
        (Some(gate), Some(verdict)) => vec![
            Inline::Status(gate_tone(gate.status), gate_word(gate.status).to_owned()),
            text(format!(", {}", verdict.word())),
        ],
        (Some(gate), None) => vec![Inline::Status(
            gate_tone(gate.status),
            gate_word(gate.status).to_owned(),
        )],
        (None, Some(verdict)) => vec![quiet(format!("no gate, {}", verdict.word()))],
        (None, None) => vec![quiet("no gate")],
    }
}

/// The gain of every compared metric in percent of production, so that right is better whatever its direction.
fn intervals(facts: &Facts, rows: &[MetricRow]) -> Option<Picture> {
    let intervals: Vec<Interval> = rows.iter().filter_map(interval).collect();
    if intervals.is_empty() {
        return None;
    }
    let over = match facts.comparison.as_ref().map(|comparison| &comparison.champion) {
        Some(Champion::Baseline { .. }) => "the baseline",
        Some(Champion::Version { .. }) | None => "production",
    };
    Some(Picture {
        title: vec![text("How sure the difference is")],
        description: vec![text(format!(
            "Gain over {over} in percent with its 95\u{a0}% interval; to the right is better. \
             An interval across the zero line may be nothing."
        ))],
        chart: Chart::Intervals(intervals),
    })
}

fn interval(row: &MetricRow) -> Option<Interval> {
    let comparison = row.comparison?;
    let champion = comparison.champion.filter(|value| value.abs() > 0.0)?.abs();
    let difference = comparison.difference?;
    let [low, high] = comparison.difference_interval?;
    let turn = match row.direction {
        Direction::Minimize => -1.0,
        Direction::Maximize => 1.0,
    };
    let percent = |value: f64| turn * value / champion * 100.0;
    let (one, two) = (percent(low), percent(high));
    let allowed = (comparison.margin > 0.0).then(|| -comparison.margin / champion * 100.0);
    let picture = Interval {
        label: row.name.to_owned(),
        low: one.min(two),
        middle: percent(difference),
        high: one.max(two),
        allowed: allowed.filter(|value| value.is_finite()),
        tone: match comparison.verdict {
            Verdict::Better => Tone::Good,
            Verdict::Same => Tone::Plain,
            Verdict::Inconclusive => Tone::Warn,
            Verdict::Worse | Verdict::FailedToRun => Tone::Bad,
        },
    };
    [picture.low, picture.middle, picture.high]
        .iter()
        .all(|value| value.abs() < 1e6)
        .then_some(picture)
}
