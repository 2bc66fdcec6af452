use super::super::detect::detect;
use super::super::testing::{reader, repository};
use super::*;

fn at() -> Paths {
    Paths {
        root: "/work dir".into(),
        venvs: "/t/venv".into(),
        uv_cache: "/t/uv-cache".into(),
        pythons: "/t/python".into(),
        lists: "/t/lists".into(),
    }
}

fn machine() -> Machine {
    let python = |version: &str, path: &str| Python {
        version: PythonVersion::parse(version).unwrap(),
        path: path.into(),
    };
    Machine {
        uv: Some("0.13.9".to_owned()),
        pythons: vec![
            python("3.9.18", "/usr/bin/python3"),
            python("3.11.7", "/opt/python3.11"),
        ],
        active: None,
        may_download: false,
        platform: "linux x86_64".to_owned(),
    }
}

fn planned(project: &str, changes: &[(&str, &str)], machine: &Machine) -> Result<Plan, EnvironmentError> {
    let files = repository(project, changes);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let detected = detect(&names, &reader(&files), None)?.expect("there is an environment");
    plan(&detected, machine, &at())
}

fn check(project: &str, machine: &Machine) -> String {
    let plan = match planned(project, &[], machine) {
        Ok(plan) => plan,
        Err(error) => return format!("{error}\n{}", error.help().unwrap_or_default()),
    };
    let key = plan.key.short();
    let steps = plan.steps.iter().flat_map(|step| {
        let network = if step.uses_network { ", network" } else { "" };
        let command = step
            .command
            .rsplit(" || :; } && ")
            .next()
            .unwrap_or_default()
            .to_owned();
        [
            format!("{}{network}: {}", step.doing, step.shown),
            format!("  {command}"),
        ]
    });
    let notes = plan.notes.iter().map(|note| format!("note: {note}"));
    let lists = plan.lists.iter().map(|(path, text)| {
        format!(
            "{}: {} lines, {}",
            path.display(),
            text.lines().count(),
            text.lines().next().unwrap_or_default()
        )
    });
    steps
        .chain(lists)
        .chain(notes)
        .collect::<Vec<_>>()
        .join("\n")
        .replace(&key, "KEY")
}

#[test]
fn steps_with_uv() {
    insta::assert_snapshot!(check("uv", &machine()), @r"
    making the environment: uv venv --python /opt/python3.11
      uv venv --quiet --no-project --python /opt/python3.11 /t/venv/KEY
    installing the packages, network: uv sync --locked --all-groups
      uv sync --locked --all-groups --python /opt/python3.11
    ");
    insta::assert_snapshot!(check("pylock", &machine()), @r"
    making the environment: uv venv --python /opt/python3.11
      uv venv --quiet --no-project --python /opt/python3.11 /t/venv/KEY
    installing the packages, network: uv pip sync pylock.toml
      uv pip sync pylock.toml
    ");
    insta::assert_snapshot!(check("poetry", &machine()), @r"
    making the environment: uv venv --python /opt/python3.11
      uv venv --quiet --no-project --python /opt/python3.11 /t/venv/KEY
    installing the packages, network: uv pip sync --require-hashes <poetry.lock>
      uv pip sync --allow-empty-requirements --require-hashes /t/lists/KEY.txt
    /t/lists/KEY.txt: 17 lines, --index-url https://pypi.org/simple
    ");
    insta::assert_snapshot!(check("poetry-legacy", &machine()), @r"
    making the environment: uv venv --python /opt/python3.11
      uv venv --quiet --no-project --python /opt/python3.11 /t/venv/KEY
    listing what the lock holds, network: uvx --from poetry --with poetry-plugin-export poetry export --format requirements.txt --only dev,main
      uvx --from poetry --with poetry-plugin-export poetry export --format requirements.txt --only dev,main --output /t/lists/KEY.txt
    installing the packages, network: uv pip sync <poetry.lock>
      uv pip sync --allow-empty-requirements /t/lists/KEY.txt
    note: `poetry.lock` was made before Poetry 2, so Poetry itself, in its newest version, makes the list of it; `poetry lock` with Poetry 2 saves that
    ");
    insta::assert_snapshot!(check("pipenv", &machine()), @r"
    making the environment: uv venv --python /opt/python3.11
      uv venv --quiet --no-project --python /opt/python3.11 /t/venv/KEY
    installing the packages, network: uv pip sync --require-hashes <Pipfile.lock>
      uv pip sync --allow-empty-requirements --require-hashes /t/lists/KEY.txt
    /t/lists/KEY.txt: 15 lines, --index-url https://pypi.org/simple
    ");
    insta::assert_snapshot!(check("requirements", &machine()), @r"
    making the environment: uv venv --python /usr/bin/python3
      uv venv --quiet --no-project --python /usr/bin/python3 /t/venv/KEY
    installing the packages, network: uv pip install --require-hashes -r requirements.txt -r requirements-dev.txt
      uv pip install --require-hashes -r requirements.txt -r requirements-dev.txt
    ");
}

#[test]
fn steps_without_uv() {
    let machine = Machine { uv: None, ..machine() };
    insta::assert_snapshot!(check("pipenv", &machine), @r"
    making the environment: /opt/python3.11 -m venv
      /opt/python3.11 -m venv /t/venv/KEY
    installing the packages, network: pip install --no-deps --require-hashes -r <Pipfile.lock>
      /t/venv/KEY/bin/python -m pip install --no-deps --require-hashes -r /t/lists/KEY.txt
    /t/lists/KEY.txt: 15 lines, --index-url https://pypi.org/simple
    note: uv is not here, so pip installs, which takes about ten times as long
    ");
    insta::assert_snapshot!(check("requirements", &machine), @r"
    making the environment: /usr/bin/python3 -m venv
      /usr/bin/python3 -m venv /t/venv/KEY
    installing the packages, network: pip install --require-hashes -r requirements.txt -r requirements-dev.txt
      /t/venv/KEY/bin/python -m pip install --require-hashes -r requirements.txt -r requirements-dev.txt
    note: uv is not here, so pip installs, which takes about ten times as long
    ");
    insta::assert_snapshot!(check("uv", &machine), @r"
    `uv` is missing, and `uv.lock` needs it
    install uv: `pipx install uv`, or `curl -LsSf https://astral.sh/uv/install.sh | sh`
    ");
    insta::assert_snapshot!(check("poetry-legacy", &machine), @r"
    `uv` is missing, and `poetry.lock` needs it
    install uv: `pipx install uv`, or `curl -LsSf https://astral.sh/uv/install.sh | sh`
    ");
}

#[test]
fn a_python_that_is_not_here_is_installed_or_named() {
    let mut machine = machine();
    machine.pythons.pop();
    insta::assert_snapshot!(check("uv", &machine), @r"
    no Python here is `>=3.11,<3.14`, which `pyproject.toml` asks for; there is 3.9.18
    install Python >=3.11,<3.14 with `uv python install`, or ask for one that is here in `.python-version`
    ");
    machine.pythons.clear();
    insta::assert_snapshot!(check("pipenv", &machine), @r"
    no Python here is `3.11`, which `Pipfile` asks for; there is none at all
    install Python 3.11 with `uv python install`, or ask for one that is here in `.python-version`
    ");
    machine.may_download = true;
    insta::assert_snapshot!(check("uv", &machine), @r"
    installing Python, network: uv python install --no-bin 3.13
      uv python install --no-bin 3.13
    making the environment: uv venv --python 3.13
      uv venv --quiet --no-project --python 3.13 /t/venv/KEY
    installing the packages, network: uv sync --locked --all-groups
      uv sync --locked --all-groups --python 3.13
    note: no Python here will do, so uv installs 3.13
    ");
}

#[test]
fn a_python_that_uv_installed_is_the_one_that_was_asked_for() {
    let mut machine = machine();
    machine.pythons.clear();
    machine.may_download = true;
    let first = planned("uv", &[], &machine).unwrap();
    machine.pythons.push(Python {
        version: PythonVersion::parse("3.13.2").unwrap(),
        path: "/t/python/cpython-3.13.2-linux-x86_64-gnu/bin/python3.13".into(),
    });
    let second = planned("uv", &[], &machine).unwrap();
    assert_eq!(first.key, second.key);
    machine.pythons[0].path = "/opt/python3.13".into();
    assert_ne!(first.key, planned("uv", &[], &machine).unwrap().key);
}

#[test]
fn an_active_environment_is_left_alone() {
    let machine = Machine {
        active: Some(("VIRTUAL_ENV", "/home/me/venv".into())),
        ..machine()
    };
    let plan = planned("uv", &[], &machine).unwrap();
    assert!(plan.is_active && plan.steps.is_empty());
    assert_eq!(plan.venv, Path::new("/home/me/venv"));
    insta::assert_snapshot!(plan.notes.join("\n"), @"the active environment is used as it is (`VIRTUAL_ENV` is set), whatever `uv.lock` says");
}

#[test]
fn the_key_is_of_everything_that_the_environment_depends_on() {
    let key =
        |project: &str, changes: &[(&str, &str)], machine: &Machine| planned(project, changes, machine).unwrap().key;
    let base = key("pipenv", &[], &machine());
    let txt = key("requirements", &[], &machine());
    assert_eq!(
        base,
        key(
            "pipenv",
            &[("README.md", "x"), ("pyproject.toml", "[tool.ruff]")],
            &machine()
        )
    );
    let mut older = machine();
    older.uv = Some("0.13.8".to_owned());
    let mut python = machine();
    python.pythons[1].version = PythonVersion([3, 11, 8]);
    let mut elsewhere = machine();
    elsewhere.platform = "linux aarch64".to_owned();
    for other in [older, python, elsewhere] {
        assert_ne!(base, key("pipenv", &[], &other));
    }
    assert_ne!(
        txt,
        key("requirements", &[("requirements-dev.txt", "pytest==1")], &machine())
    );
    // What is bound to a checkout is another one in another checkout; what is not is shared.
    for (project, is_bound) in [("pipenv", false), ("uv", true)] {
        let files = repository(project, &[]);
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let detected = detect(&names, &reader(&files), None).unwrap().unwrap();
        let elsewhere = Paths {
            root: "/other".into(),
            ..at()
        };
        let keys = [at(), elsewhere].map(|at| plan(&detected, &machine(), &at).unwrap().key);
        assert_eq!(keys[0] != keys[1], is_bound, "{project}");
    }
}

#[test]
fn nothing_of_a_repository_becomes_a_command() {
    let pyproject = "[project]\nname = \"a\"\n[dependency-groups]\n\"$(touch x);'`\" = []";
    let files = [("pyproject.toml".to_owned(), pyproject.to_owned())].into();
    let detected = detect(&["pyproject.toml"], &reader(&files), None).unwrap().unwrap();
    let command = super::plan(&detected, &machine(), &at()).unwrap().steps[1]
        .command
        .clone();
    assert!(command.ends_with(r"--group '$(touch x);'\''`'"), "{command}");
    assert_eq!(quoted("it's"), r"'it'\''s'");
    assert_eq!(quoted(""), "''");
}

#[test]
fn lines_of_conda_keep_their_paths() {
    let lines = [
        "numpy",
        "-r requirements.txt",
        "-e .",
        "./lib",
        "-e git+https://h/x",
        "-r /a",
    ]
    .map(str::to_owned);
    insta::assert_snapshot!(rooted(&lines, "/w"), @r"
    numpy
    -r /w/requirements.txt
    -e /w/.
    /w/./lib
    -e git+https://h/x
    -r /a
    ");
}

#[test]
fn a_python_of_ours_goes_with_the_environment() {
    let has_own = |may_download: bool| {
        let mut machine = machine();
        machine.pythons.retain(|_| !may_download);
        machine.may_download = may_download;
        planned("uv", &[], &machine).unwrap().has_own_python
    };
    assert!(!has_own(false));
    assert!(has_own(true));
}
