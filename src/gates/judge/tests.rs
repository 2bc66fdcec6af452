use super::*;
use crate::base::{Direction, Span};
use crate::evaluate::Margin;

fn gate(max: Option<f64>, min: Option<f64>, regression: bool) -> MetricGate {
    MetricGate {
        metric: "rmse".to_owned(),
        max,
        min,
        max_regression: regression.then_some(Margin {
            relative: Some(0.01),
            absolute: None,
        }),
        require_improvement: false,
        informational: false,
        span: Span::new(12, 5, 9),
    }
}

fn measured(value: Option<f64>) -> MetricResult {
    MetricResult {
        name: "rmse".to_owned(),
        direction: Direction::Minimize,
        value,
        interval: value.map(|value| [value - 6.0, value + 6.0]),
        note: value.is_none().then(|| "there are no rows".to_owned()),
    }
}

fn comparison(verdict: Verdict) -> Comparison {
    let known = verdict != Verdict::FailedToRun;
    Comparison {
        metric: "rmse".to_owned(),
        direction: Direction::Minimize,
        champion: known.then_some(57.7),
        challenger: known.then_some(53.5),
        difference: known.then_some(-4.159),
        difference_interval: known.then_some([-9.81, 1.49]),
        gain: known.then_some(4.159),
        lower: known.then_some(-0.58),
        upper: known.then_some(8.9),
        margin: 0.577,
        method: "influence function, t".to_owned(),
        n_rows: 111,
        verdict,
        rows_needed: (verdict == Verdict::Inconclusive).then_some(254),
        note: None,
        alpha: 0.05,
        secondary: Vec::new(),
    }
}

fn line(result: &GateResult) -> String {
    assert!(
        !result.reason.ends_with('.') && !result.reason.contains('\n'),
        "{}",
        result.reason
    );
    format!("{:?}: {}", result.status, result.reason)
}

#[test]
fn limits_judge_the_value() {
    let judge = |max, min, value: f64| {
        line(&judge_metric(
            &gate(max, min, false),
            Some(&measured(Some(value))),
            None,
            OnInconclusive::Fail,
        ))
    };
    let lines = [
        judge(Some(60.0), None, 53.52),
        judge(Some(60.0), None, 60.0),
        judge(Some(60.0), None, 60.000_04),
        judge(None, Some(0.8), 0.7),
        judge(Some(60.0), Some(50.0), 53.52),
        judge(None, None, 53.52),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    Pass: RMSE is 53.5, within the limit of 60
    Pass: RMSE is 60.0, within the limit of 60
    Fail: RMSE is 60.00004, above the limit of 60
    Fail: RMSE is 0.7000, below the limit of 0.8
    Pass: RMSE is 53.5, within 50 to 60
    Skipped: RMSE is 53.5, and the gate sets no limit
    ");
}

#[test]
fn verdicts_judge_the_difference() {
    let all = [
        Verdict::Better,
        Verdict::Same,
        Verdict::Worse,
        Verdict::Inconclusive,
        Verdict::FailedToRun,
    ];
    let judge = |gate: &MetricGate, verdict, on| {
        let result = judge_metric(gate, Some(&measured(Some(53.52))), Some(&comparison(verdict)), on);
        assert_eq!((result.verdict, result.name.as_str()), (Some(verdict), "metrics.rmse"));
        line(&result)
    };
    let plain: Vec<String> = all
        .map(|v| judge(&gate(Some(60.0), None, true), v, OnInconclusive::Warn))
        .into();
    insta::assert_snapshot!(plain.join("\n"), @"
    Pass: RMSE is 53.5, within the limit of 60, better on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed)
    Pass: RMSE is 53.5, within the limit of 60, the same on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed)
    Fail: RMSE is 53.5, within the limit of 60, worse on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed)
    Warn: RMSE is 53.5, within the limit of 60, undecided on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed; about 254 rows would decide)
    Fail: RMSE was not compared: the challenger failed to run
    ");
    let strict = MetricGate {
        require_improvement: true,
        ..gate(None, None, false)
    };
    let strict: Vec<String> = all.map(|v| judge(&strict, v, OnInconclusive::Fail)).into();
    insta::assert_snapshot!(strict.join("\n"), @"
    Pass: RMSE is 53.5, better on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed)
    Fail: RMSE is 53.5, the same on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed), and an improvement is required
    Fail: RMSE is 53.5, worse on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed)
    Fail: RMSE is 53.5, undecided on the 111 rows compared (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed; about 254 rows would decide)
    Fail: RMSE was not compared: the challenger failed to run
    ");
}

#[test]
fn what_is_missing_never_passes() {
    let compares = gate(None, None, true);
    let limited = gate(Some(60.0), None, true);
    let shown = MetricGate {
        informational: true,
        ..gate(Some(60.0), None, true)
    };
    let nothing = measured(None);
    let value = measured(Some(70.0));
    let judge = |gate: &MetricGate, result: Option<&MetricResult>| {
        let result = judge_metric(gate, result, None, OnInconclusive::Warn);
        line(&result)
    };
    let lines = [
        judge(&compares, None),
        judge(&compares, Some(&nothing)),
        judge(&compares, Some(&measured(Some(53.52)))),
        judge(&limited, Some(&nothing)),
        judge(&shown, None),
        judge(&shown, Some(&value)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    Warn: RMSE has no value: it was not measured
    Warn: RMSE has no value: there are no rows
    Warn: RMSE is 53.5, but there is nothing to compare it with
    Fail: RMSE has no value: there are no rows
    Skipped: RMSE has no value: it was not measured
    Pass: RMSE is 70.0, for information only
    ");
}

fn slice(name: &str, status: SliceStatus) -> SliceComparison {
    SliceComparison {
        slice: name.to_owned(),
        n_rows: 57,
        champion: Some(44.23),
        challenger: Some(61.508),
        gain: Some(-17.28),
        p_worse: Some(0.001),
        p_adjusted: Some(0.004),
        status,
    }
}

#[test]
fn slices_fail_by_name() {
    let gate = SliceGate {
        max_regression: Margin::default(),
        min_rows: 30,
        span: Span::new(20, 3, 9),
    };
    let (ok, lost, few) = (SliceStatus::Ok, SliceStatus::Regression, SliceStatus::TooFewRows);
    let judge = |statuses: &[SliceStatus]| {
        let slices: Vec<SliceComparison> = statuses
            .iter()
            .enumerate()
            .map(|(i, status)| slice(&format!("sex={i}"), *status))
            .collect();
        line(&judge_slices(&gate, Some(&slices), OnInconclusive::Warn))
    };
    let lines = [
        judge(&[ok, ok]),
        judge(&[ok, few]),
        judge(&[few, few]),
        judge(&[ok, lost, few]),
        judge(&[lost; 5]),
        judge(&[]),
        line(&judge_slices(&gate, None, OnInconclusive::Fail)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    Pass: none of the 2 slices compared is worse
    Pass: none of the 1 slice compared is worse; 1 slice with fewer than 30 rows not compared
    Warn: none of the 2 slices has the 30 rows that a comparison needs
    Fail: worse on sex=1 (mean loss 44.23 → 61.51, 57 rows)
    Fail: worse on sex=0 (mean loss 44.23 → 61.51, 57 rows); sex=1 (mean loss 44.23 → 61.51, 57 rows); sex=2 (mean loss 44.23 → 61.51, 57 rows); 2 more
    Skipped: no slices are declared
    Fail: there is nothing to compare the slices with
    ");
}

#[test]
fn a_budget_names_what_it_costs() {
    let budget = |size: Option<u64>, time: Option<u64>| Budget {
        model_size_bytes: size,
        train_time: time.map(Duration::from_secs),
        span: Span::new(30, 3, 9),
    };
    let both = budget(Some(10_000_000), Some(600));
    let seconds = |s: f64| Some(Duration::from_secs_f64(s));
    let lines = [
        line(&judge_budget(&both, Some(12_400), seconds(1.25))),
        line(&judge_budget(&both, Some(10_000_001), seconds(600.5))),
        line(&judge_budget(&both, None, seconds(600.0))),
        line(&judge_budget(&budget(None, None), None, None)),
        line(&judge_budget(&budget(Some(999), None), Some(1), None)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    Pass: the model is 12.4 kB, 10 MB are allowed; training took 1.25 s, 600 s are allowed
    Fail: the model is 10000001 bytes, above the limit of 10 MB; training took 600.5 s, above the limit of 600 s
    Fail: the size of the model is unknown, its limit is 10 MB
    Skipped: the budget sets no limit
    Pass: the model is 1 byte, 999 bytes are allowed
    ");
}

#[test]
fn the_whole_is_no_better_than_its_gates() {
    let named = |name: &str, status, verdict| GateResult {
        name: name.to_owned(),
        status,
        reason: "because".to_owned(),
        verdict,
        span: None,
        commands: Vec::new(),
    };
    let pass = named("test", GateStatus::Pass, None);
    let fail = named("lint", GateStatus::Fail, None);
    let skipped = named("slices", GateStatus::Skipped, None);
    let better = named("metrics.rmse", GateStatus::Pass, Some(Verdict::Better));
    let undecided = named("metrics.rmse", GateStatus::Warn, Some(Verdict::Inconclusive));
    let worse = named("metrics.mae", GateStatus::Fail, Some(Verdict::Worse));
    let all = |gates: &[&GateResult], primary: Option<Verdict>| {
        let gates: Vec<GateResult> = gates.iter().map(|gate| (*gate).clone()).collect();
        let (verdict, reason, passed) = overall(&gates, primary.map(comparison).as_ref());
        format!("{} {passed}: {reason}", verdict.word())
    };
    let lines = [
        all(&[&pass, &better], Some(Verdict::Better)),
        all(&[&fail, &better], Some(Verdict::Better)),
        all(&[&fail, &worse, &better], Some(Verdict::Better)),
        all(&[&pass, &undecided], Some(Verdict::Inconclusive)),
        all(&[&pass], None),
        all(&[&skipped], None),
        all(&[], None),
        all(&[&pass], Some(Verdict::FailedToRun)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @"
    better true: RMSE is better (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed); every gate passed
    better false: RMSE is better (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed); gate `lint` failed: because
    worse false: RMSE is better (−4.2, 95 % interval −9.8 to 1.5; up to 0.577 worse is allowed); 2 gates failed: lint, metrics.mae
    inconclusive true: no gate failed; `metrics.rmse` warns: because
    inconclusive true: every gate passed
    inconclusive false: nothing was judged
    inconclusive false: nothing was judged
    failed to run false: RMSE was not compared; there is no challenger to judge
    ");
}
