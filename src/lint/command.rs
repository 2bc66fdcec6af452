//! A command of the user's: which linter it runs, and how it is run so that its output can be read. Pure.

use super::parse::Format;
use super::tools::{Kind, TOOLS, Tool};

/// A longer command is run as it was written.
const MAX_COMMAND_BYTES: usize = 16 * 1024;

/// How a command is run, and what it will print.
#[derive(Debug)]
pub struct Invocation {
    /// The first linter in it that is known.
    pub tool: Option<&'static Tool>,
    /// For `sh -c`.
    pub command: String,
    /// Set on top of the environment.
    pub env: Vec<(String, String)>,
    pub format: Format,
    /// It runs this one linter and nothing else, so that its exit code is the linter's.
    pub is_simple: bool,
    /// Where it runs, relative to where it is started, or absolute: of `cd DIR && …` and `--directory DIR`. It is `..`,
    /// below which nothing has a place, where nobody can tell.
    pub dir: String,
}

/// What to run for a command that the user wrote.
///
/// One that runs one known linter, perhaps behind `cd DIR &&`, gets the options for output that can be read, unless it
/// has such options already. One with pipes, lists, redirections or substitutions is run as it was written, and is read
/// as the text that the linters in it print. Any other is run as it was written and is not read.
pub fn invocation(command: &str) -> Invocation {
    let mut made = Invocation {
        tool: None,
        command: command.to_owned(),
        env: vec![("NO_COLOR".to_owned(), "1".to_owned())],
        format: Format::Unread,
        is_simple: false,
        dir: String::new(),
    };
    let Some(shell) = Shell::read(command) else {
        made.env.clear();
        return made;
    };
    let (dir, commands) = shell.behind_cd();
    let runs: Vec<Run> = commands.iter().filter_map(|words| Run::of(words)).collect();
    let Some(first) = runs.first() else {
        made.env.clear();
        return made;
    };
    made.dir = match first.directory() {
        _ if moves(&commands) => UNKNOWN_DIR.to_owned(),
        Some(to) if runs.len() == 1 => joined(&dir, to),
        Some(_) => UNKNOWN_DIR.to_owned(),
        None => dir,
    };
    made.tool = Some(first.tool);
    if commands.len() == 1 && !shell.is_more && !first.is_notebook {
        let arguments = first.arguments();
        let plan = (first.tool.plan)(&arguments);
        made.is_simple = true;
        made.format = plan.format;
        if !plan.added.is_empty() {
            made.command = with_added(command, arguments.end, plan.added);
        }
    } else {
        let is_one = runs.iter().all(|run| run.tool.kind == first.tool.kind);
        made.format = Format::Text(is_one.then_some(first.tool.kind));
    }
    made
}

const UNKNOWN_DIR: &str = "..";

/// Whether a command behind the first goes elsewhere.
fn moves(commands: &[&[Word]]) -> bool {
    commands.iter().any(|words| {
        let first = words.first().map(|word| word.text.as_str());
        matches!(first, Some("cd" | "pushd" | "popd"))
    })
}

fn joined(dir: &str, to: &str) -> String {
    if dir.is_empty() || to.starts_with('/') {
        to.to_owned()
    } else {
        format!("{dir}/{to}")
    }
}

fn with_added(command: &str, at: usize, added: &str) -> String {
    let (before, after) = command.split_at(at);
    format!("{before} {added}{after}")
}

/// A word of a command, without its quotes.
#[derive(Debug)]
struct Word {
    text: String,
    /// One past its last byte in the command.
    end: usize,
}

/// A command line in as much detail as matters here.
#[derive(Debug, Default)]
struct Shell {
    /// The words of each simple command.
    commands: Vec<Vec<Word>>,
    /// What stands between them.
    joins: Vec<&'static str>,
    /// Whether there are redirections, substitutions, groups, comments or background jobs.
    is_more: bool,
}

impl Shell {
    /// Nothing for what no shell would take, such as a quote that is not closed.
    fn read(command: &str) -> Option<Self> {
        if command.len() > MAX_COMMAND_BYTES {
            return None;
        }
        let mut shell = Self::default();
        let mut words: Vec<Word> = Vec::new();
        let mut word: Option<String> = None;
        let mut chars = command.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let is_end = matches!(c, ' ' | '\t' | '\n' | '|' | '&' | ';' | '<' | '>' | '(' | ')');
            if is_end && let Some(text) = word.take() {
                words.push(Word { text, end: at });
            }
            match c {
                ' ' | '\t' => {}
                '\'' => {
                    let text = word.get_or_insert_default();
                    loop {
                        match chars.next()?.1 {
                            '\'' => break,
                            c => text.push(c),
                        }
                    }
                }
                '"' => {
                    let text = word.get_or_insert_default();
                    loop {
                        match chars.next()?.1 {
                            '"' => break,
                            '\\' => match chars.next()?.1 {
                                c @ ('"' | '\\' | '$' | '`') => text.push(c),
                                '\n' => {}
                                c => text.extend(['\\', c]),
                            },
                            c => text.push(c),
                        }
                    }
                }
                '\\' => match chars.next()?.1 {
                    '\n' => {}
                    c => word.get_or_insert_default().push(c),
                },
                '|' | '&' | ';' | '\n' => {
                    let is_double = matches!(c, '|' | '&') && chars.next_if(|(_, next)| *next == c).is_some();
                    if c == '&' && !is_double {
                        shell.is_more = true;
                    }
                    shell.joins.push(match (c, is_double) {
                        ('&', true) => "&&",
                        ('|', true) => "||",
                        ('|', false) => "|",
                        _ => ";",
                    });
                    shell.commands.push(std::mem::take(&mut words));
                }
                '<' | '>' => {
                    shell.is_more = true;
                    // The `&` of `2>&1` joins nothing.
                    chars.next_if(|(_, next)| *next == '&');
                }
                '(' | ')' | '`' => shell.is_more = true,
                '#' if word.is_none() => {
                    shell.is_more = true;
                    while chars.next_if(|(_, next)| *next != '\n').is_some() {}
                }
                c => word.get_or_insert_default().push(c),
            }
        }
        if let Some(text) = word {
            let end = command.len();
            words.push(Word { text, end });
        }
        shell.commands.push(words);
        Some(shell)
    }

    /// The directory that a leading `cd DIR &&` goes to, and the commands behind it that have words.
    fn behind_cd(&self) -> (String, Vec<&[Word]>) {
        let mut commands: Vec<&[Word]> = self.commands.iter().map(Vec::as_slice).collect();
        let mut dir = String::new();
        if let ([cd, to], Some(&("&&" | ";"))) = (commands[0], self.joins.first())
            && cd.text == "cd"
            && !to.text.contains(['$', '~', '*'])
            && !to.text.starts_with('-')
        {
            dir.clone_from(&to.text);
            commands.remove(0);
        }
        commands.retain(|words| !words.is_empty());
        (dir, commands)
    }
}

/// A linter as a simple command runs it.
struct Run<'a> {
    tool: &'static Tool,
    words: &'a [Word],
    /// Where its arguments begin.
    first: usize,
    /// Whether nbqa runs it on notebooks, and rewrites what it prints.
    is_notebook: bool,
}

impl<'a> Run<'a> {
    fn of(words: &'a [Word]) -> Option<Self> {
        let mut at = 0;
        let mut is_notebook = false;
        loop {
            let word = &words.get(at)?.text;
            at += 1;
            if is_assignment(word) {
                continue;
            }
            let base = word.rsplit('/').next().unwrap_or_default();
            let name = base.split('@').next().unwrap_or_default();
            match name {
                "env" => at = past_options(words, at, &["-u", "-C"]),
                "command" | "exec" | "nice" | "time" => at = past_options(words, at, &["-n"]),
                "timeout" => at = past_options(words, at, &["-k", "-s"]) + 1,
                "xargs" => at = past_options(words, at, &["-n", "-P", "-I", "-L", "-d", "-a", "-s"]),
                "uvx" => at = past_options(words, at, UV_VALUES),
                "uv" | "poetry" | "pipenv" | "pdm" | "hatch" | "rye" | "pixi" | "pipx" | "conda" | "mamba"
                | "micromamba" => {
                    at = past_options(words, at, RUNNER_VALUES);
                    if words.get(at)?.text == "tool" {
                        at += 1;
                    }
                    if words.get(at)?.text != "run" {
                        return None;
                    }
                    at = past_options(words, at + 1, if name == "uv" { UV_VALUES } else { RUNNER_VALUES });
                }
                "nbqa" => {
                    is_notebook = true;
                    at = past_options(words, at, &[]);
                }
                _ if is_python(name) => at = past_module(words, at)?,
                _ => {
                    return TOOLS.iter().find_map(|tool| {
                        if tool.program != name {
                            return None;
                        }
                        let first = match tool.subcommands {
                            [] => at,
                            // nbqa knows `ruff` alone, and means `ruff check`.
                            _ if is_notebook && tool.kind == Kind::RuffCheck => at,
                            names => {
                                let sub = past_options(words, at, &["--config", "--color", "-C", "-Z"]);
                                names.contains(&words.get(sub)?.text.as_str()).then_some(sub + 1)?
                            }
                        };
                        Some(Run {
                            tool,
                            words,
                            first,
                            is_notebook,
                        })
                    });
                }
            }
        }
    }

    /// Where an option of a wrapper goes.
    fn directory(&self) -> Option<&'a str> {
        let before = &self.words[..self.first];
        before
            .iter()
            .enumerate()
            .find_map(|(index, word)| match word.text.as_str() {
                "--directory" | "--chdir" | "--cwd" | "-C" => before.get(index + 1).map(|next| next.text.as_str()),
                text => ["--directory=", "--chdir=", "--cwd="]
                    .iter()
                    .find_map(|name| text.strip_prefix(name)),
            })
    }

    fn arguments(&self) -> Arguments<'a> {
        let all = &self.words[self.first..];
        let n = all.iter().position(|word| word.text == "--").unwrap_or(all.len());
        Arguments {
            before: &self.words[..self.first],
            words: &all[..n],
            end: all[..n].last().unwrap_or(&self.words[self.first - 1]).end,
        }
    }
}

/// Options of uv that take a value.
const UV_VALUES: &[&str] = &[
    "--with",
    "--with-requirements",
    "--with-editable",
    "--from",
    "--extra",
    "--no-extra",
    "--group",
    "--no-group",
    "--only-group",
    "--package",
    "--python",
    "-p",
    "--project",
    "--directory",
    "--env-file",
    "--index",
    "--index-url",
    "-i",
    "--cache-dir",
    "--color",
];

/// The same of the others.
const RUNNER_VALUES: &[&str] = &[
    "-n",
    "--name",
    "-p",
    "--prefix",
    "--spec",
    "-e",
    "--env",
    "--environment",
    "-C",
    "--directory",
    "-P",
    "--project",
    "--python",
    "--manifest-path",
    "--cwd",
];

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    rest.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Past `-m` and the options before it; the module stands there.
fn past_module(words: &[Word], mut at: usize) -> Option<usize> {
    loop {
        match words.get(at)?.text.as_str() {
            "-m" => return Some(at + 1),
            "-X" | "-W" => at += 2,
            option if option.starts_with('-') => at += 1,
            _ => return None,
        }
    }
}

fn past_options(words: &[Word], mut at: usize, with_value: &[&str]) -> usize {
    while let Some(word) = words.get(at) {
        match word.text.as_str() {
            "--" | "-m" | "--module" => return at + 1,
            // The toolchain of cargo.
            option if option.starts_with('+') => at += 1,
            option if with_value.contains(&option) => at += 2,
            option if option.starts_with('-') => at += 1,
            _ => break,
        }
    }
    at
}

/// What a linter is given, up to a `--`.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    before: &'a [Word],
    words: &'a [Word],
    /// Where in the command another option may come.
    end: usize,
}

impl Arguments<'_> {
    pub fn has(&self, names: &[&str]) -> bool {
        self.words.iter().any(|word| names.contains(&word.text.as_str()))
    }

    /// The last value of an option, in the forms `--name value`, `--name=value` and `-nvalue`.
    pub fn value(&self, names: &[&str]) -> Option<String> {
        let mut found = None;
        for (index, word) in self.words.iter().enumerate() {
            for name in names {
                let Some(rest) = word.text.strip_prefix(name) else {
                    continue;
                };
                if rest.is_empty() {
                    found = Some(
                        self.words
                            .get(index + 1)
                            .map(|next| next.text.clone())
                            .unwrap_or_default(),
                    );
                } else if let Some(value) = rest.strip_prefix('=') {
                    found = Some(value.to_owned());
                } else if !name.starts_with("--") {
                    found = Some(rest.to_owned());
                }
            }
        }
        found
    }

    /// A variable that is set before the command.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.before.iter().find_map(|word| {
            let (found, value) = word.text.split_once('=')?;
            (found == name).then(|| value.to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(command: &str) -> String {
        let made = invocation(command);
        let Some(tool) = made.tool else {
            assert_eq!(made.command, command);
            return "not known".to_owned();
        };
        let added = if made.command == command {
            "as written".to_owned()
        } else {
            made.command
        };
        let dir = if made.dir.is_empty() {
            String::new()
        } else {
            format!(" in {}", made.dir)
        };
        format!("{}{dir}: {added} → {:?}", tool.name, made.format)
    }

    #[test]
    fn commands_are_run_so_that_they_can_be_read() {
        let commands = [
            "ruff check .",
            "python3.11 -X utf8 -m ruff check 'a b' \"c\\\"d\"",
            "uv run --frozen --extra dev ruff check src",
            "uv run -m mypy src",
            "uvx ruff@0.6.9 check",
            "uv tool run --from 'ruff==0.6.9' ruff check",
            "poetry run ruff format --check .",
            "RUFF_OUTPUT_FORMAT=github pipenv run ruff check",
            "env A=1 .venv/bin/black --check --diff .",
            "black .",
            "isort -c src",
            "flake8 --format '%(path)s:%(row)d: %(code)s' src",
            "mypy -O json src",
            "mypy",
            "pylint -fjson2 src",
            "pylint src -- odd.py",
            "ruff check --output-format=junit .",
            "ruff check --statistics .",
            "cargo +nightly clippy --all-targets -- -D warnings",
            "cargo fmt --all -- --check",
            "cd ml && cargo clippy",
            "cd ml; black --check . && mypy src",
            "ruff check . | tee ruff.txt",
            "ruff check src && ruff check tests",
            "flake8 . || true",
            "flake8 . 2>&1 # all of it",
            "mypy $(git ls-files '*.py')",
            "nbqa ruff notebooks",
            "conda run -n ml pylint src",
            "uv run --directory ml ruff check",
            "cd /srv/ml && timeout -k 5 60 mypy src",
            "cd \"$ML\" && mypy src",
            "ruff check . && cd docs && ruff check .",
            "git ls-files '*.py' | xargs -n 10 flake8",
            "ruff clean",
            "uv sync",
            "cargo build",
            "python train.py",
            "make lint",
            "echo ruff check",
            "ruff check 'open",
            "",
        ];
        let table: Vec<String> = commands.iter().map(|c| format!("{c}\n    {}", shown(c))).collect();
        insta::assert_snapshot!(table.join("\n"), @r#"
        ruff check .
            ruff check: ruff check . --output-format json → Json(RuffCheck)
        python3.11 -X utf8 -m ruff check 'a b' "c\"d"
            ruff check: python3.11 -X utf8 -m ruff check 'a b' "c\"d" --output-format json → Json(RuffCheck)
        uv run --frozen --extra dev ruff check src
            ruff check: uv run --frozen --extra dev ruff check src --output-format json → Json(RuffCheck)
        uv run -m mypy src
            mypy: uv run -m mypy src --show-column-numbers --show-error-end --show-error-codes --no-pretty --hide-error-context → Text(Some(Mypy))
        uvx ruff@0.6.9 check
            ruff check: uvx ruff@0.6.9 check --output-format json → Json(RuffCheck)
        uv tool run --from 'ruff==0.6.9' ruff check
            ruff check: uv tool run --from 'ruff==0.6.9' ruff check --output-format json → Json(RuffCheck)
        poetry run ruff format --check .
            ruff format: poetry run ruff format --check . --diff → Text(Some(RuffFormat))
        RUFF_OUTPUT_FORMAT=github pipenv run ruff check
            ruff check: as written → Text(Some(RuffCheck))
        env A=1 .venv/bin/black --check --diff .
            black: as written → Text(Some(Black))
        black .
            black: as written → Text(Some(Black))
        isort -c src
            isort: isort -c src --diff → Text(Some(Isort))
        flake8 --format '%(path)s:%(row)d: %(code)s' src
            flake8: as written → Text(Some(Flake8))
        mypy -O json src
            mypy: as written → Json(Mypy)
        mypy
            mypy: mypy --show-column-numbers --show-error-end --show-error-codes --no-pretty --hide-error-context → Text(Some(Mypy))
        pylint -fjson2 src
            pylint: as written → Json(Pylint)
        pylint src -- odd.py
            pylint: pylint src --output-format=json -- odd.py → Json(Pylint)
        ruff check --output-format=junit .
            ruff check: as written → Unread
        ruff check --statistics .
            ruff check: as written → Unread
        cargo +nightly clippy --all-targets -- -D warnings
            cargo clippy: cargo +nightly clippy --all-targets --message-format json -- -D warnings → Json(Clippy)
        cargo fmt --all -- --check
            cargo fmt: as written → Text(Some(CargoFmt))
        cd ml && cargo clippy
            cargo clippy in ml: cd ml && cargo clippy --message-format json → Json(Clippy)
        cd ml; black --check . && mypy src
            black in ml: as written → Text(None)
        ruff check . | tee ruff.txt
            ruff check: as written → Text(Some(RuffCheck))
        ruff check src && ruff check tests
            ruff check: as written → Text(Some(RuffCheck))
        flake8 . || true
            flake8: as written → Text(Some(Flake8))
        flake8 . 2>&1 # all of it
            flake8: as written → Text(Some(Flake8))
        mypy $(git ls-files '*.py')
            mypy: as written → Text(Some(Mypy))
        nbqa ruff notebooks
            ruff check: as written → Text(Some(RuffCheck))
        conda run -n ml pylint src
            pylint: conda run -n ml pylint src --output-format=json → Json(Pylint)
        uv run --directory ml ruff check
            ruff check in ml: uv run --directory ml ruff check --output-format json → Json(RuffCheck)
        cd /srv/ml && timeout -k 5 60 mypy src
            mypy in /srv/ml: cd /srv/ml && timeout -k 5 60 mypy src --show-column-numbers --show-error-end --show-error-codes --no-pretty --hide-error-context → Text(Some(Mypy))
        cd "$ML" && mypy src
            mypy in ..: as written → Text(Some(Mypy))
        ruff check . && cd docs && ruff check .
            ruff check in ..: as written → Text(Some(RuffCheck))
        git ls-files '*.py' | xargs -n 10 flake8
            flake8: as written → Text(Some(Flake8))
        ruff clean
            not known
        uv sync
            not known
        cargo build
            not known
        python train.py
            not known
        make lint
            not known
        echo ruff check
            not known
        ruff check 'open
            not known

            not known
        "#);
    }
}
