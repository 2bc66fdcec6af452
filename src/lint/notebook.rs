//! Notebooks as files of lines: where a line of a cell stands, and what should not be in there. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::finding::{Cell, Cells, Finding, Severity};
use super::parse::inert;
use super::secrets;
use crate::base::counted;

/// A larger file is not looked at.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// More of one notebook are left out.
const MAX_FINDINGS: usize = 200;
const MAX_MESSAGE_CHARS: usize = 300;
/// No shorter line has a name and what is given to it.
const MIN_SECRET_BYTES: usize = 14;

/// What should not be in a notebook that others read: outputs that are kept (`notebook-outputs`), cells that ran in
/// another order than they stand (`notebook-order`), and what looks like a secret (`notebook-secret`), which is never
/// repeated. A file that is no notebook is one finding (`notebook-json`). `path` is relative to the root.
pub fn hygiene(path: &str, bytes: &[u8]) -> Vec<Finding> {
    let notebook = match Notebook::read(bytes) {
        Ok(notebook) => notebook,
        Err(defect) => {
            let mut made = finding(path, "notebook-json", defect.line, &defect.message);
            made.column = made.line.and(defect.column);
            return vec![made];
        }
    };
    // Secrets come first, so that many outputs do not crowd them out.
    let mut found = secrets_of(path, &notebook);
    of_cells(path, &notebook, &mut found);
    found.truncate(MAX_FINDINGS);
    found.sort();
    found
}

fn secrets_of(path: &str, notebook: &Notebook<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(notebook.text.split('\n')) {
        if found.len() >= MAX_FINDINGS {
            break;
        }
        // A picture on a line of its own; a notebook on one line is looked at as a whole.
        let is_picture = text.trim_start().starts_with("\"image/");
        if text.len() < MIN_SECRET_BYTES || is_picture {
            continue;
        }
        let plain = text.replace("\\\"", "\"").replace("\\n", "\n");
        for what in secrets::in_text(&plain) {
            let place = match notebook.cell_at(line) {
                Some(cell) => format!("in cell {}", cell.number),
                None => "outside of the cells".to_owned(),
            };
            let mut made = finding(
                path,
                "notebook-secret",
                Some(line),
                &format!("{place}, this looks like {what}"),
            );
            made.fix = Some("take it out, revoke it where it came from, and read it from the environment".to_owned());
            found.push(made);
        }
    }
    found
}

fn of_cells(path: &str, notebook: &Notebook<'_>, found: &mut Vec<Finding>) {
    let mut highest = None;
    for cell in &notebook.cells {
        if let Some(outputs) = &cell.outputs {
            let n = cell.n_outputs;
            let mut made = finding(
                path,
                "notebook-outputs",
                Some(outputs.first),
                &format!(
                    "cell {} keeps {} ({})",
                    cell.number,
                    counted(n, "output"),
                    size(outputs.n_bytes)
                ),
            );
            made.severity = Severity::Warning;
            made.end_line = Some(outputs.last);
            made.fix = Some("clear the outputs before you commit, as `nbstripout` does".to_owned());
            found.push(made);
        }
        let Some((count, line)) = cell.count else {
            continue;
        };
        match highest {
            Some((before, number)) if count <= before => {
                let message = format!(
                    "cell {} ran as number {count}, but stands behind cell {number}, which ran as number {before}",
                    cell.number
                );
                let mut made = finding(path, "notebook-order", Some(line), &message);
                made.severity = Severity::Warning;
                made.fix = Some("restart the kernel and run all cells in order".to_owned());
                found.push(made);
            }
            _ => highest = Some((count, cell.number)),
        }
    }
}

/// Gives the findings that name a cell of this notebook the line of the file. Others stay as they are; all are in order
/// again.
pub fn locate(findings: &mut [Finding], path: &str, bytes: &[u8]) {
    let mut of_this = findings
        .iter_mut()
        .filter(|finding| finding.path == path && finding.line.is_none() && finding.cell.is_some())
        .peekable();
    if of_this.peek().is_none() {
        return;
    }
    let Ok(notebook) = Notebook::read(bytes) else {
        return;
    };
    for finding in of_this {
        let place = finding
            .cell
            .and_then(|cell| Some((notebook.line_of(cell, cell.line)?, cell)));
        if let Some((line, cell)) = place {
            finding.line = Some(line);
            finding.end_line = notebook.line_of(cell, cell.end_line).filter(|end| *end >= line);
            // Of a cell's line the file has quotes and escapes before it.
            finding.column = None;
        }
    }
    findings.sort();
}

fn finding(path: &str, rule: &str, line: Option<u32>, message: &str) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        column: None,
        end_line: None,
        end_column: None,
        cell: None,
        rule: Some(rule.to_owned()),
        severity: Severity::Error,
        message: inert(message, MAX_MESSAGE_CHARS),
        fix: None,
        url: None,
    }
}

fn size(n_bytes: usize) -> String {
    match n_bytes {
        0..1_000 => format!("{n_bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", n_bytes / 1_000),
        _ => format!("{} MB", n_bytes / 1_000_000),
    }
}

/// Why a file is no notebook.
struct Defect {
    line: Option<u32>,
    column: Option<u32>,
    message: String,
}

impl Defect {
    fn new(message: &str) -> Self {
        Self {
            line: None,
            column: None,
            message: message.to_owned(),
        }
    }
}

struct Notebook<'a> {
    text: &'a str,
    cells: Vec<CellPlace>,
}

/// Where the parts of a cell stand. Lines are those of the file, from 1.
struct CellPlace {
    /// Of all cells, from 1.
    number: u32,
    is_code: bool,
    first: u32,
    last: u32,
    /// One for each line of its source.
    source: Vec<u32>,
    count: Option<(i64, u32)>,
    n_outputs: usize,
    /// Nothing for none.
    outputs: Option<Extent>,
}

struct Extent {
    first: u32,
    last: u32,
    n_bytes: usize,
}

#[derive(Deserialize)]
struct RawNotebook<'a> {
    #[serde(borrow)]
    cells: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    worksheets: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawCell<'a> {
    #[serde(borrow)]
    cell_type: &'a RawValue,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    outputs: Option<&'a RawValue>,
    #[serde(borrow)]
    execution_count: Option<&'a RawValue>,
}

impl<'a> Notebook<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Defect> {
        if bytes.len() > MAX_BYTES {
            return Err(Defect::new("the notebook is too large to be looked at"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Defect::new("the notebook is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('[') {
            return Err(Defect::new("this is no notebook: it is a list"));
        }
        let small = |n: usize| u32::try_from(n).ok();
        let raw: RawNotebook<'_> = serde_json::from_str(text).map_err(|error| Defect {
            line: small(error.line()).filter(|line| *line > 0),
            column: small(error.column()).filter(|column| *column > 0),
            message: format!("this is no notebook: {}", reason(&error)),
        })?;
        let Some(cells) = raw.cells else {
            return Err(Defect::new(if raw.worksheets.is_some() {
                "the notebook has the format of before 2015: `jupyter nbconvert --to notebook` renews it"
            } else {
                "this is no notebook: it has no `cells`"
            }));
        };
        let lines = LineStarts::of(text);
        let mut places = Vec::with_capacity(cells.len());
        for (number, cell) in (1..).zip(cells) {
            let (first, last) = lines.extent(cell.get());
            let raw: RawCell<'_> = serde_json::from_str(cell.get()).map_err(|error| Defect {
                line: Some(first),
                column: None,
                message: format!("cell {number} is no cell: {}", reason(&error)),
            })?;
            let outputs: Vec<&RawValue> = raw
                .outputs
                .and_then(|outputs| serde_json::from_str(outputs.get()).ok())
                .unwrap_or_default();
            places.push(CellPlace {
                number,
                is_code: raw.cell_type.get() == "\"code\"",
                first,
                last,
                source: raw
                    .source
                    .map(|source| source_lines(source, &lines))
                    .unwrap_or_default(),
                count: raw
                    .execution_count
                    .and_then(|count| Some((count.get().parse().ok()?, lines.extent(count.get()).0))),
                n_outputs: outputs.len(),
                outputs: raw.outputs.filter(|_| !outputs.is_empty()).map(|whole| {
                    let (first, last) = lines.extent(whole.get());
                    Extent {
                        first,
                        last,
                        n_bytes: whole.get().len(),
                    }
                }),
            });
        }
        Ok(Self { text, cells: places })
    }

    fn line_of(&self, cell: Cell, line: u32) -> Option<u32> {
        let index = usize::try_from(cell.number).ok()?.checked_sub(1)?;
        let place = match cell.of {
            Cells::All => self.cells.get(index),
            Cells::Code => self.cells.iter().filter(|cell| cell.is_code).nth(index),
        }?;
        // Tools put lines of their own behind a cell.
        let line = usize::try_from(line).ok()?.clamp(1, place.source.len().max(1));
        Some(place.source.get(line - 1).copied().unwrap_or(place.first))
    }

    fn cell_at(&self, line: u32) -> Option<&CellPlace> {
        let index = self.cells.partition_point(|cell| cell.last < line);
        self.cells.get(index).filter(|cell| cell.first <= line)
    }
}

/// The lines of the file on which the lines of a source stand: a source is a text or a list of them.
fn source_lines(source: &RawValue, lines: &LineStarts<'_>) -> Vec<u32> {
    let parts: Vec<&RawValue> = if source.get().starts_with('[') {
        serde_json::from_str(source.get()).unwrap_or_default()
    } else {
        vec![source]
    };
    let mut found = Vec::with_capacity(parts.len());
    let mut is_inside = false;
    for part in parts {
        let Ok(text) = serde_json::from_str::<String>(part.get()) else {
            continue;
        };
        let line = lines.extent(part.get()).0;
        for piece in text.split_inclusive('\n') {
            if !is_inside {
                found.push(line);
            }
            is_inside = !piece.ends_with('\n');
        }
    }
    found
}

/// The message of a JSON error, without its ` at line 1 column 2`. What is said of a value of the wrong type would
/// repeat the value, which may be a secret.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let said = text.rfind(" at line ").map_or(text.as_str(), |at| &text[..at]);
    if error.is_data() && !said.starts_with("missing field") {
        return "its parts have other types".to_owned();
    }
    said.to_owned()
}

/// Finds the line of a part of a text.
struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineStarts<'a> {
    fn of(text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { text, starts }
    }

    /// The first and the last line of a part, which has to be a slice of the text.
    fn extent(&self, part: &str) -> (u32, u32) {
        let start = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let line = |at: usize| {
            let n = self.starts.partition_point(|start| *start <= at);
            u32::try_from(n + 1).unwrap_or(u32::MAX)
        };
        (line(start), line(start + part.len().saturating_sub(1)))
    }
}
