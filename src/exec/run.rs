//! Runs one command to its end, whatever it does.
#![expect(clippy::disallowed_methods, reason = "processes are started here and nowhere else")]

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::text::Lines;
use super::tree::{self, MARK, Scope};
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
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    pub code: Option<i32>,
    /// The signal that ended the shell.
    pub signal: Option<i32>,
    pub timed_out: bool,
    pub elapsed: Duration,
}

/// Why a command could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("the directory `{}` is not there", path.display())]
    Directory { path: PathBuf },
    #[error("the command could not be started")]
    Start(#[source] io::Error),
    #[error("the end of the command could not be waited for")]
    Wait(#[source] io::Error),
    #[error("the program is stopping")]
    Stopping,
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
/// that came from it. A command that can not be found is no error: the shell says so and exits with 127.
pub async fn run(task: &Task, on_output: &mut (dyn FnMut(&str) + Send)) -> Result<Exit, ExecError> {
    run_within(task, GRACE, on_output).await
}

async fn run_within(task: &Task, grace: Duration, on_output: &mut (dyn FnMut(&str) + Send)) -> Result<Exit, ExecError> {
    let watch = Stopwatch::start();
    let (mut running, mut output) = start(task)?;
    let mut lines = Lines::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut is_open = true;
    let mut deadline = pin!(tokio::time::sleep(task.timeout));
    let mut rounds = tokio::time::interval_at(tokio::time::Instant::now() + REAP_EVERY, REAP_EVERY);
    let status = loop {
        tokio::select! {
            biased;
            () = &mut deadline => break None,
            _ = rounds.tick() => tree::reap(),
            status = running.wait() => break Some(status.map_err(ExecError::Wait)?),
            n_read = output.read(&mut buffer), if is_open => is_open = take(&n_read, &buffer, &mut lines, on_output),
        }
    };
    if status.is_some() && is_open {
        let mut moment = pin!(tokio::time::sleep(PIPE_GRACE));
        while is_open {
            tokio::select! {
                biased;
                () = &mut moment => break,
                n_read = output.read(&mut buffer) => is_open = take(&n_read, &buffer, &mut lines, on_output),
            }
        }
    }
    let grace = if status.is_some() { Duration::ZERO } else { grace };
    let mut ending = tokio::task::spawn_blocking(move || running.end(grace));
    let late_status = loop {
        tokio::select! {
            biased;
            ended = &mut ending => break ended.map_err(|error| ExecError::Wait(error.into()))?,
            n_read = output.read(&mut buffer), if is_open => is_open = take(&n_read, &buffer, &mut lines, on_output),
        }
    };
    let mut n_drained = 0;
    while is_open && n_drained < MAX_DRAIN {
        let n_read = output.try_read(&mut buffer);
        n_drained += n_read.as_ref().map_or(0, |n| *n);
        is_open = take(&n_read, &buffer, &mut lines, on_output);
    }
    lines.finish(on_output);
    let ended = status.or(late_status);
    Ok(Exit {
        code: ended.and_then(|status| status.code()),
        signal: ended.and_then(|status| status.signal()),
        timed_out: status.is_none(),
        elapsed: watch.elapsed(),
    })
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

/// Whether there is more to come.
fn take(
    n_read: &io::Result<usize>,
    buffer: &[u8],
    lines: &mut Lines,
    on_output: &mut (dyn FnMut(&str) + Send),
) -> bool {
    match n_read {
        Ok(n) if *n > 0 => {
            lines.push(&buffer[..*n], on_output);
            true
        }
        Ok(_) | Err(_) => false,
    }
}

fn start(task: &Task) -> Result<(Running, pipe::Receiver), ExecError> {
    if !task.cwd.is_dir() {
        return Err(ExecError::Directory { path: task.cwd.clone() });
    }
    // One pipe for both streams keeps their order.
    let (reader, writer) = io::pipe().map_err(ExecError::Start)?;
    let output = pipe::Receiver::from_owned_fd(reader.into()).map_err(ExecError::Start)?;
    let mark = format!(
        "{}-{}",
        rustix::process::getpid().as_raw_nonzero(),
        N_STARTED.fetch_add(1, Ordering::Relaxed)
    );
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(&task.command)
        .current_dir(&task.cwd)
        .env_clear()
        .envs(&task.env)
        .env(MARK, &mark)
        .stdin(Stdio::null())
        .stdout(Stdio::from(writer.try_clone().map_err(ExecError::Start)?))
        .stderr(Stdio::from(writer))
        .process_group(0);
    let mut live = tree::live();
    if STOPPING.load(Ordering::SeqCst) {
        return Err(ExecError::Stopping);
    }
    let child = match task.user {
        Some(user) => spawn_as(&mut command, user),
        None => command.spawn(),
    }
    .map_err(ExecError::Start)?;
    let shell = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
    live.insert(shell, mark);
    Ok((
        Running {
            shell,
            child: Some(child),
        },
        output,
    ))
}

/// Starts a command as another user, without the groups that we are in, and so that no `sudo` or `su` helps it.
fn spawn_as(command: &mut Command, user: User) -> io::Result<Child> {
    command.uid(user.uid).gid(user.gid);
    let runtime = tokio::runtime::Handle::current();
    // That mark is a thread's own, goes to what the thread starts, and can not be taken back: so the thread is new.
    std::thread::scope(|scope| {
        let spawning = std::thread::Builder::new().spawn_scoped(scope, || {
            rustix::thread::set_no_new_privs(true)?;
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
    child: Option<Child>,
}

impl Running {
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.child {
            Some(child) => child.wait().await,
            None => Err(io::ErrorKind::NotFound.into()),
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
