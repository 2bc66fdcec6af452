//! Lines of history as clients write them: JSON in which `NaN`, `Infinity` and `-Infinity` may stand bare. Pure.

use serde_json::{Map, Number, Value};

/// The same with these words as texts, which is how a server answers them.
pub fn quoted(line: &str) -> String {
    let mut quoted = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(place) = rest.find(['"', 'N', 'I', '-']) {
        quoted.push_str(&rest[..place]);
        rest = &rest[place..];
        if rest.starts_with('"') {
            let end = end_of_text(rest);
            quoted.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let word = ["NaN", "Infinity", "-Infinity"]
            .into_iter()
            .find(|word| rest.starts_with(word));
        let length = word.map_or(1, |word| {
            quoted.push('"');
            word.len()
        });
        quoted.push_str(&rest[..length]);
        if word.is_some() {
            quoted.push('"');
        }
        rest = &rest[length..];
    }
    quoted.push_str(rest);
    quoted
}

/// The place behind the quote that ends the text which begins here.
fn end_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !is_escaped => return place + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

pub fn parse(line: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(&quoted(line)).ok()? {
        Value::Object(row) => Some(sorted_map(row)),
        _ => None,
    }
}

/// Keys in the order of the alphabet and whole numbers without a point, as a server in Go leaves them that reads and
/// writes JSON.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(sorted_map(map)),
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        Value::Number(number) => Value::Number(whole(number)),
        other => other,
    }
}

fn whole(number: Number) -> Number {
    match number.as_f64() {
        // Below this every whole number is itself.
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small")]
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => Number::from(float as i64),
        _ => number,
    }
}

fn sorted_map(map: Map<String, Value>) -> Map<String, Value> {
    let mut fields: Vec<(String, Value)> = map.into_iter().map(|(name, value)| (name, sorted(value))).collect();
    fields.sort_by(|left, right| left.0.cmp(&right.0));
    fields.into_iter().collect()
}

/// A metric by its name, which may lead through objects: `a.b`.
pub fn metric<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = row.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    row.get(first)?.as_object().and_then(|inner| metric(inner, rest))
}

pub fn step(row: &Map<String, Value>) -> i64 {
    row.get("_step").and_then(Value::as_i64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{metric, parse, quoted, sorted, step};

    #[test]
    fn bare_words_become_texts_and_texts_stay() {
        let line = r#"{"a":NaN,"b":[-Infinity,Infinity],"c":"NaN \" Infinity","d":-1,"NaN":"é-"}"#;
        let wanted = r#"{"a":"NaN","b":["-Infinity","Infinity"],"c":"NaN \" Infinity","d":-1,"NaN":"é-"}"#;
        assert_eq!(quoted(line), wanted);
    }

    #[test]
    fn a_row_has_its_step_and_nested_metrics() {
        let row = parse(r#"{"_step":3,"a":{"b":{"c":1}},"a.x":2}"#).unwrap();
        assert_eq!(step(&row), 3);
        assert_eq!(metric(&row, "a.b.c").unwrap(), 1);
        assert_eq!(metric(&row, "a.x").unwrap(), 2);
        assert!(metric(&row, "a.y").is_none());
        assert!(parse("[1]").is_none());
    }

    #[test]
    fn json_comes_back_in_another_order_and_whole_numbers_without_a_point() {
        let value: Value = serde_json::from_str(r#"{"b":1.0,"a":[2.5,-3.0,{"d":1e300,"c":null}]}"#).unwrap();
        assert_eq!(
            sorted(value).to_string(),
            r#"{"a":[2.5,-3,{"c":null,"d":1e+300}],"b":1}"#
        );
    }
}
