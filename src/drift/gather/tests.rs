//! Portions against whole tables, and sketches against exact distributions.

use proptest::prelude::*;

use super::*;
use crate::data::testing::{frame, numbers, texts};
use crate::data::{MISSING, ordered};
use crate::drift::quantiles::Quantiles;
use crate::stats::Rng;

/// The frame in portions of `n` rows, each with levels of its own.
fn gather(frame: &Frame, n: usize, limits: Limits) -> Gathered {
    let mut gather = Gather::new(limits);
    for start in (0..frame.n_rows()).step_by(n) {
        let rows: Vec<usize> = (start..frame.n_rows().min(start + n)).collect();
        gather.take(Portion::Rows(&frame.select(&rows)));
    }
    gather.finish(&BTreeMap::new())
}

fn column(name: &str, kind: ColumnType, values: Vec<f64>) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        values: Values::Numbers(values),
    }
}

/// A missing number is not equal to itself, its text is.
fn same(a: &Gathered, b: &Gathered) -> bool {
    (a.n_rows, &a.columns) == (b.n_rows, &b.columns) && format!("{:?}", a.sample) == format!("{:?}", b.sample)
}

/// Every sort of column.
fn mixed(n: usize) -> Frame {
    let mut rng = Rng::new(5);
    let mut draw = |of: fn(f64) -> f64| -> Vec<f64> { (0..n).map(|_| of(rng.unit())).collect() };
    let words = ["red", "green", "", "blue"];
    let words: Vec<&str> = draw(|u| u)
        .iter()
        .map(|u| words[usize::from(*u < 0.5) + 2 * usize::from(*u < 0.2)])
        .collect();
    frame(vec![
        column("smooth", ColumnType::Float, draw(|u| (u - 0.5).tan())),
        column("whole", ColumnType::Integer, draw(|u| (u * 50.0).floor())),
        column(
            "gaps",
            ColumnType::Integer,
            draw(|u| if u < 0.3 { f64::NAN } else { (u * 9.0).floor() }),
        ),
        column("flag", ColumnType::Boolean, draw(|u| f64::from(u < 0.2))),
        column("when", ColumnType::Timestamp, draw(|u| (u * 1e9).floor())),
        column("empty", ColumnType::Float, vec![f64::NAN; n]),
        texts("word", &words),
    ])
}

#[test]
fn portions_make_what_the_whole_makes() {
    for n in [1, 20, 5000] {
        let table = mixed(n);
        let whole = Gathered::of(&table, &BTreeMap::new(), Limits::default());
        for portion in [1, 7, 4096, 10_000] {
            let found = gather(&table, portion, Limits::default());
            assert!(same(&found, &whole), "{n} rows in portions of {portion}");
        }
    }
}

#[test]
fn columns_are_what_they_hold() {
    let table = frame(vec![
        numbers("whole", &[3.0, -0.0, 0.0, 3.0]),
        numbers("gap", &[3.0, f64::NAN, 0.0, 3.0]),
        column(
            "endless",
            ColumnType::Float,
            vec![f64::INFINITY, f64::NAN, 1.0, f64::NEG_INFINITY],
        ),
        column("flag", ColumnType::Boolean, vec![1.0, f64::NAN, 0.0, 1.0]),
        texts("word", &["b", "a", "", "b"]),
        texts("nothing", &["", "", "", ""]),
    ]);
    let infinite = BTreeMap::from([("gap".to_owned(), 1)]);
    let found = Gathered::of(&table, &infinite, Limits::default());
    let mut portions = Gather::new(Limits::default());
    portions.push(&table);
    assert!(same(&portions.finish(&infinite), &found));
    let told: Vec<String> = found
        .columns
        .iter()
        .map(|column| {
            let seen = match &column.seen {
                Seen::Numbers(sketch) => format!("{:?} {:?} {}", sketch.values, sketch.counts, sketch.is_integer),
                other => format!("{other:?}"),
            };
            format!("{} {} {}: {seen}", column.name, column.n_missing, column.n_infinite)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    whole 0 0: [0.0, 3.0] [2, 2] true
    gap 0 1: [0.0, 3.0] [1, 2] false
    endless 1 2: [1.0] [] false
    flag 1 0: Booleans([1, 2])
    word 1 0: Texts(TextSketch { levels: ["a", "b"], counts: [1, 2], n_other: 0, n_distinct: 2 })
    nothing 4 0: Empty
    "#);
}

#[test]
fn no_rows_and_rows_that_come_anew() {
    let table = mixed(100);
    let empty = table.select(&[]);
    let whole = Gathered::of(&table, &BTreeMap::new(), Limits::default());
    let mut gather = Gather::new(Limits::default());
    gather.take(Portion::Rows(&empty));
    let nothing = Gathered::of(&empty, &BTreeMap::new(), Limits::default());
    assert_eq!((nothing.n_rows, nothing.sample.columns().len()), (0, 7));
    assert!(nothing.columns.iter().all(|column| column.seen == Seen::Empty));
    gather.take(Portion::Rows(&table.select(&[5, 6])));
    gather.take(Portion::Anew);
    gather.take(Portion::Rows(&table));
    assert!(same(&gather.finish(&BTreeMap::new()), &whole));
}

#[test]
fn a_column_that_begins_late_is_missing_before() {
    let mut gather = Gather::new(Limits::default());
    gather.push(&frame(vec![numbers("a", &[1.0, 2.0])]));
    gather.push(&frame(vec![texts("b", &["x", "y"]), numbers("a", &[3.0, 4.5])]));
    gather.push(&frame(vec![numbers("a", &[6.0])]));
    let found = gather.finish(&BTreeMap::new());
    let missing: Vec<u64> = found.columns.iter().map(|column| column.n_missing).collect();
    assert_eq!((found.n_rows, missing), (5, vec![0, 3]));
    let cells: Vec<_> = (0..5).map(|row| found.sample.columns()[1].label(row)).collect();
    assert_eq!(cells, [None, None, Some("x".into()), Some("y".into()), None]);
}

/// 300,000 numbers of each sort, in the order that is hardest for it.
fn hard() -> Vec<(&'static str, Vec<f64>)> {
    const N: usize = 300_000;
    let mut rng = Rng::new(11);
    let mut draw = |of: &dyn Fn(f64, usize) -> f64| -> Vec<f64> { (0..N).map(|row| of(rng.unit(), row)).collect() };
    vec![
        ("uniform", draw(&|u, _| u)),
        (
            "heavy tails",
            draw(&|u, _| (1.0 - u).powi(-4) * if u < 0.5 { -1.0 } else { 1.0 }),
        ),
        ("sorted", draw(&|_, row| row as f64)),
        ("falling", draw(&|_, row| -(row as f64))),
        (
            "zigzag",
            draw(&|_, row| if row % 2 == 0 { row as f64 } else { -(row as f64) }),
        ),
        ("outliers", draw(&|u, _| if u < 0.5 { 7.0 } else { 1e9 * u })),
        ("huge", draw(&|u, _| 1.7e308 * (2.0 * u - 1.0))),
        ("tiny", draw(&|u, _| 1e-300 * u)),
    ]
}

/// The greatest difference of the two distribution functions.
fn distance(a: &NumberSketch, b: &NumberSketch) -> f64 {
    let pair = crate::drift::pair::Numbers::merge(a, b);
    let (mut f, mut g, mut most) = (0, 0, 0.0_f64);
    for (m, n) in pair.reference.iter().zip(&pair.current) {
        f += m;
        g += n;
        most = most.max((f as f64 / a.moments.n as f64 - g as f64 / b.moments.n as f64).abs());
    }
    most
}

fn only(gathered: Gathered) -> NumberSketch {
    match gathered.columns.into_iter().next().unwrap().seen {
        Seen::Numbers(sketch) => sketch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_error_of_a_sketch_is_within_its_bound() {
    let limits = Limits {
        numbers: 100_000,
        ..Limits::default()
    };
    for (name, values) in hard() {
        let table = frame(vec![column("x", ColumnType::Float, values)]);
        let exact = only(Gathered::of(&table, &BTreeMap::new(), limits));
        for portion in [10_000, 65_536] {
            let sketch = only(gather(&table, portion, limits));
            let error = distance(&exact, &sketch);
            assert!(
                sketch.rank_error > 0.0 && sketch.rank_error <= 1e-3,
                "{name}: {}",
                sketch.rank_error
            );
            assert!(
                error <= sketch.rank_error + 1e-15,
                "{name}: {error} > {}",
                sketch.rank_error
            );
            assert!(sketch.values.len() < 60_000, "{name}: {}", sketch.values.len());
            let n: u64 = (0..sketch.values.len()).map(|at| sketch.count(at)).sum();
            let (found, wanted) = (sketch.moments, exact.moments);
            assert_eq!((n, found.n), (300_000, 300_000));
            assert_eq!(
                (found.min.to_bits(), found.max.to_bits()),
                (wanted.min.to_bits(), wanted.max.to_bits())
            );
            assert_eq!(sketch.values[0].to_bits(), wanted.min.to_bits());
            assert_eq!(sketch.values[sketch.values.len() - 1].to_bits(), wanted.max.to_bits());
            assert!(
                (found.sd / wanted.sd - 1.0).abs() < 1e-12,
                "{name}: {found:?} {wanted:?}"
            );
            assert!(
                (found.mean / wanted.sd - wanted.mean / wanted.sd).abs() < 1e-12,
                "{name}: {found:?} {wanted:?}"
            );
            assert!(sketch.values.is_sorted_by(|a, b| a < b) && sketch.values.iter().all(|value| value.is_finite()));
            assert_eq!(sketch, only(gather(&table, portion, limits)), "the same in every run");
        }
    }
}

#[test]
fn only_columns_with_many_numbers_become_sketches() {
    let n = 200_000;
    let mut rng = Rng::new(3);
    let table = frame(vec![
        column("a", ColumnType::Float, (0..n).map(|_| rng.unit()).collect()),
        column(
            "few",
            ColumnType::Integer,
            (0..n).map(|row| f64::from(row % 90)).collect(),
        ),
        column("b", ColumnType::Float, (0..n).map(|_| rng.unit()).collect()),
    ]);
    let limits = Limits {
        numbers: 250_000,
        ..Limits::default()
    };
    let found = gather(&table, 10_000, limits);
    let whole = Gathered::of(&table, &BTreeMap::new(), limits);
    let errors: Vec<bool> = found
        .columns
        .iter()
        .map(|column| matches!(&column.seen, Seen::Numbers(sketch) if sketch.rank_error > 0.0))
        .collect();
    assert_eq!(errors, [true, false, true]);
    assert_eq!(found.columns[1], whole.columns[1]);
    assert_eq!(found.sample, whole.sample);
    let roomy = Limits {
        numbers: 500_000,
        ..Limits::default()
    };
    assert_eq!(gather(&table, 10_000, roomy), whole);
}

#[test]
fn a_sketch_of_repeated_values_counts_every_row() {
    let mut sketch = Quantiles::new(0);
    let mut spare = Vec::new();
    let mut n = 0;
    for (at, count) in [(0_u32, 1_u64), (1, 5_000_000_000), (2, 3), (3, 77_777)] {
        sketch.add(ordered(f64::from(at)), count, &mut spare);
        n += count;
    }
    assert_eq!(sketch.rank_error().to_bits(), 0, "nothing was left out");
    let (keys, counts) = sketch.points();
    assert_eq!((keys.len(), counts.iter().sum::<u64>()), (4, n));
}

#[test]
fn frequent_texts_stay_when_there_are_too_many() {
    let n = 200_000;
    let label = |row: usize| match row % 10 {
        0 | 1 => "often".to_owned(),
        2 => "sometimes".to_owned(),
        _ => format!("once {row}"),
    };
    let limits = Limits {
        text_bytes: 1 << 20,
        ..Limits::default()
    };
    let mut gather = Gather::new(limits);
    for start in (0..n).step_by(5000) {
        let levels: Vec<String> = (start..start + 5000).map(label).collect();
        let mut unique = levels.clone();
        unique.sort();
        unique.dedup();
        let codes = levels
            .iter()
            .map(|level| u32::try_from(unique.binary_search(level).unwrap()).unwrap());
        gather.push(&frame(vec![Column {
            name: "t".to_owned(),
            kind: ColumnType::Text,
            values: Values::Texts {
                codes: codes.collect(),
                levels: unique,
            },
        }]));
    }
    let found = gather.finish(&BTreeMap::new());
    let Seen::Texts(texts) = &found.columns[0].seen else {
        panic!("{:?}", found.columns[0].seen)
    };
    let rows = |level: &str| texts.levels.binary_search(&level.to_owned()).map(|at| texts.counts[at]);
    assert_eq!((rows("often"), rows("sometimes")), (Ok(40_000), Ok(20_000)));
    assert!(texts.levels.len() < 20_000 && texts.levels.is_sorted());
    assert_eq!(texts.counts.iter().sum::<u64>() + texts.n_other, n as u64);
    // 140,002 distinct ones; three standard errors of 0.8 %.
    assert!(
        (texts.n_distinct as f64 / 140_002.0 - 1.0).abs() < 0.025,
        "{}",
        texts.n_distinct
    );
}

#[test]
fn a_sample_is_even_and_the_same_in_every_run() {
    let n = 100_000;
    let rows: Vec<f64> = (0..n).map(f64::from).collect();
    let words: Vec<String> = (0..n).map(|row| format!("w{row}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let codes = (0..words.len())
        .map(|code| u32::try_from(code).unwrap_or(MISSING))
        .collect();
    let word = Column {
        name: "word".to_owned(),
        kind: ColumnType::Text,
        values: Values::Texts {
            codes,
            levels: words.iter().map(|word| (*word).to_owned()).collect(),
        },
    };
    let table = frame(vec![column("row", ColumnType::Integer, rows), word]);
    let limits = Limits {
        sample_rows: 2000,
        ..Limits::default()
    };
    let sample = gather(&table, 1000, limits).sample;
    assert_eq!(sample, gather(&table, 33_333, limits).sample);
    let Values::Numbers(drawn) = &sample.columns()[0].values else {
        panic!()
    };
    assert_eq!((drawn.len(), sample.n_rows()), (2000, 2000));
    assert!(drawn.is_sorted_by(|a, b| a < b), "each row once, in order");
    assert!((0..2000).all(|row| sample.columns()[1].label(row).unwrap()[1..] == drawn[row].to_string()));
    let tenths: Vec<usize> = (0..10)
        .map(|tenth| f64::from(tenth) * 10_000.0)
        .map(|start| drawn.partition_point(|row| *row < start + 10_000.0) - drawn.partition_point(|row| *row < start))
        .collect();
    // Chi-square with 9 degrees of freedom: 27.9 is exceeded once in a thousand seeds.
    let chi2: f64 = tenths.iter().map(|count| (*count as f64 - 200.0).powi(2) / 200.0).sum();
    assert!(chi2 < 27.9, "{tenths:?}");
    let other = Limits { seed: 1, ..limits };
    assert_ne!(sample, gather(&table, 1000, other).sample);
    let few = Limits {
        sample_rows: 0,
        ..Limits::default()
    };
    assert_eq!(gather(&table, 1000, few).sample.n_rows(), 0);
}

proptest! {
    #[test]
    fn any_rows_in_any_portions(
        values in prop::collection::vec(
            prop::sample::select(vec![0.0, -0.0, 1.0, -3.0, 0.5, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, 1e-300, 5e-324]),
            1..80,
        ),
        n in 1_usize..30,
        sample_rows in 0_usize..10,
    ) {
        let table = frame(vec![column("x", ColumnType::Float, values)]);
        let limits = Limits { sample_rows, ..Limits::default() };
        let (found, whole) = (gather(&table, n, limits), Gathered::of(&table, &BTreeMap::new(), limits));
        prop_assert!(same(&found, &whole), "{:?} {:?}", found, whole);
    }

    #[test]
    fn a_sketch_holds_its_bound_and_every_row(
        counts in prop::collection::vec((-50_i32..50, 0_u64..200_000), 1..40),
        seed: u64,
    ) {
        let (mut sketch, mut spare) = (Quantiles::new(seed), Vec::new());
        let mut exact = BTreeMap::<i32, u64>::new();
        for (value, count) in &counts {
            sketch.add(ordered(f64::from(*value)), *count, &mut spare);
            let few = vec![ordered(f64::from(*value)); usize::try_from(count % 1000).unwrap()];
            sketch.extend(&few, &mut spare);
            *exact.entry(*value).or_default() += count + count % 1000;
        }
        let n: u64 = exact.values().sum();
        let bound = sketch.rank_error() * n as f64;
        let (keys, found) = sketch.points();
        prop_assert_eq!(found.iter().sum::<u64>(), n);
        let mut below = 0;
        for (value, count) in &exact {
            below += count;
            let end = keys.partition_point(|key| *key <= ordered(f64::from(*value)));
            let kept: u64 = found[..end].iter().sum();
            prop_assert!((kept as f64 - below as f64).abs() <= bound + 1e-6);
        }
    }
}
