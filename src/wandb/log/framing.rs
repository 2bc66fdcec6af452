//! The file of an offline run: a header, then records in chunks that never cross a block of 32 KiB. Pure.

use super::LogError;

const HEADER: [u8; 7] = [b':', b'W', b'&', b'B', 0xE1, 0xBE, 0];
const BLOCK: usize = 32 * 1024;
/// CRC, length and type before each chunk.
const HEAD: usize = 7;
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;
/// Longer records are not read.
const MAX_RECORD: usize = 256 << 20;

/// Where in its block a file ends, which says how the next record is cut.
#[derive(Debug, Clone)]
pub struct Framing {
    used: usize,
}

impl Framing {
    /// With what the file begins with.
    pub fn begin() -> (Self, [u8; 7]) {
        (Self { used: HEADER.len() }, HEADER)
    }

    /// The record as the next bytes of the file.
    pub fn frame(&mut self, record: &[u8]) -> Vec<u8> {
        let (mut bytes, mut rest, mut is_first) = (Vec::with_capacity(record.len() + 2 * HEAD), record, true);
        loop {
            let mut left = BLOCK - self.used;
            if left < HEAD {
                bytes.extend(std::iter::repeat_n(0, left));
                (left, self.used) = (BLOCK, 0);
            }
            let (part, more) = rest.split_at(rest.len().min(left - HEAD));
            let kind = match (is_first, more.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            let length = u16::try_from(part.len()).expect("a part is shorter than a block");
            bytes.extend(crc(kind, part).to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.push(kind);
            bytes.extend(part);
            self.used = (self.used + HEAD + part.len()) % BLOCK;
            (rest, is_first) = (more, false);
            if rest.is_empty() {
                return bytes;
            }
        }
    }
}

/// The plain CRC-32 of zlib, over type and content.
fn crc(kind: u8, part: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(part);
    hasher.finalize()
}

/// The records of a file. What a writer that was killed left unfinished at its end is left out, and so are the zeros that
/// a power cut leaves there; anything else that is wrong is damage.
pub fn records(bytes: &[u8]) -> Result<Vec<Vec<u8>>, LogError> {
    if HEADER.starts_with(bytes) && bytes.len() < HEADER.len() {
        return Ok(Vec::new());
    }
    if !bytes.starts_with(&HEADER) {
        return Err(LogError("it does not begin as an offline run of W&B does".to_owned()));
    }
    let damaged = |at: usize, why: &str| Err(LogError(format!("it is damaged at byte {at}: {why}")));
    let (mut at, mut found) = (HEADER.len(), Vec::new());
    let mut open: Option<Vec<u8>> = None;
    loop {
        let mut left = BLOCK - at % BLOCK;
        if left < HEAD {
            at += left;
            left = BLOCK;
        }
        let Some(head) = bytes.get(at..at + HEAD) else {
            return Ok(found);
        };
        let expected = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let (length, kind) = (usize::from(u16::from_le_bytes([head[4], head[5]])), head[6]);
        if length > left - HEAD {
            return damaged(at, "a part is longer than its block");
        }
        let Some(part) = bytes.get(at + HEAD..at + HEAD + length) else {
            return Ok(found);
        };
        if crc(kind, part) != expected {
            let is_last = at + HEAD + length == bytes.len();
            return if is_last || bytes[at..].iter().all(|byte| *byte == 0) {
                Ok(found)
            } else {
                damaged(at, "a checksum does not fit")
            };
        }
        match (kind, open.take()) {
            (FULL, None) => found.push(part.to_vec()),
            (FIRST, None) => open = Some(part.to_vec()),
            (MIDDLE, Some(mut before)) if before.len() + part.len() <= MAX_RECORD => {
                before.extend(part);
                open = Some(before);
            }
            (LAST, Some(mut before)) if before.len() + part.len() <= MAX_RECORD => {
                before.extend(part);
                found.push(before);
            }
            _ => return damaged(at, "parts are in no order"),
        }
        at += HEAD + length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        let (mut framing, header) = Framing::begin();
        let mut bytes = header.to_vec();
        for record in records {
            bytes.extend(framing.frame(record));
        }
        bytes
    }

    fn of_size(n: usize) -> Vec<u8> {
        (0..n).map(|i| u8::try_from(i % 253).unwrap()).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat()
    }

    #[test]
    fn the_official_header_record_is_made_to_the_letter() {
        let record = b"\x08\x01\xaa\x01\x12\x0a\x10\x0a\x06\x30\x2e\x33\x31\x2e\x30\x12\x06\x30\x2e\x33\x31\x2e\x30";
        assert_eq!(
            hex(&file(&[record.to_vec()])),
            "3a572642e1be00a4f8a05a1700010801aa01120a100a06302e33312e301206302e33312e30"
        );
    }

    /// As the official writer does it, a chunk that fills the block to the last byte may be empty, and less room is zeros.
    #[test]
    fn the_end_of_a_block_is_as_the_official_writer_leaves_it() {
        for left in 0..10 {
            let first = of_size(BLOCK - HEADER.len() - HEAD - left);
            let second = vec![1; 5];
            let bytes = file(&[first.clone(), second.clone()]);
            let end = &bytes[BLOCK - left..BLOCK];
            if left < HEAD {
                assert!(end.iter().all(|byte| *byte == 0), "{left}");
                assert_eq!(bytes[BLOCK + 6], FULL);
            } else {
                assert_eq!(usize::from(end[4]), left - HEAD, "{left}");
                assert_eq!((end[6], bytes[BLOCK + 6]), (FIRST, LAST));
            }
            assert_eq!(records(&bytes).unwrap(), [first, second]);
        }
    }

    #[test]
    fn damage_in_the_middle_is_told_and_an_unfinished_end_is_not() {
        let all = [of_size(100), of_size(BLOCK), of_size(50)];
        let whole = file(&all);
        for at in [7, 10, 13, 20, BLOCK - 1, BLOCK, BLOCK + 6] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            let error = records(&bytes).unwrap_err().to_string();
            assert!(error.starts_with("it is damaged at byte "), "{at}: {error}");
        }
        let mut bytes = whole.clone();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(records(&bytes).unwrap(), all[..2]);
        let mut bytes = whole.clone();
        bytes.extend([0; 5000]);
        assert_eq!(records(&bytes).unwrap(), all);
        bytes.push(1);
        assert!(records(&bytes).is_err());
        assert!(records(b"nothing").is_err());
        assert!(records(b":W&B\xE1\xBE\x01").is_err());
    }

    #[test]
    fn parts_have_an_order() {
        let chunk = |kind: u8, part: &[u8]| {
            let mut bytes = crc(kind, part).to_le_bytes().to_vec();
            bytes.extend([u8::try_from(part.len()).unwrap(), 0, kind]);
            bytes.extend(part);
            bytes
        };
        for kinds in [&[MIDDLE][..], &[LAST], &[FIRST, FULL], &[FIRST, FIRST], &[0], &[9]] {
            let mut bytes = HEADER.to_vec();
            for kind in kinds {
                bytes.extend(chunk(*kind, b"x"));
            }
            assert!(records(&bytes).is_err(), "{kinds:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn records_of_any_size_come_back(sizes in prop::collection::vec(prop_oneof![
            0..20_usize, BLOCK - 40..BLOCK + 40, 2 * BLOCK - 40..2 * BLOCK + 40
        ], 0..6), cut in 0..200_000_usize) {
            let all: Vec<Vec<u8>> = sizes.into_iter().map(of_size).collect();
            let bytes = file(&all);
            prop_assert_eq!(&records(&bytes).unwrap(), &all);
            // What was whole before the cut is there, and nothing else.
            let cut = cut % (bytes.len() + 1);
            let n_whole = (0..=all.len()).rev().find(|n| file(&all[..*n]).len() <= cut).unwrap_or(0);
            prop_assert_eq!(&records(&bytes[..cut]).unwrap()[..], &all[..n_whole]);
        }

        #[test]
        fn no_bytes_are_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), is_log: bool) {
            if is_log && bytes.len() >= HEADER.len() {
                bytes[..HEADER.len()].copy_from_slice(&HEADER);
            }
            let _ = records(&bytes);
        }

        #[test]
        fn a_changed_byte_is_told_or_at_the_end(sizes in prop::collection::vec(0..300_usize, 1..6), at in 0..2000_usize, flip in 1..=255_u8) {
            let all: Vec<Vec<u8>> = sizes.into_iter().map(of_size).collect();
            let mut bytes = file(&all);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            if let Ok(found) = records(&bytes) {
                prop_assert_eq!(&found[..], &all[..found.len()]);
            }
        }
    }
}
