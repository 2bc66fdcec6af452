//! Writing files so that a reader, or the next run after a crash, sees the whole content or nothing.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the door that everybody else goes through"
)]

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::{FileError, FileKind, is_root, list};

/// Files being written begin with this; whoever lists a directory leaves them out.
const TEMP_PREFIX: &str = ".mlops-tmp-";

/// Whether a file of this name is one being written, or one whose writer died.
pub fn is_temp(name: &str) -> bool {
    name.starts_with(TEMP_PREFIX)
}

/// Replaces `path`, or makes it: readers see the old content or the new one, and the new one survives a power cut.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put(path, bytes, |temp| temp.persist(path).map(drop))
}

/// Makes `path` with its whole content, or fails with [`FileError::is_exists`] and leaves what was there.
pub fn create_exclusive(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    put(path, bytes, |temp| temp.persist_noclobber(path).map(drop))
}

/// A file that comes in pieces. Nobody sees it under its name before it is whole; without [`Incoming::keep`] it is gone.
#[derive(Debug)]
pub struct Incoming {
    temp: NamedTempFile,
    path: PathBuf,
}

impl Incoming {
    pub fn new(path: &Path) -> Result<Self, FileError> {
        let temp = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(parent_of(path))
            .map_err(|source| FileError::io("write", path, source))?;
        // So that whoever cleans up leaves it alone.
        let _ = temp.as_file().try_lock();
        Ok(Self {
            temp,
            path: path.to_owned(),
        })
    }

    pub fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.temp.write_all(bytes)
    }

    /// Forgets what came so far.
    pub fn restart(&mut self) -> io::Result<()> {
        self.temp.as_file().set_len(0)?;
        self.temp.rewind()
    }

    /// Gives it its name, in place of what had it.
    pub fn keep(self) -> Result<(), FileError> {
        let fail = |source| FileError::io("write", &self.path, source);
        self.temp.as_file().sync_all().map_err(fail)?;
        self.temp.persist(&self.path).map_err(|error| fail(error.error))?;
        sync_dir(parent_of(&self.path))
    }
}

/// Copies an ordinary file of at most `limit_bytes` in pieces; the copy is there as a whole or not at all.
pub fn copy(from: &Path, to: &Path, limit_bytes: u64) -> Result<(), FileError> {
    let mut source = super::open(from)?;
    let mut incoming = Incoming::new(to)?;
    let (mut piece, mut left) = (vec![0; 256 * 1024], limit_bytes);
    loop {
        match source.read(&mut piece) {
            Ok(0) => return incoming.keep(),
            Ok(n) if n as u64 > left => {
                return Err(FileError::TooLarge {
                    path: from.to_owned(),
                    limit_bytes,
                });
            }
            Ok(n) => {
                left -= n as u64;
                incoming
                    .add(&piece[..n])
                    .map_err(|error| FileError::io("write", to, error))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(FileError::io("read", from, error)),
        }
    }
}

/// Makes a directory and those above it; fine if it is there. What was made survives a power cut.
pub fn create_dir(dir: &Path) -> Result<(), FileError> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_dir(parent)?;
    }
    match std::fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made.map_err(|source| FileError::io("create", dir, source))?,
    }
    step();
    sync_dir(parent_of(dir))
}

/// Makes `bytes` the whole content of `path`, which somebody else may have tampered with and a third one will read.
///
/// An ordinary file keeps its owner. Anything else with that name (a link that leads elsewhere, a second name of another
/// file, a pipe) is removed and made anew, as the directory's owner's: it is neither followed nor left for the reader.
pub fn overwrite(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let fail = |source| FileError::io("write", path, source);
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let own = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(opened) => Some(File::from(opened))
            .filter(|file| file.metadata().is_ok_and(|found| found.is_file() && found.nlink() == 1)),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::ACCESS) => None,
        Err(errno) => return Err(fail(errno.into())),
    };
    let mut file = if let Some(file) = own {
        file.set_len(0).map_err(fail)?;
        file
    } else {
        remove(path)?;
        let anew = rustix::fs::open(path, flags | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(0o644));
        let anew = File::from(anew.map_err(|errno| fail(errno.into()))?);
        if is_root() {
            let theirs = parent_of(path).metadata().map_err(fail)?;
            std::os::unix::fs::fchown(&anew, Some(theirs.uid()), Some(theirs.gid())).map_err(fail)?;
        }
        anew
    };
    file.write_all(bytes).map_err(fail)
}

/// Makes an empty file that grows. What had its name is removed, and neither followed nor added to.
pub fn create_anew(path: &Path) -> Result<File, FileError> {
    remove(path)?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::from_raw_mode(0o666))
        .map_err(|errno| FileError::io("create", path, errno.into()))?;
    sync_dir(parent_of(path))?;
    Ok(File::from(opened))
}

/// Removes a directory and everything in it; symbolic links are removed, not followed.
pub fn remove_dir(dir: &Path) -> Result<(), FileError> {
    std::fs::remove_dir_all(dir).map_err(|source| FileError::io("remove", dir, source))
}

/// Removes what writers that are gone left behind. Those at work hold a lock on their file, so theirs stay.
pub fn remove_stale_temps(dir: &Path) -> Result<(), FileError> {
    for entry in list(dir)? {
        let is_temp = entry.name.to_str().is_some_and(is_temp);
        if !is_temp || entry.kind != FileKind::File {
            continue;
        }
        let path = dir.join(&entry.name);
        match File::open(&path) {
            Ok(file) => match file.try_lock() {
                Ok(()) => remove(&path)?,
                // In use, or on a file system without locks, where nobody can tell.
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(FileError::io("open", &path, source)),
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub fn sync_dir(dir: &Path) -> Result<(), FileError> {
    match File::open(dir).and_then(|opened| opened.sync_all()) {
        // Some network file systems do not know how, and then there is nothing that could be done.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(|source| FileError::io("sync", dir, source)),
    }
}

fn put(
    path: &Path,
    bytes: &[u8],
    persist: impl Fn(NamedTempFile) -> Result<(), tempfile::PersistError>,
) -> Result<(), FileError> {
    let fail = |source| FileError::io("write", path, source);
    let dir = parent_of(path);
    // Between the making of a temporary file and its lock, a cleaner may take it for an orphan and remove it.
    for attempt in 0..3 {
        let temp = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(dir)
            .map_err(fail)?;
        step();
        // Without the lock nothing is wrong but that a cleaner could remove the file, which is noticed below.
        let _ = temp.as_file().try_lock();
        step();
        let half = bytes.len() / 2;
        temp.as_file().write_all(&bytes[..half]).map_err(fail)?;
        step();
        temp.as_file().write_all(&bytes[half..]).map_err(fail)?;
        step();
        temp.as_file().sync_all().map_err(fail)?;
        step();
        match persist(temp) {
            Ok(()) => {
                step();
                return sync_dir(dir);
            }
            Err(error) if error.error.kind() == io::ErrorKind::NotFound && attempt < 2 => {}
            Err(error) => return Err(fail(error.error)),
        }
    }
    Err(fail(io::Error::from(io::ErrorKind::NotFound)))
}

fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| FileError::io("remove", path, source)),
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Stands between any two changes to the disk, so that a test can end the process there.
#[cfg(not(test))]
fn step() {}

#[cfg(test)]
static STEPS_LEFT: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(i64::MAX);

/// Lets this process be killed, as by `kill -9`, at the `n`-th step from now on.
#[cfg(test)]
pub fn die_after(n: i64) {
    STEPS_LEFT.store(n, std::sync::atomic::Ordering::SeqCst);
}

#[cfg(test)]
fn step() {
    if STEPS_LEFT.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) == 1 {
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        list(dir)
            .unwrap()
            .into_iter()
            .map(|l| l.name.into_string().unwrap())
            .collect()
    }

    #[test]
    fn replaces_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o600,
            0o600,
            "its owner can read and write it"
        );
    }

    #[test]
    fn exclusive_keeps_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        create_exclusive(&path, b"one").unwrap();
        assert!(create_exclusive(&path, b"two").unwrap_err().is_exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn what_comes_in_pieces_is_seen_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "old").unwrap();
        let mut incoming = Incoming::new(&path).unwrap();
        incoming.add(b"wrong and longer").unwrap();
        incoming.restart().unwrap();
        incoming.add(b"ri").unwrap();
        incoming.add(b"ght").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        incoming.keep().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"right");
        Incoming::new(&path).unwrap().add(b"lost").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"right");
        assert_eq!(names(dir.path()), ["a"]);
        assert!(Incoming::new(&dir.path().join("b/c")).is_err());
    }

    #[test]
    fn one_of_many_exclusive_writers_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let won: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|i: u8| {
                    let path = path.clone();
                    scope.spawn(move || create_exclusive(&path, &[i; 4096]).is_ok())
                })
                .collect();
            writers.into_iter().map(|w| usize::from(w.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
        let content = std::fs::read(&path).unwrap();
        assert_eq!(content, [content[0]; 4096]);
    }

    #[test]
    fn stale_temps_go_and_those_at_work_stay() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(".mlops-tmp-dead"), "half").unwrap();
        std::fs::write(dir.path().join("mine"), "whole").unwrap();
        let at_work = File::create(dir.path().join(".mlops-tmp-live")).unwrap();
        at_work.lock().unwrap();
        remove_stale_temps(dir.path()).unwrap();
        assert_eq!(names(dir.path()), [".mlops-tmp-live", "mine"]);
    }

    #[test]
    fn a_growing_file_begins_empty_and_takes_no_others_place() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("log"), dir.path().join("other"));
        std::fs::write(&other, "theirs").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        for text in ["one", "two"] {
            let mut file = create_anew(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.write_all(b"!").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{text}!"));
        }
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert!(create_anew(&dir.path().join("none/log")).unwrap_err().is_not_found());
    }

    #[test]
    fn directories_are_made_with_their_parents() {
        let dir = tempfile::tempdir().unwrap();
        create_dir(&dir.path().join("a/b/c")).unwrap();
        create_dir(&dir.path().join("a/b/c")).unwrap();
        assert!(dir.path().join("a/b/c").is_dir());
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(create_dir(&dir.path().join("file")).is_err());
    }
}
