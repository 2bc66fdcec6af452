//! One feature that alone gives the target away: by its values, by whether it is known, or by naming rows in their
//! order. Pure.

use std::collections::BTreeMap;

use super::super::quality::counts_rows;
use super::super::sort::ordered;
use super::super::task::{infer_task, short};
use super::super::{Column, ColumnType, Frame, MISSING, Values};
use super::Leak;
use crate::base::Task;
use crate::stats::midranks;

/// A feature must be known in this many rows, and a class have as many, before its strength says something.
const MIN_ROWS: usize = 30;
const MIN_OF_CLASS: usize = 10;

/// More classes than this are not told apart by one feature.
const MAX_CLASSES: usize = 20;

/// A feature that separates classes so well is the answer in other words; the best single feature of a hard medical
/// data set has 0.975.
const AUC: f64 = 0.995;

/// The same for quantities: a correlation of ranks.
const SPEARMAN: f64 = 0.98;

/// Whether a feature is known separates a class from the others at least so well.
const MISSING_AUC: f64 = 0.95;

/// What an identifier may know about the target by chance ends here.
const ID_STRENGTH: f64 = 0.8;

/// Rows that are looked at before all of them are.
const SAMPLE: usize = 2000;

/// The target as ranks or classes are made of it.
pub enum Target<'a> {
    Quantity(&'a [f64]),
    /// The class of each row, and the classes' labels in ascending order.
    Classes(Vec<Option<usize>>, Vec<String>),
}

impl<'a> Target<'a> {
    /// `None` for a target that no model here predicts.
    pub fn of(frame: &Frame, column: &'a Column) -> Option<Self> {
        match (infer_task(frame, &column.name).ok()?.0, &column.values) {
            (Task::Regression, Values::Numbers(numbers)) => Some(Self::Quantity(numbers)),
            (Task::Regression, Values::Texts { .. }) => None,
            (Task::Binary | Task::Multiclass, values) => {
                let labels: Vec<String> = column
                    .distinct(MAX_CLASSES)?
                    .into_iter()
                    .map(|(label, _)| label)
                    .collect();
                let class = match values {
                    Values::Numbers(numbers) => {
                        let mut known: Vec<u64> = numbers.iter().filter(|v| !v.is_nan()).map(|v| ordered(*v)).collect();
                        known.sort_unstable();
                        known.dedup();
                        let class = |number: &f64| known.binary_search(&ordered(*number)).ok();
                        numbers.iter().map(class).collect()
                    }
                    Values::Texts { codes, levels } => {
                        let of_level: Vec<Option<usize>> =
                            levels.iter().map(|level| labels.binary_search(level).ok()).collect();
                        let class = |code: &u32| of_level.get(*code as usize).copied().flatten();
                        codes.iter().map(class).collect()
                    }
                };
                Some(Self::Classes(class, labels))
            }
        }
    }
}

/// What a feature alone says about the target.
pub fn tells(frame: &Frame, feature: &Column, target: &Column, known: &Target<'_>) -> Vec<Leak> {
    let mut found = Vec::new();
    found.extend(single_feature(frame, feature, target, known));
    found.extend(missing_tells(feature, target, known));
    if found.is_empty() {
        found.extend(id_tells(feature, target, known));
    }
    found
}

/// A measure of how well a feature alone answers.
enum Strength {
    /// Of the worst pair of neighboring classes, 0.5 to 1.
    Auc(f64),
    /// Of ranks, 0 to 1.
    Spearman(f64),
    /// The share of rows that the other rows of the same category answer rightly.
    Right(f64),
    /// The share of the variance that the other rows of the same category explain.
    Explained(f64),
}

impl Strength {
    fn is_too_good(&self) -> bool {
        match self {
            Self::Auc(auc) => *auc >= AUC,
            Self::Spearman(r) => *r >= SPEARMAN,
            Self::Right(share) => *share >= AUC,
            Self::Explained(share) => *share >= SPEARMAN * SPEARMAN,
        }
    }

    fn words(&self, target: &str) -> String {
        // Cut off rather than rounded, so that 0.9999 does not read as a copy.
        let digits = |value: f64| (value * 1000.0).floor() / 1000.0;
        match self {
            Self::Auc(auc) => format!("separates the classes of `{target}` (AUC {})", digits(*auc)),
            Self::Spearman(r) => format!("orders the rows as `{target}` does (rank correlation {})", digits(*r)),
            Self::Right(share) => format!(
                "answers `{target}` rightly in {} % of all rows",
                digits(*share / 10.0) * 1000.0
            ),
            Self::Explained(share) => format!(
                "explains {} % of the variance of `{target}`",
                digits(*share / 10.0) * 1000.0
            ),
        }
    }
}

fn single_feature(frame: &Frame, feature: &Column, target: &Column, known: &Target<'_>) -> Option<Leak> {
    let n = frame.n_rows();
    let all: Vec<usize> = (0..n).collect();
    if n > 2 * SAMPLE {
        // A few rows, evenly spread, tell nearly every feature of a large table that is not too good.
        let some: Vec<usize> = (0..SAMPLE).map(|i| i * n / SAMPLE).collect();
        let hopeless = match strength(feature, known, &some) {
            Some(Strength::Auc(value) | Strength::Spearman(value)) => value < 0.95,
            Some(Strength::Right(_) | Strength::Explained(_)) | None => false,
        };
        if hopeless {
            return None;
        }
    }
    let strength = strength(feature, known, &all).filter(Strength::is_too_good)?;
    let shown = |row: usize| {
        let value = |column: &Column| short(&column.label(row).unwrap_or_default());
        format!(
            "{}: {} = {}, {} = {}",
            frame.place(row),
            feature.name,
            value(feature),
            target.name,
            value(target)
        )
    };
    let mut seen: Vec<String> = Vec::new();
    let different = (0..n).filter(|&row| {
        let (Some(_), Some(label)) = (feature.label(row), target.label(row)) else {
            return false;
        };
        let is_new = seen.len() < 2 && !seen.contains(&label.to_string());
        if is_new {
            seen.push(label.into_owned());
        }
        is_new
    });
    let evidence = different.map(shown).collect();
    Some(Leak {
        code: "single-feature",
        message: format!(
            "`{}` alone {}, which is too good for one feature; exclude it if it is made of the target or known only after \
             it",
            feature.name,
            strength.words(&target.name)
        ),
        evidence,
    })
}

/// How well a feature alone answers on these rows; `None` when too few of them know it.
fn strength(feature: &Column, target: &Target<'_>, rows: &[usize]) -> Option<Strength> {
    let n_known = rows.iter().filter(|&&row| !feature.is_missing(row)).count();
    if n_known < MIN_ROWS || 5 * n_known < rows.len() {
        return None;
    }
    match (&feature.values, target) {
        (Values::Numbers(x), Target::Classes(classes, _)) => worst_auc(x, classes, rows).map(Strength::Auc),
        (Values::Numbers(x), Target::Quantity(y)) => spearman(x, y, rows).map(Strength::Spearman),
        (Values::Texts { codes, .. }, Target::Classes(classes, _)) => {
            right_by_others(codes, classes, rows).map(Strength::Right)
        }
        (Values::Texts { codes, .. }, Target::Quantity(y)) => {
            explained_by_others(codes, y, rows).map(Strength::Explained)
        }
    }
}

/// The area under the curve of the worst pair of classes that are neighbors by their mean rank, 0.5 to 1; 1 means that
/// one feature tells all classes apart. `None` when fewer than two classes have [`MIN_OF_CLASS`] rows; smaller ones do
/// not count.
///
/// Source: Hand and Till (2001), with the least instead of the mean. Oracle: scikit-learn `roc_auc_score`, in the tests.
fn worst_auc(x: &[f64], classes: &[Option<usize>], rows: &[usize]) -> Option<f64> {
    let mut of_class: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for &row in rows {
        if let (Some(class), false) = (classes[row], x[row].is_nan()) {
            of_class.entry(class).or_default().push(x[row]);
        }
    }
    let groups: Vec<Vec<f64>> = of_class
        .into_values()
        .filter(|group| group.len() >= MIN_OF_CLASS)
        .collect();
    if groups.len() < 2 {
        return None;
    }
    let ranks = midranks(&groups.concat());
    let mut start = 0;
    let mut by_rank: Vec<(f64, usize)> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let of_group = &ranks[start..start + group.len()];
        by_rank.push((of_group.iter().sum::<f64>() / group.len() as f64, index));
        start += group.len();
    }
    by_rank.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let pairs = by_rank.windows(2);
    pairs
        .map(|pair| auc(&groups[pair[0].1], &groups[pair[1].1]))
        .reduce(f64::min)
}

/// The chance that a value of one sample is above one of the other, ties by half, or below if that is greater.
fn auc(a: &[f64], b: &[f64]) -> f64 {
    let ranks = midranks(&[a, b].concat());
    let (n, m) = (a.len() as f64, b.len() as f64);
    let sum: f64 = ranks[..a.len()].iter().sum();
    let above = (sum - n * (n + 1.0) / 2.0) / (n * m);
    above.max(1.0 - above)
}

/// The correlation of ranks without its sign, 0 to 1; `None` when one side is constant.
///
/// Oracle: scipy `spearmanr`, in the tests.
fn spearman(x: &[f64], y: &[f64], rows: &[usize]) -> Option<f64> {
    let known = rows.iter().filter(|&&row| !x[row].is_nan() && !y[row].is_nan());
    let (x, y): (Vec<f64>, Vec<f64>) = known.map(|&row| (x[row], y[row])).unzip();
    if x.len() < MIN_ROWS {
        return None;
    }
    let (x, y) = (midranks(&x), midranks(&y));
    let mean = (x.len() + 1) as f64 / 2.0;
    let sum = |of: &dyn Fn(f64, f64) -> f64| x.iter().zip(&y).map(|(x, y)| of(x - mean, y - mean)).sum::<f64>();
    let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    (xx > 0.0 && yy > 0.0).then(|| (xy.abs() / (xx.sqrt() * yy.sqrt())).min(1.0))
}

/// The share of rows whose class is the one that most of the other rows of their category have. A category of one row
/// answers nothing, so that names of rows are not strong. `None` when the most frequent class alone would do nearly as
/// well.
fn right_by_others(codes: &[u32], classes: &[Option<usize>], rows: &[usize]) -> Option<f64> {
    let mut of_category: BTreeMap<u32, BTreeMap<usize, usize>> = BTreeMap::new();
    let mut of_all: BTreeMap<usize, usize> = BTreeMap::new();
    for &row in rows {
        if let (Some(class), true) = (classes[row], codes[row] != MISSING) {
            *of_category.entry(codes[row]).or_default().entry(class).or_default() += 1;
            *of_all.entry(class).or_default() += 1;
        }
    }
    let n: usize = of_all.values().sum();
    let most = of_all.values().max().copied()?;
    if n < MIN_ROWS || n - most < MIN_OF_CLASS {
        return None;
    }
    let right: usize = of_category
        .values()
        .map(|counts| {
            let mut counts: Vec<usize> = counts.values().copied().collect();
            counts.sort_unstable_by(|a, b| b.cmp(a));
            let (first, second) = (counts[0], counts.get(1).copied().unwrap_or_default());
            if first > second + 1 { first } else { 0 }
        })
        .sum();
    // Where one class is nearly everything, wrong answers must become far fewer, not only be few.
    (20 * (n - right) <= n - most).then(|| right as f64 / n as f64)
}

/// The share of the variance that the mean of the other rows of the same category explains, at most 1.
fn explained_by_others(codes: &[u32], y: &[f64], rows: &[usize]) -> Option<f64> {
    let known: Vec<usize> = rows
        .iter()
        .copied()
        .filter(|&row| codes[row] != MISSING && y[row].is_finite())
        .collect();
    if known.len() < MIN_ROWS {
        return None;
    }
    let largest = known.iter().fold(0.0_f64, |most, &row| most.max(y[row].abs()));
    if largest <= 0.0 {
        return None;
    }
    let y = |row: usize| y[row] / largest;
    let mean = known.iter().map(|&row| y(row)).sum::<f64>() / known.len() as f64;
    let mut of_category: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    for &row in &known {
        let (sum, n) = of_category.entry(codes[row]).or_default();
        *sum += y(row);
        *n += 1.0;
    }
    let (mut left, mut all) = (0.0, 0.0);
    for &row in &known {
        let (sum, n) = of_category[&codes[row]];
        let others = if n > 1.0 { (sum - y(row)) / (n - 1.0) } else { mean };
        left += (y(row) - others).powi(2);
        all += (y(row) - mean).powi(2);
    }
    (all > 0.0).then(|| 1.0 - left / all)
}

/// Whether a feature is known gives the target away, as a date of discharge does that only some have.
fn missing_tells(feature: &Column, target: &Column, known: &Target<'_>) -> Option<Leak> {
    let n_missing = feature.n_missing();
    if n_missing < MIN_OF_CLASS || feature.values.len() - n_missing < MIN_OF_CLASS {
        return None;
    }
    let (name, of) = (&feature.name, &target.name);
    let gap = |shares: &(f64, f64, &String)| shares.0 - shares.1;
    let what = match known {
        Target::Classes(classes, labels) => {
            let shares = labels.iter().enumerate().filter_map(|(class, label)| {
                let (mut in_class, mut in_others) = ((0_usize, 0_usize), (0_usize, 0_usize));
                for (row, of) in classes.iter().enumerate().filter_map(|(row, of)| Some((row, (*of)?))) {
                    let side = if of == class { &mut in_class } else { &mut in_others };
                    side.0 += usize::from(feature.is_missing(row));
                    side.1 += 1;
                }
                let share = |(part, all): (usize, usize)| part as f64 / all.max(1) as f64;
                let is_enough = in_class.1.min(in_others.1) >= MIN_OF_CLASS;
                is_enough.then(|| (share(in_class), share(in_others), label))
            });
            let (inside, outside, label) =
                shares.max_by(|a, b| gap(a).abs().total_cmp(&gap(b).abs()).then(gap(a).total_cmp(&gap(b))))?;
            if f64::midpoint(1.0, (inside - outside).abs()) < MISSING_AUC {
                return None;
            }
            let percent = |share: f64| format!("{} %", (share * 1000.0).round() / 10.0);
            format!(
                "is missing in {} of the rows with `{of}` = `{}` and in {} of the others",
                percent(inside),
                short(label),
                percent(outside)
            )
        }
        Target::Quantity(y) => {
            let rows = (0..y.len()).filter(|&row| !y[row].is_nan());
            let (without, with): (Vec<usize>, Vec<usize>) = rows.partition(|&row| feature.is_missing(row));
            if without.len().min(with.len()) < MIN_OF_CLASS {
                return None;
            }
            let of_rows = |rows: &[usize]| rows.iter().map(|&row| y[row]).collect::<Vec<f64>>();
            let (without, with) = (of_rows(&without), of_rows(&with));
            if auc(&without, &with) < MISSING_AUC {
                return None;
            }
            let middle = |mut values: Vec<f64>| {
                values.sort_unstable_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let where_missing = if middle(without) < middle(with) {
                "smallest"
            } else {
                "greatest"
            };
            format!("is missing just where `{of}` is {where_missing}")
        }
    };
    Some(Leak {
        code: "missing-tells",
        message: format!(
            "`{name}` {what}, so that whether it is known gives the target away; exclude it if it is filled in only after \
             the target is known"
        ),
        evidence: Vec::new(),
    })
}

/// An identifier that orders the target: the rows were sorted by it, or numbered after it was known.
fn id_tells(feature: &Column, target: &Column, known: &Target<'_>) -> Option<Leak> {
    let Values::Numbers(numbers) = &feature.values else {
        return None;
    };
    if feature.kind != ColumnType::Integer {
        return None;
    }
    let mut keys: Vec<u64> = numbers.iter().filter(|v| !v.is_nan()).map(|v| ordered(*v)).collect();
    keys.sort_unstable();
    keys.dedup();
    if !counts_rows(&feature.name, numbers, keys.len()) {
        return None;
    }
    let all: Vec<usize> = (0..numbers.len()).collect();
    let is_strong = match strength(feature, known, &all)? {
        // The chance of a right order, as a correlation is read: 0.9 is 0.8 above chance.
        Strength::Auc(auc) => 2.0 * auc - 1.0 >= ID_STRENGTH,
        Strength::Spearman(r) => r >= ID_STRENGTH,
        Strength::Right(_) | Strength::Explained(_) => false,
    };
    is_strong.then(|| Leak {
        code: "id-tells",
        message: format!(
            "`{}` is another whole number in every row and yet goes with `{}`: the rows are sorted by the target, or were \
             numbered after it was known; add it to `data.exclude`",
            feature.name, target.name
        ),
        evidence: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Columns, leaks};
    use super::*;
    use crate::base::Diagnostics;
    use crate::data::Partition;
    use crate::data::testing::{frame, numbers, texts};

    fn told(columns: Vec<Column>) -> String {
        let table = frame(columns);
        let features: Vec<String> = table.columns()[1..].iter().map(|column| column.name.clone()).collect();
        let parts = Partition {
            train: Vec::new(),
            test: Vec::new(),
            description: String::new(),
            warnings: Diagnostics::default(),
        };
        let columns = Columns {
            target: "y",
            features: &features,
            group: None,
            time: None,
        };
        let found = leaks(&table, &parts, &columns);
        let shown = found
            .iter()
            .map(|leak| format!("[{}] {} {:?}", leak.code, leak.message, leak.evidence));
        shown.collect::<Vec<_>>().join("\n")
    }

    fn values(n: u32, of: impl Fn(u32) -> f64) -> Vec<f64> {
        (0..n).map(of).collect()
    }

    /// Numbers from 0 to 1 without an order.
    fn noise(i: u32) -> f64 {
        f64::from(i * 7919 % 1009) / 1009.0
    }

    #[test]
    fn measures_are_those_of_the_field() {
        // Oracle: scikit-learn 1.9.1 `roc_auc_score` and scipy 1.17.1 `spearmanr` on these numbers.
        let x = values(40, |i| f64::from(i * 7 % 40));
        let y = values(40, |i| f64::from(i / 2));
        let rows: Vec<usize> = (0..40).collect();
        let classes: Vec<Option<usize>> = (0..40).map(|i| Some(usize::from(i * 7 % 40 + i % 9 > 23))).collect();
        assert!((worst_auc(&x, &classes, &rows).unwrap() - 0.982_456_140_350_877_1).abs() < 1e-12);
        assert!((spearman(&x, &y, &rows).unwrap() - 0.165_258_288_813_209_56).abs() < 1e-12);
        assert_eq!(spearman(&[1.0; 40], &y, &rows), None);
        // Two categories of two rows each, by hand: each row is answered by the other one of its category.
        let (codes, y) = ([0, 0, 1, 1].repeat(10), [0.0, 1.0, 3.0, 4.0].repeat(10));
        let explained = explained_by_others(&codes, &y, &rows).unwrap();
        // Each category has 10 rows of each value: the others' mean misses by 10/19; the variance is 2.5.
        assert!(
            (explained - (1.0 - (10.0_f64 / 19.0).powi(2) / 2.5)).abs() < 1e-12,
            "{explained}"
        );
    }

    #[test]
    fn one_feature_that_answers_alone() {
        let y = values(200, |i| noise(i) * 100.0);
        let near = values(200, |i| noise(i) * 100.0 + 4.0 * noise(i * 3 + 1));
        let far = values(200, |i| noise(i) * 100.0 + 60.0 * noise(i * 3 + 1));
        insta::assert_snapshot!(told(vec![numbers("y", &y), numbers("near", &near), numbers("far", &far)]), @r#"[single-feature] `near` alone orders the rows as `y` does (rank correlation 0.999), which is too good for one feature; exclude it if it is made of the target or known only after it ["data.csv:2: near = 3.393458870168484, y = 0", "data.csv:3: near = 86.41030723488603, y = 84.8364717542121"]"#);

        let sick: Vec<&str> = (0..200).map(|i| if noise(i) > 0.6 { "yes" } else { "no" }).collect();
        let score = values(200, |i| if i == 1 { 0.59 } else { noise(i) });
        let mut ward: Vec<&str> = sick
            .iter()
            .map(|sick| if *sick == "yes" { "north" } else { "south" })
            .collect();
        for (row, ward) in ward.iter_mut().enumerate().filter(|(row, _)| row % 3 == 0) {
            *ward = if sick[row] == "yes" { "east" } else { "west" };
        }
        let mixed: Vec<&str> = (0..200).map(|i| ["a", "b", "c"][i % 3]).collect();
        let columns = vec![
            texts("y", &sick),
            numbers("score", &score),
            texts("ward", &ward),
            texts("mixed", &mixed),
            numbers("noise", &values(200, |i| noise(5 * i + 3))),
        ];
        insta::assert_snapshot!(told(columns), @r#"
        [single-feature] `score` alone separates the classes of `y` (AUC 0.999), which is too good for one feature; exclude it if it is made of the target or known only after it ["data.csv:2: score = 0, y = no", "data.csv:3: score = 0.59, y = yes"]
        [single-feature] `ward` alone answers `y` rightly in 100 % of all rows, which is too good for one feature; exclude it if it is made of the target or known only after it ["data.csv:2: ward = west, y = no", "data.csv:3: ward = north, y = yes"]
        "#);
    }

    #[test]
    fn a_feature_that_separates_one_of_three_classes_is_no_leak() {
        let class: Vec<&str> = (0..90).map(|i| ["a", "b", "c"][i / 30]).collect();
        let x = values(90, |i| if i < 30 { noise(i) } else { 5.0 + noise(i) });
        assert_eq!(told(vec![texts("y", &class), numbers("x", &x)]), "");
        let all = values(90, |i| f64::from(i / 30) * 5.0 + noise(i));
        assert!(told(vec![texts("y", &class), numbers("x", &all)]).starts_with("[single-feature]"));
    }

    #[test]
    fn names_of_rows_are_not_strong() {
        let sick: Vec<&str> = (0..60).map(|i| if noise(i) > 0.5 { "yes" } else { "no" }).collect();
        let names: Vec<String> = (0..60).map(|i| format!("n{}", i / 2 * 2)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(told(vec![texts("y", &sick), texts("name", &names)]), "");
    }

    #[test]
    fn whether_a_feature_is_known_gives_the_target_away() {
        let died: Vec<&str> = (0..100)
            .map(|i| if noise(i) > 0.7 { "died" } else { "lived" })
            .collect();
        let left = values(100, |i| {
            if noise(i) > 0.7 && i != 8 {
                f64::NAN
            } else {
                noise(i + 7)
            }
        });
        let sparse = values(100, |i| if i % 4 == 0 { f64::NAN } else { noise(i + 9) });
        let shown = told(vec![
            texts("y", &died),
            numbers("left", &left),
            numbers("sparse", &sparse),
        ]);
        insta::assert_snapshot!(shown, @"[missing-tells] `left` is missing in 96.7 % of the rows with `y` = `died` and in 0 % of the others, so that whether it is known gives the target away; exclude it if it is filled in only after the target is known []");
        let y = values(100, |i| noise(i) * 10.0);
        assert!(told(vec![numbers("y", &y), numbers("left", &left)]).contains("missing just where `y` is greatest"));
    }

    #[test]
    fn rows_that_are_numbered_by_the_target() {
        let y = values(100, |i| f64::from(i / 4) + 12.5 * noise(i));
        let row = values(100, |i| f64::from(1000 + i));
        let shown = told(vec![numbers("y", &y), numbers("row", &row), numbers("year", &row)]);
        insta::assert_snapshot!(shown, @"[id-tells] `row` is another whole number in every row and yet goes with `y`: the rows are sorted by the target, or were numbered after it was known; add it to `data.exclude` []");
    }

    #[test]
    fn real_data_without_leaks_is_quiet() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for (source, target) in [
            ("repos/breast-cancer/data/wdbc.csv", "diagnosis"),
            ("repos/diabetes/data/diabetes.csv", "progression"),
            ("repos/iris/data/iris.csv", "species"),
            ("repos/python-poetry/data/wine.csv", "cultivar"),
            ("data/penguins.csv", "species"),
            ("data/penguins.csv", "sex"),
            ("data/penguins.csv", "body_mass_g"),
        ] {
            let loaded = crate::data::read_source(&root, source, &std::collections::BTreeMap::new());
            let frame = loaded.unwrap().frame;
            let column = frame.column(target).unwrap();
            let known = Target::of(&frame, column).unwrap();
            let features = frame.columns().iter().filter(|feature| feature.name != target);
            let found: Vec<Leak> = features
                .flat_map(|feature| tells(&frame, feature, column, &known))
                .collect();
            assert_eq!(found, [], "{source}");
        }
    }

    #[test]
    fn huge_and_tiny_numbers_are_compared() {
        for scale in [1e300, 1e-300] {
            let y = values(60, |i| noise(i) * scale);
            let near = values(60, |i| (noise(i) + 0.05 * noise(3 * i + 5)) * scale);
            let shown = told(vec![numbers("y", &y), numbers("near", &near)]);
            assert!(shown.starts_with("[single-feature]"), "{shown}");
            let groups: Vec<&str> = (0..60).map(|i| if i % 2 == 0 { "a" } else { "b" }).collect();
            assert_eq!(told(vec![numbers("y", &y), texts("group", &groups)]), "");
        }
    }

    #[test]
    fn a_large_table_is_looked_at_as_a_small_one() {
        let y = values(9000, |i| f64::from(i * 7919 % 9001));
        let near = values(9000, |i| f64::from(i * 7919 % 9001) + 300.0 * noise(i));
        let far = values(9000, |i| f64::from(i * 4993 % 9001));
        let shown = told(vec![numbers("y", &y), numbers("near", &near), numbers("far", &far)]);
        assert_eq!(
            (shown.lines().count(), shown.contains("`near` alone")),
            (1, true),
            "{shown}"
        );
    }
}
