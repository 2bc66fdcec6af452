//! How drift is looked for. Pure.

use std::collections::BTreeMap;

use super::result::{Mode, Policy};
use super::univariate::table::{self, kind_name};
use super::univariate::{Kind, Test};
use crate::base::Diagnostic;

/// The chance of any false alarm in data that did not change, over all columns.
pub const ALPHA: f64 = 0.05;
/// The level of the second look, at locations: a fifth, so that both together stay close to [`ALPHA`].
pub const LOCATION_ALPHA: f64 = 0.01;
/// What of [`ALPHA`] it takes for missing values to be an alarm, and no mere remark: their family comes on top of the columns'.
pub const MISSING_SHARE: f64 = 0.2;
/// A change smaller than this is none, however sure: in standard deviations for numbers, as a distance for categories.
pub const MIN_EFFECT: f64 = 0.1;
/// As [`MIN_EFFECT`] for the share of missing values.
pub const MIN_MISSING_EFFECT: f64 = 0.05;
/// From this share of drifted columns on the whole data set drifted.
pub const MAX_SHARE: f64 = 0.5;
/// Fewer rows on a side than this decide nothing.
pub const MIN_ROWS: u64 = 20;

#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub mode: Mode,
    pub policy: Policy,
    pub alpha: f64,
    pub min_effect: f64,
    pub min_missing_effect: f64,
    pub max_share: f64,
    pub min_rows: u64,
    /// Only these; empty: all.
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    /// What a column is, where it is not as it looks.
    pub kinds: BTreeMap<String, Kind>,
    /// Evidently's mode: the test of a kind of columns, and of one column.
    pub methods: BTreeMap<Kind, String>,
    pub column_methods: BTreeMap<String, String>,
    /// Evidently's mode: in the place of every test's own threshold, and of one column's.
    pub threshold: Option<f64>,
    pub column_thresholds: BTreeMap<String, f64>,
    /// Rows follow one another in the order of this column.
    pub time_column: Option<String>,
    pub seasonal: Option<Season>,
    pub seed: u64,
}

/// Rows of the reference that are of the same season as the current ones; where there are too few, what changed since one
/// season earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Season {
    Month,
    Weekday,
    Hour,
}

impl Season {
    pub const NAMES: [&str; 3] = ["month", "weekday", "hour"];

    pub fn of(name: &str) -> Option<Self> {
        [Self::Month, Self::Weekday, Self::Hour]
            .into_iter()
            .find(|season| season.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Weekday => "weekday",
            Self::Hour => "hour",
        }
    }

    /// What lies between a season and the same one before.
    pub fn step(self) -> &'static str {
        match self {
            Self::Month => "one year",
            Self::Weekday => "one week",
            Self::Hour => "one day",
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            policy: Policy::default(),
            alpha: ALPHA,
            min_effect: MIN_EFFECT,
            min_missing_effect: MIN_MISSING_EFFECT,
            max_share: MAX_SHARE,
            min_rows: MIN_ROWS,
            include: Vec::new(),
            exclude: Vec::new(),
            kinds: BTreeMap::new(),
            methods: BTreeMap::new(),
            column_methods: BTreeMap::new(),
            threshold: None,
            column_thresholds: BTreeMap::new(),
            time_column: None,
            seasonal: None,
            seed: 0,
        }
    }
}

impl Settings {
    /// Every column that is named.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let lists = self.include.iter().chain(&self.exclude).chain(&self.time_column);
        let keys = self
            .kinds
            .keys()
            .chain(self.column_methods.keys())
            .chain(self.column_thresholds.keys());
        lists.chain(keys).map(String::as_str)
    }

    /// Whether this column is looked at.
    pub fn takes(&self, column: &str) -> bool {
        let is_named = |names: &[String]| names.iter().any(|name| name == column);
        (self.include.is_empty() || is_named(&self.include)) && !is_named(&self.exclude)
    }
}

/// The test of this name, which columns of this kind may be asked for; else the error says what there is. The caller adds
/// the place.
#[expect(clippy::result_large_err, reason = "a diagnostic is made once and ends the reading")]
pub fn known_test(name: &str, kind: Option<Kind>) -> Result<&'static Test, Diagnostic> {
    let fits = |test: &Test| kind.is_none_or(|kind| test.kinds.contains(&kind));
    let names = || -> String {
        let fitting = table::TESTS.iter().filter(|test| fits(test)).map(|test| test.name);
        fitting.collect::<Vec<_>>().join(", ")
    };
    match table::test(name) {
        Some(test) if fits(test) => Ok(test),
        Some(_) => {
            let kind = kind.map_or("such", kind_name);
            let message = format!("the test `{name}` is not for {kind} columns");
            Err(Diagnostic::error("wrong-test", message).help(format!("there is: {}", names())))
        }
        None => {
            let problem = Diagnostic::error("unknown-test", format!("there is no test `{name}`"));
            Err(match table::nearest_test(name) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("there is: {}", names())),
            })
        }
    }
}
