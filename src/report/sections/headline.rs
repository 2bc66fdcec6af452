//! The first lines: the verdict as a sentence, the few numbers behind it, and why.

use super::super::document::{Address, Block, Figure, Inline, Inlines, Section, Tone, code, prose, quiet, text};
use super::super::format;
use super::super::text::{MAX_NAME, line};
use super::{MetricRow, against, cell, gate_status, metric_rows, only_checked, short_commit, tone};
use crate::base::Verdict;
use crate::facts::{Champion, Facts};
use crate::gates::{GateResult, GateStatus};

/// Gates that are named in one line.
const MAX_NAMED: usize = 5;
/// At most so many alerts; more would be a wall.
const MAX_ALERTS: usize = 3;

pub fn section(facts: &Facts) -> Section {
    let mut heading = vec![Inline::Status(tone(facts), word(facts))];
    let sentence = sentence(facts);
    heading.extend(sentence.into_iter().skip(1));
    let mut blocks = vec![Block::Heading {
        level: 1,
        text: heading,
    }];
    let figures = figures(facts);
    if !figures.is_empty() {
        blocks.push(Block::Figures(figures));
    }
    blocks.extend(why(facts).map(|text| Block::Callout {
        tone: tone(facts),
        text,
    }));
    blocks.extend(reused(facts).map(|text| Block::Callout {
        tone: Tone::Plain,
        text,
    }));
    blocks.extend(facts.alerts.iter().take(MAX_ALERTS).map(|alert| Block::Callout {
        tone: Tone::Warn,
        text: prose(alert),
    }));
    if facts.alerts.len() > MAX_ALERTS {
        blocks.push(Block::Note(vec![text(format!(
            "and {} in the saved facts",
            format::n_of(facts.alerts.len() - MAX_ALERTS, "more alert", "more alerts")
        ))]));
    }
    Section {
        key: "headline",
        priority: 0,
        blocks,
    }
}

/// What the headline does not say yet: the one gate that did not pass with its reason, or the names of several.
fn why(facts: &Facts) -> Option<Inlines> {
    let of = |status| -> Vec<&GateResult> { facts.gates.iter().filter(|gate| gate.status == status).collect() };
    let (failed, warned) = (of(GateStatus::Fail), of(GateStatus::Warn));
    let (gates, word) = if failed.is_empty() {
        (warned, "warns")
    } else {
        (failed, "failed")
    };
    // Without any number the headline is the reason already.
    let told = decisive(facts).is_none();
    match gates.as_slice() {
        [] if facts.passed || told || facts.reason.trim().is_empty() => None,
        [] => Some(prose(&facts.reason)),
        [one] if told && facts.reason.contains(&one.reason) => None,
        [one] => {
            let mut pieces = vec![code(&*one.name), text(format!(" {word}: "))];
            pieces.extend(prose(&one.reason));
            Some(pieces)
        }
        several => {
            let word = if word == "warns" { "warn" } else { word };
            let mut pieces = vec![text(format!("{} gates {word}: ", several.len()))];
            for (index, gate) in several.iter().take(MAX_NAMED).enumerate() {
                if index > 0 {
                    pieces.push(text(", "));
                }
                pieces.push(code(&*gate.name));
            }
            if several.len() > MAX_NAMED {
                pieces.push(text(format!(" and {} more", several.len() - MAX_NAMED)));
            }
            Some(pieces)
        }
    }
}

/// Says that nothing was trained, since nothing changed.
fn reused(facts: &Facts) -> Option<Inlines> {
    let training = facts.training.as_ref()?;
    let from = training.reused_from.as_deref()?;
    let page = training.reused_page.as_deref();
    let mut pieces = vec![text("Nothing that the model depends on changed since ")];
    pieces.extend(match page.and_then(Address::new) {
        Some(page) => vec![Inline::Link(line(from, MAX_NAME), page)],
        None => prose(&line(from, MAX_NAME)),
    });
    pieces.push(text(": it was taken over, not trained again"));
    if let Some(registry) = facts.registry.as_ref().filter(|registry| registry.existed)
        && let Some(version) = registry.version
    {
        pieces.push(text(format!(", and is {version} already")));
    }
    Some(pieces)
}

/// The verdict word with a capital, without its symbol.
fn word(facts: &Facts) -> String {
    if only_checked(facts) {
        return "Checked".to_owned();
    }
    let word = facts.verdict.word();
    let mut chars = word.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The headline: the verdict word first, as its own piece, then what it rests on.
pub fn sentence(facts: &Facts) -> Inlines {
    let mut pieces = vec![Inline::Strong(word(facts))];
    if facts.verdict == Verdict::FailedToRun {
        pieces.push(text(": "));
        pieces.extend(short_reason(facts));
        return pieces;
    }
    pieces.push(text(": "));
    match decisive(facts) {
        Some(row) => pieces.extend(numbers(facts, &row)),
        None => pieces.extend(short_reason(facts)),
    }
    pieces.extend(failed_gates(facts));
    pieces
}

fn short_reason(facts: &Facts) -> Inlines {
    if facts.reason.trim().is_empty() {
        return vec![text("the reason is not known")];
    }
    prose(&line(&facts.reason, 140))
}

/// The compared metric that carries the run's verdict: the primary one when it does, else the first that does.
fn decisive(facts: &Facts) -> Option<MetricRow<'_>> {
    let complete = |row: &MetricRow| row.value().is_some() && row.champion().is_some();
    let rows = metric_rows(facts);
    rows.into_iter()
        .find(|row| complete(row) && row.comparison.is_some_and(|one| one.verdict == facts.verdict))
}

/// `; but lint failed`: the failed gates that the verdict word does not speak of.
fn failed_gates(facts: &Facts) -> Inlines {
    let others: Vec<&str> = facts
        .gates
        .iter()
        .filter(|gate| gate.status == GateStatus::Fail)
        .filter(|gate| !(facts.verdict == Verdict::Worse && gate.verdict == Some(Verdict::Worse)))
        .map(|gate| gate.name.as_str())
        .collect();
    let joint = if facts.verdict == Verdict::Worse { "and" } else { "but" };
    match others.as_slice() {
        [] if !facts.passed && facts.verdict != Verdict::Worse => vec![text("; but the run did not pass")],
        [] => Vec::new(),
        [one] => vec![text(format!("; {joint} ")), code(*one), text(" failed")],
        [one, two] => vec![
            text(format!("; {joint} ")),
            code(*one),
            text(" and "),
            code(*two),
            text(" failed"),
        ],
        [one, rest @ ..] => vec![
            text(format!("; {joint} ")),
            code(*one),
            text(format!(" and {} more gates failed", rest.len())),
        ],
    }
}

fn numbers(facts: &Facts, row: &MetricRow) -> Inlines {
    let decimals = row.decimals();
    let shown = |value: Option<f64>| value.map_or(format::UNKNOWN.to_owned(), |value| format::fixed(value, decimals));
    let mut pieces = vec![
        code(line(row.name, 40)),
        text(if row.identical() {
            format!(" {}, exactly the value ", shown(row.value()))
        } else {
            format!(" {} against {} ", shown(row.value()), shown(row.champion()))
        }),
    ];
    if let Some(comparison) = &facts.comparison {
        pieces.extend(against(&comparison.champion));
    }
    let in_unit = row.difference().map(|difference| format::signed(difference, decimals));
    let size = row.relative().map(format::signed_percent).or(in_unit);
    let size = size.filter(|_| !row.identical());
    let noise = row.inside_noise().then(|| "inside the noise".to_owned());
    let rows_needed = row
        .comparison
        .filter(|one| one.verdict == Verdict::Inconclusive)
        .and_then(|one| one.rows_needed)
        .map(|needed| format!("about {} rows would decide it", format::count(needed)));
    let remarks: Vec<String> = [size, noise, rows_needed].into_iter().flatten().collect();
    if !remarks.is_empty() {
        pieces.push(text(format!(", {}", remarks.join(", "))));
    }
    pieces
}

/// The second line: the gate metric on both sides, the difference, the rows, tests, time.
fn figures(facts: &Facts) -> Vec<Figure> {
    let rows = metric_rows(facts);
    let row = decisive(facts).or_else(|| rows.first().copied());
    let mut figures = Vec::new();
    if let Some(row) = row {
        let decimals = row.decimals();
        let mut remark = vec![code(line(row.name, MAX_NAME))];
        if let Some(commit) = facts.commit.as_deref().and_then(short_commit) {
            remark.extend([text(" at "), code(commit)]);
        }
        figures.push(figure("This change", shown(row.value(), decimals), remark));
        if let Some(comparison) = &facts.comparison {
            let (label, remark) = match &comparison.champion {
                Champion::Version { version, alias, commit } => (
                    version.to_string(),
                    match (alias.as_deref(), commit.as_deref().and_then(short_commit)) {
                        (Some(alias), Some(commit)) => vec![text(format!("{alias} at ")), code(commit)],
                        (None, Some(commit)) => vec![text("at "), code(commit)],
                        (Some(alias), None) => vec![text(alias)],
                        (None, None) => Vec::new(),
                    },
                ),
                Champion::Baseline { name } => ("Baseline".to_owned(), vec![text(line(name, MAX_NAME))]),
            };
            figures.push(figure(&label, shown(row.champion(), decimals), remark));
            if let Some(difference) = row.difference() {
                let relative = row.relative().map(format::signed_percent);
                let interval = row.difference_interval().map(|bounds| {
                    format!(
                        "95\u{a0}%\u{a0}interval {}",
                        format::interval(bounds, decimals).replace(' ', "\u{a0}")
                    )
                });
                let remark: Vec<String> = [relative, interval].into_iter().flatten().collect();
                let (value, remark) = if row.identical() {
                    ("none".to_owned(), Vec::new())
                } else {
                    (format::signed(difference, decimals), cell(remark.join(", ")))
                };
                figures.push(figure("Difference", value, remark));
            }
        }
        let n_rows = row
            .comparison
            .map(|one| one.n_rows)
            .or_else(|| facts.data.as_ref().map(|data| data.n_test));
        if let Some(n_rows) = n_rows {
            figures.push(figure("Rows", format::count(n_rows as u64), vec![text("held out")]));
        }
    }
    for (label, gate) in [("Tests", "test"), ("Lint", "lint")] {
        if let Some(gate) = facts.gate(gate) {
            figures.push(Figure {
                label: vec![text(label)],
                value: vec![gate_status(gate.status)],
                remark: Vec::new(),
            });
        }
    }
    let elapsed = facts
        .steps
        .iter()
        .fold(0_u64, |sum, step| sum.saturating_add(step.elapsed_ms));
    if elapsed > 0 {
        figures.push(figure("Time", format::duration_ms(elapsed), Vec::new()));
    }
    let published = facts.registry.as_ref().and_then(|registry| {
        registry.version.map(|version| {
            let remark = if registry.existed { "unchanged" } else { "published" };
            figure("Version", version.to_string(), vec![text(remark)])
        })
    });
    figures.extend(published);
    figures
}

fn figure(label: &str, value: String, remark: Inlines) -> Figure {
    Figure {
        label: vec![text(label)],
        value: vec![Inline::Strong(value)],
        remark,
    }
}

fn shown(value: Option<f64>, decimals: usize) -> String {
    value.map_or(format::UNKNOWN.to_owned(), |value| format::fixed(value, decimals))
}

/// What a reader needs to know about a missing number, quietly.
pub fn because(note: Option<&str>) -> Inlines {
    note.map_or_else(Vec::new, |note| vec![quiet(format!("; {}", line(note, MAX_NAME)))])
}
