//! `drift`: two data sets, or the repository's data since production was trained.

use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use crate::base::Diagnostic;
use crate::cli::{DriftMode, DriftOptions, DriftSeason, Invocation};
use crate::drift::{self, DriftResult, Kind, Mode, Policy, SCHEMA, Season, Settings};
use crate::gates::GateStatus;
use crate::pipeline::{self, Options};
use crate::report::{self, Render as _};
use crate::sys;

use super::{FAILED, Failure, PASSED, failure, json as wants_json, print, project};

pub async fn drift(invocation: &Invocation, options: &DriftOptions) -> Result<u8, Failure> {
    let found = match (&options.reference, &options.current) {
        (Some(reference), Some(current)) => of_files(invocation, options, reference, current).await?,
        _ => match of_production(invocation).await? {
            Asked::Compared(found) => *found,
            Asked::Unchanged(why) => {
                let value = json!({"schema": SCHEMA, "dataset": {"decision": "pass", "reasons": []}, "unchanged": why});
                let text = if wants_json(invocation) { value.to_string() } else { why };
                print(&text)?;
                return Ok(PASSED);
            }
        },
    };
    if let Some(file) = &options.report {
        write(invocation, file, &found.result)?;
    }
    let text = if wants_json(invocation) {
        let mut value = serde_json::to_value(&found.result).expect("a result has text keys");
        if let Some(checks) = found.checks {
            value["checks"] = checks;
        }
        serde_json::to_string_pretty(&value).expect("a JSON value can always be written")
    } else {
        let document = report::drift_document(&found.result);
        report::Terminal {
            color: invocation.color(),
            width: invocation.width(),
            full: !invocation.cli.common.quiet,
        }
        .render(&document)
    };
    print(&text)?;
    Ok(if found.result.dataset.decision == "fail" {
        FAILED
    } else {
        PASSED
    })
}

/// What a repository's own data came to.
enum Asked {
    Compared(Box<Found>),
    /// Nothing could have changed, and why.
    Unchanged(String),
}

struct Found {
    result: DriftResult,
    /// Every test of every column, where that was asked for.
    checks: Option<Value>,
}

/// The same numbers as inside of a run.
async fn of_production(invocation: &Invocation) -> Result<Asked, Failure> {
    let opened = project::open(invocation)?;
    let (events, _) = unbounded_channel();
    let (mut services, kept, _) = project::services(invocation, &opened, "drift", events).await?;
    let options = Options::looking(&opened.file);
    let finished = pipeline::measure_drift(&opened.project, &mut services, &options).await;
    kept.close(0).await;
    let mut problems = finished.problems;
    problems.locate(&opened.file, &opened.text);
    if problems.has_errors() {
        return Err(problems.into());
    }
    let Some(result) = finished.facts.drift else {
        let gate = finished.facts.gates.iter().find(|gate| gate.name == "drift");
        let why = gate.map_or(finished.facts.reason.as_str(), |gate| &gate.reason);
        if gate.is_some_and(|gate| gate.status == GateStatus::Pass) {
            return Ok(Asked::Unchanged(why.to_owned()));
        }
        return Err(Failure::Unusable(format!("drift can not be measured: {why}")));
    };
    Ok(Asked::Compared(Box::new(Found { result, checks: None })))
}

async fn of_files(
    invocation: &Invocation,
    options: &DriftOptions,
    reference: &str,
    current: &str,
) -> Result<Found, Failure> {
    let settings = settings(options)?;
    let common = &invocation.cli.common;
    let root = common.directory.clone().unwrap_or_else(|| Path::new(".").to_owned());
    let sources = pipeline::Sources {
        root,
        reference: reference.to_owned(),
        current: current.to_owned(),
        target: options.target.clone(),
        prediction: options.prediction.clone(),
        all_tests: options.all_tests,
    };
    let compared = pipeline::beside(move || pipeline::drift_of_files(&sources, &settings))
        .await
        .map_err(Failure::Panic)??;
    if !common.quiet && !compared.warnings.is_empty() {
        failure::say(&compared.warnings.to_string());
    }
    let checks = options.all_tests.then(|| {
        let checks = compared.checks.iter().map(|check| {
            json!({
                "column": check.column, "test": check.test, "default": check.is_default, "status": check.status,
                "score": number(check.score), "drifted": check.drifted,
            })
        });
        checks.collect()
    });
    Ok(Found {
        result: compared.result,
        checks,
    })
}

/// JSON has no infinite numbers: they are written as texts.
fn number(value: Option<f64>) -> Value {
    match value {
        None => Value::Null,
        Some(value) if value.is_finite() => value.into(),
        Some(value) if value.is_nan() => "NaN".into(),
        Some(value) if value > 0.0 => "Infinity".into(),
        Some(_) => "-Infinity".into(),
    }
}

fn settings(options: &DriftOptions) -> Result<Settings, Failure> {
    let usual = Settings::default();
    let mut settings = Settings {
        mode: match options.mode {
            DriftMode::Calibrated => Mode::Calibrated,
            DriftMode::Evidently => Mode::Evidently,
        },
        policy: if options.fail { Policy::Fail } else { Policy::Warn },
        alpha: within("--alpha", options.alpha, usual.alpha, 0.0..=1.0)?,
        min_effect: within("--min-effect", options.min_effect, usual.min_effect, 0.0..=f64::MAX)?,
        max_share: within("--max-share", options.max_share, usual.max_share, 0.0..=1.0)?,
        min_rows: options.min_rows.unwrap_or(usual.min_rows),
        include: options.include.clone(),
        exclude: options.exclude.clone(),
        time_column: options.time.clone(),
        seasonal: options.seasonal.map(|season| match season {
            DriftSeason::Month => Season::Month,
            DriftSeason::Weekday => Season::Weekday,
            DriftSeason::Hour => Season::Hour,
        }),
        seed: options.seed,
        ..usual
    };
    for text in &options.types {
        let (column, word) = pair("--type", text)?;
        let kind = kind(word)
            .ok_or_else(|| Failure::Unusable(format!("`--type {text}`: a type is num, cat, text or datetime")))?;
        settings.kinds.insert(column.to_owned(), kind);
    }
    if settings.mode == Mode::Calibrated && !(options.methods.is_empty() && options.thresholds.is_empty()) {
        return Err(Failure::Unusable(
            "`--method` and `--threshold` are of `--mode evidently`: the usual mode chooses by itself".to_owned(),
        ));
    }
    for text in &options.methods {
        let (of, name) = pair("--method", text)?;
        let test = drift::known_test(name, kind(of)).map_err(one)?;
        match kind(of) {
            Some(kind) => settings.methods.insert(kind, test.name.to_owned()),
            None => settings.column_methods.insert(of.to_owned(), test.name.to_owned()),
        };
    }
    for text in &options.thresholds {
        let (column, number) = text
            .rsplit_once('=')
            .map_or((None, text.as_str()), |(column, number)| (Some(column), number));
        let value = number
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite() && *value >= 0.0);
        let value = value.ok_or_else(|| Failure::Unusable(format!("`--threshold {text}`: `{number}` is no number")))?;
        match column {
            Some(column) => drop(settings.column_thresholds.insert(column.to_owned(), value)),
            None => settings.threshold = Some(value),
        }
    }
    Ok(settings)
}

fn one(problem: Diagnostic) -> Failure {
    Failure::Diagnostics(problem.into())
}

fn kind(word: &str) -> Option<Kind> {
    match word {
        "num" => Some(Kind::Num),
        "cat" => Some(Kind::Cat),
        "text" => Some(Kind::Text),
        "datetime" => Some(Kind::Datetime),
        _ => None,
    }
}

/// The last `=` divides: a column may have one in its name.
fn pair<'t>(option: &str, text: &'t str) -> Result<(&'t str, &'t str), Failure> {
    text.rsplit_once('=')
        .ok_or_else(|| Failure::Unusable(format!("`{option} {text}` lacks a `=`: write `{option} COLUMN=VALUE`")))
}

fn within(option: &str, value: Option<f64>, usual: f64, range: std::ops::RangeInclusive<f64>) -> Result<f64, Failure> {
    match value {
        None => Ok(usual),
        Some(value) if range.contains(&value) => Ok(value),
        Some(value) => Err(Failure::Unusable(format!(
            "`{option}` must be between {} and {}, not {value}",
            range.start(),
            range.end()
        ))),
    }
}

fn write(invocation: &Invocation, file: &Path, result: &DriftResult) -> Result<(), Failure> {
    let document = report::drift_document(result);
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let text = match ending {
        "html" | "htm" => report::Html::default().render(&document),
        "md" => report::Markdown::default().render(&document),
        _ => {
            return Err(Failure::Unusable(format!(
                "the ending of `{}` says no format: use `.html` or `.md`",
                file.display()
            )));
        }
    };
    let root = invocation
        .cli
        .common
        .directory
        .as_deref()
        .unwrap_or_else(|| Path::new("."));
    let place = root.join(file);
    if !place
        .parent()
        .is_some_and(|parent| parent.as_os_str().is_empty() || parent.is_dir())
    {
        return Err(Failure::Unusable(format!(
            "there is no directory for `{}`",
            file.display()
        )));
    }
    sys::write_atomic(&place, text.as_bytes())?;
    Ok(())
}
