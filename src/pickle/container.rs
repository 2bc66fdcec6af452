//! What a file is by its content, and the walks over whatever pickles are in it. Pure.

use std::io::{Cursor, Read};

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use zip::ZipArchive;

use super::judge::verdict;
use super::scan::{Broken, Found, Loader, Why, is_name, stream};
use super::{Format, Global, Limits, Packing, PickleError, Report};
use crate::base::{clean, counted};

/// The first stream of what torch wrote before it wrote archives: a number of its own.
const TORCH_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
const MAX_SHOWN: usize = 160;
/// Looked at of each entry of an archive, to see whether a stream begins there.
const HEAD: usize = 2;

/// Takes a file apart: what it names, calls and holds. Nothing of it is imported, called or made.
///
/// # Errors
/// Content that no loader of pickles takes, and files beyond `limits.size_bytes`. Whatever a loader takes and we can not
/// follow to its end is no error but suspicious.
pub fn disassemble(bytes: &[u8], limits: &Limits) -> Result<Report, PickleError> {
    if bytes.len() > limits.size_bytes {
        return Err(PickleError::TooLarge {
            size_bytes: bytes.len(),
            limit: limits.size_bytes,
        });
    }
    let mut file = File::new(*limits);
    let Some(packing) = packing(bytes) else {
        file.unpacked(bytes)?;
        return Ok(file.report(None));
    };
    let unpacked = match packing {
        Packing::Zlib => zlib(bytes, limits.unpacked_bytes),
        Packing::Gzip => bounded(MultiGzDecoder::new(bytes), limits.unpacked_bytes),
        Packing::Bz2 | Packing::Xz | Packing::Lzma | Packing::Lz4 => Err(format!(
            "it is packed by {}, which can not be looked into; pack it by zlib or gzip",
            name_of(packing)
        )),
    };
    match unpacked {
        Ok(unpacked) => file.unpacked(&unpacked)?,
        Err(why) => file.found.suspect(why),
    }
    Ok(file.report(Some(packing)))
}

fn name_of(packing: Packing) -> &'static str {
    match packing {
        Packing::Zlib => "zlib",
        Packing::Gzip => "gzip",
        Packing::Bz2 => "bz2",
        Packing::Xz => "xz",
        Packing::Lzma => "lzma",
        Packing::Lz4 => "lz4",
    }
}

/// By the beginnings that joblib tells them by. None of them begins a pickle that loads.
fn packing(bytes: &[u8]) -> Option<Packing> {
    match bytes {
        [0x78, second, ..] if (0x7800 + u16::from(*second)) % 31 == 0 => Some(Packing::Zlib),
        [0x1f, 0x8b, ..] => Some(Packing::Gzip),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Packing::Bz2),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Packing::Xz),
        [0x5d, 0, 0, ..] => Some(Packing::Lzma),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Packing::Lz4),
        _ => None,
    }
}

/// Everything that comes out, grown as it comes, if that is not too much.
fn bounded(reader: impl Read, limit: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut reader = reader.take(limit as u64 + 1);
    reader
        .read_to_end(&mut out)
        .map_err(|error| format!("it does not unpack: {}", clean(&error.to_string(), MAX_SHOWN)))?;
    if out.len() > limit {
        return Err(format!("it unpacks to more than {limit} bytes"));
    }
    Ok(out)
}

/// joblib goes on with the next packed part where one ends.
fn zlib(bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut decoder = ZlibDecoder::new(rest);
        let part = bounded(&mut decoder, limit - out.len())?;
        let n_taken = usize::try_from(decoder.total_in()).unwrap_or(usize::MAX);
        out.extend(part);
        rest = match rest.get(n_taken..) {
            Some(after) if n_taken > 0 => after,
            _ => break,
        };
    }
    Ok(out)
}

struct File {
    limits: Limits,
    format: Format,
    found: Found,
    n_streams: usize,
    findings: Vec<String>,
    unpacked_bytes: usize,
}

impl File {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            format: Format::Pickle,
            found: Found::default(),
            n_streams: 0,
            findings: Vec::new(),
            unpacked_bytes: 0,
        }
    }

    fn unpacked(&mut self, bytes: &[u8]) -> Result<(), PickleError> {
        if bytes.starts_with(b"PK\x03\x04") {
            self.archive(bytes)
        } else if bytes.starts_with(b"\x93NUMPY") {
            self.format = Format::Npy;
            self.npy(bytes);
            Ok(())
        } else {
            self.streams(bytes)
        }
    }

    /// One stream after the other, and what lies behind them.
    fn streams(&mut self, bytes: &[u8]) -> Result<(), PickleError> {
        if bytes.starts_with(TORCH_MAGIC) {
            self.format = Format::TorchLegacy;
        }
        let mut first = Found::after(&self.found);
        let ended = stream(bytes, 0, Loader::Joblib, &self.limits, &mut first);
        first.n_opcodes -= self.found.n_opcodes;
        let is_pickle = ended.is_ok() || first.globals.iter().any(is_name) || is_headed(bytes);
        if !is_pickle {
            return Err(PickleError::NotAPickle);
        }
        let n_arrays = first.n_arrays;
        self.take(first, ended);
        if n_arrays > 0 {
            self.format = Format::Joblib;
        }
        if n_arrays > 0 || ended.is_err_and(|broken| broken.why == Why::Array) {
            self.read_by_pickle(bytes);
        }
        let Ok(mut at) = ended else { return Ok(()) };
        while at < bytes.len() {
            if self.n_streams == self.limits.n_parts {
                self.found
                    .suspect(format!("it holds more than {} pickles", self.limits.n_parts));
                return Ok(());
            }
            let mut next = Found::after(&self.found);
            let ended = stream(bytes, at, Loader::Joblib, &self.limits, &mut next);
            next.n_opcodes -= self.found.n_opcodes;
            let is_stream = match ended {
                Ok(_) => true,
                Err(_) => is_headed(&bytes[at..]) || next.globals.iter().any(is_name),
            };
            if !is_stream {
                break;
            }
            self.take(next, ended);
            match ended {
                Ok(end) => at = end,
                Err(_) => return Ok(()),
            }
        }
        if at < bytes.len() {
            let n_bytes = bytes.len() - at;
            self.note(format!("{} behind its last pickle", counted(n_bytes, "byte")));
        }
        if self.n_streams > 1 && self.format == Format::Pickle {
            self.note(format!(
                "it holds {} pickles, of which most loaders read the first",
                self.n_streams
            ));
        }
        Ok(())
    }

    /// `pickle` takes for opcodes what joblib takes for an array: what a file says to both of them counts.
    fn read_by_pickle(&mut self, bytes: &[u8]) {
        let mut otherwise = Found::default();
        // How that ends is of no interest: it ends at the first array of every honest file.
        let _ = stream(bytes, 0, Loader::Pickle, &self.limits, &mut otherwise);
        let hidden: Vec<_> = otherwise
            .globals
            .into_iter()
            .filter(|global| is_name(global) && !self.found.has(global))
            .collect();
        if !hidden.is_empty() {
            self.found
                .suspect("its arrays are also opcodes, to whoever loads it without joblib".to_owned());
        }
        for (module, name) in hidden {
            self.found.global(&module, &name);
        }
    }

    fn take(&mut self, found: Found, ended: Result<usize, Broken>) {
        self.n_streams += 1;
        self.found.join(found);
        let Err(Broken { at, why }) = ended else {
            return;
        };
        self.found.suspect(match why {
            Why::Unknown(code) => {
                format!("byte {at} is no opcode ({code:#04x}); what lies before it is loaded all the same")
            }
            Why::Truncated => {
                format!("it ends in the middle of what begins at byte {at}; what lies before is loaded all the same")
            }
            Why::Array => format!("the array at byte {at} can not be followed"),
            Why::Limit => format!("it goes on beyond byte {at}, which is more than is looked at"),
        });
    }

    /// The header is text; an array of objects is a pickle behind it.
    fn npy(&mut self, bytes: &[u8]) {
        let header: Option<(usize, usize)> = match bytes.get(6) {
            Some(1) => bytes
                .get(8..10)
                .map(|n| (10, usize::from(u16::from_le_bytes([n[0], n[1]])))),
            Some(2 | 3) => bytes.get(8..12).and_then(|n| {
                let n = u32::from_le_bytes([n[0], n[1], n[2], n[3]]);
                Some((12, usize::try_from(n).ok()?))
            }),
            _ => None,
        };
        let text = header.and_then(|(start, n)| Some((bytes.get(start..start.checked_add(n)?)?, start + n)));
        let Some((text, end)) = text else {
            self.found.suspect("its header is not one of numpy's".to_owned());
            return;
        };
        // A kind with objects in it has an `O` in its description; no other part of a header has one.
        let has_objects = text.contains(&b'O');
        self.note(format!(
            "an array {}",
            if has_objects {
                "of objects, which is a pickle"
            } else {
                "of plain numbers or texts"
            }
        ));
        if !has_objects {
            return;
        }
        let mut found = Found::after(&self.found);
        let ended = stream(bytes, end, Loader::Pickle, &self.limits, &mut found);
        found.n_opcodes -= self.found.n_opcodes;
        self.take(found, ended);
    }

    /// Every entry that looks like a pickle by its name or its first bytes, each in memory alone.
    fn archive(&mut self, bytes: &[u8]) -> Result<(), PickleError> {
        self.format = Format::Torch;
        let mut archive = match ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(error) => {
                let why = clean(&error.to_string(), MAX_SHOWN);
                self.found
                    .suspect(format!("it is an archive that can not be read: {why}"));
                return Ok(());
            }
        };
        if archive.len() > self.limits.n_parts {
            self.found.suspect(format!("it has {} entries", archive.len()));
            return Ok(());
        }
        let (mut n_pickles, mut n_arrays) = (0, 0);
        for index in 0..archive.len() {
            match self.entry(&mut archive, index) {
                Ok(Entry::Pickle) => n_pickles += 1,
                Ok(Entry::Array) => n_arrays += 1,
                Ok(Entry::Other) => {}
                Err(why) => self.found.suspect(why),
            }
        }
        if n_arrays > 0 && n_pickles == 0 {
            self.format = Format::Npz;
        }
        // An archive of something else is nobody's model here, unless something in it could not be read.
        if n_pickles + n_arrays == 0 && self.found.suspicions.is_empty() {
            return Err(PickleError::NotAPickle);
        }
        Ok(())
    }

    fn entry(&mut self, archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize) -> Result<Entry, String> {
        let damaged = |name: &str, error: &dyn std::fmt::Display| {
            format!(
                "its entry `{name}` can not be read: {}",
                clean(&error.to_string(), MAX_SHOWN)
            )
        };
        let mut entry = archive
            .by_index(index)
            .map_err(|error| damaged(&index.to_string(), &error))?;
        let name = clean(entry.name(), MAX_SHOWN);
        let mut head = Vec::new();
        entry
            .by_ref()
            .take(HEAD as u64)
            .read_to_end(&mut head)
            .map_err(|error| damaged(&name, &error))?;
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is_array = head.starts_with(b"\x93N");
        let is_named = matches!(extension, "pkl" | "pickle" | "joblib");
        if !is_array && !is_named && !is_headed(&head) {
            return Ok(Entry::Other);
        }
        let left = self.limits.unpacked_bytes - self.unpacked_bytes;
        let mut content = head;
        let unpacked =
            bounded(&mut entry, left.saturating_sub(content.len())).map_err(|why| format!("`{name}`: {why}"))?;
        content.extend(unpacked);
        self.unpacked_bytes = (self.unpacked_bytes + content.len()).min(self.limits.unpacked_bytes);
        if is_array {
            self.npy(&content);
            return Ok(Entry::Array);
        }
        if !is_named && !self.is_stream(&content) {
            return Ok(Entry::Other);
        }
        match self.streams(&content) {
            Ok(()) => Ok(Entry::Pickle),
            Err(_) => Ok(Entry::Other),
        }
    }

    /// Whether a walk comes to an end or to a name: a storage of numbers may begin as a pickle does.
    fn is_stream(&self, bytes: &[u8]) -> bool {
        let mut found = Found::default();
        let ended = stream(bytes, 0, Loader::Joblib, &self.limits, &mut found);
        ended.is_ok() || found.globals.iter().any(is_name)
    }

    fn note(&mut self, text: String) {
        if self.findings.len() < 32 && !self.findings.contains(&text) {
            self.findings.push(text);
        }
    }

    fn report(mut self, packing: Option<Packing>) -> Report {
        let is_torch = matches!(self.format, Format::Torch | Format::TorchLegacy);
        if self.found.n_persistent > 0 && !is_torch {
            self.note("it asks its loader for objects that are kept elsewhere".to_owned());
        }
        if self.found.protocol > 5 {
            self.note(format!("its protocol {} is none that is known", self.found.protocol));
        }
        let globals = self.found.globals.iter().map(|(module, name)| Global {
            module: clean(module, MAX_SHOWN),
            name: clean(name, MAX_SHOWN),
        });
        Report {
            format: self.format,
            packing,
            protocol: self.found.protocol,
            n_streams: self.n_streams,
            n_arrays: self.found.n_arrays,
            globals: globals.collect(),
            n_calls: self.found.n_calls,
            verdict: verdict(&self.found),
            findings: self.findings,
        }
    }
}

enum Entry {
    Pickle,
    Array,
    Other,
}

/// Whether it begins as every stream since protocol 2 does.
fn is_headed(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}
