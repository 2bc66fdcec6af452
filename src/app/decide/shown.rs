//! A decision between two models as text for people.

use std::fmt::Write as _;

use crate::base::counted;
use crate::evaluate::{Comparison, Decision, FiveByTwo, SliceComparison, SliceStatus, format_number, metric};
use crate::exec::neutralise;

use super::{Answer, OfRows};

pub fn text(answer: &Answer) -> String {
    match answer {
        Answer::Rows(rows) => of_rows(rows),
        Answer::Folds {
            comparison,
            five_by_two,
            decision,
        } => of_folds(comparison, *five_by_two, decision),
        Answer::PValues {
            adjustment,
            p_values,
            adjusted,
        } => {
            let mut out = format!("{:>12}  {:>12}\n", "p", adjustment);
            for (p, adjusted) in p_values.iter().zip(adjusted) {
                line(&mut out, &format!("{:>12}  {:>12}", p_value(*p), p_value(*adjusted)));
            }
            out
        }
    }
}

fn of_rows(rows: &OfRows) -> String {
    let mut out = headline(&rows.decision);
    let positive = rows
        .positive
        .as_deref()
        .map(|class| format!(", positive class `{}`", neutralise(class)));
    line(
        &mut out,
        &format!(
            "\n{}, {}{} ({})",
            rows.task.name(),
            counted(rows.n_rows, "row"),
            positive.unwrap_or_default(),
            neutralise(&rows.why)
        ),
    );
    if let Some(uses) = rows.uses {
        let level = trimmed(rows.alpha);
        line(&mut out, &format!("look {uses} at these rows, at a level of {level}"));
    }
    for comparison in &rows.comparisons {
        compared(&mut out, comparison);
    }
    if let Some([champion, challenger]) = rows.accuracies() {
        let n_rows = rows.n_rows;
        let shown = |(right, [low, high]): (u64, [f64; 2])| {
            format!("{right} of {n_rows} ({} to {})", percent(low), percent(high))
        };
        let (champion, challenger) = (shown(champion), shown(challenger));
        line(
            &mut out,
            &format!("\nright: champion {champion}, challenger {challenger}; Wilson's intervals at 95 %"),
        );
    }
    if !rows.slices.is_empty() {
        sliced(&mut out, &rows.slices, rows.adjustment);
    }
    out
}

fn of_folds(comparison: &Comparison, five_by_two: Option<FiveByTwo>, decision: &Decision) -> String {
    let mut out = headline(decision);
    compared(&mut out, comparison);
    if let Some(test) = five_by_two {
        let FiveByTwo { t, p_t, f, p_f } = test;
        let tests = [("F", f, p_f), ("t", t, p_t)];
        let tests =
            tests.map(|(name, value, p)| format!("{name} = {}, p = {}", format_number(value, None), p_value(p)));
        line(&mut out, &format!("  5×2 folds: {}", tests.join("; ")));
    }
    out
}

/// The word first, then what it rests on and how far to trust it.
fn headline(decision: &Decision) -> String {
    let mut out = format!("{}\n", decision.verdict.word());
    for reason in decision.reasons.iter().chain(&decision.doubts) {
        line(&mut out, &format!("  {}", neutralise(reason)));
    }
    out
}

fn compared(out: &mut String, one: &Comparison) {
    let title = metric(&one.metric).map_or(one.metric.as_str(), |kind| kind.title);
    let width = one.lower.zip(one.upper).map(|(lower, upper)| upper - lower);
    let number = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| format_number(value, width));
    let sure = format!("{} %", trimmed(100.0 * (1.0 - one.alpha)));
    let interval = one.difference_interval.map_or_else(String::new, |[low, high]| {
        format!(" ({} to {} at {sure})", number(Some(low)), number(Some(high)))
    });
    line(
        out,
        &format!(
            "\n{title}: {} → {}, difference {}{interval}: {}",
            number(one.champion),
            number(one.challenger),
            number(one.difference),
            one.verdict.word()
        ),
    );
    if one.gain.is_some() && one.lower.is_some() {
        line(
            out,
            &format!(
                "  gain {}, at least {} and at most {}, each at {sure}; {} may be lost; {}",
                number(one.gain),
                number(one.lower),
                number(one.upper),
                trimmed(one.margin),
                one.method
            ),
        );
    }
    for test in &one.secondary {
        let better = test.p_better.map(|p| format!(", of \"better\" {}", p_value(p)));
        let statistic = test
            .statistic
            .map(|value| format!(", statistic {}", format_number(value, None)));
        line(
            out,
            &format!(
                "  {}: p = {}{}{}",
                test.name,
                p_value(test.p),
                better.unwrap_or_default(),
                statistic.unwrap_or_default()
            ),
        );
    }
    if let Some(note) = &one.note {
        line(out, &format!("  {}", neutralise(note)));
    }
    if let Some(rows) = one.rows_needed {
        line(out, &format!("  about {rows} rows would decide"));
    }
}

fn sliced(out: &mut String, slices: &[SliceComparison], adjustment: &str) {
    line(
        out,
        &format!(
            "\n{:<28} {:>7} {:>10} {:>10} {:>10} {:>10}",
            "errors of slices", "rows", "champion", "challenger", "p worse", adjustment
        ),
    );
    for slice in slices {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format_number(value, None));
        let p = |p: Option<f64>| p.map_or_else(String::new, p_value);
        let name: String = neutralise(&slice.slice).chars().take(28).collect();
        let status = match slice.status {
            SliceStatus::Ok => "",
            SliceStatus::Regression => "  worse",
            SliceStatus::TooFewRows => "  too few rows",
        };
        line(
            out,
            &format!(
                "{name:<28} {:>7} {:>10} {:>10} {:>10} {:>10}{status}",
                slice.n_rows,
                number(slice.champion),
                number(slice.challenger),
                p(slice.p_worse),
                p(slice.p_adjusted)
            ),
        );
    }
}

/// Four digits, without zeros at the end that say nothing.
fn trimmed(value: f64) -> String {
    let text = format_number(value, None);
    match text.split_once('.') {
        Some((_, decimals)) if decimals.chars().all(|c| c.is_ascii_digit()) => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Some(_) | None => text,
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn p_value(p: f64) -> String {
    if p > 0.0 && p < 1e-4 {
        format!("{p:.1e}")
    } else {
        format!("{p:.4}")
    }
}

fn line(out: &mut String, text: &str) {
    // Writing to a string can not fail.
    let _ = writeln!(out, "{text}");
}
