//! Runs the repository's own commands: scrubbed environment, what it may touch and take, whole process tree
//! under control.

mod confine;
mod environment;
mod exit;
#[cfg(test)]
mod hostile_tests;
mod run;
mod sandbox;
mod text;
mod tree;
mod usage;
mod user;

pub use confine::enforced;
pub use environment::{SharedRun, scrubbed_env, wandb_env};
pub use exit::{Captured, Exit};
pub use run::{Task, run, run_captured, shield, stop_all};
pub use sandbox::{Ended, Limits, Network, Sandbox};
pub use text::{Tail, neutralise};
pub use tree::become_subreaper;
pub use usage::available_memory;
pub use user::{User, prepare_home};
