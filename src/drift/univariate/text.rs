//! Whether the texts of two sides can be told apart: a classifier of words, always the same for the same texts. Pure.

use crate::drift::pair::{Categories, Pair};
use crate::stats::normal_quantile;

use super::words::{Document, documents, fit_and_score};
use super::{Kind, Op, Outcome, ScoreKind, Test, Undefined};

/// Drift when the AUC is beyond a percentile (the threshold) of what random scores reach: see [`random_auc`], which
/// stands in the place of the threshold.
pub const PERCENTILE: Test = Test {
    name: "perc_text_content_drift",
    title: "Percentile text content drift",
    kinds: &[Kind::Text],
    threshold: 0.95,
    op: Op::Above,
    score: ScoreKind::RocAuc,
    run: |pair, _| run(pair),
};

pub const ABSOLUTE: Test = Test {
    name: "abs_text_content_drift",
    title: "Absolute text content drift",
    kinds: &[Kind::Text],
    threshold: 0.55,
    op: Op::Above,
    score: ScoreKind::RocAuc,
    run: |pair, _| run(pair),
};

/// Distinct texts of a side that are looked at, evenly taken.
const MAX_TEXTS: usize = 20_000;
/// With fewer rows on a side the halves that a classifier learns from are too small.
const MIN_ROWS: u64 = 20;
const N_TOKENS: usize = 10;

/// What a classifier of texts came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TextDrift {
    /// The chance that a current text looks more like the current ones than a text of the reference does, 0 to 1; ½ when
    /// nothing tells them apart.
    pub auc: f64,
    /// P(AUC at least so great) if nothing tells them apart.
    pub p: f64,
    /// Rows of each side whose texts were looked at.
    pub n: [u64; 2],
    /// The words that speak most for the reference and for the current side, at most ten each, the most telling first.
    pub tokens: [Vec<String>; 2],
    /// Whether there were more than 20,000 distinct texts on a side, so that some were left out.
    pub is_sampled: bool,
}

/// How well a classifier tells the two sides' texts apart, on texts that it did not learn from.
///
/// Words are runs of letters and digits in lower case, the first 64 of a text, hashed into 65,536 places; weights are
/// (1 + ln tf)·idf with rows of length 1; the model is L2-regularized logistic regression with both sides weighing the
/// same, by 20 rounds of coordinate descent. Texts fall into two halves by a hash, so that duplicates stay together; each
/// half is scored by the model of the other. p is one-sided by the normal law of Mann and Whitney's U with ties.
///
/// Nothing is drawn: the same texts give the same result in any order of rows. Time is bounded by 20,000 distinct texts a
/// side: about a second there.
///
/// # Errors
/// Fewer than 20 rows on a side.
///
/// Source: Lopez-Paz and Oquab, *Revisiting classifier two-sample tests* (2017). Evidently's own differs by the split and
/// the solver; the golden values are compared loosely.
pub fn compare(texts: &Categories) -> Result<TextDrift, Undefined> {
    let (documents, is_sampled) = looked_at(texts);
    let sum = |side: usize| documents.iter().map(|document| document.rows[side]).sum::<u64>();
    let n = [sum(0), sum(1)];
    if n[0] < MIN_ROWS || n[1] < MIN_ROWS {
        return Err(Undefined(format!("fewer than {MIN_ROWS} texts on one side")));
    }
    let scored = fit_and_score(&documents);
    let (auc, p) = auc(&scored.scores, &documents, n);
    let tokens = |sign: f64| -> Vec<String> {
        let mut telling: Vec<(f64, &String)> = scored
            .words
            .iter()
            .map(|(word, weight)| (sign * weight, word))
            .filter(|(weight, _)| *weight > 0.0)
            .collect();
        telling.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        telling
            .into_iter()
            .take(N_TOKENS)
            .map(|(_, word)| word.clone())
            .collect()
    };
    Ok(TextDrift {
        auc,
        p,
        n,
        tokens: [tokens(-1.0), tokens(1.0)],
        is_sampled,
    })
}

fn run(pair: &Pair) -> Result<Outcome, Undefined> {
    match pair {
        Pair::Categories(texts) => compare(texts).map(|found| Outcome {
            score: found.auc,
            statistic: None,
        }),
        Pair::Numbers(_) => Err(Undefined("it needs texts".to_owned())),
    }
}

/// The AUC that random scores stay below with probability `level`, for `n` and `m` rows: ½ + z·√((n + m + 1)/(12nm)), at
/// most 1. What [`PERCENTILE`] holds an AUC against, with its threshold as the level.
///
/// Source: the normal law of Mann and Whitney's U.
pub fn random_auc(level: f64, [n, m]: [u64; 2]) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let sd = ((n + m + 1.0) / (12.0 * n * m)).sqrt();
    (0.5 + normal_quantile(level) * sd).clamp(0.0, 1.0)
}

/// The texts of both sides in byte order, at most [`MAX_TEXTS`] distinct ones a side; whether some were left out.
fn looked_at(texts: &Categories) -> (Vec<Document>, bool) {
    // Rows whose texts were not kept are counted under `…`.
    let known: Vec<usize> = (0..texts.labels.len())
        .filter(|&index| texts.labels[index] != "…")
        .collect();
    let mut is_taken = vec![false; texts.labels.len()];
    let mut is_sampled = false;
    for counts in [&texts.reference, &texts.current] {
        let of_side: Vec<usize> = known.iter().copied().filter(|&index| counts[index] > 0).collect();
        let n = of_side.len().min(MAX_TEXTS);
        is_sampled |= n < of_side.len();
        for step in 0..n {
            is_taken[of_side[step * of_side.len() / n]] = true;
        }
    }
    let taken = known.into_iter().filter(|&index| is_taken[index]);
    let each = taken.map(|index| {
        (
            texts.labels[index].as_str(),
            [texts.reference[index], texts.current[index]],
        )
    });
    (documents(each), is_sampled)
}

/// The AUC of the current rows over those of the reference, and its one-sided p-value; ties count half.
fn auc(scores: &[f64], documents: &[Document], [n, m]: [u64; 2]) -> (f64, f64) {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut wins, mut ties) = (0.0, 0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a].total_cmp(&scores[b]).is_eq()) {
        let rows = |side: usize| tied.iter().map(|&index| documents[index].rows[side]).sum::<u64>() as f64;
        let (reference, current) = (rows(0), rows(1));
        wins += current * (below + 0.5 * reference);
        below += reference;
        let t = reference + current;
        ties += t * t * t - t;
    }
    let (n, m) = (n as f64, m as f64);
    let auc = wins / (n * m);
    let all = n + m;
    let variance = ((all + 1.0) - ties / (all * (all - 1.0))) / (12.0 * n * m);
    let p = if variance > 0.0 {
        0.5 * libm::erfc((auc - 0.5) / (2.0 * variance).sqrt())
    } else {
        1.0
    };
    (auc, p)
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
