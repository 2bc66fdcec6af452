//! Real small programs, each trying to get away.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;
use crate::exec::become_subreaper;
use crate::exec::tree::{Scope, kill};

fn task(command: &str) -> Task {
    let path = std::env::var("PATH").unwrap();
    Task {
        command: command.to_owned(),
        cwd: std::env::temp_dir(),
        env: BTreeMap::from([("PATH".to_owned(), path)]),
        timeout: Duration::from_mins(1),
        user: None,
        sandbox: Sandbox::open(),
    }
}

/// Runs it with a short grace; what it said and how it ended.
async fn check(task: &Task) -> (Exit, Vec<String>) {
    become_subreaper().unwrap();
    let mut lines = Vec::new();
    let exit = run_within(task, Duration::from_millis(50), None, &mut |line| {
        lines.push(line.to_owned());
    })
    .await
    .unwrap();
    (exit, lines)
}

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

fn alive(pids: &[String]) -> Vec<&String> {
    assert!(pids.iter().all(|pid| pid.parse::<u32>().is_ok()), "{pids:?}");
    pids.iter().filter(|pid| is_alive(pid)).collect()
}

/// Waits for a condition, a minute at most.
async fn until(condition: impl Fn() -> bool) {
    let watch = Stopwatch::start();
    while !condition() {
        assert!(watch.elapsed() < Duration::from_mins(1), "it never came true");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn both_streams_in_order_and_the_exit_code() {
    let (exit, lines) = check(&task(
        "echo out; echo err >&2; echo '::error::x'; printf 'a\\377b'; exit 3",
    ))
    .await;
    assert_eq!(lines, ["out", "err", ": :error::x", "a\u{fffd}b"]);
    assert_eq!((exit.code, exit.signal, exit.timed_out), (Some(3), None, false));
    let (exit, _) = check(&task("kill -9 $$")).await;
    assert_eq!((exit.code, exit.signal, exit.timed_out), (None, Some(9), false));
}

#[tokio::test]
async fn nothing_is_inherited() {
    let mut given = task("tr '\\0' '\\n' </proc/self/environ; read -r line || echo no input");
    given.env.insert("GIVEN".to_owned(), "1".to_owned());
    let (_, lines) = check(&given).await;
    let names: Vec<&str> = lines.iter().map(|line| line.split('=').next().unwrap()).collect();
    assert!(names.contains(&"GIVEN") && names.contains(&"no input"), "{names:?}");
    // What is left beyond that is what shells set by themselves.
    let expected = ["GIVEN", "PATH", "PWD", "OLDPWD", "SHLVL", "_", MARK, "no input"];
    assert!(names.iter().all(|name| expected.contains(name)), "{names:?}");
}

#[tokio::test]
async fn the_time_is_up() {
    let mut given = task("echo $$; trap '' TERM; while :; do sleep 600 & echo $!; wait; done");
    given.timeout = Duration::from_secs(1);
    let (exit, pids) = check(&given).await;
    assert_eq!((exit.code, exit.signal, exit.timed_out), (None, Some(9), true));
    assert!(pids.len() >= 2, "{pids:?}");
    assert!(alive(&pids).is_empty());
}

#[tokio::test]
async fn who_listens_may_say_goodbye() {
    let mut given = task("trap 'echo goodbye; exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    given.timeout = Duration::from_secs(1);
    become_subreaper().unwrap();
    let mut lines = Vec::new();
    let exit = run(&given, &mut |line| lines.push(line.to_owned())).await.unwrap();
    assert_eq!(lines.first().map(String::as_str), Some("ready"));
    assert_eq!(lines.last().map(String::as_str), Some("goodbye"));
    assert_eq!((exit.code, exit.timed_out), (Some(5), true));
}

#[tokio::test]
async fn endless_output_ends_with_the_time() {
    let mut given = task("yes; echo never");
    given.timeout = Duration::from_millis(300);
    let mut n_lines = 0_u64;
    let exit = run(&given, &mut |line| {
        assert_eq!(line, "y");
        n_lines += 1;
    })
    .await
    .unwrap();
    assert!(exit.timed_out);
    assert!(n_lines > 1000);
}

#[tokio::test]
async fn output_without_a_newline_does_not_grow() {
    let mut given = task("while :; do printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; done");
    given.timeout = Duration::from_millis(300);
    let (exit, lines) = check(&given).await;
    assert!(exit.timed_out);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].len() < 9000);
}

#[tokio::test]
async fn much_output_is_complete() {
    let (exit, lines) = check(&task("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done")).await;
    assert_eq!(exit.code, Some(0));
    assert_eq!(lines.len(), 20_000);
    assert_eq!(lines[19_999], "line 19999");
}

#[tokio::test]
async fn a_child_that_keeps_the_pipe_holds_nobody_up() {
    let (exit, pids) = check(&task("sleep 600 & echo $!")).await;
    assert_eq!((exit.code, exit.timed_out), (Some(0), false));
    assert!(alive(&pids).is_empty());
}

/// Four ways out of a process group, six processes, each of which prints its number; then waits for all of them.
fn escapes(dir: &Path) -> String {
    let script = "
        setsid sh -c 'echo $$; : >DIR/1; exec sleep 600' &
        nohup sh -c 'echo $$; : >DIR/2; exec sleep 600' 2>/dev/null &
        (setsid sh -c 'trap \"\" TERM HUP; echo $$; sleep 600 & echo $!; : >DIR/3; wait' &)
        env -i setsid sh -c '/bin/sh -c \"echo \\$\\$; : >DIR/4; exec sleep 600\" & echo $$; : >DIR/5; exec sleep 600' &
        until [ \"$(ls DIR | wc -l)\" -eq 5 ]; do sleep 0.01; done";
    script.replace("DIR", &dir.display().to_string())
}

#[tokio::test]
async fn no_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let (exit, pids) = check(&task(&escapes(dir.path()))).await;
    assert_eq!(exit.code, Some(0));
    assert_eq!(pids.len(), 6, "{pids:?}");
    assert!(alive(&pids).is_empty());
}

/// Starts a task and drops it when it has printed so many lines, which are process numbers: all of them go.
async fn drop_after(n_lines: usize, command: String) {
    become_subreaper().unwrap();
    let pids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pids);
    let running =
        tokio::spawn(async move { run(&task(&command), &mut |line| seen.lock().unwrap().push(line.to_owned())).await });
    until(|| pids.lock().unwrap().len() == n_lines).await;
    let pids = pids.lock().unwrap().clone();
    assert_eq!(alive(&pids).len(), n_lines);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    until(|| alive(&pids).is_empty()).await;
}

#[tokio::test]
async fn a_dropped_future_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    drop_after(7, format!("echo $$; {}; sleep 600", escapes(dir.path()))).await;
}

#[tokio::test]
async fn dead_strays_do_not_pile_up() {
    become_subreaper().unwrap();
    let pids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pids);
    let running = tokio::spawn(async move {
        let given = task("(sh -c 'echo $$' &); sleep 600");
        run(&given, &mut |line| seen.lock().unwrap().push(line.to_owned())).await
    });
    until(|| !pids.lock().unwrap().is_empty()).await;
    let stray = pids.lock().unwrap()[0].clone();
    until(|| {
        tree::reap();
        !Path::new("/proc").join(&stray).exists()
    })
    .await;
    assert!(!running.is_finished());
    running.abort();
}

#[tokio::test]
async fn one_task_does_not_end_another() {
    become_subreaper().unwrap();
    let pids = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&pids);
    let running = tokio::spawn(async move {
        let given = task("echo $$; (setsid sh -c 'echo $$; exec sleep 600' &) ; sleep 600");
        run(&given, &mut |line| seen.lock().unwrap().push(line.to_owned())).await
    });
    until(|| pids.lock().unwrap().len() == 2).await;
    let (exit, _) = check(&task("true")).await;
    assert_eq!(exit.code, Some(0));
    let pids = pids.lock().unwrap().clone();
    assert_eq!(alive(&pids).len(), 2);
    running.abort();
    until(|| alive(&pids).is_empty()).await;
}

#[tokio::test]
async fn what_can_not_start_says_why() {
    let (exit, lines) = check(&task("mlops-no-such-tool --version")).await;
    assert_eq!(exit.code, Some(127));
    assert!(lines[0].contains("not found"), "{lines:?}");
    let mut nowhere = task("true");
    nowhere.cwd = "/nowhere".into();
    let error = run(&nowhere, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "the directory `/nowhere` is not there");
    let error = run(&task("echo a\0b"), &mut |_| {}).await.unwrap_err();
    assert!(matches!(error, ExecError::Start(_)));
    let huge = task(&"x".repeat(4 << 20));
    assert!(matches!(run(&huge, &mut |_| {}).await, Err(ExecError::Start(_))));
}

/// Runs a test of this file again in a process of its own, where it may end everything.
async fn in_a_process_of_its_own(test: &str) -> bool {
    const ROLE: &str = "MLOPS_TEST_ROLE";
    if std::env::var(ROLE).is_ok() {
        return true;
    }
    let me = std::env::current_exe().unwrap();
    let mut again = task(&format!(
        "'{}' --exact exec::run::tests::{test} --nocapture",
        me.display()
    ));
    again.env.insert(ROLE.to_owned(), "child".to_owned());
    let (exit, lines) = check(&again).await;
    assert_eq!(exit.code, Some(0), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("1 passed")), "{lines:#?}");
    false
}

/// Starts two stubborn tasks; the processes that they are.
async fn stubborn() -> Vec<String> {
    become_subreaper().unwrap();
    let pids = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 {
        let seen = Arc::clone(&pids);
        tokio::spawn(async move {
            let given = task("trap '' TERM; echo $$; (setsid sh -c 'trap \"\" TERM; echo $$; sleep 600' &); sleep 600");
            run(&given, &mut |line| seen.lock().unwrap().push(line.to_owned())).await
        });
    }
    until(|| pids.lock().unwrap().len() == 4).await;
    pids.lock().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_leaves_nothing_and_starts_nothing() {
    if in_a_process_of_its_own("stopping_leaves_nothing_and_starts_nothing").await {
        let pids = stubborn().await;
        let watch = Stopwatch::start();
        assert_eq!(stop_all().await, 0);
        assert!(alive(&pids).is_empty());
        assert!(watch.elapsed() < Duration::from_secs(5));
        assert!(matches!(
            run(&task("true"), &mut |_| {}).await,
            Err(ExecError::Stopping)
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn descendants_are_killed() {
    if in_a_process_of_its_own("descendants_are_killed").await {
        let pids = stubborn().await;
        assert_eq!(kill(Scope::Everything), 0);
        assert!(alive(&pids).is_empty());
    }
}

#[tokio::test]
async fn a_shield_is_up() {
    if in_a_process_of_its_own("a_shield_is_up").await {
        shield().unwrap();
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            DumpableBehavior::NotDumpable
        );
        let (_, lines) = check(&task("ulimit -c; ulimit -Hc")).await;
        assert_eq!(lines, ["0", "0"]);
        assert!(Path::new("/proc/self/stat").exists());
    }
}

/// A folder that another user owns and works in, or none when we are not root and can not make one.
fn somebodys_folder() -> Option<(tempfile::TempDir, User)> {
    let user = User { uid: 1001, gid: 1002 };
    if !crate::sys::is_root() {
        eprintln!("not root: commands of another user were not tested");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(user.uid), Some(user.gid)).unwrap();
    Some((dir, user))
}

#[tokio::test]
async fn another_users_command_has_their_rights_alone() {
    let Some((dir, user)) = somebodys_folder() else { return };
    let mut given = task("id -u; id -g; grep -E '^(Groups|NoNewPrivs|CapEff|CapPrm):' /proc/self/status; : >made");
    given.cwd = dir.path().to_owned();
    given.user = Some(user);
    let (exit, lines) = check(&given).await;
    assert_eq!(exit.code, Some(0));
    let words: Vec<String> = lines
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let nothing = "0".repeat(16);
    assert_eq!(
        words,
        [
            "1001",
            "1002",
            "Groups:",
            &format!("CapPrm: {nothing}"),
            &format!("CapEff: {nothing}"),
            "NoNewPrivs: 1"
        ]
    );
    let made = dir.path().join("made").metadata().unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 1001);
    // The mark is the child's: what we start as ourselves is as before.
    let (_, lines) = check(&task("grep NoNewPrivs: /proc/self/status; id -u")).await;
    assert_eq!(lines, ["NoNewPrivs:\t0", "0"]);
}

#[tokio::test]
async fn another_users_command_can_not_look_into_us() {
    let Some((dir, user)) = somebodys_folder() else { return };
    let us = std::process::id();
    let tries = ["environ", "mem", "fd/1", "maps"].map(|name| format!("cat /proc/{us}/{name} >/dev/null; echo $?"));
    let mut given = task(&format!(
        "{}; kill -9 {us}; echo $?; touch /etc/made; echo $?",
        tries.join("; ")
    ));
    given.cwd = dir.path().to_owned();
    given.user = Some(user);
    let (_, lines) = check(&given).await;
    let codes: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.parse::<i32>().is_ok())
        .collect();
    assert_eq!(codes, ["1"; 6], "{lines:#?}");
}

#[tokio::test]
async fn another_users_command_ends_with_all_it_started() {
    let Some((dir, user)) = somebodys_folder() else { return };
    std::fs::create_dir(dir.path().join("marks")).unwrap();
    std::os::unix::fs::chown(dir.path().join("marks"), Some(user.uid), None).unwrap();
    let mut given = task(&escapes(&dir.path().join("marks")));
    given.cwd = dir.path().to_owned();
    given.user = Some(user);
    let (exit, pids) = check(&given).await;
    assert_eq!(exit.code, Some(0));
    assert_eq!(pids.len(), 6, "{pids:?}");
    assert!(alive(&pids).is_empty());
}
