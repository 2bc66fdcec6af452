//! Deployments and their statuses.

use super::server::{Answer, Request};
use super::state::State;

#[derive(Debug, Clone)]
pub struct Deployment {
    pub id: u64,
}

pub fn handle(_state: &mut State, _request: &Request, _method: &str, _tail: &str) -> Option<Answer> {
    None
}
