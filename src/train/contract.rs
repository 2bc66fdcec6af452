//! Tests: what every estimator of the table promises, for each of its tasks.

use ndarray::Array2;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::estimator::{ESTIMATORS, Estimator};
use super::model::{Model, Trained, fit};
use super::samples::{self, Sample, all, estimator, number, text};
use crate::base::Task;
use crate::data::Column;
use crate::evaluate::Predictions;

/// Small enough that every case takes milliseconds.
fn quick(name: &str) -> Box<dyn Estimator> {
    let params = if name == "random_forest" {
        r#"{"n_estimators": 5}"#
    } else {
        "{}"
    };
    estimator(name, params).unwrap()
}

/// Every estimator with every sample that it can learn.
fn each(mut check: impl FnMut(&dyn Estimator, &Sample)) {
    let samples = all();
    for kind in ESTIMATORS {
        let estimator = quick(kind.name);
        assert!(!estimator.tasks().is_empty());
        for sample in samples.iter().filter(|sample| estimator.tasks().contains(&sample.task)) {
            check(estimator.as_ref(), sample);
        }
    }
}

fn train(estimator: &dyn Estimator, sample: &Sample, rows: &[usize], seed: u64) -> Trained {
    fit(
        &sample.frame,
        rows,
        &sample.features(),
        sample.target,
        sample.task,
        estimator,
        seed,
    )
    .unwrap()
}

/// Everything that a prediction says, as numbers.
fn numbers(predictions: Predictions) -> Vec<f64> {
    match predictions {
        Predictions::Numbers(values) => values,
        Predictions::Classes {
            codes,
            probabilities,
            labels,
        } => {
            for row in probabilities.chunks(labels.len()) {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|p| (0.0..=1.0).contains(p)));
            }
            probabilities
                .into_iter()
                .chain(codes.into_iter().map(f64::from))
                .collect()
        }
    }
}

fn predict(model: &Model, sample: &Sample) -> Vec<f64> {
    let all = numbers(model.predict(&sample.frame, None).unwrap());
    assert!(all.iter().all(|value| value.is_finite()));
    all
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_they_read_back() {
    each(|estimator, sample| {
        let rows = sample.rows();
        let bytes = train(estimator, sample, &rows, 1).model.to_bytes();
        assert_eq!(bytes, train(estimator, sample, &rows, 1).model.to_bytes());
        let other = train(estimator, sample, &rows, 2).model;
        assert_eq!(
            estimator.name() == "random_forest",
            other.to_bytes() != bytes,
            "{}",
            estimator.name()
        );
        let model = Model::from_bytes(&bytes).unwrap();
        assert_eq!(model.to_bytes(), bytes);
        assert_eq!(model, train(estimator, sample, &rows, 1).model);
    });
}

#[test]
fn the_order_of_rows_does_not_matter_to_linear_models() {
    each(|estimator, sample| {
        if estimator.name() == "random_forest" {
            return;
        }
        let rows = sample.rows();
        let reversed: Vec<usize> = rows.iter().rev().copied().collect();
        let (one, other) = (
            train(estimator, sample, &rows, 0),
            train(estimator, sample, &reversed, 0),
        );
        let (one, other) = (predict(&one.model, sample), predict(&other.model, sample));
        let size = one.iter().fold(0.0_f64, |a, v| a.max(v.abs()));
        for (a, b) in one.iter().zip(&other) {
            assert!(
                (a - b).abs() <= 1e-9 * size,
                "{} on {}: {a} {b}",
                estimator.name(),
                sample.name
            );
        }
    });
}

/// A frame of two informative columns, one constant, one a copy, one with missing values, and a target for the task.
fn awkward(n_rows: usize, task: Task) -> Sample {
    let value = |i: usize, k: usize| ((i * 37 + k * 11) % 23) as f64 / 7.0;
    let column = |k: usize| (0..n_rows).map(|i| value(i, k * (i + 1))).collect::<Vec<f64>>();
    let gaps: Vec<f64> = column(3)
        .iter()
        .enumerate()
        .map(|(i, v)| if i % 3 == 0 { f64::NAN } else { *v })
        .collect();
    let words: Vec<&str> = (0..n_rows).map(|i| ["red", "", "blue"][i % 3]).collect();
    let target: Column = match task {
        Task::Regression => number("y", &column(5)),
        Task::Binary => text("y", &(0..n_rows).map(|i| ["no", "yes"][i % 2]).collect::<Vec<_>>()),
        Task::Multiclass => number("y", &(0..n_rows).map(|i| (i % 3) as f64).collect::<Vec<_>>()),
    };
    Sample {
        name: "awkward",
        frame: samples::frame(vec![
            number("a", &column(1)),
            number("a again", &column(1)),
            number("b", &column(2)),
            number("same", &vec![4.0; n_rows]),
            number("empty", &vec![f64::NAN; n_rows]),
            number("gaps", &gaps),
            text("words", &words),
            target,
        ]),
        target: "y",
        task,
    }
}

#[test]
fn constant_empty_and_copied_columns_and_few_rows_are_no_trouble() {
    for kind in ESTIMATORS {
        let estimator = quick(kind.name);
        for &task in estimator.tasks() {
            for n_rows in [3, 4, 6, 40] {
                let sample = awkward(n_rows, task);
                let trained = train(estimator.as_ref(), &sample, &sample.rows(), 0);
                predict(&trained.model, &sample);
                let notes = trained.notes.join("\n");
                assert!(
                    notes.contains("`same` is left out") && notes.contains("`empty` is left out"),
                    "{notes}"
                );
                assert_eq!((trained.n_features_in, trained.n_features_out), (5, 7));
                assert_eq!(trained.model.importance().len(), 7);
            }
        }
    }
}

#[test]
fn what_can_not_be_learned_says_why() {
    let error = |estimator: &dyn Estimator, sample: &Sample, rows: &[usize]| {
        let features = sample.features();
        fit(&sample.frame, rows, &features, sample.target, sample.task, estimator, 0)
            .unwrap_err()
            .to_string()
    };
    for kind in ESTIMATORS {
        let estimator = quick(kind.name);
        for task in [Task::Regression, Task::Binary, Task::Multiclass] {
            let sample = awkward(12, task);
            if !estimator.tasks().contains(&task) {
                let expected = format!("`{}` can not do {}", kind.name, task.name());
                assert_eq!(error(estimator.as_ref(), &sample, &sample.rows()), expected);
                continue;
            }
            assert_eq!(error(estimator.as_ref(), &sample, &[]), "there are no rows to train on");
            // One row: no column varies. For classes there is only one as well.
            let one = error(estimator.as_ref(), &sample, &[1]);
            let expected = if task == Task::Regression {
                "no feature is left"
            } else {
                "has the same value in all"
            };
            assert!(one.contains(expected), "{one}");
            if task != Task::Regression {
                let rows: Vec<usize> = (0..12).step_by(6).collect();
                assert!(error(estimator.as_ref(), &sample, &rows).contains("has the same value in all"));
            }
            if task == Task::Binary {
                let three = Sample {
                    task,
                    ..awkward(12, Task::Multiclass)
                };
                let expected = "`y` has 3 values, and a binary task has two";
                assert_eq!(error(estimator.as_ref(), &three, &three.rows()), expected);
            }
            let mut columns = sample.frame.columns().to_vec();
            columns[7] = number("y", &[f64::NAN; 12]);
            let missing = Sample {
                frame: samples::frame(columns),
                ..sample
            };
            assert_eq!(
                error(estimator.as_ref(), &missing, &[0, 1]),
                "`y` has no value in 2 of 2 rows"
            );
        }
    }
}

/// Magnitudes at the edge of what is accepted, a constant target, an extreme row: a finite model or an error, never a
/// panic.
#[test]
fn extremes_are_finite_or_refused() {
    let columns = [
        [1e150, -1e150, 1.0, 0.0, 2.0, 1e149],
        [1e-150, 2e-150, -1e-150, 0.0, 1e-150, 3e-150],
        [1e300, 1.0, 2.0, 3.0, 4.0, 5.0],
        [0.0, 1e-320, 0.0, 1e-320, 0.0, 1e-320],
        [1.0, 2.0, 3.0, 4.0, 5.0, 1e9],
    ];
    let targets = [
        [1e150, -1e150, 0.0, 1.0, 2.0, 3.0],
        [1e-200, 3e-200, 2e-200, 1e-200, 0.0, 5e-200],
        [7.0; 6],
        [1e16, 1e16 + 2.0, 1e16 + 4.0, 1e16, 1e16 + 2.0, 1e16 + 6.0],
    ];
    for kind in ESTIMATORS {
        let estimator = quick(kind.name);
        for &task in estimator.tasks() {
            for column in &columns {
                for target in &targets {
                    let target = match task {
                        Task::Regression => number("y", target),
                        Task::Binary => number("y", &[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]),
                        Task::Multiclass => number("y", &[0.0, 1.0, 2.0, 0.0, 1.0, 2.0]),
                    };
                    let sample = Sample {
                        name: "extremes",
                        frame: samples::frame(vec![number("x", column), target]),
                        target: "y",
                        task,
                    };
                    let features = sample.features();
                    let rows = sample.rows();
                    match fit(&sample.frame, &rows, &features, "y", task, estimator.as_ref(), 0) {
                        Ok(trained) => {
                            predict(&trained.model, &sample);
                            assert_eq!(Model::from_bytes(&trained.model.to_bytes()), Ok(trained.model));
                        }
                        Err(error) => assert!(column[0] >= 1e300 || column[1] < 1e-300, "{}: {error}", kind.name),
                    }
                }
            }
        }
    }
}

/// Any small table: a model whose numbers are finite, or an error.
#[test]
fn any_table_is_learned_or_refused() {
    let value = prop_oneof![
        Just(f64::NAN),
        Just(0.0),
        Just(1.0),
        -1e3..1e3,
        Just(1e150),
        Just(-1e150),
        any::<f64>().prop_filter("a reader refuses infinities", |value| !value.is_infinite()),
    ];
    let rows = proptest::collection::vec((value.clone(), value.clone(), 0_usize..4, value, 0_usize..3), 1..12);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(200)
    });
    let estimators: Vec<_> = ESTIMATORS.iter().map(|kind| quick(kind.name)).collect();
    let outcome = runner.run(&rows, |rows| {
        let words: Vec<&str> = rows.iter().map(|row| ["", "a", "b", "c"][row.2]).collect();
        let labels: Vec<&str> = rows.iter().map(|row| ["x", "y", "z"][row.4]).collect();
        let columns = vec![
            number("p", &rows.iter().map(|row| row.0).collect::<Vec<_>>()),
            number("q", &rows.iter().map(|row| row.1).collect::<Vec<_>>()),
            text("words", &words),
            number("y", &rows.iter().map(|row| row.3).collect::<Vec<_>>()),
            text("label", &labels),
        ];
        let frame = samples::frame(columns);
        let all: Vec<usize> = (0..rows.len()).collect();
        let features = ["p".to_owned(), "q".to_owned(), "words".to_owned()];
        for estimator in &estimators {
            for task in [Task::Regression, Task::Binary, Task::Multiclass] {
                let target = if task == Task::Regression { "y" } else { "label" };
                if let Ok(trained) = fit(&frame, &all, &features, target, task, estimator.as_ref(), 3) {
                    let bytes = trained.model.to_bytes();
                    prop_assert_eq!(Model::from_bytes(&bytes), Ok(trained.model.clone()));
                    if let Ok(predictions) = trained.model.predict(&frame, None) {
                        prop_assert!(numbers(predictions).iter().all(|value| value.is_finite()));
                    }
                }
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn schema_and_defaults_agree() {
    for kind in ESTIMATORS {
        let schema = (kind.schema)();
        let properties = schema["properties"].as_object().unwrap();
        let by_absence = (kind.build)(None).unwrap().params();
        let by_empty = estimator(kind.name, "{}").unwrap().params();
        assert_eq!(by_absence, by_empty);
        let names: Vec<&str> = by_empty.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            properties.keys().map(String::as_str).collect::<Vec<_>>(),
            "{}",
            kind.name
        );
        for (name, value) in &by_empty {
            let property = &properties[*name];
            let same = match &property["default"] {
                serde_json::Value::Number(number) => value.parse() == Ok(number.as_f64().unwrap()),
                serde_json::Value::String(text) => value == text,
                other => serde_json::from_str(value).ok().as_ref() == Some(other),
            };
            assert!(same, "{}.{name}: {value} is not {}", kind.name, property["default"]);
            assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()));
        }
        // Every default can be written out, and writing it changes nothing.
        let written: serde_json::Map<String, serde_json::Value> = properties
            .iter()
            .map(|(name, property)| (name.clone(), property["default"].clone()))
            .collect();
        let written = serde_json::Value::Object(written).to_string();
        assert_eq!(estimator(kind.name, &written).unwrap().params(), by_empty);
    }
}

#[test]
fn wrong_parameters_are_all_reported_at_once() {
    let problems = estimator(
        "random_forest",
        r#"{"n_estimator": 5, "max_features": 1.5, "bootstrap": 1}"#,
    )
    .unwrap_err();
    insta::assert_snapshot!(problems, @r"
    error[out-of-range]: `train.params.max_features` as a share must be above 0 and up to 1, not 1.5
      --> 1:1
      = help: write a count of columns without a decimal point

    error[wrong-type]: `train.params.bootstrap` must be `true` or `false`, not a number
      --> 1:1

    error[unknown-key]: unknown key `n_estimator` in `train.params`
      --> 1:1
      = help: did you mean `n_estimators`?
    ");
    insta::assert_snapshot!(estimator("ridge", r#"{"alpah": 1, "alpha": -1}"#).unwrap_err(), @r"
    error[out-of-range]: `train.params.alpha` must be between 0 and 1000000000000, not -1
      --> 1:1

    error[unknown-key]: unknown key `alpah` in `train.params`
      --> 1:1
      = help: did you mean `alpha`?
    ");
    for kind in ESTIMATORS {
        let problems = estimator(kind.name, r#"{"zzzzz": 1}"#).unwrap_err();
        assert!(problems.to_string().contains("unknown key `zzzzz`"), "{problems}");
    }
}

#[test]
fn hostile_models_are_refused() {
    let sample = awkward(12, Task::Multiclass);
    let forest = train(quick("random_forest").as_ref(), &sample, &sample.rows(), 0).model;
    let logistic = train(quick("logistic").as_ref(), &sample, &sample.rows(), 0).model;
    let damaged = |model: &Model, pointer: &str, value: serde_json::Value| {
        let mut json: serde_json::Value = serde_json::from_slice(&model.to_bytes()).unwrap();
        *json.pointer_mut(pointer).unwrap() = value;
        Model::from_bytes(json.to_string().as_bytes()).unwrap_err().to_string()
    };
    let cases = [
        damaged(&forest, "/schema", 2.into()),
        damaged(&forest, "/schema", 0.into()),
        damaged(&forest, "/labels", serde_json::json!(["0", "0", "2"])),
        damaged(&forest, "/labels", serde_json::json!(["0"])),
        damaged(&forest, "/task", "binary".into()),
        damaged(&forest, "/core/forest/trees/0/right/0", 0.into()),
        damaged(&forest, "/core/forest/trees/0/right/0", 4_000_000_000_u32.into()),
        damaged(&forest, "/core/forest/trees/0/right/0", (-1).into()),
        damaged(&forest, "/core/forest/trees/0/value/0", 7.into()),
        damaged(&forest, "/core/forest/trees", serde_json::json!([])),
        damaged(&logistic, "/core/linear/coef/0", serde_json::json!([1.0])),
        damaged(&logistic, "/core/linear/intercept", serde_json::json!([1.0])),
        damaged(&logistic, "/preprocessing/0/encoding/number/scale", 0.into()),
        damaged(
            &logistic,
            "/preprocessing/4/encoding/levels/levels",
            serde_json::json!(["b", "a"]),
        ),
        damaged(&logistic, "/preprocessing/1/name", "a".into()),
        damaged(&logistic, "/preprocessing", serde_json::json!([])),
    ];
    insta::assert_snapshot!(cases.join("\n"), @r"
    the model has format 2, and this version reads up to 1; use a newer version
    this is not a model: there was never a format 0
    this is not a model: a label occurs twice
    this is not a model: 1 labels do not fit a multiclass task
    this is not a model: 3 labels do not fit a binary task
    this is not a model: tree 0: a leaf is out of order
    this is not a model: tree 0: its nodes are not a tree in preorder
    this is not a model: invalid value: integer `-1`, expected u32 at line 1 column 833
    this is not a model: tree 0: its leaves do not hold probabilities
    this is not a model: there are no trees
    this is not a model: 7 coefficients were expected, not 1
    this is not a model: 3 coefficient lists and 1 intercepts are not 3 each
    this is not a model: the scale of `a` is not a positive number
    this is not a model: the levels of `words` are not a sorted list of up to 100
    this is not a model: `a` occurs twice
    this is not a model: there are no features
    ");
    let deep = "[".repeat(100_000);
    assert!(Model::from_bytes(deep.as_bytes()).is_err());
    let bytes = logistic.to_bytes();
    for end in 0..bytes.len() - 1 {
        assert!(Model::from_bytes(&bytes[..end]).is_err());
    }
}

/// Whatever a file says, it is refused or answers with finite numbers.
#[test]
fn models_with_any_byte_changed_do_no_harm() {
    let sample = awkward(12, Task::Multiclass);
    let mut n_read = 0;
    for name in ["random_forest", "logistic"] {
        let bytes = train(quick(name).as_ref(), &sample, &sample.rows(), 0).model.to_bytes();
        for place in 0..bytes.len() {
            for byte in *b"09-e,]" {
                let mut changed = bytes.clone();
                changed[place] = byte;
                if let Ok(model) = Model::from_bytes(&changed) {
                    n_read += 1;
                    assert!(!model.to_onnx().is_empty());
                    if let Ok(predictions) = model.predict(&sample.frame, Some(&[0, 1, 2])) {
                        assert!(numbers(predictions).iter().all(|value| value.is_finite()));
                    }
                }
            }
        }
    }
    assert!(n_read > 1000, "{n_read}");
}

#[test]
fn a_matrix_that_would_not_fit_is_refused() {
    let sample = awkward(12, Task::Regression);
    let model = train(quick("ridge").as_ref(), &sample, &sample.rows(), 0).model;
    let error = model.predict(&sample.frame, Some(&vec![0; 20_000_000])).unwrap_err();
    insta::assert_snapshot!(error, @"20000000 rows of 7 encoded columns are more than fit in memory; predict in parts");
    let error = model.predict(&sample.frame, Some(&[12])).unwrap_err();
    insta::assert_snapshot!(error, @"row 12 is beyond the 12 rows of the data");
    assert_eq!(
        Array2::<f64>::zeros((0, 1)).len(),
        numbers(model.predict(&sample.frame, Some(&[])).unwrap()).len()
    );
}
