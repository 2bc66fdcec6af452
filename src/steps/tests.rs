//! Small graphs of real commands in directories of their own.

#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::base::{Digest, Span, Timestamp};
use crate::exec;

/// A place in the configuration; each is another one.
fn span(line: usize, column: usize) -> Span {
    let [line, column] = [line, column].map(|n| u32::try_from(n).unwrap());
    Span::new(line, column, column + 1)
}

fn list(line: usize, column: usize, texts: &[&str]) -> Vec<Written> {
    let texts = texts.iter().enumerate();
    texts
        .map(|(at, text)| Written {
            text: (*text).to_owned(),
            span: span(line, column + at),
        })
        .collect()
}

/// Steps by name, command, inputs and outputs; each is a line of the configuration.
fn steps(written: &[(&str, &str, &[&str], &[&str])]) -> Vec<StepSettings> {
    let written = written.iter().enumerate();
    written
        .map(|(at, (name, command, inputs, outputs))| StepSettings {
            name: (*name).to_owned(),
            span: span(at + 1, 1),
            work: Work::Run {
                command: (*command).to_owned(),
            },
            work_span: span(at + 1, 100),
            inputs: list(at + 1, 200, inputs),
            outputs: list(at + 1, 300, outputs),
            needs: Vec::new(),
            foreach: Vec::new(),
            n_retries: 0,
            timeout: Duration::from_secs(30),
            memory_bytes: None,
            has_network: true,
            env: BTreeMap::new(),
        })
        .collect()
}

fn told(written: &[StepSettings]) -> String {
    match Plan::of(written) {
        Ok(plan) => {
            let names: Vec<&str> = plan.steps().iter().map(|step| step.name.as_str()).collect();
            names.join(" ")
        }
        Err(mut problems) => {
            problems.sort();
            let mut text = String::new();
            for problem in problems.iter() {
                let span = problem.span.unwrap();
                let help = problem.help.as_deref().unwrap();
                writeln!(text, "{}:{} {} | {help}", span.line, span.column, problem.message).unwrap();
            }
            text
        }
    }
}

/// A repository in which steps run.
struct World {
    dir: tempfile::TempDir,
    n_parallel: usize,
    environment: Digest,
    user: Option<exec::User>,
    events: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            n_parallel: 2,
            environment: Digest::of(b"environment"),
            user: None,
            events: Arc::default(),
        };
        for (path, content) in files {
            world.write(path, content);
        }
        world
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    fn around(&self) -> Around {
        let (cwd, events) = (self.dir.path().to_owned(), Arc::clone(&self.events));
        let user = self.user;
        Around {
            root: cwd.clone(),
            environment: self.environment,
            now: Timestamp(1_700_000_000),
            n_parallel: self.n_parallel,
            pause: Duration::from_millis(1),
            command: Arc::new(move |task| {
                let Work::Run { command } = &task.work else {
                    return Err("only commands run here".to_owned());
                };
                Ok(exec::Task {
                    command: command.clone(),
                    cwd: cwd.clone(),
                    env: BTreeMap::from([("PATH".to_owned(), std::env::var("PATH").unwrap())]),
                    timeout: Duration::from_secs(30),
                    user,
                    sandbox: exec::Sandbox::default(),
                })
            }),
            on_event: Arc::new(move |event| {
                let text = match event {
                    Event::Started { task, reason } => format!("{} starts: {reason}", task.id()),
                    Event::Output { task, line } => format!("{}: {line}", task.id()),
                    Event::Retrying {
                        task,
                        reason,
                        n_attempt,
                    } => format!("{} again ({n_attempt}): {reason}", task.id()),
                    Event::Finished { outcome } => format!("{} {:?}", outcome.name, outcome.status),
                };
                events.lock().unwrap().push(text);
            }),
        }
    }

    fn only(&self, steps: &[StepSettings], only: Option<&str>) -> Vec<StepOutcome> {
        let plan = Plan::of(steps).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(&plan, &self.around(), only)).unwrap()
    }

    fn run(&self, steps: &[StepSettings]) -> String {
        shown(&self.only(steps, None))
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

fn shown(outcomes: &[StepOutcome]) -> String {
    let lines = outcomes.iter().map(|outcome| {
        let item = outcome.item.as_ref().map_or(String::new(), |item| format!("[{item}]"));
        let note = outcome.note.as_ref().map_or(String::new(), |note| format!(" ({note})"));
        format!(
            "{}{item} {:?}: {}{note}\n",
            outcome.name, outcome.status, outcome.reason
        )
    });
    lines.collect()
}

/// raw → clean → {count, head}; count also reads a script.
fn diamond() -> Vec<StepSettings> {
    steps(&[
        (
            "head",
            "head -n 1 data/clean.csv > head.txt",
            &["data/clean.csv"],
            &["head.txt"],
        ),
        ("count", "sh count.sh", &["data/clean.csv", "*.sh"], &["out/count.txt"]),
        (
            "clean",
            "sort data/raw.csv > data/clean.csv",
            &["data/raw.csv"],
            &["data/clean.csv"],
        ),
    ])
}

fn diamond_world() -> World {
    World::new(&[
        ("data/raw.csv", "b\na\nc\n"),
        ("count.sh", "wc -l < data/clean.csv > out/count.txt\n"),
    ])
}

#[test]
fn the_order_follows_from_files_and_names() {
    assert_eq!(told(&diamond()), "clean head count");
    let mut named = steps(&[("c", ":", &[], &[]), ("b", ":", &[], &[]), ("a", ":", &[], &[])]);
    assert_eq!(told(&named), "c b a", "as written where nothing else says");
    named[0].needs = list(1, 50, &["b"]);
    named[1].needs = list(2, 50, &["a"]);
    assert_eq!(told(&named), "a b c");
    let folders = steps(&[
        ("use", ":", &["models"], &[]),
        ("glob", ":", &["parts/*.csv"], &["models/one/model.bin"]),
        ("make", ":", &[], &["parts/{a,b}.csv"]),
    ]);
    assert_eq!(told(&folders), "make glob use");
}

#[test]
fn all_problems_are_told_at_once() {
    let mut wrong = steps(&[
        ("a", ":", &["c.txt", "/etc/passwd"], &["a.txt"]),
        ("b", ":", &["a.txt"], &["b.txt", "b.txt"]),
        ("c", ":", &["b.txt"], &["c.txt"]),
        ("Not Safe", ":", &["../x", "**"], &[]),
        ("d", ":", &["data"], &["data/x.csv"]),
        ("e", ":", &[], &["data/*.csv"]),
        ("f", ":", &["x-{item}"], &[".mlops/x"]),
        ("g", "echo {item}", &["in/{item}"], &["same.txt"]),
        ("h", ":", &[], &[]),
    ]);
    wrong[3].needs = list(4, 50, &["claen", "h", "h"]);
    wrong[7].foreach = list(8, 60, &["one", "one", "a/b", "two"]);
    wrong[8].needs = list(9, 50, &["h"]);
    wrong.push(StepSettings {
        name: "clean".to_owned(),
        span: span(10, 1),
        work: Work::Notebook {
            path: "notebooks/*.ipynb".to_owned(),
            params: serde_json::Map::new(),
        },
        ..wrong[8].clone()
    });
    wrong[9].needs = Vec::new();
    insta::assert_snapshot!(told(&wrong), @r#"
    1:200 the steps wait for each other: `a` reads `c.txt`, which `c` makes; `c` reads `b.txt`, which `b` makes; `b` reads `a.txt`, which `a` makes | remove one of these
    1:201 `/etc/passwd` in `steps.a.inputs` leads out of the repository | write a path such as `data/clean.csv`, relative to the repository's root
    2:301 `b.txt` is in `steps.b.outputs` twice | remove one of them
    4:1 `Not Safe` is not a usable name of a step | use at most 64 of `a` to `z`, digits, `-` and `_`, a letter or digit first
    4:50 there is no step `claen` | did you mean `clean`?
    4:52 `h` is in `steps.Not Safe.needs` twice | remove one of them
    4:200 `../x` in `steps.Not Safe.inputs` leads out of the repository by `..` | write the path from the repository's root, without `..`
    4:201 `**` in `steps.Not Safe.inputs` is the whole repository | name the files, such as `data/raw.csv` or `src/**/*.py`
    5:200 `data/x.csv` is an input and an output of `d` | write to another file, or name as inputs only the files that the step does not make
    6:300 `data/*.csv` is made by two steps, `d` and `e` | let each file be made by one, and name it once
    7:200 `x-{item}` has an item, and there is none | add `foreach: […]` to this step, or remove `{item}`
    7:300 `.mlops/x` in `steps.f.outputs` is in `.mlops`, which is not for steps | name a file elsewhere
    8:61 `one` is in `steps.g.foreach` twice | remove one of them
    8:62 `a/b` can not be a part of a path | use letters, digits, `-`, `_` and `.`, since `{item}` is in a path of this step
    8:100 `{item}` is not put into commands, where it would be read as code | write `"$MLOPS_ITEM"` instead
    8:300 `same.txt` would be made by every item of `foreach` | put `{item}` into it, so that each item makes its own
    9:50 the steps wait for each other: `h` needs itself | remove one of these
    9:100 `notebooks/*.ipynb` names no single file | write its path, without wildcards
    "#);
}

#[test]
fn circles_are_named_whole_and_each() {
    let mut wrong = steps(&[
        ("a", ":", &[], &[]),
        ("b", ":", &[], &["b.txt"]),
        ("c", ":", &["b.txt"], &[]),
        ("x", ":", &[], &[]),
        ("y", ":", &[], &[]),
        ("behind", ":", &[], &[]),
        ("self", ":", &[], &[]),
    ]);
    wrong[0].needs = list(1, 50, &["c"]);
    wrong[1].needs = list(2, 50, &["a"]);
    wrong[3].needs = list(4, 50, &["y"]);
    wrong[4].needs = list(5, 50, &["x"]);
    wrong[5].needs = list(6, 50, &["x", "a"]);
    wrong[6].needs = list(7, 50, &["self"]);
    insta::assert_snapshot!(told(&wrong), @"
    1:50 the steps wait for each other: `a` needs `c`; `c` reads `b.txt`, which `b` makes; `b` needs `a` | remove one of these
    4:50 the steps wait for each other: `x` needs `y`; `y` needs `x` | remove one of these
    7:50 the steps wait for each other: `self` needs itself | remove one of these
    ");
}

#[test]
fn only_what_changed_runs_again() {
    let (world, steps) = (diamond_world(), diamond());
    insta::assert_snapshot!(world.run(&steps), @"
    clean Ran: it has no result yet
    head Ran: it has no result yet
    count Ran: it has no result yet
    ");
    assert_eq!(world.read("out/count.txt").trim(), "3");
    insta::assert_snapshot!(world.run(&steps), @"
    clean Skipped: nothing changed
    head Skipped: nothing changed
    count Skipped: nothing changed
    ");

    world.write("count.sh", "wc -l < data/clean.csv > out/count.txt # the same\n");
    insta::assert_snapshot!(world.run(&steps), @"
    clean Skipped: nothing changed
    head Skipped: nothing changed
    count Ran: `count.sh` changed
    ");

    // The same lines in another order make the same clean data: what reads them has nothing to do.
    world.write("data/raw.csv", "c\nb\na\n");
    insta::assert_snapshot!(world.run(&steps), @"
    clean Ran: `data/raw.csv` changed
    head Skipped: nothing changed
    count Skipped: nothing changed
    ");

    world.write("data/raw.csv", "c\nb\na\nd\n");
    insta::assert_snapshot!(world.run(&steps), @"
    clean Ran: `data/raw.csv` changed
    head Ran: `data/clean.csv` changed
    count Ran: `data/clean.csv` changed
    ");
    assert_eq!(world.read("out/count.txt").trim(), "4");

    // Back to an earlier state: nothing runs.
    world.write("data/raw.csv", "b\na\nc\n");
    insta::assert_snapshot!(world.run(&steps), @"
    clean Restored: nothing changed; `data/clean.csv` was put back
    head Skipped: nothing changed
    count Restored: nothing changed; `out/count.txt` was put back
    ");
    assert_eq!(world.read("out/count.txt").trim(), "3");
}

#[test]
fn what_decides_the_result_is_in_the_key() {
    let mut world = diamond_world();
    let mut all = diamond();
    world.run(&all);
    let due = |world: &World, all: &[StepSettings]| world.run(all).lines().filter(|line| line.contains("Ran")).count();
    assert_eq!(due(&world, &all), 0);
    // Limits decide nothing.
    all[2].timeout = Duration::from_secs(20);
    all[2].n_retries = 3;
    all[2].memory_bytes = Some(4 << 30);
    assert_eq!(due(&world, &all), 0);
    all[2].env.insert("LEVEL".to_owned(), "1".to_owned());
    assert_eq!(due(&world, &all), 1);
    all[2].env.insert("LEVEL".to_owned(), "2".to_owned());
    assert_eq!(due(&world, &all), 1);
    all[2].work = Work::Run {
        command: "sort -r data/raw.csv > data/clean.csv".to_owned(),
    };
    assert_eq!(due(&world, &all), 3);
    world.environment = Digest::of(b"another");
    assert_eq!(due(&world, &all), 3);
    world.environment = Digest::of(b"environment");
    assert_eq!(due(&world, &all), 0, "known from before");
}

#[test]
fn what_is_gone_or_changed_is_put_back() {
    let (world, steps) = (diamond_world(), diamond());
    world.run(&steps);
    std::fs::remove_dir_all(world.path("out")).unwrap();
    world.write("data/clean.csv", "not what was made\n");
    insta::assert_snapshot!(world.run(&steps), @"
    clean Restored: nothing changed; `data/clean.csv` was put back
    head Skipped: nothing changed
    count Restored: nothing changed; `out/count.txt` was put back
    ");
    assert_eq!(world.read("out/count.txt").trim(), "3");
    assert_eq!(world.read("data/clean.csv"), "a\nb\nc\n");

    // Not kept, or kept badly: made anew.
    for entry in std::fs::read_dir(world.path(".mlops/cache/steps/objects")).unwrap() {
        std::fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    std::fs::remove_file(world.path("data/clean.csv")).unwrap();
    std::fs::remove_file(world.path("head.txt")).unwrap();
    insta::assert_snapshot!(world.run(&steps), @"
    clean Ran: `data/clean.csv` is not as it was made, and not kept
    head Ran: `head.txt` is not as it was made, and not kept
    count Skipped: nothing changed
    ");
    assert_eq!(world.read("head.txt"), "a\n");
}

#[test]
fn executables_and_directories_come_back_as_they_were() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new(&[("in.txt", "x")]);
    let make = "mkdir -p out/deep/.hidden && echo 1 > out/deep/.hidden/a && echo 2 > out/run && chmod +x out/run && ln -s run out/link";
    let steps = steps(&[("make", make, &["in.txt"], &["out"])]);
    let outcomes = world.only(&steps, None);
    let paths: Vec<&str> = outcomes[0].outputs.iter().map(|output| output.path.as_str()).collect();
    assert_eq!(paths, ["out/deep/.hidden/a", "out/link", "out/run"]);
    assert_eq!(world.only(&steps, None)[0].status, StepStatus::Skipped);
    assert!(world.path("out/link").is_symlink());
    std::fs::remove_dir_all(world.path("out")).unwrap();
    assert_eq!(world.only(&steps, None)[0].status, StepStatus::Restored);
    assert_eq!(world.read("out/deep/.hidden/a"), "1\n");
    assert_eq!(world.read("out/link"), "2\n");
    assert_eq!(
        world.path("out/run").metadata().unwrap().permissions().mode() & 0o111,
        0o111
    );
    assert_eq!(world.only(&steps, None)[0].status, StepStatus::Skipped);
}

#[test]
fn two_that_need_nothing_of_each_other_run_at_once() {
    let mut world = World::new(&[]);
    let meet = |own: &str, other: &str| format!("touch {own}; until [ -e {other} ]; do sleep 0.01; done");
    let commands = [meet("a", "b"), meet("b", "a")];
    let mut steps = steps(&[("a", &commands[0], &[], &[]), ("b", &commands[1], &[], &[])]);
    assert!(
        world
            .only(&steps, None)
            .iter()
            .all(|outcome| outcome.status == StepStatus::Ran)
    );
    // With one core they would wait for ever.
    for file in ["a", "b"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    world.n_parallel = 1;
    steps[0].timeout = Duration::from_secs(1);
    let outcomes = world.only(&steps, None);
    assert_eq!(outcomes[0].reason, "it was stopped after 1 s");
    assert_eq!(outcomes[1].status, StepStatus::Ran);
}

#[test]
fn what_fails_stops_only_what_needs_it() {
    let world = World::new(&[]);
    let mut all = steps(&[
        ("good", "echo 1 > good.txt", &[], &["good.txt"]),
        ("bad", "echo working; echo ::error::no >&2; exit 3", &[], &["bad.txt"]),
        ("after-bad", ":", &["bad.txt"], &["after.txt"]),
        ("last", ":", &["after.txt", "good.txt"], &[]),
        ("after-good", "cp good.txt copy.txt", &["good.txt"], &["copy.txt"]),
        ("lazy", "echo nothing to do", &[], &["lazy.txt", "more/*.txt"]),
    ]);
    let outcomes = world.only(&all, None);
    insta::assert_snapshot!(shown(&outcomes), @"
    good Ran: it has no result yet
    bad Failed: exit code 3
    after-bad Cancelled: `bad` failed
    last Cancelled: `bad` failed
    after-good Ran: it has no result yet
    lazy Failed: it ended well, but did not make `lazy.txt`, `more/*.txt`
    ");
    let bad = outcomes.iter().find(|outcome| outcome.name == "bad").unwrap();
    assert_eq!((bad.exit_code, bad.tail.as_str()), (Some(3), "working\n: :error::no"));
    assert_eq!(outcomes.last().unwrap().tail, "nothing to do");
    assert_eq!(world.read(bad.log.as_deref().unwrap()), "working\n: :error::no\n");

    // What was done stays done.
    all[1].work = Work::Run {
        command: "echo 2 > bad.txt".to_owned(),
    };
    all[2].work = Work::Run {
        command: "cp bad.txt after.txt".to_owned(),
    };
    insta::assert_snapshot!(world.run(&all), @"
    good Skipped: nothing changed
    bad Ran: it has no result yet
    after-bad Ran: it has no result yet
    last Ran: it has no result yet
    after-good Skipped: nothing changed
    lazy Failed: it ended well, but did not make `lazy.txt`, `more/*.txt`
    ");
}

#[test]
fn what_names_no_files_runs_each_time() {
    let world = World::new(&[]);
    let mut all = steps(&[
        ("set-up", "echo >> log", &[], &[]),
        ("make", "echo > made", &[], &["made"]),
    ]);
    all[1].needs = list(2, 50, &["set-up"]);
    world.run(&all);
    // Its results are not known, so it does not make others due; another command does.
    insta::assert_snapshot!(world.run(&all), @"
    set-up Ran: it names no inputs and outputs, so it runs each time
    make Skipped: nothing changed
    ");
    all[0].work = Work::Run {
        command: "echo other >> log".to_owned(),
    };
    insta::assert_snapshot!(world.run(&all), @"
    set-up Ran: it names no inputs and outputs, so it runs each time
    make Ran: what `set-up` makes changed
    ");
    assert_eq!(world.read("log"), "\n\nother\n");
}

#[test]
fn hostile_sizes_are_refused_soon() {
    let many: Vec<String> = (0..3000).map(|i| format!("{i}/*a*b*c*d*{i}/**/x*y/**/z")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let told = told(&steps(&[("a", ":", &many, &["out"])]));
    assert!(told.contains("too many inputs and outputs"), "{told}");
    let deep = "a/".repeat(200);
    let pattern = format!("{}b", "**/a/".repeat(40));
    assert!(
        !super::pattern::Pattern::parse(&pattern)
            .unwrap()
            .matches(&format!("{deep}a"))
    );
}

#[test]
fn one_step_runs_with_what_it_needs() {
    let (world, all) = (diamond_world(), diamond());
    let names = |outcomes: Vec<StepOutcome>| outcomes.into_iter().map(|outcome| outcome.name).collect::<Vec<_>>();
    assert_eq!(names(world.only(&all, Some("head"))), ["clean", "head"]);
    assert!(!world.path("out").exists());
    let plan = Plan::of(&all).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime.block_on(run(&plan, &world.around(), Some("haed"))).unwrap_err();
    assert!(
        matches!(&error, StepsError::Unknown { nearest: Some(near), .. } if near == "head"),
        "{error}"
    );
}

#[test]
fn each_item_is_a_task_of_its_own() {
    let world = World::new(&[("in/a", "1"), ("in/b", "2"), ("in/c.d", "3")]);
    let fit = "[ \"$MLOPS_ITEM\" != b ] || [ -e fixed ] || exit 1; cp \"in/$MLOPS_ITEM\" \"out/$MLOPS_ITEM.txt\"";
    let mut all = steps(&[
        ("sum", "cat out/*.txt > sum", &["out/*.txt"], &["sum"]),
        ("fit", fit, &["in/{item}"], &["out/{item}.txt"]),
    ]);
    all[1].foreach = list(2, 60, &["a", "b", "c.d"]);
    insta::assert_snapshot!(world.run(&all), @"
    fit[a] Ran: it has no result yet
    fit[b] Failed: exit code 1
    fit[c.d] Ran: it has no result yet
    sum Cancelled: `fit` failed
    ");
    world.write("fixed", "");
    insta::assert_snapshot!(world.run(&all), @"
    fit[a] Skipped: nothing changed
    fit[b] Ran: it has no result yet
    fit[c.d] Skipped: nothing changed
    sum Ran: it has no result yet
    ");
    assert_eq!(world.read("sum"), "123");
    world.write("in/a", "7");
    insta::assert_snapshot!(world.run(&all), @"
    fit[a] Ran: `in/a` changed
    fit[b] Skipped: nothing changed
    fit[c.d] Skipped: nothing changed
    sum Ran: `out/a.txt` changed
    ");
    assert_eq!(world.read("sum"), "723");
    assert!(world.path(".mlops/logs/steps/fit-2.log").exists());
}

#[test]
fn an_item_is_never_code() {
    let world = World::new(&[]);
    let mut all = steps(&[("each", "printf '%s' \"$MLOPS_ITEM\"", &[], &[])]);
    let items = ["$(touch hacked)", "; touch hacked", "`touch hacked`", "a b"];
    all[0].foreach = list(1, 60, &items);
    assert!(
        world
            .only(&all, None)
            .iter()
            .all(|outcome| outcome.status == StepStatus::Ran)
    );
    assert!(!world.path("hacked").exists());
    let events = world.events();
    for (index, item) in items.iter().enumerate() {
        assert!(events.contains(&format!("each-{index}: {item}")), "{events:?}");
    }
}

#[test]
fn a_failing_command_is_tried_again() {
    let world = World::new(&[]);
    let command = "echo x >> tries; echo at $(wc -l < tries); [ $(wc -l < tries) -ge 3 ]";
    let mut all = steps(&[("flaky", command, &[], &["tries"])]);
    all[0].n_retries = 1;
    insta::assert_snapshot!(world.run(&all), @"flaky Failed: exit code 1, at the last of 2 attempts");
    std::fs::remove_file(world.path("tries")).unwrap();
    all[0].n_retries = 4;
    world.events();
    let outcomes = world.only(&all, None);
    insta::assert_snapshot!(shown(&outcomes), @"flaky Ran: it has no result yet (it succeeded at attempt 3 of 5)");
    assert_eq!(outcomes[0].n_attempts, 3);
    insta::assert_snapshot!(world.read(".mlops/logs/steps/flaky.log"), @"
    at 1
    [exit code 1; attempt 2 of 5]
    at 2
    [exit code 1; attempt 3 of 5]
    at 3
    ");
    insta::assert_snapshot!(world.events().join("\n"), @"
    flaky starts: it has no result yet
    flaky: at 1
    flaky again (2): exit code 1
    flaky: at 2
    flaky again (3): exit code 1
    flaky: at 3
    flaky Ran
    ");
}

#[test]
fn limits_are_put_on_the_command() {
    let world = World::new(&[]);
    let mut all = steps(&[("greedy", "dd if=/dev/zero of=/dev/null bs=300M count=400", &[], &[])]);
    all[0].memory_bytes = Some(100_000_000);
    let outcome = &world.only(&all, None)[0];
    assert_eq!(outcome.status, StepStatus::Failed);
    assert!(outcome.reason.contains("of memory"), "{}", outcome.reason);
}

#[test]
fn a_result_on_an_input_that_changed_meanwhile_is_not_known() {
    let world = World::new(&[("in.txt", "1")]);
    let all = steps(&[(
        "odd",
        "cp in.txt out.txt; echo more >> in.txt",
        &["in.txt"],
        &["out.txt"],
    )]);
    insta::assert_snapshot!(world.run(&all), @"odd Ran: it has no result yet (`in.txt` changed while it ran, so that it will run again)");
    insta::assert_snapshot!(world.run(&all), @"odd Ran: `in.txt` changed (`in.txt` changed while it ran, so that it will run again)");
}

#[test]
fn what_is_old_does_not_pass_for_new() {
    let world = World::new(&[("in.txt", "1")]);
    let all = steps(&[(
        "once",
        "[ -e done ] || cp in.txt out.txt; touch done",
        &["in.txt"],
        &["out.txt"],
    )]);
    world.run(&all);
    world.write("in.txt", "2");
    insta::assert_snapshot!(world.run(&all), @"once Failed: it ended well, but did not make `out.txt`");
    // What somebody else put there is theirs.
    world.write("out.txt", "mine");
    insta::assert_snapshot!(world.run(&all), @"once Ran: `in.txt` changed");
    assert_eq!(world.read("out.txt"), "mine");
}

#[test]
fn links_that_lead_out_are_neither_read_nor_written() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "s").unwrap();
    let at = outside.path().display();
    for (command, outputs) in [
        (format!("ln -s {at}/secret out.txt"), "out.txt"),
        (format!("rmdir out && ln -s {at} out"), "out/secret"),
        (format!("mkdir out && ln -s {at}/secret out/x"), "out"),
        (format!("mkdir out && ln -s {at} out/x"), "out"),
        ("ln -s nowhere out.txt".to_owned(), "out.txt"),
        ("mkfifo out.txt".to_owned(), "out.txt"),
        ("mkdir out && mkfifo out/x".to_owned(), "out"),
    ] {
        let world = World::new(&[]);
        let outcome = &world.only(&steps(&[("bad", &command, &[], &[outputs])]), None)[0];
        assert_eq!(outcome.status, StepStatus::Failed, "{command}");
        assert!(
            outcome.reason.starts_with("what it made can not be used: "),
            "{command}: {}",
            outcome.reason
        );
        assert!(!world.path(".mlops/cache/steps/objects").exists(), "{command}");
    }
    // A directory that was made into a link between two runs: nothing is put back behind it.
    let world = World::new(&[("in", "1")]);
    let all = steps(&[("good", "cp in out/x", &["in"], &["out/x"])]);
    world.run(&all);
    std::fs::remove_dir_all(world.path("out")).unwrap();
    symlink(outside.path(), world.path("out")).unwrap();
    let outcome = &world.only(&all, None)[0];
    assert_eq!(outcome.status, StepStatus::Failed, "{}", outcome.reason);
    assert!(!outside.path().join("x").exists());
    // Inputs too; a link that stays inside is read as what it leads to.
    let world = World::new(&[("real/in", "1")]);
    symlink("real/in", world.path("in")).unwrap();
    let all = steps(&[("good", "cp in out", &["in"], &["out"])]);
    assert_eq!(world.only(&all, None)[0].status, StepStatus::Ran);
    world.write("real/in", "2");
    assert_eq!(world.only(&all, None)[0].reason, "`in` changed");
    std::fs::remove_file(world.path("in")).unwrap();
    symlink(outside.path().join("secret"), world.path("in")).unwrap();
    assert_eq!(world.only(&all, None)[0].status, StepStatus::Failed);
}

#[test]
fn a_place_of_ours_that_is_a_link_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    let all = steps(&[("a", ":", &[], &[])]);
    for place in [".mlops", ".mlops/cache", ".mlops/cache/steps"] {
        let world = World::new(&[]);
        let path = world.path(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(outside.path(), path).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let done = runtime.block_on(run(&Plan::of(&all).unwrap(), &world.around(), None));
        assert!(matches!(done, Err(StepsError::Place(_))), "{place}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_result_that_can_not_be_written_down_is_one() {
    let world = World::new(&[("in", "1")]);
    let spoil = "cp in out; rm -rf .mlops/cache/steps/records; touch .mlops/cache/steps/records";
    let outcome = &world.only(&steps(&[("spoil", spoil, &["in"], &["out"])]), None)[0];
    assert_eq!(outcome.status, StepStatus::Ran);
    let note = outcome.note.as_deref().unwrap();
    assert!(
        note.starts_with("it could not be written down, so that it will run again: "),
        "{note}"
    );
}

#[test]
fn a_log_has_an_end() {
    let world = World::new(&[]);
    let endless = "yes 0123456789012345678901234567890123456789 | head -n 400000; echo end; false";
    let outcome = &world.only(&steps(&[("loud", endless, &[], &[])]), None)[0];
    assert!(outcome.tail.ends_with("\nend"), "{}", outcome.tail);
    assert!(outcome.tail.len() < 5000);
    let log = world.read(outcome.log.as_deref().unwrap());
    assert!(log.ends_with("… the rest is left out\n"));
    assert!((10 << 20..11 << 20).contains(&log.len()), "{}", log.len());
}

/// As on a runner, where we are root and the repository is not; anybody else can only see that nothing changes.
#[test]
fn what_we_make_belongs_to_the_repositorys_owner() {
    use std::os::unix::fs::MetadataExt as _;
    if !crate::sys::is_root() {
        return;
    }
    let mut world = World::new(&[("in", "1")]);
    for path in ["", "in"] {
        std::os::unix::fs::chown(world.path(path), Some(1234), Some(1235)).unwrap();
    }
    world.user = Some(exec::User { uid: 1234, gid: 1235 });
    let mut all = steps(&[("make", "cp in out/deep/x", &["in"], &["out/deep/x"])]);
    assert_eq!(world.only(&all, None)[0].status, StepStatus::Ran);
    std::fs::remove_dir_all(world.path("out")).unwrap();
    assert_eq!(world.only(&all, None)[0].status, StepStatus::Restored);
    for path in [
        "out/deep",
        "out/deep/x",
        ".mlops/logs/steps/make.log",
        ".mlops/cache/steps/records",
    ] {
        let found = world.path(path).metadata().unwrap();
        assert_eq!((found.uid(), found.gid()), (1234, 1235), "{path}");
    }
    // A second name of a file of root's, which the command could not read itself.
    world.write("secret", "s");
    std::fs::set_permissions(
        world.path("secret"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    std::fs::hard_link(world.path("secret"), world.path("stolen")).unwrap();
    all[0].outputs = list(1, 300, &["stolen"]);
    let outcome = &world.only(&all, None)[0];
    assert_eq!(outcome.status, StepStatus::Failed, "{}", outcome.reason);
    assert!(
        outcome.reason.starts_with("what it made can not be used: "),
        "{}",
        outcome.reason
    );
}

#[test]
fn after_a_kill_the_rest_is_done() {
    let world = World::new(&[("in", "1")]);
    let slow = "echo $$ > pid; [ -e go ] || sleep 1000; cp a c";
    let all = steps(&[("first", "cp in a", &["in"], &["a"]), ("second", slow, &["a"], &["c"])]);
    let plan = Plan::of(&all).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let around = world.around();
    runtime.block_on(async {
        let until_second = async {
            while !std::fs::read_to_string(world.path("pid")).is_ok_and(|pid| pid.ends_with('\n')) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            done = run(&plan, &around, None) => panic!("{done:?}"),
            () = until_second => {}
        }
    });
    let pid = world.read("pid");
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    let watch = crate::sys::Stopwatch::start();
    let is_alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while is_alive() && watch.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!is_alive(), "the command lives on");
    world.write("go", "");
    insta::assert_snapshot!(world.run(&all), @"
    first Skipped: nothing changed
    second Ran: it has no result yet
    ");
    assert_eq!(world.read("c"), "1");
}

#[test]
fn what_is_not_there_is_told_before_anything_runs() {
    let world = World::new(&[("data/raw.csv", ""), ("notebooks/explore.ipynb", "{}")]);
    let mut all = steps(&[
        (
            "clean",
            ":",
            &["data/rwa.csv", "data/*.json", "nowhere/x"],
            &["data/clean.csv"],
        ),
        ("use", ":", &["data/clean.csv", "data/raw.csv", "data"], &["model"]),
        ("each", ":", &["data/{item}"], &["out/{item}"]),
        ("look", ":", &[], &[]),
    ]);
    all[2].foreach = list(3, 60, &["raw.csv", "clean.csv", "third.csv"]);
    all[3].work = Work::Notebook {
        path: "notebooks/explor.ipynb".to_owned(),
        params: serde_json::Map::new(),
    };
    let problems = missing_inputs(&Plan::of(&all).unwrap(), world.dir.path()).unwrap();
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            format!(
                "{} {} | {}",
                problem.span.unwrap().line,
                problem.message,
                problem.help.as_deref().unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    1 `data/rwa.csv` is not there, and no step makes it | did you mean `data/raw.csv`?
    1 `data/*.json` is not there, and no step makes it | mend the path, or name it among the `outputs` of the step that makes it
    1 `nowhere/x` is not there, and no step makes it | mend the path, or name it among the `outputs` of the step that makes it
    3 `data/third.csv` is not there, and no step makes it | mend the path, or name it among the `outputs` of the step that makes it
    4 `notebooks/explor.ipynb` is not there, and no step makes it | did you mean `notebooks/explore.ipynb`?
    ");
}

#[test]
fn parameters_have_the_item_put_in() {
    let mut all = steps(&[("fit", ":", &[], &[])]);
    let params = serde_json::json!({"seed": "{item}", "n": 3, "name": "run-{item}"});
    all[0].work = Work::Notebook {
        path: "a.ipynb".to_owned(),
        params: params.as_object().unwrap().clone(),
    };
    all[0].foreach = list(1, 60, &["7", "8"]);
    let plan = Plan::of(&all).unwrap();
    let Work::Notebook { params, .. } = &plan.steps()[0].tasks[1].work else {
        panic!("it is a notebook");
    };
    assert_eq!(
        serde_json::to_string(params).unwrap(),
        r#"{"seed":"8","n":3,"name":"run-8"}"#
    );
    assert_eq!(plan.steps()[0].tasks[1].inputs[0].text(), "a.ipynb");
}

#[test]
fn outcomes_are_read_back() {
    let (world, all) = (diamond_world(), diamond());
    let outcomes = world.only(&all, None);
    let text = serde_json::to_string(&outcomes).unwrap();
    assert_eq!(serde_json::from_str::<Vec<StepOutcome>>(&text).unwrap(), outcomes);
}

#[test]
fn long_chains_are_no_burden() {
    let names: Vec<[String; 3]> = (0..500)
        .map(|i| [format!("s{i}"), format!("f/{i}"), format!("f/{}", i + 1)])
        .collect();
    let commands: Vec<String> = names.iter().map(|[_, from, to]| format!("cp {from} {to}")).collect();
    let inputs: Vec<[&str; 1]> = names.iter().map(|[_, from, _]| [from.as_str()]).collect();
    let outputs: Vec<[&str; 1]> = names.iter().map(|[_, _, to]| [to.as_str()]).collect();
    // Written backwards, so that the order is not given away.
    let written: Vec<(&str, &str, &[&str], &[&str])> = (0..500)
        .rev()
        .map(|i| {
            (
                names[i][0].as_str(),
                commands[i].as_str(),
                &inputs[i][..],
                &outputs[i][..],
            )
        })
        .collect();
    let all = steps(&written);
    let plan = Plan::of(&all).unwrap();
    assert!(plan.steps().windows(2).all(|pair| pair[1].after.len() == 1));
    let world = World::new(&[("f/0", "x")]);
    let outcomes = world.only(&all[440..], None);
    assert!(outcomes.iter().all(|outcome| outcome.status == StepStatus::Ran));
    let outcomes = world.only(&all[440..], None);
    assert!(outcomes.iter().all(|outcome| outcome.status == StepStatus::Skipped));
}
