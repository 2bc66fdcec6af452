//! Which Python a project wants, in the words of its files, and whether one that is here will do. Pure.

use std::fmt;

/// The release numbers of an interpreter; what makes it a candidate is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion(pub [u32; 3]);

impl PythonVersion {
    /// `3.11.7`, `3.13.0rc1`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '.');
        let mut number = || {
            let part = parts.next()?;
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            part[..digits].parse().ok()
        };
        Some(Self([number()?, number()?, number().unwrap_or(0)]))
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    NotEqual,
    AtLeast,
    Above,
    AtMost,
    Below,
    /// `~=3.9`, and `^3.9` when that means the same.
    Compatible,
    Caret,
    Tilde,
    /// `3.11`, or `==3.11.*`.
    Within,
    NotWithin,
}

/// Longer ones come first, so that `>=` is not read as `>`.
const OPS: &[(&str, Op)] = &[
    ("===", Op::Equal),
    ("==", Op::Equal),
    ("!=", Op::NotEqual),
    (">=", Op::AtLeast),
    ("<=", Op::AtMost),
    ("~=", Op::Compatible),
    (">", Op::Above),
    ("<", Op::Below),
    ("^", Op::Caret),
    ("~", Op::Tilde),
    ("=", Op::Equal),
];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    op: Op,
    release: Vec<u32>,
}

impl Clause {
    fn parse(text: &str, bare: Op) -> Option<Self> {
        let text = text.trim();
        let (op, rest) = OPS
            .iter()
            .find_map(|(sign, op)| text.strip_prefix(sign).map(|rest| (*op, rest.trim())))
            .unwrap_or((bare, text));
        let star = rest.strip_suffix(".*");
        let op = match (op, star) {
            (Op::Equal | Op::Within, Some(_)) => Op::Within,
            (Op::NotEqual, Some(_)) => Op::NotWithin,
            (op, _) => op,
        };
        let release: Option<Vec<u32>> = star.unwrap_or(rest).split('.').map(|part| part.parse().ok()).collect();
        let release = release.filter(|release| release.len() <= 3)?;
        Some(Self { op, release })
    }

    fn allows(&self, PythonVersion(version): PythonVersion) -> bool {
        let given = &self.release;
        let mut release = [0; 3];
        release[..given.len()].copy_from_slice(given);
        let starts_with = |n: usize| version[..n] == release[..n];
        let at_least = version >= release;
        match self.op {
            Op::Equal => version == release,
            Op::NotEqual => version != release,
            Op::AtLeast => at_least,
            Op::Above => version > release,
            Op::AtMost => version <= release,
            Op::Below => version < release,
            Op::Compatible => at_least && starts_with((given.len() - 1).max(1)),
            Op::Caret => at_least && starts_with(1),
            Op::Tilde => at_least && starts_with(given.len().min(2)),
            Op::Within => starts_with(given.len()),
            Op::NotWithin => !starts_with(given.len()),
        }
    }
}

/// What a file says of the Python it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// As it is written there.
    pub text: String,
    pub from: String,
    /// One of these has to hold whole.
    alternatives: Vec<Vec<Clause>>,
}

impl Want {
    /// `requires-python` (PEP 440) and the `python` of Poetry (`^3.10`, `>=3.10 <4`, `3.10 || 3.11`).
    pub fn range(text: &str, from: &str) -> Option<Self> {
        let alternatives = text
            .split('|')
            .filter(|part| !part.is_empty())
            .map(|part| clauses(part, Op::Equal))
            .collect::<Option<Vec<_>>>()?;
        (!alternatives.is_empty()).then(|| Self {
            text: text.trim().to_owned(),
            from: from.to_owned(),
            alternatives,
        })
    }

    /// `3.11`, which any 3.11 is; also `python3.11` and `cpython-3.11`, or a range.
    pub fn version(text: &str, from: &str) -> Option<Self> {
        let text = text.trim();
        let bare = ["cpython-", "cpython@", "cpython", "python"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(text);
        let alternatives = vec![clauses(bare, Op::Within)?];
        Some(Self {
            text: bare.to_owned(),
            from: from.to_owned(),
            alternatives,
        })
    }

    pub fn allows(&self, version: PythonVersion) -> bool {
        self.alternatives
            .iter()
            .any(|clauses| clauses.iter().all(|clause| clause.allows(version)))
    }
}

/// Clauses between commas or spaces; a space may also stand behind a sign.
fn clauses(text: &str, bare: Op) -> Option<Vec<Clause>> {
    let mut joined = String::new();
    for word in text.split([' ', ',', '\t']).filter(|word| !word.is_empty()) {
        if !joined.is_empty() && !joined.ends_with(['=', '<', '>', '~', '^', '!']) {
            joined.push(',');
        }
        joined.push_str(word);
    }
    if joined == "*" {
        return Some(Vec::new());
    }
    joined.split(',').map(|part| Clause::parse(part, bare)).collect()
}

/// All that a project says of its Python.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted(pub Vec<Want>);

/// Tried in this order when one has to be installed: those that most packages have wheels for come first.
const INSTALLABLE: &[[u32; 2]] = &[[3, 13], [3, 12], [3, 14], [3, 11], [3, 10], [3, 9], [3, 8]];
/// More than any Python has had.
const MAX_PATCH: u32 = 40;

impl Wanted {
    pub fn allows(&self, version: PythonVersion) -> bool {
        self.0.iter().all(|want| want.allows(version))
    }

    /// The releases of which some patch will do, the one to prefer first.
    pub fn releases(&self) -> Vec<String> {
        let has_one = |&&[major, minor]: &&[u32; 2]| {
            (0..=MAX_PATCH).any(|patch| self.allows(PythonVersion([major, minor, patch])))
        };
        let releases = INSTALLABLE.iter().filter(has_one);
        releases.map(|[major, minor]| format!("{major}.{minor}")).collect()
    }

    /// What to ask `uv python install` for: `3.12`, or `3.12.1` when not every 3.12 will do.
    pub fn installable(&self) -> Option<String> {
        INSTALLABLE.iter().find_map(|&[major, minor]| {
            let newest = (0..=MAX_PATCH)
                .rev()
                .find(|patch| self.allows(PythonVersion([major, minor, *patch])))?;
            Some(if newest == MAX_PATCH {
                format!("{major}.{minor}")
            } else {
                format!("{major}.{minor}.{newest}")
            })
        })
    }

    /// The words and the file that a message names: the first one that nobody in `found` fulfils, else the first.
    pub fn blame(&self, found: &[PythonVersion]) -> Option<&Want> {
        self.0
            .iter()
            .find(|want| !found.iter().any(|version| want.allows(*version)))
            .or(self.0.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(want: &Want) -> String {
        let versions = [
            "2.7.18", "3.9.0", "3.10.4", "3.11.0", "3.11.7", "3.12.1", "3.13.0", "4.0.0",
        ];
        versions
            .into_iter()
            .filter(|text| want.allows(PythonVersion::parse(text).unwrap()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn ranges_mean_what_pep_440_and_poetry_say() {
        let of =
            |text: &str| Want::range(text, "pyproject.toml").map_or("unreadable".to_owned(), |want| allowed(&want));
        insta::assert_snapshot!(of(">=3.11"), @"3.11.0 3.11.7 3.12.1 3.13.0 4.0.0");
        insta::assert_snapshot!(of(">=3.10,<3.13"), @"3.10.4 3.11.0 3.11.7 3.12.1");
        insta::assert_snapshot!(of(">= 3.10, != 3.11.*"), @"3.10.4 3.12.1 3.13.0 4.0.0");
        insta::assert_snapshot!(of(">=3.10 <4"), @"3.10.4 3.11.0 3.11.7 3.12.1 3.13.0");
        insta::assert_snapshot!(of("~=3.11"), @"3.11.0 3.11.7 3.12.1 3.13.0");
        insta::assert_snapshot!(of("~=3.11.2"), @"3.11.7");
        insta::assert_snapshot!(of("==3.11.*"), @"3.11.0 3.11.7");
        insta::assert_snapshot!(of("==3.11"), @"3.11.0");
        insta::assert_snapshot!(of("<=3.11"), @"2.7.18 3.9.0 3.10.4 3.11.0");
        insta::assert_snapshot!(of("^3.11"), @"3.11.0 3.11.7 3.12.1 3.13.0");
        insta::assert_snapshot!(of("~3.11"), @"3.11.0 3.11.7");
        insta::assert_snapshot!(of("~2.7 || ^3.12"), @"2.7.18 3.12.1 3.13.0");
        insta::assert_snapshot!(of("*"), @"2.7.18 3.9.0 3.10.4 3.11.0 3.11.7 3.12.1 3.13.0 4.0.0");
        insta::assert_snapshot!(of("three"), @"unreadable");
        insta::assert_snapshot!(of(""), @"unreadable");
    }

    #[test]
    fn a_version_is_that_or_any_of_its_patches() {
        let of =
            |text: &str| Want::version(text, ".python-version").map_or("unreadable".to_owned(), |want| allowed(&want));
        insta::assert_snapshot!(of("3.11"), @"3.11.0 3.11.7");
        insta::assert_snapshot!(of("3.11.7\n"), @"3.11.7");
        insta::assert_snapshot!(of("3"), @"3.9.0 3.10.4 3.11.0 3.11.7 3.12.1 3.13.0");
        insta::assert_snapshot!(of("cpython-3.12"), @"3.12.1");
        insta::assert_snapshot!(of("pypy3.10-7.3.12"), @"unreadable");
    }

    #[test]
    fn what_to_install() {
        let of = |texts: &[&str]| {
            let wants = texts.iter().map(|text| Want::range(text, "f").unwrap()).collect();
            Wanted(wants).installable()
        };
        assert_eq!(of(&[]).as_deref(), Some("3.13"));
        assert_eq!(of(&[">=3.9,<3.12"]).as_deref(), Some("3.11"));
        assert_eq!(of(&["==3.11.4"]).as_deref(), Some("3.11.4"));
        assert_eq!(of(&["^3.9", "<3.10.5"]).as_deref(), Some("3.10.4"));
        assert_eq!(of(&["<3"]), None);
        let releases = Wanted(vec![Want::range(">=3.9.5,<3.12", "f").unwrap()]).releases();
        assert_eq!(releases, ["3.11", "3.10", "3.9"]);
    }
}
