//! Which lines a change added, and which findings are therefore its own. Pure.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::patch::{Body, Hunk, Line};

/// Which findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Those on lines that the change added.
    Added,
    /// Those in files that it changed.
    File,
    All,
}

/// The files that a change touched, with the lines that it added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    files: BTreeMap<String, Lines>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Lines {
    All,
    /// Without overlaps, in order, both ends included.
    Added(Vec<(u32, u32)>),
}

impl Changed {
    /// Takes one file's hunks, as GitHub lists them.
    pub fn add_patch(&mut self, path: &str, patch: &str) {
        let lines: Vec<&str> = patch.lines().collect();
        self.touch(path);
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            at += 1;
            if let Some(hunk) = Hunk::read(line) {
                at += self.add_hunk(path, hunk, &lines[at..]);
            }
        }
    }

    /// Takes a file whose lines all count: of which GitHub gives no hunks, since it is too large.
    pub fn add_whole(&mut self, path: &str) {
        self.files.insert(path.to_owned(), Lines::All);
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn touch(&mut self, path: &str) {
        self.files
            .entry(path.to_owned())
            .or_insert_with(|| Lines::Added(Vec::new()));
    }

    /// How many lines it took.
    fn add_hunk(&mut self, path: &str, hunk: Hunk, lines: &[&str]) -> usize {
        let mut body = Body::new(hunk, lines);
        let ranges = match self.files.get_mut(path) {
            Some(Lines::Added(ranges)) => Some(ranges),
            _ => None,
        };
        let mut unused = Vec::new();
        let ranges = ranges.unwrap_or(&mut unused);
        for (line, _, new) in body.by_ref() {
            if let Line::Added(_) = line {
                match ranges.last_mut() {
                    Some((_, end)) if end.checked_add(1) == Some(new) => *end = new,
                    _ => ranges.push((new, new)),
                }
            }
        }
        body.n_taken
    }

    fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn has_lines(&self, path: &str, first: u32, last: u32) -> bool {
        match self.files.get(path) {
            None => false,
            Some(Lines::All) => true,
            Some(Lines::Added(ranges)) => ranges.iter().any(|(start, end)| first <= *end && *start <= last),
        }
    }
}

/// The added lines by the output of `git diff -U0`, or with context. Git is to be asked for its own prefixes
/// (`--src-prefix=a/ --dst-prefix=b/`), and for no colors and no external programs.
pub fn changed_lines(patch: &str) -> Changed {
    let mut changed = Changed::default();
    let lines: Vec<&str> = patch.lines().collect();
    let mut path: Option<String> = None;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if let Some(names) = line.strip_prefix("diff --git ") {
            // The only line about a file that is binary, empty or has another mode.
            path = same_name(names);
        } else if let Some(name) = line.strip_prefix("+++ ") {
            path = side(name, "b/");
        } else if let Some(name) = line
            .strip_prefix("rename to ")
            .or_else(|| line.strip_prefix("copy to "))
        {
            path = unquoted(name);
        } else if let (Some(path), Some(hunk)) = (&path, Hunk::read(line)) {
            at += changed.add_hunk(path, hunk, &lines[at..]);
            continue;
        } else {
            continue;
        }
        if let Some(path) = &path {
            changed.touch(path);
        }
    }
    changed
}

/// Those that the filter shows, and how many it hides. What is about no file of the repository is always shown.
pub fn filter(findings: Vec<Finding>, changed: &Changed, filter: Filter) -> (Vec<Finding>, usize) {
    let n = findings.len();
    let kept: Vec<Finding> = findings
        .into_iter()
        .filter(|finding| is_shown(finding, changed, filter))
        .collect();
    let n_hidden = n - kept.len();
    (kept, n_hidden)
}

fn is_shown(finding: &Finding, changed: &Changed, filter: Filter) -> bool {
    if finding.path.is_empty() {
        return true;
    }
    match (filter, finding.line) {
        (Filter::All, _) => true,
        (Filter::File, _) | (Filter::Added, None) => changed.has_file(&finding.path),
        (Filter::Added, Some(line)) => {
            let last = finding.end_line.unwrap_or(line).max(line);
            changed.has_lines(&finding.path, line, last)
        }
    }
}

/// The name in `a/NAME b/NAME`, if both are the same.
fn same_name(names: &str) -> Option<String> {
    if names.starts_with('"') {
        let (first, second) = names.split_once("\" ")?;
        let new = side(second, "b/")?;
        return (side(&format!("{first}\""), "a/")? == new).then_some(new);
    }
    // Names may have spaces: both halves are as long.
    let half = names.len().checked_sub(1)? / 2;
    let (old, new) = (names.get(..half)?, names.get(half + 1..)?);
    let name = old.strip_prefix("a/")?;
    (new.strip_prefix("b/")? == name).then(|| name.to_owned())
}

fn side(name: &str, prefix: &str) -> Option<String> {
    // Git puts a tab behind a name with spaces.
    let whole = unquoted(name.strip_suffix('\t').unwrap_or(name))?;
    whole.strip_prefix(prefix).map(str::to_owned)
}

/// A name as Git writes it: as it is, or in quotes with the escapes of C.
fn unquoted(name: &str) -> Option<String> {
    let Some(inner) = name.strip_prefix('"') else {
        return (!name.is_empty()).then(|| name.to_owned());
    };
    let mut bytes = inner.strip_suffix('"')?.bytes();
    let mut out = Vec::with_capacity(inner.len());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            first @ b'0'..=b'3' => {
                let mut value = first - b'0';
                for _ in 0..2 {
                    let digit = bytes.next().filter(|digit| (b'0'..=b'7').contains(digit))?;
                    value = value * 8 + (digit - b'0');
                }
                value
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}
