//! What a metric varies by while nothing changes, learned from past runs. Pure.

use crate::base::{Verdict, counted};
use crate::stats::{mean, quantile_of_sorted, t_quantile};

use super::{format_number, metric};

/// Fewer runs than this say nothing about noise.
const MIN_RUNS: usize = 5;

/// Makes the median absolute deviation the standard deviation of a normal.
const OF_NORMAL: f64 = 1.4826;

/// The same for the mean absolute deviation.
const OF_NORMAL_MEAN: f64 = 1.2533;

/// The spread of one metric over runs that did not change what is trained; in the metric's unit, finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    pub n_runs: usize,
    pub median: f64,
    /// The standard deviation of one run, robust: 1.4826 times the median absolute deviation; ≥ 0.
    pub spread: f64,
    /// Two such runs differ by more than this in about one of twenty cases; ≥ 0, and 0 where every run gave the same.
    pub floor: f64,
}

/// The noise of a metric from its `values` in past runs with the same gates and the same data, over commits that did not
/// change what is trained, or trained again with another seed. In any order; values that are not finite do not count.
///
/// `None` with fewer than five. Where more than half of the runs gave the same value, the mean absolute deviation times 1.2533
/// stands for the median one. The floor is t₀.₉₇₅ · √2 · spread, times the factor that makes the median absolute deviation
/// of few values unbiased; t has as many degrees of freedom as its efficiency of 37 % leaves of the runs, but no fewer
/// than 3. The share of differences beyond the floor is measured in the tests.
///
/// Source: Hampel (1974); Croux & Rousseeuw, *Time-efficient algorithms for two highly robust estimators of scale* (1992)
/// for the factors; Iglewicz & Hoaglin, *How to detect and handle outliers* (1993) for ties.
pub fn noise_floor(values: &[f64]) -> Option<Noise> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if sorted.len() < MIN_RUNS {
        return None;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let median = quantile_of_sorted(&sorted, 0.5);
    let mut deviations: Vec<f64> = sorted.iter().map(|value| (value - median).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    let mut spread = OF_NORMAL * quantile_of_sorted(&deviations, 0.5);
    if spread == 0.0 {
        spread = OF_NORMAL_MEAN * mean(&deviations);
    }
    let df = (0.37 * sorted.len() as f64).max(3.0);
    let floor = t_quantile(0.975, df) * std::f64::consts::SQRT_2 * spread * of_few(sorted.len());
    floor.is_finite().then_some(Noise {
        n_runs: sorted.len(),
        median,
        spread,
        floor,
    })
}

/// What makes the median absolute deviation of a few values unbiased, from [`MIN_RUNS`] on.
fn of_few(n_runs: usize) -> f64 {
    const KNOWN: [f64; 5] = [1.206, 1.2, 1.14, 1.129, 1.107];
    let n = n_runs as f64;
    KNOWN.get(n_runs - MIN_RUNS).copied().unwrap_or(n / (n - 0.8))
}

impl Noise {
    /// Whether a difference of two values is one that runs of the same thing have. 0 always is; what is not finite never.
    pub fn within(&self, difference: f64) -> bool {
        difference.abs() <= self.floor
    }

    /// What to say of a difference, where there is something: that runs without a change differ by as much.
    pub fn sentence(&self, name: &str, difference: f64) -> Option<String> {
        if difference == 0.0 || !self.within(difference) {
            return None;
        }
        let title = metric(name).map_or(name, |kind| kind.title);
        Some(format!(
            "the difference of {title}, {}, is within the noise: {} without a change differ by up to {}",
            format_number(difference.abs(), Some(self.floor)),
            counted(self.n_runs, "run"),
            format_number(self.floor, Some(self.floor))
        ))
    }
}

/// Whether a comparison is flaky: the same training was called something else before against the same champion, runs that
/// failed aside.
pub fn flips(earlier: &[Verdict], now: Verdict) -> bool {
    let ran = |verdict: &&Verdict| **verdict != Verdict::FailedToRun;
    ran(&&now) && earlier.iter().filter(ran).any(|verdict| *verdict != now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rng;
    use proptest::prelude::*;

    #[test]
    fn the_spread_is_robust() {
        let noise = noise_floor(&[10.0, 11.0, 12.0, 13.0, 1000.0, f64::NAN]).unwrap();
        assert_eq!((noise.n_runs, noise.median), (5, 12.0));
        assert!((noise.spread - 1.4826).abs() < 1e-12);
        assert!(noise.within(-noise.floor) && !noise.within(noise.floor * 1.0001) && !noise.within(f64::NAN));
        assert!(noise_floor(&[1.0, 2.0, 3.0, 4.0]).is_none());
    }

    #[test]
    fn runs_that_repeat_have_no_noise_and_some_that_do_have_little() {
        let same = noise_floor(&[0.5; 6]).unwrap();
        assert!(same.floor == 0.0 && same.within(0.0) && !same.within(1e-9));
        assert_eq!(same.sentence("rmse", 0.0), None);
        let some = noise_floor(&[0.5, 0.5, 0.5, 0.5, 0.6]).unwrap();
        assert!((some.spread - 1.2533 * 0.02).abs() < 1e-12);
        let sentence = some.sentence("rmse", -0.05).unwrap();
        insta::assert_snapshot!(sentence, @"the difference of RMSE, 0.050, is within the noise: 5 runs without a change differ by up to 0.136");
    }

    #[test]
    fn a_comparison_that_flips_is_flaky() {
        use Verdict::{Better, FailedToRun, Inconclusive, Same};
        assert!(flips(&[Same, Better], Same) && flips(&[Inconclusive], Better));
        assert!(!flips(&[], Same) && !flips(&[Same, FailedToRun], Same) && !flips(&[Same], FailedToRun));
    }

    #[test]
    fn one_of_twenty_differences_is_beyond_the_floor() {
        let mut rng = Rng::new(5);
        // Sums of uniform numbers: bell-shaped enough.
        let mut run = || (0..12).map(|_| rng.unit() - 0.5).sum::<f64>();
        for (n_runs, most) in [(5, 0.10), (10, 0.07), (40, 0.06)] {
            let n = 1000;
            let beyond = (0..n).filter(|_| {
                let past: Vec<f64> = (0..n_runs).map(|_| run()).collect();
                !noise_floor(&past).unwrap().within(run() - run())
            });
            let share = beyond.count() as f64 / f64::from(n);
            assert!(share > 0.02 && share < most, "{n_runs} runs: {share}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_nan(values in prop::collection::vec(prop_oneof![-1.0..1.0_f64, Just(1e300), Just(f64::NAN), Just(-1e308)], 0..12)) {
            if let Some(noise) = noise_floor(&values) {
                prop_assert!([noise.median, noise.spread, noise.floor].iter().all(|x| x.is_finite()));
                prop_assert!(noise.floor >= noise.spread && noise.spread >= 0.0);
            }
        }
    }
}
