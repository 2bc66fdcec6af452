//! Numbers, sizes and durations as people read them. Pure.

/// What stands where nothing was measured.
pub const UNKNOWN: &str = "—";
/// Keeps a number and its unit on one line.
const NARROW: char = '\u{a0}';

/// How many decimals a value deserves: so many that its uncertainty shows two significant digits.
///
/// `uncertainty` is the half width of an interval in the unit of the value. Without one, or with one that is zero or
/// not finite, a value gets four significant digits. Never more than ten decimals.
pub fn decimals(value: f64, uncertainty: Option<f64>) -> usize {
    let (scale, digits) = match uncertainty {
        Some(u) if u.is_finite() && u > 0.0 => (u, 2.0),
        _ if value.is_finite() && value != 0.0 => (value.abs(), 4.0),
        _ => return 0,
    };
    // 13 has exponent 1, 0.013 has -2. The nudge keeps 0.001 from falling to the next power by rounding.
    let exponent = (scale.log10() + 1e-9).floor();
    let wanted = (digits - 1.0 - exponent).clamp(0.0, 10.0);
    (0..=10)
        .find(|n| f64::from(*n) >= wanted)
        .map_or(10, |n: u8| usize::from(n))
}

/// A number with a true minus sign; very large and very small ones in powers of ten; `—` if it is not finite.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = value.abs();
    let digits = if size >= 1e9 || (size > 0.0 && size < 1e-9) {
        format!("{value:.2e}")
    } else {
        format!("{value:.decimals$}")
    };
    let is_zero = !digits.contains(|c: char| ('1'..='9').contains(&c));
    match digits.strip_prefix('-') {
        Some(rest) if is_zero => rest.to_owned(),
        Some(rest) => format!("−{}", rest.replace("e-", "e−")),
        None => digits.replace("e-", "e−"),
    }
}

/// A value given the half width of its interval, see [`decimals`].
pub fn number(value: f64, uncertainty: Option<f64>) -> String {
    fixed(value, decimals(value, uncertainty))
}

/// A value without an interval, in four significant digits and without trailing zeros.
pub fn short(value: f64) -> String {
    let shown = number(value, None);
    if shown.contains('.') && !shown.contains('e') {
        shown.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        shown
    }
}

/// A number, see [`fixed`], with `+` before what is greater than zero.
pub fn signed(value: f64, decimals: usize) -> String {
    let shown = fixed(value, decimals);
    let is_zero = !shown.contains(|c: char| ('1'..='9').contains(&c));
    if value > 0.0 && !is_zero && value.is_finite() {
        format!("+{shown}")
    } else {
        shown
    }
}

/// `−3.2 to −0.6`.
pub fn interval(bounds: [f64; 2], decimals: usize) -> String {
    format!("{} to {}", fixed(bounds[0], decimals), fixed(bounds[1], decimals))
}

/// Half the width of an interval.
pub fn half_width(bounds: [f64; 2]) -> f64 {
    (bounds[1] - bounds[0]).abs() / 2.0
}

/// A share of one as a signed percentage with at most one decimal; none from ten percent on.
pub fn signed_percent(share: f64) -> String {
    let percent = share * 100.0;
    format!("{}{NARROW}%", signed(percent, usize::from(percent.abs() < 9.95)))
}

/// A share of one as a percentage.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    format!(
        "{}{NARROW}%",
        fixed(percent, usize::from(percent.abs() < 9.95 && percent != 0.0))
    )
}

/// A p-value: `< 0.001`, `0.013`, `0.42`; `—` if it is not a number.
pub fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        fixed(p, if p < 0.1 { 3 } else { 2 })
    }
}

/// `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `2 rows`.
pub fn n_of(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { one } else { many })
}

/// A size in decimal units, as disks and limits are written.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n}{NARROW}bytes");
    }
    let mut size = n as f64 / 1000.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if size < 999.5 {
            break;
        }
        size /= 1000.0;
        unit = next;
    }
    format!("{}{NARROW}{unit}", fixed(size, usize::from(size < 99.5)))
}

/// `40 ms`, `4.2 s`, `1 min 05 s`, `2 h 03 min`.
pub fn duration_ms(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0 => format!("<{NARROW}1{NARROW}ms"),
        1..1_000 => format!("{ms}{NARROW}ms"),
        1_000..10_000 => format!("{}.{}{NARROW}s", seconds, ms % 1000 / 100),
        10_000..60_000 => format!("{seconds}{NARROW}s"),
        60_000..3_600_000 => format!("{}{NARROW}min{NARROW}{:02}{NARROW}s", seconds / 60, seconds % 60),
        _ => format!(
            "{}{NARROW}h{NARROW}{:02}{NARROW}min",
            seconds / 3600,
            seconds % 3600 / 60
        ),
    }
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Counts as bars from zero to the greatest; what is not zero is never drawn as the lowest bar unless all is equal.
pub fn sparkline(counts: &[u64]) -> String {
    let Some(greatest) = counts.iter().copied().max().filter(|max| *max > 0) else {
        return BARS[0].to_string().repeat(counts.len());
    };
    counts
        .iter()
        .map(|count| {
            let step = (u128::from(*count) * 7).div_ceil(u128::from(greatest));
            BARS[usize::try_from(step).unwrap_or(7).min(7)]
        })
        .collect()
}

/// Two lists of shares as bars on one scale, as [`sparkline`] draws counts; what is no share is drawn as nothing.
pub fn sparklines(shares: [&[f64]; 2]) -> [String; 2] {
    let greatest = shares.iter().copied().flatten().copied().fold(0.0, f64::max);
    let bar = |share: f64| {
        let step = if greatest > 0.0 { share / greatest * 7.0 } else { 0.0 };
        // Rounded up, but for what a division adds.
        let index = (0..7).find(|i| f64::from(*i) >= step - 1e-9).unwrap_or(7_u8);
        BARS[if share > 0.0 { usize::from(index).max(1) } else { 0 }]
    };
    shares.map(|side| side.iter().map(|share| bar(*share)).collect())
}

/// Values as bars between the least and the greatest; values that are not finite are left out.
pub fn trend(values: &[f64]) -> String {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let low = finite().fold(f64::INFINITY, f64::min);
    let high = finite().fold(f64::NEG_INFINITY, f64::max);
    finite()
        .map(|value| {
            let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
            let step = if share.is_nan() { 3.0 } else { (share * 7.0).round() };
            let index = (0..7).find(|i| f64::from(*i) >= step).unwrap_or(7_u8);
            BARS[usize::from(index)]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_digits_as_the_interval_supports() {
        assert_eq!(number(53.214, Some(1.3)), "53.2");
        assert_eq!(number(0.87421, Some(0.013)), "0.874");
        assert_eq!(number(0.87421, Some(0.001)), "0.8742");
        assert_eq!(number(12345.6, Some(130.0)), "12346");
        assert_eq!(number(1.0, Some(0.0)), "1.000");
        assert_eq!(number(53.214, None), "53.21");
        assert_eq!(number(-0.000_4, Some(0.01)), "0.000");
        assert_eq!(number(-1.5, Some(1.0)), "−1.5");
        assert_eq!(number(f64::NAN, None), "—");
        assert_eq!(number(3e-12, Some(1e-12)), "3.00e−12");
        assert_eq!(number(1e300, Some(1e299)), "1.00e300");
        assert_eq!(signed(0.04, 1), "0.0");
        assert_eq!(signed(0.06, 1), "+0.1");
        assert_eq!(interval([-3.21, 0.57], 1), "−3.2 to 0.6");
    }

    #[test]
    fn percents_counts_sizes_and_durations() {
        assert_eq!(signed_percent(-0.0343), "−3.4\u{a0}%");
        assert_eq!(signed_percent(0.317), "+32\u{a0}%");
        assert_eq!(percent(0.2), "20\u{a0}%");
        assert_eq!(
            [0.0, 0.000_999, 0.0134, 0.42, 1.0].map(p_value),
            ["< 0.001", "< 0.001", "0.013", "0.42", "1.00"]
        );
        assert_eq!(p_value(f64::NAN), "—");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(n_of(1, "row", "rows"), "1 row");
        assert_eq!(bytes(999), "999\u{a0}bytes");
        assert_eq!(bytes(3_240), "3.2\u{a0}kB");
        assert_eq!(bytes(999_999), "1.0\u{a0}MB");
        assert_eq!(bytes(u64::MAX), "18447\u{a0}PB");
        assert_eq!(duration_ms(420), "420\u{a0}ms");
        assert_eq!(duration_ms(4_290), "4.2\u{a0}s");
        assert_eq!(duration_ms(65_000), "1\u{a0}min\u{a0}05\u{a0}s");
        assert_eq!(duration_ms(7_380_000), "2\u{a0}h\u{a0}03\u{a0}min");
    }

    #[test]
    fn lines_of_bars() {
        assert_eq!(sparkline(&[0, 1, 50, 100]), "▁▂▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(sparkline(&[u64::MAX, 1]), "█▂");
        assert_eq!(sparklines([&[0.0, 0.5, 0.5], &[0.01, 0.0, 1.0]]), ["▁▅▅", "▂▁█"]);
        assert_eq!(sparklines([&[0.0], &[f64::NAN]]), ["▁", "▁"]);
        assert_eq!(sparklines([&[], &[]]), ["", ""]);
        assert_eq!(trend(&[1.0, 2.0, 3.0]), "▁▅█");
        assert_eq!(trend(&[2.0, 2.0]), "▄▄");
        assert_eq!(trend(&[f64::NAN]), "");
        assert_eq!(trend(&[-f64::MAX, f64::MAX]).chars().count(), 2);
    }
}
