//! GitHub: what its runner tells a job, and what a job tells GitHub. Takes text, annotations and numbers, never facts.

pub mod archive;
mod client;
mod context;
mod error;
mod event;
mod inputs;
mod repository;
pub mod results;
mod retry;
#[cfg(test)]
mod tests;
mod wire;

pub use client::{Client, Connection};
pub use context::{CommandFiles, Context, MAX_EVENT_BYTES, RunIdentity, Runtime, Urls};
pub use error::GithubError;
pub use event::{Event, IssueComment, MergeGroup, PullRequest, Push, WorkflowRun};
pub use inputs::{COMMANDS, CommentMode, Inputs};
pub use repository::Repository;
pub use retry::{Fault, Pace};
