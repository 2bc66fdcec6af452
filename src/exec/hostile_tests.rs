//! `fixtures/hostile/train.py` in a sandbox: each of its attacks is stopped, and finds nothing.
#![expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]

use std::collections::BTreeMap;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::*;

const PYTHON: &str = "/usr/bin/python3";
const MIB: u64 = 1 << 20;
const USER: User = User { uid: 1001, gid: 1002 };

/// One attack at a time: some leave little to others.
static ALONE: Mutex<()> = Mutex::new(());

/// A runner's folders, of which the commands' user owns each one.
struct World {
    dir: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl World {
    /// None, said aloud, where this can not be tried.
    fn new() -> Option<Self> {
        if !crate::sys::is_root() || !Path::new(PYTHON).exists() {
            eprintln!("NOT TESTED: hostile commands need root and {PYTHON}");
            return None;
        }
        become_subreaper().unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let world = Self {
            dir,
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        };
        for name in ["work", "temp", "commands", "home"] {
            std::fs::create_dir(world.path(name)).unwrap();
            chown(world.path(name), Some(USER.uid), Some(USER.gid)).unwrap();
        }
        for name in ["commands/output", "home/key"] {
            std::fs::write(world.path(name), "theirs").unwrap();
            chown(world.path(name), Some(USER.uid), Some(USER.gid)).unwrap();
        }
        let train = include_str!("../../fixtures/hostile/train.py");
        std::fs::write(world.path("work/train.py"), train).unwrap();
        let bomb = include_str!("../../fixtures/hostile/bomb.sh");
        std::fs::write(world.path("work/bomb.sh"), bomb).unwrap();
        Some(world)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Without the folders for temporary files, since this world is in one.
    fn sandbox(&self) -> Sandbox {
        let mut sandbox = Sandbox::confined(&self.path("work"), &[self.path("temp")], &[]);
        if let Some(files) = &mut sandbox.files {
            files.write.retain(|path| !self.dir.path().starts_with(path));
        }
        sandbox.limits = Limits {
            memory_bytes: Some(300 * MIB),
            n_processes: Some(64),
            file_bytes: Some(8 * MIB),
            n_open_files: Some(256),
            output_bytes: Some(4 * MIB),
            cpu: None,
        };
        sandbox
    }

    fn task(&self, command: &str) -> Task {
        Task {
            command: command.to_owned(),
            cwd: self.path("work"),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
            timeout: Duration::from_mins(2),
            user: Some(USER),
            sandbox: self.sandbox(),
        }
    }

    fn attack(&self, words: &str) -> Task {
        self.task(&format!("{PYTHON} {}/train.py {words}", self.path("work").display()))
    }

    /// Processes whose command line names this world; a fork has its parent's.
    fn left(&self) -> Vec<String> {
        let mark = self.dir.path().display().to_string();
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(&mark)
            })
            .collect()
    }
}

async fn attacked(task: &Task) -> (Exit, Vec<String>) {
    let mut lines = Vec::new();
    let exit = run(task, &mut |line| lines.push(line.to_owned())).await.unwrap();
    (exit, lines)
}

/// Runs it, holds that nothing of it is left, and gives how it ended; that is soon, or by its timeout, which shows.
async fn stopped(world: &World, words: &str) -> Exit {
    let (exit, lines) = attacked(&world.attack(words)).await;
    assert_eq!(world.left(), [""; 0], "{words}: {exit:?}");
    assert!(exit.code != Some(0), "{words}: {exit:?} {lines:?}");
    exit
}

/// What of the attempts was denied, and what not.
fn outcome(lines: &[String]) -> (Vec<&str>, Vec<&str>) {
    let what = |word: &str| {
        let with_it = lines.iter().filter(|line| line.contains(&format!(": {word}")));
        with_it.map(|line| line.split(": ").next().unwrap()).collect()
    };
    (what("denied"), what("reached"))
}

#[tokio::test]
async fn bombs_end() {
    let Some(world) = World::new() else { return };
    for bomb in ["thread_bomb", "fork_bomb", "fork_bomb sessions", "bomb.sh"] {
        let task = match bomb {
            "bomb.sh" => world.task(&format!("sh {}/bomb.sh", world.path("work").display())),
            python => world.attack(python),
        };
        let (exit, _) = attacked(&task).await;
        assert!(
            matches!(exit.ended, Ended::TooManyProcesses { n: 65.., limit: 64 }),
            "{bomb}: {exit:?}"
        );
        assert_eq!(world.left(), [""; 0], "{bomb}");
    }
}

#[tokio::test]
async fn who_runs_away_is_caught() {
    let Some(world) = World::new() else { return };
    for _ in 0..5 {
        let (exit, lines) = attacked(&world.attack("hop")).await;
        assert_eq!((exit.ended, lines), (Ended::Itself, Vec::new()));
        assert_eq!(world.left(), [""; 0], "{exit:?}");
    }
}

#[tokio::test]
async fn memory_is_bounded() {
    let Some(world) = World::new() else { return };
    for attack in ["memory", "memory_of_many", "memory_shared"] {
        let exit = stopped(&world, attack).await;
        let Ended::OverMemory {
            peak_bytes,
            limit_bytes,
        } = exit.ended
        else {
            panic!("{attack}: {exit:?}")
        };
        assert_eq!(limit_bytes, 300 * MIB);
        assert!((limit_bytes..2048 * MIB).contains(&peak_bytes), "{attack}: {exit:?}");
        assert!(exit.peak_memory_bytes >= Some(peak_bytes));
    }
    let (exit, lines) = attacked(&world.attack("memory_at_once")).await;
    assert_eq!(
        (exit.ended, lines),
        (Ended::Itself, vec!["10 GB at once: denied MemoryError".to_owned()])
    );
}

#[tokio::test]
async fn memory_that_forks_share_counts_once() {
    let Some(world) = World::new() else { return };
    let (exit, lines) = attacked(&world.attack("shared_by_fork")).await;
    assert_eq!(lines, ["honest: reached its end"], "{exit:?}");
    assert_eq!((exit.code, exit.ended), (Some(0), Ended::Itself));
    let peak = exit.peak_memory_bytes;
    assert!(
        peak.is_some_and(|bytes| (100 * MIB..280 * MIB).contains(&bytes)),
        "{exit:?}"
    );
}

#[tokio::test]
async fn output_files_and_time_are_bounded() {
    let Some(world) = World::new() else { return };
    let exit = stopped(&world, "output").await;
    assert_eq!(exit.ended, Ended::TooMuchOutput { limit_bytes: 4 * MIB });
    let exit = stopped(&world, "file").await;
    assert_eq!(exit.ended, Ended::FileTooLarge { limit_bytes: 8 * MIB });
    assert!(world.path("work/big").metadata().is_ok_and(|big| big.len() <= 8 * MIB));
    let limit = Duration::from_millis(600);
    let mut task = world.attack("compute");
    task.sandbox.limits.cpu = Some(limit);
    let (exit, _) = attacked(&task).await;
    assert_eq!(exit.ended, Ended::OverCpu { limit });
    assert!((limit..Duration::from_secs(5)).contains(&exit.cpu), "{exit:?}");
    assert_eq!(world.left(), [""; 0]);
}

#[tokio::test]
async fn daemons_end_with_their_task() {
    let Some(world) = World::new() else { return };
    let (exit, lines) = attacked(&world.attack("daemon")).await;
    assert_eq!((exit.code, lines), (Some(0), Vec::new()));
    assert!(world.path("work/daemon").exists());
    assert_eq!(world.left(), [""; 0]);
    std::fs::remove_file(world.path("work/daemon")).unwrap();
    let mut task = world.attack("daemon stay");
    // With a lower priority it might not come so far.
    task.sandbox.limits.n_processes = None;
    task.timeout = Duration::from_secs(3);
    let (exit, _) = attacked(&task).await;
    assert!(exit.timed_out && exit.elapsed < Duration::from_secs(12), "{exit:?}");
    assert!(world.path("work/daemon").exists());
    assert_eq!(world.left(), [""; 0]);
}

#[tokio::test]
async fn other_processes_are_closed() {
    let Some(world) = World::new() else { return };
    let us = std::process::id();
    let (_, lines) = attacked(&world.attack(&format!("look {us}"))).await;
    let (denied, reached) = outcome(&lines);
    // The shell above it is of its own kind.
    assert!(reached.is_empty() || reached == ["environments"], "{lines:?}");
    assert!(denied.len() >= 8, "{lines:?}");
    let (_, lines) = attacked(&world.attack(&format!("end {us}"))).await;
    assert_eq!(lines, [format!("end {us}: denied PermissionError")]);
}

/// Whether this kernel holds files; said aloud when not.
fn holds(sandbox: &Sandbox) -> bool {
    let enforced = enforced(sandbox, Some(USER)).unwrap();
    if enforced.landlock != super::sandbox::Landlock::Full || !enforced.seccomp {
        eprintln!("NOT TESTED: {:?}", enforced.shortcomings());
        return false;
    }
    assert_eq!(enforced.shortcomings(), [""; 0]);
    true
}

#[tokio::test]
async fn files_outside_are_closed() {
    let Some(world) = World::new() else { return };
    let [output, key] = ["commands/output", "home/key"].map(|name| world.path(name).display().to_string());
    // What is open without Landlock, so that it is Landlock that closes it below.
    let mut open = world.attack(&format!("read {output}"));
    open.sandbox.files = None;
    assert_eq!(outcome(&attacked(&open).await.1).1.len(), 2);
    if !holds(&world.sandbox()) {
        return;
    }
    let (_, lines) = attacked(&world.attack(&format!("read {output} {key} /root/.bashrc"))).await;
    assert_eq!((outcome(&lines).0.len(), outcome(&lines).1.len()), (6, 0), "{lines:?}");
    let (_, lines) = attacked(&world.attack(&format!("write {output} {key} /etc/passwd /usr/bin/env"))).await;
    assert_eq!((outcome(&lines).0.len(), outcome(&lines).1.len()), (20, 0), "{lines:?}");
    assert_eq!(std::fs::read(world.path("commands/output")).unwrap(), b"theirs");
    // Its own are open, and so is what lies below, with every right.
    let own = "mkdir a && echo 1 >a/b && mv a/b c && ln c d && ln -s c e && chmod 600 c && rm -r a && cat c e && echo 2 >../temp/f";
    let (exit, lines) = attacked(&world.task(&format!("{own} && : >/dev/null && head -c 1 /etc/passwd | wc -c"))).await;
    assert_eq!(
        (exit.code, lines),
        (Some(0), ["1", "1", "1"].map(str::to_owned).to_vec())
    );
}

#[tokio::test]
async fn dockers_socket_is_its_groups() {
    let Some(world) = World::new() else { return };
    let path = world.path("work/docker.sock");
    let _listening = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).unwrap();
    let (_, lines) = attacked(&world.attack(&format!("connect {}", path.display()))).await;
    assert_eq!(lines, ["socket: denied PermissionError"]);
}

#[tokio::test]
async fn the_network_is_what_was_asked_for() {
    let Some(world) = World::new() else { return };
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let _datagrams = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let mut task = world.attack(&format!("network {port}"));
    let (_, lines) = attacked(&task).await;
    for open in ["tcp", "udp", "pair"] {
        assert!(outcome(&lines).1.contains(&open), "{lines:?}");
    }
    for (network, expected) in [(Network::Https, &["udp", "pair"][..]), (Network::None, &["pair"])] {
        task.sandbox.network = network;
        if holds(&task.sandbox) {
            let (_, lines) = attacked(&task).await;
            let (denied, reached) = outcome(&lines);
            assert_eq!(reached, expected, "{lines:?}");
            assert_eq!(denied.len(), 6 - expected.len(), "{lines:?}");
        }
    }
}

#[tokio::test]
async fn what_it_prints_has_no_power() {
    let Some(world) = World::new() else { return };
    let (exit, lines) = attacked(&world.attack("commands")).await;
    assert_eq!((exit.code, lines.len()), (Some(0), 6));
    for line in lines {
        assert!(!line.starts_with("::") && !line.contains("##["), "{line}");
    }
}

#[tokio::test]
async fn what_it_took_is_told() {
    let Some(world) = World::new() else { return };
    let (exit, _) = attacked(&world.task(
        "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; (i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done)",
    ))
    .await;
    assert_eq!((exit.code, exit.ended), (Some(0), Ended::Itself));
    assert!(
        exit.cpu >= Duration::from_millis(50) && exit.cpu <= exit.elapsed * 2,
        "{exit:?}"
    );
    let (exit, _) = attacked(&world.task(&format!(
        "{PYTHON} -c 'import time; x = b\"x\" * (80 << 20); time.sleep(1.5)'"
    )))
    .await;
    let peak = exit.peak_memory_bytes;
    assert!(
        peak.is_some_and(|bytes| (80 * MIB..160 * MIB).contains(&bytes)),
        "{exit:?}"
    );
}

#[tokio::test]
async fn captured_output_is_apart_and_bounded() {
    let Some(world) = World::new() else { return };
    let mut said = Vec::new();
    let task = world.task("printf 'a\\0\\377::b\\n'; echo err >&2; exit 3");
    let (exit, captured) = run_captured(&task, 100, &mut |line| said.push(line.to_owned()))
        .await
        .unwrap();
    assert_eq!(exit.code, Some(3));
    assert_eq!(
        (captured.stdout.as_slice(), captured.is_cut),
        (&b"a\0\xff::b\n"[..], false)
    );
    assert_eq!(said, ["err"]);
    let task = world.task("head -c 1000000 /dev/zero; echo end >&2");
    let (exit, captured) = run_captured(&task, 1000, &mut |line| assert_eq!(line, "end"))
        .await
        .unwrap();
    assert_eq!((exit.code, exit.ended), (Some(0), Ended::Itself));
    assert_eq!((captured.stdout.len(), captured.is_cut), (1000, true));
    let (exit, captured) = run_captured(&world.attack("output"), 1000, &mut |_| {}).await.unwrap();
    assert_eq!(exit.ended, Ended::TooMuchOutput { limit_bytes: 4 * MIB });
    assert_eq!(captured.stdout.len(), 1000);
    assert_eq!(world.left(), [""; 0]);
}
