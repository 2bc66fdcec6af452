//! What a program asks of its twin.

use super::server::{Reply, Request, refuse};
use super::state::State;

pub fn answer(_state: &mut State, _request: &Request) -> Reply {
    *refuse(404, "the twin does not play this yet")
}
