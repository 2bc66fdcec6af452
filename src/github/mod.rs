//! GitHub: what its runner tells a job, and what a job tells GitHub. Takes text, annotations and numbers, never facts.

pub mod archive;
mod address;
mod author;
pub mod checks;
mod client;
pub mod comments;
mod commands;
mod context;
pub mod deployments;
mod error;
mod event;
mod hidden;
pub mod git;
pub mod handover;
mod inputs;
pub mod issues;
pub mod pulls;
mod repository;
pub mod results;
mod retry;
#[cfg(test)]
mod tests;
mod wire;
pub mod workflows;
mod runner;
mod trust;

pub use client::{Client, Connection};
pub use commands::{Command, CommandError, command, help};
pub use context::{CommandFiles, Context, MAX_EVENT_BYTES, RunIdentity, Runtime, Urls};
pub use error::GithubError;
pub use event::{Event, IssueComment, MergeGroup, PullRequest, Push, WorkflowRun};
pub use inputs::{COMMANDS, CommentMode, Inputs};
pub use repository::Repository;
pub use retry::{Fault, Pace};
pub use runner::{
    Annotation, Delimiter, Level, RunnerError, Written, annotation, annotations, debug, end_group, group, masks,
    write_files,
};
pub use trust::{Trust, trust};
