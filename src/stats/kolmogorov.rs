//! The laws of Kolmogorov and Smirnov: how great a difference of two distribution functions chance makes. Pure.
//!
//! Oracle for all of them: scipy 1.17.1, in the tests. As there, ties do not count: with them the p-values are a bound.

use std::f64::consts::PI;

/// Beyond it the exact law takes longer than it is worth.
const MAX_EXACT: u64 = 10_000;
/// Cells of the exact law that are always affordable.
const CHEAP: f64 = 2e6;

/// P(D ≥ `d`) of two samples of `n` and `m` values from one continuous distribution, where D is the greatest difference
/// of their distribution functions. `d` in [0, 1]; result in [0, 1]; NaN if `d` is NaN or a sample is empty.
///
/// Exact when both have at most 10,000 values, otherwise [`one_sample`] of the harmonic size. Below 1e-30 it may be
/// the latter for large samples too. At most 10 ms for 10,000 against 9,999.
///
/// Source: the rule of scipy's `ks_2samp` with `method="auto"`.
pub fn two_sample(n: u64, m: u64, d: f64) -> f64 {
    if d.is_nan() || n == 0 || m == 0 {
        return f64::NAN;
    }
    let effective = effective(n as f64, m as f64, d);
    let cells = d * 2.0 * n as f64 * m as f64;
    if n.max(m) > MAX_EXACT || (effective < 1e-30 && cells > CHEAP) {
        return effective;
    }
    two_sample_exact(n, m, d)
}

/// As [`two_sample`] by sample sizes that need not be whole, such as those of rows in an order that resembles itself:
/// [`one_sample`] of n·m/(n+m), rounded, at least 1. NaN unless both are positive.
pub fn effective(n: f64, m: f64, d: f64) -> f64 {
    if d.is_nan() || !(n > 0.0 && m > 0.0) {
        return f64::NAN;
    }
    let size = (n / (n + m) * m).round_ties_even().max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and positive"
    )]
    one_sample(size as u64, d)
}

/// As [`two_sample`] by the exact law, whatever the sizes; they must fit into 31 bits.
pub fn two_sample_exact(n: u64, m: u64, d: f64) -> f64 {
    if d.is_nan() || n == 0 || m == 0 {
        return f64::NAN;
    }
    let multiple = (n / gcd(n, m)) as f64 * m as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and not negative"
    )]
    exact_at(n, m, (d.clamp(0.0, 1.0) * multiple).round_ties_even() as u64)
}

/// As [`two_sample_exact`], with D as a whole number of steps of 1 / lcm(n, m).
///
/// Source: Hodges, *The significance probability of the Smirnov two-sample test* (1958): lattice paths that leave the
/// band |F − G| < D. They are counted along the diagonals, where no cell waits for its neighbor, and only the paths
/// that left are, so that a small p keeps its digits.
pub fn exact_at(n: u64, m: u64, steps: u64) -> f64 {
    if steps == 0 {
        return 1.0;
    }
    if n == m {
        return equal_sizes(n, steps);
    }
    let p = paths(n.min(m), n.max(m), steps);
    p.clamp(0.0, 1.0)
}

/// Source: the reflections of Gnedenko and Korolyuk, as a Horner scheme.
fn equal_sizes(n: u64, steps: u64) -> f64 {
    let (n_, h) = (n as f64, steps as f64);
    let mut p = 0.0;
    for k in (0..=n / steps).rev() {
        let start = k as f64 * h;
        let share: f64 = (0..steps)
            .map(|j| start + j as f64)
            .map(|j| (n_ - j).max(0.0) / (n_ + j + 1.0))
            .product();
        p = share * (1.0 - p);
    }
    (2.0 * p).clamp(0.0, 1.0)
}

/// The share of all paths from (0, 0) to (n, m) that leave the band, n < m.
#[expect(clippy::many_single_char_names, reason = "places and weights of a lattice")]
fn paths(n: u64, m: u64, steps: u64) -> f64 {
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let common = gcd(n, m);
    let (short, long, h) = (signed(n / common), signed(m / common), signed(steps));
    let (n, m) = (signed(n), signed(m));
    // The weight of a path is that of as many draws from the pooled values: nothing overflows.
    let (a, b) = (m as f64 / (n + m) as f64, n as f64 / (n + m) as f64);
    // On the diagonal `s`, the places `j` within the band.
    let lowest = |s: i64| (short * s - h).div_euclid(short + long) + 1;
    let highest = |s: i64| -(-(short * s + h)).div_euclid(short + long) - 1;
    let mut low = Edge::new(lowest(0) - 1, 0);
    let mut high = Edge::new(highest(0) + 1, 0);
    // The weight of the paths to a place that have left the band; before and after these, the first places outside,
    // where it is the weight of all paths.
    let mut here = vec![0.0; 3];
    let mut next = Vec::new();
    let mut first = 0;
    for s in 1..=n + m {
        let (from, to) = (lowest(s).max(0), highest(s).min(s));
        low.step(lowest(s) - 1, s, a, b);
        high.step(highest(s) + 1, s, a, b);
        let Ok(shift) = usize::try_from(from - first) else {
            return 1.0;
        };
        let Ok(width) = usize::try_from(to - from + 1) else {
            return 1.0;
        };
        next.clear();
        next.push(low.weight);
        let before = here.iter().skip(shift);
        let at = here.iter().skip(shift + 1);
        next.extend(at.zip(before).take(width).map(|(at, before)| a * at + b * before));
        next.resize(width + 1, 0.0);
        next.push(high.weight);
        std::mem::swap(&mut here, &mut next);
        first = from;
    }
    let all = binomial(n as f64, (n + m) as f64, b, a);
    usize::try_from(n - first + 1)
        .ok()
        .and_then(|index| here.get(index))
        .map_or(1.0, |left| left / all)
}

/// The first place outside the band on one side of a diagonal, and the weight of all paths there.
struct Edge {
    place: i64,
    weight: f64,
}

impl Edge {
    fn new(place: i64, s: i64) -> Self {
        let weight = if place == 0 && s == 0 { 1.0 } else { 0.0 };
        Self { place, weight }
    }

    /// To the diagonal `s`, where the edge is at `place`: the same or the next one.
    fn step(&mut self, place: i64, s: i64, a: f64, b: f64) {
        let all = s as f64;
        self.weight = if place < 0 || place > s {
            0.0
        } else if self.place < 0 {
            (all * a.ln()).exp()
        } else if self.place > s - 1 {
            (all * b.ln()).exp()
        } else if place == self.place {
            self.weight * (a * all / (s - place) as f64)
        } else {
            self.weight * (b * all / place as f64)
        };
        self.place = place;
    }
}

/// P(D ≥ `d`) of one sample of `n` values from a continuous distribution, where D is the greatest difference, without
/// sign, of the distribution function and that of the sample. Range and NaN as [`two_sample`].
///
/// Source: the selection of Simard and L'Ecuyer, *Computing the two-sided Kolmogorov-Smirnov distribution* (2011), as
/// scipy's `kstwo.sf` has it.
pub fn one_sample(n: u64, d: f64) -> f64 {
    if d.is_nan() || n == 0 {
        return f64::NAN;
    }
    let size = n as f64;
    let t = size * d;
    let x2 = t * d;
    let p = if d >= 1.0 {
        0.0
    } else if t <= 0.5 {
        1.0
    } else if t <= 1.0 {
        let log_factorial = stirling_error(size) + 0.5 * (2.0 * PI * size).ln() - size;
        1.0 - (log_factorial + size * (2.0 * t - 1.0).ln()).exp()
    } else if t >= size - 1.0 {
        2.0 * (size * (-d).ln_1p()).exp()
    } else if d >= 0.5 {
        2.0 * one_sided(size, d)
    } else if n <= 140 {
        if x2 <= 4.0 {
            1.0 - matrix_power(n, d)
        } else {
            2.0 * one_sided(size, d)
        }
    } else if x2 >= 370.0 {
        0.0
    } else if x2 >= 2.2 {
        2.0 * one_sided(size, d)
    } else if x2 <= 0.028 {
        // P(D < d) is below 1e-17.
        1.0
    } else if n <= 100_000 && t * d.sqrt() <= 1.4 {
        1.0 - matrix_power(n, d)
    } else {
        1.0 - pelz_good(size, d)
    };
    p.clamp(0.0, 1.0)
}

/// P(D⁺ ≥ d), where D⁺ is the greatest excess over the distribution function.
///
/// Source: Smirnov's sum, each of whose terms is a binomial probability. Of more than 8000 terms of a smooth sum that
/// vanishes at both ends, every `stride`-th says the same to all digits (beyond a million values scipy has seven).
fn one_sided(size: f64, d: f64) -> f64 {
    let last = (size * (1.0 - d)).floor();
    let stride = if d < 0.25 {
        (size / 8000.0).floor().max(1.0)
    } else {
        1.0
    };
    let mut sum = if stride > 1.0 { 0.0 } else { (size * (-d).ln_1p()).exp() };
    let mut j = 1.0;
    while j <= last {
        let p = d + j / size;
        let q = 1.0 - p;
        if q > 0.0 {
            sum += stride * d / p * binomial(j, size, p, q);
        }
        j += stride;
    }
    sum
}

/// P(D < d) of one sample.
///
/// Source: Marsaglia, Tsang and Wang, *Evaluating Kolmogorov's distribution* (2003).
#[expect(clippy::many_single_char_names, reason = "the names of the source")]
fn matrix_power(n: u64, d: f64) -> f64 {
    let size = n as f64;
    let t = size * d;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`t` is small here"
    )]
    let k = t.ceil() as usize;
    let h = k as f64 - t;
    let rows = 2 * k - 1;
    let mut base = Matrix::zeros(rows);
    let mut factorials = vec![1.0; rows + 1];
    for i in 1..=rows {
        factorials[i] = factorials[i - 1] / i as f64;
    }
    for row in 0..rows {
        for column in 1..=(row + 1).min(rows - 1) {
            base.cells[row * rows + column] = factorials[row + 1 - column];
        }
    }
    let mut power_of_h = 1.0;
    for i in 0..rows {
        power_of_h *= h;
        let edge = if i + 1 == rows {
            let corner = (2.0 * h - 1.0).max(0.0).powf(rows as f64);
            (1.0 - 2.0 * power_of_h + corner) * factorials[rows]
        } else {
            (1.0 - power_of_h) * factorials[i + 1]
        };
        base.cells[i * rows] = edge;
        base.cells[(rows - 1) * rows + (rows - 1 - i)] = edge;
    }
    let mut power = Matrix::zeros(rows);
    for i in 0..rows {
        power.cells[i * rows + i] = 1.0;
    }
    let mut left = n;
    while left > 0 {
        if left % 2 == 1 {
            power = power.times(&base);
        }
        left /= 2;
        if left > 0 {
            base = base.times(&base);
        }
    }
    let center = power.cells[(k - 1) * rows + (k - 1)];
    let log_factorial = stirling_error(size) + 0.5 * (2.0 * PI * size).ln() - size;
    let scale = power.exponent * std::f64::consts::LN_2;
    (center.ln() + scale + log_factorial).exp()
}

/// A square matrix times 2^`exponent`, by rows.
struct Matrix {
    rows: usize,
    cells: Vec<f64>,
    exponent: f64,
}

impl Matrix {
    fn zeros(rows: usize) -> Self {
        Self {
            rows,
            cells: vec![0.0; rows * rows],
            exponent: 0.0,
        }
    }

    fn times(&self, other: &Self) -> Self {
        let rows = self.rows;
        let mut product = Self::zeros(rows);
        product.exponent = self.exponent + other.exponent;
        for (row, cells) in product.cells.chunks_exact_mut(rows).enumerate() {
            for inner in 0..rows {
                let factor = self.cells[row * rows + inner];
                for (cell, value) in cells.iter_mut().zip(&other.cells[inner * rows..]) {
                    *cell += factor * value;
                }
            }
        }
        if product.cells[(rows / 2) * rows + rows / 2] > 1e140 {
            let exponent = 465;
            let factor = 2.0_f64.powi(-exponent);
            product.cells.iter_mut().for_each(|cell| *cell *= factor);
            product.exponent += f64::from(exponent);
        }
        product
    }
}

/// P(D < d) of one large sample, for d that is not extreme.
///
/// Source: Pelz and Good, *Approximating the lower tail-areas of the Kolmogorov–Smirnov one-sample statistic* (1976).
fn pelz_good(size: f64, d: f64) -> f64 {
    let z = size.sqrt() * d;
    let pi2 = PI * PI;
    let (z2, z4) = (z * z, z.powi(4));
    let (z6, z8) = (z2 * z4, z4 * z4);
    let (pi4, pi6) = (pi2 * pi2, pi2 * pi2 * pi2);
    let mut terms = [0.0; 4];
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most a few dozen"
    )]
    let most = (16.0 * z / PI).ceil() as u32;
    for k in (1..=most).rev() {
        let m2 = f64::from(2 * k - 1).powi(2);
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        let weight = (-pi2 * m2 / (8.0 * z2)).exp();
        terms[0] += weight;
        terms[1] += weight * (-z2 + pi2 / 4.0 * m2);
        terms[2] += weight
            * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2 + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4);
        terms[3] += weight
            * (-30.0 * z6 - 90.0 * z8
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let divisors = [z, 6.0 * z4, 72.0 * z.powi(7), 6480.0 * z.powi(10)];
    let root = (2.0 * PI).sqrt();
    for (term, divisor) in terms.iter_mut().zip(divisors) {
        *term *= root / divisor;
    }
    for k in (1..=most).rev() {
        let k2 = f64::from(k).powi(2);
        let weight = (-pi2 * k2 / (2.0 * z2)).exp() * k2;
        terms[2] -= pi2 * root / (36.0 * z * z2) * weight;
        terms[3] += pi2 * root / (216.0 * z6) * (3.0 * z2 - pi2 * k2) * weight;
    }
    terms[0] + terms[1] / size.sqrt() + terms[2] / size + terms[3] / (size * size.sqrt())
}

/// The probability of `x` successes among `n`, each with probability `p` = 1 − `q`.
///
/// Source: Loader, *Fast and accurate computation of binomial probabilities* (2000).
fn binomial(x: f64, n: f64, p: f64, q: f64) -> f64 {
    if x <= 0.0 {
        return (n * (-p).ln_1p()).exp();
    }
    if x >= n {
        return (n * p.ln()).exp();
    }
    let exponent =
        stirling_error(n) - stirling_error(x) - stirling_error(n - x) - deviance(x, n * p) - deviance(n - x, n * q);
    exponent.exp() * (n / (2.0 * PI * x * (n - x))).sqrt()
}

/// ln(n! / (√(2πn) (n/e)ⁿ)) for whole n > 0.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let mut factorial = 1.0;
        let mut factor = 2.0;
        while factor <= n {
            factorial *= factor;
            factor += 1.0;
        }
        return f64::ln(factorial) - (0.5 * (2.0 * PI * n).ln() + n * n.ln() - n);
    }
    let n2 = n * n;
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * n2)) / n2) / n2) / n2) / n
}

/// x ln(x/m) + m − x, precise also when x is near to m.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut term = 2.0 * x * v;
    let mut odd = 3.0;
    loop {
        term *= v * v;
        let more = sum + term / odd;
        if (more - sum).abs() <= 0.0 {
            return more;
        }
        sum = more;
        odd += 2.0;
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn oracle(name: &str) -> Vec<Vec<f64>> {
        let all: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/oracles/kolmogorov.json")).unwrap();
        let rows = all[name].as_array().unwrap();
        rows.iter()
            .map(|row| {
                row.as_array()
                    .unwrap()
                    .iter()
                    .map(|cell| cell.as_f64().unwrap())
                    .collect()
            })
            .collect()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are whole")]
    #[test]
    fn agree_with_scipy() {
        let hold = |found: f64, row: &[f64], tolerance: f64| {
            let wanted = row[row.len() - 1];
            // The digits of small tails count as well.
            let error = (found - wanted).abs() / wanted.max(1e-290);
            assert!(
                error <= tolerance || (found - wanted).abs() < 1e-14,
                "{row:?}: {found} {error:e}"
            );
            if wanted < 1e-14 {
                assert!(error <= 1e-7 || wanted < 1e-290, "{row:?}: {found} {error:e}");
            }
        };
        let one = oracle("one_sample");
        assert!(one.len() > 100);
        for row in &one {
            hold(one_sample(row[0] as u64, row[1]), row, 1e-10);
        }
        let two = oracle("two_sample_exact");
        assert!(two.len() > 100);
        for row in &two {
            hold(two_sample_exact(row[0] as u64, row[1] as u64, row[2]), row, 1e-10);
        }
    }

    #[test]
    fn large_samples_with_a_small_p_take_the_short_way() {
        let (short, long) = (two_sample(3000, 2999, 0.16), two_sample_exact(3000, 2999, 0.16));
        assert!(short < 1e-30 && (short - long).abs() < 0.05 * long, "{short} {long}");
        // A small sample has no short way.
        assert!((two_sample(50, 50, 1.0) / 1.982_330_604_283_667_8e-29 - 1.0).abs() < 1e-10);
        assert!((two_sample(20_000, 10, 0.5) - effective(20_000.0, 10.0, 0.5)).abs() <= 0.0);
    }

    #[test]
    fn ends_are_defined() {
        assert!((two_sample(5, 7, 0.0) - 1.0).abs() <= 0.0 && (one_sample(9, 0.0) - 1.0).abs() <= 0.0);
        assert!(one_sample(9, 1.0) <= 0.0 && two_sample(1, 1, 1.0) >= 1.0);
        assert!(
            two_sample(0, 3, 0.5).is_nan() && one_sample(3, f64::NAN).is_nan() && effective(0.0, 1.0, 0.5).is_nan()
        );
        // As many values as there are seconds in thirty years.
        let p = two_sample(1_000_000_000, 1_000_000_000, 6e-5);
        assert!((p - 0.054_6).abs() < 2e-3, "{p}");
    }

    proptest! {
        #[test]
        fn a_greater_distance_is_less_likely(n in 1_u64..300, m in 1_u64..300, low in 0.0..1.0_f64, more in 0.0..1.0_f64) {
            let high = low + (1.0 - low) * more;
            for law in [two_sample, |n, m, d| one_sample(n + m, d)] {
                let (p, q) = (law(n, m, low), law(n, m, high));
                prop_assert!((0.0..=1.0).contains(&p) && (0.0..=1.0).contains(&q));
                prop_assert!(q <= p + 1e-9, "{} {}", p, q);
            }
            prop_assert!((two_sample(n, m, low) - two_sample(m, n, low)).abs() < 1e-12);
        }
    }
}
