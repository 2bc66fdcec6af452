//! Workflows, their runs, dispatches.

use super::server::{Answer, Request};
use super::state::State;

#[derive(Debug, Clone)]
pub struct Workflow {}
#[derive(Debug, Clone)]
pub struct Run {}
#[derive(Debug, Clone)]
pub struct Dispatch {}

pub fn handle(_state: &mut State, _request: &Request, _method: &str, _tail: &str) -> Option<Answer> {
    None
}
