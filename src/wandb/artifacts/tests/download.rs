//! Downloads, from whoever has them, and what is wrong with them.

use std::sync::Arc;

use super::super::*;
use crate::base::Digest;
use crate::sys;
use crate::wandb::error::WandbError;
use crate::wandb::operations::{LinkArtifact, link_artifact, version};
use crate::wandb::tests::world::{ORGANIZATION, REGISTRY, World, model, registered};
use crate::wandb_twin::{Content as Kept, Fault, Kind};

/// Replaces what storage has under paths that hold a text.
fn tamper(world: &World, path: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut state = world.twin.state();
    let found = state.objects.iter_mut().filter(|(name, _)| name.contains(path));
    let mut n_changed = 0;
    for (_, object) in found {
        let bytes = change(object.content.bytes().unwrap());
        object.size = bytes.len() as u64;
        object.content = Kept::Memory(Arc::new(bytes));
        n_changed += 1;
    }
    assert!(n_changed > 0);
}

async fn published(world: &World) -> Files {
    publish(&world.client, model("m", &[("dir/a.txt", "hello"), ("b.txt", "there")]))
        .await
        .unwrap();
    let version = world.version("m:latest").await.unwrap();
    Files::of(&world.client, &version).await.unwrap()
}

#[tokio::test]
async fn files_are_read_and_written_whole() {
    let world = World::start().await;
    let files = published(&world).await;
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("a");
    let digest = files.fetch_to("dir/a.txt", &target, 100).await.unwrap();
    assert_eq!(sys::read(&target, 100).unwrap(), b"hello");
    assert_eq!((digest.sha256, digest.size_bytes), (Digest::of(b"hello"), 5));
    assert_eq!(files.read("b.txt", 5).await.unwrap(), b"there");
    let page = "project";
    let pages = world.n_calls(page);
    files.read("dir/a.txt", 5).await.unwrap();
    assert_eq!(world.n_calls(page), pages, "addresses are asked for once");
    for (path, limit, what) in [("b.txt", 4, "4 may be read"), ("c.txt", 100, "no such file")] {
        let error = files.read(path, limit).await.unwrap_err();
        assert!(
            matches!(&error, WandbError::Invalid { .. }) && error.to_string().contains(what),
            "{error}"
        );
    }
    world.assert_sound();
}

#[tokio::test]
async fn a_registry_gives_the_files_too() {
    let world = World::start().await;
    let made = publish(&world.client, model("m", &[("a", "hello")])).await.unwrap();
    let link = LinkArtifact {
        artifact: made.id,
        collection: registered("diabetes"),
        aliases: vec!["production".to_owned()],
    };
    assert_eq!(link_artifact(&world.client, &link).await.unwrap(), Some(0));
    let linked = version(&world.client, ORGANIZATION, REGISTRY, "diabetes:production")
        .await
        .unwrap()
        .unwrap();
    let files = Files::of(&world.client, &linked).await.unwrap();
    assert_eq!(files.read("a", 10).await.unwrap(), b"hello");
    world.assert_sound();
}

#[tokio::test]
async fn an_address_that_has_expired_is_asked_for_again() {
    let world = World::start().await;
    let files = published(&world).await;
    files.read("b.txt", 10).await.unwrap();
    world.twin.state().ahead_seconds += 100_000;
    assert_eq!(files.read("dir/a.txt", 10).await.unwrap(), b"hello");
    assert_eq!(world.n_calls("artifactsV2"), 0);
    // The list of files as well.
    world.twin.fault(Fault::once("storage GET", Kind::status(403)));
    let version = world.version("m:latest").await.unwrap();
    let files = Files::of(&world.client, &version).await.unwrap();
    assert_eq!(files.read("dir/a.txt", 10).await.unwrap(), b"hello");
}

#[tokio::test]
async fn the_key_opens_what_no_address_does() {
    for has_artifact in [true, false] {
        let world = World::start().await;
        {
            let mut state = world.twin.state();
            state.features.insert(
                "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID".to_owned(),
                has_artifact,
            );
        }
        let files = published(&world).await;
        world.twin.fault(Fault::once("storage GET", Kind::status(403)).times(2));
        assert_eq!(files.read("dir/a.txt", 10).await.unwrap(), b"hello");
        let calls = world.twin.calls();
        let handler = calls.iter().find(|call| call.operation == "artifactsV2").unwrap();
        assert_eq!(handler.scheme.as_deref(), Some("Basic"));
        assert_eq!(
            handler.path.matches('/').count(),
            if has_artifact { 9 } else { 8 },
            "{}",
            handler.path
        );
        // Its answer leads to storage, which gets no key.
        assert!(
            calls
                .iter()
                .all(|call| !call.operation.starts_with("storage") || call.scheme.is_none())
        );
        world.assert_sound();
    }
}

#[tokio::test]
async fn older_servers_have_another_way_to_the_files() {
    let world = World::start().await;
    world
        .twin
        .state()
        .features
        .insert("ARTIFACT_COLLECTION_MEMBERSHIP_FILES".to_owned(), false);
    let files = published(&world).await;
    assert_eq!(files.read("dir/a.txt", 10).await.unwrap(), b"hello");
    assert_eq!(world.n_calls("artifactsV2"), 1);
}

#[tokio::test]
async fn what_was_tampered_with_is_not_kept() {
    let world = World::start().await;
    let files = published(&world).await;
    tamper(&world, "wandb_artifacts/", |mut bytes| {
        bytes.reverse();
        bytes
    });
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("a");
    sys::write_atomic(&target, b"old").unwrap();
    for error in [
        files.read("dir/a.txt", 10).await.unwrap_err(),
        files.fetch_to("dir/a.txt", &target, 10).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, WandbError::Malformed { why, .. } if why.contains("digest")),
            "{error}"
        );
    }
    assert_eq!(sys::read(&target, 10).unwrap(), b"old");
    assert_eq!(sys::list(dir.path()).unwrap().len(), 1, "nothing half is left behind");
}

#[tokio::test]
async fn a_list_that_was_tampered_with_is_refused() {
    for (from, to, why) in [
        ("b.txt", "../b", "can not be the path"),
        ("b.txt", "c.txt", "not the list that the version was made with"),
        ("\"version\":1", "\"version\":9", "not known"),
    ] {
        let world = World::start().await;
        published(&world).await;
        tamper(&world, "manifests/", |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains(from));
            text.replace(from, to).into_bytes()
        });
        let version = world.version("m:latest").await.unwrap();
        let error = Files::of(&world.client, &version).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_transfer_that_breaks_off_begins_again() {
    let world = World::start().await;
    let files = published(&world).await;
    let dir = tempfile::tempdir().unwrap();
    for (n, kind) in [Kind::Truncated, Kind::DropBefore, Kind::status(503)]
        .into_iter()
        .enumerate()
    {
        let target = dir.path().join(n.to_string());
        world.twin.fault(Fault::once("storage GET", kind));
        files.fetch_to("b.txt", &target, 10).await.unwrap();
        assert_eq!(sys::read(&target, 10).unwrap(), b"there");
    }
}
