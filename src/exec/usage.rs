//! How much a task's processes take, as `/proc` tells it.

use std::path::Path;
use std::time::Duration;

use super::tree::{self, Process};
use crate::sys;

/// The kernel counts a process's time in hundredths of a second, on every machine that we run on.
const TICK: Duration = Duration::from_millis(10);
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The kernel goes through all pages of a process that is looked into.
const MAX_LOOKED_INTO: usize = 64;

/// What all processes of a task take at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Without files that are only mapped, which the kernel can drop.
    pub memory_bytes: u64,
    /// Processes and their threads.
    pub n_processes: u64,
    /// What they and those that they waited for have computed.
    pub cpu: Duration,
}

/// Looks at the task with this shell; blocks. Where there are more than `enough` processes, their memory is not asked
/// for: hundreds that start others keep each other, and whoever asks, waiting.
///
/// Those that end while their neighbours are looked at leave them their share of common pages, which then counts again.
/// So what is above `highest` is looked at twice.
pub fn of_task(shell: i32, enough: u64, highest: u64) -> Usage {
    let members = tree::members(shell);
    let n_processes = members.iter().map(n_threads).sum();
    let ticks: u64 = members.iter().map(|one| one.cpu_ticks).sum();
    let alive: Vec<i32> = members.iter().filter(|one| !one.is_zombie).map(|one| one.pid).collect();
    let mut memory_bytes = 0;
    if n_processes <= enough {
        memory_bytes = memory(&alive);
        if memory_bytes > highest && alive.len() > 1 {
            memory_bytes = memory_bytes.min(memory(&alive));
        }
    }
    Usage {
        memory_bytes,
        n_processes,
        cpu: TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX)),
    }
}

/// A dead one that nobody has waited for counts too: the kernel counts it.
fn n_threads(process: &Process) -> u64 {
    process.n_threads.max(1)
}

/// Processes and threads of a user, as far as we see.
pub fn n_running(uid: u32) -> u64 {
    let is_theirs = |pid: i32| sys::owner(Path::new(&format!("/proc/{pid}"))).is_ok_and(|owner| owner.uid == uid);
    tree::processes_of(is_theirs).iter().map(n_threads).sum()
}

/// What processes hold together, where pages that several of them share count once if we may look so deep.
///
/// A container's root may not look into another user's processes. There the sum is an upper bound, and so is what the
/// container holds without us: the smaller one is taken.
fn memory(pids: &[i32]) -> u64 {
    let own: Vec<u64> = pids.iter().map(|pid| held(*pid).unwrap_or(0)).collect();
    let bound: u64 = own.iter().sum();
    if pids.len() < 2 {
        return bound;
    }
    let share = |pid| if pids.len() > MAX_LOOKED_INTO { None } else { share(pid) };
    let shared = pids
        .iter()
        .zip(&own)
        .map(|(pid, own)| share(*pid).unwrap_or(*own).min(*own));
    let largest = own.iter().copied().max().unwrap_or(0);
    let around = container().map(|all| all.saturating_sub(held(tree::our_pid()).unwrap_or(0)));
    shared.sum::<u64>().min(around.unwrap_or(u64::MAX)).max(largest)
}

fn held(pid: i32) -> Option<u64> {
    let status = text(&format!("/proc/{pid}/status"))?;
    Some(kib(&status, "RssAnon:")? + kib(&status, "RssShmem:").unwrap_or(0))
}

/// Each page divided by the number of those who have it.
fn share(pid: i32) -> Option<u64> {
    let rollup = text(&format!("/proc/{pid}/smaps_rollup"))?;
    Some(kib(&rollup, "Pss_Anon:")? + kib(&rollup, "Pss_Shmem:")?)
}

/// What is held within the control group whose root we see: the container's, or the whole machine's.
fn container() -> Option<u64> {
    let (stat, names) = match text("/sys/fs/cgroup/memory.stat") {
        Some(stat) => (stat, ["anon", "shmem"]),
        None => (text("/sys/fs/cgroup/memory/memory.stat")?, ["total_rss", "total_shmem"]),
    };
    let value = |name: &str| {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name)?.1.trim().parse::<u64>().ok()
    };
    // Version 1 before Linux 4.14 counts no shared memory; then nothing is known.
    Some(value(names[0])? + value(names[1])?)
}

/// The memory that commands could be given now: what the machine has left, within what the container may have.
pub fn available_memory() -> Option<u64> {
    let left = kib(&text("/proc/meminfo")?, "MemAvailable:")?;
    let limit = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]
    .into_iter()
    .find_map(|path| text(path)?.trim().parse::<u64>().ok());
    Some(limit.map_or(left, |limit| limit.min(left)))
}

/// The bytes of a line `NAME   123 kB`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value
        .split_ascii_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

fn text(path: &str) -> Option<String> {
    let bytes = sys::read(Path::new(path), MAX_FILE_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        // Linux 6.18.
        let status = "Name:\tRssAnon: 7 kB\nVmRSS:\t    5056 kB\nRssAnon:\t    1024 kB\nRssShmem:\t       4 kB\n";
        assert_eq!(kib(status, "RssAnon:"), Some(1 << 20));
        assert_eq!(kib(status, "RssShmem:"), Some(4096));
        assert_eq!(kib(status, "RssFile:"), None);
        assert_eq!(kib("RssAnon: x kB", "RssAnon:"), None);
        assert_eq!(kib("RssAnon: 18446744073709551615 kB", "RssAnon:"), None);
    }

    #[test]
    fn this_machine_tells() {
        let ours = held(tree::our_pid()).unwrap();
        assert!(ours > 100_000, "{ours}");
        assert!(share(tree::our_pid()).is_none_or(|share| share <= 2 * ours));
        assert!(available_memory().is_some_and(|bytes| bytes > 10 << 20));
        assert!(n_running(rustix::process::geteuid().as_raw()) > 1);
    }
}
