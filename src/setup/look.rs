//! What a repository's files say about its data, linters, tests and where it keeps its runs. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::wandb;
use crate::base::shortened;

/// The names of a repository's files, and the texts of a few of them.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Relative paths with `/`, in order; hidden folders and those of tools left out.
    pub files: Vec<String>,
    /// Those that [`wanted_texts`] names and that could be read.
    pub texts: BTreeMap<String, String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// Data files, the likeliest first.
    pub data: Vec<String>,
    /// Commands, each with the file that made us think of it.
    pub lint: Vec<(String, String)>,
    pub test: Vec<(String, String)>,
    /// What says that the repository works with W&B, for a person: `` `train.py` ``.
    pub wandb: Option<String>,
}

const DATA: &[&str] = &[".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson"];
/// Words in a data file's name that say it is not what a model is trained on.
const ASIDE: &[&str] = &[
    "prediction",
    "submission",
    "sample",
    "result",
    "metric",
    "expected",
    "output",
    "score",
];
/// Words that say it is.
const LIKELY: &[&str] = &["train", "data"];
/// Test files whose text is looked at.
const MAX_TESTS: usize = 20;

/// The files whose text decides something.
pub fn wanted_texts(files: &[String]) -> Vec<String> {
    let settings = ["pyproject.toml", "setup.cfg", "tox.ini"];
    let settings = files.iter().filter(|file| settings.contains(&file.as_str()));
    let tests = files.iter().filter(|file| is_test(file)).take(MAX_TESTS);
    let all: BTreeSet<&String> = settings.chain(tests).chain(wandb::wanted(files)).collect();
    all.into_iter().cloned().collect()
}

/// Looks through a listing.
pub fn look(listing: &Listing) -> Found {
    let (lint, test) = (lint(listing), test(listing));
    Found {
        data: data(&listing.files),
        lint,
        test,
        wandb: wandb::sign(listing).map(|file| format!("`{}`", shortened(file))),
    }
}

/// The last part of a path.
pub fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn data(files: &[String]) -> Vec<String> {
    let readable = |file: &&String| {
        let lower = file.to_ascii_lowercase();
        DATA.iter().any(|ending| lower.ends_with(ending))
    };
    let mut found: Vec<&String> = files.iter().filter(readable).collect();
    found.sort_by_cached_key(|file| {
        let lower = file.to_ascii_lowercase();
        let aside = ASIDE.iter().any(|word| name_of(&lower).contains(word))
            || lower
                .split('/')
                .any(|part| matches!(part, "test" | "tests" | "fixtures" | "docs"));
        let likely = LIKELY.iter().any(|word| lower.contains(word));
        (aside, !likely, lower.matches('/').count(), lower.clone())
    });
    found.into_iter().cloned().collect()
}

fn lint(listing: &Listing) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |command: &str, tool: &str, own: &[&str]| {
        if let Some(file) = configured(listing, tool, own) {
            found.push((command.to_owned(), file));
        }
    };
    add("ruff check .", "ruff", &["ruff.toml", ".ruff.toml"]);
    add("black --check .", "black", &[]);
    add("flake8", "flake8", &[".flake8"]);
    if has(listing, "Cargo.toml") {
        found.push(("cargo fmt --check".to_owned(), "Cargo.toml".to_owned()));
    }
    found
}

fn has(listing: &Listing, file: &str) -> bool {
    listing.files.iter().any(|found| found == file)
}

/// The file that configures a tool: one of its own, or a section of a common one.
fn configured(listing: &Listing, tool: &str, own: &[&str]) -> Option<String> {
    if let Some(file) = own.iter().find(|file| has(listing, file)) {
        return Some((*file).to_owned());
    }
    let sections = [
        ("pyproject.toml", format!("[tool.{tool}")),
        ("setup.cfg", format!("[{tool}")),
        ("setup.cfg", format!("[tool:{tool}")),
        ("tox.ini", format!("[{tool}")),
    ];
    let says = |(file, section): &(&str, String)| {
        listing.texts.get(*file).is_some_and(|text| {
            text.lines().any(|line| {
                let rest = line.trim().strip_prefix(section.as_str());
                // `[tool.ruff]` and `[tool.ruff.lint]`, not `[tool.ruffian]`.
                rest.is_some_and(|rest| rest.starts_with([']', '.']))
            })
        })
    };
    let (file, _) = sections.iter().find(|section| says(section))?;
    Some((*file).to_owned())
}

fn is_test(path: &str) -> bool {
    let name = name_of(path);
    let named = name.starts_with("test_") || name.ends_with("_test.py");
    path.to_ascii_lowercase().ends_with(".py") && named
}

fn test(listing: &Listing) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let tests: Vec<&String> = listing.files.iter().filter(|file| is_test(file)).collect();
    let own = configured(listing, "pytest", &["pytest.ini", "conftest.py", "tests/conftest.py"]);
    if let Some(file) = own {
        found.push(("pytest".to_owned(), file));
    } else if let Some(first) = tests.first() {
        let texts = || tests.iter().filter_map(|file| listing.texts.get(*file));
        // Tests that need nothing but Python are run with nothing but Python.
        let plain = texts().all(|text| text.contains("unittest") && !text.contains("pytest")) && texts().count() > 0;
        let folder = first.rsplit_once('/').map_or(".", |(folder, _)| folder);
        let together = tests
            .iter()
            .all(|file| file.rsplit_once('/').map_or(".", |(f, _)| f) == folder);
        if plain && together && folder.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c)) {
            found.push((format!("python3 -m unittest discover -s {folder}"), (*first).clone()));
        } else {
            found.push(("pytest".to_owned(), (*first).clone()));
        }
    }
    if has(listing, "Cargo.toml") {
        found.push(("cargo test".to_owned(), "Cargo.toml".to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Found {
        let mut listing = Listing {
            files: files.iter().map(|(file, _)| (*file).to_owned()).collect(),
            texts: BTreeMap::new(),
        };
        for wanted in wanted_texts(&listing.files) {
            let (_, text) = files.iter().find(|(file, _)| *file == wanted).unwrap();
            listing.texts.insert(wanted, (*text).to_owned());
        }
        look(&listing)
    }

    fn commands(found: &[(String, String)]) -> Vec<&str> {
        found.iter().map(|(command, _)| command.as_str()).collect()
    }

    #[test]
    fn the_likeliest_data_comes_first() {
        let files = [
            ("a.csv", ""),
            ("data/predictions.csv", ""),
            ("data/raw/deep.parquet", ""),
            ("data/houses.csv", ""),
            ("tests/data/tiny.csv", ""),
            ("readme.md", ""),
        ];
        assert_eq!(
            found(&files).data,
            [
                "data/houses.csv",
                "data/raw/deep.parquet",
                "a.csv",
                "data/predictions.csv",
                "tests/data/tiny.csv"
            ]
        );
    }

    #[test]
    fn linters_that_are_configured_are_gates() {
        let py = "[tool.ruff.lint]\nselect = []\n[tool.black]\n[tool.ruffian]\n";
        assert_eq!(
            commands(&found(&[("pyproject.toml", py)]).lint),
            ["ruff check .", "black --check ."]
        );
        assert_eq!(
            commands(&found(&[("pyproject.toml", "[tool.ruffian]\n")]).lint),
            [""; 0]
        );
        assert_eq!(commands(&found(&[("setup.cfg", "[flake8]\n")]).lint), ["flake8"]);
        assert_eq!(commands(&found(&[("Cargo.toml", "")]).lint), ["cargo fmt --check"]);
    }

    #[test]
    fn tests_are_run_with_what_they_are_written_for() {
        let unit = [("tests/test_a.py", "import unittest\n")];
        assert_eq!(commands(&found(&unit).test), ["python3 -m unittest discover -s tests"]);
        let pytest = [("tests/test_a.py", "def test_x():\n    assert True\n")];
        assert_eq!(commands(&found(&pytest).test), ["pytest"]);
        let both = [
            ("tests/test_a.py", "import unittest"),
            ("tests/test_b.py", "import pytest, unittest"),
        ];
        assert_eq!(commands(&found(&both).test), ["pytest"]);
        let configured = [("pytest.ini", ""), ("tests/test_a.py", "import unittest")];
        assert_eq!(commands(&found(&configured).test), ["pytest"]);
        assert_eq!(commands(&found(&[("Cargo.toml", "")]).test), ["cargo test"]);
        assert_eq!(found(&[("a.py", "")]).test, []);
    }
}
