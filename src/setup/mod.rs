//! Setting a repository up: what `init` proposes for it and what `doctor` finds missing. Pure.

mod beside;
mod contract;
mod doctor;
mod jobs;
mod look;
mod permissions;
mod proposal;
mod wandb;
mod workflow;
mod workflows;

pub use doctor::{Asks, CurrentJob, Finding, Matter, Surroundings, examine};
pub use look::{Found, Listing, look, wanted_texts};
pub use proposal::{Choices, Proposal, Reason, propose};
pub use wandb::Access;
pub use workflow::Workflow;
pub use workflows::{FOLDER, Plan, Written, workflows};

use crate::config::quoted;

/// The action, as a workflow names it.
pub const ACTION: &str = action(env!("CARGO_PKG_REPOSITORY"));
/// The checkout that every job begins with, pinned by commit.
pub const CHECKOUT: &str = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";

/// `owner/name` of a repository's address.
const fn action(repository: &'static str) -> &'static str {
    // "https://github.com/" has 19 characters.
    let (_, name) = repository.split_at(19);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_is_named_as_workflows_do() {
        let (owner, name) = ACTION.split_once('/').unwrap();
        assert!(!owner.is_empty() && !name.contains('/'), "{ACTION}");
        assert_eq!(env!("CARGO_PKG_REPOSITORY"), format!("https://github.com/{ACTION}"));
    }
}
