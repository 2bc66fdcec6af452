//! The repository's Python environment: built for what needs one, refused with the command that mends it.

use super::{Tools, problems, report};
use crate::support::{Ran, Repository, root};

/// Builds environments of nothing, unless it is to say what uv said once.
const UV: &str = r#"#!/bin/sh
here=$(dirname "$0")
if [ "$1" = --version ]; then echo 'uv 0.13.9'; exit; fi
echo "$*" >> "$here/calls"
for last; do :; done
case "$1" in
venv) python3 -m venv --without-pip "$last" ;;
*) if [ -e "$here/says" ]; then cat "$here/says" >&2; exit 2; fi ;;
esac
"#;

const OWN: &str = "\
model: diabetes-own
data: {source: data/diabetes.csv, target: progression}
train: {estimator: ridge}
gates: {lint: [\"echo it ran in $VIRTUAL_ENV\"]}
";

/// The diabetes data, the files of a fixture of environments, and a command that would be run in one.
fn repository(fixture: &str, files: &[&str]) -> Repository {
    let repository = Repository::of(&[("mlops.yaml", OWN)]);
    let fixtures = root().join("fixtures");
    let data = std::fs::read_to_string(fixtures.join("repos/diabetes/data/diabetes.csv")).unwrap();
    repository.write("data/diabetes.csv", &data);
    for file in files {
        let text = std::fs::read_to_string(fixtures.join("environment").join(fixture).join(file)).unwrap();
        // Whatever Python is here will do.
        let text = text
            .replace(">=3.11,<3.14", ">=3.8")
            .replace("python_version = \"3.11\"\n", "");
        repository.write(file, &text);
    }
    repository
}

fn run(repository: &Repository, tools: &Tools, arguments: &[&str]) -> Ran {
    let mut command = repository.command(arguments);
    let cache = repository.path().join("cache");
    Ran::from(
        command
            .env("PATH", tools.path())
            .env("XDG_CACHE_HOME", cache)
            .output()
            .unwrap(),
    )
}

fn calls(tools: &Tools) -> usize {
    let calls = std::fs::read_to_string(tools.folder().join("calls")).unwrap_or_default();
    calls.lines().count()
}

#[test]
fn a_lock_that_is_stale_or_missing_is_refused_with_what_mends_it() {
    let tools = Tools::of(&[("uv", UV)]);
    let mut said = String::new();
    let pipenv = repository("pipenv", &["Pipfile", "Pipfile.lock"]);
    let poetry = repository("poetry", &["pyproject.toml", "poetry.lock"]);
    for (file, from, to, repository) in [
        ("Pipfile", "click = \">=8\"", "click = \">=9\"", &pipenv),
        ("pyproject.toml", "click>=8", "click>=9", &poetry),
    ] {
        repository.edit(file, from, to);
        let ran = run(repository, &tools, &["run"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        said += &(problems(&ran) + "\n");
    }
    std::fs::remove_file(pipenv.path().join("Pipfile.lock")).unwrap();
    let ran = run(&pipenv, &tools, &["check"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    said += &(problems(&ran) + "\n");
    assert_eq!(calls(&tools), 0, "the files alone say so");

    // Of its own lock uv alone knows.
    let uv = repository("uv", &["pyproject.toml", "uv.lock"]);
    std::fs::copy(
        root().join("fixtures/environment/outputs/uv-stale.txt"),
        tools.folder().join("says"),
    )
    .unwrap();
    let ran = run(&uv, &tools, &["run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    said += &problems(&ran);
    insta::assert_snapshot!(said, @"
    error[environment]: `Pipfile.lock` is not up to date with `Pipfile`
    --> Pipfile.lock
    = help: run `pipenv lock` and commit what it writes
    error[environment]: `poetry.lock` is not up to date with `pyproject.toml`
    --> poetry.lock
    = help: run `poetry lock` and commit what it writes
    error[environment]: `Pipfile` names packages, but no lock says which versions
    --> Pipfile
    = help: run `pipenv lock` and commit what it writes
    error[environment]: `uv.lock` is not up to date with `pyproject.toml`
    --> uv.lock
    = help: run `uv lock` and commit what it writes
    ");
    let shown = report(&uv);
    let first = shown.lines().find(|line| line.contains("Failed to run")).unwrap();
    insta::assert_snapshot!(first, @"### ❌ Failed to run: there is no environment to run in: `uv.lock` is not up to date with `pyproject.toml`");
}

#[test]
fn an_index_that_does_not_answer_is_nobodys_fault() {
    let tools = Tools::of(&[("uv", UV)]);
    let repository = repository("uv", &["pyproject.toml", "uv.lock"]);
    let said = root().join("fixtures/environment/outputs/uv-unreachable.txt");
    std::fs::copy(said, tools.folder().join("says")).unwrap();
    let ran = run(&repository, &tools, &["run"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

#[test]
fn an_environment_is_built_once_and_commands_run_in_it() {
    let tools = Tools::of(&[("uv", UV)]);
    let repository = repository("uv", &["pyproject.toml", "uv.lock"]);
    let cache = repository.path().join("cache/mlops/venv");
    for n_built in [1, 1] {
        let ran = run(&repository, &tools, &["run", "-v"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(
            std::fs::read_dir(&cache)
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().path().is_dir())
                .count(),
            n_built
        );
        let line = ran
            .stderr
            .lines()
            .find(|line| line.contains("it ran in"))
            .unwrap_or_else(|| panic!("{}", ran.stderr));
        assert!(line.contains(cache.to_str().unwrap()), "{line}");
    }
    assert_eq!(
        calls(&tools),
        2,
        "one makes it, one fills it, and the second run finds it"
    );
    let facts = super::facts(&repository);
    let environment = &facts["environment"];
    assert_eq!(
        (&environment["file"], &environment["was_warm"]),
        (&"uv.lock".into(), &true.into())
    );
}

#[test]
fn nothing_is_built_where_nothing_runs_in_it() {
    for (what, from, to) in [
        ("not wanted", "train:", "environment: none\ntrain:"),
        (
            "nothing to run",
            "gates: {lint: [\"echo it ran in $VIRTUAL_ENV\"]}\n",
            "",
        ),
    ] {
        let tools = Tools::of(&[("uv", UV)]);
        let repository = repository("pipenv", &["Pipfile", "Pipfile.lock"]);
        repository.edit("Pipfile", "click = \">=8\"", "click = \">=9\"");
        repository.edit("mlops.yaml", from, to);
        let ran = run(&repository, &tools, &["run"]);
        assert_eq!(ran.code, 0, "{what}: {}", ran.stderr);
        assert_eq!(
            super::facts(&repository)["environment"],
            serde_json::Value::Null,
            "{what}"
        );
        assert_eq!(calls(&tools), 0, "{what}");
        assert!(!repository.path().join("cache").exists(), "{what}");
    }
}
