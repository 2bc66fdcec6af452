//! A trainer of the repository, from its first version to the one that later models meet.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{facts, problems, report};
use crate::support::{Repository, root};

/// Least squares on the columns that its parameters name, in Python without packages.
pub const TRAINER: &str = r#"
import csv, json, os, shutil, sys

output, target = os.environ["MLOPS_OUTPUT"], os.environ["MLOPS_TARGET"]
params = json.loads(os.environ["MLOPS_PARAMS"])
with open(os.environ["MLOPS_DATA"]) as file:
    rows = list(csv.DictReader(file))
with open(os.environ["MLOPS_SPLIT"]) as file:
    part = {int(row["row"]): row["part"] for row in csv.DictReader(file)}


def features(row):
    return [1.0] + [float(row[name]) for name in params["columns"]]


def solve(a, b):
    n = len(b)
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(a[k][i]))
        a[i], a[pivot], b[i], b[pivot] = a[pivot], a[i], b[pivot], b[i]
        for k in range(i + 1, n):
            factor = a[k][i] / a[i][i]
            a[k] = [x - factor * y for x, y in zip(a[k], a[i])]
            b[k] -= factor * b[i]
    for i in reversed(range(n)):
        b[i] = (b[i] - sum(a[i][j] * b[j] for j in range(i + 1, n))) / a[i][i]
    return b


train = [rows[at] for at, of in part.items() if of == "train"]
width = len(params["columns"]) + 1
gram = [[sum(features(r)[i] * features(r)[j] for r in train) for j in range(width)] for i in range(width)]
moment = [sum(features(r)[i] * float(r[target]) for r in train) for i in range(width)]
weights = solve(gram, moment)
print("fitted", len(train), "rows")
test = [at for at, of in part.items() if of == "test"]
lines = ["row,truth,prediction"]
for at in test:
    lines.append(f"{at},{rows[at][target]},{sum(w * x for w, x in zip(weights, features(rows[at])))}")
with open(output + "/predictions.csv", "w") as file:
    file.write("\n".join(lines) + "\n")
with open(output + "/weights.json", "w") as file:
    json.dump(weights, file)
"#;

pub const CONFIG: &str = "\
model: progression-own
data: {source: data/diabetes.csv, target: progression, split: {test: 0.33, seed: 42}}
train: {run: python3 train.py, params: {columns: [bmi]}}
evaluate: {metrics: [rmse, mae]}
gates: {metrics: {rmse: {max: 90, max_regression: 2%}}}
";

fn repository() -> Repository {
    let repository = Repository::of(&[("mlops.yaml", CONFIG), ("train.py", TRAINER)]);
    repository.write("data/diabetes.csv", &data());
    repository
}

fn data() -> String {
    std::fs::read_to_string(root().join("fixtures/repos/diabetes/data/diabetes.csv")).unwrap()
}

/// The data with another value of `s6` in these rows.
fn with_other_rows(is_changed: impl Fn(usize) -> bool) -> String {
    let data = data();
    let mut lines = data.lines();
    let mut text = format!("{}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        if is_changed(row) {
            cells[9] = format!("{}", cells[9].parse::<f64>().unwrap() + 0.5);
        }
        text += &(cells.join(",") + "\n");
    }
    text
}

fn fits(repository: &Repository, columns: &str) -> (i32, Value) {
    let config = CONFIG.replace("columns: [bmi]", &format!("columns: [{columns}]"));
    repository.write("mlops.yaml", &config);
    repository.json(&["run"])
}

/// Test rows, those that the comparison stands on, that the champion has no answer for, and that it was trained on.
fn rows(repository: &Repository) -> [u64; 4] {
    let facts = facts(repository);
    let comparison = &facts["comparison"];
    [
        &facts["data"]["n_test"],
        &comparison["metrics"][0]["n_rows"],
        &comparison["n_unanswered"],
        &comparison["n_left_out"],
    ]
    .map(|value| value.as_u64().unwrap())
}

#[test]
fn models_of_ones_own_meet_on_the_rows_that_both_predicted() {
    let repository = repository();
    let (code, first) = repository.json(&["run"]);
    assert_eq!((code, &first["verdict"]), (0, &json!("better")), "{first:#}");
    assert_eq!(first["version"], 1);
    assert_eq!(repository.run(&["promote"]).code, 0);

    // The same model again is the same version, although its trainer ran anew.
    let (code, again) = repository.json(&["run"]);
    assert_eq!((code, &again["verdict"]), (0, &json!("same")), "{again:#}");
    assert_eq!(again["digest"], first["digest"]);

    let (code, worse) = fits(&repository, "age");
    assert_eq!((code, &worse["verdict"]), (1, &json!("worse")), "{worse:#}");
    let (code, better) = fits(&repository, "bmi, s5");
    assert_eq!((code, &better["verdict"]), (0, &json!("better")), "{better:#}");
    assert_eq!(better["version"], 2);
    let [n_test, n_compared, n_unanswered, n_seen] = rows(&repository);
    assert_eq!((n_compared, n_unanswered, n_seen), (n_test, 0, 0));

    let (code, compared) = repository.json(&["compare", "v1", "v2"]);
    assert_eq!((code, &compared["verdict"]), (0, &json!("better")), "{compared:#}");
    assert_eq!(
        compared["metrics"]["rmse"]["difference"],
        better["metrics"]["rmse"]["difference"]
    );

    // Two thirds of the data change: what is left in common decides, and the report says so.
    repository.write("data/diabetes.csv", &with_other_rows(|row| row % 3 != 0));
    let (code, fewer) = repository.json(&["run"]);
    assert_eq!(code, 0, "{fewer:#}");
    let [n_test, n_compared, n_unanswered, n_seen] = rows(&repository);
    assert!(n_compared >= 30 && n_unanswered > 0, "{n_compared} {n_unanswered}");
    assert_eq!(n_compared + n_unanswered + n_seen, n_test);
    let alert = format!(
        "{n_unanswered} of {n_test} test rows are left out of the comparison: v1 was made by the repository's own code"
    );
    assert!(report(&repository).contains(&alert), "{}", report(&repository));

    // Next to nothing is in common, and then nothing: neither is a pass.
    for (what, every) in [("few rows", 12), ("no row", usize::MAX)] {
        let is_kept = |row: usize| row % every == 5 && every < 100;
        repository.write("data/diabetes.csv", &with_other_rows(|row| !is_kept(row)));
        let (code, undecided) = repository.json(&["run"]);
        assert_eq!(
            (code, &undecided["verdict"]),
            (0, &json!("inconclusive")),
            "{what}: {undecided:#}"
        );
        let [n_test, n_compared, n_unanswered, _] = rows(&repository);
        match every {
            12 => assert!(
                (1..30).contains(&n_compared) && n_unanswered > 0,
                "{n_compared} of {n_test}"
            ),
            _ => assert_eq!((n_compared, n_unanswered), (n_test, 0)),
        }
    }
    let shown = report(&repository);
    let why = "v1 can not score these rows: it was made by the repository's own code, which answered for none of";
    assert!(shown.contains(why), "{shown}");
}

#[test]
fn a_claim_that_its_own_predictions_contradict_is_called_out() {
    let repository = repository();
    let boast = claims_of("{'rmse': 12.5, 'loss': 3.25, 'note': 'best of 10'}");
    repository.write("train.py", &format!("{TRAINER}{boast}"));
    let (code, result) = repository.json(&["run"]);
    assert_eq!(code, 0, "a claim is no gate: {result:#}");
    let rmse = result["metrics"]["rmse"]["value"].as_f64().unwrap();
    let shown = report(&repository);
    let alert = format!("the trainer claims rmse = 12.5, and its predictions give {rmse:.5}");
    assert!(shown.contains(&alert), "{shown}");
    let table: Vec<&str> = shown
        .lines()
        .filter(|line| line.contains("Claimed") || line.contains("12.5"))
        .collect();
    assert!(table.iter().any(|line| line.contains("contradicted")), "{table:?}");
    let claims = &facts(&repository)["training"]["own"]["claims"];
    let claims = claims.as_array().unwrap().iter();
    let claims: Vec<_> = claims
        .map(|claim| (claim["metric"].as_str().unwrap(), &claim["agrees"]))
        .collect();
    assert_eq!(claims, [("rmse", &json!(false)), ("loss", &Value::Null)]);
    assert!(shown.contains("1 entries of `metrics.json` are no numbers"), "{shown}");

    // What is true within rounding is no news.
    let honest = claims_of(&format!("{{'rmse': {rmse:.3}}}"));
    repository.write("train.py", &format!("{TRAINER}{honest}"));
    assert_eq!(repository.run(&["run"]).code, 0);
    assert!(!report(&repository).contains("the trainer claims"));
}

fn claims_of(metrics: &str) -> String {
    format!("\nwith open(output + '/metrics.json', 'w') as file:\n    json.dump({metrics}, file)\n")
}

#[test]
fn what_breaks_the_contract_is_unusable_and_says_what_to_change() {
    let repository = repository();
    // What this run leaves is there for nobody after it.
    assert_eq!(repository.run(&["run"]).code, 0);
    let rewritten = |change: &str| {
        format!("{TRAINER}\n{change}\nopen(output + '/predictions.csv', 'w').write('\\n'.join(lines) + '\\n')\n")
    };
    let mut said = String::new();
    for (what, script) in [
        ("nothing", "raise SystemExit(0)\n".to_owned()),
        ("a row too few", rewritten("del lines[3]")),
        ("a row twice", rewritten("lines.append(lines[1])")),
        (
            "rows mixed up",
            rewritten("lines[1:] = [f\"{at},{rows[at - 1][target]},1.0\" for at in test]"),
        ),
        (
            "no number",
            rewritten("lines[2] = lines[2].rsplit(',', 1)[0] + ',high'"),
        ),
        ("no column", rewritten("lines[0] = 'row,truth,predicted'")),
        ("a list of metrics", format!("{TRAINER}{}", claims_of("[1.5]"))),
        (
            "our name",
            format!("{TRAINER}\nopen(output + '/model.json', 'w').write('{{}}')\n"),
        ),
        ("a folder", format!("{TRAINER}\nos.mkdir(output + '/checkpoints')\n")),
    ] {
        repository.write("train.py", &script);
        let ran = repository.run(&["run"]);
        assert_eq!(ran.code, 2, "{what}: {}", ran.stderr);
        writeln!(said, "{what}: {}", problems(&ran)).unwrap();
        let (_, status) = repository.json(&["status"]);
        assert_eq!(status["versions"].as_array().unwrap().len(), 1, "{what}");
    }
    insta::assert_snapshot!(said, @r#"
    nothing: error[unusable-output]: `python3 train.py`: it left no `predictions.csv` in `$MLOPS_OUTPUT`: write one with the columns `row,truth,prediction` and a line for every row that `$MLOPS_SPLIT` marks as `test`
    --> mlops.yaml:3:14
    a row too few: error[unusable-output]: `python3 train.py`: `predictions.csv` lacks 1 of the 146 held-out rows, the first is row 11: hold out the rows that `$MLOPS_SPLIT` marks as `test`, and predict every one of them
    --> mlops.yaml:3:14
    a row twice: error[unusable-output]: `python3 train.py`: row 1 is in `predictions.csv` twice, in lines 2 and 148
    --> mlops.yaml:3:14
    rows mixed up: error[unusable-output]: `python3 train.py`: `truth` of row 1 is `151` in `predictions.csv`, and the data say `75`: the rows are mixed up
    --> mlops.yaml:3:14
    no number: error[unusable-output]: `python3 train.py`: `prediction` in line 3 of `predictions.csv` is no number
    --> mlops.yaml:3:14
    no column: error[unusable-output]: `python3 train.py`: `predictions.csv` has no column `prediction`; its columns are `row`, `truth`, `predicted`
    --> mlops.yaml:3:14
    a list of metrics: error[unusable-output]: `python3 train.py`: `metrics.json` must be a mapping of names to numbers, such as `{"rmse": 51.2}`
    --> mlops.yaml:3:14
    our name: error[unusable-output]: `python3 train.py`: it left `model.json` in `$MLOPS_OUTPUT`, which is the name of a file of ours: give it another name
    --> mlops.yaml:3:14
    a folder: error[unusable-output]: `python3 train.py`: `checkpoints` in `$MLOPS_OUTPUT` is not a file, and a version holds files: pack a folder into an archive such as `model.tar`
    --> mlops.yaml:3:14
    "#);
}

#[test]
fn a_trainer_that_fails_is_shown_with_the_end_of_its_log() {
    let repository = repository();
    let ends = "import sys\nprint('epoch 1: loss 0.5')\nsys.exit('CUDA is <b>not</b> here')\n";
    repository.write("train.py", ends);
    let ran = repository.run(&["run"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        !repository.path().join(".mlops/registry").exists(),
        "nothing is published"
    );
    let shown = report(&repository);
    assert!(shown.contains("epoch 1: loss 0.5\nCUDA is"), "{shown}");
    let first = shown.lines().find(|line| line.contains("Failed to run")).unwrap();
    insta::assert_snapshot!(first, @"### ❌ Failed to run: training failed: `python3 train.py` exited with 1; the last that it said: CUDA is &#60;b&#62;not&#60;/b&#62; here");
}

#[test]
fn pickles_are_looked_at_and_never_loaded() {
    let repository = repository();
    for (fixture, name) in [("evil-global.pkl", "model.pkl"), ("linear.pkl.gz", "fine.pkl.gz")] {
        std::fs::copy(
            root().join("fixtures/pickle").join(fixture),
            repository.path().join(name),
        )
        .unwrap();
    }
    let leaves = "\nfor name in ('model.pkl', 'fine.pkl.gz'):\n    shutil.copy(name, output)\n";
    repository.write("train.py", &format!("{TRAINER}{leaves}"));
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["version"]), (0, &json!(1)), "{result:#}");
    let shown = report(&repository);
    let lines = shown.lines().filter(|line| line.contains(".pkl"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    > `model.pkl` is a pickle that does more than a model: it reaches for `os.system`; do not load it
    | `fine.pkl.gz` | 784 bytes | pickle of `numpy`, `sklearn` |
    | `model.pkl` | 32 bytes | ❌ suspicious pickle, never loaded: it reaches for `os.system` |
    ");
}

/// A trainer that leaves what scikit-learn exported and predicted.
const REPLAY: &str = r#"
import json, os, shutil

output = os.environ["MLOPS_OUTPUT"]
recorded = json.load(open("recorded.json"))
classes = recorded.get("classes")
lines = ["row,prediction" + "".join(f",p({name})" for name in classes or [])]
for place, answer in enumerate(recorded["trained"]):
    told = [recorded["labels"][place], *answer] if classes else answer
    lines.append(",".join(str(value) for value in [3 * place, *told]))
open(output + "/predictions.csv", "w").write("\n".join(lines) + "\n")
shutil.copy("exported.onnx", output + "/model.onnx")
"#;

/// A table of the fixtures with every third row held out, which is what was recorded, and a trainer of that model.
fn exported(table: &str, target: &str, model: &str) -> Repository {
    let data = std::fs::read_to_string(root().join("fixtures").join(table)).unwrap();
    let mut lines = data.lines();
    let mut marked = format!("{},part\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        let part = if row % 3 == 0 { "holdout" } else { "fit" };
        writeln!(marked, "{line},{part}").unwrap();
    }
    let config = format!(
        "model: exported\ndata: {{source: data.csv, target: {target}, split: {{column: part, test: holdout}}}}\n\
         train: {{run: python3 train.py}}\n"
    );
    let repository = Repository::of(&[("mlops.yaml", &config), ("train.py", REPLAY), ("data.csv", &marked)]);
    let skl = root().join("fixtures/onnx/skl");
    let recorded: Value = serde_json::from_slice(&std::fs::read(skl.join("expected.json")).unwrap()).unwrap();
    repository.write("recorded.json", &recorded[model].to_string());
    std::fs::copy(
        skl.join(format!("{model}.onnx")),
        repository.path().join("exported.onnx"),
    )
    .unwrap();
    repository
}

#[test]
fn an_onnx_file_answers_for_its_model_from_then_on() {
    for (table, target, model) in [
        ("repos/diabetes/data/diabetes.csv", "progression", "linear"),
        ("repos/iris/data/iris.csv", "species", "logistic_three"),
    ] {
        let repository = exported(table, target, model);
        let (code, result) = repository.json(&["run"]);
        assert_eq!((code, &result["version"]), (0, &json!(1)), "{model}: {result:#}");
        assert!(report(&repository).contains("`model.onnx` answers as the predictions do"));
        let recorded: Value = serde_json::from_str(&repository.read("recorded.json")).unwrap();

        let ran = repository.run(&["predict", "data.csv"]);
        assert_eq!(ran.code, 0, "{model}: {}", ran.stderr);
        let lines: Vec<&str> = ran.stdout.lines().skip(1).collect();
        assert_eq!(lines.len(), repository.read("data.csv").lines().count() - 1);
        for (place, answer) in recorded["trained"].as_array().unwrap().iter().enumerate() {
            let line = lines[3 * place];
            if let Some(label) = recorded["labels"].get(place) {
                assert!(line.split(',').any(|cell| label == cell), "{model}: {line} {label}");
                continue;
            }
            let (found, expected) = (line.parse::<f64>().unwrap(), answer[0].as_f64().unwrap());
            assert!((found - expected).abs() < 1e-3, "{model}: {found} {expected}");
        }

        // A champion that can be asked meets its challenger on rows that it never predicted.
        assert_eq!(repository.run(&["promote"]).code, 0);
        let extended = repository.read("data.csv");
        let more: Vec<&str> = extended.lines().filter(|line| line.ends_with(",fit")).take(9).collect();
        repository.write(
            "data.csv",
            &format!("{extended}{}\n", more.join("\n").replace(",fit", ",holdout")),
        );
        let with_more = format!(
            "{}\nfor at in range(9):\n    open(output + '/predictions.csv', 'a').write(f'{{at + {}}},' + lines[1 + at].split(',', 1)[1] + '\\n')\n",
            REPLAY,
            extended.lines().count() - 1
        );
        repository.write("train.py", &with_more);
        repository.run(&["run"]);
        let facts = facts(&repository);
        assert_eq!(facts["comparison"]["n_unanswered"], 0, "{}", facts["comparison"]);
        assert_eq!(facts["comparison"]["champion"]["version"]["version"], 1);
    }
}

#[test]
fn an_onnx_file_that_answers_otherwise_is_not_asked() {
    let repository = exported("repos/diabetes/data/diabetes.csv", "progression", "linear");
    std::fs::copy(
        root().join("fixtures/onnx/skl/lasso.onnx"),
        repository.path().join("exported.onnx"),
    )
    .unwrap();
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["version"]), (0, &json!(1)), "{result:#}");
    let alerts = facts(&repository)["alerts"].to_string();
    assert!(
        alerts.contains("`model.onnx` is kept and not asked: it answers other than the predictions for 1"),
        "{alerts}"
    );
    let ran = repository.run(&["predict", "data.csv"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.stderr.trim(), @"error: v1 was made by the repository's own code, which left no ONNX file that could be asked: let the trainer write a `model.onnx` into `$MLOPS_OUTPUT`");
}
