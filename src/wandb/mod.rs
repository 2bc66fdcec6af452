//! Weights & Biases: its protocol, its storage and its offline log. Takes names, numbers and bytes, never facts.

mod artifacts;
mod client;
mod error;
mod hosts;
mod key;
mod log;
mod media;
mod operations;
mod retry;
mod stream;
mod wire;
