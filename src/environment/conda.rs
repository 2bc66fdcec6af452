//! `environment.yml`: its `pip:` part is installed, packages of conda are not. Pure.

use serde_json::Value;

use super::error::EnvironmentError;
use super::python::{Want, Wanted};

/// Parts of conda that every environment has anyway.
const GIVEN: &[&str] = &["python", "pip", "setuptools", "wheel", "uv"];
/// As many packages as a message can bear.
const MAX_NAMED: usize = 3;

/// What can be taken of an environment for conda.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conda {
    pub python: Wanted,
    /// Lines for pip; those that begin with `-r` name a file.
    pub pip: Vec<String>,
}

pub fn read(file: &str, text: &str) -> Result<Conda, EnvironmentError> {
    let unreadable = |why: String| EnvironmentError::Unreadable {
        file: file.to_owned(),
        why,
    };
    let root: Value = serde_yaml::from_str(text).map_err(|error| {
        // The first line says what is wrong, the others draw it.
        unreadable(crate::base::clean(
            error.to_string().lines().next().unwrap_or_default(),
            200,
        ))
    })?;
    let dependencies = root.get("dependencies").and_then(Value::as_array);
    let dependencies = dependencies.ok_or_else(|| unreadable("it has no list of `dependencies`".to_owned()))?;
    let mut found = Conda::default();
    let mut refused: Vec<&str> = Vec::new();
    for entry in dependencies {
        match entry {
            Value::String(text) => {
                let bare = text.rsplit("::").next().unwrap_or_default().trim();
                let name_end = bare
                    .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
                    .unwrap_or(bare.len());
                let (name, version) = bare.split_at(name_end);
                if name == "python" {
                    let version = version.trim().trim_start_matches('=').trim();
                    found.python.0.extend(Want::version(version, file));
                } else if !GIVEN.contains(&name) {
                    refused.push(text);
                }
            }
            Value::Object(parts) => {
                let lines = parts.get("pip").and_then(Value::as_array).into_iter().flatten();
                for line in lines {
                    let line = line.as_str().filter(|line| !line.contains(['\n', '\r']));
                    found.pip.push(
                        line.ok_or_else(|| unreadable("a line of `pip:` is no text".to_owned()))?
                            .to_owned(),
                    );
                }
            }
            _ => {
                return Err(unreadable(
                    "an entry of `dependencies` is neither a package nor `pip:`".to_owned(),
                ));
            }
        }
    }
    if refused.is_empty() {
        return Ok(found);
    }
    let named = refused
        .iter()
        .take(MAX_NAMED)
        .map(|text| format!("`{}`", crate::base::clean(text, 40)));
    let others = refused.len().saturating_sub(MAX_NAMED);
    let others = if others > 0 {
        format!(" and {others} more")
    } else {
        String::new()
    };
    Err(EnvironmentError::Unsupported {
        file: file.to_owned(),
        why: format!(
            "{}{others} would come from conda, which is not used here",
            named.collect::<Vec<_>>().join(", ")
        ),
        help: "move the packages under `pip:` or into `pyproject.toml`, or run the job in a container that pixi or \
               micromamba made, with `environment: none`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_pip_is_taken_and_conda_is_refused() {
        let check = |text: &str| match read("environment.yml", text) {
            Ok(conda) => format!("{:?} for Python {:?}", conda.pip, conda.python.installable()),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(check("name: x\nchannels: [defaults]\ndependencies:\n- python=3.11\n- pip\n- pip:\n  - numpy==1.2\n  - -r requirements.txt\n"), @r#"["numpy==1.2", "-r requirements.txt"] for Python Some("3.11")"#);
        insta::assert_snapshot!(check("dependencies: ['python>=3.10,<3.12', conda-forge::scipy=1.2, pandas, cuda, 'mkl>=1']"), @"`environment.yml`: `conda-forge::scipy=1.2`, `pandas`, `cuda` and 1 more would come from conda, which is not used here");
        insta::assert_snapshot!(check("dependencies: [python >=3.9]"), @r#"[] for Python Some("3.13")"#);
        insta::assert_snapshot!(check("name: x"), @"`environment.yml` can not be read: it has no list of `dependencies`");
        insta::assert_snapshot!(check("dependencies: [1]"), @"`environment.yml` can not be read: an entry of `dependencies` is neither a package nor `pip:`");
        insta::assert_snapshot!(check("dependencies: [pip: [{a: b}]]"), @"`environment.yml` can not be read: a line of `pip:` is no text");
        assert!(check("dependencies: [").starts_with("`environment.yml` can not be read: "));
        assert!(check(&"[".repeat(10_000)).starts_with("`environment.yml` can not be read: "));
    }
}
