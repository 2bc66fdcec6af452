//! The plots of a run as charts that a tracker draws itself. Pure.

use super::pictures::{in_square, is_drawable};
use super::tables::{count, name, table};
use crate::evaluate::CurvePoint;
use crate::facts::Facts;
use crate::track::record::{Cell, Chart, ChartKind};

/// Those that have something to show. `residuals` are those of the predictions' file, if there was one.
pub fn charts(facts: &Facts, residuals: &[f64]) -> Vec<Chart> {
    let plots = facts.evaluation.as_ref().map(|found| &found.plots);
    let of_plots = plots.into_iter().flat_map(|plots| {
        [
            scatter(&plots.predicted_actual),
            histogram(&plots.predicted_actual, residuals),
            curve(
                "roc",
                "ROC curve",
                "false_positive_rate",
                "true_positive_rate",
                &plots.roc,
            ),
            curve(
                "precision_recall",
                "Precision and recall",
                "recall",
                "precision",
                &plots.precision_recall,
            ),
        ]
    });
    of_plots.chain([importance(facts), versions(facts)]).flatten().collect()
}

#[derive(Debug, Clone, Copy)]
struct Shape<'a> {
    key: &'a str,
    title: &'a str,
    kind: ChartKind,
    x: &'a str,
    y: &'a str,
}

fn chart(shape: Shape<'_>, columns: &[&str], rows: Vec<Vec<Cell>>) -> Option<Chart> {
    let Shape { key, title, kind, x, y } = shape;
    (!rows.is_empty()).then(|| Chart {
        key: key.to_owned(),
        title: title.to_owned(),
        kind,
        x: x.to_owned(),
        y: y.to_owned(),
        stroke: None,
        table: table(&format!("{key}_table"), columns, rows),
    })
}

fn numbers(pair: [f64; 2]) -> Vec<Cell> {
    pair.map(Cell::Number).to_vec()
}

fn scatter(points: &[[f64; 2]]) -> Option<Chart> {
    let shape = Shape {
        key: "predicted_actual",
        title: "Predicted against actual",
        kind: ChartKind::Scatter,
        x: "actual",
        y: "predicted",
    };
    let drawable = points
        .iter()
        .filter(|point| point.iter().all(|value| is_drawable(*value)));
    chart(
        shape,
        &["actual", "predicted"],
        drawable.map(|point| numbers(*point)).collect(),
    )
}

/// Of the predictions' file, or of the points that the facts have.
fn histogram(points: &[[f64; 2]], residuals: &[f64]) -> Option<Chart> {
    let shape = Shape {
        key: "residuals",
        title: "Residuals: actual minus predicted",
        kind: ChartKind::Histogram,
        x: "residual",
        y: "rows",
    };
    let of_points: Vec<f64> = points.iter().map(|[actual, predicted]| actual - predicted).collect();
    let values = if residuals.is_empty() { &of_points } else { residuals };
    let drawable = values.iter().filter(|value| is_drawable(**value));
    chart(
        shape,
        &["residual"],
        drawable.map(|value| vec![Cell::Number(*value)]).collect(),
    )
}

fn curve(key: &str, title: &str, x: &str, y: &str, points: &[CurvePoint]) -> Option<Chart> {
    let shape = Shape {
        key,
        title,
        kind: ChartKind::Line,
        x,
        y,
    };
    let points = in_square(points);
    if points.len() < 2 {
        return None;
    }
    chart(shape, &[x, y], points.into_iter().map(numbers).collect())
}

fn importance(facts: &Facts) -> Option<Chart> {
    let shape = Shape {
        key: "feature_importance",
        title: "Importance of features",
        kind: ChartKind::Bar,
        x: "feature",
        y: "importance",
    };
    let found = facts.training.iter().flat_map(|training| &training.importance);
    let drawable = found.filter(|(_, value)| is_drawable(*value));
    let rows = drawable
        .map(|(feature, value)| vec![name(feature), Cell::Number(*value)])
        .collect();
    chart(shape, &["feature", "importance"], rows)
}

/// The metric that decides, over the versions before this one.
fn versions(facts: &Facts) -> Option<Chart> {
    let metric = facts.evaluation.as_ref().map_or("value", |found| &found.primary);
    let title = format!("{} by version", super::text::plain(metric, super::text::MAX_NAME));
    let shape = Shape {
        key: "versions",
        title: &title,
        kind: ChartKind::Line,
        x: "number",
        y: "value",
    };
    let points = facts
        .history
        .iter()
        .enumerate()
        .filter(|(_, point)| is_drawable(point.value));
    let rows: Vec<Vec<Cell>> = points
        .map(|(index, point)| vec![count(index + 1), Cell::Number(point.value), name(&point.label)])
        .collect();
    if rows.len() < 2 {
        return None;
    }
    chart(shape, &["number", "value", "version"], rows)
}
