//! How patient we are with a service: the defaults, or what the environment says for slow servers and for tests. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, shortened};

/// How long a second of waiting between two tries is; also of one that the service asks for.
const PACE: &str = "PACE_MS";
/// How long one try of one call may take.
const TIMEOUT: &str = "TIMEOUT_MS";
/// Longer than the budget of all calls is no patience.
const MAX_MS: u64 = 120_000;

/// Times for single calls. How long all of them may take together is not up to anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub second: Duration,
    pub timeout: Duration,
}

impl Patience {
    /// Reads `MLOPS_GITHUB_PACE_MS` and the like; `service` is what stands in the middle.
    pub fn read(env: &BTreeMap<String, String>, service: &str) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::default();
        let mut time = |what: &str, default| {
            let name = format!("MLOPS_{service}_{what}");
            match env.get(&name).map(|text| text.trim()) {
                None | Some("") => default,
                Some(text) => match text.parse() {
                    Ok(number) if (1..=MAX_MS).contains(&number) => Duration::from_millis(number),
                    Ok(_) | Err(_) => {
                        let message = format!("`{name}` is `{}`", shortened(text));
                        let help = format!("write milliseconds from 1 to {MAX_MS}, or leave it out");
                        problems.push(Diagnostic::error("environment", message).help(help));
                        default
                    }
                },
            }
        };
        let patience = Self {
            second: time(PACE, Duration::from_secs(1)),
            timeout: time(TIMEOUT, Duration::from_secs(30)),
        };
        if problems.is_empty() {
            Ok(patience)
        } else {
            Err(problems)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_or_the_defaults() {
        let read = |pairs: &[(&str, &str)]| {
            let env = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            Patience::read(&env.collect(), "GITHUB").map_err(|problems| problems.to_string())
        };
        let patience = read(&[("MLOPS_GITHUB_PACE_MS", ""), ("MLOPS_GITHUB_TIMEOUT_MS", " 45000 ")]).unwrap();
        assert_eq!(
            (patience.second, patience.timeout),
            (Duration::from_secs(1), Duration::from_secs(45))
        );
        insta::assert_snapshot!(read(&[("MLOPS_GITHUB_PACE_MS", "0"), ("MLOPS_GITHUB_TIMEOUT_MS", "1s")]).unwrap_err(), @r"
        error[environment]: `MLOPS_GITHUB_PACE_MS` is `0`
          = help: write milliseconds from 1 to 120000, or leave it out

        error[environment]: `MLOPS_GITHUB_TIMEOUT_MS` is `1s`
          = help: write milliseconds from 1 to 120000, or leave it out
        ");
    }
}
