//! Which test runner a command starts, and what has to be set so that it leaves a report. Pure.

use super::result::Tool;

/// How a test command is run and where its results will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    pub tool: Tool,
    /// The command to run: as it was written, or with `-v` where only that makes a runner name its tests.
    pub command: String,
    /// To be set in the environment of the command, over what is there.
    pub env: Vec<(String, String)>,
    /// A `JUnit` report may be here afterwards, as an absolute path or relative to where the command was started.
    pub report: Option<String>,
    /// Where the runner itself starts, relative to where the command does: `cd DIR && pytest`.
    pub below: String,
}

/// Looks for pytest, unittest, `cargo test` and `cargo nextest run` in a command.
///
/// pytest is told to write `report`, an absolute path, through `PYTEST_ADDOPTS`: so the command stays as it is, pipes, `cd`
/// and `make`-like wrappers around it work, and a report that the user asks for on the command line wins and is the one
/// that is read. `addopts` is what that variable holds already. With it go `junit_family=xunit1`, which alone has files and
/// lines, and `-rfER`, without which pytest-rerunfailures up to 16.1 leaves no trace of a flaky test; an `-r` on the command
/// line wins. All others are read from what they print.
pub fn recognise(command: &str, report: &str, addopts: Option<&str>) -> Option<Invocation> {
    let pieces = Pieces::of(command)?;
    let mut below = String::new();
    let mut found: Option<(Tool, &[String], String)> = None;
    let mut n_found = 0;
    for words in &pieces.commands {
        if let [cd, directory] = words.as_slice()
            && cd == "cd"
        {
            below = joined(&below, directory);
            continue;
        }
        if let Some((tool, arguments)) = runner(words) {
            n_found += 1;
            found.get_or_insert((tool, arguments, below.clone()));
        }
    }
    let (tool, arguments, below) = found?;
    let mut invocation = Invocation {
        tool,
        command: command.to_owned(),
        env: Vec::new(),
        report: None,
        below,
    };
    match tool {
        // Two runs in one command would write over each other's report.
        Tool::Pytest if n_found == 1 => {
            let own = value_of(arguments, &["--junitxml", "--junit-xml"]);
            let has_no_report = arguments
                .windows(2)
                .any(|pair| pair[0] == "-p" && pair[1] == "no:junitxml")
                || arguments.iter().any(|word| word == "-pno:junitxml");
            let mut options: Vec<String> = addopts.map(str::to_owned).into_iter().collect();
            options.push("-rfER".to_owned());
            if !has_no_report {
                options.push(format!(
                    "-o junit_family=xunit1 {}",
                    quoted(&format!("--junitxml={report}"))?
                ));
                invocation.report = Some(match own {
                    Some(own) => joined(&invocation.below, own),
                    None => report.to_owned(),
                });
            }
            invocation.env = vec![("PYTEST_ADDOPTS".to_owned(), options.join(" "))];
        }
        Tool::Unittest if pieces.is_plain && pieces.commands.len() == 1 => {
            let is_said =
                |word: &String| matches!(word.as_str(), "-v" | "--verbose" | "-q" | "--quiet" | "-h" | "--help");
            if !arguments.iter().any(is_said) {
                invocation.command.push_str(" -v");
            }
        }
        Tool::Pytest | Tool::Unittest | Tool::CargoTest | Tool::Nextest | Tool::Junit => {}
    }
    Some(invocation)
}

fn joined(directory: &str, path: &str) -> String {
    if directory.is_empty() || path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{path}", directory.trim_end_matches('/'))
    }
}

/// A word as `shlex` in Python reads it back, which is what pytest splits its variable with.
fn quoted(word: &str) -> Option<String> {
    shlex::try_quote(word).ok().map(std::borrow::Cow::into_owned)
}

fn value_of<'a>(arguments: &'a [String], names: &[&str]) -> Option<&'a str> {
    // The last one wins, as in pytest.
    (0..arguments.len()).rev().find_map(|at| {
        let word = arguments[at].as_str();
        names.iter().find_map(|name| {
            let rest = word.strip_prefix(name)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if rest.is_empty() => arguments.get(at + 1).map(String::as_str),
                None => None,
            }
        })
    })
}

/// A line for the shell in its simple commands.
struct Pieces {
    commands: Vec<Vec<String>>,
    /// No operator, expansion or redirection: words behind it are its own.
    is_plain: bool,
}

const MAX_COMMAND_BYTES: usize = 64 * 1024;

impl Pieces {
    /// Nothing if a quote is open, or the line is too long for a command.
    fn of(command: &str) -> Option<Self> {
        if command.len() > MAX_COMMAND_BYTES {
            return None;
        }
        let mut pieces = vec![String::new()];
        let mut is_plain = true;
        let mut quote = None;
        let mut chars = command.chars();
        while let Some(c) = chars.next() {
            let piece = pieces.last_mut().expect("one is there from the beginning");
            match (quote, c) {
                (None | Some('"'), '\\') => {
                    piece.push(c);
                    piece.extend(chars.next());
                    continue;
                }
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None, '&' | '|' | ';' | '\n' | '(' | ')' | '{' | '}') => {
                    is_plain = false;
                    pieces.push(String::new());
                    continue;
                }
                (None, '<' | '>' | '#' | '$' | '`') | (Some('"'), '$' | '`') => is_plain = false,
                _ => {}
            }
            piece.push(c);
        }
        let commands = pieces
            .iter()
            .filter_map(|piece| shlex::split(piece))
            .filter(|words| !words.is_empty())
            .collect();
        Some(Self { commands, is_plain })
    }
}

/// Options of what starts a runner that take the next word with them.
const WITH_VALUE: [&str; 42] = [
    "-C",
    "-E",
    "-L",
    "-P",
    "-W",
    "-X",
    "-c",
    "-e",
    "-i",
    "-k",
    "-n",
    "-p",
    "-s",
    "-u",
    "--cache-dir",
    "--config-file",
    "--context",
    "--data-file",
    "--directory",
    "--env-file",
    "--extra",
    "--extra-index-url",
    "--find-links",
    "--group",
    "--include",
    "--index",
    "--index-url",
    "--no-group",
    "--omit",
    "--only-group",
    "--package",
    "--parallel-mode-dir",
    "--project",
    "--python",
    "--rcfile",
    "--signal",
    "--source",
    "--venv",
    "--with",
    "--with-editable",
    "--with-requirements",
    "--kill-after",
];

/// What starts another program named behind its own options, by its first words.
const WRAPPERS: [&[&str]; 20] = [
    &["uv", "run"],
    &["uvx"],
    &["poetry", "run"],
    &["pipenv", "run"],
    &["pdm", "run"],
    &["hatch", "run"],
    &["rye", "run"],
    &["pixi", "run"],
    &["conda", "run"],
    &["coverage", "run"],
    &["env"],
    &["time"],
    &["nice"],
    &["exec"],
    &["command"],
    &["xvfb-run"],
    &["stdbuf"],
    &["then"],
    &["do"],
    &["!"],
];

/// The runner that simple words start, and its arguments.
fn runner(words: &[String]) -> Option<(Tool, &[String])> {
    let mut words = words;
    // Every turn takes at least one word.
    loop {
        let first = words.first()?;
        let program = first.rsplit('/').next().unwrap_or(first);
        if is_setting(first) {
            words = &words[1..];
            continue;
        }
        if program == "timeout" {
            // Its first plain word is the time.
            words = past_options(&words[1..]).get(1..)?;
            continue;
        }
        let named: Vec<&str> = std::iter::once(program)
            .chain(words.iter().skip(1).map(String::as_str))
            .take(2)
            .collect();
        if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| named.starts_with(wrapper)) {
            words = &words[wrapper.len()..];
            // `coverage run -m pytest`: the module is the program.
            if wrapper[0] == "coverage"
                && let Some((tool, arguments)) = module(words)
            {
                return Some((tool, arguments));
            }
            words = past_options(words);
            continue;
        }
        return match program {
            "pytest" | "py.test" => Some((Tool::Pytest, &words[1..])),
            "cargo" | "cargo-nextest" => cargo(&words[1..]),
            _ if is_python(program) => module(&words[1..]),
            _ => None,
        };
    }
}

/// `A=1`.
fn is_setting(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

fn is_python(program: &str) -> bool {
    let rest = program.strip_prefix("python").or_else(|| program.strip_prefix("pypy"));
    rest.is_some_and(|version| version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

fn past_options(words: &[String]) -> &[String] {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word == "--" {
            return &words[at + 1..];
        }
        if !word.starts_with('-') || word == "-" {
            break;
        }
        at += if WITH_VALUE.contains(&word.as_str()) { 2 } else { 1 };
    }
    words.get(at..).unwrap_or_default()
}

/// `-m pytest`, `-m coverage run -m pytest`, after options of Python or coverage.
fn module(words: &[String]) -> Option<(Tool, &[String])> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let name = match word.strip_prefix("-m") {
            Some("") => {
                at += 1;
                words.get(at)?.as_str()
            }
            Some(name) => name,
            None if word.starts_with('-') => {
                at += if WITH_VALUE.contains(&word.as_str()) { 2 } else { 1 };
                continue;
            }
            None => return None,
        };
        let arguments = &words[at + 1..];
        return match name {
            "pytest" | "py.test" => Some((Tool::Pytest, arguments)),
            "unittest" => Some((Tool::Unittest, arguments)),
            "coverage" if arguments.first().is_some_and(|word| word == "run") => module(&arguments[1..]),
            _ => None,
        };
    }
    None
}

fn cargo(words: &[String]) -> Option<(Tool, &[String])> {
    // `cargo +nightly --locked test`.
    let words = match words.first() {
        Some(word) if word.starts_with('+') => &words[1..],
        _ => words,
    };
    match past_options(words) {
        [word, arguments @ ..] if word == "test" || word == "t" => Some((Tool::CargoTest, arguments)),
        [word, run, arguments @ ..] if word == "nextest" && (run == "run" || run == "r") => {
            Some((Tool::Nextest, arguments))
        }
        [word, run, arguments @ ..] if word == "llvm-cov" && run == "nextest" => Some((Tool::Nextest, arguments)),
        [word, arguments @ ..] if word == "llvm-cov" => Some((Tool::CargoTest, arguments)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str) -> String {
        let Some(found) = recognise(command, "/tmp/r.xml", None) else {
            return "nothing".to_owned();
        };
        let mut parts = vec![found.tool.word().to_owned()];
        if found.command != command {
            parts.push(format!("`{}`", found.command));
        }
        if let Some(report) = found.report {
            parts.push(report);
        }
        if !found.below.is_empty() {
            parts.push(format!("below {}", found.below));
        }
        parts.join(", ")
    }

    #[test]
    fn runners() {
        let commands = [
            "pytest",
            "pytest -q tests --junitxml=own.xml",
            "python3.11 -X dev -m pytest --junit-xml out/own.xml",
            "uv run --frozen --group dev -- pytest",
            "uv run -p 3.12 python -m pytest",
            "A=1 poetry run pytest -k 'a b'",
            "pipenv run coverage run --source src -m pytest tests",
            "python -m coverage run -mpytest",
            "timeout -k 5 10m .venv/bin/pytest -p no:junitxml",
            "cd sub && make data; cd deep && pytest | tee log --junitxml=x",
            "pytest a && pytest b",
            "python -m unittest discover -s tests",
            "python -m unittest -q",
            "python -m unittest | cat",
            "cargo test --workspace",
            "cargo +nightly --locked t",
            "cargo nextest run",
            "cargo llvm-cov nextest",
        ];
        let shown: Vec<String> = commands
            .iter()
            .map(|command| format!("{command}  →  {}", check(command)))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @"
        pytest  →  pytest, /tmp/r.xml
        pytest -q tests --junitxml=own.xml  →  pytest, own.xml
        python3.11 -X dev -m pytest --junit-xml out/own.xml  →  pytest, out/own.xml
        uv run --frozen --group dev -- pytest  →  pytest, /tmp/r.xml
        uv run -p 3.12 python -m pytest  →  pytest, /tmp/r.xml
        A=1 poetry run pytest -k 'a b'  →  pytest, /tmp/r.xml
        pipenv run coverage run --source src -m pytest tests  →  pytest, /tmp/r.xml
        python -m coverage run -mpytest  →  pytest, /tmp/r.xml
        timeout -k 5 10m .venv/bin/pytest -p no:junitxml  →  pytest
        cd sub && make data; cd deep && pytest | tee log --junitxml=x  →  pytest, /tmp/r.xml, below sub/deep
        pytest a && pytest b  →  pytest
        python -m unittest discover -s tests  →  unittest, `python -m unittest discover -s tests -v`
        python -m unittest -q  →  unittest
        python -m unittest | cat  →  unittest
        cargo test --workspace  →  cargo test
        cargo +nightly --locked t  →  cargo test
        cargo nextest run  →  cargo nextest
        cargo llvm-cov nextest  →  cargo nextest
        ");
    }

    #[test]
    fn others() {
        for command in [
            "",
            "make test",
            "pytest-watch",
            "python train.py",
            "python -c 'import pytest'",
            "echo pytest",
            "cargo build",
            "cargo nextest list",
            "pytest 'open",
            "ruff check pytest",
            "python -m",
            "timeout",
            "uv run",
        ] {
            assert_eq!(check(command), "nothing", "{command}");
        }
    }

    #[test]
    fn pytest_is_told_by_its_variable() {
        let found = recognise("pytest", "/tmp/a b/r.xml", Some("-q")).unwrap();
        let [(name, value)] = found.env.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(name, "PYTEST_ADDOPTS");
        insta::assert_snapshot!(value, @"-q -rfER -o junit_family=xunit1 '--junitxml=/tmp/a b/r.xml'");
    }
}
