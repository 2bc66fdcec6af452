//! Runs the repository's own commands: scrubbed environment, deadline, whole process tree under control.

mod environment;
mod run;
mod text;
mod tree;
mod user;

pub use environment::{SharedRun, scrubbed_env, wandb_env};
pub use run::{Exit, Task, run, shield, stop_all};
pub use text::{Tail, neutralise};
pub use tree::become_subreaper;
pub use user::{User, prepare_home, prepare_work};
