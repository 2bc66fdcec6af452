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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_plain_and_lead_to_their_pages() {
        for (base, api, app) in [
            (None, "https://api.wandb.ai", "https://wandb.ai"),
            (Some("  "), "https://api.wandb.ai", "https://wandb.ai"),
            (
                Some(" https://api.wandb.ai/ "),
                "https://api.wandb.ai",
                "https://wandb.ai",
            ),
            (
                Some("https://API.wandb.ai//"),
                "https://api.wandb.ai",
                "https://wandb.ai",
            ),
            (
                Some("https://api.forge.coreweave.com"),
                "https://api.forge.coreweave.com",
                "https://forge.coreweave.com/wandb",
            ),
            (
                Some("https://forge.coreweave.com/api/wandb/"),
                "https://api.forge.coreweave.com",
                "https://forge.coreweave.com/wandb",
            ),
            (
                Some("https://api.qa.example"),
                "https://api.qa.example",
                "https://app.qa.example",
            ),
            (
                Some("https://ml.example.com:8443/wandb/"),
                "https://ml.example.com:8443/wandb",
                "https://ml.example.com:8443/wandb",
            ),
            (
                Some("https://acme.wandb.io"),
                "https://acme.wandb.io",
                "https://acme.wandb.io",
            ),
            (
                Some("http://127.0.0.1:8080"),
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080",
            ),
            (
                Some("http://localhost:8080/"),
                "http://localhost:8080",
                "http://localhost:8080",
            ),
            (Some("http://[::1]:8080/"), "http://[::1]:8080", "http://[::1]:8080"),
        ] {
            let hosts = Hosts::new(base, None).unwrap();
            assert_eq!((hosts.api(), hosts.app.as_str()), (api, app), "{base:?}");
            assert_eq!(hosts.warning(), None, "{base:?}");
        }
        let hosts = Hosts::new(None, Some("https://pages.example/w/")).unwrap();
        assert_eq!(hosts.app, "https://pages.example/w");
        assert_eq!(hosts.machine(), "api.wandb.ai");
    }

    #[test]
    fn what_is_no_api_or_would_show_the_key_is_refused_with_what_to_write() {
        for (base, says) in [
            ("https://wandb.ai", "write `https://api.wandb.ai`"),
            ("https://wandb.ai/acme/diabetes", "write `https://api.wandb.ai`"),
            ("http://app.wandb.ai", "write `https://api.wandb.ai`"),
            ("https://www.wandb.ai/", "write `https://api.wandb.ai`"),
            ("https://forge.coreweave.com", "write `https://api.forge.coreweave.com`"),
            ("http://api.wandb.ai", "write `https://`"),
            ("http://acme.wandb.io", "write `https://`"),
            ("http://api.forge.coreweave.com", "write `https://`"),
            ("api.wandb.ai", "no address"),
            ("localhost:8080", "does not begin with `https://`"),
            ("ftp://wandb.example", "does not begin with `https://`"),
            ("https://", "no address"),
            ("https://w.example/?x=1", "more than a server and a path"),
            ("https://w.example/#x", "more than a server and a path"),
        ] {
            let error = Hosts::new(Some(base), None).unwrap_err();
            assert!(error.why.contains(says), "{base}: {error}");
            assert!(error.to_string().starts_with("`WANDB_BASE_URL`"), "{error}");
        }
        let error = Hosts::new(Some("https://me:hunter2@w.example"), None).unwrap_err();
        assert!(
            error.why.contains("`WANDB_API_KEY`") && !error.why.contains("hunter2"),
            "{error}"
        );
        let error = Hosts::new(Some("me:hunter2@w.example"), None).unwrap_err();
        assert!(!error.why.contains("hunter2"), "{error}");
        let error = Hosts::new(None, Some("pages")).unwrap_err();
        assert_eq!(error.name, "`WANDB_APP_URL`");
    }

    #[test]
    fn a_server_of_ones_own_may_be_plain_and_that_is_said() {
        let hosts = Hosts::new(Some("http://wandb.internal:8080"), None).unwrap();
        assert!(
            hosts
                .warning()
                .unwrap()
                .contains("`http://wandb.internal:8080` is not encrypted")
        );
        // Only names of the whole domain are W&B's own.
        assert!(
            Hosts::new(Some("http://notwandb.ai"), None)
                .unwrap()
                .warning()
                .is_some()
        );
    }

    #[test]
    fn links_lead_to_runs_and_versions() {
        let hosts = Hosts::new(None, None).unwrap();
        assert_eq!(
            hosts.run("acme", "diabetes", "gh-17-1"),
            "https://wandb.ai/acme/diabetes/runs/gh-17-1"
        );
        assert_eq!(
            hosts.run("a b", "ö/x", "r?"),
            "https://wandb.ai/a%20b/%C3%B6%2Fx/runs/r%3F"
        );
        assert_eq!(
            hosts.artifact("acme", "diabetes", "model", "ridge", 3),
            "https://wandb.ai/acme/diabetes/artifacts/model/ridge/v3"
        );
        let version = Registered {
            organization: "Acme Corp",
            org_entity: "acme-org_x",
            project: "wandb-registry-model",
            collection: "diabetes",
            version: 0,
        };
        assert_eq!(
            hosts.registered(&version),
            "https://wandb.ai/orgs/Acme%20Corp/registry/model?selectionPath=acme-org_x%2Fwandb-registry-model%2Fdiabetes\
             &view=membership&version=v0"
        );
    }
}
