//! A table in memory: numbers as `f64`, texts as codes into their levels. Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::base::{Diagnostic, Digest, nearest};

use super::{digest, sort};

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

impl ColumnType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::Timestamp => "timestamp",
        }
    }

    /// With an article, for messages.
    pub fn article(self) -> &'static str {
        match self {
            Self::Float => "a number",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
            Self::Text => "a text",
            Self::Timestamp => "an ISO 8601 date or time",
        }
    }
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

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts { codes, .. } => codes.len(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: ColumnType,
    pub values: Values,
}

impl Column {
    /// The value of a row; missing beyond the end.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        match &self.values {
            Values::Numbers(numbers) => match numbers.get(row) {
                Some(number) if !number.is_nan() => Cell::Number(*number),
                Some(_) | None => Cell::Missing,
            },
            Values::Texts { codes, levels } => codes
                .get(row)
                .and_then(|&code| levels.get(code as usize))
                .map_or(Cell::Missing, |level| Cell::Text(level)),
        }
    }

    pub fn is_missing(&self, row: usize) -> bool {
        self.cell(row) == Cell::Missing
    }

    /// How the value of a row is written; `None` when it is missing.
    pub fn label(&self, row: usize) -> Option<Cow<'_, str>> {
        match self.cell(row) {
            Cell::Missing => None,
            Cell::Text(text) => Some(Cow::Borrowed(text)),
            Cell::Number(number) => Some(Cow::Owned(number_label(self.kind, number))),
        }
    }

    pub fn n_missing(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.iter().filter(|number| number.is_nan()).count(),
            Values::Texts { codes, .. } => codes.iter().filter(|&&code| code == MISSING).count(),
        }
    }

    /// The distinct values that occur, ascending (texts in byte order), or `None` when there are more than `limit`.
    ///
    /// Every value comes as its label and the number of rows that have it; missing ones are left out.
    pub fn distinct(&self, limit: usize) -> Option<Vec<(String, usize)>> {
        match &self.values {
            Values::Numbers(numbers) => {
                let mut seen: Vec<(u64, usize)> = Vec::new();
                for number in numbers.iter().filter(|number| !number.is_nan()) {
                    let key = sort::ordered(*number);
                    match seen.binary_search_by_key(&key, |(key, _)| *key) {
                        Ok(at) => seen[at].1 += 1,
                        Err(_) if seen.len() == limit => return None,
                        Err(at) => seen.insert(at, (key, 1)),
                    }
                }
                let label = |(key, count)| (number_label(self.kind, sort::unordered(key)), count);
                Some(seen.into_iter().map(label).collect())
            }
            Values::Texts { codes, levels } => {
                let mut counts = vec![0_usize; levels.len()];
                for &code in codes {
                    if let Some(count) = counts.get_mut(code as usize) {
                        *count += 1;
                    }
                }
                let used = levels.iter().zip(counts).filter(|(_, count)| *count > 0);
                let mut used: Vec<_> = used.map(|(level, count)| (level.clone(), count)).collect();
                used.sort_unstable();
                (used.len() <= limit).then_some(used)
            }
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        let values = match &self.values {
            Values::Numbers(numbers) => Values::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Values::Texts { codes, levels } => {
                // Levels that no longer occur are dropped, so that a selection equals the same rows read from a file.
                let mut renamed = vec![MISSING; levels.len()];
                let mut kept = Vec::new();
                let codes = rows.iter().map(|&row| {
                    let code = codes[row];
                    if code == MISSING {
                        return MISSING;
                    }
                    let new = &mut renamed[code as usize];
                    if *new == MISSING {
                        *new = u32::try_from(kept.len()).unwrap_or(MISSING);
                        kept.push(levels[code as usize].clone());
                    }
                    *new
                });
                Values::Texts {
                    codes: codes.collect(),
                    levels: kept,
                }
            }
        };
        Self {
            name: self.name.clone(),
            kind: self.kind,
            values,
        }
    }
}

/// How a number of a column is written: shortest digits that read back as the same number, no `.0`, `true`/`false`,
/// ISO 8601 in UTC (a date alone at midnight).
pub fn number_label(kind: ColumnType, number: f64) -> String {
    match kind {
        ColumnType::Boolean => (number != 0.0).to_string(),
        ColumnType::Timestamp => time_label(number),
        ColumnType::Float | ColumnType::Integer | ColumnType::Text => {
            let magnitude = number.abs();
            if magnitude != 0.0 && !(1e-5..1e16).contains(&magnitude) {
                format!("{number:e}")
            } else {
                (number + 0.0).to_string()
            }
        }
    }
}

fn time_label(seconds: f64) -> String {
    // Seconds of this century are exact to a quarter of a microsecond as a number.
    #[expect(clippy::cast_possible_truncation, reason = "beyond the range of jiff, which says so")]
    let microseconds = (seconds * 1e6).round() as i64;
    let moment = jiff::Timestamp::from_microsecond(microseconds);
    match moment {
        Ok(moment) => {
            let text = moment.to_string();
            match text.strip_suffix("T00:00:00Z") {
                Some(date) => date.to_owned(),
                None => text,
            }
        }
        Err(_) => format!("{seconds} s"),
    }
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

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why columns do not make a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("column `{column}` has {found} values, not {expected}")]
    Length {
        column: String,
        expected: usize,
        found: usize,
    },
    #[error("column `{0}` occurs twice")]
    Duplicate(String),
    #[error("column `{0}` has a code without a level")]
    Code(String),
    #[error("the files' rows do not add up")]
    Files,
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

impl FileRows {
    fn line(&self, row: usize) -> u64 {
        let index = row - self.first_row;
        match self.lines.get(index) {
            Some(line) => u64::from(*line),
            None => self.first_line + index as u64,
        }
    }
}

impl Frame {
    /// A table of `n_rows` rows; `files` says where they are from, in order of their first rows.
    ///
    /// # Errors
    /// When the lengths differ, a name occurs twice, or a text's code has no level.
    pub fn new(columns: Vec<Column>, n_rows: usize, files: Vec<FileRows>) -> Result<Self, FrameError> {
        let mut names = std::collections::BTreeSet::new();
        for column in &columns {
            if column.values.len() != n_rows {
                return Err(FrameError::Length {
                    column: column.name.clone(),
                    expected: n_rows,
                    found: column.values.len(),
                });
            }
            if !names.insert(column.name.as_str()) {
                return Err(FrameError::Duplicate(column.name.clone()));
            }
            if let Values::Texts { codes, levels } = &column.values
                && codes
                    .iter()
                    .any(|&code| code != MISSING && code as usize >= levels.len())
            {
                return Err(FrameError::Code(column.name.clone()));
            }
        }
        let starts_at_zero = files.first().is_none_or(|file| file.first_row == 0);
        let ascending = files.is_sorted_by_key(|file| file.first_row);
        if !starts_at_zero || !ascending || files.last().is_some_and(|file| file.first_row > n_rows) {
            return Err(FrameError::Files);
        }
        Ok(Self { columns, n_rows, files })
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The column, or the error that names the nearest one; the caller adds the place.
    pub fn find(&self, name: &str) -> Result<&Column, Diagnostic> {
        self.column(name).ok_or_else(|| {
            let problem = Diagnostic::error("unknown-column", format!("there is no column `{name}` in the data"));
            let names = self.columns.iter().map(|column| column.name.as_str());
            if let Some(near) = nearest(name, names.clone()) {
                return problem.help(format!("did you mean `{near}`?"));
            }
            let more = if self.columns.len() > 20 { ", …" } else { "" };
            let names: Vec<&str> = names.take(20).collect();
            problem.help(format!("the columns are: {}{more}", names.join(", ")))
        })
    }

    /// Where a row was read from; a row of a table that was made in memory is in no file.
    pub fn place(&self, row: usize) -> Place {
        let after = self.files.partition_point(|file| file.first_row <= row);
        match after.checked_sub(1).and_then(|index| self.files.get(index)) {
            Some(file) => Place {
                file: file.name.clone(),
                line: file.line(row),
            },
            None => Place {
                file: String::new(),
                line: row as u64 + 1,
            },
        }
    }

    /// These rows, in this order, each keeping its place.
    ///
    /// # Panics
    /// When a row is not below `n_rows`.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut files: Vec<FileRows> = Vec::new();
        let mut source = None;
        for (new_row, &row) in rows.iter().enumerate() {
            let index = self.files.partition_point(|file| file.first_row <= row);
            if source != Some(index) {
                source = Some(index);
                let name = index
                    .checked_sub(1)
                    .map_or(String::new(), |at| self.files[at].name.clone());
                files.push(FileRows {
                    name,
                    first_row: new_row,
                    lines: Vec::new(),
                    first_line: 0,
                });
            }
            let line = index
                .checked_sub(1)
                .map_or(row as u64 + 1, |at| self.files[at].line(row));
            if let Some(file) = files.last_mut() {
                file.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
            }
        }
        Self {
            columns: self.columns.iter().map(|column| column.select(rows)).collect(),
            n_rows: rows.len(),
            files,
        }
    }

    /// The digest of names, types and values in their order; the same whatever file format they came from.
    pub fn digest(&self) -> Digest {
        digest::of_frame(self)
    }

    /// A 128-bit digest of every row over these columns: equal rows have equal digests, whatever the order of levels.
    pub fn row_digests(&self, columns: &[usize]) -> Vec<u128> {
        digest::of_rows(self, columns)
    }

    /// The digest of a set of rows over every column; the order of the rows does not matter.
    pub fn digest_of_rows(&self, rows: &[usize]) -> Digest {
        digest::of_row_set(self, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    #[test]
    fn labels_are_shortest_and_without_noise() {
        let label = number_label;
        assert_eq!(label(ColumnType::Float, 0.1), "0.1");
        assert_eq!(label(ColumnType::Float, 3.0), "3");
        assert_eq!(label(ColumnType::Float, -0.0), "0");
        assert_eq!(label(ColumnType::Float, 1e300), "1e300");
        assert_eq!(label(ColumnType::Integer, 9_007_199_254_740_992.0), "9007199254740992");
        assert_eq!(label(ColumnType::Boolean, 1.0), "true");
        assert_eq!(label(ColumnType::Timestamp, 0.0), "1970-01-01");
        assert_eq!(label(ColumnType::Timestamp, 86_399.5), "1970-01-01T23:59:59.5Z");
        assert_eq!(label(ColumnType::Timestamp, -1.0), "1969-12-31T23:59:59Z");
        assert!(label(ColumnType::Timestamp, 1e300).ends_with(" s"));
    }

    #[test]
    fn refuses_columns_that_make_no_table() {
        let wrong = |columns, n_rows| Frame::new(columns, n_rows, Vec::new()).unwrap_err().to_string();
        assert_eq!(wrong(vec![numbers("a", &[1.0])], 2), "column `a` has 1 values, not 2");
        assert_eq!(
            wrong(vec![numbers("a", &[1.0]), numbers("a", &[1.0])], 1),
            "column `a` occurs twice"
        );
        let mut column = texts("t", &["x"]);
        column.values = Values::Texts {
            codes: vec![7],
            levels: vec![],
        };
        assert_eq!(wrong(vec![column], 1), "column `t` has a code without a level");
    }

    #[test]
    fn a_selection_keeps_places_and_drops_unused_levels() {
        let columns = vec![
            texts("t", &["b", "a", "", "b"]),
            numbers("x", &[1.0, 2.0, f64::NAN, 4.0]),
        ];
        let file = |name: &str, first_row, first_line| FileRows {
            name: name.to_owned(),
            first_row,
            lines: Vec::new(),
            first_line,
        };
        let table = Frame::new(columns, 4, vec![file("a.csv", 0, 2), file("b.csv", 3, 2)]).unwrap();
        let part = table.select(&[3, 1]);
        assert_eq!(part.place(0).to_string(), "b.csv:2");
        assert_eq!(part.place(1).to_string(), "a.csv:3");
        assert_eq!(part.columns()[0].label(1).as_deref(), Some("a"));
        assert_eq!(
            part.select(&[1]).columns()[0].distinct(9),
            Some(vec![("a".to_owned(), 1)])
        );
        assert_eq!(table.columns()[1].n_missing(), 1);
        assert_eq!(table.columns()[0].cell(2), Cell::Missing);
        assert_eq!(table.columns()[1].distinct(2), None);
    }

    #[test]
    fn names_the_nearest_column() {
        let table = frame(vec![numbers("progression", &[1.0])]);
        let problem = table.find("progresion").unwrap_err();
        assert_eq!(problem.help.as_deref(), Some("did you mean `progression`?"));
    }
}
