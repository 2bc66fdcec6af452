//! What each row contributes to a metric. Pure.
//!
//! For a mean it is the row's value; for a smooth function of means its influence, the first-order change of the
//! metric per row, whose mean is 0. The standard error of the metric, or of a difference of two over the same rows,
//! is the standard deviation of the contributions divided by √n.
//! Source: Hampel, *The influence curve and its role in robust estimation* (1974). Oracle: `fixtures/compare`.

use crate::stats::{mean, midranks};

use super::rows::{Numbers, Rows};
use super::scores::{binary, brier_of_row, classes, log_loss_of_row, scored};

/// One number a row; `None` where the metric is not defined.
pub type Contribution = fn(&Rows) -> Option<Vec<f64>>;

fn numbers(rows: &Rows) -> Option<&Numbers> {
    match rows {
        Rows::Numbers(rows) => Some(rows),
        Rows::Classes(_) => None,
    }
}

fn each(n: usize, value: impl FnMut(usize) -> f64) -> Vec<f64> {
    (0..n).map(value).collect()
}

pub fn absolute_error(rows: &Rows) -> Option<Vec<f64>> {
    let rows = numbers(rows)?;
    Some(each(rows.actual.len(), |row| rows.error(row).abs()))
}

pub fn squared_error(rows: &Rows) -> Option<Vec<f64>> {
    let rows = numbers(rows)?;
    Some(each(rows.actual.len(), |row| rows.error(row).powi(2)))
}

pub fn percentage_error(rows: &Rows) -> Option<Vec<f64>> {
    let rows = numbers(rows)?;
    Some(each(rows.actual.len(), |row| {
        (rows.error(row) / rows.actual[row]).abs()
    }))
}

/// (e² − MSE) / (2 RMSE); nothing for a perfect model.
pub fn rmse(rows: &Rows) -> Option<Vec<f64>> {
    let squares = squared_error(rows)?;
    let center = mean(&squares);
    let twice = 2.0 * center.sqrt();
    Some(each(squares.len(), |row| {
        if twice > 0.0 {
            (squares[row] - center) / twice
        } else {
            0.0
        }
    }))
}

/// −(e² − ρ v) / v̄ with v the squared deviation of the target and ρ = MSE / v̄.
pub fn r2(rows: &Rows) -> Option<Vec<f64>> {
    unexplained(numbers(rows)?, &squared_error(rows)?)
}

/// As [`r2`], with errors about their own mean.
pub fn explained_variance(rows: &Rows) -> Option<Vec<f64>> {
    let rows = numbers(rows)?;
    let errors = each(rows.actual.len(), |row| rows.error(row));
    unexplained(rows, &squared_deviations(&errors))
}

fn squared_deviations(values: &[f64]) -> Vec<f64> {
    let center = mean(values);
    values.iter().map(|value| (value - center).powi(2)).collect()
}

fn unexplained(rows: &Numbers, squares: &[f64]) -> Option<Vec<f64>> {
    let spread = squared_deviations(&rows.actual);
    let center = mean(&spread);
    let ratio = mean(squares) / center;
    if center <= 0.0 {
        return None;
    }
    Some(each(squares.len(), |row| (ratio * spread[row] - squares[row]) / center))
}

/// 1 for a row that is right.
pub fn right(rows: &Rows) -> Option<Vec<f64>> {
    let rows = classes(rows).ok()?;
    Some(each(rows.actual.len(), |row| {
        f64::from(u8::from(rows.actual[row] == rows.predicted[row]))
    }))
}

pub fn log_loss(rows: &Rows) -> Option<Vec<f64>> {
    let rows = classes(rows).ok()?;
    if rows.of_actual.is_empty() {
        return None;
    }
    Some(each(rows.actual.len(), |row| log_loss_of_row(rows, row)))
}

pub fn brier(rows: &Rows) -> Option<Vec<f64>> {
    let rows = scored(rows).ok()?;
    Some(each(rows.actual.len(), |row| brier_of_row(rows, row)))
}

/// True positives over predicted positives.
pub fn precision(rows: &Rows) -> Option<Vec<f64>> {
    ratio(rows, |actual, predicted| (actual * predicted, predicted))
}

/// True positives over actual positives.
pub fn recall(rows: &Rows) -> Option<Vec<f64>> {
    ratio(rows, |actual, predicted| (actual * predicted, actual))
}

/// Twice the true positives over actual and predicted positives.
pub fn f1(rows: &Rows) -> Option<Vec<f64>> {
    ratio(rows, |actual, predicted| (2.0 * actual * predicted, actual + predicted))
}

/// (part − R · whole) / mean(whole) for R = Σ part / Σ whole; nothing where there is no whole. `parts` gets 1 for a
/// positive and 0 for a negative, actual and predicted.
fn ratio(rows: &Rows, parts: impl Fn(f64, f64) -> (f64, f64)) -> Option<Vec<f64>> {
    let rows = binary(rows).ok()?;
    let positive = |code: usize| f64::from(u8::from(code == 1));
    let both: Vec<(f64, f64)> = rows
        .actual
        .iter()
        .zip(&rows.predicted)
        .map(|(actual, predicted)| parts(positive(*actual), positive(*predicted)))
        .collect();
    let part: f64 = both.iter().map(|(part, _)| part).sum();
    let whole: f64 = both.iter().map(|(_, whole)| whole).sum();
    if whole <= 0.0 {
        return Some(vec![0.0; both.len()]);
    }
    let n = both.len() as f64;
    Some(each(both.len(), |row| {
        (both[row].0 - part / whole * both[row].1) / (whole / n)
    }))
}

/// A row's share of correctly ordered pairs, less their mean, per row of its class.
///
/// Their standard deviation over √n is the standard error of `DeLong` up to the divisors n − 1 of the classes.
/// Source: `DeLong`, `DeLong` & Clarke-Pearson (1988) with the midranks of Sun & Xu (2014).
pub fn roc_auc(rows: &Rows) -> Option<Vec<f64>> {
    let components = Components::of(rows)?;
    let classes = scored(rows).ok()?;
    let n = classes.actual.len() as f64;
    let (mut positives, mut negatives) = (components.positives.iter(), components.negatives.iter());
    let (n_positives, n_negatives) = (components.positives.len() as f64, components.negatives.len() as f64);
    classes
        .actual
        .iter()
        .map(|code| {
            if *code == 1 {
                Some((positives.next()? - components.area) * n / n_positives)
            } else {
                Some((negatives.next()? - components.area) * n / n_negatives)
            }
        })
        .collect()
}

/// The structural components of `DeLong`: for every positive the share of negatives below it, for every negative the share
/// of positives above it, ties half, in the order of the rows.
#[derive(Debug)]
pub struct Components {
    pub area: f64,
    pub positives: Vec<f64>,
    pub negatives: Vec<f64>,
}

impl Components {
    /// `None` without two classes in the rows, or without probabilities.
    pub fn of(rows: &Rows) -> Option<Self> {
        let rows = scored(rows).ok()?;
        let of_class = |wanted: bool| -> Vec<f64> {
            let pairs = rows.score.iter().zip(&rows.actual);
            pairs
                .filter(|(_, code)| (**code == 1) == wanted)
                .map(|(score, _)| *score)
                .collect()
        };
        let (positive, negative) = (of_class(true), of_class(false));
        if positive.is_empty() || negative.is_empty() {
            return None;
        }
        let (m, n) = (positive.len() as f64, negative.len() as f64);
        let pooled = midranks(&[positive.as_slice(), negative.as_slice()].concat());
        let (of_positive, of_negative) = pooled.split_at(positive.len());
        let positives: Vec<f64> = of_positive
            .iter()
            .zip(midranks(&positive))
            .map(|(z, x)| (z - x) / n)
            .collect();
        let negatives: Vec<f64> = of_negative
            .iter()
            .zip(midranks(&negative))
            .map(|(z, y)| 1.0 - (z - y) / m)
            .collect();
        Some(Self {
            area: mean(&positives),
            positives,
            negatives,
        })
    }
}
