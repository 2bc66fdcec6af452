//! Requests to the results service and to the storage behind it: bounded, repeated where that is safe, silent on secrets.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url, redirect};

use crate::base::Secret;
use crate::sys::Stopwatch;

use super::{Pace, ResultsError};

/// How often a request is made at most.
const TRIES: u32 = 5;
/// An answer of the service is a few hundred bytes; of storage nothing is read but a download.
pub(super) const ANSWER_LIMIT: u64 = 1 << 20;
const CONNECT: Duration = Duration::from_secs(15);
/// A transfer may be silent for so many times as long as a call of the service may take.
const STALLED: u32 = 10;

/// One request, in a form that can be sent again.
pub(super) struct Request<'a> {
    /// For people: `create the artifact`.
    pub what: &'static str,
    pub method: Method,
    pub url: &'a Url,
    /// The runtime's token; a signed address never gets one.
    pub token: Option<&'a Secret>,
    pub headers: &'a [(&'static str, &'a str)],
    pub body: &'a [u8],
    /// Whether 429 is worth waiting for; the cache says that it is not.
    pub waits_for_limits: bool,
    /// A longer answer is an error.
    pub limit_bytes: u64,
}

/// What came back at last.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    pub headers: HeaderMap,
    /// An earlier try failed in a way that may have been carried out all the same.
    pub is_doubtful: bool,
}

impl Answer {
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// A client with what it may still spend.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    /// Time that is left for all calls together; what happens between them is not theirs.
    left: Mutex<Duration>,
    pace: Pace,
    request_timeout: Duration,
    /// No connection came about however often it was tried: until one does, everything is tried once.
    is_out_of_reach: AtomicBool,
}

impl Wire {
    pub fn new(budget: Duration, pace: Pace, request_timeout: Duration) -> Result<Self, ResultsError> {
        // Fails when a provider is there already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder()
            .user_agent(concat!("mlops-action/", env!("CARGO_PKG_VERSION")))
            // Nothing here redirects, and neither a token nor a signature may go where an answer says.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .read_timeout(request_timeout.saturating_mul(STALLED))
            .build()
            .map_err(|error| ResultsError::unreachable("be set up", error))?;
        Ok(Self {
            client,
            left: Mutex::new(budget),
            pace,
            request_timeout,
            is_out_of_reach: AtomicBool::new(false),
        })
    }

    /// Runs `work` within the time that is left, and takes from it what it needed.
    pub async fn within<T>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, ResultsError>>,
    ) -> Result<T, ResultsError> {
        let watch = Stopwatch::start();
        let done = tokio::time::timeout(self.left(), work).await;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(watch.elapsed());
        done.unwrap_or(Err(ResultsError::OutOfTime { what }))
    }

    fn left(&self) -> Duration {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends until there is an answer that another try would not change.
    pub async fn send(&self, request: &Request<'_>) -> Result<Answer, ResultsError> {
        let mut is_doubtful = false;
        let mut attempt = 1;
        loop {
            let (wait, problem) = match self.once(request).await {
                Ok(mut answer) => {
                    self.is_out_of_reach.store(false, Ordering::Relaxed);
                    answer.is_doubtful = is_doubtful;
                    let is_limit = answer.status == StatusCode::TOO_MANY_REQUESTS && request.waits_for_limits;
                    // An answer of the service that breaks off is as good as none; it may have been a good one.
                    let is_broken = request.token.is_some()
                        && answer.status.is_success()
                        && serde_json::from_slice::<serde_json::Value>(&answer.body).is_err();
                    let is_down = is_broken || matches!(answer.status.as_u16(), 500 | 502 | 503 | 504);
                    // A wait that there is no time for is told as what it is.
                    let is_too_long = answer.retry_after().is_some_and(|wait| wait >= self.left());
                    if !(is_down || is_limit) || attempt == TRIES || is_too_long {
                        return Ok(answer);
                    }
                    is_doubtful |= is_down;
                    (answer.retry_after(), answer.status.to_string())
                }
                Err(ResultsError::Unreachable { what, source }) if attempt < self.tries(&source, attempt) => {
                    is_doubtful |= !source.is_connect();
                    (None, format!("could not {what}: {source}"))
                }
                Err(error) => return Err(error),
            };
            let wait = wait.unwrap_or_else(|| self.wait(attempt));
            tracing::debug!(
                what = request.what,
                attempt,
                problem,
                "trying the results service again"
            );
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// How often something is tried whose try of this number ended so.
    fn tries(&self, error: &reqwest::Error, attempt: u32) -> u32 {
        let is_unconnected = error.is_connect();
        let was_out_of_reach = is_unconnected && self.is_out_of_reach.load(Ordering::Relaxed);
        let tries = if was_out_of_reach { 1 } else { TRIES };
        self.is_out_of_reach
            .store(is_unconnected && attempt >= tries, Ordering::Relaxed);
        tries
    }

    /// 1.5 times longer each time, and up to half of that on top, so that parallel jobs do not come back together.
    fn wait(&self, attempt: u32) -> Duration {
        let wait = self.pace.0.mul_f64(1.5_f64.powi(attempt.cast_signed() - 1));
        let noise = std::hash::RandomState::new().build_hasher().finish() % 1000;
        wait + wait.mul_f64(noise as f64 / 2000.0)
    }

    async fn once(&self, request: &Request<'_>) -> Result<Answer, ResultsError> {
        let fail = |error| ResultsError::unreachable(request.what, error);
        let mut builder = self
            .client
            .request(request.method.clone(), request.url.clone())
            .body(request.body.to_vec());
        if let Some(token) = request.token {
            builder = builder.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
            builder = builder.header(CONTENT_TYPE, "application/json");
            // Small on both ways: a service that is silent must not use up what is left for all calls.
            builder = builder.timeout(self.request_timeout);
        }
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        let mut response = builder.send().await.map_err(fail)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let too_large = || ResultsError::TooLarge {
            what: request.what,
            limit_bytes: request.limit_bytes,
        };
        // The text of an error may be cut; a download may not.
        let limit = if status.is_success() {
            request.limit_bytes
        } else {
            ANSWER_LIMIT
        };
        if status.is_success() && response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fail)? {
            if (body.len() + chunk.len()) as u64 > limit {
                if status.is_success() {
                    return Err(too_large());
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            body,
            headers,
            is_doubtful: false,
        })
    }
}
