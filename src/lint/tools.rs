//! The linters that are known by name: what they are asked for, and what mends what they find. Pure.

use super::command::Arguments;
use super::parse::Format;

/// Whose output it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    RuffCheck,
    RuffFormat,
    Black,
    Flake8,
    Isort,
    Mypy,
    Pylint,
    Clippy,
    CargoFmt,
}

/// A linter: how one sees that it is meant, and how it is asked for output that can be read.
#[derive(Debug)]
pub struct Tool {
    pub kind: Kind,
    /// As a row of a report is called.
    pub name: &'static str,
    pub(super) program: &'static str,
    /// One of these has to follow, unless there are none.
    pub(super) subcommands: &'static [&'static str],
    pub(super) plan: fn(&Arguments) -> Plan,
}

/// What is put behind a command, and what it prints then.
#[derive(Debug)]
pub(super) struct Plan {
    pub added: &'static str,
    pub format: Format,
}

pub(super) const TOOLS: &[Tool] = &[
    Tool {
        kind: Kind::RuffCheck,
        name: "ruff check",
        program: "ruff",
        subcommands: &["check"],
        plan: |arguments| {
            let is_other = ["--statistics", "--show-files", "--show-settings", "--watch", "-w"];
            if arguments.has(&is_other) || arguments.value(&["--output-file", "-o"]).is_some() {
                return as_written(Format::Unread);
            }
            if arguments.has(&["--diff"]) {
                return as_written(Format::Text(Some(Kind::RuffCheck)));
            }
            let given = arguments
                .value(&["--output-format"])
                .or_else(|| arguments.setting("RUFF_OUTPUT_FORMAT"));
            match given.as_deref() {
                None => Plan {
                    added: "--output-format json",
                    format: Format::Json(Kind::RuffCheck),
                },
                Some("json" | "json-lines") => as_written(Format::Json(Kind::RuffCheck)),
                Some("sarif") => as_written(Format::Sarif),
                Some("concise" | "full" | "text" | "pylint" | "github") => {
                    as_written(Format::Text(Some(Kind::RuffCheck)))
                }
                Some(_) => as_written(Format::Unread),
            }
        },
    },
    Tool {
        kind: Kind::RuffFormat,
        name: "ruff format",
        program: "ruff",
        subcommands: &["format"],
        plan: |arguments| {
            let is_shown = arguments.has(&["--diff"]) || arguments.value(&["--output-format"]).is_some();
            with_diff(Kind::RuffFormat, arguments.has(&["--check"]) && !is_shown)
        },
    },
    Tool {
        kind: Kind::Black,
        name: "black",
        program: "black",
        subcommands: &[],
        plan: |arguments| with_diff(Kind::Black, arguments.has(&["--check"]) && !arguments.has(&["--diff"])),
    },
    Tool {
        kind: Kind::Flake8,
        name: "flake8",
        program: "flake8",
        subcommands: &[],
        plan: |arguments| {
            if arguments.value(&["--output-file"]).is_some() && !arguments.has(&["--tee"]) {
                return as_written(Format::Unread);
            }
            match arguments.value(&["--format"]).as_deref() {
                None => Plan {
                    added: "--format=default",
                    format: Format::Text(Some(Kind::Flake8)),
                },
                Some(_) => as_written(Format::Text(Some(Kind::Flake8))),
            }
        },
    },
    Tool {
        kind: Kind::Isort,
        name: "isort",
        program: "isort",
        subcommands: &[],
        plan: |arguments| {
            let checks = arguments.has(&["--check", "--check-only", "-c"]);
            with_diff(Kind::Isort, checks && !arguments.has(&["--diff", "-d", "--df"]))
        },
    },
    Tool {
        kind: Kind::Mypy,
        name: "mypy",
        program: "mypy",
        subcommands: &[],
        plan: |arguments| match arguments.value(&["--output", "-O"]).as_deref() {
            // `--output json` came with 1.11 and says no more than these, which all versions of these years know.
            None => Plan {
                added: "--show-column-numbers --show-error-end --show-error-codes --no-pretty --hide-error-context",
                format: Format::Text(Some(Kind::Mypy)),
            },
            Some("json") => as_written(Format::Json(Kind::Mypy)),
            Some(_) => as_written(Format::Unread),
        },
    },
    Tool {
        kind: Kind::Pylint,
        name: "pylint",
        program: "pylint",
        subcommands: &[],
        plan: |arguments| {
            if arguments.value(&["--output"]).is_some() {
                return as_written(Format::Unread);
            }
            if arguments.value(&["--msg-template"]).is_some() {
                return as_written(Format::Text(Some(Kind::Pylint)));
            }
            match arguments.value(&["--output-format", "-f"]).as_deref() {
                // `json2` came with 3.0.
                None => Plan {
                    added: "--output-format=json",
                    format: Format::Json(Kind::Pylint),
                },
                Some("json" | "json2") => as_written(Format::Json(Kind::Pylint)),
                Some("text" | "parseable" | "colorized" | "github") => as_written(Format::Text(Some(Kind::Pylint))),
                Some(_) => as_written(Format::Unread),
            }
        },
    },
    Tool {
        kind: Kind::Clippy,
        name: "cargo clippy",
        program: "cargo",
        subcommands: &["clippy"],
        plan: compiler,
    },
    Tool {
        kind: Kind::Clippy,
        name: "cargo check",
        program: "cargo",
        subcommands: &["check", "c"],
        plan: compiler,
    },
    Tool {
        kind: Kind::CargoFmt,
        name: "cargo fmt",
        program: "cargo",
        subcommands: &["fmt"],
        plan: |_| as_written(Format::Text(Some(Kind::CargoFmt))),
    },
];

fn as_written(format: Format) -> Plan {
    Plan { added: "", format }
}

fn with_diff(kind: Kind, is_added: bool) -> Plan {
    Plan {
        added: if is_added { "--diff" } else { "" },
        format: Format::Text(Some(kind)),
    }
}

fn compiler(arguments: &Arguments) -> Plan {
    match arguments.value(&["--message-format"]).as_deref() {
        None => Plan {
            added: "--message-format json",
            format: Format::Json(Kind::Clippy),
        },
        Some(given) if given.split(',').any(|word| word.starts_with("json")) => as_written(Format::Json(Kind::Clippy)),
        Some(_) => as_written(Format::Text(Some(Kind::Clippy))),
    }
}

impl Kind {
    /// The command that mends all that can be mended, for tools that only format.
    pub(super) fn formatter(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::RuffFormat => Some(("ruff format", "`ruff format` mends it")),
            Self::Black => Some(("black", "`black` mends it")),
            Self::Isort => Some(("isort", "`isort` mends it")),
            Self::CargoFmt => Some(("cargo fmt", "`cargo fmt` mends it")),
            Self::RuffCheck => Some(("ruff check --fix", "`ruff check --fix` mends it")),
            Self::Flake8 | Self::Mypy | Self::Pylint | Self::Clippy => None,
        }
    }

    /// Where a rule is explained, for tools that do not say it themselves.
    pub(super) fn url(self, rule: &str) -> Option<String> {
        match self {
            Self::Mypy => Some(format!("https://mypy.readthedocs.io/en/stable/_refs.html#code-{rule}")),
            _ => None,
        }
    }
}
