//! The repository's own steps: run when they are due, refused before anything runs, stopping what comes after them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{problems, report};
use crate::support::{Repository, root};

const CONFIG: &str = "\
model: diabetes-steps
data: {source: data/diabetes.csv, target: progression}
steps:
  clean:
    run: python3 clean.py
    inputs: [raw.csv, clean.py]
    outputs: [data/diabetes.csv]
  count:
    run: wc -l < data/diabetes.csv > rows.txt
    needs: [clean]
    outputs: [rows.txt]
train: {estimator: ridge}
";

fn repository() -> Repository {
    let clean = "import os\nos.makedirs('data', exist_ok=True)\nprint('cleaning')\n\
                 open('data/diabetes.csv', 'w').write(open('raw.csv').read())\nopen('runs.txt', 'a').write('x')\n";
    let repository = Repository::of(&[("mlops.yaml", CONFIG), ("clean.py", clean)]);
    let data = std::fs::read_to_string(root().join("fixtures/repos/diabetes/data/diabetes.csv")).unwrap();
    repository.write("raw.csv", &data);
    repository
}

/// What became of each step, and why.
fn outcomes(steps: &Value) -> String {
    let line = |one: &Value| {
        let of = |key: &str| one[key].as_str().unwrap().to_owned();
        format!("{} {}: {}", of("name"), of("status"), of("reason"))
    };
    steps
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

fn step(repository: &Repository, name: &str) -> (i32, String) {
    let (code, steps) = repository.json(&["run", "--step", name]);
    (code, outcomes(&steps))
}

#[test]
fn a_step_runs_when_it_is_due_and_what_it_made_is_learned_from() {
    let repository = repository();
    insta::assert_snapshot!(step(&repository, "clean").1, @"clean ran: it has no result yet");
    insta::assert_snapshot!(step(&repository, "count").1, @"
    clean skipped: nothing changed
    count ran: it has no result yet
    ");
    assert_eq!(repository.read("rows.txt").trim(), "443");
    assert_eq!(repository.read("runs.txt"), "x");
    assert!(!repository.path().join(".mlops/latest").exists(), "nothing was trained");

    // What was made is gone, an input is another: each is made good.
    std::fs::remove_file(repository.path().join("data/diabetes.csv")).unwrap();
    insta::assert_snapshot!(step(&repository, "clean").1, @"clean restored: nothing changed; `data/diabetes.csv` was put back");
    let raw = repository.read("raw.csv");
    let fewer: Vec<&str> = raw.lines().take(401).collect();
    repository.write("raw.csv", &(fewer.join("\n") + "\n"));
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["version"]), (0, &json!(1)), "{result:#}");
    assert_eq!(repository.read("rows.txt").trim(), "401");
    let facts = super::facts(&repository);
    assert_eq!(facts["data"]["n_rows"], 400);
    insta::assert_snapshot!(outcomes(&facts["workflow"]), @"
    clean ran: `raw.csv` changed
    count ran: what `clean` makes changed
    ");
    assert!(report(&repository).contains("<b>Own steps</b>: 2 ran"));

    assert_eq!(repository.run(&["run"]).code, 0);
    assert!(report(&repository).contains("<b>Own steps</b>: 2 unchanged"));
    assert_eq!(repository.read("runs.txt"), "xx");
}

#[test]
fn a_step_that_fails_stops_what_comes_after_it() {
    let repository = repository();
    repository.write(
        "clean.py",
        "import sys\nprint('row 7')\nsys.exit('no such <b>column</b>')\n",
    );
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["verdict"]), (1, &json!("failed to run")), "{result:#}");
    let shown = report(&repository);
    assert!(shown.contains("row 7\nno such"), "{shown}");
    assert!(shown.contains("### ❌ Failed to run: step `clean` failed"), "{shown}");
    insta::assert_snapshot!(outcomes(&super::facts(&repository)["workflow"]), @"
    clean failed: exit code 1
    count cancelled: `clean` failed
    ");
    let steps = super::facts(&repository)["steps"].clone();
    assert!(
        steps.as_array().unwrap().iter().all(|step| step["name"] != "train"),
        "{steps}"
    );

    let ran = repository.run(&["run", "--step", "count"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stdout.trim(), @"
    ✗ clean: exit code 1 (log: .mlops/logs/steps/clean.log)
    ✗ count: `clean` failed
    ");
}

#[test]
fn a_plan_that_can_not_come_about_is_refused_before_anything_runs() {
    let mut said = String::new();
    for (what, from, to) in [
        ("a cycle", "inputs: [raw.csv, clean.py]", "inputs: [raw.csv, rows.txt]"),
        ("a need of nobody", "needs: [clean]", "needs: [claen]"),
        (
            "a missing input",
            "inputs: [raw.csv, clean.py]",
            "inputs: [raw.cvs, clean.py]",
        ),
        ("two makers", "outputs: [rows.txt]", "outputs: [data/diabetes.csv]"),
    ] {
        let repository = repository();
        repository.edit("mlops.yaml", from, to);
        for arguments in [&["run"][..], &["check"], &["run", "--step", "count"]] {
            let ran = repository.run(arguments);
            assert_eq!(ran.code, 2, "{what} {arguments:?}: {}", ran.stderr);
            if arguments == ["run"] {
                writeln!(said, "{what}: {}", problems(&ran)).unwrap();
            }
        }
        assert!(!repository.path().join("runs.txt").exists(), "{what}");
    }
    insta::assert_snapshot!(said, @"
    a cycle: error[cycle]: the steps wait for each other: `clean` reads `rows.txt`, which `count` makes; `count` needs `clean`
    --> mlops.yaml:6:23
    = help: remove one of these
    a need of nobody: error[unknown-step]: there is no step `claen`
    --> mlops.yaml:10:13
    = help: did you mean `clean`?
    a missing input: error[missing-input]: `raw.cvs` is not there, and no step makes it
    --> mlops.yaml:6:14
    = help: did you mean `raw.csv`?
    two makers: error[conflict]: `data/diabetes.csv` is made by two steps, `clean` and `count`
    --> mlops.yaml:11:15
    = help: let each file be made by one, and name it once
    ");
}

#[test]
fn the_name_of_a_step_is_known_or_suggested() {
    let repository = repository();
    let mut said = String::new();
    for name in ["claen", "publish"] {
        let ran = repository.run(&["run", "--step", name]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        said += &(problems(&ran) + "\n");
    }
    insta::assert_snapshot!(said, @"
    error[unknown-step]: there is no step `claen`
    --> mlops.yaml
    = help: did you mean `clean`?
    error[unknown-step]: there is no step `publish`
    --> mlops.yaml
    = help: the steps are: clean, count
    ");
    repository.write(
        "mlops.yaml",
        &CONFIG.replace(
            &CONFIG[CONFIG.find("steps:").unwrap()..CONFIG.find("train:").unwrap()],
            "",
        ),
    );
    let ran = repository.run(&["run", "--step", "clean"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
