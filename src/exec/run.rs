//! Runs one command to its end, whatever it does.
#![expect(clippy::disallowed_methods, reason = "processes are started here and nowhere else")]

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, WaitId, WaitIdOptions};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::confine;
use super::exit::{Captured, ExecError, Exit};
use super::sandbox::{Ended, Limits, Sandbox};
use super::text::Lines;
use super::tree::{self, MARK, Scope};
use super::usage::{self, Usage};
use super::user::User;
use crate::sys::Stopwatch;

/// Between asking a command to end and ending it.
const GRACE: Duration = Duration::from_secs(2);
/// How long what a shell left running may still write once the shell has ended.
const PIPE_GRACE: Duration = Duration::from_millis(200);
/// More than any pipe holds: what is read once every writer is dead.
const MAX_DRAIN: usize = 2 << 20;
/// Strays that end while a task runs on are taken leave of this often, so that dead ones do not pile up.
const REAP_EVERY: Duration = Duration::from_secs(5);
/// Between two looks at what a task takes: at first, and the bounds of what follows.
const LOOK_AFTER: Duration = Duration::from_millis(5);
const LOOK_EVERY: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_secs(1);
/// Looking takes a twentieth of a core at most.
const LOOK_SHARE: u32 = 20;
/// Where memory runs out, the kernel takes the commands before this program.
const FIRST_TO_GO: &str = "500";
const POLL: Duration = Duration::from_millis(5);

static STOPPING: AtomicBool = AtomicBool::new(false);
static N_STARTED: AtomicU64 = AtomicU64::new(0);

/// One command of the repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Run by `sh -c`.
    pub command: String,
    pub cwd: PathBuf,
    /// The whole environment: nothing else is passed on but a mark by which the command's processes are found again.
    pub env: BTreeMap<String, String>,
    pub timeout: Duration,
    /// Who it runs as; none is who we are. Another user's command gains no rights from what it executes.
    pub user: Option<User>,
    /// What it may touch and take beyond that; by default, all that its user may.
    pub sandbox: Sandbox,
}

/// Keeps this program's memory and environment from those it starts, and its crashes from the disk. Called from `main`.
pub fn shield() -> io::Result<()> {
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(Resource::Core, nothing)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Runs a command to its end and hands on each line of its two streams, in the order in which they came, made harmless
/// by [`neutralise`](super::neutralise) and at most 8 KiB long.
///
/// Once the shell has ended, whatever it left running may write for a moment and is then killed. When the time is up,
/// or the future is dropped, the process group is asked to end, has two seconds for it, and is then killed with all
/// that came from it; when a limit is passed, all of it is killed at once. A command that can not be found is no error:
/// the shell says so and exits with 127.
pub async fn run(task: &Task, on_output: &mut (dyn FnMut(&str) + Send)) -> Result<Exit, ExecError> {
    run_within(task, GRACE, None, on_output).await
}

/// As [`run`], for a tool whose output is for programs: what it writes to its standard output is kept as it comes, up to
/// `max_bytes`, and only the lines of the other stream are handed on.
pub async fn run_captured(
    task: &Task,
    max_bytes: usize,
    on_stderr_line: &mut (dyn FnMut(&str) + Send),
) -> Result<(Exit, Captured), ExecError> {
    let mut captured = Captured::default();
    let exit = run_within(task, GRACE, Some((&mut captured, max_bytes)), on_stderr_line).await?;
    Ok((exit, captured))
}

async fn run_within(
    task: &Task,
    grace: Duration,
    keep: Option<(&mut Captured, usize)>,
    on_output: &mut (dyn FnMut(&str) + Send),
) -> Result<Exit, ExecError> {
    let watch = Stopwatch::start();
    let (mut running, mut pipes) = start(task, keep.is_some())?;
    let shell = running.shell;
    let mut taking = Taking::new(keep, task.sandbox.limits.output_bytes, on_output);
    let peak = Arc::new(Peak::default());
    let mut looking = pin!(look(shell, task.sandbox.limits, Arc::clone(&peak)));
    let mut deadline = pin!(tokio::time::sleep(task.timeout));
    let mut rounds = tokio::time::interval_at(tokio::time::Instant::now() + REAP_EVERY, REAP_EVERY);
    let mut ended = loop {
        tokio::select! {
            biased;
            () = &mut deadline => break Some(Ended::TimedOut { after: task.timeout }),
            _ = rounds.tick() => tree::reap(),
            over = &mut looking => break Some(over),
            done = running.over() => {
                done.map_err(ExecError::Wait)?;
                break None;
            }
            () = pipes.take(&mut taking), if pipes.are_open() => if let Some(over) = taking.over() {
                break Some(over);
            },
        }
    };
    if ended.is_none() {
        let mut moment = pin!(tokio::time::sleep(PIPE_GRACE));
        while pipes.are_open() && ended.is_none() {
            tokio::select! {
                biased;
                () = &mut moment => break,
                () = pipes.take(&mut taking) => ended = taking.over(),
            }
        }
    }
    let grace = match ended {
        Some(Ended::TimedOut { .. }) => grace,
        _ => Duration::ZERO,
    };
    let last = Arc::clone(&peak);
    let mut ending = tokio::task::spawn_blocking(move || {
        // Before anybody takes leave of the shell: it has counted what it waited for.
        last.add(&usage::of_task(shell, 0, 0));
        running.end(grace)
    });
    let status = loop {
        tokio::select! {
            biased;
            ended = &mut ending => break ended.map_err(|error| ExecError::Wait(error.into()))?,
            () = pipes.take(&mut taking), if pipes.are_open() => {}
        }
    };
    pipes.drain(&mut taking);
    taking.finish();
    let (code, signal) = (
        status.and_then(|status| status.code()),
        status.and_then(|status| status.signal()),
    );
    let ended = ended.unwrap_or_else(|| by_itself(code, signal, &task.sandbox.limits));
    Ok(Exit {
        code,
        signal,
        timed_out: matches!(ended, Ended::TimedOut { .. }),
        ended,
        elapsed: watch.elapsed(),
        peak_memory_bytes: Some(peak.memory_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0),
        cpu: Duration::from_millis(peak.cpu_ms.load(Ordering::Relaxed)),
    })
}

/// What the kernel's own limits did, told by the signal or by the code that a shell makes of one.
fn by_itself(code: Option<i32>, signal: Option<i32>, limits: &Limits) -> Ended {
    let by = |one: i32| signal == Some(one) || code == Some(128 + one);
    match (limits.file_bytes, limits.cpu) {
        (Some(limit_bytes), _) if by(libc::SIGXFSZ) => Ended::FileTooLarge { limit_bytes },
        (_, Some(limit)) if by(libc::SIGXCPU) => Ended::OverCpu { limit },
        _ => Ended::Itself,
    }
}

/// The most that was seen of a task.
#[derive(Debug, Default)]
struct Peak {
    memory_bytes: AtomicU64,
    cpu_ms: AtomicU64,
}

impl Peak {
    fn add(&self, usage: &Usage) {
        self.memory_bytes.fetch_max(usage.memory_bytes, Ordering::Relaxed);
        let cpu_ms = u64::try_from(usage.cpu.as_millis()).unwrap_or(u64::MAX);
        self.cpu_ms.fetch_max(cpu_ms, Ordering::Relaxed);
    }
}

fn passed(usage: &Usage, limits: &Limits) -> Option<Ended> {
    let over = |taken: u64, limit: Option<u64>| limit.filter(|limit| taken > *limit);
    if let Some(limit) = over(usage.n_processes, limits.n_processes) {
        let n = usage.n_processes;
        return Some(Ended::TooManyProcesses { n, limit });
    }
    if let Some(limit_bytes) = over(usage.memory_bytes, limits.memory_bytes) {
        let peak_bytes = usage.memory_bytes;
        return Some(Ended::OverMemory {
            peak_bytes,
            limit_bytes,
        });
    }
    let limit = limits.cpu.filter(|limit| usage.cpu > *limit)?;
    Some(Ended::OverCpu { limit })
}

/// Looks at a task again and again; comes back when it takes too much.
async fn look(shell: i32, limits: Limits, peak: Arc<Peak>) -> Ended {
    let mut pause = LOOK_AFTER;
    loop {
        tokio::time::sleep(pause).await;
        let watch = Stopwatch::start();
        let highest = peak.memory_bytes.load(Ordering::Relaxed);
        let looked = tokio::task::spawn_blocking(move || {
            let usage = usage::of_task(shell, limits.n_processes.unwrap_or(u64::MAX), highest);
            let over = passed(&usage, &limits);
            // Nothing grows until it is ended, which may have come first.
            if over.is_some() && tree::live().contains_key(&shell) {
                tree::freeze(Scope::Task(shell));
            }
            (usage, over)
        });
        // It can not panic; when the runtime ends, so does this.
        let Ok((usage, over)) = looked.await else {
            return std::future::pending().await;
        };
        peak.add(&usage);
        if let Some(over) = over {
            return over;
        }
        let earned = watch.elapsed() * LOOK_SHARE;
        pause = (pause * 2).min(LOOK_EVERY.start).max(earned).min(LOOK_EVERY.end);
    }
}

/// Ends every command that runs and everything that came from them, within five seconds; none is started any more.
/// The number of processes that could not be killed.
pub async fn stop_all() -> usize {
    STOPPING.store(true, Ordering::SeqCst);
    let stopping = tokio::task::spawn_blocking(|| {
        let shells: Vec<i32> = tree::live().keys().copied().collect();
        for shell in shells {
            tree::terminate(shell);
        }
        let watch = Stopwatch::start();
        while tree::any_alive() && watch.elapsed() < GRACE {
            std::thread::sleep(POLL);
        }
        tree::kill(Scope::Everything)
    });
    stopping.await.unwrap_or(usize::MAX)
}

/// Where a command's output goes.
struct Taking<'a> {
    lines: Lines,
    keep: Option<(&'a mut Captured, usize)>,
    n_bytes: u64,
    limit_bytes: Option<u64>,
    on_line: &'a mut (dyn FnMut(&str) + Send),
}

impl<'a> Taking<'a> {
    fn new(
        keep: Option<(&'a mut Captured, usize)>,
        limit_bytes: Option<u64>,
        on_line: &'a mut (dyn FnMut(&str) + Send),
    ) -> Self {
        Self {
            lines: Lines::default(),
            keep,
            n_bytes: 0,
            limit_bytes,
            on_line,
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        self.n_bytes += bytes.len() as u64;
        self.lines.push(bytes, self.on_line);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.n_bytes += bytes.len() as u64;
        if let Some((captured, max_bytes)) = &mut self.keep {
            let room = max_bytes.saturating_sub(captured.stdout.len());
            captured.is_cut |= bytes.len() > room;
            captured.stdout.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn finish(&mut self) {
        self.lines.finish(self.on_line);
    }

    fn over(&self) -> Option<Ended> {
        let limit_bytes = self.limit_bytes.filter(|limit| self.n_bytes > *limit)?;
        Some(Ended::TooMuchOutput { limit_bytes })
    }
}

/// What a command writes into. One pipe for both streams keeps their order; a standard output that is kept has its own.
struct Pipes {
    text: Option<pipe::Receiver>,
    raw: Option<pipe::Receiver>,
    text_buffer: Vec<u8>,
    raw_buffer: Vec<u8>,
}

impl Pipes {
    fn new(text: pipe::Receiver, raw: Option<pipe::Receiver>) -> Self {
        Self {
            text: Some(text),
            raw_buffer: vec![0; if raw.is_some() { 64 * 1024 } else { 0 }],
            raw,
            text_buffer: vec![0; 16 * 1024],
        }
    }

    fn are_open(&self) -> bool {
        self.text.is_some() || self.raw.is_some()
    }

    /// Takes what comes next; nothing is lost when this is given up.
    async fn take(&mut self, taking: &mut Taking<'_>) {
        tokio::select! {
            n_read = next(self.text.as_mut(), &mut self.text_buffer) => match n_read {
                Some(n) => taking.text(&self.text_buffer[..n]),
                None => self.text = None,
            },
            n_read = next(self.raw.as_mut(), &mut self.raw_buffer) => match n_read {
                Some(n) => taking.raw(&self.raw_buffer[..n]),
                None => self.raw = None,
            },
        }
    }

    /// Takes what is still in them, once nobody writes any more.
    fn drain(&mut self, taking: &mut Taking<'_>) {
        let rest = |pipe: &Option<pipe::Receiver>, buffer: &mut [u8], take: &mut dyn FnMut(&[u8])| {
            let mut n_drained = 0;
            while let Some(pipe) = pipe
                && n_drained < MAX_DRAIN
                && let Ok(n @ 1..) = pipe.try_read(buffer)
            {
                n_drained += n;
                take(&buffer[..n]);
            }
        };
        rest(&self.text, &mut self.text_buffer, &mut |bytes| taking.text(bytes));
        rest(&self.raw, &mut self.raw_buffer, &mut |bytes| taking.raw(bytes));
    }
}

/// The number of bytes that came; none at the end. Waits forever when there is no pipe.
async fn next(pipe: Option<&mut pipe::Receiver>, buffer: &mut [u8]) -> Option<usize> {
    match pipe {
        Some(pipe) => pipe.read(buffer).await.ok().filter(|n| *n > 0),
        None => std::future::pending().await,
    }
}

fn start(task: &Task, has_own_stdout: bool) -> Result<(Running, Pipes), ExecError> {
    if !task.cwd.is_dir() {
        return Err(ExecError::Directory { path: task.cwd.clone() });
    }
    let pipe = || {
        let (reader, writer) = io::pipe()?;
        Ok((pipe::Receiver::from_owned_fd(reader.into())?, writer))
    };
    let (text, writer) = pipe().map_err(ExecError::Start)?;
    let (raw, stdout) = if has_own_stdout {
        pipe().map(|(reader, writer)| (Some(reader), writer))
    } else {
        writer.try_clone().map(|writer| (None, writer))
    }
    .map_err(ExecError::Start)?;
    let mark = format!(
        "{}-{}",
        rustix::process::getpid().as_raw_nonzero(),
        N_STARTED.fetch_add(1, Ordering::Relaxed)
    );
    let limits = &task.sandbox.limits;
    let uid = task
        .user
        .map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
    let n_running = limits.n_processes.map_or(0, |_| usage::n_running(uid));
    let mut command = Command::new("/bin/sh");
    command
        .args(confine::within_limits(&task.command, limits, n_running))
        .current_dir(&task.cwd)
        .env_clear()
        .envs(&task.env)
        .env(MARK, &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(writer))
        .process_group(0);
    let mut live = tree::live();
    if STOPPING.load(Ordering::SeqCst) {
        return Err(ExecError::Stopping);
    }
    let child = if confine::is_needed(&task.sandbox, task.user) {
        spawn_apart(&mut command, task.user, &task.sandbox)
    } else {
        command.spawn()
    }
    .map_err(ExecError::Start)?;
    let shell = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
    live.insert(shell, mark);
    drop(live);
    if limits.memory_bytes.is_some() {
        // Where that is not ours to say, the kernel chooses as it always does.
        let _ = std::fs::write(format!("/proc/{shell}/oom_score_adj"), FIRST_TO_GO);
    }
    let running = Running {
        shell,
        // Without a thread to look for it, it is waited for, and what it had computed is not known.
        over: over(shell).ok(),
        child: Some(child),
    };
    Ok((running, Pipes::new(text, raw)))
}

/// Tells when a process is over, and leaves it to be looked at and waited for.
fn over(shell: i32) -> io::Result<oneshot::Receiver<()>> {
    let (tell, over) = oneshot::channel();
    let pid = Pid::from_raw(shell).ok_or(io::ErrorKind::NotFound)?;
    std::thread::Builder::new().spawn(move || {
        let only_look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while rustix::process::waitid(WaitId::Pid(pid), only_look).err() == Some(Errno::INTR) {}
        // Nobody listens when the command was given up, which has ended it.
        let _ = tell.send(());
    })?;
    Ok(over)
}

/// Starts a command with less rights than we have: perhaps as another user, without the groups that we are in; within
/// its sandbox.
fn spawn_apart(command: &mut Command, user: Option<User>, sandbox: &Sandbox) -> io::Result<Child> {
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let runtime = tokio::runtime::Handle::current();
    // What is taken away is a thread's own, goes to what the thread starts, and can not be taken back: so it is new.
    std::thread::scope(|scope| {
        let spawning = std::thread::Builder::new().spawn_scoped(scope, || {
            confine::restrict(sandbox, user)?;
            let _entered = runtime.enter();
            command.spawn()
        })?;
        spawning
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that starts commands panicked")))
    })
}

/// A shell that was started; dropped before it was ended, it is ended by a thread of its own.
struct Running {
    shell: i32,
    over: Option<oneshot::Receiver<()>>,
    child: Option<Child>,
}

impl Running {
    /// Comes back when the shell has ended.
    async fn over(&mut self) -> io::Result<()> {
        match (&mut self.over, &mut self.child) {
            // A thread that ended without a word can only have seen that.
            (Some(over), _) => {
                let _ = over.await;
                Ok(())
            }
            (None, Some(child)) => child.wait().await.map(drop),
            (None, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Ends all that is left of the task; blocks. The shell's status.
    fn end(mut self, grace: Duration) -> Option<ExitStatus> {
        self.child.take().and_then(|child| end(child, self.shell, grace))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let shell = self.shell;
            tree::terminate(shell);
            let ending = std::thread::Builder::new().spawn(move || end(child, shell, GRACE));
            if ending.is_err() {
                // No thread is to be had: at once, then.
                tree::kill(Scope::Task(shell));
                tree::live().remove(&shell);
            }
        }
    }
}

fn end(mut child: Child, shell: i32, grace: Duration) -> Option<ExitStatus> {
    let watch = Stopwatch::start();
    if !grace.is_zero() {
        tree::terminate(shell);
    }
    while watch.elapsed() < grace && tree::group_is_alive(shell) {
        std::thread::sleep(POLL);
    }
    let n_left = tree::kill(Scope::Task(shell));
    if n_left > 0 {
        tracing::warn!(n_left, "could not kill every process of a command");
    }
    let watch = Stopwatch::start();
    let status = loop {
        match child.try_wait() {
            Ok(None) if watch.elapsed() < GRACE => std::thread::sleep(POLL),
            Ok(status) => break status,
            Err(_) => break None,
        }
    };
    tree::live().remove(&shell);
    status
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
