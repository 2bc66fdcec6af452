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

use super::finding::{Cell, Severity};
use super::lines::{DiffFile, Form, Header, Said, Spot, header_of, rustfmt, unescaped, with_code};
use super::parse::{MAX_MESSAGE_CHARS, Raw, Sink, inert};
use super::patch::{Body, Hunk, Line};
use super::tools::Kind;
use crate::base::{counted, without_escapes};

/// A longer line is left out.
const MAX_LINE_BYTES: usize = 16 * 1024;
/// As much as is shown of a line as a formatter would write it.
const MAX_SHOWN_CHARS: usize = 120;
const UNFORMATTED: &str = "the file is not formatted";

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

/// What the lines after a finding may still tell of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nothing,
    /// Advice behind the picture of the code.
    Advice {
        is_mendable: bool,
    },
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
        if header.rule == Some("unformatted") {
            self.sink.push(Raw {
                message: UNFORMATTED,
                fix: Some("`ruff format` mends it".to_owned()),
                ..spot.raw()
            });
            return;
        }
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
            append(&mut last.message, "; ", said.message);
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
            last.fix = Some(inert(
                &format!("{what}: `ruff check --fix` mends it"),
                MAX_MESSAGE_CHARS / 2,
            ));
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
            append(&mut last.message, " ", more);
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
        let (message, help) = match message.split_once("\n  help: ") {
            Some((message, help)) => (message, Some(help.to_owned())),
            None => (message.as_str(), None),
        };
        let again = Spot::read(message).and_then(|spot| Said::read(self.kind, spot.rest));
        let (rule, said) = match &again {
            Some(said) => (said.rule, said.message),
            None => (in_title.map(|(_, rule)| rule), message),
        };
        self.open = Open::Nothing;
        self.sink.push(Raw {
            path: &path,
            rule,
            severity: Some(severity),
            message: said,
            fix: help,
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
                    UNFORMATTED
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

/// A message takes no more once it is full, however much there is.
fn append(message: &mut String, gap: &str, more: &str) {
    if message.len() < MAX_MESSAGE_CHARS {
        *message = inert(&format!("{message}{gap}{more}"), MAX_MESSAGE_CHARS);
    }
}
