//! Two data sets by their files, of any size.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::base::{Diagnostic, Diagnostics};
use crate::data::{self, DataError, Frame};
use crate::drift::{
    Beside, CheckedTest, ColumnSketch, DriftResult, Gather, Gathered, Half, Knowledge, Limits, Role, Settings, Side,
    all_tests, compare,
};

use super::frames::{self, Rows};
use super::ground::{Ordered, between};
use super::labels::{Judged, Tables};

/// Rows that are read at a time.
const CHUNK_ROWS: usize = 65_536;

/// What is compared, and what is known of it.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Paths are relative to it.
    pub root: PathBuf,
    /// Paths or globs.
    pub reference: String,
    pub current: String,
    pub target: Option<String>,
    pub prediction: Option<String>,
    /// Every test of each column, beside the one that decides.
    pub all_tests: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Compared {
    pub result: DriftResult,
    /// Empty where they were not asked for.
    pub checks: Vec<CheckedTest>,
    pub warnings: Diagnostics,
}

/// One side: its columns, and rows for what looks at many columns together.
struct Read {
    columns: Vec<ColumnSketch>,
    n_rows: u64,
    rows: Frame,
    sha256: String,
    warnings: Diagnostics,
}

/// Compares two data sets; memory stays bounded whatever their size, unless rows have to be brought into an order.
///
/// # Errors
/// Data that can not be read, are empty, or lack a column that was named.
pub fn drift_of_files(sources: &Sources, settings: &Settings) -> Result<Compared, DataError> {
    let Sources {
        root,
        reference,
        current,
        ..
    } = sources;
    let mut notes = Vec::new();
    let mut ordered = Ordered::default();
    let (mut before, after) = if settings.time_column.is_some() {
        let whole = [whole(root, reference, "reference")?, whole(root, current, "current")?];
        let [before, after] = whole;
        let mut rows = [&before, &after].map(|side| (0..side.0.n_rows()).collect::<Vec<usize>>());
        let [first, second] = &mut rows;
        let mut kept = Some(std::mem::take(first));
        ordered = between(&before.0, &after.0, &mut kept, second, settings, &mut notes);
        let first = kept.unwrap_or_default();
        let second = std::mem::take(second);
        (of_rows(before, &first), of_rows(after, &second))
    } else {
        (
            scanned(root, reference, "reference", settings)?,
            scanned(root, current, "current", settings)?,
        )
    };
    for name in [&sources.target, &sources.prediction, &settings.time_column]
        .into_iter()
        .flatten()
    {
        named(name, &before, reference)?;
    }
    for name in settings.names() {
        named(name, &before, reference).or_else(|problem| named(name, &after, current).map_err(|_| problem))?;
    }
    let is_answer = |name: &str| {
        [&sources.target, &sources.prediction]
            .iter()
            .any(|one| one.as_deref() == Some(name))
    };
    let is_feature = |name: &str| !is_answer(name) && settings.takes(name);
    let all = [&before, &after].map(|side| (0..side.rows.n_rows()).collect::<Vec<usize>>());
    let Ordered { effective, changes } = ordered;
    let (multivariate, more) = match &changes {
        Some(changes) => changes.together(&is_feature, settings),
        None => frames::many(
            Some(Rows {
                frame: &before.rows,
                rows: &all[0],
            }),
            Rows {
                frame: &after.rows,
                rows: &all[1],
            },
            None,
            &is_feature,
            settings,
        ),
    };
    notes.extend(more);
    let Judged {
        performance,
        estimated,
        notes: more,
    } = judged(sources, [&before, &after], &is_feature, settings);
    notes.extend(more);
    // Answers that are not there yet are no column that went missing.
    if let (Some(target), true) = (&sources.target, estimated.is_some())
        && !after.columns.iter().any(|column| column.name == *target)
    {
        before.columns.retain(|column| column.name != *target);
        notes.push(format!(
            "`{target}` is not in the current data: how good the predictions are is estimated"
        ));
    }
    let approximate = before
        .columns
        .iter()
        .chain(&after.columns)
        .filter(|column| column.is_approximate())
        .count();
    if approximate > 0 {
        notes.push(
            "columns with many distinct values are sketched; the error of their distribution is stated".to_owned(),
        );
    }
    let side = |source: &str, read: &Read| Side {
        source: source.to_owned(),
        rows: read.n_rows,
        sha256: Some(read.sha256.clone()),
    };
    let role = |name: &str| match name {
        _ if sources.target.as_deref() == Some(name) => Role::Target,
        _ if sources.prediction.as_deref() == Some(name) => Role::Prediction,
        _ => Role::Feature,
    };
    let checks = if sources.all_tests {
        all_tests(&before.columns, &after.columns, settings)
    } else {
        Vec::new()
    };
    let result = compare(
        &Half {
            side: side(reference, &before),
            columns: &before.columns,
        },
        &Half {
            side: side(current, &after),
            columns: &after.columns,
        },
        settings,
        Knowledge {
            role: &role,
            beside: &|name| Beside {
                importance: None,
                n_effective: effective.get(name).copied(),
            },
            differences: changes.as_ref().map(|changes| &changes.sketches),
            multivariate,
            performance,
            estimated,
            notes,
        },
    );
    let mut warnings = before.warnings;
    warnings.extend(after.warnings);
    Ok(Compared {
        result,
        checks,
        warnings,
    })
}

/// What answers and predictions say, where both columns were named.
fn judged(
    sources: &Sources,
    [before, after]: [&Read; 2],
    is_feature: &dyn Fn(&str) -> bool,
    settings: &Settings,
) -> Judged {
    let (Some(target), Some(prediction)) = (&sources.target, &sources.prediction) else {
        return Judged::default();
    };
    let tables = Tables {
        reference: &before.rows,
        current: &after.rows,
        target,
        prediction,
    };
    let mut judged = tables.judge(is_feature, settings);
    let is_any = judged.performance.is_some() || judged.estimated.is_some();
    if is_any
        && [before, after]
            .iter()
            .any(|side| side.n_rows > side.rows.n_rows() as u64)
    {
        judged
            .notes
            .push("how good the predictions are was looked at in a sample of the rows".to_owned());
    }
    judged
}

fn scanned(root: &Path, pattern: &str, side: &str, settings: &Settings) -> Result<Read, DataError> {
    let limits = Limits {
        seed: settings.seed,
        ..Limits::default()
    };
    let mut gather = Gather::new(limits);
    let scanned = data::scan(root, pattern, &BTreeMap::new(), CHUNK_ROWS, &mut |portion| {
        gather.take(portion);
        ControlFlow::Continue(())
    })?;
    let Gathered {
        n_rows,
        columns,
        sample,
    } = gather.finish(&scanned.infinite);
    filled(scanned.n_rows as u64, pattern, side)?;
    let mut warnings = scanned.warnings;
    for (name, n) in &scanned.bad_cells {
        let message = format!(
            "{n} cells of `{}` do not read as its type and count as missing",
            data::short(name)
        );
        warnings.push(Diagnostic::warning("unreadable-cells", message).file(pattern));
    }
    Ok(Read {
        columns,
        n_rows,
        rows: sample,
        sha256: data::sha256(root, &scanned.files)?.hex(),
        warnings,
    })
}

type Whole = (Frame, BTreeMap<String, usize>, String, Diagnostics);

/// All rows at once, as an order in time needs them.
fn whole(root: &Path, pattern: &str, side: &str) -> Result<Whole, DataError> {
    let loaded = data::read_lenient(root, pattern, &BTreeMap::new())?;
    filled(loaded.frame.n_rows() as u64, pattern, side)?;
    let sha256 = data::sha256(root, &loaded.files)?.hex();
    Ok((loaded.frame, loaded.infinite, sha256, loaded.warnings))
}

fn of_rows((frame, infinite, sha256, warnings): Whole, rows: &[usize]) -> Read {
    let frame = frame.select(rows);
    let Gathered { n_rows, columns, .. } = Gathered::of(&frame, &infinite, Limits::default());
    Read {
        columns,
        n_rows,
        rows: frame,
        sha256,
        warnings,
    }
}

fn filled(n_rows: u64, pattern: &str, side: &str) -> Result<(), DataError> {
    if n_rows > 0 {
        return Ok(());
    }
    let problem = Diagnostic::error("no-rows", format!("the {side} data has no rows"));
    Err(problem
        .file(pattern)
        .help("a comparison needs rows on both sides")
        .into())
}

/// The column is there, or the error names the nearest one.
fn named(name: &str, read: &Read, pattern: &str) -> Result<(), DataError> {
    if read.columns.iter().any(|column| column.name == name) {
        return Ok(());
    }
    let problem = Diagnostic::error("unknown-column", format!("there is no column `{name}` in the data")).file(pattern);
    let names = read.columns.iter().map(|column| column.name.as_str());
    let problem = match crate::base::nearest(name, names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem,
    };
    Err(problem.into())
}
