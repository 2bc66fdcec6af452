//! Data at its edges, through the whole program: a defined result, or an error that says where.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Ran, Repository};

/// A table of a heading and `n` rows, and a repository that learns its column `y`.
fn table(heading: &str, n: usize, row: impl Fn(usize) -> String) -> String {
    let mut csv = format!("{heading}\n");
    for i in 0..n {
        writeln!(csv, "{}", row(i)).unwrap();
    }
    csv
}

/// A number without much order, the same on every run.
fn noise(i: usize, k: usize) -> f64 {
    ((i * 37 + k * 101 + i * i * (k + 3)) % 97) as f64 / 10.0
}

const BY_PART: &str = ", split: {column: part, test: holdout}";

fn part(i: usize) -> &'static str {
    if i.is_multiple_of(3) { "holdout" } else { "train" }
}

fn repository(csv: &str, data: &str, estimator: &str) -> Repository {
    let config = format!("model: m\ndata: {{source: d.csv, target: y{data}}}\ntrain: {{estimator: {estimator}}}\n");
    Repository::of(&[("mlops.yaml", &config), ("d.csv", csv)])
}

/// Trains, and returns the facts; anything but a trained model is a failure of the test.
fn trained(repository: &Repository) -> Value {
    let ran = repository.run(&["run"]);
    assert!(ran.code <= 1, "{}\n{}", ran.stdout, ran.stderr);
    let facts = std::fs::read(repository.last_run().join("mlops-facts.json")).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    assert!(
        facts["training"].is_object() && facts["evaluation"].is_object(),
        "{facts:#}"
    );
    facts
}

fn notes(repository: &Repository) -> String {
    trained(repository)["training"]["notes"].to_string()
}

fn refused(repository: &Repository, place: &str, message: &str) {
    let ran = repository.run(&["run"]);
    assert_eq!(ran.code, 2, "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains(place) && ran.stderr.contains(message),
        "{}",
        ran.stderr
    );
}

/// Predictions for a new file: the lines after the heading.
fn predicted(repository: &Repository, csv: &str) -> Result<Vec<String>, Ran> {
    repository.write("new.csv", csv);
    let ran = repository.run(&["predict", "new.csv"]);
    if ran.code == 0 {
        Ok(ran.stdout.lines().skip(1).map(str::to_owned).collect())
    } else {
        Err(ran)
    }
}

#[test]
fn columns_that_carry_nothing_are_left_out_with_a_note() {
    let csv = table("a,same,empty,id,y", 230, |i| {
        format!("{},3,,id{},{}", noise(i, 1), i % 115, noise(i, 2))
    });
    for estimator in ["ridge", "random_forest"] {
        let notes = notes(&repository(&csv, "", estimator));
        for part in [
            "`same` is left out: it has the same value in all training rows",
            "`empty` is left out: it has no value in the training rows",
            "`id` is left out: it has too many different texts",
        ] {
            assert!(notes.contains(part), "{part} is not in {notes}");
        }
    }
}

#[test]
fn copied_columns_share_their_weight_and_few_rows_have_the_least_squares() {
    let csv = table("a,b,y", 40, |i| {
        format!("{0},{0},{1}", noise(i, 1), 3.0 * noise(i, 1) + 1.0)
    });
    let repository_of_copies = repository(&csv, "", "linear");
    let facts = trained(&repository_of_copies);
    let weights = &facts["training"]["importance"];
    let (a, b) = (weights[0][1].as_f64().unwrap(), weights[1][1].as_f64().unwrap());
    assert!((a - b).abs() < 1e-9 * a, "{weights}");

    let wide = table("a,b,c,d,e,f,y", 6, |i| {
        (0..7).map(|k| noise(i, k).to_string()).collect::<Vec<_>>().join(",")
    });
    assert!(notes(&repository(&wide, "", "linear")).contains("can not determine 7 coefficients"));
    for estimator in ["ridge", "random_forest"] {
        assert_eq!(notes(&repository(&wide, "", estimator)), "[]");
    }
}

#[test]
fn what_leaves_nothing_to_learn_is_refused_with_its_place() {
    let one_class = table("a,y,part", 30, |i| {
        let y = if part(i) == "holdout" { "yes" } else { "no" };
        format!("{},{y},{}", noise(i, 1), part(i))
    });
    for estimator in ["logistic", "random_forest"] {
        let message = "the target `y` has the same value in all training rows";
        refused(&repository(&one_class, BY_PART, estimator), "mlops.yaml:2:31", message);
    }
    let one_row = table("a,y,part", 6, |i| {
        format!(
            "{},{},{}",
            noise(i, 1),
            noise(i, 2),
            if i == 0 { "train" } else { "holdout" }
        )
    });
    refused(
        &repository(&one_row, BY_PART, "ridge"),
        "mlops.yaml:2:16",
        "no feature is left to learn from",
    );
    let no_row = one_row.replace("train", "holdout");
    refused(
        &repository(&no_row, BY_PART, "ridge"),
        "mlops.yaml:2:",
        "the split leaves no train row of 6",
    );
}

#[test]
fn an_estimator_that_can_not_do_the_task_names_those_that_can() {
    let classes = table("a,y", 30, |i| format!("{},{}", noise(i, 1), i % 3 + 1));
    let repository_of_classes = repository(&classes, "", "ridge");
    refused(
        &repository_of_classes,
        "mlops.yaml:3",
        "for multiclass there is: logistic, random_forest",
    );
    refused(&repository_of_classes, "mlops.yaml:3", "`data.task: regression`");
    trained(&repository(&classes, ", task: regression", "ridge"));
}

#[test]
fn a_class_that_is_only_held_out_is_said_and_still_compared() {
    let csv = table("a,y,part", 150, |i| {
        let y = if i % 15 == 0 { "rare" } else { ["no", "yes"][i % 2] };
        format!("{},{y},{}", noise(i, 1) + 20.0 * (i % 2) as f64, part(i))
    });
    let repository = repository(&csv, BY_PART, "logistic");
    let facts = trained(&repository);
    assert_eq!(
        facts["comparison"]["metrics"][0]["verdict"], "better",
        "{}",
        facts["comparison"]
    );
    let ran = repository.run(&["run"]);
    let warning = "10 of 50 held-out rows have classes of `y` that no training row has, such as `rare`";
    assert!(
        ran.stderr.contains(warning) && ran.stderr.contains("mlops.yaml:2:"),
        "{}",
        ran.stderr
    );
}

#[test]
fn targets_of_any_kind_keep_their_names() {
    let cases: [(&[&str], &str); 4] = [
        (&["True", "FALSE"], "p(false),p(true)"),
        (&["0", "1"], "p(0),p(1)"),
        (&["1", "2", "3"], "p(1),p(2),p(3)"),
        (&["007", "012"], "p(007),p(012)"),
    ];
    for (labels, heading) in cases {
        let csv = table("a,y", 60, |i| {
            let class = i % labels.len();
            format!("{},{}", noise(i, 1) + 30.0 * class as f64, labels[class])
        });
        for estimator in ["logistic", "random_forest"] {
            let repository = repository(&csv, "", estimator);
            trained(&repository);
            repository.write("new.csv", "a\n3\n");
            let ran = repository.run(&["predict", "new.csv"]);
            assert!(
                ran.stdout.starts_with(&format!("prediction,{heading}\n")),
                "{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn rows_without_a_target_are_left_out_and_counted() {
    let csv = table("a,y", 50, |i| {
        let y = if i % 5 == 0 {
            String::new()
        } else {
            noise(i, 2).to_string()
        };
        format!("{},{y}", noise(i, 1))
    });
    let repository = repository(&csv, "", "ridge");
    assert_eq!(trained(&repository)["data"]["n_rows"], 40);
    assert!(
        repository
            .run(&["run"])
            .stderr
            .contains("10 rows have no `y` and are left out")
    );
}

/// What a column was in training it is in a new file, however that file happens to look.
#[test]
fn columns_keep_their_types_in_a_new_file() {
    let csv = table("a,ok,zip,when,y", 60, |i| {
        let (ok, zip) = (["true", "false", ""][i % 3], ["007", "012", "100"][i % 3]);
        let y = noise(i, 2) + 10.0 * (i % 3) as f64;
        format!("{},{ok},{zip},2024-01-{:02},{y}", noise(i, 1), i % 28 + 1)
    });
    let repository = repository(&csv, "", "ridge");
    trained(&repository);
    let rows = |csv: &str| predicted(&repository, csv).unwrap_or_else(|ran| panic!("{}", ran.stderr));
    let reference = rows("a,ok,zip,when\n1,true,100,2024-02-01\n");
    for same in [
        "a,ok,zip,when\n1,TRUE,100,2024-02-01T00:00:00Z\n",
        "a,ok,zip,when\n1,1,100,2024-02-01T02:00:00+02:00\n",
        "when,zip,extra,ok,a\n2024-02-01,100,x,true,1\n",
        // A zero before a number makes a text of it elsewhere, but here it is known to be a number.
        "a,ok,zip,when\n01,true,100,2024-02-01\n",
    ] {
        assert_eq!(rows(same), reference, "{same}");
    }
    let zips = rows("a,ok,zip,when\n1,true,007,2024-02-01\n1,true,7,2024-02-01\n1,true,,2024-02-01\n");
    assert!(zips[0] != zips[1], "`7` is not `007`: {zips:?}");
    assert_eq!(
        zips[1], zips[2],
        "what was not seen in training, missing or not, is nothing"
    );

    let wrong = |csv: &str| predicted(&repository, csv).unwrap_err();
    for (csv, place, cell) in [
        (
            "a,ok,zip,when\n1,true,100,2024-02-01\n1,maybe,100,2024-02-01\n",
            "new.csv:3",
            "`ok` = `maybe`",
        ),
        (
            "a,ok,zip,when\n1,true,100,yesterday\n",
            "new.csv:2",
            "`when` = `yesterday`",
        ),
        (
            "a,ok,zip,when\n2,true,100,2024-02-01\none,true,100,2024-02-01\n",
            "new.csv:3",
            "`a` = `one`",
        ),
        ("a,ok,zip\n1,true,100\n", "new.csv", "needs the column `when`"),
    ] {
        let ran = wrong(csv);
        assert_eq!(ran.code, 2);
        assert!(
            ran.stderr.contains(place) && ran.stderr.contains(cell),
            "{}",
            ran.stderr
        );
        assert_eq!(
            ran.stderr.matches("error[").count(),
            1,
            "one cell is wrong: {}",
            ran.stderr
        );
    }
}

/// Many trees are grown on all processors, and on one they are the same.
#[cfg(target_os = "linux")]
#[test]
fn one_processor_gives_the_same_digest_as_all() {
    let csv = table("a,b,c,d,y", 700, |i| {
        (0..5).map(|k| noise(i, k).to_string()).collect::<Vec<_>>().join(",")
    });
    let config = "random_forest, params: {n_estimators: 500, max_depth: 2, max_features: 1}";
    let (one, all) = (repository(&csv, "", config), repository(&csv, "", config));
    let (_, all) = all.json(&["run"]);
    let plain = one.command(&["--format", "json", "run"]);
    let mut pinned = std::process::Command::new("taskset");
    pinned.args(["-c", "0"]).arg(plain.get_program()).args(plain.get_args());
    let ran = Ran::from(pinned.output().unwrap());
    let one: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    assert!(all["digest"].is_string());
    assert_eq!(one["digest"], all["digest"]);
}

#[test]
fn a_split_that_the_data_carry_is_held_to_groups_and_time() {
    let csv = table("a,who,day,part,y", 90, |i| {
        format!(
            "{},p{},2024-01-{:02},{},{}",
            noise(i, 1),
            i % 9,
            i % 28 + 1,
            part(i),
            noise(i, 2)
        )
    });
    let split = ", split: {column: part, test: holdout, group: who, time: day}";
    let facts = trained(&repository(&csv, split, "ridge"));
    let leaks = facts["data"]["leaks"].as_array().unwrap();
    let codes: Vec<&str> = leaks.iter().map(|leak| leak["code"].as_str().unwrap()).collect();
    // Every third row is held out, and so is every third group: only the order of time is broken.
    assert_eq!(codes, ["time-order"], "{leaks:#?}");
    let csv = csv.replace(",p0,", ",p1,");
    let facts = trained(&repository(&csv, split, "ridge"));
    let leaks = facts["data"]["leaks"].as_array().unwrap();
    assert_eq!(leaks[0]["code"], "group-overlap", "{leaks:#?}");
    assert_eq!(facts["training"]["n_features_in"], 1, "neither column is a feature");
}
