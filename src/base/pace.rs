//! Waiting for other people's servers: how long a second is, and the dates of HTTP. Pure.

use std::time::Duration;

/// How long a second of waiting is. Tests make it short; what a server asks for in seconds is measured by it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(pub Duration);

impl Default for Pace {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

impl Pace {
    pub fn seconds(self, n: u64) -> Duration {
        self.0.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX))
    }
}

/// A date as HTTP writes it, in Unix seconds.
pub fn http_moment(text: &str) -> Option<i64> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(zoned.timestamp().as_second())
}
