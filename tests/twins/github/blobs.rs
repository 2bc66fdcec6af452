//! The blob store behind artifacts and caches: signed addresses, blocks, ranges, as Azure has them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::server::{Reply, Request, encode};
use super::state::State;

/// What the path of every blob begins with.
pub const CONTAINER: &str = "/devstoreaccount1/actions-results/";

#[derive(Debug, Clone, Default)]
pub struct Blob {
    pub bytes: Vec<u8>,
    pub content_type: String,
    /// Blocks that no list has named yet.
    pub blocks: BTreeMap<String, Vec<u8>>,
    pub is_committed: bool,
}

impl Blob {
    pub fn whole(bytes: &[u8], content_type: &str) -> Self {
        Self {
            bytes: bytes.to_vec(),
            content_type: content_type.to_owned(),
            blocks: BTreeMap::new(),
            is_committed: true,
        }
    }
}

fn signature(blob: &str, permission: &str, disposition: &str) -> String {
    STANDARD.encode(Sha256::digest(format!(
        "the key of the twin\n{blob}\n{permission}\n{disposition}"
    )))
}

/// An address that allows to write a blob.
pub fn sign_upload(url: &str, blob: &str) -> String {
    sign(url, blob, "cw", "")
}

/// An address that allows to read a blob, which comes with the name of a file.
pub fn sign_download(url: &str, blob: &str, file: &str) -> String {
    sign(url, blob, "r", &format!("attachment; filename=\"{file}\""))
}

fn sign(url: &str, blob: &str, permission: &str, disposition: &str) -> String {
    let signature = encode(&signature(blob, permission, disposition));
    let rscd = if disposition.is_empty() {
        String::new()
    } else {
        format!("&rscd={}", encode(disposition))
    };
    format!(
        "{url}{CONTAINER}{blob}?sv=2025-11-05&sr=b&sp={permission}&se=2099-01-01T00%3A00%3A00Z{rscd}&sig={signature}"
    )
}

fn refuse(status: u16, code: &str) -> Reply {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
    );
    let headers = [("content-type", "application/xml"), ("x-ms-error-code", code)];
    let headers = headers.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Reply {
        status,
        headers: headers.into(),
        body: Value::Null,
        bytes: Some(text.into_bytes()),
    }
}

fn done(status: u16, bytes: Vec<u8>) -> Reply {
    let headers = [
        ("etag", "\"0x8D\""),
        ("last-modified", "Mon, 23 Nov 2026 10:00:00 GMT"),
        ("x-ms-request-id", "00000000-0000-0000-0000-000000000000"),
        ("x-ms-version", "2025-11-05"),
        ("x-ms-blob-type", "BlockBlob"),
        ("accept-ranges", "bytes"),
    ];
    let headers = headers.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Reply {
        status,
        headers: headers.into(),
        body: Value::Null,
        bytes: Some(bytes),
    }
}

pub fn answer(state: &mut State, request: &Request) -> Reply {
    let Some(name) = request.path.strip_prefix(CONTAINER) else {
        return refuse(404, "ResourceNotFound");
    };
    let name = percent_encoding::percent_decode_str(name)
        .decode_utf8_lossy()
        .into_owned();
    // A signed address and another proof of who calls do not go together.
    if request.headers.contains_key("authorization") {
        return refuse(403, "AuthenticationFailed");
    }
    let query = |name: &str| request.query.get(name).cloned().unwrap_or_default();
    let permission = query("sp");
    let wanted = if request.method == "PUT" { 'w' } else { 'r' };
    if query("sig") != signature(&name, &permission, &query("rscd")) {
        return refuse(403, "AuthenticationFailed");
    }
    if !permission.contains(wanted) {
        return refuse(403, "AuthorizationPermissionMismatch");
    }
    match request.method.as_str() {
        "PUT" => put(
            state.blobs.entry(name).or_default(),
            request,
            &query("comp"),
            &query("blockid"),
        ),
        "GET" | "HEAD" => get(state.blobs.get(&name).filter(|blob| blob.is_committed), request),
        _ => refuse(405, "UnsupportedHttpVerb"),
    }
}

fn put(blob: &mut Blob, request: &Request, comp: &str, block: &str) -> Reply {
    let header = |name: &str| request.headers.get(name).cloned();
    if header("content-length").is_none() {
        return refuse(411, "MissingContentLengthHeader");
    }
    let content_type = header("x-ms-blob-content-type").unwrap_or_else(|| "application/octet-stream".to_owned());
    match comp {
        "block" => {
            let is_same_size = blob.blocks.keys().next().is_none_or(|first| first.len() == block.len());
            if block.is_empty() || block.len() > 88 || STANDARD.decode(block).is_err() || !is_same_size {
                return refuse(400, "InvalidQueryParameterValue");
            }
            blob.blocks.insert(block.to_owned(), request.bytes.clone());
        }
        "blocklist" => {
            let text = String::from_utf8_lossy(&request.bytes).into_owned();
            let names = text
                .split("<Latest>")
                .skip(1)
                .filter_map(|rest| rest.split("</Latest>").next());
            let blocks: Option<Vec<&Vec<u8>>> = names.map(|name| blob.blocks.get(name.trim())).collect();
            let Some(blocks) = blocks.filter(|_| text.contains("<BlockList>")) else {
                return refuse(400, "InvalidBlockList");
            };
            let bytes = blocks.into_iter().flatten().copied().collect();
            *blob = Blob {
                bytes,
                content_type,
                blocks: BTreeMap::new(),
                is_committed: true,
            };
        }
        "" => {
            if header("x-ms-blob-type").as_deref() != Some("BlockBlob") {
                return refuse(400, "MissingRequiredHeader");
            }
            *blob = Blob::whole(&request.bytes, &content_type);
        }
        _ => return refuse(400, "InvalidQueryParameterValue"),
    }
    done(201, Vec::new())
}

fn get(blob: Option<&Blob>, request: &Request) -> Reply {
    let Some(blob) = blob else {
        return refuse(404, "BlobNotFound");
    };
    let size = blob.bytes.len();
    let range = request
        .headers
        .get("x-ms-range")
        .or_else(|| request.headers.get("range"));
    let range = range.and_then(|text| text.strip_prefix("bytes=")?.split_once('-'));
    let mut reply = match range {
        Some((from, to)) => {
            let from = from.parse().unwrap_or(0);
            let to = to.parse().map_or(size, |to: usize| (to + 1).min(size));
            if from >= to {
                return refuse(416, "InvalidRange");
            }
            let mut reply = done(206, blob.bytes[from..to].to_vec());
            reply
                .headers
                .insert("content-range".to_owned(), format!("bytes {from}-{}/{size}", to - 1));
            reply
        }
        None => done(200, blob.bytes.clone()),
    };
    reply
        .headers
        .insert("content-type".to_owned(), blob.content_type.clone());
    if let Some(text) = request.query.get("rscd") {
        reply.headers.insert("content-disposition".to_owned(), text.clone());
    }
    reply
}
