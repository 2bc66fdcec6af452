//! When a call that failed is made again, and after how long. Pure: the waits are a function of what happened.

use std::time::Duration;

pub use crate::base::Pace;
use crate::base::http_moment;

/// What is asked, as far as trying again goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Graphql,
    /// Made anew when somebody else changed the run meanwhile.
    UpsertRun,
    FileStream,
    /// Signed addresses.
    Storage,
    /// Tokens of identities.
    Identity,
}

impl Kind {
    /// Statuses that another try would not change.
    pub fn is_final(self, status: u16) -> bool {
        match self {
            Self::Graphql | Self::FileStream => {
                matches!(status, 400 | 401 | 402 | 403 | 404 | 409 | 410 | 413 | 422 | 501)
            }
            Self::UpsertRun => status != 409 && Self::Graphql.is_final(status),
            Self::Storage => status == 501 || Self::Identity.is_final(status),
            Self::Identity => (400..500).contains(&status) && status != 429,
        }
    }

    /// The first wait in seconds, which doubles, and where that ends.
    fn waits(self) -> (u64, u64) {
        match self {
            Self::Graphql | Self::UpsertRun | Self::FileStream | Self::Storage => (2, 60),
            Self::Identity => (1, 5),
        }
    }
}

/// How often and how long something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    pub attempts: u32,
    /// All attempts and the waits between them.
    pub whole: Duration,
    /// One attempt; where much is sent or received, how long nothing may move.
    pub attempt: Duration,
}

/// How patient the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    pub graphql: Stage,
    pub stream: Stage,
    /// A transfer has one second more for every MiB.
    pub storage: Stage,
    pub identity: Stage,
    /// Failing attempts and waits in a row, of all calls together; then W&B counts as out of reach.
    pub outage: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let attempt = Duration::from_secs(30);
        let transfer = Stage {
            attempts: 10,
            whole: Duration::from_mins(5),
            attempt,
        };
        Self {
            graphql: Stage {
                attempts: 5,
                whole: Duration::from_mins(1),
                attempt,
            },
            stream: transfer,
            storage: transfer,
            identity: Stage {
                attempts: 3,
                whole: Duration::from_mins(1),
                attempt: Duration::from_secs(10),
            },
            outage: Duration::from_mins(1),
        }
    }
}

impl Deadlines {
    pub fn of(&self, kind: Kind) -> Stage {
        match kind {
            Kind::Graphql | Kind::UpsertRun => self.graphql,
            Kind::FileStream => self.stream,
            Kind::Storage => self.storage,
            Kind::Identity => self.identity,
        }
    }
}

/// How a call was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("no connection was made: {0}")]
    Connect(String),
    #[error("its certificate can not be trusted: {0}")]
    Certificate(String),
    #[error("it did not answer in time")]
    Timeout,
    #[error("the connection was lost: {0}")]
    Dropped(String),
    #[error("it answered {0}")]
    Status(u16),
    #[error("it has not answered for {0} s, and is not asked again")]
    GivenUp(u64),
}

/// A call that was lost, and what the answer said about the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub fault: Fault,
    /// Seconds from now.
    pub asked: Option<u64>,
}

impl Failure {
    pub fn lost(fault: Fault) -> Self {
        Self { fault, asked: None }
    }

    pub fn is_limit(&self) -> bool {
        self.fault == Fault::Status(429)
    }

    /// May the call have been done all the same?
    pub fn is_doubtful(&self) -> bool {
        match self.fault {
            // Over a limit, or in conflict with somebody else: certainly not done.
            Fault::Connect(_) | Fault::Certificate(_) | Fault::GivenUp(_) | Fault::Status(409 | 429) => false,
            Fault::Timeout | Fault::Dropped(_) | Fault::Status(_) => true,
        }
    }
}

/// What of an answer's headers decides about another try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    pub retry_after: Option<String>,
    /// Of a thousand: what is left of the limit.
    pub remaining: Option<String>,
    /// Seconds until it is whole again.
    pub reset: Option<String>,
    /// The moment of the answer by the server's clock, so that ours does not matter.
    pub date: Option<String>,
}

/// The longest that a wait is believed to be.
const LONGEST: u64 = 24 * 3600;

impl Signs {
    /// Seconds that W&B asks to wait before the next call.
    pub fn asked(&self) -> Option<u64> {
        let date = self.date.as_deref().and_then(http_moment);
        let after = self.retry_after.as_deref().and_then(|text| after(text, date));
        let is_used_up = || number(self.remaining.as_deref()?).map(|left| left == 0);
        after
            .or_else(|| is_used_up()?.then(|| number(self.reset.as_deref()?))?)
            .map(|seconds| seconds.min(LONGEST))
    }
}

/// Does this answer mean "later"?
pub fn passing(kind: Kind, status: u16, signs: &Signs) -> Option<Failure> {
    (status >= 400 && !kind.is_final(status)).then(|| Failure {
        fault: Fault::Status(status),
        asked: signs.asked(),
    })
}

/// `Retry-After`: a number of seconds or a date.
fn after(text: &str, now: Option<i64>) -> Option<u64> {
    number(text).or_else(|| {
        let until = http_moment(text.trim())?.saturating_sub(now?);
        Some(u64::try_from(until).unwrap_or(0))
    })
}

/// Seconds that may have a fraction, rounded up.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let seconds: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between them"
    )]
    (seconds >= 0.0).then(|| seconds.ceil().min(LONGEST as f64) as u64)
}

/// How long to wait before the next try after `failures` failures, or `None` when it was the last.
///
/// What W&B asks for is kept to the second. `jitter`, of a thousand, lengthens a wait of ours by up to a quarter, so that
/// parallel jobs do not come back together.
pub fn wait(kind: Kind, failure: &Failure, failures: u32, attempts: u32, pace: Pace, jitter: u32) -> Option<Duration> {
    if failures >= attempts || matches!(failure.fault, Fault::Certificate(_) | Fault::GivenUp(_)) {
        return None;
    }
    if let Some(seconds) = failure.asked {
        return Some(pace.seconds(seconds));
    }
    let (first, longest) = kind.waits();
    let doubled = first << failures.saturating_sub(1).min(16);
    let wait = pace.seconds(doubled.min(longest));
    Some(wait.saturating_add((wait / 4000).saturating_mul(jitter.min(1000))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";

    const ALL: [Kind; 5] = [
        Kind::Graphql,
        Kind::UpsertRun,
        Kind::FileStream,
        Kind::Storage,
        Kind::Identity,
    ];

    fn signs(retry_after: Option<&str>, remaining: Option<&str>, reset: Option<&str>) -> Signs {
        Signs {
            retry_after: retry_after.map(str::to_owned),
            remaining: remaining.map(str::to_owned),
            reset: reset.map(str::to_owned),
            date: Some(DATE.to_owned()),
        }
    }

    #[test]
    fn each_kind_repeats_what_may_pass() {
        for status in 100..1000_u16 {
            for kind in ALL {
                // As the table of the protocol has it, the other way round.
                let is_repeated = match kind {
                    Kind::Graphql | Kind::FileStream => !matches!(status, 400..=404 | 409 | 410 | 413 | 422 | 501),
                    Kind::UpsertRun => !matches!(status, 400..=404 | 410 | 413 | 422 | 501),
                    Kind::Storage => status == 429 || (status >= 500 && status != 501),
                    Kind::Identity => status == 429 || status >= 500,
                } && status >= 400;
                let failure = passing(kind, status, &Signs::default());
                assert_eq!(failure.is_some(), is_repeated, "{kind:?} {status}");
            }
        }
    }

    #[test]
    fn waits_double_up_to_a_longest_and_have_a_quarter_of_jitter() {
        let lost = Failure::lost(Fault::Timeout);
        let waits = |kind, attempts, jitter| -> Vec<Option<u128>> {
            (1..=8)
                .map(|n| wait(kind, &lost, n, attempts, Pace::default(), jitter).map(|wait| wait.as_millis()))
                .collect()
        };
        let seconds = |all: &[u128]| all.iter().map(|n| Some(n * 1000)).collect::<Vec<_>>();
        assert_eq!(waits(Kind::Storage, 10, 0), seconds(&[2, 4, 8, 16, 32, 60, 60, 60]));
        assert_eq!(waits(Kind::Graphql, 5, 0)[3..5], [Some(16_000), None]);
        assert_eq!(waits(Kind::Graphql, 20, 1000)[..2], [Some(2500), Some(5000)]);
        assert_eq!(waits(Kind::Graphql, 20, 1000)[7], Some(75_000));
        assert_eq!(waits(Kind::Identity, 9, 0)[..5], seconds(&[1, 2, 4, 5, 5])[..]);
    }

    #[test]
    fn what_w_and_b_asks_for_wins() {
        for (signs, asked) in [
            (signs(Some("7"), None, None), Some(7)),
            (signs(Some("0"), None, None), Some(0)),
            (signs(Some("1.2"), None, None), Some(2)),
            (signs(Some("Mon, 23 Nov 2026 10:00:30 GMT"), None, None), Some(30)),
            (signs(Some("Mon, 23 Nov 2026 09:00:00 GMT"), None, None), Some(0)),
            (signs(Some("7"), Some("0"), Some("9")), Some(7)),
            (signs(None, Some("0"), Some("9")), Some(9)),
            (signs(None, Some("0"), Some("8.1")), Some(9)),
            (signs(None, Some("1"), Some("9")), None),
            (signs(None, Some("0"), None), None),
            (signs(None, None, Some("9")), None),
            (signs(Some("soon"), None, None), None),
            (signs(Some("-1"), None, None), None),
            (signs(Some("NaN"), None, None), None),
            (signs(Some("99999999999999999999"), None, None), Some(LONGEST)),
        ] {
            let failure = passing(Kind::Graphql, 429, &signs).unwrap();
            assert_eq!(failure.asked, asked, "{signs:?}");
            let wait = wait(Kind::Graphql, &failure, 1, 5, Pace::default(), 1000).unwrap();
            assert_eq!(wait, asked.map_or(Duration::from_millis(2500), Duration::from_secs));
        }
    }

    #[test]
    fn only_what_was_certainly_not_done_is_without_doubt() {
        for (fault, is_doubtful) in [
            (Fault::Connect(String::new()), false),
            (Fault::Certificate(String::new()), false),
            (Fault::GivenUp(60), false),
            (Fault::Status(429), false),
            (Fault::Status(409), false),
            (Fault::Status(500), true),
            (Fault::Status(503), true),
            (Fault::Timeout, true),
            (Fault::Dropped(String::new()), true),
        ] {
            assert_eq!(Failure::lost(fault.clone()).is_doubtful(), is_doubtful, "{fault:?}");
        }
    }

    #[test]
    fn a_bad_certificate_is_not_asked_again() {
        let failure = Failure::lost(Fault::Certificate("expired".to_owned()));
        assert_eq!(wait(Kind::Graphql, &failure, 1, 5, Pace::default(), 0), None);
    }

    #[test]
    fn absurd_numbers_do_not_overflow() {
        let failure = Failure {
            fault: Fault::Status(429),
            asked: Some(u64::MAX),
        };
        assert!(
            wait(
                Kind::Storage,
                &failure,
                u32::MAX - 1,
                u32::MAX,
                Pace(Duration::MAX),
                u32::MAX
            )
            .is_some()
        );
        let lost = Failure::lost(Fault::Timeout);
        assert!(
            wait(
                Kind::Storage,
                &lost,
                u32::MAX - 1,
                u32::MAX,
                Pace(Duration::MAX),
                u32::MAX
            )
            .is_some()
        );
    }
}
