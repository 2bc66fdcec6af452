//! Text that somebody else controls, made printable: the step that every renderer takes before it escapes. Pure.
//!
//! What is left may still be Markdown or HTML, which is the renderer's business; it can no longer steer a terminal,
//! reorder what is read, hide in zero width, break a line, or run on for ever.

use crate::base::{is_invisible, without_escapes};

/// The longest name or literal that a report shows.
pub const MAX_NAME: usize = 80;
/// The longest piece of running text.
pub const MAX_TEXT: usize = 400;
/// The end of a command's output that a report shows.
const MAX_CODE_LINES: usize = 40;
const MAX_CODE_LINE: usize = 240;
const MAX_CODE_CHARS: usize = 4_000;

/// One line: escape sequences removed, line breaks and tabs as spaces, other unprintable characters as `\u{fffd}`,
/// cut to `max` characters with `…`.
pub fn line(raw: &str, max: usize) -> String {
    let mut out = String::new();
    // A cell costs no more than what is shown of it, however long the text is.
    let head: String = raw.chars().take(max.saturating_mul(4)).collect();
    let shortened = head.len() < raw.len();
    let visible = without_escapes(&head);
    for (n_chars, c) in visible.chars().enumerate() {
        if n_chars == max {
            return cut(&out);
        }
        out.push(match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => ' ',
            c if is_unprintable(c) => '\u{fffd}',
            c => c,
        });
    }
    if shortened {
        return cut(&out);
    }
    out
}

fn cut(text: &str) -> String {
    let mut out: String = text.to_owned();
    out.pop();
    out.push('…');
    out
}

/// Several lines, the last ones when there are too many; each is printable and of bounded length.
pub fn block(raw: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut n_chars = 0;
    let mut left_out = false;
    for raw_line in raw.trim_end().rsplit('\n') {
        let expanded = raw_line.trim_end_matches('\r').replace('\t', "    ");
        let shown = line(&expanded, MAX_CODE_LINE);
        n_chars += shown.chars().count() + 1;
        if lines.len() == MAX_CODE_LINES || n_chars > MAX_CODE_CHARS {
            left_out = true;
            break;
        }
        lines.push(shown.trim_end().to_owned());
    }
    if left_out {
        lines.push("…".to_owned());
    }
    lines.reverse();
    lines.join("\n")
}

/// Controls, line and paragraph separators, and what is invisible.
pub fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

/// Makes workflow commands inert in finished text: GitHub's runner reads `::name::` at the start of a line (blanks
/// before it do not matter) and `##[name]` anywhere. A zero-width space inside either is enough.
pub fn without_commands(finished: &str) -> String {
    if !finished.contains("::") && !finished.contains("##[") {
        return finished.to_owned();
    }
    let lines: Vec<String> = finished
        .split('\n')
        .map(|line| {
            let line = line.replace("##[", "##\u{200b}[");
            let start = without_escapes(&line);
            if start.trim_start().starts_with("::") {
                line.replacen("::", ":\u{200b}:", 1)
            } else {
                line
            }
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_printable_text() {
        assert_eq!(line("a\nb\tc\0d", 80), "a b c\u{fffd}d");
        assert_eq!(
            line(
                "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\",
                80
            ),
            "red link"
        );
        assert_eq!(line("\u{9b}31mx\u{9d}0;title\u{9c}y", 80), "xy");
        assert_eq!(line("user\u{202e}gpj.exe", 80), "user\u{fffd}gpj.exe");
        assert_eq!(line("sm\u{200b}all", 80), "sm\u{fffd}all");
        assert_eq!(line("größe 尺寸", 80), "größe 尺寸");
    }

    #[test]
    fn long_text_is_cut_with_an_ellipsis() {
        assert_eq!(line(&"x".repeat(500), 10), "xxxxxxxxx…");
        assert_eq!(line("0123456789", 10), "0123456789");
        assert_eq!(line(&format!("ab{}", "\u{1b}[31m".repeat(1000)), 10), "a…");
    }

    #[test]
    fn a_block_keeps_its_end() {
        let raw: String = (0..100).map(|i| format!("line {i}")).collect::<Vec<_>>().join("\r\n");
        let shown = block(&raw);
        assert!(shown.starts_with("…\nline 60\n"), "{shown}");
        assert!(shown.ends_with("line 99"));
        assert_eq!(block("\ta\u{7}"), "    a\u{fffd}");
    }

    #[test]
    fn workflow_commands_lose_their_meaning() {
        assert_eq!(without_commands("  ::error::x\nok ::y"), "  :\u{200b}:error::x\nok ::y");
        assert_eq!(without_commands("a ##[error]x"), "a ##\u{200b}[error]x");
        assert_eq!(without_commands("\u{1b}[1m::error::x"), "\u{1b}[1m:\u{200b}:error::x");
    }
}
