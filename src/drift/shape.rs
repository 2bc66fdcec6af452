//! What there is to say and to draw of a column before it is tested. Pure.

use std::collections::BTreeMap;

use super::pair::{Categories, Numbers};
use super::result::{ColumnDrift, Picture, Role, Summary};
use super::sketch::{ColumnSketch, NumberSketch, Seen};
use super::univariate::Kind;
use crate::data::{ColumnType, number_label};

/// The most bars of a picture, the last of which may be `other`.
const MAX_BARS: usize = 12;
/// The most bins of a picture.
const MAX_BINS: usize = 24;
/// New and lost categories that are named.
pub const MAX_NAMED: usize = 20;
/// A category's name is cut to this many characters.
const MAX_NAME: usize = 60;
/// Categories that are looked at for their writing.
const MAX_LABELS: usize = 10_000;

/// One column, where it is.
#[derive(Debug, Clone, Copy)]
pub enum Sides<'a> {
    Both(&'a ColumnSketch, &'a ColumnSketch),
    Reference(&'a ColumnSketch),
    Current(&'a ColumnSketch),
}

impl<'a> Sides<'a> {
    pub fn name(self) -> &'a str {
        let (Self::Both(one, _) | Self::Reference(one) | Self::Current(one)) = self;
        &one.name
    }

    /// The reference and the current side.
    pub fn each(self) -> [Option<&'a ColumnSketch>; 2] {
        match self {
            Self::Both(before, after) => [Some(before), Some(after)],
            Self::Reference(before) => [Some(before), None],
            Self::Current(after) => [None, Some(after)],
        }
    }
}

/// Every column by name, in the order of the reference, then those that only the current side has.
pub fn paired<'a>(
    reference: &'a [ColumnSketch],
    current: &'a [ColumnSketch],
) -> impl Iterator<Item = Sides<'a>> + use<'a> {
    let by_name = |side: &'a [ColumnSketch]| -> BTreeMap<&'a str, &'a ColumnSketch> {
        side.iter().map(|column| (column.name.as_str(), column)).collect()
    };
    let (before, after) = (by_name(reference), by_name(current));
    let first = reference
        .iter()
        .map(move |column| match after.get(column.name.as_str()) {
            Some(other) => Sides::Both(column, other),
            None => Sides::Reference(column),
        });
    let new = current
        .iter()
        .filter(move |column| !before.contains_key(column.name.as_str()));
    first.chain(new.map(Sides::Current))
}

/// A column with its counts, its summary and its picture, not tested yet; and its two sides merged, where both are numbers.
pub fn described(sides: Sides<'_>, role: Role, importance: Option<f64>) -> (ColumnDrift, Option<Numbers>) {
    let mut column = ColumnDrift::untested(sides.name(), role);
    column.importance = importance;
    let count = |of: fn(&ColumnSketch) -> u64| sides.each().map(|side| side.map_or(0, of));
    column.n = count(ColumnSketch::n_known);
    column.missing = count(|side| side.n_missing);
    column.infinite = count(|side| side.n_infinite);
    let Sides::Both(before, after) = sides else {
        return (column, None);
    };
    match (&before.seen, &after.seen) {
        (Seen::Numbers(a), Seen::Numbers(b)) => {
            let numbers = Numbers::merge(a, b);
            column.summary = Some([summary(a), summary(b)]);
            let few = numbers.values.len() <= MAX_BARS && a.is_whole() && b.is_whole();
            column.picture = if few {
                bars(&numbers.categories(|value| number_label(ColumnType::Float, value)))
            } else {
                histogram(&numbers)
            };
            let error = numbers.rank_error;
            column.approximate = (error > 0.0).then_some(error);
            return (column, Some(numbers));
        }
        (Seen::Times(a), Seen::Times(b)) => column.picture = histogram(&Numbers::merge(a, b)),
        _ => {
            if let Some(categories) = categories(before, after) {
                column.picture = bars(&categories);
                (column.new_categories, column.lost_categories) = changes(&categories);
            }
        }
    }
    (column, None)
}

/// Texts and booleans of both sides as categories.
pub fn categories(before: &ColumnSketch, after: &ColumnSketch) -> Option<Categories> {
    match (&before.seen, &after.seen) {
        (Seen::Texts(a), Seen::Texts(b)) => Some(Categories::merge(a, b)),
        (Seen::Booleans(a), Seen::Booleans(b)) => Some(Categories {
            labels: vec!["false".to_owned(), "true".to_owned()],
            reference: a.to_vec(),
            current: b.to_vec(),
        }),
        _ => None,
    }
}

fn summary(sketch: &NumberSketch) -> Summary {
    Summary {
        mean: sketch.moments.mean,
        sd: sketch.moments.sd,
        min: sketch.moments.min,
        median: sketch.quantile(0.5),
        max: sketch.moments.max,
    }
}

/// Categories with their rows.
type Counted = Vec<(String, u64)>;

/// How many categories the current side alone has, and their rows.
pub fn n_new(categories: &Categories) -> (usize, u64) {
    let sides = categories.current.iter().zip(&categories.reference);
    let new = sides
        .zip(&categories.labels)
        .filter(|((now, before), label)| **now > 0 && **before == 0 && label.as_str() != "…");
    new.fold((0, 0), |(n, rows), ((now, _), _)| (n + 1, rows + now))
}

/// Categories that one side alone has, the most frequent first; at most [`MAX_NAMED`].
pub fn changes(categories: &Categories) -> (Counted, Counted) {
    let only = |mine: &[u64], other: &[u64]| {
        let mut found: Vec<(String, u64)> = categories
            .labels
            .iter()
            .zip(mine.iter().zip(other))
            .filter(|(label, (mine, other))| **mine > 0 && **other == 0 && label.as_str() != "…")
            .map(|(label, (mine, _))| (short(label), *mine))
            .collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(MAX_NAMED);
        found
    };
    (
        only(&categories.current, &categories.reference),
        only(&categories.reference, &categories.current),
    )
}

/// Whether two categories are the same but for case and spaces.
pub fn differ_in_writing(categories: &Categories) -> bool {
    let plain = |label: &String| label.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut all: Vec<String> = categories.labels.iter().take(MAX_LABELS).map(plain).collect();
    all.sort_unstable();
    all.windows(2).any(|pair| pair[0] == pair[1])
}

fn short(label: &str) -> String {
    if label.chars().count() <= MAX_NAME {
        return label.to_owned();
    }
    label.chars().take(MAX_NAME - 1).chain(['…']).collect()
}

/// Equal widths over the middle of the pooled values: the outermost hundredth on either side does not stretch it.
fn histogram(numbers: &Numbers) -> Option<Picture> {
    let total: u64 = numbers.reference.iter().chain(&numbers.current).sum();
    let (low, high) = (pooled(numbers, total, 0.01)?, pooled(numbers, total, 0.99)?);
    // What lies hardly beyond is shown as it is.
    let (least, most) = (*numbers.values.first()?, *numbers.values.last()?);
    let reach = 0.5 * (high - low);
    let low = if low - least <= reach { least } else { low };
    let high = if most - high <= reach { most } else { high };
    let width = high - low;
    if !width.is_finite() || width <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 24")]
    let n_bins = ((total as f64).log2().ceil() as usize + 4).clamp(5, MAX_BINS);
    let edges: Vec<f64> = (0..=n_bins)
        .map(|edge| low + width * edge as f64 / n_bins as f64)
        .collect();
    let shares = |counts: &[u64]| {
        let mut bins = vec![0.0; n_bins];
        let n: u64 = counts.iter().sum();
        for (value, count) in numbers.values.iter().zip(counts).filter(|(_, count)| **count > 0) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to the bins"
            )]
            let bin = (((value - low) / width * n_bins as f64).max(0.0) as usize).min(n_bins - 1);
            bins[bin] += *count as f64 / n.max(1) as f64;
        }
        bins
    };
    Some(Picture::Histogram {
        reference: shares(&numbers.reference),
        current: shares(&numbers.current),
        edges,
    })
}

/// The pooled value below which a share of all rows lies, both sides weighing the same.
fn pooled(numbers: &Numbers, total: u64, level: f64) -> Option<f64> {
    let wanted = level * total as f64;
    let mut below = 0;
    for (at, value) in numbers.values.iter().enumerate() {
        below += numbers.reference[at] + numbers.current[at];
        if below as f64 >= wanted {
            return Some(*value);
        }
    }
    numbers.values.last().copied()
}

/// The categories that changed most or are most frequent, in their own order; the rest together.
fn bars(categories: &Categories) -> Option<Picture> {
    let n = [&categories.reference, &categories.current].map(|counts| counts.iter().sum::<u64>());
    if n.contains(&0) {
        return None;
    }
    let share = |counts: &[u64], at: usize, n: u64| counts[at] as f64 / n as f64;
    let of = |at: usize| {
        (
            share(&categories.reference, at, n[0]),
            share(&categories.current, at, n[1]),
        )
    };
    let mut order: Vec<usize> = (0..categories.labels.len()).collect();
    if order.len() > MAX_BARS {
        let weight = |at: &usize| {
            let (a, b) = of(*at);
            a.max(b) + (a - b).abs()
        };
        order.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
        order.truncate(MAX_BARS - 1);
        order.sort_unstable();
    }
    let mut labels: Vec<String> = order.iter().map(|&at| short(&categories.labels[at])).collect();
    let mut reference: Vec<f64> = order.iter().map(|&at| of(at).0).collect();
    let mut current: Vec<f64> = order.iter().map(|&at| of(at).1).collect();
    if order.len() < categories.labels.len() {
        labels.push("other".to_owned());
        reference.push((1.0 - reference.iter().sum::<f64>()).max(0.0));
        current.push((1.0 - current.iter().sum::<f64>()).max(0.0));
    }
    Some(Picture::Bars {
        labels,
        reference,
        current,
    })
}

impl ColumnDrift {
    /// A column about which nothing is known yet.
    pub fn untested(name: &str, role: Role) -> Self {
        Self {
            column: name.to_owned(),
            role,
            kind: Kind::Unknown,
            status: "skipped: not tested".to_owned(),
            change_in: None,
            test: None,
            score: None,
            score_kind: None,
            threshold: None,
            op: None,
            statistic: None,
            p: None,
            p_adj: None,
            effect: None,
            effect_kind: None,
            drifted: false,
            location: None,
            severity: 0.0,
            importance: None,
            n: [0; 2],
            missing: [0; 2],
            infinite: [0; 2],
            new_categories: Vec::new(),
            lost_categories: Vec::new(),
            notes: Vec::new(),
            summary: None,
            picture: None,
            approximate: None,
        }
    }

    /// Whether there were rows enough to say anything.
    pub fn is_decided(&self) -> bool {
        self.status == "computed"
    }

    /// Whether it changed, in its distribution or as a whole.
    pub fn has_changed(&self) -> bool {
        self.drifted || self.location.is_some_and(|location| location.moved)
    }
}
