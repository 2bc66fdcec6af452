//! The JSON of ruff, pylint, mypy and cargo. Pure.

use serde_json::Value;

use super::finding::{Cell, Cells, Severity};
use super::parse::{Raw, Sink};
use super::tools::Kind;

/// After as many parts that are no JSON, the rest is not looked at.
const MAX_FAILURES: usize = 100;
/// As often as the whole text may be read for nothing: a value that breaks off late is read again from within.
const MAX_REREADS: usize = 4;

pub(super) fn read(kind: Kind, stdout: &str, sink: &mut Sink<'_>) {
    let one: fn(&Value, &mut Sink<'_>) -> Option<()> = match kind {
        Kind::Pylint => pylint,
        Kind::Mypy => mypy,
        Kind::Clippy => cargo,
        Kind::RuffCheck | Kind::RuffFormat | Kind::Black | Kind::Flake8 | Kind::Isort | Kind::CargoFmt => ruff,
    };
    each(stdout, sink, &mut |value, sink| {
        // The second of pylint's formats has them in a list with a name, beside statistics.
        let inner = value.get("messages").and_then(Value::as_array);
        let all = inner.map_or(std::slice::from_ref(value), Vec::as_slice);
        for value in all {
            if one(value, sink).is_none() {
                sink.n_unread += 1;
            }
        }
    });
}

/// Calls with every value of a text: of one array, of several, or one after the other as in JSON Lines. What stands
/// between them and is no JSON is skipped by the line; at the end the last one may be cut.
pub(super) fn each<'p>(text: &str, sink: &mut Sink<'p>, on_value: &mut dyn FnMut(&Value, &mut Sink<'p>)) {
    let mut at = 0;
    let mut depth = 0_usize;
    let mut n_failures = 0;
    let mut n_reread = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.as_bytes()[0];
        match first {
            b'[' => {
                depth += 1;
                at += 1;
            }
            b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b',' | b' ' | b'\n' | b'\r' | b'\t' => at += 1,
            b'{' => {
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                match values.next() {
                    Some(Ok(value)) => {
                        at += values.byte_offset();
                        on_value(&value, sink);
                        continue;
                    }
                    Some(Err(error)) => {
                        sink.n_unread += usize::from(!error.is_eof());
                        n_failures += 1;
                        n_reread += n_read(rest, &error);
                        if error.is_eof() || n_failures > MAX_FAILURES || n_reread > MAX_REREADS * text.len() {
                            sink.is_cut = true;
                            return;
                        }
                    }
                    None => {}
                }
                at += past_line(rest);
            }
            _ => {
                // Words of a wrapper or a plugin; inside of a list they are a defect.
                if depth > 0 {
                    sink.n_unread += 1;
                }
                at += past_line(rest);
            }
        }
    }
    sink.is_cut |= depth > 0;
}

/// How many bytes were read until an error.
fn n_read(rest: &str, error: &serde_json::Error) -> usize {
    let whole = error.line().saturating_sub(1);
    let before: usize = rest.split_inclusive('\n').take(whole).map(str::len).sum();
    before + error.column()
}

fn past_line(rest: &str) -> usize {
    rest.find('\n').map_or(rest.len(), |end| end + 1)
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

pub(super) fn number(value: &Value, name: &str) -> Option<u32> {
    value
        .get(name)
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
}

/// For columns that are counted from 0.
fn from_one(n: u32) -> u32 {
    n.saturating_add(1)
}

fn ruff(value: &Value, sink: &mut Sink<'_>) -> Option<()> {
    let message = text(value, "message")?;
    let start = value.get("location")?;
    let line = number(start, "row");
    let end = value.get("end_location");
    let end_line = end.and_then(|end| number(end, "row"));
    let cell = number(value, "cell").zip(line).map(|(number, line)| Cell {
        number,
        of: Cells::All,
        line,
        end_line: end_line.unwrap_or(line),
    });
    let (rule, message) = match (text(value, "code"), message.strip_prefix("SyntaxError: ")) {
        (None, Some(rest)) => (Some("invalid-syntax"), rest),
        (code, _) => (code, message),
    };
    let fix = value.get("fix").filter(|fix| !fix.is_null()).map(|fix| {
        let command = match text(fix, "applicability") {
            Some("safe") => "`ruff check --fix` mends it",
            Some("unsafe") => "`ruff check --fix --unsafe-fixes` mends it, and may change what the code does",
            _ => "to be mended by hand",
        };
        match text(fix, "message") {
            Some(what) => format!("{what}: {command}"),
            None => command.to_owned(),
        }
    });
    sink.push(Raw {
        path: text(value, "filename")?,
        cell,
        line,
        column: number(start, "column"),
        end_line,
        end_column: end.and_then(|end| number(end, "column")),
        rule,
        severity: text(value, "severity").and_then(Severity::named),
        message,
        fix,
        url: text(value, "url").map(str::to_owned),
        ..Raw::default()
    });
    Some(())
}

fn pylint(value: &Value, sink: &mut Sink<'_>) -> Option<()> {
    let category = text(value, "type")?;
    let symbol = text(value, "symbol")?;
    sink.push(Raw {
        path: text(value, "path")?,
        line: number(value, "line"),
        column: number(value, "column").map(from_one),
        end_line: number(value, "endLine"),
        end_column: number(value, "endColumn").map(from_one),
        rule: text(value, "message-id").or_else(|| text(value, "messageId")),
        severity: Severity::named(category),
        message: &format!("{} ({symbol})", text(value, "message")?),
        url: pylint_url(category, symbol),
        ..Raw::default()
    });
    Some(())
}

/// Plugins have symbols too, but no page there; nobody can tell them apart, so only plain words get a page.
pub(super) fn pylint_url(category: &str, symbol: &str) -> Option<String> {
    let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    (is_plain(category) && is_plain(symbol))
        .then(|| format!("https://pylint.readthedocs.io/en/stable/user_guide/messages/{category}/{symbol}.html"))
}

fn mypy(value: &Value, sink: &mut Sink<'_>) -> Option<()> {
    let rule = text(value, "code");
    let severity = text(value, "severity").and_then(Severity::named);
    let message = text(value, "message")?;
    let joined = match text(value, "hint") {
        Some(hint) => format!("{message}; {}", hint.replace('\n', "; ")),
        None => message.to_owned(),
    };
    sink.push(Raw {
        path: text(value, "file")?,
        line: number(value, "line"),
        column: number(value, "column").map(from_one),
        end_line: number(value, "end_line"),
        end_column: number(value, "end_column").map(from_one),
        rule,
        severity,
        message: &joined,
        url: rule.and_then(|rule| Kind::Mypy.url(rule)),
        ..Raw::default()
    });
    Some(())
}

/// A line of `cargo --message-format json`. Other reasons than messages say nothing about code.
fn cargo(value: &Value, sink: &mut Sink<'_>) -> Option<()> {
    if text(value, "reason")? != "compiler-message" {
        return Some(());
    }
    let said = value.get("message")?;
    let message = text(said, "message")?;
    let severity = match text(said, "level")? {
        "failure-note" => return Some(()),
        level if level.starts_with("error") => Severity::Error,
        level => Severity::named(level)?,
    };
    let spans = said.get("spans")?.as_array()?;
    let primary = spans
        .iter()
        .find(|span| span.get("is_primary").and_then(Value::as_bool) == Some(true));
    let Some(mut span) = primary else {
        // `aborting due to 2 previous errors` and `3 warnings emitted`.
        let is_summary = message.starts_with("aborting due to") || message.ends_with(" emitted");
        if !is_summary {
            sink.push(Raw {
                severity: Some(severity),
                message,
                ..Raw::default()
            });
        }
        return Some(());
    };
    let rule = said.get("code").and_then(|code| text(code, "code"));
    let children = said.get("children").and_then(Value::as_array);
    let (fix, url) = advice(children.map(Vec::as_slice).unwrap_or_default());
    let url = url.or_else(|| {
        let code = rule.filter(|rule| rule.len() == 5 && rule.starts_with('E'))?;
        Some(format!("https://doc.rust-lang.org/error_codes/{code}.html"))
    });
    let label = text(span, "label").filter(|label| !label.is_empty() && rule.is_some_and(|r| r.starts_with('E')));
    let joined = match label {
        Some(label) => format!("{message}: {label}"),
        None => message.to_owned(),
    };
    // Code that a macro of somebody else's made is at fault where the macro was called.
    for _ in 0..10 {
        let is_inside = text(span, "file_name").is_some_and(|name| !name.starts_with('/') && !name.starts_with('<'));
        match span.pointer("/expansion/span") {
            Some(caller) if !is_inside => span = caller,
            _ => break,
        }
    }
    let path = text(span, "file_name")?;
    let manifest = text(value, "manifest_path").unwrap_or_default();
    sink.push(Raw {
        path,
        dir: workspace(manifest, path),
        line: number(span, "line_start"),
        column: number(span, "column_start"),
        end_line: number(span, "line_end"),
        end_column: number(span, "column_end"),
        rule,
        severity: Some(severity),
        message: &joined,
        fix,
        url,
        ..Raw::default()
    });
    Some(())
}

/// The compiler runs in the root of the workspace, which cargo does not say: it is where the directory of the package,
/// taken from there, begins the path.
fn workspace<'m>(manifest: &'m str, path: &str) -> Option<&'m str> {
    let package = manifest.strip_suffix("/Cargo.toml")?;
    let starts = package.match_indices('/').map(|(at, _)| at);
    let root = starts
        .map(|at| (&package[..at], &package[at + 1..]))
        .find(|(_, below)| path.strip_prefix(below).is_some_and(|rest| rest.starts_with('/')));
    Some(root.map_or(package, |(root, _)| root))
}

/// What the children of a message advise, and where the rule is explained.
fn advice(children: &[Value]) -> (Option<String>, Option<String>) {
    let mut fix = None;
    let mut url = None;
    for child in children {
        if text(child, "level") != Some("help") {
            continue;
        }
        let Some(message) = text(child, "message") else {
            continue;
        };
        if let Some(at) = message.strip_prefix("for further information visit ") {
            url = Some(at.to_owned());
            continue;
        }
        if fix.is_some() {
            continue;
        }
        let spans = child.get("spans").and_then(Value::as_array);
        let is_sure = spans.is_some_and(|spans| {
            !spans.is_empty()
                && spans
                    .iter()
                    .all(|span| text(span, "suggestion_applicability") == Some("MachineApplicable"))
        });
        let replacement = match spans.map(Vec::as_slice) {
            Some([only]) => text(only, "suggested_replacement").filter(|with| !with.is_empty() && !with.contains('\n')),
            _ => None,
        };
        let what = match replacement {
            Some(with) => format!("{message}: `{with}`"),
            None => message.to_owned(),
        };
        fix = Some(if is_sure {
            format!("{what}; `cargo clippy --fix` mends it")
        } else {
            what
        });
    }
    (fix, url)
}
