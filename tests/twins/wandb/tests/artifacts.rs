//! Artifacts from their making to their commit, and the storage that has their contents.

use serde_json::{Value, json};

use super::super::Twin;
use super::super::seeds::Version;
use super::{ask, call, data, md5, put, run};

const CREATE: &str = "mutation C($input: CreateArtifactInput!) { createArtifact(input: $input) { artifact { id state \
                      versionIndex artifactSequence { latestArtifact { id } } } } }";
const MANIFEST: &str = "mutation M($artifact: ID!, $digest: String!) { createArtifactManifest(input: {artifactID: $artifact, \
                        name: \"wandb_manifest.json\", digest: $digest, entityName: \"ml-team\", projectName: \"demo\", \
                        runName: \"r\", type: FULL}) { artifactManifest { id file { uploadUrl uploadHeaders } } } }";
const FILES: &str = "mutation F($input: CreateArtifactFilesInput!) { createArtifactFiles(input: $input) { files { edges { \
                     node { storagePath uploadUrl uploadHeaders artifact { id } uploadMultipartUrls { uploadID \
                     uploadUrlParts { partNumber uploadUrl } } } } } } }";
const COMMIT: &str =
    "mutation C($id: ID!) { commitArtifact(input: {artifactID: $id}) { artifact { state versionIndex } } }";

/// Digests of artifacts with one file `m.bin`, from the official client's rule.
const HELLO: &str = "67f0be03e0118880f39da0f2030ff28c";

fn input(digest: &str) -> Value {
    json!({ "entityName": "ml-team", "projectName": "demo", "runName": "r", "artifactTypeName": "model",
        "artifactCollectionName": "net", "digest": digest, "digestAlgorithm": "MANIFEST_MD5",
        "enableDigestDeduplication": true })
}

fn with(mut input: Value, name: &str, value: Value) -> Value {
    input[name] = value;
    json!({ "input": input })
}

fn create(twin: &Twin, digest: &str) -> Value {
    data(twin, CREATE, &json!({ "input": input(digest) }))["createArtifact"]["artifact"].clone()
}

fn files(twin: &Twin, id: &Value, more: &Value) -> Value {
    let mut file = json!({ "artifactID": id, "name": "m.bin", "md5": md5(b"hello") });
    for (name, value) in more.as_object().unwrap() {
        file[name] = value.clone();
    }
    let input = json!({ "input": { "artifactFiles": [file], "storageLayout": "V2" } });
    data(twin, FILES, &input)["createArtifactFiles"]["files"]["edges"][0]["node"].clone()
}

fn manifest(id: &Value, digest: &str, size: usize) -> Vec<u8> {
    let contents = json!({ "m.bin": { "digest": digest, "size": size, "birthArtifactID": id } });
    let manifest = json!({ "version": 1, "storagePolicy": "wandb-storage-policy-v1",
        "storagePolicyConfig": { "storageLayout": "V2" }, "contents": contents });
    manifest.to_string().into_bytes()
}

fn send_manifest(twin: &Twin, id: &Value, bytes: &[u8]) {
    let made = data(twin, MANIFEST, &json!({ "artifact": id, "digest": md5(bytes) }));
    let file = &made["createArtifactManifest"]["artifactManifest"]["file"];
    assert_eq!(file["uploadHeaders"][1], "Content-Type:application/json");
    assert_eq!(put(&file["uploadUrl"], &file["uploadHeaders"], bytes).status, 200);
}

fn commit(twin: &Twin, id: &Value) -> (u16, String) {
    let answer = ask(twin, COMMIT, &json!({ "id": id }));
    (answer.status, answer.message())
}

#[test]
fn an_artifact_is_made_sent_and_committed() {
    let twin = Twin::start();
    run(&twin, "r");
    let made = create(&twin, HELLO);
    assert_eq!(made["state"], "PENDING");
    assert_eq!(made["artifactSequence"]["latestArtifact"], json!(null));
    let id = &made["id"];
    let using = "mutation U($id: ID!) { useArtifact(input: {artifactID: $id, entityName: \"ml-team\", projectName: \"demo\", \
                 runName: \"r\"}) { artifact { id } } }";
    let answer = ask(&twin, using, &json!({ "id": id }));
    assert_eq!(answer.status, 400);
    assert!(
        answer.message().ends_with("as it has not committed"),
        "{}",
        answer.message()
    );
    assert!(commit(&twin, id).1.ends_with("its manifest was not uploaded"));
    let empty = data(&twin, MANIFEST, &json!({ "artifact": id, "digest": "" }));
    assert_eq!(
        empty["createArtifactManifest"]["artifactManifest"]["file"]["uploadUrl"],
        json!(null)
    );
    let file = files(
        &twin,
        id,
        &json!({ "artifactManifestID": empty["createArtifactManifest"]["artifactManifest"]["id"] }),
    );
    assert_eq!(
        file["uploadHeaders"],
        json!([
            format!("Content-MD5:{}", md5(b"hello")),
            "Content-Type:application/octet-stream"
        ])
    );
    send_manifest(&twin, id, &manifest(id, &md5(b"hello"), 5));
    assert!(commit(&twin, id).1.ends_with("m.bin was not uploaded"));
    assert_eq!(put(&file["uploadUrl"], &file["uploadHeaders"], b"hello").status, 200);
    send_manifest(&twin, id, &manifest(id, &md5(b"hello"), 6));
    assert!(commit(&twin, id).1.ends_with("m.bin has another size"));
    send_manifest(&twin, id, &manifest(id, &md5(b"other"), 5));
    assert!(commit(&twin, id).1.ends_with("another digest than the artifact"));
    send_manifest(&twin, id, b"{}");
    assert!(commit(&twin, id).1.contains("invalid manifest"));
    send_manifest(&twin, id, &manifest(id, &md5(b"hello"), 5));
    assert_eq!(commit(&twin, id).0, 200);
    assert_eq!(commit(&twin, id).0, 200);
    assert_eq!(ask(&twin, using, &json!({ "id": id })).status, 200);
    let state = twin.state();
    let artifact = state.artifact("ml-team", "demo", "net:latest").unwrap();
    assert_eq!(state.content(artifact, "m.bin").unwrap(), b"hello");
    assert_eq!(state.run("ml-team", "demo", "r").unwrap().outputs, [artifact.id]);
    assert_eq!(state.index_at("ml-team", "demo", "net:v0"), Some(0));
}

#[test]
fn the_same_contents_are_the_same_version() {
    let twin = Twin::start();
    run(&twin, "r");
    let version = |text: &str, aliases: &[&str]| Version {
        entity: "ml-team",
        project: "demo",
        collection: "net",
        type_name: "model",
        run: "r",
        files: [("m.bin".to_owned(), text.as_bytes().to_vec())].into(),
        metadata: json!({ "b": 1.0, "a": 2 }),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
    };
    twin.state().seed_version(&version("hello", &["best"]));
    twin.state().seed_version(&version("other", &[]));
    let aliases = json!([{ "artifactCollectionName": "net", "alias": "new" }]);
    let again =
        data(&twin, CREATE, &with(input(HELLO), "aliases", aliases.clone()))["createArtifact"]["artifact"].clone();
    assert_eq!(
        (again["state"].as_str(), again["versionIndex"].as_u64()),
        (Some("COMMITTED"), Some(0))
    );
    assert_eq!(twin.state().aliases_at("ml-team", "demo", "net:v0"), ["best"]);
    assert_eq!(twin.state().aliases_at("ml-team", "demo", "net:v1"), ["latest"]);
    twin.state().is_alias_moved_by_duplicate = true;
    data(&twin, CREATE, &with(input(HELLO), "aliases", aliases));
    assert_eq!(twin.state().aliases_at("ml-team", "demo", "net:v0"), ["best", "new"]);
    assert_eq!(
        twin.state()
            .artifact("ml-team", "demo", "net")
            .unwrap()
            .metadata
            .as_deref(),
        Some("{\"a\":2,\"b\":1}")
    );

    // One that is not there yet is known by what its client calls it, and brings no file that is there already.
    let third = with(input(&"0".repeat(32)), "clientID", json!("c1"));
    let first = data(&twin, CREATE, &third)["createArtifact"]["artifact"].clone();
    assert_eq!(
        data(&twin, CREATE, &third)["createArtifact"]["artifact"]["id"],
        first["id"]
    );
    assert_eq!(first["state"], "PENDING");
    let mapped = data(&twin, "{ clientIDMapping(clientID: \"c1\") { serverID } }", &json!({}));
    assert_eq!(mapped["clientIDMapping"]["serverID"], first["id"]);
    let answer = ask(&twin, "{ clientIDMapping(clientID: \"c2\") { serverID } }", &json!({}));
    assert_eq!(
        (answer.status, answer.message().as_str()),
        (404, "failed to map client id")
    );
    let sent = files(&twin, &first["id"], &json!({}));
    assert_eq!(put(&sent["uploadUrl"], &sent["uploadHeaders"], b"hello").status, 200);
    let other = create(&twin, &"1".repeat(32));
    let known = files(&twin, &other["id"], &json!({}));
    assert_eq!(
        (&known["uploadUrl"], &known["artifact"]["id"]),
        (&json!(null), &first["id"])
    );
}

#[test]
fn what_an_artifact_may_not_be_is_refused() {
    let twin = Twin::start();
    run(&twin, "r");
    let many: Value = (0..101)
        .map(|key| (format!("k{key}"), json!(key)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let alias = |alias: &str| json!([{ "artifactCollectionName": "net", "alias": alias }]);
    for (name, value) in [
        ("artifactCollectionName", json!("a/b")),
        ("artifactCollectionName", json!("a b")),
        ("artifactCollectionName", json!("a".repeat(129))),
        ("artifactTypeName", json!("wandb-model")),
        ("artifactTypeName", json!("job")),
        ("artifactTypeName", json!("a:b")),
        ("artifactTypeName", json!("run_table")),
        ("digest", json!("XUFAKrxLKna5cZ2REBfFkg==")),
        ("digestAlgorithm", json!("MANIFEST_XXH128")),
        ("metadata", json!(many.to_string())),
        ("metadata", json!("{\"a\":NaN}")),
        ("metadata", json!("[1]")),
        ("aliases", alias("a/b")),
        ("aliases", alias("a:b")),
        ("aliases", alias("v7")),
        ("aliases", alias(&"a".repeat(129))),
        ("tags", json!([{ "tagName": "a.b" }])),
    ] {
        let answer = ask(&twin, CREATE, &with(input(HELLO), name, value.clone()));
        assert_eq!(answer.status, 400, "{name}: {value}");
    }
    assert_eq!(
        ask(&twin, CREATE, &with(input(HELLO), "runName", json!("s"))).status,
        404
    );
    assert_eq!(
        ask(&twin, CREATE, &with(input(HELLO), "projectName", json!("other"))).status,
        404
    );
    assert!(twin.state().artifacts.is_empty());
    let made = create(&twin, HELLO);
    let answer = ask(&twin, CREATE, &with(input(HELLO), "artifactTypeName", json!("dataset")));
    assert_eq!(answer.status, 400);
    for (name, value) in [("name", "../m.bin"), ("name", "/m.bin"), ("md5", HELLO)] {
        let mut file = json!({ "artifactID": made["id"], "name": "m.bin", "md5": md5(b"hello") });
        file[name] = json!(value);
        let input = json!({ "input": { "artifactFiles": [file], "storageLayout": "V2" } });
        assert_eq!(ask(&twin, FILES, &input).status, 400, "{name}: {value}");
    }
    assert_eq!(twin.violations(), Vec::<String>::new());
}

#[test]
fn storage_takes_what_was_announced_from_whom_it_was_told() {
    let twin = Twin::start();
    run(&twin, "r");
    let file = files(&twin, &create(&twin, HELLO)["id"], &json!({ "mimetype": "text/plain" }));
    let (url, headers) = (&file["uploadUrl"], &file["uploadHeaders"]);
    let text = url.as_str().unwrap();
    assert!(text.starts_with(&twin.storage_url()) && twin.storage_url() != twin.url());
    assert_eq!(put(url, headers, b"hellO").status, 400);
    assert_eq!(put(url, &json!([]), b"hello").status, 403);
    let other = json!([format!("Content-MD5:{}", md5(b"hellO")), "Content-Type:text/plain"]);
    assert_eq!(put(url, &other, b"hellO").status, 403);
    assert_eq!(
        put(&json!(text.replace("expires=", "expires=9")), headers, b"hello").status,
        403
    );
    assert_eq!(call("GET", text, &[], b"").unwrap().status, 403);
    assert!(twin.state().objects.is_empty());
    let credentials = json!([headers[0], headers[1], "Authorization:Basic eDp5"]);
    assert_eq!(twin.violations(), Vec::<String>::new());
    assert_eq!(put(url, &credentials, b"hello").status, 400);
    assert_eq!(twin.violations().len(), 1);
    let sent = put(url, headers, b"hello");
    assert_eq!(
        (sent.status, &*sent.headers["etag"]),
        (200, "\"5d41402abc4b2a76b9719d911017c592\"")
    );
    twin.state().ahead_seconds = 3601;
    assert_eq!(put(url, headers, b"hello").status, 403);
}

#[test]
fn large_contents_are_read_in_pieces() {
    let twin = Twin::start();
    run(&twin, "r");
    let bytes: Vec<u8> = (0..9_u32 << 20).map(|place| (place % 251) as u8).collect();
    let create = "mutation { createRunFiles(input: {entityName: \"ml-team\", projectName: \"demo\", runName: \"r\", \
                  files: [\"large.bin\"]}) { files { uploadUrl directUrl } } }";
    let file = data(&twin, create, &json!({}))["createRunFiles"]["files"][0].clone();
    assert_eq!(put(&file["uploadUrl"], &json!([]), &bytes).status, 200);
    let url = file["directUrl"].as_str().unwrap();
    assert!(call("GET", url, &[], b"").unwrap().bytes == bytes);
    let part = call("GET", url, &[("range", "bytes=9437180-")], b"").unwrap();
    assert_eq!((part.status, part.bytes.as_slice()), (206, &bytes[9_437_180..]));
    assert_eq!(part.headers["content-range"], "bytes 9437180-9437183/9437184");
    assert_eq!(
        call("GET", url, &[("range", "bytes=9437184-")], b"").unwrap().status,
        416
    );
}

#[test]
fn an_expired_address_has_another_way() {
    let twin = Twin::start();
    let id = twin.state().seed_version(&Version {
        entity: "ml-team",
        project: "demo",
        collection: "net",
        type_name: "model",
        run: "r",
        files: [("m.bin".to_owned(), b"hello".to_vec())].into(),
        ..Version::default()
    });
    let id = super::super::state::global_id("Artifact", id);
    let path = format!("artifactsV2/default/ml-team/demo/net/{id}/{id}/{}/m.bin", hex(b"hello"));
    let url = format!("{}/{path}", twin.url());
    assert_eq!(call("GET", &url, &[], b"").unwrap().status, 401);
    let key = super::basic(&twin.key());
    let answer = call("GET", &url, &[("authorization", &key)], b"").unwrap();
    assert_eq!(answer.status, 307);
    assert_eq!(
        call("GET", &answer.headers["location"], &[], b"").unwrap().bytes,
        b"hello"
    );
    let other = url.replace(&hex(b"hello"), &hex(b"other"));
    assert_eq!(
        call("GET", &other, &[("authorization", &key)], b"").unwrap().status,
        404
    );
}

#[test]
fn a_file_can_come_in_parts() {
    let twin = Twin::start();
    run(&twin, "r");
    let made = create(&twin, HELLO);
    let part = |number: usize, text: &str| json!({ "partNumber": number, "hexMD5": text });
    let two = hex(b"llo");
    let file = files(
        &twin,
        &made["id"],
        &json!({ "uploadPartsInput": [part(1, &hex(b"he")), part(2, &two)] }),
    );
    let urls = &file["uploadMultipartUrls"]["uploadUrlParts"];
    let kind = "Content-Type:application/octet-stream";
    let send = |place: usize, bytes: &[u8]| {
        let headers = json!([format!("Content-MD5:{}", md5(bytes)), kind]);
        put(&urls[place]["uploadUrl"], &headers, bytes)
    };
    assert_eq!(send(0, b"llo").status, 403);
    let etags = [send(0, b"he"), send(1, b"llo")].map(|answer| answer.headers["etag"].clone());
    let complete = "mutation C($parts: [UploadPartsInput!]!, $id: ID!, $path: String!, $upload: String!) { \
                    completeMultipartUploadArtifact(input: {completeMultipartAction: Complete, completedParts: $parts, \
                    artifactID: $id, storagePath: $path, uploadID: $upload}) { digest } }";
    let finish = |parts: &Value| {
        let upload = &file["uploadMultipartUrls"]["uploadID"];
        let variables = json!({ "parts": parts, "id": made["id"], "path": file["storagePath"], "upload": upload });
        ask(&twin, complete, &variables)
    };
    assert_eq!(finish(&json!([part(1, &etags[0])])).status, 400);
    assert_eq!(finish(&json!([part(1, &hex(b"he")), part(2, &two)])).status, 400);
    let parts = json!([part(1, &etags[0]), part(2, &etags[1])]);
    let done = finish(&parts);
    assert_eq!(
        (
            done.status,
            done.json()["data"]["completeMultipartUploadArtifact"]["digest"].as_str()
        ),
        (200, Some(&*md5(b"hello")))
    );
    assert_eq!(finish(&parts).status, 200);
    let object = twin.state().objects[file["storagePath"].as_str().unwrap()].clone();
    assert_eq!(object.content.bytes().unwrap(), b"hello");
}

fn hex(bytes: &[u8]) -> String {
    use md5::{Digest as _, Md5};
    format!("{:x}", Md5::digest(bytes))
}
