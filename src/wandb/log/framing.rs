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

/// A file that grows by records.
#[derive(Debug, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { bytes: HEADER.to_vec() }
    }
}

impl Writer {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn push(&mut self, record: &[u8]) {
        let (mut rest, mut is_first) = (record, true);
        loop {
            let mut left = BLOCK - self.bytes.len() % BLOCK;
            if left < HEAD {
                self.bytes.extend(std::iter::repeat_n(0, left));
                left = BLOCK;
            }
            let (part, more) = rest.split_at(rest.len().min(left - HEAD));
            let kind = match (is_first, more.is_empty()) {
                (true, true) => FULL,
                (true, false) => FIRST,
                (false, false) => MIDDLE,
                (false, true) => LAST,
            };
            let length = u16::try_from(part.len()).expect("a part is shorter than a block");
            self.bytes.extend(crc(kind, part).to_le_bytes());
            self.bytes.extend(length.to_le_bytes());
            self.bytes.push(kind);
            self.bytes.extend(part);
            (rest, is_first) = (more, false);
            if rest.is_empty() {
                return;
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

/// The records of a file. What a writer that was killed left unfinished at its end is left out.
pub fn records(bytes: &[u8]) -> Result<Vec<Vec<u8>>, LogError> {
    if bytes.len() < HEADER.len() || bytes[..HEADER.len()] != HEADER {
        return Err(LogError("it does not begin as an offline run of W&B does".to_owned()));
    }
    let damaged = |at: usize, why: &str| Err(LogError(format!("it is damaged at byte {at}: {why}")));
    let (mut at, mut found) = (HEADER.len(), Vec::new());
    let mut open: Option<Vec<u8>> = None;
    loop {
        let left = BLOCK - at % BLOCK;
        if left < HEAD {
            at += left;
        }
        let Some(head) = bytes.get(at..at + HEAD) else {
            return Ok(found);
        };
        let expected = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let (length, kind) = (usize::from(u16::from_le_bytes([head[4], head[5]])), head[6]);
        let from = at + HEAD;
        if length > BLOCK - from % BLOCK && !from.is_multiple_of(BLOCK) {
            return damaged(at, "a part is longer than its block");
        }
        let Some(part) = bytes.get(from..from + length) else {
            return Ok(found);
        };
        if crc(kind, part) != expected {
            // The last one may have been written in half.
            return if from + length == bytes.len() {
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
        at = from + length;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_official_header_record_is_made_to_the_letter() {
        let mut writer = Writer::default();
        writer.push(b"\x08\x01\xaa\x01\x12\x0a\x10\x0a\x06\x30\x2e\x33\x31\x2e\x30\x12\x06\x30\x2e\x33\x31\x2e\x30");
        let hex: Vec<String> = writer.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex.concat(),
            "3a572642e1be00a4f8a05a1700010801aa01120a100a06302e33312e301206302e33312e30"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn records_of_any_size_come_back(sizes in prop::collection::vec(prop_oneof![
            0..20_usize, BLOCK - 40..BLOCK + 40, 2 * BLOCK - 40..2 * BLOCK + 40
        ], 0..6), cut in 0..200_000_usize) {
            let mut writer = Writer::default();
            let all: Vec<Vec<u8>> = sizes.iter().map(|&n| (0..n).map(|i| u8::try_from(i % 253).unwrap()).collect()).collect();
            for record in &all {
                writer.push(record);
            }
            prop_assert_eq!(&records(writer.bytes()).unwrap(), &all);
            let cut = HEADER.len() + cut % (writer.bytes().len() - HEADER.len() + 1);
            let whole = records(&writer.bytes()[..cut]).unwrap();
            prop_assert_eq!(&whole[..], &all[..whole.len()]);
        }

        #[test]
        fn no_bytes_are_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), is_log: bool) {
            if is_log && bytes.len() >= HEADER.len() {
                bytes[..HEADER.len()].copy_from_slice(&HEADER);
            }
            let _ = records(&bytes);
        }
    }

    #[test]
    fn damage_in_the_middle_is_told() {
        let mut writer = Writer::default();
        writer.push(&[7; 100]);
        writer.push(&[8; 100]);
        let mut bytes = writer.bytes().to_vec();
        bytes[20] ^= 1;
        assert!(records(&bytes).unwrap_err().to_string().contains("damaged at byte 7"));
        assert!(records(b"nothing").is_err());
    }
}
