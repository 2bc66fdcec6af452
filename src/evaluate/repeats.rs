//! A configuration trained again with other seeds: the spread between its models is part of the evidence. Pure: seeded.

use crate::stats::{mean, sd};

use super::compare::{CompareRule, blank, conclude, paired};
use super::estimate::Estimate;
use super::metrics::MetricKind;
use super::{Comparison, Predictions, Truth, compare};

/// Whether a configuration is better than the champion, from several `challengers` of it that were trained with different
/// seeds, all on the same rows. The gain is the mean over the challengers, and its bounds are for one more model trained
/// the same way.
///
/// With S gains gₛ of standard errors eₛ by [`compare`]'s method, ē their mean and s² the variance of the gains:
/// V = ē² + (1 + 1/S) s², by Student's t with the degrees of freedom of Satterthwaite,
/// V² / (ē⁴/ν + ((1 + 1/S) s²)²/(S − 1)), where ν is that of the method. ē is not less than the standard error of the mean
/// gain, whatever the models have in common; of few rows it is what the distance of their own bounds comes to. With one
/// challenger it is [`compare`] with a note. Nothing is NaN.
///
/// Source: the prediction interval of a random effect, Satterthwaite, *An approximate distribution of estimates of variance
/// components* (1946); that seeds belong into a comparison: Bouthillier et al., *Accounting for variance in machine
/// learning benchmarks* (2021).
pub fn compare_repeats(
    truth: &Truth,
    champion: &Predictions,
    challengers: &[&Predictions],
    metric: &MetricKind,
    rule: &CompareRule<'_>,
    seed: u64,
) -> Comparison {
    match challengers {
        [] => {
            let mut none = blank(metric, rule, truth.len());
            none.note = Some("there is no challenger".to_owned());
            none
        }
        [one] => {
            let mut alone = compare(truth, champion, one, metric, rule, seed);
            let note = "one seed says nothing about the spread between seeds";
            alone.note = Some(alone.note.map_or(note.to_owned(), |why| format!("{why}; {note}")));
            alone
        }
        [_, _, ..] => {
            let mut together = blank(metric, rule, truth.len());
            together.method = format!("{}, {} seeds", together.method, challengers.len());
            if let Err(why) = fill(&mut together, truth, champion, challengers, metric, rule, seed) {
                together.note = Some(why);
            }
            together
        }
    }
}

fn fill(
    out: &mut Comparison,
    truth: &Truth,
    champion: &Predictions,
    challengers: &[&Predictions],
    metric: &MetricKind,
    rule: &CompareRule<'_>,
    seed: u64,
) -> Result<(), String> {
    let (mut values, mut estimates, mut method) = (Vec::new(), Vec::new(), String::new());
    for challenger in challengers {
        let mut one = blank(metric, rule, truth.len());
        let estimate = paired(&mut one, truth, [champion, challenger], metric, rule, seed);
        (out.champion, out.margin) = (one.champion, one.margin);
        // One that equals the champion needs no method for few rows.
        if one.method.len() > method.len() {
            method = one.method;
        }
        values.push(one.challenger.unwrap_or(f64::NAN));
        estimates.push(estimate?);
    }
    out.method = format!("{method}, {} seeds", challengers.len());
    // In an order of their own, so that sums do not depend on which seed came first.
    values.sort_by(f64::total_cmp);
    estimates.sort_by(|a, b| (a.gain.total_cmp(&b.gain)).then(a.standard_error.total_cmp(&b.standard_error)));
    let challenger = mean(&values);
    out.challenger = challenger.is_finite().then_some(challenger);
    out.difference = out
        .champion
        .map(|champion| challenger - champion)
        .filter(|d| d.is_finite());
    let estimate = combined(&estimates, truth.len() as f64, rule);
    out.gain = estimate.gain.is_finite().then_some(estimate.gain);
    conclude(out, &estimate, rule)
}

fn combined(estimates: &[Estimate], n_rows: f64, rule: &CompareRule<'_>) -> Estimate {
    let of = |part: fn(&Estimate) -> f64| -> Vec<f64> { estimates.iter().map(part).collect() };
    let gains = of(|one| one.gain);
    let n_seeds = gains.len() as f64;
    let of_rows = mean(&of(|one| one.standard_error)).powi(2);
    let of_seeds = (1.0 + 1.0 / n_seeds) * sd(&gains).powi(2);
    let variance = of_rows + of_seeds;
    let df_rows = of(|one| one.df).into_iter().fold(f64::INFINITY, f64::min);
    let part = |part: f64, df: f64| {
        if df.is_finite() {
            (part / variance).powi(2) / df
        } else {
            0.0
        }
    };
    let inverse = part(of_rows, df_rows) + part(of_seeds, n_seeds - 1.0);
    let df = if inverse > 0.0 { 1.0 / inverse } else { df_rows };
    let standard_error = variance.sqrt();
    Estimate::around(
        mean(&gains),
        standard_error,
        df,
        standard_error * n_rows.sqrt(),
        rule.alpha,
    )
}
