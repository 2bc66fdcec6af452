//! A publication that is disturbed at any of its calls, in every way: one version, or an error and none.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::*;
use crate::wandb::client::Client;
use crate::wandb::error::WandbError;
use crate::wandb::retry::{Deadlines, Stage};
use crate::wandb::tests::world::{World, model, settings};
use crate::wandb_twin::{Fault, Kind};

/// The calls of a publication of one file: operation, and how many of its kind come before.
const CALLS: &[(&str, usize)] = &[
    ("createArtifact", 0),
    ("createArtifactManifest", 0),
    ("createArtifactFiles", 0),
    ("storage PUT", 0),
    ("createArtifactManifest", 1),
    ("storage PUT", 1),
    ("commitArtifact", 0),
];

/// How it is disturbed, and whether a version comes of it.
fn kinds() -> Vec<(&'static str, Kind, bool)> {
    let proxy = json!({"error": "bad gateway"});
    let rebase = json!({"errors": [{"message": "conflict detected for file digest x, rebase required"}]});
    let status = |code, body| Kind::Status {
        code,
        headers: BTreeMap::new(),
        body,
    };
    vec![
        ("dropped before", Kind::DropBefore, true),
        ("dropped after", Kind::DropAfter, true),
        ("cut", Kind::Truncated, true),
        ("500", Kind::status(500), true),
        ("502 after", Kind::StatusAfter { code: 502, body: proxy }, true),
        ("503", Kind::status(503), true),
        ("429", Kind::rate_limited(0, 1, Some(0)), true),
        ("409", status(409, rebase.clone()), true),
        ("409 by 200", status(200, rebase), true),
        ("401", Kind::status(401), false),
        ("403", Kind::status(403), false),
        ("404", Kind::status(404), false),
        ("410", Kind::status(410), false),
        ("413", Kind::status(413), false),
        ("422", Kind::status(422), false),
        ("400", Kind::status(400), false),
        ("501", Kind::status(501), false),
    ]
}

#[tokio::test]
async fn every_call_may_fail_in_every_way() {
    let world = World::start().await;
    for (place, (operation, skip)) in CALLS.iter().enumerate() {
        let is_storage = operation.starts_with("storage");
        for (n, (what, kind, is_made)) in kinds().into_iter().enumerate() {
            // Storage knows no conflicts, and no answer of status 200 is a refusal of it; an address that has expired is
            // asked for again.
            let is_made = match what {
                "409" | "409 by 200" if is_storage => continue,
                "400" | "403" if is_storage => true,
                _ => is_made,
            };
            let name = format!("model-{place}-{n}");
            let text = format!("{place} {n}");
            let case = format!("{operation} {skip}: {what}");
            world.twin.fault(Fault::once(operation, kind).after(*skip));
            let outcome = publish(&world.client, model(&name, &[("a", &text)])).await;
            assert_eq!(outcome.is_ok(), is_made, "{case}: {outcome:?}");
            assert!(
                world.twin.state().faults.iter().all(|fault| fault.times == 0),
                "{case}: it was not met"
            );
            world.twin.state().faults.clear();
            assert_eq!(world.n_versions(&name).await, usize::from(is_made), "{case}");
            if let Err(error) = outcome {
                let shown = error.to_string();
                assert!(!shown.contains("signature="), "{case}: {shown}");
                // The job runs again.
                let made = publish(&world.client, model(&name, &[("a", &text)])).await.unwrap();
                assert!(!made.existed);
                assert_eq!(world.n_versions(&name).await, 1, "{case}");
            }
            let version = world.version(&format!("{name}:latest")).await.unwrap();
            let files = Files::of(&world.client, &version).await.unwrap();
            assert_eq!(files.read("a", 100).await.unwrap(), text.as_bytes(), "{case}");
        }
    }
    world.assert_sound();
}

#[tokio::test]
async fn a_conflict_is_tried_four_times_in_all() {
    for operation in ["createArtifact", "createArtifactFiles", "commitArtifact"] {
        for (times, is_made) in [(3, true), (4, false)] {
            let world = World::start().await;
            world.twin.fault(Fault::once(operation, Kind::status(409)).times(times));
            let outcome = publish(&world.client, model("m", &[("a", "1")])).await;
            assert_eq!(outcome.is_ok(), is_made, "{operation} {times}: {outcome:?}");
            assert!(outcome.is_ok() || matches!(outcome, Err(WandbError::Conflict { .. })));
            assert_eq!(world.n_versions("m").await, usize::from(is_made));
        }
    }
}

#[tokio::test]
async fn a_commit_that_nobody_answers_is_looked_up() {
    let world = World::start().await;
    // What was not done is done once more.
    world.twin.fault(Fault::once("commitArtifact", Kind::DropBefore));
    let made = publish(&world.client, model("a", &[("f", "1")])).await.unwrap();
    assert_eq!((made.existed, made.version_index), (false, Some(0)));
    assert_eq!(world.n_calls("commitArtifact"), 2);
    // What was done is not.
    world.twin.fault(Fault::once("commitArtifact", Kind::DropAfter));
    let made = publish(&world.client, model("b", &[("f", "1")])).await.unwrap();
    assert_eq!((made.existed, made.version_index), (false, Some(0)));
    assert_eq!(world.n_calls("commitArtifact"), 3);
    // And when it can not be found out, it is said so.
    world.twin.fault(Fault::always("commitArtifact", Kind::DropBefore));
    let error = publish(&world.client, model("c", &[("f", "1")])).await.unwrap_err();
    assert!(matches!(error, WandbError::Doubtful { .. }), "{error}");
    assert_eq!(world.n_versions("c").await, 0);
    world.twin.state().faults.clear();
    world.twin.fault(Fault::once("commitArtifact", Kind::DropAfter));
    world.twin.fault(Fault::once("project", Kind::status(403)));
    let error = publish(&world.client, model("d", &[("f", "1")])).await.unwrap_err();
    assert!(matches!(error, WandbError::Doubtful { .. }), "{error}");
    world.assert_sound();
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let world = World::start().await;
    let stage = Stage {
        attempts: 2,
        whole: Duration::from_millis(400),
        attempt: Duration::from_millis(150),
    };
    let mut settings = settings(&world.twin);
    settings.deadlines = Deadlines {
        graphql: stage,
        storage: stage,
        ..Deadlines::default()
    };
    for (n, (operation, skip)) in CALLS.iter().enumerate() {
        let text = n.to_string();
        world.twin.fault(Fault::always(operation, Kind::Never).after(*skip));
        let client = Client::new(settings.clone()).unwrap();
        let error = publish(&client, model("m", &[("a", &text)])).await.unwrap_err();
        assert!(error.may_pass(), "{operation}: {error}");
        world.twin.state().faults.clear();
        assert_eq!(world.n_versions("m").await, 0, "{operation}");
    }
    publish(&world.client, model("m", &[("a", "1")])).await.unwrap();
}
