//! Takes rights away from what is started: files and ports by Landlock, system calls by seccomp, amounts by limits.
//!
//! Landlock and seccomp belong to a thread and to all that it starts, and can not be taken back. So commands are started
//! by a thread that is made for them, and no `unsafe` is needed between `fork` and `exec`. Limits belong to a process: a
//! shell sets them for itself, then becomes the shell that runs the command.

use std::collections::BTreeMap;
use std::io;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, LandlockStatus, NetPort, RestrictionStatus,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use rustix::process::Resource;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::sandbox::{Asked, Enforced, Files, Limits, Network, Sandbox};
use super::user::User;

/// The newest that is used; what a kernel does not know of it is left out. Version 9 closes sockets with a path, such as
/// Docker's.
const NEWEST: ABI = ABI::V9;
/// The same calls have a second number there, which many kernels still take.
const X32: i64 = 0x4000_0000;
/// An application may hold so much more than it uses.
const SPARE_DATA_BYTES: u64 = 1 << 30;
/// What the workspace's owner may run elsewhere: the runner itself is theirs, outside of our container.
const SPARE_PROCESSES: u64 = 128;
/// Among hundreds that compute, this program still gets to end them.
const NICE: i32 = 10;

/// What became of [`restrict`].
#[derive(Debug, Clone, Copy)]
pub struct Restricted {
    /// Landlock's version, 0 without it.
    version: u32,
    seccomp: bool,
}

/// Whether there is anything to take away from the thread that starts a command.
pub fn is_needed(sandbox: &Sandbox, user: Option<User>) -> bool {
    user.is_some() || has_rules(sandbox) || sandbox.limits.n_processes.is_some()
}

fn has_rules(sandbox: &Sandbox) -> bool {
    sandbox.files.is_some() || sandbox.network != Network::Open
}

/// Takes away from this thread, and from all that it starts, what a sandbox does not allow, for good. The user is who
/// they will be, for whom no `sudo` or `su` works then.
///
/// What the kernel can not hold is left out: [`enforced`] tells about that before anything is run. An error is a kernel
/// that could and did not.
pub fn restrict(sandbox: &Sandbox, user: Option<User>) -> io::Result<Restricted> {
    if user.is_some() || has_rules(sandbox) {
        rustix::thread::set_no_new_privs(true)?;
    }
    if sandbox.limits.n_processes.is_some() {
        rustix::process::nice(NICE)?;
    }
    let version = match landlock(sandbox)
        .map_err(io::Error::other)?
        .map(|status| status.landlock)
    {
        Some(LandlockStatus::Available { effective_abi, .. }) => effective_abi as u32,
        Some(LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) | None => 0,
    };
    let seccomp = match filter(sandbox.network).map_err(io::Error::other)? {
        Some(program) => match seccompiler::apply_filter(&program) {
            Ok(()) => true,
            Err(seccompiler::Error::Seccomp(error)) if is_missing(&error) => false,
            Err(error) => return Err(io::Error::other(error)),
        },
        None => true,
    };
    Ok(Restricted { version, seccomp })
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
    )
}

/// What this machine makes of a sandbox, tried out on a thread that ends then.
pub fn enforced(sandbox: &Sandbox, user: Option<User>) -> io::Result<Enforced> {
    let tried = std::thread::scope(|scope| {
        let trying = std::thread::Builder::new().spawn_scoped(scope, || restrict(sandbox, user))?;
        trying
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that tries the sandbox panicked")))
    })?;
    let asked = Asked::of(sandbox);
    Ok(Enforced {
        landlock: asked.held_by(tried.version),
        seccomp: tried.seccomp,
        user: user.is_some(),
        version: tried.version,
        asked,
    })
}

/// None when nothing of it is asked for.
fn landlock(sandbox: &Sandbox) -> Result<Option<RestrictionStatus>, RulesetError> {
    let asked = Asked::of(sandbox);
    if !asked.files && asked.network != Network::Https {
        return Ok(None);
    }
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    if asked.files {
        rules = rules
            .handle_access(AccessFs::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?;
    }
    if asked.network == Network::Https {
        rules = rules.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut made = rules.create()?;
    if let Some(Files { read, write }) = &sandbox.files {
        made = made
            .add_rules(path_beneath_rules(read, AccessFs::from_read(NEWEST)))?
            .add_rules(path_beneath_rules(write, AccessFs::from_all(NEWEST)))?;
    }
    if asked.network == Network::Https {
        for port in [443, 53] {
            made = made.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
        }
    }
    made.restrict_self().map(Some)
}

/// The system calls that a network is closed by. A process of another architecture is killed: its calls have other numbers.
fn filter(network: Network) -> Result<Option<BpfProgram>, seccompiler::BackendError> {
    let is = |argument, operator, value: i32| {
        SeccompCondition::new(argument, Width::Dword, operator, u64::from(value.unsigned_abs()))
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let families = [libc::AF_INET, libc::AF_INET6];
    match network {
        Network::Open => return Ok(None),
        Network::None => {
            let of_family = families.iter().chain(&[libc::AF_PACKET, libc::AF_VSOCK]);
            let refused = of_family.map(|family| SeccompRule::new(vec![is(0, Is::Eq, *family)?]));
            rules.insert(libc::SYS_socket, refused.collect::<Result<_, _>>()?);
        }
        Network::Https => {
            // Landlock holds TCP alone, so no other stream takes its place, nor data that come before a connection.
            let mut streams = Vec::new();
            for family in families {
                streams.push(SeccompRule::new(vec![
                    is(0, Is::Eq, family)?,
                    is(1, Is::MaskedEq(0xf), libc::SOCK_STREAM)?,
                    is(2, Is::Ne, 0)?,
                    is(2, Is::Ne, libc::IPPROTO_TCP)?,
                ])?);
                for kind in [libc::SOCK_SEQPACKET, libc::SOCK_DCCP, libc::SOCK_RAW] {
                    streams.push(SeccompRule::new(vec![
                        is(0, Is::Eq, family)?,
                        is(1, Is::MaskedEq(0xf), kind)?,
                    ])?);
                }
            }
            for family in [libc::AF_PACKET, libc::AF_VSOCK] {
                streams.push(SeccompRule::new(vec![is(0, Is::Eq, family)?])?);
            }
            rules.insert(libc::SYS_socket, streams);
            for (call, flags) in [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)] {
                let fast = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
                let fast = SeccompCondition::new(flags, Width::Dword, Is::MaskedEq(fast), fast)?;
                rules.insert(call, vec![SeccompRule::new(vec![fast])?]);
            }
        }
    }
    // It makes sockets and sends without any of the calls above.
    rules.insert(libc::SYS_io_uring_setup, Vec::new());
    #[cfg(target_arch = "x86_64")]
    {
        // The arguments of `sendmsg` and `sendmmsg` are where they were; their numbers are of that architecture's own.
        for (call, own) in [
            (libc::SYS_socket, 41),
            (libc::SYS_sendto, 44),
            (libc::SYS_sendmsg, 518),
            (libc::SYS_sendmmsg, 538),
            (libc::SYS_io_uring_setup, 425),
        ] {
            if let Some(same) = rules.get(&call).cloned() {
                rules.insert(X32 | own, same);
            }
        }
    }
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let refuse = SeccompAction::Errno(libc::EACCES.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, architecture)?
        .try_into()
        .map(Some)
}

/// The words by which `/bin/sh` runs a command within limits; `n_running` processes of its
/// user are there already.
///
/// No limit is asked for that is above one of ours, which nobody could set.
pub fn within_limits(command: &str, limits: &Limits, n_running: u64) -> Vec<String> {
    let ours = |resource| rustix::process::getrlimit(resource).maximum;
    shell_words(command, limits, n_running, &ours)
}

fn shell_words(command: &str, limits: &Limits, n_running: u64, ours: &dyn Fn(Resource) -> Option<u64>) -> Vec<String> {
    let at_most = |wanted: u64, resource| ours(resource).map_or(wanted, |ours| wanted.min(ours));
    let mut set = Vec::new();
    // The whole tree is watched; this only keeps one process from taking everything before anybody looks.
    if let Some(bytes) = limits.memory_bytes {
        let bytes = bytes.saturating_mul(4).saturating_add(SPARE_DATA_BYTES);
        set.push(format!("ulimit -d {}", at_most(bytes, Resource::Data) / 1024));
    }
    if let Some(bytes) = limits.file_bytes {
        set.push(format!("ulimit -f {}", at_most(bytes, Resource::Fsize).div_ceil(512)));
    }
    if let Some(n) = limits.n_open_files {
        set.push(format!("ulimit -n {}", at_most(n, Resource::Nofile)));
    }
    if let Some(time) = limits.cpu {
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        set.push(format!("ulimit -t {}", at_most(seconds.max(1), Resource::Cpu)));
    }
    // The kernel counts all of a user's, wherever they run; the exact number is watched.
    if let Some(n) = limits.n_processes {
        let n = n.saturating_add(n_running).saturating_add(SPARE_PROCESSES);
        let n = at_most(n, Resource::Nproc);
        // Shells do not agree on the letter.
        set.push(format!("{{ ulimit -u {n} 2>/dev/null || ulimit -p {n}; }}"));
    }
    if set.is_empty() {
        return vec!["-c".to_owned(), command.to_owned()];
    }
    set.push("exec /bin/sh -c \"$1\"".to_owned());
    vec!["-c".to_owned(), set.join(" && "), "sh".to_owned(), command.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_the_shell_and_never_above_ours() {
        assert_eq!(shell_words("x; y", &Limits::default(), 9, &|_| Some(1)), ["-c", "x; y"]);
        let limits = Limits {
            memory_bytes: Some(1 << 30),
            n_processes: Some(64),
            file_bytes: Some(1000),
            n_open_files: Some(5000),
            output_bytes: Some(1),
            cpu: Some(std::time::Duration::from_millis(1500)),
        };
        let hard = |resource| match resource {
            Resource::Nofile => Some(1024),
            _ => None,
        };
        let words = shell_words("x; y", &limits, 9, &hard);
        insta::assert_snapshot!(words[1].replace(" && ", "\n"), @r#"
        ulimit -d 5242880
        ulimit -f 2
        ulimit -n 1024
        ulimit -t 2
        { ulimit -u 201 2>/dev/null || ulimit -p 201; }
        exec /bin/sh -c "$1"
        "#);
        assert_eq!(
            (words[0].as_str(), &words[2..]),
            ("-c", &["sh".to_owned(), "x; y".to_owned()][..])
        );
    }

    #[test]
    fn every_network_has_its_filter() {
        assert!(filter(Network::Open).unwrap().is_none());
        for network in [Network::Https, Network::None] {
            let length = filter(network).unwrap().unwrap().len();
            assert!((20..300).contains(&length), "{length}");
        }
    }
}
