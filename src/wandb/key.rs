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

#[cfg(test)]
mod tests {
    use super::*;

    const FORTY: &str = "0123456789abcdef0123456789abcdef01234567";

    fn parse(text: &str) -> Result<Key, KeyError> {
        Key::parse(text, KeySource::Environment)
    }

    #[test]
    fn every_form_of_a_key_is_one() {
        let newer = format!("wandb_v1_{}", "aB3_".repeat(20));
        let with_dash = format!("wandb_v1_ab-{}", "c".repeat(30));
        let local = format!("local-{FORTY}");
        let long = "x".repeat(4096);
        for text in [
            FORTY,
            &newer,
            &with_dash,
            &local,
            &long,
            "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
            &format!("my.host-{FORTY}"),
            &format!("{}-{}", &FORTY[..7], "_-".repeat(20)),
        ] {
            assert_eq!(parse(&format!(" {text}\n")).unwrap().expose(), text, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told_without_it() {
        let short = &FORTY[..39];
        for (text, expected) in [
            ("", KeyError::Empty(KeySource::Environment)),
            (" \n", KeyError::Empty(KeySource::Environment)),
            (short, KeyError::Short(KeySource::Environment, 39)),
            (&format!("local-{short}"), KeyError::Short(KeySource::Environment, 45)),
            (&format!("\"{FORTY}\""), KeyError::Characters(KeySource::Environment)),
            (
                &format!("{FORTY} {FORTY}"),
                KeyError::Characters(KeySource::Environment),
            ),
            (&format!("{FORTY}\u{e9}"), KeyError::Characters(KeySource::Environment)),
            ("a.b.", KeyError::Characters(KeySource::Environment)),
            (
                "${{ secrets.WANDB_API_KEY }}",
                KeyError::Characters(KeySource::Environment),
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            let said = format!("{error} {error:?}");
            assert!(text.trim().is_empty() || !said.contains(text.trim()), "{said}");
            assert!(said.contains("`WANDB_API_KEY`"), "{said}");
        }
        let key = parse(FORTY).unwrap();
        assert!(!format!("{key:?}").contains(&FORTY[..8]));
    }

    #[test]
    fn a_netrc_is_read_by_its_machine() {
        let text = "# comment machine api.wandb.ai login user password wrong\n\
                    machine example.com login a password b\n\
                    macdef init\nmachine api.wandb.ai login user password macro\n\n\
                    machine api.wandb.ai\n  login user # why not\n  account \"password\"\n  password \"a \\\"b\" \n\
                    default login me password somebody's\n";
        let of = |machine| netrc_password(text, machine).map(|secret| secret.expose().to_owned());
        assert_eq!(of("api.wandb.ai").as_deref(), Some("a \"b"));
        assert_eq!(of("example.com").as_deref(), Some("b"));
        assert_eq!(of("nowhere.example"), None);
        let one_line = format!("machine api.wandb.ai login user password {FORTY}");
        assert_eq!(netrc_password(&one_line, "api.wandb.ai").unwrap().expose(), FORTY);
        assert_eq!(netrc_password("machine m password #x", "m").unwrap().expose(), "#x");
        for broken in [
            "machine",
            "machine m password",
            "machine m login \"",
            "password x",
            "\\",
            "macdef",
        ] {
            assert!(netrc_password(broken, "m").is_none(), "{broken}");
        }
    }
}
