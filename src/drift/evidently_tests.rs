use proptest::prelude::*;

use super::*;
use crate::drift::golden::{self, Expected, Golden};
use crate::drift::sketch::{NumberSketch, Scratch, TextSketch};

fn settings(golden: &Golden) -> Settings {
    let overridden = golden.columns.iter().filter(|declared| declared.is_overridden);
    Settings {
        kinds: overridden
            .map(|declared| (declared.column.clone(), declared.kind))
            .collect(),
        ..Settings::default()
    }
}

fn find<'a>(side: &'a [ColumnSketch], name: &str) -> Option<&'a ColumnSketch> {
    side.iter().find(|column| column.name == name)
}

/// Kinds, default tests, scores and verdicts of every column of every pair.
#[test]
fn defaults_are_those_of_evidently() {
    let (mut complaints, mut n_scores) = (Vec::new(), 0);
    for golden in golden::pairs() {
        let (columns, _) = compare(&golden.reference, &golden.current, &settings(&golden));
        assert_eq!(columns.len(), golden.columns.len());
        for check in golden.checks.iter().filter(|check| check.is_default) {
            let column = columns.iter().find(|column| column.column == check.column).unwrap();
            if let Expected::Score { .. } = check.expected {
                n_scores += 1;
                if column.test != check.test {
                    complaints.push(format!("{} {:?} for {:?}", check.column, column.test, check.test));
                }
            }
            let found = check.complaint(column.score, column.drifted);
            complaints.extend(found.map(|found| format!("{}: {found}", golden.name)));
            assert_eq!(column.status == "computed", column.score.is_some(), "{}", column.status);
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(n_scores > 130, "{n_scores}");
}

/// Every test of categories that was asked for by name; those of numbers are held against the same values beside them.
#[test]
fn named_tests_are_those_of_evidently() {
    let (mut complaints, mut n_scores) = (Vec::new(), 0);
    for golden in golden::pairs() {
        let named = golden
            .checks
            .iter()
            .filter(|check| !check.is_default && check.kind != Kind::Num);
        for check in named {
            let test = table::test(check.test.as_deref().unwrap()).unwrap();
            let sides = Sides::of(
                check.kind,
                find(&golden.reference, &check.column),
                find(&golden.current, &check.column),
            );
            let score = |sides: &Sides| sides.run(test, 0).ok().map(|outcome| outcome.score);
            let score = sides.as_ref().ok().and_then(score);
            if let Expected::Score { score: wanted, .. } = check.expected {
                n_scores += 1;
                // Our rule for one value on both sides stands where Evidently has no number.
                if wanted.is_nan() && sides.as_ref().is_ok_and(|sides| sides.pair.is_one_value()) {
                    assert!(score.is_some_and(|score| (score - 1.0).abs() <= 0.0), "{test:?}");
                    continue;
                }
            }
            let n = sides.as_ref().map_or([0, 0], |sides| sides.pair.n());
            let drifted = score.is_some_and(|score| is_drift(test, score, test.threshold, n));
            let found = check.complaint(score, drifted);
            complaints.extend(found.map(|found| format!("{}: {found}", golden.name)));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(n_scores > 200, "{n_scores}");
}

/// `DataDriftPreset` on the columns that do not make it fail.
#[test]
fn data_sets_are_those_of_evidently() {
    let mut shown = Vec::new();
    for golden in golden::pairs() {
        let dropped: Vec<&str> = golden.dataset["dropped_columns"]
            .as_array()
            .map_or_else(Vec::new, |names| {
                names.iter().filter_map(|name| name.as_str()).collect()
            });
        let keep = |side: &[ColumnSketch]| -> Vec<ColumnSketch> {
            // The date column drifts as text there, and is no distribution here.
            let kept = |column: &&ColumnSketch| !dropped.contains(&column.name.as_str()) && column.name != "date";
            side.iter().filter(kept).cloned().collect()
        };
        let (columns, dataset) = compare(&keep(&golden.reference), &keep(&golden.current), &settings(&golden));
        let dates = usize::from(golden.columns.iter().any(|declared| declared.column == "date"));
        let number = |key: &str| usize::try_from(golden.dataset[key].as_u64().unwrap()).unwrap();
        // Numbers beyond 2^53 are not compared.
        let beyond = columns
            .iter()
            .filter(|column| column.column == "big_int" && column.drifted)
            .count();
        let wanted = golden.dataset["columns"].as_array().unwrap();
        let wanted_beyond = wanted
            .iter()
            .filter(|row| row["column"] == "big_int" && row["drifted"] == true)
            .count();
        assert_eq!(dataset.tested + dates, number("number_of_columns"), "{}", golden.name);
        assert_eq!(
            dataset.drifted - beyond + dates,
            number("number_of_drifted_columns") - wanted_beyond,
            "{}",
            golden.name
        );
        if dates == 0 {
            assert_eq!(
                dataset.drift,
                golden.dataset["dataset_drift"].as_bool().unwrap(),
                "{}",
                golden.name
            );
        }
        shown.push(format!("{} {}/{}", golden.name, dataset.drifted, dataset.tested));
    }
    insta::assert_snapshot!(shown.join("\n"), @"
    anes96-age 7/10
    breast-cancer-diagnosis 10/10
    diabetes-sex 7/10
    diamonds-color 8/9
    edge-large 8/21
    edge-mixed 6/21
    edge-tiny 5/21
    macro-1984 7/10
    penguins-year 1/7
    seattle-weather-year 3/5
    txhousing-era 5/7
    ");
}

/// The whole of a pair where Evidently ends with an error: every column has its status.
#[test]
fn a_bad_column_hides_no_other() {
    let golden = golden::pair("edge-mixed");
    let (columns, dataset) = compare(&golden.reference, &golden.current, &settings(&golden));
    let lines: Vec<String> = columns
        .iter()
        .map(|column| {
            let score = column.score.map_or_else(String::new, |score| format!(" {score:.4}"));
            let test = column.test.as_deref().unwrap_or("-");
            let drifted = if column.drifted { " drifted" } else { "" };
            format!(
                "{} {:?} {} {test}{score}{drifted}",
                column.column, column.kind, column.status
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    plain Num computed ks 0.4227
    constant_same Num computed z 1.0000
    constant_diff Num computed z 0.0000 drifted
    constant_ref_only Num computed ks 0.0000 drifted
    constant_cat Cat computed z 1.0000
    all_missing_both Num skipped: empty_reference -
    all_missing_ref Num skipped: empty_reference -
    all_missing_cur Num skipped: empty_current -
    half_missing Num computed ks 0.1190
    with_inf Num computed ks 0.3807
    with_inf_and_missing Num computed ks 0.3653
    bool_col Cat computed z 1.0000
    bool_missing Cat computed z 0.4910
    int_as_cat Cat computed chisquare 0.0658
    int_11_values Num computed ks 0.6864
    int_with_missing Num computed chisquare 0.8441
    cat_unseen Cat computed z 0.0050 drifted
    cat_vanished Cat computed chisquare 0.0000 drifted
    cat_na_literal Cat computed z 1.0000
    cat_case Cat computed chisquare 0.0000 drifted
    high_card_id Text skipped: identifier -
    date_iso Datetime skipped: datetime -
    date_time Datetime skipped: datetime -
    größe_данные_温度 Num computed ks 0.4227
    quote "and", comma Cat computed z 1.0000
    huge Num computed ks 0.6864
    tiny Num computed ks 0.6864
    neg_zero Num computed z 1.0000
    big_int Num computed ks 0.0135 drifted
    type_change Cat computed chisquare 0.0000 drifted
    only_in_reference Num skipped: missing_in_current -
    only_in_current Num skipped: missing_in_reference -
    "#);
    // Texts where there were numbers drift, as Evidently has it, and say why.
    assert_eq!((dataset.tested, dataset.drifted, dataset.drift), (24, 7, false));
    let of = |name: &str| columns.iter().find(|column| column.column == name).unwrap();
    assert_eq!(of("with_inf").infinite, [9, 6]);
    assert_eq!(
        (of("with_inf_and_missing").n, of("with_inf_and_missing").missing),
        ([45, 30], [6, 4])
    );
    assert_eq!(of("cat_unseen").new_categories, [("Emperor".to_owned(), 5)]);
    assert_eq!(of("cat_vanished").lost_categories.len(), 1);
    assert_eq!(of("type_change").notes.len(), 1);
}

fn column(name: &str, values: &[f64], is_whole: bool) -> ColumnSketch {
    let counted = NumberSketch::of(values.iter().copied(), is_whole, &mut Scratch::default());
    ColumnSketch {
        name: name.to_owned(),
        n_rows: values.len() as u64,
        n_missing: counted.n_missing,
        n_infinite: counted.n_infinite,
        seen: counted.sketch.map_or(Seen::Empty, Seen::Numbers),
    }
}

fn texts(name: &str, levels: &[(&str, u64)]) -> ColumnSketch {
    ColumnSketch {
        name: name.to_owned(),
        n_rows: levels.iter().map(|(_, count)| count).sum(),
        n_missing: 0,
        n_infinite: 0,
        seen: Seen::Texts(TextSketch {
            levels: levels.iter().map(|(level, _)| (*level).to_owned()).collect(),
            counts: levels.iter().map(|(_, count)| *count).collect(),
            n_other: 0,
            n_distinct: levels.len() as u64,
        }),
    }
}

fn ramp(n: u32, by: f64) -> Vec<f64> {
    (0..n).map(|index| f64::from(index) * 0.37 + by).collect()
}

#[test]
fn what_is_said_for_a_column_counts_before_its_kind_and_all() {
    let reference = [column("x", &ramp(50, 0.0), false), texts("c", &[("a", 30), ("b", 20)])];
    let current = [column("x", &ramp(50, 1.0), false), texts("c", &[("a", 20), ("b", 30)])];
    let name = |name: &str| table::test(name).unwrap();
    let mut settings = Settings::default();
    settings.tests.all = Some(name("psi"));
    let tests = |settings: &Settings| -> Vec<Option<String>> {
        let (columns, _) = compare(&reference, &current, settings);
        columns.into_iter().map(|column| column.test).collect()
    };
    let text = |names: [&str; 2]| names.map(|name| Some(name.to_owned())).to_vec();
    assert_eq!(tests(&settings), text(["psi", "psi"]));
    settings.tests.per_kind.insert(Kind::Cat, name("g_test"));
    assert_eq!(tests(&settings), text(["psi", "g_test"]));
    settings.tests.per_column.insert("c".to_owned(), name("fisher_exact"));
    assert_eq!(tests(&settings), text(["psi", "fisher_exact"]));

    settings.thresholds.all = Some(1e9);
    settings.thresholds.per_kind.insert(Kind::Cat, 0.5);
    let (columns, dataset) = compare(&reference, &current, &settings);
    assert_eq!((columns[0].threshold, columns[1].threshold), (Some(1e9), Some(0.5)));
    assert_eq!((columns[0].drifted, columns[1].drifted), (false, true));
    assert!(dataset.drift && (dataset.share - 0.5).abs() <= 0.0);
    settings.drift_share = 0.51;
    assert!(!compare(&reference, &current, &settings).1.drift);
}

#[test]
fn a_test_that_does_not_fit_is_said_and_not_counted() {
    let reference = [column("x", &ramp(50, 0.0), false), texts("c", &[("a", 30), ("b", 20)])];
    let mut settings = Settings::default();
    settings.tests.all = table::test("ks");
    let (columns, dataset) = compare(&reference, &reference, &settings);
    assert_eq!(columns[1].status, "skipped: `ks` is no test of cat columns");
    assert_eq!((dataset.tested, dataset.drifted), (1, 0));
    settings.kinds.insert("c".to_owned(), Kind::Num);
    assert_eq!(
        compare(&reference, &reference, &settings).0[1].status,
        "skipped: unknown"
    );
    let (columns, dataset) = compare(&[], &[], &Settings::default());
    assert!(columns.is_empty() && !dataset.drift && dataset.share <= 0.0);
}

#[test]
fn booleans_are_the_numbers_0_and_1() {
    let booleans = ColumnSketch {
        seen: Seen::Booleans([30, 20]),
        ..column("x", &[], false)
    };
    let whole: Vec<f64> = (0..50).map(|index| f64::from(u8::from(index >= 30))).collect();
    for (kind, numbers) in [
        (Kind::Cat, column("x", &whole, true)),
        (Kind::Num, column("x", &whole, false)),
    ] {
        let (columns, _) = compare(std::slice::from_ref(&booleans), &[numbers], &Settings::default());
        assert_eq!((columns[0].kind, columns[0].status.as_str()), (kind, "computed"));
        assert!(
            columns[0].score.is_some_and(|p| (p - 1.0).abs() < 1e-12),
            "{:?}",
            columns[0]
        );
    }
    let numbers = kinds::pair(Kind::Cat, &booleans, &booleans).unwrap();
    assert!(matches!(numbers, Pair::Categories(found) if found.labels == ["false", "true"]));
}

/// Texts that drift, and texts that do not, by the rule that holds for the size of the reference.
#[test]
fn texts_are_compared() {
    let sentence = |from: usize, index: usize| {
        let words = [
            "red", "green", "blue", "old", "new", "car", "boat", "plane", "fast", "slow", "big", "small",
        ];
        let word = |step: usize| words[from + (index * (step + 3) + step * step) % 6];
        format!("{} {} {} {index}", word(1), word(2), word(3))
    };
    let side = |from: usize, start: usize, n: usize| {
        let mut all: Vec<String> = (start..start + n).map(|index| sentence(from, index)).collect();
        all.sort();
        let levels: Vec<(&str, u64)> = all.iter().map(|text| (text.as_str(), 1)).collect();
        texts("t", &levels)
    };
    let (columns, _) = compare(&[side(0, 0, 200)], &[side(6, 500, 150)], &Settings::default());
    assert_eq!(columns[0].test.as_deref(), Some("perc_text_content_drift"));
    assert!(
        columns[0].drifted && columns[0].score.unwrap() > 0.95,
        "{:?}",
        columns[0]
    );
    assert_eq!(columns[0].notes.len(), 1);
    let (columns, _) = compare(&[side(0, 0, 1200)], &[side(0, 2000, 150)], &Settings::default());
    assert_eq!(columns[0].test.as_deref(), Some("abs_text_content_drift"));
    assert!(!columns[0].drifted, "{:?}", columns[0]);
    // Evidently's AUC of the dates of Seattle, taken as texts, is 1.
    let golden = golden::pair("seattle-weather-year");
    let mut settings = Settings::default();
    settings.kinds.insert("date".to_owned(), Kind::Text);
    let (columns, _) = compare(&golden.reference[..1], &golden.current[..1], &settings);
    assert_eq!(columns[0].status, "skipped: identifier");
    let pair = kinds::pair(Kind::Text, &golden.reference[0], &golden.current[0]).unwrap();
    assert!(text::ABSOLUTE.kinds == [Kind::Text] && (text::ABSOLUTE.run)(&pair, 0).unwrap().score > 0.9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the two sides hold, every test has a number or a reason, and order of rows is nothing to it.
    #[test]
    fn no_score_is_no_number(
        a in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(1e300), Just(1e-300), -3.0..3.0_f64], 1..12),
        b in prop::collection::vec(prop_oneof![Just(f64::INFINITY), Just(0.0), Just(-1e300), -3.0..3.0_f64], 1..12),
        is_whole: bool,
    ) {
        let (reference, current) = (column("x", &a, is_whole), column("x", &b, is_whole));
        for kind in [Kind::Num, Kind::Cat] {
            let Ok(sides) = Sides::of(kind, Some(&reference), Some(&current)) else { continue };
            for (test, found) in sides.all_tests(1) {
                if let Ok(outcome) = found {
                    prop_assert!(!outcome.score.is_nan(), "{:?}", test);
                    prop_assert!(test.score != ScoreKind::PValue || (0.0..=1.0).contains(&outcome.score), "{:?}", test);
                }
            }
        }
        let (columns, dataset) = compare(&[reference], &[current], &Settings::default());
        prop_assert!(columns.len() == 1 && dataset.tested <= 1 && dataset.share.is_finite());
    }
}
