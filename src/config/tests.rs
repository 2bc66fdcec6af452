//! The configuration as a whole: fixtures, the schema beside the checks, and whatever bytes come.

#![expect(clippy::disallowed_methods, reason = "fixtures are files")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::base::{Diagnostics, Severity};
use crate::train::ESTIMATORS;

fn checked(text: &str) -> Result<Checked, Diagnostics> {
    super::check::check(text)
}

/// All problems, or the warnings, as the terminal shows them.
fn shown(text: &str) -> String {
    let mut problems = match checked(text) {
        Ok(checked) => checked.warnings,
        Err(problems) => problems,
    };
    problems.locate("mlops.yaml", text);
    problems.to_string()
}

fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/config")
        .join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn valid_files_are_accepted() {
    for (name, text) in fixtures("valid") {
        assert_eq!(shown(&text), "", "{name}");
        assert!(checked(&text).is_ok(), "{name}");
    }
}

/// Snapshots beside the fixtures.
fn in_fixtures(folder: &str) -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../../fixtures/config/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

#[test]
fn invalid_files_say_everything_at_once() {
    let settings = in_fixtures("invalid");
    for (name, text) in fixtures("invalid") {
        assert!(checked(&text).is_err(), "{name}");
        settings.bind(|| insta::assert_snapshot!(name, shown(&text)));
    }
}

fn fixture(name: &str) -> String {
    let all = fixtures("valid");
    all.into_iter().find(|(other, _)| other == name).unwrap().1
}

#[test]
fn the_smallest_has_every_default() {
    let project = checked(&fixture("smallest")).unwrap().project;
    assert_eq!(project.data.split, None);
    let defaults: Vec<String> = project
        .defaults
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    insta::assert_snapshot!(defaults.join("\n"), @"
    environment = auto
    data.contract = none
    train.params.alpha = 1
    train.seed = 42
    evaluate.slices = none
    gates.lint = none
    gates.test = none
    gates.metrics = the first metric, with its default margin
    gates.budget = none
    gates.drift = warn
    gates.on_inconclusive = warn
    registry = auto: W&B with a key, else the repository itself
    promote.to = production
    promote.approval = comment
    ");
}

#[test]
fn the_whole_surface_arrives() {
    let project = checked(&fixture("whole-surface")).unwrap().project;
    in_fixtures("valid").bind(|| insta::assert_debug_snapshot!("whole-surface", project));
}

#[test]
fn the_steps_arrive_in_order() {
    let project = checked(&fixture("steps")).unwrap().project;
    let steps = project.steps.steps();
    let told: Vec<String> = steps
        .iter()
        .map(|step| {
            let ids: Vec<String> = step.tasks.iter().map(|task| task.id()).collect();
            let given: Vec<&str> = step.given.iter().map(|(pattern, _)| pattern.text()).collect();
            format!("{} after {:?} given {given:?}", ids.join(" "), step.after)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    clean after [] given ["data/raw.csv", "src/clean.py"]
    explore after [0] given ["notebooks/explore.ipynb"]
    fold-0 fold-1 fold-2 fold-3 after [0] given ["notebooks/fold.ipynb", "src/**/*.{py,toml}"]
    flow after [2] given ["flows/train_flow.py"]
    tidy after [] given []
    "#);
    insta::assert_snapshot!(format!("{:?} {:?}", steps[2].tasks[2].work, steps[2].tasks[2].env), @r#"Notebook { path: "notebooks/fold.ipynb", params: {"seed": Number(42), "share": Number(0.5), "names": Array [String("a"), Number(1.1), Null], "deep": Object {"on": Bool(true)}, "fold": String("second")} } {"MLOPS_ITEM": "second", "MLOPS_STEP": "fold"}"#);
    let clean = &steps[0].tasks[0];
    assert_eq!(clean.env["LEVEL"], "3");
    assert_eq!(
        (clean.n_retries, clean.memory_bytes, clean.has_network),
        (2, Some(2_000_000_000), false)
    );
}

#[test]
fn the_training_key_holds_what_decides_the_model() {
    let text = fixture("whole-surface");
    let key = |text: &str| training_key(&checked(text).unwrap().project);
    insta::assert_snapshot!(serde_json::to_string_pretty(&key(&text)).unwrap(), @r#"
    {
      "data": {
        "source": "data/diabetes.csv",
        "target": "progression",
        "task": "regression",
        "exclude": [
          "2024",
          "patient_id"
        ],
        "split": {
          "by": "stratify",
          "column": "sex",
          "test": {
            "share": 0.2
          },
          "seed": 42
        },
        "types": {
          "bmi": "float",
          "code": "text",
          "sex": "integer",
          "smoker": "boolean",
          "visit": "timestamp"
        }
      },
      "train": {
        "estimator": "elastic_net",
        "params": {
          "alpha": "0.1",
          "l1_ratio": "0.5",
          "max_iter": "10000",
          "tol": "0.0000000001"
        },
        "seed": 7
      }
    }
    "#);

    let same = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        key(&text.replace(from, to)) == key(&text)
    };
    // What does not decide the model, and other ways to write the same.
    for (from, to) in [
        ("diabetes-progression", "other-name"),
        ("rows: {min: 400", "rows: {min: 300"),
        ("range: [10, 60]", "range: [10, 70]"),
        ("[patient_id, 2024]", "['2024', patient_id]"),
        ("test: 0.2", "test: 20%"),
        ("seed: 42, ", ""),
        (", l1_ratio: 0.5", ""),
        ("alpha: 0.1", "alpha: 1e-1"),
        ("[rmse, mae, r2]", "[mae]"),
        ("max: 60", "max: 61"),
        ("approval: environment", "approval: auto"),
    ] {
        assert!(same(from, to), "{from} -> {to}");
    }
    for (from, to) in [
        ("data/diabetes.csv", "data/other.csv"),
        ("target: progression", "target: other"),
        ("[patient_id, 2024]", "[patient_id]"),
        ("test: 0.2", "test: 0.3"),
        ("seed: 42", "seed: 43"),
        ("stratify: sex", "group: sex"),
        ("type: float", "type: integer"),
        ("alpha: 0.1", "alpha: 0.2"),
        ("seed: 7", "seed: 8"),
        (
            "estimator: elastic_net\n  params: {alpha: 0.1, l1_ratio: 0.5}",
            "estimator: ridge",
        ),
    ] {
        assert!(!same(from, to), "{from} -> {to}");
    }
}

/// Asks `check` for the keys of a mapping by an unknown one there; `at` is `a.b.c`.
fn keys_by_check(at: &str) -> Vec<String> {
    let mut text = "?".to_owned();
    for part in at.split('.').filter(|part| !part.is_empty()) {
        text = text.replace('?', &format!("{{{part}: ?}}"));
    }
    let text = if at.is_empty() {
        "{?}".to_owned()
    } else {
        text.replace('?', "{?}")
    };
    let text = text.replace('?', "qqqqqqqqqqqqqqqqqqqqqqqq: 1");
    let text = match at.strip_prefix("train.params") {
        Some(_) => text.replace("{train: {", "{train: {estimator: ridge, "),
        None => text,
    };
    let problems = checked(&text).unwrap_err();
    let problem = problems.iter().find(|problem| problem.code == "unknown-key");
    let help = problem
        .unwrap_or_else(|| panic!("{text}: {problems}"))
        .help
        .clone()
        .unwrap();
    let mut keys: Vec<String> = help
        .strip_prefix("the keys here are: ")
        .unwrap_or_else(|| panic!("{at}: {help}"))
        .split(", ")
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys
}

#[test]
fn the_schema_has_the_keys_that_the_checks_know() {
    let schema = super::schema::schema_with(ESTIMATORS);
    for (at, pointer) in [
        ("", ""),
        ("data", "/properties/data"),
        ("data.split", "/properties/data/properties/split"),
        ("data.contract", "/properties/data/properties/contract"),
        (
            "data.contract.rows",
            "/properties/data/properties/contract/properties/rows",
        ),
        (
            "data.contract.columns.x",
            "/properties/data/properties/contract/properties/columns/additionalProperties",
        ),
        ("steps.x", "/properties/steps/additionalProperties"),
        ("train", "/properties/train"),
        ("train.params", "/properties/train/allOf/1/then/properties/params"),
        ("evaluate", "/properties/evaluate"),
        ("gates", "/properties/gates"),
        ("gates.lint", "/properties/gates/properties/lint/anyOf/2"),
        (
            "gates.metrics.rmse",
            "/properties/gates/properties/metrics/properties/rmse",
        ),
        (
            "gates.metrics.rmse.max_regression",
            "/properties/gates/properties/metrics/properties/rmse/properties/max_regression/anyOf/2",
        ),
        ("gates.slices", "/properties/gates/properties/slices"),
        ("gates.budget", "/properties/gates/properties/budget"),
        ("wandb", "/properties/wandb"),
        ("promote", "/properties/promote"),
    ] {
        let inner = schema.pointer(pointer).unwrap();
        assert_eq!(
            inner["additionalProperties"],
            serde_json::json!(inner["additionalProperties"].is_object()),
            "{at}"
        );
        let mut keys: Vec<String> = inner["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        assert_eq!(keys, keys_by_check(at), "{at}");
    }
}

#[test]
fn every_key_of_the_schema_is_described() {
    fn walk(schema: &serde_json::Value, path: &str, n_keys: &mut usize) {
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            if inner.get("const").is_some() {
                continue;
            }
            *n_keys += 1;
            let described = inner["description"].as_str().is_some_and(|text| text.ends_with('.'));
            assert!(described || key == "params", "{path}.{key} has no description");
        }
        match schema {
            serde_json::Value::Object(all) => all
                .iter()
                .for_each(|(key, inner)| walk(inner, &format!("{path}.{key}"), n_keys)),
            serde_json::Value::Array(all) => all.iter().for_each(|inner| walk(inner, path, n_keys)),
            _ => {}
        }
    }
    let mut n_keys = 0;
    walk(&super::schema::schema_with(ESTIMATORS), "", &mut n_keys);
    assert!(n_keys > 50, "{n_keys}");
    let table = super::schema::reference_table_with(ESTIMATORS);
    in_fixtures("valid").bind(|| insta::assert_snapshot!("reference-table", table));
}

/// A problem that people can find: at least one error, each with a place.
fn has_places(problems: &Diagnostics) -> bool {
    problems.has_errors()
        && problems.iter().all(|problem| {
            problem
                .span
                .is_some_and(|span| span.line >= 1 && span.column >= 1 && span.end_column >= span.column)
        })
}

/// The fixtures, to be broken in every way.
fn examples() -> Vec<String> {
    let all = fixtures("valid").into_iter().chain(fixtures("invalid"));
    all.map(|(_, text)| text).collect()
}

/// Pieces that mean something to YAML or to the checks.
const PIECES: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ": ",
    "\n",
    "  ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "'",
    "\"",
    "|\n",
    ">\n",
    "---\n",
    "...\n",
    "#",
    "%",
    ",",
    "\t",
    "\r",
    "\u{feff}",
    "\u{0}",
    "ü",
    "😀",
    "<<: *a\n",
    ".nan",
    "-.inf",
    "1e999",
    "-1",
    "100%",
    "true",
    "null",
    "~",
    "1h",
    "9999999999999999",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_pass_or_have_a_place(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        match decode(&bytes) {
            Ok(text) => if let Err(problems) = checked(text) {
                prop_assert!(has_places(&problems), "{problems}");
            },
            Err(problems) => prop_assert!(has_places(&problems), "{problems}"),
        }
    }

    #[test]
    fn any_pieces_pass_or_have_a_place(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        if let Err(problems) = checked(&pieces.concat()) {
            prop_assert!(has_places(&problems), "{problems}");
        }
    }

    #[test]
    fn a_broken_example_passes_or_has_a_place(
        example in prop::sample::select(examples()),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, prop::sample::select(PIECES)), 1..4),
    ) {
        let mut chars: Vec<char> = example.chars().collect();
        for (at, removed, piece) in cuts {
            let at = at.index(chars.len() + 1);
            let end = (at + removed).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        let text: String = chars.into_iter().collect();
        match checked(&text) {
            Ok(checked) => prop_assert!(checked.warnings.iter().all(|w| w.severity == Severity::Warning)),
            Err(mut problems) => {
                prop_assert!(has_places(&problems), "{problems}");
                problems.locate("mlops.yaml", &text);
                let _ = problems.to_string(); // Rendering must hold for any place.
            }
        }
    }

    /// Every value of a good file replaced by something else.
    #[test]
    fn a_replaced_value_passes_or_has_a_place(
        at in any::<prop::sample::Index>(),
        value in prop::sample::select(&["", "1", "-1", "0.5", "1e999", ".nan", "true", "x", "[]", "[1, x]", "{}", "{a: 1}", "''", "5%", "10m", "10MB"][..]),
    ) {
        let text = fixture("whole-surface");
        let starts: Vec<usize> = text.match_indices(": ").map(|(start, _)| start + 2).collect();
        let start = starts[at.index(starts.len())];
        let length = text[start..].find([',', '}', '\n']).unwrap_or(text.len() - start);
        let text = format!("{}{value}{}", &text[..start], &text[start + length..]);
        if let Err(problems) = checked(&text) {
            prop_assert!(has_places(&problems), "{text}\n{problems}");
        }
    }
}
