//! The records of a CSV file with the exact place of every field. `csv-core` reads the format; this keeps the bytes of
//! the present record, counts lines, bounds memory and notices what the format machine accepts in silence.

use std::io::Read;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// A record may be no longer than this; longer ones are an open quote.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// Why there is no next record.
#[derive(Debug)]
pub enum RecordError {
    Io(std::io::Error),
    /// The record that begins at this line, whose quote is still open at the end of the file.
    OpenQuote {
        line: u64,
    },
    TooLong {
        line: u64,
    },
}

pub struct Records<R> {
    source: R,
    core: Reader,
    delimiter: u8,
    input: Vec<u8>,
    /// First byte of the present record, next byte to read, end of the bytes.
    start: usize,
    next: usize,
    end: usize,
    at_end: bool,
    /// The decoded fields, one after the other, and the end of each.
    output: Vec<u8>,
    ends: Vec<usize>,
    n_ends: usize,
    /// Line of the present record's start, and newlines before it that the format machine never saw.
    line: u64,
    skipped: u64,
    offset: u64,
}

/// One record; fields are decoded.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
    raw: &'a [u8],
    delimiter: u8,
    pub line: u64,
}

impl<R: Read> Records<R> {
    /// `head` is what was already taken from the source, without a byte order mark.
    pub fn new(source: R, head: Vec<u8>, delimiter: u8) -> Self {
        let end = head.len();
        let mut input = head;
        input.resize(end.max(256 << 10), 0);
        Self {
            source,
            core: ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            input,
            start: 0,
            next: 0,
            end,
            at_end: false,
            output: vec![0; 4096],
            ends: vec![0; 64],
            n_ends: 0,
            line: 1,
            skipped: 0,
            offset: 0,
        }
    }

    /// Bytes of the file before the end of the present record.
    pub fn position(&self) -> u64 {
        self.offset + self.next as u64
    }

    /// The next record that is not an empty line.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, RecordError> {
        loop {
            match self.input[self.next..self.end].first() {
                Some(b'\n') => {
                    self.skipped += 1;
                    self.next += 1;
                }
                Some(b'\r') => self.next += 1,
                Some(_) => break,
                None if self.at_end => return Ok(None),
                None => {
                    self.start = self.next;
                    self.refill()?;
                }
            }
        }
        self.start = self.next;
        self.line = self.core.line() + self.skipped;
        let (mut n_bytes, mut n_ends) = (0, 0);
        loop {
            // The end of the file ends a record as a line does, unless a quote is open.
            let last = self.at_end && self.next == self.end;
            let input = if last { b"\n" } else { &self.input[self.next..self.end] };
            let (result, read, wrote, ended) =
                self.core
                    .read_record(input, &mut self.output[n_bytes..], &mut self.ends[n_ends..]);
            if !last {
                self.next += read;
            }
            n_bytes += wrote;
            n_ends += ended;
            match result {
                ReadRecordResult::OutputFull => {
                    let size = self.output.len() * 2;
                    self.output.resize(size, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    let size = self.ends.len() * 2;
                    self.ends.resize(size, 0);
                }
                ReadRecordResult::InputEmpty if last => return Err(RecordError::OpenQuote { line: self.line }),
                ReadRecordResult::InputEmpty => self.refill()?,
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        self.n_ends = n_ends;
        Ok(Some(self.record()))
    }

    /// The record that [`Self::next`] returned last.
    pub fn record(&self) -> Record<'_> {
        let ends = &self.ends[..self.n_ends];
        Record {
            bytes: &self.output[..ends.last().copied().unwrap_or(0)],
            ends,
            raw: &self.input[self.start..self.next],
            delimiter: self.delimiter,
            line: self.line,
        }
    }

    /// Reads more behind the present record.
    fn refill(&mut self) -> Result<(), RecordError> {
        if self.start > 0 {
            self.input.copy_within(self.start..self.end, 0);
            self.offset += self.start as u64;
            self.next -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.input.len() {
            if self.end >= MAX_RECORD_BYTES {
                return Err(RecordError::TooLong { line: self.line });
            }
            self.input.resize(self.end * 2, 0);
        }
        loop {
            match self.source.read(&mut self.input[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(n) => self.end += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RecordError::Io(error)),
            }
            return Ok(());
        }
    }
}

impl<'a> Record<'a> {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Every field's text; `None` when the record is not UTF-8, see [`Self::first_invalid`].
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes).ok()
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub fn range(&self, index: usize) -> std::ops::Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }

    pub fn field(&self, index: usize) -> &'a [u8] {
        &self.bytes[self.range(index)]
    }

    /// The first field for which this holds.
    pub fn find(&self, holds: impl Fn(&[u8]) -> bool) -> Option<usize> {
        (0..self.len()).find(|&index| holds(self.field(index)))
    }

    /// Where a field stands: line, column of its first character and one past its last on that line, and that line.
    pub fn place(&self, index: usize) -> (u64, u32, u32, String) {
        let (start, end) = self.raw_range(index);
        let before = &self.raw[..start];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let newlines = before.split(|byte| *byte == b'\n').count() as u64 - 1;
        let rest = &self.raw[line_start..];
        let line_length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..line_length];
        let count = |bytes: &[u8]| u32::try_from(String::from_utf8_lossy(bytes).chars().count()).unwrap_or(u32::MAX);
        let column = count(&self.raw[line_start..start]).saturating_add(1);
        let shown_end = end.min(line_start + line_length);
        let width = count(&self.raw[start..shown_end.max(start)]);
        let shown: Vec<u8> = line.iter().copied().take(4096).collect();
        (
            self.line + newlines,
            column,
            column.saturating_add(width),
            String::from_utf8_lossy(&shown).into_owned(),
        )
    }

    /// Byte range of a field in the raw record, quotes included.
    fn raw_range(&self, index: usize) -> (usize, usize) {
        let (mut start, mut field, mut at) = (0, 0, 0);
        let mut quoted = false;
        while at < self.raw.len() {
            let byte = self.raw[at];
            if byte == b'"' && (quoted || at == start) {
                quoted = !quoted;
                // A doubled quote inside opens again at once, and is not the field's start.
                if !quoted && self.raw.get(at + 1) == Some(&b'"') {
                    quoted = true;
                    at += 1;
                }
            } else if !quoted && (byte == self.delimiter || byte == b'\n') {
                if field == index {
                    break;
                }
                field += 1;
                start = at + 1;
            }
            at += 1;
        }
        let end = if self.raw[..at].ends_with(b"\r") { at - 1 } else { at };
        (start.min(end), end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, RecordError> {
        let mut records = Records::new(bytes, Vec::new(), b',');
        let mut found = Vec::new();
        while let Some(record) = records.next()? {
            found.push((0..record.len()).map(|index| record.field(index).to_vec()).collect());
        }
        Ok(found)
    }

    fn places(text: &str) -> Vec<String> {
        let mut records = Records::new(text.as_bytes(), Vec::new(), b',');
        let mut found = Vec::new();
        while let Some(record) = records.next().unwrap() {
            for index in 0..record.len() {
                let (line, column, end, _) = record.place(index);
                found.push(format!("{line}:{column}-{end}"));
            }
        }
        found
    }

    #[test]
    fn fields_know_their_place() {
        let expected = ["1:1-2", "1:3-4", "4:1-7", "4:8-9", "5:1-3", "6:4-5"];
        assert_eq!(places("a,b\n\n\n\"x,\"\"\",2\n\"y\nz\",3\n"), expected);
        assert_eq!(
            places("a,b\r\n\r\n\r\n\"x,\"\"\",2\r\n\"yé\nz\",3"),
            ["1:1-2", "1:3-4", "4:1-7", "4:8-9", "5:1-4", "6:4-5"]
        );
    }

    #[test]
    fn an_open_quote_is_noticed() {
        assert!(matches!(
            all(b"a,b\n1,\"x\n2,y\n"),
            Err(RecordError::OpenQuote { line: 2 })
        ));
        assert!(matches!(all(b"a,b\n1,\"x\""), Ok(found) if found.len() == 2));
    }

    proptest! {
        /// Oracle: the `csv` crate. It takes an open quote in silence, so only what both read is compared.
        #[test]
        fn reads_as_the_csv_crate_does(bytes in prop::collection::vec(prop::sample::select(b"ab,\"\n\r".to_vec()), 0..60)) {
            if let Ok(found) = all(&bytes) {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
                let expected: Vec<Vec<Vec<u8>>> = reader
                    .byte_records()
                    .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
                    .collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
