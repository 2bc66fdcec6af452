//! Two data sets, column by column and as a whole. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::calibrated::{self, Beside};
use super::decide::{Beyond, decide};
use super::evidently;
use super::findings;
use super::kinds;
use super::result::{ColumnDrift, DriftResult, Mode, Multivariate, Performance, Role, SCHEMA, Side};
use super::settings::Settings;
use super::shape::{self, Sides};
use super::sketch::ColumnSketch;
use super::univariate::{Kind, table};
use super::unlabelled::Estimated;

/// One side of a comparison.
#[derive(Debug, Clone)]
pub struct Half<'a> {
    pub side: Side,
    pub columns: &'a [ColumnSketch],
}

/// Columns of numbers by what they changed since the row one season earlier, for the rows that have one.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    /// What lies between the two rows: `one year`.
    pub step: &'static str,
    pub reference: Vec<ColumnSketch>,
    pub current: Vec<ColumnSketch>,
}

/// What is known beside the two sides.
pub struct Knowledge<'a> {
    /// What a column is to the model.
    pub role: &'a dyn Fn(&str) -> Role,
    pub beside: &'a dyn Fn(&str) -> Beside,
    /// They are tested in the place of the numbers; all else is asked of the numbers themselves.
    pub differences: Option<&'a Differences>,
    pub multivariate: Option<Multivariate>,
    pub performance: Option<Performance>,
    pub estimated: Option<Estimated>,
    pub notes: Vec<String>,
}

/// Compares every column that the settings take, corrects, weighs and decides.
///
/// A column that can not be tested says why and hides no other. Identical sides never drift.
pub fn compare(reference: &Half<'_>, current: &Half<'_>, settings: &Settings, knowledge: Knowledge<'_>) -> DriftResult {
    let (before, after) = (taken(reference, settings), taken(current, settings));
    let mut columns = match knowledge.differences {
        None => tested([&before, &after], settings, &knowledge),
        Some(differences) => of_differences([&before, &after], differences, settings, &knowledge),
    };
    let missing = calibrated::missing(&before, &after, settings);
    let data_quality = findings::find(&before, &after, &columns, &missing, settings.alpha);
    let beyond = Beyond {
        findings: &data_quality,
        multivariate: knowledge.multivariate.as_ref(),
        performance: knowledge.performance.as_ref(),
        estimated: knowledge.estimated.as_ref(),
        n_reference: reference.side.rows,
    };
    let dataset = decide(&mut columns, beyond, settings);
    DriftResult {
        schema: SCHEMA.to_owned(),
        mode: settings.mode,
        reference: reference.side.clone(),
        current: current.side.clone(),
        dataset,
        columns,
        missing,
        data_quality,
        multivariate: knowledge.multivariate,
        performance: knowledge.performance,
        estimated: knowledge.estimated,
        notes: knowledge.notes,
    }
}

fn tested([before, after]: [&[ColumnSketch]; 2], settings: &Settings, knowledge: &Knowledge<'_>) -> Vec<ColumnDrift> {
    match settings.mode {
        Mode::Calibrated => calibrated::columns(before, after, settings, knowledge.role, knowledge.beside),
        Mode::Evidently => as_evidently(before, after, settings, knowledge.role),
    }
}

/// Columns that are numbers as they are written are tested by their differences, as numbers whatever these look like.
fn of_differences(
    [before, after]: [&[ColumnSketch]; 2],
    differences: &Differences,
    settings: &Settings,
    knowledge: &Knowledge<'_>,
) -> Vec<ColumnDrift> {
    let mut settings = settings.clone();
    let sides: BTreeMap<&str, Sides<'_>> = shape::paired(before, after)
        .map(|sides| (sides.name(), sides))
        .collect();
    let is_number = |name: &str| {
        let Some(Sides::Both(before, after)) = sides.get(name) else {
            return false;
        };
        let kind = settings.kinds.get(name).copied();
        let kind = kind.unwrap_or_else(|| match settings.mode {
            Mode::Calibrated => kinds::calibrated(before, after),
            Mode::Evidently => kinds::evidently(after),
        });
        kind == Kind::Num
    };
    let named = differences.reference.iter().map(|column| column.name.as_str());
    let named: BTreeSet<&str> = named.filter(|name| is_number(name)).collect();
    let kinds = named.iter().map(|name| ((*name).to_owned(), Kind::Num));
    settings.kinds.extend(kinds.collect::<Vec<_>>());
    let in_place = |columns: &[ColumnSketch], differences: &[ColumnSketch]| -> Vec<ColumnSketch> {
        let difference = |name: &str| differences.iter().find(|one| one.name == name && named.contains(name));
        let columns = columns.iter().map(|column| difference(&column.name).unwrap_or(column));
        columns.cloned().collect()
    };
    let sketches = [
        in_place(before, &differences.reference),
        in_place(after, &differences.current),
    ];
    let mut columns = tested([&sketches[0], &sketches[1]], &settings, knowledge);
    for column in columns
        .iter_mut()
        .filter(|column| named.contains(column.column.as_str()))
    {
        column.change_in = Some(differences.step.to_owned());
        if let Some(sides) = sides.get(column.column.as_str()) {
            let count = |of: fn(&ColumnSketch) -> u64| sides.each().map(|side| side.map_or(0, of));
            column.missing = count(|side| side.n_missing);
            column.infinite = count(|side| side.n_infinite);
        }
    }
    columns
}

/// The columns that are looked at; a copy only where some are not.
fn taken<'a>(half: &Half<'a>, settings: &Settings) -> Cow<'a, [ColumnSketch]> {
    if half.columns.iter().all(|column| settings.takes(&column.name)) {
        return Cow::Borrowed(half.columns);
    }
    let columns = half.columns.iter().filter(|column| settings.takes(&column.name));
    columns.cloned().collect()
}

/// What Evidently finds, with what there is to say and to draw of each column.
fn as_evidently(
    reference: &[ColumnSketch],
    current: &[ColumnSketch],
    settings: &Settings,
    role: &dyn Fn(&str) -> Role,
) -> Vec<ColumnDrift> {
    let (found, _) = evidently::compare(reference, current, &evidently_settings(settings));
    let sides: BTreeMap<&str, Sides<'_>> = shape::paired(reference, current)
        .map(|sides| (sides.name(), sides))
        .collect();
    let described = found.into_iter().map(|found| match sides.get(found.column.as_str()) {
        None => found,
        Some(sides) => {
            let (looks, _) = shape::described(*sides, role(&found.column), None);
            ColumnDrift {
                role: looks.role,
                summary: looks.summary,
                picture: looks.picture,
                approximate: looks.approximate,
                ..found
            }
        }
    });
    described.collect()
}

fn evidently_settings(settings: &Settings) -> evidently::Settings {
    let tests = |named: &BTreeMap<String, String>| {
        let found = named
            .iter()
            .filter_map(|(key, name)| Some((key.clone(), table::test(name)?)));
        found.collect::<BTreeMap<_, _>>()
    };
    let of_kind = settings
        .methods
        .iter()
        .filter_map(|(kind, name)| Some((*kind, table::test(name)?)));
    evidently::Settings {
        kinds: settings.kinds.clone(),
        tests: evidently::Choice {
            per_column: tests(&settings.column_methods),
            per_kind: of_kind.collect(),
            all: None,
        },
        thresholds: evidently::Choice {
            per_column: settings.column_thresholds.clone(),
            per_kind: BTreeMap::new(),
            all: settings.threshold,
        },
        drift_share: settings.max_share,
        seed: settings.seed,
    }
}

/// One test of one column, whether or not it is the one that decides.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedTest {
    pub column: String,
    pub test: &'static str,
    /// Whether Evidently chooses it on its own.
    pub is_default: bool,
    /// `computed`, `skipped: why`.
    pub status: String,
    pub score: Option<f64>,
    pub drifted: bool,
}

/// Every test of every column that may be asked for it.
pub fn all_tests(reference: &[ColumnSketch], current: &[ColumnSketch], settings: &Settings) -> Vec<CheckedTest> {
    let settings = &evidently_settings(settings);
    let mut checks = Vec::new();
    for sides in shape::paired(reference, current) {
        let [before, after] = sides.each();
        let name = sides.name();
        let inferred = after.or(before).map_or(Kind::Unknown, kinds::evidently);
        let kind = settings.kinds.get(name).copied().unwrap_or(inferred);
        let Ok(pair) = evidently::Sides::of(kind, before, after) else {
            continue;
        };
        let default = pair.default_test();
        let mut run = pair.all_tests(settings.seed);
        if !run.iter().any(|(test, _)| test.name == default.name) {
            // What is chosen for few distinct values is of another kind of columns.
            run.push((default, pair.run(default, settings.seed)));
        }
        checks.extend(run.into_iter().map(|(test, found)| {
            let threshold = settings.thresholds.of(name, kind).unwrap_or(test.threshold);
            let score = found.as_ref().ok().map(|found| found.score);
            CheckedTest {
                column: name.to_owned(),
                test: test.name,
                is_default: test.name == default.name,
                status: found.map_or_else(|why| format!("skipped: {}", why.0), |_| "computed".to_owned()),
                score,
                drifted: score.is_some_and(|score| test.op.holds(score, threshold)),
            }
        }));
    }
    checks
}
