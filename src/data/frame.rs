//! A table in memory: numbers as `f64`, texts as codes into their levels. Pure.

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    Float,
    Integer,
    /// 0.0 and 1.0; written `false` and `true` (any case) in files.
    Boolean,
    Text,
    /// Seconds of Unix time; written as an ISO 8601 date or date and time in files.
    Timestamp,
}

/// The code of a missing text.
pub const MISSING: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// `NaN` is missing; infinities do not occur (a reader refuses them with their place).
    Numbers(Vec<f64>),
    /// `codes[row]` indexes `levels`, or is [`MISSING`]. Levels stand in order of first appearance.
    Texts { codes: Vec<u32>, levels: Vec<String> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub values: Values,
}

/// One value, for evidence and labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Missing,
    Number(f64),
    Text(&'a str),
}

/// Where a row was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: String,
    /// From 1; for Parquet the row number in the file, from 1.
    pub line: u64,
}

/// A table. Every column has `n_rows` values.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    columns: Vec<Column>,
    n_rows: usize,
    /// One entry a file: first row of the frame that came from it, its name, and the line of each of its rows.
    files: Vec<FileRows>,
}

/// The rows of one file within a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRows {
    pub name: String,
    pub first_row: usize,
    /// `lines[i]` is the line of row `first_row + i`; empty when rows are consecutive lines from `first_line`.
    pub lines: Vec<u32>,
    pub first_line: u64,
}

impl Frame {
    /// A frame of equally long columns, without the places of its rows.
    pub fn of(columns: Vec<Column>) -> Self {
        let n_rows = columns.first().map_or(0, |column| match &column.values {
            Values::Numbers(values) => values.len(),
            Values::Texts { codes, .. } => codes.len(),
        });
        Self {
            columns,
            n_rows,
            files: Vec::new(),
        }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn n_rows(&self) -> usize {
        self.n_rows
    }
}
