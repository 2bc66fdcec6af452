//! CSV: UTF-8, a header, comma, semicolon or tab; every refusal with its place. Pure, given the bytes.

use std::io::Read;

use crate::base::Diagnostic;
use crate::data::task::short;

use super::builder::{Care, Raw};
use super::records::{MAX_RECORD_BYTES, Record, RecordError, Records};
use super::table::{At, Stop, Table};
use super::{Failure, MAX_COLUMNS};

const MAX_FIELD_BYTES: usize = 1 << 20;

/// Reads one file into the table; `size` is its length in bytes.
pub fn read(table: &mut Table<'_>, mut source: impl Read, size: u64, tabs: bool) -> Result<(), Failure> {
    let head = head(table, &mut source)?;
    let delimiter = if tabs { b'\t' } else { delimiter(&head) };
    let mut records = Records::new(source, head, delimiter);
    let names = header(table, &mut records)?;
    table.agree(&names)?;
    let builders: Vec<Option<usize>> = names
        .iter()
        .map(|name| table.builder(name))
        .collect::<Result<_, Stop>>()?;
    loop {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(error) => return Err(failed(table, error)),
        };
        let Some(text) = usable(table, &record, names.len()) else {
            continue;
        };
        for (index, builder) in builders.iter().enumerate() {
            // A field that is cut inside a character is not UTF-8, although the record as a whole is.
            let (Some(builder), field) = (builder, text.get(record.range(index))) else {
                continue;
            };
            let Some(field) = field else {
                table.report(not_utf8(), &at(&record, index));
                continue;
            };
            table.push(*builder, Raw::Untyped(field), || at(&record, index));
        }
        let line = record.line;
        table.end_row(line)?;
        if table.n_rows == 1000 {
            let rows =
                (size as f64 / records.position() as f64 * 1020.0).min(super::MAX_CELLS as f64 / names.len() as f64);
            let room = table.room();
            for builder in &mut table.builders {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a positive row count"
                )]
                builder.reserve((rows as usize).min(room));
            }
        }
    }
    if table.care == Care::Strict && table.file_rows() == 0 && !table.problems.has_errors() {
        let problem = Diagnostic::error("no-rows", "there is a header but no row").help("add data below the header");
        return Err(table.stop(problem, &At::line(1)).into());
    }
    Ok(())
}

/// The first bytes without a byte order mark; other encodings and binary files are refused by their first bytes.
pub fn head(table: &mut Table<'_>, source: &mut impl Read) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::new();
    source
        .by_ref()
        .take(64 << 10)
        .read_to_end(&mut head)
        .map_err(Failure::Io)?;
    let first = At::line(1);
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        let problem = Diagnostic::error("not-utf8", "the file is UTF-16, not UTF-8").help("save it as UTF-8");
        return Err(table.stop(problem, &first).into());
    }
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    let known = [
        (&b"\x1f\x8b"[..], "gzip"),
        (b"PK\x03\x04", "a ZIP archive or spreadsheet"),
        (b"PAR1", "Parquet"),
    ];
    if let Some((_, what)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        let problem = Diagnostic::error("wrong-format", format!("the file is {what}, not text"))
            .help("unpack it, or give it the ending of its format");
        return Err(table.stop(problem, &first).into());
    }
    if head.iter().all(u8::is_ascii_whitespace) {
        let problem = Diagnostic::error("empty-file", "the file is empty").help("write the data first");
        return Err(table.stop(problem, &first).into());
    }
    Ok(head)
}

/// Comma; or a semicolon or tab when the header has no comma and the first row has as many of it.
fn delimiter(head: &[u8]) -> u8 {
    let mut lines = head.split(|byte| *byte == b'\n');
    let count = |line: &[u8], wanted: u8| {
        let mut quoted = false;
        let outside = line.iter().filter(|&&byte| {
            quoted ^= byte == b'"';
            !quoted && byte == wanted
        });
        outside.count()
    };
    let header = lines.next().unwrap_or_default();
    let first = lines.next().filter(|line| !line.is_empty());
    if count(header, b',') > 0 {
        return b',';
    }
    let consistent = |delimiter: u8| {
        let n = count(header, delimiter);
        n > 0 && first.is_none_or(|first| count(first, delimiter) == n)
    };
    [b';', b'\t']
        .into_iter()
        .find(|delimiter| consistent(*delimiter))
        .unwrap_or(b',')
}

fn header(table: &mut Table<'_>, records: &mut Records<impl Read>) -> Result<Vec<String>, Failure> {
    let record = match records.next() {
        Ok(Some(record)) => record,
        Ok(None) => return Ok(Vec::new()),
        Err(error) => return Err(failed(table, error)),
    };
    let mut wrong = false;
    if record.len() > MAX_COLUMNS {
        let problem = Diagnostic::error(
            "too-many-columns",
            format!("there are {} columns, more than {MAX_COLUMNS}", record.len()),
        )
        .help("leave out columns, or bring the table into long form");
        return Err(table.stop(problem, &At::line(record.line)).into());
    }
    let mut names: Vec<String> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..record.len() {
        let mut refuse = |problem| {
            table.report(problem, &at(&record, index));
            wrong = true;
        };
        let field = record.field(index);
        let Ok(name) = std::str::from_utf8(field) else {
            refuse(not_utf8());
            continue;
        };
        if name.contains('\0') {
            refuse(nul());
        } else if field.len() > 1024 {
            refuse(
                Diagnostic::error("long-name", "the name of a column is longer than 1024 bytes")
                    .help("is the first line a header?"),
            );
        } else if name.trim().is_empty() {
            refuse(
                Diagnostic::error("unnamed-column", format!("column {} has no name", index + 1))
                    .help("name it in the header; a table written with an index by pandas needs `index=False`"),
            );
        } else if !seen.insert(name.to_owned()) {
            refuse(
                Diagnostic::error("duplicate-column", format!("the column `{}` occurs twice", short(name)))
                    .help("rename or remove one of them"),
            );
        }
        names.push(name.to_owned());
    }
    if wrong { Err(Stop.into()) } else { Ok(names) }
}

/// The text of a record that can be taken as a row; what is wrong with it is reported.
fn usable<'r>(table: &mut Table<'_>, record: &Record<'r>, n_columns: usize) -> Option<&'r str> {
    let bytes = record.bytes();
    let text = record.text();
    if record.len() != n_columns {
        let cells = |n: usize| {
            if n == 1 {
                "1 cell".to_owned()
            } else {
                format!("{n} cells")
            }
        };
        let message = format!(
            "this row has {}, but the header has {}",
            cells(record.len()),
            cells(n_columns)
        );
        let odd = at(
            record,
            record
                .len()
                .min(n_columns)
                .saturating_sub(usize::from(record.len() < n_columns)),
        );
        let problem = Diagnostic::error("ragged-row", message).help("quote cells that contain the separator");
        table.report(problem, &odd);
        return None;
    }
    if bytes.len() > MAX_FIELD_BYTES
        && let Some(index) = record.find(|field| field.len() > MAX_FIELD_BYTES)
    {
        let problem = Diagnostic::error("long-cell", "a cell is longer than 1 MiB").help("is a quote missing?");
        table.report(problem, &at(record, index));
        return None;
    }
    if bytes.contains(&0)
        && let Some(index) = record.find(|field| field.contains(&0))
    {
        table.report(nul(), &at(record, index));
        return None;
    }
    if text.is_none()
        && let Some(index) = record.find(|field| std::str::from_utf8(field).is_err())
    {
        table.report(not_utf8(), &at(record, index));
    }
    text
}

fn at(record: &Record<'_>, index: usize) -> At {
    let (line, column, end_column, snippet) = record.place(index);
    At {
        line,
        column,
        end_column,
        snippet: Some(snippet),
    }
}

fn not_utf8() -> Diagnostic {
    Diagnostic::error("not-utf8", "these bytes are not UTF-8").help("save the file as UTF-8")
}

fn nul() -> Diagnostic {
    Diagnostic::error("nul-byte", "there is a NUL byte, so this is not a text file")
        .help("write the data as UTF-8 text")
}

fn failed(table: &mut Table<'_>, error: RecordError) -> Failure {
    match error {
        RecordError::Io(error) => Failure::Io(error),
        RecordError::OpenQuote { line } => {
            let problem = Diagnostic::error("open-quote", "a quote opened in this row is never closed")
                .help("close it, or double quotes inside a cell: `\"say \"\"hi\"\"\"`");
            table.stop(problem, &At::line(line)).into()
        }
        RecordError::TooLong { line } => {
            let message = format!("this row is longer than {} MiB", MAX_RECORD_BYTES >> 20);
            let problem = Diagnostic::error("long-row", message).help("is a quote missing?");
            table.stop(problem, &At::line(line)).into()
        }
    }
}
