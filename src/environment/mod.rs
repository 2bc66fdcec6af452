//! The repository's Python environment: found by its files, built from its lock, used again while nothing changed.

mod error;
mod marker;
mod pipenv;
mod poetry;
mod python;
mod requirements;
#[cfg(test)]
mod testing;
mod toml_json;
