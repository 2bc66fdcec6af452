//! What `data:` in `mlops.yaml` says, checked. Pure.

use std::collections::BTreeMap;

use crate::base::{Span, Task};

use super::ColumnType;

/// The checked `data:` mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Path or glob, relative to the configuration's directory root.
    pub source: String,
    pub source_span: Span,
    pub target: String,
    pub target_span: Span,
    /// `None`: inferred from the target, and said so.
    pub task: Option<Task>,
    pub exclude: Vec<(String, Span)>,
    /// `None`: 20 % test rows, stratified by the target for classes.
    pub split: Option<Split>,
    pub contract: Option<Contract>,
}

impl Settings {
    /// The types that the contract declares; the reader reads these columns as such instead of inferring.
    pub fn declared_types(&self) -> BTreeMap<String, ColumnType> {
        let columns = self.contract.iter().flat_map(|c| &c.columns);
        columns
            .filter_map(|rule| Some((rule.column.clone(), rule.kind?)))
            .collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    pub kind: SplitKind,
    pub seed: u64,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SplitKind {
    Random {
        test: Size,
    },
    /// Every class of `column` is in both parts in its own share.
    Stratified {
        column: String,
        test: Size,
    },
    /// No value of `column` is in both parts.
    Group {
        column: String,
        test: Size,
    },
    /// The last values of `column` are the test rows; equal values stay together.
    Time {
        column: String,
        test: Size,
    },
    /// Rows where `column` is `test` are the test rows. The data say so, and these say what that must keep: no value of
    /// `group` in both parts, no test row older than a training row by `time`.
    Column {
        column: String,
        test: String,
        group: Option<String>,
        time: Option<String>,
    },
}

/// A share of the rows (0 < share < 1) or a number of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    Share(f64),
    Rows(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    pub min_rows: Option<Bound>,
    pub max_rows: Option<Bound>,
    pub columns: Vec<ColumnRule>,
}

/// A limit and the place where it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    pub value: f64,
    pub span: Span,
}

/// What one column must be.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnRule {
    pub column: String,
    pub span: Span,
    pub kind: Option<ColumnType>,
    /// Both ends included.
    pub range: Option<(f64, f64)>,
    /// The greatest share of missing values, 0 to 1.
    pub max_missing: Option<f64>,
    /// The allowed values, as written in the data (numbers compare as numbers).
    pub one_of: Option<Vec<String>>,
    pub unique: bool,
}
