//! What changed about the columns themselves: gone, new, of another type, with values never seen. Pure.

use super::kinds;
use super::pair::Pair;
use super::result::{ColumnDrift, Finding, Level, MissingDrift};
use super::settings::MISSING_SHARE;
use super::shape::{self, MAX_NAMED};
use super::sketch::{ColumnSketch, Moments, Seen};
use super::univariate::Kind;

/// Both sides' columns that are looked at, and what was found about those of both. Missing values are a remark at `alpha`, and
/// an alarm at [`MISSING_SHARE`] of it.
pub fn find(
    reference: &[ColumnSketch],
    current: &[ColumnSketch],
    columns: &[ColumnDrift],
    missing: &[MissingDrift],
    alpha: f64,
) -> Vec<Finding> {
    let has = |side: &[ColumnSketch], name: &str| named(side, name).is_some();
    let mut found = Vec::new();
    for before in reference {
        let name = &before.name;
        if !has(current, name) {
            found.push(finding(
                "missing_column",
                name,
                Level::Fail,
                "the column is gone".to_owned(),
            ));
        }
    }
    for after in current.iter().filter(|after| !has(reference, &after.name)) {
        let message = "the column is new, and nothing was trained on it".to_owned();
        found.push(finding("new_column", &after.name, Level::Warn, message));
    }
    for before in reference {
        if let Some(after) = named(current, &before.name) {
            of_column(before, after, &mut found);
        }
    }
    // Dates, identifiers and texts are always new.
    let of_categories = |column: &&ColumnDrift| column.kind == Kind::Cat && !column.new_categories.is_empty();
    for column in columns.iter().filter(of_categories) {
        let New { n, rows, least } = all_new(column, reference, current);
        let names: Vec<String> = column
            .new_categories
            .iter()
            .take(3)
            .map(|(name, rows)| format!("`{name}` ({rows})"))
            .collect();
        let more = n.saturating_sub(names.len());
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        let message = format!(
            "{least}{rows} rows have values that were never seen: {}{more}",
            names.join(", ")
        );
        found.push(finding("new_categories", &column.column, Level::Warn, message));
    }
    for one in missing.iter().filter(|one| one.drifted) {
        if let Some((before, after)) = named(reference, &one.column).zip(named(current, &one.column)) {
            let share = |missing: u64, rows: u64| 100.0 * missing as f64 / rows.max(1) as f64;
            let message = format!(
                "{:.1} % of the values are missing, {:.1} % were before",
                share(one.missing_current, after.n_rows),
                share(one.missing_reference, before.n_rows)
            );
            let is_sure = one.p_adj <= MISSING_SHARE * alpha;
            let level = if is_sure { Level::Warn } else { Level::Info };
            found.push(finding("missing_values", &one.column, level, message));
        }
    }
    found
}

/// Categories that are new, of which a column names the most frequent.
struct New {
    n: usize,
    rows: u64,
    /// `at least ` where a sketch did not keep all categories.
    least: &'static str,
}

fn named<'a>(side: &'a [ColumnSketch], name: &str) -> Option<&'a ColumnSketch> {
    side.iter().find(|column| column.name == name)
}

fn all_new(column: &ColumnDrift, reference: &[ColumnSketch], current: &[ColumnSketch]) -> New {
    let sides = named(reference, &column.column).zip(named(current, &column.column));
    let is_cut = column.new_categories.len() >= MAX_NAMED;
    let all = sides
        .filter(|_| is_cut)
        .and_then(|(before, after)| kinds::pair(column.kind, before, after));
    let (n, rows) = match &all {
        Some(Pair::Categories(categories)) => shape::n_new(categories),
        Some(Pair::Numbers(_)) | None => (
            column.new_categories.len(),
            column.new_categories.iter().map(|(_, rows)| rows).sum(),
        ),
    };
    let is_exact = sides.is_some_and(|(before, after)| !before.is_approximate() && !after.is_approximate());
    New {
        n,
        rows,
        least: if is_exact { "" } else { "at least " },
    }
}

fn finding(check: &str, column: &str, level: Level, message: String) -> Finding {
    Finding {
        check: check.to_owned(),
        column: column.to_owned(),
        level,
        message,
    }
}

fn of_column(before: &ColumnSketch, after: &ColumnSketch, found: &mut Vec<Finding>) {
    let name = &before.name;
    let (was, is) = (word(&before.seen), word(&after.seen));
    match (&before.seen, &after.seen) {
        (Seen::Empty, Seen::Empty)
        | (Seen::Times(_), Seen::Times(_))
        | (Seen::Texts(_), Seen::Texts(_))
        | (Seen::Booleans(_), Seen::Booleans(_)) => {}
        (_, Seen::Empty) => {
            let message = format!("no row has a value any more; there were {was}");
            found.push(finding("empty_column", name, Level::Fail, message));
        }
        (Seen::Empty, _) => {
            let message = format!("there are {is} now, and no row had a value before");
            found.push(finding("was_empty", name, Level::Warn, message));
        }
        (Seen::Numbers(a), Seen::Numbers(b)) => out_of_range(name, a.moments, b.moments, found),
        _ => {
            let message = format!("there are {is} now, and there were {was}");
            found.push(finding("type_change", name, Level::Fail, message));
        }
    }
    if after.n_infinite > 0 && before.n_infinite == 0 {
        let message = format!("{} values are infinite; they count as missing", after.n_infinite);
        found.push(finding("infinite", name, Level::Warn, message));
    }
}

fn word(seen: &Seen) -> &'static str {
    match seen {
        Seen::Empty => "no values",
        Seen::Numbers(_) => "numbers",
        Seen::Booleans(_) => "booleans",
        Seen::Texts(_) => "texts",
        Seen::Times(_) => "dates",
    }
}

/// Values far beyond what there was: half of the former range is allowed on either side, as every sample has its extremes.
fn out_of_range(name: &str, before: Moments, after: Moments, found: &mut Vec<Finding>) {
    let reach = 0.5 * (before.max - before.min);
    let (low, high) = (before.min - reach, before.max + reach);
    let number = |value: f64| crate::data::number_label(crate::data::ColumnType::Float, value);
    let message = match (after.min < low, after.max > high) {
        (false, false) => return,
        (true, false) => format!(
            "values go down to {}, and were {} or more",
            number(after.min),
            number(before.min)
        ),
        (false, true) => format!(
            "values go up to {}, and were {} or less",
            number(after.max),
            number(before.max)
        ),
        (true, true) => format!(
            "values go from {} to {}, and were within {} to {}",
            number(after.min),
            number(after.max),
            number(before.min),
            number(before.max)
        ),
    };
    found.push(finding("out_of_range", name, Level::Warn, message));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::settings::ALPHA;
    use crate::drift::sketch::TextSketch;

    fn column(levels: &[(String, u64)], n_other: u64) -> ColumnSketch {
        let texts = TextSketch::of(levels.iter().map(|(level, count)| (level.as_str(), *count)));
        ColumnSketch {
            name: "x".to_owned(),
            n_rows: levels.iter().map(|(_, count)| count).sum::<u64>() + n_other,
            n_missing: 0,
            n_infinite: 0,
            seen: Seen::Texts(TextSketch { n_other, ..texts }),
        }
    }

    #[test]
    fn missing_values_are_an_alarm_at_a_stricter_level_than_a_remark() {
        let side = [column(&[("a".to_owned(), 100)], 0)];
        let level = |p_adj: f64| {
            let missing = MissingDrift {
                column: "x".to_owned(),
                missing_reference: 0,
                missing_current: 10,
                p: p_adj,
                p_adj,
                effect: 0.1,
                drifted: p_adj <= ALPHA,
            };
            let found = find(&side, &side, &[], &[missing], ALPHA);
            found.first().map(|finding| finding.level)
        };
        assert_eq!(level(0.06), None);
        assert_eq!(level(0.04), Some(Level::Info));
        assert_eq!(level(0.01), Some(Level::Warn));
    }

    fn told(n_new: u64, n_other: u64) -> String {
        let known = ("a".to_owned(), 100);
        let new = (0..n_new).map(|at| (format!("n{at:02}"), 1 + at % 2));
        let after: Vec<(String, u64)> = new.chain([known.clone()]).collect();
        let (before, after) = (column(&[known], 0), column(&after, n_other));
        let sides = shape::Sides::Both(&before, &after);
        let (mut found, _) = shape::described(sides, crate::drift::Role::Feature, None);
        found.kind = crate::drift::Kind::Cat;
        let mut findings = find(
            std::slice::from_ref(&before),
            std::slice::from_ref(&after),
            &[found],
            &[],
            ALPHA,
        );
        findings.pop().unwrap().message
    }

    #[test]
    fn all_new_categories_are_counted_where_they_are_known() {
        let long = "rows have values that were never seen: `n01` (2), `n03` (2), `n05` (2) and";
        assert_eq!(told(40, 0), format!("60 {long} 37 more"));
        assert_eq!(told(20, 0), format!("30 {long} 17 more"));
        assert_eq!(told(40, 9), format!("at least 60 {long} 37 more"));
        assert_eq!(told(8, 9), format!("at least 12 {long} 5 more"));
    }
}
