//! What GitHub refuses and why, in words that say what to do. Pure.

use reqwest::Method;

use super::retry::Fault;
pub use crate::base::clean;

/// Why GitHub did not do it. No variant can hold a token: all texts are of the path or of GitHub's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GithubError {
    #[error("GitHub does not accept the token: it is wrong, revoked or expired")]
    Unauthorized,
    #[error("GitHub refused {what}: {}", why(permission.as_deref(), message))]
    Forbidden {
        what: String,
        /// As it stands in a workflow: `checks: write`.
        permission: Option<String>,
        message: String,
    },
    #[error("GitHub knows nothing at {what}{}", may_lack(permission.as_deref()))]
    NotFound {
        what: String,
        /// What the token may lack: a private repository says 404 instead of 403.
        permission: Option<String>,
    },
    #[error("{what} meets another state than expected: {message}")]
    Conflict { what: String, message: String },
    #[error("GitHub does not take {what}: {message}")]
    Invalid { what: String, message: String },
    #[error("GitHub's limit of requests is reached at {what}{}", ends(*seconds))]
    RateLimited {
        what: String,
        /// From the answer on, if GitHub said so.
        seconds: Option<u64>,
    },
    #[error("GitHub is out of reach for {what}")]
    Unavailable { what: String, source: Fault },
    #[error("the time for talking to GitHub was over before {what}")]
    OutOfTime { what: String },
    #[error("what GitHub answered to {what} can not be used: {why}")]
    Malformed { what: String, why: String },
}

impl GithubError {
    /// The permission that GitHub says is missing, as a line of a workflow: `checks: write`.
    pub fn missing_permission(&self) -> Option<&str> {
        match self {
            Self::Forbidden { permission, .. } => permission.as_deref(),
            Self::Unauthorized
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::OutOfTime { .. }
            | Self::Malformed { .. } => None,
        }
    }
}

fn why(permission: Option<&str>, message: &str) -> String {
    match permission {
        Some(permission) => format!("the token lacks `{permission}`"),
        None => message.to_owned(),
    }
}

fn may_lack(permission: Option<&str>) -> String {
    permission.map_or_else(String::new, |permission| {
        format!(": it does not exist, or the token lacks `{permission}`")
    })
}

fn ends(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!("; it ends in {seconds} s"))
}

/// What a refusal is made of.
pub struct Refusal<'a> {
    pub method: &'a Method,
    pub what: &'a str,
    /// Below the base of the API, without its query.
    pub path: &'a str,
    pub status: u16,
    /// `x-accepted-github-permissions`.
    pub accepted: Option<&'a str>,
    pub body: &'a [u8],
}

/// The error that a final answer is, by its status.
pub fn refused(refusal: &Refusal<'_>) -> GithubError {
    let what = refusal.what.to_owned();
    let message = message(refusal.body);
    let expected = permission(refusal.method, refusal.path);
    match refusal.status {
        401 => GithubError::Unauthorized,
        403 => {
            let named = refusal
                .accepted
                .and_then(|accepted| accepted_permission(accepted, expected.as_deref()));
            let is_of_token = message.to_ascii_lowercase().contains("not accessible by");
            GithubError::Forbidden {
                what,
                permission: if is_of_token { named.or(expected) } else { None },
                message,
            }
        }
        404 | 410 => GithubError::NotFound {
            what,
            permission: if *refusal.method == Method::GET { None } else { expected },
        },
        409 => GithubError::Conflict { what, message },
        _ => GithubError::Invalid {
            what,
            message: format!("{message} ({})", refusal.status),
        },
    }
}

/// A call, as messages name it: its query may be long and says little.
pub fn named(method: &Method, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    format!("`{method} {}`", clean(path, 200))
}

/// `message` and `errors[].message` of an answer, made harmless.
pub fn message(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return "it gives no reason".to_owned();
    };
    let text = |value: &serde_json::Value| value.get("message").and_then(|text| text.as_str()).map(str::to_owned);
    let mut parts: Vec<String> = text(&value).into_iter().collect();
    if let Some(errors) = value.get("errors").and_then(|errors| errors.as_array()) {
        for error in errors.iter().take(3) {
            let field = error.get("field").and_then(|field| field.as_str());
            let code = error.get("code").and_then(|code| code.as_str());
            parts.extend(
                text(error)
                    .or_else(|| error.as_str().map(str::to_owned))
                    .or_else(|| match (field, code) {
                        (Some(field), Some(code)) => Some(format!("{field} {code}")),
                        _ => None,
                    }),
            );
        }
    }
    if parts.is_empty() {
        return "it gives no reason".to_owned();
    }
    clean(&parts.join("; "), 300)
}

/// The permission that a call needs, as it stands in a workflow.
pub fn permission(method: &Method, path: &str) -> Option<String> {
    let path = path.split('?').next().unwrap_or_default();
    let mut segments = path.trim_start_matches('/').split('/');
    if segments.next() != Some("repos") {
        return None;
    }
    let rest: Vec<&str> = segments.skip(2).collect();
    let name = match rest.as_slice() {
        ["check-runs" | "check-suites", ..] | ["commits", _, "check-runs" | "check-suites"] => "checks",
        ["statuses", ..] | ["commits", _, "status" | "statuses"] => "statuses",
        ["pulls", ..]
        | ["commits", _, "pulls"]
        | ["issues", "comments", ..]
        | ["issues", _, "comments" | "labels" | "reactions", ..] => "pull-requests",
        ["issues" | "labels", ..] => "issues",
        ["deployments", ..] => "deployments",
        ["actions", ..] => "actions",
        [
            "git" | "contents" | "commits" | "compare" | "releases" | "branches" | "dispatches",
            ..,
        ] => "contents",
        _ => return None,
    };
    let level = if *method == Method::GET { "read" } else { "write" };
    Some(format!("{name}: {level}"))
}

/// Out of `pull_requests=write; issues=write`: alternatives, each of which may be several permissions. The expected one
/// if it is among them, else the first.
fn accepted_permission(accepted: &str, expected: Option<&str>) -> Option<String> {
    let one = |part: &str| {
        let (name, level) = part.trim().split_once('=')?;
        let is_name = !name.is_empty() && name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (is_name && matches!(level, "read" | "write" | "admin")).then(|| format!("{}: {level}", name.replace('_', "-")))
    };
    let alternatives: Vec<String> = accepted
        .split(';')
        .take(8)
        .filter_map(|alternative| {
            let parts: Option<Vec<String>> = alternative.split(',').take(8).map(one).collect();
            parts.map(|parts| parts.join(", "))
        })
        .collect();
    alternatives
        .iter()
        .find(|alternative| Some(alternative.as_str()) == expected)
        .or(alternatives.first())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"message":"Resource not accessible by integration"}"#;

    fn refusal<'a>(status: u16, method: &'a Method, path: &'a str, accepted: Option<&'a str>) -> Refusal<'a> {
        Refusal {
            method,
            what: "`POST /x`",
            path,
            status,
            accepted,
            body: BODY,
        }
    }

    #[test]
    fn a_refusal_names_the_line_to_add() {
        for (method, path, accepted, expected) in [
            (
                Method::POST,
                "/repos/o/r/check-runs",
                Some("checks=write"),
                "checks: write",
            ),
            (Method::POST, "/repos/o/r/check-runs", None, "checks: write"),
            (
                Method::POST,
                "/repos/o/r/issues/7/comments",
                Some("issues=write; pull_requests=write"),
                "pull-requests: write",
            ),
            (
                Method::PATCH,
                "/repos/o/r/issues/comments/7",
                None,
                "pull-requests: write",
            ),
            (Method::POST, "/repos/o/r/issues", None, "issues: write"),
            (
                Method::POST,
                "/repos/o/r/git/refs",
                Some("contents=write,workflows=write"),
                "contents: write, workflows: write",
            ),
            (
                Method::GET,
                "/repos/o/r/commits/abc/check-runs?x=1",
                None,
                "checks: read",
            ),
            (
                Method::POST,
                "/repos/o/r/actions/workflows/p.yml/dispatches",
                Some("<b>=write"),
                "actions: write",
            ),
            (Method::POST, "/repos/o/r/deployments", None, "deployments: write"),
        ] {
            let error = refused(&refusal(403, &method, path, accepted));
            assert_eq!(error.missing_permission(), Some(expected), "{path}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_refusal_for_another_reason_names_no_permission() {
        let error = refused(&Refusal {
            body: br#"{"message":"Repository was archived so is read-only."}"#,
            ..refusal(403, &Method::POST, "/repos/o/r/check-runs", Some("checks=write"))
        });
        assert_eq!(error.missing_permission(), None);
        assert!(error.to_string().contains("archived"), "{error}");
    }

    #[test]
    fn a_private_repository_says_404_and_we_say_what_may_lack() {
        let error = refused(&refusal(404, &Method::POST, "/repos/o/r/check-runs", None));
        assert!(
            error.to_string().contains("or the token lacks `checks: write`"),
            "{error}"
        );
        let error = refused(&refusal(404, &Method::GET, "/repos/o/r/pulls/7", None));
        assert!(!error.to_string().contains("lacks"), "{error}");
    }

    #[test]
    fn what_the_other_side_says_is_harmless() {
        let body = serde_json::json!({
            "message": format!("bad\n::error::x\u{1b}[31m\u{202e}{}", "y".repeat(5000)),
            "errors": [{"message": "first"}, "second", {"field": "name", "code": "invalid"}, {"message": "fourth"}],
        });
        let text = message(body.to_string().as_bytes());
        assert!(text.starts_with("bad ::error::xyyy"), "{text}");
        assert_eq!(text.chars().count(), 300);
        assert_eq!(message(b"<html>"), "it gives no reason");
        let body = br#"{"message":"Validation Failed","errors":[{"field":"name","code":"invalid"},"second"]}"#;
        assert_eq!(message(body), "Validation Failed; name invalid; second");
    }
}
