//! Parameters said once: the same value gives the JSON Schema, the default and the check. Pure.

use serde_json::{Value, json};

use crate::base::{Diagnostics, Fields, Node};

/// A finite number between two bounds, both included.
#[derive(Debug)]
pub struct Number {
    pub name: &'static str,
    pub about: &'static str,
    pub default: f64,
    pub least: f64,
    pub most: f64,
}

/// A whole number between two bounds, both included.
#[derive(Debug)]
pub struct Count {
    pub name: &'static str,
    pub about: &'static str,
    pub default: u64,
    pub least: u64,
    pub most: u64,
}

impl Number {
    pub fn schema(&self) -> (&'static str, Value) {
        let &Self {
            name,
            about,
            default,
            least,
            most,
        } = self;
        let schema = json!({
            "type": "number", "description": about, "default": default, "minimum": least, "maximum": most,
        });
        (name, schema)
    }
}

impl Count {
    pub fn schema(&self) -> (&'static str, Value) {
        let &Self {
            name,
            about,
            default,
            least,
            most,
        } = self;
        let schema = json!({
            "type": "integer", "description": about, "default": default, "minimum": least, "maximum": most,
        });
        (name, schema)
    }
}

/// The JSON Schema of a mapping of parameters.
pub fn object(properties: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let properties: serde_json::Map<String, Value> = properties
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({"type": "object", "additionalProperties": false, "properties": properties})
}

/// Reads `train.params`; what is absent has its default, every problem is collected.
#[derive(Debug)]
pub struct Reader<'n> {
    fields: Option<Fields<'n>>,
    problems: Diagnostics,
}

impl<'n> Reader<'n> {
    /// `None` stands for an absent mapping.
    pub fn of(node: Option<&'n Node>) -> Self {
        let mut problems = Diagnostics::default();
        Self {
            fields: node.and_then(|node| Fields::of(node, "train.params", &mut problems)),
            problems,
        }
    }

    pub fn number(&mut self, param: &Number) -> f64 {
        self.value(param.name, |node, name, problems| {
            node.number_in(name, param.least..=param.most, problems)
        })
        .unwrap_or(param.default)
    }

    pub fn count(&mut self, param: &Count) -> u64 {
        self.optional_count(param.name, param.least..=param.most)
            .unwrap_or(param.default)
    }

    /// A whole number that may be absent.
    pub fn optional_count(&mut self, name: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        self.value(name, |node, name, problems| node.integer_in(name, range, problems))
    }

    /// What `read` makes of the parameter, which also says what is wrong with it; `None` when absent or wrong.
    pub fn value<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'n Node, &str, &mut Diagnostics) -> Option<T>,
    ) -> Option<T> {
        let fields = self.fields.as_mut()?;
        let node = fields.optional(name)?;
        read(node, &fields.name(name), &mut self.problems)
    }

    /// `params`, unless something was wrong or unknown.
    pub fn finish<T>(mut self, params: T) -> Result<T, Diagnostics> {
        if let Some(fields) = self.fields {
            fields.finish(&mut self.problems);
        }
        if self.problems.has_errors() {
            Err(self.problems)
        } else {
            Ok(params)
        }
    }
}
