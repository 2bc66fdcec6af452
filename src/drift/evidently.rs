//! Drift as Evidently finds it: its kinds, its default tests, its thresholds; and where it fails, an answer. Pure.

use std::collections::BTreeMap;

use super::kinds::{self, Skip};
use super::pair::Pair;
use super::result::{ColumnDrift, DatasetDrift, Role};
use super::shape;
use super::sketch::{ColumnSketch, Seen};
use super::univariate::{
    Kind, Outcome, ScoreKind, Test, Undefined, bins, chi_square, g, ks, table, text, wasserstein, z,
};

/// What may be said about the comparison; by default everything is as Evidently has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Kinds that are not inferred.
    pub kinds: BTreeMap<String, Kind>,
    pub tests: Choice<&'static Test>,
    pub thresholds: Choice<f64>,
    /// At this share of drifted columns the data set drifted.
    pub drift_share: f64,
    pub seed: u64,
}

/// Something that is said for a column, for a kind of columns, or for all; the first of these counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<T> {
    pub per_column: BTreeMap<String, T>,
    pub per_kind: BTreeMap<Kind, T>,
    pub all: Option<T>,
}

impl<T: Copy> Choice<T> {
    pub fn of(&self, column: &str, kind: Kind) -> Option<T> {
        let said = self.per_column.get(column).or_else(|| self.per_kind.get(&kind));
        said.copied().or(self.all)
    }
}

impl<T> Default for Choice<T> {
    fn default() -> Self {
        Self {
            per_column: BTreeMap::new(),
            per_kind: BTreeMap::new(),
            all: None,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kinds: BTreeMap::new(),
            tests: Choice::default(),
            thresholds: Choice::default(),
            drift_share: 0.5,
            seed: 0,
        }
    }
}

/// Every column in the order of the reference, then those that only the current data has; and the whole.
///
/// A column that can not be compared says why in its status and hides no other one. Drifted are the columns whose test
/// says so; the data set is when they are at least `drift_share` of the tested ones. Roles, importance, severity, pictures
/// and decisions are not this function's.
///
/// Oracle: `DataDriftPreset` of Evidently 0.7.23, `fixtures/drift`.
pub fn compare(
    reference: &[ColumnSketch],
    current: &[ColumnSketch],
    settings: &Settings,
) -> (Vec<ColumnDrift>, DatasetDrift) {
    let of_current: BTreeMap<&str, &ColumnSketch> =
        current.iter().map(|column| (column.name.as_str(), column)).collect();
    let of_reference: BTreeMap<&str, &ColumnSketch> =
        reference.iter().map(|column| (column.name.as_str(), column)).collect();
    let first = reference
        .iter()
        .map(|column| (Some(column), of_current.get(column.name.as_str()).copied()));
    let new = current
        .iter()
        .filter(|column| !of_reference.contains_key(column.name.as_str()));
    let columns: Vec<ColumnDrift> = first
        .chain(new.map(|column| (None, Some(column))))
        .map(|(reference, current)| compare_column(reference, current, settings))
        .collect();
    let dataset = whole(&columns, settings.drift_share);
    (columns, dataset)
}

fn whole(columns: &[ColumnDrift], drift_share: f64) -> DatasetDrift {
    let tested = columns.iter().filter(|column| column.status == "computed").count();
    let drifted = columns.iter().filter(|column| column.drifted).count();
    let share = if tested > 0 {
        drifted as f64 / tested as f64
    } else {
        0.0
    };
    DatasetDrift {
        tested,
        drifted,
        moved: 0,
        share,
        threshold: drift_share,
        drift: tested > 0 && share >= drift_share,
        decision: String::new(),
        severity: 0.0,
        reasons: Vec::new(),
    }
}

fn compare_column(
    reference: Option<&ColumnSketch>,
    current: Option<&ColumnSketch>,
    settings: &Settings,
) -> ColumnDrift {
    let name = reference.or(current).map_or("", |column| column.name.as_str());
    let inferred = current.or(reference).map_or(Kind::Unknown, kinds::evidently);
    let kind = settings.kinds.get(name).copied().unwrap_or(inferred);
    let mut column = blank(name, kind, [reference, current]);
    let sides = match Sides::of(kind, reference, current) {
        Ok(sides) => sides,
        Err(skip) => {
            column.status = format!("skipped: {}", skip.name());
            column.notes.push(skip.sentence().to_owned());
            return column;
        }
    };
    column.n = sides.pair.n();
    if let (Kind::Cat, Pair::Categories(categories)) = (kind, &sides.pair) {
        (column.new_categories, column.lost_categories) = shape::changes(categories);
    }
    if sides.is_mismatch {
        column.notes.push(Skip::TypeMismatch.sentence().to_owned());
    }
    let test = settings.tests.of(name, kind).unwrap_or_else(|| sides.default_test());
    column.test = Some(test.name.to_owned());
    let is_named = settings.tests.of(name, kind).is_some();
    let found = if is_named && !test.kinds.contains(&kind) {
        Err(Undefined(format!(
            "`{}` is no test of {} columns",
            test.name,
            table::kind_name(kind)
        )))
    } else {
        sides.run(test, settings.seed)
    };
    match found {
        Err(Undefined(why)) => column.status = format!("skipped: {why}"),
        Ok(outcome) => {
            let threshold = settings.thresholds.of(name, kind).unwrap_or(test.threshold);
            "computed".clone_into(&mut column.status);
            column.score = Some(outcome.score);
            column.score_kind = Some(test.score);
            column.threshold = Some(threshold);
            column.op = Some(test.op);
            column.statistic = outcome.statistic;
            column.p = (test.score == ScoreKind::PValue).then_some(outcome.score);
            column.drifted = is_drift(test, outcome.score, threshold, column.n);
            if *test == text::PERCENTILE {
                let random = text::random_auc(threshold, column.n);
                column.notes.push(format!(
                    "random scores stay below an AUC of {random:.3} in {} % of cases",
                    100.0 * threshold
                ));
            }
        }
    }
    column
}

/// Whether a score of `test` means drift for `n` rows of each side; never for NaN.
pub fn is_drift(test: &Test, score: f64, threshold: f64, n: [u64; 2]) -> bool {
    let limit = if *test == text::PERCENTILE {
        text::random_auc(threshold, n)
    } else {
        threshold
    };
    test.op.holds(score, limit)
}

/// Two sides of a column that can be held against each other.
pub struct Sides {
    pub kind: Kind,
    pub pair: Pair,
    /// Numbers on one side and texts on the other: no category is shared.
    pub is_mismatch: bool,
}

impl Sides {
    /// As Evidently compares them: categories also where one side has numbers and the other texts.
    pub fn of(kind: Kind, reference: Option<&ColumnSketch>, current: Option<&ColumnSketch>) -> Result<Self, Skip> {
        let skip = kinds::skip(kind, reference, current);
        let (Some(reference), Some(current)) = (reference, current) else {
            return Err(skip.unwrap_or(Skip::Unknown));
        };
        let is_mismatch = skip == Some(Skip::TypeMismatch);
        let has_times = matches!(reference.seen, Seen::Times(_)) || matches!(current.seen, Seen::Times(_));
        match skip {
            Some(Skip::TypeMismatch) if kind == Kind::Cat && !has_times => {}
            Some(skip) => return Err(skip),
            None => {}
        }
        let pair = kinds::pair(kind, reference, current).ok_or(Skip::Unknown)?;
        Ok(Self {
            kind,
            pair,
            is_mismatch,
        })
    }

    /// The test that Evidently chooses: by the kind, the rows of the reference and the distinct values of both sides.
    pub fn default_test(&self) -> &'static Test {
        let is_large = self.pair.n()[0] > 1000;
        let n_distinct = self.pair.n_distinct();
        match self.kind {
            Kind::Text if is_large => &text::ABSOLUTE,
            Kind::Text => &text::PERCENTILE,
            Kind::Num if n_distinct > 5 && is_large => &wasserstein::ROW,
            Kind::Num if n_distinct > 5 => &ks::ROW,
            Kind::Num | Kind::Cat | Kind::Datetime | Kind::Unknown if is_large => &bins::JENSENSHANNON,
            Kind::Num | Kind::Cat | Kind::Datetime | Kind::Unknown if n_distinct > 2 => &chi_square::ROW,
            Kind::Num | Kind::Cat | Kind::Datetime | Kind::Unknown => &z::ROW,
        }
    }

    /// What a test says, or why it says nothing. One value on both sides is no drift by any test.
    pub fn run(&self, test: &Test, seed: u64) -> Result<Outcome, Undefined> {
        if self.pair.is_one_value() && self.kind != Kind::Text {
            return Ok(Outcome {
                score: match test.score {
                    ScoreKind::PValue => 1.0,
                    ScoreKind::Distance => 0.0,
                    ScoreKind::RocAuc => 0.5,
                },
                statistic: None,
            });
        }
        // Numbers and texts have no order between them, and Evidently no G for sides of different size.
        let [n, m] = self.pair.n();
        if self.is_mismatch && (*test == z::ROW || *test == g::ROW && n != m) {
            return Err(Undefined(Skip::TypeMismatch.name().to_owned()));
        }
        let found = (test.run)(&self.pair, seed)?;
        if found.score.is_nan() {
            return Err(Undefined("the score is no number".to_owned()));
        }
        Ok(found)
    }

    /// Every test that may be asked for by name for this kind, in the order of the table, with what it says.
    pub fn all_tests(&self, seed: u64) -> Vec<(&'static Test, Result<Outcome, Undefined>)> {
        let fitting = table::TESTS.iter().filter(|test| test.kinds.contains(&self.kind));
        fitting.map(|test| (*test, self.run(test, seed))).collect()
    }
}

fn blank(name: &str, kind: Kind, sides: [Option<&ColumnSketch>; 2]) -> ColumnDrift {
    let count = |of: fn(&ColumnSketch) -> u64| sides.map(|side| side.map_or(0, of));
    ColumnDrift {
        kind,
        status: String::new(),
        n: count(kinds::n_known),
        missing: count(|side| side.n_missing),
        infinite: count(|side| side.n_infinite),
        ..ColumnDrift::untested(name, Role::Feature)
    }
}

#[cfg(test)]
#[path = "evidently_tests.rs"]
mod tests;
