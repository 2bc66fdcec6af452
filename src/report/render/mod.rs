//! How a document looks in one medium, and the one place where text is escaped for it. Pure.

mod html;
mod json;
mod lines;
mod markdown;
mod pairs;
mod svg;
mod terminal;

pub use html::Html;
pub use json::Json;
pub use markdown::Markdown;
pub use terminal::Terminal;

use super::document::Document;

pub trait Render {
    fn render(&self, document: &Document) -> String;
}

/// One finished section of a report that may give way.
struct Part {
    key: &'static str,
    priority: u8,
    text: String,
}

/// Keeps the most important parts whose texts fit into `limit` bytes together, in their order; a part of priority 0
/// stays in any case. Returns the keys of what was left out.
fn fit(parts: &mut Vec<Part>, limit: usize) -> Vec<&'static str> {
    let mut left_out = Vec::new();
    let mut total: usize = parts.iter().map(|part| part.text.len()).sum();
    while total > limit {
        let least = (0..parts.len())
            .filter(|index| parts[*index].priority > 0)
            .max_by_key(|index| parts[*index].priority);
        let Some(least) = least else { break };
        let part = parts.remove(least);
        total -= part.text.len();
        left_out.push(part.key);
    }
    left_out
}
