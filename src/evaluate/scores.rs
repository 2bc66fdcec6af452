//! The metrics as weighted sums over rows. Pure.
//!
//! `weights` has one entry a row: how often the row counts. All ones is the metric itself, the counts of a resample
//! are a bootstrap draw, a zero leaves a row out. The error says why the metric is not defined there.
//! Definitions are scikit-learn's; where that has a warning and a stand-in value the text at the function says what
//! is done. Oracle for all of them: scikit-learn, `fixtures/oracles/metrics.json`.

use super::rows::{Classes, Numbers, Rows};

pub type Score = Result<f64, &'static str>;

const FOR_NUMBERS: &str = "this metric is for numbers";
const FOR_CLASSES: &str = "this metric is for classes";
const NO_ROWS: &str = "there are no rows";
const NO_PROBABILITIES: &str = "the model gives no probabilities";
const NOT_BINARY: &str = "this metric is for two classes";
const ONE_CLASS: &str = "the test rows are all of one class";
const NO_POSITIVE: &str = "no test row is of the positive class";
const CONSTANT: &str = "the target is the same on every test row";

fn numbers(rows: &Rows) -> Result<&Numbers, &'static str> {
    match rows {
        Rows::Numbers(rows) => Ok(rows),
        Rows::Classes(_) => Err(FOR_NUMBERS),
    }
}

pub fn classes(rows: &Rows) -> Result<&Classes, &'static str> {
    match rows {
        Rows::Classes(rows) => Ok(rows),
        Rows::Numbers(_) => Err(FOR_CLASSES),
    }
}

/// The rows of a two-class task; the second class is the positive one.
pub fn binary(rows: &Rows) -> Result<&Classes, &'static str> {
    let rows = classes(rows)?;
    if rows.n_labels == 2 { Ok(rows) } else { Err(NOT_BINARY) }
}

/// The weighted mean of one value a row.
pub fn weighted_mean(weights: &[f64], value: impl Fn(usize) -> f64) -> Score {
    let (mut sum, mut total) = (0.0, 0.0);
    for (row, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            sum += weight * value(row);
            total += weight;
        }
    }
    if total > 0.0 { Ok(sum / total) } else { Err(NO_ROWS) }
}

pub fn mae(rows: &Rows, weights: &[f64]) -> Score {
    let rows = numbers(rows)?;
    weighted_mean(weights, |row| rows.error(row).abs())
}

pub fn mse(rows: &Rows, weights: &[f64]) -> Score {
    let rows = numbers(rows)?;
    weighted_mean(weights, |row| rows.error(row).powi(2))
}

pub fn rmse(rows: &Rows, weights: &[f64]) -> Score {
    mse(rows, weights).map(f64::sqrt)
}

/// Not defined where a target is 0; scikit-learn divides by 2⁻⁵² there.
pub fn mape(rows: &Rows, weights: &[f64]) -> Score {
    let rows = numbers(rows)?;
    if rows
        .actual
        .iter()
        .zip(weights)
        .any(|(actual, weight)| *actual == 0.0 && *weight > 0.0)
    {
        return Err("a target of 0 has no percentage error");
    }
    weighted_mean(weights, |row| (rows.error(row) / rows.actual[row]).abs())
}

/// Not defined where the target is constant; scikit-learn says 0, or 1 for a perfect model.
pub fn r2(rows: &Rows, weights: &[f64]) -> Score {
    let squared = mse(rows, weights)?;
    let rows = numbers(rows)?;
    let spread = spread(weights, |row| rows.actual[row])?;
    if spread > 0.0 {
        Ok(1.0 - squared / spread)
    } else {
        Err(CONSTANT)
    }
}

/// Not defined where the target is constant, as [`r2`].
pub fn explained_variance(rows: &Rows, weights: &[f64]) -> Score {
    let rows = numbers(rows)?;
    let unexplained = spread(weights, |row| rows.error(row))?;
    let spread = spread(weights, |row| rows.actual[row])?;
    if spread > 0.0 {
        Ok(1.0 - unexplained / spread)
    } else {
        Err(CONSTANT)
    }
}

/// The weighted population variance; exactly 0 where nothing varies.
fn spread(weights: &[f64], value: impl Fn(usize) -> f64) -> Score {
    let first = value(weights.iter().position(|weight| *weight > 0.0).ok_or(NO_ROWS)?);
    let center = weighted_mean(weights, |row| value(row) - first)?;
    weighted_mean(weights, |row| (value(row) - first - center).powi(2))
}

/// With an even number of rows the mean of the two in the middle. Weights are whole numbers.
pub fn medae(rows: &Rows, weights: &[f64]) -> Score {
    let rows = numbers(rows)?;
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Err(NO_ROWS);
    }
    // The errors at the positions (n - 1) / 2 and n / 2, counted from 0 and rounded down.
    let lower_place = ((total - 1.0) / 2.0).floor();
    let upper_place = (total / 2.0).floor();
    let (mut before, mut lower) = (0.0, None);
    for row in &rows.by_error {
        before += weights[*row];
        if lower.is_none() && before > lower_place {
            lower = Some(rows.error(*row).abs());
        }
        if before > upper_place {
            let upper = rows.error(*row).abs();
            return Ok(0.5 * lower.unwrap_or(upper) + 0.5 * upper);
        }
    }
    Err(NO_ROWS)
}

pub fn max_error(rows: &Rows, weights: &[f64]) -> Score {
    let rows = numbers(rows)?;
    let last = rows
        .by_error
        .iter()
        .rev()
        .find(|row| weights[**row] > 0.0)
        .ok_or(NO_ROWS)?;
    Ok(rows.error(*last).abs())
}

/// How often each class was there, was predicted, and both.
struct Tally {
    total: f64,
    actual: Vec<f64>,
    predicted: Vec<f64>,
    right: Vec<f64>,
}

fn tally(rows: &Classes, weights: &[f64]) -> Result<Tally, &'static str> {
    let zeros = vec![0.0; rows.n_labels];
    let mut tally = Tally {
        total: 0.0,
        actual: zeros.clone(),
        predicted: zeros.clone(),
        right: zeros,
    };
    for ((actual, predicted), weight) in rows.actual.iter().zip(&rows.predicted).zip(weights) {
        tally.total += weight;
        tally.actual[*actual] += weight;
        tally.predicted[*predicted] += weight;
        if actual == predicted {
            tally.right[*actual] += weight;
        }
    }
    if tally.total > 0.0 { Ok(tally) } else { Err(NO_ROWS) }
}

impl Tally {
    /// The mean over the classes that occur, actual or predicted, of `value(actual, predicted, right)`.
    fn macro_mean(&self, value: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let (mut sum, mut n) = (0.0, 0.0);
        for ((actual, predicted), right) in self.actual.iter().zip(&self.predicted).zip(&self.right) {
            if actual + predicted > 0.0 {
                sum += value(*actual, *predicted, *right);
                n += 1.0;
            }
        }
        sum / n
    }
}

/// 0 where nothing counts, as scikit-learn does for one class of many.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

pub fn accuracy(rows: &Rows, weights: &[f64]) -> Score {
    let rows = classes(rows)?;
    weighted_mean(weights, |row| {
        f64::from(u8::from(rows.actual[row] == rows.predicted[row]))
    })
}

/// The mean recall of the classes that are in the test rows.
pub fn balanced_accuracy(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(classes(rows)?, weights)?;
    let present = tally
        .actual
        .iter()
        .zip(&tally.right)
        .filter(|(actual, _)| **actual > 0.0);
    let (sum, n) = present.fold((0.0, 0.0), |(sum, n), (actual, right)| (sum + right / actual, n + 1.0));
    Ok(sum / n)
}

/// 0 when nothing was predicted positive but something should have been; not defined when neither.
pub fn precision(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(binary(rows)?, weights)?;
    if tally.actual[1] + tally.predicted[1] > 0.0 {
        Ok(share(tally.right[1], tally.predicted[1]))
    } else {
        Err(NO_POSITIVE)
    }
}

/// Not defined without a positive row; scikit-learn says 0.
pub fn recall(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(binary(rows)?, weights)?;
    if tally.actual[1] > 0.0 {
        Ok(tally.right[1] / tally.actual[1])
    } else {
        Err(NO_POSITIVE)
    }
}

/// Not defined when nothing is or was predicted positive; scikit-learn says 0.
pub fn f1(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(binary(rows)?, weights)?;
    let whole = tally.actual[1] + tally.predicted[1];
    if whole > 0.0 {
        Ok(2.0 * tally.right[1] / whole)
    } else {
        Err(NO_POSITIVE)
    }
}

pub fn f1_macro(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(classes(rows)?, weights)?;
    Ok(tally.macro_mean(|actual, predicted, right| 2.0 * right / (actual + predicted)))
}

pub fn f1_weighted(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(classes(rows)?, weights)?;
    let each = tally.actual.iter().zip(&tally.predicted).zip(&tally.right);
    Ok(each
        .map(|((actual, predicted), right)| actual * share(2.0 * right, actual + predicted))
        .sum::<f64>()
        / tally.total)
}

pub fn precision_macro(rows: &Rows, weights: &[f64]) -> Score {
    Ok(tally(classes(rows)?, weights)?.macro_mean(|_, predicted, right| share(right, predicted)))
}

/// A class that is predicted but not in the test rows counts as 0; [`balanced_accuracy`] leaves it out.
pub fn recall_macro(rows: &Rows, weights: &[f64]) -> Score {
    Ok(tally(classes(rows)?, weights)?.macro_mean(|actual, _, right| share(right, actual)))
}

/// Matthews' correlation; 0 where either side is constant.
pub fn mcc(rows: &Rows, weights: &[f64]) -> Score {
    let tally = tally(classes(rows)?, weights)?;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let square = tally.total * tally.total;
    let right: f64 = tally.right.iter().sum();
    let of_actual = square - product(&tally.actual, &tally.actual);
    let of_predicted = square - product(&tally.predicted, &tally.predicted);
    if of_actual <= 0.0 || of_predicted <= 0.0 {
        return Ok(0.0);
    }
    let together = right * tally.total - product(&tally.actual, &tally.predicted);
    Ok(together / (of_actual.sqrt() * of_predicted.sqrt()))
}

/// The loss of one row: minus the logarithm of the probability of what was right, kept 2⁻⁵² away from 0 and 1.
pub fn log_loss_of_row(rows: &Classes, row: usize) -> f64 {
    -rows.of_actual[row].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

pub fn log_loss(rows: &Rows, weights: &[f64]) -> Score {
    let rows = classes(rows)?;
    if rows.of_actual.is_empty() {
        return Err(NO_PROBABILITIES);
    }
    weighted_mean(weights, |row| log_loss_of_row(rows, row))
}

pub fn brier_of_row(rows: &Classes, row: usize) -> f64 {
    (rows.score[row] - f64::from(u8::from(rows.actual[row] == 1))).powi(2)
}

pub fn brier(rows: &Rows, weights: &[f64]) -> Score {
    let rows = scored(rows)?;
    weighted_mean(weights, |row| brier_of_row(rows, row))
}

/// Two classes with probabilities.
pub fn scored(rows: &Rows) -> Result<&Classes, &'static str> {
    let rows = binary(rows)?;
    if rows.score.is_empty() {
        Err(NO_PROBABILITIES)
    } else {
        Ok(rows)
    }
}

/// The rows of equal score, from the lowest: (weight of negatives, weight of positives).
fn ties<'a>(rows: &'a Classes, weights: &'a [f64]) -> impl DoubleEndedIterator<Item = (f64, f64)> + 'a {
    let same = |a: &usize, b: &usize| rows.score[*a].total_cmp(&rows.score[*b]).is_eq();
    rows.by_score.chunk_by(same).map(|tied| {
        tied.iter().fold((0.0, 0.0), |(negative, positive), row| {
            if rows.actual[*row] == 1 {
                (negative, positive + weights[*row])
            } else {
                (negative + weights[*row], positive)
            }
        })
    })
}

/// The chance that a positive row has a higher score than a negative one, ties half.
pub fn roc_auc(rows: &Rows, weights: &[f64]) -> Score {
    let rows = scored(rows)?;
    let (mut negatives, mut positives, mut ordered) = (0.0, 0.0, 0.0);
    for (negative, positive) in ties(rows, weights) {
        ordered += positive * (negatives + 0.5 * negative);
        negatives += negative;
        positives += positive;
    }
    if negatives > 0.0 && positives > 0.0 {
        Ok(ordered / (negatives * positives))
    } else {
        Err(ONE_CLASS)
    }
}

/// The precision at every threshold, weighted by the recall gained there.
pub fn average_precision(rows: &Rows, weights: &[f64]) -> Score {
    let rows = scored(rows)?;
    let (mut found, mut said, mut sum) = (0.0, 0.0, 0.0);
    for (negative, positive) in ties(rows, weights).rev() {
        found += positive;
        said += positive + negative;
        if positive > 0.0 {
            sum += positive * found / said;
        }
    }
    if found > 0.0 { Ok(sum / found) } else { Err(NO_POSITIVE) }
}

/// What a reader should know about a value that stands in for an undefined one.
pub fn caveat(metric: &str, rows: &Rows) -> Option<&'static str> {
    let Rows::Classes(rows) = rows else { return None };
    let constant = |codes: &[usize]| codes.windows(2).all(|pair| pair[0] == pair[1]);
    match metric {
        "precision" if !rows.predicted.contains(&1) => Some("nothing was predicted positive, which counts as 0"),
        "mcc" if constant(&rows.predicted) => Some("the model predicts one class only, which counts as 0"),
        "mcc" if constant(&rows.actual) => Some("the test rows are all of one class, which counts as 0"),
        _ => None,
    }
}
