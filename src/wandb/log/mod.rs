//! The offline log of a run, as the official client writes and reads it. Pure.

mod framing;
pub mod records;

use prost::Message as _;

use records::{Header, Item, Kind, Record, Versions};

/// The client whose format this is; a newer one would be told that it is old.
const CLIENT: &str = "0.31.0";

/// Why a log can not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LogError(String);

/// A log that grows. What it holds is whole at any time.
#[derive(Debug, Clone)]
pub struct Log {
    writer: framing::Writer,
    n_records: i64,
}

impl Log {
    /// Begins with who writes it.
    pub fn new() -> Self {
        let mut log = Self {
            writer: framing::Writer::default(),
            n_records: 0,
        };
        log.push(Kind::Header(Header {
            versions: Some(Versions {
                producer: CLIENT.to_owned(),
                min_consumer: CLIENT.to_owned(),
            }),
        }));
        log
    }

    pub fn push(&mut self, kind: Kind) {
        self.n_records += 1;
        let record = Record {
            num: self.n_records,
            kind: Some(kind),
        };
        self.writer.push(&record.encode_to_vec());
    }

    pub fn bytes(&self) -> &[u8] {
        self.writer.bytes()
    }
}

/// One value by its name.
pub fn item(name: &str, value_json: String) -> Item {
    Item {
        key: name.to_owned(),
        nested_key: Vec::new(),
        value_json,
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

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use super::*;

    fn golden(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/fixtures/wandb/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn logs_of_another_writer_are_read_and_written_again_to_the_letter() {
        for name in ["hand-minimal.wandb", "hand-multiblock.wandb"] {
            let bytes = golden(name);
            let kinds = read(&bytes).unwrap();
            assert!(
                matches!(kinds[1], Kind::Run(_)) && matches!(kinds.last(), Some(Kind::Exit(_))),
                "{name}"
            );
            let mut log = Log::new();
            kinds[1..].iter().for_each(|kind| log.push(kind.clone()));
            assert_eq!(log.bytes().len(), bytes.len(), "{name}");
            assert!(log.bytes() == bytes, "{name}");
        }
    }

    #[test]
    fn a_log_that_was_cut_off_has_what_came_before() {
        let bytes = golden("hand-multiblock.wandb");
        let all = read(&bytes).unwrap();
        for cut in (7..bytes.len()).step_by(997) {
            let kinds = read(&bytes[..cut]).unwrap();
            assert_eq!(kinds[..], all[..kinds.len()]);
        }
    }
}
