//! Weights & Biases: its protocol, its storage and its offline log. Takes names, numbers and bytes, never facts.
#![allow(dead_code, reason = "the protocol as it is; not every part of it is asked for here")]

mod artifacts;
mod client;
mod error;
mod hosts;
mod key;
mod lines;
pub mod log;
pub mod media;
mod oidc;
mod operations;
mod place;
mod replay;
mod retry;
mod runs;
mod stream;
#[cfg(test)]
mod tests;
mod tries;
mod upload;
mod wire;

pub use artifacts::{
    Checksum, ClientIds, Content, Described, DescribedEntry, Entry, Files, NewArtifact, Reference, check_path, publish,
};
pub use client::{Attribution, Client, Settings};
pub use error::WandbError;
pub use hosts::Hosts;
pub use key::{Key, KeySource, netrc_password};
pub use lines::Offsets;
pub use oidc::{Credentials, GithubIdentity};
pub use operations::*;
pub use replay::replay;
pub use retry::Pace;
pub use runs::{Records, RunGit, RunMetadata, send_files};
pub use stream::{Rhythm, Stream};
