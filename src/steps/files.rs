//! The files of steps: found, looked at, copied and removed below the repository's root, through no link that leads out.
//!
//! Everything is reached from an open directory, one name after the other, and a link on the way ends it: what a step's
//! command puts there meanwhile can not turn a read or a write elsewhere.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::Digest;
use crate::sys::{self, FileError, Owner};

/// Files being written begin with this, as everywhere.
pub const TEMP_PREFIX: &str = ".mlops-tmp-";
/// More names than this in one directory are not looked at.
pub const MAX_NAMES: usize = 200_000;

static N_TEMPS: AtomicU64 = AtomicU64::new(0);

/// What tells whether a file is still as it was, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub size_bytes: u64,
    pub mtime_ns: i64,
    /// Moves with every change, whatever a program sets as the other.
    pub ctime_ns: i64,
    pub inode: u64,
}

/// An ordinary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// From the root, as its pattern reaches it.
    pub path: String,
    /// Where it really is, from the root, if a link was on the way.
    pub real: Option<String>,
    pub stamp: Stamp,
    pub is_executable: bool,
}

impl Found {
    pub fn real(&self) -> &str {
        self.real.as_deref().unwrap_or(&self.path)
    }
}

/// A repository's root, held open.
#[derive(Debug)]
pub struct Root {
    pub path: PathBuf,
    /// Without links.
    pub real: PathBuf,
    pub open: OwnedFd,
    /// Whom new files are given to; none when they are ours anyway.
    pub owner: Option<Owner>,
}

pub const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Root {
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let fail = |errno: Errno| FileError::io("open", path, errno.into());
        let root = rustix::fs::open(path, DIRECTORY.difference(OFlags::NOFOLLOW), Mode::empty()).map_err(fail)?;
        let owner = sys::owner(path)?;
        Ok(Self {
            real: sys::inside(path, path)?,
            path: path.to_owned(),
            open: root,
            owner: (sys::is_root() && !owner.is_root()).then_some(owner),
        })
    }

    pub fn fail(&self, action: &'static str, path: &str, errno: Errno) -> FileError {
        let path = self.path.join(path);
        match errno {
            Errno::LOOP | Errno::NOTDIR => FileError::NotAFile { path },
            other => FileError::io(action, &path, other.into()),
        }
    }

    pub fn directory(&self, path: &str) -> Result<OwnedFd, Errno> {
        let mut place = rustix::fs::openat(&self.open, ".", DIRECTORY, Mode::empty())?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            place = rustix::fs::openat(&place, name, DIRECTORY, Mode::empty())?;
        }
        Ok(place)
    }

    /// Makes a directory and those above it, as the repository's owner's; no part may be a link.
    pub fn make_directory(&self, path: &str) -> Result<OwnedFd, FileError> {
        let fail = |errno| self.fail("create", path, errno);
        let mut place = rustix::fs::openat(&self.open, ".", DIRECTORY, Mode::empty()).map_err(fail)?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let is_new = match rustix::fs::mkdirat(&place, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(errno) => return Err(fail(errno)),
            };
            place = rustix::fs::openat(&place, name, DIRECTORY, Mode::empty()).map_err(fail)?;
            if is_new {
                self.give_away(&place).map_err(fail)?;
            }
        }
        Ok(place)
    }

    fn give_away(&self, file: &OwnedFd) -> Result<(), Errno> {
        let Some(owner) = self.owner else { return Ok(()) };
        rustix::fs::fchown(file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
    }

    /// Looks at files one after the other; neighbours cost one call each.
    pub fn looks(&self) -> Looks<'_> {
        Looks {
            root: self,
            last: Cell::new(None),
        }
    }

    /// An ordinary file for reading. No part of the way may be a link.
    pub fn file(&self, path: &str) -> Result<File, FileError> {
        let fail = |errno| self.fail("open", path, errno);
        let (above, name) = split(path);
        let place = self.directory(above).map_err(fail)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&place, name, flags, Mode::empty()).map_err(fail)?);
        let found = rustix::fs::fstat(&file).map_err(fail)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(FileError::NotAFile {
                path: self.path.join(path),
            });
        }
        Ok(file)
    }

    pub fn read(&self, path: &str, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
        let names: Vec<&str> = path.split('/').collect();
        sys::read_beneath(&self.path, &names, limit_bytes)
    }

    /// The digest of a file's content, and what it was like when it was opened.
    pub fn digest(&self, path: &str) -> Result<(Digest, Stamp), FileError> {
        let mut file = self.file(path)?;
        let found = rustix::fs::fstat(&file).map_err(|errno| self.fail("look at", path, errno))?;
        let mut hasher = Sha256::new();
        self.pieces(&mut file, path, |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        Ok((Digest::from_bytes(hasher.finalize().into()), stamp(&found)))
    }

    fn pieces(
        &self,
        file: &mut File,
        path: &str,
        mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), FileError> {
        let fail = |source| FileError::io("read", &self.path.join(path), source);
        let mut piece = vec![0; 128 * 1024];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(n) => each(&piece[..n]).map_err(fail)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fail(error)),
            }
        }
    }

    /// Writes a small file; it is there as a whole or not at all. It need not survive a power cut.
    pub fn write(&self, path: &str, bytes: &[u8]) -> Result<(), FileError> {
        self.put(path, 0o644, |file| file.write_all(bytes).map(|()| true))
            .map(drop)
    }

    /// Copies a file, if what is read has this digest; says whether it had.
    pub fn copy(&self, from: &str, to: &str, expected: Digest, is_executable: bool) -> Result<bool, FileError> {
        let mut source = self.file(from)?;
        let mut hasher = Sha256::new();
        self.put(to, if is_executable { 0o755 } else { 0o644 }, |file| {
            self.pieces(&mut source, from, |piece| {
                hasher.update(piece);
                file.write_all(piece)
            })
            .map_err(std::io::Error::other)?;
            Ok(Digest::from_bytes(hasher.finalize_reset().into()) == expected)
        })
    }

    /// Fills a file beside `path` and gives it the name, if the filling says so.
    fn put(
        &self,
        path: &str,
        mode: u32,
        fill: impl FnOnce(&mut File) -> std::io::Result<bool>,
    ) -> Result<bool, FileError> {
        let (above, name) = split(path);
        let place = self.make_directory(above)?;
        let fail = |errno| self.fail("write", path, errno);
        let n = N_TEMPS.fetch_add(1, Ordering::Relaxed);
        let temp = format!("{TEMP_PREFIX}{}-{n}", std::process::id());
        // One of an earlier program with our number.
        let _ = rustix::fs::unlinkat(&place, &temp, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&place, &temp, flags, Mode::from_raw_mode(mode)).map_err(fail)?;
        let done = self.give_away(&opened).map_err(fail).and_then(|()| {
            let is_kept =
                fill(&mut File::from(opened)).map_err(|error| FileError::io("write", &self.path.join(path), error))?;
            if is_kept {
                rustix::fs::renameat(&place, &temp, &place, name).map_err(fail)?;
            }
            Ok(is_kept)
        });
        if !matches!(done, Ok(true)) {
            // Nobody takes it for more than a file that was not finished.
            let _ = rustix::fs::unlinkat(&place, &temp, AtFlags::empty());
        }
        done
    }

    /// An empty file that grows, in place of what had its name.
    pub fn create_anew(&self, path: &str) -> Result<File, FileError> {
        self.remove(path)?;
        let (above, name) = split(path);
        let place = self.make_directory(above)?;
        let flags =
            OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fail = |errno| self.fail("create", path, errno);
        let opened = rustix::fs::openat(&place, name, flags, Mode::from_raw_mode(0o644)).map_err(fail)?;
        self.give_away(&opened).map_err(fail)?;
        Ok(File::from(opened))
    }

    /// Removes a file, or a link itself; fine if it is not there.
    pub fn remove(&self, path: &str) -> Result<(), FileError> {
        let (above, name) = split(path);
        let removed = self
            .directory(above)
            .and_then(|place| rustix::fs::unlinkat(&place, name, AtFlags::empty()));
        match removed {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.fail("remove", path, errno)),
        }
    }

    /// Makes a file count as used just now.
    pub fn touch(&self, path: &str) -> Result<(), FileError> {
        let (above, name) = split(path);
        let fail = |errno| self.fail("touch", path, errno);
        let now = Timestamps {
            last_access: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_OMIT,
            },
            last_modification: Timespec {
                tv_sec: 0,
                tv_nsec: UTIME_NOW,
            },
        };
        let place = self.directory(above).map_err(fail)?;
        rustix::fs::utimensat(&place, name, &now, AtFlags::SYMLINK_NOFOLLOW).map_err(fail)
    }

    /// The ordinary files in one directory, unsorted; none if it is not there.
    pub fn files_in(&self, path: &str) -> Result<Vec<(String, Stamp)>, FileError> {
        let fail = |errno| self.fail("list", path, errno);
        let place = match self.directory(path) {
            Err(Errno::NOENT) => return Ok(Vec::new()),
            opened => opened.map_err(fail)?,
        };
        let mut found = Vec::new();
        for name in names(&place).map_err(fail)?.into_iter().flatten() {
            match rustix::fs::statat(&place, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                    found.push((name, stamp(&stat)));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        Ok(found)
    }
}

/// See [`Root::looks`].
pub struct Looks<'r> {
    root: &'r Root,
    last: Cell<Option<(String, OwnedFd)>>,
}

impl Looks<'_> {
    /// The file at a path on which no part is a link; `None` if it is not there or something else is.
    pub fn at(&self, path: &str) -> Result<Option<Found>, FileError> {
        match self.stat(path) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Some(found(path.to_owned(), None, &stat)))
            }
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(self.root.fail("look at", path, errno)),
        }
    }

    pub fn stat(&self, path: &str) -> Result<Stat, Errno> {
        let (above, name) = split(path);
        let place = match self.last.take() {
            Some((known, place)) if known == above => place,
            _ => self.root.directory(above)?,
        };
        let stat = rustix::fs::statat(&place, name, AtFlags::SYMLINK_NOFOLLOW);
        self.last.set(Some((above.to_owned(), place)));
        stat
    }
}

/// The names in a directory but its own two; `None` is one that is no text.
pub fn names(directory: &OwnedFd) -> Result<Vec<Option<String>>, Errno> {
    let mut listed = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            listed.push(name.to_str().ok().map(str::to_owned));
        }
        if listed.len() > MAX_NAMES {
            break;
        }
    }
    Ok(listed)
}

pub fn found(path: String, real: Option<String>, stat: &Stat) -> Found {
    Found {
        path,
        real,
        stamp: stamp(stat),
        is_executable: stat.st_mode & 0o100 != 0,
    }
}

#[expect(clippy::cast_sign_loss, reason = "no file has a negative size")]
fn stamp(stat: &Stat) -> Stamp {
    let ns = |seconds: i64, rest: u64| {
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(i64::try_from(rest).unwrap_or_default())
    };
    Stamp {
        size_bytes: stat.st_size as u64,
        mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec),
        ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec),
        inode: stat.st_ino,
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}
