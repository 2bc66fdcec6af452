//! SARIF, any JSON by the names of its fields, and lines by a user's expression. Pure.

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::finding::Severity;
use super::json::{each, number, text};
use super::parse::{Raw, Sink};
use crate::base::nearest;

/// A longer line is not held against an expression.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// What an expression may take when it is compiled.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;
const GROUPS: &[&str] = &[
    "path",
    "line",
    "column",
    "end_line",
    "end_column",
    "rule",
    "severity",
    "message",
];

/// Why an expression is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the expression can not be read: {why}")]
    Syntax { why: String },
    #[error("the expression has no group `(?<{group}>…)`")]
    Missing { group: &'static str },
    #[error("the expression has a group `{group}`, which is not known{}", hint.map(|h| format!(": did you mean `{h}`?")).unwrap_or_default())]
    Unknown { group: String, hint: Option<&'static str> },
}

/// A user's expression with named groups: `path`, and any of `line`, `column`, `end_line`, `end_column`, `rule`,
/// `severity` and `message`.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    pub fn new(expression: &str) -> Result<Self, PatternError> {
        let regex = RegexBuilder::new(expression)
            .size_limit(MAX_PATTERN_BYTES)
            .build()
            .map_err(|error| PatternError::Syntax {
                // The last line says what is wrong; those before it draw where.
                why: error
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned(),
            })?;
        if let Some(group) = regex.capture_names().flatten().find(|name| !GROUPS.contains(name)) {
            return Err(PatternError::Unknown {
                group: group.to_owned(),
                hint: nearest(group, GROUPS.iter().copied()),
            });
        }
        if !regex.capture_names().flatten().any(|name| name == "path") {
            return Err(PatternError::Missing { group: "path" });
        }
        Ok(Self(regex))
    }
}

pub(super) fn read_lines(pattern: &Pattern, output: &str, sink: &mut Sink<'_>) {
    let plain = crate::base::without_escapes(output);
    for line in plain.lines() {
        if line.len() > MAX_LINE_BYTES {
            sink.n_unread += 1;
            continue;
        }
        let Some(found) = pattern.0.captures(line) else {
            continue;
        };
        let part = |name| found.name(name).map(|part| part.as_str());
        let whole = |name| part(name).and_then(|text: &str| text.parse().ok());
        sink.push(Raw {
            path: part("path").unwrap_or_default(),
            line: whole("line"),
            column: whole("column"),
            end_line: whole("end_line"),
            end_column: whole("end_column"),
            rule: part("rule"),
            severity: part("severity").and_then(Severity::named),
            message: part("message").unwrap_or(line),
            ..Raw::default()
        });
    }
}

/// The names of the fields that hold what a finding needs, each with dots from the finding downwards: `location.row`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The list of findings; without it, the top is a list of them, or one a line.
    pub findings: Option<String>,
    pub path: String,
    pub line: Option<String>,
    pub column: Option<String>,
    pub rule: Option<String>,
    pub severity: Option<String>,
    pub message: Option<String>,
}

pub(super) fn read_mapped(mapping: &Mapping, stdout: &str, sink: &mut Sink<'_>) {
    each(stdout, sink, &mut |value, sink| {
        let list = match &mapping.findings {
            Some(name) => at(value, name).and_then(Value::as_array).map(Vec::as_slice),
            None => Some(std::slice::from_ref(value)),
        };
        sink.n_unread += usize::from(list.is_none());
        for one in list.unwrap_or_default() {
            let part = |name: &Option<String>| name.as_ref().and_then(|name| at(one, name)).map(plain);
            let whole = |name| part(name).and_then(|text| text.parse().ok());
            let Some(path) = at(one, &mapping.path).and_then(Value::as_str) else {
                sink.n_unread += 1;
                continue;
            };
            sink.push(Raw {
                path,
                line: whole(&mapping.line),
                column: whole(&mapping.column),
                rule: part(&mapping.rule).as_deref(),
                severity: part(&mapping.severity).as_deref().and_then(Severity::named),
                message: part(&mapping.message).as_deref().unwrap_or_default(),
                ..Raw::default()
            });
        }
    });
}

fn at<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    name.split('.').try_fold(value, |value, part| value.get(part))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn read_sarif(stdout: &str, sink: &mut Sink<'_>) {
    each(stdout, sink, &mut |value, sink| {
        let Some(runs) = value.get("runs").and_then(Value::as_array) else {
            sink.n_unread += 1;
            return;
        };
        for run in runs {
            for result in list(run, "results") {
                if sarif_result(run, result, sink).is_none() {
                    sink.n_unread += 1;
                }
            }
        }
    });
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn sarif_result(run: &Value, result: &Value, sink: &mut Sink<'_>) -> Option<()> {
    let is_finding = matches!(text(result, "kind"), None | Some("fail" | "review" | "open"));
    if !is_finding || !list(result, "suppressions").is_empty() {
        return Some(());
    }
    let rules = run.pointer("/tool/driver/rules").and_then(Value::as_array);
    let rules = rules.map(Vec::as_slice).unwrap_or_default();
    let id = text(result, "ruleId").or_else(|| result.get("rule").and_then(|rule| text(rule, "id")));
    let index = result.get("ruleIndex").and_then(Value::as_u64);
    let rule = match index.and_then(|index| usize::try_from(index).ok()) {
        Some(index) => rules.get(index),
        None => rules.iter().find(|rule| id.is_some() && text(rule, "id") == id),
    };
    let id = id.or_else(|| rule.and_then(|rule| text(rule, "id")));
    let level = text(result, "level").or_else(|| rule?.pointer("/defaultConfiguration/level")?.as_str());
    let said = result.get("message")?;
    let named = || {
        let strings = rule?.get("messageStrings")?;
        text(strings.get(text(said, "id")?)?, "text")
    };
    let message = text(said, "text").or_else(|| text(said, "markdown")).or_else(named)?;
    let physical = list(result, "locations")
        .first()
        .and_then(|first| first.get("physicalLocation"));
    let artifact = physical.and_then(|physical| physical.get("artifactLocation"));
    let region = physical.and_then(|physical| physical.get("region"));
    let in_region = |name| region.and_then(|region| number(region, name));
    let path = artifact
        .and_then(|artifact| text(artifact, "uri"))
        .map(decoded)
        .unwrap_or_default();
    let base = artifact
        .and_then(|artifact| text(artifact, "uriBaseId"))
        .and_then(|id| run.get("originalUriBaseIds")?.get(id))
        .and_then(|base| text(base, "uri"))
        .map(decoded);
    let line = in_region("startLine");
    sink.push(Raw {
        path: &path,
        dir: base.as_deref().filter(|base| base.starts_with('/')),
        line,
        column: in_region("startColumn"),
        end_line: in_region("endLine").or(line),
        end_column: in_region("endColumn"),
        rule: id,
        // As the format has it where nobody says anything.
        severity: level.and_then(Severity::named).or(Some(Severity::Warning)),
        message,
        fix: list(result, "fixes")
            .first()
            .and_then(|fix| text(fix.get("description")?, "text"))
            .map(str::to_owned),
        url: rule.and_then(|rule| text(rule, "helpUri")).map(str::to_owned),
        ..Raw::default()
    });
    Some(())
}

/// The path of a URI.
fn decoded(uri: &str) -> String {
    let path = match uri.strip_prefix("file://") {
        Some(rest) => &rest[rest.find('/').unwrap_or(0)..],
        None => uri.strip_prefix("file:").unwrap_or(uri),
    };
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Format, parse};
    use super::super::place::Place;
    use super::*;

    fn check(format: &Format, output: &str) -> String {
        let parsed = parse(format, output, "", Place::at("/repo"));
        let lines: Vec<String> = parsed
            .findings
            .iter()
            .map(|finding| format!("{} {finding}", finding.severity.name()))
            .collect();
        format!("{}\nunread {}", lines.join("\n"), parsed.n_unread)
    }

    #[test]
    fn lines_are_read_by_an_expression() {
        let pattern =
            Pattern::new(r"^(?<severity>\w+): (?<path>[^:]+):(?<line>\d+) (?<rule>\w+) (?<message>.*)$").unwrap();
        let output = "Linting…\n\u{1b}[31mWARN: a.R:3 T_and_F \u{1b}[0mUse TRUE\nINFO: /repo/b/c.R:99999999999 x y\n\
            odd: ../c.R:2 z w\n";
        insta::assert_snapshot!(check(&Format::Lines(pattern), output), @r#"
        error z ../c.R:2: w
        warning a.R:3 T_and_F Use TRUE
        note b/c.R x y
        unread 0
        "#);
    }

    #[test]
    fn expressions_are_checked() {
        let problem = |expression| Pattern::new(expression).unwrap_err().to_string();
        insta::assert_snapshot!(problem(r"(?<file>\w+):(?<line>\d+)"), @"the expression has a group `file`, which is not known");
        insta::assert_snapshot!(problem(r"(?<path>\w+):(?<lime>\d+)"), @"the expression has a group `lime`, which is not known: did you mean `line`?");
        insta::assert_snapshot!(problem(r"(?<line>\d+)"), @"the expression has no group `(?<path>…)`");
        insta::assert_snapshot!(problem(r"(?<path>\w+"), @"the expression can not be read: unclosed group");
        insta::assert_snapshot!(problem(r"(?<path>(\w{1000}){1000})"), @"the expression can not be read: Compiled regex exceeds size limit of 1048576 bytes.");
    }

    #[test]
    fn json_is_read_by_its_names() {
        let mapping = Mapping {
            findings: Some("files.issues".to_owned()),
            path: "where.file".to_owned(),
            line: Some("where.line".to_owned()),
            rule: Some("check".to_owned()),
            severity: Some("level".to_owned()),
            message: Some("text".to_owned()),
            ..Mapping::default()
        };
        let output = r#"{"files": {"issues": [
            {"where": {"file": "a.sql", "line": "7"}, "check": 12, "level": "note", "text": "no"},
            {"where": {"file": "b.sql", "line": 8}, "text": "yes"},
            {"where": null}, 3]}}"#;
        insta::assert_snapshot!(check(&Format::Mapped(mapping), output), @r#"
        note a.sql:7 12 no
        error b.sql:8 yes
        unread 2
        "#);
    }

    #[test]
    fn sarif_is_read_with_its_rules_and_bases() {
        let output = r#"{"version": "2.1.0", "runs": [{
            "tool": {"driver": {"name": "x", "rules": [
                {"id": "R1", "helpUri": "https://example.org/R1", "defaultConfiguration": {"level": "note"},
                 "messageStrings": {"m": {"text": "by name"}}}]}},
            "originalUriBaseIds": {"SRC": {"uri": "file:///repo/src/"}},
            "results": [
                {"ruleIndex": 0, "message": {"id": "m"}, "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": "a%20b.py", "uriBaseId": "SRC"}, "region": {"startLine": 4}}}]},
                {"ruleId": "R2", "level": "error", "message": {"text": "no place"}},
                {"ruleId": "R3", "message": {"text": "outside"}, "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": "file:///etc/passwd"}, "region": {"startLine": 1}}}]},
                {"ruleId": "R4", "kind": "pass", "message": {"text": "fine"}},
                {"ruleId": "R5", "suppressions": [{"kind": "inSource"}], "message": {"text": "allowed"}},
                {"ruleId": "R6"}
            ]}]}"#;
        insta::assert_snapshot!(check(&Format::Sarif, output), @r#"
        error R2 no place
        warning R3 /etc/passwd:1: outside
        note src/a b.py:4 R1 by name
        unread 1
        "#);
    }
}
