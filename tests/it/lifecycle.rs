//! From data to production and back, on real data.

use crate::support::Repository;

#[test]
fn the_first_run_meets_a_baseline_and_makes_version_one() {
    let repository = Repository::example("diabetes");
    let (code, result) = repository.json(&["run"]);
    assert_eq!(code, 0, "{result:#}");
    assert_eq!(result["schema"], 1);
    assert_eq!(result["model"], "diabetes-progression");
    assert_eq!(result["verdict"], "better");
    assert_eq!(result["passed"], true);
    assert_eq!(result["version"], 1);
    assert_eq!(result["gates"]["data"], "pass");
    assert_eq!(result["gates"]["test"], "pass");
    let rmse = &result["metrics"]["rmse"];
    assert_eq!(rmse["direction"], "minimize");
    let (value, low, high) = (
        rmse["value"].as_f64().unwrap(),
        rmse["interval"][0].as_f64().unwrap(),
        rmse["interval"][1].as_f64().unwrap(),
    );
    assert!(low < value && value < high && (45.0..65.0).contains(&value), "{rmse}");
    assert!(
        rmse["difference_interval"][1].as_f64().unwrap() < 0.0,
        "a ridge beats the mean: {rmse}"
    );

    let run = repository.last_run();
    for file in ["mlops-facts.json", "report.html", "report.md", "result.json"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    for file in ["model.json", "model.onnx", "predictions.csv", "profile.json"] {
        assert!(run.join("bundle").join(file).is_file(), "{file}");
    }
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(run.join("result.json")).unwrap()).unwrap();
    assert_eq!(saved["metrics"], result["metrics"]);
}

#[test]
fn two_runs_give_one_digest_and_the_second_does_not_train() {
    let repository = Repository::example("diabetes");
    let (_, first) = repository.json(&["run"]);
    let (_, second) = repository.json(&["run"]);
    assert_eq!(first["digest"], second["digest"]);
    assert_eq!(second["version"], 1);
    let facts: serde_json::Value =
        serde_json::from_slice(&std::fs::read(repository.last_run().join("mlops-facts.json")).unwrap()).unwrap();
    assert!(
        facts["training"]["reused_from"]
            .as_str()
            .unwrap()
            .starts_with("the training of 20"),
        "{}",
        facts["training"]
    );
    let shown = repository.run(&["run"]);
    assert!(shown.stderr.contains("nothing changed since"), "{}", shown.stderr);

    let (_, elsewhere) = Repository::example("diabetes").json(&["run"]);
    assert_eq!(first["digest"], elsewhere["digest"], "another folder, the same digest");
}

#[test]
fn a_changed_setting_a_changed_row_or_a_changed_split_trains_again() {
    let repository = Repository::example("diabetes");
    let (_, first) = repository.json(&["run"]);
    for (file, from, to) in [
        ("mlops.yaml", "alpha: 1.0", "alpha: 2.0"),
        ("mlops.yaml", "seed: 42", "seed: 43"),
        ("data/diabetes.csv", "59,2,32.1", "59,2,32.2"),
    ] {
        repository.edit(file, from, to);
        let (_, changed) = repository.json(&["run"]);
        assert_ne!(first["digest"], changed["digest"], "{from} → {to}");
        repository.edit(file, to, from);
    }
    let (_, back) = repository.json(&["run"]);
    assert_eq!(first["digest"], back["digest"]);
}

#[test]
fn promotion_comparison_and_rollback() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.json(&["run"]).0, 0);
    let (code, moved) = repository.json(&["promote"]);
    assert_eq!((code, &moved["to"]), (0, &serde_json::json!(1)));

    // The same model again: exactly the same, so it passes without being better.
    let (code, again) = repository.json(&["run"]);
    assert_eq!((code, &again["verdict"]), (0, &serde_json::json!("same")));
    assert_eq!(again["metrics"]["rmse"]["difference"], 0.0);

    // Next to no regularisation is about as good; a huge one is much worse and is stopped.
    repository.edit("mlops.yaml", "alpha: 1.0", "alpha: 0.5");
    let (code, close) = repository.json(&["run"]);
    assert_eq!(code, 0, "{close:#}");
    assert_eq!(close["version"], 2);
    repository.edit("mlops.yaml", "alpha: 0.5", "alpha: 100000");
    let (code, worse) = repository.json(&["run"]);
    assert_eq!((code, &worse["verdict"]), (1, &serde_json::json!("worse")), "{worse:#}");
    assert_eq!(worse["version"], serde_json::Value::Null);
    assert_eq!(worse["gates"]["metrics.rmse"], "fail");
    assert_eq!(
        repository.run(&["publish"]).code,
        1,
        "what did not pass is not published by hand either"
    );

    assert_eq!(repository.run(&["promote", "v2"]).code, 0);
    let (_, status) = repository.json(&["status"]);
    assert_eq!(status["aliases"]["production"], 2);
    assert_eq!(repository.run(&["rollback"]).code, 0);
    let (_, status) = repository.json(&["status"]);
    assert_eq!(status["aliases"]["production"], 1);
    assert_eq!(
        repository.run(&["rollback"]).code,
        1,
        "there is nothing before the first"
    );

    let (_, history) = repository.json(&["history"]);
    let actors: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["actor"].as_str().unwrap())
        .collect();
    assert_eq!(
        actors, ["ada"; 8],
        "published, candidate, promoted, judged again; v2 in three; rolled back"
    );

    let (code, compared) = repository.json(&["compare", "v1", "v2"]);
    assert_eq!(code, 0, "{compared:#}");
    assert_eq!(compared["metrics"]["rmse"]["value"], close["metrics"]["rmse"]["value"]);
}

#[test]
fn a_broken_contract_fails_the_data_gate_with_its_rows() {
    let repository = Repository::example("diabetes");
    repository.edit("data/diabetes.csv", "48,1,21.6", "48,1,216");
    let ran = repository.run(&["run"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("data/diabetes.csv:3"), "{}", ran.stdout);
    assert!(ran.stdout.contains("216"), "{}", ran.stdout);
    let (_, result) = repository.json(&["run"]);
    assert_eq!(result["gates"]["data"], "fail");
    assert_eq!(result["verdict"], "failed to run");
    let (code, checked) = repository.json(&["check"]);
    assert_eq!((code, &checked["gates"]["data"]), (1, &serde_json::json!("fail")));
}

#[test]
fn classes_are_learned_compared_and_predicted() {
    for example in ["breast-cancer", "iris"] {
        let repository = Repository::example(example);
        let (code, result) = repository.json(&["run"]);
        assert_eq!(
            (code, &result["verdict"]),
            (0, &serde_json::json!("better")),
            "{result:#}"
        );
        assert!(
            result["metrics"]["accuracy"]["value"].as_f64().unwrap() > 0.9,
            "{result:#}"
        );
    }
}

#[test]
fn predictions_of_a_file_are_those_of_the_evaluation() {
    let repository = Repository::example("iris");
    assert_eq!(repository.json(&["run"]).0, 0);
    let kept = std::fs::read_to_string(repository.last_run().join("bundle/predictions.csv")).unwrap();
    let ran = repository.run(&["predict", "data/iris.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let scored: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(scored.len(), 151);
    let field = |line: &str, at: usize| line.split(',').nth(at).unwrap().to_owned();
    let mut n_checked = 0;
    for line in kept.lines().skip(1) {
        let number: usize = field(line, 1).parse().unwrap();
        assert_eq!(field(scored[number - 1], 0), field(line, 3), "line {number}");
        n_checked += 1;
    }
    assert_eq!(n_checked, 30);

    // Without the target, and into a file.
    repository.write(
        "new.csv",
        "petal_width,petal_length,sepal_width,sepal_length\n0.2,1.4,3.5,5.1\n2.3,6.9,2.6,7.7\n",
    );
    let ran = repository.run(&["predict", "new.csv", "--output", "out.csv"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let out = repository.read("out.csv");
    let labels: Vec<&str> = out
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(labels, ["setosa", "virginica"]);
}

#[test]
fn reports_can_be_shown_again() {
    let repository = Repository::example("iris");
    let ran = repository.run(&["run"]);
    let again = repository.run(&["report"]);
    assert_eq!((again.code, again.stdout), (0, ran.stdout));
    for (rendering, start) in [("markdown", "### "), ("html", "<!doctype html>"), ("json", "{")] {
        let shown = repository.run(&["report", "--as", rendering]);
        assert!(
            shown.code == 0 && shown.stdout.to_lowercase().starts_with(start),
            "{rendering}: {}",
            shown.stdout
        );
    }
}

#[test]
fn automatic_approval_moves_production() {
    let repository = Repository::example("breast-cancer");
    let config = format!("{}promote: {{approval: auto}}\n", repository.read("mlops.yaml"));
    repository.write("mlops.yaml", &config);
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.json(&["status"]).1["aliases"]["production"], 1);
}

#[test]
fn production_moves_only_on_evidence_against_what_is_there() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.json(&["run"]).0, 0);
    repository.edit("mlops.yaml", "alpha: 1.0", "alpha: 0.5");
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.run(&["promote", "v1"]).code, 0);

    // v2 met the baseline only; it is compared with v1 before it moves, and that is recorded.
    let (code, moved) = repository.json(&["promote", "v2"]);
    assert_eq!((code, &moved["promoted"]), (0, &serde_json::json!(true)), "{moved:#}");
    let (_, history) = repository.json(&["history"]);
    let judged = history
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["event"]["judged"]["version"] == 2);
    assert_eq!(judged.count(), 1, "{history:#}");

    // A gate that was tightened since: the same model does not pass any more, and can not be promoted either.
    assert_eq!(repository.run(&["rollback"]).code, 0);
    repository.edit("mlops.yaml", "max: 60", "max: 20");
    assert_eq!(repository.json(&["run"]).0, 1);
    let refused = repository.run(&["promote", "v2"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stdout.contains("failed `metrics.rmse`"), "{}", refused.stdout);
}

#[test]
fn a_gate_that_warns_needs_a_word() {
    // Every plant twice: some land on both sides, and the data gate warns.
    let repository = Repository::example("iris");
    let rows = repository.read("data/iris.csv");
    let doubled: Vec<&str> = rows.lines().chain(rows.lines().skip(1)).collect();
    repository.write("data/iris.csv", &(doubled.join("\n") + "\n"));
    let (code, result) = repository.json(&["run"]);
    assert_eq!(
        (code, &result["gates"]["data"]),
        (0, &serde_json::json!("warn")),
        "{result:#}"
    );
    let refused = repository.run(&["promote"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stdout.contains("--accept-warnings"), "{}", refused.stdout);
    assert_eq!(repository.run(&["promote", "--accept-warnings"]).code, 0);
    assert!(
        repository
            .run(&["history"])
            .stdout
            .contains("the warning of `data` was accepted")
    );
}

#[test]
fn what_is_published_is_what_was_judged() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.json(&["run", "--no-publish"]).0, 0);
    let model = repository.last_run().join("bundle/model.json");
    let text = std::fs::read_to_string(&model).unwrap();
    std::fs::write(&model, text.replacen("alpha", "alphb", 1)).unwrap();
    let refused = repository.run(&["publish"]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    std::fs::write(&model, text).unwrap();
    assert_eq!(repository.json(&["publish"]).1["version"], 1);
}

#[test]
fn a_champion_is_not_scored_on_rows_it_was_trained_on() {
    let repository = Repository::example("diabetes");
    repository.edit(
        "mlops.yaml",
        "estimator: ridge\n  params: {alpha: 1.0}",
        "estimator: random_forest",
    );
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.run(&["promote"]).code, 0);
    // Another seed holds out other rows, most of which the forest in production has learned by heart.
    repository.edit("mlops.yaml", "seed: 42", "seed: 43");
    let (_, result) = repository.json(&["run"]);
    assert_ne!(result["verdict"], "worse", "{result:#}");
    let facts = std::fs::read_to_string(repository.last_run().join("mlops-facts.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let (left_out, n_rows) = (
        &facts["comparison"]["n_left_out"],
        &facts["comparison"]["metrics"][0]["n_rows"],
    );
    assert!(left_out.as_u64().unwrap() > 80, "{left_out}");
    assert_eq!(left_out.as_u64().unwrap() + n_rows.as_u64().unwrap(), 146);
}

#[test]
fn a_champion_for_another_question_decides_nothing() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.run(&["promote"]).code, 0);
    repository.edit("mlops.yaml", "target: progression", "target: s5");
    let (_, result) = repository.json(&["run"]);
    assert_eq!(result["verdict"], "inconclusive", "{result:#}");
    assert_eq!(result["gates"]["metrics.rmse"], "warn");
}

#[test]
fn what_is_for_information_decides_nothing() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.run(&["promote"]).code, 0);
    repository.edit(
        "mlops.yaml",
        "rmse: {max: 60, max_regression: 2%}",
        "rmse: {max_regression: 60}",
    );
    repository.edit(
        "mlops.yaml",
        "slices: {max_regression: 5%, min_rows: 30}",
        "slices: {max_regression: 99%}",
    );
    repository.edit("mlops.yaml", "alpha: 1.0", "alpha: 100000");
    let (code, result) = repository.json(&["run"]);
    assert_eq!(result["metrics"]["r2"]["verdict"], "worse", "{result:#}");
    assert_eq!(
        (code, &result["verdict"]),
        (0, &serde_json::json!("same")),
        "{result:#}"
    );
}

#[test]
fn automatic_approval_does_not_undo_a_rollback() {
    let repository = Repository::example("breast-cancer");
    let config = format!("{}promote: {{approval: auto}}\n", repository.read("mlops.yaml"));
    repository.write("mlops.yaml", &config);
    assert_eq!(repository.json(&["run"]).0, 0);
    repository.edit(
        "mlops.yaml",
        "roc_auc: {min: 0.95, max_regression: 0.01}",
        "roc_auc: {max_regression: 0.9}",
    );
    repository.edit("mlops.yaml", "f1: {max_regression: 0.02}", "f1: {max_regression: 0.9}");
    repository.edit("mlops.yaml", "C: 1.0", "C: 0.5");
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.json(&["status"]).1["aliases"]["production"], 2);
    assert_eq!(repository.json(&["rollback"]).1["rolled_back"], true);
    let again = repository.run(&["run"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("v2 was rolled back"), "{}", again.stdout);
    assert_eq!(repository.json(&["status"]).1["aliases"]["production"], 1);
    assert_eq!(repository.run(&["promote", "v2"]).code, 0, "somebody may still say so");
}

#[test]
fn a_gate_that_changed_since_judges_again_before_anything_moves() {
    let repository = Repository::example("diabetes");
    assert_eq!(repository.json(&["run"]).0, 0);
    repository.edit("mlops.yaml", "max: 60", "max: 20");
    let refused = repository.run(&["promote"]);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(
        refused.stdout.contains("failed `metrics.rmse` against the baseline"),
        "{}",
        refused.stdout
    );
}

#[test]
fn a_failure_against_a_champion_that_left_is_none() {
    let repository = Repository::example("diabetes");
    repository.edit("mlops.yaml", "alpha: 1.0", "alpha: 300");
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.run(&["promote"]).code, 0);
    repository.edit("mlops.yaml", "alpha: 300", "alpha: 100");
    assert_eq!(repository.json(&["run"]).0, 0);
    repository.edit("mlops.yaml", "alpha: 100", "alpha: 1.0");
    assert_eq!(repository.json(&["run"]).0, 0);
    assert_eq!(repository.run(&["promote", "v3"]).code, 0);
    assert_eq!(repository.run(&["promote", "v2"]).code, 1, "v2 is worse than v3");
    assert_eq!(repository.run(&["rollback"]).code, 0);
    let promoted = repository.run(&["promote", "v2"]);
    assert_eq!(promoted.code, 0, "{}", promoted.stdout);
    assert!(
        promoted.stdout.contains("every gate passed against v1"),
        "{}",
        promoted.stdout
    );
}

#[test]
fn rows_that_look_alike_are_still_compared() {
    let rows: Vec<String> = (0..400)
        .map(|i: u32| {
            let (a, b) = (i % 4, i / 4 % 2);
            let y = if (b == 1) == i.is_multiple_of(7) { "no" } else { "yes" };
            format!("k{a},g{b},{y}")
        })
        .collect();
    let config = "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: logistic}\n";
    let repository = Repository::of(&[
        ("mlops.yaml", config),
        ("d.csv", &format!("a,b,y\n{}\n", rows.join("\n"))),
    ]);
    repository.json(&["run"]);
    repository.run(&["promote", "--accept-warnings"]);
    let (_, result) = repository.json(&["run"]);
    assert_eq!(result["verdict"], "same", "{result:#}");
    let facts = std::fs::read_to_string(repository.last_run().join("mlops-facts.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts["comparison"]["n_left_out"], 0);
}
