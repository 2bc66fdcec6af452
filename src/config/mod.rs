//! `mlops.yaml`: text → spanned tree → checked [`Project`], every problem in one pass. Pure; reads no file.

mod parse;
mod project;
mod scalar;

pub use parse::{MAX_BYTES, SMALLEST, decode, parse};
pub use project::{Approval, CommandGate, EvaluateSettings, GateSettings, Project, PromoteSettings, TrainSettings};
