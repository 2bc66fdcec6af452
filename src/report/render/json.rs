//! The JSON result for scripts: a fixed object, `null` for what is not known. Pure.

use serde_json::{Map, Value, json};

use super::super::text::is_unprintable;
use crate::evaluate::{Comparison, MetricResult};
use crate::facts::{Facts, SCHEMA};

/// The result of a run; `report` is where the full report was saved.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<'a> {
    pub report: Option<&'a str>,
}

impl Json<'_> {
    /// Indented JSON with a newline at the end. Values are exact; characters that could act where the text is shown
    /// (HTML, workflow commands, terminals) are written as escapes of the same value.
    pub fn render(&self, facts: &Facts) -> String {
        let digest = facts
            .registry
            .as_ref()
            .and_then(|registry| registry.digest)
            .or_else(|| facts.training.as_ref().map(|training| training.digest));
        let gates: Map<String, Value> = facts
            .gates
            .iter()
            .map(|gate| (gate.name.clone(), json!(gate.status.word())))
            .collect();
        let value = json!({
            "schema": SCHEMA,
            "model": facts.model,
            "verdict": facts.verdict.word(),
            "reason": facts.reason,
            "passed": facts.passed,
            "metrics": metrics(facts),
            "gates": gates,
            "version": facts.registry.as_ref().and_then(|registry| registry.version),
            "digest": digest,
            "report": self.report,
        });
        let mut text = inert(&format!("{value:#}"));
        text.push('\n');
        text
    }
}

/// Measured metrics in the order of the facts, then those that only the comparison knows.
fn metrics(facts: &Facts) -> Map<String, Value> {
    let results: &[MetricResult] = facts.evaluation.as_ref().map_or(&[], |evaluation| &evaluation.metrics);
    let compared: &[Comparison] = facts.comparison.as_ref().map_or(&[], |comparison| &comparison.metrics);
    let mut out = Map::new();
    for result in results {
        let comparison = compared.iter().find(|one| one.metric == result.name);
        // Where rows are left out, the value is that of the rows that both are compared on, as the difference is.
        let on_fewer = comparison
            .and_then(|one| one.challenger)
            .filter(|value| result.value != Some(*value));
        let (value, interval) = match on_fewer {
            Some(value) => (Some(value), None),
            None => (result.value, result.interval),
        };
        out.insert(
            result.name.clone(),
            json!({
                "value": value,
                "interval": interval,
                "direction": result.direction,
                "champion": comparison.and_then(|one| one.champion),
                "difference": comparison.and_then(|one| one.difference),
                "difference_interval": comparison.and_then(|one| one.difference_interval),
                "verdict": comparison.map(|one| one.verdict.word()),
            }),
        );
    }
    for comparison in compared {
        if !out.contains_key(&comparison.metric) {
            out.insert(
                comparison.metric.clone(),
                json!({
                    "value": comparison.challenger,
                    "interval": null,
                    "direction": comparison.direction,
                    "champion": comparison.champion,
                    "difference": comparison.difference,
                    "difference_interval": comparison.difference_interval,
                    "verdict": comparison.verdict.word(),
                }),
            );
        }
    }
    out
}

/// Escapes what could act; all of these occur only inside strings, where `\u` means the same character.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut previous = [' '; 2];
    for c in json.chars() {
        let acts =
            matches!(c, '<' | '>' | '&') || (c != '\n' && is_unprintable(c)) || (c == '[' && previous == ['#', '#']);
        if acts {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let escape = format!("\\u{unit:04x}");
                out.push_str(&escape);
            }
        } else {
            out.push(c);
        }
        previous = [previous[1], c];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_keep_the_value() {
        let hostile = "</script>##[error]\u{202e}\u{7f}\u{e0041}&\u{1b}";
        let text = inert(&Value::from(hostile).to_string());
        assert_eq!(
            text,
            r#""\u003c/script\u003e##\u005berror]\u202e\u007f\udb40\udc41\u0026\u001b""#
        );
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}
