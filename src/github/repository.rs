//! The name of a repository. Pure.

use std::fmt;
use std::str::FromStr;

/// `owner/name`, of the characters that GitHub allows, so that it can stand in an address as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && !matches!(part, "." | "..")
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        match text.split_once('/') {
            Some((owner, name)) if is_part(owner) && is_part(name) => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(format!(
                "`{}` is not the name of a repository: write it as `owner/name`",
                text.chars().take(64).collect::<String>()
            )),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_stand_in_an_address_is_a_name() {
        assert_eq!(
            "ada/model.v2".parse::<Repository>().unwrap().to_string(),
            "ada/model.v2"
        );
        for text in [
            "",
            "ada",
            "ada/",
            "/x",
            "ada/x/y",
            "ada/..",
            "a b/c",
            "ada/x?y",
            "ada/x%2fy",
        ] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
    }
}
