//! What a client shows of itself: a key, or an identity that W&B exchanges for a token of short life.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Method, Url};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::error::{WandbError, clean, message};
use super::hosts::{is_loopback, part};
use super::key::Key;
use super::retry::{Kind, passing};
use super::tries::{Patience, Problem, Progress, Tries};
use super::wire::{Credential, Lost, Request, Wire};
use crate::base::Secret;
use crate::sys::{Stopwatch, read_text};

/// Who asks.
#[derive(Debug, Clone)]
pub enum Credentials {
    Key(Key),
    /// A file with a JWT, which may be another one at every look: `WANDB_IDENTITY_TOKEN_FILE`.
    IdentityFile(PathBuf),
    /// What GitHub says about the job, where the workflow has `id-token: write`.
    GithubIdentity(GithubIdentity),
}

/// Where GitHub gives out the identity of a job.
#[derive(Debug, Clone)]
pub struct GithubIdentity {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub url: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub token: Secret,
    /// For whom the identity is; W&B says what it expects.
    pub audience: String,
}

impl Credentials {
    /// As messages name it.
    pub fn named(&self) -> String {
        match self {
            Self::Key(key) => format!("the key in {}", key.source),
            Self::IdentityFile(path) => format!("the identity in `{}`", path.display()),
            Self::GithubIdentity(_) => "the identity that GitHub gives this job".to_owned(),
        }
    }
}

/// A token is exchanged anew when it has less than this left, or half of a shorter life.
const SPARE: Duration = Duration::from_mins(5);
const ANSWER_LIMIT: u64 = 1 << 20;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Credentials with the token that was made of them.
#[derive(Debug)]
pub struct Access {
    pub credentials: Credentials,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    credential: Credential,
    watch: Stopwatch,
    fresh_for: Duration,
}

impl Access {
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            held: Mutex::new(None),
        }
    }

    /// What the next request shows.
    pub async fn credential(&self, wire: &Wire, patience: &Patience) -> Result<Credential, WandbError> {
        if let Credentials::Key(key) = &self.credentials {
            let encoded = STANDARD.encode(format!("api:{}", key.expose()));
            return Ok(Credential::new(format!("Basic {encoded}"), wire.base()));
        }
        // Held over the exchange, so that calls side by side make one.
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.watch.elapsed() < held.fresh_for) {
            return Ok(held.credential.clone());
        }
        let identity = self.identity(wire, patience).await?;
        let watch = Stopwatch::start();
        let token = exchange(wire, patience, &identity, &self.credentials.named()).await?;
        let life = Duration::from_secs(token.expires_in.unwrap_or(2 * SPARE.as_secs()));
        let credential = Credential::new(format!("Bearer {}", token.access_token), wire.base());
        *held = Some(Held {
            credential: credential.clone(),
            watch,
            fresh_for: life.saturating_sub(SPARE).max(life / 2),
        });
        Ok(credential)
    }

    /// The JWT itself.
    async fn identity(&self, wire: &Wire, patience: &Patience) -> Result<Secret, WandbError> {
        let unusable = |why: String| WandbError::Identity { why };
        let text = match &self.credentials {
            Credentials::Key(key) => key.expose().to_owned(),
            Credentials::IdentityFile(path) => {
                read_text(path, ANSWER_LIMIT).map_err(|error| unusable(error.to_string()))?
            }
            Credentials::GithubIdentity(github) => of_github(wire, patience, github).await?,
        };
        let text = text.trim();
        let is_jwt = text.split('.').count() == 3
            && text.split('.').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            });
        if is_jwt {
            Ok(Secret::new(text))
        } else {
            Err(unusable(format!("{} is no JWT", self.credentials.named())))
        }
    }
}

#[derive(serde::Deserialize)]
struct Token {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

async fn exchange(wire: &Wire, patience: &Patience, identity: &Secret, named: &str) -> Result<Token, WandbError> {
    let url = wire.below("/oidc/token").map_err(|why| WandbError::Identity { why })?;
    let form = format!("grant_type={}&assertion={}", part(GRANT), part(identity.expose()));
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let request = || Request {
        method: Method::POST,
        url: url.clone(),
        credential: None,
        headers: headers.clone(),
        body: Body::from(form.clone()),
    };
    let refused = |status: u16, body: &[u8]| WandbError::Unauthorized {
        base: wire.base().as_str().trim_end_matches('/').to_owned(),
        credentials: named.to_owned(),
        message: format!("{} ({status})", message(body)),
    };
    asked(wire, patience, "the exchange of an identity", request, refused).await
}

async fn of_github(wire: &Wire, patience: &Patience, github: &GithubIdentity) -> Result<String, WandbError> {
    #[derive(serde::Deserialize)]
    struct Identity {
        value: String,
    }
    let unusable = |why: &str| WandbError::Identity { why: why.to_owned() };
    let joint = if github.url.contains('?') { '&' } else { '?' };
    let address = format!("{}{joint}audience={}", github.url, part(&github.audience));
    let url = Url::parse(&address).map_err(|_| unusable("`ACTIONS_ID_TOKEN_REQUEST_URL` is no address"))?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(unusable("`ACTIONS_ID_TOKEN_REQUEST_URL` is not encrypted"));
    }
    let credential = Credential::new(format!("Bearer {}", github.token.expose()), &url);
    let request = || {
        let mut request = Request {
            credential: Some(&credential),
            ..Request::get(url.clone())
        };
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    };
    let refused = |status: u16, body: &[u8]| WandbError::Identity {
        why: format!(
            "GitHub refused it: {} ({status}); has the job `id-token: write`?",
            message(body)
        ),
    };
    let identity: Identity = asked(wire, patience, "the identity of this job", request, refused).await?;
    Ok(identity.value)
}

/// One JSON document, tried as often as may be.
async fn asked<'a, T: DeserializeOwned>(
    wire: &Wire,
    patience: &Patience,
    what: &str,
    request: impl Fn() -> Request<'a>,
    refused: impl Fn(u16, &[u8]) -> WandbError,
) -> Result<T, WandbError> {
    let mut tries = Tries::new(patience, Kind::Identity, what, true);
    let malformed = |why: String| {
        Problem::Ours(WandbError::Malformed {
            what: what.to_owned(),
            why,
        })
    };
    loop {
        let request = request();
        let work = async {
            let answer = match wire.ask(request, ANSWER_LIMIT).await {
                Ok(answer) => answer,
                Err(Lost::Fault(fault)) => return Err(fault.into()),
                Err(Lost::TooLarge) => return Err(malformed("it is too large".to_owned())),
                Err(Lost::Impossible(why)) => return Err(Problem::Ours(WandbError::Identity { why })),
            };
            if let Some(failure) = passing(Kind::Identity, answer.status, &answer.signs) {
                return Err(Problem::Passing(failure));
            }
            if !(200..300).contains(&answer.status) {
                return Err(Problem::Refused(refused(answer.status, &answer.body)));
            }
            // What stands in it is secret, so that not even a part of it is told.
            serde_json::from_slice(&answer.body)
                .map_err(|error| malformed(clean(&format!("{:?}", error.classify()), 50)))
        };
        if let Some(found) = tries.attempt(&Progress::start(), work).await? {
            return Ok(found);
        }
    }
}
