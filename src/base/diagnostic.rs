//! Problems in files that people wrote: one value, many renderers.

use std::fmt;
use std::sync::Arc;

use super::Span;

/// How much a diagnostic matters: an error stops the run, a warning is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// One problem in a file that somebody wrote, with the place and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable and greppable, such as `unknown-key`.
    pub code: &'static str,
    pub severity: Severity,
    /// What is wrong: lowercase, no full stop, literals in backticks.
    pub message: String,
    /// What to change.
    pub help: Option<String>,
    pub span: Option<Span>,
    /// The file as the user named it; set by whoever read the file, see [`Diagnostics::locate`].
    pub file: Option<Arc<str>>,
    /// The line at fault, shortened.
    pub snippet: Option<String>,
}

impl Diagnostic {
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            span: None,
            file: None,
            snippet: None,
        }
    }

    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn file(mut self, file: &str) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Keeps the line at fault, at most 160 characters of it.
    #[must_use]
    pub fn snippet(mut self, line: &str) -> Self {
        let line = line.trim_end();
        self.snippet = Some(if line.chars().count() > 160 {
            line.chars().take(159).chain(['…']).collect()
        } else {
            line.to_owned()
        });
        self
    }
}

/// The plain form, several lines: `error[code]: message`, place, snippet with a caret, help. No colour.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}[{}]: {}", self.code, printable(&self.message))?;
        let file = self.file.as_deref().map(printable);
        match (file, self.span) {
            (Some(file), Some(span)) => write!(f, "\n  --> {file}:{}:{}", span.line, span.column)?,
            (Some(file), None) => write!(f, "\n  --> {file}")?,
            (None, Some(span)) => write!(f, "\n  --> {}:{}", span.line, span.column)?,
            (None, None) => {}
        }
        if let (Some(snippet), Some(span)) = (&self.snippet, self.span) {
            let number = span.line.to_string();
            let gutter = " ".repeat(number.len());
            let column = span.column.max(1) as usize;
            let width = span.end_column.saturating_sub(span.column).clamp(1, 60) as usize;
            write!(f, "\n{gutter} |\n{number} | {}", printable(snippet))?;
            if column <= snippet.chars().count() {
                write!(f, "\n{gutter} | {}{}", " ".repeat(column - 1), "^".repeat(width))?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {}", printable(help))?;
        }
        Ok(())
    }
}

/// Control characters become `\u{fffd}`, so that a hostile file can not steer a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Every problem found in one pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Gives every diagnostic without a file this file's name and the line of `text` at its span; sorts by place.
    pub fn locate(&mut self, file: &str, text: &str) {
        let name: Arc<str> = file.into();
        // A byte order mark has no column of its own.
        let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect();
        for diagnostic in self.0.iter_mut().filter(|d| d.file.is_none()) {
            diagnostic.file = Some(Arc::clone(&name));
            if let (None, Some(span)) = (&diagnostic.snippet, diagnostic.span) {
                let line = lines.get(span.line.saturating_sub(1) as usize).unwrap_or(&"");
                *diagnostic = diagnostic.clone().snippet(line);
            }
        }
        self.sort();
    }

    /// By place; what has none comes first. What is at the same place keeps its order.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|d| d.span.map_or((0, 0), |s| (s.line, s.column)));
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// Nobody mends more than this at once, and a hostile file has thousands.
const MAX_SHOWN: usize = 100;

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().take(MAX_SHOWN).enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            n_more => write!(f, "\n\nand {n_more} more problems"),
        }
    }
}

/// The known name nearest to what was written, if it is near enough to be a slip.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let length = lower.chars().count();
    known
        .into_iter()
        .filter_map(|name| {
            let known_length = name.chars().count();
            let near = (known_length.max(length) / 3).max(1);
            // The difference in length is a lower bound; a text of any size is told apart without a table for it.
            if known_length.abs_diff(length) > near {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&lower, name);
            (distance <= near).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// What somebody wrote, as a message shows it: on one line and at most 64 characters.
pub fn shortened(written: &str) -> String {
    let mut shown: String = written
        .chars()
        .take(65)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if let Some((cut, _)) = shown.char_indices().nth(64) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_place_snippet_and_help() {
        let mut all = Diagnostics::from(
            Diagnostic::error("unknown-key", "unknown key `taget`")
                .at(Span::new(3, 3, 8))
                .help("did you mean `target`?"),
        );
        all.locate("mlops.yaml", "model: m\ndata:\n  taget: y\n");
        insta::assert_snapshot!(all.to_string(), @r"
        error[unknown-key]: unknown key `taget`
          --> mlops.yaml:3:3
          |
        3 |   taget: y
          |   ^^^^^
          = help: did you mean `target`?
        ");
    }

    #[test]
    fn nearest_is_near() {
        assert_eq!(nearest("estimater", ["estimator", "params"]), Some("estimator"));
        assert_eq!(nearest("zzz", ["estimator", "params"]), None);
    }

    #[test]
    fn thousands_of_problems_are_counted() {
        let problems: Diagnostics = (0..5000).map(|_| Diagnostic::error("wrong", "this is wrong")).collect();
        let shown = problems.to_string();
        assert_eq!(shown.matches("error[wrong]").count(), MAX_SHOWN);
        assert!(shown.ends_with("and 4900 more problems"), "{shown}");
    }
}
