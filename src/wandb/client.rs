//! The client: one call after the other, made again only where that can do nothing twice, within deadlines.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::error::{Refusal, WandbError, clean, is_limit, storage_code};
use super::hosts::{Hosts, part};
use super::oidc::{Access, Credentials};
use super::operations::{self, Operation, Viewer};
use super::place::{Place, Right};
use super::retry::{Deadlines, Failure, Fault, Kind, Pace, passing};
use super::tries::{Patience, Problem, Progress, Tries};
use super::upload::Sent;
pub use super::upload::Upload;
use super::wire::{Answer, Credential, Lost, Request, Target, Wire, location, lost, read, upload_headers};

const USER_AGENT: &str = concat!("mlops-action/", env!("CARGO_PKG_VERSION"));
/// The most that an answer of the API may have.
const ANSWER_LIMIT: u64 = 32 << 20;
/// How often a download may lie elsewhere.
const REDIRECT_LIMIT: usize = 3;

/// How to reach W&B, as whom, and for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    pub hosts: Hosts,
    pub credentials: Credentials,
    pub deadlines: Deadlines,
    pub pace: Pace,
    pub user_agent: String,
    /// The user for whom an account of a service acts.
    pub attributed_to: Attribution,
}

/// A user, by name or by mail address; both may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribution {
    pub username: Option<String>,
    pub email: Option<String>,
}

impl Settings {
    pub fn new(hosts: Hosts, credentials: Credentials) -> Self {
        Self {
            hosts,
            credentials,
            deadlines: Deadlines::default(),
            pace: Pace::default(),
            user_agent: USER_AGENT.to_owned(),
            attributed_to: Attribution::default(),
        }
    }
}

/// Speaks to one W&B with one key. Clones share everything.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    wire: Wire,
    hosts: Hosts,
    access: Access,
    patience: Patience,
    /// On every call of the API.
    headers: HeaderMap,
    viewer: OnceCell<Viewer>,
    features: OnceCell<Features>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("hosts", &self.shared.hosts)
            .finish_non_exhaustive()
    }
}

/// What this W&B can do beyond what every one can.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features(BTreeSet<String>);

impl Features {
    /// `ARTIFACT_TAGS` and the like.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// A part of what is received.
#[derive(Debug)]
pub enum Piece<'a> {
    /// From here on it begins, for the first time or again: what came before is void.
    Begin,
    Bytes(&'a [u8]),
}

/// What W&B says to a part of a run's stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamAnswer {
    /// Somebody pressed the button that stops the run.
    pub is_stopped: bool,
    /// Seconds without another part, as the limit is used up.
    pub rest: Option<u64>,
}

impl Client {
    /// # Errors
    /// A platform without trusted certificates, or names that no header can hold.
    pub fn new(settings: Settings) -> Result<Self, WandbError> {
        let Settings {
            hosts,
            credentials,
            deadlines,
            pace,
            user_agent,
            attributed_to,
        } = settings;
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-wandb-username", &attributed_to.username),
            ("x-wandb-user-email", &attributed_to.email),
        ] {
            if let Some(value) = value {
                let value = HeaderValue::from_str(value).map_err(|_| WandbError::Invalid {
                    what: "the user that runs are attributed to".to_owned(),
                    message: "the name has characters that none may have".to_owned(),
                })?;
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok(Self {
            shared: Arc::new(Shared {
                wire: Wire::new(&hosts, &user_agent)?,
                hosts,
                access: Access::new(credentials),
                patience: Patience::new(deadlines, pace),
                headers,
                viewer: OnceCell::new(),
                features: OnceCell::new(),
            }),
        })
    }

    pub fn hosts(&self) -> &Hosts {
        &self.shared.hosts
    }

    pub(super) fn pace(&self) -> Pace {
        self.shared.patience.pace
    }

    /// One operation; variables and answer as its document says.
    ///
    /// # Errors
    /// [`WandbError::Doubtful`] after an operation that must not be done twice and was not answered: look what there is.
    pub async fn execute<T: DeserializeOwned>(
        &self,
        operation: &Operation,
        variables: &impl Serialize,
    ) -> Result<T, WandbError> {
        let what = format!("`{}`", operation.name);
        let variables = serde_json::to_value(variables).map_err(|error| WandbError::Invalid {
            what: what.clone(),
            message: clean(&error.to_string(), 200),
        })?;
        let kind = if operation.name == "UpsertRun" {
            Kind::UpsertRun
        } else {
            Kind::Graphql
        };
        let is_query = operation.text.trim_start().starts_with("query");
        let right = if is_query { Right::Read } else { Right::Write };
        let body = json!({"query": operation.text, "variables": variables, "operationName": operation.name});
        let call = Call {
            kind,
            what: &what,
            is_idempotent: operation.is_idempotent,
            path: "/graphql",
            body: body.to_string(),
        };
        let place = Place::of(&variables);
        let parse = |answer: &Answer| self.data(&call, answer, right, &place);
        let data = self.post(&call, right, &place, parse).await?;
        serde_json::from_value(data).map_err(|error| call.malformed(&clean(&error.to_string(), 200)))
    }

    /// `data` of an answer without `errors`.
    fn data(&self, call: &Call<'_>, answer: &Answer, right: Right, place: &Place) -> Result<Value, Problem> {
        #[derive(serde::Deserialize)]
        struct Envelope {
            #[serde(default)]
            data: Value,
            #[serde(default)]
            errors: Option<Vec<Value>>,
        }
        let envelope: Envelope = match serde_json::from_slice(&answer.body) {
            Ok(envelope) => envelope,
            // The beginning of JSON, whose end a proxy lost.
            Err(error) if error.is_eof() => return Err(Fault::Dropped("the answer breaks off".to_owned()).into()),
            Err(error) => return Err(Problem::Ours(call.malformed(&clean(&error.to_string(), 200)))),
        };
        match envelope.errors.as_deref() {
            None | Some([]) if envelope.data.is_null() => Err(Problem::Ours(call.malformed("it has no data"))),
            None | Some([]) => Ok(envelope.data),
            Some(_) if is_limit(&answer.body) => Err(Problem::Passing(Failure {
                fault: Fault::Status(429),
                asked: answer.signs.asked(),
            })),
            Some(errors) => {
                let refusal = self.refusal(call.what, right, place);
                Err(Problem::Refused(refusal.by_code(errors, &answer.body)))
            }
        }
    }

    /// A part of a run's stream. The same part may be sent again: it says by its offsets where it belongs.
    pub async fn post_stream(
        &self,
        entity: &str,
        project: &str,
        run: &str,
        body: String,
    ) -> Result<StreamAnswer, WandbError> {
        #[derive(Default, serde::Deserialize)]
        struct Said {
            #[serde(default)]
            stopped: Option<bool>,
        }
        let path = format!("/files/{}/{}/{}/file_stream", part(entity), part(project), part(run));
        let what = format!("the stream of run `{}`", clean(run, 150));
        let call = Call {
            kind: Kind::FileStream,
            what: &what,
            is_idempotent: true,
            path: &path,
            body,
        };
        let place = Place {
            entity: Some(clean(entity, 150)),
            project: Some(clean(project, 150)),
            ..Place::default()
        };
        let parse = |answer: &Answer| {
            let said: Said = serde_json::from_slice(&answer.body).unwrap_or_default();
            Ok(StreamAnswer {
                is_stopped: said.stopped.unwrap_or(false),
                rest: answer.signs.asked(),
            })
        };
        self.post(&call, Right::Write, &place, parse).await
    }

    /// A call of the API until it is answered, with who asks.
    async fn post<T>(
        &self,
        call: &Call<'_>,
        right: Right,
        place: &Place,
        parse: impl Fn(&Answer) -> Result<T, Problem>,
    ) -> Result<T, WandbError> {
        let shared = &*self.shared;
        let url = shared.wire.below(call.path).map_err(|why| WandbError::Invalid {
            what: call.what.to_owned(),
            message: why,
        })?;
        let mut tries = Tries::new(&shared.patience, call.kind, call.what, call.is_idempotent);
        loop {
            let credential = self.credential().await?;
            let mut headers = shared.headers.clone();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let request = Request {
                method: Method::POST,
                url: url.clone(),
                credential: Some(&credential),
                headers,
                body: Body::from(call.body.clone()),
            };
            let work = async {
                let answer = shared.wire.ask(request, ANSWER_LIMIT).await;
                let answer = answer.map_err(|lost| problem(call.what, lost))?;
                if let Some(failure) = passing(call.kind, answer.status, &answer.signs) {
                    return Err(Problem::Passing(failure));
                }
                if !(200..300).contains(&answer.status) {
                    let refusal = self.refusal(call.what, right, place);
                    return Err(Problem::Refused(refusal.by_status(answer.status, &answer.body)));
                }
                parse(&answer)
            };
            if let Some(value) = tries.attempt(&Progress::start(), work).await? {
                return Ok(value);
            }
        }
    }

    async fn credential(&self) -> Result<Credential, WandbError> {
        let shared = &*self.shared;
        shared.access.credential(&shared.wire, &shared.patience).await
    }

    fn refusal<'a>(&'a self, what: &'a str, right: Right, place: &Place) -> Refusal<'a> {
        let mut place = place.clone();
        place.fill(&Place {
            user: self
                .shared
                .viewer
                .get()
                .and_then(|viewer| viewer.username.as_deref().map(|name| clean(name, 150))),
            ..Place::default()
        });
        Refusal {
            what,
            right,
            place,
            base: self.shared.hosts.api(),
            credentials: self.shared.access.credentials.named(),
        }
    }

    /// Sends to an address that W&B gave, with just these headers (`Name:value`); returns the `ETag`.
    pub async fn put(&self, url: &str, headers: &[String], upload: &Upload) -> Result<Option<String>, WandbError> {
        let shared = &*self.shared;
        let what = upload.named();
        let target = self.target(url, &what)?;
        let mut tries = Tries::new(&shared.patience, Kind::Storage, &what, true).for_bytes(upload.length());
        loop {
            let credential = self.credential_for(&target).await?;
            let sent = Arc::new(Sent::new());
            let request = Request {
                method: Method::PUT,
                url: target.url.clone(),
                credential: credential.as_ref(),
                headers: upload_headers(headers, upload.length()),
                body: upload.body(&sent)?,
            };
            let work = async {
                let answer = match shared.wire.ask(request, ANSWER_LIMIT).await {
                    Ok(answer) => answer,
                    Err(lost) => match sent.broken() {
                        // The other side was only told so: it is the file that ended too early.
                        Some(why) => return Err(Problem::Ours(WandbError::File { why })),
                        None => return Err(problem(&what, lost)),
                    },
                };
                self.accepted(&what, &target, answer.status, &answer)?;
                Ok(answer.etag)
            };
            if let Some(etag) = tries.attempt(&sent.progress, work).await? {
                return Ok(etag);
            }
        }
    }

    /// Fetches from an address that W&B gave, at most `limit` bytes.
    pub async fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>, WandbError> {
        let mut bytes = Vec::new();
        let keep = |piece: Piece<'_>| {
            match piece {
                Piece::Begin => bytes.clear(),
                Piece::Bytes(more) => bytes.extend_from_slice(more),
            }
            Ok(())
        };
        self.receive(url, limit, keep).await?;
        Ok(bytes)
    }

    /// As `get`, piece by piece; returns how many bytes there were. What `keep` can not keep ends it.
    pub async fn receive(
        &self,
        url: &str,
        limit: u64,
        mut keep: impl FnMut(Piece<'_>) -> io::Result<()>,
    ) -> Result<u64, WandbError> {
        let shared = &*self.shared;
        let what = "a download";
        let target = self.target(url, what)?;
        let mut tries = Tries::new(&shared.patience, Kind::Storage, what, true).for_bytes(limit);
        loop {
            let progress = Progress::start();
            let work = self.received(target.clone(), limit, &mut keep, &progress);
            if let Some(n_bytes) = tries.attempt(&progress, work).await? {
                return Ok(n_bytes);
            }
        }
    }

    /// One attempt of a download, from wherever it lies.
    async fn received(
        &self,
        mut target: Target,
        limit: u64,
        keep: &mut impl FnMut(Piece<'_>) -> io::Result<()>,
        progress: &Progress,
    ) -> Result<u64, Problem> {
        let what = "a download";
        let malformed = |why: &str| {
            Problem::Ours(WandbError::Malformed {
                what: what.to_owned(),
                why: why.to_owned(),
            })
        };
        for _ in 0..=REDIRECT_LIMIT {
            let credential = self.credential_for(&target).await.map_err(Problem::Ours)?;
            let request = Request {
                credential: credential.as_ref(),
                ..Request::get(target.url.clone())
            };
            let response = self.shared.wire.send(request).await;
            let mut response = response.map_err(|lost| problem(what, lost))?;
            let status = response.status().as_u16();
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let next = location(&response).unwrap_or_default();
                // Where it leads to is judged anew, and is never shown a key.
                let absolute = target.url.join(&next).map_err(|_| malformed("it leads nowhere"))?;
                target = self
                    .shared
                    .wire
                    .target(absolute.as_str())
                    .map_err(|why| malformed(&why))?;
                continue;
            }
            if !(200..300).contains(&status) {
                let answer = read(response, limit).await.map_err(|lost| problem(what, lost))?;
                self.accepted(what, &target, status, &answer)?;
                return Err(malformed("it leads nowhere"));
            }
            let too_large = || malformed(&format!("it is larger than {limit} bytes"));
            if response.content_length().is_some_and(|length| length > limit) {
                return Err(too_large());
            }
            let mut kept = |piece: Piece<'_>| {
                keep(piece).map_err(|error| {
                    Problem::Ours(WandbError::File {
                        why: clean(&error.to_string(), 200),
                    })
                })
            };
            kept(Piece::Begin)?;
            let mut n_bytes = 0;
            while let Some(chunk) = response.chunk().await.map_err(|error| problem(what, lost(&error)))? {
                progress.moved();
                n_bytes += chunk.len() as u64;
                if n_bytes > limit {
                    return Err(too_large());
                }
                kept(Piece::Bytes(&chunk))?;
            }
            return Ok(n_bytes);
        }
        Err(malformed("it leads round and round"))
    }

    fn target(&self, url: &str, what: &str) -> Result<Target, WandbError> {
        self.shared.wire.target(url).map_err(|why| WandbError::Malformed {
            what: what.to_owned(),
            why,
        })
    }

    async fn credential_for(&self, target: &Target) -> Result<Option<Credential>, WandbError> {
        if target.is_ours {
            self.credential().await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether storage took it or gave it.
    fn accepted(&self, what: &str, target: &Target, status: u16, answer: &Answer) -> Result<(), Problem> {
        if let Some(failure) = passing(Kind::Storage, status, &answer.signs) {
            return Err(Problem::Passing(failure));
        }
        match status {
            200..=299 => Ok(()),
            401 if target.is_ours => {
                let refusal = self.refusal(what, Right::Read, &Place::default());
                Err(Problem::Refused(refusal.by_status(status, &answer.body)))
            }
            _ => Err(Problem::Refused(WandbError::Storage {
                what: what.to_owned(),
                status,
                code: storage_code(&answer.body),
            })),
        }
    }

    /// Whose key this is. Asked for once.
    pub async fn viewer(&self) -> Result<&Viewer, WandbError> {
        let ask = async || {
            // Nobody and no error is how W&B says that it does not know the key.
            operations::viewer(self).await?.ok_or_else(|| {
                let message = "it is wrong, revoked or expired".to_owned();
                let refusal = self.refusal("`Viewer`", Right::Read, &Place::default());
                refusal.unauthorized(message)
            })
        };
        self.shared.viewer.get_or_try_init(ask).await
    }

    /// What this W&B can do. Asked for once; one that does not know the question can nothing of it.
    pub async fn features(&self) -> Result<&Features, WandbError> {
        let ask = async || operations::server_features(self).await.map(Features);
        self.shared.features.get_or_try_init(ask).await
    }
}

/// One call of the API, before it is made.
struct Call<'a> {
    kind: Kind,
    /// As messages name it.
    what: &'a str,
    is_idempotent: bool,
    path: &'a str,
    body: String,
}

impl Call<'_> {
    fn malformed(&self, why: &str) -> WandbError {
        WandbError::Malformed {
            what: self.what.to_owned(),
            why: why.to_owned(),
        }
    }
}

fn problem(what: &str, lost: Lost) -> Problem {
    let what = what.to_owned();
    match lost {
        Lost::Fault(fault) => fault.into(),
        Lost::TooLarge => Problem::Ours(WandbError::Malformed {
            what,
            why: format!("it is larger than {ANSWER_LIMIT} bytes"),
        }),
        Lost::Impossible(message) => Problem::Ours(WandbError::Invalid { what, message }),
    }
}
