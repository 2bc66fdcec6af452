//! What the classifier must see, and how often it cries wolf.

use proptest::prelude::*;

use super::*;
use crate::drift::multivariate::Cells;
use crate::stats::Rng;

/// A number near the normal law, of variance 1.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
}

type Columns = Vec<Vec<f64>>;

fn noise(rng: &mut Rng, n: usize, p: usize) -> Columns {
    (0..p).map(|_| (0..n).map(|_| normal(rng)).collect()).collect()
}

fn features<'a>(names: &'a [String], reference: &'a Columns, current: &'a Columns) -> Vec<Feature<'a>> {
    let sides = names.iter().zip(reference.iter().zip(current));
    sides
        .map(|(name, (reference, current))| Feature {
            name,
            reference: Cells::Numbers(reference),
            current: Cells::Numbers(current),
        })
        .collect()
}

fn names(p: usize) -> Vec<String> {
    (0..p).map(|column| format!("x{column}")).collect()
}

fn run(reference: &Columns, current: &Columns) -> DomainDrift {
    domain(
        &features(&names(reference.len()), reference, current),
        &DomainRule::default(),
    )
    .unwrap()
}

/// Alarms of `n_runs` pairs of tables of `n` rows a side in which nothing differs.
fn false_alarms(n_runs: u32, n: usize, p: usize, whole: bool) -> u32 {
    let mut alarms = 0;
    for run_number in 0..n_runs {
        let mut rng = Rng::derive(u64::from(run_number), "nothing differs");
        let mut sides = [noise(&mut rng, n, p), noise(&mut rng, n, p)];
        if whole {
            sides.iter_mut().flatten().flatten().for_each(|x| *x = x.round());
        }
        alarms += u32::from(run(&sides[0], &sides[1]).drifted);
    }
    alarms
}

#[test]
fn rows_of_one_law_are_rarely_told_apart() {
    // Nominally one in twenty, and fewer since the p-value is on the safe side.
    for (p, whole) in [(5, false), (1, true)] {
        let alarms = false_alarms(60, 60, p, whole);
        assert!(alarms <= 7, "{p} columns: {alarms} of 60");
    }
}

/// Both columns keep their own law: only together they changed.
#[test]
fn sees_what_no_column_shows_alone() {
    let mut rng = Rng::derive(4, "pairs");
    let reference = noise(&mut rng, 400, 4);
    let mut current = noise(&mut rng, 400, 4);
    let other = current[3].clone();
    for (x, other) in current[1].iter_mut().zip(other) {
        *x = 0.95 * other + 0.31 * *x;
    }
    let found = run(&reference, &current);
    assert!(found.drifted && found.auc > 0.6, "{found:?}");
    let mut telling: Vec<&str> = found.importance[..2].iter().map(|(name, _)| name.as_str()).collect();
    telling.sort_unstable();
    assert_eq!(telling, ["x1", "x3"], "{found:?}");
}

#[test]
fn says_which_columns_moved() {
    let mut rng = Rng::derive(9, "moved");
    let reference = noise(&mut rng, 200, 6);
    let mut current = noise(&mut rng, 150, 6);
    current[2].iter_mut().for_each(|x| *x += 2.0);
    // Missing is a value like any other.
    current[4].iter_mut().step_by(2).for_each(|x| *x = f64::NAN);
    let found = run(&reference, &current);
    assert!(found.drifted && found.auc > 0.9 && found.p < 1e-6, "{found:?}");
    let first: Vec<&str> = found.importance[..2].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(first, ["x2", "x4"], "{found:?}");
    assert_eq!(found.n, [200, 150]);
}

#[test]
fn categories_are_compared_too() {
    let mut rng = Rng::derive(2, "codes");
    let mut codes =
        |n: usize, levels: usize| -> Vec<u32> { (0..n).map(|_| u32::try_from(rng.below(levels)).unwrap()).collect() };
    let (reference, same, fewer) = (codes(300, 5), codes(300, 5), codes(300, 3));
    let of = |current: &[u32]| {
        let feature = Feature {
            name: "level",
            reference: Cells::Codes(&reference),
            current: Cells::Codes(current),
        };
        domain(&[feature], &DomainRule::default()).unwrap()
    };
    assert!(!of(&same).drifted);
    let found = of(&fewer);
    assert!(
        found.drifted && found.importance == [("level".to_owned(), 1.0)],
        "{found:?}"
    );
}

/// Every current row is there twice: that is no difference, although trees could learn such rows by heart.
#[test]
fn repeated_rows_are_not_a_difference() {
    let mut rng = Rng::derive(6, "repeated");
    let reference = noise(&mut rng, 300, 3);
    let once = noise(&mut rng, 75, 3);
    let current: Columns = once.iter().map(|column| column.repeat(2)).collect();
    assert!(!run(&reference, &current).drifted);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let mut rng = Rng::derive(8, "order");
    let (reference, current) = (noise(&mut rng, 90, 3), noise(&mut rng, 80, 3));
    let turned = |columns: &Columns| -> Columns { columns.iter().map(|x| x.iter().rev().copied().collect()).collect() };
    let (one, other) = (run(&reference, &current), run(&turned(&reference), &turned(&current)));
    assert_eq!(
        (one.auc.to_bits(), one.p.to_bits()),
        (other.auc.to_bits(), other.p.to_bits())
    );
    assert_eq!(one, run(&reference, &current));
}

#[test]
fn too_little_is_told() {
    let mut rng = Rng::derive(8, "few");
    let (reference, current) = (noise(&mut rng, 100, 2), noise(&mut rng, 5, 2));
    let names = names(2);
    assert_eq!(
        domain(&features(&names, &reference, &current), &DomainRule::default()).unwrap_err(),
        "100 reference and 5 current rows are too few to learn a difference from"
    );
    assert_eq!(
        domain(&[], &DomainRule::default()).unwrap_err(),
        "there are no columns to compare"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Whatever the values, the results are in their ranges.
    #[test]
    fn results_are_in_range(
        rows in prop::collection::vec((prop::num::f64::ANY, 0..4_u32), 40..90),
        n_reference in 0..90_usize,
    ) {
        let numbers: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let codes: Vec<u32> = rows.iter().map(|row| if row.1 == 0 { u32::MAX } else { row.1 }).collect();
        let cut = n_reference.min(rows.len());
        let features = [
            Feature {
                name: "number",
                reference: Cells::Numbers(&numbers[..cut]),
                current: Cells::Numbers(&numbers[cut..]),
            },
            Feature {
                name: "code",
                reference: Cells::Codes(&codes[..cut]),
                current: Cells::Codes(&codes[cut..]),
            },
        ];
        if let Ok(found) = domain(&features, &DomainRule::default()) {
            prop_assert!((0.0..=1.0).contains(&found.auc) && (0.0..=1.0).contains(&found.p));
            let sum: f64 = found.importance.iter().map(|(_, share)| share).sum();
            prop_assert!(found.importance.is_empty() || (sum - 1.0).abs() < 1e-9);
        }
    }

    /// Constants on both sides are no difference, and never NaN.
    #[test]
    fn constants_are_no_difference(value in prop::num::f64::ANY, n in 60..90_usize) {
        let side = vec![vec![value; n]; 2];
        let names = names(2);
        if let Ok(found) = domain(&features(&names, &side, &side), &DomainRule::default()) {
            prop_assert!(!found.drifted && (found.auc - 0.5).abs() < 1e-12);
        }
    }
}
