//! Secondary tests, folds, forecasts, repeats and the verdict of all evidence.

use serde_json::Value;

use super::super::forecast::diebold_mariano;
use super::super::{
    CompareRule, Comparison, Evidence, FewRows, FoldScores, Margin, Ordered, Predictions, SliceComparison, SliceStatus,
    Truth, alpha_of_use, compare, compare_folds, compare_repeats, decide, five_by_two, metric, noise_floor,
};
use super::compare::{CASES, Case, case, record};
use super::{Table, close, list};
use crate::base::{Direction, Verdict};
use crate::stats::{Rng, sd, t_quantile, wilson};

/// Within the tolerance that the record states.
fn check(record: &Value, what: &str, ours: f64) {
    let theirs = record[what].as_f64().unwrap();
    let (relative, absolute) = (
        record["tol"]["rel"].as_f64().unwrap(),
        record["tol"]["abs"].as_f64().unwrap(),
    );
    assert!(
        close(ours, theirs, relative, absolute),
        "{what}: {ours} is not {theirs}"
    );
}

fn compared(case: &Case, name: &str) -> Comparison {
    let rule = CompareRule {
        min_rows: 2,
        few: FewRows::AsMany,
        ..CompareRule::default()
    };
    let kind = metric(name).unwrap();
    compare(&case.truth, &case.champion, &case.challenger, kind, &rule, 1)
}

#[test]
fn secondary_tests_are_those_of_scipy_and_statsmodels() {
    let mut n_checked = 0;
    for name in CASES {
        let case = case(name);
        for (metric_name, loss) in [
            ("mae", "abs_error"),
            ("mse", "squared_error"),
            ("log_loss", "log_loss"),
            ("brier", "brier"),
        ] {
            let Some(paired) = record(&case, "paired_t", Some(loss)) else {
                continue;
            };
            let ours = compared(&case, metric_name);
            let [t, ranks] = &ours.secondary[..] else {
                panic!("{ours:?}")
            };
            assert_eq!(
                (t.name.as_str(), ranks.name.as_str()),
                ("paired t", "Wilcoxon signed-rank")
            );
            check(paired, "t", t.statistic.unwrap());
            check(paired, "p_two_sided", t.p);
            check(paired, "p_one_sided_better", t.p_better.unwrap());
            let theirs = record(&case, "wilcoxon_signed_rank", Some(loss)).unwrap();
            check(theirs, "statistic_greater", ranks.statistic.unwrap());
            check(theirs, "p_two_sided", ranks.p);
            check(theirs, "p_one_sided_better", ranks.p_better.unwrap());
            n_checked += 1;
        }
        if let Some(theirs) = record(&case, "mcnemar", None) {
            let ours = compared(&case, "accuracy").secondary;
            assert_eq!(
                (ours[0].name.as_str(), ours[1].name.as_str()),
                ("exact McNemar", "mid-p McNemar")
            );
            check(theirs, "p_exact_two_sided", ours[0].p);
            check(theirs, "p_exact_one_sided_better", ours[0].p_better.unwrap());
            check(theirs, "p_mid_two_sided", ours[1].p);
            check(theirs, "challenger_only", ours[0].statistic.unwrap());
            n_checked += 1;
        }
        if let Some(theirs) = record(&case, "delong", None) {
            let ours = compared(&case, "roc_auc").secondary;
            check(theirs, "z", ours[0].statistic.unwrap());
            check(theirs, "p_two_sided", ours[0].p);
            check(theirs, "p_one_sided_better", ours[0].p_better.unwrap());
            n_checked += 1;
        }
        for theirs in case.expected["tests"].as_array().unwrap() {
            if theirs["test"] == "wilson_accuracy" {
                let n = case.expected["rows"].as_u64().unwrap();
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
                let right = (theirs["accuracy"].as_f64().unwrap() * n as f64).round() as u64;
                let (ours, theirs) = (wilson(right, n, 0.95).unwrap(), list(&theirs["ci95"]));
                assert!(close(ours[0], theirs[0], 1e-8, 1e-12) && close(ours[1], theirs[1], 1e-8, 1e-12));
                n_checked += 1;
            }
        }
    }
    assert_eq!(n_checked, 4 + 2 + 2 + 3 + 2 + 6);
}

fn expected(name: &str) -> Value {
    let text = match name {
        "iris-cv" => include_str!("../../../fixtures/compare/iris-cv/expected.json"),
        _ => include_str!("../../../fixtures/compare/nile-forecast/expected.json"),
    };
    serde_json::from_str(text).unwrap()
}

#[test]
fn folds_are_those_of_the_references() {
    let expected = expected("iris-cv");
    let (champion, challenger) = (list(&expected["scores_champion"]), list(&expected["scores_challenger"]));
    let scores = FoldScores {
        champion: &champion,
        challenger: &challenger,
        n_train: 135,
        n_test: 15,
    };
    let [resampled, two] = &expected["tests"].as_array().unwrap()[..] else {
        panic!()
    };
    let ours = compare_folds("accuracy", &scores, Margin::default(), Direction::Maximize);
    let test = &ours.secondary[0];
    check(resampled, "gain", ours.gain.unwrap());
    check(resampled, "t", test.statistic.unwrap());
    check(resampled, "p_two_sided", test.p);
    check(resampled, "p_one_sided_better", test.p_better.unwrap());
    // The bound is the one that the test's statistic makes zero at its critical value.
    let standard_error = ours.gain.unwrap() / test.statistic.unwrap();
    let lower = ours.gain.unwrap() - t_quantile(0.95, 29.0) * standard_error;
    assert!(close(ours.lower.unwrap(), lower, 1e-9, 1e-12) && ours.verdict == Verdict::Inconclusive);
    assert_eq!(
        (ours.n_rows, ours.rows_needed, ours.method.as_str()),
        (450, None, "corrected resampled t")
    );
    let allowed = Margin {
        relative: None,
        absolute: Some(0.03),
    };
    let same = compare_folds("accuracy", &scores, allowed, Direction::Maximize);
    assert_eq!(same.verdict, Verdict::Same);

    let mut differences = [[0.0; 2]; 5];
    for (ours, theirs) in differences
        .iter_mut()
        .zip(expected["five_by_two_differences"].as_array().unwrap())
    {
        ours.copy_from_slice(&list(theirs));
    }
    let ours = five_by_two(&differences).unwrap();
    check(two, "t", ours.t);
    check(two, "p_t_two_sided", ours.p_t);
    check(two, "F", ours.f);
    check(two, "p_F", ours.p_f);
    assert!(five_by_two(&[[0.5; 2]; 5]).is_none());
}

#[test]
fn folds_that_do_not_fit_are_inconclusive() {
    let of = |champion: &[f64], challenger: &[f64], n_train: usize, n_test: usize| {
        let scores = FoldScores {
            champion,
            challenger,
            n_train,
            n_test,
        };
        let ours = compare_folds("rmse", &scores, Margin::default(), Direction::Minimize);
        let numbers = [
            ours.champion,
            ours.challenger,
            ours.difference,
            ours.gain,
            ours.lower,
            ours.upper,
        ];
        assert!(numbers.iter().all(|x| x.is_none_or(f64::is_finite)), "{ours:?}");
        format!("{} {}", ours.verdict.word(), ours.note.unwrap_or_default())
    };
    let lines = [
        of(&[1.0, 2.0], &[1.0], 80, 20),
        of(&[1.0], &[2.0], 80, 20),
        of(&[], &[], 80, 20),
        of(&[1.0, 2.0], &[1.0, 2.0], 0, 20),
        of(&[1.0, f64::NAN], &[1.0, 2.0], 80, 20),
        of(&[1e308, -1e308], &[-1e308, 1e308], 80, 20),
        of(&[1.0, 2.0], &[0.5, 1.5], 8, 2),
        of(&[1.0, 2.0], &[0.5, 1.5], 80, 20),
        of(&[1.0, 2.0], &[1.0, 2.0], 80, 20),
    ];
    insta::assert_snapshot!(lines.map(|line| line.trim_end().to_owned()).join("\n"), @r"
    inconclusive the two models were not scored on the same folds
    inconclusive one fold says nothing about a difference
    inconclusive one fold says nothing about a difference
    inconclusive a fold has no rows
    inconclusive a score of a fold is not a finite number
    inconclusive the difference is too large to be a number
    inconclusive 4 rows in all folds are too few: 30 are needed to compare
    better
    same
    ");
}

/// Columns of the Nile for one horizon: truth, champion, challenger, times.
fn nile(horizon: u64) -> [Vec<f64>; 4] {
    let table = Table::read(include_str!("../../../fixtures/compare/nile-forecast/predictions.csv"));
    let column = |name: &str| table.numbers(&format!("{name}_h{horizon}"));
    [
        column("y_true"),
        column("champion"),
        column("challenger"),
        table.numbers("t"),
    ]
}

#[test]
fn forecasts_are_those_of_statsmodels() {
    let expected = expected("nile-forecast");
    let mut n_checked = 0;
    for theirs in expected["tests"].as_array().unwrap() {
        let horizon = theirs["horizon"].as_u64().unwrap();
        let [truth, champion, challenger, times] = nile(horizon);
        let loss = |error: f64| {
            if theirs["loss"] == "mse" {
                error * error
            } else {
                error.abs()
            }
        };
        let of_rows = truth.iter().zip(champion.iter().zip(&challenger));
        let differences: Vec<f64> = of_rows.map(|(y, (a, b))| loss(y - a) - loss(y - b)).collect();
        let horizon = usize::try_from(horizon).unwrap();
        let ours = diebold_mariano(&differences, horizon).unwrap();
        check(theirs, "gain", ours.gain);
        check(theirs, "dm_uniform_kernel", ours.plain);
        check(theirs, "hln_uniform", ours.statistic);
        check(theirs, "p_hln_uniform_two_sided", ours.two_sided);
        check(theirs, "p_hln_uniform_one_sided_better", ours.better);
        check(theirs, "hln_factor", ours.statistic / ours.plain);
        assert!(!ours.weighted);
        // The same through the product, whatever the order of the rows in the file.
        let mut rows: Vec<usize> = (0..truth.len()).collect();
        Rng::new(3).shuffle(&mut rows);
        let take = |values: &[f64]| -> Vec<f64> { rows.iter().map(|row| values[*row]).collect() };
        let times = take(&times);
        let rule = CompareRule {
            order: Some(Ordered { horizon, times: &times }),
            ..CompareRule::default()
        };
        let compared = compare(
            &Truth::Numbers(take(&truth)),
            &Predictions::Numbers(take(&champion)),
            &Predictions::Numbers(take(&challenger)),
            metric(theirs["loss"].as_str().unwrap()).unwrap(),
            &rule,
            1,
        );
        let test = &compared.secondary[0];
        assert_eq!(
            (test.name.as_str(), compared.method.as_str()),
            ("Diebold–Mariano", "Diebold–Mariano")
        );
        check(theirs, "gain", compared.gain.unwrap());
        check(theirs, "hln_uniform", test.statistic.unwrap());
        check(theirs, "p_hln_uniform_two_sided", test.p);
        // Never surer than the test, which looks no further than the horizon.
        let standard_error = compared.gain.unwrap() / test.statistic.unwrap();
        let bound = compared.gain.unwrap() - t_quantile(0.95, truth.len() as f64 - 1.0) * standard_error;
        assert!(
            compared.lower.unwrap() <= bound + 1e-9 * bound.abs(),
            "{compared:?} {bound}"
        );
        n_checked += 1;
    }
    assert_eq!(n_checked, 4);
}

#[test]
fn weights_stand_in_for_a_variance_that_is_not_positive() {
    // Differences that alternate: the sum of autocovariances to lag 1 is γ₀ + 2γ₁ < 0.
    let alternating: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 1.5 } else { -1.0 }).collect();
    let ours = diebold_mariano(&alternating, 2).unwrap();
    assert!(ours.weighted && ours.statistic.is_finite());
    // γ₀ = 1.5625 and γ₁ = −1.5625 · 39/40, whose weight is a half.
    let variance: f64 = 1.5625 * (1.0 - 39.0 / 40.0);
    assert!(
        close(ours.plain, 0.25 / (variance / 40.0).sqrt(), 1e-9, 0.0),
        "{ours:?}"
    );
    let why = |differences: &[f64], horizon| diebold_mariano(differences, horizon).unwrap_err();
    let lines = [
        why(&[], 1),
        why(&[1.0], 1),
        why(&[1.0, 2.0, 3.0], 3),
        why(&[2.0; 9], 1),
        why(&[1.0, f64::NAN], 1),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    one moment says nothing about a difference
    one moment says nothing about a difference
    3 moments are too few for forecasts 3 steps ahead
    the differences do not vary
    the difference is too large to be a number
    ");
}

/// Errors that remember, and what two forecasts with such errors are called.
fn remembered(n: usize, memory: f64, rng: &mut Rng) -> Vec<f64> {
    let mut last = 0.0;
    (0..n + 20)
        .map(|_| {
            last = memory * last + (0..4).map(|_| rng.unit() - 0.5).sum::<f64>();
            last
        })
        .skip(20)
        .collect()
}

#[test]
fn times_matter_for_every_kind_of_metric() {
    let n = 120;
    let mut rng = Rng::new(9);
    let (truth, errors) = (
        remembered(n, 0.9, &mut rng),
        [0.9, 0.9].map(|memory| remembered(n, memory, &mut rng)),
    );
    let side = |errors: &[f64]| Predictions::Numbers(truth.iter().zip(errors).map(|(y, e)| y + e).collect());
    let sides = [side(&errors[0]), side(&errors[1])];
    let times: Vec<f64> = (0..n).map(|t| t as f64).collect();
    let rule = CompareRule::default();
    let ordered = |times: &[f64], horizon: usize, name: &str| {
        let rule = CompareRule {
            order: Some(Ordered { horizon, times }),
            ..rule
        };
        let truth = Truth::Numbers(truth.clone());
        compare(&truth, &sides[0], &sides[1], metric(name).unwrap(), &rule, 1)
    };
    for name in ["mae", "rmse", "r2", "medae"] {
        let plain = compare(
            &Truth::Numbers(truth.clone()),
            &sides[0],
            &sides[1],
            metric(name).unwrap(),
            &rule,
            1,
        );
        let inside = ordered(&times, 1, name);
        let width = |c: &Comparison| c.upper.unwrap() - c.lower.unwrap();
        assert!(width(&inside) > 1.1 * width(&plain), "{name}: {inside:?} {plain:?}");
        assert!(close(inside.gain.unwrap(), plain.gain.unwrap(), 1e-9, 1e-12));
        // Two rows of each moment, which are copies, are one row.
        let twice: Vec<f64> = times.iter().map(|t| (t / 2.0).floor()).collect();
        let panel = ordered(&twice, 1, name);
        assert!(width(&panel) > width(&plain), "{name}: {panel:?}");
    }
    // The last years alone are no series.
    let years = ordered(&(0..n).map(|t| (t / 15) as f64).collect::<Vec<_>>(), 1, "mae");
    assert_eq!(years.method, "paired t");
    let word = |times: &[f64], horizon| ordered(times, horizon, "mae").note.unwrap_or("fine".to_owned());
    let mut gap = times.clone();
    gap[5] = f64::NAN;
    let lines = [
        word(&times[1..], 1),
        word(&gap, 1),
        word(&[3.0; 120], 1),
        word(&times, 119),
        word(&times, 500),
        word(&times, 0),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    the times do not cover the rows
    row 6 has no time
    fine
    fine
    120 moments are too few for forecasts 500 steps ahead
    fine
    ");
}

#[test]
fn repeats_widen_by_the_spread_between_seeds() {
    let n = 200;
    let mut rng = Rng::new(4);
    let (truth, base) = (remembered(n, 0.0, &mut rng), remembered(n, 0.0, &mut rng));
    let side = |errors: &[f64]| Predictions::Numbers(truth.iter().zip(errors).map(|(y, e)| y + e).collect());
    let champion = side(&base.iter().map(|e| 1.05 * e).collect::<Vec<_>>());
    let seeds: Vec<Predictions> = [0.9, 1.0, 1.1, 0.95]
        .iter()
        .map(|scale| side(&base.iter().map(|e| scale * e).collect::<Vec<_>>()))
        .collect();
    let borrowed: Vec<&Predictions> = seeds.iter().collect();
    let (truth, kind, rule) = (Truth::Numbers(truth), metric("mae").unwrap(), CompareRule::default());
    let all = compare_repeats(&truth, &champion, &borrowed, kind, &rule, 1);
    let each: Vec<Comparison> = borrowed
        .iter()
        .map(|one| compare(&truth, &champion, one, kind, &rule, 1))
        .collect();
    let gains: Vec<f64> = each.iter().map(|one| one.gain.unwrap()).collect();
    assert!(close(all.gain.unwrap(), crate::stats::mean(&gains), 1e-12, 0.0));
    // By hand: the variance between seeds is nearly all there is, so that the degrees of freedom are nearly three.
    let least = t_quantile(0.95, 3.2) * (1.25_f64).sqrt() * sd(&gains);
    let half = all.gain.unwrap() - all.lower.unwrap();
    assert!(half > least && half < 1.3 * least, "{half} {least} {all:?}");
    assert_eq!(
        (all.method.as_str(), all.verdict),
        ("paired t, 4 seeds", Verdict::Inconclusive)
    );
    // Seeds that change nothing leave what one of them says.
    let same = compare_repeats(&truth, &champion, &[borrowed[0]; 3], kind, &rule, 1);
    assert!(
        close(same.lower.unwrap(), each[0].lower.unwrap(), 1e-9, 1e-12),
        "{same:?} {:?}",
        each[0]
    );
    let note = |challengers: &[&Predictions]| compare_repeats(&truth, &champion, challengers, kind, &rule, 1).note;
    assert_eq!(note(&[]).as_deref(), Some("there is no challenger"));
    assert!(note(&borrowed[..1]).is_some() && note(&borrowed).is_none());
}

#[test]
fn all_evidence_makes_one_verdict() {
    let truth: Vec<f64> = (0..60).map(f64::from).collect();
    let off = |by: f64| {
        Predictions::Numbers(
            truth
                .iter()
                .enumerate()
                .map(|(i, y)| y + by + f64::from(u8::from(i % 2 == 0)))
                .collect(),
        )
    };
    let compared = |name: &str, champion: f64, challenger: f64| {
        let rule = CompareRule {
            margin: Margin {
                relative: Some(0.02),
                absolute: None,
            },
            ..CompareRule::default()
        };
        let truth = Truth::Numbers(truth.clone());
        compare(
            &truth,
            &off(champion),
            &off(challenger),
            metric(name).unwrap(),
            &rule,
            1,
        )
    };
    let (better, same, worse) = (
        compared("mae", 1.0, 0.5),
        compared("rmse", 1.0, 1.0),
        compared("mse", 1.0, 2.0),
    );
    let mut unsure = compared("r2", 1.0, 1.0);
    (unsure.verdict, unsure.lower, unsure.upper) = (Verdict::Inconclusive, Some(-0.25), Some(0.125));
    unsure.rows_needed = Some(640);
    let slice = |name: &str, status| SliceComparison {
        slice: name.to_owned(),
        n_rows: 40,
        champion: None,
        challenger: None,
        gain: None,
        p_worse: Some(0.001),
        p_adjusted: Some(0.003),
        status,
    };
    let noise = noise_floor(&[1.2, 1.6, 1.3, 1.9, 1.0]).unwrap();
    let lost = [
        slice("sex=1", SliceStatus::Regression),
        slice("sex=2", SliceStatus::Ok),
        slice("age<0", SliceStatus::Regression),
    ];
    let alone = Evidence::of(&better);
    let shown = |evidence: &Evidence<'_>| {
        let decision = decide(evidence);
        format!(
            "{} {:?}: {}",
            decision.verdict.word(),
            decision.rows_needed,
            [decision.reasons, decision.doubts].concat().join("; ")
        )
    };
    let lines = [
        shown(&alone),
        shown(&Evidence::of(&same)),
        shown(&Evidence {
            guardrails: &[&same, &worse],
            ..alone
        }),
        shown(&Evidence {
            guardrails: &[&same, &unsure],
            ..alone
        }),
        shown(&Evidence {
            slices: &lost,
            guardrails: &[&unsure],
            ..alone
        }),
        shown(&Evidence {
            noise: Some(&noise),
            earlier: &[Verdict::Same, Verdict::Better],
            test_set_uses: Some(7),
            ..alone
        }),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    better None: MAE is better: the gain is 0.5000 to 0.5000, all above zero
    same None: RMSE is the same: the gain is 0.0 to 0.0, without any spread
    worse None: MSE is worse: the gain is −4.22 to −3.78, all below the loss of 0.050 that is allowed; MAE is better: the gain is 0.5000 to 0.5000, all above zero
    inconclusive Some(640): R² is inconclusive: the gain is −0.25 to 0.12, on both sides of the loss of 0.0198 that is allowed; MAE is better: the gain is 0.5000 to 0.5000, all above zero; about 640 rows would decide
    worse None: worse on the slice sex=1 and 1 more, corrected for 3 slices; R² is inconclusive: the gain is −0.25 to 0.12, on both sides of the loss of 0.0198 that is allowed; MAE is better: the gain is 0.5000 to 0.5000, all above zero
    better None: MAE is better: the gain is 0.5000 to 0.5000, all above zero; the difference of MAE, 0.5, is within the noise: 5 runs without a change differ by up to 2.4; flaky: the same training was called otherwise against the same version in 1 earlier run; these test rows have judged 7 challengers, and the more they judge the sooner one is better by chance
    ");
    let decided = decide(&Evidence {
        guardrails: &[&unsure],
        ..alone
    });
    assert_eq!(decided.beyond(Verdict::Inconclusive), None);
    insta::assert_snapshot!(decided.beyond(Verdict::Better).unwrap(), @"the verdict is better, and all evidence together is inconclusive: R² is inconclusive: the gain is −0.25 to 0.12, on both sides of the loss of 0.0198 that is allowed; about 640 rows would decide");
}

#[test]
fn spent_alpha_is_no_more_than_there_is() {
    let total: f64 = (1..100_000).map(|k| alpha_of_use(0.05, k)).sum();
    assert!(total < 0.05 && total > 0.0499);
    assert!(close(
        alpha_of_use(0.05, 0),
        0.05 * 6.0 / std::f64::consts::PI.powi(2),
        1e-12,
        0.0
    ));
    let case = case("diabetes-ridge");
    let of = |alpha: f64| {
        let rule = CompareRule {
            alpha,
            ..CompareRule::default()
        };
        compare(
            &case.truth,
            &case.champion,
            &case.challenger,
            metric("mae").unwrap(),
            &rule,
            1,
        )
    };
    let (usual, strict) = (of(0.05), of(alpha_of_use(0.05, 5)));
    assert!(strict.lower < usual.lower && strict.upper > usual.upper && strict.alpha < 0.05);
    assert_eq!(
        of(f64::NAN).lower,
        usual.lower,
        "an alpha that is none is the usual one"
    );
}

#[test]
fn older_facts_are_read() {
    let case = case("tiny-ties");
    let mut json = serde_json::to_value(compared(&case, "mae")).unwrap();
    let fields = json.as_object_mut().unwrap();
    fields.remove("alpha");
    fields.remove("secondary");
    let read: Comparison = serde_json::from_value(json).unwrap();
    assert!(read.secondary.is_empty() && close(read.alpha, 0.05, 0.0, 0.0));
}
