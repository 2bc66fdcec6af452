//! Moments that can not have been yet, and moments that a regular series lacks. Pure.

use super::super::sort::ordered;
use super::super::{Column, ColumnType, Values, number_label};
use super::statistics::share;
use super::{Finding, Level, MAX_EVIDENCE, Table, finding, n_rows, percent};

const DAY: f64 = 86_400.0;

/// Fewer distinct moments than this have no rhythm.
const MIN_MOMENTS: usize = 12;

/// The share of equal steps from which a series is regular.
const REGULAR: f64 = 0.8;

pub fn findings(table: &Table<'_>, column: &Column) -> Vec<Finding> {
    let Values::Numbers(numbers) = &column.values else {
        return Vec::new();
    };
    let is_time = column.kind == ColumnType::Timestamp;
    let is_named = table.settings.time == Some(&column.name);
    let mut found = Vec::new();
    if is_time {
        found.extend(future(table, column, numbers));
    }
    if is_time || is_named {
        found.extend(gaps(table, column, numbers, is_named));
    }
    found
}

/// A day of grace: a date without an offset may be one of the other side of the world.
fn future(table: &Table<'_>, column: &Column, numbers: &[f64]) -> Option<Finding> {
    let now = table.settings.now? + DAY;
    let rows: Vec<usize> = (0..numbers.len()).filter(|&row| numbers[row] > now).collect();
    let of_known = share(rows.len(), numbers.iter().filter(|number| !number.is_nan()).count());
    let last = rows
        .iter()
        .copied()
        .max_by(|a, b| numbers[*a].total_cmp(&numbers[*b]))?;
    // Most of a column of due dates lies in the future by nature.
    let (level, what) = if of_known > 0.5 {
        (
            Level::Info,
            "fine for plans and due dates, but not for what was observed",
        )
    } else {
        (
            Level::Warn,
            "check days and months that were swapped, and clocks that were wrong",
        )
    };
    Some(finding(
        "future",
        level,
        column,
        format!(
            "`{}` is in the future in {} ({}), up to {}; {what}",
            column.name,
            n_rows(rows.len()),
            percent(of_known),
            number_label(column.kind, numbers[last])
        ),
        table.evidence(column, &rows),
    ))
}

/// Where a series has moments at equal steps, those that are not there.
fn gaps(table: &Table<'_>, column: &Column, numbers: &[f64], is_named: bool) -> Option<Finding> {
    let mut order: Vec<usize> = (0..numbers.len()).filter(|&row| numbers[row].is_finite()).collect();
    order.sort_unstable_by_key(|&row| (ordered(numbers[row]), row));
    order.dedup_by_key(|row| ordered(numbers[*row]));
    if order.len() < MIN_MOMENTS {
        return None;
    }
    let moments: Vec<f64> = order.iter().map(|&row| numbers[row]).collect();
    let rhythm = rhythm(column.kind, &moments)?;
    let lacking: Vec<(usize, usize)> = rhythm
        .steps
        .iter()
        .enumerate()
        .filter(|(_, steps)| **steps > 1)
        .map(|(at, steps)| (at, steps - 1))
        .collect();
    let (longest_at, longest) = lacking
        .iter()
        .copied()
        .max_by_key(|(at, n)| (*n, std::cmp::Reverse(*at)))?;
    let n_lacking: usize = lacking.iter().map(|(_, n)| n).sum();
    let label = |at: usize| number_label(column.kind, moments[at]);
    let places = if lacking.len() == 1 {
        "1 place"
    } else {
        &format!("{} places", lacking.len())
    };
    let evidence = lacking.iter().take(MAX_EVIDENCE).map(|&(at, n)| {
        let place = table.frame.place(order[at + 1]);
        format!(
            "{place}: {} = {}, {n} before it are missing",
            column.name,
            label(at + 1)
        )
    });
    Some(finding(
        "gaps",
        if is_named { Level::Warn } else { Level::Info },
        column,
        format!(
            "`{}` has a value {}, but lacks {n_lacking} in {places}, the most of them ({longest}) after {}; add what is \
             missing, or features of earlier rows are of another distance",
            column.name,
            rhythm.words,
            label(longest_at)
        ),
        evidence.collect(),
    ))
}

/// How a series goes on.
struct Rhythm {
    words: String,
    /// For each moment but the last, how many steps there are to the next; 1 is without a gap.
    steps: Vec<usize>,
}

/// The rhythm of ascending, distinct moments, if most of them keep one: months, weekdays, or equal steps.
fn rhythm(kind: ColumnType, moments: &[f64]) -> Option<Rhythm> {
    if kind == ColumnType::Timestamp {
        if let Some(months) = months(moments)
            && let Some((step, steps)) = regular(&months)
        {
            let words = match whole(step) {
                1 => "every month".to_owned(),
                3 => "every quarter".to_owned(),
                12 => "every year".to_owned(),
                n => format!("every {n} months"),
            };
            return Some(Rhythm { words, steps });
        }
        if let Some(weekdays) = weekdays(moments)
            && let Some((step, steps)) = regular(&weekdays)
            && whole(step) == 1
        {
            let words = "every weekday".to_owned();
            return Some(Rhythm { words, steps });
        }
    }
    let (step, steps) = regular(moments)?;
    let words = if kind == ColumnType::Timestamp {
        match [(DAY, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")]
            .into_iter()
            .find(|(unit, _)| step >= *unit && (step / unit).fract().abs() < 1e-9)
        {
            Some((unit, word)) if whole(step / unit) == 1 => format!("every {word}"),
            Some((unit, word)) => format!("every {} {word}s", step / unit),
            None => format!("every {step} seconds"),
        }
    } else {
        format!("at every step of {step}")
    };
    Some(Rhythm { words, steps })
}

/// The most frequent step, which at least [`REGULAR`] of all are, and each step as a number of it; `None` if one is no
/// whole number of it.
fn regular(ascending: &[f64]) -> Option<(f64, Vec<usize>)> {
    let steps: Vec<f64> = ascending.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut sorted = steps.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let runs = sorted.chunk_by(|a, b| a.total_cmp(b).is_eq());
    let usual = runs.max_by_key(|run| run.len())?;
    let step = *usual.first()?;
    if !step.is_finite() || share(usual.len(), steps.len()) < REGULAR {
        return None;
    }
    let times = steps.iter().map(|other| {
        let times = other / step;
        let is_whole = (times - times.round()).abs() < 1e-6 && (0.5..1e9).contains(&times);
        is_whole.then(|| whole(times.round()))
    });
    Some((step, times.collect::<Option<_>>()?))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small number, or cut off"
)]
fn whole(number: f64) -> usize {
    number as usize
}

/// Months since year 0, if all moments are of the same day and time of a month.
fn months(moments: &[f64]) -> Option<Vec<f64>> {
    let mut of_month = None;
    let months = moments.iter().map(|&moment| {
        let days = (moment / DAY).floor();
        let (year, month, day) = civil(days)?;
        let place = (day, ordered(moment - days * DAY));
        (*of_month.get_or_insert(place) == place).then(|| year * 12.0 + f64::from(month - 1))
    });
    months.collect()
}

/// Days without weekends since the week of 1970-01-05, if all moments are dates from Monday to Friday.
fn weekdays(moments: &[f64]) -> Option<Vec<f64>> {
    let weekdays = moments.iter().map(|&moment| {
        // 1970-01-01 was a Thursday.
        let since_monday = moment / DAY - 4.0;
        let (week, day) = ((since_monday / 7.0).floor(), since_monday.rem_euclid(7.0));
        (day.fract() == 0.0 && day < 5.0).then_some(week * 5.0 + day)
    });
    weekdays.collect()
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: f64) -> Option<(f64, i8, i8)> {
    #[expect(clippy::cast_possible_truncation, reason = "beyond the range of jiff, which says so")]
    let moment = jiff::Timestamp::from_second((days * DAY) as i64).ok()?;
    let date = jiff::tz::Offset::UTC.to_datetime(moment).date();
    Some((f64::from(date.year()), date.month(), date.day()))
}

#[cfg(test)]
mod tests {
    use super::super::super::Role;
    use super::super::{QualitySettings, quality};
    use super::*;
    use crate::data::testing::{frame, numbers};

    fn told(days: &[f64], settings: &QualitySettings<'_>) -> String {
        let seconds: Vec<f64> = days.iter().map(|day| day * DAY).collect();
        let mut column = numbers("day", &seconds);
        column.kind = ColumnType::Timestamp;
        let table = frame(vec![column, numbers("x", &vec![1.5; days.len()])]);
        let found = quality(&table, &[Role::Feature, Role::Feature], settings);
        let told = found
            .into_iter()
            .filter(|finding| ["future", "gaps"].contains(&finding.code.as_str()));
        let told: Vec<String> = told
            .map(|finding| {
                format!(
                    "[{} {:?}] {} {:?}",
                    finding.code, finding.level, finding.message, finding.evidence
                )
            })
            .collect();
        told.join("\n")
    }

    fn days(range: std::ops::Range<u32>) -> Vec<f64> {
        range.map(f64::from).collect()
    }

    #[test]
    fn days_that_are_missing() {
        let settings = QualitySettings {
            time: Some("day"),
            ..QualitySettings::default()
        };
        let mut daily = days(19_723..19_783);
        assert_eq!(told(&daily, &settings), "");
        daily.drain(10..13);
        daily.remove(30);
        insta::assert_snapshot!(told(&daily, &settings), @r#"[gaps Warn] `day` has a value every day, but lacks 4 in 2 places, the most of them (3) after 2024-01-10; add what is missing, or features of earlier rows are of another distance ["data.csv:12: day = 2024-01-14, 3 before it are missing", "data.csv:32: day = 2024-02-04, 1 before it are missing"]"#);
        // Rows in another order have the same gaps.
        daily.reverse();
        assert!(told(&daily, &settings).contains("lacks 4 in 2 places"));
    }

    #[test]
    fn weekends_and_months_are_no_gaps() {
        let settings = QualitySettings::default();
        // 2024-01-01 was a Monday.
        let weekdays: Vec<f64> = days(19_723..19_803)
            .into_iter()
            .filter(|day| (day - 19_723.0) % 7.0 < 5.0)
            .collect();
        assert_eq!(told(&weekdays, &settings), "");
        let mut fewer = weekdays;
        fewer.remove(20);
        assert!(told(&fewer, &settings).contains("every weekday, but lacks 1 in 1 place"));
        let first = |month: i16| {
            let date = jiff::civil::date(2020 + month / 12, i8::try_from(month % 12 + 1).unwrap(), 1);
            let moment = date.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
            moment.as_second() as f64 / DAY
        };
        let mut monthly: Vec<f64> = (0..40).map(first).collect();
        assert_eq!(told(&monthly, &settings), "");
        monthly.drain(5..7);
        assert!(
            told(&monthly, &settings).contains("every month, but lacks 2 in 1 place"),
            "{}",
            told(&monthly, &settings)
        );
    }

    #[test]
    fn moments_without_a_rhythm_have_no_gaps() {
        let squares: Vec<f64> = (0..40).map(|i| f64::from(i * i)).collect();
        assert_eq!(told(&squares, &QualitySettings::default()), "");
    }

    #[test]
    fn the_future_begins_a_day_after_now() {
        let settings = QualitySettings {
            now: Some(20_000.0 * DAY),
            ..QualitySettings::default()
        };
        assert_eq!(told(&days(19_983..20_002), &settings), "");
        let mut later = days(19_983..20_002);
        later.push(36_525.0);
        insta::assert_snapshot!(told(&later, &settings).lines().next().unwrap_or_default(), @r#"[future Warn] `day` is in the future in 1 row (5 %), up to 2070-01-01; check days and months that were swapped, and clocks that were wrong ["data.csv:21: day = 2070-01-01"]"#);
        assert!(told(&days(20_100..20_130), &settings).contains("future Info"));
        assert_eq!(
            told(&later, &QualitySettings::default())
                .lines()
                .filter(|l| l.contains("future"))
                .count(),
            0
        );
    }
}
