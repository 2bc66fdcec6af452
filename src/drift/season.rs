//! Reference rows of the same season as the current ones. Pure.

use std::collections::BTreeSet;

use super::settings::Season;

/// Fewer reference rows than this of the same season are none to compare with.
const MIN_ROWS: usize = 20;

/// Rows of the reference whose month, weekday or hour occurs among the current ones.
///
/// `reference` and `current` are seconds of Unix time, NaN where unknown; the season is that of UTC. The error says why the
/// reference does not cover the season: it needs at least twenty rows of it, from at least two periods (years, weeks, days).
pub fn same_season(reference: &[f64], current: &[f64], season: Season) -> Result<Vec<usize>, String> {
    let wanted: BTreeSet<i64> = current.iter().filter_map(|moment| part(*moment, season)).collect();
    let rows: Vec<usize> = (0..reference.len())
        .filter(|&row| part(reference[row], season).is_some_and(|part| wanted.contains(&part)))
        .collect();
    let periods: BTreeSet<i64> = rows.iter().filter_map(|&row| period(reference[row], season)).collect();
    if rows.len() < MIN_ROWS || periods.len() < 2 {
        return Err(format!(
            "the reference has {} rows of the same {}, from {} periods: too few to compare with",
            rows.len(),
            season.name(),
            periods.len()
        ));
    }
    Ok(rows)
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
    let days = (moment / 86_400.0).floor() as i64;
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 86_400.0;

    #[test]
    fn the_same_months_of_other_years_are_compared_with() {
        // Three years of days from 1970 on; the current rows are a January.
        let reference: Vec<f64> = (0..1095).map(|day| f64::from(day) * DAY).collect();
        let current: Vec<f64> = (0..31).map(|day| (1096.0 + f64::from(day)) * DAY).collect();
        let rows = same_season(&reference, &current, Season::Month).unwrap();
        assert_eq!(rows.len(), 3 * 31);
        assert!(rows.iter().all(|row| row % 365 < 31));
        let why = same_season(&reference[..365], &current, Season::Month).unwrap_err();
        assert!(why.contains("31 rows of the same month, from 1 periods"), "{why}");
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
}
