//! Everything that the twin holds, and how it begins.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::artifacts::{Artifact, Manifest};
use super::collections::{Collection, Membership};
use super::faults::{Call, Fault};
use super::people::{AccessToken, Entity, Organization, Role, User};
use super::projects::{Project, Registry};
use super::runs::{Alert, Run};
use super::storage::{Multipart, Object};

/// The key of the user that the twin begins with: as long as the newest ones.
pub const KEY: &str = "wandb_v1_TwinTwinTwinTwinTwinTwinTwinTwinTwinTwin_TwinTwinTwinTwinTwinTwinTwinTwin0123456";

/// What servers of today can do beyond what every one can; `contract.rs` says what stands and falls with them.
const FEATURES: [(&str, bool); 16] = [
    ("ARTIFACT_COLLECTION_MEMBERSHIP_FILES", true),
    ("ARTIFACT_COLLECTIONS_FILTERING_SORTING", true),
    ("ARTIFACT_DIGEST_ALGORITHM", false),
    ("ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE", true),
    ("ARTIFACT_REGISTRY_SEARCH", true),
    ("ARTIFACT_TAGS", true),
    ("ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID", true),
    ("CLIENT_IDS", true),
    ("FILESTREAM_GZIP", false),
    ("INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION", true),
    ("LARGE_FILENAMES", false),
    ("MARK_RUN_FILES_UPLOADED", false),
    ("PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP", true),
    ("STRUCTURED_CONSOLE_LOGS", true),
    ("TOTAL_COUNT_IN_FILE_CONNECTION", true),
    ("USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION", true),
];

#[derive(Clone)]
pub struct State {
    pub url: String,
    pub storage_url: String,
    pub users: BTreeMap<String, User>,
    /// Whose an API key is.
    pub keys: BTreeMap<String, String>,
    /// Whom an identity token stands for.
    pub identity_tokens: BTreeMap<String, String>,
    pub access_tokens: BTreeMap<String, AccessToken>,
    /// How long an access token lives.
    pub access_seconds: i64,
    pub entities: BTreeMap<String, Entity>,
    pub organizations: BTreeMap<String, Organization>,
    pub projects: BTreeMap<u64, Project>,
    pub runs: BTreeMap<u64, Run>,
    pub artifacts: BTreeMap<u64, Artifact>,
    pub manifests: BTreeMap<u64, Manifest>,
    pub collections: BTreeMap<u64, Collection>,
    pub memberships: BTreeMap<u64, Membership>,
    pub alerts: Vec<Alert>,
    /// What storage holds, by path.
    pub objects: BTreeMap<String, Object>,
    pub multiparts: BTreeMap<String, Multipart>,
    /// Charts that users made, by entity and name.
    pub charts: BTreeMap<String, Value>,
    pub features: BTreeMap<String, bool>,
    /// A server that can not be asked for its features.
    pub is_old: bool,
    /// The aliases of an artifact that was there already move to it, as nobody promises.
    pub is_alias_moved_by_duplicate: bool,
    /// What the file stream says in its headers about the room that is left: remaining, and seconds until there is more.
    pub rate: Option<(u64, u64)>,
    /// How long a signed address is good for.
    pub signed_seconds: i64,
    /// How far the clock has been put forward.
    pub ahead_seconds: i64,
    pub calls: Vec<Call>,
    pub violations: Vec<String>,
    pub faults: Vec<Fault>,
    last_id: u64,
    /// As it was when somebody asked to keep it.
    pub kept: Option<Box<Self>>,
}

impl State {
    pub fn new(url: &str, storage_url: &str) -> Self {
        let features = FEATURES.iter().map(|(name, is_on)| ((*name).to_owned(), *is_on));
        let mut state = Self {
            url: url.to_owned(),
            storage_url: storage_url.to_owned(),
            users: BTreeMap::new(),
            keys: BTreeMap::new(),
            identity_tokens: BTreeMap::new(),
            access_tokens: BTreeMap::new(),
            access_seconds: 3600,
            entities: BTreeMap::new(),
            organizations: BTreeMap::new(),
            projects: BTreeMap::new(),
            runs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            manifests: BTreeMap::new(),
            collections: BTreeMap::new(),
            memberships: BTreeMap::new(),
            alerts: Vec::new(),
            objects: BTreeMap::new(),
            multiparts: BTreeMap::new(),
            charts: BTreeMap::new(),
            features: features.collect(),
            is_old: false,
            is_alias_moved_by_duplicate: false,
            rate: None,
            signed_seconds: 3600,
            ahead_seconds: 0,
            calls: Vec::new(),
            violations: Vec::new(),
            faults: Vec::new(),
            last_id: 100,
            kept: None,
        };
        state.organization("Acme", "acme_k7x2q");
        state.user("ada", KEY);
        state
            .team("ml-team", Some("Acme"))
            .members
            .insert("ada".to_owned(), Role::Admin);
        state.users.get_mut("ada").expect("she was made").default_entity = Some("ml-team".to_owned());
        for name in ["model", "dataset"] {
            state.registry("Acme", name);
        }
        state
    }

    /// Remembers everything as it is now.
    pub fn keep(&mut self) {
        let now = Self {
            kept: None,
            ..self.clone()
        };
        self.kept = Some(Box::new(now));
    }

    /// Everything is again as it was; whether it was kept.
    pub fn go_back(&mut self) -> bool {
        let Some(kept) = self.kept.take() else { return false };
        *self = Self {
            kept: Some(kept.clone()),
            ..*kept
        };
        true
    }

    pub fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub fn is_enabled(&self, feature: &str) -> bool {
        !self.is_old && self.features.get(feature) == Some(&true)
    }

    /// Milliseconds since 1970 by the clock of the server.
    pub fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond() + self.ahead_seconds * 1000
    }

    /// Now, as the API writes it.
    pub fn now(&self) -> String {
        let now = jiff::Timestamp::from_millisecond(self.now_ms()).expect("the clock is in this century");
        now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    pub fn breach(&mut self, what: String) {
        self.violations.push(what);
    }
}

/// How an object is called in the API: base64 of its kind and number.
pub fn global_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{kind}:{id}"))
}

/// The number in such a name, when it is one of this kind.
pub fn local_id(kind: &str, text: &str) -> Option<u64> {
    let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (found, id) = text.split_once(':')?;
    id.parse().ok().filter(|_| found == kind)
}
