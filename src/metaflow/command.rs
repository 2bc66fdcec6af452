//! The shell text that runs a flow, and the environment it needs. Pure.

use std::collections::BTreeMap;
use std::path::Path;

/// Python that prints an artifact of the end of a run as JSON; numbers of any library become Python's.
const FALLBACK: &str = include_str!("fallback.py");

/// What to run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// The flow's file, from the directory in which the command runs.
    pub file: &'a str,
    pub parameters: &'a [(String, String)],
    /// Kept with the run, as `git_sha:…` and `pr:42`.
    pub tags: &'a [String],
    /// For flows of a project alone; see [`branch_name`].
    pub branch: Option<&'a str>,
    pub max_workers: usize,
    /// A `foreach` over more is refused by Metaflow.
    pub max_splits: usize,
    /// The run's own: datastore, cards and configuration of the user are here, and the files that [`read`] looks at.
    ///
    /// [`read`]: super::read
    pub folder: &'a Path,
}

/// A command for `sh -c`, and what goes over its scrubbed environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    pub text: String,
    pub env: BTreeMap<String, String>,
}

/// Runs a flow with everything that it keeps in `folder`.
///
/// Without `--quiet`, since what tasks print is the log; without pylint, since lint is a gate of its own.
pub fn command(invocation: &Invocation<'_>) -> Command {
    let Invocation {
        file,
        parameters,
        tags,
        branch,
        max_workers,
        max_splits,
        folder,
    } = invocation;
    let place = |name: &str| quoted(&folder.join(name).to_string_lossy());
    let mut words = vec!["python".to_owned(), quoted(file)];
    words.extend(["--no-pylint", "--metadata", "local", "--datastore", "local"].map(str::to_owned));
    if let Some(branch) = branch {
        words.extend(["--branch".to_owned(), quoted(branch)]);
    }
    words.push("run".to_owned());
    words.extend(["--run-id-file".to_owned(), place("run-id")]);
    words.extend(["--runner-attribute-file".to_owned(), place("run.json")]);
    words.extend(["--max-workers".to_owned(), max_workers.to_string()]);
    words.extend(["--max-num-splits".to_owned(), max_splits.to_string()]);
    for tag in *tags {
        words.extend(["--tag".to_owned(), quoted(tag)]);
    }
    for (name, value) in *parameters {
        words.push(quoted(&format!("--{name}={value}")));
    }
    Command {
        text: words.join(" "),
        env: env(folder),
    }
}

fn env(folder: &Path) -> BTreeMap<String, String> {
    let place = |name: &str| folder.join(name).to_string_lossy().into_owned();
    [
        // Whoever has no name in a container can not run flows.
        ("METAFLOW_USER", "ci".to_owned()),
        (
            "METAFLOW_DATASTORE_SYSROOT_LOCAL",
            folder.to_string_lossy().into_owned(),
        ),
        ("METAFLOW_CARD_LOCALROOT", place("mf.cards")),
        ("METAFLOW_HOME", place("home")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Prints the artifact `name` of the run's end as JSON on the last line of its output: for what [`read`] could not decode,
/// in the repository's own environment, where it may load whatever it holds.
///
/// [`read`]: super::read
pub fn fallback(folder: &Path, flow: &str, run_id: &str, name: &str) -> Command {
    let words = ["python", "-c", FALLBACK, flow, run_id, name];
    Command {
        text: words.map(quoted).join(" "),
        env: env(folder),
    }
}

/// Whether the flow is part of a project, which alone takes a branch.
pub fn is_project(flow_source: &str) -> bool {
    flow_source.lines().map(str::trim_start).any(|line| {
        let Some(decorator) = line.strip_prefix('@') else {
            return false;
        };
        let decorator = decorator
            .trim_start()
            .strip_prefix("metaflow.")
            .unwrap_or(decorator.trim_start());
        decorator
            .strip_prefix("project")
            .is_some_and(|rest| rest.trim_start().starts_with('('))
    })
}

/// A name as Metaflow takes it: lower-case letters, digits and `_`, at most 128.
pub fn branch_name(text: &str) -> String {
    text.chars()
        .take(128)
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
            _ => '_',
        })
        .collect()
}

/// One word to the shell, whatever is in it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_one_word() {
        let parameters = [
            ("alpha".to_owned(), "0.5".to_owned()),
            ("label".to_owned(), "it's $(touch x); `y`\n--help".to_owned()),
        ];
        let command = command(&Invocation {
            file: "flows/train flow.py",
            parameters: &parameters,
            tags: &["git_sha:0123".to_owned(), "pr:42".to_owned()],
            branch: Some("pr_42"),
            max_workers: 2,
            max_splits: 1000,
            folder: Path::new("/w/.mlops/runs/1/flow"),
        });
        insta::assert_snapshot!(command.text, @r#"
    python 'flows/train flow.py' --no-pylint --metadata local --datastore local --branch pr_42 run --run-id-file /w/.mlops/runs/1/flow/run-id --runner-attribute-file /w/.mlops/runs/1/flow/run.json --max-workers 2 --max-num-splits 1000 --tag git_sha:0123 --tag pr:42 --alpha=0.5 '--label=it'\''s $(touch x); `y`
    --help'
    "#);
        insta::assert_debug_snapshot!(command.env, @r#"
    {
        "METAFLOW_CARD_LOCALROOT": "/w/.mlops/runs/1/flow/mf.cards",
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": "/w/.mlops/runs/1/flow",
        "METAFLOW_HOME": "/w/.mlops/runs/1/flow/home",
        "METAFLOW_USER": "ci",
    }
    "#);
    }

    #[test]
    fn projects_are_told_by_their_decorator() {
        for (source, expected) in [
            ("@project(name='x')\nclass A(FlowSpec):\n", true),
            ("  @ metaflow.project (name='x')\n", true),
            ("@project_x(1)\n", false),
            ("# the @project(name) decorator\n", false),
            ("@step\n", false),
        ] {
            assert_eq!(is_project(source), expected, "{source}");
        }
    }

    #[test]
    fn branches_are_names_of_metaflow() {
        assert_eq!(branch_name("pr-42"), "pr_42");
        assert_eq!(branch_name("Feature/Ä x"), "feature___x");
    }
}
