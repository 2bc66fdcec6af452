//! The layer table of `ARCHITECTURE.md`, held against what the modules import.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module → the modules it may name. `lib` and `main` are the roof.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("stats", &["base"]),
    ("sys", &["base"]),
    ("exec", &["base", "sys"]),
    ("github", &["base", "sys"]),
    ("wandb", &["base", "sys"]),
    ("track", &["base", "sys", "github", "wandb"]),
    ("data", &["base", "stats", "sys"]),
    ("evaluate", &["base", "stats", "data"]),
    ("drift", &["base", "stats", "data"]),
    ("lint", &["base"]),
    ("suites", &["base"]),
    ("pickle", &["base"]),
    ("onnx", &[]),
    ("notebook", &["base"]),
    ("metaflow", &["base", "sys", "pickle"]),
    ("environment", &["base", "sys", "exec"]),
    ("steps", &["base", "sys", "exec"]),
    ("gates", &["base", "sys", "exec", "evaluate", "drift", "lint", "suites"]),
    ("train", &["base", "stats", "data", "evaluate"]),
    ("promote", &["base", "gates", "track"]),
    (
        "config",
        &["base", "data", "evaluate", "drift", "gates", "train", "lint", "steps"],
    ),
    ("setup", &["base", "data", "evaluate", "train", "config", "github"]),
    ("facts", &["base", "data", "evaluate", "drift", "gates", "steps"]),
    (
        "report",
        &["base", "facts", "data", "evaluate", "drift", "gates", "suites", "steps"],
    ),
    (
        "tracked",
        &["base", "evaluate", "drift", "gates", "config", "facts", "track"],
    ),
    (
        "pipeline",
        &[
            "base",
            "stats",
            "sys",
            "exec",
            "track",
            "data",
            "evaluate",
            "drift",
            "gates",
            "train",
            "promote",
            "config",
            "facts",
            "lint",
            "suites",
            "pickle",
            "onnx",
            "notebook",
            "metaflow",
            "environment",
            "steps",
        ],
    ),
    ("cli", &["base"]),
    (
        "app",
        &[
            "base", "stats", "sys", "exec", "track", "data", "evaluate", "drift", "gates", "train", "promote",
            "config", "facts", "report", "pipeline", "cli", "github", "setup", "tracked", "wandb", "lint", "steps",
        ],
    ),
];

/// Modules that may not act: no files, clock, environment, processes or async.
const PURE: &[&str] = &[
    "base", "stats", "config", "evaluate", "drift", "train", "promote", "facts", "report", "setup", "tracked", "lint",
    "suites", "pickle", "onnx", "notebook",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Tests may use anything: what they import does not ship.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.file_stem().is_some_and(|stem| stem == "tests")
}

/// Every Rust file below `src` that ships, with the module it belongs to.
fn files() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let mut queue = vec![source()];
    while let Some(directory) = queue.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                queue.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                let inside = path.strip_prefix(source()).unwrap();
                let module = inside
                    .iter()
                    .next()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .trim_end_matches(".rs")
                    .to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((module, path, text));
            }
        }
    }
    found.sort();
    found
}

/// The modules that a source text names as `crate::module`, comments left out.
fn named(text: &str) -> BTreeSet<String> {
    let code = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let word = |rest: &str| {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = code[at + "crate::".len()..].trim_start();
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{a::b, c}`: the first word after the brace and after every comma at depth one.
            let mut depth = 1;
            let mut fresh = true;
            for (index, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 1 => fresh = true,
                    c if fresh && (c.is_alphanumeric() || c == '_') => {
                        names.insert(word(&group[index..]));
                        fresh = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            names.insert(word(rest));
        }
    }
    names
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut broken = Vec::new();
    for (module, path, text) in files() {
        if module == "lib" || module == "main" {
            continue;
        }
        let allowed = table
            .get(module.as_str())
            .unwrap_or_else(|| panic!("`{module}` is not in the layer table"));
        for name in named(&text) {
            if name != module && !allowed.contains(&name.as_str()) {
                broken.push(format!("{}: `{module}` may not import `{name}`", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_table_is_a_ladder() {
    let mut below = BTreeSet::new();
    for (module, allowed) in MAY_IMPORT {
        for name in *allowed {
            assert!(
                below.contains(name),
                "`{module}` imports `{name}`, which stands above it"
            );
        }
        below.insert(module);
    }
}

#[test]
fn pure_modules_do_not_act() {
    let acts = [
        "async fn",
        ".await",
        "std::fs",
        "std::env",
        "std::process",
        "SystemTime",
        "Instant::now",
        "tokio::",
    ];
    for (module, path, text) in files() {
        if PURE.contains(&module.as_str()) {
            let code = text.split("[cfg(test)]").next().unwrap();
            for line in code.lines().map(|line| line.split("//").next().unwrap_or_default()) {
                for act in acts {
                    assert!(!line.contains(act), "{}: a pure module has `{act}`", path.display());
                }
            }
        }
    }
}

#[test]
fn the_map_names_every_module() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for (module, _, _) in files() {
        assert!(
            map.contains(&format!("`{module}`")) || module == "lib" || module == "main",
            "`{module}` is not on the map"
        );
    }
}

#[test]
fn the_reader_of_imports_reads_every_form() {
    let text = "use crate::a::B;\nuse crate::{b::{C, D}, e};\n// crate::comment\nfn f() { crate::g::h() }";
    let names: Vec<String> = named(text).into_iter().collect();
    assert_eq!(names, ["a", "b", "e", "g"]);
}
