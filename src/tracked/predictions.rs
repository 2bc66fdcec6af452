//! `predictions.csv` as a table, thinned to what people look at. Pure.

use csv_core::{ReadRecordResult, Reader};

use super::tables::{MAX_ROWS, name};
use super::text::{MAX_NAME, plain};
use crate::track::record::{Cell, Table};

/// The most cells: a table of many classes has fewer rows.
const MAX_CELLS: usize = 200_000;
/// The most classes whose probability is shown.
const MAX_CLASSES: usize = 100;
/// A line above this is none of ours.
const MAX_LINE_BYTES: usize = 1 << 20;
const MAX_FIELDS: usize = 2_000;

/// The rows that are shown, and of a regression what is left unexplained of each.
#[derive(Debug, PartialEq)]
pub struct Predicted {
    pub table: Table,
    /// Actual minus predicted.
    pub residuals: Vec<f64>,
}

/// Which field of the file each column is.
struct Layout {
    file: Option<usize>,
    line: Option<usize>,
    truth: usize,
    prediction: usize,
    probabilities: Vec<(usize, String)>,
    n_classes: usize,
}

/// `None` for what is not such a file.
///
/// Of too many rows as many as may be are taken evenly, the first and the last among them, since a file may be sorted.
pub fn read(csv: &[u8]) -> Option<Predicted> {
    let mut layout = None;
    let mut n_lines = 0_usize;
    each_line(csv, |fields| {
        if n_lines == 0 {
            layout = Layout::of(fields);
        }
        n_lines += 1;
    })?;
    let layout = layout?;
    let n_rows = n_lines - 1;
    let columns = layout.columns();
    let n_kept = n_rows.min(MAX_ROWS).min(MAX_CELLS / columns.len());
    let is_regression = layout.n_classes == 0;
    let (mut rows, mut residuals) = (Vec::with_capacity(n_kept), Vec::new());
    let mut at = 0;
    each_line(csv, |fields| {
        let is_heading = at == 0;
        if !is_heading && rows.len() < n_kept && at - 1 == place(rows.len(), n_kept, n_rows) {
            let cells = layout.cells(fields, is_regression);
            if let (true, [.., Cell::Number(actual), Cell::Number(predicted)]) = (is_regression, cells.as_slice()) {
                residuals.push(actual - predicted);
            }
            rows.push(cells);
        }
        at += 1;
    })?;
    residuals.retain(|residual| residual.is_finite());
    let note = match (n_kept < n_rows, layout.probabilities.len() < layout.n_classes) {
        (true, false) => Some(format!("{n_kept} of {n_rows} rows, evenly taken")),
        (true, true) => Some(format!(
            "{n_kept} of {n_rows} rows, evenly taken; the first {MAX_CLASSES} of {} classes",
            layout.n_classes
        )),
        (false, true) => Some(format!("the first {MAX_CLASSES} of {} classes", layout.n_classes)),
        (false, false) => None,
    };
    let table = Table {
        key: "predictions".to_owned(),
        columns,
        rows,
        note,
    };
    Some(Predicted { table, residuals })
}

/// The row that is the `index`th of `n_kept`, evenly over `n_rows`.
fn place(index: usize, n_kept: usize, n_rows: usize) -> usize {
    if n_kept < 2 {
        return 0;
    }
    index * (n_rows - 1) / (n_kept - 1)
}

impl Layout {
    fn of(heading: &[&str]) -> Option<Self> {
        let find = |name| heading.iter().position(|field| *field == name);
        let is_class = |(_, field): &(usize, &&str)| field.starts_with("p(") && field.ends_with(')');
        let mut probabilities: Vec<(usize, String)> = Vec::new();
        for (index, field) in heading.iter().enumerate().filter(is_class).take(MAX_CLASSES) {
            let name = plain(field, MAX_NAME - 6);
            // Long names may be one in what is shown of them.
            let is_taken = probabilities.iter().any(|(_, other)| *other == name);
            let name = if is_taken { format!("{name} {index}") } else { name };
            probabilities.push((index, name));
        }
        Some(Self {
            file: find("file"),
            line: find("line"),
            truth: find("truth")?,
            prediction: find("prediction")?,
            n_classes: heading.iter().enumerate().filter(is_class).count(),
            probabilities,
        })
    }

    fn columns(&self) -> Vec<String> {
        let places = [self.file.map(|_| "file"), self.line.map(|_| "line")];
        let probabilities = self.probabilities.iter().map(|(_, name)| name.clone());
        let columns = places.into_iter().flatten().chain(["actual", "predicted"]);
        columns.map(str::to_owned).chain(probabilities).collect()
    }

    fn cells(&self, fields: &[&str], is_regression: bool) -> Vec<Cell> {
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        // A class may look like a number, and stays the text that it is.
        let value = |index| {
            if is_regression {
                number(field(index))
            } else {
                name(field(index))
            }
        };
        let file = self.file.map(|index| name(field(index)));
        let line = self.line.map(|index| match field(index).parse() {
            Ok(line) => Cell::Whole(line),
            Err(_) => Cell::Missing,
        });
        let probabilities = self.probabilities.iter().map(|(index, _)| number(field(*index)));
        let places = file.into_iter().chain(line);
        places
            .chain([value(self.truth), value(self.prediction)])
            .chain(probabilities)
            .collect()
    }
}

fn number(text: &str) -> Cell {
    text.parse().map_or(Cell::Missing, Cell::Number)
}

/// Calls `visit` with the fields of each line; `None` if a line is beyond every bound.
fn each_line(csv: &[u8], mut visit: impl FnMut(&[&str])) -> Option<()> {
    let mut reader = Reader::new();
    let (mut text, mut ends) = (vec![0; 4 << 10], vec![0; 64]);
    let (mut n_text, mut n_ends) = (0, 0);
    let mut rest = csv;
    loop {
        let (result, n_read, n_written, n_ended) = reader.read_record(rest, &mut text[n_text..], &mut ends[n_ends..]);
        rest = rest.get(n_read..).unwrap_or_default();
        n_text += n_written;
        n_ends += n_ended;
        match result {
            // The end of the input is told by an empty one, which is the next.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull if text.len() < MAX_LINE_BYTES => text.resize(text.len() * 2, 0),
            ReadRecordResult::OutputEndsFull if ends.len() < MAX_FIELDS => ends.resize(ends.len() * 2, 0),
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return None,
            ReadRecordResult::End => return Some(()),
            ReadRecordResult::Record => {
                let mut begin = 0;
                let mut fields = Vec::with_capacity(n_ends);
                for &end in &ends[..n_ends] {
                    let field = text.get(begin..end).unwrap_or_default();
                    fields.push(std::str::from_utf8(field).unwrap_or("\u{fffd}"));
                    begin = end;
                }
                visit(&fields);
                (n_text, n_ends) = (0, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(n_rows: usize) -> String {
        let rows = (0..n_rows).map(|row| format!("d.csv,{},{row},{row}.5\n", row + 2));
        "file,line,truth,prediction\n".to_owned() + &rows.collect::<String>()
    }

    #[test]
    fn a_regression_has_numbers_and_residuals() {
        let found = read(b"file,line,truth,prediction\n\"a,b.csv\",2,151,150.25\nc.csv,3,NaN,inf\n").unwrap();
        assert_eq!(found.table.columns, ["file", "line", "actual", "predicted"]);
        assert_eq!(
            found.table.rows[0],
            [
                Cell::Text("a,b.csv".to_owned()),
                Cell::Whole(2),
                Cell::Number(151.0),
                Cell::Number(150.25)
            ]
        );
        assert!(matches!(found.table.rows[1][2..], [Cell::Number(a), Cell::Number(b)] if a.is_nan() && b > 1e300));
        assert_eq!(found.residuals, [0.75]);
        assert_eq!(found.table.note, None);
    }

    #[test]
    fn classes_stay_texts_beside_their_probabilities() {
        let text = "file,line,truth,prediction,p(0),\"p(a\"\"b)\"\nd.csv,2,0,\"a\"\"b\",0.25,0.75\n";
        let found = read(text.as_bytes()).unwrap();
        assert_eq!(found.table.columns[4..], ["p(0)", "p(a\"b)"]);
        assert_eq!(
            found.table.rows[0][2..],
            [
                Cell::Text("0".to_owned()),
                Cell::Text("a\"b".to_owned()),
                Cell::Number(0.25),
                Cell::Number(0.75)
            ]
        );
        assert!(found.residuals.is_empty());
    }

    #[test]
    fn long_classes_have_columns_of_their_own() {
        let long = "x".repeat(200);
        let text = format!("truth,prediction,p({long}1),p({long}2)\n0,0,0.5,0.5\n");
        let columns = read(text.as_bytes()).unwrap().table.columns;
        assert_eq!(columns.len(), 4);
        assert_ne!(columns[2], columns[3]);
        assert!(columns.iter().all(|column| column.chars().count() <= MAX_NAME));
    }

    #[test]
    fn too_many_rows_are_taken_evenly_with_both_ends() {
        let found = read(csv(25_000).as_bytes()).unwrap();
        assert_eq!(found.table.rows.len(), MAX_ROWS);
        assert_eq!(found.table.rows[0][1], Cell::Whole(2));
        assert_eq!(found.table.rows[1][1], Cell::Whole(4));
        assert_eq!(found.table.rows[MAX_ROWS - 1][1], Cell::Whole(25_001));
        assert_eq!(found.table.note.unwrap(), "10000 of 25000 rows, evenly taken");
        assert_eq!(found.residuals, vec![-0.5; MAX_ROWS]);
        assert_eq!(read(csv(MAX_ROWS).as_bytes()).unwrap().table.note, None);
    }

    #[test]
    fn many_classes_leave_fewer_rows() {
        let classes: Vec<String> = (0..300).map(|class| format!("p({class})")).collect();
        let classes = classes.join(",");
        let row = format!("d.csv,2,0,0{}\n", ",0.1".repeat(300));
        let text = format!("file,line,truth,prediction,{classes}\n{}", row.repeat(3_000));
        let found = read(text.as_bytes()).unwrap();
        assert_eq!(
            (found.table.columns.len(), found.table.rows.len()),
            (104, MAX_CELLS / 104)
        );
        assert_eq!(
            found.table.note.unwrap(),
            "1923 of 3000 rows, evenly taken; the first 100 of 300 classes"
        );
    }

    #[test]
    fn what_is_no_such_file_is_no_table() {
        for bytes in [
            &b""[..],
            b"\n",
            b"a,b\n1,2\n",
            b"truth\n1\n",
            &[0xff, 0xfe, 0],
            &vec![b','; 1 << 16],
            &vec![b'x'; 1 << 21],
        ] {
            assert_eq!(read(bytes), None);
        }
        let empty = read(b"truth,prediction").unwrap();
        assert_eq!((empty.table.rows.len(), empty.residuals.len()), (0, 0));
        // Bytes that are no text cost their fields, and nothing else.
        let broken = read(b"truth,prediction\n\xff,2\n3,4,5\n6\n").unwrap();
        assert_eq!(broken.table.rows.len(), 3);
        assert_eq!(broken.table.rows[1], [Cell::Number(3.0), Cell::Number(4.0)]);
        assert_eq!(broken.table.rows[2], [Cell::Number(6.0), Cell::Missing]);
    }
}
