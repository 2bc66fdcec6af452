//! What a tracker is told about a run: values only, whoever keeps them. Pure.

use std::collections::BTreeMap;

pub use super::Content;
use crate::base::Timestamp;

/// A run as it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStart {
    /// The same for the same job, so that a repeated one takes it up again: `gh-17-1-evaluate`.
    pub id: String,
    pub display_name: String,
    pub group: Option<String>,
    /// `evaluate`, `publish`, `retrain`, `promote`.
    pub job_type: String,
    pub tags: Vec<String>,
    /// Markdown: the pull request, the workflow run, the commit, each a link.
    pub notes: Option<String>,
    pub config: BTreeMap<String, serde_json::Value>,
    pub git: Option<GitState>,
    pub program: String,
    pub host: Option<String>,
    pub started: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitState {
    pub remote: String,
    pub commit: String,
}

/// What a run found, when it is over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunEnd {
    /// Joins what the run began with.
    pub config: BTreeMap<String, serde_json::Value>,
    /// One row a step: metrics of folds, trials, rounds, windows, and of the evaluation itself.
    pub history: Vec<Row>,
    pub summary: Row,
    pub tables: Vec<Table>,
    pub charts: Vec<Chart>,
    pub images: Vec<Image>,
    /// What the run was given.
    pub data: Option<Dataset>,
    /// The version that it was compared with, as its name in the registry: `diabetes:v3`.
    pub met: Option<String>,
    /// What it made, where no registry has it.
    pub model: Option<Model>,
    /// Kept beside the run: `report.html`.
    pub files: Vec<RunFile>,
    pub exit_code: u8,
    /// One sentence for whoever is told that it failed.
    pub reason: String,
}

/// A model with its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub name: String,
    pub metadata: serde_json::Value,
    pub files: BTreeMap<String, Content>,
}

/// What a run was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `diabetes-data`.
    pub name: String,
    pub metadata: serde_json::Value,
    pub entries: BTreeMap<String, DataEntry>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DataEntry {
    File(Content),
    /// It stays where it is.
    Reference {
        uri: String,
        digest: String,
        size_bytes: u64,
    },
}

/// Names, which may be paths such as `test/rmse`, and values.
pub type Row = BTreeMap<String, Cell>;

#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// May be NaN or infinite: trackers can tell.
    Number(f64),
    Whole(i64),
    Truth(bool),
    Text(String),
    Missing,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// `predictions`.
    pub key: String,
    /// Each is another.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    /// What is not in it: `10000 of 123456 rows, evenly taken`.
    pub note: Option<String>,
}

/// A curve or a cloud over the columns of a table of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub key: String,
    pub title: String,
    pub kind: ChartKind,
    pub x: String,
    pub y: String,
    /// The column that tells lines apart.
    pub stroke: Option<String>,
    pub table: Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    Line,
    Scatter,
    /// `x` has the names of the bars.
    Bar,
    /// Of the values of `x`; `y` says what is counted, and is no column.
    Histogram,
}

/// A picture as a PNG.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    pub key: String,
    pub caption: String,
    pub png: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RunFile {
    pub name: String,
    pub content: Content,
}
