//! What the service answers, read as if a stranger had written it. Pure.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::ResultsError;
use super::error::quoted;
use super::wire::Answer;

/// An answer that could be understood.
#[derive(Debug)]
pub(super) enum Reply {
    Done(Value),
    Refused(Refusal),
}

/// What Twirp says instead of doing it; of an answer with `ok` false as well.
#[derive(Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// It may be the second time that we asked, and the first may have been carried out.
    pub is_doubtful: bool,
}

impl Refusal {
    pub fn is_exists(&self) -> bool {
        self.code == "already_exists" || (self.code.is_empty() && self.status == 409)
    }

    pub fn into_error(self, what: &'static str) -> ResultsError {
        if self.message.contains("insufficient usage") {
            return ResultsError::StorageFull { what };
        }
        match (self.status, self.code.as_str()) {
            (401, _) | (_, "unauthenticated") => ResultsError::Unauthorized { what },
            (403, _) | (_, "permission_denied") => ResultsError::Denied {
                what,
                reason: self.message,
            },
            (429, _) | (_, "resource_exhausted") => ResultsError::RateLimited {
                what,
                retry_after: self.retry_after,
            },
            (status, _) => ResultsError::Refused {
                what,
                status,
                message: self.message,
            },
        }
    }
}

pub(super) fn read(what: &'static str, answer: &Answer) -> Result<Reply, ResultsError> {
    let value: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let said = |name: &str| quoted(value.as_ref().and_then(|value| text(value, name)).unwrap_or_default());
    if !answer.status.is_success() {
        return Ok(Reply::Refused(Refusal {
            status: answer.status.as_u16(),
            code: said("code"),
            message: said("msg"),
            retry_after: answer.retry_after(),
            is_doubtful: answer.is_doubtful,
        }));
    }
    let not_ok = value.as_ref().and_then(|value| field(value, "ok")) == Some(&Value::Bool(false));
    if not_ok {
        return Ok(Reply::Refused(Refusal {
            status: answer.status.as_u16(),
            code: "not_ok".to_owned(),
            message: said("message"),
            retry_after: None,
            is_doubtful: answer.is_doubtful,
        }));
    }
    match value {
        Some(value @ Value::Object(_)) => Ok(Reply::Done(value)),
        _ => Err(ResultsError::Malformed {
            what,
            why: "it is not an object of JSON".to_owned(),
        }),
    }
}

/// A field by its name in `snake_case`, or by the same in `camelCase`: both forms of protocol buffers are in use.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).or_else(|| {
        let mut camel = String::new();
        for (index, part) in name.split('_').enumerate() {
            let mut chars = part.chars();
            match chars.next() {
                Some(first) if index > 0 => camel.push(first.to_ascii_uppercase()),
                Some(first) => camel.push(first),
                None => {}
            }
            camel.push_str(chars.as_str());
        }
        value.get(camel)
    })
}

pub(super) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    field(value, name)?.as_str()
}

/// A number, which is a text in the JSON of protocol buffers when it has 64 bits.
pub(super) fn number(value: &Value, name: &str) -> Option<u64> {
    let found = field(value, name)?;
    found.as_u64().or_else(|| found.as_str()?.parse().ok())
}

/// An address of storage: over TLS, unless the service itself is spoken to without.
pub(super) fn signed_url(value: &Value, name: &str, base: &Url, what: &'static str) -> Result<Url, ResultsError> {
    let malformed = |why: &str| ResultsError::Malformed {
        what,
        why: why.to_owned(),
    };
    let address = text(value, name).ok_or_else(|| malformed("it has no signed address"))?;
    let url = Url::parse(address).map_err(|_| malformed("its signed address is none"))?;
    let is_safe = url.scheme() == "https" || (base.scheme() == "http" && url.scheme() == "http");
    if !is_safe || url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
        return Err(malformed("its signed address can not be used"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_spellings_and_both_kinds_of_numbers_are_read() {
        assert_eq!(number(&json!({"artifact_id": "12"}), "artifact_id"), Some(12));
        assert_eq!(number(&json!({"artifactId": 12}), "artifact_id"), Some(12));
        assert_eq!(number(&json!({"artifact_id": "-1"}), "artifact_id"), None);
        assert_eq!(text(&json!({"signedUploadUrl": "x"}), "signed_upload_url"), Some("x"));
    }

    #[test]
    fn only_safe_addresses_are_followed() {
        let at = |url: &str, base: &str| {
            let base = Url::parse(base).unwrap();
            signed_url(&json!({"u": url}), "u", &base, "x").is_ok()
        };
        assert!(at("https://a.blob.core.windows.net/c?sig=x", "https://results.example"));
        assert!(at("http://127.0.0.1:1/c", "http://127.0.0.1:2"));
        for url in [
            "http://a.example/c",
            "file:///etc/passwd",
            "ftp://a.example",
            "https://u:p@a.example/",
            "x",
        ] {
            assert!(!at(url, "https://results.example"), "{url}");
        }
    }
}
