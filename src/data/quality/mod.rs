//! What a reviewer should know about data before trusting a model of it. Pure: the present moment is an argument.
//!
//! Every finding names the column, the number, what it means and what to do. Statistics only describe; findings are
//! few, and none of them stops a run: what must not be belongs into the contract.

mod columns;
mod numbers;
mod rows;
mod statistics;
#[cfg(test)]
mod tests;
mod texts;
mod times;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::task::short;
use super::{Column, Frame, Role};
use crate::base::Task;

pub use columns::counts_rows;
pub use statistics::{DatasetStats, statistics};

/// Evidence beyond this is only counted.
const MAX_EVIDENCE: usize = 5;

/// Columns with the same finding that have a sentence each; the others are named together.
const MAX_PER_CODE: usize = 8;

/// How much a finding asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Somebody probably wants to change something.
    Warn,
    /// Good to know.
    Info,
}

/// One thing to know about the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// `duplicate-rows`, `empty-rows`, `label-conflicts`, `rare-classes`, `empty-column`, `constant-column`,
    /// `almost-constant`, `missing-values`, `identifier`, `duplicate-column`, `almost-duplicate`, `infinite`,
    /// `missing-code`, `outliers`, `mixed-types`, `missing-spelling`, `variants`, `future`, `gaps`.
    pub code: String,
    pub level: Level,
    /// `None`: about rows as a whole, or about several columns.
    pub column: Option<String>,
    /// A sentence without a full stop; names and values between backticks.
    pub message: String,
    /// `data/x.csv:17: age = 999`, at most five.
    pub evidence: Vec<String>,
}

/// What the findings are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct QualitySettings<'a> {
    /// `None`: found from the target's type.
    pub task: Option<Task>,
    /// The column of time, when the configuration names one.
    pub time: Option<&'a str>,
    /// The present, in seconds of Unix time; `None`: no date is in the future.
    pub now: Option<f64>,
}

/// What there is to know about the data, warnings first, then in the order of the table.
///
/// `roles` are those of the columns, in their order; excluded columns are only looked at as parts of rows. Time
/// O(cells · log rows); at most nine findings of each kind.
pub fn quality(frame: &Frame, roles: &[Role], settings: &QualitySettings<'_>) -> Vec<Finding> {
    if frame.n_rows() == 0 {
        return Vec::new();
    }
    let table = Table { frame, roles, settings };
    let mut found = rows::findings(&table);
    found.extend(columns::findings(&table));
    found.extend(table.used().flat_map(|column| numbers::findings(&table, column)));
    found.extend(table.used().flat_map(|column| texts::findings(&table, column)));
    found.extend(table.used().flat_map(|column| times::findings(&table, column)));
    let mut found = fewer(found);
    found.sort_by_key(|finding| finding.level);
    found
}

/// What every look at the data needs.
struct Table<'a> {
    frame: &'a Frame,
    roles: &'a [Role],
    settings: &'a QualitySettings<'a>,
}

impl<'a> Table<'a> {
    fn of_role(&self, role: Role) -> impl Iterator<Item = &'a Column> {
        let columns = self.frame.columns().iter().zip(self.roles);
        columns.filter(move |(_, of)| **of == role).map(|(column, _)| column)
    }

    /// Every column that is not excluded.
    fn used(&self) -> impl Iterator<Item = &'a Column> {
        let columns = self.frame.columns().iter().zip(self.roles);
        columns
            .filter(|(_, role)| **role != Role::Excluded)
            .map(|(column, _)| column)
    }

    fn is_feature(&self, name: &str) -> bool {
        self.of_role(Role::Feature).any(|column| column.name == name)
    }

    /// The first rows as evidence.
    fn evidence(&self, column: &Column, rows: &[usize]) -> Vec<String> {
        rows.iter()
            .take(MAX_EVIDENCE)
            .map(|&row| {
                let value = column.label(row);
                let value = value.as_deref().map_or("missing".to_owned(), short);
                format!("{}: {} = {value}", self.frame.place(row), column.name)
            })
            .collect()
    }
}

fn finding(code: &str, level: Level, column: &Column, message: String, evidence: Vec<String>) -> Finding {
    Finding {
        code: code.to_owned(),
        level,
        column: Some(column.name.clone()),
        message,
        evidence,
    }
}

/// At most [`MAX_PER_CODE`] findings of a kind; the columns of the others are named in one.
fn fewer(found: Vec<Finding>) -> Vec<Finding> {
    let mut n_of: BTreeMap<(String, Level), usize> = BTreeMap::new();
    let mut more: BTreeMap<(String, Level), Vec<String>> = BTreeMap::new();
    let mut kept = Vec::new();
    for finding in found {
        let kind = (finding.code.clone(), finding.level);
        let n = n_of.entry(kind.clone()).or_default();
        *n += 1;
        if *n <= MAX_PER_CODE {
            kept.push(finding);
        } else {
            more.entry(kind).or_default().extend(finding.column);
        }
    }
    kept.extend(more.into_iter().map(|((code, level), columns)| {
        let shown: Vec<String> = columns
            .iter()
            .take(10)
            .map(|name| format!("`{}`", short(name)))
            .collect();
        let rest = if columns.len() > 10 { ", …" } else { "" };
        Finding {
            code,
            level,
            column: None,
            message: format!(
                "the same holds for {} more columns: {}{rest}",
                columns.len(),
                shown.join(", ")
            ),
            evidence: Vec::new(),
        }
    }));
    kept
}

/// A share for people: `3.5 %`, `under 0.1 %`.
fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round() / 10.0;
    if share > 0.0 && tenths < 0.1 {
        "under 0.1 %".to_owned()
    } else if share < 1.0 && tenths >= 100.0 {
        "over 99.9 %".to_owned()
    } else {
        format!("{tenths} %")
    }
}

/// `1 row`, `2 rows`.
fn n_rows(n: usize) -> String {
    if n == 1 {
        "1 row".to_owned()
    } else {
        format!("{n} rows")
    }
}
