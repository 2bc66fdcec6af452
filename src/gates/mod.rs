//! Gates: thresholds judged on values (pure), and the repository's own lint and test commands (edge).

mod command;
mod result;

pub use command::run_commands;
pub use result::{Budget, CommandRun, GateResult, GateStatus, MetricGate, OnInconclusive, SliceGate};
