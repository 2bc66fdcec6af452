//! Numbers far from the others, and numbers that stand for something else. Pure.

use super::super::sort::{ordered, unordered};
use super::super::{Column, ColumnType, Values, number_label};
use super::statistics::{counts, share};
use super::{Finding, Level, MAX_EVIDENCE, Table, finding, n_rows, percent};
use crate::stats;

/// A column with fewer known numbers, or with fewer distinct ones, has no shape that a value could be far from.
const MIN_KNOWN: usize = 20;
const MIN_DISTINCT: usize = 10;

/// Of the distance between the quartiles.
const FENCE: f64 = 3.0;

/// Median absolute deviations.
const DEVIATIONS: f64 = 6.0;

/// More than this share is a heavy tail rather than a few odd rows.
const MAX_SHARE: f64 = 0.01;

/// Numbers that people write for a missing one.
const CODES: &[f64] = &[
    -1.0, -9.0, -99.0, -999.0, -9999.0, 99.0, 999.0, 9999.0, 99_999.0, 999_999.0,
];

pub fn findings(table: &Table<'_>, column: &Column) -> Vec<Finding> {
    let Values::Numbers(numbers) = &column.values else {
        return Vec::new();
    };
    if !matches!(column.kind, ColumnType::Float | ColumnType::Integer) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let infinite: Vec<usize> = rows_where(numbers, f64::is_infinite);
    if !infinite.is_empty() {
        let message = format!(
            "`{}` is infinite in {}, which no model can use; find the division by zero, or leave these cells empty",
            column.name,
            n_rows(infinite.len())
        );
        let evidence = table.evidence(column, &infinite);
        found.push(finding("infinite", Level::Warn, column, message, evidence));
    }
    let mut keys: Vec<u64> = numbers.iter().filter(|v| v.is_finite()).map(|v| ordered(*v)).collect();
    if keys.len() < MIN_KNOWN {
        return found;
    }
    keys.sort_unstable();
    let mut sorted: Vec<f64> = keys.into_iter().map(unordered).collect();
    if sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()).count() < MIN_DISTINCT {
        return found;
    }
    if let Some(code) = code(column, &sorted) {
        let rows = rows_where(numbers, |number| is_same(number, code));
        sorted.retain(|number| !is_same(*number, code));
        found.push(code_finding(table, column, code, &rows, &sorted));
    }
    found.extend(outliers(table, column, numbers, &sorted));
    found
}

fn is_same(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}

fn rows_where(numbers: &[f64], is: impl Fn(f64) -> bool) -> Vec<usize> {
    (0..numbers.len()).filter(|&row| is(numbers[row])).collect()
}

/// The interval that a number must leave to be far from the others: both beyond three times the distance between the
/// quartiles from them, and beyond six median absolute deviations from the median. In many rows the interval is wider,
/// so that one of twenty columns with a normal law has a number beyond it.
///
/// `sorted` ascending and finite, at least one. `None` when half of the numbers are equal.
///
/// Source: Tukey, *Exploratory Data Analysis* (1977), "far out"; Hampel (1974). Oracle: in the tests, by hand.
fn fences(sorted: &[f64]) -> Option<(f64, f64)> {
    // Halves keep the differences of huge numbers finite.
    let half: Vec<f64> = sorted.iter().map(|number| number / 2.0).collect();
    let [low, median, high] = [0.25, 0.5, 0.75].map(|level| stats::quantile_of_sorted(&half, level));
    let mut deviations: Vec<f64> = half.iter().map(|number| (number - median).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    let deviation = stats::quantile_of_sorted(&deviations, 0.5);
    let spread = high - low;
    // In standard deviations: the greatest of so many normal numbers, and the third quartile.
    let extreme = -stats::normal_quantile(0.025 / sorted.len() as f64);
    let quartile = stats::normal_quantile(0.75);
    let reach = spread * FENCE.max((extreme - quartile) / (2.0 * quartile));
    let deviate = deviation * DEVIATIONS.max(extreme / quartile);
    let least = (low - reach).min(median - deviate);
    let most = (high + reach).max(median + deviate);
    (spread > 0.0).then_some((2.0 * least, 2.0 * most))
}

/// As [`fences`], and where no number is negative those that are not 0 must also be left on the scale of logarithms:
/// long tails of money and counts are no errors.
fn wide_fences(sorted: &[f64]) -> Option<(f64, f64)> {
    let (low, high) = fences(sorted)?;
    if sorted.first().is_none_or(|least| *least < 0.0) {
        return Some((low, high));
    }
    let logs: Vec<f64> = sorted
        .iter()
        .filter(|number| **number > 0.0)
        .map(|number| number.ln())
        .collect();
    let (log_low, log_high) = fences(&logs)?;
    Some((low.min(log_low.exp()), high.max(log_high.exp())))
}

fn outliers(table: &Table<'_>, column: &Column, numbers: &[f64], sorted: &[f64]) -> Option<Finding> {
    let (low, high) = wide_fences(sorted)?;
    let (first, last) = (sorted.first()?, sorted.last()?);
    let is_far = |number: f64| number < low || number > high;
    let n_far = sorted.iter().filter(|number| is_far(**number)).count();
    let n = sorted.len();
    if n_far == 0 || n_far > 1.max(whole(MAX_SHARE * n as f64)) {
        return None;
    }
    let mut rows = rows_where(numbers, |number| is_far(number) && *first <= number && number <= *last);
    let middle = stats::quantile_of_sorted(sorted, 0.5);
    let distance = |row: usize| (numbers[row] / 2.0 - middle / 2.0).abs();
    rows.sort_by(|a, b| distance(*b).total_cmp(&distance(*a)).then(a.cmp(b)));
    let [lower, upper] = [0.25, 0.75].map(|level| stats::quantile_of_sorted(sorted, level));
    let shown = |number: f64| number_label(column.kind, tidy(number));
    let extreme = rows.first().map(|&row| numbers[row])?;
    let values = if n_far == 1 {
        "1 value"
    } else {
        &format!("{n_far} values")
    };
    let verb = if n_far == 1 { "is" } else { "are" };
    Some(finding(
        "outliers",
        Level::Info,
        column,
        format!(
            "{values} of `{}` ({}) {verb} far from the others, such as {}, where half of them lie between {} and {}; check \
             units and typing, or bound it by `range` in the contract",
            column.name,
            percent(share(n_far, n)),
            shown(extreme),
            shown(lower),
            shown(upper)
        ),
        table.evidence(column, &rows),
    ))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a length"
)]
fn whole(number: f64) -> usize {
    number.floor() as usize
}

/// A quartile in at most six digits, for people.
fn tidy(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

/// The least or greatest number if it is one that people write for "missing", occurs at least three times, and the
/// others are far from it; a negative one also where all others are not negative.
fn code(column: &Column, sorted: &[f64]) -> Option<f64> {
    let ends = [*sorted.first()?, *sorted.last()?];
    ends.into_iter().find(|end| {
        if !CODES.iter().any(|code| is_same(*code, *end)) {
            return false;
        }
        let others: Vec<f64> = sorted
            .iter()
            .copied()
            .filter(|number| !is_same(*number, *end))
            .collect();
        let n = sorted.len() - others.len();
        let is_only_negative =
            *end < 0.0 && column.kind == ColumnType::Integer && others.first().is_some_and(|least| *least >= 0.0);
        let is_far = fences(&others).is_some_and(|(low, high)| *end < low || *end > high);
        n >= 3 && others.len() >= MIN_KNOWN && (is_only_negative || is_far)
    })
}

fn code_finding(table: &Table<'_>, column: &Column, code: f64, rows: &[usize], others: &[f64]) -> Finding {
    let shown = |number: Option<&f64>| number.map_or(String::new(), |number| number_label(column.kind, *number));
    let n_all = counts(column).iter().map(|(_, count)| count).sum();
    finding(
        "missing-code",
        Level::Warn,
        column,
        format!(
            "`{}` is `{}` in {} ({}) and otherwise between {} and {}, so it seems to stand for a missing value; leave these \
             cells empty, or a model takes it for a number",
            column.name,
            number_label(column.kind, code),
            n_rows(rows.len()),
            percent(share(rows.len(), n_all)),
            shown(others.first()),
            shown(others.last())
        ),
        table.evidence(column, &rows[..rows.len().min(MAX_EVIDENCE)]),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::Role;
    use super::super::{QualitySettings, quality};
    use super::*;
    use crate::data::testing::{frame, numbers};

    fn told(values: &[f64]) -> Vec<String> {
        let table = frame(vec![numbers("x", values)]);
        let found = quality(&table, &[Role::Feature], &QualitySettings::default());
        let told = found
            .into_iter()
            .filter(|finding| ["infinite", "missing-code", "outliers"].contains(&finding.code.as_str()));
        told.map(|finding| format!("[{}] {} {:?}", finding.code, finding.message, finding.evidence))
            .collect()
    }

    /// Quantiles of the normal distribution, `n` of them.
    fn normal(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| stats::normal_quantile((i as f64 + 0.5) / n as f64))
            .collect()
    }

    #[test]
    fn fences_are_those_of_the_definition() {
        // 1 to 9: quartiles 3 and 7, so 3 − 12 and 7 + 12; the deviations have the median 2, so 5 ± 12.
        let values: Vec<f64> = (1..10).map(f64::from).collect();
        assert_eq!(fences(&values), Some((-9.0, 19.0)));
        assert_eq!(fences(&[1.0, 1.0, 1.0, 1.0, 2.0]), None);
    }

    #[test]
    fn a_few_far_values_are_told_and_a_heavy_tail_is_not() {
        let mut ages: Vec<f64> = (0..200).map(|i| f64::from(20 + i % 60)).collect();
        assert_eq!(told(&ages), [""; 0]);
        ages[17] = 710.0;
        insta::assert_snapshot!(told(&ages).join("\n"), @r#"[outliers] 1 value of `x` (0.5 %) is far from the others, such as 710, where half of them lie between 32 and 63; check units and typing, or bound it by `range` in the contract ["data.csv:19: x = 710"]"#);
        let tail: Vec<f64> = normal(500).iter().map(|z| (1.5 * z).exp()).collect();
        assert_eq!(told(&tail), [""; 0]);
        let mut tail = tail;
        tail[3] = 1e9;
        assert_eq!(told(&tail).len(), 1);
        tail[3] = 0.0;
        assert_eq!(told(&tail), [""; 0]);
        assert_eq!(told(&normal(2000)), [""; 0]);
        assert_eq!(told(&normal(100_000)), [""; 0]);
    }

    #[test]
    fn numbers_that_stand_for_missing_ones() {
        let mut income: Vec<f64> = (0..200).map(|i| f64::from(1000 + 7 * i)).collect();
        for row in [3, 50, 70] {
            income[row] = -9.0;
        }
        insta::assert_snapshot!(told(&income).join("\n"), @r#"[missing-code] `x` is `-9` in 3 rows (1.5 %) and otherwise between 1000 and 2393, so it seems to stand for a missing value; leave these cells empty, or a model takes it for a number ["data.csv:5: x = -9", "data.csv:52: x = -9", "data.csv:72: x = -9"]"#);
        // A score from 0 to 99 has that value by right.
        let scores: Vec<f64> = (0..400).map(|i| f64::from(i % 100)).collect();
        assert_eq!(told(&scores), [""; 0]);
    }

    #[test]
    fn infinite_numbers_and_huge_ones() {
        let mut values: Vec<f64> = (0..50).map(|i| f64::from(i) * 1e300).collect();
        assert_eq!(told(&values), [""; 0]);
        values[4] = f64::INFINITY;
        let told = told(&values);
        assert_eq!(
            (told.len(), told[0].contains("infinite in 1 row")),
            (1, true),
            "{told:?}"
        );
    }

    proptest! {
        #[test]
        fn never_an_outlier_within_the_range_of_the_rest(values in prop::collection::vec(-1e6..1e6_f64, 30..80), far in 1e9..1e12_f64) {
            let mut values = values;
            values[0] = far;
            let told = told(&values);
            prop_assert!(told.len() <= 1, "{told:?}");
            if let Some(one) = told.first() {
                prop_assert!(one.contains("1 value"), "{one}");
            }
        }
    }
}
