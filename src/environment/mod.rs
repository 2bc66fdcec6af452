//! The repository's Python environment: found by its files, built from its lock, used again while nothing changed.
//!
//! `detect` says what the files describe, `plan` which steps build it (both pure), `prepare` takes them, `travel`
//! packs what they made for another job (edge).

mod conda;
mod detect;
mod error;
mod explain;
mod marker;
mod pipenv;
mod plan;
mod poetry;
mod prepare;
mod python;
mod requirements;
mod requirements_txt;
mod tarball;
#[cfg(test)]
mod testing;
mod toml_json;
mod travel;

pub use error::{EnvironmentError, Fault};
pub use plan::Plan;
pub use prepare::{Around, Prepared, Settings, find, is_there, planned, prepare};
pub use travel::{key, pack, unpack};
