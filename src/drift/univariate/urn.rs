//! Rows dealt anew to the two sides of a table, with both margins as they are: what permutation tests of categories draw. Pure.

use crate::stats::Rng;

/// A table of two rows, by the totals of its columns and of its first row.
pub struct Urn {
    totals: Vec<u64>,
    n_first: u64,
    n_all: u64,
    /// ln k! of small k.
    small: Vec<f64>,
}

/// A table of logarithms of factorials is made up to here; beyond it a series is slower by far.
const SMALL: usize = 65_536;
/// Up to this many balls one after the other are drawn faster than by the law of their number.
const FEW: u64 = 12;

impl Urn {
    /// `totals` of the categories, at least 1 each and in ascending order, since the last one gets what remains for
    /// nothing; `n_first` of all rows are the first side's.
    pub fn new(totals: Vec<u64>, n_first: u64) -> Self {
        let n_all = totals.iter().sum();
        let largest = usize::try_from(n_all).unwrap_or(SMALL).min(SMALL - 1);
        let mut small = vec![0.0; largest + 1];
        for k in 2..=largest {
            small[k] = small[k - 1] + (k as f64).ln();
        }
        Self {
            totals,
            n_first: n_first.min(n_all),
            n_all,
            small,
        }
    }

    /// Nanoseconds that one draw takes, roughly: what callers bound their number by.
    pub fn cost(&self) -> f64 {
        let n = self.n_all as f64;
        let (first, other) = (self.n_first as f64, n - self.n_first as f64);
        let one = |total: &u64| {
            let few = (*total).min(self.n_first).min(self.n_all - self.n_first);
            if few <= FEW {
                5.0 + 5.0 * few as f64
            } else {
                let t = *total as f64;
                let spread = (t * (n - t) / n * (first / n) * (other / n)).sqrt();
                if n < SMALL as f64 {
                    40.0 + 10.0 * spread
                } else {
                    120.0 + 10.0 * spread
                }
            }
        };
        let last_is_free = self.totals.len().saturating_sub(1);
        self.totals[..last_is_free].iter().map(one).sum::<f64>() + 5.0
    }

    /// How many tables there are at most, as a number that may be infinite.
    pub fn n_tables(&self) -> f64 {
        let last_is_free = self.totals.len().saturating_sub(1);
        let one = |total: &u64| (total.min(&self.n_first) + 1) as f64;
        self.totals[..last_is_free].iter().map(one).product()
    }

    /// Calls `see` with the counts of the first side, anew for every table that is dealt.
    pub fn deal(&self, n_draws: usize, rng: &mut Rng, mut see: impl FnMut(&[u64])) {
        let mut counts = vec![0; self.totals.len()];
        for _ in 0..n_draws {
            let (mut wanted, mut rest) = (self.n_first, self.n_all);
            for (count, total) in counts.iter_mut().zip(&self.totals) {
                *count = self.hypergeometric(rng, *total, rest, wanted);
                wanted -= *count;
                rest -= total;
            }
            see(&counts);
        }
    }

    /// Calls `see` with the counts of the first side and the probability, for every table that there is.
    pub fn every(&self, see: &mut dyn FnMut(&[u64], f64)) {
        let mut counts = vec![0; self.totals.len()];
        let all = self.ln_choose(self.n_all, self.n_first);
        self.descend(0, self.n_first, self.n_all, -all, &mut counts, see);
    }

    fn descend(
        &self,
        at: usize,
        wanted: u64,
        rest: u64,
        ln_p: f64,
        counts: &mut [u64],
        see: &mut dyn FnMut(&[u64], f64),
    ) {
        let Some(&total) = self.totals.get(at) else {
            see(counts, ln_p.exp());
            return;
        };
        let rest = rest - total;
        for count in wanted.saturating_sub(rest)..=wanted.min(total) {
            counts[at] = count;
            let ln_p = ln_p + self.ln_choose(total, count);
            self.descend(at + 1, wanted - count, rest, ln_p, counts, see);
        }
    }

    /// Of `n` balls `marked` are marked; how many of those are among `drawn` that are taken blindly.
    fn hypergeometric(&self, rng: &mut Rng, marked: u64, n: u64, drawn: u64) -> u64 {
        // What is left in the urn says the same as what was drawn, and so do the unmarked ones.
        if marked > n / 2 {
            let unmarked = self.hypergeometric(rng, n - marked, n, drawn);
            return drawn - unmarked;
        }
        if drawn > n / 2 {
            return marked - self.hypergeometric(rng, marked, n, n - drawn);
        }
        let (few, many) = (marked.min(drawn), marked.max(drawn));
        if few <= FEW {
            one_by_one(rng, few, many, n)
        } else {
            self.invert(rng, few, many, n)
        }
    }

    /// By inversion from the most likely number outwards: a few standard deviations of steps.
    fn invert(&self, rng: &mut Rng, few: u64, many: u64, n: u64) -> u64 {
        // 53 bits of a uniform number.
        let mut left = (rng.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0);
        let mode = u64::try_from(u128::from(few + 1) * u128::from(many + 1) / u128::from(n + 2)).unwrap_or(few);
        let mode = mode.min(few);
        let peak = (self.ln_choose(few, mode) + self.ln_choose(n - few, many - mode) - self.ln_choose(n, many)).exp();
        // P(x + 1) / P(x).
        let up = |x: u64| (few - x) as f64 * (many - x) as f64 / ((x + 1) as f64 * (n + x + 1 - few - many) as f64);
        left -= peak;
        if left < 0.0 {
            return mode;
        }
        let (mut low, mut high) = (mode, mode);
        let (mut p_low, mut p_high) = (peak, peak);
        loop {
            let (had_low, had_high) = (low, high);
            if high < few {
                p_high *= up(high);
                high += 1;
                left -= p_high;
                if left < 0.0 {
                    return high;
                }
            }
            if low > 0 {
                low -= 1;
                p_low /= up(low);
                left -= p_low;
                if left < 0.0 {
                    return low;
                }
            }
            // Rounding may leave a rest that no number takes.
            if (low, high) == (had_low, had_high) || p_low + p_high < 1e-18 {
                return mode;
            }
        }
    }

    fn ln_choose(&self, n: u64, k: u64) -> f64 {
        self.ln_factorial(n) - self.ln_factorial(k) - self.ln_factorial(n - k)
    }

    /// Stirling's series beyond the table: its error there is below 1e-17.
    fn ln_factorial(&self, k: u64) -> f64 {
        if let Some(known) = usize::try_from(k).ok().and_then(|k| self.small.get(k)) {
            return *known;
        }
        let x = k as f64;
        let half_ln_two_pi = 0.918_938_533_204_672_8;
        (x + 0.5) * x.ln() - x + half_ln_two_pi + 1.0 / (12.0 * x) - 1.0 / (360.0 * x * x * x)
    }
}

fn one_by_one(rng: &mut Rng, few: u64, mut many: u64, n: u64) -> u64 {
    let mut hits = 0;
    for taken in 0..few {
        let among = usize::try_from(n - taken).unwrap_or(usize::MAX);
        if (rng.below(among) as u64) < many {
            many -= 1;
            hits += 1;
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::stats::Rng;

    use super::*;

    #[test]
    fn every_table_is_seen_once() {
        let urn = Urn::new(vec![1, 2, 4], 3);
        let (mut n, mut p) = (0, 0.0);
        urn.every(&mut |counts, probability| {
            assert_eq!(counts.iter().sum::<u64>(), 3);
            n += 1;
            p += probability;
        });
        // The coefficient of x³ in (1 + x)(1 + x + x²)(1 + x + x² + x³ + x⁴).
        assert_eq!(n, 6);
        assert!((p - 1.0).abs() < 1e-14);
        assert!(urn.n_tables() >= 6.0);
    }

    /// Every sampler has the law that `every` counts.
    #[test]
    fn numbers_are_dealt_by_their_law() {
        for (totals, n_first) in [
            (vec![1, 3], 2),
            (vec![3, 40], 11),
            (vec![40, 60], 50),
            (vec![30, 400], 300),
            (vec![70, 90], 140),
            (vec![900, 1300], 700),
        ] {
            let urn = Urn::new(totals.clone(), n_first);
            let most = usize::try_from(totals[0]).unwrap();
            let mut law = vec![0.0; most + 1];
            urn.every(&mut |counts, p| law[usize::try_from(counts[0]).unwrap()] += p);
            let mut seen = vec![0.0; most + 1];
            let n_draws = 40_000;
            urn.deal(n_draws, &mut Rng::new(3), |counts| {
                assert_eq!(counts.iter().sum::<u64>(), n_first);
                assert!(counts.iter().zip(&totals).all(|(count, total)| count <= total));
                seen[usize::try_from(counts[0]).unwrap()] += 1.0;
            });
            // D of Kolmogorov and Smirnov: 1.95/√n is passed once in a thousand seeds.
            let (mut expected, mut got, mut distance) = (0.0, 0.0, 0.0_f64);
            for (p, count) in law.iter().zip(&seen) {
                expected += p;
                got += count / n_draws as f64;
                distance = distance.max((expected - got).abs());
            }
            assert!(
                distance < 1.95 / (n_draws as f64).sqrt(),
                "{totals:?} {n_first}: {distance}"
            );
        }
    }

    #[test]
    fn factorials_of_large_numbers_join_the_table() {
        let urn = Urn::new(vec![500_000, 600_000], 1000);
        for k in [20_u64, 65_534, 65_535, 65_536, 65_537, 1_000_000] {
            let expected = libm::lgamma(k as f64 + 1.0);
            assert!((urn.ln_factorial(k) - expected).abs() <= 2e-13 * expected, "{k}");
        }
    }

    proptest! {
        #[test]
        fn margins_are_kept(mut totals in prop::collection::vec(1_u64..2000, 1..12), share in 0.0..1.0_f64, seed: u64) {
            totals.sort_unstable();
            let n: u64 = totals.iter().sum();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
            let n_first = (n as f64 * share) as u64;
            Urn::new(totals.clone(), n_first).deal(20, &mut Rng::new(seed), |counts| {
                assert_eq!(counts.iter().sum::<u64>(), n_first);
                assert!(counts.iter().zip(&totals).all(|(count, total)| count <= total));
            });
        }
    }
}
