//! Facts → document: what is said, in which order, and what gives way first. Pure.

mod answers;
mod around;
mod changes;
mod checks;
mod comparison;
mod data;
pub mod drift;
mod found;
mod headline;
mod history;
mod metrics;
mod model;
mod own;
mod plots;
mod repeat;
mod slices;
mod workflow;

pub use answers::{VersionRow, gate, help, problems, refusal, registry, statement};
pub use around::{Around, around};
pub use drift::drift_document;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Block, Document, Inline, Inlines, MODEL_REPORT, Section, Tone, plain, text};
use super::format;
use super::text::{line, without_commands};
use crate::base::{Direction, Verdict};
use crate::evaluate::{Comparison, MetricResult, metric};
use crate::facts::{Champion, Facts, Outcome};
use crate::gates::{GateResult, GateStatus};

/// A difference of more times the champion's value is not told as a percentage.
const MAX_SHARE: f64 = 10.0;
/// Sections up to this priority say what went wrong.
const URGENT: u8 = 9;
/// The check's title is cut to this many characters.
const MAX_TITLE: usize = 160;

/// What a report says about `facts`; with the facts of the last report, also what changed since.
pub fn sections(facts: &Facts, baseline: Option<&Facts>) -> Document {
    let mut sections = vec![headline::section(facts), metrics::section(facts)];
    sections.extend(checks::failed(facts));
    sections.extend(checks::gates(facts));
    // What went wrong stands with the gates that say so, what is fine further down.
    let of_runs = [
        workflow::section(facts),
        facts.drift.as_ref().and_then(drift::section),
        data::section(facts),
        checks::commands(facts),
    ];
    let (wrong, fine): (Vec<Section>, Vec<Section>) = of_runs
        .into_iter()
        .flatten()
        .partition(|section| section.priority <= URGENT);
    sections.extend(wrong);
    sections.extend(baseline.and_then(|before| changes::section(facts, before)));
    sections.extend(slices::section(facts));
    sections.extend(plots::section(facts));
    sections.extend(history::section(facts));
    sections.extend(model::section(facts));
    sections.extend(fine);
    sections.extend(metrics::all(facts));
    sections.extend(comparison::section(facts));
    sections.extend(model::defaults(facts));
    sections.extend(checks::steps(facts));
    sections.push(repeat::section(facts));
    sections.push(repeat::footer(facts));
    sections.retain(|section| !section.blocks.is_empty());
    Document {
        about: MODEL_REPORT,
        subject: facts.model.clone(),
        title: headline::sentence(facts),
        tone: tone(facts),
        sections,
    }
}

/// The headline as one printable line with its symbol: the title of the check.
pub fn title(facts: &Facts) -> String {
    title_of(tone(facts), &headline::sentence(facts))
}

/// A document's title as one printable line with its symbol.
pub fn document_title(document: &Document) -> String {
    title_of(document.tone, &document.title)
}

fn title_of(tone: Tone, pieces: &[Inline]) -> String {
    let symbol = match tone {
        Tone::Good => "✅",
        Tone::Plain => "ℹ️",
        Tone::Warn => "⚠️",
        Tone::Bad => "❌",
    };
    without_commands(&line(
        &format!("{symbol} {}", plain(pieces)),
        MAX_TITLE - 1, // A zero-width space may be added.
    ))
}

/// Data and commands were looked at, and nothing was to be trained.
fn only_checked(facts: &Facts) -> bool {
    facts.passed && facts.training.is_none() && facts.evaluation.is_none()
}

/// How the run is felt: bad if it did not pass, a warning if it passed undecided or with a gate that warns.
fn tone(facts: &Facts) -> Tone {
    match facts.verdict {
        _ if !facts.passed => Tone::Bad,
        _ if only_checked(facts) && !facts.any_gate(GateStatus::Warn) => Tone::Good,
        Verdict::Worse | Verdict::Inconclusive | Verdict::FailedToRun => Tone::Warn,
        Verdict::Better | Verdict::Same if facts.any_gate(GateStatus::Warn) => Tone::Warn,
        Verdict::Better | Verdict::Same => Tone::Good,
    }
}

/// A section that is one fold.
fn details(key: &'static str, priority: u8, summary: Inlines, open: bool, blocks: Vec<Block>) -> Section {
    Section {
        key,
        priority,
        blocks: vec![Block::Details { summary, open, blocks }],
    }
}

/// `in v3`, or `of the baseline (the training mean)`, which stood in for it.
fn against(champion: &Champion) -> Inlines {
    match champion {
        Champion::Version { version, .. } => cell(format!("in {version}")),
        Champion::Baseline { name } => cell(format!("of the baseline ({})", line(name, 40))),
    }
}

fn champion_heading(facts: &Facts) -> String {
    match facts.comparison.as_ref().map(|comparison| &comparison.champion) {
        Some(Champion::Version {
            version, alias: None, ..
        }) => version.to_string(),
        Some(Champion::Version { version, .. }) => format!("Production ({version})"),
        Some(Champion::Baseline { .. }) => "Baseline".to_owned(),
        None => "Production".to_owned(),
    }
}

/// The first seven digits of something that is a commit; anything else is not shown as one.
fn short_commit(commit: &str) -> Option<&str> {
    let is_commit = (7..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| &commit[..7])
}

fn gate_tone(status: GateStatus) -> Tone {
    match status {
        GateStatus::Pass => Tone::Good,
        GateStatus::Skipped => Tone::Plain,
        GateStatus::Warn => Tone::Warn,
        GateStatus::Fail => Tone::Bad,
    }
}

fn gate_word(status: GateStatus) -> &'static str {
    match status {
        GateStatus::Pass => "pass",
        GateStatus::Skipped => "skipped",
        GateStatus::Warn => "warn",
        GateStatus::Fail => "fail",
    }
}

fn gate_status(status: GateStatus) -> Inline {
    Inline::Status(gate_tone(status), gate_word(status).to_owned())
}

fn outcome_status(outcome: Outcome) -> Inline {
    let (tone, word) = match outcome {
        Outcome::Done => (Tone::Good, "done"),
        Outcome::Reused => (Tone::Good, "reused"),
        Outcome::Skipped => (Tone::Plain, "skipped"),
        Outcome::Failed => (Tone::Bad, "failed"),
        Outcome::Error => (Tone::Bad, "error"),
    };
    Inline::Status(tone, word.to_owned())
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Minimize => "↓",
        Direction::Maximize => "↑",
    }
}

/// Everything known about one metric.
#[derive(Debug, Clone, Copy)]
struct MetricRow<'a> {
    name: &'a str,
    direction: Direction,
    result: Option<&'a MetricResult>,
    comparison: Option<&'a Comparison>,
    gate: Option<&'a GateResult>,
}

/// Every metric: the primary one, then gated ones, then the rest, each group in the order of the facts.
fn metric_rows(facts: &Facts) -> Vec<MetricRow<'_>> {
    let gates: BTreeMap<&str, &GateResult> = facts
        .gates
        .iter()
        .filter_map(|gate| Some((gate.name.strip_prefix("metrics.")?, gate)))
        .collect();
    let compared: &[Comparison] = facts.comparison.as_ref().map_or(&[], |comparison| &comparison.metrics);
    let comparisons: BTreeMap<&str, &Comparison> = compared.iter().map(|one| (one.metric.as_str(), one)).collect();
    let results: &[MetricResult] = facts.evaluation.as_ref().map_or(&[], |evaluation| &evaluation.metrics);
    let mut rows: Vec<MetricRow> = results
        .iter()
        .map(|result| MetricRow {
            name: &result.name,
            direction: result.direction,
            result: Some(result),
            comparison: comparisons.get(result.name.as_str()).copied(),
            gate: gates.get(result.name.as_str()).copied(),
        })
        .collect();
    let known: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    for comparison in compared.iter().filter(|one| !known.contains(one.metric.as_str())) {
        rows.push(MetricRow {
            name: &comparison.metric,
            direction: comparison.direction,
            result: None,
            comparison: Some(comparison),
            gate: gates.get(comparison.metric.as_str()).copied(),
        });
    }
    let primary = facts.evaluation.as_ref().map(|evaluation| evaluation.primary.as_str());
    rows.sort_by_key(|row| (Some(row.name) != primary, row.gate.is_none()));
    rows
}

impl MetricRow<'_> {
    /// This change's value: the one that was compared, or the one that was measured.
    fn value(&self) -> Option<f64> {
        self.comparison
            .and_then(|comparison| comparison.challenger)
            .or_else(|| self.result.and_then(|result| result.value))
    }

    fn champion(&self) -> Option<f64> {
        self.comparison.and_then(|comparison| comparison.champion)
    }

    fn difference(&self) -> Option<f64> {
        self.comparison.and_then(|comparison| comparison.difference)
    }

    fn difference_interval(&self) -> Option<[f64; 2]> {
        self.comparison.and_then(|comparison| comparison.difference_interval)
    }

    /// Decimals for every number of this row: what the interval of the difference supports, else that of the value.
    fn decimals(&self) -> usize {
        let interval = self
            .difference_interval()
            .or_else(|| self.result.and_then(|result| result.interval));
        format::decimals(
            self.value().or(self.champion()).unwrap_or(0.0),
            interval.map(format::half_width),
        )
    }

    /// The difference as a share of the champion's value, where that means something: the metric is an error, which
    /// counts from zero, and the champion's is well away from zero.
    fn relative(&self) -> Option<f64> {
        metric(self.name)?.default_margin.relative?;
        let noise = self.difference_interval().map_or(0.0, format::half_width);
        let champion = self.champion().filter(|value| *value > noise)?;
        let share = self.difference()? / champion;
        (share.abs() <= MAX_SHARE).then_some(share)
    }

    /// Both have the same value, and no other draw of rows would tell them apart.
    fn identical(&self) -> bool {
        let is_zero = |value: f64| value.abs() <= 0.0;
        self.difference().is_some_and(is_zero)
            && self
                .difference_interval()
                .is_none_or(|bounds| bounds.into_iter().all(is_zero))
    }

    /// The interval of the difference holds zero and the verdict does not say otherwise: it may be nothing.
    fn inside_noise(&self) -> bool {
        let decided = self
            .comparison
            .is_some_and(|one| matches!(one.verdict, Verdict::Better | Verdict::Worse));
        !decided && !self.identical() && self.crosses_zero()
    }

    fn crosses_zero(&self) -> bool {
        self.difference_interval()
            .is_some_and(|[low, high]| low <= 0.0 && high >= 0.0)
    }
}

fn cell(content: impl Into<String>) -> Inlines {
    vec![text(content)]
}

fn unknown() -> Inlines {
    vec![Inline::Quiet(format::UNKNOWN.to_owned())]
}

fn number_cell(value: Option<f64>, decimals: usize) -> Inlines {
    value.map_or_else(unknown, |value| cell(format::fixed(value, decimals)))
}
