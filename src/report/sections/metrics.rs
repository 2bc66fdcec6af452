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
use crate::evaluate::metric;
use crate::facts::{Champion, Facts, WORN};
use crate::gates::GateStatus;

/// A table of more is not read.
const MAX_METRICS: usize = 8;

pub fn section(facts: &Facts) -> Section {
    let rows = metric_rows(facts);
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let first = &rows[..rows.len().min(MAX_METRICS)];
        blocks.push(Block::Table(table(facts, first)));
        blocks.extend(intervals(facts, first).map(Block::Chart));
        let one_sided = |row: &MetricRow| {
            row.crosses_zero()
                && row
                    .comparison
                    .is_some_and(|one| matches!(one.verdict, Verdict::Better | Verdict::Worse))
        };
        if first.iter().any(one_sided) {
            blocks.push(Block::Note(vec![text(
                "Better and worse rest on a one-sided 95\u{a0}% bound, which lies a little inside the interval shown.",
            )]));
        }
        if let Some(uses) = facts
            .comparison
            .as_ref()
            .and_then(|one| one.test_set_uses)
            .filter(|uses| *uses >= WORN)
        {
            blocks.push(Block::Note(vec![text(format!(
                "This test set has judged {} challengers, this one included: it is worn, and a small gain on it \
                 proves less.",
                format::count(uses)
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
    if row.identical() {
        return vec![quiet("none")];
    }
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
        // A gate that passes whatever the comparison says does not judge by it.
        (Some(gate), Some(verdict @ (Verdict::Worse | Verdict::Inconclusive))) if gate.status == GateStatus::Pass => {
            vec![
                Inline::Status(gate_tone(gate.status), gate_word(gate.status).to_owned()),
                quiet(format!(", {}, not judged", verdict.word())),
            ]
        }
        (Some(gate), Some(verdict)) => vec![
            Inline::Status(gate_tone(gate.status), gate_word(gate.status).to_owned()),
            text(format!(", {}", verdict.word())),
        ],
        (Some(gate), None) => vec![Inline::Status(
            gate_tone(gate.status),
            gate_word(gate.status).to_owned(),
        )],
        (None, Some(verdict)) => vec![quiet(format!("{}, not judged", verdict.word()))],
        (None, None) => vec![quiet("not judged")],
    }
}

/// The gain of every compared metric on one scale, so that right is better whatever its direction: errors in percent of
/// the champion's, scores in hundredths.
fn intervals(facts: &Facts, rows: &[MetricRow]) -> Option<Picture> {
    let drawn: Vec<(Interval, bool)> = rows
        .iter()
        .filter(|row| !row.identical())
        .filter_map(interval)
        .collect();
    if drawn.is_empty() {
        return None;
    }
    let over = match facts.comparison.as_ref().map(|comparison| &comparison.champion) {
        Some(Champion::Baseline { .. }) => "the baseline",
        Some(Champion::Version { .. }) | None => "production",
    };
    let n_percent = drawn.iter().filter(|(_, is_percent)| *is_percent).count();
    let unit = match n_percent {
        0 => "",
        n if n == drawn.len() => " in percent",
        _ => ", errors in percent and scores in their own unit,",
    };
    Some(Picture {
        title: vec![text("How sure the difference is")],
        description: vec![text(format!(
            "Gain over {over}{unit} with its 95\u{a0}% interval. One across zero may be nothing."
        ))],
        chart: Chart::Intervals(drawn.into_iter().map(|(interval, _)| interval).collect()),
    })
}

/// The picture of one metric, and whether it is in percent. None where neither scale means anything.
fn interval(row: &MetricRow) -> Option<(Interval, bool)> {
    let comparison = row.comparison?;
    let difference = comparison.difference?;
    let [low, high] = comparison.difference_interval?;
    let is_score = metric(row.name).is_some_and(|kind| kind.default_margin.relative.is_none());
    let unit = match row.relative() {
        Some(_) => comparison.champion?,
        None if is_score => 1.0,
        None => return None,
    };
    let turn = match row.direction {
        Direction::Minimize => -1.0,
        Direction::Maximize => 1.0,
    };
    let decimals = row.decimals();
    let shown = |value: f64| {
        if is_score {
            format::signed(value, decimals)
        } else {
            format::signed_percent(value)
        }
    };
    let (one, two, middle) = (turn * low / unit, turn * high / unit, turn * difference / unit);
    let (low, high) = (one.min(two), one.max(two));
    let allowed = (comparison.margin > 0.0).then(|| -comparison.margin / unit * 100.0);
    let picture = Interval {
        label: row.name.to_owned(),
        low: low * 100.0,
        middle: middle * 100.0,
        high: high * 100.0,
        allowed: allowed.filter(|value| value.is_finite()),
        gain: shown(middle),
        range: format!("{} to {}", shown(low), shown(high)),
        tone: match comparison.verdict {
            Verdict::Better => Tone::Good,
            Verdict::Same => Tone::Plain,
            Verdict::Inconclusive => Tone::Warn,
            Verdict::Worse | Verdict::FailedToRun => Tone::Bad,
        },
    };
    let is_drawable = [picture.low, picture.middle, picture.high]
        .iter()
        .all(|value| value.abs() < 1e6);
    is_drawable.then_some((picture, !is_score))
}
