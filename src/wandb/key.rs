//! The key of an account: what one looks like, and where a `.netrc` keeps it. Pure.

use std::fmt;

use crate::base::Secret;

/// What looks like a key, and where it came from. Nothing prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    secret: Secret,
    pub source: KeySource,
}

/// Where a key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// `WANDB_API_KEY`.
    Environment,
    Netrc,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "`WANDB_API_KEY`",
            Self::Netrc => "`.netrc`",
        })
    }
}

/// Why a text is no key. It is never shown, as it may be most of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("{0} is empty: secrets are not given to runs of forks, or the secret does not exist")]
    Empty(KeySource),
    #[error("what {0} holds is too short for a key of W&B: it has {1} characters")]
    Short(KeySource, usize),
    #[error("what {0} holds is no key of W&B: it has characters that no key has; are there quotes around it?")]
    Characters(KeySource),
}

/// The least that stands behind the prefix of a key; new kinds are longer, and a longest there is not.
const SHORTEST: usize = 40;

impl Key {
    /// A key of 40 characters, one with a prefix (`local-…`), a newer one (`wandb_v1_…`) or a JWT.
    pub fn parse(text: &str, source: KeySource) -> Result<Self, KeyError> {
        let text = text.trim();
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(is_word);
        if text.is_empty() {
            return Err(KeyError::Empty(source));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let is_jwt = parts.len() == 3 && parts.iter().all(|part| is_word(part));
        if !is_jwt {
            // A newer key may have a `-` of its own.
            let body = match text.split_once('-') {
                Some((prefix, body)) if !prefix.starts_with("wandb_") => body,
                Some(_) | None => text,
            };
            if !is_word(body) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(KeyError::Characters(source));
            }
            if body.len() < SHORTEST {
                return Err(KeyError::Short(source, text.len()));
            }
        }
        Ok(Self {
            secret: Secret::new(text),
            source,
        })
    }

    pub fn expose(&self) -> &str {
        self.secret.expose()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The password that a `.netrc` has for exactly this machine. What stands under `default` is somebody else's.
pub fn netrc_password(text: &str, machine: &str) -> Option<Secret> {
    let tokens = netrc_tokens(text);
    let mut tokens = tokens.iter().map(String::as_str);
    let mut is_ours = false;
    while let Some(token) = tokens.next() {
        match token {
            "machine" => is_ours = tokens.next().is_some_and(|name| name.eq_ignore_ascii_case(machine)),
            "default" => is_ours = false,
            "login" | "account" => drop(tokens.next()),
            "password" => {
                let password = tokens.next();
                if is_ours {
                    return password.map(Secret::new);
                }
            }
            _ => {}
        }
    }
    None
}

/// The words of a `.netrc`, without comments and macros.
fn netrc_tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut is_macro = false;
    for line in text.lines() {
        if is_macro {
            // A macro ends with an empty line.
            is_macro = !line.trim().is_empty();
            continue;
        }
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            // Where a password stands, a `#` is a character of it; elsewhere a comment begins.
            let is_value = tokens.last().is_some_and(|last| last == "password");
            if rest.starts_with('#') && !is_value {
                break;
            }
            let (token, behind) = netrc_token(rest);
            if token == "macdef" && !is_value {
                is_macro = true;
                break;
            }
            tokens.push(token);
            rest = behind.trim_start();
        }
    }
    tokens
}

/// The first word, which may stand in quotes, and what is behind it.
fn netrc_token(text: &str) -> (String, &str) {
    let (is_quoted, inner) = match text.strip_prefix('"') {
        Some(inner) => (true, inner),
        None => (false, text),
    };
    let mut token = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if is_quoted => return (token, &inner[at + 1..]),
            c if !is_quoted && c.is_whitespace() => return (token, &inner[at..]),
            '\\' => token.extend(chars.next().map(|(_, escaped)| escaped)),
            c => token.push(c),
        }
    }
    (token, "")
}
