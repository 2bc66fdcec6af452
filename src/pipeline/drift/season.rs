//! Numbers by what they changed since one season earlier, where the reference has too few rows of the same season.

use std::collections::BTreeMap;

use crate::base::counted;
use crate::data::{Column, ColumnType, Frame, Values};
use crate::drift::{ColumnSketch, Differences, Multivariate, Scratch, Season, Settings, one_season_earlier};

use super::frames::{self, Rows};

/// The changes of both sides: tables of the columns of numbers that both have, in the order of time.
pub struct Changes {
    tables: [Frame; 2],
    pub sketches: Differences,
    /// What was done, a sentence without a full stop.
    pub told: String,
}

impl Changes {
    /// Nothing where the time of either side is no date, where rows have no row one season earlier, or no numbers; `why` says
    /// what is wrong with the season itself.
    pub fn of(reference: Rows<'_>, current: Rows<'_>, time: &str, season: Season, why: &str) -> Option<Self> {
        let (before, after) = (frames::dates(reference, time).ok()?, frames::dates(current, time).ok()?);
        let steps = one_season_earlier(&before, &after, season)?;
        let columns = reference.frame.columns().iter().filter(|column| {
            let other = current.frame.column(&column.name);
            column.name != time && frames::is_number(column) && other.is_some_and(frames::is_number)
        });
        let names: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
        if names.is_empty() {
            return None;
        }
        let table = |side: Rows<'_>, steps: &[(usize, usize)]| -> Option<Frame> {
            let columns = names.iter().map(|name| {
                let (now, then) = (side.numbers(name), reference.numbers(name));
                Column {
                    name: (*name).to_owned(),
                    kind: ColumnType::Float,
                    values: Values::Numbers(steps.iter().map(|(row, earlier)| now[*row] - then[*earlier]).collect()),
                }
            });
            Frame::new(columns.collect(), steps.len(), Vec::new()).ok()
        };
        let tables = [table(reference, &steps[0])?, table(current, &steps[1])?];
        let mut scratch = Scratch::default();
        let [before, after] = tables.each_ref().map(|table| {
            let columns = table.columns().iter();
            columns
                .map(|column| ColumnSketch::of(column, None, 0, &mut scratch))
                .collect()
        });
        let step = season.step();
        Some(Self {
            told: format!(
                "{why}: numbers are compared by their change in {step}, for {} of {} before and {} of {} now that have \
                 a row {step} earlier; their effects are in standard deviations of the reference's changes, and \
                 everything else is compared with all rows",
                steps[0].len(),
                counted(reference.rows.len(), "row"),
                steps[1].len(),
                counted(current.rows.len(), "row")
            ),
            sketches: Differences {
                step,
                reference: before,
                current: after,
            },
            tables,
        })
    }

    /// How many independent rows the changes of each side are worth.
    pub fn effective(&self) -> BTreeMap<String, [f64; 2]> {
        self.with_rows(frames::effective)
    }

    /// Whether columns changed together, as far as their changes show it.
    pub fn together(
        &self,
        is_feature: &dyn Fn(&str) -> bool,
        settings: &Settings,
    ) -> (Option<Multivariate>, Vec<String>) {
        self.with_rows(|before, after| frames::many(Some(before), after, None, is_feature, settings))
    }

    fn with_rows<T>(&self, ask: impl FnOnce(Rows<'_>, Rows<'_>) -> T) -> T {
        let all = |table: &Frame| (0..table.n_rows()).collect::<Vec<usize>>();
        let [before, after] = &self.tables;
        let rows = [all(before), all(after)];
        ask(
            Rows {
                frame: before,
                rows: &rows[0],
            },
            Rows {
                frame: after,
                rows: &rows[1],
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::drift::{DriftResult, Season, Settings};
    use crate::pipeline::drift::{Sources, drift_of_files};
    use crate::stats::Rng;

    /// A number near the normal law, of variance 1.
    fn normal(rng: &mut Rng) -> f64 {
        (0..12).map(|_| rng.unit()).sum::<f64>() - 6.0
    }

    /// So many days from 2020 on: `x` follows the year with noise of variance 1, a half of which is left the day after;
    /// the current rows are the last `n[1]` of them, `shift` greater.
    fn compared(n: [usize; 2], shift: f64, seed: u64) -> DriftResult {
        compared_by(n, shift, seed, |_, date| date.to_string())
    }

    /// The day is written as `day` has it.
    fn compared_by(
        n: [usize; 2],
        shift: f64,
        seed: u64,
        written: impl Fn(usize, jiff::civil::Date) -> String,
    ) -> DriftResult {
        let root = tempfile::tempdir().unwrap();
        let mut rng = Rng::derive(seed, "season");
        let mut noise = 0.0;
        let mut texts = ["day,x,c\n".to_owned(), "day,x,c\n".to_owned()];
        let first = jiff::civil::date(2020, 1, 1);
        for day in 0..n[0] + n[1] {
            noise = 0.5 * noise + 0.75_f64.sqrt() * normal(&mut rng);
            let side = usize::from(day >= n[0]);
            let year = (day as f64 * std::f64::consts::TAU / 365.25).sin();
            let x = 3.0 * year + noise + if side == 1 { shift } else { 0.0 };
            let date = first
                .checked_add(jiff::Span::new().days(i64::try_from(day).unwrap()))
                .unwrap();
            let c = ["a", "b", "c"][rng.below(3)];
            writeln!(texts[side], "{},{x:.6},{c}", written(day, date)).unwrap();
        }
        for (name, text) in ["before.csv", "after.csv"].into_iter().zip(&texts) {
            crate::sys::write_atomic(&root.path().join(name), text.as_bytes()).unwrap();
        }
        let sources = Sources {
            root: root.path().to_path_buf(),
            reference: "before.csv".to_owned(),
            current: "after.csv".to_owned(),
            target: None,
            prediction: None,
            all_tests: false,
        };
        let settings = Settings {
            time_column: Some("day".to_owned()),
            seasonal: Some(Season::Month),
            ..Settings::default()
        };
        drift_of_files(&sources, &settings).unwrap().result
    }

    fn is_drifted(result: &DriftResult, name: &str) -> bool {
        let column = result.columns.iter().find(|column| column.column == name).unwrap();
        column.drifted || column.location.is_some_and(|location| location.moved)
    }

    #[test]
    fn less_than_two_years_are_compared_by_their_change_in_a_year() {
        let result = compared([500, 60], 0.0, 1);
        let [x, c] = ["x", "c"].map(|name| result.columns.iter().find(|column| column.column == name).unwrap());
        assert_eq!(
            (x.change_in.as_deref(), c.change_in.as_deref()),
            (Some("one year"), None)
        );
        // 2020 has 366 days; the categories are those of all rows.
        assert_eq!((x.n, c.n, result.reference.rows), ([134, 60], [500, 60], 500));
        insta::assert_snapshot!(
            result.notes.join("\n"),
            @"the reference has 106 rows of the same month, and for most of the current rows from one period alone: numbers are compared by their change in one year, for 134 of 500 rows before and 60 of 60 rows now that have a row one year earlier; their effects are in standard deviations of the reference's changes, and everything else is compared with all rows"
        );
        // A year has nothing a year before it.
        let result = compared([366, 60], 0.0, 1);
        assert!(result.columns.iter().all(|column| column.change_in.is_none()));
        insta::assert_snapshot!(
            result.notes.join("\n"),
            @"compared with all rows, not those of the same month: the reference has 91 rows of the same month, and for most of the current rows from one period alone"
        );
    }

    #[test]
    fn numbers_are_of_no_season() {
        // Seconds, which would be those of 1970 and 1971.
        let result = compared_by([500, 60], 0.0, 1, |day, _| (day * 86_400).to_string());
        assert!(result.columns.iter().all(|column| column.change_in.is_none()));
        insta::assert_snapshot!(
            result.notes.join("\n"),
            @"compared with all rows, not those of the same month: `day` holds no dates, so that nothing is known of seasons"
        );
    }

    #[test]
    fn a_season_is_no_change_and_a_change_is_one() {
        let count = |shift: f64| {
            let runs = (0..40).map(|seed| compared([500, 60], shift, seed));
            runs.filter(|result| is_drifted(result, "x")).count()
        };
        let (alarms, found) = (count(0.0), count(2.5));
        // More than 6 of 40 would be one in a hundred if they are one in twenty.
        assert!(alarms <= 6 && found >= 34, "{alarms} {found}");
    }
}
