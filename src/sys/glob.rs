//! Finds files by a pattern that somebody wrote, without leaving the directory it is meant for.

use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::{FileError, FileKind, kind, list};

/// More names than this are not looked at.
const MAX_VISITED: usize = 200_000;

/// The files that `pattern` names, sorted; none is an empty list.
///
/// A relative pattern is looked up in `root` and stays there: `..` and symbolic links that lead out are refused.
/// An absolute pattern is taken as its author meant it, wherever it leads, except to `/proc`, `/sys` and `/dev`; whoever
/// runs patterns of people who may not read the machine's files asks [`inside`] about each result.
/// `*` and `?` match within one name, `**` any number of directories, `{a,b}` and `[a-z]` as usual. Names that begin
/// with a dot are left out unless a part of the pattern does too. Linked directories are not searched by `**`.
pub fn glob(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, FileError> {
    let refuse = |why: &str| FileError::Pattern {
        pattern: pattern.to_owned(),
        why: why.to_owned(),
    };
    let written = Path::new(pattern);
    let relative = pattern.strip_prefix("./").unwrap_or(pattern);
    if relative.is_empty() || relative.contains('\0') {
        return Err(refuse("it is empty or has a NUL character"));
    }
    if !written.is_absolute() && written.components().any(|part| part == Component::ParentDir) {
        return Err(FileError::Outside {
            path: written.to_owned(),
            root: root.to_owned(),
        });
    }
    // A name with brackets in it is a name first.
    let literal = root.join(relative);
    let found = if kind(&literal)?.is_some() {
        vec![literal]
    } else {
        let (base, rest) = literal_part(relative);
        if rest.is_empty() {
            return Ok(Vec::new());
        }
        let glob = GlobBuilder::new(&rest)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|error| refuse(&error.kind().to_string()))?;
        let hidden = rest.split('/').any(|part| part.starts_with('.'));
        let mut search = Search {
            glob: glob.compile_matcher(),
            hidden,
            depth: depth(&rest),
            n_visited: 0,
            found: Vec::new(),
        };
        let base = root.join(base);
        if !base.is_dir() {
            return Ok(Vec::new());
        }
        if !written.is_absolute() {
            inside(root, &base)?;
        }
        search.walk(&base, Path::new(""))?;
        search.found
    };
    let mut files = Vec::with_capacity(found.len());
    for path in found {
        let target = real(&path)?;
        if written.is_absolute() {
            let is_system = ["/proc", "/sys", "/dev"].iter().any(|place| target.starts_with(place));
            if is_system {
                return Err(FileError::NotAFile { path });
            }
        } else {
            inside(root, &path)?;
        }
        if target.is_file() {
            files.push(path);
        } else if !target.is_dir() {
            return Err(FileError::NotAFile { path });
        }
    }
    files.sort();
    Ok(files)
}

/// Where `path` really is, if that is in `root`; links are followed.
pub fn inside(root: &Path, path: &Path) -> Result<PathBuf, FileError> {
    let (real_root, target) = (real(root)?, real(path)?);
    if target.starts_with(&real_root) {
        Ok(target)
    } else {
        Err(FileError::Outside {
            path: path.to_owned(),
            root: root.to_owned(),
        })
    }
}

/// The same path from the root of the file system; links stay.
pub fn absolute(path: &Path) -> Result<PathBuf, FileError> {
    std::path::absolute(path).map_err(|source| FileError::io("find", path, source))
}

fn real(path: &Path) -> Result<PathBuf, FileError> {
    path.canonicalize()
        .map_err(|source| FileError::io("find", path, source))
}

/// Splits at the first part that has a wildcard: the search begins below what is before it.
fn literal_part(pattern: &str) -> (String, String) {
    let parts: Vec<&str> = pattern.split('/').collect();
    let n_literal = parts
        .iter()
        .position(|part| part.contains(['*', '?', '[', '{', '\\']))
        .unwrap_or(parts.len());
    let base = parts[..n_literal].join("/");
    let base = if pattern.starts_with('/') {
        format!("/{base}")
    } else {
        base
    };
    (base, parts[n_literal..].join("/"))
}

/// How many names below the search's beginning a match can have; `None` if any number.
fn depth(pattern: &str) -> Option<usize> {
    // Alternatives may hold separators, so only patterns without them have a depth that can be counted.
    if pattern.contains("**") || pattern.contains('{') {
        None
    } else {
        Some(pattern.split('/').count())
    }
}

struct Search {
    glob: GlobMatcher,
    hidden: bool,
    depth: Option<usize>,
    n_visited: usize,
    found: Vec<PathBuf>,
}

impl Search {
    fn walk(&mut self, dir: &Path, below: &Path) -> Result<(), FileError> {
        let listed = match list(dir) {
            Err(error) if error.is_not_found() => return Ok(()),
            listed => listed?,
        };
        for entry in listed {
            self.n_visited += 1;
            if self.n_visited > MAX_VISITED {
                return Err(FileError::TooMany {
                    path: dir.to_owned(),
                    limit: MAX_VISITED,
                });
            }
            if !self.hidden && entry.name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (path, relative) = (dir.join(&entry.name), below.join(&entry.name));
            match entry.kind {
                FileKind::Directory => {
                    let n_parts = relative.components().count();
                    // Directories nest deeper than any path can be long only on file systems that are made for it.
                    if self.depth.map_or(n_parts < 256, |depth| n_parts < depth) {
                        self.walk(&path, &relative)?;
                    }
                }
                FileKind::File | FileKind::Symlink | FileKind::Special => {
                    if self.glob.is_match(&relative) {
                        self.found.push(path);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests set the scene themselves")]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        std::fs::create_dir_all(root.join("data/2024/q1")).unwrap();
        std::fs::create_dir_all(root.join("data/.hidden")).unwrap();
        for name in [
            "data/a.csv",
            "data/b.csv",
            "data/c.txt",
            "data/2024/d.csv",
            "data/2024/q1/e.csv",
            "data/.hidden/f.csv",
            "data/.g.csv",
            "data/part[1].csv",
        ] {
            std::fs::write(root.join(name), name).unwrap();
        }
        std::fs::write(dir.path().join("secret.csv"), "secret").unwrap();
        dir
    }

    /// What each pattern finds, one line each, relative to the repository; or the error.
    fn check(dir: &tempfile::TempDir, patterns: &[&str]) -> String {
        let root = dir.path().join("repo");
        let one = |pattern: &&str| match glob(&root, pattern) {
            Ok(paths) if paths.is_empty() => "(none)".to_owned(),
            Ok(paths) => paths
                .iter()
                .map(|p| p.strip_prefix(&root).unwrap_or(p).display().to_string())
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string().replace(&dir.path().display().to_string(), "[dir]"),
        };
        patterns
            .iter()
            .map(|p| format!("{p} => {}", one(p)))
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn finds_what_a_shell_would() {
        let dir = tree();
        insta::assert_snapshot!(check(&dir, &[
            "data/a.csv",
            "./data/*.csv",
            "data/**/*.csv",
            "data/*/*.csv",
            "data/{a,c}.*",
            "data/.*.csv",
            "data/part[1].csv",
            "data/none*.csv",
            "nowhere/x.csv",
            "data",
            "data/[.csv",
        ]), @r"
        data/a.csv => data/a.csv
        ./data/*.csv => data/a.csv data/b.csv data/part[1].csv
        data/**/*.csv => data/2024/d.csv data/2024/q1/e.csv data/a.csv data/b.csv data/part[1].csv
        data/*/*.csv => data/2024/d.csv
        data/{a,c}.* => data/a.csv data/c.txt
        data/.*.csv => data/.g.csv
        data/part[1].csv => data/part[1].csv
        data/none*.csv => (none)
        nowhere/x.csv => (none)
        data => (none)
        data/[.csv => `data/[.csv` is not a usable pattern: unclosed character class; missing ']'
        ");
    }

    #[test]
    fn does_not_leave_the_root() {
        let dir = tree();
        let root = dir.path().join("repo");
        std::os::unix::fs::symlink("../../secret.csv", root.join("data/z.csv")).unwrap();
        std::os::unix::fs::symlink("../..", root.join("data/up")).unwrap();
        std::os::unix::fs::symlink("a.csv", root.join("data/inner.csv")).unwrap();
        insta::assert_snapshot!(check(&dir, &[
            "../secret.csv",
            "data/../../secret.csv",
            "data/z.csv",
            "data/z*",
            "data/up/*.csv",
            "data/up/secret.csv",
            "data/inner*",
            "/proc/self/environ",
            "/dev/null",
        ]), @r"
        ../secret.csv => `../secret.csv` is outside of `[dir]/repo`
        data/../../secret.csv => `data/../../secret.csv` is outside of `[dir]/repo`
        data/z.csv => `[dir]/repo/data/z.csv` is outside of `[dir]/repo`
        data/z* => `[dir]/repo/data/z.csv` is outside of `[dir]/repo`
        data/up/*.csv => `[dir]/repo/data/up` is outside of `[dir]/repo`
        data/up/secret.csv => `[dir]/repo/data/up/secret.csv` is outside of `[dir]/repo`
        data/inner* => data/inner.csv
        /proc/self/environ => `/proc/self/environ` is not an ordinary file
        /dev/null => `/dev/null` is not an ordinary file
        ");
    }

    #[test]
    fn an_absolute_pattern_is_taken_at_its_word() {
        let dir = tree();
        let pattern = dir.path().join("*.csv").display().to_string();
        assert_eq!(
            glob(&dir.path().join("repo"), &pattern).unwrap(),
            [dir.path().join("secret.csv")]
        );
        assert!(inside(&dir.path().join("repo"), &dir.path().join("secret.csv")).is_err());
    }

    static SHARED: LazyLock<tempfile::TempDir> = LazyLock::new(tree);

    proptest::proptest! {
        #[test]
        fn any_pattern_ends_inside(pattern in "(\\.\\./|[a-d*?\\[\\]{}.,/\\\\]){1,12}") {
            let root = SHARED.path().join("repo");
            if !pattern.starts_with('/') && let Ok(paths) = glob(&root, &pattern) {
                for path in paths {
                    proptest::prop_assert!(inside(&root, &path).is_ok());
                }
            }
        }
    }
}
