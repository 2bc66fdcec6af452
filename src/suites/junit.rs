//! `JUnit` XML in the dialects of pytest, unittest-xml-reporting, nextest, Surefire, gotestsum and jest-junit. Pure.
//!
//! The file is a stranger's: document types are refused, so there are no entities to expand; depth, sizes and counts are
//! bounded; and what follows a break counts as not said.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::collect::{Again, Collected};
use super::names::{node_id, stable};
use super::place::{Place, of_trace};
use super::result::{Counts, MAX_CASES, Outcome, Suite, TestCase, Tool, message, seconds};

/// Of a longer report only the beginning is read; the result says so.
pub const MAX_REPORT_BYTES: usize = 64 * 1024 * 1024;
const MAX_DEPTH: usize = 64;
const MAX_ATTRIBUTES: usize = 40;
const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Of more failures than this, files are not looked for below the directories of a package, which takes many looks each.
const MAX_WITH_PACKAGE: usize = 1_000;

/// Why a report can not be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum JunitError {
    #[error("it has a document type, which no test report needs")]
    DocumentType,
    #[error("its elements are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("its first element is `{0}`, not `testsuites` or `testsuite`")]
    NotJunit(String),
    #[error("it is not XML, or it has no end: {0}")]
    Malformed(String),
}

/// Reads a report. `tool` is who wrote it, if that is known.
///
/// A report that breaks off after the first test is a result that is cut.
///
/// # Errors
/// If it is no `JUnit` report at all, or one that no tool would write.
pub fn parse_junit(bytes: &[u8], tool: Option<Tool>, place: &Place<'_>) -> Result<Suite, JunitError> {
    parse_beginning(bytes, MAX_REPORT_BYTES, tool, place)
}

fn parse_beginning(bytes: &[u8], max_bytes: usize, tool: Option<Tool>, place: &Place<'_>) -> Result<Suite, JunitError> {
    let is_long = bytes.len() > max_bytes;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(max_bytes)]);
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().allow_dangling_amp = true;
    let mut report = Report::new(tool);
    let broken = loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => report.open(&start, place)?,
            Ok(Event::Empty(start)) => {
                report.open(&start, place)?;
                report.close(place);
            }
            Ok(Event::End(_)) => report.close(place),
            Ok(Event::Text(text)) => report.text(&text.xml10_content()),
            Ok(Event::CData(data)) => report.text(&data.xml10_content()),
            Ok(Event::GeneralRef(entity)) => report.text(&resolved(&entity)),
            Ok(Event::DocType(_)) => return Err(JunitError::DocumentType),
            Ok(Event::Decl(_) | Event::PI(_) | Event::Comment(_)) => {}
            Ok(Event::Eof) if report.depth > 0 => break Some("it ends in the middle".to_owned()),
            Ok(Event::Eof) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    let is_started = report.is_started;
    match broken {
        Some(why) if report.collected.cases.is_empty() && report.declared.total() == 0 => {
            Err(JunitError::Malformed(super::result::message(&why).unwrap_or_default()))
        }
        None if !is_started => Err(JunitError::Malformed("it is empty".to_owned())),
        broken => Ok(report.suite(is_long || broken.is_some())),
    }
}

/// What a reference to a character stands for; any other reference stays as it is written.
fn resolved(entity: &BytesRef<'_>) -> String {
    match entity.resolve_char_ref() {
        Ok(Some(c)) => c.to_string(),
        Ok(None) => {
            let name = entity.xml10_content();
            resolve_predefined_entity(&name).map_or_else(|| format!("&{name};"), str::to_owned)
        }
        Err(_) => String::new(),
    }
}

/// The attributes that are looked at, by name.
#[derive(Debug, Default)]
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn of(start: &BytesStart<'_>) -> Self {
        let mut attributes = start.attributes();
        // The check for doubles is quadratic; the first one counts here.
        attributes.with_checks(false);
        let known = attributes.take(MAX_ATTRIBUTES).flatten().filter_map(|attribute| {
            let key = attribute.key.local_name();
            let key: &str = key.as_ref();
            if key.len() > 32 || attribute.value.len() > MAX_ATTRIBUTE_BYTES {
                return None;
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .unwrap_or_else(|_| attribute.value.clone());
            Some((key.to_owned(), value.into_owned()))
        });
        Self(known.collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.trim().is_empty())
    }

    fn count(&self, names: &[&str]) -> usize {
        names
            .iter()
            .find_map(|name| self.get(name)?.trim().parse().ok())
            .unwrap_or(0)
    }
}

/// What an element inside a test says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Failed,
    Errored,
    Skipped,
    /// An attempt before the last.
    Attempt,
}

#[derive(Debug)]
struct OpenCase {
    attributes: Attributes,
    depth: usize,
    outcome: Outcome,
    message: Option<String>,
    trace: String,
}

#[derive(Debug)]
struct Captured {
    says: Says,
    depth: usize,
    message: Option<String>,
    text: String,
}

struct Report {
    tool: Option<Tool>,
    collected: Collected,
    /// What the outermost suites claim, for a report that breaks off.
    declared: Counts,
    seconds: Option<f64>,
    /// What the root says, which is the wall clock where suites ran beside each other.
    whole_seconds: Option<f64>,
    depth: usize,
    is_started: bool,
    /// Names and depths of the open suites.
    suites: Vec<(usize, Option<String>)>,
    case: Option<OpenCase>,
    captured: Option<Captured>,
    /// Surefire puts the trace of an attempt into an element of its own.
    stack_trace: Option<usize>,
    n_traces: usize,
}

impl Report {
    fn new(tool: Option<Tool>) -> Self {
        Self {
            tool,
            collected: Collected::default(),
            declared: Counts::default(),
            seconds: None,
            whole_seconds: None,
            depth: 0,
            is_started: false,
            suites: Vec::new(),
            case: None,
            captured: None,
            stack_trace: None,
            n_traces: 0,
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, place: &Place<'_>) -> Result<(), JunitError> {
        let local = start.local_name();
        let name: &str = local.as_ref();
        if !self.is_started && !matches!(name, "testsuites" | "testsuite") {
            return Err(JunitError::NotJunit(stable(name)));
        }
        self.is_started = true;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(JunitError::TooDeep);
        }
        match name {
            "testsuites" | "testsuite" if self.case.is_none() => self.open_suite(name, &Attributes::of(start)),
            "testcase" => {
                // A test inside a test is nobody's dialect; the outer one ends here.
                self.finish_case(place);
                let attributes = Attributes::of(start);
                let outcome = match attributes.get("status").or_else(|| attributes.get("result")) {
                    Some("notrun" | "disabled" | "skipped" | "suppressed") => Outcome::Skipped,
                    _ => Outcome::Passed,
                };
                self.case = Some(OpenCase {
                    attributes,
                    depth: self.depth,
                    outcome,
                    message: None,
                    trace: String::new(),
                });
            }
            _ => {
                let says = match name {
                    "failure" => Says::Failed,
                    "error" => Says::Errored,
                    "skipped" => Says::Skipped,
                    "rerunFailure" | "rerunError" | "flakyFailure" | "flakyError" => Says::Attempt,
                    "stackTrace" => {
                        let is_child = self
                            .captured
                            .as_ref()
                            .is_some_and(|captured| captured.depth + 1 == self.depth);
                        self.stack_trace = is_child.then_some(self.depth);
                        return Ok(());
                    }
                    _ => return Ok(()),
                };
                let is_child = self.case.as_ref().is_some_and(|case| case.depth + 1 == self.depth);
                if is_child && self.captured.is_none() {
                    self.captured = Some(Captured {
                        says,
                        depth: self.depth,
                        message: Attributes::of(start).text("message").map(str::to_owned),
                        text: String::new(),
                    });
                }
            }
        }
        Ok(())
    }

    fn open_suite(&mut self, element: &str, attributes: &Attributes) {
        let name = attributes.text("file").or_else(|| attributes.text("name"));
        if self.tool.is_none() {
            self.tool = match name {
                Some("pytest" | "pytest tests") => Some(Tool::Pytest),
                Some("nextest-run") => Some(Tool::Nextest),
                _ => None,
            };
        }
        // Counts are declared by `testsuite` elements that are in no other.
        if element == "testsuite" && self.suites.is_empty() {
            let total = attributes.count(&["tests"]);
            let n_failed = attributes.count(&["failures"]).min(total);
            let n_errored = attributes.count(&["errors"]).min(total);
            let n_skipped = attributes.count(&["skipped", "skip", "disabled"]).min(total);
            let n_passed = total
                .saturating_sub(n_failed)
                .saturating_sub(n_errored)
                .saturating_sub(n_skipped);
            for (outcome, n) in [
                (Outcome::Passed, n_passed),
                (Outcome::Failed, n_failed),
                (Outcome::Errored, n_errored),
                (Outcome::Skipped, n_skipped),
            ] {
                let sum = self.declared.of(outcome);
                *sum = sum.saturating_add(n).min(MAX_DECLARED);
            }
            if self.depth <= 2
                && let Some(time) = attributes.get("time").and_then(seconds)
            {
                self.seconds = Some(self.seconds.unwrap_or(0.0) + time);
            }
        }
        if element == "testsuites"
            && let Some(time) = attributes.get("time").and_then(seconds)
        {
            self.whole_seconds = Some(time);
        }
        if element == "testsuite" {
            self.suites.push((self.depth, name.map(str::to_owned)));
        }
    }

    fn close(&mut self, place: &Place<'_>) {
        self.stack_trace = self.stack_trace.filter(|depth| *depth != self.depth);
        if self
            .captured
            .as_ref()
            .is_some_and(|captured| captured.depth == self.depth)
        {
            self.finish_captured();
        }
        if self.case.as_ref().is_some_and(|case| case.depth == self.depth) {
            self.finish_case(place);
        }
        if self.suites.last().is_some_and(|(depth, _)| *depth == self.depth) {
            self.suites.pop();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn text(&mut self, text: &str) {
        let depth = self.depth;
        let is_trace = self.stack_trace == Some(depth);
        if let Some(captured) = self
            .captured
            .as_mut()
            .filter(|captured| captured.depth == depth || is_trace)
        {
            push_bounded(&mut captured.text, text);
        }
    }

    fn finish_captured(&mut self) {
        let (Some(captured), Some(case)) = (self.captured.take(), self.case.as_mut()) else {
            return;
        };
        let outcome = match captured.says {
            Says::Failed => Outcome::Failed,
            Says::Errored => Outcome::Errored,
            Says::Skipped => Outcome::Skipped,
            Says::Attempt => Outcome::Flaky,
        };
        // Attempts say something only about a test that passed in the end, and the first failure is the one to mend.
        if case.outcome.is_failure() || (case.outcome == Outcome::Flaky && outcome == Outcome::Flaky) {
            return;
        }
        case.outcome = outcome;
        case.message = said(captured.message.as_deref(), &captured.text);
        case.trace = captured.text;
    }

    fn finish_case(&mut self, place: &Place<'_>) {
        self.finish_captured();
        let Some(case) = self.case.take() else { return };
        let OpenCase {
            attributes,
            depth: _,
            outcome,
            message,
            trace,
        } = case;
        let class = attributes.text("classname").or_else(|| attributes.text("class"));
        let name = attributes.get("name").unwrap_or_default();
        let file = attributes.text("file").or_else(|| attributes.text("filepath"));
        let suite = self.suites.last().and_then(|(_, name)| name.as_deref());
        let is_pytest = self.tool == Some(Tool::Pytest);
        let id = if is_pytest {
            node_id(class.unwrap_or_default(), name, file, place.is_file)
        } else {
            stable(&full_name(class, name))
        };
        let known_file = file.and_then(|file| place.find(file)).or_else(|| {
            let (path, _) = id.split_once("::").unwrap_or((&id, ""));
            is_pytest.then(|| place.find(path)).flatten()
        });
        let defined = attributes.get("line").and_then(|line| line.trim().parse::<u32>().ok());
        // pytest counts lines from 0.
        let defined = if is_pytest {
            defined.and_then(|line| line.checked_add(1))
        } else {
            defined
        };
        let in_trace = (outcome != Outcome::Passed && self.collected.cases.len() < MAX_CASES)
            .then(|| {
                self.n_traces += 1;
                let class = class.filter(|_| self.n_traces <= MAX_WITH_PACKAGE);
                of_trace(&trace, known_file.as_deref(), class, place)
            })
            .flatten();
        let (path, line) = if let Some((path, line)) = in_trace {
            (Some(path), Some(line))
        } else {
            let line = defined.filter(|line| *line > 0 && known_file.is_some());
            (known_file, line)
        };
        let shown_suite = if is_pytest {
            id.split("::").next()
        } else {
            class.or(suite)
        };
        let case = TestCase {
            suite: shown_suite.map(stable),
            outcome,
            seconds: attributes.get("time").and_then(seconds),
            path,
            line,
            message,
            name: id,
        };
        let again = if is_pytest { Again::Same } else { Again::Another };
        self.collected.add(case, again);
    }

    fn suite(self, is_broken: bool) -> Suite {
        let Collected {
            cases, counts, is_cut, ..
        } = self.collected;
        Suite {
            tool: self.tool.unwrap_or(Tool::Junit),
            version: None,
            cases,
            counts: if is_broken {
                larger(counts, self.declared)
            } else {
                counts
            },
            seconds: self.whole_seconds.or(self.seconds),
            is_cut: is_cut || is_broken,
        }
    }
}

/// A larger claim is nobody's test suite.
const MAX_DECLARED: usize = 10_000_000;

/// What was seen before a report broke off, made up to what it had announced.
fn larger(seen: Counts, declared: Counts) -> Counts {
    let mut counts = Counts {
        n_failed: seen.n_failed.max(declared.n_failed),
        n_errored: seen.n_errored.max(declared.n_errored),
        n_skipped: seen.n_skipped.max(declared.n_skipped),
        ..seen
    };
    let total = seen.total().max(declared.total());
    counts.n_passed = total
        .saturating_sub(counts.total() - counts.n_passed)
        .max(seen.n_passed);
    counts
}

/// Class and name, once: some writers put the class into the name, some the same text into both.
fn full_name(class: Option<&str>, name: &str) -> String {
    match class {
        Some(class) if class != name && !name.starts_with(&format!("{class}.")) => {
            let separator = if class.contains("::") || !class.contains('.') || class.contains('/') {
                "::"
            } else {
                "."
            };
            format!("{class}{separator}{name}")
        }
        _ => name.to_owned(),
    }
}

/// The message of a failure: the attribute, unless the text says the same and more.
fn said(attribute: Option<&str>, text: &str) -> Option<String> {
    match attribute.map(str::trim) {
        Some(short)
            if !matches!(short, "" | "collection failure" | "Failed")
                && !short.starts_with("=== RUN")
                && !text.trim_start().starts_with(short) =>
        {
            message(short)
        }
        attribute => {
            let text = essence(if text.trim().is_empty() {
                attribute.unwrap_or_default()
            } else {
                text
            });
            message(text.trim())
        }
    }
}

/// A trace without its frames. Of pytest's, only the lines of the error itself.
fn essence(text: &str) -> String {
    let error: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("E  "))
        .map(str::trim)
        .collect();
    if !error.is_empty() {
        return error.join("\n");
    }
    let is_noise = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("at ")
            || line.starts_with("=== RUN")
            || line.starts_with("--- FAIL")
            || line.starts_with("--- SKIP")
            || line.starts_with("note: run with `RUST_BACKTRACE")
    };
    text.lines()
        .filter(|line| !is_noise(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Appends; what is too long loses its middle, since a trace says where it broke at its end or at its beginning.
fn push_bounded(kept: &mut String, text: &str) {
    let text = if text.len() > MAX_TEXT_BYTES {
        kept.push_str(&text[..boundary(text, MAX_TEXT_BYTES / 4)]);
        &text[boundary(text, text.len() - MAX_TEXT_BYTES / 2)..]
    } else {
        text
    };
    kept.push_str(text);
    if kept.len() > 2 * MAX_TEXT_BYTES {
        let from = boundary(kept, MAX_TEXT_BYTES / 4);
        let to = boundary(kept, kept.len() - MAX_TEXT_BYTES / 2);
        kept.replace_range(from..to, "\n");
    }
}

fn boundary(text: &str, at: usize) -> usize {
    (at..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

#[cfg(test)]
#[path = "tests/junit.rs"]
mod tests;
