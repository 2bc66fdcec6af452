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

/// What people see in W&B: collections with their versions and aliases, and runs.
fn kept(twin: &Twin) -> String {
    let mut lines = Vec::new();
    let seen = twin.snapshot();
    for (project, about) in seen["projects"].as_object().unwrap() {
        lines.push(project.clone());
        for (name, collection) in about["collections"].as_object().unwrap() {
            // Tables of runs come in any order; tests of the tracker look into them.
            if collection["type"] == "run_table" {
                continue;
            }
            lines.push(format!("  {name}, a {} of {}", collection["kind"], collection["type"]));
            for version in collection["versions"].as_array().unwrap() {
                let files: Vec<&String> = version["files"].as_object().unwrap().keys().collect();
                lines.push(format!("    {} {} {files:?}", version["version"], version["aliases"]));
                for key in ["passed", "reason", "alias", "from", "to", "because"] {
                    if let Some(value) = version["metadata"].get(key) {
                        lines.push(format!("      {key}: {value}"));
                    }
                }
            }
        }
        let mut runs: Vec<&Value> = about["runs"].as_object().unwrap().values().collect();
        runs.sort_by_key(|run| run["created_at"].to_string());
        for run in runs {
            lines.push(format!(
                "  run {} in {}: {} {}, {}",
                run["display_name"], run["group"], run["job_type"], run["tags"], run["state"]
            ));
        }
    }
    lines.join("\n")
}

fn promotion(world: &World, command: &str) -> Ran {
    let mut job = world.on_main("workflow_dispatch", json!({"inputs": {}}));
    job.inputs.push(("command", command.to_owned()));
    world.run(&job)
}

#[test]
fn from_the_first_push_to_production_and_back() {
    let mut settings = settings();
    // Characters that keep GitHub from making links of numbers.
    settings.add_filter("\u{200b}", "");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[moment]");
    settings.add_filter(r"sha256:[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"\([0-9a-f]{12}\)", "([digest])");
    settings.add_filter(r"(of commit |main |#1 )[0-9a-f]{7}\b", "$1[commit]");
    settings.add_filter(r"\b(sha|commit)-[0-9a-f]{7}\b", "$1-[commit]");
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "https://wandb.example");
    let _bound = settings.bind_to_scope();
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
}

#[test]
fn a_command_sees_the_key_only_where_the_configuration_says_so() {
    let twin = Twin::start();
    let joins = "test \"$WANDB_RUN_GROUP\" = main && test -n \"$WANDB_API_KEY\" && test \"$WANDB_PROJECT\" = diabetes";
    let off = "test -z \"$WANDB_API_KEY\" && test \"$WANDB_MODE\" = disabled";
    for (share, command) in [("true", joins), ("false", off)] {
        let mut world = world(&twin);
        let config = world.config.replace(
            "project: diabetes}",
            &format!("project: diabetes, share_key: {share}}}"),
        );
        let (before, _) = config.split_once("  test:").unwrap();
        let rest = config.split_once("  test:").unwrap().1.split_once('\n').unwrap().1;
        world.config = format!("{before}  test: [{}]\n{rest}", json!(command));
        world.push("main", &[("mlops.yaml", &world.config.clone())]);
        let ran = world.run(&world.main());
        assert_eq!(ran.code, 0, "share_key: {share}: {}", ran.log);
    }
}
