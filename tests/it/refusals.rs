//! What can not be used is refused with its place, all at once, and nothing is lost.

use crate::support::{Repository, SECRET};

const DATA: &str = "a,b,y\n1,2,3\n2,3,4\n3,4,5\n";

#[test]
fn every_problem_of_a_configuration_at_once() {
    let repository = Repository::of(&[
        (
            "mlops.yaml",
            "modle: m\ndata:\n  source: d.csv\n  taget: y\ntrain:\n  estimator: rigde\n  params: {alpha: -1}\n",
        ),
        ("d.csv", DATA),
    ]);
    let ran = repository.run(&["run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for part in [
        "mlops.yaml:1:1",
        "did you mean `model`?",
        "did you mean `target`?",
        "did you mean `ridge`?",
    ] {
        assert!(ran.stderr.contains(part), "{part} is not in\n{}", ran.stderr);
    }
    assert!(ran.stdout.is_empty());
}

#[test]
fn no_configuration_shows_the_smallest_one() {
    let ran = Repository::of(&[]).run(&["run"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("estimator: ridge"), "{}", ran.stderr);
}

#[test]
fn data_that_can_not_be_read_is_named_by_file_and_line() {
    let smallest = "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: ridge}\n";
    let cases = [
        ("a,b,y\n1,2,3\n1,2\n", "d.csv:3"),
        ("a,b,y\n1,\"2,3\n", "d.csv:2"),
        ("a,a,y\n1,2,3\n", "d.csv:1"),
        ("", "d.csv"),
        ("a,b,y\n1,2,1e999\n", "d.csv:2"),
        ("a,b,z\n1,2,3\n", "mlops.yaml:2"),
    ];
    for (data, place) in cases {
        let ran = Repository::of(&[("mlops.yaml", smallest), ("d.csv", data)]).run(&["run"]);
        assert_eq!(ran.code, 2, "{data:?}: {}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(place), "{data:?}: {}", ran.stderr);
    }
    let ran = Repository::of(&[("mlops.yaml", smallest)]).run(&["run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("mlops.yaml:2") && ran.stderr.contains("d.csv"),
        "{}",
        ran.stderr
    );
}

#[test]
fn too_few_rows_are_inconclusive_and_never_read_as_a_pass() {
    let smallest = "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: ridge}\n";
    let repository = Repository::of(&[("mlops.yaml", smallest), ("d.csv", DATA)]);
    let (code, result) = repository.json(&["run"]);
    assert_eq!(code, 0, "{result:#}");
    assert_eq!(result["verdict"], "inconclusive");
    assert_eq!(result["gates"]["metrics.rmse"], "warn");
    repository.write("mlops.yaml", &format!("{smallest}gates: {{on_inconclusive: fail}}\n"));
    assert_eq!(repository.json(&["run"]).0, 1);
}

#[test]
fn hostile_names_stay_inert_in_every_rendering() {
    let nasty = "<script>alert(1)</script>|@octocat [x](http://e) `b` ::error::z";
    let rows: Vec<String> = (0..120).map(|i| format!("{i},{},{}", i % 7, i * 3 + i % 5)).collect();
    let rows = rows.join("\n");
    let repository = Repository::of(&[
        (
            "mlops.yaml",
            "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: ridge}\nevaluate: {slices: [g]}\n\
             gates: {lint: [\"printf '</details><img src=x>\\\\033[31m\\\\n::set-output name=a::b\\\\n'; exit 1\"]}\n",
        ),
        ("d.csv", &format!("\"{nasty}\",g,y\n{rows}")),
    ]);
    let ran = repository.run(&["run", "--color", "never"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
    assert!(!ran.stdout.lines().any(|line| line.starts_with("::")), "{}", ran.stdout);
    let html = std::fs::read_to_string(repository.last_run().join("report.html")).unwrap();
    assert!(
        !html.contains("<script>") && !html.contains("<img"),
        "markup of the data is in the page"
    );
    let markdown = std::fs::read_to_string(repository.last_run().join("report.md")).unwrap();
    assert!(!markdown.replace("`@octocat", "").contains(" @octocat"), "{markdown}");
    assert!(
        !markdown.contains("<script>") && !markdown.lines().any(|line| line.starts_with("::")),
        "{markdown}"
    );
}

#[test]
fn commands_see_no_secret_and_their_failure_is_a_finding() {
    let repository = Repository::example("iris");
    let config = format!(
        "{}gates:\n  lint: [env]\n  test: ['echo two; exit 3', 'echo three']\n",
        repository.read("mlops.yaml")
    );
    repository.write("mlops.yaml", &config);
    let ran = repository.run(&["run", "-v"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("PATH="), "the command ran: {}", ran.stderr);
    let facts = std::fs::read_to_string(repository.last_run().join("mlops-facts.json")).unwrap();
    assert!(!ran.stderr.contains(SECRET) && !ran.stdout.contains(SECRET) && !facts.contains(SECRET));
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    let test = facts["gates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|gate| gate["name"] == "test")
        .unwrap();
    assert_eq!(test["commands"][0]["exit_code"], 3);
    assert_eq!(test["commands"][1]["exit_code"], 0, "the second command ran too");
}

#[test]
fn a_misspelt_slice_is_refused_where_it_stands() {
    let repository = Repository::example("diabetes");
    repository.edit("mlops.yaml", "slices: [sex,", "slices: [sexx,");
    for command in ["run", "check"] {
        let ran = repository.run(&[command]);
        assert_eq!(ran.code, 2, "{command}: {}", ran.stdout);
        assert!(
            ran.stderr.contains("mlops.yaml:21") && ran.stderr.contains("did you mean `sex`?"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_program_reads_why_a_run_could_not_begin() {
    let repository = Repository::of(&[(
        "mlops.yaml",
        "model: m\ndata: {source: d.csv, taget: y}\ntrain: {estimator: ridge}\n",
    )]);
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["verdict"]), (2, &serde_json::json!("failed to run")));
    assert_eq!(result["passed"], false);
    let (code, other) = repository.json(&["promote"]);
    assert_eq!((code, other["error"].is_string()), (2, true), "{other:#}");
    let problem = &result["problems"][0];
    assert_eq!(
        (&problem["file"], &problem["line"]),
        (&serde_json::json!("mlops.yaml"), &serde_json::json!(2)),
        "{result:#}"
    );
}

#[test]
fn a_repository_that_links_its_state_elsewhere_is_refused_and_nothing_there_changes() {
    for (link, inside) in [
        (".mlops", "runs"),
        (".mlops/runs", ""),
        (".mlops/cache", ""),
        (".mlops/registry", ""),
    ] {
        let repository = Repository::example("iris");
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join(inside);
        for i in 0..30 {
            std::fs::create_dir_all(target.join(format!("{i:02}/kept"))).unwrap();
        }
        let place = repository.path().join(link);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &place).unwrap();
        for command in [&["run"][..], &["status"], &["publish"]] {
            let ran = repository.run(command);
            assert_eq!(ran.code, 2, "{link}: {}", ran.stderr);
            assert!(
                ran.stderr.contains(link) && ran.stderr.contains("= help:"),
                "{}",
                ran.stderr
            );
        }
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 30, "{link}");
        let top = if inside.is_empty() { 30 } else { 1 };
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), top, "{link}");
    }
}

#[test]
fn a_source_that_no_file_can_be_called_is_the_configurations_fault() {
    let config = format!(
        "model: m\ndata: {{source: data/{}.csv, target: species}}\ntrain: {{estimator: logistic}}\n",
        "x".repeat(300)
    );
    let repository = Repository::example("iris");
    repository.write("mlops.yaml", &config);
    for command in ["run", "check"] {
        let ran = repository.run(&[command]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("--> mlops.yaml:2:"), "{}", ran.stderr);
    }
}

#[test]
fn a_registry_that_can_not_be_read_is_the_reason() {
    let repository = Repository::example("iris");
    assert_eq!(repository.run(&["run"]).code, 0);
    repository.write(".mlops/registry/ledger/00000002.json", "{");
    let ran = repository.run(&["run", "--quiet"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stdout.contains("compare could not find out"), "{}", ran.stdout);
    assert!(ran.stdout.contains("ledger/00000002.json"), "{}", ran.stdout);
}

#[test]
fn what_is_too_large_or_not_there_is_a_fault_of_the_repository() {
    let repository = Repository::example("iris");
    let ran = repository.run(&["report", "nowhere"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    repository.write("mlops.yaml", &format!("model: {}\n", "x".repeat(300_000)));
    let ran = repository.run(&["run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--> mlops.yaml"), "{}", ran.stderr);
}

#[test]
fn a_link_that_leads_to_itself_is_no_data() {
    let repository = Repository::example("iris");
    std::fs::remove_file(repository.path().join("data/iris.csv")).unwrap();
    std::os::unix::fs::symlink("iris.csv", repository.path().join("data/iris.csv")).unwrap();
    let ran = repository.run(&["run"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--> mlops.yaml:3:"), "{}", ran.stderr);
}
