//! The list of an artifact's files: written as W&B reads it, and read as if a stranger had written it. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::digest::{Md5, artifact_digest};
use super::names::check_path;

/// The most that a list may have, as bytes and as entries.
pub(super) const MAX_BYTES: u64 = 128 << 20;
const MAX_ENTRIES: usize = 1_000_000;
const POLICY: &str = "wandb-storage-policy-v1";

/// What files an artifact has, by their paths.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    pub entries: BTreeMap<String, ManifestEntry>,
    /// How the contents are kept: the way that is in use, or the one before it.
    pub is_first_layout: bool,
    /// Where they are kept, if W&B says it.
    pub region: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct ManifestEntry {
    /// Of a file: Base64 of its MD5. Of a reference: anything.
    pub digest: String,
    pub size_bytes: u64,
    /// Where the content is, if W&B does not have it.
    pub reference: Option<String>,
    /// The artifact that first had the content.
    pub birth_artifact: Option<String>,
    pub extra: Map<String, Value>,
}

impl ManifestEntry {
    /// What the content is held against: a reference may have anything for a digest, and some files are named by another
    /// algorithm.
    pub fn md5(&self) -> Option<Md5> {
        let is_other = self.extra.get("alg").is_some_and(|algorithm| algorithm != "MD5");
        Md5::from_base64(&self.digest).filter(|_| self.reference.is_none() && !is_other)
    }
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    version: u64,
    storage_policy: String,
    #[serde(default)]
    storage_policy_config: Config,
    contents: BTreeMap<String, WrittenEntry>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Config {
    storage_layout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage_region: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WrittenEntry {
    digest: String,
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(rename = "birthArtifactID", default, skip_serializing_if = "Option::is_none")]
    birth_artifact: Option<String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extra: Option<Map<String, Value>>,
}

impl Manifest {
    /// By this W&B finds an artifact again that has the same files.
    pub fn digest(&self) -> String {
        let entries = self.entries.iter();
        artifact_digest(
            &entries
                .map(|(path, entry)| (path.as_str(), entry.digest.as_str()))
                .collect(),
        )
    }

    /// Whether it is the list that the artifact of this digest has; nothing can be said of one without files, or with files
    /// that are named by another algorithm than ours.
    pub fn is_of(&self, digest: &str) -> bool {
        let mut files = self
            .entries
            .values()
            .filter(|entry| entry.reference.is_none())
            .peekable();
        let is_ours = files.peek().is_some() && files.all(|entry| entry.md5().is_some());
        !is_ours || self.digest() == digest
    }

    pub fn to_json(&self) -> Vec<u8> {
        let written = Written {
            version: 1,
            storage_policy: POLICY.to_owned(),
            storage_policy_config: Config {
                storage_layout: Some(if self.is_first_layout { "V1" } else { "V2" }.to_owned()),
                storage_region: self.region.clone(),
            },
            contents: self
                .entries
                .iter()
                .map(|(path, entry)| (path.clone(), written(entry)))
                .collect(),
        };
        serde_json::to_vec(&written).expect("texts and numbers are JSON")
    }

    /// # Errors
    /// Why it is no list, or one that leads out of its artifact.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let found: Written = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if found.version != 1 || found.storage_policy != POLICY {
            return Err("it is of a kind that is not known".to_owned());
        }
        if found.contents.len() > MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} files"));
        }
        found.contents.keys().try_for_each(|path| check_path(path))?;
        Ok(Self {
            is_first_layout: found.storage_policy_config.storage_layout.as_deref() != Some("V2"),
            region: found.storage_policy_config.storage_region,
            entries: found
                .contents
                .into_iter()
                .map(|(path, entry)| (path, read(entry)))
                .collect(),
        })
    }
}

fn written(entry: &ManifestEntry) -> WrittenEntry {
    WrittenEntry {
        digest: entry.digest.clone(),
        reference: entry.reference.clone(),
        birth_artifact: entry.birth_artifact.clone(),
        size: Some(entry.size_bytes),
        extra: Some(entry.extra.clone()).filter(|extra| !extra.is_empty()),
    }
}

fn read(entry: WrittenEntry) -> ManifestEntry {
    ManifestEntry {
        digest: entry.digest,
        size_bytes: entry.size.unwrap_or(0),
        reference: entry.reference,
        birth_artifact: entry.birth_artifact,
        extra: entry.extra.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn from_value(value: &Value) -> Result<Manifest, String> {
        Manifest::from_json(value.to_string().as_bytes())
    }

    /// As the SDK writes it, with what it leaks.
    fn by_the_sdk() -> Value {
        json!({
            "version": 1,
            "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": {"storageLayout": "V2"},
            "contents": {
                "d.json": {
                    "digest": "U6pQWHWHLWHOi9FjhUFX4Q==", "size": 20, "birthArtifactID": "QXJ0aWZhY3Q6MTA0",
                    "local_path": "/tmp/x", "skip_cache": false
                },
                "x.csv": {
                    "digest": "https://example.invalid/x.csv", "ref": "https://example.invalid/x.csv", "size": 0,
                    "extra": {"etag": "e"}
                }
            }
        })
    }

    #[test]
    fn what_the_sdk_wrote_is_read_and_written_without_what_it_leaks() {
        let manifest = from_value(&by_the_sdk()).unwrap();
        assert_eq!(manifest.digest(), "257ba547308cc57eabb0d03889d9bdc4");
        assert!(!manifest.is_first_layout);
        assert!(manifest.entries["d.json"].md5().is_some());
        assert!(manifest.entries["x.csv"].md5().is_none());
        let mut expected = by_the_sdk();
        let leaky = expected["contents"]["d.json"].as_object_mut().unwrap();
        leaky.remove("local_path");
        leaky.remove("skip_cache");
        let written: Value = serde_json::from_slice(&manifest.to_json()).unwrap();
        assert_eq!(written, expected);
        assert_eq!(from_value(&written).unwrap(), manifest);
    }

    #[test]
    fn lists_are_those_of_their_artifacts() {
        let mut manifest = from_value(&by_the_sdk()).unwrap();
        assert!(manifest.is_of("257ba547308cc57eabb0d03889d9bdc4"));
        assert!(!manifest.is_of("257ba547308cc57eabb0d03889d9bdc5"));
        let file = manifest.entries.get_mut("d.json").unwrap();
        file.extra.insert("alg".to_owned(), json!("XXH128"));
        assert_eq!(file.md5(), None);
        assert!(manifest.is_of("another algorithm"));
        manifest.entries.remove("d.json");
        assert!(manifest.is_of("nobody can tell"));
    }

    #[test]
    fn older_lists_are_read() {
        let mut older = by_the_sdk();
        older["storagePolicyConfig"] = json!({});
        older["contents"]["d.json"].as_object_mut().unwrap().remove("size");
        let manifest = from_value(&older).unwrap();
        assert!(manifest.is_first_layout);
        assert_eq!(manifest.entries["d.json"].size_bytes, 0);
    }

    #[test]
    fn lists_of_strangers_are_refused_when_they_lead_out_or_are_of_another_kind() {
        for path in ["../x", "/etc/passwd", "a/../../b", "a/./b", "", "a\\b"] {
            let mut hostile = by_the_sdk();
            hostile["contents"][path] = json!({"digest": "d"});
            let error = from_value(&hostile).unwrap_err();
            assert!(error.contains("can not be the path"), "{error}");
        }
        let with = |name: &str, value: Value| {
            let mut other = by_the_sdk();
            other[name] = value;
            from_value(&other)
        };
        assert!(with("version", json!(2)).is_err());
        assert!(with("storagePolicy", json!("local")).is_err());
        assert!(with("contents", json!([])).is_err());
        assert!(with("contents", json!({"a": {"digest": "d", "size": -1}})).is_err());
        assert!(Manifest::from_json(b"").is_err());
    }
}
