//! One request to W&B or its storage, and nothing else: no second try, no meaning of the answer. A key goes to one server.

use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Body, Method, Url};

use super::error::{WandbError, clean};
use super::hosts::{Hosts, ip, is_loopback};
use super::retry::{Fault, Signs};
use crate::base::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a training may lie between two calls; a connection that old is no longer there.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a refusal is read.
const REFUSAL_LIMIT: u64 = 64 << 10;

/// What a request shows of who asks, and the only server that may see it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// `Basic …` or `Bearer …`.
    header: Secret,
    server: Url,
}

impl Credential {
    pub fn new(header: String, server: &Url) -> Self {
        Self {
            header: Secret::new(header),
            server: server.clone(),
        }
    }
}

#[derive(Debug)]
pub struct Request<'a> {
    pub method: Method,
    pub url: Url,
    pub credential: Option<&'a Credential>,
    pub headers: HeaderMap,
    pub body: Body,
}

impl Request<'_> {
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            credential: None,
            headers: HeaderMap::new(),
            body: Body::default(),
        }
    }
}

/// What of an answer is used.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub signs: Signs,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Lost {
    Fault(Fault),
    /// More bytes than the limit; the rest was not read.
    TooLarge,
    /// The request could not be made.
    Impossible(String),
}

/// An address that W&B gave.
#[derive(Debug, Clone)]
pub struct Target {
    pub url: Url,
    /// Below the API itself, which wants to know who asks. A signed address says all by itself.
    pub is_ours: bool,
}

/// The client for one W&B.
#[derive(Debug)]
pub struct Wire {
    client: reqwest::Client,
    base: Url,
    /// Without a `/` at its end.
    text: String,
}

impl Wire {
    /// Proxies come from the environment, and trusted roots from the platform: on Linux those of `ca-certificates`, or
    /// of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub fn new(hosts: &Hosts, user_agent: &str) -> Result<Self, WandbError> {
        let what = || "any call".to_owned();
        // An error says that one is installed, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(user_agent)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            // Whether a call is made again, or elsewhere, is decided above, where it is known what it does.
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| WandbError::Unavailable {
                what: what(),
                source: Fault::Connect(format!("{}; is `ca-certificates` installed?", innermost(&error))),
            })?;
        let base = Url::parse(hosts.api()).map_err(|_| WandbError::Invalid {
            what: what(),
            message: "the address of W&B is none".to_owned(),
        })?;
        Ok(Self {
            client,
            base,
            text: hosts.api().to_owned(),
        })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    /// An address of the API. `path` begins with `/`.
    pub fn below(&self, path: &str) -> Result<Url, String> {
        let url = Url::parse(&format!("{}{path}", self.text)).map_err(|_| "its path is none".to_owned())?;
        // `..` in a name could lead out of the API.
        let prefix = self.base.path().trim_end_matches('/');
        let is_below = url
            .path()
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with('/'));
        if url.origin() == self.base.origin() && is_below {
            Ok(url)
        } else {
            Err("its path leads elsewhere".to_owned())
        }
    }

    /// An address that W&B gave for a file: one of the API without its server, or one that is signed.
    ///
    /// Refused is what no storage is: addresses of this link, where clouds hand out their machines' secrets, and what is
    /// not encrypted where the API itself is.
    pub fn target(&self, address: &str) -> Result<Target, String> {
        if address.starts_with('/') {
            return Ok(Target {
                url: self.below(address)?,
                is_ours: true,
            });
        }
        let url = Url::parse(address).map_err(|_| "it gives no address".to_owned())?;
        let is_plain = url.scheme() == "http" && self.base.scheme() == "http";
        if url.scheme() != "https" && !is_plain {
            return Err("it gives an address that is not encrypted".to_owned());
        }
        let is_same = url.host_str() == self.base.host_str();
        if !is_same && (is_of_link(&url) || (is_loopback(&url) && !is_loopback(&self.base))) {
            return Err("it gives an address of this machine or its surroundings".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it gives an address with a user name".to_owned());
        }
        Ok(Target { url, is_ours: false })
    }

    pub async fn send(&self, request: Request<'_>) -> Result<reqwest::Response, Lost> {
        let mut builder = self
            .client
            .request(request.method, request.url.clone())
            .headers(request.headers)
            .body(request.body);
        if let Some(credential) = request.credential {
            if credential.server.origin() != request.url.origin() {
                return Err(Lost::Impossible("a key would go to another server".to_owned()));
            }
            let mut value = HeaderValue::from_str(credential.header.expose())
                .map_err(|_| Lost::Impossible("the key has characters that none may have".to_owned()))?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        builder.send().await.map_err(|error| lost(&error))
    }

    /// One whole answer.
    pub async fn ask(&self, request: Request<'_>, limit: u64) -> Result<Answer, Lost> {
        read(self.send(request).await?, limit).await
    }
}

/// The rest of an answer, within a limit. A refusal may be cut.
pub async fn read(mut response: reqwest::Response, limit: u64) -> Result<Answer, Lost> {
    let status = response.status().as_u16();
    let is_refusal = status >= 300;
    let limit = if is_refusal { REFUSAL_LIMIT } else { limit };
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        if (body.len() + chunk.len()) as u64 > limit {
            if is_refusal {
                break;
            }
            return Err(Lost::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let headers = response.headers();
    Ok(Answer {
        status,
        signs: signs(headers),
        etag: text(headers, ETAG.as_str()),
        body,
    })
}

pub fn signs(headers: &HeaderMap) -> Signs {
    Signs {
        retry_after: text(headers, RETRY_AFTER.as_str()),
        remaining: text(headers, "ratelimit-remaining"),
        reset: text(headers, "ratelimit-reset"),
        date: text(headers, DATE.as_str()),
    }
}

pub fn location(response: &reqwest::Response) -> Option<String> {
    text(response.headers(), LOCATION.as_str())
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// `Name: value`, as W&B gives them for an upload; what is not of that form is left out, as its own clients do.
///
/// So is what belongs to the connection, which is ours to say.
pub fn upload_headers(lines: &[String], length: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.trim().as_bytes()),
            HeaderValue::from_str(value.trim()),
        ) else {
            continue;
        };
        let is_of_connection = matches!(
            name.as_str(),
            "connection" | "content-length" | "host" | "transfer-encoding"
        );
        if !is_of_connection {
            headers.append(name, value);
        }
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers
}

/// Addresses that only neighbours have, and the names of the services that give out secrets of machines.
fn is_of_link(url: &Url) -> bool {
    let is_link_local = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => {
            // `fd00:ec2::254` is where one cloud has it.
            let is_of_cloud = ip.segments()[..2] == [0xfd00, 0x0ec2];
            let mapped = ip
                .to_ipv4_mapped()
                .is_some_and(|ip| ip.is_link_local() || ip.is_unspecified());
            ip.is_unicast_link_local() || ip.is_unspecified() || is_of_cloud || mapped
        }
    };
    match ip(url) {
        Some(ip) => is_link_local(ip),
        None => url.host_str().is_some_and(|host| {
            let host = host.trim_end_matches('.');
            host == "metadata" || host.starts_with("metadata.")
        }),
    }
}

pub fn lost(error: &(dyn Error + 'static)) -> Lost {
    Lost::Fault(fault(error))
}

/// The kind of a failure, out of the chain of causes.
fn fault(error: &(dyn Error + 'static)) -> Fault {
    let mut next = Some(error);
    let mut is_connect = false;
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            is_connect |= error.is_connect();
            if error.is_timeout() {
                return if is_connect {
                    Fault::Connect("it took too long".to_owned())
                } else {
                    Fault::Timeout
                };
            }
        }
        if let Some(why) = bad_certificate(error) {
            return Fault::Certificate(why);
        }
        next = error.source();
    }
    if is_connect {
        Fault::Connect(innermost(error))
    } else {
        Fault::Dropped(innermost(error))
    }
}

/// Why a certificate was refused. What an I/O error wraps, which may be another one, is not among its sources.
fn bad_certificate(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(clean(&why.to_string(), 200));
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.and_then(|error| bad_certificate(error))
}

/// The last cause in a chain: the only one that says what happened, and without an address, which may be signed.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    clean(&error.to_string(), 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(base: &str) -> Wire {
        Wire::new(&Hosts::new(Some(base), None).unwrap(), "ours/1").unwrap()
    }

    #[test]
    fn storage_is_where_storage_may_be() {
        let public = wire("https://api.wandb.ai");
        let plain = wire("http://wandb.internal:8080/w");
        let loopback = wire("http://127.0.0.1:8080");
        let link = wire("http://169.254.7.7");
        for (wire, address, is_taken) in [
            (&public, "https://storage.googleapis.com/b/x?sig=y", true),
            (&public, "https://10.1.2.3/x", true),
            (&public, "http://storage.googleapis.com/x", false),
            (&public, "http://127.0.0.1/x", false),
            (&public, "https://127.0.0.1/x", false),
            (&public, "https://localhost/x", false),
            (&public, "https://[::ffff:127.0.0.1]/x", false),
            (&public, "https://169.254.169.254/latest/meta-data", false),
            (&public, "https://2852039166/latest", false),
            (&public, "https://[::ffff:169.254.169.254]/", false),
            (&public, "https://[fe80::1]/", false),
            (&public, "https://[fd00:ec2::254]/", false),
            (&public, "https://0.0.0.0/", false),
            (&public, "https://metadata.google.internal/x", false),
            (&public, "https://metadata.google.internal./x", false),
            (&public, "https://user:word@storage.example/x", false),
            (&public, "ftp://storage.example/x", false),
            (&public, "file:///etc/passwd", false),
            (&public, "storage.example/x", false),
            (&public, "", false),
            (&plain, "http://minio.internal/x", true),
            (&plain, "https://minio.internal/x", true),
            (&plain, "http://127.0.0.1/x", false),
            (&plain, "http://169.254.169.254/x", false),
            (&loopback, "http://127.0.0.1:9/x", true),
            (&loopback, "http://localhost:9/x", true),
            (&loopback, "http://169.254.169.254/x", false),
            (&link, "http://169.254.7.7/x", true),
            (&link, "http://169.254.169.254/x", false),
        ] {
            let target = wire.target(address);
            assert_eq!(target.is_ok(), is_taken, "{address} {target:?}");
            assert!(!target.is_ok_and(|target| target.is_ours), "{address}");
        }
    }

    #[test]
    fn a_bad_certificate_is_told_from_a_lost_connection() {
        let bad = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let error = io::Error::new(io::ErrorKind::InvalidData, bad);
        assert!(matches!(fault(&error), Fault::Certificate(_)));
        assert!(matches!(fault(&io::Error::other(error)), Fault::Certificate(_)));
        let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert!(matches!(fault(&error), Fault::Dropped(_)));
    }

    #[test]
    fn a_path_stays_below_the_api() {
        let wire = wire("https://ml.example.com/w/");
        for (path, url) in [
            ("/graphql", Some("https://ml.example.com/w/graphql")),
            ("//evil.example/x", Some("https://ml.example.com/w//evil.example/x")),
            ("/files/a/../../../x", None),
            ("/../x", None),
            ("/%2e%2e/x", None),
        ] {
            assert_eq!(wire.below(path).ok().as_ref().map(Url::as_str), url, "{path}");
        }
        assert!(wire.target("/upload/x").unwrap().is_ours);
        assert!(wire.target("/../x").is_err());
    }

    #[tokio::test]
    async fn a_key_goes_to_its_server_or_nowhere() {
        let wire = wire("https://api.wandb.ai");
        let credential = Credential::new("Basic x".to_owned(), wire.base());
        for address in [
            "http://api.wandb.ai/x",
            "https://api.wandb.ai:444/x",
            "https://api.wandb.ai.example/x",
        ] {
            let request = Request {
                credential: Some(&credential),
                ..Request::get(Url::parse(address).unwrap())
            };
            assert!(
                matches!(wire.send(request).await, Err(Lost::Impossible(_))),
                "{address}"
            );
        }
        assert!(!format!("{credential:?}").contains("Basic"));
    }
}
