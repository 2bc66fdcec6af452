//! The service of artifacts and caches.

use super::server::{Reply, Request, refuse};
use super::state::State;

pub const CONTAINER: &str = "/devstoreaccount1/";

#[derive(Debug, Clone)]
pub struct RuntimeToken {}
#[derive(Debug, Clone)]
pub struct Blob {}
#[derive(Debug, Clone)]
pub struct Artifact {}
#[derive(Debug, Clone)]
pub struct Cache {}

pub fn answer(_state: &mut State, _request: &Request) -> Reply {
    *refuse(501, "the twin does not play this yet")
}
