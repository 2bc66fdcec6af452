//! Keeps keys and passwords that somebody wrote into a configuration out of the messages about it. Pure.

use crate::base::{Diagnostic, Diagnostics};

/// Ends of names behind which a secret stands.
const NAMES: &[&str] = &["api_key", "api-key", "apikey", "token", "secret", "password", "passwd"];
/// How W&B's newer keys begin.
const NEWER: &str = "wandb_v1_";
/// The digits of an older key, alone or behind the name of a server.
const DIGITS: usize = 40;

/// The same problems, none of which shows a secret: not in its message and not in its line.
pub fn without_secrets(problems: &Diagnostics, text: &str) -> Diagnostics {
    let lines: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect();
    problems
        .iter()
        .map(|problem| {
            let mut problem = Diagnostic {
                message: without_keys(&problem.message),
                help: problem.help.as_deref().map(without_keys),
                ..problem.clone()
            };
            let line = problem
                .span
                .and_then(|span| lines.get(span.line.saturating_sub(1) as usize));
            if let Some((line, shown)) = line.map(|line| (line, without_values(&without_keys(line))))
                && shown != **line
            {
                problem = problem.snippet(&shown);
            }
            problem
        })
        .collect()
}

/// Whether a text is what a key looks like.
pub fn is_key(text: &str) -> bool {
    let is_old = |text: &str| text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let of_server = text.rsplit_once('-').is_some_and(|(_, digits)| is_old(digits));
    text.starts_with(NEWER) || is_old(text) || of_server
}

/// What looks like a key, and what an address has before its `@`, as stars of the same length.
fn without_keys(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || "\"'`,{}[]()".contains(c);
    let pieces = text.split_inclusive(ends).map(|piece| {
        let word = piece.trim_end_matches(ends);
        format!("{}{}", plain(word), &piece[word.len()..])
    });
    pieces.collect()
}

/// One word of it.
fn plain(word: &str) -> String {
    let (scheme, rest) = word
        .find("://")
        .map_or(("", word), |at| word.split_at(at + "://".len()));
    let authority = rest.split('/').next().unwrap_or_default();
    if let Some(at) = authority.rfind('@')
        && (!scheme.is_empty() || authority[..at].contains(':'))
    {
        return format!("{scheme}{}{}", stars(&authority[..at]), &rest[at..]);
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let parts = word.split_inclusive(|c| !is_word(c)).map(|part| {
        let name = part.trim_end_matches(|c| !is_word(c));
        let shown = if is_key(name) { stars(name) } else { name.to_owned() };
        format!("{shown}{}", &part[name.len()..])
    });
    parts.collect()
}

/// The values on a line behind names that say what they are, as stars of the same length.
fn without_values(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(colon) = rest.find(':') {
        let (before, after) = rest.split_at(colon + 1);
        out.push_str(before);
        let name = before[..colon].trim_end_matches(['"', '\'', ' ']).to_ascii_lowercase();
        let blank = after.len() - after.trim_start().len();
        let value = &after[blank..];
        let is_named = NAMES.iter().any(|end| name.ends_with(end)) && (blank > 0 || value.starts_with(['"', '\'']));
        // A mapping or a list has names of its own.
        if is_named && !value.starts_with(['{', '[', '&', '*', '!']) {
            let length = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
                Some(_) | None => value.find([',', '}']).unwrap_or(value.len()),
            };
            out.push_str(&after[..blank]);
            out.push_str(&stars(&value[..length]));
            rest = &value[length..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

fn stars(text: &str) -> String {
    "*".repeat(text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;

    const KEY: &str = "0123456789abcdef0123456789abcdef01234567";

    fn shown(text: &str) -> String {
        let mut problems = check(text).expect_err("it is broken");
        problems.locate("mlops.yaml", text);
        problems.to_string()
    }

    /// Wherever it is written, and whatever else is wrong on its line.
    #[test]
    fn no_message_shows_a_key_or_a_password() {
        let rest = "model: m\ndata: {source: d.csv, target: y}\ntrain: {estimator: ridge}\n";
        for written in [
            "wandb: {api_key: KEY}",
            "wandb: {entity: a/b, api_key: KEY, data: both}",
            "wandb: {entity: KEY}",
            "wandb: {registry: KEY/x}",
            "wandb: KEY",
            "wandb: [KEY]",
            "wandb:\n  KEY: entity",
            "wandb:\n  api_key: |\n    KEY",
            "wandb: {projekt: x, base_url: 'https://me:s3cr3t-word@w.example'}",
            "wandb: {base_url: https://me:s3cr3t-word@w.example/}",
            "wandb: {base_url: 'me:s3cr3t-word@w.example'}",
            "wandb: {password: s3cr3t-word, x: 1}",
            "wandb: {\"token\": \"s3cr3t-word\", x: 1}",
            "registry: KEY",
            "wandb_api_key: KEY",
            "wandb-api-key: s3cr3t-word",
            "wandb: {api_key: KEY",
            "wandb: {entity: wandb_v1_KEY/KEY}",
            "wandb: {entity: a/b, key: local-KEY}",
            "promote: {to: KEY/x}",
        ] {
            let written = written.replace("KEY", KEY);
            let said = shown(&format!("{rest}{written}\n"));
            assert!(
                !said.contains(&KEY[..12]) && !said.contains("s3cr3t"),
                "{written}\n{said}"
            );
        }
    }

    #[test]
    fn what_is_no_secret_stays_and_keeps_its_place() {
        for line in [
            "source: data/2026-11-25/0123456789abcdef.csv",
            "  share_key: yes",
            "tokens: {min: 3}",
            "token: {type: text}",
            "source: https://example.com/a@b.csv",
            "a:b",
            "überschrift: \u{1f600}",
        ] {
            assert_eq!(without_values(&without_keys(line)), line);
        }
        assert_eq!(
            without_values("wandb: {api_key: \"a, b\", data: both} # é"),
            "wandb: {api_key: ******, data: both} # é"
        );
        assert_eq!(without_keys("https://me:pw@w.example/x"), "https://*****@w.example/x");
    }
}
