//! A tree of what was written, where every value and key knows its place, and a reader that collects every problem.

use super::{Diagnostic, Diagnostics, nearest, shortened};

/// A place in a text file: line and column from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Span {
    pub line: u32,
    pub column: u32,
    /// One past the last character on that line; equal to `column` when unknown.
    pub end_column: u32,
}

impl Span {
    pub fn new(line: u32, column: u32, end_column: u32) -> Self {
        Self {
            line,
            column,
            end_column,
        }
    }
}

/// One value as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub value: Value,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// A number; `text` is what was written, since `1.10` and `1.1` differ as versions or labels.
    Number {
        value: f64,
        text: String,
    },
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    /// What kind of value it is, with an article.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number { .. } => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    fn wrong(&self, what: &str, wanted: &str) -> Diagnostic {
        let problem =
            Diagnostic::error("wrong-type", format!("`{what}` must be {wanted}, not {}", self.kind())).at(self.span);
        match self.value {
            Value::Bool(_) if wanted == "a text" => problem.help("put it in quotes"),
            _ => problem,
        }
    }

    /// The text; a number counts as the text it was written as.
    pub fn text(&self, what: &str, problems: &mut Diagnostics) -> Option<String> {
        match &self.value {
            Value::Text(text) | Value::Number { text, .. } => Some(text.clone()),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) => {
                problems.push(self.wrong(what, "a text"));
                None
            }
        }
    }

    /// A finite number.
    pub fn number(&self, what: &str, problems: &mut Diagnostics) -> Option<f64> {
        match &self.value {
            Value::Number { value, .. } if value.is_finite() => Some(*value),
            Value::Number { text, .. } => {
                problems.push(
                    Diagnostic::error(
                        "not-finite",
                        format!("`{what}` must be a finite number, not `{}`", shortened(text)),
                    )
                    .at(self.span),
                );
                None
            }
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                problems.push(self.wrong(what, "a number"));
                None
            }
        }
    }

    /// A finite number within `range` (both ends included).
    pub fn number_in(
        &self,
        what: &str,
        range: std::ops::RangeInclusive<f64>,
        problems: &mut Diagnostics,
    ) -> Option<f64> {
        let value = self.number(what, problems)?;
        if range.contains(&value) {
            return Some(value);
        }
        let (low, high) = (range.start(), range.end());
        let wanted = if high.is_infinite() {
            format!("at least {low}")
        } else {
            format!("between {low} and {high}")
        };
        problems
            .push(Diagnostic::error("out-of-range", format!("`{what}` must be {wanted}, not {value}")).at(self.span));
        None
    }

    /// A whole number within `range` (both ends included).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    pub fn integer_in(
        &self,
        what: &str,
        range: std::ops::RangeInclusive<u64>,
        problems: &mut Diagnostics,
    ) -> Option<u64> {
        let value = self.number(what, problems)?;
        if value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value) && range.contains(&(value as u64)) {
            return Some(value as u64);
        }
        let wanted = format!("a whole number between {} and {}", range.start(), range.end());
        problems
            .push(Diagnostic::error("out-of-range", format!("`{what}` must be {wanted}, not {value}")).at(self.span));
        None
    }

    pub fn boolean(&self, what: &str, problems: &mut Diagnostics) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            return Some(value);
        }
        problems.push(self.wrong(what, "`true` or `false`"));
        None
    }

    pub fn list(&self, what: &str, problems: &mut Diagnostics) -> Option<&[Self]> {
        if let Value::List(items) = &self.value {
            return Some(items);
        }
        problems.push(self.wrong(what, "a list"));
        None
    }

    pub fn map(&self, what: &str, problems: &mut Diagnostics) -> Option<&[Entry]> {
        if let Value::Map(entries) = &self.value {
            return Some(entries);
        }
        problems.push(self.wrong(what, "a mapping"));
        None
    }

    /// One of a closed set of words.
    pub fn one_of<'w>(&self, what: &str, words: &[&'w str], problems: &mut Diagnostics) -> Option<&'w str> {
        let written = match self.value {
            Value::Bool(value) => value.to_string(),
            _ => self.text(what, problems)?,
        };
        if let Some(word) = words.iter().find(|word| **word == written) {
            return Some(word);
        }
        let mut problem = Diagnostic::error(
            "unknown-value",
            format!("`{what}` can not be `{}`", shortened(&written)),
        )
        .at(self.span);
        problem = match nearest(&written, words.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`? The values are: {}", words.join(", "))),
            None => problem.help(format!("the values are: {}", words.join(", "))),
        };
        problems.push(problem);
        None
    }
}

/// Reads the keys of one mapping; what is left over at the end is unknown.
#[derive(Debug)]
pub struct Fields<'n> {
    path: String,
    node: &'n Node,
    entries: &'n [Entry],
    known: Vec<&'static str>,
    later: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// `path` names the mapping in messages: `data.split`; empty for the top level.
    pub fn of(node: &'n Node, path: &str, problems: &mut Diagnostics) -> Option<Self> {
        let entries = node.map(if path.is_empty() { "mlops.yaml" } else { path }, problems)?;
        Some(Self {
            path: path.to_owned(),
            node,
            entries,
            known: Vec::new(),
            later: Vec::new(),
        })
    }

    /// The full name of a key, for messages.
    pub fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key; `None` when it is absent or written as nothing.
    pub fn optional(&mut self, key: &'static str) -> Option<&'n Node> {
        self.entry(key)
            .map(|entry| &entry.node)
            .filter(|node| node.value != Value::Null)
    }

    /// The value of a key that must be there.
    pub fn required(&mut self, key: &'static str, problems: &mut Diagnostics) -> Option<&'n Node> {
        let entry = self.entry(key);
        let found = entry.map(|entry| &entry.node).filter(|node| node.value != Value::Null);
        if found.is_none() {
            let name = self.name(key);
            problems.push(match entry {
                Some(entry) => Diagnostic::error("missing-key", format!("`{name}` has no value"))
                    .at(entry.key_span)
                    .help(format!("write it after `{key}:`")),
                None => Diagnostic::error("missing-key", format!("`{name}` is missing"))
                    .at(self.node.span)
                    .help(format!("add `{key}:` here")),
            });
        }
        found
    }

    /// A key of the documented surface that this version does not have yet; says whether it is there.
    pub fn later(&mut self, key: &'static str, problems: &mut Diagnostics) -> bool {
        self.later.push(key);
        let found = self.entries.iter().find(|entry| entry.key == key);
        if let Some(entry) = found {
            let name = self.name(key);
            problems.push(
                Diagnostic::error("not-available-yet", format!("`{name}` is not available yet"))
                    .at(entry.key_span)
                    .help("remove it; a later version brings it"),
            );
        }
        found.is_some()
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, problems: &mut Diagnostics) {
        let known = |key: &str| self.known.contains(&key) || self.later.contains(&key);
        for entry in self.entries.iter().filter(|entry| !known(&entry.key)) {
            let shown = shortened(&entry.key);
            let problem =
                Diagnostic::error("unknown-key", format!("unknown key `{shown}`{}", self.inside())).at(entry.key_span);
            problems.push(match nearest(&entry.key, self.known.iter().copied()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the keys here are: {}", self.known.join(", "))),
            });
        }
    }

    fn inside(&self) -> String {
        if self.path.is_empty() {
            String::new()
        } else {
            format!(" in `{}`", self.path)
        }
    }
}
