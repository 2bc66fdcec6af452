//! The core schema of YAML 1.2 for plain scalars. Pure.

use crate::base::Value;

/// What a scalar without quotes is.
pub fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    match number(text) {
        Some(value) => Value::Number {
            value,
            text: text.to_owned(),
        },
        None => Value::Text(text.to_owned()),
    }
}

/// A number of the core schema; integers beyond 2⁵³ are rounded, `.nan` is NaN.
fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if unsigned == text => return Some(f64::NAN),
        _ => {}
    }
    is_decimal(unsigned).then(|| text.parse().ok()).flatten()
}

fn radix(digits: &str, radix: u32) -> Option<f64> {
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0.0, |value: f64, c| {
        let digit = c.to_digit(radix)?;
        Some(value * f64::from(radix) + f64::from(digit))
    })
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction) && (whole.len() + fraction.len() > 0),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    mantissa_fits && exponent_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match resolve(text) {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => format!("bool {value}"),
            Value::Number { value, text: kept } => {
                assert_eq!(kept, text);
                format!("number {value}")
            }
            Value::Text(value) => format!("text {value}"),
            Value::List(_) | Value::Map(_) => unreachable!("not scalars"),
        }
    }

    /// Cases of the tables in chapter 10.3 of the YAML 1.2.2 specification, and their neighbours.
    #[test]
    fn follows_the_core_schema() {
        for (text, expected) in [
            ("", "null"),
            ("~", "null"),
            ("NULL", "null"),
            ("nUll", "text nUll"),
            ("True", "bool true"),
            ("FALSE", "bool false"),
            ("yes", "text yes"),
            ("no", "text no"),
            ("on", "text on"),
            ("off", "text off"),
            ("y", "text y"),
            ("0", "number 0"),
            ("-19", "number -19"),
            ("+12", "number 12"),
            ("007", "number 7"),
            ("0o7", "number 7"),
            ("0o8", "text 0o8"),
            ("0x3A", "number 58"),
            ("0x", "text 0x"),
            ("-0x3A", "text -0x3A"),
            ("0.", "number 0"),
            (".5", "number 0.5"),
            ("+12e03", "number 12000"),
            ("-2E+05", "number -200000"),
            ("1.10", "number 1.1"),
            ("1e", "text 1e"),
            ("e3", "text e3"),
            (".", "text ."),
            ("+", "text +"),
            (".e3", "text .e3"),
            ("1.2.3", "text 1.2.3"),
            ("1_000", "text 1_000"),
            ("2024-01-01", "text 2024-01-01"),
            ("1:30", "text 1:30"),
            (".inf", "number inf"),
            ("-.INF", "number -inf"),
            (".NaN", "number NaN"),
            ("-.nan", "text -.nan"),
            ("inf", "text inf"),
            ("nan", "text nan"),
            ("1e999", "number inf"),
            ("10%", "text 10%"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
