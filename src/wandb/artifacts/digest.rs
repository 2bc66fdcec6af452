//! Digests as W&B makes them: MD5 of files and of lists of files, and the names that clients give. Reads files, else pure.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;
use sha2::Sha256;

use crate::base::Digest;
use crate::sys;
use crate::wandb::error::WandbError;

/// How much of a file is held at once.
const PIECE: usize = 256 << 10;
/// How many characters a client's name of an artifact has.
const CLIENT_ID: usize = 128;

/// An MD5 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5([u8; 16]);

impl Md5 {
    pub fn of(bytes: &[u8]) -> Self {
        Self(md5::Md5::digest(bytes).into())
    }

    /// As manifests and headers have it.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            out.extend([byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0')));
            out
        })
}

/// What a pass over a content tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    pub size_bytes: u64,
    pub md5: Md5,
    pub sha256: Digest,
    /// Of each part, if it was asked for.
    pub parts: Vec<Md5>,
}

/// All digests of a content, fed in pieces. With `part_bytes` those of its parts too.
#[derive(Debug)]
pub(super) struct Digester {
    size_bytes: u64,
    md5: md5::Md5,
    sha256: Sha256,
    part_bytes: Option<u64>,
    part: md5::Md5,
    /// How much the unfinished part may still take.
    left: u64,
    parts: Vec<Md5>,
}

impl Digester {
    pub fn new(part_bytes: Option<u64>) -> Self {
        let part_bytes = part_bytes.map(|bytes| bytes.max(1));
        Self {
            size_bytes: 0,
            md5: md5::Md5::new(),
            sha256: Sha256::new(),
            part_bytes,
            part: md5::Md5::new(),
            left: part_bytes.unwrap_or(0),
            parts: Vec::new(),
        }
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        self.size_bytes += bytes.len() as u64;
        self.md5.update(bytes);
        self.sha256.update(bytes);
        let Some(part_bytes) = self.part_bytes else { return };
        while !bytes.is_empty() {
            let n_bytes = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(n_bytes);
            self.part.update(now);
            self.left -= n_bytes as u64;
            bytes = later;
            if self.left == 0 {
                self.parts.push(Md5(self.part.finalize_reset().into()));
                self.left = part_bytes;
            }
        }
    }

    pub fn finish(mut self) -> FileDigest {
        if self.part_bytes.is_some_and(|part_bytes| self.left < part_bytes) {
            self.parts.push(Md5(self.part.finalize().into()));
        }
        FileDigest {
            size_bytes: self.size_bytes,
            md5: Md5(self.md5.finalize().into()),
            sha256: Digest::from_bytes(self.sha256.finalize().into()),
            parts: self.parts,
        }
    }
}

/// The digests of whatever can be read, in one pass.
pub(super) fn digest_of(mut content: impl Read, part_bytes: Option<u64>) -> io::Result<FileDigest> {
    let mut digester = Digester::new(part_bytes);
    let mut piece = vec![0; PIECE];
    loop {
        match content.read(&mut piece) {
            Ok(0) => return Ok(digester.finish()),
            Ok(n_bytes) => digester.update(&piece[..n_bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The digests of a file, in one pass. `part_bytes` tells by its size how large its parts are, if it has any.
pub fn file_digest(path: &Path, part_bytes: impl Fn(u64) -> Option<u64>) -> Result<FileDigest, WandbError> {
    let unreadable = |why: String| WandbError::File { why };
    let file = sys::open(path).map_err(|error| unreadable(error.to_string()))?;
    let fail = |error: io::Error| unreadable(format!("could not read `{}`: {error}", path.display()));
    let claimed = file.metadata().map_err(fail)?.len();
    digest_of(file, part_bytes(claimed)).map_err(fail)
}

/// The digest of a list of files, by which W&B finds an artifact again: hexadecimal digits. Sizes and metadata do not
/// belong to it.
pub(super) fn artifact_digest<'a>(entries: &BTreeMap<&'a str, &'a str>) -> String {
    let mut hasher = md5::Md5::new();
    hasher.update(b"wandb-artifact-manifest-v1\n");
    // Texts are in the order of their bytes, as W&B wants it.
    for (path, digest) in entries {
        hasher.update(format!("{path}:{digest}\n"));
    }
    hex(&hasher.finalize())
}

/// The names by which an artifact and its collection are known before W&B has given them ids. Made of what they are, so
/// that a job that runs again names them the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIds {
    pub artifact: String,
    pub sequence: String,
}

impl ClientIds {
    /// `place` is where the artifact comes from: entity, project, run.
    pub fn of(place: &[&str], name: &str, digest: &str) -> Self {
        let with = |more: &[&str]| {
            let parts: Vec<&[u8]> = place.iter().chain(more).map(|part| part.as_bytes()).collect();
            characters(&parts)
        };
        Self {
            artifact: with(&["artifact", name, digest]),
            sequence: with(&["sequence", name]),
        }
    }
}

/// 128 characters of `0-9a-z`, all alike, out of SHA-256 of the parts and a count.
fn characters(parts: &[&[u8]]) -> String {
    const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let seed = Digest::of_parts(parts.iter().copied()).hex();
    let mut out = String::with_capacity(CLIENT_ID);
    for count in 0u64.. {
        let block = Sha256::digest(format!("{seed} {count}"));
        // 252 is the largest multiple of 36 in a byte.
        let letters = block.iter().filter(|&&byte| byte < 252);
        out.extend(letters.map(|byte| char::from(LETTERS[usize::from(byte % 36)])));
        if out.len() >= CLIENT_ID {
            break;
        }
    }
    out.truncate(CLIENT_ID);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_digests_of_md5sum_and_base64() {
        for (content, base64, hex) in [
            ("", "1B2M2Y8AsgTpgAmY7PhCfg==", "d41d8cd98f00b204e9800998ecf8427e"),
            ("hello", "XUFAKrxLKna5cZ2REBfFkg==", "5d41402abc4b2a76b9719d911017c592"),
        ] {
            let md5 = Md5::of(content.as_bytes());
            assert_eq!((md5.base64().as_str(), md5.hex().as_str()), (base64, hex));
            assert_eq!(Md5::from_base64(base64), Some(md5));
        }
        for wrong in ["", "XUFAKrxLKna5cZ2REBfFkg", "XUFAKrxLKna5cZ2REBfFkg==\n", "AAAA", "§"] {
            assert_eq!(Md5::from_base64(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn lists_have_the_digests_that_the_sdk_gives_them() {
        let of = |entries: &[(&'static str, &'static str)]| artifact_digest(&entries.iter().copied().collect());
        assert_eq!(of(&[]), "64e7c61456b10382e2f3b571ac24b659");
        assert_eq!(
            of(&[("m.bin", "XUFAKrxLKna5cZ2REBfFkg==")]),
            "67f0be03e0118880f39da0f2030ff28c"
        );
        assert_eq!(
            of(&[
                ("b.txt", "XUFAKrxLKna5cZ2REBfFkg=="),
                ("a/z.txt", "1B2M2Y8AsgTpgAmY7PhCfg=="),
            ]),
            "64ce300d5346b8beb8a8af7e34bdfb5b"
        );
        assert_eq!(
            of(&[
                ("x.csv", "https://example.invalid/x.csv"),
                ("d.json", "U6pQWHWHLWHOi9FjhUFX4Q=="),
            ]),
            "257ba547308cc57eabb0d03889d9bdc4"
        );
    }

    #[test]
    fn parts_are_those_of_the_content_however_it_comes() {
        let content: Vec<u8> = (0..1000u32).flat_map(u32::to_le_bytes).collect();
        let parts = |part_bytes: usize| -> Vec<Md5> { content.chunks(part_bytes).map(Md5::of).collect() };
        for part_bytes in [1, 7, 1000, 3999, 4000, 4001] {
            for piece in [1, 13, 4000] {
                let mut digester = Digester::new(Some(part_bytes as u64));
                content.chunks(piece).for_each(|piece| digester.update(piece));
                let found = digester.finish();
                assert_eq!(found.parts, parts(part_bytes), "{part_bytes} {piece}");
                assert_eq!((found.md5, found.size_bytes), (Md5::of(&content), 4000));
                assert_eq!(found.sha256, Digest::of(&content));
            }
        }
        assert!(digest_of(&content[..], None).unwrap().parts.is_empty());
        assert!(digest_of(io::empty(), Some(5)).unwrap().parts.is_empty());
    }

    #[test]
    fn files_are_read_in_pieces_with_their_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let content = vec![7; PIECE + 1];
        sys::write_atomic(&path, &content).unwrap();
        let found = file_digest(&path, |size| (size == content.len() as u64).then_some(PIECE as u64)).unwrap();
        assert_eq!(found.md5, Md5::of(&content));
        assert_eq!(found.parts.len(), 2);
        let missing = file_digest(&dir.path().join("b"), |_| None).unwrap_err();
        assert!(missing.to_string().contains("b`"), "{missing}");
    }

    #[test]
    fn names_of_clients_are_the_same_for_the_same() {
        let of = |place: &[&str], name, digest| ClientIds::of(place, name, digest);
        let one = of(&["acme", "diabetes", "r"], "model", "d1");
        assert_eq!(one, of(&["acme", "diabetes", "r"], "model", "d1"));
        for id in [&one.artifact, &one.sequence] {
            assert_eq!(id.len(), 128);
            assert!(
                id.bytes()
                    .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
            );
        }
        assert_ne!(one.artifact, one.sequence);
        let other = of(&["acme", "diabetes", "r"], "model", "d2");
        assert_ne!(one.artifact, other.artifact);
        assert_eq!(one.sequence, other.sequence, "of one collection");
        assert_ne!(one, of(&["acme", "diabetesr", ""], "model", "d1"));
        // Made by Python: hashlib over the same bytes.
        assert_eq!(&one.artifact[..12], "inungcb618b4");
    }
}
