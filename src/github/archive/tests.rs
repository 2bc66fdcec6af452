//! Archives that are lies, and thousands that nearly are not.

use super::*;
use crate::stats::Rng;

const LIMITS: Limits = Limits {
    packed_bytes: 1 << 20,
    unpacked_bytes: 4 << 20,
    entries: 8,
    ratio: 200,
};

fn files() -> BTreeMap<String, Vec<u8>> {
    let rows: Vec<String> = (0..800)
        .map(|i| format!("{{\"row\": {i}, \"value\": {}}}", i * i % 977))
        .collect();
    let noise: Vec<u8> = (0..3000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .collect();
    BTreeMap::from([
        ("mlops-facts.json".to_owned(), rows.join("\n").into_bytes()),
        ("plot.png".to_owned(), noise),
        ("z-empty.txt".to_owned(), Vec::new()),
    ])
}

fn is_expected(name: &str) -> bool {
    ["mlops-facts.json", "plot.png", "z-empty.txt"].contains(&name)
}

fn read(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    unpack(bytes, LIMITS, is_expected)
}

/// A file by the zip crate's own writer, for what ours does not write.
fn written(fill: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut writer);
    writer.finish().unwrap().into_inner()
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

#[test]
fn what_is_packed_is_read_back_and_has_the_same_bytes_every_time() {
    let packed = pack(&files()).unwrap();
    assert_eq!(packed, pack(&files()).unwrap());
    assert_eq!(read(&packed).unwrap(), files());
    assert!(packed.len() < 15_000, "text is compressed: {}", packed.len());
    assert_eq!(read(&pack(&BTreeMap::new()).unwrap()).unwrap(), BTreeMap::new());
    for name in ["", "a/b", "../x", ".hidden", "a b", "ä", &"x".repeat(129)] {
        let files = BTreeMap::from([(name.to_owned(), Vec::new())]);
        assert!(matches!(pack(&files), Err(ArchiveError::Name { .. })), "{name}");
    }
}

#[test]
fn an_archive_that_was_streamed_is_read_too() {
    let mut writer = ZipWriter::new_stream(Vec::new());
    writer.start_file("mlops-facts.json", deflated()).unwrap();
    writer.write_all(b"{\"a\": 1}").unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert_eq!(read(&bytes).unwrap()["mlops-facts.json"], b"{\"a\": 1}");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "../mlops-facts.json",
        "/etc/passwd",
        "a/mlops-facts.json",
        "..",
        "C:\\x",
        "\u{202e}x",
        "x\ny",
    ] {
        let bytes = written(|writer| writer.start_file(name, deflated()).unwrap());
        assert!(matches!(read(&bytes), Err(ArchiveError::Name { .. })), "{name}");
    }
    let bytes = written(|writer| writer.start_file("other.json", deflated()).unwrap());
    assert!(matches!(read(&bytes), Err(ArchiveError::Unexpected { .. })));
    let bytes = written(|writer| {
        writer
            .add_symlink("plot.png", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
    });
    assert!(matches!(read(&bytes), Err(ArchiveError::Kind { .. })));
    let bytes = written(|writer| writer.add_directory("plot.png", SimpleFileOptions::default()).unwrap());
    assert!(matches!(read(&bytes), Err(ArchiveError::Kind { .. })));
}

#[test]
fn more_than_the_limits_is_refused_before_it_is_unpacked() {
    let zeros = |n: usize| {
        written(|writer| {
            writer.start_file("plot.png", deflated()).unwrap();
            writer.write_all(&vec![0; n]).unwrap();
        })
    };
    assert!(matches!(read(&zeros(1 << 20)), Err(ArchiveError::Ratio { .. })));
    assert!(read(&zeros(60_000)).is_ok(), "small content may be monotonous");
    let wide = Limits { ratio: 2000, ..LIMITS };
    let huge = zeros(6 << 20);
    assert!(matches!(
        unpack(&huge, wide, is_expected),
        Err(ArchiveError::Unpacked { .. })
    ));
    assert!(matches!(read(&vec![0; 2 << 20]), Err(ArchiveError::TooLarge { .. })));
    let many: BTreeMap<String, Vec<u8>> = (0..9).map(|i| (format!("f{i}"), Vec::new())).collect();
    assert!(matches!(read(&pack(&many).unwrap()), Err(ArchiveError::TooMany { .. })));
}

#[test]
fn headers_that_lie_about_the_size_do_not_make_it_unpack_more() {
    let mut bytes = written(|writer| {
        writer.start_file("plot.png", deflated()).unwrap();
        writer.write_all(&vec![0; 3 << 20]).unwrap();
    });
    // Both tables say that it unpacks to 100 bytes.
    let directory = position(&bytes, b"PK\x01\x02");
    bytes[22..26].copy_from_slice(&100_u32.to_le_bytes());
    bytes[directory + 24..directory + 28].copy_from_slice(&100_u32.to_le_bytes());
    assert!(matches!(read(&bytes), Err(ArchiveError::Damaged { .. })));
    // And that it unpacks to more than there is.
    bytes[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    bytes[directory + 24..directory + 28].copy_from_slice(&60_000_u32.to_le_bytes());
    assert!(matches!(read(&bytes), Err(ArchiveError::Damaged { .. })));
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[test]
fn entries_can_not_be_listed_twice_overlap_or_hide() {
    let one = pack(&BTreeMap::from([("plot.png".to_owned(), vec![7; 100])])).unwrap();
    let directory = position(&one, b"PK\x01\x02");
    let end = one.len() - 22;
    let entry = one[directory..end].to_vec();
    let with_end = |mut bytes: Vec<u8>, count: u16, size: usize, offset: usize| {
        let mut tail = one[end..].to_vec();
        tail[8..10].copy_from_slice(&count.to_le_bytes());
        tail[10..12].copy_from_slice(&count.to_le_bytes());
        tail[12..16].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        tail[16..20].copy_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
        bytes.extend(tail);
        bytes
    };
    // The same content listed twice.
    let twice = [&one[..end], &entry].concat();
    assert!(matches!(
        read(&with_end(twice, 2, entry.len() * 2, directory)),
        Err(ArchiveError::Layout("entries overlap or leave gaps"))
    ));
    // Two entries of one name, each with its content.
    let mut second = entry.clone();
    second[42..46].copy_from_slice(&u32::try_from(directory).unwrap().to_le_bytes());
    let both = [&one[..directory], &one[..directory], &entry, &second].concat();
    assert!(matches!(
        read(&with_end(both, 2, entry.len() * 2, directory * 2)),
        Err(ArchiveError::Duplicate { .. })
    ));
    // Something before the first entry, between content and directory, and behind the end.
    let before = [b"#!/bin/sh\n", &one[..]].concat();
    let between = [&one[..directory], b"hidden", &entry].concat();
    let behind = [&one[..], b"x"].concat();
    for bytes in [before, with_end(between, 1, entry.len(), directory + 6), behind] {
        assert!(matches!(read(&bytes), Err(ArchiveError::Layout(_))));
    }
    // An end that says zip64, and one that says there is less than there is.
    let mut zip64 = one.clone();
    zip64[end + 8..end + 20].fill(0xff);
    assert!(read(&zip64).is_err());
    let mut fewer = pack(&files()).unwrap();
    let at = fewer.len() - 22;
    fewer[at + 8] = 2;
    fewer[at + 10] = 2;
    assert!(matches!(read(&fewer), Err(ArchiveError::Layout(_))));
}

/// One mutation after another, some of them on top of each other: refused, or the same content.
#[test]
fn no_mutation_panics_or_changes_what_is_read() {
    let original = pack(&files()).unwrap();
    let signatures: Vec<usize> = (0..original.len() - 4)
        .filter(|at| original[*at..].starts_with(b"PK"))
        .collect();
    let mut dice = Rng::new(20_261_125);
    let (mut refused, mut read_all_the_same) = (0, 0);
    for _ in 0..4000 {
        let mut bytes = original.clone();
        for _ in 0..=dice.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = dice.below(bytes.len());
            match dice.below(7) {
                0 => bytes[at] ^= 1 << dice.below(8),
                1 => bytes.truncate(at),
                2 => drop(bytes.drain(..at.min(64))),
                // A field of a header.
                3 | 4 => {
                    let at = signatures[dice.below(signatures.len())] + 4 + dice.below(46);
                    let value = [0, 1, 2, 8, 9, 0x7f, 0x80, 0xff][dice.below(8)];
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
                // A piece twice.
                5 => {
                    let piece = bytes[at..(at + dice.below(200)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
                // A whole table entry twice, or in another one's place.
                _ => {
                    let from = signatures[dice.below(signatures.len())].min(bytes.len());
                    let piece = bytes[from..(from + 60).min(bytes.len())].to_vec();
                    let to = signatures[dice.below(signatures.len())].min(bytes.len());
                    bytes.splice(to..(to + dice.below(2) * piece.len()).min(bytes.len()), piece);
                }
            }
        }
        match read(&bytes) {
            Ok(found) => {
                assert_eq!(found, files());
                read_all_the_same += 1;
            }
            Err(error) => {
                assert!(error.to_string().is_ascii());
                refused += 1;
            }
        }
    }
    // Times, versions and permissions mean nothing here; everything else is seen.
    assert!(
        refused > 3000 && read_all_the_same > 20,
        "{refused} {read_all_the_same}"
    );
}
