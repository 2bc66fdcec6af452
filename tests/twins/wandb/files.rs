//! Files of runs and of artifacts: places to put them, the manifest that lists them, addresses to get them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::Value;

use super::artifacts::{ArtifactState, Manifest};
use super::execute::{Answer, Args, Node, Out, Refusal, leaf, made, node, null, refuse, texts, unplayed};
use super::pages::{Item, connection};
use super::people::Caller;
use super::runs::Run;
use super::state::{State, global_id, local_id};
use super::storage::{Content, Multipart, Object, Permit};

/// A line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub digest: String,
    pub size: u64,
    /// Where it is, when it is not in the storage of W&B.
    pub reference: Option<String>,
    /// The artifact that brought the contents.
    pub birth: u64,
}

const MANIFEST_NAME: &str = "wandb_manifest.json";

/// Base64 of an MD5 in hexadecimal letters; nothing when it is none.
pub fn hex(digest: &str) -> Option<String> {
    let bytes = STANDARD.decode(digest).ok().filter(|bytes| bytes.len() == 16)?;
    let letters = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0'));
    Some(bytes.iter().flat_map(letters).collect())
}

/// Where the contents with a digest are that an artifact brought.
pub fn content_path(birth: u64, digest: &str) -> String {
    format!("wandb_artifacts/{birth}/{}", hex(digest).unwrap_or_default())
}

pub fn run_path(run: u64, name: &str) -> String {
    format!("runs/{run}/{name}")
}

pub fn manifest_path(manifest: &Manifest) -> String {
    format!("manifests/{}/{}", manifest.id, manifest.name)
}

/// A path inside of a folder, with `/` between its parts.
fn is_inside(name: &str) -> bool {
    !name.is_empty() && !name.contains('\\') && name.split('/').all(|part| !["", ".", ".."].contains(&part))
}

fn file(name: &str, object: Option<&Object>, direct_url: String, beside: Vec<(&'static str, Out)>) -> Out {
    let md5 = object.map(|object| object.md5.clone());
    let mut fields = beside;
    fields.extend([
        ("id", leaf(STANDARD.encode(format!("File:{name}")))),
        ("name", leaf(name)),
        ("displayName", leaf(name)),
        ("url", leaf(direct_url.clone())),
        ("directUrl", leaf(direct_url)),
        ("uploadUrl", null()),
        ("uploadHeaders", texts(&[])),
        ("uploadMultipartUrls", null()),
        ("storagePath", null()),
        ("sizeBytes", leaf(object.map_or(0, |object| object.size))),
        ("mimetype", leaf(object.and_then(|object| object.content_type.clone()))),
        ("md5", leaf(md5.clone())),
        ("digest", leaf(md5)),
        ("updatedAt", null()),
        ("artifact", null()),
    ]);
    made("File", fields)
}

pub fn create_run_files(state: &mut State, caller: &Caller, input: &Args, what: &str) -> Answer {
    let id = state.writable_run(caller, input, what)?;
    let names = input.texts("files").unwrap_or_default();
    if let Some(name) = names.iter().find(|name| !is_inside(name)) {
        return Err(refuse(400, format!("invalid file name `{name}`")));
    }
    if what == "markRunFilesUploaded" {
        state.runs.get_mut(&id).expect("it was found").uploaded.extend(names);
        return Ok(made("MarkRunFilesUploadedPayload", vec![("success", leaf(true))]));
    }
    let now = state.now();
    let run = state.runs.get_mut(&id).expect("it was found");
    run.files.extend(names.iter().map(|name| (name.clone(), now.clone())));
    let files = names.iter().map(|name| {
        let path = run_path(id, name);
        let upload = state.sign("PUT", &path, &Permit::default());
        let beside = vec![("uploadUrl", leaf(upload))];
        file(name, None, state.sign("GET", &path, &Permit::default()), beside)
    });
    Ok(made(
        "CreateRunFilesPayload",
        vec![
            ("files", Out::List(files.collect())),
            ("runID", leaf(global_id("Run", id))),
            ("uploadHeaders", texts(&[])),
        ],
    ))
}

/// Files of a run that are there, or that may be sent when `upload` is asked for.
pub fn run_files(state: &State, run: &Run, field: &str, args: &Args) -> Out {
    let object = |name: &str| state.objects.get(&run_path(run.id, name));
    if field == "fileCount" {
        return leaf(run.files.keys().filter(|name| object(name).is_some()).count());
    }
    let wanted = args.texts("names").filter(|names| !names.is_empty());
    let is_upload = args.truth("upload");
    let names: Vec<String> = match (&wanted, is_upload) {
        (Some(names), true) => names.clone(),
        _ => run.files.keys().cloned().collect(),
    };
    let names = names
        .iter()
        .filter(|name| wanted.as_ref().is_none_or(|wanted| wanted.contains(name)));
    let names = names.filter(|name| is_upload || object(name).is_some());
    let items = names.map(|name| {
        let path = run_path(run.id, name);
        let method = if is_upload { "PUT" } else { "GET" };
        let url = state.sign(method, &path, &Permit::default());
        let beside = vec![("updatedAt", leaf(run.files.get(name).cloned()))];
        Item::made(file(name, object(name), url, beside))
    });
    connection("FileConnection", "FileEdge", args, items.collect())
}

pub fn create_manifest(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = state.writable_artifact(caller, &input.needed("artifactID"))?;
    if input.text("type") != Some("FULL") || input.text("name") != Some(MANIFEST_NAME) {
        return Err(refuse(501, "the twin plays full manifests only"));
    }
    if let Some(base) = input.text("baseArtifactID")
        && local_id("Artifact", base).is_none_or(|base| !state.artifacts.contains_key(&base))
    {
        return Err(refuse(404, "base artifact not found"));
    }
    let digest = input.needed("digest");
    if !digest.is_empty() && hex(&digest).is_none() {
        return Err(refuse(400, format!("invalid digest `{digest}`")));
    }
    if state.artifacts[&id].state != ArtifactState::Pending {
        return Err(refuse(400, "the artifact is not pending"));
    }
    let manifest = state.artifacts[&id].manifest.unwrap_or_else(|| {
        let manifest_id = state.next_id();
        let manifest = Manifest {
            id: manifest_id,
            artifact: id,
            name: MANIFEST_NAME.to_owned(),
            digest: String::new(),
        };
        state.manifests.insert(manifest_id, manifest);
        state.artifacts.get_mut(&id).expect("it was found").manifest = Some(manifest_id);
        manifest_id
    });
    if !digest.is_empty() {
        state.manifests.get_mut(&manifest).expect("it was made or found").digest = digest;
    }
    Ok(made(
        "CreateArtifactManifestPayload",
        vec![("artifactManifest", node(Node::Manifest(manifest)))],
    ))
}

pub fn update_manifest(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    let id = local_id("ArtifactManifest", &input.needed("artifactManifestID"));
    let manifest = id.and_then(|id| state.manifests.get(&id));
    let manifest = manifest.ok_or_else(|| refuse(404, "artifact manifest not found"))?;
    let id = manifest.id;
    state.writable_artifact(caller, &global_id("Artifact", manifest.artifact))?;
    if let Some(digest) = input.owned("digest") {
        hex(&digest).ok_or_else(|| refuse(400, format!("invalid digest `{digest}`")))?;
        state.manifests.get_mut(&id).expect("it was found").digest = digest;
    }
    Ok(made(
        "UpdateArtifactManifestPayload",
        vec![("artifactManifest", node(Node::Manifest(id)))],
    ))
}

pub fn manifest_field(state: &State, id: u64, field: &str) -> Answer {
    let Some(manifest) = state.manifests.get(&id) else {
        return Ok(null());
    };
    Ok(match field {
        "id" => leaf(global_id("ArtifactManifest", id)),
        "file" => {
            let path = manifest_path(manifest);
            let mut beside = Vec::new();
            if !manifest.digest.is_empty() {
                let permit = Permit::of(&manifest.digest, "application/json");
                beside.push(("uploadHeaders", texts(&permit.headers())));
                beside.push(("uploadUrl", leaf(state.sign("PUT", &path, &permit))));
            }
            let direct = state.sign("GET", &path, &Permit::default());
            file(&manifest.name, state.objects.get(&path), direct, beside)
        }
        _ => return unplayed("ArtifactManifest", field),
    })
}

pub fn create_artifact_files(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    if input.text("storageLayout") != Some("V2") {
        return Err(refuse(501, "the twin plays the storage layout V2 only"));
    }
    let mut items = Vec::new();
    for spec in input.inputs("artifactFiles") {
        items.push(Item::made(artifact_file(state, caller, &spec)?));
    }
    Ok(made(
        "CreateArtifactFilesPayload",
        vec![(
            "files",
            connection("FileConnection", "FileEdge", &Args::default(), items),
        )],
    ))
}

fn artifact_file(state: &mut State, caller: &Caller, spec: &Args) -> Result<Out, Refusal> {
    let id = state.writable_artifact(caller, &spec.needed("artifactID"))?;
    let (name, digest) = (spec.needed("name"), spec.needed("md5"));
    if !is_inside(&name) {
        return Err(refuse(400, format!("invalid file name `{name}`")));
    }
    if hex(&digest).is_none() {
        return Err(refuse(400, format!("invalid MD5 `{digest}` of {name}")));
    }
    let artifact = &state.artifacts[&id];
    if artifact.state != ArtifactState::Pending {
        return Err(refuse(400, "the artifact is not pending"));
    }
    if let Some(manifest) = spec.text("artifactManifestID")
        && local_id("ArtifactManifest", manifest) != artifact.manifest
    {
        return Err(refuse(404, "artifact manifest not found"));
    }
    let sequence = artifact.sequence;
    let known = state.collections[&sequence].births.get(&digest).copied();
    let known = known.filter(|birth| state.objects.contains_key(&content_path(*birth, &digest)));
    let birth = known.unwrap_or(id);
    let births = &mut state.collections.get_mut(&sequence).expect("a sequence stays").births;
    births.insert(digest.clone(), birth);
    let path = content_path(birth, &digest);
    let mut beside = vec![
        ("storagePath", leaf(path.clone())),
        ("artifact", node(Node::Artifact(birth))),
    ];
    if known.is_none() {
        let permit = Permit::of(&digest, spec.text("mimetype").unwrap_or("application/octet-stream"));
        beside.push(("uploadUrl", leaf(state.sign("PUT", &path, &permit))));
        beside.push(("uploadHeaders", texts(&permit.headers())));
        let parts = spec.inputs("uploadPartsInput");
        if !parts.is_empty() {
            beside.push(("uploadMultipartUrls", multipart(state, &path, &parts, &permit)?));
        }
    }
    let direct = state.sign("GET", &path, &Permit::default());
    Ok(file(&name, state.objects.get(&path), direct, beside))
}

fn multipart(state: &mut State, path: &str, parts: &[Args], permit: &Permit) -> Result<Out, Refusal> {
    let upload = format!("upload-{}", state.next_id());
    let mut wanted = BTreeMap::new();
    let mut urls = Vec::new();
    for part in parts {
        let number = part.number("partNumber").filter(|number| (1..=10_000).contains(number));
        let number = number.ok_or_else(|| refuse(400, "invalid part number"))?;
        let hex_md5 = part.needed("hexMD5");
        let bytes: Option<Vec<u8>> = (0..hex_md5.len() / 2)
            .map(|place| u8::from_str_radix(hex_md5.get(place * 2..place * 2 + 2)?, 16).ok())
            .collect();
        let bytes = bytes.filter(|bytes| bytes.len() == 16 && hex_md5.len() == 32);
        let bytes = bytes.ok_or_else(|| refuse(400, format!("invalid MD5 `{hex_md5}` of part {number}")))?;
        let permit = Permit {
            digest: Some(STANDARD.encode(bytes)),
            part: Some((upload.clone(), number)),
            ..permit.clone()
        };
        let url = state.sign("PUT", path, &permit);
        urls.push(made(
            "UploadUrlPart",
            vec![("partNumber", leaf(number)), ("uploadUrl", leaf(url))],
        ));
        wanted.insert(number, hex_md5);
    }
    let begun = Multipart {
        path: path.to_owned(),
        content_type: permit.content_type.clone(),
        wanted,
        parts: BTreeMap::new(),
    };
    state.multiparts.insert(upload.clone(), begun);
    Ok(made(
        "UploadMultipartUrls",
        vec![("uploadID", leaf(upload)), ("uploadUrlParts", Out::List(urls))],
    ))
}

pub fn complete_multipart(state: &mut State, caller: &Caller, input: &Args) -> Answer {
    state.writable_artifact(caller, &input.needed("artifactID"))?;
    let (upload, path) = (input.needed("uploadID"), input.needed("storagePath"));
    let digest = path.rsplit('/').next().unwrap_or_default().to_owned();
    // Somebody who asks again wants to hear the same.
    if let Some(object) = state.objects.get(&path)
        && !state.multiparts.contains_key(&upload)
    {
        return Ok(completed(&object.md5));
    }
    let begun = state.multiparts.get(&upload).filter(|begun| begun.path == path);
    let begun = begun.ok_or_else(|| refuse(404, "the multipart upload does not exist"))?;
    let said = input.inputs("completedParts");
    let said: BTreeMap<usize, String> = said
        .iter()
        .filter_map(|part| Some((part.number("partNumber")?, part.needed("hexMD5"))))
        .collect();
    let sent = begun.parts.iter().map(|(number, part)| (*number, part.etag()));
    if said != sent.collect() || said.len() != begun.wanted.len() {
        return Err(refuse(400, "the parts are not those that were sent"));
    }
    let whole = begun.whole().map_err(|error| refuse(500, error.to_string()))?;
    if hex(&whole.md5).as_ref() != Some(&digest) {
        return Err(refuse(400, "the parts do not make the file that was announced"));
    }
    let md5 = whole.md5.clone();
    state.objects.insert(path, whole);
    state.multiparts.remove(&upload);
    Ok(completed(&md5))
}

fn completed(digest: &str) -> Out {
    made("CompleteMultipartUploadArtifactPayload", vec![("digest", leaf(digest))])
}

/// The entries of an artifact that may be committed: its manifest is there, means what was announced, and every file in
/// it was sent.
pub fn committable(state: &State, artifact: u64) -> Result<BTreeMap<String, Entry>, Refusal> {
    let manifest = state.artifacts[&artifact]
        .manifest
        .and_then(|id| state.manifests.get(&id));
    let object = manifest.and_then(|manifest| state.objects.get(&manifest_path(manifest)));
    let (Some(manifest), Some(object)) = (manifest, object) else {
        return Err(refuse(400, "cannot commit artifact: its manifest was not uploaded"));
    };
    if object.md5 != manifest.digest {
        return Err(refuse(400, "cannot commit artifact: another manifest was announced"));
    }
    let text = object.content.bytes().map_err(|error| refuse(500, error.to_string()))?;
    let entries = read_manifest(&text, artifact)?;
    if digest_of(&entries) != state.artifacts[&artifact].digest {
        return Err(refuse(
            400,
            "cannot commit artifact: the manifest has another digest than the artifact",
        ));
    }
    for (name, entry) in entries.iter().filter(|(_, entry)| entry.reference.is_none()) {
        match state.objects.get(&content_path(entry.birth, &entry.digest)) {
            Some(object) if object.size == entry.size => {}
            Some(_) => return Err(refuse(400, format!("cannot commit artifact: {name} has another size"))),
            None => return Err(refuse(400, format!("cannot commit artifact: {name} was not uploaded"))),
        }
    }
    Ok(entries)
}

fn read_manifest(text: &[u8], artifact: u64) -> Result<BTreeMap<String, Entry>, Refusal> {
    let wrong = |what: &str| refuse(400, format!("cannot commit artifact: invalid manifest: {what}"));
    let manifest: Value = serde_json::from_slice(text).map_err(|error| wrong(&error.to_string()))?;
    let is_known = manifest["version"] == 1 && manifest["storagePolicy"] == "wandb-storage-policy-v1";
    if !is_known || manifest["storagePolicyConfig"]["storageLayout"] != "V2" {
        return Err(wrong("version, policy or layout"));
    }
    let contents = manifest["contents"].as_object().ok_or_else(|| wrong("no contents"))?;
    let mut entries = BTreeMap::new();
    for (name, entry) in contents {
        let digest = entry["digest"]
            .as_str()
            .ok_or_else(|| wrong("an entry without a digest"))?;
        let reference = entry["ref"].as_str().map(str::to_owned);
        if !is_inside(name) || (reference.is_none() && entry["size"].as_u64().is_none()) {
            return Err(wrong(name));
        }
        let birth = match entry["birthArtifactID"].as_str() {
            Some(id) => local_id("Artifact", id).ok_or_else(|| wrong(id))?,
            None => artifact,
        };
        let entry = Entry {
            digest: digest.to_owned(),
            size: entry["size"].as_u64().unwrap_or(0),
            reference,
            birth,
        };
        entries.insert(name.clone(), entry);
    }
    Ok(entries)
}

/// The digest of an artifact with these entries.
pub fn digest_of(entries: &BTreeMap<String, Entry>) -> String {
    let mut hasher = Md5::new();
    hasher.update("wandb-artifact-manifest-v1\n");
    for (name, entry) in entries {
        hasher.update(format!("{name}:{}\n", entry.digest));
    }
    format!("{:x}", hasher.finalize())
}

/// The files of a version with addresses to get them; none before it is committed.
pub fn artifact_files(state: &State, id: u64, args: &Args) -> Out {
    let entries = state.artifacts.get(&id).into_iter().flat_map(|one| &one.entries);
    let wanted = args.texts("names").filter(|names| !names.is_empty());
    let entries = entries.filter(|(name, entry)| {
        entry.reference.is_none() && wanted.as_ref().is_none_or(|wanted| wanted.contains(name))
    });
    let items = entries.map(|(name, entry)| Item::made(entry_file(state, name, entry.birth, &entry.digest)));
    connection("FileConnection", "FileEdge", args, items.collect())
}

fn entry_file(state: &State, name: &str, birth: u64, digest: &str) -> Out {
    let path = content_path(birth, digest);
    let direct = state.sign("GET", &path, &Permit::default());
    let beside = vec![
        ("storagePath", leaf(path.clone())),
        ("artifact", node(Node::Artifact(birth))),
    ];
    file(name, state.objects.get(&path), direct, beside)
}

pub fn by_entries(state: &State, args: &Args) -> Out {
    let items = args.inputs("entries").into_iter().filter_map(|entry| {
        let birth = local_id("Artifact", entry.text("birthArtifactID")?)?;
        Some(Item::made(entry_file(
            state,
            &entry.needed("name"),
            birth,
            &entry.needed("digest"),
        )))
    });
    connection("FileConnection", "FileEdge", &Args::default(), items.collect())
}

/// Where a call of the fallback for expired addresses is sent: `/artifactsV2/{region}/{entity}/{project}/{collection}/
/// [{artifact}/]{birth}/{md5}/{name}`.
pub fn fallback(state: &State, caller: &Caller, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.strip_prefix("/artifactsV2/")?.split('/').collect();
    let hex_md5 = parts.get(parts.len().checked_sub(2)?)?;
    let decoded = percent_encoding::percent_decode_str(parts.get(parts.len().checked_sub(3)?)?).decode_utf8_lossy();
    let birth = local_id("Artifact", &decoded).filter(|id| state.can_see_artifact(caller, *id))?;
    let path = format!("wandb_artifacts/{birth}/{hex_md5}");
    state
        .objects
        .contains_key(&path)
        .then(|| state.sign("GET", &path, &Permit::default()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Entry, digest_of, hex, is_inside};

    fn digest(entries: &[(&str, &str)]) -> String {
        let entries = entries.iter().map(|(name, digest)| {
            let entry = Entry {
                digest: (*digest).to_owned(),
                size: 0,
                reference: None,
                birth: 0,
            };
            ((*name).to_owned(), entry)
        });
        digest_of(&entries.collect::<BTreeMap<String, Entry>>())
    }

    /// Digests that the official client made.
    #[test]
    fn artifacts_have_the_digests_of_the_official_client() {
        assert_eq!(digest(&[]), "64e7c61456b10382e2f3b571ac24b659");
        assert_eq!(
            digest(&[("m.bin", "XUFAKrxLKna5cZ2REBfFkg==")]),
            "67f0be03e0118880f39da0f2030ff28c"
        );
        let two = [
            ("x.csv", "https://example.invalid/x.csv"),
            ("d.json", "U6pQWHWHLWHOi9FjhUFX4Q=="),
        ];
        assert_eq!(digest(&two), "257ba547308cc57eabb0d03889d9bdc4");
    }

    #[test]
    fn digests_and_names_are_looked_at() {
        assert_eq!(
            hex("XUFAKrxLKna5cZ2REBfFkg==").unwrap(),
            "5d41402abc4b2a76b9719d911017c592"
        );
        assert_eq!(hex("XUFA"), None);
        assert!(is_inside("a/b.txt"));
        for name in ["", "/a", "a/../b", "a//b", "a\\b", "."] {
            assert!(!is_inside(name), "{name}");
        }
    }
}
