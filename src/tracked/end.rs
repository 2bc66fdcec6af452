//! Facts → what a run found: settings as used, one row of history, the summary, and everything that is shown. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::charts::charts;
use super::pictures::pictures;
use super::predictions;
use super::start::params;
use super::tables::{count, high, low, name, number, sentence, tables, verdict, whole};
use super::text::{MAX_NAME, MAX_TEXT, path, plain, tidy};
use crate::evaluate::{Comparison, MetricResult};
use crate::facts::{Champion, ComparisonFacts, Facts};
use crate::track::record::{Cell, Content, Row, RunEnd, RunFile};

/// The most metrics, and the most gates, that have a name of their own in the summary; the tables have all.
const MAX_METRICS: usize = 200;
const MAX_GATES: usize = 500;
/// No report of ours is larger; one that is stays out.
const MAX_FILE_BYTES: usize = 64 << 20;

/// What a tracker is told when a run is over, whatever came of it.
///
/// `predictions_csv` is the file of that name in the model's bundle.
pub fn end(facts: &Facts, predictions_csv: Option<&[u8]>, report_html: Option<&str>, exit_code: u8) -> RunEnd {
    let predicted = predictions_csv.and_then(predictions::read);
    let residuals = predicted.as_ref().map_or(&[][..], |predicted| &predicted.residuals);
    let charts = charts(facts, residuals);
    let shown = predicted
        .map(|predicted| predicted.table)
        .filter(|table| !table.rows.is_empty());
    let measured = measured(facts);
    RunEnd {
        data: None,
        met: None,
        model: None,
        config: config(facts),
        history: history(&measured),
        summary: summary(facts, measured),
        tables: shown.into_iter().chain(tables(facts)).collect(),
        charts,
        images: pictures(facts),
        files: files(facts, report_html),
        exit_code,
        reason: plain(&facts.reason, MAX_TEXT),
    }
}

/// As it was used, beside `configuration`, which is as it was asked for.
fn config(facts: &Facts) -> BTreeMap<String, Value> {
    let data = facts.data.as_ref().map(|data| {
        json!({
            "source": data.source,
            "digest": data.digest,
            "test_digest": data.test_digest,
            "target": data.target,
            "task": data.task,
            "split": data.split,
            "rows": data.n_rows,
            "train_rows": data.n_train,
            "test_rows": data.n_test,
            "columns": data.columns.len(),
        })
    });
    let training = facts.training.as_ref().map(|training| {
        json!({
            "estimator": training.estimator,
            "params": params(&training.params),
            "seed": training.seed,
            "n_features": training.n_features_in,
            "n_features_encoded": training.n_features_out,
            "model_digest": training.digest,
            "reused_from": training.reused_from,
        })
    });
    let known = [
        ("program_version", Some(facts.program_version.clone().into())),
        ("commit", facts.commit.clone().map(Value::from)),
        ("gates_digest", Some(json!(facts.gates_digest))),
        ("data", data),
        ("training", training),
    ];
    known
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), tidy(value?))))
        .collect()
}

/// What the champion's values are named after: `production` and `baseline` mean the same in every run.
fn side(champion: &Champion) -> &'static str {
    match champion {
        Champion::Version { alias: Some(alias), .. } if alias == "production" => "production",
        Champion::Version { .. } => "champion",
        Champion::Baseline { .. } => "baseline",
    }
}

/// `test/rmse`, `production/rmse`, `difference/rmse` and their intervals.
fn measured(facts: &Facts) -> Row {
    let mut row = Row::new();
    let metrics: &[MetricResult] = facts.evaluation.as_ref().map_or(&[], |found| &found.metrics);
    for metric in metrics.iter().take(MAX_METRICS) {
        let name = path(&metric.name);
        row.insert(format!("test/{name}"), number(metric.value));
        if metric.interval.is_some() {
            row.insert(format!("test/{name}_low"), low(metric.interval));
            row.insert(format!("test/{name}_high"), high(metric.interval));
        }
    }
    if let Some(comparison) = &facts.comparison {
        for one in comparison.metrics.iter().take(MAX_METRICS) {
            compared(&mut row, side(&comparison.champion), one);
        }
    }
    row
}

fn compared(row: &mut Row, side: &str, one: &Comparison) {
    let name = path(&one.metric);
    row.insert(format!("{side}/{name}"), number(one.champion));
    row.insert(format!("difference/{name}"), number(one.difference));
    if one.difference_interval.is_some() {
        row.insert(format!("difference/{name}_low"), low(one.difference_interval));
        row.insert(format!("difference/{name}_high"), high(one.difference_interval));
    }
}

/// One row, since one model was evaluated once; none if nothing was measured.
fn history(measured: &Row) -> Vec<Row> {
    let known: Row = measured
        .iter()
        .filter(|(_, cell)| !matches!(cell, Cell::Missing))
        .map(|(name, cell)| (name.clone(), cell.clone()))
        .collect();
    if known.is_empty() { Vec::new() } else { vec![known] }
}

/// What lists of runs are sorted and filtered by.
fn summary(facts: &Facts, measured: Row) -> Row {
    let mut row = measured;
    let mut put = |key: &str, cell: Cell| {
        row.insert(key.to_owned(), cell);
    };
    put("verdict", verdict(Some(facts.verdict)));
    put("passed", Cell::Truth(facts.passed));
    put("reason", sentence(&facts.reason));
    for gate in facts.gates.iter().take(MAX_GATES) {
        put(&format!("gate/{}", path(&gate.name)), name(gate.status.word()));
    }
    if let Some(data) = &facts.data {
        put("data/rows", count(data.n_rows));
        put("data/train_rows", count(data.n_train));
        put("data/test_rows", count(data.n_test));
        put("data/digest", name(&data.digest.to_string()));
        put("data/violations", count(data.violations.len()));
        put("data/leaks", count(data.leaks.len()));
    }
    if let Some(training) = &facts.training {
        put("model/bytes", whole(training.model_bytes));
        put("model/digest", name(&training.digest.to_string()));
        put(
            "model/training_seconds",
            Cell::Number(training.elapsed_ms as f64 / 1000.0),
        );
        put("model/reused", Cell::Truth(training.reused_from.is_some()));
    }
    if let Some(evaluation) = &facts.evaluation {
        put("primary", name(&evaluation.primary));
    }
    if let Some(comparison) = &facts.comparison {
        put("champion", name(&champion(comparison)));
        for one in comparison.metrics.iter().take(MAX_METRICS) {
            put(&format!("verdict/{}", path(&one.metric)), verdict(Some(one.verdict)));
        }
        if let Some(uses) = comparison.test_set_uses {
            put("data/test_set_uses", whole(uses));
        }
    }
    if let Some(version) = facts.registry.as_ref().and_then(|registry| registry.version) {
        put("model/version", name(&version.to_string()));
    }
    row
}

/// `production v3`, `v3`, `baseline: the training mean`.
fn champion(comparison: &ComparisonFacts) -> String {
    match &comparison.champion {
        Champion::Version {
            version,
            alias: Some(alias),
            ..
        } => format!("{alias} {version}"),
        Champion::Version {
            version, alias: None, ..
        } => version.to_string(),
        Champion::Baseline { name } => format!("baseline: {}", plain(name, MAX_NAME)),
    }
}

fn files(facts: &Facts, report_html: Option<&str>) -> Vec<RunFile> {
    let all = [
        ("mlops-facts.json", Some(facts.to_json().into_bytes())),
        ("report.html", report_html.map(|html| html.as_bytes().to_vec())),
    ];
    all.into_iter()
        .filter_map(|(name, bytes)| {
            Some(RunFile {
                name: name.to_owned(),
                content: Content::Bytes(bytes.filter(|bytes| bytes.len() <= MAX_FILE_BYTES)?),
            })
        })
        .collect()
}
