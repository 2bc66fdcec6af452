//! Where W&B is: the address of its API, that of its pages, and links to them. Pure.

use std::net::IpAddr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;

use super::error::clean;

/// The API of the public W&B.
const PUBLIC: &str = "https://api.wandb.ai";
const FORGE: &str = "forge.coreweave.com";
const FORGE_API: &str = "https://api.forge.coreweave.com";
/// What stays as it is in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The two addresses, each without a `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    api: String,
    app: String,
    warning: Option<String>,
}

/// Why a text is no address of W&B.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} can not be the address of W&B: {why}")]
pub struct HostsError {
    /// The variable that holds it.
    pub name: &'static str,
    pub why: String,
}

impl Hosts {
    /// `base` as `WANDB_BASE_URL` has it, `app` as `WANDB_APP_URL` has it.
    ///
    /// A key goes unencrypted only to this very machine, or to a server of one's own that the user named with `http://`;
    /// then [`Self::warning`] says so. W&B's own servers are never asked that way.
    pub fn new(base: Option<&str>, app: Option<&str>) -> Result<Self, HostsError> {
        let (api, warning) = match given(base) {
            None => (PUBLIC.to_owned(), None),
            Some(text) => api(text).map_err(|why| HostsError {
                name: "`WANDB_BASE_URL`",
                why,
            })?,
        };
        let app = match given(app) {
            None => app_of(&api),
            Some(text) => address(text).map_err(|why| HostsError {
                name: "`WANDB_APP_URL`",
                why,
            })?,
        };
        Ok(Self {
            api,
            app: app.trim_end_matches('/').to_owned(),
            warning,
        })
    }

    /// `https://api.wandb.ai`.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The name under which a `.netrc` has its key.
    pub fn machine(&self) -> String {
        let url = Url::parse(&self.api).ok();
        url.and_then(|url| Some(url.host_str()?.to_owned())).unwrap_or_default()
    }

    /// What the user has to know about the address that was chosen.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The page of a project.
    pub fn project(&self, entity: &str, project: &str) -> String {
        format!("{}/{}/{}", self.app, part(entity), part(project))
    }

    /// The page of a run.
    pub fn run(&self, entity: &str, project: &str, id: &str) -> String {
        format!("{}/runs/{}", self.project(entity, project), part(id))
    }

    /// The page of an artifact's version.
    pub fn artifact(&self, entity: &str, project: &str, kind: &str, collection: &str, version: u64) -> String {
        let (kind, collection) = (part(kind), part(collection));
        format!(
            "{}/artifacts/{kind}/{collection}/v{version}",
            self.project(entity, project)
        )
    }

    /// The page of a version in a registry.
    pub fn registered(&self, version: &Registered<'_>) -> String {
        let project = version.project;
        let registry = project.strip_prefix("wandb-registry-").unwrap_or(project);
        let selection = format!("{}/{project}/{}", version.org_entity, version.collection);
        format!(
            "{}/orgs/{}/registry/{}?selectionPath={}&view=membership&version=v{}",
            self.app,
            part(version.organization),
            part(registry),
            part(&selection),
            version.version
        )
    }
}

/// A version in a registry, as its page is named.
#[derive(Debug, Clone, Copy)]
pub struct Registered<'a> {
    /// As people name it.
    pub organization: &'a str,
    /// As the API names it.
    pub org_entity: &'a str,
    /// `wandb-registry-model`.
    pub project: &'a str,
    pub collection: &'a str,
    pub version: u64,
}

/// One part of a path, such as the name of a project.
pub fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The address of an API and what is to be said about it, or why it is none.
fn api(text: &str) -> Result<(String, Option<String>), String> {
    let text = address(text)?;
    let url = Url::parse(&text).map_err(|_| "it is no address".to_owned())?;
    let host = url.host_str().unwrap_or_default();
    if host == FORGE {
        return if url.path().trim_end_matches('/') == "/api/wandb" {
            Ok((FORGE_API.to_owned(), None))
        } else {
            Err(format!("`{host}` has the pages; write `{FORGE_API}`"))
        };
    }
    if matches!(host, "wandb.ai" | "www.wandb.ai" | "app.wandb.ai") {
        return Err(format!("`{host}` has the pages; write `{PUBLIC}`"));
    }
    if url.scheme() == "https" || is_loopback(&url) {
        return Ok((text, None));
    }
    let is_theirs = [".wandb.ai", ".wandb.io", ".coreweave.com"]
        .iter()
        .any(|domain| host.ends_with(domain));
    if is_theirs {
        return Err(format!("a key is not sent to `{host}` unencrypted; write `https://`"));
    }
    let warning = format!("`{text}` is not encrypted: the key of W&B and the models can be read on the way");
    Ok((text, Some(warning)))
}

/// A plain address without a `/` at its end.
fn address(text: &str) -> Result<String, String> {
    // Not shown where it may have a password.
    let shown = || {
        if text.contains('@') {
            String::new()
        } else {
            format!(": `{}`", clean(text, 100))
        }
    };
    let url = Url::parse(text).map_err(|_| format!("it is no address such as `{PUBLIC}`{}", shown()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("it does not begin with `https://`{}", shown()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user name; the key belongs into `WANDB_API_KEY`".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("it has more than a server and a path{}", shown()));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The address of the pages, out of that of the API.
fn app_of(api: &str) -> String {
    if api == FORGE_API {
        return format!("https://{FORGE}/wandb");
    }
    for (ours, theirs) in [("://api.wandb.", "://wandb."), ("://api.", "://app.")] {
        if api.contains(ours) {
            return api.replacen(ours, theirs, 1);
        }
    }
    api.to_owned()
}

/// The address of a host that is one by number.
pub fn ip(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address leads to this very machine.
pub fn is_loopback(url: &Url) -> bool {
    match ip(url) {
        Some(IpAddr::V4(ip)) => ip.is_loopback(),
        Some(IpAddr::V6(ip)) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        None => matches!(url.host_str(), Some("localhost")),
    }
}
