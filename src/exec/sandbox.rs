//! What a command of the repository may touch and take, and how that ended. Pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What programs need of a system in order to run at all; paths that are not there do no harm.
///
/// All of `/proc`, since a rule for `/proc/self` would cover one process alone: what other processes keep there is
/// closed by their user and by [`shield`](super::shield).
const READ: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/opt",
    "/proc",
    "/sys",
    // Where `/etc/resolv.conf` leads.
    "/run/systemd/resolve",
];

const WRITE: &[&str] = &[
    "/tmp",
    "/var/tmp",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/shm",
    "/dev/ptmx",
    "/dev/pts",
];

const MIB: u64 = 1 << 20;

/// What a command may touch and take; by default all that its user may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// None is every file that its user may read and write.
    pub files: Option<Files>,
    pub network: Network,
    pub limits: Limits,
}

/// The only files and directories, with all below them, that a command can open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub read: Vec<PathBuf>,
    /// Can be read too.
    pub write: Vec<PathBuf>,
}

/// Whom a command can talk to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Network {
    #[default]
    Open,
    /// TCP to port 443, and names asked for by TCP or UDP: enough for package indexes. Of UDP everything stays open.
    Https,
    /// Not even itself: only sockets within the machine that have a path, and pairs.
    None,
}

/// How much a command may take, together with all that it starts. None is as much as there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// What its processes hold together, files that they only map left out.
    pub memory_bytes: Option<u64>,
    /// Processes and their threads, which then run with a lower priority than this program.
    pub n_processes: Option<u64>,
    /// The size of any one file. A program that ignores the signal, as Python does, gets an error instead.
    pub file_bytes: Option<u64>,
    /// Of one process.
    pub n_open_files: Option<u64>,
    /// What it may print.
    pub output_bytes: Option<u64>,
    /// The time that its processes compute, together.
    pub cpu: Option<Duration>,
}

impl Sandbox {
    /// All that its user may do: what a laptop's owner expects of their own commands.
    pub fn open() -> Self {
        Self::default()
    }

    /// For commands that nobody has read, on a runner: they write below `root`, the directories of `write` and those for
    /// temporary files, and read these, what the system's programs consist of, and `read`.
    ///
    /// The network is open and nothing is limited until the fields say otherwise.
    pub fn confined(root: &Path, write: &[PathBuf], read: &[PathBuf]) -> Self {
        let with = |system: &[&str], own: &[PathBuf]| {
            let mut paths: Vec<PathBuf> = system.iter().map(PathBuf::from).collect();
            paths.extend_from_slice(own);
            paths
        };
        let mut write = with(WRITE, write);
        write.push(root.to_owned());
        Self {
            files: Some(Files {
                read: with(READ, read),
                write,
            }),
            ..Self::default()
        }
    }
}

impl Limits {
    /// What ordinary training stays below, on a machine with so many cores and so much memory to give away.
    ///
    /// The rest of the memory is for this program and the system, which would end whatever it likes when all is taken.
    pub fn recommended(n_cores: usize, available_bytes: Option<u64>) -> Self {
        Self {
            memory_bytes: available_bytes.map(|bytes| bytes / 20 * 17),
            // Numeric libraries start a thread a core, and so may each of as many workers.
            n_processes: Some((256 + 64 * n_cores as u64).min(8192)),
            file_bytes: Some(64 * 1024 * MIB),
            n_open_files: Some(16 * 1024),
            output_bytes: Some(256 * MIB),
            cpu: None,
        }
    }
}

/// How a command came to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with an exit code or by a signal that was not ours.
    #[default]
    Itself,
    TimedOut {
        after: Duration,
    },
    OverMemory {
        peak_bytes: u64,
        limit_bytes: u64,
    },
    TooManyProcesses {
        n: u64,
        limit: u64,
    },
    TooMuchOutput {
        limit_bytes: u64,
    },
    /// The system ended it when it wanted to write on.
    FileTooLarge {
        limit_bytes: u64,
    },
    OverCpu {
        limit: Duration,
    },
}

impl Ended {
    /// A sentence about what it did too much of, for whoever wrote the command; none when it ended by itself.
    pub fn sentence(&self) -> Option<String> {
        Some(match self {
            Self::Itself => return None,
            Self::TimedOut { after } => format!("it was stopped after {}", shown_seconds(*after)),
            Self::OverMemory {
                peak_bytes,
                limit_bytes,
            } => format!(
                "it was stopped: its processes held {} of memory, and {} is the limit",
                shown_bytes(*peak_bytes),
                shown_bytes(*limit_bytes)
            ),
            Self::TooManyProcesses { n, limit } => {
                format!("it was stopped: it had {n} processes and threads, and {limit} is the limit")
            }
            Self::TooMuchOutput { limit_bytes } => {
                format!("it was stopped: it printed more than {}", shown_bytes(*limit_bytes))
            }
            Self::FileTooLarge { limit_bytes } => {
                format!(
                    "it was ended: it wrote a file of more than {}",
                    shown_bytes(*limit_bytes)
                )
            }
            Self::OverCpu { limit } => format!(
                "it was stopped: its processes computed for more than {}",
                shown_seconds(*limit)
            ),
        })
    }
}

fn shown_bytes(bytes: u64) -> String {
    match bytes / MIB {
        0 => format!("{bytes} bytes"),
        mib @ 1..1024 => format!("{mib} MiB"),
        _ => format!("{:.1} GiB", bytes as f64 / (1024 * MIB) as f64),
    }
}

fn shown_seconds(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// How much of what was asked for files and ports the kernel's Landlock can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landlock {
    Full,
    Partial,
    None,
}

/// What this machine makes of a [`Sandbox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enforced {
    pub landlock: Landlock,
    /// Whether system calls can be refused.
    pub seccomp: bool,
    /// Whether commands run as somebody else than this program.
    pub user: bool,
    /// Landlock's version in this kernel, 0 without it.
    pub version: u32,
    pub asked: Asked,
}

/// What of a sandbox the machine has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub files: bool,
    pub network: Network,
}

impl Asked {
    pub fn of(sandbox: &Sandbox) -> Self {
        Self {
            files: sandbox.files.is_some(),
            network: sandbox.network,
        }
    }

    /// How much of it a version of Landlock can hold.
    pub fn held_by(self, version: u32) -> Landlock {
        let files = self.files.then_some(version >= 3);
        let ports = (self.network == Network::Https).then_some(version >= 4);
        match (files.unwrap_or(true) && ports.unwrap_or(true), version) {
            (true, _) => Landlock::Full,
            (false, 0) => Landlock::None,
            (false, _) if !self.files => Landlock::None,
            (false, _) => Landlock::Partial,
        }
    }
}

impl Enforced {
    /// What commands can do although they should not, and what would change that; each a sentence. Empty when all holds.
    pub fn shortcomings(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut add = |holds: bool, text: &str| {
            if !holds {
                found.push(text.to_owned());
            }
        };
        if self.asked.files {
            match self.version {
                0 => add(
                    false,
                    "commands can read and write every file that their user can, also those by which the runner takes \
                     outputs: the kernel has no Landlock (Linux 5.13, and `landlock` among its security modules)",
                ),
                1 | 2 => add(
                    false,
                    "commands can empty files of their user outside of the workspace: that takes Linux 6.2",
                ),
                _ => {}
            }
            add(
                self.user,
                "commands run as the user who runs this program, and so within reach of Docker if that user is",
            );
            add(
                self.user || self.version >= 6,
                "commands can end other processes of their user: to prevent that takes Linux 6.12",
            );
        }
        match self.asked.network {
            Network::Open => {}
            Network::Https => add(
                self.version >= 4,
                "commands can reach every port: to hold them to 443 takes Linux 6.7 with Landlock",
            ),
            Network::None => add(
                self.seccomp,
                "commands can use the network: system calls can not be refused here (seccomp)",
            ),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confined_command_has_its_workspace_and_the_system() {
        let sandbox = Sandbox::confined(Path::new("/w"), &["/t/mlops".into()], &["/venv".into()]);
        let files = sandbox.files.unwrap();
        let has = |paths: &[PathBuf], path: &str| paths.iter().any(|one| one == Path::new(path));
        for path in ["/w", "/t/mlops", "/tmp", "/dev/null"] {
            assert!(has(&files.write, path), "{path}");
        }
        for path in ["/usr", "/proc", "/venv"] {
            assert!(has(&files.read, path) && !has(&files.write, path), "{path}");
        }
        for path in ["/", "/home", "/root", "/run", "/var", "/var/run", "/dev", "/github"] {
            assert!(!has(&files.read, path) && !has(&files.write, path), "{path}");
        }
        assert_eq!(Sandbox::open(), Sandbox::default());
    }

    #[test]
    fn every_end_but_its_own_is_explained() {
        let ends = [
            Ended::Itself,
            Ended::TimedOut {
                after: Duration::from_mins(10),
            },
            Ended::OverMemory {
                peak_bytes: 2_254_857_830,
                limit_bytes: 300 * MIB,
            },
            Ended::TooManyProcesses { n: 65, limit: 64 },
            Ended::TooMuchOutput { limit_bytes: 1000 },
            Ended::FileTooLarge { limit_bytes: MIB },
            Ended::OverCpu {
                limit: Duration::from_millis(500),
            },
        ];
        let said: Vec<String> = ends.iter().filter_map(Ended::sentence).collect();
        insta::assert_snapshot!(said.join("\n"), @"
        it was stopped after 10 min
        it was stopped: its processes held 2.1 GiB of memory, and 300 MiB is the limit
        it was stopped: it had 65 processes and threads, and 64 is the limit
        it was stopped: it printed more than 1000 bytes
        it was ended: it wrote a file of more than 1 MiB
        it was stopped: its processes computed for more than 500 ms
        ");
    }

    #[test]
    fn what_a_machine_can_not_hold_is_said() {
        let enforced = |version, seccomp, user, files, network| {
            let asked = Asked { files, network };
            Enforced {
                landlock: asked.held_by(version),
                seccomp,
                user,
                version,
                asked,
            }
        };
        let nothing = enforced(0, false, false, false, Network::Open);
        assert_eq!((nothing.landlock, nothing.shortcomings().len()), (Landlock::Full, 0));
        for (version, seccomp, user, files, network, landlock, n) in [
            (7, true, true, true, Network::None, Landlock::Full, 0),
            (4, true, true, true, Network::Https, Landlock::Full, 0),
            (3, true, true, true, Network::Https, Landlock::Partial, 1),
            (3, true, true, false, Network::Https, Landlock::None, 1),
            (2, true, true, true, Network::Open, Landlock::Partial, 1),
            (0, true, true, true, Network::Open, Landlock::None, 1),
            (7, false, true, true, Network::None, Landlock::Full, 1),
            (7, true, false, true, Network::None, Landlock::Full, 1),
            (0, false, false, true, Network::None, Landlock::None, 4),
        ] {
            let enforced = enforced(version, seccomp, user, files, network);
            assert_eq!(
                (enforced.landlock, enforced.shortcomings().len()),
                (landlock, n),
                "{enforced:?}"
            );
        }
    }

    #[test]
    fn some_memory_is_left_for_us() {
        assert_eq!(Limits::recommended(4, None).memory_bytes, None);
        let limits = Limits::recommended(4, Some(2000 * MIB));
        assert_eq!((limits.memory_bytes, limits.n_processes), (Some(1700 * MIB), Some(512)));
    }
}
