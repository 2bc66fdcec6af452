//! Values as YAML in one line, as a person would write them. Pure.

/// A text as YAML reads it back: as it is where that is safe, in double quotes otherwise.
pub fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        // What JSON writes between quotes YAML reads as the same text.
        serde_json::Value::from(text).to_string()
    }
}

/// `[a, "b c"]`.
pub fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// `{a: 0.1, "b c": {d: e}}`; the values are written already.
pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries
        .into_iter()
        .map(|(key, value)| format!("{}: {value}", quoted(key)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Value;

    fn read(written: &str) -> Value {
        let read = crate::config::tree(&format!("key: {written}\n"), "the file").unwrap();
        let Value::Map(entries) = read.value else {
            panic!("{written}")
        };
        entries[0].node.value.clone()
    }

    #[test]
    fn texts_survive_yaml() {
        for text in [
            "plain",
            "with space",
            "y",
            "1.10",
            "a: b",
            "# no",
            "\"'\\",
            "- x",
            "é",
            "*x",
            "{a}",
            "null",
        ] {
            assert_eq!(read(&quoted(text)), Value::Text(text.to_owned()));
        }
    }

    #[test]
    fn lists_and_maps_survive_yaml() {
        let names = ["a", "b, c", "no"].map(str::to_owned);
        let written = map([("names", list(&names)), ("2", "0.5".to_owned())]);
        assert_eq!(written, r#"{names: [a, "b, c", "no"], "2": 0.5}"#);
        let Value::Map(entries) = read(&written) else { panic!() };
        let Value::List(items) = &entries[0].node.value else {
            panic!()
        };
        let texts = items.iter().map(|item| item.value.clone());
        assert!(texts.eq(names.map(Value::Text)));
        assert_eq!((entries[0].key.as_str(), entries[1].key.as_str()), ("names", "2"));
    }
}
