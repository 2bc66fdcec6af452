//! The numbers of evidently, and what is said about real data.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::statistics::ValueSummary;
use super::*;
use crate::data::testing::{frame, numbers, texts};
use crate::data::{ColumnType, Frame, read_source};

fn read(folder: &str, file: &str) -> Frame {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    read_source(&root, file, &BTreeMap::new()).unwrap().frame
}

/// Each metric of evidently that has the same definition here, by its name there.
fn ours(stats: &DatasetStats) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    let mut put = |name: String, value: f64| {
        all.insert(name, value);
    };
    for (name, n) in [
        ("RowCount()", stats.n_rows),
        ("ColumnCount()", stats.n_columns),
        ("ColumnCount(column_type=ColumnType.Numerical)", stats.n_number_columns),
        (
            "ColumnCount(column_type=ColumnType.Categorical)",
            stats.n_category_columns,
        ),
        ("ColumnCount(column_type=ColumnType.Datetime)", stats.n_time_columns),
        ("ColumnCount(column_type=ColumnType.Text)", stats.n_text_columns),
        ("DuplicatedRowCount()", stats.n_duplicated_rows),
        ("DuplicatedColumnsCount()", stats.n_duplicated_columns),
        ("AlmostDuplicatedColumnsCount()", stats.n_almost_duplicated_columns),
        ("AlmostConstantColumnsCount()", stats.n_almost_constant_columns),
        ("EmptyRowsCount()", stats.n_empty_rows),
        ("EmptyColumnsCount()", stats.n_empty_columns),
        ("ConstantColumnsCount()", stats.n_constant_columns),
        ("DatasetMissingValueCount()", stats.n_missing_cells),
    ] {
        put(name.to_owned(), n as f64);
    }
    for column in &stats.columns {
        let name = &column.column;
        put(format!("MissingValueCount(column={name})"), column.n_missing as f64);
        put(format!("MissingValueCount(column={name}).share"), column.share_missing);
        match &column.values {
            ValueSummary::Numbers {
                min,
                max,
                mean,
                sd,
                quartiles,
            } => {
                put(format!("MinValue(column={name})"), *min);
                put(format!("MaxValue(column={name})"), *max);
                put(format!("MeanValue(column={name})"), *mean);
                put(format!("StdValue(column={name})"), sd.unwrap_or(f64::NAN));
                for (level, value) in ["0.25", "0.5", "0.75"].into_iter().zip(quartiles) {
                    put(format!("QuantileValue(column={name},quantile={level})"), *value);
                }
            }
            ValueSummary::Categories { counts, .. } => {
                for (value, count) in counts {
                    put(format!("UniqueValueCount(column={name}).{value}"), *count as f64);
                }
            }
            ValueSummary::Empty | ValueSummary::Times { .. } | ValueSummary::Texts => {}
        }
    }
    all
}

#[test]
fn statistics_are_those_of_evidently() {
    let mut n_compared = 0;
    for case in ["penguins-summary", "msleep-summary"] {
        let folder = format!("drift/quality/{case}");
        let stats = statistics(&read(&folder, "current.csv"));
        let ours = ours(&stats);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(&folder);
        let bytes = crate::sys::read(&path.join("expected.json"), 1 << 20).unwrap();
        let expected: Value = serde_json::from_slice(&bytes).unwrap();
        for metric in expected["current_only"]["metrics"].as_array().unwrap() {
            let name = metric["name"].as_str().unwrap();
            let mut compare = |name: &str, expected: f64| {
                let found = *ours.get(name).unwrap_or_else(|| panic!("{case}: {name}"));
                assert!(
                    (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
                    "{case}: {name}: {found}, not {expected}"
                );
                n_compared += 1;
            };
            match &metric["value"] {
                Value::Number(value) => compare(name, value.as_f64().unwrap()),
                Value::Object(value) if value.contains_key("count") => {
                    compare(name, value["count"].as_f64().unwrap());
                    // The share of the data set is one of rows there, and may be more than 1.
                    if !name.starts_with("Dataset") {
                        compare(&format!("{name}.share"), value["share"].as_f64().unwrap());
                    }
                }
                Value::Object(value) => {
                    let counts = value["counts"].as_object().unwrap();
                    // Missing cells are a value of their own there, with no rows.
                    for (level, count) in counts.iter().filter(|(level, _)| *level != "nan") {
                        compare(&format!("{name}.{level}"), count.as_f64().unwrap());
                    }
                }
                // An empty column has no least value; it is `Empty` here.
                other => assert_eq!(
                    (other.as_str(), name.contains("column=empty")),
                    (Some("NaN"), true),
                    "{name}"
                ),
            }
        }
    }
    assert!(n_compared > 150, "{n_compared}");
}

#[test]
fn shares_are_of_cells() {
    let stats = statistics(&read("drift/quality/msleep-summary", "current.csv"));
    assert_eq!((stats.n_missing_cells, stats.n_rows, stats.n_columns), (132, 43, 14));
    assert!((stats.share_missing - 132.0 / (43.0 * 14.0)).abs() < 1e-15);
}

#[test]
fn tables_of_nothing_have_statistics() {
    let none = statistics(&frame(vec![numbers("x", &[]), texts("t", &[])]));
    assert_eq!(
        (none.n_rows, none.n_duplicated_columns, none.n_almost_constant_columns),
        (0, 0, 0)
    );
    assert!(none.share_missing.abs() < f64::EPSILON);
    let one = statistics(&frame(vec![numbers("x", &[3.5])]));
    let ValueSummary::Numbers { sd, mean, .. } = one.columns[0].values else {
        panic!("{one:?}")
    };
    assert_eq!((sd, mean.total_cmp(&3.5)), (None, std::cmp::Ordering::Equal));
    let wild = statistics(&frame(vec![numbers("x", &[f64::INFINITY, f64::NAN, 1e300, -1e300])]));
    assert_eq!((wild.columns[0].n_infinite, wild.columns[0].n_missing), (1, 1));
    assert!(serde_json::to_string(&wild).is_ok_and(|text| !text.contains("null")));
    assert_eq!(
        quality(
            &frame(vec![numbers("x", &[])]),
            &[Role::Feature],
            &QualitySettings::default()
        ),
        []
    );
}

#[test]
fn columns_that_are_nearly_the_same() {
    let a: Vec<f64> = (0..40).map(|i| f64::from(i) + 0.5).collect();
    let mut b = a.clone();
    b[3] = 0.25;
    b[7] = f64::NAN;
    let mut c = a.clone();
    c[..3].fill(-1.5);
    let stats = statistics(&frame(vec![
        numbers("a", &a),
        numbers("b", &b),
        numbers("c", &c),
        numbers("d", &a),
    ]));
    // `a` and `d` are also almost the same; 37 of 40 are too few.
    assert_eq!(stats.n_compared_columns, 4);
    assert_eq!((stats.n_duplicated_columns, stats.n_almost_duplicated_columns), (1, 3));
}

fn told(frame: &Frame, target: &str, settings: &QualitySettings<'_>) -> String {
    let role = |column: &Column| {
        if column.name == target {
            Role::Target
        } else {
            Role::Feature
        }
    };
    let roles: Vec<Role> = frame.columns().iter().map(role).collect();
    let found = quality(frame, &roles, settings);
    let shown = found.iter().map(|finding| {
        format!(
            "[{} {:?}] {}\n  {}",
            finding.code,
            finding.level,
            finding.message,
            finding.evidence.join("\n  ")
        )
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn real_data_is_told_in_few_words() {
    let settings = QualitySettings::default();
    let shown = [
        ("repos/diabetes/data", "diabetes.csv", "progression"),
        ("repos/breast-cancer/data", "wdbc.csv", "diagnosis"),
        ("repos/iris/data", "iris.csv", "species"),
        ("repos/python-poetry/data", "wine.csv", "cultivar"),
        ("data", "penguins.csv", "species"),
        ("drift/quality/msleep-summary", "current.csv", "vore"),
    ]
    .map(|(folder, file, target)| format!("{file}\n{}", told(&read(folder, file), target, &settings)));
    insta::assert_snapshot!(shown.join("\n\n"), @r"
    diabetes.csv


    wdbc.csv
    [outliers Info] 1 value of `worst_symmetry` (0.2 %) is far from the others, such as 0.6638, where half of them lie between 0.2504 and 0.3179; check units and typing, or bound it by `range` in the contract
      wdbc.csv:5: worst_symmetry = 0.6638
    [outliers Info] 1 value of `worst_fractal_dimension` (0.2 %) is far from the others, such as 0.2075, where half of them lie between 0.07146 and 0.09208; check units and typing, or bound it by `range` in the contract
      wdbc.csv:11: worst_fractal_dimension = 0.2075

    iris.csv
    [duplicate-rows Info] 1 row (0.7 %) is the same as an earlier one in every column; remove what was recorded twice, or a model is judged on rows that it has seen
      iris.csv:144 is the same as iris.csv:103

    wine.csv


    penguins.csv


    current.csv
    [missing-values Warn] `sleep_cycle` is missing in 31 rows (72.1 %); what is filled in weighs more than what is known; exclude it, or replace it by whether it is known
      current.csv:2: sleep_cycle = missing
      current.csv:3: sleep_cycle = missing
      current.csv:4: sleep_cycle = missing
      current.csv:5: sleep_cycle = missing
      current.csv:7: sleep_cycle = missing
    [constant-column Warn] `const` is `1` in every row, so nothing can be learned from it; add it to `data.exclude`
      
    [empty-column Warn] `empty` has no value in any row; add it to `data.exclude`, or find out where it went
      
    [duplicate-column Warn] `dup` is the same as `awake` in every row; add one of them to `data.exclude`
      
    [missing-values Info] `vore` is missing in 6 rows (14 %); a limit such as `nulls: 20%` in the contract tells when it becomes more
      current.csv:13: vore = missing
      current.csv:15: vore = missing
      current.csv:16: vore = missing
      current.csv:21: vore = missing
      current.csv:27: vore = missing
    [missing-values Info] `conservation` is missing in 20 rows (46.5 %); a limit such as `nulls: 55%` in the contract tells when it becomes more
      current.csv:3: conservation = missing
      current.csv:8: conservation = missing
      current.csv:12: conservation = missing
      current.csv:15: conservation = missing
      current.csv:16: conservation = missing
    [missing-values Info] `sleep_rem` is missing in 16 rows (37.2 %); a limit such as `nulls: 45%` in the contract tells when it becomes more
      current.csv:2: sleep_rem = missing
      current.csv:3: sleep_rem = missing
      current.csv:5: sleep_rem = missing
      current.csv:9: sleep_rem = missing
      current.csv:10: sleep_rem = missing
    [missing-values Info] `brainwt` is missing in 16 rows (37.2 %); a limit such as `nulls: 45%` in the contract tells when it becomes more
      current.csv:2: brainwt = missing
      current.csv:4: brainwt = missing
      current.csv:5: brainwt = missing
      current.csv:9: brainwt = missing
      current.csv:11: brainwt = missing
    ");
}

#[test]
fn rows_that_contradict_each_other() {
    let x: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.5).collect();
    let mut x = x;
    x[30] = x[2];
    let mut y = ["ill", "well"].repeat(20);
    y[30] = "well";
    y[31] = "dead";
    let table = frame(vec![numbers("x", &x), texts("y", &y)]);
    insta::assert_snapshot!(told(&table, "y", &QualitySettings::default()), @r"
    [label-conflicts Warn] 2 rows have the same features as another row and a different `y`, in 1 group, so that every model answers at least 1 row (2.5 %) wrongly; check their labels, or add the feature that tells them apart
      data.csv:4: y = ill, data.csv:32: y = well
    [rare-classes Warn] 1 class of `y` has fewer than 10 rows and under a tenth of the most frequent one: `dead` (1 row); what is measured there is chance, so collect more such rows, merge classes, or leave them out
      data.csv:33: y = dead
    ");
    // A regression has no labels.
    let quantity = QualitySettings {
        task: Some(Task::Regression),
        ..QualitySettings::default()
    };
    assert_eq!(told(&table, "y", &quantity), "");
}

#[test]
fn copies_and_what_says_nothing() {
    let mut id = numbers("patient", &(0..60).map(|i| f64::from(100 + i)).collect::<Vec<_>>());
    id.kind = ColumnType::Integer;
    let x: Vec<f64> = (0..60).map(|i| f64::from(i % 17) * 1.25).collect();
    let mut mostly = vec![0.0; 60];
    mostly[5] = 1.5;
    let mut rare = vec![f64::NAN; 60];
    rare[0] = 2.5;
    let table = frame(vec![
        id,
        numbers("x", &x),
        numbers("same", &x),
        numbers("one", &[7.0; 60]),
        numbers("mostly", &mostly),
        numbers("rare", &rare),
        numbers("none", &[f64::NAN; 60]),
    ]);
    insta::assert_snapshot!(told(&table, "y", &QualitySettings::default()), @r"
    [identifier Warn] `patient` is another whole number in each of 60 rows, without wide gaps, which names the row rather than describes it; add it to `data.exclude`
      
    [constant-column Warn] `one` is `7` in every row, so nothing can be learned from it; add it to `data.exclude`
      
    [missing-values Warn] `rare` is missing in 59 rows (98.3 %); what is filled in weighs more than what is known; exclude it, or replace it by whether it is known
      data.csv:3: rare = missing
      data.csv:4: rare = missing
      data.csv:5: rare = missing
      data.csv:6: rare = missing
      data.csv:7: rare = missing
    [constant-column Warn] `rare` is `2.5` wherever it is known, so only whether it is known can be learned from it; make that a column of yes and no, or add it to `data.exclude`
      
    [empty-column Warn] `none` has no value in any row; add it to `data.exclude`, or find out where it went
      
    [duplicate-column Warn] `same` is the same as `x` in every row; add one of them to `data.exclude`
      
    [almost-constant Info] `mostly` is `0` in 98.3 % of all rows, and 1 row with another value is little to learn from
    ");
    let double = table.select(&(0..60).chain(0..3).collect::<Vec<_>>());
    assert!(told(&double, "y", &QualitySettings::default()).contains("3 rows (4.8 %) are the same"));
}

#[test]
fn many_columns_have_few_findings() {
    let table = frame((0..40).map(|i| numbers(&format!("c{i}"), &[f64::from(i); 5])).collect());
    let told = told(&table, "y", &QualitySettings::default());
    assert_eq!(told.matches("[constant-column").count(), 9, "{told}");
    assert!(told.contains("32 more columns"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_table_is_told_without_a_panic_or_nan(
        cells in prop::collection::vec((prop::num::f64::ANY, "[ab?1 ]{0,2}", any::<bool>()), 0..50),
    ) {
        let x: Vec<f64> = cells.iter().map(|(x, ..)| *x).collect();
        let t: Vec<&str> = cells.iter().map(|(_, t, _)| t.as_str()).collect();
        let mut time = numbers("when", &x);
        time.kind = ColumnType::Timestamp;
        let mut yes = numbers("yes", &cells.iter().map(|(.., yes)| f64::from(*yes)).collect::<Vec<_>>());
        yes.kind = ColumnType::Boolean;
        let table = frame(vec![numbers("x", &x), texts("t", &t), time, yes]);
        let settings = QualitySettings { now: Some(0.0), ..QualitySettings::default() };
        for target in ["x", "t", "yes"] {
            prop_assert!(!told(&table, target, &settings).contains("NaN"));
        }
        let stats = serde_json::to_string(&statistics(&table)).unwrap();
        // JSON has no NaN: it would be `null`, which only a single value's spread is.
        prop_assert!(!stats.replace("\"sd\":null", "").contains("null"), "{}", stats);
    }

    #[test]
    fn statistics_do_not_depend_on_the_order_of_rows(cells in prop::collection::vec((0..5_i32, "[ab]{0,1}"), 1..40)) {
        let x: Vec<f64> = cells.iter().map(|(x, _)| f64::from(*x)).collect();
        let t: Vec<&str> = cells.iter().map(|(_, t)| t.as_str()).collect();
        let table = frame(vec![numbers("x", &x), texts("t", &t)]);
        let reversed: Vec<usize> = (0..cells.len()).rev().collect();
        prop_assert_eq!(statistics(&table), statistics(&table.select(&reversed)));
    }
}
