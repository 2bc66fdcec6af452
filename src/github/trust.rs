//! How far an event is trusted: whose code is checked out, and what the token can do. Pure.

use super::context::Context;
use super::event::{Event, is_dependabot};

/// What a job may do that this event started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The repository's own code, with its secrets: everything that the configuration asks for.
    Full,
    /// Code that anybody may have written, with a token that only reads and without secrets: judge it, keep the result
    /// as an artifact, write nothing outside of the runner.
    ReadOnlyFork,
    /// A token that writes, beside results that anybody may have made: check and publish them, run none of their code.
    ReportOnly,
    /// A token that writes, and somebody's words: do what they ask for if they may, run no code of a pull request.
    CommandOnly,
    /// Nothing that runs the repository's code.
    Refused { why: String, help: String },
}

/// Decides by the event alone, so that a file in a pull request can not change it.
pub fn trust(context: &Context) -> Trust {
    match &context.event {
        Event::PullRequest(pull) if pull.is_fork => Trust::ReadOnlyFork,
        Event::Push(_) if is_dependabot(&context.actor) => Trust::ReadOnlyFork,
        Event::PullRequest(_)
        | Event::Push(_)
        | Event::MergeGroup(_)
        | Event::WorkflowDispatch { .. }
        | Event::RepositoryDispatch { .. }
        | Event::Schedule { .. } => Trust::Full,
        Event::WorkflowRun(_) => Trust::ReportOnly,
        Event::IssueComment(_) => Trust::CommandOnly,
        Event::PullRequestTarget(_) => Trust::Refused {
            why: "`pull_request_target` gives a token that writes and the repository's secrets to a run that anybody \
                  can start"
                .to_owned(),
            help: "use `on: pull_request`, which also works for forks, and let a second workflow with \
                   `on: workflow_run` publish their results: `mlops init` writes both"
                .to_owned(),
        },
        // Reviews come with the code of the pull request, and what a new event comes with nobody knows.
        Event::Other(_) => Trust::ReadOnlyFork,
    }
}
