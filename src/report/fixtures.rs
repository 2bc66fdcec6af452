//! Realistic runs for the tests of the report: what a repository with the diabetes data would see.

use crate::base::{Digest, Direction, Span, Task, Timestamp, Verdict, VersionNumber};
use crate::evaluate::{
    Comparison, ConfusionMatrix, CurvePoint, MetricResult, Plots, Secondary, SliceComparison, SliceResult, SliceStatus,
};
use crate::facts::*;
use crate::gates::{CommandRun, GateResult, GateStatus};

const COMMIT: &str = "5d0c3f8a1b7e42969c0f4ab2d7e8f1035a6b9c2e";

fn metric(name: &str, direction: Direction, value: f64, interval: [f64; 2]) -> MetricResult {
    MetricResult {
        name: name.to_owned(),
        direction,
        value: Some(value),
        interval: Some(interval),
        note: None,
    }
}

#[derive(Clone, Copy)]
struct Pair<'a> {
    name: &'a str,
    direction: Direction,
    champion: f64,
    challenger: f64,
    interval: [f64; 2],
    margin: f64,
    verdict: Verdict,
}

fn compare(pair: Pair, method: &str, n_rows: usize) -> Comparison {
    let difference = pair.challenger - pair.champion;
    let turn = if pair.direction == Direction::Minimize {
        -1.0
    } else {
        1.0
    };
    let bounds = pair.interval.map(|bound| bound * turn);
    Comparison {
        metric: pair.name.to_owned(),
        direction: pair.direction,
        champion: Some(pair.champion),
        challenger: Some(pair.challenger),
        difference: Some(difference),
        difference_interval: Some(pair.interval),
        gain: Some(difference * turn),
        lower: Some(bounds[0].min(bounds[1])),
        upper: Some(bounds[0].max(bounds[1])),
        margin: pair.margin,
        method: method.to_owned(),
        n_rows,
        verdict: pair.verdict,
        rows_needed: None,
        note: None,
        alpha: 0.05,
        secondary: Vec::new(),
    }
}

fn gate(name: &str, status: GateStatus, reason: &str, verdict: Option<Verdict>, line: u32) -> GateResult {
    GateResult {
        name: name.to_owned(),
        status,
        reason: reason.to_owned(),
        verdict,
        span: Some(Span {
            line,
            column: 5,
            end_column: 9,
        }),
        commands: Vec::new(),
    }
}

fn command(command: &str, exit_code: i32, tail: &str, elapsed_ms: u64) -> CommandRun {
    CommandRun {
        command: command.to_owned(),
        exit_code: Some(exit_code),
        problem: None,
        tail: tail.to_owned(),
        elapsed_ms,
        lint: None,
        tests: None,
    }
}

fn step(name: &str, outcome: Outcome, elapsed_ms: u64, detail: Option<&str>) -> Step {
    Step {
        name: name.to_owned(),
        outcome,
        detail: detail.map(str::to_owned),
        elapsed_ms,
    }
}

fn column(name: &str, role: &str, numbers: (usize, f64, f64, f64), sketch: &[u64]) -> ColumnFacts {
    let (n_distinct, mean, min, max) = numbers;
    ColumnFacts {
        name: name.to_owned(),
        role: role.to_owned(),
        kind: "float".to_owned(),
        n_missing: 0,
        n_distinct,
        mean: Some(mean),
        min: Some(min),
        max: Some(max),
        sketch: sketch.to_vec(),
    }
}

/// Deterministic scatter around the identity line, without randomness.
fn points(n: u32) -> Vec<[f64; 2]> {
    (0..n)
        .map(|i| {
            let actual = 25.0 + f64::from(i * 73 % n) / f64::from(n) * 315.0;
            let noise = (f64::from(i) * 2.399).sin() * 52.0 + (f64::from(i) * 0.77).cos() * 31.0;
            [actual, 62.0 + actual * 0.59 + noise]
        })
        .collect()
}

fn default(key: &str, value: &str) -> DefaultUsed {
    DefaultUsed {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

fn slice(name: &str, n_rows: usize, values: (f64, f64), p_adjusted: f64, status: SliceStatus) -> SliceComparison {
    SliceComparison {
        slice: name.to_owned(),
        n_rows,
        champion: Some(values.0),
        challenger: Some(values.1),
        gain: Some(values.0 - values.1),
        p_worse: Some(p_adjusted / 4.0),
        p_adjusted: Some(p_adjusted),
        status,
    }
}

/// Ridge on the diabetes data against production v3: better.
pub fn better() -> Facts {
    use Direction::{Maximize, Minimize};
    let pairs = [
        Pair {
            name: "rmse",
            direction: Minimize,
            champion: 55.104,
            challenger: 53.212,
            interval: [-3.214, -0.573],
            margin: 0.551,
            verdict: Verdict::Better,
        },
        Pair {
            name: "mae",
            direction: Minimize,
            champion: 44.91,
            challenger: 43.72,
            interval: [-2.61, 0.24],
            margin: 0.449,
            verdict: Verdict::Inconclusive,
        },
        Pair {
            name: "r2",
            direction: Maximize,
            champion: 0.4312,
            challenger: 0.4695,
            interval: [0.0118, 0.0651],
            margin: 0.0,
            verdict: Verdict::Better,
        },
    ];
    let mut lint = gate(
        "lint",
        GateStatus::Pass,
        "`ruff check .` and `black --check .` passed",
        None,
        21,
    );
    lint.commands = vec![
        command("ruff check .", 0, "All checks passed!", 210),
        command("black --check .", 0, "14 files would be left unchanged.", 830),
    ];
    let mut test = gate("test", GateStatus::Pass, "`pytest` passed", None, 22);
    test.commands = vec![command("pytest", 0, "........\n8 passed in 3.91s", 4_420)];
    Facts {
        schema: SCHEMA,
        program_version: "0.1.0".to_owned(),
        model: "diabetes-progression".to_owned(),
        directory: None,
        config_file: "mlops.yaml".to_owned(),
        started: Timestamp(1_795_000_000),
        commit: Some(COMMIT.to_owned()),
        previous_run: None,
        tracking: None,
        gates_digest: Digest::of(b"gates"),
        defaults: vec![
            default("data.split", "random, 20 % test, seed 42"),
            default("data.task", "regression"),
            default("train.params.alpha", "1.0"),
            default("evaluate.metrics", "rmse, mae, r2"),
            default("gates.metrics.rmse.max_regression", "1%"),
        ],
        steps: vec![
            step("data", Outcome::Done, 38, None),
            step("lint", Outcome::Done, 1_040, None),
            step("test", Outcome::Done, 4_420, None),
            step("train", Outcome::Done, 412, None),
            step("evaluate", Outcome::Done, 655, None),
            step("compare", Outcome::Done, 731, None),
            step("gates", Outcome::Done, 2, None),
            step("publish", Outcome::Skipped, 0, Some("a pull request publishes nothing")),
        ],
        workflow: Vec::new(),
        environment: None,
        data: Some(DataFacts {
            source: "data/diabetes.csv".to_owned(),
            digest: Digest::of(b"diabetes"),
            n_rows: 442,
            n_train: 353,
            n_test: 89,
            target: "progression".to_owned(),
            task: Task::Regression,
            split: "random, 20 % test, seed 42".to_owned(),
            test_digest: Digest::of(b"test"),
            columns: vec![
                column(
                    "age",
                    "feature",
                    (58, 48.52, 19.0, 79.0),
                    &[9, 18, 27, 40, 38, 52, 71, 60, 52, 48, 20, 7],
                ),
                column("sex", "feature", (2, 1.468, 1.0, 2.0), &[235, 0, 0, 0, 0, 207]),
                column(
                    "bmi",
                    "feature",
                    (163, 26.38, 18.0, 42.2),
                    &[14, 47, 78, 91, 70, 58, 38, 22, 13, 7, 3, 1],
                ),
                column(
                    "bp",
                    "feature",
                    (100, 94.65, 62.0, 133.0),
                    &[4, 20, 54, 78, 83, 66, 57, 39, 24, 11, 5, 1],
                ),
                column(
                    "s5",
                    "feature",
                    (184, 4.641, 3.258, 6.107),
                    &[3, 17, 41, 69, 74, 78, 66, 45, 30, 13, 6],
                ),
                column(
                    "progression",
                    "target",
                    (214, 152.1, 25.0, 346.0),
                    &[36, 79, 70, 57, 45, 43, 35, 31, 28, 12, 6],
                ),
            ],
            violations: Vec::new(),
            leaks: Vec::new(),
            remarks: Vec::new(),
        }),
        training: Some(TrainingFacts {
            estimator: "ridge".to_owned(),
            params: vec![
                ("alpha".to_owned(), "1.0".to_owned()),
                ("fit_intercept".to_owned(), "true".to_owned()),
            ],
            seed: 42,
            n_features_in: 10,
            n_features_out: 10,
            model_bytes: 3_240,
            digest: Digest::of(b"model"),
            elapsed_ms: 412,
            reused_from: None,
            reused_page: None,
            notes: Vec::new(),
            importance: [
                ("bmi", 24.7),
                ("s5", 22.1),
                ("bp", 15.4),
                ("sex", -11.2),
                ("s3", -9.8),
                ("age", 0.3),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            own: None,
        }),
        trainer_failed: None,
        evaluation: Some(EvaluationFacts {
            metrics: vec![
                metric("rmse", Minimize, 53.212, [47.11, 59.02]),
                metric("mae", Minimize, 43.72, [37.9, 49.6]),
                metric("r2", Maximize, 0.4695, [0.331, 0.575]),
            ],
            primary: "rmse".to_owned(),
            slices: Vec::new(),
            slice_min_rows: 30,
            plots: Plots {
                predicted_actual: points(89),
                residual_edges: (0..=12).map(|i| -150.0 + 25.0 * f64::from(i)).collect(),
                residual_counts: vec![1, 2, 4, 8, 13, 17, 16, 12, 8, 5, 2, 1],
                ..Plots::default()
            },
        }),
        drift: None,
        comparison: Some(ComparisonFacts {
            champion: Champion::Version {
                alias: Some("production".to_owned()),
                version: VersionNumber(3),
                commit: Some("91fe02ac77d1b8c3a4e5f60718293a4b5c6d7e8f".to_owned()),
            },
            metrics: pairs.map(|pair| compare(pair, "influence function, t", 89)).to_vec(),
            slices: vec![
                slice("sex=1", 49, (45.21, 43.18), 1.0, SliceStatus::Ok),
                slice("sex=2", 40, (44.55, 44.39), 0.82, SliceStatus::Ok),
                slice("age=[40,60)", 46, (43.9, 42.02), 1.0, SliceStatus::Ok),
                SliceComparison {
                    slice: "age=[0,40)".to_owned(),
                    n_rows: 21,
                    champion: None,
                    challenger: None,
                    gain: None,
                    p_worse: None,
                    p_adjusted: None,
                    status: SliceStatus::TooFewRows,
                },
            ],
            itself: false,
            n_left_out: 0,
            n_unanswered: 0,
            test_set_uses: Some(7),
            reasons: Vec::new(),
        }),
        gates: vec![
            gate(
                "data",
                GateStatus::Pass,
                "every rule of the contract holds on 442 rows",
                None,
                7,
            ),
            lint,
            test,
            gate(
                "metrics.rmse",
                GateStatus::Pass,
                "`rmse` is 53.2, below `max: 60`, and better than v3",
                Some(Verdict::Better),
                24,
            ),
            gate(
                "slices",
                GateStatus::Pass,
                "none of 3 slices is worse than 5 % allows",
                None,
                26,
            ),
            gate("budget", GateStatus::Pass, "3.2 kB of 10 MB, 0.4 s of 10 min", None, 28),
        ],
        registry: Some(RegistryFacts {
            place: ".mlops/registry".to_owned(),
            version: None,
            digest: Some(Digest::of(b"model")),
            existed: false,
            aliases: vec![("production".to_owned(), VersionNumber(3))],
            not_published: Some("a pull request publishes nothing".to_owned()),
            not_promoted: None,
        }),
        history: [("v1", 58.9), ("v2", 56.2), ("v3", 55.1), ("this run", 53.2)]
            .map(|(label, value)| HistoryPoint {
                label: label.to_owned(),
                value,
            })
            .to_vec(),
        alerts: Vec::new(),
        verdict: Verdict::Better,
        reason: "`rmse` is better than v3 on the same 89 rows".to_owned(),
        passed: true,
    }
}

/// A binary classifier whose comparison is undecided: passes with a warning.
pub fn inconclusive() -> Facts {
    use Direction::{Maximize, Minimize};
    let mut facts = better();
    let pairs = [
        Pair {
            name: "roc_auc",
            direction: Maximize,
            champion: 0.8741,
            challenger: 0.8702,
            interval: [-0.0151, 0.0073],
            margin: 0.0087,
            verdict: Verdict::Inconclusive,
        },
        Pair {
            name: "accuracy",
            direction: Maximize,
            champion: 0.812,
            challenger: 0.821,
            interval: [-0.009, 0.027],
            margin: 0.008,
            verdict: Verdict::Same,
        },
        Pair {
            name: "log_loss",
            direction: Minimize,
            champion: 0.4121,
            challenger: 0.4163,
            interval: [-0.0042, 0.0126],
            margin: 0.004,
            verdict: Verdict::Inconclusive,
        },
    ];
    facts.model = "churn".to_owned();
    facts.config_file = ".github/mlops.yaml".to_owned();
    let mut compared: Vec<Comparison> = pairs.map(|pair| compare(pair, "DeLong", 1_409)).to_vec();
    compared[0].rows_needed = Some(4_870);
    let curve = |power: f64| {
        (0..=40)
            .map(|i| {
                let x = f64::from(i) / 40.0;
                CurvePoint { x, y: x.powf(power) }
            })
            .collect()
    };
    let comparison = facts.comparison.as_mut().unwrap();
    comparison.metrics = compared;
    comparison.test_set_uses = Some(23);
    comparison.reasons = [
        "the difference of ROC AUC, 0.0039, is within the noise: 6 runs without a change differ by up to 0.0062",
        "these test rows have judged 23 challengers, and the more they judge the sooner one is better by chance",
    ]
    .map(str::to_owned)
    .to_vec();
    comparison.metrics[0].secondary = vec![Secondary {
        name: "DeLong".to_owned(),
        p: 0.4213,
        p_better: Some(0.789),
        statistic: Some(-0.804),
    }];
    comparison.slices = vec![
        slice("contract=Month-to-month", 775, (0.241, 0.2464), 0.41, SliceStatus::Ok),
        slice("contract=One year", 295, (0.118, 0.1153), 1.0, SliceStatus::Ok),
        slice("contract=Two year", 339, (0.041, 0.041), 1.0, SliceStatus::Ok),
    ];
    facts.evaluation = Some(EvaluationFacts {
        metrics: vec![
            metric("roc_auc", Maximize, 0.8702, [0.852, 0.887]),
            metric("accuracy", Maximize, 0.821, [0.801, 0.841]),
            metric("log_loss", Minimize, 0.4163, [0.392, 0.442]),
            MetricResult {
                name: "precision_at_k".to_owned(),
                direction: Maximize,
                value: None,
                interval: None,
                note: Some("no row is predicted positive".to_owned()),
            },
        ],
        primary: "roc_auc".to_owned(),
        slices: Vec::new(),
        slice_min_rows: 30,
        plots: Plots {
            roc: curve(0.16),
            precision_recall: (0..=40)
                .map(|i| {
                    let x = f64::from(i) / 40.0;
                    CurvePoint {
                        x,
                        y: 0.95 - 0.68 * x.powi(3),
                    }
                })
                .collect(),
            confusion: Some(ConfusionMatrix {
                labels: vec!["No".to_owned(), "Yes".to_owned()],
                counts: vec![vec![931, 104], vec![148, 226]],
            }),
            ..Plots::default()
        },
    });
    facts
        .gates
        .retain(|gate| !gate.name.starts_with("metrics.") && gate.name != "slices");
    facts.gates.push(gate(
        "metrics.roc_auc",
        GateStatus::Warn,
        "`roc_auc` may be worse than 1 % allows or may not: 1,409 rows do not decide it, about 4,870 would",
        Some(Verdict::Inconclusive),
        31,
    ));
    facts.history.truncate(0);
    facts.alerts = vec!["gate `metrics.roc_auc` was loosened by this change: `max_regression` 0.5% → 1%".to_owned()];
    facts.verdict = Verdict::Inconclusive;
    facts.reason = "`roc_auc`: the interval of the gain holds both zero and the margin".to_owned();
    facts
}

/// The model is worse, a slice with it, tests and contract fail.
pub fn worse() -> Facts {
    let mut facts = better();
    let comparison = facts.comparison.as_mut().unwrap();
    comparison.metrics[0] = compare(
        Pair {
            name: "rmse",
            direction: Direction::Minimize,
            champion: 55.104,
            challenger: 58.94,
            interval: [1.92, 5.81],
            margin: 0.551,
            verdict: Verdict::Worse,
        },
        "influence function, t",
        89,
    );
    comparison.slices[1] = slice("sex=2", 40, (44.55, 52.71), 0.0004, SliceStatus::Regression);
    let evaluation = facts.evaluation.as_mut().unwrap();
    evaluation.metrics[0] = metric("rmse", Direction::Minimize, 58.94, [52.6, 64.9]);
    let data = facts.data.as_mut().unwrap();
    data.violations = vec![Violation {
        rule: "bmi: range [10, 60]".to_owned(),
        message: "`bmi` must lie in 10 to 60".to_owned(),
        n_rows: 2,
        evidence: vec![
            "data/diabetes.csv:17: bmi = 99.0".to_owned(),
            "data/diabetes.csv:201: bmi = 0.3".to_owned(),
        ],
        span: Some(Span {
            line: 12,
            column: 7,
            end_column: 10,
        }),
    }];
    data.leaks = vec![Leak {
        code: "duplicate-rows".to_owned(),
        message: "3 rows of the test set are in the training set too".to_owned(),
        evidence: vec!["data/diabetes.csv:40 = :311".to_owned()],
    }];
    facts.gates[0] = gate("data", GateStatus::Fail, "1 rule is broken by 2 rows", None, 12);
    facts.gates[2] = GateResult {
        commands: vec![command(
            "pytest",
            1,
            "F.......\n=================================== FAILURES ===================================\n\
             ____________________________ test_bmi_is_plausible _____________________________\n\n\
             >       assert frame.bmi.max() < 60\nE       assert 99.0 < 60\n\ntests/test_data.py:14: AssertionError\n\
             =========================== short test summary info ============================\n\
             FAILED tests/test_data.py::test_bmi_is_plausible - assert 99.0 < 60\n1 failed, 7 passed in 3.97s",
            4_470,
        )],
        ..gate("test", GateStatus::Fail, "`pytest` ended with exit code 1", None, 22)
    };
    facts.gates[3] = gate(
        "metrics.rmse",
        GateStatus::Fail,
        "`rmse` is 58.9 against 55.1 in v3, worse than 1 % allows",
        Some(Verdict::Worse),
        24,
    );
    facts.gates[4] = gate("slices", GateStatus::Fail, "`sex=2` is worse than 5 % allows", None, 26);
    facts.history[3].value = 58.94;
    facts.verdict = Verdict::Worse;
    facts.reason = "`rmse` is worse than v3 by more than 1 %, `data`, `test` and `slices` failed".to_owned();
    facts.passed = false;
    facts
}

/// The first model ever: it meets the baseline.
pub fn first() -> Facts {
    let mut facts = better();
    let comparison = facts.comparison.as_mut().unwrap();
    comparison.champion = Champion::Baseline {
        name: "the training mean".to_owned(),
    };
    comparison.metrics = vec![compare(
        Pair {
            name: "rmse",
            direction: Direction::Minimize,
            champion: 73.22,
            challenger: 53.212,
            interval: [-26.9, -13.4],
            margin: 0.0,
            verdict: Verdict::Better,
        },
        "influence function, t",
        89,
    )];
    comparison.slices.clear();
    comparison.test_set_uses = Some(1);
    let evaluation = facts.evaluation.as_mut().unwrap();
    evaluation.slices = [("sex=1", 49, 51.9, [44.1, 59.2]), ("sex=2", 40, 54.7, [46.0, 62.8])]
        .map(|(name, n_rows, value, interval)| SliceResult {
            slice: name.to_owned(),
            n_rows,
            metrics: vec![metric("rmse", Direction::Minimize, value, interval)],
        })
        .to_vec();
    evaluation.slices.push(SliceResult {
        slice: "age=[0,40)".to_owned(),
        n_rows: 21,
        metrics: Vec::new(),
    });
    facts
        .gates
        .retain(|gate| gate.name == "metrics.rmse" || gate.name == "data");
    facts.gates[1].reason = "RMSE is 53.2, better (−20.0, 95 % interval −26.9 to −13.4)".to_owned();
    facts.history.clear();
    facts.alerts = vec!["no production version yet: compared with a baseline that learns nothing".to_owned()];
    facts.registry = Some(RegistryFacts {
        place: ".mlops/registry".to_owned(),
        version: Some(VersionNumber(1)),
        digest: Some(Digest::of(b"model")),
        existed: false,
        aliases: vec![("candidate".to_owned(), VersionNumber(1))],
        not_published: None,
        not_promoted: None,
    });
    facts.reason = "RMSE is better (−20.0, 95 % interval −26.9 to −13.4); every gate passed".to_owned();
    facts
}

/// Nothing changed since production was trained.
pub fn reused() -> Facts {
    let mut facts = better();
    for comparison in &mut facts.comparison.as_mut().unwrap().metrics {
        comparison.challenger = comparison.champion;
        comparison.difference = Some(0.0);
        comparison.difference_interval = Some([0.0, 0.0]);
        (comparison.lower, comparison.upper) = (Some(0.0), Some(0.0));
        comparison.verdict = Verdict::Same;
    }
    facts.training.as_mut().unwrap().reused_from = Some("the training of 2026-01-05T08:00:00Z".to_owned());
    facts.registry = Some(RegistryFacts {
        place: ".mlops/registry".to_owned(),
        version: Some(VersionNumber(3)),
        digest: Some(Digest::of(b"model")),
        existed: true,
        aliases: vec![("production".to_owned(), VersionNumber(3))],
        not_published: None,
        not_promoted: None,
    });
    facts.verdict = Verdict::Same;
    facts.reason = "every gate passed".to_owned();
    facts
}

/// The data could not be read: nothing was trained.
pub fn failed() -> Facts {
    let mut facts = better();
    facts.data = None;
    facts.training = None;
    facts.evaluation = None;
    facts.comparison = None;
    facts.registry = None;
    facts.history.clear();
    facts.gates.truncate(3);
    facts.gates.remove(0);
    let why = "column `progression` is not in `data/diabetes.csv`; the nearest is `progresion`";
    facts.steps = vec![
        step("data", Outcome::Failed, 12, Some(why)),
        step("lint", Outcome::Done, 1_040, None),
        step("test", Outcome::Done, 4_420, None),
        step("train", Outcome::Skipped, 0, Some("`data` failed")),
    ];
    facts.verdict = Verdict::FailedToRun;
    facts.reason = why.to_owned();
    facts.passed = false;
    facts
}

pub fn all() -> Vec<(&'static str, Facts)> {
    vec![
        ("better", better()),
        ("inconclusive", inconclusive()),
        ("worse", worse()),
        ("first", first()),
        ("failed", failed()),
    ]
}

/// 500 metrics in 200 slices, and much of everything else.
pub fn huge() -> Facts {
    let mut facts = worse();
    let names: Vec<String> = (0..500).map(|i| format!("metric_number_{i:03}")).collect();
    let metrics: Vec<MetricResult> = names
        .iter()
        .map(|name| metric(name, Direction::Minimize, 53.212, [47.11, 59.02]))
        .collect();
    let evaluation = facts.evaluation.as_mut().unwrap();
    evaluation.slices = (0..200)
        .map(|i| SliceResult {
            slice: format!("column={i}"),
            n_rows: 50,
            metrics: metrics.clone(),
        })
        .collect();
    evaluation.metrics.extend(metrics);
    let comparison = facts.comparison.as_mut().unwrap();
    let first = comparison.metrics[0].clone();
    comparison.metrics.extend(names.iter().map(|name| Comparison {
        metric: name.clone(),
        ..first.clone()
    }));
    comparison.slices = (0..200)
        .map(|i| slice(&format!("column={i}"), 50, (45.0, 46.0), 0.2, SliceStatus::Regression))
        .collect();
    facts.gates.extend(names.iter().map(|name| {
        gate(
            &format!("metrics.{name}"),
            GateStatus::Fail,
            &"`rmse` is worse ".repeat(30),
            Some(Verdict::Worse),
            9,
        )
    }));
    let tail = "x".repeat(300) + "\n";
    facts.gates[2].commands = vec![command("pytest", 1, &tail.repeat(200), 1); 30];
    let data = facts.data.as_mut().unwrap();
    data.columns = (0..2_000)
        .map(|i| {
            column(
                &format!("a_rather_long_column_name_{i}"),
                "feature",
                (9, 1.0, 0.0, 2.0),
                &[1, 2, 3],
            )
        })
        .collect();
    data.violations = vec![data.violations[0].clone(); 500];
    facts.alerts = vec!["something is odd".to_owned(); 50];
    facts
}
