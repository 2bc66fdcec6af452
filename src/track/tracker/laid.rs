//! What a run found, as W&B lays it out: settings, rows of the history, the summary, files. The same for the stream and for
//! the offline log. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::base::Timestamp;
use crate::track::Content;
use crate::track::record::{Cell, Chart, ChartKind, Row, RunEnd, RunStart, Table};
use crate::wandb::media::{self, Axes, Media, Preset};
use crate::wandb::{number, text};

/// Names, and values as JSON text, in which numbers may be `NaN`.
pub type Line = BTreeMap<String, String>;

/// Everything about a run that is over.
#[derive(Debug, Default)]
pub struct Laid {
    pub config: BTreeMap<String, Value>,
    /// One a step, from 0 on.
    pub rows: Vec<Line>,
    pub summary: Line,
    pub files: BTreeMap<String, Content>,
}

/// What stands in the settings before anything was found.
pub fn settings(config: &BTreeMap<String, Value>, visualize: &Map<String, Value>) -> BTreeMap<String, Value> {
    let mut all = config.clone();
    all.insert("_wandb".to_owned(), json!({"t": telemetry(), "visualize": visualize}));
    all
}

/// What made the run; without it the official client takes the run for one that never began.
fn telemetry() -> Value {
    json!({"13": format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)})
}

/// As the API has settings: `{"lr": {"value": 0.1}}`.
pub fn wrapped(config: &BTreeMap<String, Value>) -> Value {
    let pairs = config
        .iter()
        .map(|(name, value)| (name.clone(), json!({ "value": value })));
    Value::Object(pairs.collect())
}

/// Lays out what was found; `seconds` is how long it took.
pub fn laid(start: &RunStart, end: RunEnd, seconds: f64) -> Laid {
    let mut config = start.config.clone();
    config.extend(end.config);
    let mut rows: Vec<Line> = end.history.iter().map(line).collect();
    if rows.is_empty() {
        rows.push(Line::new());
    }
    // Pictures and tables belong to the last row.
    let last = rows.len() as u64 - 1;
    let mut files: BTreeMap<String, Content> = end.files.into_iter().map(|file| (file.name, file.content)).collect();
    let mut cells = Line::new();
    let mut add = |key: &str, media: Media| {
        cells.insert(key.to_owned(), media.cell.to_string());
        files.insert(media.path, Content::Bytes(media.bytes));
    };
    for one in &end.tables {
        add(&one.key, table(one, last));
    }
    let mut visualize = Map::new();
    for chart in &end.charts {
        let key = format!("{}_table", chart.key);
        add(
            &key,
            table(
                &Table {
                    key: key.clone(),
                    ..chart.table.clone()
                },
                last,
            ),
        );
        visualize.insert(chart.key.clone(), chart_settings(chart));
    }
    for one in &end.images {
        let media = media::image(&one.key, last, &one.png, (one.width, one.height), &one.caption);
        add(&one.key, media);
    }
    let mut summary = line(&end.summary);
    summary.extend(cells.clone());
    if let Some(row) = rows.last_mut() {
        row.extend(cells);
    }
    for (row, step) in rows.iter_mut().zip(0..) {
        stamp(row, start.started, step, seconds);
    }
    stamp(&mut summary, start.started, last, seconds);
    summary.insert("_wandb".to_owned(), json!({"runtime": whole(seconds)}).to_string());
    Laid {
        config: settings(&config, &visualize),
        rows,
        summary,
        files,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a run"
)]
fn whole(seconds: f64) -> u64 {
    seconds.max(0.0) as u64
}

fn stamp(line: &mut Line, started: Timestamp, step: u64, seconds: f64) {
    line.insert("_step".to_owned(), step.to_string());
    line.insert("_runtime".to_owned(), number(seconds));
    line.insert("_timestamp".to_owned(), number(started.0 as f64 + seconds));
}

fn line(row: &Row) -> Line {
    row.iter().map(|(name, cell)| (name.clone(), json_text(cell))).collect()
}

fn json_text(cell: &Cell) -> String {
    match cell {
        Cell::Number(value) => number(*value),
        Cell::Whole(value) => value.to_string(),
        Cell::Truth(value) => value.to_string(),
        Cell::Text(value) => text(value),
        Cell::Missing => "null".to_owned(),
    }
}

fn table(table: &Table, step: u64) -> Media {
    let value = |cell: &Cell| match cell {
        Cell::Number(value) if value.is_finite() => json!(value),
        Cell::Number(value) => json!(number(*value)),
        Cell::Whole(value) => json!(value),
        Cell::Truth(value) => json!(value),
        Cell::Text(value) => json!(value),
        Cell::Missing => Value::Null,
    };
    let rows: Vec<Vec<Value>> = table.rows.iter().map(|row| row.iter().map(value).collect()).collect();
    media::table(&table.key, step, &table.columns, &rows)
}

fn chart_settings(chart: &Chart) -> Value {
    let preset = match chart.kind {
        ChartKind::Line => Preset::Line,
        ChartKind::Scatter => Preset::Scatter,
        ChartKind::Bar => Preset::Bar,
        ChartKind::Histogram => Preset::Histogram,
    };
    let axes = Axes {
        x: &chart.x,
        y: &chart.y,
        stroke: chart.stroke.as_deref(),
        title: &chart.title,
    };
    media::chart(&chart.key, preset, &axes)
}
