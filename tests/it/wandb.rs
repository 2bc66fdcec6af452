//! The lifecycle with W&B as the registry: the same jobs on the twins of GitHub and of W&B.

use serde_json::{Value, json};

use crate::pull_request::{settings, without_masks};
use crate::wandb_twin::Twin;
use crate::world::{Ran, World};

/// The example repository, whose configuration says W&B.
fn world(twin: &Twin) -> World {
    let mut world = World::new();
    world
        .config
        .push_str("registry: wandb\nwandb: {entity: ml-team, project: diabetes}\n");
    world.push("main", &[("mlops.yaml", &world.config.clone())]);
    world.env = vec![("WANDB_API_KEY", twin.key()), ("WANDB_BASE_URL", twin.url())];
    world
}

/// What people see in W&B.
fn kept(twin: &Twin) -> String {
    serde_json::to_string_pretty(&twin.snapshot()).unwrap()
}

fn promotion(world: &World, command: &str) -> Ran {
    let mut job = world.on_main("workflow_dispatch", json!({"inputs": {}}));
    job.inputs.push(("command", command.to_owned()));
    world.run(&job)
}

#[test]
fn from_the_first_push_to_production_and_back() {
    let _bound = settings().bind_to_scope();
    let twin = Twin::start();
    let world = world(&twin);
    let first = world.run(&world.main());
    assert_eq!(first.code, 0, "{}", first.log);
    assert_eq!(first.outputs["model-version"], "v0", "W&B counts from 0: {}", first.log);
    let promoted = promotion(&world, "promote");
    assert_eq!(promoted.code, 0, "{}", promoted.log);

    let config = world.config.clone();
    let with = |alpha: &str| config.replace("alpha: 1.0", &format!("alpha: {alpha}"));
    world.push("tune", &[("mlops.yaml", &with("0.9"))]);
    let number = world.open("tune", "Tune the ridge");
    let opened = world.run(&world.pull_request(number, "opened"));
    assert_eq!(opened.code, 0, "{}", opened.log);
    insta::assert_snapshot!("wandb_opened", world.seen(number));
    insta::assert_snapshot!("wandb_opened_log", without_masks(&opened.log));

    world.twin.state().merge(crate::world::REPOSITORY, number);
    let merged = world.run(&world.main());
    assert_eq!(merged.code, 0, "{}", merged.log);
    assert_eq!(merged.outputs["model-version"], "v1");
    for (words, name) in [("/mlops promote", "promoted"), ("/mlops rollback", "rolled_back")] {
        let answered = world.run(&world.comment(number, "mia", words));
        assert_eq!(answered.code, 0, "{name}: {}", answered.log);
        insta::assert_snapshot!(format!("wandb_{name}"), world.seen(number));
    }
    let status = promotion(&world, "status");
    assert_eq!(status.code, 0, "{}", status.log);
    insta::assert_snapshot!("wandb_status", status.summary);
    insta::assert_snapshot!("wandb_kept", kept(&twin));
    assert_eq!(twin.violations(), Vec::<String>::new());
    assert_eq!(world.twin.violations(), Vec::<String>::new());
    assert!(
        !first
            .log
            .lines()
            .any(|line| !line.starts_with("::add-mask::") && line.contains(&twin.key()))
    );
    let _: Value = twin.snapshot();
}
