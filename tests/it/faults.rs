//! What the action promises when GitHub fails, when jobs race, and when the runner cancels; `tests/faults.py`,
//! `tests/races.py` and `tests/cancel.py` do the same for every call, fifty jobs and every stage.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::twins::{Fault, Kind};
use crate::world::{Job, REPOSITORY, Ran, World};

fn forever(method: &str, path: &str, kind: Kind) -> Fault {
    Fault::always(method, path, kind)
}

fn refused(code: u16, permission: Option<&str>) -> Kind {
    let named = permission.map(|permission| ("x-accepted-github-permissions".to_owned(), permission.to_owned()));
    Kind::Status {
        code,
        headers: named.into_iter().collect(),
        body: json!({ "message": "Resource not accessible by integration" }),
    }
}

fn down() -> Kind {
    Kind::status(503)
}

/// Waits that are as short as tests need them.
fn impatient(job: Job) -> Job {
    let mut job = job;
    job.env.push(("MLOPS_GITHUB_PACE_MS", "1".to_owned()));
    job.env.push(("MLOPS_GITHUB_TIMEOUT_MS", "2000".to_owned()));
    job
}

/// What of a pull request is there.
#[derive(Debug, PartialEq, Eq)]
struct There {
    reports: usize,
    checks: usize,
    open: usize,
}

fn there(world: &World, number: u64) -> There {
    let reports = world
        .thread(number)
        .iter()
        .filter(|comment| comment.body().contains(":v1 -->"))
        .count();
    let mut state = world.twin.state();
    let head = state.repository(REPOSITORY).pulls[&number].head_sha.clone();
    let checks = state.check_runs(REPOSITORY, &head);
    let names: BTreeSet<_> = checks.iter().map(|one| (&one.name, &one.external_id)).collect();
    assert_eq!(names.len(), checks.len(), "a check is there twice");
    There {
        reports,
        checks: checks.len(),
        open: checks.iter().filter(|one| one.status != "completed").count(),
    }
}

/// `main` in production, and a pull request with another ridge.
fn proposed(alpha: &str) -> (World, u64) {
    let world = World::new();
    assert_eq!(world.run(&world.main()).code, 0);
    let mut promote = world.on_main("workflow_dispatch", json!({"inputs": {}}));
    promote.inputs.push(("command", "promote".to_owned()));
    assert_eq!(world.run(&promote).code, 0);
    let config = world.config.replace("alpha: 1.0", &format!("alpha: {alpha}"));
    world.push("tune", &[("mlops.yaml", &config)]);
    let number = world.open("tune", "Tune the ridge");
    (world, number)
}

fn notices(ran: &Ran) -> Vec<&str> {
    ran.log.lines().filter(|line| line.starts_with("::notice")).collect()
}

#[test]
fn a_surface_that_fails_costs_that_surface() {
    let (world, number) = proposed("0.9");
    let job = impatient(world.pull_request(number, "opened"));
    world.twin.state().keep();
    let whole = world.run(&job);
    assert_eq!((whole.code, notices(&whole)), (0, Vec::new()));
    let all = there(&world, number);
    assert!(all.reports == 1 && all.checks > 1 && all.open == 0, "{all:?}");

    let (runs, comments) = ("/check-runs", "/comments");
    let checks = Some("checks=write");
    // What fails, and whether there are checks, a report, and a notice.
    let cases = [
        (
            forever("POST", runs, refused(403, checks)),
            false,
            true,
            Some("checks: write"),
        ),
        (forever("POST", runs, down()), false, true, Some("the check is missing")),
        (Fault::once("POST", runs, Kind::DropAfter), true, true, None),
        (Fault::once("POST", runs, Kind::Truncated), true, true, None),
        (Fault::once("PATCH", runs, Kind::Never), true, true, None),
        (
            forever("GET", comments, refused(404, None)),
            true,
            false,
            Some("the comment is missing"),
        ),
        (
            forever("POST", comments, refused(403, None)),
            true,
            false,
            Some("pull-requests: write"),
        ),
        (Fault::once("POST", comments, Kind::DropAfter), true, true, None),
        (Fault::once("POST", comments, down()).times(2), true, true, None),
    ];
    for (fault, has_checks, has_report, notice) in cases {
        world.twin.state().go_back();
        world.twin.fault(fault.clone());
        let ran = world.run(&job);
        let found = there(&world, number);
        assert_eq!(ran.code, 0, "{fault:?}: {}", ran.log);
        assert_eq!(found.checks, if has_checks { all.checks } else { 0 }, "{fault:?}");
        assert_eq!((found.reports, found.open), (usize::from(has_report), 0), "{fault:?}");
        assert!(
            ran.summary.contains("Better") && ran.outputs["verdict"] == "better",
            "{fault:?}"
        );
        let said = notices(&ran);
        assert_eq!(said.len(), usize::from(notice.is_some()), "{fault:?}: {said:?}");
        assert!(
            notice.is_none_or(|notice| said[0].contains(notice)),
            "{fault:?}: {said:?}"
        );
    }
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[test]
fn a_registry_that_can_not_be_asked_is_never_a_verdict() {
    let (world, number) = proposed("0.9");
    let job = impatient(world.pull_request(number, "opened"));
    world.twin.state().keep();
    for kind in [down(), refused(401, None), refused(404, None), Kind::DropBefore] {
        world.twin.state().go_back();
        world.twin.fault(forever("GET", "/git/", kind.clone()));
        let ran = world.run(&job);
        assert_eq!(ran.code, 3, "{kind:?}: {}", ran.log);
        assert!(!ran.summary.contains("no production version yet"), "{}", ran.summary);
        assert_eq!(ran.outputs["passed"], "false");
        assert_eq!(there(&world, number).open, 0);
        world.twin.state().faults.clear();
        assert_eq!(world.run(&job).code, 0);
        assert_eq!(there(&world, number).reports, 1);
    }
}

#[test]
fn a_worse_model_stays_worse_without_checks_or_comment() {
    let (world, number) = proposed("100000");
    for path in ["/check-runs", "/comments"] {
        world.twin.fault(forever("POST", path, refused(403, None)));
    }
    let ran = world.run(&impatient(world.pull_request(number, "opened")));
    assert_eq!((ran.code, ran.outputs["verdict"].as_str()), (1, "worse"), "{}", ran.log);
}

#[test]
fn a_publication_and_a_promotion_that_are_not_answered_are_made_once() {
    let (world, number) = proposed("0.9");
    world.run(&world.pull_request(number, "opened"));
    world.twin.state().merge(REPOSITORY, number);
    let n_before = world.ledger().len();
    let lost = |path: &str| world.twin.fault(Fault::once("PATCH", path, Kind::DropAfter));
    lost("/git/refs/heads/");
    let published = world.run(&impatient(world.main()));
    assert_eq!((published.code, published.outputs["model-version"].as_str()), (0, "v2"));
    assert_eq!(world.ledger().len(), n_before + 2, "a version, and `candidate`");

    let asked = impatient(world.comment(number, "mia", "/mlops promote"));
    lost("/git/refs/heads/");
    world.twin.fault(Fault::once("POST", "/comments", Kind::DropAfter));
    for _ in 0..2 {
        assert_eq!(world.run(&asked).code, 0);
        assert_eq!(world.ledger().len(), n_before + 3);
    }
    let comments = world.twin.state().comments(REPOSITORY, number);
    let replies = comments
        .iter()
        .filter(|comment| comment.body().contains("mlops-reply") || comment.body().contains("reply:"));
    assert_eq!(replies.count(), 1, "{comments:?}");
}

#[test]
fn eight_jobs_at_once_leave_one_comment_and_every_version() {
    let (world, number) = proposed("0.9");
    let job = impatient(world.pull_request(number, "opened"));
    let started: Vec<_> = (0..8).map(|_| world.start(&job)).collect();
    for one in started {
        assert_eq!(one.wait().code, 0);
    }
    let found = there(&world, number);
    assert_eq!((found.reports, found.open), (1, 0));

    let started: Vec<_> = (0..8)
        .map(|turn| {
            let config = world.config.replace("alpha: 1.0", &format!("alpha: 1.{turn}1"));
            world.push("main", &[("mlops.yaml", &config)]);
            world.start(&impatient(world.main()))
        })
        .collect();
    for one in started {
        let ran = one.wait();
        assert_eq!(ran.code, 0, "{}", ran.log);
    }
    let ledger = world.ledger();
    let events = |name: &str| -> Vec<&Value> { ledger.iter().filter_map(|entry| entry["event"].get(name)).collect() };
    let versions: Vec<u64> = events("published")
        .iter()
        .map(|one| one["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, (1..=9).collect::<Vec<u64>>());
    let mut at = &Value::Null;
    for step in events("moved").into_iter().filter(|step| step["alias"] == "candidate") {
        assert_eq!(&step["from"], at);
        at = &step["to"];
    }
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[test]
fn a_cancelled_job_ends_the_check_that_it_was_opening() {
    let (world, number) = proposed("0.9");
    let late = Kind::Delay(Duration::from_millis(700));
    for signal in ["TERM", "INT"] {
        world.twin.fault(Fault::once("POST", "/check-runs", late.clone()));
        world.twin.state().calls.clear();
        let started = world.start(&world.pull_request(number, "opened"));
        let began = Instant::now();
        let is_under_way = || {
            world
                .twin
                .writes()
                .iter()
                .any(|call| call.path.ends_with("/check-runs"))
        };
        while !is_under_way() {
            assert!(began.elapsed() < Duration::from_mins(1), "the call did not come");
            std::thread::yield_now();
        }
        let pid = started.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let ran = started.wait();
        assert_eq!(
            (ran.code, ran.outputs["reason"].as_str()),
            (130, "cancelled"),
            "{}",
            ran.log
        );
        assert_eq!(there(&world, number).open, 0);
    }
    assert_eq!(there(&world, number).checks, 2);
}
