//! Parts of the test rows, and whether the challenger lost on one of them. Pure.

use std::collections::BTreeMap;

use crate::stats::{holm, mean, sd, t_cdf};

use super::rows::{Rows, common_labels};
use super::{Margin, Predictions, SliceComparison, SliceRule, SliceStatus, Truth};

/// More slices than this of one column are the most frequent ones and one for the rest.
pub const MAX_SLICES: usize = 200;

/// The chance that any slice is called a regression although none is.
const ALPHA: f64 = 0.05;

/// The values of the column that a rule names.
#[derive(Debug, Clone, Copy)]
pub enum SliceColumn<'a> {
    /// NaN is missing.
    Numbers(&'a [f64]),
    /// A code beyond the levels is missing.
    Texts { codes: &'a [u32], levels: &'a [String] },
}

/// What one row belongs to; the order is that of the slices.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Below,
    Bin(usize),
    /// A number in an order that is that of the numbers.
    Number(u64),
    Text(String),
    Above,
    Missing,
}

/// The slices of one rule with their rows, ascending: `sex=1`, `age=[40,60)`, `age<0`, `sex=missing`.
///
/// Every row is in exactly one slice. With more than [`MAX_SLICES`] values the rarest share one slice whose name says
/// how many they are. Bins of a text column are its values.
pub fn slices(rule: &SliceRule, values: SliceColumn<'_>) -> Vec<(String, Vec<usize>)> {
    let (column, edges) = match rule {
        SliceRule::Values { column } => (column, None),
        SliceRule::Bins { column, edges } => (column, Some(edges.as_slice())),
    };
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    match values {
        SliceColumn::Numbers(numbers) => {
            for (row, number) in numbers.iter().enumerate() {
                let key = edges.map_or_else(|| number_key(*number), |edges| bin_key(*number, edges));
                groups.entry(key).or_default().push(row);
            }
        }
        SliceColumn::Texts { codes, levels } => {
            for (row, code) in codes.iter().enumerate() {
                let level = usize::try_from(*code).ok().and_then(|code| levels.get(code));
                let key = level.map_or(Key::Missing, |level| Key::Text(level.clone()));
                groups.entry(key).or_default().push(row);
            }
        }
    }
    let name = |key: &Key| match (key, edges) {
        (Key::Below, Some([first, ..])) => format!("{column}<{first}"),
        (Key::Above, Some([.., last])) => format!("{column}>{last}"),
        (Key::Bin(bin), Some(edges)) => {
            let close = if bin + 2 == edges.len() { ']' } else { ')' };
            format!("{column}=[{},{}{close}", edges[*bin], edges[bin + 1])
        }
        (Key::Number(bits), _) => format!("{column}={}", number_of(*bits)),
        (Key::Text(text), _) => format!("{column}={text}"),
        (Key::Missing | Key::Below | Key::Above | Key::Bin(_), _) => format!("{column}=missing"),
    };
    if groups.len() <= MAX_SLICES {
        return groups.into_iter().map(|(key, rows)| (name(&key), rows)).collect();
    }
    let mut by_size: Vec<(&Key, usize)> = groups.iter().map(|(key, rows)| (key, rows.len())).collect();
    by_size.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let kept: std::collections::BTreeSet<Key> = by_size[..MAX_SLICES - 1]
        .iter()
        .map(|(key, _)| (*key).clone())
        .collect();
    let n_rest = groups.len() - kept.len();
    let mut rest = Vec::new();
    let mut out = Vec::new();
    for (key, rows) in groups {
        if kept.contains(&key) {
            out.push((name(&key), rows));
        } else {
            rest.extend(rows);
        }
    }
    rest.sort_unstable();
    out.push((format!("{column}: {n_rest} rarer values"), rest));
    out
}

fn number_key(number: f64) -> Key {
    if number.is_nan() {
        return Key::Missing;
    }
    // Adding 0 makes -0 and 0 one value. Flipping bits makes the order of the integers that of the numbers.
    let bits = (number + 0.0).to_bits();
    Key::Number(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 })
}

fn number_of(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// Half-open bins, the last one closed. Edges that do not ascend have nothing between them.
fn bin_key(number: f64, edges: &[f64]) -> Key {
    let [first, .., last] = edges else {
        return number_key(number);
    };
    if number.is_nan() {
        Key::Missing
    } else if number < *first {
        Key::Below
    } else if number > *last {
        Key::Above
    } else {
        let inside = edges.windows(2).position(|bin| bin[0] <= number && number < bin[1]);
        Key::Bin(inside.unwrap_or(edges.len() - 2))
    }
}

/// Champion against challenger in every slice, on the mean loss of the task: absolute error, or being wrong.
///
/// `slices` as [`slices`](self::slices) gives them; `margin` counts in the unit of that loss, its relative part from
/// the champion's loss in the slice. p is that of a gain below −δ by a t test; Holm's correction covers all slices
/// together. A slice is a regression when its adjusted p-value is below 0.05. With fewer than `min_rows` rows (at
/// least two) it is only counted. With `groups`, one number a row, whole groups count: sums of each group's deviations. A gain without any spread has p = 0 when it is below −δ, else 1. Never NaN.
///
/// Oracle: scipy and statsmodels, `fixtures/compare`.
pub fn compare_slices(
    truth: &Truth,
    champion: &Predictions,
    challenger: &Predictions,
    slices: &[(String, Vec<usize>)],
    groups: Option<&[u32]>,
    margin: Margin,
    min_rows: usize,
) -> Vec<SliceComparison> {
    let losses = losses(truth, champion, challenger);
    let mut out: Vec<SliceComparison> = slices
        .iter()
        .map(|(slice, rows)| match &losses {
            Some(losses) if rows.len() >= min_rows.max(2) => compare_slice(slice, rows, losses, groups, margin),
            Some(_) | None => counted(slice, rows.len()),
        })
        .collect();
    let p_values: Vec<f64> = out.iter().filter_map(|slice| slice.p_worse).collect();
    let mut adjusted = holm(&p_values).into_iter();
    for slice in out.iter_mut().filter(|slice| slice.p_worse.is_some()) {
        slice.p_adjusted = adjusted.next();
        if slice.p_adjusted.is_some_and(|p| p < ALPHA) {
            slice.status = SliceStatus::Regression;
        }
    }
    out
}

fn counted(slice: &str, n_rows: usize) -> SliceComparison {
    SliceComparison {
        slice: slice.to_owned(),
        n_rows,
        champion: None,
        challenger: None,
        gain: None,
        p_worse: None,
        p_adjusted: None,
        status: SliceStatus::TooFewRows,
    }
}

fn compare_slice(
    slice: &str,
    rows: &[usize],
    losses: &[[f64; 2]],
    groups: Option<&[u32]>,
    margin: Margin,
) -> SliceComparison {
    let of_slice: Vec<[f64; 2]> = rows.iter().filter_map(|row| losses.get(*row)).copied().collect();
    if of_slice.len() < 2 {
        return counted(slice, rows.len());
    }
    // In an order of their own, so that sums do not depend on that of the file.
    let mut of_slice = of_slice;
    of_slice.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let side = |side: usize| mean(&of_slice.iter().map(|pair| pair[side]).collect::<Vec<_>>());
    let gains: Vec<f64> = of_slice.iter().map(|pair| pair[0] - pair[1]).collect();
    let (champion, challenger, gain) = (side(0), side(1), mean(&gains));
    let allowed = margin.applied(champion);
    let (standard_error, df) = match groups {
        None => (sd(&gains) / (gains.len() as f64).sqrt(), gains.len() as f64 - 1.0),
        Some(groups) => match clustered(rows, losses, groups, gain) {
            Some(spread) => spread,
            None => return counted(slice, rows.len()),
        },
    };
    let p_worse = if standard_error > 0.0 {
        t_cdf((gain + allowed) / standard_error, df)
    } else if gain < -allowed {
        0.0
    } else {
        1.0
    };
    if ![champion, challenger, gain, p_worse].iter().all(|x| x.is_finite()) {
        return counted(slice, rows.len());
    }
    SliceComparison {
        champion: Some(champion),
        challenger: Some(challenger),
        gain: Some(gain),
        p_worse: Some(p_worse),
        status: SliceStatus::Ok,
        ..counted(slice, rows.len())
    }
}

/// The standard error of the mean gain when rows of a group vary together, and its degrees of freedom; `None` with one
/// group, which says nothing about another.
fn clustered(rows: &[usize], losses: &[[f64; 2]], groups: &[u32], gain: f64) -> Option<(f64, f64)> {
    let mut of_group: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for &row in rows {
        of_group
            .entry(*groups.get(row)?)
            .or_default()
            .push(losses[row][0] - losses[row][1] - gain);
    }
    let k = of_group.len() as f64;
    if k < 2.0 {
        return None;
    }
    let mut squares: Vec<f64> = of_group
        .into_values()
        .map(|mut deviations| {
            deviations.sort_by(f64::total_cmp);
            deviations.iter().sum::<f64>().powi(2)
        })
        .collect();
    squares.sort_by(f64::total_cmp);
    let standard_error = (squares.iter().sum::<f64>() * k / (k - 1.0)).sqrt() / rows.len() as f64;
    Some((standard_error, k - 1.0))
}

/// The loss of champion and challenger on every row; `None` when they can not be scored.
fn losses(truth: &Truth, champion: &Predictions, challenger: &Predictions) -> Option<Vec<[f64; 2]>> {
    let labels = common_labels(truth, &[champion, challenger]);
    let order: Vec<usize> = (0..truth.len()).collect();
    let side = |predictions: &Predictions| -> Option<Vec<f64>> {
        Some(match Rows::new(truth, predictions, &labels, &order).ok()? {
            Rows::Numbers(rows) => order.iter().map(|row| rows.error(*row).abs()).collect(),
            Rows::Classes(rows) => {
                let wrong = |row: &usize| f64::from(u8::from(rows.actual[*row] != rows.predicted[*row]));
                order.iter().map(wrong).collect()
            }
        })
    };
    let (champion, challenger) = (side(champion)?, side(challenger)?);
    Some(champion.into_iter().zip(challenger).map(|(a, b)| [a, b]).collect())
}
