//! One column's change in words: what changed most about it, and how large that is.

use super::super::super::document::{Inline, Inlines, code, quiet, text};
use super::super::super::format;
use super::super::super::text::line;
use super::super::unknown;
use super::MAX_LABEL;
use crate::drift::{ColumnDrift, Kind, Mode, Picture, Role, Summary};

/// Mean or spread moved from here on, in standard deviations of the reference.
const MIN_MOVE: f64 = 0.1;
/// Spread is told when it is so many times what it was, or less than the inverse.
const MIN_SPREAD: f64 = 1.25;
/// A standard deviation of at most this share of the mean is none.
const MIN_SD: f64 = 1e-12;

/// What tells most about the change of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change<'a> {
    /// `moved` in standard deviations of the reference, where it has one.
    Mean {
        from: f64,
        to: f64,
        decimals: Option<usize>,
        moved: Option<f64>,
    },
    Spread {
        from: f64,
        to: f64,
        decimals: Option<usize>,
    },
    Share {
        label: &'a str,
        from: f64,
        to: f64,
    },
    /// The same mean and spread, and another shape; nothing closer is known.
    Shape,
    Texts,
}

pub fn change(column: &ColumnDrift) -> Change<'_> {
    match (&column.summary, &column.picture) {
        (Some(summary), _) => of_numbers(summary, column.effect),
        (
            None,
            Some(Picture::Bars {
                labels,
                reference,
                current,
            }),
        ) => of_categories(labels, reference, current),
        (None, _) if column.kind == Kind::Text => Change::Texts,
        (None, _) => Change::Shape,
    }
}

fn of_numbers([reference, current]: &[Summary; 2], effect: Option<f64>) -> Change<'static> {
    // The deviation of one value many times over is what rounding leaves of it.
    let spread = |side: &Summary| Some(side.sd).filter(|sd| sd.is_finite() && *sd > side.mean.abs() * MIN_SD);
    let (sd, current_sd) = (spread(reference), spread(current));
    let difference = current.mean - reference.mean;
    let moved = sd.map(|sd| difference / sd).filter(|moved| moved.is_finite());
    // A tenth of the spread is what a mean's digits are good for.
    let digits = |greatest: f64| {
        let scale = sd.or(current_sd)?;
        Some(format::decimals(greatest, Some(scale / 10.0)))
    };
    let mean = Change::Mean {
        from: reference.mean,
        to: current.mean,
        decimals: digits(reference.mean.abs().max(current.mean.abs())),
        moved,
    };
    let by_mean = moved.map_or(difference != 0.0, |moved| moved.abs() >= MIN_MOVE);
    let explains = match (moved, effect.filter(|effect| effect.is_finite())) {
        (Some(moved), Some(effect)) => moved.abs() >= effect / 2.0,
        _ => true,
    };
    let (from, to) = (sd.unwrap_or(0.0), current_sd.unwrap_or(0.0));
    let by_spread = from > to * MIN_SPREAD || to > from * MIN_SPREAD;
    if by_mean && (explains || !by_spread) {
        mean
    } else if by_spread {
        Change::Spread {
            from,
            to,
            decimals: digits(from.max(to)),
        }
    } else {
        Change::Shape
    }
}

/// The category whose share changed most; the first of several.
fn of_categories<'a>(labels: &'a [String], reference: &[f64], current: &[f64]) -> Change<'a> {
    // Of changes that are equal but for rounding, the first.
    let mut most: Option<(&str, f64, f64)> = None;
    for ((label, from), to) in labels.iter().zip(reference).zip(current) {
        let greater = |(_, a, b): (&str, f64, f64)| (to - from).abs() > (b - a).abs() + 1e-9;
        if from.is_finite() && to.is_finite() && most.is_none_or(greater) {
            most = Some((label, *from, *to));
        }
    }
    most.map_or(Change::Shape, |(label, from, to)| Change::Share { label, from, to })
}

/// With so many decimals, or as short as it can be told.
fn shown(value: f64, decimals: Option<usize>) -> String {
    decimals.map_or_else(|| format::short(value), |decimals| format::fixed(value, decimals))
}

fn verb(from: f64, to: f64) -> &'static str {
    if to < from { "fell" } else { "rose" }
}

/// Standard deviations, two digits.
fn deviations(value: f64) -> String {
    if value.is_infinite() {
        return "∞ sd".to_owned();
    }
    format!("{}\u{a0}sd", two_digits(value.abs()))
}

fn two_digits(value: f64) -> String {
    format::fixed(value, format::decimals(value, Some(value.abs())).min(3))
}

/// What follows a column's name in parentheses: `its mean fell by 0.76 sd, from 49.8 to 41.2`.
pub fn told(column: &ColumnDrift) -> Inlines {
    match change(column) {
        Change::Mean {
            from,
            to,
            decimals,
            moved,
        } => {
            let by = moved.map_or_else(String::new, |moved| format!(" by {},", deviations(moved)));
            vec![text(format!(
                "{} {}{by} from {} to {}",
                its(column, "mean"),
                verb(from, to),
                shown(from, decimals),
                shown(to, decimals)
            ))]
        }
        Change::Spread { from, to, decimals } => vec![text(format!(
            "{} {} from {} to {}",
            its(column, "standard deviation"),
            verb(from, to),
            shown(from, decimals),
            shown(to, decimals)
        ))],
        Change::Share { label, from, to } => {
            let label = code(line(label, MAX_LABEL));
            if from <= 0.0 {
                vec![
                    label,
                    text(format!(" is new, with {} of the rows", format::percent(to))),
                ]
            } else if to <= 0.0 {
                vec![
                    label,
                    text(format!(" is gone, from {} of the rows", format::percent(from))),
                ]
            } else {
                let (verb, from, to) = (verb(from, to), format::percent(from), format::percent(to));
                vec![label, text(format!(" {verb} from {from} to {to} of the rows"))]
            }
        }
        Change::Texts => vec![text("its texts can be told apart")],
        Change::Shape => vec![text("its shape changed")],
    }
}

/// `its mean`; `the mean of its change in one year` where that is what was compared.
fn its(column: &ColumnDrift, what: &str) -> String {
    match &column.change_in {
        None => format!("its {what}"),
        Some(step) => format!("the {what} of its change in {}", line(step, MAX_LABEL)),
    }
}

/// The same as a cell: `mean 49.8 → 41.2 (−0.76 sd)`.
pub fn from_to(column: &ColumnDrift) -> Inlines {
    let arrow = |from: String, to: String| text(format!("{from} → {to}"));
    match change(column) {
        Change::Mean {
            from,
            to,
            decimals,
            moved,
        } => {
            let mut pieces = vec![text("mean "), arrow(shown(from, decimals), shown(to, decimals))];
            if let Some(moved) = moved {
                let sign = if moved < 0.0 { "−" } else { "+" };
                pieces.push(quiet(format!(" ({sign}{})", deviations(moved))));
            }
            pieces
        }
        Change::Spread { from, to, decimals } => {
            let mut pieces = vec![text("sd "), arrow(shown(from, decimals), shown(to, decimals))];
            if from > 0.0 {
                pieces.push(quiet(format!(" (× {})", two_digits(to / from))));
            }
            pieces
        }
        Change::Share { label, from, to } => {
            let mut pieces = vec![
                code(line(label, MAX_LABEL)),
                text(" "),
                arrow(format::percent(from), format::percent(to)),
            ];
            if from <= 0.0 {
                pieces.push(quiet(" (new)"));
            } else if to <= 0.0 {
                pieces.push(quiet(" (gone)"));
            }
            pieces
        }
        Change::Texts => vec![quiet("the texts")],
        Change::Shape if column.summary.is_some() => vec![quiet("mean and sd as they were, the shape changed")],
        Change::Shape => unknown(),
    }
}

/// `0.76 sd, medium`.
pub fn effect(column: &ColumnDrift) -> Inlines {
    let Some(effect) = column.effect.filter(|effect| !effect.is_nan()) else {
        return unknown();
    };
    let scale = Scale::of(column.effect_kind.as_deref());
    let shown = match scale {
        Scale::Deviations => deviations(effect),
        Scale::JensenShannon => format!("{}\u{a0}JS", two_digits(effect)),
        Scale::Auc => format!("AUC {}", format::fixed(effect, 2)),
        Scale::Other => two_digits(effect),
    };
    match scale.size(effect) {
        // There is no spread to measure it by.
        Some(_) if effect.is_infinite() => vec![text(shown), quiet(", from a constant")],
        Some(size) => vec![text(shown), quiet(format!(", {size}"))],
        None => vec![text(shown)],
    }
}

/// `medium`, where there is a word for it.
pub fn size(column: &ColumnDrift) -> Option<&'static str> {
    let effect = column.effect.filter(|effect| effect.is_finite())?;
    Scale::of(column.effect_kind.as_deref()).size(effect)
}

/// What an effect is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Deviations,
    JensenShannon,
    Auc,
    Other,
}

impl Scale {
    fn of(kind: Option<&str>) -> Self {
        match kind {
            Some("wasserstein_std") => Self::Deviations,
            Some("jensenshannon") => Self::JensenShannon,
            Some("roc_auc") => Self::Auc,
            _ => Self::Other,
        }
    }

    /// Cohen's words for a difference of 0.2, 0.5 and 0.8 standard deviations (*Statistical Power Analysis for the
    /// Behavioral Sciences*, 1988). On the other scales: what two normal distributions so far apart come to, which is
    /// d / √8 for the Jensen–Shannon distance in nats, as d is small, and Φ(d / √2) for the AUC.
    fn size(self, effect: f64) -> Option<&'static str> {
        let [small, medium, large] = match self {
            Self::Deviations => [0.2, 0.5, 0.8],
            Self::JensenShannon => [0.07, 0.18, 0.28],
            Self::Auc => [0.556, 0.638, 0.714],
            Self::Other => return None,
        };
        Some(match effect {
            effect if effect >= large => "large",
            effect if effect >= medium => "medium",
            effect if effect >= small => "small",
            _ => "very small",
        })
    }
}

/// `number`, `category, target`, `number, change in one year, moved only`.
pub fn about(column: &ColumnDrift) -> Inline {
    let change = column
        .change_in
        .as_ref()
        .map(|step| format!("change in {}", line(step, MAX_LABEL)));
    let mut words = vec![kind(column.kind)];
    words.extend(change.as_deref());
    match column.role {
        Role::Feature => {}
        Role::Target => words.push("target"),
        Role::Prediction => words.push("prediction"),
    }
    if super::moved_only(column) {
        words.push("moved only");
    }
    quiet(words.join(", "))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Num => "number",
        Kind::Cat => "category",
        Kind::Text => "text",
        Kind::Datetime => "time",
        Kind::Unknown => "unknown",
    }
}

/// What the columns of the table mean, as far as they are there.
pub fn legend(mode: Mode, listed: &[&ColumnDrift]) -> Inlines {
    let scales: Vec<Scale> = listed
        .iter()
        .filter(|column| column.effect.is_some())
        .map(|column| Scale::of(column.effect_kind.as_deref()))
        .collect();
    let mut said = Vec::new();
    if mode == Mode::Calibrated {
        said.push(
            "A column drifted when its p, corrected for the number of columns, is small and the effect is worth speaking of.",
        );
        for (scale, words) in [
            (
                Scale::Deviations,
                "sd: how far the values would have to move on average to become the others (Wasserstein), in standard \
                 deviations of the reference.",
            ),
            (
                Scale::JensenShannon,
                "JS: Jensen–Shannon distance between the shares, from 0 to 0.83.",
            ),
            (
                Scale::Auc,
                "AUC: how well a classifier tells the two sides apart; 0.5 is guessing.",
            ),
        ] {
            if scales.contains(&scale) {
                said.push(words);
            }
        }
        said.push(
            "Small, medium and large are Cohen's: from 0.2, 0.5 and 0.8 sd on, and what that comes to on other scales.",
        );
    } else {
        said.push("Each column is judged by the test and the threshold that Evidently takes for it.");
        said.push("The number of columns is not corrected for: of many some are flagged by chance.");
    }
    if listed.iter().any(|column| column.change_in.is_some()) {
        said.push("Change: compared is what the values changed since the row so much earlier, in standard deviations of the reference's changes.");
    }
    if listed.iter().any(|column| super::moved_only(column)) {
        said.push("Moved only: its values are greater or smaller as a whole (Mann–Whitney), though the test of its whole distribution does not say so.");
    }
    // A piece each, since a piece that is too long is cut.
    let said = said.iter().enumerate();
    said.map(|(index, sentence)| text(format!("{}{sentence}", if index > 0 { " " } else { "" })))
        .collect()
}
