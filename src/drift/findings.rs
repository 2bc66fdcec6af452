//! What changed about the columns themselves: gone, new, of another type, with values never seen. Pure.

use super::result::{ColumnDrift, Finding, Level, MissingDrift};
use super::shape::MAX_NAMED;
use super::sketch::{ColumnSketch, Moments, Seen};

/// Both sides' columns that are looked at, and what was found about those of both.
pub fn find(
    reference: &[ColumnSketch],
    current: &[ColumnSketch],
    columns: &[ColumnDrift],
    missing: &[MissingDrift],
) -> Vec<Finding> {
    let has = |side: &[ColumnSketch], name: &str| side.iter().any(|column| column.name == name);
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
        if let Some(after) = current.iter().find(|after| after.name == before.name) {
            of_column(before, after, &mut found);
        }
    }
    for column in columns.iter().filter(|column| !column.new_categories.is_empty()) {
        let rows: u64 = column.new_categories.iter().map(|(_, rows)| rows).sum();
        let names: Vec<String> = column
            .new_categories
            .iter()
            .take(3)
            .map(|(name, rows)| format!("`{name}` ({rows})"))
            .collect();
        let more = column.new_categories.len() - names.len();
        let more = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        // The list is cut.
        let least = if column.new_categories.len() < MAX_NAMED {
            ""
        } else {
            "at least "
        };
        let message = format!(
            "{least}{rows} rows have values that were never seen: {}{more}",
            names.join(", ")
        );
        found.push(finding("new_categories", &column.column, Level::Warn, message));
    }
    for one in missing.iter().filter(|one| one.drifted) {
        if let (Some(before), Some(after)) = (
            reference.iter().find(|column| column.name == one.column),
            current.iter().find(|column| column.name == one.column),
        ) {
            let share = |missing: u64, rows: u64| 100.0 * missing as f64 / rows.max(1) as f64;
            let message = format!(
                "{:.1} % of the values are missing, {:.1} % were before",
                share(one.missing_current, after.n_rows),
                share(one.missing_reference, before.n_rows)
            );
            found.push(finding("missing_values", &one.column, Level::Warn, message));
        }
    }
    found
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
