//! The life of a pull request, as those see it who read along.

use crate::world::{REPOSITORY, World};

/// What differs from run to run.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("snapshots");
    for (pattern, with) in [
        (r"mlops-data:[A-Za-z0-9_-]+", "mlops-data:[data]"),
        (r"sha256:[0-9a-f]{64}", "[digest]"),
        (r"\b[0-9a-f]{40}\b", "[commit]"),
        (r"`[0-9a-f]{12}`", "`[digest]`"),
        (r"`[0-9a-f]{7}`", "`[commit]`"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[moment]"),
        (r"Time \*\*[^*]+\*\*", "Time **[time]**"),
        (r"\| \d+ ms \|", "| [time] |"),
        (r"\d+(\.\d+)?\u{a0}?(ms|s)\b", "[time]"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{12}", "[run]"),
        (r"commit [0-9a-f]{7}\b", "commit [commit]"),
    ] {
        settings.add_filter(pattern, with);
    }
    settings
}

#[test]
fn from_the_first_push_to_production_and_back() {
    let _bound = settings().bind_to_scope();
    let world = World::new();

    // Before anybody proposes anything: main publishes v1, and a maintainer puts it into production by hand.
    let first = world.run(&world.main());
    assert_eq!(first.code, 0, "{}", first.log);
    assert_eq!(first.outputs["model-version"], "v1");
    let mut promote = world.on_main("workflow_dispatch", serde_json::json!({"inputs": {}}));
    promote.inputs.push(("command", "promote".to_owned()));
    let promoted = world.run(&promote);
    assert_eq!(promoted.code, 0, "{}", promoted.log);

    // A pull request that changes next to nothing, then one that is better, the same, worse, and good again.
    let config = world.config.clone();
    world.push("tune", &[("mlops.yaml", &config.replace("alpha: 1.0", "alpha: 0.9"))]);
    let number = world.open("tune", "Tune the ridge");
    let opened = world.run(&world.pull_request(number, "opened"));
    assert_eq!(opened.code, 0, "{}", opened.log);
    insta::assert_snapshot!("opened", world.seen(number));
    insta::assert_snapshot!("opened_log", opened.log);
    assert_eq!(world.twin.violations(), Vec::<String>::new());
    assert_eq!(world.twin.state().comments(REPOSITORY, number).len(), 1);
}
