//! The pieces of unified diffs, of Git and of formatters. Pure.

/// `@@ -old,n_old +new,n_new @@`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hunk {
    pub old: u32,
    pub n_old: u32,
    pub new: u32,
    pub n_new: u32,
}

impl Hunk {
    pub fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("@@ -")?;
        let (old, rest) = rest.split_once(" +")?;
        let (new, _) = rest.split_once(" @@")?;
        let (old, n_old) = range(old)?;
        let (new, n_new) = range(new)?;
        Some(Self { old, n_old, new, n_new })
    }
}

fn range(text: &str) -> Option<(u32, u32)> {
    match text.split_once(',') {
        Some((start, n)) => Some((start.parse().ok()?, n.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

/// What a line of a hunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'t> {
    Kept,
    Removed(&'t str),
    Added(&'t str),
}

/// The lines of a hunk, with where each stands on both sides; stops where the hunk is full or the text is no diff.
#[derive(Debug)]
pub(super) struct Body<'t> {
    left: Hunk,
    lines: &'t [&'t str],
    /// How many lines of the text were taken.
    pub n_taken: usize,
}

impl<'t> Body<'t> {
    pub fn new(hunk: Hunk, lines: &'t [&'t str]) -> Self {
        // A side without lines names the line before it.
        let left = Hunk {
            old: hunk.old.saturating_add(u32::from(hunk.n_old == 0)),
            new: hunk.new.saturating_add(u32::from(hunk.n_new == 0)),
            ..hunk
        };
        Self {
            left,
            lines,
            n_taken: 0,
        }
    }
}

impl<'t> Iterator for Body<'t> {
    /// The line, and the numbers of the next line on the old and on the new side.
    type Item = (Line<'t>, u32, u32);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Hunk { old, n_old, new, n_new } = self.left;
            let line = self.lines.get(self.n_taken)?;
            // `\ No newline at end of file` belongs to the line before it.
            if line.starts_with('\\') {
                self.n_taken += 1;
                continue;
            }
            if n_old == 0 && n_new == 0 {
                return None;
            }
            let (found, by_old, by_new) = match line.as_bytes().first() {
                Some(b'-') => (Line::Removed(&line[1..]), 1, 0),
                Some(b'+') => (Line::Added(&line[1..]), 0, 1),
                // Some cut the space of an empty line.
                Some(b' ') | None => (Line::Kept, 1, 1),
                Some(_) => return None,
            };
            self.left = Hunk {
                old: old.saturating_add(by_old),
                n_old: n_old.checked_sub(by_old)?,
                new: new.saturating_add(by_new),
                n_new: n_new.checked_sub(by_new)?,
            };
            self.n_taken += 1;
            return Some((found, old, new));
        }
    }
}
