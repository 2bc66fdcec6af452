//! What in a text of somebody else's can steer a terminal or hide from a reader. Pure.

/// Leaves out what ECMA-48 calls control sequences and control strings, in their 7-bit and 8-bit forms. One that is not
/// ended stops at the end of its line.
pub fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let introducer = match c {
            '\u{1b}' => match chars.next_if(|next| *next != '\n') {
                Some(next) => next,
                None => continue,
            },
            '\u{9b}' => '[',
            '\u{9d}' | '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => ']',
            _ => {
                out.push(c);
                continue;
            }
        };
        match introducer {
            // Parameters and intermediates are 0x20 to 0x3f; the next one ends the sequence.
            '[' => {
                while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
                chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
            ']' | 'P' | 'X' | '^' | '_' => {
                while let Some(c) = chars.next_if(|c| *c != '\n') {
                    if c == '\u{7}' || c == '\u{9c}' {
                        break;
                    }
                    if c == '\u{1b}' && chars.next_if_eq(&'\\').is_some() {
                        break;
                    }
                }
            }
            // Two-character sequences, and those with intermediate characters such as `ESC ( B`.
            '\u{20}'..='\u{2f}' => {
                while chars.next_if(|c| ('\u{20}'..='\u{2f}').contains(c)).is_some() {}
                chars.next_if(|c| ('\u{30}'..='\u{7e}').contains(c));
            }
            _ => {}
        }
    }
    out
}

/// Without width, or turning the direction of what follows.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// `1 row`, `2 rows`.
pub fn counted(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

/// A text of somebody else's on one line, without anything that steers, and not long.
pub fn clean(text: &str, at_most: usize) -> String {
    let line: String = without_escapes(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !is_invisible(*c))
        .take(at_most)
        .collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_and_text_stays() {
        let link = "\u{1b}]8;;https://x\u{7}link\u{1b}]8;;\u{1b}\\";
        for (raw, plain) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{9b}2Jgone", "gone"),
            (link, "link"),
            ("\u{1b}(Bplain", "plain"),
            ("\u{1b}Pnever ended\nnext", "\nnext"),
            ("end\u{1b}", "end"),
            ("\u{1b}[31\u{e9}", "\u{e9}"),
        ] {
            assert_eq!(without_escapes(raw), plain, "{raw:?}");
        }
    }
}
