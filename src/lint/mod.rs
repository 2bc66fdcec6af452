//! Linters: how to ask them for output that can be read, what they found and on which lines, which of it a change
//! brought, and what a notebook should not carry. Pure.
//!
//! ```text
//! command ──invocation──▶ what to run, its Format ──parse──▶ Finding ──locate──▶ line of the notebook ──filter──▶ shown
//! ```

mod changed;
mod command;
mod finding;
mod generic;
mod json;
mod lines;
mod notebook;
mod parse;
mod patch;
mod place;
mod secrets;
mod text;
mod tools;

#[cfg(test)]
mod tests;

pub use changed::{Changed, Filter, changed_lines, filter};
pub use command::{Invocation, invocation};
#[cfg(test)]
use finding::{Cell, Cells};
pub use finding::{Finding, Severity};
pub use generic::{Mapping, Pattern};
pub use notebook::{hygiene, locate};
pub use parse::{Format, Parsed, parse};
pub use place::Place;
pub use tools::{Kind, Tool};
