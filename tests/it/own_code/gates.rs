//! Linters, tests and a trainer on a pull request: findings on its lines, what it changed, and what is shown of it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Tools;
use super::trainers::{CONFIG, TRAINER};
use crate::pull_request::settings;
use crate::support::root;
use crate::world::{REPOSITORY, World};

/// Says what is recorded in the repository that it is run in.
const RUFF: &str = "#!/bin/sh\ntest \"$*\" = 'check . --output-format json' || exit 2\n\
                    sed \"s#/repo/#$PWD/#g\" recorded/ruff.json\nexit 1\n";
/// Prints what is recorded, and leaves the report where it is told to.
const PYTEST: &str = r#"#!/usr/bin/env python3
import os, shlex, shutil, sys
options = shlex.split(os.environ["PYTEST_ADDOPTS"])
report = [one.split("=", 1)[1] for one in options if one.startswith("--junitxml=")]
shutil.copy("recorded/report.xml", report[0])
text = open("recorded/pytest.txt").read()
text, _, code = text.rpartition("exit ")
print(text, end="")
sys.exit(int(code))
"#;

fn fixture(path: &str) -> String {
    std::fs::read_to_string(root().join("fixtures").join(path)).unwrap()
}

/// What ruff found in `fixtures/lint/project`.
fn recorded_ruff() -> Vec<Value> {
    let recorded: Value = serde_json::from_str(&fixture("lint/recorded.json")).unwrap();
    let is_it = |one: &&Value| one["tool"] == "ruff 0.6.9" && one["written"] == "ruff check .";
    let found = recorded.as_array().unwrap().iter().find(is_it).unwrap();
    let lines: Vec<&str> = found["stdout"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    serde_json::from_str(&lines.join("\n")).unwrap()
}

/// The report of pytest with these of its tests alone, the failures of some taken out.
fn report_of(names: &[&str], passed: &[&str]) -> String {
    let whole = fixture("suites/recorded/pytest-new/tests-xunit1.xml");
    let (head, cases) = whole.split_once("<testcase").unwrap();
    let cases = cases.split("</testsuite>").next().unwrap();
    let mut kept = head.to_owned();
    for case in cases.split("<testcase") {
        let name = case.split(" name=\"").nth(1).unwrap().split('"').next().unwrap();
        if passed.contains(&name) {
            let attributes = case.split(['>', '/']).next().unwrap();
            let attributes = format!("{attributes}{}", &case[attributes.len()..].split('>').next().unwrap());
            write!(kept, "<testcase{}/>", attributes.trim_end_matches('/')).unwrap();
        } else if names.contains(&name) {
            write!(kept, "<testcase{case}").unwrap();
        }
    }
    kept + "</testsuite></testsuites>"
}

/// A pull request that adds a function with findings of its own, and breaks a test that passed on `main`.
fn proposed(lint: &str) -> (World, Tools, u64) {
    let tools = Tools::of(&[("ruff", RUFF), ("pytest", PYTEST)]);
    let mut world = World::new();
    world.env.push(("PATH", tools.path()));
    let tests = "  test: [python3 -m unittest discover -s tests]\n";
    assert!(world.config.contains(tests));
    let config = world.config.replace(tests, "  test: [pytest]\n");
    let load = fixture("lint/project/app/load.py");
    let (before, _) = load.split_once("def after").unwrap();
    let report = report_of(
        &["test_skipped"],
        &["test_total", "test_total_is_wrong", "test_through_a_helper"],
    );
    let files = [
        ("mlops.yaml", config.as_str()),
        ("app/load.py", before),
        ("tests/test_prices.py", &fixture("suites/project/tests/test_prices.py")),
        ("tests/test_cases.py", &fixture("suites/project/tests/test_cases.py")),
        ("recorded/report.xml", &report),
        ("recorded/pytest.txt", "=== 3 passed, 1 skipped in 0.02s ===\nexit 0\n"),
    ];
    world.push("main", &files);
    let mut job = world.main();
    job.has_results = true;
    let published = world.run(&job);
    assert_eq!(published.code, 0, "{}", published.log);
    let mut promote = world.on_main("workflow_dispatch", json!({"inputs": {}}));
    promote.inputs.push(("command", "promote".to_owned()));
    assert_eq!(world.run(&promote).code, 0);

    let config = config.replace("gates:\n", &format!("gates:\n  lint: {lint}\n"));
    let report = report_of(&["test_skipped", "test_total_is_wrong", "test_errors"], &["test_total"]);
    let files = [
        ("mlops.yaml", config.as_str()),
        ("app/load.py", &load),
        ("recorded/ruff.json", &serde_json::to_string(&recorded_ruff()).unwrap()),
        ("recorded/report.xml", &report),
        (
            "recorded/pytest.txt",
            "=== 2 failed, 1 passed, 1 skipped in 0.02s ===\nexit 1\n",
        ),
    ];
    world.push("adopt", &files);
    let number = world.open("adopt", "Adopt ruff");
    (world, tools, number)
}

#[test]
fn findings_and_failures_stand_on_the_lines_of_a_pull_request() {
    let mut settings = settings();
    settings.add_filter(r"\d{4}-\d\d-\d\dT[\d:\u{200b}]{10,}Z", "[moment]");
    let _bound = settings.bind_to_scope();
    let (world, _tools, number) = proposed("[ruff check .]");
    let mut job = world.pull_request(number, "opened");
    job.has_results = true;
    let ran = world.run(&job);
    assert_eq!(ran.code, 1, "{}", ran.log);
    // What is of the model is told elsewhere.
    let seen = world.seen(number);
    let (comment, rest) = seen.split_once("  <summary><b>Slices</b>").unwrap();
    let (_, checks) = rest.split_once("## Checks of the head").unwrap();
    insta::assert_snapshot!(
        "own_code_failing",
        format!("{comment}…\n\n## Checks of the head{checks}")
    );

    // The same linter, and a change that touches none of its findings: what is older is counted, and is no failure.
    let load = fixture("lint/project/app/load.py");
    let (before, _) = load.split_once("def after").unwrap();
    let report = report_of(
        &["test_skipped"],
        &["test_total", "test_total_is_wrong", "test_through_a_helper"],
    );
    let files = [
        ("app/load.py", before),
        ("recorded/report.xml", report.as_str()),
        ("recorded/pytest.txt", "=== 3 passed, 1 skipped in 0.02s ===\nexit 0\n"),
    ];
    world.push("adopt", &files);
    let mut job = world.pull_request(number, "synchronize");
    job.has_results = true;
    let ran = world.run(&job);
    assert_eq!(ran.code, 0, "{}", ran.log);
    let body = world.thread(number).last().unwrap().body().to_owned();
    let lines = body
        .lines()
        .filter(|line| line.contains("ruff check") || line.contains("<code>pytest") || line.contains("`pytest`"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    | `lint` | ✅ pass | `ruff check .` found nothing on the lines of this change, and 22 older things elsewhere | `mlops.yaml:24` |
    | `test` | ✅ pass | `pytest` passed, 5 tests, 2 skipped | `mlops.yaml:25` |
    - ✅ pass `ruff check .`, 0 findings on the lines of this change, 22 elsewhere, [time]
    - ✅ pass `pytest`, 3 passed, 2 skipped, `pytest`, [time]
    ");
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}

#[test]
fn the_whole_counts_where_the_configuration_says_so() {
    let (world, _tools, number) = proposed("{run: [ruff check .], filter: all}");
    let ran = world.run(&world.pull_request(number, "opened"));
    assert_eq!(ran.code, 1, "{}", ran.log);
    let sha = world.twin.state().repository(REPOSITORY).pulls[&number]
        .head_sha
        .clone();
    let checks = world.twin.state().check_runs(REPOSITORY, &sha);
    let lint = checks.iter().find(|check| check.name.ends_with("lint")).unwrap();
    let of_load = lint.annotations.iter().filter(|one| one["path"] == "app/load.py");
    let recorded = recorded_ruff();
    let expected = recorded.iter().filter(|one| one["filename"] == "/repo/app/load.py");
    assert_eq!(of_load.count(), expected.count());
    assert!(lint.annotations.len() > recorded.len(), "one more at the gate itself");
}

#[test]
fn a_suite_that_only_moved_on_main_reaches_the_next_comparison() {
    // Nothing that the model depends on changed on main, so that it is not trained again: its tests travel all the same.
    let (world, _tools, number) = proposed("[ruff check .]");
    let report = report_of(&["test_skipped", "test_total_is_wrong"], &["test_total"]);
    world.push(
        "main",
        &[
            ("recorded/report.xml", &report),
            (
                "recorded/pytest.txt",
                "=== 1 failed, 1 passed, 1 skipped in 0.02s ===\nexit 1\n",
            ),
        ],
    );
    let mut job = world.main();
    job.has_results = true;
    assert_eq!(world.run(&job).code, 1);
    let mut job = world.pull_request(number, "synchronize");
    job.has_results = true;
    world.run(&job);
    let body = world.thread(number).last().unwrap().body().to_owned();
    let changed: Vec<&str> = body.lines().filter(|line| line.contains("Newly failing")).collect();
    assert!(!changed.is_empty(), "{body}");
    assert!(
        changed[0].contains("test_errors") && !changed[0].contains("test_total_is_wrong"),
        "{changed:?}"
    );
}

#[test]
fn a_trainer_of_ones_own_is_compared_published_and_promoted() {
    let tools = Tools::of(&[]);
    let mut world = World::new();
    world.env.push(("PATH", tools.path()));
    // Whatever else it is given, a trainer has neither the token nor a secret of the job.
    let looks = "\nwith open('/proc/self/environ', 'rb') as file:\n    \
                 names = {entry.split(b'=')[0].decode() for entry in file.read().split(b'\\0')}\n\
                 print('sees', sorted(n for n in names if n.startswith(('GITHUB', 'INPUT', 'ACTIONS', 'HF_', 'MLOPS'))))\n\
                 assert os.path.dirname(os.environ['MLOPS_OUTPUT']) != os.getcwd()\n";
    let trainer = format!("{TRAINER}{looks}");
    world.push("main", &[("mlops.yaml", CONFIG), ("train.py", &trainer)]);
    let published = world.run(&world.main());
    assert_eq!(published.code, 0, "{}", published.log);
    let sees = published.log.lines().find(|line| line.starts_with("sees")).unwrap();
    insta::assert_snapshot!(sees, @"sees ['MLOPS_DATA', 'MLOPS_OUTPUT', 'MLOPS_PARAMS', 'MLOPS_SEED', 'MLOPS_SPLIT', 'MLOPS_TARGET', 'MLOPS_TASK']");
    let mut promote = world.on_main("workflow_dispatch", json!({"inputs": {}}));
    promote.inputs.push(("command", "promote".to_owned()));
    assert_eq!(world.run(&promote).code, 0);

    let with = |columns: &str| CONFIG.replace("[bmi]", columns);
    let mut firsts = String::new();
    for (columns, code) in [("[bmi, s5]", 0), ("[age]", 1)] {
        world.push("columns", &[("mlops.yaml", &with(columns))]);
        let number = 1;
        if firsts.is_empty() {
            assert_eq!(world.open("columns", "Other columns"), number);
        }
        let ran = world.run(&world.pull_request(number, "synchronize"));
        assert_eq!(ran.code, code, "{}", ran.log);
        let body = world.thread(number).last().unwrap().body().to_owned();
        firsts += body.lines().find(|line| line.starts_with("### ")).unwrap();
        firsts += "\n";
    }
    insta::assert_snapshot!(firsts, @"
    ### ✅ Better: `rmse` 54.5 against 61.6 in v1, −11 %
    ### ❌ Worse: `rmse` 72.2 against 61.6 in v1, +17 %
    ");

    world.push("columns", &[("mlops.yaml", &with("[bmi, s5]"))]);
    world.run(&world.pull_request(1, "synchronize"));
    world.twin.state().merge(REPOSITORY, 1);
    let merged = world.run(&world.main());
    assert_eq!(
        (merged.code, merged.outputs["model-version"].as_str()),
        (0, "v2"),
        "{}",
        merged.log
    );
    let promoted = world.run(&world.comment(1, "mia", "/mlops promote"));
    assert_eq!(promoted.code, 0, "{}", promoted.log);
    let last = world.ledger_lines().pop().unwrap();
    assert!(last.contains("mia: ") && last.contains("\"to\":2"), "{last}");
    assert_eq!(world.twin.violations(), Vec::<String>::new());
}
