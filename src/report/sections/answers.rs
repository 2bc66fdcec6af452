//! Short documents: one gate on its own, a configuration that can not be used, the answer to a command.

use super::super::document::{
    Block, Column, Document, Inline, Inlines, MODEL_REPORT, Section, Table, Tone, code, prose, text,
};
use super::super::format;
use super::super::text::line;
use super::{checks, details, gate_status, gate_tone};
use crate::base::{Diagnostics, Severity, Timestamp, VersionNumber};
use crate::facts::Facts;
use crate::gates::GateResult;

/// More problems than a person reads at once.
const MAX_PROBLEMS: usize = 50;

/// What one gate found: its own check.
pub fn gate(facts: &Facts, gate: &GateResult) -> Document {
    let mut blocks = vec![Block::Paragraph(prose(&gate.reason))];
    if let Some(span) = gate.span {
        blocks.push(Block::Note(vec![
            text("Set in "),
            code(format!("{}:{}", facts.config_file, span.line)),
        ]));
    }
    let mut sections = vec![section("gate", blocks)];
    let alone = Facts {
        gates: vec![gate.clone()],
        ..facts.clone()
    };
    sections.extend(checks::commands(&alone));
    if gate.name == "data" {
        sections.extend(super::data::section(facts));
    }
    Document {
        about: MODEL_REPORT,
        subject: facts.model.clone(),
        title: vec![Inline::Strong(gate.status.word().to_owned()), text(": ")]
            .into_iter()
            .chain(prose(&line(&gate.reason, 140)))
            .collect(),
        tone: gate_tone(gate.status),
        sections,
    }
}

/// A configuration or data that can not be used: every problem with its place and what to change.
pub fn problems(subject: &str, problems: &Diagnostics) -> Document {
    let n_errors = problems.iter().filter(|one| one.severity == Severity::Error).count();
    let title = vec![
        Inline::Strong("Failed to run".to_owned()),
        text(format!(": {} to mend", format::n_of(n_errors, "problem", "problems"))),
    ];
    let mut heading = vec![Inline::Status(Tone::Bad, "Failed to run".to_owned())];
    heading.extend(title.iter().skip(1).cloned());
    let mut blocks = vec![Block::Heading {
        level: 1,
        text: heading,
    }];
    for problem in problems.iter().take(MAX_PROBLEMS) {
        let mut pieces = Vec::new();
        if let Some(file) = &problem.file {
            let place = problem
                .span
                .map_or_else(|| file.to_string(), |span| format!("{file}:{}", span.line));
            pieces.extend([code(place), text(": ")]);
        }
        pieces.extend(prose(&problem.message));
        blocks.push(Block::Paragraph(pieces));
        if let Some(snippet) = &problem.snippet {
            blocks.push(Block::Code {
                language: "yaml",
                text: snippet.clone(),
            });
        }
        if let Some(help) = &problem.help {
            let (sentence, example) = help.split_once("\n\n").unwrap_or((help, ""));
            blocks.push(Block::Note(prose(&line(sentence, 600))));
            let example: Vec<&str> = example
                .lines()
                .map(|line| line.strip_prefix("    ").unwrap_or(line))
                .collect();
            if !example.is_empty() {
                blocks.push(Block::Code {
                    language: "yaml",
                    text: example.join("\n"),
                });
            }
        }
    }
    if problems.iter().count() > MAX_PROBLEMS {
        let more = problems.iter().count() - MAX_PROBLEMS;
        blocks.push(Block::Note(vec![text(format!("and {more} more in the log"))]));
    }
    Document {
        about: MODEL_REPORT,
        subject: subject.to_owned(),
        title,
        tone: Tone::Bad,
        sections: vec![section("problems", blocks)],
    }
}

/// Something that can be said in a sentence, with a remark or none.
pub fn statement(subject: &str, tone: Tone, word: &str, sentence: &str, remarks: &[String]) -> Document {
    let mut heading = vec![Inline::Status(tone, word.to_owned()), text(": ")];
    heading.extend(prose(sentence));
    let mut blocks = vec![Block::Paragraph(heading)];
    blocks.extend(remarks.iter().map(|remark| Block::Note(prose(remark))));
    let mut title = vec![Inline::Strong(word.to_owned()), text(": ")];
    title.extend(prose(&line(sentence, 140)));
    Document {
        about: MODEL_REPORT,
        subject: subject.to_owned(),
        title,
        tone,
        sections: vec![section("answer", blocks)],
    }
}

/// One version, as the registry has it.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    pub number: VersionNumber,
    pub aliases: Vec<String>,
    /// `rmse 53.13`.
    pub primary: String,
    pub passed: Option<bool>,
    pub at: Timestamp,
    pub actor: String,
}

/// What is in the registry, newest first, and what became of the last moves.
pub fn registry(subject: &str, place: &str, rows: &[VersionRow], moves: &[String]) -> Document {
    let heading: Inlines = vec![
        code(subject),
        text(format!(": {} in ", format::n_of(rows.len(), "version", "versions"))),
        code(place),
    ];
    let mut blocks = vec![Block::Paragraph(heading.clone())];
    if !rows.is_empty() {
        let cells = rows.iter().rev().map(|row| {
            vec![
                vec![Inline::Strong(row.number.to_string())],
                vec![code(row.aliases.join(", "))]
                    .into_iter()
                    .filter(|_| !row.aliases.is_empty())
                    .collect(),
                vec![text(row.primary.clone())],
                row.passed.map_or_else(super::unknown, |passed| {
                    vec![gate_status(if passed {
                        crate::gates::GateStatus::Pass
                    } else {
                        crate::gates::GateStatus::Fail
                    })]
                }),
                vec![text(row.at.to_string())],
                vec![code(line(&row.actor, 60))],
            ]
        });
        blocks.push(Block::Table(Table {
            columns: ["Version", "Alias", "Metric", "Gates", "Published", "By"]
                .into_iter()
                .map(Column::words)
                .collect(),
            rows: cells.collect(),
        }));
    }
    let mut sections = vec![section("registry", blocks)];
    if !moves.is_empty() {
        let summary = vec![
            Inline::Strong("Moves".to_owned()),
            text(format!(": the last {}", moves.len())),
        ];
        let items = moves.iter().map(|one| prose(&line(one, 400))).collect();
        sections.push(details("moves", 10, summary, false, vec![Block::List(items)]));
    }
    Document {
        about: MODEL_REPORT,
        subject: subject.to_owned(),
        title: heading,
        tone: Tone::Plain,
        sections,
    }
}

/// What the words of a comment do.
pub fn help(subject: &str, commands: &[(&str, &str)]) -> Document {
    let items = commands
        .iter()
        .map(|(usage, summary)| vec![code(*usage), text(format!(": {summary}"))])
        .collect();
    let blocks = vec![
        Block::Paragraph(vec![text("In a comment of its own or at the start of a line:")]),
        Block::List(items),
    ];
    Document {
        about: MODEL_REPORT,
        subject: subject.to_owned(),
        title: vec![text("Commands")],
        tone: Tone::Plain,
        sections: vec![section("help", blocks)],
    }
}

/// A problem with what somebody asked for.
pub fn refusal(subject: &str, why: &str, help: Option<&str>) -> Document {
    statement(
        subject,
        Tone::Warn,
        "Not done",
        why,
        &help.map(|help| vec![help.to_owned()]).unwrap_or_default(),
    )
}

fn section(key: &'static str, blocks: Vec<Block>) -> Section {
    Section {
        key,
        priority: 0,
        blocks,
    }
}
