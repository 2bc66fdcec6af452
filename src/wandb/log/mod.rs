//! The offline log of a run, as the official client writes and reads it.

mod framing;
pub mod records;
#[cfg(test)]
mod tests;
mod told;
mod tree;

use std::io::{self, Write};

use prost::Message as _;

use framing::Framing;
use records::{Header, Item, Kind, Record, Versions};

pub use told::Told;

/// The client whose format this is; a newer one would be told that it is old.
const CLIENT: &str = "0.31.0";

/// Why a log can not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LogError(String);

/// A log that grows. Each record is one write, so that whoever is killed leaves whole records, and at most a part of one
/// behind them.
#[derive(Debug)]
pub struct Log<W> {
    out: W,
    framing: Framing,
    n_records: i64,
    /// Behind a record in half no other would be read.
    is_broken: bool,
}

impl<W: Write> Log<W> {
    /// Begins with who writes it.
    pub fn begin(mut out: W) -> io::Result<Self> {
        let (framing, header) = Framing::begin();
        out.write_all(&header)?;
        let mut log = Self {
            out,
            framing,
            n_records: 0,
            is_broken: false,
        };
        log.push(Kind::Header(Header {
            versions: Some(Versions {
                producer: CLIENT.to_owned(),
                min_consumer: CLIENT.to_owned(),
            }),
        }))?;
        Ok(log)
    }

    pub fn push(&mut self, kind: Kind) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("a record before this one could not be written"));
        }
        self.n_records += 1;
        let record = Record {
            num: self.n_records,
            kind: Some(kind),
        };
        let bytes = self.framing.frame(&record.encode_to_vec());
        let written = self.out.write_all(&bytes);
        self.is_broken = written.is_err();
        written
    }

    /// What it is written to.
    pub fn out(&self) -> &W {
        &self.out
    }
}

/// One value by its name.
pub fn item(name: &str, value_json: String) -> Item {
    Item {
        key: name.to_owned(),
        value_json,
        ..Item::default()
    }
}

/// Every record that is known here, in order; those of other kinds are left out.
pub fn read(bytes: &[u8]) -> Result<Vec<Kind>, LogError> {
    let mut kinds = Vec::new();
    for (position, bytes) in framing::records(bytes)?.iter().enumerate() {
        let record = Record::decode(bytes.as_slice())
            .map_err(|error| LogError(format!("its record {} can not be read: {error}", position + 1)))?;
        kinds.extend(record.kind);
    }
    Ok(kinds)
}
