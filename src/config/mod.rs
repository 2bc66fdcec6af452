//! `mlops.yaml`: text → spanned tree → checked [`Project`], every problem in one pass. Pure; reads no file.

mod check;
mod data;
mod drift;
mod flow;
mod gates;
mod hidden;
mod key;
mod loosened;
mod metrics;
mod parse;
mod project;
mod scalar;
mod schema;
mod steps;
#[cfg(test)]
mod tests;
mod train;
mod tree;
mod values;
mod wandb;

pub use check::{Checked, check};
pub use flow::quoted;
pub use key::training_key;
pub use loosened::{Loosened, loosened};
#[cfg(test)]
pub use parse::parse;
pub use parse::{MAX_BYTES, decode, tree};
pub use project::{
    Approval, DataSharing, DriftGate, EnvironmentChoice, Project, PromoteSettings, RegistryChoice, WandbSettings,
};
pub use schema::{estimator_table, reference_table, schema};
