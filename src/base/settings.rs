//! Tables of interchangeable things, each with the settings it takes.

use std::fmt;

use super::{Diagnostics, Node};

/// One entry of a family such as the estimators: a const slice of these is the family.
pub struct Kind<T: ?Sized + 'static> {
    /// As written in `mlops.yaml`.
    pub name: &'static str,
    /// One line for the reference and for hints.
    pub summary: &'static str,
    /// JSON Schema of its settings (an object schema with `properties`, each with `description` and `default`).
    pub schema: fn() -> serde_json::Value,
    /// Reads and checks its settings; `None` stands for an absent mapping, which means every default.
    pub build: fn(Option<&Node>) -> Result<Box<T>, Diagnostics>,
}

impl<T: ?Sized> fmt::Debug for Kind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("name", &self.name).finish_non_exhaustive()
    }
}
