//! Features that come from a row's future: moments after the event, and the target of a later row. Pure.

use super::super::sort::ordered;
use super::super::task::short;
use super::super::{Column, ColumnType, Frame, MISSING, Values};
use super::{Leak, MAX_EVIDENCE, number_copy};

/// From this share of the rows, and from this many, a feature is later than the event.
const LATE: f64 = 0.05;
const MIN_LATE: usize = 10;

/// How many rows ahead a feature is compared with the target.
const AHEAD: usize = 3;

/// Fewer rows, or fewer different targets, agree by chance.
const MIN_PAIRS: usize = 30;
const MIN_DISTINCT: usize = 10;

/// The share of equal pairs from which a feature is the later target.
const EQUAL: f64 = 0.95;

/// A moment that is later than the column of time says the row is from.
pub fn after_time(frame: &Frame, feature: &Column, time: &Column) -> Option<Leak> {
    let (Values::Numbers(feature_at), Values::Numbers(time_at)) = (&feature.values, &time.values) else {
        return None;
    };
    if feature.kind != ColumnType::Timestamp || time.kind != ColumnType::Timestamp || feature.name == time.name {
        return None;
    }
    let n_known = feature_at
        .iter()
        .zip(time_at)
        .filter(|(a, b)| !a.is_nan() && !b.is_nan())
        .count();
    let late: Vec<usize> = (0..frame.n_rows())
        .filter(|&row| feature_at[row] > time_at[row])
        .collect();
    let share = late.len() as f64 / n_known.max(1) as f64;
    let label = |column: &Column, row: usize| column.label(row).unwrap_or_default().into_owned();
    (late.len() >= MIN_LATE && share >= LATE).then(|| Leak {
        code: "after-time",
        message: format!(
            "`{}` is later than `{}` in {} of {n_known} rows, so it was not known at that time; exclude it, unless it is a \
             plan that was made before",
            feature.name,
            time.name,
            late.len()
        ),
        evidence: late
            .iter()
            .take(MAX_EVIDENCE)
            .map(|&row| {
                format!(
                    "{}: {} = {}, {} = {}",
                    frame.place(row),
                    feature.name,
                    label(feature, row),
                    time.name,
                    label(time, row)
                )
            })
            .collect(),
    })
}

/// The rows in the order of time, each group of the split for itself; rows without a time are left out.
pub fn order(frame: &Frame, time: &Column, group: Option<&Column>) -> Vec<(u64, usize)> {
    let group_of = |row: usize| match group.map(|column| &column.values) {
        Some(Values::Numbers(numbers)) => ordered(numbers[row]),
        Some(Values::Texts { codes, .. }) => u64::from(codes[row]),
        None => 0,
    };
    let mut rows: Vec<usize> = (0..frame.n_rows()).filter(|&row| !time.is_missing(row)).collect();
    match &time.values {
        Values::Numbers(numbers) => rows.sort_unstable_by_key(|&row| (group_of(row), ordered(numbers[row]), row)),
        Values::Texts { codes, levels } => {
            let text = |row: usize| levels.get(codes[row] as usize).filter(|_| codes[row] != MISSING);
            rows.sort_unstable_by(|&a, &b| (group_of(a), text(a), a).cmp(&(group_of(b), text(b), b)));
        }
    }
    rows.into_iter().map(|row| (group_of(row), row)).collect()
}

/// A feature that is the target of a later row. One that is the target of an earlier row is what forecasts are made of.
pub fn shifted_target(frame: &Frame, order: &[(u64, usize)], feature: &Column, target: &Column) -> Option<Leak> {
    let (Values::Numbers(x), Values::Numbers(y)) = (&feature.values, &target.values) else {
        return None;
    };
    (1..=AHEAD).find_map(|ahead| {
        let pairs: Vec<(usize, usize)> = order
            .iter()
            .zip(order.iter().skip(ahead))
            .filter(|((a, _), (b, _))| a == b)
            .map(|((_, row), (_, later))| (*row, *later))
            .filter(|(row, later)| !x[*row].is_nan() && !y[*later].is_nan())
            .collect();
        let (now, then): (Vec<f64>, Vec<f64>) = pairs.iter().map(|&(row, later)| (x[row], y[later])).unzip();
        let mut distinct: Vec<u64> = then.iter().map(|y| ordered(*y)).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if pairs.len() < MIN_PAIRS || distinct.len() < MIN_DISTINCT {
            return None;
        }
        let n_equal = now.iter().zip(&then).filter(|(x, y)| ordered(**x) == ordered(**y)).count();
        let is_copy = matches!(number_copy(&now, &then), Some("equals" | "is a linear function of"));
        (is_copy || n_equal as f64 >= EQUAL * pairs.len() as f64).then(|| {
            let value = |column: &Column, row: usize| short(&column.label(row).unwrap_or_default());
            let rows = if ahead == 1 { "the next row" } else { &format!("the row that comes {ahead} later") };
            Leak {
                code: "shifted-target",
                message: format!(
                    "`{}` is the target `{}` of {rows} in the order of time, which is not known yet; shift it the other \
                     way, or exclude it",
                    feature.name, target.name
                ),
                evidence: pairs
                    .iter()
                    .take(2)
                    .map(|&(row, later)| {
                        format!(
                            "{}: {} = {}; {}: {} = {}",
                            frame.place(row),
                            feature.name,
                            value(feature, row),
                            frame.place(later),
                            target.name,
                            value(target, later)
                        )
                    })
                    .collect(),
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, leaks};
    use super::*;
    use crate::base::Diagnostics;
    use crate::data::Partition;
    use crate::data::testing::{frame, numbers, texts};

    fn told(table: &Frame, features: &[&str], group: Option<&str>) -> String {
        let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
        let parts = Partition {
            train: Vec::new(),
            test: Vec::new(),
            description: String::new(),
            warnings: Diagnostics::default(),
        };
        let columns = Columns {
            target: "y",
            features: &features,
            group,
            time: Some("t"),
        };
        let found = leaks(table, &parts, &columns);
        let shown = found
            .iter()
            .map(|leak| format!("[{}] {} {:?}", leak.code, leak.message, leak.evidence));
        shown.collect::<Vec<_>>().join("\n")
    }

    fn moments(name: &str, days: &[f64]) -> Column {
        let seconds: Vec<f64> = days.iter().map(|day| day * 86_400.0).collect();
        Column {
            kind: ColumnType::Timestamp,
            ..numbers(name, &seconds)
        }
    }

    #[test]
    fn a_moment_after_the_event_is_told() {
        let days: Vec<f64> = (0..60).map(f64::from).collect();
        let after: Vec<f64> = days.iter().map(|day| day + f64::from(*day > 10.0)).collect();
        let before: Vec<f64> = days.iter().map(|day| day - 3.0).collect();
        let y: Vec<f64> = (0..60).map(|i| f64::from(i * i % 59)).collect();
        let table = frame(vec![
            numbers("y", &y),
            moments("t", &days),
            moments("discharged", &after),
            moments("born", &before),
        ]);
        insta::assert_snapshot!(told(&table, &["discharged", "born"], None), @r#"[after-time] `discharged` is later than `t` in 49 of 60 rows, so it was not known at that time; exclude it, unless it is a plan that was made before ["data.csv:13: discharged = 1970-01-13, t = 1970-01-12", "data.csv:14: discharged = 1970-01-14, t = 1970-01-13", "data.csv:15: discharged = 1970-01-15, t = 1970-01-14", "data.csv:16: discharged = 1970-01-16, t = 1970-01-15", "data.csv:17: discharged = 1970-01-17, t = 1970-01-16"]"#);
    }

    #[test]
    fn the_target_of_a_later_row_is_told_and_of_an_earlier_one_is_not() {
        let n: u32 = 80;
        let y = |i: u32| f64::from(i * i % 79);
        let of = |shift: i64| {
            (0..i64::from(n))
                .map(|i| u32::try_from(i + shift).map_or(f64::NAN, y))
                .collect::<Vec<f64>>()
        };
        // The file is in another order than time.
        let order: Vec<usize> = (0..80).map(|i| i * 37 % 80).collect();
        let table = frame(vec![
            numbers("y", &of(0)),
            numbers("t", &(0..n).map(f64::from).collect::<Vec<_>>()),
            numbers("next", &of(1)),
            numbers("in_two", &of(2).iter().map(|y| 3.0 * y - 1.0).collect::<Vec<_>>()),
            numbers("last", &of(-1)),
        ])
        .select(&order);
        insta::assert_snapshot!(told(&table, &["next", "in_two", "last"], None), @r#"
        [shifted-target] `next` is the target `y` of the next row in the order of time, which is not known yet; shift it the other way, or exclude it ["data.csv:2: next = 1; data.csv:3: y = 1", "data.csv:3: next = 4; data.csv:4: y = 4"]
        [shifted-target] `in_two` is the target `y` of the row that comes 2 later in the order of time, which is not known yet; shift it the other way, or exclude it ["data.csv:2: in_two = 11; data.csv:4: y = 4", "data.csv:3: in_two = 26; data.csv:5: y = 9"]
        "#);
    }

    #[test]
    fn groups_have_their_own_order() {
        let n = 80;
        let y = |i: i32| f64::from(i * i % 79);
        let group: Vec<&str> = (0..n).map(|i| if i % 2 == 0 { "a" } else { "b" }).collect();
        let next: Vec<f64> = (0..n).map(|i| y(i + 2)).collect();
        let table = frame(vec![
            numbers("y", &(0..n).map(y).collect::<Vec<_>>()),
            numbers("t", &(0..n).map(|i| f64::from(i / 2)).collect::<Vec<_>>()),
            texts("shop", &group),
            numbers("next", &next),
        ]);
        assert!(told(&table, &["next"], Some("shop")).contains("is the target `y` of the next row"));
    }
}
