//! Whether a model's errors on new rows are greater than they were: the trigger of a retraining. Pure.

use serde::{Deserialize, Serialize};

use super::multivariate::rank_sum;
use crate::stats::{mean, t_cdf};

/// When errors count as greater.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DegradationRule {
    /// The mean error may rise by this share of the reference's: 0.1 is ten per cent.
    pub relative_increase: f64,
    /// The level of the test, 0 to 1.
    pub alpha: f64,
    /// Whether rows stand in order of time: neighbors that are alike then count as fewer rows.
    pub ordered: bool,
}

impl Default for DegradationRule {
    fn default() -> Self {
        Self {
            relative_increase: 0.10,
            alpha: 0.05,
            ordered: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Degradation {
    /// Known errors of the reference and of the current rows.
    pub n: [usize; 2],
    /// As many independent rows would say as much; equal to `n` unless rows are ordered.
    pub n_effective: [f64; 2],
    pub mean: [f64; 2],
    /// Current mean over reference mean, less 1; `None` where the reference has a mean of 0.
    pub relative_increase: Option<f64>,
    /// Welch's t for a greater current mean; `None` where neither side varies.
    pub t: Option<f64>,
    pub df: Option<f64>,
    /// One-sided.
    pub p: f64,
    /// Mann and Whitney's one-sided p-value, which single great errors do not sway; secondary.
    pub rank_p: f64,
    pub degraded: bool,
    /// Why, a sentence without a full stop.
    pub reason: String,
}

/// Holds the errors of current rows against those of reference rows.
///
/// Errors are absolute, squared, or 0 and 1; in one unit, at least two known ones a side; missing and infinite ones are
/// left out. Degraded when the mean rose by more than the rule's share and Welch's one-sided p is below its level. With
/// ordered rows a side counts n(1 − ρ)/(1 + ρ) rows, at least 2, where ρ is its autocorrelation at lag 1, within 0 and
/// 0.99. No result is NaN.
///
/// # Errors
/// Too few errors, for people.
///
/// Source: Welch, *The generalization of Student's problem* (1947). Oracle: scipy's `ttest_ind(equal_var=False)` and
/// `mannwhitneyu`, `fixtures/drift/stream` (`degradation`).
pub fn degradation(reference: &[f64], current: &[f64], rule: &DegradationRule) -> Result<Degradation, String> {
    let known = |errors: &[f64]| -> Vec<f64> { errors.iter().copied().filter(|x| x.is_finite()).collect() };
    let sides = [known(reference), known(current)];
    if let Some(side) = (0..2).find(|side| sides[*side].len() < 2) {
        let name = ["reference", "current"][side];
        return Err(format!(
            "the {name} rows have {} known errors, and two are needed",
            sides[side].len()
        ));
    }
    // Squares of great errors must not overflow, nor those of tiny ones vanish; the test does not depend on the unit.
    let greatest = sides.iter().flatten().fold(0.0_f64, |a, x| a.max(x.abs()));
    let unit = if greatest > 0.0 { greatest } else { 1.0 };
    let scaled = sides
        .each_ref()
        .map(|side| side.iter().map(|x| x / unit).collect::<Vec<_>>());
    let means = scaled.each_ref().map(|side| mean(side));
    let n_effective = scaled.each_ref().map(|side| {
        let n = side.len() as f64;
        if rule.ordered {
            let rho = autocorrelation(side).clamp(0.0, 0.99);
            (n * (1.0 - rho) / (1.0 + rho)).max(2.0)
        } else {
            n
        }
    });
    let parts = [0, 1].map(|side| variance(&scaled[side], means[side]) / n_effective[side]);
    let (t, df, p) = welch(means, parts, n_effective);
    let relative_increase = (means[0] != 0.0).then(|| means[1] / means[0] - 1.0);
    let rose = relative_increase.map_or(means[1] > means[0], |increase| increase > rule.relative_increase);
    let sure = p < rule.alpha;
    Ok(Degradation {
        n: sides.each_ref().map(Vec::len),
        n_effective,
        mean: means.map(|mean| mean * unit),
        relative_increase,
        t,
        df,
        p,
        rank_p: rank_sum(&sides[0], &sides[1]).p_greater,
        degraded: rose && sure,
        reason: reason(relative_increase, means, p, rule),
    })
}

/// T, its degrees of freedom, and the one-sided p; the means alone decide where nothing varies.
fn welch(means: [f64; 2], parts: [f64; 2], n: [f64; 2]) -> (Option<f64>, Option<f64>, f64) {
    let total = parts[0] + parts[1];
    if total <= 0.0 {
        return (None, None, if means[1] > means[0] { 0.0 } else { 1.0 });
    }
    let t = (means[1] - means[0]) / total.sqrt();
    // Shares, so that squares of small variances do not vanish.
    let shares = parts.map(|part| part / total);
    let df = 1.0 / (shares[0] * shares[0] / (n[0] - 1.0) + shares[1] * shares[1] / (n[1] - 1.0));
    (Some(t), Some(df), t_cdf(-t, df))
}

fn variance(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    squares / (values.len() - 1) as f64
}

/// At lag 1; 0 where nothing varies.
fn autocorrelation(values: &[f64]) -> f64 {
    let center = mean(values);
    let squares: f64 = values.iter().map(|x| (x - center) * (x - center)).sum();
    let products: f64 = values
        .windows(2)
        .map(|pair| (pair[0] - center) * (pair[1] - center))
        .sum();
    if squares > 0.0 { products / squares } else { 0.0 }
}

fn reason(increase: Option<f64>, means: [f64; 2], p: f64, rule: &DegradationRule) -> String {
    let allowed = format!("{} %", rounded(100.0 * rule.relative_increase));
    let chance = if p < 0.0001 {
        "p < 0.0001".to_owned()
    } else {
        format!("p = {p:.4}")
    };
    let Some(increase) = increase else {
        return match (means[1] > means[0], p < rule.alpha) {
            (false, _) => "the mean error is 0 as before".to_owned(),
            (true, false) => format!("the mean error was 0 and is greater now, which may be chance ({chance})"),
            (true, true) => format!("the mean error was 0 and is greater now ({chance})"),
        };
    };
    let size = format!("{} %", rounded(100.0 * increase.abs()));
    if increase <= 0.0 {
        return format!("the mean error fell by {size}");
    }
    if increase <= rule.relative_increase {
        return format!("the mean error rose by {size}, within the {allowed} that are allowed");
    }
    if p < rule.alpha {
        format!("the mean error rose by {size}, more than the {allowed} that are allowed ({chance})")
    } else {
        format!("the mean error rose by {size}, which may be chance ({chance})")
    }
}

/// With one digit after the point below 10, and with none above.
fn rounded(value: f64) -> String {
    let text = if value < 9.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::stats::Rng;

    const CASES: [&str; 5] = [
        include_str!("../../fixtures/drift/stream/digits-errors/expected.json"),
        include_str!("../../fixtures/drift/stream/nile/expected.json"),
        include_str!("../../fixtures/drift/stream/seattle-abs-error/expected.json"),
        include_str!("../../fixtures/drift/stream/uk-coal/expected.json"),
        include_str!("../../fixtures/drift/stream/us-inflation/expected.json"),
    ];

    #[test]
    fn agrees_with_scipy() {
        let mut n_checked = 0;
        for case in CASES {
            let case: Value = serde_json::from_str(case).unwrap();
            let values: Vec<f64> = case["values"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x.as_f64().unwrap())
                .collect();
            for record in case["degradation"].as_array().unwrap() {
                let size = |name: &str| usize::try_from(record[name].as_u64().unwrap()).unwrap();
                let current = &values[values.len() - size("window")..];
                let found = degradation(&values[..size("n_ref")], current, &DegradationRule::default()).unwrap();
                let near = |found: f64, name: &str| {
                    let expected = record[name].as_f64().unwrap();
                    assert!(
                        (found - expected).abs() <= 1e-9 * expected.abs(),
                        "{name}: {found} {expected}"
                    );
                };
                near(found.mean[0], "mean_ref");
                near(found.mean[1], "mean_cur");
                near(found.relative_increase.unwrap(), "relative_increase");
                near(found.t.unwrap(), "welch_t");
                near(found.df.unwrap(), "welch_df");
                near(found.p, "welch_p");
                near(found.rank_p, "mannwhitney_p");
                assert_eq!(Value::Bool(found.degraded), record["retrain"]);
                n_checked += 1;
            }
        }
        assert!(n_checked >= 5);
    }

    #[test]
    fn says_why() {
        let reason = |reference: &[f64], current: &[f64]| {
            let found = degradation(reference, current, &DegradationRule::default()).unwrap();
            (found.degraded, found.reason)
        };
        let low: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 5) * 0.1).collect();
        let times = |factor: f64| -> Vec<f64> { low.iter().map(|x| x * factor).collect() };
        let is = |degraded: bool, text: &str| (degraded, text.to_owned());
        assert_eq!(reason(&low, &times(0.5)), is(false, "the mean error fell by 50 %"));
        assert_eq!(
            reason(&low, &times(1.05)),
            is(false, "the mean error rose by 5 %, within the 10 % that are allowed")
        );
        assert_eq!(
            reason(&low, &times(1.2)),
            is(
                true,
                "the mean error rose by 20 %, more than the 10 % that are allowed (p < 0.0001)"
            )
        );
        assert_eq!(
            reason(&low, &[1.0, 2.0]),
            is(false, "the mean error rose by 25 %, which may be chance (p = 0.3280)")
        );
        assert_eq!(reason(&[0.0; 3], &[0.0; 3]), is(false, "the mean error is 0 as before"));
        assert_eq!(
            reason(&[0.0; 3], &[1.0; 3]),
            is(true, "the mean error was 0 and is greater now (p < 0.0001)")
        );
        assert_eq!(
            degradation(&[1.0, f64::NAN], &[1.0; 3], &DegradationRule::default()).unwrap_err(),
            "the reference rows have 1 known errors, and two are needed"
        );
    }

    /// Errors that follow their predecessor would alarm three times in ten; counted as fewer rows they rarely do.
    #[test]
    fn ordered_rows_do_not_cry_wolf() {
        let mut rng = Rng::derive(11, "degradation");
        let mut alarms = [0, 0];
        let n_runs = 400;
        for _ in 0..n_runs {
            let mut series = |n: usize| -> Vec<f64> {
                let mut state = 0.0;
                let step = |_| {
                    let noise: f64 = (0..4).map(|_| rng.unit() - 0.5).sum();
                    state = 0.8 * state + noise;
                    3.0 + state
                };
                (0..n).map(step).collect()
            };
            let (reference, current) = (series(365), series(90));
            for (ordered, alarms) in [false, true].into_iter().zip(&mut alarms) {
                let rule = DegradationRule {
                    ordered,
                    relative_increase: 0.0,
                    alpha: 0.05,
                };
                *alarms += u32::from(degradation(&reference, &current, &rule).unwrap().degraded);
            }
        }
        assert!(alarms[0] > n_runs / 6, "{alarms:?}");
        assert!(alarms[1] < n_runs / 10, "{alarms:?}");
    }

    proptest! {
        /// The unit of the errors does not matter, however great or small, and nothing is NaN.
        #[test]
        fn the_unit_does_not_matter(
            reference in prop::collection::vec(0.0..10.0_f64, 2..60),
            current in prop::collection::vec(0.0..10.0_f64, 2..60),
            exponent in -990..990_i32,
            ordered: bool,
        ) {
            let rule = DegradationRule { ordered, ..DegradationRule::default() };
            let scale = 2.0_f64.powi(exponent);
            let scaled = |errors: &[f64]| -> Vec<f64> { errors.iter().map(|x| x * scale).collect() };
            let one = degradation(&reference, &current, &rule).unwrap();
            let other = degradation(&scaled(&reference), &scaled(&current), &rule).unwrap();
            prop_assert!((one.p - other.p).abs() <= 1e-9);
            prop_assert!((0.0..=1.0).contains(&one.p) && (0.0..=1.0).contains(&one.rank_p));
            prop_assert!(other.mean.iter().all(|mean| mean.is_finite()));
            prop_assert!(other.t.is_none_or(f64::is_finite) && other.df.is_none_or(f64::is_finite));
        }
    }
}
