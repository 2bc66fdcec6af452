//! TOML as Python's `json.dumps` writes it, since that is what lock files take their hashes of. Pure.

use std::fmt::Write as _;

/// What stands between two members, and between a name and its value.
#[derive(Debug, Clone, Copy)]
pub struct Separators(pub &'static str, pub &'static str);

/// `json.dumps(value, sort_keys=True)`.
pub const SPACED: Separators = Separators(", ", ": ");
/// The same with `separators=(",", ":")`.
pub const COMPACT: Separators = Separators(",", ":");

/// Appends `value`; false when Python would write it in a way that we do not know (a float, a date).
pub fn dump(value: &toml::Value, separators: Separators, out: &mut String) -> bool {
    match value {
        toml::Value::String(text) => {
            string(text, out);
            true
        }
        toml::Value::Integer(number) => write!(out, "{number}").is_ok(),
        toml::Value::Boolean(value) => write!(out, "{value}").is_ok(),
        toml::Value::Float(_) | toml::Value::Datetime(_) => false,
        toml::Value::Array(items) => {
            out.push('[');
            let mut is_known = true;
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { separators.0 } else { "" });
                is_known &= dump(item, separators, out);
            }
            out.push(']');
            is_known
        }
        toml::Value::Table(members) => object(members.iter().map(|(name, value)| (name, Some(value))), separators, out),
    }
}

/// Appends an object; what is `None` becomes `null`. The names come in the order in which they are written.
pub fn object<'a>(
    members: impl IntoIterator<Item = (&'a String, Option<&'a toml::Value>)>,
    separators: Separators,
    out: &mut String,
) -> bool {
    // Whatever map the table is made of, Python sorts by code points, as bytes of UTF-8 do.
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort_by_key(|(name, _)| *name);
    out.push('{');
    let mut is_known = true;
    for (index, (name, value)) in members.into_iter().enumerate() {
        out.push_str(if index > 0 { separators.0 } else { "" });
        string(name, out);
        out.push_str(separators.1);
        match value {
            Some(value) => is_known &= dump(value, separators, out),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    is_known
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}"); // Writing to a string can not fail.
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_writes_it() {
        let table: toml::Table = "b = [1, true]\na = \"é\\u007f\\n😀\\\"\"\n[c]\nx = {}".parse().unwrap();
        let mut out = String::new();
        assert!(dump(&toml::Value::Table(table), SPACED, &mut out));
        // Python 3.11: json.dumps(tomllib.loads(…), sort_keys=True)
        insta::assert_snapshot!(out, @r#"{"a": "\u00e9\u007f\n\ud83d\ude00\"", "b": [1, true], "c": {"x": {}}}"#);
        for unknown in ["a = 1.5", "a = 2020-01-01"] {
            let table: toml::Table = unknown.parse().unwrap();
            assert!(!dump(&toml::Value::Table(table), COMPACT, &mut String::new()));
        }
    }
}
