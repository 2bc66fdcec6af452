//! How the model was made, what became of it, and what was assumed.

use super::super::document::{Address, Bar, Block, Chart, Column, Inline, Picture, Section, Table, code, prose, text};
use super::super::format;
use super::{cell, details, own};
use crate::facts::{Facts, TrainingFacts};

/// More bars than are read.
const MAX_IMPORTANCE: usize = 10;

pub fn section(facts: &Facts) -> Option<Section> {
    if facts.training.is_none() && facts.registry.is_none() && facts.trainer_failed.is_none() {
        return None;
    }
    let mut summary = vec![Inline::Strong("Model".to_owned())];
    let mut blocks = Vec::new();
    if let Some(training) = &facts.training {
        summary.extend([
            text(": "),
            code(&*training.estimator),
            text(format!(", {}, ", format::bytes(training.model_bytes))),
        ]);
        match &training.reused_from {
            Some(from) => summary.extend([text("taken over from "), code(&**from), text(", since nothing changed")]),
            None => summary.push(text(format!("trained in {}", format::duration_ms(training.elapsed_ms)))),
        }
        let features = format::n_of(training.n_features_in, "feature", "features");
        let encoded = match training.own {
            // What it made of them is its own.
            Some(_) => String::new(),
            None => format!(", {} after encoding", format::count(training.n_features_out as u64)),
        };
        blocks.push(Block::Paragraph(vec![
            text(format!("Seed {}, {features} in{encoded}, digest ", training.seed)),
            code(training.digest.short()),
            text("."),
        ]));
        if !training.params.is_empty() {
            let rows = training
                .params
                .iter()
                .map(|(name, value)| vec![vec![code(&**name)], vec![code(&**value)]])
                .collect();
            blocks.push(Block::Table(Table {
                columns: vec![Column::words("Parameter"), Column::words("Value")],
                rows,
            }));
        }
        blocks.extend(importance(training).map(Block::Chart));
        blocks.extend(training.own.iter().flat_map(own::blocks));
        if !training.notes.is_empty() {
            blocks.push(Block::List(
                training.notes.iter().take(20).map(|note| prose(note)).collect(),
            ));
        }
    } else {
        summary.push(text(": not trained"));
        if let Some(own) = &facts.trainer_failed {
            blocks.extend(own::blocks(own));
            if !own.run.tail.trim().is_empty() {
                blocks.push(Block::Code {
                    language: "text",
                    text: own.run.tail.clone(),
                });
            }
        }
    }
    blocks.extend(registry(facts));
    blocks.extend(tracking(facts));
    // What went wrong stands with the rest that did.
    let failed = facts.trainer_failed.is_some();
    Some(details("model", if failed { 6 } else { 45 }, summary, failed, blocks))
}

/// What the columns weigh, and what that number is.
fn importance(training: &TrainingFacts) -> Option<Picture> {
    let known: Vec<(&str, f64)> = training
        .importance
        .iter()
        .filter(|(_, value)| value.is_finite())
        .map(|(name, value)| (name.as_str(), *value))
        .take(MAX_IMPORTANCE)
        .collect();
    let greatest = known
        .iter()
        .fold(0.0, |greatest: f64, (_, value)| greatest.max(value.abs()));
    if greatest <= 0.0 {
        return None;
    }
    let is_share = training.estimator == "random_forest";
    let is_signed = known.iter().any(|(_, value)| *value < 0.0);
    let meaning = match (is_share, is_signed) {
        (true, _) => {
            "Share of what the trees learned that came from splits on a column; all columns together are 100\u{a0}%."
        }
        (false, true) => {
            "Coefficients on standardized columns: how far the linear prediction moves, and which way, when a column \
             grows by one standard deviation."
        }
        (false, false) => {
            "Size of the coefficients on standardized columns: how far the linear prediction moves when a column grows \
             by one standard deviation."
        }
    };
    let decimals = format::decimals(greatest, Some(greatest / 10.0));
    let bars = known
        .iter()
        .map(|(name, value)| Bar {
            label: (*name).to_owned(),
            share: value.abs() / greatest,
            shown: match (is_share, is_signed) {
                (true, _) => format::percent(*value),
                (false, true) => format::signed(*value, decimals),
                (false, false) => format::fixed(*value, decimals),
            },
        })
        .collect();
    let title = if training.n_features_out > known.len() {
        format!(
            "The {} columns that weigh most, of {}",
            known.len(),
            format::count(training.n_features_out as u64)
        )
    } else {
        "What the columns weigh".to_owned()
    };
    Some(Picture {
        title: vec![text(title)],
        description: vec![text(meaning)],
        chart: Chart::Bars {
            heads: ["Column", if is_share { "Share" } else { "Coefficient" }],
            rows: bars,
        },
    })
}

fn registry(facts: &Facts) -> Option<Block> {
    let registry = facts.registry.as_ref()?;
    let mut pieces = vec![text("Registry "), code(&*registry.place), text(": ")];
    match (registry.version, &registry.not_published) {
        (Some(version), _) if registry.existed => {
            pieces.push(text(format!(
                "{version}, which was there already with this very digest"
            )));
        }
        (Some(version), _) => pieces.push(text(format!("published as {version}"))),
        (None, Some(why)) => {
            pieces.push(text("nothing published, since "));
            pieces.extend(prose(why));
        }
        (None, None) => pieces.push(text("nothing published")),
    }
    for (index, (alias, version)) in registry.aliases.iter().take(10).enumerate() {
        pieces.push(text(if index == 0 { "; " } else { ", " }));
        pieces.extend([code(&**alias), text(format!(" is {version}"))]);
    }
    pieces.push(text("."));
    Some(Block::Paragraph(pieces))
}

fn tracking(facts: &Facts) -> Option<Block> {
    let tracking = facts.tracking.as_ref()?;
    let mut pieces = vec![text("Run kept in "), code(&*tracking.place)];
    if let Some(address) = tracking.url.as_deref().and_then(Address::new) {
        pieces.extend([text(": "), Inline::Link("its page".to_owned(), address)]);
    }
    if let Some(problem) = &tracking.problem {
        pieces.push(text("; not all of it is there: "));
        pieces.extend(prose(problem));
    }
    pieces.push(text("."));
    Some(Block::Paragraph(pieces))
}

pub fn defaults(facts: &Facts) -> Option<Section> {
    if facts.defaults.is_empty() {
        return None;
    }
    let rows = facts
        .defaults
        .iter()
        .map(|default| vec![vec![code(&*default.key)], vec![code(&*default.value)]])
        .collect();
    let summary = vec![
        Inline::Strong("Defaults used".to_owned()),
        text(format!(
            ": {}",
            format::n_of(facts.defaults.len(), "setting", "settings")
        )),
    ];
    let table = Table {
        columns: vec![Column::words("Setting"), Column::words("Value")],
        rows,
    };
    let mut note = cell("Each can be set in ");
    note.extend([code(&*facts.config_file), text(".")]);
    Some(details(
        "defaults",
        70,
        summary,
        false,
        vec![Block::Table(table), Block::Note(note)],
    ))
}
