//! Resampling of rows, or of groups of rows. Pure: seeded.
//!
//! Above [`LARGE`] rows a seeded sample of that size is resampled and deviations are shrunk by √(sample / all): the
//! cost of an interval is bounded, and for anything whose error falls with √n the width is right.

use crate::stats::{BcaInput, Rng, bca_bounds, sd};

/// Rows from which on a sample stands for all.
pub const LARGE: usize = 5_000;

/// The jackknife leaves out single units up to this many, and that many equal blocks of units beyond.
const MAX_BLOCKS: usize = 200;

/// Rows to resample, and what to multiply deviations by.
#[derive(Debug)]
pub struct Sample {
    pub order: Vec<usize>,
    pub scale: f64,
    /// What is drawn as a whole; see [`Units`].
    of_row: Option<Vec<usize>>,
    block: usize,
}

impl Sample {
    /// All of `order`, or a part of it when there is too much. Groups stay whole.
    pub fn of(order: &[usize], groups: Option<&[u32]>, rng: &mut Rng) -> Self {
        let (order, scale) = match groups {
            _ if order.len() <= LARGE => (order.to_vec(), 1.0),
            None => some_rows(order, rng),
            Some(groups) => some_groups(order, groups, rng),
        };
        Self {
            of_row: groups.map(|groups| dense(&order, groups).0),
            block: 1,
            order,
            scale,
        }
    }

    /// Rows in order of time, `of_row` the moment of each, to be drawn in blocks of `block` moments. Where a part stands
    /// for all it is of whole blocks, which begin at fixed places then.
    pub fn in_time(order: &[usize], of_row: &[usize], block: usize, rng: &mut Rng) -> Self {
        if order.len() <= LARGE {
            return Self {
                order: order.to_vec(),
                scale: 1.0,
                of_row: Some(of_row.to_vec()),
                block,
            };
        }
        let mut blocks = vec![0; order.iter().max().map_or(0, |last| last + 1)];
        for (row, moment) in order.iter().zip(of_row) {
            blocks[*row] = u32::try_from(moment / block.max(1)).unwrap_or(u32::MAX);
        }
        Self::of(order, Some(&blocks), rng)
    }

    pub fn units(&self) -> Units<'_> {
        Units {
            of_row: self.of_row.as_deref(),
            block: self.block,
        }
    }
}

/// [`LARGE`] rows in their order, by Knuth's selection sampling.
fn some_rows(order: &[usize], rng: &mut Rng) -> (Vec<usize>, f64) {
    let (mut wanted, mut left) = (LARGE, order.len());
    let mut keep = |_: &&usize| {
        let take = rng.below(left) < wanted;
        left -= 1;
        wanted -= usize::from(take);
        take
    };
    let kept = order.iter().filter(|row| keep(row)).copied().collect();
    (kept, (LARGE as f64 / order.len() as f64).sqrt())
}

/// Whole groups until there are [`LARGE`] rows.
fn some_groups(order: &[usize], groups: &[u32], rng: &mut Rng) -> (Vec<usize>, f64) {
    let (of_row, n_groups) = dense(order, groups);
    let mut sizes = vec![0; n_groups];
    for group in &of_row {
        sizes[*group] += 1;
    }
    let mut shuffled: Vec<usize> = (0..n_groups).collect();
    rng.shuffle(&mut shuffled);
    let (mut kept, mut n_kept, mut n_rows) = (vec![false; n_groups], 0, 0);
    for group in shuffled {
        if n_rows >= LARGE {
            break;
        }
        kept[group] = true;
        n_kept += 1;
        n_rows += sizes[group];
    }
    let pairs = order.iter().zip(&of_row);
    let order = pairs.filter(|(_, group)| kept[**group]).map(|(row, _)| *row).collect();
    (order, (f64::from(n_kept) / n_groups as f64).sqrt())
}

/// Groups of the rows of `order` as numbers from 0 in order of appearance, and how many there are.
pub fn dense(order: &[usize], groups: &[u32]) -> (Vec<usize>, usize) {
    let mut known = std::collections::BTreeMap::new();
    let mut of_row = Vec::with_capacity(order.len());
    for row in order {
        let next = known.len();
        of_row.push(*known.entry(groups.get(*row)).or_insert(next));
    }
    (of_row, known.len())
}

/// A value of the rows by how often each of them counts; `None` where it is not defined.
pub type Statistic<'a> = dyn Fn(&[f64]) -> Option<f64> + 'a;

/// One statistic over the resamples.
#[derive(Debug, Default)]
pub struct Draws {
    values: Vec<f64>,
    n_undefined: usize,
    jackknife: Vec<f64>,
}

/// What is drawn, and left out, as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Units<'a> {
    /// The unit of each row, numbers from 0 without gaps; `None`: every row is one.
    pub of_row: Option<&'a [usize]>,
    /// So many units that follow each other are drawn together; 1 where their order means nothing.
    pub block: usize,
}

impl Units<'_> {
    /// How many there are in so many rows.
    pub fn number(&self, n_rows: usize) -> usize {
        self.of_row
            .map_or(n_rows, |units| units.iter().max().map_or(0, |last| last + 1))
    }
}

/// Every statistic on the same resamples.
///
/// Blocks begin anywhere and go on at the first unit after the last one, so that every unit is drawn equally often.
/// Source for blocks: Politis & Romano, *A circular block-resampling procedure for stationary data* (1992).
pub fn bootstrap(
    n_rows: usize,
    resampled: &Units<'_>,
    n_draws: usize,
    rng: &mut Rng,
    statistics: &[&Statistic<'_>],
) -> Vec<Draws> {
    let (groups, n_units) = (resampled.of_row, resampled.number(n_rows));
    let block = resampled.block.clamp(1, n_units.max(1));
    let mut all: Vec<Draws> = statistics.iter().map(|_| Draws::default()).collect();
    let mut units = vec![0.0; n_units];
    let mut rows = vec![0.0; n_rows];
    for _ in 0..n_draws {
        units.fill(0.0);
        let mut n_left = n_units;
        while n_left > 0 {
            let first = rng.below(n_units);
            for step in 0..block.min(n_left) {
                units[(first + step) % n_units] += 1.0;
            }
            n_left = n_left.saturating_sub(block);
        }
        spread(&units, groups, &mut rows);
        for (draws, statistic) in all.iter_mut().zip(statistics) {
            match statistic(&rows) {
                Some(value) => draws.values.push(value),
                None => draws.n_undefined += 1,
            }
        }
    }
    let n_parts = n_units.div_ceil(block).min(MAX_BLOCKS);
    for part in 0..n_parts {
        for (unit, weight) in units.iter_mut().enumerate() {
            // Neighbors that are drawn together are left out together.
            let of_unit = if block > 1 {
                unit * n_parts / n_units
            } else {
                unit % n_parts
            };
            *weight = f64::from(u8::from(of_unit != part));
        }
        spread(&units, groups, &mut rows);
        for (draws, statistic) in all.iter_mut().zip(statistics) {
            draws.jackknife.extend(statistic(&rows));
        }
    }
    all
}

fn spread(units: &[f64], groups: Option<&[usize]>, rows: &mut [f64]) {
    match groups {
        None => rows.copy_from_slice(units),
        Some(groups) => rows
            .iter_mut()
            .zip(groups)
            .for_each(|(row, group)| *row = units[*group]),
    }
}

impl Draws {
    /// The `BCa` bounds for these probabilities; `None` when more than a tenth of the resamples had no value.
    pub fn bounds(&mut self, estimate: f64, levels: &[f64]) -> Option<Vec<f64>> {
        if self.values.is_empty() || self.n_undefined * 9 > self.values.len() {
            return None;
        }
        let input = BcaInput {
            estimate,
            draws: &mut self.values,
            jackknife: &self.jackknife,
        };
        Some(bca_bounds(input, levels))
    }

    /// The standard error of the statistic.
    pub fn standard_error(&self) -> f64 {
        sd(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(of_row: Option<&[usize]>) -> Units<'_> {
        Units { of_row, block: 1 }
    }

    #[test]
    fn a_sample_is_ordered_and_keeps_groups_whole() {
        let order: Vec<usize> = (0..3 * LARGE).rev().collect();
        let single = Sample::of(&order, None, &mut Rng::new(1));
        assert_eq!(single.order.len(), LARGE);
        assert!(single.order.windows(2).all(|pair| pair[0] > pair[1]));
        assert!((single.scale - (1.0_f64 / 3.0).sqrt()).abs() < 1e-15);

        let groups: Vec<u32> = (0..3 * LARGE).map(|row| u32::try_from(row / 7).unwrap()).collect();
        let grouped = Sample::of(&order, Some(&groups), &mut Rng::new(1));
        assert!((LARGE..LARGE + 7).contains(&grouped.order.len()));
        let (of_row, n_groups) = dense(&grouped.order, &groups);
        assert_eq!(of_row.len(), grouped.order.len());
        // All groups but perhaps the last one of the file have seven rows.
        assert!(n_groups * 7 - grouped.order.len() < 7);
        assert!((grouped.scale - (n_groups as f64 / (3.0 * LARGE as f64 / 7.0).ceil()).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn resamples_keep_their_size_and_groups_stay_together() {
        let total = |weights: &[f64]| Some(weights.iter().sum::<f64>());
        let torn = |weights: &[f64]| Some(weights.chunks(2).map(|pair| (pair[0] - pair[1]).abs()).sum::<f64>());
        let groups = [0, 0, 1, 1, 2, 2, 3, 3];
        let draws = bootstrap(8, &rows_of(Some(&groups)), 50, &mut Rng::new(1), &[&total, &torn]);
        assert!(draws[0].values.iter().all(|total| (total - 8.0).abs() < 1e-12));
        assert!(draws[0].jackknife.iter().all(|total| (total - 6.0).abs() < 1e-12));
        assert!(draws[1].values.iter().all(|torn| torn.abs() < 1e-12));
        assert!(draws[0].values.len() == 50 && draws[0].jackknife.len() == 4);
    }

    #[test]
    fn blocks_are_neighbors_and_every_unit_is_drawn_equally_often() {
        let blocks = Units { of_row: None, block: 3 };
        let torn = |weights: &[f64]| {
            let n = weights.len();
            let steps =
                (0..n).filter(|&i| weights[i] > 0.0 && weights[(i + 1) % n] < 0.5 && weights[(i + n - 1) % n] < 0.5);
            Some(steps.count() as f64)
        };
        let (first, last) = (|weights: &[f64]| Some(weights[0]), |weights: &[f64]| Some(weights[10]));
        let total = |weights: &[f64]| Some(weights.iter().sum::<f64>());
        let draws = bootstrap(11, &blocks, 4000, &mut Rng::new(1), &[&torn, &first, &last, &total]);
        // The last block of a draw has two units, since eleven are wanted: none stands alone.
        assert!(draws[0].values.iter().all(|torn| *torn < 0.5));
        for unit in [1, 2] {
            let mean = crate::stats::mean(&draws[unit].values);
            assert!((mean - 1.0).abs() < 0.06, "{mean}");
        }
        assert!(draws[3].values.iter().all(|total| (total - 11.0).abs() < 1e-12));
        assert_eq!(draws[3].jackknife, [8.0, 8.0, 8.0, 9.0]);
    }

    #[test]
    fn too_many_undefined_resamples_have_no_bounds() {
        let defined =
            |share: f64| move |weights: &[f64]| (weights[0] + 10.0 * weights[1] < 10.0 * share).then_some(weights[0]);
        let mut draws = bootstrap(
            40,
            &rows_of(None),
            500,
            &mut Rng::new(1),
            &[&defined(0.5), &defined(9.0)],
        );
        assert!(draws[0].bounds(1.0, &[0.05]).is_none());
        assert!(draws[1].bounds(1.0, &[0.05]).is_some());
    }
}
