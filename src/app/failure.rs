//! What stops a command: problems in files of the repository (exit 2), and the world (exit 3), each with its hint.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::base::{Diagnostic, Diagnostics, NameError, Severity, Verdict};
use crate::cli::{Command, Invocation};
use crate::data::DataError;
use crate::facts;
use crate::github::GithubError;
use crate::pipeline::{StoreError, chain};
use crate::sys::FileError;
use crate::track::RegistryError;
use crate::track::tracker::TrackError;

use super::{OUR_BUG, UNKNOWN, UNUSABLE, json as wants_json, print};

/// Why a command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Diagnostics(Diagnostics),
    #[error("there is no `mlops.yaml` in {}", directory.display())]
    NoConfig { directory: PathBuf },
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{0}")]
    Unusable(String),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Track(#[from] TrackError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Github(#[from] GithubError),
    #[error("could not write the output")]
    Output {
        #[source]
        source: std::io::Error,
    },
    #[error("could not start")]
    Start {
        #[source]
        source: std::io::Error,
    },
    #[error("a step panicked: {0}")]
    Panic(String),
}

impl From<Diagnostics> for Failure {
    fn from(problems: Diagnostics) -> Self {
        Self::Diagnostics(problems)
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        match error {
            DataError::Problems(problems) => Self::Diagnostics(problems),
            DataError::File(error) => Self::File(error),
        }
    }
}

impl Failure {
    /// In one line.
    pub fn line(&self) -> String {
        match self {
            Self::Diagnostics(problems) => {
                let first = problems.iter().find(|one| one.severity == Severity::Error);
                first.map_or_else(|| "it can not be used".to_owned(), |one| one.message.clone())
            }
            other => chain(other),
        }
    }

    /// As problems that a report can show.
    pub fn problems(&self) -> Diagnostics {
        match self {
            Self::Diagnostics(problems) => problems.clone(),
            other => {
                let problem = Diagnostic::error("unusable", chain(other));
                Diagnostics::from(match other.hint() {
                    Some(hint) => problem.help(hint),
                    None => problem,
                })
            }
        }
    }

    pub fn code(&self) -> u8 {
        match self {
            Self::Diagnostics(_)
            | Self::NoConfig { .. }
            | Self::Name(_)
            | Self::Unusable(_)
            | Self::Registry(RegistryError::NotFound { .. } | RegistryError::Withheld { .. })
            | Self::Store(StoreError::NoRun | StoreError::Elsewhere { .. }) => UNUSABLE,
            Self::Panic(_) => OUR_BUG,
            Self::File(_)
            | Self::Registry(_)
            | Self::Track(_)
            | Self::Store(_)
            | Self::Github(_)
            | Self::Output { .. }
            | Self::Start { .. } => UNKNOWN,
        }
    }

    /// What to do about it, where that can be said.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoConfig { .. } => Some(
                "the smallest one that works:\n\n    model: my-model\n    data:\n      source: data.csv\n      target: y\n    \
                 train:\n      estimator: ridge\n",
            ),
            Self::Registry(RegistryError::NotFound { .. }) => Some("`mlops status` shows the versions that are there"),
            Self::Registry(RegistryError::Conflict { .. }) => Some("look with `mlops status` and try again"),
            Self::Store(StoreError::Elsewhere { .. }) => Some("move it away, and commit nothing of `.mlops`"),
            Self::Store(StoreError::NoRun) => Some("`mlops run` makes one"),
            Self::Store(StoreError::Facts { source, .. }) => Some(source.hint()),
            Self::Panic(_) => Some("this is a bug of ours: please report it with this text"),
            Self::Diagnostics(_)
            | Self::Name(_)
            | Self::Unusable(_)
            | Self::File(_)
            | Self::Registry(_)
            | Self::Track(_)
            | Self::Store(_)
            | Self::Github(_)
            | Self::Output { .. }
            | Self::Start { .. } => None,
        }
    }
}

/// Tells a person, and a program that reads the result of a run; says the exit code.
pub fn show(failure: &Failure, invocation: &Invocation) -> u8 {
    if wants_json(invocation) {
        let answer = match invocation.cli.command {
            Command::Run { .. } | Command::Check { .. } => object(failure),
            _ => json!({"error": chain(failure)}),
        };
        // Where stdout can not be written either, stderr has to do.
        print(&format!("{answer:#}")).ok();
    }
    match failure {
        Failure::Diagnostics(problems) => say(&problems.to_string()),
        other => say(&format!("error: {}", chain(other))),
    }
    if let Some(hint) = failure.hint() {
        say(&format!("  = help: {hint}"));
    }
    failure.code()
}

/// The object of a run that could not begin, as text.
pub fn result(failure: &Failure) -> String {
    format!("{:#}", object(failure))
}

/// The object of a run that could not begin.
fn object(failure: &Failure) -> Value {
    let problems: Vec<Value> = match failure {
        Failure::Diagnostics(problems) => problems
            .iter()
            .map(|one| {
                json!({
                    "code": one.code,
                    "severity": if one.severity == Severity::Error { "error" } else { "warning" },
                    "message": one.message,
                    "file": one.file.as_deref(),
                    "line": one.span.map(|span| span.line),
                    "column": one.span.map(|span| span.column),
                    "help": one.help,
                })
            })
            .collect(),
        _ => Vec::new(),
    };
    let reason = match (failure, problems.first()) {
        (Failure::Diagnostics(_), Some(first)) => first["message"].clone(),
        (other, _) => chain(other).into(),
    };
    json!({
        "schema": facts::SCHEMA, "model": null, "verdict": Verdict::FailedToRun.word(), "reason": reason, "passed": false,
        "metrics": {}, "gates": {}, "version": null, "digest": null, "report": null, "problems": problems,
    })
}

/// One message on stderr; nobody to read it is no reason to stop.
pub fn say(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
