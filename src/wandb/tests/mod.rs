//! The client against servers that fail in every way.

pub mod canned;
mod client;
mod identity;
mod stream;
mod transfer;
pub mod world;
