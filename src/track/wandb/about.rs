//! What an artifact's metadata say about a version: for people and queries as it is, for us to the letter. Pure.
//!
//! W&B keeps metadata as a JSON object whose keys may come back in another order, and whose numbers may be rounded. So
//! what has to come back as it was is a text below [`OURS`]; beside it stand the same values for whoever looks at the
//! version in W&B. Only the text is ever read back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base::{Digest, ModelName, Timestamp, VersionNumber};
use crate::track::{ModelVersion, content_digest};
use crate::wandb::{Membership, VersionInfo};

/// The key that is ours alone.
pub const OURS: &str = "_mlops";
/// W&B takes at most a hundred keys; a version that has more to say says it in our text only.
const MAX_SHOWN: usize = 90;
const FORMAT: u64 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Ours {
    format: u64,
    digest: Digest,
    /// File name → digest of its content.
    files: BTreeMap<String, Digest>,
    actor: String,
    at: Timestamp,
    /// The metadata, as JSON text.
    metadata: String,
}

/// The metadata of the artifact that holds a version.
pub fn written(version: &ModelVersion) -> Value {
    let mut all = Map::new();
    if let Value::Object(fields) = &version.metadata
        && fields.len() <= MAX_SHOWN
    {
        let shown = fields.iter().filter(|(name, _)| !name.is_empty() && *name != OURS);
        all.extend(shown.map(|(name, value)| (name.clone(), value.clone())));
    }
    let ours = Ours {
        format: FORMAT,
        digest: version.digest,
        files: version.files.clone(),
        actor: version.actor.clone(),
        at: version.at,
        metadata: version.metadata.to_string(),
    };
    let ours = serde_json::to_value(ours).expect("text keys and plain values only");
    all.insert(OURS.to_owned(), ours);
    Value::Object(all)
}

/// What there is to read a version from.
pub struct Kept<'a> {
    pub number: VersionNumber,
    /// W&B's own digest of the artifact.
    pub digest: &'a str,
    pub metadata: Option<&'a Value>,
    pub at: Timestamp,
}

impl<'a> Kept<'a> {
    pub fn of_version(version: &'a VersionInfo) -> Self {
        Self {
            number: VersionNumber(version.index),
            digest: &version.digest,
            metadata: version.metadata.as_ref(),
            at: version.created_at,
        }
    }

    pub fn of_membership(number: VersionNumber, membership: &'a Membership) -> Self {
        Self {
            number,
            digest: &membership.artifact.digest,
            metadata: membership.artifact.metadata.as_ref(),
            at: membership.created_at,
        }
    }
}

/// The version that an artifact holds. One that somebody else has linked is a version too, without files that we know:
/// it is shown, and can not be served.
pub fn read(model: &ModelName, kept: &Kept<'_>) -> ModelVersion {
    let ours = kept.metadata.and_then(|metadata| metadata.get(OURS));
    let ours = ours.and_then(|ours| serde_json::from_value::<Ours>(ours.clone()).ok());
    let ours = ours.filter(|ours| ours.format == FORMAT && content_digest(&ours.files) == ours.digest);
    let Some((ours, metadata)) = ours.and_then(|ours| {
        let metadata = serde_json::from_str(&ours.metadata).ok()?;
        Some((ours, metadata))
    }) else {
        return ModelVersion {
            model: model.clone(),
            number: kept.number,
            digest: Digest::of(kept.digest.as_bytes()),
            files: BTreeMap::new(),
            metadata: kept.metadata.cloned().unwrap_or_default(),
            actor: "somebody else".to_owned(),
            at: kept.at,
        };
    };
    ModelVersion {
        model: model.clone(),
        number: kept.number,
        digest: ours.digest,
        files: ours.files,
        metadata,
        actor: ours.actor,
        at: ours.at,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(metadata: Value) -> ModelVersion {
        let files = BTreeMap::from([("model.json".to_owned(), Digest::of(b"{}"))]);
        ModelVersion {
            model: "diabetes".parse().unwrap(),
            number: VersionNumber(4),
            digest: content_digest(&files),
            files,
            metadata,
            actor: "ada".to_owned(),
            at: Timestamp(1_700_000_000),
        }
    }

    fn kept(metadata: &Value) -> Kept<'_> {
        Kept {
            number: VersionNumber(4),
            digest: "67f0be03e0118880f39da0f2030ff28c",
            metadata: Some(metadata),
            at: Timestamp(1_795_428_000),
        }
    }

    #[test]
    fn what_is_ours_comes_back_to_the_letter() {
        let many: Map<String, Value> = (0..200).map(|i| (i.to_string(), json!(i))).collect();
        for metadata in [
            json!({"b": 1, "a": 0.1 + 0.2, "_mlops": "theirs", "": null}),
            json!("text"),
            json!(null),
            Value::Object(many),
        ] {
            let version = version(metadata);
            let written = written(&version);
            assert!(written.as_object().unwrap().len() <= 100);
            let read = read(&version.model, &kept(&written));
            assert_eq!(read, version);
            assert_eq!(read.metadata.to_string(), version.metadata.to_string());
        }
    }

    #[test]
    fn people_see_the_metrics() {
        let written = written(&version(json!({"metrics": {"rmse": 53.1}, "passed": true})));
        assert_eq!(written["metrics"]["rmse"], json!(53.1));
        assert_eq!(written["passed"], json!(true));
    }

    #[test]
    fn what_somebody_else_linked_is_a_version_without_files() {
        let mut forged = written(&version(json!({})));
        forged[OURS]["digest"] = json!(Digest::of(b"something else"));
        for metadata in [json!(null), json!({"accuracy": 0.9}), json!({"_mlops": 7}), forged] {
            let read = read(&"diabetes".parse().unwrap(), &kept(&metadata));
            assert_eq!((read.files.len(), read.number), (0, VersionNumber(4)));
            assert_eq!(read.at, Timestamp(1_795_428_000));
            assert_eq!(read.metadata, metadata);
        }
    }
}
