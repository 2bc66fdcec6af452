//! Faults to inject and the journal of calls. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// A call as it came and as it was answered; 0 when it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub method: String,
    /// The path as it was asked for, without the base path of an enterprise server.
    pub path: String,
    pub query: String,
    pub status: u16,
    pub login: Option<String>,
    /// The name of the query's first field for GraphQL, the method of a service of the results.
    pub operation: Option<String>,
    pub is_write: bool,
}

/// What goes wrong with some calls, in the order in which faults were added; the first that matches is used.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Any method when there is none.
    pub method: Option<String>,
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
    /// The next call of a method to a path with some text in it fails.
    pub fn once(method: &str, path_contains: &str, kind: Kind) -> Self {
        Self {
            method: Some(method.to_owned()),
            path_contains: path_contains.to_owned(),
            skip: 0,
            times: 1,
            kind,
        }
    }

    /// Every such call fails from now on.
    pub fn always(method: &str, path_contains: &str, kind: Kind) -> Self {
        Self {
            times: usize::MAX,
            ..Self::once(method, path_contains, kind)
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
    /// An answer with GitHub's shape of an error.
    pub fn status(code: u16) -> Self {
        let body = json!({ "message": "Server Error", "documentation_url": "https://docs.github.com/rest" });
        Self::Status {
            code,
            headers: BTreeMap::new(),
            body,
        }
    }
}

/// The kind of failure of this call, counted.
pub fn next(faults: &mut [Fault], method: &str, path: &str) -> Option<Kind> {
    for fault in faults {
        let is_meant = fault.method.as_ref().is_none_or(|one| one == method) && path.contains(&fault.path_contains);
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
/// `{"method"?, "path_contains"?, "skip"?, "times"?, "kind": "status"|"delay"|"drop_before"|"drop_after"|"status_after"|
/// "never"|"truncated", "code"?, "headers"?, "body"?, "delay_ms"?}`.
pub fn parse(value: &Value) -> Result<Fault, String> {
    let code = u16::try_from(value["code"].as_u64().unwrap_or(502)).map_err(|error| error.to_string())?;
    let body = if value["body"].is_null() {
        json!({ "message": "Server Error" })
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
    Ok(Fault {
        method: value["method"].as_str().map(str::to_owned),
        path_contains: value["path_contains"].as_str().unwrap_or_default().to_owned(),
        skip: count("skip", 0),
        times: count("times", 1),
        kind,
    })
}
