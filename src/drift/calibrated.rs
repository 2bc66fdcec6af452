//! The usual mode: every column once, corrected for how many there are, and nothing that is too small to matter. Pure.
//!
//! Numbers are tested by Kolmogorov and Smirnov with W₁ in standard deviations of the reference as their effect, categories
//! by Pearson's test of homogeneity with the Jensen–Shannon distance, texts by a classifier with its area under the ROC
//! curve. A column drifted when its p-value, adjusted by Benjamini and Hochberg over all columns that were tested, is at
//! most `alpha` and its effect at least `min_effect`. Beside it numbers are asked whether they moved as a whole (Mann and
//! Whitney, two-sided), at a fifth of the level and with a correction of its own: where only the location changes that
//! finds what the first test is too weak for, and both together keep the chance of any false alarm below 6 %.

use super::kinds;
use super::pair::{Categories, Numbers, Pair};
use super::result::{ColumnDrift, Location, MissingDrift, Role};
use super::settings::{LOCATION_ALPHA, Settings};
use super::shape::{self, Sides};
use super::sketch::ColumnSketch;
use super::univariate::{Kind, Op, ScoreKind, effective, homogeneity, ks, mann_whitney, text, wasserstein};
use crate::stats::{benjamini_hochberg, kolmogorov};

/// The least area under the ROC curve of texts that differ.
pub const MIN_TEXT_AREA: f64 = 0.55;

/// What is known of a column beside its two sides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside {
    /// The feature's share in the model.
    pub importance: Option<f64>,
    /// How many independent rows the rows of each side are worth, where they follow one another in time.
    pub n_effective: Option<[f64; 2]>,
}

/// Every column in the order of the reference, then those that only the current side has.
pub fn columns(
    reference: &[ColumnSketch],
    current: &[ColumnSketch],
    settings: &Settings,
    role: impl Fn(&str) -> Role,
    beside: impl Fn(&str) -> Beside,
) -> Vec<ColumnDrift> {
    let mut columns: Vec<ColumnDrift> = shape::paired(reference, current)
        .map(|sides| {
            let about = beside(sides.name());
            let (mut column, numbers) = shape::described(sides, role(sides.name()), about.importance);
            test(&mut column, sides, numbers, settings, about);
            column
        })
        .collect();
    correct(&mut columns, settings);
    columns
}

/// One column's tests, without what depends on the others.
fn test(column: &mut ColumnDrift, sides: Sides<'_>, numbers: Option<Numbers>, settings: &Settings, beside: Beside) {
    let named = settings.kinds.get(sides.name()).copied();
    column.kind = named.unwrap_or_else(|| match sides {
        Sides::Both(before, after) => kinds::calibrated(before, after),
        Sides::Reference(one) | Sides::Current(one) => kinds::evidently(one),
    });
    let [before, after] = sides.each();
    let skip = kinds::skip(column.kind, before, after);
    let pair = match (numbers, before.zip(after)) {
        (Some(numbers), _) if column.kind == Kind::Num => Some(Pair::Numbers(numbers)),
        (_, Some((before, after))) => kinds::pair(column.kind, before, after),
        (_, None) => None,
    };
    let (None, Some(pair)) = (skip, pair) else {
        let skip = skip.unwrap_or(kinds::Skip::Unknown);
        column.status = format!("skipped: {}", skip.name());
        column.notes.push(skip.sentence().to_owned());
        return;
    };
    let least = column.n[0].min(column.n[1]);
    match &pair {
        Pair::Numbers(numbers) => of_numbers(column, numbers, beside),
        Pair::Categories(categories) if column.kind == Kind::Text => of_texts(column, categories),
        Pair::Categories(categories) => of_categories(column, categories, settings),
    }
    column.op = Some(Op::AtMost);
    column.threshold = Some(settings.alpha);
    if least < settings.min_rows && column.status == "computed" {
        column.status = format!("inconclusive: fewer than {} rows", settings.min_rows);
    }
}

fn computed(column: &mut ColumnDrift, test: &str, p: f64, statistic: f64, effect: (f64, &str)) {
    "computed".clone_into(&mut column.status);
    column.test = Some(test.to_owned());
    column.score = Some(p);
    column.score_kind = Some(ScoreKind::PValue);
    column.statistic = Some(statistic);
    column.p = Some(p);
    column.effect = Some(effect.0);
    column.effect_kind = Some(effect.1.to_owned());
}

fn of_numbers(column: &mut ColumnDrift, numbers: &Numbers, beside: Beside) {
    let distance = ks::statistic(numbers);
    // An approximate distribution could be nearer by its error.
    let sure = (distance - numbers.rank_error).max(0.0);
    let [n, m] = [numbers.moments[0].n, numbers.moments[1].n];
    let p = if numbers.values.len() == 1 {
        1.0
    } else {
        match beside.n_effective {
            Some([a, b]) => kolmogorov::effective(a, b, sure),
            None => kolmogorov::two_sample(n, m, sure),
        }
    };
    computed(
        column,
        "ks",
        p,
        distance,
        (wasserstein::effect(numbers), "wasserstein_std"),
    );
    let moved = match beside.n_effective {
        Some(effective) => effective::mann_whitney(numbers, effective),
        None => mann_whitney::location_p(numbers),
    };
    column.location = Some(Location {
        p: moved,
        p_adj: 1.0,
        moved: false,
    });
}

fn of_categories(column: &mut ColumnDrift, categories: &Categories, settings: &Settings) {
    let found = homogeneity::homogeneity(categories, settings.seed);
    let effect = homogeneity::jensen_shannon(categories);
    (column.new_categories, column.lost_categories) = shape::changes(categories);
    computed(column, found.law.name(), found.p, found.x2, (effect, "jensenshannon"));
    if shape::differ_in_writing(categories) {
        column
            .notes
            .push("some categories differ only by case or spaces".to_owned());
    }
}

fn of_texts(column: &mut ColumnDrift, categories: &Categories) {
    match text::compare(categories) {
        Ok(found) => {
            computed(
                column,
                "text_domain_classifier",
                found.p,
                found.auc,
                (found.auc, "roc_auc"),
            );
            for (words, when) in found.tokens.iter().zip(["before", "now"]) {
                if !words.is_empty() {
                    column
                        .notes
                        .push(format!("words that tell {when}: {}", words.join(", ")));
                }
            }
        }
        Err(why) => column.status = format!("skipped: {}", why.0),
    }
}

/// What a column's p-value is worth among the others.
fn correct(columns: &mut [ColumnDrift], settings: &Settings) {
    let tested: Vec<usize> = (0..columns.len()).filter(|&at| columns[at].p.is_some()).collect();
    let adjusted = benjamini_hochberg(&of(columns, &tested, |column| column.p));
    for (&at, p_adj) in tested.iter().zip(adjusted) {
        let column = &mut columns[at];
        column.p_adj = Some(p_adj);
        let least = match column.kind {
            Kind::Text => MIN_TEXT_AREA,
            Kind::Num | Kind::Cat | Kind::Datetime | Kind::Unknown => settings.min_effect,
        };
        column.drifted =
            column.is_decided() && p_adj <= settings.alpha && column.effect.is_some_and(|effect| effect >= least);
    }
    let located: Vec<usize> = tested
        .into_iter()
        .filter(|&at| columns[at].location.is_some())
        .collect();
    let adjusted = benjamini_hochberg(&of(columns, &located, |column| {
        column.location.map(|location| location.p)
    }));
    for (&at, p_adj) in located.iter().zip(adjusted) {
        let column = &mut columns[at];
        let is_large = column.effect.is_some_and(|effect| effect >= settings.min_effect);
        let is_decided = column.is_decided();
        if let Some(location) = &mut column.location {
            location.p_adj = p_adj;
            location.moved =
                is_decided && is_large && p_adj <= LOCATION_ALPHA * settings.alpha / super::settings::ALPHA;
        }
    }
}

fn of(columns: &[ColumnDrift], which: &[usize], value: impl Fn(&ColumnDrift) -> Option<f64>) -> Vec<f64> {
    which.iter().map(|&at| value(&columns[at]).unwrap_or(1.0)).collect()
}

/// Whether values are missing more or less often, for every column of both sides in which any is.
pub fn missing(reference: &[ColumnSketch], current: &[ColumnSketch], settings: &Settings) -> Vec<MissingDrift> {
    let mut found: Vec<MissingDrift> = reference
        .iter()
        .filter_map(|before| {
            let after = current.iter().find(|column| column.name == before.name)?;
            let (a, b) = (before.n_missing, after.n_missing);
            if a + b == 0 || before.n_rows == 0 || after.n_rows == 0 {
                return None;
            }
            let share = |missing: u64, rows: u64| missing as f64 / rows as f64;
            Some(MissingDrift {
                column: before.name.clone(),
                missing_reference: a,
                missing_current: b,
                p: homogeneity::missing([before.n_rows, after.n_rows], [a, b]),
                p_adj: 1.0,
                effect: (share(a, before.n_rows) - share(b, after.n_rows)).abs(),
                drifted: false,
            })
        })
        .collect();
    let adjusted = benjamini_hochberg(&found.iter().map(|one| one.p).collect::<Vec<_>>());
    for (one, p_adj) in found.iter_mut().zip(adjusted) {
        one.p_adj = p_adj;
        one.drifted = p_adj <= settings.alpha && one.effect >= settings.min_missing_effect;
    }
    found
}

#[cfg(test)]
mod tests;
