//! Scores of folds of a cross-validation, whose training rows overlap. Pure.

use crate::base::{Direction, Verdict};
use crate::stats::{mean, sd, t_cdf};

use super::compare::{CompareRule, MIN_ROWS, conclude};
use super::estimate::Estimate;
use super::result::Secondary;
use super::{Comparison, Margin};

/// Whether the challenger is better over folds, all repeats together: one score a fold of each model on the same folds, in
/// the same order, of a metric with this `direction`. `metric` is its name, for the result alone.
///
/// `n_train` and `n_test` are the rows of one fold. The bounds are one-sided at 95 %, by Student's t with one less than
/// the folds as degrees of freedom. The variance is that of the folds times 1/k + `n_test/n_train`, since folds share most of
/// their training rows: a plain t test on folds finds differences where there are none. Rows needed are not named; folds are
/// no rows. Scores that do not fit each other, or are not finite, are inconclusive with a note.
///
/// Source: Nadeau & Bengio, *Inference for the generalization error* (2003). Oracle: scipy's t on the formula,
/// `fixtures/compare/iris-cv`.
pub fn compare_folds(metric: &str, scores: &FoldScores<'_>, margin: Margin, direction: Direction) -> Comparison {
    let rule = CompareRule {
        margin,
        min_rows: 0,
        ..CompareRule::default()
    };
    let mut comparison = Comparison {
        metric: metric.to_owned(),
        direction,
        champion: None,
        challenger: None,
        difference: None,
        difference_interval: None,
        gain: None,
        lower: None,
        upper: None,
        margin: margin.applied(0.0),
        method: "corrected resampled t".to_owned(),
        n_rows: scores.n_test.saturating_mul(scores.champion.len()),
        verdict: Verdict::Inconclusive,
        rows_needed: None,
        note: None,
        alpha: rule.alpha,
        secondary: Vec::new(),
    };
    if let Err(why) = fill(&mut comparison, scores, &rule) {
        comparison.note = Some(why);
    }
    comparison.rows_needed = None;
    comparison
}

/// What folds gave.
#[derive(Debug, Clone, Copy)]
pub struct FoldScores<'a> {
    pub champion: &'a [f64],
    pub challenger: &'a [f64],
    /// Rows that one fold trains on, and is tested on.
    pub n_train: usize,
    pub n_test: usize,
}

fn fill(out: &mut Comparison, scores: &FoldScores<'_>, rule: &CompareRule<'_>) -> Result<(), String> {
    let k = scores.champion.len();
    if k != scores.challenger.len() {
        return Err("the two models were not scored on the same folds".to_owned());
    }
    if k < 2 {
        return Err("one fold says nothing about a difference".to_owned());
    }
    if scores.n_train == 0 || scores.n_test == 0 {
        return Err("a fold has no rows".to_owned());
    }
    let pairs = || scores.champion.iter().zip(scores.challenger);
    if pairs().any(|(a, b)| !a.is_finite() || !b.is_finite()) {
        return Err("a score of a fold is not a finite number".to_owned());
    }
    let gains: Vec<f64> = pairs().map(|(a, b)| out.direction.gain(*a, *b)).collect();
    let (champion, challenger, gain) = (mean(scores.champion), mean(scores.challenger), mean(&gains));
    if ![champion, challenger, challenger - champion, gain]
        .iter()
        .all(|x| x.is_finite())
    {
        return Err("the difference is too large to be a number".to_owned());
    }
    (out.champion, out.challenger) = (Some(champion), Some(challenger));
    (out.difference, out.gain) = (Some(challenger - champion), Some(gain));
    out.margin = rule.margin.applied(champion);
    let (spread, df) = (sd(&gains), k as f64 - 1.0);
    let share = scores.n_test as f64 / scores.n_train as f64;
    let standard_error = spread * (1.0 / k as f64 + share).sqrt();
    let t = gain / standard_error;
    if t.is_finite() {
        out.secondary.push(Secondary {
            name: out.method.clone(),
            p: 2.0 * t_cdf(-t.abs(), df),
            p_better: Some(t_cdf(-t, df)),
            statistic: Some(t),
        });
    }
    let estimate = Estimate::around(gain, standard_error, df, spread, rule.alpha);
    if out.n_rows < MIN_ROWS {
        conclude(out, &estimate, rule)?;
        out.verdict = Verdict::Inconclusive;
        return Err(format!(
            "{} rows in all folds are too few: {MIN_ROWS} are needed to compare",
            out.n_rows
        ));
    }
    conclude(out, &estimate, rule)
}

/// The tests of five repeats of a two-fold cross-validation; the p-values are two-sided, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FiveByTwo {
    /// t of the first difference with five degrees of freedom.
    pub t: f64,
    pub p_t: f64,
    /// The one to prefer: F of all ten differences with ten and five degrees of freedom.
    pub f: f64,
    pub p_f: f64,
}

/// Dietterich's 5×2cv t test and Alpaydın's F test. `differences[repeat][fold]` of two models, in any unit. `None` where
/// they do not vary within the repeats, or are not finite.
///
/// Source: Dietterich, *Approximate statistical tests for comparing supervised classification learning algorithms* (1998);
/// Alpaydın, *Combined 5×2 cv F test* (1999). Oracle: scipy's t and F, `fixtures/compare/iris-cv`.
pub fn five_by_two(differences: &[[f64; 2]; 5]) -> Option<FiveByTwo> {
    let variance = |pair: &[f64; 2]| 0.5 * (pair[0] - pair[1]).powi(2);
    let total: f64 = differences.iter().map(variance).sum();
    let squares: f64 = differences.iter().flatten().map(|d| d * d).sum();
    let (t, f) = (differences[0][0] / (total / 5.0).sqrt(), squares / (2.0 * total));
    (t.is_finite() && f.is_finite()).then(|| FiveByTwo {
        t,
        p_t: 2.0 * t_cdf(-t.abs(), 5.0),
        f,
        p_f: tail_of_f_10_5(f),
    })
}

/// P(F > f) with ten and five degrees of freedom: I(x; 5/2, 5) at x = 1 / (1 + 2 f), a finite sum since 5 is whole.
fn tail_of_f_10_5(f: f64) -> f64 {
    let x = 1.0 / (1.0 + 2.0 * f);
    let (mut term, mut sum) = (1.0, 0.0);
    for k in 0..5_u8 {
        sum += term;
        term *= (2.5 + f64::from(k)) / f64::from(k + 1) * (1.0 - x);
    }
    (x.powf(2.5) * sum).clamp(0.0, 1.0)
}
