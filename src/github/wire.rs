//! One call to GitHub over HTTP, and nothing else: no second try, no meaning of the answer.

use std::error::Error;
use std::time::Duration;

use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::header::{ACCEPT, DATE, HeaderMap, HeaderValue, LINK, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use serde_json::Value;

use super::error::{GithubError, clean};
use super::retry::{Fault, Signs};
use crate::base::Secret;

const USER_AGENT: &str = concat!("mlops-action/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a training may lie between two calls; a connection that old is no longer there.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// One base address: its server, and the path in front of every path.
pub struct Base {
    octocrab: Octocrab,
    url: Url,
}

/// The addresses of REST and GraphQL, and the client without credentials for storage that GitHub points to.
///
/// GraphQL has its own base, since on GitHub Enterprise Server it is at `/api/graphql`, not below `/api/v3`.
pub struct Wire {
    pub rest: Base,
    pub graphql: Base,
    bare: reqwest::Client,
}

/// What of an answer is used.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub signs: Signs,
    pub accepted: Option<String>,
    pub link: Option<String>,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Lost {
    Fault(Fault),
    /// More bytes than the limit; the rest was not read.
    TooLarge,
    /// The address or the request could not be made.
    Impossible(String),
}

impl Wire {
    /// Needs a running `tokio`, as `octocrab` starts a task for its queue.
    ///
    /// Proxies come from the environment, and trusted roots from the platform: on Linux those of `ca-certificates`, or
    /// of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub fn new(api: &str, graphql: &str, token: Option<&Secret>, timeout: Duration) -> Result<Self, GithubError> {
        // An error says that one is installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let bare = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Whether a call is made again, or elsewhere, is decided above, where it is known what it does.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| GithubError::Unavailable {
                what: "any call".to_owned(),
                source: Fault::Connect(format!("{}; is `ca-certificates` installed?", innermost(&error))),
            })?;
        if let Some(token) = token {
            let is_token = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
            if !is_token {
                return Err(GithubError::Invalid {
                    what: "the token".to_owned(),
                    message: "it is empty, or has characters that no token has".to_owned(),
                });
            }
        }
        Ok(Self {
            rest: Base::new(api, token, &bare)?,
            graphql: Base::new(graphql, token, &bare)?,
            bare,
        })
    }

    /// Reads from an address that GitHub gave, without credentials.
    pub async fn fetch(&self, url: Url, limit: usize) -> Result<Answer, Lost> {
        let response = self
            .bare
            .get(url)
            .send()
            .await
            .map_err(|error| Lost::Fault(fault(&error)))?;
        read(response, limit).await
    }
}

impl Base {
    fn new(text: &str, token: Option<&Secret>, client: &reqwest::Client) -> Result<Self, GithubError> {
        let unusable = || GithubError::Invalid {
            what: "the address of GitHub".to_owned(),
            message: format!("`{}` is not one", clean(text, 200)),
        };
        let url = Url::parse(text).map_err(|_| unusable())?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(unusable());
        }
        let origin = url.origin().ascii_serialization().parse().map_err(|_| unusable())?;
        let auth = match token {
            // Attached by `octocrab` only to requests for the base, and marked as sensitive.
            Some(token) => AuthState::AccessToken {
                token: token.expose().to_owned().into(),
            },
            None => AuthState::None,
        };
        let octocrab = match OctocrabBuilder::new_empty()
            .with_service(ReqwestConnector::new(client.clone()))
            .with_layer(&BaseUriLayer::new(origin))
            .with_auth(auth)
            .build()
        {
            Ok(octocrab) => octocrab,
            Err(never) => match never {},
        };
        Ok(Self { octocrab, url })
    }

    /// The path in front of every path: `/api/v3`, or nothing.
    fn prefix(&self) -> &str {
        self.url.path().trim_end_matches('/')
    }

    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The path of an address below this base; nothing for one of another server, which must not see the token.
    pub fn below(&self, address: &str) -> Option<String> {
        let url = self.url.join(address).ok()?;
        if url.origin() != self.url.origin() || !url.username().is_empty() {
            return None;
        }
        let path = url.path().strip_prefix(self.prefix())?;
        if !path.starts_with('/') {
            return None;
        }
        Some(match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        })
    }

    pub async fn call(&self, method: &Method, path: &str, body: Option<&Value>, limit: usize) -> Result<Answer, Lost> {
        #[expect(clippy::default_trait_access, reason = "the type is of a crate that we do not name")]
        let mut request = self
            .octocrab
            .build_request(Default::default(), body)
            .map_err(|error| Lost::Impossible(innermost(&error)))?;
        *request.method_mut() = method.clone();
        *request.uri_mut() = format!("{}{path}", self.prefix())
            .parse()
            .map_err(|_| Lost::Impossible("the path has characters that none may have".to_owned()))?;
        let accept = HeaderValue::from_static("application/vnd.github+json");
        request.headers_mut().insert(ACCEPT, accept);
        let response = self
            .octocrab
            .execute(request)
            .await
            .map_err(|error| Lost::Fault(fault(&error)))?;
        read(response.map(reqwest::Body::wrap).into(), limit).await
    }
}

async fn read(mut response: reqwest::Response, limit: usize) -> Result<Answer, Lost> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Lost::Fault(fault(&error)))? {
        if body.len() + chunk.len() > limit {
            return Err(Lost::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let headers = response.headers();
    let number = |name: &str| text(headers, name).and_then(|text| text.parse::<i64>().ok());
    Ok(Answer {
        status: response.status().as_u16(),
        signs: Signs {
            retry_after: text(headers, RETRY_AFTER.as_str()),
            remaining: number("x-ratelimit-remaining").and_then(|n| u64::try_from(n).ok()),
            reset: number("x-ratelimit-reset"),
            date: text(headers, DATE.as_str()),
        },
        accepted: text(headers, "x-accepted-github-permissions"),
        link: text(headers, LINK.as_str()),
        location: text(headers, LOCATION.as_str()),
        body,
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// The kind of a failure, out of the chain of causes.
fn fault(error: &(dyn Error + 'static)) -> Fault {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            if error.is_connect() {
                return Fault::Connect(innermost(error));
            }
            if error.is_timeout() {
                return Fault::Timeout;
            }
        }
        next = error.source();
    }
    Fault::Dropped(innermost(error))
}

/// The last cause in a chain: the only one that says what happened, and without an address, which may be signed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    clean(&error.to_string(), 200)
}

/// The address of the next page in a `Link` header.
pub fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|entry| {
        let (address, parameters) = entry.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters
            .split(';')
            .any(|parameter| matches!(parameter.trim(), r#"rel="next""# | "rel=next"));
        is_next.then_some(address)
    })
}
