//! The only source of chance: a generator that a seed and a label determine. Pure.

use sha2::{Digest as _, Sha256};

/// PCG64 (XSL-RR 128/64): the same numbers on every machine.
///
/// Source: O'Neill, *PCG: a family of simple fast space-efficient statistically good algorithms* (2014).
/// Oracle: numpy's `PCG64` with the same state, in the tests below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: u128,
    increment: u128,
}

const MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

impl Rng {
    /// The generator of this seed, for tests; what ships names its purpose.
    #[cfg(test)]
    pub fn new(seed: u64) -> Self {
        Self::derive(seed, "")
    }

    /// An independent generator for one purpose: `label` names it, so that what is drawn elsewhere does not matter.
    pub fn derive(seed: u64, label: &str) -> Self {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update(label.as_bytes())
            .finalize()
            .into();
        let (mut state, mut increment) = ([0; 16], [0; 16]);
        state.copy_from_slice(&hash[..16]);
        increment.copy_from_slice(&hash[16..]);
        Self {
            state: u128::from_le_bytes(state),
            increment: u128::from_le_bytes(increment) | 1,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the output function folds 128 bits to 64"
    )]
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// Uniform in 0..n without bias; 0 when `n` is 0.
    ///
    /// Source: Lemire, *Fast random integer generation in an interval* (2019).
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a 128-bit product")]
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n.max(1);
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as usize
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    #[cfg(test)]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Every order is equally likely (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i + 1);
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_numbers_of_numpy() {
        // numpy 2.4.6: b = PCG64(); b.state = {'state': {'state': …, 'inc': …}}; b.random_raw()
        let mut rng = Rng {
            state: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
            increment: 0xfedc_ba98_7654_3210_fedc_ba98_7654_3211,
        };
        let drawn: Vec<u64> = (0..6).map(|_| rng.next_u64()).collect();
        assert_eq!(
            drawn,
            [
                0x410f_8868_bb16_882e,
                0x0cf6_7305_dc73_e5e7,
                0x1799_3926_107f_fc3c,
                0x13db_a854_4c1b_bd21,
                0xbbae_61b4_0138_8341,
                0x5605_6648_9ade_92af
            ]
        );
    }

    #[test]
    fn seeds_and_labels_stay_what_they_are() {
        let mut first = Rng::new(42);
        assert_eq!(
            (first.next_u64(), first.next_u64()),
            SEED_42,
            "published intervals depend on this"
        );
        assert_ne!(Rng::new(42), Rng::new(43));
        assert_ne!(Rng::derive(42, "split"), Rng::derive(42, "bootstrap"));
    }

    const SEED_42: (u64, u64) = (6_460_047_420_430_308_014, 12_554_030_549_039_798_989);

    #[test]
    fn integers_are_in_range_and_even() {
        let mut rng = Rng::new(1);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[rng.below(6)] += 1;
        }
        // Chi-square with 5 degrees of freedom: 20.5 is exceeded once in a thousand seeds.
        let chi2: f64 = counts.iter().map(|c| (f64::from(*c) - 1e4).powi(2) / 1e4).sum();
        assert!(chi2 < 20.5, "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
        let units: Vec<f64> = (0..10_000).map(|_| rng.unit()).collect();
        assert!(units.iter().all(|u| (0.0..1.0).contains(u)));
        assert!((crate::stats::mean(&units) - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_shuffle_keeps_everything() {
        let mut items: Vec<u32> = (0..100).collect();
        Rng::new(7).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
