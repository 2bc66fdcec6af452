//! From evidence to a verdict, with its reasons. Pure.

use crate::base::{Verdict, counted};
use crate::stats::normal_quantile;

use super::noise::{Noise, flips};
use super::prevalence::PrevalenceShift;
use super::{Comparison, SliceComparison, SliceStatus, format_number, metric};

/// The chance to decide that `rows_needed` aims at.
const POWER: f64 = 0.8;

/// From so many challengers on, a test set is a worn one, and [`decide`] says so.
pub const WORN: u64 = 5;

/// What a gain with its one-sided bounds is, when `margin` may be lost; all in the unit of the metric, positive is good.
pub fn verdict(gain: f64, lower: f64, upper: f64, margin: f64) -> Verdict {
    if lower > 0.0 {
        Verdict::Better
    } else if lower > -margin || (lower >= upper && gain >= -margin) {
        // Without any spread the gain is exact, and a loss of the whole margin is still allowed.
        Verdict::Same
    } else if upper < -margin {
        Verdict::Worse
    } else {
        Verdict::Inconclusive
    }
}

/// How many rows would decide with a chance of 80 %: ((z₁₋α + z₀.₈) · `sd` / `distance`)², more than there are, with
/// `sd` that of one row's part in the gain, and `distance` that of the gain to the loss that is allowed, both in the unit of
/// the metric. `None` when the distance is so small that no number of rows can be named.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive and at most a billion"
)]
pub fn rows_needed(distance: f64, sd: f64, n_rows: usize, alpha: f64) -> Option<u64> {
    let needed = ((normal_quantile(1.0 - alpha) + normal_quantile(POWER)) * sd / distance)
        .powi(2)
        .ceil();
    (needed <= 1e9).then(|| (needed as u64).max(n_rows as u64 + 1))
}

/// The α of the `use_number`-th challenger, counted from 1, that a test set judges: 6 α / (π² k²), so that all together,
/// however many come, are wrong with a chance of α.
///
/// Source: alpha spending by Σ 1/k² = π²/6.
pub fn alpha_of_use(alpha: f64, use_number: u64) -> f64 {
    let k = use_number.max(1) as f64;
    6.0 * alpha / (std::f64::consts::PI.powi(2) * k * k)
}

/// Everything that is known when a challenger is judged.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The metric that decides.
    pub primary: &'a Comparison,
    /// Metrics that must not get worse by more than their own margins. All have to hold, so that none needs a correction
    /// for their number (intersection–union).
    pub guardrails: &'a [&'a Comparison],
    /// Corrected for their number already, by Holm.
    pub slices: &'a [SliceComparison],
    /// What the metric varies by while nothing changes.
    pub noise: Option<&'a Noise>,
    /// What the same training was called before against the same champion, in any order.
    pub earlier: &'a [Verdict],
    /// How the classes of the test rows differ from those of the champion's data.
    pub prevalence: Option<&'a PrevalenceShift>,
    /// How many challengers these test rows have judged, this one included.
    pub test_set_uses: Option<u64>,
}

impl<'a> Evidence<'a> {
    /// One comparison and nothing beside it.
    pub fn of(primary: &'a Comparison) -> Self {
        Self {
            primary,
            guardrails: &[],
            slices: &[],
            noise: None,
            earlier: &[],
            prevalence: None,
            test_set_uses: None,
        }
    }
}

/// A verdict with sentences, lowercase but for names and without a full stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub verdict: Verdict,
    /// What it rests on, the deciding one first.
    pub reasons: Vec<String>,
    /// How far to trust it.
    pub doubts: Vec<String>,
    /// Rows that would decide what is inconclusive, where that can be said: the most that any metric in doubt needs.
    pub rows_needed: Option<u64>,
}

/// The verdict of all evidence: the word of the metric that decides, unless something else is worse.
///
/// 1. A guardrail that is worse, or a slice that lost, makes it worse.
/// 2. A guardrail that is inconclusive makes "better" and "same" inconclusive: it is not shown that nothing was lost.
/// 3. Noise, flips, another mix of classes and a worn test set change no word: they say how far to trust it.
pub fn decide(evidence: &Evidence<'_>) -> Decision {
    let primary = evidence.primary;
    let mut verdict = primary.verdict;
    let mut reasons = vec![sentence(primary)];
    let mut in_doubt: Vec<&Comparison> = Vec::new();
    if verdict == Verdict::Inconclusive {
        in_doubt.push(primary);
    }
    for guardrail in evidence.guardrails {
        match guardrail.verdict {
            Verdict::Worse | Verdict::FailedToRun => {
                verdict = verdict.max(guardrail.verdict);
                reasons.insert(0, sentence(guardrail));
            }
            Verdict::Inconclusive => {
                in_doubt.push(guardrail);
                let at = if verdict < Verdict::Inconclusive {
                    0
                } else {
                    reasons.len()
                };
                reasons.insert(at, sentence(guardrail));
                verdict = verdict.max(Verdict::Inconclusive);
            }
            Verdict::Better | Verdict::Same => {}
        }
    }
    if let Some(lost) = lost_slices(evidence.slices) {
        verdict = verdict.max(Verdict::Worse);
        reasons.insert(0, lost);
    }
    let needed: Option<Vec<u64>> = in_doubt.iter().map(|one| one.rows_needed).collect();
    let rows_needed = match verdict {
        Verdict::Inconclusive => needed.and_then(|needed| needed.into_iter().max()),
        Verdict::Better | Verdict::Same | Verdict::Worse | Verdict::FailedToRun => None,
    };
    if let Some(rows) = rows_needed {
        reasons.push(format!("about {rows} rows would decide"));
    }
    Decision {
        verdict,
        reasons,
        doubts: doubts(evidence),
        rows_needed,
    }
}

impl Decision {
    /// Why all evidence has another word than the metrics that are judged have: what they are called, and what tells them
    /// apart. `None`: it is the same word.
    pub fn beyond(&self, word: Verdict) -> Option<String> {
        if self.verdict == word {
            return None;
        }
        let reason = self.reasons.first()?;
        let rows = self
            .rows_needed
            .map_or_else(String::new, |rows| format!("; about {rows} rows would decide"));
        Some(format!(
            "the verdict is {}, and all evidence together is {}: {reason}{rows}",
            word.word(),
            self.verdict.word()
        ))
    }
}

/// What a comparison says, from its bounds.
fn sentence(one: &Comparison) -> String {
    let title = metric(&one.metric).map_or(one.metric.as_str(), |kind| kind.title);
    let (Some(lower), Some(upper)) = (one.lower, one.upper) else {
        let why = one.note.as_deref().unwrap_or("it has no numbers");
        return format!("{title} was not compared: {why}");
    };
    let short = |value: f64| format_number(value, Some(upper - lower)).replace('-', "\u{2212}");
    let least = if one.margin > 0.0 {
        format!(
            "the loss of {} that is allowed",
            format_number(one.margin, Some(one.margin))
        )
    } else {
        "zero".to_owned()
    };
    let bounds = format!("the gain is {} to {}", short(lower), short(upper));
    match one.verdict {
        Verdict::Better => format!("{title} is better: {bounds}, all above zero"),
        Verdict::Same if lower >= upper => format!("{title} is the same: {bounds}, without any spread"),
        Verdict::Same => format!("{title} is the same: {bounds}, all above {least}"),
        Verdict::Worse => format!("{title} is worse: {bounds}, all below {least}"),
        Verdict::Inconclusive => match &one.note {
            Some(note) => format!("{title} is inconclusive: {note}"),
            None => format!("{title} is inconclusive: {bounds}, on both sides of {least}"),
        },
        Verdict::FailedToRun => format!("{title} was not compared: the challenger failed to run"),
    }
}

fn lost_slices(slices: &[SliceComparison]) -> Option<String> {
    let lost: Vec<&str> = slices
        .iter()
        .filter(|slice| slice.status == SliceStatus::Regression)
        .map(|slice| slice.slice.as_str())
        .collect();
    let (first, rest) = lost.split_first()?;
    let n_tested = slices.iter().filter(|slice| slice.p_adjusted.is_some()).count();
    let more = if rest.is_empty() {
        String::new()
    } else {
        format!(" and {} more", rest.len())
    };
    Some(format!(
        "worse on the slice {first}{more}, corrected for {}",
        counted(n_tested, "slice")
    ))
}

/// What changes no word.
fn doubts(evidence: &Evidence<'_>) -> Vec<String> {
    let mut doubts = Vec::new();
    if let (Some(noise), Some(gain)) = (evidence.noise, evidence.primary.difference) {
        doubts.extend(noise.sentence(&evidence.primary.metric, gain));
    }
    if flips(evidence.earlier, evidence.primary.verdict) {
        doubts.push(format!(
            "flaky: the same training was called otherwise against the same version in {}",
            counted(
                evidence
                    .earlier
                    .iter()
                    .filter(|earlier| **earlier != evidence.primary.verdict)
                    .count(),
                "earlier run"
            )
        ));
    }
    if let Some(shift) = evidence.prevalence.filter(|shift| shift.shifted) {
        doubts.push(shift.sentence());
    }
    if let Some(uses) = evidence.test_set_uses.filter(|uses| *uses >= WORN) {
        doubts.push(format!(
            "these test rows have judged {uses} challengers, and the more they judge the sooner one is better by chance"
        ));
    }
    doubts
}
