//! The life of a pull request, as those see it who read along.

use crate::world::{REPOSITORY, World};

/// What differs from run to run.
pub fn settings() -> insta::Settings {
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
        (r"((&#60;|<)[ \u{a0}])?\d+(\.\d+)?[ \u{a0}]?(ms|s)\b", "[time]"),
        (r"\d{8}T\d{6}Z-[0-9a-f]{12}", "[run]"),
        (r"commit [0-9a-f]{7}\b", "commit [commit]"),
        (r"\b(at|in) [0-9a-f]{7}\b", "$1 [commit]"),
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

    // A pull request that changes next to nothing; pushes that make it better, leave it the same, make it worse.
    let config = world.config.clone();
    let with = |alpha: &str| config.replace("alpha: 1.0", &format!("alpha: {alpha}"));
    world.push("tune", &[("mlops.yaml", &with("3.0"))]);
    let number = world.open("tune", "Tune the ridge");
    let opened = world.run(&world.pull_request(number, "opened"));
    assert_eq!(opened.code, 0, "{}", opened.log);
    insta::assert_snapshot!("opened", world.seen(number));
    insta::assert_snapshot!("opened_log", without_masks(&opened.log));
    insta::assert_snapshot!("opened_summary", opened.summary);

    // The runner repeats the job: everything is there already.
    let before = world.twin.state().comments(REPOSITORY, number)[0].versions.len();
    world.run(&world.pull_request(number, "opened"));
    assert_eq!(
        world.twin.state().comments(REPOSITORY, number)[0].versions.len(),
        before
    );

    for (alpha, code, name) in [("0.9", 0, "better"), ("0.9", 0, "same"), ("100000", 1, "worse")] {
        world.push("tune", &[("mlops.yaml", &with(alpha)), ("NOTES.md", name)]);
        let ran = world.run(&world.pull_request(number, "synchronize"));
        assert_eq!(ran.code, code, "{name}: {}", ran.log);
        insta::assert_snapshot!(name, world.seen(number));
    }
    let thread = world.thread(number);
    assert_eq!(
        thread.len(),
        2,
        "one comment, and the one that it took the place of: {thread:?}"
    );
    assert_eq!(thread.iter().filter(|comment| comment.minimized.is_none()).count(), 1);

    // Better again, merged: main publishes what it makes of it, and says so in the thread without a mail.
    world.push("tune", &[("mlops.yaml", &with("0.9"))]);
    assert_eq!(world.run(&world.pull_request(number, "synchronize")).code, 0);
    world.twin.state().merge(REPOSITORY, number);
    let merged = world.run(&world.main());
    assert_eq!(merged.code, 0, "{}", merged.log);
    assert_eq!(merged.outputs["model-version"], "v2");
    insta::assert_snapshot!("merged", world.seen(number));

    for (words, name) in [
        ("/mlops promote", "promoted"),
        ("It is slow.\n\n/mlops rollback", "rolled_back"),
    ] {
        let answered = world.run(&world.comment(number, "mia", words));
        assert_eq!(answered.code, 0, "{name}: {}", answered.log);
        insta::assert_snapshot!(name, world.seen(number));
    }
    insta::assert_snapshot!("ledger", world.ledger_lines().join("\n"));
    assert_eq!(world.thread(number).len(), 2, "answers are not the comment");
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

/// The log without secrets and without what differs where tests run as root.
pub fn without_masks(log: &str) -> String {
    let is_ours = |line: &&str| !line.starts_with("::add-mask::") && !line.contains(" WARN ");
    log.lines().filter(is_ours).collect::<Vec<_>>().join("\n")
}
