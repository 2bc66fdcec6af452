//! What a test command came to, from its exit code, its lines and its report together. Pure.

use serde::{Deserialize, Serialize};

use super::junit::parse_junit;
use super::place::Place;
use super::result::{Outcome, Suite, Tool};
use super::text::{Reader, TextResult};
use crate::base::counted;

/// How a test command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Passed,
    /// Tests failed, whatever the exit code says: a pipe hides it.
    Failed,
    /// There was nothing to run, which never is a success.
    NoTests,
    /// The tests could not be compiled.
    NotBuilt,
    /// The runner did not understand its arguments or its configuration.
    Usage,
    Interrupted,
    /// The runner itself broke.
    Internal,
    /// Every test passed and the command failed nevertheless: coverage, warnings, another command beside it.
    FailedBeside,
    /// It ended before the runner was done.
    Unfinished,
}

/// All that is known about one test command.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    pub ending: Ending,
    pub suite: Option<Suite>,
    /// Why the report was not used.
    pub problem: Option<String>,
}

/// Puts together what a command left. `exit_code` is none if it was killed; `report` is the content of the `JUnit` file, if
/// there is one (the first [`super::MAX_REPORT_BYTES`] are enough).
///
/// The report has the better names, places and times, the text the version and what was run again; where there is no
/// report, the text stands alone.
pub fn conclude(
    tool: Tool,
    exit_code: Option<i32>,
    lines: Reader,
    report: Option<&[u8]>,
    place: &Place<'_>,
) -> Conclusion {
    let text = lines.finish(place);
    let (report, problem) =
        match report.map(|report| parse_junit(report, Some(tool).filter(|tool| *tool != Tool::Junit), place)) {
            Some(Ok(suite)) => (Some(suite), None),
            Some(Err(error)) => (None, Some(format!("the JUnit report was not used: {error}"))),
            None => (None, None),
        };
    // A runner writes its report when it is done; a plugin may have changed what it prints then.
    let is_finished =
        report.as_ref().is_some_and(|report| !report.is_cut) || text.as_ref().is_some_and(|text| text.is_finished);
    let is_unbuilt = text.as_ref().is_some_and(|text| text.is_unbuilt);
    let suite = match (report, text) {
        (Some(report), Some(text)) => Some(with_text(report, text)),
        (Some(report), None) => Some(report),
        (None, text) => text.map(|text| text.suite),
    };
    let ending = ending(tool, exit_code, suite.as_ref(), is_finished, is_unbuilt);
    Conclusion { ending, suite, problem }
}

fn with_text(mut report: Suite, text: TextResult) -> Suite {
    report.version = report.version.or(text.suite.version);
    for name in text.rerun {
        if let Some(case) = report
            .cases
            .iter_mut()
            .find(|case| case.name == name && case.outcome == Outcome::Passed)
        {
            case.outcome = Outcome::Flaky;
            report.counts.n_passed = report.counts.n_passed.saturating_sub(1);
            report.counts.n_flaky += 1;
        }
    }
    report
}

fn ending(tool: Tool, exit_code: Option<i32>, suite: Option<&Suite>, is_finished: bool, is_unbuilt: bool) -> Ending {
    let counts = suite.map(|suite| suite.counts).unwrap_or_default();
    if counts.n_failing() > 0 {
        // Whatever the exit code says.
        return Ending::Failed;
    }
    if is_unbuilt {
        return Ending::NotBuilt;
    }
    let is_empty = suite.is_some() && counts.total() == 0 && is_finished;
    match (tool, exit_code) {
        (_, Some(0)) if is_empty => Ending::NoTests,
        // Without any result the exit code is all there is to go by.
        (_, Some(0)) if is_finished || suite.is_none() => Ending::Passed,
        (Tool::Pytest | Tool::Unittest, Some(5)) if counts.total() == 0 => Ending::NoTests,
        // It counts what a filter leaves out as skipped.
        (Tool::Nextest, Some(4)) if counts.total() == counts.n_skipped => Ending::NoTests,
        (Tool::Pytest, Some(2)) => Ending::Interrupted,
        (Tool::Pytest, Some(3)) => Ending::Internal,
        (Tool::Pytest, Some(4)) => Ending::Usage,
        (_, Some(_)) if is_finished && counts.total() > 0 => Ending::FailedBeside,
        (_, Some(_)) if is_empty && tool == Tool::Unittest => Ending::NoTests,
        _ => Ending::Unfinished,
    }
}

impl Conclusion {
    pub fn is_pass(&self) -> bool {
        self.ending == Ending::Passed
    }

    /// One sentence without a full stop: what happened and, where it is not the tests' fault, what to do.
    pub fn sentence(&self, tool: Tool, exit_code: Option<i32>) -> String {
        let counts = self.suite.as_ref().map(|suite| suite.counts).unwrap_or_default();
        let word = if tool == Tool::Junit {
            "the command"
        } else {
            tool.word()
        };
        let code = exit_code.map_or_else(
            || "did not end by itself".to_owned(),
            |code| format!("exited with {code}"),
        );
        match self.ending {
            Ending::Passed if counts.total() == 0 => format!("{word} passed"),
            Ending::Passed => {
                let mut parts = vec![format!("{} passed", counted(counts.n_passed + counts.n_flaky, "test"))];
                if counts.n_flaky > 0 {
                    parts.push(format!("{} of them flaky", counts.n_flaky));
                }
                if counts.n_skipped > 0 {
                    parts.push(format!("{} skipped", counts.n_skipped));
                }
                parts.join(", ")
            }
            Ending::Failed => {
                let failing = match (counts.n_failed, counts.n_errored) {
                    (failed, 0) => format!("{failed} of {} failed", counted(counts.total(), "test")),
                    (0, errored) => format!("{errored} of {} could not run", counted(counts.total(), "test")),
                    (failed, errored) => {
                        let total = counted(counts.total(), "test");
                        format!("{failed} of {total} failed and {errored} could not run")
                    }
                };
                match exit_code {
                    Some(0) => format!("{failing}, though the command exited with 0"),
                    _ => failing,
                }
            }
            Ending::NoTests => format!("{word} found no tests: {}", no_tests_advice(tool)),
            Ending::NotBuilt => "the tests do not compile".to_owned(),
            Ending::Usage => format!(
                "{word} was not started as it wants ({code}): its output names the argument or the file that is wrong"
            ),
            Ending::Interrupted => format!("{word} was interrupted ({code})"),
            Ending::Internal => {
                format!("{word} itself broke ({code}): a plugin or a `conftest.py` is the usual reason")
            }
            Ending::FailedBeside => format!(
                "no test failed but the command {code}: look for a limit on coverage or another command beside the tests"
            ),
            Ending::Unfinished => format!("{word} {code} before its last test was done"),
        }
    }
}

fn no_tests_advice(tool: Tool) -> &'static str {
    match tool {
        Tool::Pytest => {
            "name files `test_*.py` and functions `test_*`, set `testpaths`, or take the command out of `gates.test`"
        }
        Tool::Unittest => {
            "name files `test*.py`, give their directory with `discover -s`, or take the command out of `gates.test`"
        }
        Tool::CargoTest | Tool::Nextest => {
            "write functions with `#[test]`, widen the filter, or take the command out of `gates.test`"
        }
        Tool::Junit => "look at what the command selects, or take it out of `gates.test`",
    }
}
