//! Numbers as people read them: as many digits as are known. Pure.

/// Decimals that show `width` with two digits: 1 for 12.3 half-width 6, 4 for 0.0064. Without an interval, those that
/// give `value` four digits.
pub fn decimals(value: f64, interval_width: Option<f64>) -> usize {
    let known = interval_width.filter(|width| width.is_finite() && *width > 0.0);
    let (size, n_digits) = match known {
        Some(width) => (0.5 * width, 2),
        None => (value.abs(), 4),
    };
    if size == 0.0 || !size.is_finite() {
        return usize::from(known.is_none() && value == 0.0);
    }
    // At least one digit of the value itself when the interval is wider than it.
    let places = n_digits - 1 - magnitude(size);
    usize::try_from(places.clamp(0, 12)).unwrap_or(0)
}

/// `value` with as many digits as an interval of this width supports; four where there is none. No `-0`; powers of
/// ten beyond 10⁹ and, for values below 10⁻⁶, instead of many zeros. `?` for what is no number.
pub fn format_number(value: f64, interval_width: Option<f64>) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let size = value.abs();
    if size >= 1e9 || (size > 0.0 && size < 1e-6 && interval_width.is_none_or(|width| width < 1e-5)) {
        return format!("{value:.2e}");
    }
    plain(value, decimals(value, interval_width))
}

/// `value` and `limit` with the same decimals, enough of them that different numbers look different.
pub fn format_pair(value: f64, limit: f64) -> (String, String) {
    let mut n_decimals = decimals(value, None).max(written(limit));
    while n_decimals < 12 && value.total_cmp(&limit).is_ne() && plain(value, n_decimals) == plain(limit, n_decimals) {
        n_decimals += 1;
    }
    if value.abs() >= 1e9 || limit.abs() >= 1e9 {
        return (format_number(value, None), format!("{limit}"));
    }
    (plain(value, n_decimals), format!("{limit}"))
}

/// The decimals that a number is written with.
fn written(value: f64) -> usize {
    let text = format!("{value}");
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len()).min(12)
}

fn plain(value: f64, n_decimals: usize) -> String {
    let text = format!("{value:.n_decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.to_owned(),
        Some(_) | None => text,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an exponent of a double")]
fn magnitude(size: f64) -> i32 {
    size.log10().floor() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64, width: Option<f64>, expected: &str) {
        assert_eq!(format_number(value, width), expected, "{value} ± {width:?}");
    }

    #[test]
    fn digits_follow_the_interval() {
        check(57.679_137_57, Some(12.2), "57.7");
        check(57.679_137_57, Some(320.0), "58");
        check(0.992_728_5, Some(0.0128), "0.9927");
        check(0.992_728_5, Some(0.3), "0.99");
        check(3_326.882_9, Some(644.0), "3327");
        check(-0.001, Some(1.0), "0.00");
        check(0.5, Some(1e-30), "0.500000000000");
    }

    #[test]
    fn four_digits_without_an_interval() {
        check(57.679_137_57, None, "57.68");
        check(0.000_123_456, None, "0.0001235");
        check(12_345.6, None, "12346");
        check(0.0, None, "0.0");
        check(1.0, Some(0.0), "1.000");
        check(1.5e300, Some(1e299), "1.50e300");
        check(2.5e-9, None, "2.50e-9");
        check(f64::NAN, None, "?");
    }

    #[test]
    fn a_value_beyond_a_limit_looks_beyond_it() {
        assert_eq!(format_pair(60.000_04, 60.0), ("60.00004".to_owned(), "60".to_owned()));
        assert_eq!(format_pair(61.25, 60.0), ("61.25".to_owned(), "60".to_owned()));
        assert_eq!(format_pair(0.8499, 0.85), ("0.8499".to_owned(), "0.85".to_owned()));
    }
}
