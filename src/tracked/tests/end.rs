//! What a run found, from the runs of the report's tests.

use std::fmt::Write as _;

use super::super::end;
use crate::report::fixtures;
use crate::track::record::{Cell, Content, RunEnd, Table};

/// Everything but the bytes, as text.
fn shown(end: &RunEnd) -> String {
    let mut out = format!("exit code {}: {}\n", end.exit_code, end.reason);
    let _ = writeln!(out, "\nconfig {}", serde_json::to_string_pretty(&end.config).unwrap());
    for (title, rows) in [
        ("history", end.history.as_slice()),
        ("summary", std::slice::from_ref(&end.summary)),
    ] {
        for row in rows {
            let _ = writeln!(out, "\n{title}");
            for (name, value) in row {
                let _ = writeln!(out, "  {name} = {}", cell(value));
            }
        }
    }
    for table in &end.tables {
        let _ = write!(out, "\ntable {}", text(table));
    }
    for chart in &end.charts {
        let _ = write!(
            out,
            "\n{:?} chart {}: {}, {} over {}\n  {}",
            chart.kind,
            chart.key,
            chart.title,
            chart.y,
            chart.x,
            text(&chart.table)
        );
    }
    for image in &end.images {
        let (width, height) = (image.width, image.height);
        let _ = write!(out, "\nimage {} {width} × {height}: {}\n", image.key, image.caption);
    }
    for file in &end.files {
        let Content::Bytes(bytes) = &file.content else {
            panic!("a file on disk")
        };
        let begin = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).replace('\n', " ");
        let _ = write!(out, "\nfile {}: {begin}\n", file.name);
    }
    out
}

fn text(table: &Table) -> String {
    let mut out = format!(
        "{} ({} rows): {}\n",
        table.key,
        table.rows.len(),
        table.columns.join(" | ")
    );
    for row in table.rows.iter().take(4) {
        let cells: Vec<String> = row.iter().map(cell).collect();
        let _ = writeln!(out, "  {}", cells.join(" | "));
    }
    if let Some(note) = &table.note {
        let _ = writeln!(out, "  note: {note}");
    }
    out
}

fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Number(value) => format!("{value:?}"),
        Cell::Whole(n) => n.to_string(),
        Cell::Truth(truth) => truth.to_string(),
        Cell::Text(text) => format!("{text:?}"),
        Cell::Missing => "—".to_owned(),
    }
}

/// As many rows as the facts say were held out, at their values.
fn predictions(n: usize) -> String {
    let points = fixtures::better().evaluation.unwrap().plots.predicted_actual;
    let rows = points.iter().take(n).enumerate();
    let rows = rows.map(|(row, [actual, predicted])| format!("data/diabetes.csv,{},{actual},{predicted}\n", row + 2));
    "file,line,truth,prediction\n".to_owned() + &rows.collect::<String>()
}

#[test]
fn realistic_runs() {
    super::snapshots().bind(|| {
        let regression = predictions(89);
        let classes = "file,line,truth,prediction,p(No),p(Yes)\ndata/churn.csv,2,No,Yes,0.25,0.75\n";
        for (name, facts) in fixtures::all() {
            let (csv, html, exit_code) = match name {
                "failed" => (None, None, 2),
                "inconclusive" => (Some(classes.as_bytes()), Some("<!doctype html>"), 0),
                _ => (
                    Some(regression.as_bytes()),
                    Some("<!doctype html>"),
                    u8::from(!facts.passed),
                ),
            };
            insta::assert_snapshot!(name, shown(&end(&facts, csv, html, exit_code)));
        }
    });
}

#[test]
fn history_has_what_was_measured_and_nothing_else() {
    let mut facts = fixtures::inconclusive();
    let row = &end(&facts, None, None, 0).history[0];
    // Its value is unknown.
    assert!(!row.contains_key("test/precision_at_k"));
    assert_eq!(row["test/roc_auc"], Cell::Number(0.8702));
    facts.evaluation.as_mut().unwrap().metrics[0].value = Some(f64::INFINITY);
    let row = &end(&facts, None, None, 0).history[0];
    assert_eq!(row["test/roc_auc"], Cell::Number(f64::INFINITY));
    assert!(end(&fixtures::failed(), None, None, 2).history.is_empty());
}

#[test]
fn a_large_run_stays_within_its_bounds() {
    let end = end(&fixtures::huge(), None, None, 1);
    assert!(end.summary.len() < 2_500, "{}", end.summary.len());
    let slices = end.tables.iter().find(|table| table.key == "slices").unwrap();
    assert_eq!(slices.rows.len(), 10_000);
    assert_eq!(slices.note.as_deref(), Some("the first 10000 of 100200 rows"));
}
