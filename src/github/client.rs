//! The client: one call after the other, made again only where that can do nothing twice, within a budget of time.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use super::Urls;
use super::error::{GithubError, Refusal, clean, message, named, refused};
use super::retry::{Failure, Fault, Limit, Pace, passing, wait};
use super::wire::{Answer, Lost, Wire, next_page};
use crate::base::{Secret, shortened};
use crate::sys::Stopwatch;

/// The most that an answer may have; what is larger by nature says its own limit.
const BODY_LIMIT: usize = 16 << 20;
/// The most pages of a list that are read, whatever its end says.
const PAGE_LIMIT: usize = 50;
/// How often a repository may have moved.
const REDIRECT_LIMIT: usize = 3;

/// How to reach GitHub, and for how long.
#[derive(Debug, Clone)]
pub struct Connection {
    pub urls: Urls,
    pub token: Option<Secret>,
    /// For all calls together, waits included; what lies between the calls does not count.
    pub budget: Duration,
    pub pace: Pace,
    /// For one try of one call.
    pub request_timeout: Duration,
}

impl Connection {
    pub fn new(urls: Urls, token: Option<Secret>) -> Self {
        Self {
            urls,
            token,
            budget: Duration::from_mins(2),
            pace: Pace::default(),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// Speaks to one GitHub with one token. Clones share everything.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    budget: Arc<Budget>,
    tries: u32,
}

struct Shared {
    wire: Wire,
    urls: Urls,
    pace: Pace,
    request_timeout: Duration,
    viewer: OnceCell<String>,
    /// No connection came about however often it was tried: until one does, every call is tried once.
    is_out_of_reach: AtomicBool,
}

struct Budget {
    whole: Duration,
    spent_ms: AtomicU64,
    /// Held by the call that is under way: GitHub asks for one at a time.
    turn: Mutex<()>,
}

impl Budget {
    fn new(whole: Duration) -> Arc<Self> {
        Arc::new(Self {
            whole,
            spent_ms: AtomicU64::new(0),
            turn: Mutex::new(()),
        })
    }

    fn left(&self) -> Duration {
        let spent = Duration::from_millis(self.spent_ms.load(Ordering::Relaxed));
        self.whole.saturating_sub(spent)
    }

    fn spend(&self, watch: Stopwatch) {
        self.spent_ms.fetch_add(watch.elapsed_ms(), Ordering::Relaxed);
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("urls", &self.shared.urls)
            .finish_non_exhaustive()
    }
}

/// One call, before it is made.
struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Option<&'a Value>,
    limit: usize,
    door: Door,
    /// As messages name it.
    what: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Rest,
    /// REST, whose answer may be the address of the thing elsewhere.
    Download,
    Graphql,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a str, body: Option<&'a Value>) -> Self {
        let what = named(&method, path);
        Self {
            method,
            path,
            body,
            limit: BODY_LIMIT,
            door: Door::Rest,
            what,
        }
    }

    fn malformed(&self, why: impl Into<String>) -> GithubError {
        GithubError::Malformed {
            what: self.what.clone(),
            why: why.into(),
        }
    }

    /// The error that a failure is when nobody tries again.
    fn given_up(&self, failure: Failure) -> GithubError {
        let what = self.what.clone();
        match failure {
            Failure::Lost { fault, .. } => GithubError::Unavailable { what, source: fault },
            Failure::Limited(Limit::After(seconds)) => GithubError::RateLimited {
                what,
                seconds: Some(seconds),
            },
            Failure::Limited(Limit::Unsaid) => GithubError::RateLimited { what, seconds: None },
        }
    }

    fn parsed<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, GithubError> {
        // `204 No Content` and the like: nothing is `null`.
        let body: &[u8] = if answer.body.is_empty() { b"null" } else { &answer.body };
        serde_json::from_slice(body).map_err(|error| self.malformed(clean(&error.to_string(), 200)))
    }

    fn items<T: DeserializeOwned>(&self, answer: &Answer, key: Option<&str>) -> Result<Vec<T>, GithubError> {
        let Some(key) = key else {
            return self.parsed(answer);
        };
        let mut object: Value = self.parsed(answer)?;
        let list = object
            .get_mut(key)
            .map(Value::take)
            .ok_or_else(|| self.malformed(format!("it has no `{key}`")))?;
        serde_json::from_value(list).map_err(|error| self.malformed(clean(&error.to_string(), 200)))
    }
}

impl Client {
    /// # Errors
    /// An address or a token that can not be one, or a platform without trusted certificates. Needs a running `tokio`.
    pub fn new(connection: Connection) -> Result<Self, GithubError> {
        let Connection {
            urls,
            token,
            budget,
            pace,
            request_timeout,
        } = connection;
        Ok(Self {
            shared: Arc::new(Shared {
                wire: Wire::new(&urls.api, &urls.graphql, token.as_ref(), request_timeout)?,
                urls,
                pace,
                request_timeout,
                viewer: OnceCell::new(),
                is_out_of_reach: AtomicBool::new(false),
            }),
            budget: Budget::new(budget),
            tries: 5,
        })
    }

    /// The same client in a hurry: an own small budget, two tries, and no waiting for a call that is under way.
    pub fn hurried(&self, budget: Duration) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            budget: Budget::new(budget),
            tries: 2,
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, GithubError> {
        let call = Call::new(Method::GET, path, None);
        call.parsed(&self.repeated(&call).await?)
    }

    /// At most `at_most` items of a list, page by page.
    pub async fn pages<T: DeserializeOwned>(&self, path: &str, at_most: usize) -> Result<Vec<T>, GithubError> {
        self.listed(path, None, at_most).await
    }

    /// As `pages`, of lists that stand in an object below `key`: `{"total_count": 1, "check_runs": […]}`.
    pub async fn pages_below<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        at_most: usize,
    ) -> Result<Vec<T>, GithubError> {
        self.listed(path, Some(key), at_most).await
    }

    async fn listed<T: DeserializeOwned>(
        &self,
        path: &str,
        key: Option<&str>,
        at_most: usize,
    ) -> Result<Vec<T>, GithubError> {
        let mut all = Vec::new();
        let mut path = path.to_owned();
        for _ in 0..PAGE_LIMIT {
            let call = Call::new(Method::GET, &path, None);
            let answer = self.repeated(&call).await?;
            all.extend(call.items::<T>(&answer, key)?);
            let next = answer.link.as_deref().and_then(next_page);
            let Some(next) = next.filter(|_| all.len() < at_most) else {
                break;
            };
            path = self
                .shared
                .wire
                .rest
                .below(next)
                .ok_or_else(|| call.malformed("its next page is on another server"))?;
        }
        all.truncate(at_most);
        Ok(all)
    }

    /// At most `limit` bytes, from GitHub itself or from where it points to, which does not see the token.
    pub async fn get_bytes(&self, path: &str, limit: usize) -> Result<Vec<u8>, GithubError> {
        let call = Call {
            limit,
            door: Door::Download,
            ..Call::new(Method::GET, path, None)
        };
        Ok(self.repeated(&call).await?.body)
    }

    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, GithubError> {
        self.send(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Result<(), GithubError> {
        let call = Call::new(Method::DELETE, path, None);
        self.repeated(&call).await.map(drop)
    }

    /// A `POST` that may be done twice, as of Git blobs and trees, whose names are their contents.
    pub async fn post_once<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, GithubError> {
        self.send(Method::POST, path, body).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, GithubError> {
        let body = value(body)?;
        let call = Call::new(method, path, Some(&body));
        call.parsed(&self.repeated(&call).await?)
    }

    /// A `POST` that must not be done twice: after a failure that may have been none, `look` says what there is, and
    /// only when there is nothing it is made again.
    ///
    /// Not `AsyncFn`: of that nobody can yet say that its future may change threads.
    pub async fn create<T: DeserializeOwned, L>(
        &self,
        path: &str,
        body: &impl Serialize,
        look: impl Fn() -> L,
    ) -> Result<T, GithubError>
    where
        L: Future<Output = Result<Option<T>, GithubError>>,
    {
        let body = value(body)?;
        self.reconciled(&Call::new(Method::POST, path, Some(&body)), look).await
    }

    /// As `create`, for a `PATCH` that adds something, such as annotations.
    pub async fn change<T: DeserializeOwned, L>(
        &self,
        path: &str,
        body: &impl Serialize,
        look: impl Fn() -> L,
    ) -> Result<T, GithubError>
    where
        L: Future<Output = Result<Option<T>, GithubError>>,
    {
        let body = value(body)?;
        self.reconciled(&Call::new(Method::PATCH, path, Some(&body)), look)
            .await
    }

    async fn reconciled<T: DeserializeOwned, L>(&self, call: &Call<'_>, look: impl Fn() -> L) -> Result<T, GithubError>
    where
        L: Future<Output = Result<Option<T>, GithubError>>,
    {
        let mut failures = 0;
        loop {
            let failure = match self.once(call).await {
                Ok(Ok(answer)) => return call.parsed(&answer),
                Ok(Err(failure)) => failure,
                // The try before may have been done after `look` looked, and be what is now in the way.
                Err(error @ (GithubError::Conflict { .. } | GithubError::Invalid { .. })) if failures > 0 => {
                    return match look().await {
                        Ok(Some(found)) => Ok(found),
                        Ok(None) | Err(_) => Err(error),
                    };
                }
                Err(error) => return Err(error),
            };
            failures += 1;
            let is_doubtful = failure.is_doubtful();
            let unlooked = call.given_up(failure.clone());
            let may_repeat = self.pause(call, failure, failures).await;
            if is_doubtful {
                match look().await {
                    Ok(Some(found)) => {
                        tracing::debug!(call = call.what, "it had been done");
                        return Ok(found);
                    }
                    Ok(None) => {}
                    // Without a look nothing may be repeated.
                    Err(_) => return Err(unlooked),
                }
            }
            may_repeat?;
        }
    }

    /// A query, or a mutation that may be done twice.
    pub async fn graphql<T: DeserializeOwned>(&self, query: &str, variables: Value) -> Result<T, GithubError> {
        #[derive(serde::Deserialize)]
        struct Envelope {
            data: Option<Value>,
            #[serde(default)]
            errors: Vec<Value>,
        }
        let body = serde_json::json!({ "query": query, "variables": variables });
        let what = format!("`{}`", shortened(query));
        let call = Call {
            door: Door::Graphql,
            what: what.clone(),
            ..Call::new(Method::POST, "", Some(&body))
        };
        let answer = self.repeated(&call).await?;
        let envelope: Envelope = call.parsed(&answer)?;
        let Some(first) = envelope.errors.first() else {
            let data = envelope.data.unwrap_or_default();
            return serde_json::from_value(data).map_err(|error| call.malformed(clean(&error.to_string(), 200)));
        };
        let text = message(&answer.body);
        Err(match first.get("type").and_then(Value::as_str) {
            Some("NOT_FOUND") => GithubError::NotFound { what, permission: None },
            Some("RATE_LIMITED") => GithubError::RateLimited { what, seconds: None },
            Some("FORBIDDEN" | "INSUFFICIENT_SCOPES") => GithubError::Forbidden {
                what,
                permission: query
                    .contains("minimizeComment")
                    .then(|| "pull-requests: write".to_owned()),
                message: text,
            },
            Some(_) | None => GithubError::Invalid { what, message: text },
        })
    }

    /// The login that GitHub shows for what this token writes. Asked for once.
    pub async fn viewer(&self) -> Result<String, GithubError> {
        #[derive(serde::Deserialize)]
        struct Data {
            viewer: Viewer,
        }
        #[derive(serde::Deserialize)]
        struct Viewer {
            login: String,
        }
        let ask = async || {
            let data: Data = self.graphql("query{viewer{login}}", serde_json::json!({})).await?;
            Ok(data.viewer.login)
        };
        self.shared.viewer.get_or_try_init(ask).await.cloned()
    }

    /// The call, as often as it takes and as its failures and the budget allow.
    async fn repeated(&self, call: &Call<'_>) -> Result<Answer, GithubError> {
        let mut failures = 0;
        loop {
            match self.once(call).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    failures += 1;
                    self.pause(call, failure, failures).await?;
                }
            }
        }
    }

    /// Waits before the next try, or says why there is none.
    async fn pause(&self, call: &Call<'_>, failure: Failure, failures: u32) -> Result<(), GithubError> {
        let is_unconnected = matches!(
            &failure,
            Failure::Lost {
                fault: Fault::Connect(_),
                ..
            }
        );
        let is_out_of_reach = &self.shared.is_out_of_reach;
        let tries = if is_unconnected && is_out_of_reach.load(Ordering::Relaxed) {
            1
        } else {
            self.tries
        };
        let pause = wait(&failure, failures, tries, self.shared.pace, jitter());
        is_out_of_reach.store(is_unconnected && pause.is_none(), Ordering::Relaxed);
        tracing::debug!(call = call.what, failures, ?failure, ?pause, "a call failed");
        match pause {
            Some(pause) if pause < self.budget.left() => {
                let watch = Stopwatch::start();
                tokio::time::sleep(pause).await;
                self.budget.spend(watch);
                Ok(())
            }
            Some(_) | None => Err(call.given_up(failure)),
        }
    }

    /// One try: an answer, a failure that may pass, or what is final.
    async fn once(&self, call: &Call<'_>) -> Result<Result<Answer, Failure>, GithubError> {
        let mut path = call.path.to_owned();
        for _ in 0..=REDIRECT_LIMIT {
            let answer = match self.timed(call, Step::Call(&path)).await? {
                Ok(answer) => answer,
                Err(fault) => return Ok(Err(Failure::lost(fault))),
            };
            let text = if answer.status < 400 {
                String::new()
            } else {
                message(&answer.body)
            };
            if let Some(failure) = passing(answer.status, &answer.signs, &text) {
                return Ok(Err(failure));
            }
            match answer.status {
                200..=299 if call.door != Door::Download && is_broken_off(&answer.body) => {
                    let fault = Fault::Dropped("the answer breaks off".to_owned());
                    return Ok(Err(Failure::lost(fault)));
                }
                200..=299 => return Ok(Ok(answer)),
                // What is downloaded lies elsewhere by 302, and is not asked for with a token even on this very server;
                // what has moved says 301, 307 or 308.
                302 if call.door == Door::Download => {
                    return self
                        .elsewhere(call, answer.location.as_deref().unwrap_or_default())
                        .await;
                }
                300..=399 => {
                    let location = answer.location.as_deref().unwrap_or_default();
                    match self.shared.wire.rest.below(location) {
                        Some(below) if !location.is_empty() && call.door != Door::Graphql => path = below,
                        Some(_) => return Err(call.malformed("it leads nowhere")),
                        None if call.door == Door::Download => return self.elsewhere(call, location).await,
                        None => return Err(call.malformed("it leads to another server")),
                    }
                }
                status => {
                    return Err(refused(&Refusal {
                        method: &call.method,
                        what: &call.what,
                        path: call.path,
                        status,
                        accepted: answer.accepted.as_deref(),
                        body: &answer.body,
                    }));
                }
            }
        }
        Err(call.malformed("it leads round and round"))
    }

    /// The thing itself, from the storage that GitHub named for the next minute.
    async fn elsewhere(&self, call: &Call<'_>, location: &str) -> Result<Result<Answer, Failure>, GithubError> {
        let is_safe =
            |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && !self.shared.wire.rest.is_encrypted());
        let url = Url::parse(location)
            .ok()
            .filter(is_safe)
            .ok_or_else(|| call.malformed("it leads to an address that can not be used"))?;
        let answer = match self.timed(call, Step::Fetch(url)).await? {
            Ok(answer) => answer,
            Err(fault) => return Ok(Err(Failure::lost(fault))),
        };
        match answer.status {
            200..=299 => Ok(Ok(answer)),
            404 | 410 => Err(GithubError::NotFound {
                what: call.what.clone(),
                permission: None,
            }),
            // Also a refusal: the address was valid for a minute only, and a new try gets a new one.
            status => Ok(Err(Failure::lost(Fault::Status(status)))),
        }
    }

    /// One request within what is left of the budget.
    async fn timed(&self, call: &Call<'_>, step: Step<'_>) -> Result<Result<Answer, Fault>, GithubError> {
        let _turn = self.budget.turn.lock().await;
        let left = self.budget.left();
        if left.is_zero() {
            return Err(GithubError::OutOfTime {
                what: call.what.clone(),
            });
        }
        let wire = &self.shared.wire;
        let request = async {
            match step {
                Step::Call(path) => {
                    let base = if call.door == Door::Graphql {
                        &wire.graphql
                    } else {
                        &wire.rest
                    };
                    base.call(&call.method, path, call.body, call.limit).await
                }
                Step::Fetch(url) => wire.fetch(url, call.limit).await,
            }
        };
        let watch = Stopwatch::start();
        let outcome = tokio::time::timeout(left.min(self.shared.request_timeout), request).await;
        self.budget.spend(watch);
        if matches!(outcome, Ok(Ok(_))) {
            self.shared.is_out_of_reach.store(false, Ordering::Relaxed);
        }
        let status = match &outcome {
            Ok(Ok(answer)) => answer.status,
            Ok(Err(_)) | Err(_) => 0,
        };
        tracing::debug!(
            call = call.what,
            status,
            elapsed_ms = watch.elapsed_ms(),
            "asked GitHub"
        );
        match outcome {
            Ok(Ok(answer)) => Ok(Ok(answer)),
            Ok(Err(Lost::Fault(fault))) => Ok(Err(fault)),
            Ok(Err(Lost::TooLarge)) => Err(call.malformed(format!("it is larger than {} bytes", call.limit))),
            Ok(Err(Lost::Impossible(why))) => Err(GithubError::Invalid {
                what: call.what.clone(),
                message: why,
            }),
            Err(_) => Ok(Err(Fault::Timeout)),
        }
    }
}

enum Step<'a> {
    Call(&'a str),
    Fetch(Url),
}

fn value(body: &impl Serialize) -> Result<Value, GithubError> {
    serde_json::to_value(body).map_err(|error| GithubError::Invalid {
        what: "the body of a request".to_owned(),
        message: clean(&error.to_string(), 200),
    })
}

/// The beginning of JSON, whose end a proxy lost.
fn is_broken_off(body: &[u8]) -> bool {
    let whole: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(body);
    !body.is_empty() && whole.is_err_and(|error| error.is_eof())
}

/// Of a thousand, another one at every call: the keys of the standard hasher are random.
fn jitter() -> u32 {
    u32::try_from(RandomState::new().hash_one(0) % 1001).unwrap_or(0)
}
