//! Every test of numbers and of bins against the reference numbers.

use proptest::prelude::*;

use super::super::golden::{self, Check, Expected};
use super::super::pair::{Categories, Numbers, Pair};
use super::super::sketch::{ColumnSketch, Seen};
use super::*;

const ROWS: [&Test; 13] = [
    &ks::ROW,
    &wasserstein::ROW,
    &energy::ROW,
    &anderson::ROW,
    &cramer_von_mises::ROW,
    &mann_whitney::ROW,
    &t_test::ROW,
    &epps_singleton::ROW,
    &mmd::ROW,
    &bins::PSI,
    &bins::KL_DIV,
    &bins::JENSENSHANNON,
    &bins::HELLINGER,
];

/// The two sides as a column of this kind; None when they can not be compared.
fn pair(reference: &ColumnSketch, current: &ColumnSketch, kind: Kind) -> Option<Pair> {
    match (&reference.seen, &current.seen) {
        (Seen::Numbers(a), Seen::Numbers(b)) => {
            let numbers = Numbers::merge(a, b);
            Some(match kind {
                Kind::Num => Pair::Numbers(numbers),
                _ => Pair::Categories(numbers.categories(|number| number.to_string())),
            })
        }
        (Seen::Texts(a), Seen::Texts(b)) => Some(Pair::Categories(Categories::merge(a, b))),
        (Seen::Booleans(a), Seen::Booleans(b)) => Some(Pair::Categories(Categories {
            labels: vec!["false".to_owned(), "true".to_owned()],
            reference: a.to_vec(),
            current: b.to_vec(),
        })),
        _ => None,
    }
}

/// What the product says: a column with one value on both sides is no question.
fn score(test: &Test, pair: &Pair) -> Option<f64> {
    if pair.is_one_value() {
        return Some(if test.score == ScoreKind::PValue { 1.0 } else { 0.0 });
    }
    (test.run)(pair, 0).ok().map(|found| found.score)
}

fn complaint(golden: &golden::Golden, check: &Check) -> Option<String> {
    let test = ROWS.into_iter().find(|row| Some(row.name) == check.test.as_deref())?;
    let column = |side: &[ColumnSketch]| side.iter().find(|column| column.name == check.column).cloned();
    let pair = pair(&column(&golden.reference)?, &column(&golden.current)?, check.kind)?;
    if let (Expected::Score { .. }, Some(threshold), Some(op)) = (&check.expected, check.threshold, check.op) {
        assert_eq!(
            (threshold.to_bits(), op),
            (test.threshold.to_bits(), test.op),
            "{}",
            test.name
        );
        assert_eq!(check.score_kind, Some(test.score), "{}", test.name);
        assert!(test.kinds.contains(&check.kind) || check.is_default, "{}", test.name);
    }
    // Two constants: scipy divides nothing by nothing, and we say that they differ for certain.
    if check.column == "constant_diff" && test.name == "es" {
        assert!(score(test, &pair).is_some_and(|p| p <= 0.0));
        return None;
    }
    // The permutations of many rows take too long without optimization; their statistic is compared below.
    if test.name == "empirical_mmd" && pair.n().iter().sum::<u64>() > 110 {
        return None;
    }
    // Zeros of both signs are one value; Evidently has the formula's number there, which says that a constant drifts.
    if check.column == "neg_zero" && test.name == "cramer_von_mises" {
        return None;
    }
    let score = score(test, &pair);
    // Evidently has no number for a constant; we say that it did not change.
    if pair.is_one_value() && matches!(check.expected, Expected::Score { score, .. } if score.is_nan()) {
        return None;
    }
    check
        .complaint(score, score.is_some_and(|score| test.op.holds(score, test.threshold)))
        .map(|complaint| format!("{}: {complaint}", golden.name))
}

#[test]
fn agree_with_evidently() {
    let pairs = golden::pairs();
    let checks = || {
        pairs
            .iter()
            .flat_map(|golden| golden.checks.iter().map(move |check| (golden, check)))
    };
    let is_ours = |check: &Check| {
        matches!(check.expected, Expected::Score { .. })
            && ROWS.iter().any(|row| Some(row.name) == check.test.as_deref())
    };
    let complaints: Vec<String> = checks()
        .filter(|(_, check)| is_ours(check))
        .filter_map(|(golden, check)| complaint(golden, check))
        .collect();
    assert!(complaints.is_empty(), "{}: {complaints:#?}", complaints.len());
    assert!(checks().filter(|(_, check)| is_ours(check)).count() > 1300);
}

/// What scipy says beside Evidently: D and the asymptotic p-value, the unclipped distances, the two-sided location.
#[test]
fn agree_with_scipy() {
    let mut compared = 0;
    for golden in golden::pairs() {
        for check in golden.checks.iter().filter(|check| check.kind == Kind::Num) {
            let column = |side: &[ColumnSketch]| side.iter().find(|column| column.name == check.column).cloned();
            let (Some(reference), Some(current)) = (column(&golden.reference), column(&golden.current)) else {
                continue;
            };
            let Some(pair) = pair(&reference, &current, Kind::Num) else {
                continue;
            };
            let Pair::Numbers(numbers) = &pair else { continue };
            let is_rounding = check.column == "constant_diff" && check.test.as_deref() == Some("es");
            if check.column == "big_int" || pair.is_one_value() || is_rounding {
                continue;
            }
            let detail = |name: &str| golden::number(&check.detail[name]).filter(|number| !number.is_nan());
            let statistic = || {
                let test = ROWS
                    .into_iter()
                    .find(|row| Some(row.name) == check.test.as_deref())
                    .unwrap();
                (test.run)(&pair, 0).ok().and_then(|found| found.statistic)
            };
            let (wanted, found) = match check.test.as_deref() {
                Some("ks" | "anderson" | "cramer_von_mises" | "es") => (detail("statistic"), statistic()),
                Some("t_test") => (detail("t").filter(|t| t.is_finite()), statistic()),
                Some("wasserstein") => (detail("w1"), statistic()),
                Some("mannw") => (detail("p_two_sided"), Some(mann_whitney::two_sided_p(numbers))),
                Some("empirical_mmd") => (detail("statistic_mmd2u"), Some(mmd::statistic(numbers))),
                _ => continue,
            };
            let Some(wanted) = wanted else { continue };
            let found = found.unwrap_or(f64::NAN);
            compared += 1;
            assert!(
                (found - wanted).abs() <= 1e-7 * wanted.abs() + 1e-10,
                "{} {} {:?}: {found}, must be {wanted}",
                golden.name,
                check.column,
                check.test
            );
            if check.test.as_deref() == Some("ks") {
                let n = numbers.moments.map(|moments| moments.n as f64);
                let p = crate::stats::kolmogorov::effective(n[0], n[1], found);
                let wanted = detail("p_asymp").unwrap();
                assert!((p - wanted).abs() <= 1e-8 * wanted + 1e-12, "{p} {wanted}");
            }
        }
    }
    assert!(compared > 500, "{compared}");
}

/// The effects of the calibrated mode.
#[test]
fn effects_have_no_unit() {
    let (mut compared, mut in_another_unit) = (0, Vec::new());
    for golden in golden::pairs() {
        for row in golden.calibrated["columns"].as_array().unwrap() {
            if row["effect_kind"] != "wasserstein_std" {
                continue;
            }
            let column = |side: &[ColumnSketch]| {
                side.iter()
                    .find(|column| row["column"] == column.name.as_str())
                    .cloned()
            };
            let (reference, current) = (column(&golden.reference).unwrap(), column(&golden.current).unwrap());
            let Some(Pair::Numbers(numbers)) = pair(&reference, &current, Kind::Num) else {
                panic!("{row}")
            };
            let wanted = golden::number(&row["effect"]).unwrap();
            let hold = |found: f64| {
                let is_close = found.total_cmp(&wanted).is_eq() || (found - wanted).abs() <= 1e-8 * wanted + 1e-12;
                assert!(is_close, "{} {row}: {found}", golden.name);
            };
            hold(wasserstein::plain_effect(&numbers));
            // Squares of 1e300 are infinite in numpy, those of 1e-300 are 0; we have the effect of the same data in another unit.
            let column = row["column"].as_str().unwrap();
            let effect = wasserstein::effect(&numbers);
            if column == "huge" || column == "tiny" {
                assert!(effect > 0.04 && effect < 1.0, "{effect}");
                in_another_unit.push(effect);
            } else {
                hold(effect);
            }
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
    assert!(in_another_unit.chunks(2).all(|two| (two[0] - two[1]).abs() < 1e-12) && in_another_unit.len() == 6);
}

/// Rows of all that columns are made of: a few levels, waves, huge and tiny numbers, constants.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let one = prop_oneof![
        (-3..4_i32).prop_map(f64::from),
        -1e3..1e3_f64,
        prop::num::f64::NORMAL,
        Just(0.1),
        (
            0.5..1.5_f64,
            prop_oneof![Just(1e300), Just(1e-300), Just(5e-324), Just(-1e300)]
        )
            .prop_map(|(a, b)| a * b),
    ];
    prop_oneof![
        prop::collection::vec(one, 1..40),
        prop::collection::vec((0..3_i32).prop_map(f64::from), 1..40)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_score_is_in_its_range(a in values(), b in values()) {
        let pair = testing::sides(&a, &b);
        for test in ROWS {
            let Ok(found) = (test.run)(&pair, 7) else { continue };
            prop_assert!(!found.score.is_nan() && found.score >= 0.0, "{} {}", test.name, found.score);
            prop_assert!(test.score != ScoreKind::PValue || found.score <= 1.0, "{} {}", test.name, found.score);
            prop_assert!(!found.statistic.is_some_and(f64::is_nan), "{}", test.name);
        }
        let Pair::Numbers(numbers) = &pair else { unreachable!() };
        let (p, effect) = (mann_whitney::two_sided_p(numbers), wasserstein::effect(numbers));
        prop_assert!((0.0..=1.0).contains(&p) && effect >= 0.0, "{} {}", p, effect);
    }

    #[test]
    fn a_copy_never_drifts(a in values()) {
        let pair = testing::sides(&a, &a);
        prop_assume!(!pair.is_one_value());
        for test in ROWS {
            // Hellinger's bins are as wide as numbers can not be here; one side of Mann and Whitney's is near one half.
            if let (Ok(found), true) = ((test.run)(&pair, 7), test.name != "hellinger" && test.name != "empirical_mmd") {
                prop_assert!(!test.op.holds(found.score, test.threshold), "{} {}", test.name, found.score);
            }
        }
    }

    #[test]
    fn sides_may_be_swapped(a in values(), b in values()) {
        let (one, other) = (testing::sides(&a, &b), testing::sides(&b, &a));
        for test in [&ks::ROW, &anderson::ROW, &cramer_von_mises::ROW, &t_test::ROW, &energy::ROW, &bins::HELLINGER] {
            let (first, second) = ((test.run)(&one, 0), (test.run)(&other, 0));
            prop_assert_eq!(first.is_ok(), second.is_ok());
            if let (Ok(first), Ok(second)) = (first, second) {
                let error = (first.score - second.score).abs();
                prop_assert!(error <= 1e-9 * first.score.max(1e-3) || first.score.to_bits() == second.score.to_bits(), "{} {:?} {:?}", test.name, first, second);
            }
        }
    }
}
