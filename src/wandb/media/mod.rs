//! What a run shows beside its numbers, as the W&B app and the official client read it. Pure.

mod charts;
mod config;
mod images;
mod rows;
mod tables;

use serde_json::Value as Json;

use super::lines;

pub use charts::{Chart, Preset};
pub use config::{Extras, OWN, config};
pub use images::Image;
pub use rows::{Moment, console_line, history, history_line, summary, summary_line};
pub use tables::{RunTable, Table};

/// A file of a run, and what the history says of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Medium {
    /// `media/images/…`, among the files of the run.
    pub path: String,
    pub bytes: Vec<u8>,
    pub cell: Value,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// May be NaN or infinite.
    Number(f64),
    Whole(i64),
    Truth(bool),
    Text(String),
    Missing,
    /// A picture, a table.
    Json(Json),
}

impl Value {
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// As the lines of a run have it: JSON, but for numbers that JSON does not have.
    pub fn written(&self) -> String {
        match self {
            Self::Number(value) => lines::number(*value),
            Self::Whole(value) => value.to_string(),
            Self::Truth(value) => value.to_string(),
            Self::Text(value) => lines::text(value),
            Self::Missing => "null".to_owned(),
            Self::Json(value) => value.to_string(),
        }
    }
}

/// `media/table/KEY_STEP_ID.table.json`: `/` in the key makes folders, and none of them leads elsewhere.
fn path(folder: &str, key: &str, step: u64, hex: &str, extension: &str) -> String {
    let id = hex.get(..20).unwrap_or(hex);
    format!("media/{folder}/{}_{step}_{id}{extension}", safe(key))
}

/// A key as a path below a folder.
fn safe(key: &str) -> String {
    let part = |part| match part {
        "" | "." => "_",
        ".." => "__",
        other => other,
    };
    key.trim_start_matches('/')
        .split('/')
        .map(part)
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_folder() {
        for (key, expected) in [
            ("rmse", "rmse"),
            ("pre/tab le", "pre/tab le"),
            ("//a/../b/./c", "a/__/b/_/c"),
            ("a//b", "a/_/b"),
            ("..", "__"),
            ("/", "_"),
            ("a.b/...", "a.b/..."),
        ] {
            assert_eq!(safe(key), expected);
        }
    }

    #[test]
    fn values_are_written_as_python_writes_them() {
        for (value, expected) in [
            (Value::Number(0.1), "0.1"),
            (Value::Number(3.0), "3.0"),
            (Value::Number(f64::NAN), "NaN"),
            (Value::Number(f64::NEG_INFINITY), "-Infinity"),
            (Value::Whole(i64::MIN), "-9223372036854775808"),
            (Value::Truth(true), "true"),
            (Value::Text("é\"\n".to_owned()), "\"é\\\"\\n\""),
            (Value::Missing, "null"),
            (Value::Json(serde_json::json!({"a": [1]})), "{\"a\":[1]}"),
        ] {
            assert_eq!(value.written(), expected);
        }
    }
}
