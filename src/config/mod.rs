//! `mlops.yaml`: text → spanned tree → checked [`Project`], every problem in one pass. Pure; reads no file.

mod check;
mod data;
mod gates;
mod key;
mod metrics;
mod parse;
mod project;
mod scalar;
mod schema;
#[cfg(test)]
mod tests;
mod train;
mod tree;
mod values;

pub use check::{Checked, check, check_with};
pub use key::training_key;
pub use metrics::default_margin;
pub use parse::{MAX_BYTES, SMALLEST, decode, parse};
pub use project::{Approval, CommandGate, EvaluateSettings, GateSettings, Project, PromoteSettings, TrainSettings};
pub use schema::{reference_table, schema};
