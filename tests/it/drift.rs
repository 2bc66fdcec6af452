//! Whether data changed: two files, the data of a repository since production, and what a schedule does about it.

use serde_json::{Value, json};

use crate::support::{Repository, root};
use crate::world::World;

fn pair(name: &str) -> [String; 2] {
    let folder = root().join("fixtures/drift").join(name);
    ["reference.csv", "current.csv"].map(|file| folder.join(file).to_str().unwrap().to_owned())
}

/// The example's data with `n` rows more, each a copy of one of its own with the feature `column` moved by `shift`.
fn grown(repository: &Repository, n: usize, column: usize, shift: f64) -> String {
    let text = repository.read("data/diabetes.csv");
    let mut grown = text.trim_end().to_owned();
    for row in text.lines().skip(1).step_by(3).take(n) {
        let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
        let moved = cells[column].parse::<f64>().unwrap() + shift;
        cells[column] = format!("{moved:.3}");
        grown.push('\n');
        grown.push_str(&cells.join(","));
    }
    grown.push('\n');
    grown
}

const BMI: usize = 2;

fn facts(repository: &Repository) -> Value {
    serde_json::from_slice(&std::fs::read(repository.last_run().join("mlops-facts.json")).unwrap()).unwrap()
}

fn gate(facts: &Value) -> (String, String) {
    let gates = facts["gates"].as_array().unwrap();
    let gate = gates
        .iter()
        .find(|gate| gate["name"] == "drift")
        .unwrap_or_else(|| panic!("{gates:?}"));
    (
        gate["status"].as_str().unwrap().to_owned(),
        gate["reason"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn two_files_are_compared_without_a_configuration() {
    let repository = Repository::of(&[]);
    let [before, after] = pair("diabetes-sex");
    let (code, found) = repository.json(&["drift", &before, &after]);
    assert_eq!((code, &found["schema"]), (0, &json!("mlops-drift/1")));
    assert_eq!(
        (&found["dataset"]["drifted"], &found["dataset"]["tested"]),
        (&json!(7), &json!(10))
    );
    assert_eq!(found["dataset"]["decision"], "warn");
    let names: Vec<&str> = found["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["column"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["age", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6", "target"],
        "in the order of the file"
    );
    assert_eq!(found["reference"]["sha256"].as_str().unwrap().len(), 64);

    let again = repository.json(&["drift", &before, &after]).1;
    assert_eq!(again, found, "the same to the last digit");
    let (code, same) = repository.json(&["drift", &before, &before, "--fail"]);
    assert_eq!(
        (code, &same["dataset"]["drifted"], &same["dataset"]["decision"]),
        (0, &json!(0), &json!("pass"))
    );
    assert_eq!(repository.run(&["drift", &before, &after, "--fail"]).code, 1);
    assert_eq!(
        repository
            .run(&["drift", &before, &after, "--fail", "--max-share", "0.9"])
            .code,
        0
    );

    let ran = repository.run(&["drift", &before, &after, "--report", "drift.html"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("7 of 10 columns drifted"), "{}", ran.stdout);
    let page = repository.read("drift.html");
    assert!(page.len() < 150_000 && page.contains("<svg"), "{}", page.len());
}

#[test]
fn what_can_not_be_compared_says_why() {
    let [before, after] = pair("penguins-year");
    let repository = Repository::of(&[("empty.csv", "species,sex\n"), ("one.csv", "species\nAdelie\n")]);
    for (arguments, code, said) in [
        (vec!["drift", &before, "empty.csv"], 2, "the current data has no rows"),
        (vec!["drift", &before, "nowhere.csv"], 2, "no file matches"),
        (
            vec!["drift", &before, &after, "--target", "specie"],
            2,
            "did you mean `species`?",
        ),
        (
            vec!["drift", &before, &after, "--method", "num=psi"],
            2,
            "--mode evidently",
        ),
        (
            vec!["drift", &before, &after, "--mode", "evidently", "--method", "num=psy"],
            2,
            "did you mean `psi`?",
        ),
        (
            vec!["drift", &before, &after, "--mode", "evidently", "--method", "cat=ks"],
            2,
            "is not for cat columns",
        ),
        (
            vec!["drift", &before, &after, "--alpha", "7"],
            2,
            "must be between 0 and 1",
        ),
        (
            vec!["drift", &before, &after, "--report", "drift.docx"],
            2,
            "use `.html` or `.md`",
        ),
        (vec!["drift", &before], 2, "CURRENT"),
        (vec!["drift"], 2, "there is no `mlops.yaml`"),
    ] {
        let ran = repository.run(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    // One row each, and columns that are gone: said, and no failure of ours.
    let (code, found) = repository.json(&["drift", &before, "one.csv"]);
    assert_eq!(code, 0);
    let quality: Vec<&str> = found["data_quality"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["check"].as_str().unwrap())
        .collect();
    assert!(
        quality.iter().filter(|check| **check == "missing_column").count() >= 6,
        "{quality:?}"
    );
    assert!(
        found["columns"][0]["status"]
            .as_str()
            .unwrap()
            .starts_with("inconclusive"),
        "{}",
        found["columns"][0]
    );
}

#[test]
fn a_run_compares_new_rows_with_what_production_was_made_of() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.run(&["run"]).code, 0);
    assert_eq!(
        gate(&facts(&repository)),
        (
            "skipped".to_owned(),
            "there is no production to compare the data with".to_owned()
        )
    );
    assert_eq!(repository.run(&["promote", "--accept-warnings"]).code, 0);

    assert_eq!(repository.run(&["run"]).code, 0);
    let ran = repository.run(&["drift"]);
    assert_eq!(
        (ran.code, ran.stdout.trim()),
        (0, "the data has no row that v1 does not know")
    );
    assert_eq!(
        gate(&facts(&repository)),
        (
            "pass".to_owned(),
            "the data has no row that v1 does not know".to_owned()
        )
    );

    let original = repository.read("data/diabetes.csv");
    repository.write("data/diabetes.csv", &grown(&repository, 10, BMI, 8.0));
    repository.run(&["run"]);
    let (status, reason) = gate(&facts(&repository));
    assert_eq!(
        (status.as_str(), reason.as_str()),
        (
            "pass",
            "10 rows of the data are new to v1: 20 are needed to say anything"
        )
    );

    repository.write("data/diabetes.csv", &original);
    repository.write("data/diabetes.csv", &grown(&repository, 120, BMI, 8.0));
    let (_, result) = repository.json(&["run"]);
    let found = facts(&repository);
    assert_eq!(gate(&found).0, "warn", "{result:#}");
    let drift = &found["drift"];
    assert_eq!(drift["current"]["rows"], 120, "only rows that v1 does not know");
    let column = |name: &str| {
        drift["columns"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["column"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(
        (&column("bmi")["drifted"], &column("age")["drifted"]),
        (&json!(true), &json!(false))
    );
    assert!(column("bmi")["importance"].as_f64().unwrap() > 0.1);
    assert_eq!(column("progression")["role"], "target");
    let prediction = column("prediction of v1");
    assert_eq!(
        (&prediction["role"], &prediction["drifted"]),
        (&json!("prediction"), &json!(true))
    );
    assert_eq!(drift["performance"]["degraded"], true, "{}", drift["performance"]);

    let (code, alone) = repository.json(&["drift"]);
    assert_eq!(
        (code, &alone["columns"]),
        (0, &drift["columns"]),
        "the same numbers as inside of the run"
    );

    // A policy that fails stops what would else be published.
    repository.edit(
        "mlops.yaml",
        "gates:\n",
        "gates:\n  drift: {policy: fail, max_share: 5%}\n",
    );
    let (code, failed) = repository.json(&["run"]);
    assert_eq!(
        (code, &failed["gates"]["drift"], &failed["passed"]),
        (1, &json!("fail"), &json!(false))
    );
    assert_eq!(repository.json(&["drift"]).0, 1);
    repository.edit("mlops.yaml", "{policy: fail, max_share: 5%}", "ignore");
    assert!(repository.json(&["run"]).1["gates"]["drift"].is_null());
    // Asked for by hand it is measured all the same.
    let (code, asked) = repository.json(&["drift"]);
    assert_eq!((code, &asked["dataset"]["decision"]), (0, &json!("ignore")));
}

#[test]
fn rows_that_look_alike_are_known_as_often_as_they_were() {
    let rows = |values: &[(&str, usize)]| -> String {
        let of_each = values
            .iter()
            .flat_map(|(color, n)| (0..*n).map(move |at| format!("{color},{}\n", at % 4)));
        std::iter::once("color,y\n".to_owned()).chain(of_each).collect()
    };
    let config = "model: m\ndata: {source: d.csv, target: y, task: regression}\ntrain: {estimator: ridge}\n\
                  gates: {drift: {policy: fail, max_share: 50%}}\n";
    let before = rows(&[("red", 360), ("blue", 40)]);
    let repository = Repository::of(&[("mlops.yaml", config), ("d.csv", &before)]);
    repository.run(&["run"]);
    assert_eq!(repository.run(&["promote", "--accept-warnings"]).code, 0);
    // The same again, row for row: nothing changed. Then as many of what was rare: nearly all is new.
    let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    repository.write("d.csv", &format!("{before}{}", body(&before)));
    repository.run(&["run"]);
    let found = facts(&repository);
    assert_eq!(
        (found["drift"]["current"]["rows"].as_u64(), gate(&found).0.as_str()),
        (Some(400), "pass")
    );
    repository.write("d.csv", &format!("{before}{}", body(&rows(&[("blue", 400)]))));
    repository.run(&["run"]);
    let found = facts(&repository);
    assert_eq!(
        (found["drift"]["current"]["rows"].as_u64(), gate(&found).0.as_str()),
        (Some(400), "fail"),
        "{}",
        gate(&found).1
    );
}

#[test]
fn what_can_not_be_measured_never_reads_as_a_pass() {
    let repository = Repository::example("diabetes");
    repository.edit(
        "mlops.yaml",
        "gates:\n",
        "gates:\n  drift: {policy: fail, reference: data/typo.csv}\n",
    );
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["gates"]["drift"]), (1, &json!("fail")));
    repository.edit("mlops.yaml", "reference: data/typo.csv", "include: [nobody]");
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["gates"]["drift"]), (1, &json!("fail")));
    assert!(
        gate(&facts(&repository)).1.contains("`nobody`, which is no column"),
        "{}",
        gate(&facts(&repository)).1
    );
}

#[test]
fn a_schedule_trains_again_when_data_drifted_and_else_rests() {
    let world = World::new();
    let config = Repository::example("diabetes").read("mlops.yaml");
    let config = config.replacen("gates:\n", "gates:\n  drift: {policy: retrain, min_rows: 20}\n", 1)
        + "promote: {approval: auto}\n";
    world.push("main", &[("mlops.yaml", &config)]);
    assert_eq!(world.run(&world.main()).code, 0);
    let scheduled = || world.on_main("schedule", json!({"schedule": "0 4 * * 1"}));
    let ran = world.run(&scheduled());
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert!(ran.log.contains("nothing is due: v1 stays"), "{}", ran.log);
    assert_eq!(
        world
            .ledger_lines()
            .iter()
            .filter(|line| line.contains("published"))
            .count(),
        1
    );

    let example = Repository::example("diabetes");
    world.push("main", &[("data/diabetes.csv", &grown(&example, 120, BMI, 8.0))]);
    let ran = world.run(&scheduled());
    assert!(ran.log.contains("trained again"), "{}", ran.log);
}
