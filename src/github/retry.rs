//! When a call that failed is made again, and after how long. Pure: the waits are a function of what happened.

use std::time::Duration;

pub use crate::base::Pace;
use crate::base::http_moment;

/// How a call was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("no connection was made: {0}")]
    Connect(String),
    #[error("it did not answer in time")]
    Timeout,
    #[error("the connection was lost: {0}")]
    Dropped(String),
    #[error("it answered {0}")]
    Status(u16),
}

impl Fault {
    /// May the call have been done all the same?
    pub fn is_doubtful(&self) -> bool {
        match self {
            Self::Connect(_) => false,
            Self::Timeout | Self::Dropped(_) | Self::Status(_) => true,
        }
    }
}

/// A failure that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    Lost {
        fault: Fault,
        retry_after: Option<u64>,
    },
    /// Over a limit, so certainly not done.
    Limited(Limit),
}

/// What GitHub says about the end of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Seconds from now.
    After(u64),
    /// The secondary limit, which names no end.
    Unsaid,
}

impl Failure {
    pub fn lost(fault: Fault) -> Self {
        Self::Lost {
            fault,
            retry_after: None,
        }
    }

    pub fn is_doubtful(&self) -> bool {
        match self {
            Self::Lost { fault, .. } => fault.is_doubtful(),
            Self::Limited(_) => false,
        }
    }
}

/// What of an answer's headers decides about another try. Seconds and Unix times, as GitHub writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    pub retry_after: Option<String>,
    pub remaining: Option<u64>,
    pub reset: Option<i64>,
    /// The moment of the answer by the server's clock, so that ours does not matter.
    pub date: Option<String>,
}

/// The longest that a limit is believed to last: primary ones end within the hour.
const LONGEST: u64 = 24 * 3600;

/// Does this answer mean "later"? `message` is what GitHub says in words.
pub fn passing(status: u16, signs: &Signs, message: &str) -> Option<Failure> {
    let date = signs.date.as_deref().and_then(http_moment);
    let retry_after = signs.retry_after.as_deref().and_then(|text| seconds(text, date));
    match status {
        500 | 502 | 503 | 504 => Some(Failure::Lost {
            fault: Fault::Status(status),
            retry_after,
        }),
        403 | 429 => {
            let message = message.to_ascii_lowercase();
            let is_used_up = signs.remaining == Some(0);
            let says_so = message.contains("rate limit") || message.contains("abuse detection");
            if status == 403 && !is_used_up && !says_so && retry_after.is_none() {
                return None;
            }
            let until_reset = match (is_used_up, signs.reset, date) {
                (true, Some(reset), Some(date)) => Some(u64::try_from(reset.saturating_sub(date)).unwrap_or(0) + 1),
                _ => None,
            };
            Some(Failure::Limited(match retry_after.or(until_reset) {
                Some(seconds) => Limit::After(seconds.min(LONGEST)),
                None => Limit::Unsaid,
            }))
        }
        _ => None,
    }
}

/// `Retry-After`: a number of seconds or a date.
fn seconds(text: &str, now: Option<i64>) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let until = http_moment(text)?.saturating_sub(now?);
    Some(u64::try_from(until).unwrap_or(0))
}

/// How long to wait before the next try after `failures` failures, or `None` when it was the last.
///
/// `jitter`, of a thousand, lengthens the wait by up to a quarter, so that parallel jobs do not come back together.
pub fn wait(failure: &Failure, failures: u32, tries: u32, pace: Pace, jitter: u32) -> Option<Duration> {
    if failures >= tries {
        return None;
    }
    let doubling = 1_u64 << failures.saturating_sub(1).min(16);
    let wait = match failure {
        Failure::Lost { retry_after, .. } => pace.seconds(doubling.max(retry_after.unwrap_or(0).min(LONGEST))),
        Failure::Limited(Limit::After(seconds)) => pace.seconds(*seconds),
        Failure::Limited(Limit::Unsaid) => pace.seconds(60 * doubling),
    };
    let quarter = wait.min(pace.seconds(60)) / 4;
    Some(wait.saturating_add((quarter / 1000).saturating_mul(jitter.min(1000))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";

    fn signs() -> Signs {
        Signs {
            date: Some(DATE.to_owned()),
            ..Signs::default()
        }
    }

    #[test]
    fn lost_calls_wait_1_2_4_8_seconds_and_then_no_more() {
        let lost = Failure::lost(Fault::Timeout);
        let waits: Vec<_> = (1..=5)
            .map(|n| wait(&lost, n, 5, Pace::default(), 0).map(|wait| wait.as_secs()))
            .collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), None]);
        let longest = wait(&lost, 4, 5, Pace::default(), 1000).unwrap();
        assert_eq!(longest, Duration::from_secs(10), "a quarter of jitter at most");
    }

    #[test]
    fn limits_wait_as_long_as_they_say() {
        let now = http_moment(DATE).unwrap();
        let used_up = Signs {
            remaining: Some(0),
            reset: Some(now + 90),
            ..signs()
        };
        let after = |text: &str| Signs {
            retry_after: Some(text.to_owned()),
            ..signs()
        };
        for (status, signs, message, expected) in [
            (403, &used_up, "", Some(Failure::Limited(Limit::After(91)))),
            (429, &used_up, "", Some(Failure::Limited(Limit::After(91)))),
            (403, &after("7"), "", Some(Failure::Limited(Limit::After(7)))),
            (
                429,
                &after("Mon, 23 Nov 2026 10:00:30 GMT"),
                "",
                Some(Failure::Limited(Limit::After(30))),
            ),
            (
                429,
                &after("99999999999"),
                "",
                Some(Failure::Limited(Limit::After(LONGEST))),
            ),
            (429, &after("soon"), "", Some(Failure::Limited(Limit::Unsaid))),
            (
                403,
                &signs(),
                "You have exceeded a secondary rate limit.",
                Some(Failure::Limited(Limit::Unsaid)),
            ),
            (403, &signs(), "Resource not accessible by integration", None),
            (404, &used_up, "", None),
            (422, &after("7"), "", None),
        ] {
            assert_eq!(
                passing(status, signs, message),
                expected,
                "{status} {signs:?} {message}"
            );
        }
        let unsaid = Failure::Limited(Limit::Unsaid);
        let waits: Vec<_> = (1..=3)
            .map(|n| wait(&unsaid, n, 5, Pace::default(), 0).unwrap().as_secs())
            .collect();
        assert_eq!(waits, [60, 120, 240]);
    }

    #[test]
    fn an_overloaded_server_may_ask_for_more_but_not_for_less() {
        for (asked, expected) in [("20", 20), ("0", 2)] {
            let signs = Signs {
                retry_after: Some(asked.to_owned()),
                ..signs()
            };
            let failure = passing(503, &signs, "").unwrap();
            assert!(failure.is_doubtful());
            assert_eq!(
                wait(&failure, 2, 5, Pace::default(), 0),
                Some(Duration::from_secs(expected))
            );
        }
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let signs = Signs {
            remaining: Some(0),
            reset: Some(i64::MIN),
            ..signs()
        };
        assert_eq!(passing(403, &signs, ""), Some(Failure::Limited(Limit::After(1))));
        let limited = Failure::Limited(Limit::After(u64::MAX));
        assert!(wait(&limited, u32::MAX - 1, u32::MAX, Pace(Duration::MAX), u32::MAX).is_some());
    }
}
