//! Columns in, a matrix out: learned from the training rows only and saved inside the model. Pure.
//!
//! | column | becomes |
//! |---|---|
//! | number, boolean (0 and 1), timestamp (seconds) | one column: missing values are the training median (scikit-learn's `SimpleImputer(strategy="median")`), then standardised where the estimator wants it (`StandardScaler`: mean and population standard deviation of the imputed training rows) |
//! | text | one column of 0 and 1 a level that occurs in the training rows, levels sorted by code point (`OneHotEncoder(handle_unknown="ignore")`); *missing* is a level of its own, the last, if it occurs in the training rows; a level that did not occur is all zeros |
//!
//! A column that is constant or empty in the training rows carries nothing and is left out, and so is a text that
//! looks like an identifier (more than [`MAX_LEVELS`] levels, or more levels than half the rows); a note says so.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::data::{Column, ColumnType, Frame, MISSING, Values};

use super::estimator::{FitError, Scaling};

/// Texts with more levels than this are taken for identifiers.
pub const MAX_LEVELS: usize = 100;
/// Texts with few levels are kept even when there are hardly more rows than levels.
const FEW_LEVELS: usize = 10;
/// Greater values are refused when fitting: their squares could not be summed.
pub const MAX_MAGNITUDE: f64 = 1e150;
/// Values that a matrix may have (800 MB): a wider one would not fit on a runner.
const MAX_CELLS: usize = 100_000_000;

/// How each column that the model uses becomes columns of the matrix, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Preprocessing {
    pub features: Vec<Feature>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    pub name: String,
    pub encoding: Encoding,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Encoding {
    /// `(value or impute - center) / scale`.
    Number { impute: f64, center: f64, scale: f64 },
    /// The same from Unix time in seconds.
    Timestamp { impute: f64, center: f64, scale: f64 },
    /// One column a level, and one for *missing* if it has its own.
    Levels { levels: Vec<String>, missing: bool },
}

/// Why a model can not answer for these rows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PredictError {
    #[error("the model needs the column `{0}`, which the data do not have")]
    MissingColumn(String),
    #[error("the model was trained on `{column}` as a {trained}, and here it is a {found}")]
    TypeChanged {
        column: String,
        trained: &'static str,
        found: &'static str,
    },
    #[error("row {row} is beyond the {n_rows} rows of the data")]
    Row { row: usize, n_rows: usize },
    #[error("{n_rows} rows of {n_columns} encoded columns are more than fit in memory; predict in parts")]
    TooLarge { n_rows: usize, n_columns: usize },
    #[error("the prediction for row {row} is not finite: its values are far outside what the model was trained on")]
    NotFinite { row: usize },
}

impl Encoding {
    /// How many columns of the matrix it makes.
    pub fn width(&self) -> usize {
        match self {
            Self::Number { .. } | Self::Timestamp { .. } => 1,
            Self::Levels { levels, missing } => levels.len() + usize::from(*missing),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Number { .. } => "number",
            Self::Timestamp { .. } => "timestamp",
            Self::Levels { .. } => "text",
        }
    }
}

impl Preprocessing {
    /// Learns the encodings of `features` from `rows`; the second value are notes for people.
    ///
    /// # Errors
    /// [`FitError::Data`] when a feature is absent or too large, or when nothing is left to learn from.
    pub fn fit(
        frame: &Frame,
        rows: &[usize],
        features: &[String],
        scaling: Scaling,
    ) -> Result<(Self, Vec<String>), FitError> {
        let (mut fitted, mut notes, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for name in features {
            let column = frame
                .column(name)
                .ok_or_else(|| FitError::Data(format!("there is no column `{name}`")))?;
            if !seen.insert(name) {
                return Err(FitError::Data(format!("`{name}` is named twice among the features")));
            }
            match encoding(column, rows, scaling)? {
                Learned::Encoding(encoding) => {
                    if matches!(encoding, Encoding::Timestamp { .. }) {
                        notes.push(format!("`{name}` is used as a number, the seconds of its moment"));
                    }
                    fitted.push(Feature {
                        name: name.clone(),
                        encoding,
                    });
                }
                Learned::Nothing(why) => notes.push(format!("`{name}` is left out: {why}")),
            }
        }
        let fitted = Self { features: fitted };
        if fitted.features.is_empty() {
            let mut why = "no feature is left to learn from".to_owned();
            for note in notes.iter().take(5) {
                why.push_str("; ");
                why.push_str(note);
            }
            return Err(FitError::Data(why));
        }
        Ok((fitted, notes))
    }

    /// How many columns the matrix has.
    pub fn width(&self) -> usize {
        self.features.iter().map(|feature| feature.encoding.width()).sum()
    }

    /// What each column of the matrix is: `bmi`, `island=Dream`, `sex is missing`.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.width());
        for Feature { name, encoding } in &self.features {
            match encoding {
                Encoding::Number { .. } | Encoding::Timestamp { .. } => names.push(name.clone()),
                Encoding::Levels { levels, missing } => {
                    names.extend(levels.iter().map(|level| format!("{name}={level}")));
                    if *missing {
                        names.push(format!("{name} is missing"));
                    }
                }
            }
        }
        names
    }

    /// The matrix of `rows`: n × width, without NaN.
    ///
    /// # Errors
    /// [`PredictError`] when a column is absent or of another type, a row is out of range, or the matrix too large.
    pub fn transform(&self, frame: &Frame, rows: &[usize]) -> Result<Array2<f64>, PredictError> {
        let (n_rows, n_columns) = (rows.len(), self.width());
        if n_rows.saturating_mul(n_columns) > MAX_CELLS {
            return Err(PredictError::TooLarge { n_rows, n_columns });
        }
        if let Some(&row) = rows.iter().find(|&&row| row >= frame.n_rows()) {
            return Err(PredictError::Row {
                row,
                n_rows: frame.n_rows(),
            });
        }
        let mut x = Array2::zeros((n_rows, n_columns));
        let mut first = 0;
        for Feature { name, encoding } in &self.features {
            let column = frame
                .column(name)
                .ok_or_else(|| PredictError::MissingColumn(name.clone()))?;
            encode(encoding, column, rows, &mut x, first)?;
            first += encoding.width();
        }
        Ok(x)
    }

    /// Whether a loaded one can be trusted.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for Feature { name, encoding } in &self.features {
            if !names.insert(name) {
                return Err(format!("`{name}` occurs twice"));
            }
            match encoding {
                Encoding::Number { impute, center, scale } | Encoding::Timestamp { impute, center, scale } => {
                    if !(impute.is_finite() && center.is_finite() && scale.is_finite() && *scale > 0.0) {
                        return Err(format!("the scale of `{name}` is not a positive number"));
                    }
                }
                Encoding::Levels { levels, .. } => {
                    if levels.len() > MAX_LEVELS || !levels.is_sorted_by(|a, b| a < b) || encoding.width() == 0 {
                        return Err(format!(
                            "the levels of `{name}` are not a sorted list of up to {MAX_LEVELS}"
                        ));
                    }
                }
            }
        }
        if self.features.is_empty() {
            return Err("there are no features".to_owned());
        }
        Ok(())
    }
}

enum Learned {
    Encoding(Encoding),
    /// Why the column carries nothing.
    Nothing(&'static str),
}

fn encoding(column: &Column, rows: &[usize], scaling: Scaling) -> Result<Learned, FitError> {
    match &column.values {
        Values::Numbers(values) => {
            let chosen: Vec<f64> = rows.iter().map(|&row| values[row]).collect();
            if let Some(value) = chosen.iter().find(|value| value.abs() > MAX_MAGNITUDE) {
                return Err(FitError::Data(format!(
                    "`{}` holds {value:e}, and values beyond {MAX_MAGNITUDE:e} can not be used; correct it, or exclude \
                     the column",
                    column.name
                )));
            }
            let Some(impute) = median(&chosen) else {
                return Ok(Learned::Nothing("it has no value in the training rows"));
            };
            let (center, scale) = mean_and_sd(&chosen, impute);
            let n = chosen.len() as f64;
            // scikit-learn's bound on what rounding alone leaves as variance of a constant column.
            let noise = n * f64::EPSILON * scale.powi(2) + (n * center * f64::EPSILON).powi(2);
            if scale.powi(2) <= noise || !scale.is_normal() {
                return Ok(Learned::Nothing("it has the same value in all training rows"));
            }
            let (center, scale) = match scaling {
                Scaling::Standardize => (center, scale),
                Scaling::Keep => (0.0, 1.0),
            };
            Ok(Learned::Encoding(if column.kind == ColumnType::Timestamp {
                Encoding::Timestamp { impute, center, scale }
            } else {
                Encoding::Number { impute, center, scale }
            }))
        }
        Values::Texts { codes, levels } => {
            let mut used = BTreeSet::new();
            let mut missing = false;
            for &row in rows {
                match text(codes[row], levels) {
                    Some(level) => drop(used.insert(level)),
                    None => missing = true,
                }
            }
            if used.is_empty() {
                return Ok(Learned::Nothing("it has no value in the training rows"));
            }
            if used.len() > MAX_LEVELS || (used.len() > FEW_LEVELS && used.len() * 2 > rows.len()) {
                return Ok(Learned::Nothing(
                    "it has too many different texts to learn from, like an identifier; name it in `data.exclude` if \
                     that is what it is",
                ));
            }
            if used.len() + usize::from(missing) == 1 {
                return Ok(Learned::Nothing("it has the same value in all training rows"));
            }
            let levels = used.into_iter().map(str::to_owned).collect();
            Ok(Learned::Encoding(Encoding::Levels { levels, missing }))
        }
    }
}

/// The text of a code; an empty one counts as missing, since files do not tell the two apart.
fn text(code: u32, levels: &[String]) -> Option<&str> {
    let level = if code == MISSING {
        None
    } else {
        levels.get(code as usize)
    };
    level.map(String::as_str).filter(|level| !level.is_empty())
}

/// The middle of the values that are there; between the two middle ones for an even number. `None` without any.
fn median(values: &[f64]) -> Option<f64> {
    let mut present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    present.sort_unstable_by(f64::total_cmp);
    let half = present.len() / 2;
    let upper = *present.get(half)?;
    Some(if present.len() % 2 == 1 {
        upper
    } else {
        present[half - 1].midpoint(upper)
    })
}

/// Mean and population standard deviation with `impute` for missing values; at least one value.
fn mean_and_sd(values: &[f64], impute: f64) -> (f64, f64) {
    let imputed = || values.iter().map(|value| if value.is_nan() { impute } else { *value });
    let n = values.len() as f64;
    let mean = imputed().sum::<f64>() / n;
    // The second term corrects what rounding left in the mean (Chan, Golub and LeVeque, 1983).
    let squares: f64 = imputed().map(|value| (value - mean).powi(2)).sum();
    let rest: f64 = imputed().map(|value| value - mean).sum();
    (mean, ((squares - rest.powi(2) / n) / n).max(0.0).sqrt())
}

fn encode(
    encoding: &Encoding,
    column: &Column,
    rows: &[usize],
    x: &mut Array2<f64>,
    first: usize,
) -> Result<(), PredictError> {
    let changed = || PredictError::TypeChanged {
        column: column.name.clone(),
        trained: encoding.kind(),
        found: match column.kind {
            ColumnType::Text => "text",
            ColumnType::Timestamp => "timestamp",
            ColumnType::Float | ColumnType::Integer | ColumnType::Boolean => "number",
        },
    };
    // A column without a single value has whatever type its reader guessed.
    let empty = match &column.values {
        Values::Numbers(values) => rows.iter().all(|&row| values[row].is_nan()),
        Values::Texts { codes, levels } => rows.iter().all(|&row| text(codes[row], levels).is_none()),
    };
    match encoding {
        Encoding::Number { impute, center, scale } | Encoding::Timestamp { impute, center, scale } => {
            let moment = matches!(encoding, Encoding::Timestamp { .. });
            let values = match &column.values {
                _ if empty => None,
                Values::Numbers(values) if moment == (column.kind == ColumnType::Timestamp) => Some(values),
                Values::Numbers(_) | Values::Texts { .. } => return Err(changed()),
            };
            for (index, &row) in rows.iter().enumerate() {
                let value = values.map_or(f64::NAN, |values| values[row]);
                let value = if value.is_nan() { *impute } else { value };
                x[(index, first)] = (value - center) / scale;
            }
        }
        Encoding::Levels { levels, missing } => {
            let (codes, texts): (&[u32], &[String]) = match &column.values {
                Values::Texts { codes, levels } => (codes, levels),
                Values::Numbers(_) if empty => (&[], &[]),
                Values::Numbers(_) => return Err(changed()),
            };
            let places: BTreeMap<&str, usize> = levels.iter().map(String::as_str).zip(first..).collect();
            let place_of_code: Vec<Option<usize>> =
                texts.iter().map(|level| places.get(level.as_str()).copied()).collect();
            let missing = missing.then_some(first + levels.len());
            for (index, &row) in rows.iter().enumerate() {
                let code = codes.get(row).copied().unwrap_or(MISSING);
                let place = match text(code, texts) {
                    Some(_) => place_of_code[code as usize],
                    None => missing,
                };
                if let Some(place) = place {
                    x[(index, place)] = 1.0;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::samples::{frame, number, text as texts};

    fn fitted(columns: Vec<Column>, scaling: Scaling) -> (Frame, Result<(Preprocessing, Vec<String>), FitError>) {
        let frame = frame(columns);
        let features: Vec<String> = frame.columns().iter().map(|column| column.name.clone()).collect();
        let rows: Vec<usize> = (0..frame.n_rows()).collect();
        let fitted = Preprocessing::fit(&frame, &rows, &features, scaling);
        (frame, fitted)
    }

    #[test]
    fn imputes_scales_and_encodes() {
        let columns = vec![
            number("age", &[1.0, f64::NAN, 3.0, 6.0]),
            texts("island", &["Torgersen", "", "Biscoe", "Biscoe"]),
            number("same", &[2.0; 4]),
            number("empty", &[f64::NAN; 4]),
        ];
        let (frame, fitted) = fitted(columns, Scaling::Standardize);
        let (preprocessing, notes) = fitted.unwrap();
        insta::assert_snapshot!(notes.join("\n"), @r"
        `same` is left out: it has the same value in all training rows
        `empty` is left out: it has no value in the training rows
        ");
        assert_eq!(
            preprocessing.names(),
            ["age", "island=Biscoe", "island=Torgersen", "island is missing"]
        );
        // NumPy: the median of 1, 3, 6 is 3; mean 3.25, population standard deviation 1.7853571071357126.
        insta::assert_snapshot!(format!("{:.12}", preprocessing.transform(&frame, &[0, 1, 2, 3]).unwrap()), @r"
        [[-1.260252075625, 0.000000000000, 1.000000000000, 0.000000000000],
         [-0.140028008403, 0.000000000000, 0.000000000000, 1.000000000000],
         [-0.140028008403, 1.000000000000, 0.000000000000, 0.000000000000],
         [1.540308092431, 1.000000000000, 0.000000000000, 0.000000000000]]
        ");
    }

    #[test]
    fn what_was_not_seen_in_training_is_zeros() {
        let (_, fitted) = fitted(vec![texts("a", &["x", "y", "x"])], Scaling::Keep);
        let other = frame(vec![texts("a", &["y", "z", ""])]);
        let x = fitted.unwrap().0.transform(&other, &[0, 1, 2]).unwrap();
        assert_eq!(x, ndarray::array![[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]);
    }

    #[test]
    fn names_a_missing_column_and_a_changed_type() {
        let (_, fitted) = fitted(vec![number("a", &[1.0, 2.0]), texts("b", &["x", "y"])], Scaling::Keep);
        let preprocessing = fitted.unwrap().0;
        let error = |columns| preprocessing.transform(&frame(columns), &[0]).unwrap_err().to_string();
        insta::assert_snapshot!(error(vec![number("a", &[1.0])]), @"the model needs the column `b`, which the data do not have");
        insta::assert_snapshot!(error(vec![texts("a", &["x"]), texts("b", &["x"])]), @"the model was trained on `a` as a number, and here it is a text");
        insta::assert_snapshot!(error(vec![number("a", &[1.0]), number("b", &[1.0])]), @"the model was trained on `b` as a text, and here it is a number");
        // A column without a value has whatever type its reader guessed, so that is no change.
        let guessed = frame(vec![texts("a", &[""]), number("b", &[f64::NAN])]);
        assert_eq!(
            preprocessing.transform(&guessed, &[0]).unwrap(),
            ndarray::array![[1.5, 0.0, 0.0]]
        );
    }

    #[test]
    fn identifiers_and_extremes_are_not_learned_from() {
        let ids: Vec<String> = (0..30).map(|i| format!("id-{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (_, result) = fitted(vec![texts("id", &ids)], Scaling::Keep);
        insta::assert_snapshot!(result.unwrap_err(), @"no feature is left to learn from; `id` is left out: it has too many different texts to learn from, like an identifier; name it in `data.exclude` if that is what it is");
        let (_, result) = fitted(vec![number("a", &[1e300, 1.0])], Scaling::Keep);
        insta::assert_snapshot!(result.unwrap_err(), @"`a` holds 1e300, and values beyond 1e150 can not be used; correct it, or exclude the column");
        // Rounding leaves a variance of some 1e-17 here; that is not information.
        let (_, result) = fitted(vec![number("a", &[0.1, 0.1, 0.1])], Scaling::Standardize);
        assert!(result.is_err());
    }
}
