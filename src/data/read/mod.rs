//! Reading files into a [`Frame`]: CSV, Parquet and JSON Lines, alone or many by a pattern.
//!
//! Measured on 1,000,000 rows of 20 columns, 17 of them numbers (301 MB of CSV), in CPU seconds, one thread, with
//! `benches/read.rs`; beside it what polars needs to read alone:
//!
//! | format | read | read and profile | peak MiB | polars reads | its peak MiB |
//! |---|---|---|---|---|---|
//! | CSV | 1.2 | 1.7 | 160 | 1.2 | 512 |
//! | Parquet, snappy | 0.5 | 1.1 | 162 | 0.3 | 254 |
//! | Parquet, zstd | 0.6 | 1.2 | 161 | 0.5 | 257 |
//! | JSON Lines | 1.9 | 2.3 | 160 | 2.2 | 742 |
//!
//! `csv-core` splits records and `fast-float2` reads numbers (1.0 s instead of 1.15 with the standard library). Arrow's
//! readers were no faster and four times the compile time. A column whose text was not kept when it turned out to be
//! text is read in a second pass over the file, for all such columns at once.

mod builder;
mod chunks;
mod csv;
mod jsonl;
mod parquet;
mod records;
mod scan;
#[cfg(test)]
mod scan_tests;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::{Diagnostic, Diagnostics, Span};
use crate::sys::{self, FileError};

use self::builder::Care;
pub use self::chunks::Portion;
pub use self::parquet::panics_are_caught;
pub use self::scan::{scan, sha256};
use self::table::{Done, Stop, Table};
use super::{ColumnType, Frame, Settings};

/// A table holds at most this many cells, about 2 GB.
pub const MAX_CELLS: usize = 250_000_000;
/// The files together hold at most this many bytes.
pub const MAX_FILE_BYTES: u64 = 8 << 30;
/// The distinct texts of a table take at most this many bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 30;
pub const MAX_COLUMNS: usize = 10_000;
pub const MAX_FILES: usize = 10_000;

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    pub frame: Frame,
    /// Cells that do not read as the type that the contract declares; missing in the frame.
    pub bad_cells: Vec<BadCell>,
    /// Every file as the configuration would name it, in the order of its rows, with its size.
    pub files: Vec<(String, u64)>,
    /// Infinite numbers of each column that has some, where they are no refusal; missing in the frame.
    pub infinite: BTreeMap<String, usize>,
    pub warnings: Diagnostics,
}

/// A cell that does not read as its declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCell {
    pub row: usize,
    pub column: String,
    /// What stands there, shortened; empty after the first thousand.
    pub text: String,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data or its settings are at fault.
    #[error("the data can not be used")]
    Problems(Diagnostics),
    /// A file could not be opened or read.
    #[error("the data is out of reach")]
    File(#[source] FileError),
}

impl From<Diagnostic> for DataError {
    fn from(problem: Diagnostic) -> Self {
        Self::Problems(problem.into())
    }
}

impl From<Diagnostics> for DataError {
    fn from(problems: Diagnostics) -> Self {
        Self::Problems(problems)
    }
}

/// Why reading one file ended early.
enum Failure {
    Stop,
    Io(std::io::Error),
}

impl From<Stop> for Failure {
    fn from(_: Stop) -> Self {
        Self::Stop
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Tsv,
    Parquet,
    JsonLines,
}

/// Reads the files that `data.source` names, relative to `root`, appending rows in the order of the sorted paths.
///
/// Types are found on the way; a column that turns out to be text after numbers is read a second time, so that its
/// writing (`007`, `1.0`) is kept. Types that the contract declares hold instead.
pub fn read(root: &Path, settings: &Settings) -> Result<Loaded, DataError> {
    let place = Place::Config(settings.source_span);
    read_at(root, &settings.source, &settings.declared_types(), Care::Strict, place)
}

/// Reads the files of a pattern that stands in no configuration, with these types where they are named.
pub fn read_source(root: &Path, pattern: &str, types: &BTreeMap<String, ColumnType>) -> Result<Loaded, DataError> {
    read_at(root, pattern, types, Care::Strict, Place::Argument(pattern))
}

/// As [`read_source`], for comparing data as it is: an infinite number is missing and counted, and what would be refused
/// for what a column holds (decimal commas, several types in a typed file) is text with a warning.
///
/// Whole numbers beyond 64 bits in a typed file are numbers with a warning, since their digits are lost already. Lists and
/// objects of JSON Lines are missing, nested or binary columns of Parquet are left out, both with a warning. A file with a
/// header and no row is a table without rows. Files that can not be told apart into rows and columns are refused as ever.
pub fn read_lenient(root: &Path, pattern: &str, types: &BTreeMap<String, ColumnType>) -> Result<Loaded, DataError> {
    read_at(root, pattern, types, Care::Lenient, Place::Argument(pattern))
}

/// Where the pattern stands that a problem with the files as a whole is about.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Config(Span),
    Argument(&'a str),
}

impl Place<'_> {
    fn of(self, problem: Diagnostic) -> DataError {
        DataError::from(match self {
            Self::Config(span) => problem.at(span),
            Self::Argument(pattern) => problem.file(pattern),
        })
    }

    /// A file that is not what a source may be is the repository's fault, anything else the world's.
    fn refuse(self, error: FileError) -> DataError {
        match error {
            FileError::Io { .. } if !error.is_not_found() && !error.is_impossible_name() => DataError::File(error),
            other => {
                // A name can be as long as a configuration.
                let message: String = other.to_string().chars().take(300).collect();
                self.of(Diagnostic::error("unusable-file", message))
            }
        }
    }
}

fn read_at(
    root: &Path,
    pattern: &str,
    declared: &BTreeMap<String, ColumnType>,
    care: Care,
    place: Place<'_>,
) -> Result<Loaded, DataError> {
    let sources = Sources::find(root, pattern, place)?;
    let total = sources
        .files
        .iter()
        .fold(0_u64, |total, (_, size)| total.saturating_add(*size));
    if total > MAX_FILE_BYTES {
        let message = format!(
            "the data is {} GiB, more than {} GiB",
            total >> 30,
            MAX_FILE_BYTES >> 30
        );
        return Err(place.of(Diagnostic::error("too-large", message)
            .help("take a sample of the rows, or write Parquet with the columns that the model needs")));
    }
    let mut done = pass(&sources, declared, care, None, place)?;
    if !done.again.is_empty() {
        let again = std::mem::take(&mut done.again);
        let second = pass(&sources, declared, care, Some(&again), place)?;
        if second.n_rows != done.n_rows || second.columns.len() != again.len() {
            return Err(changed(place));
        }
        let mut columns = second.columns.into_iter();
        for place in done.columns.iter_mut().filter(|column| column.is_none()) {
            *place = columns.next().flatten();
        }
    }
    sources.check(place)?;
    let frame = done
        .frame()
        .map_err(|error| place.of(Diagnostic::error("inconsistent-data", error.to_string())))?;
    let mut warnings = done.remarks;
    warnings.extend(done.warnings);
    Ok(Loaded {
        frame,
        bad_cells: done.bad_cells,
        files: sources.files,
        infinite: done.infinite,
        warnings,
    })
}

/// The files of a pattern, and what they were when they were found.
struct Sources {
    paths: Vec<PathBuf>,
    format: Format,
    /// As the configuration would name them, with their sizes.
    files: Vec<(String, u64)>,
    states: Vec<(u64, Option<std::time::SystemTime>)>,
}

impl Sources {
    fn find(root: &Path, pattern: &str, place: Place<'_>) -> Result<Self, DataError> {
        let (paths, format) = find(root, pattern, place)?;
        let mut files = Vec::new();
        let mut states = Vec::new();
        for path in &paths {
            let state = state(path, place)?;
            files.push((name(root, path), state.0));
            states.push(state);
        }
        Ok(Self {
            paths,
            format,
            files,
            states,
        })
    }

    /// That nothing was written to them meanwhile.
    fn check(&self, place: Place<'_>) -> Result<(), DataError> {
        for (path, before) in self.paths.iter().zip(&self.states) {
            if state(path, place)? != *before {
                return Err(changed(place));
            }
        }
        Ok(())
    }
}

/// The size of a file and when it was last written.
fn state(path: &Path, place: Place<'_>) -> Result<(u64, Option<std::time::SystemTime>), DataError> {
    let file = sys::open(path).map_err(|error| place.refuse(error))?;
    let found = file.metadata().map_err(|error| io(path, error))?;
    Ok((found.len(), found.modified().ok()))
}

/// What was read is half of one file and half of another.
fn changed(place: Place<'_>) -> DataError {
    let problem = Diagnostic::error("changed-file", "the data changed while it was read");
    place.of(problem.help("run again once nothing writes to it"))
}

fn io(path: &Path, source: std::io::Error) -> DataError {
    DataError::File(FileError::io("read", path, source))
}

fn name(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// The files and their one format.
fn find(root: &Path, pattern: &str, place: Place<'_>) -> Result<(Vec<PathBuf>, Format), DataError> {
    let at = |problem: Diagnostic| place.of(problem);
    if pattern.contains("://") {
        return Err(at(Diagnostic::error(
            "not-available-yet",
            "data from the network is not available yet",
        )
        .help("fetch it in a step before this one and name the file")));
    }
    let paths = sys::glob(root, pattern).map_err(|error| place.refuse(error))?;
    let Some(first) = paths.first() else {
        return Err(at(Diagnostic::error("no-data", format!("no file matches `{pattern}`"))
            .help("paths are relative to the directory of the configuration; check the spelling, and that the file is committed or fetched")));
    };
    if paths.len() > MAX_FILES {
        let message = format!("`{pattern}` matches {} files, more than {MAX_FILES}", paths.len());
        return Err(at(
            Diagnostic::error("too-many-files", message).help("narrow the pattern")
        ));
    }
    let format = format_of(first).map_err(at)?;
    for path in &paths {
        if format_of(path).map_err(at)? != format {
            let (first, other) = (name(root, first), name(root, path));
            return Err(at(Diagnostic::error(
                "mixed-formats",
                format!("`{first}` and `{other}` are in different formats"),
            )
            .help("narrow the pattern to one format, such as `data/*.csv`")));
        }
    }
    Ok((paths, format))
}

fn format_of(path: &Path) -> Result<Format, Diagnostic> {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    match ending.as_str() {
        "csv" | "txt" => Ok(Format::Csv),
        "tsv" | "tab" => Ok(Format::Tsv),
        "parquet" | "pq" => Ok(Format::Parquet),
        "jsonl" | "ndjson" => Ok(Format::JsonLines),
        _ => Err(Diagnostic::error(
            "unknown-format",
            format!("the ending `.{ending}` says no format that can be read"),
        )
        .help("use `.csv`, `.tsv`, `.parquet` or `.jsonl` (one JSON object a line), unpacked")),
    }
}

/// Reads every file once; with `again` only these columns, as text.
fn pass(
    sources: &Sources,
    declared: &BTreeMap<String, ColumnType>,
    care: Care,
    again: Option<&[String]>,
    place: Place<'_>,
) -> Result<Done, DataError> {
    let mut table = Table::new(declared, care, again);
    fill(&mut table, sources, place)?;
    table.finish().map_err(DataError::Problems)
}

/// Reads the rows of every file into the table.
fn fill(table: &mut Table<'_>, sources: &Sources, place: Place<'_>) -> Result<(), DataError> {
    let format = sources.format;
    for (path, (name, size)) in sources.paths.iter().zip(&sources.files) {
        let file = sys::open(path).map_err(|error| place.refuse(error))?;
        table.start_file(
            name,
            if format == Format::Parquet || format == Format::JsonLines {
                1
            } else {
                2
            },
        );
        let result = match format {
            Format::Csv | Format::Tsv => csv::read(table, file, *size, format == Format::Tsv),
            Format::Parquet => parquet::read(table, file),
            Format::JsonLines => jsonl::read(table, file),
        };
        if let Err(Failure::Io(error)) = result {
            return Err(io(path, error));
        }
        if table.chunks.as_ref().is_some_and(chunks::Chunks::is_over) {
            break;
        }
    }
    table.close_problems();
    Ok(())
}
