//! The client against servers that fail in every way, and the surfaces against a twin of GitHub.

mod canned;
mod client;
mod comments;
mod surfaces;
mod world;
