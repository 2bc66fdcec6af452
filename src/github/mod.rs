//! GitHub: what its runner tells a job, and what a job tells GitHub. Takes text, annotations and numbers, never facts.

mod context;
mod event;
mod inputs;
mod repository;

pub use context::{CommandFiles, Context, MAX_EVENT_BYTES, RunIdentity, Runtime, Urls};
pub use event::{Event, IssueComment, MergeGroup, PullRequest, Push, WorkflowRun};
pub use inputs::{COMMANDS, CommentMode, Inputs};
pub use repository::Repository;
