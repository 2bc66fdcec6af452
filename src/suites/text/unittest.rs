//! unittest's output: with `-v` every test by name, else the failures alone. Pure.

use super::{TextResult, Traces, leading_seconds};
use crate::suites::collect::{Again, Collected};
use crate::suites::names::stable;
use crate::suites::place::{Place, of_trace};
use crate::suites::result::{Counts, Outcome, Suite, TestCase, Tool, message};

#[derive(Debug, Default)]
pub struct Lines {
    collected: Collected,
    /// A test that has begun and has not said how it ended.
    pending: Option<String>,
    /// A heading of a failure may come next.
    is_after_rule: bool,
    failures: Traces,
    ran: Option<(usize, Option<f64>)>,
    totals: Option<Totals>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    n_skipped: usize,
    n_expected: usize,
}

const HEADINGS: [(&str, Outcome); 3] = [
    ("FAIL: ", Outcome::Failed),
    ("ERROR: ", Outcome::Errored),
    ("UNEXPECTED SUCCESS: ", Outcome::Failed),
];

impl Lines {
    pub fn push(&mut self, line: &str) {
        if line.len() >= 60 && line.bytes().all(|byte| byte == b'=') {
            self.end(None);
            self.is_after_rule = true;
            return;
        }
        let is_heading = HEADINGS.iter().any(|(heading, _)| line.starts_with(heading));
        if is_heading && (self.is_after_rule || !self.failures.traces.is_empty()) {
            self.is_after_rule = false;
            self.failures.begin(line);
            return;
        }
        self.is_after_rule = false;
        if let Some(rest) = line.strip_prefix("Ran ")
            && let Some((n, rest)) = rest.split_once(' ')
            && let Ok(n) = n.parse()
            && let Some((_, time)) = rest.split_once(" in ")
        {
            self.end(None);
            self.ran = Some((n, leading_seconds(time)));
            return;
        }
        if self.ran.is_some() {
            if self.totals.is_none() {
                self.totals = last_line(line);
            }
        } else if self.failures.traces.is_empty() {
            self.progress(line);
        } else {
            self.failures.push(line);
        }
    }

    fn progress(&mut self, line: &str) {
        let mut line = line;
        while let Some((name, rest)) = begun(line) {
            // A failed subtest is a line of its own inside its test.
            if !(line.starts_with("  ") && self.pending.as_deref() == Some(&name)) {
                self.end(None);
            }
            self.pending = Some(name);
            let Some(rest) = rest else { return };
            line = rest;
        }
        if self.pending.is_none() {
            return;
        }
        // The name's second line is the first of the docstring.
        let status = line.rsplit_once(" ... ").map_or(line, |(_, status)| status).trim();
        let (outcome, why) = match status {
            "ok" => (Outcome::Passed, None),
            "FAIL" | "unexpected success" => (Outcome::Failed, None),
            "ERROR" => (Outcome::Errored, None),
            "expected failure" => (Outcome::Skipped, Some(status)),
            _ => match status.strip_prefix("skipped ") {
                Some(why) => (Outcome::Skipped, Some(why.trim_matches(['\'', '"']))),
                None => return,
            },
        };
        self.end(Some((outcome, why)));
    }

    /// Closes the test that has begun. One that something was printed over passed, unless it is among the failures.
    fn end(&mut self, how: Option<(Outcome, Option<&str>)>) {
        let Some(name) = self.pending.take() else { return };
        let (outcome, why) = how.unwrap_or((Outcome::Passed, None));
        self.collected
            .add(case(name, outcome, why.and_then(message)), Again::Same);
    }

    pub fn finish(mut self, place: &Place<'_>) -> Option<TextResult> {
        self.end(None);
        let is_finished = self.ran.is_some();
        if !is_finished && self.failures.traces.is_empty() && self.collected.cases.is_empty() {
            return None;
        }
        let Self {
            mut collected,
            failures,
            ran,
            totals,
            ..
        } = self;
        let is_verbose = !collected.cases.is_empty();
        let mut n_around = 0;
        for (heading, trace) in &failures.traces {
            let Some((outcome, rest)) = HEADINGS
                .iter()
                .find_map(|(word, outcome)| Some((*outcome, heading.strip_prefix(word)?)))
            else {
                continue;
            };
            let Some((name, _)) = begun(rest) else { continue };
            let is_around = ["setUpClass (", "tearDownClass (", "setUpModule (", "tearDownModule ("];
            n_around += usize::from(is_around.iter().any(|word| rest.starts_with(word)));
            if collected.get_mut(&name).is_none() {
                collected.add(case(name.clone(), outcome, None), Again::Same);
            }
            let is_first = collected
                .get_mut(&name)
                .is_some_and(|case| case.message.is_none() || !case.outcome.is_failure());
            if !is_first {
                continue;
            }
            collected.turn(&name, outcome);
            let Some(case) = collected.get_mut(&name) else { continue };
            let class = name.rsplit_once('.').map_or(name.as_str(), |(class, _)| class);
            let file = file_of(class, place);
            case.message = message(&error(trace)).or_else(|| message(heading));
            match of_trace(trace, file.as_deref(), None, place) {
                Some((path, line)) => (case.path, case.line) = (Some(path), Some(line)),
                None => case.path = file,
            }
        }
        for case in &mut collected.cases {
            let class = case
                .name
                .rsplit_once('.')
                .map_or(case.name.as_str(), |(class, _)| class);
            if case.path.is_none() {
                case.path = file_of(class, place);
            }
        }
        let mut counts = collected.counts;
        let n_ran = ran.map_or(0, |(n, _)| n);
        let totals = totals.unwrap_or_default();
        if !is_verbose {
            counts = Counts {
                n_skipped: totals.n_skipped.saturating_add(totals.n_expected),
                ..counts
            };
            let n_other = counts.total() - n_around.min(counts.total());
            counts.n_passed = n_ran.saturating_sub(n_other);
        }
        let n_known = collected.cases.len();
        Some(TextResult {
            suite: Suite {
                tool: Tool::Unittest,
                version: None,
                is_cut: collected.is_cut || n_known < n_ran,
                cases: collected.cases,
                counts,
                seconds: ran.and_then(|(_, seconds)| seconds),
            },
            is_finished,
            is_unbuilt: false,
            rerun: Vec::new(),
        })
    }
}

fn case(name: String, outcome: Outcome, message: Option<String>) -> TestCase {
    let suite = name.rsplit_once('.').map(|(class, _)| class.to_owned());
    TestCase {
        suite,
        outcome,
        seconds: None,
        path: None,
        line: None,
        message,
        name,
    }
}

/// `test_x (tests.test_y.CaseTest)`, since Python 3.11 `test_x (tests.test_y.CaseTest.test_x)`, as one name, and what comes
/// after ` ... ` if it is on the same line.
fn begun(line: &str) -> Option<(String, Option<&str>)> {
    let text = line.trim_start();
    let (method, rest) = text.split_once(" (")?;
    let (class, rest) = rest.split_once(')')?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '<' | '>'))
    };
    if !is_name(method) || !is_name(class) {
        return None;
    }
    let class = class.replace("unittest.loader._FailedTest.", "");
    let name = if class == method || class == "unittest.loader._FailedTest" {
        method.to_owned()
    } else if class.ends_with(&format!(".{method}")) {
        class
    } else {
        format!("{class}.{method}")
    };
    // Behind the name: nothing, a subtest's `(i=1)` or `[message]`, and how it ended.
    let status = rest
        .split_once(" ... ")
        .map(|(_, status)| status)
        .or(rest.ends_with(" ...").then_some(""));
    let is_whole = rest.is_empty() || status.is_some() || rest.starts_with(" (") || rest.starts_with(" [");
    is_whole.then(|| (stable(&name), status))
}

/// The file of a class by its dotted name; the directory that discovery began in is not part of it.
fn file_of(class: &str, place: &Place<'_>) -> Option<String> {
    let parts: Vec<&str> = class.split('.').take(32).collect();
    (1..=parts.len()).rev().find_map(|n| {
        let path = format!("{}.py", parts[..n].join("/"));
        ["", "tests/", "test/", "src/"]
            .into_iter()
            .find_map(|below| place.find(&format!("{below}{path}")))
    })
}

/// What stands behind the last frame of a trace.
fn error(trace: &str) -> String {
    let lines: Vec<&str> = trace
        .lines()
        .filter(|line| !(line.len() >= 60 && line.bytes().all(|byte| byte == b'-')))
        .collect();
    let after = lines
        .iter()
        .rposition(|line| line.starts_with("  File \""))
        .map_or(0, |at| at + 1);
    let from = lines[after..]
        .iter()
        .position(|line| !line.starts_with(' '))
        .map_or(after, |at| after + at);
    lines[from..].join("\n")
}

/// `OK (skipped=1)`, `FAILED (failures=2, errors=2)`, `NO TESTS RAN`.
fn last_line(line: &str) -> Option<Totals> {
    let mut totals = Totals::default();
    let rest = ["OK", "FAILED", "NO TESTS RAN"]
        .into_iter()
        .find_map(|word| line.strip_prefix(word))?;
    for part in rest.trim_matches([' ', '(', ')']).split(", ") {
        match part.split_once('=') {
            Some(("skipped", n)) => totals.n_skipped = n.parse().unwrap_or(0),
            Some(("expected failures", n)) => totals.n_expected = n.parse().unwrap_or(0),
            _ => {}
        }
    }
    Some(totals)
}
