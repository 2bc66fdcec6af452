//! Columns that say nothing, miss much, name rows, or repeat another column. Pure.

use std::collections::BTreeMap;

use super::super::{Column, ColumnType, Role, Values};
use super::statistics::{Key, almost_same_columns, counts, same_columns, share};
use super::{Finding, Level, MAX_EVIDENCE, Table, finding, n_rows, percent, short};

/// Missing values beyond this share are told, and beyond the second one they are a warning.
const SOME_MISSING: f64 = 0.05;
const MOST_MISSING: f64 = 0.5;

/// From this share a single value makes a feature almost constant.
const ALMOST_CONSTANT: f64 = 0.95;

/// Fewer rows than this do not tell an identifier from a measurement.
const MIN_ROWS: usize = 20;

/// A column whose name has one of these tells when something was.
const CALENDAR: &[&str] = &[
    "year", "date", "time", "month", "week", "day", "quarter", "period", "age",
];

pub fn findings(table: &Table<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for column in table.used() {
        let counts = counts(column);
        let is_feature = table.is_feature(&column.name);
        found.extend(missing(table, column, counts.is_empty()));
        if is_feature {
            found.extend(constant(table, column, &counts));
            found.extend(identifier(table, column, counts.len()));
        }
    }
    found.extend(repeated(table));
    found.extend(almost_repeated(table));
    found
}

fn missing(table: &Table<'_>, column: &Column, is_empty: bool) -> Option<Finding> {
    let name = &column.name;
    if is_empty {
        let message = format!("`{name}` has no value in any row; add it to `data.exclude`, or find out where it went");
        return Some(finding("empty-column", Level::Warn, column, message, Vec::new()));
    }
    let n_missing = column.n_missing();
    let of_all = share(n_missing, table.frame.n_rows());
    if of_all <= SOME_MISSING {
        return None;
    }
    let rows: Vec<usize> = (0..table.frame.n_rows())
        .filter(|&row| column.is_missing(row))
        .take(MAX_EVIDENCE)
        .collect();
    let (level, what) = if of_all >= MOST_MISSING {
        (
            Level::Warn,
            "what is filled in weighs more than what is known; exclude it, or replace it by whether it is known"
                .to_owned(),
        )
    } else {
        (
            Level::Info,
            // Two steps of five per cent above what is missing today.
            format!(
                "a limit such as `nulls: {}%` in the contract tells when it becomes more",
                5.0 * ((of_all * 20.0).floor() + 2.0)
            ),
        )
    };
    Some(finding(
        "missing-values",
        level,
        column,
        format!(
            "`{name}` is missing in {} ({}); {what}",
            n_rows(n_missing),
            percent(of_all)
        ),
        table.evidence(column, &rows),
    ))
}

fn constant(table: &Table<'_>, column: &Column, counts: &[(Key<'_>, usize)]) -> Option<Finding> {
    let (value, n_most) = counts.first()?;
    let (name, value) = (&column.name, short(&value.label()));
    if counts.len() == 1 {
        let message = if column.n_missing() == 0 {
            format!("`{name}` is `{value}` in every row, so nothing can be learned from it; add it to `data.exclude`")
        } else {
            format!(
                "`{name}` is `{value}` wherever it is known, so only whether it is known can be learned from it; make that a \
                 column of yes and no, or add it to `data.exclude`"
            )
        };
        return Some(finding("constant-column", Level::Warn, column, message, Vec::new()));
    }
    let of_all = share(*n_most, table.frame.n_rows());
    let n_other: usize = counts.iter().skip(1).map(|(_, count)| count).sum();
    (of_all >= ALMOST_CONSTANT).then(|| {
        finding(
            "almost-constant",
            Level::Info,
            column,
            format!(
                "`{name}` is `{value}` in {} of all rows, and {} with another value {} little to learn from",
                percent(of_all),
                n_rows(n_other),
                if n_other == 1 { "is" } else { "are" }
            ),
            Vec::new(),
        )
    })
}

/// Whole numbers that count rows, and texts that are nearly all different. Texts that are all different are a leak.
fn identifier(table: &Table<'_>, column: &Column, n_distinct: usize) -> Option<Finding> {
    let n = table.frame.n_rows() - column.n_missing();
    if n < MIN_ROWS || table.settings.time == Some(&column.name) {
        return None;
    }
    let name = &column.name;
    match &column.values {
        Values::Numbers(numbers) if column.kind == ColumnType::Integer && counts_rows(name, numbers, n_distinct) => {
            let message = format!(
                "`{name}` is another whole number in each of {}, without wide gaps, which names the row rather than \
                 describes it; add it to `data.exclude`",
                n_rows(n)
            );
            Some(finding("identifier", Level::Warn, column, message, Vec::new()))
        }
        Values::Texts { .. } if n_distinct < n && share(n_distinct, n) >= 0.95 => {
            let message = format!(
                "`{name}` has {n_distinct} different texts in {}: names or free text, of which a model here keeps only the \
                 most frequent ones; exclude it, or make features of it",
                n_rows(n)
            );
            Some(finding("identifier", Level::Info, column, message, Vec::new()))
        }
        Values::Numbers(_) | Values::Texts { .. } => None,
    }
}

/// Whether whole numbers are all known, all different and dense, and do not count days or years.
pub fn counts_rows(name: &str, numbers: &[f64], n_distinct: usize) -> bool {
    let lower = name.to_lowercase();
    let (low, high) = numbers
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(*v), high.max(*v))
        });
    n_distinct == numbers.len()
        && numbers.len() >= MIN_ROWS
        && high - low < 2.0 * numbers.len() as f64
        && !CALENDAR.iter().any(|word| lower.contains(word))
}

fn repeated(table: &Table<'_>) -> Vec<Finding> {
    let columns = table.frame.columns();
    let is_feature = |index: &usize| table.roles.get(*index) == Some(&Role::Feature);
    let mut found = Vec::new();
    for group in same_columns(table.frame) {
        let features: Vec<usize> = group.into_iter().filter(is_feature).collect();
        let Some((first, others)) = features.split_first() else {
            continue;
        };
        // Columns that never change are told as such.
        if counts(&columns[*first]).len() < 2 {
            continue;
        }
        for other in others {
            let message = format!(
                "`{}` is the same as `{}` in every row; add one of them to `data.exclude`",
                columns[*other].name, columns[*first].name
            );
            found.push(finding(
                "duplicate-column",
                Level::Warn,
                &columns[*other],
                message,
                Vec::new(),
            ));
        }
    }
    found
}

fn almost_repeated(table: &Table<'_>) -> Vec<Finding> {
    let columns = table.frame.columns();
    let n = table.frame.n_rows();
    let is_feature = |index: usize| table.roles.get(index) == Some(&Role::Feature);
    let almost = almost_same_columns(table.frame);
    let mut most: BTreeMap<usize, f64> = BTreeMap::new();
    for index in almost.iter().flat_map(|(a, b, _)| [*a, *b]) {
        let n_most = || counts(&columns[index]).first().map_or(0, |(_, count)| *count);
        most.entry(index).or_insert_with(|| share(n_most(), n));
    }
    almost
        .into_iter()
        .filter(|(a, b, share)| is_feature(*a) && is_feature(*b) && *share < 1.0)
        // Two columns that are nearly always 0 agree by chance.
        .filter(|(a, b, equal)| most[a].max(most[b]) < *equal - 0.05)
        .filter_map(|(a, b, equal)| {
            let (a, b) = (&columns[a], &columns[b]);
            let differ = |row: &usize| a.cell(*row) != b.cell(*row);
            let n_differ = (0..n).filter(differ).count();
            let rows = (0..n).filter(differ).take(MAX_EVIDENCE);
            let said = |row: usize| {
                let value = |column: &Column| {
                    let label = column.label(row);
                    let label = label.as_deref().map_or("missing".to_owned(), short);
                    format!("{} = {label}", column.name)
                };
                format!("{}: {}, {}", table.frame.place(row), value(a), value(b))
            };
            (n_differ > 0).then(|| {
                let message = format!(
                    "`{}` is the same as `{}` in {} of all rows and differs in {}; if one is a copy of the other, correct \
                     these and exclude it",
                    b.name,
                    a.name,
                    percent(equal),
                    n_rows(n_differ)
                );
                finding("almost-duplicate", Level::Info, b, message, rows.map(said).collect())
            })
        })
        .collect()
}
