//! What is different from the facts of the last report: settings, data, model.

use std::collections::BTreeSet;

use super::super::document::{Block, Column, Inline, Inlines, Section, Table, code, prose, text};
use super::super::format;
use super::{details, unknown};
use crate::facts::Facts;

/// Changes that the summary line tells.
const MAX_NAMED: usize = 2;

pub fn section(facts: &Facts, before: &Facts) -> Option<Section> {
    let mut rows = Vec::new();
    if let (Some(old), Some(new)) = (&before.training, &facts.training) {
        row(&mut rows, "estimator", Some(&old.estimator), Some(&new.estimator));
        let old_param = |name: &str| old.params.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        for (name, value) in &new.params {
            row(&mut rows, &format!("parameter `{name}`"), old_param(name), Some(value));
        }
        for (name, value) in &old.params {
            if new.params.iter().all(|(key, _)| key != name) {
                row(&mut rows, &format!("parameter `{name}`"), Some(value), None);
            }
        }
        row(
            &mut rows,
            "seed",
            Some(&old.seed.to_string()),
            Some(&new.seed.to_string()),
        );
        row(
            &mut rows,
            "model size",
            Some(&format::bytes(old.model_bytes)),
            Some(&format::bytes(new.model_bytes)),
        );
    }
    if let (Some(old), Some(new)) = (&before.data, &facts.data) {
        row(&mut rows, "source", Some(&old.source), Some(&new.source));
        row(
            &mut rows,
            "data digest",
            Some(&old.digest.short()),
            Some(&new.digest.short()),
        );
        row(
            &mut rows,
            "rows",
            Some(&format::count(old.n_rows as u64)),
            Some(&format::count(new.n_rows as u64)),
        );
        row(&mut rows, "target", Some(&old.target), Some(&new.target));
        row(&mut rows, "split", Some(&old.split), Some(&new.split));
        let names = |facts: &crate::facts::DataFacts| -> BTreeSet<String> {
            facts.columns.iter().map(|column| column.name.clone()).collect()
        };
        let (old_names, new_names) = (names(old), names(new));
        for name in old_names.difference(&new_names) {
            row(&mut rows, "column removed", Some(name), None);
        }
        for name in new_names.difference(&old_names) {
            row(&mut rows, "column added", None, Some(name));
        }
    }
    if rows.is_empty() {
        return None;
    }
    let mut summary = vec![Inline::Strong("Changed since the last report".to_owned()), text(": ")];
    for (index, row) in rows.iter().take(MAX_NAMED).enumerate() {
        if index > 0 {
            summary.push(text(", "));
        }
        if let [what, before, now] = row.as_slice() {
            summary.extend(what.iter().cloned());
            summary.push(text(" "));
            summary.extend(before.iter().cloned());
            summary.push(text(" → "));
            summary.extend(now.iter().cloned());
        }
    }
    if rows.len() > MAX_NAMED {
        summary.push(text(format!(" and {} more", rows.len() - MAX_NAMED)));
    }
    let table = Table {
        columns: vec![Column::words("What"), Column::words("Before"), Column::words("Now")],
        rows,
    };
    Some(details("changes", 31, summary, false, vec![Block::Table(table)]))
}

fn row(rows: &mut Vec<Vec<Inlines>>, what: &str, before: Option<&String>, now: Option<&String>) {
    if before == now {
        return;
    }
    let side = |value: Option<&String>| value.map_or_else(unknown, |value| vec![code(value.as_str())]);
    rows.push(vec![prose(what), side(before), side(now)]);
}
