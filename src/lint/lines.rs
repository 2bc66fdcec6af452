//! The forms of lines that linters print. Pure.

use super::finding::{Cell, Cells, Severity};
use super::json::pylint_url;
use super::parse::Raw;
use super::tools::Kind;

/// What the first of two lines says, whose second says where.
pub(super) struct Header<'t> {
    pub rule: Option<&'t str>,
    pub severity: Severity,
    pub message: &'t str,
    pub is_mendable: bool,
}

pub(super) struct DiffFile<'t> {
    pub path: &'t str,
    pub cell: Option<(u32, Cells)>,
}

impl<'t> DiffFile<'t> {
    /// By what stands behind `---`: a path, `:before` of isort, a tab and a time, and the cell: ruff's `:cell 2` counts
    /// all cells from 1, black's `:cell_1` behind the time counts all from 0.
    pub fn named(text: &'t str) -> Self {
        let (path, time) = text.split_once('\t').unwrap_or((text, ""));
        if let Some((_, number)) = time.rsplit_once(":cell_")
            && let Ok(number) = number.parse::<u32>()
        {
            return Self {
                path,
                cell: Some((number.saturating_add(1), Cells::All)),
            };
        }
        if let Some((path, number)) = path.rsplit_once(":cell ")
            && let Ok(number) = number.parse()
        {
            return Self {
                path,
                cell: Some((number, Cells::All)),
            };
        }
        Self {
            path: path.strip_suffix(":before").unwrap_or(path),
            cell: None,
        }
    }
}

/// `Diff in /repo/src/main.rs:2:`, before rustfmt 1.7 `Diff in /repo/src/main.rs at line 2:`.
pub(super) fn rustfmt(line: &str) -> Option<(&str, u32)> {
    let rest = line.strip_prefix("Diff in ")?.strip_suffix(':')?;
    let (path, number) = rest.rsplit_once(" at line ").or_else(|| rest.rsplit_once(':'))?;
    Some((path, number.parse().ok()?))
}

/// `path:line:column:end_line:end_column: rest`, of which all but path and line may be absent, and with a cell.
pub(super) struct Spot<'t> {
    pub path: &'t str,
    pub cell: Option<(u32, Cells)>,
    /// Line, column, end line, end column.
    pub numbers: [Option<u32>; 4],
    pub rest: &'t str,
}

impl<'t> Spot<'t> {
    pub fn read(text: &'t str) -> Option<Self> {
        if text.starts_with([' ', '\t', ':']) {
            return None;
        }
        text.match_indices(':').take(20).find_map(|(at, _)| {
            let mut rest = &text[at..];
            let mut cell = None;
            if let Some(behind) = rest.strip_prefix(":cell_") {
                // nbqa counts the cells with code.
                let (number, more) = digits(behind)?;
                cell = Some((number, Cells::Code));
                rest = more;
            } else if let Some(behind) = rest.strip_prefix(":cell ") {
                let (number, more) = digits(behind)?;
                cell = Some((number, Cells::All));
                rest = more;
            }
            let mut numbers = [None; 4];
            let mut n = 0;
            while n < 4
                && let Some(behind) = rest.strip_prefix(':')
                && let Some((number, more)) = digits(behind)
                && (more.is_empty() || more.starts_with(':'))
            {
                numbers[n] = Some(number);
                n += 1;
                rest = more;
            }
            (n > 0).then(|| Self {
                path: &text[..at],
                cell,
                numbers,
                rest: rest.strip_prefix(':').unwrap_or(rest).trim_start(),
            })
        })
    }

    pub fn raw(&self) -> Raw<'t> {
        let [line, column, end_line, end_column] = self.numbers;
        Raw {
            path: self.path,
            cell: self.cell.zip(line).map(|((number, of), line)| Cell {
                number,
                of,
                line: line.max(1),
                end_line: end_line.unwrap_or(line).max(line).max(1),
            }),
            line,
            column,
            end_line,
            // mypy, which alone prints it, names the last character.
            end_column: end_column.map(|column| column.saturating_add(1)),
            ..Raw::default()
        }
    }
}

fn digits(text: &str) -> Option<(u32, &str)> {
    let n = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((text[..n].parse().ok()?, &text[n..]))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `error: …  [code]`
    Words,
    /// `C0114: … (symbol)`
    Pylint,
    /// `F401 …`, `[F401] …`
    Code,
}

/// What stands behind a place.
pub(super) struct Said<'t> {
    pub form: Form,
    pub rule: Option<&'t str>,
    pub severity: Severity,
    pub message: &'t str,
    pub is_mendable: bool,
    pub url: Option<String>,
}

impl<'t> Said<'t> {
    pub fn read(kind: Option<Kind>, text: &'t str) -> Option<Self> {
        let plain = |form, rule, severity, message| Self {
            form,
            rule,
            severity,
            message,
            is_mendable: false,
            url: None,
        };
        if let Some((level, message)) = text.split_once(": ")
            && let Some(severity) = level_of(level)
        {
            let (message, rule) = with_code(message);
            return Some(Self {
                url: rule
                    .filter(|_| kind != Some(Kind::Clippy))
                    .and_then(|rule| Kind::Mypy.url(rule)),
                ..plain(Form::Words, rule, severity, message)
            });
        }
        if let Some((rule, message)) = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            // pylint's `parseable` has `[C0114(missing-module-docstring), ]`.
            let rule = rule.split('(').next().unwrap_or_default();
            let severity = by_letter(kind, rule);
            return is_code(rule).then(|| plain(Form::Code, Some(rule), severity, message));
        }
        if let Some((rule, message)) = text.split_once(": ")
            && is_code(rule)
            && kind.is_none_or(|kind| kind == Kind::Pylint)
        {
            let symbol = message
                .strip_suffix(')')
                .and_then(|message| message.rsplit_once('('))
                .map(|(_, symbol)| symbol);
            let category = match rule.as_bytes().first() {
                Some(b'F') => "fatal",
                Some(b'E') => "error",
                Some(b'W') => "warning",
                Some(b'C') => "convention",
                Some(b'R') => "refactor",
                _ => "information",
            };
            return Some(Self {
                url: symbol.and_then(|symbol| pylint_url(category, symbol)),
                ..plain(Form::Pylint, Some(rule), by_letter(Some(Kind::Pylint), rule), message)
            });
        }
        if let Some(message) = text
            .strip_prefix("SyntaxError: ")
            .or_else(|| text.strip_prefix("invalid-syntax: "))
        {
            return Some(plain(Form::Code, Some("invalid-syntax"), Severity::Error, message));
        }
        let (rule, message) = text.split_once(' ')?;
        if !is_code(rule) {
            return None;
        }
        let rest = message.strip_prefix("[*] ");
        Some(Self {
            is_mendable: rest.is_some(),
            ..plain(Form::Code, Some(rule), by_letter(kind, rule), rest.unwrap_or(message))
        })
    }
}

/// Words that begin a message; `help` and the like are no findings.
fn level_of(word: &str) -> Option<Severity> {
    match word {
        "error" | "fatal error" => Some(Severity::Error),
        "warning" => Some(Severity::Warning),
        "note" => Some(Severity::Note),
        _ => None,
    }
}

/// Letters, then digits: `E501`, `PLR2004`, `C0114`.
fn is_code(text: &str) -> bool {
    let n = text.bytes().take_while(u8::is_ascii_uppercase).count();
    (1..=10).contains(&n) && (1..=6).contains(&(text.len() - n)) && text[n..].bytes().all(|byte| byte.is_ascii_digit())
}

/// ruff calls everything an error; flake8 has warnings, pylint more.
fn by_letter(kind: Option<Kind>, rule: &str) -> Severity {
    match (kind, rule.as_bytes().first()) {
        (Some(Kind::Pylint | Kind::Flake8), Some(b'W')) => Severity::Warning,
        (Some(Kind::Pylint), Some(b'C' | b'R' | b'I')) => Severity::Note,
        _ => Severity::Error,
    }
}

/// The message, and the code in brackets at its end.
pub(super) fn with_code(message: &str) -> (&str, Option<&str>) {
    let Some((before, code)) = message
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
        .filter(|(before, _)| before.is_empty() || before.ends_with("  "))
    else {
        return (message, None);
    };
    let is_code = !code.is_empty()
        && code
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'0'..=b'9'));
    if is_code {
        (before.trim_end(), Some(code))
    } else {
        (message, None)
    }
}

/// `error[E0308]: mismatched types`, `F401 [*] unused import`, `unformatted: File would be reformatted`.
pub(super) fn header_of(line: &str) -> Option<Header<'_>> {
    if line.starts_with([' ', '\t']) {
        return None;
    }
    if let Some((head, message)) = line.split_once(": ") {
        let (level, rule) = match head.strip_suffix(']').and_then(|head| head.split_once('[')) {
            Some((level, rule)) => (level, Some(rule)),
            None => (head, None),
        };
        if let Some(severity) = level_of(level) {
            return Some(Header {
                rule,
                severity,
                message,
                is_mendable: false,
            });
        }
        let is_name = !head.is_empty() && head.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if is_name {
            return Some(Header {
                rule: Some(head),
                severity: Severity::Error,
                message,
                is_mendable: false,
            });
        }
    }
    let (rule, message) = line.split_once(' ')?;
    let rest = message.strip_prefix("[*] ");
    is_code(rule).then(|| Header {
        rule: Some(rule),
        severity: Severity::Error,
        message: rest.unwrap_or(message),
        is_mendable: rest.is_some(),
    })
}

/// What runners unescape.
pub(super) fn unescaped(text: &str) -> String {
    text.replace("%0A", "\n")
        .replace("%0D", "\r")
        .replace("%3A", ":")
        .replace("%2C", ",")
        .replace("%25", "%")
}
