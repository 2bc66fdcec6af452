//! The table under construction: builders, places, limits and what was wrong. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Diagnostic, Diagnostics, Span};
use crate::data::frame::FileRows;
use crate::data::task::short;
use crate::data::{ColumnType, Frame};

use super::builder::{Builder, Care, Finished, Note, Pushed, Raw};
use super::chunks::{Chunks, State};
use super::{BadCell, MAX_CELLS, MAX_COLUMNS, MAX_TEXT_BYTES};

/// Problems of one sort beyond this are only counted.
const MAX_SHOWN: usize = 10;

/// Cells whose text is kept for evidence; all others are kept by their row.
const MAX_BAD_TEXTS: usize = 1000;

/// Reading this file can not go on; the problem is in the table's list.
#[derive(Debug)]
pub struct Stop;

/// A place in a text file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At {
    pub line: u64,
    pub column: u32,
    pub end_column: u32,
    pub snippet: Option<String>,
}

impl At {
    pub fn line(line: u64) -> Self {
        Self {
            line,
            column: 1,
            end_column: 1,
            snippet: None,
        }
    }

    fn on(&self, problem: Diagnostic, file: &str) -> Diagnostic {
        let line = u32::try_from(self.line).unwrap_or(u32::MAX);
        let problem = problem.file(file).at(Span::new(line, self.column, self.end_column));
        match &self.snippet {
            // A caret under a shortened line would point nowhere.
            Some(text) if self.end_column <= 150 => problem.snippet(text),
            Some(_) | None => problem,
        }
    }
}

#[derive(Debug)]
struct Noted {
    file: String,
    at: At,
    text: String,
}

pub struct Table<'s> {
    pub care: Care,
    declared: &'s BTreeMap<String, ColumnType>,
    /// The columns of the second pass, which are read as text; `None` in the first.
    again: Option<&'s [String]>,
    /// Where rows go a chunk at a time; `None` keeps them all.
    pub chunks: Option<Chunks<'s>>,
    pub builders: Vec<Builder>,
    /// The columns of the first file, against which later ones are compared.
    names: Option<Vec<String>>,
    pub n_rows: usize,
    files: Vec<FileRows>,
    pub problems: Diagnostics,
    counts: BTreeMap<&'static str, usize>,
    pub bad_cells: Vec<BadCell>,
    notes: BTreeMap<(String, Note), Noted>,
    /// What is left out of the table or of its types, where that is no refusal.
    warnings: Diagnostics,
    warned: BTreeSet<(&'static str, String)>,
}

impl<'s> Table<'s> {
    pub fn new(declared: &'s BTreeMap<String, ColumnType>, care: Care, again: Option<&'s [String]>) -> Self {
        Self {
            care,
            declared,
            again,
            chunks: None,
            builders: Vec::new(),
            names: None,
            n_rows: 0,
            files: Vec::new(),
            problems: Diagnostics::default(),
            counts: BTreeMap::new(),
            bad_cells: Vec::new(),
            notes: BTreeMap::new(),
            warnings: Diagnostics::default(),
            warned: BTreeSet::new(),
        }
    }

    /// Rows that were not taken away yet.
    pub fn n_present(&self) -> usize {
        self.n_rows - self.chunks.as_ref().map_or(0, |chunks| chunks.n_taken)
    }

    pub fn file(&self) -> &str {
        self.files.last().map_or("", |file| &file.name)
    }

    pub fn start_file(&mut self, name: &str, first_line: u64) {
        self.files.push(FileRows {
            name: name.to_owned(),
            first_row: self.n_rows,
            lines: Vec::new(),
            first_line,
        });
    }

    /// Rows of the present file so far.
    pub fn file_rows(&self) -> usize {
        self.n_rows - self.files.last().map_or(0, |file| file.first_row)
    }

    /// Fixes the names of the first file, and compares those of every other with them.
    pub fn agree(&mut self, names: &[String]) -> Result<(), Stop> {
        let Some(first) = &self.names else {
            self.names = Some(names.to_vec());
            return Ok(());
        };
        let (here, there): (BTreeSet<&String>, BTreeSet<&String>) = (names.iter().collect(), first.iter().collect());
        let missing: Vec<&String> = first.iter().filter(|name| !here.contains(name)).collect();
        let extra: Vec<&String> = names.iter().filter(|name| !there.contains(name)).collect();
        if missing.is_empty() && extra.is_empty() {
            return Ok(());
        }
        let list = |names: &[&String]| {
            let more = if names.len() > 5 { ", …" } else { "" };
            let names: Vec<String> = names.iter().take(5).map(|name| format!("`{}`", short(name))).collect();
            format!("{}{more}", names.join(", "))
        };
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("it lacks {}", list(&missing)));
        }
        if !extra.is_empty() {
            parts.push(format!("only it has {}", list(&extra)));
        }
        let reference = self.files.first().map_or("", |file| &file.name);
        let message = format!("the columns differ from those of `{reference}`: {}", parts.join("; "));
        let problem = Diagnostic::error("schema-differs", message)
            .help("give every file the same columns, or narrow the pattern in `data.source`");
        Err(self.stop(problem, &At::line(1)))
    }

    /// The builder of a column, made when it is new; `None` when this pass does not read it.
    pub fn builder(&mut self, name: &str) -> Result<Option<usize>, Stop> {
        if let Some(index) = self.builders.iter().position(|builder| builder.name == name) {
            return Ok(Some(index));
        }
        let fixed = match self.again {
            Some(again) if again.iter().any(|wanted| wanted == name) => Some(ColumnType::Text),
            Some(_) => return Ok(None),
            None => self.declared.get(name).copied(),
        };
        if self.builders.len() >= MAX_COLUMNS {
            let problem = Diagnostic::error("too-many-columns", format!("there are more than {MAX_COLUMNS} columns"))
                .help("leave out columns, or bring the table into long form");
            return Err(self.stop(problem, &At::line(1)));
        }
        let taken = self.n_rows - self.n_present();
        self.builders
            .push(Builder::new(name, fixed, self.care, self.n_rows, taken));
        Ok(Some(self.builders.len() - 1))
    }

    /// Adds a value to a column; `at` is asked for its place only when something is odd.
    #[inline]
    pub fn push(&mut self, builder: usize, raw: Raw<'_>, at: impl FnOnce() -> At) {
        let pushed = self.builders[builder].push(raw);
        if pushed != Pushed::Kept {
            self.odd(builder, raw, pushed, &at());
        }
    }

    #[cold]
    pub fn odd(&mut self, builder: usize, raw: Raw<'_>, pushed: Pushed, at: &At) {
        let column = self.builders[builder].name.clone();
        let text = match raw {
            Raw::Untyped(text) | Raw::Text(text) => short(text),
            Raw::Integer(value) => value.to_string(),
            Raw::Decimal(value) | Raw::Time(value) => value.to_string(),
            Raw::Boolean(value) => value.to_string(),
            Raw::Missing => String::new(),
        };
        match pushed {
            Pushed::Kept => {}
            Pushed::Bad if self.chunks.is_some() => {
                if let Some(chunks) = &mut self.chunks {
                    *chunks.bad_cells.entry(column).or_default() += 1;
                }
            }
            Pushed::Bad => {
                let text = if self.bad_cells.len() < MAX_BAD_TEXTS {
                    text
                } else {
                    String::new()
                };
                self.bad_cells.push(BadCell {
                    row: self.builders[builder].len() - 1,
                    column,
                    text,
                });
            }
            Pushed::Note(note) => {
                let file = self.file().to_owned();
                self.notes.insert(
                    (column, note),
                    Noted {
                        file,
                        at: at.clone(),
                        text,
                    },
                );
            }
            Pushed::Conflict(before) => {
                let message = format!("`{}` is {} here and {before} before", short(&column), raw.article());
                let problem = Diagnostic::error("type-conflict", message).help(format!(
                    "write one type in every row, or declare it under `data.contract.columns.{column}.type`"
                ));
                self.report(problem, at);
            }
        }
    }

    /// Ends a row that began at this line: columns without a value get a missing one.
    #[inline]
    pub fn end_row(&mut self, line: u64) -> Result<(), Stop> {
        // Places are for evidence, which a table that is not kept can not give; they would grow with the file.
        if self.chunks.is_none()
            && let Some(file) = self.files.last_mut()
        {
            let index = self.n_rows - file.first_row;
            if !file.lines.is_empty() || line != file.first_line + index as u64 {
                if file.lines.is_empty() {
                    let usual = (0..index as u64).map(|index| narrow(file.first_line + index));
                    file.lines = usual.collect();
                }
                file.lines.push(narrow(line));
            }
        }
        self.n_rows += 1;
        if self.n_present().saturating_mul(self.builders.len()) > MAX_CELLS || self.n_rows.is_multiple_of(1024) {
            self.check_limits(line)?;
        }
        if self.room() == 0 { self.deliver() } else { Ok(()) }
    }

    /// Rows that can be added before a chunk is full.
    pub fn room(&self) -> usize {
        let per_chunk = self.chunks.as_ref().map_or(usize::MAX, |chunks| chunks.n_rows);
        per_chunk.saturating_sub(self.n_present())
    }

    /// Hands the present rows over as a chunk; without chunks they stay.
    fn deliver(&mut self) -> Result<(), Stop> {
        match &mut self.chunks {
            Some(chunks) => chunks.deliver(&mut self.builders, self.n_rows),
            None => Ok(()),
        }
    }

    /// Ends `n` rows of a file without lines.
    pub fn end_rows(&mut self, n: usize) -> Result<(), Stop> {
        self.n_rows += n;
        self.check_limits(self.file_rows() as u64)?;
        if self.room() == 0 { self.deliver() } else { Ok(()) }
    }

    pub fn check_limits(&mut self, line: u64) -> Result<(), Stop> {
        if self.n_present().saturating_mul(self.builders.len()) > MAX_CELLS {
            let problem = Diagnostic::error(
                "too-large",
                format!(
                    "the data has more than {} million cells, which do not fit into memory",
                    MAX_CELLS / 1_000_000
                ),
            )
            .help("take a sample of the rows, or write Parquet with the columns that the model needs");
            return Err(self.stop(problem, &At::line(line)));
        }
        let text_bytes: usize = self.builders.iter().map(|builder| builder.level_bytes).sum();
        if text_bytes > MAX_TEXT_BYTES {
            let widest = self.builders.iter().max_by_key(|builder| builder.level_bytes);
            let name = widest.map_or(String::new(), |builder| short(&builder.name));
            let problem = Diagnostic::error(
                "too-large",
                format!(
                    "the distinct texts, most of them in `{name}`, take more than {} MiB",
                    MAX_TEXT_BYTES >> 20
                ),
            )
            .help("remove that column from the data, or take a sample of the rows");
            return Err(self.stop(problem, &At::line(line)));
        }
        Ok(())
    }

    /// Collects a warning; the same of a column once.
    pub fn warn(&mut self, warning: Diagnostic, column: &str, at: &At) {
        if self.warned.insert((warning.code, column.to_owned())) {
            let located = at.on(warning, self.files.last().map_or("", |file| &file.name));
            self.warnings.push(located);
        }
    }

    /// Collects a problem of the present file; many of one sort are counted.
    pub fn report(&mut self, problem: Diagnostic, at: &At) {
        let count = self.counts.entry(problem.code).or_default();
        *count += 1;
        if *count <= MAX_SHOWN {
            let located = at.on(problem, self.files.last().map_or("", |file| &file.name));
            self.problems.push(located);
        }
    }

    /// Collects a problem after which the file can not be read on.
    pub fn stop(&mut self, problem: Diagnostic, at: &At) -> Stop {
        self.report(problem, at);
        Stop
    }

    /// Says how many problems were not shown.
    pub fn close_problems(&mut self) {
        for (code, count) in std::mem::take(&mut self.counts) {
            if count > MAX_SHOWN {
                let more = count - MAX_SHOWN;
                self.problems
                    .push(Diagnostic::error(code, format!("and {more} more of the same")));
            }
        }
    }

    /// The table; columns that must be read once more are named, with empty places kept for them.
    ///
    /// In chunks the last of them is handed over, and the columns of the result are empty.
    pub fn finish(mut self) -> Result<Done, Diagnostics> {
        if let Some(chunks) = &mut self.chunks
            && !self.problems.has_errors()
        {
            chunks.finish(&mut self.builders, self.n_rows);
        }
        let Self {
            builders,
            n_rows,
            files,
            mut problems,
            bad_cells,
            notes,
            warnings,
            chunks,
            ..
        } = self;
        let place = |name: &str, note: Note| notes.get(&(name.to_owned(), note));
        let mut done = Done {
            columns: Vec::new(),
            again: Vec::new(),
            n_rows,
            files,
            bad_cells,
            infinite: BTreeMap::new(),
            remarks: Diagnostics::default(),
            warnings,
            state: chunks.as_ref().map(|chunks| chunks.state),
            bad_cells_by_column: chunks.map(|chunks| chunks.bad_cells).unwrap_or_default(),
        };
        // After the first rows alone nothing is known for sure but what was lost.
        let is_early = done.state == Some(State::Early);
        for builder in builders.into_iter().filter(|builder| !is_early || builder.is_lost()) {
            let (name, n_missing, n_infinite) = (builder.name.clone(), builder.n_missing, builder.n_infinite);
            if let Some(note) = builder.remark()
                && let Some(noted) = place(&name, note)
            {
                done.warnings
                    .push(noted.at.on(remark(&name, note, &noted.text), &noted.file));
            }
            match builder.finish() {
                Finished::Column(column) => {
                    if n_infinite > 0 {
                        done.infinite.insert(name.clone(), n_infinite);
                    }
                    if n_missing == n_rows && n_rows > 0 {
                        let message = format!("`{}` has no value in any row", short(&name));
                        done.warnings
                            .push(Diagnostic::warning("empty-column", message).help("add it to `data.exclude`"));
                    }
                    done.columns.push(Some(column));
                }
                Finished::Again(note) => {
                    if let Some(note) = note
                        && let Some(noted) = place(&name, note)
                    {
                        done.remarks
                            .push(noted.at.on(remark(&name, note, &noted.text), &noted.file));
                    }
                    done.columns.push(None);
                    done.again.push(name);
                }
                Finished::Unusable(note) => {
                    if let Some(noted) = place(&name, note) {
                        problems.push(noted.at.on(unusable(&name, note, &noted.text), &noted.file));
                    }
                }
            }
        }
        if problems.has_errors() { Err(problems) } else { Ok(done) }
    }
}

/// What a pass brought.
#[derive(Debug)]
pub struct Done {
    pub columns: Vec<Option<crate::data::Column>>,
    pub again: Vec<String>,
    pub n_rows: usize,
    pub files: Vec<FileRows>,
    pub bad_cells: Vec<BadCell>,
    /// Infinite numbers of each column that has some; missing in the column.
    pub infinite: BTreeMap<String, usize>,
    /// Why columns are read once more, where that is worth a word.
    pub remarks: Diagnostics,
    pub warnings: Diagnostics,
    /// How handing over in chunks ended.
    pub state: Option<State>,
    pub bad_cells_by_column: BTreeMap<String, usize>,
}

impl Done {
    /// The table of the columns so far.
    pub fn frame(&mut self) -> Result<Frame, crate::data::frame::FrameError> {
        let columns = std::mem::take(&mut self.columns).into_iter().flatten().collect();
        Frame::new(columns, self.n_rows, std::mem::take(&mut self.files))
    }
}

/// What was made of a column that would be refused for training.
fn remark(name: &str, note: Note, text: &str) -> Diagnostic {
    let (name, text) = (short(name), short(text));
    match note {
        Note::Comma => Diagnostic::warning(
            "decimal-comma",
            format!(
                "`{name}` is `{text}` and is read as text: numbers need a decimal point and no thousands separator"
            ),
        )
        .help("write `1.5` instead of `1,5`"),
        Note::Mixed => Diagnostic::warning(
            "type-conflict",
            format!("`{name}` is `{text}` here and another type before, so all of it is read as text"),
        )
        .help("write one type in every row"),
        Note::Huge => Diagnostic::warning(
            "too-long-number",
            format!("`{name}` is `{text}`, a whole number of which digits may be lost"),
        )
        .help("write it as a text in quotes if it is an identifier"),
        Note::Infinite => Diagnostic::warning(
            "infinite-number",
            format!("`{name}` is `{text}`, which counts as missing"),
        ),
    }
}

fn unusable(name: &str, note: Note, text: &str) -> Diagnostic {
    let (name, text) = (short(name), short(text));
    match note {
        Note::Infinite => Diagnostic::error(
            "infinite-number",
            format!("`{name}` is `{text}`, which is not a finite number"),
        )
        .help("leave the cell empty if the value is unknown, or write a finite number"),
        Note::Comma => Diagnostic::error(
            "decimal-comma",
            format!("`{name}` is `{text}`: numbers need a decimal point and no thousands separator"),
        )
        .help(format!(
            "write `1.5` instead of `1,5`; or declare `type: text` under `data.contract.columns.{name}`"
        )),
        Note::Huge => Diagnostic::error(
            "too-long-number",
            format!("`{name}` is `{text}`, a whole number that would lose digits"),
        )
        .help("write it as a text in quotes"),
        Note::Mixed => Diagnostic::error(
            "type-conflict",
            format!("`{name}` is `{text}` here and another type before"),
        ),
    }
}

fn narrow(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
