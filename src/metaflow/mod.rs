//! Flows of Metaflow as a trainer: the command, what its output says meanwhile, and what its datastore says after.

mod command;
mod log;
mod read;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Invocation, branch_name, command, fallback, is_project};
pub use log::shown;
pub use read::read;
pub use state::Flow;
#[cfg(test)]
use {
    log::{Line, What, parse_line},
    read::MetaflowError,
};
