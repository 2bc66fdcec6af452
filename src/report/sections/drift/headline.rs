//! The headline: how much drifted, what most, and what else to know, in one sentence.

use super::super::super::document::{Block, Figure, Inline, Inlines, Section, Tone, code, prose, text};
use super::super::super::format;
use super::super::super::text::line;
use super::super::cell;
use super::{estimated, found, listed, untested, words};
use crate::drift::{DriftResult, Finding, Level};

/// Reasons of a decision that are told.
const MAX_REASONS: usize = 4;
const MAX_REASON: usize = 200;

pub fn section(result: &DriftResult) -> Section {
    let mut heading = vec![Inline::Status(tone(result), word(result).to_owned())];
    heading.extend(sentence(result).into_iter().skip(1));
    let mut blocks = vec![
        Block::Heading {
            level: 1,
            text: heading,
        },
        Block::Figures(figures(result)),
    ];
    blocks.extend(reasons(result));
    Section {
        key: "headline",
        priority: 0,
        blocks,
    }
}

/// Whether somebody should look.
pub fn is_urgent(result: &DriftResult) -> bool {
    tone(result) >= Tone::Warn || found::is_urgent(result)
}

/// How the decision is felt; one that nobody knows is a warning where something changed.
pub fn tone(result: &DriftResult) -> Tone {
    let fine = matches!(word(result), "No drift");
    match result.dataset.decision.as_str() {
        "fail" => Tone::Bad,
        "warn" | "retrain" => Tone::Warn,
        "pass" | "ignore" if fine => Tone::Good,
        "pass" | "ignore" => Tone::Plain,
        _ if fine => Tone::Good,
        _ => Tone::Warn,
    }
}

fn word(result: &DriftResult) -> &'static str {
    if !failing(result).is_empty() {
        "Broken"
    } else if result.dataset.drift {
        "Drift"
    } else if result.dataset.drifted > 0 {
        "Some drift"
    } else if found::is_urgent(result) || result.dataset.moved > 0 {
        "Changed"
    } else if result.dataset.tested == 0 {
        "Not tested"
    } else {
        "No drift"
    }
}

/// `Drift: 7 of 10 columns drifted, s3 most (its mean fell by 0.76 sd, from 49.8 to 41.2)`; the word is its own piece.
pub fn sentence(result: &DriftResult) -> Inlines {
    let mut pieces = vec![Inline::Strong(word(result).to_owned()), text(": ")];
    pieces.extend(told(result));
    pieces
}

fn failing(result: &DriftResult) -> Vec<&Finding> {
    let ordered = found::ordered(result).into_iter();
    ordered.filter(|finding| finding.level == Level::Fail).collect()
}

/// The sentence without its word: what fails, what drifted, what else changed.
pub fn told(result: &DriftResult) -> Inlines {
    let mut pieces = match failing(result).as_slice() {
        [] => Vec::new(),
        [one] => found::words(one, 100),
        [one, rest @ ..] => {
            let mut pieces = found::words(one, 80);
            pieces.push(text(match rest.len() {
                1 => ", and 1 more finding fails".to_owned(),
                n => format!(", and {n} more findings fail"),
            }));
            pieces
        }
    };
    if !pieces.is_empty() {
        pieces.push(text("; "));
    }
    pieces.extend(columns(result));
    if let Some(performance) = result.performance.as_ref().filter(|one| one.found.degraded) {
        pieces.extend([
            text("; the model errs more: "),
            text(found::told_performance(performance)),
        ]);
    }
    pieces.extend(estimated::told(result));
    let missing: Vec<_> = found::missing(result).collect();
    match missing.as_slice() {
        [] => {}
        [one] => pieces.extend([
            text("; "),
            code(line(&one.column, 40)),
            text(format!(" is missing {}", found::more_or_less(result, one))),
        ]),
        several => pieces.push(text(format!(
            "; values of {} columns are missing more or less often",
            several.len()
        ))),
    }
    match result.dataset.moved {
        0 => {}
        n => pieces.push(text(format!(
            "; {} moved as a whole",
            format::n_of(n, "column", "columns")
        ))),
    }
    pieces
}

fn columns(result: &DriftResult) -> Inlines {
    let (tested, drifted) = (result.dataset.tested, result.dataset.drifted);
    if tested == 0 {
        return not_tested(result);
    }
    let of = format::n_of(tested, "column", "columns");
    if drifted == 0 {
        return cell(match tested {
            1 => "the one column that was tested did not drift".to_owned(),
            _ => format!("none of {of} drifted"),
        });
    }
    let mut pieces = cell(match (drifted, tested) {
        (_, 1) => "the one column that was tested drifted".to_owned(),
        (drifted, tested) if drifted == tested => format!("all {of} drifted"),
        _ => format!("{} of {of} drifted", format::count(drifted as u64)),
    });
    if let Some(worst) = listed(result).first().filter(|column| column.drifted) {
        pieces.extend([
            text(", "),
            code(line(&worst.column, 40)),
            text(if drifted > 1 { " most (" } else { " (" }),
        ]);
        pieces.extend(words::told(worst));
        pieces.push(text(")"));
    }
    pieces
}

/// Why nothing was tested: the reason of most columns.
fn not_tested(result: &DriftResult) -> Inlines {
    let groups = untested(result);
    let Some((_, reason, columns)) = groups.iter().rev().max_by_key(|group| group.2.len()) else {
        return cell("there is no column to compare");
    };
    let mut pieces = cell(format!(
        "none of {} could be tested",
        format::n_of(result.columns.len(), "column", "columns")
    ));
    if !reason.is_empty() {
        pieces.push(text(", "));
        if groups.len() > 1 {
            pieces.push(text(format!("{} for one reason: ", columns.len())));
        }
        pieces.extend(prose(&line(reason, 100)));
    }
    pieces
}

fn figures(result: &DriftResult) -> Vec<Figure> {
    let dataset = &result.dataset;
    let figure = |label: &str, value: Inlines, remark: Inlines| Figure {
        label: cell(label),
        value,
        remark,
    };
    let strong = |value: String| vec![Inline::Strong(value)];
    let drifted = if dataset.tested == 0 {
        figure("Drifted", strong("unknown".to_owned()), cell("nothing was tested"))
    } else {
        let (drifted, tested) = (dataset.drifted as u64, dataset.tested as u64);
        let (share, limit) = (finite(dataset.share), finite(dataset.threshold));
        figure(
            "Drifted",
            strong(format!("{} of {}", format::count(drifted), format::count(tested))),
            cell(format!("{}, limit {}", format::percent(share), format::percent(limit))),
        )
    };
    let mut figures = vec![drifted];
    let n_untested = result
        .columns
        .iter()
        .filter(|column| column.status != "computed")
        .count();
    if n_untested > 0 {
        figures.push(figure(
            "Not tested",
            strong(format::count(n_untested as u64)),
            cell(if n_untested == 1 { "column" } else { "columns" }),
        ));
    }
    let n_missing = found::missing(result).count();
    if n_missing > 0 {
        figures.push(figure(
            "Missing values",
            strong(format::count(n_missing as u64)),
            cell(if n_missing == 1 {
                "column changed"
            } else {
                "columns changed"
            }),
        ));
    }
    for (label, side) in [("Reference", &result.reference), ("Current", &result.current)] {
        let rows = strong(super::n_rows(side));
        figures.push(figure(label, rows, vec![code(&*side.source)]));
    }
    figures.push(figure(
        "Decision",
        vec![Inline::Status(
            tone(result),
            line(&dataset.decision, super::MAX_DECISION),
        )],
        Vec::new(),
    ));
    figures
}

fn finite(share: f64) -> f64 {
    if share.is_finite() { share } else { 0.0 }
}

/// Why the decision, where somebody should look: what the headline does not say yet.
pub fn reasons(result: &DriftResult) -> Vec<Block> {
    if tone(result) < Tone::Warn {
        return Vec::new();
    }
    let (dataset, failing) = (&result.dataset, failing(result));
    let measured = result.performance.as_ref().filter(|one| one.found.degraded);
    let risen = measured.map(|one| format!("the {} rose from ", one.measure));
    let expected = estimated::is_worse(result);
    let is_told = |reason: &str| {
        reason == format!("{} of {} columns drifted", dataset.drifted, dataset.tested)
            || reason == format!("{} more moved as a whole", dataset.moved)
            || (expected && reason.starts_with("without labels, "))
            || risen.as_ref().is_some_and(|risen| reason.starts_with(risen))
            || failing
                .iter()
                .any(|finding| reason == format!("`{}`: {}", finding.column, finding.message))
    };
    let reasons: Vec<&String> = dataset
        .reasons
        .iter()
        .filter(|reason| !is_told(reason) && !line(reason, MAX_REASON).trim().is_empty())
        .collect();
    let mut pieces = Vec::new();
    for reason in reasons.iter().take(MAX_REASONS) {
        if !pieces.is_empty() {
            pieces.push(text("; "));
        }
        pieces.extend(prose(&line(reason, MAX_REASON)));
    }
    if reasons.len() > MAX_REASONS {
        let n_more = reasons.len() - MAX_REASONS;
        pieces.push(text(format!(
            "; and {}",
            format::n_of(n_more, "more reason", "more reasons")
        )));
    }
    if pieces.is_empty() {
        return Vec::new();
    }
    vec![Block::Callout {
        tone: tone(result),
        text: pieces,
    }]
}
