//! The processes below this one: who they belong to, and how they end.
//!
//! A process that leaves its group and its parent is handed to this program, which has asked the kernel for that
//! ([`become_subreaper`]), so everything that a command ever started is found below us in `/proc`. Tasks may run at the
//! same time: a stray is a task's own if it is in its group or carries its mark in the environment; one that carries
//! nobody's, or whose environment we may not read since it runs as another user and a container's root may not look into
//! that one, is ended with the first task that ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use crate::sys::{self, Stopwatch};

/// Names the task in the environment of everything that it starts.
pub const MARK: &str = "MLOPS_TASK";
/// After this, what is still there can not be killed by us.
const KILL_LIMIT: Duration = Duration::from_secs(2);
/// Where hundreds compute, we hardly get to; so rounds are counted, and not time.
const FREEZE_ROUNDS: usize = 20;
/// So many end in the time in which one of them could start another.
const FEW: usize = 16;
const MAX_CHASE_ROUNDS: usize = 4000;
const POLL: Duration = Duration::from_millis(5);

/// The shells of the tasks that run now, and their marks.
///
/// The lock is held while a shell is started and while the tree is swept, so that a sweep never meets a shell that is
/// not entered yet.
static LIVE: Mutex<BTreeMap<i32, String>> = Mutex::new(BTreeMap::new());

/// Whether what loses its parent is given to us.
static GETS_STRAYS: AtomicBool = AtomicBool::new(false);

pub fn live() -> MutexGuard<'static, BTreeMap<i32, String>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose processes are meant.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    Everything,
    /// What the task with this shell started.
    Task(i32),
}

/// Makes this program the parent of every process below it whose own parent dies. Called once, from `main`.
pub fn become_subreaper() -> std::io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    GETS_STRAYS.store(true, Ordering::Relaxed);
    Ok(())
}

/// Kills until none is left, or gives up after [`KILL_LIMIT`]; blocks. The number of those that are left.
pub fn kill(scope: Scope) -> usize {
    if matches!(scope, Scope::Task(shell) if left_alone(&live(), shell).is_some()) {
        return 0;
    }
    kill_the_whole_container(scope);
    let watch = Stopwatch::start();
    let mut is_frozen = false;
    loop {
        let n_left = sweep(scope, is_frozen);
        if n_left > FEW && !is_frozen {
            freeze(scope);
            is_frozen = true;
            continue;
        }
        let were_strays = chase(scope);
        if (n_left == 0 && !were_strays) || watch.elapsed() > KILL_LIMIT {
            return n_left;
        }
        std::thread::sleep(POLL);
    }
}

/// As the first process of a container we kill all others in one stroke that nobody runs away from, unless another task
/// is among them.
fn kill_the_whole_container(scope: Scope) {
    let live = live();
    let is_alone = match scope {
        Scope::Everything => true,
        Scope::Task(shell) => live.keys().all(|other| *other == shell),
    };
    if is_alone && our_pid() == 1 {
        // There may be nobody, and what we may not kill is seen below.
        let _ = rustix::process::kill_process_group(Pid::INIT, Signal::KILL);
    }
}

/// Kills strays one by one as the kernel lists our children, until there are none; whether there were any.
///
/// Who starts its successor and is gone, again and again, has no number for long enough to be found among all processes.
/// But it is always our child, or leaves us one that is dead: so an empty list is proof, and a short way from reading it
/// to the signal is what catches it. Without such a list (`CONFIG_PROC_CHILDREN`) nothing is done.
fn chase(scope: Scope) -> bool {
    let live = live();
    let is_meant = |pid: &i32| match scope {
        _ if live.contains_key(pid) => false,
        Scope::Task(shell) if live.keys().any(|other| *other != shell) => Process::read(*pid)
            .and_then(|process| owner(&live, &process))
            .is_none_or(|owner| owner == shell),
        Scope::Task(_) | Scope::Everything => true,
    };
    for round in 0..MAX_CHASE_ROUNDS {
        let strays: Vec<Pid> = children()
            .unwrap_or_default()
            .into_iter()
            .filter(is_meant)
            .filter_map(Pid::from_raw)
            .collect();
        if strays.is_empty() {
            return round > 0;
        }
        for pid in strays {
            // Nobody but us waits for it, and not while this lock is held: so the number is still its own.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
    true
}

/// Children of ours, alive or dead, all strays among them, which the kernel gives to our first thread. None where it does
/// not tell.
fn children() -> Option<Vec<i32>> {
    let us = our_pid();
    let list = sys::read(Path::new(&format!("/proc/{us}/task/{us}/children")), 1 << 20).ok()?;
    let list = String::from_utf8_lossy(&list);
    Some(
        list.split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect(),
    )
}

/// Stops all that are alive, until no new ones come; a stopped process starts nothing.
pub fn freeze(scope: Scope) {
    for _ in 0..FREEZE_ROUNDS {
        let running: Vec<Process> = belonging(&live(), scope)
            .into_iter()
            .filter(|process| !process.is_zombie && !process.is_stopped)
            .collect();
        if running.is_empty() {
            return;
        }
        for process in running {
            process.signal(Signal::STOP);
        }
    }
}

/// What the task with this shell consists of now, dead ones that nobody waited for among them.
pub fn members(shell: i32) -> Vec<Process> {
    let live = live();
    match left_alone(&live, shell) {
        Some(process) => vec![process],
        None => belonging(&live, Scope::Task(shell)),
    }
}

/// The shell of a task of which nothing else is left: it is dead, so what it had started is dead or ours, and we have
/// nobody but shells. That is how most tasks end, and told without looking at every process.
fn left_alone(live: &BTreeMap<i32, String>, shell: i32) -> Option<Process> {
    let process = Process::read(shell).filter(|process| process.is_zombie)?;
    let has_strays = || children().is_none_or(|children| children.iter().any(|pid| !live.contains_key(pid)));
    (GETS_STRAYS.load(Ordering::Relaxed) && !has_strays()).then_some(process)
}

/// Asks a task's process group to end, if it is still that task's.
pub fn terminate(shell: i32) {
    let live = live();
    let is_ours = belonging(&live, Scope::Task(shell))
        .iter()
        .any(|process| process.group == shell);
    if let (true, Some(group)) = (is_ours, Pid::from_raw(shell)) {
        // The group may have ended in this moment, which is what is wanted.
        let _ = rustix::process::kill_process_group(group, Signal::TERM);
    }
}

/// Whether anything alive is left in a task's process group.
pub fn group_is_alive(shell: i32) -> bool {
    belonging(&live(), Scope::Task(shell))
        .iter()
        .any(|process| process.group == shell && !process.is_zombie)
}

/// Whether anything below this program is alive.
pub fn any_alive() -> bool {
    belonging(&live(), Scope::Everything)
        .iter()
        .any(|process| !process.is_zombie)
}

/// One round: kills what is there, takes leave of strays that are dead. The number of those that were alive.
///
/// Those that multiply would take each place that is freed: so many are not killed before they are held.
fn sweep(scope: Scope, are_frozen: bool) -> usize {
    let live = live();
    let members = belonging(&live, scope);
    let n_alive = members.iter().filter(|process| !process.is_zombie).count();
    if n_alive <= FEW || are_frozen {
        for process in members {
            if !process.is_zombie {
                process.signal(Signal::KILL);
            }
            process.reap(&live);
        }
    }
    n_alive
}

/// Takes leave of strays that ended by themselves while tasks run on; nothing is killed.
pub fn reap() {
    let live = live();
    for process in belonging(&live, Scope::Everything) {
        if process.is_zombie {
            process.reap(&live);
        }
    }
}

/// One line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    parent: i32,
    group: i32,
    session: i32,
    /// In ticks since the machine started: tells apart two processes that had the same number.
    started: u64,
    pub n_threads: u64,
    /// What it and those that it waited for have computed.
    pub cpu_ticks: u64,
    is_stopped: bool,
    pub is_zombie: bool,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        let stat = sys::read(Path::new(&format!("/proc/{pid}/stat")), 4096).ok()?;
        Self::parse(&String::from_utf8_lossy(&stat))
    }

    /// `pid (name) state parent group session …`, where the name may have spaces and parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let (head, tail) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
        // The last two are written as signed numbers.
        let ticks = |index: usize| u64::try_from(fields.get(index)?.parse::<i64>().ok()?).ok();
        Some(Self {
            pid: head.split(' ').next()?.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            n_threads: fields.get(17)?.parse().ok()?,
            cpu_ticks: (11..=14).filter_map(ticks).sum(),
            is_stopped: matches!(*fields.first()?, "T" | "t"),
            is_zombie: matches!(*fields.first()?, "Z" | "X"),
        })
    }

    /// Signals this very process: the number is pinned first, then compared with what was seen.
    fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        // Every failure here means that it is gone, or that the next round has to try again.
        let _ = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pinned) if Self::read(self.pid).is_some_and(|now| now.started == self.started) => {
                rustix::process::pidfd_send_signal(pinned, signal)
            }
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => rustix::process::kill_process(pid, signal),
            Err(gone) => Err(gone),
        };
    }

    /// Waits for a stray of ours if it is dead. Shells are waited for by whoever started them.
    fn reap(&self, live: &BTreeMap<i32, String>) {
        if self.parent == our_pid()
            && !live.contains_key(&self.pid)
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // Not dead yet, or gone: the next round sees it again, or does not.
            let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }

    fn mark(&self) -> Option<String> {
        let environ = sys::read(Path::new(&format!("/proc/{}/environ", self.pid)), 4 << 20).ok()?;
        environ
            .split(|&byte| byte == 0)
            .filter_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
            .map(|mark| String::from_utf8_lossy(mark).into_owned())
            .next()
    }
}

pub fn our_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// The processes that we see, of those that are meant.
pub fn processes_of(is_meant: impl Fn(i32) -> bool) -> Vec<Process> {
    sys::list(Path::new("/proc"))
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.name.to_str()?.parse().ok())
        .filter(|pid| is_meant(*pid))
        .filter_map(Process::read)
        .collect()
}

/// The processes below us in `scope`, parents before their children, so that killing in order stops the making of more.
fn belonging(live: &BTreeMap<i32, String>, scope: Scope) -> Vec<Process> {
    let all = processes_of(|_| true);
    let us = our_pid();
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in &all {
        children.entry(process.parent).or_default().push(*process);
    }
    let is_meant = |child: &Process| match scope {
        Scope::Everything => true,
        Scope::Task(shell) => owner(live, child).is_none_or(|owner| owner == shell),
    };
    let mut found: Vec<Process> = children
        .get(&us)
        .into_iter()
        .flatten()
        .filter(|child| is_meant(child))
        .copied()
        .collect();
    // Where the kernel does not hand strays to us, the group still tells.
    if let Scope::Task(shell) = scope {
        let session = all
            .iter()
            .find(|process| process.pid == us)
            .map(|process| process.session);
        found.extend(
            all.iter()
                .filter(|process| process.group == shell && Some(process.session) == session),
        );
    }
    let mut seen: BTreeSet<i32> = BTreeSet::new();
    found.retain(|process| process.pid != us && seen.insert(process.pid));
    let mut next = 0;
    while let Some(process) = found.get(next) {
        let below = children.get(&process.pid).into_iter().flatten();
        let new: Vec<Process> = below.filter(|child| seen.insert(child.pid)).copied().collect();
        found.extend(new);
        next += 1;
    }
    found
}

/// The shell of the task that a child of ours belongs to.
fn owner(live: &BTreeMap<i32, String>, child: &Process) -> Option<i32> {
    if live.contains_key(&child.pid) {
        return Some(child.pid);
    }
    if live.contains_key(&child.group) {
        return Some(child.group);
    }
    let mark = child.mark()?;
    live.iter().find(|(_, of)| **of == mark).map(|(shell, _)| *shell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_process_name_does_not_confuse() {
        let stat = "71 (a) R 1 1 (b c) S 7 8 9 0 -1 4194304 98 0 0 0 1 2 3 -4 20 0 5 0 113738 3133440 359 1";
        let process = Process::parse(stat).unwrap();
        assert_eq!(
            (
                process.pid,
                process.parent,
                process.group,
                process.session,
                process.started
            ),
            (71, 7, 8, 9, 113_738)
        );
        assert_eq!((process.cpu_ticks, process.n_threads), (6, 5));
        assert_eq!(Process::parse("71 (a"), None);
        assert_eq!(Process::parse(""), None);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_too_strange(stat in "[0-9]{0,9}( \\(\\PC{0,9}\\))?( [RSZT]| -?[0-9]{1,21}){0,24}") {
            if let Some(process) = Process::parse(&stat) {
                proptest::prop_assert!(stat.starts_with(&process.pid.to_string()) || stat.starts_with('0'));
            }
        }
    }

    #[test]
    fn we_are_a_process() {
        let us = Process::read(our_pid()).unwrap();
        assert_eq!(us.pid, our_pid());
        assert!(!us.is_zombie);
        let is_us = |other: &Process| (other.pid, other.started) == (us.pid, us.started);
        assert!(processes_of(|_| true).iter().any(is_us));
    }
}
