//! Captured output made harmless, in lines, with a bounded end. Pure.

use std::collections::VecDeque;

use crate::base::{is_invisible, without_escapes};

/// A longer line is cut here.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// What stands for the rest of a line that was cut.
const CUT: &str = " […]";
/// More combining marks than this on one character serve nobody's language.
const MAX_MARKS: usize = 4;

/// Captured text that steers nothing: not a terminal, not the runner that reads a log, not the direction of a line.
///
/// - Escape sequences (colors, cursor, titles, links) go as a whole; an unfinished one ends with its line.
/// - Of a line that a carriage return overwrites, what comes after the last one stays.
/// - Control characters other than tab and newline, marks that turn the direction of text, and characters without width
///   go; line and paragraph separators become a space; a character keeps at most four combining marks.
/// - Workflow commands are broken with a space that one can see: `::` at the beginning of a line (after any white
///   space, which the runner skips too) becomes `: :`, and `##[` anywhere becomes `# #[`.
///
/// Doing it twice changes nothing more. What HTML and Markdown need beyond this is escaped where they are written.
pub fn neutralise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let line = line.trim_end_matches('\r');
        let last = line.rsplit('\r').next().unwrap_or_default();
        let plain = without_invisible(&without_escapes(last));
        let broken = plain.replace("##[", "# #[");
        let body = broken.trim_start();
        if let Some(rest) = body.strip_prefix("::") {
            out.push_str(&broken[..broken.len() - body.len()]);
            out.push_str(": :");
            out.push_str(rest);
        } else {
            out.push_str(&broken);
        }
    }
    out
}

fn without_invisible(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut n_marks = 0;
    for c in line.chars() {
        n_marks = if is_combining(c) { n_marks + 1 } else { 0 };
        match c {
            '\t' => out.push(c),
            '\u{2028}' | '\u{2029}' => out.push(' '),
            _ if c.is_control() || is_invisible(c) || n_marks > MAX_MARKS => {}
            _ => out.push(c),
        }
    }
    out
}

fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// Bytes as they come, made into lines of bounded length.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    is_cut: bool,
    ended_with_return: bool,
}

impl Lines {
    /// Takes the next bytes and hands on each line that they complete, without its end, made harmless.
    pub fn push(&mut self, bytes: &[u8], on_line: &mut (dyn FnMut(&str) + Send)) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n' || byte == b'\r') {
            let (content, end) = match piece.split_last() {
                Some((end @ (b'\n' | b'\r'), content)) => (content, Some(*end)),
                _ => (piece, None),
            };
            if !content.is_empty() {
                // A progress bar draws over itself: only what it drew last is kept, so it never grows.
                if self.ended_with_return {
                    self.clear();
                }
                let room = MAX_LINE_BYTES - self.line.len();
                self.is_cut |= content.len() > room;
                self.line.extend_from_slice(&content[..content.len().min(room)]);
            }
            match end {
                Some(b'\n') => self.emit(on_line),
                Some(_) => self.ended_with_return = true,
                None => {}
            }
        }
    }

    /// Hands on the last line if it has no end.
    pub fn finish(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) {
        if !self.line.is_empty() {
            self.emit(on_line);
        }
    }

    fn emit(&mut self, on_line: &mut (dyn FnMut(&str) + Send)) {
        let mut text = neutralise(&String::from_utf8_lossy(&self.line));
        if self.is_cut {
            text.truncate(text.trim_end_matches('\u{fffd}').len());
            text.push_str(CUT);
        }
        self.clear();
        on_line(&text);
    }

    fn clear(&mut self) {
        self.line.clear();
        self.is_cut = false;
        self.ended_with_return = false;
    }
}

/// The last lines of an output, within a number of lines and of bytes.
#[derive(Debug)]
pub struct Tail {
    lines: VecDeque<String>,
    n_bytes: usize,
    n_dropped: u64,
    max_lines: usize,
    max_bytes: usize,
}

impl Tail {
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            n_bytes: 0,
            n_dropped: 0,
            max_lines,
            max_bytes,
        }
    }

    pub fn push(&mut self, line: &str) {
        let mut start = line.len().saturating_sub(self.max_bytes);
        while !line.is_char_boundary(start) {
            start += 1;
        }
        let line = &line[start..];
        self.n_bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.lines.len() > self.max_lines || (self.n_bytes > self.max_bytes && self.lines.len() > 1) {
            if let Some(dropped) = self.lines.pop_front() {
                self.n_bytes -= dropped.len() + 1;
                self.n_dropped += 1;
            }
        }
    }

    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The lines, and before them how many are left out, if any are.
    pub fn text(&self) -> String {
        let mut text = match self.n_dropped {
            0 => String::new(),
            1 => "… 1 earlier line is left out\n".to_owned(),
            n => format!("… {n} earlier lines are left out\n"),
        };
        for (index, line) in self.lines.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text.push_str(line);
        }
        text
    }
}

/// As much as a report shows of one command.
impl Default for Tail {
    fn default() -> Self {
        Self::new(200, 16 * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_steered() {
        for (given, expected) in [
            ("plain text, größe ✓ 数", "plain text, größe ✓ 数"),
            ("\u{1b}[1;31mred\u{1b}[0m\tnot", "red\tnot"),
            ("\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{7}", "link"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("a\u{1b}]0;never ended\nnext", "a\nnext"),
            ("\u{9b}31mred \u{1b}(Bcharset \u{1b}c", "red charset "),
            ("\u{1b}Pq#0;2\u{1b}\\sixel gone", "sixel gone"),
            ("10 %\r50 %\r100 %\r\nok", "100 %\nok"),
            ("bell\u{7} back\u{8}space nul\0", "bell backspace nul"),
            ("admin\u{202e}gnp.exe\u{2066}x\u{2069}", "admingnp.exex"),
            ("z\u{200b}e\u{200d}r\u{feff}o\u{e0041}", "zero"),
            ("a\u{2028}b\u{85}c", "a bc"),
            (
                "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
                "e\u{301}\u{301}\u{301}\u{301}",
            ),
        ] {
            assert_eq!(neutralise(given), expected, "{given:?}");
        }
    }

    #[test]
    fn workflow_commands_are_broken() {
        for (given, expected) in [
            ("::error file=a::b", ": :error file=a::b"),
            ("  \t::set-env name=A::b", "  \t: :set-env name=A::b"),
            ("\u{a0}::stop-commands::x", "\u{a0}: :stop-commands::x"),
            (":\u{200b}:add-mask::x", ": :add-mask::x"),
            ("\u{1b}[0m::add-path::x", ": :add-path::x"),
            ("harmless\r::warning::x", ": :warning::x"),
            ("tests/test_a.py::test_b PASSED", "tests/test_a.py::test_b PASSED"),
            (
                "see ##[error]x and ##\u{200d}[group]y",
                "see # #[error]x and # #[group]y",
            ),
            ("###[command]", "## #[command]"),
            ("a\n::debug::b", "a\n: :debug::b"),
            (":::x", ": ::x"),
        ] {
            assert_eq!(neutralise(given), expected, "{given:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn twice_is_once(text in "(::|##\\[|\u{1b}\\[|\u{1b}\\]|\\r|\\n|\u{200b}|[ a-c:#\\[\u{301}\u{9b}m;]|\\PC){0,40}") {
            let once = neutralise(&text);
            proptest::prop_assert_eq!(&neutralise(&once), &once);
            proptest::prop_assert!(!once.contains("##["));
            proptest::prop_assert!(!once.lines().any(|line| line.trim_start().starts_with("::")));
            proptest::prop_assert!(!once.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
        }

        #[test]
        fn chunks_do_not_matter(text in "([a-z\\n\\r]|é|\u{1b}\\[0m){0,60}", size in 1_usize..9) {
            let whole = collect(&[text.as_bytes()]);
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            proptest::prop_assert_eq!(collect(&chunks), whole);
        }
    }

    fn collect(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.push(chunk, &mut |line| out.push(line.to_owned()));
        }
        lines.finish(&mut |line| out.push(line.to_owned()));
        out
    }

    #[test]
    fn lines_are_cut_and_decoded() {
        assert_eq!(collect(&[b"a\r", b"\nb\xffc\n\nlast"]), ["a", "b\u{fffd}c", "", "last"]);
        let long = collect(&["x".repeat(20_000).as_bytes(), b"\nshort\n"]);
        assert_eq!(long[0].len(), MAX_LINE_BYTES + CUT.len());
        assert_eq!(long[1], "short");
        let umlauts = "ü".repeat(MAX_LINE_BYTES);
        let cut = collect(&[b"x", umlauts.as_bytes()]);
        assert!(cut[0].ends_with("ü […]"), "no half character at the cut");
        let bar: Vec<u8> = (0..5_000).flat_map(|i| format!("\rstep {i}").into_bytes()).collect();
        assert_eq!(collect(&[&bar, b"\n"]), ["step 4999"]);
    }

    #[test]
    fn the_tail_is_the_end() {
        let mut tail = Tail::new(3, 100);
        for i in 0..5 {
            tail.push(&format!("line {i}"));
        }
        insta::assert_snapshot!(tail.text(), @r"
        … 2 earlier lines are left out
        line 2
        line 3
        line 4
        ");
        let mut small = Tail::new(100, 10);
        small.push("first");
        small.push("äääääääääääää");
        assert_eq!(small.text(), "… 1 earlier line is left out\näääää");
    }
}
