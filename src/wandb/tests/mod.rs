//! The client against servers that fail in every way.

mod canned;
mod client;
mod identity;
mod stream;
mod transfer;
