//! Filters and orders as clients send them: JSON in the manner of `MongoDB`, `+name` and `-name`. Pure.

use std::cmp::Ordering;

use serde_json::Value;

use super::execute::{Args, Refusal, refuse};

/// The filter of an argument; nothing when there is none.
pub fn filter(args: &Args, name: &str) -> Result<Option<Value>, Refusal> {
    let Some(text) = args.text(name) else {
        return Ok(None);
    };
    let filter = serde_json::from_str(text);
    filter
        .map(Some)
        .map_err(|error| refuse(400, format!("invalid filter: {error}")))
}

/// Whether something with these fields is meant. A field with several values is a list.
pub fn matches(filter: Option<&Value>, field: &dyn Fn(&str) -> Value) -> Result<bool, Refusal> {
    let Some(Value::Object(members)) = filter else {
        return Ok(true);
    };
    for (name, wanted) in members {
        let is_met = match name.as_str() {
            "$and" => every(wanted, &mut |one| matches(Some(one), field))?,
            "$or" => some(wanted, &mut |one| matches(Some(one), field))?,
            "$nor" => !some(wanted, &mut |one| matches(Some(one), field))?,
            "$not" => !matches(Some(wanted), field)?,
            name => holds(&field(name), wanted)?,
        };
        if !is_met {
            return Ok(false);
        }
    }
    Ok(true)
}

type Check<'a> = &'a mut dyn FnMut(&Value) -> Result<bool, Refusal>;

fn every(list: &Value, check: Check<'_>) -> Result<bool, Refusal> {
    for one in list.as_array().into_iter().flatten() {
        if !check(one)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn some(list: &Value, check: Check<'_>) -> Result<bool, Refusal> {
    for one in list.as_array().into_iter().flatten() {
        if check(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holds(value: &Value, wanted: &Value) -> Result<bool, Refusal> {
    let Some(operators) = wanted
        .as_object()
        .filter(|map| map.keys().any(|name| name.starts_with('$')))
    else {
        return Ok(is_equal(value, wanted));
    };
    for (operator, operand) in operators {
        let order = compare(value, operand);
        let is_met = match operator.as_str() {
            "$eq" => is_equal(value, operand),
            "$ne" => !is_equal(value, operand),
            "$in" => some(operand, &mut |one| Ok(is_equal(value, one)))?,
            "$nin" => !some(operand, &mut |one| Ok(is_equal(value, one)))?,
            "$gt" => order == Some(Ordering::Greater),
            "$gte" => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            "$lt" => order == Some(Ordering::Less),
            "$lte" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            "$exists" => value.is_null() != (operand == &Value::Bool(true)),
            "$not" => !holds(value, operand)?,
            "$regex" => {
                let pattern = operand.as_str().unwrap_or_default();
                texts(value)
                    .iter()
                    .try_fold(false, |is_met, text| Ok(is_met || has_pattern(text, pattern)?))?
            }
            other => return Err(refuse(400, format!("invalid filter: `{other}` is not known"))),
        };
        if !is_met {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_equal(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Array(list) => list.contains(wanted) || value == wanted,
        _ => value == wanted || compare(value, wanted) == Some(Ordering::Equal),
    }
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// The part of patterns that the twin plays: letters, `.*`, and the two edges.
fn has_pattern(text: &str, pattern: &str) -> Result<bool, Refusal> {
    let plain = pattern.trim_start_matches('^').trim_end_matches('$');
    let parts: Vec<&str> = plain.split(".*").collect();
    if parts
        .iter()
        .any(|part| part.contains(['(', '[', '\\', '+', '*', '?', '|', '^', '$']))
    {
        return Err(refuse(501, format!("the twin does not play the pattern `{pattern}`")));
    }
    let mut rest = text;
    for (index, part) in parts.iter().enumerate() {
        let is_edge = index == 0 && pattern.starts_with('^');
        let Some(place) = rest.find(part).filter(|place| !is_edge || *place == 0) else {
            return Ok(false);
        };
        rest = &rest[place + part.len()..];
    }
    let last = parts.last().copied().unwrap_or_default();
    Ok(!pattern.ends_with('$') || text.ends_with(last))
}

/// Sorts by `order`, which may have a sign: `-created_at`.
pub fn sort<T>(items: &mut [T], order: Option<&str>, field: impl Fn(&T, &str) -> Value) {
    let Some(order) = order else { return };
    let (is_falling, name) = match order.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, order.trim_start_matches('+')),
    };
    items.sort_by(|left, right| {
        let order = compare(&field(left, name), &field(right, name)).unwrap_or(Ordering::Equal);
        if is_falling { order.reverse() } else { order }
    });
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{matches, sort};

    fn check(filter: &Value) -> bool {
        let thing = json!({ "name": "demo", "step": 3, "tag": ["a", "b"] });
        matches(Some(filter), &|name| thing[name].clone()).unwrap()
    }

    #[test]
    fn filters_are_met_or_not() {
        for met in [
            json!({}),
            json!({ "name": "demo", "step": 3 }),
            json!({ "$and": [{ "step": { "$gt": 2 } }, { "tag": "b" }] }),
            json!({ "$or": [{ "step": { "$lt": 2 } }, { "tag": { "$in": ["c", "a"] } }] }),
            json!({ "name": { "$regex": "^de.*o$" } }),
            json!({ "other": { "$exists": false } }),
        ] {
            assert!(check(&met), "{met}");
        }
        for missed in [
            json!({ "name": "dem" }),
            json!({ "step": { "$gte": 4 } }),
            json!({ "tag": { "$nin": ["a"] } }),
            json!({ "name": { "$regex": "^emo" } }),
            json!({ "$nor": [{ "step": 3 }] }),
        ] {
            assert!(!check(&missed), "{missed}");
        }
        let unknown = json!({ "name": { "$near": 1 } });
        assert_eq!(matches(Some(&unknown), &|_| Value::Null).unwrap_err().status, 400);
    }

    #[test]
    fn a_minus_turns_the_order_around() {
        let mut numbers = [2, 3, 1];
        sort(&mut numbers, Some("-n"), |number, _| json!(number));
        assert_eq!(numbers, [3, 2, 1]);
        sort(&mut numbers, Some("+n"), |number, _| json!(number));
        assert_eq!(numbers, [1, 2, 3]);
    }
}
