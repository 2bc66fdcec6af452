//! Faults to inject and the journal of calls. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// A call as it came and as it was answered; 0 when it was not.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: String,
    /// As it was asked for, without the query.
    pub path: String,
    /// The first field of a GraphQL document, `file_stream`, `storage PUT`, `storage GET`, `oidc`, `artifactsV2`.
    pub operation: String,
    /// The variables of a GraphQL call, the body of a file stream.
    pub variables: Value,
    pub status: u16,
    /// Who called, when the credentials are known.
    pub user: Option<String>,
    /// The scheme of the credentials that came with it: `Basic`, `Bearer`.
    pub scheme: Option<String>,
    pub is_write: bool,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What goes wrong with some calls, in the order in which faults were added; the first that matches is used.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The beginning of a call's operation: `linkArtifact`, `file_stream`, `storage PUT`, `storage`, or nothing for all.
    pub operation: String,
    pub path_contains: String,
    /// How many matching calls are let through before.
    pub skip: usize,
    /// How many matching calls then fail.
    pub times: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing is committed, this is answered.
    Status {
        code: u16,
        headers: BTreeMap<String, String>,
        body: Value,
    },
    /// As usual, but late.
    Delay(Duration),
    /// The connection is closed, nothing is committed.
    DropBefore,
    /// The change is committed, then the connection is closed without an answer.
    DropAfter,
    /// The change is committed, then this is answered: a proxy that lost the real answer.
    StatusAfter { code: u16, body: Value },
    /// Neither an answer nor an end.
    Never,
    /// The body breaks off in the middle.
    Truncated,
}

impl Fault {
    /// The next such call fails.
    pub fn once(operation: &str, kind: Kind) -> Self {
        Self {
            operation: operation.to_owned(),
            path_contains: String::new(),
            skip: 0,
            times: 1,
            kind,
        }
    }

    /// Every such call fails from now on.
    pub fn always(operation: &str, kind: Kind) -> Self {
        Self {
            times: usize::MAX,
            ..Self::once(operation, kind)
        }
    }

    /// The same after some calls that go well.
    #[must_use]
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }
}

impl Kind {
    /// An answer with the shape of a GraphQL error.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            headers: BTreeMap::new(),
            body: json!({ "errors": [{ "message": format!("the twin fails with {code}") }] }),
        }
    }

    /// Too many calls, with the headers that say when there is room again.
    pub fn rate_limited(remaining: u64, reset_seconds: u64, retry_after_seconds: Option<u64>) -> Self {
        let mut headers = BTreeMap::from([
            ("ratelimit-remaining".to_owned(), remaining.to_string()),
            ("ratelimit-reset".to_owned(), reset_seconds.to_string()),
        ]);
        if let Some(seconds) = retry_after_seconds {
            headers.insert("retry-after".to_owned(), seconds.to_string());
        }
        Self::Status {
            code: 429,
            headers,
            body: json!({ "error": "rate limit exceeded" }),
        }
    }
}

/// The kind of failure of this call, counted.
pub fn next(faults: &mut [Fault], operation: &str, path: &str) -> Option<Kind> {
    for fault in faults {
        let is_meant = operation.starts_with(&fault.operation) && path.contains(&fault.path_contains);
        if !is_meant || fault.times == 0 {
            continue;
        }
        if fault.skip > 0 {
            fault.skip -= 1;
            continue;
        }
        fault.times = fault.times.saturating_sub(usize::from(fault.times != usize::MAX));
        return Some(fault.kind.clone());
    }
    None
}

/// A fault as the admin interface takes it:
/// `{"operation"?, "path_contains"?, "skip"?, "times"?, "kind": "status"|"delay"|"drop_before"|"drop_after"|"status_after"|
/// "never"|"truncated", "code"?, "headers"?, "body"?, "delay_ms"?}`.
pub fn parse(value: &Value) -> Result<Fault, String> {
    let code = u16::try_from(value["code"].as_u64().unwrap_or(502)).map_err(|error| error.to_string())?;
    let body = if value["body"].is_null() {
        json!({ "errors": [{ "message": format!("the twin fails with {code}") }] })
    } else {
        value["body"].clone()
    };
    let headers = value["headers"].as_object().into_iter().flatten();
    let headers = headers
        .map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned()))
        .collect();
    let kind = match value["kind"].as_str().unwrap_or_default() {
        "status" => Kind::Status { code, headers, body },
        "status_after" => Kind::StatusAfter { code, body },
        "delay" => Kind::Delay(Duration::from_millis(value["delay_ms"].as_u64().unwrap_or(100))),
        "drop_before" => Kind::DropBefore,
        "drop_after" => Kind::DropAfter,
        "never" => Kind::Never,
        "truncated" => Kind::Truncated,
        other => return Err(format!("`{other}` is no kind of fault")),
    };
    let count = |name: &str, default: usize| {
        value[name]
            .as_u64()
            .map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX))
    };
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Ok(Fault {
        operation: text("operation"),
        path_contains: text("path_contains"),
        skip: count("skip", 0),
        times: count("times", 1),
        kind,
    })
}
