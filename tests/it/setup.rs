//! `init` and `doctor` from outside: what they write, what they leave alone, what they say.

use std::fs;

use crate::support::Repository;

const WORKFLOWS: [&str; 3] = [
    ".github/workflows/mlops.yml",
    ".github/workflows/mlops-fork.yml",
    ".github/workflows/mlops-command.yml",
];
const PROMOTE: &str = ".github/workflows/mlops-promote.yml";

/// An example without what `init` would write, as a Git repository.
fn fresh(example: &str) -> Repository {
    let repository = Repository::example(example);
    fs::remove_file(repository.path().join("mlops.yaml")).unwrap();
    repository.write(".git/HEAD", "ref: refs/heads/main\n");
    repository
}

fn exists(repository: &Repository, file: &str) -> bool {
    repository.path().join(file).symlink_metadata().is_ok()
}

#[test]
fn what_init_writes_runs_green_and_is_healthy() {
    for (example, model, estimator) in [
        ("diabetes", "diabetes-progression", "ridge"),
        ("iris", "iris-species", "logistic"),
        ("breast-cancer", "wdbc-diagnosis", "logistic"),
    ] {
        let repository = fresh(example);
        let ran = repository.run(&["init"]);
        assert_eq!(ran.code, 0, "{example}: {}", ran.stderr);
        assert!(ran.stdout.contains("next:\n"), "{}", ran.stdout);
        assert!(ran.stdout.contains("run\n"), "{}", ran.stdout);
        let config = repository.read("mlops.yaml");
        assert!(config.contains(&format!("model: {model}\n")), "{config}");
        assert!(config.contains(&format!("estimator: {estimator}\n")), "{config}");
        assert!(WORKFLOWS.iter().all(|file| exists(&repository, file)));
        assert!(!exists(&repository, PROMOTE));

        let (code, result) = repository.json(&["run"]);
        assert_eq!(
            (code, &result["verdict"]),
            (0, &"better".into()),
            "{example}: {result:#}"
        );
        let (code, result) = repository.json(&["doctor"]);
        assert_eq!((code, &result["findings"]), (0, &serde_json::json!([])), "{example}");
    }
}

#[test]
fn what_the_person_says_is_done() {
    let repository = fresh("diabetes");
    let ran = repository.run(&[
        "init",
        "--data",
        "data/*.csv",
        "--target",
        "bmi",
        "--estimator",
        "random_forest",
        "--model",
        "mine",
        "--environment",
        "--branch",
        "develop",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let config = repository.read("mlops.yaml");
    for line in [
        "model: mine",
        "source: \"data/*.csv\"",
        "target: bmi",
        "estimator: random_forest",
        "approval: environment",
    ] {
        assert!(config.contains(line), "{line}:\n{config}");
    }
    assert!(repository.read(WORKFLOWS[0]).contains("branches: [develop]"));
    assert!(repository.read(PROMOTE).contains("environment: production"));
    let ran = repository.run(&["doctor"]);
    assert_eq!(ran.code, 1, "the default branch is `main`: {}", ran.stdout);
    assert!(ran.stdout.contains("missing[default-branch]"), "{}", ran.stdout);
}

#[test]
fn what_can_not_be_followed_is_said() {
    let repository = fresh("diabetes");
    for (arguments, said) in [
        (["--target", "progresion"], "did you mean `progression`"),
        (["--estimator", "logistic"], "can not do regression"),
        (["--model", "a b"], "only letters, digits"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
        (["--data", "../outside.csv"], ".."),
    ] {
        let ran = repository.run(&[&["init"], arguments.as_slice()].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
        assert!(!exists(&repository, "mlops.yaml") && !exists(&repository, ".github"));
    }
    let empty = Repository::of(&[("README.md", "nothing\n")]);
    let ran = empty.run(&["init"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("--data FILE"), "{}", ran.stderr);
}

#[test]
fn nothing_is_overwritten() {
    let repository = fresh("diabetes");
    repository.write("mlops.yaml", "mine\n");
    let ran = repository.run(&["init"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("already there"), "{}", ran.stderr);
    assert!(ran.stdout.contains("would write"), "{}", ran.stdout);
    assert_eq!(repository.read("mlops.yaml"), "mine\n");
    assert!(!exists(&repository, ".github"));

    fs::remove_file(repository.path().join("mlops.yaml")).unwrap();
    repository.write(WORKFLOWS[0], "mine\n");
    let ran = repository.run(&["init"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("left as it is"), "{}", ran.stdout);
    assert_eq!(repository.read(WORKFLOWS[0]), "mine\n");
}

#[test]
fn workflows_for_the_configuration_that_is_there() {
    let repository = Repository::example("diabetes");
    repository.write(".git/HEAD", "ref: refs/heads/master\n");
    let before = repository.read("mlops.yaml");
    let ran = repository.run(&["init", "--workflows"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(repository.read("mlops.yaml"), before);
    assert!(repository.read(WORKFLOWS[0]).contains("branches: [master]"));
    assert_eq!(repository.run(&["doctor"]).code, 0);
}

#[test]
fn a_dry_run_writes_nothing() {
    let repository = fresh("diabetes");
    let ran = repository.run(&["init", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("concurrency:"), "{}", ran.stdout);
    let (code, result) = repository.json(&["init", "--dry-run"]);
    assert_eq!(code, 0);
    assert_eq!(result["files"].as_array().unwrap().len(), 4, "{result:#}");
    assert!(
        result["files"]
            .as_array()
            .unwrap()
            .iter()
            .all(|file| file["written"] == false)
    );
    assert!(!exists(&repository, "mlops.yaml") && !exists(&repository, ".github"));
}

#[test]
fn a_project_in_a_folder_has_its_workflows_at_the_root() {
    let repository = fresh("diabetes");
    fs::create_dir(repository.path().join("models")).unwrap();
    fs::rename(repository.path().join("data"), repository.path().join("models/data")).unwrap();
    let folder = repository.path().join("models");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_mlops"))
        .env_clear()
        .current_dir(&folder)
        .arg("init")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(exists(&repository, "models/mlops.yaml"));
    assert!(repository.read(WORKFLOWS[0]).contains("directory: models\n"));
    assert!(!exists(&repository, "models/.github"));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_out_of_the_repository() {
    let repository = fresh("diabetes");
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), repository.path().join(".github")).unwrap();
    let ran = repository.run(&["init"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn the_doctor_says_what_is_missing() {
    let repository = Repository::example("diabetes");
    let (code, result) = repository.json(&["doctor"]);
    assert_eq!((code, &result["passed"]), (1, &false.into()), "{result:#}");
    assert_eq!(result["findings"][0]["code"], "no-workflow");

    repository.run(&["init", "--workflows"]);
    repository.edit(WORKFLOWS[0], "      checks: write", "      statuses: write");
    let ran = repository.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("--> .github/workflows/mlops.yml:"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("          checks: write\n"), "{}", ran.stdout);

    repository.write(".github/workflows/broken.yml", "on: [push\njobs: {}\n");
    repository.write(".github/workflows/worse.yaml", "a: 'x\n");
    let ran = repository.run(&["doctor"]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    for file in ["broken.yml:2", "worse.yaml:1"] {
        assert!(ran.stderr.contains(file), "{}", ran.stderr);
    }
    let ran = Repository::of(&[]).run(&["doctor"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn the_doctor_looks_at_the_present_job() {
    let repository = Repository::example("diabetes");
    repository.run(&["init", "--workflows"]);
    let doctor = |environment: &[(&str, &str)]| {
        let mut command = repository.command(&["doctor"]);
        command.env_remove("GITHUB_TOKEN").env_remove("INPUT_GITHUB-TOKEN");
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "push");
        command.envs(environment.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let bare = doctor(&[]);
    assert!(
        bare.contains("missing[no-token]") && bare.contains("missing[no-runtime]"),
        "{bare}"
    );
    let full = doctor(&[
        ("INPUT_GITHUB-TOKEN", "ghs_x"),
        ("ACTIONS_RUNTIME_TOKEN", "eyJ"),
        ("ACTIONS_RESULTS_URL", "https://results.example/"),
    ]);
    assert!(full.contains("nothing is missing"), "{full}");
    assert!(!full.contains("ghs_x"), "{full}");
}

/// Without a sign nothing is said about it; the other tests see to that by what the guide shows.
#[test]
fn a_repository_that_works_with_wandb_passes_its_key_on() {
    let repository = fresh("diabetes");
    repository.write("src/train.py", "import wandb\n");
    let ran = repository.run(&["init"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("because of `src/train.py`") && ran.stdout.contains("forks"),
        "{}",
        ran.stdout
    );
    let config = repository.read("mlops.yaml");
    assert!(config.contains("\n# registry: wandb\n"), "{config}");
    let key = "wandb-api-key: ${{ secrets.WANDB_API_KEY }}";
    let n_keys = |file: &str| repository.read(file).matches(key).count();
    assert_eq!(WORKFLOWS.map(n_keys), [2, 0, 1], "not where forks' results are shown");
    let (code, result) = repository.json(&["run"]);
    assert_eq!((code, &result["verdict"]), (0, &"better".into()), "{result:#}");
    let (code, result) = repository.json(&["doctor"]);
    assert_eq!((code, &result["findings"]), (0, &serde_json::json!([])));

    // Taken in, it is a configuration that the workflows serve already.
    let taken = config
        .replace("# registry", "registry")
        .replace("# wandb:", "wandb:")
        .replace("#   ", "  ");
    repository.write("mlops.yaml", &taken);
    let (code, result) = repository.json(&["doctor"]);
    assert_eq!((code, &result["findings"]), (0, &serde_json::json!([])), "{taken}");
    for file in WORKFLOWS {
        fs::remove_file(repository.path().join(file)).unwrap();
    }
    assert_eq!(repository.run(&["init", "--workflows"]).code, 0);
    let main = repository.read(WORKFLOWS[0]);
    assert!(main.contains(key) && !main.contains("contents: write"), "{main}");
    assert_eq!(repository.run(&["doctor"]).code, 0);
}

#[test]
fn the_doctor_looks_at_the_key_of_wandb() {
    let repository = Repository::example("diabetes");
    let config = repository.read("mlops.yaml");
    repository.write("mlops.yaml", &format!("{config}\nregistry: wandb\n"));
    repository.run(&["init", "--workflows"]);
    let doctor = |environment: &[(&str, &str)]| {
        let mut command = repository.command(&["doctor"]);
        command.envs(environment.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let key = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(doctor(&[("WANDB_API_KEY", key)]).0, Some(0));
    let (code, said) = doctor(&[("WANDB_API_KEY", &key[1..])]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("missing[wandb-key-form]") && said.contains("39 characters"),
        "{said}"
    );
    assert!(!said.contains(&key[1..20]), "{said}");
    let job = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "push"),
        ("ACTIONS_RUNTIME_TOKEN", "eyJ"),
        ("ACTIONS_RESULTS_URL", "https://results.example/"),
    ];
    let (code, said) = doctor(&job);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("missing[wandb-key]: this job has no key"), "{said}");
    let identity = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://id.example/"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJ"),
    ];
    let (code, said) = doctor(&[job.as_slice(), &identity].concat());
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_guide_shows_what_init_writes() {
    let repository = fresh("diabetes");
    let mut n_shown = 0;
    for (options, wanted) in [
        (["init", "--dry-run"].as_slice(), WORKFLOWS.as_slice()),
        (&["init", "--dry-run", "--environment"], &[PROMOTE]),
    ] {
        let (_, result) = repository.json(options);
        for file in result["files"].as_array().unwrap() {
            let (path, text) = (file["path"].as_str().unwrap(), file["text"].as_str().unwrap());
            if wanted.contains(&path) {
                let name = path.rsplit('/').next().unwrap();
                let marks = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
                crate::documents::check(
                    "docs/github.md",
                    &format!("```yaml\n{text}```"),
                    Some((&marks.0, &marks.1)),
                );
                n_shown += 1;
            }
        }
    }
    assert_eq!(n_shown, 4);
}
