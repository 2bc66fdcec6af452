//! The values that people write with a unit: shares, sizes, durations, margins. Pure.

use std::time::Duration;

use crate::base::{Diagnostic, Diagnostics, Fields, Node, Value, shortened};
use crate::data::Size;
use crate::evaluate::Margin;

/// Problems and defaults on the way through the tree.
#[derive(Debug, Default)]
pub struct Notes {
    pub problems: Diagnostics,
    pub defaults: Vec<(String, String)>,
}

impl Notes {
    /// Notes what stands for an absent key.
    pub fn assume(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.defaults.push((key.into(), value.into()));
    }
}

/// A text with at least one character that is not a space.
pub fn filled(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<String> {
    let text = node.text(what, problems)?;
    if text.trim().is_empty() {
        problems.push(
            Diagnostic::error("empty-value", format!("`{what}` is an empty text"))
                .at(node.span)
                .help("write a value, or remove the key"),
        );
        return None;
    }
    Some(text)
}

/// A share of a whole, 0 to 1: `0.2` or `20%`.
pub fn share(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<f64> {
    match &node.value {
        Value::Text(text) if text.ends_with('%') => {
            let value = percent(text);
            if value.is_none_or(|value| value > 1.0) {
                problems.push(
                    Diagnostic::error(
                        "out-of-range",
                        format!("`{what}` must be between 0% and 100%, not `{}`", shortened(text)),
                    )
                    .at(node.span),
                );
                return None;
            }
            value
        }
        Value::Number { .. } => node.number_in(what, 0.0..=1.0, problems),
        _ => {
            problems.push(wrong(node, what, "a share such as `20%` or `0.2`"));
            None
        }
    }
}

/// `1%` or `1 %` as 0.01; `None` when it is not a decimal number and a percent sign.
fn percent(text: &str) -> Option<f64> {
    Some(decimal(text.strip_suffix('%')?.trim_end())? / 100.0)
}

/// Digits with at most one point among them; nothing else that Rust would read as a number.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let value: f64 = plain.then(|| text.parse().ok())??;
    value.is_finite().then_some(value)
}

/// How many rows a test set takes: a whole number of them, or a share between 0 and 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be whole and below 2^53"
)]
pub fn size(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Size> {
    let bad = |why: &str| {
        Diagnostic::error("out-of-range", format!("`{what}` {why}"))
            .at(node.span)
            .help("write a share such as `0.2` or `20%`, or a whole number of rows such as `100`")
    };
    match &node.value {
        Value::Number { value, text } => {
            let value = *value;
            let whole = value.fract() == 0.0 && !text.contains(['.', 'e', 'E']);
            if value > 0.0 && value < 1.0 {
                return Some(Size::Share(value));
            }
            if whole && (1.0..9_007_199_254_740_992.0).contains(&value) {
                return Some(Size::Rows(value as usize));
            }
            let shown = shortened(text);
            problems.push(bad(&if value > 0.0 {
                format!("can not be `{shown}`: a share is below 1, a number of rows is whole")
            } else {
                format!("must be above 0, not `{shown}`")
            }));
            None
        }
        Value::Text(text) if text.ends_with('%') => {
            let value = percent(text).filter(|value| *value > 0.0 && *value < 1.0);
            if value.is_none() {
                problems.push(bad(&format!(
                    "must be above 0% and below 100%, not `{}`",
                    shortened(text)
                )));
            }
            value.map(Size::Share)
        }
        _ => {
            problems.push(wrong(node, what, "a share or a number of rows"));
            None
        }
    }
}

/// A number of bytes: `10MB` (millions), `10MiB` (2²⁰), `500kB`, or a plain number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range"
)]
pub fn bytes(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<u64> {
    let text = match &node.value {
        Value::Number { text, .. } | Value::Text(text) => text.as_str(),
        _ => {
            problems.push(wrong(node, what, "a size such as `10MB`"));
            return None;
        }
    };
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1.0),
        "kb" => Some(1e3),
        "mb" => Some(1e6),
        "gb" => Some(1e9),
        "kib" => Some(1024.0),
        "mib" => Some(1_048_576.0),
        "gib" => Some(1_073_741_824.0),
        _ => None,
    };
    let value = decimal(number).zip(factor).map(|(number, factor)| number * factor);
    if let Some(value) = value.filter(|value| (1.0..9_007_199_254_740_992.0).contains(value)) {
        return Some(value.round() as u64);
    }
    problems.push(
        Diagnostic::error(
            "bad-size",
            format!("`{what}` is not a size of at least one byte: `{}`", shortened(text)),
        )
        .at(node.span)
        .help("write `500kB`, `10MB`, `10MiB`, `1GB` or a number of bytes"),
    );
    None
}

const LONGEST: Duration = Duration::from_hours(24);

/// A duration of at least a second and at most a day: `90s`, `10m`, `1h30m`.
pub fn duration(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Duration> {
    let text = match &node.value {
        Value::Number { text, .. } | Value::Text(text) => text.as_str(),
        _ => {
            problems.push(wrong(node, what, "a duration such as `10m`"));
            return None;
        }
    };
    let found = seconds(text).map(Duration::from_secs);
    if let Some(duration) = found.filter(|d| *d >= Duration::from_secs(1) && *d <= LONGEST) {
        return Some(duration);
    }
    let shown = shortened(text);
    let (message, help) = if found.is_some() {
        (
            format!("`{what}` must be between 1s and 24h, not `{shown}`"),
            "GitHub ends a job after six hours".to_owned(),
        )
    } else if !text.is_empty() && text.len() < 9 && text.bytes().all(|b| b.is_ascii_digit()) {
        (
            format!("`{what}` has no unit: `{shown}`"),
            format!("write `{text}s` for seconds or `{text}m` for minutes"),
        )
    } else {
        (
            format!("`{what}` is not a duration: `{shown}`"),
            "write whole numbers with units, the greater one first: `90s`, `10m`, `1h30m`".to_owned(),
        )
    };
    problems.push(Diagnostic::error("bad-duration", message).at(node.span).help(help));
    None
}

/// Hours, minutes and seconds in this order, each at most once.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total: u64 = 0;
    for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            if number.is_empty() || number.len() > 8 || !number.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(total)
}

/// How a duration is written: `1h30m`.
pub fn shown_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut shown = String::new();
    for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
        shown.push_str(&number.to_string());
        shown.push_str(unit);
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

/// How much worse is still the same: `1%` of production's value, a number in the metric's unit, or both in a mapping.
pub fn margin(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<Margin> {
    match &node.value {
        Value::Text(text) if text.ends_with('%') => Some(Margin {
            relative: Some(share(node, what, problems)?),
            absolute: None,
        }),
        Value::Number { .. } => Some(Margin {
            relative: None,
            absolute: Some(node.number_in(what, 0.0..=f64::INFINITY, problems)?),
        }),
        Value::Map(_) => {
            let mut fields = Fields::of(node, what, problems)?;
            let relative = fields.optional("relative");
            let absolute = fields.optional("absolute");
            let names = [fields.name("relative"), fields.name("absolute")];
            fields.finish(problems);
            if relative.is_none() && absolute.is_none() {
                problems.push(
                    Diagnostic::error("missing-key", format!("`{what}` says nothing"))
                        .at(node.span)
                        .help("add `relative: 1%`, `absolute: 0.5` or both"),
                );
                return None;
            }
            let relative = relative.map(|node| share(node, &names[0], problems));
            let absolute = absolute.map(|node| node.number_in(&names[1], 0.0..=f64::INFINITY, problems));
            // A part that is there and can not be read is a problem already.
            Some(Margin {
                relative: relative.map_or(Some(None), |found| found.map(Some))?,
                absolute: absolute.map_or(Some(None), |found| found.map(Some))?,
            })
        }
        _ => {
            problems.push(wrong(
                node,
                what,
                "a share such as `1%`, a number in the metric's unit, or a mapping of `relative` and `absolute`",
            ));
            None
        }
    }
}

/// How a margin reads: `2%`, `0.01`, `2% or 0.5`.
pub fn shown_margin(margin: Margin) -> String {
    let relative = margin.relative.map(shown_share);
    let absolute = margin.absolute.map(|value| value.to_string());
    match (relative, absolute) {
        (Some(relative), Some(absolute)) => format!("{relative} or {absolute}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "0".to_owned(),
    }
}

/// `0.2` as `20%`, without the digits that binary fractions add.
pub fn shown_share(share: f64) -> String {
    let rounded = (share * 1e8).round() / 1e6;
    format!("{rounded}%")
}

/// As the methods of [`Node`] say that a value has the wrong type.
pub fn wrong(node: &Node, what: &str, wanted: &str) -> Diagnostic {
    let written = match &node.value {
        Value::Text(text) => format!("`{}`", shortened(text)),
        _ => node.kind().to_owned(),
    };
    Diagnostic::error("wrong-type", format!("`{what}` must be {wanted}, not {written}")).at(node.span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn read<T: std::fmt::Debug>(text: &str, reader: fn(&Node, &str, &mut Diagnostics) -> Option<T>) -> String {
        let mut problems = Diagnostics::default();
        let value = reader(&parse(text).unwrap(), "key", &mut problems);
        assert_eq!(value.is_none(), problems.has_errors(), "{text}");
        match value {
            Some(value) => format!("{value:?}"),
            None => problems
                .iter()
                .map(|d| d.message.clone())
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    #[test]
    fn shares() {
        assert_eq!(read("20%", share), "0.2");
        assert_eq!(read("0.5 %", share), "0.005");
        assert_eq!(read("1", share), "1.0");
        assert_eq!(read("101%", share), "`key` must be between 0% and 100%, not `101%`");
        assert_eq!(read("-1%", share), "`key` must be between 0% and 100%, not `-1%`");
        assert_eq!(read("x%", share), "`key` must be between 0% and 100%, not `x%`");
        assert_eq!(read("20", share), "`key` must be between 0 and 1, not 20");
        assert_eq!(read(".nan", share), "`key` must be a finite number, not `.nan`");
        assert_eq!(
            read("[1]", share),
            "`key` must be a share such as `20%` or `0.2`, not a list"
        );
    }

    #[test]
    fn test_sizes() {
        assert_eq!(read("0.2", size), "Share(0.2)");
        assert_eq!(read("20%", size), "Share(0.2)");
        assert_eq!(read("12", size), "Rows(12)");
        assert_eq!(read("1", size), "Rows(1)");
        assert_eq!(
            read("1.0", size),
            "`key` can not be `1.0`: a share is below 1, a number of rows is whole"
        );
        assert_eq!(
            read("2.5", size),
            "`key` can not be `2.5`: a share is below 1, a number of rows is whole"
        );
        assert_eq!(read("0", size), "`key` must be above 0, not `0`");
        assert_eq!(read("-3", size), "`key` must be above 0, not `-3`");
        assert_eq!(
            read("1e300", size),
            "`key` can not be `1e300`: a share is below 1, a number of rows is whole"
        );
        assert_eq!(read(".nan", size), "`key` must be above 0, not `.nan`");
        assert_eq!(read("100%", size), "`key` must be above 0% and below 100%, not `100%`");
    }

    #[test]
    fn sizes_in_bytes() {
        assert_eq!(read("10MB", bytes), "10000000");
        assert_eq!(read("10 MiB", bytes), "10485760");
        assert_eq!(read("1.5kB", bytes), "1500");
        assert_eq!(read("4096", bytes), "4096");
        assert_eq!(read("1gib", bytes), "1073741824");
        assert_eq!(read("0", bytes), "`key` is not a size of at least one byte: `0`");
        assert_eq!(read("-1MB", bytes), "`key` is not a size of at least one byte: `-1MB`");
        assert_eq!(read("1e9", bytes), "`key` is not a size of at least one byte: `1e9`");
        assert_eq!(
            read("10 monkeys", bytes),
            "`key` is not a size of at least one byte: `10 monkeys`"
        );
    }

    #[test]
    fn durations() {
        assert_eq!(read("90s", duration), "90s");
        assert_eq!(read("10m", duration), "600s");
        assert_eq!(read("1h30m", duration), "5400s");
        assert_eq!(read("1h1m1s", duration), "3661s");
        assert_eq!(read("600", duration), "`key` has no unit: `600`");
        assert_eq!(read("30m1h", duration), "`key` is not a duration: `30m1h`");
        assert_eq!(read("1.5h", duration), "`key` is not a duration: `1.5h`");
        assert_eq!(read("m", duration), "`key` is not a duration: `m`");
        assert_eq!(read("0s", duration), "`key` must be between 1s and 24h, not `0s`");
        assert_eq!(
            read("99999999h", duration),
            "`key` must be between 1s and 24h, not `99999999h`"
        );
        assert_eq!(shown_duration(Duration::from_mins(90)), "1h30m");
    }

    #[test]
    fn margins() {
        let margin = |text| read(text, margin);
        assert_eq!(margin("1%"), "Margin { relative: Some(0.01), absolute: None }");
        assert_eq!(margin("0.5"), "Margin { relative: None, absolute: Some(0.5) }");
        assert_eq!(
            margin("{relative: 1%, absolute: 0.5}"),
            "Margin { relative: Some(0.01), absolute: Some(0.5) }"
        );
        assert_eq!(margin("{}"), "`key` says nothing");
        assert_eq!(margin("-1"), "`key` must be at least 0, not -1");
        assert_eq!(
            margin("{relative: 3, absolute: x}"),
            "`key.relative` must be between 0 and 1, not 3; `key.absolute` must be a number, not a text"
        );
    }

    #[test]
    fn shares_read_as_written() {
        for text in ["1%", "5%", "7%", "29%", "0.1%", "33.3%", "100%"] {
            assert_eq!(shown_share(percent(text).unwrap()), text);
        }
    }
}
