//! One thing that a linter found, and where. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a finding matters to the tool that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
    Note,
}

impl Severity {
    /// By the words of linters, compilers and SARIF; unknown ones are nothing.
    pub fn named(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "error" | "fatal" | "failure" | "critical" | "blocker" | "high" => Some(Self::Error),
            "warning" | "warn" | "major" | "medium" => Some(Self::Warning),
            "note" | "notice" | "info" | "information" | "convention" | "refactor" | "hint" | "help" | "none"
            | "minor" | "low" => Some(Self::Note),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a number of a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cells {
    All,
    Code,
}

/// A place in a notebook, as tools name it. [`super::locate`] finds the line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// From 1.
    pub number: u32,
    pub of: Cells,
    /// From 1, within the cell.
    pub line: u32,
    pub end_line: u32,
}

/// What a tool says about a place. Every text in it is on one line, bounded, and steers nothing.
///
/// Ordered by path, line and column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Relative to the root of the repository, with `/`; empty when it is about no file of it.
    pub path: String,
    /// From 1.
    pub line: Option<u32>,
    /// From 1, in what the tool counts: characters, or bytes.
    pub column: Option<u32>,
    /// The last line of what it is about.
    pub end_line: Option<u32>,
    /// One past the last character.
    pub end_column: Option<u32>,
    pub cell: Option<Cell>,
    pub rule: Option<String>,
    pub severity: Severity,
    pub message: String,
    /// What to do, or the command that mends it.
    pub fix: Option<String>,
    pub url: Option<String>,
}

/// `path:line:column rule message`, for a log. What a runner or a terminal obeys is for whoever prints it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if !self.path.is_empty() {
            f.write_str(&self.path)?;
            gap = " ";
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            if let Some(cell) = self.cell {
                let what = match cell.of {
                    Cells::All => "cell",
                    Cells::Code => "code cell",
                };
                write!(f, " ({what} {}, line {})", cell.number, cell.line)?;
            }
        }
        for part in [self.rule.as_deref().unwrap_or_default(), &self.message] {
            if !part.is_empty() {
                write!(f, "{gap}{part}")?;
                gap = " ";
            }
        }
        Ok(())
    }
}
