//! What test runners print, read line by line while it comes. Pure.

mod cargo;
mod nextest;
mod pytest;
mod unittest;

use super::place::Place;
use super::result::{Suite, Tool};
use crate::base::without_escapes;

/// Of a failure's own output so many bytes are kept until its place is looked up, and so many of all failures together.
const MAX_TRACE_BYTES: usize = 64 * 1024;
const MAX_TRACES_BYTES: usize = 16 * 1024 * 1024;
/// A longer line is cut.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// What a runner's text comes to.
#[derive(Debug)]
pub struct TextResult {
    pub suite: Suite,
    /// It came to its last line.
    pub is_finished: bool,
    /// The tests could not be compiled.
    pub is_unbuilt: bool,
    /// Tests that were run again after a failure.
    pub rerun: Vec<String>,
}

/// Gets the lines of one test command.
#[derive(Debug)]
pub struct Reader(Kind);

#[derive(Debug)]
enum Kind {
    Pytest(Box<pytest::Lines>),
    Unittest(Box<unittest::Lines>),
    Cargo(Box<cargo::Lines>),
    Nextest(Box<nextest::Lines>),
    Nothing,
}

impl Reader {
    pub fn new(tool: Tool) -> Self {
        Self(match tool {
            Tool::Pytest => Kind::Pytest(Box::default()),
            Tool::Unittest => Kind::Unittest(Box::default()),
            Tool::CargoTest => Kind::Cargo(Box::default()),
            Tool::Nextest => Kind::Nextest(Box::default()),
            Tool::Junit => Kind::Nothing,
        })
    }

    /// Takes the next line, without its end.
    pub fn push(&mut self, line: &str) {
        let mut end = line.len().min(MAX_LINE_BYTES);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = without_escapes(&line[..end]);
        let line = line.trim_end();
        match &mut self.0 {
            Kind::Pytest(lines) => lines.push(line),
            Kind::Unittest(lines) => lines.push(line),
            Kind::Cargo(lines) => lines.push(line),
            Kind::Nextest(lines) => lines.push(line),
            Kind::Nothing => {}
        }
    }

    /// Nothing if no line was the tool's.
    pub fn finish(self, place: &Place<'_>) -> Option<TextResult> {
        match self.0 {
            Kind::Pytest(lines) => lines.finish(place),
            Kind::Unittest(lines) => lines.finish(place),
            Kind::Cargo(lines) => lines.finish(place),
            Kind::Nextest(lines) => lines.finish(place),
            Kind::Nothing => None,
        }
    }
}

/// Traces of failures by a title, bounded each and together.
#[derive(Debug, Default)]
struct Traces {
    traces: Vec<(String, String)>,
    n_bytes: usize,
}

impl Traces {
    fn begin(&mut self, title: &str) {
        if self.n_bytes < MAX_TRACES_BYTES {
            self.n_bytes += title.len();
            self.traces.push((title.to_owned(), String::new()));
        }
    }

    fn push(&mut self, line: &str) {
        let Some((_, trace)) = self.traces.last_mut() else {
            return;
        };
        if self.n_bytes + line.len() < MAX_TRACES_BYTES {
            self.n_bytes += line.len() + 1;
            trace.push_str(line);
            trace.push('\n');
            if trace.len() > 2 * MAX_TRACE_BYTES {
                let from = (0..=trace.len() - MAX_TRACE_BYTES)
                    .rev()
                    .find(|at| trace.is_char_boundary(*at))
                    .unwrap_or(0);
                self.n_bytes -= from;
                trace.replace_range(..from, "");
            }
        }
    }
}

/// `1.23s` or `1.23 s`, and whatever comes behind.
fn leading_seconds(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    super::result::seconds(&text[..end])
}

/// `12 failed` of `3 passed, 12 failed`.
fn number_before(text: &str, word: &str) -> Option<usize> {
    text.split([',', ';', '(', ')', '.'])
        .map(str::trim)
        .find_map(|part| part.strip_suffix(word)?.trim_end().rsplit(' ').next()?.parse().ok())
}

#[cfg(test)]
#[path = "../tests/text.rs"]
mod tests;
