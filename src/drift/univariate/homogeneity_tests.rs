use proptest::prelude::*;

use crate::stats::Rng;

use super::super::Kind;
use super::super::categories::testing::categories;
use super::*;
use crate::drift::pair::Pair;
use crate::drift::sketch::ColumnSketch;
use crate::drift::{golden, kinds};

#[test]
fn agrees_with_scipy_where_counts_are_large() {
    // scipy.stats.chi2_contingency([[20, 30, 50], [40, 30, 20]], correction=False); V by Bergsma's formula.
    let found = homogeneity(&categories(&[20, 30, 50], &[40, 30, 20]), 0);
    assert_eq!(found.law, Law::ChiSquare);
    close(found.x2, SCIPY_X2);
    close(found.p, SCIPY_P);
    close(found.cramers_v, SCIPY_V);
}

const SCIPY_X2: f64 = 19.050_264_550_264_547;
const SCIPY_P: f64 = 7.299_407_568_331_057e-5;
const SCIPY_V: f64 = 0.300_265_839_662_265_1;

fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-12 * expected, "{got} is not {expected}");
}

#[test]
fn small_tables_are_counted() {
    // By hand: of C(10, 5) = 252 ways to deal, 2 separate the two categories.
    let found = homogeneity(&categories(&[0, 5], &[5, 0]), 0);
    assert_eq!((found.law, found.x2.to_bits()), (Law::Exact, 10.0_f64.to_bits()));
    close(found.p, 2.0 / 252.0);
    // numpy, 200,000 draws: 0.0944, 0.7137.
    assert!((homogeneity(&categories(&[3, 0, 2], &[0, 3, 2]), 0).p - 0.0944).abs() < 0.002);
}

#[test]
fn larger_tables_are_drawn() {
    // edge-mixed `int_as_cat`: numpy, 200,000 draws, p = 0.4367.
    let (reference, current) = (REFERENCE, CURRENT);
    let found = homogeneity(&categories(&reference, &current), 0);
    assert_eq!(found.law, Law::MonteCarlo);
    assert!((found.p - 0.4367).abs() < 0.006, "{found:?}");
    assert_eq!(found, homogeneity(&categories(&reference, &current), 0));
    let other = homogeneity(&categories(&reference, &current), 1);
    assert!((other.p - 0.4367).abs() < 0.006 && other != found);
    // The order of the labels is nothing to the test.
    let (mut back, mut forth) = (reference, current);
    back.reverse();
    forth.reverse();
    assert_eq!(
        homogeneity(&categories(&back, &forth), 0).p.to_bits(),
        found.p.to_bits()
    );
}

const REFERENCE: [u64; 7] = [6, 7, 8, 9, 8, 9, 13];
const CURRENT: [u64; 7] = [7, 10, 6, 4, 3, 5, 5];

#[test]
fn moments_are_those_of_all_tables() {
    for (totals, n) in [(vec![1, 2, 3, 5], 4), (vec![2, 2, 2, 2, 4], 6), (vec![1, 1, 1, 9], 3)] {
        let all: u64 = totals.iter().sum();
        let (n_first, m) = (n as f64, (all - n) as f64);
        let inverse: Vec<f64> = totals.iter().map(|total| 1.0 / *total as f64).collect();
        let (mut mean, mut square) = (0.0, 0.0);
        Urn::new(totals.clone(), n).every(&mut |counts, p| {
            let table: Vec<[u64; 2]> = counts.iter().zip(&totals).map(|(a, total)| [*a, total - a]).collect();
            let x2 = pearson(&table, n, all - n);
            mean += p * x2;
            square += p * x2 * x2;
        });
        let got = moments(&inverse, [n_first, m]);
        close(got.0, mean);
        assert!((got.1 - (square - mean * mean)).abs() < 1e-11 * got.1, "{got:?}");
    }
}

#[test]
fn many_rare_categories_are_bounded_and_near_the_drawn_law() {
    // Totals from 1 to 60: drawing is dear, so the law is taken from its moments. Both are near.
    let mut rng = Rng::new(5);
    let mut reference: Vec<u64> = Vec::new();
    let mut current = Vec::new();
    for index in 0..400_u64 {
        let total = 1 + index % 60;
        let of_reference = (0..total).filter(|_| rng.below(2) == 0).count() as u64;
        reference.push(of_reference);
        current.push(total - of_reference);
    }
    let both = categories(&reference, &current);
    let found = homogeneity(&both, 0);
    assert_eq!(found.law, Law::Moments);
    let mut totals: Vec<u64> = reference.iter().zip(&current).map(|(a, b)| a + b).collect();
    totals.sort_unstable();
    let n: u64 = reference.iter().sum();
    let mut hits = 0.0;
    let n_draws = 1000;
    let m: u64 = current.iter().sum();
    Urn::new(totals.clone(), n).deal(n_draws, &mut Rng::new(1), |counts| {
        let table: Vec<[u64; 2]> = counts.iter().zip(&totals).map(|(a, total)| [*a, total - a]).collect();
        hits += f64::from(u8::from(pearson(&table, n, m) >= found.x2));
    });
    assert!((hits / n_draws as f64 - found.p).abs() < 0.06, "{hits} {found:?}");
    // Ten thousand names, each once: no information, and no time.
    let names = 5000;
    let (mut only_first, mut only_second) = (vec![1; names], vec![0; names]);
    only_first.extend(vec![0; names]);
    only_second.extend(vec![1; names]);
    let found = homogeneity(&categories(&only_first, &only_second), 0);
    assert!((0.0..=1.0).contains(&found.p));
}

#[test]
fn ends_are_defined() {
    for (reference, current) in [
        (vec![], vec![]),
        (vec![5], vec![7]),
        (vec![5, 0], vec![7, 0]),
        (vec![5, 6], vec![0, 0]),
        (vec![0, 0], vec![5, 1]),
    ] {
        let found = homogeneity(&categories(&reference, &current), 0);
        assert_eq!((found.law, found.p.to_bits()), (Law::Constant, 1.0_f64.to_bits()));
    }
    let single = homogeneity(&categories(&[1, 0], &[0, 1]), 0);
    assert!((single.p - 1.0).abs() < 1e-15 && single.cramers_v <= 1.0);
    let huge = homogeneity(&categories(&[1 << 50, 1], &[1, 1 << 50]), 0);
    assert!(huge.p > 0.0 && huge.p < 1e-300 || huge.law == Law::Exact);
}

#[test]
fn missing_values_are_a_table_of_two() {
    // edge-mixed `all_missing_ref` and `int_with_missing`.
    assert!((missing([60, 40], [60, 0]) - 7.274_719_675_172_516e-29).abs() < 1e-39);
    assert!((missing([60, 40], [7, 5]) - 1.0).abs() < 1e-12);
    assert!((missing([0, 40], [0, 5]) - 1.0).abs() < 1e-12);
}

#[test]
fn distances_agree_with_scipy() {
    // scipy.spatial.distance.jensenshannon([0.6, 0.4, 0], [0.35, 0.4, 0.25])
    let found = jensen_shannon(&categories(&[12, 8, 0], &[7, 8, 5]));
    assert!((found - SCIPY_JS).abs() < 1e-15, "{found}");
    assert!((jensen_shannon(&categories(&[3, 0], &[0, 9])) - 2.0_f64.ln().sqrt()).abs() < 1e-15);
    assert!(jensen_shannon(&categories(&[0, 0], &[2, 9])) <= 0.0);
}

const SCIPY_JS: f64 = 0.321_381_493_326_837_2;

/// p, X² and effect of every categorical column, and p of every column with missing values, in `calibrated.json`.
#[test]
fn agrees_with_the_golden_values() {
    let (mut n_columns, mut n_drawn) = (0, 0);
    for pair in golden::pairs() {
        let find = |name: &str, side: &[ColumnSketch]| side.iter().find(|column| column.name == name).cloned();
        for row in pair.calibrated["columns"].as_array().unwrap() {
            // Whole numbers beyond 2^53 are not distinct here.
            let name = row["column"].as_str().unwrap();
            if row["type"] != "cat" || row["status"] != "computed" || name == "big_int" {
                continue;
            }
            let (reference, current) = (find(name, &pair.reference).unwrap(), find(name, &pair.current).unwrap());
            assert!(kinds::skip(Kind::Cat, Some(&reference), Some(&current)).is_none());
            let Some(Pair::Categories(both)) = kinds::pair(Kind::Cat, &reference, &current) else {
                panic!("{name} has no categories")
            };
            let found = homogeneity(&both, 0);
            let number = |key: &str| row[key].as_f64().unwrap();
            let near = |got: f64, wanted: f64| (got - wanted).abs() <= 1e-12 + 1e-8 * wanted.abs();
            if row["p_kind"] == "chi2_monte_carlo" {
                assert!((found.p - number("p")).abs() <= 0.006, "{name} {found:?}");
                assert!(matches!(found.law, Law::Exact | Law::MonteCarlo));
                n_drawn += 1;
            } else {
                assert!(near(found.p, number("p")), "{name} {found:?}");
                assert_eq!(row["p_kind"], found.law.name());
            }
            assert!(near(found.x2, number("chi2")), "{name} {found:?}");
            assert!(near(jensen_shannon(&both), number("effect")), "{name}");
            n_columns += 1;
        }
        for row in pair.calibrated["missing"].as_array().unwrap() {
            let number = |key: &str| row[key].as_u64().unwrap();
            let rows = [pair.reference[0].n_rows, pair.current[0].n_rows];
            let p = missing(rows, [number("missing_reference"), number("missing_current")]);
            let wanted = row["p"].as_f64().unwrap();
            assert!((p - wanted).abs() <= 1e-8 * wanted, "{} {p}", row["column"]);
        }
    }
    assert!(n_columns >= 30 && n_drawn >= 8, "{n_columns} {n_drawn}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sides_may_be_swapped(counts in prop::collection::vec((0_u64..9, 0_u64..9), 2..6)) {
        let (a, b): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
        let (one, other) = (homogeneity(&categories(&a, &b), 3), homogeneity(&categories(&b, &a), 3));
        prop_assert!(one.p > 0.0 && one.p <= 1.0 && one.x2 >= 0.0 && (0.0..=1.0).contains(&one.cramers_v));
        prop_assert!((one.x2 - other.x2).abs() <= 1e-9 * (1.0 + one.x2));
        let slack = if one.law == Law::MonteCarlo { 0.03 } else { 1e-9 };
        prop_assert!((one.p - other.p).abs() <= slack, "{one:?} {other:?}");
        prop_assert!((jensen_shannon(&categories(&a, &b)) - jensen_shannon(&categories(&b, &a))).abs() < 1e-12);
    }
}
