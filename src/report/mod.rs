//! Facts → document → text. Pure; a renderer never computes.
//!
//! [`sections`] decides what is said and in which order of importance, as typed pieces; a renderer decides how it
//! looks in one medium, and is the only place where text is escaped for that medium.

mod document;
mod format;
mod render;
mod sections;
mod text;

#[cfg(test)]
pub mod fixtures;
#[cfg(test)]
mod tests;

pub use document::{Document, Tone};
pub use render::{Html, Json, Markdown, Render, Terminal};
pub use sections::{
    Around, VersionRow, around, document_title, drift_document, gate, help, problems, refusal, registry, sections,
    statement, title,
};
