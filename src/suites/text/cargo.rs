//! `cargo test`'s output. Pure.

use super::{TextResult, Traces, leading_seconds, number_before};
use crate::suites::collect::{Again, Collected};
use crate::suites::names::stable;
use crate::suites::place::{Place, of_trace};
use crate::suites::result::{Counts, Outcome, Suite, TestCase, Tool, message};

#[derive(Debug, Default)]
pub struct Lines {
    collected: Collected,
    /// The binary that runs: `shop`, `basket`; its tests are `shop::tests::sums`.
    binary: String,
    /// A test whose end is on a later line, since it printed something.
    pending: Option<String>,
    is_in_failures: bool,
    traces: Traces,
    counts: Counts,
    seconds: Option<f64>,
    n_results: usize,
    n_begun: usize,
    n_binaries: usize,
    is_unbuilt: bool,
}

impl Lines {
    pub fn push(&mut self, line: &str) {
        let text = line.trim_start();
        if line.starts_with(' ')
            && let Some(rest) = text.strip_prefix("Running ")
            && let Some(binary) = binary(rest)
        {
            self.binary = binary;
            self.n_binaries += 1;
        } else if line.starts_with(' ')
            && let Some(name) = text.strip_prefix("Doc-tests ")
        {
            name.clone_into(&mut self.binary);
            self.n_binaries += 1;
        } else if let Some(n) = line
            .strip_prefix("running ")
            .and_then(|rest| rest.strip_suffix(" tests").or(rest.strip_suffix(" test")))
        {
            self.n_begun += usize::from(n.parse::<usize>().is_ok());
            self.is_in_failures = false;
            self.pending = None;
        } else if let Some(rest) = line.strip_prefix("test result: ") {
            self.result(rest);
        } else if line.starts_with("error: could not compile ") || line.starts_with("error: failed to parse manifest") {
            self.is_unbuilt = true;
        } else if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" ----")) {
            let name = name.rsplit_once(' ').map_or(name, |(name, _)| name);
            let name = self.full(name);
            self.traces.begin(&name);
            self.is_in_failures = true;
        } else if line == "failures:" {
            // The list of names behind the traces; before them nothing is open.
            self.is_in_failures = false;
        } else if self.is_in_failures {
            self.traces.push(line);
        } else {
            self.progress(line);
        }
    }

    /// `test tests::sums ... ok`.
    fn progress(&mut self, line: &str) {
        let (name, status) = match line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) {
            Some((name, status)) => (name.to_owned(), status),
            None => match line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ...")) {
                Some(name) => {
                    self.pending = Some(name.to_owned());
                    return;
                }
                None => match self.pending.take() {
                    Some(name) => (name, line),
                    None => return,
                },
            },
        };
        let (outcome, why) = match status.split_once([' ', ',']).map_or(status, |(word, _)| word) {
            "ok" | "bench:" => (Outcome::Passed, None),
            "FAILED" => (Outcome::Failed, None),
            "ignored" => (Outcome::Skipped, status.strip_prefix("ignored, ")),
            _ => {
                self.pending = Some(name);
                return;
            }
        };
        let line = doc_place(&name).map(|(path, line)| (path.to_owned(), line));
        let name = self.full(&name);
        let case = TestCase {
            suite: (!self.binary.is_empty()).then(|| stable(&self.binary)),
            outcome,
            seconds: None,
            path: line.as_ref().map(|(path, _)| path.clone()),
            line: line.map(|(_, line)| line),
            message: why.and_then(message),
            name,
        };
        self.collected.add(case, Again::Another);
    }

    /// `FAILED. 2 passed; 4 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.07s`.
    fn result(&mut self, rest: &str) {
        self.n_results += 1;
        self.is_in_failures = false;
        self.pending = None;
        for (outcome, word) in [
            (Outcome::Passed, "passed"),
            (Outcome::Passed, "measured"),
            (Outcome::Failed, "failed"),
            (Outcome::Skipped, "ignored"),
        ] {
            let sum = self.counts.of(outcome);
            *sum = sum.saturating_add(number_before(rest, word).unwrap_or(0).min(1_000_000_000));
        }
        if let Some((_, time)) = rest.split_once("finished in ")
            && let Some(time) = leading_seconds(time)
        {
            self.seconds = Some(self.seconds.unwrap_or(0.0) + time);
        }
    }

    /// The name with its binary; without what can change though the test does not: lines of documentation tests, and the
    /// remark that it should panic.
    fn full(&self, name: &str) -> String {
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        let name = match name.rsplit_once(" (line ") {
            Some((before, _)) if doc_place(name).is_some() => before.to_owned(),
            _ => name.to_owned(),
        };
        if self.binary.is_empty() {
            stable(&name)
        } else {
            stable(&format!("{}::{name}", self.binary))
        }
    }

    pub fn finish(self, place: &Place<'_>) -> Option<TextResult> {
        let Self {
            mut collected,
            traces,
            counts,
            seconds,
            n_results,
            n_begun,
            n_binaries,
            is_unbuilt,
            ..
        } = self;
        // Of a binary with a harness of its own nobody knows what it ran.
        let is_silent = counts.total() == 0 && n_begun < n_binaries;
        if (is_silent || n_begun == 0 && n_results == 0) && !is_unbuilt && collected.cases.is_empty() {
            return None;
        }
        for case in &mut collected.cases {
            case.path = case.path.take().and_then(|path| place.find(&path));
            if case.path.is_none() {
                case.line = None;
            }
        }
        for (name, trace) in &traces.traces {
            // Of documentation tests of one item the failed one may be the second.
            let Some(case) = collected
                .cases
                .iter_mut()
                .filter(|case| case.outcome.is_failure() && case.message.is_none())
                .find(|case| {
                    case.name == *name
                        || case
                            .name
                            .strip_prefix(name.as_str())
                            .is_some_and(|n| n.starts_with(" #"))
                })
            else {
                continue;
            };
            case.message = message(&essence(trace));
            // A documentation test's own lines are those of a file that is gone.
            if case.line.is_none()
                && let Some((path, line)) = of_trace(trace, None, None, place)
            {
                (case.path, case.line) = (Some(path), Some(line));
            }
        }
        let is_whole = n_results >= n_begun;
        let counts = if is_whole {
            counts.with_failures_of(collected.counts)
        } else {
            collected.counts
        };
        Some(TextResult {
            suite: Suite {
                tool: Tool::CargoTest,
                version: None,
                is_cut: collected.is_cut || !is_whole || collected.cases.len() < counts.total(),
                cases: collected.cases,
                counts,
                seconds,
            },
            is_finished: is_whole && !is_unbuilt,
            is_unbuilt,
            rerun: Vec::new(),
        })
    }
}

/// `unittests src/lib.rs (target/debug/deps/shop-5079992)` is `shop`.
fn binary(rest: &str) -> Option<String> {
    let (_, path) = rest.strip_suffix(')')?.rsplit_once('(')?;
    let file = path.rsplit(['/', '\\']).next()?;
    let file = file.strip_suffix(".exe").unwrap_or(file);
    let (name, hash) = file.rsplit_once('-')?;
    hash.bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| name.to_owned())
}

/// `src/lib.rs - total (line 3)`.
fn doc_place(name: &str) -> Option<(&str, u32)> {
    let (before, line) = name.rsplit_once(" (line ")?;
    let (path, _) = before.split_once(" - ")?;
    let line: String = line.chars().take_while(char::is_ascii_digit).collect();
    Some((path, line.parse().ok()?))
}

/// A panic without its backtrace.
pub fn essence(trace: &str) -> String {
    let lines = trace.lines().map(str::trim_end);
    let kept: Vec<&str> = lines
        .take_while(|line| !line.trim_start().starts_with("stack backtrace:"))
        .filter(|line| !line.trim_start().starts_with("note: run with `RUST_BACKTRACE"))
        .collect();
    kept.join("\n")
}
