//! What is kept of the data with a version, so that later data can be held against them without their rows. Pure.

use serde::{Deserialize, Serialize};

use super::multivariate::PcaModel;
use super::sketch::{ColumnSketch, NumberSketch, Seen, TextSketch};

/// The version of this document's shape.
const VERSION: u32 = 1;
/// Numbers with more distinct values are kept as this many points of their distribution.
const MAX_POINTS: usize = 1024;
/// They are kept as they are up to this many.
const MAX_EXACT: usize = 4096;
/// Texts beyond the most frequent ones are only counted.
const MAX_LEVELS: usize = 1000;
/// A longer text is not kept by its words.
const MAX_TEXT: usize = 200;
const MAX_COLUMNS: usize = 10_000;
const MAX_VALUES: usize = 1 << 22;
/// More rows are nobody's.
const MAX_ROWS: u64 = 1 << 40;

/// The columns of the data that a version was made of, each as a distribution, and how they hang together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    version: u32,
    pub n_rows: u64,
    pub columns: Vec<ColumnSketch>,
    /// What the version predicted for its held-out rows.
    pub prediction: Option<ColumnSketch>,
    pub pca: Option<PcaModel>,
}

impl Kept {
    pub fn new(
        n_rows: u64,
        columns: &[ColumnSketch],
        prediction: Option<&ColumnSketch>,
        pca: Option<PcaModel>,
    ) -> Self {
        Self {
            version: VERSION,
            n_rows,
            columns: columns.iter().map(small).collect(),
            prediction: prediction.map(small),
            pca,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("it has text keys and finite numbers only")
    }

    /// What [`Kept::to_bytes`] wrote, held against what tests rely on; the error says what is wrong with it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let kept: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if kept.version != VERSION {
            return Err(format!("it has the version {}, not {VERSION}", kept.version));
        }
        if kept.columns.len() > MAX_COLUMNS {
            return Err("it has too many columns".to_owned());
        }
        for column in kept.columns.iter().chain(&kept.prediction) {
            if !is_sound(column) {
                let name: String = column.name.chars().take(80).collect();
                return Err(format!("its column `{name}` contradicts itself"));
            }
        }
        let mut names: Vec<&str> = kept.columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two of its columns have one name".to_owned());
        }
        if kept.n_rows > MAX_ROWS || kept.columns.iter().any(|column| column.n_rows != kept.n_rows) {
            return Err("its columns have another number of rows than it".to_owned());
        }
        if let Some(pca) = &kept.pca {
            pca.check()?;
        }
        Ok(kept)
    }
}

fn small(column: &ColumnSketch) -> ColumnSketch {
    let numbers = |numbers: &NumberSketch| {
        if numbers.values.len() <= MAX_EXACT {
            numbers.clone()
        } else {
            numbers.thinned(MAX_POINTS)
        }
    };
    let seen = match &column.seen {
        Seen::Numbers(all) => Seen::Numbers(numbers(all)),
        Seen::Times(all) => Seen::Times(numbers(all)),
        Seen::Texts(all) => Seen::Texts(frequent(all)),
        Seen::Empty => Seen::Empty,
        Seen::Booleans(counts) => Seen::Booleans(*counts),
    };
    ColumnSketch { seen, ..column.clone() }
}

/// The most frequent texts that are short enough, in byte order.
fn frequent(all: &TextSketch) -> TextSketch {
    let mut order: Vec<usize> = (0..all.levels.len())
        .filter(|&at| all.levels[at].len() <= MAX_TEXT)
        .collect();
    if order.len() == all.levels.len() && order.len() <= MAX_LEVELS {
        return all.clone();
    }
    order.sort_by(|a, b| all.counts[*b].cmp(&all.counts[*a]).then(a.cmp(b)));
    order.truncate(MAX_LEVELS);
    order.sort_unstable();
    let counts: Vec<u64> = order.iter().map(|&at| all.counts[at]).collect();
    let n: u64 = all.counts.iter().sum();
    TextSketch {
        levels: order.iter().map(|&at| all.levels[at].clone()).collect(),
        n_other: all.n_other + n - counts.iter().sum::<u64>(),
        counts,
        n_distinct: all.n_distinct,
    }
}

fn is_sound(column: &ColumnSketch) -> bool {
    if column.n_rows > MAX_ROWS {
        return false;
    }
    let known = column.n_missing.checked_add(column.n_infinite);
    let known = known.and_then(|unknown| column.n_rows.checked_sub(unknown));
    let sum = |counts: &[u64]| counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
    let n = match &column.seen {
        Seen::Empty => Some(0),
        Seen::Booleans(counts) => sum(counts),
        Seen::Numbers(numbers) | Seen::Times(numbers) => {
            let ascending = numbers.values.windows(2).all(|pair| pair[0] < pair[1]);
            let finite = numbers.values.iter().all(|value| value.is_finite());
            let counted = if numbers.counts.is_empty() {
                Some(numbers.values.len() as u64)
            } else {
                sum(&numbers.counts).filter(|_| numbers.counts.len() == numbers.values.len())
            };
            let moments = numbers.moments;
            let is_sound = ascending
                && finite
                && !numbers.values.is_empty()
                && numbers.values.len() <= MAX_VALUES
                && [moments.mean, moments.sd, moments.min, moments.max]
                    .iter()
                    .all(|x| x.is_finite())
                && moments.sd >= 0.0
                && moments.min <= moments.max
                && (0.0..1.0).contains(&numbers.rank_error)
                && counted == Some(moments.n);
            counted.filter(|_| is_sound)
        }
        Seen::Texts(texts) => {
            let ascending = texts.levels.windows(2).all(|pair| pair[0] < pair[1]);
            let fits = ascending && texts.levels.len() == texts.counts.len() && texts.levels.len() <= MAX_VALUES;
            sum(&texts.counts)
                .and_then(|n| n.checked_add(texts.n_other))
                .filter(|_| fits)
        }
    };
    n.is_some() && n == known
}
