use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::testing::{reader, repository};
use super::*;

fn shown(files: &BTreeMap<String, String>, only: Option<Tool>) -> String {
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let found = match detect(&names, &reader(files), only) {
        Ok(Some(found)) => found,
        Ok(None) => return "none".to_owned(),
        Err(error) => return format!("{error}\n{}", error.help().unwrap_or_default()),
    };
    let kind = match &found.source {
        Source::Exact { requirements, project } => {
            format!("{} packages, project: {project}", requirements.packages.len())
        }
        other => format!("{other:?}"),
    };
    let mut out = format!("{}: {kind}\n", found.file);
    for want in &found.python.0 {
        let _ = writeln!(out, "python {} ({})", want.text, want.from);
    }
    let inputs: Vec<&str> = found.inputs.iter().map(|(file, _)| file.as_str()).collect();
    let _ = writeln!(out, "read {}", inputs.join(" "));
    for (is, word) in [
        (found.is_locked, "locked"),
        (found.is_bound, "bound"),
        (found.is_copied, "copied"),
    ] {
        if is {
            let _ = writeln!(out, "{word}");
        }
    }
    for note in &found.notes {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

fn check(files: &[(&str, &str)]) -> String {
    let files = files
        .iter()
        .map(|&(path, text)| (path.to_owned(), text.to_owned()))
        .collect();
    shown(&files, None)
}

#[test]
fn each_tool_is_known_by_its_lock() {
    insta::assert_snapshot!(shown(&repository("uv", &[]), None), @r"
    uv.lock: UvLock { all_groups: true, extras: [] }
    python >=3.11,<3.14 (pyproject.toml)
    read pyproject.toml uv.lock
    locked
    bound
    ");
    insta::assert_snapshot!(shown(&repository("pylock", &[]), None), @r"
    pylock.toml: Pylock
    python >=3.11, <3.14 (pylock.toml)
    read pylock.toml
    locked
    ");
    insta::assert_snapshot!(shown(&repository("poetry", &[]), None), @r"
    poetry.lock: 16 packages, project: false
    python >=3.11,<3.14 (pyproject.toml)
    read pyproject.toml poetry.lock
    locked
    ");
    insta::assert_snapshot!(shown(&repository("poetry-legacy", &[]), None), @r#"
    poetry.lock: PoetryExport { groups: {"dev", "main"}, project: false }
    python ^3.11 (pyproject.toml)
    read pyproject.toml poetry.lock
    locked
    bound
    note: `poetry.lock` was made before Poetry 2, so Poetry itself, in its newest version, makes the list of it; `poetry lock` with Poetry 2 saves that
    "#);
    insta::assert_snapshot!(shown(&repository("pipenv", &[]), None), @r"
    Pipfile.lock: 14 packages, project: false
    python 3.11 (Pipfile)
    read Pipfile.lock Pipfile
    locked
    ");
    insta::assert_snapshot!(shown(&repository("requirements", &[]), None), @r#"
    requirements.txt: Txt(RequirementsTxt { files: ["requirements.txt", "requirements-dev.txt"], n_lines: 8, n_hashed: 8, open: [], n_paths: 0, n_copied: 0, n_extra_indexes: 0 })
    read requirements.txt requirements-dev.txt
    locked
    "#);
}

#[test]
fn the_first_one_wins_and_the_others_are_named() {
    let pipenv = repository("pipenv", &[]);
    let also: Vec<(&str, &str)> = pipenv
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let files = repository("uv", &also);
    insta::assert_snapshot!(shown(&files, None), @r"
    uv.lock: UvLock { all_groups: true, extras: [] }
    python >=3.11,<3.14 (pyproject.toml)
    read pyproject.toml uv.lock
    locked
    bound
    note: `uv.lock` decides; not used: `Pipfile.lock`, `Pipfile`
    ");
    assert!(shown(&files, Some(Tool::Pipenv)).starts_with("Pipfile.lock: "));
    insta::assert_snapshot!(shown(&files, Some(Tool::Poetry)), @r"
    there is no `poetry.lock` here to build an environment from
    run `poetry lock`, or write `environment: auto`
    ");
}

#[test]
fn an_old_or_missing_lock_is_refused_with_what_mends_it() {
    let changed = |project: &str, file: &str, from: &str, to: &str| {
        let text = repository(project, &[])[file].replace(from, to);
        shown(&repository(project, &[(file, &text)]), None)
    };
    insta::assert_snapshot!(changed("pipenv", "Pipfile", "click = \">=8\"", "click = \">=9\""), @r"
    `Pipfile.lock` is not up to date with `Pipfile`
    run `pipenv lock` and commit what it writes
    ");
    insta::assert_snapshot!(changed("poetry", "pyproject.toml", "click>=8", "click>=9"), @r"
    `poetry.lock` is not up to date with `pyproject.toml`
    run `poetry lock` and commit what it writes
    ");
    insta::assert_snapshot!(changed("poetry-legacy", "pyproject.toml", "^8.0", "^9.0"), @r"
    `poetry.lock` is not up to date with `pyproject.toml`
    run `poetry lock` and commit what it writes
    ");
    insta::assert_snapshot!(check(&[("Pipfile", "[packages]")]), @r"
    `Pipfile` names packages, but no lock says which versions
    run `pipenv lock` and commit what it writes
    ");
    insta::assert_snapshot!(check(&[("pyproject.toml", "[tool.poetry.dependencies]\na = '*'")]), @r"
    `pyproject.toml` names packages, but no lock says which versions
    run `poetry lock` and commit what it writes
    ");
    insta::assert_snapshot!(check(&[("uv.lock", "")]), @"`uv.lock` can not be read: there is no `pyproject.toml` beside it");
}

#[test]
fn what_is_not_locked_is_taken_and_said() {
    let pyproject = "[build-system]\n[project]\nname = 'a'\nrequires-python = '>=3.10'\n[project.optional-dependencies]\n\
                     dev = []\ngpu = []\n[dependency-groups]\nlint = []";
    insta::assert_snapshot!(check(&[("pyproject.toml", pyproject), (".python-version", "3.12\n")]), @r#"
    pyproject.toml: Project { is_package: true, extras: ["dev"], groups: ["lint"] }
    python 3.12 (.python-version)
    python >=3.10 (pyproject.toml)
    read pyproject.toml .python-version
    bound
    note: not locked: `pyproject.toml` has no lock beside it; `uv lock` makes one
    "#);
    insta::assert_snapshot!(check(&[("pyproject.toml", "[tool.ruff]"), ("requirements.txt", "numpy\npandas>=2\n"), ("requirements-gpu.txt", "")]), @r#"
    requirements.txt: Txt(RequirementsTxt { files: ["requirements.txt"], n_lines: 2, n_hashed: 0, open: ["numpy", "pandas>=2"], n_paths: 0, n_copied: 0, n_extra_indexes: 0 })
    read requirements.txt
    note: not locked: 2 of 2 lines of `requirements.txt` leave the version open: `numpy`, `pandas>=2`; `uv pip compile --generate-hashes` fixes them
    note: not installed: `requirements-gpu.txt`
    "#);
    insta::assert_snapshot!(check(&[("setup.py", ""), ("environment.yml", "dependencies: [python=3.11, pip: [numpy]]")]), @r#"
    environment.yml: Lines(["numpy"])
    python 3.11 (environment.yml)
    read environment.yml
    note: not locked: only the `pip:` part of `environment.yml` is installed, and nothing fixes what that depends on
    "#);
    insta::assert_snapshot!(check(&[("setup.py", ""), ("setup.cfg", "")]), @r"
    setup.py: Setup
    read setup.py
    bound
    note: not locked: `setup.py` fixes no versions; `uv lock` in a project with `pyproject.toml` does
    ");
    insta::assert_snapshot!(check(&[("setup.cfg", "[flake8]"), ("pyproject.toml", "[tool.black]"), ("README.md", "")]), @"none");
}

#[test]
fn what_can_not_be_read_is_named_with_its_line() {
    insta::assert_snapshot!(check(&[("pyproject.toml", "[project]\nname = \n")]), @"`pyproject.toml` can not be read: line 2: string values must be quoted, expected literal string");
    insta::assert_snapshot!(check(&[("Pipfile.lock", "{\n\"default\": ")]), @"`Pipfile.lock` can not be read: EOF while parsing a value at line 2 column 11");
    insta::assert_snapshot!(check(&[("requirements.txt", "a==1"), (".python-version", "miniconda3-latest")]), @r#"
    requirements.txt: Txt(RequirementsTxt { files: ["requirements.txt"], n_lines: 1, n_hashed: 0, open: [], n_paths: 0, n_copied: 0, n_extra_indexes: 0 })
    read requirements.txt .python-version
    locked
    note: 0 of 1 lines have hashes
    note: `.python-version` says `miniconda3-latest`, which is no version of Python
    "#);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    #[test]
    fn no_change_to_a_file_panics(project in 0_usize..6, file in 0_usize..2, at in 0_usize..3_000, with in "[\"{}\\[\\]=,a0\\\\\n]{0,3}") {
        let project = ["uv", "pylock", "poetry-2.2", "pipenv-2023", "requirements", "pipenv-odd"][project];
        let mut files = repository(project, &[]);
        let index = file % files.len();
        let text = files.values_mut().nth(index).unwrap();
        let at = text.floor_char_boundary(at % text.len());
        text.insert_str(at, &with);
        let _ = shown(&files, None);
    }
}
