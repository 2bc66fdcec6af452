//! What a cell of text says: a number, a boolean, a moment, nothing, or only itself. Pure.

/// What stands for a missing value in CSV: the default list of pandas.
pub fn is_missing(text: &str) -> bool {
    match text.as_bytes() {
        [] => true,
        [b'#' | b'-' | b'1' | b'<' | b'N' | b'n', ..] => matches!(
            text,
            "#N/A"
                | "#N/A N/A"
                | "#NA"
                | "-1.#IND"
                | "-1.#QNAN"
                | "-NaN"
                | "-nan"
                | "1.#IND"
                | "1.#QNAN"
                | "<NA>"
                | "N/A"
                | "NA"
                | "NULL"
                | "NaN"
                | "None"
                | "n/a"
                | "nan"
                | "null"
        ),
        _ => false,
    }
}

/// How a number was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Digits alone, exactly representable.
    Integer,
    /// Digits alone, 2^53 or more: it could lose digits as a number.
    Large,
    /// With a point or an exponent.
    Decimal,
    /// With a leading zero, such as `007`: a code that would lose it as a number.
    Code,
    /// Infinite, as written or because it is too large.
    Infinite,
}

/// The greatest whole number that no other one is rounded to: 2^53 - 1.
pub const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// Reads a decimal number; spaces around it do not count. Correctly rounded.
#[inline]
pub fn number(text: &str) -> Option<(f64, Form)> {
    let mut bytes = text.as_bytes();
    if let [b' ', ..] | [.., b' '] = bytes {
        bytes = bytes.trim_ascii();
    }
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    match digits {
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => {}
        [b'i' | b'I', ..] => {
            let infinite = digits.eq_ignore_ascii_case(b"inf") || digits.eq_ignore_ascii_case(b"infinity");
            return infinite.then_some((if negative { f64::NEG_INFINITY } else { f64::INFINITY }, Form::Infinite));
        }
        _ => return None,
    }
    let is_code = matches!(digits, [b'0', b'0'..=b'9', ..]);
    if digits.len() <= 15 {
        let mut whole = 0_u64;
        let mut all_digits = true;
        for &digit in digits {
            let value = digit.wrapping_sub(b'0');
            if value > 9 {
                all_digits = false;
                break;
            }
            whole = whole * 10 + u64::from(value);
        }
        if all_digits {
            let value = whole as f64;
            let value = if negative && whole != 0 { -value } else { value };
            return Some((value, if is_code { Form::Code } else { Form::Integer }));
        }
    }
    let value: f64 = fast_float2::parse(bytes.strip_prefix(b"+").unwrap_or(bytes)).ok()?;
    let form = if value.is_infinite() {
        Form::Infinite
    } else if is_code {
        Form::Code
    } else if !digits.iter().all(u8::is_ascii_digit) {
        Form::Decimal
    } else if value.abs() > MAX_EXACT {
        Form::Large
    } else {
        Form::Integer
    };
    Some((value + 0.0, form))
}

/// A number whose decimal point, or whose thousands, are written with a comma: `1,5`, `-1.234,5`, `1,234,567`.
pub fn is_comma_number(text: &str) -> bool {
    let digits = text.trim().trim_start_matches(['-', '+']);
    digits.contains(',')
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b'.')
        && !digits.contains(",,")
}

/// `true` or `false` in any case.
pub fn boolean(text: &str) -> Option<bool> {
    let text = text.trim_ascii();
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Seconds of Unix time of an ISO 8601 date or date and time; without an offset it is UTC.
pub fn timestamp(text: &str) -> Option<f64> {
    let text = text.trim_ascii();
    let bytes = text.as_bytes();
    let is_date = bytes.len() >= 10
        && bytes[..10].iter().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                *byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        });
    if !is_date || bytes.contains(&b'[') {
        return None;
    }
    let seconds = |moment: jiff::Timestamp| moment.as_second() as f64 + f64::from(moment.subsec_nanosecond()) / 1e9;
    if bytes.len() == 10 {
        let date: jiff::civil::Date = text.parse().ok()?;
        let moment = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        return Some(seconds(moment));
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let has_offset = bytes[11..].iter().any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'));
    if has_offset {
        return text.parse().ok().map(seconds);
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    Some(seconds(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_their_forms() {
        let read = |text: &str| number(text).map(|(value, form)| format!("{value:?} {form:?}"));
        let shown: Vec<String> = [
            "0",
            "-0",
            "42",
            "-7",
            "+5",
            " 1.5 ",
            "1.",
            ".5",
            "1e3",
            "007",
            "0.5",
            "00.5",
            "-01",
            "9007199254740992",
            "9007199254740993",
            "12345678901234567890",
            "1e999",
            "-inf",
            "Infinity",
            "",
            "-",
            ".",
            "e5",
            "1_000",
            "0x10",
            "1,5",
            "1e",
            "nan",
            "12a",
            "١",
            "1 2",
        ]
        .iter()
        .map(|text| format!("{text:?}: {}", read(text).unwrap_or_else(|| "no number".to_owned())))
        .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
    "0": 0.0 Integer
    "-0": 0.0 Integer
    "42": 42.0 Integer
    "-7": -7.0 Integer
    "+5": 5.0 Integer
    " 1.5 ": 1.5 Decimal
    "1.": 1.0 Decimal
    ".5": 0.5 Decimal
    "1e3": 1000.0 Decimal
    "007": 7.0 Code
    "0.5": 0.5 Decimal
    "00.5": 0.5 Code
    "-01": -1.0 Code
    "9007199254740992": 9007199254740992.0 Large
    "9007199254740993": 9007199254740992.0 Large
    "12345678901234567890": 1.2345678901234567e19 Large
    "1e999": inf Infinite
    "-inf": -inf Infinite
    "Infinity": inf Infinite
    "": no number
    "-": no number
    ".": no number
    "e5": no number
    "1_000": no number
    "0x10": no number
    "1,5": no number
    "1e": no number
    "nan": no number
    "12a": no number
    "١": no number
    "1 2": no number
    "#);
    }

    #[test]
    fn missing_tokens_are_exact() {
        assert!(
            ["", "NA", "NaN", "null", "<NA>", "-1.#QNAN"]
                .into_iter()
                .all(is_missing)
        );
        assert!(![" ", "na", "NIL", "none", "-", "N"].into_iter().any(is_missing));
    }

    #[test]
    fn moments() {
        // Oracle: `date -u -d '2024-02-29T12:30:00+02:00' +%s` and the like.
        assert_eq!(timestamp("1970-01-02"), Some(86_400.0));
        assert_eq!(timestamp("2024-02-29T12:30:00+02:00"), Some(1_709_202_600.0));
        assert_eq!(timestamp("2024-02-29 10:30:00.25"), Some(1_709_202_600.25));
        assert_eq!(timestamp("2024-02-29T10:30:00Z"), Some(1_709_202_600.0));
        assert_eq!(timestamp("2024-02-29T10:30"), Some(1_709_202_600.0));
        for wrong in [
            "2023-02-29",
            "2024-13-01",
            "20240229",
            "2024-02",
            "2024-02-29X",
            "2024-02-29T99:00",
            "2024-02-29T10:00[Europe/Paris]",
        ] {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn commas_in_numbers() {
        assert!(["1,5", "-1.234,5", "1,234,567"].into_iter().all(is_comma_number));
        assert!(
            !["1.5", "1,", ",5", "a,b", "1,,2", "1, 5"]
                .into_iter()
                .any(is_comma_number)
        );
    }

    proptest! {
        #[test]
        fn numbers_read_back_exactly(value in prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO) {
            for text in [value.to_string(), format!("{value:e}")] {
                let (read, _) = number(&text).unwrap();
                prop_assert_eq!(read.to_bits(), (value + 0.0).to_bits(), "{}", text);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,30}") {
            let _ = (number(&text), boolean(&text), timestamp(&text), is_comma_number(&text)); // Only panics matter here.
        }
    }
}
