//! An environment on its way to another job: packed as it was made, looked at before it is unpacked where it was (edge).
//!
//! It is known by everything that it was made of, and where: its scripts name their interpreter by its path. Packing and
//! unpacking is done by `tar` as the user of commands, within what these may touch.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::plan::{Plan, Step, quoted_path};
use super::prepare::{Around, is_there, run};
use super::tarball::{Rules, TarError, copy_checked};
use crate::base::Digest;
use crate::sys::{self, FileError};

/// Raised when an environment would be packed otherwise.
const FORMAT: &str = "mlops-environment-1";
/// Larger ones come from the index faster, and would push everything else out of the cache.
const MAX_BYTES: u64 = 2 << 30;
const MAX_PACKED: usize = 512 << 20;
const MAX_ENTRIES: usize = 200_000;
/// What comes from the index in less time than it takes to come from the cache stays here. Measured: uv has 366 MB of wheels
/// in 1.6 s from a near index; to unpack the same takes 4 s, and 150 MB have to come before.
const FETCHED_MB_PER_S: f64 = 50.0;
const FETCHED_AFTER: Duration = Duration::from_secs(1);
/// For `tar`; that is 30 MB/s at least.
const WITHIN: Duration = Duration::from_mins(1);
/// What a disk can take is not to be saved.
const LEVEL: Compression = Compression::new(1);

/// Why an environment stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum TravelError {
    #[error("it has {} MB, and at most {} MB are kept", .bytes >> 20, .limit >> 20)]
    TooLarge { bytes: u64, limit: u64 },
    #[error(transparent)]
    Tar(#[from] TarError),
    #[error("`tar` {why}")]
    Failed { why: String },
    #[error("it is not whole")]
    Unfinished,
    #[error("it can not be read or written")]
    File(#[from] FileError),
}

/// What it is kept under; none for one that is made anew each time, is somebody's own, or may be another one tomorrow.
pub fn key(plan: &Plan) -> Option<String> {
    let travels = plan.is_reusable && plan.is_locked && !plan.is_active;
    // What was compiled for one system need not run on another.
    let system = sys::read_text(Path::new("/etc/os-release"), 64 << 10).unwrap_or_default();
    let parts = [
        FORMAT.to_owned(),
        plan.key.hex(),
        plan.venv.display().to_string(),
        plan.at.pythons.display().to_string(),
        release(&system),
    ];
    travels.then(|| {
        let digest = Digest::of_parts(parts.iter().map(String::as_bytes));
        format!("mlops-environment-{}", digest.hex())
    })
}

/// Which system it is, without its patches.
fn release(text: &str) -> String {
    let named = |line: &&str| line.starts_with("ID=") || line.starts_with("VERSION_ID=");
    text.lines().filter(named).collect::<Vec<_>>().join(" ")
}

/// Whether an environment of this size that took so long to make will be there sooner when it is fetched.
fn is_worth(took: Duration, bytes: u64) -> bool {
    let fetching = Duration::from_secs_f64((bytes >> 20) as f64 / FETCHED_MB_PER_S);
    took > FETCHED_AFTER + fetching
}

/// The environment as it is now, for [`unpack`]; none if that is no faster than to make it again, which took so long.
pub async fn pack(plan: &Plan, around: &Around<'_>, took: Duration) -> Result<Option<Vec<u8>>, TravelError> {
    if took <= FETCHED_AFTER {
        return Ok(None);
    }
    let (rules, archive) = (rules(plan), archive(plan));
    let roots: Vec<String> = rules.roots.iter().map(|root| quoted_path(root)).collect();
    let (base, at, roots) = (quoted_path(&rules.base), quoted_path(&archive), roots.join(" "));
    let kibibytes = told(&format!("cd {base} && du -skc -- {roots} | tail -n 1"), around).await?;
    let kibibytes: u64 = kibibytes
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    if !is_worth(took, kibibytes << 10) {
        return Ok(None);
    }
    if kibibytes << 10 > MAX_BYTES {
        return Err(TravelError::TooLarge {
            bytes: kibibytes << 10,
            limit: MAX_BYTES,
        });
    }
    let packing =
        format!("cd {base} && rm -f -- {at} && tar --create --format=gnu --hard-dereference --file {at} -- {roots}");
    let packed = match told(&packing, around).await {
        Ok(_) => packed(archive.clone(), rules).await,
        Err(error) => Err(error),
    };
    forget(&archive, around).await;
    packed.map(Some)
}

async fn packed(archive: PathBuf, rules: Rules) -> Result<Vec<u8>, TravelError> {
    let work = move || {
        let mut file = io::BufReader::with_capacity(1 << 20, sys::open(&archive)?);
        let packer = GzEncoder::new(Capped(Vec::new()), LEVEL);
        let mut packer = io::BufWriter::with_capacity(1 << 18, packer);
        copy_checked(&mut file, &mut packer, &rules).map_err(too_large)?;
        let packer = packer
            .into_inner()
            .map_err(|error| too_large(error.into_error().into()))?;
        let packed = packer.finish().map_err(|error| too_large(error.into()))?;
        Ok(packed.0)
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(TravelError::Failed { why: error.to_string() }))
}

/// Bytes in memory, up to a limit.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_PACKED {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_large(error: TarError) -> TravelError {
    match error {
        TarError::Io(error) if error.kind() == io::ErrorKind::StorageFull => TravelError::TooLarge {
            bytes: MAX_PACKED as u64,
            limit: MAX_PACKED as u64,
        },
        error => error.into(),
    }
}

/// Puts an environment that [`pack`] packed where the plan wants it, whoever may have changed it meanwhile.
///
/// # Errors
/// Whatever in it is not of the plan's own environment; then nothing of it is left.
pub async fn unpack(plan: &Plan, around: &Around<'_>, packed: Vec<u8>) -> Result<(), TravelError> {
    let (rules, archive) = (rules(plan), archive(plan));
    let (base, at) = (quoted_path(&rules.base), quoted_path(&archive));
    let cleared = quoted_path(&plan.venv);
    let unpacking =
        format!("cd {base} && rm -rf -- {cleared} && tar --extract --no-same-owner --no-same-permissions --file {at}");
    let done = match checked(packed, archive.clone(), rules).await {
        Ok(()) => told(&unpacking, around).await.map(drop),
        Err(error) => Err(error),
    };
    forget(&archive, around).await;
    match done {
        Ok(()) if is_there(plan) => Ok(()),
        done => {
            told(&format!("rm -rf -- {cleared}"), around).await.ok();
            Err(done.err().unwrap_or(TravelError::Unfinished))
        }
    }
}

/// The archive, taken out of its packing for `tar` to read.
async fn checked(packed: Vec<u8>, archive: PathBuf, rules: Rules) -> Result<(), TravelError> {
    let work = move || {
        // It is read once and removed: nothing has to survive a power cut.
        let mut to = io::BufWriter::with_capacity(1 << 20, sys::create_anew(&archive)?);
        let mut from = io::BufReader::with_capacity(1 << 18, GzDecoder::new(packed.as_slice()));
        copy_checked(&mut from, &mut to, &rules)?;
        to.flush().map_err(TarError::Io)?;
        Ok(())
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(TravelError::Failed { why: error.to_string() }))
}

fn rules(plan: &Plan) -> Rules {
    let base = plan.at.venvs.parent().unwrap_or(&plan.at.venvs).to_owned();
    let below = |path: &Path| path.strip_prefix(&base).unwrap_or(path).to_owned();
    let venv = below(&plan.venv);
    let programs = vec![venv.join("bin")];
    let pythons = plan.has_own_python.then(|| below(&plan.at.pythons));
    Rules {
        roots: [venv].into_iter().chain(pythons).collect(),
        base,
        programs,
        max_bytes: MAX_BYTES,
        max_entries: MAX_ENTRIES,
    }
}

fn archive(plan: &Plan) -> PathBuf {
    plan.at.lists.join(format!("{}.tar", plan.key.short()))
}

async fn forget(archive: &Path, around: &Around<'_>) {
    told(&format!("rm -f -- {}", quoted_path(archive)), around).await.ok();
}

/// The last line that a command printed.
async fn told(command: &str, around: &Around<'_>) -> Result<String, TravelError> {
    let step = Step {
        doing: "moving the environment",
        shown: String::new(),
        command: command.to_owned(),
        // Words of any language are numbers and paths here.
        env: BTreeMap::from([("LC_ALL".to_owned(), "C".to_owned())]),
        uses_network: false,
    };
    let ran = run(&step, around, WITHIN, &mut |_| {}).await;
    let (exit, mut lines) = ran.map_err(|error| TravelError::Failed { why: error.to_string() })?;
    let last = lines.pop().unwrap_or_default();
    match exit.code {
        Some(0) => Ok(last),
        _ if exit.timed_out => Err(TravelError::Failed {
            why: format!("took longer than {} s", WITHIN.as_secs()),
        }),
        _ => Err(TravelError::Failed {
            why: format!("failed: {last}"),
        }),
    }
}

#[cfg(test)]
#[path = "travel_tests.rs"]
mod tests;
