//! Why there is no Python environment, and what mends it. Pure.

use std::path::PathBuf;
use std::time::Duration;

use crate::sys::FileError;

/// Whose doing it is that there is no environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The files of the repository: it has to change them.
    Repository,
    /// A tool or a service: it may be there another time.
    World,
}

/// Why the repository's environment could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error("`{file}` names packages, but no lock says which versions")]
    NotLocked { file: String, mend: &'static str },
    #[error("`{lock}` is not up to date with `{of}`")]
    Stale {
        lock: String,
        of: String,
        mend: &'static str,
    },
    #[error("`{file}` can not be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("`{file}`: {why}")]
    Unsupported {
        file: String,
        why: String,
        help: &'static str,
    },
    #[error("there is no `{wanted}` here to build an environment from")]
    Absent { wanted: &'static str, mend: &'static str },
    #[error("no Python here is `{wanted}`, which `{from}` asks for; there {}", listed(.found))]
    NoPython {
        wanted: String,
        from: String,
        found: Vec<String>,
    },
    /// A file came from the index, but it is not the one that was locked.
    #[error("`{package}` is not what `{file}` locked: the hash of what the index gives differs")]
    HashMismatch { file: String, package: String },
    #[error("the packages that `{file}` asks for can not be had together: {why}")]
    Unresolvable { file: String, why: String },
    /// The package with the marks of a name, or words for one that is not named.
    #[error("{package} of `{file}` could not be built: {why}")]
    NotBuilt { file: String, package: String, why: String },
    #[error("the package index refuses us: {why}")]
    Refused { why: String },
    #[error("{doing} got no answer: {why}")]
    Unreachable { doing: String, why: String },
    #[error("`{tool}` is missing, and `{file}` needs it")]
    NoTool { tool: &'static str, file: String },
    #[error("{doing} took longer than {} s", limit.as_secs())]
    TooLong { doing: String, limit: Duration },
    /// Something that we do not know better.
    #[error("{doing} failed: {why}")]
    Failed { doing: String, why: String },
    #[error("the folder of environments, `{}`, can not be used", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        source: FileError,
    },
}

impl EnvironmentError {
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotLocked { .. }
            | Self::Stale { .. }
            | Self::Unreadable { .. }
            | Self::Unsupported { .. }
            | Self::Absent { .. }
            | Self::NoPython { .. }
            | Self::HashMismatch { .. }
            | Self::Unresolvable { .. }
            | Self::NotBuilt { .. }
            | Self::Refused { .. } => Fault::Repository,
            Self::Unreachable { .. }
            | Self::NoTool { .. }
            | Self::TooLong { .. }
            | Self::Failed { .. }
            | Self::Folder { .. } => Fault::World,
        }
    }

    /// The file of the repository that it is about.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::NotLocked { file, .. }
            | Self::Unreadable { file, .. }
            | Self::Unsupported { file, .. }
            | Self::HashMismatch { file, .. }
            | Self::Unresolvable { file, .. }
            | Self::NotBuilt { file, .. }
            | Self::NoTool { file, .. }
            | Self::Stale { lock: file, .. }
            | Self::NoPython { from: file, .. } => Some(file),
            Self::Absent { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::TooLong { .. }
            | Self::Failed { .. }
            | Self::Folder { .. } => None,
        }
    }

    /// What mends it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotLocked { mend, .. } | Self::Stale { mend, .. } => {
                format!("run `{mend}` and commit what it writes")
            }
            Self::Absent { mend, .. } => format!("run `{mend}`, or write `environment: auto`"),
            Self::Unsupported { help, .. } => (*help).to_owned(),
            Self::NoPython { wanted, .. } => format!(
                "install Python {wanted} with `uv python install`, or ask for one that is here in `.python-version`"
            ),
            Self::HashMismatch { package, .. } => format!(
                "if you trust the new file, lock `{package}` again; if nothing was published anew, find out who changed it"
            ),
            Self::Unresolvable { .. } => "change the versions that contradict each other, and lock again".to_owned(),
            Self::NotBuilt { .. } => {
                "lock a version that has a wheel for this Python and platform, or install what the build needs"
                    .to_owned()
            }
            Self::Refused { .. } => {
                "commands get no credentials of indexes: use one that needs none, such as a mirror inside your network"
                    .to_owned()
            }
            Self::Unreachable { .. } => "run it again when that address can be reached".to_owned(),
            Self::NoTool { tool: "uv", .. } => {
                "install uv: `pipx install uv`, or `curl -LsSf https://astral.sh/uv/install.sh | sh`".to_owned()
            }
            Self::NoTool { .. } => "install Python with its `venv` module: `apt-get install python3-venv`".to_owned(),
            Self::Unreadable { .. } | Self::TooLong { .. } | Self::Failed { .. } | Self::Folder { .. } => return None,
        })
    }
}

fn listed(pythons: &[String]) -> String {
    match pythons {
        [] => "is none at all".to_owned(),
        [only] => format!("is {only}"),
        [first @ .., last] => format!("are {} and {last}", first.join(", ")),
    }
}
