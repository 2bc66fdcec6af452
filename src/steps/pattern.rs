//! Paths and globs of inputs and outputs: what they match, and whether two of them can name the same file. Pure.
//!
//! `*` and `?` match within one name, `**` any number of directories, `{a,b}` and `[a-z]` as usual, a backslash takes the
//! next character as it is. A path without any of these names a file, or a directory and everything in it. Names that begin
//! with a dot are matched only where a part of the pattern begins with one too. One engine answers both questions, so that
//! the plan and the files agree.

/// Alternatives of one pattern; more are refused.
const MAX_ALTERNATIVES: usize = 64;
const MAX_BYTES: usize = 1024;
/// Ours, and version control's: nothing there is made or read by a step.
const RESERVED: &[&str] = &[".git", ".mlops"];

/// A checked path or glob, relative to the repository's root and within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    segments: Vec<Segment>,
    /// A plain path, where there are no wildcards.
    literal: Option<String>,
    /// A plain path that does not look like a file's: it may be a directory.
    may_be_directory: bool,
    /// A part begins with a dot.
    is_hidden: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// `**`: any number of names.
    Any,
    Name(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Star,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Why a text is no usable pattern, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct PatternError {
    pub code: &'static str,
    pub why: String,
    pub help: &'static str,
}

impl PatternError {
    fn new(code: &'static str, why: impl Into<String>, help: &'static str) -> Self {
        Self {
            code,
            why: why.into(),
            help,
        }
    }
}

/// Where the search for one alternative begins, and how deep it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'p> {
    /// This file, or everything in this directory.
    Path(&'p str),
    /// Files below the leading names without wildcards; at most so deep, if there is a limit.
    Below { depth: Option<usize>, is_hidden: bool },
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        const RELATIVE: &str = "write a path such as `data/clean.csv`, relative to the repository's root";
        if text.trim().is_empty() {
            return Err(PatternError::new("empty-value", "is an empty text", RELATIVE));
        }
        if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
            let why = "is too long or has a control character";
            return Err(PatternError::new("bad-path", why, RELATIVE));
        }
        if text.starts_with('/') || text.starts_with('~') {
            return Err(PatternError::new("outside", "leads out of the repository", RELATIVE));
        }
        let mut alternatives = Vec::new();
        for plain in expand_braces(text)? {
            alternatives.push(Alternative::parse(&plain)?);
        }
        Ok(Self {
            text: text.to_owned(),
            alternatives,
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The one path that it is, if it has no wildcard and no alternatives.
    pub fn literal(&self) -> Option<&str> {
        match self.alternatives.as_slice() {
            [one] => one.literal.as_deref(),
            _ => None,
        }
    }

    /// How much work it is to hold it against others: the length of its alternatives, and of those with wildcards.
    pub fn lengths(&self) -> [usize; 2] {
        let length = |alternative: &Alternative| {
            let names = alternative.segments.iter().map(|segment| match segment {
                Segment::Any => 1,
                Segment::Name(tokens) => 1 + tokens.len(),
            });
            names.sum::<usize>()
        };
        let wild = self
            .alternatives
            .iter()
            .filter(|alternative| alternative.literal.is_none());
        [self.alternatives.iter().map(length).sum(), wild.map(length).sum()]
    }

    /// Each alternative's place, and where it begins: the leading names that have no wildcard.
    pub fn places(&self) -> impl Iterator<Item = (Place<'_>, String)> {
        self.alternatives.iter().map(|alternative| {
            if let Some(path) = &alternative.literal {
                return (Place::Path(path), path.clone());
            }
            let n_plain = alternative.segments.iter().map_while(plain_name).count();
            let is_bounded = !alternative.segments.contains(&Segment::Any);
            let place = Place::Below {
                depth: is_bounded.then(|| alternative.segments.len() - n_plain),
                is_hidden: alternative.is_hidden,
            };
            (place, alternative.base())
        })
    }

    /// Whether a file at this path, as the walk writes it (`a/b.csv`), is meant.
    pub fn matches(&self, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').collect();
        let has_hidden = names.iter().any(|name| name.starts_with('.'));
        self.alternatives.iter().any(|alternative| match &alternative.literal {
            Some(literal) => is_at_or_below(path, literal),
            None => (!has_hidden || alternative.is_hidden) && matches_names(&alternative.segments, &names),
        })
    }

    /// Whether some file can be meant by both.
    ///
    /// A plain path whose last name has an extension counts as a file here, unless a slash ends it; any other one may be a
    /// directory, of which a pattern means something if one of them begins within the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.alternatives
            .iter()
            .any(|one| other.alternatives.iter().any(|two| one.overlaps(two)))
    }
}

/// Whether `path` is `place` or in it.
pub fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Alternative {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let mut segments = Vec::new();
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                return Err(PatternError::new(
                    "outside",
                    "leads out of the repository by `..`",
                    "write the path from the repository's root, without `..`",
                ));
            }
            match part {
                "**" if segments.last() == Some(&Segment::Any) => {}
                "**" => segments.push(Segment::Any),
                _ => segments.push(Segment::Name(tokens(part)?)),
            }
        }
        if segments.is_empty() || segments == [Segment::Any] {
            return Err(PatternError::new(
                "bad-path",
                "is the whole repository",
                "name the files, such as `data/raw.csv` or `src/**/*.py`",
            ));
        }
        if segments.last() == Some(&Segment::Any) {
            segments.push(Segment::Name(vec![Token::Star]));
        }
        if let Some(first) = plain_name(&segments[0]).filter(|first| RESERVED.contains(&first.as_str())) {
            return Err(PatternError::new(
                "bad-path",
                format!("is in `{first}`, which is not for steps"),
                "name a file elsewhere",
            ));
        }
        let names: Option<Vec<String>> = segments.iter().map(plain_name).collect();
        let is_hidden = segments
            .iter()
            .any(|segment| matches!(segment, Segment::Name(tokens) if tokens.first() == Some(&Token::Char('.'))));
        let literal = names.map(|names| names.join("/"));
        let has_extension = |path: &String| {
            path.rsplit('/')
                .next()
                .is_some_and(|name| name.trim_start_matches('.').contains('.'))
        };
        Ok(Self {
            may_be_directory: literal
                .as_ref()
                .is_some_and(|path| text.ends_with('/') || !has_extension(path)),
            literal,
            is_hidden,
            segments,
        })
    }

    /// The leading names without wildcards.
    fn base(&self) -> String {
        let names: Vec<String> = self.segments.iter().map_while(plain_name).collect();
        names.join("/")
    }

    fn overlaps(&self, other: &Self) -> bool {
        let touch = |one: &str, two: &str| is_at_or_below(one, two) || is_at_or_below(two, one);
        let may_hold = |directory: &Self, pattern: &Self| {
            let base = pattern.base();
            let literal = directory
                .literal
                .as_deref()
                .filter(|_| directory.may_be_directory && !base.is_empty());
            literal.is_some_and(|literal| touch(literal, &base))
        };
        if let (Some(one), Some(two)) = (&self.literal, &other.literal) {
            return touch(one, two);
        }
        let (holds, held) = (may_hold(self, other), may_hold(other, self));
        let (a, b) = (&self.segments, &other.segments);
        let width = b.len() + 1;
        let mut can = vec![false; (a.len() + 1) * width];
        for i in (0..=a.len()).rev() {
            for j in (0..=b.len()).rev() {
                let at = |i: usize, j: usize| can[i * width + j];
                let now = match (a.get(i), b.get(j)) {
                    (None, None) => true,
                    // What is below a directory is meant too.
                    (None, Some(_)) if holds => true,
                    (Some(_), None) if held => true,
                    (None, Some(Segment::Any)) => at(i, j + 1),
                    (Some(Segment::Any), None) => at(i + 1, j),
                    (None, Some(Segment::Name(_))) | (Some(Segment::Name(_)), None) => false,
                    (Some(Segment::Any), Some(_)) | (Some(_), Some(Segment::Any)) => at(i + 1, j) || at(i, j + 1),
                    (Some(Segment::Name(one)), Some(Segment::Name(two))) => at(i + 1, j + 1) && names_overlap(one, two),
                };
                can[i * width + j] = now;
            }
        }
        can[0]
    }
}

/// The name that a segment is, if it has no wildcard.
fn plain_name(segment: &Segment) -> Option<String> {
    let Segment::Name(tokens) = segment else { return None };
    tokens
        .iter()
        .map(|token| match token {
            Token::Char(c) => Some(*c),
            Token::One | Token::Star | Token::Class { .. } => None,
        })
        .collect()
}

fn names_overlap(a: &[Token], b: &[Token]) -> bool {
    let width = b.len() + 1;
    let mut can = vec![false; (a.len() + 1) * width];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            let at = |i: usize, j: usize| can[i * width + j];
            let now = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (None, Some(Token::Star)) => at(i, j + 1),
                (Some(Token::Star), None) => at(i + 1, j),
                (None, Some(_)) | (Some(_), None) => false,
                (Some(Token::Star), Some(_)) | (Some(_), Some(Token::Star)) => at(i + 1, j) || at(i, j + 1),
                (Some(one), Some(two)) => at(i + 1, j + 1) && one.shares(two),
            };
            can[i * width + j] = now;
        }
    }
    can[0]
}

fn matches_names(segments: &[Segment], names: &[&str]) -> bool {
    let width = names.len() + 1;
    let mut can = vec![false; (segments.len() + 1) * width];
    for i in (0..=segments.len()).rev() {
        for j in (0..=names.len()).rev() {
            let at = |i: usize, j: usize| can[i * width + j];
            let now = match (segments.get(i), names.get(j)) {
                (None, name) => name.is_none(),
                (Some(Segment::Any), None) => at(i + 1, j),
                (Some(Segment::Any), Some(_)) => at(i + 1, j) || at(i, j + 1),
                (Some(Segment::Name(_)), None) => false,
                (Some(Segment::Name(tokens)), Some(name)) => at(i + 1, j + 1) && matches_name(tokens, name),
            };
            can[i * width + j] = now;
        }
    }
    can[0]
}

/// The usual walk that goes back to the last star alone: linear in most, quadratic in the worst case.
fn matches_name(tokens: &[Token], name: &str) -> bool {
    let mut chars = name.chars();
    let mut at = 0;
    let mut star: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = chars.clone();
        match (tokens.get(at), chars.next()) {
            (Some(Token::Star), _) => {
                chars = before.clone();
                at += 1;
                star = Some((at, before));
            }
            (Some(token), Some(c)) if token.takes(c) => at += 1,
            (None, None) => return true,
            (_, _) => {
                let Some((after, rest)) = &mut star else { return false };
                if rest.next().is_none() {
                    return false;
                }
                at = *after;
                chars = rest.clone();
            }
        }
    }
}

impl Token {
    /// Whether this one character is meant; a star is not asked.
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One => true,
            Self::Star => false,
            Self::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
        }
    }

    /// Whether one character can be meant by both; neither is a star.
    fn shares(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Char(c), token) | (token, Self::Char(c)) => token.takes(*c),
            (
                Self::Class {
                    negated: false,
                    ranges: one,
                },
                Self::Class { .. },
            ) => shares_any(one, other),
            (
                Self::Class { .. },
                Self::Class {
                    negated: false,
                    ranges: two,
                },
            ) => shares_any(two, self),
            // Of two that leave out some characters there is always one more; `?` takes all.
            (Self::One | Self::Star | Self::Class { .. }, Self::One | Self::Star | Self::Class { .. }) => true,
        }
    }
}

/// Whether a character of the ranges is taken. Where the answer changes, it does so at an end of a range.
fn shares_any(ranges: &[(char, char)], other: &Token) -> bool {
    let Token::Class { ranges: theirs, .. } = other else {
        return true;
    };
    ranges.iter().any(|(low, high)| {
        let next = |c: char| char::from_u32(u32::from(c) + 1);
        let ends = theirs.iter().flat_map(|(from, to)| [Some(*from), next(*to)]).flatten();
        [*low]
            .into_iter()
            .chain(ends)
            .any(|c| (*low..=*high).contains(&c) && other.takes(c))
    })
}

fn tokens(part: &str) -> Result<Vec<Token>, PatternError> {
    const HELP: &str = "close it, or write a backslash before it to mean the character itself";
    let mut tokens = Vec::new();
    let mut chars = part.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' if tokens.last() == Some(&Token::Star) => continue,
            '*' => Token::Star,
            '?' => Token::One,
            '\\' => match chars.next() {
                Some(c) => Token::Char(c),
                None => return Err(PatternError::new("bad-path", "ends with a backslash", HELP)),
            },
            '[' => {
                let negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
                let mut ranges: Vec<(char, char)> = Vec::new();
                loop {
                    match chars.next() {
                        Some(']') if !ranges.is_empty() => break,
                        Some(low) => {
                            let mut rest = chars.clone();
                            let high = (rest.next() == Some('-')).then(|| rest.next()).flatten();
                            if let Some(high) = high.filter(|high| *high != ']') {
                                chars = rest;
                                ranges.push((low.min(high), low.max(high)));
                            } else {
                                ranges.push((low, low));
                            }
                        }
                        None => return Err(PatternError::new("bad-path", "has a `[` that is not closed", HELP)),
                    }
                }
                Token::Class { negated, ranges }
            }
            c => Token::Char(c),
        });
    }
    Ok(tokens)
}

/// `a{b,c}` as `ab` and `ac`; braces may nest.
fn expand_braces(text: &str) -> Result<Vec<String>, PatternError> {
    let mut done = Vec::new();
    let mut queue = vec![text.to_owned()];
    while let Some(next) = queue.pop() {
        match split_braces(&next)? {
            None => done.push(next),
            Some(Braces { before, choices, after }) => {
                queue.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
            }
        }
        if done.len() + queue.len() > MAX_ALTERNATIVES {
            return Err(PatternError::new(
                "bad-path",
                "has more alternatives in braces than 64",
                "use `*`, or several patterns",
            ));
        }
    }
    Ok(done)
}

/// What is before the first brace, its choices, and what is behind it.
struct Braces<'t> {
    before: &'t str,
    choices: Vec<&'t str>,
    after: &'t str,
}

fn split_braces(text: &str) -> Result<Option<Braces<'_>>, PatternError> {
    let mut depth = 0_usize;
    let (mut open, mut start) = (0, 0);
    let mut choices = Vec::new();
    let (mut is_escaped, mut in_class) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '{' => {
                depth += 1;
                if depth == 1 {
                    (open, start) = (at, at + 1);
                }
            }
            ',' if depth == 1 => {
                choices.push(&text[start..at]);
                start = at + 1;
            }
            '}' if depth == 1 => {
                choices.push(&text[start..at]);
                return Ok(Some(Braces {
                    before: &text[..open],
                    choices,
                    after: &text[at + 1..],
                }));
            }
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    if depth > 0 {
        return Err(PatternError::new(
            "bad-path",
            "has a `{` that is not closed",
            "close it, or write a backslash before it to mean the character itself",
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use globset::GlobBuilder;
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn what_is_meant() {
        for (text, path, is_meant) in [
            ("data/raw.csv", "data/raw.csv", true),
            ("./data//raw.csv", "data/raw.csv", true),
            ("data/raw.csv", "data/raw.csv.old", false),
            ("data", "data/a/b.csv", true),
            ("data/", "data/.hidden/b.csv", true),
            ("data", "database.csv", false),
            ("data/*.csv", "data/a.csv", true),
            ("data/*.csv", "data/a/b.csv", false),
            ("data/*", "data/.a", false),
            ("data/.*", "data/.a", true),
            ("data/**", "data/a/b/c", true),
            ("data/**", "data", false),
            ("**/*.py", "a.py", true),
            ("src/**/*.py", "src/a.py", true),
            ("src/**/*.py", "src/a/b/c.py", true),
            ("src/**/*.py", "lib/a.py", false),
            ("{a,b{1,2}}.csv", "b2.csv", true),
            ("{a,b{1,2}}.csv", "b.csv", false),
            ("[a-c]?.csv", "b1.csv", true),
            ("[!a-c]?.csv", "b1.csv", false),
            ("[]].csv", "].csv", true),
            ("\\[x].csv", "[x].csv", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxxcx", false),
        ] {
            assert_eq!(pattern(text).matches(path), is_meant, "{text} {path}");
        }
    }

    #[test]
    fn what_can_be_the_same_file() {
        for (one, two, can_be) in [
            ("data/a.csv", "data/a.csv", true),
            ("data/a.csv", "data/b.csv", false),
            ("data", "data/b.csv", true),
            ("data/*.csv", "data/b.csv", true),
            ("data/*.csv", "data", true),
            ("data/*.csv", "data/*.json", false),
            ("data/a*", "data/*b", true),
            ("data/a*", "data/b*", false),
            ("**/x.csv", "data/**", true),
            ("**/x.csv", "data/y.csv", false),
            ("**/*.py", "models", false),
            ("data/**/*.csv", "data/parts", true),
            ("data/**/*.csv", "data/model.bin", false),
            ("data/**/*.csv", "data/model.zarr/", true),
            ("[ab].csv", "[cd].csv", false),
            ("[ab].csv", "[b-d].csv", true),
            ("[!ab].csv", "[ab].csv", false),
            ("[!a].csv", "[ab].csv", true),
            ("{a,b}.csv", "{c,d}.csv", false),
            ("{a,b}.csv", "{b,c}.csv", true),
            ("a/*/c", "a/b", true),
            ("a/*", "a/b/c", false),
        ] {
            assert_eq!(pattern(one).overlaps(&pattern(two)), can_be, "{one} {two}");
            assert_eq!(pattern(two).overlaps(&pattern(one)), can_be, "{two} {one}");
        }
    }

    #[test]
    fn what_can_not_be_meant_is_refused() {
        let refused = [
            "",
            " ",
            "/etc/passwd",
            "~/x",
            "../x",
            "a/../../x",
            "a/{..,b}/c",
            ".",
            "./",
            "**",
            ".git/config",
            ".mlops/x",
            "a\nb",
            "[a",
            "{a",
            "a\\",
            "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
        ];
        let told: Vec<String> = refused
            .iter()
            .map(|text| {
                let error = Pattern::parse(text).unwrap_err();
                format!("{text:?}: {} [{}]", error.why, error.code)
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
    "": is an empty text [empty-value]
    " ": is an empty text [empty-value]
    "/etc/passwd": leads out of the repository [outside]
    "~/x": leads out of the repository [outside]
    "../x": leads out of the repository by `..` [outside]
    "a/../../x": leads out of the repository by `..` [outside]
    "a/{..,b}/c": leads out of the repository by `..` [outside]
    ".": is the whole repository [bad-path]
    "./": is the whole repository [bad-path]
    "**": is the whole repository [bad-path]
    ".git/config": is in `.git`, which is not for steps [bad-path]
    ".mlops/x": is in `.mlops`, which is not for steps [bad-path]
    "a\nb": is too long or has a control character [bad-path]
    "[a": has a `[` that is not closed [bad-path]
    "{a": has a `{` that is not closed [bad-path]
    "a\\": ends with a backslash [bad-path]
    "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}": has more alternatives in braces than 64 [bad-path]
    "#);
    }

    proptest! {
        #[test]
        fn as_globset_means_it(text in "[ab*?{}\\[\\],/]{1,9}", path in "[ab]{1,3}(/[ab]{1,3}){0,2}") {
            let theirs = GlobBuilder::new(&text).literal_separator(true).backslash_escape(true).build();
            // A leading slash, empty names and `**` inside of a name are read in our own way.
            let is_plain = !text.starts_with('/') && !text.contains("//") && !text.ends_with('/')
                && text.split('/').all(|part| part == "**" || !part.contains("**"));
            if let (Ok(theirs), Ok(ours), true) = (theirs, Pattern::parse(&text), is_plain) {
                let has_wildcards = ours.literal().is_none();
                if has_wildcards && !text.contains('{') {
                    prop_assert_eq!(theirs.compile_matcher().is_match(&path), ours.matches(&path));
                }
            }
        }

        #[test]
        fn to_match_is_to_share_a_file(text in "[ab*?/]{1,9}", path in "[ab]{1,3}(/[ab]{1,3}){0,2}") {
            if let Ok(pattern) = Pattern::parse(&text) {
                let file = Pattern::parse(&path).unwrap();
                // The file could be a directory as well, so that to share may be more.
                prop_assert!(!pattern.matches(&path) || pattern.overlaps(&file));
                prop_assert_eq!(pattern.overlaps(&file), file.overlaps(&pattern));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}", other in "[ab*?{}\\[\\]!^,/-]{0,20}") {
            for text in [&text, &other] {
                if let Ok(pattern) = Pattern::parse(text) {
                    prop_assert!(pattern.overlaps(&pattern));
                    pattern.matches(text);
                }
            }
        }
    }
}
