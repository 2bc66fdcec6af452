//! What makes a held-out score too good to be true. Pure; a sort a column at most.

mod series;
mod tells;

use std::collections::BTreeMap;

use super::sort::ordered;
use super::{Column, ColumnType, Frame, MISSING, Partition, SplitKind, Values};

/// Evidence beyond this is only counted.
const MAX_EVIDENCE: usize = 5;

/// A correlation beyond this is a copy in other units.
const COPY: f64 = 0.999_999;

/// A feature is the target in other words.
pub const TARGET_COPY: &str = "target-copy";

/// Something that makes the held-out score too good to be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// `target-copy`, `id-like`, `single-feature`, `missing-tells`, `id-tells`, `after-time`, `shifted-target`,
    /// `duplicate-rows`, `group-overlap`, `time-order`.
    pub code: &'static str,
    pub message: String,
    pub evidence: Vec<String>,
}

/// The columns that a model sees and what it predicts.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    pub target: &'a str,
    pub features: &'a [String],
    /// A column whose values must not be on both sides, when the configuration names one.
    pub group: Option<&'a str>,
    /// A column of time whose order the split must keep, when the configuration names one.
    pub time: Option<&'a str>,
}

impl<'a> Columns<'a> {
    /// The group and time columns are those that the split names.
    pub fn of_split(target: &'a str, features: &'a [String], kind: &'a SplitKind) -> Self {
        let (group, time) = match kind {
            SplitKind::Group { column, .. } => (Some(column.as_str()), None),
            SplitKind::Time { column, .. } => (None, Some(column.as_str())),
            SplitKind::Column { group, time, .. } => (group.as_deref(), time.as_deref()),
            SplitKind::Random { .. } | SplitKind::Stratified { .. } => (None, None),
        };
        Self {
            target,
            features,
            group,
            time,
        }
    }
}

/// Every leak found: copies of the target, features that only name rows, that alone are too good or that come from a
/// row's future, rows on both sides, groups on both sides, and test rows that are older than train rows.
pub fn leaks(frame: &Frame, parts: &Partition, columns: &Columns<'_>) -> Vec<Leak> {
    let mut found = Vec::new();
    let group = columns.group.and_then(|name| frame.column(name));
    let time = columns.time.and_then(|name| frame.column(name));
    if let Some(target) = frame.column(columns.target) {
        let known = tells::Target::of(frame, target);
        let order = time.map(|time| series::order(frame, time, group));
        for name in columns.features {
            let Some(feature) = frame.column(name).filter(|feature| feature.name != target.name) else {
                continue;
            };
            let copy = target_copy(frame, feature, target);
            // A copy is all of this as well.
            if copy.is_none() {
                found.extend(
                    known
                        .iter()
                        .flat_map(|known| tells::tells(frame, feature, target, known)),
                );
                found.extend(
                    order
                        .iter()
                        .find_map(|order| series::shifted_target(frame, order, feature, target)),
                );
            }
            found.extend(copy);
            found.extend(id_like(feature));
            found.extend(time.and_then(|time| series::after_time(frame, feature, time)));
        }
    }
    found.extend(duplicate_rows(frame, parts, columns));
    if let Some(group) = group {
        found.extend(group_overlap(frame, group, parts));
    }
    if let Some(time) = time {
        found.extend(time_order(frame, time, parts));
    }
    found
}

fn target_copy(frame: &Frame, feature: &Column, target: &Column) -> Option<Leak> {
    let how = match (&feature.values, &target.values) {
        (Values::Numbers(x), Values::Numbers(y)) => number_copy(x, y)?,
        (Values::Texts { .. }, _) | (_, Values::Texts { .. }) => one_to_one(feature, target)?,
    };
    let row = (0..frame.n_rows()).find(|&row| !feature.is_missing(row) && !target.is_missing(row))?;
    let shown = |column: &Column| {
        format!(
            "{} = {}",
            column.name,
            super::task::short(&column.label(row).unwrap_or_default())
        )
    };
    Some(Leak {
        code: TARGET_COPY,
        message: format!(
            "`{}` {how} the target `{}`; exclude it if it is not known before the target is",
            feature.name, target.name
        ),
        evidence: vec![format!("{}: {}, {}", frame.place(row), shown(feature), shown(target))],
    })
}

/// Equal numbers, |r| beyond [`COPY`] or the very same order, where both are known in at least ten rows.
fn number_copy(x: &[f64], y: &[f64]) -> Option<&'static str> {
    let known = || x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let n = known().count();
    if n < 10 {
        return None;
    }
    let scale = |values: &[f64]| {
        values
            .iter()
            .filter(|v| !v.is_nan())
            .fold(0.0_f64, |most, v| most.max(v.abs()))
    };
    let (scale_x, scale_y) = (scale(x), scale(y));
    if scale_x <= 0.0 || scale_y <= 0.0 {
        return None;
    }
    let (mut mean_x, mut mean_y, mut xx, mut yy, mut xy, mut count) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    let mut equal = true;
    for (&x, &y) in known() {
        equal &= ordered(x) == ordered(y);
        let (x, y) = (x / scale_x, y / scale_y);
        count += 1.0;
        let (dx, dy) = (x - mean_x, y - mean_y);
        mean_x += dx / count;
        mean_y += dy / count;
        xx += dx * (x - mean_x);
        yy += dy * (y - mean_y);
        xy += dx * (y - mean_y);
    }
    if xx <= 0.0 || yy <= 0.0 {
        return None;
    }
    if equal {
        return Some("equals");
    }
    if xy.abs() / (xx.sqrt() * yy.sqrt()) > COPY {
        return Some("is a linear function of");
    }
    is_monotone(known().map(|(x, y)| (ordered(*x), ordered(*y)))).then_some("has exactly the order of")
}

/// Whether one grows, or falls, exactly where the other does, over at least ten distinct values.
fn is_monotone(pairs: impl Iterator<Item = (u64, u64)> + Clone) -> bool {
    let same_order = |mut pairs: Vec<(u64, u64)>| {
        pairs.sort_unstable();
        pairs.dedup();
        let steps = || {
            pairs
                .windows(2)
                .map(|pair| (pair[0].0 < pair[1].0, pair[0].1.cmp(&pair[1].1)))
        };
        pairs.len() >= 10
            && [std::cmp::Ordering::Less, std::cmp::Ordering::Greater]
                .into_iter()
                .any(|way| steps().all(|(grows, step)| grows && step == way))
    };
    // Almost every column fails on its first rows, which saves sorting it.
    let first: Vec<(u64, u64)> = pairs.clone().take(64).collect();
    let distinct: std::collections::BTreeSet<u64> = first.iter().map(|(x, _)| *x).collect();
    (distinct.len() < 10 || same_order(first)) && same_order(pairs.collect())
}

/// Each level of the one stands with exactly one of the other, with few levels and each seen several times.
fn one_to_one(feature: &Column, target: &Column) -> Option<&'static str> {
    const FEW: usize = 100;
    let key = |column: &Column, row: usize| match &column.values {
        Values::Numbers(numbers) => (!numbers[row].is_nan()).then(|| ordered(numbers[row])),
        Values::Texts { codes, .. } => (codes[row] != MISSING).then(|| u64::from(codes[row])),
    };
    let (mut forth, mut back) = (BTreeMap::new(), BTreeMap::new());
    let mut n = 0;
    for row in 0..feature.values.len() {
        if let (Some(x), Some(y)) = (key(feature, row), key(target, row)) {
            n += 1;
            if *forth.entry(x).or_insert(y) != y || *back.entry(y).or_insert(x) != x || forth.len() > FEW {
                return None;
            }
        }
    }
    (forth.len() >= 2 && n >= 5 * forth.len()).then_some("stands one to one for")
}

fn id_like(feature: &Column) -> Option<Leak> {
    let Values::Texts { codes, levels } = &feature.values else {
        return None;
    };
    let n = codes.iter().filter(|&&code| code != MISSING).count();
    (n >= 20 && levels.len() == n).then(|| Leak {
        code: "id-like",
        message: format!(
            "`{}` is a different text in every row, which names the row rather than describes it; add it to `data.exclude`",
            feature.name
        ),
        evidence: Vec::new(),
    })
}

fn duplicate_rows(frame: &Frame, parts: &Partition, columns: &Columns<'_>) -> Option<Leak> {
    let names = columns.features.iter().map(String::as_str).chain([columns.target]);
    let indices: Vec<usize> = names.filter_map(|name| frame.index(name)).collect();
    let digests = frame.row_digests(&indices);
    let mut train: Vec<(u128, usize)> = parts.train.iter().map(|&row| (digests[row], row)).collect();
    train.sort_unstable();
    let twin = |row: usize| {
        let at = train.partition_point(|(digest, _)| *digest < digests[row]);
        train
            .get(at)
            .filter(|(digest, _)| *digest == digests[row])
            .map(|(_, twin)| *twin)
    };
    let pairs: Vec<(usize, usize)> = parts.test.iter().filter_map(|&row| Some((row, twin(row)?))).collect();
    (!pairs.is_empty()).then(|| Leak {
        code: "duplicate-rows",
        message: format!(
            "{} of {} test rows are also train rows, with the same features and target; remove the duplicates or split by a group",
            pairs.len(),
            parts.test.len()
        ),
        evidence: pairs
            .iter()
            .take(MAX_EVIDENCE)
            .map(|(test, train)| format!("{} is the same as {}", frame.place(*test), frame.place(*train)))
            .collect(),
    })
}

fn group_overlap(frame: &Frame, group: &Column, parts: &Partition) -> Option<Leak> {
    let key = |row: usize| match &group.values {
        Values::Numbers(numbers) => (!numbers[row].is_nan()).then(|| ordered(numbers[row])),
        Values::Texts { codes, .. } => (codes[row] != MISSING).then(|| u64::from(codes[row])),
    };
    let mut train: BTreeMap<u64, usize> = BTreeMap::new();
    for &row in parts.train.iter().rev() {
        if let Some(key) = key(row) {
            train.insert(key, row);
        }
    }
    let mut both: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for &row in &parts.test {
        if let Some(key) = key(row)
            && let Some(&train_row) = train.get(&key)
        {
            both.entry(key).or_insert((row, train_row));
        }
    }
    (!both.is_empty()).then(|| Leak {
        code: "group-overlap",
        message: format!(
            "{} group(s) of `{}` are in both parts; split by `group: {}`",
            both.len(),
            group.name,
            group.name
        ),
        evidence: both
            .values()
            .take(MAX_EVIDENCE)
            .map(|&(test, train)| {
                let label = group.label(test).unwrap_or_default();
                let (test, train) = (frame.place(test), frame.place(train));
                format!(
                    "{} = {}: test {test}, train {train}",
                    group.name,
                    super::task::short(&label)
                )
            })
            .collect(),
    })
}

fn time_order(frame: &Frame, time: &Column, parts: &Partition) -> Option<Leak> {
    let before = |a: usize, b: usize| match &time.values {
        Values::Numbers(numbers) => numbers[a] < numbers[b],
        Values::Texts { .. } => time.label(a) < time.label(b),
    };
    let known = |rows: &[usize]| {
        rows.iter()
            .copied()
            .filter(|&row| !time.is_missing(row))
            .collect::<Vec<_>>()
    };
    let last_train = known(&parts.train)
        .into_iter()
        .reduce(|last, row| if before(last, row) { row } else { last })?;
    let early: Vec<usize> = known(&parts.test)
        .into_iter()
        .filter(|&row| before(row, last_train))
        .collect();
    (!early.is_empty() && time.kind != ColumnType::Boolean).then(|| Leak {
        code: "time-order",
        message: format!(
            "{} of {} test rows are earlier than the latest train row by `{}`, so the model has seen their future",
            early.len(),
            parts.test.len(),
            time.name
        ),
        evidence: early
            .iter()
            .take(MAX_EVIDENCE)
            .map(|&row| {
                format!(
                    "{}: {} = {}",
                    frame.place(row),
                    time.name,
                    time.label(row).unwrap_or_default()
                )
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Diagnostics;
    use crate::data::testing::{frame, numbers, texts};

    fn parts(train: &[usize], test: &[usize]) -> Partition {
        Partition {
            train: train.to_vec(),
            test: test.to_vec(),
            description: String::new(),
            warnings: Diagnostics::default(),
        }
    }

    fn shown(found: &[Leak]) -> String {
        let one = |leak: &Leak| format!("[{}] {}\n  {}", leak.code, leak.message, leak.evidence.join("\n  "));
        found.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn copies_of_the_target_are_found() {
        let y: Vec<f64> = (0..24).map(|row| f64::from(row * row % 23)).collect();
        let celsius: Vec<f64> = y.iter().map(|y| y * 1.8 + 32.0).collect();
        let roots: Vec<f64> = y.iter().map(|y| -y.sqrt()).collect();
        let noisy: Vec<f64> = y
            .iter()
            .enumerate()
            .map(|(row, y)| y + 0.1 * (row % 3) as f64)
            .collect();
        let ids: Vec<String> = (0..24).map(|row| format!("id{row}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let table = frame(vec![
            numbers("y", &y),
            numbers("copy", &y),
            numbers("fahrenheit", &celsius),
            numbers("square_root", &roots),
            numbers("noisy", &noisy),
            texts("id", &ids),
        ]);
        let features = ["copy", "fahrenheit", "square_root", "noisy", "id"].map(str::to_owned);
        let columns = Columns {
            target: "y",
            features: &features,
            group: None,
            time: None,
        };
        insta::assert_snapshot!(shown(&leaks(&table, &parts(&[0], &[1]), &columns)), @r#"
    [target-copy] `copy` equals the target `y`; exclude it if it is not known before the target is
      data.csv:2: copy = 0, y = 0
    [target-copy] `fahrenheit` is a linear function of the target `y`; exclude it if it is not known before the target is
      data.csv:2: fahrenheit = 32, y = 0
    [target-copy] `square_root` has exactly the order of the target `y`; exclude it if it is not known before the target is
      data.csv:2: square_root = 0, y = 0
    [id-like] `id` is a different text in every row, which names the row rather than describes it; add it to `data.exclude`
    "#);
    }

    #[test]
    fn a_text_that_stands_for_the_class_is_found() {
        let class: Vec<&str> = (0..20).map(|row| if row % 3 == 0 { "yes" } else { "no" }).collect();
        let code: Vec<&str> = class
            .iter()
            .map(|class| if *class == "yes" { "J" } else { "N" })
            .collect();
        let table = frame(vec![texts("y", &class), texts("code", &code)]);
        let features = ["code".to_owned()];
        let columns = Columns {
            target: "y",
            features: &features,
            group: None,
            time: None,
        };
        let found = leaks(&table, &parts(&[], &[]), &columns);
        assert_eq!(found.iter().map(|leak| leak.code).collect::<Vec<_>>(), ["target-copy"]);
    }

    #[test]
    fn rows_groups_and_times_on_both_sides_are_found() {
        let table = frame(vec![
            numbers("y", &[1.0, 2.0, 1.0, 4.0]),
            numbers("x", &[5.0, 6.0, 5.0, f64::NAN]),
            texts("patient", &["p1", "p2", "p1", "p3"]),
            numbers("t", &[1.0, 2.0, 3.0, 4.0]),
        ]);
        let features = ["x".to_owned()];
        let columns = Columns {
            target: "y",
            features: &features,
            group: Some("patient"),
            time: Some("t"),
        };
        insta::assert_snapshot!(shown(&leaks(&table, &parts(&[2, 3], &[0, 1]), &columns)), @r#"
    [duplicate-rows] 1 of 2 test rows are also train rows, with the same features and target; remove the duplicates or split by a group
      data.csv:2 is the same as data.csv:4
    [group-overlap] 1 group(s) of `patient` are in both parts; split by `group: patient`
      patient = p1: test data.csv:2, train data.csv:4
    [time-order] 2 of 2 test rows are earlier than the latest train row by `t`, so the model has seen their future
      data.csv:2: t = 1
      data.csv:3: t = 2
    "#);
        let none = Columns {
            group: None,
            time: None,
            ..columns
        };
        assert_eq!(leaks(&table, &parts(&[0, 2], &[1, 3]), &none), []);
    }
}
