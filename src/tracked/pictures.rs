//! The pictures of a run: predicted against actual, the ROC curve, the confusion matrix. Pure.
//!
//! There are no letters in them: the caption says what the axes and the grid are.

use super::canvas::{Canvas, Ink, MAX_HEAT};
use super::text::{MAX_NAME, MAX_TEXT, plain};
use crate::base::counted;
use crate::evaluate::{ConfusionMatrix, CurvePoint, Plots};
use crate::facts::Facts;
use crate::track::record::Image;

/// The side of a picture, and of what is drawn in it.
const SIDE: u16 = 480;
const MARGIN: i32 = 30;
const PLOT: i32 = 480 - 2 * MARGIN;
const TICK: i32 = 7;
/// The scale beside a matrix.
const SCALE_WIDTH: u16 = 60;
const MAX_LABELS: usize = 100;

pub fn pictures(facts: &Facts) -> Vec<Image> {
    let Some(plots) = facts.evaluation.as_ref().map(|found| &found.plots) else {
        return Vec::new();
    };
    let matrix = plots.confusion.as_ref().and_then(confusion);
    [scatter(plots), roc(plots), matrix].into_iter().flatten().collect()
}

/// A number that can be drawn.
pub fn is_drawable(value: f64) -> bool {
    value.is_finite() && value.abs() < 1e15
}

/// The points of a curve in the unit square.
pub fn in_square(points: &[CurvePoint]) -> Vec<[f64; 2]> {
    let is_inside = |point: &[f64; 2]| point.iter().all(|value| (0.0..=1.0).contains(value));
    points
        .iter()
        .map(|point| [point.x, point.y])
        .filter(is_inside)
        .collect()
}

fn image(key: &str, caption: &str, canvas: &Canvas) -> Image {
    let (width, height) = canvas.size();
    Image {
        key: key.to_owned(),
        caption: plain(caption, MAX_TEXT),
        png: canvas.png(),
        width,
        height,
    }
}

fn scatter(plots: &Plots) -> Option<Image> {
    let is_point = |point: &&[f64; 2]| point.iter().all(|value| is_drawable(*value));
    let points: Vec<[f64; 2]> = plots.predicted_actual.iter().filter(is_point).copied().collect();
    if points.is_empty() {
        return None;
    }
    let axis = Axis::around(points.iter().flatten().copied());
    let mut canvas = axis.sheet();
    for [actual, predicted] in &points {
        canvas.point(axis.place(*actual, *predicted), 4);
    }
    let corners = [MARGIN, MARGIN + PLOT - 1];
    canvas.line(
        [corners[0], corners[1]],
        [corners[1], corners[0]],
        1,
        Some(8),
        Ink::Reference,
    );
    canvas.frame([MARGIN, MARGIN], [PLOT, PLOT], 2, Ink::Axis);
    let caption = format!(
        "Predicted (up) against actual (across), {} of the test set; on the dashed line a prediction is exact. {}",
        counted(points.len(), "row"),
        axis.words()
    );
    Some(image("predicted_actual_picture", &caption, &canvas))
}

fn roc(plots: &Plots) -> Option<Image> {
    let points = in_square(&plots.roc);
    if points.len() < 2 {
        return None;
    }
    let axis = Axis::shares();
    let mut canvas = axis.sheet();
    let corners = [MARGIN, MARGIN + PLOT - 1];
    canvas.line(
        [corners[0], corners[1]],
        [corners[1], corners[0]],
        1,
        Some(8),
        Ink::Reference,
    );
    canvas.frame([MARGIN, MARGIN], [PLOT, PLOT], 2, Ink::Axis);
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]].map(|[x, y]| axis.place(x, y));
        canvas.line(from, to, 2, None, Ink::Curve);
    }
    let caption = format!(
        "True positive rate (up) against false positive rate (across); the dashed line is guessing. {}",
        axis.words()
    );
    Some(image("roc_picture", &caption, &canvas))
}

/// Cells by their share of the row, which is what the model says of one class.
fn confusion(confusion: &ConfusionMatrix) -> Option<Image> {
    let n = confusion.labels.len();
    let is_square = confusion.counts.len() == n && confusion.counts.iter().all(|row| row.len() == n);
    if n == 0 || n > MAX_LABELS || !is_square {
        return None;
    }
    let mut canvas = Canvas::new(SIDE + SCALE_WIDTH, SIDE);
    let n_cells = i32::try_from(n).ok()?;
    let edge = |index: i32| MARGIN + PLOT * index / n_cells;
    let gap = if n > 30 { 1 } else { 2 };
    for (row, counts) in (0..n_cells).zip(&confusion.counts) {
        let total = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        for (column, count) in (0..n_cells).zip(counts) {
            let place = [edge(column) + gap, edge(row) + gap];
            let size = [edge(column + 1) - place[0], edge(row + 1) - place[1]];
            canvas.fill(place, size, Ink::Heat(heat(*count, total)));
            if row == column {
                canvas.frame(place, size, gap, Ink::Reference);
            }
        }
    }
    canvas.frame([MARGIN, MARGIN], [PLOT + gap, PLOT + gap], 2, Ink::Axis);
    scale(&mut canvas, PLOT + gap);
    let labels: Vec<String> = confusion.labels.iter().map(|label| plain(label, MAX_NAME)).collect();
    let caption = format!(
        "Confusion matrix: a row is an actual class, a column a predicted one, from the upper left: {}. A cell is the \
         darker the greater its share of the row; the scale beside it goes from 0 to 1. Framed: right.",
        shortened(&labels)
    );
    Some(image("confusion_picture", &caption, &canvas))
}

/// The first labels, and how many are not named.
fn shortened(labels: &[String]) -> String {
    let mut shown = String::new();
    for (index, label) in labels.iter().enumerate() {
        if shown.chars().count() + label.chars().count() > 160 {
            return format!("{shown} and {} more", labels.len() - index);
        }
        if index > 0 {
            shown.push_str(", ");
        }
        shown.push_str(label);
    }
    shown
}

/// The steps of [`Ink::Heat`] from none (at the bottom) to all, beside a matrix.
fn scale(canvas: &mut Canvas, height: i32) {
    let left = i32::from(SIDE) + 4;
    let width = i32::from(SCALE_WIDTH) - MARGIN - 10;
    let n = i32::from(MAX_HEAT) + 1;
    for step in 0..=MAX_HEAT {
        let from_top = i32::from(MAX_HEAT - step);
        let top = MARGIN + height * from_top / n;
        let bottom = MARGIN + height * (from_top + 1) / n;
        canvas.fill([left, top], [width, bottom - top], Ink::Heat(step));
    }
    canvas.frame([left, MARGIN], [width, height], 2, Ink::Axis);
}

/// The share as a step of [`Ink::Heat`], to the nearest; what is there at all is never drawn as nothing.
fn heat(count: u64, total: u64) -> u8 {
    let (count, total, most) = (u128::from(count), u128::from(total.max(1)), u128::from(MAX_HEAT));
    let nearest = (2 * count * most + total) / (2 * total);
    let nearest = if count > 0 { nearest.max(1) } else { nearest };
    u8::try_from(nearest).unwrap_or(MAX_HEAT).min(MAX_HEAT)
}

/// One scale for both directions, so that the diagonal is where both are equal.
#[derive(Debug)]
struct Axis {
    low: f64,
    high: f64,
    /// Multiples of `step` are drawn.
    step: f64,
    /// How many decimals `step` has.
    n_decimals: usize,
}

impl Axis {
    fn shares() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
            step: 0.2,
            n_decimals: 1,
        }
    }

    /// From the least to the greatest of them and a twentieth more on both sides. There is at least one; all can be
    /// drawn.
    fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let greatest = low.abs().max(high.abs());
        // A range that vanishes beside the values can not be cut.
        let is_flat = high - low <= 1e-9 * greatest || high - low < 1e-12;
        let room = match (is_flat, greatest > 1e-9) {
            (false, _) => 0.05 * (high - low),
            (true, true) => 0.5 * greatest,
            (true, false) => 0.5,
        };
        let (low, high) = (low - room, high + room);
        let (step, n_decimals) = step(high - low);
        Self {
            low,
            high,
            step,
            n_decimals,
        }
    }

    /// The pixel of a value in both directions.
    fn place(&self, x: f64, y: f64) -> [i32; 2] {
        [MARGIN + self.offset(x), MARGIN + PLOT - 1 - self.offset(y)]
    }

    #[expect(clippy::cast_possible_truncation, reason = "held within the picture")]
    fn offset(&self, value: f64) -> i32 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        (share * f64::from(PLOT - 1)).round() as i32
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let first = (self.low / self.step).ceil();
        // The nudge keeps the last one where it is not exact in binary.
        let last = self.high + 1e-9 * self.step;
        (0..20)
            .map(move |index| (first + f64::from(index)) * self.step)
            .take_while(move |tick| *tick <= last)
    }

    /// White, with the grid and the ticks outside of it.
    fn sheet(&self) -> Canvas {
        let mut canvas = Canvas::new(SIDE, SIDE);
        for tick in self.ticks() {
            let [x, y] = self.place(tick, tick);
            canvas.fill([x, MARGIN], [1, PLOT], Ink::Grid);
            canvas.fill([MARGIN, y], [PLOT, 1], Ink::Grid);
            canvas.fill([x, MARGIN + PLOT], [2, TICK], Ink::Axis);
            canvas.fill([MARGIN - TICK, y], [TICK, 2], Ink::Axis);
        }
        canvas
    }

    /// What the grid is.
    fn words(&self) -> String {
        let n = self.n_decimals;
        let written = |value: f64| format!("{value:.n$}");
        let ticks: Vec<f64> = self.ticks().collect();
        match ticks.as_slice() {
            [first, .., last] => format!(
                "Grid lines from {} to {} in steps of {}.",
                written(*first),
                written(*last),
                written(self.step)
            ),
            [only] => format!("A grid line at {}.", written(*only)),
            [] => "No grid.".to_owned(),
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides `range` into about six, and its decimals. The range is positive
/// and not above 10¹⁶.
fn step(range: f64) -> (f64, usize) {
    let wanted = range / 6.0;
    let (mut power, mut n_decimals) = (1.0, 0);
    while power * 10.0 <= wanted && power < 1e16 {
        power *= 10.0;
    }
    while power > wanted && n_decimals < 15 {
        n_decimals += 1;
        power = 1.0 / 10_f64.powi(n_decimals);
    }
    let times = [5.0, 2.0, 1.0].into_iter().find(|times| power * times <= wanted);
    (power * times.unwrap_or(1.0), usize::try_from(n_decimals).unwrap_or(0))
}
