//! The gate metric over the versions.

use super::super::document::{Block, Chart, Inline, Picture, Section, code, text};
use super::super::format;
use super::{arrow, details, metric_rows};
use crate::facts::Facts;

/// Two points are what the comparison says already.
const MIN_POINTS: usize = 3;
/// The latest versions; more do not fit into a chart.
const MAX_POINTS: usize = 30;

pub fn section(facts: &Facts) -> Option<Section> {
    // A version that was there already is among the points with its own name.
    let existed = facts.registry.as_ref().is_some_and(|registry| registry.existed);
    let n_points = facts.history.len().saturating_sub(usize::from(existed));
    let finite: Vec<_> = facts.history[..n_points]
        .iter()
        .filter(|point| point.value.is_finite() && point.value.abs() < 1e15)
        .collect();
    if finite.len() < MIN_POINTS {
        return None;
    }
    let latest = &finite[finite.len().saturating_sub(MAX_POINTS)..];
    let values: Vec<f64> = latest.iter().map(|point| point.value).collect();
    let primary = facts.evaluation.as_ref().map(|evaluation| evaluation.primary.as_str());
    let row = metric_rows(facts).into_iter().find(|row| Some(row.name) == primary);
    let decimals = row.map_or_else(|| format::decimals(values[0], None), |row| row.decimals());
    let (first, last) = (latest.first()?, latest.last()?);
    let name = primary.unwrap_or("the gate metric");
    let summary = vec![
        Inline::Strong("History".to_owned()),
        text(": "),
        code(name),
        text(format!(
            " {} over {} ",
            row.map_or("", |row| arrow(row.direction)),
            if existed {
                format::n_of(latest.len(), "version", "versions")
            } else {
                format!("{} and this run", format::n_of(latest.len() - 1, "version", "versions"))
            }
        )),
        text(format::trend(&values)),
    ];
    let description = vec![
        text("From "),
        text(format!("{} in ", format::fixed(first.value, decimals))),
        code(&*first.label),
        text(format!(" to {} in ", format::fixed(last.value, decimals))),
        code(&*last.label),
        text("."),
    ];
    let chart = Chart::Line {
        x: "version",
        y: name.to_owned(),
        points: (0_u32..)
            .zip(&values)
            .map(|(i, value)| [f64::from(i), *value])
            .collect(),
        ticks: latest.iter().map(|point| point.label.clone()).collect(),
        diagonal: false,
    };
    let picture = Picture {
        title: vec![code(name), text(" over the versions")],
        description,
        chart,
    };
    Some(details("history", 30, summary, false, vec![Block::Chart(picture)]))
}
