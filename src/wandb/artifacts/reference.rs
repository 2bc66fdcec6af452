//! Entries of a list of files whose contents are elsewhere: at an address, or in another artifact. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::digest::hex;
use super::manifest::ManifestEntry;
use super::names::check_path;

const SCHEME: &str = "wandb-artifact://";

/// What is known about the content at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checksum {
    /// What its server calls this state of it.
    Etag(String),
    /// Anything that changes when the content does.
    Given(String),
    /// The address alone: another content there is not noticed.
    Unknown,
}

/// A file that is not sent, but named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub uri: String,
    pub checksum: Checksum,
    pub size_bytes: u64,
}

impl Reference {
    pub(super) fn entry(&self) -> ManifestEntry {
        let mut extra = Map::new();
        let digest = match &self.checksum {
            Checksum::Etag(etag) => {
                extra.insert("etag".to_owned(), Value::from(etag.as_str()));
                etag
            }
            Checksum::Given(checksum) => checksum,
            Checksum::Unknown => &self.uri,
        };
        ManifestEntry {
            digest: digest.clone(),
            size_bytes: self.size_bytes,
            reference: Some(self.uri.clone()),
            birth_artifact: None,
            extra,
        }
    }
}

/// A file of another artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactReference {
    /// Its id.
    pub artifact: String,
    pub path: String,
}

impl ArtifactReference {
    /// `wandb-artifact://41727469666163743a31/model.json`; none if the id is not of the kind that W&B gives.
    pub fn uri(&self) -> Option<String> {
        let id = STANDARD.decode(&self.artifact).ok()?;
        check_path(&self.path).ok()?;
        Some(format!("{SCHEME}{}/{}", hex(&id), self.path))
    }

    pub fn from_uri(uri: &str) -> Option<Self> {
        let (id, path) = uri.strip_prefix(SCHEME)?.split_once('/')?;
        check_path(path).ok()?;
        let is_hex = !id.is_empty() && id.len().is_multiple_of(2) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return None;
        }
        let pairs = (0..id.len()).step_by(2).map(|at| id.get(at..at + 2));
        let bytes: Vec<u8> = pairs
            .map(|pair| u8::from_str_radix(pair?, 16).ok())
            .collect::<Option<_>>()?;
        Some(Self {
            artifact: STANDARD.encode(bytes),
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_digest_is_the_best_that_is_known() {
        let of = |checksum| {
            Reference {
                uri: "https://example.invalid/x.csv".to_owned(),
                checksum,
                size_bytes: 7,
            }
            .entry()
        };
        let etag = of(Checksum::Etag("\"e1\"".to_owned()));
        assert_eq!(etag.digest, "\"e1\"");
        assert_eq!(Value::Object(etag.extra), json!({"etag": "\"e1\""}));
        let given = of(Checksum::Given("sha256:12".to_owned()));
        assert_eq!((given.digest.as_str(), given.extra.len()), ("sha256:12", 0));
        let unknown = of(Checksum::Unknown);
        assert_eq!(unknown.digest, "https://example.invalid/x.csv");
        assert_eq!(unknown.reference.as_deref(), Some("https://example.invalid/x.csv"));
    }

    #[test]
    fn files_of_other_artifacts_have_an_address() {
        let reference = ArtifactReference {
            artifact: "QXJ0aWZhY3Q6MTA0".to_owned(),
            path: "a/model.json".to_owned(),
        };
        let uri = "wandb-artifact://41727469666163743a313034/a/model.json";
        assert_eq!(reference.uri().as_deref(), Some(uri));
        assert_eq!(ArtifactReference::from_uri(uri), Some(reference));
        for wrong in [
            "wandb-artifact://41727/a",
            "wandb-artifact:///a",
            "wandb-artifact://4x/a",
            "wandb-artifact://41/../a",
            "wandb-artifact://41/",
            "wandb-artifact://é1/a",
            "https://41/a",
        ] {
            assert_eq!(ArtifactReference::from_uri(wrong), None, "{wrong}");
        }
    }
}
