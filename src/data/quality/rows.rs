//! Rows that repeat, are empty, contradict each other, or have a rare class. Pure.

use std::collections::BTreeMap;

use super::super::{Cell, Column, ColumnType, Role};
use super::statistics::{counts, empty_rows, later_copies, share};
use super::{Finding, Level, MAX_EVIDENCE, Table, finding, n_rows, percent, short};
use crate::base::Task;

/// A class is rare below this many rows and below a tenth of the most frequent one.
const FEW_ROWS: usize = 10;

pub fn findings(table: &Table<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(copies(table));
    found.extend(empty(table));
    if let Some(target) = classes(table) {
        found.extend(conflicts(table, target));
        found.extend(rare(table, target));
    }
    found
}

/// The target, if it is one of classes.
fn classes<'a>(table: &Table<'a>) -> Option<&'a Column> {
    let target = table.of_role(Role::Target).next()?;
    let is_class = match table.settings.task {
        Some(Task::Binary | Task::Multiclass) => true,
        Some(Task::Regression) => false,
        None => matches!(target.kind, ColumnType::Text | ColumnType::Boolean),
    };
    is_class.then_some(target)
}

fn about_rows(code: &str, level: Level, message: String, evidence: Vec<String>) -> Finding {
    Finding {
        code: code.to_owned(),
        level,
        column: None,
        message,
        evidence,
    }
}

/// Rare copies happen by chance where values are coarse; from one in a hundred they are worth a change.
fn copies(table: &Table<'_>) -> Option<Finding> {
    let frame = table.frame;
    let copies = later_copies(frame);
    let of_all = share(copies.len(), frame.n_rows());
    let level = if of_all >= 0.01 { Level::Warn } else { Level::Info };
    let shown = copies
        .iter()
        .take(MAX_EVIDENCE)
        .map(|&(row, first)| format!("{} is the same as {}", frame.place(row), frame.place(first)));
    let verb = if copies.len() == 1 { "is" } else { "are" };
    (!copies.is_empty()).then(|| {
        about_rows(
            "duplicate-rows",
            level,
            format!(
                "{} ({}) {verb} the same as an earlier one in every column; remove what was recorded twice, or a model is \
                 judged on rows that it has seen",
                n_rows(copies.len()),
                percent(of_all)
            ),
            shown.collect(),
        )
    })
}

fn empty(table: &Table<'_>) -> Option<Finding> {
    let rows = empty_rows(table.frame);
    let shown = rows
        .iter()
        .take(MAX_EVIDENCE)
        .map(|&row| table.frame.place(row).to_string());
    let verb = if rows.len() == 1 { "has" } else { "have" };
    (!rows.is_empty()).then(|| {
        about_rows(
            "empty-rows",
            Level::Warn,
            format!(
                "{} {verb} no value in any column; remove them from the file",
                n_rows(rows.len())
            ),
            shown.collect(),
        )
    })
}

/// Rows with the same features and another class: at least the smaller part of each such group is answered wrongly.
fn conflicts(table: &Table<'_>, target: &Column) -> Option<Finding> {
    let frame = table.frame;
    let names = table.of_role(Role::Feature).map(|column| column.name.as_str());
    let features: Vec<usize> = names.filter_map(|name| frame.index(name)).collect();
    if features.is_empty() {
        return None;
    }
    let labels = frame.row_digests(&[frame.index(&target.name)?]);
    let digests = frame.row_digests(&features);
    let mut order: Vec<usize> = (0..frame.n_rows()).filter(|&row| !target.is_missing(row)).collect();
    order.sort_unstable_by_key(|&row| (digests[row], row));
    let (mut n_groups, mut n_in, mut n_wrong, mut n_distinct) = (0, 0, 0, 0);
    let mut shown = Vec::new();
    for group in order.chunk_by(|a, b| digests[*a] == digests[*b]) {
        n_distinct += 1;
        let mut of_label: BTreeMap<u128, usize> = BTreeMap::new();
        for &row in group {
            *of_label.entry(labels[row]).or_default() += 1;
        }
        if of_label.len() > 1 {
            n_groups += 1;
            n_in += group.len();
            n_wrong += group.len() - of_label.values().max().copied().unwrap_or_default();
            let other = group.iter().find(|&&row| labels[row] != labels[group[0]]);
            if let Some(&other) = other {
                shown.push((group[0], other));
            }
        }
    }
    shown.sort_unstable();
    let said = |row: usize| {
        let label = target.label(row).unwrap_or_default();
        format!("{}: {} = {}", frame.place(row), target.name, short(&label))
    };
    let evidence = shown.iter().take(MAX_EVIDENCE);
    let evidence = evidence.map(|&(first, other)| format!("{}, {}", said(first), said(other)));
    // Where most rows share their features with others, the features are coarse and classes overlap by nature.
    let is_coarse = 2 * n_distinct < order.len();
    let of_all = share(n_wrong, order.len());
    let level = if !is_coarse && of_all >= 0.01 {
        Level::Warn
    } else {
        Level::Info
    };
    let what = if is_coarse {
        "the features are few or coarse, so no model does better; add features that tell them apart"
    } else {
        "check their labels, or add the feature that tells them apart"
    };
    let groups = if n_groups == 1 {
        "1 group"
    } else {
        &format!("{n_groups} groups")
    };
    (n_groups > 0).then(|| {
        finding(
            "label-conflicts",
            level,
            target,
            format!(
                "{} have the same features as another row and a different `{}`, in {groups}, so that every model answers at \
                 least {} ({}) wrongly; {what}",
                n_rows(n_in),
                target.name,
                n_rows(n_wrong),
                percent(of_all)
            ),
            evidence.collect(),
        )
    })
}

fn rare(table: &Table<'_>, target: &Column) -> Option<Finding> {
    let counts = counts(target);
    let n_most = counts.first().map(|(_, count)| *count)?;
    let is_rare = |count: usize| count < FEW_ROWS && 10 * count < n_most;
    let rare: Vec<(String, usize)> = counts
        .iter()
        .filter(|(_, count)| is_rare(*count))
        .map(|(key, count)| (key.label(), *count))
        .collect();
    let (first, _) = rare.first()?;
    let shown: Vec<String> = rare
        .iter()
        .take(MAX_EVIDENCE)
        .map(|(label, count)| format!("`{}` ({})", short(label), n_rows(*count)))
        .collect();
    let more = if rare.len() > MAX_EVIDENCE { ", …" } else { "" };
    let rows: Vec<usize> = (0..table.frame.n_rows())
        .filter(|&row| match target.cell(row) {
            Cell::Missing => false,
            Cell::Number(_) | Cell::Text(_) => target.label(row).as_deref() == Some(first),
        })
        .take(MAX_EVIDENCE)
        .collect();
    let classes = if rare.len() == 1 {
        "1 class"
    } else {
        &format!("{} classes", rare.len())
    };
    let verb = if rare.len() == 1 { "has" } else { "have" };
    Some(finding(
        "rare-classes",
        Level::Warn,
        target,
        format!(
            "{classes} of `{}` {verb} fewer than {FEW_ROWS} rows and under a tenth of the most frequent one: {}{more}; what is \
             measured there is chance, so collect more such rows, merge classes, or leave them out",
            target.name,
            shown.join(", ")
        ),
        table.evidence(target, &rows),
    ))
}
