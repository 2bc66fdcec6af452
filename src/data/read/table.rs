//! The table under construction: builders, places, limits and what was wrong. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Diagnostic, Diagnostics, Span};
use crate::data::frame::FileRows;
use crate::data::task::short;
use crate::data::{ColumnType, Frame};

use super::builder::{Builder, Finished, Note, Pushed, Raw};
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

#[derive(Debug)]
pub struct Table<'s> {
    declared: &'s BTreeMap<String, ColumnType>,
    /// The columns of the second pass, which are read as text; `None` in the first.
    again: Option<&'s [String]>,
    pub builders: Vec<Builder>,
    /// The columns of the first file, against which later ones are compared.
    names: Option<Vec<String>>,
    pub n_rows: usize,
    files: Vec<FileRows>,
    pub problems: Diagnostics,
    counts: BTreeMap<&'static str, usize>,
    pub bad_cells: Vec<BadCell>,
    notes: BTreeMap<(String, Note), Noted>,
}

impl<'s> Table<'s> {
    pub fn new(declared: &'s BTreeMap<String, ColumnType>, again: Option<&'s [String]>) -> Self {
        Self {
            declared,
            again,
            builders: Vec::new(),
            names: None,
            n_rows: 0,
            files: Vec::new(),
            problems: Diagnostics::default(),
            counts: BTreeMap::new(),
            bad_cells: Vec::new(),
            notes: BTreeMap::new(),
        }
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
        self.builders.push(Builder::new(name, fixed, self.n_rows));
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
        if let Some(file) = self.files.last_mut() {
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
        if self.n_rows.saturating_mul(self.builders.len()) > MAX_CELLS || self.n_rows.is_multiple_of(1024) {
            self.check_limits(line)?;
        }
        Ok(())
    }

    /// Ends `n` rows of a file without lines.
    pub fn end_rows(&mut self, n: usize) -> Result<(), Stop> {
        self.n_rows += n;
        self.check_limits(self.file_rows() as u64)
    }

    pub fn check_limits(&mut self, line: u64) -> Result<(), Stop> {
        if self.n_rows.saturating_mul(self.builders.len()) > MAX_CELLS {
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
    pub fn finish(self) -> Result<Done, Diagnostics> {
        let Self {
            builders,
            n_rows,
            files,
            mut problems,
            bad_cells,
            notes,
            ..
        } = self;
        let mut done = Done {
            columns: Vec::new(),
            again: Vec::new(),
            n_rows,
            files,
            bad_cells,
            warnings: Diagnostics::default(),
        };
        for builder in builders {
            let (name, n_missing) = (builder.name.clone(), builder.n_missing);
            match builder.finish() {
                Finished::Column(column) => {
                    if n_missing == n_rows {
                        let message = format!("`{}` has no value in any row", short(&name));
                        done.warnings
                            .push(Diagnostic::warning("empty-column", message).help("add it to `data.exclude`"));
                    }
                    done.columns.push(Some(column));
                }
                Finished::Again => {
                    done.columns.push(None);
                    done.again.push(name);
                }
                Finished::Unusable(note) => {
                    if let Some(noted) = notes.get(&(name.clone(), note)) {
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
    pub warnings: Diagnostics,
}

impl Done {
    pub fn frame(self) -> Result<(Frame, Vec<BadCell>, Diagnostics), crate::data::frame::FrameError> {
        let columns = self.columns.into_iter().flatten().collect();
        let frame = Frame::new(columns, self.n_rows, self.files)?;
        Ok((frame, self.bad_cells, self.warnings))
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
    }
}

fn narrow(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
