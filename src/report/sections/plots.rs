//! At most three plots, whichever the task has.

use super::super::document::{Block, Chart, Inline, Inlines, Picture, Section, prose, text};
use super::super::format;
use super::details;
use crate::evaluate::{ConfusionMatrix, CurvePoint, Plots};
use crate::facts::Facts;

/// More points than are seen.
const MAX_POINTS: usize = 400;

pub fn section(facts: &Facts) -> Option<Section> {
    let plots = &facts.evaluation.as_ref()?.plots;
    let pictures: Vec<Picture> = [
        scatter(plots),
        residuals(plots),
        matrix(plots.confusion.as_ref()),
        curve(
            &plots.roc,
            "ROC curve",
            "false positive rate",
            "true positive rate",
            true,
        ),
        curve(
            &plots.precision_recall,
            "Precision and recall",
            "recall",
            "precision",
            false,
        ),
    ]
    .into_iter()
    .flatten()
    .take(3)
    .collect();
    if pictures.is_empty() {
        return None;
    }
    let names: Vec<String> = pictures
        .iter()
        .map(|picture| super::plain(&picture.title).to_lowercase().replace("roc", "ROC"))
        .collect();
    let summary = vec![
        Inline::Strong("Plots".to_owned()),
        text(format!(": {}", names.join(", "))),
    ];
    Some(details(
        "plots",
        20,
        summary,
        false,
        pictures.into_iter().map(Block::Chart).collect(),
    ))
}

/// Every n-th point, so that at most `MAX_POINTS` remain.
fn thinned<T: Copy>(points: &[T]) -> Vec<T> {
    let step = points.len().div_ceil(MAX_POINTS).max(1);
    points.iter().copied().step_by(step).collect()
}

fn drawable(value: f64) -> bool {
    value.is_finite() && value.abs() < 1e15
}

fn words(sentence: &str) -> Inlines {
    prose(sentence)
}

fn scatter(plots: &Plots) -> Option<Picture> {
    let points: Vec<[f64; 2]> = plots
        .predicted_actual
        .iter()
        .copied()
        .filter(|point| point.iter().all(|value| drawable(*value)))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let n_points = points.len();
    Some(Picture {
        title: vec![text("Predicted against actual")],
        description: words(&format!(
            "{} of the test set; on the line a prediction is exact.",
            format::n_of(n_points, "row", "rows")
        )),
        chart: Chart::Scatter {
            points: thinned(&points),
        },
    })
}

fn residuals(plots: &Plots) -> Option<Picture> {
    let (edges, counts) = (&plots.residual_edges, &plots.residual_counts);
    let fits = edges.len() == counts.len() + 1 && counts.len() <= 100;
    if counts.is_empty() || !fits || !edges.iter().all(|edge| drawable(*edge)) {
        return None;
    }
    Some(Picture {
        title: vec![text("Residuals")],
        description: vec![text(
            "Actual minus predicted: a good model's are centered on zero and even on both sides.",
        )],
        chart: Chart::Histogram {
            edges: edges.clone(),
            counts: counts.clone(),
        },
    })
}

fn curve(points: &[CurvePoint], title: &str, x: &'static str, y: &'static str, diagonal: bool) -> Option<Picture> {
    let points: Vec<[f64; 2]> = points
        .iter()
        .map(|point| [point.x, point.y])
        .filter(|point| point.iter().all(|value| (0.0..=1.0).contains(value)))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let description = if diagonal {
        "The further above the diagonal, the better; the diagonal is guessing."
    } else {
        "The further to the upper right, the better."
    };
    Some(Picture {
        title: vec![text(title)],
        description: vec![text(description)],
        chart: Chart::Line {
            x,
            y: y.to_owned(),
            points: thinned(&points),
            ticks: Vec::new(),
            diagonal,
        },
    })
}

fn matrix(confusion: Option<&ConfusionMatrix>) -> Option<Picture> {
    let confusion = confusion?;
    let n_labels = confusion.labels.len();
    let square = confusion.counts.len() == n_labels && confusion.counts.iter().all(|row| row.len() == n_labels);
    if n_labels == 0 || n_labels > 30 || !square {
        return None;
    }
    let total: u64 = confusion
        .counts
        .iter()
        .flatten()
        .fold(0, |sum, n| sum.saturating_add(*n));
    let right = (0..n_labels).fold(0_u64, |sum, i| sum.saturating_add(confusion.counts[i][i]));
    Some(Picture {
        title: vec![text("Confusion matrix")],
        description: vec![text(format!(
            "{} of {} rows are on the diagonal, where the model is right.",
            format::count(right),
            format::count(total)
        ))],
        chart: Chart::Matrix {
            labels: confusion.labels.clone(),
            counts: confusion.counts.clone(),
        },
    })
}
