//! What a linter printed, made into findings. Pure.

use super::finding::{Cell, Finding, Severity};
use super::generic::{self, Mapping, Pattern};
use super::place::Place;
use super::tools::Kind;
use super::{json, text};
use crate::base::clean;

/// More of one command are counted only.
const MAX_FINDINGS: usize = 10_000;
pub(super) const MAX_MESSAGE_CHARS: usize = 1_000;
const MAX_FIX_CHARS: usize = 500;
const MAX_RULE_CHARS: usize = 120;
const MAX_URL_CHARS: usize = 500;
/// As much of a text as is looked at, before it is made inert.
const MAX_RAW_BYTES: usize = 16 * 1024;

/// How the output of a command is read.
#[derive(Debug, Clone)]
pub enum Format {
    /// What tools print for people; of which tool, where that is known.
    Text(Option<Kind>),
    /// A tool's own JSON.
    Json(Kind),
    /// SARIF 2.1.0.
    Sarif,
    /// Any JSON, with the names of its fields.
    Mapped(Mapping),
    /// Lines that a user's expression matches.
    Lines(Pattern),
    /// Nothing is known of it.
    Unread,
}

/// What was understood of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In order, without duplicates.
    pub findings: Vec<Finding>,
    /// How many there were above those kept.
    pub n_dropped: usize,
    /// Parts that should have been findings and could not be read.
    pub n_unread: usize,
    /// Whether the output ends in the middle, or so much of it made no sense that the rest was not read.
    pub is_cut: bool,
}

/// What a command found, by what it printed. Whatever is not understood is counted and left out.
pub fn parse(format: &Format, stdout: &str, stderr: &str, place: Place<'_>) -> Parsed {
    let mut sink = Sink {
        place,
        findings: Vec::new(),
        n_dropped: 0,
        n_unread: 0,
        is_cut: false,
    };
    match format {
        Format::Text(kind) => text::read(*kind, stdout, stderr, &mut sink),
        Format::Json(kind) => {
            json::read(*kind, stdout, &mut sink);
            if *kind == Kind::Clippy {
                // What is wrong with a manifest comes as text.
                text::read(Some(*kind), "", stderr, &mut sink);
            }
        }
        Format::Sarif => generic::read_sarif(stdout, &mut sink),
        Format::Mapped(mapping) => generic::read_mapped(mapping, stdout, &mut sink),
        Format::Lines(pattern) => {
            generic::read_lines(pattern, stdout, &mut sink);
            generic::read_lines(pattern, stderr, &mut sink);
        }
        Format::Unread => {}
    }
    sink.done()
}

/// A finding as a tool says it.
#[derive(Debug, Default)]
pub(super) struct Raw<'a> {
    pub path: &'a str,
    /// What the path is relative to, if not to where the command ran.
    pub dir: Option<&'a str>,
    pub cell: Option<Cell>,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub end_line: Option<u32>,
    pub end_column: Option<u32>,
    pub rule: Option<&'a str>,
    pub severity: Option<Severity>,
    pub message: &'a str,
    pub fix: Option<String>,
    pub url: Option<String>,
}

/// Where findings go: made inert, placed and bounded.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    pub place: Place<'a>,
    pub findings: Vec<Finding>,
    pub n_dropped: usize,
    pub n_unread: usize,
    pub is_cut: bool,
}

impl Sink<'_> {
    pub fn push(&mut self, raw: Raw<'_>) {
        if self.findings.len() >= MAX_FINDINGS {
            self.n_dropped += 1;
            return;
        }
        let finding = self.finding(raw);
        self.findings.push(finding);
    }

    fn finding(&self, raw: Raw<'_>) -> Finding {
        let path = match raw.dir {
            Some(dir) => self.place.relative_to(dir, raw.path),
            None => self.place.relative(raw.path),
        };
        let at_least_one = |n: &u32| *n > 0;
        let mut made = Finding {
            path: String::new(),
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            cell: None,
            rule: raw
                .rule
                .map(|rule| inert(rule, MAX_RULE_CHARS))
                .filter(|rule| !rule.is_empty()),
            severity: raw.severity.unwrap_or(Severity::Error),
            message: inert(raw.message, MAX_MESSAGE_CHARS),
            fix: raw
                .fix
                .map(|fix| inert(&fix, MAX_FIX_CHARS))
                .filter(|fix| !fix.is_empty()),
            url: raw.url.filter(|url| is_shown(url)),
        };
        let Some(path) = path else {
            // Outside of the repository there is no place, but a reader wants to know where.
            let mut place = inert(raw.path, MAX_MESSAGE_CHARS);
            if let (false, Some(line)) = (place.is_empty(), raw.line) {
                place = format!("{place}:{line}");
            }
            if !place.is_empty() {
                made.message = inert(&format!("{place}: {}", made.message), MAX_MESSAGE_CHARS);
            }
            return made;
        };
        let is_notebook = path
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("ipynb"));
        made.path = path;
        if is_notebook {
            // A line without a cell is one of a script that somebody made of the notebook.
            made.cell = raw.cell;
            made.column = raw.column.filter(|_| raw.cell.is_some()).filter(at_least_one);
            return made;
        }
        made.line = raw.line.filter(at_least_one);
        if let Some(line) = made.line {
            made.column = raw.column.filter(at_least_one);
            made.end_line = raw.end_line.filter(|end| *end >= line);
            if let (Some(_), Some(column)) = (made.end_line, made.column) {
                let is_behind = |end: &u32| made.end_line > Some(line) || *end >= column;
                made.end_column = raw.end_column.filter(at_least_one).filter(is_behind);
            }
        }
        made
    }

    fn done(mut self) -> Parsed {
        self.findings.sort();
        self.findings.dedup();
        Parsed {
            findings: self.findings,
            n_dropped: self.n_dropped,
            n_unread: self.n_unread,
            is_cut: self.is_cut,
        }
    }
}

/// On one line, without anything that steers, and not long.
pub(super) fn inert(text: &str, at_most: usize) -> String {
    let mut end = text.len().min(MAX_RAW_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let spaced = text[..end].replace(['\n', '\r', '\t'], " ");
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    clean(&words.join(" "), at_most)
}

fn is_shown(url: &str) -> bool {
    url.starts_with("https://")
        && url.len() <= MAX_URL_CHARS
        && url
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '"' | '\'' | '`' | '\\' | '(' | ')' | '[' | ']'))
}
