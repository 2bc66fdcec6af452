//! What a table is in numbers: rows and columns that repeat or say nothing, and each column's values. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::digest::mix;
use super::super::profile::{PROBABILITIES, Summary, profile};
use super::super::sort::{ordered, unordered};
use super::super::{Column, ColumnType, Frame, MISSING, Values, number_label};

/// Columns beyond this are not compared pair by pair.
const MAX_COMPARED: usize = 200;

/// Nor are more than take so many comparisons of cells: about a second.
const MAX_COMPARISONS: usize = 1_000_000_000;

/// Categories beyond this are only counted.
const MAX_CATEGORIES: usize = 1000;

/// From this share of all rows a value makes a column almost constant, and equal cells make two columns almost the same.
const ALMOST: f64 = 0.95;

/// Integers of at most this many distinct values are categories.
const MAX_INTEGER_CATEGORIES: usize = 10;

/// A table in numbers. Nothing in it is NaN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetStats {
    pub n_rows: usize,
    pub n_columns: usize,
    pub n_number_columns: usize,
    pub n_category_columns: usize,
    pub n_time_columns: usize,
    pub n_text_columns: usize,
    /// Rows that are the same as an earlier one in every column; missing equals missing.
    pub n_duplicated_rows: usize,
    /// Pairs of columns of one type with the same value in every row; missing equals missing.
    pub n_duplicated_columns: usize,
    /// Pairs of columns of one type with the same known value in at least 95 % of all rows; only the first
    /// `n_compared_columns` are compared.
    pub n_almost_duplicated_columns: usize,
    pub n_compared_columns: usize,
    /// With at most one distinct known value, so that an empty one counts.
    pub n_constant_columns: usize,
    /// With one value in at least 95 % of all rows.
    pub n_almost_constant_columns: usize,
    /// Without any value.
    pub n_empty_rows: usize,
    pub n_empty_columns: usize,
    pub n_missing_cells: usize,
    /// Of all cells, 0 to 1; 0 for a table without cells.
    pub share_missing: f64,
    /// In the order of the table.
    pub columns: Vec<ValueStats>,
}

/// What a column is to a reader of its statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    Number,
    Category,
    Time,
    Text,
}

/// One column in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueStats {
    pub column: String,
    pub kind: ValueKind,
    pub n_rows: usize,
    pub n_missing: usize,
    /// Of the rows, 0 to 1.
    pub share_missing: f64,
    /// Infinite numbers: neither missing nor a part of `values`.
    pub n_infinite: usize,
    /// Missing not counted.
    pub n_distinct: usize,
    /// Rows that have the most frequent value.
    pub n_most: usize,
    pub values: ValueSummary,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueSummary {
    /// No finite value is known.
    Empty,
    /// In the unit of the column.
    Numbers {
        min: f64,
        max: f64,
        mean: f64,
        /// With n − 1; `None` for one value.
        sd: Option<f64>,
        /// At 1/4, 1/2 and 3/4, linear between order statistics.
        quartiles: [f64; 3],
    },
    /// Rows of each value, the most frequent first, then by the value; `n_other` rows have a value beyond these.
    Categories {
        counts: Vec<(String, usize)>,
        n_other: usize,
    },
    /// Seconds of Unix time.
    Times { first: f64, last: f64 },
    /// Texts that are mostly different.
    Texts,
}

/// The numbers of a table.
///
/// Types are those of the field's tools for the same file: integers without a missing value are categories up to ten
/// distinct values; texts are categories if at most half of the known ones are distinct. Time O(cells · log rows), and
/// for almost equal columns at most `MAX_COMPARISONS`, of the first 200 columns or of as many as that allows.
///
/// Source: evidently 0.7.23, `DataSummaryPreset`, but for the share of missing cells, which there is of the rows.
/// Oracle: `fixtures/drift/quality/*-summary/expected.json`.
pub fn statistics(frame: &Frame) -> DatasetStats {
    let infinite: Vec<usize> = frame.columns().iter().map(n_infinite).collect();
    let finite = finite(frame, &infinite);
    let profile = profile(&finite, None);
    let n_rows = frame.n_rows();
    let columns: Vec<ValueStats> = frame
        .columns()
        .iter()
        .zip(profile.columns)
        .zip(&infinite)
        .map(|((column, profile), &n_infinite)| {
            let counts = counts(column);
            let kind = kind(column, counts.len());
            let n_missing = profile.n_missing - n_infinite;
            ValueStats {
                column: column.name.clone(),
                kind,
                n_rows,
                n_missing,
                share_missing: share(n_missing, n_rows),
                n_infinite,
                n_distinct: counts.len(),
                n_most: counts.first().map_or(0, |(_, count)| *count),
                values: values(kind, &profile.summary, counts),
            }
        })
        .collect();
    let of_kind = |kind: ValueKind| columns.iter().filter(|column| column.kind == kind).count();
    let n_missing_cells = columns.iter().map(|column| column.n_missing).sum();
    let n_almost_constant = |column: &&ValueStats| n_rows > 0 && share(column.n_most, n_rows) >= ALMOST;
    DatasetStats {
        n_rows,
        n_columns: columns.len(),
        n_number_columns: of_kind(ValueKind::Number),
        n_category_columns: of_kind(ValueKind::Category),
        n_time_columns: of_kind(ValueKind::Time),
        n_text_columns: of_kind(ValueKind::Text),
        n_duplicated_rows: later_copies(frame).len(),
        n_duplicated_columns: same_columns(frame)
            .iter()
            .map(|group| group.len() * (group.len() - 1) / 2)
            .sum(),
        n_almost_duplicated_columns: almost_same_columns(frame).len(),
        n_compared_columns: n_compared(n_rows, columns.len()),
        n_constant_columns: columns.iter().filter(|column| column.n_distinct <= 1).count(),
        n_almost_constant_columns: columns.iter().filter(n_almost_constant).count(),
        n_empty_rows: empty_rows(frame).len(),
        n_empty_columns: columns.iter().filter(|column| column.n_missing == n_rows).count(),
        n_missing_cells,
        share_missing: share(n_missing_cells, n_rows * columns.len()),
        columns,
    }
}

/// 0 of nothing.
pub fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn n_infinite(column: &Column) -> usize {
    match &column.values {
        Values::Numbers(numbers) => numbers.iter().filter(|number| number.is_infinite()).count(),
        Values::Texts { .. } => 0,
    }
}

/// The table with infinite numbers as missing ones; places are not kept.
fn finite<'a>(frame: &'a Frame, infinite: &[usize]) -> Cow<'a, Frame> {
    if infinite.iter().all(|n| *n == 0) {
        return Cow::Borrowed(frame);
    }
    let known = |number: &f64| if number.is_finite() { *number } else { f64::NAN };
    let columns = frame.columns().iter().map(|column| Column {
        values: match &column.values {
            Values::Numbers(numbers) => Values::Numbers(numbers.iter().map(known).collect()),
            texts @ Values::Texts { .. } => texts.clone(),
        },
        ..column.clone()
    });
    match Frame::new(columns.collect(), frame.n_rows(), Vec::new()) {
        Ok(frame) => Cow::Owned(frame),
        // The same lengths and names as before make a table again.
        Err(_) => Cow::Borrowed(frame),
    }
}

/// Every distinct known value with its rows, the most frequent first, then in ascending order.
pub fn counts(column: &Column) -> Vec<(Key<'_>, usize)> {
    let mut counts: Vec<(Key, usize)> = match &column.values {
        Values::Numbers(numbers) => {
            let mut keys: Vec<u64> = numbers.iter().filter(|v| !v.is_nan()).map(|v| ordered(*v)).collect();
            keys.sort_unstable();
            let runs = keys.chunk_by(|a, b| a == b);
            runs.map(|run| (Key::Number(column.kind, run[0]), run.len())).collect()
        }
        Values::Texts { codes, levels } => {
            let mut counts = vec![0_usize; levels.len()];
            for &code in codes {
                if let Some(count) = counts.get_mut(code as usize) {
                    *count += 1;
                }
            }
            let used = levels.iter().zip(counts).filter(|(_, count)| *count > 0);
            let mut used: Vec<_> = used.map(|(level, count)| (Key::Text(level), count)).collect();
            used.sort_unstable();
            used
        }
    };
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// A value that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// Bits that order as the numbers do.
    Number(ColumnType, u64),
    Text(&'a str),
}

impl Key<'_> {
    pub fn label(&self) -> String {
        match self {
            Self::Number(kind, key) => number_label(*kind, unordered(*key)),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

/// What a column is in statistics.
fn kind(column: &Column, n_distinct: usize) -> ValueKind {
    let n_known = column.values.len() - column.n_missing();
    match column.kind {
        ColumnType::Timestamp => ValueKind::Time,
        // A missing value makes pandas read integers as decimal numbers.
        ColumnType::Integer if n_known == column.values.len() && n_distinct <= MAX_INTEGER_CATEGORIES => {
            ValueKind::Category
        }
        ColumnType::Integer | ColumnType::Float => ValueKind::Number,
        ColumnType::Text if 2 * n_distinct > n_known => ValueKind::Text,
        ColumnType::Boolean | ColumnType::Text => ValueKind::Category,
    }
}

fn values(kind: ValueKind, summary: &Summary, counts: Vec<(Key<'_>, usize)>) -> ValueSummary {
    match (kind, summary) {
        (_, Summary::Empty) => ValueSummary::Empty,
        (ValueKind::Number, Summary::Numbers(numbers)) => {
            let at = |level: f64| {
                let position = PROBABILITIES.iter().position(|p| (p - level).abs() < 1e-9);
                position
                    .and_then(|at| numbers.quantiles.get(at).copied())
                    .unwrap_or(numbers.min)
            };
            let n_known: usize = counts.iter().map(|(_, count)| count).sum();
            ValueSummary::Numbers {
                min: numbers.min,
                max: numbers.max,
                mean: numbers.mean,
                sd: (n_known > 1).then_some(numbers.sd),
                quartiles: [at(0.25), at(0.5), at(0.75)],
            }
        }
        (_, Summary::Times { first, last }) => ValueSummary::Times {
            first: *first,
            last: *last,
        },
        (ValueKind::Text, _) => ValueSummary::Texts,
        (ValueKind::Category | ValueKind::Number | ValueKind::Time, _) => {
            let n_other = counts.iter().skip(MAX_CATEGORIES).map(|(_, count)| count).sum();
            let kept = counts.into_iter().take(MAX_CATEGORIES);
            ValueSummary::Categories {
                counts: kept.map(|(key, count)| (key.label(), count)).collect(),
                n_other,
            }
        }
    }
}

/// Rows that an earlier one is the same as, with that one; ascending.
pub fn later_copies(frame: &Frame) -> Vec<(usize, usize)> {
    let all: Vec<usize> = (0..frame.columns().len()).collect();
    if all.is_empty() {
        return Vec::new();
    }
    let digests = frame.row_digests(&all);
    let mut order: Vec<usize> = (0..digests.len()).collect();
    order.sort_unstable_by_key(|&row| (digests[row], row));
    let mut copies = Vec::new();
    for group in order.chunk_by(|a, b| digests[*a] == digests[*b]) {
        copies.extend(group[1..].iter().map(|&row| (row, group[0])));
    }
    copies.sort_unstable();
    copies
}

/// Rows without any value.
pub fn empty_rows(frame: &Frame) -> Vec<usize> {
    if frame.columns().is_empty() {
        return Vec::new();
    }
    let mut is_empty = vec![true; frame.n_rows()];
    for column in frame.columns() {
        match &column.values {
            Values::Numbers(numbers) => {
                for (is_empty, number) in is_empty.iter_mut().zip(numbers) {
                    *is_empty &= number.is_nan();
                }
            }
            Values::Texts { codes, .. } => {
                for (is_empty, code) in is_empty.iter_mut().zip(codes) {
                    *is_empty &= *code == MISSING;
                }
            }
        }
    }
    (0..is_empty.len()).filter(|&row| is_empty[row]).collect()
}

/// How pandas would keep a column: only columns of one such type are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Integer,
    Float,
    Boolean,
    Object,
    Time,
}

fn kept(column: &Column) -> Kept {
    let is_full = column.n_missing() == 0;
    match column.kind {
        ColumnType::Integer if is_full => Kept::Integer,
        ColumnType::Integer | ColumnType::Float => Kept::Float,
        ColumnType::Boolean if is_full => Kept::Boolean,
        ColumnType::Boolean | ColumnType::Text => Kept::Object,
        ColumnType::Timestamp => Kept::Time,
    }
}

/// Groups of two or more columns with the same values, by index; by a digest of 128 bits, so linear in the cells.
pub fn same_columns(frame: &Frame) -> Vec<Vec<usize>> {
    if frame.n_rows() == 0 {
        return Vec::new();
    }
    let words = Words::of(frame);
    let mut groups: BTreeMap<(Kept, u128), Vec<usize>> = BTreeMap::new();
    for (index, column) in frame.columns().iter().enumerate() {
        let (mut first, mut second) = (0x243f_6a88_85a3_08d3_u64, 0x1319_8a2e_0370_7344_u64);
        for row in 0..frame.n_rows() {
            let key = words.key(index, column, row);
            first = mix(first.rotate_left(5) ^ key);
            second = mix(second.wrapping_add(key).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        let digest = u128::from(first) << 64 | u128::from(second);
        groups.entry((kept(column), digest)).or_default().push(index);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable();
    groups
}

/// How many columns are compared pair by pair.
fn n_compared(n_rows: usize, n_columns: usize) -> usize {
    let allowed = (2 * MAX_COMPARISONS / n_rows.max(1)).isqrt();
    n_columns.min(MAX_COMPARED).min(allowed)
}

/// Pairs of columns that have the same known value in nearly all rows, with that share; of the first [`n_compared`].
pub fn almost_same_columns(frame: &Frame) -> Vec<(usize, usize, f64)> {
    let n = frame.n_rows();
    if n == 0 {
        return Vec::new();
    }
    let words = Words::of(frame);
    let columns: Vec<(&Column, Kept)> = frame
        .columns()
        .iter()
        .take(n_compared(n, frame.columns().len()))
        .map(|column| (column, kept(column)))
        .collect();
    let mut pairs = Vec::new();
    for (i, (a, kept_a)) in columns.iter().enumerate() {
        for (j, (b, kept_b)) in columns.iter().enumerate().skip(i + 1) {
            if kept_a == kept_b
                && let Some(share) = equal_share(n, |row| {
                    let key = words.key(i, a, row);
                    key != Words::NONE && key == words.key(j, b, row)
                })
            {
                pairs.push((i, j, share));
            }
        }
    }
    pairs
}

/// The share of rows that are equal, or `None` as soon as it can not reach [`ALMOST`].
fn equal_share(n: usize, is_equal: impl Fn(usize) -> bool) -> Option<f64> {
    let mut n_other = 0;
    for row in 0..n {
        if !is_equal(row) {
            n_other += 1;
            // The last digit of the share decides at the border, as it would at the end.
            if share(n - n_other, n) < ALMOST {
                return None;
            }
        }
    }
    Some(share(n - n_other, n))
}

/// One number for each text, whatever column it is in.
struct Words {
    /// For each column of texts, the number of each of its levels.
    of_levels: Vec<Vec<u64>>,
}

impl Words {
    /// What is missing; no number has these bits but NaN.
    const NONE: u64 = u64::MAX;

    fn of(frame: &Frame) -> Self {
        let mut known: BTreeMap<&str, u64> = BTreeMap::new();
        let of_levels = frame.columns().iter().map(|column| match &column.values {
            Values::Numbers(_) => Vec::new(),
            Values::Texts { levels, .. } => levels
                .iter()
                .map(|level| {
                    let next = known.len() as u64;
                    *known.entry(level).or_insert(next)
                })
                .collect(),
        });
        Self {
            of_levels: of_levels.collect(),
        }
    }

    fn key(&self, index: usize, column: &Column, row: usize) -> u64 {
        match &column.values {
            Values::Numbers(numbers) => ordered(numbers[row]),
            Values::Texts { codes, .. } => {
                let level = self.of_levels[index].get(codes[row] as usize);
                level.copied().unwrap_or(Self::NONE)
            }
        }
    }
}
