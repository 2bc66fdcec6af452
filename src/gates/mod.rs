//! Gates: thresholds judged on values (pure), and the repository's own lint and test commands (edge).

mod command;
mod drift;
mod judge;
mod lints;
mod result;
mod suites;

pub use command::{Judged, Surroundings, run_command, run_commands};
pub use drift::{DriftFound, judge_drift};
pub use judge::{judge_budget, judge_metric, judge_slices, overall};
pub use result::{
    Asks, Budget, CommandRun, GateCommand, GateResult, GateStatus, LintFacts, MetricGate, OnInconclusive, SliceGate,
    TestFacts,
};
