//! What W&B takes for names of artifacts, aliases, tags, types and the paths of files. Pure.

use serde_json::Value;

use crate::wandb::error::{WandbError, clean};

const MAX_NAME: usize = 128;
const MAX_PATH: usize = 4096;
const MAX_METADATA: usize = 100;

/// What an artifact is refused for before anything is sent.
pub(super) fn refused(artifact: &str, why: &str) -> WandbError {
    WandbError::Invalid {
        what: format!("the artifact `{}`", clean(artifact, MAX_NAME)),
        message: why.to_owned(),
    }
}

/// Of a collection: `diabetes`.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err("its name needs 1 to 128 characters".to_owned());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !name.chars().all(is_plain) {
        return Err("only letters, digits, `-`, `_` and `.` are allowed in its name".to_owned());
    }
    Ok(())
}

/// Of a kind of artifacts: `model`.
pub(super) fn check_type(kind: &str, name: &str) -> Result<(), String> {
    let quoted = clean(kind, MAX_NAME);
    if kind.is_empty() || kind.len() > MAX_NAME || kind.contains(['/', ':']) {
        return Err(format!("`{quoted}` can not be its type"));
    }
    let is_own = match kind {
        "job" => true,
        "run_table" => !name.starts_with("run-"),
        "code" => !name.starts_with("source-"),
        _ => kind.starts_with("wandb-"),
    };
    if is_own {
        return Err(format!("W&B keeps the type `{quoted}` for itself"));
    }
    Ok(())
}

pub(super) fn check_alias(alias: &str) -> Result<(), String> {
    if alias.is_empty() || alias.len() > MAX_NAME || alias.contains(['/', ':']) {
        return Err(format!("`{}` can not be an alias", clean(alias, MAX_NAME)));
    }
    Ok(())
}

/// Words of letters, digits, `-` and `_`, between which spaces are.
pub(super) fn check_tag(tag: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_inside = |c: char| is_word(c) || c == ' ';
    let is_tag =
        tag.len() <= MAX_NAME && tag.chars().all(is_inside) && tag.starts_with(is_word) && tag.ends_with(is_word);
    if is_tag {
        Ok(())
    } else {
        Err(format!("`{}` can not be a tag", clean(tag, MAX_NAME)))
    }
}

pub(super) fn check_metadata(metadata: &Value) -> Result<(), String> {
    match metadata {
        Value::Object(map) if map.len() <= MAX_METADATA => Ok(()),
        Value::Object(map) => Err(format!(
            "its metadata has {} keys, and W&B takes {MAX_METADATA}",
            map.len()
        )),
        _ => Err("its metadata must be an object".to_owned()),
    }
}

/// Of a file inside of an artifact: `a/b.txt`. One that leads out of it is refused, here and when a stranger names it.
pub fn check_path(path: &str) -> Result<(), String> {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_path = path.len() <= MAX_PATH && !path.contains(['\\', '\0', '\n']) && path.split('/').all(is_part);
    if is_path {
        Ok(())
    } else {
        Err(format!(
            "`{}` can not be the path of a file in it",
            clean(path, MAX_NAME)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_taken_and_refused_as_the_sdk_does() {
        for name in ["a", "diabetes-2.0_x", &"n".repeat(128)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "a/b", "a b", "ü", "a:b", &"n".repeat(129)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for (kind, name) in [
            ("model", "x"),
            ("run_table", "run-1-t"),
            ("code", "source-x"),
            ("jobs", "x"),
        ] {
            assert_eq!(check_type(kind, name), Ok(()), "{kind}");
        }
        for (kind, name) in [
            ("", "x"),
            ("a/b", "x"),
            ("a:b", "x"),
            ("wandb-history", "x"),
            ("job", "x"),
            ("run_table", "t"),
            ("code", "c"),
        ] {
            assert!(check_type(kind, name).is_err(), "{kind}");
        }
        for alias in ["production", "v 1", "ü"] {
            assert_eq!(check_alias(alias), Ok(()), "{alias}");
        }
        for alias in ["", "a/b", "a:b", &"n".repeat(129)] {
            assert!(check_alias(alias).is_err(), "{alias}");
        }
        for tag in ["ci", "by hand", "a  b", "_-"] {
            assert_eq!(check_tag(tag), Ok(()), "{tag}");
        }
        for tag in ["", " a", "a ", "a.b", "ü"] {
            assert!(check_tag(tag).is_err(), "{tag}");
        }
        assert!(check_metadata(&json!([])).is_err());
        let keys = |n: usize| Value::Object((0..n).map(|i| (i.to_string(), Value::Null)).collect());
        assert_eq!(check_metadata(&keys(100)), Ok(()));
        assert!(check_metadata(&keys(101)).is_err());
    }

    #[test]
    fn paths_stay_inside() {
        for path in ["a", "a/b.txt", "..a/b..", "a b/ü", "a:b"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for path in [
            "",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/..",
            "./a",
            "a\\b",
            "a\0b",
            "a\nb",
            &"p".repeat(4097),
        ] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }
}
