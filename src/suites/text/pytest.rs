//! pytest's output: names with `-v`, failures from the short summary, places from the sections. Pure.

use std::collections::HashMap;

use super::{TextResult, Traces, leading_seconds};
use crate::suites::collect::{Again, Collected};
use crate::suites::names::stable;
use crate::suites::place::{Place, of_trace};
use crate::suites::result::{Counts, MAX_CASES, Outcome, Suite, TestCase, Tool, message};

#[derive(Debug, Default)]
pub struct Lines {
    version: Option<String>,
    part: Part,
    /// Tests by name in the order in which they were named.
    named: Vec<String>,
    by_name: HashMap<String, Named>,
    traces: Traces,
    totals: Option<Totals>,
    is_seen: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    #[default]
    Progress,
    Sections,
    Summary,
}

#[derive(Debug, Default, Clone)]
struct Named {
    outcome: Option<Outcome>,
    is_rerun: bool,
    message: Option<String>,
}

/// The last line.
#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    counts: Counts,
    seconds: Option<f64>,
}

/// What a word of pytest's says about a test.
#[derive(Debug, Clone, Copy)]
enum Said {
    Ended(Outcome),
    Rerun,
}

fn said(word: &str) -> Option<Said> {
    let outcome = match word {
        "PASSED" | "XPASS" => Outcome::Passed,
        "FAILED" | "SUBFAILED" | "SUBFAIL" => Outcome::Failed,
        "ERROR" => Outcome::Errored,
        "SKIPPED" | "XFAIL" => Outcome::Skipped,
        "RERUN" => return Some(Said::Rerun),
        _ => return None,
    };
    Some(Said::Ended(outcome))
}

impl Lines {
    pub fn push(&mut self, line: &str) {
        if let Some(totals) = totals(line) {
            self.totals = Some(totals);
            self.is_seen = true;
            return;
        }
        if let Some(title) = framed(line, '=') {
            self.is_seen |= title == "test session starts";
            self.part = match title {
                "FAILURES" | "ERRORS" => Part::Sections,
                _ if title.ends_with("summary info") => Part::Summary,
                // The rest of a section, such as warnings or a table of coverage, names no test.
                _ if self.part == Part::Progress => Part::Progress,
                _ => Part::Summary,
            };
            if self.part == Part::Sections {
                self.traces.begin("");
            }
            return;
        }
        match self.part {
            Part::Progress => self.progress(line),
            Part::Sections => match framed(line, '_') {
                Some(title) if title != "_" && !title.starts_with("_ ") => self.traces.begin(title),
                _ => self.traces.push(line),
            },
            Part::Summary => self.summary(line),
        }
    }

    fn progress(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("platform ")
            && let Some((_, version)) = rest.split_once(", pytest-")
        {
            let end = version.find(',').unwrap_or(version.len());
            self.version = Some(stable(&version[..end]));
            self.is_seen = true;
            return;
        }
        // With xdist: `[gw0] [ 10%] PASSED tests/test_x.py::test_y`.
        if let Some(rest) = line.strip_prefix("[gw") {
            let Some((_, rest)) = rest.split_once("] ") else { return };
            let rest = rest.trim_start();
            let rest = if rest.starts_with('[') {
                rest.split_once("] ").map_or("", |(_, rest)| rest)
            } else {
                rest
            };
            if let Some((word, id)) = rest.split_once(' ')
                && let Some(outcome) = said(word)
            {
                self.name(id.trim(), outcome, None);
            }
            return;
        }
        // Verbose: `tests/test_x.py::test_y PASSED   [ 10%]`, `… SKIPPED (why)   [ 10%]`.
        if !line.contains("::") {
            return;
        }
        let line = match line.rsplit_once('[') {
            Some((before, percent)) if percent.trim_start().ends_with("%]") => before.trim_end(),
            _ => line,
        };
        let (line, why) = match line.rsplit_once(" (") {
            Some((before, why)) if why.ends_with(')') => (before, Some(why.trim_end_matches(')'))),
            _ => (line, None),
        };
        if let Some((id, word)) = line.rsplit_once(' ')
            && let Some(outcome) = said(word)
        {
            self.name(id.trim(), outcome, why);
        }
    }

    /// `FAILED tests/test_x.py::test_y - why`.
    fn summary(&mut self, line: &str) {
        let Some((word, rest)) = line.split_once(' ') else {
            return;
        };
        // `SUBFAILED(i=1) id`, `SUBFAILED[message] (i=1) id`.
        let (word, rest) = match word.split_once(['(', '[']) {
            Some((word, _)) if word.starts_with("SUBFAIL") => {
                let Some(at) = rest
                    .find(".py::")
                    .map(|at| rest[..at].rfind(' ').map_or(0, |space| space + 1))
                else {
                    return;
                };
                (word, &rest[at..])
            }
            _ => (word, rest),
        };
        let Some(outcome) = said(word) else { return };
        // Skipped ones are folded by place: `SKIPPED [2] tests/test_x.py:3: why`.
        if word == "SKIPPED" || rest.is_empty() || rest.starts_with('[') {
            return;
        }
        let from = rest
            .find('[')
            .and_then(|open| Some(open + rest[open..].find("] - ")? + 1))
            .unwrap_or(0);
        let (id, why) = match rest[from..].split_once(" - ") {
            Some((id, why)) => (&rest[..from + id.len()], Some(why)),
            None => (rest, None),
        };
        // A usage error also begins with `ERROR`, with a colon behind it or with words.
        if id.contains("::") || !id.contains(' ') {
            self.name(id, outcome, why);
        }
    }

    fn name(&mut self, id: &str, said: Said, why: Option<&str>) {
        let name = stable(id);
        if !self.by_name.contains_key(&name) {
            if self.named.len() > MAX_CASES {
                return;
            }
            self.named.push(name.clone());
        }
        let named = self.by_name.entry(name).or_default();
        match said {
            Said::Rerun => named.is_rerun = true,
            // The short summary tells of a failure again; the first one stays.
            Said::Ended(outcome) if !named.outcome.is_some_and(Outcome::is_failure) => named.outcome = Some(outcome),
            Said::Ended(_) => {}
        }
        if named.message.is_none() {
            named.message = why.and_then(message);
        }
    }

    pub fn finish(self, place: &Place<'_>) -> Option<TextResult> {
        if !self.is_seen {
            return None;
        }
        let Self {
            version,
            named,
            by_name,
            mut traces,
            totals,
            ..
        } = self;
        let mut collected = Collected::default();
        let mut rerun = Vec::new();
        for name in named {
            let Some(Named {
                outcome,
                is_rerun,
                message,
            }) = by_name.get(&name)
            else {
                continue;
            };
            if *is_rerun {
                rerun.push(name.clone());
            }
            let outcome = match (outcome, is_rerun) {
                (Some(Outcome::Passed) | None, true) => Outcome::Flaky,
                (None, false) => continue,
                (Some(outcome), _) => *outcome,
            };
            let file = name.split("::").next().unwrap_or_default();
            let path = place.find(file);
            let trace = outcome
                .is_failure()
                .then(|| traces.take(&name, file, outcome))
                .flatten();
            let found = trace
                .as_deref()
                .and_then(|trace| of_trace(trace, path.as_deref(), None, place));
            let (path, line) = match found {
                Some((path, line)) => (Some(path), Some(line)),
                None => (path, None),
            };
            let error = trace.as_deref().map(error_lines).filter(|error| !error.is_empty());
            let case = TestCase {
                suite: Some(stable(file)),
                outcome,
                seconds: None,
                path,
                line,
                // The short summary is cut to the width of the terminal.
                message: error
                    .and_then(|error| self::message(&error))
                    .or_else(|| message.clone()),
                name,
            };
            collected.add(case, Again::Same);
        }
        let counted = totals.map(|totals| made_up(totals.counts, &collected));
        let counts = counted.unwrap_or(collected.counts);
        Some(TextResult {
            suite: Suite {
                tool: Tool::Pytest,
                version,
                is_cut: collected.is_cut || counts != collected.counts,
                cases: collected.cases,
                counts,
                seconds: totals.and_then(|totals| totals.seconds),
            },
            is_finished: totals.is_some(),
            is_unbuilt: false,
            rerun,
        })
    }
}

/// The totals in tests: names that are known count once, though a test that failed and whose teardown broke is two events
/// in pytest's own line. Of tests that passed in the end, those that are known to have been run again are flaky.
fn made_up(totals: Counts, collected: &Collected) -> Counts {
    let seen = collected.counts;
    let n_events = totals.n_failing();
    // With every failure named, the names are the better count.
    let is_named = seen.n_failing() > 0 && seen.n_failing() <= n_events && n_events <= 2 * seen.n_failing();
    let (n_failed, n_errored) = if is_named {
        (seen.n_failed, seen.n_errored)
    } else {
        (totals.n_failed, totals.n_errored)
    };
    // With `-v` every test is named, and no test more than the totals have events.
    if seen.n_skipped == totals.n_skipped
        && seen.n_passed > 0
        && seen.total() <= totals.total()
        && is_verbose(totals, seen)
    {
        return seen;
    }
    Counts {
        n_passed: totals.n_passed.saturating_sub(seen.n_flaky),
        n_failed,
        n_errored,
        n_skipped: totals.n_skipped,
        n_flaky: seen.n_flaky,
    }
    .with_failures_of(seen)
}

/// A test that passed and whose teardown broke counts as passed in the totals and as an error here.
fn is_verbose(totals: Counts, seen: Counts) -> bool {
    seen.n_passed + seen.n_flaky + seen.n_failing() >= totals.n_passed
}

/// `=== 1 failed, 2 passed in 0.12s ===`, with `-q` without the frame.
fn totals(line: &str) -> Option<Totals> {
    let inner = line.trim_matches('=').trim();
    let (what, time) = inner.rsplit_once(" in ")?;
    if !time.starts_with(|c: char| c.is_ascii_digit()) || !time.contains('s') {
        return None;
    }
    let mut counts = Counts::default();
    if what != "no tests ran" {
        for part in what.split(", ") {
            let (n, word) = part.split_once(' ')?;
            let n: usize = n.parse().ok()?;
            let outcome = match word {
                "passed" | "xpassed" => Outcome::Passed,
                "failed" => Outcome::Failed,
                "error" | "errors" => Outcome::Errored,
                "skipped" | "xfailed" => Outcome::Skipped,
                _ if word.starts_with(|c: char| c.is_ascii_lowercase()) => continue,
                _ => return None,
            };
            let sum = counts.of(outcome);
            *sum = sum.saturating_add(n.min(1_000_000_000));
        }
    }
    Some(Totals {
        counts,
        seconds: leading_seconds(time),
    })
}

/// The title of `===== title =====`.
fn framed(line: &str, frame: char) -> Option<&str> {
    let inner = line.strip_prefix(frame)?.strip_suffix(frame)?;
    let title = inner.trim_matches(frame).trim();
    let is_spaced = inner.trim_start_matches(frame).starts_with(' ') && inner.trim_end_matches(frame).ends_with(' ');
    (is_spaced && !title.is_empty()).then_some(title)
}

fn error_lines(trace: &str) -> String {
    let lines: Vec<&str> = trace
        .lines()
        .filter_map(|line| line.strip_prefix("E  "))
        .map(str::trim)
        .collect();
    lines.join("\n")
}

impl Traces {
    /// The first trace of a test that nobody has taken: by its title, of several that of its file.
    fn take(&mut self, name: &str, file: &str, outcome: Outcome) -> Option<String> {
        let short = name.strip_prefix(file)?.trim_start_matches(':').replace("::", ".");
        let is_title = |title: &str| {
            let title = title
                .strip_prefix("ERROR at setup of ")
                .or_else(|| title.strip_prefix("ERROR at teardown of "))
                .unwrap_or(title);
            // Classes are joined by dots, but what a parameter holds stays as it is.
            title == short
                || title.replace("::", ".") == short
                || title.strip_prefix("ERROR collecting ") == Some(file)
                || title.starts_with(&short) && title[short.len()..].starts_with(" (")
        };
        let mut at = None;
        for (index, (title, trace)) in self.traces.iter().enumerate() {
            if !title.is_empty() && is_title(title) {
                // One that failed and whose teardown broke has two traces.
                let is_error = title.starts_with("ERROR ");
                if trace.contains(file) && is_error == (outcome == Outcome::Errored) {
                    at = Some(index);
                    break;
                }
                at = at.or(Some(index));
            }
        }
        // An empty title is never looked at again.
        let (title, trace) = self.traces.get_mut(at?)?;
        title.clear();
        Some(std::mem::take(trace))
    }
}
