//! The texts of one column while its rows come: all of them as long as they may be kept, then the most frequent. Pure.

use indexmap::IndexMap;

use crate::data::mix;
use crate::drift::sketch::TextSketch;

/// What a text takes beside its bytes, roughly.
const OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub struct Texts {
    counts: IndexMap<Box<str>, u64>,
    n_bytes: usize,
    /// Once texts were dropped.
    distinct: Option<Distinct>,
    n: u64,
}

impl Texts {
    /// Adds `counts[level]` rows of each level.
    pub fn extend(&mut self, levels: &[String], counts: &[u64]) {
        for (level, count) in levels.iter().zip(counts).filter(|(_, count)| **count > 0) {
            self.n += count;
            if let Some(distinct) = &mut self.distinct {
                distinct.add(level);
            }
            if let Some(before) = self.counts.get_mut(level.as_str()) {
                *before += count;
            } else {
                self.n_bytes += level.len() + OVERHEAD;
                self.counts.insert(level.as_str().into(), *count);
            }
        }
    }

    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Drops the less frequent half: rows of a text that comes again are counted from then on.
    pub fn halve(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        self.distinct.get_or_insert_with(|| {
            let mut distinct = Distinct::default();
            for level in counts.keys() {
                distinct.add(level);
            }
            distinct
        });
        let mut all: Vec<(Box<str>, u64)> = counts.into_iter().collect();
        all.sort_unstable_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let most = self.n_bytes / 2;
        self.n_bytes = 0;
        for (level, count) in all {
            let size = level.len() + OVERHEAD;
            if self.n_bytes + size > most {
                break;
            }
            self.n_bytes += size;
            self.counts.insert(level, count);
        }
    }

    pub fn finish(self) -> TextSketch {
        let mut kept: Vec<(Box<str>, u64)> = self.counts.into_iter().collect();
        kept.sort_unstable();
        let (levels, counts): (Vec<String>, Vec<u64>) = kept.into_iter().map(|(level, n)| (level.into(), n)).unzip();
        let n_kept = levels.len() as u64;
        TextSketch {
            n_other: self.n - counts.iter().sum::<u64>(),
            n_distinct: self.distinct.map_or(n_kept, |distinct| distinct.estimate().max(n_kept)),
            levels,
            counts,
        }
    }
}

/// How many different texts there were, in 16 KiB. The standard error is 0.8 %.
///
/// Source: Flajolet et al., *`HyperLogLog`: the analysis of a near-optimal cardinality estimation algorithm* (2007), with
/// hashes of 64 bits, which need no correction for many texts. Oracle: counts in the tests.
#[derive(Debug)]
struct Distinct {
    registers: Vec<u8>,
}

const BITS: u32 = 14;

impl Default for Distinct {
    fn default() -> Self {
        Self {
            registers: vec![0; 1 << BITS],
        }
    }
}

impl Distinct {
    fn add(&mut self, text: &str) {
        let hash = hash(text);
        #[expect(clippy::cast_possible_truncation, reason = "the upper fourteen bits, and at most 51")]
        let (at, rank) = (
            (hash >> (64 - BITS)) as usize,
            ((hash << BITS | 1 << (BITS - 1)).leading_zeros() + 1) as u8,
        );
        self.registers[at] = rank.max(self.registers[at]);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive count"
    )]
    fn estimate(&self) -> u64 {
        let m = self.registers.len() as f64;
        let sum: f64 = self.registers.iter().map(|rank| f64::from(*rank).exp2().recip()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let n_empty: f64 = self.registers.iter().map(|rank| f64::from(u8::from(*rank == 0))).sum();
        let found = if raw <= 2.5 * m && n_empty > 0.0 {
            m * (m / n_empty).ln()
        } else {
            raw
        };
        found.round() as u64
    }
}

/// Fowler, Noll and Vo's hash (FNV-1a), mixed: the same on every machine and in every version.
fn hash(text: &str) -> u64 {
    let bytes = text.bytes();
    mix(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}
