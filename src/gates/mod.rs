//! Gates: thresholds judged on values (pure), and the repository's own lint and test commands (edge).

mod command;
mod judge;
mod result;

pub use command::{Surroundings, run_command, run_commands};
pub use judge::{judge_budget, judge_metric, judge_slices, overall};
pub use result::{Budget, CommandRun, GateResult, GateStatus, MetricGate, OnInconclusive, SliceGate};
