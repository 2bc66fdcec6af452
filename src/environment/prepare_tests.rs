#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt, lchown};

use super::super::testing::{fixture, repository};
use super::*;

/// A checkout, a folder for temporary files, and tools that are scripts of ours; every call of `uv` is kept.
struct Scene {
    dir: tempfile::TempDir,
    env: BTreeMap<String, String>,
    user: Option<User>,
}

const UV: &str = r#"#!/bin/sh
case "$1 $2" in
"--version ") echo "uv 0.13.9 (fake)"; exit ;;
esac
echo "$*" >> "$CALLS"
case "$1 $2" in
"venv --quiet")
    for last; do :; done
    mkdir -p "$last/bin" "$last/lib/python3.11/site-packages/a-1.dist-info"
    ln -s /bin/sh "$last/bin/python"
    echo "version_info = 3.11.7" > "$last/pyvenv.cfg" ;;
"sync --locked" | "pip sync" | "pip install")
    echo "from https://user:hunter2@h/simple in $VIRTUAL_ENV"
    [ -e "$SAYS" ] && { cat "$SAYS" >&2; exit 1; }
    [ -z "$SLOW" ] || exec tail -f /dev/null ;;
esac
"#;

const PYTHON: &str = r#"#!/bin/sh
case "$1 $2" in
"-I -S") echo "python 3.11.7 $0" ;;
"-m venv")
    echo "$*" >> "$CALLS"
    mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "version = 3.11.7" > "$3/pyvenv.cfg" ;;
"-m pip") echo "$*" >> "$CALLS" ;;
esac
"#;

/// Everything between a checkout and its environment.
async fn set_up(
    settings: &Settings,
    around: &Around<'_>,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Result<Option<Prepared>, EnvironmentError> {
    let Some(detected) = find(settings, around.root)? else {
        return Ok(None);
    };
    let plan = planned(&detected, settings, around).await?;
    prepare(&plan, around, settings.timeout, on_line).await.map(Some)
}

impl Scene {
    fn new(project: &str, tools: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["work", "temp", "bin", "home"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        for (name, text) in repository(project, &[]) {
            std::fs::write(dir.path().join("work").join(name), text).unwrap();
        }
        for (name, text) in tools {
            let path = dir.path().join("bin").join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let at = |name: &str| dir.path().join(name).display().to_string();
        let env = [
            ("PATH", format!("{}:/usr/bin:/bin", at("bin"))),
            ("HOME", at("home")),
            ("CALLS", at("temp/calls")),
            ("SAYS", at("says")),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        Self { dir, env, user: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn set_up_with(&self, settings: &Settings) -> Result<(Prepared, Vec<String>), EnvironmentError> {
        let mut lines = Vec::new();
        let (root, temp) = (self.path("work"), self.path("temp"));
        let around = Around {
            root: &root,
            env: &self.env,
            user: self.user,
            sandbox: &crate::exec::Sandbox::open(),
            temp: Some(&temp),
        };
        let prepared = set_up(settings, &around, &mut |line| lines.push(line.to_owned())).await?;
        Ok((prepared.expect("there is an environment"), lines))
    }

    async fn set_up(&self) -> Result<(Prepared, Vec<String>), EnvironmentError> {
        self.set_up_with(&Settings::default()).await
    }

    /// What was called since the last time, without what is different each time.
    fn calls(&self, prepared: &Prepared) -> String {
        let calls = std::fs::read_to_string(self.path("temp/calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("temp/calls")); // It may not be there.
        self.plain(&calls).replace(&prepared.key.short(), "KEY")
    }

    fn plain(&self, text: &str) -> String {
        text.replace(&self.dir.path().display().to_string(), "")
    }
}

#[test]
fn the_python_of_an_environment_is_as_its_maker_wrote_it() {
    let of = |line: &str| written_version(&format!("home = /usr/bin\n{line}\nprompt = a = b\n"));
    assert_eq!(of("version = 3.11.2").as_deref(), Some("3.11.2"));
    assert_eq!(of("version_info = 3.11.2.final.0").as_deref(), Some("3.11.2"));
    assert_eq!(of("version_info = 3.11").as_deref(), Some("3.11"));
    assert_eq!(of("version = 3"), None);
    assert_eq!(of(""), None);
}

#[tokio::test]
async fn it_is_made_once_and_used_again() {
    let scene = Scene::new("pipenv", &[("uv", UV), ("python3", PYTHON)]);
    let (cold, lines) = scene.set_up().await.unwrap();
    insta::assert_snapshot!(scene.calls(&cold), @r"
    venv --quiet --no-project --python /bin/python3 /temp/mlops/venv/KEY
    pip sync --allow-empty-requirements --require-hashes /temp/mlops/lists/KEY.txt
    ");
    let lines = scene.plain(&lines.join("\n")).replace(&cold.key.short(), "KEY");
    insta::assert_snapshot!(lines, @r"
    $ uv venv --python /bin/python3
    $ uv pip sync --require-hashes <Pipfile.lock>
    from https://***@h/simple in /temp/mlops/venv/KEY
    ");
    assert!(!cold.was_warm && cold.is_locked);
    assert_eq!((cold.python.as_deref(), cold.n_packages), (Some("3.11.7"), Some(1)));
    let list = std::fs::read_to_string(scene.path(&format!("temp/mlops/lists/{}.txt", cold.key.short()))).unwrap();
    assert!(list.starts_with("--index-url https://pypi.org/simple\n") && list.contains("numpy=="));
    let path = &cold.env["PATH"];
    assert!(
        path.starts_with(&format!("{}/bin:{}", cold.venv.display(), scene.path("bin").display())),
        "{path}"
    );
    assert_eq!(cold.env["VIRTUAL_ENV"], cold.venv.display().to_string());

    let (warm, lines) = scene.set_up().await.unwrap();
    assert!(warm.was_warm && lines.is_empty());
    assert_eq!(scene.calls(&warm), "");
    let (cold, warm) = (
        Prepared {
            was_warm: true,
            elapsed: warm.elapsed,
            ..cold
        },
        warm,
    );
    assert_eq!(cold, warm);
}

#[tokio::test]
async fn two_who_want_the_same_make_it_once() {
    let scene = Scene::new("requirements", &[("uv", UV), ("python3", PYTHON)]);
    let (one, two) = tokio::join!(scene.set_up(), scene.set_up());
    let (one, two) = (one.unwrap().0, two.unwrap().0);
    assert!(one.was_warm != two.was_warm);
    assert_eq!(scene.calls(&one).matches("venv --quiet").count(), 1);
}

#[tokio::test]
async fn what_is_broken_or_changed_is_made_again() {
    let scene = Scene::new("requirements", &[("uv", UV), ("python3", PYTHON)]);
    let (first, _) = scene.set_up().await.unwrap();
    std::fs::remove_file(first.venv.join("bin/python")).unwrap();
    assert!(!scene.set_up().await.unwrap().0.was_warm);
    std::fs::remove_file(first.venv.join(MARKER)).unwrap();
    assert!(!scene.set_up().await.unwrap().0.was_warm);
    std::fs::write(first.venv.join(MARKER), "another").unwrap();
    assert!(!scene.set_up().await.unwrap().0.was_warm);
    assert!(scene.set_up().await.unwrap().0.was_warm);
    std::fs::write(scene.path("work/requirements-dev.txt"), "pytest==9.2.0\n").unwrap();
    let (other, _) = scene.set_up().await.unwrap();
    assert!(!other.was_warm && other.venv != first.venv);
    // What is copied from the checkout is never up to date.
    std::fs::write(scene.path("work/requirements-dev.txt"), "./lib\n").unwrap();
    for _ in 0..2 {
        assert!(!scene.set_up().await.unwrap().0.was_warm);
    }
}

#[tokio::test]
async fn a_failed_step_leaves_nothing_that_would_be_used() {
    let scene = Scene::new("uv", &[("uv", UV), ("python3", PYTHON)]);
    for (output, expected) in [
        ("uv-stale", "`uv.lock` is not up to date with `pyproject.toml`"),
        (
            "uv-hash",
            "`idna==3.20` is not what `uv.lock` locked: the hash of what the index gives differs",
        ),
        (
            "uv-unreachable",
            "installing the packages got no answer: Failed to fetch: https://127.0.0.1:9/simple/click/",
        ),
    ] {
        std::fs::write(scene.path("says"), fixture(&format!("outputs/{output}.txt"))).unwrap();
        let error = scene.set_up().await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    std::fs::remove_file(scene.path("says")).unwrap();
    let (after, lines) = scene.set_up().await.unwrap();
    assert!(!after.was_warm);
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("from https://***@h/simple in ")),
        "{lines:?}"
    );
    assert!(!lines.join("\n").contains("hunter2"));
}

#[tokio::test]
async fn all_steps_together_have_a_deadline() {
    let mut scene = Scene::new("uv", &[("uv", UV), ("python3", PYTHON)]);
    scene.env.insert("SLOW".to_owned(), "1".to_owned());
    let settings = Settings {
        timeout: Duration::from_millis(600),
        ..Settings::default()
    };
    let error = scene.set_up_with(&settings).await.unwrap_err();
    assert!(
        matches!(&error, EnvironmentError::TooLong { doing, .. } if doing == "installing the packages"),
        "{error}"
    );
}

#[tokio::test]
async fn without_uv_pip_installs() {
    let scene = Scene::new("pipenv", &[("python3", PYTHON)]);
    let (prepared, _) = scene.set_up().await.unwrap();
    insta::assert_snapshot!(scene.calls(&prepared), @r"
    -m venv /temp/mlops/venv/KEY
    -m pip install --no-deps --require-hashes -r /temp/mlops/lists/KEY.txt
    ");
    insta::assert_snapshot!(prepared.notes.join("\n"), @"uv is not here, so pip installs, which takes about ten times as long");
    let scene = Scene::new("uv", &[("python3", PYTHON)]);
    let error = scene.set_up().await.unwrap_err();
    insta::assert_snapshot!(error, @"`uv` is missing, and `uv.lock` needs it");
}

#[tokio::test]
async fn the_python_that_is_wanted_is_looked_for() {
    let scene = Scene::new("uv", &[("uv", UV), ("python3", &PYTHON.replace("3.11.7", "3.8.1"))]);
    let elsewhere = scene.path("home/.pyenv/versions/3.11.7/bin");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::copy(scene.path("bin/uv"), elsewhere.join("uv")).unwrap();
    std::fs::write(elsewhere.join("python3"), PYTHON).unwrap();
    std::fs::set_permissions(elsewhere.join("python3"), PermissionsExt::from_mode(0o755)).unwrap();
    // Machines of developers may have others in `/usr/bin`, so one is asked for that they have not.
    let ask = |version: &str| Settings {
        python: Some(version.to_owned()),
        ..Settings::default()
    };
    let (prepared, _) = scene.set_up_with(&ask("3.11.7")).await.unwrap();
    assert!(
        scene
            .calls(&prepared)
            .contains("--python /home/.pyenv/versions/3.11.7/bin/python3")
    );
    let error = scene.set_up_with(&ask("3.2.1")).await.unwrap_err();
    let EnvironmentError::NoPython { wanted, from, found } = &error else {
        panic!("{error}")
    };
    assert_eq!((wanted.as_str(), from.as_str()), ("3.2.1", "mlops.yaml"));
    assert!(
        found.contains(&"3.8.1".to_owned()) && found.contains(&"3.11.7".to_owned()),
        "{found:?}"
    );
    assert!(scene.set_up_with(&ask("three")).await.is_err());
}

#[tokio::test]
async fn on_a_laptop_the_active_environment_is_used() {
    let mut scene = Scene::new("uv", &[("uv", UV), ("python3", PYTHON)]);
    let root = scene.path("work");
    for (name, is_used) in [
        ("VIRTUAL_ENV", true),
        ("CONDA_PREFIX", true),
        ("CONDA_DEFAULT_ENV", false),
    ] {
        let value = if name == "CONDA_DEFAULT_ENV" {
            "base".to_owned()
        } else {
            "/opt/mine".to_owned()
        };
        scene.env.insert(name.to_owned(), value);
        let around = Around {
            root: &root,
            env: &scene.env,
            user: None,
            sandbox: &crate::exec::Sandbox::open(),
            temp: None,
        };
        let prepared = set_up(&Settings::default(), &around, &mut |_| {})
            .await
            .unwrap()
            .unwrap();
        assert_eq!(prepared.venv == Path::new("/opt/mine"), is_used, "{name}");
        assert_eq!(prepared.env.is_empty(), is_used);
        assert!(is_used || prepared.venv.starts_with(scene.path("home/.cache/mlops/venv")));
        if name == "VIRTUAL_ENV" {
            scene.env.remove(name);
        }
    }
}

#[tokio::test]
async fn who_commands_run_as_makes_it() {
    if !sys::is_root() {
        eprintln!("not root: commands of another user were not tested");
        return;
    }
    let mut scene = Scene::new("requirements", &[("uv", UV), ("python3", PYTHON)]);
    std::fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["work", "temp"] {
        lchown(scene.path(name), Some(1001), Some(1001)).unwrap();
    }
    scene.user = Some(User { uid: 1001, gid: 1001 });
    let (prepared, _) = scene.set_up().await.unwrap();
    for path in [
        prepared.venv.clone(),
        prepared.venv.join(MARKER),
        scene.path("temp/mlops/uv-cache"),
    ] {
        assert_eq!(path.symlink_metadata().unwrap().uid(), 1001, "{}", path.display());
    }
    assert!(scene.set_up().await.unwrap().0.was_warm);
}

#[tokio::test]
async fn a_checkout_without_any_has_none() {
    let scene = Scene::new("uv", &[]);
    for file in ["uv.lock", "pyproject.toml"] {
        std::fs::remove_file(scene.path("work").join(file)).unwrap();
    }
    assert_eq!(find(&Settings::default(), &scene.path("work")).unwrap(), None);
    // A link that leads out of the checkout is not followed.
    std::os::unix::fs::symlink("/etc/passwd", scene.path("work/requirements.txt")).unwrap();
    let error = find(&Settings::default(), &scene.path("work")).unwrap_err().to_string();
    assert!(error.contains("is outside of"), "{error}");
}
