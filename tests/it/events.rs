//! What each event does, and what it leaves alone.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::pull_request::settings;
use crate::twins::Issue;
use crate::world::{Job, REPOSITORY, Ran, World};

/// `main` has published v1.
fn published() -> World {
    let world = World::new();
    let ran = world.run(&world.main());
    assert_eq!(ran.code, 0, "{}", ran.log);
    world
}

/// What a job wrote: the kinds of things, not how often.
fn written(world: &World, job: &Job) -> (Ran, BTreeSet<&'static str>) {
    let before = world.writes().len();
    let ran = world.run(job);
    let kinds = world.writes()[before..]
        .iter()
        .map(|call| match call.as_str() {
            call if call.contains("/check-runs") => "checks",
            call if call.contains("/comments") => "comments",
            call if call.contains("/git/") => "registry",
            call if call.contains("/issues") => "issues",
            call if call.contains("/deployments") => "deployments",
            _ => "else",
        })
        .collect();
    (ran, kinds)
}

fn kinds(names: &[&'static str]) -> BTreeSet<&'static str> {
    names.iter().copied().collect()
}

fn issues(world: &World) -> Vec<Issue> {
    let mut state = world.twin.state();
    let repository = state.repository(REPOSITORY);
    let is_issue = |issue: &&Issue| !repository.pulls.contains_key(&issue.number);
    repository.issues.values().filter(is_issue).cloned().collect()
}

#[test]
fn each_event_writes_what_it_may() {
    let world = published();
    let better = world.config.replace("alpha: 1.0", "alpha: 0.9");
    let tip = world.push("tune", &[("mlops.yaml", &better)]);
    let number = world.open("tune", "Tune the ridge");
    let at = |job: Job, git_ref: &str| Job {
        checkout: tip.clone(),
        git_ref: git_ref.to_owned(),
        ..job
    };
    let push = |git_ref: &str| {
        let payload = json!({"ref": git_ref, "before": "0".repeat(40), "after": tip});
        at(world.on_main("push", payload), git_ref)
    };
    let queue = format!("refs/heads/gh-readonly-queue/main/pr-{number}-{}", world.tip("main"));
    let group = json!({
        "action": "checks_requested",
        "merge_group": {
            "head_sha": tip, "head_ref": queue, "base_sha": world.tip("main"), "base_ref": "refs/heads/main",
        },
    });
    let deleted = Job {
        payload: json!({"ref": "refs/heads/x", "before": tip, "after": "0".repeat(40), "deleted": true}),
        env: vec![("GITHUB_SHA", "0".repeat(40))],
        ..push("refs/heads/x")
    };
    for (what, job, writes) in [
        (
            "a merge queue",
            at(world.on_main("merge_group", group), &queue),
            kinds(&["checks"]),
        ),
        ("another branch", push("refs/heads/tune"), kinds(&["checks"])),
        ("a tag", push("refs/tags/v1"), kinds(&["checks"])),
        ("a deleted branch", deleted, kinds(&[])),
        (
            "a release",
            at(world.on_main("release", json!({"action": "published"})), "refs/tags/v1"),
            kinds(&[]),
        ),
        (
            "an event of tomorrow",
            at(world.on_main("tomorrow", json!({})), "refs/heads/main"),
            kinds(&[]),
        ),
        (
            "a closed pull request",
            world.pull_request(number, "closed"),
            kinds(&[]),
        ),
        (
            "a pull request",
            world.pull_request(number, "opened"),
            kinds(&["checks", "comments"]),
        ),
    ] {
        let (ran, wrote) = written(&world, &job);
        assert_eq!((ran.code, &wrote), (0, &writes), "{what}: {}", ran.log);
        assert_eq!(world.ledger().len(), 2, "{what}: {:?}", world.ledger_lines());
    }
    // By hand on main: the same as a push, which finds nothing new.
    let (ran, wrote) = written(&world, &world.on_main("workflow_dispatch", json!({"inputs": {}})));
    assert_eq!((ran.code, wrote), (0, kinds(&["checks"])), "{}", ran.log);
    assert_eq!(ran.outputs["model-version"], "v1");
    let somewhere = at(
        world.on_main("workflow_dispatch", json!({"inputs": {}})),
        "refs/heads/tune",
    );
    let (ran, wrote) = written(&world, &somewhere);
    assert_eq!((ran.code, wrote), (0, kinds(&["checks"])), "{}", ran.log);
    for command in ["promote", "rollback"] {
        let mut job = at(
            world.on_main("workflow_dispatch", json!({"inputs": {}})),
            "refs/heads/tune",
        );
        job.inputs.push(("command", command.to_owned()));
        let (ran, wrote) = written(&world, &job);
        assert_eq!((ran.code, wrote), (2, kinds(&[])), "{}", ran.log);
    }
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[test]
fn a_schedule_has_one_issue_while_it_fails() {
    let world = published();
    let scheduled = || world.on_main("schedule", json!({"schedule": "0 4 * * 1"}));
    let (ran, wrote) = written(&world, &scheduled());
    assert_eq!((ran.code, wrote), (0, kinds(&["checks"])), "{}", ran.log);
    assert!(issues(&world).is_empty());

    let rows: Vec<&str> = world.data.lines().collect();
    let fewer = |n: usize| format!("{}\n", rows[..n].join("\n"));
    for n in [301, 251] {
        world.push("main", &[("data/diabetes.csv", &fewer(n))]);
        assert_eq!(world.run(&scheduled()).code, 1);
        assert_eq!(issues(&world).len(), 1, "one, whatever fails how often");
        assert!(issues(&world)[0].is_open);
    }
    let issue = issues(&world).remove(0);
    let _bound = settings().bind_to_scope();
    let head: Vec<&str> = issue.body.lines().take(12).collect();
    insta::assert_snapshot!("scheduled_issue", format!("# {}\n{}", issue.title, head.join("\n")));

    world.push("main", &[("data/diabetes.csv", &world.data)]);
    assert_eq!(world.run(&scheduled()).code, 0);
    assert!(issues(&world).len() == 1 && !issues(&world)[0].is_open);
    assert_eq!(world.run(&scheduled()).code, 0);
    world.push("main", &[("data/diabetes.csv", &fewer(301))]);
    assert_eq!(world.run(&scheduled()).code, 1);
    let open: Vec<bool> = issues(&world).iter().map(|issue| issue.is_open).collect();
    assert_eq!(open, [false, true], "what is closed stays closed, with its last word");
}

#[test]
fn what_the_runner_does_not_say_the_api_knows() {
    let world = published();
    world.push("tune", &[("NOTES.md", "tuned")]);
    let number = world.open("tune", "Tune the ridge");
    let mut job = world.pull_request(number, "opened");
    job.env.push(("GITHUB_EVENT_PATH", "/nowhere/event.json".to_owned()));
    let (ran, wrote) = written(&world, &job);
    assert_eq!((ran.code, wrote), (0, kinds(&["checks", "comments"])), "{}", ran.log);
    assert!(ran.log.contains("GITHUB_EVENT_PATH"), "{}", ran.log);
    assert_eq!(world.thread(number).len(), 1);

    // A fork stays one.
    let number = world.fork("theirs", &[("NOTES.md", "theirs")]);
    let mut job = world.pull_request(number, "opened");
    job.env.push(("GITHUB_EVENT_PATH", "/nowhere/event.json".to_owned()));
    let (ran, wrote) = written(&world, &job);
    assert_eq!((ran.code, wrote), (0, kinds(&[])), "{}", ran.log);

    let mut job = world.main();
    job.env.push(("GITHUB_EVENT_PATH", "/nowhere/event.json".to_owned()));
    let ran = world.run(&job);
    assert_eq!(
        (ran.code, ran.outputs["model-version"].as_str()),
        (0, "v1"),
        "{}",
        ran.log
    );
}

#[test]
fn without_a_token_nobody_knows_what_is_in_production() {
    let world = World::new();
    world.push("tune", &[("NOTES.md", "tuned")]);
    let number = world.open("tune", "Tune the ridge");
    let mut job = world.pull_request(number, "opened");
    job.env.push(("INPUT_GITHUB-TOKEN", String::new()));
    let before = world.twin.calls().len();
    let ran = world.run(&job);
    assert_eq!(ran.code, 2, "{}", ran.log);
    assert_eq!(ran.outputs["passed"], "false");
    assert!(ran.outputs["reason"].contains("github-token"), "{:?}", ran.outputs);
    assert!(ran.summary.contains("no token"), "{}", ran.summary);
    assert!(!ran.summary.contains("Better"), "{}", ran.summary);
    assert_eq!(world.twin.calls().len(), before);
}

#[test]
fn a_server_of_ones_own_has_no_artifacts_and_says_so_once() {
    let world = published();
    world.push("tune", &[("NOTES.md", "tuned")]);
    let number = world.open("tune", "Tune the ridge");
    let mut job = world.pull_request(number, "opened");
    job.has_results = true;
    job.env.extend([
        ("GITHUB_API_URL", world.twin.enterprise_url()),
        ("GITHUB_GRAPHQL_URL", world.twin.enterprise_graphql_url()),
        ("GITHUB_SERVER_URL", "https://github.acme.example".to_owned()),
    ]);
    let (ran, wrote) = written(&world, &job);
    assert_eq!((ran.code, wrote), (0, kinds(&["checks", "comments"])), "{}", ran.log);
    assert_eq!(ran.log.matches("::notice").count(), 1, "{}", ran.log);
    assert!(ran.log.contains("Enterprise Server"), "{}", ran.log);
    assert!(world.artifacts(&ran).is_empty());
    assert!(
        world.thread(number)[0]
            .body()
            .contains("https://github.acme.example/ada/diabetes/actions/runs/")
    );
    let twirp = world
        .twin
        .calls()
        .into_iter()
        .filter(|call| call.path.starts_with("/twirp/"));
    assert_eq!(twirp.count(), 0);
}

#[test]
fn the_comment_comes_when_it_is_wanted() {
    let world = published();
    let promote = Job {
        inputs: vec![("command", "promote".to_owned())],
        ..world.on_main("workflow_dispatch", json!({"inputs": {}}))
    };
    assert_eq!(world.run(&promote).code, 0);
    for (alpha, code, wanted_by) in [
        ("1.0", 0, vec!["always"]),
        ("0.9", 0, vec!["always", "changes"]),
        ("100000", 1, vec!["always", "changes", "failures"]),
    ] {
        let branch = format!("alpha-{alpha}");
        let config = world.config.replace("alpha: 1.0", &format!("alpha: {alpha}"));
        world.push(&branch, &[("mlops.yaml", &config), ("NOTES.md", alpha)]);
        for mode in ["always", "changes", "failures", "off"] {
            // A pull request of its own each, of the same commit.
            let number = world.open(&branch, mode);
            let mut job = world.pull_request(number, "opened");
            job.inputs.push(("comment", mode.to_owned()));
            let ran = world.run(&job);
            assert_eq!(ran.code, code, "{mode} {alpha}: {}", ran.log);
            let is_there = !world.thread(number).is_empty();
            assert_eq!(
                is_there,
                wanted_by.contains(&mode),
                "{mode} {alpha}: {}",
                ran.outputs["verdict"]
            );
        }
    }
}

#[test]
fn two_projects_have_two_comments() {
    let world = World::new();
    let other = world.config.replace("model: diabetes-progression", "model: other");
    let test = "import unittest\n\n\nclass Any(unittest.TestCase):\n    def test_any(self):\n        pass\n";
    let files: Vec<(String, &str)> = ["models/a", "models/b"]
        .iter()
        .flat_map(|place| {
            [
                (format!("{place}/data/diabetes.csv"), world.data.as_str()),
                (format!("{place}/tests/test_data.py"), test),
            ]
        })
        .chain([
            ("models/a/mlops.yaml".to_owned(), world.config.as_str()),
            ("models/b/special.yaml".to_owned(), other.as_str()),
        ])
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    world.push("two", &files);
    let number = world.open("two", "Two models");
    for (directory, config) in [("models/a", None), ("models/b", Some("special.yaml"))] {
        for _ in 0..2 {
            let mut job = world.pull_request(number, "opened");
            job.inputs.push(("directory", directory.to_owned()));
            job.inputs.extend(config.map(|config| ("config", config.to_owned())));
            let ran = world.run(&job);
            assert_eq!(ran.code, 0, "{directory}: {}", ran.log);
            assert!(
                ran.outputs["report-path"].starts_with(directory),
                "{:?}",
                ran.outputs["report-path"]
            );
        }
    }
    let comments = world.twin.state().comments(REPOSITORY, number);
    let firsts: Vec<&str> = comments.iter().map(|one| one.body().lines().next().unwrap()).collect();
    assert_eq!(firsts.len(), 2, "{firsts:?}");
    assert!(
        firsts[0].starts_with("<!-- mlops-action:models-a-mlops.yaml."),
        "{firsts:?}"
    );
    assert!(
        firsts[1].starts_with("<!-- mlops-action:models-b-special.yaml."),
        "{firsts:?}"
    );
    let head = world.tip("two");
    let checks = world.twin.state().check_runs(REPOSITORY, &head);
    let models = ["mlops / diabetes-progression", "mlops / other"];
    for model in models {
        let of_model = checks.iter().filter(|check| check.name == model);
        assert_eq!(of_model.count(), 2, "one a run of {model}");
    }
}

#[test]
fn a_broken_configuration_is_told_on_its_lines() {
    let world = published();
    let broken = world
        .config
        .replace("estimator: ridge", "estimator: rigde")
        .replace("max: 60", "maks: 60");
    world.push("broken", &[("mlops.yaml", &broken)]);
    let number = world.open("broken", "Break it");
    let (ran, wrote) = written(&world, &world.pull_request(number, "opened"));
    assert_eq!((ran.code, wrote), (2, kinds(&["checks", "comments"])), "{}", ran.log);
    assert_eq!(
        (ran.outputs["passed"].as_str(), ran.outputs["verdict"].as_str()),
        ("false", "failed to run")
    );
    let mut settings = settings();
    settings.add_filter(r"/\S+/work\b", "[workspace]");
    let _bound = settings.bind_to_scope();
    insta::assert_snapshot!("broken", world.seen(number));

    world.push("gone", &[("NOTES.md", "x")]);
    let gone = [("mlops.yaml".to_owned(), None)];
    world.twin.state().commit_files(REPOSITORY, "gone", &gone, "remove it");
    let number = world.open("gone", "Remove it");
    let (ran, wrote) = written(&world, &world.pull_request(number, "opened"));
    assert_eq!((ran.code, wrote), (2, kinds(&["checks", "comments"])), "{}", ran.log);
    insta::assert_snapshot!("no_configuration", world.seen(number));
}

#[test]
fn a_gate_that_the_change_itself_loosens_is_called_out() {
    let world = published();
    let propose = |branch: &str, from: &str, to: &str| {
        world.push(branch, &[("mlops.yaml", &world.config.replace(from, to))]);
        let number = world.open(branch, branch);
        let ran = world.run(&world.pull_request(number, "opened"));
        assert_eq!(ran.code, 0, "{branch}: {}", ran.log);
        let line = 1 + world.config.lines().position(|line| line.contains(from)).unwrap();
        let body = world.thread(number)[0].body().to_owned();
        let head = world.tip(branch);
        let checks = world.twin.state().check_runs(REPOSITORY, &head);
        let annotations: Vec<Value> = checks.into_iter().flat_map(|check| check.annotations).collect();
        let on_line = annotations.iter().filter(|one| one["start_line"] == line).cloned();
        (body, on_line.collect::<Vec<Value>>())
    };
    let (body, annotations) = propose("loose", "max: 60", "max: 90");
    let head = body.split("| Metric |").next().unwrap();
    assert!(
        head.contains("loosens what judges it") && head.contains("from 60 to 90"),
        "{head}"
    );
    assert_eq!(annotations.len(), 1, "{annotations:?}");
    assert_eq!(annotations[0]["annotation_level"], "warning");
    let (body, annotations) = propose("tight", "max: 60", "max: 55");
    assert!(
        !body.contains("loosens") && annotations.is_empty(),
        "{body} {annotations:?}"
    );
}

#[test]
fn the_next_job_takes_over_what_was_trained() {
    let world = World::new();
    let mut job = world.main();
    job.has_results = true;
    let first = world.run(&job);
    assert_eq!(first.code, 0, "{}", first.log);
    let caches = world.twin.state().repository(REPOSITORY).caches.clone();
    assert_eq!(caches.len(), 1);
    // A pull request that changes nothing of it: the cache of main is read, its own is not needed.
    world.push("notes", &[("NOTES.md", "changed")]);
    let number = world.open("notes", "Notes");
    let mut job = world.pull_request(number, "opened");
    job.has_results = true;
    let second = world.run(&job);
    assert_eq!(second.code, 0, "{}", second.log);
    let said = "Nothing that the model depends on changed since [the training of ";
    assert!(
        world.thread(number)[0].body().contains(said),
        "{}",
        world.thread(number)[0].body()
    );
    let (of_first, of_second) = (address_of_training(&first), address_of_training(&second));
    assert_eq!(of_first, None);
    assert!(
        of_second
            .as_deref()
            .is_some_and(|page| page.ends_with("/ada/diabetes/actions/runs/101")),
        "{of_second:?}: {}",
        second.summary
    );
    assert_eq!(world.twin.state().repository(REPOSITORY).caches.len(), 1);

    // Whoever can write caches puts another model there: it is not what its record says, so it is trained again.
    let blob = caches[0].blob.clone();
    let honest = world.twin.state().blobs[&blob].bytes.clone();
    for (what, poisoned) in [
        ("no archive", b"poison".to_vec()),
        ("another model", with_other_model(&honest)),
        ("broken off", honest[..honest.len() / 2].to_vec()),
    ] {
        world.twin.state().blobs.get_mut(&blob).unwrap().bytes = poisoned;
        let ran = world.run(&job);
        assert_eq!(ran.code, 0, "{what}: {}", ran.log);
        assert!(!ran.summary.contains(said), "{what}: {}", ran.summary);
        assert_eq!(ran.outputs["verdict"], second.outputs["verdict"]);
        world.twin.state().repository(REPOSITORY).caches.truncate(1);
    }
}

/// Where the summary says that the model was trained.
fn address_of_training(ran: &Ran) -> Option<String> {
    let (_, rest) = ran.summary.split_once("[the training of ")?;
    let (_, rest) = rest.split_once("](")?;
    Some(rest.split_once(')')?.0.to_owned())
}

/// The same archive with another weight in its model.
fn with_other_model(packed: &[u8]) -> Vec<u8> {
    use std::io::{Cursor, Read as _, Write as _};
    let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        if file.name().ends_with(".model.json") {
            let changed = text.replacen("0.", "1.", 1);
            assert_ne!(changed, text);
            text = changed;
        }
        writer
            .start_file(file.name(), zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}
