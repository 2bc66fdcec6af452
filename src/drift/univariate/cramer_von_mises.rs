//! Cramér and von Mises: the squared difference of the distribution functions over all rows. Pure.

use std::f64::consts::PI;

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "cramer_von_mises",
    title: "Cramer-von Mises",
    kinds: &[Kind::Num],
    threshold: 0.1,
    op: Op::AtMost,
    score: ScoreKind::PValue,
    run,
};

/// With at most that many rows on the larger side the exact law is counted out.
const MAX_EXACT: u64 = 20;

/// Source: Anderson, *On the distribution of the two-sample Cramér–von Mises criterion* (1962). Oracle: scipy
/// `cramervonmises_2samp` with `method="auto"`, `fixtures/drift` (Evidently's own exact law loses digits or fails).
fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let numbers = numbers(pair)?;
    let [n, m] = pair.n();
    let ranks = rank_sum(numbers);
    let pairs = i128::from(n) * i128::from(m);
    let above = ranks - 2 * pairs * (4 * pairs - 1);
    let (k, total) = (pairs as f64, (n + m) as f64);
    let statistic = above as f64 / (12.0 * k * total);
    let score = if n.max(m) <= MAX_EXACT {
        exact(n, m, above)
    } else {
        let mean = (1.0 + 1.0 / total) / 6.0;
        let (n, m) = (n as f64, m as f64);
        let variance =
            (total + 1.0) * (4.0 * k * total - 3.0 * (n * n + m * m) - 2.0 * k) / (45.0 * total * total * 4.0 * k);
        let normed = 1.0 / 6.0 + (statistic - mean) / (45.0 * variance).sqrt();
        if normed < 0.003 {
            1.0
        } else {
            (1.0 - limit(normed)).max(0.0)
        }
    };
    Ok(Outcome {
        score,
        statistic: Some(statistic),
    })
}

/// Twelve times U = n Σ(rᵢ − i)² + m Σ(sⱼ − j)² by midranks of both sides together: a whole number, so that large
/// samples lose no digits.
fn rank_sum(numbers: &Numbers) -> i128 {
    let (mut below, mut sums) = ([0_i128; 2], [0_i128; 2]);
    for (reference, current) in numbers.reference.iter().zip(&numbers.current) {
        let here = [i128::from(*reference), i128::from(*current)];
        for side in [0, 1] {
            let (own, other) = (here[side], 1 - side);
            let twice = 2 * below[other] + here[other];
            sums[side] += own * (3 * twice * twice + own * own - 1);
        }
        below = [below[0] + here[0], below[1] + here[1]];
    }
    below[0] * sums[0] + below[1] * sums[1]
}

/// The share of the orders of n and m rows whose statistic is at least this; `above` is 12U − 2nm(4nm − 1).
///
/// Source: Xiao, Gordon and Yakovlev, *A C++ program for the Cramér–von Mises two-sample test* (2006), algorithm 1: how
/// many lattice paths have which sum of squares.
fn exact(n: u64, m: u64, above: i128) -> f64 {
    let signed = |value: u64| i128::from(value);
    let (n, m) = (signed(n), signed(m));
    let multiple = n / gcd(n, m) * m;
    let (a, b) = (multiple / n, multiple / m);
    let least = (multiple * multiple * (n + m) * above).div_euclid(12 * n * n * m * m);
    // Of every place of a row of the lattice: sums in ascending order, each with its number of paths.
    let mut columns: Vec<Vec<(i128, u64)>> = vec![Vec::new(); usize::try_from(n).unwrap_or(0) + 1];
    columns[0].push((0, 1));
    for u in 0..=m {
        let mut beside: Vec<(i128, u64)> = Vec::new();
        for (v, column) in (0..).zip(columns.iter_mut()) {
            let cost = (a * v - b * u).pow(2);
            let mut sums = together(&beside, column);
            for (sum, _) in &mut sums {
                *sum += cost;
            }
            column.clone_from(&sums);
            beside = sums;
        }
    }
    let (mut reached, mut all) = (0_u64, 0_u64);
    for (sum, paths) in columns.last().into_iter().flatten() {
        all += paths;
        reached += if *sum >= least { *paths } else { 0 };
    }
    reached as f64 / all as f64
}

/// Two ascending lists as one, in which equal sums are added up.
fn together(a: &[(i128, u64)], b: &[(i128, u64)]) -> Vec<(i128, u64)> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return merged,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => left.0.cmp(&right.0),
        };
        let left = if order.is_le() { a.next() } else { None };
        let right = if order.is_ge() { b.next() } else { None };
        let paths = left.map_or(0, |left| left.1) + right.map_or(0, |right| right.1);
        if let Some((sum, _)) = left.or(right) {
            merged.push((*sum, paths));
        }
    }
}

/// The distribution function of the limit at `x` ≥ 0.003.
///
/// Source: Anderson and Darling (1952). As in scipy, whose tail of 1e-8 and less is what the series leaves out, it ends
/// with the first term below 1e-7.
fn limit(x: f64) -> f64 {
    let mut factor = PI.sqrt();
    let mut sum = 0.0;
    let mut k = 0.0;
    loop {
        let y: f64 = 4.0 * k + 1.0;
        let term = factor / (PI.powf(1.5) * x.sqrt()) * y.sqrt() * bessel(y * y / (16.0 * x));
        sum += term;
        if term < 1e-7 {
            return sum;
        }
        factor *= (k + 0.5) / (k + 1.0);
        k += 1.0;
    }
}

/// exp(−q) K(q) with the modified Bessel function of order 1/4, for q > 0.
///
/// Source: ∫ exp(−q (1 + cosh s)) cosh(s/4) ds, for which equal steps of a tenth are precise to all digits.
fn bessel(q: f64) -> f64 {
    let step = 0.1_f64;
    let mut sum = 0.5 * (-2.0 * q).exp();
    let mut s = step;
    loop {
        let term = (-q * (1.0 + s.cosh())).exp() * (s / 4.0).cosh();
        sum += term;
        if term <= 1e-18 * sum || term <= 0.0 {
            return sum * step;
        }
        s += step;
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::sides;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `cramervonmises_2samp`: exact, with ties, and the limit.
        let p = |a: &[f64], b: &[f64]| run(&sides(a, b), 0).unwrap();
        let found = p(&[3.0, 1.0, 4.0, 4.5], &[2.0, 7.0, 1.5, 5.0, 6.0, 8.0]);
        assert!(
            (found.statistic.unwrap() - 0.266_666_666_666_666_83).abs() < 1e-14,
            "{found:?}"
        );
        assert!((found.score - 0.209_523_809_523_809_53).abs() < 1e-14, "{found:?}");
        let ties = p(&[3.0, 1.0, 4.0, 4.0], &[2.0, 7.0, 4.0, 5.0, 6.0, 1.0]);
        assert!((ties.score - 0.4).abs() < 1e-14, "{ties:?}");
        let many: Vec<f64> = (0..30).map(f64::from).collect();
        let large = p(&many, &[20.5, 25.5, 11.5, 28.5]);
        assert!((large.score - 0.196_728_566_238_473_8).abs() < 1e-12, "{large:?}");
    }

    #[test]
    fn the_largest_exact_law_is_complete() {
        let values: Vec<f64> = (0..40).map(f64::from).collect();
        let found = run(&sides(&values[..20], &values[20..]), 0).unwrap();
        // Only the two orders without any mixture are so far apart.
        assert!((found.score - 2.0 / 137_846_528_820.0).abs() < 1e-20, "{found:?}");
    }
}
