//! Comparisons against the reference numbers of `fixtures/compare`.

use serde_json::Value;

use super::super::{
    CompareRule, Comparison, FewRows, Margin, Predictions, SliceStatus, Truth, compare, compare_slices, metric,
};
use super::{Table, binary, class_truth, close, labels};
use crate::base::Verdict;

pub struct Case {
    pub expected: Value,
    table: Table,
    pub truth: Truth,
    pub champion: Predictions,
    pub challenger: Predictions,
}

pub fn case(name: &str) -> Case {
    let (csv, json) = match name {
        "breast-cancer-lr" => (
            include_str!("../../../fixtures/compare/breast-cancer-lr/predictions.csv"),
            include_str!("../../../fixtures/compare/breast-cancer-lr/expected.json"),
        ),
        "breast-cancer-tie" => (
            include_str!("../../../fixtures/compare/breast-cancer-tie/predictions.csv"),
            include_str!("../../../fixtures/compare/breast-cancer-tie/expected.json"),
        ),
        "digits-knn-lr" => (
            include_str!("../../../fixtures/compare/digits-knn-lr/predictions.csv"),
            include_str!("../../../fixtures/compare/digits-knn-lr/expected.json"),
        ),
        "diabetes-ridge" => (
            include_str!("../../../fixtures/compare/diabetes-ridge/predictions.csv"),
            include_str!("../../../fixtures/compare/diabetes-ridge/expected.json"),
        ),
        "tiny-ties" => (
            include_str!("../../../fixtures/compare/tiny-ties/predictions.csv"),
            include_str!("../../../fixtures/compare/tiny-ties/expected.json"),
        ),
        other => panic!("no case {other}"),
    };
    let expected: Value = serde_json::from_str(json).unwrap();
    let table = Table::read(csv);
    let side = |name: &str| match expected["task"].as_str().unwrap() {
        "regression" => Predictions::Numbers(table.numbers(name)),
        "binary" => binary(&table.codes(name), &table.numbers(&format!("{name}_proba"))),
        _ => Predictions::Classes {
            codes: table.codes(name),
            labels: labels(10),
            probabilities: Vec::new(),
        },
    };
    let truth = match expected["task"].as_str().unwrap() {
        "regression" => Truth::Numbers(table.numbers("y_true")),
        "binary" => class_truth(&table.codes("y_true"), 2),
        _ => class_truth(&table.codes("y_true"), 10),
    };
    let (champion, challenger) = (side("champion"), side("challenger"));
    Case {
        expected,
        table,
        truth,
        champion,
        challenger,
    }
}

pub const CASES: [&str; 5] = [
    "breast-cancer-lr",
    "breast-cancer-tie",
    "digits-knn-lr",
    "diabetes-ridge",
    "tiny-ties",
];

impl Case {
    fn compare(&self, name: &str, absolute_margin: f64) -> Comparison {
        let margin = Margin {
            relative: None,
            absolute: Some(absolute_margin),
        };
        let rule = CompareRule {
            margin,
            min_rows: 2,
            few: FewRows::AsMany,
            ..CompareRule::default()
        };
        compare(
            &self.truth,
            &self.champion,
            &self.challenger,
            metric(name).unwrap(),
            &rule,
            1,
        )
    }
}

#[test]
fn metrics_are_those_of_scikit_learn() {
    let mut n_checked = 0;
    for name in CASES {
        let case = case(name);
        for (side, predictions) in [("champion", &case.champion), ("challenger", &case.challenger)] {
            for (metric_name, expected) in case.expected["metrics"][side].as_object().unwrap() {
                let Some(kind) = metric(metric_name) else {
                    assert!(
                        ["cohen_kappa", "f1_micro"].contains(&metric_name.as_str()),
                        "{metric_name}"
                    );
                    continue;
                };
                let (ours, theirs) = (
                    kind.score(&case.truth, predictions).unwrap(),
                    expected.as_f64().unwrap(),
                );
                assert!(
                    close(ours, theirs, 1e-12, 1e-14),
                    "{name} {side} {metric_name}: {ours} is not {theirs}"
                );
                n_checked += 1;
            }
        }
    }
    assert_eq!(n_checked, 2 * (10 + 10 + 6 + 8 + 8));
}

/// The record of one test, by its loss where it has one.
pub fn record<'a>(case: &'a Case, test: &str, loss: Option<&str>) -> Option<&'a Value> {
    let tests = case.expected["tests"].as_array().unwrap();
    tests.iter().find(|t| t["test"] == test && t["loss"].as_str() == loss)
}

#[test]
fn gains_bounds_and_intervals_are_those_of_the_references() {
    // Metric, test, loss, and the names of champion, challenger and gain in the record.
    let table = [
        ("mae", "paired_t", Some("abs_error"), "champion", "challenger", "gain"),
        (
            "mse",
            "paired_t",
            Some("squared_error"),
            "champion",
            "challenger",
            "gain",
        ),
        (
            "log_loss",
            "paired_t",
            Some("log_loss"),
            "champion",
            "challenger",
            "gain",
        ),
        ("brier", "paired_t", Some("brier"), "champion", "challenger", "gain"),
        (
            "rmse",
            "influence_rmse",
            None,
            "rmse_champion",
            "rmse_challenger",
            "gain",
        ),
        ("r2", "influence_r2", None, "r2_champion", "r2_challenger", "gain"),
        ("f1", "influence_f1", None, "f1_champion", "f1_challenger", "gain"),
        ("roc_auc", "delong", None, "auc_champion", "auc_challenger", "gain"),
        (
            "accuracy",
            "agresti_min_paired_difference",
            None,
            "",
            "",
            "gain_adjusted",
        ),
    ];
    let mut n_checked = 0;
    for name in CASES {
        let case = case(name);
        for (metric_name, test, loss, champion, challenger, gain) in table {
            let Some(record) = record(&case, test, loss) else {
                continue;
            };
            let ours = case.compare(metric_name, 0.0);
            let mut check = |what: &str, ours: Option<f64>, theirs: &Value| {
                if let Some(theirs) = theirs.as_f64() {
                    let (relative, absolute) = (record["tol"]["rel"].as_f64().unwrap(), 1e-12);
                    let place = format!("{name} {metric_name} {what}");
                    assert!(
                        close(ours.unwrap(), theirs, relative, absolute),
                        "{place}: {ours:?} is not {theirs}"
                    );
                    n_checked += 1;
                }
            };
            check("champion", ours.champion, &record[champion]);
            check("challenger", ours.challenger, &record[challenger]);
            check("gain", ours.gain, &record[gain]);
            check("lower", ours.lower, &record["lower_95_one_sided"]);
            check("upper", ours.upper, &record["upper_95_one_sided"]);
            // The reference's interval is that of the gain; ours is that of the difference.
            let interval = ours.difference_interval.unwrap();
            let maximize = ours.direction == crate::base::Direction::Maximize;
            let turned = if maximize {
                interval
            } else {
                [-interval[1], -interval[0]]
            };
            check("interval", Some(turned[0]), &record["ci95"][0]);
            check("interval", Some(turned[1]), &record["ci95"][1]);
        }
    }
    assert_eq!(n_checked, 107);
}

#[test]
fn resampled_bounds_are_those_of_scipy_within_their_own_noise() {
    // The references resample means, which we compare by t: here they take the way of the metrics without a formula.
    let bootstrap = |name: &str, loss: &str| {
        let case = case(name);
        let record = record(&case, "bootstrap_mean_gain", Some(loss)).unwrap();
        let (bca, tolerance) = (super::list(&record["bca"]), record["tol"]["abs"].as_f64().unwrap());
        (case, [bca[0], bca[1]], tolerance)
    };
    for (name, loss, metric_name) in [
        ("diabetes-ridge", "abs_error", "mae"),
        ("diabetes-ridge", "squared_error", "mse"),
        ("breast-cancer-lr", "log_loss", "log_loss"),
        ("breast-cancer-lr", "brier", "brier"),
        ("breast-cancer-tie", "log_loss", "log_loss"),
    ] {
        let (case, [low, high], tolerance) = bootstrap(name, loss);
        let known = metric(metric_name).unwrap();
        let resampled = super::super::MetricKind {
            method: super::super::metrics::Method::Bootstrap,
            ..*known
        };
        let rule = CompareRule {
            min_rows: 2,
            few: FewRows::AsMany,
            ..CompareRule::default()
        };
        let ours = compare(&case.truth, &case.champion, &case.challenger, &resampled, &rule, 1);
        // 2000 draws are three times as noisy as the reference's 20 000.
        let near = |ours: Option<f64>, theirs: f64| (ours.unwrap() - theirs).abs() < 2.5 * tolerance;
        assert!(
            near(ours.lower, low) && near(ours.upper, high),
            "{name} {loss}: {ours:?} {low} {high}"
        );
        assert_eq!(ours.method, "BCa bootstrap");
    }
}

#[test]
fn verdicts_are_those_of_the_gate() {
    // Superiority is our rule with no margin, non-inferiority that with the margin.
    let metric_of = |based_on: &str| match based_on {
        "delong" => "roc_auc",
        "agresti_min_paired_difference" => "accuracy",
        _ => "mae",
    };
    let mut seen = Vec::new();
    for name in CASES {
        let case = case(name);
        for decision in case.expected["decisions"].as_array().unwrap() {
            let margin = decision["margin"].as_f64().unwrap();
            let metric_name = metric_of(decision["based_on"].as_str().unwrap());
            let expected = decision["decision"].as_str().unwrap();
            let promoted = match decision["mode"].as_str().unwrap() {
                "superiority" => case.compare(metric_name, 0.0).verdict,
                "non_inferiority" => case.compare(metric_name, margin).verdict,
                _ => continue,
            };
            let word = match promoted {
                Verdict::Better | Verdict::Same => "promote",
                Verdict::Worse => "reject",
                Verdict::Inconclusive | Verdict::FailedToRun => "inconclusive",
            };
            assert_eq!(word, expected, "{name} {decision}");
            seen.push(expected.to_owned());
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["inconclusive", "promote", "reject"]);
}

#[test]
fn slices_are_those_of_the_references() {
    let mut n_checked = 0;
    for name in CASES {
        let case = case(name);
        let expected = case.expected["slices"].as_array().unwrap();
        let slices: Vec<(String, Vec<usize>)> = expected
            .iter()
            .map(|slice| {
                let slice = slice["slice"].as_str().unwrap();
                let (column, value) = slice.split_once('=').unwrap();
                let texts = case.table.texts(&format!("slice_{column}"));
                (
                    slice.to_owned(),
                    (0..texts.len()).filter(|row| texts[*row] == value).collect(),
                )
            })
            .collect();
        let margin = Margin {
            relative: None,
            absolute: case.expected["margin"].as_f64(),
        };
        let ours = compare_slices(&case.truth, &case.champion, &case.challenger, &slices, None, margin, 20);
        for (ours, theirs) in ours.iter().zip(expected) {
            let same = |what: &str, ours: Option<f64>| {
                let theirs = theirs[what].as_f64().unwrap();
                assert!(
                    close(ours.unwrap(), theirs, 1e-8, 1e-12),
                    "{name} {what}: {ours:?} is not {theirs}"
                );
            };
            assert_eq!(ours.n_rows as u64, theirs["n"].as_u64().unwrap());
            same("gain", ours.gain);
            same("p_worse", ours.p_worse);
            same("p_holm", ours.p_adjusted);
            assert_eq!(ours.status == SliceStatus::Regression, theirs["status"] == "regression");
            n_checked += 1;
        }
    }
    assert_eq!(n_checked, 20);
}

/// A comparison as one line.
fn line(c: &Comparison) -> String {
    let n = |x: Option<f64>| x.map_or("none".to_owned(), |x| format!("{x:.4}"));
    let note = c.note.as_deref().unwrap_or("");
    let (gain, lower, upper) = (n(c.gain), n(c.lower), n(c.upper));
    let line = format!(
        "{}: {} gain {gain} [{lower}, {upper}] δ {} needs {:?} {note}",
        c.method,
        c.verdict.word(),
        c.margin,
        c.rows_needed
    );
    line.trim_end().to_owned()
}

fn numbers(truth: &[f64], champion: &[f64], challenger: &[f64], name: &str, rule: &CompareRule<'_>) -> Comparison {
    let side = |values: &[f64]| Predictions::Numbers(values.to_vec());
    compare(
        &Truth::Numbers(truth.to_vec()),
        &side(champion),
        &side(challenger),
        metric(name).unwrap(),
        rule,
        3,
    )
}

#[test]
fn gains_without_spread_are_decided() {
    let truth: Vec<f64> = (0..40).map(f64::from).collect();
    let off = |by: f64| -> Vec<f64> { truth.iter().map(|y| y + by).collect() };
    let rule = CompareRule::default();
    let margin = CompareRule {
        margin: Margin {
            relative: None,
            absolute: Some(0.5),
        },
        ..rule
    };
    let lines = [
        line(&numbers(&truth, &off(1.0), &off(1.0), "mae", &rule)),
        line(&numbers(&truth, &off(1.0), &off(-1.0), "mae", &rule)),
        line(&numbers(&truth, &off(1.0), &off(0.5), "mae", &rule)),
        line(&numbers(&truth, &off(1.0), &off(1.5), "mae", &rule)),
        line(&numbers(&truth, &off(1.0), &off(1.5), "mae", &margin)),
        line(&numbers(&truth, &off(1.0), &off(1.75), "mae", &margin)),
        line(&numbers(&truth, &off(0.0), &off(0.0), "rmse", &rule)),
        line(&numbers(&truth, &off(1.0), &off(1.0), "medae", &rule)),
        line(&numbers(&truth, &off(1.0), &off(0.5), "max_error", &rule)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    paired t: same gain 0.0000 [0.0000, 0.0000] δ 0 needs None
    paired t: same gain 0.0000 [0.0000, 0.0000] δ 0 needs None
    paired t: better gain 0.5000 [0.5000, 0.5000] δ 0 needs None
    paired t: worse gain -0.5000 [-0.5000, -0.5000] δ 0 needs None
    paired t: same gain -0.5000 [-0.5000, -0.5000] δ 0.5 needs None
    paired t: worse gain -0.7500 [-0.7500, -0.7500] δ 0.5 needs None
    influence function, t: same gain 0.0000 [0.0000, 0.0000] δ 0 needs None
    BCa bootstrap: same gain 0.0000 [0.0000, 0.0000] δ 0 needs None
    BCa bootstrap: better gain 0.5000 [0.5000, 0.5000] δ 0 needs None
    ");
}

#[test]
fn what_can_not_be_compared_is_inconclusive() {
    let rule = CompareRule::default();
    let few = [1.0, 2.0, 3.0];
    let many: Vec<f64> = (0..40).map(f64::from).collect();
    let mut with_nan = many.clone();
    with_nan[7] = f64::NAN;
    let half = CompareRule {
        groups: Some(&[0; 40]),
        ..rule
    };
    let short = CompareRule {
        groups: Some(&[0, 1]),
        ..rule
    };
    let classes = |labels: &[&str], codes: &[u32]| Predictions::Classes {
        codes: codes.to_vec(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        probabilities: Vec::new(),
    };
    let truth = class_truth(&[0; 40], 2);
    let codes: Vec<u32> = vec![0; 40];
    let auc = |champion: &Predictions, challenger: &Predictions| {
        compare(&truth, champion, challenger, metric("roc_auc").unwrap(), &rule, 1)
    };
    let lines = [
        line(&numbers(&few, &[1.5, 2.5, 3.0], &[1.25, 2.5, 3.5], "mae", &rule)),
        line(&numbers(
            &[1.0],
            &[1.5],
            &[1.25],
            "mae",
            &CompareRule { min_rows: 1, ..rule },
        )),
        line(&numbers(&[], &[], &[], "mae", &rule)),
        line(&numbers(&many, &many, &with_nan, "mae", &rule)),
        line(&numbers(&many, &many, &many[1..], "mae", &rule)),
        line(&numbers(&[2.0; 40], &many, &many, "r2", &rule)),
        line(&numbers(&many, &many, &few.repeat(20)[..40], "mae", &half)),
        line(&numbers(&many, &many, &many, "mae", &short)),
        line(&numbers(&many, &[1e200; 40], &[2e200; 40], "mse", &rule)),
        line(&auc(&classes(&["0", "1"], &codes), &classes(&["0", "2"], &codes))),
        line(&auc(&binary(&codes, &[0.5; 40]), &binary(&codes, &[0.25; 40]))),
        line(&auc(&classes(&["0", "1"], &codes), &Predictions::Numbers(many.clone()))),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    paired t: inconclusive gain -0.0833 [-0.7271, 0.5605] δ 0 needs Some(130) 3 rows are too few: 30 are needed to compare
    paired t: inconclusive gain 0.2500 [none, none] δ 0 needs None one row says nothing about a difference
    paired t: inconclusive gain none [none, none] δ 0 needs None the champion: there are no rows
    paired t: inconclusive gain none [none, none] δ 0 needs None the challenger: the prediction of row 8 is not a finite number
    paired t: inconclusive gain none [none, none] δ 0 needs None the two models did not predict the same rows
    influence function, t: inconclusive gain none [none, none] δ 0 needs None the champion has no value: the target is the same on every test row
    paired t over groups: inconclusive gain -17.6750 [none, none] δ 0 needs None one group of rows says nothing about a difference
    paired t over groups: inconclusive gain none [none, none] δ 0 needs None the groups do not cover the rows
    paired t: inconclusive gain none [none, none] δ 0 needs None the champion has no value: it is too large to be a number
    DeLong: inconclusive gain none [none, none] δ 0 needs None the two models know different classes
    DeLong: inconclusive gain none [none, none] δ 0 needs None the champion has no value: the test rows are all of one class
    DeLong: inconclusive gain none [none, none] δ 0 needs None the two models know different classes
    ");
}

#[test]
fn the_same_classes_in_another_order_are_matched_by_name() {
    let case = case("breast-cancer-lr");
    let Predictions::Classes {
        codes, probabilities, ..
    } = &case.challenger
    else {
        panic!()
    };
    let turned = Predictions::Classes {
        codes: codes.iter().map(|code| 1 - code).collect(),
        labels: vec!["1".into(), "0".into()],
        probabilities: probabilities.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect(),
    };
    for name in ["roc_auc", "accuracy", "f1", "log_loss", "average_precision"] {
        let rule = CompareRule::default();
        let ours = compare(&case.truth, &case.champion, &turned, metric(name).unwrap(), &rule, 1);
        let plain = case.compare(name, 0.0);
        assert!(close(ours.gain.unwrap(), plain.gain.unwrap(), 1e-12, 1e-14), "{name}");
        assert_eq!(ours.verdict, plain.verdict);
    }
}

#[test]
fn groups_widen_what_their_rows_share() {
    // Every row four times is no more evidence than every row once, when the copies are known to be copies.
    let case = case("diabetes-ridge");
    let Truth::Numbers(truth) = &case.truth else { panic!() };
    let (Predictions::Numbers(champion), Predictions::Numbers(challenger)) = (&case.champion, &case.challenger) else {
        panic!()
    };
    let groups: Vec<u32> = (0..u32::try_from(truth.len()).unwrap()).collect();
    let rule = CompareRule::default();
    let grouped = groups.repeat(4);
    let by_group = CompareRule {
        groups: Some(&grouped),
        ..rule
    };
    for name in ["mae", "rmse", "r2"] {
        let once = numbers(truth, champion, challenger, name, &rule);
        let copies = [truth, champion, challenger].map(|values| values.repeat(4));
        let four = numbers(&copies[0], &copies[1], &copies[2], name, &by_group);
        let naive = numbers(&copies[0], &copies[1], &copies[2], name, &rule);
        assert!(
            close(four.lower.unwrap(), once.lower.unwrap(), 1e-9, 1e-9),
            "{name}: {four:?} {once:?}"
        );
        assert!(naive.lower > once.lower);
        assert!(four.method.ends_with("over groups"));
    }
    // The same for resampled metrics, within the noise of the draws.
    let once = numbers(truth, champion, challenger, "medae", &rule);
    let copies = [truth, champion, challenger].map(|values| values.repeat(4));
    let four = numbers(&copies[0], &copies[1], &copies[2], "medae", &by_group);
    let width = once.upper.unwrap() - once.lower.unwrap();
    assert!(
        (four.lower.unwrap() - once.lower.unwrap()).abs() < 0.2 * width,
        "{} {}",
        line(&four),
        line(&once)
    );
}

#[test]
fn rows_needed_decide_with_the_power_that_is_said() {
    // mae of diabetes-ridge: gain 1.907, sd 28.057, δ 2: ((1.645 + 0.842) · 28.057 / 3.907)² = 318.9.
    let ours = case("diabetes-ridge").compare("mae", 2.0);
    assert_eq!((ours.verdict, ours.rows_needed), (Verdict::Inconclusive, Some(319)));
    let decided = case("breast-cancer-lr").compare("roc_auc", 0.02);
    assert_eq!((decided.verdict, decided.rows_needed), (Verdict::Better, None));
}

#[test]
fn groups_of_one_row_are_rows() {
    let case = case("breast-cancer-lr");
    let groups: Vec<u32> = (0..u32::try_from(case.truth.len()).unwrap()).collect();
    let rule = CompareRule {
        groups: Some(&groups),
        ..CompareRule::default()
    };
    // DeLong and Agresti–Min differ from t by their divisors and quantiles, which is little for 190 rows.
    for (name, tolerance) in [("f1", 1e-9), ("brier", 1e-9), ("roc_auc", 0.03), ("accuracy", 0.03)] {
        let plain = case.compare(name, 0.0);
        let grouped = compare(
            &case.truth,
            &case.champion,
            &case.challenger,
            metric(name).unwrap(),
            &rule,
            1,
        );
        let width = |c: &Comparison| c.upper.unwrap() - c.lower.unwrap();
        assert!(
            close(width(&grouped), width(&plain), tolerance, 0.0),
            "{name}: {} {}",
            line(&grouped),
            line(&plain)
        );
    }
}

#[test]
fn agreeing_on_a_few_rows_is_not_being_equal() {
    let verdict = |n: usize, other: f64| {
        let truth = class_truth(&vec![1; n], 2);
        let sides = [binary(&vec![1; n], &vec![0.9; n]), binary(&vec![1; n], &vec![other; n])];
        let rule = CompareRule {
            margin: Margin {
                relative: None,
                absolute: Some(0.01),
            },
            ..CompareRule::default()
        };
        compare(&truth, &sides[0], &sides[1], metric("accuracy").unwrap(), &rule, 1).verdict
    };
    assert_eq!(verdict(30, 0.8), Verdict::Inconclusive);
    assert_eq!(verdict(200, 0.8), Verdict::Same);
    assert_eq!(verdict(30, 0.9), Verdict::Same, "the same predictions");
}
