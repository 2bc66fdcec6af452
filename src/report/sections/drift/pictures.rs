//! The two sides of each column: drawn, and as a line of bars for a table.

use super::super::super::document::{Block, Inlines, Pair, PairedBar, Pairs, Shape, code, quiet, text};
use super::super::super::format;
use super::super::unknown;
use super::words;
use crate::drift::{ColumnDrift, DriftResult, Picture, Side};

/// Columns that are drawn; the shapes of all are in their table.
const MAX_PICTURES: usize = 13;
/// Bins of a drawing.
const MAX_BINS: usize = 30;
/// Bars of one side in a cell.
const MAX_CELL_BARS: usize = 12;
/// More bins than any picture has.
const MAX_KNOWN: usize = 1000;

/// The first columns that can be drawn, if any.
pub fn block(result: &DriftResult, listed: &[&ColumnDrift]) -> Option<Block> {
    let pairs: Vec<Pair> = listed
        .iter()
        .filter_map(|column| {
            let mut description = words::from_to(column);
            description.extend(words::size(column).map(|size| quiet(format!(", {size}"))));
            Some(Pair {
                title: vec![code(&*column.column)],
                description,
                shape: shape(column.picture.as_ref()?)?,
            })
        })
        .take(MAX_PICTURES)
        .collect();
    let side = |name: &str, side: &Side| vec![text(format!("{name}, {}", super::n_rows(side)))];
    (!pairs.is_empty()).then(|| {
        Block::Pairs(Pairs {
            sides: [side("reference", &result.reference), side("current", &result.current)],
            pairs,
        })
    })
}

/// What can be drawn: as many shares on each side, all of them finite, over edges that ascend within what is computed.
fn shape(picture: &Picture) -> Option<Shape> {
    match picture {
        Picture::Histogram {
            edges,
            reference,
            current,
        } => {
            let [reference, current] = shares([reference, current])?;
            let span = edges.last()? - edges.first()?;
            let ascends = edges.windows(2).all(|pair| pair[0] < pair[1]);
            if edges.len() != reference.len() + 1 || !ascends || !span.is_finite() || !span.is_normal() {
                return None;
            }
            let step = reference.len().div_ceil(MAX_BINS).max(1);
            let mut merged: Vec<f64> = edges[..reference.len()].iter().copied().step_by(step).collect();
            merged.extend(edges.last());
            Some(Shape::Histogram {
                edges: merged,
                shares: [summed(&reference, step), summed(&current, step)],
            })
        }
        Picture::Bars {
            labels,
            reference,
            current,
        } => {
            let [reference, current] = shares([reference, current])?;
            if labels.len() != reference.len() {
                return None;
            }
            let mut bars: Vec<PairedBar> = labels
                .iter()
                .zip(reference.iter().zip(&current))
                .map(|(label, (reference, current))| PairedBar {
                    label: label.clone(),
                    shares: [*reference, *current],
                })
                .collect();
            let change = |bar: &PairedBar| (bar.shares[1] - bar.shares[0]).abs();
            bars.sort_by(|a, b| change(b).total_cmp(&change(a)));
            Some(Shape::Bars(bars))
        }
    }
}

fn shares(sides: [&Vec<f64>; 2]) -> Option<[Vec<f64>; 2]> {
    let n_bins = sides[0].len();
    let fits = n_bins == sides[1].len() && (1..=MAX_KNOWN).contains(&n_bins);
    let finite = || sides.iter().all(|side| side.iter().all(|share| share.is_finite()));
    (fits && finite()).then(|| sides.map(|side| side.iter().map(|share| share.clamp(0.0, 1.0)).collect()))
}

/// Every `step` neighbors as one.
fn summed(shares: &[f64], step: usize) -> Vec<f64> {
    shares.chunks(step).map(|chunk| chunk.iter().sum()).collect()
}

/// `▁▂▅█ → ▂▅█▂`, both on one scale, each with the same bins.
pub fn sparklines(column: &ColumnDrift) -> Inlines {
    let sides = match &column.picture {
        Some(Picture::Histogram { reference, current, .. } | Picture::Bars { reference, current, .. }) => {
            shares([reference, current])
        }
        None => None,
    };
    let Some([reference, current]) = sides else {
        return unknown();
    };
    let step = reference.len().div_ceil(MAX_CELL_BARS).max(1);
    // The mean, as the last bar may be of fewer bins.
    let mean = |side: &[f64]| -> Vec<f64> {
        side.chunks(step)
            .map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64)
            .collect()
    };
    let [reference, current] = format::sparklines([&mean(&reference), &mean(&current)]);
    vec![text(format!("{reference} → {current}"))]
}
