//! Whose files are: told, and handed over, without ever following a link.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the door that everybody else goes through"
)]

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::{FileError, Stopwatch};

/// Deeper than this nobody nests what a run makes; every level holds a directory open.
const MAX_DEPTH: usize = 200;

/// Who a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

impl Owner {
    pub fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// What became of a [`hand_over`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandedOver {
    pub n_changed: usize,
    /// Names that could not be looked at, entered or changed; they stay as they are.
    pub n_failed: usize,
    /// False when the time was up before everything was seen.
    pub is_complete: bool,
}

/// Whether this program may give files away.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The owner of what `path` leads to.
pub fn owner(path: &Path) -> Result<Owner, FileError> {
    let found = std::fs::metadata(path).map_err(|source| FileError::io("look at", path, source))?;
    Ok(Owner {
        uid: found.uid(),
        gid: found.gid(),
    })
}

/// Makes `root/components…` where no component may be a symbolic link, the last one for nobody but `owner`.
///
/// What is there already is taken only from `owner` and root: anybody else's is refused. Without an owner it stays ours.
pub fn private_dir(root: &Path, components: &[&str], owner: Option<Owner>) -> Result<PathBuf, FileError> {
    let path: PathBuf = components.iter().fold(root.to_owned(), |path, part| path.join(part));
    let fail = |errno: Errno| match errno {
        Errno::LOOP | Errno::NOTDIR => FileError::NotAFile { path: path.clone() },
        other => FileError::io("create", &path, other.into()),
    };
    let mut place =
        rustix::fs::open(root, DIRECTORY, Mode::empty()).map_err(|errno| FileError::io("open", root, errno.into()))?;
    for part in components {
        match rustix::fs::mkdirat(&place, *part, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        place = rustix::fs::openat(&place, *part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(fail)?;
        let Some(owner) = owner else { continue };
        let found = rustix::fs::fstat(&place).map_err(fail)?;
        if found.st_uid == 0 {
            rustix::fs::fchown(&place, Some(uid(owner)), Some(gid(owner))).map_err(fail)?;
        } else if found.st_uid != owner.uid {
            return Err(fail(Errno::PERM));
        }
    }
    rustix::fs::fchmod(&place, Mode::RWXU).map_err(fail)?;
    Ok(path)
}

/// As [`private_dir`], and empty: what was there goes, a link as a link.
pub fn private_dir_anew(root: &Path, components: &[&str], owner: Option<Owner>) -> Result<PathBuf, FileError> {
    let Some((name, above)) = components.split_last() else {
        return private_dir(root, components, owner);
    };
    let parent = opened_beneath(root, above, owner)?;
    // Through the descriptor, so that nobody turns the way elsewhere meanwhile.
    let place = Path::new("/proc/self/fd")
        .join(parent.as_raw_fd().to_string())
        .join(name);
    match std::fs::symlink_metadata(&place) {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(&place),
        Ok(_) => std::fs::remove_file(&place),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
    .map_err(|source| FileError::io("remove", &root.join(components.join("/")), source))?;
    private_dir(root, components, owner)
}

/// Writes a new file at `root/components…` where no component may be a symbolic link; what had its name goes.
pub fn write_beneath(root: &Path, components: &[&str], bytes: &[u8], mode: u32) -> Result<PathBuf, FileError> {
    use std::io::Write as _;
    let path: PathBuf = components.iter().fold(root.to_owned(), |path, part| path.join(part));
    let fail = |errno: Errno| FileError::io("write", &path, errno.into());
    let Some((name, above)) = components.split_last() else {
        return Err(FileError::NotAFile { path });
    };
    let parent = opened_beneath(root, above, None)?;
    match rustix::fs::unlinkat(&parent, *name, rustix::fs::AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(fail(errno)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(&parent, *name, flags, Mode::from_raw_mode(mode)).map_err(fail)?;
    rustix::fs::fchmod(&opened, Mode::from_raw_mode(mode)).map_err(fail)?;
    let mut file = std::fs::File::from(opened);
    file.write_all(bytes)
        .map_err(|source| FileError::io("write", &path, source))?;
    Ok(path)
}

/// The directory `root/components…`, made where it is not there; no component may be a symbolic link.
fn opened_beneath(root: &Path, components: &[&str], owner: Option<Owner>) -> Result<OwnedFd, FileError> {
    private_dir(root, components, owner)?;
    let path: PathBuf = components.iter().fold(root.to_owned(), |path, part| path.join(part));
    let fail = |errno: Errno| FileError::io("open", &path, errno.into());
    let mut place = rustix::fs::open(root, DIRECTORY, Mode::empty()).map_err(fail)?;
    for part in components {
        place = rustix::fs::openat(&place, *part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).map_err(fail)?;
    }
    Ok(place)
}

/// Whether two paths lead to the same file or directory, whatever it is called and however it is mounted.
pub fn is_same(one: &Path, other: &Path) -> Result<bool, FileError> {
    let identity = |path: &Path| {
        std::fs::metadata(path)
            .map(|found| (found.dev(), found.ino()))
            .map_err(|source| FileError::io("look at", path, source))
    };
    Ok(identity(one)? == identity(other)?)
}

/// Gives everything at and below `paths` that belongs to root to `owner`; what belongs to anybody else stays.
///
/// Symbolic links are given away themselves and not followed, other file systems that are mounted below are left alone,
/// a path that is not there is nothing to do. Nothing is an error: what could not be done is counted. Does nothing when
/// this program is not root or `owner` is.
pub fn hand_over(paths: &[&Path], owner: Owner, limit: Duration) -> HandedOver {
    let mut handing = Handing {
        owner,
        watch: Stopwatch::start(),
        limit,
        done: HandedOver {
            n_changed: 0,
            n_failed: 0,
            is_complete: true,
        },
    };
    if is_root() && !owner.is_root() {
        for path in paths {
            handing.tree(path);
        }
    }
    handing.done
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn uid(owner: Owner) -> Uid {
    Uid::from_raw(owner.uid)
}

fn gid(owner: Owner) -> Gid {
    Gid::from_raw(owner.gid)
}

struct Handing {
    owner: Owner,
    watch: Stopwatch,
    limit: Duration,
    done: HandedOver,
}

/// A directory that is being gone through.
struct Level {
    directory: OwnedFd,
    names: Dir,
}

impl Handing {
    fn tree(&mut self, path: &Path) {
        // The path itself is the caller's word; only below it others have a say.
        let (top, found) = match rustix::fs::open(path, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
            .and_then(|top| rustix::fs::fstat(&top).map(|found| (top, found)))
        {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return,
            Err(_) => {
                self.done.n_failed += 1;
                return;
            }
        };
        let device = found.st_dev;
        if found.st_uid == 0 {
            self.count(rustix::fs::fchown(&top, Some(uid(self.owner)), Some(gid(self.owner))));
        }
        let mut levels: Vec<Level> = self.enter(top).into_iter().collect();
        while let Some(level) = levels.last_mut() {
            if self.watch.elapsed() > self.limit {
                self.done.is_complete = false;
                return;
            }
            let name: CString = match level.names.read() {
                Some(Ok(entry)) if matches!(entry.file_name().to_bytes(), b"." | b"..") => continue,
                Some(Ok(entry)) => entry.file_name().to_owned(),
                Some(Err(_)) => {
                    self.done.n_failed += 1;
                    levels.pop();
                    continue;
                }
                None => {
                    levels.pop();
                    continue;
                }
            };
            let n_levels = levels.len();
            let below = levels
                .last()
                .and_then(|level| self.name(level, &name, device, n_levels));
            levels.extend(below);
        }
    }

    /// Hands over one name; if it is a directory, it is what to go on with.
    fn name(&mut self, level: &Level, name: &CString, device: u64, n_levels: usize) -> Option<Level> {
        let place = level.directory.as_fd();
        let found: Stat = match rustix::fs::statat(place, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return None,
            Err(_) => {
                self.done.n_failed += 1;
                return None;
            }
        };
        if found.st_dev != device {
            return None;
        }
        if found.st_uid == 0 {
            self.count(rustix::fs::chownat(
                place,
                name,
                Some(uid(self.owner)),
                Some(gid(self.owner)),
                AtFlags::SYMLINK_NOFOLLOW,
            ));
        }
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            return None;
        }
        let opened = (n_levels < MAX_DEPTH)
            .then(|| rustix::fs::openat(place, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()).ok())
            .flatten();
        if opened.is_none() {
            self.done.n_failed += 1;
        }
        opened.and_then(|directory| self.enter(directory))
    }

    fn enter(&mut self, directory: OwnedFd) -> Option<Level> {
        let names = Dir::read_from(&directory).ok();
        self.done.n_failed += usize::from(names.is_none());
        names.map(|names| Level { directory, names })
    }

    fn count(&mut self, changed: Result<(), Errno>) {
        match changed {
            Ok(()) => self.done.n_changed += 1,
            Err(_) => self.done.n_failed += 1,
        }
    }
}

#[cfg(test)]
#[path = "owner_links_tests.rs"]
mod links;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};

    use super::*;

    const OWNER: Owner = Owner { uid: 1001, gid: 1002 };
    const LIMIT: Duration = Duration::from_mins(1);

    /// Only root can give files away, so these tests can say more when they run as root.
    fn may_give_away() -> bool {
        if !is_root() {
            eprintln!("not root: giving files away was not tested, only that nothing happens");
        }
        is_root()
    }

    fn uid_of(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().uid()
    }

    #[test]
    fn what_is_roots_below_is_handed_over_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("inside"), dir.path().join("outside"));
        std::fs::create_dir_all(inside.join("a/b")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        for file in [inside.join("a/b/file"), outside.join("file")] {
            std::fs::write(file, "").unwrap();
        }
        symlink(&outside, inside.join("link")).unwrap();
        symlink(outside.join("file"), inside.join("a/link")).unwrap();
        symlink("nowhere", inside.join("broken")).unwrap();
        let mine = [
            &*inside,
            &inside.join("a"),
            &inside.join("a/b"),
            &inside.join("a/b/file"),
        ]
        .map(Path::to_owned);
        let links = [inside.join("link"), inside.join("a/link"), inside.join("broken")];
        let before = uid_of(&inside);
        let done = hand_over(&[&inside, &dir.path().join("missing")], OWNER, LIMIT);
        assert!(done.is_complete);
        assert_eq!(done.n_failed, 0);
        let (expected, n_changed) = if may_give_away() { (OWNER.uid, 7) } else { (before, 0) };
        assert_eq!(done.n_changed, n_changed);
        for path in mine.iter().chain(&links) {
            assert_eq!(uid_of(path), expected, "{}", path.display());
        }
        for path in [outside.clone(), outside.join("file")] {
            assert_eq!(uid_of(&path), before, "{} was reached through a link", path.display());
        }
        // Nothing is left to do.
        assert_eq!(hand_over(&[&inside], OWNER, LIMIT).n_changed, 0);
    }

    #[test]
    fn a_link_as_the_path_itself_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let before = uid_of(&outside);
        symlink(&outside, dir.path().join("link")).unwrap();
        let done = hand_over(&[&dir.path().join("link")], OWNER, LIMIT);
        assert_eq!((done.n_changed, done.n_failed), (0, usize::from(may_give_away())));
        assert_eq!(uid_of(&outside), before);
    }

    #[test]
    fn what_belongs_to_others_stays_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("theirs");
        std::fs::write(&theirs, "").unwrap();
        if may_give_away() {
            lchown(&theirs, Some(1234), Some(1234)).unwrap();
        }
        let before = uid_of(&theirs);
        let done = hand_over(&[dir.path()], OWNER, LIMIT);
        assert_eq!(done.n_changed, usize::from(is_root()), "the folder itself");
        assert_eq!(uid_of(&theirs), before);
        assert_eq!(hand_over(&[dir.path()], Owner { uid: 0, gid: 0 }, LIMIT).n_changed, 0);
    }

    #[test]
    fn no_depth_and_no_time_is_too_much() {
        let dir = tempfile::tempdir().unwrap();
        let deep = (0..MAX_DEPTH + 20).fold(dir.path().to_owned(), |path, _| path.join("d"));
        std::fs::create_dir_all(&deep).unwrap();
        let no_time = hand_over(&[dir.path()], OWNER, Duration::ZERO);
        let done = hand_over(&[dir.path()], OWNER, LIMIT);
        if may_give_away() {
            assert!(!no_time.is_complete);
            assert!(done.is_complete);
            assert_eq!((no_time.n_changed + done.n_changed, done.n_failed), (MAX_DEPTH + 1, 1));
        } else {
            assert_eq!((no_time.n_changed, done.n_changed), (0, 0));
        }
    }

    #[test]
    fn a_directory_in_the_place_of_another_is_told_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let [there, away, link] = ["there", "away", "link"].map(|name| dir.path().join(name));
        std::fs::create_dir(&there).unwrap();
        symlink(&there, &link).unwrap();
        assert!(is_same(&there, &link).unwrap());
        std::fs::rename(&there, &away).unwrap();
        assert!(is_same(&there, &away).is_err());
        std::fs::create_dir(&there).unwrap();
        assert!(!is_same(&there, &away).unwrap());
    }

    #[test]
    fn a_private_folder_is_the_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let owner = may_give_away().then_some(OWNER);
        for _ in 0..2 {
            let home = private_dir(dir.path(), &["mlops", "home"], owner).unwrap();
            assert_eq!(home, dir.path().join("mlops/home"));
            let found = home.symlink_metadata().unwrap();
            assert_eq!(found.permissions().mode() & 0o777, 0o700);
            assert_eq!(found.uid(), owner.map_or(uid_of(dir.path()), |owner| owner.uid));
        }
    }

    #[test]
    fn a_private_folder_is_never_a_link_nor_somebody_elses() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let (before, mode) = (uid_of(&outside), outside.metadata().unwrap().mode());
        symlink(&outside, dir.path().join("mlops")).unwrap();
        let owner = may_give_away().then_some(OWNER);
        for components in [&["mlops"][..], &["mlops", "home"]] {
            let error = private_dir(dir.path(), components, owner).unwrap_err();
            assert!(matches!(error, FileError::NotAFile { .. }), "{error:?}");
        }
        assert_eq!((uid_of(&outside), outside.metadata().unwrap().mode()), (before, mode));
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
        if owner.is_some() {
            let theirs = dir.path().join("theirs");
            std::fs::create_dir(&theirs).unwrap();
            lchown(&theirs, Some(1234), None).unwrap();
            assert!(private_dir(dir.path(), &["theirs"], owner).is_err());
            assert_eq!(uid_of(&theirs), 1234);
        }
    }
}
