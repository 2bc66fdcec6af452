//! Wasserstein: how far values have to be moved to make one side of the other. Pure.

use super::super::pair::{Numbers, Pair};
use super::plain::{numbers, plain_sd};
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

/// What Evidently divides by at least, so that columns in small units hardly ever drift there.
const LEAST_SD: f64 = 0.001;

pub const ROW: Test = Test {
    name: "wasserstein",
    title: "Wasserstein distance (normed)",
    kinds: &[Kind::Num],
    threshold: 0.1,
    op: Op::AtLeast,
    score: ScoreKind::Distance,
    run,
};

fn run(pair: &Pair, _: u64) -> Result<Outcome, Undefined> {
    let numbers = numbers(pair)?;
    let distance = area(numbers, 1.0);
    let score = distance / plain_sd(numbers, 0).max(LEAST_SD);
    if score.is_nan() {
        return Err(Undefined("the values are too far apart to be subtracted".to_owned()));
    }
    Ok(Outcome {
        score,
        statistic: Some(distance),
    })
}

/// W₁ in standard deviations (divisor n) of the reference: ≥ 0, without a least deviation, the same in every unit.
/// Where the reference has but one value, 0 or infinity.
///
/// Source: Vaserstein's distance in one dimension is the area between the distribution functions. Oracle: scipy
/// `wasserstein_distance` over numpy `std`,
/// `effect` of `fixtures/drift/*/calibrated.json` wherever squares are in the range of numbers.
pub fn effect(numbers: &Numbers) -> f64 {
    let largest = numbers.values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let unit = if largest > 1e120 || (0.0 < largest && largest < 1e-120) {
        largest
    } else {
        1.0
    };
    let (distance, sd) = (area(numbers, unit), numbers.moments[0].sd / unit);
    if distance <= 0.0 { 0.0 } else { distance / sd }
}

/// As [`effect`] by the plain arithmetic of numpy, which `fixtures/drift/*/calibrated.json` has: 0 where the squares of
/// differences are infinite, infinity where they are 0.
#[cfg(test)]
pub fn plain_effect(numbers: &Numbers) -> f64 {
    let distance = area(numbers, 1.0);
    if distance <= 0.0 {
        0.0
    } else {
        distance / plain_sd(numbers, 0)
    }
}

/// The area between the distribution functions in units of `unit`.
fn area(numbers: &Numbers, unit: f64) -> f64 {
    let [n, m] = numbers.moments.map(|moments| moments.n as f64);
    let (mut reference, mut current, mut area) = (0_u64, 0_u64, 0.0);
    let sides = numbers.reference.iter().zip(&numbers.current);
    for ((r, c), ends) in sides.zip(numbers.values.windows(2)) {
        reference += r;
        current += c;
        let difference = (reference as f64 / n - current as f64 / m).abs();
        if difference > 0.0 {
            area += difference * (ends[1] / unit - ends[0] / unit);
        }
    }
    area
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{merged, sides};
    use super::*;

    #[test]
    fn agrees_with_scipy() {
        // scipy 1.17.1 `wasserstein_distance`, numpy `std`.
        let (a, b) = ([3.0, 1.0, 4.0, 4.0], [2.0, 7.0, 1.0]);
        let found = run(&sides(&a, &b), 0).unwrap();
        assert!((found.statistic.unwrap() - 5.0 / 3.0).abs() < 1e-15);
        assert!((found.score - 5.0 / 3.0 / 1.5_f64.sqrt()).abs() < 1e-15, "{found:?}");
        assert!((effect(&merged(&a, &b)) - found.score).abs() < 1e-15);
    }

    #[expect(clippy::float_cmp, reason = "these results are exact")]
    #[test]
    fn one_value_and_extreme_values() {
        assert_eq!(effect(&merged(&[2.0, 2.0], &[2.0, 3.0])), f64::INFINITY);
        assert_eq!(effect(&merged(&[2.0, 2.0], &[2.0])), 0.0);
        assert_eq!(effect(&merged(&[f64::MAX, -f64::MAX], &[-f64::MAX, f64::MAX])), 0.0);
        let far = effect(&merged(&[f64::MAX, -f64::MAX], &[f64::MAX]));
        assert!((far - 1.0).abs() < 1e-14, "{far}");
        // Evidently's arithmetic has an infinite deviation there, and for differences no number at all.
        assert_eq!(run(&sides(&[1e300, 3e300], &[2e300]), 0).unwrap().score, 0.0);
        assert!(run(&sides(&[f64::MAX, -f64::MAX], &[f64::MAX]), 0).is_err());
    }

    proptest! {
        #[test]
        fn the_unit_does_not_matter(
            a in prop::collection::vec(-1e3..1e3_f64, 2..30), b in prop::collection::vec(-1e3..1e3_f64, 1..30), power in -900..900_i32
        ) {
            let unit = 2.0_f64.powi(power);
            let scaled = |values: &[f64]| values.iter().map(|value| value * unit).collect::<Vec<_>>();
            let (first, second) = (effect(&merged(&a, &b)), effect(&merged(&scaled(&a), &scaled(&b))));
            prop_assert!((first - second).abs() <= 1e-9 * first, "{} {}", first, second);
        }
    }
}
