//! YAML text → spanned [`Node`] tree, within limits. Pure.
//!
//! The events of the parser underneath `serde_yaml` are used instead of its serde side, since serde can carry neither
//! the place of a key, nor the text of a number, nor whether a scalar was quoted.

use serde_yaml::granit_parser::{self, ErrorKind, Parser, ScanError};

use crate::base::{Diagnostic, Diagnostics, Node, Span, Value};

use super::tree::{Builder, MAX_DEPTH, too_deep};

/// The largest file that is read.
pub const MAX_BYTES: usize = 256 * 1024;
/// What [`parse`] and [`super::check`] show when there is nothing to read.
pub const SMALLEST: &str = "model: my-model
data:
  source: data/my-data.csv
  target: the_column_to_predict
train:
  estimator: ridge";

/// The bytes of a configuration file as text.
pub fn decode(bytes: &[u8]) -> Result<&str, Diagnostics> {
    if bytes.len() > MAX_BYTES {
        return Err(too_large(bytes.len()).into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count();
        let column = before.chars().rev().take_while(|c| *c != '\n').count();
        let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            "it looks like UTF-16; save it as UTF-8"
        } else {
            "save the file as UTF-8"
        };
        Diagnostic::error("not-utf8", "the file is not UTF-8 from here on")
            .at(point(line + 1, column + 1))
            .help(help)
            .into()
    })
}

/// The tree of one YAML document.
///
/// Scalars follow the core schema of YAML 1.2: `yes`, `no`, `on` and `off` are texts, a number keeps the text it was
/// written as, a quoted scalar is a text. Aliases are expanded; an expanded node has the place of the alias, what is
/// inside it the place of its definition.
#[cfg(test)]
pub fn parse(text: &str) -> Result<Node, Diagnostics> {
    match read(text) {
        (Some(node), problems) if !problems.has_errors() => Ok(node),
        (_, problems) => Err(problems),
    }
}

/// The tree of any YAML file, such as a workflow, within the limits of a configuration.
///
/// # Errors
/// Every problem, with its place; an empty file too, which `what` names.
pub fn tree(text: &str, what: &str) -> Result<Node, Diagnostics> {
    let (node, problems) = nodes(text);
    match node {
        Some(node) if !problems.has_errors() => Ok(node),
        None if !problems.has_errors() => Err(Diagnostic::error("empty", format!("{what} is empty"))
            .at(point(1, 1))
            .into()),
        Some(_) | None => Err(problems),
    }
}

/// As [`parse`], but a duplicate or unusable key leaves a tree to go on with.
pub(super) fn read(text: &str) -> (Option<Node>, Diagnostics) {
    let (node, mut problems) = nodes(text);
    if node.is_none() && !problems.has_errors() {
        problems.push(
            Diagnostic::error("empty", "the configuration is empty")
                .at(point(1, 1))
                .help(format!("the smallest that works:\n\n{SMALLEST}\n")),
        );
    }
    (node, problems)
}

/// What stands in the text; nothing where it is empty or no YAML.
fn nodes(text: &str) -> (Option<Node>, Diagnostics) {
    if text.len() > MAX_BYTES {
        return (None, too_large(text.len()).into());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(problem) = forbidden_character(text) {
        return (None, problem.into());
    }
    let mut builder = Builder::default();
    if let Err(problem) = consume(text, &mut builder) {
        builder.problems.extend(problem);
        return (None, builder.problems);
    }
    (builder.root.filter(|node| node.value != Value::Null), builder.problems)
}

fn too_large(bytes: usize) -> Diagnostic {
    Diagnostic::error(
        "too-large",
        format!("the file has {bytes} bytes, more than {MAX_BYTES}"),
    )
    .at(point(1, 1))
    .help("move data and programs out of it")
}

/// What YAML forbids or reads as a line break that no editor shows as one.
fn forbidden_character(text: &str) -> Option<Diagnostic> {
    let bad = |c: char| {
        (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    for (number, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        for (index, c) in line.chars().enumerate() {
            let place = point(number + 1, index + 1);
            if c == '\r' {
                return Some(
                    Diagnostic::error("carriage-return", "a carriage return without a line feed")
                        .at(place)
                        .help("save the file with line feeds as line ends"),
                );
            }
            if bad(c) {
                let code = u32::from(c);
                return Some(
                    Diagnostic::error(
                        "control-character",
                        format!("the character U+{code:04X} can not stand in YAML"),
                    )
                    .at(place)
                    .help("remove it"),
                );
            }
        }
    }
    None
}

fn consume(text: &str, builder: &mut Builder) -> Result<(), Diagnostics> {
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    while let Some(next) = parser.next_event() {
        let (event, range) = next.map_err(|error| syntax(&error, text))?;
        builder.event(event, place(&range))?;
    }
    Ok(())
}

/// What the parser could not read.
fn syntax(error: &ScanError, text: &str) -> Diagnostic {
    let marker = error.marker();
    let span = point(marker.line().max(1), marker.col() + 1);
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(span);
    }
    let problem = Diagnostic::error("yaml", error.info().trim_end_matches('.').to_owned()).at(span);
    if let Some(tab) = tab_in_indentation(text, marker.line()) {
        return problem.at(tab).help("YAML is indented with spaces; replace the tab");
    }
    problem.help(match error.kind() {
        ErrorKind::UnknownAnchor => "define it before with `&name`, or quote a text that begins with `*`",
        ErrorKind::DirectiveDisallowed => "remove the line",
        _ => "look at the indentation, quotes and brackets here; a text with special characters needs quotes",
    })
}

/// A tab before the content of this line or the next one, which the parser may count to a scalar of this line.
fn tab_in_indentation(text: &str, line: usize) -> Option<Span> {
    let first = line.saturating_sub(1);
    (first..)
        .zip(text.lines().skip(first).take(2))
        .find_map(|(index, line)| {
            let indentation = line.chars().take_while(|c| matches!(c, ' ' | '\t'));
            let column = indentation.enumerate().find(|(_, c)| *c == '\t')?.0;
            Some(point(index + 1, column + 1))
        })
}

fn place(range: &granit_parser::Span) -> Span {
    let start = point(range.start.line(), range.start.col() + 1);
    if range.end.line() == range.start.line() {
        return Span::new(start.line, start.column, number(range.end.col() + 1));
    }
    start
}

fn point(line: usize, column: usize) -> Span {
    Span::new(number(line), number(column), number(column))
}

/// Files are far smaller than this saturates at.
fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::config::tree::MAX_NODES;

    /// One line a node: place, kind, value as kept.
    fn dump(node: &Node, name: &str, depth: usize, out: &mut String) {
        let Span {
            line,
            column,
            end_column,
        } = node.span;
        let place = format!("{line}:{column}-{end_column}");
        let shown = match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => format!("bool {value}"),
            Value::Number { text, .. } => format!("number {text}"),
            Value::Text(text) => format!("text {text:?}"),
            Value::List(_) => "list".to_owned(),
            Value::Map(_) => "map".to_owned(),
        };
        writeln!(out, "{place:<10}{}{name}{shown}", "  ".repeat(depth)).unwrap();
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| dump(item, "- ", depth + 1, out)),
            Value::Map(entries) => {
                for entry in entries {
                    let Span {
                        line,
                        column,
                        end_column,
                    } = entry.key_span;
                    let name = format!("{} ({line}:{column}-{end_column}): ", entry.key);
                    dump(&entry.node, &name, depth + 1, out);
                }
            }
            _ => {}
        }
    }

    fn check(text: &str) -> String {
        match parse(text) {
            Ok(node) => {
                let mut out = String::new();
                dump(&node, "", 0, &mut out);
                out
            }
            Err(mut problems) => {
                problems.locate("mlops.yaml", text);
                problems.to_string()
            }
        }
    }

    fn code(text: &str) -> &'static str {
        let problems = parse(text).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert!(problem.span.is_some(), "{problem}");
        problem.code
    }

    #[test]
    fn every_key_and_value_has_its_place() {
        let text = "model: m  # a comment\n\ndata:\n  version: 1.10\n  'quoted key': \"1.10\"\n  list:\n    - yes\n    \
                    - {a: , b: [x, 2]}\n  long: >\n    folded\n    text\n  plain text: two words  \n\
                    überschrift: \u{1f600} ü\nempty:\n";
        insta::assert_snapshot!(check(text), @r#"
        1:1-1     map
        1:8-9       model (1:1-6): text "m"
        4:3-3       data (3:1-5): map
        4:12-16       version (4:3-10): number 1.10
        5:17-23       quoted key (5:3-15): text "1.10"
        7:5-5         list (6:3-7): list
        7:7-10          - text "yes"
        8:7-7           - map
        8:9-9             a (8:8-9): null
        8:16-16           b (8:13-14): list
        8:17-18             - text "x"
        8:20-21             - number 2
        10:5-5        long (9:3-7): text "folded text\n"
        12:15-24      plain text (12:3-13): text "two words"
        13:14-17    überschrift (13:1-12): text "😀 ü"
        14:6-6      empty (14:1-6): null
        "#);
    }

    #[test]
    fn aliases_are_expanded_where_they_stand() {
        insta::assert_snapshot!(check("a: &x {k: 1}\nb: *x\nc: [*x, &y t, *y]\n"), @r#"
        1:1-1     map
        1:7-7       a (1:1-2): map
        1:11-12       k (1:8-9): number 1
        2:4-6       b (2:1-2): map
        1:11-12       k (1:8-9): number 1
        3:4-4       c (3:1-2): list
        3:5-7         - map
        1:11-12         k (1:8-9): number 1
        3:12-13       - text "t"
        3:15-17       - text "t"
        "#);
    }

    #[test]
    fn line_ends_and_marks_keep_the_places() {
        assert_eq!(check("a: 1\r\nb: c\r\n"), check("a: 1\nb: c\n"));
        assert_eq!(check("\u{feff}a: 1\n"), check("a: 1\n"));
        assert_eq!(check("a: 1"), check("a: 1\n"));
        assert_eq!(check("--- \na: 1\n...\n").lines().count(), 2);
        insta::assert_snapshot!(check("a: 1\rb: c\r"), @"
        error[carriage-return]: a carriage return without a line feed
          --> mlops.yaml:1:5
          |
        1 | a: 1�b: c
          |     ^
          = help: save the file with line feeds as line ends
        ");
        insta::assert_snapshot!(check("a: 1\n\tb: c\n"), @"
        error[yaml]: while scanning a plain scalar, found a tab
          --> mlops.yaml:2:1
          |
        2 | 	b: c
          | ^
          = help: YAML is indented with spaces; replace the tab
        ");
        insta::assert_snapshot!(check("a: \"x\u{1b}[31m\"\n"), @r#"
        error[control-character]: the character U+001B can not stand in YAML
          --> mlops.yaml:1:6
          |
        1 | a: "x�[31m"
          |      ^
          = help: remove it
        "#);
    }

    #[test]
    fn problems_with_keys_come_together() {
        let text = "a: 1\na: 2\n? [x]\n: 3\n: 4\n<<: {b: 1}\n'<<': fine\ntagged: !!str 5\ndeep: {b: 1, 'b': 2}\n";
        insta::assert_snapshot!(check(text), @"
        error[duplicate-key]: `a` is given twice
          --> mlops.yaml:2:1
          |
        2 | a: 2
          | ^
          = help: it is on line 1, column 1 too; remove one of them

        error[bad-key]: a key can not be a list
          --> mlops.yaml:3:3
          |
        3 | ? [x]
          |   ^
          = help: write `key: value` with a text as key

        error[bad-key]: a key is missing here
          --> mlops.yaml:5:1
          |
        5 | : 4
          | ^
          = help: write `key: value`; quote a key that is named `null` or `~`

        error[merge-key]: merge keys (`<<`) are not read
          --> mlops.yaml:6:1
          |
        6 | <<: {b: 1}
          | ^^
          = help: write the keys out, or use an alias for a whole value

        error[tag]: YAML tags such as `!!str` are not read
          --> mlops.yaml:8:15
          |
        8 | tagged: !!str 5
          |               ^
          = help: remove the tag; quotes make a text

        error[duplicate-key]: `b` is given twice
          --> mlops.yaml:9:14
          |
        9 | deep: {b: 1, 'b': 2}
          |              ^^^
          = help: it is on line 9, column 8 too; remove one of them
        ");
    }

    #[test]
    fn what_is_not_yaml_has_a_place() {
        insta::assert_snapshot!(check("a: [1, 2\nb: 3\n"), @"
        error[yaml]: illegal placement of ':' indicator
          --> mlops.yaml:2:2
          |
        2 | b: 3
          |  ^
          = help: look at the indentation, quotes and brackets here; a text with special characters needs quotes
        ");
        insta::assert_snapshot!(check("a: 'open\n"), @"
        error[yaml]: unclosed quote
          --> mlops.yaml:1:4
          |
        1 | a: 'open
          |    ^
          = help: look at the indentation, quotes and brackets here; a text with special characters needs quotes
        ");
        insta::assert_snapshot!(check("a: b: c\n"), @"
        error[yaml]: mapping values are not allowed in this context
          --> mlops.yaml:1:5
          |
        1 | a: b: c
          |     ^
          = help: look at the indentation, quotes and brackets here; a text with special characters needs quotes
        ");
        insta::assert_snapshot!(check("a: *nowhere\n"), @"
        error[yaml]: while parsing node, found unknown anchor
          --> mlops.yaml:1:4
          |
        1 | a: *nowhere
          |    ^
          = help: define it before with `&name`, or quote a text that begins with `*`
        ");
        insta::assert_snapshot!(check("a: &a [*a]\n"), @"
        error[endless-alias]: this alias stands inside what it stands for
          --> mlops.yaml:1:8
          |
        1 | a: &a [*a]
          |        ^^
          = help: write the value out
        ");
        insta::assert_snapshot!(check("a: 1\n---\nb: 2\n"), @"
        error[several-documents]: a second YAML document begins here
          --> mlops.yaml:2:1
          |
        2 | ---
          | ^^^
          = help: keep one document in the file: remove this `---` and what follows
        ");
        insta::assert_snapshot!(check("%YAML 1.2\n---\nb: 2\n"), @"
        error[yaml]: YAML directives are disallowed
          --> mlops.yaml:1:1
          |
        1 | %YAML 1.2
          | ^
          = help: remove the line
        ");
    }

    #[test]
    fn an_empty_file_shows_the_smallest() {
        insta::assert_snapshot!(check("# nothing\n"), @"
        error[empty]: the configuration is empty
          --> mlops.yaml:1:1
          |
        1 | # nothing
          | ^
          = help: the smallest that works:

        model: my-model
        data:
          source: data/my-data.csv
          target: the_column_to_predict
        train:
          estimator: ridge
        ");
        for text in ["", "\n\n", "---\n", "~", "null", "\u{feff}"] {
            assert_eq!(code(text), "empty", "{text:?}");
        }
    }

    #[test]
    fn bombs_are_refused_by_count() {
        let mut laughs = "a0: &a0 [l, l, l, l, l, l, l, l, l]\n".to_owned();
        for level in 1..10 {
            let before = level - 1;
            let row = vec![format!("*a{before}"); 9].join(", ");
            writeln!(laughs, "a{level}: &a{level} [{row}]").unwrap();
        }
        assert_eq!(code(&laughs), "too-large");

        let long = "x".repeat(100_000);
        let copies = "*a, ".repeat(15_000);
        assert_eq!(code(&format!("a: &a {long}\nb: [{copies}]\n")), "too-large");

        assert_eq!(code(&"[".repeat(100_000)), "too-deep");
        assert_eq!(code(&"{".repeat(100_000)), "too-deep");
        assert_eq!(code(&"[{".repeat(100_000)), "too-deep");
        assert_eq!(code(&"- ".repeat(100_000)), "too-deep");
        assert_eq!(code(&"? ".repeat(100_000)), "too-deep");
        let mut chain = "a0: &a0 []\n".to_owned();
        for level in 1..40 {
            writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
        }
        assert_eq!(code(&chain), "too-deep");
        assert_eq!(code(&format!("a: [{}]", "1,".repeat(30_000))), "too-large");
        assert_eq!(code(&"#".repeat(MAX_BYTES + 1)), "too-large");
    }

    #[test]
    fn as_deep_as_allowed_is_fine() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(code(&nested(MAX_DEPTH + 1)), "too-deep");
        assert!(parse(&format!("[{}]", "1,".repeat(MAX_NODES - 1))).is_ok());
        assert_eq!(code(&format!("[{}]", "1,".repeat(MAX_NODES))), "too-large");
    }

    #[test]
    fn bytes_that_are_not_utf8_have_a_place() {
        let shown = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        insta::assert_snapshot!(shown(b"model: m\ndata: \xfc\n"), @"
        error[not-utf8]: the file is not UTF-8 from here on
          --> 2:7
          = help: save the file as UTF-8
        ");
        insta::assert_snapshot!(shown(b"\xff\xfem\0o\0"), @"
        error[not-utf8]: the file is not UTF-8 from here on
          --> 1:1
          = help: it looks like UTF-16; save it as UTF-8
        ");
        assert!(decode(&vec![b'#'; MAX_BYTES + 1]).is_err());
        assert_eq!(decode(b"a: 1").unwrap(), "a: 1");
    }
}
