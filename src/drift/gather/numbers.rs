//! The numbers of one column while its rows come: all of them as long as they may be kept, then a sketch. Pure.

use crate::data::{ordered, sort, unordered};
use crate::drift::quantiles::Quantiles;
use crate::drift::sketch::{Moments, NumberSketch};

/// Numbers that are collected before they are sorted and counted.
const BATCH: usize = 1 << 16;

/// Finite numbers that were pushed.
#[derive(Debug)]
pub enum Numbers {
    Exact(Exact),
    Sketched { quantiles: Quantiles, moments: Moments },
}

/// Distinct numbers as ascending keys with their rows, and those that are not sorted in yet.
#[derive(Debug, Default)]
pub struct Exact {
    keys: Vec<u64>,
    /// Rows of each key; empty when every one is 1.
    counts: Vec<u64>,
    batch: Vec<u64>,
}

impl Numbers {
    pub fn new() -> Self {
        Self::Exact(Exact::default())
    }

    /// Adds these finite numbers.
    pub fn extend(&mut self, values: &[f64], spare: &mut Vec<u64>) {
        match self {
            Self::Exact(exact) => {
                exact.batch.extend(values.iter().map(|value| ordered(*value)));
                if exact.batch.len() >= BATCH.max(exact.keys.len()) {
                    exact.settle(spare);
                }
            }
            Self::Sketched { quantiles, moments } => {
                let Some(block) = of_block(values) else { return };
                *moments = together(*moments, block);
                let keys: Vec<u64> = values.iter().map(|value| ordered(*value)).collect();
                quantiles.extend(&keys, spare);
            }
        }
    }

    /// What is held, in numbers of eight bytes.
    pub fn n_held(&self) -> usize {
        match self {
            Self::Exact(exact) => exact.keys.len() + exact.counts.len() + exact.batch.len(),
            Self::Sketched { quantiles, .. } => quantiles.n_held(),
        }
    }

    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// Sorts in what is not yet, so that [`Self::n_held`] is that of distinct numbers.
    pub fn settle(&mut self, spare: &mut Vec<u64>) {
        if let Self::Exact(exact) = self {
            exact.settle(spare);
        }
    }

    /// Keeps points of the distribution from now on.
    pub fn sketch(&mut self, seed: u64, spare: &mut Vec<u64>) {
        let Self::Exact(exact) = self else { return };
        exact.settle(spare);
        let Exact { keys, counts, .. } = std::mem::take(exact);
        let mut quantiles = Quantiles::new(seed);
        if counts.is_empty() {
            quantiles.extend(&keys, spare);
        }
        for (key, count) in keys.iter().zip(&counts) {
            quantiles.add(*key, *count, spare);
        }
        if let Some(moments) = Moments::of_sorted(&values(keys), &counts) {
            *self = Self::Sketched { quantiles, moments };
        }
    }

    /// The sketch of the column; `None` when nothing was pushed.
    pub fn finish(self, is_integer: bool, spare: &mut Vec<u64>) -> Option<NumberSketch> {
        match self {
            Self::Exact(mut exact) => {
                exact.settle(spare);
                let values = values(exact.keys);
                Some(NumberSketch {
                    moments: Moments::of_sorted(&values, &exact.counts)?,
                    values,
                    counts: exact.counts,
                    is_integer,
                    rank_error: 0.0,
                })
            }
            Self::Sketched { quantiles, moments } => {
                let rank_error = quantiles.rank_error();
                let (keys, counts) = quantiles.points();
                let mut points: Vec<(f64, u64)> = values(keys).into_iter().zip(counts).collect();
                anchor(&mut points, moments);
                let (values, counts) = points.into_iter().unzip();
                Some(NumberSketch {
                    values,
                    counts,
                    moments,
                    is_integer,
                    rank_error,
                })
            }
        }
    }
}

impl Exact {
    fn settle(&mut self, spare: &mut Vec<u64>) {
        if self.batch.is_empty() {
            return;
        }
        sort(&mut self.batch, spare);
        let mut merged = Self {
            keys: Vec::with_capacity(self.keys.len() + self.batch.chunk_by(|a, b| a == b).count()),
            counts: Vec::new(),
            batch: Vec::new(),
        };
        let mut before = 0;
        let count = |at: usize| self.counts.get(at).copied().unwrap_or(1);
        for run in self.batch.chunk_by(|a, b| a == b) {
            let (key, mut n) = (run[0], run.len() as u64);
            while let Some(&smaller) = self.keys.get(before).filter(|smaller| **smaller < key) {
                merged.push(smaller, count(before));
                before += 1;
            }
            if self.keys.get(before) == Some(&key) {
                n += count(before);
                before += 1;
            }
            merged.push(key, n);
        }
        for at in before..self.keys.len() {
            merged.push(self.keys[at], count(at));
        }
        merged.keys.shrink_to_fit();
        let mut batch = std::mem::take(&mut self.batch);
        batch.clear();
        // A batch that grew with the column is given back: the next one may be the last.
        batch.shrink_to(BATCH);
        *self = Self { batch, ..merged };
    }

    fn push(&mut self, key: u64, count: u64) {
        if count > 1 && self.counts.is_empty() {
            self.counts = vec![1; self.keys.len()];
        }
        self.keys.push(key);
        if !self.counts.is_empty() || count > 1 {
            self.counts.push(count);
        }
    }
}

fn values(keys: Vec<u64>) -> Vec<f64> {
    keys.into_iter().map(unordered).collect()
}

/// Makes the outermost points the least and the greatest value, with one row each, which only brings the points nearer to
/// the truth: no row is below the one or above the other.
fn anchor(points: &mut Vec<(f64, u64)>, moments: Moments) {
    if let Some(first) = points.first_mut()
        && first.0 > moments.min
    {
        first.1 -= 1;
        points.insert(0, (moments.min, 1));
    }
    if let Some(last) = points.last_mut()
        && last.0 < moments.max
    {
        last.1 -= 1;
        points.push((moments.max, 1));
    }
    points.retain(|(_, count)| *count > 0);
}

/// The power of two at or below the size of a number: to divide by it costs no digits.
fn unit(size: f64) -> f64 {
    let exponent = size.to_bits() & (0x7ff << 52);
    f64::from_bits(exponent).max(f64::MIN_POSITIVE)
}

/// Of finite numbers in any order; `None` without any. In two passes, in units of the largest one.
fn of_block(values: &[f64]) -> Option<Moments> {
    let first = *values.first()?;
    let (min, max) = values
        .iter()
        .fold((first, first), |(min, max), value| (value.min(min), value.max(max)));
    let unit = unit(max.abs().max(min.abs()));
    let (n, start) = (values.len() as f64, first / unit);
    let mean = start + values.iter().map(|value| value / unit - start).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value / unit - mean).powi(2)).sum();
    Some(Moments {
        n: values.len() as u64,
        mean: (mean * unit).clamp(min, max),
        sd: (squares / n).sqrt() * unit,
        min: min + 0.0,
        max: max + 0.0,
    })
}

/// Of two sets of numbers together, in units of the largest of what is combined.
///
/// Source: Chan, Golub and `LeVeque`, *Updating formulae and a pairwise algorithm for computing sample variances* (1979).
fn together(a: Moments, b: Moments) -> Moments {
    let n = a.n + b.n;
    let (min, max) = (a.min.min(b.min), a.max.max(b.max));
    let unit = unit(max.abs().max(min.abs()));
    let share = b.n as f64 / n as f64;
    let apart = b.mean / unit - a.mean / unit;
    let variance = |moments: Moments| (moments.sd / unit).powi(2);
    let between = apart * apart * share * (1.0 - share);
    let mean = a.mean / unit + apart * share;
    Moments {
        n,
        mean: (mean * unit).clamp(min, max),
        sd: (variance(a) * (1.0 - share) + variance(b) * share + between).sqrt() * unit,
        min,
        max,
    }
}
