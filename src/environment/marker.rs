//! Conditions behind a requirement (PEP 508 markers): what is left of them once the chosen extras are known. Pure.

/// Nobody writes deeper ones.
const MAX_DEPTH: usize = 32;
const MAX_TOKENS: usize = 4000;

/// A condition after the extras were filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    Always,
    Never,
    When(String),
}

impl Marker {
    /// Whichever of the two holds.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Always, _) | (_, Self::Always) => Self::Always,
            (Self::Never, marker) | (marker, Self::Never) => marker,
            (Self::When(one), Self::When(two)) if one == two => Self::When(one),
            (Self::When(one), Self::When(two)) => Self::When(format!("({one}) or ({two})")),
        }
    }
}

/// `text` with each `extra == "…"` replaced by whether that extra is chosen. `None` when it is no marker.
pub fn with_extras(text: &str, extras: &[String]) -> Option<Marker> {
    let tokens = tokens(text)?;
    let mut reader = Reader {
        tokens: &tokens,
        extras,
    };
    let expression = reader.any(0)?;
    if !reader.tokens.is_empty() {
        return None;
    }
    Some(match expression {
        Expression::Known(true) => Marker::Always,
        Expression::Known(false) => Marker::Never,
        other => Marker::When(other.text(false)),
    })
}

enum Expression {
    Known(bool),
    Test(String),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Expression {
    fn text(&self, inside_all: bool) -> String {
        let join = |parts: &[Self], word, inside| {
            parts
                .iter()
                .map(|part| part.text(inside))
                .collect::<Vec<_>>()
                .join(word)
        };
        match self {
            Self::Known(value) => value.to_string(),
            Self::Test(text) => text.clone(),
            Self::All(parts) => join(parts, " and ", true),
            Self::Any(parts) if inside_all => format!("({})", join(parts, " or ", false)),
            Self::Any(parts) => join(parts, " or ", false),
        }
    }

    /// What several make together; `neutral` is what changes nothing.
    fn joined(mut parts: Vec<Self>, neutral: bool) -> Self {
        if parts
            .iter()
            .any(|part| matches!(part, Self::Known(value) if *value != neutral))
        {
            return Self::Known(!neutral);
        }
        parts.retain(|part| !matches!(part, Self::Known(_)));
        match (parts.len(), neutral) {
            (0, _) => Self::Known(neutral),
            (1, _) => parts.remove(0),
            (_, true) => Self::All(parts),
            (_, false) => Self::Any(parts),
        }
    }
}

struct Reader<'a> {
    tokens: &'a [String],
    extras: &'a [String],
}

impl Reader<'_> {
    fn next_if(&mut self, word: &str) -> bool {
        let is_next = self.tokens.first().is_some_and(|token| token == word);
        if is_next {
            self.tokens = &self.tokens[1..];
        }
        is_next
    }

    fn any(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.all(depth)?];
        while self.next_if("or") {
            parts.push(self.all(depth)?);
        }
        Some(Expression::joined(parts, false))
    }

    fn all(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.one(depth)?];
        while self.next_if("and") {
            parts.push(self.one(depth)?);
        }
        Some(Expression::joined(parts, true))
    }

    fn one(&mut self, depth: usize) -> Option<Expression> {
        if self.next_if("(") {
            let inner = (depth < MAX_DEPTH).then(|| self.any(depth + 1))??;
            return self.next_if(")").then_some(inner);
        }
        let end = self
            .tokens
            .iter()
            .position(|token| matches!(token.as_str(), "and" | "or" | "(" | ")"))
            .unwrap_or(self.tokens.len());
        let (test, rest) = self.tokens.split_at(end);
        self.tokens = rest;
        let (left, right) = (test.first()?, test.last().filter(|_| test.len() >= 3)?);
        let named = match (left.as_str(), right.as_str()) {
            ("extra", name) | (name, "extra") => name.trim_matches(['"', '\'']),
            _ => return Some(Expression::Test(test.join(" "))),
        };
        let is_chosen = self.extras.iter().any(|extra| canonical(extra) == canonical(named));
        match test[1].as_str() {
            "==" => Some(Expression::Known(is_chosen)),
            "!=" => Some(Expression::Known(!is_chosen)),
            _ => None,
        }
    }
}

fn tokens(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => 1,
            '"' | '\'' => rest[1..].find(first)? + 2,
            '=' | '!' | '<' | '>' | '~' => rest.find(|c: char| !"=!<>~".contains(c)).unwrap_or(rest.len()),
            c if c.is_ascii_alphanumeric() || c == '_' => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            }
            _ => return None,
        };
        if found.len() == MAX_TOKENS {
            return None;
        }
        found.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Some(found)
}

/// The name of a package or an extra as PEP 503 compares it.
pub fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if out.ends_with('-') => {}
            '-' | '_' | '.' => out.push('-'),
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_filled_in_and_the_rest_stays() {
        let check = |text: &str| match with_extras(text, &["Plots_x".to_owned()]) {
            None => "no marker".to_owned(),
            Some(Marker::When(rest)) => rest,
            Some(known) => format!("{known:?}"),
        };
        insta::assert_snapshot!(check(r#"extra == "plots-x""#), @"Always");
        insta::assert_snapshot!(check(r#"extra == "docs""#), @"Never");
        insta::assert_snapshot!(check(r#"sys_platform == "win32" and extra == "docs""#), @"Never");
        insta::assert_snapshot!(check(r#"(sys_platform == "win32" or extra == 'docs') and python_version < "3.11""#), @r#"sys_platform == "win32" and python_version < "3.11""#);
        insta::assert_snapshot!(check(r#"python_version>="3.9" and (os_name=="nt" or "x" not in platform_version)"#), @r#"python_version >= "3.9" and (os_name == "nt" or "x" not in platform_version)"#);
        insta::assert_snapshot!(check(r#"extra == "plots-x" and (os_name == "nt" and extra != "docs")"#), @r#"os_name == "nt""#);
        for text in ["", "and", "(", "a == b)", "a == ", "extra in \"x\"", "\"", "a ; b == c"] {
            assert_eq!(check(text), "no marker", "{text}");
        }
        assert_eq!(check(&format!("{}a == b", "(".repeat(100_000))), "no marker");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in r#"[a-z"'()=!<> ]{0,60}"#) {
            if let Some(Marker::When(rest)) = with_extras(&text, &[]) {
                // What is written is read again as the same.
                proptest::prop_assert_eq!(with_extras(&rest, &[]), Some(Marker::When(rest)));
            }
        }
    }
}
