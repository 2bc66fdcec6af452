//! What an archive of an environment may hold, looked at while it is copied from one place to another. Pure.
//!
//! `tar` unpacks as the user of commands; before it does, each header is read here: only files, directories and links of the
//! folders that are expected, none twice, none by way of a link, and no link that leads anywhere else.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

const BLOCK: usize = 512;
/// Of a name that does not fit into a header.
const MAX_NAME: u64 = 4096;

/// Why an archive is not unpacked, or not kept.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    #[error("it is no archive of the plain kind: {0}")]
    Layout(&'static str),
    #[error("nobody expects `{name}` in it: {why}")]
    Unexpected { name: String, why: &'static str },
    #[error("it has more than {limit} files")]
    TooMany { limit: usize },
    #[error("it has more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Where it is unpacked.
    pub base: PathBuf,
    /// Folders below it; everything is in one of them.
    pub roots: Vec<PathBuf>,
    /// Folders below the base whose links may lead to any program of the machine: an interpreter is one.
    pub programs: Vec<PathBuf>,
    pub max_bytes: u64,
    pub max_entries: usize,
}

/// Copies an archive as it is and looks at all of it; what was copied of one that is refused is of no use.
///
/// # Errors
/// The first thing in it that `rules` do not expect, or what could not be read or written.
pub fn copy_checked(from: &mut impl Read, to: &mut impl Write, rules: &Rules) -> Result<(), TarError> {
    let mut seen = Seen::default();
    let (mut long_name, mut long_link) = (None, None);
    let mut left = rules.max_bytes;
    loop {
        let mut block = [0; BLOCK];
        from.read_exact(&mut block)?;
        to.write_all(&block)?;
        if block.iter().all(|byte| *byte == 0) {
            return ended(from, to);
        }
        let header = Header::read(&block)?;
        left = left
            .checked_sub(header.size)
            .ok_or(TarError::TooLarge { limit: rules.max_bytes })?;
        match header.kind {
            b'L' | b'K' => {
                let name = Some(long(from, to, header.size)?);
                let is_taken = if header.kind == b'L' {
                    long_name.replace(name).is_some()
                } else {
                    long_link.replace(name).is_some()
                };
                if is_taken {
                    return Err(TarError::Layout("a name has two names"));
                }
                continue;
            }
            b'0' | 0 | b'2' | b'5' => {}
            _ => {
                return Err(TarError::Unexpected {
                    name: shown(&header.name),
                    why: "it is neither a file nor a directory nor a link",
                });
            }
        }
        let name = long_name.take().flatten().unwrap_or(header.name);
        let link = long_link.take().flatten().unwrap_or(header.link);
        if seen.names.len() == rules.max_entries {
            return Err(TarError::TooMany {
                limit: rules.max_entries,
            });
        }
        seen.take(rules, header.kind, header.mode, &name, &link)
            .map_err(|why| TarError::Unexpected {
                name: shown(&name),
                why,
            })?;
        if header.size > 0 && header.kind != b'0' && header.kind != 0 {
            return Err(TarError::Layout("something that is no file has content"));
        }
        copy_content(from, to, header.size)?;
    }
}

/// After the first empty block there is nothing but such.
fn ended(from: &mut impl Read, to: &mut impl Write) -> Result<(), TarError> {
    let mut rest = Vec::new();
    // Writers fill up their last record.
    from.take(1 << 20).read_to_end(&mut rest)?;
    if rest.len() < BLOCK || rest.len() % BLOCK != 0 || rest.iter().any(|byte| *byte != 0) {
        return Err(TarError::Layout("its end is none"));
    }
    if from.read(&mut [0])? != 0 {
        return Err(TarError::Layout("something follows its end"));
    }
    to.write_all(&rest)?;
    Ok(())
}

/// A name that is the content of an entry of its own.
fn long(from: &mut impl Read, to: &mut impl Write, size: u64) -> Result<Vec<u8>, TarError> {
    if size > MAX_NAME {
        return Err(TarError::Layout("a name is too long"));
    }
    let mut name = Vec::new();
    from.take(size.next_multiple_of(BLOCK as u64)).read_to_end(&mut name)?;
    to.write_all(&name)?;
    let Some(end) = name.iter().position(|byte| *byte == 0) else {
        return Err(TarError::Layout("a name has no end"));
    };
    name.truncate(end);
    Ok(name)
}

fn copy_content(from: &mut impl Read, to: &mut impl Write, size: u64) -> Result<(), TarError> {
    let padded = size.next_multiple_of(BLOCK as u64);
    if io::copy(&mut from.take(padded), to)? == padded {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

struct Header {
    name: Vec<u8>,
    link: Vec<u8>,
    kind: u8,
    mode: u64,
    size: u64,
}

impl Header {
    fn read(block: &[u8; BLOCK]) -> Result<Self, TarError> {
        let text = |from: usize, length: usize| {
            let field = &block[from..from + length];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(length);
            field[..end].to_vec()
        };
        let number = |from: usize, length: usize| octal(&block[from..from + length]);
        let blanked = (0..BLOCK).map(|at| {
            let byte = if (148..156).contains(&at) { b' ' } else { block[at] };
            u64::from(byte)
        });
        if number(148, 8) != Some(blanked.sum()) {
            return Err(TarError::Layout("a header is damaged"));
        }
        // GNU's, which has names that are too long in entries of their own; the other kind has them in two parts.
        if &block[257..265] != b"ustar  \0" {
            return Err(TarError::Layout("it is not written as GNU's are"));
        }
        let (Some(mode), Some(size)) = (number(100, 8), number(124, 12)) else {
            return Err(TarError::Layout("a number is none"));
        };
        Ok(Self {
            name: text(0, 100),
            link: text(157, 100),
            kind: block[156],
            mode,
            size,
        })
    }
}

/// Digits with blanks or zeros around them; what is too large for that is refused.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let text = text.trim_matches(|c| c == ' ' || c == '\0');
    u64::from_str_radix(text, 8)
        .ok()
        .filter(|_| text.bytes().all(|byte| matches!(byte, b'0'..=b'7')))
}

/// What an archive had so far.
#[derive(Debug, Default)]
struct Seen {
    names: BTreeSet<PathBuf>,
    links: BTreeSet<PathBuf>,
}

impl Seen {
    fn take(&mut self, rules: &Rules, kind: u8, mode: u64, name: &[u8], link: &[u8]) -> Result<(), &'static str> {
        let name = std::str::from_utf8(name).map_err(|_| "its name is no text")?;
        let path = Path::new(name.strip_suffix('/').unwrap_or(name)).to_owned();
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        // `a//b` and `./a` have the same parts as `a/b`.
        if !is_plain || path.components().collect::<PathBuf>().as_os_str() != path.as_os_str() {
            return Err("its name leads elsewhere");
        }
        if !rules.roots.iter().any(|root| path.starts_with(root)) {
            return Err("it is in none of the folders of an environment");
        }
        if path.ancestors().skip(1).any(|above| self.links.contains(above)) {
            return Err("it lies behind a link");
        }
        if kind != b'2' && mode & 0o6000 != 0 && kind != b'5' {
            return Err("it would run as somebody else");
        }
        if kind == b'2' {
            let target = std::str::from_utf8(link).map_err(|_| "its target is no text")?;
            if rules.roots.contains(&path) || !rules.may_lead(&path, Path::new(target)) {
                return Err("it leads elsewhere");
            }
            self.links.insert(path.clone());
        }
        if self.names.insert(path) {
            Ok(())
        } else {
            Err("it is there twice")
        }
    }
}

impl Rules {
    fn may_lead(&self, link: &Path, target: &Path) -> bool {
        let folder = link.parent().unwrap_or(Path::new(""));
        if self.programs.iter().any(|programs| folder == programs) && target.is_absolute() {
            return true;
        }
        let (mut at, target) = match target.strip_prefix(&self.base) {
            Ok(inside) => (PathBuf::new(), inside),
            Err(_) => (folder.to_owned(), target),
        };
        let mut is_down = false;
        for part in target.components() {
            match part {
                Component::Normal(part) => {
                    at.push(part);
                    is_down = true;
                }
                // What was gone down may be a link, from which it goes up somewhere else.
                Component::ParentDir if !is_down && at.pop() => {}
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
            }
        }
        self.roots.iter().any(|root| at.starts_with(root))
    }
}

fn shown(name: &[u8]) -> String {
    crate::base::clean(&String::from_utf8_lossy(name), 100)
}

#[cfg(test)]
#[path = "tarball_tests.rs"]
mod tests;
