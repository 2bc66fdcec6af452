//! The built program from outside: the house's layers, the commands, the files they leave.
#![allow(
    clippy::unwrap_used,
    reason = "`allow-unwrap-in-tests` does not reach helpers of an integration test"
)]
#![allow(clippy::disallowed_methods, reason = "tests act on the real world")]

mod action_yml;
mod agreement;
mod architecture;
mod commands;
mod documents;
mod drift;
mod edges;
mod environments;
mod events;
mod faults;
mod forks;
mod lifecycle;
mod own_code;
mod processes;
mod pull_request;
mod refusals;
mod runner;
#[path = "../twins/runner/mod.rs"]
mod runner_twin;
mod setup;
mod support;
mod twin;
#[path = "../twins/github/mod.rs"]
mod twins;
mod wandb;
#[path = "../twins/wandb/mod.rs"]
mod wandb_twin;
mod world;
