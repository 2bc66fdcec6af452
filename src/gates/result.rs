//! What a gate asks and what it found.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Span, Verdict, counted};
use crate::evaluate::Margin;
use crate::lint::{Finding, Format};
use crate::suites::{Changes, Counts, Ending, TestCase};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateStatus {
    Pass,
    Skipped,
    Warn,
    Fail,
}

impl GateStatus {
    /// The word that programs read; the same in every document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What an undecided comparison does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnInconclusive {
    #[default]
    Warn,
    Fail,
}

/// What `gates.metrics.NAME` says.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricGate {
    pub metric: String,
    pub max: Option<f64>,
    pub min: Option<f64>,
    /// `None`: not compared with production.
    pub max_regression: Option<Margin>,
    pub require_improvement: bool,
    /// Shown, never judged.
    pub informational: bool,
    pub span: Span,
}

/// What `gates.slices` says.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceGate {
    pub max_regression: Margin,
    pub min_rows: usize,
    pub span: Span,
}

/// What `gates.budget` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    pub model_size_bytes: Option<u64>,
    pub train_time: Option<Duration>,
    pub span: Span,
}

/// One gate's outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// `lint`, `test`, `data`, `metrics.rmse`, `slices`, `budget`.
    pub name: String,
    pub status: GateStatus,
    /// One sentence without a full stop that names the value and the limit.
    pub reason: String,
    /// The comparison's verdict for a metric gate.
    pub verdict: Option<Verdict>,
    /// The line of the configuration that the gate stands on.
    pub span: Option<Span>,
    /// What lint and test commands did.
    pub commands: Vec<CommandRun>,
}

/// What a lint or test gate asks for.
#[derive(Debug, Clone)]
pub struct GateCommand {
    pub asks: Asks,
    pub span: Span,
    /// How the output of a linter is read that is not known by its name.
    pub reads: Option<Format>,
    /// The `JUnit` report that the command leaves, from the repository's root.
    pub junit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// Run by `sh -c`.
    Command(String),
    /// A pattern of notebooks that are looked at for outputs, order and secrets.
    Notebooks(String),
}

impl GateCommand {
    pub fn new(command: String, span: Span) -> Self {
        Self {
            asks: Asks::Command(command),
            span,
            reads: None,
            junit: None,
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        let (Asks::Command(text) | Asks::Notebooks(text)) = &self.asks;
        text
    }
}

/// One command of a lint or test gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandRun {
    pub command: String,
    /// `None`: killed by a signal, timed out or could not start; then `problem` says which.
    pub exit_code: Option<i32>,
    pub problem: Option<String>,
    /// The end of what it printed, both streams as they came, control sequences and workflow commands made inert.
    pub tail: String,
    pub elapsed_ms: u64,
    /// What it found, where it is a linter.
    #[serde(default)]
    pub lint: Option<LintFacts>,
    /// What its tests came to, where they were counted.
    #[serde(default)]
    pub tests: Option<TestFacts>,
}

impl CommandRun {
    /// It ended well, or all that it found was there before and is on other lines.
    pub fn has_passed(&self) -> bool {
        let is_excused = |lint: &LintFacts| lint.is_filtered && lint.is_whole && lint.n_shown == 0 && lint.n_hidden > 0;
        let ended_well = self.exit_code == Some(0);
        self.problem.is_none() && (ended_well || self.exit_code.is_some() && self.lint.as_ref().is_some_and(is_excused))
    }
}

/// What a linter found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LintFacts {
    /// The linter, if it is known by name.
    pub tool: Option<String>,
    /// Those that count, in the order of files and lines, at most 200.
    pub findings: Vec<Finding>,
    /// How many count.
    pub n_shown: usize,
    /// How many are on lines that the change did not touch.
    pub n_hidden: usize,
    /// Whether only the lines of the change count.
    pub is_filtered: bool,
    /// Whether all of its output was understood.
    pub is_whole: bool,
}

/// What the tests of a command came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestFacts {
    /// `pytest`, `unittest`, `cargo test` …
    pub tool: String,
    pub version: Option<String>,
    pub ending: Ending,
    pub counts: Counts,
    pub seconds: Option<f64>,
    /// At most fifty.
    pub failures: Vec<TestCase>,
    /// Those that passed only after they had failed.
    pub flaky: Vec<String>,
    /// The five that took longest, with their seconds.
    pub slowest: Vec<(String, f64)>,
    /// Against the branch that this goes to, or the run before.
    pub changes: Option<Changes>,
}

impl TestFacts {
    /// `42 tests`, with those that were skipped or flaky.
    pub fn counted(&self) -> String {
        let mut text = counted(self.counts.total(), "test");
        for (n, word) in [(self.counts.n_skipped, "skipped"), (self.counts.n_flaky, "flaky")] {
            if n > 0 {
                let _ = write!(text, ", {n} {word}"); // Writing to a string can not fail.
            }
        }
        text
    }
}
