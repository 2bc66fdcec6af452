use std::collections::BTreeMap;

use super::*;
use crate::drift::golden::{self, Golden, number};
use crate::drift::sketch::{NumberSketch, Scratch, Seen, TextSketch};
use crate::stats::Rng;

fn settings(golden: &Golden) -> Settings {
    let told = golden.columns.iter().filter(|column| column.is_overridden);
    Settings {
        kinds: told.map(|column| (column.column.clone(), column.kind)).collect(),
        // The reference numbers are of every column, however few rows there are.
        min_rows: 2,
        ..Settings::default()
    }
}

fn compared(golden: &Golden) -> Vec<ColumnDrift> {
    let beside = |_: &str| Beside::default();
    columns(
        &golden.reference,
        &golden.current,
        &settings(golden),
        |_| Role::Feature,
        beside,
    )
}

/// Columns of the constructed pairs whose effect the reference numbers have by plain arithmetic: squares of 1e300 are
/// infinite there, those of 1e-300 nothing. Ours are scaled first.
const SCALED: [&str; 2] = ["huge", "tiny"];
/// Whole numbers beyond 2^53, which are texts here: as numbers they lose digits.
const LONG: &str = "big_int";

#[test]
fn every_pair_has_its_reference_numbers() {
    let mut n_compared = 0;
    for golden in golden::pairs() {
        let ours: BTreeMap<String, ColumnDrift> = compared(&golden)
            .into_iter()
            .map(|column| (column.column.clone(), column))
            .collect();
        for theirs in golden.calibrated["columns"].as_array().unwrap() {
            let name = theirs["column"].as_str().unwrap();
            let place = format!("{} {name}", golden.name);
            if name == LONG {
                continue;
            }
            let found = ours.get(name);
            if theirs["status"] != "computed" {
                assert!(found.is_none_or(|column| column.p.is_none()), "{place}: {found:?}");
                continue;
            }
            let found = found.unwrap_or_else(|| panic!("{place} is not compared"));
            let is_drawn = theirs["p_kind"].as_str().unwrap().ends_with("monte_carlo");
            let close = |ours: Option<f64>, theirs: f64, relative: f64, absolute: f64| {
                ours.is_some_and(|ours| (ours - theirs).abs() <= absolute + relative * theirs.abs())
                    || ours == Some(theirs)
            };
            let (p, absolute) = (number(&theirs["p"]).unwrap(), if is_drawn { 0.012 } else { 1e-12 });
            assert!(
                close(found.p, p, 1e-9, absolute),
                "{place}: p {:?}, expected {p}",
                found.p
            );
            let effect = number(&theirs["effect"]).unwrap();
            if !SCALED.contains(&name) {
                assert!(
                    close(found.effect, effect, 1e-9, 1e-12),
                    "{place}: {:?}, expected {effect}",
                    found.effect
                );
            }
            let p_adj = number(&theirs["p_adj"]).unwrap();
            if (p_adj - 0.05).abs() > 0.04 {
                assert_eq!(Some(found.drifted), theirs["drifted"].as_bool(), "{place}");
            }
            n_compared += 1;
        }
        for theirs in golden.calibrated["missing"].as_array().unwrap() {
            let all = missing(&golden.reference, &golden.current, &settings(&golden));
            let name = theirs["column"].as_str().unwrap();
            let found = all.iter().find(|one| one.column == name).unwrap();
            for (ours, key) in [(found.p, "p"), (found.p_adj, "p_adj"), (found.effect, "effect")] {
                let theirs = number(&theirs[key]).unwrap();
                assert!(
                    (ours - theirs).abs() <= 1e-9 * theirs.abs() + 1e-300,
                    "{} {name} {key}: {ours} {theirs}",
                    golden.name
                );
            }
            assert_eq!(
                Some(found.drifted),
                theirs["drifted"].as_bool(),
                "{} {name}",
                golden.name
            );
        }
    }
    assert!(n_compared > 120, "{n_compared}");
}

fn numbers(name: &str, values: &[f64]) -> ColumnSketch {
    let counted = NumberSketch::of(values.iter().copied(), false, &mut Scratch::default());
    ColumnSketch {
        name: name.to_owned(),
        n_rows: values.len() as u64,
        n_missing: counted.n_missing,
        n_infinite: counted.n_infinite,
        seen: counted.sketch.map_or(Seen::Empty, Seen::Numbers),
    }
}

fn of_two(before: &[ColumnSketch], after: &[ColumnSketch], settings: &Settings) -> Vec<ColumnDrift> {
    columns(before, after, settings, |_| Role::Feature, |_| Beside::default())
}

/// Roughly normal: the sum of twelve uniform numbers.
fn normal(n: usize, shift: f64, rng: &mut Rng) -> Vec<f64> {
    let uniform = |rng: &mut Rng| rng.below(1 << 30) as f64 / f64::from(1 << 30);
    (0..n)
        .map(|_| (0..12).map(|_| uniform(rng)).sum::<f64>() - 6.0 + shift)
        .collect()
}

#[test]
fn the_same_data_never_drifts() {
    for golden in golden::pairs() {
        let same = columns(
            &golden.reference,
            &golden.reference,
            &settings(&golden),
            |_| Role::Feature,
            |_| Beside::default(),
        );
        for column in same {
            assert!(!column.has_changed(), "{} {}", golden.name, column.column);
            if column.kind != Kind::Text {
                assert!(
                    column.p.is_none_or(|p| p >= 1.0 - 1e-9),
                    "{} {}: {:?}",
                    golden.name,
                    column.column,
                    column.p
                );
                assert!(column.effect.is_none_or(|effect| effect <= 1e-12));
            }
        }
    }
}

#[test]
fn one_moved_column_among_a_hundred_is_found_by_its_location() {
    let mut rng = Rng::new(7);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for at in 0..100 {
        let shift = if at == 17 { 0.5 } else { 0.0 };
        before.push(numbers(&format!("c{at}"), &normal(296, 0.0, &mut rng)));
        after.push(numbers(&format!("c{at}"), &normal(146, shift, &mut rng)));
    }
    let found = of_two(&before, &after, &Settings::default());
    let changed: Vec<&str> = found
        .iter()
        .filter(|column| column.has_changed())
        .map(|column| column.column.as_str())
        .collect();
    assert_eq!(changed, ["c17"]);
    assert!(found[17].location.unwrap().moved);
}

#[test]
fn few_rows_are_inconclusive_and_bad_columns_hide_no_other() {
    let before = [
        numbers("x", &[1.0; 30]),
        numbers("gone", &[f64::NAN; 30]),
        numbers("few", &[1.0, 2.0, 3.0]),
        numbers("odd", &[f64::INFINITY; 30]),
    ];
    let mut mixed = numbers("mixed", &[1.0; 30]);
    let mut after = before.to_vec();
    after[0] = numbers("x", &[2.0; 30]);
    after[2] = numbers("few", &[100.0, 200.0, 300.0]);
    mixed.seen = Seen::Texts(TextSketch::of([("a", 30)]));
    let (mut before, mixed_before) = (before.to_vec(), numbers("mixed", &[1.0; 30]));
    before.push(mixed_before);
    after.push(mixed);
    let found = of_two(&before, &after, &Settings::default());
    let said: Vec<String> = found
        .iter()
        .map(|column| format!("{}: {}, drifted {}", column.column, column.status, column.drifted))
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    x: computed, drifted true
    gone: skipped: empty_reference, drifted false
    few: inconclusive: fewer than 20 rows, drifted false
    odd: skipped: empty_reference, drifted false
    mixed: skipped: type_mismatch, drifted false
    ");
}
