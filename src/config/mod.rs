//! `mlops.yaml`: text → spanned tree → checked [`Project`], every problem in one pass. Pure; reads no file.

mod project;

pub use project::{Approval, CommandGate, EvaluateSettings, GateSettings, Project, PromoteSettings, TrainSettings};
