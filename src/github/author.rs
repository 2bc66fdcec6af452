//! Who wrote a comment or an issue: only our own texts are edited, and a marker alone proves nothing.

use serde::Deserialize;

use super::client::Client;

/// What `GITHUB_TOKEN` writes as, on every GitHub.
const ACTIONS: &str = "github-actions[bot]";

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Author {
    pub login: String,
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// The login that we write as.
pub struct Us(String);

impl Us {
    /// Where GraphQL does not answer, the one of `GITHUB_TOKEN` is the likely one; the calls that follow say what is wrong.
    pub async fn ask(client: &Client) -> Self {
        Self(client.viewer().await.unwrap_or_else(|error| {
            tracing::debug!(%error, "the token does not say who it is");
            ACTIONS.to_owned()
        }))
    }

    /// Logins of apps end in `[bot]`, which no person's can; GraphQL may leave it out.
    pub fn wrote(&self, author: Option<&Author>) -> bool {
        let Some(author) = author else { return false };
        let is_bot = author.kind == "Bot";
        let login = author.login.as_str();
        match login.strip_suffix("[bot]") {
            Some(name) => is_bot && (login.eq_ignore_ascii_case(&self.0) || name.eq_ignore_ascii_case(&self.0)),
            None => !is_bot && login.eq_ignore_ascii_case(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_login_of_the_same_kind_is_us() {
        let author = |login: &str, kind: &str| Author {
            login: login.to_owned(),
            kind: kind.to_owned(),
        };
        for (us, login, kind, is) in [
            ("github-actions[bot]", "github-actions[bot]", "Bot", true),
            ("github-actions[bot]", "github-actions", "User", false),
            ("github-actions[bot]", "github-actions[bot]", "User", false),
            ("github-actions[bot]", "other[bot]", "Bot", false),
            ("my-app", "my-app[bot]", "Bot", true),
            ("Ada", "ada", "User", true),
            ("ada", "bob", "User", false),
        ] {
            assert_eq!(
                Us(us.to_owned()).wrote(Some(&author(login, kind))),
                is,
                "{us} {login} {kind}"
            );
        }
        assert!(!Us("ghost".to_owned()).wrote(None));
    }
}
