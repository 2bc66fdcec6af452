//! Making scores probabilities: isotonic regression, and whether it is needed. Pure.

use crate::stats::Rng;

/// Rows of each class without which nothing is learned.
const MIN_CLASS: usize = 10;
const N_SPLITS: usize = 10;
const N_BINS: usize = 10;
/// Scores that separate the classes this well leave nothing to learn from.
const MAX_AUC: f64 = 0.999;

/// Scores to probabilities, not falling.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    blocks: Vec<Block>,
}

/// Neighboring scores that have one probability.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Block {
    first: f64,
    last: f64,
    n: f64,
    positive: f64,
}

/// Where a score is: block `at` with a share of `1 - next`, and the one after it with a share of `next`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    pub at: usize,
    pub next: f64,
}

impl Isotonic {
    /// The isotonic regression of the labels on finite scores; at least one. Half a hit and half a miss are added at the
    /// least and at the greatest score: there it would follow single labels, and make scores surer than they are.
    ///
    /// Source: Ayer and others, *An empirical distribution function for sampling with incomplete information* (1955).
    /// Oracle: scikit-learn's `IsotonicRegression(out_of_bounds="clip")`,
    /// without what is added.
    pub fn fit(scores: &[f64], positive: &[bool]) -> Self {
        let mut blocks = blocks(scores, positive);
        let end = blocks.len().saturating_sub(1);
        for at in [0, end] {
            if let Some(block) = blocks.get_mut(at) {
                block.n += 1.0;
                block.positive += 0.5;
            }
        }
        Self::pool(blocks)
    }

    /// Joins neighbors until the rates rise.
    fn pool(blocks: Vec<Block>) -> Self {
        let mut pooled: Vec<Block> = Vec::with_capacity(blocks.len());
        for mut block in blocks {
            while let Some(before) = pooled.last().filter(|before| before.rate() >= block.rate()) {
                block = Block {
                    first: before.first,
                    last: block.last,
                    n: before.n + block.n,
                    positive: before.positive + block.positive,
                };
                pooled.pop();
            }
            pooled.push(block);
        }
        Self { blocks: pooled }
    }

    pub fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Between two blocks a score belongs to both; outside all to the nearest.
    pub fn place(&self, score: f64) -> Place {
        let after = self.blocks.partition_point(|block| block.first <= score);
        let Some(at) = after.checked_sub(1) else {
            return Place { at: 0, next: 0.0 };
        };
        let last = self.blocks[at].last;
        let next = match self.blocks.get(after) {
            Some(block) if score > last => (score - last) / (block.first - last),
            Some(_) | None => 0.0,
        };
        Place { at, next }
    }

    pub fn probability(&self, place: Place) -> f64 {
        let rate = self.blocks[place.at].rate();
        if place.next > 0.0 {
            rate + place.next * (self.blocks[place.at + 1].rate() - rate)
        } else {
            rate
        }
    }

    /// The variance of the probability of a block, with a hit and a miss added so that no block is sure.
    pub fn variance(&self, block: usize) -> f64 {
        let Block { n, positive, .. } = self.blocks[block];
        let rate = (positive + 1.0) / (n + 2.0);
        rate * (1.0 - rate) / n
    }
}

/// One block a distinct score, ascending.
fn blocks(scores: &[f64], positive: &[bool]) -> Vec<Block> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let mut blocks: Vec<Block> = Vec::new();
    for row in order {
        let (score, hit) = (scores[row] + 0.0, f64::from(u8::from(positive[row])));
        match blocks.last_mut() {
            // Equal scores are one block from the beginning.
            Some(block) if block.first.total_cmp(&score).is_eq() => {
                block.n += 1.0;
                block.positive += hit;
            }
            Some(_) | None => blocks.push(Block {
                first: score,
                last: score,
                n: 1.0,
                positive: hit,
            }),
        }
    }
    blocks
}

impl Block {
    fn rate(&self) -> f64 {
        self.positive / self.n
    }
}

/// The calibration of these scores, if it makes probabilities on rows that it was not learned from more right: their
/// expected calibration error over ten splits that each leave out a tenth of every class.
///
/// Source: `NannyML`'s `needs_calibration`.
pub fn needed(scores: &[f64], positive: &[bool], seed: u64) -> Option<Isotonic> {
    let classes =
        [false, true].map(|class| -> Vec<usize> { (0..scores.len()).filter(|row| positive[*row] == class).collect() });
    if classes.iter().any(|rows| rows.len() < MIN_CLASS) {
        return None;
    }
    let of = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|row| scores[*row]).collect() };
    let rank = crate::drift::multivariate::rank_sum(&of(&classes[0]), &of(&classes[1]));
    if rank.u > MAX_AUC * 2.0 * rank.expected {
        return None;
    }
    let mut rng = Rng::derive(seed, "calibration");
    let (mut raw, mut calibrated, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..N_SPLITS {
        let (mut learned, mut asked) = (Vec::new(), Vec::new());
        for rows in &classes {
            let mut rows = rows.clone();
            rng.shuffle(&mut rows);
            let n_asked = rows.len().div_ceil(10);
            asked.extend_from_slice(&rows[..n_asked]);
            learned.extend_from_slice(&rows[n_asked..]);
        }
        let hits: Vec<bool> = learned.iter().map(|row| positive[*row]).collect();
        let isotonic = Isotonic::fit(&of(&learned), &hits);
        for row in asked {
            raw.push(scores[row]);
            calibrated.push(isotonic.probability(isotonic.place(scores[row])));
            labels.push(positive[row]);
        }
    }
    let better = calibration_error(&calibrated, &labels) < calibration_error(&raw, &labels);
    better.then(|| Isotonic::fit(scores, positive))
}

/// The mean distance of probabilities and shares of hits over ten bins of equally many rows; 0 to 1.
fn calibration_error(probabilities: &[f64], positive: &[bool]) -> f64 {
    let n = probabilities.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let distance = |bin: usize| {
        let rows = &order[bin * n / N_BINS..(bin + 1) * n / N_BINS];
        let excess = rows
            .iter()
            .map(|row| f64::from(u8::from(positive[*row])) - probabilities[*row]);
        excess.sum::<f64>().abs()
    };
    (0..N_BINS).map(distance).sum::<f64>() / n.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_scikit_learn() {
        // scikit-learn: IsotonicRegression(out_of_bounds="clip").fit(scores, labels).predict(asked)
        let scores = [0.1, 0.3, 0.3, 0.35, 0.5, 0.6, 0.62, 0.8, 0.9, 0.9];
        let labels = [0, 1, 0, 0, 1, 0, 1, 1, 0, 1].map(|label| label == 1);
        let isotonic = Isotonic::pool(blocks(&scores, &labels));
        for (asked, expected) in SCIKIT_LEARN {
            let found = isotonic.probability(isotonic.place(asked));
            assert!((found - expected).abs() < 1e-12, "{asked}: {found} {expected}");
        }
    }

    const SCIKIT_LEARN: [(f64, f64); 9] = [
        (0.0, 0.0),
        (0.1, 0.0),
        (0.2, 0.166_666_666_666_666_69),
        (0.3, 0.333_333_333_333_333_3),
        (0.45, 0.444_444_444_444_444_5),
        (0.61, 0.625),
        (0.7, 0.75),
        (0.85, 0.75),
        (1.0, 0.75),
    ];

    /// Scores that are the square roots of their probabilities are put right; probabilities are left as they are.
    #[test]
    fn calibrates_what_is_not_calibrated() {
        let mut rng = Rng::derive(3, "scores");
        let p: Vec<f64> = (0..4000).map(|_| rng.unit()).collect();
        let labels: Vec<bool> = p.iter().map(|p| rng.unit() < *p).collect();
        let roots: Vec<f64> = p.iter().map(|p| p.sqrt()).collect();
        let isotonic = needed(&roots, &labels, 0).unwrap();
        for root in [0.4_f64, 0.6, 0.8, 0.95] {
            let found = isotonic.probability(isotonic.place(root));
            assert!((found - root * root).abs() < 0.08, "{root}: {found}");
        }
        assert_eq!(needed(&roots, &labels, 0), Some(isotonic));
    }

    #[test]
    fn too_little_to_learn_from_is_left_alone() {
        let scores: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let separate: Vec<bool> = scores.iter().map(|score| *score > 0.5).collect();
        let rare: Vec<bool> = (0..100).map(|i| i % 20 == 0).collect();
        assert_eq!(needed(&scores, &separate, 0), None);
        assert_eq!(needed(&scores, &rare, 0), None);
        assert_eq!(needed(&[], &[], 0), None);
    }
}
