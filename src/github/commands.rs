//! `/mlops …` in a comment: which words of it are a command, and which one. Pure.

use pulldown_cmark::{Event as Piece, Options, Parser, Tag, TagEnd};

use crate::base::{VersionNumber, nearest};

const PREFIX: &str = "/mlops";
/// The parser takes time by the square of what is open at once, seconds for the 65,536 characters that GitHub allows; who
/// asks for something needs fewer.
const MAX_BODY_BYTES: usize = 16 * 1024;
const MAX_ARGUMENTS: usize = 4;
const MAX_WORD_BYTES: usize = 120;

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Help,
    Status,
    /// What a promotion would do, without doing it.
    Plan,
    Promote {
        /// The candidate if none is named.
        version: Option<VersionNumber>,
        accept_warnings: bool,
    },
    Rollback,
    Retrain,
}

/// Why a comment that has a command can not be followed; becomes the reply, and shows nothing but plain words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("`/mlops` needs a word that says what to do")]
    Nothing,
    #[error("there is no command `{word}`{}", did_you_mean(*near))]
    Unknown { word: String, near: Option<&'static str> },
    #[error("`{command}` can not take `{word}`: write `{usage}`")]
    TooMany {
        command: &'static str,
        word: String,
        usage: &'static str,
    },
    #[error("`{word}` is not a version: write it as `v3`")]
    BadVersion { word: String },
    #[error("`{command}` has no option `{word}`{}", did_you_mean(*near))]
    UnknownOption {
        command: &'static str,
        word: String,
        near: Option<&'static str>,
    },
    #[error(
        "a command has at most {MAX_ARGUMENTS} words after its name, each of at most {MAX_WORD_BYTES} letters, digits \
         and `. _ : @ / = -`"
    )]
    BadWords,
    #[error("a comment with a command can not be longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
    #[error("there are {count} commands in one comment: write one comment for each, so that it is plain what was done")]
    Several { count: usize },
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!(": did you mean `{near}`?")).unwrap_or_default()
}

/// One command: its name, how it is written, and what it does.
struct Entry {
    name: &'static str,
    usage: &'static str,
    what: &'static str,
    parse: fn(&Self, &[&str]) -> Result<Command, CommandError>,
}

const COMMANDS: &[Entry] = &[
    Entry {
        name: "help",
        usage: "/mlops help",
        what: "shows these lines",
        parse: |entry, words| entry.alone(words, Command::Help),
    },
    Entry {
        name: "status",
        usage: "/mlops status",
        what: "says which version is in production, and what waits for it",
        parse: |entry, words| entry.alone(words, Command::Status),
    },
    Entry {
        name: "plan",
        usage: "/mlops plan",
        what: "says what a promotion would do, and whether it may",
        parse: |entry, words| entry.alone(words, Command::Plan),
    },
    Entry {
        name: "promote",
        usage: "/mlops promote [VERSION] [--accept-warnings]",
        what: "moves the candidate, or the version that you name, to production",
        parse: promote,
    },
    Entry {
        name: "rollback",
        usage: "/mlops rollback",
        what: "brings back the version that was in production before",
        parse: |entry, words| entry.alone(words, Command::Rollback),
    },
    Entry {
        name: "retrain",
        usage: "/mlops retrain",
        what: "trains again on today's data, and compares with production",
        parse: |entry, words| entry.alone(words, Command::Retrain),
    },
];

impl Entry {
    fn alone(&self, words: &[&str], command: Command) -> Result<Command, CommandError> {
        match words.first() {
            None => Ok(command),
            Some(word) => Err(self.too_many(word)),
        }
    }

    fn too_many(&self, word: &str) -> CommandError {
        CommandError::TooMany {
            command: self.name,
            word: word.to_owned(),
            usage: self.usage,
        }
    }
}

fn promote(entry: &Entry, words: &[&str]) -> Result<Command, CommandError> {
    const OPTION: &str = "--accept-warnings";
    let mut version = None;
    let mut accept_warnings = false;
    for word in words {
        if *word == OPTION && !accept_warnings {
            accept_warnings = true;
        } else if word.starts_with('-') && *word != OPTION {
            return Err(CommandError::UnknownOption {
                command: entry.name,
                word: (*word).to_owned(),
                near: nearest(word, [OPTION]),
            });
        } else if *word == OPTION || version.is_some() {
            return Err(entry.too_many(word));
        } else {
            let number: Result<VersionNumber, _> = word.parse();
            version = Some(number.map_err(|_| CommandError::BadVersion {
                word: (*word).to_owned(),
            })?);
        }
    }
    Ok(Command::Promote {
        version,
        accept_warnings,
    })
}

/// The command in a comment, `None` if there is none.
///
/// A command is a whole line that begins with `/mlops`, in a paragraph that is in nothing else: what is quoted, in code,
/// in a list, in a table or in HTML is somebody's talk about a command. So is what stands within a text of more than
/// 16 KiB.
pub fn command(body: &str) -> Result<Option<Command>, CommandError> {
    if !body.lines().any(|line| is_command(line.trim_start())) {
        return Ok(None);
    }
    if body.len() > MAX_BODY_BYTES {
        return if is_command(body) {
            Err(CommandError::TooLong)
        } else {
            Ok(None)
        };
    }
    let lines = command_lines(body);
    match lines[..] {
        [] => Ok(None),
        [line] => parse(line).map(Some),
        _ => Err(CommandError::Several { count: lines.len() }),
    }
}

/// What can be asked for: how it is written, and what it does.
pub fn usages() -> Vec<(&'static str, &'static str)> {
    COMMANDS.iter().map(|entry| (entry.usage, entry.what)).collect()
}

fn parse(line: &str) -> Result<Command, CommandError> {
    let mut words = line.split_whitespace().skip(1);
    let name = words.next().ok_or(CommandError::Nothing)?;
    let arguments: Vec<&str> = words.by_ref().take(MAX_ARGUMENTS).collect();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'/' | b'=' | b'-');
    let is_usable = |word: &&str| word.len() <= MAX_WORD_BYTES && word.bytes().all(is_plain);
    if words.next().is_some() || !is_usable(&name) || !arguments.iter().all(is_usable) {
        return Err(CommandError::BadWords);
    }
    match COMMANDS.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.parse)(entry, &arguments),
        None => Err(CommandError::Unknown {
            word: name.to_owned(),
            near: nearest(name, COMMANDS.iter().map(|entry| entry.name)),
        }),
    }
}

/// The lines of top-level paragraphs that begin with the prefix, as they are written.
fn command_lines(body: &str) -> Vec<&str> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut lines = Vec::new();
    // Everything that is open around the present piece, a paragraph included.
    let mut depth = 0_usize;
    let mut is_in_paragraph = false;
    for (piece, place) in Parser::new_ext(body, options).into_offset_iter() {
        match piece {
            Piece::Start(tag) => {
                is_in_paragraph |= depth == 0 && matches!(tag, Tag::Paragraph);
                depth += 1;
            }
            Piece::End(tag) => {
                depth = depth.saturating_sub(1);
                is_in_paragraph &= !(depth == 0 && tag == TagEnd::Paragraph);
            }
            Piece::Text(_) if is_in_paragraph && depth == 1 => {
                lines.extend(line_at(body, place.start).filter(|line| is_command(line)));
            }
            // An element that was opened may hold all that follows: only a comment is known to hold nothing.
            Piece::Html(html) | Piece::InlineHtml(html) if !is_html_comment(&html) => break,
            Piece::Text(_)
            | Piece::Code(_)
            | Piece::InlineMath(_)
            | Piece::DisplayMath(_)
            | Piece::Html(_)
            | Piece::InlineHtml(_)
            | Piece::FootnoteReference(_)
            | Piece::SoftBreak
            | Piece::HardBreak
            | Piece::Rule
            | Piece::TaskListMarker(_) => {}
        }
    }
    lines
}

/// The line of which `start` is the beginning but for blanks, to its end.
fn line_at(body: &str, start: usize) -> Option<&str> {
    let (before, after) = (body.get(..start)?, body.get(start..)?);
    let margin = &before[before.rfind(['\n', '\r']).map_or(0, |at| at + 1)..];
    let is_beginning = margin.bytes().all(|b| matches!(b, b' ' | b'\t'));
    is_beginning.then(|| after.lines().next().unwrap_or_default())
}

fn is_command(line: &str) -> bool {
    line.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace()))
}

fn is_html_comment(html: &str) -> bool {
    let html = html.trim();
    html.starts_with("<!--") && html.len() >= 7 && html.find("-->") == Some(html.len() - 3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn promote(version: Option<u32>, accept_warnings: bool) -> Command {
        Command::Promote {
            version: version.map(VersionNumber),
            accept_warnings,
        }
    }

    fn reply(body: &str) -> String {
        command(body).unwrap_err().to_string()
    }

    #[test]
    fn a_line_of_its_own_is_a_command() {
        for (body, asked) in [
            ("/mlops help", Command::Help),
            ("/mlops status\r\n", Command::Status),
            ("  /mlops   plan  ", Command::Plan),
            ("Looks good!\n/mlops promote", promote(None, false)),
            (
                "Looks good!\r\n\r\n/mlops promote v3\r\n\r\nThanks.",
                promote(Some(3), false),
            ),
            ("/mlops promote 3 --accept-warnings", promote(Some(3), true)),
            ("/mlops promote --accept-warnings v3", promote(Some(3), true)),
            ("> what about this?\n\n/mlops rollback", Command::Rollback),
            ("<!-- from my phone -->\n\n/mlops retrain", Command::Retrain),
            ("`/mlops rollback` would be wrong:\n/mlops plan", Command::Plan),
        ] {
            assert_eq!(command(body), Ok(Some(asked)), "{body:?}");
        }
    }

    #[test]
    fn talk_about_a_command_is_none() {
        for body in [
            "",
            "please /mlops promote",
            "/mlopsx promote",
            "/MLOPS promote",
            "> /mlops promote",
            "> quoted\n/mlops promote",
            "`/mlops promote`",
            "``\n/mlops promote\n``",
            "```\n/mlops promote\n```",
            "~~~\n/mlops promote",
            "    /mlops promote",
            "\t/mlops promote",
            "- /mlops promote",
            "- item\n/mlops promote",
            "1. item\n\n   /mlops promote",
            "- [ ] /mlops promote",
            "# /mlops promote",
            "/mlops promote\n---",
            "*/mlops promote*",
            "**bold\n/mlops promote**",
            "[link\n/mlops promote](https://x)",
            "\\/mlops promote",
            "&#47;mlops promote",
            "<div>\n/mlops promote\n</div>",
            "<details>\n\n/mlops promote\n\n</details>",
            "<b>bold\n/mlops promote</b>",
            "<!--\n/mlops promote\n-->",
            "<!-- a --> <div>\n\n/mlops promote",
            "<!-- \n\n/mlops promote",
            "| a |\n|---|\n/mlops promote",
            "[^1]: note\n/mlops promote\n\nx [^1]",
            "$$\n/mlops promote\n$$",
            "\u{200b}/mlops promote",
        ] {
            assert_eq!(command(body), Ok(None), "{body:?}");
        }
    }

    #[test]
    fn slips_are_answered() {
        let replies: Vec<String> = [
            "/mlops",
            "/mlops promte",
            "/mlops deploy",
            "/mlops promote three",
            "/mlops promote vx",
            "/mlops promote v1 v2",
            "/mlops promote --accept-warning",
            "/mlops promote --force",
            "/mlops promote --accept-warnings --accept-warnings",
            "/mlops rollback v2",
            "/mlops promote **v3**",
            "/mlops promote 1 2 3 4 5",
            "/mlops status\n\n/mlops promote",
        ]
        .map(reply)
        .to_vec();
        insta::assert_snapshot!(replies.join("\n"), @r"
        `/mlops` needs a word that says what to do
        there is no command `promte`: did you mean `promote`?
        there is no command `deploy`
        `three` is not a version: write it as `v3`
        `vx` is not a version: write it as `v3`
        `promote` can not take `v2`: write `/mlops promote [VERSION] [--accept-warnings]`
        `promote` has no option `--accept-warning`: did you mean `--accept-warnings`?
        `promote` has no option `--force`
        `promote` can not take `--accept-warnings`: write `/mlops promote [VERSION] [--accept-warnings]`
        `rollback` can not take `v2`: write `/mlops rollback`
        a command has at most 4 words after its name, each of at most 120 letters, digits and `. _ : @ / = -`
        a command has at most 4 words after its name, each of at most 120 letters, digits and `. _ : @ / = -`
        there are 2 commands in one comment: write one comment for each, so that it is plain what was done
        ");
    }

    #[test]
    fn help_names_every_command() {
        let lines: Vec<String> = usages()
            .iter()
            .map(|(usage, what)| format!("- `{usage}` {what}"))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        - `/mlops help` shows these lines
        - `/mlops status` says which version is in production, and what waits for it
        - `/mlops plan` says what a promotion would do, and whether it may
        - `/mlops promote [VERSION] [--accept-warnings]` moves the candidate, or the version that you name, to production
        - `/mlops rollback` brings back the version that was in production before
        - `/mlops retrain` trains again on today's data, and compares with production
        ");
        for entry in COMMANDS {
            assert!(
                command(&format!("/mlops {}", entry.name)).unwrap().is_some(),
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn deep_and_long_comments_end() {
        let hostile = "[".repeat(60_000);
        assert_eq!(command(&hostile), Ok(None));
        assert_eq!(command(&format!("/mlops help\n{hostile}")), Err(CommandError::TooLong));
        assert_eq!(command(&format!("{hostile}\n/mlops help")), Ok(None));
        assert_eq!(command(&format!("{}/mlops help", "> ".repeat(8000))), Ok(None));
        let many = "/mlops help\n".repeat(1000);
        assert_eq!(command(&many), Err(CommandError::Several { count: 1000 }));
    }

    fn block() -> impl Strategy<Value = String> {
        // Pieces of Markdown, and text in which the command stands at every place.
        let piece = prop::sample::select(vec![
            "/mlops promote",
            "/mlops",
            " v3",
            "\n",
            "\n\n",
            "    ",
            "\t",
            "> ",
            "- ",
            "1. ",
            "`",
            "```",
            "~~~",
            "<div>",
            "</div>",
            "<!--",
            "-->",
            "*",
            "**",
            "[",
            "](",
            ")",
            "|",
            "---",
            "#",
            "\\",
            "&#47;",
            "$",
            "\r\n",
            "é",
            "\0",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn never_panics(body in prop_oneof![any::<String>(), block()]) {
            let _ = command(&body);
        }

        #[test]
        fn nothing_quoted_is_a_command(body in block()) {
            let quoted = format!("> {}", body.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\n> "));
            prop_assert_eq!(command(&quoted), Ok(None));
        }

        #[test]
        fn nothing_fenced_is_a_command(body in block()) {
            let fenced = format!("text\n\n~~~~~~~~~~~~~~~~~~~~~~~~~~~\n{body}\n~~~~~~~~~~~~~~~~~~~~~~~~~~~\n");
            prop_assume!(!body.contains("~~~~~~~~~~~~~~~~~~~~~~~~~~~"));
            prop_assert_eq!(command(&fenced), Ok(None));
        }

        #[test]
        fn nothing_indented_or_listed_is_a_command(body in block()) {
            let lines = body.replace("\r\n", "\n").replace('\r', "\n");
            let indented = format!("    {}", lines.replace('\n', "\n    "));
            prop_assert_eq!(command(&indented), Ok(None));
            prop_assert_eq!(command(&format!("- item\n\n{indented}")), Ok(None));
        }

        #[test]
        fn a_command_is_a_line_that_somebody_wrote(body in block()) {
            if let Ok(Some(_)) = command(&body) {
                prop_assert!(body.lines().any(|line| line.trim_start().starts_with(PREFIX)));
            }
        }
    }
}
