//! Finds the files that patterns mean, below the repository's root and through no link that leads out of it.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use crate::sys::{self, FileError};

use super::files::{DIRECTORY, Found, Looks, Root, TEMP_PREFIX, found, join, names};
use super::pattern::{Pattern, Place};

/// More names than this are not looked at for one task.
const MAX_VISITED: usize = 200_000;
/// Deeper than this nobody nests what a step reads or makes.
const MAX_DEPTH: usize = 200;
/// Made by what runs, and never an input.
const NOT_INPUTS: &[&str] = &["__pycache__", ".git", ".mlops", ".ipynb_checkpoints"];
const NOT_OUTPUTS: &[&str] = &[".git", ".mlops"];

/// Whose files are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Inputs,
    Outputs,
}

impl Root {
    /// The file at a path, through links that stay inside; `None` if there is none.
    pub fn at(&self, looks: &Looks<'_>, path: &str) -> Result<Option<Found>, FileError> {
        if let Some(found) = looks.at(path)? {
            return Ok(Some(found));
        }
        // A link that leads elsewhere is not the file either.
        let behind = Search::new(self, Side::Inputs).behind_link(path).unwrap_or(None);
        let file = behind.filter(|(_, stat)| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Ok(file.map(|(real, stat)| found(path.to_owned(), Some(real), &stat)))
    }

    /// The files that are meant, sorted; a pattern that means none is in the second list.
    pub fn expand<'p>(&self, patterns: &'p [Pattern], of: Side) -> Result<(Vec<Found>, Vec<&'p Pattern>), FileError> {
        let mut search = Search::new(self, of);
        let mut without = Vec::new();
        for pattern in patterns {
            let n_before = search.found.len();
            for (place, base) in pattern.places() {
                search.skips_hidden = matches!(place, Place::Below { is_hidden: false, .. });
                search.begin(pattern, place, &base)?;
            }
            if search.found.len() == n_before {
                without.push(pattern);
            }
        }
        let mut found = search.found;
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found.dedup_by(|a, b| a.path == b.path);
        Ok((found, without))
    }
}

struct Search<'r> {
    root: &'r Root,
    of: Side,
    n_visited: usize,
    /// Names that begin with a dot are passed over, and what is below them too.
    skips_hidden: bool,
    found: Vec<Found>,
}

impl<'r> Search<'r> {
    fn new(root: &'r Root, of: Side) -> Self {
        Self {
            root,
            of,
            n_visited: 0,
            skips_hidden: false,
            found: Vec::new(),
        }
    }

    fn begin(&mut self, pattern: &Pattern, place: Place<'_>, base: &str) -> Result<(), FileError> {
        let fail = |errno| self.root.fail("look at", base, errno);
        let stat = match if base.is_empty() {
            rustix::fs::fstat(&self.root.open)
        } else {
            self.root.looks().stat(base)
        } {
            Err(Errno::NOENT) => return Ok(()),
            // A file where the pattern has a directory, or a link on the way.
            Err(Errno::NOTDIR | Errno::LOOP) => None,
            stat => Some(stat.map_err(fail)?),
        };
        let kind = stat.as_ref().map(|stat| FileType::from_raw_mode(stat.st_mode));
        let (real, stat) = match (kind, stat) {
            (Some(kind), Some(stat)) if kind != FileType::Symlink => (None, stat),
            _ => match self.behind_link(base)? {
                Some((real, stat)) => (Some(real), stat),
                None => return Ok(()),
            },
        };
        match (FileType::from_raw_mode(stat.st_mode), place) {
            (FileType::RegularFile, Place::Path(_)) => self.add(base, real, &stat),
            (FileType::RegularFile, Place::Below { .. }) => Ok(()),
            (FileType::Directory, place) => {
                let real = real.unwrap_or_else(|| base.to_owned());
                let directory = self.root.directory(&real).map_err(fail)?;
                let depth = match place {
                    Place::Path(_) => None,
                    Place::Below { depth, .. } => depth,
                };
                self.walk(&directory, base, &real, pattern, depth.unwrap_or(MAX_DEPTH))
            }
            _ => Err(FileError::NotAFile {
                path: self.root.path.join(base),
            }),
        }
    }

    /// What is behind a link, and where that is from the root; refused if it is elsewhere.
    fn behind_link(&self, path: &str) -> Result<Option<(String, Stat)>, FileError> {
        let whole = self.root.path.join(path);
        let target = match sys::inside(&self.root.path, &whole) {
            Err(error) if error.is_not_found() && self.of == Side::Inputs => return Ok(None),
            Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
            target => target?,
        };
        let not_text = || FileError::NotAFile { path: whole.clone() };
        let real = target.strip_prefix(&self.root.real).map_err(|_| not_text())?;
        let real = real.to_str().ok_or_else(not_text)?.to_owned();
        let stat = self.root.looks().stat(&real);
        let stat = stat.map_err(|errno| self.root.fail("look at", path, errno))?;
        Ok(Some((real, stat)))
    }

    fn walk(
        &mut self,
        directory: &OwnedFd,
        path: &str,
        real: &str,
        pattern: &Pattern,
        depth: usize,
    ) -> Result<(), FileError> {
        let fail = |errno| self.root.fail("list", path, errno);
        let mut listed: Vec<String> = Vec::new();
        for name in names(directory).map_err(fail)? {
            let Some(name) = name else {
                let not_text = std::io::Error::other("a name in it is not UTF-8");
                return Err(FileError::io("list", &self.root.path.join(path), not_text));
            };
            listed.push(name);
        }
        for name in listed {
            self.n_visited += 1;
            if self.n_visited > MAX_VISITED {
                return Err(FileError::TooMany {
                    path: self.root.path.join(path),
                    limit: MAX_VISITED,
                });
            }
            let never = match self.of {
                Side::Inputs => NOT_INPUTS,
                Side::Outputs => NOT_OUTPUTS,
            };
            if never.contains(&name.as_str())
                || name.starts_with(TEMP_PREFIX)
                || (self.skips_hidden && name.starts_with('.'))
            {
                continue;
            }
            let stat = match rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(self.root.fail("look at", path, errno)),
            };
            let below = join(path, &name);
            let below_real = if path == real { below.clone() } else { join(real, &name) };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory if depth > 1 => {
                    let fail = |errno| self.root.fail("open", &below, errno);
                    let inner = rustix::fs::openat(directory, &name, DIRECTORY, Mode::empty()).map_err(fail)?;
                    self.walk(&inner, &below, &below_real, pattern, depth - 1)?;
                }
                FileType::RegularFile if pattern.matches(&below) => {
                    let real = (below != below_real).then_some(below_real);
                    self.add(&below, real, &stat)?;
                }
                FileType::Symlink if pattern.matches(&below) => {
                    let Some((target, stat)) = self.behind_link(&below)? else {
                        continue;
                    };
                    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
                        self.add(&below, Some(target), &stat)?;
                    } else if self.of == Side::Outputs {
                        return Err(FileError::NotAFile {
                            path: self.root.path.join(&below),
                        });
                    }
                }
                kind => {
                    let is_special = !matches!(kind, FileType::Directory | FileType::RegularFile | FileType::Symlink);
                    if is_special && self.of == Side::Outputs && pattern.matches(&below) {
                        return Err(FileError::NotAFile {
                            path: self.root.path.join(&below),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, real: Option<String>, stat: &Stat) -> Result<(), FileError> {
        // As root we could read what the command could not, by a second name that it gave to another's file.
        let is_anothers = self.root.owner.is_some() && stat.st_uid == 0 && stat.st_nlink > 1;
        if is_anothers && self.of == Side::Outputs {
            return Err(FileError::NotAFile {
                path: self.root.path.join(path),
            });
        }
        self.found.push(found(path.to_owned(), real, stat));
        Ok(())
    }
}
