//! Anderson and Darling: differences of the distribution functions, weighted towards the tails. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "anderson",
    title: "Anderson-Darling",
    kinds: &[Kind::Num],
    threshold: 0.1,
    op: Op::Below,
    score: ScoreKind::PValue,
    run,
};

/// The logarithm of the p-value as a parabola through the critical values of Scholz and Stephens for two samples and
/// their levels: numpy `polyfit`, as scipy has it, the highest power first.
const PARABOLA: [f64; 3] = [
    0.018_198_094_574_111_47,
    -1.008_226_564_465_251_5,
    -1.077_770_279_820_484,
];
/// Between the outermost critical values the parabola holds.
const CRITICAL: [f64; 2] = [0.325, 6.546];
const LEVELS: [f64; 2] = [0.25, 0.001];

fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let statistic = statistic(numbers(pair)?)?;
    let score = if statistic < CRITICAL[0] {
        LEVELS[0]
    } else if statistic > CRITICAL[1] {
        LEVELS[1]
    } else {
        PARABOLA.iter().fold(0.0, |sum, c| sum * statistic + c).exp()
    };
    Ok(Outcome {
        score,
        statistic: Some(statistic),
    })
}

/// The standardized statistic with midranks. Time O(rows).
///
/// Source: Scholz and Stephens, *K-sample Anderson–Darling tests* (1987), equations 7 and following. Oracle: scipy
/// `anderson_ksamp`, `fixtures/drift`.
fn statistic(numbers: &Numbers) -> Result<f64, Undefined> {
    let n = numbers.moments.map(|moments| moments.n);
    let rows = n[0] + n[1];
    if rows < 4 {
        return Err(Undefined("fewer than four rows on both sides".to_owned()));
    }
    if numbers.values.len() < 2 {
        return Err(Undefined("all values are the same".to_owned()));
    }
    let total = rows as f64;
    let n = n.map(|n| n as f64);
    let (mut below, mut sums) = ([0_u64; 2], [0.0; 2]);
    for (reference, current) in numbers.reference.iter().zip(&numbers.current) {
        let here = [*reference, *current];
        let ties = (here[0] + here[1]) as f64;
        let rank = (below[0] + below[1]) as f64 + ties / 2.0;
        let weight = ties / total / (rank * (total - rank) - total * ties / 4.0);
        for side in [0, 1] {
            let own = below[side] as f64 + here[side] as f64 / 2.0;
            let difference = total * own - rank * n[side];
            sums[side] += weight * difference * difference;
            below[side] += here[side];
        }
    }
    let a2 = (sums[0] / n[0] + sums[1] / n[1]) * (total - 1.0) / total;
    Ok((a2 - 1.0) / deviation(rows, 1.0 / n[0] + 1.0 / n[1]))
}

/// The standard deviation of A² for two samples; `inverse` is the sum of the inverse sizes.
#[expect(clippy::many_single_char_names, reason = "the names of the source")]
fn deviation(rows: u64, inverse: f64) -> f64 {
    let (mut partial, mut g) = (0.0, 0.0);
    for k in 1..rows - 1 {
        partial += 1.0 / (rows - k) as f64;
        g += partial / (k + 1) as f64;
    }
    let h = partial + 1.0;
    let a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * inverse;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverse - 8.0 * h + 4.0 * g - 6.0;
    let c = (6.0 * h + 2.0 * g - 2.0) * 4.0 + (4.0 * h - 4.0 * g + 6.0) * 2.0 + (2.0 * h - 6.0) * inverse + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    let n = rows as f64;
    let variance = (((a * n + b) * n + c) * n + d) / ((n - 1.0) * (n - 2.0) * (n - 3.0));
    variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::testing::sides;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `anderson_ksamp` with midranks.
        let found = run(&sides(&[1.0, 2.0, 2.0, 3.0, 5.0, 8.0], &[3.0, 4.0, 6.0, 9.0, 9.0]), 0).unwrap();
        assert!(
            (found.statistic.unwrap() - 1.771_123_604_584_44).abs() < 1e-12,
            "{found:?}"
        );
        assert!((found.score - 0.060_423_394_103_815_31).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn the_parabola_is_that_of_the_table() {
        // Half of the levels lie above it, and the outermost are met to a tenth.
        let at = |x: f64| PARABOLA.iter().fold(0.0, |sum, c| sum * x + c).exp();
        assert!((at(CRITICAL[0]) / LEVELS[0] - 1.0).abs() < 0.1 && (at(CRITICAL[1]) / LEVELS[1] - 1.0).abs() < 0.1);
        assert!((at(1.961) / 0.05 - 1.0).abs() < 0.1);
    }

    #[test]
    fn too_little_is_undefined() {
        assert!(run(&sides(&[1.0], &[2.0, 3.0]), 0).is_err());
        assert!(run(&sides(&[1.0, 1.0], &[1.0, 1.0]), 0).is_err());
    }
}
