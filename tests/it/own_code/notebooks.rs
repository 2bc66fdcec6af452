//! A notebook that trains: what it is given, how far it came, and the line of the file that failed.

use std::fmt::Write as _;

use super::trainers::{CONFIG, TRAINER};
use super::{Tools, facts, report};
use crate::support::{Ran, Repository, root};

/// Takes the place of a kernel: hands back the notebook that one executed, and trains as it would have.
const PYTHON: &str = r#"#!/bin/sh
here=$(dirname "$0")
grep -q injected-parameters "$2" && grep -q 'columns = ' "$2" || exit 9
cp "$here/executed.ipynb" "$3"
test -e "$here/fails" && exit 1
exec python3 "$here/train.py"
"#;

/// A repository whose notebook is this fixture, and a Python that replays how it went.
fn replayed(fixture: &str) -> (Repository, Tools) {
    let fixtures = root().join("fixtures");
    let tools = Tools::of(&[("python", PYTHON), ("train.py", TRAINER)]);
    let executed = fixtures.join("notebook").join(format!("{fixture}.executed.ipynb"));
    std::fs::copy(executed, tools.folder().join("executed.ipynb")).unwrap();
    let config = CONFIG.replace("run: python3 train.py", "notebook: notebooks/train.ipynb");
    let repository = Repository::of(&[("mlops.yaml", &config)]);
    for (from, to) in [
        ("repos/diabetes/data/diabetes.csv".to_owned(), "data/diabetes.csv"),
        (format!("notebook/{fixture}.ipynb"), "notebooks/train.ipynb"),
    ] {
        repository.write(to, &std::fs::read_to_string(fixtures.join(from)).unwrap());
    }
    (repository, tools)
}

fn run(repository: &Repository, tools: &Tools) -> Ran {
    Ran::from(repository.command(&["run"]).env("PATH", tools.path()).output().unwrap())
}

#[test]
fn a_notebook_trains_and_the_repositorys_stays_as_it_is() {
    let (repository, tools) = replayed("train");
    let before = repository.read("notebooks/train.ipynb");
    let ran = run(&repository, &tools);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(repository.read("notebooks/train.ipynb"), before);
    let shown = report(&repository);
    let line = shown
        .lines()
        .find(|line| line.starts_with("Notebook:"))
        .unwrap_or_else(|| panic!("{shown}"));
    insta::assert_snapshot!(line, @"Notebook: 4 of 4 cells with code were executed.");
    assert_eq!(
        facts(&repository)["training"]["own"]["run"]["command"],
        "notebooks/train.ipynb"
    );
}

#[test]
fn a_notebook_that_fails_names_the_cell_and_the_line_of_the_file() {
    let mut said = String::new();
    for fixture in ["failing", "syntax", "dead", "slow"] {
        let (repository, tools) = replayed(fixture);
        std::fs::write(tools.folder().join("fails"), "").unwrap();
        let ran = run(&repository, &tools);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        let shown = report(&repository);
        let first = shown.lines().find(|line| line.contains("Failed to run")).unwrap();
        writeln!(said, "{fixture}: {}", first.replace('\u{200b}', "")).unwrap();
    }
    insta::assert_snapshot!(said, @"
    failing: ### ❌ Failed to run: training failed: `notebooks/train.ipynb`: cell 4 failed: ZeroDivisionError: division by zero (line 50 of the file)
    syntax: ### ❌ Failed to run: training failed: `notebooks/train.ipynb`: cell 2 failed: SyntaxError: '(' was never closed (1296413464.py, line 2) (line 21 of the file)
    dead: ### ❌ Failed to run: training failed: `notebooks/train.ipynb`: cell 2 failed: Stopped: Kernel died (line 20 of the file)
    slow: ### ❌ Failed to run: training failed: `notebooks/train.ipynb`: cell 1 failed: Stopped: the time is up (line 10 of the file)
    ");
}
