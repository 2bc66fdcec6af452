//! Today's data of a project against what production was trained on, or against files that stand for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::config::{DriftGate, Project};
use crate::data::{self, Frame};
use crate::drift::{
    Beside, ColumnSketch, Estimated, Half, Kept, Knowledge, Performance, Role, Scratch, Settings, Side, compare,
};
use crate::evaluate::Predictions;
use crate::pipeline::draft::chain;
use crate::pipeline::learn::Prepared;
use crate::pipeline::predictor::{Predictor, row_digests};
use crate::train;

use super::Measured;
use super::before::{Before, errors, predicted};
use super::frames::{self, Rows};
use super::labels::{self, Asked, MIN_ERRORS};
use super::stream;

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
        (Some(pattern), _) => against_files(root, pattern, prepared, gate, before),
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
    let estimated = estimated(prepared, before, &parts, settings);
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
    let effective = in_time(&prepared.frame, &mut reference, &mut fresh, settings, &mut notes);
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
        let named = |sketch: &ColumnSketch| ColumnSketch {
            name: prediction.clone(),
            ..sketch.clone()
        };
        columns.push(named(kept));
        current.push(named(&predicted(&answers.predictions)));
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
    let (multivariate, more) = frames::many(rows, now, kept.pca.as_ref(), &is_feature, settings);
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
    let performance = performance(prepared, before, &parts, &fresh, settings);
    notes.extend(changes_in_time(prepared, before, &fresh, settings));
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

fn against_files(
    root: &Path,
    pattern: &str,
    prepared: &Prepared,
    gate: &DriftGate,
    before: Option<&Before>,
) -> Measured {
    let settings = &gate.settings;
    let loaded = match data::read_lenient(root, pattern, &BTreeMap::new()) {
        Ok(loaded) if loaded.frame.n_rows() == 0 => {
            return Measured::Unusable(format!("the reference `{pattern}` has no rows"));
        }
        Ok(loaded) => loaded,
        Err(error) => {
            let why = match &error {
                data::DataError::Problems(problems) => problems.iter().next().map(|problem| problem.message.clone()),
                data::DataError::File(_) => None,
            };
            let why = why.unwrap_or_else(|| chain(&error));
            return Measured::Unusable(format!("the reference `{pattern}` can not be read: {why}"));
        }
    };
    let target = &prepared.facts.target;
    let features = &prepared.features;
    let mut reference = Some((0..loaded.frame.n_rows()).collect::<Vec<usize>>());
    let mut current: Vec<usize> = (0..prepared.frame.n_rows()).collect();
    let mut notes = Vec::new();
    let effective = between(
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
    let (multivariate, more) = frames::many(Some(sides[0]), sides[1], None, &is_feature, settings);
    notes.extend(more);
    let importance = match before.map(|before| before.model.as_ref()) {
        Some(Predictor::BuiltIn(model)) => model.feature_importance(),
        Some(Predictor::Own(_)) | None => BTreeMap::new(),
    };
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
            multivariate,
            performance: None,
            estimated: None,
            notes,
        },
    );
    let n_new = before.map_or(0, |before| Parts::of(&prepared.frame, before).n_new());
    Measured::compared(result, n_new)
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
) -> BTreeMap<String, [f64; 2]> {
    between(frame, frame, reference, current, settings, notes)
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
) -> BTreeMap<String, [f64; 2]> {
    let Some(time) = &settings.time_column else {
        return BTreeMap::new();
    };
    let Some(rows) = reference else {
        notes.push(
            "order in time and seasons need the rows of the reference, which are not in the data any more".to_owned(),
        );
        return BTreeMap::new();
    };
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
            Err(why) => notes.push(format!(
                "compared with all rows, not those of the same {}: {why}",
                season.name()
            )),
        }
    }
    for (frame, rows) in [(before, &mut *rows), (after, &mut *current)] {
        match frames::in_time(Rows { frame, rows: &*rows }, time) {
            Ok(ordered) => *rows = ordered,
            Err(why) => {
                notes.push(why);
                return BTreeMap::new();
            }
        }
    }
    frames::effective(
        Rows {
            frame: before,
            rows: &*rows,
        },
        Rows {
            frame: after,
            rows: &*current,
        },
    )
}

/// Whether production errs more on rows that are new than on those that it was judged on.
fn performance(
    prepared: &Prepared,
    before: &Before,
    parts: &Parts,
    fresh: &[usize],
    settings: &Settings,
) -> Option<Performance> {
    if parts.judged.len() < MIN_ERRORS || fresh.len() < MIN_ERRORS {
        return None;
    }
    let judged = match &settings.time_column {
        Some(time) => frames::in_time(
            Rows {
                frame: &prepared.frame,
                rows: &parts.judged,
            },
            time,
        )
        .ok()?,
        None => parts.judged.clone(),
    };
    let errors = [
        errors_of(prepared, before, &judged)?.1,
        errors_of(prepared, before, fresh)?.1,
    ];
    labels::performance(&errors, labels::measure_of(before.model.task()), settings)
}

/// The rows that production answers, and how wrong each answer is.
fn errors_of(prepared: &Prepared, before: &Before, rows: &[usize]) -> Option<(Vec<usize>, Vec<f64>)> {
    let (rows, predictions) = answered(before, &prepared.frame, rows)?;
    let truth = train::truth(&prepared.frame, &rows, &prepared.facts.target, prepared.task, None).ok()?;
    let errors = errors(&truth, &predictions);
    (errors.len() == rows.len()).then_some((rows, errors))
}

/// The rows that production can answer, with its answers; nothing where it can not be asked.
fn answered(before: &Before, frame: &Frame, rows: &[usize]) -> Option<(Vec<usize>, Predictions)> {
    let answers = before.model.answer(frame, rows).ok()?;
    match answers.known {
        None => Some((rows.to_vec(), answers.predictions)),
        Some(known) => {
            let rows: Vec<usize> = rows
                .iter()
                .zip(known)
                .filter(|(_, known)| *known)
                .map(|(row, _)| *row)
                .collect();
            let answers = before.model.answer(frame, &rows).ok()?;
            Some((rows, answers.predictions))
        }
    }
}

/// What production is worth on rows without answers; nothing where there are too few rows, the error says why not.
fn estimated(
    prepared: &Prepared,
    before: &Before,
    parts: &Parts,
    settings: &Settings,
) -> Option<Result<Estimated, String>> {
    let unlabelled = prepared.unlabelled.as_ref()?;
    if labels::too_few(parts.judged.len(), unlabelled.n_rows()) {
        return None;
    }
    let all: Vec<usize> = (0..unlabelled.n_rows()).collect();
    let (now, told) = answered(before, unlabelled, &all)?;
    let (then, known) = answered(before, &prepared.frame, &parts.judged)?;
    let truth = train::truth(&prepared.frame, &then, &prepared.facts.target, prepared.task, None).ok()?;
    let is_feature = |name: &str| prepared.features.iter().any(|feature| feature == name);
    let reference = Asked {
        rows: Rows {
            frame: &prepared.frame,
            rows: &then,
        },
        predictions: &known,
    };
    let current = Asked {
        rows: Rows {
            frame: unlabelled,
            rows: &now,
        },
        predictions: &told,
    };
    let found = labels::estimate(&reference, &truth, &current, &is_feature, settings);
    Some(found.map_err(|why| {
        format!(
            "what {} is worth on rows without `{}` was not estimated: {why}",
            before.version.number, prepared.facts.target
        )
    }))
}

/// Where production's errors on new rows changed in the order of time, a sentence a change.
fn changes_in_time(prepared: &Prepared, before: &Before, fresh: &[usize], settings: &Settings) -> Vec<String> {
    let Some(time) = &settings.time_column else {
        return Vec::new();
    };
    let frame = &prepared.frame;
    let Ok(ordered) = frames::in_time(Rows { frame, rows: fresh }, time) else {
        // The comparison says so already.
        return Vec::new();
    };
    let Some((rows, errors)) = errors_of(prepared, before, &ordered) else {
        return Vec::new();
    };
    stream::changes_of_errors(frame, &rows, &errors, time, labels::measure_of(before.model.task()))
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
