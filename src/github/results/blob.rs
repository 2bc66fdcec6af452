//! Bytes to and from the storage behind the results service, by signed addresses: Azure's protocol for block blobs.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, Url};

use super::ResultsError;
use super::wire::{ANSWER_LIMIT, Answer, Request, Wire};

/// Up to where one request takes everything, and how much one takes beyond.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub single: usize,
    pub block: usize,
}

pub(super) const SIZES: Sizes = Sizes {
    single: 64 << 20,
    block: 8 << 20,
};

/// Writes the whole blob. Every part may be sent twice: the last one counts, and all are the same.
pub(super) async fn put(
    wire: &Wire,
    what: &'static str,
    address: &Url,
    content: &[u8],
    mime: &str,
    sizes: Sizes,
) -> Result<(), ResultsError> {
    let send = async |url: &Url, headers: &[(&'static str, &str)], body: &[u8]| {
        let request = Request {
            what,
            method: Method::PUT,
            url,
            token: None,
            headers,
            body,
            waits_for_limits: true,
            limit_bytes: ANSWER_LIMIT,
        };
        accepted(what, &wire.send(&request).await?)
    };
    if content.len() <= sizes.single {
        let headers = [
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-blob-content-type", mime),
            ("content-type", "application/octet-stream"),
        ];
        return send(address, &headers, content).await;
    }
    let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    for (index, block) in content.chunks(sizes.block).enumerate() {
        // All names of a blob's blocks must have the same length.
        let name = STANDARD.encode(format!("mlops-{index:010}"));
        let encoded = utf8_percent_encode(&name, NON_ALPHANUMERIC);
        let url = with_query(address, &format!("comp=block&blockid={encoded}"));
        send(&url, &[("content-type", "application/octet-stream")], block).await?;
        let _ = write!(list, "<Latest>{name}</Latest>"); // Writing to a string can not fail.
    }
    list.push_str("</BlockList>");
    let headers = [("x-ms-blob-content-type", mime), ("content-type", "application/xml")];
    send(&with_query(address, "comp=blocklist"), &headers, list.as_bytes()).await
}

/// The whole blob, if it has at most `limit_bytes`.
pub(super) async fn get(
    wire: &Wire,
    what: &'static str,
    address: &Url,
    limit_bytes: u64,
) -> Result<Vec<u8>, ResultsError> {
    let request = Request {
        what,
        method: Method::GET,
        url: address,
        token: None,
        headers: &[],
        body: &[],
        waits_for_limits: true,
        limit_bytes,
    };
    let answer = wire.send(&request).await?;
    accepted(what, &answer)?;
    Ok(answer.body)
}

/// A signed address is passed on as it came: its signature covers what is in it, and we only add to it.
fn with_query(address: &Url, more: &str) -> Url {
    let mut url = address.clone();
    let query = match address.query() {
        Some(query) if !query.is_empty() => format!("{query}&{more}"),
        _ => more.to_owned(),
    };
    url.set_query(Some(&query));
    url
}

/// The body of a refusal may repeat what was signed, so that only its code is told.
fn accepted(what: &'static str, answer: &Answer) -> Result<(), ResultsError> {
    if answer.status.is_success() {
        return Ok(());
    }
    let code = answer
        .headers
        .get("x-ms-error-code")
        .and_then(|value| value.to_str().ok())
        .filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    Err(ResultsError::Refused {
        what,
        status: answer.status.as_u16(),
        message: code.unwrap_or("from the storage").to_owned(),
    })
}
