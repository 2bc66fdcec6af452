//! Today's data of a project against what production was trained on, or against files that stand for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::config::{DriftGate, Project};
use crate::data::{self, Column, ColumnType, Frame};
use crate::drift::{
    Beside, ColumnSketch, Estimated, Half, Kept, Knowledge, MIN_UNLABELLED, Role, Scratch, Seen as Known, Settings,
    Side, compare,
};
use crate::pipeline::draft::chain;
use crate::pipeline::learn::Prepared;
use crate::pipeline::predictor::{Predictor, row_digests};

use super::Measured;
use super::before::{Before, predicted};
use super::frames::{self, Rows};
use super::labels::Judged;
use super::production::Production;
use super::season::Changes;

/// Compares, or says why there is nothing to compare.
pub fn measure(root: &Path, project: &Project, prepared: &Prepared, before: Option<&Before>) -> Measured {
    let gate = &project.gates.drift;
    let known = |name: &str| {
        let is_kept = |before: &Before| {
            let kept = before.kept.as_ref().ok();
            kept.is_some_and(|kept| kept.columns.iter().any(|column| column.name == name))
        };
        prepared.frame.column(name).is_some() || before.is_some_and(is_kept)
    };
    if let Some(name) = gate.settings.names().find(|name| !known(name)) {
        return Measured::Unusable(format!(
            "`gates.drift` names `{}`, which is no column of the data",
            data::short(name)
        ));
    }
    match (&gate.reference, before) {
        (Some(pattern), _) => {
            let types = project.data.declared_types();
            against_files(read(root, pattern, &types), pattern, prepared, gate, before)
        }
        (None, Some(before)) => against_production(prepared, gate, before),
        (None, None) => Measured::Unknown("there is no production to compare the data with".to_owned()),
    }
}

/// Which of today's rows production learned from, was judged on, and never saw.
struct Parts {
    /// Whether rows can be told apart: the data has every column that production knows.
    is_recognised: bool,
    known: Vec<usize>,
    judged: Vec<usize>,
    fresh: Vec<usize>,
}

impl Parts {
    /// Rows that are new for sure.
    fn n_new(&self) -> usize {
        if self.is_recognised { self.fresh.len() } else { 0 }
    }

    fn of(frame: &Frame, before: &Before) -> Self {
        let all: Vec<usize> = (0..frame.n_rows()).collect();
        let features: Vec<String> = before.model.features().into_iter().map(str::to_owned).collect();
        let digests = row_digests(frame, &features, before.model.target());
        // Where a column is gone no row can be recognised: all of them are what there is now.
        let (Some([learned, judged]), Ok(digests)) = (&before.known, digests) else {
            return Self {
                is_recognised: false,
                known: Vec::new(),
                judged: Vec::new(),
                fresh: all,
            };
        };
        let mut parts = Self {
            is_recognised: true,
            known: Vec::new(),
            judged: Vec::new(),
            fresh: Vec::new(),
        };
        // Rows that look alike can not be told apart: as many of them are known as there were, the rest is new.
        let mut left = [learned.counts(), judged.counts()];
        let mut take = |part: usize, digest: u64| match left[part].get_mut(&digest) {
            Some(n @ 1..) => {
                *n -= 1;
                true
            }
            Some(_) | None => false,
        };
        for row in all {
            if take(0, digests[row]) {
                parts.known.push(row);
            } else if take(1, digests[row]) {
                parts.known.push(row);
                parts.judged.push(row);
            } else {
                parts.fresh.push(row);
            }
        }
        parts
    }
}

fn against_production(prepared: &Prepared, gate: &DriftGate, before: &Before) -> Measured {
    let number = before.version.number;
    let kept = match &before.kept {
        Ok(kept) => kept,
        Err(why) => return Measured::NotKept(why.clone()),
    };
    let target = before.model.target();
    if target != prepared.facts.target {
        return Measured::Unknown(format!(
            "{number} predicts `{target}`, which is not what is predicted now"
        ));
    }
    let settings = &gate.settings;
    let parts = Parts::of(&prepared.frame, before);
    let production = Production {
        prepared,
        before,
        judged: Rows {
            frame: &prepared.frame,
            rows: &parts.judged,
        },
        settings,
    };
    let estimated = production.estimated();
    if (parts.fresh.len() as u64) < settings.min_rows.max(1)
        && let Some(Ok(estimated)) = estimated
    {
        return unlabelled_alone(prepared, before, kept, &parts, estimated, settings);
    }
    if parts.fresh.is_empty() {
        return Measured::Unchanged(format!("the data has no row that {number} does not know"));
    }
    if (parts.fresh.len() as u64) < settings.min_rows {
        return Measured::Unchanged(format!(
            "{} of the data are new to {number}: {} are needed to say anything",
            crate::base::counted(parts.fresh.len(), "row"),
            settings.min_rows
        ));
    }
    // The rows of the reference are at hand where today's data still hold them.
    let has_rows = parts.known.len() as u64 * 10 >= kept.n_rows * 9;
    let mut reference = has_rows.then(|| parts.known.clone());
    let mut fresh = parts.fresh.clone();
    let mut notes = Vec::new();
    let Ordered { effective, changes } = in_time(&prepared.frame, &mut reference, &mut fresh, settings, &mut notes);
    let features = &prepared.features;
    let mut columns = match &reference {
        // A season is a choice of rows, which what is kept can not be asked for.
        Some(rows) if settings.seasonal.is_some() => sketches(&prepared.frame, rows, target, features),
        _ => kept.columns.clone(),
    };
    // A feature that is there and no longer used was taken out on purpose.
    columns.retain(|column| {
        let name = &column.name;
        let is_used = name == target || features.contains(name);
        let is_left_out = !is_used && prepared.frame.column(name).is_some();
        if is_left_out {
            notes.push(format!("`{}` is not used any more", data::short(name)));
        }
        !is_left_out
    });
    let mut current = sketches(&prepared.frame, &fresh, target, features);
    let prediction = format!("prediction of {number}");
    let answers = before.model.answer(&prepared.frame, &fresh);
    let answers = answers.ok().filter(|answers| {
        answers
            .known
            .as_ref()
            .is_none_or(|known| known.iter().all(|known| *known))
    });
    if let (Some(answers), Some(kept)) = (&answers, &kept.prediction) {
        if let Some(changes) = &changes {
            notes.push(format!(
                "what {number} predicts is not compared: it follows the season, and what it predicted {} earlier is not kept",
                changes.sketches.step
            ));
        } else {
            let named = |sketch: &ColumnSketch| ColumnSketch {
                name: prediction.clone(),
                ..sketch.clone()
            };
            columns.push(named(kept));
            current.push(named(&predicted(&answers.predictions)));
        }
    }
    let is_feature = |name: &str| features.iter().any(|feature| feature == name);
    let rows = reference.as_ref().map(|rows| Rows {
        frame: &prepared.frame,
        rows,
    });
    let now = Rows {
        frame: &prepared.frame,
        rows: &fresh,
    };
    let (multivariate, more) = match &changes {
        Some(changes) => changes.together(&is_feature, settings),
        None => frames::many(rows, now, kept.pca.as_ref(), &is_feature, settings),
    };
    notes.extend(more);
    if !parts.known.is_empty() {
        notes.push(format!(
            "{} rows that {number} knows already are left out",
            parts.known.len()
        ));
    }
    let importance = match before.model.as_ref() {
        Predictor::BuiltIn(model) => model.feature_importance(),
        Predictor::Own(_) => BTreeMap::new(),
    };
    let performance = production.performance(&fresh);
    notes.extend(production.changes_in_time(&fresh));
    let estimated = estimated.and_then(|estimated| estimated.map_err(|why| notes.push(why)).ok());
    let result = compare(
        &Half {
            side: side(source(before), kept.n_rows),
            columns: &columns,
        },
        &Half {
            side: side(prepared.facts.source.clone(), fresh.len() as u64),
            columns: &current,
        },
        settings,
        Knowledge {
            role: &|name| role(name, target, &prediction),
            beside: &|name| Beside {
                importance: importance.get(name).copied(),
                n_effective: effective.get(name).copied(),
            },
            differences: changes.as_ref().map(|changes| &changes.sketches),
            multivariate,
            performance,
            estimated,
            notes,
        },
    );
    Measured::compared(result, parts.n_new())
}

/// No row with an answer is new, or too few are, but rows without answers are there: they are not compared, since nobody
/// knows since when they have been there, and production may be worth less on them.
fn unlabelled_alone(
    prepared: &Prepared,
    before: &Before,
    kept: &Kept,
    parts: &Parts,
    estimated: Estimated,
    settings: &Settings,
) -> Measured {
    let number = before.version.number;
    let target = &prepared.facts.target;
    let n_rows = prepared.unlabelled.as_ref().map_or(0, Frame::n_rows) as u64;
    let result = compare(
        &Half {
            side: side(source(before), kept.n_rows),
            columns: &[],
        },
        &Half {
            side: side(format!("rows of {} without `{target}`", prepared.facts.source), n_rows),
            columns: &[],
        },
        settings,
        Knowledge {
            role: &|_| Role::Feature,
            beside: &|_| Beside::default(),
            differences: None,
            multivariate: None,
            performance: None,
            estimated: Some(estimated),
            notes: vec![format!(
                "{} with `{target}` {} new to {number}, too few to compare columns",
                crate::base::counted(parts.fresh.len(), "row"),
                if parts.fresh.len() == 1 { "is" } else { "are" }
            )],
        },
    );
    Measured::compared(result, parts.fresh.len())
}

fn source(before: &Before) -> String {
    let number = before.version.number;
    match &before.alias {
        Some(alias) => format!("training data of {number} ({alias})"),
        None => format!("training data of {number}"),
    }
}

/// The files of the reference, with the types that training reads its columns with; the error says why they can not be used.
fn read(root: &Path, pattern: &str, types: &BTreeMap<String, ColumnType>) -> Result<data::Loaded, String> {
    match data::read_lenient(root, pattern, types) {
        Ok(loaded) if loaded.frame.n_rows() == 0 => Err(format!("the reference `{pattern}` has no rows")),
        Ok(loaded) => Ok(loaded),
        Err(error) => {
            let why = match &error {
                data::DataError::Problems(problems) => problems.iter().next().map(|problem| problem.message.clone()),
                data::DataError::File(_) => None,
            };
            let why = why.unwrap_or_else(|| chain(&error));
            Err(format!("the reference `{pattern}` can not be read: {why}"))
        }
    }
}

/// Cells that are no values of the declared type, a sentence a column.
fn unreadable(cells: &[data::BadCell]) -> Vec<String> {
    let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *columns.entry(&cell.column).or_insert(0) += 1;
    }
    let told = columns.into_iter().map(|(name, n)| {
        format!(
            "{} of `{}` in the reference {} not of its type and {} as missing",
            crate::base::counted(n, "cell"),
            data::short(name),
            if n == 1 { "is" } else { "are" },
            if n == 1 { "counts" } else { "count" }
        )
    });
    told.collect()
}

fn against_files(
    loaded: Result<data::Loaded, String>,
    pattern: &str,
    prepared: &Prepared,
    gate: &DriftGate,
    before: Option<&Before>,
) -> Measured {
    let settings = &gate.settings;
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(why) => return Measured::Unusable(why),
    };
    let target = &prepared.facts.target;
    let features = &prepared.features;
    let mut reference = Some((0..loaded.frame.n_rows()).collect::<Vec<usize>>());
    let mut current: Vec<usize> = (0..prepared.frame.n_rows()).collect();
    let mut notes = unreadable(&loaded.bad_cells);
    let Ordered { effective, changes } = between(
        &loaded.frame,
        &prepared.frame,
        &mut reference,
        &mut current,
        settings,
        &mut notes,
    );
    let rows = reference.unwrap_or_default();
    let (columns, now) = (
        sketches(&loaded.frame, &rows, target, features),
        sketches(&prepared.frame, &current, target, features),
    );
    let is_feature = |name: &str| features.iter().any(|feature| feature == name);
    let sides = [
        Rows {
            frame: &loaded.frame,
            rows: &rows,
        },
        Rows {
            frame: &prepared.frame,
            rows: &current,
        },
    ];
    let (multivariate, more) = match &changes {
        Some(changes) => changes.together(&is_feature, settings),
        None => frames::many(Some(sides[0]), sides[1], None, &is_feature, settings),
    };
    notes.extend(more);
    let importance = match before.map(|before| before.model.as_ref()) {
        Some(Predictor::BuiltIn(model)) => model.feature_importance(),
        Some(Predictor::Own(_)) | None => BTreeMap::new(),
    };
    let known = before.map(|before| Parts::of(&prepared.frame, before));
    let judged = by_reference(&loaded.frame, prepared, before.zip(known.as_ref()), settings);
    notes.extend(judged.notes);
    let result = compare(
        &Half {
            side: side(pattern.to_owned(), rows.len() as u64),
            columns: &columns,
        },
        &Half {
            side: side(prepared.facts.source.clone(), current.len() as u64),
            columns: &now,
        },
        settings,
        Knowledge {
            role: &|name| role(name, target, ""),
            beside: &|name| Beside {
                importance: importance.get(name).copied(),
                n_effective: effective.get(name).copied(),
            },
            differences: changes.as_ref().map(|changes| &changes.sketches),
            multivariate,
            performance: judged.performance,
            estimated: judged.estimated,
            notes,
        },
    );
    Measured::compared(result, known.map_or(0, |parts| parts.n_new()))
}

/// What production's answers say, judged by the rows of the reference that have an answer and that it did not learn from.
/// `before` comes with what it knows of today's rows. What is not known is told where it would be worth something: where
/// answers are missing today.
fn by_reference(
    reference: &Frame,
    prepared: &Prepared,
    before: Option<(&Before, &Parts)>,
    settings: &Settings,
) -> Judged {
    let target = &prepared.facts.target;
    let mut judged = Judged::default();
    let n_unlabelled = prepared.unlabelled.as_ref().map_or(0, Frame::n_rows);
    let mut not_estimated = |why: String| {
        if n_unlabelled >= MIN_UNLABELLED[1] {
            let rows = crate::base::counted(n_unlabelled, "row");
            judged.notes.push(format!(
                "how good predictions of {rows} without `{target}` are was not estimated: {why}"
            ));
        }
    };
    let Some((before, parts)) = before else {
        not_estimated("nothing is in production".to_owned());
        return judged;
    };
    let number = before.version.number;
    if before.model.target() != target {
        not_estimated(format!("{number} predicts `{}`", before.model.target()));
        return judged;
    }
    if let Some(why) = of_another_kind(reference, prepared, before) {
        judged
            .notes
            .push(format!("{number} was not judged by the reference: {why}"));
        return judged;
    }
    let rows = match unlearned(reference, before, target) {
        Ok(rows) => rows,
        Err(why) => {
            not_estimated(why);
            return judged;
        }
    };
    if rows.len() < MIN_UNLABELLED[0] {
        not_estimated(format!(
            "{} of the reference with `{target}` {} new to {number}, and {} are needed",
            crate::base::counted(rows.len(), "row"),
            if rows.len() == 1 { "is" } else { "are" },
            MIN_UNLABELLED[0]
        ));
    }
    let production = Production {
        prepared,
        before,
        judged: Rows {
            frame: reference,
            rows: &rows,
        },
        settings,
    };
    if parts.is_recognised {
        let fresh = match &settings.time_column {
            Some(time) => frames::in_time(
                Rows {
                    frame: &prepared.frame,
                    rows: &parts.fresh,
                },
                time,
            ),
            None => Ok(parts.fresh.clone()),
        };
        let fresh = fresh.unwrap_or_default();
        judged.performance = production.performance(&fresh);
        judged.notes.extend(production.changes_in_time(&fresh));
    }
    match production.estimated() {
        Some(Ok(estimated)) => judged.estimated = Some(estimated),
        Some(Err(why)) => judged.notes.push(why),
        None => {}
    }
    judged
}

/// Why rows that production learned from would not be recognized: a column holds another kind of values than it did there.
fn of_another_kind(reference: &Frame, prepared: &Prepared, before: &Before) -> Option<String> {
    let learned = |name: &str| {
        let kept = before.kept.as_ref().ok();
        let kept = kept.and_then(|kept| kept.columns.iter().find(|column| column.name == name));
        let kept = kept.and_then(|column| match &column.seen {
            Known::Empty => None,
            Known::Numbers(_) | Known::Booleans(_) => Some("numbers"),
            Known::Texts(_) => Some("texts"),
            Known::Times(_) => Some("dates"),
        });
        kept.or_else(|| prepared.frame.column(name).map(held))
    };
    let mut names = before.model.features().into_iter().chain([before.model.target()]);
    names.find_map(|name| {
        let (now, then) = (held(reference.column(name)?), learned(name)?);
        (now != then).then(|| {
            format!(
                "`{}` holds {now} there, and {then} in what it learned from",
                data::short(name)
            )
        })
    })
}

/// What the digest of a row takes the values of a column for.
fn held(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::Float | ColumnType::Integer | ColumnType::Boolean => "numbers",
        ColumnType::Text => "texts",
        ColumnType::Timestamp => "dates",
    }
}

/// Rows of a table with a known target that production did not learn from; the error says why that is not known.
///
/// Files may hold a row twice, so rows are not counted: one like those that it learned from is left out, however often it
/// is there, unless it was also judged on one like it.
fn unlearned(frame: &Frame, before: &Before, target: &str) -> Result<Vec<usize>, String> {
    let number = before.version.number;
    let Some(answers) = frame.column(target) else {
        return Err(format!("the reference has no `{target}`"));
    };
    let features: Vec<String> = before.model.features().into_iter().map(str::to_owned).collect();
    let digests = row_digests(frame, &features, before.model.target());
    let (Some([learned, judged]), Ok(digests)) = (&before.known, digests) else {
        return Err(format!(
            "it is not known which rows of the reference {number} learned from"
        ));
    };
    let (learned, judged) = (learned.counts(), judged.counts());
    let is_new = |digest: &u64| !learned.contains_key(digest) || judged.contains_key(digest);
    let rows = (0..frame.n_rows()).filter(|row| !answers.is_missing(*row) && is_new(&digests[*row]));
    Ok(rows.collect())
}

fn side(source: String, rows: u64) -> Side {
    Side {
        source,
        rows,
        sha256: None,
    }
}

fn role(name: &str, target: &str, prediction: &str) -> Role {
    if name == target {
        Role::Target
    } else if name == prediction {
        Role::Prediction
    } else {
        Role::Feature
    }
}

/// The features and the target of some rows.
fn sketches(frame: &Frame, rows: &[usize], target: &str, features: &[String]) -> Vec<ColumnSketch> {
    let used: BTreeSet<&str> = features.iter().map(String::as_str).chain([target]).collect();
    let mut scratch = Scratch::default();
    let columns = frame
        .columns()
        .iter()
        .filter(|column| used.contains(column.name.as_str()));
    columns
        .map(|column| ColumnSketch::of(column, Some(rows), 0, &mut scratch))
        .collect()
}

/// Brings the rows of one table into the order of time and of one season; see [`between`].
fn in_time(
    frame: &Frame,
    reference: &mut Option<Vec<usize>>,
    current: &mut Vec<usize>,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Ordered {
    between(frame, frame, reference, current, settings, notes)
}

/// What the order of time says of two sides.
#[derive(Default)]
pub struct Ordered {
    /// How many independent rows the rows of each side are worth, for columns of numbers.
    pub effective: BTreeMap<String, [f64; 2]>,
    /// What numbers changed since one season earlier, where the reference has too few rows of the same season.
    pub changes: Option<Changes>,
}

/// Brings the rows of both sides into the order of time, the reference's also down to the season of the current ones, and
/// says what they are worth for each column.
pub fn between(
    before: &Frame,
    after: &Frame,
    reference: &mut Option<Vec<usize>>,
    current: &mut Vec<usize>,
    settings: &Settings,
    notes: &mut Vec<String>,
) -> Ordered {
    let Some(time) = &settings.time_column else {
        return Ordered::default();
    };
    let Some(rows) = reference else {
        notes.push(
            "order in time and seasons need the rows of the reference, which are not in the data any more".to_owned(),
        );
        return Ordered::default();
    };
    let mut changes = None;
    if let Some(season) = settings.seasonal {
        let sides = [
            Rows {
                frame: before,
                rows: &*rows,
            },
            Rows {
                frame: after,
                rows: &*current,
            },
        ];
        match frames::seasonal(sides[0], sides[1], time, season) {
            Ok(same) => *rows = same,
            Err(why) => {
                changes = Changes::of(sides[0], sides[1], time, season, &why);
                notes.push(match &changes {
                    Some(changes) => changes.told.clone(),
                    None => format!("compared with all rows, not those of the same {}: {why}", season.name()),
                });
            }
        }
    }
    for (frame, rows) in [(before, &mut *rows), (after, &mut *current)] {
        match frames::in_time(Rows { frame, rows: &*rows }, time) {
            Ok(ordered) => *rows = ordered,
            Err(why) => {
                notes.push(why);
                return Ordered::default();
            }
        }
    }
    let mut effective = frames::effective(
        Rows {
            frame: before,
            rows: &*rows,
        },
        Rows {
            frame: after,
            rows: &*current,
        },
    );
    if let Some(changes) = &changes {
        effective.extend(changes.effective());
    }
    Ordered { effective, changes }
}

/// What is kept with a version of the data that it was made of.
pub fn kept(prepared: &Prepared, predictions: &crate::evaluate::Predictions) -> Kept {
    let frame = &prepared.frame;
    let rows: Vec<usize> = (0..frame.n_rows()).collect();
    let columns = sketches(frame, &rows, &prepared.facts.target, &prepared.features);
    let is_feature = |name: &str| prepared.features.iter().any(|feature| feature == name);
    let numbers = frames::number_columns(Rows { frame, rows: &rows }, &is_feature);
    let pca = crate::drift::fit_pca(&frames::borrowed(&numbers)).ok();
    Kept::new(frame.n_rows() as u64, &columns, Some(&predicted(predictions)), pca)
}

#[cfg(test)]
#[path = "ground_tests.rs"]
mod tests;
