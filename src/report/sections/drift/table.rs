//! The table of drifted columns.

use super::super::super::document::{Column, Inlines, Table, code, text};
use super::super::super::format;
use super::super::{cell, unknown};
use super::{pictures, words};
use crate::drift::{ColumnDrift, DriftResult, Mode, Op, ScoreKind};

/// The columns as rows, in the order that they come in.
pub fn of(result: &DriftResult, columns: &[&ColumnDrift]) -> Table {
    // The same columns wherever a table is cut, so that its parts look alike.
    let weighed = result.columns.iter().any(|column| column.importance.is_some());
    let mut heads = vec![Column::words("Column"), Column::words("From → to")];
    match result.mode {
        Mode::Calibrated => heads.extend([Column::words("Effect"), Column::numbers("p, corrected")]),
        Mode::Evidently => heads.extend([
            Column::words("Test"),
            Column::numbers("Score"),
            Column::words("Drift when"),
        ]),
    }
    if weighed {
        heads.push(Column::numbers("Weight"));
    }
    heads.push(Column::words("Reference → current"));
    Table {
        columns: heads,
        rows: columns.iter().map(|column| row(result.mode, weighed, column)).collect(),
    }
}

fn row(mode: Mode, weighed: bool, column: &ColumnDrift) -> Vec<Inlines> {
    let mut cells = vec![
        vec![code(&*column.column), text(" "), words::about(column)],
        words::from_to(column),
    ];
    match mode {
        Mode::Calibrated => cells.extend([
            words::effect(column),
            column
                .p_adj
                .or(column.p)
                .map_or_else(unknown, |p| cell(format::p_value(p))),
        ]),
        Mode::Evidently => cells.extend([
            column.test.as_deref().map_or_else(unknown, |test| vec![code(test)]),
            column
                .score
                .map_or_else(unknown, |score| cell(shown_score(score, column.score_kind))),
            threshold(column),
        ]),
    }
    if weighed {
        cells.push(
            column
                .importance
                .filter(|share| share.is_finite())
                .map_or_else(unknown, |share| cell(format::percent(share))),
        );
    }
    cells.push(pictures::sparklines(column));
    cells
}

fn shown_score(score: f64, kind: Option<ScoreKind>) -> String {
    match kind {
        _ if score.is_infinite() => "∞".to_owned(),
        Some(ScoreKind::PValue) => format::p_value(score),
        Some(ScoreKind::Distance | ScoreKind::RocAuc) | None => {
            format::fixed(score, format::decimals(score, Some(score.abs() / 10.0)).min(4))
        }
    }
}

/// `p ≤ 0.05`, `distance ≥ 0.1`.
fn threshold(column: &ColumnDrift) -> Inlines {
    let (Some(threshold), Some(op)) = (column.threshold, column.op) else {
        return unknown();
    };
    let score = match column.score_kind {
        Some(ScoreKind::PValue) => "p",
        Some(ScoreKind::Distance) => "distance",
        Some(ScoreKind::RocAuc) => "AUC",
        None => "score",
    };
    let sign = match op {
        Op::AtMost => "≤",
        Op::Below => "<",
        Op::AtLeast => "≥",
        Op::Above => ">",
    };
    cell(format!("{score} {sign} {}", format::short(threshold)))
}
