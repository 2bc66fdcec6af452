//! What linters print for people. Pure.
//!
//! One reader knows the forms of all of them, so that a command that runs several can be read too:
//!
//! ```text
//! app/load.py:1:8: F401 [*] `os` imported but unused      flake8, ruff, pylint, mypy, cargo --message-format short
//! F401 [*] `os` imported but unused ⏎ --> app/load.py:1:8  ruff since 0.13, cargo
//! --- app/load.py ⏎ +++ app/load.py ⏎ @@ -1,3 +1,4 @@      black, isort and ruff with --diff
//! Diff in /repo/src/main.rs:2:                            cargo fmt
//! would reformat app/load.py                              black, isort and ruff without --diff
//! ::error file=app/load.py,line=1::…                      whatever writes for a runner
//! ```

use std::collections::BTreeSet;

use super::finding::{Cell, Cells, Severity};
use super::json::pylint_url;
use super::parse::{Raw, Sink, inert};
use super::patch::{Body, Hunk, Line};
use super::tools::Kind;
use crate::base::{counted, without_escapes};

/// A longer line is left out.
const MAX_LINE_BYTES: usize = 16 * 1024;
const MAX_MESSAGE_CHARS: usize = 1_000;
/// As much as is shown of a line as a formatter would write it.
const MAX_SHOWN_CHARS: usize = 120;

/// Reads the two outputs of a command.
pub(super) fn read(kind: Option<Kind>, stdout: &str, stderr: &str, sink: &mut Sink<'_>) {
    let mut reader = Reader {
        kind,
        sink,
        with_diff: BTreeSet::new(),
        whole: Vec::new(),
        open: Open::Nothing,
    };
    for output in [stdout, stderr] {
        let plain = without_escapes(output);
        let lines: Vec<&str> = plain.lines().collect();
        reader.open = Open::Nothing;
        reader.lines(&lines);
    }
    reader.done();
}

/// What the first of two lines says, whose second says where.
struct Header<'t> {
    rule: Option<&'t str>,
    severity: Severity,
    message: &'t str,
    is_mendable: bool,
}

/// What the lines after a finding may still tell of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// Advice behind the picture of the code.
    Advice { is_mendable: bool },
    /// The rest of a message that mypy wrapped.
    Wrapped,
}

struct Reader<'r, 's> {
    kind: Option<Kind>,
    sink: &'r mut Sink<'s>,
    /// Files of which it is known which lines are to change.
    with_diff: BTreeSet<String>,
    /// Files that a formatter named.
    whole: Vec<(String, &'static str)>,
    open: Open,
}

impl Reader<'_, '_> {
    fn lines(&mut self, lines: &[&str]) {
        let mut file = None;
        let mut header = None;
        let mut at = 0;
        while let Some(line) = lines.get(at).copied() {
            at += 1;
            if line.len() > MAX_LINE_BYTES {
                continue;
            }
            if let Some(old) = line.strip_prefix("--- ")
                && lines.get(at).is_some_and(|next| next.starts_with("+++ "))
            {
                file = Some(DiffFile::named(old));
                at += 1;
            } else if let (Some(file), Some(hunk)) = (&file, Hunk::read(line)) {
                at += self.hunk(file, hunk, &lines[at..]);
            } else if let Some((path, start)) = rustfmt(line) {
                let n = lines[at..]
                    .iter()
                    .take_while(|line| line.starts_with([' ', '-', '+']))
                    .count();
                // As many lines on both sides as there could be at most.
                let most = u32::try_from(n).unwrap_or(u32::MAX);
                let hunk = Hunk {
                    old: start,
                    n_old: most,
                    new: start,
                    n_new: most,
                };
                let file = DiffFile { path, cell: None };
                self.hunk(&file, hunk, &lines[at..at + n]);
                at += n;
            } else {
                header = self.line(line, header.take());
            }
        }
    }

    /// Takes the header that the line before was, and gives the one that this line is.
    fn line<'t>(&mut self, line: &'t str, header: Option<Header<'_>>) -> Option<Header<'t>> {
        if let Some(rest) = line.trim_start().strip_prefix("--> ") {
            if let (Some(header), Some(spot)) = (header, Spot::read(rest)) {
                self.push_below(&header, &spot);
            }
            return None;
        }
        if self.whole_file(line) || self.broken(line) || self.runner_command(line) || self.advice(line) {
            return None;
        }
        if let Some(spot) = Spot::read(line)
            && let Some(said) = Said::read(self.kind, spot.rest)
        {
            self.push(&spot, &said);
            return None;
        }
        if self.open == Open::Wrapped && !line.is_empty() && !line.starts_with([' ', '\t']) {
            self.unwrap_line(line);
            return None;
        }
        if self.open == Open::Wrapped {
            self.open = Open::Nothing;
        }
        header_of(line)
    }

    fn push_below(&mut self, header: &Header<'_>, spot: &Spot<'_>) {
        self.open = Open::Advice {
            is_mendable: header.is_mendable,
        };
        self.sink.push(Raw {
            fix: header.is_mendable.then(|| "`ruff check --fix` mends it".to_owned()),
            rule: header.rule,
            severity: Some(header.severity),
            message: header.message,
            ..spot.raw()
        });
    }

    fn push(&mut self, spot: &Spot<'_>, said: &Said<'_>) {
        let mut raw = spot.raw();
        // A note of mypy is about the error before it, if that is about the same line.
        if said.form == Form::Words
            && said.severity == Severity::Note
            && let Some(last) = self.sink.findings.last_mut()
            && last.severity != Severity::Note
            && self.sink.n_dropped == 0
            && last.cell.map(|cell| cell.line).or(last.line) == raw.line
            && self.sink.place.relative(raw.path).as_deref() == Some(last.path.as_str())
        {
            last.message = inert(&format!("{}; {}", last.message, said.message), MAX_MESSAGE_CHARS);
            return;
        }
        if said.form == Form::Pylint {
            raw.column = raw.column.map(|column| column.saturating_add(1));
        }
        let is_wrapped = said.form == Form::Words && said.rule.is_none() && self.kind.is_none_or(|k| k == Kind::Mypy);
        self.open = match said.form {
            Form::Words if is_wrapped => Open::Wrapped,
            Form::Code => Open::Advice {
                is_mendable: said.is_mendable,
            },
            _ => Open::Nothing,
        };
        self.sink.push(Raw {
            rule: said.rule,
            severity: Some(said.severity),
            message: said.message,
            fix: said.is_mendable.then(|| "`ruff check --fix` mends it".to_owned()),
            url: said.url.clone(),
            ..raw
        });
    }

    /// Advice, and where a rule is explained.
    fn advice(&mut self, line: &str) -> bool {
        let Open::Advice { is_mendable } = self.open else {
            return false;
        };
        let Some(what) = line.trim_start().trim_start_matches("= ").strip_prefix("help: ") else {
            return false;
        };
        let (Some(last), 0) = (self.sink.findings.last_mut(), self.sink.n_dropped) else {
            return false;
        };
        if let Some(url) = what.strip_prefix("for further information visit ") {
            if last.url.is_none() && url.starts_with("https://rust-lang.github.io/") && url.len() < 200 {
                last.url = Some(inert(url, 200));
                if let (None, Some((_, name))) = (&last.rule, url.rsplit_once('#')) {
                    last.rule = Some(inert(&format!("clippy::{name}"), 100));
                }
            }
        } else if is_mendable {
            last.fix = Some(inert(&format!("{what}: `ruff check --fix` mends it"), MAX_MESSAGE_CHARS / 2));
            self.open = Open::Advice { is_mendable: false };
        } else if last.fix.is_none() {
            last.fix = Some(inert(what, MAX_MESSAGE_CHARS / 2));
        }
        true
    }

    fn unwrap_line(&mut self, line: &str) {
        if line.starts_with("Found ") || self.sink.n_dropped > 0 {
            self.open = Open::Nothing;
            return;
        }
        let (more, code) = with_code(line);
        if let Some(last) = self.sink.findings.last_mut() {
            last.message = inert(&format!("{} {more}", last.message), MAX_MESSAGE_CHARS);
            if let Some(code) = code {
                last.rule = Some(inert(code, 100));
                last.url = Kind::Mypy.url(code);
            }
        }
        if code.is_some() {
            self.open = Open::Nothing;
        }
    }

    /// A formatter names a file that it would write anew.
    fn whole_file(&mut self, line: &str) -> bool {
        let named = if let Some(path) = line.strip_prefix("would reformat ") {
            Some((path, "`black` mends it"))
        } else if let Some(path) = line.strip_prefix("Would reformat: ") {
            Some((path, "`ruff format` mends it"))
        } else {
            line.strip_prefix("ERROR: ")
                .and_then(|rest| rest.strip_suffix(" Imports are incorrectly sorted and/or formatted."))
                .map(|path| (path, "`isort` mends it"))
        };
        let Some((path, fix)) = named else {
            return false;
        };
        self.whole.push((path.to_owned(), fix));
        true
    }

    /// A formatter can not read a file.
    fn broken(&mut self, line: &str) -> bool {
        let Some(rest) = line.strip_prefix("error: ") else {
            return false;
        };
        let mut raw = Raw::default();
        if let Some(rest) = rest
            .strip_prefix("Failed to parse ")
            .or_else(|| rest.strip_prefix("cannot parse: "))
        {
            let Some(spot) = Spot::read(rest) else {
                return false;
            };
            raw = Raw {
                message: if spot.rest.is_empty() {
                    "this can not be parsed"
                } else {
                    spot.rest
                },
                ..spot.raw()
            };
        } else if let Some(rest) = rest.strip_prefix("cannot format ") {
            let Some((path, why)) = rest.split_once(": ") else {
                return false;
            };
            raw.path = path;
            raw.message = why;
            // `Cannot parse: 1:9: def half(:` and `Cannot parse for target version Python 3.13: 1:9: …`.
            if let Some(place) = why.strip_prefix("Cannot parse")
                && let Some((_, place)) = place.split_once(": ")
                && let Some((line, rest)) = place.split_once(':')
                && let Some((column, _)) = rest.split_once(':')
            {
                raw.line = line.parse().ok();
                raw.column = column.parse().ok();
            }
        } else {
            return false;
        }
        raw.rule = Some("invalid-syntax");
        self.open = Open::Nothing;
        self.sink.push(raw);
        true
    }

    /// `::error title=Ruff (E401),file=app/load.py,line=1,col=8::app/load.py:1:8: E401 …`
    fn runner_command(&mut self, line: &str) -> bool {
        let Some(rest) = line.strip_prefix("::") else {
            return false;
        };
        let Some((head, message)) = rest.split_once("::") else {
            return false;
        };
        let (level, properties) = head.split_once(' ').unwrap_or((head, ""));
        let severity = match level {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "notice" => Severity::Note,
            _ => return false,
        };
        let message = unescaped(message);
        let mut path = String::new();
        let mut title = String::new();
        let mut raw = Raw::default();
        for (name, value) in properties.split(',').filter_map(|pair| pair.split_once('=')) {
            match name.trim() {
                "file" => path = unescaped(value),
                "title" => title = unescaped(value),
                "line" => raw.line = value.parse().ok(),
                "col" => raw.column = value.parse().ok(),
                "endLine" => raw.end_line = value.parse().ok(),
                "endColumn" => raw.end_column = value.parse().ok(),
                _ => {}
            }
        }
        let in_title = title.strip_suffix(')').and_then(|title| title.rsplit_once(" ("));
        let again = Spot::read(&message).and_then(|spot| Said::read(self.kind, spot.rest));
        let (rule, said) = match &again {
            Some(said) => (said.rule, said.message),
            None => (in_title.map(|(_, rule)| rule), message.as_str()),
        };
        self.open = Open::Nothing;
        self.sink.push(Raw {
            path: &path,
            rule,
            severity: Some(severity),
            message: said,
            ..raw
        });
        true
    }

    /// One finding for every run of lines that would change. Returns how many lines the hunk took.
    fn hunk(&mut self, file: &DiffFile<'_>, hunk: Hunk, lines: &[&str]) -> usize {
        self.open = Open::Nothing;
        if let Some(path) = self.sink.place.relative(file.path) {
            self.with_diff.insert(path);
        }
        let mut body = Body::new(hunk, lines);
        let mut change = Change::default();
        for (line, old, _) in body.by_ref() {
            match line {
                Line::Kept => self.change(file, &std::mem::take(&mut change), Some(old)),
                Line::Removed(_) => {
                    change.old.get_or_insert(old);
                    change.n_removed += 1;
                }
                Line::Added(text) => {
                    change.old.get_or_insert(old);
                    change.added.push(text);
                }
            }
        }
        let n_taken = body.n_taken;
        self.change(file, &change, None);
        n_taken
    }

    fn change(&mut self, file: &DiffFile<'_>, change: &Change<'_>, kept_behind: Option<u32>) {
        let Some(old) = change.old else {
            return;
        };
        let (line, end_line) = match (change.n_removed, kept_behind) {
            (0, Some(behind)) => (old.saturating_sub(1).max(1), behind),
            (0, None) => {
                let before = old.saturating_sub(1).max(1);
                (before, before)
            }
            (n, _) => (old, old.saturating_add(n - 1)),
        };
        let formatter = self.kind.and_then(Kind::formatter);
        let who = formatter.map_or_else(|| "the formatter".to_owned(), |(name, _)| format!("`{name}`"));
        self.sink.push(Raw {
            path: file.path,
            cell: file.cell.map(|(number, of)| Cell {
                number,
                of,
                line,
                end_line,
            }),
            line: Some(line),
            end_line: Some(end_line),
            message: &format!("{who} would {}", change.wanted()),
            fix: formatter.map(|(_, fix)| fix.to_owned()),
            ..Raw::default()
        });
    }

    fn done(self) {
        for (path, fix) in self.whole {
            let relative = self.sink.place.relative(&path);
            if relative.is_some_and(|path| self.with_diff.contains(&path)) {
                continue;
            }
            self.sink.push(Raw {
                path: &path,
                message: if fix.contains("isort") {
                    "the imports are not sorted"
                } else {
                    "the file is not formatted"
                },
                fix: Some(fix.to_owned()),
                ..Raw::default()
            });
        }
    }
}

/// Lines next to each other that a formatter would change.
#[derive(Default)]
struct Change<'t> {
    /// Of the first one; where nothing is removed, of the line that the new ones come before.
    old: Option<u32>,
    n_removed: u32,
    added: Vec<&'t str>,
}

impl Change<'_> {
    fn wanted(&self) -> String {
        let code = |line: &str| format!("`{}`", inert(&line.replace('`', "'"), MAX_SHOWN_CHARS));
        let n = self.added.len();
        let filled = self.added.iter().find(|line| !line.trim().is_empty());
        let n_removed = usize::try_from(self.n_removed).unwrap_or(usize::MAX);
        match (self.n_removed, filled) {
            (_, None) if n == 0 => format!("leave out {}", counted(n_removed, "line")),
            (0, None) => format!("put {} here", counted(n, "empty line")),
            (0, Some(first)) if n == 1 => format!("put {} here", code(first)),
            (0, Some(first)) => format!("put {} here, with {}", counted(n, "line"), code(first)),
            (_, None) => format!("leave {} here", counted(n, "empty line")),
            (_, Some(first)) if n == 1 => format!("write {}", code(first)),
            (_, Some(first)) => format!("write {} here, with {}", counted(n, "line"), code(first)),
        }
    }
}

struct DiffFile<'t> {
    path: &'t str,
    cell: Option<(u32, Cells)>,
}

impl<'t> DiffFile<'t> {
    /// By what stands behind `---`: a path, `:before` of isort, a tab and a time, and the cell: ruff's `:cell 2` counts
    /// all cells from 1, black's `:cell_1` behind the time counts all from 0.
    fn named(text: &'t str) -> Self {
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
fn rustfmt(line: &str) -> Option<(&str, u32)> {
    let rest = line.strip_prefix("Diff in ")?.strip_suffix(':')?;
    let (path, number) = rest.rsplit_once(" at line ").or_else(|| rest.rsplit_once(':'))?;
    Some((path, number.parse().ok()?))
}

/// `path:line:column:end_line:end_column: rest`, of which all but path and line may be absent, and with a cell.
struct Spot<'t> {
    path: &'t str,
    cell: Option<(u32, Cells)>,
    /// Line, column, end line, end column.
    numbers: [Option<u32>; 4],
    rest: &'t str,
}

impl<'t> Spot<'t> {
    fn read(text: &'t str) -> Option<Self> {
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

    fn raw(&self) -> Raw<'t> {
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
enum Form {
    /// `error: …  [code]`
    Words,
    /// `C0114: … (symbol)`
    Pylint,
    /// `F401 …`, `[F401] …`
    Code,
}

/// What stands behind a place.
struct Said<'t> {
    form: Form,
    rule: Option<&'t str>,
    severity: Severity,
    message: &'t str,
    is_mendable: bool,
    url: Option<String>,
}

impl<'t> Said<'t> {
    fn read(kind: Option<Kind>, text: &'t str) -> Option<Self> {
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
                url: rule.filter(|_| kind != Some(Kind::Clippy)).and_then(|rule| Kind::Mypy.url(rule)),
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
fn with_code(message: &str) -> (&str, Option<&str>) {
    let Some((before, code)) = message
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
        .filter(|(before, _)| before.is_empty() || before.ends_with("  "))
    else {
        return (message, None);
    };
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'0'..=b'9'));
    if is_code {
        (before.trim_end(), Some(code))
    } else {
        (message, None)
    }
}

/// `error[E0308]: mismatched types`, `F401 [*] unused import`, `unformatted: File would be reformatted`.
fn header_of(line: &str) -> Option<Header<'_>> {
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
fn unescaped(text: &str) -> String {
    text.replace("%0A", "\n")
        .replace("%0D", "\r")
        .replace("%3A", ":")
        .replace("%2C", ",")
        .replace("%25", "%")
}
