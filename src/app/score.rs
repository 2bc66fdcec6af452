//! `predict` and `profile`: a data file against a model, and a data file by itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use crate::base::{Diagnostic, Diagnostics, Span, counted};
use crate::cli::Invocation;
use crate::data::{
    self, BadCell, ColumnType, DataError, DatasetStats, Finding, Frame, Loaded, Profile, QualitySettings, Role, Summary,
};
use crate::evaluate::Predictions;
use crate::exec::neutralise;
use crate::pipeline::{self, AnswerError, Answers, Predictor};
use crate::sys;
use crate::train::PredictError;

use super::registry::serving;
use super::{Failure, PASSED, json as wants_json, print, project};

/// Scores a data file with a version of the registry: one CSV line a row, in the order of the rows.
pub async fn predict(
    invocation: &Invocation,
    input: &str,
    version: Option<&str>,
    output: Option<&Path>,
) -> Result<u8, Failure> {
    let opened = project::open(invocation)?;
    let (registry, _) = project::looking(invocation, &opened).await?;
    let version = serving(registry.as_ref(), &opened, version).await?;
    let model = match pipeline::load_model(registry.as_ref(), &version).await? {
        Ok(Predictor::Own(own)) if own.onnx.is_none() => {
            return Err(Failure::Unusable(format!(
                "{} was made by the repository's own code, which left no ONNX file that could be asked: let the trainer \
                 write a `model.onnx` into `$MLOPS_OUTPUT`",
                version.number
            )));
        }
        Ok(model) => Arc::new(model),
        Err(why) => return Err(Failure::Unusable(format!("{} can not be used: {why}", version.number))),
    };
    let (root, input) = (opened.root.clone(), input.to_owned());
    let scored = beside(move || score(&root, &input, &model)).await??;
    let text = if wants_json(invocation) {
        scored.json(version.number.0)
    } else {
        scored.csv()
    };
    match output {
        Some(file) if !opened.root.join(file).parent().is_some_and(Path::is_dir) => {
            return Err(Failure::Unusable(format!(
                "there is no directory for `{}`",
                file.display()
            )));
        }
        Some(file) => sys::write_atomic(&opened.root.join(file), text.as_bytes())?,
        None => print(&text)?,
    }
    Ok(PASSED)
}

/// What every column of a data file holds.
pub async fn profile(invocation: &Invocation, input: &str) -> Result<u8, Failure> {
    let root = invocation
        .cli
        .common
        .directory
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    let input = input.to_owned();
    let now = sys::now();
    let described = beside(move || {
        let loaded = data::read_source(&root, &input, &BTreeMap::new())?;
        Ok::<_, DataError>(Described::of(&loaded.frame, now.0 as f64))
    })
    .await??;
    let text = if wants_json(invocation) {
        described.json()
    } else {
        described.text()
    };
    print(&text)?;
    Ok(PASSED)
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    pipeline::beside(work).await.map_err(Failure::Panic)
}

/// The rows' predictions.
struct Scored {
    predictions: Predictions,
}

fn score(root: &Path, input: &str, model: &Predictor) -> Result<Scored, Failure> {
    let mut types = match model {
        Predictor::BuiltIn(model) => model.feature_types(),
        Predictor::Own(_) => BTreeMap::new(),
    };
    let read = |types: &BTreeMap<String, ColumnType>| -> Result<Frame, Failure> {
        let Loaded { frame, bad_cells, .. } = data::read_source(root, input, types)?;
        if bad_cells.is_empty() {
            Ok(frame)
        } else {
            Err(refuse(&bad_cells, &frame).into())
        }
    };
    // A text among numbers makes a column of texts, and so do numbers such as `007`. Reading the column as what the model
    // was trained on settles it, or finds the cells at fault. No column is read again twice.
    loop {
        let frame = read(&types)?;
        let rows: Vec<usize> = (0..frame.n_rows()).collect();
        let error = match model.answer(&frame, &rows) {
            Ok(Answers { predictions, .. }) => return Ok(Scored { predictions }),
            Err(error) => error,
        };
        if let AnswerError::Predict(PredictError::TypeChanged { column, .. }) = &error
            && !types.contains_key(column)
        {
            let kind = number_kind(&frame, column);
            types.insert(column.clone(), kind);
            continue;
        }
        let problem = Diagnostic::error("not-scorable", pipeline::chain(&error)).file(input);
        return Err(Diagnostics::from(problem).into());
    }
}

/// What a column of texts is meant to hold when the model wants numbers: booleans if any cell is one.
fn number_kind(frame: &Frame, column: &str) -> ColumnType {
    let boolean = |text: &str| text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    let any = frame
        .column(column)
        .is_some_and(|column| (0..frame.n_rows()).any(|row| column.label(row).is_some_and(|label| boolean(&label))));
    if any { ColumnType::Boolean } else { ColumnType::Float }
}

/// Cells that are not of the type that the model was trained on.
fn refuse(bad_cells: &[BadCell], frame: &Frame) -> Diagnostics {
    let mut problems: Diagnostics = bad_cells.iter().take(10).map(|cell| wrong_cell(cell, frame)).collect();
    if bad_cells.len() > 10 {
        problems.push(Diagnostic::error(
            "wrong-cells",
            format!("and {} more cells like these", bad_cells.len() - 10),
        ));
    }
    problems
}

fn wrong_cell(cell: &BadCell, frame: &Frame) -> Diagnostic {
    let place = frame.place(cell.row);
    let line = u32::try_from(place.line).unwrap_or(u32::MAX);
    let message = format!(
        "`{}` = `{}` is not of the type that the model was trained on",
        cell.column, cell.text
    );
    Diagnostic::error("wrong-cell", message)
        .file(&place.file)
        .at(Span::new(line, 1, 1))
}

/// Everything that is said of a data file by itself.
struct Described {
    profile: Profile,
    dataset: DatasetStats,
    findings: Vec<Finding>,
}

impl Described {
    /// Every column counts as a feature, since nothing says what is predicted; `now` in seconds of Unix time.
    fn of(frame: &Frame, now: f64) -> Self {
        let roles = vec![Role::Feature; frame.columns().len()];
        let settings = QualitySettings {
            now: Some(now),
            ..QualitySettings::default()
        };
        Self {
            profile: data::profile(frame, None),
            dataset: data::statistics(frame),
            findings: data::quality(frame, &roles, &settings),
        }
    }

    fn json(&self) -> String {
        const WHY: &str = "a profile has text keys and finite numbers only";
        let mut value = serde_json::to_value(&self.profile).expect(WHY);
        value["dataset"] = serde_json::to_value(&self.dataset).expect(WHY);
        value["findings"] = serde_json::to_value(&self.findings).expect(WHY);
        serde_json::to_string_pretty(&value).expect(WHY)
    }

    fn text(&self) -> String {
        let mut out = format!("{}\n{}", summary(&self.dataset), table(&self.profile));
        if !self.findings.is_empty() {
            out.push_str("\nWorth a look\n");
        }
        for finding in &self.findings {
            let places = match finding.evidence.as_slice() {
                [] => String::new(),
                [one] => format!(" ({one})"),
                [one, more @ ..] => format!(" ({one}, and {} more)", more.len()),
            };
            // Writing to a string can not fail.
            let _ = writeln!(out, "- {}", neutralise(&format!("{}{places}", finding.message)));
        }
        out
    }
}

/// The table in one line: what there is none of is not said.
fn summary(dataset: &DatasetStats) -> String {
    let some = |n: usize, what: &str| (n > 0).then(|| counted(n, what));
    let of_types: Vec<String> = [
        (dataset.n_number_columns, "numbers"),
        (dataset.n_category_columns, "categories"),
        (dataset.n_time_columns, "times"),
        (dataset.n_text_columns, "texts"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, what)| format!("{n} of {what}"))
    .collect();
    let of_types = match of_types.as_slice() {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    let share = format!("{:.1} %", 100.0 * dataset.share_missing);
    let parts = [
        Some(counted(dataset.n_rows, "row")),
        Some(counted(dataset.n_columns, "column") + &of_types),
        some(dataset.n_duplicated_rows, "duplicated row"),
        some(dataset.n_missing_cells, "missing cell").map(|cells| format!("{cells} ({share})")),
        some(dataset.n_constant_columns, "constant column"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A profile as a table for people.
fn table(profile: &Profile) -> String {
    let mut out = format!(
        "{:<24} {:<10} {:>9} {:>9}  values\n",
        "column", "type", "missing", "distinct"
    );
    for column in &profile.columns {
        let values = match &column.summary {
            Summary::Empty => "none known".to_owned(),
            Summary::Numbers(numbers) => {
                format!(
                    "mean {:.6}, sd {:.6}, {} to {}",
                    numbers.mean, numbers.sd, numbers.min, numbers.max
                )
            }
            Summary::Texts(texts) => {
                let first: Vec<String> = texts
                    .levels
                    .iter()
                    .take(4)
                    .map(|(level, n)| format!("{level} ({n})"))
                    .collect();
                first.join(", ")
            }
            Summary::Times { first, last } => {
                let shown = |seconds: f64| data::number_label(ColumnType::Timestamp, seconds);
                format!("{} to {}", shown(*first), shown(*last))
            }
        };
        let name: String = neutralise(&column.name).chars().take(24).collect();
        // Writing to a string can not fail.
        let _ = writeln!(
            out,
            "{name:<24} {:<10} {:>9} {:>9}  {}",
            column.kind.name(),
            column.n_missing,
            column.n_distinct,
            neutralise(&values)
        );
    }
    out
}

impl Scored {
    fn csv(&self) -> String {
        match &self.predictions {
            Predictions::Numbers(values) => {
                let mut out = String::from("prediction\n");
                for value in values {
                    out.push_str(&value.to_string());
                    out.push('\n');
                }
                out
            }
            Predictions::Classes {
                codes,
                labels,
                probabilities,
            } => {
                let mut out = String::from("prediction");
                // A model of the repository's own may keep its probabilities to itself.
                for label in labels.iter().filter(|_| !probabilities.is_empty()) {
                    out.push(',');
                    out.push_str(&pipeline::csv_field(&format!("p({label})")));
                }
                out.push('\n');
                let width = labels.len();
                for (row, code) in codes.iter().enumerate() {
                    out.push_str(&pipeline::csv_field(
                        labels.get(*code as usize).map_or("", String::as_str),
                    ));
                    for p in probabilities.iter().skip(row * width).take(width) {
                        out.push(',');
                        out.push_str(&p.to_string());
                    }
                    out.push('\n');
                }
                out
            }
        }
    }

    fn json(&self, version: u32) -> String {
        let value = match &self.predictions {
            Predictions::Numbers(values) => json!({"version": version, "predictions": values}),
            Predictions::Classes {
                codes,
                labels,
                probabilities,
            } => json!({
                "version": version,
                "labels": labels,
                "predictions": codes.iter().map(|code| labels.get(*code as usize)).collect::<Vec<_>>(),
                "probabilities": probabilities.chunks_exact(labels.len().max(1)).collect::<Vec<_>>(),
            }),
        };
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    fn described() -> Described {
        let table = frame(vec![
            numbers("age", &[1.5, 1.5, f64::NAN, 4.0, 999.25]),
            texts("town", &["a", "a", "a", "b", "b"]),
            numbers("same", &[2.0; 5]),
        ]);
        Described::of(&table, 0.0)
    }

    #[test]
    fn a_table_is_summed_up_in_its_first_line() {
        let text = described().text();
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap(),
            "5 rows, 3 columns (1 of numbers, 2 of categories), 1 duplicated row, 1 missing cell (6.7 %), 1 constant column"
        );
        assert!(lines.next().unwrap().starts_with("column "));
        let (_, below) = text.split_once("\nWorth a look\n").unwrap();
        assert!(
            below
                .lines()
                .any(|line| line.starts_with("- ") && line.contains("`same`")),
            "{below}"
        );
        let none = Described::of(&frame(Vec::new()), 0.0);
        assert!(none.text().starts_with("0 rows, 0 columns\n"), "{}", none.text());
    }

    #[test]
    fn the_profile_keeps_its_keys() {
        let described = described();
        let json: serde_json::Value = serde_json::from_str(&described.json()).unwrap();
        let before = serde_json::to_value(&described.profile).unwrap();
        for (key, value) in before.as_object().unwrap() {
            assert_eq!(&json[key], value);
        }
        assert_eq!(json["dataset"]["n_duplicated_rows"], 1);
        assert_eq!(json["findings"].as_array().unwrap().len(), described.findings.len());
    }
}
