//! Numbers in the order that they came in: where a detector says that they changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::base::{Diagnostic, Diagnostics};
use crate::data::{self, ColumnType, DataError, Frame, Values};
use crate::drift::{DetectorKind, detect};
use crate::stats::mean;

use super::frames::{self, Rows};

/// Detects changes of a model's errors in a run.
const DETECTOR: &str = "adwin";

/// What is watched, and by what.
pub struct Watch {
    /// Paths are relative to it.
    pub root: PathBuf,
    /// A path or a glob.
    pub data: String,
    pub column: String,
    pub detector: &'static DetectorKind,
    /// Those that are not the usual ones.
    pub parameters: Vec<(String, f64)>,
    /// Orders the rows; without it their order in the files is that of time.
    pub time: Option<String>,
}

/// What a detector said.
#[derive(Debug)]
pub struct Watched {
    pub n_rows: usize,
    /// Rows without a value, which are skipped.
    pub n_missing: usize,
    pub changes: Vec<Change>,
    /// Where a warning began that no change had ended yet.
    pub warnings: Vec<Spot>,
    pub problems: Diagnostics,
}

/// A row of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// From 1, as the files hold them.
    pub row: usize,
    pub file: String,
    /// From 1; of Parquet the row of the file.
    pub line: u64,
    pub time: Option<String>,
}

/// Where a change was noticed, which is some rows after it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub at: Spot,
    /// From where on the values look different, at the latest there.
    pub began: Spot,
    /// From where the change before began, or the first value, to where this one began.
    pub before: Stretch,
    /// From where this one began to where the next one did, or the last value.
    pub after: Stretch,
}

/// Neighboring values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    pub n: usize,
    pub mean: f64,
}

impl Stretch {
    /// Of finite values, of which there is one at least.
    fn of(values: &[f64]) -> Self {
        let unit = unit(values);
        let scaled: Vec<f64> = values.iter().map(|x| x / unit).collect();
        Self {
            n: values.len(),
            mean: mean(&scaled) * unit,
        }
    }
}

/// Runs a detector over a column.
///
/// # Errors
/// Data that can not be read, a column that is not there or holds no numbers, parameters or values that the detector does
/// not take.
pub fn watch(watch: &Watch) -> Result<Watched, DataError> {
    let loaded = data::read_lenient(&watch.root, &watch.data, &BTreeMap::new())?;
    let frame = &loaded.frame;
    let numbers = numbers(frame, &watch.column, &watch.data)?;
    if let Some(time) = &watch.time {
        frame.find(time).map_err(|problem| problem.file(&watch.data))?;
    }
    let all: Vec<usize> = (0..frame.n_rows()).collect();
    let ordered = match &watch.time {
        None => all,
        Some(time) => frames::in_time(Rows { frame, rows: &all }, time)
            .map_err(|why| Diagnostic::error("wrong-column", why).file(&watch.data))?,
    };
    let rows: Vec<usize> = ordered.into_iter().filter(|row| numbers[*row].is_finite()).collect();
    let values: Vec<f64> = rows.iter().map(|row| numbers[*row]).collect();
    let given: Vec<(&str, f64)> = watch
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let signals = watch.detector.signals(&given, &values).map_err(|why| {
        let problem = Diagnostic::error("wrong-detector", why).file(&watch.data);
        problem.help("`mlops watch --list` has every detector with its parameters")
    })?;
    let spot = |place: usize| {
        let from = frame.place(rows[place]);
        Spot {
            row: rows[place] + 1,
            file: from.file,
            line: from.line,
            time: watch.time.as_ref().and_then(|time| moment(frame, time, rows[place])),
        }
    };
    let places: Vec<usize> = signals
        .iter()
        .filter(|(_, signal)| signal.change)
        .map(|(place, _)| *place)
        .collect();
    let warnings = signals.iter().enumerate().filter(|(at, (place, signal))| {
        let before = at.checked_sub(1).map(|before| signals[before]);
        // A warning goes on while each value repeats it.
        let goes_on = before.is_some_and(|(last, signal)| last + 1 == *place && signal.warning && !signal.change);
        signal.warning && !signal.change && !goes_on
    });
    Ok(Watched {
        n_rows: frame.n_rows(),
        n_missing: frame.n_rows() - rows.len(),
        changes: stretches(&values, &places)
            .into_iter()
            .map(|found| Change {
                at: spot(found.place),
                began: spot(found.began),
                before: found.before,
                after: found.after,
            })
            .collect(),
        warnings: warnings.map(|(_, (place, _))| spot(*place)).collect(),
        problems: loaded.warnings,
    })
}

/// A sum of great values must not overflow: they are divided by it first.
fn unit(values: &[f64]) -> f64 {
    let greatest = values.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    if greatest > 1e100 { greatest } else { 1.0 }
}

/// A change by the places of its values.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    place: usize,
    began: usize,
    before: Stretch,
    after: Stretch,
}

/// The values before and after each change, as far as its neighbors.
fn stretches(values: &[f64], places: &[usize]) -> Vec<Found> {
    let lasts = std::iter::once(None).chain(places.iter().map(|place| Some(*place)));
    let began: Vec<usize> = places
        .iter()
        .zip(lasts)
        .map(|(place, last)| began(values, last.unwrap_or(0), *place))
        .collect();
    let ends = began.iter().skip(1).copied().chain([values.len()]);
    let firsts = std::iter::once(0).chain(began.iter().copied());
    let found = places.iter().zip(&began).zip(firsts.zip(ends));
    found
        .map(|((&place, &began), (first, end))| Found {
            place,
            began,
            // A change at the very first value has nothing before it.
            before: Stretch::of(&values[first..began.max(first + 1)]),
            after: Stretch::of(&values[began..end.max(began + 1)]),
        })
        .collect()
}

/// After `first` and at the latest at `place`: where the means of the values before and since differ most, in the
/// standard errors that they have.
fn began(values: &[f64], first: usize, place: usize) -> usize {
    let part = &values[first..=place];
    let unit = unit(part);
    let total: f64 = part.iter().map(|x| x / unit).sum();
    let (mut sum, mut best) = (0.0, (0.0, place));
    for (at, x) in part.iter().enumerate().take(part.len().saturating_sub(1)) {
        sum += x / unit;
        let (n, rest) = ((at + 1) as f64, (part.len() - at - 1) as f64);
        let difference = sum / n - (total - sum) / rest;
        let contrast = difference * difference * n * rest;
        if contrast > best.0 {
            best = (contrast, first + at + 1);
        }
    }
    best.1
}

/// The error names the data.
fn numbers<'f>(frame: &'f Frame, name: &str, data: &str) -> Result<&'f [f64], DataError> {
    let column = frame.find(name).map_err(|problem| problem.file(data))?;
    let is_number = matches!(
        column.kind,
        ColumnType::Float | ColumnType::Integer | ColumnType::Boolean
    );
    if let (Values::Numbers(numbers), true) = (&column.values, is_number) {
        return Ok(numbers);
    }
    let problem = Diagnostic::error("wrong-column", format!("`{name}` holds no numbers")).file(data);
    Err(problem
        .help("a detector reads numbers, such as the errors of a model, one a row")
        .into())
}

/// When a row was, as its column of time says.
fn moment(frame: &Frame, time: &str, row: usize) -> Option<String> {
    Some(frame.column(time)?.label(row)?.into_owned())
}

/// Where a model's errors changed in time: a sentence a change. `errors` are those of `rows`, in the order of time.
pub fn changes_of_errors(frame: &Frame, rows: &[usize], errors: &[f64], time: &str, measure: &str) -> Vec<String> {
    // The detector's bound is for values between 0 and 1.
    let greatest = errors.iter().fold(0.0_f64, |a, x| a.max(*x));
    if !(greatest > 0.0 && greatest.is_finite()) {
        return Vec::new();
    }
    let scaled: Vec<f64> = errors.iter().map(|error| error / greatest).collect();
    let places = detect(DETECTOR, &scaled).unwrap_or_default();
    let told = stretches(errors, &places).into_iter().map(|found| {
        let row = rows[found.began];
        let when = moment(frame, time, row).map_or_else(String::new, |moment| format!(" at {moment}"));
        format!(
            "the errors of production changed in time{when} ({}): the {measure} was {:.4} before and {:.4} since",
            frame.place(row),
            found.before.mean,
            found.after.mean
        )
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::DETECTORS;

    fn run(text: &str, column: &str, detector: &str, time: Option<&str>) -> Result<Watched, String> {
        let root = tempfile::tempdir().unwrap();
        crate::sys::write_atomic(&root.path().join("errors.csv"), text.as_bytes()).unwrap();
        let found = watch(&Watch {
            root: root.path().to_owned(),
            data: "errors.csv".to_owned(),
            column: column.to_owned(),
            detector: DETECTORS.iter().find(|kind| kind.name == detector).unwrap(),
            parameters: Vec::new(),
            time: time.map(str::to_owned),
        });
        found.map_err(|error| match error {
            DataError::Problems(problems) => problems.to_string(),
            DataError::File(error) => error.to_string(),
        })
    }

    /// 200 days: wrong answers in every tenth row, then in two of three; the rows stand in reverse.
    fn days() -> String {
        let row = |day: usize| {
            let wrong = if day < 100 {
                day.is_multiple_of(10)
            } else {
                !day.is_multiple_of(3)
            };
            let cell = if day == 7 {
                String::new()
            } else {
                u8::from(wrong).to_string()
            };
            format!("2024-{:02}-{:02},{cell}\n", day / 28 + 1, day % 28 + 1)
        };
        let rows: String = (0..200).rev().map(row).collect();
        format!("day,wrong\n{rows}")
    }

    #[test]
    fn every_detector_finds_a_step_in_the_order_of_time() {
        for kind in DETECTORS {
            // In the unit of its values, Page and Hinkley's threshold is too great for answers.
            if kind.name == "page_hinkley" {
                continue;
            }
            let found = run(&days(), "wrong", kind.name, Some("day")).unwrap();
            assert_eq!((found.n_rows, found.n_missing), (200, 1));
            let change = found.changes.iter().find(|change| change.at.row <= 100);
            let change = change.unwrap_or_else(|| panic!("{} finds nothing: {found:?}", kind.name));
            assert!(change.after.mean > change.before.mean, "{}: {change:?}", kind.name);
            assert_eq!(change.at.line, change.at.row as u64 + 1);
            assert!(change.at.time.as_ref().unwrap().starts_with("2024-"));
            assert!(kind.warns || found.warnings.is_empty());
        }
    }

    #[test]
    fn stretches_end_at_their_neighbors() {
        let found = stretches(&[1.0, 3.0, 5.0, 5.0, 9.0], &[3, 4]);
        let plain: Vec<_> = found
            .iter()
            .map(|one| {
                (
                    one.place,
                    one.began,
                    one.before.n,
                    one.before.mean,
                    one.after.n,
                    one.after.mean,
                )
            })
            .collect();
        assert_eq!(plain, [(3, 2, 2, 2.0, 2, 5.0), (4, 4, 2, 5.0, 1, 9.0)]);
        let first = stretches(&[1.0, 3.0], &[0]);
        assert_eq!((first[0].began, first[0].before.n, first[0].after.n), (0, 1, 2));
        assert!(stretches(&[], &[]).is_empty());
        assert_eq!(stretches(&[1e308, 1e308, -1e308, -1e308], &[3])[0].began, 2);
        assert!(Stretch::of(&[1e308, 1e308]).mean.is_finite());
    }

    #[test]
    fn what_can_not_be_watched_says_why() {
        let error =
            |column, detector, time| run("day,wrong,name\n1,0.5,a\n2,1,b\n", column, detector, time).unwrap_err();
        assert!(error("wrnog", "adwin", None).contains("wrong"));
        assert!(error("name", "adwin", None).contains("`name` holds no numbers"));
        assert!(error("wrong", "ddm", None).contains("takes right (0) and wrong (1) answers only"));
        assert!(error("wrong", "adwin", Some("name")).contains("`name` holds no numbers or dates"));
        assert!(error("wrong", "adwin", Some("when")).contains("when"));
    }

    #[test]
    fn errors_that_rise_are_told_with_their_moment() {
        let root = tempfile::tempdir().unwrap();
        crate::sys::write_atomic(&root.path().join("errors.csv"), days().as_bytes()).unwrap();
        let frame = data::read_source(root.path(), "errors.csv", &BTreeMap::new())
            .unwrap()
            .frame;
        let rows: Vec<usize> = (0..200).rev().collect();
        let errors: Vec<f64> = (0..200)
            .map(|day| if day < 100 { 2.0 } else { 40.0 + f64::from(day % 3) })
            .collect();
        let told = changes_of_errors(&frame, &rows, &errors, "day", "mean absolute error");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains(" at 2024-04-17 (errors.csv:101)") && told[0].contains("was 2.0000 before"),
            "{told:?}"
        );
        assert!(changes_of_errors(&frame, &rows, &vec![2.0; 200], "day", "mean absolute error").is_empty());
    }
}
