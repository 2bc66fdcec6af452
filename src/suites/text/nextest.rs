//! `cargo nextest run`'s output. Pure.

use super::cargo::essence;
use super::{TextResult, Traces, leading_seconds, number_before};
use crate::suites::collect::{Again, Collected};
use crate::suites::names::stable;
use crate::suites::place::{Place, of_trace};
use crate::suites::result::{Counts, Outcome, Suite, TestCase, Tool, message};

#[derive(Debug, Default)]
pub struct Lines {
    collected: Collected,
    traces: Traces,
    is_in_trace: bool,
    rerun: Vec<String>,
    totals: Option<Totals>,
    is_unbuilt: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    counts: Counts,
    seconds: Option<f64>,
}

impl Lines {
    pub fn push(&mut self, line: &str) {
        let text = line.trim_start();
        if let Some(rest) = text.strip_prefix("Summary [") {
            self.totals = Some(totals(rest));
            self.is_in_trace = false;
        } else if self.totals.is_some() {
            // Behind the summary everything is said again.
        } else if let Some(status) = status(line) {
            self.is_in_trace = false;
            self.test(&status);
        } else if line.starts_with("error: could not compile ") {
            self.is_unbuilt = true;
        } else if self.is_in_trace {
            self.traces.push(line);
        }
    }

    fn test(&mut self, status: &Status<'_>) {
        let name = stable(&format!("{}::{}", status.binary, status.test));
        let is_known = self.collected.get_mut(&name).is_some();
        let is_failure = status.outcome.is_failure();
        if is_failure {
            self.traces.begin(&name);
            self.is_in_trace = true;
        }
        if is_known {
            let outcome = if is_failure { status.outcome } else { Outcome::Flaky };
            if !self.rerun.contains(&name) && self.rerun.len() < 1_000 {
                self.rerun.push(name.clone());
            }
            self.collected.turn(&name, outcome);
            if let Some(case) = self.collected.get_mut(&name) {
                case.seconds = status.seconds;
            }
            return;
        }
        let case = TestCase {
            suite: Some(stable(status.binary)),
            outcome: status.outcome,
            seconds: status.seconds,
            path: None,
            line: None,
            message: None,
            name,
        };
        self.collected.add(case, Again::Same);
    }

    pub fn finish(self, place: &Place<'_>) -> Option<TextResult> {
        let Self {
            mut collected,
            traces,
            rerun,
            totals,
            is_unbuilt,
            ..
        } = self;
        if totals.is_none() && collected.cases.is_empty() && !is_unbuilt {
            return None;
        }
        for (name, trace) in &traces.traces {
            let Some(case) = collected.get_mut(name).filter(|case| case.message.is_none()) else {
                continue;
            };
            case.message = message(&standard_error(trace));
            if let Some((path, line)) = of_trace(trace, None, None, place) {
                (case.path, case.line) = (Some(path), Some(line));
            }
        }
        // Tests that are ignored or filtered out have no line of their own.
        let counts = totals.map_or(collected.counts, |totals| {
            totals.counts.with_failures_of(collected.counts)
        });
        Some(TextResult {
            suite: Suite {
                tool: Tool::Nextest,
                version: None,
                is_cut: collected.is_cut || collected.cases.len() < counts.total() - counts.n_skipped,
                cases: collected.cases,
                counts,
                seconds: totals.and_then(|totals| totals.seconds),
            },
            is_finished: totals.is_some(),
            is_unbuilt,
            rerun,
        })
    }
}

#[derive(Debug)]
struct Status<'a> {
    outcome: Outcome,
    seconds: Option<f64>,
    binary: &'a str,
    test: &'a str,
}

/// `    PASS [   0.004s] (5/8) shop tests::sums`, `  TRY 2 FAIL [   0.006s] shop::basket whole`.
fn status(line: &str) -> Option<Status<'_>> {
    if !line.starts_with("  ") {
        return None;
    }
    let (words, rest) = line.trim_start().split_once(" [")?;
    let word = match words.split_once(' ') {
        Some(("TRY", rest)) => rest.split_once(' ')?.1,
        Some(_) => return None,
        None => words,
    };
    let outcome = match word {
        "PASS" | "LEAK" => Outcome::Passed,
        "FAIL" | "TIMEOUT" | "TMT" | "ABORT" | "LEAK-FAIL" | "LKFAIL" => Outcome::Failed,
        _ if word.starts_with("SIG") => Outcome::Failed,
        _ => return None,
    };
    let (time, rest) = rest.split_once(']')?;
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('(') {
        Some(counter) => counter.split_once(") ")?.1,
        None => rest,
    };
    let (binary, test) = rest.trim_start().split_once(' ')?;
    Some(Status {
        outcome,
        seconds: leading_seconds(time),
        binary,
        test: test.trim(),
    })
}

/// `0.255s] 8 tests run: 4 passed (1 flaky), 4 failed, 1 timed out, 1 skipped`.
fn totals(rest: &str) -> Totals {
    let (time, rest) = rest.split_once(']').unwrap_or(("", rest));
    let of = |word: &str| number_before(rest, word).unwrap_or(0).min(1_000_000_000);
    let n_flaky = of("flaky");
    // `4 passed (1 flaky)` and `: 4 passed`.
    let passed = rest.split(':').nth(1).unwrap_or_default();
    let n_passed = number_before(passed, "passed").unwrap_or(0).min(1_000_000_000);
    Totals {
        counts: Counts {
            n_passed: n_passed.saturating_sub(n_flaky),
            n_failed: of("failed") + of("timed out") + of("exec failed"),
            n_errored: 0,
            n_skipped: of("skipped"),
            n_flaky,
        },
        seconds: leading_seconds(time),
    }
}

/// What a test wrote to its standard error; without such a part, what it wrote.
fn standard_error(trace: &str) -> String {
    let lines: Vec<&str> = trace.lines().collect();
    let is_head = |line: &&str| {
        let head = line.trim_start().trim_start_matches('-').trim_start();
        head.starts_with("stderr ─") || head.starts_with("STDERR:")
    };
    let from = lines.iter().position(is_head).map_or(0, |at| at + 1);
    let from = if from == 0 {
        lines
            .iter()
            .position(|line| line.trim_start().starts_with("---- "))
            .map_or(0, |at| at + 1)
    } else {
        from
    };
    let end = lines[from..]
        .iter()
        .position(|line| line.trim_start() == "failures:")
        .map_or(lines.len(), |at| from + at);
    let dedented: Vec<&str> = lines[from..end]
        .iter()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    essence(dedented.join("\n").trim())
}
