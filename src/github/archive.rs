//! Zip archives: written so that equal content has equal bytes, and read as if whoever made them meant harm. Pure.
//!
//! Reading goes to memory only and in two steps: the layout must be the plain one that every ordinary writer makes, each
//! byte belonging to exactly one entry or table, both tables saying the same; only then is anything unpacked, each entry
//! to its declared size and not a byte further.

mod layout;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Smaller content may have any ratio: a page of blanks is no bomb.
const SMALL: u64 = 64 << 10;

/// Why an archive is not read, or not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("this is not a zip archive of the plain kind: {0}")]
    Layout(&'static str),
    #[error("the archive has {bytes} bytes; the limit is {limit}")]
    TooLarge { bytes: u64, limit: u64 },
    #[error("the archive has {found} entries; the limit is {limit}")]
    TooMany { found: usize, limit: usize },
    #[error("the archive unpacks to {bytes} bytes; the limit is {limit}")]
    Unpacked { bytes: u64, limit: u64 },
    #[error("`{name}` is packed {ratio} times smaller than it is; the limit is {limit}")]
    Ratio { name: String, ratio: u64, limit: u64 },
    #[error("`{name}` can not be the name of a file here")]
    Name { name: String },
    #[error("nobody expects `{name}` in this archive")]
    Unexpected { name: String },
    #[error("`{name}` is in the archive twice")]
    Duplicate { name: String },
    #[error("`{name}` is {what}")]
    Kind { name: String, what: &'static str },
    #[error("`{name}` is damaged: {why}")]
    Damaged { name: String, why: String },
    #[error("the archive could not be written: {0}")]
    Write(String),
}

/// How much an archive of somebody else's may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub packed_bytes: u64,
    /// Of all entries together.
    pub unpacked_bytes: u64,
    pub entries: usize,
    /// How many times smaller an entry may be packed.
    pub ratio: u64,
}

/// Letters, digits, `-`, `_` and `.`, at most 128, not beginning with a dot: a file's name everywhere, and no path.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Packs files by their names: sorted, of 1980, readable by everybody, the same bytes for the same content.
pub fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, ArchiveError> {
    let failed = |error: &dyn std::fmt::Display| ArchiveError::Write(error.to_string());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        if !is_plain(name) {
            return Err(ArchiveError::Name { name: shown(name) });
        }
        let options = SimpleFileOptions::default()
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o644);
        let options = if is_compressed(name) {
            options.compression_method(CompressionMethod::Stored)
        } else {
            options
                .compression_method(CompressionMethod::Deflated)
                .compression_level(Some(6))
        };
        writer
            .start_file(name.as_str(), options)
            .map_err(|error| failed(&error))?;
        writer.write_all(content).map_err(|error| failed(&error))?;
    }
    Ok(writer.finish().map_err(|error| failed(&error))?.into_inner())
}

/// Whether packing would only cost time.
fn is_compressed(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| {
        matches!(
            extension,
            "png" | "jpg" | "jpeg" | "webp" | "gz" | "zst" | "zip" | "xz" | "parquet" | "safetensors"
        )
    })
}

/// The files of an archive, all of whose names `is_expected` knows.
///
/// # Errors
/// Whatever is not plain: paths, links, directories, encryption, duplicates, other methods, zip64, gaps and overlaps,
/// tables that contradict each other, content that is not what was declared, and anything beyond `limits`.
pub fn unpack(
    bytes: &[u8],
    limits: Limits,
    is_expected: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    if bytes.len() as u64 > limits.packed_bytes {
        return Err(ArchiveError::TooLarge {
            bytes: bytes.len() as u64,
            limit: limits.packed_bytes,
        });
    }
    let heads = layout::heads(bytes, limits.entries)?;
    let mut total = 0_u64;
    for head in &heads {
        if !is_plain(&head.name) {
            return Err(ArchiveError::Name {
                name: shown(&head.name),
            });
        }
        if !is_expected(&head.name) {
            return Err(ArchiveError::Unexpected {
                name: head.name.clone(),
            });
        }
        let ratio = head.unpacked / head.packed.max(1);
        if head.unpacked > SMALL && ratio > limits.ratio {
            return Err(ArchiveError::Ratio {
                name: head.name.clone(),
                ratio,
                limit: limits.ratio,
            });
        }
        total += head.unpacked;
        if total > limits.unpacked_bytes {
            return Err(ArchiveError::Unpacked {
                bytes: total,
                limit: limits.unpacked_bytes,
            });
        }
    }
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|_| ArchiveError::Layout("its tables can not be read"))?;
    if archive.len() != heads.len() {
        return Err(ArchiveError::Layout("its tables contradict each other"));
    }
    let mut files = BTreeMap::new();
    for (index, head) in heads.into_iter().enumerate() {
        let content = content(&mut archive, index, &head)?;
        if files.insert(head.name.clone(), content).is_some() {
            return Err(ArchiveError::Duplicate { name: head.name });
        }
    }
    Ok(files)
}

/// One entry, to its declared size; reading to the end compares the check sum.
fn content(
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    head: &layout::Head,
) -> Result<Vec<u8>, ArchiveError> {
    let damaged = |why: String| ArchiveError::Damaged {
        name: head.name.clone(),
        why,
    };
    let entry = archive
        .by_index(index)
        .map_err(|error| damaged(printable(&error.to_string())))?;
    if entry.name() != head.name {
        return Err(damaged("its tables contradict each other".to_owned()));
    }
    // Grown as it comes: what is declared is not yet there.
    let mut content = Vec::new();
    entry
        .take(head.unpacked + 1)
        .read_to_end(&mut content)
        .map_err(|error| damaged(printable(&error.to_string())))?;
    if content.len() as u64 != head.unpacked {
        return Err(damaged(format!("it is not the {} bytes that it says", head.unpacked)));
    }
    Ok(content)
}

fn shown(name: &str) -> String {
    printable(&name.chars().take(64).collect::<String>())
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(200)
        .collect()
}
