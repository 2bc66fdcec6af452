//! What is no change of one distribution: the schema, missing values, columns together.

use super::super::super::document::{Block, Inline, Inlines, Tone, code, prose, quiet, text};
use super::super::super::format;
use super::super::super::text::{MAX_TEXT as MAX_MESSAGE, line};
use super::super::cell;
use super::{MAX_LABEL, estimated};
use crate::drift::{DomainDrift, DriftResult, Finding, Level, MissingDrift, PcaDrift, Performance, Side};

/// Findings and columns with missing values that are told; a page tells more.
const MAX_FINDINGS: usize = 8;
const MAX_ON_PAGE: usize = 200;
/// Columns that tell the two sides apart best.
const MAX_TELLING: usize = 3;

/// Whether a finding fails or warns, or values are missing more or less often.
pub fn is_urgent(result: &DriftResult) -> bool {
    result.data_quality.iter().any(|finding| finding.level != Level::Info)
        || missing(result).next().is_some()
        || is_degraded(result)
        || estimated::is_worse(result)
}

/// Columns whose values are missing more or less often, surely enough to be an alarm: no finding calls them a remark.
pub fn missing(result: &DriftResult) -> impl Iterator<Item = &MissingDrift> {
    let is_remark = |one: &MissingDrift| {
        let mut findings = result.data_quality.iter();
        findings.any(|finding| {
            finding.check == "missing_values" && finding.column == one.column && finding.level == Level::Info
        })
    };
    result.missing.iter().filter(move |one| one.drifted && !is_remark(one))
}

/// What fails first, then what warns; each in its order.
pub fn ordered(result: &DriftResult) -> Vec<&Finding> {
    let mut ordered: Vec<&Finding> = result.data_quality.iter().collect();
    ordered.sort_by_key(|finding| match finding.level {
        Level::Fail => 0,
        Level::Warn => 1,
        Level::Info => 2,
    });
    ordered
}

pub fn blocks(result: &DriftResult) -> Vec<Block> {
    let mut items: Vec<Inlines> = ordered(result).into_iter().map(of_finding).collect();
    // Between what fails and what is information.
    let n_first = result
        .data_quality
        .iter()
        .filter(|finding| finding.level == Level::Fail)
        .count();
    // A finding may say it already.
    let is_told = |one: &MissingDrift| {
        let mut findings = result.data_quality.iter();
        findings.any(|finding| finding.check == "missing_values" && finding.column == one.column)
    };
    let drifted = result.missing.iter().filter(|one| one.drifted);
    let mut missing: Vec<&MissingDrift> = drifted.filter(|one| !is_told(one)).collect();
    let size = |one: &MissingDrift| if one.effect.is_finite() { one.effect } else { 0.0 };
    missing.sort_by(|a, b| size(b).total_cmp(&size(a)));
    items.splice(n_first..n_first, missing.into_iter().map(|one| of_missing(result, one)));
    if items.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading {
        level: 3,
        text: cell("Schema and missing values"),
    }];
    let more: Vec<Inlines> = items.iter().skip(MAX_FINDINGS).take(MAX_ON_PAGE).cloned().collect();
    items.truncate(MAX_FINDINGS);
    blocks.push(Block::List(items));
    if !more.is_empty() {
        let n_more = format::n_of(more.len(), "more finding", "more findings");
        blocks.push(Block::Roomy {
            instead: cell(format!("and {n_more} in the HTML report")),
            blocks: vec![Block::Details {
                summary: cell(n_more),
                open: false,
                blocks: vec![Block::List(more)],
            }],
        });
    }
    blocks
}

fn of_finding(finding: &Finding) -> Inlines {
    let (tone, word) = match finding.level {
        Level::Fail => (Tone::Bad, "fail"),
        Level::Warn => (Tone::Warn, "warn"),
        Level::Info => (Tone::Plain, "info"),
    };
    let mut pieces = vec![Inline::Status(tone, word.to_owned()), text(" ")];
    pieces.extend(words(finding, MAX_MESSAGE));
    pieces.extend([text(" "), quiet(format!("({})", finding.check.replace('_', " ")))]);
    pieces
}

/// `bmi`: there are texts now, and there were numbers.
pub fn words(finding: &Finding, max: usize) -> Inlines {
    let mut pieces = Vec::new();
    if !finding.column.is_empty() {
        pieces.extend([code(line(&finding.column, MAX_LABEL)), text(": ")]);
    }
    pieces.extend(prose(&line(&finding.message, max)));
    pieces
}

fn of_missing(result: &DriftResult, one: &MissingDrift) -> Inlines {
    vec![
        Inline::Status(Tone::Warn, "warn".to_owned()),
        text(" "),
        code(&*one.column),
        text(format!(
            " is missing {}: in {} of the reference and {} of the current rows ",
            more_or_less(result, one),
            share(one.missing_reference, &result.reference),
            share(one.missing_current, &result.current)
        )),
        quiet(format!("(missing values, corrected {})", told_p(one.p_adj))),
    ]
}

fn share(n_missing: u64, side: &Side) -> String {
    match side.rows {
        0 => format::count(n_missing),
        rows => format::percent(n_missing as f64 / rows as f64),
    }
}

/// `more often` or `less often`: the effect has no sign.
pub fn more_or_less(result: &DriftResult, one: &MissingDrift) -> &'static str {
    let share = |n_missing: u64, side: &Side| n_missing as f64 / side.rows.max(1) as f64;
    if share(one.missing_current, &result.current) < share(one.missing_reference, &result.reference) {
        "less often"
    } else {
        "more often"
    }
}

/// `p < 0.001`, `p = 0.013`.
fn told_p(p: f64) -> String {
    let shown = format::p_value(p);
    let sign = if shown.starts_with('<') { "" } else { "= " };
    format!("p {sign}{shown}").replace(' ', "\u{a0}")
}

/// Whether the model errs more now, as far as answers are known.
pub fn is_degraded(result: &DriftResult) -> bool {
    let performance = result.performance.as_ref();
    performance.is_some_and(|performance| performance.found.degraded)
}

/// `its mean absolute error rose from 40.1 to 52.3`.
pub fn told_performance(performance: &Performance) -> String {
    let [before, now] = performance.found.mean;
    let decimals = format::decimals(before.abs().max(now.abs()), None).min(4);
    format!(
        "its {} {} from {} to {}",
        line(&performance.measure, MAX_LABEL),
        if now < before { "fell" } else { "rose" },
        format::fixed(before, decimals),
        format::fixed(now, decimals)
    )
}

/// The model's errors then and now.
pub fn performance(result: &DriftResult) -> Vec<Block> {
    let Some(performance) = &result.performance else {
        return Vec::new();
    };
    let found = &performance.found;
    let (tone, word) = if found.degraded {
        (Tone::Bad, "worse")
    } else {
        (Tone::Good, "no worse")
    };
    let increase = found
        .relative_increase
        .filter(|increase| increase.is_finite())
        .map_or_else(String::new, |increase| {
            format!("{}, ", format::signed_percent(increase))
        });
    let pieces = vec![
        Inline::Status(tone, word.to_owned()),
        text(format!(
            ": {} on rows whose answers are known ",
            told_performance(performance)
        )),
        quiet(format!(
            "({increase}{}, {} and {} rows)",
            told_p(found.p),
            format::count(found.n[0] as u64),
            format::count(found.n[1] as u64)
        )),
    ];
    vec![
        Block::Heading {
            level: 3,
            text: cell("What the model makes of it"),
        },
        Block::List(vec![pieces]),
    ]
}

/// Changes between columns.
pub fn together(result: &DriftResult) -> Vec<Block> {
    let Some(multivariate) = &result.multivariate else {
        return Vec::new();
    };
    let items: Vec<Inlines> = [
        multivariate.domain_classifier.as_ref().map(domain),
        multivariate.pca_reconstruction.as_ref().map(pca),
    ]
    .into_iter()
    .flatten()
    .collect();
    if items.is_empty() {
        return Vec::new();
    }
    vec![
        Block::Heading {
            level: 3,
            text: cell("Columns together"),
        },
        Block::List(items),
    ]
}

fn domain(found: &DomainDrift) -> Inlines {
    let (tone, word) = if found.drifted {
        (Tone::Warn, "drifted")
    } else {
        (Tone::Good, "alike")
    };
    let mut pieces = vec![
        Inline::Status(tone, word.to_owned()),
        text(format!(
            ": a classifier tells the two sides apart with an AUC of {}, where 0.5 is guessing ({})",
            format::fixed(found.auc, 2),
            told_p(found.p)
        )),
    ];
    if found.drifted && !found.importance.is_empty() {
        pieces.push(text(", most by "));
        for (index, (column, weight)) in found.importance.iter().take(MAX_TELLING).enumerate() {
            if index > 0 {
                pieces.push(text(", "));
            }
            pieces.push(code(&**column));
            if weight.is_finite() {
                pieces.push(quiet(format!(" {}", format::percent(*weight))));
            }
        }
    }
    pieces
}

fn pca(found: &PcaDrift) -> Inlines {
    let (tone, word) = if found.alert {
        (Tone::Warn, "drifted")
    } else {
        (Tone::Good, "alike")
    };
    let half = ((found.upper - found.lower) / 2.0).abs();
    let decimals = format::decimals(found.value, Some(half));
    vec![
        Inline::Status(tone, word.to_owned()),
        text(format!(
            ": how {} numeric columns hang together: the error of {} is {}, {} {} that the reference has",
            format::count(found.n_columns as u64),
            format::n_of(found.n_components, "principal component", "principal components"),
            format::fixed(found.value, decimals),
            if found.alert { "outside" } else { "within" },
            format::interval([found.lower, found.upper], decimals)
        )),
    ]
}
