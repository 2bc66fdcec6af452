//! What can go wrong with the results service. No message shows a token or a signed address.

use std::time::Duration;

use crate::base::{is_invisible, without_escapes};

/// Why an artifact or a cache entry could not be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// Nothing to worry about: one notice says so, and the run goes on.
    #[error("artifacts and caches can not be used here: {why}")]
    Unsupported { why: &'static str },
    #[error("the results service does not accept the runner's token: could not {what}")]
    Unauthorized { what: &'static str },
    /// The service said no, for a reason that is for people.
    #[error("could not {what}: {reason}")]
    Denied { what: &'static str, reason: String },
    #[error("could not {what}: the storage of this account is used up")]
    StorageFull { what: &'static str },
    #[error("could not {what}: too many requests")]
    RateLimited {
        what: &'static str,
        retry_after: Option<Duration>,
    },
    #[error("there is an artifact named `{name}` in this run already, and so are its numbered names")]
    Exists { name: String },
    #[error("`{name}` can not be the {what}: {why}")]
    Name {
        what: &'static str,
        name: String,
        why: &'static str,
    },
    #[error("could not {what}: the answer is longer than {limit_bytes} bytes")]
    TooLarge { what: &'static str, limit_bytes: u64 },
    #[error("could not {what}: the answer was {status} {message}")]
    Refused {
        what: &'static str,
        status: u16,
        message: String,
    },
    #[error("could not {what}: the answer can not be understood: {why}")]
    Malformed { what: &'static str, why: String },
    #[error("could not {what}: the results service is out of reach")]
    Unreachable {
        what: &'static str,
        #[source]
        source: reqwest::Error,
    },
    #[error("could not {what} in the time there is")]
    OutOfTime { what: &'static str },
}

impl ResultsError {
    /// The address is left out: that of storage is a secret, and the other one says nothing.
    pub(super) fn unreachable(what: &'static str, error: reqwest::Error) -> Self {
        Self::Unreachable {
            what,
            source: error.without_url(),
        }
    }
}

/// Somebody else's words in a message of ours: one short line, and nothing that looks like a signature or a token.
pub(super) fn quoted(text: &str) -> String {
    let plain: String = without_escapes(text)
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_invisible(*c))
        .take(200)
        .collect();
    plain
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| {
            let is_secret = word.len() > 80 || word.contains("sig=") || word.contains("://") || word.starts_with("eyJ");
            if is_secret { "…" } else { word }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_quoted_is_short_and_says_no_secret() {
        assert_eq!(
            quoted("no: https://x/y?sig=abc is\n\u{1b}[31mred \u{202e}x&sig=Z eyJhbGci.x"),
            "no: … is red … …"
        );
        assert!(quoted(&"a b ".repeat(1000)).chars().count() <= 200);
    }
}
