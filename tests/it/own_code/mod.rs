//! The repository's own code: its trainers, linters, tests, steps and environment, with tools that need no network.

mod environments;
mod gates;
mod notebooks;
mod steps;
mod trainers;

use std::path::Path;

use serde_json::Value;

use crate::support::{Ran, Repository};

/// Programs of the tests' own, which come first on `PATH`.
struct Tools {
    folder: tempfile::TempDir,
}

impl Tools {
    fn of(tools: &[(&str, &str)]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        // Whoever commands are run as has to come here.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for (name, script) in tools {
            let path = folder.path().join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// With what the system has before what somebody has in their home, where commands on a runner may not look.
    fn path(&self) -> String {
        format!(
            "{}:/usr/bin:/bin:{}",
            self.folder().display(),
            std::env::var("PATH").unwrap()
        )
    }
}

/// The report of the last run, as Markdown.
fn report(repository: &Repository) -> String {
    std::fs::read_to_string(repository.last_run().join("report.md")).unwrap()
}

fn facts(repository: &Repository) -> Value {
    let bytes = std::fs::read(repository.last_run().join("mlops-facts.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// What is said of errors in files, without the lines that are shown of them.
fn problems(ran: &Ran) -> String {
    let is_told = |line: &&str| ["error[", " --> ", "help: "].iter().any(|mark| line.contains(mark));
    let lines = ran.stderr.lines().filter(is_told).map(str::trim);
    lines.collect::<Vec<_>>().join("\n")
}
