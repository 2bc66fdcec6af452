//! The repository's Python environment: found by its files, built from its lock, used again while nothing changed.

mod conda;
mod detect;
mod error;
mod marker;
mod pipenv;
mod poetry;
mod python;
mod requirements;
mod requirements_txt;
#[cfg(test)]
mod testing;
mod toml_json;
