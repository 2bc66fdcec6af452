//! How good the model is expected to be where the answers are not known yet.

use super::super::super::document::{Block, Column, Inline, Inlines, Table, Tone, text};
use super::super::super::format;
use super::super::super::text::line;
use super::super::{cell, unknown};
use super::MAX_LABEL;
use crate::drift::{DriftResult, Estimated, EstimatedMetric, Method};

/// More metrics than this are none that we estimate.
const MAX_METRICS: usize = 10;

/// Whether the model is expected to be worse than it was.
pub fn is_worse(result: &DriftResult) -> bool {
    result.estimated.as_ref().is_some_and(|estimated| estimated.alert)
}

/// The metrics that are worse, for the headline; nothing where none is.
pub fn told(result: &DriftResult) -> Inlines {
    let Some(estimated) = result.estimated.as_ref().filter(|estimated| estimated.alert) else {
        return Vec::new();
    };
    let worse: Vec<&EstimatedMetric> = estimated.worse().collect();
    let Some(first) = worse.first() else {
        return Vec::new();
    };
    let decimals = decimals(first);
    let was = first.reference.map_or_else(String::new, |reference| {
        format!(", and was {}", format::fixed(reference, decimals))
    });
    let more = match worse.len() {
        0 | 1 => String::new(),
        n => format!(
            " (and {} too)",
            format::n_of(n - 1, "other metric is worse", "other metrics are worse")
        ),
    };
    vec![text(format!(
        "; without labels, the model's {} is estimated at {}{was}{more}",
        line(&first.estimate.metric, MAX_LABEL),
        format::fixed(first.estimate.value, decimals)
    ))]
}

/// The table of estimates with what it is made of.
pub fn blocks(result: &DriftResult) -> Vec<Block> {
    let Some(estimated) = &result.estimated else {
        return Vec::new();
    };
    let rows: Vec<Vec<Inlines>> = estimated.metrics.iter().take(MAX_METRICS).map(row).collect();
    let heading = Block::Heading {
        level: 3,
        text: cell("Estimated without labels"),
    };
    let table = Block::Table(Table {
        columns: vec![
            Column::words("Metric"),
            Column::numbers("Estimated"),
            Column::numbers("95 % interval"),
            Column::numbers("Reference"),
            Column::words("Expected"),
        ],
        rows,
    });
    vec![heading, table, Block::Note(cell(note(estimated)))]
}

fn row(metric: &EstimatedMetric) -> Vec<Inlines> {
    let estimate = &metric.estimate;
    let decimals = decimals(metric);
    let (tone, word) = match (metric.alert, metric.reference) {
        (true, _) => (Tone::Warn, "worse"),
        (false, Some(_)) => (Tone::Good, "not worse"),
        (false, None) => (Tone::Plain, "unknown"),
    };
    vec![
        cell(line(&estimate.metric, MAX_LABEL)),
        vec![Inline::Strong(format::fixed(estimate.value, decimals))],
        cell(format::interval([estimate.lower, estimate.upper], decimals)),
        metric
            .reference
            .map_or_else(unknown, |reference| cell(format::fixed(reference, decimals))),
        vec![Inline::Status(tone, word.to_owned())],
    ]
}

/// As many as the interval deserves.
fn decimals(metric: &EstimatedMetric) -> usize {
    let half = ((metric.estimate.upper - metric.estimate.lower) / 2.0).abs();
    let half = Some(half).filter(|half| half.is_finite() && *half > 0.0);
    format::decimals(metric.estimate.value, half).min(6)
}

fn note(estimated: &Estimated) -> String {
    let [known, now] = estimated.rows;
    let how = match (estimated.method, estimated.calibrated) {
        (Method::Cbpe, true) => "from the probabilities, calibrated on",
        (Method::Cbpe, false) => "from the probabilities, which are right on",
        (Method::Dle, _) => "by a second model, which learned the errors of",
    };
    format!(
        "Of {} without an answer, {how} {} whose answers are known. It holds while answers depend on the features as they \
         did there.",
        rows(now),
        rows(known)
    )
}

fn rows(n: u64) -> String {
    format!("{} {}", format::count(n), if n == 1 { "row" } else { "rows" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Render as _, Terminal, drift_document};

    fn result(alert: bool, value: f64) -> DriftResult {
        let estimated = serde_json::json!({
            "method": "cbpe", "rows": [259, 310], "calibrated": true, "alert": alert,
            "metrics": [{
                "metric": "accuracy", "value": value, "standard_error": 0.017, "lower": value - 0.033,
                "upper": value + 0.033, "reference": 0.92, "alert": alert,
            }],
        });
        let result = serde_json::json!({
            "schema": "mlops-drift/1", "mode": "calibrated",
            "reference": {"source": "a.csv", "rows": 259, "sha256": null},
            "current": {"source": "b.csv", "rows": 310, "sha256": null},
            "dataset": {
                "tested": 0, "drifted": 0, "moved": 0, "share": 0.0, "threshold": 0.5, "drift": false,
                "decision": if alert { "warn" } else { "pass" }, "severity": 0.0, "reasons": [],
            },
            "columns": [], "missing": [], "data_quality": [], "multivariate": null, "estimated": estimated, "notes": [],
        });
        serde_json::from_value(result).unwrap()
    }

    fn shown(result: &DriftResult) -> String {
        let terminal = Terminal {
            color: false,
            width: 160,
            full: true,
        };
        terminal.render(&drift_document(result))
    }

    #[test]
    fn a_worse_estimate_is_in_the_headline_and_in_a_table() {
        let text = shown(&result(true, 0.81));
        assert!(
            text.contains("the model's accuracy is estimated at 0.810, and was 0.920"),
            "{text}"
        );
        assert!(
            text.contains("Estimated without labels") && text.contains("worse"),
            "{text}"
        );
        assert!(text.contains("Of 310 rows without an answer"), "{text}");
    }

    #[test]
    fn what_is_as_good_as_it_was_is_a_table_alone() {
        let result = result(false, 0.9);
        let text = shown(&result);
        assert!(!text.contains("is estimated at"), "{text}");
        assert!(text.contains("not worse"), "{text}");
        assert!(super::super::section(&result).is_some());
    }
}
