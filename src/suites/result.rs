//! The words of a test run. Pure.

use serde::{Deserialize, Serialize};

use crate::base::{is_invisible, without_escapes};

/// Which program ran the tests, as far as its output differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    Pytest,
    Unittest,
    CargoTest,
    Nextest,
    /// Anything else that left a `JUnit` report.
    Junit,
}

impl Tool {
    /// As people call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pytest => "pytest",
            Self::Unittest => "unittest",
            Self::CargoTest => "cargo test",
            Self::Nextest => "cargo nextest",
            Self::Junit => "JUnit report",
        }
    }
}

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Passed,
    Failed,
    /// Something around it broke: a fixture, an import.
    Errored,
    /// Also one that was expected to fail and did.
    Skipped,
    /// Passed after it had failed.
    Flaky,
}

impl Outcome {
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Errored)
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestCase {
    /// The file or the class that it stands in.
    pub suite: Option<String>,
    /// The same in every run: pytest's node id, `module.Class.test`, `crate::tests::name`.
    pub name: String,
    pub outcome: Outcome,
    pub seconds: Option<f64>,
    /// Where it failed, else where it is defined, relative to the root of the repository.
    pub path: Option<String>,
    pub line: Option<u32>,
    /// Why it failed or was skipped; without anything that steers a terminal or a runner.
    pub message: Option<String>,
}

/// Tests by how they ended; each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "counts are `n_things` everywhere")]
pub struct Counts {
    pub n_passed: usize,
    pub n_failed: usize,
    pub n_errored: usize,
    pub n_skipped: usize,
    pub n_flaky: usize,
}

impl Counts {
    pub fn total(self) -> usize {
        let Self {
            n_passed,
            n_failed,
            n_errored,
            n_skipped,
            n_flaky,
        } = self;
        [n_passed, n_failed, n_errored, n_skipped, n_flaky]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    pub fn n_failing(self) -> usize {
        self.n_failed.saturating_add(self.n_errored)
    }

    /// No fewer failures than those that are named.
    pub(super) fn with_failures_of(self, named: Self) -> Self {
        Self {
            n_failed: self.n_failed.max(named.n_failed),
            n_errored: self.n_errored.max(named.n_errored),
            ..self
        }
    }

    pub(super) fn of(&mut self, outcome: Outcome) -> &mut usize {
        match outcome {
            Outcome::Passed => &mut self.n_passed,
            Outcome::Failed => &mut self.n_failed,
            Outcome::Errored => &mut self.n_errored,
            Outcome::Skipped => &mut self.n_skipped,
            Outcome::Flaky => &mut self.n_flaky,
        }
    }
}

/// What one test command found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suite {
    pub tool: Tool,
    pub version: Option<String>,
    /// At most [`MAX_CASES`], in the order in which they ran.
    pub cases: Vec<TestCase>,
    /// Of all tests, also of those that are not among the cases.
    pub counts: Counts,
    pub seconds: Option<f64>,
    /// Some tests are not among the cases: too many, a report without an end, or text that does not name them.
    pub is_cut: bool,
}

impl Suite {
    pub fn failures(&self) -> impl Iterator<Item = &TestCase> {
        self.cases.iter().filter(|case| case.outcome.is_failure())
    }

    /// The `n` tests that took longest, the longest first; those without a time are left out.
    pub fn slowest(&self, n: usize) -> Vec<&TestCase> {
        let mut timed: Vec<(f64, &TestCase)> = self
            .cases
            .iter()
            .filter_map(|case| Some((case.seconds?, case)))
            .collect();
        timed.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        timed.truncate(n);
        timed.into_iter().map(|(_, case)| case).collect()
    }
}

pub const MAX_CASES: usize = 50_000;
pub const MAX_MESSAGE_CHARS: usize = 2_000;
const MAX_LINE_CHARS: usize = 400;

/// A message that steers nothing, at most [`MAX_MESSAGE_CHARS`] long; nothing if nothing is left.
pub fn message(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut n_chars = 0;
    for line in without_escapes(text).lines() {
        let line: String = line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .filter(|c| !is_invisible(*c))
            .take(MAX_LINE_CHARS)
            .collect();
        let line = without_thread(line.trim_end()).replace("##[", "# #[");
        let line = match line.trim_start().strip_prefix("::") {
            Some(rest) => format!(": :{rest}"),
            None => line,
        };
        n_chars += line.chars().count() + 1;
        if n_chars >= MAX_MESSAGE_CHARS {
            out.push('…');
            break;
        }
        out.push_str(&line);
        out.push('\n');
    }
    let kept = out.trim_matches('\n');
    (!kept.trim().is_empty()).then(|| kept.to_owned())
}

/// `thread 'tests::sums' (3484) panicked at …` without the number, which is another one in every run.
fn without_thread(line: &str) -> String {
    if line.trim_start().starts_with("thread '")
        && let Some((before, after)) = line.split_once("' (")
        && let Some((number, after)) = after.split_once(") panicked at ")
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{before}' panicked at {after}");
    }
    line.to_owned()
}

/// Seconds as tools write them: `0.12`, `1,234.5`.
pub fn seconds(text: &str) -> Option<f64> {
    let value: f64 = text.trim().replace(',', "").parse().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_inert_and_short() {
        let raw = "one\u{1b}[31m red\u{1b}[0m\n  ::error::x ##[group]\ntwo\u{202e}\u{8}\r\n\n";
        insta::assert_snapshot!(message(raw).unwrap(), @r"
        one red
        : :error::x # #[group]
        two
        ");
        let long = message(&"word\n".repeat(1_000)).unwrap();
        assert!(long.chars().count() <= MAX_MESSAGE_CHARS && long.ends_with('…'));
        assert_eq!(message(&"x".repeat(1_000_000)).unwrap().len(), MAX_LINE_CHARS);
        assert_eq!(message(" \n\u{200b}"), None);
    }

    #[test]
    fn times() {
        let read: Vec<_> = ["0.12", "1,234.5", "-1", "NaN", "inf", "", "1e400"]
            .into_iter()
            .map(seconds)
            .collect();
        assert_eq!(read, [Some(0.12), Some(1234.5), None, None, None, None, None]);
    }
}
