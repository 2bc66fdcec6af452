//! The object store: signed addresses, contents in memory or in temporary files, parts that become one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::state::State;

/// Larger contents are kept in temporary files.
const MAX_IN_MEMORY: usize = 8 << 20;

const SECRET: &str = "the secret of the twin's storage";

/// Contents, wherever they are.
#[derive(Debug, Clone)]
pub enum Content {
    Memory(Arc<Vec<u8>>),
    File(Arc<tempfile::NamedTempFile>),
}

#[derive(Debug, Clone)]
pub struct Object {
    pub content: Content,
    pub size: u64,
    /// In base64.
    pub md5: String,
    pub content_type: Option<String>,
}

/// A file that comes in parts.
#[derive(Debug, Clone)]
pub struct Multipart {
    pub path: String,
    pub content_type: Option<String>,
    /// The MD5 of each part in hexadecimal letters, by its number.
    pub wanted: BTreeMap<usize, String>,
    pub parts: BTreeMap<usize, Object>,
}

/// What a signed address allows to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permit {
    /// MD5 in base64.
    pub digest: Option<String>,
    pub content_type: Option<String>,
    /// The upload and the number of a part.
    pub part: Option<(String, usize)>,
}

impl Permit {
    pub fn of(digest: &str, content_type: &str) -> Self {
        Self {
            digest: Some(digest.to_owned()),
            content_type: Some(content_type.to_owned()),
            part: None,
        }
    }

    /// What has to be sent with it.
    pub fn headers(&self) -> Vec<String> {
        let digest = self.digest.iter().map(|text| format!("Content-MD5:{text}"));
        let kind = self.content_type.iter().map(|text| format!("Content-Type:{text}"));
        digest.chain(kind).collect()
    }
}

impl Content {
    pub fn bytes(&self) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => Ok(bytes.to_vec()),
            Self::File(file) => std::fs::read(file.path()),
        }
    }

    /// Some bytes from a place on.
    pub fn piece(&self, start: u64, length: usize) -> std::io::Result<Vec<u8>> {
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[start..start.saturating_add(length).min(bytes.len())].to_vec())
            }
            Self::File(file) => {
                let mut file = file.reopen()?;
                file.seek(SeekFrom::Start(start))?;
                let mut piece = Vec::new();
                file.take(length as u64).read_to_end(&mut piece)?;
                Ok(piece)
            }
        }
    }
}

impl Object {
    pub fn etag(&self) -> String {
        format!("\"{}\"", super::files::hex(&self.md5).unwrap_or_default())
    }
}

impl Multipart {
    /// All parts as one.
    pub fn whole(&self) -> std::io::Result<Object> {
        let mut taker = Taker::new();
        for part in self.parts.values() {
            let mut start = 0;
            while start < part.size {
                let piece = part.content.piece(start, MAX_IN_MEMORY)?;
                start += piece.len() as u64;
                taker.take(&piece)?;
            }
        }
        Ok(taker.object(self.content_type.clone()))
    }
}

/// Takes contents in pieces.
pub struct Taker {
    hasher: Md5,
    size: u64,
    memory: Vec<u8>,
    file: Option<tempfile::NamedTempFile>,
}

impl Taker {
    pub fn new() -> Self {
        Self {
            hasher: Md5::new(),
            size: 0,
            memory: Vec::new(),
            file: None,
        }
    }

    pub fn take(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.hasher.update(piece);
        self.size += piece.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(piece);
        }
        self.memory.extend_from_slice(piece);
        if self.memory.len() > MAX_IN_MEMORY {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        Ok(())
    }

    pub fn object(self, content_type: Option<String>) -> Object {
        let content = match self.file {
            Some(file) => Content::File(Arc::new(file)),
            None => Content::Memory(Arc::new(self.memory)),
        };
        Object {
            content,
            size: self.size,
            md5: STANDARD.encode(self.hasher.finalize()),
            content_type,
        }
    }
}

impl State {
    /// An address that allows one thing for a while.
    pub fn sign(&self, method: &str, path: &str, permit: &Permit) -> String {
        let expires = self.now_ms() / 1000 + self.signed_seconds;
        let mut url = format!("{}/storage", self.storage_url);
        for part in path.split('/') {
            write!(url, "/{}", encode(part)).expect("a text grows");
        }
        write!(url, "?expires={expires}").expect("a text grows");
        let mut add = |name: &str, text: &str| write!(url, "&{name}={}", encode(text)).expect("a text grows");
        if let Some(digest) = &permit.digest {
            add("md5", digest);
        }
        if let Some(kind) = &permit.content_type {
            add("type", kind);
        }
        if let Some((upload, number)) = &permit.part {
            add("uploadId", upload);
            add("partNumber", &number.to_string());
        }
        add("signature", &signature(method, path, permit, &expires.to_string()));
        url
    }

    /// What an address allows, when it is one of ours and not too old.
    pub fn permit(&self, method: &str, path: &str, query: &BTreeMap<String, String>) -> Option<Permit> {
        let text = |name: &str| query.get(name).cloned();
        let part = match (text("uploadId"), text("partNumber")) {
            (Some(upload), Some(number)) => Some((upload, number.parse().ok()?)),
            _ => None,
        };
        let permit = Permit {
            digest: text("md5"),
            content_type: text("type"),
            part,
        };
        let expires = text("expires")?;
        let is_signed = text("signature")? == signature(method, path, &permit, &expires);
        let is_in_time = expires.parse::<i64>().ok()? > self.now_ms() / 1000;
        (is_signed && is_in_time).then_some(permit)
    }

    /// Puts what was sent where it belongs.
    pub fn store(&mut self, path: &str, permit: &Permit, object: Object) {
        match &permit.part {
            Some((upload, number)) => {
                if let Some(begun) = self.multiparts.get_mut(upload) {
                    begun.parts.insert(*number, object);
                }
            }
            None => {
                self.objects.insert(path.to_owned(), object);
            }
        }
    }
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn signature(method: &str, path: &str, permit: &Permit, expires: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("{SECRET}\n{method}\n{path}\n{permit:?}\n{expires}"));
    format!("{:x}", hasher.finalize())
}
