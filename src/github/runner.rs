//! The words that the runner understands: workflow commands, and the files that it reads after a step.
//!
//! Everything but [`write_files`] and [`Delimiter::random`] is pure. No text that somebody else controls can become a command, a second output or
//! another file: what is written here is escaped, framed by what nobody can guess, or refused.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::context::CommandFiles;
use crate::base::{Secret, is_invisible, without_escapes};
use crate::sys::{self, FileError};

/// The runner keeps this many annotations of one level for a step.
pub const MAX_ANNOTATIONS: usize = 10;
/// The runner cuts a message here, counted in UTF-16.
const MAX_MESSAGE_UNITS: usize = 4096;
/// The runner drops a summary over 1 MiB as a whole.
const MAX_SUMMARY_BYTES: usize = 900 * 1024;
/// The runner refuses more than 1 MiB of outputs for a job.
const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// Masking fewer characters makes the log unreadable and protects nothing.
const MIN_MASK_CHARS: usize = 4;

/// All but what RFC 3986 calls unreserved.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why something can not be said to the runner.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error("a secret of fewer than {MIN_MASK_CHARS} characters can not be hidden in the log")]
    ShortSecret,
    #[error("`{}` can not be the name of an output", crate::base::shortened(name))]
    BadName { name: String },
    #[error("the output `{name}` holds the text that would end it")]
    HoldsDelimiter { name: String },
    #[error("the outputs are larger than {MAX_OUTPUT_BYTES} bytes: `{name}` does not fit")]
    TooLarge { name: String },
    #[error("could not write for the runner")]
    File(#[from] FileError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    fn command(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// Something to show at a place of the repository, or of the whole run. Lines and columns begin at 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    pub level: Level,
    pub message: String,
    pub title: Option<String>,
    /// Relative to the repository.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub end_line: Option<u32>,
    pub column: Option<u32>,
    pub end_column: Option<u32>,
}

impl Annotation {
    pub fn new(level: Level, message: impl Into<String>) -> Self {
        Self {
            level,
            message: message.into(),
            title: None,
            file: None,
            line: None,
            end_line: None,
            column: None,
            end_column: None,
        }
    }
}

/// The line that makes the runner show it, without its end. What the runner would drop is left out.
pub fn annotation(annotation: &Annotation) -> String {
    let mut properties = Vec::new();
    let mut put = |name: &str, value: String| {
        if !value.is_empty() {
            properties.push(format!("{name}={value}"));
        }
    };
    if let Some(file) = &annotation.file {
        put("file", property(file));
        if let Some(line) = annotation.line.filter(|line| *line > 0) {
            let end_line = annotation.end_line.filter(|end| *end >= line);
            put("line", line.to_string());
            put("endLine", end_line.map_or(String::new(), |end| end.to_string()));
            let is_one_line = end_line.is_none_or(|end| end == line);
            if let Some(column) = annotation.column.filter(|column| *column > 0 && is_one_line) {
                let end_column = annotation.end_column.filter(|end| *end >= column);
                put("col", column.to_string());
                put("endColumn", end_column.map_or(String::new(), |end| end.to_string()));
            }
        }
    }
    put("title", annotation.title.as_deref().map_or(String::new(), property));
    let command = annotation.level.command();
    let message = data(&cut(&plain(&annotation.message)));
    if properties.is_empty() {
        format!("::{command}::{message}")
    } else {
        format!("::{command} {}::{message}", properties.join(","))
    }
}

/// The lines for the first ten of each level, which is what the runner keeps, and how many others there are.
pub fn annotations(all: &[Annotation]) -> (Vec<String>, usize) {
    let mut n_of = [0_usize; 3];
    let lines: Vec<String> = all
        .iter()
        .filter(|one| {
            let n = &mut n_of[one.level as usize];
            *n += 1;
            *n <= MAX_ANNOTATIONS
        })
        .map(annotation)
        .collect();
    let n_left = all.len() - lines.len();
    (lines, n_left)
}

/// Opens a part of the log that folds. Groups do not nest.
pub fn group(title: &str) -> String {
    format!("::group::{}", data(&plain(title).replace('\n', " ")))
}

pub fn end_group() -> String {
    "::endgroup::".to_owned()
}

/// The lines that hide a secret in all that follows: as it is, each line of it, and as it travels in headers and
/// addresses.
pub fn masks(secret: &Secret) -> Result<Vec<String>, RunnerError> {
    let value = secret.expose();
    let is_long = |text: &str| text.trim().chars().count() >= MIN_MASK_CHARS;
    if !is_long(value) {
        return Err(RunnerError::ShortSecret);
    }
    let mut forms = vec![value.to_owned()];
    let lines = value.lines().map(str::trim).filter(|line| is_long(line));
    forms.extend(lines.map(str::to_owned));
    forms.push(STANDARD.encode(value));
    forms.push(utf8_percent_encode(value, NON_ALPHANUMERIC).to_string());
    forms.push(utf8_percent_encode(value, &RESERVED).to_string());
    let mut masks = Vec::new();
    for form in forms {
        let line = format!("::add-mask::{}", data(&form));
        if !masks.contains(&line) {
            masks.push(line);
        }
    }
    Ok(masks)
}

/// What ends a value in a file of the runner: nobody can guess it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimiter(String);

impl Delimiter {
    /// Another one at every call.
    pub fn random() -> std::io::Result<Self> {
        sys::random().map(Self::new)
    }

    fn new(random: [u8; 16]) -> Self {
        Self(format!("ghadelimiter_{:032x}", u128::from_be_bytes(random)))
    }
}

/// The record that sets one value, in the form that takes values of any content.
pub fn record(name: &str, value: &str, delimiter: &Delimiter) -> Result<String, RunnerError> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= 100
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !is_name {
        return Err(RunnerError::BadName { name: name.to_owned() });
    }
    let Delimiter(delimiter) = delimiter;
    if value.contains(delimiter) || name.contains(delimiter) {
        return Err(RunnerError::HoldsDelimiter { name: name.to_owned() });
    }
    Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"))
}

/// A summary that the runner takes: one that is too long ends with a line that says so.
pub fn summary(markdown: &str) -> String {
    if markdown.len() <= MAX_SUMMARY_BYTES {
        return markdown.to_owned();
    }
    let limit = markdown.floor_char_boundary(MAX_SUMMARY_BYTES - 1024);
    let kept = &markdown[..markdown[..limit].rfind('\n').map_or(limit, |at| at + 1)];
    let fence = open_fence(kept).map_or(String::new(), |fence| format!("{fence}\n"));
    let end = if kept.ends_with('\n') { "" } else { "\n" };
    format!("{kept}{end}{fence}\n**This summary was cut here: it is longer than GitHub shows.**\n")
}

/// The fence of code that is open at the end of the text.
fn open_fence(markdown: &str) -> Option<&str> {
    let mut open: Option<&str> = None;
    for line in markdown.lines() {
        let text = line.trim_start();
        if line.len() - text.len() > 3 {
            continue;
        }
        let n_marks = |mark: char| text.len() - text.trim_start_matches(mark).len();
        let fence = &text[..n_marks('`').max(n_marks('~'))];
        if fence.len() < 3 {
            continue;
        }
        match open {
            None => open = Some(&fence[..fence.len().min(256)]),
            Some(begun) if fence.starts_with(begun) && text[fence.len()..].trim().is_empty() => open = None,
            Some(_) => {}
        }
    }
    open
}

/// What a step leaves for its runner.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a> {
    pub outputs: &'a [(&'a str, &'a str)],
    /// For the step that cleans up, as `STATE_<name>`.
    pub state: &'a [(&'a str, &'a str)],
    pub summary: &'a str,
}

/// Writes the runner's files, as the last thing that a step does.
///
/// A process of the repository may have found them: whatever is in them goes, in those too that we write nothing to, and
/// what is no ordinary file any more is replaced by one. Every file is tried; the first problem is returned, and then the
/// step must fail, since what is in that file is not known.
pub fn write_files(files: &CommandFiles, written: Written<'_>, delimiter: &Delimiter) -> Result<(), RunnerError> {
    let mut first = Ok(());
    let mut put = |path: Option<&Path>, text: Result<String, RunnerError>| {
        let (text, problem) = match text {
            Ok(text) => (text, Ok(())),
            Err(error) => (String::new(), Err(error)),
        };
        let done = match path {
            Some(path) => sys::overwrite(path, text.as_bytes()).map_err(RunnerError::from),
            None => Ok(()),
        };
        if first.is_ok() {
            first = problem.and(done);
        }
    };
    put(files.env.as_deref(), Ok(String::new()));
    put(files.path.as_deref(), Ok(String::new()));
    put(files.state.as_deref(), records(written.state, delimiter));
    put(files.summary.as_deref(), Ok(summary(written.summary)));
    put(files.output.as_deref(), records(written.outputs, delimiter));
    first
}

fn records(values: &[(&str, &str)], delimiter: &Delimiter) -> Result<String, RunnerError> {
    let mut text = String::new();
    for (name, value) in values {
        text.push_str(&record(name, value, delimiter)?);
        if text.len() > MAX_OUTPUT_BYTES {
            return Err(RunnerError::TooLarge {
                name: (*name).to_owned(),
            });
        }
    }
    Ok(text)
}

/// Text that steers nothing: no escape sequences, no control characters, nothing that is invisible, and no beginning of a
/// command of the old form, which some runners look for anywhere in a line.
fn plain(text: &str) -> String {
    without_escapes(text)
        .replace("\r\n", "\n")
        .chars()
        .filter_map(|c| match c {
            '\n' | '\t' => Some(c),
            '\r' | '\u{2028}' | '\u{2029}' => Some('\n'),
            c if c.is_control() || is_invisible(c) => None,
            c => Some(c),
        })
        .collect::<String>()
        .replace("##[", "# #[")
}

/// Cut as the runner would, with a sign that there was more.
fn cut(text: &str) -> String {
    let mut n_units = 0;
    let end = text.char_indices().find_map(|(at, c)| {
        n_units += c.len_utf16();
        (n_units >= MAX_MESSAGE_UNITS).then_some(at)
    });
    match end {
        Some(end) if text.encode_utf16().count() > MAX_MESSAGE_UNITS => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

/// Escaped for the part of a command after its second `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escaped for a property of a command, on one line.
fn property(text: &str) -> String {
    data(&plain(text).replace('\n', " "))
        .replace(':', "%3A")
        .replace(',', "%2C")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what is tested writes files")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(line: u32, end_line: Option<u32>, column: Option<u32>, end_column: Option<u32>) -> String {
        annotation(&Annotation {
            file: Some("mlops.yaml".to_owned()),
            line: Some(line),
            end_line,
            column,
            end_column,
            ..Annotation::new(Level::Error, "wrong")
        })
    }

    #[test]
    fn places_are_what_the_runner_keeps() {
        let lines = [
            at(3, None, None, None),
            at(3, None, Some(5), Some(9)),
            at(3, Some(3), Some(5), Some(2)),
            at(3, Some(4), Some(5), Some(9)),
            at(3, Some(2), Some(5), None),
            at(0, Some(2), Some(5), None),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r"
        ::error file=mlops.yaml,line=3::wrong
        ::error file=mlops.yaml,line=3,col=5,endColumn=9::wrong
        ::error file=mlops.yaml,line=3,endLine=3,col=5::wrong
        ::error file=mlops.yaml,line=3,endLine=4::wrong
        ::error file=mlops.yaml,line=3,col=5::wrong
        ::error file=mlops.yaml::wrong
        ");
    }

    #[test]
    fn what_others_wrote_stays_inside() {
        let hostile = annotation(&Annotation {
            title: Some("a,file=/etc/passwd::b\n::set-output name=x::1".to_owned()),
            file: Some("a:b,c\n.py".to_owned()),
            ..Annotation::new(
                Level::Warning,
                "100%\r\n::set-output name=x::1\u{1b}[31m ##[add-mask]e\u{202e}",
            )
        });
        insta::assert_snapshot!(
            hostile,
            @"::warning file=a%3Ab%2Cc .py,title=a%2Cfile=/etc/passwd%3A%3Ab %3A%3Aset-output name=x%3A%3A1::100%25%0A::set-output name=x::1 # #[add-mask]e"
        );
        assert_eq!(group("one\n::error::two"), "::group::one ::error::two");
    }

    #[test]
    fn ten_of_each_level_are_kept() {
        let many: Vec<_> = (0..12)
            .flat_map(|n| [Level::Error, Level::Notice].map(|level| Annotation::new(level, n.to_string())))
            .collect();
        let (lines, n_left) = annotations(&many);
        assert_eq!((lines.len(), n_left), (20, 4));
        assert_eq!(lines[19], "::notice::9");
    }

    #[test]
    fn long_messages_are_cut_where_the_runner_would() {
        let message = |text: &str| {
            let line = annotation(&Annotation::new(Level::Notice, text.to_owned()));
            line.strip_prefix("::notice::").unwrap().to_owned()
        };
        assert_eq!(message(&"a".repeat(4096)), "a".repeat(4096));
        assert_eq!(message(&"a".repeat(4097)), format!("{}…", "a".repeat(4095)));
        assert_eq!(message(&"😀".repeat(3000)).encode_utf16().count(), 4095);
    }

    #[test]
    fn a_secret_is_hidden_in_all_its_forms() {
        let masks = |value: &str| masks(&Secret::new(value)).map(|lines| lines.join("\n"));
        insta::assert_snapshot!(masks("to k%en.1\nsecond line\nab").unwrap(), @r"
        ::add-mask::to k%25en.1%0Asecond line%0Aab
        ::add-mask::to k%25en.1
        ::add-mask::second line
        ::add-mask::dG8gayVlbi4xCnNlY29uZCBsaW5lCmFi
        ::add-mask::to%2520k%2525en%252E1%250Asecond%2520line%250Aab
        ::add-mask::to%2520k%2525en.1%250Asecond%2520line%250Aab
        ");
        assert_eq!(masks("tokens").unwrap(), "::add-mask::tokens\n::add-mask::dG9rZW5z");
        for short in ["", "abc", "  a \n"] {
            assert!(matches!(masks(short), Err(RunnerError::ShortSecret)), "{short:?}");
        }
    }

    #[test]
    fn values_of_any_content_are_framed() {
        let delimiter = Delimiter::new([7; 16]);
        let framed = record("verdict", "a\nb=c<<d", &delimiter).unwrap();
        insta::assert_snapshot!(framed, @r"
        verdict<<ghadelimiter_07070707070707070707070707070707
        a
        b=c<<d
        ghadelimiter_07070707070707070707070707070707
        ");
        for name in ["", "a b", "a=b", "a<<b", "a\nb", "é", "1a"] {
            assert!(
                matches!(record(name, "", &delimiter), Err(RunnerError::BadName { .. })),
                "{name:?}"
            );
        }
        let holds = format!("x{}y", delimiter.0);
        assert!(matches!(
            record("a", &holds, &delimiter),
            Err(RunnerError::HoldsDelimiter { .. })
        ));
        assert_ne!(
            Delimiter::new(sys::random().unwrap()),
            Delimiter::new(sys::random().unwrap())
        );
    }

    #[test]
    fn a_long_summary_ends_at_a_line_and_says_so() {
        assert_eq!(summary("short"), "short");
        let long = summary(&format!("```text\n{}", "0123456789é\n".repeat(100_000)));
        assert!(long.len() <= MAX_SUMMARY_BYTES, "{}", long.len());
        insta::assert_snapshot!(long.lines().rev().take(4).collect::<Vec<_>>().join("\n"), @r"
        **This summary was cut here: it is longer than GitHub shows.**

        ```
        0123456789é
        ");
        let one_line = summary(&"é".repeat(MAX_SUMMARY_BYTES));
        assert!(one_line.len() <= MAX_SUMMARY_BYTES && one_line.contains("cut here"));
    }

    #[test]
    fn forged_files_are_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let elsewhere = at("elsewhere");
        std::fs::write(&elsewhere, "mine").unwrap();
        std::fs::write(at("env"), "PATH=/evil\n").unwrap();
        std::fs::write(at("path"), "/evil\n").unwrap();
        std::fs::hard_link(&elsewhere, at("state")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, at("output")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("summary"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let files = CommandFiles {
            output: Some(at("output")),
            env: Some(at("env")),
            path: Some(at("path")),
            state: Some(at("state")),
            summary: Some(at("summary")),
        };
        let written = Written {
            outputs: &[("verdict", "better")],
            state: &[],
            summary: "# Report",
        };
        write_files(&files, written, &Delimiter::new([0; 16])).unwrap();
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        assert_eq!(read("elsewhere"), "mine");
        assert_eq!([read("env"), read("path"), read("state")], ["", "", ""]);
        assert_eq!(read("summary"), "# Report");
        assert_eq!(
            read("output"),
            "verdict<<ghadelimiter_00000000000000000000000000000000\nbetter\nghadelimiter_00000000000000000000000000000000\n"
        );
    }

    #[test]
    fn one_bad_file_does_not_keep_the_others() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("output")).unwrap();
        let files = CommandFiles {
            output: Some(dir.path().join("output")),
            env: Some(dir.path().join("env")),
            ..CommandFiles::default()
        };
        let error = write_files(&files, Written::default(), &Delimiter::new([0; 16])).unwrap_err();
        assert!(matches!(error, RunnerError::File(_)), "{error}");
        assert!(dir.path().join("env").is_file());
        let too_large = "x".repeat(MAX_OUTPUT_BYTES);
        let written = Written {
            outputs: &[("result", &too_large)],
            ..Written::default()
        };
        let files = CommandFiles {
            output: Some(dir.path().join("another")),
            ..CommandFiles::default()
        };
        let error = write_files(&files, written, &Delimiter::new([0; 16])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the outputs are larger than 1048576 bytes: `result` does not fit"
        );
        assert_eq!(std::fs::read_to_string(dir.path().join("another")).unwrap(), "");
    }

    proptest! {
        #[test]
        fn any_text_is_one_line_and_one_command(message in any::<String>(), title in any::<String>(), file in any::<String>()) {
            let line = annotation(&Annotation {
                title: Some(title),
                file: Some(file),
                ..Annotation::new(Level::Error, message.clone())
            });
            prop_assert!(!line.contains(['\n', '\r']) && !line.contains("##["));
            // As the runner takes it apart: up to the second `::` there are only our properties.
            let (head, text) = line.strip_prefix("::error").unwrap().split_once("::").unwrap();
            for part in head.trim_start().split(',').filter(|part| !part.is_empty()) {
                let (name, value) = part.split_once('=').unwrap();
                prop_assert!(matches!(name, "file" | "title"), "{}", name);
                prop_assert!(!value.is_empty());
            }
            let decoded = text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
            prop_assert_eq!(decoded, cut(&plain(&message)));
        }

        #[test]
        fn any_value_comes_back(value in any::<String>()) {
            let framed = record("name", &value, &Delimiter::new([1; 16])).unwrap();
            let (head, rest) = framed.split_once('\n').unwrap();
            let end = head.strip_prefix("name<<").unwrap();
            prop_assert_eq!(rest.split_once(&format!("\n{end}\n")), Some((value.as_str(), "")));
        }
    }
}
