//! What the operations make of the twin's answers, and of answers that the twin would not give.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::wandb::artifacts::{PublishedArtifact, publish};
use crate::wandb::error::WandbError;
use crate::wandb::operations::*;
use crate::wandb::tests::canned::{Canned, Server, answer};
use crate::wandb::tests::world::{ENTITY, ORGANIZATION, PROJECT, REGISTRY, World, collection, model, registered};

#[tokio::test]
async fn who_asks_and_what_the_server_can() {
    let world = World::start().await;
    let client = &world.client;
    let viewer = viewer(client).await.unwrap().unwrap();
    assert_eq!(viewer.username.as_deref(), Some("ada"));
    assert_eq!(viewer.entity.as_deref(), Some(ENTITY));
    assert!(viewer.teams.contains(&ENTITY.to_owned()));
    let features = server_features(client).await.unwrap();
    assert!(features.contains("ARTIFACT_TAGS") && !features.contains("FILESTREAM_GZIP"));
    world.twin.state().is_old = true;
    assert!(server_features(client).await.unwrap().is_empty());
}

#[tokio::test]
async fn where_the_registry_is() {
    let world = World::start().await;
    let client = &world.client;
    let acme = Organization {
        name: "Acme".to_owned(),
        entity: Some(ORGANIZATION.to_owned()),
    };
    let team = org_of_entity(client, ENTITY).await.unwrap().unwrap();
    assert_eq!((team.team, team.person), (Some(acme.clone()), Vec::new()));
    let person = org_of_entity(client, "ada").await.unwrap().unwrap();
    assert_eq!((person.team, person.person), (None, vec![acme]));
    assert_eq!(org_of_entity(client, "nobody").await.unwrap(), None);

    let found = registry(client, ORGANIZATION, REGISTRY).await.unwrap().unwrap();
    assert_eq!(
        (found.name.as_str(), found.is_read_only, found.takes_all_types),
        (REGISTRY, false, true)
    );
    assert_eq!(
        registry(client, ORGANIZATION, "wandb-registry-none").await.unwrap(),
        None
    );
    assert_eq!(registry(client, "nobody", REGISTRY).await.unwrap(), None);
    let types = ["model".to_owned(), "dataset".to_owned()];
    world.twin.state().registry("Acme", "model").types = Some(types.into());
    let found = registry(client, ORGANIZATION, REGISTRY).await.unwrap().unwrap();
    assert_eq!(
        (found.takes_all_types, found.types),
        (false, vec!["dataset".to_owned(), "model".to_owned()])
    );
}

#[tokio::test]
async fn a_run_is_made_taken_up_and_read() {
    let world = World::start().await;
    let client = &world.client;
    let path = |run: &str| RunPath {
        run: run.to_owned(),
        ..world.run.clone()
    };
    assert_eq!(run_resume(client, &path("r")).await.unwrap(), None);
    assert_eq!(run_read(client, &path("r")).await.unwrap(), None);
    let mut run = UpsertRun {
        name: "r".to_owned(),
        project: PROJECT.to_owned(),
        display_name: Some("evaluate #1".to_owned()),
        tags: Some(vec!["ci".to_owned()]),
        notes: Some("notes".to_owned()),
        config: Some(json!({"lr": {"value": 0.5}})),
        ..UpsertRun::default()
    };
    let made = upsert_run(client, &run).await.unwrap();
    assert!(made.is_new);
    assert_eq!(made.path, path("r"), "in the entity that the key has");
    assert_eq!(made.display_name.as_deref(), Some("evaluate #1"));
    let again = upsert_run(client, &run).await.unwrap();
    assert_eq!((again.is_new, &again.id), (false, &made.id));

    let found = run_resume(client, &made.path).await.unwrap().unwrap();
    assert_eq!((found.is_started, found.next_step, found.n_history), (false, 0, 0));
    assert_eq!(
        (found.tags, found.notes.as_deref()),
        (vec!["ci".to_owned()], Some("notes"))
    );
    run.config = Some(json!({"lr": {"value": 0.5}, "_wandb": {"value": {"t": {"13": "linux-x86_64"}}}}));
    upsert_run(client, &run).await.unwrap();
    let rows = json!({"files": {
        "wandb-history.jsonl": {"offset": 0, "content": ["{\"_step\":0,\"loss\":NaN}", "{\"_step\":7,\"loss\":0.5}"]},
        "wandb-summary.json": {"offset": 0, "content": ["{\"_step\":7,\"loss\":NaN,\"best\":Infinity}"]},
        "output.log": {"offset": 0, "content": ["hello"]},
    }});
    client
        .post_stream(ENTITY, PROJECT, "r", rows.to_string())
        .await
        .unwrap();
    let found = run_resume(client, &made.path).await.unwrap().unwrap();
    assert_eq!((found.is_started, found.next_step), (true, 8));
    assert_eq!((found.n_history, found.n_events, found.n_log), (2, 0, 1));
    assert_eq!(found.config.unwrap()["lr"]["value"], 0.5);

    let read = run_read(client, &made.path).await.unwrap().unwrap();
    assert_eq!(
        (read.state.as_deref(), read.is_stopped, read.n_history),
        (Some("running"), false, 2)
    );
    assert_eq!(
        (read.name.as_str(), read.display_name.as_deref()),
        ("r", Some("evaluate #1"))
    );
    let summary = read.summary.unwrap();
    assert_eq!(summary["_step"], 7);
    assert_eq!(summary["loss"], "NaN");
    world.assert_sound();
}

#[tokio::test]
async fn people_are_alerted() {
    let world = World::start().await;
    let message = Alert {
        title: "the model is worse".to_owned(),
        text: "by 2".to_owned(),
        severity: AlertSeverity::Warn,
        wait_ms: Some(60_000),
    };
    alert(&world.client, &world.run, &message).await.unwrap();
    let kept = world.twin.state().alerts.clone();
    assert_eq!(kept.len(), 1);
    assert!(format!("{:?}", kept[0]).contains("the model is worse"));
}

async fn published(world: &World, text: &str) -> PublishedArtifact {
    let mut artifact = model("m", &[("a", text)]);
    artifact.metadata = Some(json!({"rmse": 1.5}));
    publish(&world.client, artifact).await.unwrap()
}

#[tokio::test]
async fn versions_are_listed_with_the_aliases_of_their_collection() {
    let world = World::start().await;
    let client = &world.client;
    let (first, second) = (published(&world, "1").await, published(&world, "2").await);
    for (artifact, aliases) in [(&first, vec!["production".to_owned()]), (&second, Vec::new())] {
        let link = LinkArtifact {
            artifact: artifact.id.clone(),
            collection: registered("diabetes"),
            aliases,
        };
        assert_eq!(link_artifact(client, &link).await.unwrap(), artifact.version_index);
    }
    add_aliases(client, &first.id, &collection("m"), &["mine".to_owned()])
        .await
        .unwrap();
    let shown = async |path: &CollectionPath| {
        let all = versions(client, &path.entity, &path.project, &path.collection)
            .await
            .unwrap();
        let all = all.unwrap().into_iter();
        all.map(|one| (one.index, one.artifact, one.aliases.join(" ")))
            .collect::<Vec<_>>()
    };
    let (one, two) = (first.id.clone(), second.id.clone());
    assert_eq!(
        shown(&collection("m")).await,
        [
            (0, one.clone(), "mine".to_owned()),
            (1, two.clone(), "latest".to_owned())
        ]
    );
    assert_eq!(
        shown(&registered("diabetes")).await,
        [(0, one, "production".to_owned()), (1, two, "latest".to_owned())]
    );
    let all = versions(client, ENTITY, PROJECT, "m").await.unwrap().unwrap();
    assert_eq!(all[0].metadata, Some(json!({"rmse": 1.5})));
    assert_eq!((&all[0].digest, all[0].tags.len()), (&first.digest, 0));
    for (project, name) in [(PROJECT, "none"), ("none", "m")] {
        assert_eq!(versions(client, ENTITY, project, name).await.unwrap(), None);
    }
    world.assert_sound();
}

#[tokio::test]
async fn an_alias_moves_and_leads_to_a_membership() {
    let world = World::start().await;
    let client = &world.client;
    let (first, second) = (published(&world, "1").await, published(&world, "2").await);
    let place = registered("diabetes");
    for made in [&first, &second] {
        let link = LinkArtifact {
            artifact: made.id.clone(),
            collection: place.clone(),
            aliases: Vec::new(),
        };
        link_artifact(client, &link).await.unwrap();
    }
    let production = async || {
        version(client, ORGANIZATION, REGISTRY, "diabetes:production")
            .await
            .unwrap()
    };
    assert_eq!(production().await, None);
    let alias = ["production".to_owned()];
    add_aliases(client, &first.id, &place, &alias).await.unwrap();
    let before = production().await.unwrap();
    assert_eq!((before.version_index, before.aliases.as_slice()), (Some(0), &alias[..]));
    assert_eq!(
        (before.collection.kind, &before.collection.path),
        (CollectionKind::Portfolio, &place)
    );
    assert_eq!(before.artifact.id, first.id);
    assert_eq!(before.artifact.sequence, "m");
    let made_by = before.artifact.made_by.as_ref().unwrap();
    assert_eq!(made_by.project, Some((ENTITY.to_owned(), PROJECT.to_owned())));
    add_aliases(client, &second.id, &place, &alias).await.unwrap();
    let after = production().await.unwrap();
    assert_eq!(after.artifact.id, second.id);
    assert_ne!(after.id, before.id);
    delete_aliases(client, &second.id, &place, &alias).await.unwrap();
    assert_eq!(production().await, None);
    unlink_artifact(client, &second.id, &after.collection.id).await.unwrap();
    let left = versions(client, ORGANIZATION, REGISTRY, "diabetes")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(
        world.version("m:v1").await.unwrap().collection.kind,
        CollectionKind::Sequence
    );
    world.assert_sound();
}

#[tokio::test]
async fn a_version_is_changed_and_used() {
    let world = World::start().await;
    let client = &world.client;
    let made = published(&world, "1").await;
    let change = UpdateArtifact {
        artifact: made.id.clone(),
        description: Some("better".to_owned()),
        metadata: Some(json!({"rmse": 2})),
        tags_to_add: vec!["ci".to_owned(), "approved".to_owned()],
        tags_to_delete: Vec::new(),
    };
    update_artifact(client, &change).await.unwrap();
    let change = UpdateArtifact {
        artifact: made.id.clone(),
        tags_to_delete: vec!["ci".to_owned()],
        ..UpdateArtifact::default()
    };
    update_artifact(client, &change).await.unwrap();
    let found = world.version("m:latest").await.unwrap().artifact;
    assert_eq!(found.description.as_deref(), Some("better"));
    assert_eq!(
        (found.metadata, found.tags),
        (Some(json!({"rmse": 2})), vec!["approved".to_owned()])
    );

    for found_in in [None, Some((ENTITY.to_owned(), PROJECT.to_owned()))] {
        let usage = UseArtifact {
            artifact: made.id.clone(),
            run: world.run.clone(),
            found_in,
            used_as: Some("test data".to_owned()),
        };
        use_artifact(client, &usage).await.unwrap();
    }
    let usage = UseArtifact {
        artifact: "QXJ0aWZhY3Q6OTk5OTk=".to_owned(),
        run: world.run.clone(),
        found_in: None,
        used_as: None,
    };
    let error = use_artifact(client, &usage).await.unwrap_err();
    assert!(matches!(error, WandbError::NotFound { .. }), "{error}");
    world.assert_sound();
}

fn page(first: u32, n: u32, next: Option<&str>) -> Canned {
    let edge = |index: u32| {
        json!({"version": format!("v{index}"), "node": {
            "id": format!("id-{index}"), "digest": "d", "metadata": null, "createdAt": "2026-11-23T03:22:13",
            "tags": [], "aliases": [
                {"alias": format!("a{index}"), "artifactCollection": {"id": "here"}},
                {"alias": "elsewhere", "artifactCollection": {"id": "there"}},
                {"alias": "nowhere", "artifactCollection": null},
                {"alias": format!("v{index}"), "artifactCollection": {"id": "here"}},
            ]
        }})
    };
    let edges: Vec<Value> = (first..first + n).rev().map(edge).collect();
    let page_info = json!({"endCursor": next, "hasNextPage": next.is_some()});
    let collection = json!({"id": "here", "artifacts": {"pageInfo": page_info, "edges": edges}});
    answer(
        200,
        &json!({"data": {"project": {"artifactCollection": collection}}}).to_string(),
    )
}

#[tokio::test]
async fn all_pages_are_read_and_not_more_than_can_be() {
    let server = Server::in_turn(vec![page(2, 3, Some("c1")), page(0, 2, Some("c2")), page(5, 1, None)]).await;
    let found = versions(&server.client(), "e", "p", "c").await.unwrap().unwrap();
    let shown: Vec<String> = found
        .iter()
        .map(|one| format!("{} {}", one.index, one.aliases.join(" ")))
        .collect();
    assert_eq!(shown, ["0 a0", "1 a1", "2 a2", "3 a3", "4 a4", "5 a5"]);
    let cursors: Vec<Value> = server
        .asked()
        .iter()
        .map(|asked| asked.json()["variables"]["after"].clone())
        .collect();
    assert_eq!(cursors, [json!(null), json!("c1"), json!("c2")]);

    let endless = Server::in_turn(vec![page(0, 1, Some("again"))]).await;
    let error = versions(&endless.client(), "e", "p", "c").await.unwrap_err();
    assert!(error.to_string().contains("more than 20000 versions"), "{error}");
    assert_eq!(endless.asked().len(), 200);

    let files = |names: [&str; 2], next: Option<&str>| {
        let edges: Vec<Value> = names
            .into_iter()
            .map(|name| json!({"node": {"name": name, "directUrl": format!("https://s/{name}")}}))
            .collect();
        let files = json!({"pageInfo": {"endCursor": next, "hasNextPage": next.is_some()}, "edges": edges});
        let data = json!({"project": {"artifactCollection": {"artifactMembership": {"files": files}}}});
        answer(200, &json!({"data": data}).to_string())
    };
    let server = Server::in_turn(vec![files(["a", "b"], Some("c")), files(["c", "d"], None)]).await;
    let found = membership_file_urls(&server.client(), &collection("c"), "v0")
        .await
        .unwrap();
    let expected = ["a", "b", "c", "d"].map(|name| (name.to_owned(), format!("https://s/{name}")));
    assert_eq!(found, Some(BTreeMap::from(expected)));
    let nothing = Server::in_turn(vec![answer(200, r#"{"data":{"project":null}}"#)]).await;
    let found = membership_file_urls(&nothing.client(), &collection("c"), "v0")
        .await
        .unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn answers_that_say_nothing_are_errors() {
    let path = RunPath {
        entity: "e".to_owned(),
        project: "p".to_owned(),
        run: "r".to_owned(),
    };
    let client = async |data: &str| {
        let server = Server::in_turn(vec![answer(200, &format!(r#"{{"data":{data}}}"#))]).await;
        let client = server.client();
        (server, client)
    };
    let is_malformed = |error: WandbError| assert!(matches!(error, WandbError::Malformed { .. }), "{error}");
    let run = UpsertRun::default();
    for data in [
        r#"{"upsertBucket":null}"#,
        r#"{"upsertBucket":{"bucket":null}}"#,
        "{}",
        "null",
    ] {
        let (_server, client) = client(data).await;
        is_malformed(upsert_run(&client, &run).await.unwrap_err());
    }
    for data in [r#"{"addAliases":null}"#, r#"{"addAliases":{"success":false}}"#] {
        let (_server, client) = client(data).await;
        is_malformed(add_aliases(&client, "x", &collection("c"), &[]).await.unwrap_err());
    }
    let swapped = r#"{"createRunFiles":{"runID":"x","uploadHeaders":[],"files":[{"name":"b"}]}}"#;
    let (_server, swapped) = client(swapped).await;
    is_malformed(create_run_files(&swapped, &path, &["a".to_owned()]).await.unwrap_err());
    let none = r#"{"createArtifactFiles":{"files":{"edges":[]}}}"#;
    let (_server, none) = client(none).await;
    let spec = ArtifactFileSpec::default();
    is_malformed(create_artifact_files(&none, &[spec]).await.unwrap_err());
    let other = r#"{"updateArtifact":{"artifact":{"id":"other"}}}"#;
    let (_server, other) = client(other).await;
    is_malformed(update_artifact(&other, &UpdateArtifact::default()).await.unwrap_err());
    let half = r#"{"project":{"artifactCollectionMembership":{
        "id":"m","versionIndex":0,"createdAt":"2026-11-23T03:22:13Z","aliases":[],
        "artifactCollection":{"__typename":"ArtifactPortfolio","id":"c","name":"c","project":{"name":"p","entity":{"name":"e"}}},
        "artifact":null}}}"#;
    let (_server, half) = client(half).await;
    is_malformed(version(&half, "e", "p", "c:a").await.unwrap_err());
}

#[test]
fn the_next_step_is_behind_all_that_is_known() {
    use super::super::runs::next_step;
    let tail = json!(["{\"_step\":3}", "{\"_step\":9,\"x\":NaN}"]);
    assert_eq!(next_step(None, None, 0), 0);
    assert_eq!(next_step(None, None, 5), 5);
    assert_eq!(next_step(Some(&json!({"_step": 20})), Some(&tail), 5), 21);
    assert_eq!(next_step(Some(&json!({"_step": 2})), Some(&tail), 5), 10);
    assert_eq!(next_step(Some(&json!({"loss": 2})), Some(&json!("odd")), 0), 0);
}
