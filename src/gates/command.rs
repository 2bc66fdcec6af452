//! Runs the repository's own lint and test commands (edge), and reads what they found.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use super::{CommandRun, GateCommand, GateResult, GateStatus, lints, suites};
use crate::base::counted;
use crate::exec::{self, Captured, Ended, Exit, Sandbox, Tail, Task, User, neutralise};
use crate::lint::{Changed, Filter};
use crate::suites::Summary;
use crate::sys::Stopwatch;

/// More lines than this of one command are not shown while it runs; its end is kept all the same.
const MAX_LIVE_LINES: usize = 20_000;
/// As much of a command as a sentence can bear.
const MAX_SHOWN_CHARS: usize = 80;
/// As much of a command's output as is kept to be read by a program.
pub(super) const MAX_CAPTURED_BYTES: usize = 16 << 20;

/// What a gate's commands find around them.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The root of the project, absolute.
    pub cwd: &'a Path,
    /// The whole environment, see [`exec::scrubbed_env`].
    pub env: &'a BTreeMap<String, String>,
    /// Who they run as; none is who we are.
    pub user: Option<User>,
    /// What they may touch and take.
    pub sandbox: &'a Sandbox,
    /// An empty folder of theirs, outside of the repository, for reports that we read; none where there is no place.
    pub reports: Option<&'a Path>,
    /// What the change under judgement touched, and which findings are therefore its own; none: all findings count.
    pub changed: Option<(&'a Changed, Filter)>,
    /// What the tests of each command came to on the branch that this goes to.
    pub base: &'a BTreeMap<String, Summary>,
}

/// What the commands of a gate did.
pub struct Judged {
    pub result: GateResult,
    /// By command, for the next comparison.
    pub suites: BTreeMap<String, Summary>,
}

/// Runs every command of a gate, whether or not those before it failed, and says what all of them did.
///
/// `name` is `lint` or `test`; `timeout` is for each command. `on_line` gets what the commands print as they print it,
/// already harmless.
pub async fn run_commands(
    name: &str,
    commands: &[GateCommand],
    timeout: Duration,
    around: Surroundings<'_>,
    on_line: &mut (dyn FnMut(&str) + Send),
) -> Judged {
    let mut runs = Vec::with_capacity(commands.len());
    let mut summaries = BTreeMap::new();
    for (index, command) in commands.iter().enumerate() {
        let run = if name == "lint" {
            lints::run(command, timeout, around, on_line).await
        } else {
            let (run, suite) = suites::run(command, index, timeout, around, on_line).await;
            summaries.extend(suite.map(|suite| (command.text().to_owned(), suite)));
            run
        };
        runs.push(run);
    }
    Judged {
        result: judge(name, commands, runs),
        suites: summaries,
    }
}

/// How a command ended, and its last words.
pub(super) struct Ran {
    pub exit_code: Option<i32>,
    pub problem: Option<String>,
    pub elapsed: Duration,
    pub tail: Tail,
    pub captured: Captured,
}

impl Ran {
    pub fn into_command(self, command: &str) -> CommandRun {
        CommandRun {
            command: bounded(neutralise(command)),
            exit_code: self.exit_code,
            problem: self.problem,
            tail: self.tail.text(),
            elapsed_ms: u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            lint: None,
            tests: None,
        }
    }
}

/// As long as a text of a fork's facts may be.
const MAX_COMMAND_BYTES: usize = 3_500;

fn bounded(mut command: String) -> String {
    if command.len() > MAX_COMMAND_BYTES {
        let mut end = MAX_COMMAND_BYTES;
        while !command.is_char_boundary(end) {
            end -= 1;
        }
        command.truncate(end);
        command.push('…');
    }
    command
}

/// Runs one command to its end; `gate` is the key of `gates` that it stands under, or another name for messages.
pub async fn run_command(gate: &str, task: &Task, on_line: &mut (dyn FnMut(&str) + Send)) -> CommandRun {
    run_one(gate, task, false, on_line).await.into_command(&task.command)
}

/// Runs one command; where its output is for a program, the standard output is captured and not shown.
pub(super) async fn run_one(gate: &str, task: &Task, captures: bool, on_line: &mut (dyn FnMut(&str) + Send)) -> Ran {
    let watch = Stopwatch::start();
    let mut tail = Tail::default();
    let mut n_lines = 0;
    let mut on_output = |line: &str| {
        tail.push(line);
        n_lines += 1;
        if n_lines <= MAX_LIVE_LINES {
            on_line(line);
        } else if n_lines == MAX_LIVE_LINES + 1 {
            on_line("… more output than is shown here; its end is in the report");
        }
    };
    let ended = if captures {
        exec::run_captured(task, MAX_CAPTURED_BYTES, &mut on_output).await
    } else {
        exec::run(task, &mut on_output)
            .await
            .map(|exit| (exit, Captured::default()))
    };
    match ended {
        Ok((exit, captured)) => Ran {
            exit_code: exit.code.filter(|_| exit.ended == Ended::Itself),
            problem: problem(gate, task, &exit, &tail),
            elapsed: exit.elapsed,
            tail,
            captured,
        },
        Err(error) => Ran {
            exit_code: None,
            problem: Some(match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            }),
            elapsed: watch.elapsed(),
            tail,
            captured: Captured::default(),
        },
    }
}

/// What the exit code alone does not say.
fn problem(gate: &str, task: &Task, exit: &Exit, tail: &Tail) -> Option<String> {
    if let Some(sentence) = exit.ended.sentence() {
        return Some(sentence);
    }
    match (exit.code, exit.signal) {
        (Some(127), _) => {
            let tool = missing_tool(tail).or_else(|| first_word(&task.command))?;
            Some(format!(
                "`{tool}` was not found: add it to the environment of the project, or take the command out of \
                 `gates.{gate}`"
            ))
        }
        (Some(126), _) => {
            let tool = first_word(&task.command)?;
            Some(format!("`{tool}` is there but can not be executed"))
        }
        // The shell says the same of a program that it started.
        (None, Some(9)) | (Some(137), _) => {
            Some("it was killed (signal 9), as happens when memory runs out".to_owned())
        }
        (None, Some(signal)) => Some(format!("it was ended by signal {signal}")),
        (None, None) => Some("nobody knows how it ended".to_owned()),
        (Some(_), _) => None,
    }
}

/// The name in what shells say: `sh: 1: ruff: not found`, `bash: line 1: ruff: command not found`.
fn missing_tool(tail: &Tail) -> Option<String> {
    tail.lines().rev().take(5).find_map(|line| {
        let before = line
            .strip_suffix(": command not found")
            .or_else(|| line.strip_suffix(": not found"))?;
        let tool = before.rsplit(": ").next()?;
        (!tool.is_empty() && !tool.contains([' ', '`'])).then(|| shortened(tool))
    })
}

/// The tool of a simple command, past settings of the environment such as `A=1`.
fn first_word(command: &str) -> Option<String> {
    let word = command.split_whitespace().find(|word| !word.contains('='))?;
    Some(shortened(&word.replace('`', "'")))
}

fn judge(name: &str, commands: &[GateCommand], runs: Vec<CommandRun>) -> GateResult {
    let is_failed = |run: &CommandRun| !run.has_passed();
    let failures: Vec<String> = runs.iter().filter(|run| is_failed(run)).map(failure).collect();
    let first_failed = runs.iter().position(is_failed);
    let n_runs = runs.len();
    let (status, reason) = match (n_runs, failures.as_slice()) {
        (0, _) => (GateStatus::Skipped, "no command is configured".to_owned()),
        (1, []) => (GateStatus::Pass, passed(&runs[0])),
        (n, []) => (GateStatus::Pass, format!("all {n} commands passed{}", in_all(&runs))),
        (1, [only]) => (GateStatus::Fail, only.clone()),
        (n, [only]) => (GateStatus::Fail, format!("1 of {n} commands failed: {only}")),
        (n, [first, ..]) => (
            GateStatus::Fail,
            format!("{} of {n} commands failed, the first: {first}", failures.len()),
        ),
    };
    GateResult {
        name: name.to_owned(),
        status,
        reason,
        verdict: None,
        span: commands.get(first_failed.unwrap_or(0)).map(|command| command.span),
        commands: runs,
    }
}

fn passed(run: &CommandRun) -> String {
    let command = quoted(&run.command);
    match (&run.lint, &run.tests) {
        (Some(lint), _) if lint.n_hidden > 0 => format!(
            "{command} found nothing on the lines of this change, and {} elsewhere",
            counted(lint.n_hidden, "older thing")
        ),
        (_, Some(tests)) => format!("{command} passed, {}", tests.counted()),
        _ => format!("{command} passed"),
    }
}

/// The tests of all commands together, where they were counted.
fn in_all(runs: &[CommandRun]) -> String {
    let n_tests: usize = runs
        .iter()
        .filter_map(|run| run.tests.as_ref())
        .map(|tests| tests.counts.total())
        .sum();
    if n_tests == 0 {
        String::new()
    } else {
        format!(", {}", counted(n_tests, "test"))
    }
}

fn failure(run: &CommandRun) -> String {
    let command = quoted(&run.command);
    if let Some(lint) = run.lint.as_ref().filter(|lint| lint.n_shown > 0) {
        let elsewhere = match lint.n_hidden {
            0 => String::new(),
            n => format!(", and {} elsewhere", counted(n, "older thing")),
        };
        let where_ = if lint.is_filtered {
            " on the lines of this change"
        } else {
            ""
        };
        return format!("{command} found {}{where_}{elsewhere}", counted(lint.n_shown, "thing"));
    }
    match (&run.problem, run.exit_code) {
        (Some(problem), _) => format!("{command}: {problem}"),
        (None, Some(code)) => format!("{command} exited with {code}"),
        (None, None) => format!("{command} did not end"),
    }
}

/// The command as code, on one line and not too long.
fn quoted(command: &str) -> String {
    let line = command.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("`{}`", shortened(&line.replace('`', "'")))
}

fn shortened(text: &str) -> String {
    if text.chars().count() > MAX_SHOWN_CHARS {
        text.chars().take(MAX_SHOWN_CHARS - 1).chain(['…']).collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use super::*;
    use crate::base::Span;

    async fn check_within(timeout: Duration, commands: &[&str]) -> (String, GateResult, Vec<String>) {
        let spanned: Vec<GateCommand> = (3..)
            .zip(commands)
            .map(|(line, command)| GateCommand::new((*command).to_owned(), Span::new(line, 5, 9)))
            .collect();
        let env = exec::scrubbed_env(&BTreeMap::new());
        let mut live = Vec::new();
        let dir = tempfile::tempdir().unwrap();
        let around = Surroundings {
            cwd: dir.path(),
            env: &env,
            user: None,
            sandbox: &Sandbox::open(),
            reports: None,
            changed: None,
            base: &BTreeMap::new(),
        };
        let result = run_commands("lint", &spanned, timeout, around, &mut |line| {
            live.push(line.to_owned());
        })
        .await
        .result;
        let place = result.span.map_or(0, |span| span.line);
        let shown = format!("{:?} at line {place}: {}", result.status, result.reason);
        (shown, result, live)
    }

    async fn check(commands: &[&str]) -> (String, GateResult, Vec<String>) {
        check_within(Duration::from_mins(1), commands).await
    }

    #[tokio::test]
    async fn all_run_and_all_are_reported() {
        let (shown, result, live) = check(&["echo one", "echo two; exit 2", "echo ::error::three"]).await;
        insta::assert_snapshot!(shown, @"Fail at line 4: 1 of 3 commands failed: `echo two; exit 2` exited with 2");
        assert_eq!(live, ["one", "two", ": :error::three"]);
        let seen: Vec<_> = result
            .commands
            .iter()
            .map(|run| (run.exit_code, run.tail.as_str()))
            .collect();
        assert_eq!(seen, [(Some(0), "one"), (Some(2), "two"), (Some(0), ": :error::three")]);
    }

    #[tokio::test]
    async fn reasons() {
        insta::assert_snapshot!(check(&[]).await.0, @"Skipped at line 0: no command is configured");
        insta::assert_snapshot!(check(&["true"]).await.0, @"Pass at line 3: `true` passed");
        insta::assert_snapshot!(check(&["true", ":"]).await.0, @"Pass at line 3: all 2 commands passed");
        insta::assert_snapshot!(check(&["exit 1"]).await.0, @"Fail at line 3: `exit 1` exited with 1");
        insta::assert_snapshot!(check(&["kill -9 $$"]).await.0, @"Fail at line 3: `kill -9 $$`: it was killed (signal 9), as happens when memory runs out");
        insta::assert_snapshot!(check(&["A=1 mlops-nothing --x"]).await.0, @"Fail at line 3: `A=1 mlops-nothing --x`: `mlops-nothing` was not found: add it to the environment of the project, or take the command out of `gates.lint`");
        insta::assert_snapshot!(check(&["true && mlops-nothing"]).await.0, @"Fail at line 3: `true && mlops-nothing`: `mlops-nothing` was not found: add it to the environment of the project, or take the command out of `gates.lint`");
        insta::assert_snapshot!(check(&["/etc/passwd x"]).await.0, @"Fail at line 3: `/etc/passwd x`: `/etc/passwd` is there but can not be executed");
        insta::assert_snapshot!(check(&["exit 3", "true", "exit 4"]).await.0, @"Fail at line 3: 2 of 3 commands failed, the first: `exit 3` exited with 3");
    }

    #[tokio::test]
    async fn a_deadline_is_a_failure_even_for_exit_0() {
        let (shown, result, _) = check_within(
            Duration::from_millis(500),
            &["trap 'exit 0' TERM; while :; do sleep 0.01; done"],
        )
        .await;
        insta::assert_snapshot!(shown, @"Fail at line 3: `trap 'exit 0' TERM; while :; do sleep 0.01; done`: it was stopped after 500 ms");
        assert_eq!(result.commands[0].exit_code, None);
    }

    #[tokio::test]
    async fn only_what_one_linter_found_is_excused() {
        use crate::lint::{Changed, Filter};
        let dir = tempfile::tempdir().unwrap();
        let bin = tempfile::tempdir().unwrap();
        for (name, script) in [
            ("flake8", "#!/bin/sh\necho 'old.py:1:1: F401 unused'\nexit ${CODE:-1}\n"),
            ("licences", "#!/bin/sh\nexit 1\n"),
        ] {
            let path = bin.path().join(name);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let mut env = exec::scrubbed_env(&BTreeMap::new());
        let path = env.entry("PATH".to_owned()).or_default();
        *path = format!("{}:{path}", bin.path().display());
        let changed = Changed::default();
        let sandbox = Sandbox::open();
        for (command, expected) in [
            ("flake8 .", GateStatus::Pass),
            ("CODE=2 flake8 .", GateStatus::Fail),
            ("flake8 . && mypy .", GateStatus::Fail),
            ("flake8 .; licences", GateStatus::Fail),
        ] {
            let around = Surroundings {
                cwd: dir.path(),
                env: &env,
                user: None,
                sandbox: &sandbox,
                reports: None,
                changed: Some((&changed, Filter::Added)),
                base: &BTreeMap::new(),
            };
            let commands = [GateCommand::new(command.to_owned(), Span::new(1, 1, 2))];
            let judged = run_commands("lint", &commands, Duration::from_mins(1), around, &mut |_| {}).await;
            assert_eq!(judged.result.status, expected, "{command}: {}", judged.result.reason);
        }
    }

    #[tokio::test]
    async fn what_can_not_start_is_a_finding() {
        let commands = [GateCommand::new("true".to_owned(), Span::new(1, 1, 2))];
        let around = Surroundings {
            cwd: Path::new("/nowhere"),
            env: &BTreeMap::new(),
            user: None,
            sandbox: &Sandbox::open(),
            reports: None,
            changed: None,
            base: &BTreeMap::new(),
        };
        let result = run_commands("test", &commands, Duration::from_mins(1), around, &mut |_| {})
            .await
            .result;
        assert_eq!(result.status, GateStatus::Fail);
        insta::assert_snapshot!(result.reason, @"`true`: the directory `/nowhere` is not there");
    }

    #[tokio::test]
    async fn a_flood_is_shown_in_part_and_its_end_is_kept() {
        let (_, result, live) = check(&["yes | head -n 30000; echo end"]).await;
        assert_eq!(live.len(), MAX_LIVE_LINES + 1);
        let tail = &result.commands[0].tail;
        assert!(
            tail.starts_with("… 29801 earlier lines are left out\ny\n") && tail.ends_with("y\nend"),
            "{tail}"
        );
    }
}
