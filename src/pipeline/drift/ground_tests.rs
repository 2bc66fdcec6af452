//! Rows without answers, and errors in time, in a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::*;
use crate::base::{Digest, Timestamp};
use crate::drift::{DriftResult, Method};
use crate::pipeline::learn;
use crate::pipeline::seen::Seen;
use crate::stats::Rng;
use crate::track::ModelVersion;

/// A number near the normal law, of variance 1.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
}

/// Rows of a straight line, whose noise is so many times `x`; the day begins at `day`.
struct Part {
    n: usize,
    x: f64,
    noise: f64,
    day: usize,
    is_known: bool,
}

fn rows(part: &Part, seed: u64, classes: bool) -> String {
    let mut rng = Rng::derive(seed, "rows");
    let mut text = String::new();
    for row in 0..part.n {
        let x = part.x + rng.unit();
        let y = 2.0 * x + part.noise * x * normal(&mut rng);
        let y = match (part.is_known, classes) {
            (false, _) => String::new(),
            (true, false) => format!("{y:.6}"),
            (true, true) => if rng.unit() < 1.0 / (1.0 + (-4.0 * x).exp()) {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
        };
        let day = part.day + row;
        let _ = writeln!(
            text,
            "{}-{:02}-{:02},{x:.6},{y}",
            2020 + day / 336,
            day / 28 % 12 + 1,
            day % 28 + 1
        );
    }
    text
}

const CONFIG: &str = "model: line\ndata:\n  source: data.csv\n  target: y\n  exclude: [day]\ntrain:\n  estimator: ESTIMATOR\n\
                      gates:\n  drift:\n    time_column: day\n";

fn measured(parts: &[Part], classes: bool) -> Measured {
    measured_by(parts, classes, None)
}

/// Production made of the first part; then all parts are there. They are compared with rows of their own if there are any.
fn measured_by(parts: &[Part], classes: bool, reference: Option<&str>) -> Measured {
    measured_with(parts, classes, reference, |_, text| text)
}

/// `mlops.yaml`, and `data.csv` with all parts, are first made what `change` makes of them.
fn measured_with(
    parts: &[Part],
    classes: bool,
    reference: Option<&str>,
    change: impl Fn(&str, String) -> String,
) -> Measured {
    let root = tempfile::tempdir().unwrap();
    let key = match reference {
        None => "",
        Some(rows) => {
            let text = format!("day,x,y\n{rows}");
            crate::sys::write_atomic(&root.path().join("reference.csv"), text.as_bytes()).unwrap();
            "    reference: reference.csv\n"
        }
    };
    let estimator = if classes { "logistic" } else { "ridge" };
    let checked = crate::config::check(&change("mlops.yaml", CONFIG.replace("ESTIMATOR", estimator) + key));
    let project = checked.unwrap_or_else(|problems| panic!("{problems}")).project;
    let texts: Vec<String> = parts
        .iter()
        .zip(1..)
        .map(|(part, seed)| rows(part, seed, classes))
        .collect();
    let table = |texts: &[String]| format!("day,x,y\n{}", texts.concat());
    let write = |text: String| crate::sys::write_atomic(&root.path().join("data.csv"), text.as_bytes()).unwrap();
    let prepare = || learn::prepare(root.path(), &project, Timestamp(1_900_000_000)).unwrap();
    write(table(&texts[..1]));
    let then = prepare();
    let learned = learn::learn(
        root.path(),
        &project,
        project.train.trainer.built_in().unwrap(),
        &then,
        "now",
        None,
        "1",
    )
    .unwrap();
    let said = learned
        .model
        .answer(&then.frame, &then.partition.test)
        .unwrap()
        .predictions;
    let seen = [&then.partition.train, &then.partition.test].map(|rows| Seen::of(&then.frame, &learned.model, rows));
    let before = Before {
        version: ModelVersion {
            model: "line".parse().unwrap(),
            number: "v1".parse().unwrap(),
            digest: Digest::of(b"line"),
            files: BTreeMap::new(),
            metadata: serde_json::Value::Null,
            actor: "ada".to_owned(),
            at: Timestamp(0),
        },
        alias: Some("production".to_owned()),
        kept: Ok(kept(&then, &said)),
        known: Some(seen),
        model: Arc::new(learned.model),
    };
    write(change("data.csv", table(&texts)));
    measure(root.path(), &project, &prepare(), Some(&before))
}

fn compared(parts: &[Part], classes: bool) -> (DriftResult, u64) {
    result_of(measured(parts, classes))
}

fn result_of(measured: Measured) -> (DriftResult, u64) {
    match measured {
        Measured::Compared { result, n_new } => (*result, n_new),
        Measured::Unchanged(why) | Measured::Unknown(why) | Measured::Unusable(why) | Measured::NotKept(why) => {
            panic!("{why}")
        }
    }
}

const FIRST: Part = Part {
    n: 400,
    x: 0.0,
    noise: 0.5,
    day: 0,
    is_known: true,
};

#[test]
fn rows_without_answers_are_estimated_where_nothing_else_is_new() {
    let waiting = Part {
        n: 60,
        x: 0.0,
        day: 400,
        is_known: false,
        ..FIRST
    };
    let (result, n_new) = compared(&[FIRST, waiting], false);
    let estimated = result.estimated.as_ref().unwrap();
    assert!(estimated.method == Method::Dle && !estimated.alert, "{estimated:?}");
    assert_eq!((estimated.rows[1], n_new, result.dataset.tested), (60, 0, 0));
    assert_eq!(result.dataset.decision, "pass");
    let few = Part {
        n: 29,
        day: 400,
        is_known: false,
        ..FIRST
    };
    assert!(matches!(measured(&[FIRST, few], false), Measured::Unchanged(_)));
}

#[test]
fn rows_where_the_model_is_less_sure_alert() {
    // Where x is near 1 the errors are greatest; of two classes, where it is near 0 nobody is sure.
    let waiting = Part {
        n: 200,
        x: 0.9,
        day: 400,
        is_known: false,
        ..FIRST
    };
    let (result, _) = compared(&[FIRST, waiting], false);
    assert!(result.estimated.as_ref().unwrap().alert, "{:?}", result.estimated);
    assert_eq!(result.dataset.decision, "warn");
    let first = Part { x: -0.5, ..FIRST };
    let waiting = Part {
        n: 200,
        x: -0.5,
        day: 400,
        is_known: false,
        ..FIRST
    };
    let (result, _) = compared(&[first, waiting], true);
    let estimated = result.estimated.unwrap();
    assert!(estimated.method == Method::Cbpe && !estimated.alert, "{estimated:?}");
}

#[test]
fn errors_that_rise_in_time_are_told_with_their_day() {
    let quiet = Part {
        n: 200,
        day: 400,
        ..FIRST
    };
    let loud = Part {
        n: 200,
        noise: 8.0,
        day: 600,
        ..FIRST
    };
    let waiting = Part {
        n: 50,
        day: 800,
        is_known: false,
        ..FIRST
    };
    let (result, n_new) = compared(&[FIRST, quiet, loud, waiting], false);
    assert_eq!(n_new, 400);
    let told = result.notes.iter().find(|note| note.contains("changed in time"));
    let told = told.unwrap_or_else(|| panic!("{:?}", result.notes));
    assert!(told.contains(" at 202") && told.contains("data.csv:"), "{told}");
    assert!(result.performance.unwrap().found.degraded);
    assert_eq!(result.estimated.unwrap().rows[1], 50);
    let calm = Part {
        n: 200,
        day: 400,
        ..FIRST
    };
    let (result, _) = compared(&[FIRST, calm], false);
    assert!(
        !result.notes.iter().any(|note| note.contains("changed in time")),
        "{:?}",
        result.notes
    );
}

/// Today's rows with answers, some that are not known to production, and some without answers where it is unsure.
fn today() -> [Part; 3] {
    let new = Part {
        n: 100,
        day: 400,
        ..FIRST
    };
    let waiting = Part {
        n: 60,
        x: 0.9,
        day: 500,
        is_known: false,
        ..FIRST
    };
    [FIRST, new, waiting]
}

#[test]
fn with_a_reference_of_its_own_production_is_judged_by_that() {
    let reference = Part {
        n: 200,
        day: 2000,
        ..FIRST
    };
    let text = rows(&reference, 77, false);
    let (result, n_new) = result_of(measured_by(&today(), false, Some(&text)));
    let estimated = result.estimated.as_ref().unwrap();
    assert!(
        estimated.method == Method::Dle && estimated.rows == [200, 60],
        "{estimated:?}"
    );
    let performance = &result.performance.as_ref().unwrap().found;
    assert!(performance.n == [200, 100] && !performance.degraded, "{performance:?}");
    assert_eq!((result.reference.rows, result.current.rows, n_new), (200, 500, 100));
    // Of rows that it learned from, those that it was judged on are left.
    let (result, _) = result_of(measured_by(&today(), false, Some(&rows(&FIRST, 1, false))));
    assert_eq!(result.estimated.unwrap().rows, [80, 60]);
    // So it is where files hold rows twice.
    let twice = rows(&FIRST, 1, false).repeat(2);
    let (result, _) = result_of(measured_by(&today(), false, Some(&twice)));
    assert_eq!(result.estimated.unwrap().rows, [160, 60]);
}

#[test]
fn a_reference_is_read_as_the_data_are() {
    // One cell makes texts of the numbers of `x`.
    let text = rows(&FIRST, 1, false) + "2030-01-01,broken,1\n";
    let contract = |_: &str, text: String| {
        let with = "  target: y\n  contract:\n    columns:\n      x: {type: float}\n";
        text.replace("  target: y\n", with)
    };
    let (result, _) = result_of(measured_with(&today(), false, Some(&text), contract));
    // The row of that cell is one that production did not learn from.
    assert_eq!(result.estimated.unwrap().rows, [81, 60]);
    assert!(
        result
            .notes
            .contains(&"1 cell of `x` in the reference is not of its type and counts as missing".to_owned()),
        "{:?}",
        result.notes
    );
    let (result, _) = result_of(measured_by(&today(), false, Some(&text)));
    assert!(result.estimated.is_none() && result.performance.is_none());
    let told = "v1 was not judged by the reference: `x` holds texts there, and numbers in what it learned from";
    assert!(result.notes.iter().any(|note| note == told), "{:?}", result.notes);
}

#[test]
fn predictions_follow_the_season_as_numbers_do() {
    let new = Part {
        n: 60,
        day: 400,
        ..FIRST
    };
    let has_prediction = |result: &DriftResult| {
        let mut columns = result.columns.iter();
        columns.any(|column| column.role == Role::Prediction)
    };
    let (result, _) = compared(&[FIRST, new], false);
    assert!(has_prediction(&result));
    let new = Part {
        n: 60,
        day: 400,
        ..FIRST
    };
    let seasonal = |file: &str, text: String| match file {
        "mlops.yaml" => text + "    seasonal: month\n",
        _ => text,
    };
    let (result, _) = result_of(measured_with(&[FIRST, new], false, None, seasonal));
    let x = result.columns.iter().find(|column| column.column == "x").unwrap();
    assert_eq!(x.change_in.as_deref(), Some("one year"));
    assert!(!has_prediction(&result));
    let told =
        "what v1 predicts is not compared: it follows the season, and what it predicted one year earlier is not kept";
    assert!(result.notes.iter().any(|note| note == told), "{:?}", result.notes);
}

#[test]
fn why_production_can_not_be_asked_is_told() {
    let reference = Part {
        n: 200,
        day: 2000,
        ..FIRST
    };
    // One cell makes texts of the numbers that wait.
    let broken = |file: &str, text: String| match file {
        "data.csv" => text + "2030-01-01,broken,1\n",
        _ => text,
    };
    let text = rows(&reference, 77, false);
    let (result, _) = result_of(measured_with(&today(), false, Some(&text), broken));
    assert!(result.estimated.is_none());
    let told = "what v1 is worth on rows without `y` was not estimated: the model was trained on `x` as a number, and here \
                it is a text";
    assert!(result.notes.iter().any(|note| note == told), "{:?}", result.notes);
}
