//! Parquet by its column readers, without Arrow: flat columns of numbers, texts, booleans, dates and decimals.

use std::cell::Cell;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::base::Diagnostic;
use crate::data::task::short;

use super::builder::{Care, Raw};
use super::table::{At, Stop, Table};
use super::{Failure, MAX_CELLS, MAX_COLUMNS};

const BATCH: usize = 8192;

/// A column can unpack to at most this, as the file itself says it.
const MAX_UNPACKED_BYTES: i64 = 8 << 30;

/// What the numbers or bytes of a column mean.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    Plain,
    Unsigned,
    Text,
    Days,
    /// Units a second.
    Time(i32),
    /// Divide by ten to this power.
    Decimal(i32),
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic in this thread is a damaged file's doing and becomes a message: then it is no bug of ours.
pub fn panics_are_caught() -> bool {
    GUARDED.get()
}

/// Reads one file into the table.
pub fn read(table: &mut Table<'_>, file: File) -> Result<(), Failure> {
    // The library is careful with damaged files, but not promised never to panic on a hostile one.
    GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| read_guarded(table, file)));
    GUARDED.set(false);
    match result {
        Ok(result) => result,
        Err(_) => Err(damaged(table, "it contradicts itself").into()),
    }
}

fn damaged(table: &mut Table<'_>, why: &str) -> Stop {
    let why: String = why.chars().take(200).collect();
    let problem = Diagnostic::error("damaged-file", format!("the Parquet file can not be read: {why}"))
        .help("write it again; if it is stored with Git LFS, check it out with `lfs: true`");
    table.stop(problem, &At::line(1))
}

fn read_guarded(table: &mut Table<'_>, file: File) -> Result<(), Failure> {
    let reader = SerializedFileReader::new(file).map_err(|error| failed(table, &error))?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema_descr_ptr();
    let n_columns = schema.num_columns();
    if n_columns == 0 || n_columns > MAX_COLUMNS {
        let message = format!("there are {n_columns} columns, not 1 to {MAX_COLUMNS}");
        let problem = Diagnostic::error("too-many-columns", message).help("write the columns that the model needs");
        return Err(table.stop(problem, &At::line(1)).into());
    }
    let mut meanings = Vec::new();
    let mut names = Vec::new();
    for index in 0..n_columns {
        let column = schema.column(index);
        let root = column.path().parts().first().cloned().unwrap_or_default();
        match meaning(&column) {
            Ok(meaning) => meanings.push(Some(meaning)),
            Err(what) if table.care == Care::Lenient => {
                meanings.push(None);
                let message = format!("column `{}` is {what}, and is left out", short(&root));
                table.warn(Diagnostic::warning("unusable-type", message), &root, &At::line(1));
            }
            Err(what) => {
                let problem = Diagnostic::error("unusable-type", format!("column `{}` is {what}", short(&root)))
                    .help("write it as numbers, texts, booleans, dates or timestamps, or leave it out");
                table.report(problem, &At::line(1));
            }
        }
        if names.contains(&root) && column.path().parts().len() == 1 {
            let problem = Diagnostic::error(
                "duplicate-column",
                format!("the column `{}` occurs twice", short(&root)),
            );
            table.report(problem.help("rename or remove one of them"), &At::line(1));
        }
        names.push(root);
    }
    if table.problems.has_errors() {
        return Err(Stop.into());
    }
    table.agree(&names)?;
    let mut columns = Vec::new();
    for (index, (name, meaning)) in names.iter().zip(meanings).enumerate() {
        let builder = if meaning.is_some() { table.builder(name)? } else { None };
        columns.extend(meaning.zip(builder).map(|(meaning, builder)| Wanted {
            index,
            builder,
            meaning,
        }));
    }
    for group in 0..metadata.num_row_groups() {
        let group_metadata = metadata.row_group(group);
        let rows = usize::try_from(group_metadata.num_rows())
            .map_err(|_| damaged(table, "a row group has a negative size"))?;
        for wanted in &columns {
            let size = group_metadata.column(wanted.index).uncompressed_size();
            if !(0..=MAX_UNPACKED_BYTES).contains(&size) {
                return Err(damaged(table, "a column claims to unpack to more than 8 GiB").into());
            }
        }
        let group = reader.get_row_group(group).map_err(|error| failed(table, &error))?;
        if table.chunks.is_some() {
            read_in_step(table, group.as_ref(), &columns, rows)?;
            continue;
        }
        if rows.saturating_add(table.n_rows).saturating_mul(n_columns) > MAX_CELLS {
            table.n_rows = table.n_rows.saturating_add(rows);
            table.check_limits(1)?;
        }
        for wanted in &columns {
            // The first column tells whether the promised number of rows is true before the others reserve for it.
            table.builders[wanted.builder].reserve(rows.min(1 << 20));
            let mut column = group
                .get_column_reader(wanted.index)
                .map_err(|error| failed(table, &error))?;
            read_column(table, *wanted, &mut column, rows)?;
        }
        table.end_rows(rows)?;
    }
    if table.file_rows() == 0 && table.care == Care::Strict {
        let problem = Diagnostic::error("no-rows", "there is no row").help("write the data first");
        return Err(table.stop(problem, &At::line(1)).into());
    }
    Ok(())
}

/// A column of the file that this pass reads.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    index: usize,
    builder: usize,
    meaning: Meaning,
}

/// Reads a row group a chunk at a time, all columns side by side: a page of each is in memory, never the group.
fn read_in_step(
    table: &mut Table<'_>,
    group: &dyn RowGroupReader,
    columns: &[Wanted],
    rows: usize,
) -> Result<(), Failure> {
    let mut readers = Vec::with_capacity(columns.len());
    for wanted in columns {
        let reader = group.get_column_reader(wanted.index);
        readers.push((*wanted, reader.map_err(|error| failed(table, &error))?));
    }
    let mut left = rows;
    while left > 0 {
        let n = table.room().min(left);
        for (wanted, reader) in &mut readers {
            table.builders[wanted.builder].reserve(n.min(1 << 20));
            read_column(table, *wanted, reader, n)?;
        }
        left -= n;
        table.end_rows(n)?;
    }
    Ok(())
}

fn failed(table: &mut Table<'_>, error: &ParquetError) -> Failure {
    let text = error.to_string();
    let why = text.split_once(": ").map_or(text.as_str(), |(_, why)| why);
    damaged(table, why).into()
}

fn meaning(column: &ColumnDescriptor) -> Result<Meaning, &'static str> {
    if column.path().parts().len() > 1 || column.max_rep_level() > 0 || column.max_def_level() > 1 {
        return Err("nested (a list, map or struct)");
    }
    let bytes = matches!(
        column.physical_type(),
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY
    );
    let per_second = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => 1_000,
        TimeUnit::MICROS => 1_000_000,
        TimeUnit::NANOS => 1_000_000_000,
    };
    match column.logical_type_ref() {
        Some(LogicalType::Decimal(_)) => return Ok(Meaning::Decimal(column.type_scale())),
        Some(LogicalType::Date) => return Ok(Meaning::Days),
        Some(LogicalType::Timestamp(timestamp)) => return Ok(Meaning::Time(per_second(&timestamp.unit))),
        Some(LogicalType::Integer(integer)) if !integer.is_signed => return Ok(Meaning::Unsigned),
        Some(LogicalType::String | LogicalType::Enum | LogicalType::Json) if bytes => return Ok(Meaning::Text),
        Some(LogicalType::Time(_)) => return Err("a time of day without a date"),
        Some(_) if bytes => return Err("binary"),
        Some(_) | None => {}
    }
    match column.converted_type() {
        ConvertedType::DECIMAL => Ok(Meaning::Decimal(column.type_scale())),
        ConvertedType::DATE => Ok(Meaning::Days),
        ConvertedType::TIMESTAMP_MILLIS => Ok(Meaning::Time(1_000)),
        ConvertedType::TIMESTAMP_MICROS => Ok(Meaning::Time(1_000_000)),
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64 => {
            Ok(Meaning::Unsigned)
        }
        ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => Err("a time of day without a date"),
        // Old writers leave texts unmarked; bytes that are not UTF-8 are refused when they are met.
        _ if column.physical_type() == Physical::BYTE_ARRAY => Ok(Meaning::Text),
        _ if bytes => Err("binary of a fixed length"),
        _ => Ok(Meaning::Plain),
    }
}

/// Reads the next `rows` values of a column.
fn read_column(table: &mut Table<'_>, wanted: Wanted, column: &mut ColumnReader, rows: usize) -> Result<(), Failure> {
    let Wanted { builder, meaning, .. } = wanted;
    let before = table.builders[builder].len();
    fill_column(table, builder, column, meaning, rows)?;
    if table.builders[builder].len() - before != rows {
        return Err(damaged(table, "a column has fewer values than there are rows").into());
    }
    Ok(())
}

fn fill_column(
    table: &mut Table<'_>,
    builder: usize,
    column: &mut ColumnReader,
    meaning: Meaning,
    rows: usize,
) -> Result<(), Failure> {
    let mut sink = Sink { table, builder, rows };
    let time = |count: f64| match meaning {
        Meaning::Days => Raw::Time(count * 86_400.0),
        Meaning::Time(unit) => Raw::Time(count / f64::from(unit)),
        Meaning::Plain | Meaning::Unsigned | Meaning::Text | Meaning::Decimal(_) => Raw::Decimal(count),
    };
    match column {
        ColumnReader::BoolColumnReader(reader) => sink.drain(reader, |value| Ok(Raw::Boolean(*value))),
        ColumnReader::Int32ColumnReader(reader) => sink.drain(reader, |value| {
            Ok(match meaning {
                Meaning::Plain | Meaning::Text => Raw::Integer((*value).into()),
                Meaning::Unsigned => Raw::Integer(value.cast_unsigned().into()),
                Meaning::Decimal(scale) => Raw::Decimal(decimal((*value).into(), scale)),
                Meaning::Days | Meaning::Time(_) => time((*value).into()),
            })
        }),
        ColumnReader::Int64ColumnReader(reader) => sink.drain(reader, |value| {
            Ok(match meaning {
                Meaning::Plain | Meaning::Text => Raw::Integer((*value).into()),
                Meaning::Unsigned => Raw::Integer(value.cast_unsigned().into()),
                Meaning::Decimal(scale) => Raw::Decimal(decimal((*value).into(), scale)),
                Meaning::Days => time(*value as f64),
                // Whole seconds apart from the rest, since nanoseconds since 1970 are beyond exact numbers.
                Meaning::Time(unit) => Raw::Time(seconds(*value, unit)),
            })
        }),
        ColumnReader::Int96ColumnReader(reader) => {
            sink.drain(reader, |value| Ok(Raw::Time(value.to_micros() as f64 / 1e6)))
        }
        ColumnReader::FloatColumnReader(reader) => sink.drain(reader, |value| Ok(Raw::Decimal((*value).into()))),
        ColumnReader::DoubleColumnReader(reader) => sink.drain(reader, |value| Ok(Raw::Decimal(*value))),
        ColumnReader::ByteArrayColumnReader(reader) => sink.drain(reader, |value| bytes(value.data(), meaning)),
        ColumnReader::FixedLenByteArrayColumnReader(reader) => sink.drain(reader, |value| bytes(value.data(), meaning)),
    }
}

fn seconds(count: i64, unit: i32) -> f64 {
    let unit = i64::from(unit);
    count.div_euclid(unit) as f64 + count.rem_euclid(unit) as f64 / unit as f64
}

fn decimal(unscaled: i128, scale: i32) -> f64 {
    // The decimal text is read back, which rounds once and correctly.
    format!("{unscaled}e{}", -scale).parse().unwrap_or(f64::NAN)
}

fn bytes(bytes: &[u8], meaning: Meaning) -> Result<Raw<'_>, &'static str> {
    match meaning {
        Meaning::Decimal(scale) => {
            if bytes.is_empty() || bytes.len() > 16 {
                return Err("a decimal has more than 38 digits");
            }
            let negative = bytes[0] >= 0x80;
            let fill = if negative { -1_i128 } else { 0 };
            let unscaled = bytes.iter().fold(fill, |value, byte| value << 8 | i128::from(*byte));
            Ok(Raw::Decimal(decimal(unscaled, scale)))
        }
        Meaning::Plain | Meaning::Unsigned | Meaning::Text | Meaning::Days | Meaning::Time(_) => {
            let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
            if text.len() > 1 << 20 {
                Err("a text is longer than 1 MiB")
            } else {
                Ok(Raw::Text(text))
            }
        }
    }
}

/// Where the values of one column go.
struct Sink<'t, 's> {
    table: &'t mut Table<'s>,
    builder: usize,
    rows: usize,
}

impl Sink<'_, '_> {
    fn drain<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        raw: impl Fn(&T::T) -> Result<Raw<'_>, &'static str>,
    ) -> Result<(), Failure> {
        let mut values: Vec<T::T> = Vec::with_capacity(BATCH);
        let mut levels: Vec<i16> = Vec::with_capacity(BATCH);
        let mut left = self.rows;
        while left > 0 {
            values.clear();
            levels.clear();
            let (records, _, _) = reader
                .read_records(BATCH.min(left), Some(&mut levels), None, &mut values)
                .map_err(|error| failed(self.table, &error))?;
            if records == 0 {
                break;
            }
            left = left.saturating_sub(records);
            let mut known = values.iter();
            for row in 0..records {
                let is_known = values.len() == records || levels.get(row).is_some_and(|level| *level == 1);
                let value = if is_known { known.next() } else { None };
                let raw = match value.map(&raw) {
                    None => Raw::Missing,
                    Some(Ok(raw)) => raw,
                    Some(Err(why)) => {
                        let name = short(&self.table.builders[self.builder].name);
                        return Err(damaged(self.table, &format!("in column `{name}` {why}")).into());
                    }
                };
                let line = (self.table.file_rows() + self.rows - left - records + row) as u64 + 1;
                self.table.push(self.builder, raw, || At::line(line));
            }
        }
        Ok(())
    }
}
