//! Every detector against river, scipy and numpy, and what streams must never do.

use proptest::prelude::*;
use serde_json::Value;

use super::adwin::{Adwin, AdwinParams};
use super::charts::{Ewma, EwmaParams};
use super::{DETECTORS, Detector, DetectorKind, detect};

const CASES: [&str; 5] = [
    include_str!("../../../fixtures/drift/stream/digits-errors/expected.json"),
    include_str!("../../../fixtures/drift/stream/nile/expected.json"),
    include_str!("../../../fixtures/drift/stream/seattle-abs-error/expected.json"),
    include_str!("../../../fixtures/drift/stream/uk-coal/expected.json"),
    include_str!("../../../fixtures/drift/stream/us-inflation/expected.json"),
];

fn kind(name: &str) -> &'static DetectorKind {
    DETECTORS.iter().find(|kind| kind.name == name).unwrap()
}

fn numbers(node: &Value) -> Vec<f64> {
    node.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn places(node: &Value) -> Vec<usize> {
    let place = |x: &Value| usize::try_from(x.as_u64().unwrap()).unwrap();
    node.as_array().unwrap().iter().map(place).collect()
}

/// The parameters that are numbers; Page and Hinkley's `mode` is always both.
fn parameters(node: &Value) -> Vec<(&str, f64)> {
    let number = |(name, value): (&'static str, &Value)| (name, value.as_f64().unwrap_or(f64::from(value == true)));
    let known = |name: &str| -> &'static str {
        let all = DETECTORS.iter().flat_map(|kind| kind.parameters);
        all.map(|parameter| parameter.name)
            .find(|other| *other == name)
            .unwrap()
    };
    let given = node.as_object().unwrap().iter().filter(|(name, _)| *name != "mode");
    given.map(|(name, value)| number((known(name), value))).collect()
}

/// One run of a detector against its record.
fn check(record: &Value, values: &[f64], what: &str) {
    let name = record["detector"].as_str().unwrap();
    let kind = kind(name.strip_suffix("_deterministic").unwrap_or(name));
    let params = parameters(&record["params"]);
    let found = kind.detect(&params, values).unwrap();
    assert_eq!(found, places(&record["detections"]), "{what}: {name} {params:?}");
    let mut detector = kind.make(&params).unwrap();
    let warnings: Vec<usize> = (0..values.len())
        .filter(|place| detector.update(values[*place]).warning)
        .collect();
    assert!(kind.warns || warnings.is_empty(), "{what}: {name}");
    if let Some(n_warnings) = record["n_warnings"].as_u64().filter(|_| kind.warns) {
        assert_eq!(warnings.len() as u64, n_warnings, "{what}: {name} {params:?}");
        let first = warnings.first().map(|place| *place as u64);
        assert_eq!(first, record["first_warning"].as_u64(), "{what}: {name} {params:?}");
    }
}

#[test]
fn detections_are_those_of_river_scipy_and_numpy() {
    let mut n_checked = 0;
    for case in CASES {
        let case: Value = serde_json::from_str(case).unwrap();
        let values = numbers(&case["values"]);
        let records = case["detectors"].as_array().unwrap().iter();
        for record in records.filter(|record| record["informational"] != true) {
            check(record, &values, case["stream"].as_str().unwrap());
            n_checked += 1;
        }
    }
    assert!(n_checked >= 40, "{n_checked}");
}

#[test]
fn detections_are_those_of_river_for_other_parameters() {
    let simulated = include_str!("../../../fixtures/drift/stream/simulated.json");
    let simulated: Value = serde_json::from_str(simulated).unwrap();
    let runs = simulated["runs"].as_array().unwrap();
    for record in runs {
        let stream = record["stream"].as_str().unwrap();
        check(record, &numbers(&simulated["streams"][stream]), stream);
    }
    assert!(runs.len() > 60);
}

#[test]
fn the_window_of_adwin_is_that_of_river() {
    for case in CASES {
        let case: Value = serde_json::from_str(case).unwrap();
        let values = numbers(&case["values"]);
        for record in case["detectors"].as_array().unwrap() {
            if record["detector"] != "adwin" {
                continue;
            }
            let of = |name: &str| record["params"][name].as_f64().unwrap();
            let mut adwin = Adwin::new(AdwinParams {
                delta: of("delta"),
                clock: record["params"]["clock"].as_u64().unwrap(),
                max_buckets: 5,
                min_window_length: of("min_window_length"),
                grace_period: of("grace_period"),
            });
            for x in &values {
                adwin.update(*x);
            }
            let (n, total, squares) = adwin.window();
            let near = |found: f64, name: &str| {
                let expected = record["final"][name].as_f64().unwrap();
                assert!(
                    (found - expected).abs() <= 1e-9 * expected.abs(),
                    "{name}: {found} {expected}"
                );
            };
            near(n, "width");
            near(total, "total");
            near(squares, "variance_sum");
        }
    }
}

#[test]
fn the_smoothed_value_is_that_of_numpy() {
    for case in CASES {
        let case: Value = serde_json::from_str(case).unwrap();
        let mut ewma = Ewma::new(EwmaParams {
            n_ref: 50,
            lambda: 0.2,
            limit: 3.0,
        });
        for x in numbers(&case["values"]) {
            ewma.update(x);
        }
        let records = case["detectors"].as_array().unwrap();
        let record = records.iter().find(|record| record["detector"] == "ewma").unwrap();
        let expected = record["last_ewma"].as_f64().unwrap();
        assert!((ewma.smoothed().unwrap() - expected).abs() <= 1e-9 * expected.abs());
    }
}

/// Both charts against a constant reference, of which the standard deviation is 0.
#[test]
fn a_value_that_leaves_a_constant_is_a_change() {
    let constant = vec![2.0; 300];
    let mut step = constant.clone();
    step.extend([3.0; 100]);
    for kind in DETECTORS {
        let make = |values: &[f64]| {
            let answers: Vec<f64> = values.iter().map(|x| f64::from(*x > 2.5)).collect();
            kind.detect(&[], if kind.answers_only { &answers } else { values })
                .unwrap()
        };
        assert_eq!(make(&constant), [0; 0], "{}", kind.name);
        // Page and Hinkley's threshold of 50 is on the scale of the values.
        let found = make(&step);
        assert!(
            found.first().is_some_and(|place| (300..400).contains(place)),
            "{}: {found:?}",
            kind.name
        );
    }
}

#[test]
fn names_and_values_that_do_not_fit_are_told() {
    let error = |name: &str, given: &[(&str, f64)]| kind(name).make(given).err().unwrap();
    assert_eq!(
        detect("adwinn", &[]).unwrap_err(),
        "there is no detector `adwinn`; there are adwin, page_hinkley, kswin, ddm, eddm, hddm_a, hddm_w, cusum, ewma"
    );
    assert_eq!(
        error("ddm", &[("delta", 1.0)]),
        "`ddm` has no `delta`; it has warm_start, warning_threshold, drift_threshold"
    );
    assert_eq!(
        error("adwin", &[("clock", 0.5)]),
        "`clock` of `adwin` is a whole number from 1 to 1000000000, not 0.5"
    );
    assert!(error("ewma", &[("lambda", f64::NAN)]).contains("not NaN"));
    assert_eq!(
        detect("eddm", &[0.0, 0.5]).unwrap_err(),
        "`eddm` takes right (0) and wrong (1) answers only"
    );
    assert_eq!(detect("ddm", &[]).unwrap(), [0; 0]);
}

/// At the ends of its range no parameter breaks a detector.
#[test]
fn parameters_at_their_ends_are_allowed() {
    let values: Vec<f64> = (0..300).map(|i| f64::from((i / 100 + i) % 2)).collect();
    for kind in DETECTORS {
        for parameter in kind.parameters {
            for end in [parameter.range.0, parameter.range.1.min(1e5)] {
                kind.detect(&[(parameter.name, end)], &values).unwrap();
            }
        }
    }
}

proptest! {
    /// A missing value only takes a place; whatever comes, the places are ascending and within the stream.
    #[test]
    fn missing_values_change_nothing(
        values in prop::collection::vec((prop::bool::weighted(0.1), -1e300..1e300_f64, 0..3_u8), 0..400),
    ) {
        for kind in DETECTORS {
            let value = |x: f64, scale: u8| match (kind.answers_only, scale) {
                (true, _) => f64::from(x > 0.0),
                (_, 0) => x,
                (_, 1) => x / 1e300,
                _ => x / 1e300 / 1e300,
            };
            let with: Vec<f64> = values.iter()
                .map(|(missing, x, scale)| if *missing { f64::NAN } else { value(*x, *scale) })
                .collect();
            let known: Vec<usize> = (0..with.len()).filter(|place| !with[*place].is_nan()).collect();
            let without: Vec<f64> = known.iter().map(|place| with[*place]).collect();
            let found = kind.detect(&[], &with).unwrap();
            let expected: Vec<usize> =
                kind.detect(&[], &without).unwrap().into_iter().map(|place| known[place]).collect();
            prop_assert_eq!(found, expected);
        }
    }

    /// A stream that is multiplied by a power of two is the same stream, for detectors without a scale of their own.
    #[test]
    fn the_scale_does_not_matter(values in prop::collection::vec(-5.0..5.0_f64, 0..300), shift in 0.0..20.0_f64) {
        let moved: Vec<f64> = values.iter().map(|x| x + shift).collect();
        let stream: Vec<f64> = values.iter().chain(&moved).copied().collect();
        let scaled: Vec<f64> = stream.iter().map(|x| x * 1024.0).collect();
        for name in ["kswin", "cusum", "ewma"] {
            prop_assert_eq!(detect(name, &stream).unwrap(), detect(name, &scaled).unwrap(), "{}", name);
        }
    }
}
