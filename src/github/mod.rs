//! GitHub: what its runner tells a job, and what a job tells GitHub. Takes text, annotations and numbers, never facts.

mod address;
pub mod archive;
mod author;
pub mod checks;
mod client;
pub mod commands;
pub mod comments;
mod context;
pub mod deployments;
mod error;
mod event;
pub mod git;
pub mod handover;
mod hidden;
mod inputs;
pub mod issues;
pub mod pulls;
mod repository;
pub mod results;
mod retry;
pub mod runner;
#[cfg(test)]
mod tests;
mod trust;
mod wire;
pub mod workflows;

pub use client::{Client, Connection};
pub use context::{CommandFiles, Context, MAX_EVENT_BYTES, Runtime, Urls};
pub use error::GithubError;
pub use event::{Event, IssueComment, WorkflowRun};
pub use inputs::{COMMANDS, COMMENT_MODES, CommentMode, INPUTS, Inputs};
pub use repository::Repository;
pub use retry::Pace;
pub use trust::{Trust, trust};
