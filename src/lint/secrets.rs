//! What looks like a secret. Says of which kind, never which. Pure.

use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// Forms that their makers gave them so that they are found.
const FORMS: &[(&str, &str)] = &[
    ("a key of AWS", r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)"),
    ("a token of GitHub", r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{36,}"),
    ("a token of GitHub", r"(?-u:\b)github_pat_[A-Za-z0-9_]{50,}"),
    ("a token of GitLab", r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}"),
    ("a token of Slack", r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{20,}"),
    (
        "a webhook of Slack",
        r"hooks\.slack\.com/services/T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{20,}",
    ),
    ("a key of Anthropic", r"(?-u:\b)sk-ant-[A-Za-z0-9_-]{20,}"),
    ("a key of OpenAI", r"(?-u:\b)sk-(?:proj-|svcacct-)?[A-Za-z0-9_]{32,}"),
    ("a token of Hugging Face", r"(?-u:\b)hf_[A-Za-z0-9]{30,}(?-u:\b)"),
    ("a key of Google", r"(?-u:\b)AIza[A-Za-z0-9_-]{35}(?-u:\b)"),
    ("a key of Stripe", r"(?-u:\b)[rs]k_live_[A-Za-z0-9]{20,}"),
    ("a token of PyPI", r"(?-u:\b)pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("a token of npm", r"(?-u:\b)npm_[A-Za-z0-9]{36}(?-u:\b)"),
    ("a token of Databricks", r"(?-u:\b)dapi[0-9a-f]{32}(?-u:\b)"),
    ("a key of W&B", r"(?-u:\b)wandb_v1_[A-Za-z0-9_]{40,}"),
    ("a key of Azure storage", r"AccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    (
        "a signed token (JWT)",
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    ),
];

static KNOWN: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(FORMS.iter().map(|(_, form)| form)).expect("the forms are constants, and a test compiles them")
});

/// A name that says so, and what is given to it.
static GIVEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)(?-u:\b)([a-z0-9_.\-]{0,60}(?:token|secret|passw(?:or)?d|pwd|key)[a-z0-9_]{0,30})["']?\]?\s*[:=]\s*[bfru]?["']([^"'\s]{8,300})["']"#,
    )
    .expect("it is a constant, and a test compiles it")
});

/// A password in an address.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?-u:\b)[a-z][a-z0-9+.\-]{1,20}://[^/\s:@"']{1,100}:([^/\s:@"']{6,200})@"#)
        .expect("it is a constant, and a test compiles it")
});

/// The kinds of what looks like a secret in a text, each once.
pub(super) fn in_text(text: &str) -> Vec<&'static str> {
    let mut found: Vec<&'static str> = KNOWN.matches(text).iter().map(|index| FORMS[index].0).collect();
    found.dedup();
    if !found.is_empty() {
        return found;
    }
    let is_given = GIVEN.captures_iter(text).any(|given| {
        let name = given[1].to_ascii_lowercase();
        is_random(
            &given[2],
            if name.contains("pass") || name.contains("pwd") {
                8
            } else {
                16
            },
        )
    });
    if is_given {
        found.push("a secret that is given a name");
    }
    if ADDRESS.captures_iter(text).any(|address| is_random(&address[1], 6)) {
        found.push("a password in an address");
    }
    found
}

/// Whether nobody would write this as a name or an example: it has letters and digits in one piece, and is about as
/// uneven as chance is.
fn is_random(value: &str, at_least: usize) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_example = [
        "example",
        "xxxx",
        "your",
        "....",
        "****",
        "placeholder",
        "dummy",
        "changeme",
        "1234567",
    ]
    .iter()
    .any(|word| lower.contains(word));
    if value.len() < at_least || is_example || lower.contains(['<', '{', '$', '%']) || lower.contains("://") {
        return false;
    }
    // Tokens are made of these; passwords may be of anything.
    let is_token = |c: char| c.is_ascii_alphanumeric() || "+/=_.~-:".contains(c);
    if at_least >= 16 && !value.chars().all(is_token) {
        return false;
    }
    let is_mixed = value.split(['_', '-', '.', '/', ' ', ':']).any(|piece| {
        let n_digits = piece.bytes().filter(u8::is_ascii_digit).count();
        // `resnet50` and `q3` are words with a number behind them.
        let middle = piece.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_plain = !middle.bytes().any(|byte| byte.is_ascii_digit()) && piece.len() < 16 && at_least >= 16;
        n_digits > 0 && n_digits < piece.len() && piece.len() >= 6 && !is_plain
    });
    is_mixed && bits(value) >= if at_least >= 16 { 3.0 } else { 2.5 }
}

/// Shannon's entropy of the bytes, in bits a byte.
fn bits(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let n = value.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / n;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces, so that no scanner finds them in our own sources.
    fn made(parts: &[&str]) -> String {
        parts.concat()
    }

    #[test]
    fn forms_are_known() {
        let body = "A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8";
        for (text, kind) in [
            (made(&["AKI", "AQ7Z3M8K2P5X9C4V1"]), "a key of AWS"),
            (made(&["x = gh", "p_", body]), "a token of GitHub"),
            (made(&["(sk", "-ant-", body, ")"]), "a key of Anthropic"),
            (made(&["\"hf", "_", &body[..34], "\""]), "a token of Hugging Face"),
            (made(&["-----BEGIN ", "RSA PRIVATE KEY-----"]), "a private key"),
            (
                made(&["eyJ", "hbGciOiJIUzI1NiJ9.eyJ", "zdWIiOiIxMjM0.", body]),
                "a signed token (JWT)",
            ),
            (
                made(&[
                    "os.environ[\"WANDB_API_KEY\"] = '",
                    "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d'",
                ]),
                "a secret that is given a name",
            ),
            (
                made(&["{\"db_pass", "word\": \"hunter2hunter\"}"]),
                "a secret that is given a name",
            ),
            (
                made(&["postgres://ada:", "s3cr3tpw@db:5432/x"]),
                "a password in an address",
            ),
        ] {
            assert_eq!(in_text(&text), [kind], "{text}");
        }
    }

    #[test]
    fn names_and_examples_are_no_secrets() {
        for text in [
            "token = os.environ['API_TOKEN']",
            "api_key = 'your-api-key-goes-here-1'",
            "sort_key = 'value_2024_total_amount'",
            "key=\"feature_importance_1\"",
            "tokenizer = 'bert-base-uncased-v2-finetuned'",
            "secret = '${{ secrets.MY_SECRET_1 }}'",
            "password = 'password'",
            "postgres://user:password@localhost/x",
            "primary_key: 'customer_id_and_order_id'",
            "monkey = 'a'",
            "'<tag key=\"&#229;&#246;&#246;&lt;&gt;\" />'",
        ] {
            assert_eq!(in_text(text), Vec::<&str>::new(), "{text}");
        }
    }
}
