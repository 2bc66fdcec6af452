//! What tests put into the twin without a client, and what they take out to look at it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::artifacts::{Artifact, ArtifactState, Manifest};
use super::collections;
use super::files::{Entry, content_path, digest_of, manifest_path, run_path};
use super::projects::PREFIX;
use super::runs::{Run, rewritten};
use super::state::{State, global_id};
use super::storage::{Object, Taker};

/// A version of an artifact as a run would have made it.
#[derive(Debug, Clone, Default)]
pub struct Version<'a> {
    pub entity: &'a str,
    pub project: &'a str,
    pub collection: &'a str,
    pub type_name: &'a str,
    /// The run that made it; made when it is new.
    pub run: &'a str,
    pub files: BTreeMap<String, Vec<u8>>,
    pub metadata: Value,
    pub aliases: Vec<String>,
}

/// Contents as storage keeps them.
fn object(bytes: &[u8]) -> Object {
    let mut taker = Taker::new();
    taker.take(bytes).expect("memory takes everything");
    taker.object(None)
}

impl State {
    /// A run that is there, finished when it is new.
    pub fn seed_run(&mut self, entity: &str, project: &str, name: &str) -> &mut Run {
        let project = self.project(entity, project).id;
        let id = self.run_named(project, name).unwrap_or_else(|| {
            let (id, created_at) = (self.next_id(), self.now());
            let run = Run {
                id,
                project,
                name: name.to_owned(),
                display_name: name.to_owned(),
                username: self.users.keys().next().cloned().unwrap_or_default(),
                state: "finished".to_owned(),
                exit_code: Some(0),
                config: json!({ "_wandb": { "value": { "t": { "13": "twin" } } } }).to_string(),
                summary: "{}".to_owned(),
                created_at,
                ..Run::default()
            };
            self.runs.insert(id, run);
            id
        });
        self.runs.get_mut(&id).expect("it was inserted or found")
    }

    /// A committed version of an artifact; its id.
    pub fn seed_version(&mut self, version: &Version<'_>) -> u64 {
        let run = self.seed_run(version.entity, version.project, version.run).id;
        let project = self.project(version.entity, version.project).id;
        let sequence = self
            .collection_named(project, version.collection)
            .unwrap_or_else(|| self.new_collection(project, version.collection, version.type_name, false));
        let (id, manifest_id, now) = (self.next_id(), self.next_id(), self.now());
        let (mut entries, mut contents, mut size) = (BTreeMap::new(), Map::new(), 0);
        for (name, bytes) in &version.files {
            let digest = STANDARD.encode(Md5::digest(bytes));
            let length = bytes.len() as u64;
            size += length;
            self.objects.insert(content_path(id, &digest), object(bytes));
            let line = json!({ "digest": digest, "size": length, "birthArtifactID": global_id("Artifact", id) });
            contents.insert(name.clone(), line);
            let entry = Entry {
                digest,
                size: length,
                reference: None,
                birth: id,
            };
            entries.insert(name.clone(), entry);
        }
        let text = json!({
            "version": 1, "storagePolicy": "wandb-storage-policy-v1",
            "storagePolicyConfig": { "storageLayout": "V2" }, "contents": contents,
        });
        let object = object(text.to_string().as_bytes());
        let manifest = Manifest {
            id: manifest_id,
            artifact: id,
            name: "wandb_manifest.json".to_owned(),
            digest: object.md5.clone(),
        };
        self.objects.insert(manifest_path(&manifest), object);
        self.manifests.insert(manifest_id, manifest);
        let metadata = Some(version.metadata.to_string()).filter(|_| !version.metadata.is_null());
        let artifact = Artifact {
            id,
            sequence,
            state: ArtifactState::Committed,
            digest: digest_of(&entries),
            description: None,
            metadata: metadata.as_deref().and_then(rewritten),
            client_id: None,
            run: Some(run),
            username: self.runs[&run].username.clone(),
            created_at: now.clone(),
            updated_at: now,
            tags: Vec::new(),
            wanted_aliases: Vec::new(),
            history_step: None,
            ttl_seconds: None,
            manifest: Some(manifest_id),
            entries,
            size,
        };
        self.artifacts.insert(id, artifact);
        self.runs.get_mut(&run).expect("it was made").outputs.push(id);
        self.add_named(sequence, id, &version.aliases);
        id
    }

    /// Links a version into a collection of a registry; its number there.
    pub fn seed_link(
        &mut self,
        artifact: u64,
        organization: &str,
        registry: &str,
        collection: &str,
        aliases: &[String],
    ) -> u64 {
        let entity = self.organizations[organization].entity.clone();
        self.registry(organization, registry);
        let project = self.project(&entity, &format!("{PREFIX}{registry}")).id;
        let type_name = self.collections[&self.artifacts[&artifact].sequence].type_name.clone();
        let collection = self
            .collection_named(project, collection)
            .unwrap_or_else(|| self.new_collection(project, collection, &type_name, true));
        self.add_named(collection, artifact, aliases)
    }

    fn add_named(&mut self, collection: u64, artifact: u64, aliases: &[String]) -> u64 {
        let membership = self.add_version(collection, artifact);
        let into = self.collections.get_mut(&collection).expect("a collection stays");
        into.aliases
            .extend(aliases.iter().map(|alias| (alias.clone(), membership)));
        self.memberships[&membership].index
    }

    /// An artifact by its path: `collection:alias`, `collection:v3`, `collection`.
    pub fn artifact(&self, entity: &str, project: &str, name: &str) -> Option<&Artifact> {
        let project = self.project_named(entity, project)?;
        let id = collections::artifact_at(self, project, name)?;
        self.artifacts.get(&id)
    }

    /// The aliases of a version, `latest` among them.
    pub fn aliases_at(&self, entity: &str, project: &str, name: &str) -> Vec<String> {
        let project = self.project_named(entity, project);
        let membership = project.and_then(|project| collections::membership_at(self, project, name));
        membership
            .map(|membership| self.aliases_of(membership))
            .unwrap_or_default()
    }

    /// The number of a version in its collection.
    pub fn index_at(&self, entity: &str, project: &str, name: &str) -> Option<u64> {
        let project = self.project_named(entity, project)?;
        let membership = collections::membership_at(self, project, name)?;
        Some(self.memberships[&membership].index)
    }

    /// The contents of a file of an artifact.
    pub fn content(&self, artifact: &Artifact, name: &str) -> Option<Vec<u8>> {
        let entry = artifact.entries.get(name)?;
        let object = self.objects.get(&content_path(entry.birth, &entry.digest))?;
        object.content.bytes().ok()
    }

    /// The contents of a file of a run.
    pub fn run_file(&self, entity: &str, project: &str, run: &str, name: &str) -> Option<Vec<u8>> {
        let run = self.run(entity, project, run)?;
        self.objects.get(&run_path(run.id, name))?.content.bytes().ok()
    }
}
