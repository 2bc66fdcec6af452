//! `watch`: where a column of numbers changes, row by row.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::base::{counted, nearest};
use crate::cli::{Invocation, WatchOptions};
use crate::drift::{DETECTORS, DetectorKind};
use crate::exec::neutralise;
use crate::pipeline::{self, Change, Spot, Watch, Watched};

use super::{Failure, PASSED, failure, json as wants_json, print};

const SCHEMA: &str = "mlops-watch/1";
/// Changes that a terminal shows.
const MAX_CHANGES: usize = 50;

pub async fn watch(invocation: &Invocation, options: &WatchOptions) -> Result<u8, Failure> {
    let (Some(data), Some(column), false) = (&options.data, &options.column, options.list) else {
        print(&if wants_json(invocation) {
            shown(&listed_json())
        } else {
            listed()
        })?;
        return Ok(PASSED);
    };
    let detector = detector(&options.detector)?;
    let common = &invocation.cli.common;
    let what = Watch {
        root: common.directory.clone().unwrap_or_else(|| PathBuf::from(".")),
        data: data.clone(),
        column: column.clone(),
        detector,
        parameters: parameters(detector, &options.parameters)?,
        time: options.time.clone(),
    };
    let (what, found) = pipeline::beside(move || {
        let found = pipeline::watch(&what);
        (what, found)
    })
    .await
    .map_err(Failure::Panic)?;
    let found = found?;
    if !common.quiet && !found.problems.is_empty() {
        failure::say(&found.problems.to_string());
    }
    print(&if wants_json(invocation) {
        shown(&as_json(&what, &found))
    } else {
        as_text(&what, &found)
    })?;
    Ok(PASSED)
}

fn shown(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value can always be written")
}

fn detector(name: &str) -> Result<&'static DetectorKind, Failure> {
    DETECTORS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let names: Vec<&str> = DETECTORS.iter().map(|kind| kind.name).collect();
        let near =
            nearest(name, names.iter().copied()).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        Failure::Unusable(format!(
            "there is no detector `{name}`: {near}there are {}",
            names.join(", ")
        ))
    })
}

/// Read and held against what the detector takes.
fn parameters(detector: &DetectorKind, texts: &[String]) -> Result<Vec<(String, f64)>, Failure> {
    let mut given: Vec<(String, f64)> = Vec::new();
    for text in texts {
        let pair = text
            .split_once('=')
            .ok_or_else(|| format!("`--param {text}` lacks a `=`: write `--param NAME=VALUE`"));
        let (name, value) = pair.map_err(Failure::Unusable)?;
        let number = value.trim().parse::<f64>().ok().filter(|value| value.is_finite());
        let number = number.ok_or_else(|| Failure::Unusable(format!("`--param {text}`: `{value}` is no number")))?;
        given.push((name.trim().to_owned(), number));
    }
    let borrowed: Vec<(&str, f64)> = given.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    detector
        .make(&borrowed)
        .map_err(|why| Failure::Unusable(format!("`--param`: {why}")))?;
    Ok(given)
}

/// Every detector: what it signals, what it takes.
fn listed() -> String {
    let mut text = String::new();
    for kind in DETECTORS {
        let answers = if kind.answers_only {
            "; right (0) and wrong (1) answers only"
        } else {
            ""
        };
        let warns = if kind.warns { "; warns before" } else { "" };
        let _ = writeln!(text, "{}: {}{answers}{warns}", kind.name, kind.summary);
        for parameter in kind.parameters {
            let whole = if parameter.whole { "a whole number" } else { "a number" };
            let (least, greatest) = parameter.range;
            let range = if greatest >= f64::MAX {
                format!("at least {least}")
            } else {
                format!("from {least} to {greatest}")
            };
            let _ = writeln!(text, "    {}={} ({whole} {range})", parameter.name, parameter.default);
        }
    }
    text.trim_end().to_owned()
}

fn listed_json() -> Value {
    let kinds = DETECTORS.iter().map(|kind| {
        let parameters = kind.parameters.iter().map(|one| {
            json!({
                "name": one.name, "default": one.default, "least": one.range.0, "greatest": one.range.1, "whole": one.whole,
            })
        });
        json!({
            "name": kind.name, "summary": kind.summary, "answers_only": kind.answers_only, "warns": kind.warns,
            "parameters": parameters.collect::<Vec<_>>(),
        })
    });
    json!({ "schema": SCHEMA, "detectors": kinds.collect::<Vec<_>>() })
}

fn as_json(what: &Watch, found: &Watched) -> Value {
    let spot = |spot: &Spot| json!({ "row": spot.row, "file": spot.file, "line": spot.line, "time": spot.time });
    let parameters = what.detector.parameters.iter().map(|one| {
        // What is named twice is what was named last.
        let given = what.parameters.iter().rev().find(|(name, _)| name == one.name);
        (
            one.name.to_owned(),
            json!(given.map_or(one.default, |(_, value)| *value)),
        )
    });
    let changes = found.changes.iter().map(|change| {
        let Change {
            at,
            began,
            before,
            after,
        } = change;
        let mut value = spot(at);
        value["began"] = spot(began);
        value["before"] = json!({ "rows": before.n, "mean": before.mean });
        value["after"] = json!({ "rows": after.n, "mean": after.mean });
        value
    });
    json!({
        "schema": SCHEMA,
        "data": what.data,
        "column": what.column,
        "time": what.time,
        "detector": what.detector.name,
        "parameters": parameters.collect::<serde_json::Map<_, _>>(),
        "rows": found.n_rows,
        "missing": found.n_missing,
        "changes": changes.collect::<Vec<_>>(),
        "warnings": found.warnings.iter().map(spot).collect::<Vec<_>>(),
    })
}

fn as_text(what: &Watch, found: &Watched) -> String {
    let mut text = format!(
        "`{}` of `{}` by {}: {} in {}",
        what.column,
        Path::new(&what.data).display(),
        what.detector.name,
        counted(found.changes.len(), "change"),
        counted(found.n_rows, "row"),
    );
    if found.n_missing > 0 {
        let _ = write!(text, "; {} without a value skipped", counted(found.n_missing, "row"));
    }
    text.push('\n');
    for change in found.changes.iter().take(MAX_CHANGES) {
        let Change {
            at,
            began,
            before,
            after,
        } = change;
        let _ = writeln!(
            text,
            "  {}, likely since row {}: the mean was {} over {}, and {} over {} since",
            told(at),
            began.row,
            short(before.mean),
            counted(before.n, "row"),
            short(after.mean),
            counted(after.n, "row"),
        );
    }
    if found.changes.len() > MAX_CHANGES {
        let _ = writeln!(
            text,
            "  and {} more: `--format json` has all",
            found.changes.len() - MAX_CHANGES
        );
    }
    if let Some(last) = found.warnings.last() {
        let n = counted(found.warnings.len(), "warning");
        let _ = writeln!(text, "  {n} that a change may begin, the last at {}", told(last));
    }
    neutralise(text.trim_end())
}

/// `row 101 (errors.csv:102), 2024-04-20`.
fn told(spot: &Spot) -> String {
    let time = spot.time.as_ref().map_or_else(String::new, |time| format!(", {time}"));
    format!("row {} ({}:{}){time}", spot.row, spot.file, spot.line)
}

/// Five digits that count.
fn short(number: f64) -> String {
    let rounded = format!("{number:.4e}").parse().unwrap_or(number);
    crate::data::number_label(crate::data::ColumnType::Float, rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_is_listed_with_its_parameters() {
        let text = listed();
        for kind in DETECTORS {
            assert!(text.contains(&format!("{}: ", kind.name)));
            assert!(
                kind.parameters
                    .iter()
                    .all(|one| text.contains(&format!("    {}={} (", one.name, one.default)))
            );
            assert!(detector(kind.name).is_ok());
        }
        assert_eq!(listed_json()["detectors"].as_array().unwrap().len(), DETECTORS.len());
    }

    #[test]
    fn what_is_misspelt_says_what_there_is() {
        let told = detector("adwn").err().unwrap().to_string();
        assert!(told.contains("did you mean `adwin`"), "{told}");
        let adwin = detector("adwin").ok().unwrap();
        let error = |text: &str| parameters(adwin, &[text.to_owned()]).unwrap_err().to_string();
        assert!(error("delta").contains("lacks a `=`"));
        assert!(error("delta=x").contains("`x` is no number"));
        assert!(error("dleta=0.1").contains("`adwin` has no `dleta`"));
        assert!(error("clock=1.5").contains("a whole number"));
        let given = parameters(adwin, &["delta=0.01".to_owned()]).unwrap();
        assert_eq!(given, [("delta".to_owned(), 0.01)]);
    }

    #[test]
    fn a_change_is_told_to_people_and_to_programs() {
        let root = tempfile::tempdir().unwrap();
        let rows: String = (0..400).map(|row| if row < 200 { "0.1\n" } else { "0.9\n" }).collect();
        crate::sys::write_atomic(&root.path().join("errors.csv"), format!("error\n{rows}\n").as_bytes()).unwrap();
        let what = Watch {
            root: root.path().to_owned(),
            data: "errors.csv".to_owned(),
            column: "error".to_owned(),
            detector: detector("adwin").ok().unwrap(),
            parameters: vec![("delta".to_owned(), 0.01)],
            time: None,
        };
        let found = pipeline::watch(&what).unwrap();
        let text = as_text(&what, &found);
        assert!(
            text.starts_with("`error` of `errors.csv` by adwin: 1 change in 400 rows"),
            "{text}"
        );
        assert!(
            text.contains("likely since row 201: the mean was 0.1 over 200 rows, and 0.9 over 200 rows since"),
            "{text}"
        );
        let value = as_json(&what, &found);
        assert_eq!(value["parameters"]["delta"], 0.01);
        assert_eq!(value["parameters"]["clock"], 32.0);
        let change = &value["changes"][0];
        assert_eq!(
            (&change["began"]["row"], &change["began"]["line"]),
            (&json!(201), &json!(202))
        );
        assert!(change["row"].as_u64().unwrap() > 201);
    }

    #[test]
    fn means_are_short() {
        assert_eq!(
            [short(0.123_456_78), short(12_345_678.0), short(2.0)],
            ["0.12346", "12346000", "2"]
        );
    }
}
