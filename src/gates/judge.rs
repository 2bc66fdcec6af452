//! Thresholds on what was measured. Pure: values in, one result a gate out.

use std::time::Duration;

use crate::base::{Verdict, counted};
use crate::evaluate::{Comparison, MetricResult, SliceComparison, SliceStatus, format_number, format_pair, metric};

use super::{Budget, GateResult, GateStatus, MetricGate, OnInconclusive, SliceGate};

impl OnInconclusive {
    /// What an undecided gate is.
    pub fn status(self) -> GateStatus {
        match self {
            Self::Warn => GateStatus::Warn,
            Self::Fail => GateStatus::Fail,
        }
    }
}

/// Judges one metric: its limits on the value itself, then what the comparison says.
///
/// `result` is the challenger's. A gate that compares (`max_regression` or `require: improvement`) takes the verdict as
/// it is; the margin was applied by the comparison. What is missing never passes: without a value a limit fails, and
/// what was not compared is as `on_inconclusive` says.
pub fn judge_metric(
    gate: &MetricGate,
    result: Option<&MetricResult>,
    comparison: Option<&Comparison>,
    on_inconclusive: OnInconclusive,
) -> GateResult {
    // What is for information only decides nothing, so it has no verdict either.
    let verdict = comparison
        .filter(|_| !gate.informational)
        .map(|comparison| comparison.verdict);
    let (status, reason) = metric_outcome(gate, result, comparison, on_inconclusive);
    GateResult {
        name: format!("metrics.{}", gate.metric),
        status,
        reason,
        verdict,
        span: Some(gate.span),
        commands: Vec::new(),
    }
}

fn metric_outcome(
    gate: &MetricGate,
    result: Option<&MetricResult>,
    comparison: Option<&Comparison>,
    on_inconclusive: OnInconclusive,
) -> (GateStatus, String) {
    let title = metric(&gate.metric).map_or(gate.metric.as_str(), |kind| kind.title);
    let value = result.and_then(|result| result.value);
    let width = result.and_then(|result| result.interval).map(|[low, high]| high - low);
    let Some(value) = value else {
        let why = result
            .and_then(|result| result.note.as_deref())
            .unwrap_or("it was not measured");
        let reason = format!("{title} has no value: {why}");
        return match (gate.informational, gate.max.or(gate.min)) {
            (true, _) => (GateStatus::Skipped, reason),
            (false, Some(_)) => (GateStatus::Fail, reason),
            (false, None) => (on_inconclusive.status(), reason),
        };
    };
    let shown = format_number(value, width);
    if gate.informational {
        return (GateStatus::Pass, format!("{title} is {shown}, for information only"));
    }
    if let Some(max) = gate.max.filter(|max| value > *max) {
        let (value, max) = format_pair(value, max);
        return (
            GateStatus::Fail,
            format!("{title} is {value}, above the limit of {max}"),
        );
    }
    if let Some(min) = gate.min.filter(|min| value < *min) {
        let (value, min) = format_pair(value, min);
        return (
            GateStatus::Fail,
            format!("{title} is {value}, below the limit of {min}"),
        );
    }
    let limits = match (gate.min, gate.max) {
        (Some(min), Some(max)) => format!("{title} is {shown}, within {min} to {max}"),
        (None, Some(max)) => format!("{title} is {shown}, within the limit of {max}"),
        (Some(min), None) => format!("{title} is {shown}, within the limit of {min}"),
        (None, None) => format!("{title} is {shown}"),
    };
    if gate.max_regression.is_none() && !gate.require_improvement {
        return if gate.max.or(gate.min).is_some() {
            (GateStatus::Pass, limits)
        } else {
            (GateStatus::Skipped, format!("{limits}, and the gate sets no limit"))
        };
    }
    let Some(comparison) = comparison else {
        return (
            on_inconclusive.status(),
            format!("{limits}, but there is nothing to compare it with"),
        );
    };
    let mut against = compared(comparison);
    if comparison.champion.is_some() && comparison.challenger != Some(value) {
        against = format!(" on the {} compared{against}", counted(comparison.n_rows, "row"));
    }
    match comparison.verdict {
        Verdict::Better => (GateStatus::Pass, format!("{limits}, better{against}")),
        Verdict::Same if gate.require_improvement => (
            GateStatus::Fail,
            format!("{limits}, the same{against}, and an improvement is required"),
        ),
        Verdict::Same => (GateStatus::Pass, format!("{limits}, the same{against}")),
        Verdict::Worse => (GateStatus::Fail, format!("{limits}, worse{against}")),
        Verdict::Inconclusive => (on_inconclusive.status(), format!("{limits}, undecided{against}")),
        Verdict::FailedToRun => (
            GateStatus::Fail,
            format!("{title} was not compared: the challenger failed to run"),
        ),
    }
}

/// The difference with its interval and the margin, or why there is none, in brackets.
fn compared(comparison: &Comparison) -> String {
    let mut parts = Vec::new();
    if let (Some(difference), Some([low, high])) = (comparison.difference, comparison.difference_interval) {
        let width = Some(high - low);
        let sign = if difference > 0.0 { "+" } else { "" };
        let [difference, low, high] = [difference, low, high].map(|x| format_number(x, width).replace('-', "−"));
        parts.push(format!("{sign}{difference}, 95 % interval {low} to {high}"));
    }
    if comparison.margin > 0.0 && comparison.gain.is_some() {
        parts.push(format!("up to {} worse is allowed", margin(comparison.margin)));
    }
    if comparison.verdict == Verdict::Inconclusive {
        if let Some(note) = &comparison.note {
            parts.push(note.clone());
        } else if let Some(rows) = comparison.rows_needed {
            parts.push(format!("about {rows} rows would decide"));
        }
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(" ({})", parts.join("; "))
    }
}

/// Three digits at most, no zeros at the end.
fn margin(value: f64) -> String {
    let text = format_number(value, Some(value / 5.0));
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Judges the slices: one that lost more than the margin fails. `None`: there was nothing to compare with; an empty
/// list: no slices are declared.
pub fn judge_slices(
    gate: &SliceGate,
    slices: Option<&[SliceComparison]>,
    on_inconclusive: OnInconclusive,
) -> GateResult {
    let (status, reason) = slices_outcome(gate, slices, on_inconclusive);
    GateResult {
        name: "slices".to_owned(),
        status,
        reason,
        verdict: None,
        span: Some(gate.span),
        commands: Vec::new(),
    }
}

fn slices_outcome(
    gate: &SliceGate,
    slices: Option<&[SliceComparison]>,
    on_inconclusive: OnInconclusive,
) -> (GateStatus, String) {
    let Some(slices) = slices else {
        return (
            on_inconclusive.status(),
            "there is nothing to compare the slices with".to_owned(),
        );
    };
    if slices.is_empty() {
        return (GateStatus::Skipped, "no slices are declared".to_owned());
    }
    let count = |status: SliceStatus| slices.iter().filter(|slice| slice.status == status).count();
    let (n_lost, n_few) = (count(SliceStatus::Regression), count(SliceStatus::TooFewRows));
    if n_lost > 0 {
        let lost = slices.iter().filter(|slice| slice.status == SliceStatus::Regression);
        let mut named: Vec<String> = lost.clone().take(3).map(lost_slice).collect();
        if n_lost > named.len() {
            named.push(format!("{} more", n_lost - named.len()));
        }
        return (GateStatus::Fail, format!("worse on {}", named.join("; ")));
    }
    if n_few == slices.len() {
        let reason = format!(
            "none of the {n_few} slices has the {} rows that a comparison needs",
            gate.min_rows
        );
        return (on_inconclusive.status(), reason);
    }
    let tested = format!(
        "none of the {} compared is worse",
        counted(slices.len() - n_few, "slice")
    );
    let few = if n_few > 0 {
        format!(
            "; {} with fewer than {} rows not compared",
            counted(n_few, "slice"),
            gate.min_rows
        )
    } else {
        String::new()
    };
    (GateStatus::Pass, tested + &few)
}

fn lost_slice(slice: &SliceComparison) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "?".to_owned(), |x| format_number(x, None));
    let (champion, challenger) = (number(slice.champion), number(slice.challenger));
    format!(
        "{} (mean loss {champion} → {challenger}, {} rows)",
        slice.slice, slice.n_rows
    )
}

/// Judges size and training time. What has a limit and was not measured fails.
pub fn judge_budget(budget: &Budget, model_bytes: Option<u64>, train_time: Option<Duration>) -> GateResult {
    let mut broken = Vec::new();
    let mut kept = Vec::new();
    if let Some(limit) = budget.model_size_bytes {
        match model_bytes {
            None => broken.push(format!(
                "the size of the model is unknown, its limit is {}",
                bytes(limit)
            )),
            Some(size) if size > limit => {
                broken.push(format!(
                    "the model is {}, above the limit of {}",
                    over(size, limit, bytes),
                    bytes(limit)
                ));
            }
            Some(size) => kept.push(format!("the model is {}, {} are allowed", bytes(size), bytes(limit))),
        }
    }
    if let Some(limit) = budget.train_time {
        let seconds = |millis: u64| match millis {
            0 => "less than 1 ms".to_owned(),
            millis => format!("{} s", millis as f64 / 1000.0),
        };
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        match train_time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)) {
            None => broken.push(format!("the training time is unknown, its limit is {}", seconds(limit))),
            Some(time) if time > limit => {
                broken.push(format!(
                    "training took {}, above the limit of {}",
                    seconds(time),
                    seconds(limit)
                ));
            }
            Some(time) => kept.push(format!(
                "training took {}, {} are allowed",
                seconds(time),
                seconds(limit)
            )),
        }
    }
    let (status, reason) = match (broken.is_empty(), kept.is_empty()) {
        (false, _) => (GateStatus::Fail, broken.join("; ")),
        (true, false) => (GateStatus::Pass, kept.join("; ")),
        (true, true) => (GateStatus::Skipped, "the budget sets no limit".to_owned()),
    };
    GateResult {
        name: "budget".to_owned(),
        status,
        reason,
        verdict: None,
        span: Some(budget.span),
        commands: Vec::new(),
    }
}

/// `12.3 MB`, decimal units as in the configuration.
fn bytes(n: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    match units.into_iter().find(|(size, _)| n >= *size) {
        Some((size, unit)) => format!("{:.1} {unit}", n as f64 / size as f64).replace(".0 ", " "),
        None => counted(usize::try_from(n).unwrap_or(usize::MAX), "byte"),
    }
}

/// A value as `shown` does, or in bytes where that would look like the limit.
fn over(value: u64, limit: u64, shown: impl Fn(u64) -> String) -> String {
    if shown(value) == shown(limit) {
        format!("{value} bytes")
    } else {
        shown(value)
    }
}

/// The verdict of everything: word, sentence and whether it passed.
///
/// The word is the primary comparison's, unless another metric gate is worse or there is no challenger. It passes when
/// no gate failed and at least one was judged: where nothing was judged nothing is known.
pub fn overall(gates: &[GateResult], primary: Option<&Comparison>) -> (Verdict, String, bool) {
    let worst = gates
        .iter()
        .filter_map(|gate| gate.verdict)
        .filter(|verdict| matches!(verdict, Verdict::Worse | Verdict::FailedToRun))
        .max();
    let own = primary.map_or(Verdict::Inconclusive, |primary| primary.verdict);
    let verdict = worst.map_or(own, |worst| worst.max(own));
    let of = |status: GateStatus| -> Vec<&GateResult> { gates.iter().filter(|gate| gate.status == status).collect() };
    let (failed, warned) = (of(GateStatus::Fail), of(GateStatus::Warn));
    let judged = gates.iter().any(|gate| gate.status != GateStatus::Skipped);
    let passed = failed.is_empty() && judged && verdict != Verdict::FailedToRun;
    let named = |gates: &[&GateResult]| {
        gates
            .iter()
            .map(|gate| gate.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let mut reason = match (failed.as_slice(), warned.as_slice()) {
        ([one], _) => format!("gate `{}` failed: {}", one.name, one.reason),
        ([_, _, ..], _) => format!("{} failed: {}", counted(failed.len(), "gate"), named(&failed)),
        ([], _) if verdict == Verdict::FailedToRun => "there is no challenger to judge".to_owned(),
        ([], _) if !judged => "nothing was judged".to_owned(),
        ([], [one]) => format!("no gate failed; `{}` warns: {}", one.name, one.reason),
        ([], [_, _, ..]) => format!("no gate failed; warnings: {}", named(&warned)),
        ([], []) => "every gate passed".to_owned(),
    };
    if let Some(primary) = primary
        && failed
            .iter()
            .chain(&warned)
            .all(|gate| gate.name != format!("metrics.{}", primary.metric))
    {
        let title = metric(&primary.metric).map_or(primary.metric.as_str(), |kind| kind.title);
        reason = format!("{title} {}{}; {reason}", relation(primary.verdict), compared(primary));
    }
    (verdict, reason, passed)
}

fn relation(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "is better",
        Verdict::Same => "is the same",
        Verdict::Inconclusive => "is undecided",
        Verdict::Worse => "is worse",
        Verdict::FailedToRun => "was not compared",
    }
}

#[cfg(test)]
mod tests;
