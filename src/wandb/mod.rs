//! Weights & Biases: its protocol, its storage and its offline log. Takes names, numbers and bytes, never facts.
#![allow(dead_code, reason = "nobody speaks it yet")]

mod artifacts;
mod client;
mod error;
mod hosts;
mod key;
mod lines;
mod log;
mod media;
mod oidc;
mod operations;
mod place;
mod retry;
mod stream;
#[cfg(test)]
mod tests;
mod tries;
mod upload;
mod wire;

pub use error::WandbError;
