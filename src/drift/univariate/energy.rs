//! Energy distance: the area between the squared distribution functions. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::numbers;
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

pub const ROW: Test = Test {
    name: "ed",
    title: "Energy-distance",
    kinds: &[Kind::Num],
    threshold: 0.1,
    op: Op::Above,
    score: ScoreKind::Distance,
    run,
};

fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let score = distance(numbers(pair)?);
    if score.is_nan() {
        return Err(Undefined("the values are too far apart to be subtracted".to_owned()));
    }
    Ok(Outcome { score, statistic: None })
}

/// √(2 ∫(F − G)²), ≥ 0, in roots of the column's unit: it is not normed. Infinite where differences of values are.
///
/// Source: Székely, *E-statistics* (2002). Oracle: scipy `energy_distance`, `fixtures/drift`.
fn distance(numbers: &Numbers) -> f64 {
    let [n, m] = numbers.moments.map(|moments| moments.n as f64);
    let (mut reference, mut current, mut area) = (0_u64, 0_u64, 0.0);
    let sides = numbers.reference.iter().zip(&numbers.current);
    for ((r, c), ends) in sides.zip(numbers.values.windows(2)) {
        reference += r;
        current += c;
        let difference = reference as f64 / n - current as f64 / m;
        if difference.abs() > 0.0 {
            area += difference * difference * (ends[1] - ends[0]);
        }
    }
    2.0_f64.sqrt() * area.sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::testing::sides;
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `energy_distance`.
        let found = run(&sides(&[3.0, 1.0, 4.0, 4.0], &[2.0, 7.0, 1.0]), 0).unwrap().score;
        assert!((found - 1.040_832_999_733_066_5).abs() < 1e-14, "{found}");
        assert!(run(&sides(&[1.0, 2.0], &[2.0, 1.0]), 0).unwrap().score <= 0.0);
    }
}
