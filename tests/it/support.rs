//! A repository in a temporary folder and the program run in it, with an environment that holds what must not leak.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The value of every secret that the program's own environment carries in these tests.
pub const SECRET: &str = "s3cr3t-7fd1";

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of one example repository.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// A copy of `fixtures/repos/<name>`, without what earlier runs left.
    pub fn example(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("fixtures/repos").join(name), folder.path());
        Self { folder }
    }

    /// A repository of these files.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, text) in files {
            made.write(name, text);
        }
        made
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Replaces text that must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// The folder of the last finished run.
    pub fn last_run(&self) -> PathBuf {
        self.path().join(".mlops/runs").join(self.read(".mlops/latest").trim())
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlops"));
        command.arg("-C").arg(self.path()).args(arguments).stdin(Stdio::null());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("USER", "ada");
        for name in [
            "GITHUB_TOKEN",
            "HF_TOKEN",
            "INPUT_GITHUB-TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "MY_PASSWORD",
        ] {
            command.env(name, SECRET);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs with `--format json` and returns the exit code and the object on stdout.
    pub fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let ran = self.run(&[&["--format", "json"], arguments].concat());
        let value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("{error}:\n{}\n{}", ran.stdout, ran.stderr));
        (ran.code, value)
    }
}

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if name == ".mlops" || name == "__pycache__" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}
