//! The operations of the GraphQL API: a document each, typed on both sides.

/// One document of `ops/`.
#[derive(Debug)]
pub struct Operation {
    /// As the document names it: `UpsertRun`.
    pub name: &'static str,
    pub text: &'static str,
    /// Whether doing it twice is the same as once, so that it may be repeated when its answer was lost.
    pub is_idempotent: bool,
}
