//! Counts of two kinds: the fair coin's law, `McNemar`'s test and Wilson's interval. Pure.

use super::normal_quantile;

/// What discordant pairs say: `better` is the p-value of "the second is better", the others are two-sided. All in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    pub two_sided: f64,
    pub better: f64,
    pub mid: f64,
}

/// The exact test of `McNemar` on rows where one side alone was right: `n_first` for the first, `n_second` for the second.
///
/// Given their number n, under equality `n_second` is binomial with a half. Without discordant rows every p is 1. The mid-p
/// counts half of the probability of what was seen, and so is not conservative.
///
/// Source: `McNemar` (1947); Fagerland, Lydersen & Laake, *The `McNemar` test for binary matched-pairs data* (2013) for mid-p.
/// Oracle: statsmodels `mcnemar(exact=True)` and scipy, `fixtures/compare`.
pub fn mcnemar(n_first: u64, n_second: u64) -> McNemar {
    let n = n_first + n_second;
    let least = n_first.min(n_second);
    let (below, at) = (coin_cdf(least, n), coin_pmf(least, n));
    let mid = if n == 0 {
        1.0
    } else if n_first == n_second {
        1.0 - 0.5 * at
    } else {
        2.0 * below - at
    };
    McNemar {
        two_sided: (2.0 * below).min(1.0),
        // At least as many heads as `n_second` is at most as many tails as `n_first`.
        better: coin_cdf(n_first, n),
        mid: mid.clamp(0.0, 1.0),
    }
}

/// P(X = k) for the number of heads in `n` throws of a fair coin; 0 beyond `n`.
///
/// Source: Loader, *Fast and accurate computation of binomial probabilities* (2000), which keeps its digits for any n.
fn coin_pmf(k: u64, n: u64) -> f64 {
    if k > n {
        return 0.0;
    }
    let (heads, tails, all) = (k as f64, (n - k) as f64, n as f64);
    if k == 0 || k == n {
        return (-all * std::f64::consts::LN_2).exp();
    }
    let exponent =
        stirling(all) - stirling(heads) - stirling(tails) - deviance(heads, 0.5 * all) - deviance(tails, 0.5 * all);
    exponent.exp() * (all / (std::f64::consts::TAU * heads * tails)).sqrt()
}

/// P(X ≤ k) for the number of heads in `n` throws of a fair coin; in [0, 1], small ones to their last digits.
fn coin_cdf(k: u64, n: u64) -> f64 {
    if k >= n {
        return 1.0;
    }
    // Beyond the middle the other side's tail is short.
    if k >= n - k {
        return 1.0 - coin_cdf(n - k - 1, n);
    }
    let first = coin_pmf(k, n);
    let (mut term, mut sum, mut at) = (1.0, 1.0, k);
    while at > 0 && term > 1e-18 * sum {
        term *= at as f64 / (n - at + 1) as f64;
        sum += term;
        at -= 1;
    }
    (first * sum).min(1.0)
}

/// ln n! − ln(√(2πn) (n/e)ⁿ) for n > 0.
fn stirling(n: f64) -> f64 {
    if n <= 15.0 {
        return libm::lgamma(n + 1.0) - (n + 0.5) * n.ln() + n - 0.5 * std::f64::consts::TAU.ln();
    }
    let square = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * square)) / square) / square) / square)
        / n
}

/// x ln(x / m) + m − x, without cancellation where x is near m.
fn deviance(x: f64, m: f64) -> f64 {
    let relative = (x - m) / m;
    if relative.abs() > 0.1 {
        return x * (x / m).ln() + m - x;
    }
    // m ((1 + r) ln(1 + r) − r) = m Σ (−r)ᵏ / (k (k − 1)) from k = 2.
    let (mut power, mut sum, mut k) = (relative * relative, 0.0, 2.0);
    while power.abs() > 1e-20 * relative * relative {
        sum += power / (k * (k - 1.0));
        power *= -relative;
        k += 1.0;
    }
    m * sum
}

/// The interval of a share, `level` two-sided such as 0.95. Within [0, 1]; `None` without rows, for more successes than
/// rows, and for a level outside of (0, 1).
///
/// Source: Wilson, *Probable inference, the law of succession, and statistical inference* (1927). Oracle: statsmodels
/// `proportion_confint(method="wilson")`, `fixtures/compare`.
pub fn wilson(n_successes: u64, n_rows: u64, level: f64) -> Option<[f64; 2]> {
    if n_rows == 0 || n_successes > n_rows || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let (n, share) = (n_rows as f64, n_successes as f64 / n_rows as f64);
    let z = normal_quantile(0.5 + 0.5 * level);
    let weight = z * z / n;
    let center = (share + 0.5 * weight) / (1.0 + weight);
    let half = z / (1.0 + weight) * (share * (1.0 - share) / n + 0.25 * weight / n).sqrt();
    Some([
        if n_successes == 0 {
            0.0
        } else {
            (center - half).max(0.0)
        },
        if n_successes == n_rows {
            1.0
        } else {
            (center + half).min(1.0)
        },
    ])
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn large_coins_are_those_of_exact_arithmetic() {
        for (k, n, cdf, pmf) in EXACT {
            let near = |ours: f64, theirs: f64, what: &str| {
                assert!(
                    (ours - theirs).abs() <= 1e-12 * theirs,
                    "{what}({k}, {n}): {ours:e} is not {theirs:e}"
                );
            };
            near(coin_cdf(k, n), cdf, "cdf");
            near(coin_pmf(k, n), pmf, "pmf");
        }
    }

    #[test]
    fn small_coins_are_counted_out() {
        for n in 0..30_u64 {
            let (mut ways, mut sum) = (1.0_f64, 0.0);
            for k in 0..=n {
                sum += ways;
                let all = 2.0_f64.powi(i32::try_from(n).unwrap());
                assert!((coin_pmf(k, n) * all - ways).abs() <= 1e-12 * ways, "{k} of {n}");
                assert!((coin_cdf(k, n) * all - sum).abs() <= 1e-12 * sum, "{k} of {n}");
                ways *= (n - k) as f64 / (k + 1) as f64;
            }
        }
        assert!(coin_pmf(3, 2) == 0.0 && coin_cdf(3, 2) == 1.0);
    }

    #[test]
    fn exchanging_the_sides_turns_the_test() {
        for (first, second) in [(0, 0), (3, 3), (1, 15), (200, 230), (1_000_000, 1_002_000)] {
            let (one, other) = (mcnemar(first, second), mcnemar(second, first));
            assert_eq!((one.two_sided, one.mid), (other.two_sided, other.mid));
            let at = coin_pmf(first.min(second), first + second);
            assert!((one.better + other.better - 1.0 - at).abs() < 1e-9, "{one:?} {other:?}");
            assert!(
                one.mid <= one.two_sided
                    && [one.two_sided, one.better, one.mid]
                        .iter()
                        .all(|p| (0.0..=1.0).contains(p))
            );
        }
        assert_eq!(
            mcnemar(0, 0),
            McNemar {
                two_sided: 1.0,
                better: 1.0,
                mid: 1.0
            }
        );
    }

    #[test]
    fn an_interval_of_nothing_is_none() {
        assert!(wilson(0, 0, 0.95).is_none() && wilson(3, 2, 0.95).is_none() && wilson(1, 2, 1.0).is_none());
        let [low, high] = wilson(0, 10, 0.95).unwrap();
        // z² / (n + z²) with z = 1.959964.
        assert!(low == 0.0 && (high - 0.277_532_799_862_889_2).abs() < 1e-12, "{high}");
    }

    /// `(k, n, cdf, pmf)` in whole numbers of any size, by Python.
    const EXACT: [(u64, u64, f64, f64); 8] = [
        (3, 10, 0.171_875, 0.117_187_5),
        (1, 16, 0.000_259_399_414_062_5, 0.000_244_140_625),
        (40, 100, 0.028_443_966_820_490_395, 0.010_843_866_711_637_987),
        (499, 1000, 0.487_387_490_910_819_6, 0.025_174_668_840_679_443),
        (450, 1000, 0.000_865_268_042_488_158_8, 0.000_169_397_245_277_115_68),
        (5, 2000, 0.0, 0.0),
        (4900, 10_000, 0.023_292_763_852_473_693, 0.001_079_864_329_433_355_9),
        (49_900, 100_000, 0.264_578_647_040_096_6, 0.002_065_764_881_531_219_4),
    ];
}
