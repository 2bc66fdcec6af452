//! Reference rows of the same season as the current ones, and those one season earlier. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::Season;
use crate::base::counted;

/// In seconds.
const DAY: f64 = 86_400.0;
/// Fewer reference rows than this of the same season are none to compare with.
const MIN_ROWS: usize = 20;

/// Rows of the reference whose month, weekday or hour occurs among the current ones.
///
/// `reference` and `current` are seconds of Unix time, NaN where unknown; the season is that of UTC. The error says why the
/// reference does not cover the season: it needs at least twenty rows of it, and for half of the current rows those of
/// their own month, weekday or hour from at least two periods (years, weeks, days).
pub fn same_season(reference: &[f64], current: &[f64], season: Season) -> Result<Vec<usize>, String> {
    let wanted: Vec<i64> = current.iter().filter_map(|moment| part(*moment, season)).collect();
    let mut periods: BTreeMap<i64, BTreeSet<i64>> = wanted.iter().map(|part| (*part, BTreeSet::new())).collect();
    let mut rows = Vec::new();
    for (row, moment) in reference.iter().enumerate() {
        if let Some((period, part)) = slot(*moment, season)
            && let Some(periods) = periods.get_mut(&part)
        {
            periods.insert(period);
            rows.push(row);
        }
    }
    let n_covered = wanted.iter().filter(|part| periods[part].len() >= 2).count();
    let is_few = rows.len() < MIN_ROWS;
    if is_few || n_covered * 2 < wanted.len() {
        let rows = counted(rows.len(), "row");
        let of = format!("the reference has {rows} of the same {}", season.name());
        return Err(if is_few {
            format!("{of}, which is too few")
        } else {
            format!("{of}, and for most of the current rows from one period alone")
        });
    }
    Ok(rows)
}

/// Of some rows, in the order of time, each with the row of the reference one season earlier.
pub type Steps = Vec<(usize, usize)>;

/// The rows of the reference and the current rows that have a reference row one season earlier.
///
/// One season is a year where months are the seasons, a week for weekdays, a day for hours. The earlier row is of the same
/// month, weekday or hour in the period before, and nearest to the same moment in it; of rows of one moment the first has
/// the first one, and so on. A current row is never held against another one: what changed between them would not be
/// seen. Nothing where either side has fewer than twenty such rows, or less than half of the current rows are such.
///
/// `reference` and `current` are seconds of Unix time, NaN where unknown; the season is that of UTC.
pub fn one_season_earlier(reference: &[f64], current: &[f64], season: Season) -> Option<[Steps; 2]> {
    let mut slots: BTreeMap<(i64, i64), Vec<Vec<usize>>> = BTreeMap::new();
    for rows in by_moment(reference) {
        if let Some(slot) = slot(reference[rows[0]], season) {
            slots.entry(slot).or_default().push(rows);
        }
    }
    let steps = |moments: &[f64]| -> Steps {
        let mut steps = Steps::new();
        for rows in by_moment(moments) {
            let moment = moments[rows[0]];
            let earlier = slot(moment, season).and_then(|(period, part)| slots.get(&(period - 1, part)));
            let wanted = one_earlier(moment, season);
            let (Some(earlier), Some(wanted)) = (earlier, wanted) else {
                continue;
            };
            // They are in the order of time: the nearest one is the last before that moment or the first after it.
            let after = earlier.partition_point(|rows| reference[rows[0]] < wanted);
            let around = &earlier[after.saturating_sub(1)..earlier.len().min(after + 1)];
            let distance = |rows: &&Vec<usize>| (reference[rows[0]] - wanted).abs();
            let nearest = around.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
            let pairs = nearest.map(|nearest| rows.iter().copied().zip(nearest.iter().copied().cycle()));
            steps.extend(pairs.into_iter().flatten());
        }
        steps
    };
    let found = [steps(reference), steps(current)];
    let is_enough = found.iter().all(|steps| steps.len() >= MIN_ROWS) && found[1].len() * 2 >= current.len();
    is_enough.then_some(found)
}

/// Rows of one moment together, in the order of time; without those of which it is not known.
fn by_moment(moments: &[f64]) -> Vec<Vec<usize>> {
    let mut rows: Vec<usize> = (0..moments.len()).filter(|row| moments[*row].is_finite()).collect();
    rows.sort_by(|a, b| moments[*a].total_cmp(&moments[*b]).then(a.cmp(b)));
    rows.chunk_by(|a, b| moments[*a].total_cmp(&moments[*b]).is_eq())
        .map(<[usize]>::to_vec)
        .collect()
}

/// The period that a moment is in, and which part of it.
fn slot(moment: f64, season: Season) -> Option<(i64, i64)> {
    period(moment, season).zip(part(moment, season))
}

/// The same moment one season earlier; a 29 February becomes the 28th.
fn one_earlier(moment: f64, season: Season) -> Option<f64> {
    match season {
        Season::Month => {
            let then = civil(moment)?.checked_sub(jiff::Span::new().years(1)).ok()?;
            let then = then.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds of the years that dates have are exact"
            )]
            Some(then.as_second() as f64)
        }
        Season::Weekday => Some(moment - 7.0 * DAY),
        Season::Hour => Some(moment - DAY),
    }
}

fn civil(moment: f64) -> Option<jiff::civil::DateTime> {
    if !moment.is_finite() || moment.abs() > 2e11 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the range that was just checked")]
    let moment = jiff::Timestamp::from_second(moment.floor() as i64).ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).datetime())
}

/// Which month, weekday or hour.
fn part(moment: f64, season: Season) -> Option<i64> {
    let civil = civil(moment)?;
    Some(match season {
        Season::Month => i64::from(civil.month()),
        Season::Weekday => i64::from(civil.weekday().to_monday_zero_offset()),
        Season::Hour => i64::from(civil.hour()),
    })
}

/// Which year, week or day.
fn period(moment: f64, season: Season) -> Option<i64> {
    match season {
        Season::Month => Some(i64::from(civil(moment)?.year())),
        Season::Weekday => whole_days(moment).map(|days| (days + 3).div_euclid(7)),
        Season::Hour => whole_days(moment),
    }
}

fn whole_days(moment: f64) -> Option<i64> {
    civil(moment)?;
    #[expect(clippy::cast_possible_truncation, reason = "within the range of dates")]
    let days = (moment / DAY).floor() as i64;
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_months_of_other_years_are_compared_with() {
        // Three years of days from 1970 on; the current rows are a January.
        let reference: Vec<f64> = (0..1095).map(|day| f64::from(day) * DAY).collect();
        let current: Vec<f64> = (0..31).map(|day| (1096.0 + f64::from(day)) * DAY).collect();
        let rows = same_season(&reference, &current, Season::Month).unwrap();
        assert_eq!(rows.len(), 3 * 31);
        assert!(rows.iter().all(|row| row % 365 < 31));
        let why = same_season(&reference[..365], &current, Season::Month).unwrap_err();
        assert!(
            why.ends_with("31 rows of the same month, and for most of the current rows from one period alone"),
            "{why}"
        );
        let why = same_season(&reference[..10], &current, Season::Month).unwrap_err();
        assert!(why.ends_with("10 rows of the same month, which is too few"), "{why}");
    }

    #[test]
    fn weekdays_and_hours() {
        let hours: Vec<f64> = (0..24 * 28).map(|hour| f64::from(hour) * 3600.0).collect();
        // The first of January 1970 was a Thursday.
        let thursday = same_season(&hours, &[0.0], Season::Weekday).unwrap();
        assert!(thursday.len() == 96 && thursday.iter().all(|row| row / 24 % 7 == 0));
        let noon = same_season(&hours, &[12.0 * 3600.0 + 59.0], Season::Hour).unwrap();
        assert!(noon.len() == 28 && noon.iter().all(|row| row % 24 == 12));
        assert!(same_season(&hours, &[f64::NAN], Season::Hour).is_err());
    }

    /// Days of 1971 and of the first half of 1972; the current rows are the July of 1972.
    #[test]
    fn a_row_is_held_against_the_one_a_year_earlier() {
        let reference: Vec<f64> = (365..365 + 547).map(|day| f64::from(day) * DAY).collect();
        let current: Vec<f64> = (365 + 547..365 + 578).map(|day| f64::from(day) * DAY).collect();
        let [then, now] = one_season_earlier(&reference, &current, Season::Month).unwrap();
        // 29 February 1972 has 28 February 1971.
        assert_eq!((then.len(), now.len()), (182, 31));
        assert!(
            now.iter().enumerate().all(|(at, pair)| *pair == (at, 181 + at)),
            "{now:?}"
        );
        assert_eq!(then[58..61], [(423, 58), (424, 58), (425, 59)]);
        // A year has nothing one year earlier.
        assert_eq!(one_season_earlier(&reference[..365], &current, Season::Month), None);
        // Nothing was there a year before most of these.
        let late: Vec<f64> = current.iter().map(|moment| moment + 350.0 * DAY).collect();
        assert_eq!(one_season_earlier(&reference, &late, Season::Month), None);
    }

    /// Oracle: all rows of the slot are looked at.
    #[test]
    fn the_nearest_row_of_a_slot_is_found() {
        let mut rng = crate::stats::Rng::derive(1, "slots");
        let mut moments = |n: usize, from: f64, days: f64| -> Vec<f64> {
            (0..n)
                .map(|_| (from + days * rng.unit()) * DAY)
                .map(f64::floor)
                .collect()
        };
        let (reference, current) = (moments(400, 0.0, 20.0), moments(60, 20.0, 1.0));
        let [then, now] = one_season_earlier(&reference, &current, Season::Hour).unwrap();
        for (moments, steps) in [(&reference, &then), (&current, &now)] {
            for (row, earlier) in steps {
                let wanted = moments[*row] - DAY;
                let is_same = |other: &&f64| slot(**other, Season::Hour) == slot(wanted, Season::Hour);
                let distances = reference.iter().filter(is_same).map(|other| (other - wanted).abs());
                let least = distances.fold(f64::INFINITY, f64::min);
                assert!((reference[*earlier] - wanted).abs() <= least, "{row} {earlier}");
            }
        }
    }

    #[test]
    fn rows_of_one_moment_keep_their_order_and_times_of_day_may_differ() {
        // Two rows an hour for 36 hours, a minute apart from those a day earlier.
        let moment = |row: u32| f64::from(row / 2) * 3600.0 + 60.0 * f64::from(row / 48);
        let reference: Vec<f64> = (0..72).map(moment).collect();
        let current: Vec<f64> = (72..96).map(moment).collect();
        let [then, now] = one_season_earlier(&reference, &current, Season::Hour).unwrap();
        assert_eq!((then.len(), now.len()), (24, 24));
        assert!(
            then.iter().chain(&now).enumerate().all(|(at, pair)| pair.1 == at),
            "{then:?} {now:?}"
        );
        // A week of hours has the same weekday and hour a week earlier.
        let hours: Vec<f64> = (0..336).map(|hour| f64::from(hour) * 3600.0).collect();
        let [then, now] = one_season_earlier(&hours[..200], &hours[200..], Season::Weekday).unwrap();
        assert_eq!((then.len(), now.len()), (32, 136));
        assert!(now.iter().all(|(row, earlier)| row + 200 - earlier == 168));
    }
}
