//! The lines of a run: one of its history, its summary, one of its console. Pure.

use super::Value;
use crate::wandb::lines;

/// When something was, for the run and for the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since 1970.
    pub at_ms: i64,
    /// Since the run began.
    pub runtime_ms: i64,
}

impl Moment {
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 200,000 years")]
    fn seconds(ms: i64) -> f64 {
        ms as f64 / 1000.0
    }

    fn members<'a>(self, step: Option<u64>) -> impl Iterator<Item = (&'a str, String)> {
        let step = step.map(|step| ("_step", step.to_string()));
        let times = [
            ("_runtime", lines::number(Self::seconds(self.runtime_ms))),
            ("_timestamp", lines::number(Self::seconds(self.at_ms))),
        ];
        step.into_iter().chain(times)
    }
}

fn written<'a>(row: impl IntoIterator<Item = (&'a String, &'a Value)>) -> impl Iterator<Item = (&'a str, String)> {
    row.into_iter()
        .filter(|(_, value)| !value.is_missing())
        .map(|(name, value)| (name.as_str(), value.written()))
}

/// One row of the history, its values as they are written; what is missing is not in it.
pub fn history<'a>(
    step: u64,
    moment: Moment,
    row: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = (&'a str, String)> {
    written(row).chain(moment.members(Some(step)))
}

/// One row of the history as a line.
pub fn history_line<'a>(step: u64, moment: Moment, row: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    lines::object(history(step, moment, row))
}

/// The last value of everything; without rows there is no last step.
pub fn summary<'a>(
    step: Option<u64>,
    moment: Moment,
    row: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = (&'a str, String)> {
    let own = lines::object([("runtime", (moment.runtime_ms / 1000).to_string())]);
    written(row).chain(moment.members(step)).chain([("_wandb", own)])
}

/// The summary as a line.
pub fn summary_line<'a>(
    step: Option<u64>,
    moment: Moment,
    row: impl IntoIterator<Item = (&'a String, &'a Value)>,
) -> String {
    lines::object(summary(step, moment, row))
}

/// One line of the console, for a W&B that knows its parts or for one that knows lines only.
pub fn console_line(at_ms: i64, text: &str, is_structured: bool) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    let at = at.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string();
    if is_structured {
        lines::object([("ts", lines::text(&at)), ("content", lines::text(text))])
    } else {
        format!("{at} {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const MOMENT: Moment = Moment {
        at_ms: 1_795_594_688_752,
        runtime_ms: 2_250,
    };

    #[test]
    fn rows_have_a_step_and_a_time() {
        let row = BTreeMap::from([
            ("loss".to_owned(), Value::Number(f64::INFINITY)),
            ("n".to_owned(), Value::Whole(3)),
            ("none".to_owned(), Value::Missing),
            ("test/rmse".to_owned(), Value::Number(0.5)),
        ]);
        let members = r#""loss":Infinity,"n":3,"test/rmse":0.5,"_step":7,"_runtime":2.25,"_timestamp":1795594688.752"#;
        assert_eq!(history_line(7, MOMENT, &row), format!("{{{members}}}"));
        let summary = format!("{{{members},\"_wandb\":{{\"runtime\":2}}}}");
        assert_eq!(summary_line(Some(7), MOMENT, &row), summary);
        let bare = summary_line(None, MOMENT, &BTreeMap::new());
        assert!(!bare.contains("_step"), "{bare}");
    }

    #[test]
    fn lines_of_the_console_have_their_time() {
        let at = 1_795_404_133_125;
        let structured = console_line(at, "say \"hi\"", true);
        assert_eq!(
            structured,
            r#"{"ts":"2026-11-23T03:22:13.125000","content":"say \"hi\""}"#
        );
        assert_eq!(console_line(at, "hi", false), "2026-11-23T03:22:13.125000 hi");
    }
}
