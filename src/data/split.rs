//! Which rows are held out: drawn by chance, by class, by group, by time, or as the data says. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crate::base::{Diagnostic, Diagnostics, Span, Task};

use super::digest::mix;
use super::sort::ordered;
use super::task::{MAX_CLASSES, short};
use super::{Column, ColumnType, Frame, Size, Split, SplitKind, Values};

/// The rows of each part, ascending; together every row once.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    pub train: Vec<usize>,
    pub test: Vec<usize>,
    /// `random, 20 % test, seed 42`.
    pub description: String,
    pub warnings: Diagnostics,
}

/// The split of a configuration that names none: 20 % test rows, each class in its own share.
pub fn default_split(target: &str, task: Task, span: Span) -> Split {
    let test = Size::Share(0.2);
    let kind = match task {
        Task::Regression => SplitKind::Random { test },
        Task::Binary | Task::Multiclass => SplitKind::Stratified {
            column: target.to_owned(),
            test,
        },
    };
    Split { kind, seed: 42, span }
}

/// Divides every row of the table into a train and a test part.
///
/// The same table, split and seed give the same parts on every machine. `identity` are the columns that a row is known
/// by when rows are drawn, whatever their order and that of the rows: the target and the features.
///
/// # Errors
/// When the column is unknown or can not serve, when the parts would be empty; all at the split's place.
pub fn split(frame: &Frame, split: &Split, identity: &[&str]) -> Result<Partition, Diagnostics> {
    let mut warnings = Diagnostics::default();
    let n = frame.n_rows();
    let chosen = match &split.kind {
        SplitKind::Random { test } => {
            wanted(*test, n).map(|n_test| random(frame, n_test, &places(frame, split.seed, identity)))
        }
        SplitKind::Stratified { column, test } => frame.find(column).and_then(|column| {
            stratified(
                column,
                wanted(*test, n)?,
                &places(frame, split.seed, identity),
                &mut warnings,
            )
        }),
        SplitKind::Group { column, test } => frame
            .find(column)
            .and_then(|column| group(frame, column, wanted(*test, n)?, split.seed)),
        SplitKind::Time { column, test } => frame
            .find(column)
            .and_then(|column| time(frame, column, wanted(*test, n)?)),
        SplitKind::Column { column, test, .. } => frame.find(column).and_then(|column| carried(column, test)),
    };
    let located = |problem: Diagnostic| {
        if problem.file.is_some() {
            problem
        } else {
            problem.at(split.span)
        }
    };
    let is_test = chosen.map_err(|problem| Diagnostics::from(located(problem)))?;
    let (test, train): (Vec<usize>, Vec<usize>) = (0..n).partition(|&row| is_test[row]);
    for (part, rows) in [("test", &test), ("train", &train)] {
        if rows.is_empty() {
            let problem = Diagnostic::error("empty-part", format!("the split leaves no {part} row of {n}"))
                .help("change `data.split` so that both parts have rows");
            return Err(located(problem).into());
        }
    }
    Ok(Partition {
        train,
        test,
        description: describe(split),
        warnings: warnings.iter().cloned().map(located).collect(),
    })
}

/// How a split reads in the report.
pub fn describe(split: &Split) -> String {
    let size = |size: &Size| match size {
        Size::Share(share) => format!("{} %", (share * 1e6).round() / 1e4),
        Size::Rows(1) => "1 row".to_owned(),
        Size::Rows(rows) => format!("{rows} rows"),
    };
    let seed = split.seed;
    match &split.kind {
        SplitKind::Random { test } => format!("random, {} test, seed {seed}", size(test)),
        SplitKind::Stratified { column, test } => format!("stratified by `{column}`, {} test, seed {seed}", size(test)),
        SplitKind::Group { column, test } => format!("whole groups of `{column}`, {} test, seed {seed}", size(test)),
        SplitKind::Time { column, test } => format!("by time of `{column}`, last {} test", size(test)),
        SplitKind::Column {
            column,
            test,
            group,
            time,
        } => {
            let mut text = format!("test where `{column}` is `{}`", short(test));
            for (what, name) in [("groups", group), ("times", time)] {
                if let Some(name) = name {
                    let _ = write!(text, ", {what} of `{name}` checked"); // Writing to a string can not fail.
                }
            }
            text
        }
    }
}

/// The number of test rows; at least one is left for each part.
fn wanted(test: Size, n: usize) -> Result<usize, Diagnostic> {
    let problem = |message: String| Err(Diagnostic::error("empty-part", message));
    if n < 2 {
        return problem(format!("{n} usable rows can not be split into a train and a test part"));
    }
    match test {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 < share < 1 of a row count"
        )]
        Size::Share(share) => Ok(((share * n as f64).round() as usize).clamp(1, n - 1)),
        Size::Rows(0) => problem("a test part of no rows can not judge a model".to_owned()),
        Size::Rows(rows) if rows >= n => problem(format!(
            "a test part of {rows} rows leaves none of the {n} usable rows for training"
        )),
        Size::Rows(rows) => Ok(rows),
    }
}

/// The place of a row in a seeded order.
fn draw(seed: u64, item: u64) -> u64 {
    mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_add(item.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// The place of every row in a seeded order, by what the row holds and not by where it stands: rows that are added,
/// removed or sorted leave the others on their side, so that yesterday's test rows are not today's training rows.
fn places(frame: &Frame, seed: u64, identity: &[&str]) -> Vec<u64> {
    let mut names = identity.to_vec();
    names.sort_unstable();
    let columns: Vec<usize> = names.iter().filter_map(|name| frame.index(name)).collect();
    let mut n_before: HashMap<u128, u64> = HashMap::new();
    let place = |digest: u128| {
        let occurrence = n_before.entry(digest).or_default();
        *occurrence += 1;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let (high, low) = ((digest >> 64) as u64, digest as u64);
        draw(seed, mix(high).wrapping_add(low).wrapping_add(*occurrence))
    };
    frame.row_digests(&columns).into_iter().map(place).collect()
}

fn random(frame: &Frame, n_test: usize, places: &[u64]) -> Vec<bool> {
    let rows: Vec<usize> = (0..frame.n_rows()).collect();
    let mut is_test = vec![false; frame.n_rows()];
    take(&rows, n_test, places, &mut is_test);
    is_test
}

/// Marks the first `n_test` of these rows in the seeded order.
fn take(rows: &[usize], n_test: usize, places: &[u64], is_test: &mut [bool]) {
    let mut order: Vec<(u64, usize)> = rows.iter().map(|&row| (places[row], row)).collect();
    order.sort_unstable();
    for (_, row) in order.into_iter().take(n_test) {
        is_test[row] = true;
    }
}

/// The rows of every value, in the order of the values; missing ones last.
fn by_value(column: &Column) -> Vec<(Option<String>, Vec<usize>)> {
    let n = column.values.len();
    match &column.values {
        Values::Numbers(numbers) => {
            let mut found: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
            for (row, number) in numbers.iter().enumerate() {
                found.entry(ordered(*number)).or_default().push(row);
            }
            let label = |rows: &[usize]| column.label(rows[0]).map(std::borrow::Cow::into_owned);
            found.into_values().map(|rows| (label(&rows), rows)).collect()
        }
        Values::Texts { codes, levels } => {
            let mut found: Vec<Vec<usize>> = vec![Vec::new(); levels.len() + 1];
            for (row, &code) in codes.iter().enumerate().take(n) {
                found[(code as usize).min(levels.len())].push(row);
            }
            let labelled = levels.iter().map(|level| Some(level.clone())).chain([None]).zip(found);
            let mut labelled: Vec<_> = labelled.filter(|(_, rows)| !rows.is_empty()).collect();
            labelled.sort_by(|a, b| (a.0.is_none(), &a.0).cmp(&(b.0.is_none(), &b.0)));
            labelled
        }
    }
}

fn stratified(
    column: &Column,
    n_test: usize,
    places: &[u64],
    warnings: &mut Diagnostics,
) -> Result<Vec<bool>, Diagnostic> {
    let name = &column.name;
    let n = column.values.len();
    if column.distinct(MAX_CLASSES).is_none() {
        return Err(Diagnostic::error(
            "unusable-column",
            format!("`{name}` has more than {MAX_CLASSES} distinct values, too many to stratify by"),
        )
        .help("stratify by a column of classes, or use `group` to keep equal values together"));
    }
    let classes = by_value(column);
    let single = classes.iter().filter(|(_, rows)| rows.len() == 1).count();
    if single > 0 {
        let examples: Vec<String> = classes
            .iter()
            .filter(|(_, rows)| rows.len() == 1)
            .take(3)
            .map(|(label, _)| format!("`{}`", short(label.as_deref().unwrap_or("missing"))))
            .collect();
        warnings.push(
            Diagnostic::warning(
                "single-row-class",
                format!(
                    "values of `{name}` with one row only, kept for training: {single}, such as {}",
                    examples.join(", ")
                ),
            )
            .help("merge rare classes or add data; a class without test rows is not judged"),
        );
    }
    let sizes: Vec<usize> = classes.iter().map(|(_, rows)| rows.len()).collect();
    let mut is_test = vec![false; n];
    for ((_, rows), n_class) in classes.iter().zip(quotas(&sizes, n_test)) {
        take(rows, n_class, places, &mut is_test);
    }
    Ok(is_test)
}

/// How many of each class to draw: its share by largest remainder, with at least one in each part when it has two rows
/// and the total allows it.
fn quotas(sizes: &[usize], n_test: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let exact = |index: usize| sizes[index] as f64 * n_test as f64 / total as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a row count"
    )]
    let floor = |index: usize| exact(index).floor() as usize;
    let most = |index: usize| sizes[index].saturating_sub(1);
    let mut drawn: Vec<usize> = (0..sizes.len())
        .map(|index| floor(index).max(1).min(most(index)))
        .collect();
    // The class furthest below its share gets the next row, the one furthest above gives one back; ties by position.
    let lack = |drawn: &[usize], index: usize| exact(index) - drawn[index] as f64;
    loop {
        let now: usize = drawn.iter().sum();
        let order = |a: &usize, b: &usize| lack(&drawn, *a).total_cmp(&lack(&drawn, *b)).then(b.cmp(a));
        let all = 0..sizes.len();
        match now.cmp(&n_test) {
            Ordering::Equal => return drawn,
            Ordering::Less => {
                let Some(next) = all.filter(|&index| drawn[index] < most(index)).max_by(order) else {
                    return drawn;
                };
                drawn[next] += 1;
            }
            Ordering::Greater => {
                let spare = all.clone().filter(|&index| drawn[index] > 1).min_by(order);
                let Some(next) = spare.or_else(|| all.filter(|&index| drawn[index] > 0).min_by(order)) else {
                    return drawn;
                };
                drawn[next] -= 1;
            }
        }
    }
}

fn group(frame: &Frame, column: &Column, n_test: usize, seed: u64) -> Result<Vec<bool>, Diagnostic> {
    let name = &column.name;
    all_known(frame, column, "group")?;
    let groups = by_value(column);
    if groups.len() < 2 {
        return Err(Diagnostic::error(
            "unusable-column",
            format!("`{name}` has one group only, so whole groups can not be held out"),
        ));
    }
    let key = |label: &Option<String>| {
        let bytes = label.as_deref().unwrap_or_default().bytes();
        draw(
            seed,
            bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| mix(hash ^ u64::from(byte))),
        )
    };
    let mut order: Vec<(u64, usize)> = groups
        .iter()
        .enumerate()
        .map(|(index, (label, _))| (key(label), index))
        .collect();
    order.sort_unstable();
    let size = |index: usize| groups[index].1.len();
    let mut taken = vec![false; groups.len()];
    let mut n_taken = 0;
    for &(_, index) in &order {
        if n_taken + size(index) <= n_test {
            taken[index] = true;
            n_taken += size(index);
        }
    }
    // One more group, or one exchanged for another, may come nearer; the first best in the seeded order is kept.
    let mut best = (n_test - n_taken, None, None);
    let out: Vec<usize> = order
        .iter()
        .map(|(_, index)| *index)
        .filter(|&index| !taken[index])
        .collect();
    let held: Vec<usize> = order
        .iter()
        .map(|(_, index)| *index)
        .filter(|&index| taken[index])
        .collect();
    for &add in out.iter().take(2000) {
        for remove in std::iter::once(None).chain(held.iter().take(500).map(|&index| Some(index))) {
            let total = n_taken + size(add) - remove.map_or(0, size);
            let leaves_train = total < frame.n_rows();
            if leaves_train && total > 0 && total.abs_diff(n_test) < best.0 {
                best = (total.abs_diff(n_test), Some(add), remove);
            }
        }
    }
    if let Some(add) = best.1 {
        taken[add] = true;
        if let Some(remove) = best.2 {
            taken[remove] = false;
        }
    }
    if !taken.contains(&true) {
        // Every group is larger than twice the asked part: the smallest is the nearest.
        if let Some(&(_, smallest)) = order.iter().min_by_key(|(_, index)| size(*index)) {
            taken[smallest] = true;
        }
    }
    let mut is_test = vec![false; frame.n_rows()];
    for (_, (_, rows)) in groups.iter().enumerate().filter(|(index, _)| taken[*index]) {
        for &row in rows {
            is_test[row] = true;
        }
    }
    Ok(is_test)
}

fn time(frame: &Frame, column: &Column, n_test: usize) -> Result<Vec<bool>, Diagnostic> {
    let name = &column.name;
    if column.kind == ColumnType::Boolean || !periods(column) {
        return Err(Diagnostic::error(
            "unusable-column",
            format!("`{name}` is {}, which has no order in time", column.kind.article()),
        )
        .help("write times as ISO 8601 (`2024-01-31`, `2024-01-31T12:00:00Z`, `2024-01`) or as numbers"));
    }
    all_known(frame, column, "time")?;
    let moments = by_value(column);
    let n = frame.n_rows();
    // The cut between two moments that comes nearest to the asked number; of two equally near the larger test part.
    let mut after = n;
    let mut best: Option<(usize, usize)> = None;
    for (index, (_, rows)) in moments.iter().enumerate() {
        let distance = after.abs_diff(n_test);
        if index > 0 && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, index));
        }
        after -= rows.len();
    }
    let Some((_, first_test)) = best else {
        return Err(Diagnostic::error(
            "unusable-column",
            format!("`{name}` has one value only, so there is no later part to hold out"),
        ));
    };
    let mut is_test = vec![false; n];
    for &row in moments[first_test..].iter().flat_map(|(_, rows)| rows) {
        is_test[row] = true;
    }
    Ok(is_test)
}

/// Whether the values have an order in time: any number, and texts such as `2024-01`, `2024-Q1` or `2024-W05`.
fn periods(column: &Column) -> bool {
    let Values::Texts { levels, .. } = &column.values else {
        return true;
    };
    let shape = |text: &str| -> String { text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect() };
    levels.first().map(|first| shape(first)).is_some_and(|first| {
        ["0000-00", "0000-Q0", "0000Q0", "0000-W00", "0000W00", "0000/00"].contains(&first.as_str())
            && levels.iter().all(|level| shape(level) == first)
    })
}

fn carried(column: &Column, test: &str) -> Result<Vec<bool>, Diagnostic> {
    let name = &column.name;
    let number: Option<f64> = test.trim().parse().ok();
    let is_test = |row: usize| match (column.kind, column.cell(row), number) {
        (ColumnType::Float | ColumnType::Integer, super::Cell::Number(value), Some(number)) => {
            ordered(value) == ordered(number)
        }
        (ColumnType::Boolean, super::Cell::Number(value), _) => test.eq_ignore_ascii_case(&(value != 0.0).to_string()),
        _ => column.label(row).is_some_and(|label| label == test),
    };
    let chosen: Vec<bool> = (0..column.values.len()).map(is_test).collect();
    if !chosen.contains(&true) {
        let problem = Diagnostic::error("empty-part", format!("`{name}` is `{}` in no row", short(test)));
        return Err(match column.distinct(20) {
            Some(values) => {
                let values: Vec<String> = values.iter().map(|(value, _)| format!("`{}`", short(value))).collect();
                problem.help(format!("its values are: {}", values.join(", ")))
            }
            None => problem.help("name one of its values as `test`"),
        });
    }
    Ok(chosen)
}

/// The first row whose value is missing is an error with its place.
fn all_known(frame: &Frame, column: &Column, what: &str) -> Result<(), Diagnostic> {
    let missing: Vec<usize> = (0..frame.n_rows()).filter(|&row| column.is_missing(row)).collect();
    let Some(&first) = missing.first() else {
        return Ok(());
    };
    let place = frame.place(first);
    let line = u32::try_from(place.line).unwrap_or(u32::MAX);
    Err(Diagnostic::error(
        "missing-value",
        format!("the {what} `{}` is missing, in {} row(s)", column.name, missing.len()),
    )
    .file(&place.file)
    .at(Span::new(line, 1, 1))
    .help("fill it in or remove these rows"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::testing::{frame, numbers, texts};

    fn split(frame: &Frame, asked: &Split) -> Result<Partition, Diagnostics> {
        let names: Vec<&str> = frame.columns().iter().map(|column| column.name.as_str()).collect();
        super::split(frame, asked, &names)
    }

    fn with(kind: SplitKind, seed: u64) -> Split {
        Split {
            kind,
            seed,
            span: Span::new(5, 3, 8),
        }
    }

    fn column(name: &str) -> String {
        name.to_owned()
    }

    #[test]
    fn a_seed_decides_and_the_share_is_kept() {
        let table = frame(vec![numbers("x", &(0..442).map(f64::from).collect::<Vec<_>>())]);
        let random = |seed| split(&table, &with(SplitKind::Random { test: Size::Share(0.2) }, seed)).unwrap();
        let first = random(42);
        assert_eq!((first.train.len(), first.test.len()), (354, 88));
        assert_eq!(first.description, "random, 20 % test, seed 42");
        assert_eq!(first, random(42));
        assert_ne!(first.test, random(43).test);
        // Pinned: a split must not change with a new version of the program.
        assert_eq!(first.test[..8], [2, 10, 13, 14, 15, 21, 27, 33]);
    }

    #[test]
    fn rows_that_come_go_or_move_leave_the_others_on_their_side() {
        let values: Vec<f64> = (0..500).map(|row| f64::from(row % 490)).collect();
        let side = |values: &[f64]| {
            let table = frame(vec![numbers("x", values)]);
            let kind = SplitKind::Random { test: Size::Share(0.2) };
            let part = split(&table, &with(kind, 42)).unwrap();
            let mut held: Vec<u64> = part.test.iter().map(|&row| values[row].to_bits()).collect();
            held.sort_unstable();
            held
        };
        let before = side(&values);
        let mut turned = values.clone();
        turned.reverse();
        assert_eq!(side(&turned), before, "the order of the file does not matter");
        let wide = |columns: Vec<Column>| {
            let kind = SplitKind::Random { test: Size::Share(0.2) };
            super::split(&frame(columns), &with(kind, 42), &["y", "x"])
                .unwrap()
                .test
        };
        let (x, y, note) = (
            numbers("x", &values),
            numbers("y", &turned),
            numbers("note", &(0..500).map(f64::from).collect::<Vec<_>>()),
        );
        let two = wide(vec![x.clone(), y.clone()]);
        assert_eq!(
            wide(vec![note, y, x]),
            two,
            "nor does that of the columns, nor one that tells nothing"
        );
        let mut longer = vec![1000.5, 1001.5, 1002.5];
        longer.extend(&values);
        let after = side(&longer);
        let n_moved = before.iter().filter(|value| !after.contains(value)).count();
        // One row more is held out of 503; the three may take the places of as many others.
        assert!(n_moved <= 3, "{n_moved} rows changed sides");
    }

    #[test]
    fn classes_keep_their_share_and_lone_rows_train() {
        let labels: Vec<&str> = (0..100)
            .map(|row| {
                if row < 70 {
                    "a"
                } else if row < 99 {
                    "b"
                } else {
                    "c"
                }
            })
            .collect();
        let table = frame(vec![texts("y", &labels)]);
        let kind = SplitKind::Stratified {
            column: column("y"),
            test: Size::Share(0.2),
        };
        let parts = split(&table, &with(kind, 1)).unwrap();
        let of = |label| parts.test.iter().filter(|&&row| labels[row] == label).count();
        assert_eq!((of("a"), of("b"), of("c")), (14, 6, 0));
        insta::assert_snapshot!(parts.warnings.to_string(), @r#"
    warning[single-row-class]: values of `y` with one row only, kept for training: 1, such as `c`
      --> 5:3
      = help: merge rare classes or add data; a class without test rows is not judged
    "#);
    }

    #[test]
    fn groups_stay_whole_and_come_near_the_share() {
        let groups: Vec<f64> = (0..50)
            .flat_map(|group: u8| vec![f64::from(group); 1 + usize::from(group % 7)])
            .collect();
        let table = frame(vec![numbers("g", &groups)]);
        for seed in 0..20 {
            let kind = SplitKind::Group {
                column: column("g"),
                test: Size::Share(0.25),
            };
            let parts = split(&table, &with(kind, seed)).unwrap();
            let groups_of = |rows: &[usize]| {
                rows.iter()
                    .map(|&row| ordered(groups[row]))
                    .collect::<std::collections::BTreeSet<_>>()
            };
            assert!(groups_of(&parts.train).is_disjoint(&groups_of(&parts.test)));
            assert!(parts.test.len().abs_diff(groups.len() / 4) <= 1, "{}", parts.test.len());
        }
    }

    #[test]
    fn time_keeps_ties_together() {
        let table = frame(vec![numbers("t", &[3.0, 1.0, 2.0, 3.0, 1.0, 0.0])]);
        let last = |rows| {
            let kind = SplitKind::Time {
                column: column("t"),
                test: Size::Rows(rows),
            };
            split(&table, &with(kind, 0)).unwrap().test
        };
        assert_eq!(last(1), [0, 3]);
        assert_eq!(last(2), [0, 3]);
        assert_eq!(last(3), [0, 2, 3]);
        let months = frame(vec![texts("m", &["2024-02", "2023-12", "2024-01"])]);
        let kind = SplitKind::Time {
            column: column("m"),
            test: Size::Rows(1),
        };
        assert_eq!(split(&months, &with(kind, 0)).unwrap().test, [0]);
    }

    #[test]
    fn a_carried_split_reads_values_as_written() {
        let table = frame(vec![
            texts("part", &["fit", "holdout", ""]),
            numbers("fold", &[1.0, 2.0, 2.0]),
        ]);
        let by = |name: &str, test: &str| {
            let kind = SplitKind::Column {
                column: column(name),
                test: test.to_owned(),
                group: None,
                time: None,
            };
            split(&table, &with(kind, 0)).map(|parts| parts.test)
        };
        assert_eq!(by("part", "holdout"), Ok(vec![1]));
        assert_eq!(by("fold", "2.0"), Ok(vec![1, 2]));
    }

    #[test]
    fn problems_say_what_to_do() {
        let table = frame(vec![
            texts("part", &["fit", "holdout", ""]),
            numbers("x", &[1.0, 1.0, 1.0]),
            texts("name", &["ann", "bob", "cat"]),
        ]);
        let test = Size::Share(0.5);
        let kinds = [
            SplitKind::Column {
                column: column("prat"),
                test: column("holdout"),
                group: None,
                time: None,
            },
            SplitKind::Column {
                column: column("part"),
                test: column("test"),
                group: None,
                time: None,
            },
            SplitKind::Group {
                column: column("part"),
                test,
            },
            SplitKind::Group {
                column: column("x"),
                test,
            },
            SplitKind::Time {
                column: column("x"),
                test,
            },
            SplitKind::Time {
                column: column("name"),
                test,
            },
            SplitKind::Random { test: Size::Rows(3) },
            SplitKind::Column {
                column: column("x"),
                test: column("1"),
                group: None,
                time: None,
            },
        ];
        let shown: Vec<String> = kinds
            .into_iter()
            .map(|kind| split(&table, &with(kind, 0)).unwrap_err().to_string())
            .collect();
        insta::assert_snapshot!(shown.join("\n\n"), @r#"
    error[unknown-column]: there is no column `prat` in the data
      --> 5:3
      = help: did you mean `part`?

    error[empty-part]: `part` is `test` in no row
      --> 5:3
      = help: its values are: `fit`, `holdout`

    error[missing-value]: the group `part` is missing, in 1 row(s)
      --> data.csv:4:1
      = help: fill it in or remove these rows

    error[unusable-column]: `x` has one group only, so whole groups can not be held out
      --> 5:3

    error[unusable-column]: `x` has one value only, so there is no later part to hold out
      --> 5:3

    error[unusable-column]: `name` is a text, which has no order in time
      --> 5:3
      = help: write times as ISO 8601 (`2024-01-31`, `2024-01-31T12:00:00Z`, `2024-01`) or as numbers

    error[empty-part]: a test part of 3 rows leaves none of the 3 usable rows for training
      --> 5:3

    error[empty-part]: the split leaves no train row of 3
      --> 5:3
      = help: change `data.split` so that both parts have rows
    "#);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part(labels in prop::collection::vec(0_u8..6, 2..80), share in 0.01_f64..0.99, seed: u64, which in 0..4) {
            let values: Vec<f64> = labels.iter().map(|&label| f64::from(label)).collect();
            let table = frame(vec![numbers("c", &values)]);
            let (c, test) = (column("c"), Size::Share(share));
            let kind = match which {
                0 => SplitKind::Random { test },
                1 => SplitKind::Stratified { column: c, test },
                2 => SplitKind::Group { column: c, test },
                _ => SplitKind::Time { column: c, test },
            };
            match split(&table, &with(kind, seed)) {
                Ok(parts) => {
                    let mut all = [parts.train.clone(), parts.test.clone()].concat();
                    all.sort_unstable();
                    prop_assert_eq!(all, (0..values.len()).collect::<Vec<_>>());
                    prop_assert!(!parts.train.is_empty() && !parts.test.is_empty());
                }
                Err(problems) => prop_assert!(problems.has_errors()),
            }
        }
    }
}
