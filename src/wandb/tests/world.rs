//! A client and the twin of W&B.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::wandb::artifacts::{Content, Entry, NewArtifact};
use crate::wandb::client::{Client, Settings};
use crate::wandb::hosts::Hosts;
use crate::wandb::key::{Key, KeySource};
use crate::wandb::oidc::Credentials;
use crate::wandb::operations::{CollectionPath, Membership, RunPath, UpsertRun, upsert_run, version, versions};
use crate::wandb::retry::Pace;
use crate::wandb_twin::Twin;

pub const ENTITY: &str = "ml-team";
pub const PROJECT: &str = "diabetes";
pub const ORGANIZATION: &str = "acme_k7x2q";
pub const REGISTRY: &str = "wandb-registry-model";

pub struct World {
    pub twin: Twin,
    pub client: Client,
    pub run: RunPath,
}

impl World {
    /// With a run in the project.
    pub async fn start() -> Self {
        let twin = Twin::start();
        let client = client(&twin);
        let run = UpsertRun {
            name: "run-1".to_owned(),
            entity: Some(ENTITY.to_owned()),
            project: PROJECT.to_owned(),
            ..UpsertRun::default()
        };
        let run = upsert_run(&client, &run).await.unwrap().path;
        Self { twin, client, run }
    }

    pub async fn version(&self, name: &str) -> Option<Membership> {
        version(&self.client, ENTITY, PROJECT, name).await.unwrap()
    }

    /// How many versions a collection has; none if it is not there.
    pub async fn n_versions(&self, collection: &str) -> usize {
        let found = versions(&self.client, ENTITY, PROJECT, collection).await.unwrap();
        found.unwrap_or_default().len()
    }

    /// How often something was called, as the journal names it.
    pub fn n_calls(&self, operation: &str) -> usize {
        let calls = self.twin.calls();
        calls.iter().filter(|call| call.operation == operation).count()
    }

    pub fn assert_sound(&self) {
        assert_eq!(self.twin.violations(), Vec::<String>::new());
    }
}

pub fn client(twin: &Twin) -> Client {
    Client::new(settings(twin)).unwrap()
}

pub fn settings(twin: &Twin) -> Settings {
    let hosts = Hosts::new(Some(&twin.url()), None).unwrap();
    let key = Key::parse(&twin.key(), KeySource::Environment).unwrap();
    Settings {
        pace: Pace(Duration::from_millis(1)),
        ..Settings::new(hosts, Credentials::Key(key))
    }
}

pub fn collection(name: &str) -> CollectionPath {
    CollectionPath {
        entity: ENTITY.to_owned(),
        project: PROJECT.to_owned(),
        collection: name.to_owned(),
    }
}

pub fn registered(name: &str) -> CollectionPath {
    CollectionPath {
        entity: ORGANIZATION.to_owned(),
        project: REGISTRY.to_owned(),
        collection: name.to_owned(),
    }
}

/// A model of these files.
pub fn model(name: &str, files: &[(&str, &str)]) -> NewArtifact {
    NewArtifact {
        entity: ENTITY.to_owned(),
        project: PROJECT.to_owned(),
        run: Some("run-1".to_owned()),
        type_name: "model".to_owned(),
        name: name.to_owned(),
        description: None,
        metadata: Some(Value::Object(serde_json::Map::new())),
        aliases: Vec::new(),
        tags: Vec::new(),
        entries: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), file(text)))
            .collect::<BTreeMap<_, _>>(),
        client_ids: None,
    }
}

pub fn file(text: &str) -> Entry {
    Entry::File(Content::Bytes(text.as_bytes().to_vec()))
}
