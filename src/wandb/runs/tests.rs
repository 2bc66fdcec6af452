//! Files of runs: what they say, and how they get to the twin.

use super::*;
use crate::sys;
use crate::wandb::tests::world::World;
use crate::wandb_twin::{Fault, Kind};

fn named(n: usize) -> BTreeMap<String, Content> {
    let file = |i: usize| (format!("media/{i:03}.txt"), Content::Bytes(i.to_string().into_bytes()));
    (0..n).map(file).collect()
}

/// What storage has of the run.
fn kept(world: &World, name: &str) -> Option<Vec<u8>> {
    let state = world.twin.state();
    let mut found = state.objects.iter().filter(|(path, _)| path.starts_with("runs/"));
    let found = found.find(|(path, _)| path.ends_with(&format!("/{name}")));
    found.map(|(_, object)| object.content.bytes().unwrap())
}

#[tokio::test]
async fn files_are_sent_in_batches_and_named() {
    let world = World::start().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    sys::write_atomic(&path, b"hello\n").unwrap();
    let mut files = named(101);
    files.insert("output.log".to_owned(), Content::File(path));
    let names = send_files(&world.client, &world.run, files.clone()).await.unwrap();
    assert_eq!(names, files.keys().cloned().collect::<Vec<_>>());
    assert_eq!(world.n_calls("createRunFiles"), 2);
    assert_eq!(kept(&world, "media/100.txt").unwrap(), b"100");
    assert_eq!(kept(&world, "output.log").unwrap(), b"hello\n");
    assert!(
        send_files(&world.client, &world.run, BTreeMap::new())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.n_calls("createRunFiles"), 2);
    world.assert_sound();
}

#[tokio::test]
async fn an_address_that_has_expired_is_asked_for_again() {
    let world = World::start().await;
    world.twin.fault(Fault::once("storage PUT", Kind::status(403)));
    send_files(&world.client, &world.run, named(3)).await.unwrap();
    assert_eq!(world.n_calls("createRunFiles"), 2);
    assert!((0..3).all(|i| kept(&world, &format!("media/{i:03}.txt")).is_some()));
    for kind in [Kind::DropAfter, Kind::status(503), Kind::Truncated] {
        world.twin.fault(Fault::once("storage PUT", kind.clone()));
        world.twin.fault(Fault::once("createRunFiles", kind));
        send_files(&world.client, &world.run, named(1)).await.unwrap();
    }
    world.twin.fault(Fault::once("storage PUT", Kind::status(403)).times(2));
    let error = send_files(&world.client, &world.run, named(1)).await.unwrap_err();
    assert!(matches!(error, WandbError::Storage { status: 403, .. }), "{error}");
    world.assert_sound();
}

#[tokio::test]
async fn files_stay_inside_of_their_run() {
    let world = World::start().await;
    let files = BTreeMap::from([("../x".to_owned(), Content::Bytes(Vec::new()))]);
    let error = send_files(&world.client, &world.run, files).await.unwrap_err();
    assert!(matches!(error, WandbError::Invalid { .. }), "{error}");
    assert_eq!(world.n_calls("createRunFiles"), 0);
}

#[test]
fn a_config_is_yaml_that_says_the_same() {
    let config = json!({
        "lr": {"value": 0.1},
        "1 odd: key": {"value": [1, [2, {"a": null}], {}, []]},
        "yes": {"value": "no\n\u{85}\u{1F600} \"quoted\" # not a comment"},
        "_wandb": {"value": {"t": {"13": "linux-x86_64"}, "empty": {}}},
    });
    let text = yaml(&config);
    assert!(text.starts_with("lr:\n    value: 0.1\n"), "{text}");
    let read: Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(read, config);
    assert_eq!(yaml(&json!({})), "{}\n");
}

#[test]
fn every_run_has_its_records() {
    let records = Records {
        summary: r#"{"loss":NaN}"#.to_owned(),
        config: json!({}),
        metadata: Some(RunMetadata {
            os: "linux".to_owned(),
            program: "mlops".to_owned(),
            host: None,
            started: Timestamp(0),
            git: Some(RunGit {
                remote: "https://github.com/acme/diabetes".to_owned(),
                commit: "0123456".to_owned(),
            }),
        }),
        requirements: None,
        output: Some(Content::Bytes(b"hello\n".to_vec())),
        others: BTreeMap::from([("report.html".to_owned(), Content::Bytes(Vec::new()))]),
    };
    let files = records.files();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "config.yaml",
            "output.log",
            "report.html",
            "wandb-metadata.json",
            "wandb-summary.json"
        ]
    );
    let Content::Bytes(metadata) = &files["wandb-metadata.json"] else {
        panic!("it is made here");
    };
    assert_eq!(
        serde_json::from_slice::<Value>(metadata).unwrap(),
        json!({
            "os": "linux", "startedAt": "1970-01-01T00:00:00Z", "program": "mlops",
            "git": {"remote": "https://github.com/acme/diabetes", "commit": "0123456"}
        })
    );
}
