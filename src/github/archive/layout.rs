//! The bytes of an archive, each of which must belong to exactly one thing. Pure.
//!
//! Source: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.9 (data descriptor), 4.3.12 (central directory), 4.3.16
//! (end of it). Readers that trust one table where another trusts the other are what hostile archives live on.

use std::collections::BTreeSet;

use super::{ArchiveError, printable};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const END_LENGTH: usize = 22;

/// What both tables say about an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub name: String,
    pub packed: u64,
    pub unpacked: u64,
}

/// A place in the bytes; reading past the end is an error.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], ArchiveError> {
        let end = self.at.checked_add(n).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(ArchiveError::Layout("it ends too early"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, ArchiveError> {
        let taken = self.take(2)?;
        Ok(u16::from_le_bytes([taken[0], taken[1]]))
    }

    fn u32(&mut self) -> Result<u32, ArchiveError> {
        let taken = self.take(4)?;
        Ok(u32::from_le_bytes([taken[0], taken[1], taken[2], taken[3]]))
    }

    fn expect(&mut self, signature: u32, why: &'static str) -> Result<(), ArchiveError> {
        if self.u32()? == signature {
            return Ok(());
        }
        Err(ArchiveError::Layout(why))
    }
}

/// What the local header and the central directory have in common, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Common {
    flags: u16,
    method: u16,
    crc: u32,
    packed: u32,
    unpacked: u32,
    name_length: u16,
    extra_length: u16,
}

impl Common {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ArchiveError> {
        // The version that is needed for extracting it.
        reader.u16()?;
        let flags = reader.u16()?;
        let method = reader.u16()?;
        // Time and day.
        reader.u32()?;
        Ok(Self {
            flags,
            method,
            crc: reader.u32()?,
            packed: reader.u32()?,
            unpacked: reader.u32()?,
            name_length: reader.u16()?,
            extra_length: reader.u16()?,
        })
    }
}

/// The heads of all entries, in the order of the central directory, which is that of the content.
pub(super) fn heads(bytes: &[u8], at_most: usize) -> Result<Vec<Head>, ArchiveError> {
    let end = bytes
        .len()
        .checked_sub(END_LENGTH)
        .ok_or(ArchiveError::Layout("it ends too early"))?;
    let mut reader = Reader { bytes, at: end };
    reader.expect(END, "its last bytes are not the end of a directory")?;
    let (disk, directory_disk) = (reader.u16()?, reader.u16()?);
    let (here, count) = (reader.u16()?, reader.u16()?);
    let (size, offset) = (reader.u32()? as usize, reader.u32()? as usize);
    if disk != 0 || directory_disk != 0 || here != count || reader.u16()? != 0 {
        return Err(ArchiveError::Layout("it is in several parts or has a comment"));
    }
    let count = usize::from(count);
    if count > at_most {
        return Err(ArchiveError::TooMany {
            found: count,
            limit: at_most,
        });
    }
    // Also keeps zip64 out, whose tables would be in between.
    if offset.checked_add(size) != Some(end) {
        return Err(ArchiveError::Layout("its directory is not where it says"));
    }
    let directory = Reader {
        bytes: &bytes[..end],
        at: offset,
    };
    let content = Reader {
        bytes: &bytes[..offset],
        at: 0,
    };
    entries(directory, content, count)
}

fn entries(mut directory: Reader<'_>, mut content: Reader<'_>, count: usize) -> Result<Vec<Head>, ArchiveError> {
    let mut heads = Vec::new();
    let mut names = BTreeSet::new();
    for _ in 0..count {
        directory.expect(CENTRAL, "its directory is shorter than it says")?;
        let made_by = directory.u16()?;
        let common = Common::read(&mut directory)?;
        let comment_length = directory.u16()?;
        let disk = directory.u16()?;
        directory.u16()?;
        let external = directory.u32()?;
        let offset = directory.u32()? as usize;
        let raw = directory.take(usize::from(common.name_length))?;
        let name = std::str::from_utf8(raw)
            .map_err(|_| ArchiveError::Layout("a name is not UTF-8"))?
            .to_owned();
        let shown = || printable(&name.chars().take(64).collect::<String>());
        let kind = |what| Err(ArchiveError::Kind { name: shown(), what });
        check_extra(directory.take(usize::from(common.extra_length))?)?;
        if comment_length != 0 || disk != 0 {
            return Err(ArchiveError::Layout("an entry has a comment or is elsewhere"));
        }
        // Bit 3: sizes behind the content; bit 11: the name is UTF-8; bits 1 and 2: how hard it was compressed.
        if common.flags & !0b1000_0000_1110 != 0 {
            return kind("encrypted or patched");
        }
        if !matches!(common.method, 0 | 8) {
            return kind("packed by a method that is not read");
        }
        if common.method == 0 && common.packed != common.unpacked {
            return kind("not packed and of two sizes");
        }
        // Written by a Unix, the upper half is the mode: nothing but an ordinary file will do.
        let file_type = (external >> 16) & 0o170_000;
        if made_by >> 8 == 3 && !matches!(file_type, 0 | 0o100_000) {
            return kind("a link, a directory or a device");
        }
        if external & 0x10 != 0 || name.ends_with('/') {
            return kind("a directory");
        }
        if offset != content.at {
            return Err(ArchiveError::Layout("entries overlap or leave gaps"));
        }
        local(&mut content, common, raw)?;
        if !names.insert(name.clone()) {
            return Err(ArchiveError::Duplicate { name: shown() });
        }
        heads.push(Head {
            name,
            packed: u64::from(common.packed),
            unpacked: u64::from(common.unpacked),
        });
    }
    if directory.at != directory.bytes.len() || content.at != content.bytes.len() {
        return Err(ArchiveError::Layout("there is more in it than entries"));
    }
    Ok(heads)
}

/// The local header must say what the directory says; the content and its descriptor are passed over.
fn local(content: &mut Reader<'_>, common: Common, name: &[u8]) -> Result<(), ArchiveError> {
    const CONTRADICTION: ArchiveError = ArchiveError::Layout("its tables contradict each other");
    content.expect(LOCAL, "an entry is not where its directory says")?;
    let here = Common::read(content)?;
    let is_streamed = common.flags & 0b1000 != 0;
    let same = Common {
        extra_length: here.extra_length,
        ..common
    };
    // Sizes that were not known yet when the header was written.
    let unknown = Common {
        crc: 0,
        packed: 0,
        unpacked: 0,
        ..same
    };
    if here != same && !(is_streamed && here == unknown) {
        return Err(CONTRADICTION);
    }
    if content.take(name.len())? != name {
        return Err(CONTRADICTION);
    }
    check_extra(content.take(usize::from(here.extra_length))?)?;
    content.take(common.packed as usize)?;
    if is_streamed {
        let first = content.u32()?;
        // The signature may be left out.
        let crc = if first == DESCRIPTOR { content.u32()? } else { first };
        if (crc, content.u32()?, content.u32()?) != (common.crc, common.packed, common.unpacked) {
            return Err(CONTRADICTION);
        }
    }
    Ok(())
}

/// Extra fields are passed over, but for those that change what the rest means: zip64, another name, encryption.
fn check_extra(extra: &[u8]) -> Result<(), ArchiveError> {
    let mut reader = Reader { bytes: extra, at: 0 };
    while reader.at < extra.len() {
        let id = reader.u16()?;
        let length = reader.u16()?;
        reader.take(usize::from(length))?;
        if matches!(id, 0x0001 | 0x7075 | 0x6375 | 0x0017 | 0x9901) {
            return Err(ArchiveError::Layout("an entry has a field that is not read"));
        }
    }
    Ok(())
}
