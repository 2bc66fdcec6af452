//! GitHub: what its runner tells a job, and what a job tells GitHub. Takes text, annotations and numbers, never facts.

mod repository;

pub use repository::Repository;
