//! Texts of others as a tracker may keep them, and names that its protocol takes. Pure.

use serde_json::Value;

use crate::base::{Digest, is_invisible, without_escapes};

/// The longest text in a cell, a setting or a caption, in characters.
pub const MAX_TEXT: usize = 400;
/// The longest name of anything, in characters.
pub const MAX_NAME: usize = 80;
/// What W&B takes for a tag of a run.
const MAX_TAG: usize = 64;
/// The most entries of one list or mapping in the settings.
const MAX_ENTRIES: usize = 1_000;

/// One line: without control sequences, breaks and tabs as spaces, what is invisible left out, cut to `max` characters
/// with `…`.
pub fn plain(raw: &str, max: usize) -> String {
    // A cell costs no more than what is kept of it, however long the text is.
    let head: String = raw.chars().take(max.saturating_mul(4)).collect();
    let was_cut = head.len() < raw.len();
    let mut shown: Vec<char> = without_escapes(&head)
        .chars()
        .filter_map(|c| match c {
            c if c.is_whitespace() => Some(' '),
            c if c.is_control() || is_invisible(c) => None,
            c => Some(c),
        })
        .collect();
    if shown.len() > max || was_cut {
        shown.truncate(max.saturating_sub(1));
        shown.push('…');
    }
    shown.into_iter().collect()
}

/// A name for one part of a path such as `test/rmse`: letters, digits, `_` and `-`, at most [`MAX_NAME`].
///
/// A dot becomes a step of the path, since W&B takes it for one: `metrics.rmse` is `metrics/rmse`. A name that has to be
/// changed further ends in a piece of its digest, so that two of them stay two.
pub fn path(raw: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_usable = raw.len() <= MAX_NAME
        && raw
            .split('.')
            .all(|part| !part.is_empty() && part.chars().all(is_plain));
    if is_usable {
        return raw.replace('.', "/");
    }
    let mut name: String = raw
        .chars()
        .take(MAX_NAME - 13)
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    name.push('-');
    name.push_str(&Digest::of(raw.as_bytes()).short());
    name
}

/// A tag by W&B's rule: words of letters, digits, `_` and `-` with single spaces between them; `None` if nothing is
/// left.
pub fn tag(raw: &str) -> Option<String> {
    let safe: String = raw
        .chars()
        .take(MAX_TAG)
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ') => c,
            _ => '-',
        })
        .collect();
    let words: Vec<&str> = safe.split_whitespace().collect();
    let tag = words.join(" ");
    tag.contains(|c: char| c.is_ascii_alphanumeric()).then_some(tag)
}

/// Letters of the lower case, digits and `-`: a part of an identity; `none` if nothing is left.
pub fn word(raw: &str) -> String {
    let word: String = raw
        .chars()
        .take(32)
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => c,
            _ => '-',
        })
        .collect();
    match word.trim_matches('-') {
        "" => "none".to_owned(),
        word => word.to_owned(),
    }
}

/// A code span of Markdown, in which nothing of somebody else's text acts.
pub fn code(raw: &str) -> String {
    let shown = plain(raw, MAX_NAME).replace('`', "'");
    let shown = shown.trim();
    if shown.is_empty() {
        return "—".to_owned();
    }
    format!("`{shown}`")
}

/// A setting that was written as text, with the type that it has: `1.0` is a number, `true` a truth, `null` nothing.
pub fn typed(raw: &str) -> Value {
    match raw {
        "null" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(whole) = raw.parse::<i64>() {
        return whole.into();
    }
    let begins_like_one = raw.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    match raw.parse::<f64>() {
        // JSON has no infinity: such a number stays the text that it was.
        Ok(number) if number.is_finite() && begins_like_one => number.into(),
        Ok(_) | Err(_) => plain(raw, MAX_TEXT).into(),
    }
}

/// Settings with every text plain and every list within bounds.
pub fn tidy(value: Value) -> Value {
    match value {
        Value::String(text) => plain(&text, MAX_TEXT).into(),
        Value::Array(list) => list.into_iter().take(MAX_ENTRIES).map(tidy).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .take(MAX_ENTRIES)
            .map(|(key, value)| (plain(&key, MAX_NAME), tidy(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_one_printable_line() {
        assert_eq!(plain("a\nb\tc\0d\u{202e}e\u{200b}", 80), "a b cde");
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m", 80), "red");
        assert_eq!(plain("0123456789", 10), "0123456789");
        assert_eq!(plain("0123456789a", 10), "012345678…");
        assert_eq!(plain(&"\u{1b}[31m".repeat(1_000), 10), "…");
    }

    #[test]
    fn names_are_paths_and_stay_apart() {
        assert_eq!(path("rmse"), "rmse");
        assert_eq!(path("metrics.rmse"), "metrics/rmse");
        let (one, other) = (path("a b"), path("a\u{a0}b"));
        assert_ne!(one, other);
        assert!(one.starts_with("a_b-") && other.starts_with("a_b-"), "{one} {other}");
        assert!(path("..").starts_with("__-"));
        assert!(path("").starts_with('-'));
        assert_eq!(path(&"x".repeat(500)).len(), MAX_NAME);
    }

    #[test]
    fn tags_follow_the_rule() {
        assert_eq!(tag("pr-7").as_deref(), Some("pr-7"));
        assert_eq!(tag(" feature/x  y.z ").as_deref(), Some("feature-x y-z"));
        assert_eq!(tag("///"), None);
        assert_eq!(tag(""), None);
        assert_eq!(tag(&"é".repeat(100)), None);
        assert_eq!(tag(&"x".repeat(100)).unwrap().len(), 64);
    }

    #[test]
    fn words_and_code_spans() {
        assert_eq!(word("Re-Train!"), "re-train");
        assert_eq!(word("…"), "none");
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(code(" \n"), "—");
    }

    #[test]
    fn settings_have_their_type() {
        assert_eq!(typed("1.0"), json!(1.0));
        assert_eq!(typed("-3"), json!(-3));
        assert_eq!(typed("1e-4"), json!(1e-4));
        assert_eq!(typed("true"), json!(true));
        assert_eq!(typed("null"), Value::Null);
        assert_eq!(typed("sqrt"), json!("sqrt"));
        assert_eq!(typed("inf"), json!("inf"));
        assert_eq!(typed("-inf"), json!("-inf"));
        assert_eq!(typed("1e999"), json!("1e999"));
    }

    #[test]
    fn settings_are_bounded_at_every_depth() {
        let long = "x".repeat(1_000);
        let tidied = tidy(json!({"a\nb": [[long]], "many": vec![0; 2_000]}));
        assert_eq!(tidied["a b"][0][0].as_str().unwrap().chars().count(), MAX_TEXT);
        assert_eq!(tidied["many"].as_array().unwrap().len(), MAX_ENTRIES);
    }
}
