//! What a publication makes, and how few calls it needs.

use std::path::Path;

use serde_json::{Value, json};

use super::super::*;
use crate::sys;
use crate::wandb::error::WandbError;
use crate::wandb::operations::{ArtifactState, add_aliases};
use crate::wandb::tests::world::{ENTITY, PROJECT, World, collection, file, model};
use crate::wandb_twin::{Fault, Kind};

#[tokio::test]
async fn a_version_has_what_it_was_given() {
    let world = World::start().await;
    let mut artifact = model(
        "diabetes",
        &[("model.json", "{}"), ("data/a b.txt", "hello"), ("empty", "")],
    );
    artifact.description = Some("what it is".to_owned());
    artifact.metadata = Some(json!({"rmse": 55.5, "gates": ["ok"]}));
    artifact.aliases = vec!["candidate".to_owned()];
    artifact.tags = vec!["by hand".to_owned()];
    let made = publish(&world.client, artifact).await.unwrap();
    assert_eq!((made.existed, made.version_index), (false, Some(0)));

    let version = world.version("diabetes:candidate").await.unwrap();
    assert_eq!(version.aliases, ["candidate", "latest"]);
    let found = &version.artifact;
    assert_eq!((&found.id, &found.digest), (&made.id, &made.digest));
    assert_eq!(found.state, ArtifactState::Committed);
    assert_eq!(found.description.as_deref(), Some("what it is"));
    assert_eq!(found.metadata, Some(json!({"rmse": 55.5, "gates": ["ok"]})));
    assert_eq!((found.n_files, found.size_bytes), (3, 7));
    assert_eq!(found.tags, ["by hand"]);
    assert_eq!(
        (found.type_name.as_str(), found.sequence.as_str()),
        ("model", "diabetes")
    );
    assert_eq!(found.sequence_project, Some((ENTITY.to_owned(), PROJECT.to_owned())));
    assert_eq!(found.made_by.as_ref().map(|run| run.name.as_str()), Some("run-1"));

    let files = Files::of(&world.client, &version).await.unwrap();
    for (path, text) in [("model.json", "{}"), ("data/a b.txt", "hello"), ("empty", "")] {
        assert_eq!(files.read(path, 100).await.unwrap(), text.as_bytes(), "{path}");
    }
    let calls: Vec<String> = world.twin.calls().into_iter().map(|call| call.operation).collect();
    let first = calls.iter().position(|call| call == "createArtifact").unwrap();
    assert_eq!(
        calls[first..first + 9],
        [
            "createArtifact",
            "createArtifactManifest",
            "createArtifactFiles",
            "storage PUT",
            "storage PUT",
            "storage PUT",
            "createArtifactManifest",
            "storage PUT",
            "commitArtifact"
        ]
    );
    assert!(
        world
            .twin
            .calls()
            .iter()
            .all(|call| !call.operation.starts_with("storage") || call.scheme.is_none())
    );
    world.assert_sound();
}

#[tokio::test]
async fn the_same_content_is_one_version_with_all_aliases() {
    let world = World::start().await;
    let first = publish(&world.client, model("diabetes", &[("a", "1")])).await.unwrap();
    let second = publish(&world.client, model("diabetes", &[("a", "2")])).await.unwrap();
    assert_eq!((second.existed, second.version_index), (false, Some(1)));
    let mut again = model("diabetes", &[("a", "1")]);
    // Another run, so that it is by the content alone that it is found.
    again.run = None;
    again.aliases = vec!["candidate".to_owned(), "stable".to_owned()];
    let uploads = world.n_calls("storage PUT");
    let found = publish(&world.client, again.clone()).await.unwrap();
    assert_eq!((found.existed, found.version_index), (true, Some(0)));
    assert_eq!((&found.id, &found.digest), (&first.id, &first.digest));
    assert_ne!(found.client_ids, first.client_ids);
    assert_eq!(world.n_calls("storage PUT"), uploads, "nothing is sent again");
    assert_eq!(world.n_versions("diabetes").await, 2);
    let version = world.version("diabetes:stable").await.unwrap();
    assert_eq!(
        (version.aliases.as_slice(), version.version_index),
        (&["candidate".to_owned(), "stable".to_owned()][..], Some(0))
    );
    // With all its aliases there is nothing left to do.
    publish(&world.client, again).await.unwrap();
    assert_eq!(world.n_calls("addAliases"), 1);
    world.assert_sound();
}

#[tokio::test]
async fn aliases_of_what_was_there_survive_a_lost_answer() {
    let world = World::start().await;
    publish(&world.client, model("diabetes", &[("a", "1")])).await.unwrap();
    let mut again = model("diabetes", &[("a", "1")]);
    again.aliases = vec!["candidate".to_owned()];
    for kind in [Kind::DropAfter, Kind::DropBefore] {
        let place = collection("diabetes");
        let made = publish(&world.client, again.clone()).await.unwrap();
        crate::wandb::operations::delete_aliases(&world.client, &made.id, &place, &again.aliases)
            .await
            .unwrap();
        world.twin.fault(Fault::once("addAliases", kind));
        let made = publish(&world.client, again.clone()).await.unwrap();
        assert!(made.existed);
        assert!(world.version("diabetes:candidate").await.is_some());
    }
    world.twin.fault(Fault::once("addAliases", Kind::status(403)));
    again.aliases.push("other".to_owned());
    let error = publish(&world.client, again).await.unwrap_err();
    assert!(matches!(error, WandbError::Forbidden { .. }), "{error}");
}

#[tokio::test]
async fn what_was_sent_for_an_earlier_version_is_not_sent_again() {
    let world = World::start().await;
    let big = "x".repeat(10_000);
    publish(&world.client, model("diabetes", &[("big", &big), ("a", "1")]))
        .await
        .unwrap();
    let uploads = world.n_calls("storage PUT");
    publish(&world.client, model("diabetes", &[("big", &big), ("a", "2")]))
        .await
        .unwrap();
    assert_eq!(world.n_calls("storage PUT") - uploads, 2, "one file and the list");
    let version = world.version("diabetes:v1").await.unwrap();
    let files = Files::of(&world.client, &version).await.unwrap();
    assert_eq!(files.read("big", 10_000).await.unwrap(), big.as_bytes());
    let birth = |path: &str| files.manifest().entries[path].birth_artifact.clone();
    assert_ne!(birth("big"), birth("a"));
    world.assert_sound();
}

#[tokio::test]
async fn references_are_named_and_not_sent() {
    let world = World::start().await;
    let first = publish(&world.client, model("data", &[("a.csv", "x")])).await.unwrap();
    let other = ArtifactReference {
        artifact: first.id,
        path: "a.csv".to_owned(),
    };
    let mut artifact = model("diabetes", &[("model.json", "{}")]);
    for (path, uri, checksum) in [
        ("x.csv", "https://example.invalid/x.csv".to_owned(), Checksum::Unknown),
        (
            "y.csv",
            "s3://bucket/y.csv".to_owned(),
            Checksum::Etag("\"e\"".to_owned()),
        ),
        ("z.csv", other.uri().unwrap(), Checksum::Given("d".to_owned())),
    ] {
        let reference = Reference {
            uri,
            checksum,
            size_bytes: 1,
        };
        artifact.entries.insert(path.to_owned(), Entry::Reference(reference));
    }
    let made = publish(&world.client, artifact).await.unwrap();
    let version = world.version("diabetes:latest").await.unwrap();
    let files = Files::of(&world.client, &version).await.unwrap();
    let entries = &files.manifest().entries;
    assert_eq!(entries["y.csv"].digest, "\"e\"");
    assert_eq!(entries["x.csv"].digest, "https://example.invalid/x.csv");
    let uri = entries["z.csv"].reference.as_deref().unwrap();
    assert_eq!(ArtifactReference::from_uri(uri), Some(other));
    assert_eq!(files.manifest().digest(), made.digest);
    let error = files.read("y.csv", 100).await.unwrap_err().to_string();
    assert!(error.contains("s3://bucket/y.csv"), "{error}");
    world.assert_sound();
}

#[tokio::test]
async fn many_files_are_announced_in_batches() {
    let world = World::start().await;
    let texts: Vec<(String, String)> = (0..61).map(|i| (format!("{i:03}.txt"), i.to_string())).collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let sizes = Sizes {
        batch: 30,
        ..Sizes::default()
    };
    publish_in(&world.client, model("many", &texts), sizes).await.unwrap();
    let announced: Vec<usize> = world
        .twin
        .calls()
        .iter()
        .filter(|call| call.operation == "createArtifactFiles")
        .map(|call| call.variables["input"]["artifactFiles"].as_array().unwrap().len())
        .collect();
    assert_eq!(announced, [25, 30, 6]);
    assert_eq!(world.n_calls("storage PUT"), 62);
    let version = world.version("many:v0").await.unwrap();
    let files = Files::of(&world.client, &version).await.unwrap();
    for (path, text) in texts {
        assert_eq!(files.read(path, 10).await.unwrap(), text.as_bytes());
    }
    world.assert_sound();
}

/// Parts of 5 bytes from 12 bytes on.
const SMALL: Sizes = Sizes {
    first_batch: 25,
    batch: 2000,
    parallel: 3,
    multipart_from: 12,
    part: 5,
    most_parts: 10_000,
};

fn in_file(dir: &Path, name: &str, text: &str) -> Entry {
    let path = dir.join(name);
    sys::write_atomic(&path, text.as_bytes()).unwrap();
    Entry::File(Content::File(path))
}

#[tokio::test]
async fn large_files_go_in_parts_from_memory_and_from_disk() {
    let world = World::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut artifact = model(
        "large",
        &[
            ("bytes", "0123456789abcdefg"),
            ("exact", "0123456789abcde"),
            ("small", "0123456789a"),
        ],
    );
    artifact.entries.insert(
        "file".to_owned(),
        in_file(dir.path(), "f", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    );
    artifact
        .entries
        .insert("empty".to_owned(), in_file(dir.path(), "e", ""));
    publish_in(&world.client, artifact, SMALL).await.unwrap();
    assert_eq!(world.n_calls("completeMultipartUploadArtifact"), 3);
    assert_eq!(world.n_calls("storage PUT"), 4 + 3 + 6 + 1 + 1 + 1);
    let version = world.version("large:v0").await.unwrap();
    let files = Files::of(&world.client, &version).await.unwrap();
    for (path, text) in [
        ("bytes", "0123456789abcdefg"),
        ("exact", "0123456789abcde"),
        ("small", "0123456789a"),
        ("file", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("empty", ""),
    ] {
        assert_eq!(files.read(path, 100).await.unwrap(), text.as_bytes(), "{path}");
    }
    world.assert_sound();
}

#[tokio::test]
async fn parts_and_their_end_survive_what_may_happen() {
    let world = World::start().await;
    for (n, (operation, kind, announced)) in [
        ("completeMultipartUploadArtifact", Kind::DropAfter, 2),
        ("completeMultipartUploadArtifact", Kind::DropBefore, 2),
        ("completeMultipartUploadArtifact", Kind::status(502), 2),
        ("completeMultipartUploadArtifact", Kind::status(409), 2),
        ("storage PUT", Kind::status(403), 2),
        ("storage PUT", Kind::status(503), 1),
        ("storage PUT", Kind::DropAfter, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("large-{n}");
        let before = world.n_calls("createArtifactFiles");
        world.twin.fault(Fault::once(operation, kind.clone()));
        let text = format!("0123456789abcdefg{n}");
        publish_in(&world.client, model(&name, &[("f", &text)]), SMALL)
            .await
            .unwrap();
        assert_eq!(
            world.n_calls("createArtifactFiles") - before,
            announced,
            "{operation} {kind:?}"
        );
        assert_eq!(world.n_versions(&name).await, 1);
        let version = world.version(&format!("{name}:v0")).await.unwrap();
        let files = Files::of(&world.client, &version).await.unwrap();
        assert_eq!(files.read("f", 100).await.unwrap(), text.as_bytes());
    }
    world.assert_sound();
}

#[tokio::test]
async fn nothing_is_sent_of_what_w_and_b_would_refuse() {
    let world = World::start().await;
    let calls = world.twin.calls().len();
    let refused = async |change: &dyn Fn(&mut NewArtifact)| {
        let mut artifact = model("diabetes", &[("a", "1")]);
        change(&mut artifact);
        let error = publish(&world.client, artifact).await.unwrap_err();
        assert!(matches!(error, WandbError::Invalid { .. }), "{error}");
    };
    refused(&|artifact| artifact.name = "a/b".to_owned()).await;
    refused(&|artifact| artifact.type_name = "job".to_owned()).await;
    refused(&|artifact| artifact.aliases = vec!["a:b".to_owned()]).await;
    refused(&|artifact| artifact.tags = vec!["a.b".to_owned()]).await;
    refused(&|artifact| artifact.metadata = Some(Value::Null)).await;
    refused(&|artifact| {
        artifact.entries.insert("../a".to_owned(), file("x"));
    })
    .await;
    let mut missing = model("diabetes", &[]);
    let nowhere = Content::File("/nowhere/model.json".into());
    missing.entries.insert("a".to_owned(), Entry::File(nowhere));
    let error = publish(&world.client, missing).await.unwrap_err();
    assert!(
        matches!(&error, WandbError::File { why } if why.contains("/nowhere/model.json")),
        "{error}"
    );
    assert_eq!(world.twin.calls().len(), calls);
}

#[tokio::test]
async fn what_was_deleted_is_made_anew() {
    let world = World::start().await;
    let first = publish(&world.client, model("diabetes", &[("a", "1")])).await.unwrap();
    {
        let mut state = world.twin.state();
        let artifact = state.artifacts.values_mut().next().unwrap();
        artifact.state = crate::wandb_twin::ArtifactState::Deleted;
        let membership = *state.memberships.keys().next().unwrap();
        state.remove_version(membership);
    }
    let second = publish(&world.client, model("diabetes", &[("a", "1")])).await.unwrap();
    assert!(!second.existed);
    assert_ne!(second.id, first.id);
    assert_eq!(world.n_versions("diabetes").await, 1);
    // And by any other name that is free.
    add_aliases(&world.client, &second.id, &collection("diabetes"), &["x".to_owned()])
        .await
        .unwrap();
    assert_eq!(world.version("diabetes:x").await.unwrap().artifact.id, second.id);
}
