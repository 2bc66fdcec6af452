//! `decide`: whether one of two models is better, from a file with what both said.

mod columns;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::{Direction, Task, Verdict, nearest};
use crate::cli::{DecideOptions, Invocation};
use crate::data::{self, DataError, Frame, Values};
use crate::evaluate::{
    self, ALPHA, CompareRule, Comparison, Decision, Evidence, FewRows, FiveByTwo, FoldScores, MIN_ROWS, Margin,
    MetricKind, Ordered, SliceColumn, SliceComparison, SliceRule, SliceStatus, alpha_of_use, compare_folds,
    five_by_two,
};
use crate::pipeline;
use crate::stats::{ADJUSTMENTS, Adjust, wilson};

use self::columns::{Names, Sides};
use super::{FAILED, Failure, PASSED, json as wants_json, print};

pub async fn decide(invocation: &Invocation, options: &DecideOptions) -> Result<u8, Failure> {
    let root = invocation.cli.common.directory.clone();
    let root = root.unwrap_or_else(|| PathBuf::from("."));
    let options = options.clone();
    let answer = pipeline::beside(move || answer(&root, &options))
        .await
        .map_err(Failure::Panic)??;
    let text = if wants_json(invocation) {
        serde_json::to_string_pretty(&answer.json()).expect("a JSON value can always be written")
    } else {
        shown::text(&answer)
    };
    print(&text)?;
    Ok(match answer.verdict() {
        Some(Verdict::Worse | Verdict::FailedToRun) => FAILED,
        Some(Verdict::Better | Verdict::Same | Verdict::Inconclusive) | None => PASSED,
    })
}

/// What was asked for.
enum Answer {
    Rows(Box<OfRows>),
    Folds {
        comparison: Box<Comparison>,
        five_by_two: Option<FiveByTwo>,
        decision: Decision,
    },
    PValues {
        adjustment: &'static str,
        p_values: Vec<f64>,
        adjusted: Vec<f64>,
    },
}

/// Two models on the same rows.
struct OfRows {
    task: Task,
    why: String,
    positive: Option<String>,
    n_rows: usize,
    alpha: f64,
    uses: Option<u64>,
    /// The metric that decides comes first.
    comparisons: Vec<Comparison>,
    /// Rows that the champion and the challenger have right.
    n_right: Option<[u64; 2]>,
    adjustment: &'static str,
    slices: Vec<SliceComparison>,
    decision: Decision,
}

impl OfRows {
    /// Wilson's 95 % intervals of both accuracies.
    fn accuracies(&self) -> Option<[(u64, [f64; 2]); 2]> {
        let [champion, challenger] = self.n_right?;
        let of = |right: u64| Some((right, wilson(right, self.n_rows as u64, 0.95)?));
        Some([of(champion)?, of(challenger)?])
    }
}

impl Answer {
    fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Rows(rows) => Some(rows.decision.verdict),
            Self::Folds { decision, .. } => Some(decision.verdict),
            Self::PValues { .. } => None,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Rows(rows) => {
                let accuracy = rows.accuracies().map(|both| {
                    both.map(|(n_right, interval)| {
                        json!({"n_right": n_right, "n_rows": rows.n_rows, "interval": interval, "method": "Wilson"})
                    })
                });
                let [champion, challenger] = accuracy.map_or([None, None], |both| both.map(Some));
                json!({
                    "task": rows.task,
                    "task_reason": rows.why,
                    "positive": rows.positive,
                    "n_rows": rows.n_rows,
                    "alpha": rows.alpha,
                    "test_set_uses": rows.uses,
                    "comparisons": rows.comparisons,
                    "accuracy": {"champion": champion, "challenger": challenger},
                    "adjustment": rows.adjustment,
                    "slices": rows.slices,
                    "decision": decided(&rows.decision),
                })
            }
            Self::Folds {
                comparison,
                five_by_two,
                decision,
            } => json!({
                "comparisons": [comparison],
                "five_by_two": five_by_two.map(|test| json!({"t": test.t, "p_t": test.p_t, "f": test.f, "p_f": test.p_f})),
                "decision": decided(decision),
            }),
            Self::PValues {
                adjustment,
                p_values,
                adjusted,
            } => json!({"adjustment": adjustment, "p_values": p_values, "adjusted": adjusted}),
        }
    }
}

fn decided(decision: &Decision) -> Value {
    json!({
        "verdict": decision.verdict,
        "reasons": decision.reasons,
        "doubts": decision.doubts,
        "rows_needed": decision.rows_needed,
    })
}

fn answer(root: &Path, options: &DecideOptions) -> Result<Answer, Failure> {
    let (adjustment, adjust) = adjustment(&options.adjust)?;
    let input = options.folds.as_ref().or(options.predictions.as_ref());
    let input = input.ok_or_else(|| Failure::Unusable("name a file".to_owned()))?;
    let frame = read(root, input)?;
    if options.folds.is_some() {
        return of_folds(&frame, options);
    }
    if let Some(column) = &options.p_values {
        let p_values = columns::numbers(columns::known(&frame, column)?)?.to_vec();
        if let Some(row) = p_values.iter().position(|p| !(0.0..=1.0).contains(p)) {
            let message = format!("`{column}` = {} in {} is no p-value", p_values[row], frame.place(row));
            return Err(Failure::Unusable(message));
        }
        let adjusted = adjust(&p_values);
        return Ok(Answer::PValues {
            adjustment,
            p_values,
            adjusted,
        });
    }
    of_rows(&frame, options, adjustment, adjust).map(|rows| Answer::Rows(Box::new(rows)))
}

fn read(root: &Path, input: &str) -> Result<Frame, DataError> {
    Ok(data::read_source(root, input, &BTreeMap::new())?.frame)
}

fn of_rows(
    frame: &Frame,
    options: &DecideOptions,
    adjustment: &'static str,
    adjust: Adjust,
) -> Result<OfRows, Failure> {
    let names = Names {
        truth: options.truth.as_deref().unwrap_or_default(),
        champion: &options.champion,
        challenger: &options.challenger,
    };
    let sides = columns::sides(frame, &names, options.task)?;
    let metrics = metrics(options, &sides)?;
    let margins = margins(options, &metrics)?;
    let groups = options.group.as_deref().map(|name| columns::groups(frame, name));
    let groups = groups.transpose()?;
    let times = options.time.as_deref().map(|name| columns::times(frame, name));
    let times = times.transpose()?;
    let horizon = usize::try_from(options.horizon).unwrap_or(usize::MAX);
    let min_rows = options
        .min_rows
        .map_or(MIN_ROWS, |rows| usize::try_from(rows).unwrap_or(usize::MAX));
    let alpha = level(options)?;
    let comparisons: Vec<Comparison> = metrics
        .iter()
        .zip(margins)
        .map(|(kind, margin)| {
            let rule = CompareRule {
                margin,
                min_rows,
                groups: groups.as_deref(),
                order: times.as_deref().map(|times| Ordered { horizon, times }),
                alpha,
                few: if options.asymptotic {
                    FewRows::AsMany
                } else {
                    FewRows::Own
                },
            };
            evaluate::compare(
                &sides.truth,
                &sides.champion,
                &sides.challenger,
                kind,
                &rule,
                options.seed,
            )
        })
        .collect();
    let margin = options.slice_margin.as_deref().map(|text| loss("--slice-margin", text));
    let margin = margin.transpose()?.unwrap_or_default();
    let cut = cut(frame, &options.slices)?;
    let mut slices = evaluate::compare_slices(
        &sides.truth,
        &sides.champion,
        &sides.challenger,
        &cut,
        groups.as_deref(),
        margin,
        min_rows,
    );
    correct(&mut slices, adjust, alpha);
    let Some((primary, guardrails)) = comparisons.split_first() else {
        return Err(Failure::Unusable(
            "no metric can be computed of these columns".to_owned(),
        ));
    };
    let guardrails: Vec<&Comparison> = guardrails.iter().collect();
    let decision = evaluate::decide(&Evidence {
        guardrails: &guardrails,
        slices: &slices,
        test_set_uses: options.uses,
        ..Evidence::of(primary)
    });
    Ok(OfRows {
        task: sides.task,
        positive: sides.positive().map(str::to_owned),
        n_right: sides.n_right(),
        why: sides.why,
        n_rows: frame.n_rows(),
        alpha,
        uses: options.uses,
        comparisons,
        adjustment,
        slices,
        decision,
    })
}

/// The named metrics, or those of the task that have a value for both models.
fn metrics(options: &DecideOptions, sides: &Sides) -> Result<Vec<&'static MetricKind>, Failure> {
    if options.metrics.is_empty() {
        let valued = |kind: &&'static MetricKind| {
            let score = |side| kind.score(&sides.truth, side);
            score(&sides.champion).is_some() && score(&sides.challenger).is_some()
        };
        let usual = evaluate::default_metrics(sides.task);
        return Ok(usual.into_iter().filter(valued).collect());
    }
    let mut kinds: Vec<&'static MetricKind> = Vec::new();
    for name in &options.metrics {
        let of_task = || -> Vec<&str> { evaluate::metrics_for(sides.task).map(|kind| kind.name).collect() };
        let kind = evaluate::metrics_for(sides.task).find(|kind| kind.name == name);
        let kind = kind.ok_or_else(|| unknown("--metric", name, &of_task()))?;
        if kinds.iter().any(|known| known.name == kind.name) {
            return Err(Failure::Unusable(format!("`--metric {name}` is said twice")));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn unknown(option: &str, written: &str, known: &[&str]) -> Failure {
    let near = nearest(written, known.iter().copied());
    let hint = near.map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Failure::Unusable(format!("`{option} {written}` is not known: {hint}"))
}

fn adjustment(name: &str) -> Result<(&'static str, Adjust), Failure> {
    let found = ADJUSTMENTS.iter().find(|(known, _)| *known == name);
    let names = || -> Vec<&str> { ADJUSTMENTS.iter().map(|(name, _)| *name).collect() };
    found.copied().ok_or_else(|| unknown("--adjust", name, &names()))
}

/// The margin of each metric, as named or as usual for it.
fn margins(options: &DecideOptions, metrics: &[&'static MetricKind]) -> Result<Vec<Margin>, Failure> {
    let mut named: BTreeMap<&str, Margin> = BTreeMap::new();
    for text in &options.margins {
        let (name, amount) = text
            .rsplit_once('=')
            .ok_or_else(|| Failure::Unusable(format!("`--margin {text}` lacks a `=`: write `--margin NAME=LOSS`")))?;
        if !metrics.iter().any(|kind| kind.name == name) {
            let known: Vec<&str> = metrics.iter().map(|kind| kind.name).collect();
            return Err(unknown("--margin", name, &known));
        }
        named.insert(name, loss("--margin", amount)?);
    }
    let of = |kind: &&'static MetricKind| named.get(kind.name).copied().unwrap_or(kind.default_margin);
    Ok(metrics.iter().map(of).collect())
}

/// `0.01` in the unit of the metric, `2%` of the champion's value.
fn loss(option: &str, text: &str) -> Result<Margin, Failure> {
    let (number, is_share) = text.strip_suffix('%').map_or((text, false), |number| (number, true));
    let value = number.trim().parse::<f64>().ok();
    let value = value
        .filter(|value| value.is_finite() && *value >= 0.0)
        .ok_or_else(|| {
            Failure::Unusable(format!(
                "`{option}`: `{text}` is neither a loss such as 0.01 nor a share such as 2%"
            ))
        })?;
    Ok(if is_share {
        Margin {
            relative: Some(value / 100.0),
            absolute: None,
        }
    } else {
        Margin {
            relative: None,
            absolute: Some(value),
        }
    })
}

/// The chance of a mistake that this look at the rows may take.
fn level(options: &DecideOptions) -> Result<f64, Failure> {
    let alpha = options.alpha.unwrap_or(ALPHA);
    if !(alpha > 0.0 && alpha < 0.5) {
        let message = format!("`--alpha` must be between 0 and 0.5, not {alpha}");
        return Err(Failure::Unusable(message));
    }
    Ok(options.uses.map_or(alpha, |uses| alpha_of_use(alpha, uses)))
}

/// The rows of each value of these columns.
fn cut(frame: &Frame, slices: &[String]) -> Result<Vec<(String, Vec<usize>)>, Failure> {
    let mut cut = Vec::new();
    for name in slices {
        let column = frame
            .find(name)
            .map_err(|problem| Failure::Diagnostics(problem.into()))?;
        let rule = SliceRule::Values { column: name.clone() };
        let values = match &column.values {
            Values::Numbers(numbers) => SliceColumn::Numbers(numbers),
            Values::Texts { codes, levels } => SliceColumn::Texts { codes, levels },
        };
        cut.extend(evaluate::slices(&rule, values));
    }
    Ok(cut)
}

/// Judges the slices anew by this correction and at this level.
fn correct(slices: &mut [SliceComparison], adjust: Adjust, alpha: f64) {
    let p_values: Vec<f64> = slices.iter().filter_map(|slice| slice.p_worse).collect();
    let tested = slices.iter_mut().filter(|slice| slice.p_worse.is_some());
    for (slice, p) in tested.zip(adjust(&p_values)) {
        slice.p_adjusted = Some(p);
        slice.status = if p < alpha {
            SliceStatus::Regression
        } else {
            SliceStatus::Ok
        };
    }
}

fn of_folds(frame: &Frame, options: &DecideOptions) -> Result<Answer, Failure> {
    let scores = |name: &str| columns::numbers(columns::known(frame, name)?);
    let (champion, challenger) = (scores(&options.champion)?, scores(&options.challenger)?);
    let kind = match options.metrics.as_slice() {
        [] => None,
        [name] => {
            let names = || -> Vec<&str> { evaluate::METRICS.iter().map(|kind| kind.name).collect() };
            Some(evaluate::metric(name).ok_or_else(|| unknown("--metric", name, &names()))?)
        }
        [_, _, ..] => return Err(Failure::Unusable("`--folds` are scores of one metric".to_owned())),
    };
    let margin = match kind {
        Some(kind) => margins(options, &[kind])?.first().copied().unwrap_or_default(),
        None if options.margins.is_empty() => Margin::default(),
        None => {
            return Err(Failure::Unusable(
                "`--margin` needs the `--metric` of the scores".to_owned(),
            ));
        }
    };
    let direction = kind.map_or(Direction::Maximize, |kind| kind.direction);
    let n_rows = |rows: Option<u64>| rows.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(0);
    let folds = FoldScores {
        champion,
        challenger,
        n_train: n_rows(options.n_train),
        n_test: n_rows(options.n_test),
    };
    let comparison = compare_folds(kind.map_or("score", |kind| kind.name), &folds, margin, direction);
    // Five times two folds of half of the rows each, one after the other.
    let gains: Vec<f64> = champion
        .iter()
        .zip(challenger)
        .map(|(champion, challenger)| direction.gain(*champion, *challenger))
        .collect();
    let five_by_two = match <[f64; 10]>::try_from(gains) {
        Ok(gains) if folds.n_train.abs_diff(folds.n_test) <= 1 => five_by_two(&std::array::from_fn(|repeat| {
            [gains[2 * repeat], gains[2 * repeat + 1]]
        })),
        Ok(_) | Err(_) => None,
    };
    let decision = evaluate::decide(&Evidence::of(&comparison));
    Ok(Answer::Folds {
        comparison: Box::new(comparison),
        five_by_two,
        decision,
    })
}
