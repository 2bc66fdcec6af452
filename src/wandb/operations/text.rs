//! Texts inside of answers: JSON that may hold `NaN`, and moments that may lack their zone. Pure.

use serde_json::Value;

use crate::base::Timestamp;

/// JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` stand bare in it, and become texts of these words.
pub fn read_json(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(error) => {
            let quoted = with_words_quoted(text).ok_or_else(|| error.to_string())?;
            serde_json::from_str(&quoted).map_err(|error| error.to_string())
        }
    }
}

/// The words that JSON does not have, outside of texts, in quotes; `None` if there are none.
fn with_words_quoted(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_text, mut is_escaped, mut has_changed) = (false, false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"]
            .into_iter()
            .find(|word| !in_text && rest.starts_with(word));
        if let Some(word) = word {
            out.extend(["\"", word, "\""]);
            rest = &rest[word.len()..];
            has_changed = true;
            continue;
        }
        in_text ^= c == '"' && !is_escaped;
        is_escaped = in_text && c == '\\' && !is_escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    has_changed.then_some(out)
}

/// A moment in RFC 3339; without a zone it is in UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_of_python_become_texts_outside_of_texts_alone() {
        let read = |text| read_json(text).unwrap();
        assert_eq!(
            read(r#"{"a":NaN,"b":[Infinity,-Infinity],"NaN":"NaN, \"NaN\\","c":-1.5}"#),
            json!({"a": "NaN", "b": ["Infinity", "-Infinity"], "NaN": "NaN, \"NaN\\", "c": -1.5})
        );
        assert_eq!(read(r#"{"ü":"é NaN"}"#), json!({"ü": "é NaN"}));
        for wrong in ["", "{", "NaNa", "{\"a\":Nan}", "\"NaN"] {
            assert!(read_json(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_read_with_and_without_a_zone() {
        for text in [
            "2026-11-23T03:22:13Z",
            "2026-11-23T03:22:13",
            "2026-11-23T03:22:13.125173",
            "2026-11-23 03:22:13",
            "2026-11-23T04:22:13+01:00",
        ] {
            assert_eq!(moment(text).unwrap().to_string(), "2026-11-23T03:22:13Z", "{text}");
        }
        assert_eq!(moment("yesterday"), None);
    }
}
