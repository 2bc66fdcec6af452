//! What W&B refuses and why, in words that say what to do. Pure.

use serde_json::Value;

use super::place::{Place, Right};
use super::retry::Fault;
pub use crate::base::clean;

/// Why W&B did not do it. No variant can hold a key or a signed address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WandbError {
    #[error("W&B at `{base}` does not accept {credentials}: {message}")]
    Unauthorized {
        base: String,
        /// `the key in WANDB_API_KEY`.
        credentials: String,
        message: String,
    },
    #[error("W&B refused {what}: {}{}", place.refused(*right, message), place.hint(*right))]
    Forbidden {
        what: String,
        right: Right,
        place: Box<Place>,
        message: String,
    },
    #[error("W&B does not find what {what} is about{}: {message}", place.somewhere())]
    NotFound {
        what: String,
        place: Box<Place>,
        message: String,
    },
    #[error("{what} meets another state than expected: {message}")]
    Conflict { what: String, message: String },
    #[error("W&B does not take {what}: {message}")]
    Invalid { what: String, message: String },
    /// The server is older than the question.
    #[error("this W&B does not know a part of {what}: {message}")]
    UnknownField { what: String, message: String },
    #[error("the limit of requests to W&B is reached at {what}{}", ends(*seconds))]
    RateLimited {
        what: String,
        /// From the answer on, if W&B said so.
        seconds: Option<u64>,
    },
    #[error("W&B is out of reach for {what}")]
    Unavailable { what: String, source: Fault },
    /// Not to be repeated before somebody looked at what there is now.
    #[error("W&B may have done {what} or not: its answer was lost")]
    Doubtful { what: String, source: Fault },
    #[error("the time for {what} was over before W&B was done")]
    OutOfTime { what: String },
    #[error("what W&B answered to {what} can not be used: {why}")]
    Malformed { what: String, why: String },
    /// Of a signed address: 400 and 403 say that a new one is to be asked for.
    #[error("the storage of W&B refused {what}: it answered {status}{}", coded(code.as_deref()))]
    Storage {
        what: String,
        status: u16,
        code: Option<String>,
    },
    /// The file that is to be sent, or the place where something is to be kept.
    #[error("{why}")]
    File { why: String },
    #[error("there is no identity to show to W&B: {why}")]
    Identity { why: String },
}

fn ends(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!("; it ends in {seconds} s"))
}

fn coded(code: Option<&str>) -> String {
    code.map_or_else(String::new, |code| format!(" {code}"))
}

impl WandbError {
    /// The same error where more is known about what it was about; what an error knows already stays.
    #[must_use]
    pub fn at(mut self, more: &Place) -> Self {
        if let Self::Forbidden { place, .. } | Self::NotFound { place, .. } = &mut self {
            place.fill(more);
        }
        self
    }

    /// Whether the same may succeed at another time: what was to be written is to be kept until then.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::Doubtful { .. } | Self::OutOfTime { .. } => {
                true
            }
            Self::Storage { status, .. } => !(400..500).contains(status),
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Invalid { .. }
            | Self::UnknownField { .. }
            | Self::Malformed { .. }
            | Self::File { .. }
            | Self::Identity { .. } => false,
        }
    }
}

/// What a refusal of the API is made of.
#[derive(Debug)]
pub struct Refusal<'a> {
    pub what: &'a str,
    pub right: Right,
    pub place: Place,
    pub base: &'a str,
    pub credentials: String,
}

impl Refusal<'_> {
    /// The error that a final answer is, by its status.
    pub fn by_status(&self, status: u16, body: &[u8]) -> WandbError {
        let message = message(body);
        match status {
            300..=399 => WandbError::Malformed {
                what: self.what.to_owned(),
                why: "it leads to another address, where no key is sent; is the address of W&B right?".to_owned(),
            },
            401 => self.unauthorized(message),
            402 | 403 => self.forbidden(message),
            404 | 410 => self.not_found(message),
            409 => self.conflict(message),
            400 | 422 => self.invalid(message),
            _ => self.invalid(format!("{message} ({status})")),
        }
    }

    /// The error that an answer of status 200 is when it lists errors.
    pub fn by_code(&self, errors: &[Value], body: &[u8]) -> WandbError {
        let message = message(body);
        let code = errors
            .iter()
            .find_map(|error| error.get("extensions")?.get("code")?.as_str())
            .unwrap_or_default();
        let lower = message.to_ascii_lowercase();
        match code {
            "UNAUTHENTICATED" => self.unauthorized(message),
            "PERMISSION_ERROR" | "FORBIDDEN" => self.forbidden(message),
            "NOT_FOUND" => self.not_found(message),
            "CONFLICT" => self.conflict(message),
            _ if lower.contains("not logged in") => self.unauthorized(message),
            _ if lower.contains("permission denied") => self.forbidden(message),
            _ if lower.contains("rebase required") => self.conflict(message),
            _ => self.invalid(message),
        }
    }

    pub fn unauthorized(&self, message: String) -> WandbError {
        WandbError::Unauthorized {
            base: self.base.to_owned(),
            credentials: self.credentials.clone(),
            message,
        }
    }

    fn forbidden(&self, message: String) -> WandbError {
        WandbError::Forbidden {
            what: self.what.to_owned(),
            right: self.right,
            place: Box::new(self.place.clone()),
            message,
        }
    }

    fn not_found(&self, message: String) -> WandbError {
        WandbError::NotFound {
            what: self.what.to_owned(),
            place: Box::new(self.place.clone()),
            message,
        }
    }

    fn conflict(&self, message: String) -> WandbError {
        WandbError::Conflict {
            what: self.what.to_owned(),
            message,
        }
    }

    fn invalid(&self, message: String) -> WandbError {
        let what = self.what.to_owned();
        // The words of every GraphQL server that was written after the reference one.
        if message.contains("Cannot query field") || message.contains("Unknown argument") {
            WandbError::UnknownField { what, message }
        } else {
            WandbError::Invalid { what, message }
        }
    }
}

/// Whether an answer of status 200 means that a limit is reached.
pub fn is_limit(body: &[u8]) -> bool {
    message(body).to_ascii_lowercase().contains("rate limit")
}

const NO_REASON: &str = "it gives no reason";
/// How much of an answer that is no JSON is looked at.
const RAW: usize = 1024;

/// What an answer says in words, made harmless: `error`, else `errors[].message`, else its beginning.
pub fn message(body: &[u8]) -> String {
    let said = match serde_json::from_slice::<Value>(body) {
        Ok(value) => said(&value),
        Err(_) => Some(String::from_utf8_lossy(&body[..body.len().min(RAW)]).into_owned()),
    };
    let said = said.map(|text| clean(&text, 300)).filter(|text| !text.is_empty());
    said.unwrap_or_else(|| NO_REASON.to_owned())
}

fn said(value: &Value) -> Option<String> {
    let of = |value: &Value| value.get("message").and_then(Value::as_str).map(str::to_owned);
    if let Some(error) = value.get("error") {
        return error.as_str().map(str::to_owned).or_else(|| of(error));
    }
    let errors = value.get("errors").and_then(Value::as_array)?;
    let all: Vec<String> = errors
        .iter()
        .take(3)
        .filter_map(|error| of(error).or_else(|| error.as_str().map(str::to_owned)))
        .collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// The code in a refusal of storage: `<Code>AccessDenied</Code>`. The rest may repeat what was signed.
pub fn storage_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_code = !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_code.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(place: Place, right: Right) -> Refusal<'static> {
        Refusal {
            what: "`UpsertRun`",
            right,
            place,
            base: "https://api.wandb.ai",
            credentials: "the key in `WANDB_API_KEY`".to_owned(),
        }
    }

    fn at(entity: &str, project: &str, user: Option<&str>) -> Place {
        Place {
            user: user.map(str::to_owned),
            entity: Some(entity.to_owned()),
            project: Some(project.to_owned()),
            alias: None,
        }
    }

    const DENIED: &[u8] = br#"{"errors":[{"message":"permission denied","path":["upsertBucket"],
        "extensions":{"code":"PERMISSION_ERROR"}}],"data":{"upsertBucket":null}}"#;

    #[test]
    fn a_refusal_says_who_may_not_what_where() {
        let error = refusal(at("acme", "diabetes", Some("ci-bot")), Right::Write).by_status(403, DENIED);
        insta::assert_snapshot!(error, @"W&B refused `UpsertRun`: user `ci-bot` may not write to project `acme/diabetes` (permission denied); is that the right entity, and is this user a member of it?");
        let error = refusal(at("acme", "diabetes", None), Right::Read).by_status(403, DENIED);
        insta::assert_snapshot!(error, @"W&B refused `UpsertRun`: the owner of the key may not read project `acme/diabetes` (permission denied); is that the right entity, and is this user a member of it?");
        let error = refusal(at("acme-org", "wandb-registry-model", None), Right::Write)
            .by_status(403, DENIED)
            .at(&Place {
                user: Some("ci-bot".to_owned()),
                alias: Some("production".to_owned()),
                entity: Some("other".to_owned()),
                ..Place::default()
            });
        insta::assert_snapshot!(error, @"W&B refused `UpsertRun`: user `ci-bot` may not give or take the alias `production` in registry `model` of `acme-org` (permission denied); if `production` is protected, only admins of the registry may: ask one, or give this user the role Admin there");
        let error = refusal(Place::default(), Right::Write).by_status(403, b"");
        insta::assert_snapshot!(error, @"W&B refused `UpsertRun`: it gives no reason");
        let error = refusal(Place::default(), Right::Read).by_status(401, br#"{"error":"user is not logged in"}"#);
        insta::assert_snapshot!(error, @"W&B at `https://api.wandb.ai` does not accept the key in `WANDB_API_KEY`: user is not logged in");
        let body = br#"{"errors":[{"message":"entity acne not found during upsertBucket"}]}"#;
        let error = refusal(at("acne", "diabetes", None), Right::Write).by_status(404, body);
        insta::assert_snapshot!(error, @"W&B does not find what `UpsertRun` is about in project `acne/diabetes`: entity acne not found during upsertBucket");
    }

    #[test]
    fn statuses_and_codes_are_told_apart() {
        let kind = |error: WandbError| {
            format!("{error:?}")
                .split([' ', '{'])
                .next()
                .map(str::to_owned)
                .unwrap()
        };
        let refusal = refusal(Place::default(), Right::Write);
        for (status, body, expected) in [
            (302, "", "Malformed"),
            (
                400,
                r#"{"errors":[{"message":"Cannot query field \"x\" on type \"Y\"."}]}"#,
                "UnknownField",
            ),
            (
                400,
                r#"{"errors":[{"message":"cannot use artifact as it has not committed"}]}"#,
                "Invalid",
            ),
            (401, "", "Unauthorized"),
            (402, "", "Forbidden"),
            (403, "", "Forbidden"),
            (404, "", "NotFound"),
            (410, "", "NotFound"),
            (409, "", "Conflict"),
            (413, "", "Invalid"),
            (422, "", "Invalid"),
            (501, "", "Invalid"),
        ] {
            assert_eq!(
                kind(refusal.by_status(status, body.as_bytes())),
                expected,
                "{status} {body}"
            );
        }
        for (error, expected) in [
            (
                json!({"message": "no", "extensions": {"code": "PERMISSION_ERROR"}}),
                "Forbidden",
            ),
            (
                json!({"message": "no", "extensions": {"code": "UNAUTHENTICATED"}}),
                "Unauthorized",
            ),
            (
                json!({"message": "no", "extensions": {"code": "NOT_FOUND"}}),
                "NotFound",
            ),
            (json!({"message": "permission denied"}), "Forbidden"),
            (json!({"message": "user is not logged in"}), "Unauthorized"),
            (json!({"message": "conflict detected, rebase required"}), "Conflict"),
            (json!({"message": "Cannot query field \"x\""}), "UnknownField"),
            (json!({"message": "what"}), "Invalid"),
            (json!("text"), "Invalid"),
        ] {
            let body = json!({"errors": [error]});
            let errors = body["errors"].as_array().unwrap();
            assert_eq!(
                kind(refusal.by_code(errors, body.to_string().as_bytes())),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn what_the_other_side_says_is_found_and_harmless() {
        for (body, expected) in [
            (r#"{"error":"rate limit exceeded"}"#, "rate limit exceeded"),
            (
                r#"{"error":{"message":"inner"},"errors":[{"message":"outer"}]}"#,
                "inner",
            ),
            (r#"{"errors":[{"message":"a"},"b",{"x":1},{"message":"d"}]}"#, "a; b"),
            (r#"{"errors":[]}"#, NO_REASON),
            ("{}", NO_REASON),
            ("", NO_REASON),
            ("<html>\nBad \u{1b}[31mgateway", "<html> Bad gateway"),
        ] {
            assert_eq!(message(body.as_bytes()), expected, "{body}");
        }
        let long = json!({"error": format!("::error::\u{202e}{}", "y".repeat(5000))});
        assert_eq!(message(long.to_string().as_bytes()).chars().count(), 300);
        assert_eq!(message(&[0xff; 5000]).chars().count(), 300);
        for (body, code) in [
            (
                "<Error><Code>AccessDenied</Code><X>sig=abc</X></Error>",
                Some("AccessDenied"),
            ),
            ("<Code>a b</Code>", None),
            ("<Code></Code>", None),
            ("<Code>x", None),
            ("", None),
        ] {
            assert_eq!(storage_code(body.as_bytes()).as_deref(), code, "{body}");
        }
    }

    #[test]
    fn a_place_is_read_from_the_variables() {
        let place = Place::of(&json!({"input": {"artifactID": "x", "aliases": [
            {"entityName": "acme-org", "projectName": "wandb-registry-model", "alias": "production"}]}}));
        assert_eq!(
            place,
            Place {
                alias: Some("production".to_owned()),
                ..at("acme-org", "wandb-registry-model", None)
            }
        );
        let place = Place::of(&json!({"entity": "acme", "project": "p", "name": "run"}));
        assert_eq!(place, at("acme", "p", None));
        let place = Place::of(&json!({"input": {"entityName": "e\u{1b}[1m", "projectName": "p",
            "aliases": [{"artifactCollectionName": "c", "alias": "latest"}]}}));
        assert_eq!(place, at("e", "p", None));
        assert_eq!(Place::of(&json!({"entity": null})), Place::default());
        assert_eq!(Place::of(&json!([])), Place::default());
    }
}
