//! Facts as tables: metrics, slices, gates, columns, importance, confusion. Pure.

use super::text::{MAX_NAME, MAX_TEXT, plain};
use crate::base::{Direction, Verdict};
use crate::evaluate::{Comparison, ConfusionMatrix, MetricResult, SliceComparison, SliceStatus};
use crate::facts::Facts;
use crate::track::record::{Cell, Table};

/// The most rows of any table.
pub const MAX_ROWS: usize = 10_000;

/// Those that have a row.
pub fn tables(facts: &Facts) -> Vec<Table> {
    let confusion = facts
        .evaluation
        .as_ref()
        .and_then(|found| found.plots.confusion.as_ref());
    [
        metrics(facts),
        slices(facts),
        gates(facts),
        data(facts),
        importance(facts),
        confusion.map_or_else(Table::default, confusion_matrix),
    ]
    .into_iter()
    .filter(|table| !table.rows.is_empty())
    .collect()
}

/// A table of at most [`MAX_ROWS`], which says so if there were more.
pub fn table(key: &str, columns: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> Table {
    let mut n_rows = 0;
    let mut kept = Vec::new();
    for row in rows {
        n_rows += 1;
        if n_rows <= MAX_ROWS {
            kept.push(row);
        }
    }
    Table {
        key: key.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows: kept,
        note: (n_rows > MAX_ROWS).then(|| format!("the first {MAX_ROWS} of {n_rows} rows")),
    }
}

pub fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Missing, Cell::Number)
}

pub fn whole(n: u64) -> Cell {
    Cell::Whole(i64::try_from(n).unwrap_or(i64::MAX))
}

pub fn count(n: usize) -> Cell {
    whole(n as u64)
}

pub fn name(raw: &str) -> Cell {
    Cell::Text(plain(raw, MAX_NAME))
}

pub fn sentence(raw: &str) -> Cell {
    Cell::Text(plain(raw, MAX_TEXT))
}

pub fn verdict(verdict: Option<Verdict>) -> Cell {
    verdict.map_or(Cell::Missing, |verdict| name(verdict.word()))
}

pub fn low(interval: Option<[f64; 2]>) -> Cell {
    number(interval.map(|bounds| bounds[0]))
}

pub fn high(interval: Option<[f64; 2]>) -> Cell {
    number(interval.map(|bounds| bounds[1]))
}

fn good(direction: Direction) -> Cell {
    name(match direction {
        Direction::Minimize => "lower",
        Direction::Maximize => "higher",
    })
}

/// Every measured metric beside its comparison, then what was only compared.
fn metrics(facts: &Facts) -> Table {
    let measured: &[MetricResult] = facts.evaluation.as_ref().map_or(&[], |found| &found.metrics);
    let compared: &[Comparison] = facts.comparison.as_ref().map_or(&[], |found| &found.metrics);
    let both = measured
        .iter()
        .map(|metric| (Some(metric), compared.iter().find(|one| one.metric == metric.name)));
    let is_measured = |one: &&Comparison| measured.iter().any(|metric| metric.name == one.metric);
    let rest = compared
        .iter()
        .filter(|one| !is_measured(one))
        .map(|one| (None, Some(one)));
    table(
        "metrics",
        &[
            "metric",
            "better",
            "value",
            "low",
            "high",
            "champion",
            "challenger",
            "difference",
            "difference_low",
            "difference_high",
            "margin",
            "verdict",
            "rows",
            "method",
            "note",
        ],
        both.chain(rest).map(|(metric, one)| {
            let interval = metric.and_then(|metric| metric.interval);
            let difference = one.and_then(|one| one.difference_interval);
            let notes = [
                metric.and_then(|metric| metric.note.as_deref()),
                one.and_then(|one| one.note.as_deref()),
            ];
            let note = notes.into_iter().flatten().collect::<Vec<_>>().join("; ");
            vec![
                name(metric.map_or_else(|| one.map_or("", |one| &one.metric), |metric| &metric.name)),
                metric
                    .map(|metric| metric.direction)
                    .or(one.map(|one| one.direction))
                    .map_or(Cell::Missing, good),
                number(metric.and_then(|metric| metric.value)),
                low(interval),
                high(interval),
                number(one.and_then(|one| one.champion)),
                number(one.and_then(|one| one.challenger)),
                number(one.and_then(|one| one.difference)),
                low(difference),
                high(difference),
                number(one.map(|one| one.margin)),
                verdict(one.map(|one| one.verdict)),
                one.map_or(Cell::Missing, |one| count(one.n_rows)),
                one.map_or(Cell::Missing, |one| name(&one.method)),
                if note.is_empty() {
                    Cell::Missing
                } else {
                    sentence(&note)
                },
            ]
        }),
    )
}

/// A row a slice that was compared, by its mean loss, and one for every metric that was measured within a slice.
fn slices(facts: &Facts) -> Table {
    let compared = facts
        .comparison
        .iter()
        .flat_map(|found| &found.slices)
        .map(compared_slice);
    let measured = facts.evaluation.iter().flat_map(|found| &found.slices);
    let measured = measured.flat_map(|slice| {
        slice.metrics.iter().map(|metric| {
            vec![
                name(&slice.slice),
                count(slice.n_rows),
                name(&metric.name),
                number(metric.value),
                low(metric.interval),
                high(metric.interval),
                Cell::Missing,
                Cell::Missing,
                Cell::Missing,
                Cell::Missing,
            ]
        })
    });
    table(
        "slices",
        &[
            "slice",
            "rows",
            "metric",
            "value",
            "low",
            "high",
            "champion",
            "difference",
            "p_adjusted",
            "verdict",
        ],
        compared.chain(measured),
    )
}

fn compared_slice(slice: &SliceComparison) -> Vec<Cell> {
    let difference = slice.challenger.zip(slice.champion).map(|(new, old)| new - old);
    vec![
        name(&slice.slice),
        count(slice.n_rows),
        // Absolute error, or the share of rows that are wrong.
        name("mean loss"),
        number(slice.challenger),
        Cell::Missing,
        Cell::Missing,
        number(slice.champion),
        number(difference),
        number(slice.p_adjusted),
        name(match slice.status {
            SliceStatus::Ok => "ok",
            SliceStatus::Regression => "worse",
            SliceStatus::TooFewRows => "too few rows",
        }),
    ]
}

fn gates(facts: &Facts) -> Table {
    table(
        "gates",
        &["gate", "status", "verdict", "reason", "line"],
        facts.gates.iter().map(|gate| {
            vec![
                name(&gate.name),
                name(gate.status.word()),
                verdict(gate.verdict),
                sentence(&gate.reason),
                gate.span.map_or(Cell::Missing, |span| whole(span.line.into())),
            ]
        }),
    )
}

fn data(facts: &Facts) -> Table {
    table(
        "data",
        &[
            "column", "role", "type", "missing", "distinct", "mean", "min", "max", "counts",
        ],
        facts.data.iter().flat_map(|data| &data.columns).map(|column| {
            let counts: Vec<String> = column.sketch.iter().take(20).map(u64::to_string).collect();
            vec![
                name(&column.name),
                name(&column.role),
                name(&column.kind),
                count(column.n_missing),
                count(column.n_distinct),
                number(column.mean),
                number(column.min),
                number(column.max),
                sentence(&counts.join(" ")),
            ]
        }),
    )
}

fn importance(facts: &Facts) -> Table {
    let found = facts.training.iter().flat_map(|training| &training.importance);
    table(
        "importance",
        &["feature", "importance"],
        found.map(|(feature, value)| vec![name(feature), Cell::Number(*value)]),
    )
}

/// A row a cell of the matrix.
fn confusion_matrix(confusion: &ConfusionMatrix) -> Table {
    let labels = &confusion.labels;
    let cells = labels.iter().zip(&confusion.counts).flat_map(|(actual, counts)| {
        labels
            .iter()
            .zip(counts)
            .map(move |(predicted, n)| vec![name(actual), name(predicted), whole(*n)])
    });
    table("confusion", &["actual", "predicted", "rows"], cells)
}
