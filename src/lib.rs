//! `mlops`: the lifecycle of a repository's model, as a library with one door.
//!
//! Modules are private, so that an unused `pub` item is a dead-code warning. `ARCHITECTURE.md` is the map.

mod app;
mod base;
mod cli;
mod config;
mod data;
mod drift;
mod environment;
mod evaluate;
mod exec;
mod facts;
mod gates;
mod github;
mod lint;
mod metaflow;
mod notebook;
mod onnx;
mod pickle;
mod pipeline;
mod promote;
mod report;
mod setup;
mod stats;
mod steps;
mod suites;
mod sys;
mod track;
mod tracked;
mod train;
#[cfg(test)]
#[path = "../tests/twins/github/mod.rs"]
mod twin;
mod wandb;
#[cfg(test)]
#[path = "../tests/twins/wandb/mod.rs"]
mod wandb_twin;

pub use app::run;
pub use cli::Terminal;
