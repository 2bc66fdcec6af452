//! Reading files and directories, always with a limit.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the door that everybody else goes through"
)]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::FileError;

/// More entries than this in one directory are refused.
const MAX_ENTRIES: usize = 1_000_000;

/// What a name in a directory stands for; a symbolic link is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    File,
    Directory,
    Symlink,
    /// A pipe, a socket, a device.
    Special,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub name: OsString,
    pub kind: FileKind,
}

/// Opens an ordinary file for reading; a pipe or a device is refused instead of waited for.
pub fn open(path: &Path) -> Result<File, FileError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY))
        .open(path)
        .map_err(|source| FileError::io("open", path, source))?;
    ordinary(file, path)
}

/// An ordinary file that has at least `length` bytes from `offset` on, ready to be read from there.
pub fn open_part(path: &Path, offset: u64, length: u64) -> Result<File, FileError> {
    let fail = |source| FileError::io("read", path, source);
    let mut file = open(path)?;
    let found = file.metadata().map_err(fail)?.len();
    if offset.checked_add(length).is_none_or(|end| end > found) {
        let shorter = format!("it has {found} bytes, and {length} from byte {offset} on are wanted");
        return Err(fail(io::Error::new(io::ErrorKind::UnexpectedEof, shorter)));
    }
    file.seek(SeekFrom::Start(offset)).map_err(fail)?;
    Ok(file)
}

/// The whole content of an ordinary file of at most `limit_bytes`.
pub fn read(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    read_open(open(path)?, path, limit_bytes)
}

/// The whole content of a text file; a byte order mark at its beginning is left out.
pub fn read_text(path: &Path, limit_bytes: u64) -> Result<String, FileError> {
    let text = String::from_utf8(read(path, limit_bytes)?).map_err(|error| FileError::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// The content of `root/components…` where no component may be a symbolic link; `root` itself may.
pub fn read_beneath(root: &Path, components: &[&str], limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    let path: PathBuf = components.iter().fold(root.to_owned(), |path, part| path.join(part));
    let fail = |errno: rustix::io::Errno| match errno {
        rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => FileError::NotAFile { path: path.clone() },
        other => FileError::io("open", &path, other.into()),
    };
    let Some((file, directories)) = components.split_last() else {
        return Err(FileError::NotAFile { path });
    };
    let is_name = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && !part.contains('/');
    if !components.iter().all(is_name) {
        return Err(FileError::Outside {
            path,
            root: root.to_owned(),
        });
    }
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut place =
        rustix::fs::open(root, directory, Mode::empty()).map_err(|errno| FileError::io("open", root, errno.into()))?;
    for part in directories {
        place = rustix::fs::openat(&place, *part, directory | OFlags::NOFOLLOW, Mode::empty()).map_err(fail)?;
    }
    let opened = rustix::fs::openat(
        &place,
        *file,
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(fail)?;
    read_open(ordinary(File::from(opened), &path)?, &path, limit_bytes)
}

/// The names in a directory, sorted.
pub fn list(dir: &Path) -> Result<Vec<Listed>, FileError> {
    let fail = |source| FileError::io("list", dir, source);
    let mut listed = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if listed.len() == MAX_ENTRIES {
            return Err(FileError::TooMany {
                path: dir.to_owned(),
                limit: MAX_ENTRIES,
            });
        }
        listed.push(Listed {
            name: entry.file_name(),
            kind: kind_of(entry.file_type().map_err(fail)?),
        });
    }
    listed.sort();
    Ok(listed)
}

/// What is at `path`, without following it if it is a symbolic link; `None` if nothing is.
pub fn kind(path: &Path) -> Result<Option<FileKind>, FileError> {
    match path.symlink_metadata() {
        Ok(found) => Ok(Some(kind_of(found.file_type()))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(FileError::io("look at", path, source)),
    }
}

fn kind_of(file_type: std::fs::FileType) -> FileKind {
    if file_type.is_file() {
        FileKind::File
    } else if file_type.is_dir() {
        FileKind::Directory
    } else if file_type.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Special
    }
}

fn ordinary(file: File, path: &Path) -> Result<File, FileError> {
    let found = file
        .metadata()
        .map_err(|source| FileError::io("look at", path, source))?;
    if found.is_file() {
        Ok(file)
    } else {
        Err(FileError::NotAFile { path: path.to_owned() })
    }
}

/// The length that the file system claims is a hint only: it may be 0 for a file that has content.
fn read_open(mut file: File, path: &Path, limit_bytes: u64) -> Result<Vec<u8>, FileError> {
    let fail = |source| FileError::io("read", path, source);
    let too_large = || FileError::TooLarge {
        path: path.to_owned(),
        limit_bytes,
    };
    let claimed = file.metadata().map_err(fail)?.len();
    if claimed > limit_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(claimed).unwrap_or(0));
    let n_read = file
        .by_ref()
        .take(limit_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if n_read as u64 > limit_bytes {
        return Err(too_large());
    }
    Ok(bytes)
}

/// Open flags have few bits: they fit every integer that system calls take.
fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn limits_are_exact() {
        let dir = dir();
        let path = dir.path().join("a");
        std::fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(matches!(
            read(&path, 4),
            Err(FileError::TooLarge { limit_bytes: 4, .. })
        ));
        // The claimed length is 0 here, so only the count of what was read can tell.
        assert!(matches!(
            read(Path::new("/proc/self/status"), 4),
            Err(FileError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_part_is_read_from_its_beginning_and_must_be_there() {
        let dir = dir();
        let path = dir.path().join("a");
        std::fs::write(&path, b"12345").unwrap();
        for (offset, length, rest) in [(0, 5, "12345"), (2, 1, "345"), (5, 0, "")] {
            let mut text = String::new();
            open_part(&path, offset, length)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            assert_eq!(text, rest);
        }
        for (offset, length) in [(0, 6), (5, 1), (6, 0), (u64::MAX, 1)] {
            assert!(open_part(&path, offset, length).is_err(), "{offset} {length}");
        }
        assert!(matches!(open_part(dir.path(), 0, 0), Err(FileError::NotAFile { .. })));
    }

    #[test]
    fn pipes_and_directories_are_refused_at_once() {
        let dir = dir();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        assert!(matches!(read(&pipe, 10), Err(FileError::NotAFile { .. })));
        assert!(matches!(read(dir.path(), 10), Err(FileError::NotAFile { .. })));
        assert!(matches!(
            read(Path::new("/dev/zero"), 10),
            Err(FileError::NotAFile { .. })
        ));
        assert!(read(&dir.path().join("none"), 10).unwrap_err().is_not_found());
    }

    #[test]
    fn text_is_utf8_without_its_mark() {
        let dir = dir();
        let path = dir.path().join("a");
        std::fs::write(&path, "\u{feff}größe").unwrap();
        assert_eq!(read_text(&path, 100).unwrap(), "größe");
        std::fs::write(&path, b"abc\xff").unwrap();
        assert!(matches!(
            read_text(&path, 100),
            Err(FileError::NotText { offset: 3, .. })
        ));
    }

    #[test]
    fn beneath_follows_no_link_and_no_dots() {
        let dir = dir();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a/plain"), "plain").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("a/link")).unwrap();
        std::os::unix::fs::symlink("a", root.join("b")).unwrap();
        assert_eq!(read_beneath(&root, &["a", "plain"], 10).unwrap(), b"plain");
        for (parts, what) in [(["a", "link"], "a link"), (["b", "plain"], "a linked directory")] {
            assert!(
                matches!(read_beneath(&root, &parts, 10), Err(FileError::NotAFile { .. })),
                "{what}"
            );
        }
        assert!(matches!(
            read_beneath(&root, &["..", "secret"], 10),
            Err(FileError::Outside { .. })
        ));
        assert!(matches!(
            read_beneath(&root, &["../secret"], 10),
            Err(FileError::Outside { .. })
        ));
    }

    #[test]
    fn listing_is_sorted_and_names_what_is_there() {
        let dir = dir();
        std::fs::write(dir.path().join("b"), "").unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::os::unix::fs::symlink("b", dir.path().join("c")).unwrap();
        let names: Vec<_> = list(dir.path())
            .unwrap()
            .into_iter()
            .map(|l| (l.name.into_string().unwrap(), l.kind))
            .collect();
        assert_eq!(
            names,
            [
                ("a".to_owned(), FileKind::Directory),
                ("b".to_owned(), FileKind::File),
                ("c".to_owned(), FileKind::Symlink)
            ]
        );
        assert_eq!(kind(&dir.path().join("nothing")).unwrap(), None);
    }
}
